//! Errors that an author meets, and how they turn into the reply of a turn.

use std::fmt;

use crate::bindings::baton::actor::host;
use crate::{CallError, Failure};

impl Failure {
    /// The guest's own error: a code for programs, such as `out-of-stock`, and a message for people.
    pub fn new(code: impl Into<String>, message: impl Into<String>) -> Self {
        Self { code: code.into(), message: message.into() }
    }
}

/// Why something could not be sent, or a timer not be set.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum SendError {
    /// This actor is not allowed to.
    Denied,
    /// A limit of the host, which it names.
    Limit(String),
    /// The message cannot be written as JSON.
    Encode(String),
}

impl fmt::Display for SendError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Denied => f.write_str("this actor is not allowed to send that"),
            Self::Limit(limit) => write!(f, "a limit of the host was reached: {limit}"),
            Self::Encode(error) => write!(f, "the message cannot be written as JSON: {error}"),
        }
    }
}

impl std::error::Error for SendError {}

impl From<host::SendError> for SendError {
    fn from(error: host::SendError) -> Self {
        match error {
            host::SendError::Denied => Self::Denied,
            host::SendError::Limit(limit) => Self::Limit(limit),
        }
    }
}

/// So that `cx.send(…)?` can stand in [`Actor::handle`](crate::Actor::handle).
impl From<SendError> for Failure {
    fn from(error: SendError) -> Self {
        let code = match error {
            SendError::Denied => "send-denied",
            SendError::Limit(_) => "send-limit",
            SendError::Encode(_) => "not-encodable",
        };
        Self::new(code, error.to_string())
    }
}

/// So that `cx.call(…)?` can stand in [`Actor::handle`](crate::Actor::handle). The other actor's own failure is passed
/// on as it is.
impl From<CallError> for Failure {
    fn from(error: CallError) -> Self {
        let (code, message) = match error {
            CallError::Failed(failure) => return failure,
            CallError::UnknownActor => ("call-unknown-actor", "there is no actor of that name".to_owned()),
            CallError::MailboxFull => ("call-mailbox-full", "the mailbox of the actor called is full".to_owned()),
            CallError::Denied => ("call-denied", "this actor is not allowed to call that one".to_owned()),
            CallError::Unavailable => {
                ("call-unavailable", "the actor called is stopping or parked; it has not seen the message".to_owned())
            }
            CallError::Timeout => {
                ("call-timeout", "no answer in time; whether the message was handled is not known".to_owned())
            }
            CallError::Crashed => ("call-crashed", "the actor called crashed over the message".to_owned()),
            CallError::Deadlock => ("call-deadlock", "the actor called waits for this one".to_owned()),
            CallError::Limit(limit) => ("call-limit", format!("a limit of the host was reached: {limit}")),
        };
        Self::new(code, message)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_failure_of_an_actor_called_is_passed_on_as_it_is() {
        let failure = Failure::new("out-of-stock", "no more of these");
        assert_eq!(Failure::from(CallError::Failed(failure.clone())), failure);
    }

    #[test]
    fn errors_of_the_host_have_a_code_each() {
        let codes = [
            Failure::from(SendError::Denied).code,
            Failure::from(SendError::Limit("outbox_messages".into())).code,
            Failure::from(CallError::Denied).code,
            Failure::from(CallError::Timeout).code,
            Failure::from(CallError::Limit("nested_calls".into())).code,
        ];
        assert_eq!(codes, ["send-denied", "send-limit", "call-denied", "call-timeout", "call-limit"]);
    }
}
