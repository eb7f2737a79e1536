//! The plugin `bank` on a real host: transfers between actors, and standing orders that outlive the host.

use std::path::Path;
use std::time::{Duration, Instant};

use baton_host::{CallOptions, Host};
use serde_json::{Value, json};

use crate::harness::{actor, guest, host, name, until};

const ACCOUNTS: usize = 4;

async fn bank(dir: &Path) -> Host {
    let accounts = (0..ACCOUNTS).map(|n| actor(&account(n), "bank"));
    let builder = host().data_dir(dir).plugin_file(guest("bank"));
    accounts.fold(builder, |builder, account| builder.actor(account)).build().await.unwrap()
}

fn account(n: usize) -> String {
    format!("account/{n}")
}

async fn ask(host: &Host, n: usize, message: Value) -> Result<Value, String> {
    let reply = host.call(&name(&account(n)), message.to_string(), CallOptions::default()).await;
    reply.map(|reply| serde_json::from_slice(&reply).unwrap()).map_err(|error| error.to_string())
}

/// Sums over all accounts: balances, deposits, sent, received.
async fn sums(host: &Host) -> [u64; 4] {
    let mut sums = [0; 4];
    for n in 0..ACCOUNTS {
        let told = ask(host, n, json!("balance")).await.unwrap();
        let values =
            [&told["balance_cents"], &told["deposited_cents"], &told["sent"]["cents"], &told["received"]["cents"]];
        for (sum, value) in sums.iter_mut().zip(values) {
            *sum += value.as_u64().unwrap();
        }
    }
    sums
}

/// Asks until `answered` has what it waits for, for 20 s at most.
async fn until_told<T>(what: &str, mut answered: impl AsyncFnMut() -> Option<T>) -> T {
    let limit = Instant::now() + Duration::from_secs(20);
    loop {
        if let Some(answer) = answered().await {
            return answer;
        }
        assert!(Instant::now() < limit, "never came: {what}");
        tokio::task::yield_now().await;
    }
}

/// Waits until nothing is under way, and checks that nothing was lost or made.
async fn adds_up(host: &Host, deposits: u64) {
    let [balances, deposited, ..] = until_told("all credits have arrived", async || {
        let sums = sums(host).await;
        (sums[2] == sums[3]).then_some(sums)
    })
    .await;
    assert_eq!((balances, deposited), (deposits, deposits));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn transfers_lose_nothing_and_make_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let host = bank(dir.path()).await;
    for n in 0..ACCOUNTS {
        ask(&host, n, json!("open")).await.unwrap();
        ask(&host, n, json!({"deposit": {"cents": 100}})).await.unwrap();
    }
    let payers = (0..ACCOUNTS).map(|n| {
        let host = host.clone();
        tokio::spawn(async move {
            let mut overdrafts = 0;
            for round in 0..100 {
                let to = account((n + 1 + round % (ACCOUNTS - 1)) % ACCOUNTS);
                match ask(&host, n, json!({"transfer": {"to": to, "cents": 1 + 7 * (round + n) % 60}})).await {
                    Ok(_) => {}
                    Err(error) => {
                        assert!(error.contains("overdraft"), "{error}");
                        overdrafts += 1;
                    }
                }
            }
            overdrafts
        })
    });
    let mut overdrafts = 0;
    for payer in payers.collect::<Vec<_>>() {
        overdrafts += payer.await.unwrap();
    }
    assert!((1..400).contains(&overdrafts), "{overdrafts}");
    adds_up(&host, 400).await;
    // Nobody pays from outside.
    let forged = json!({"credit": {"from": "account/1", "cents": 1_000}});
    assert!(ask(&host, 0, forged).await.unwrap_err().contains("not-a-transfer"));
    assert!(host.shutdown(None).await.all_saved());
    let host = bank(dir.path()).await;
    adds_up(&host, 400).await;
    assert!(host.dead_letters().is_empty());
    host.shutdown(None).await;
}

#[tokio::test]
async fn a_standing_order_goes_on_in_the_next_host_and_pays_as_often_as_asked() {
    const TIMES: u64 = 20;
    let dir = tempfile::tempdir().unwrap();
    let host = bank(dir.path()).await;
    ask(&host, 0, json!("open")).await.unwrap();
    ask(&host, 0, json!({"deposit": {"cents": 1_000}})).await.unwrap();
    let order =
        json!({"standing-order": {"name": "rent", "to": "account/1", "cents": 3, "every_ms": 5, "times": TIMES}});
    ask(&host, 0, order).await.unwrap();
    let handled = |host: &Host| host.actor(&name("account/1")).unwrap().handled;
    until("it has paid for the first time", || handled(&host) > 0).await;
    // The payer first: what it has sent is then in order with the other.
    host.stop(&name("account/0")).await.unwrap();
    assert!(host.shutdown(None).await.all_saved());
    let host = bank(dir.path()).await;
    let told = until_told("all is paid", async || {
        let told = ask(&host, 0, json!("balance")).await.unwrap();
        (told["orders"] == json!({})).then_some(told)
    })
    .await;
    assert_eq!(told["sent"], json!({"count": TIMES, "cents": 3 * TIMES}));
    adds_up(&host, 1_000).await;
    host.shutdown(None).await;
}
