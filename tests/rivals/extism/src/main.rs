//! The same work with Extism, for `cargo xtask bench --rivals`: one JSON object a line, times in nanoseconds. Extism has
//! no mailbox, no name and no supervisor: a plugin is called by whoever holds it.

use std::time::Instant;

use extism::{CompiledPlugin, Manifest, Plugin, PluginBuilder, Wasm};
use hdrhistogram::Histogram;

/// Answers with its input, eight bytes at a time.
const ECHO: &str = r#"(module
  (import "extism:host/env" "input_length" (func $length (result i64)))
  (import "extism:host/env" "input_load_u64" (func $load (param i64) (result i64)))
  (import "extism:host/env" "alloc" (func $alloc (param i64) (result i64)))
  (import "extism:host/env" "store_u64" (func $store (param i64 i64)))
  (import "extism:host/env" "output_set" (func $output (param i64 i64)))
  (memory (export "memory") 1)
  (func (export "echo") (result i32)
    (local $at i64) (local $size i64) (local $out i64)
    (local.set $size (call $length))
    (local.set $out (call $alloc (local.get $size)))
    (loop $next
      (call $store (i64.add (local.get $out) (local.get $at)) (call $load (local.get $at)))
      (local.set $at (i64.add (local.get $at) (i64.const 8)))
      (br_if $next (i64.lt_u (local.get $at) (local.get $size))))
    (call $output (local.get $out) (local.get $size))
    (i32.const 0)))"#;

fn main() -> Result<(), extism::Error> {
    let quick = std::env::args().nth(1).is_some_and(|word| word == "quick");
    let (rounds, times) = if quick { (3, 5_000) } else { (7, 20_000) };
    let wasm = Wasm::data(wat::parse_str(ECHO)?);
    let compiled = CompiledPlugin::new(PluginBuilder::new(Manifest::new([wasm])).with_wasi(false))?;
    starts(&compiled, rounds)?;
    let mut one = vec![Plugin::new_from_compiled(&compiled)?];
    calls("call/one/16-B", "call of a plugin, no mailbox", &mut one, &[b'x'; 16], (rounds, times))?;
    calls("call/one/1-KiB", "call of a plugin, no mailbox", &mut one, &[b'x'; 1_024], (rounds, times))?;
    let crowd = (0..5_000).map(|_| Plugin::new_from_compiled(&compiled)).collect::<Result<Vec<_>, _>>();
    calls("call/over/10000", "calls of 5,000 plugins in turn", &mut crowd?, &[b'x'; 16], (rounds, 10_000))
}

fn starts(compiled: &CompiledPlugin, rounds: usize) -> Result<(), extism::Error> {
    let mut all = Histogram::new_with_bounds(1, 3_600_000_000_000, 3)?;
    let mut rates = Vec::new();
    for _ in 0..rounds {
        let mut live = Vec::new();
        let began = Instant::now();
        for _ in 0..500 {
            let began = Instant::now();
            live.push(Plugin::new_from_compiled(compiled)?);
            add(&mut all, began);
        }
        rates.push(500.0 / began.elapsed().as_secs_f64());
    }
    tell("start", "a plugin from compiled code", &all, &mut rates);
    Ok(())
}

fn calls(
    figure: &str,
    name: &str,
    plugins: &mut [Plugin],
    body: &[u8],
    (rounds, times): (usize, usize),
) -> Result<(), extism::Error> {
    let mut all = Histogram::new_with_bounds(1, 3_600_000_000_000, 3)?;
    let mut rates = Vec::new();
    let count = plugins.len();
    for round in 0..=rounds {
        let began = Instant::now();
        for n in 0..times {
            let began = Instant::now();
            let reply: &[u8] = plugins[n % count].call("echo", body)?;
            assert_eq!(reply.len(), body.len());
            // The first round warms up.
            if round > 0 {
                add(&mut all, began);
            }
        }
        if round > 0 {
            rates.push(times as f64 / began.elapsed().as_secs_f64());
        }
    }
    tell(figure, name, &all, &mut rates);
    Ok(())
}

fn add(all: &mut Histogram<u64>, began: Instant) {
    all.saturating_record(u64::try_from(began.elapsed().as_nanos()).unwrap_or(u64::MAX));
}

fn tell(figure: &str, name: &str, all: &Histogram<u64>, rates: &mut [f64]) {
    rates.sort_by(f64::total_cmp);
    let said = serde_json::json!({
        "figure": figure,
        "who": "Extism 1.30.0",
        "name": name,
        "p50": all.value_at_quantile(0.5),
        "p99": all.value_at_quantile(0.99),
        "per_second": rates[rates.len() / 2],
    });
    println!("{said}");
}
