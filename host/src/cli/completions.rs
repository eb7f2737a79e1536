//! `completions`, and what a shell is told while somebody types: names come from the live host.

use std::ffi::{OsStr, OsString};
use std::io::{self, Write as _};
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, CommandFactory as _};
use clap_complete::Shell;
use clap_complete::engine::{ArgValueCompleter, CompletionCandidate};
use clap_complete::env::{CompleteEnv, Shells};
use tokio::time::timeout;

use super::client::escaped;
use super::output::Failure;
use super::{Cli, Place};

/// Says, in the environment, that it is a shell that asks.
const VARIABLE: &str = "COMPLETE";
/// How long the host may take to say which names there are: whoever presses Tab waits no longer.
const PATIENCE: Duration = Duration::from_millis(500);
/// Most names that are offered.
const NAMES: usize = 200;

#[derive(Debug, Args)]
pub(super) struct Options {
    /// The shell
    shell: Shell,
    /// A script that knows all commands and options, and asks no host for names
    #[arg(long = "static")]
    is_static: bool,
}

pub(super) fn completions(options: &Options) -> Result<(), Failure> {
    let mut script = Vec::new();
    let name = "baton";
    if options.is_static {
        clap_complete::generate(options.shell, &mut Cli::command(), name, &mut script);
    } else {
        let shells = Shells::builtins();
        let shell = shells.completer(&options.shell.to_string());
        let shell = shell.ok_or_else(|| Failure::usage(format!("there is no script for {}", options.shell)))?;
        shell.write_registration(VARIABLE, name, name, name, &mut script)?;
        if options.shell == Shell::Bash {
            script = quoting(&String::from_utf8_lossy(&script)).into_bytes();
        }
    }
    let mut out = io::stdout().lock();
    out.write_all(&script)?;
    Ok(out.flush()?)
}

/// Names may have spaces, and all else that a shell has a meaning for: bash takes what it is offered as it stands, so that it
/// is to be quoted, unless the word began with a quote, and what was typed with backslashes is asked for without.
const QUOTING: &str = r#"
_baton_quoted() {
    local typed="${COMP_WORDS[COMP_CWORD]}" at
    case "$typed" in
        [\"\']*) _clap_complete_baton "$@"; return ;;
    esac
    _clap_complete_baton "$1" "${2//\\/}" "$3"
    for at in "${!COMPREPLY[@]}"; do
        case "${COMPREPLY[at]}" in
            "~"*) ;;
            *) printf -v "COMPREPLY[$at]" %q "${COMPREPLY[at]}" ;;
        esac
    done
}
"#;

fn quoting(script: &str) -> String {
    format!("{QUOTING}{}", script.replace("-F _clap_complete_baton ", "-F _baton_quoted "))
}

/// Answers a shell that asks what may follow. False: nobody has asked.
pub(super) fn answered() -> Result<bool, clap::Error> {
    let here = std::env::current_dir().ok();
    CompleteEnv::with_factory(Cli::command).var(VARIABLE).try_complete(std::env::args_os(), here.as_deref())
}

/// Names of actors.
pub(super) fn actors() -> ArgValueCompleter {
    named(|start| format!("/v1/actors?limit={NAMES}&match={}", escaped(&format!("{start}*"))))
}

/// Names of actors, and of supervisors and children that do not run.
pub(super) fn children() -> ArgValueCompleter {
    named(|_| "/v1/tree".to_owned())
}

/// Names of actors that something is stored for.
pub(super) fn stored() -> ArgValueCompleter {
    named(|_| "/v1/store?limit=1000".to_owned())
}

/// Names of plugins.
pub(super) fn plugins() -> ArgValueCompleter {
    named(|_| "/v1/plugins".to_owned())
}

/// Names of groups.
pub(super) fn groups() -> ArgValueCompleter {
    named(|_| "/v1/groups".to_owned())
}

/// The names in a listing of the host that begin as what was typed; none where it does not answer soon.
fn named(path: impl Fn(&str) -> String + Send + Sync + 'static) -> ArgValueCompleter {
    ArgValueCompleter::new(move |typed: &OsStr| {
        let Some(typed) = typed.to_str() else { return Vec::new() };
        let place = place_in(std::env::args_os());
        let found = ask(&place, &path(typed)).unwrap_or_default();
        offered(found, typed).into_iter().map(CompletionCandidate::new).collect()
    })
}

/// What begins as `typed`, each once, and no more than are of use. Those that a terminal would obey are left out.
fn offered(mut names: Vec<String>, typed: &str) -> Vec<String> {
    names.retain(|name| name.starts_with(typed) && !name.contains(char::is_control));
    names.sort_unstable();
    names.dedup();
    names.truncate(NAMES);
    names
}

fn ask(place: &Place, path: &str) -> Option<Vec<String>> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().ok()?;
    let names = runtime.block_on(async {
        let mut client = place.client().ok()?;
        timeout(PATIENCE, client.names(path)).await.ok()?
    });
    runtime.shutdown_background();
    names
}

/// Where the host is, as far as what is typed so far says it.
fn place_in(words: impl IntoIterator<Item = OsString>) -> Place {
    let mut place = Place { config: None, data_dir: None, url: None, token_file: None, ca: None };
    let mut words = words.into_iter().skip_while(|word| word != "--").filter_map(|word| word.into_string().ok());
    while let Some(word) = words.next() {
        let (flag, value) = match word.split_once('=') {
            Some((flag, value)) if flag.starts_with("--") => (flag.to_owned(), Some(value.to_owned())),
            _ => (word, None),
        };
        if !["-c", "--config", "--data-dir", "--url", "--token-file", "--ca"].contains(&flag.as_str()) {
            continue;
        }
        let Some(value) = value.or_else(|| words.next()) else { break };
        match flag.as_str() {
            "-c" | "--config" => place.config = Some(PathBuf::from(value)),
            "--data-dir" => place.data_dir = Some(PathBuf::from(value)),
            "--token-file" => place.token_file = Some(PathBuf::from(value)),
            "--ca" => place.ca = Some(PathBuf::from(value)),
            _ => place.url = Some(value),
        }
    }
    place
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_host_that_is_meant_is_the_one_that_was_typed() {
        let words = "baton -- baton ps --data-dir d -c f.toml --url=https://h:1 --token-file t";
        let place = place_in(words.split(' ').map(OsString::from));
        assert_eq!(place.data_dir, Some(PathBuf::from("d")));
        assert_eq!((place.config, place.token_file), (Some(PathBuf::from("f.toml")), Some(PathBuf::from("t"))));
        assert_eq!((place.url.as_deref(), place.ca), (Some("https://h:1"), None));
        assert!(place_in(["--data-dir", "--", "baton", "--data-dir"].map(OsString::from)).data_dir.is_none());
    }

    #[test]
    fn what_is_offered_begins_as_typed_and_is_harmless() {
        let names = ["b/2", "a", "b/1", "b/1", "b/\u{1b}[2J"].map(str::to_owned).to_vec();
        assert_eq!(offered(names, "b/"), ["b/1", "b/2"]);
        let many = (0..1_000).map(|n| format!("a/{n:04}")).collect();
        assert_eq!(offered(many, "").len(), NAMES);
    }
}
