//! Every key of baton.toml: what it takes, what it is without, and what it means. The schema, the book's tables and what
//! `baton config show` prints are made of this; the reader is held against it whenever it reads.

mod schema;
mod table;

use std::ops::RangeInclusive;

use serde_json::Value;

pub(super) use schema::schema;
pub(super) use table::TOP;

/// The keys of one kind of table.
#[derive(Debug)]
pub(super) struct Group {
    /// How the book and the schema name it, such as `[store]` or `[[actor]]`.
    pub(super) title: &'static str,
    pub(super) parts: &'static [Part],
}

/// Keys that stand in one table of the book. Several kinds of table may share them.
#[derive(Debug)]
pub(super) struct Part {
    /// How the book marks the table.
    #[cfg_attr(not(test), expect(dead_code, reason = "the book is held against it by a test"))]
    pub(super) title: &'static str,
    pub(super) keys: &'static [Key],
}

/// One key.
#[derive(Debug)]
pub(super) struct Key {
    pub(super) name: &'static str,
    pub(super) form: Form,
    pub(super) default: Default,
    /// What it means, as the book says it.
    pub(super) about: &'static str,
    /// Whether a host that runs takes a change of it, or of anything below it.
    pub(super) live: bool,
}

/// What a key takes.
#[derive(Debug)]
pub(super) enum Form {
    /// The path of a file or folder, from the file's folder.
    Path,
    /// Text, and which.
    Text(&'static str),
    Integer(RangeInclusive<u64>),
    /// A part of a whole: from 0 to 1.
    Ratio,
    Words(&'static [&'static str]),
    /// One of some words, or an integer.
    WordsOrInteger(&'static [&'static str], RangeInclusive<u64>),
    Boolean,
    /// An array of texts, which ones, and how many at most.
    Texts(&'static str, usize),
    /// A table of texts under any keys, and how many at most.
    Pairs(usize),
    /// Text, a table or an array.
    Anything,
    Table(&'static Group),
    Tables(&'static Group),
}

/// What a key is where the file does not have it.
#[derive(Debug)]
pub(super) enum Default {
    Required,
    Is(fn() -> Value),
    /// Nothing, or what depends on something else, in words.
    Told(&'static str),
}

impl Group {
    /// One without keys: for tables whose keys are anything.
    pub(super) const NONE: Self = Self { title: "", parts: &[] };

    pub(super) fn keys(&self) -> impl Iterator<Item = &'static Key> + use<> {
        self.parts.iter().flat_map(|part| part.keys.iter())
    }

    pub(super) fn key(&self, name: &str) -> Option<&'static Key> {
        self.keys().find(|key| key.name == name)
    }

    /// Those of the table or tables under `name`.
    pub(super) fn below(&self, name: &str) -> &'static Self {
        match self.key(name).map(|key| &key.form) {
            Some(Form::Table(group) | Form::Tables(group)) => group,
            _ => &Self::NONE,
        }
    }
}

impl Key {
    const fn new(name: &'static str, form: Form, default: Default, about: &'static str) -> Self {
        Self { name, form, default, about, live: false }
    }

    /// A host that runs takes a change of it.
    const fn live(self) -> Self {
        Self { live: true, ..self }
    }

    /// A limit of actors, an integer.
    pub(super) const fn limit(
        name: &'static str,
        range: RangeInclusive<u64>,
        default: fn() -> Value,
        about: &'static str,
    ) -> Self {
        Self::new(name, Form::Integer(range), Default::Is(default), about)
    }

    /// The unit of its integers.
    pub(super) fn unit(&self) -> Option<&'static str> {
        match self.name {
            "shutdown" => Some("ms"),
            name if name.ends_with("_ms") => Some("ms"),
            name if name.ends_with("_bytes") => Some("bytes"),
            name if name.ends_with("_seconds") => Some("s"),
            _ => None,
        }
    }
}
