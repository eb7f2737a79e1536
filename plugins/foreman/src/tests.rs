use baton_guest::supervision::{
    ChildInfo, ChildKind, ChildSpec, ChildState, Phase, Restart, Shutdown, SupervisionError,
};
use baton_guest::testing::{Asked, Handover, Harness, StartError, layout};

use super::*;

fn foreman() -> Harness<Foreman> {
    Harness::start("boss", "").expect("starts")
}

#[test]
fn it_traps_exits_if_its_argument_says_so() {
    for (args, traps) in
        [("", false), ("{}", false), (r#"{"trap-exit": false}"#, false), (r#"{"trap-exit": true}"#, true)]
    {
        assert_eq!(Harness::<Foreman>::start("boss", args).expect(args).traps_exits(), traps, "{args}");
    }
    for args in ["true", r#"{"trap_exit": true}"#, r#"{"trap-exit": 1}"#] {
        assert!(matches!(Harness::<Foreman>::start("boss", args), Err(StartError::Init(_))), "{args}");
    }
}

#[test]
fn each_command_asks_for_what_it_says() {
    let child = ChildSpec::new("w/1", "foreman");
    let start = |supervisor: Option<&str>, child: &ChildSpec| Asked::StartChild {
        supervisor: supervisor.map(str::to_owned),
        child: child.clone(),
    };
    let w = || "w/1".to_owned();
    let full = json!({"start": {"name": "w/1", "plugin": "foreman", "args": {"trap-exit": true}, "restart": "temporary",
        "shutdown": "brutal-kill", "significant": true}});
    let detailed = child
        .clone()
        .with_args(r#"{"trap-exit":true}"#)
        .with_restart(Restart::Temporary)
        .with_shutdown(Shutdown::BrutalKill)
        .significant();
    let after = |shutdown: Value| json!({"start": {"name": "w/1", "plugin": "foreman", "shutdown": shutdown}});
    let g = || "g".to_owned();
    let cases = [
        (json!({"start": {"supervisor": "pool", "name": "w/1", "plugin": "foreman"}}), start(Some("pool"), &child)),
        (full, start(None, &detailed)),
        (after(json!(250)), start(None, &child.clone().with_shutdown(Shutdown::AfterMs(250)))),
        (after(json!("infinity")), start(None, &child.clone().with_shutdown(Shutdown::Infinity))),
        (json!({"terminate": "w/1"}), Asked::TerminateChild(w())),
        (json!({"restart": "w/1"}), Asked::RestartChild(w())),
        (json!({"delete": "w/1"}), Asked::DeleteChild(w())),
        (json!({"monitor": "w/1"}), Asked::Monitor(w())),
        (json!({"demonitor": "w/1"}), Asked::Demonitor(w())),
        (json!({"link": "w/1"}), Asked::Link(w())),
        (json!({"unlink": "w/1"}), Asked::Unlink(w())),
        (json!({"exit": ["w/1", "killed"]}), Asked::Exit { actor: w(), reason: "killed".into() }),
        (json!({"join": "g"}), Asked::Join(g())),
        (json!({"leave": "g"}), Asked::Leave(g())),
        (json!({"dispatch": ["g", {"n": 1}]}), Asked::Dispatch { group: g(), body: br#"{"n":1}"#.to_vec() }),
        (json!({"set": ["k", "v"]}), Asked::SetAttribute { key: "k".into(), value: Some("v".into()) }),
        (json!({"set": ["k", null]}), Asked::SetAttribute { key: "k".into(), value: None }),
    ];
    let mut boss = foreman();
    for (command, asked) in &cases {
        assert_eq!(boss.call(command), Ok(json!("ok")), "{command}");
        assert_eq!(boss.asked(), std::slice::from_ref(asked), "{command}");
    }
    assert_eq!(boss.call(&json!("counts")), Ok(json!({"handled": cases.len() + 1, "heard": 0})));
}

#[test]
fn it_tells_what_it_sees() {
    let mut boss = foreman();
    let worker = ChildInfo {
        name: "w/1".into(),
        supervisor: Some("pool".into()),
        kind: ChildKind::Worker,
        state: ChildState::Restarting,
        restart: Restart::Transient,
        shutdown: Shutdown::AfterMs(100),
        significant: true,
        restarts: 2,
        last_exit: Some("killed".into()),
    };
    boss.set_children(Some("pool"), vec![worker]);
    boss.set_phase("w/1", Some(Phase::Running));
    boss.set_members("g", &["w/1", "boss"]);
    boss.set_attribute("w/1", "region", "eu");
    let told = json!([{"name": "w/1", "supervisor": "pool", "kind": "worker", "state": "restarting",
        "restart": "transient", "shutdown": 100, "significant": true, "restarts": 2, "last-exit": "killed"}]);
    for (command, answer) in [
        (json!({"which": "pool"}), told),
        (json!({"which": null}), json!([])),
        (json!({"count": "pool"}), json!({"specs": 1, "active": 0, "supervisors": 0, "workers": 1})),
        (json!({"members": "g"}), json!(["w/1", "boss"])),
        (json!({"whereis": "w/1"}), json!("running")),
        (json!({"whereis": "w/2"}), json!(null)),
        (json!({"get": ["w/1", "region"]}), json!("eu")),
        (json!({"having": ["region", "eu"]}), json!(["w/1"])),
    ] {
        assert_eq!(boss.call(&command), Ok(answer), "{command}");
    }
    boss.refuse_supervision(Some(SupervisionError::AlreadyStarted));
    let again = json!({"start": {"name": "w/1", "plugin": "foreman"}});
    assert_eq!(boss.call::<Value>(&again).expect_err("is refused").code, "already-started");
}

#[test]
fn it_remembers_what_it_heard_over_a_handover() {
    let mut boss = foreman();
    boss.cast(&json!(["any", "thing"])).expect("is remembered");
    boss.cast(&json!({"join": "g"})).expect("is a command");
    boss.down("w/1", "normal").expect("is heard");
    boss.exit("w/2", "crash: it ran dry").expect("is heard");
    let heard = json!([
        {"cast": {"from": null, "body": ["any", "thing"]}},
        {"down": {"actor": "w/1", "reason": "normal"}},
        {"exit": {"actor": "w/2", "reason": "crash: it ran dry"}},
    ]);
    assert_eq!(boss.call(&json!({"heard": null})), Ok(heard.clone()));
    let mut next = Harness::<Foreman>::resume(boss.terminate().expect("saves")).expect("is read");
    assert_eq!(next.call(&json!("heard")), Ok(heard));
    assert_eq!(next.call(&json!("counts")), Ok(json!({"handled": 4, "heard": 3})));
}

#[test]
fn what_it_heard_does_not_grow_without_end() {
    let mut boss = foreman();
    for n in 0..HEARD + 5 {
        boss.cast(&json!(n)).expect("is remembered");
    }
    boss.cast(&json!("x".repeat(BODY_BYTES))).expect("is remembered");
    let heard: Vec<Value> = boss.call(&json!("heard")).expect("answers");
    assert_eq!((heard.len(), &heard[0]["cast"]["body"]), (HEARD, &json!(6)));
    assert_eq!(heard[HEARD - 1], json!({"cast": {"from": null, "body": null}}));
    assert_eq!(boss.call(&json!("counts")), Ok(json!({"handled": 2, "heard": HEARD + 6})));
}

#[test]
fn a_call_that_is_no_command_is_refused() {
    let mut boss = foreman();
    for bad in
        [json!("dance"), json!({"start": {"name": "w/1"}}), json!({"which": 3}), json!({"exit": "w/1"}), json!(null)]
    {
        assert_eq!(boss.call::<Value>(&bad).expect_err("is none").code, "bad-command", "{bad}");
    }
    assert_eq!(boss.call(&json!("counts")), Ok(json!({"handled": 1, "heard": 0})));
}

#[test]
fn it_stops_and_saves_when_asked() {
    let mut boss = foreman();
    boss.call::<Value>(&json!({"stop": false})).expect("goes on");
    assert!(!boss.stopped());
    boss.call::<Value>(&json!({"stop": true})).expect("stops");
    boss.call::<Value>(&json!("save")).expect("saves");
    assert_eq!((boss.stopped(), boss.saves()), (true, 1));
}

#[test]
#[should_panic(expected = "it was asked to crash")]
fn it_crashes_when_asked() {
    let _ = foreman().call::<Value>(&json!({"crash": true}));
}

/// What 1.0.0 wrote: it must be read for ever.
#[test]
fn the_bytes_of_schema_1_are_known() {
    assert_eq!(
        layout::<Foreman>(),
        "Foreman\nCast { from: string?, body: string }\nEnd { actor: string, reason: string }\nForeman { handled: u64, \
         heard: u64, latest: [Heard] }\nHeard = down(End) | exit(End) | cast(Cast)"
    );
    let golden = [2, 3, 2, 0, 1, b'a', 1, b'r', 2, 0, 1, b'1'];
    let next = Harness::<Foreman>::resume(Handover::from_bytes("boss", 1, golden)).expect("is read");
    let end = End { actor: "a".into(), reason: "r".into() };
    assert_eq!(next.state().latest, [Heard::Down(end), Heard::Cast(Cast { from: None, body: "1".into() })]);
    assert_eq!(next.terminate().expect("saves").data(), golden);
}
