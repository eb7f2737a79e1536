//! What became of a call that did not answer, in the model's words.

use std::time::Duration;

use wasmtime::{Error, Trap, WasmBacktrace};

use super::guest::Data;
use super::imports::log_line;
use super::wasi::HANDLES;
use crate::model::{Crash, CrashKind, LimitMet, Limits};

/// Frames of a backtrace that are kept; the stack has the rest.
pub(super) const FRAMES: usize = 32;
/// Bytes of one of them, and of an error text, that are kept.
const FRAME_BYTES: usize = 256;
const TEXT_BYTES: usize = 2_000;

/// Raised in a guest whose deadline has passed.
#[derive(Debug, thiserror::Error)]
#[error("its time is up")]
pub(super) struct DeadlinePassed;

/// Raised in a guest that has computed for too long; the limit.
#[derive(Debug, thiserror::Error)]
#[error("it computed for too long")]
pub(super) struct ComputedTooLong(pub(super) u64);

/// Raised in a guest that asked a host function for what it does not give.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(super) struct Misuse(pub(super) String);

pub(super) fn crash(during: &str, error: &Error, data: &Data, within: Option<Duration>) -> Crash {
    if error.is::<DeadlinePassed>() {
        return Crash { backtrace: backtrace(error), ..timeout(during, within) };
    }
    if let Some(ComputedTooLong(limit)) = error.downcast_ref() {
        let met = LimitMet::new("turn_guest_ms", *limit);
        let message = format!("`{during}` computed for too long ({met})");
        return Crash { backtrace: backtrace(error), ..Crash::new(CrashKind::Timeout, during, message) };
    }
    let (kind, message) = match (&data.limit_met, limit_of(error, data)) {
        (Some(limit), _) => (CrashKind::Limit, format!("it trapped after meeting the {limit}: {}", root(error))),
        (None, Some(met)) => (CrashKind::Limit, met),
        (None, None) => match error.downcast_ref::<Trap>() {
            Some(trap) => (CrashKind::Trap, trap.to_string()),
            None if error.is::<Misuse>() => (CrashKind::Limit, root(error)),
            None => untold(&root(error), error.downcast_ref::<WasmBacktrace>().is_some()),
        },
    };
    Crash { backtrace: backtrace(error), ..Crash::new(kind, during, log_line(&message, &[], TEXT_BYTES)) }
}

/// What is no trap of the guest's own: most likely it pointed at what is not there. `within` a function of the host, or with
/// its answer.
fn untold(root: &str, within: bool) -> (CrashKind, String) {
    match misread(root) {
        Some(why) if within => (CrashKind::Trap, format!("what it handed to the host cannot be read: {why} ({root})")),
        Some(why) => (CrashKind::Contract, format!("its answer cannot be read: {why} ({root})")),
        None => (CrashKind::Trap, root.to_owned()),
    }
}

/// Why something could not be read of a guest's memory, in words for whoever wrote it there; none where these are not about
/// that.
pub(super) fn misread(root: &str) -> Option<String> {
    let words = match root {
        "return pointer not aligned" => "the address that it returned is not a multiple of 4",
        "pointer out of bounds of memory" => "the address that it returned lies outside of its memory",
        "string pointer/length out of bounds of memory" => {
            "a text of that address and length lies outside of its memory"
        }
        "list pointer/length out of bounds of memory" => "a list of that address and length lies outside of its memory",
        "list pointer is not aligned" => "the address of a list is not a multiple of the alignment of its entries",
        _ if root.contains("utf-8 sequence") || root.contains("utf-8 byte") => {
            return Some(format!("a text is no UTF-8: {root}"));
        }
        _ if root.contains("fuel allocated for hostcalls") => "it is longer than is taken",
        _ if root.contains("discriminant") => "the number of a case is none that the contract has",
        _ => return None,
    };
    Some(words.to_owned())
}

/// The limit that the engine itself found to be met.
fn limit_of(error: &Error, data: &Data) -> Option<String> {
    let (limits, room) = (&data.env.limits, &data.share.room);
    match error.downcast_ref::<Trap>() {
        Some(Trap::StackOverflow) => {
            let met = LimitMet::of_the_host("stack_bytes", room.stack_bytes);
            return Some(format!("its call stack was exhausted ({met})"));
        }
        Some(Trap::OutOfFuel) => {
            return Some(format!("its fuel was spent ({})", LimitMet::new("turn_fuel", limits.turn_fuel)));
        }
        _ => {}
    }
    let root = root(error);
    if error.is::<wasmtime::PoolConcurrencyLimitError>() {
        let met = LimitMet::of_the_host("instances", room.instances);
        return Some(format!("no room for another instance ({met}): {root}"));
    }
    told_in_words(&root, limits)
}

/// Limits that the engine tells in words alone.
fn told_in_words(root: &str, limits: &Limits) -> Option<String> {
    if root.contains("fuel allocated for hostcalls has been exhausted") {
        let (body, state) = (
            LimitMet::new("message_bytes", limits.message_bytes),
            LimitMet::new("snapshot_bytes", limits.snapshot_bytes),
        );
        return Some(format!("it handed over more at once than a message ({body}) or a state ({state}) may hold"));
    }
    if root.contains("resource table has no free keys") {
        return Some(format!(
            "it has more open at once than an instance may: {HANDLES} streams, pollables and the like, which is fixed; it has to \
             let go of those that it is done with"
        ));
    }
    let counted = root.strip_prefix("resource limit exceeded: ")?;
    let (what, met) = [
        ("instance count", LimitMet::new("core_instances", limits.core_instances)),
        ("memory count", LimitMet::new("memories", limits.memories)),
        ("table count", LimitMet::new("tables", limits.tables)),
    ]
    .into_iter()
    .find(|(what, _)| counted.starts_with(what))?;
    Some(format!("it is made of too many: {what} ({met})"))
}

pub(super) fn timeout(during: &str, within: Option<Duration>) -> Crash {
    let limit = match during {
        "start" | "init" => "start_timeout_ms",
        "continue" => "continue_timeout_ms",
        "terminate" => "its shutdown budget",
        _ => "turn_timeout_ms",
    };
    let ms = within.map(|within| u64::try_from(within.as_millis()).unwrap_or(u64::MAX));
    let met = match (during, ms) {
        ("terminate", Some(ms)) => {
            format!("its shutdown budget = {ms} ms; give it more with `shutdown = …` under its [[actor]]")
        }
        (_, Some(ms)) => LimitMet::new(limit, ms).to_string(),
        (_, None) => format!("limit {limit}"),
    };
    Crash::new(CrashKind::Timeout, during, format!("`{during}` ran past its time ({met})"))
}

/// The guest's exports are not of the contract's types.
pub(super) fn contract(during: &str, error: &Error) -> Crash {
    let message = format!("its exports are not those of baton:actor/lifecycle: {error:#}");
    Crash::new(CrashKind::Contract, during, log_line(&message, &[], TEXT_BYTES))
}

fn root(error: &Error) -> String {
    error.root_cause().to_string()
}

/// Names come from the guest's file: each is cut, and on one line.
fn backtrace(error: &Error) -> Vec<String> {
    let Some(backtrace) = error.downcast_ref::<WasmBacktrace>() else { return Vec::new() };
    let frame = |frame: &wasmtime::FrameInfo| {
        let offset = frame.module_offset().map(|offset| format!(" at {offset:#x}")).unwrap_or_default();
        match frame.func_name() {
            Some(name) => {
                let name = format!("{:#}", rustc_demangle::demangle(name));
                format!("{}{offset}", log_line(&name, &[], FRAME_BYTES))
            }
            None => format!("function {}{offset}", frame.func_index()),
        }
    };
    backtrace.frames().iter().take(FRAMES).map(frame).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_engine_tells_in_words_names_its_limit() {
        let limits = Limits {
            message_bytes: 10,
            snapshot_bytes: 20,
            core_instances: 3,
            memories: 4,
            tables: 5,
            ..Limits::default()
        };
        let cases = [
            ("resource limit exceeded: instance count too high at 4", &["core_instances = 3"][..]),
            ("resource limit exceeded: memory count too high at 5", &["limit memories = 4"]),
            ("resource limit exceeded: table count too high at 6", &["limit tables = 5"]),
            (
                "too much data is being copied between the host and the guest: fuel allocated for hostcalls has been exhausted",
                &["message_bytes = 10", "snapshot_bytes = 20"],
            ),
        ];
        for (root, words) in cases {
            let told = told_in_words(root, &limits).expect(root);
            assert!(words.iter().all(|word| told.contains(word)), "{told}");
        }
        assert_eq!(told_in_words("wasm `unreachable` instruction executed", &limits), None);
    }

    #[test]
    fn what_a_guest_pointed_at_is_told_in_its_authors_words() {
        let outside = "string pointer/length out of bounds of memory";
        for (root, words) in [
            ("return pointer not aligned", "a multiple of 4"),
            ("pointer out of bounds of memory", "the address that it returned lies outside"),
            (outside, "a text of that address and length lies outside"),
            ("list pointer is not aligned", "alignment of its entries"),
            ("invalid utf-8 sequence of 1 bytes from index 0", "no UTF-8: invalid utf-8 sequence of 1 bytes"),
            ("incomplete utf-8 byte sequence from index 7", "no UTF-8"),
            ("unexpected discriminant: 9", "the number of a case"),
        ] {
            assert!(misread(root).is_some_and(|told| told.contains(words)), "{root}");
        }
        assert_eq!(misread("wasm `unreachable` instruction executed"), None);
        assert!(untold(outside, false).1.starts_with("its answer cannot be read: "));
        assert!(untold(outside, true).1.starts_with("what it handed to the host cannot be read: "));
    }

    #[test]
    fn a_time_that_is_up_names_its_limit() {
        let cases = [
            ("init", "limit start_timeout_ms = 5; raise it with `limits.start_timeout_ms = …`"),
            ("continue", "limit continue_timeout_ms = 5; "),
            ("handle", "limit turn_timeout_ms = 5; "),
            ("snapshot", "limit turn_timeout_ms = 5; "),
            ("terminate", "its shutdown budget = 5 ms; give it more with `shutdown = …`"),
        ];
        for (during, words) in cases {
            let crash = timeout(during, Some(Duration::from_millis(5)));
            assert!(crash.message.contains(words), "{crash}");
        }
    }
}
