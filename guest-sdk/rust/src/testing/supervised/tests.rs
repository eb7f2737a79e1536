//! What an actor asks of those around it is written down as it asked, and what it is told reaches it.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::*;
use crate::supervision::{Restart, Shutdown};
use crate::{Actor, Cx, Level, plugin};

/// Hears of ends if its argument is `true`, and traps exits then.
#[derive(Debug, Serialize, Deserialize)]
struct Boss {
    heard: Vec<String>,
    #[serde(skip)]
    listens: bool,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Message {
    Start(Option<String>, String),
    Terminate(String),
    Restart(String),
    Delete(String),
    Which(Option<String>),
    Count(Option<String>),
    Whereis(String),
    Members(String),
    Attribute(String, String),
    Having(String, String),
    Monitor(String),
    Demonitor(String),
    Link(String),
    Unlink(String),
    Exit(String, String),
    Join(String),
    Leave(String),
    Dispatch(String, Value),
    Set(String, Option<String>),
}

impl Actor for Boss {
    type Message = Message;
    type Reply = Value;
    const SCHEMA: u32 = 1;

    fn init(cx: &Cx) -> Result<Self, Failure> {
        Ok(Self { heard: Vec::new(), listens: cx.args_json()? })
    }

    fn traps_exits(&self, _: &Cx) -> bool {
        self.listens
    }

    fn handle(&mut self, message: Message, cx: &Cx) -> Result<Value, Failure> {
        match message {
            Message::Start(supervisor, name) => {
                let child = ChildSpec::new(name, "worker")
                    .with_args("3")
                    .with_restart(Restart::Transient)
                    .with_shutdown(Shutdown::Infinity)
                    .significant();
                cx.start_child(supervisor.as_deref(), &child)?;
            }
            Message::Terminate(child) => cx.terminate_child(&child)?,
            Message::Restart(child) => cx.restart_child(&child)?,
            Message::Delete(child) => cx.delete_child(&child)?,
            Message::Which(supervisor) => {
                let children = cx.which_children(supervisor.as_deref())?;
                return Ok(children.into_iter().map(|child| child.name).collect());
            }
            Message::Count(supervisor) => {
                let counts = cx.count_children(supervisor.as_deref())?;
                return Ok(json!([counts.specs, counts.active, counts.supervisors, counts.workers]));
            }
            Message::Whereis(actor) => return Ok(json!(cx.whereis(&actor).map(|phase| format!("{phase:?}")))),
            Message::Members(group) => return Ok(json!(cx.members(&group)?)),
            Message::Attribute(actor, key) => return Ok(json!(cx.attribute(&actor, &key))),
            Message::Having(key, value) => return Ok(json!(cx.having(&key, &value)?)),
            Message::Monitor(actor) => cx.monitor(&actor)?,
            Message::Demonitor(actor) => cx.demonitor(&actor),
            Message::Link(actor) => cx.link(&actor)?,
            Message::Unlink(actor) => cx.unlink(&actor)?,
            Message::Exit(actor, reason) => cx.exit(&actor, &reason)?,
            Message::Join(group) => cx.join(&group)?,
            Message::Leave(group) => cx.leave(&group)?,
            Message::Dispatch(group, value) => cx.dispatch(&group, &value)?,
            Message::Set(key, value) => cx.set_attribute(&key, value.as_deref())?,
        }
        Ok(Value::Null)
    }

    fn down(&mut self, actor: &str, reason: &str, _: &Cx) -> Result<(), Failure> {
        self.heard.push(format!("down {actor} {reason}"));
        Ok(())
    }

    fn exit(&mut self, actor: &str, reason: &str, _: &Cx) -> Result<(), Failure> {
        self.heard.push(format!("exit {actor} {reason}"));
        Ok(())
    }
}

plugin!(Boss, name = "boss");

/// Listens to nobody, and says nothing about it.
#[derive(Debug, Serialize, Deserialize)]
struct Deaf;

impl Actor for Deaf {
    type Message = ();
    type Reply = ();
    const SCHEMA: u32 = 1;

    fn init(_: &Cx) -> Result<Self, Failure> {
        Ok(Self)
    }

    fn handle(&mut self, (): (), _: &Cx) -> Result<(), Failure> {
        Ok(())
    }
}

mod deaf {
    crate::plugin!(super::Deaf, name = "deaf");
}

fn boss() -> Harness<Boss> {
    Harness::start("boss", "true").expect("starts")
}

fn child(name: &str, kind: ChildKind, state: ChildState) -> ChildInfo {
    ChildInfo {
        name: name.into(),
        supervisor: Some("pool".into()),
        kind,
        state,
        restart: Restart::Permanent,
        shutdown: Shutdown::AfterMs(100),
        significant: false,
        restarts: 0,
        last_exit: None,
    }
}

#[test]
fn everything_asked_for_is_recorded_as_it_was_asked() {
    let started = ChildSpec {
        name: "w/1".into(),
        plugin: "worker".into(),
        args: b"3".to_vec(),
        restart: Restart::Transient,
        shutdown: Shutdown::Infinity,
        significant: true,
    };
    let w = || "w/1".to_owned();
    let cases = [
        (
            json!({"start": ["pool", "w/1"]}),
            Asked::StartChild { supervisor: Some("pool".into()), child: started.clone() },
        ),
        (json!({"start": [null, "w/1"]}), Asked::StartChild { supervisor: None, child: started }),
        (json!({"terminate": "w/1"}), Asked::TerminateChild(w())),
        (json!({"restart": "w/1"}), Asked::RestartChild(w())),
        (json!({"delete": "w/1"}), Asked::DeleteChild(w())),
        (json!({"monitor": "w/1"}), Asked::Monitor(w())),
        (json!({"demonitor": "w/1"}), Asked::Demonitor(w())),
        (json!({"link": "w/1"}), Asked::Link(w())),
        (json!({"unlink": "w/1"}), Asked::Unlink(w())),
        (json!({"exit": ["w/1", "shutdown"]}), Asked::Exit { actor: w(), reason: "shutdown".into() }),
        (json!({"join": "fast"}), Asked::Join("fast".into())),
        (json!({"leave": "fast"}), Asked::Leave("fast".into())),
        (json!({"dispatch": ["fast", [1, 2]]}), Asked::Dispatch { group: "fast".into(), body: b"[1,2]".to_vec() }),
        (json!({"set": ["k", "v"]}), Asked::SetAttribute { key: "k".into(), value: Some("v".into()) }),
        (json!({"set": ["k", null]}), Asked::SetAttribute { key: "k".into(), value: None }),
    ];
    let mut boss = boss();
    for (message, expected) in &cases {
        boss.cast(message).expect("is allowed");
        assert_eq!(boss.asked(), std::slice::from_ref(expected), "{message}");
    }
    boss.cast(&cases[2].0).expect("is allowed");
    boss.cast(&cases[5].0).expect("is allowed");
    assert_eq!(boss.asked(), [cases[2].1.clone(), cases[5].1.clone()], "in their order");
}

#[test]
fn what_is_refused_is_a_failure_with_its_code_and_is_not_recorded() {
    let mut boss = boss();
    boss.refuse_supervision(Some(SupervisionError::MaxChildren));
    boss.refuse_sends(Some(SendError::Limit("turn_sends = 0".into())));
    let at_once = [json!({"start": [null, "w/1"]}), json!({"which": null}), json!({"members": "fast"})];
    let effects = [json!({"link": "w/1"}), json!({"monitor": "w/1"}), json!({"join": "fast"})];
    for message in &at_once {
        assert_eq!(boss.cast(message).expect_err("is refused").code, "max-children", "{message}");
    }
    for message in &effects {
        assert_eq!(boss.cast(message).expect_err("is refused").code, "send-limit", "{message}");
    }
    assert_eq!(boss.asked(), []);
    boss.refuse_supervision(None);
    boss.refuse_sends(None);
    for message in at_once.iter().chain(&effects) {
        boss.cast(message).expect("is allowed again");
    }
}

#[test]
fn an_actor_sees_around_it_what_the_test_says() {
    let mut boss = boss();
    let children = [
        child("w/1", ChildKind::Worker, ChildState::Up),
        child("w/2", ChildKind::Worker, ChildState::Restarting),
        child("pool/sub", ChildKind::Supervisor, ChildState::Stopping),
    ];
    boss.set_children(Some("pool"), children.to_vec());
    boss.set_phase("w/1", Some(Phase::Running));
    boss.set_members("fast", &["w/2", "w/1"]);
    boss.set_attribute("w/1", "region", "eu");
    boss.set_attribute("w/2", "region", "us");
    for (question, answer) in [
        (json!({"which": "pool"}), json!(["w/1", "w/2", "pool/sub"])),
        (json!({"which": null}), json!([])),
        (json!({"count": "pool"}), json!([3, 2, 1, 2])),
        (json!({"whereis": "w/1"}), json!("Phase::Running")),
        (json!({"whereis": "w/9"}), json!(null)),
        (json!({"members": "fast"}), json!(["w/2", "w/1"])),
        (json!({"members": "slow"}), json!([])),
        (json!({"attribute": ["w/1", "region"]}), json!("eu")),
        (json!({"attribute": ["w/1", "name"]}), json!(null)),
        (json!({"having": ["region", "us"]}), json!(["w/2"])),
    ] {
        assert_eq!(boss.call(&question), Ok(answer), "{question}");
    }
    assert_eq!(boss.call::<Value>(&json!({"which": "park"})).expect_err("is unknown").code, "unknown-supervisor");
    boss.set_phase("w/1", None);
    assert_eq!(boss.call(&json!({"whereis": "w/1"})), Ok(json!(null)));
}

#[test]
fn ends_of_others_are_heard_of() {
    let mut boss = boss();
    assert!(boss.traps_exits());
    assert!(!Harness::<Boss>::start("boss", "false").expect("starts").traps_exits());
    boss.down("w/1", "noproc").expect("is heard");
    boss.exit("w/2", "crash: out of \"paper\"").expect("is heard");
    assert_eq!(boss.state().heard, ["down w/1 noproc", "exit w/2 crash: out of \"paper\""]);
}

#[test]
fn an_exit_that_is_none_is_refused() {
    let mut boss = boss();
    for data in [&b"{}"[..], b"", b"{\"actor\": \"w/1\", \"reason\": 3}"] {
        let told =
            boss.instance.handle(crate::bindings::baton::actor::types::Message::Other((EXIT.into(), data.to_vec())));
        assert_eq!(told.expect_err("is none").code, "bad-exit");
    }
    assert!(boss.state().heard.is_empty());
}

#[test]
fn who_does_nothing_about_an_end_logs_it() {
    let mut deaf = Harness::<Deaf>::start("deaf", "").expect("starts");
    assert!(deaf.traps_exits(), "unless told otherwise");
    deaf.down("w/1", "shutdown").expect("is logged");
    deaf.exit("w/1", "killed").expect("is logged");
    let logged: Vec<_> = deaf.logged().into_iter().map(|line| (line.level, line.fields)).collect();
    let fields =
        |kind: &str, reason: &str| vec![(kind.to_owned(), "w/1".to_owned()), ("reason".to_owned(), reason.to_owned())];
    assert_eq!(logged, [(Level::Info, fields("down", "shutdown")), (Level::Info, fields("exit", "killed"))]);
}
