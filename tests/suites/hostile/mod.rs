//! Guests that mean harm, a file for each thing that they try. The guest is ended or refused with words that say why, its
//! neighbours go on, and the host's memory stays bounded.

mod answers_with_huge_errors;
mod asks_without_end;
mod burns_fuel;
mod calls_back_while_it_is_called;
mod dumps_its_core;
mod fills_the_log;
mod goes_deep;
mod grows_without_end;
mod is_made_of_too_much;
mod lies_about_addresses;
mod lies_about_room;
mod looks_for_what_others_left;
mod names_with_escape_codes;
mod neighbours;
mod nests_without_end;
mod rearms_its_timers;
mod spins;
mod stands_at_the_bounds;
mod traps_without_end;
mod uses_handles_twice;

use baton_host::ActorSpec;

use crate::bad_input::Stage;
use crate::harness::WatGuest;

/// Where the host writes what it answers, and where the guests here keep theirs.
const ANSWER: &str = "(i32.const 45100)";

/// The guest is sent `!`: it crashes with `words`, the next instance works, and the neighbour is the same as ever.
async fn crashes(guest: &WatGuest, adapt: impl FnOnce(&mut ActorSpec), words: &[&str]) {
    let mut stage = Stage::set(guest, adapt).await;
    let reason = stage.crash("!").await;
    crate::bad_input::says(&reason, words);
    assert!(reason.len() < 5_000 && !reason.contains('\u{1b}'), "{reason:?}");
    stage.goes_on().await;
    assert_eq!(stage.count("x").await, 1, "a new instance");
    stage.end().await;
}
