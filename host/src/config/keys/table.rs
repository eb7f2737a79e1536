//! The table itself.

use std::time::Duration;

use serde_json::json;

use super::{Default, Form, Group, Key, Part};
use crate::config::settings::{
    COMPUTING_GUESTS, CORE_DUMP_BYTES, CORE_DUMP_FILES, DAY_MS, GUESTS_MEMORY_BYTES, HISTORY, INSTANCES, LOG,
    MEMORY_RESERVATION_BYTES, SHUTDOWN_TIMEOUT_MS, STACK_BYTES, STORE_CACHE_BYTES,
};
use crate::config::{DATA_DIR, api, child, grants, hosts, keeping, limits, telemetry};
use crate::model::{
    API_CLIENT_TIMEOUT, API_CONNECTIONS, ATTRIBUTES, CoreDumps, DEFAULT_INSTANCES, DEFAULT_MAX_CHILDREN, GRANTS,
    GROUPS, HostsSettings, Intensity, PLUGIN_KEYS, Passivation,
};
use crate::sandbox::{DEFAULT_MEMORY_RESERVATION_BYTES, DEFAULT_STACK_BYTES};
use crate::store::{DEFAULT_CACHE_BYTES, DEFAULT_HISTORY};
use crate::telemetry::OtlpOptions;

use Default::{Is, Required, Told};

/// The whole file.
pub(in crate::config) static TOP: Group = Group {
    title: "At the top of the file",
    parts: &[Part { title: "the file", keys: &[
        Key::new("data_dir", Form::Path, Is(|| json!(DATA_DIR)), "where state and compiled code are kept. `--data-dir` takes its place, relative to where you are. The path of the socket in it has at most 107 bytes"),
        Key::new("shutdown_timeout_ms", Form::WordsOrInteger(&["infinity"], 1..=DAY_MS), Is(|| json!(SHUTDOWN_TIMEOUT_MS)), "how long all actors together may take to stop; [with a service manager](operating.md#times-to-stop)").live(),
        Key::new("instances", Form::Integer(INSTANCES), Is(|| json!(DEFAULT_INSTANCES)), "how many instances may live at once. About 5 GiB of address space is set aside for each (no memory): with 47-bit addresses 16,000 fit and 18,000 do not, unless `memory_reservation_bytes` is less"),
        Key::new("stack_bytes", Form::Integer(STACK_BYTES), Is(|| json!(DEFAULT_STACK_BYTES)), "the stack of each guest: [limits of the host](limits.md#of-the-host)"),
        Key::new("memory_reservation_bytes", Form::Integer(MEMORY_RESERVATION_BYTES), Is(|| json!(DEFAULT_MEMORY_RESERVATION_BYTES)), "addresses set aside for one linear memory, beyond which none grows: [limits of the host](limits.md#of-the-host)"),
        Key::new("guests_memory_bytes", Form::Integer(GUESTS_MEMORY_BYTES), Told("what the machine has"), "linear memory of all guests together, beyond the first 2 MiB of each: [limits of the host](limits.md#of-the-host)"),
        Key::new("computing_guests", Form::Integer(COMPUTING_GUESTS), Told("processors less one, at least 1"), "guests that compute for long at once: [limits of the host](limits.md#of-the-host)"),
        Key::new("core_dumps", Form::Path, Told("none"), "the folder where [core dumps](limits.md#core-dumps) of guests that crash go"),
        Key::new("core_dump_files", Form::Integer(CORE_DUMP_FILES), Is(|| json!(CoreDumps::new("").files)), "how many core dumps are kept; only with `core_dumps`"),
        Key::new("core_dump_bytes", Form::Integer(CORE_DUMP_BYTES), Is(|| json!(CoreDumps::new("").bytes)), "how many bytes all of them may have together; only with `core_dumps`"),
        Key::new("log", Form::Text("a filter of [`tracing`](https://docs.rs/tracing-subscriber/latest/tracing_subscriber/filter/struct.EnvFilter.html)"), Is(|| json!(LOG)), "such as `\"warn,baton_host=debug\"`; what guests log has the target `baton::guest`. `--log` takes its place").live(),
        Key::new("plugin_keys", Form::Texts("public keys of [minisign](https://jedisct1.github.io/minisign/)", PLUGIN_KEYS), Told("none"), "keys, by one of which every plugin must be signed, those of later swaps included: see [Grants](grants.md#which-plugin-it-is)"),
        Key::new("api", Form::Table(&API), Told("none"), "the [HTTP API](http.md#over-tcp) over TCP, beside the Unix socket"),
        Key::new("limits", Form::Table(&LIMITS), Told("none"), "[limits](limits.md) of all actors").live(),
        Key::new("store", Form::Table(&STORE), Told("none"), "what keeps the state"),
        Key::new("hosts", Form::Table(&HOSTS), Told("none"), "how the host shares its store [with others](hosts.md)"),
        Key::new("passivation", Form::Table(&PASSIVATION), Told("nobody sleeps"), "when actors that nobody needs are [put to sleep](sleep.md)"),
        Key::new("telemetry", Form::Table(&TELEMETRY), Told("none"), "where [traces](observability.md#traces) go"),
        Key::new("plugin", Form::Tables(&PLUGIN), Told("none"), "the plugins to load"),
        Key::new("actor", Form::Tables(&ACTOR), Told("none"), "actors that are started with the host"),
        Key::new("actors", Form::Tables(&TEMPLATE), Told("none"), "actors that are started by their first message").live(),
        Key::new("supervisor", Form::Tables(&SUPERVISOR), Told("none"), "supervisors"),
    ]}],
};

static LIMITS: Group = Group { title: "[limits]", parts: &[Part { title: "limits", keys: limits::ROWS }] };

static STORE: Group = Group {
    title: "[store]",
    parts: &[Part {
        title: "store",
        keys: &[
            Key::new(
                "backend",
                Form::Words(&["sled", "redb"]),
                Is(|| json!("sled")),
                "what keeps the state in the data directory; see [Two backends](backends.md). A directory that holds the store of the other one is refused",
            ),
            Key::new(
                "url",
                Form::Text("a URL without a password"),
                Told("none: the state is in the data directory"),
                "a store on a [server](servers.md), such as `\"postgres://baton@db/baton\"`: `postgres://`, `mysql://`, `redis://` or `rediss://`, with [settings](servers.md#settings) behind a `?`",
            ),
            Key::new(
                "password_file",
                Form::Path,
                Told("none"),
                "the file with the password for `url`. It is read when the host starts, and should be its owner's alone",
            ),
            Key::new(
                "history",
                Form::Integer(HISTORY),
                Is(|| json!(DEFAULT_HISTORY)),
                "records kept for each actor, the current one included. Where the number was lowered, an actor's next commit drops what is more",
            ),
            Key::new(
                "cache_bytes",
                Form::Integer(STORE_CACHE_BYTES),
                Is(|| json!(DEFAULT_CACHE_BYTES)),
                "what the store in the data directory may keep in memory of what it has read: more is better where [many actors sleep and wake](sleep.md#what-it-costs)",
            ),
        ],
    }],
};

static HOSTS: Group = Group {
    title: "[hosts]",
    parts: &[Part {
        title: "hosts",
        keys: &[
            Key::new(
                "node",
                Form::Text("a name"),
                Told("the machine's name"),
                "the node's name, the same over restarts. Two hosts of one machine are told apart by it",
            ),
            Key::new(
                "address",
                Form::Text("a URL"),
                Told("where `[api]` listens, unless that is every address"),
                "where others are told that this host's API is",
            ),
            Key::new(
                "owned_elsewhere",
                Form::Words(hosts::OWNED_ELSEWHERE),
                Is(|| json!(HostsSettings::default().owned_elsewhere.word())),
                "what becomes of an actor of this host that [another one owns](hosts.md#whose-an-actor-is)",
            ),
            Key::new(
                "lease_ttl_ms",
                Form::Integer(hosts::LEASE_TTL_MS),
                Is(|| json!(ms(HostsSettings::default().lease_ttl))),
                "how long the host's lease on the store runs; it is renewed four times as often",
            ),
            Key::new(
                "lease_margin_ms",
                Form::Integer(hosts::LEASE_MARGIN_MS),
                Is(|| json!(ms(HostsSettings::default().lease_margin))),
                "how long before its end the host freezes, by its own clock; at most half of `lease_ttl_ms`",
            ),
            Key::new(
                "look_ms",
                Form::Integer(hosts::LOOK_MS),
                Is(|| json!(ms(HostsSettings::default().look))),
                "how often it looks whether an actor that it waits for is free, a quarter more or less",
            ),
        ],
    }],
};

static PASSIVATION: Group = Group {
    title: "[passivation]",
    parts: &[Part {
        title: "passivation",
        keys: &[
            Key::new(
                "passivate_after_ms",
                Form::Integer(keeping::PASSIVATE_AFTER_MS),
                Told("idleness alone is no reason"),
                "after how long without a message an actor is put to sleep, where its plugin and it itself say nothing",
            ),
            Key::new(
                "max_resident",
                Form::Integer(INSTANCES),
                Told("as many as there are"),
                "how many actors may be awake: of more, those that were needed least recently go to sleep. At most `instances`",
            ),
            Key::new(
                "resident_memory_bytes",
                Form::Integer(GUESTS_MEMORY_BYTES),
                Told("no limit"),
                "linear memory of all that are awake together: where they have more, those that were needed least recently go to sleep",
            ),
            Key::new(
                "least_resident_ms",
                Form::Integer(0..=DAY_MS),
                Is(|| json!(ms(Passivation::default().least_resident))),
                "how long an actor stays awake at least, so that one which is woken again and again is not put to sleep as often",
            ),
        ],
    }],
};

static API: Group = Group {
    title: "[api]",
    parts: &[Part {
        title: "api",
        keys: &[
            Key::new(
                "listen",
                Form::Text("an address and a port"),
                Required,
                "such as `\"127.0.0.1:7766\"` or `\"[::]:7766\"`; port 0: one that is free",
            ),
            Key::new("tokens", Form::Path, Required, "the file of the [tokens](http.md#over-tcp)"),
            Key::new(
                "tls_certificate",
                Form::Path,
                Told("none"),
                "the certificate chain, the host's own first, PEM. Needed but for `insecure_loopback`",
            ),
            Key::new("tls_key", Form::Path, Told("none"), "its key, PEM; both or neither"),
            Key::new(
                "insecure_loopback",
                Form::Boolean,
                Is(|| json!(false)),
                "plain HTTP, where `listen` is a loopback address",
            ),
            Key::new("connections", Form::Integer(api::CONNECTIONS), Is(|| json!(API_CONNECTIONS)), "clients at once"),
            Key::new(
                "client_timeout_ms",
                Form::Integer(api::CLIENT_TIMEOUT_MS),
                Is(|| json!(u64::try_from(API_CLIENT_TIMEOUT.as_millis()).unwrap_or(u64::MAX))),
                "how long a client may take for a request's head, leave its connection idle, or take nothing of its answer",
            ),
        ],
    }],
};

static TELEMETRY: Group = Group {
    title: "[telemetry]",
    parts: &[Part {
        title: "telemetry",
        keys: &[
            Key::new(
                "otlp_endpoint",
                Form::Text("an address"),
                Told("`OTEL_EXPORTER_OTLP_ENDPOINT` of the environment, else none"),
                "the collector's address without `/v1/traces`, `\"http://127.0.0.1:4318\"` or `\"https://…\"`",
            ),
            Key::new(
                "sample_ratio",
                Form::Ratio,
                Is(|| json!(OtlpOptions::default().sample_ratio)),
                "which part of the traces that begin here is kept; of those that began elsewhere, what was decided there",
            ),
            Key::new(
                "service_name",
                Form::Text("a name"),
                Told("`OTEL_SERVICE_NAME` of the environment, else `\"baton\"`"),
                "what the host is called in traces",
            ),
            Key::new(
                "otlp_headers_file",
                Form::Path,
                Told("none"),
                "a file of at most 64 KiB with a header for the collector on each line, `NAME: VALUE`; lines that begin with `#` are nothing. `OTEL_EXPORTER_OTLP_HEADERS` of the environment counts as well",
            ),
            Key::new(
                "otlp_ca_file",
                Form::Path,
                Told("none"),
                "a file of at most 1 MiB with certificates, PEM, that are trusted for an `https://` collector beside those that everybody trusts",
            ),
            Key::new(
                "queue_spans",
                Form::Integer(telemetry::QUEUE_SPANS),
                Is(|| json!(OtlpOptions::default().queue_spans)),
                "how many spans wait to be exported; further ones are dropped and counted",
            ),
            Key::new(
                "export_timeout_ms",
                Form::Integer(1..=DAY_MS),
                Is(|| json!(ms(OtlpOptions::default().timeout))),
                "how long the collector may take for a batch",
            ),
            Key::new(
                "flush_timeout_ms",
                Form::Integer(1..=DAY_MS),
                Is(|| json!(ms(OtlpOptions::default().flush_timeout))),
                "how long the last spans may take at a stop",
            ),
        ],
    }],
};

fn ms(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

static PLUGIN: Group = Group {
    title: "[[plugin]]",
    parts: &[
        Part {
            title: "plugin",
            keys: &[
                Key::new(
                    "path",
                    Form::Path,
                    Required,
                    "a component, or a core module that says which world it is for; at most 256 MiB",
                ),
                Key::new(
                    "name",
                    Form::Text("a plugin's name"),
                    Told("what the plugin says"),
                    "checked once it is loaded, and needed for `limits`; stands at most once",
                ),
                Key::new(
                    "watch",
                    Form::Boolean,
                    Is(|| json!(false)),
                    "for development: when the file changes, it is [swapped in](swap.md#for-development). Only for the version that is current",
                ),
                Key::new(
                    "sha256",
                    Form::Text("64 hexadecimal digits"),
                    Told("any"),
                    "the digest that the file must have, as `sha256sum` and `baton inspect` print it; another one is refused before it is compiled, and by a later swap",
                ),
                Key::new(
                    "limits",
                    Form::Table(&LIMITS),
                    Told("those of the file"),
                    "limits of the actors that name this plugin",
                )
                .live(),
                Key::new(
                    "grants",
                    Form::Table(&GRANTED),
                    Told("nothing"),
                    "what actors of this plugin may do: see [Grants](grants.md)",
                ),
            ],
        },
        KEEPING,
    ],
};

static GRANTED: Group = Group {
    title: "[plugin.grants]",
    parts: &[Part {
        title: "grants",
        keys: &[
            Key::new(
                "supervise",
                Form::Texts("names and patterns", GRANTS),
                Told("none"),
                "actors and supervisors that it may start, stop, link, end and look up",
            ),
            Key::new(
                "call",
                Form::Texts("names and patterns", GRANTS),
                Told("none"),
                "actors that it may call, send to, monitor and look up",
            ),
            Key::new(
                "groups",
                Form::Texts("names and patterns", GRANTS),
                Told("none"),
                "groups that it may join, send to, and list",
            ),
            Key::new("dirs", Form::Tables(&DIR), Told("none"), "directories that it may use, at most 64"),
            Key::new(
                "env",
                Form::Texts("`NAME` or `NAME=VALUE`", GRANTS),
                Told("none"),
                "names in its environment: the first kind takes the value that the host has, and is absent where it has none",
            ),
            Key::new("http", Form::Tables(&HTTP), Told("none"), "requests that it may make, at most 1,000 entries"),
            Key::new(
                "sockets",
                Form::Texts("`tcp:ADDRESS:PORT` or `udp:…`", GRANTS),
                Told("none"),
                "peers that it may connect to",
            ),
            Key::new(
                "lookups",
                Form::Texts("hosts as in `http`", GRANTS),
                Told("none"),
                "names that it may have resolved",
            ),
            Key::new(
                "strict",
                Form::Boolean,
                Is(|| json!(false)),
                "whether the plugin is refused if it imports what is not granted; else that is told in the log when it is loaded",
            ),
        ],
    }],
};

static DIR: Group = Group {
    title: "dirs in [plugin.grants]",
    parts: &[Part {
        title: "dirs",
        keys: &[
            Key::new("host", Form::Path, Required, "the directory"),
            Key::new(
                "guest",
                Form::Text("an absolute name"),
                Required,
                "the name that the guest knows it by, such as `\"/assets\"`",
            ),
            Key::new("access", Form::Words(grants::ACCESS), Is(|| json!("read")), "whether it may write there"),
        ],
    }],
};

static HTTP: Group = Group {
    title: "http in [plugin.grants]",
    parts: &[Part {
        title: "http",
        keys: &[
            Key::new("host", Form::Text("a name, an address, `*.NAME` or `*`"), Required, "whom it may ask"),
            Key::new(
                "methods",
                Form::Texts("methods in capitals, or `*`", GRANTS),
                Required,
                "what it may ask; `*` is any but `CONNECT`",
            ),
            Key::new("scheme", Form::Words(grants::SCHEMES), Is(|| json!("https")), "how it may ask"),
            Key::new("port", Form::Integer(grants::PORT), Told("the scheme's own"), "where it may ask"),
            Key::new("private", Form::Boolean, Is(|| json!(false)), "whether the name may lead to a private network"),
        ],
    }],
};

/// How state is kept.
const KEEPING: Part = Part {
    title: "how state is kept",
    keys: &[
        Key::new(
            "durability",
            Form::Words(keeping::DURABILITIES),
            Is(|| json!("stop")),
            "when state is saved: see [Durability](durability.md)",
        ),
        Key::new(
            "interval_turns",
            Form::Integer(keeping::TURNS),
            Told("none"),
            "with `durability = \"interval\"`: after so many messages. One of the two at least",
        ),
        Key::new(
            "interval_ms",
            Form::Integer(keeping::INTERVAL_MS),
            Told("none"),
            "with `durability = \"interval\"`: so long after the first message that is not saved",
        ),
        Key::new(
            "on_bad_state",
            Form::Words(keeping::BAD),
            Is(|| json!("hold")),
            "what happens to an actor whose state cannot be used: see [Bad state](bad-state.md)",
        ),
        Key::new(
            "on_stale",
            Form::Words(keeping::STALE),
            Is(|| json!("hold")),
            "what happens to one whose state is older than `max_age_ms`",
        ),
        Key::new(
            "max_age_ms",
            Form::WordsOrInteger(&["infinity"], keeping::AGE_MS),
            Is(|| json!("infinity")),
            "how old a state may be when it is taken over",
        ),
        Key::new(
            "passivate_after_ms",
            Form::WordsOrInteger(&["never"], keeping::PASSIVATE_AFTER_MS),
            Told("that of `[passivation]`"),
            "after how long without a message an actor is [put to sleep](sleep.md); `\"never\"`: it never is, whatever `[passivation]` says",
        ),
    ],
};

static ACTOR: Group = Group {
    title: "[[actor]]",
    parts: &[
        Part {
            title: "actor",
            keys: &[
                Key::new("name", Form::Text("an actor's name"), Required, "no other actor and no supervisor has it"),
                Key::new(
                    "restart",
                    Form::Words(child::RESTARTS),
                    Is(|| json!("permanent")),
                    "when an ended actor is started again",
                ),
                Key::new(
                    "supervisor",
                    Form::Text("a supervisor's name"),
                    Told("the root"),
                    "which supervisor it stands below, one that is not dynamic",
                ),
            ],
        },
        OF_AN_ACTOR,
        COUNTED,
        KEEPING,
    ],
};

static TEMPLATE: Group = Group {
    title: "[[actors]]",
    parts: &[
        Part {
            title: "actors",
            keys: &[
                Key::new("pattern", Form::Text("a prefix and `*`"), Required, "such as `\"cart/*\"`, or `\"*\"`"),
                Key::new(
                    "restart",
                    Form::Words(child::RESTARTS),
                    Is(|| json!("transient")),
                    "when an ended actor is started again",
                ),
                Key::new(
                    "supervisor",
                    Form::Text("a supervisor's name"),
                    Told("the root"),
                    "which supervisor they stand below, one that is dynamic",
                ),
            ],
        },
        OF_AN_ACTOR,
        COUNTED,
        KEEPING,
    ],
};

/// What `[[actor]]` and `[[actors]]` have in common.
const OF_AN_ACTOR: Part = Part {
    title: "both",
    keys: &[
        Key::new("plugin", Form::Text("a plugin's name"), Required, "whose actor it is"),
        Key::new(
            "version",
            Form::Text("a version of the plugin"),
            Told("the one that is current"),
            "the version that the actor stays with, whatever is [swapped](swap.md); it is listed as a further `[[plugin]]`",
        ),
        Key::new(
            "args",
            Form::Anything,
            Told("nothing"),
            "what `init` is given: text as it stands, a table or an array as JSON; at most 1 MiB. A number goes in quotes",
        ),
        Key::new("args_file", Form::Path, Told("none"), "a file's bytes instead of `args`; at most 1 MiB"),
        Key::new(
            "shutdown",
            Form::WordsOrInteger(child::SHUTDOWNS, 1..=DAY_MS),
            Is(|| json!(5_000)),
            "how long it may take to stop, turn in hand and commit included",
        ),
        Key::new(
            "significant",
            Form::Boolean,
            Is(|| json!(false)),
            "whether its end counts for its supervisor's `auto_shutdown`. Only below a supervisor that has one, and never with `restart = \"permanent\"`",
        ),
        Key::new(
            "start_timeout_ms",
            Form::Integer(limits::START_TIMEOUT_MS),
            Told("the limit of that name"),
            "how long `init` may take. The same as `start_timeout_ms` in `limits`; one of the two",
        ),
        Key::new(
            "attributes",
            Form::Pairs(ATTRIBUTES),
            Told("none"),
            "what it can be found by: keys of 1 to 64 bytes, values of at most 1,024",
        ),
        Key::new(
            "groups",
            Form::Texts("names of groups", GROUPS),
            Told("none"),
            "groups that it is a member of from the start; none twice",
        ),
        Key::new("limits", Form::Table(&LIMITS), Told("those of its plugin"), "its [limits](limits.md)"),
    ],
};

/// How restarts are counted.
const COUNTED: Part = Part {
    title: "restarts",
    keys: &[
        Key::new(
            "max_restarts",
            Form::Integer(child::MAX_RESTARTS),
            Is(|| json!(Intensity::default().max_restarts)),
            "more than this many restarts",
        ),
        Key::new(
            "max_seconds",
            Form::Integer(child::MAX_SECONDS),
            Is(|| json!(Intensity::default().max_seconds)),
            "within this time, and it stays down; a supervisor ends with all its children, and what follows is up to its own supervisor",
        ),
        Key::new(
            "backoff_ms",
            Form::Integer(child::BACKOFF_MS),
            Told("no wait"),
            "how long the first restart waits; each further one waits twice as long as the one before",
        ),
        Key::new(
            "backoff_max_ms",
            Form::Integer(child::BACKOFF_MS),
            Told("60,000, or `backoff_ms` where that is longer"),
            "the longest wait; not without `backoff_ms`, and not less than it",
        ),
    ],
};

static SUPERVISOR: Group = Group {
    title: "[[supervisor]]",
    parts: &[
        Part {
            title: "supervisor",
            keys: &[
                Key::new(
                    "name",
                    Form::Text("a name like an actor's"),
                    Required,
                    "no actor and no other supervisor has it",
                ),
                Key::new(
                    "supervisor",
                    Form::Text("a supervisor's name"),
                    Told("the root"),
                    "which supervisor it stands below itself, one that is not dynamic. No circles, and at most 100 levels, that of the actors included",
                ),
                Key::new(
                    "strategy",
                    Form::Words(&["one_for_one", "one_for_all", "rest_for_one"]),
                    Is(|| json!("one_for_one")),
                    "who is restarted with a child that is: nobody, all its siblings, or those that stand after it",
                ),
                Key::new(
                    "auto_shutdown",
                    Form::Words(&["never", "any_significant", "all_significant"]),
                    Is(|| json!("never")),
                    "whether it ends when a significant child, or the last of them, has ended by itself",
                ),
                Key::new(
                    "restart",
                    Form::Words(child::RESTARTS),
                    Is(|| json!("permanent")),
                    "when it is started again itself",
                ),
                Key::new(
                    "shutdown",
                    Form::WordsOrInteger(child::SHUTDOWNS, 1..=DAY_MS),
                    Is(|| json!("infinity")),
                    "how long it may take to stop, with all that is below it",
                ),
                Key::new("significant", Form::Boolean, Is(|| json!(false)), "as for an actor"),
                Key::new(
                    "dynamic",
                    Form::Boolean,
                    Is(|| json!(false)),
                    "whether its children come and go at run time: those of the `[[actors]]` that name it, and those that are started by hand. None is listed in the file, its strategy is `one_for_one`, and they stop side by side",
                ),
                Key::new(
                    "max_children",
                    Form::Integer(child::MAX_CHILDREN),
                    Is(|| json!(DEFAULT_MAX_CHILDREN)),
                    "how many there may be at once; only with `dynamic = true`",
                ),
            ],
        },
        COUNTED,
    ],
};
