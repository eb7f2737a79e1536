//! Input from anywhere: it is taken for what it is, or told what is wrong with it. `BATON_CASES` says how many cases a
//! longer run has; what was found is kept in `tests/fixtures/corpus/`.

mod components;
mod config;
mod exports;
mod heads;
mod host_calls;
mod records;
mod requests;

use baton_host::model::Digest;

/// Bytes of the checksum that records, heads and exports end with.
const CHECKSUM_BYTES: usize = 32;

/// With a checksum that is right, so that what stands before it is looked at.
fn sealed(bytes: &[u8]) -> Vec<u8> {
    let body = &bytes[..bytes.len().saturating_sub(CHECKSUM_BYTES)];
    [body, &Digest::of(body).0].concat()
}
