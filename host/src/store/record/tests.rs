use proptest::prelude::*;

use super::*;
use crate::model::{Body, Failure, MessageId, Request, Sent};
use crate::store::{Answered, Outgoing, Received};

fn id(text: &str) -> MessageId {
    MessageId::new(text).expect("valid")
}

fn name(text: &str) -> ActorName {
    ActorName::new(text).expect("valid")
}

fn request(text: &str, sender: Option<&str>, body: &[u8]) -> Request {
    Request { id: id(text), sender: sender.map(name), body: Body::copy_from_slice(body), sent: None }
}

/// One of every kind of message, with fixed values.
fn full(cause: Cause) -> Header {
    Header {
        actor: name("airport/MÜC"),
        epoch: 7,
        generation: 300,
        sequence: 70_000,
        parent: Some((69_999, Digest([0xab; 32]))),
        cause,
        node: "host-1".to_owned(),
        time_ms: 1_763_800_000_123,
        state: Some(Origination {
            plugin: PluginName::new("flights").expect("valid"),
            version: Version::new("1.2.3-rc.1").expect("valid"),
            digest: Digest([0xcd; 32]),
            schema: 2,
            generation: 299,
            time_ms: 1_763_800_000_000,
        }),
        inbox: vec![
            Message::Call(request("order-1", Some("shop"), b"{}")),
            Message::Cast(request("order-2", None, b"")),
            Message::Timer("tick".to_owned()),
            Message::Down(name("shop"), "normal".to_owned()),
        ],
        timers: vec![StoredTimer { name: "tock".to_owned(), due_ms: 1_763_800_009_999 }],
        traffic: Traffic::default(),
    }
}

fn bare() -> Header {
    Header { parent: None, state: None, inbox: vec![], timers: vec![], ..full(Cause::Checkpoint) }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

/// Every cause, in the order of their numbers on disk.
fn causes() -> Vec<Cause> {
    use StopReason::{Normal, Passivate, Relocate, Restart, Shutdown, Upgrade};
    let stopped = [Normal, Shutdown, Upgrade, Passivate, Relocate, Restart].map(Cause::Stopped);
    stopped.into_iter().chain([Cause::Checkpoint, Cause::Switched, Cause::Restored, Cause::Turn]).collect()
}

// What was written once must be readable for ever: these bytes never change. A format that changes gets a new version.
const GOLDEN_V1: &str = concat!(
    "4241544f4e5245430100c1000000000c616972706f72742f4dc39c4307ac02f0a20401efa204abababababababababababab",
    "abababababababababababababababababababab000406686f73742d31fbccb0d5aa330107666c69676874730a312e322e33",
    "2d72632e31cdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcd02ab0280ccb0d5aa330400076f",
    "726465722d31010473686f70027b7d01076f726465722d32000002047469636b030473686f70066e6f726d616c0104746f63",
    "6b8f9ab1d5aa3305000000000000007374617465f7dbe62d504e0642e3858f46ff1f44a15c659f94812f131067a8dbff7374",
    "75c5",
);
const GOLDEN_BARE_V1: &str = concat!(
    "4241544f4e524543010026000000000c616972706f72742f4dc39c4307ac02f0a204000106686f73742d31fbccb0d5aa3300",
    "0000000000000000000028116cc836deafcfa2c43ecb3beaa51261824b497127fea28bae8da2226bde7d",
);
const GOLDEN_CAUSES: [&str; 10] = ["0000", "0001", "0002", "0003", "0004", "0005", "01", "02", "03", "04"];
const GOLDEN_V2: &str = concat!(
    "4241544f4e524543020014010000010c616972706f72742f4dc39c4307ac02f0a20401efa204abababababababababababab",
    "abababababababababababababababababababab0406686f73742d31fbccb0d5aa330107666c69676874730a312e322e332d",
    "72632e31cdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcd02ab0280ccb0d5aa330600076f72",
    "6465722d31010473686f70027b7d0001076f726465722d3200000002047469636b030473686f70066e6f726d616c01076f72",
    "6465722d33010473686f7000014dac02040465786974027b7d0104746f636b8f9ab1d5aa33014dac020162036f2d31026869",
    "0101630201016403612d310500026f6b0003612d320601026e6f066e6f7420736f0101654dac020705000000000000007374",
    "617465970e4e31f020181a6127becc0da2382fa890b17ac35e1de38b30cc68e00be84b",
);
const GOLDEN_BARE_V2: &str = concat!(
    "4241544f4e52454302002a000000010c616972706f72742f4dc39c4307ac02f0a204000106686f73742d31fbccb0d5aa3300",
    "0000000000000000000000000000ae668e99e75ca7b5b484d32ea1f0e46221c7bf2cdbf55d90ec28b8211c3d7007",
);

/// `full`, with something of everything that came with format 2.
fn fuller() -> Header {
    let sent = Sent { line: 77, number: 300 };
    let traffic = Traffic {
        outbox: vec![Outgoing { sent, to: name("b"), id: id("o-1"), body: Body::from_static(b"hi") }],
        monitors: vec![name("c")],
        answered: vec![
            Answered { sender: Some(name("d")), id: id("a-1"), time_ms: 5, reply: Ok(Body::from_static(b"ok")) },
            Answered {
                sender: None,
                id: id("a-2"),
                time_ms: 6,
                reply: Err(Failure { code: "no".to_owned(), message: "not so".to_owned() }),
            },
        ],
        received: vec![Received { sender: name("e"), last: sent, time_ms: 7 }],
    };
    let mut header = Header { traffic, ..full(Cause::Turn) };
    header.inbox.push(Message::Cast(Request { sent: Some(sent), ..request("order-3", Some("shop"), b"") }));
    header.inbox.push(Message::Other("exit".to_owned(), Body::from_static(b"{}")));
    header
}

#[test]
fn format_2_stays_as_it_was_written() {
    assert_eq!(hex(&encode(&fuller(), b"state")), GOLDEN_V2);
    assert_eq!(hex(&encode(&bare(), b"")), GOLDEN_BARE_V2);
    assert_eq!(decode(&encode(&fuller(), b"state")).expect("format 2").header, fuller());
    for (cause, golden) in causes().iter().zip(GOLDEN_CAUSES) {
        assert_eq!(hex(&postcard::to_stdvec(cause).expect("encodes")), golden, "{cause}");
    }
}

#[test]
fn format_1_can_still_be_read() {
    let bytes = |hex: &str| -> Vec<u8> {
        (0..hex.len()).step_by(2).map(|i| u8::from_str_radix(&hex[i..i + 2], 16).expect("hex")).collect()
    };
    let record = decode(&bytes(GOLDEN_V1)).expect("format 1");
    assert_eq!(record.header, full(Cause::Stopped(StopReason::Relocate)));
    assert_eq!(record.data, b"state");
    assert_eq!(decode(&bytes(GOLDEN_BARE_V1)).expect("format 1").header, bare());
}

#[test]
fn the_digest_is_that_of_all_bytes() {
    let (bytes, digest) = encode_with_digest(&bare(), b"");
    assert_eq!(digest, Digest::of(&bytes));
}

#[test]
fn no_flipped_bit_goes_unseen() {
    let good = encode(&full(Cause::Switched), b"some state");
    for bit in 0..good.len() * 8 {
        let mut bad = good.clone();
        bad[bit / 8] ^= 1 << (bit % 8);
        let error = decode(&bad).expect_err("a flipped bit");
        assert!(!matches!(error, RecordError::NewerFormat { .. }), "bit {bit} was taken for a newer format");
    }
}

#[test]
fn no_cut_and_no_addition_goes_unseen() {
    let good = encode(&full(Cause::Checkpoint), b"some state");
    for length in 0..good.len() {
        let error = decode(&good[..length]).expect_err("cut short");
        assert!(matches!(error, RecordError::Cut { .. }), "{length} bytes: {error}");
    }
    for extra in 1..100 {
        let mut bad = good.clone();
        bad.resize(good.len() + extra, 0);
        assert!(matches!(decode(&bad), Err(RecordError::Checksum { .. })));
    }
}

/// `framed` with a checksum that fits it.
fn sealed(mut framed: Vec<u8>) -> Vec<u8> {
    let checksum = Digest::of(&framed);
    framed.extend_from_slice(&checksum.0);
    framed
}

/// A record of this release with the header's bytes replaced.
fn with_header(header: &[u8], data: &[u8]) -> Vec<u8> {
    let length = u32::try_from(header.len()).expect("short").to_le_bytes();
    let data_length = (data.len() as u64).to_le_bytes();
    sealed([&MAGIC[..], &NEWEST_FORMAT.to_le_bytes(), &length, header, &data_length, data].concat())
}

#[test]
fn a_newer_format_is_told_as_such_and_not_as_damage() {
    let good = encode(&full(Cause::Checkpoint), b"state");
    let mut newer = good[..good.len() - CHECKSUM_BYTES].to_vec();
    newer[8..10].copy_from_slice(&9u16.to_le_bytes());
    // Whatever a newer format puts inside the frame.
    newer.truncate(20);
    newer.extend_from_slice(&[0xee; 40]);
    assert_eq!(decode(&sealed(newer)), Err(RecordError::NewerFormat { found: 9, newest: 2 }));

    // The newest format with a header variant that was added later.
    for (number, found) in [(2u32, 3), (3, 4), (65_534, 65_535), (u32::MAX, 65_535)] {
        let header = [postcard::to_stdvec(&number).expect("encodes"), vec![0xff; 9]].concat();
        assert_eq!(decode(&with_header(&header, b"")), Err(RecordError::NewerFormat { found, newest: 2 }));
    }
}

#[test]
fn whole_records_that_make_no_sense_are_refused() {
    let header = postcard::to_stdvec(&Written::V2(&bare())).expect("encodes");
    let is_header_error = |bytes: &[u8]| matches!(decode(bytes), Err(RecordError::Header(_)));

    assert!(decode(&with_header(&header, b"")).is_ok());
    assert!(is_header_error(&with_header(&header, b"a state that nobody wrote")));
    assert!(is_header_error(&with_header(&[&header[..], b"more"].concat(), b"")));
    assert!(is_header_error(&with_header(&header[..header.len() - 1], b"")));
    assert!(is_header_error(&with_header(b"", b"")));

    let mut zero = encode(&bare(), b"");
    zero.truncate(zero.len() - CHECKSUM_BYTES);
    zero[8..10].copy_from_slice(&0u16.to_le_bytes());
    assert!(is_header_error(&sealed(zero)));

    let mut long = encode(&bare(), b"");
    long.truncate(long.len() - CHECKSUM_BYTES);
    long[10..14].copy_from_slice(&u32::MAX.to_le_bytes());
    assert!(is_header_error(&sealed(long)));

    assert_eq!(decode(b"NOT A RECORD, BUT LONG ENOUGH TO BE TAKEN FOR ONE, AND LONGER"), Err(RecordError::Magic));
    assert_eq!(decode(b"NO"), Err(RecordError::Magic));
}

fn any_message() -> impl Strategy<Value = Message> {
    let request = || {
        ("[a-z0-9.]{1,40}", proptest::option::of("[a-zäöü ]{1,9}(/[a-z]{1,9}){0,3}"), any::<Vec<u8>>())
            .prop_map(|(id_text, sender, body)| request(&id_text, sender.as_deref(), &body))
    };
    prop_oneof![
        request().prop_map(Message::Call),
        request().prop_map(Message::Cast),
        any::<String>().prop_map(Message::Timer),
        ("[a-z]{1,9}", any::<String>()).prop_map(|(actor, why)| Message::Down(name(&actor), why)),
    ]
}

fn any_traffic() -> impl Strategy<Value = Traffic> {
    let sent = || any::<(u64, u64)>().prop_map(|(line, number)| Sent { line, number });
    let body = || any::<Vec<u8>>().prop_map(Body::from);
    let outgoing = (sent(), "[a-z]{1,9}", "[a-z0-9]{1,40}", body()).prop_map(|(sent, to, out_id, body)| Outgoing {
        sent,
        to: name(&to),
        id: id(&out_id),
        body,
    });
    let reply = (body(), any::<Option<(String, String)>>()).prop_map(|(body, failed)| match failed {
        Some((code, message)) => Err(Failure { code, message }),
        None => Ok(body),
    });
    let answered = (proptest::option::of("[a-z]{1,9}"), "[a-z0-9]{1,40}", any::<u64>(), reply).prop_map(
        |(sender, answered_id, time_ms, reply)| Answered {
            sender: sender.as_deref().map(name),
            id: id(&answered_id),
            time_ms,
            reply,
        },
    );
    let received = ("[a-z]{1,9}", sent(), any::<u64>()).prop_map(|(sender, last, time_ms)| Received {
        sender: name(&sender),
        last,
        time_ms,
    });
    let monitors = proptest::collection::vec("[a-z]{1,9}".prop_map(|n| name(&n)), 0..4);
    (
        proptest::collection::vec(outgoing, 0..4),
        monitors,
        proptest::collection::vec(answered, 0..4),
        proptest::collection::vec(received, 0..4),
    )
        .prop_map(|(outbox, monitors, answered, received)| Traffic { outbox, monitors, answered, received })
}

fn any_origination() -> impl Strategy<Value = Origination> {
    ("[a-z][a-z0-9_-]{0,20}", "[0-9]{1,3}\\.[0-9]{1,3}\\.[0-9]{1,3}", any::<[u8; 32]>(), any::<(u32, u64, u64)>())
        .prop_map(|(plugin, version, digest, (schema, generation, time_ms))| Origination {
            plugin: PluginName::new(&plugin).expect("valid"),
            version: Version::new(&version).expect("valid"),
            digest: Digest(digest),
            schema,
            generation,
            time_ms,
        })
}

proptest! {
    #[test]
    fn what_was_written_comes_back(
        numbers in any::<[u64; 4]>(),
        parent in any::<Option<(u64, [u8; 32])>>(),
        cause in proptest::sample::select(causes()),
        node in any::<String>(),
        state in proptest::option::of((any_origination(), any::<Vec<u8>>())),
        inbox in proptest::collection::vec(any_message(), 0..9),
        timers in any::<Vec<(String, u64)>>(),
        traffic in any_traffic(),
    ) {
        let [epoch, generation, sequence, time_ms] = numbers;
        let (state, data) = state.map_or((None, vec![]), |(origination, data)| (Some(origination), data));
        let header = Header {
            actor: name("any"),
            epoch,
            generation,
            sequence,
            parent: parent.map(|(sequence, digest)| (sequence, Digest(digest))),
            cause,
            node,
            time_ms,
            state,
            inbox,
            timers: timers.into_iter().map(|(name, due_ms)| StoredTimer { name, due_ms }).collect(),
            traffic,
        };
        let record = decode(&encode(&header, &data)).expect("just written");
        prop_assert_eq!(record, Record { header, data });
    }

    #[test]
    fn bytes_from_anywhere_do_no_harm(mut bytes in any::<Vec<u8>>(), seal in any::<bool>()) {
        if seal {
            bytes = sealed([&MAGIC[..], &NEWEST_FORMAT.to_le_bytes(), &bytes].concat());
        }
        prop_assert!(decode(&bytes).is_err());
    }
}
