//! The bytes of records.

use baton_host::store::record::{Record, decode, encode};
use baton_host::store::{MemoryStore, SnapshotStore as _};

use super::sealed;
use crate::harness::{Corpus, name};
use crate::store_conformance::{claim, record};
use crate::store_tools::{image, two_busy_records};

async fn seeds() -> Vec<Vec<u8>> {
    let store = MemoryStore::new();
    two_busy_records(&store).await;
    let mut lease = claim(&store, &name("b"), "host").await;
    store.commit(&mut lease, baton_host::store::NewRecord { state: None, ..record(vec![]) }).await.unwrap();
    [image(&store, "a").await.records, image(&store, "b").await.records].concat()
}

#[tokio::test]
async fn a_record_is_what_was_written_or_none() {
    let seeds = seeds().await;
    let mut read = 0;
    Corpus::new("records", seeds.clone()).each(200_000, |bytes| {
        let found = decode(bytes);
        assert!(found.is_err() || seeds.iter().any(|seed| seed == bytes), "{found:?}");
        // Whoever seals it may write anything, and what was read is what would be written.
        if let Ok(Record { header, data }) = decode(&sealed(bytes)) {
            read += 1;
            let again = decode(&encode(&header, &data));
            assert_eq!(again, Ok(Record { header, data }));
        }
    });
    assert!(read > seeds.len(), "no changed record was read");
}
