//! One message: from the mailbox to its commit and its reply, or to whatever else becomes of it.

use std::time::Duration;

use tokio::time::Instant;

use super::ledger::Seen;
use super::mailbox::Letter;
use super::run::{Instance, Live, Next, apply_timers};
use super::signals::Cut;
use super::turn::{self, Plan};
use super::{Envelope, NotAgain, Receipt, ReplyTo};
use crate::model::{CallError, Crash, CrashKind, Durability, Exit, Failure, Message, MessageId, log_of};
use crate::sandbox::TurnBase;
use crate::store::now_ms;
use crate::telemetry::{Begun, Outcome, Parent, TraceContext, number, part};

impl Instance {
    /// A timer that has come due, as a message.
    pub(super) fn not_again_if_it_crashes(&self, live: &Live, name: &str, due: u64) -> (Envelope, Option<NotAgain>) {
        let message = Message::Timer(name.to_owned());
        // One that was set since is gone with the state if this crashes.
        let of_the_record = live.record_timers.get(name) == Some(&due);
        let record = live.lease.head.current().filter(|_| of_the_record).map(|record| record.sequence);
        let not_again = record.map(|sequence| NotAgain::Timer(sequence, name.to_owned(), due));
        (Envelope::new(message, None), not_again)
    }

    /// That a message tells of the end of an actor that the record says is watched: the next instance would hear of it too.
    fn watched_durably(&self, live: &Live, message: &Message) -> Option<NotAgain> {
        let Message::Down(actor, _) = message else { return None };
        let record = live.lease.head.current().filter(|_| self.keeping.durability == Durability::Turn)?;
        Some(NotAgain::Down(record.sequence, actor.clone()))
    }

    /// The id of a turn. One that is repeated, by the next instance from the same record, has the same one.
    fn id_of(&self, live: &Live, message: &Message, kept: Option<&NotAgain>) -> MessageId {
        let actor = self.cell.name();
        match (message, kept) {
            (Message::Call(request) | Message::Cast(request), _) => request.id.clone(),
            // Each turn makes a record: none has the same sequence.
            (_, Some(kept)) if self.keeping.durability == Durability::Turn => {
                let (sequence, what) = kept.told();
                MessageId::of_kept(actor, sequence, &what)
            }
            _ => MessageId::of_turn(actor, live.lease.head.generation, live.turns),
        }
    }

    /// One message, from the mailbox to whatever follows.
    pub(super) async fn turn(&mut self, live: &mut Live, (envelope, timer): (Envelope, Option<NotAgain>)) -> Next {
        let began = match envelope.is_at_once() && self.cell.driver.is_in_place() {
            // It came just now, by whoever drives.
            true => envelope.came(),
            false => Instant::now(),
        };
        let Letter { message, reply, restored, receipt, trace, came, .. } = envelope.open();
        self.cell.rest.used(began);
        if let Seen::Answered(first) = live.ledger.seen(&message, now_ms, &self.cell.limits) {
            // It was handled before: whoever sent it again gets what it would have got then.
            if let Some(reply) = reply {
                drop(reply.send(first.map_err(CallError::from)));
            }
            confirm(receipt.as_ref());
            self.numbers.message(Outcome::Repeated);
            return Next::Go;
        }
        if !matches!(message, Message::Timer(_)) {
            self.numbers.mailbox_wait.time(began.duration_since(came));
        }
        let not_again = restored.map(|(sequence, place)| NotAgain::Message(sequence, place)).or(timer);
        let not_again = not_again.or_else(|| self.watched_durably(live, &message));
        live.turns += 1;
        let mut base = TurnBase::new(self.id_of(live, &message, not_again.as_ref()), &live.timers);
        live.turn = self.turn_of(&message, &base.id, trace.as_ref());
        base.trace = live.turn.place().cloned();
        // The guest's own time begins after the mark.
        base.began = (!live.mark).then(|| began.into_std());
        // The mark first: what a turn does at once, such as a call of its own, may not be ahead of it.
        let handle = async {
            self.mark(live).await?;
            live.guest.handle(&message, base).await
        };
        let handled = self.signals.uncut(handle).await;
        let answer = match handled {
            Err(why) => return self.cut_in(live, message, (reply, receipt), why, not_again.is_some()),
            Ok(Err(crash)) => {
                self.took(live, began.elapsed());
                return self.crashed(live, message, (reply, receipt), crash, not_again);
            }
            Ok(Ok(answer)) => answer,
        };
        let effects = live.guest.take_effects();
        if let (Err(failure), None) = (&answer, &reply)
            && self.cell.may_log()
        {
            log_of!(warn, self.cell.label(), %failure, "a message that expects no reply failed");
        }
        self.cell.figures.handles();
        let mut plan = turn::plan(effects);
        note_done(&live.turn, &plan, answer.as_deref());
        live.ledger.handled(&message, answer.as_deref(), now_ms, &self.cell.limits);
        live.unsaved.turn(self.keeping.durability, began);
        let in_memory = self.keeping.durability != Durability::Turn;
        // The save comes before the reply, and the reply before the sends.
        let at_once = in_memory && !plan.save && self.tenure.is_open();
        let kept = if at_once {
            apply_timers(&mut live.timers, &plan);
            Ok(Ok(()))
        } else {
            let keep = async {
                self.keep(live, &mut plan, true, "handle").await?;
                // What was committed is true whoever owns the actor by now. What was not leaves only while it is this host's.
                if in_memory {
                    self.tenure.open().await;
                }
                Ok(())
            };
            self.signals.uncut(keep).await
        };
        let ended = live.guest.answered_at().filter(|_| at_once).map_or_else(Instant::now, Instant::from_std);
        self.took(live, ended.saturating_duration_since(began));
        match kept {
            Err(why) => return self.cut_in(live, message, (reply, receipt), why, not_again.is_some()),
            Ok(Err(crash)) => return self.crashed(live, message, (reply, receipt), crash, not_again),
            Ok(Ok(())) => self.numbers.message(if answer.is_ok() { Outcome::Ok } else { Outcome::Failed }),
        }
        confirm(receipt.as_ref());
        if let Some(reply) = reply {
            // A caller that is gone does not miss its answer.
            drop(reply.send(turn::reply(answer)));
        }
        let stop = plan.stop;
        self.send_all(plan, live.turn.place());
        if stop {
            return Next::Stop;
        }
        if live.unsaved.enough(self.keeping.durability) { self.save_between_turns(live).await } else { Next::Go }
    }

    /// Measures a turn that has ended.
    fn took(&self, live: &mut Live, took: Duration) {
        live.stint.turn(took);
        self.numbers.turn.time(took);
        self.cell.figures.turn(took, live.guest.memory_bytes());
    }

    /// The turn of a message as a part of a trace: of the one that the message comes from, or, where nobody sent it, of one
    /// that begins with it.
    fn turn_of(&self, message: &Message, id: &MessageId, trace: Option<&TraceContext>) -> Begun {
        let (kind, bytes, within) = match message {
            Message::Call(request) => ("call", request.body.len(), Parent::within(trace)),
            Message::Cast(request) => ("cast", request.body.len(), Parent::within(trace)),
            Message::Timer(name) => ("timer", name.len(), Parent::from_outside(trace, self.parts.traces)),
            Message::Down(..) => ("down", message.size(), Parent::from_outside(trace, self.parts.traces)),
            Message::Other(_, body) => ("other", body.len(), Parent::from_outside(trace, self.parts.traces)),
        };
        let plugin = self.parts.program.description();
        part!(
            within,
            "turn",
            otel.kind = "consumer",
            baton.actor = %self.cell.name(),
            baton.plugin = %plugin.name,
            baton.version = %plugin.version,
            baton.generation = number(self.cell.status().generation),
            baton.message_kind = kind,
            baton.message_id = %id,
            baton.message_bytes = number(bytes),
            baton.sends = tracing::field::Empty,
            baton.timers = tracing::field::Empty,
            baton.saves = tracing::field::Empty,
            baton.stops = tracing::field::Empty,
            baton.reply_bytes = tracing::field::Empty,
            baton.failure = tracing::field::Empty,
        )
    }

    /// The turn in hand may not go on, which is not its message's fault. `kept`: whether that is in the record still.
    fn cut_in(
        &self,
        live: &Live,
        message: Message,
        (reply, receipt): (Option<ReplyTo>, Option<Receipt>),
        why: Cut,
        kept: bool,
    ) -> Next {
        live.turn.failed(|| why.to_string());
        self.numbers.message(Outcome::CutShort);
        match &why {
            Cut::Fenced(why) => answer_fenced(reply, self.cell.name().as_str(), why),
            Cut::Killed | Cut::Spent(..) => answer_crashed(reply, self.cell.name().as_str(), &why.to_string()),
        }
        match receipt {
            Some(receipt) => self.put_back(message, receipt),
            None if kept => {}
            None => self.parts.post.dead_letter(self.cell.name(), &message, &why.to_string(), None),
        }
        Next::End(self.cut_short(why))
    }

    /// A durable sender's message that was in hand waits for the next instance, before those that came after it; or is lost
    /// together with them, and sent again.
    fn put_back(&self, message: Message, receipt: Receipt) {
        self.cell.mailbox.put_back(Envelope::new(message, None).receipted(receipt));
    }

    fn crashed(
        &self,
        live: &Live,
        message: Message,
        (reply, receipt): (Option<ReplyTo>, Option<Receipt>),
        crash: Crash,
        not_again: Option<NotAgain>,
    ) -> Next {
        live.turn.failed(|| crash.to_string());
        self.numbers.message(Outcome::Crashed);
        // Where it was the store's fault, what a durable sender has sent, or the record has still, is handled again.
        let at_fault = !matches!(crash.kind, CrashKind::Store | CrashKind::Fenced);
        match receipt {
            Some(receipt) if !at_fault => self.put_back(message, receipt),
            None if !at_fault && not_again.is_some() => {}
            receipt => {
                self.cell.status().not_again.extend(not_again);
                self.parts.post.dead_letter(self.cell.name(), &message, "it crashed its actor", Some(&crash));
                // Nobody will ever handle it.
                confirm(receipt.as_ref());
            }
        }
        // Whoever hears of it finds the dead letter.
        match crash.kind {
            CrashKind::Fenced => answer_fenced(reply, self.cell.name().as_str(), &crash.to_string()),
            _ => answer_crashed(reply, self.cell.name().as_str(), &crash.to_string()),
        }
        Next::End(Exit::Crashed(crash))
    }
}

/// Notes in a trace what a turn came to.
fn note_done(turn: &Begun, plan: &Plan, answer: Result<&[u8], &Failure>) {
    turn.note(|span| {
        span.record("baton.sends", number(plan.out.len()));
        span.record("baton.timers", number(plan.timers.len()));
        span.record("baton.saves", plan.save);
        span.record("baton.stops", plan.stop);
        match answer {
            Ok(reply) => span.record("baton.reply_bytes", number(reply.len())),
            // A reply like any other: the turn itself went well.
            Err(failure) => span.record("baton.failure", failure.to_string()),
        };
    });
}

/// Tells a durable sender that its message need not be sent again.
fn confirm(receipt: Option<&Receipt>) {
    if let Some(receipt) = receipt {
        receipt.confirm();
    }
}

/// What was committed of it, and by whom, is not known here.
fn answer_fenced(reply: Option<ReplyTo>, actor: &str, why: &str) {
    if let Some(reply) = reply {
        drop(reply.send(Err(CallError::Fenced { actor: actor.to_owned(), why: why.to_owned() })));
    }
}

fn answer_crashed(reply: Option<ReplyTo>, actor: &str, reason: &str) {
    if let Some(reply) = reply {
        drop(reply.send(Err(CallError::Crashed { actor: actor.to_owned(), reason: reason.to_owned() })));
    }
}
