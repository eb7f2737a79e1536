//! Who asks for transfers: each knows what it was answered, and asks for what was not until it is.

use std::io::{BufReader, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use serde_json::json;

use super::ACCOUNTS;
use crate::harness::Dice;
use crate::process_handoff::read_response;

/// One message to an account, with an id of its own.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Asked {
    pub(super) id: String,
    pub(super) account: usize,
    pub(super) body: String,
    /// Whom it pays, and how much; none: it is no transfer.
    pub(super) pays: Option<(usize, u64)>,
}

/// What came back: the status and the body.
pub(super) type Answer = (u16, String);

/// The host was not there, or went away in the middle.
#[derive(Debug)]
pub(super) struct Lost;

/// One connection to a host.
pub(super) struct Connection(BufReader<UnixStream>);

impl Connection {
    pub(super) fn new(dir: &Path) -> Result<Self, Lost> {
        let stream = UnixStream::connect(dir.join("data/baton.sock")).map_err(|_| Lost)?;
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        Ok(Self(BufReader::new(stream)))
    }

    pub(super) fn send(&mut self, what: &str, headers: &str, body: &[u8]) -> Result<(), Lost> {
        let head = format!("{what} HTTP/1.1\r\nhost: baton\r\n{headers}content-length: {}\r\n\r\n", body.len());
        let request = [head.as_bytes(), body].concat();
        self.0.get_mut().write_all(&request).map_err(|_| Lost)
    }

    /// Status, whether the connection closes, and body.
    pub(super) fn answer(&mut self) -> Result<(u16, bool, String), Lost> {
        read_response(&mut self.0).ok_or(Lost)
    }

    pub(super) fn ask(&mut self, asked: &Asked) -> Result<Answer, Lost> {
        let Asked { id, account, body, .. } = asked;
        let to = format!("POST /v1/actors/account%2F{account}/call");
        self.send(&to, &format!("content-type: application/json\r\nidempotency-key: {id}\r\n"), body.as_bytes())?;
        let (status, closes, body) = self.answer()?;
        match (status, closes) {
            (200 | 422, false) => Ok((status, body)),
            _ => panic!("{asked:?}: {status}: {body}"),
        }
    }
}

/// What a teller knows of an account.
#[derive(Debug, Default, Clone, Copy, PartialEq)]
pub(super) struct Flows {
    pub(super) sent: (u64, u64),
    pub(super) received: (u64, u64),
}

/// Who asks for transfers, one after the other, and for each of them until it has an answer.
pub(super) struct Teller {
    number: usize,
    rng: Dice,
    pub(super) asked: u64,
    /// What has no answer yet.
    pub(super) pending: Option<Asked>,
    /// What was answered last.
    last: Option<(Asked, Answer)>,
    pub(super) flows: [Flows; ACCOUNTS],
    /// Answers to what was asked again: after the first answer was lost, and after it was seen.
    pub(super) retried: u64,
    pub(super) repeated: u64,
}

impl Teller {
    pub(super) fn new(number: usize, seeds: &mut Dice) -> Self {
        let rng = Dice::with_seed(seeds.below(usize::MAX) as u64);
        let flows = [Flows::default(); ACCOUNTS];
        Self { number, rng, asked: 0, pending: None, last: None, flows, retried: 0, repeated: 0 }
    }

    /// Works until the host is gone, or until `most` have been answered and nothing is pending.
    fn work(&mut self, dir: &Path, most: usize) {
        let Ok(mut connection) = Connection::new(dir) else { return };
        let mut answered = 0;
        while answered < most || self.pending.is_some() {
            match self.one(&mut connection) {
                Ok(()) => answered += 1,
                Err(Lost) => return,
            }
        }
    }

    fn one(&mut self, connection: &mut Connection) -> Result<(), Lost> {
        if let Some((asked, first)) = self.last.clone()
            && self.rng.below(4) == 0
        {
            let again = connection.ask(&asked)?;
            assert_eq!(again, first, "{asked:?}: another answer than the first one");
            self.repeated += 1;
            self.last = None;
        }
        let is_retry = self.pending.is_some();
        let asked = match self.pending.take() {
            Some(asked) => asked,
            None => self.next(),
        };
        self.pending = Some(asked.clone());
        let answer = connection.ask(&asked)?;
        self.pending = None;
        self.retried += u64::from(is_retry);
        if let (200, Some((to, cents))) = (answer.0, asked.pays) {
            for (count, sum) in [&mut self.flows[asked.account].sent, &mut self.flows[to].received] {
                (*count, *sum) = (*count + 1, *sum + cents);
            }
        }
        assert!(answer.0 == 200 || answer.1.contains("overdraft"), "{asked:?}: {answer:?}");
        self.last = Some((asked, answer));
        Ok(())
    }

    fn next(&mut self) -> Asked {
        self.asked += 1;
        let (from, cents) = (self.rng.below(ACCOUNTS), 1 + self.rng.below(1_500) as u64);
        let to = (from + 1 + self.rng.below(ACCOUNTS - 1)) % ACCOUNTS;
        let body = json!({"transfer": {"to": format!("account/{to}"), "cents": cents}}).to_string();
        Asked { id: format!("{}-{}", self.number, self.asked), account: from, body, pays: Some((to, cents)) }
    }
}

/// All tellers at work side by side, and meanwhile `end`.
pub(super) fn work(dir: &Path, tellers: &mut [Teller], most: usize, end: impl FnOnce()) {
    std::thread::scope(|scope| {
        for teller in tellers {
            scope.spawn(move || teller.work(dir, most));
        }
        end();
    });
}
