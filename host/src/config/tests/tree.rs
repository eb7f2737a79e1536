//! Supervision trees in the file.

use std::fmt::Write as _;

use super::{COUNTER, check, good};
use crate::config::Config;
use crate::model::{
    ActorName, AutoShutdown, ChildSpec, Children, DEFAULT_MAX_CHILDREN, Intensity, Restart, SUPERVISOR_DEPTH, Shutdown,
    Strategy, SupervisorSpec,
};

/// Those of `children` in their order, each with those below it: `a(b c) d`.
fn shape(children: &[ChildSpec]) -> String {
    let shape = |child: &ChildSpec| match child {
        ChildSpec::Supervisor(spec) => format!("{}({})", spec.name, shape(child.children())),
        ChildSpec::Actor(spec) => spec.name.to_string(),
    };
    children.iter().map(shape).collect::<Vec<_>>().join(" ")
}

fn supervisor<'c>(config: &'c Config, name: &str) -> &'c SupervisorSpec {
    let mut waiting: Vec<&ChildSpec> = config.children.iter().collect();
    while let Some(child) = waiting.pop() {
        waiting.extend(child.children());
        if let ChildSpec::Supervisor(spec) = child
            && spec.name.as_str() == name
        {
            return spec;
        }
    }
    panic!("no supervisor {name}");
}

fn ms(ms: u64) -> std::time::Duration {
    std::time::Duration::from_millis(ms)
}

const SHOP: &str = r#"
[[plugin]]
path = "counter.wasm"
name = "counter"
[plugin.grants]
supervise = ["cart/*", "pool"]

[[actor]]
name = "till"
plugin = "counter"
supervisor = "shop"
restart = "transient"
significant = true
start_timeout_ms = 700
attributes = { region = "eu", "two words" = "" }
groups = ["tills", "all"]

[[actor]]
name = "clock"
plugin = "counter"
backoff_ms = 100
backoff_max_ms = 800

[[supervisor]]
name = "shop"
strategy = "rest_for_one"
max_restarts = 0
max_seconds = 60
auto_shutdown = "any_significant"
restart = "transient"
shutdown = 20_000
backoff_ms = 90_000

[[supervisor]]
name = "pool"
supervisor = "stock"
dynamic = true
max_children = 12
restart = "temporary"
shutdown = "brutal-kill"
auto_shutdown = "all_significant"

[[actor]]
name = "shelf"
plugin = "counter"
supervisor = "stock"

[[supervisor]]
name = "stock"
supervisor = "shop"
restart = "transient"
significant = true

[[actors]]
pattern = "cart/*"
plugin = "counter"
supervisor = "pool"
significant = true
groups = ["carts"]
attributes.kind = "cart"

[[supervisor]]
name = "open"
dynamic = true
backoff_ms = 5
"#;

#[test]
fn children_stand_in_the_order_of_the_file_whichever_comes_first() {
    let config = good(SHOP);
    assert_eq!(shape(&config.children), "clock shop(till stock(pool() shelf)) open()");
    assert_eq!(config.actors().map(|spec| spec.name.as_str()).collect::<Vec<_>>(), ["clock", "till", "shelf"]);
    assert!(config.children.iter().all(|child| child.problems().is_empty()), "what is read is fit to run");
}

#[test]
fn every_key_of_a_supervisor_reaches_its_setting() {
    let config = good(SHOP);
    let shop = supervisor(&config, "shop");
    assert_eq!((shop.strategy, shop.auto_shutdown), (Strategy::RestForOne, AutoShutdown::AnySignificant));
    assert_eq!(shop.intensity, Intensity { max_restarts: 0, max_seconds: 60 });
    assert_eq!(
        (shop.restart, shop.shutdown, shop.significant),
        (Restart::Transient, Shutdown::After(ms(20_000)), false)
    );
    let backoff = shop.backoff.expect("some");
    assert_eq!((backoff.first, backoff.max), (ms(90_000), ms(90_000)), "the longest wait is not less than the first");

    let stock = supervisor(&config, "stock");
    let plain = SupervisorSpec::new(stock.name.clone());
    let plain = SupervisorSpec { restart: Restart::Transient, significant: true, ..plain };
    assert_eq!(SupervisorSpec { children: plain.children.clone(), ..stock.clone() }, plain);

    let pool = supervisor(&config, "pool");
    assert_eq!(pool.children, Children::Dynamic { max_children: 12 });
    assert_eq!((pool.restart, pool.shutdown), (Restart::Temporary, Shutdown::BrutalKill));
    assert_eq!(pool.auto_shutdown, AutoShutdown::AllSignificant);
    let open = supervisor(&config, "open");
    assert_eq!(open.children, Children::Dynamic { max_children: DEFAULT_MAX_CHILDREN });
    assert_eq!(open.backoff.expect("some").max, ms(60_000));
}

#[test]
fn every_key_of_a_child_reaches_its_setting() {
    let config = good(SHOP);
    let [clock, till, shelf] = &*config.actors().collect::<Vec<_>>() else { panic!("three") };
    assert!(till.significant && !shelf.significant);
    assert_eq!((till.limits.start_timeout_ms, shelf.limits.start_timeout_ms), (700, 5_000));
    let pairs: Vec<_> = till.attributes.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
    assert_eq!(pairs, [("region", "eu"), ("two words", "")]);
    assert_eq!(till.groups.iter().map(|group| group.as_str()).collect::<Vec<_>>(), ["tills", "all"]);
    let backoff = clock.backoff.expect("some");
    assert_eq!((backoff.first, backoff.max), (ms(100), ms(800)));
    assert_eq!(till.backoff, None);

    let carts = &config.templates[0];
    assert_eq!(carts.supervisor.as_ref().map(ActorName::as_str), Some("pool"));
    let spec = carts.spec();
    assert!(spec.significant && spec.attributes["kind"] == "cart" && spec.groups[0].as_str() == "carts");

    let grants = &config.plugins[0].grants;
    let may = |name| grants.may_supervise(&ActorName::new(name).expect("valid"));
    assert!(may("cart/1") && may("pool") && !may("shop"));
}

#[test]
fn whom_a_level_above_cuts_short_is_known_however_deep() {
    let text = format!(
        "shutdown_timeout_ms = 30_000\n{COUNTER}
[[supervisor]]
name = \"outer\"
shutdown = 2_000
[[supervisor]]
name = \"inner\"
supervisor = \"outer\"
dynamic = true
[[actor]]
name = \"slow\"
plugin = \"counter\"
shutdown = 2_001
supervisor = \"outer\"
[[actor]]
name = \"quick\"
plugin = \"counter\"
shutdown = 2_000
supervisor = \"outer\"
[[actors]]
pattern = \"cart/*\"
plugin = \"counter\"
supervisor = \"inner\"
[[actors]]
pattern = \"quick/*\"
plugin = \"counter\"
supervisor = \"inner\"
shutdown = 1
[[actors]]
pattern = \"*\"
plugin = \"counter\"
shutdown = \"infinity\"
"
    );
    let told: Vec<_> = good(&text).cut_short().iter().map(ToString::to_string).collect();
    assert_eq!(
        told,
        [
            "`slow` has a shutdown of 2001 ms, and supervisor `outer` gives it 2000 ms at most",
            "`cart/*` has a shutdown of 5000 ms, and supervisor `outer` gives it 2000 ms at most",
            "`*` has a shutdown of infinity, and the host (`shutdown_timeout_ms`) gives it 30000 ms at most",
        ]
    );
}

/// What follows [`COUNTER`], whose three lines stand before it, and every problem in it.
const BAD: &[(&str, &[&str])] = &[
    (
        "[[supervisor]]\nname = \"s\"\nstrategy = \"one_for_al\"\nauto_shutdown = \"any\"\nrestart = 5\nshutdown = 0\nsignificant = \"yes\"",
        &[
            "6: `strategy` in [[supervisor]] \"s\" is \"one_for_al\"; expected \"one_for_one\", \"one_for_all\" or \"rest_for_one\"; did you mean `one_for_all`?",
            "7: `auto_shutdown` in [[supervisor]] \"s\" is \"any\"; expected \"never\", \"any_significant\" or \"all_significant\"",
            "8: `restart` in [[supervisor]] \"s\" is 5; expected \"permanent\", \"transient\" or \"temporary\"",
            "9: `shutdown` in [[supervisor]] \"s\" is 0; expected \"brutal-kill\", \"infinity\" or an integer from 1 to 86400000",
            "10: `significant` in [[supervisor]] \"s\" is \"yes\"; expected true or false",
        ],
    ),
    (
        "[[supervisor]]\nname = \"s\"\nmax_restarts = -1\nmax_seconds = 0\nbackoff_ms = 0\nbackoff_max_ms = -5\ndynamic = true\nmax_children = 0",
        &[
            "6: `max_restarts` in [[supervisor]] \"s\" is -1; expected an integer from 0 to 1000000",
            "7: `max_seconds` in [[supervisor]] \"s\" is 0; expected an integer from 1 to 86400",
            "8: `backoff_ms` in [[supervisor]] \"s\" is 0; expected an integer from 1 to 86400000",
            "9: `backoff_max_ms` in [[supervisor]] \"s\" is -5; expected an integer from 1 to 86400000",
            "11: `max_children` in [[supervisor]] \"s\" is 0; expected an integer from 1 to 10000000",
        ],
    ),
    (
        "[[supervisor]]\nname = \"a\"\nbackoff_max_ms = 5\n[[supervisor]]\nname = \"b\"\nbackoff_ms = 10\nbackoff_max_ms = 9\n[[actor]]\nname = \"c\"\nplugin = \"counter\"\nbackoff_max_ms = 1",
        &[
            "6: `backoff_max_ms` in [[supervisor]] \"a\" stands without `backoff_ms`, the first wait",
            "10: backoff_max_ms = 9 is less than backoff_ms = 10 in [[supervisor]] \"b\"",
            "14: `backoff_max_ms` in [[actor]] \"c\" stands without `backoff_ms`, the first wait",
        ],
    ),
    (
        "[[supervisor]]\nname = \"a\"\nmax_children = 5\n[[supervisor]]\nname = \"b\"\nmax_children = 5\ndynamic = false\n[[supervisor]]\nname = \"c\"\ndynamic = true\nstrategy = \"one_for_all\"",
        &[
            "6: `max_children` in [[supervisor]] \"a\" is for dynamic supervisors; add `dynamic = true`",
            "9: `max_children` in [[supervisor]] \"b\" is for dynamic supervisors; add `dynamic = true`",
            "14: [[supervisor]] \"c\": it is dynamic, and so its strategy is one_for_one, not one_for_all",
        ],
    ),
    (
        "[[supervisor]]\nstratgy = \"one_for_one\"\nplugin = \"counter\"\ntimers = 5\n[[supervisor]]\nname = \"a//b\"\n[[actor]]\nname = \"x\"\nplugin = \"counter\"\nstrategy = \"one_for_one\"\n[[supervisors]]",
        &[
            "4: [[supervisor]] number 1 has no `name`; expected the supervisor's name",
            "5: unknown key `stratgy` in [[supervisor]] number 1; did you mean `strategy`?",
            "6: unknown key `plugin` in [[supervisor]] number 1; did you mean `plugin`, which belongs in an [[actor]]?",
            "7: unknown key `timers` in [[supervisor]] number 1; did you mean `timers`, which belongs in the `limits` of an [[actor]]?",
            "9: `name` in [[supervisor]] \"a//b\": actor name \"a//b\" has an empty segment: no '/' at either end, no two in a row",
            "13: unknown key `strategy` in [[actor]] \"x\"; did you mean `strategy`, which belongs in a [[supervisor]]?",
            "14: unknown key `supervisors` in the file; did you mean `supervisor`?",
        ],
    ),
    (
        "[[supervisor]]\nname = \"shop\"\n[[actor]]\nname = \"x\"\nplugin = \"counter\"\nsupervisor = \"shap\"\n[[actor]]\nname = \"y\"\nplugin = \"counter\"\nsupervisor = \"x\"\n[[supervisor]]\nname = \"z\"\nsupervisor = \"elsewhere\"\n[[actors]]\npattern = \"p/*\"\nplugin = \"counter\"\nsupervisor = \"shop/\"",
        &[
            "9: `supervisor` in [[actor]] \"x\": no [[supervisor]] has the name `shap`; did you mean `shop`?",
            "13: `supervisor` in [[actor]] \"y\": `x` is an [[actor]]; expected a [[supervisor]]",
            "16: `supervisor` in [[supervisor]] \"z\": no [[supervisor]] has the name `elsewhere`",
            "20: `supervisor` in [[actors]] \"p/*\": actor name \"shop/\" has an empty segment: no '/' at either end, no two in a row",
        ],
    ),
    (
        "[[supervisor]]\nname = \"d\"\ndynamic = true\n[[supervisor]]\nname = \"l\"\n[[actor]]\nname = \"x\"\nplugin = \"counter\"\nsupervisor = \"d\"\n[[supervisor]]\nname = \"y\"\nsupervisor = \"d\"\n[[actors]]\npattern = \"p/*\"\nplugin = \"counter\"\nsupervisor = \"l\"\n[[actors]]\npattern = \"q/*\"\nplugin = \"counter\"\nsupervisor = \"dd\"",
        &[
            "12: `supervisor` in [[actor]] \"x\": `d` is dynamic: its children come at run time, or from [[actors]]; take its `dynamic` away, or name another",
            "15: `supervisor` in [[supervisor]] \"y\": `d` is dynamic: its children come at run time, or from [[actors]]; take its `dynamic` away, or name another",
            "19: `supervisor` in [[actors]] \"p/*\": `l` is not dynamic, as one above [[actors]] is; add `dynamic = true` to it",
            "23: `supervisor` in [[actors]] \"q/*\": no [[supervisor]] has the name `dd`",
        ],
    ),
    (
        "[[supervisor]]\nname = \"hanging\"\nsupervisor = \"b\"\n[[supervisor]]\nname = \"a\"\nsupervisor = \"b\"\n[[supervisor]]\nname = \"b\"\nsupervisor = \"c\"\n[[supervisor]]\nname = \"c\"\nsupervisor = \"a\"\n[[supervisor]]\nname = \"self\"\nsupervisor = \"self\"",
        &[
            "9: `supervisor` in [[supervisor]] \"a\": supervisors stand in a circle: `a` below `b` below `c` below `a`",
            "18: `supervisor` in [[supervisor]] \"self\": supervisors stand in a circle: `self` below `self`",
        ],
    ),
    (
        "[[actor]]\nname = \"x\"\nplugin = \"counter\"\n[[supervisor]]\nname = \"x\"\n[[supervisor]]\nname = \"x\"\n[[actor]]\nname = \"y\"\nplugin = \"gone\"\nsupervisor = \"x\"\n[[actor]]\nname = \"y\"\nplugin = \"counter\"",
        &[
            "8: [[supervisor]] \"x\" has the name of the [[actor]] in line 5; actors and supervisors need different ones",
            "10: [[supervisor]] \"x\" has the name of the [[actor]] in line 5; actors and supervisors need different ones",
            "13: `plugin` in [[actor]] \"y\": no [[plugin]] has the name `gone`",
            "16: [[actor]] \"y\" is there twice, first in line 12",
        ],
    ),
    (
        "[[supervisor]]\nname = \"s\"\n[[actor]]\nname = \"x\"\nplugin = \"counter\"\nsupervisor = \"s\"\nmax_restarts = 3\nmax_seconds = 5\nbackoff_ms = 1\nbackoff_max_ms = 1\n[[supervisor]]\nname = \"own\"\nsupervisor = \"s\"\nmax_restarts = 3",
        &[
            "10: `max_restarts` in [[actor]] \"x\": below a supervisor only the supervisor's counts; set it there",
            "11: `max_seconds` in [[actor]] \"x\": below a supervisor only the supervisor's counts; set it there",
            "12: `backoff_ms` in [[actor]] \"x\": below a supervisor only the supervisor's counts; set it there",
            "13: `backoff_max_ms` in [[actor]] \"x\": below a supervisor only the supervisor's counts; set it there",
        ],
    ),
    (
        "[[supervisor]]\nname = \"any\"\nauto_shutdown = \"any_significant\"\n[[actor]]\nname = \"x\"\nplugin = \"counter\"\nsupervisor = \"any\"\nsignificant = true\n[[supervisor]]\nname = \"never\"\nsupervisor = \"any\"\nsignificant = true\nrestart = \"temporary\"\n[[actor]]\nname = \"y\"\nplugin = \"counter\"\nsupervisor = \"never\"\nsignificant = true\nrestart = \"transient\"",
        &[
            "11: [[actor]] \"x\": it is significant and permanent: one that is always started again never ends its supervisor; make it transient or temporary",
            "21: [[actor]] \"y\": it is significant, and the auto_shutdown of its supervisor `never` is never",
        ],
    ),
    (
        "[[actor]]\nname = \"x\"\nplugin = \"counter\"\nsignificant = true\nrestart = \"transient\"\n[[supervisor]]\nname = \"pool\"\ndynamic = true\n[[actors]]\npattern = \"p/*\"\nplugin = \"counter\"\nsupervisor = \"pool\"\nsignificant = true\n[[actors]]\npattern = \"q/*\"\nplugin = \"counter\"\nsignificant = true",
        &[
            "7: [[actor]] \"x\": it is significant, and stands under the root, which ends with none of its children",
            "16: [[actors]] \"p/*\": it is significant, and the auto_shutdown of its supervisor `pool` is never",
            "20: [[actors]] \"q/*\": it is significant, and stands under the root, which ends with none of its children",
        ],
    ),
    (
        "[[actor]]\nname = \"x\"\nplugin = \"counter\"\nstart_timeout_ms = 5\nlimits = { start_timeout_ms = 5 }\n[[actor]]\nname = \"y\"\nplugin = \"counter\"\nstart_timeout_ms = 0",
        &[
            "7: [[actor]] \"x\" has both `start_timeout_ms` and `limits.start_timeout_ms`; expected one",
            "12: `start_timeout_ms` in [[actor]] \"y\" is 0; expected an integer from 1 to 3600000",
        ],
    ),
    (
        "[[actor]]\nname = \"x\"\nplugin = \"counter\"\ngroups = [\"a\", \"b\",\n\"a\", 5,\n\"c//d\"]\n[[actor]]\nname = \"y\"\nplugin = \"counter\"\ngroups = \"a\"",
        &[
            "8: `groups` in [[actor]] \"x\": \"a\" is there twice",
            "8: `groups` in [[actor]] \"x\": 5 is no text in quotes",
            "9: `groups` in [[actor]] \"x\": group name \"c//d\" has an empty segment: no '/' at either end, no two in a row",
            "13: `groups` in [[actor]] \"y\" is \"a\"; expected an array of texts in quotes",
        ],
    ),
    (
        "[[actor]]\nname = \"x\"\nplugin = \"counter\"\n[actor.attributes]\nport = 80\n\"\" = \"empty\"\nbell = \"\\u0007\"\n[[actor]]\nname = \"y\"\nplugin = \"counter\"\nattributes = [\"a\"]",
        &[
            "8: `port` in attributes of [[actor]] \"x\" is 80; expected text in quotes",
            "9: attributes of [[actor]] \"x\": attribute \"\" has an empty key",
            "10: attributes of [[actor]] \"x\": value \"\\u{7}\" contains the control character '\\u{7}'",
            "14: `attributes` in [[actor]] \"y\" is an array; expected a table",
        ],
    ),
    (
        "[plugin.grants]\nsupervise = [\"a*b\", \"x//y\", \"pool\",\n\"pool\"]\nsupervize = 5\n[[plugin]]\npath = \"flights.wasm\"\nname = \"flights\"\nsupervise = [\"*\"]\ngrants = \"all\"",
        &[
            "5: `supervise` in grants of [[plugin]] \"counter.wasm\": name pattern \"a*b\" does not end in '*'",
            "5: `supervise` in grants of [[plugin]] \"counter.wasm\": actor name \"x//y\" has an empty segment: no '/' at either end, no two in a row",
            "6: `supervise` in grants of [[plugin]] \"counter.wasm\": \"pool\" is there twice",
            "7: unknown key `supervize` in grants of [[plugin]] \"counter.wasm\"; did you mean `supervise`?",
            "11: unknown key `supervise` in [[plugin]] \"flights.wasm\"; did you mean `supervise`, which belongs in its `grants`?",
            "12: `grants` in [[plugin]] \"flights.wasm\" is \"all\"; expected a table",
        ],
    ),
];

#[test]
fn every_problem_of_a_tree_is_told_with_its_line_and_what_was_meant() {
    for (text, expected) in BAD {
        let text = format!("{COUNTER}{text}");
        let problems = check(&text).expect_err(&text);
        let told: Vec<String> = problems.iter().map(ToString::to_string).collect();
        let expected: Vec<String> = expected.iter().map(|problem| format!("baton.toml:{problem}")).collect();
        assert_eq!(told, expected, "in\n{text}");
    }
}

/// `depth` supervisors, each below the one before it, and an actor below the last.
fn nested(depth: usize) -> String {
    let mut text = COUNTER.to_owned();
    for n in 1..=depth {
        let above = if n > 1 { format!("supervisor = \"s{}\"\n", n - 1) } else { String::new() };
        write!(text, "[[supervisor]]\nname = \"s{n}\"\n{above}").expect("text");
    }
    text + &format!("[[actor]]\nname = \"a\"\nplugin = \"counter\"\nsupervisor = \"s{depth}\"\n")
}

#[test]
fn nesting_is_bounded_and_told_once_however_deep() {
    let config = good(&nested(SUPERVISOR_DEPTH - 1));
    assert!(config.actors().count() == 1 && config.children[0].problems().is_empty());
    for (depth, whose) in [(SUPERVISOR_DEPTH, "[[actor]] \"a\""), (20_000, "[[supervisor]] \"s101\"")] {
        let problems = check(&nested(depth)).expect_err("too deep");
        assert_eq!(problems.len(), 1, "{problems:?}");
        assert_eq!(problems[0].message, format!("{whose}: it is nested more than 100 deep"));
    }
    let carts = "[[actors]]\npattern = \"*\"\nplugin = \"counter\"\nsupervisor = \"d\"\n";
    let pool = format!("[[supervisor]]\nname = \"d\"\ndynamic = true\nsupervisor = \"s{}\"\n", SUPERVISOR_DEPTH - 1);
    let problems = check(&(nested(SUPERVISOR_DEPTH - 1) + &pool + carts)).expect_err("too deep");
    assert_eq!(problems[0].message, "[[actors]] \"*\": it is nested more than 100 deep");
}

#[test]
fn a_circle_of_thousands_is_told_in_few_words() {
    let count = 20_000;
    let text: String = (0..count)
        .map(|n| format!("[[supervisor]]\nname = \"s{n}\"\nsupervisor = \"s{}\"\n", (n + 1) % count))
        .collect();
    let problems = check(&text).expect_err("a circle");
    assert_eq!(problems.len(), 1);
    let message = &problems[0].message;
    assert!(message.contains("circle: `s0` below `s1` below") && message.len() < 3_000, "{message}");
    assert!(message.ends_with("`s99` below 19900 more below `s0`"), "{message}");
}

#[test]
fn attributes_and_groups_are_counted() {
    let actor = |rest: &str| check(&format!("{COUNTER}[[actor]]\nname = \"x\"\nplugin = \"counter\"\n{rest}"));
    let many = |count: usize, of: fn(usize) -> String| (0..count).map(of).collect::<Vec<_>>().join(", ");
    let attributes = |count| actor(&format!("attributes = {{ {} }}", many(count, |n| format!("k{n} = \"v\""))));
    let groups = |count| actor(&format!("groups = [{}]", many(count, |n| format!("\"g{n}\""))));
    assert!(attributes(64).is_ok() && groups(64).is_ok());
    let told = |checked: Result<Config, Vec<crate::config::Problem>>| checked.expect_err("too many")[0].to_string();
    assert_eq!(
        told(attributes(65)),
        "baton.toml:7: there are 65 attributes of [[actor]] \"x\"; at most 64 are allowed"
    );
    assert_eq!(told(groups(65)), "baton.toml:7: `groups` in [[actor]] \"x\" has 65 entries; at most 64 are allowed");
}

#[test]
fn no_text_of_a_tree_makes_it_panic() {
    for end in (0..SHOP.len()).filter(|end| SHOP.is_char_boundary(*end)) {
        let _ = check(&SHOP[..end]);
        for odd in ["\0", "[", "\"", "s", "[[supervisor]]\n"] {
            let _ = check(&format!("{}{odd}{}", &SHOP[..end], &SHOP[end..]));
        }
    }
}

#[test]
fn the_example_in_the_book_is_good() {
    let book = include_str!("../../../../docs/src/configuration.md");
    let example = book.split("```toml\n").nth(1).and_then(|rest| rest.split("```").next()).expect("an example");
    let config = good(example);
    assert_eq!(shape(&config.children), "counters(counter/main pool())");
    assert_eq!(config.cut_short().len(), 1, "its template has more time than the host");
}
