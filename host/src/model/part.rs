//! Which of a plugin's actors are meant.

use std::borrow::Cow;
use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{ActorName, Digest, NameOrPattern};

/// A part of a plugin's actors: which of them run a version that not all are to run.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Part {
    /// All of them.
    #[default]
    All,
    /// So many of a hundred, 1 to 99, chosen by their names: the same ones each time, and with more of a hundred these and
    /// others.
    Percent(u8),
    /// Those that one of these names or patterns means.
    Names(Vec<NameOrPattern>),
}

impl Part {
    /// Whether `name` is one of those meant.
    #[must_use]
    pub fn includes(&self, name: &ActorName) -> bool {
        match self {
            Self::All => true,
            Self::Percent(percent) => lot(name) < u64::from(*percent),
            Self::Names(names) => names.iter().any(|meant| meant.matches(name)),
        }
    }

    /// Checks `text`: `all`, a percentage such as `10%`, or names and patterns with commas between them.
    ///
    /// # Errors
    /// Says what is wrong with it.
    pub fn new(text: &str) -> Result<Self, String> {
        if text == "all" || text == "100%" {
            return Ok(Self::All);
        }
        if let Some(number) = text.strip_suffix('%') {
            let percent = number.trim().parse().ok().filter(|percent| (1..=99).contains(percent));
            return percent.map(Self::Percent).ok_or_else(|| format!("{text:?} is no percentage from 1% to 100%"));
        }
        let names = text.split(',').map(|name| NameOrPattern::new(name.trim()).map_err(|error| error.to_string()));
        names.collect::<Result<_, _>>().map(Self::Names)
    }
}

/// A number from 0 to 99 that a name always has.
fn lot(name: &ActorName) -> u64 {
    let Digest(bytes) = Digest::of(name.as_str().as_bytes());
    bytes[..8].iter().fold(0, |number, byte| (number * 256 + u64::from(*byte)) % 100)
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::All => f.write_str("all"),
            Self::Percent(percent) => write!(f, "{percent}%"),
            Self::Names(names) => {
                let names: Vec<String> = names.iter().map(ToString::to_string).collect();
                f.write_str(&names.join(", "))
            }
        }
    }
}

impl Serialize for Part {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_str(self)
    }
}

impl JsonSchema for Part {
    fn schema_name() -> Cow<'static, str> {
        "Part".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "description": "Which of a plugin's actors: `all`, a percentage such as `10%`, or names and patterns with commas between.",
        })
    }
}

impl<'de> Deserialize<'de> for Part {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        Self::new(&String::deserialize(d)?).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> ActorName {
        ActorName::new(text).expect("valid")
    }

    #[test]
    fn a_part_reads_as_a_person_writes_it() {
        for (text, shown) in [("all", "all"), ("100%", "all"), ("10%", "10%"), ("a,b/* ", "a, b/*"), ("*", "*")] {
            assert_eq!(Part::new(text).expect(text).to_string(), shown);
        }
        for bad in ["0%", "101%", "-1%", "x%", "", "a,,b", "a*b"] {
            assert!(Part::new(bad).is_err(), "{bad:?}");
        }
        assert!(Part::new("b/*").expect("valid").includes(&name("b/1")));
        assert!(!Part::new("b/*,c").expect("valid").includes(&name("a")));
    }

    #[test]
    fn a_percentage_takes_the_same_actors_each_time_and_a_larger_one_these_and_others() {
        let names: Vec<_> = (0..10_000).map(|n| name(&format!("room/{n}"))).collect();
        let included = |percent| names.iter().filter(|name| Part::Percent(percent).includes(name)).count();
        let (ten, eleven) = (included(10), included(11));
        assert!((900..1_100).contains(&ten), "{ten}");
        assert!(eleven > ten);
        let stays = |name: &&ActorName| Part::Percent(10).includes(name) && !Part::Percent(11).includes(name);
        assert_eq!(names.iter().find(stays), None);
    }
}
