//! What earlier versions wrote is read: `schemas`.

use super::super::Ground;
use super::super::actor::taken_over;
use super::super::fault::Fault;
use super::super::report::{Broken, Finding, Found};
use super::count;
use super::sizes::has_state;
use crate::model::{Origin, State};

/// Schemas that are looked for, at most.
const SCHEMAS: u32 = 1_000;

pub(super) async fn look(ground: &Ground<'_>) -> Found {
    let args = ground.first_args()?;
    let about = ground.stage.program.description();
    let (from, to) = (about.reads_from, about.reads_to.min(about.reads_from.saturating_add(SCHEMAS)));
    let mut tried = 0;
    for (schema, file) in &ground.fixtures.states {
        if !about.reads(*schema) {
            continue;
        }
        let named = &file.name;
        let state = State { schema: *schema, data: file.bytes.clone() };
        let taken = taken_over(ground.stage, &args, state, Origin::Restored).await;
        let refused = format!("given {named}, a state of schema {schema}");
        let taken = taken.and_then(|taken| taken.map_err(Fault::Refused));
        let mut actor = taken.map_err(|fault| old(fault.breaks(&refused), *schema, about.schema))?;
        let became = actor.snapshot().await.map_err(|fault| fault.breaks(&format!("having taken {named} over")))?;
        if let Some(became) = became {
            let taken = taken_over(ground.stage, &args, became, Origin::Switched).await;
            let taken = taken.and_then(|taken| taken.map_err(Fault::Refused));
            taken.map_err(|fault| fault.breaks(&format!("given the state that {named} had become")))?;
        }
        tried += 1;
    }
    let missing: Vec<u32> = (from..=to).filter(|schema| ground.fixtures.states_of(*schema).next().is_none()).collect();
    if !missing.is_empty() {
        if tried == 0 && !has_state(ground, &args).await? {
            return Ok(Finding::NotTried(
                "it gave no state: there is nothing to be read by a later version".to_owned(),
            ));
        }
        return Err(lacking(ground, &missing));
    }
    let outside: Vec<_> = ground.fixtures.states.iter().filter(|(schema, _)| !about.reads(*schema)).collect();
    let notes = outside.iter().map(|(_, file)| format!("{} is of a schema that it does not read", file.name)).collect();
    Ok(Finding::Kept {
        why: format!("{} of {} taken over", count(tried, "state"), count((to - from + 1) as usize, "schema")),
        notes,
    })
}

/// What is to be done about an old state is to be done in the migrations.
fn old(broken: Broken, schema: u32, current: u32) -> Broken {
    match schema == current {
        true => broken,
        false => broken.advice(format!("a plugin that says it reads schema {schema} has to bring such a state up to schema {current} in `continue`; if nobody has such states any more, raise `reads-from`")),
    }
}

fn lacking(ground: &Ground<'_>, missing: &[u32]) -> Broken {
    let files = missing.iter().take(5).map(|schema| ground.fixtures.place(&format!("states/{schema}-WORD.EXT")));
    let files: Vec<_> = files.collect();
    let more = if missing.len() > 5 { ", …" } else { "" };
    let numbers: Vec<_> = missing.iter().take(5).map(ToString::to_string).collect();
    let why = format!(
        "it says that it reads schema {}{more}, and there is no state of it to try: {}{more} is missing",
        numbers.join(" and "),
        files.join(" and ")
    );
    Broken::new(why).advice("keep the bytes of a state as the version that had that schema wrote it, with WORD saying what is in it; `baton test --save-state FILE` writes one of the current schema")
}
