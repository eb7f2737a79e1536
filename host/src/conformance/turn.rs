//! What is seen of a turn from outside, and how two are compared. Pure.

use super::media::{Media, show};
use super::world::Asked;
use crate::model::{ActorName, Failure, Message};
use crate::sandbox::{Effect, Out};

/// What came of one message.
#[derive(Debug, Clone)]
pub(super) struct Turn {
    /// The message, in words.
    pub(super) said: String,
    /// Whether anyone is given the reply.
    pub(super) expects_reply: bool,
    pub(super) answer: Result<Vec<u8>, Failure>,
    /// What it asked of others on the way.
    pub(super) asked: Vec<Asked>,
    /// What it asked of the host, in order.
    pub(super) done: Vec<Done>,
}

/// An effect, without what differs between two runs for good reasons.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Done {
    Sent {
        to: ActorName,
        body: Vec<u8>,
    },
    Told {
        group: String,
        body: Vec<u8>,
    },
    /// In so many milliseconds.
    Timer {
        name: String,
        after_ms: u64,
    },
    Stopped,
    Other(String),
}

impl Done {
    pub(super) fn of(effect: &Effect, now_ms: u64) -> Self {
        match effect {
            Effect::Out(Out::Send { to, body, .. }) => Self::Sent { to: to.clone(), body: body.to_vec() },
            Effect::Out(Out::Dispatch { group, body, .. }) => {
                Self::Told { group: group.to_string(), body: body.to_vec() }
            }
            Effect::SetTimer { name, due_ms } => {
                Self::Timer { name: name.clone(), after_ms: due_ms.saturating_sub(now_ms) }
            }
            Effect::CancelTimer(name) => Self::Other(format!("took back the timer {name:?}")),
            Effect::Save => Self::Other("asked for a checkpoint".to_owned()),
            Effect::Stop => Self::Stopped,
            Effect::Out(out) => Self::Other(match out {
                Out::Monitor(actor) => format!("monitored {actor}"),
                Out::Demonitor(actor) => format!("no longer monitored {actor}"),
                Out::Link(actor) => format!("linked itself to {actor}"),
                Out::Unlink(actor) => format!("unlinked itself from {actor}"),
                Out::Exit { to, reason } => format!("told {to} to exit: {reason}"),
                Out::Join(group) => format!("joined the group {group}"),
                Out::Leave(group) => format!("left the group {group}"),
                Out::SetAttribute { key, value } => format!("set its attribute {key:?} to {value:?}"),
                // These two are told above.
                Out::Send { to, .. } => format!("sent to {to}"),
                Out::Dispatch { group, .. } => format!("sent to the group {group}"),
            }),
        }
    }

    fn words(&self) -> String {
        match self {
            Self::Sent { to, body } => format!("sent {to} {}", show(body)),
            Self::Told { group, body } => format!("sent the group {group} {}", show(body)),
            Self::Timer { name, after_ms } => format!("set the timer {name:?} for {after_ms} ms later"),
            Self::Stopped => "asked to stop".to_owned(),
            Self::Other(what) => what.clone(),
        }
    }

    fn same(&self, other: &Self, media: Media) -> bool {
        match (self, other) {
            (Self::Sent { to, body }, Self::Sent { to: other, body: found }) => {
                to == other && media.difference(body, found).is_none()
            }
            (Self::Told { group, body }, Self::Told { group: other, body: found }) => {
                group == other && media.difference(body, found).is_none()
            }
            _ => self == other,
        }
    }
}

impl Turn {
    /// The line of a report: the message, what was answered, what it did.
    pub(super) fn line(&self) -> String {
        let answer = match &self.answer {
            Ok(reply) if self.expects_reply => format!(" → {}", show(reply)),
            Ok(_) => String::new(),
            Err(failure) => format!(" → failure {failure}"),
        };
        let asked = self.asked.iter().map(asked_words);
        let did: Vec<_> = asked.chain(self.done.iter().map(Done::words)).collect();
        let did = if did.is_empty() { String::new() } else { format!(" [{}]", did.join("; ")) };
        format!("{}{answer}{did}", self.said)
    }
}

fn asked_words(asked: &Asked) -> String {
    if asked.body.is_empty() { asked.what.clone() } else { format!("{} with {}", asked.what, show(&asked.body)) }
}

/// How `found` differs from `expected`, in words that follow "the one that was handed over"; none: not at all.
pub(super) fn difference(media: Media, expected: &Turn, found: &Turn) -> Option<String> {
    if expected.said != found.said {
        return Some(format!("was told `{}`, and the one that lived on `{}`", found.said, expected.said));
    }
    let answer = match (&expected.answer, &found.answer) {
        _ if !expected.expects_reply && expected.answer.is_ok() && found.answer.is_ok() => None,
        (Ok(reply), Ok(other)) => {
            let place = media.difference(reply, other);
            place.map(|place| {
                let (one, other) = (show(reply), show(other));
                let place =
                    if place == format!("{other} instead of {one}") { String::new() } else { format!(" ({place})") };
                format!("answered {other} where the one that lived on answered {one}{place}")
            })
        }
        (Err(one), Err(other)) if one == other => None,
        (one, other) => {
            Some(format!("answered {} where the one that lived on answered {}", answer(other), answer(one)))
        }
    };
    answer.or_else(|| asked(media, expected, found)).or_else(|| done(media, expected, found))
}

fn answer(answer: &Result<Vec<u8>, Failure>) -> String {
    match answer {
        Ok(reply) => show(reply),
        Err(failure) => format!("with the failure {failure}"),
    }
}

fn asked(media: Media, expected: &Turn, found: &Turn) -> Option<String> {
    let same =
        |one: &Asked, other: &Asked| one.what == other.what && media.difference(&one.body, &other.body).is_none();
    first(&expected.asked, &found.asked, same, asked_words)
}

fn done(media: Media, expected: &Turn, found: &Turn) -> Option<String> {
    first(&expected.done, &found.done, |one, other| one.same(other, media), Done::words)
}

fn first<T>(
    expected: &[T],
    found: &[T],
    same: impl Fn(&T, &T) -> bool,
    words: impl Fn(&T) -> String,
) -> Option<String> {
    let at = (0..expected.len().max(found.len())).find(|at| match (expected.get(*at), found.get(*at)) {
        (Some(one), Some(other)) => !same(one, other),
        _ => true,
    })?;
    let told = |of: &[T]| of.get(at).map_or_else(|| "did nothing more".to_owned(), &words);
    Some(format!("{} where the one that lived on {}", told(found), told(expected)))
}

/// The message in words, as a line of a report begins.
pub(super) fn said(message: &Message) -> String {
    let request = |how: &str, request: &crate::model::Request| {
        let from = request.sender.as_ref().map(|from| format!(" from {from}")).unwrap_or_default();
        format!("{how}{from} {}", show(&request.body))
    };
    match message {
        Message::Call(called) => request("call", called),
        Message::Cast(cast) => request("cast", cast),
        Message::Timer(name) => format!("timer {name:?}"),
        Message::Down(actor, reason) => format!("down {actor}: {reason}"),
        Message::Other(kind, body) => format!("{kind:?} {}", show(body)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn turn(answer: Result<&str, &str>, done: Vec<Done>) -> Turn {
        let answer = answer.map(|reply| reply.as_bytes().to_vec());
        let answer = answer.map_err(|code| Failure { code: code.into(), message: "m".into() });
        Turn { said: "call x".into(), expects_reply: true, answer, asked: Vec::new(), done }
    }

    fn sent(body: &str) -> Done {
        Done::Sent { to: ActorName::new("a").expect("valid"), body: body.as_bytes().to_vec() }
    }

    #[test]
    fn turns_are_the_same_by_what_they_mean() {
        let one = turn(Ok(r#"{"a":1,"b":2}"#), vec![sent("[1]")]);
        let other = turn(Ok(r#"{"b":2.0,"a":1}"#), vec![sent("[ 1 ]")]);
        assert_eq!(difference(Media::Json, &one, &other), None);
        assert!(difference(Media::Bytes, &one, &other).is_some());
    }

    #[test]
    fn the_first_difference_is_told() {
        let timer = |after_ms| Done::Timer { name: "t".into(), after_ms };
        let cases = [
            (turn(Ok("4"), vec![]), turn(Ok("1"), vec![]), "answered 1 where the one that lived on answered 4"),
            (turn(Ok("4"), vec![]), turn(Err("no"), vec![]), "with the failure no: m where"),
            (turn(Err("a"), vec![]), turn(Err("b"), vec![]), "failure b: m where the one that lived on"),
            (
                turn(Ok("1"), vec![sent("1")]),
                turn(Ok("1"), vec![]),
                "did nothing more where the one that lived on sent a 1",
            ),
            (turn(Ok("1"), vec![timer(5)]), turn(Ok("1"), vec![timer(6)]), "for 6 ms later where"),
            (
                turn(Ok("1"), vec![]),
                turn(Ok("1"), vec![Done::Stopped]),
                "asked to stop where the one that lived on did nothing more",
            ),
        ];
        for (one, other, words) in cases {
            let told = difference(Media::Json, &one, &other).expect(words);
            assert!(told.contains(words), "{told}");
        }
    }
}
