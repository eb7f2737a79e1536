//! `[telemetry]`: where traces go, and which.

use std::ops::RangeInclusive;
use std::path::Path;
use std::time::Duration;

use super::problem::Problems;
use super::section::{Elsewhere, Section};
use super::settings::{DAY_MS, TOP_KEYS};
use super::{CA_BYTES, Files, HEADERS_BYTES};
use crate::telemetry::{OtlpOptions, check_ca, check_endpoint, check_header};

pub(super) const QUEUE_SPANS: RangeInclusive<u64> = 1..=1_000_000;

pub(super) fn read(top: &mut Section<'_>, base_dir: &Path, files: &dyn Files, problems: &mut Problems) -> OtlpOptions {
    let mut found = OtlpOptions::default();
    let Some(mut own) = top.table("telemetry", "[telemetry]", problems) else { return found };
    let endpoint = own.string("otlp_endpoint", "an address such as \"http://127.0.0.1:4318\"", problems);
    found.endpoint =
        own.read("otlp_endpoint", endpoint, |text| check_endpoint(text).map(|()| text.to_owned()), problems);
    if let Some(ratio) = own.ratio("sample_ratio", problems) {
        found.sample_ratio = ratio;
    }
    found.service_name = own.string("service_name", "a name", problems).map(str::to_owned);
    let file = own.string("otlp_headers_file", "a path", problems);
    found.headers =
        own.read("otlp_headers_file", file, |file| headers(base_dir, file, files), problems).unwrap_or_default();
    let file = own.string("otlp_ca_file", "a path", problems);
    found.ca = own.read("otlp_ca_file", file, |file| ca(base_dir, file, files), problems);
    if let Some(spans) = own.integer("queue_spans", &QUEUE_SPANS, problems).and_then(|n| usize::try_from(n).ok()) {
        found.queue_spans = spans;
    }
    for (key, timeout) in [("export_timeout_ms", &mut found.timeout), ("flush_timeout_ms", &mut found.flush_timeout)] {
        if let Some(ms) = own.integer(key, &(1..=DAY_MS), problems) {
            *timeout = Duration::from_millis(ms);
        }
    }
    own.finish(&[Elsewhere { place: "at the top of the file", keys: TOP_KEYS }], problems);
    found
}

/// Certificates, PEM.
fn ca(base_dir: &Path, file: &str, files: &dyn Files) -> Result<Vec<u8>, String> {
    let path = base_dir.join(file);
    let pem = files.read(&path, CA_BYTES).map_err(|e| format!("{} cannot be read: {e}", path.display()))?;
    check_ca(&pem).map_err(|what| format!("{} {what}", path.display()))?;
    Ok(pem)
}

/// A header on each line, as `NAME: VALUE`; empty lines, and those that begin with `#`, are nothing.
fn headers(base_dir: &Path, file: &str, files: &dyn Files) -> Result<Vec<(String, String)>, String> {
    let path = base_dir.join(file);
    let bytes = files.read(&path, HEADERS_BYTES).map_err(|e| format!("{} cannot be read: {e}", path.display()))?;
    let text = String::from_utf8(bytes).map_err(|_| format!("{} is not UTF-8 text", path.display()))?;
    let lines = text.lines().enumerate().map(|(at, line)| (at + 1, line.trim()));
    let lines = lines.filter(|(_, line)| !line.is_empty() && !line.starts_with('#'));
    // Its value may be a key: a problem does not show it.
    let header = |(at, line): (usize, &str)| {
        let wrong = |what: &str| format!("line {at} of {} {what}; expected NAME: VALUE", path.display());
        let (name, value) = line.split_once(':').ok_or_else(|| wrong("has no colon"))?;
        let (name, value) = (name.trim(), value.trim());
        check_header(name, value).map_err(wrong)?;
        Ok((name.to_owned(), value.to_owned()))
    };
    lines.map(header).collect()
}
