//! `swap`: another version of a plugin for its running actors, or back to the one before.

mod follow;
mod tell;

use std::path::{Path, PathBuf};
use std::time::Duration;

use baton_host::config::{Disk, Files as _};
use baton_host::model::{Part, PluginName, SIGNATURE_BYTES, signature_of};
use baton_host::swap::{Batch, MOST_AT_ONCE, SwapOutcome, SwapPlan, SwapStatus};
use bytes::Bytes;
use clap::{Args, ValueEnum};
use hyper::Method;
use serde::Deserialize;

use super::client::{Ask, Client, escaped};
use super::completions;
use super::output::{Failure, harmless, print_json, print_line, print_table};
use super::{Place, wait};

/// Largest component that is read, in bytes; the host takes less, and says how much.
const FILE_BYTES: u64 = 512 << 20;

const USAGE: &str = "\
baton swap [OPTIONS] <PLUGIN> <FILE>
       baton swap [OPTIONS] --back|--stop|--follow|--status <PLUGIN>
       baton swap --status";

#[derive(Debug, Args)]
#[command(override_usage = USAGE)]
#[command(group = clap::ArgGroup::new("what").args(["file", "back", "stop", "follow", "status"]).required(true))]
pub(super) struct Options {
    /// The plugin's name
    #[arg(value_name = "PLUGIN", required_unless_present = "status", add = completions::plugins())]
    plugin: Option<String>,
    /// The component of the new version
    #[arg(value_name = "FILE")]
    file: Option<PathBuf>,
    /// Go back to what ran before the last swap, or turn one that runs round
    #[arg(long)]
    back: bool,
    /// Tell a swap that runs to stop where it is: two versions run side by side then
    #[arg(long)]
    stop: bool,
    /// Follow a swap that runs to its end
    #[arg(long)]
    follow: bool,
    /// Show where the swap of PLUGIN stands, or what came of the last one; without PLUGIN of all
    #[arg(long)]
    status: bool,
    #[command(flatten)]
    how: How,
    /// As JSON: the plan, or where the swap stands, with its report at the end
    #[arg(long)]
    json: bool,
}

/// How a swap is made.
#[derive(Debug, Args)]
struct How {
    /// Only say whom it would switch and whose state the new version does not read
    #[arg(long, conflicts_with_all = ["yes", "rehearse"])]
    check: bool,
    /// As --check, and try the new version on copies of the actors' states
    #[arg(long, conflicts_with_all = ["yes", "no_rehearsal"])]
    rehearse: bool,
    /// Do it; without this it only shows the plan, with a rehearsal
    #[arg(long)]
    yes: bool,
    /// Which actors: a percentage such as `10%`, or names and patterns with commas; the others keep the old version
    #[arg(long, value_name = "PART", value_parser = Part::new)]
    part: Option<Part>,
    /// How many are switched before it is looked at how that went, such as `10%` or `500` [default: 10%]
    #[arg(long, value_name = "BATCH", value_parser = |text: &str| Batch::new(text).map(|_| text.to_owned()))]
    batch: Option<String>,
    /// How many of them at once [default: 32]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=MOST_AT_ONCE as u64))]
    at_once: Option<u64>,
    /// How long it waits between two batches [default: 0s]
    #[arg(long, value_name = "DURATION", value_parser = wait::parse)]
    pause: Option<Duration>,
    /// How long the new version is watched after the last batch [default: 60s]
    #[arg(long, value_name = "DURATION", value_parser = wait::parse)]
    watch: Option<Duration>,
    /// Failures, and crashes of the new version, that change nothing [default: 0]
    #[arg(long, value_name = "N")]
    max_failures: Option<u64>,
    /// What happens with more [default: back]
    #[arg(long, value_name = "WHAT", value_enum)]
    on_failure: Option<Failed>,
    /// Where the old version cannot read what the new one has written, the way back takes the state from before
    #[arg(long)]
    allow_loss: bool,
    /// Do not try the new version on copies of the states first
    #[arg(long)]
    no_rehearsal: bool,
    /// How long that may take for all actors together [default: 60s]
    #[arg(long, value_name = "DURATION", value_parser = wait::parse_positive, conflicts_with = "no_rehearsal")]
    rehearsal: Option<Duration>,
    /// How long one actor may wait for the new version to take over, at most 1h [default: 10s]
    #[arg(long, value_name = "DURATION", value_parser = wait::parse_positive)]
    switch_timeout: Option<Duration>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Failed {
    /// Whoever was switched goes back
    Back,
    /// Nobody more is switched
    Stop,
    /// Those that cannot be switched stay with the old version, and the others go on
    Skip,
}

impl Failed {
    fn word(self) -> &'static str {
        match self {
            Self::Back => "back",
            Self::Stop => "stop",
            Self::Skip => "skip",
        }
    }
}

impl How {
    /// What was said, as a query.
    fn query(&self) -> String {
        let ms = |time: Option<Duration>| time.map(|time| time.as_millis().to_string());
        let number = |number: Option<u64>| number.map(|number| number.to_string());
        let plans = |yes: bool| yes.then(|| "true".to_owned());
        let rehearsal = if self.no_rehearsal { Some("0".to_owned()) } else { ms(self.rehearsal) };
        let checks = self.check || (!self.yes && self.no_rehearsal);
        let given = [
            ("check", plans(checks)),
            ("rehearse", plans(!self.yes && !checks)),
            ("part", self.part.as_ref().map(ToString::to_string)),
            ("batch", self.batch.clone()),
            ("at_once", number(self.at_once)),
            ("pause_ms", ms(self.pause)),
            ("watch_ms", ms(self.watch)),
            ("max_failures", number(self.max_failures)),
            ("on_failure", self.on_failure.map(|failed| failed.word().to_owned())),
            ("allow_loss", plans(self.allow_loss)),
            ("rehearsal_ms", rehearsal),
            ("switch_timeout_ms", ms(self.switch_timeout)),
            ("by", Some(whoever())),
        ];
        let given = given.iter().filter_map(|(key, value)| Some(format!("{key}={}", escaped(value.as_deref()?))));
        given.collect::<Vec<_>>().join("&")
    }

    /// Whether a swap to what `plan` says would be refused, and why.
    fn refuses(&self, plan: &SwapPlan, back: bool) -> Option<String> {
        // Those that do not fit go back to the state from before, or stay.
        let misfits = if back { 0 } else { plan.misfits.count };
        let failed = plan.rehearsal.as_ref().map_or(0, |rehearsal| rehearsal.failed.count);
        let most = self.max_failures.unwrap_or(0);
        let skips = self.on_failure == Some(Failed::Skip);
        let why = || format!("{misfits} states do not fit, and {failed} failed in the rehearsal");
        (!skips && (misfits + failed) as u64 > most).then(why)
    }
}

/// Who asks, for others to see.
fn whoever() -> String {
    let (uid, pid) = (rustix::process::getuid().as_raw(), std::process::id());
    // The name is for people; the host lets in whoever may open its socket.
    let name: String = std::env::var("USER").unwrap_or_default().chars().take(64).collect();
    let name = if name.is_empty() { "a user".to_owned() } else { name };
    format!("{name} (uid {uid}, process {pid})")
}

pub(super) async fn swap(place: &Place, options: Options) -> Result<(), Failure> {
    if let (Some(plugin), Some(file)) = (&options.plugin, &options.file)
        && turned_round(plugin, file, Path::is_file)
    {
        let (given, meant) = (plugin.as_str(), file.display());
        return Err(Failure::usage(format!("`{given}` is a file, and stands where the plugin's name is expected"))
            .hint(format!("the plugin's name comes first, then the file: `baton swap {meant} {given}`")));
    }
    let mut client = place.client()?;
    let name = |text: &str| PluginName::new(text).map_err(|error| Failure::usage(error.to_string()));
    let plugin = options.plugin.as_deref().map(name).transpose()?;
    let Some(plugin) = plugin else { return all(&mut client, &options).await };
    let line = Line { client, plugin };
    match (&options.file, options.back) {
        (Some(file), _) => {
            let component = read_component(file)?;
            let named = format!("file={}&", escaped(&file.display().to_string()));
            line.replaced(&options, "", &named, component).await
        }
        (None, true) => line.back(&options).await,
        (None, false) if options.stop => line.stopped(&options).await,
        (None, false) if options.follow => line.followed(&options).await,
        (None, false) => line.shown(&options).await,
    }
}

/// Whether a file was named where the plugin belongs, and the plugin where the file does.
fn turned_round(plugin: &str, file: &Path, is_file: impl Fn(&Path) -> bool) -> bool {
    let named = Path::new(plugin);
    let is_name = file.to_str().is_some_and(|name| PluginName::new(name).is_ok());
    is_name && !is_file(file) && (named.extension().is_some_and(|end| end == "wasm") || is_file(named))
}

/// A component, and its signature, where one lies beside it.
#[derive(Default)]
struct Component {
    bytes: Bytes,
    signature: Option<String>,
}

fn read_component(file: &Path) -> Result<Component, Failure> {
    let failed = |path: &Path, error: std::io::Error| Failure::new(format!("{}: {error}", path.display()));
    let bytes = Disk.read(file, FILE_BYTES).map_err(|error| failed(file, error))?;
    let beside = signature_of(file);
    let signature = match Disk.read(&beside, SIGNATURE_BYTES) {
        Ok(text) => Some(String::from_utf8_lossy(&text).into_owned()),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
        Err(error) => return Err(failed(&beside, error)),
    };
    Ok(Component { bytes: bytes.into(), signature })
}

/// A plugin of the host.
struct Line {
    client: Client,
    plugin: PluginName,
}

impl Line {
    fn path(&self, rest: &str) -> String {
        format!("/v1/plugins/{}/swap{rest}", escaped(self.plugin.as_str()))
    }

    /// Swaps, or shows the plan.
    async fn replaced(
        mut self,
        options: &Options,
        rest: &str,
        named: &str,
        component: Component,
    ) -> Result<(), Failure> {
        let path = self.path(&format!("{rest}?{named}{}", options.how.query()));
        let Component { bytes, signature } = component;
        if options.how.yes {
            let begun: SwapStatus = self.client.act_signed(Method::POST, &path, bytes, signature.as_deref()).await?;
            return self.ended(options, &begun).await;
        }
        let plan: SwapPlan = self.client.act_signed(Method::POST, &path, bytes, signature.as_deref()).await?;
        if options.json {
            print_json(&plan)?;
        } else {
            print_line(&harmless(tell::plan(&plan, options.back).trim_end()))?;
        }
        let refused = options.how.refuses(&plan, options.back);
        if !options.json {
            let hint = if options.how.check || options.how.rehearse { "" } else { "; --yes does it" };
            print_line(&format!("nothing was changed{}", if refused.is_some() { "" } else { hint }))?;
        }
        match refused {
            None => Ok(()),
            Some(why) => {
                let hint = "mend the new version; or leave those actors out with --on-failure skip, or --max-failures";
                Err(Failure::new(format!("the swap would be refused: {why}")).hint(hint))
            }
        }
    }

    async fn back(mut self, options: &Options) -> Result<(), Failure> {
        if !options.how.yes
            && let Some(status) = self.running().await?
        {
            if options.json {
                return print_json(&status);
            }
            let what = tell::standing(&status);
            print_line(&harmless(&format!("{what}\nnothing was changed; --yes turns it round")))?;
            return Ok(());
        }
        self.replaced(options, "/back", "", Component::default()).await
    }

    /// The swap that runs, if one does.
    async fn running(&mut self) -> Result<Option<SwapStatus>, Failure> {
        let swaps: Swaps = self.client.get("/v1/swaps", None).await?;
        Ok(swaps.swaps.into_iter().find(|status| status.plugin == self.plugin && status.report.is_none()))
    }

    async fn stopped(mut self, options: &Options) -> Result<(), Failure> {
        let path = self.path("/stop");
        let told: SwapStatus = self.client.act(Method::POST, &path, Bytes::new()).await?;
        self.ended(options, &told).await
    }

    async fn followed(mut self, options: &Options) -> Result<(), Failure> {
        let status: SwapStatus = self.client.get(&self.path(""), None).await?;
        self.ended(options, &status).await
    }

    async fn shown(mut self, options: &Options) -> Result<(), Failure> {
        let status: SwapStatus = self.client.get(&self.path(""), None).await?;
        self.tell(options, &status)
    }

    fn tell(&self, options: &Options, status: &SwapStatus) -> Result<(), Failure> {
        if options.json {
            return print_json(status);
        }
        let told = match &status.report {
            Some(report) => tell::report(status, report),
            None => tell::standing(status),
        };
        Ok(print_line(&harmless(told.trim_end()))?)
    }

    /// Follows a swap to its end, tells what came of it, and gives the exit code.
    async fn ended(mut self, options: &Options, begun: &SwapStatus) -> Result<(), Failure> {
        let path = self.path("");
        let status = follow::to_the_end(&mut self.client, &path, begun, options.json).await?;
        self.tell(options, &status)?;
        let outcome = status.report.as_ref().map(|report| report.outcome);
        match (outcome, options.back, options.stop) {
            (Some(SwapOutcome::Done), ..) => Ok(()),
            // That is what was asked for.
            (Some(SwapOutcome::WentBack), true, _) | (Some(_), _, true) => Ok(()),
            (Some(SwapOutcome::WentBack), ..) => Err(Failure::told(Failure::WENT_BACK)),
            (Some(SwapOutcome::HalfWay), ..) => Err(Failure::told(Failure::HALF_WAY)),
            (Some(SwapOutcome::Refused) | None, ..) => Err(Failure::told(Failure::FAILED)),
        }
    }
}

#[derive(Deserialize)]
struct Swaps {
    swaps: Vec<SwapStatus>,
}

const HEAD: [&str; 8] = ["PLUGIN", "FROM", "TO", "PART", "PHASE", "DONE", "BEGAN", "BY"];

/// The last swap of each plugin.
async fn all(client: &mut Client, options: &Options) -> Result<(), Failure> {
    let found = client.ask(&Ask::get("/v1/swaps")).await.map_err(|lost| client.lost(lost))?;
    if let Some(problem) = found.problem() {
        return Err(client.refused(&problem, None).await);
    }
    let Swaps { swaps } = serde_json::from_slice(&found.body)
        .map_err(|error| Failure::new(format!("the host's answer cannot be read: {error}")))?;
    if options.json {
        return print_json(&swaps);
    }
    if swaps.is_empty() {
        return Ok(print_line("nothing was swapped since the host started")?);
    }
    print_table(&HEAD, swaps.iter().map(tell::line))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_in_the_plugins_place_is_seen() {
        let is_file = |path: &Path| ["there", "./new.wasm"].iter().any(|file| path == Path::new(file));
        for (plugin, file, expected) in [
            ("./new.wasm", "counter", true),
            ("gone.wasm", "counter", true),
            ("there", "counter", true),
            // As it is meant, the file being there or not.
            ("counter", "./new.wasm", false),
            ("counter", "gone.wasm", false),
            ("counter", "gone", false),
            // Two files: nobody knows what is meant.
            ("gone.wasm", "there", false),
            ("gone.wasm", "other.wasm", false),
        ] {
            assert_eq!(turned_round(plugin, Path::new(file), is_file), expected, "{plugin} {file}");
        }
    }
}
