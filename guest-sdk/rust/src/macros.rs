//! The two macros: one makes a plugin of an actor, the other a chain of older layouts.

/// Makes a plugin of an actor: `plugin!(Counter);`, once per crate.
///
/// Name and version are the crate's. Each can be given instead, in this order:
///
/// ```
/// # use baton_guest::{Actor, Cx, Failure, Raw};
/// # #[derive(serde::Serialize, serde::Deserialize)]
/// # struct Thumbnails;
/// # impl Actor for Thumbnails {
/// #     type Message = Vec<u8>;
/// #     type Reply = Vec<u8>;
/// #     const SCHEMA: u32 = 1;
/// #     fn init(_: &Cx) -> Result<Self, Failure> { Ok(Self) }
/// #     fn handle(&mut self, message: Vec<u8>, _: &Cx) -> Result<Vec<u8>, Failure> { Ok(message) }
/// # }
/// baton_guest::plugin!(Thumbnails, name = "thumbnails", version = "2.0.0", codec = Raw);
/// ```
///
/// A name that no plugin can have does not compile:
///
/// ```compile_fail
/// # use baton_guest::{Actor, Cx, Failure};
/// # #[derive(serde::Serialize, serde::Deserialize)]
/// # struct Nothing;
/// # impl Actor for Nothing {
/// #     type Message = ();
/// #     type Reply = ();
/// #     const SCHEMA: u32 = 1;
/// #     fn init(_: &Cx) -> Result<Self, Failure> { Ok(Self) }
/// #     fn handle(&mut self, (): (), _: &Cx) -> Result<(), Failure> { Ok(()) }
/// # }
/// baton_guest::plugin!(Nothing, name = "No Name");
/// ```
#[macro_export]
macro_rules! plugin {
    ($actor:ty $(, name = $name:expr)? $(, version = $version:expr)? $(, codec = $codec:ty)? $(,)?) => {
        impl $crate::Plugin for $actor {
            const NAME: &'static str = $crate::__first!($($name)?, env!("CARGO_PKG_NAME"));
            const VERSION: &'static str = $crate::__first!($($version)?, env!("CARGO_PKG_VERSION"));
            const METADATA: &'static [(&'static str, &'static str)] = &[
                ("description", env!("CARGO_PKG_DESCRIPTION")),
                ("authors", env!("CARGO_PKG_AUTHORS")),
                ("license", env!("CARGO_PKG_LICENSE")),
                ("homepage", env!("CARGO_PKG_HOMEPAGE")),
                ("repository", env!("CARGO_PKG_REPOSITORY")),
            ];
            type Codec = $crate::__first_type!($($codec)?, $crate::Json);
        }

        const _: () = {
            assert!(
                $crate::__private::is_plugin_name(<$actor as $crate::Plugin>::NAME),
                "a plugin's name has lower-case letters, digits, `-` and `_`, begins with a letter, and has at most 64 bytes"
            );
            <$actor as $crate::Actor>::MIGRATIONS.check(<$actor as $crate::Actor>::SCHEMA);
        };

        #[cfg(target_arch = "wasm32")]
        #[allow(unsafe_code)]
        const _: () = {
            // An instance of the component is one actor, so this is where it lives.
            ::std::thread_local! {
                static INSTANCE: ::std::cell::RefCell<::std::option::Option<$crate::__private::Instance<$actor>>> =
                    const { ::std::cell::RefCell::new(::std::option::Option::None) };
            }

            impl $crate::__private::Slot for $actor {
                fn with<R>(
                    f: impl ::std::ops::FnOnce(&mut ::std::option::Option<$crate::__private::Instance<Self>>) -> R,
                ) -> R {
                    INSTANCE.with_borrow_mut(f)
                }
            }

            type Exports = $crate::__private::Exports<$actor>;
            $crate::bindings::export!(Exports with_types_in $crate::bindings);
        };
    };
}

/// The layouts besides the current one that an actor reads, oldest first, each a struct kept in the code.
///
/// Each must turn into the next, and the last into the actor, by `From` or `TryFrom`: the compiler checks the chain, a
/// state of any layout in it is carried through all that follow, and a gap in the numbers does not compile. An error of
/// `TryFrom` refuses the state as corrupt: no older version has ever written it.
///
/// Keep an old struct in a module of its own under the name that it had, such as `v1::Cart`: then
/// [`assert_layouts`](crate::testing::assert_layouts) tells its layout as it was told when it was the current one.
///
/// ```
/// # use baton_guest::{Actor, Cx, Failure, Migrations, migrations, plugin};
/// # use serde::{Serialize, Deserialize};
/// mod v1 {
///     #[derive(serde::Deserialize)]
///     pub struct Cart { pub items: u32 }
/// }
///
/// mod v2 {
///     #[derive(serde::Deserialize)]
///     pub struct Cart { pub items: u64 }
/// }
///
/// #[derive(Serialize, Deserialize)]
/// struct Cart { items: u64, currency: String }
///
/// impl From<v1::Cart> for v2::Cart {
///     fn from(old: v1::Cart) -> Self { Self { items: old.items.into() } }
/// }
///
/// impl From<v2::Cart> for Cart {
///     fn from(old: v2::Cart) -> Self { Self { items: old.items, currency: "EUR".into() } }
/// }
///
/// impl Actor for Cart {
///     const SCHEMA: u32 = 3;
///     const MIGRATIONS: Migrations<Self> = migrations!(1 => v1::Cart, 2 => v2::Cart);
/// #   type Message = ();
/// #   type Reply = ();
/// #   fn init(_: &Cx) -> Result<Self, Failure> { Err(Failure::new("example", "")) }
/// #   fn handle(&mut self, (): (), _: &Cx) -> Result<(), Failure> { Ok(()) }
///     // …
/// }
/// # plugin!(Cart);
/// ```
///
/// An older version that is to take over what a newer one wrote, so that there is a way back, names the newer layouts
/// too; each turns into the actor directly: `migrations!(1 => v1::Cart; newer 3 => v3::Cart)`. Let `TryFrom` fail where
/// something would be lost: the state is refused as incompatible with what the error says, and stays as it is for a
/// version that can carry it.
#[macro_export]
macro_rules! migrations {
    ($($schema:literal => $layout:ty),+ $(,)? $(; newer $($newer:literal => $later:ty),+ $(,)?)?) => {
        $crate::Migrations::new(
            $crate::__chain!([] $($schema => $layout,)+),
            $crate::__direct!($($($newer => $later,)+)?),
        )
    };
    (newer $($newer:literal => $later:ty),+ $(,)?) => {
        $crate::Migrations::new(&[], $crate::__direct!($($newer => $later,)+))
    };
}

/// Each layout with the steps from it to the actor.
#[doc(hidden)]
#[macro_export]
macro_rules! __chain {
    ([$($done:tt)*]) => { const { &[$($done)*] } };
    ([$($done:tt)*] $schema:literal => $layout:ty, $($next_schema:literal => $next:ty,)*) => {
        $crate::__chain!(
            [
                $($done)*
                $crate::__private::Layout::new::<$layout>($schema, |data| {
                    let state = $crate::__private::decode::<$layout>(data)?;
                    $(let state = $crate::__private::migrate::<_, $next>(state)?;)*
                    $crate::__private::migrate::<_, Self>(state)
                }),
            ]
            $($next_schema => $next,)*
        )
    };
}

/// Each layout with the one step from it to the actor.
#[doc(hidden)]
#[macro_export]
macro_rules! __direct {
    ($($schema:literal => $layout:ty,)*) => {
        const {
            &[$($crate::__private::Layout::new::<$layout>($schema, |data| {
                $crate::__private::go_back::<_, Self>($crate::__private::decode::<$layout>(data)?)
            }),)*]
        }
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __first {
    ($given:expr, $default:expr) => {
        $given
    };
    (, $default:expr) => {
        $default
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __first_type {
    ($given:ty, $default:ty) => {
        $given
    };
    (, $default:ty) => {
        $default
    };
}

/// Whether the host would take it as a plugin's name.
#[doc(hidden)]
#[must_use]
pub const fn is_plugin_name(name: &str) -> bool {
    let bytes = name.as_bytes();
    if bytes.is_empty() || bytes.len() > 64 || !bytes[0].is_ascii_lowercase() {
        return false;
    }
    let mut i = 1;
    while i < bytes.len() {
        if !matches!(bytes[i], b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_') {
            return false;
        }
        i += 1;
    }
    true
}

#[cfg(test)]
mod tests {
    use super::is_plugin_name;

    #[test]
    fn plugin_names_are_those_of_the_contract() {
        for name in ["a", "chat-room", "word_index2", &"a".repeat(64)] {
            assert!(is_plugin_name(name), "{name}");
        }
        for name in ["", "2fast", "-a", "Counter", "a b", "ä", "a/b", &"a".repeat(65)] {
            assert!(!is_plugin_name(name), "{name}");
        }
    }
}
