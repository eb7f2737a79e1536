//! Errors as problem documents (RFC 9457).

use std::borrow::Cow;

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use schemars::JsonSchema;
use serde_json::{Map, Value, json};

use crate::model::{CallError, ErrorCode, HostError, NameError, SendError};
use crate::store::StoreError;
use crate::store::tools::ToolError;

/// Seconds after which a client that was turned away may try again.
const RETRY_AFTER_S: &str = "1";

/// The title where another host owns an actor.
const ELSEWHERE: &str = "Another host owns the actor";

/// What a client is told went wrong.
#[derive(Debug, Clone)]
pub(super) struct Problem {
    status: StatusCode,
    code: Cow<'static, str>,
    title: &'static str,
    detail: String,
    members: Map<String, Value>,
}

impl Problem {
    pub(super) fn new(
        status: StatusCode,
        code: impl Into<Cow<'static, str>>,
        title: &'static str,
        detail: impl Into<String>,
    ) -> Self {
        Self { status, code: code.into(), title, detail: detail.into(), members: Map::new() }
    }

    pub(super) fn bad_request(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "bad-request", "The request cannot be understood", detail)
    }

    pub(super) fn stopping(actor: &str) -> Self {
        CallError::NotSent(SendError::Unavailable { actor: actor.to_owned(), why: "the host is stopping".to_owned() })
            .into()
    }

    pub(super) fn too_large(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, "too-large", "The body is too large", detail)
    }

    /// What can be understood, and makes no sense here.
    pub(super) fn unfit(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, "unfit", "It makes no sense here", detail)
    }

    pub(super) fn busy(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "busy", "Too much at once", detail)
    }

    /// What to do about it.
    pub(super) fn hint(self, hint: &str) -> Self {
        self.with("hint", json!(hint))
    }

    /// What the store or the host itself says.
    fn of_other_room(error: ToolError) -> Self {
        match error {
            ToolError::Store(error) => error.into(),
            ToolError::Host(error) => error.into(),
            other => Self::new(StatusCode::INTERNAL_SERVER_ERROR, other.code(), "It was not done", other.to_string()),
        }
    }

    /// Which host is to be asked.
    fn owned_by(self, node: &str, address: Option<&str>) -> Self {
        let hint = match address {
            Some(address) => format!("ask that one: `--url {address}`"),
            None => format!("ask the host on `{node}`"),
        };
        self.with("node", json!(node)).with("address", json!(address)).hint(&hint)
    }

    pub(super) fn with(mut self, member: &str, value: Value) -> Self {
        self.members.insert(member.to_owned(), value);
        self
    }
}

/// The document, as it is described: what each code adds is told in the book.
#[derive(JsonSchema)]
#[schemars(rename = "Problem")]
#[allow(dead_code, reason = "it describes what `into_response` writes")]
pub(super) struct ProblemDocument {
    /// `urn:baton:problem:` and the code.
    r#type: String,
    /// The same for each problem of this code.
    title: String,
    /// The status of the answer.
    #[schemars(range(min = 400, max = 599))]
    status: u16,
    /// Stable, for programs.
    code: String,
    /// What was wrong.
    detail: String,
    /// What to do about it, where the host knows.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    hint: Option<String>,
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut document = Map::new();
        document.insert("type".to_owned(), json!(format!("urn:baton:problem:{}", self.code)));
        document.insert("title".to_owned(), json!(self.title));
        document.insert("status".to_owned(), json!(self.status.as_u16()));
        document.insert("code".to_owned(), json!(self.code));
        document.insert("detail".to_owned(), json!(self.detail));
        document.extend(self.members);
        let mut response = (self.status, Json(document)).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        if matches!(self.status, StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE) {
            headers.insert(header::RETRY_AFTER, HeaderValue::from_static(RETRY_AFTER_S));
        }
        response
    }
}

impl From<CallError> for Problem {
    fn from(error: CallError) -> Self {
        let (code, detail) = (error.code(), error.to_string());
        match error {
            CallError::NotSent(error) => error.into(),
            CallError::Timeout { .. } => {
                Self::new(StatusCode::GATEWAY_TIMEOUT, code, "The actor did not answer in time", detail)
            }
            CallError::Crashed { .. } => Self::new(StatusCode::BAD_GATEWAY, code, "The actor crashed", detail),
            CallError::Fenced { .. } => Self::new(StatusCode::GATEWAY_TIMEOUT, code, "The host lost the actor", detail),
            CallError::Deadlock { .. } => {
                Self::new(StatusCode::CONFLICT, code, "The call would wait for itself", detail)
            }
            CallError::Failed(failure) => {
                Self::new(StatusCode::UNPROCESSABLE_ENTITY, code, "The actor answered with a failure", detail)
                    .with("failure", json!({ "code": failure.code, "message": failure.message }))
            }
        }
    }
}

impl From<SendError> for Problem {
    fn from(error: SendError) -> Self {
        let (code, detail) = (error.code(), error.to_string());
        match error {
            SendError::UnknownActor(_) => Self::new(StatusCode::NOT_FOUND, code, "There is no such actor", detail),
            SendError::MailboxFull { .. } => {
                Self::new(StatusCode::TOO_MANY_REQUESTS, code, "The actor's mailbox is full", detail)
            }
            SendError::TooLarge { .. } => Self::too_large(detail),
            SendError::Unavailable { .. } => {
                Self::new(StatusCode::SERVICE_UNAVAILABLE, code, "The actor is not available", detail)
            }
            SendError::Down { .. } => Self::new(StatusCode::CONFLICT, code, "The actor stays down", detail),
            SendError::Elsewhere { node, address, .. } => {
                Self::new(StatusCode::MISDIRECTED_REQUEST, code, ELSEWHERE, detail).owned_by(&node, address.as_deref())
            }
            SendError::Held { hold, .. } => {
                Self::new(StatusCode::CONFLICT, code, "The actor is held", detail).with("hold", json!(hold))
            }
        }
    }
}

impl From<HostError> for Problem {
    fn from(error: HostError) -> Self {
        let (status, title) = of_host(error.code());
        let detail = error.to_string();
        let problem = |detail: &str| Self::new(status, error.code().to_string(), title, detail);
        match error.cure() {
            // What to do is a member of its own here.
            Some(cure) => {
                let without = detail.strip_suffix(&format!(" ({cure})")).unwrap_or(&detail);
                problem(without).with("hint", json!(cure))
            }
            None => problem(&detail),
        }
    }
}

/// The status and title of what the host refuses.
fn of_host(code: ErrorCode) -> (StatusCode, &'static str) {
    match code {
        ErrorCode::UnknownActor => (StatusCode::NOT_FOUND, "There is no such actor"),
        ErrorCode::UnknownSupervisor => (StatusCode::NOT_FOUND, "There is no such supervisor"),
        ErrorCode::UnknownPlugin => (StatusCode::NOT_FOUND, "There is no such plugin"),
        ErrorCode::AlreadyStarted => (StatusCode::CONFLICT, "The name is taken"),
        ErrorCode::AlreadyPresent => (StatusCode::CONFLICT, "The child is there and does not run"),
        ErrorCode::Running => (StatusCode::CONFLICT, "The child runs"),
        ErrorCode::Restarting => (StatusCode::CONFLICT, "The child is about to be started again"),
        ErrorCode::MaxChildren => (StatusCode::CONFLICT, "The supervisor has as many children as it may have"),
        ErrorCode::Stopped => (StatusCode::CONFLICT, "It was stopped before it was ready"),
        ErrorCode::ChildSpec => (StatusCode::UNPROCESSABLE_ENTITY, "The child specification cannot be used"),
        ErrorCode::Start => (StatusCode::UNPROCESSABLE_ENTITY, "The child would not start"),
        ErrorCode::Denied => (StatusCode::FORBIDDEN, "It was not granted"),
        ErrorCode::State => (StatusCode::CONFLICT, "The actor's state cannot be had"),
        ErrorCode::Swap => (StatusCode::CONFLICT, "The swap cannot begin, or there is none"),
        ErrorCode::Plugin => (StatusCode::UNPROCESSABLE_ENTITY, "The component cannot be used"),
        ErrorCode::ShuttingDown => (StatusCode::SERVICE_UNAVAILABLE, "The host is going down"),
        ErrorCode::Store => (StatusCode::SERVICE_UNAVAILABLE, "The store did not answer as it should"),
        _ => (StatusCode::INTERNAL_SERVER_ERROR, "The host could not do it"),
    }
}

impl From<ToolError> for Problem {
    fn from(error: ToolError) -> Self {
        let (status, title) = match &error {
            ToolError::NotStored(_) => (StatusCode::NOT_FOUND, "Nothing is stored for this actor"),
            ToolError::NoRecord { .. } => (StatusCode::NOT_FOUND, "There is no such record"),
            ToolError::Exists { .. } => (StatusCode::CONFLICT, "There is a state already"),
            ToolError::Running { .. } => (StatusCode::CONFLICT, "The actor runs"),
            ToolError::Moved { .. } => (StatusCode::CONFLICT, "It was changed meanwhile"),
            ToolError::OwnedElsewhere { .. } => (StatusCode::MISDIRECTED_REQUEST, ELSEWHERE),
            ToolError::Unfit(_) => (StatusCode::UNPROCESSABLE_ENTITY, "It makes no sense here"),
            ToolError::File(_) => (StatusCode::UNPROCESSABLE_ENTITY, "The export cannot be used"),
            _ => return Self::of_other_room(error),
        };
        let mut problem = Self::new(status, error.code(), title, error.to_string());
        if let ToolError::OwnedElsewhere { node, address, .. } = &error {
            problem = problem.owned_by(node, address.as_deref());
        }
        match error.cure() {
            Some(cure) => problem.with("hint", json!(cure)),
            None => problem,
        }
    }
}

impl From<NameError> for Problem {
    fn from(error: NameError) -> Self {
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, "bad-name", "The name cannot be used", error.to_string())
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        let (status, code) = match error {
            StoreError::Unavailable(_) | StoreError::Unknown(_) => {
                (StatusCode::SERVICE_UNAVAILABLE, "store-unavailable")
            }
            StoreError::Corrupt(_) => (StatusCode::INTERNAL_SERVER_ERROR, "store-damaged"),
            _ => (StatusCode::INTERNAL_SERVER_ERROR, "store"),
        };
        let cure = error.cure();
        let problem = Self::new(status, code, "The store did not answer as it should", error.to_string());
        match cure {
            Some(cure) => problem.with("hint", json!(cure)),
            None => problem,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Failure, Hold, HoldCause};

    #[tokio::test]
    async fn every_error_of_a_call_has_its_status_and_code() {
        let actor = || "a".to_owned();
        let hold = Hold { cause: HoldCause::Damaged("cut".into()), sequence: Some(3), digest: None };
        let full = SendError::MailboxFull { actor: actor(), messages: 1, max_messages: 1, bytes: 1, max_bytes: 1 };
        let cases: Vec<(CallError, u16, &str, bool)> = vec![
            (SendError::UnknownActor(actor()).into(), 404, "unknown-actor", false),
            (full.into(), 429, "mailbox-full", true),
            (SendError::TooLarge { actor: actor(), bytes: 2, max_bytes: 1 }.into(), 413, "too-large", false),
            (SendError::Unavailable { actor: actor(), why: "x".into() }.into(), 503, "unavailable", true),
            (SendError::Down { actor: actor(), why: "x".into() }.into(), 409, "down", false),
            (SendError::Held { actor: actor(), hold: Box::new(hold) }.into(), 409, "held", false),
            (
                SendError::Elsewhere { actor: actor(), node: "b".into(), address: Some("https://b:1".into()) }.into(),
                421,
                "owned-elsewhere",
                false,
            ),
            (CallError::Timeout { actor: actor(), timeout_ms: 5 }, 504, "timeout", false),
            (CallError::Crashed { actor: actor(), reason: "trap".into() }, 502, "crashed", false),
            (CallError::Fenced { actor: actor(), why: "its lease has ended".into() }, 504, "fenced", false),
            (CallError::Deadlock { actor: actor(), chain: "a, b, a".into() }, 409, "deadlock", false),
            (CallError::Failed(Failure { code: "empty".into(), message: "no seats".into() }), 422, "failed", false),
        ];
        for (error, status, code, again) in cases {
            let detail = error.to_string();
            let response = Problem::from(error).into_response();
            assert_eq!(response.status().as_u16(), status);
            assert_eq!(response.headers()[header::CONTENT_TYPE], "application/problem+json");
            assert_eq!(response.headers().contains_key(header::RETRY_AFTER), again, "{code}");
            let bytes = axum::body::to_bytes(response.into_body(), 1 << 20).await.expect("in memory");
            let document: Value = serde_json::from_slice(&bytes).expect("JSON");
            assert_eq!(document["type"], format!("urn:baton:problem:{code}"));
            assert_eq!((&document["code"], &document["status"]), (&json!(code), &json!(status)));
            assert_eq!(document["detail"], detail);
            match code {
                "failed" => assert_eq!(document["failure"], json!({ "code": "empty", "message": "no seats" })),
                "held" => assert_eq!(document["hold"]["sequence"], 3),
                "owned-elsewhere" => {
                    assert_eq!((&document["node"], &document["address"]), (&json!("b"), &json!("https://b:1")))
                }
                _ => {}
            }
        }
    }

    #[tokio::test]
    async fn what_the_host_refuses_has_its_status_and_says_what_to_do_apart() {
        let cases = [
            (ErrorCode::UnknownActor, 404),
            (ErrorCode::UnknownSupervisor, 404),
            (ErrorCode::UnknownPlugin, 404),
            (ErrorCode::AlreadyStarted, 409),
            (ErrorCode::AlreadyPresent, 409),
            (ErrorCode::Running, 409),
            (ErrorCode::Restarting, 409),
            (ErrorCode::MaxChildren, 409),
            (ErrorCode::Stopped, 409),
            (ErrorCode::State, 409),
            (ErrorCode::Denied, 403),
            (ErrorCode::Swap, 409),
            (ErrorCode::Plugin, 422),
            (ErrorCode::ChildSpec, 422),
            (ErrorCode::Start, 422),
            (ErrorCode::ShuttingDown, 503),
            (ErrorCode::Store, 503),
            (ErrorCode::Engine, 500),
        ];
        for (code, status) in cases {
            let response = Problem::from(HostError::new(code, "what").hint("do this")).into_response();
            assert_eq!(response.status().as_u16(), status, "{code}");
            assert_eq!(response.headers().contains_key(header::RETRY_AFTER), status == 503, "{code}");
            let bytes = axum::body::to_bytes(response.into_body(), 1 << 20).await.expect("in memory");
            let document: Value = serde_json::from_slice(&bytes).expect("JSON");
            assert_eq!(document["code"], code.to_string());
            assert_eq!((&document["detail"], &document["hint"]), (&json!("what"), &json!("do this")));
        }
    }
}
