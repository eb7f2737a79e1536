//! `doctor`: what of the machine, the configuration, the data directory and the plugins would keep a host from its work, and
//! what to do about it. It only looks: it writes nothing but a copy of the store, elsewhere, which it removes.

mod data;
mod machine;
mod plugins;

use std::path::Path;
use std::time::Duration;

use baton_host::config::{self, Config};
use baton_host::toolchain;
use clap::Args;
use serde::Serialize;

use super::build::places;
use super::client::{Ask, Lost};
use super::output::{Failure, harmless, print_json, print_line};
use super::{Place, reload};

/// How long any one look may take.
const LOOK_TIMEOUT: Duration = Duration::from_secs(60);

#[derive(Debug, Args)]
pub(super) struct Options {
    /// As JSON
    #[arg(long)]
    json: bool,
}

/// What came of a look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum State {
    Good,
    /// It works, and may surprise.
    Note,
    Wrong,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct Finding {
    looked_at: String,
    state: State,
    found: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    cure: Option<String>,
}

impl Finding {
    fn new(state: State, looked_at: impl Into<String>, found: impl Into<String>) -> Self {
        Self { looked_at: looked_at.into(), state, found: found.into(), cure: None }
    }

    fn good(looked_at: impl Into<String>, found: impl Into<String>) -> Self {
        Self::new(State::Good, looked_at, found)
    }

    fn note(looked_at: impl Into<String>, found: impl Into<String>) -> Self {
        Self::new(State::Note, looked_at, found)
    }

    fn wrong(looked_at: impl Into<String>, found: impl Into<String>) -> Self {
        Self::new(State::Wrong, looked_at, found)
    }

    fn cure(self, cure: impl Into<String>) -> Self {
        Self { cure: Some(cure.into()), ..self }
    }
}

pub(super) async fn doctor(place: &Place, options: &Options) -> Result<(), Failure> {
    let mut found = Vec::new();
    let config = configuration(place, &mut found);
    let dir = match &config {
        Some(config) => config.data_dir.clone(),
        None => place.data_dir()?,
    };
    found.extend(machine::look(config.as_ref(), &dir));
    let runs = running(place, &mut found).await;
    found.extend(data::directory(&dir, config.as_ref()));
    let loaded = plugins::look(config.as_ref(), &mut found).await;
    data::store(place, &dir, config.as_ref(), runs, loaded.as_deref(), &mut found).await;
    found.extend(tools().await);
    if options.json {
        print_json(&found)?;
    } else {
        found.iter().try_for_each(tell)?;
    }
    let wrong = found.iter().filter(|finding| finding.state == State::Wrong).count();
    match wrong {
        0 => Ok(()),
        1 => Err(Failure::new("1 thing is wrong")),
        more => Err(Failure::new(format!("{more} things are wrong"))),
    }
}

fn tell(finding: &Finding) -> Result<(), Failure> {
    let mark = match finding.state {
        State::Good => "ok   ",
        State::Note => "note ",
        State::Wrong => "WRONG",
    };
    print_line(&harmless(&format!("{mark}  {}: {}", finding.looked_at, finding.found)))?;
    match &finding.cure {
        Some(cure) => Ok(print_line(&harmless(&format!("       -> {cure}")))?),
        None => Ok(()),
    }
}

/// The configuration, where there is a good one.
fn configuration(place: &Place, found: &mut Vec<Finding>) -> Option<Config> {
    let looked_at = "configuration";
    let path = match place.config(None) {
        Ok(path) => path,
        Err(failure) => {
            let (message, hint) = failure.words();
            found.push(Finding::note(looked_at, message).cure(hint.unwrap_or_default()));
            return None;
        }
    };
    match config::explain(&path) {
        Ok((config, settings)) => {
            let (config, _) = reload::with_the_command_line(config, settings, place.data_dir.as_ref());
            let counts = format!(
                "{} is good: {} plugins, {} actors",
                path.display(),
                config.plugins.len(),
                config.actors().count()
            );
            found.push(Finding::good(looked_at, counts));
            let cut = config.cut_short().into_iter();
            found.extend(cut.map(|cut| Finding::note("times to stop", format!("{cut}: the tighter one wins"))));
            Some(config)
        }
        Err(problems) => {
            let wrong = |problem: &config::Problem| Finding::wrong(looked_at, problem.to_string());
            found.extend(problems.iter().map(wrong));
            None
        }
    }
}

/// Whether a host of this data directory answers, or may hold it.
async fn running(place: &Place, found: &mut Vec<Finding>) -> bool {
    let looked_at = "host";
    let mut client = match place.client() {
        Ok(client) => client,
        Err(failure) => {
            let (message, hint) = failure.words();
            found.push(Finding::wrong(looked_at, message).cure(hint.unwrap_or_default()));
            return false;
        }
    };
    let asked = client.ask(&Ask { timeout: LOOK_TIMEOUT, ..Ask::get("/v1/health") }).await;
    let answer = match asked {
        Ok(answer) => answer,
        Err(Lost::Unreachable(why)) => {
            found.push(Finding::good(looked_at, format!("none answers: {why}")));
            return false;
        }
        Err(lost) => {
            let (message, _) = client.lost(lost).words();
            found
                .push(Finding::wrong(looked_at, message).cure("if it does not come back, end it, and look at its log"));
            return true;
        }
    };
    let health: serde_json::Value = serde_json::from_slice(&answer.body).unwrap_or_default();
    found.extend(of_health(&health));
    true
}

fn of_health(health: &serde_json::Value) -> Vec<Finding> {
    let looked_at = "host";
    let text = |key: &str| health[key].as_str().unwrap_or_default();
    let count = |key: &str| health[key].as_u64().unwrap_or_default();
    let (version, state) = (text("version"), text("state"));
    let mut found = vec![Finding::good(looked_at, format!("{state}, version {version}, process {}", count("pid")))];
    let own = env!("CARGO_PKG_VERSION");
    if version != own {
        let what = format!("it runs version {version}, and this command is {own}");
        found.push(Finding::note(looked_at, what).cure("restart it: states are handed over"));
    }
    for (key, what, cure) in [
        (
            "held",
            "actors are held: their states cannot be used",
            "`baton ps` says why; the book's page on bad state says what to do",
        ),
        (
            "failed",
            "actors have failed and stay down",
            "`baton ps` says how they ended; `baton start NAME` starts one again",
        ),
    ] {
        if count(key) > 0 {
            found.push(Finding::wrong(looked_at, format!("{} {what}", count(key))).cure(cure));
        }
    }
    if let Some(trouble) = health["store_trouble"].as_str() {
        found.push(Finding::wrong("store", trouble).cure("its log says what failed; look at the disk"));
    }
    found
}

/// What plugin authors need; a host needs none of it.
async fn tools() -> Vec<Finding> {
    let places = places();
    let looked = tokio::task::spawn_blocking(move || toolchain::programs(Path::new("."), &places));
    let Ok(Ok(tools)) = tokio::time::timeout(LOOK_TIMEOUT, looked).await else {
        return vec![Finding::note(
            "tools",
            format!("they did not say their versions within {} s", LOOK_TIMEOUT.as_secs()),
        )];
    };
    let finding = |(language, name, found): (&str, &str, Result<String, toolchain::ToolError>)| {
        let looked_at = format!("tools for plugins in {language}");
        match found {
            Ok(version) => Finding::good(looked_at, format!("{name} {version}")),
            Err(error) => Finding::note(looked_at, error.message()).cure(error.cure().unwrap_or_default()),
        }
    };
    tools.into_iter().map(finding).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_a_host_says_of_itself_is_judged() {
        let own = env!("CARGO_PKG_VERSION");
        let health = |version: &str, held: u64, trouble: Option<&str>| json!({ "state": "ready", "version": version, "pid": 7, "held": held, "failed": 0, "store_trouble": trouble });
        let states = |health| of_health(&health).iter().map(|finding| finding.state).collect::<Vec<_>>();
        assert_eq!(states(health(own, 0, None)), [State::Good]);
        assert_eq!(states(health("0.0.1", 0, None)), [State::Good, State::Note]);
        assert_eq!(states(health(own, 2, Some("no space"))), [State::Good, State::Wrong, State::Wrong]);
    }
}
