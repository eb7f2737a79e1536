use super::*;
use crate::store::{Cause, Traffic};

fn reference(sequence: u64) -> RecordRef {
    RecordRef {
        sequence,
        digest: Digest([u8::try_from(sequence).expect("small"); 32]),
        bytes: 100 + sequence,
        time_ms: 1_763_800_000_000 + sequence,
        schema: Some(2),
        plugin: Some(("flights".to_owned(), "1.0.0".to_owned())),
        cause: Cause::Checkpoint,
        inbox_messages: Some(sequence),
        outbox_messages: Some(0),
        next_timer_ms: None,
    }
}

fn lease(head: &Head) -> Lease {
    Lease {
        actor: ActorName::new("a").expect("valid"),
        owner: head.owner.clone().unwrap_or_else(|| "host".to_owned()),
        revision: revision(head),
        head: head.clone(),
        seen: None,
        early: false,
    }
}

fn held(head: &Head) -> Held {
    Held::from(&lease(head))
}

fn claimed(stored: Option<&Head>, owner: &str, nonce: u64) -> Head {
    let step = Step::Claim { expect: stored.map(revision), owner: owner.to_owned(), wakes: false };
    apply(stored, &step, nonce, DEFAULT_HISTORY).expect("claims").head
}

fn committed(head: &Head, nonce: u64) -> Change {
    let step = Step::Commit { held: held(head), record: reference(head.sequence + 1) };
    apply(Some(head), &step, nonce, DEFAULT_HISTORY).expect("commits")
}

/// Every step that needs a lease.
fn leased(held: &Held) -> Vec<Step> {
    vec![
        Step::Commit { held: held.clone(), record: reference(9) },
        Step::Switch { held: held.clone(), record: reference(9) },
        Step::TakeUp { held: held.clone() },
        Step::Rest { held: held.clone(), record: None },
        Step::Rest { held: held.clone(), record: Some(reference(9)) },
        Step::Release { held: held.clone(), record: None, stopped: StopReason::Normal },
        Step::Release { held: held.clone(), record: Some(reference(9)), stopped: StopReason::Normal },
        Step::Forget { held: held.clone() },
    ]
}

#[test]
fn only_the_current_lease_may_write() {
    let first = claimed(None, "host-a", 1);
    let second = claimed(Some(&first), "host-b", 2);
    let again = claimed(Some(&second), "host-b", 3);
    let written = committed(&again, 4).head;
    let released = Step::Release { held: held(&written), record: None, stopped: StopReason::Shutdown };
    let released = apply(Some(&written), &released, 5, DEFAULT_HISTORY).expect("releases").head;
    let mut foreign = held(&written);
    foreign.owner = "host-c".to_owned();

    let stale = [
        ("claimed by another owner", Some(&second), held(&first)),
        ("claimed again by the same owner", Some(&again), held(&second)),
        ("written since under the same epoch", Some(&written), held(&again)),
        ("released", Some(&released), held(&written)),
        ("released, and the head after it", Some(&released), held(&released)),
        ("another owner with the right numbers", Some(&written), foreign),
        ("another epoch with the right revision", Some(&written), Held { epoch: 2, ..held(&written) }),
        ("no head", None, held(&first)),
    ];
    for (case, stored, held) in stale {
        for step in leased(&held) {
            let outcome = apply(stored, &step, 9, DEFAULT_HISTORY);
            assert!(matches!(outcome, Err(StoreError::Conflict(_))), "{case}: {step:?} gave {outcome:?}");
        }
    }
    for step in leased(&held(&written)) {
        assert!(apply(Some(&written), &step, 9, DEFAULT_HISTORY).is_ok(), "{step:?}");
    }
}

#[test]
fn the_record_from_before_a_switch_is_kept_beside_the_history_until_the_next_one() {
    let switched = |head: &Head, nonce| {
        let step = Step::Switch { held: held(head), record: reference(head.sequence + 1) };
        apply(Some(head), &step, nonce, LEAST_HISTORY).expect("switches")
    };
    let commit = |head: &Head, nonce| {
        let step = Step::Commit { held: held(head), record: reference(head.sequence + 1) };
        apply(Some(head), &step, nonce, LEAST_HISTORY).expect("commits")
    };
    let sequences = |head: &Head| head.records.iter().map(|record| record.sequence).collect::<Vec<_>>();
    let before = commit(&claimed(None, "a", 1), 2).head;
    let first = switched(&before, 3).head;
    assert_eq!((first.generation, first.taken_up), (before.generation + 1, Some(before.generation + 1)));
    assert_eq!((first.epoch, first.sequence, first.way_back), (before.epoch, 2, Some(1)));
    let mut head = first;
    for nonce in 4..9 {
        head = commit(&head, nonce).head;
    }
    assert_eq!(sequences(&head), [7, 6, 1]);
    assert_eq!(head.before_the_switch(), Some(&reference(1)));
    let pruned = apply(Some(&head), &Step::Prune { keep: 1 }, 9, LEAST_HISTORY).expect("prunes");
    assert_eq!((sequences(&pruned.head), pruned.dropped), (vec![7, 1], vec![reference(6)]));
    let again = switched(&head, 10);
    assert_eq!((sequences(&again.head), again.head.way_back), (vec![8, 7], Some(7)));
    assert_eq!(again.dropped, [reference(6), reference(1)]);
    let erased = apply(Some(&head), &Step::Forget { held: held(&head) }, 11, LEAST_HISTORY).expect("erases");
    assert_eq!((erased.head.way_back, erased.dropped.len()), (None, 3));
}

#[test]
fn a_claim_needs_the_head_that_is_there() {
    let head = claimed(None, "a", 1);
    let cases = [
        (Some(&head), None, false),
        (Some(&head), Some(Revision(99)), false),
        (None, Some(Revision(1)), false),
        (None, None, true),
        (Some(&head), Some(revision(&head)), true),
    ];
    for (stored, expect, wins) in cases {
        let outcome = apply(stored, &Step::Claim { expect, owner: "b".to_owned(), wakes: false }, 2, DEFAULT_HISTORY);
        assert_eq!(outcome.is_ok(), wins, "{expect:?} against {stored:?}");
        assert!(wins || matches!(outcome, Err(StoreError::Conflict(_))));
    }
    let long = Step::Claim { expect: None, owner: "x".repeat(OWNER_BYTES + 1), wakes: false };
    assert!(matches!(apply(None, &long, 1, DEFAULT_HISTORY), Err(StoreError::Unsupported(_))));
}

#[test]
fn numbers_only_rise_even_after_all_is_forgotten() {
    let mut head = claimed(None, "a", 1);
    assert_eq!((head.epoch, head.generation, head.sequence), (1, 1, 0));
    for round in 1..=5 {
        head = committed(&head, 100 + round).head;
        assert_eq!(head.sequence, round);
        let forgotten =
            apply(Some(&head), &Step::Forget { held: held(&head) }, 200 + round, DEFAULT_HISTORY).expect("forgets");
        assert_eq!(forgotten.dropped, head.records);
        let Head { owner, stopped, taken_up, records, .. } = &forgotten.head;
        assert_eq!((owner, stopped, taken_up, records.len()), (&None, &None, &None, 0));
        head = claimed(Some(&forgotten.head), "a", 300 + round);
        assert_eq!((head.epoch, head.generation, head.sequence), (round + 1, round + 1, round));
    }
}

#[test]
fn every_write_has_another_revision_even_with_the_same_nonce() {
    let first = claimed(None, "a", 7);
    let second = claimed(Some(&first), "a", 7);
    assert_ne!(revision(&first), revision(&second));
    assert_ne!(revision(&second), revision(&committed(&second, second.nonce).head));
}

#[test]
fn the_history_is_bounded_and_says_what_drops_out() {
    let mut head = claimed(None, "a", 1);
    for sequence in 1..=6u64 {
        let change = committed(&head, 10 + sequence);
        let dropped: Vec<u64> = change.dropped.iter().map(|r| r.sequence).collect();
        let expected: Vec<u64> = sequence.checked_sub(DEFAULT_HISTORY as u64).filter(|s| *s > 0).into_iter().collect();
        assert_eq!(dropped, expected, "after {sequence} commits");
        head = change.head;
        assert_eq!(head.current().expect("saved").sequence, sequence);
        assert!(head.records.len() <= DEFAULT_HISTORY);
        assert!(head.records.is_sorted_by(|a, b| a.sequence > b.sequence));
    }
    const { assert!(DEFAULT_HISTORY >= 2) };
}

#[test]
fn the_mark_stands_until_the_next_record() {
    let take_up = |head: &Head, nonce| {
        apply(Some(head), &Step::TakeUp { held: held(head) }, nonce, DEFAULT_HISTORY).expect("marks").head
    };
    let empty = claimed(None, "a", 1);
    assert_eq!(take_up(&empty, 2), empty, "nothing to mark");

    let saved = committed(&empty, 3).head;
    let marked = take_up(&saved, 4);
    assert_eq!((marked.taken_up, marked.sequence), (Some(1), 1));
    assert_ne!(revision(&marked), revision(&saved));
    assert_eq!(take_up(&marked, 5), marked, "it stands already");

    let claimed_again = claimed(Some(&marked), "b", 6);
    assert_eq!(claimed_again.taken_up, Some(1), "a claim leaves the mark");
    assert_eq!(take_up(&claimed_again, 7).taken_up, Some(2));
    assert_eq!(committed(&claimed_again, 8).head.taken_up, None, "nobody has taken the new record up");
}

#[test]
fn a_release_is_one_step_with_its_record() {
    let head = committed(&claimed(None, "a", 1), 2).head;
    for record in [None, Some(reference(2))] {
        let sequence = if record.is_some() { 2 } else { 1 };
        let step = Step::Release { held: held(&head), record, stopped: StopReason::Upgrade };
        let released = apply(Some(&head), &step, 3, DEFAULT_HISTORY).expect("releases").head;
        assert_eq!((released.owner.as_deref(), released.sequence), (None, sequence));
        assert_eq!(released.stopped, Some(StopReason::Upgrade));
        assert_eq!(claimed(Some(&released), "b", 4).stopped, None, "it is owned again");
    }
}

fn new_record(data: Vec<u8>) -> NewRecord {
    let origination = crate::store::Origination {
        plugin: crate::model::PluginName::new("flights").expect("valid"),
        version: crate::model::Version::new("1.0.0").expect("valid"),
        digest: Digest([1; 32]),
        schema: 4,
        generation: 77,
        time_ms: 5,
    };
    NewRecord {
        state: Some((origination, data)),
        cause: Cause::Switched,
        node: "n".to_owned(),
        time_ms: 6,
        inbox: vec![],
        timers: vec![],
        traffic: Traffic::default(),
    }
}

#[test]
fn the_lease_fills_in_what_it_decides_and_nothing_else() {
    let head = committed(&claimed(None, "a", 1), 2).head;
    let lease = lease(&head);
    let (reference, bytes) = seal(&lease, new_record(vec![1, 2]), 10_000).expect("seals");
    let record = verify(&lease.actor, &reference, &bytes).expect("verifies");
    let header = &record.header;
    assert_eq!((header.epoch, header.generation, header.sequence), (1, 1, 2));
    assert_eq!(header.parent, Some((1, head.records[0].digest)));
    assert_eq!(header.state, new_record(vec![]).state.map(|(o, _)| o), "the origination is passed through");
    assert_eq!((reference.schema, reference.bytes), (Some(4), bytes.len() as u64));
    assert_eq!(reference.digest, Digest::of(&bytes));
}

#[test]
fn a_record_may_have_exactly_so_many_bytes() {
    let lease = lease(&claimed(None, "a", 1));
    let (_, bytes) = seal(&lease, new_record(vec![0; 100]), usize::MAX).expect("seals");
    assert!(seal(&lease, new_record(vec![0; 100]), bytes.len()).is_ok());
    let too_large = StoreError::TooLarge { bytes: bytes.len(), largest: bytes.len() - 1 };
    assert_eq!(seal(&lease, new_record(vec![0; 100]), bytes.len() - 1), Err(too_large));
    let early = StoreError::TooLarge { bytes: 100, largest: 50 };
    assert_eq!(seal(&lease, new_record(vec![0; 100]), 50), Err(early));
}

#[test]
fn a_good_record_in_the_wrong_place_is_refused() {
    let lease = lease(&claimed(None, "a", 1));
    let (reference, bytes) = seal(&lease, new_record(vec![1]), usize::MAX).expect("seals");
    let (_, other) = seal(&lease, new_record(vec![2]), usize::MAX).expect("seals");
    let mismatch = |outcome| matches!(outcome, Err(StoreError::Corrupt(RecordError::Mismatch(_))));
    assert!(mismatch(verify(&ActorName::new("b").expect("valid"), &reference, &bytes)), "another actor's");
    assert!(mismatch(verify(&lease.actor, &reference, &other)), "other bytes");
    assert!(
        mismatch(verify(&lease.actor, &RecordRef { sequence: 2, ..reference.clone() }, &bytes)),
        "another sequence"
    );
    let cut = verify(&lease.actor, &reference, &bytes[..10]);
    assert!(matches!(cut, Err(StoreError::Corrupt(RecordError::Cut { .. }))));
}

/// As version 1 knew it.
fn first_head() -> Head {
    let first = |record: RecordRef| RecordRef { inbox_messages: None, outbox_messages: None, ..record };
    Head {
        epoch: 300,
        generation: 7,
        sequence: 2,
        owner: Some("host-1".to_owned()),
        nonce: 0xdead_beef_cafe_f00d,
        stopped: Some(StopReason::Passivate),
        taken_up: Some(6),
        records: vec![
            first(RecordRef { cause: Cause::Stopped(StopReason::Upgrade), ..reference(2) }),
            first(RecordRef { schema: None, plugin: None, ..reference(1) }),
        ],
        line: 0,
        refusals: vec![],
        way_back: None,
    }
}

fn golden_head() -> Head {
    let mut head = Head { line: 99, ..first_head() };
    head.records[0].inbox_messages = Some(3);
    head.records[0].outbox_messages = Some(4);
    head.records[1].next_timer_ms = Some(1_763_800_009_999);
    let refused = |why: &str| Refused {
        record: Digest([2; 32]),
        component: Digest([9; 32]),
        version: "1.0.1".to_owned(),
        why: why.to_owned(),
        time_ms: 1_763_800_000_777,
    };
    head.refusals = vec![refused("corrupt: no")];
    head.way_back = Some(1);
    head
}

fn bytes_of(hex: &str) -> Vec<u8> {
    (0..hex.len()).step_by(2).map(|i| u8::from_str_radix(&hex[i..i + 2], 16).expect("hex")).collect()
}

// What was written once must be readable for ever: these bytes never change. Whatever changes gets a new version.
const GOLDEN_V1: &str = concat!(
    "00ac0207020106686f73742d318de0fbd7fcddefd6de01010301060202020202020202020202020202020202020202020202",
    "02020202020202020202026682ccb0d5aa3301020107666c696768747305312e302e30000201010101010101010101010101",
    "01010101010101010101010101010101010101016581ccb0d5aa33000001d8f54aefdc19217bd395817df29e55f4f9d46370",
    "4cdcec8a49d67af93e0ea2a6",
);
const GOLDEN_V2: &str = concat!(
    "01ac0207020106686f73742d318de0fbd7fcddefd6de01010301060202020202020202020202020202020202020202020202",
    "02020202020202020202026682ccb0d5aa3301020107666c696768747305312e302e30000201030104000101010101010101",
    "010101010101010101010101010101010101010101010101016581ccb0d5aa330000010000018f9ab1d5aa33630102020202",
    "0202020202020202020202020202020202020202020202020202020209090909090909090909090909090909090909090909",
    "0909090909090909090905312e302e310b636f72727570743a206e6f89d2b0d5aa33010159bdf58c1f3570ec6fa56663d2b2",
    "193ee50ea2e375937010980638df1608910d",
);

#[test]
fn version_2_of_the_head_stays_as_it_was_written() {
    let bytes = encode(&golden_head());
    let hex: String = bytes.iter().map(|b| format!("{b:02x}")).collect();
    assert_eq!(hex, GOLDEN_V2);
    assert_eq!(decode(&bytes), Ok(golden_head()));
}

#[test]
fn version_1_of_the_head_can_still_be_read() {
    assert_eq!(decode(&bytes_of(GOLDEN_V1)), Ok(first_head()));
}

#[test]
fn a_refusal_is_remembered_until_its_record_goes() {
    let head = committed(&committed(&claimed(None, "a", 1), 2).head, 3).head;
    let refused = |record: u8, component: u8, why: &str| Refused {
        record: Digest([record; 32]),
        component: Digest([component; 32]),
        version: "1.0.0".to_owned(),
        why: why.to_owned(),
        time_ms: 1,
    };
    let refuse = |head: &Head, refused: Refused| {
        apply(Some(head), &Step::Refuse { held: held(head), refused }, head.nonce + 1, 2).expect("notes").head
    };
    let mut noted = refuse(&refuse(&head, refused(1, 7, "old")), refused(2, 7, &"ü".repeat(900)));
    assert_eq!(noted.refusals[0].why.len(), 500);
    noted = refuse(&noted, refused(1, 7, "new"));
    let told: Vec<_> = noted.refusals.iter().map(|refused| (refused.record.0[0], refused.component.0[0])).collect();
    assert_eq!(told, [(1, 7), (2, 7)], "one for each of the two");
    assert_eq!(noted.taken_up, head.taken_up);
    for component in 20..40 {
        noted = refuse(&noted, refused(2, component, "again"));
    }
    assert_eq!(noted.refusals.len(), REFUSALS);
    let step = Step::Commit { held: held(&noted), record: reference(3) };
    let newer = apply(Some(&noted), &step, 99, 2).expect("commits").head;
    assert!(newer.refusals.iter().all(|refused| refused.record == Digest([2; 32])), "record 2 is still there");
    let step = Step::Commit { held: held(&newer), record: reference(4) };
    assert_eq!(apply(Some(&newer), &step, 100, 2).expect("commits").head.refusals, []);
}

#[test]
fn what_is_put_in_place_never_turns_a_counter_back() {
    let image = Head { epoch: 2, generation: 90, sequence: 9, ..golden_head() };
    let step = |expect| Step::Put { expect, head: Box::new(image.clone()) };
    let new = apply(None, &step(None), 5, 2).expect("puts");
    assert_eq!((new.head.epoch, new.head.generation, new.head.sequence, new.head.nonce), (3, 90, 9, 5));
    assert_eq!((new.head.owner.as_deref(), new.head.line), (None, 99));
    assert_eq!((&new.head.records, &new.head.refusals), (&image.records, &image.refusals));

    let owned = committed(&committed(&committed(&claimed(None, "a", 1), 2).head, 3).head, 4).head;
    let over = apply(Some(&owned), &step(Some(revision(&owned))), 5, 2).expect("puts");
    assert_eq!((over.head.epoch, over.head.generation, over.head.sequence, over.head.line), (3, 90, 9, owned.line));
    let dropped: Vec<u64> = over.dropped.iter().map(|record| record.sequence).collect();
    assert_eq!(dropped, [3], "2 and 1 lie where those of the image lie");
    let stale = Step::Commit { held: held(&owned), record: reference(5) };
    assert!(matches!(apply(Some(&over.head), &stale, 6, 2), Err(StoreError::Conflict(_))));
    assert!(matches!(apply(Some(&owned), &step(None), 5, 2), Err(StoreError::Conflict(_))));
}

#[test]
fn pruning_leaves_the_lease_alone() {
    let owned = committed(&committed(&committed(&claimed(None, "a", 1), 2).head, 3).head, 4).head;
    let pruned = apply(Some(&owned), &Step::Prune { keep: 0 }, 5, 3).expect("prunes");
    assert_eq!((pruned.head.records.len(), pruned.dropped.len()), (1, 2), "the one that counts stays");
    let next = Step::Commit { held: held(&owned), record: reference(4) };
    assert!(apply(Some(&pruned.head), &next, 6, 3).is_ok());
}

#[test]
fn no_damage_to_a_head_goes_unseen() {
    let good = encode(&golden_head());
    for bit in 0..good.len() * 8 {
        let mut bad = good.clone();
        bad[bit / 8] ^= 1 << (bit % 8);
        assert!(decode(&bad).is_err(), "bit {bit}");
    }
    for length in 0..good.len() {
        assert!(decode(&good[..length]).is_err(), "{length} bytes");
    }
    let mut newer = vec![2, 2, 3];
    newer.extend_from_slice(blake3::hash(&[2, 2, 3]).as_bytes());
    assert_eq!(decode(&newer), Err(RecordError::NewerHead { found: 3, newest: 2 }));
}
