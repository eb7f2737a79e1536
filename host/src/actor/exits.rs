//! What the end of one actor means to another that is linked to it, as Erlang has it.

use crate::model::{ActorName, Body, Crash, CrashKind, EXIT, ExitReason, Message};

/// Longest text of a reason that others are told, in bytes: what is in the middle of a longer one is left out.
pub(crate) const REASON_BYTES: usize = 1_024;

/// What one actor hears of another's end, or of its wish that it ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ExitSignal {
    pub(super) from: ActorName,
    pub(super) reason: ExitReason,
    /// Whether it comes from a link; otherwise the other one sent it, and lives.
    pub(super) linked: bool,
}

impl ExitSignal {
    /// Of an actor that ended and was linked.
    pub(crate) fn of_link(from: ActorName, reason: &ExitReason) -> Self {
        Self { from, reason: bounded(reason), linked: true }
    }

    /// Of an actor that wants another to end.
    pub(crate) fn sent(from: ActorName, reason: &ExitReason) -> Self {
        Self { from, reason: bounded(reason), linked: false }
    }

    /// As an actor is told that traps exits.
    pub(crate) fn message(&self) -> Message {
        let body = serde_json::json!({ "actor": self.from, "reason": self.reason.to_string() });
        Message::Other(EXIT.to_owned(), Body::from(body.to_string()))
    }

    /// The crash of one that does not.
    pub(super) fn crash(&self) -> Crash {
        let Self { from, reason, linked } = self;
        let message = match linked {
            true => format!("linked actor `{from}` ended: {reason}"),
            false => format!("actor `{from}` made it exit: {reason}"),
        };
        Crash::new(CrashKind::Linked, "link", message)
    }
}

/// What an actor makes of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    Ignore,
    /// It is a message like any other.
    Tell,
    /// It ends as well, for the same reason.
    End,
    /// It ends at once, whatever it does.
    Kill,
    /// Until `init` has said whether it traps exits.
    Wait,
}

/// Decides. `traps`: whether the actor traps exits, as soon as that is known.
pub(super) fn verdict(signal: &ExitSignal, traps: Option<bool>) -> Verdict {
    match (&signal.reason, traps) {
        // To be killed cannot be trapped; that another one was killed can.
        (ExitReason::Killed, _) if !signal.linked => Verdict::Kill,
        (_, None) => Verdict::Wait,
        (_, Some(true)) => Verdict::Tell,
        (reason, Some(false)) if reason.is_abnormal() => Verdict::End,
        _ => Verdict::Ignore,
    }
}

/// The reason with a text of bounded length: reasons hold the words of guests, and each end along a chain of links adds to
/// them.
pub(crate) fn bounded(reason: &ExitReason) -> ExitReason {
    match reason {
        ExitReason::Crash(how) if how.len() > REASON_BYTES => {
            let gap = " … ";
            let half = (REASON_BYTES - gap.len()) / 2;
            let (head, tail) = (how.floor_char_boundary(half), how.ceil_char_boundary(how.len() - half));
            ExitReason::Crash([&how[..head], gap, &how[tail..]].concat())
        }
        reason => reason.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(name: &str) -> ActorName {
        ActorName::new(name).expect("valid")
    }

    #[test]
    fn exits_mean_what_they_mean_in_erlang() {
        use ExitReason::{Killed, Noproc, Normal, Shutdown};
        use Verdict::{End, Ignore, Kill, Tell, Wait};
        let crash = ExitReason::Crash("x".into());
        // The reason; of a link: not trapped, trapped; sent: not trapped, trapped.
        let cases = [
            (&Normal, Ignore, Tell, Ignore, Tell),
            (&Shutdown, End, Tell, End, Tell),
            (&Killed, End, Tell, Kill, Kill),
            (&Noproc, End, Tell, End, Tell),
            (&crash, End, Tell, End, Tell),
        ];
        for (reason, link, link_trapped, sent, sent_trapped) in cases {
            let of_link = ExitSignal::of_link(name("a"), reason);
            let by_hand = ExitSignal::sent(name("a"), reason);
            assert_eq!(
                (verdict(&of_link, Some(false)), verdict(&of_link, Some(true))),
                (link, link_trapped),
                "{reason}"
            );
            assert_eq!(
                (verdict(&by_hand, Some(false)), verdict(&by_hand, Some(true))),
                (sent, sent_trapped),
                "{reason}"
            );
            assert_eq!(verdict(&of_link, None), Wait);
            assert_eq!(verdict(&by_hand, None), if *reason == Killed { Kill } else { Wait });
        }
    }

    #[test]
    fn who_traps_exits_is_told_who_ended_and_why() {
        let signal = ExitSignal::of_link(name("a/\"b\""), &ExitReason::Crash("it said \"no\"".into()));
        let Message::Other(kind, body) = signal.message() else { panic!("{signal:?}") };
        let body: serde_json::Value = serde_json::from_slice(&body).expect("JSON");
        assert_eq!(kind, EXIT);
        assert_eq!(body, serde_json::json!({ "actor": "a/\"b\"", "reason": "crash: it said \"no\"" }));
    }

    #[test]
    fn a_chain_of_links_does_not_grow_its_reasons_without_end() {
        let mut reason = ExitReason::Crash(format!("the {} cause", "ä".repeat(REASON_BYTES)));
        for n in 0..100 {
            let signal = ExitSignal::of_link(name(&format!("chain/{n}")), &reason);
            reason = ExitReason::Crash(signal.crash().to_string());
            let ExitReason::Crash(how) = bounded(&reason) else { panic!("{reason:?}") };
            assert!(how.len() <= REASON_BYTES, "{} bytes", how.len());
            assert!(how.ends_with(" cause"), "the end says how it began: {how}");
            assert!(how.starts_with(&format!("linked actor `chain/{n}` ended: crash: ")), "{how}");
        }
    }
}
