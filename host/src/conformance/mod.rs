//! Whether a plugin keeps the whole contract, in its author's words: `baton test`, and the same for programs.
//!
//! ```no_run
//! use baton_host::conformance::{self, Fixtures, Options};
//!
//! # async fn run() -> Result<(), Box<dyn std::error::Error>> {
//! let wasm = std::fs::read("counter.wasm")?;
//! let fixtures = Fixtures::read("fixtures".as_ref())?;
//! let report = conformance::test("counter.wasm", wasm, &fixtures, &Options::default()).await?;
//! assert!(report.is_kept(), "{report}");
//! # Ok(())
//! # }
//! ```

mod actor;
mod dice;
mod fault;
mod fixtures;
mod junit;
mod media;
mod play;
mod promise;
mod promises;
mod replay;
mod report;
mod script;
mod shrink;
mod text;
mod turn;
mod world;

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::model::{ActorName, ErrorCode, HostError, State};
use crate::sandbox::{Sandbox, SandboxOptions};

use actor::Stage;
use report::Broken;

pub use fixtures::Fixtures;
pub use promise::Promise;
pub use report::{Figures, Outcome, Report, Verdict};

/// How much is tried.
#[derive(Debug, Clone)]
pub struct Options {
    /// Rounds of what is drawn at random.
    pub rounds: usize,
    /// Seconds that all of that may take together; what was begun is ended.
    pub seconds: u64,
    /// What chance is drawn from.
    pub seed: u64,
    /// Only these promises; none named: all.
    pub only: Vec<Promise>,
    /// The actor's name; none: the plugin's, with `/1` after it.
    pub actor: Option<ActorName>,
}

impl Default for Options {
    fn default() -> Self {
        Self { rounds: 100, seconds: 20, seed: 0, only: Vec::new(), actor: None }
    }
}

/// Looks at the promises of a plugin. `file` is told in the report, and its last part is held against the plugin's name.
///
/// # Errors
/// If there can be no sandbox on this machine. What is wrong with the plugin is in the report.
pub async fn test(file: &str, wasm: Vec<u8>, fixtures: &Fixtures, options: &Options) -> Result<Report, HostError> {
    let began = Instant::now();
    let sandbox = Sandbox::new(&SandboxOptions::default())?;
    let file_bytes = wasm.len();
    let mut report = Report {
        file: file.to_owned(),
        plugin: None,
        seed: options.seed,
        outcomes: Vec::new(),
        figures: None,
        took_ms: 0,
    };
    let wanted = |promise: &Promise| options.only.is_empty() || options.only.contains(promise);
    let promises: Vec<_> = Promise::ALL.into_iter().filter(wanted).collect();
    let program = match sandbox.load(file, wasm).await {
        Ok(program) => program,
        Err(error) => {
            report.outcomes = promises::unloadable(&error, &promises, millis(began));
            report.took_ms = millis(began);
            return Ok(report);
        }
    };
    let compile_ms = millis(began);
    report.plugin = Some(program.description().clone());
    let stage = Stage::new(program, options);
    let mut ground = Ground { stage: &stage, file, fixtures, options, args: Vec::new() };
    ground.args = promises::args(&ground).await;
    for promise in promises {
        let looked = Instant::now();
        let found = promises::look(promise, &ground).await;
        report.outcomes.push(Outcome::of(promise, found, millis(looked)));
    }
    let mut tally = stage.tally();
    report.figures = Some(Figures {
        file_bytes,
        compile_ms,
        start_us: median(&mut tally.start_us),
        handle_us: median(&mut tally.handle_us),
        instances: tally.instances,
        messages: tally.messages,
        largest_reply_bytes: tally.reply.0,
        largest_state_bytes: tally.state,
    });
    drop(tally);
    report.took_ms = millis(began);
    Ok(report)
}

/// The state that a plugin has once it has heard each message of the fixtures, begun with their first arguments; none: it
/// gives none.
///
/// # Errors
/// If it cannot be loaded, or does not come that far.
pub async fn state_of(
    file: &str,
    wasm: Vec<u8>,
    fixtures: &Fixtures,
    options: &Options,
) -> Result<Option<State>, HostError> {
    let sandbox = Sandbox::new(&SandboxOptions::default())?;
    let program = sandbox.load(file, wasm).await?;
    let stage = Stage::new(program, options);
    let mut ground = Ground { stage: &stage, file, fixtures, options, args: Vec::new() };
    ground.args = promises::args(&ground).await;
    let state = match ground.first_args() {
        Ok(args) => promises::state_after_all(&ground, &args).await,
        Err(broken) => Err(broken),
    };
    state.map_err(|broken| HostError::new(ErrorCode::Plugin, format!("plugin {file}: {}", broken.why)))
}

/// What every look at a promise is given.
struct Ground<'a> {
    stage: &'a Stage,
    file: &'a str,
    fixtures: &'a Fixtures,
    options: &'a Options,
    /// Arguments that `init` takes, the first ones for all that does not try several; empty: there are none.
    args: Vec<Arc<[u8]>>,
}

impl Ground<'_> {
    /// Arguments to begin with.
    fn first_args(&self) -> Result<Arc<[u8]>, Broken> {
        self.args.first().cloned().ok_or_else(|| {
            Broken::new("it cannot be started: its `init` takes none of the arguments that there are")
                .advice("see the promise `init`")
        })
    }

    /// When one of those ends that draw at random: it has `part` of a hundred parts of the time.
    fn until(&self, part: u64) -> Instant {
        Instant::now() + Duration::from_millis(self.options.seconds.saturating_mul(10).saturating_mul(part))
    }

    fn bodies(&self) -> Vec<&[u8]> {
        self.fixtures.messages.iter().map(|message| message.bytes.as_slice()).collect()
    }

    /// Message bodies, or what to do to have some.
    fn needed_bodies(&self) -> Result<Vec<&[u8]>, Broken> {
        let bodies = self.bodies();
        if bodies.is_empty() {
            let place = self.fixtures.place("messages");
            return Err(Broken::new(format!("there are no messages to try it with: {place} is missing or empty"))
                .advice("put message bodies into fixtures/messages, one file each"));
        }
        Ok(bodies)
    }
}

/// Those who send messages in random runs.
fn senders() -> [ActorName; 2] {
    [known("alice"), known("bob/2")]
}

/// A name that is written in this program.
fn known(name: &str) -> ActorName {
    ActorName::new(name).expect("it keeps the rules for names")
}

fn millis(since: Instant) -> u64 {
    u64::try_from(since.elapsed().as_millis()).unwrap_or(u64::MAX)
}

fn median(times: &mut [u64]) -> u64 {
    times.sort_unstable();
    times.get(times.len() / 2).copied().unwrap_or_default()
}
