//! Guests in WAT: a whole plugin by default, of which a test replaces what it wants to go wrong.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use wit_component::StringEncoding;
use wit_parser::Resolve;

/// The exports of `lifecycle` and the types that the canonical ABI flattens them to.
const EXPORTS: [(&str, &str); 6] = [
    ("describe", "(result i32)"),
    ("init", "(param $actor i32) (param $actor_len i32) (param $args i32) (param $args_len i32) (result i32)"),
    (
        "continue",
        "(param $generation i64) (param $some i32) (param $schema i32) (param $data i32) (param $data_len i32) \
         (param $origin i32) (param $origin_a i32) (param $origin_b i64) (param $origin_c i32) \
         (param $wrote i64) (param $version i32) (param $version_len i32) (param $age i64) (result i32)",
    ),
    (
        "handle",
        "(param $kind i32) (param $id i32) (param $id_len i32) (param $from i32) (param $from_ptr i32) \
         (param $from_len i32) (param $body i32) (param $body_len i32) (result i32)",
    ),
    ("snapshot", "(result i32)"),
    (
        "terminate",
        "(param $reason i32) (param $other i32) (param $other_len i32) (param $limited i32) (param $budget i64) \
         (result i32)",
    ),
];

/// Imports of `host`, with the names that bodies call them by.
const IMPORTS: [(&str, &str, &str); 10] = [
    ("log", "$log", "(param i32 i32 i32 i32 i32)"),
    ("random", "$random", "(param i32 i32)"),
    ("save", "$save", ""),
    ("send", "$send", "(param i32 i32 i32 i32 i32)"),
    ("call", "$call", "(param i32 i32 i32 i32 i64 i32)"),
    ("set-timer", "$set_timer", "(param i32 i32 i64 i32)"),
    ("cancel-timer", "$cancel_timer", "(param i32 i32)"),
    ("monitor", "$monitor", "(param i32 i32 i32)"),
    ("demonitor", "$demonitor", "(param i32 i32)"),
    ("stop", "$stop", ""),
];

/// Imports of `supervision`, likewise.
const SUPERVISION: [(&str, &str, &str); 17] = [
    (
        "start-child",
        "$start_child",
        "(param i32 i32 i32) (param i32 i32 i32 i32 i32 i32) (param i32) (param i32 i64) (param i32) (param i32)",
    ),
    ("terminate-child", "$terminate_child", "(param i32 i32 i32)"),
    ("restart-child", "$restart_child", "(param i32 i32 i32)"),
    ("delete-child", "$delete_child", "(param i32 i32 i32)"),
    ("which-children", "$which_children", "(param i32 i32 i32 i32)"),
    ("count-children", "$count_children", "(param i32 i32 i32 i32)"),
    ("whereis", "$whereis", "(param i32 i32 i32)"),
    ("members", "$members", "(param i32 i32 i32)"),
    ("attribute", "$attribute", "(param i32 i32 i32 i32 i32)"),
    ("having", "$having", "(param i32 i32 i32 i32 i32)"),
    ("link", "$link", "(param i32 i32 i32)"),
    ("unlink", "$unlink", "(param i32 i32 i32)"),
    ("exit", "$exit", "(param i32 i32 i32 i32 i32)"),
    ("join", "$join", "(param i32 i32 i32)"),
    ("leave", "$leave", "(param i32 i32 i32)"),
    ("dispatch", "$dispatch", "(param i32 i32 i32 i32 i32)"),
    ("set-attribute", "$set_attribute", "(param i32 i32 i32 i32 i32 i32)"),
];

/// A plugin whose state is one `u32`, in `$count`: each message adds one and is answered with the count in four
/// little-endian bytes; `continue` takes it over; `snapshot` and `terminate` give it. A test replaces bodies of
/// functions, whose parameters are named as in [`EXPORTS`]'s source, and which answer with the address of their result.
///
/// Helpers in reach of a body: `$ok` writes an empty success and gives its address; `$bytes` (address, length) a reply;
/// `$failure` a failure with code and message `no`; `$refuse` (case) a refusal; `$state` (discriminant offset is theirs)
/// as `snapshot` wants it, `$legacy` (case) as `terminate` does; `$letter` (address, length) the first byte, or 0.
#[derive(Debug, Clone)]
pub struct WatGuest {
    name: String,
    version: String,
    schema: u32,
    reads: (u32, u32),
    messages: String,
    memory_pages: u32,
    supervises: bool,
    bodies: BTreeMap<String, String>,
    /// What `handle` does first with a message that begins with this letter.
    letters: Vec<(char, String)>,
    realloc: Option<String>,
    /// Without a world in it, and without the function that the host asks for room.
    plain: bool,
    /// Packages that its world needs beside the contract's, the package of that world, and the core imports that come of it.
    world: Option<(Vec<String>, String, String)>,
    extra: String,
    /// Further imports, which stand before everything else.
    imports: String,
}

impl WatGuest {
    /// A plugin with this name: version 1.0.0, schema 1.
    #[must_use]
    pub fn new(name: &str) -> Self {
        Self {
            name: name.into(),
            version: "1.0.0".into(),
            schema: 1,
            reads: (1, 1),
            messages: "application/octet-stream".into(),
            memory_pages: 2,
            supervises: false,
            bodies: BTreeMap::new(),
            letters: Vec::new(),
            realloc: None,
            plain: false,
            world: None,
            extra: String::new(),
            imports: String::new(),
        }
    }

    /// Another name.
    #[must_use]
    pub fn named(mut self, name: &str) -> Self {
        self.name = name.into();
        self
    }

    /// Another version.
    #[must_use]
    pub fn version(mut self, version: &str) -> Self {
        self.version = version.into();
        self
    }

    /// Another schema, and those that it reads.
    #[must_use]
    pub fn schema(mut self, schema: u32, reads: (u32, u32)) -> Self {
        self.schema = schema;
        self.reads = reads;
        self
    }

    /// Another media type of its messages.
    #[must_use]
    pub fn messages(mut self, media_type: &str) -> Self {
        self.messages = media_type.into();
        self
    }

    /// More linear memory from the start, in pages of 64 KiB.
    #[must_use]
    pub fn memory_pages(mut self, pages: u32) -> Self {
        self.memory_pages = pages;
        self
    }

    /// With `supervision` imported as well, which is optional.
    #[must_use]
    pub fn supervises(mut self) -> Self {
        self.supervises = true;
        self
    }

    /// What `handle` does first with a message that begins with `letter`; then it goes on as always. A body that has
    /// another answer ends with `(return …)`. The local `$i` is free to use, and is 0 at first.
    #[must_use]
    pub fn when(mut self, letter: char, body: &str) -> Self {
        self.letters.push((letter, body.into()));
        self
    }

    /// Another body for the export `function`.
    #[must_use]
    pub fn on(mut self, function: &str, body: &str) -> Self {
        assert!(EXPORTS.iter().any(|(name, _)| *name == function), "no export {function}");
        self.bodies.insert(function.into(), body.into());
        self
    }

    /// A world of its own: WIT packages that it needs beside the contract's, a package that has just that world, and the core
    /// imports that come of it.
    #[must_use]
    pub fn in_world(mut self, packages: &[&str], world: &str, imports: &str) -> Self {
        let packages = packages.iter().map(ToString::to_string).collect();
        self.world = Some((packages, world.into(), imports.into()));
        self
    }

    /// Another body of the function that the host asks for room, as often as it hands something in. Its parameters are the old
    /// address and size, the alignment, and `$size`.
    #[must_use]
    pub fn realloc(mut self, body: &str) -> Self {
        self.realloc = Some(body.into());
        self
    }

    /// As a tool makes it that knows nothing of components: no world is in it, and the host finds no function to ask for
    /// room.
    #[must_use]
    pub fn plain(mut self) -> Self {
        self.plain = true;
        self
    }

    /// Further definitions: globals, data, functions. Addresses from 40,000 to 60,000 are free for data.
    #[must_use]
    pub fn with(mut self, definitions: &str) -> Self {
        self.extra.push_str(definitions);
        self
    }

    /// Further imports of the core module.
    #[must_use]
    pub fn importing(mut self, imports: &str) -> Self {
        self.imports.push_str(imports);
        self
    }

    /// What it may call of the host once it [supervises](Self::supervises): the names that bodies use, and the types.
    #[must_use]
    pub fn imports() -> Vec<(&'static str, &'static str)> {
        IMPORTS.iter().chain(&SUPERVISION).map(|(_, id, kind)| (*id, *kind)).collect()
    }

    /// The core module, which says which world it is made for, unless it is [plain](Self::plain).
    ///
    /// # Panics
    /// If the test's WAT is none.
    #[must_use]
    pub fn build(&self) -> Vec<u8> {
        let text = self.text();
        let module = wat::parse_str(&text).unwrap_or_else(|e| panic!("{e}\n{text}"));
        if self.plain { module } else { self.embed(module) }
    }

    /// `module`, which says that it is made for the world that this guest is made for.
    ///
    /// # Panics
    /// If it is no module.
    #[must_use]
    pub fn embed(&self, mut module: Vec<u8>) -> Vec<u8> {
        let mut resolve = Resolve::default();
        let wit = crate::repository().join("wit/actor/0.1.0");
        let (package, _) = resolve.push_path(&wit).expect("wit/ parses");
        let (package, named) = match &self.world {
            None => (package, Some(if self.supervises { "supervised-actor" } else { "actor" }.to_owned())),
            Some((packages, world, _)) => {
                for needed in packages {
                    resolve.push_str("needed.wit", needed).expect("the test's WIT parses");
                }
                // The one world that it has.
                (resolve.push_str("world.wit", world).expect("the test's WIT parses"), None)
            }
        };
        let world = resolve.select_world(&[package], named.as_deref()).expect("the world is there");
        wit_component::embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8, false)
            .expect("the world is embedded");
        module
    }

    /// The module as text.
    #[must_use]
    pub fn text(&self) -> String {
        let mut text = String::from("(module\n");
        for (name, id, kind) in IMPORTS {
            let _ = writeln!(text, r#"(import "baton:actor/host@0.1.0" "{name}" (func {id} {kind}))"#);
        }
        for (name, id, kind) in SUPERVISION.iter().filter(|_| self.supervises) {
            let _ = writeln!(text, r#"(import "baton:actor/supervision@0.1.0" "{name}" (func {id} {kind}))"#);
        }
        if let Some((_, _, imports)) = &self.world {
            let _ = writeln!(text, "{imports}");
        }
        let _ = writeln!(text, "{}", self.imports);
        let _ = writeln!(text, r#"(memory (export "memory") {})"#, self.memory_pages);
        text.push_str(HELPERS);
        let realloc = self.realloc.as_deref().unwrap_or(REALLOC);
        let export = if self.plain { "" } else { "(export \"cabi_realloc\")" };
        let _ =
            writeln!(text, "(func $realloc {export} (param i32 i32 i32) (param $size i32) (result i32)\n{realloc})");
        let _ = write!(text, "{}", self.describe());
        for (name, kind) in EXPORTS {
            let body = self.bodies.get(name).map_or_else(|| default_body(name), String::as_str);
            let export = format!(r#"(export "baton:actor/lifecycle@0.1.0#{name}")"#);
            let first = if name == "handle" { self.by_letter() } else { String::new() };
            let _ = writeln!(text, "(func ${name} {export} {kind}\n{first}{body})");
        }
        text.push_str(&self.extra);
        text.push_str("\n)");
        text
    }

    fn by_letter(&self) -> String {
        let start = if self.letters.is_empty() { String::new() } else { "(local $i i32)\n".to_owned() };
        self.letters.iter().fold(start, |mut text, (letter, body)| {
            let is =
                format!("(call $letter (local.get $body) (local.get $body_len)) (i32.const {})", u32::from(*letter));
            let _ = writeln!(text, "(if (i32.eq {is}) (then {body}))");
            text
        })
    }

    /// The description, laid out at 1,024; its strings from 1,100 on.
    fn describe(&self) -> String {
        let media = &self.messages;
        let (name, version) = (1_100, 1_300);
        let words = [(name, self.name.len()), (version, self.version.len())];
        let mut layout = Vec::new();
        for (at, len) in words {
            layout.extend([at, u32::try_from(len).expect("short")]);
        }
        layout.extend([
            self.schema,
            self.reads.0,
            self.reads.1,
            1_500,
            u32::try_from(media.len()).expect("short"),
            0,
            0,
        ]);
        let bytes: String = layout.iter().flat_map(|n| n.to_le_bytes()).map(|b| format!("\\{b:02x}")).collect();
        let quoted = |text: &str| text.bytes().map(|b| format!("\\{b:02x}")).collect::<String>();
        format!(
            "(data (i32.const 1024) \"{bytes}\")\n(data (i32.const {name}) \"{}\")\n(data (i32.const {version}) \
             \"{}\")\n(data (i32.const 1500) \"{}\")\n(global $own_schema i32 (i32.const {}))\n",
            quoted(&self.name),
            quoted(&self.version),
            quoted(media),
            self.schema,
        )
    }
}

fn default_body(name: &str) -> &'static str {
    match name {
        "describe" => "(i32.const 1024)",
        // trap-exit: true
        "init" => "(drop (call $ok)) (i32.store8 (i32.const 2052) (i32.const 1)) (i32.const 2048)",
        "continue" => "(if (local.get $some) (then (global.set $count (i32.load (local.get $data))))) (call $ok)",
        "handle" => {
            "(global.set $count (i32.add (global.get $count) (i32.const 1)))
             (i32.store (i32.const 3000) (global.get $count)) (call $bytes (i32.const 3000) (i32.const 4))"
        }
        "snapshot" => "(call $state)",
        "terminate" => "(call $legacy (i32.const 0))",
        _ => unreachable!("all exports are listed"),
    }
}

const REALLOC: &str = "  (local $at i32)
  (local.set $at (i32.and (i32.add (global.get $next) (i32.const 15)) (i32.const -16)))
  (global.set $next (i32.add (local.get $at) (local.get $size)))
  (block $fits
    (loop $grow
      (br_if $fits (i32.le_u (global.get $next) (i32.mul (memory.size) (i32.const 65536))))
      (br_if $grow (i32.ne (memory.grow (i32.const 16)) (i32.const -1))))
    unreachable)
  (local.get $at)";

/// Results are written at 2,048; what the host passes in is allocated from 65,536 on and never freed, but begins anew
/// with every call.
const HELPERS: &str = r#"
(global $count (mut i32) (i32.const 0))
(global $next (mut i32) (i32.const 65536))
(data (i32.const 2040) "no")
(func $ok (result i32)
  (global.set $next (i32.const 65536))
  (i32.store (i32.const 2048) (i32.const 0)) (i32.store (i32.const 2052) (i32.const 0)) (i32.const 2048))
(func $letter (param $at i32) (param $len i32) (result i32)
  (if (result i32) (local.get $len) (then (i32.load8_u (local.get $at))) (else (i32.const 0))))
(func $bytes (param $at i32) (param $len i32) (result i32)
  (drop (call $ok))
  (i32.store (i32.const 2052) (local.get $at)) (i32.store (i32.const 2056) (local.get $len)) (i32.const 2048))
(func $failure (result i32)
  (drop (call $ok))
  (i32.store (i32.const 2048) (i32.const 1))
  (i32.store (i32.const 2052) (i32.const 2040)) (i32.store (i32.const 2056) (i32.const 2))
  (i32.store (i32.const 2060) (i32.const 2040)) (i32.store (i32.const 2064) (i32.const 2)) (i32.const 2048))
(func $refuse (param $case i32) (result i32)
  (drop (call $ok))
  (i32.store (i32.const 2048) (i32.const 1)) (i32.store (i32.const 2052) (local.get $case))
  (i32.store (i32.const 2056) (i32.const 2040)) (i32.store (i32.const 2060) (i32.const 2)) (i32.const 2048))
(func $some_state (param $case i32) (result i32)
  (drop (call $ok))
  (i32.store (i32.const 3000) (global.get $count))
  (i32.store (i32.const 2052) (local.get $case)) (i32.store (i32.const 2056) (global.get $own_schema))
  (i32.store (i32.const 2060) (i32.const 3000)) (i32.store (i32.const 2064) (i32.const 4)) (i32.const 2048))
(func $state (result i32) (call $some_state (i32.const 1)))
(func $legacy (param $case i32) (result i32) (call $some_state (local.get $case)))
"#;
