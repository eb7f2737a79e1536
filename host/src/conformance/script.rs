//! Conversations, as an author writes them: what is said, and what must come of it. Reading them is pure.

use serde_json::{Map, Value};

use super::actor::Kind;
use super::media::{Media, shortened, show};
use crate::model::{ActorName, CallError, Failure, GroupName, SendError};

/// Most steps of one script.
const STEPS: usize = 1_000;

/// One step of a conversation.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Step {
    /// A message.
    Say { how: How, from: Option<ActorName>, body: Vec<u8>, expect: Expect },
    /// What was sent since the last such step.
    Sent(Vec<(ActorName, Vec<u8>)>),
    /// The clock goes on.
    Advance(u64),
    /// An actor that it monitors has ended.
    Down(ActorName, String),
    /// An actor that it is linked to has ended.
    Exit(ActorName, String),
    /// What its calls of an actor get from now on.
    Answer(ActorName, Result<Vec<u8>, CallError>),
    /// Who is in a group from now on.
    Members(GroupName, Vec<ActorName>),
    /// Whether it may change the tree of supervisors from now on.
    Supervise(bool),
    /// It is handed over.
    Handoff(Kind),
    /// It is started with arguments of `fixtures/args`.
    Args(String),
    /// It begins with a state of `fixtures/states`.
    State { schema: u32, file: String },
    /// It has asked to stop.
    Stopped,
}

impl Step {
    /// In words, for a report.
    pub(super) fn words(&self) -> String {
        match self {
            Self::Say { how, from, body, .. } => {
                let how = if *how == How::Call { "call" } else { "cast" };
                let from = from.as_ref().map(|from| format!(" from {from}")).unwrap_or_default();
                format!("{how}{from} {}", show(body))
            }
            Self::Advance(ms) => format!("{ms} ms pass"),
            Self::Down(who, reason) => format!("down {who}: {reason}"),
            Self::Exit(who, reason) => format!("exit {who}: {reason}"),
            Self::Handoff(_) => "(handed over)".to_owned(),
            other => format!("{other:?}"),
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum How {
    Call,
    Cast,
}

/// What must come of a message.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Expect {
    Anything,
    Reply(Vec<u8>),
    /// A failure with this code.
    Failure(String),
}

/// The steps of a script.
///
/// # Errors
/// Which step is wrong, and how.
pub(super) fn parse(text: &[u8], media: Media) -> Result<Vec<Step>, String> {
    let steps: Vec<Value> = serde_json::from_slice(text).map_err(|error| match error.is_data() {
        true => "a script is a list of steps: [{\"call\": …}, …]".to_owned(),
        false => format!("it is not JSON: {error}"),
    })?;
    if steps.len() > STEPS {
        return Err(format!("it has {} steps; at most {STEPS} are played", steps.len()));
    }
    let numbered = steps.iter().enumerate();
    let read = numbered.map(|(at, step)| one(step, at, media).map_err(|why| format!("step {}: {why}", at + 1)));
    let steps = read.collect::<Result<Vec<_>, _>>()?;
    let state = steps.iter().position(|step| matches!(step, Step::State { .. }));
    let begins = steps.iter().position(|step| !matches!(step, Step::Args(_)));
    match state.filter(|at| Some(*at) != begins) {
        Some(at) => Err(format!("step {}: `state` is a script's first step, or the second after `args`", at + 1)),
        None => Ok(steps),
    }
}

/// What a step does: the word that it has exactly one of.
const WORDS: [&str; 13] = [
    "call",
    "cast",
    "sent",
    "advance_ms",
    "down",
    "exit",
    "answer",
    "members",
    "supervise",
    "handoff",
    "args",
    "state",
    "stopped",
];

fn one(step: &Value, at: usize, media: Media) -> Result<Step, String> {
    let object = step.as_object().ok_or_else(|| format!("{} is no object", shown(step)))?;
    let words: Vec<&str> = WORDS.into_iter().filter(|word| object.contains_key(*word)).collect();
    let [word] = words[..] else {
        return Err(format!("{} needs exactly one of {}", shown(step), WORDS.join(", ")));
    };
    let beside: &[&str] = match word {
        "call" => &["from", "reply", "failure"],
        "cast" => &["from", "failure"],
        _ => &[],
    };
    only(object, word, beside)?;
    let value = &object[word];
    match word {
        "call" | "cast" => say(object, word, media),
        "sent" => sent(value, media),
        "advance_ms" => {
            let ms = value.as_u64().ok_or("`advance_ms` is a number of milliseconds, 0 or more")?;
            Ok(Step::Advance(ms))
        }
        "down" | "exit" => {
            let fields = fields(value, word, &["actor", "reason"])?;
            let (who, why) = (actor(&fields["actor"])?, text(&fields["reason"], "reason")?.to_owned());
            Ok(if word == "down" { Step::Down(who, why) } else { Step::Exit(who, why) })
        }
        "answer" => answer(value, media),
        "members" => {
            let fields = fields(value, word, &["group", "are"])?;
            let group = GroupName::new(text(&fields["group"], "group")?).map_err(|error| error.to_string())?;
            let are = fields["are"].as_array().ok_or("`are` is a list of actors' names")?;
            Ok(Step::Members(group, are.iter().map(actor).collect::<Result<_, _>>()?))
        }
        "supervise" => Ok(Step::Supervise(value.as_bool().ok_or("`supervise` is true or false")?)),
        "args" if at > 0 => Err("`args` is a script's first step, or none".to_owned()),
        "args" => Ok(Step::Args(text(value, "args")?.to_owned())),
        "state" => {
            let fields = fields(value, word, &["schema", "file"])?;
            let schema = fields["schema"].as_u64().and_then(|schema| u32::try_from(schema).ok());
            let schema = schema.ok_or("`schema` is a whole number")?;
            Ok(Step::State { schema, file: text(&fields["file"], "file")?.to_owned() })
        }
        "handoff" if value == "terminate" => Ok(Step::Handoff(Kind::Terminate)),
        _ if *value != Value::Bool(true) => Err(format!("`{word}` is true")),
        "handoff" => Ok(Step::Handoff(Kind::Snapshot)),
        _ => Ok(Step::Stopped),
    }
}

fn say(object: &Map<String, Value>, word: &str, media: Media) -> Result<Step, String> {
    let how = if word == "call" { How::Call } else { How::Cast };
    let from = object.get("from").map(actor).transpose()?;
    let expect = match (object.get("reply"), object.get("failure")) {
        (Some(_), Some(_)) => return Err("it has `reply` and `failure`; a call has one of them".to_owned()),
        (Some(reply), None) => Expect::Reply(media.body(reply)?),
        (None, Some(code)) => Expect::Failure(text(code, "failure")?.to_owned()),
        (None, None) => Expect::Anything,
    };
    Ok(Step::Say { how, from, body: media.body(&object[word])?, expect })
}

fn sent(value: &Value, media: Media) -> Result<Step, String> {
    let list = value.as_array().ok_or("`sent` is a list: [{\"to\": …, \"body\": …}]; [] says that nothing was sent")?;
    let one = |message: &Value| {
        let fields = fields(message, "sent", &["to", "body"])?;
        Ok((actor(&fields["to"])?, media.body(&fields["body"])?))
    };
    Ok(Step::Sent(list.iter().map(one).collect::<Result<_, String>>()?))
}

fn answer(value: &Value, media: Media) -> Result<Step, String> {
    let object = value.as_object().ok_or("`answer` is {\"to\": …, \"reply\": …} or {\"to\": …, \"error\": …}")?;
    only(object, "to", &["reply", "error"])?;
    let to = actor(object.get("to").ok_or("`answer` lacks `to`, the actor that is called")?)?;
    let outcome = match (object.get("reply"), object.get("error")) {
        (Some(reply), None) => Ok(media.body(reply)?),
        (None, Some(error)) => Err(call_error(&to, error)?),
        _ => return Err("`answer` has either `reply` or `error`".to_owned()),
    };
    Ok(Step::Answer(to, outcome))
}

fn call_error(of: &ActorName, error: &Value) -> Result<CallError, String> {
    let actor = of.to_string();
    if error.is_object() {
        let fields = fields(error, "error", &["code", "message"])?;
        let of = |key| text(&fields[key], key).map(str::to_owned);
        return Ok(CallError::Failed(Failure { code: of("code")?, message: of("message")? }));
    }
    Ok(match text(error, "error")? {
        "unknown-actor" => SendError::UnknownActor(actor).into(),
        "mailbox-full" => SendError::MailboxFull { actor, messages: 1, max_messages: 1, bytes: 1, max_bytes: 1 }.into(),
        "unavailable" => SendError::Unavailable { actor, why: "the script says so".to_owned() }.into(),
        "timeout" => CallError::Timeout { actor, timeout_ms: 0 },
        "crashed" => CallError::Crashed { actor, reason: "the script says so".to_owned() },
        "deadlock" => CallError::Deadlock { actor, chain: "the script says so".to_owned() },
        other => {
            return Err(format!(
                "{other:?} is no error of a call; there are unknown-actor, mailbox-full, unavailable, timeout, crashed, deadlock, and {{\"code\": …, \"message\": …}} for a failure of the actor called"
            ));
        }
    })
}

/// That an object has no word beside those.
fn only(object: &Map<String, Value>, word: &str, beside: &[&str]) -> Result<(), String> {
    match object.keys().find(|key| *key != word && !beside.contains(&key.as_str())) {
        Some(other) => Err(format!("`{other}` has no meaning beside `{word}`")),
        None => Ok(()),
    }
}

/// An object with exactly these keys.
fn fields<'a>(value: &'a Value, word: &str, keys: &[&str]) -> Result<&'a Map<String, Value>, String> {
    let object = value
        .as_object()
        .filter(|object| object.len() == keys.len() && keys.iter().all(|key| object.contains_key(*key)));
    object.ok_or_else(|| format!("`{word}` has {}, and {} has not, or has more", keys.join(" and "), shown(value)))
}

fn actor(value: &Value) -> Result<ActorName, String> {
    ActorName::new(text(value, "an actor's name")?).map_err(|error| error.to_string())
}

fn text<'a>(value: &'a Value, what: &str) -> Result<&'a str, String> {
    value.as_str().ok_or_else(|| format!("{what}: {} is no text", shown(value)))
}

fn shown(value: &Value) -> String {
    shortened(&value.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_step_is_read() {
        let script = br#"[
            {"args": "forty.json"}, {"state": {"schema": 1, "file": "1-three.bin"}},
            {"call": {"add": 3}, "reply": 3}, {"call": "x", "failure": "bad-message"},
            {"call": "get", "from": "alice", "reply": 3}, {"cast": {"add": 1}},
            {"sent": [{"to": "room/1", "body": {"say": "hi"}}]}, {"sent": []}, {"advance_ms": 60000},
            {"down": {"actor": "x", "reason": "normal"}}, {"exit": {"actor": "x", "reason": "killed"}},
            {"answer": {"to": "bank/1", "reply": {"ok": true}}}, {"answer": {"to": "bank/1", "error": "timeout"}},
            {"answer": {"to": "bank/1", "error": {"code": "no", "message": "never"}}},
            {"members": {"group": "room", "are": ["a", "b"]}}, {"supervise": true}, {"handoff": true}, {"handoff": "terminate"},
            {"stopped": true}
        ]"#;
        assert_eq!(parse(script, Media::Json).map(|steps| steps.len()), Ok(19));
    }

    #[test]
    fn what_is_wrong_is_told_with_its_step() {
        let cases = [
            ("{}", "a list of steps"),
            ("[", "not JSON"),
            ("[1]", "step 1: 1 is no object"),
            (r#"[{"cast": 1}, {"caal": 1}]"#, "step 2: {\"caal\":1} needs exactly one of call"),
            (r#"[{"call": 1, "cast": 2}]"#, "needs exactly one"),
            (r#"[{"call": 1, "replay": 2}]"#, "`replay` has no meaning beside `call`"),
            (r#"[{"cast": 1, "reply": 2}]"#, "`reply` has no meaning beside `cast`"),
            (r#"[{"call": 1, "reply": 2, "failure": "x"}]"#, "one of them"),
            (r#"[{"call": 1, "from": ""}]"#, "actor name"),
            (r#"[{"advance_ms": -1}]"#, "milliseconds"),
            (r#"[{"sent": {"to": "a"}}]"#, "is a list"),
            (r#"[{"down": {"actor": "x"}}]"#, "actor and reason"),
            (r#"[{"answer": {"to": "x", "error": "tired"}}]"#, "no error of a call"),
            (r#"[{"answer": {"to": "x"}}]"#, "either"),
            (r#"[{"handoff": false}]"#, "`handoff` is true"),
            (r#"[{"cast": 1}, {"state": {"schema": 1, "file": "x"}}]"#, "first step"),
        ];
        for (script, words) in cases {
            let why = parse(script.as_bytes(), Media::Json).expect_err(script);
            assert!(why.contains(words), "{script}: {why}");
        }
    }
}
