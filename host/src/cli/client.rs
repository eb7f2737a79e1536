//! A client of the host: HTTP/1.1 over one connection that is kept.
//!
//! Whoever sends a message wants to know whether it was seen. So an error here says one of two things: it certainly was
//! not, or nobody knows.

use std::time::Duration;

use baton_host::config::closest;
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::{Method, Request, StatusCode, header};
use hyper_util::rt::TokioIo;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Deserialize;
use tokio::sync::mpsc;
use tokio::task::yield_now;
use tokio::time::{Instant, timeout};

use super::output::Failure;
use super::way::Way;

/// A connection that was idle for longer is replaced: the host closes one after 30 s, and a request that meets the closing
/// would be in doubt.
const IDLE: Duration = Duration::from_secs(10);
/// How long the host may take for an answer that waits for no actor.
pub(super) const ANSWER_TIMEOUT: Duration = Duration::from_secs(60);
/// Largest answer that is read, in bytes.
const ANSWER_BYTES: usize = 256 << 20;
/// Times that a request is given to a new connection because the one before had closed already.
const CONNECTIONS: u32 = 3;

/// Times that the connection's own task may run before it is used again.
const CHANCES: u32 = 2;

/// What a name may hold unescaped in a path.
const NAME: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// The host's answer.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) body: Bytes,
}

/// Why there is none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Lost {
    /// The request did not reach the host.
    Unreachable(String),
    /// It may have.
    Unknown(String),
}

/// A request.
#[derive(Debug, Clone)]
pub(super) struct Ask<'a> {
    pub(super) method: Method,
    pub(super) path: String,
    /// The message's id and media type, and the message.
    pub(super) id: Option<&'a str>,
    pub(super) media_type: Option<&'static str>,
    /// The signature of the component that is the body.
    pub(super) signature: Option<&'a str>,
    pub(super) body: Bytes,
    pub(super) timeout: Duration,
}

impl Ask<'_> {
    pub(super) fn get(path: impl Into<String>) -> Self {
        let (path, body) = (path.into(), Bytes::new());
        Self { method: Method::GET, path, id: None, media_type: None, signature: None, body, timeout: ANSWER_TIMEOUT }
    }
}

/// An error that the host answered with.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Problem {
    pub(super) code: String,
    pub(super) detail: String,
    /// What to do about it, where the host knows.
    #[serde(default)]
    pub(super) hint: Option<String>,
}

impl Answer {
    /// The problem that it tells, if it is none of success.
    pub(super) fn problem(&self) -> Option<Problem> {
        if self.status.is_success() {
            return None;
        }
        let foreign = |_| Problem {
            code: format!("http-{}", self.status.as_u16()),
            detail: format!("the host answered {}", self.status),
            hint: None,
        };
        Some(serde_json::from_slice(&self.body).unwrap_or_else(foreign))
    }
}

/// A listing, with its names under a word of its own.
#[derive(Deserialize)]
struct Listing {
    #[serde(alias = "actors", alias = "tree", alias = "plugins", alias = "groups")]
    listed: Vec<Named>,
}

#[derive(Deserialize)]
struct Named {
    #[serde(alias = "actor", alias = "group")]
    name: String,
}

/// The client.
#[derive(Debug)]
pub(super) struct Client {
    way: Way,
    connection: Option<Connection>,
}

#[derive(Debug)]
struct Connection {
    sender: SendRequest<Full<Bytes>>,
    used: Instant,
}

impl Client {
    pub(super) fn new(way: Way) -> Self {
        Self { way, connection: None }
    }

    pub(super) fn way(&self) -> &Way {
        &self.way
    }

    /// Sends a request and reads the answer.
    pub(super) async fn ask(&mut self, ask: &Ask<'_>) -> Result<Answer, Lost> {
        let limit = ask.timeout;
        match timeout(limit, self.ask_in_time(ask)).await {
            Ok(answer) => answer,
            Err(_) => {
                // Its answer may still come, and must not be taken for the next one's.
                self.connection = None;
                Err(Lost::Unknown(format!("no answer within {} s", limit.as_secs())))
            }
        }
    }

    async fn ask_in_time(&mut self, ask: &Ask<'_>) -> Result<Answer, Lost> {
        let mut closed = String::new();
        for _ in 0..CONNECTIONS {
            let mut sender = self.connection().await?;
            match sender.try_send_request(request(&self.way, ask)?).await {
                Ok(response) => {
                    let (head, body) = response.into_parts();
                    let body = Limited::new(body, ANSWER_BYTES).collect().await;
                    let body = body.map_err(|error| Lost::Unknown(format!("the answer was cut short: {error}")))?;
                    let closes = head.headers.get(header::CONNECTION).is_some_and(|value| value == "close");
                    if !closes {
                        self.connection = Some(Connection { sender, used: Instant::now() });
                    }
                    return Ok(Answer { status: head.status, body: body.to_bytes() });
                }
                // It came back unsent.
                Err(error) if error.message().is_some() => closed = error.into_error().to_string(),
                Err(error) => {
                    return Err(Lost::Unknown(format!("the connection broke: {}", error.into_error())));
                }
            }
        }
        Err(Lost::Unreachable(format!("the host closes its connections: {closed}")))
    }

    /// The kept connection if it is of use, else a new one. It is kept again by whoever gets a whole answer through it.
    async fn connection(&mut self) -> Result<SendRequest<Full<Bytes>>, Lost> {
        if let Some(mut kept) = self.connection.take()
            && kept.used.elapsed() < IDLE
        {
            // While this thread waited for something else, as a batch does for its input, the host may have closed it.
            // The connection's task learns that from the system as soon as it is let; then nothing is sent in vain.
            for _ in 0..CHANCES {
                yield_now().await;
            }
            if !kept.sender.is_closed() && kept.sender.ready().await.is_ok() {
                return Ok(kept.sender);
            }
        }
        let unreachable = |error: &dyn std::fmt::Display| Lost::Unreachable(error.to_string());
        let stream = self.way.connect().await.map_err(|e| unreachable(&e))?;
        let (sender, connection) = handshake(TokioIo::new(stream)).await.map_err(|e| unreachable(&e))?;
        // Its error is what the request in hand is told.
        tokio::spawn(async { drop(connection.await) });
        Ok(sender)
    }

    /// A failure that says that no host answers.
    pub(super) fn unreachable(&self, why: &str) -> Failure {
        Failure::new(format!("no host answers at {}: {why}", self.way)).hint(self.way.hint()).code(Failure::UNREACHABLE)
    }

    /// The failure for a request that brought no answer.
    pub(super) fn lost(&self, lost: Lost) -> Failure {
        match lost {
            Lost::Unreachable(why) => self.unreachable(&why),
            Lost::Unknown(why) => Failure::new(why),
        }
    }

    /// The failure for a problem that the host told; for an unknown actor with the name that was perhaps meant.
    pub(super) async fn refused(&mut self, problem: &Problem, actor: Option<&str>) -> Failure {
        let failure = Failure::new(format!("{} [{}]", problem.detail, problem.code)).refusal();
        let hint = match (problem.code.as_str(), actor) {
            ("unknown-actor", Some(actor)) => Some(self.meant("actors", actor, "`baton ps` lists the actors").await),
            ("unauthorized", _) => Some("name the file of your token with --token-file, or set BATON_TOKEN".to_owned()),
            // The host names the one that it does not know.
            ("unknown-plugin", _) if let Some(plugin) = problem.detail.split('`').nth(1) => {
                Some(self.meant("plugins", plugin, "`baton plugin ls` lists the plugins").await)
            }
            ("not-stored", _) => Some("`baton store ls` lists what is stored".to_owned()),
            ("unavailable" | "mailbox-full", _) => {
                Some("it was not seen: try again later, or with --wait 30s".to_owned())
            }
            _ => problem.hint.clone(),
        };
        match hint {
            Some(hint) => failure.hint(hint),
            None => failure,
        }
    }

    /// The failure for a problem with `child`, or with the supervisor that it is to stand under. Either may be a name that
    /// was mistyped.
    pub(super) async fn refused_child(&mut self, problem: &Problem, child: &str, supervisor: Option<&str>) -> Failure {
        let meant = match problem.code.as_str() {
            "unknown-actor" => Some(child),
            "unknown-supervisor" => supervisor,
            _ => None,
        };
        match meant {
            Some(name) => {
                let hint = self.meant("tree", name, "`baton tree` shows who is there").await;
                Failure::new(format!("{} [{}]", problem.detail, problem.code)).hint(hint)
            }
            None => self.refused(problem, None).await,
        }
    }

    /// The name in a listing, such as `actors` or `tree`, that was perhaps meant; else `otherwise`.
    pub(super) async fn meant(&mut self, listing: &str, name: &str, otherwise: &str) -> String {
        let known = self.names(&format!("/v1/{listing}")).await.unwrap_or_default();
        match closest(name, known.iter().map(String::as_str)) {
            Some(name) => format!("did you mean `{name}`?"),
            None => otherwise.to_owned(),
        }
    }

    /// The names in a listing; none: it cannot be had.
    pub(super) async fn names(&mut self, path: &str) -> Option<Vec<String>> {
        let answer = self.ask(&Ask::get(path)).await.ok()?;
        let listing: Listing = serde_json::from_slice(&answer.body).ok()?;
        Some(listing.listed.into_iter().map(|named| named.name).collect())
    }

    /// The JSON that the host answers a GET with.
    pub(super) async fn get<T: for<'de> Deserialize<'de>>(
        &mut self,
        path: &str,
        actor: Option<&str>,
    ) -> Result<T, Failure> {
        let answer = self.ask(&Ask::get(path)).await.map_err(|lost| self.lost(lost))?;
        if let Some(problem) = answer.problem() {
            return Err(self.refused(&problem, actor).await);
        }
        serde_json::from_slice(&answer.body)
            .map_err(|error| Failure::new(format!("the host's answer cannot be read: {error}")))
    }
}

/// How long the host may take for what stops and starts actors: as long as their own bounds let it, and these may be long.
pub(super) const PATIENCE: Duration = Duration::from_secs(60 * 60);

impl Client {
    /// Asks for something to be done, and waits for it.
    pub(super) async fn act<T: for<'de> Deserialize<'de>>(
        &mut self,
        method: Method,
        path: &str,
        body: Bytes,
    ) -> Result<T, Failure> {
        self.act_signed(method, path, body, None).await
    }

    /// The same with a component, and with its signature where it has one.
    pub(super) async fn act_signed<T: for<'de> Deserialize<'de>>(
        &mut self,
        method: Method,
        path: &str,
        body: Bytes,
        signature: Option<&str>,
    ) -> Result<T, Failure> {
        let ask = Ask { method, body, signature, timeout: PATIENCE, ..Ask::get(path) };
        let answer = match self.ask(&ask).await {
            Ok(answer) => answer,
            Err(Lost::Unknown(why)) => return Err(Failure::new(format!("{why}; whether it was done is not known"))),
            Err(lost) => return Err(self.lost(lost)),
        };
        if let Some(problem) = answer.problem() {
            return Err(self.refused(&problem, None).await);
        }
        serde_json::from_slice(&answer.body)
            .map_err(|error| Failure::new(format!("the host's answer cannot be read: {error}")))
    }

    /// The bytes that the host answers a GET with.
    pub(super) async fn bytes(&mut self, path: &str) -> Result<Bytes, Failure> {
        let answer = self.ask(&Ask::get(path)).await.map_err(|lost| self.lost(lost))?;
        match answer.problem() {
            Some(problem) => Err(self.refused(&problem, None).await),
            None => Ok(answer.body),
        }
    }

    /// Hands the bytes of an answer of any length on as they come, over a connection of its own. Ends early where nobody
    /// takes them.
    pub(super) async fn download(&mut self, path: &str, pieces: mpsc::Sender<Bytes>) -> Result<(), Failure> {
        let ask = Ask::get(path);
        let lost = |client: &Self, lost| client.lost(lost);
        let asking = async {
            let mut sender = self.connection().await?;
            let request = request(&self.way, &ask)?;
            let answer = sender.send_request(request).await;
            answer.map_err(|error| Lost::Unknown(format!("the connection broke: {error}")))
        };
        let late = || Lost::Unknown(format!("no answer within {} s", ANSWER_TIMEOUT.as_secs()));
        let response = timeout(ANSWER_TIMEOUT, asking).await.unwrap_or_else(|_| Err(late()));
        let response = response.map_err(|error| lost(self, error))?;
        let (head, mut body) = response.into_parts();
        if !head.status.is_success() {
            let body = Limited::new(body, ANSWER_BYTES).collect().await;
            let body = body.map_err(|error| Failure::new(format!("the answer was cut short: {error}")))?.to_bytes();
            let problem = Answer { status: head.status, body }.problem();
            return match problem {
                Some(problem) => Err(self.refused(&problem, None).await),
                None => Ok(()),
            };
        }
        loop {
            match timeout(ANSWER_TIMEOUT, body.frame()).await {
                Ok(None) => return Ok(()),
                Ok(Some(Ok(frame))) => {
                    if let Ok(piece) = frame.into_data()
                        && pieces.send(piece).await.is_err()
                    {
                        return Ok(());
                    }
                }
                Ok(Some(Err(error))) => return Err(Failure::new(format!("the answer was cut short: {error}"))),
                Err(_) => return Err(self.lost(late())),
            }
        }
    }
}

/// The path of an actor's or a stored actor's page.
pub(super) fn path_of(room: &str, actor: &str, rest: &str) -> String {
    format!("/v1/{room}/{}{rest}", escaped(actor))
}

/// A name as it stands in a path or a query.
pub(super) fn escaped(name: &str) -> impl std::fmt::Display {
    utf8_percent_encode(name, NAME)
}

fn request(way: &Way, ask: &Ask<'_>) -> Result<Request<Full<Bytes>>, Lost> {
    let mut builder = Request::builder().method(&ask.method).uri(&ask.path).header(header::HOST, way.authority());
    if let Some(token) = way.token() {
        builder = builder.header(header::AUTHORIZATION, format!("Bearer {token}"));
    }
    if let Some(media_type) = ask.media_type {
        builder = builder.header(header::CONTENT_TYPE, media_type);
    }
    if let Some(id) = ask.id {
        builder = builder.header("idempotency-key", id);
    }
    if let Some(signature) = ask.signature {
        builder = builder.header("baton-signature", escaped(signature).to_string());
    }
    let request = builder.body(Full::new(ask.body.clone()));
    request.map_err(|error| Lost::Unreachable(format!("the request cannot be made: {error}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_one_segment_of_a_path() {
        assert_eq!(path_of("actors", "cart/42", "/call"), "/v1/actors/cart%2F42/call");
        assert_eq!(path_of("store", "a b?#%<ü", ""), "/v1/store/a%20b%3F%23%25%3C%C3%BC");
    }

    #[test]
    fn an_answer_that_is_no_problem_document_is_told_by_its_status() {
        let answer = Answer { status: StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE, body: Bytes::new() };
        assert_eq!(answer.problem().expect("no success").code, "http-431");
        let answer = Answer { status: StatusCode::OK, body: Bytes::new() };
        assert!(answer.problem().is_none());
    }

    #[tokio::test]
    async fn a_missing_socket_and_a_dead_one_are_both_certain() {
        let dir = tempfile::tempdir().expect("a folder");
        let path = dir.path().join("baton.sock");
        let mut client = Client::new(Way::Socket(path.clone()));
        assert!(matches!(client.ask(&Ask::get("/v1/health")).await, Err(Lost::Unreachable(_))));
        drop(tokio::net::UnixListener::bind(&path).expect("bound"));
        assert!(matches!(client.ask(&Ask::get("/v1/health")).await, Err(Lost::Unreachable(_))));
    }

    #[tokio::test]
    async fn a_connection_that_breaks_under_a_request_leaves_it_in_doubt() {
        let dir = tempfile::tempdir().expect("a folder");
        let path = dir.path().join("baton.sock");
        let listener = tokio::net::UnixListener::bind(&path).expect("bound");
        let host = tokio::spawn(async move {
            let (stream, _) = listener.accept().await.expect("a client");
            stream.readable().await.expect("a request");
        });
        let mut client = Client::new(Way::Socket(path));
        assert!(matches!(client.ask(&Ask::get("/v1/health")).await, Err(Lost::Unknown(_))));
        host.await.expect("ends");
    }

    #[tokio::test]
    async fn a_connection_that_was_closed_meanwhile_leaves_nothing_in_doubt() {
        use std::io::{Read as _, Write as _};
        for _ in 0..100 {
            let dir = tempfile::tempdir().expect("a folder");
            let path = dir.path().join("baton.sock");
            let listener = std::os::unix::net::UnixListener::bind(&path).expect("bound");
            let host = std::thread::spawn(move || {
                let (mut stream, _) = listener.accept().expect("a client");
                assert!(stream.read(&mut [0; 4_096]).expect("a request") > 0);
                stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok").expect("a reader");
            });
            let mut client = Client::new(Way::Socket(path));
            assert_eq!(client.ask(&Ask::get("/")).await.expect("an answer").body, "ok");
            // As reading stdin would, this holds up the only thread there is.
            host.join().expect("ends");
            assert!(matches!(client.ask(&Ask::get("/")).await, Err(Lost::Unreachable(_))));
        }
    }
}
