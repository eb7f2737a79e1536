//! Which configuration and which data directory are meant.

use std::path::{Path, PathBuf};

use baton_host::admin::socket_path;
use baton_host::config::{self, Config};
use baton_host::store::{Backend, DEFAULT_HISTORY, MOST_HISTORY, StoreUrl};

use super::Place;
use super::client::Client;
use super::output::Failure;
use super::way::{Way, token_in};

/// The configuration that is taken where none is named.
const CONFIG: &str = "baton.toml";

impl Place {
    /// The configuration to run with.
    pub(super) fn config(&self, named: Option<&Path>) -> Result<PathBuf, Failure> {
        match (named, &self.config) {
            (Some(_), Some(_)) => {
                Err(Failure::usage("the configuration is named twice: as an argument, and with --config"))
            }
            (Some(path), None) => Ok(path.to_owned()),
            (None, Some(path)) => Ok(path.clone()),
            (None, None) if Path::new(CONFIG).exists() => Ok(CONFIG.into()),
            (None, None) => Err(Failure::usage(format!("there is no {CONFIG} in this folder"))
                .hint("name the configuration: baton run FILE")),
        }
    }

    /// The data directory of the host to talk to.
    pub(super) fn data_dir(&self) -> Result<PathBuf, Failure> {
        if let Some(dir) = &self.data_dir {
            return Ok(dir.clone());
        }
        let config = self.config.as_deref().or_else(|| Some(Path::new(CONFIG)).filter(|path| path.exists()));
        match config {
            Some(path) => config::data_dir(path).map_err(|problems| Failure::config(&problems)),
            None => Ok(config::DATA_DIR.into()),
        }
    }

    /// What keeps the state of a host of this configuration.
    pub(super) fn backend(&self) -> Backend {
        self.settings().map(|config| config.backend).unwrap_or_default()
    }

    /// The server on which a host of this configuration keeps its state.
    pub(super) fn store_url(&self) -> Option<StoreUrl> {
        self.settings().and_then(|config| config.store_url)
    }

    /// The configuration, where there is one without a mistake.
    fn settings(&self) -> Option<Config> {
        let config = self.config.as_deref().or_else(|| Some(Path::new(CONFIG)).filter(|path| path.exists()));
        config.and_then(|path| config::load(path).ok())
    }

    /// How many records of each actor a host of this configuration keeps. Where the file does not say what a host would do,
    /// as many as there may be: nothing is dropped by mistake.
    pub(super) fn history(&self) -> usize {
        self.settings().map_or(MOST_HISTORY, |config| config.history.unwrap_or(DEFAULT_HISTORY))
    }

    /// A client of the host.
    pub(super) fn client(&self) -> Result<Client, Failure> {
        Ok(Client::new(self.way()?))
    }

    /// What is said on the command line counts before what the environment says.
    fn way(&self) -> Result<Way, Failure> {
        let variable = |name| std::env::var(name).ok().filter(|value| !value.is_empty());
        let url = self.url.clone().or_else(|| variable("BATON_URL").filter(|_| self.data_dir.is_none()));
        let Some(url) = url else { return Ok(Way::Socket(socket_path(&self.data_dir()?)?)) };
        let token = match &self.token_file {
            Some(path) => Some(token_in(path)?),
            None => variable("BATON_TOKEN"),
        };
        let ca = self.ca.clone().or_else(|| variable("BATON_CA").map(PathBuf::from));
        Way::remote(&url, token, ca.as_deref())
    }
}
