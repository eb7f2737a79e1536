//! The command, as a person or a deploy uses it: real processes, real signals, real files.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Output, Stdio};

use rustix::process::{Pid, Signal, WaitOptions, kill_process, waitpid};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::harness::{WatGuest, baton_bin, guest, until};

/// A folder with a configuration, in which commands run.
pub(crate) struct Place {
    dir: TempDir,
}

impl Place {
    pub(crate) fn new(config: &str) -> Self {
        let place = Self { dir: tempfile::tempdir().unwrap() };
        place.write("baton.toml", config.as_bytes());
        place
    }

    /// One counter from `plugins/`, and a template for more.
    pub(crate) fn counter() -> Self {
        let wasm = guest("counter");
        Self::new(&format!(
            "instances = 50\n[[plugin]]\npath = {:?}\nname = \"counter\"\n\
             [[actor]]\nname = \"counter/1\"\nplugin = \"counter\"\n\
             [[actors]]\npattern = \"more/*\"\nplugin = \"counter\"\n",
            wasm.display().to_string()
        ))
    }

    /// One actor of a hostile guest that never ends its `terminate`; `keys` are those of the actor.
    pub(crate) fn never_ending(top: &str, keys: &str) -> Self {
        let wasm = WatGuest::new("never").on("terminate", "(loop $again (br $again)) (unreachable)").build();
        let place = Self::new(&format!(
            "instances = 50\n{top}\n[[plugin]]\npath = \"never.wasm\"\n\
             [[actor]]\nname = \"never/1\"\nplugin = \"never\"\n{keys}\n"
        ));
        place.write("never.wasm", &wasm);
        place
    }

    pub(crate) fn write(&self, file: &str, bytes: &[u8]) -> PathBuf {
        let path = self.dir.path().join(file);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, bytes).unwrap();
        path
    }

    pub(crate) fn data(&self, file: &str) -> PathBuf {
        self.dir.path().join("data").join(file)
    }

    pub(crate) fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(baton_bin());
        command.args(args).current_dir(self.dir.path()).stdin(Stdio::null());
        command
    }

    pub(crate) fn baton(&self, args: &[&str]) -> Told {
        Told::of(&self.command(args).output().unwrap())
    }

    pub(crate) fn json(&self, args: &[&str]) -> Value {
        let told = self.baton(args);
        assert_eq!(told.code, 0, "{told:?}");
        serde_json::from_str(&told.out).unwrap()
    }

    /// A host that serves.
    pub(crate) fn host(&self) -> Running {
        self.host_with(&[])
    }

    /// The same with more in its environment.
    pub(crate) fn host_with(&self, env: &[(&str, &str)]) -> Running {
        self.host_as(&["run"], env)
    }

    /// The same by a command with more words.
    pub(crate) fn host_as(&self, args: &[&str], env: &[(&str, &str)]) -> Running {
        let mut child =
            self.command(args).envs(env.iter().copied()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut out = BufReader::new(child.stdout.take().unwrap());
        let mut ready = String::new();
        out.read_line(&mut ready).unwrap();
        let host = Running { child: Some(child), ready, _out: out };
        if host.ready.is_empty() {
            panic!("the host did not start: {:?}", host.end());
        }
        host
    }
}

/// What a command said, and its exit code.
#[derive(Debug)]
pub(crate) struct Told {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Told {
    fn of(output: &Output) -> Self {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Self {
            code: output.status.code().expect("it exits, and is not killed"),
            out: text(&output.stdout),
            err: text(&output.stderr),
        }
    }
}

/// A host; killed when the test is over, however that came.
pub(crate) struct Running {
    child: Option<Child>,
    ready: String,
    _out: BufReader<ChildStdout>,
}

impl Running {
    pub(crate) fn ready(&self) -> &str {
        &self.ready
    }

    fn pid(&self) -> u32 {
        self.child.as_ref().unwrap().id()
    }

    /// Sends `signal`. Of one that pauses it waits until every thread stands: until then some go on.
    pub(crate) fn signal(&self, signal: Signal) {
        let process = Pid::from_child(self.child.as_ref().unwrap());
        kill_process(process, signal).unwrap();
        if signal == Signal::STOP {
            waitpid(Some(process), WaitOptions::UNTRACED).unwrap();
        }
    }

    /// Waits for its end.
    fn end(mut self) -> Told {
        Told::of(&self.child.take().unwrap().wait_with_output().unwrap())
    }

    pub(crate) fn stop(self, signal: Signal) -> Told {
        self.signal(signal);
        self.end()
    }

    /// Its exit code, with nobody reading what it says.
    pub(crate) fn stop_unread(mut self, signal: Signal) -> i32 {
        self.signal(signal);
        let ended = self.child.as_mut().unwrap().wait().unwrap();
        ended.code().expect("it exits, and is not killed")
    }

    /// Reads its log until a line has `words`.
    pub(crate) fn logs(&mut self, words: &str) {
        let err = self.child.as_mut().unwrap().stderr.as_mut().unwrap();
        let found = BufReader::new(err).lines().map_while(Result::ok).any(|line| line.contains(words));
        assert!(found, "the log ended without {words:?}");
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[test]
fn a_host_that_is_stopped_and_started_goes_on_where_it_was() {
    let place = Place::counter();
    for (round, signal) in [Signal::TERM, Signal::INT].into_iter().enumerate() {
        let host = place.host();
        assert_eq!(host.ready, "ready: 1 plugins, 1 actors, socket data/baton.sock\n");
        for name in ["counter/1", "more/a b"] {
            let before = place.baton(&["call", name, "get"]);
            assert_eq!(before.out.trim(), (3 * round).to_string(), "{before:?}");
            let after = place.baton(&["call", name, r#"{"add": 3}"#]);
            assert_eq!((after.code, after.out.trim()), (0, &*(3 * round + 3).to_string()), "{after:?}");
        }
        let end = host.stop(signal);
        assert_eq!(end.code, 0, "{end:?}");
        assert!(!place.data("baton.sock").exists(), "a host that has ended leaves no socket");
    }
}

#[test]
fn only_the_owner_reaches_the_host() {
    let place = Place::counter();
    let _host = place.host();
    assert_eq!(mode(&place.data("")), 0o700);
    assert_eq!(mode(&place.data("baton.sock")), 0o600);
}

#[test]
fn a_killed_host_leaves_a_socket_that_the_next_one_replaces() {
    let place = Place::counter();
    drop(place.host());
    assert!(place.data("baton.sock").exists());
    let gone = place.baton(&["ps"]);
    assert_eq!(gone.code, 4, "{gone:?}");
    assert!(gone.err.starts_with("error: no host answers at data/baton.sock: "), "{gone:?}");
    let host = place.host();
    assert_eq!(place.baton(&["ps"]).code, 0);
    assert_eq!(host.stop(Signal::TERM).code, 0);
}

#[test]
fn actors_are_listed() {
    let place = Place::counter();
    let _host = place.host();
    place.baton(&["call", "more/a", "get"]);
    let actors = place.json(&["ps", "--json"]);
    let shown: Vec<_> = actors.as_array().unwrap().iter().map(|a| (&a["name"], &a["plugin"], &a["phase"])).collect();
    let (plugin, phase) = (json!("counter"), json!("running"));
    assert_eq!(shown, [(&json!("counter/1"), &plugin, &phase), (&json!("more/a"), &plugin, &phase)]);
    let table = place.baton(&["ps"]).out;
    assert!(table.starts_with("NAME ") && table.contains("counter 1.0.0"), "{table}");
}

#[test]
fn whatever_brings_no_reply_says_why_and_what_to_do() {
    let place = Place::counter();
    let _host = place.host();
    let cases: [(&[&str], i32, &[&str]); 6] = [
        (&["call", "counter/2", "get"], 1, &["[unknown-actor]", "hint: did you mean `counter/1`?"]),
        (&["cast", "cuonter/1", "get"], 1, &["[unknown-actor]", "hint: did you mean `counter/1`?"]),
        (&["call", "counter/1", r#"{"add": -1}"#], 1, &["error: bad-message: ", "[failed]"]),
        (&["call", "a/../b", "get"], 2, &["has the segment '..'"]),
        (&["call", "counter/1", "get", "--wait", "soon"], 2, &["is no duration"]),
        (&["store", "show", "nobody"], 1, &["[not-stored]"]),
    ];
    for (args, code, parts) in cases {
        let told = place.baton(args);
        assert_eq!(told.code, code, "{args:?}: {told:?}");
        assert!(told.out.is_empty(), "{told:?}");
        for part in parts {
            assert!(told.err.contains(part), "{part:?} for {args:?}: {told:?}");
        }
    }
    let after = place.baton(&["call", "counter/1", "get"]);
    assert_eq!(after.out, "0\n", "nothing of that has touched the actor");
}

#[test]
fn a_bad_configuration_starts_nothing_and_names_every_line() {
    let place = Place::new("data_dri = \"x\"\n[limits]\nmailbox_messages = 0\n");
    let told = place.baton(&["run"]);
    assert_eq!(told.code, 2, "{told:?}");
    let lines: Vec<_> = told.err.lines().collect();
    assert_eq!(
        lines,
        [
            "error: baton.toml:1: unknown key `data_dri` in the file; did you mean `data_dir`?",
            "error: baton.toml:3: `mailbox_messages` in [limits] is 0; expected an integer from 1 to 1000000",
        ]
    );
    assert!(!place.data("").exists());
    fs::remove_file(place.dir.path().join("baton.toml")).unwrap();
    let told = place.baton(&["run"]);
    assert_eq!(told.code, 2);
    assert!(told.err.contains("there is no baton.toml in this folder"), "{told:?}");
}

#[test]
fn a_plugin_of_another_name_than_the_configuration_says_is_refused() {
    let place = Place::new("[[plugin]]\npath = \"p.wasm\"\nname = \"expected\"\n");
    place.write("p.wasm", &WatGuest::new("found").build());
    let told = place.baton(&["run"]);
    assert_eq!((told.code, told.out.as_str()), (2, ""), "{told:?}");
    assert!(told.err.contains("p.wasm says that its name is `found`; expected `expected`"), "{told:?}");
}

#[test]
fn a_data_directory_in_use_names_the_process_that_has_it() {
    let place = Place::counter();
    let host = place.host();
    let told = place.baton(&["run"]);
    assert_eq!((told.code, told.out.as_str()), (1, ""), "{told:?}");
    assert!(told.err.contains(&format!("in use by process {}", host.pid())), "{told:?}");
    assert_eq!(place.baton(&["ps"]).code, 0, "the first one serves on");
}

#[test]
fn a_data_directory_that_is_too_deep_for_a_socket_is_named() {
    let place = Place::new(&format!("data_dir = {:?}\n", "d".repeat(120)));
    let told = place.baton(&["run"]);
    assert_eq!(told.code, 2, "{told:?}");
    assert!(told.err.contains("the system allows 107") && told.err.contains("shorter data_dir"), "{told:?}");
}

#[test]
fn who_could_not_be_saved_is_named() {
    let place = Place::never_ending("", "shutdown = 200");
    let host = place.host();
    // An answer says that it has taken its state over: from then on it is to be saved.
    assert_eq!(place.baton(&["call", "never/1", "x"]).code, 0);
    let end = host.stop(Signal::TERM);
    assert_eq!(end.code, 3, "{end:?}");
    assert!(end.err.lines().any(|line| line.starts_with("not saved: never/1: ")), "{end:?}");
}

#[test]
fn a_second_signal_ends_at_once() {
    for (second, code) in [(Signal::TERM, 143), (Signal::INT, 130)] {
        let place = Place::never_ending("shutdown_timeout_ms = \"infinity\"", "shutdown = \"infinity\"");
        let mut host = place.host();
        assert_eq!(place.baton(&["call", "never/1", "x"]).code, 0);
        host.signal(Signal::TERM);
        host.logs("a second signal ends at once");
        assert_eq!(host.stop(second).code, code);
    }
}

#[test]
fn a_message_that_fails_is_told_as_json_too() {
    let place = Place::counter();
    let _host = place.host();
    let told = place.baton(&["call", "counter/1", r#"{"sub":1}"#, "--json"]);
    assert_eq!(told.code, 1);
    let answer: Value = serde_json::from_str(&told.out).unwrap();
    assert_eq!((&answer["ok"], &answer["code"]), (&json!(false), &json!("failed")));
    assert!(told.err.starts_with("error: "), "{told:?}");
}

#[test]
fn a_body_that_is_too_large_is_refused_and_never_left_in_doubt() {
    let place = Place::counter();
    let _host = place.host();
    let file = place.write("large", &vec![b' '; (4 << 20) + 1]);
    for _ in 0..20 {
        let mut call = place.command(&["call", "counter/1", "-"]);
        let told = Told::of(&call.stdin(fs::File::open(&file).unwrap()).output().unwrap());
        assert!(told.code == 1 && told.err.contains("[too-large]"), "{told:?}");
    }
}

#[test]
fn a_batch_is_answered_line_by_line() {
    let place = Place::counter();
    let _host = place.host();
    let lines = [
        r#"{"actor": "counter/1", "body": {"add": 2}}"#,
        r#"{"actor": "nobody", "body": "get"}"#,
        "get",
        "",
        r#"{"actor": "a//b", "body": "get"}"#,
        r#"{"actor": "counter/1", "body": "get", "id": "m-1"}"#,
    ];
    let file = place.write("lines", lines.join("\n").as_bytes());
    let told = place.baton(&["call", "--json", "--batch", file.to_str().unwrap()]);
    assert_eq!(told.code, 1, "{told:?}");
    assert!(told.err.contains("error: 3 of 6 lines failed"), "{told:?}");
    let answers: Vec<Value> = told.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(answers[0], json!({ "line": 1, "actor": "counter/1", "ok": true, "reply": 2 }));
    let codes: Vec<_> = answers[1..4].iter().map(|a| (&a["line"], &a["ok"], &a["code"])).collect();
    let no = json!(false);
    assert_eq!(codes[0], (&json!(2), &no, &json!("unknown-actor")));
    assert_eq!(codes[1], (&json!(3), &no, &json!("bad-line")));
    assert_eq!(codes[2], (&json!(5), &no, &json!("bad-name")));
    assert_eq!(answers[4], json!({ "line": 6, "actor": "counter/1", "ok": true, "reply": 2 }));
    assert_eq!(answers.len(), 5);
}

#[test]
fn a_batch_waits_for_a_host_that_is_replaced() {
    let place = Place::counter();
    let host = place.host();
    let args = ["call", "--json", "--batch", "-", "--wait", "5m"];
    let mut command = place.command(&args);
    let mut batch = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut lines = batch.stdin.take().unwrap();
    let mut answers = BufReader::new(batch.stdout.take().unwrap()).lines();
    let mut send = || writeln!(lines, r#"{{"actor": "counter/1", "body": {{"add": 1}}}}"#).unwrap();
    let mut reply = || serde_json::from_str::<Value>(&answers.next().unwrap().unwrap()).unwrap()["reply"].clone();
    send();
    assert_eq!(reply(), 1);
    assert_eq!(host.stop(Signal::TERM).code, 0);
    send();
    // It has met the missing host before there is another one.
    let mut notes = BufReader::new(batch.stderr.take().unwrap()).lines();
    let note = notes.next().unwrap().unwrap();
    assert!(note.starts_with("note: line 2: no host answers at data/baton.sock: "), "{note}");
    let _host = place.host();
    assert_eq!(reply(), 2);
    drop(lines);
    assert!(batch.wait().unwrap().success());
}

#[test]
fn a_batch_without_a_host_stops_at_its_first_line() {
    let place = Place::counter();
    let line = "{\"actor\": \"counter/1\", \"body\": \"get\"}\n";
    place.write("lines", line.repeat(1_000).as_bytes());
    let told = place.baton(&["cast", "--json", "--batch", "lines"]);
    assert_eq!(told.code, 4, "{told:?}");
    assert_eq!(told.out.lines().count(), 1, "{told:?}");
    assert!(told.err.contains("stopped at line 1, which was not sent"), "{told:?}");
}

#[test]
fn the_store_is_shown_alike_with_and_without_a_host() {
    let place = Place::counter();
    let none = place.baton(&["store", "ls"]);
    assert_eq!(none.code, 1, "{none:?}");
    assert!(none.err.contains("there is no store in data"), "{none:?}");
    assert!(!place.data("").exists(), "looking makes nothing");

    let host = place.host();
    place.baton(&["call", "counter/1", r#"{"add": 3}"#]);
    assert_eq!(host.stop(Signal::TERM).code, 0);
    let listed = place.json(&["store", "ls", "--json"]);
    assert_eq!(listed[0]["actor"], "counter/1");
    let offline = place.json(&["store", "show", "counter/1", "--json"]);
    let record = &offline["history"][0];
    assert_eq!((&record["loads"], &record["facts"]["state"]["plugin"]), (&json!(true), &json!("counter")));
    let table = place.baton(&["store", "show", "counter/1"]);
    assert!(table.out.contains("stopped     shutdown"), "{table:?}");

    let _host = place.host();
    let online = place.json(&["store", "show", "counter/1", "--json"]);
    assert_eq!(online["history"], offline["history"], "it is the same record, which has a new owner");
}

#[test]
fn a_plugin_is_inspected_without_a_host() {
    let place = Place::counter();
    let wasm = guest("counter");
    let found = place.json(&["inspect", "--json", wasm.to_str().unwrap()]);
    assert_eq!((&found["description"]["name"], &found["description"]["schema"]), (&json!("counter"), &json!(1)));
    assert_eq!(found["bytes"], fs::metadata(&wasm).unwrap().len());
    let text = place.baton(&["inspect", wasm.to_str().unwrap()]).out;
    assert!(text.starts_with("name       counter\nversion    1.0.0\n"), "{text}");
    for (file, bytes) in [("text", &b"not wasm at all"[..]), ("empty", b"")] {
        place.write(file, bytes);
        let told = place.baton(&["inspect", file]);
        assert_eq!(told.code, 1, "{told:?}");
        assert!(told.err.starts_with("error: ") && told.err.contains(file), "{told:?}");
    }
    assert_eq!(place.baton(&["inspect", "missing"]).code, 1);
}

#[test]
fn a_reader_that_has_gone_is_no_reason_to_panic() {
    let place = Place::counter();
    let _host = place.host();
    for args in [&["ps", "--json"][..], &["store", "ls"], &["--help"], &["call", "counter/1", "get"]] {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let output = place.command(args).stdout(writer).stderr(Stdio::piped()).output().unwrap();
        let told = Told::of(&output);
        assert!(told.err.is_empty() && told.code <= 1, "{args:?}: {told:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn health_is_an_exit_code() {
    let place = Place::never_ending("shutdown_timeout_ms = \"infinity\"", "shutdown = \"infinity\"");
    assert_eq!(place.baton(&["health"]).code, 4);
    let mut host = place.host();
    // It serves before the actor has taken its state over.
    until("it is ready", || place.baton(&["health", "--ready"]).code == 0).await;
    let told = place.baton(&["health"]);
    assert_eq!((told.code, told.out.split(':').next()), (0, Some("ready")), "{told:?}");
    let json = place.json(&["health", "--json"]);
    assert_eq!((&json["state"], &json["actors"]), (&json!("ready"), &json!(1)));
    assert_eq!(place.baton(&["call", "never/1", "x"]).code, 0);
    host.signal(Signal::TERM);
    host.logs("a second signal ends at once");
    let told = place.baton(&["health", "--ready", "--json"]);
    assert_eq!((told.code, told.err.as_str()), (1, ""), "{told:?}");
    assert!(told.out.contains("\"stopping\""), "{told:?}");
}

#[test]
fn a_plugin_is_shown_with_its_versions_and_actors_and_a_misspelt_one_is_guessed() {
    let place = Place::counter();
    let _host = place.host();
    assert_eq!(place.baton(&["call", "more/a", "get"]).code, 0);
    assert_eq!(place.baton(&["plugin", "ls"]).out, place.baton(&["plugins"]).out);
    let shown = place.baton(&["plugin", "show", "counter"]);
    assert!(shown.out.starts_with("counter 1.0.0  current\n"), "{shown:?}");
    assert!(shown.out.ends_with("2 actors\n  counter/1\n  more/a\n"), "{shown:?}");
    let json = place.json(&["plugin", "show", "counter", "--json"]);
    assert_eq!((&json["versions"][0]["current"], &json["actors"][1]), (&json!(true), &json!("more/a")));
    let file = guest("counter").display().to_string();
    for args in [
        &["plugin", "show", "cuonter"][..],
        &["swap", "cuonter", &file],
        &["swap", "cuonter", "--status"],
        &["start", "x", "--plugin", "cuonter"],
    ] {
        let told = place.baton(args);
        assert_eq!(told.code, 1, "{told:?}");
        assert!(
            told.err.contains("[unknown-plugin]") && told.err.contains("hint: did you mean `counter`?"),
            "{told:?}"
        );
    }
}

#[test]
fn groups_are_listed_with_how_many_members_they_have() {
    let place = Place::new(&format!(
        "instances = 50\n[[plugin]]\npath = {:?}\n[[actor]]\nname = \"a\"\nplugin = \"counter\"\ngroups = [\"all\", \"one\"]\n\
         [[actor]]\nname = \"b\"\nplugin = \"counter\"\ngroups = [\"all\"]\n",
        guest("counter").display().to_string()
    ));
    let _host = place.host();
    let told = place.json(&["group", "--json"]);
    assert_eq!(told, json!([{ "group": "all", "members": 2 }, { "group": "one", "members": 1 }]));
    assert_eq!(place.baton(&["group", "all"]).out, "a\nb\n");
}

#[test]
fn no_colours_where_there_is_no_terminal() {
    let place = Place::counter();
    let _host = place.host();
    let whole = [
        (&["ps"][..], "counter/1"),
        (&["tree"], "counter/1"),
        (&["events", "--no-follow"], "counter/1"),
        (&["logs"], "INFO"),
        (&["top", "--every", "10ms"], "counter/1"),
    ];
    for (args, words) in whole {
        let told = place.baton(args);
        assert!(told.code == 0 && told.out.contains(words) && !told.out.contains('\u{1b}'), "{args:?}: {told:?}");
    }
}
