//! What became of a call that did not answer, in the model's words.

use std::time::Duration;

use wasmtime::{Error, Trap, WasmBacktrace};

use super::guest::Data;
use crate::model::{Crash, CrashKind};

/// Frames of a backtrace that are kept.
const FRAMES: usize = 32;
/// Characters of an error text that are kept.
const TEXT_CHARS: usize = 2_000;

/// Raised in a guest whose deadline has passed.
#[derive(Debug, thiserror::Error)]
#[error("its time is up")]
pub(super) struct DeadlinePassed;

/// Raised in a guest that asked a host function for what it does not give.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(super) struct Misuse(pub(super) String);

pub(super) fn crash(during: &str, error: &Error, data: &Data, within: Option<Duration>) -> Crash {
    if error.is::<DeadlinePassed>() {
        return Crash { backtrace: backtrace(error), ..timeout(during, within) };
    }
    let (kind, message) = match (&data.limit_met, error.downcast_ref::<Trap>()) {
        (Some(limit), _) => (CrashKind::Limit, format!("it trapped after meeting the limit {limit}: {}", root(error))),
        (None, Some(Trap::StackOverflow)) => (CrashKind::Limit, "its call stack was exhausted".to_owned()),
        (None, Some(trap)) => (CrashKind::Trap, trap.to_string()),
        (None, None) if error.is::<Misuse>() => (CrashKind::Limit, root(error)),
        (None, None) if error.is::<wasmtime::PoolConcurrencyLimitError>() => {
            (CrashKind::Limit, format!("no room for another instance (limit `instances`): {}", root(error)))
        }
        (None, None) => (CrashKind::Trap, root(error)),
    };
    Crash { kind, during: during.to_owned(), message: cut(message), backtrace: backtrace(error) }
}

pub(super) fn timeout(during: &str, within: Option<Duration>) -> Crash {
    let limit = match during {
        "start" | "init" => "start_timeout_ms",
        "continue" => "continue_timeout_ms",
        "terminate" => "its shutdown budget",
        _ => "turn_timeout_ms",
    };
    let value = within.map(|within| format!(" = {}", within.as_millis())).unwrap_or_default();
    let message = format!("`{during}` ran past its time (limit {limit}{value})");
    Crash { kind: CrashKind::Timeout, during: during.to_owned(), message, backtrace: Vec::new() }
}

/// The guest's exports are not of the contract's types.
pub(super) fn contract(during: &str, error: &Error) -> Crash {
    Crash {
        kind: CrashKind::Contract,
        during: during.to_owned(),
        message: cut(format!("its exports are not those of baton:actor/lifecycle: {error:#}")),
        backtrace: Vec::new(),
    }
}

fn root(error: &Error) -> String {
    error.root_cause().to_string()
}

fn cut(text: String) -> String {
    match text.char_indices().nth(TEXT_CHARS) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

fn backtrace(error: &Error) -> Vec<String> {
    let Some(backtrace) = error.downcast_ref::<WasmBacktrace>() else { return Vec::new() };
    let frame = |frame: &wasmtime::FrameInfo| {
        let offset = frame.module_offset().map(|offset| format!(" at {offset:#x}")).unwrap_or_default();
        match frame.symbols().first().and_then(|symbol| symbol.name()).or(frame.func_name()) {
            Some(name) => cut(format!("{:#}{offset}", rustc_demangle::demangle(name))),
            None => format!("function {}{offset}", frame.func_index()),
        }
    };
    backtrace.frames().iter().take(FRAMES).map(frame).collect()
}
