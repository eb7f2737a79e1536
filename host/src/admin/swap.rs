//! What an operator sees of swaps, and does with them.

use std::fmt::Display;
use std::ops::RangeInclusive;
use std::time::Duration;

use axum::body::Body as HttpBody;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use percent_encoding::percent_decode;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tokio::time::timeout;

use super::access::Caller;
use super::openapi::{Api, Operation};
use super::problem::Problem;
use super::routes::{Asked, Context, NoQuery, Shared, Unread, read_body, read_query};
use super::telemetry::Within;
use crate::model::{ErrorCode, HostError, Part, PluginName};
use crate::sandbox::PLUGIN_BYTES;
use crate::swap::{Batch, MOST_AT_ONCE, OnFailure, SwapOptions, SwapPlan, SwapSource, SwapStatus};

/// Longest pause, watch or rehearsal that can be asked for, in milliseconds: a day.
const DAY_MS: u64 = 24 * 60 * 60 * 1_000;
/// Longest time that one actor may be given to switch, in milliseconds: an hour.
const SWITCH_TIMEOUT_MS: RangeInclusive<u64> = 1..=60 * 60 * 1_000;
/// Longest wait for the end of a swap that a client may ask for, in milliseconds; it may ask again.
const WAIT_MS: u64 = 60_000;
/// Names the signature of the component that a request carries: what its `.minisig` holds, percent-encoded.
const SIGNATURE_HEADER: &str = "baton-signature";
/// Longest such header, in bytes.
const SIGNATURE_BYTES: usize = 12 << 10;
/// Longest name of a file, in bytes.
const FILE_NAME_BYTES: usize = 4 << 10;
/// Longest name of who asks, in bytes.
const BY_BYTES: usize = 200;

pub(super) fn routes() -> Api {
    Api::default()
        .on(
            Operation::get(
                "/v1/plugins/{name}/swap",
                "swap_status",
                "Where the swap that runs stands, or how the last ended",
            )
            .part::<PluginName>("name")
            .query::<Wait>()
            .answers::<SwapStatus>(200, "At once, at its end, or after `wait_ms`"),
            status,
        )
        .on(
            Operation::post("/v1/plugins/{name}/swap", "swap", "Has a plugin's actors run another version")
                .part::<PluginName>("name")
                .query::<Wish>()
                .header("Baton-Signature", "What the component's `.minisig` holds, percent-encoded.", SIGNATURE_BYTES)
                .takes_bytes("application/octet-stream")
                .answers::<SwapPlan>(200, "With `check` or `rehearse`: the plan")
                .answers::<SwapStatus>(202, "It has begun"),
            swap,
        )
        .on(
            Operation::post("/v1/plugins/{name}/swap/back", "swap_back", "Goes back to the version that ran before")
                .part::<PluginName>("name")
                .query::<Wish>()
                .answers::<SwapPlan>(200, "With `check` or `rehearse`: the plan")
                .answers::<SwapStatus>(202, "It has begun"),
            back,
        )
        .on(
            Operation::post("/v1/plugins/{name}/swap/stop", "swap_stop", "Stops a swap where it is")
                .part::<PluginName>("name")
                .answers::<SwapStatus>(202, "It was told to stop"),
            stop,
        )
        .on(
            Operation::get("/v1/swaps", "swaps", "The last swap of each plugin, in the order in which they began")
                .answers::<Swaps>(200, "The swaps"),
            swaps,
        )
}

type Plugin = Result<Path<String>, PathRejection>;

fn read_plugin(name: Plugin) -> Result<PluginName, Problem> {
    let Path(name) = name.map_err(|error| Problem::bad_request(error.body_text()))?;
    Ok(PluginName::new(&name)?)
}

/// All that a swap may be told. What is not said is as [`SwapOptions::default`] has it.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct Wish {
    /// The plan alone, without and with a rehearsal.
    check: bool,
    rehearse: bool,
    /// Which of the plugin's actors; all unless told.
    #[schemars(with = "Option<Part>")]
    part: Option<String>,
    /// How many at a time: a percentage such as `10%`, or a number.
    batch: Option<String>,
    #[schemars(range(min = 1, max = 48))]
    at_once: Option<u64>,
    #[schemars(range(min = 0, max = 86_400_000))]
    pause_ms: Option<u64>,
    #[schemars(range(min = 0, max = 86_400_000))]
    watch_ms: Option<u64>,
    max_failures: Option<u64>,
    #[schemars(with = "Option<OnFailure>")]
    on_failure: Option<String>,
    allow_loss: Option<bool>,
    #[schemars(range(min = 0, max = 86_400_000))]
    rehearsal_ms: Option<u64>,
    #[schemars(range(min = 1, max = 3_600_000))]
    switch_timeout_ms: Option<u64>,
    /// Who asks, for the report.
    #[schemars(length(max = 50))]
    by: Option<String>,
    /// What the component's file is called where it comes from.
    file: Option<String>,
}

impl Wish {
    /// What the component is called in errors.
    fn label(&self) -> Result<String, String> {
        match &self.file {
            Some(name) if name.len() > FILE_NAME_BYTES => Err(format!("`file` has more than {FILE_NAME_BYTES} bytes")),
            Some(name) if !name.is_empty() => Ok(name.replace(char::is_control, " ")),
            _ => Ok("in the body".to_owned()),
        }
    }

    /// Whether only the plan is wanted.
    fn plans(&self) -> bool {
        self.check || self.rehearse
    }

    /// `caller`: whose token it was, where it was one.
    fn options(&self, caller: Option<&Caller>) -> Result<SwapOptions, String> {
        let mut options = SwapOptions::default();
        if let Some(part) = &self.part {
            options.part = Part::new(part).map_err(|why| format!("part: {why}"))?;
        }
        if let Some(batch) = &self.batch {
            options.batch = Batch::new(batch).map_err(|why| format!("batch: {why}"))?;
        }
        if let Some(at_once) = within("at_once", self.at_once, &(1..=MOST_AT_ONCE as u64))? {
            options.at_once = usize::try_from(at_once).unwrap_or(MOST_AT_ONCE);
        }
        if let Some(ms) = within("pause_ms", self.pause_ms, &(0..=DAY_MS))? {
            options.pause = Duration::from_millis(ms);
        }
        if let Some(ms) = within("watch_ms", self.watch_ms, &(0..=DAY_MS))? {
            options.watch = Duration::from_millis(ms);
        }
        options.max_failures = self.max_failures.unwrap_or(options.max_failures);
        if let Some(text) = &self.on_failure {
            options.on_failure = match text.as_str() {
                "back" => OnFailure::Back,
                "stop" => OnFailure::Stop,
                "skip" => OnFailure::Skip,
                _ => return Err(format!("on_failure = {text:?} is none of `back`, `stop` and `skip`")),
            };
        }
        options.allow_loss = self.allow_loss.unwrap_or(options.allow_loss);
        if let Some(ms) = within("rehearsal_ms", self.rehearsal_ms, &(0..=DAY_MS))? {
            options.rehearsal = Some(Duration::from_millis(ms)).filter(|within| !within.is_zero());
        }
        if let Some(ms) = within("switch_timeout_ms", self.switch_timeout_ms, &SWITCH_TIMEOUT_MS)? {
            options.switch_timeout = Duration::from_millis(ms);
        }
        match &self.by {
            Some(by) if by.len() > BY_BYTES => return Err(format!("`by` has more than {BY_BYTES} bytes")),
            Some(by) => options.by.clone_from(by),
            None => caller.map_or("an unnamed client", |Caller(name)| name).clone_into(&mut options.by),
        }
        if self.check && !self.rehearse {
            options.rehearsal = None;
        } else if self.rehearse && options.rehearsal.is_none() {
            return Err("`rehearse` asks for a rehearsal, and rehearsal_ms = 0 for none".to_owned());
        }
        Ok(options)
    }
}

fn within<T: PartialOrd + Display>(
    key: &str,
    value: Option<T>,
    range: &RangeInclusive<T>,
) -> Result<Option<T>, String> {
    match value {
        Some(value) if !range.contains(&value) => {
            Err(format!("{key} = {value} is not from {} to {}", range.start(), range.end()))
        }
        value => Ok(value),
    }
}

/// The text of the component's signature, percent-encoded, where it comes with one.
fn read_signature(headers: &HeaderMap) -> Result<Option<String>, Problem> {
    let Some(value) = headers.get(SIGNATURE_HEADER) else { return Ok(None) };
    if value.len() > SIGNATURE_BYTES {
        return Err(Problem::bad_request(format!("the header Baton-Signature has more than {SIGNATURE_BYTES} bytes")));
    }
    let text = percent_decode(value.as_bytes()).decode_utf8();
    let bad = |_| Problem::bad_request("the header Baton-Signature is not percent-encoded UTF-8 text");
    text.map(|text| Some(text.into_owned())).map_err(bad)
}

/// The body is the new version's component, and the header `Baton-Signature` its signature, where it has one.
async fn swap(
    State(context): Shared,
    caller: Option<Extension<Caller>>,
    Extension(trace): Within,
    name: Plugin,
    query: Asked<Wish>,
    headers: HeaderMap,
    body: HttpBody,
) -> Result<Response, Problem> {
    let plugin = read_plugin(name)?;
    let wish = read_query(query)?;
    let mut options = wish.options(caller.as_deref()).map_err(Problem::unfit)?;
    options.trace = trace;
    let signature = read_signature(&headers)?;
    // Never closed, so a permit always comes.
    let _one = context.transfers.components.acquire().await;
    let body = read_body(&context, body, PLUGIN_BYTES).await.map_err(|unread| match unread {
        Unread::Stopping => HostError::new(ErrorCode::ShuttingDown, "the host is going down").into(),
        Unread::TooLarge => Problem::too_large(format!("a component has at most {PLUGIN_BYTES} bytes")),
        Unread::Told(problem) => problem,
    })?;
    if body.is_empty() {
        return Err(Problem::bad_request("the body is empty, and is to be the component of the new version"));
    }
    let label = wish.label().map_err(Problem::bad_request)?;
    let source = match signature {
        Some(signature) => SwapSource::Signed(label, body.into(), signature),
        None => SwapSource::Bytes(label, body.into()),
    };
    begun(&context, &plugin, source, &wish, options).await
}

async fn back(
    State(context): Shared,
    caller: Option<Extension<Caller>>,
    Extension(trace): Within,
    name: Plugin,
    query: Asked<Wish>,
) -> Result<Response, Problem> {
    let plugin = read_plugin(name)?;
    let wish = read_query(query)?;
    let mut options = wish.options(caller.as_deref()).map_err(Problem::unfit)?;
    options.trace = trace;
    begun(&context, &plugin, SwapSource::Back, &wish, options).await
}

/// The plan, or 202 and where the swap stands.
async fn begun(
    context: &Context,
    plugin: &PluginName,
    source: SwapSource,
    wish: &Wish,
    options: SwapOptions,
) -> Result<Response, Problem> {
    if wish.plans() {
        return Ok(Json(context.host.plan_swap(plugin, source, &options).await?).into_response());
    }
    let swap = context.host.swap(plugin, source, options).await?;
    Ok((StatusCode::ACCEPTED, Json(swap.status())).into_response())
}

async fn stop(State(context): Shared, name: Plugin, query: Asked<NoQuery>) -> Result<Response, Problem> {
    let plugin = read_plugin(name)?;
    read_query(query)?;
    let swap = context.host.stop_swap(&plugin)?;
    Ok((StatusCode::ACCEPTED, Json(swap.status())).into_response())
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Wait {
    /// How long the answer may wait for the end.
    #[schemars(range(min = 0, max = 60_000))]
    wait_ms: Option<u64>,
}

/// Answers at once, or when the swap has ended, or after `wait_ms`, whichever comes first.
async fn status(State(context): Shared, name: Plugin, query: Asked<Wait>) -> Result<Json<SwapStatus>, Problem> {
    let plugin = read_plugin(name)?;
    let wait = within("wait_ms", read_query(query)?.wait_ms, &(0..=WAIT_MS)).map_err(Problem::bad_request)?;
    let Some(swap) = context.host.follow_swap(&plugin) else {
        let known = context.host.plugins().iter().any(|known| known.name == plugin);
        let what = match known {
            true => format!("`{plugin}` was not swapped since this host started"),
            false => format!("no plugin `{plugin}` is loaded"),
        };
        let code = if known { "no-swap" } else { "unknown-plugin" };
        return Err(Problem::new(StatusCode::NOT_FOUND, code, "There is no such swap", what));
    };
    if let Some(ms) = wait.filter(|ms| *ms > 0) {
        // Where it stands is told in any case.
        drop(timeout(Duration::from_millis(ms), swap.clone().ended()).await);
    }
    Ok(Json(swap.status()))
}

#[derive(Serialize, JsonSchema)]
struct Swaps {
    swaps: Vec<SwapStatus>,
}

async fn swaps(State(context): Shared, query: Asked<NoQuery>) -> Result<Json<Swaps>, Problem> {
    read_query(query)?;
    Ok(Json(Swaps { swaps: context.host.swaps() }))
}

#[cfg(test)]
mod tests {
    use axum::extract::Query;
    use axum::http::Uri;

    use super::*;

    fn options(query: &str) -> Result<SwapOptions, String> {
        let uri: Uri = format!("/?{query}").parse().expect("a path");
        let Query(wish) = Query::<Wish>::try_from_uri(&uri).map_err(|error| error.body_text())?;
        wish.options(None)
    }

    #[test]
    fn what_is_not_said_is_as_the_library_has_it() {
        let expected = SwapOptions { by: "an unnamed client".into(), ..SwapOptions::default() };
        assert_eq!(options(""), Ok(expected.clone()));
        let all = "part=a%2F*,b&batch=500&at_once=3&pause_ms=5000&watch_ms=0&max_failures=2&on_failure=skip\
                   &allow_loss=true&rehearsal_ms=0&switch_timeout_ms=250&by=me";
        let told = SwapOptions {
            trace: None,
            part: Part::new("a/*,b").expect("valid"),
            batch: Batch::Actors(500),
            at_once: 3,
            pause: Duration::from_secs(5),
            watch: Duration::ZERO,
            max_failures: 2,
            on_failure: OnFailure::Skip,
            allow_loss: true,
            rehearsal: None,
            switch_timeout: Duration::from_millis(250),
            by: "me".into(),
        };
        assert_eq!(options(all), Ok(told));
        assert_eq!(options("check=true"), Ok(SwapOptions { rehearsal: None, ..expected.clone() }));
        assert_eq!(options("rehearse=true"), Ok(expected));
    }

    #[test]
    fn a_wrong_value_and_an_unknown_field_are_named() {
        let long = format!("by={}", "x".repeat(BY_BYTES + 1));
        for (query, expected) in [
            ("batch=0%25", "batch: "),
            ("part=a*b", "part: "),
            ("at_once=0", "at_once = 0 is not from 1 to 48"),
            ("at_once=49", "at_once = 49 is not from 1 to 48"),
            ("pause_ms=86400001", "pause_ms = 86400001"),
            ("watch_ms=-1", "watch_ms"),
            ("switch_timeout_ms=0", "switch_timeout_ms = 0"),
            ("on_failure=explode", "`back`, `stop` and `skip`"),
            ("rehearse=true&rehearsal_ms=0", "asks for a rehearsal"),
            ("speed=11", "unknown field `speed`"),
            (&long, "more than 200 bytes"),
        ] {
            let why = options(query).expect_err(query);
            assert!(why.contains(expected), "{query}: {why}");
        }
    }

    #[test]
    fn a_component_is_called_by_its_file_where_that_is_said() {
        let named = |file: Option<&str>| Wish { file: file.map(str::to_owned), ..Wish::default() }.label();
        assert_eq!(named(Some("dir/new.wasm")), Ok("dir/new.wasm".to_owned()));
        assert_eq!(named(Some("a\u{1b}[2Jb\n")), Ok("a [2Jb ".to_owned()));
        assert_eq!(named(None), named(Some("")));
        assert!(named(Some(&"x".repeat(FILE_NAME_BYTES + 1))).is_err());
    }
}
