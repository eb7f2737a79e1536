//! `[passivation]`: when actors that nobody needs are put to sleep.

use std::time::Duration;

use super::keeping::PASSIVATE_AFTER_MS;
use super::problem::Problems;
use super::section::{Elsewhere, Section};
use super::settings::{DAY_MS, GUESTS_MEMORY_BYTES, INSTANCES, TOP_KEYS};
use crate::model::{DEFAULT_INSTANCES, Passivation};

/// Reads it; `instances`: how many may live at once, where the file says so.
pub(super) fn read(top: &mut Section<'_>, instances: Option<u32>, problems: &mut Problems) -> Passivation {
    let mut found = Passivation::default();
    let Some(mut own) = top.table("passivation", "[passivation]", problems) else { return found };
    found.after = own.integer("passivate_after_ms", &PASSIVATE_AFTER_MS, problems).map(Duration::from_millis);
    found.max_resident = own.integer("max_resident", &INSTANCES, problems).and_then(|n| u32::try_from(n).ok());
    let bytes = own.integer("resident_memory_bytes", &GUESTS_MEMORY_BYTES, problems);
    found.resident_memory_bytes = bytes.and_then(|n| usize::try_from(n).ok());
    if let Some(ms) = own.integer("least_resident_ms", &(0..=DAY_MS), problems) {
        found.least_resident = Duration::from_millis(ms);
    }
    let instances = instances.unwrap_or(DEFAULT_INSTANCES);
    if let Some(most) = found.max_resident.filter(|most| *most > instances) {
        let text = format!("max_resident = {most} in [passivation] is more than `instances`, which is {instances}");
        problems.add(own.place("max_resident"), text);
    }
    own.finish(&[Elsewhere { place: "at the top of the file", keys: TOP_KEYS }], problems);
    found
}
