mod keys;
mod telemetry;
mod tree;

use std::collections::HashMap;

use super::*;
use crate::model::{BadStatePolicy, ChildSpec, Durability, Restart, Shutdown, StateRules};

/// Files by path.
#[derive(Default)]
struct Table(HashMap<PathBuf, Vec<u8>>);

impl Files for Table {
    fn is_file(&self, path: &Path) -> bool {
        self.0.contains_key(path)
    }

    fn read(&self, path: &Path, limit: u64) -> io::Result<Vec<u8>> {
        let bytes = self.0.get(path).ok_or_else(|| io::Error::other("no such file"))?;
        assert!(bytes.len() as u64 <= limit);
        Ok(bytes.clone())
    }
}

fn check(text: &str) -> Result<Config, Vec<Problem>> {
    let files =
        ["counter.wasm", "flights.wasm", "seed.json"].map(|f| (Path::new("/etc/baton").join(f), b"[1]".to_vec()));
    parse(text, "baton.toml", Path::new("/etc/baton"), &Table(files.into()))
}

fn good(text: &str) -> Config {
    check(text).unwrap_or_else(|problems| panic!("{problems:?} in\n{text}"))
}

const COUNTER: &str = "[[plugin]]\npath = \"counter.wasm\"\nname = \"counter\"\n";

#[test]
fn who_may_be_cut_short_is_known_before_the_start() {
    let actor = |name: &str, shutdown: &str| {
        format!("[[actor]]\nname = \"{name}\"\nplugin = \"counter\"\nshutdown = {shutdown}\n")
    };
    let text = [
        "shutdown_timeout_ms = 1000\n",
        COUNTER,
        &actor("long", "1001"),
        &actor("short", "1000"),
        &actor("brutal", "\"brutal-kill\""),
        "[[actors]]\npattern = \"all/*\"\nplugin = \"counter\"\nshutdown = \"infinity\"\n",
    ];
    let config = good(&text.concat());
    let told: Vec<_> = config.cut_short().iter().map(ToString::to_string).collect();
    assert_eq!(
        told,
        [
            "`long` has a shutdown of 1001 ms, and the host (`shutdown_timeout_ms`) gives it 1000 ms at most",
            "`all/*` has a shutdown of infinity, and the host (`shutdown_timeout_ms`) gives it 1000 ms at most",
        ]
    );
    assert!(Config { shutdown_timeout: None, ..config }.cut_short().is_empty());
}

#[test]
fn a_server_is_named_without_its_password_which_is_in_a_file() {
    let config = good("[store]\nurl = \"mysql://ann@db/x?prefix=fleet\"\npassword_file = \"seed.json\"");
    let url = config.store_url.clone().expect("a URL");
    assert!(url.has_password() && url.to_string() == "mysql://ann@db/x?prefix=fleet");
    assert!(!format!("{config:?}").contains("[1]"), "the password is the file's text, and is not shown");
}

#[test]
fn an_empty_file_gives_the_defaults() {
    let config = good("");
    assert_eq!(config.data_dir, Path::new("/etc/baton/data"));
    assert_eq!(config.shutdown_timeout, Some(Duration::from_secs(30)));
    assert_eq!((config.instances, config.log.as_str()), (None, "info"));
    assert!(config.plugins.is_empty() && config.children.is_empty() && config.templates.is_empty());
    assert_eq!((config.backend, config.history), (Backend::Sled, None));
    assert_eq!(config.largest_message_bytes(), Limits::default().message_bytes);
}

#[test]
fn every_key_reaches_its_setting() {
    let config = good(
        r#"
data_dir = "/var/lib/baton"
shutdown_timeout_ms = "infinity"
instances = 50_000
stack_bytes = 1_048_576
memory_reservation_bytes = 0x1000_0000
guests_memory_bytes = 2_147_483_648
computing_guests = 3
core_dumps = "dumps"
core_dump_files = 5
core_dump_bytes = 1_000_000
log = "warn,baton_host::actor=debug"

[store]
backend = "redb"
history = 1_000
cache_bytes = 0x4000_0000

[[plugin]]
path = "counter.wasm"
watch = true

[[actor]]
name = "counter/1"
plugin = "counter"
version = "1.2.3-rc.1"
args = '{"start": 5}'
restart = "transient"
shutdown = 250
max_restarts = 0
max_seconds = 60
on_bad_state = "hold"

[[actors]]
pattern = "table/*"
plugin = "counter"
shutdown = "brutal-kill"
args = { start = 7, tags = ["a", 1.5, true], since = 2026-11-22 }

[[actors]]
pattern = "file/*"
plugin = "counter"
shutdown = "infinity"
args_file = "seed.json"
limits = { message_bytes = 0x500000 }
"#,
    );
    assert_eq!(config.data_dir, Path::new("/var/lib/baton"));
    assert_eq!((config.shutdown_timeout, config.instances), (None, Some(50_000)));
    assert_eq!((config.stack_bytes, config.guests_memory_bytes), (Some(1 << 20), Some(2 << 30)));
    assert_eq!((config.memory_reservation_bytes, config.computing_guests), (Some(256 << 20), Some(3)));
    let dumps = CoreDumps { dir: "/etc/baton/dumps".into(), files: 5, bytes: 1_000_000 };
    assert_eq!(config.core_dumps, Some(dumps));
    assert_eq!(config.log, "warn,baton_host::actor=debug");
    assert_eq!((config.backend, config.history), (Backend::Redb, Some(1_000)));
    assert_eq!(config.store_cache_bytes, Some(1 << 30));
    let path = "/etc/baton/counter.wasm".into();
    assert_eq!(
        config.plugins,
        [PluginFile {
            path,
            name: None,
            sha256: None,
            grants: Grants::default(),
            state: StateRules::default(),
            watch: true
        }]
    );

    let actor = config.actors().next().expect("one");
    assert_eq!((actor.name.as_str(), actor.plugin.as_str()), ("counter/1", "counter"));
    assert_eq!(actor.version.as_ref().map(|version| version.as_str()), Some("1.2.3-rc.1"));
    assert_eq!(&actor.args[..], br#"{"start": 5}"#);
    assert_eq!((actor.restart, actor.state.on_bad_state), (Restart::Transient, Some(BadStatePolicy::Hold)));
    assert_eq!(actor.shutdown, Shutdown::After(Duration::from_millis(250)));
    assert_eq!((actor.intensity.max_restarts, actor.intensity.max_seconds), (0, 60));

    let mut templates = config.templates.clone();
    assert_eq!(templates[0].pattern.to_string(), "table/*");
    assert_eq!(templates[0].spec_mut().shutdown, Shutdown::BrutalKill);
    let mut plain = Template::new(templates[0].pattern.clone(), templates[0].plugin().clone());
    assert_eq!(templates[0].spec_mut().restart, plain.spec_mut().restart);
    let json = r#"{"since":"2026-11-22","start":7,"tags":["a",1.5,true]}"#;
    assert_eq!(&templates[0].spec_mut().args[..], json.as_bytes());
    assert_eq!(templates[1].spec_mut().shutdown, Shutdown::Infinity);
    assert_eq!(&templates[1].spec_mut().args[..], b"[1]");
    assert_eq!(config.largest_message_bytes(), 5 << 20);
}

#[test]
fn the_nearer_limit_wins() {
    let config = good(
        r#"
[limits]
mailbox_messages = 10
turn_sends = 0
timers = 1

[[plugin]]
path = "counter.wasm"
name = "counter"
[plugin.limits]
turn_sends = 20
timers = 2

[[plugin]]
path = "flights.wasm"
name = "flights"

[[actor]]
name = "a"
plugin = "counter"
[actor.limits]
timers = 3

[[actor]]
name = "b"
plugin = "flights"
"#,
    );
    let of = |index: usize| {
        let limits = &config.actors().nth(index).expect("two").limits;
        (limits.mailbox_messages, limits.turn_sends, limits.timers, limits.snapshot_bytes)
    };
    assert_eq!(of(0), (10, 20, 3, Limits::default().snapshot_bytes));
    assert_eq!(of(1), (10, 0, 1, Limits::default().snapshot_bytes));
}

#[test]
fn the_built_in_limits_keep_to_their_own_ranges() {
    let count = limits::every_limit_has_its_row(Limits::default());
    let json = serde_json::to_value(Limits::default()).expect("plain data");
    let rows = json.as_object().expect("a struct");
    assert_eq!(rows.len(), count);
    let lines: Vec<String> = rows.iter().map(|(key, value)| format!("{key} = {value}")).collect();
    let config =
        good(&format!("[limits]\n{}\n{COUNTER}[[actor]]\nname = \"a\"\nplugin = \"counter\"", lines.join("\n")));
    assert_eq!(config.actors().next().expect("one").limits, Limits::default());
}

/// The text, and every problem in it, in the order of the lines.
const BAD: &[(&str, &[&str])] = &[
    ("data_dri = \"x\"", &["baton.toml:1: unknown key `data_dri` in the file; did you mean `data_dir`?"]),
    (
        "core_dump_files = 5\nstack_bytes = 1",
        &[
            "baton.toml:1: `core_dump_files` without `core_dumps`, the folder that they go to",
            "baton.toml:2: `stack_bytes` in the file is 1; expected an integer from 65536 to 67108864",
        ],
    ),
    ("zzz = 1", &["baton.toml:1: unknown key `zzz` in the file"]),
    (
        "[store]\nbackend = \"reddb\"\nhistory = 1\nhistori = 3\nlog = \"info\"\ncache_bytes = 1",
        &[
            "baton.toml:2: `backend` in [store] is \"reddb\"; expected \"sled\" or \"redb\"; did you mean `redb`?",
            "baton.toml:3: `history` in [store] is 1; expected an integer from 2 to 1000",
            "baton.toml:4: unknown key `histori` in [store]; did you mean `history`?",
            "baton.toml:5: unknown key `log` in [store]; did you mean `log`, which belongs at the top of the file?",
            "baton.toml:6: `cache_bytes` in [store] is 1; expected an integer from 1048576 to 1099511627776",
        ],
    ),
    (
        "[store]\nurl = \"redis://db\"\ncache_bytes = 67_108_864",
        &["baton.toml:3: `cache_bytes` beside `url` in [store]: it is for a store in the data directory"],
    ),
    (
        "[store]\nurl = \"postgres://ann:s3cret@db/x\"\nbackend = \"redb\"\npassword_file = \"nowhere\"",
        &[
            "baton.toml:2: `url` in [store]: it has a password in it, and configurations are shown: put it into a file, and name that with `password_file`",
            "baton.toml:3: `backend` beside `url` in [store]: the state is in the data directory, or on the server",
            "baton.toml:4: `password_file` in [store]: /etc/baton/nowhere cannot be read: no such file",
        ],
    ),
    (
        "[store]\npassword_file = \"seed.json\"",
        &["baton.toml:2: `password_file` without `url` in [store], the server that it is for"],
    ),
    (
        "[store]\nurl = \"oracle://db\"",
        &[
            "baton.toml:2: `url` in [store]: `oracle://` is no store's; there are postgres://, postgresql://, mysql://, mariadb://, redis://, rediss://",
        ],
    ),
    (
        "[[actor]]\nname = \"x\"\nplugin = \"counter\"\nmailbox_mesages = 5\n[[plugin]]\npath = \"counter.wasm\"",
        &[
            "baton.toml:4: unknown key `mailbox_mesages` in [[actor]] \"x\"; did you mean `mailbox_messages`, which belongs in its `limits`?",
        ],
    ),
    (
        "[[actor]]\nname = \"x\"\nplugin = \"counter\"\nversion = \"one\"\n[[plugin]]\npath = \"counter.wasm\"\nwatch = 1",
        &[
            "baton.toml:4: `version` in [[actor]] \"x\": version \"one\" is not MAJOR.MINOR.PATCH",
            "baton.toml:7: `watch` in [[plugin]] \"counter.wasm\" is 1; expected true or false",
        ],
    ),
    (
        "[limits]\nmailbox_mesages = 5",
        &["baton.toml:2: unknown key `mailbox_mesages` in [limits]; did you mean `mailbox_messages`?"],
    ),
    (
        "[limits]\ntimers = 5\ninstances = 5",
        &[
            "baton.toml:3: unknown key `instances` in [limits]; did you mean `instances`, which belongs at the top of the file?",
        ],
    ),
    (
        "instances = \"many\"\nlog = 5\ndata_dir = true\nshutdown_timeout_ms = \"infinite\"",
        &[
            "baton.toml:1: `instances` in the file is \"many\"; expected an integer from 1 to 1000000",
            "baton.toml:2: `log` in the file is 5; expected a filter such as \"info\"",
            "baton.toml:3: `data_dir` in the file is true; expected a path",
            "baton.toml:4: `shutdown_timeout_ms` in the file is \"infinite\"; expected \"infinity\" or an integer from 1 to 86400000; did you mean `infinity`?",
        ],
    ),
    (
        "data_dir = \"\"\nlog = \"inof\"",
        &[
            "baton.toml:1: `data_dir` in the file is \"\"; expected a path",
            "baton.toml:2: `log` in the file: \"inof\" is no level; did you mean `info`?",
        ],
    ),
    (
        "[limits]\nmailbox_messages = 0\nmessage_bytes = 999_999_999_999\ntimers = -1\nturn_timeout_ms = 1.5",
        &[
            "baton.toml:2: `mailbox_messages` in [limits] is 0; expected an integer from 1 to 1000000",
            "baton.toml:3: `message_bytes` in [limits] is 999999999999; expected an integer from 1 to 33554432",
            "baton.toml:4: `timers` in [limits] is -1; expected an integer from 0 to 1000000",
            "baton.toml:5: `turn_timeout_ms` in [limits] is 1.5; expected an integer from 1 to 3600000",
        ],
    ),
    (
        "[limits]\nmailbox_bytes = 1000",
        &[
            "baton.toml:2: message_bytes = 4194304 is more than mailbox_bytes = 1000 in [limits]: such a message would never fit",
        ],
    ),
    (
        "[limits]\nsnapshot_bytes = 62_000_000\nmailbox_bytes = 50_000_000",
        &[
            "baton.toml:2: snapshot_bytes = 62000000 and mailbox_bytes = 50000000 in [limits] are more than 62914560 together: a state and the messages that wait are saved as one",
        ],
    ),
    (
        "[[plugin]]\npath = \"counter.wasm\"\n[[actor]]\nname = \"x\"\nplugin = \"counter\"\n\n[[actor]]\nplugin = \"counter\"\nname = \"x\"",
        &["baton.toml:9: [[actor]] \"x\" is there twice, first in line 4"],
    ),
    (
        "[[plugin]]\npath = \"counter.wasm\"\n[[actors]]\npattern = \"x/*\"\nplugin = \"counter\"\n[[actors]]\nplugin = \"counter\"\npattern = \"x/*\"",
        &["baton.toml:8: [[actors]] \"x/*\" is there twice, first in line 4"],
    ),
    (
        "[[plugin]]\nname = \"a\"\npath = \"counter.wasm\"\n[[plugin]]\npath = \"flights.wasm\"\nname = \"a\"",
        &["baton.toml:6: [[plugin]] \"a\" is there twice, first in line 2"],
    ),
    (
        "[[plugin]]\n[[actor]]\n[[actors]]",
        &[
            "baton.toml:1: [[plugin]] number 1 has no `path`; expected the path of a component",
            "baton.toml:2: [[actor]] number 1 has no `name`; expected the actor's name",
            "baton.toml:2: [[actor]] number 1 has no `plugin`; expected the name of a plugin",
            "baton.toml:3: [[actors]] number 1 has no `pattern`; expected a prefix of names followed by '*'",
            "baton.toml:3: [[actors]] number 1 has no `plugin`; expected the name of a plugin",
        ],
    ),
    (
        "[[plugin]]\npath = \"gone.wasm\"\nname = \"Gone\"",
        &[
            "baton.toml:2: `path` in [[plugin]] \"gone.wasm\": there is no file /etc/baton/gone.wasm",
            "baton.toml:3: `name` in [[plugin]] \"gone.wasm\": plugin name \"Gone\" does not begin with a lower-case letter",
        ],
    ),
    (
        "[[plugin]]\npath = \"counter.wasm\"\nlimits = { timers = 5 }",
        &["baton.toml:3: [[plugin]] \"counter.wasm\" has `limits` and no `name`, by which its actors would find them"],
    ),
    (
        "[[plugin]]\npath = \"counter.wasm\"\nname = \"counter\"\n[[actor]]\nname = \"a/../b\"\nplugin = \"couner\"\nrestart = \"always\"\nshutdown = 0\non_bad_state = \"never\"\nmax_seconds = 0",
        &[
            "baton.toml:5: `name` in [[actor]] \"a/../b\": actor name \"a/../b\" has the segment '..'",
            "baton.toml:6: `plugin` in [[actor]] \"a/../b\": no [[plugin]] has the name `couner`; did you mean `counter`?",
            "baton.toml:7: `restart` in [[actor]] \"a/../b\" is \"always\"; expected \"permanent\", \"transient\" or \"temporary\"",
            "baton.toml:8: `shutdown` in [[actor]] \"a/../b\" is 0; expected \"brutal-kill\", \"infinity\" or an integer from 1 to 86400000",
            "baton.toml:9: `on_bad_state` in [[actor]] \"a/../b\" is \"never\"; expected \"hold\", \"previous\", \"fresh\" or \"stop\"",
            "baton.toml:10: `max_seconds` in [[actor]] \"a/../b\" is 0; expected an integer from 1 to 86400",
        ],
    ),
    (
        "[[plugin]]\npath = \"counter.wasm\"\n[[actor]]\nname = \"a\"\nplugin = \"c\"\nargs = 5\n[[actor]]\nname = \"b\"\nplugin = \"c\"\nargs = [nan]\nargs_file = \"gone.json\"",
        &[
            "baton.toml:6: `args` in [[actor]] \"a\" is neither text nor a table or array; write it in quotes",
            "baton.toml:11: [[actor]] \"b\" has both `args` and `args_file`; expected one of them",
            "baton.toml:11: `args_file` in [[actor]] \"b\": /etc/baton/gone.json cannot be read: no such file",
        ],
    ),
    (
        "[[plugin]]\npath = \"counter.wasm\"\n[[actor]]\nname = \"a\"\nplugin = \"c\"\nargs = [\n1,\nnan, 9_999_999_999_999_999_999]",
        &[
            "baton.toml:8: `args` in [[actor]] \"a\": JSON has no number nan",
            "baton.toml:8: `args` in [[actor]] \"a\": JSON has no integer 9999999999999999999 of 64 bits",
        ],
    ),
    (
        "limits = 5\nactor = 7\nplugin = [1]",
        &[
            "baton.toml:1: `limits` in the file is 5; expected a table",
            "baton.toml:2: `actor` in the file is 7; expected tables that begin with [[actor]]",
            "baton.toml:3: `plugin` in the file is 1; expected tables that begin with [[plugin]]",
        ],
    ),
    (
        "[actor]\nname = \"x\"",
        &["baton.toml:1: `actor` in the file is a table; expected tables that begin with [[actor]]"],
    ),
];

#[test]
fn every_problem_is_told_with_its_line_and_what_was_meant() {
    for (text, expected) in BAD {
        let problems = check(text).expect_err(text);
        let told: Vec<String> = problems.iter().map(ToString::to_string).collect();
        assert_eq!(told, *expected, "in\n{text}");
    }
}

#[test]
fn what_is_not_toml_is_told_with_its_line_beside_the_rest() {
    let problems = check("log = \"info\"\ndata_dir = \ninstances = 0\n").expect_err("no value");
    assert!(problems[0].to_string().starts_with("baton.toml:2: is not valid TOML: "), "{problems:?}");
    assert!(problems.last().expect("some").to_string().starts_with("baton.toml:3: `instances`"), "{problems:?}");
    let twice = check("log = \"info\"\nlog = \"warn\"").expect_err("twice");
    assert!(twice[0].to_string().starts_with("baton.toml:2: is not valid TOML: duplicate key"), "{twice:?}");
}

#[test]
fn no_text_makes_it_panic() {
    let whole = format!(
        "data_dir = \"ü\"\n{COUNTER}[[actor]]\nname = \"a\"\nplugin = \"counter\"\nargs = {{ a = [1, 2.5, \"x\"] }}\n"
    );
    for end in (0..whole.len()).filter(|end| whole.is_char_boundary(*end)) {
        let _ = check(&whole[..end]);
        for odd in ["\0", "[", "]]", "\"", "=", "ß"] {
            let _ = check(&format!("{}{odd}{}", &whole[..end], &whole[end..]));
        }
    }
    let deep = format!("a = {}", "[".repeat(100_000));
    assert!(check(&deep).is_err());
}

#[test]
fn a_file_is_read_with_paths_from_its_folder() {
    let dir = tempfile::tempdir().expect("a folder");
    let path = dir.path().join("baton.toml");
    std::fs::write(dir.path().join("counter.wasm"), b"").expect("written");
    std::fs::write(&path, format!("data_dir = \"state\"\n{COUNTER}")).expect("written");
    let config = load(&path).expect("good");
    assert_eq!(config.data_dir, dir.path().join("state"));
    assert_eq!(config.plugins[0].path, dir.path().join("counter.wasm"));

    std::fs::write(&path, "data_dir = \"state\"\nnonsense = 1").expect("written");
    assert!(load(&path).is_err());
    assert_eq!(data_dir(&path).expect("it alone is good"), dir.path().join("state"));

    std::fs::write(&path, b"log = \"info\"\n# \xff").expect("written");
    let problems = load(&path).expect_err("not text");
    assert_eq!(problems[0].to_string(), format!("{}:2: is not UTF-8 text", path.display()));
    let gone = load(&dir.path().join("gone.toml")).expect_err("gone");
    assert!(gone[0].to_string().contains("gone.toml: cannot be read: No such file"), "{gone:?}");
}

#[test]
fn a_file_that_is_too_large_is_not_read_whole() {
    let dir = tempfile::tempdir().expect("a folder");
    let path = dir.path().join("large");
    std::fs::write(&path, [0; 11]).expect("written");
    assert_eq!(Disk.read(&path, 11).expect("fits").len(), 11);
    assert_eq!(Disk.read(&path, 10).expect_err("too large").to_string(), "it is larger than 10 bytes");
}

#[test]
fn only_words_that_are_alike_are_offered() {
    let words = ["mailbox_messages", "message_bytes", "timers"];
    assert_eq!(closest("mailbox_mesages", words), Some("mailbox_messages"));
    assert_eq!(closest("timer", words), Some("timers"));
    assert_eq!(closest("args", words), None);
}

#[test]
fn how_state_is_kept_is_said_per_plugin_and_per_actor() {
    let config = good(
        "[[plugin]]\npath = \"counter.wasm\"\nname = \"counter\"\ndurability = \"interval\"\ninterval_turns = 10\ninterval_ms = 500\non_bad_state = \"previous\"\n\
         [[actor]]\nname = \"a\"\nplugin = \"counter\"\ndurability = \"turn\"\non_stale = \"fresh\"\nmax_age_ms = 60000\n\
         [[actors]]\npattern = \"b/*\"\nplugin = \"counter\"\nmax_age_ms = \"infinity\"\non_bad_state = \"stop\"",
    );
    let interval = Durability::Interval { turns: Some(10), every: Some(Duration::from_millis(500)) };
    let plugin = config.plugins[0].state;
    assert_eq!((plugin.durability, plugin.on_bad_state), (Some(interval), Some(BadStatePolicy::Previous)));
    let ChildSpec::Actor(actor) = &config.children[0] else { panic!("an actor") };
    let actor = actor.state.or(plugin).resolved();
    assert_eq!((actor.durability, actor.on_bad_state), (Durability::Turn, BadStatePolicy::Previous));
    assert_eq!((actor.on_stale, actor.max_age), (BadStatePolicy::Fresh, Some(Duration::from_secs(60))));
    let template = config.templates[0].spec().state.or(plugin).resolved();
    assert_eq!((template.durability, template.on_bad_state, template.max_age), (interval, BadStatePolicy::Stop, None));
}

#[test]
fn an_interval_says_how_long_and_nothing_else_does() {
    let told = |keys: &str| {
        let text = format!(
            "[[plugin]]\npath = \"counter.wasm\"\nname = \"counter\"\n[[actor]]\nname = \"a\"\nplugin = \"counter\"\n{keys}"
        );
        check(&text).expect_err("bad").iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    assert_eq!(
        told("durability = \"interval\""),
        ["baton.toml:7: `durability` in [[actor]] \"a\" is \"interval\"; add `interval_turns`, `interval_ms`, or both"]
    );
    assert_eq!(
        told("durability = \"turn\"\ninterval_ms = 50"),
        ["baton.toml:8: `interval_ms` in [[actor]] \"a\" is for `durability = \"interval\"`, which is not there"]
    );
    assert!(told("on_stale = \"previous\"")[0].contains("expected \"hold\", \"fresh\" or \"stop\""));
}
