//! A message for each line of a file: sent in order, over one connection, each when the one before has its answer.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read as _};
use std::path::Path;

use baton_host::model::{ActorName, MessageId};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::body::{Given, Reply};
use super::message::{Kind, Outcome, Outgoing, Sender, UNKNOWN, cast_id};
use super::output::{Failure, harmless, print_body, print_line, tell_error};

/// Longest line, in bytes: the largest message that any actor takes, and room for its name.
const LINE_BYTES: u64 = (64 << 20) + (64 << 10);

/// A line of the file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    actor: String,
    body: Box<RawValue>,
    id: Option<String>,
}

/// What is told of a line.
#[derive(Debug, Serialize)]
struct Told<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    line: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    actor: Option<&'a str>,
    ok: bool,
    #[serde(flatten)]
    reply: Option<Reply>,
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<&'a str>,
}

pub(super) async fn run(sender: &mut Sender, file: &Path, as_json: bool) -> Result<(), Failure> {
    let mut lines = open(file)?;
    let mut buffer = Vec::new();
    let (mut number, mut failed) = (0, 0);
    while read_line(&mut *lines, &mut buffer)
        .map_err(|error| Failure::new(format!("{}: line {}: {error}", file.display(), number + 1)))?
    {
        number += 1;
        if buffer.iter().all(u8::is_ascii_whitespace) {
            continue;
        }
        let message = match parse(&buffer) {
            Ok(message) => message,
            Err((code, error)) => {
                failed += 1;
                tell_failed(number, None, code, &error, as_json)?;
                continue;
            }
        };
        let actor = Some(message.actor.as_str());
        match sender.send(&message, Some(number)).await {
            Outcome::Done(body) => tell_done(sender.kind, Some(number), message.actor.as_str(), &body, as_json)?,
            Outcome::Problem(problem) => {
                failed += 1;
                tell_failed(number, actor, &problem.code, &problem.detail, as_json)?;
            }
            Outcome::Unknown(why) => {
                failed += 1;
                let error = format!("{why}; whether the actor has seen the message is not known");
                tell_failed(number, actor, UNKNOWN, &error, as_json)?;
            }
            Outcome::Unreachable(why) => {
                if as_json {
                    tell_failed(number, actor, "unreachable", &why, as_json)?;
                }
                // The lines after it would fail alike.
                return Err(sender.client.unreachable(&format!("{why}; stopped at line {number}, which was not sent")));
            }
        }
    }
    match failed {
        0 => Ok(()),
        _ => Err(Failure::new(format!("{failed} of {number} lines failed"))),
    }
}

fn open(file: &Path) -> Result<Box<dyn BufRead>, Failure> {
    if file == Path::new("-") {
        return Ok(Box::new(io::stdin().lock()));
    }
    let opened = File::open(file).map_err(|error| Failure::usage(format!("{}: {error}", file.display())))?;
    Ok(Box::new(BufReader::new(opened)))
}

/// The next line, without its end. False: there is none.
fn read_line(lines: &mut dyn BufRead, buffer: &mut Vec<u8>) -> io::Result<bool> {
    buffer.clear();
    if lines.take(LINE_BYTES).read_until(b'\n', buffer)? == 0 {
        return Ok(false);
    }
    if buffer.len() as u64 == LINE_BYTES && buffer.last() != Some(&b'\n') {
        return Err(io::Error::other(format!("it is longer than {LINE_BYTES} bytes")));
    }
    Ok(true)
}

fn parse(line: &[u8]) -> Result<Outgoing, (&'static str, String)> {
    let line: Line = serde_json::from_slice(line).map_err(|error| {
        ("bad-line", format!("{error}; expected {{\"actor\": …, \"body\": …}}, and \"id\" where wanted"))
    })?;
    let bad_name = |error: baton_host::model::NameError| ("bad-name", error.to_string());
    let actor = ActorName::new(&line.actor).map_err(bad_name)?;
    let id = line.id.map(|id| MessageId::new(&id)).transpose().map_err(bad_name)?;
    Ok(Outgoing { actor, given: Given::Json(line.body), id })
}

/// What the host answered; `line` names the message where there are several.
pub(super) fn tell_done(
    kind: Kind,
    line: Option<usize>,
    actor: &str,
    body: &[u8],
    as_json: bool,
) -> Result<(), Failure> {
    let id = if kind == Kind::Cast { cast_id(body) } else { None };
    match (kind, as_json) {
        (Kind::Call(_), false) => print_body(body).map_err(unheard),
        (Kind::Cast, false) => print_line(&id.unwrap_or_default()).map_err(unheard),
        (_, true) => {
            let reply = if kind == Kind::Cast { None } else { Some(Reply::of(body)) };
            print(&Told { line, actor: Some(actor), ok: true, reply, id, code: None, error: None })
        }
    }
}

pub(super) fn tell_json_failed(
    line: Option<usize>,
    actor: Option<&str>,
    code: &str,
    error: &str,
) -> Result<(), Failure> {
    print(&Told { line, actor, ok: false, reply: None, id: None, code: Some(code), error: Some(error) })
}

fn tell_failed(line: usize, actor: Option<&str>, code: &str, error: &str, as_json: bool) -> Result<(), Failure> {
    if as_json {
        return tell_json_failed(Some(line), actor, code, error);
    }
    tell_error(&harmless(&format!("line {line}: {error} [{code}]")), None);
    Ok(())
}

fn print(told: &Told<'_>) -> Result<(), Failure> {
    let line = serde_json::to_string(told);
    let line = line.map_err(|error| Failure::new(format!("the result cannot be written as JSON: {error}")))?;
    print_line(&line).map_err(unheard)
}

/// Whoever reads has gone, and with it whoever would know what was sent: that is no success.
fn unheard(error: io::Error) -> Failure {
    Failure::from(error).code(Failure::FAILED)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_that_are_no_messages_are_told_apart() {
        let code = |line: &str| parse(line.as_bytes()).map(|_| ()).map_err(|(code, _)| code);
        assert_eq!(code(r#"{"actor": "a", "body": null}"#), Ok(()));
        assert_eq!(code(r#"{"actor": "a", "body": {"x": [1]}, "id": "m-1"}"#), Ok(()));
        for bad in ["", "get", r#"{"actor": "a"}"#, r#"{"body": 1}"#, r#"{"actor": "a", "body": 1, "bdoy": 2}"#] {
            assert_eq!(code(bad), Err("bad-line"), "{bad}");
        }
        for bad in [r#"{"actor": "a/../b", "body": 1}"#, r#"{"actor": "a", "body": 1, "id": ""}"#] {
            assert_eq!(code(bad), Err("bad-name"), "{bad}");
        }
    }

    #[test]
    fn the_last_line_needs_no_end() {
        let mut lines: &[u8] = b"one\n\ntwo";
        let mut buffer = Vec::new();
        let mut read = Vec::new();
        while read_line(&mut lines, &mut buffer).expect("in memory") {
            read.push(String::from_utf8_lossy(&buffer).trim().to_owned());
        }
        assert_eq!(read, ["one", "", "two"]);
    }

    #[test]
    fn a_line_of_the_answer_says_only_what_there_is_to_say() {
        let done = Told {
            line: Some(2),
            actor: Some("a"),
            ok: true,
            reply: Some(Reply::of(b"{\"n\":1}")),
            id: None,
            code: None,
            error: None,
        };
        assert_eq!(serde_json::to_string(&done).expect("plain"), r#"{"line":2,"actor":"a","ok":true,"reply":{"n":1}}"#);
        let failed = Told {
            line: Some(3),
            actor: None,
            ok: false,
            reply: None,
            id: None,
            code: Some("bad-line"),
            error: Some("x"),
        };
        assert_eq!(
            serde_json::to_string(&failed).expect("plain"),
            r#"{"line":3,"ok":false,"code":"bad-line","error":"x"}"#
        );
    }
}
