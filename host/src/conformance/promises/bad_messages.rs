//! No message makes it trap: `bad-messages`.

use std::sync::Arc;
use std::time::Instant;

use super::super::Ground;
use super::super::actor::{Actor, taken_over};
use super::super::dice::Dice;
use super::super::fault::Fault;
use super::super::known;
use super::super::play::exit;
use super::super::report::{Broken, Finding, Found};
use super::super::turn::said;
use super::request;
use crate::model::{Body, EXIT, Message, Origin};

/// A long message, in bytes.
const LONG: usize = 1 << 20;
/// Messages that are told, the last ones.
const TOLD: usize = 12;

pub(super) async fn look(ground: &Ground<'_>) -> Found {
    let args = ground.first_args()?;
    let mut dice = Dice::of(ground.options.seed, "bad-messages");
    let mut talk = Talk {
        ground,
        args: args.clone(),
        actor: Actor::begin(ground.stage, &args, None, 0).await?,
        heard: Vec::new(),
        count: 0,
    };
    for message in others() {
        talk.say(|_| message.clone()).await?;
    }
    for body in bodies(ground) {
        talk.both(&body).await?;
    }
    let until = ground.until(10);
    let real = ground.bodies();
    let mut rounds = 0;
    while !real.is_empty() && rounds < ground.options.rounds && Instant::now() < until {
        rounds += 1;
        let Some(body) = dice.pick(&real) else { break };
        let damaged = if dice.one_in(3) { body[..dice.below(body.len())].to_vec() } else { dice.damaged(body) };
        talk.both(&damaged).await?;
        // Between rubbish it has to go on as ever.
        if let Some(body) = dice.pick(&real) {
            talk.say(|actor| Message::Call(request(actor, body))).await?;
        }
    }
    talk.usable().await?;
    Ok(Finding::kept(format!("{} messages, and its state is usable after them", talk.count)))
}

/// Rubbish is said to one actor after the other.
struct Talk<'a> {
    ground: &'a Ground<'a>,
    args: Arc<[u8]>,
    actor: Actor<'a>,
    /// What this one has heard.
    heard: Vec<String>,
    count: usize,
}

impl Talk<'_> {
    async fn both(&mut self, body: &[u8]) -> Result<(), Broken> {
        self.say(|actor| Message::Call(request(actor, body))).await?;
        self.say(|actor| Message::Cast(request(actor, body))).await
    }

    async fn say(&mut self, message: impl Fn(&Actor<'_>) -> Message) -> Result<(), Broken> {
        if self.actor.stopped {
            self.actor = Actor::begin(self.ground.stage, &self.args, None, 0).await?;
            self.heard.clear();
        }
        let message = message(&self.actor);
        self.count += 1;
        match self.actor.say(&message).await {
            Ok(turn) => {
                self.heard.push(turn.line());
                Ok(())
            }
            Err(fault) => Err(self.trapped(&message, fault).await),
        }
    }

    /// Alone, if that is enough; else with what it had heard before.
    async fn trapped(&self, message: &Message, fault: Fault) -> Broken {
        let told = "a message may be answered with a failure, and never make it trap: everything that it had done since it was saved last is lost with it";
        if let Ok(mut alone) = Actor::begin(self.ground.stage, &self.args, None, 0).await
            && let Err(fault) = alone.say(message).await
        {
            return fault.breaks("told this").steps(vec![said(message)]).advice(told);
        }
        let from = self.heard.len().saturating_sub(TOLD);
        let steps = self.heard[from..].iter().cloned().chain([said(message)]).collect();
        fault.breaks("told the last of these").steps(steps).advice(told)
    }

    /// Its state can be taken over, and the heir goes on.
    async fn usable(&mut self) -> Result<(), Broken> {
        if self.actor.stopped {
            return Ok(());
        }
        let told = "after messages that were rubbish";
        let Some(state) = self.actor.snapshot().await.map_err(|fault| fault.breaks(told))? else { return Ok(()) };
        let taken = taken_over(self.ground.stage, &self.args, state, Origin::Switched).await;
        let taken = taken.and_then(|taken| taken.map_err(Fault::Refused));
        let advice =
            "a message that is refused may not leave half of what it asked for in the state: check first, then change";
        self.actor = taken.map_err(|fault| fault.breaks(&format!("given its own state {told}")).advice(advice))?;
        for body in self.ground.bodies() {
            self.say(|actor| Message::Call(request(actor, body))).await?;
        }
        Ok(())
    }
}

/// What is no call and no cast: of timers and actors that it never heard of, and of kinds that nobody has yet.
fn others() -> Vec<Message> {
    let stranger = known("a-stranger/1");
    let mut out: Vec<Message> =
        ["unknown", "ünknown \u{1f980}", &"x".repeat(255)].map(|name| Message::Timer(name.to_owned())).into();
    for reason in ["normal", "shutdown", "killed", "noproc", "crash: wasm trap: unreachable", ""] {
        out.push(Message::Down(stranger.clone(), reason.to_owned()));
    }
    for kind in ["a-kind-of-tomorrow", "", "down", EXIT] {
        for body in [&b""[..], b"{}", b"\xff\xfe", b"{\"actor\":1}", b"null"] {
            out.push(Message::Other(kind.to_owned(), Body::copy_from_slice(body)));
        }
    }
    out.push(Message::Other(EXIT.to_owned(), exit(&stranger, "crash: it fell")));
    out
}

fn bodies(ground: &Ground<'_>) -> Vec<Vec<u8>> {
    let mut dice = Dice::of(ground.options.seed, "bodies");
    let texts: [&[u8]; 22] = [
        b"",
        b" ",
        b"null",
        b"true",
        b"0",
        b"-1",
        b"18446744073709551616",
        b"-9223372036854775809",
        b"1e999",
        b"1.5",
        b"\"\"",
        b"\"\\ud800\"",
        b"[]",
        b"{}",
        b"{",
        b"{\"a\":",
        b"{\"a\":1}x",
        b"\xff\xfe\xfd",
        b"\xef\xbb\xbf{}",
        b"\"\xc3\x28\"",
        b"\0",
        b"{\"\":null}",
    ];
    let mut out: Vec<Vec<u8>> = texts.map(<[u8]>::to_vec).into();
    out.push(b"[".repeat(100_000));
    out.push([b"[".repeat(100_000), b"]".repeat(100_000)].concat());
    out.push(b"{\"a\":".repeat(50_000));
    out.push(b"9".repeat(5_000));
    out.push(vec![b'a'; LONG]);
    out.push([&b"\""[..], &vec![b'a'; LONG], b"\""].concat());
    out.extend([1, 7, 100, 10_000].map(|length| dice.bytes(length)));
    for body in ground.bodies() {
        // What is good but for its numbers is the likeliest to go far.
        if let Ok(text) = std::str::from_utf8(body) {
            for number in ["18446744073709551615", "-1", "1e308", "0.5"] {
                out.extend(with_number(text, number));
            }
        }
        out.extend([body.len() / 2, body.len().saturating_sub(1)].map(|kept| body[..kept].to_vec()));
    }
    out
}

/// The message with its first number replaced.
fn with_number(text: &str, number: &str) -> Option<Vec<u8>> {
    let from = text.find(|c: char| c.is_ascii_digit())?;
    let to = text[from..].find(|c: char| !c.is_ascii_digit()).map_or(text.len(), |length| from + length);
    Some(format!("{}{number}{}", &text[..from], &text[to..]).into_bytes())
}
