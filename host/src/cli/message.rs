//! `call` and `cast`.

use std::collections::HashMap;
use std::io::{self, Read as _};
use std::path::PathBuf;
use std::time::Duration;

use baton_host::model::{ActorName, MessageId};
use bytes::Bytes;
use clap::Args;
use hyper::Method;
use serde::Deserialize;

use super::body::Given;
use super::client::{ANSWER_TIMEOUT, Answer, Ask, Client, Lost, path_of};
use super::completions;
use super::output::{Failure, tell_note};
use super::wait::{self, Backoff};
use super::{Place, batch};

/// Largest body read from stdin, in bytes: no actor takes more.
const STDIN_BYTES: u64 = 64 << 20;
/// Media types that are remembered; a longer memory would only matter to a batch over more actors than that.
const REMEMBERED: usize = 10_000;
/// How much longer than the host a client waits, so that the host's own word about a timeout arrives.
const GRACE: Duration = Duration::from_secs(10);
/// The host's own patience with a call, unless told otherwise.
const CALL_TIMEOUT: Duration = Duration::from_secs(30);

#[derive(Debug, Args)]
pub(super) struct CallOptions {
    #[command(flatten)]
    pub(super) message: MessageOptions,
    /// How long to wait for each reply [default: 30s]
    #[arg(long, value_name = "DURATION", value_parser = wait::parse_positive)]
    timeout: Option<Duration>,
}

#[derive(Debug, Args)]
pub(super) struct CastOptions {
    #[command(flatten)]
    pub(super) message: MessageOptions,
}

#[derive(Debug, Args)]
pub(super) struct MessageOptions {
    /// The actor's name
    #[arg(required_unless_present = "batch", add = completions::actors())]
    name: Option<String>,
    /// The message; `-` reads it from stdin
    #[arg(required_unless_present = "batch", allow_hyphen_values = true)]
    body: Option<String>,
    /// The message's id: stays the same when it is sent again
    #[arg(long, conflicts_with = "batch")]
    id: Option<String>,
    /// Send a message for each line of a file, in order: {"actor": …, "body": …, "id": …}, the id where one is wanted;
    /// `-` reads stdin
    #[arg(long, value_name = "FILE", conflicts_with_all = ["name", "body"])]
    pub(super) batch: Option<PathBuf>,
    /// How long to try again while the message was certainly not seen: no host answers, or it answers `unavailable` or
    /// `mailbox-full`
    #[arg(long, value_name = "DURATION", default_value = "0s", value_parser = wait::parse)]
    wait: Duration,
    /// Also try again where nobody knows whether the message was seen, if it has an id; it may then be handled twice
    #[arg(long)]
    retry_unknown: bool,
    /// As JSON, one line for each message
    #[arg(long)]
    pub(super) json: bool,
}

/// What kind of message is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Call(Option<Duration>),
    Cast,
}

/// A message to be sent.
#[derive(Debug)]
pub(super) struct Outgoing {
    pub(super) actor: ActorName,
    pub(super) given: Given,
    pub(super) id: Option<MessageId>,
}

/// What became of a message.
#[derive(Debug)]
pub(super) enum Outcome {
    /// The answer of success.
    Done(Bytes),
    /// The host refused, or the actor failed.
    Problem(super::client::Problem),
    /// No host answers: certainly not seen.
    Unreachable(String),
    /// It may have been seen.
    Unknown(String),
}

impl Outcome {
    /// Whether the message was certainly not seen, so that sending it again cannot double it.
    fn not_seen(&self) -> bool {
        match self {
            Self::Unreachable(_) => true,
            Self::Problem(problem) => matches!(problem.code.as_str(), "unavailable" | "mailbox-full"),
            Self::Done(_) | Self::Unknown(_) => false,
        }
    }

    /// Whether to send again, given leave to double a message that has an id.
    fn again(&self, retry_unknown: bool, has_id: bool) -> bool {
        self.not_seen() || (retry_unknown && has_id && matches!(self, Self::Unknown(_)))
    }
}

impl From<Result<Answer, Lost>> for Outcome {
    fn from(result: Result<Answer, Lost>) -> Self {
        match result {
            Ok(answer) => match answer.problem() {
                Some(problem) => Self::Problem(problem),
                None => Self::Done(answer.body),
            },
            Err(Lost::Unreachable(why)) => Self::Unreachable(why),
            Err(Lost::Unknown(why)) => Self::Unknown(why),
        }
    }
}

pub(super) async fn call(place: &Place, options: CallOptions) -> Result<(), Failure> {
    send(place, options.message, Kind::Call(options.timeout)).await
}

pub(super) async fn cast(place: &Place, options: CastOptions) -> Result<(), Failure> {
    send(place, options.message, Kind::Cast).await
}

async fn send(place: &Place, options: MessageOptions, kind: Kind) -> Result<(), Failure> {
    let mut sender = Sender::new(place.client()?, kind, &options);
    if let Some(file) = &options.batch {
        return batch::run(&mut sender, file, options.json).await;
    }
    // Both are there where no batch is: clap has seen to that.
    let name = options.name.unwrap_or_default();
    let actor = ActorName::new(&name).map_err(|error| Failure::usage(error.to_string()))?;
    let id = options.id.map(|id| MessageId::new(&id)).transpose().map_err(|error| Failure::usage(error.to_string()))?;
    let given = Given::Text(match options.body.unwrap_or_default() {
        dash if dash == "-" => read_stdin()?,
        body => Bytes::from(body),
    });
    let message = Outgoing { actor, given, id };
    match sender.send(&message, None).await {
        Outcome::Done(body) => batch::tell_done(kind, None, &name, &body, options.json),
        Outcome::Problem(problem) => {
            if options.json {
                batch::tell_json_failed(None, Some(&name), &problem.code, &problem.detail)?;
            }
            Err(sender.client.refused(&problem, Some(&name)).await)
        }
        Outcome::Unreachable(why) => Err(sender.client.unreachable(&why)),
        Outcome::Unknown(why) => {
            if options.json {
                batch::tell_json_failed(None, Some(&name), UNKNOWN, &why)?;
            }
            Err(Failure::new(format!("{why}; whether `{name}` has seen the message is not known [{UNKNOWN}]"))
                .hint("look before you send it again"))
        }
    }
}

/// The code of a message that may have been seen.
pub(super) const UNKNOWN: &str = "unknown-outcome";

/// The id that the host gave a cast.
pub(super) fn cast_id(body: &[u8]) -> Option<String> {
    #[derive(Deserialize)]
    struct Accepted {
        id: String,
    }
    serde_json::from_slice::<Accepted>(body).ok().map(|accepted| accepted.id)
}

fn read_stdin() -> Result<Bytes, Failure> {
    let mut body = Vec::new();
    let read = io::stdin().lock().take(STDIN_BYTES + 1).read_to_end(&mut body);
    read.map_err(|error| Failure::new(format!("stdin cannot be read: {error}")))?;
    if body.len() as u64 > STDIN_BYTES {
        return Err(Failure::new(format!("stdin has more than {STDIN_BYTES} bytes: no actor takes such a message")));
    }
    Ok(Bytes::from(body))
}

/// Sends messages of one kind, one after another.
#[derive(Debug)]
pub(super) struct Sender {
    pub(super) client: Client,
    pub(super) kind: Kind,
    wait: Duration,
    retry_unknown: bool,
    /// What actors take that were asked about.
    media_types: HashMap<ActorName, String>,
}

impl Sender {
    fn new(client: Client, kind: Kind, options: &MessageOptions) -> Self {
        let MessageOptions { wait, retry_unknown, .. } = *options;
        Self { client, kind, wait, retry_unknown, media_types: HashMap::new() }
    }

    /// Sends a message, again and again as far as the options allow. `line` names it in notes.
    pub(super) async fn send(&mut self, message: &Outgoing, line: Option<usize>) -> Outcome {
        let mut backoff: Option<Backoff> = None;
        loop {
            let outcome = self.attempt(message).await;
            if !outcome.again(self.retry_unknown, message.id.is_some()) {
                return outcome;
            }
            if backoff.is_none() && !self.wait.is_zero() {
                tell_note(&self.waiting(message, line, &outcome));
            }
            if !backoff.get_or_insert_with(|| Backoff::new(self.wait)).pause().await {
                return outcome;
            }
        }
    }

    fn waiting(&self, message: &Outgoing, line: Option<usize>, outcome: &Outcome) -> String {
        let why = match outcome {
            Outcome::Problem(problem) => problem.detail.clone(),
            Outcome::Unreachable(why) => format!("no host answers at {}: {why}", self.client.way()),
            Outcome::Unknown(why) => format!("{why}; `{}` may have seen the message", message.actor),
            Outcome::Done(_) => String::new(),
        };
        let at = line.map(|line| format!("line {line}: ")).unwrap_or_default();
        format!("{at}{why}; trying again for up to {} s", self.wait.as_secs_f32())
    }

    async fn attempt(&mut self, message: &Outgoing) -> Outcome {
        let media_type = if message.given.settled() {
            None
        } else {
            match self.media_type(&message.actor).await {
                Ok(media_type) => media_type,
                // The message itself is not sent yet, whatever became of the question.
                Err(Lost::Unreachable(why) | Lost::Unknown(why)) => return Outcome::Unreachable(why),
            }
        };
        let (body, media_type) = message.given.encode(media_type.as_deref());
        let (rest, timeout) = match self.kind {
            Kind::Call(None) => ("/call".to_owned(), CALL_TIMEOUT + GRACE),
            Kind::Call(Some(limit)) => (format!("/call?timeout_ms={}", limit.as_millis()), limit + GRACE),
            Kind::Cast => ("/cast".to_owned(), ANSWER_TIMEOUT),
        };
        let ask = Ask {
            method: Method::POST,
            path: path_of("actors", message.actor.as_str(), &rest),
            id: message.id.as_ref().map(MessageId::as_str),
            media_type: Some(media_type),
            signature: None,
            body,
            timeout,
        };
        self.client.ask(&ask).await.into()
    }

    /// What the actor takes; none where the host does not know the actor, which the message itself will be told.
    async fn media_type(&mut self, actor: &ActorName) -> Result<Option<String>, Lost> {
        #[derive(Deserialize)]
        struct Takes {
            messages: Option<String>,
        }
        if let Some(known) = self.media_types.get(actor) {
            return Ok(Some(known.clone()));
        }
        let answer = self.client.ask(&Ask::get(path_of("actors", actor.as_str(), ""))).await?;
        let takes: Option<Takes> = serde_json::from_slice(&answer.body).ok();
        let media_type = takes.and_then(|takes| takes.messages);
        if let Some(media_type) = &media_type {
            if self.media_types.len() >= REMEMBERED {
                self.media_types.clear();
            }
            self.media_types.insert(actor.clone(), media_type.clone());
        }
        Ok(media_type)
    }
}

#[cfg(test)]
mod tests {
    use super::super::client::Problem;
    use super::*;

    #[test]
    fn only_what_was_certainly_not_seen_is_sent_again_unasked() {
        let problem = |code: &str| Outcome::Problem(Problem { code: code.into(), detail: String::new(), hint: None });
        let unknown = || Outcome::Unknown(String::new());
        let cases = [
            (Outcome::Unreachable(String::new()), true),
            (problem("unavailable"), true),
            (problem("mailbox-full"), true),
            (problem("timeout"), false),
            (problem("crashed"), false),
            (problem("failed"), false),
            (problem("unknown-actor"), false),
            (problem("store-unavailable"), false),
            (Outcome::Done(Bytes::new()), false),
            (unknown(), false),
        ];
        for (outcome, again) in cases {
            assert_eq!(outcome.again(false, true), again, "{outcome:?}");
        }
        assert!(unknown().again(true, true));
        assert!(!unknown().again(true, false), "without an id nobody could tell the two apart");
    }
}
