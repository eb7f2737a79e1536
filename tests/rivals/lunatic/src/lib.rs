//! The same work in lunatic, for `cargo xtask bench --rivals`: one JSON object a line, times in nanoseconds. It is run by
//! lunatic itself; what it measures is a guest that calls other guests, as is lunatic's way.

use lunatic::serializer::{Bincode, CanSerialize};
use lunatic::{Mailbox, Process};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// A body of 16 bytes. Numbers, since lunatic's messages are written through the host field by field.
type Small = (u64, u64);

/// A body of any length, in one piece.
#[derive(Serialize, Deserialize)]
struct Large(#[serde(with = "serde_bytes")] Vec<u8>);

/// What is asked, and who hears the answer.
type Question<M> = (Process<M>, M);

/// Answers with what it was asked.
fn echo<M: Serialize + DeserializeOwned>((): (), mailbox: Mailbox<Question<M>>)
where
    Bincode: CanSerialize<M> + CanSerialize<Question<M>>,
{
    loop {
        let (from, body) = mailbox.receive();
        from.send(body);
    }
}

#[repr(C)]
struct Bytes {
    at: *const u8,
    len: usize,
}

// The target has no clock and no standard output of its own: these are the runtime's.
#[link(wasm_import_module = "wasi_snapshot_preview1")]
unsafe extern "C" {
    fn clock_time_get(clock: u32, precision: u64, time: *mut u64) -> u32;
    fn fd_write(fd: u32, bytes: *const Bytes, count: usize, written: *mut usize) -> u32;
    fn args_sizes_get(count: *mut usize, bytes: *mut usize) -> u32;
    fn args_get(words: *mut *const u8, text: *mut u8) -> u32;
}

fn now() -> u64 {
    let mut time = 0;
    // SAFETY: it writes one number where it is told to.
    unsafe { clock_time_get(1, 1, &raw mut time) };
    time
}

fn print(line: &str) {
    let bytes = Bytes { at: line.as_ptr(), len: line.len() };
    // SAFETY: it reads the bytes of one text, and writes one number.
    unsafe { fd_write(1, &raw const bytes, 1, &mut 0) };
}

/// Whether it was given the word `quick` after its own name.
fn quick() -> bool {
    let (mut count, mut bytes) = (0, 0);
    // SAFETY: it writes two numbers.
    unsafe { args_sizes_get(&raw mut count, &raw mut bytes) };
    let (mut words, mut text) = (vec![std::ptr::null(); count], vec![0; bytes]);
    // SAFETY: it writes as many pointers and bytes as it has just asked for.
    unsafe { args_get(words.as_mut_ptr(), text.as_mut_ptr()) };
    text.ends_with(b"\0quick\0")
}

#[unsafe(no_mangle)]
extern "C" fn _start() {
    let (rounds, times) = if quick() { (3, 5_000) } else { (7, 20_000) };
    let start = || Process::spawn((), echo::<Small>);
    let small = |_| (1, 2);
    calls("call/one/16-B", "message to a process and one back", &[start()], small, rounds, times);
    let large = |_| Large(vec![b'x'; 1_024]);
    let one = [Process::spawn((), echo::<Large>)];
    calls("call/one/1-KiB", "message to a process and one back", &one, large, rounds, times / 10);
    let mut took = Vec::new();
    let began = now();
    let crowd: Vec<_> = (0..CROWD)
        .map(|_| {
            let began = now();
            let process = start();
            took.push(now() - began);
            process
        })
        .collect();
    let rate = f64::from(CROWD) * 1e9 / (now() - began) as f64;
    tell("start", "spawn of a process", took, rate);
    calls("call/over/10000", "messages to 5,000 processes in turn", &crowd, small, rounds, 10_000);
}

/// Processes that live at once.
const CROWD: u32 = 5_000;

fn calls<M: Serialize + DeserializeOwned>(
    figure: &str,
    name: &str,
    of: &[Process<Question<M>>],
    body: impl Fn(usize) -> M,
    rounds: usize,
    times: usize,
) where
    Bincode: CanSerialize<M> + CanSerialize<Question<M>>,
{
    // SAFETY: whoever sends to this process while this mailbox is there sends such answers.
    let answers = unsafe { Mailbox::<M>::new() };
    let (mut took, mut rates) = (Vec::new(), Vec::new());
    for round in 0..=rounds {
        let before = now();
        for n in 0..times {
            let began = now();
            of[n % of.len()].send((answers.this(), body(n)));
            answers.receive();
            // The first round warms up.
            if round > 0 {
                took.push(now() - began);
            }
        }
        if round > 0 {
            rates.push(times as f64 * 1e9 / (now() - before) as f64);
        }
    }
    rates.sort_by(f64::total_cmp);
    tell(figure, name, took, rates[rates.len() / 2]);
}

fn tell(figure: &str, name: &str, mut took: Vec<u64>, per_second: f64) {
    took.sort_unstable();
    let at = |share: usize| took[(took.len() * share / 100).min(took.len() - 1)];
    print(&format!(
        "{{\"figure\":\"{figure}\",\"who\":\"lunatic 0.13.2\",\"name\":\"{name}\",\"p50\":{},\"p99\":{},\"per_second\":{per_second:.1}}}\n",
        at(50),
        at(99),
    ));
}
