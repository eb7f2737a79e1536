//! One table of the file, whose keys are asked for one by one: what nobody asked for is unknown.

use std::collections::HashMap;
use std::fmt::Display;
use std::ops::RangeInclusive;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::keys::{Form, Group};
use super::problem::{Problems, closest, perhaps, shown};

/// A value and where it stands.
pub(super) type Value<'t> = &'t Spanned<DeValue<'t>>;

/// The integers that are taken, and what one means.
pub(super) type Numbers<'a, T> = (&'a RangeInclusive<u64>, &'a dyn Fn(u64) -> T);

/// A table being read.
#[derive(Debug)]
pub(super) struct Section<'t> {
    /// How problems name it, such as `[[actor]] "x"`.
    pub(super) label: String,
    /// Where it begins.
    pub(super) at: usize,
    table: &'t DeTable<'t>,
    /// Its keys.
    group: &'static Group,
    asked: Vec<&'static str>,
}

/// Where a word of an unknown key may belong instead.
#[derive(Debug, Clone, Copy)]
pub(super) struct Elsewhere {
    /// How that place is named.
    pub(super) place: &'static str,
    /// Its keys.
    pub(super) keys: &'static [&'static str],
}

impl<'t> Section<'t> {
    pub(super) fn new(label: impl Into<String>, at: usize, table: &'t DeTable<'t>, group: &'static Group) -> Self {
        Self { label: label.into(), at, table, group, asked: Vec::new() }
    }

    /// Holds the table of keys against what is read: a key that it lacks, or has otherwise, is a mistake of ours.
    fn agrees(&self, key: &'static str, form: impl Fn(&Form) -> bool) {
        let known = self.group.key(key);
        debug_assert!(known.is_some(), "`{key}` in {} is not in config/keys/table.rs", self.label);
        debug_assert!(
            known.is_none_or(|known| form(&known.form)),
            "`{key}` in {} is read as something else than {known:?}",
            self.label
        );
    }

    pub(super) fn take(&mut self, key: &'static str) -> Option<Value<'t>> {
        self.agrees(key, |_| true);
        self.asked.push(key);
        self.table.get(key)
    }

    /// Where `key` stands, or else the section.
    pub(super) fn place(&self, key: &str) -> usize {
        self.table.get_key_value(key).map_or(self.at, |(key, _)| key.span().start)
    }

    pub(super) fn has(&self, key: &str) -> bool {
        self.table.contains_key(key)
    }

    /// Whether the table `key` has `inner`.
    pub(super) fn has_in(&self, key: &str, inner: &str) -> bool {
        let table = self.table.get(key).and_then(|value| value.get_ref().as_table());
        table.is_some_and(|table| table.contains_key(inner))
    }

    fn wrong(&self, key: &str, value: Value<'t>, expected: &str, problems: &mut Problems) {
        let found = told(value);
        problems.add(value.span().start, format!("`{key}` in {} is {found}; expected {expected}", self.label));
    }

    pub(super) fn string(&mut self, key: &'static str, expected: &str, problems: &mut Problems) -> Option<&'t str> {
        let value = self.take(key)?;
        match value.get_ref() {
            DeValue::String(text) if !text.is_empty() => Some(text),
            _ => {
                self.wrong(key, value, expected, problems);
                None
            }
        }
    }

    /// As `string`, and a problem where there is none.
    pub(super) fn required(&mut self, key: &'static str, expected: &str, problems: &mut Problems) -> Option<&'t str> {
        if !self.has(key) {
            self.asked.push(key);
            problems.add(self.at, format!("{} has no `{key}`; expected {expected}", self.label));
            return None;
        }
        self.string(key, expected, problems)
    }

    /// A string that `read` takes, or that is a problem with its words.
    pub(super) fn read<T, E: Display>(
        &mut self,
        key: &'static str,
        text: Option<&str>,
        read: impl FnOnce(&str) -> Result<T, E>,
        problems: &mut Problems,
    ) -> Option<T> {
        match read(text?) {
            Ok(value) => Some(value),
            Err(error) => {
                problems.add(self.place(key), format!("`{key}` in {}: {error}", self.label));
                None
            }
        }
    }

    pub(super) fn integer(
        &mut self,
        key: &'static str,
        range: &RangeInclusive<u64>,
        problems: &mut Problems,
    ) -> Option<u64> {
        self.agrees(key, |form| matches!(form, Form::Integer(known) if known == range));
        let value = self.take(key)?;
        let number = integer_of(value).filter(|number| range.contains(number));
        if number.is_none() {
            let expected = format!("an integer from {} to {}", range.start(), range.end());
            self.wrong(key, value, &expected, problems);
        }
        number
    }

    /// A part of a whole: from 0 to 1.
    pub(super) fn ratio(&mut self, key: &'static str, problems: &mut Problems) -> Option<f64> {
        self.agrees(key, |form| matches!(form, Form::Ratio));
        let value = self.take(key)?;
        let number = match value.get_ref() {
            DeValue::Float(number) => number.as_str().parse().ok(),
            DeValue::Integer(_) => integer_of(value).and_then(|number| u32::try_from(number).ok()).map(f64::from),
            _ => None,
        };
        let number = number.filter(|number: &f64| (0.0..=1.0).contains(number));
        if number.is_none() {
            self.wrong(key, value, "a number from 0 to 1, such as 0.1", problems);
        }
        number
    }

    pub(super) fn boolean(&mut self, key: &'static str, problems: &mut Problems) -> Option<bool> {
        self.agrees(key, |form| matches!(form, Form::Boolean));
        let value = self.take(key)?;
        let found = value.get_ref().as_bool();
        if found.is_none() {
            self.wrong(key, value, "true or false", problems);
        }
        found
    }

    /// The texts in the array `key`, each as `read` takes it: at most `limit`, none twice.
    pub(super) fn list<T: PartialEq, E: Display>(
        &mut self,
        key: &'static str,
        limit: usize,
        read: impl Fn(&str) -> Result<T, E>,
        problems: &mut Problems,
    ) -> Vec<T> {
        self.agrees(key, |form| matches!(form, Form::Texts(_, most) if *most == limit));
        let Some(value) = self.take(key) else { return Vec::new() };
        let DeValue::Array(items) = value.get_ref() else {
            self.wrong(key, value, "an array of texts in quotes", problems);
            return Vec::new();
        };
        let label = &self.label;
        if items.len() > limit {
            let text = format!("`{key}` in {label} has {} entries; at most {limit} are allowed", items.len());
            problems.add(value.span().start, text);
        }
        let mut list = Vec::new();
        for item in items.iter().take(limit) {
            let what = match item.get_ref().as_str().map(&read) {
                Some(Ok(read)) if !list.contains(&read) => {
                    list.push(read);
                    continue;
                }
                Some(Ok(_)) => format!("{} is there twice", told(item)),
                Some(Err(error)) => error.to_string(),
                None => format!("{} is no text in quotes", told(item)),
            };
            problems.add(item.span().start, format!("`{key}` in {label}: {what}"));
        }
        list
    }

    /// All its pairs, whatever their keys are, each with its place. A value that is no text is a problem.
    pub(super) fn texts(&self, problems: &mut Problems) -> Vec<(&'t str, &'t str, usize)> {
        let mut pairs = Vec::new();
        for (key, value) in self.table {
            let name: &str = key.get_ref();
            match value.get_ref() {
                DeValue::String(text) => pairs.push((name, &**text, key.span().start)),
                _ => self.wrong(plain(name).as_str(), value, "text in quotes", problems),
            }
        }
        pairs
    }

    /// One of `words`, or an integer within `range` where one is given.
    pub(super) fn word_or_integer<T: Copy>(
        &mut self,
        key: &'static str,
        words: &[(&str, T)],
        range: Option<Numbers<'_, T>>,
        problems: &mut Problems,
    ) -> Option<T> {
        let listed = |known: &[&str]| known.iter().copied().eq(words.iter().map(|(word, _)| *word));
        self.agrees(key, |form| match (form, range) {
            (Form::Words(known), None) => listed(known),
            (Form::WordsOrInteger(known, most), Some((range, _))) => listed(known) && most == range,
            _ => false,
        });
        let value = self.take(key)?;
        let found = match (value.get_ref(), range) {
            (DeValue::String(text), _) => words.iter().find(|(word, _)| word == text).map(|(_, value)| *value),
            (_, Some((range, make))) => integer_of(value).filter(|number| range.contains(number)).map(make),
            _ => None,
        };
        if found.is_none() {
            let mut expected: Vec<String> = words.iter().map(|(word, _)| format!("{word:?}")).collect();
            if let Some((range, _)) = range {
                expected.push(format!("an integer from {} to {}", range.start(), range.end()));
            }
            let last = expected.pop().unwrap_or_default();
            let expected = if expected.is_empty() { last } else { format!("{} or {last}", expected.join(", ")) };
            let meant = value.get_ref().as_str().map(|text| perhaps(text, words.iter().map(|(word, _)| *word)));
            self.wrong(key, value, &(expected + &meant.unwrap_or_default()), problems);
        }
        found
    }

    pub(super) fn table(
        &mut self,
        key: &'static str,
        label: impl Into<String>,
        problems: &mut Problems,
    ) -> Option<Section<'t>> {
        let place = self.place(key);
        let value = self.take(key)?;
        let DeValue::Table(table) = value.get_ref() else {
            self.wrong(key, value, "a table", problems);
            return None;
        };
        Some(Section::new(label, place, table, self.group.below(key)))
    }

    /// The tables of `[[key]]`, in the order of the file, each labelled by its `title` where it has one, else by its place.
    pub(super) fn tables(&mut self, key: &'static str, title: &str, problems: &mut Problems) -> Vec<Section<'t>> {
        let Some(value) = self.take(key) else { return Vec::new() };
        let expected = format!("tables that begin with [[{key}]]");
        let DeValue::Array(items) = value.get_ref() else {
            self.wrong(key, value, &expected, problems);
            return Vec::new();
        };
        let mut tables = Vec::new();
        for item in items.iter() {
            let DeValue::Table(table) = item.get_ref() else {
                self.wrong(key, item, &expected, problems);
                continue;
            };
            let label = match table.get(title).and_then(|value| value.get_ref().as_str()) {
                Some(name) => format!("[[{key}]] {}", shown(name)),
                None => format!("[[{key}]] number {}", tables.len() + 1),
            };
            tables.push(Section::new(label, item.span().start, table, self.group.below(key)));
        }
        tables
    }

    /// Ends the reading: keys that nobody asked for are problems.
    pub(super) fn finish(&self, elsewhere: &[Elsewhere], problems: &mut Problems) {
        let unread = self.group.keys().find(|key| !self.asked.contains(&key.name));
        debug_assert!(unread.is_none(), "nothing in {} reads {unread:?}", self.label);
        for (key, _) in self.table {
            let name: &str = key.get_ref();
            if self.asked.contains(&name) {
                continue;
            }
            // A key that is right elsewhere was hardly meant to be another one here.
            let astray = elsewhere.iter().any(|other| other.keys.contains(&name));
            let meant = match closest(name, self.asked.iter().copied()).filter(|_| !astray) {
                Some(meant) => format!("; did you mean `{meant}`?"),
                None => elsewhere.iter().find_map(|other| other.meant(name)).unwrap_or_default(),
            };
            problems.add(key.span().start, format!("unknown key `{}` in {}{meant}", plain(name), self.label));
        }
    }
}

impl Elsewhere {
    fn meant(&self, name: &str) -> Option<String> {
        let meant = closest(name, self.keys.iter().copied())?;
        Some(format!("; did you mean `{meant}`, which belongs {}?", self.place))
    }
}

/// Names that may be there once each, with where they were first.
#[derive(Debug, Default)]
pub(super) struct Once<'t>(HashMap<&'t str, (&'static str, usize)>);

impl<'t> Once<'t> {
    /// Takes `name`, which stands under `key` in a section of this kind, such as `[[actor]]`. False: it was there before,
    /// which is a problem.
    pub(super) fn take(
        &mut self,
        name: &'t str,
        kind: &'static str,
        (section, key): (&Section<'_>, &str),
        problems: &mut Problems,
    ) -> bool {
        let place = section.place(key);
        let Some((other, first)) = self.0.get(name) else {
            self.0.insert(name, (kind, problems.line(place)));
            return true;
        };
        let name = shown(name);
        let text = match *other == kind {
            true => format!("{kind} {name} is there twice, first in line {first}"),
            false => format!(
                "{kind} {name} has the name of the {other} in line {first}; actors and supervisors need different ones"
            ),
        };
        problems.add(place, text);
        false
    }
}

/// A value as a problem names it.
fn told(value: Value<'_>) -> String {
    match value.get_ref() {
        DeValue::String(text) => shown(text),
        DeValue::Integer(number) => number.to_string(),
        DeValue::Float(number) => number.to_string(),
        DeValue::Boolean(value) => value.to_string(),
        DeValue::Datetime(_) => "a date".to_owned(),
        DeValue::Array(_) => "an array".to_owned(),
        DeValue::Table(_) => "a table".to_owned(),
    }
}

/// A key of the file as a problem shows it, between quotes of the problem's own.
fn plain(key: &str) -> String {
    shown(key).trim_matches('"').to_owned()
}

pub(super) fn integer_of(value: Value<'_>) -> Option<u64> {
    let number = value.get_ref().as_integer()?;
    u64::from_str_radix(number.as_str(), number.radix()).ok()
}
