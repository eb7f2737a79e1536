//! `[hosts]`: how the host shares its store with others.

use std::ops::RangeInclusive;
use std::time::Duration;

use super::problem::Problems;
use super::section::{Elsewhere, Section};
use super::settings::TOP_KEYS;
use crate::model::{HostsSettings, OwnedElsewhere};
use crate::store::{LEAST_LEASE_TTL_MS, MOST_LEASE_TTL_MS};

pub(super) const LEASE_TTL_MS: RangeInclusive<u64> = LEAST_LEASE_TTL_MS..=MOST_LEASE_TTL_MS;
pub(super) const LEASE_MARGIN_MS: RangeInclusive<u64> = 10..=MOST_LEASE_TTL_MS / 2;
pub(super) const LOOK_MS: RangeInclusive<u64> = 10..=60_000;
/// What a host does with actors of its own that others own.
pub(super) const OWNED_ELSEWHERE: &[&str] = &["refuse", "wait", "take-over"];
/// Longest name of a node, in bytes: it stands in every record.
const NODE_BYTES: usize = 255;

pub(super) fn read(top: &mut Section<'_>, problems: &mut Problems) -> HostsSettings {
    let mut found = HostsSettings::default();
    let Some(mut own) = top.table("hosts", "[hosts]", problems) else { return found };
    let node = own.string("node", "a name", problems);
    found.node = own.read("node", node, check_node, problems);
    let address = own.string("address", "a URL such as \"https://10.0.0.1:7766\"", problems);
    found.address = own.read("address", address, check_address, problems);
    if let Some(ms) = own.integer("lease_ttl_ms", &LEASE_TTL_MS, problems) {
        found.lease_ttl = Duration::from_millis(ms);
    }
    if let Some(ms) = own.integer("lease_margin_ms", &LEASE_MARGIN_MS, problems) {
        found.lease_margin = Duration::from_millis(ms);
    }
    if let Some(ms) = own.integer("look_ms", &LOOK_MS, problems) {
        found.look = Duration::from_millis(ms);
    }
    let words = [OwnedElsewhere::Refuse, OwnedElsewhere::Wait, OwnedElsewhere::TakeOver];
    let words = words.map(|policy| (policy.word(), policy));
    if let Some(policy) = own.word_or_integer("owned_elsewhere", &words, None, problems) {
        found.owned_elsewhere = policy;
    }
    if found.lease_margin * 2 > found.lease_ttl {
        let (margin, ttl) = (found.lease_margin.as_millis(), found.lease_ttl.as_millis());
        let key = if own.has("lease_margin_ms") { "lease_margin_ms" } else { "lease_ttl_ms" };
        let text = format!(
            "`lease_margin_ms` = {margin} in [hosts] is more than half of `lease_ttl_ms` = {ttl}: the host would be frozen between two renewals"
        );
        problems.add(own.place(key), text);
    }
    own.finish(&[Elsewhere { place: "at the top of the file", keys: TOP_KEYS }], problems);
    found
}

fn check_node(name: &str) -> Result<String, String> {
    let fits = (1..=NODE_BYTES).contains(&name.len()) && !name.chars().any(char::is_control);
    if fits {
        Ok(name.to_owned())
    } else {
        Err(format!("a node's name has 1 to {NODE_BYTES} bytes, none of them control characters"))
    }
}

fn check_address(url: &str) -> Result<String, String> {
    let rest = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://"));
    let fits = rest.is_some_and(|rest| !rest.is_empty() && !rest.contains(['@', ' '])) && url.is_ascii();
    if fits { Ok(url.to_owned()) } else { Err(format!("{url:?} is no URL such as \"https://10.0.0.1:7766\"")) }
}
