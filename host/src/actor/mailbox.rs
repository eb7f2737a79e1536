//! Messages that wait for one actor: bounded, in the order in which they came.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::ops::{Deref, DerefMut};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use tokio::sync::oneshot;
use tokio::time::Instant;

use super::Receipt;
use super::claiming::Owner;
use super::lifecycle::not_here;
use crate::model::{ActorName, Body, CallError, EXIT, Hold, Limits, Message, SendError};
use crate::telemetry::{Begun, Parent, TraceContext, number, part};

/// Where a reply goes.
pub(crate) type ReplyTo = oneshot::Sender<Result<Body, CallError>>;

/// A message on its way: large, and passed through many hands, so it lies in one place.
#[derive(Debug)]
pub(crate) struct Envelope(Box<Letter>);

/// What is in an envelope.
#[derive(Debug)]
pub(crate) struct Letter {
    pub(crate) message: Message,
    /// For calls.
    pub(crate) reply: Option<ReplyTo>,
    /// For a message that came with a record: the record's sequence, and the message's place in its inbox.
    pub(crate) restored: Option<(u64, usize)>,
    /// For a message of a durable sender: it hears whether it has arrived.
    pub(crate) receipt: Option<Receipt>,
    /// The part of a trace that it comes from.
    pub(crate) trace: Option<TraceContext>,
    /// Its wait in a mailbox, as a part of that.
    waits: Begun,
    /// When it came.
    pub(super) came: Instant,
    /// Whether it found the reader waiting for it.
    at_once: bool,
}

impl Envelope {
    /// A message that has just come; `reply` for calls.
    pub(crate) fn new(message: Message, reply: Option<ReplyTo>) -> Self {
        Self(Box::new(Letter {
            message,
            reply,
            restored: None,
            receipt: None,
            trace: None,
            waits: Begun::nothing(),
            came: Instant::now(),
            at_once: false,
        }))
    }

    /// What is in it.
    pub(crate) fn open(self) -> Letter {
        *self.0
    }

    /// When it came.
    pub(crate) fn came(&self) -> Instant {
        self.came
    }

    /// Whether it found the reader waiting for nothing but a message, and none before it.
    pub(super) fn is_at_once(&self) -> bool {
        self.at_once
    }

    /// A message that came with a record.
    pub(crate) fn restored(message: Message, sequence: u64, place: usize) -> Self {
        let mut envelope = Self::new(message, None);
        envelope.restored = Some((sequence, place));
        envelope
    }

    /// The same from a durable sender.
    pub(crate) fn receipted(mut self, receipt: Receipt) -> Self {
        self.receipt = Some(receipt);
        self
    }

    /// The same as a part of a trace.
    pub(crate) fn within(mut self, trace: Option<&TraceContext>) -> Self {
        self.trace = trace.cloned();
        self
    }
}

impl Deref for Envelope {
    type Target = Letter;

    fn deref(&self) -> &Letter {
        &self.0
    }
}

impl DerefMut for Envelope {
    fn deref_mut(&mut self) -> &mut Letter {
        &mut self.0
    }
}

/// Whether messages are taken.
#[derive(Debug, Clone)]
pub(crate) enum Gate {
    Open,
    /// The actor is parked.
    Held(Box<Hold>),
    /// Another host owns it.
    Elsewhere(Box<Owner>),
    /// It is going: why.
    Closed(String),
    /// It stays down: why.
    Down(String),
    /// It was let go in its sleep: another cell has its name, or will have it.
    Moved,
}

#[derive(Debug)]
pub(crate) struct Mailbox {
    actor: ActorName,
    limits: Arc<Limits>,
    inner: Mutex<Inner>,
}

#[derive(Debug)]
struct Inner {
    queue: VecDeque<Envelope>,
    bytes: usize,
    /// How many of them tell of another's end.
    notices: usize,
    gate: Gate,
    /// Whoever waits for a message: the actor's loop, and nobody else.
    reader: Option<Waker>,
    /// Whether the loop is between two turns, and has heard nothing else.
    at_rest: bool,
    /// Whether it sleeps.
    asleep: bool,
}

impl Inner {
    fn listen(&mut self, cx: &Context<'_>) {
        match &mut self.reader {
            Some(reader) => reader.clone_from(cx.waker()),
            None => self.reader = Some(cx.waker().clone()),
        }
    }

    fn append(&mut self, envelope: Envelope) {
        self.bytes += envelope.message.size();
        self.notices += usize::from(is_notice(&envelope.message));
        self.queue.push_back(envelope);
    }

    fn count(&mut self) {
        self.bytes = self.queue.iter().map(|envelope| envelope.message.size()).sum();
        self.notices = self.queue.iter().filter(|envelope| is_notice(&envelope.message)).count();
    }
}

fn is_notice(message: &Message) -> bool {
    match message {
        Message::Down(..) => true,
        Message::Other(kind, _) => kind == EXIT,
        Message::Call(_) | Message::Cast(_) | Message::Timer(_) => false,
    }
}

impl Mailbox {
    pub(super) fn new(actor: ActorName, limits: Arc<Limits>) -> Self {
        let inner = Inner {
            queue: VecDeque::new(),
            bytes: 0,
            notices: 0,
            gate: Gate::Open,
            reader: None,
            at_rest: false,
            asleep: false,
        };
        Self { actor, limits, inner: Mutex::new(inner) }
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        // Every change below is complete before anything can panic.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn came(mut inner: MutexGuard<'_, Inner>) {
        let reader = inner.reader.take();
        drop(inner);
        if let Some(reader) = reader {
            reader.wake();
        }
    }

    /// Takes a message, or says why not.
    pub(crate) fn push(&self, envelope: Envelope) -> Result<(), SendError> {
        let moved = |_| SendError::Unavailable { actor: self.actor.to_string(), why: "it was put to sleep".into() };
        self.offer(envelope).unwrap_or_else(|back| Err(moved(back)))
    }

    /// The same; gives the message back where it is for another cell of this name.
    pub(crate) fn offer(&self, envelope: Envelope) -> Result<Result<(), SendError>, Envelope> {
        let left = self.leave(envelope)?;
        Ok(left.map(|_| self.rings()))
    }

    /// The same, and the reader is not told: whoever leaves a message here is to see to it. True: no other waits before it, and
    /// the reader waits for nothing but a message.
    pub(super) fn leave(&self, envelope: Envelope) -> Result<Result<bool, SendError>, Envelope> {
        let mut envelope = Some(envelope);
        let taken = self.take(&mut envelope);
        match envelope {
            Some(back) if taken.is_ok() => Err(back),
            _ => Ok(taken),
        }
    }

    /// The reader has something else to do.
    pub(super) fn rests_no_more(&self) {
        self.inner().at_rest = false;
    }

    /// Tells the reader that something has come.
    pub(super) fn rings(&self) {
        Self::came(self.inner());
    }

    /// Takes what is offered, or says why not; leaves it, and says nothing, where it is for another cell.
    fn take(&self, offered: &mut Option<Envelope>) -> Result<bool, SendError> {
        let Some(envelope) = offered else { return Ok(false) };
        let actor = || self.actor.to_string();
        let size = envelope.message.size();
        if let Message::Call(request) | Message::Cast(request) = &envelope.message
            && request.body.len() > self.limits.message_bytes
        {
            let (bytes, max_bytes) = (request.body.len(), self.limits.message_bytes);
            return Err(SendError::TooLarge { actor: actor(), bytes, max_bytes });
        }
        let mut inner = self.inner();
        match &inner.gate {
            Gate::Open => {}
            Gate::Moved => return Ok(false),
            Gate::Held(hold) => return Err(SendError::Held { actor: actor(), hold: hold.clone() }),
            Gate::Elsewhere(owner) => return Err(not_here(&self.actor, owner)),
            Gate::Closed(why) => return Err(SendError::Unavailable { actor: actor(), why: why.clone() }),
            Gate::Down(why) => return Err(SendError::Down { actor: actor(), why: why.clone() }),
        }
        let (messages, bytes) = (inner.queue.len(), inner.bytes);
        let (max_messages, max_bytes) = (self.limits.mailbox_messages, self.limits.mailbox_bytes);
        if messages >= max_messages || bytes + size > max_bytes {
            return Err(SendError::MailboxFull { actor: actor(), messages, max_messages, bytes, max_bytes });
        }
        let within = Parent::within(envelope.trace.as_ref());
        envelope.waits = part!(within, "mailbox", baton.actor = %self.actor, baton.messages_before = number(messages));
        let at_rest = messages == 0 && inner.at_rest;
        envelope.at_once = at_rest;
        if let Some(envelope) = offered.take() {
            inner.append(envelope);
        }
        Ok(at_rest)
    }

    /// Takes nothing any more, if its reader sleeps, and it is empty and open.
    pub(super) fn move_out(&self) -> bool {
        let mut inner = self.inner();
        let may = inner.asleep && inner.queue.is_empty() && matches!(inner.gate, Gate::Open);
        if may {
            inner.gate = Gate::Moved;
        }
        may
    }

    /// The reader sleeps: it may be made to move out.
    pub(super) fn sleeps(&self) {
        self.inner().asleep = true;
    }

    /// The reader sleeps no more, and nobody makes it move out from now on. False: it has.
    pub(super) fn wakes(&self) -> bool {
        let mut inner = self.inner();
        inner.asleep = false;
        !matches!(inner.gate, Gate::Moved)
    }

    pub(super) fn has_moved(&self) -> bool {
        matches!(self.inner().gate, Gate::Moved)
    }

    /// Sleeps until a message is there, and leaves it where it is.
    pub(super) async fn stirs(&self) {
        poll_fn(|cx| {
            let mut inner = self.inner();
            inner.asleep = inner.queue.is_empty();
            if inner.asleep {
                inner.listen(cx);
                return Poll::Pending;
            }
            Poll::Ready(())
        })
        .await;
    }

    /// Takes word of another's end, however much waits: whoever watches has room for it set aside, by the bound on what it
    /// may watch. Dropped where nothing is taken at all.
    pub(crate) fn notice(&self, message: Message) {
        let mut inner = self.inner();
        if matches!(inner.gate, Gate::Open) {
            inner.append(Envelope::new(message, None));
            Self::came(inner);
        }
    }

    /// How many messages wait that tell of another's end.
    pub(crate) fn notices(&self) -> usize {
        self.inner().notices
    }

    /// The next message. There is one reader: the actor's loop. Nothing is lost if the future is dropped.
    pub(super) async fn next(&self) -> Envelope {
        poll_fn(|cx| self.poll_next(cx)).await
    }

    /// The same, looked for once; the reader rests until it has one, or says that it does not any more.
    pub(super) fn poll_next(&self, cx: &Context<'_>) -> Poll<Envelope> {
        let mut inner = self.inner();
        let Some(mut envelope) = inner.queue.pop_front() else {
            inner.at_rest = true;
            inner.listen(cx);
            return Poll::Pending;
        };
        inner.at_rest = false;
        envelope.waits = Begun::nothing();
        inner.bytes -= envelope.message.size();
        inner.notices -= usize::from(is_notice(&envelope.message));
        Poll::Ready(envelope)
    }

    /// Puts the inbox of a record before everything else. What an earlier instance was given of the same inbox and has
    /// not handled yet is taken out first: it is in `inbox` again. The bound does not apply: these were taken before.
    pub(super) fn restore(&self, inbox: Vec<Envelope>) {
        let mut inner = self.inner();
        inner.queue.retain(|envelope| envelope.restored.is_none());
        for envelope in inbox.into_iter().rev() {
            inner.queue.push_front(envelope);
        }
        inner.count();
        Self::came(inner);
    }

    /// Puts a message back that was in hand, before everything else. The bound does not apply: it was taken before.
    pub(super) fn put_back(&self, mut envelope: Envelope) {
        envelope.at_once = false;
        let mut inner = self.inner();
        inner.queue.push_front(envelope);
        inner.count();
        Self::came(inner);
    }

    /// What came with a record and was not handled yet: the next record has to hold it too.
    pub(super) fn restored(&self) -> Vec<Message> {
        let inner = self.inner();
        inner.queue.iter().filter(|e| e.restored.is_some()).map(|e| e.message.clone()).collect()
    }

    /// The same messages now stand in record `sequence`.
    pub(super) fn retag(&self, sequence: u64) {
        let mut inner = self.inner();
        for (place, envelope) in inner.queue.iter_mut().filter(|e| e.restored.is_some()).enumerate() {
            envelope.restored = Some((sequence, place));
        }
    }

    pub(crate) fn set_gate(&self, gate: Gate) {
        let mut inner = self.inner();
        // Who has moved out does not come back.
        if !matches!(inner.gate, Gate::Moved) {
            inner.gate = gate;
        }
    }

    /// Empties it. Calls are answered by `answer`; the rest is returned in order.
    pub(crate) fn drain(&self, answer: impl Fn(&ActorName) -> CallError) -> Vec<Envelope> {
        let queue = {
            let mut inner = self.inner();
            (inner.bytes, inner.notices) = (0, 0);
            std::mem::take(&mut inner.queue)
        };
        let mut rest = Vec::new();
        for mut envelope in queue {
            match envelope.reply.take() {
                // A caller that is gone does not miss its answer.
                Some(reply) => drop(reply.send(Err(answer(&self.actor)))),
                None => rest.push(envelope),
            }
        }
        rest
    }

    /// Answers the calls that wait, and leaves the rest where it is.
    pub(super) fn answer_calls(&self, answer: impl Fn(&ActorName) -> CallError) {
        let mut inner = self.inner();
        let (calls, rest) = std::mem::take(&mut inner.queue).into_iter().partition(|e: &Envelope| e.reply.is_some());
        inner.queue = rest;
        inner.count();
        drop(inner);
        let calls: VecDeque<Envelope> = calls;
        for reply in calls.into_iter().filter_map(|mut call| call.reply.take()) {
            drop(reply.send(Err(answer(&self.actor))));
        }
    }

    /// How many messages wait, and how many bytes.
    pub(crate) fn waiting(&self) -> (usize, usize) {
        let inner = self.inner();
        (inner.queue.len(), inner.bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{MessageId, Request};

    fn mailbox(limits: Limits) -> Mailbox {
        Mailbox::new(ActorName::new("a").expect("valid"), Arc::new(limits))
    }

    fn cast(body: &str) -> Envelope {
        let request = Request {
            id: MessageId::new(body).expect("valid"),
            sender: None,
            body: Body::copy_from_slice(body.as_bytes()),
            sent: None,
        };
        Envelope::new(Message::Cast(request), None)
    }

    fn next(mailbox: &Mailbox) -> Envelope {
        match mailbox.poll_next(&Context::from_waker(Waker::noop())) {
            Poll::Ready(envelope) => envelope,
            Poll::Pending => panic!("no message waits"),
        }
    }

    fn drained(mailbox: &Mailbox) -> Vec<String> {
        bodies(&mailbox.drain(unseen).into_iter().map(|e| e.open().message).collect::<Vec<_>>())
    }

    fn bodies(messages: &[Message]) -> Vec<String> {
        let body = |message: &Message| match message {
            Message::Cast(request) => String::from_utf8(request.body.to_vec()).expect("text"),
            other => panic!("{other:?}"),
        };
        messages.iter().map(body).collect()
    }

    fn unseen(actor: &ActorName) -> CallError {
        SendError::Unavailable { actor: actor.to_string(), why: "gone".into() }.into()
    }

    #[test]
    fn a_full_mailbox_refuses_and_keeps_what_it_has() {
        let mailbox = mailbox(Limits { mailbox_messages: 2, ..Limits::default() });
        mailbox.push(cast("1")).expect("room");
        mailbox.push(cast("2")).expect("room");
        let error = mailbox.push(cast("3")).expect_err("full");
        assert!(matches!(error, SendError::MailboxFull { messages: 2, max_messages: 2, .. }), "{error}");
        assert_eq!(drained(&mailbox), ["1", "2"]);
    }

    #[test]
    fn bytes_are_bounded_and_given_back() {
        let mailbox = mailbox(Limits { mailbox_bytes: 10, message_bytes: 6, ..Limits::default() });
        mailbox.push(cast("1234")).expect("8 bytes with its id");
        assert!(matches!(mailbox.push(cast("12")), Err(SendError::MailboxFull { bytes: 8, .. })));
        assert!(matches!(mailbox.push(cast("1234567")), Err(SendError::TooLarge { bytes: 7, max_bytes: 6, .. })));
        next(&mailbox);
        assert_eq!(mailbox.waiting(), (0, 0));
        mailbox.push(cast("12")).expect("room again");
    }

    #[test]
    fn word_of_an_end_is_taken_however_full_it_is_and_counts() {
        let mailbox = mailbox(Limits { mailbox_messages: 1, mailbox_bytes: 3, ..Limits::default() });
        let down = || Message::Down(ActorName::new("x").expect("valid"), "normal".into());
        mailbox.notice(down());
        mailbox.notice(Message::Other(EXIT.into(), Body::new()));
        assert!(matches!(mailbox.push(cast("1")), Err(SendError::MailboxFull { messages: 2, .. })));
        assert_eq!((mailbox.notices(), mailbox.waiting()), (2, (2, 11)));
        next(&mailbox);
        assert_eq!((mailbox.notices(), mailbox.waiting()), (1, (1, 4)));
        mailbox.restore(vec![Envelope::restored(down(), 1, 0)]);
        assert_eq!(mailbox.notices(), 2);
        mailbox.set_gate(Gate::Closed("stopping".into()));
        mailbox.notice(down());
        assert_eq!((mailbox.drain(unseen).len(), mailbox.notices()), (2, 0), "who stops is not told any more");
    }

    #[test]
    fn an_inbox_comes_first_and_never_twice() {
        let mailbox = mailbox(Limits { mailbox_messages: 3, ..Limits::default() });
        mailbox.push(cast("new")).expect("room");
        let inbox = || ["old 1", "old 2"].map(|b| cast(b).open().message).into_iter().enumerate();
        let inbox = || inbox().map(|(place, message)| Envelope::restored(message, 7, place)).collect::<Vec<_>>();
        mailbox.restore(inbox());
        // Old 1, handled by an instance that then crashes.
        next(&mailbox);
        mailbox.restore(inbox());
        assert_eq!(bodies(&mailbox.restored()), ["old 1", "old 2"]);
        mailbox.retag(8);
        assert_eq!(next(&mailbox).restored, Some((8, 0)));
        mailbox.put_back(cast("in hand"));
        assert_eq!(drained(&mailbox), ["in hand", "old 2", "new"]);
    }

    #[test]
    fn only_one_that_sleeps_and_has_nothing_moves_out() {
        let mailbox = mailbox(Limits::default());
        assert!(!mailbox.move_out(), "it is awake");
        mailbox.sleeps();
        mailbox.push(cast("1")).expect("room");
        assert!(!mailbox.move_out(), "something has come");
        next(&mailbox);
        assert!(mailbox.wakes() && !mailbox.move_out(), "it has woken since");
        mailbox.sleeps();
        assert!(mailbox.move_out() && !mailbox.wakes() && mailbox.has_moved());
    }

    #[tokio::test]
    async fn calls_that_wait_are_answered_when_the_rest_is_taken() {
        let mailbox = mailbox(Limits::default());
        let (reply, answer) = oneshot::channel();
        let mut call = cast("call");
        call.reply = Some(reply);
        mailbox.push(call).expect("room");
        mailbox.push(cast("cast")).expect("room");
        mailbox.set_gate(Gate::Closed("stopping".into()));
        assert!(matches!(mailbox.push(cast("late")), Err(SendError::Unavailable { .. })));
        assert_eq!(drained(&mailbox), ["cast"]);
        assert_eq!(answer.await.expect("answered").expect_err("refused").code(), "unavailable");
    }
}
