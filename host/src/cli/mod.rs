//! What a person types.

mod batch;
mod body;
mod build;
mod child;
mod client;
mod completions;
mod config;
mod dev;
mod doctor;
mod events;
mod group;
mod health;
mod hosts;
mod inspect;
mod logs;
mod man;
mod message;
mod new;
mod notify;
mod output;
mod place;
mod plugins;
mod ps;
mod reload;
mod run;
mod signals;
mod store;
mod store_migrate;
mod stream;
mod swap;
mod telemetry;
mod test;
mod token;
mod top;
mod tree;
mod wait;
mod way;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};

use output::Failure;

const EXIT_CODES: &str = "\
Exit codes:
  0    all is well
  1    it failed: a call brought no reply, a line of a batch failed, the host did not start, or is not ready
  2    wrong usage, or a problem in the configuration
  3    the host, or what `stop` was told to stop, has stopped, and something could not be saved: the actors are named
  4    no host answers
  5    a swap has failed, and all actors run the old version again
  6    a swap stopped half-way: two versions run side by side
  130  ended at once by a second SIGINT, and for `swap`, which goes on, by the first; 143 by a second SIGTERM";

/// Runs WebAssembly plugins as supervised actors whose state outlives them.
#[derive(Debug, Parser)]
#[command(name = "baton", version, after_help = EXIT_CODES, propagate_version = true, arg_required_else_help = true)]
struct Cli {
    #[command(flatten)]
    place: Place,
    #[command(subcommand)]
    command: Command,
}

/// Where the host is.
#[derive(Debug, Args)]
struct Place {
    /// The configuration [default: baton.toml in this folder, if there is one]
    #[arg(short, long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    /// The data directory [default: what the configuration says, else ./data]
    #[arg(long, global = true, value_name = "DIR")]
    data_dir: Option<PathBuf>,
    /// A host elsewhere, such as https://plugins.example:7766 [default: the variable BATON_URL, else the host of the data
    /// directory]
    #[arg(long, global = true, value_name = "URL", conflicts_with = "data_dir")]
    url: Option<String>,
    /// The file of the token for --url [default: the token in the variable BATON_TOKEN]
    #[arg(long, global = true, value_name = "FILE")]
    token_file: Option<PathBuf>,
    /// Certificates to trust for --url, PEM, beside those that everybody trusts [default: the file that the variable
    /// BATON_CA names]
    #[arg(long, global = true, value_name = "FILE")]
    ca: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run a host until SIGTERM or SIGINT, then hand all state over and end
    ///
    /// When it serves it prints one line, `ready: N plugins, M actors, socket PATH`, M being the actors that the
    /// configuration lists. Logs go to stderr. A second signal
    /// ends it at once, and what was not saved by then is lost.
    Run(run::Options),
    /// Have the running host read its configuration again, as SIGHUP does
    ///
    /// All that can change while it runs is taken, or, where anything is wrong, nothing; what has changed and needs a restart
    /// is named.
    Reload(reload::Options),
    /// Send a message and print the reply
    ///
    /// BODY is sent as it stands. Where the actor takes JSON and BODY is none, it is sent as a JSON string, so that
    /// `baton call counter/1 get` sends "get" with its quotes; a JSON string that looks like something else needs them
    /// typed: '"5"'. `-` reads the body from stdin.
    Call(message::CallOptions),
    /// Send a message that expects no reply, and print its id
    ///
    /// BODY as with `call`. An accepted message is durable only once its actor has handled it and was saved.
    Cast(message::CastOptions),
    /// Say how the running host is, and whether it is ready
    Health(health::Options),
    /// List the hosts that share the store, and how long their leases on it run
    Hosts(hosts::Options),
    /// List the actors of the running host
    ///
    /// WAITING is how many messages wait for it, P99 what all but one in a hundred of its last turns took at most, MEMORY the
    /// linear memory of its instance.
    Ps(ps::Options),
    /// Tell what happens to the actors and the host, as it happens
    ///
    /// A line for each event: when, of what kind, the actor, what it runs, and what else there is to say. Kinds are starting,
    /// running, held, stopped, crashed, restarted, failed, gave-up, suspended, resumed, swap, plugin, dead-letter, store, host,
    /// elsewhere, taken-over, frozen, thawed and lease-lost.
    Events(events::Options),
    /// Show what the host logs
    Logs(logs::Options),
    /// Watch the actors: a live screen of how many messages they handle, how long that takes, what waits, and their memory
    ///
    /// Keys: `?` shows them. Where stdout is no terminal, one table.
    Top(top::Options),
    /// List the plugins: their versions, which one is current, and how many actors run each
    Plugins(Listing),
    /// Look at plugins
    #[command(subcommand)]
    Plugin(plugins::Command),
    /// Have a plugin's actors run another version, under traffic, with their states
    ///
    /// The new version is checked against every actor's state and tried on copies of them; then actors are switched, batch
    /// by batch, each with its old instance alive until the new one has taken over; then the new version is watched. Where
    /// more fails than may, all go back. Without --yes it shows what would happen, and changes nothing.
    Swap(swap::Options),
    /// Show who supervises whom
    ///
    /// STATE is where the actor stands, or else the child; WHAT is an actor's plugin or a supervisor's strategy; INTENSITY
    /// is how many restarts a supervisor allows within how many seconds.
    Tree(Listing),
    /// List the children of a supervisor, or of the root, in the order of their start
    Children(tree::ChildrenOptions),
    /// Say where a name is in the tree
    Whereis(tree::WhereisOptions),
    /// List the members of a group, in the order in which they came
    Group(group::Options),
    /// Start a child that does not run, an actor of a template, or, with --plugin, a new actor
    Start(child::StartOptions),
    /// Stop a child, wait until it is gone, and say what was saved
    ///
    /// A child of the configuration stays in the tree, and `start` starts it again with its state. Everything else is
    /// removed from the tree; its state is kept for the next actor of its name.
    Stop(child::Named),
    /// Stop a child and start it again, its state handed over; it counts as no restart
    Restart(child::Named),
    /// End a child at once: nothing is saved, and its supervisor does what it does after a crash
    Kill(child::Named),
    /// Suspend an actor: its messages and timers wait until it is resumed; a new instance is not suspended
    Suspend(child::Named),
    /// Let a suspended actor go on
    Resume(child::Named),
    /// Show an actor's state as it stands, through its `snapshot`; nothing is saved
    State(child::Named),
    /// Remove a child that does not run from the tree; its state is kept
    Delete(child::Named),
    /// Show what a plugin file says of itself; needs no host
    Inspect(inspect::Options),
    /// Make the folder of a new plugin, which builds and passes its tests at once
    New(new::Options),
    /// Build a plugin with its language's own tools, and make a component of it
    ///
    /// Tools are looked for in the plugin's folder and those above it (`.venv/bin`, `node_modules`), then in the folders that
    /// BATON_TOOLS names, then on PATH. One that is missing is named, with how it is installed.
    Build(build::Options),
    /// Run a plugin, build it anew whenever its sources change, and swap it in under its actors, which keep their states
    Dev(dev::Options),
    /// Find out whether a plugin keeps the whole contract; needs no host
    ///
    /// It is started, told random messages, handed over before each of them, given damaged states and rubbish for messages,
    /// and plays its own scripts; what differs or traps is told with the messages that led there. Exit code 0: all promises
    /// are kept; 1: one is broken; 2: there is nothing to test.
    Test(test::Options),
    /// Make a token for the HTTP API over TCP
    ///
    /// Stdout has what the file of the tokens is to hold: `baton token grafana --role read >> tokens.toml`. The token itself
    /// is shown once, on stderr; the file keeps its digest.
    Token(token::Options),
    /// Check the configuration, show what a host makes of it, or print its schema; needs no host
    #[command(subcommand)]
    Config(config::Command),
    /// Write the manual pages
    Man(man::Options),
    /// Look at the machine, the configuration, the data directory, the plugins and the tools, and say what to do
    ///
    /// It writes nothing. Exit code 1: something is wrong.
    Doctor(doctor::Options),
    /// Print what makes a shell complete commands, options and the names of the live host's actors, plugins and groups
    ///
    /// bash: `source <(baton completions bash)` in ~/.bashrc; zsh: the same in ~/.zshrc; fish: `baton completions fish |
    /// source` in ~/.config/fish/config.fish; elvish: `eval (baton completions elvish | slurp)`; powershell: `baton completions
    /// powershell | Out-String | Invoke-Expression`.
    Completions(completions::Options),
    /// Look into the store: through the running host, or, where none runs, by opening it
    Store(store::Options),
}

/// How a listing is printed.
#[derive(Debug, Args)]
struct Listing {
    /// As JSON
    #[arg(long)]
    json: bool,
}

pub(crate) fn main() -> ExitCode {
    match completions::answered() {
        Ok(false) => {}
        Ok(true) => return ExitCode::SUCCESS,
        Err(error) => {
            drop(error.print());
            return ExitCode::from(Failure::USAGE);
        }
    }
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            // A reader that has gone is no reason to fail; clap's own code is 2 for wrong usage, 0 for help.
            drop(error.print());
            return ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(Failure::USAGE));
        }
    };
    let done = match cli.command {
        Command::Run(options) => run::run(&cli.place, &options),
        Command::Reload(options) => block_on(reload::reload(&cli.place, &options)),
        Command::Call(options) => block_on(message::call(&cli.place, options)),
        Command::Cast(options) => block_on(message::cast(&cli.place, options)),
        Command::Health(options) => block_on(health::health(&cli.place, &options)),
        Command::Hosts(options) => block_on(hosts::hosts(&cli.place, &options)),
        Command::Ps(options) => block_on(ps::ps(&cli.place, &options)),
        Command::Events(options) => block_on(events::events(&cli.place, &options)),
        Command::Logs(options) => block_on(logs::logs(&cli.place, &options)),
        Command::Top(options) => top::top(&cli.place, &options),
        Command::Plugins(options) => block_on(plugins::plugins(&cli.place, &options)),
        Command::Plugin(command) => block_on(plugins::plugin(&cli.place, command)),
        Command::Swap(options) => block_on(swap::swap(&cli.place, options)),
        Command::Tree(options) => block_on(tree::tree(&cli.place, &options)),
        Command::Children(options) => block_on(tree::children(&cli.place, &options)),
        Command::Whereis(options) => block_on(tree::whereis(&cli.place, &options)),
        Command::Group(options) => block_on(group::group(&cli.place, &options)),
        Command::Start(options) => block_on(child::start(&cli.place, &options)),
        Command::Stop(options) => block_on(child::stop(&cli.place, &options)),
        Command::Restart(options) => block_on(child::restart(&cli.place, &options)),
        Command::Kill(options) => block_on(child::kill(&cli.place, &options)),
        Command::Suspend(options) => block_on(child::suspend(&cli.place, &options)),
        Command::Resume(options) => block_on(child::resume(&cli.place, &options)),
        Command::State(options) => block_on(child::state(&cli.place, &options)),
        Command::Delete(options) => block_on(child::delete(&cli.place, &options)),
        Command::Inspect(options) => block_on(inspect::inspect(&options)),
        Command::New(options) => new::new(&options),
        Command::Build(options) => block_on(build::build(&options)),
        Command::Dev(options) => dev::dev(&cli.place, &options),
        Command::Test(options) => block_on(test::test(options)),
        Command::Token(options) => token::token(&options),
        Command::Config(command) => config::config(&cli.place, &command),
        Command::Man(options) => man::man(&options),
        Command::Doctor(options) => block_on(doctor::doctor(&cli.place, &options)),
        Command::Completions(options) => completions::completions(&options),
        Command::Store(options) => block_on(store::store(&cli.place, options)),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.tell(),
    }
}

/// A client has one connection and waits for one answer at a time: one thread does.
fn block_on(work: impl Future<Output = Result<(), Failure>>) -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| Failure::new(format!("the runtime does not start: {error}")))?;
    let done = runtime.block_on(work);
    runtime.shutdown_background();
    done
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_command_line_is_in_order() {
        Cli::command().debug_assert();
    }

    #[test]
    fn places_may_stand_before_or_after_the_command() {
        for words in ["baton --data-dir d ps", "baton ps --data-dir d", "baton -c f ps --data-dir d --json"] {
            let cli = Cli::try_parse_from(words.split(' ')).expect(words);
            assert_eq!(cli.place.data_dir, Some(PathBuf::from("d")));
        }
        for words in [
            "baton",
            "baton call a",
            "baton call a b --batch f",
            "baton call --wait soon a b",
            "baton frobnicate",
            "baton swap",
            "baton swap p",
            "baton swap p f --back",
            "baton swap --stop --back p",
            "baton swap p f --batch 0%",
            "baton swap p f --part a*b",
            "baton swap p f --check --yes",
            "baton swap p f --on-failure explode",
            "baton swap --back",
            "baton start a --args 1",
            "baton start a --plugin p --shutdown soon",
            "baton start a --plugin p --restart never",
        ] {
            assert!(Cli::try_parse_from(words.split(' ')).is_err(), "{words}");
        }
    }
}
