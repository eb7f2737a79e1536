//! Components: made up, and made of real ones.

use arbitrary::Unstructured;
use baton_host::{CallError, Host, HostError};

use crate::harness::{Corpus, Dice, INSTANCES, WatGuest, actor, assert_no_panic, hear_panics, host, name, repository};

/// Bytes that a made-up one is made of.
const BYTES: usize = 4 << 10;
/// What a made-up function may do, in steps.
const STEPS: u32 = 10_000;
/// Longest time that a guest of a changed component has for anything, in milliseconds.
const PATIENCE_MS: u64 = 200;

/// Whatever it is, it says so in words.
fn says_why(error: &HostError) {
    let words = error.to_string();
    assert!(!words.is_empty() && words.len() < 20_000 && !words.contains('\u{1b}'), "{words:?}");
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap()
}

/// A component, a module, or a plugin whose every function is made up.
fn make_up(bytes: &[u8]) -> arbitrary::Result<Vec<u8>> {
    let mut from = Unstructured::new(bytes);
    // Half of them keep to what the engine knows.
    let beyond = from.arbitrary()?;
    let config = wasm_smith::Config {
        compact_imports_enabled: beyond,
        exceptions_enabled: beyond,
        gc_enabled: beyond,
        reference_types_enabled: beyond,
        threads_enabled: beyond,
        wide_arithmetic_enabled: beyond,
        ..wasm_smith::Config::default()
    };
    Ok(match bytes.len() % 3 {
        0 => wasm_smith::Component::new(config, &mut from)?.to_bytes(),
        1 => wasm_smith::Module::new(config, &mut from)?.to_bytes(),
        _ => {
            let shape = WatGuest::new("made-up");
            let config = wasm_smith::Config { module_shape: Some(shape.build()), ..config };
            let mut module = wasm_smith::Module::new(config, &mut from)?;
            // What never ends has a suite of its own.
            drop(module.ensure_termination(STEPS));
            shape.embed(module.to_bytes())
        }
    })
}

#[test]
fn whatever_is_made_up_is_loaded_or_refused_in_words() {
    hear_panics();
    let (runtime, mut dice, mut made, mut ran) = (runtime(), Dice::new(), 0, 0);
    let input = |dice: &mut Dice| {
        let bytes = BYTES + dice.below(3);
        (0..bytes).map(|_| dice.below(256).to_le_bytes()[0]).collect()
    };
    let seeds = (0..30).map(|_| input(&mut dice)).collect();
    Corpus::new("made-up", seeds).each(1_000, |bytes| {
        let Ok(component) = make_up(bytes) else { return };
        made += 1;
        match runtime.block_on(Host::inspect("made-up.wasm", component)) {
            // It would have to describe itself rightly by chance.
            Ok(_) => ran += 1,
            Err(error) => {
                says_why(&error);
                ran += usize::from(error.to_string().contains("`describe` failed"));
            }
        }
        assert_no_panic();
    });
    println!("{made} were made, {ran} of them ran");
    assert!(ran > 0);
}

fn seeds() -> Vec<Vec<u8>> {
    let tally = std::fs::read(repository().join("docs/examples/tally.wat")).unwrap();
    let supervises = WatGuest::new("fuzzed").supervises();
    vec![
        WatGuest::new("fuzzed").build(),
        supervises.when('s', "(call $save)").when('x', "(call $stop)").build(),
        wat::parse_bytes(&tally).unwrap().into_owned(),
    ]
}

/// It is refused in words; or it runs as an actor that answers or is ended, and the host stops in good order.
async fn taken(bytes: &[u8]) -> bool {
    let found = match Host::inspect("fuzzed.wasm", bytes.to_vec()).await {
        Ok(found) => found,
        Err(error) => {
            says_why(&error);
            return false;
        }
    };
    let mut spec = actor("fuzzed/1", found.description.name.as_str());
    spec.limits.turn_timeout_ms = PATIENCE_MS;
    spec.limits.start_timeout_ms = PATIENCE_MS;
    spec.limits.continue_timeout_ms = PATIENCE_MS;
    spec.shutdown = baton_host::Shutdown::After(std::time::Duration::from_millis(PATIENCE_MS));
    // Its code is of no use to anyone else.
    let building = Host::builder().instances(INSTANCES / 10).plugin_bytes("fuzzed.wasm", bytes.to_vec());
    let running = match building.actor(spec).build().await {
        Ok(running) => running,
        Err(error) => {
            says_why(&error);
            return false;
        }
    };
    for word in ["a", "s", "x", "b"] {
        match running.call(&name("fuzzed/1"), word, baton_host::CallOptions::default()).await {
            Ok(_) => {}
            Err(error) => assert!(!matches!(error, CallError::Timeout { .. }), "{error}"),
        }
    }
    running.shutdown(None).await;
    true
}

#[test]
fn a_changed_guest_is_refused_in_words_or_runs_within_its_bounds() {
    hear_panics();
    let (runtime, mut ran) = (runtime(), 0);
    Corpus::new("guests", seeds()).each(2_000, |bytes| {
        ran += usize::from(runtime.block_on(taken(bytes)));
        assert_no_panic();
    });
    println!("{ran} ran");
    assert!(ran >= seeds().len());
    // A host beside it is as ever.
    runtime.block_on(async {
        assert!(host().build().await.unwrap().shutdown(None).await.all_saved());
    });
}
