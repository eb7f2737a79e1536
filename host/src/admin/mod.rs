//! What an operator's tools call: HTTP and JSON over a Unix socket in the data directory that only its owner can open, and
//! where it is configured over TCP, with tokens.
//!
//! | request | answer |
//! | --- | --- |
//! | `GET /` | the page for operators |
//! | `GET /livez`, `GET /readyz`, `GET /v1/health` | whether the host lives, whether it is ready, and how it is |
//! | `GET /v1/openapi.json` | the description of all of this |
//! | `GET /v1/hosts` | who shares the store, and how this host's lease on it stands |
//! | `POST /v1/reload` | the configuration is read again |
//! | `GET /v1/plugins` | the plugins that are loaded |
//! | `GET /v1/actors?after=&limit=&match=`, `GET /v1/actors/{name}` | how the actors are |
//! | `POST /v1/actors/{name}/call?timeout_ms=` | the reply; the body is the message |
//! | `POST /v1/actors/{name}/cast` | 202 and the message's id |
//! | `GET /v1/store?after=&limit=`, `GET /v1/store/{name}` | what is stored |
//! | `GET /v1/store/{name}/diff?a=&b=`, `GET /v1/store/{name}/quarantine`, `…/quarantine/{sequence}` | two records side by side; what is in quarantine, and its bytes |
//! | `POST /v1/store/{name}/rollback`, `…/fork`, `…/prune`, `…/forget`, `…/retry`, `…/discard` | changes what is stored; a dry run without `yes=true` |
//! | `GET /v1/store-export`, `PUT /v1/store/{name}/image` | an export; one actor of an export taken over |
//! | `GET /v1/store-stats`, `GET /v1/store-verify`, `GET /v1/store-quarantine` | how much is stored; what is wrong with it; what is in quarantine |
//! | `GET /v1/events?match=&kinds=&since=` | what happens, as it happens (server-sent events) |
//! | `GET /v1/logs?level=&match=&tail=&follow=` | what the host logs |
//! | `GET /v1/dead-letters` | messages that nobody handled |
//! | `GET /v1/tree`, `GET /v1/children?supervisor=`, `GET /v1/children/count?supervisor=` | who supervises whom |
//! | `POST /v1/children`, `DELETE /v1/children/{name}` | adds and starts a child; removes one that does not run |
//! | `POST /v1/actors/{name}/start`, `…/stop`, `…/restart`, `…/kill` | what an operator does to one child |
//! | `GET /v1/whereis/{name}` | a child, and the supervisors above it |
//! | `POST /v1/plugins/{name}/swap`, `…/swap/back` | swaps the version that a plugin's actors run, or says what that would do; the component is the body |
//! | `GET /v1/plugins/{name}/swap?wait_ms=`, `POST …/swap/stop`, `GET /v1/swaps` | where a swap stands, and at its end the report; stops one; the last swap of each plugin |
//! | `GET /metrics` | numbers of the host and of each version of a plugin, in Prometheus' text format |
//! | `GET /v1/groups`, `GET /v1/groups/{group}`, `POST /v1/groups/{group}/dispatch` | the groups; a group's members; a message for each of them |
//!
//! A request is part of the trace that its `traceparent` and `tracestate` name, and the answer says which.
//!
//! Names stand percent-encoded in paths, `/` as `%2F`. A message's id may be given in the header `Idempotency-Key`. Errors
//! are problem documents (RFC 9457) with a stable `code`.

mod access;
mod actors;
mod events;
mod health;
mod hosts;
mod listener;
mod logs;
mod openapi;
mod page;
mod problem;
mod reload;
mod routes;
mod serve;
mod socket;
mod store;
mod supervision;
mod swap;
mod telemetry;
mod tls;
mod unread;
pub mod view;

use std::time::Duration;

pub use access::{Access, Role, TOKEN_BYTES, TOKEN_LEAST_BYTES, TOKENS, check_token_name};
pub use events::STREAMS;
pub use listener::Tcp;
pub use reload::{Reload, ReloadAnswer, Reloaded, Reloads};
pub use serve::serve;
pub use socket::{Socket, socket_path};

/// Connections over the Unix socket at once; further ones wait to be accepted.
pub const CONNECTIONS: usize = 256;
/// How long a client of the Unix socket may take for a request's head, leave its connection idle, or take nothing of an
/// answer that waits for it.
pub const CLIENT_TIMEOUT: Duration = Duration::from_secs(30);
/// How long a client may take for a request's body.
pub const BODY_TIMEOUT: Duration = Duration::from_secs(30);
/// Largest head of a request, in bytes.
pub const HEAD_BYTES: usize = 64 << 10;
