//! A bank whose host is killed at any moment, again and again: each transfer is applied once, and who asks again gets the
//! first reply.

mod swapped;
mod tellers;

use std::path::Path;
use std::time::{Duration, Instant};

use baton_host::MessageId;
use rustix::process::Signal;
use serde_json::{Value, json};

use self::tellers::{Asked, Connection, Flows, Teller, work};
use crate::harness::{Dice, guest};
use crate::process_handoff::{HostProcess, rounds};

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
/// Accounts are put to sleep whenever they have nothing to do.
const SLEEPY: &str = "[passivation]\npassivate_after_ms = 1\nleast_resident_ms = 0\n";

fn place(backend: &str, more: &str) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let mut config = format!(
        "data_dir = \"data\"\ninstances = 50\n[store]\nbackend = \"{backend}\"\n{more}[[plugin]]\npath = \"{}\"\ndurability = \"turn\"\n\
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

mod on_sled {
    #[test]
    fn a_bank_whose_host_is_killed_at_any_moment_applies_each_transfer_once() {
        super::killed_at_any_moment("sled", "");
    }

    #[test]
    fn a_bank_whose_accounts_sleep_and_whose_host_is_killed_applies_each_transfer_once() {
        super::killed_at_any_moment("sled", super::SLEEPY);
    }
}

mod on_redb {
    #[test]
    fn a_bank_whose_host_is_killed_at_any_moment_applies_each_transfer_once() {
        super::killed_at_any_moment("redb", "");
    }
}

fn killed_at_any_moment(backend: &str, more: &str) {
    let (dir, rounds) = (place(backend, more), rounds(ROUNDS));
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
