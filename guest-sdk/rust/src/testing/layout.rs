//! A state's layout as text, so that a test notices when it changes.
//!
//! Serde tells a deserializer what a type expects. This one answers every question with a small value, and writes the
//! questions down.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::{self, Display};

use serde::de::value::U32Deserializer;
use serde::de::{
    self, DeserializeOwned, DeserializeSeed, Deserializer, EnumAccess, IntoDeserializer, MapAccess, SeqAccess,
    VariantAccess, Visitor,
};

/// Most passes over a type: each meets one variant of each enum.
const PASSES: u64 = 10_000;
/// Most values that one pass makes.
const VALUES: usize = 100_000;
/// Most values inside each other. A test's thread has a small stack.
const DEPTH: usize = 64;

/// The layout of `T` as text: the type, then each struct and enum in it, by name.
///
/// [`assert_layouts`](super::assert_layouts) holds the layouts of all schemas that a plugin reads to the texts that they
/// had when they were released.
///
/// ```
/// use baton_guest::testing::layout;
///
/// #[derive(serde::Deserialize)]
/// struct Cart { items: Vec<Item>, coupon: Option<String> }
///
/// #[derive(serde::Deserialize)]
/// enum Item { Gift, Bought { cents: u64 } }
///
/// assert_eq!(
///     layout::<Cart>(),
///     "Cart\nCart { items: [Item], coupon: string? }\nItem = Gift | Bought { cents: u64 }"
/// );
/// ```
///
/// # Panics
/// The type reads something that postcard cannot carry, refuses the small values that it is given (1, `a`, …), or is an
/// enum in which no variant comes to an end.
#[must_use]
pub fn layout<T: DeserializeOwned>() -> String {
    let name = std::any::type_name::<T>();
    let mut trace = Trace::default();
    for pass in 0..PASSES {
        (trace.pass, trace.values) = (pass, 0);
        let mut root = String::new();
        if let Err(Stop(why)) = T::deserialize(Node { trace: &mut trace, shape: &mut root }) {
            panic!("the layout of {name} cannot be told: {why}");
        }
        if trace.enums.values().flatten().all(Option::is_some) {
            return trace.tell(root);
        }
    }
    panic!(
        "the layout of {name} cannot be told: {PASSES} passes did not meet every variant of {:?}",
        trace.enums.keys()
    );
}

/// What has been seen of a type.
#[derive(Default)]
struct Trace {
    structs: BTreeSet<String>,
    /// Enums by name, with the shapes of those variants that have been met.
    enums: BTreeMap<&'static str, Vec<Option<String>>>,
    /// Names of the structs and enums being read, the outermost first.
    open: Vec<&'static str>,
    pass: u64,
    values: usize,
}

impl Trace {
    fn tell(&self, root: String) -> String {
        let enums = self.enums.iter().map(|(name, variants)| {
            let variants: Vec<&str> = variants.iter().flatten().map(String::as_str).collect();
            format!("{name} = {}", variants.join(" | "))
        });
        let named: BTreeSet<String> = self.structs.iter().cloned().chain(enums).collect();
        [root].into_iter().chain(named).collect::<Vec<_>>().join("\n")
    }

    /// Whether the type being read lies within itself: then lists and options in it stay empty, so that it ends.
    fn repeats(&self) -> bool {
        self.open.split_last().is_some_and(|(last, outer)| outer.contains(last))
    }

    fn enter(&mut self, name: &'static str) -> Result<(), Stop> {
        self.open.push(name);
        if self.open.len() > DEPTH { Err(Stop(format!("it has no end: {name} holds itself"))) } else { Ok(()) }
    }

    /// Whether the type that was left lies within no other of its name. Only there it has been read in full.
    fn leave(&mut self) -> bool {
        self.open.pop().is_some_and(|name| !self.open.contains(&name))
    }

    /// The variant to read now: one that has not been met, or any, another in every pass.
    fn choose(&mut self, name: &'static str, variants: usize) -> usize {
        let outer = self.open.iter().filter(|open| **open == name).count();
        let known = self.enums.entry(name).or_insert_with(|| vec![None; variants]);
        let unmet = known.iter().position(Option::is_none).filter(|_| outer == 0);
        unmet.unwrap_or_else(|| {
            let mixed = (self.pass + outer as u64 + self.values as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 33;
            (mixed % variants.max(1) as u64) as usize
        })
    }
}

/// Why a type cannot be traced.
#[derive(Debug)]
struct Stop(String);

impl Display for Stop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Stop {}

impl de::Error for Stop {
    fn custom<T: Display>(message: T) -> Self {
        Self(message.to_string())
    }
}

/// One value: where its shape goes.
struct Node<'t> {
    trace: &'t mut Trace,
    shape: &'t mut String,
}

/// Types without parts: their name in a layout, and the value that is given.
macro_rules! plain {
    ($($method:ident $name:literal $visit:ident $value:expr;)*) => {
        $(fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Stop> {
            self.shape.push_str($name);
            visitor.$visit($value)
        })*
    };
}

impl<'de> Deserializer<'de> for Node<'_> {
    type Error = Stop;

    plain! {
        deserialize_bool "bool" visit_bool false;
        deserialize_i8 "i8" visit_i8 1;
        deserialize_i16 "i16" visit_i16 1;
        deserialize_i32 "i32" visit_i32 1;
        deserialize_i64 "i64" visit_i64 1;
        deserialize_i128 "i128" visit_i128 1;
        deserialize_u8 "u8" visit_u8 1;
        deserialize_u16 "u16" visit_u16 1;
        deserialize_u32 "u32" visit_u32 1;
        deserialize_u64 "u64" visit_u64 1;
        deserialize_u128 "u128" visit_u128 1;
        deserialize_f32 "f32" visit_f32 1.0;
        deserialize_f64 "f64" visit_f64 1.0;
        deserialize_char "char" visit_char 'a';
        deserialize_str "string" visit_str "a";
        deserialize_string "string" visit_str "a";
        deserialize_bytes "bytes" visit_bytes b"a";
        deserialize_byte_buf "bytes" visit_bytes b"a";
    }

    fn deserialize_unit<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Stop> {
        self.shape.push_str("()");
        visitor.visit_unit()
    }

    fn deserialize_unit_struct<V: Visitor<'de>>(self, name: &'static str, visitor: V) -> Result<V::Value, Stop> {
        self.shape.push_str(name);
        visitor.visit_unit()
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Stop> {
        let value = if self.trace.repeats() {
            visitor.visit_none()
        } else {
            visitor.visit_some(Node { trace: &mut *self.trace, shape: &mut *self.shape })
        };
        self.shape.push('?');
        value
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, name: &'static str, visitor: V) -> Result<V::Value, Stop> {
        let mut inner = String::new();
        self.trace.enter(name)?;
        let value = visitor.visit_newtype_struct(Node { trace: &mut *self.trace, shape: &mut inner })?;
        if self.trace.leave() {
            self.trace.structs.insert(format!("{name}({inner})"));
        }
        self.shape.push_str(name);
        Ok(value)
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Stop> {
        let left = usize::from(!self.trace.repeats());
        let mut items = Vec::new();
        let value = visitor.visit_seq(Parts { trace: self.trace, left, shapes: &mut items })?;
        self.shape.push_str(&format!("[{}]", items.concat()));
        Ok(value)
    }

    fn deserialize_tuple<V: Visitor<'de>>(self, len: usize, visitor: V) -> Result<V::Value, Stop> {
        let mut items = Vec::new();
        let value = visitor.visit_seq(Parts { trace: self.trace, left: len, shapes: &mut items })?;
        self.shape.push_str(&tuple(&items));
        Ok(value)
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        len: usize,
        visitor: V,
    ) -> Result<V::Value, Stop> {
        let mut items = Vec::new();
        self.trace.enter(name)?;
        let value = visitor.visit_seq(Parts { trace: &mut *self.trace, left: len, shapes: &mut items })?;
        if self.trace.leave() {
            self.trace.structs.insert(format!("{name}{}", tuple(&items)));
        }
        self.shape.push_str(name);
        Ok(value)
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Stop> {
        let left = if self.trace.repeats() { 0 } else { 2 };
        let mut items = Vec::new();
        let value = visitor.visit_map(Parts { trace: self.trace, left, shapes: &mut items })?;
        self.shape.push_str(&format!("{{{}}}", items.join(": ")));
        Ok(value)
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Stop> {
        let mut items = Vec::new();
        self.trace.enter(name)?;
        let value = visitor.visit_seq(Parts { trace: &mut *self.trace, left: fields.len(), shapes: &mut items })?;
        if self.trace.leave() {
            self.trace.structs.insert(format!("{name} {}", named(fields, &items)));
        }
        self.shape.push_str(name);
        Ok(value)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Stop> {
        let chosen = self.trace.choose(name, variants.len());
        let mut shape = variants.get(chosen).copied().unwrap_or_default().to_owned();
        self.trace.enter(name)?;
        let value = visitor.visit_enum(Variant { trace: &mut *self.trace, chosen, shape: &mut shape })?;
        if self.trace.leave()
            && let Some(met) = self.trace.enums.get_mut(name).and_then(|variants| variants.get_mut(chosen))
        {
            *met = Some(shape);
        }
        self.shape.push_str(name);
        Ok(value)
    }

    fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Stop> {
        Err(Stop("a part of it asks what comes next, which postcard does not say".to_owned()))
    }

    fn deserialize_identifier<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Stop> {
        self.deserialize_any(visitor)
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Stop> {
        self.deserialize_any(visitor)
    }

    fn is_human_readable(&self) -> bool {
        false
    }
}

/// The parts of a list, tuple, struct or map.
struct Parts<'t> {
    trace: &'t mut Trace,
    left: usize,
    shapes: &'t mut Vec<String>,
}

impl Parts<'_> {
    fn next<'de, S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, Stop> {
        self.left -= 1;
        self.trace.values += 1;
        if self.trace.values > VALUES {
            return Err(Stop(format!("it has more than {VALUES} parts")));
        }
        let mut shape = String::new();
        let value = seed.deserialize(Node { trace: &mut *self.trace, shape: &mut shape })?;
        self.shapes.push(shape);
        Ok(value)
    }
}

impl<'de> SeqAccess<'de> for Parts<'_> {
    type Error = Stop;

    fn next_element_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<Option<S::Value>, Stop> {
        if self.left == 0 { Ok(None) } else { self.next(seed).map(Some) }
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.left)
    }
}

impl<'de> MapAccess<'de> for Parts<'_> {
    type Error = Stop;

    fn next_key_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<Option<S::Value>, Stop> {
        if self.left == 0 { Ok(None) } else { self.next(seed).map(Some) }
    }

    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, Stop> {
        self.next(seed)
    }
}

/// One variant of an enum.
struct Variant<'t> {
    trace: &'t mut Trace,
    chosen: usize,
    shape: &'t mut String,
}

impl<'de> EnumAccess<'de> for Variant<'_> {
    type Error = Stop;
    type Variant = Self;

    fn variant_seed<S: DeserializeSeed<'de>>(self, seed: S) -> Result<(S::Value, Self), Stop> {
        let index: U32Deserializer<Stop> = u32::try_from(self.chosen).unwrap_or(u32::MAX).into_deserializer();
        Ok((seed.deserialize(index)?, self))
    }
}

impl<'de> VariantAccess<'de> for Variant<'_> {
    type Error = Stop;

    fn unit_variant(self) -> Result<(), Stop> {
        Ok(())
    }

    fn newtype_variant_seed<S: DeserializeSeed<'de>>(self, seed: S) -> Result<S::Value, Stop> {
        let mut inner = String::new();
        let value = seed.deserialize(Node { trace: self.trace, shape: &mut inner })?;
        self.shape.push_str(&format!("({inner})"));
        Ok(value)
    }

    fn tuple_variant<V: Visitor<'de>>(self, len: usize, visitor: V) -> Result<V::Value, Stop> {
        let mut items = Vec::new();
        let value = visitor.visit_seq(Parts { trace: self.trace, left: len, shapes: &mut items })?;
        self.shape.push_str(&tuple(&items));
        Ok(value)
    }

    fn struct_variant<V: Visitor<'de>>(self, fields: &'static [&'static str], visitor: V) -> Result<V::Value, Stop> {
        let mut items = Vec::new();
        let value = visitor.visit_seq(Parts { trace: self.trace, left: fields.len(), shapes: &mut items })?;
        self.shape.push_str(&format!(" {}", named(fields, &items)));
        Ok(value)
    }
}

fn named(fields: &[&str], shapes: &[String]) -> String {
    let fields: Vec<String> = fields.iter().zip(shapes).map(|(field, shape)| format!("{field}: {shape}")).collect();
    format!("{{ {} }}", fields.join(", "))
}

/// Long arrays are told by their length.
fn tuple(shapes: &[String]) -> String {
    match shapes {
        [first, .., last] if shapes.len() > 3 && shapes.iter().all(|shape| shape == first) => {
            format!("({last}; {})", shapes.len())
        }
        _ => format!("({})", shapes.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;
    use std::num::NonZeroU32;

    use serde::Deserialize;

    use super::*;

    #[derive(Deserialize)]
    #[allow(dead_code, reason = "only its layout is of interest")]
    struct Everything {
        plain: (bool, i8, u128, f64, char, ()),
        id: Id,
        name: Option<String>,
        counts: [u64; 9],
        by_name: HashMap<String, Vec<Shape>>,
        positive: NonZeroU32,
        #[serde(skip)]
        cache: Vec<u8>,
    }

    #[derive(Deserialize)]
    #[allow(dead_code, reason = "only its layout is of interest")]
    struct Id(u32);

    #[derive(Deserialize)]
    #[allow(dead_code, reason = "only its layout is of interest")]
    enum Shape {
        Point,
        Circle(u32),
        Line(Id, Id),
        Group { shapes: Vec<Shape>, color: Color },
    }

    #[derive(Deserialize)]
    #[allow(dead_code, reason = "only its layout is of interest")]
    enum Color {
        Red,
        Mixed(Box<Color>, Box<Color>),
        Blue,
    }

    #[derive(Deserialize)]
    #[allow(dead_code, reason = "only its layout is of interest")]
    struct Tree {
        left: Option<Box<Tree>>,
        children: Vec<Tree>,
    }

    #[test]
    fn a_layout_tells_every_part() {
        let expected = "\
Everything
Color = Red | Mixed(Color, Color) | Blue
Everything { plain: (bool, i8, u128, f64, char, ()), id: Id, name: string?, counts: (u64; 9), by_name: {string: [Shape]}, positive: u32 }
Id(u32)
Shape = Point | Circle(u32) | Line(Id, Id) | Group { shapes: [Shape], color: Color }";
        assert_eq!(layout::<Everything>(), expected);
    }

    #[test]
    fn a_type_within_itself_is_told_once() {
        assert_eq!(layout::<Tree>(), "Tree\nTree { left: Tree?, children: [Tree] }");
    }

    #[test]
    fn what_changes_the_bytes_or_their_meaning_changes_the_layout() {
        assert_ne!(layout::<(u32, u64)>(), layout::<(u64, u32)>());
        assert_ne!(layout::<Option<u32>>(), layout::<u32>());
        assert_ne!(layout::<Vec<u32>>(), layout::<[u32; 2]>());
        assert_ne!(layout::<[u32; 4]>(), layout::<[u32; 5]>());
    }

    #[test]
    #[should_panic(expected = "asks what comes next")]
    fn what_postcard_cannot_carry_has_no_layout() {
        let _ = layout::<serde_json::Value>();
    }

    #[derive(Deserialize)]
    #[allow(dead_code, reason = "only its layout is of interest")]
    enum Endless {
        Again(Box<Endless>),
    }

    #[test]
    #[should_panic(expected = "Endless holds itself")]
    fn what_has_no_end_has_no_layout() {
        let _ = layout::<Endless>();
    }
}
