//! A bank whose host is killed at any moment, again and again: each transfer is applied once, and who asks again gets the
//! first reply.

use std::io::{BufReader, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::{Duration, Instant};

use baton_host::MessageId;
use rustix::process::Signal;
use serde_json::{Value, json};

use crate::harness::{Dice, guest};
use crate::process_handoff::{HostProcess, read_response, rounds};

const ACCOUNTS: usize = 5;
/// Those who ask for transfers, side by side.
const TELLERS: usize = 4;
/// What each account begins with, in cents.
const DEPOSIT: u64 = 3_000;
/// Rounds of a run; `BATON_ROUNDS` says how many for a longer one.
const ROUNDS: usize = 60;
/// Each so many rounds the host is left in peace until nothing is under way.
const QUIET: usize = 10;
/// How often the standing order pays in each round, on average, and how long it waits between two payments.
const ORDERS: usize = 3;
const EVERY_MS: u64 = 10;

/// One message to an account, with an id of its own.
#[derive(Debug, Clone, PartialEq)]
struct Asked {
    id: String,
    account: usize,
    body: String,
    /// Whom it pays, and how much; none: it is no transfer.
    pays: Option<(usize, u64)>,
}

/// What came back: the status and the body.
type Answer = (u16, String);

/// The host was not there, or went away in the middle.
#[derive(Debug)]
struct Lost;

/// One connection to a host.
struct Connection(BufReader<UnixStream>);

impl Connection {
    fn new(dir: &Path) -> Result<Self, Lost> {
        let stream = UnixStream::connect(dir.join("data/baton.sock")).map_err(|_| Lost)?;
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        Ok(Self(BufReader::new(stream)))
    }

    fn ask(&mut self, asked: &Asked) -> Result<Answer, Lost> {
        let Asked { id, account, body, .. } = asked;
        let request = format!(
            "POST /v1/actors/account%2F{account}/call HTTP/1.1\r\nhost: baton\r\ncontent-type: application/json\r\n\
             idempotency-key: {id}\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        );
        self.0.get_mut().write_all(request.as_bytes()).map_err(|_| Lost)?;
        let (status, closes, body) = read_response(&mut self.0).ok_or(Lost)?;
        match (status, closes) {
            (200 | 422, false) => Ok((status, body)),
            _ => panic!("{asked:?}: {status}: {body}"),
        }
    }
}

/// What a teller knows of an account.
#[derive(Debug, Default, Clone, Copy, PartialEq)]
struct Flows {
    sent: (u64, u64),
    received: (u64, u64),
}

/// Who asks for transfers, one after the other, and for each of them until it has an answer.
struct Teller {
    number: usize,
    rng: Dice,
    asked: u64,
    /// What has no answer yet.
    pending: Option<Asked>,
    /// What was answered last.
    last: Option<(Asked, Answer)>,
    flows: [Flows; ACCOUNTS],
    /// Answers to what was asked again: after the first answer was lost, and after it was seen.
    retried: u64,
    repeated: u64,
}

impl Teller {
    fn new(number: usize, seeds: &mut Dice) -> Self {
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

fn place(backend: &str) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let mut config = format!(
        "data_dir = \"data\"\ninstances = 50\n[store]\nbackend = \"{backend}\"\n[[plugin]]\npath = \"{}\"\ndurability = \"turn\"\n\
         [plugin.grants]\ncall = [\"account/*\"]\n",
        guest("bank").display()
    );
    for n in 0..ACCOUNTS {
        config.push_str(&format!("[[actor]]\nname = \"account/{n}\"\nplugin = \"bank\"\n"));
    }
    std::fs::write(dir.path().join("baton.toml"), config).unwrap();
    dir
}

/// Opens the accounts, and gives one of them a standing order for another.
fn open(dir: &Path, orders: usize) {
    let mut connection = Connection::new(dir).unwrap();
    let mut say = |account: usize, id: &str, body: Value| {
        let asked = Asked { id: id.to_owned(), account, body: body.to_string(), pays: None };
        assert_eq!(connection.ask(&asked).unwrap().0, 200, "{asked:?}");
    };
    for account in 0..ACCOUNTS {
        say(account, "open", json!("open"));
        say(account, "deposit", json!({"deposit": {"cents": DEPOSIT}}));
    }
    let order = json!({"name": "rent", "to": "account/1", "cents": 1, "every_ms": EVERY_MS, "times": orders});
    say(0, "order", json!({"standing-order": order}));
}

fn statements(dir: &Path) -> Vec<Value> {
    let mut connection = Connection::new(dir).unwrap();
    let ask = |account| Asked {
        id: MessageId::random().to_string(),
        account,
        body: json!("balance").to_string(),
        pays: None,
    };
    (0..ACCOUNTS).map(|n| serde_json::from_str(&connection.ask(&ask(n)).unwrap().1).unwrap()).collect()
}

fn flow(statement: &Value, of: &str) -> (u64, u64) {
    (statement[of]["count"].as_u64().unwrap(), statement[of]["cents"].as_u64().unwrap())
}

/// Waits until what was sent has been received, and the standing order has paid to its end where `all`; then each transfer
/// that was answered must have been applied once, and no other.
fn adds_up(dir: &Path, tellers: &[Teller], orders: u64, all: bool) {
    let limit = Instant::now() + Duration::from_secs(30);
    let (statements, paid) = loop {
        let statements = statements(dir);
        let sum = |of: &str| statements.iter().map(|told| flow(told, of).0).sum::<u64>();
        let left = statements[0]["orders"]["rent"]["times"].as_u64().unwrap_or(0);
        if sum("sent") == sum("received") && (left == 0 || !all) {
            break (statements, orders - left);
        }
        assert!(Instant::now() < limit, "credits do not arrive: {statements:?}");
        std::thread::sleep(Duration::from_millis(2));
    };
    let mut balances = 0;
    for (account, told) in statements.iter().enumerate() {
        let mut expected = Flows::default();
        for flows in tellers.iter().map(|teller| teller.flows[account]) {
            for (sum, one) in [(&mut expected.sent, flows.sent), (&mut expected.received, flows.received)] {
                *sum = (sum.0 + one.0, sum.1 + one.1);
            }
        }
        match account {
            0 => expected.sent = (expected.sent.0 + paid, expected.sent.1 + paid),
            1 => expected.received = (expected.received.0 + paid, expected.received.1 + paid),
            _ => {}
        }
        assert_eq!(Flows { sent: flow(told, "sent"), received: flow(told, "received") }, expected, "account/{account}");
        balances += told["balance_cents"].as_u64().unwrap();
    }
    assert_eq!(balances, DEPOSIT * ACCOUNTS as u64);
}

/// All tellers at work side by side, and meanwhile `end`.
fn work(dir: &Path, tellers: &mut [Teller], most: usize, end: impl FnOnce()) {
    std::thread::scope(|scope| {
        for teller in tellers {
            scope.spawn(move || teller.work(dir, most));
        }
        end();
    });
}

mod on_sled {
    #[test]
    fn a_bank_whose_host_is_killed_at_any_moment_applies_each_transfer_once() {
        super::killed_at_any_moment("sled");
    }
}

mod on_redb {
    #[test]
    fn a_bank_whose_host_is_killed_at_any_moment_applies_each_transfer_once() {
        super::killed_at_any_moment("redb");
    }
}

fn killed_at_any_moment(backend: &str) {
    let (dir, rounds) = (place(backend), rounds(ROUNDS));
    let mut rng = Dice::new();
    let mut tellers: Vec<Teller> = (0..TELLERS).map(|n| Teller::new(n, &mut rng)).collect();
    let orders = rounds * ORDERS;
    let host = HostProcess::spawn(dir.path()).ready();
    open(dir.path(), orders);
    host.signal(Signal::KILL);
    assert_eq!(host.end(), None);
    let mut kills = 1;
    for round in 0..rounds {
        let host = HostProcess::spawn(dir.path());
        let wait = Duration::from_micros(rng.below(100_000) as u64);
        match (round % QUIET, round % 4) {
            (0, _) => {
                let host = host.ready();
                work(dir.path(), &mut tellers, 5, || {});
                assert!(tellers.iter().all(|teller| teller.pending.is_none()), "round {round}");
                adds_up(dir.path(), &tellers, orders as u64, false);
                host.signal(if round % 20 == 0 { Signal::KILL } else { Signal::TERM });
                kills += usize::from(host.end().is_none());
            }
            (_, phase) => {
                // One in four on its way up.
                let host = if phase == 0 { host } else { host.ready() };
                work(dir.path(), &mut tellers, usize::MAX, || {
                    std::thread::sleep(wait);
                    host.signal(Signal::KILL);
                });
                assert_eq!(host.end(), None);
                kills += 1;
            }
        }
    }
    let host = HostProcess::spawn(dir.path()).ready();
    work(dir.path(), &mut tellers, 1, || {});
    adds_up(dir.path(), &tellers, orders as u64, true);
    let sum = |of: fn(&Teller) -> u64| tellers.iter().map(of).sum::<u64>();
    println!(
        "{kills} kills on {backend}; {} asked, {} asked again after a kill, {} asked again though answered",
        sum(|teller| teller.asked),
        sum(|teller| teller.retried),
        sum(|teller| teller.repeated)
    );
    host.signal(Signal::TERM);
    assert_eq!(host.end(), Some(0));
}
