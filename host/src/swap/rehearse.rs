//! The new version takes over copies of the actors' real states, without any effect on the world: off the runtime's workers,
//! so many at once, and for so long at most.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::future::BoxFuture;
use tokio::runtime::Handle;
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::Ground;
use super::report::Rehearsal;
use super::rollout::percentiles;
use super::survey::{Sleeper, Survey};
use crate::actor::handoff::origin;
use crate::actor::{Cell, control};
use crate::model::{
    ActorName, ActorSpec, Body, CallError, ChildInfo, Counts, ErrorCode, GroupName, Handoff, HostError, Origin, Phase,
    SendError, State,
};
use crate::sandbox::{
    Ambient, ChildChange, Effect, Granted, GuestEnv, NestedCall, Out, Outside, Place, Program, Supervised, TurnBase,
};
use crate::store::{RecordRef, now_ms};

/// Rehearsals at once: each has an instance, and a copy of a state.
const AT_ONCE: usize = 4;

/// One actor to rehearse with.
struct Part {
    spec: ActorSpec,
    generation: u64,
    handoff: Option<Handoff>,
}

/// What came of one rehearsal.
enum Verdict {
    TakenOver,
    Failed(String),
    Inconclusive(String),
}

struct Played {
    actor: ActorName,
    verdict: Verdict,
    effects: Vec<Effect>,
    bytes: (usize, usize),
    took: Duration,
}

/// Rehearses with all that the survey found, for `within` at most.
pub(super) async fn rehearse(ground: &Ground, to: &Program, survey: &Survey, within: Duration) -> Rehearsal {
    let deadline = Instant::now() + within;
    let mut rehearsal = Rehearsal::default();
    let mut times = Vec::new();
    let mut playing = JoinSet::new();
    let awake = survey.awake.iter().map(Who::Awake);
    let asleep = survey.asleep.iter().map(Who::Asleep);
    for who in awake.chain(asleep) {
        // Those that do not fit are known, and are not shown to any guest.
        if survey.misfits.contains(who.name()) {
            continue;
        }
        if Instant::now() >= deadline {
            rehearsal.not_reached += 1;
            continue;
        }
        if playing.len() >= AT_ONCE {
            note(&mut rehearsal, &mut times, playing.join_next().await);
        }
        // One that is busy for long is not waited for longer than that.
        let Ok(Some(part)) = tokio::time::timeout_at(deadline, who.part(ground)).await else {
            rehearsal.not_reached += 1;
            continue;
        };
        let (program, workers) = (to.clone(), Handle::current());
        playing.spawn_blocking(move || workers.block_on(play(&program, part)));
    }
    while let Some(played) = playing.join_next().await {
        note(&mut rehearsal, &mut times, Some(played));
    }
    let (median, _, longest) = percentiles(&mut times);
    (rehearsal.median_us, rehearsal.longest_us) = (median, longest);
    rehearsal
}

fn note(rehearsal: &mut Rehearsal, times: &mut Vec<u64>, played: Option<Result<Played, tokio::task::JoinError>>) {
    let Some(Ok(Played { actor, verdict, effects, bytes, took })) = played else {
        rehearsal.not_reached += 1;
        return;
    };
    times.push(u64::try_from(took.as_micros()).unwrap_or(u64::MAX));
    rehearsal.bytes_before += bytes.0 as u64;
    rehearsal.bytes_after += bytes.1 as u64;
    for effect in &effects {
        *rehearsal.effects.entry(kind(effect).to_owned()).or_default() += 1;
    }
    match verdict {
        Verdict::TakenOver => rehearsal.taken_over += 1,
        Verdict::Failed(why) => rehearsal.failed.add(&actor, why),
        Verdict::Inconclusive(why) => rehearsal.inconclusive.add(&actor, why),
    }
}

fn kind(effect: &Effect) -> &'static str {
    match effect {
        Effect::Out(Out::Send { .. } | Out::Dispatch { .. }) => "send",
        Effect::Out(Out::Monitor(_) | Out::Demonitor(_)) => "monitor",
        Effect::Out(Out::Link(_) | Out::Unlink(_) | Out::Exit { .. }) => "link",
        Effect::Out(Out::Join(_) | Out::Leave(_)) => "group",
        Effect::Out(Out::SetAttribute { .. }) => "attribute",
        Effect::SetTimer { .. } | Effect::CancelTimer(_) => "timer",
        Effect::Save => "save",
        Effect::Stop => "stop",
    }
}

/// Whose state is tried.
enum Who<'a> {
    Awake(&'a Arc<Cell>),
    Asleep(&'a Sleeper),
}

impl Who<'_> {
    fn name(&self) -> &ActorName {
        match self {
            Self::Awake(cell) => cell.name(),
            Self::Asleep(sleeper) => &sleeper.spec.name,
        }
    }

    /// Its state, as it stands now. None: it could not be had.
    async fn part(&self, ground: &Ground) -> Option<Part> {
        match self {
            Self::Awake(cell) => match control::get_state(cell).await {
                Ok(state) => {
                    let data = state.data.to_vec();
                    let handoff = state.schema.map(|schema| Handoff {
                        state: State { schema, data },
                        origin: Origin::Switched,
                        generation: state.generation,
                        written_by: state.version.clone(),
                        age_ms: 0,
                    });
                    Some(Part { spec: cell.spec.clone(), generation: state.generation + 1, handoff })
                }
                // One that does not run is judged by its record.
                Err(_) => {
                    let (head, _) = ground.store.head(cell.name()).await.ok()??;
                    let record = head.current().cloned();
                    saved(ground, cell.spec.clone(), record.as_ref()).await
                }
            },
            Self::Asleep(sleeper) => saved(ground, sleeper.spec.clone(), Some(&sleeper.record)).await,
        }
    }
}

async fn saved(ground: &Ground, spec: ActorSpec, record: Option<&RecordRef>) -> Option<Part> {
    let Some(record) = record else { return Some(Part { spec, generation: 1, handoff: None }) };
    let record = ground.store.load(&spec.name, record).await.ok()?;
    let generation = record.header.generation + 1;
    let handoff = record.header.state.map(|wrote| Handoff {
        state: State { schema: wrote.schema, data: record.data },
        origin: origin(&record.header.cause, false, None),
        generation: wrote.generation,
        written_by: wrote.version,
        age_ms: now_ms().saturating_sub(wrote.time_ms),
    });
    Some(Part { spec, generation, handoff })
}

/// One takeover, from `init` to `snapshot`.
async fn play(program: &Program, part: Part) -> Played {
    let began = Instant::now();
    let stage = Arc::new(Stage::default());
    let before = part.handoff.as_ref().map_or(0, |handoff| handoff.state.data.len());
    let (result, effects) = take_over(program, &part, stage.clone()).await;
    let asked = stage.asked.lock().unwrap_or_else(PoisonError::into_inner).take();
    let (verdict, after) = match (asked, result) {
        (Some(asked), _) => (Verdict::Inconclusive(asked), 0),
        (None, Ok(bytes)) => (Verdict::TakenOver, bytes),
        (None, Err(why)) => (Verdict::Failed(why), 0),
    };
    Played { actor: part.spec.name, verdict, effects, bytes: (before, after), took: began.elapsed() }
}

/// The size of the new version's own state, or why it has none.
async fn take_over(program: &Program, part: &Part, stage: Arc<Stage>) -> (Result<usize, String>, Vec<Effect>) {
    let limits = Arc::new(part.spec.limits.clone());
    let env = GuestEnv {
        label: Arc::new(program.label(&part.spec.name)),
        limits: limits.clone(),
        meter: Arc::default(),
        grants: Arc::new(Granted::to_talk()),
        outside: stage,
        place: Place::Spare,
        ambient: Ambient::Real,
    };
    let mut guest = match program.instantiate(env).await {
        Ok(guest) => guest,
        Err(crash) => return (Err(format!("it would not start: {crash}")), Vec::new()),
    };
    let tried = async {
        let crashed = |crash| format!("it crashed: {crash}");
        let init = guest.init(&part.spec.args, TurnBase::outside()).await.map_err(crashed)?;
        init.map_err(|failure| format!("`init` failed: {failure}"))?;
        let base = TurnBase::outside();
        let continued = guest.r#continue(part.generation, part.handoff.as_ref(), base).await.map_err(crashed)?;
        continued.map_err(|refusal| format!("it refused the state: {refusal}"))?;
        let snapshot = guest.snapshot(TurnBase::outside()).await.map_err(crashed)?;
        let state = snapshot.map_err(|failure| format!("its `snapshot` failed: {failure}"))?;
        let (said, most) = (program.description().schema, limits.snapshot_bytes);
        match state {
            Some(state) if state.schema != said => {
                Err(format!("its state has schema {}, and it described schema {said}", state.schema))
            }
            Some(state) if state.data.len() > most => {
                Err(format!("its state has {} bytes: limit snapshot_bytes = {most}", state.data.len()))
            }
            Some(state) => Ok(state.data.len()),
            None => Ok(0),
        }
    };
    let result = tried.await;
    (result, guest.take_effects())
}

/// Where an instance rehearses: whatever it asks whose answer it needs is noted, and denied.
#[derive(Debug, Default)]
struct Stage {
    asked: Mutex<Option<String>>,
}

impl Stage {
    fn note(&self, what: String) {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(what);
    }

    fn denied<T: Send + 'static>(&self, what: String) -> Supervised<T> {
        self.note(what);
        Box::pin(async { Err(HostError::new(ErrorCode::Denied, "this is a rehearsal")) })
    }
}

impl Outside for Stage {
    fn call(&self, call: NestedCall) -> BoxFuture<'static, Result<Body, CallError>> {
        self.note(format!("it calls `{}`", call.to));
        let (actor, why) = (call.to.to_string(), "this is a rehearsal".to_owned());
        Box::pin(async move { Err(SendError::Unavailable { actor, why }.into()) })
    }

    fn may_supervise(&self, _: &ActorName, name: &ActorName) -> bool {
        self.note(format!("it supervises `{name}`"));
        false
    }

    fn start_child(&self, _: &ActorName, _: Option<ActorName>, child: ActorSpec) -> Supervised<()> {
        self.denied(format!("it starts `{}`", child.name))
    }

    fn change_child(&self, _: &ActorName, child: ActorName, _: ChildChange) -> Supervised<()> {
        self.denied(format!("it changes the child `{child}`"))
    }

    fn which_children(&self, _: &ActorName, _: Option<ActorName>) -> Supervised<Vec<ChildInfo>> {
        self.denied("it asks for children".to_owned())
    }

    fn count_children(&self, _: &ActorName, _: Option<ActorName>) -> Supervised<Counts> {
        self.denied("it asks for children".to_owned())
    }

    fn whereis(&self, actor: &ActorName) -> Option<Phase> {
        self.note(format!("it asks where `{actor}` is"));
        None
    }

    fn members(&self, group: &GroupName) -> Vec<ActorName> {
        self.note(format!("it asks for the group `{group}`"));
        Vec::new()
    }

    fn attribute(&self, actor: &ActorName, _: &str) -> Option<String> {
        self.note(format!("it asks for an attribute of `{actor}`"));
        None
    }

    fn having(&self, key: &str, _: &str) -> Vec<ActorName> {
        self.note(format!("it looks for actors by `{key}`"));
        Vec::new()
    }
}
