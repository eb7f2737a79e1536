//! A plan, a swap that runs, and a report, as people read them.

use std::fmt::Write as _;

use baton_host::swap::{
    Rehearsal, Remarks, SwapOutcome, SwapPhase, SwapPlan, SwapReport, SwapStatus, VersionInfo, WayBack,
};

use super::super::output::{bytes, moment};

/// Entries of a list that are shown; --json has up to 1,000.
const SHOWN: usize = 10;

fn add(text: &mut String, key: &str, value: impl AsRef<str>) {
    // Writing to a String does not fail.
    let _ = writeln!(text, "{key:<11}{}", value.as_ref().replace('\n', "\n           "));
}

fn version(info: &VersionInfo) -> String {
    let VersionInfo { schema, reads_from, reads_to, .. } = info;
    format!("{info}, writes schema {schema}, reads {reads_from} to {reads_to}")
}

/// What a swap would do.
pub(super) fn plan(plan: &SwapPlan, back: bool) -> String {
    let mut text = String::new();
    add(&mut text, "plugin", plan.plugin.as_str());
    add(&mut text, "from", version(&plan.from));
    add(&mut text, "to", version(&plan.to));
    add(&mut text, "part", plan.part.to_string());
    let actors = &plan.actors;
    let counts = [
        (actors.running, "run"),
        (actors.sleeping, "sleep"),
        (actors.held, "are held"),
        (actors.down, "are down"),
        (actors.there, "run the new version already"),
        (actors.pinned, "are pinned and stay"),
        (actors.left_out, "are not of the part and stay"),
    ];
    let counts = counts.iter().filter(|(count, _)| *count > 0).map(|(count, what)| format!("{count} {what}"));
    add(&mut text, "actors", or_none(&counts.collect::<Vec<_>>(), ", "));
    let schema = |(schema, count): (&u32, &usize)| match schema {
        0 => format!("{count} without a state"),
        schema => format!("{count} of schema {schema}"),
    };
    add(&mut text, "states", or_none(&plan.schemas.iter().map(schema).collect::<Vec<_>>(), ", "));
    add(&mut text, "misfits", list(&plan.misfits));
    match &plan.rehearsal {
        None => add(&mut text, "rehearsal", "none"),
        Some(rehearsal) => rehearsed(&mut text, rehearsal),
    }
    let ways = match plan.way_back {
        _ if back => match plan.misfits.count {
            0 => "nothing is lost".to_owned(),
            count => format!(
                "{count} states are not read by {}: with --allow-loss those actors take the state from before the switch, \
                 and what they have done since is lost; without it those that have done anything since stay",
                plan.to.version
            ),
        },
        WayBack::Reads => "the version before reads what this one writes: nothing is lost".to_owned(),
        WayBack::Loses => format!(
            "{} does not read schema {}: what is done after the switch would be lost, and only with --allow-loss",
            plan.from.version, plan.to.schema
        ),
    };
    add(&mut text, if back { "loss" } else { "way back" }, ways);
    for note in &plan.notes {
        add(&mut text, "note", note);
    }
    text
}

fn rehearsed(text: &mut String, rehearsal: &Rehearsal) {
    let Rehearsal { taken_over, failed, inconclusive, not_reached, bytes_before, bytes_after, .. } = rehearsal;
    let mut words = vec![format!("{taken_over} states taken over")];
    for (count, what) in [(failed.count, "failed"), (inconclusive.count, "inconclusive"), (*not_reached, "not reached")]
    {
        if count > 0 {
            words.push(format!("{count} {what}"));
        }
    }
    let mut told = words.join(", ");
    if *taken_over > 0 {
        let (median, longest) = (rehearsal.median_us, rehearsal.longest_us);
        let (before, after) = (bytes(*bytes_before), bytes(*bytes_after));
        let _ = write!(told, "; {before} became {after}; {median} µs each at the median, {longest} µs at most");
    }
    add(text, "rehearsal", told);
    if failed.count > 0 {
        add(text, "  failed", list(failed));
    }
    if inconclusive.count > 0 {
        add(text, "  open", list(inconclusive));
    }
    if !rehearsal.effects.is_empty() {
        let effects = rehearsal.effects.iter().map(|(kind, count)| format!("{count} {kind}"));
        add(text, "  effects", format!("refused: {}", effects.collect::<Vec<_>>().join(", ")));
    }
}

fn or_none(words: &[String], between: &str) -> String {
    if words.is_empty() { "none".to_owned() } else { words.join(between) }
}

fn list(remarks: &Remarks) -> String {
    let lines = remarks.first.iter().take(SHOWN).map(|remark| format!("{}: {}", remark.actor, remark.what));
    with_rest(lines.collect(), remarks.count)
}

fn with_rest(mut lines: Vec<String>, count: usize) -> String {
    if count > lines.len() {
        lines.push(format!("and {} more", count - lines.len()));
    }
    or_none(&lines, "\n")
}

/// Where a swap stands that runs.
pub(super) fn standing(status: &SwapStatus) -> String {
    let mut text = String::new();
    head(&mut text, status);
    add(&mut text, "phase", progress(status));
    text
}

fn progress(status: &SwapStatus) -> String {
    match status.phase {
        SwapPhase::Rehearsing => status.phase.to_string(),
        phase => format!("{phase}: {} of {}", status.done, status.total),
    }
}

fn head(text: &mut String, status: &SwapStatus) {
    add(text, "plugin", status.plugin.as_str());
    add(text, "from", status.from.to_string());
    add(text, "to", status.to.to_string());
    add(text, "part", status.part.to_string());
    add(text, "began", format!("{}, by {}", moment(status.began_ms), status.by));
}

/// What came of a swap.
pub(super) fn report(status: &SwapStatus, report: &SwapReport) -> String {
    let mut text = String::new();
    head(&mut text, status);
    let why = report.why.as_ref().map(|why| format!(": {why}")).unwrap_or_default();
    add(&mut text, "outcome", format!("{}{why}", report.outcome));
    if report.outcome == SwapOutcome::Refused {
        add(&mut text, "", "nothing was touched");
        return text;
    }
    let mut words = vec![format!("{} switched", report.switched)];
    for (count, what) in [
        (report.later, "begin with the new version when they run again"),
        (report.failed, "could not be switched"),
        (report.went_back, "went back"),
        (report.stay.count, "could not go back"),
    ] {
        if count > 0 {
            words.push(format!("{count} {what}"));
        }
    }
    add(&mut text, "actors", words.join(", "));
    if report.failed > 0 {
        let lines = report.failures.iter().take(SHOWN);
        add(
            &mut text,
            "failures",
            with_rest(lines.map(|one| format!("{}: {}", one.actor, one.why)).collect(), report.failed),
        );
    }
    if report.faults > 0 {
        let count = usize::try_from(report.faults).unwrap_or(usize::MAX);
        let lines = report.last_faults.iter().rev().take(SHOWN);
        add(&mut text, "faults", with_rest(lines.map(|one| format!("{}: {}", one.actor, one.what)).collect(), count));
    }
    if report.stay.count > 0 {
        add(&mut text, "stay", list(&report.stay));
    }
    if report.lost.count > 0 {
        add(&mut text, "lost", list(&report.lost));
    }
    if report.switched > 0 {
        let (median, p99, longest) = (report.pause_median_us, report.pause_p99_us, report.pause_longest_us);
        add(&mut text, "pauses", format!("{median} µs at the median, {p99} µs at 99 %, {longest} µs at most"));
    }
    add(&mut text, "took", format!("{} ms", report.took_ms));
    if report.outcome == SwapOutcome::HalfWay {
        let plugin = &status.plugin;
        let (by_file, back) = if status.back { (&status.from, &status.to) } else { (&status.to, &status.from) };
        let what = format!(
            "two versions run side by side: `baton swap {plugin} FILE --yes` with the file of {by_file} leads all to it, \
             `baton swap --back {plugin} --yes` to {back}"
        );
        add(&mut text, "now", what);
    }
    text
}

/// A swap in a table.
pub(super) fn line(status: &SwapStatus) -> Vec<String> {
    let phase = match &status.report {
        Some(report) => report.outcome.to_string(),
        None => status.phase.to_string(),
    };
    vec![
        status.plugin.to_string(),
        status.from.to_string(),
        status.to.to_string(),
        status.part.to_string(),
        phase,
        format!("{} of {}", status.done, status.total),
        moment(status.began_ms),
        status.by.clone(),
    ]
}
