//! The one place with unsafe code: what the engine takes on its caller's word, together with the check that lets us give it.
#![allow(unsafe_code)]

use std::marker::PhantomData;

use wasmtime::component::{
    Component, ComponentExportIndex, ComponentNamedList, Func, Instance, Lift, Lower, TypedFunc,
};
use wasmtime::{Engine, Store};

use super::guest::Data;

/// Bytes of the tag that an entry of the cache begins with.
const TAG_BYTES: usize = blake3::OUT_LEN;

/// The component whose compiled form is in `entry`, behind its tag; none unless that is what `tag_of` makes of the rest: a
/// digest with a key that nobody else can read.
pub(super) fn compiled(
    engine: &Engine,
    entry: &[u8],
    tag_of: impl FnOnce(&[u8]) -> blake3::Hash,
) -> Option<wasmtime::Result<Component>> {
    let (tag, code) = entry.split_first_chunk::<TAG_BYTES>()?;
    // blake3's comparison takes the same time wherever the first difference is.
    if tag_of(code) != blake3::Hash::from_bytes(*tag) {
        return None;
    }
    // SAFETY: the tag proves that a holder of this folder's key, which only its owner can read, wrote exactly these bytes for
    // this component and these engine settings, and what is written there is `Component::serialize`'s output alone
    // (`Cache::put`).
    Some(unsafe { Component::deserialize(engine, code) })
}

/// A function's parameters, which may borrow, and its results.
pub(super) trait Signature {
    type Params<'a>: ComponentNamedList + Lower + Send + Sync;
    type Results: ComponentNamedList + Lift + Send + Sync + 'static;
}

/// A function of an instance that was checked to have this signature.
pub(super) struct Checked<S> {
    function: Func,
    signature: PhantomData<fn() -> S>,
}

impl<S: Signature> Checked<S> {
    pub(super) fn new(
        store: &mut Store<Data>,
        instance: &Instance,
        export: &ComponentExportIndex,
    ) -> wasmtime::Result<Self> {
        let function = instance.get_typed_func::<S::Params<'static>, S::Results>(store, export)?;
        Ok(Self { function: *function.func(), signature: PhantomData })
    }

    /// For arguments that live as long as they may.
    pub(super) fn typed<'a>(&self) -> TypedFunc<S::Params<'a>, S::Results> {
        // SAFETY: `new` has checked this function against the same signature; the lifetimes of what the arguments borrow are
        // no part of it.
        unsafe { TypedFunc::new_unchecked(self.function) }
    }
}
