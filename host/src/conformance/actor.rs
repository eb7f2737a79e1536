//! One actor over its instances, driven as the host would drive it, with nothing of the world but what is played.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::Options;
use super::fault::Fault;
use super::media::Media;
use super::turn::{Done, Turn, said};
use super::world::World;
use crate::model::{
    ActorName, Digest, Failure, Handoff, Legacy, Limits, Message, MessageId, Origin, Refusal, State, StopReason,
};
use crate::sandbox::{Ambient, Effect, Granted, Guest, GuestEnv, Place, Program, TurnBase};

/// When all that is played begins: 2030-01-01 00:00:00 UTC, in milliseconds since the Unix epoch. States that were kept as
/// fixtures are of the past then.
pub(super) const BEGINNING_MS: u64 = 1_893_456_000_000;
/// Timers that may come due in one step: one that sets itself anew for at once has no end.
const TIMERS: usize = 1_000;
/// Measured times that are kept.
const TIMES: usize = 10_000;
/// How long one message may take here, in milliseconds: less than in a host, for nobody wants to wait for a test.
const TURN_MS: u64 = 10_000;
/// How long it may take to terminate at a handover, in milliseconds. How it keeps to its budget is looked at elsewhere.
const END_MS: u64 = 2_000;

/// The plugin, and what all of its actors have in common.
pub(super) struct Stage {
    pub(super) program: Program,
    pub(super) media: Media,
    pub(super) name: ActorName,
    pub(super) seed: u64,
    pub(super) limits: Arc<Limits>,
    granted: Arc<Granted>,
    tally: Mutex<Tally>,
}

/// What is counted over all of them.
#[derive(Debug, Default)]
pub(super) struct Tally {
    pub(super) start_us: Vec<u64>,
    pub(super) handle_us: Vec<u64>,
    pub(super) instances: u64,
    pub(super) messages: u64,
    pub(super) reply: (usize, String),
    pub(super) state: usize,
}

impl Stage {
    pub(super) fn new(program: Program, options: &Options) -> Self {
        let description = program.description();
        let media = Media::of(&description.messages);
        // A plugin's name keeps the rules for the names of actors.
        let name = format!("{}/1", description.name);
        let name = options.actor.clone().or_else(|| ActorName::new(&name).ok());
        let (name, seed) = (name.unwrap_or_else(|| super::known("tested/1")), options.seed);
        let limits = Limits { turn_timeout_ms: TURN_MS, continue_timeout_ms: TURN_MS, ..Limits::default() };
        let (granted, tally) = (Arc::new(Granted::to_talk()), Mutex::default());
        Self { program, media, name, seed, limits: Arc::new(limits), granted, tally }
    }

    pub(super) fn tally(&self) -> MutexGuard<'_, Tally> {
        // Each change leaves it whole.
        self.tally.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn world(&self) -> Arc<World> {
        self.world_at(BEGINNING_MS)
    }

    fn world_at(&self, now_ms: u64) -> Arc<World> {
        Arc::new(World::new(self.seed, now_ms))
    }

    /// A new instance, before its `init`.
    pub(super) async fn instance(&self, world: &Arc<World>) -> Result<Guest, Fault> {
        let env = GuestEnv {
            label: Arc::new(self.program.label(&self.name)),
            limits: self.limits.clone(),
            meter: Arc::default(),
            grants: self.granted.clone(),
            outside: world.clone(),
            place: Place::Spare,
            ambient: Ambient::Played(world.played.clone()),
        };
        self.tally().instances += 1;
        self.program.instantiate(env).await.map_err(|crash| Fault::crash(crash, world))
    }

    /// Whether a state may be saved: of the schema that was described, and not too large.
    pub(super) fn check(&self, state: State) -> Result<State, Fault> {
        let (schema, most) = (self.program.description().schema, self.limits.snapshot_bytes);
        if state.schema != schema {
            return Err(Fault::Schema { found: state.schema, described: schema });
        }
        if state.data.len() > most {
            return Err(Fault::TooLarge { bytes: state.data.len(), most });
        }
        let mut tally = self.tally();
        tally.state = tally.state.max(state.data.len());
        Ok(state)
    }
}

/// How an actor is handed over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// By its `snapshot`, as a swap does.
    Snapshot,
    /// By its `terminate`, as a stop and a start do.
    Terminate,
    /// Not at all: its `snapshot` is taken, and it lives on.
    Look,
}

/// An actor that has begun.
pub(super) struct Actor<'a> {
    pub(super) stage: &'a Stage,
    pub(super) world: Arc<World>,
    pub(super) guest: Guest,
    pub(super) trap_exit: bool,
    pub(super) stopped: bool,
    /// What its last `continue` asked for.
    pub(super) begun: Vec<Done>,
    args: Arc<[u8]>,
    timers: BTreeMap<String, u64>,
    generation: u64,
    turns: u64,
    /// What makes chance at the start another one, nothing else being different.
    salt: u64,
}

impl<'a> Actor<'a> {
    /// Begins with `state`, or with none.
    pub(super) async fn begin(
        stage: &'a Stage,
        args: &Arc<[u8]>,
        state: Option<(State, Origin)>,
        salt: u64,
    ) -> Result<Self, Fault> {
        Self::begin_at(stage, args, state, (salt, BEGINNING_MS)).await
    }

    async fn begin_at(
        stage: &'a Stage,
        args: &Arc<[u8]>,
        state: Option<(State, Origin)>,
        (salt, now_ms): (u64, u64),
    ) -> Result<Self, Fault> {
        let world = stage.world_at(now_ms);
        let began = Instant::now();
        let (guest, trap_exit) = started(stage, &world, args, (salt, 1)).await?;
        let mut actor = Self {
            stage,
            world,
            guest,
            trap_exit,
            stopped: false,
            begun: Vec::new(),
            args: args.clone(),
            timers: BTreeMap::new(),
            generation: 1,
            turns: 0,
            salt,
        };
        actor.take_over(state).await?;
        let mut tally = stage.tally();
        if tally.start_us.len() < TIMES {
            tally.start_us.push(micros(began.elapsed()));
        }
        drop(tally);
        Ok(actor)
    }

    async fn take_over(&mut self, state: Option<(State, Origin)>) -> Result<(), Fault> {
        let handoff = state.map(|(state, origin)| Handoff {
            state,
            origin,
            generation: self.generation.saturating_sub(1),
            written_by: self.stage.program.description().version.clone(),
            age_ms: 0,
        });
        let base = TurnBase::new(self.id(0), &Arc::new(self.timers.clone()));
        let answer = self.guest.r#continue(self.generation, handoff.as_ref(), base).await;
        answer.map_err(|crash| Fault::crash(crash, &self.world))?.map_err(Fault::Refused)?;
        let effects = self.guest.take_effects();
        self.begun = self.follow(&effects);
        Ok(())
    }

    /// The id of what the host does for this instance: always the same.
    fn id(&self, turn: u64) -> MessageId {
        MessageId::of_turn(&self.stage.name, self.generation, turn)
    }

    /// Does to its timers what it asked for, and notes the rest.
    fn follow(&mut self, effects: &[Effect]) -> Vec<Done> {
        for effect in effects {
            match effect {
                Effect::SetTimer { name, due_ms } => drop(self.timers.insert(name.clone(), *due_ms)),
                Effect::CancelTimer(name) => drop(self.timers.remove(name)),
                Effect::Stop => self.stopped = true,
                Effect::Out(_) | Effect::Save => {}
            }
        }
        let now_ms = self.world.played.now_ms();
        effects.iter().map(|effect| Done::of(effect, now_ms)).collect()
    }

    /// One message.
    pub(super) async fn say(&mut self, message: &Message) -> Result<Turn, Fault> {
        self.turns += 1;
        self.world.played.begin(self.turns);
        let id = match message {
            Message::Call(request) | Message::Cast(request) => request.id.clone(),
            // The same for the one that lives on and the one that is handed over.
            _ => MessageId::of_turn(&self.stage.name, 0, self.turns),
        };
        let base = TurnBase::new(id, &Arc::new(self.timers.clone()));
        let began = Instant::now();
        let answer = self.guest.handle(message, base).await;
        let took = micros(began.elapsed());
        let answer = answer.map_err(|crash| Fault::crash(crash, &self.world))?;
        let mut tally = self.stage.tally();
        tally.messages += 1;
        if tally.handle_us.len() < TIMES {
            tally.handle_us.push(took);
        }
        if let Ok(reply) = &answer
            && reply.len() > tally.reply.0
        {
            tally.reply = (reply.len(), said(message));
        }
        drop(tally);
        let effects = self.guest.take_effects();
        let done = self.follow(&effects);
        let (asked, expects_reply) = (self.world.take_asked(), matches!(message, Message::Call(_)));
        Ok(Turn { said: said(message), expects_reply, answer, asked, done })
    }

    /// Puts its clock, its chance and its ids to where those of `other` are.
    pub(super) fn stands_as(&mut self, other: &Actor<'_>) {
        // What either asked as it began is no part of what comes.
        self.world.take_asked();
        other.world.take_asked();
        self.turns = other.turns;
        self.timers = other.timers.clone();
        self.world.played.set_now_ms(other.world.played.now_ms());
    }

    /// The id of the next message: the same in every run of the same steps.
    pub(super) fn next_id(&self) -> MessageId {
        MessageId::of_turn(&self.stage.name, u64::MAX, self.turns + 1)
    }

    /// The clock goes on, and what comes due on the way is told in its order.
    pub(super) async fn advance(&mut self, ms: u64) -> (Vec<Turn>, Result<(), Fault>) {
        let until = self.world.played.now_ms().saturating_add(ms);
        let mut turns = Vec::new();
        while !self.stopped && turns.len() < TIMERS {
            let next = self.timers.iter().min_by_key(|(name, due)| (**due, (*name).clone()));
            let Some((name, due)) = next.map(|(name, due)| (name.clone(), *due)).filter(|(_, due)| *due <= until)
            else {
                break;
            };
            self.timers.remove(&name);
            self.world.played.set_now_ms(due.max(self.world.played.now_ms()));
            match self.say(&Message::Timer(name)).await {
                Ok(turn) => turns.push(turn),
                Err(fault) => return (turns, Err(fault)),
            }
        }
        // Where too many came due, the clock stands at the last of them, and the others are still to come.
        if turns.len() < TIMERS {
            self.world.played.set_now_ms(until);
        }
        (turns, Ok(()))
    }

    /// Its state as it stands.
    pub(super) async fn snapshot(&mut self) -> Result<Option<State>, Fault> {
        let base = TurnBase::new(self.id(u64::MAX), &Arc::default());
        let answer = self.guest.snapshot(base).await.map_err(|crash| Fault::crash(crash, &self.world))?;
        // What it asks for beside is not done: a snapshot is a look.
        self.guest.take_effects();
        self.world.take_asked();
        let state = answer.map_err(|failure| Fault::Failed { during: "snapshot", failure })?;
        state.map(|state| self.stage.check(state)).transpose()
    }

    /// Its end.
    pub(super) async fn terminate(&mut self, reason: &StopReason) -> Result<Result<Legacy, Failure>, Fault> {
        let within = Some(Duration::from_millis(END_MS));
        let base = TurnBase::new(self.id(u64::MAX - 1), &Arc::default());
        let answer = self.guest.terminate(reason, within, base).await;
        let answer = answer.map_err(|crash| Fault::crash(crash, &self.world))?;
        self.guest.take_effects();
        self.world.take_asked();
        Ok(answer)
    }

    /// Another instance takes over. What its `continue` asks for is in `begun`.
    pub(super) async fn hand_over(&mut self, kind: Kind) -> Result<(), Fault> {
        let snapshot = self.snapshot().await?.map(|state| (state, Origin::Switched));
        if kind == Kind::Look {
            return Ok(());
        }
        let mut state = snapshot;
        if kind == Kind::Terminate && self.trap_exit {
            let reason = StopReason::Shutdown;
            let legacy =
                self.terminate(&reason).await?.map_err(|failure| Fault::Failed { during: "terminate", failure })?;
            // Where it keeps or forgets what was saved, it says so on purpose; the snapshot goes on.
            if let Legacy::Save(saved) = legacy {
                state = Some((self.stage.check(saved)?, Origin::Terminated(reason)));
            }
        }
        self.generation += 1;
        let (salt, generation) = (self.salt, self.generation);
        let started = started(self.stage, &self.world, &self.args, (salt, generation)).await;
        (self.guest, self.trap_exit) = started?;
        self.take_over(state).await
    }
}

/// A new instance that has been through `init`.
async fn started(
    stage: &Stage,
    world: &Arc<World>,
    args: &[u8],
    (salt, generation): (u64, u64),
) -> Result<(Guest, bool), Fault> {
    // Chance at a start is another for every instance, as it is in a host.
    let chance = Digest::of(format!("start {salt} {generation}").as_bytes()).0;
    world.played.begin(u64::from_le_bytes(std::array::from_fn(|at| chance[at])));
    let mut guest = stage.instance(world).await?;
    let base = TurnBase::new(MessageId::of_turn(&stage.name, generation, 1), &Arc::default());
    let answer = guest.init(args, base).await.map_err(|crash| Fault::crash(crash, world))?;
    let trap_exit = answer.map_err(|failure| Fault::Failed { during: "init", failure })?;
    Ok((guest, trap_exit))
}

/// Whether a state is taken over, by an instance of its own; the actor that has, if it was.
pub(super) async fn taken_over<'a>(
    stage: &'a Stage,
    args: &Arc<[u8]>,
    state: State,
    origin: Origin,
) -> Result<Result<Actor<'a>, Refusal>, Fault> {
    taken_over_at(stage, args, state, origin, BEGINNING_MS).await
}

/// The same at a moment: no state is of the future for one that takes it over.
pub(super) async fn taken_over_at<'a>(
    stage: &'a Stage,
    args: &Arc<[u8]>,
    state: State,
    origin: Origin,
    now_ms: u64,
) -> Result<Result<Actor<'a>, Refusal>, Fault> {
    match Actor::begin_at(stage, args, Some((state, origin)), (0, now_ms)).await {
        Ok(actor) => Ok(Ok(actor)),
        Err(Fault::Refused(refusal)) => Ok(Err(refusal)),
        Err(fault) => Err(fault),
    }
}

pub(super) fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}
