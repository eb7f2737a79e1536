//! What fills the ring: each event of `tracing` becomes a line.

use std::fmt;

use serde_json::{Map, Value};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::Context;
use tracing_subscriber::registry::LookupSpan;

use super::line::LogLine;
use crate::events::Feed;
use crate::model::ActorName;
use crate::store::now_ms;

/// Longest message that is kept, in bytes.
const MESSAGE_BYTES: usize = 8 << 10;
/// Most fields of a line beside its message that are kept.
const FIELDS: usize = 32;
/// Longest value of a field that is kept, in bytes.
const FIELD_BYTES: usize = 2 << 10;
/// What a line takes beside its texts, in bytes.
const OWN_BYTES: usize = 256;

/// Fills a log. See [`Logs::layer`](super::Logs::layer).
#[derive(Debug)]
pub struct LogLayer(Feed<LogLine>);

impl LogLayer {
    pub(super) fn new(feed: Feed<LogLine>) -> Self {
        Self(feed)
    }
}

/// Whom a line or a span is about.
#[derive(Debug, Clone, Default)]
struct Whom {
    actor: Option<String>,
    plugin: Option<String>,
    version: Option<String>,
    generation: Option<u64>,
}

impl Whom {
    fn is_known(&self) -> bool {
        self.actor.is_some() || self.plugin.is_some() || self.version.is_some() || self.generation.is_some()
    }

    /// What is not said here, another says.
    fn or(&mut self, outer: &Self) {
        self.actor = self.actor.take().or_else(|| outer.actor.clone());
        self.plugin = self.plugin.take().or_else(|| outer.plugin.clone());
        self.version = self.version.take().or_else(|| outer.version.clone());
        self.generation = self.generation.or(outer.generation);
    }

    /// Takes a field that says whom it is about. False: it says something else.
    fn take(&mut self, name: &str, value: impl FnOnce() -> Value) -> bool {
        let text = |value: Value| match value {
            Value::String(text) => Some(text),
            Value::Null => None,
            other => Some(other.to_string()),
        };
        match name {
            "actor" => self.actor = text(value()),
            "plugin" => self.plugin = text(value()),
            "version" => self.version = text(value()),
            "generation" => {
                let value = value();
                self.generation = value.as_u64().or_else(|| value.as_str()?.parse().ok());
            }
            _ => return false,
        }
        true
    }
}

/// What a span says of whom it is about; everything else is not kept.
struct Span<'a>(&'a mut Whom);

/// What an event says.
#[derive(Default)]
struct Said {
    whom: Whom,
    message: String,
    fields: Map<String, Value>,
}

macro_rules! visit {
    () => {
        fn record_u64(&mut self, field: &Field, value: u64) {
            self.take(field, || Value::from(value));
        }

        fn record_i64(&mut self, field: &Field, value: i64) {
            self.take(field, || Value::from(value));
        }

        fn record_f64(&mut self, field: &Field, value: f64) {
            self.take(field, || Value::from(value));
        }

        fn record_bool(&mut self, field: &Field, value: bool) {
            self.take(field, || Value::from(value));
        }

        fn record_str(&mut self, field: &Field, value: &str) {
            self.take(field, || Value::from(clipped(value, bound(field))));
        }

        fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
            self.take(field, || {
                let mut text = Bounded { text: String::new(), left: bound(field) };
                // It ends where the bound is met.
                let _ = fmt::write(&mut text, format_args!("{value:?}"));
                Value::from(text.text)
            });
        }
    };
}

impl Span<'_> {
    fn take(&mut self, field: &Field, value: impl FnOnce() -> Value) {
        self.0.take(field.name(), value);
    }
}

impl Said {
    fn take(&mut self, field: &Field, value: impl FnOnce() -> Value) {
        let mut value = Some(value);
        let mut once = || value.take().map_or(Value::Null, |value| value());
        if field.name() == "message" {
            self.message = match once() {
                Value::String(text) => text,
                other => other.to_string(),
            };
        } else if !self.whom.take(field.name(), &mut once) && self.fields.len() < FIELDS {
            self.fields.insert(field.name().to_owned(), once());
        }
    }
}

impl Visit for Span<'_> {
    visit!();
}

impl Visit for Said {
    visit!();
}

fn bound(field: &Field) -> usize {
    if field.name() == "message" { MESSAGE_BYTES } else { FIELD_BYTES }
}

fn clipped(text: &str, bytes: usize) -> &str {
    &text[..text.floor_char_boundary(bytes)]
}

/// Text up to a bound: what a field prints may be of any length.
struct Bounded {
    text: String,
    left: usize,
}

impl fmt::Write for Bounded {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let part = clipped(text, self.left);
        self.text.push_str(part);
        self.left -= part.len();
        if part.len() == text.len() { Ok(()) } else { Err(fmt::Error) }
    }
}

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for LogLayer {
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let mut whom = Whom::default();
        attributes.record(&mut Span(&mut whom));
        if let Some(span) = context.span(id).filter(|_| whom.is_known()) {
            span.extensions_mut().insert(whom);
        }
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, context: Context<'_, S>) {
        let Some(span) = context.span(id) else { return };
        let mut extensions = span.extensions_mut();
        match extensions.get_mut::<Whom>() {
            Some(whom) => values.record(&mut Span(whom)),
            None => {
                let mut whom = Whom::default();
                values.record(&mut Span(&mut whom));
                if whom.is_known() {
                    extensions.insert(whom);
                }
            }
        }
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        let mut said = Said::default();
        event.record(&mut said);
        for span in context.event_scope(event).into_iter().flatten() {
            if let Some(outer) = span.extensions().get::<Whom>() {
                said.whom.or(outer);
            }
        }
        let metadata = event.metadata();
        let Said { whom: Whom { actor, plugin, version, generation }, message, fields } = said;
        let texts: usize = fields.iter().map(|(name, value)| name.len() + value.as_str().map_or(16, str::len)).sum();
        self.0.tell(OWN_BYTES + message.len() + texts, |sequence| LogLine {
            sequence,
            time_ms: now_ms(),
            level: metadata.level().into(),
            target: metadata.target().to_owned(),
            message,
            actor: actor.and_then(|actor| ActorName::new(&actor).ok()),
            plugin,
            version,
            generation,
            fields,
        });
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use tracing_subscriber::prelude::*;

    use super::super::{LogFilter, LogLevel, LogStream, Logs};
    use super::*;

    fn logged(work: impl FnOnce()) -> Logs {
        let logs = Logs::new();
        tracing::subscriber::with_default(tracing_subscriber::registry().with(logs.layer()), work);
        logs
    }

    fn all(mut stream: LogStream) -> Vec<Value> {
        let lines = std::iter::from_fn(|| stream.at_hand());
        lines.map(|line| serde_json::to_value(&*line.expect("none was missed")).expect("plain data")).collect()
    }

    #[test]
    fn a_line_says_whom_it_is_about_by_itself_or_by_the_spans_around_it() {
        let logs = logged(|| {
            tracing::info!(actor = %"a/1", generation = 3, why = "so", count = -2, yes = true, "said {}", 7);
            let turn = tracing::info_span!("turn", actor = "b/1", plugin = "p", version = "1.0.0", generation = 4_u64);
            let _turn = turn.enter();
            let _inner = tracing::info_span!("inner", generation = tracing::field::Empty).entered();
            tracing::Span::current().record("generation", 5);
            tracing::warn!("inside");
        });
        let lines = all(logs.read(LogFilter::default(), 10));
        assert_eq!(lines.len(), 2);
        let facts = |line: &Value| {
            ["level", "message", "actor", "plugin", "version", "generation"].map(|key| line[key].clone())
        };
        assert_eq!(
            facts(&lines[0]),
            [json!("info"), json!("said 7"), json!("a/1"), json!(null), json!(null), json!(3)]
        );
        assert_eq!(lines[0]["fields"], json!({ "why": "so", "count": -2, "yes": true }));
        assert_eq!(
            facts(&lines[1]),
            [json!("warn"), json!("inside"), json!("b/1"), json!("p"), json!("1.0.0"), json!(5)]
        );
        assert!(lines[0]["sequence"].as_u64() < lines[1]["sequence"].as_u64());
    }

    #[test]
    fn the_last_ones_are_read_by_level_and_by_name() {
        let logs = logged(|| {
            for n in 0..10 {
                tracing::info!(actor = %format!("a/{n}"), "info");
                tracing::error!(actor = "b", "error");
                tracing::debug!("about nobody");
            }
        });
        let count = |level: Option<&str>, actors: Option<&str>, tail| {
            let level = level.map(|level| level.parse().expect("a level"));
            let actors = actors.map(|actors| actors.parse().expect("names"));
            all(logs.read(LogFilter { level, actors }, tail)).len()
        };
        assert_eq!((count(None, None, 100), count(None, None, 7)), (30, 7));
        assert_eq!((count(Some("info"), None, 100), count(Some("ERROR"), None, 100)), (20, 10));
        assert_eq!((count(None, Some("a/*"), 100), count(None, Some("a/*"), 3), count(None, Some("c"), 9)), (10, 3, 0));
        assert_eq!(count(Some("error"), Some("a/*"), 100), 0);
        assert!("loud".parse::<LogLevel>().is_err());
    }

    #[test]
    fn what_is_long_is_kept_up_to_its_bound() {
        let logs = logged(|| {
            let long = "ü".repeat(MESSAGE_BYTES);
            tracing::info!(text = long, debug = ?long, "{long}");
        });
        let line = all(logs.read(LogFilter::default(), 1)).remove(0);
        assert_eq!(line["message"].as_str().map(str::len), Some(MESSAGE_BYTES));
        for field in ["text", "debug"] {
            let length = line["fields"][field].as_str().map_or(0, str::len);
            assert!((FIELD_BYTES - 1..=FIELD_BYTES).contains(&length), "{field}: {length}");
        }
    }
}
