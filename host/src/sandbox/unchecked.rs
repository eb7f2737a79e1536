//! The one place with unsafe code: what the engine takes on its caller's word, together with the check that lets us give it.
#![allow(unsafe_code)]

use std::fmt;
use std::marker::PhantomData;

use wasmtime::component::__internal::{CanonicalAbiInfo, InstanceType, InterfaceType, LiftContext};
use wasmtime::component::{
    Component, ComponentExportIndex, ComponentNamedList, ComponentType, Func, Instance, Lift, Lower, TypedFunc,
};
use wasmtime::{Engine, Store};

use super::guest::Data;
use super::trap;

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

/// A field of an answer that is read by itself: of one that cannot be read it is known where it was to lie, and the others
/// are read all the same.
pub(super) struct Field<T>(pub(super) Result<T, Unread>);

/// What could not be read of a guest's memory.
#[derive(Debug)]
pub(super) struct Unread {
    /// The address and the length that the guest gave.
    place: Option<(u32, u32)>,
    why: String,
}

impl Unread {
    fn new(error: &wasmtime::Error, bytes: &[u8]) -> Self {
        let number = |at| Some(u32::from_le_bytes(*bytes.get(at..)?.first_chunk()?));
        Self { place: number(0).zip(number(4)), why: error.root_cause().to_string() }
    }
}

impl fmt::Display for Unread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some((address, length)) = self.place {
            write!(f, "it is at address {address} with length {length}, and ")?;
        }
        f.write_str(&trap::misread(&self.why).unwrap_or_else(|| self.why.clone()))
    }
}

// SAFETY: a `Field<T>` is passed as a `T` is: layout and type check are those of `T`.
unsafe impl<T: ComponentType> ComponentType for Field<T> {
    type Lower = T::Lower;
    const ABI: CanonicalAbiInfo = T::ABI;

    fn typecheck(ty: &InterfaceType, types: &InstanceType<'_>) -> wasmtime::Result<()> {
        T::typecheck(ty, types)
    }
}

// SAFETY: `T` itself reads it, of what it was type-checked for; that it could not is no reason to end the call.
unsafe impl<T: Lift> Lift for Field<T> {
    fn linear_lift_from_flat(cx: &mut LiftContext<'_>, ty: InterfaceType, src: &Self::Lower) -> wasmtime::Result<Self> {
        Ok(Self(T::linear_lift_from_flat(cx, ty, src).map_err(|error| Unread::new(&error, &[]))))
    }

    fn linear_lift_from_memory(cx: &mut LiftContext<'_>, ty: InterfaceType, bytes: &[u8]) -> wasmtime::Result<Self> {
        Ok(Self(T::linear_lift_from_memory(cx, ty, bytes).map_err(|error| Unread::new(&error, bytes))))
    }
}
