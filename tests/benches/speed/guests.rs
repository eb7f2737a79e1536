//! Guests of a few instructions: what is measured is what is around them.

use baton_tests::WatGuest;
use wit_component::ComponentEncoder;

/// Answers with the body that it was sent.
pub(crate) fn echo(name: &str) -> WatGuest {
    WatGuest::new(name).on("handle", "(call $bytes (local.get $body) (local.get $body_len))")
}

/// Answers with how many messages it has had; its state has 1,024 bytes, of which the first four are that number.
pub(crate) fn keeper(name: &str, version: &str) -> WatGuest {
    let state = "(func $large_state (param $case i32) (result i32)
        (drop (call $some_state (local.get $case)))
        (i32.store (i32.const 40000) (global.get $count))
        (i32.store (i32.const 2060) (i32.const 40000)) (i32.store (i32.const 2064) (i32.const 1024)) (i32.const 2048))";
    let letters: String = (0..1_024).map(|n| char::from(b'a' + u8::try_from(n % 26).expect("a letter"))).collect();
    WatGuest::new(name)
        .version(version)
        .with(state)
        .with(&format!("(data (i32.const 40000) \"{letters}\")"))
        .on("snapshot", "(call $large_state (i32.const 1))")
        .on("terminate", "(call $large_state (i32.const 0))")
}

/// Never ends a turn by itself.
pub(crate) fn endless(name: &str) -> WatGuest {
    WatGuest::new(name).on("handle", "(loop $ever (br $ever)) unreachable")
}

/// The component that a host makes of it.
pub(crate) fn component(guest: &WatGuest) -> Vec<u8> {
    let mut encoder = ComponentEncoder::default();
    encoder.module(&guest.build()).expect("it is a module").encode().expect("it becomes a component")
}
