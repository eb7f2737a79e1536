//! `man`: the manual pages, made of what `--help` says.

use std::fs;
use std::io::{self, Write as _};
use std::path::PathBuf;

use clap::{Args, CommandFactory as _};

use super::Cli;
use super::output::{Failure, print_line};

#[derive(Debug, Args)]
pub(super) struct Options {
    /// Write a page for every command into this folder, which is made if need be [default: baton(1) to stdout]
    dir: Option<PathBuf>,
}

pub(super) fn man(options: &Options) -> Result<(), Failure> {
    // `baton help` has no page, and none is to name it.
    let command = Cli::command().disable_help_subcommand(true);
    let Some(dir) = &options.dir else {
        let mut page = Vec::new();
        clap_mangen::Man::new(command).render(&mut page)?;
        let mut out = io::stdout().lock();
        return Ok(out.write_all(&page).and_then(|()| out.flush())?);
    };
    let failed = |error: io::Error| Failure::new(format!("{} cannot be written: {error}", dir.display()));
    fs::create_dir_all(dir).map_err(failed)?;
    clap_mangen::generate_to(command, dir).map_err(failed)?;
    let pages = fs::read_dir(dir).map_err(failed)?.filter_map(Result::ok);
    let pages = pages.filter(|page| page.file_name().to_string_lossy().starts_with("baton")).count();
    Ok(print_line(&format!("{pages} pages in {}: man -M {} baton", dir.display(), parent(dir)))?)
}

/// Where `man` looks, if the pages are in its `man1`.
fn parent(dir: &std::path::Path) -> String {
    dir.parent().map(|parent| parent.display().to_string()).filter(|parent| !parent.is_empty()).unwrap_or(".".into())
}
