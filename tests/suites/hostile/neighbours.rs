//! How long a neighbour waits for its answers while hostile guests do their worst. Figures are printed, not asserted:
//!
//! ```sh
//! cargo test -p baton-tests --test suites neighbours_wait -- --ignored --nocapture
//! ```

use std::time::{Duration, Instant};

use baton_host::{CallOptions, Host, HostBuilder, Intensity};

use crate::bad_input::ENDLESS;
use crate::harness::{WatGuest, actor, host, name};

/// How long each of the hostile companies is let loose.
const FOR: Duration = Duration::from_secs(5);

/// How often its neighbour is asked.
const EVERY: Duration = Duration::from_millis(2);

/// What a company does in each turn, in a file's words.
fn companies() -> Vec<(&'static str, usize, WatGuest)> {
    let fill = "(drop (memory.grow (i32.const 3000)))
        (loop $again (memory.fill (i32.const 65536) (i32.const 7) (i32.const 190000000)) (br $again)) unreachable";
    let fill_once = "(drop (memory.grow (i32.const 3000)))
        (memory.fill (i32.const 65536) (i32.const 7) (i32.const 190000000)) unreachable";
    let spins = WatGuest::new("bad").when('!', ENDLESS);
    vec![
        ("nobody", 0, spins.clone()),
        ("2 that spin", 2, spins.clone()),
        ("16 that spin", 16, spins),
        ("2 that fill 190 MB again and again", 2, WatGuest::new("bad").when('!', fill)),
        ("4 that fill 190 MB, then trap", 4, WatGuest::new("bad").when('!', fill_once)),
        ("4 that trap at once", 4, WatGuest::new("bad").when('!', "unreachable")),
    ]
}

fn with(mut building: HostBuilder, many: usize) -> HostBuilder {
    for n in 0..many {
        let mut spec = actor(&format!("bad/{n}"), "bad");
        spec.limits.turn_guest_ms = 1_000;
        spec.intensity = Intensity { max_restarts: 1_000_000, max_seconds: 1 };
        building = building.actor(spec);
    }
    building
}

/// Asks it again and again, whatever comes of it.
async fn bother(host: Host, n: usize) {
    let bad = name(&format!("bad/{n}"));
    loop {
        drop(host.call(&bad, "!", CallOptions::default()).await);
        tokio::task::yield_now().await;
    }
}

/// How long each answer took, counted from when it should have been asked: one that is late delays those after it, and these
/// have waited, too.
fn ask_for(host: &Host) -> Vec<Duration> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let (mut took, began) = (Vec::new(), Instant::now());
    while began.elapsed() < FOR {
        let due = began + EVERY * u32::try_from(took.len()).unwrap();
        std::thread::sleep(due.saturating_duration_since(Instant::now()));
        runtime.block_on(host.call(&name("well/1"), "x", CallOptions::default())).unwrap();
        took.push(due.elapsed());
    }
    took
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "takes half a minute and prints figures"]
async fn neighbours_wait() {
    println!("{:<40} {:>8} {:>10} {:>10} {:>10}", "beside", "calls", "median", "99 %", "longest");
    for (what, many, guest) in companies() {
        let building =
            host().plugin_bytes("bad.wasm", guest.build()).plugin_bytes("well.wasm", WatGuest::new("well").build());
        let host = with(building.actor(actor("well/1", "well")), many).build().await.unwrap();
        let bothers: Vec<_> = (0..many).map(|n| tokio::spawn(bother(host.clone(), n))).collect();
        let well = host.clone();
        // From outside of the host's runtime, as a client comes.
        let mut took = tokio::task::spawn_blocking(move || ask_for(&well)).await.unwrap();
        bothers.iter().for_each(tokio::task::JoinHandle::abort);
        took.sort();
        let at = |share: usize| took[(took.len() - 1) * share / 100];
        println!("{what:<40} {:>8} {:>10.1?} {:>10.1?} {:>10.1?}", took.len(), at(50), at(99), at(100));
        host.shutdown(Some(Duration::from_secs(5))).await;
    }
}
