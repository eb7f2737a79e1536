//! State as bytes: encoding, decoding, and the chain of migrations between layouts.

use std::any::type_name;
use std::fmt;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::{Actor, Failure, Refusal};

/// Reads one layout and brings it to `S`.
type Decoder<S> = fn(&[u8]) -> Result<S, Refusal>;

/// A layout other than the current one.
#[doc(hidden)]
#[derive(Debug)]
pub struct Layout<S> {
    schema: u32,
    decode: Decoder<S>,
    /// Tells the layout, for the test that holds it to what it was.
    #[cfg(not(target_arch = "wasm32"))]
    tell: fn() -> String,
}

impl<S> Layout<S> {
    /// Of states that are read as `T`.
    #[must_use]
    pub const fn new<T: DeserializeOwned>(schema: u32, decode: Decoder<S>) -> Self {
        Self {
            schema,
            decode,
            #[cfg(not(target_arch = "wasm32"))]
            tell: crate::testing::layout::<T>,
        }
    }
}

/// The layouts besides the current one that a plugin reads. Made by [`migrations!`](crate::migrations).
pub struct Migrations<S: 'static> {
    older: &'static [Layout<S>],
    newer: &'static [Layout<S>],
}

impl<S> fmt::Debug for Migrations<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.older.iter().chain(self.newer).map(|layout| layout.schema)).finish()
    }
}

impl<S> Migrations<S> {
    /// No layout but the current one.
    pub const NONE: Self = Self { older: &[], newer: &[] };

    #[doc(hidden)]
    #[must_use]
    pub const fn new(older: &'static [Layout<S>], newer: &'static [Layout<S>]) -> Self {
        Self { older, newer }
    }

    /// Stops the build where the chain has a gap: what a plugin says that it reads is a range.
    #[doc(hidden)]
    pub const fn check(&self, current: u32) {
        let mut i = 0;
        while i < self.older.len() {
            let expected = current.checked_sub((self.older.len() - i) as u32);
            assert!(
                matches!(expected, Some(schema) if schema == self.older[i].schema),
                "MIGRATIONS must lead up to SCHEMA without a gap: with SCHEMA = 3, `1 => …, 2 => …` or `2 => …`"
            );
            i += 1;
        }
        let mut i = 0;
        while i < self.newer.len() {
            assert!(
                self.newer[i].schema as u64 == current as u64 + 1 + i as u64,
                "newer layouts must follow SCHEMA without a gap: with SCHEMA = 3, `newer 4 => …, 5 => …`"
            );
            i += 1;
        }
    }

    /// Oldest and newest schema that is read.
    pub(crate) fn range(&self, current: u32) -> (u32, u32) {
        let oldest = self.older.first().map_or(current, |layout| layout.schema);
        let newest = self.newer.last().map_or(current, |layout| layout.schema);
        (oldest, newest)
    }

    /// Each layout besides the current one as text, with its schema.
    #[cfg(not(target_arch = "wasm32"))]
    pub(crate) fn told(&self) -> impl Iterator<Item = (u32, String)> {
        self.older.iter().chain(self.newer).map(|layout| (layout.schema, (layout.tell)()))
    }

    fn find(&self, schema: u32) -> Option<Decoder<S>> {
        self.older.iter().chain(self.newer).find(|layout| layout.schema == schema).map(|layout| layout.decode)
    }
}

/// One step of a chain. What it cannot carry was never a state of the older plugin: it is damage.
#[doc(hidden)]
pub fn migrate<A, B>(older: A) -> Result<B, Refusal>
where
    A: TryInto<B>,
    A::Error: fmt::Display,
{
    let step = |error| format!("{} does not become {}: {error}", type_name::<A>(), type_name::<B>());
    older.try_into().map_err(|error| Refusal::Corrupt(step(error)))
}

/// The step from a newer layout. What it cannot carry is in order, and still readable by the plugin that wrote it.
#[doc(hidden)]
pub fn go_back<A, B: Actor>(newer: A) -> Result<B, Refusal>
where
    A: TryInto<B>,
    A::Error: fmt::Display,
{
    newer.try_into().map_err(|error| Refusal::Incompatible(format!("there is no way back to {}: {error}", B::SCHEMA)))
}

/// Reads a whole state. Bytes left over mean that it was written by something else.
#[doc(hidden)]
pub fn decode<T: DeserializeOwned>(data: &[u8]) -> Result<T, Refusal> {
    let layout = type_name::<T>();
    Err(Refusal::Corrupt(match postcard::take_from_bytes(data) {
        Ok((state, [])) => return Ok(state),
        Ok((_, rest)) => format!("{} of {} bytes are left over after {layout}", rest.len(), data.len()),
        Err(error) => format!("{} bytes do not decode as {layout}: {error}", data.len()),
    }))
}

/// Brings a state of any layout that `A` reads to the current one.
pub(crate) fn load<A: Actor>(schema: u32, data: &[u8]) -> Result<A, Refusal> {
    let decoder = match A::MIGRATIONS.find(schema) {
        Some(decoder) => decoder,
        None if schema == A::SCHEMA => decode,
        None => {
            let (oldest, newest) = A::MIGRATIONS.range(A::SCHEMA);
            return Err(Refusal::Incompatible(format!("schema {schema} is not among {oldest} to {newest}")));
        }
    };
    let state = decoder(data).map_err(|refusal| match refusal {
        Refusal::Corrupt(why) => Refusal::Corrupt(format!("state of schema {schema}: {why}")),
        Refusal::Incompatible(why) => Refusal::Incompatible(format!("state of schema {schema}: {why}")),
        other => other,
    })?;
    state.validate().map_err(|why| Refusal::Corrupt(format!("state of schema {schema} breaks a rule: {why}")))?;
    Ok(state)
}

/// Writes a state.
pub(crate) fn save<S: Serialize>(state: &S) -> Result<Vec<u8>, Failure> {
    postcard::to_stdvec(state)
        .map_err(|error| Failure::new("not-encodable", format!("the state cannot be written: {error}")))
}
