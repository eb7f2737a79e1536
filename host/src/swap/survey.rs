//! Who would be switched, and with which states: a look at every actor of a plugin, those that sleep included. Nothing is
//! touched.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use super::Ground;
use super::options::SwapOptions;
use super::report::{ActorCounts, Remarks, SwapPlan, VersionInfo, WayBack};
use super::rollout::misfit;
use crate::actor::Cell;
use crate::model::{ActorName, ActorSpec, ErrorCode, HostError, Phase};
use crate::sandbox::Program;
use crate::store::RecordRef;

/// Heads that are read at once.
const PAGE: usize = 1_000;

/// The plugin's actors, as a swap sees them.
pub(super) struct Survey {
    pub(super) plan: SwapPlan,
    /// Actors with a place in the tree that are to be switched, in the order of their names.
    pub(super) awake: Vec<Arc<Cell>>,
    /// Actors that sleep, with the record that counts and what they would be started with.
    pub(super) asleep: Vec<Sleeper>,
    /// Those of both whose state the new version does not read.
    pub(super) misfits: HashSet<ActorName>,
}

/// An actor that has a state and no instance.
pub(super) struct Sleeper {
    pub(super) spec: ActorSpec,
    pub(super) record: RecordRef,
}

/// Where an actor stands, for a swap.
#[derive(Debug, PartialEq, Eq)]
enum Standing {
    Pinned,
    LeftOut,
    There,
    Held,
    Down,
    Running,
}

fn standing(cell: &Cell, to: &Program, options: &SwapOptions) -> Standing {
    let status = cell.status();
    match status.phase {
        _ if cell.spec.version.is_some() => Standing::Pinned,
        _ if !options.part.includes(cell.name()) => Standing::LeftOut,
        Phase::Held => Standing::Held,
        _ if status.component == Some(to.digest()) => Standing::There,
        Phase::Restarting | Phase::Failed | Phase::Stopping | Phase::Elsewhere => Standing::Down,
        _ => Standing::Running,
    }
}

/// Looks at all of them.
pub(super) async fn survey(
    ground: &Ground,
    (from, to): (&Program, &Program),
    options: &SwapOptions,
) -> Result<Survey, HostError> {
    let plugin = &to.description().name;
    let (before, after) = (from.description(), to.description());
    let way_back = if before.reads(after.schema) { WayBack::Reads } else { WayBack::Loses };
    let mut plan = SwapPlan {
        plugin: plugin.clone(),
        from: VersionInfo::of(before, from.digest()),
        to: VersionInfo::of(after, to.digest()),
        part: options.part.clone(),
        actors: ActorCounts::default(),
        schemas: BTreeMap::new(),
        misfits: Remarks::default(),
        rehearsal: None,
        way_back,
        notes: notes(from, to),
    };
    let mut found = Survey { awake: Vec::new(), asleep: Vec::new(), misfits: HashSet::new(), plan: plan.clone() };
    for cell in ground.registry.all().into_iter().filter(|cell| cell.spec.plugin == *plugin) {
        let counted = match standing(&cell, to, options) {
            Standing::Pinned => &mut plan.actors.pinned,
            Standing::LeftOut => &mut plan.actors.left_out,
            Standing::There => &mut plan.actors.there,
            standing => {
                let schema = schema_of(ground, &cell, &standing);
                found.look_at(&mut plan, cell.name(), schema, to);
                found.awake.push(cell);
                match standing {
                    Standing::Held => &mut plan.actors.held,
                    Standing::Down => &mut plan.actors.down,
                    _ => &mut plan.actors.running,
                }
            }
        };
        *counted += 1;
    }
    found.look_at_sleepers(ground, &mut plan, to, options).await?;
    found.plan = plan;
    Ok(found)
}

/// The schema of what the actor would hand over; none: nothing.
fn schema_of(ground: &Ground, cell: &Cell, standing: &Standing) -> Option<u32> {
    let status = cell.status();
    let runs = status.component.filter(|_| *standing == Standing::Running);
    let runs = runs.and_then(|digest| ground.catalog.program(&cell.spec.plugin, digest));
    // One that runs hands over what its version writes; of all others the record counts.
    runs.map(|program| program.description().schema).or(status.schema)
}

impl Survey {
    fn look_at(&mut self, plan: &mut SwapPlan, actor: &ActorName, schema: Option<u32>, to: &Program) {
        *plan.schemas.entry(schema.unwrap_or(0)).or_default() += 1;
        if let Some(why) = misfit(schema, to.description()) {
            plan.misfits.add(actor, why);
            self.misfits.insert(actor.clone());
        }
    }

    async fn look_at_sleepers(
        &mut self,
        ground: &Ground,
        plan: &mut SwapPlan,
        to: &Program,
        options: &SwapOptions,
    ) -> Result<(), HostError> {
        let mut after: Option<ActorName> = None;
        loop {
            let page = ground.store.list(after.as_ref(), PAGE).await.map_err(|error| {
                HostError::new(ErrorCode::Store, "the states of those that sleep cannot be looked at").source(error)
            })?;
            let Some((last, _)) = page.last() else { return Ok(()) };
            after = Some(last.clone());
            for (name, head) in page {
                let Some(record) = head.ok().and_then(|head| head.current().cloned()) else { continue };
                let own = record.plugin.as_ref().is_some_and(|(plugin, _)| *plugin == plan.plugin.as_str());
                if !own || ground.registry.whereis(&name).is_some() {
                    continue;
                }
                let spec = ground.router.template_for(&name).map(|(_, spec)| spec);
                let spec = spec.unwrap_or_else(|| ActorSpec::new(name.clone(), plan.plugin.clone()));
                if spec.version.is_some() {
                    plan.actors.pinned += 1;
                } else if !options.part.includes(&name) {
                    plan.actors.left_out += 1;
                } else {
                    plan.actors.sleeping += 1;
                    self.look_at(plan, &name, record.schema, to);
                    self.asleep.push(Sleeper { spec, record });
                }
            }
        }
    }
}

/// What else is worth knowing before a swap.
fn notes(from: &Program, to: &Program) -> Vec<String> {
    let (before, after) = (from.description(), to.description());
    let mut notes = Vec::new();
    if before.version == after.version && from.digest() != to.digest() {
        notes.push(format!("both say that they are version {}; they are told apart by their digests", after.version));
    }
    if before.messages != after.messages {
        notes.push(format!("message bodies were {}, and become {}", before.messages, after.messages));
    }
    let (old, new) = (from.inspection(), to.inspection());
    for import in new.imports.iter().filter(|import| !old.imports.contains(import)) {
        notes.push(format!("it imports {import}, which the old version does not"));
    }
    for export in old.exports.iter().filter(|export| !new.exports.contains(export)) {
        notes.push(format!("it no longer exports {export}"));
    }
    notes
}
