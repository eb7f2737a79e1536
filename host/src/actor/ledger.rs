//! What an actor remembers of its dealings with others: what it has sent and nobody has confirmed yet, what it has replied,
//! up to where it has heard each durable sender, and whom it watches. Decisions only: `outbox` carries messages, and
//! `saving` commits what stands here.

use std::collections::{BTreeSet, HashMap, VecDeque};

use crate::model::{ActorName, Body, Failure, LimitMet, Limits, Message, MessageId, Request, Sent};
use crate::sandbox::Out;
use crate::store::{Answered, Outgoing, Received, Traffic};

/// Durable senders that an actor remembers; the one that was silent for longest makes room.
const SENDERS: usize = 10_000;
/// Bits of a message's number below the epoch: so many messages can one instance send.
const NUMBER_BITS: u32 = 40;

/// See the module.
#[derive(Debug, Clone, Default)]
pub(super) struct Ledger {
    /// What this actor's messages are numbered with: its head's line, and one more than the last number.
    next: Sent,
    outbox: VecDeque<Outgoing>,
    outbox_bytes: usize,
    /// Whether replies are remembered: with `durability = "turn"`.
    remembers: bool,
    answered: VecDeque<Answered>,
    answered_bytes: usize,
    received: HashMap<ActorName, Received>,
    monitors: BTreeSet<ActorName>,
}

/// What is known of a message that has just come.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Seen {
    /// It is new.
    Never,
    /// It was handled, and this was the reply.
    Answered(Result<Body, Failure>),
}

impl Ledger {
    /// What a record says. `remembers`: whether replies are kept from now on.
    pub(super) fn open(traffic: Traffic, (line, epoch): (u64, u64), remembers: bool) -> Self {
        let Traffic { outbox, monitors, answered, received } = traffic;
        let mut ledger = Self {
            next: Sent { line, number: epoch << NUMBER_BITS },
            outbox_bytes: outbox.iter().map(weight).sum(),
            outbox: outbox.into(),
            remembers,
            answered_bytes: 0,
            answered: VecDeque::new(),
            received: received.into_iter().map(|from| (from.sender.clone(), from)).collect(),
            monitors: monitors.into_iter().collect(),
        };
        if remembers {
            ledger.answered_bytes = answered.iter().map(Answered::size).sum();
            ledger.answered = answered.into();
        }
        ledger
    }

    /// The same, as a record keeps it, without what `confirmed` says has arrived.
    pub(super) fn traffic(&self, confirmed: impl Fn(&Sent) -> bool) -> Traffic {
        let mut received: Vec<Received> = self.received.values().cloned().collect();
        received.sort_by(|one, other| one.sender.cmp(&other.sender));
        Traffic {
            outbox: self.outbox.iter().filter(|out| !confirmed(&out.sent)).cloned().collect(),
            monitors: self.monitors.iter().cloned().collect(),
            answered: self.answered.iter().cloned().collect(),
            received,
        }
    }

    /// What is known of `message`. `now_ms` is asked only where it counts.
    pub(super) fn seen(&self, message: &Message, now_ms: impl Fn() -> u64, limits: &Limits) -> Seen {
        let (Message::Call(request) | Message::Cast(request)) = message else { return Seen::Never };
        if self.heard(request) {
            return Seen::Answered(Ok(Body::new()));
        }
        let same = |one: &&Answered| one.id == request.id && one.sender == request.sender;
        let known = self.answered.iter().rev().find(same);
        let known = known.filter(|one| now_ms().saturating_sub(one.time_ms) <= limits.replies_ms);
        known.map_or(Seen::Never, |one| Seen::Answered(one.reply.clone()))
    }

    /// Whether a durable sender's message was handled before.
    fn heard(&self, request: &Request) -> bool {
        let (Some(sender), Some(sent)) = (&request.sender, request.sent) else { return false };
        self.received.get(sender).is_some_and(|from| from.last.line == sent.line && sent.number <= from.last.number)
    }

    /// Notes that `message` was handled, with what was replied. `now_ms` is asked only where it counts.
    pub(super) fn handled(
        &mut self,
        message: &Message,
        reply: Result<&[u8], &Failure>,
        now_ms: impl Fn() -> u64,
        limits: &Limits,
    ) {
        match message {
            Message::Call(request) | Message::Cast(request) => match (&request.sender, request.sent) {
                (Some(sender), Some(sent)) => self.hear(sender, sent, now_ms()),
                _ if self.remembers => {
                    let expects_reply = matches!(message, Message::Call(_));
                    let reply = match reply {
                        _ if !expects_reply => Ok(Body::new()),
                        Ok(body) => Ok(Body::copy_from_slice(body)),
                        Err(failure) => Err(failure.clone()),
                    };
                    self.answer(request, reply, now_ms(), limits);
                }
                _ => {}
            },
            Message::Down(actor, _) => drop(self.monitors.remove(actor)),
            Message::Timer(_) | Message::Other(..) => {}
        }
    }

    fn hear(&mut self, sender: &ActorName, last: Sent, time_ms: u64) {
        if self.received.len() >= SENDERS && !self.received.contains_key(sender) {
            let silent = self.received.values().min_by_key(|from| from.time_ms).map(|from| from.sender.clone());
            silent.and_then(|silent| self.received.remove(&silent));
        }
        self.received.insert(sender.clone(), Received { sender: sender.clone(), last, time_ms });
    }

    fn answer(&mut self, request: &Request, reply: Result<Body, Failure>, now_ms: u64, limits: &Limits) {
        let answered = Answered { sender: request.sender.clone(), id: request.id.clone(), time_ms: now_ms, reply };
        self.answered_bytes += answered.size();
        self.answered.push_back(answered);
        while let Some(oldest) = self.answered.front() {
            let old = now_ms.saturating_sub(oldest.time_ms) > limits.replies_ms;
            let many = self.answered.len() > limits.replies || self.answered_bytes > limits.replies_bytes;
            if !(old || many && self.answered.len() > 1) {
                break;
            }
            self.answered_bytes -= oldest.size();
            self.answered.pop_front();
        }
    }

    /// Takes what a turn sends out of `outs` into the outbox, and notes whom it watches. What is left acts at once. A group's
    /// members are those that `members` names.
    ///
    /// # Errors
    /// Names the limit that the outbox would exceed.
    pub(super) fn take(
        &mut self,
        outs: Vec<Out>,
        members: impl Fn(&crate::model::GroupName) -> Vec<ActorName>,
        limits: &Limits,
    ) -> Result<Vec<Out>, String> {
        let mut rest = Vec::new();
        for out in outs {
            match out {
                Out::Send { to, id, body } => self.put(to, id, body),
                Out::Dispatch { group, id, body } => {
                    for member in members(&group) {
                        let id = id.for_member(&member);
                        self.put(member, id, body.clone());
                    }
                }
                Out::Monitor(actor) => {
                    self.monitors.insert(actor.clone());
                    rest.push(Out::Monitor(actor));
                }
                Out::Demonitor(actor) => {
                    self.monitors.remove(&actor);
                    rest.push(Out::Demonitor(actor));
                }
                other => rest.push(other),
            }
        }
        let (messages, bytes) = (self.outbox.len(), self.outbox_bytes);
        if messages > limits.outbox_messages {
            let met = LimitMet::new("outbox_messages", limits.outbox_messages);
            return Err(format!("{messages} messages wait to be confirmed, {}: {met}", self.slowest()));
        }
        if bytes > limits.outbox_bytes {
            let met = LimitMet::new("outbox_bytes", limits.outbox_bytes);
            return Err(format!("{bytes} bytes wait to be confirmed, {}: {met}", self.slowest()));
        }
        Ok(rest)
    }

    /// For whom most of the outbox waits, in words.
    fn slowest(&self) -> String {
        let mut waiting: HashMap<&ActorName, usize> = HashMap::new();
        for out in &self.outbox {
            *waiting.entry(&out.to).or_default() += 1;
        }
        // Of those that are even, the first by name: the same each time.
        let most = waiting.into_iter().max_by(|one, other| one.1.cmp(&other.1).then_with(|| other.0.cmp(one.0)));
        most.map_or_else(String::new, |(to, count)| format!("{count} of them by `{to}`"))
    }

    fn put(&mut self, to: ActorName, id: MessageId, body: Body) {
        let sent = self.next;
        self.next.number += 1;
        let out = Outgoing { sent, to, id, body };
        self.outbox_bytes += weight(&out);
        self.outbox.push_back(out);
    }

    /// Forgets what `confirmed` says has arrived, once no record names it any more.
    pub(super) fn trim(&mut self, confirmed: impl Fn(&Sent) -> bool) {
        self.outbox.retain(|out| !confirmed(&out.sent));
        self.outbox_bytes = self.outbox.iter().map(weight).sum();
    }

    /// What was sent and is not known to have arrived, in order.
    pub(super) fn outbox(&self) -> impl Iterator<Item = &Outgoing> {
        self.outbox.iter()
    }

    /// It is not to watch `actor` any more: word of that one's end has crashed it.
    pub(super) fn unwatch(&mut self, actor: &ActorName) {
        self.monitors.remove(actor);
    }

    /// Whom the actor watches.
    pub(super) fn monitors(&self) -> impl Iterator<Item = &ActorName> {
        self.monitors.iter()
    }
}

/// What a message in the outbox counts there, in bytes.
fn weight(out: &Outgoing) -> usize {
    out.body.len() + out.id.as_str().len() + out.to.as_str().len()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> ActorName {
        ActorName::new(text).expect("valid")
    }

    fn request(sender: Option<&str>, id: &str, sent: Option<u64>) -> Request {
        Request {
            id: MessageId::new(id).expect("valid"),
            sender: sender.map(name),
            body: Body::new(),
            sent: sent.map(|number| Sent { line: 7, number }),
        }
    }

    fn ledger() -> Ledger {
        Ledger::open(Traffic::default(), (7, 3), true)
    }

    fn answered(text: &'static str) -> Seen {
        Seen::Answered(Ok(Body::from_static(text.as_bytes())))
    }

    #[test]
    fn who_asks_again_gets_the_first_reply() {
        let (mut ledger, limits) = (ledger(), Limits::default());
        let call = |sender, id| Message::Call(request(sender, id, None));
        assert_eq!(ledger.seen(&call(None, "1"), || 5, &limits), Seen::Never);
        ledger.handled(&call(None, "1"), Ok(b"first"), || 5, &limits);
        let failure = Failure { code: "no".into(), message: "not so".into() };
        ledger.handled(&call(Some("b"), "1"), Err(&failure), || 5, &limits);
        ledger.handled(&Message::Cast(request(None, "2", None)), Ok(b"dropped"), || 5, &limits);

        assert_eq!(ledger.seen(&call(None, "1"), || 6, &limits), answered("first"));
        assert_eq!(ledger.seen(&call(Some("b"), "1"), || 6, &limits), Seen::Answered(Err(failure)), "by its sender");
        assert_eq!(ledger.seen(&call(None, "2"), || 6, &limits), answered(""), "a cast has no reply");
        assert_eq!(ledger.seen(&call(Some("c"), "1"), || 6, &limits), Seen::Never);
        assert_eq!(ledger.seen(&call(None, "1"), || 5 + limits.replies_ms + 1, &limits), Seen::Never, "too long ago");

        let again = Ledger::open(ledger.traffic(|_| false), (7, 4), true);
        assert_eq!(again.seen(&call(None, "1"), || 6, &limits), answered("first"), "after a handover too");
    }

    #[test]
    fn replies_are_bounded_in_number_bytes_and_time() {
        let kept = |limits: &Limits, times: &[u64]| {
            let mut ledger = ledger();
            for (n, time) in times.iter().enumerate() {
                let call = Message::Call(request(None, &n.to_string(), None));
                ledger.handled(&call, Ok(&[0; 100]), || *time, limits);
            }
            let ids: Vec<String> = ledger.answered.iter().map(|one| one.id.to_string()).collect();
            assert_eq!(ledger.answered_bytes, ledger.answered.iter().map(Answered::size).sum::<usize>());
            ids.join(" ")
        };
        let limits = Limits { replies: 2, replies_bytes: 1_000, replies_ms: 10, ..Limits::default() };
        assert_eq!(kept(&limits, &[1, 1, 1]), "1 2");
        assert_eq!(kept(&limits, &[1, 12]), "1");
        assert_eq!(kept(&Limits { replies_bytes: 120, ..limits }, &[1, 1]), "1", "one always stays");
    }

    #[test]
    fn what_a_durable_sender_sends_again_is_known() {
        let (mut ledger, limits) = (ledger(), Limits::default());
        let cast = |sender, number| Message::Cast(request(Some(sender), "x", Some(number)));
        ledger.handled(&cast("a", 5), Ok(b""), || 1, &limits);
        for (message, seen) in [
            (cast("a", 5), answered("")),
            (cast("a", 4), answered("")),
            (cast("a", 6), Seen::Never),
            (cast("b", 5), Seen::Never),
        ] {
            assert_eq!(ledger.seen(&message, || 2, &limits), seen, "{message:?}");
        }
        // A sender whose state was lost begins anew, on another line.
        let anew = Request { sent: Some(Sent { line: 8, number: 1 }), ..request(Some("a"), "x", None) };
        assert_eq!(ledger.seen(&Message::Cast(anew), || 2, &limits), Seen::Never);
        let again = Ledger::open(ledger.traffic(|_| false), (7, 4), false);
        assert_eq!(again.seen(&cast("a", 5), || 3, &limits), answered(""), "whatever the durability");
    }

    #[test]
    fn senders_are_bounded_and_the_silent_one_goes() {
        let (mut ledger, limits) = (ledger(), Limits::default());
        for n in 0..=SENDERS {
            let message = Message::Cast(request(Some(&format!("a{n}")), "x", Some(1)));
            ledger.handled(&message, Ok(b""), || n as u64, &limits);
        }
        assert_eq!(ledger.received.len(), SENDERS);
        assert!(!ledger.received.contains_key(&name("a0")) && ledger.received.contains_key(&name("a1")));
    }

    #[test]
    fn numbers_rise_over_instances_and_what_arrived_is_forgotten() {
        let (mut ledger, limits) = (ledger(), Limits::default());
        let send = |to: &str| Out::Send { to: name(to), id: MessageId::new("m").expect("valid"), body: Body::new() };
        let group = crate::model::GroupName::new("g").expect("valid");
        let dispatch = Out::Dispatch { group, id: MessageId::new("d").expect("valid"), body: Body::new() };
        let outs = vec![send("b"), Out::Monitor(name("w")), dispatch, Out::Unlink(name("u"))];
        let rest = ledger.take(outs, |_| vec![name("c"), name("d")], &limits).expect("fits");
        assert_eq!(rest, [Out::Monitor(name("w")), Out::Unlink(name("u"))]);
        let told = |ledger: &Ledger| -> Vec<(String, String, u64)> {
            let one = |out: &Outgoing| (out.to.to_string(), out.id.to_string(), out.sent.number);
            ledger.outbox().map(one).collect()
        };
        let first = 3 << NUMBER_BITS;
        let all = [
            ("b".to_owned(), "m".to_owned(), first),
            ("c".to_owned(), "d@c".to_owned(), first + 1),
            ("d".to_owned(), "d@d".to_owned(), first + 2),
        ];
        assert_eq!(told(&ledger), all);
        let arrived = |sent: &Sent| sent.number == first;
        let traffic = ledger.traffic(arrived);
        assert_eq!((traffic.outbox.len(), &traffic.monitors[..]), (2, &[name("w")][..]));
        ledger.trim(arrived);
        assert_eq!(told(&ledger), all[1..]);
        let mut next = Ledger::open(traffic, (7, 4), true);
        next.take(vec![send("b")], |_| vec![], &limits).expect("fits");
        assert_eq!(told(&next)[2].2, 4 << NUMBER_BITS);
        next.handled(&Message::Down(name("w"), "normal".into()), Ok(b""), || 1, &limits);
        assert_eq!(next.monitors().count(), 0, "it was told");
    }

    #[test]
    fn an_outbox_is_bounded() {
        let send = || Out::Send {
            to: name("b"),
            id: MessageId::new("m").expect("valid"),
            body: Body::from_static(b"12345678"),
        };
        let limits = Limits { outbox_messages: 2, outbox_bytes: 25, ..Limits::default() };
        let mut one = ledger();
        one.take(vec![send(), send()], |_| vec![], &limits).expect("fits");
        assert!(
            one.take(vec![send()], |_| vec![], &limits)
                .expect_err("one more")
                .contains("of them by `b`: limit outbox_messages = 2")
        );
        let limits = Limits { outbox_messages: 9, ..limits };
        assert!(
            ledger()
                .take(vec![send(), send(), send()], |_| vec![], &limits)
                .expect_err("bytes")
                .contains("outbox_bytes")
        );
    }
}
