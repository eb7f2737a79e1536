//! Who may ask for what: bearer tokens with roles, for clients that come over TCP. The Unix socket's own file says who may
//! open it, and whoever can may do everything.

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::io::Read as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use subtle::{Choice, ConstantTimeEq as _};
use tokio::sync::Semaphore;
use tokio::time::sleep;
use tokio_rustls::rustls::ServerConfig;

use super::listener::Peer;
use super::problem::Problem;
use super::routes::Shared;
use super::tls;
use crate::model::{ApiTls, ErrorCode, HostError, Sha256};

/// Largest file of tokens, in bytes.
const TOKENS_FILE_BYTES: u64 = 1 << 20;
/// Most tokens in it.
pub const TOKENS: usize = 1_000;
/// Least characters of a token; `baton token` makes them of 256 bits.
pub const TOKEN_LEAST_BYTES: usize = 32;
/// Longest token, in bytes.
pub const TOKEN_BYTES: usize = 512;
/// Longest name of a token, in bytes.
const NAME_BYTES: usize = 64;
/// How long a client with a bad token waits for its answer.
const PENALTY: Duration = Duration::from_secs(1);
/// Clients that wait so at once; a further one is turned away at once, and so learns no more.
const PENALTIES: usize = 16;

/// What a token allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Looking: everything that changes nothing, states and messages included.
    Read,
    /// Sending messages to actors.
    Call,
    /// Everything.
    Operate,
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Read => "read",
            Self::Call => "call",
            Self::Operate => "operate",
        })
    }
}

/// What a request needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Need {
    /// Nobody's token: it says nothing of actors.
    Nothing,
    /// Any token.
    Any,
    /// A token of this role, or one that may operate.
    Role(Role),
}

impl Need {
    /// What a request to this path needs. What is not known is for those who may operate.
    pub(super) fn of(method: &Method, path: &str) -> Self {
        let looks = matches!(*method, Method::GET | Method::HEAD);
        let parts: Vec<_> = path.trim_start_matches('/').split('/').collect();
        match parts.as_slice() {
            ["" | "livez" | "readyz"] if looks => Self::Nothing,
            ["v1", "health" | "openapi.json"] | ["v1", "actors", _] if looks => Self::Any,
            _ if looks => Self::Role(Role::Read),
            ["v1", "actors", _, "call" | "cast"] | ["v1", "groups", _, "dispatch"] if method == Method::POST => {
                Self::Role(Role::Call)
            }
            _ => Self::Role(Role::Operate),
        }
    }

    fn met_by(self, roles: &[Role]) -> bool {
        match self {
            Self::Nothing | Self::Any => true,
            Self::Role(role) => roles.iter().any(|has| *has == role || *has == Role::Operate),
        }
    }
}

/// The file of the tokens.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    tokens: BTreeMap<String, Entry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    roles: Vec<Role>,
    token: Option<String>,
    sha256: Option<String>,
}

/// A token that is known, by its digest: whoever reads our memory or a core dump has no token.
struct Token {
    name: Arc<str>,
    roles: Vec<Role>,
    digest: [u8; 32],
}

/// All of them.
struct Tokens(Vec<Token>);

impl Tokens {
    fn read(path: &Path) -> Result<Self, String> {
        let shown = path.display();
        let file = fs::File::open(path).map_err(|error| format!("{shown} cannot be read: {error}"))?;
        let mode =
            file.metadata().map_err(|error| format!("{shown} cannot be looked at: {error}"))?.permissions().mode();
        let mut text = String::new();
        let read = file.take(TOKENS_FILE_BYTES + 1).read_to_string(&mut text);
        read.map_err(|error| format!("{shown} cannot be read: {error}"))?;
        if text.len() as u64 > TOKENS_FILE_BYTES {
            return Err(format!("{shown} has more than {TOKENS_FILE_BYTES} bytes"));
        }
        let tokens = Self::parse(&text, mode & 0o077 != 0);
        tokens.map_err(|why| format!("{shown}: {why}"))
    }

    /// `open`: whether others than the file's owner may read or write it.
    fn parse(text: &str, open: bool) -> Result<Self, String> {
        // The message of the parser's own would show the line, and with it a token.
        let file: File = toml::from_str(text).map_err(|error| {
            let line = error.span().map_or(0, |span| text[..span.start].matches('\n').count() + 1);
            format!("line {line}: {}", error.message())
        })?;
        if file.tokens.len() > TOKENS {
            return Err(format!("it has {} tokens; at most {TOKENS} are allowed", file.tokens.len()));
        }
        if file.tokens.is_empty() {
            return Err("it has no tokens: `baton token NAME --role read` makes one".to_owned());
        }
        let secret = file.tokens.iter().find(|(_, entry)| entry.token.is_some());
        if let Some((name, _)) = secret.filter(|_| open) {
            return Err(format!(
                "others than its owner may read it, and it holds the token `{name}` itself: chmod 600, or write its `sha256` instead"
            ));
        }
        let mut tokens: Vec<Token> = Vec::with_capacity(file.tokens.len());
        for (name, entry) in file.tokens {
            let token = Token::of(&name, entry).map_err(|why| format!("[tokens.{name:?}]: {why}"))?;
            if let Some(twin) = tokens.iter().find(|other| other.digest == token.digest) {
                return Err(format!("`{}` and `{name}` are the same token", twin.name));
            }
            tokens.push(token);
        }
        Ok(Self(tokens))
    }

    /// Who has this token. Looks at all of them, and takes as long whichever it is.
    fn find(&self, token: &str) -> Option<&Token> {
        let digest = *Sha256::of(token.as_bytes()).as_bytes();
        let mut found = None;
        for known in &self.0 {
            let same: Choice = known.digest.ct_eq(&digest);
            if bool::from(same) {
                found = Some(known);
            }
        }
        found
    }
}

/// The rule for the names of tokens.
///
/// # Errors
/// What the rule is.
pub fn check_token_name(name: &str) -> Result<(), String> {
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '@');
    if name.is_empty() || name.len() > NAME_BYTES || !name.chars().all(fits) {
        return Err(format!("a token's name has 1 to {NAME_BYTES} letters, digits, `-`, `_`, `.` and `@`"));
    }
    Ok(())
}

impl Token {
    fn of(name: &str, entry: Entry) -> Result<Self, String> {
        check_token_name(name)?;
        if entry.roles.is_empty() {
            return Err("`roles` is empty: name at least one of `read`, `call` and `operate`".to_owned());
        }
        let digest = match (entry.token, entry.sha256) {
            (Some(token), None) => {
                let fits = |byte: u8| byte.is_ascii_graphic();
                if !(TOKEN_LEAST_BYTES..=TOKEN_BYTES).contains(&token.len()) || !token.bytes().all(fits) {
                    return Err(format!(
                        "`token` is to be {TOKEN_LEAST_BYTES} to {TOKEN_BYTES} visible characters of ASCII: `baton token {name}` makes one"
                    ));
                }
                *Sha256::of(token.as_bytes()).as_bytes()
            }
            (None, Some(digest)) => {
                let digest: Sha256 = digest.parse().map_err(|why| format!("`sha256`: {why}"))?;
                *digest.as_bytes()
            }
            _ => return Err("it is to have either `token` or `sha256`".to_owned()),
        };
        Ok(Self { name: name.into(), roles: entry.roles, digest })
    }
}

/// Who asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Caller(pub(super) Arc<str>);

/// The tokens, and what the host shows to its clients. Both can be read again while it runs.
pub struct Access {
    tokens_file: PathBuf,
    tls_files: Option<ApiTls>,
    now: RwLock<Now>,
    penalties: Semaphore,
}

#[derive(Clone)]
struct Now {
    tokens: Arc<Tokens>,
    tls: Option<Arc<ServerConfig>>,
}

impl fmt::Debug for Access {
    /// Nothing of the tokens.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Access").field("tokens_file", &self.tokens_file).field("tls_files", &self.tls_files).finish()
    }
}

impl Access {
    /// Reads the file of the tokens, and the certificate and its key where there are any.
    ///
    /// # Errors
    /// `Config`, if one of them cannot be used.
    pub fn read(tokens: &Path, tls: Option<&ApiTls>) -> Result<Self, HostError> {
        let now = Now::read(tokens, tls).map_err(|why| HostError::new(ErrorCode::Config, why))?;
        Ok(Self {
            tokens_file: tokens.to_owned(),
            tls_files: tls.cloned(),
            now: RwLock::new(now),
            penalties: Semaphore::new(PENALTIES),
        })
    }

    /// Reads all of it again. New requests and connections go by what was read; if something is wrong, nothing changes.
    ///
    /// # Errors
    /// What is wrong, and in which file.
    pub fn reload(&self) -> Result<(), String> {
        let now = Now::read(&self.tokens_file, self.tls_files.as_ref())?;
        *self.now.write().unwrap_or_else(PoisonError::into_inner) = now;
        Ok(())
    }

    fn now(&self) -> Now {
        self.now.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn tls(&self) -> Option<Arc<ServerConfig>> {
        self.now().tls
    }

    /// Who asks, if the token is known and allows it.
    async fn admit(&self, peer: &Peer, need: Need, headers: &HeaderMap) -> Result<Caller, Problem> {
        let Some(token) = bearer(headers) else {
            return Err(unauthorized("the header `Authorization: Bearer TOKEN` is missing"));
        };
        let tokens = self.now().tokens;
        let Some(token) = tokens.find(token) else {
            let Ok(_one) = self.penalties.try_acquire() else { return Err(too_many()) };
            tracing::warn!(%peer, "a token that is not known was refused");
            sleep(PENALTY).await;
            return Err(unauthorized("the token is not known"));
        };
        match need {
            Need::Role(role) if !need.met_by(&token.roles) => Err(forbidden(&token.name, role)),
            _ => Ok(Caller(Arc::clone(&token.name))),
        }
    }
}

impl Now {
    fn read(tokens: &Path, tls: Option<&ApiTls>) -> Result<Self, String> {
        let tls = tls.map(tls::server).transpose()?.map(Arc::new);
        Ok(Self { tokens: Arc::new(Tokens::read(tokens)?), tls })
    }
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    let text = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = text.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then_some(token.trim()).filter(|token| token.len() <= TOKEN_BYTES)
}

fn unauthorized(detail: &str) -> Problem {
    Problem::new(StatusCode::UNAUTHORIZED, "unauthorized", "A token is needed", detail)
        .hint("send the header `Authorization: Bearer TOKEN`, with a token of the file that `tokens` in [api] names")
}

fn too_many() -> Problem {
    let detail = "too many requests with tokens that are not known are under way";
    Problem::new(StatusCode::TOO_MANY_REQUESTS, "too-many-attempts", "Too many attempts", detail)
}

fn forbidden(name: &str, role: Role) -> Problem {
    let detail = format!("the token `{name}` has not the role `{role}`");
    Problem::new(StatusCode::FORBIDDEN, "forbidden", "The token does not allow it", detail)
        .hint("use a token that has it, or `operate`, among its `roles` in the file of the tokens")
}

/// Lets a request in that shows what it needs.
pub(super) async fn check(State(context): Shared, mut request: Request, next: Next) -> Response {
    // Whoever can open the socket is its owner.
    let (Some(access), Some(peer)) = (&context.access, request.extensions().get::<Peer>().copied()) else {
        return next.run(request).await;
    };
    let need = Need::of(request.method(), request.uri().path());
    if need == Need::Nothing {
        return next.run(request).await;
    }
    let caller = match access.admit(&peer, need, request.headers()).await {
        Ok(caller) => caller,
        Err(problem) => return refuse(problem),
    };
    request.extensions_mut().insert(caller.clone());
    if need != Need::Role(Role::Operate) {
        return next.run(request).await;
    }
    // Who has changed what is asked later.
    let (method, path) = (request.method().clone(), request.uri().path().to_owned());
    let response = next.run(request).await;
    let (by, status) = (caller.0, response.status().as_u16());
    tracing::info!(%by, %peer, %method, path, status, "asked over TCP");
    response
}

fn refuse(problem: Problem) -> Response {
    let mut response = problem.into_response();
    if response.status() == StatusCode::UNAUTHORIZED {
        response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer realm=\"baton\""));
    }
    // Its body is not read: the connection cannot be used again.
    response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOKEN: &str = "0123456789abcdef0123456789abcdef";

    #[test]
    fn each_request_needs_the_role_that_fits_what_it_does() {
        let (get, post, put, delete) = (Method::GET, Method::POST, Method::PUT, Method::DELETE);
        let cases = [
            (&get, "/", Need::Nothing),
            (&get, "/livez", Need::Nothing),
            (&get, "/readyz", Need::Nothing),
            (&get, "/v1/health", Need::Any),
            (&get, "/v1/actors/a%2Fb", Need::Any),
            (&get, "/metrics", Need::Role(Role::Read)),
            (&get, "/v1/actors", Need::Role(Role::Read)),
            (&get, "/v1/actors/a%2Fb/state", Need::Role(Role::Read)),
            (&Method::HEAD, "/v1/actors", Need::Role(Role::Read)),
            (&post, "/v1/actors/a%2Fb/call", Need::Role(Role::Call)),
            (&post, "/v1/actors/a/cast", Need::Role(Role::Call)),
            (&post, "/v1/groups/g/dispatch", Need::Role(Role::Call)),
            (&post, "/v1/actors/call/kill", Need::Role(Role::Operate)),
            (&post, "/v1/store/a/call", Need::Role(Role::Operate)),
            (&post, "/v1/children", Need::Role(Role::Operate)),
            (&put, "/v1/actors/a/call", Need::Role(Role::Operate)),
            (&delete, "/v1/children/a", Need::Role(Role::Operate)),
            (&post, "/", Need::Role(Role::Operate)),
            (&post, "/whatever", Need::Role(Role::Operate)),
        ];
        for (method, path, need) in cases {
            assert_eq!(Need::of(method, path), need, "{method} {path}");
        }
        assert!(Need::Role(Role::Read).met_by(&[Role::Operate]));
        assert!(!Need::Role(Role::Read).met_by(&[Role::Call]), "who may send may not look");
        assert!(!Need::Role(Role::Operate).met_by(&[Role::Read, Role::Call]));
    }

    #[test]
    fn a_token_is_found_by_itself_whether_the_file_holds_it_or_its_digest() {
        let digest = Sha256::of(TOKEN.as_bytes()).to_string();
        for line in [format!("token = \"{TOKEN}\""), format!("sha256 = \"{digest}\"")] {
            let text = format!("[tokens.grafana]\nroles = [\"read\"]\n{line}\n");
            let tokens = Tokens::parse(&text, false).unwrap_or_else(|why| panic!("{why}"));
            assert_eq!(tokens.find(TOKEN).map(|token| &*token.name), Some("grafana"));
            assert!(tokens.find(&TOKEN[1..]).is_none() && tokens.find("").is_none() && tokens.find(&digest).is_none());
        }
    }

    #[test]
    fn a_token_whose_digest_is_alike_in_part_is_another_one() {
        let digest = |token: &str| *Sha256::of(token.as_bytes()).as_bytes();
        let known = "0123456789abcdef0123456789abcdef";
        let tokens = Tokens::parse(&format!("[tokens.a]\nroles = [\"read\"]\ntoken = {known:?}\n"), false).ok();
        let tokens = tokens.expect("a file");
        assert!(tokens.find(known).is_some());
        for part in [0..2, 15..17, 30..32] {
            let alike = |token: &String| digest(token)[part.clone()] == digest(known)[part.clone()];
            let twin = (0_u64..).map(|n| format!("{n:032}")).find(alike).expect("one in 65,536");
            assert!(tokens.find(&twin).is_none(), "bytes {part:?} of its digest");
        }
    }

    #[test]
    fn a_file_that_cannot_be_used_says_where_and_never_shows_a_token() {
        let entry = |lines: &str| format!("[tokens.a]\n{lines}\n");
        let good = format!("roles = [\"read\"]\ntoken = \"{TOKEN}\"");
        let cases = [
            (String::new(), false, "it has no tokens"),
            (entry(&good), true, "chmod 600"),
            (entry("roles = []\ntoken = \"x\""), false, "`roles` is empty"),
            (entry("roles = [\"read\"]\ntoken = \"x\""), false, "32 to 512 visible characters"),
            (entry("roles = [\"read\"]"), false, "either `token` or `sha256`"),
            (entry("roles = [\"read\"]\nsha256 = \"12\""), false, "`sha256`: "),
            (entry(&format!("roles = [\"admin\"]\ntoken = \"{TOKEN}\"")), false, "line 2: unknown variant `admin`"),
            (entry(&format!("{good}\nrole = 3")), false, "unknown field `role`"),
            (format!("{}[tokens.b]\n{good}\n", entry(&good)), false, "`a` and `b` are the same token"),
            (format!("[tokens.\"a b\"]\n{good}\n"), false, "name has 1 to 64"),
            (entry(&format!("{good}\ntoken = \"{TOKEN}\"")), false, "line 4"),
        ];
        for (text, open, expected) in cases {
            let why = Tokens::parse(&text, open).err().unwrap_or_else(|| panic!("{text} can be used"));
            assert!(why.contains(expected), "{text}: {why}");
            assert!(!why.contains(TOKEN), "{why}");
        }
    }
}
