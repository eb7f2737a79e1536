use super::*;
use crate::model::Digest;
use crate::store::Cause;

fn name(text: &str) -> ActorName {
    ActorName::new(text).expect("valid")
}

fn reference(sequence: u64) -> RecordRef {
    RecordRef {
        sequence,
        digest: Digest([u8::try_from(sequence).expect("small"); 32]),
        bytes: 100 + sequence,
        time_ms: 1_000 + sequence,
        schema: Some(1),
        plugin: Some(("counter".to_owned(), "1.0.0".to_owned())),
        cause: Cause::Checkpoint,
        inbox_messages: Some(2),
        outbox_messages: Some(0),
        next_timer_ms: None,
    }
}

/// A head with these records, newest first.
fn head(sequences: &[u64]) -> Head {
    Head {
        epoch: 1,
        generation: 1,
        sequence: sequences.first().copied().unwrap_or(9),
        owner: None,
        nonce: 1,
        stopped: None,
        taken_up: None,
        records: sequences.iter().map(|sequence| reference(*sequence)).collect(),
        line: 1,
        refusals: vec![],
        way_back: None,
    }
}

fn copy(bytes: usize) -> Quarantined {
    Quarantined { record: reference(1), why: "bad".to_owned(), time_ms: 0, found: vec![0; bytes] }
}

fn sequences(loss: &Loss) -> Vec<u64> {
    loss.records.iter().map(|record| record.sequence).collect()
}

#[test]
fn a_way_back_says_which_commits_and_records_it_costs() {
    // Records, where to, history: where it leads, the commits that count no longer, the records that are erased.
    type Case<'a> = (&'a [u64], Option<u64>, usize, u64, u64, &'a [u64]);
    let cases: [Case<'_>; 7] = [
        (&[5, 4, 3], None, 3, 4, 1, &[3]),
        (&[5, 4, 3], Some(4), 3, 4, 1, &[3]),
        // What it leads back to is written again, so it is not lost.
        (&[5, 4, 3], Some(3), 3, 3, 2, &[]),
        (&[5, 4, 3], Some(3), 10, 3, 2, &[]),
        (&[5, 4], None, 2, 4, 1, &[]),
        // A history that was lowered since.
        (&[9, 8, 7, 6], Some(8), 2, 8, 1, &[7, 6]),
        // Not every number has a record of its own.
        (&[9, 5], None, 3, 5, 4, &[]),
    ];
    for (records, to, history, leads_to, commits, erased) in cases {
        let plan = plan_rollback(&name("a"), &head(records), to, history).expect("possible");
        let found = (plan.to.sequence, plan.loss.commits, sequences(&plan.loss), plan.loss.messages);
        assert_eq!(found, (leads_to, commits, erased.to_vec(), Some(0)), "{records:?} {to:?} {history}");
    }
}

#[test]
fn a_way_back_that_leads_nowhere_is_refused() {
    let told = |records: &[u64], to| plan_rollback(&name("a"), &head(records), to, 3).expect_err("refused").to_string();
    assert_eq!(told(&[], None), "nothing is stored for `a`");
    assert_eq!(told(&[5], None), "`a` has no record before the current one: there is 5 alone");
    assert_eq!(told(&[5, 4], Some(3)), "`a` has no record 3: there are 5, 4");
    assert_eq!(told(&[5, 4], Some(5)), "record 5 of `a` is the one that counts already");
    let mut stateless = head(&[5, 4]);
    stateless.records[1].schema = None;
    let error = plan_rollback(&name("a"), &stateless, None, 3).expect_err("refused");
    assert_eq!(error.to_string(), "record 4 of `a` holds no state");
}

#[test]
fn a_copy_needs_room_or_leave() {
    let (a, b) = (name("a"), name("b"));
    let plan = |records: &[u64], target: Option<&Head>, record, replace| {
        plan_fork((&a, &head(records)), (&b, target), record, replace, 3)
    };
    let (empty, full) = (head(&[]), head(&[7, 6, 5]));
    for target in [None, Some(&empty)] {
        let fork = plan(&[5, 4], target, None, false).expect("there is room");
        assert!(fork.record.sequence == 5 && fork.loss.is_nothing());
    }
    assert_eq!(plan(&[5, 4], None, Some(4), false).expect("there is room").record.sequence, 4);
    let fork = plan(&[5, 4], Some(&full), None, true).expect("it may");
    assert_eq!((fork.loss.commits, sequences(&fork.loss), fork.loss.messages), (7, vec![5], Some(2)));

    let code = |told: Result<Fork, ToolError>| told.expect_err("refused").code();
    assert_eq!(code(plan(&[5, 4], Some(&full), None, false)), "exists");
    assert_eq!(code(plan(&[5, 4], None, Some(3), false)), "no-record");
    assert_eq!(code(plan(&[], None, None, false)), "not-stored");
    assert_eq!(code(plan_fork((&a, &head(&[5])), (&a, None), None, true, 3)), "unfit");
}

#[test]
fn an_import_replaces_only_what_it_may() {
    let (none, some) = (head(&[]), head(&[7, 6, 5]));
    let copies = [copy(3), copy(4)];
    let skipped = |image: &[u64], target: Option<&Head>, copies: &[Quarantined], replace| {
        matches!(plan_import(&head(image), target, copies, replace), Verdict::Skip(_))
    };
    assert_eq!(plan_import(&head(&[5]), None, &[], false), Verdict::Take);
    assert_eq!(plan_import(&head(&[5]), Some(&none), &[], false), Verdict::Take, "its numbers alone are there");
    assert_eq!(plan_import(&none, None, &[], true), Verdict::Take, "an actor that was forgotten keeps its numbers");
    assert!(skipped(&[9], Some(&some), &[], false), "nobody said that it may be replaced");
    assert!(skipped(&[7], Some(&some), &[], true), "it is there");
    assert!(skipped(&[], Some(&some), &[], true), "an export without its records does not erase them");
    assert!(skipped(&[5], Some(&none), &copies, false), "a quarantine is something");

    let loss = |image: &[u64], copies: &[Quarantined]| match plan_import(&head(image), Some(&some), copies, true) {
        Verdict::Replace(loss) => (loss.commits, sequences(&loss), loss.messages, loss.copies, loss.copy_bytes),
        other => panic!("{image:?}: {other:?}"),
    };
    assert_eq!(loss(&[6, 5], &[]), (1, vec![7], Some(2), 0, 0), "an older state of the same line");
    assert_eq!(loss(&[9, 8], &copies), (7, vec![7, 6, 5], Some(2), 2, 7), "a foreign one");
}

#[test]
fn what_is_erased_is_counted() {
    let pruned = |records: &[u64], keep| sequences(&plan_prune(&head(records), keep));
    assert_eq!(pruned(&[5, 4, 3], 2), [3]);
    assert_eq!(pruned(&[5, 4, 3], 0), [4, 3], "the one that counts stays");
    assert!(plan_prune(&head(&[5, 4]), 2).is_nothing() && plan_prune(&head(&[]), 1).is_nothing());

    let loss = plan_forget(&head(&[5, 4]), &[copy(10)]);
    assert_eq!((loss.commits, sequences(&loss), loss.messages, loss.copies), (5, vec![5, 4], Some(2), 1));
    assert_eq!(loss.bytes(), 105 + 104 + 10);
    assert!(plan_forget(&head(&[]), &[]).is_nothing(), "it was forgotten before");
}

#[test]
fn a_loss_is_told_line_by_line() {
    assert!(Loss::nothing().lines().is_empty());
    let some = plan_forget(&head(&[5, 4]), &[copy(10)]);
    assert_eq!(
        some.lines(),
        [
            "commits that count no longer: 5",
            "waiting messages that are dropped: 2",
            "records erased for good: 2 (4 to 5), 209 bytes",
            "copies in quarantine erased for good: 1, 10 bytes",
        ]
    );
    let mut old = head(&[5]);
    old.records[0].inbox_messages = None;
    let told = plan_forget(&old, &[]).lines();
    assert_eq!(
        told[1..],
        ["waiting messages that are dropped: how many is not known", "records erased for good: 1 (5), 105 bytes",]
    );
}
