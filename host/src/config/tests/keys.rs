//! The table of keys, against the reader, the book, the schema's own rules, and what is printed of it.

use std::collections::BTreeMap;

use serde_json::Value;

use super::super::keys::{Form, Group, Key, Part, TOP};
use super::super::{grants, keeping, limits, settings};
use super::*;
use crate::model::Children;

/// All kinds of table, and all parts, each once.
fn groups() -> Vec<&'static Group> {
    let mut found: Vec<&'static Group> = vec![&TOP];
    let mut at = 0;
    while at < found.len() {
        let below = found[at].keys().filter_map(|key| match key.form {
            Form::Table(group) | Form::Tables(group) => Some(group),
            _ => None,
        });
        let new: Vec<_> = below.filter(|group| !found.iter().any(|known| known.title == group.title)).collect();
        found.extend(new);
        at += 1;
    }
    found
}

fn parts() -> BTreeMap<&'static str, &'static Part> {
    groups().into_iter().flat_map(|group| group.parts.iter()).map(|part| (part.title, part)).collect()
}

/// Everything in one file. The reader is held against the table while it reads it; a key that nothing reads is found as well.
const ALL: &str = r#"
log = "warn"
core_dumps = "dumps"
core_dump_files = 3
plugin_keys = ["RWQf6LRCGA9i53mlYecO4IzT51TGPpvWucNSCh1CBM0QTaLn73Y7GFO3"]
[api]
listen = "127.0.0.1:0"
tokens = "seed.json"
insecure_loopback = true
[telemetry]
otlp_endpoint = "http://127.0.0.1:4318"
sample_ratio = 0.5
[store]
history = 7
[limits]
timers = 9
[[supervisor]]
name = "top"
[[plugin]]
path = "counter.wasm"
name = "counter"
durability = "interval"
interval_turns = 5
sha256 = "0000000000000000000000000000000000000000000000000000000000000000"
[plugin.limits]
turn_sends = 8
[plugin.grants]
call = ["a/*"]
dirs = [{ host = "assets", guest = "/assets" }]
http = [{ host = "example.org", methods = ["GET"] }]
[[plugin]]
path = "flights.wasm"
name = "flights"
[[actor]]
name = "a"
plugin = "counter"
args = { text = "quote \" and \u0007", list = [1, 2.5, true] }
shutdown = 250
backoff_ms = 70_000
attributes = { region = "eu", "odd key" = "x" }
groups = ["g"]
start_timeout_ms = 77
[actor.limits]
memories = 2
[[supervisor]]
name = "pool"
supervisor = "top"
dynamic = true
[[actor]]
name = "b"
plugin = "flights"
supervisor = "top"
durability = "turn"
[[actors]]
pattern = "p/*"
plugin = "counter"
supervisor = "pool"
args_file = "seed.json"
durability = "stop"
[hosts]
node = "a"
address = "https://10.0.0.1:7766"
owned_elsewhere = "wait"
lease_ttl_ms = 4_000
lease_margin_ms = 500
look_ms = 250
"#;

fn explain(text: &str) -> (Config, Settings) {
    let files =
        ["counter.wasm", "flights.wasm", "seed.json"].map(|f| (Path::new("/etc/baton").join(f), b"[1]".to_vec()));
    let files = Table(files.into());
    settings::explain(text, "baton.toml", Path::new("/etc/baton"), &files)
        .unwrap_or_else(|problems| panic!("{problems:#?} in\n{text}"))
}

#[test]
fn every_key_of_the_table_is_read_and_every_key_that_is_read_is_in_the_table() {
    // What disagrees is found by the reader itself, at each kind of table; here is one of each.
    let (config, _) = explain(ALL);
    assert_eq!(config.plugins[0].grants.dirs.len() + config.plugins[0].grants.http.len(), 2);
    let plain = |key: &&Key| !matches!(key.form, Form::Table(_) | Form::Tables(_));
    let top: Vec<_> = TOP.keys().filter(plain).map(|key| key.name).collect();
    assert_eq!(top, settings::TOP_KEYS);
    let names = |title: &str| parts()[title].keys.iter().map(|key| key.name).collect::<Vec<_>>();
    assert_eq!(names("limits"), limits::KEYS);
    assert_eq!(names("how state is kept"), keeping::KEYS);
    assert_eq!(names("grants"), grants::KEYS);
}

/// As a host would have it, whichever table says it.
fn meaning(config: &Config) -> String {
    let mut config = config.clone();
    let rules: HashMap<_, _> = config.plugins.iter().map(|plugin| (plugin.name.clone(), plugin.state)).collect();
    let mut kept = Vec::new();
    for spec in config.actors().chain(config.templates.iter().map(Template::spec)) {
        let of_plugin = rules.get(&Some(spec.plugin.clone())).copied().unwrap_or_default();
        kept.push(spec.state.or(of_plugin).resolved());
    }
    for plugin in &mut config.plugins {
        kept.push(std::mem::take(&mut plugin.state).resolved());
    }
    for template in &mut config.templates {
        template.spec_mut().state = StateRules::default();
    }
    fn plain(child: &mut ChildSpec) {
        match child {
            ChildSpec::Actor(spec) => spec.state = StateRules::default(),
            ChildSpec::Supervisor(spec) => {
                if let Children::Listed(below) = &mut spec.children {
                    below.iter_mut().for_each(plain);
                }
            }
        }
    }
    config.children.iter_mut().for_each(plain);
    // What is the host's own default is said where it is resolved.
    config.history = config.history.or(Some(crate::store::DEFAULT_HISTORY));
    config.store_cache_bytes = config.store_cache_bytes.or(Some(crate::store::DEFAULT_CACHE_BYTES));
    config.instances = config.instances.or(Some(crate::model::DEFAULT_INSTANCES));
    config.stack_bytes = config.stack_bytes.or(Some(crate::sandbox::DEFAULT_STACK_BYTES));
    let reserved = Some(crate::sandbox::DEFAULT_MEMORY_RESERVATION_BYTES);
    config.memory_reservation_bytes = config.memory_reservation_bytes.or(reserved);
    format!("{config:#?}\n{kept:#?}")
}

#[test]
fn resolved_settings_are_a_configuration_that_means_the_same() {
    for text in [ALL, "", "[[plugin]]\npath = \"counter.wasm\"\n[[actor]]\nname = \"x\"\nplugin = \"counter\""] {
        let (config, settings) = explain(text);
        let printed = settings.to_string();
        let (again, _) = explain(&printed);
        assert_eq!(meaning(&again), meaning(&config), "{printed}");
        let (said, _) = explain(&settings.said().to_string());
        assert_eq!(said, config);
    }
}

#[test]
fn each_setting_says_where_it_comes_from() {
    let (_, settings) = explain(ALL);
    let printed = settings.clone().told("data_dir", "/elsewhere", "--data-dir").to_string();
    for line in [
        "data_dir = \"/elsewhere\"  # --data-dir",
        "instances = 10000  # default",
        "log = \"warn\"  # line 2",
        "# computing_guests: processors less one, at least 1",
        "core_dumps = \"/etc/baton/dumps\"  # line 3",
        "turn_sends = 8  # line 26, limits of [[plugin]] \"counter.wasm\"",
        "timers = 9  # line 16, [limits]",
        "start_timeout_ms = 77  # line 42",
        "# start_timeout_ms: that of the actor, above",
        "interval_turns = 5  # line 23, [[plugin]] \"counter.wasm\"",
        "backoff_max_ms = 70000  # default",
        "# max_restarts: the supervisor's counts",
    ] {
        assert!(printed.lines().any(|found| found == line), "{line} is not in\n{printed}");
    }
    let json = serde_json::to_value(&settings).expect("plain data");
    let first = &json[0]["settings"][1];
    assert_eq!(
        (&first["key"], &first["value"], &first["from"]),
        (&"shutdown_timeout_ms".into(), &30_000.into(), &"default".into())
    );
}

/// Whether `value` is what `schema` says; the words that [`super::super::schema`] uses, and no others.
fn fits(schema: &Value, value: &Value, at: &str) -> Result<(), String> {
    let is = |kind: &str| match kind {
        "string" => value.is_string(),
        "object" => value.is_object(),
        "array" => value.is_array(),
        "boolean" => value.is_boolean(),
        "integer" => value.is_u64() || value.is_i64(),
        "number" => value.is_number(),
        other => panic!("a type that is not known: {other}"),
    };
    for (word, says) in schema.as_object().expect("a schema") {
        let good = match word.as_str() {
            "type" => says.as_str().map_or_else(
                || says.as_array().expect("a schema").iter().any(|kind| is(kind.as_str().expect("a schema"))),
                is,
            ),
            "enum" => says.as_array().expect("a schema").contains(value),
            "anyOf" => says.as_array().expect("a schema").iter().any(|one| fits(one, value, at).is_ok()),
            "minimum" => value.as_i64().is_none_or(|n| n >= says.as_i64().expect("a schema")),
            "maximum" => value.as_u64().is_none_or(|n| n <= says.as_u64().expect("a schema")),
            "minLength" => value.as_str().is_none_or(|text| text.len() as u64 >= says.as_u64().expect("a schema")),
            "maxItems" => value.as_array().is_none_or(|items| items.len() as u64 <= says.as_u64().expect("a schema")),
            "maxProperties" => {
                value.as_object().is_none_or(|pairs| pairs.len() as u64 <= says.as_u64().expect("a schema"))
            }
            "uniqueItems" => {
                value.as_array().is_none_or(|items| (1..items.len()).all(|at| !items[..at].contains(&items[at])))
            }
            "required" => says
                .as_array()
                .expect("a schema")
                .iter()
                .all(|key| value.get(key.as_str().expect("a schema")).is_some()),
            "items" => {
                for (number, item) in value.as_array().into_iter().flatten().enumerate() {
                    fits(says, item, &format!("{at}[{number}]"))?;
                }
                true
            }
            "properties" => {
                for (key, inner) in says.as_object().expect("a schema") {
                    if let Some(value) = value.get(key) {
                        fits(inner, value, &format!("{at}.{key}"))?;
                    }
                }
                true
            }
            "additionalProperties" => {
                let known = schema.get("properties").and_then(Value::as_object);
                for (key, value) in value.as_object().into_iter().flatten() {
                    if known.is_none_or(|known| !known.contains_key(key)) {
                        match says {
                            Value::Bool(false) => return Err(format!("{at}.{key} is not known")),
                            inner => fits(inner, value, &format!("{at}.{key}"))?,
                        }
                    }
                }
                true
            }
            "$schema" | "title" | "description" | "default" => true,
            other => panic!("a word that is not known: {other}"),
        };
        if !good {
            return Err(format!("{at}: {word} {says} does not hold for {value}"));
        }
    }
    Ok(())
}

fn against_the_schema(text: &str) -> Result<(), String> {
    let value: Value = toml::from_str(text).map_err(|error| error.to_string())?;
    fits(&schema(), &value, "")
}

#[test]
fn the_schema_takes_what_is_good_and_refuses_what_is_not() {
    against_the_schema(ALL).expect("good");
    against_the_schema("").expect("good");
    against_the_schema(&explain(ALL).1.to_string()).expect("good, with every key");
    for text in [
        "data_dri = 1",
        "instances = 0",
        "shutdown_timeout_ms = \"never\"",
        "[store]\nbackend = \"reddb\"",
        "[limits]\ntimers = -1",
        "[[actor]]\nname = \"a\"",
        "[[plugin]]\npath = \"\"",
        "[[plugin]]\npath = \"x\"\n[plugin.grants]\ncall = [\"a\", \"a\"]",
        "[[plugin]]\npath = \"x\"\n[plugin.grants]\nhttp = [{ host = \"x\" }]",
    ] {
        assert!(against_the_schema(text).is_err(), "{text}");
    }
}

#[test]
fn the_defaults_and_the_words_of_the_schema_are_what_it_takes_itself() {
    fn check(schema: &Value, at: &str) {
        if let Some(default) = schema.get("default") {
            fits(schema, default, at).expect("the default");
        }
        if !at.is_empty() {
            let about = schema["description"].as_str().expect("a description");
            assert!(about.ends_with('.') && !about.contains(['`', '|']), "{at}: {about}");
        }
        let inner = schema.get("items").unwrap_or(schema);
        for (key, property) in inner.get("properties").and_then(Value::as_object).into_iter().flatten() {
            check(property, &format!("{at}.{key}"));
        }
    }
    check(&schema(), "");
}

/// The pages of the book.
fn book() -> Vec<(PathBuf, String)> {
    let pages = std::fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/src")).expect("the book");
    let pages =
        pages.map(|page| page.expect("a page").path()).filter(|path| path.extension().is_some_and(|end| end == "md"));
    pages.map(|path| (path.clone(), std::fs::read_to_string(&path).expect("text"))).collect()
}

#[test]
fn the_schema_takes_every_configuration_of_the_book_and_of_the_templates() {
    let mut taken = 0;
    for (page, text) in book() {
        for piece in text.split("```toml\n").skip(1).filter_map(|rest| Some(rest.split_once("```")?.0)) {
            // Manifests of plugins and of crates are TOML as well, and pieces of a configuration stand by themselves.
            let first = piece.lines().find(|line| !line.is_empty() && !line.starts_with('#')).unwrap_or_default();
            if ["[lib]", "language =", "[package]", "[dependencies]", "name ="]
                .iter()
                .any(|other| first.starts_with(other))
            {
                continue;
            }
            let whole = match first {
                "[plugin.grants]" => format!("[[plugin]]\npath = \"x.wasm\"\n{piece}"),
                _ => piece.to_owned(),
            };
            against_the_schema(&whole).unwrap_or_else(|what| panic!("{}: {what}\n{piece}", page.display()));
            taken += 1;
        }
    }
    assert!(taken > 10, "only {taken} were found");
}

/// The table of a part as the book has it.
fn rows(part: &Part) -> String {
    let row = |key: &Key| {
        let about = key.about.replace('|', "\\|");
        format!("| `{}` | {} | {} | {about} |\n", key.name, key.takes().replace('|', "\\|"), key.without())
    };
    let rows: String = part.keys.iter().map(row).collect();
    format!("| key | takes | default | |\n| --- | --- | --- | --- |\n{rows}")
}

/// Between `<!-- keys: TITLE -->` and `<!-- end -->`. With BATON_RENEW=1 it is written there instead.
#[test]
fn the_book_has_every_key_as_the_table_does() {
    let write = std::env::var_os("BATON_RENEW").is_some();
    let mut missing: BTreeMap<_, _> = parts();
    // These have two columns more there; the next test reads them.
    missing.remove("limits");
    for (path, text) in book() {
        let mut made = String::new();
        let mut rest = text.as_str();
        while let Some((before, after)) = rest.split_once("<!-- keys: ") {
            let (title, after) = after.split_once(" -->\n").expect("a title");
            let (found, after) = after.split_once("<!-- end -->").unwrap_or_else(|| panic!("`{title}` has no end"));
            let part = missing.remove(title).unwrap_or_else(|| panic!("`{title}` is no part, or there twice"));
            let right = rows(part);
            assert!(write || found == right, "{}: `{title}` is to be\n{right}", path.display());
            made.extend([before, "<!-- keys: ", title, " -->\n", &right, "<!-- end -->"]);
            rest = after;
        }
        made.push_str(rest);
        if write && made != text {
            std::fs::write(&path, made).expect("written");
        }
    }
    assert!(missing.is_empty(), "the book lacks {:?}", missing.keys());
}

#[test]
fn the_book_has_every_limit_with_its_default_and_bounds() {
    let text = include_str!("../../../../docs/src/limits.md");
    for key in parts()["limits"].keys {
        let bounds = key.takes();
        let bounds = key.unit().map_or(bounds.as_str(), |unit| bounds.trim_end_matches(unit).trim_end());
        let row = format!("| `{}` | {} | {bounds} | ", key.name, key.without());
        assert!(text.contains(&row), "limits.md is to have a row that begins with\n{row}");
    }
}

/// Between `<!-- live -->` and `<!-- end live -->`; written there with BATON_RENEW=1.
#[test]
fn the_book_lists_what_a_running_host_takes() {
    let mut right = String::new();
    for group in groups() {
        let live: Vec<_> = group.keys().filter(|key| key.live).map(|key| format!("`{}`", key.name)).collect();
        if !live.is_empty() {
            right.push_str(&format!("- {}: {}\n", group.title.trim_start_matches('#'), live.join(", ")));
        }
    }
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/src/operating.md");
    let text = std::fs::read_to_string(&path).expect("the page");
    let (before, rest) = text.split_once("<!-- live -->\n").expect("a place for it");
    let (found, after) = rest.split_once("<!-- end live -->").expect("its end");
    if std::env::var_os("BATON_RENEW").is_some() {
        let made = format!("{before}<!-- live -->\n{right}<!-- end live -->{after}");
        std::fs::write(&path, made).expect("written");
    } else {
        assert_eq!(found, right, "operating.md is to list this");
    }
}

#[test]
fn what_differs_is_told_and_whether_a_running_host_takes_it() {
    let (_, old) = explain(ALL);
    assert_eq!(old.changes(&explain(&format!("# a line more\n{ALL}")).1), []);
    let text = ALL
        .replace("log = \"warn\"", "log = \"info\"\ninstances = 7")
        .replace("timers = 9", "timers = 10")
        .replace("name = \"b\"", "name = \"c\"")
        .replace("pattern = \"p/*\"", "pattern = \"q/*\"");
    let changes = old.changes(&explain(&text).1);
    let told: Vec<_> = changes.iter().map(|change| (change.what.as_str(), change.live)).collect();
    assert_eq!(
        told,
        [
            ("`instances` in the file: 10000 is 7 now", false),
            ("`log` in the file: \"warn\" is \"info\" now", true),
            ("`timers` in [limits]: 9 is 10 now", true),
            ("`timers` in limits of [[plugin]] \"counter.wasm\": 9 is 10 now", true),
            ("`timers` in limits of [[plugin]] \"flights.wasm\": 9 is 10 now", true),
            ("`timers` in limits of [[actor]] \"a\": 9 is 10 now", false),
            ("[[actor]] \"c\" is new", false),
            ("[[actors]] \"q/*\" is new", true),
            ("[[actor]] \"b\" is gone", false),
            ("[[actors]] \"p/*\" is gone", true),
        ]
    );
    let swapped = ALL.replace("path = \"counter.wasm\"", "path = \"x\"").replace("flights.wasm", "counter.wasm");
    let swapped = swapped.replace("path = \"x\"", "path = \"flights.wasm\"");
    let order = |change: &Change| change.what.starts_with("the order of") && !change.live;
    assert!(old.changes(&explain(&swapped).1).iter().any(order));
}
