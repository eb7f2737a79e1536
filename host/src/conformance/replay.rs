//! A failing run written down as a script, to lie among an author's own until it is mended. Pure.

use serde_json::{Value, json};

use super::actor::Kind;
use super::media::Media;
use super::play::{Case, Seen};
use super::script::{How, Step};

/// The run with its handovers, and what the one that lived on answered. None: it has something that no script can say.
pub(super) fn script(media: Media, args: Option<&str>, case: &Case, control: &Seen) -> Option<Value> {
    let mut out: Vec<Value> = args.map(|file| json!({"args": file})).into_iter().collect();
    for (at, step) in case.steps.iter().enumerate() {
        match case.handovers.get(&at) {
            Some(Kind::Snapshot) => out.push(json!({"handoff": true})),
            Some(Kind::Terminate) => out.push(json!({"handoff": "terminate"})),
            Some(Kind::Look) => return None,
            None => {}
        }
        out.push(match step {
            Step::Say { how, from, body, .. } => {
                let answer = control.turns.get(at).and_then(|turns| turns.first()).map(|turn| &turn.answer);
                let word = if *how == How::Call { "call" } else { "cast" };
                let mut said = json!({word: value(media, body)?});
                if let Some(from) = from {
                    said["from"] = json!(from.as_str());
                }
                match answer {
                    Some(Ok(reply)) if *how == How::Call => said["reply"] = value(media, reply)?,
                    Some(Err(failure)) => said["failure"] = json!(failure.code),
                    _ => {}
                }
                said
            }
            Step::Advance(ms) => json!({"advance_ms": ms}),
            _ => return None,
        });
    }
    Some(Value::Array(out))
}

fn value(media: Media, body: &[u8]) -> Option<Value> {
    match media {
        // What is no JSON cannot stand in a script of a plugin that takes JSON.
        Media::Json => serde_json::from_slice(body).ok(),
        Media::Bytes => Some(match std::str::from_utf8(body) {
            Ok(text) => json!({"text": text}),
            Err(_) => json!({"hex": body.iter().map(|byte| format!("{byte:02x}")).collect::<String>()}),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::super::script::{Expect, parse};
    use super::super::turn::Turn;
    use super::*;
    use crate::model::{ActorName, Failure};

    fn said(body: &[u8], from: Option<&str>) -> Step {
        let from = from.map(|name| ActorName::new(name).expect("valid"));
        Step::Say { how: How::Call, from, body: body.to_vec(), expect: Expect::Anything }
    }

    fn answered(answer: Result<&[u8], &str>) -> Vec<Turn> {
        let answer = answer.map(<[u8]>::to_vec);
        let answer = answer.map_err(|code| Failure { code: code.into(), message: "m".into() });
        vec![Turn { said: String::new(), expects_reply: true, answer, asked: Vec::new(), done: Vec::new() }]
    }

    #[test]
    fn a_run_becomes_a_script_that_is_read_again() {
        let steps = vec![said(b"{\"add\":3}", None), Step::Advance(5), said(b"\"get\"", Some("alice"))];
        let mut case = Case::plain(steps);
        case.handovers.insert(2, Kind::Terminate);
        let turns = vec![answered(Ok(b"3")), Vec::new(), answered(Err("no"))];
        let control = Seen { turns, ..Seen::default() };
        let script = script(Media::Json, Some("a.json"), &case, &control).expect("can be said");
        let expected = json!([{"args": "a.json"}, {"call": {"add": 3}, "reply": 3}, {"advance_ms": 5},
            {"handoff": "terminate"}, {"call": "get", "from": "alice", "failure": "no"}]);
        assert_eq!(script, expected);
        assert_eq!(parse(script.to_string().as_bytes(), Media::Json).map(|steps| steps.len()), Ok(5));
    }

    #[test]
    fn what_is_no_json_is_not_written_as_json() {
        let (case, control) = (Case::plain(vec![said(b"{", None)]), Seen::default());
        assert_eq!(script(Media::Json, None, &case, &control), None);
        assert_eq!(script(Media::Bytes, None, &case, &control), Some(json!([{"call": {"text": "{"}}])));
    }
}
