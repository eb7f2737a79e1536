//! What is looked at when a store connects, and what is said of what is wrong.

use baton_host::store::{ConnectError, Durable, StoreUrl};

use super::*;
use crate::harness::servers::{PASSWORD, Proxy, Weather};

on_each! {
    strong_settings_are_told_as_such
    a_message_names_the_server_and_never_the_password
    hosts_that_start_at_once_all_find_their_tables
    tables_that_were_cut_short_are_made_to_the_end
    tables_of_a_newer_release_are_left_alone
    spaces_of_one_server_are_apart
    a_commit_asks_the_server_no_more_than_it_must
    the_largest_record_comes_back
    a_hundred_thousand_actors_are_listed_page_by_page
}

fn url(text: &str) -> StoreUrl {
    text.parse().expect("a URL")
}

async fn strong_settings_are_told_as_such(kind: ServerKind) {
    let Some(server) = Server::start(kind) else { return };
    let store = open(&server.url("strong")).await;
    let can = store.capabilities();
    assert_eq!((can.shared, can.durable), (true, Durable::PowerLoss));
    assert_eq!(can.backend, url(&server.url("strong")).kind().name());
}

/// Settings that may lose what was acknowledged, what is said of them, and what holds.
fn weak(kind: ServerKind) -> Vec<(&'static [&'static str], &'static str, Durable)> {
    match kind {
        ServerKind::Postgres => vec![
            (&["-c", "synchronous_commit=off"], "synchronous_commit = off", Durable::HostLoss),
            (&["-c", "fsync=off"], "fsync = off", Durable::ServerLoss),
            (&["-c", "full_page_writes=off"], "full_page_writes = off", Durable::ServerLoss),
        ],
        ServerKind::Mariadb | ServerKind::Mysql => vec![
            (&["--skip-innodb-doublewrite"], "innodb_doublewrite = OFF", Durable::ServerLoss),
            (&["--innodb-flush-log-at-trx-commit=2"], "innodb_flush_log_at_trx_commit = 2", Durable::ServerLoss),
            (&["--innodb-flush-log-at-trx-commit=0"], "innodb_flush_log_at_trx_commit = 0", Durable::HostLoss),
        ],
        ServerKind::Redis => vec![
            (&["--appendonly", "no"], "appendonly = no", Durable::HostLoss),
            (&["--appendfsync", "everysec"], "appendfsync = everysec", Durable::ServerLoss),
        ],
    }
}

/// Settings with which no state is kept, whatever is allowed.
fn unfit(kind: ServerKind) -> (&'static [&'static str], &'static str) {
    match kind {
        ServerKind::Postgres => (&["-c", "default_transaction_read_only=on"], "the server is read-only"),
        ServerKind::Mariadb | ServerKind::Mysql => (&["--read-only=1"], "read_only = 1"),
        ServerKind::Redis => (&["--maxmemory-policy", "allkeys-lru"], "maxmemory-policy = allkeys-lru"),
    }
}

async fn weak_settings_have_to_be_allowed(kind: ServerKind) {
    for (settings, expected, holds) in weak(kind) {
        let Some(server) = Server::start_with(kind, settings) else { return };
        let refused = connect(&url(&server.url("weak")), 3).await.expect_err(expected);
        assert!(matches!(&refused, ConnectError::Unfit { setting, .. } if setting == expected), "{refused}");
        let told = refused.to_string();
        assert!(told.contains("set it to") && told.contains("durability=weak"), "it says what to do: {told}");
        let store = open(&format!("{}&durability=weak", server.url("weak"))).await;
        assert_eq!(store.capabilities().durable, holds, "{expected}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn settings_of_postgres_that_are_weak_have_to_be_allowed() {
    weak_settings_have_to_be_allowed(ServerKind::Postgres).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn settings_of_mariadb_that_are_weak_have_to_be_allowed() {
    weak_settings_have_to_be_allowed(ServerKind::Mariadb).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn settings_of_mysql_that_are_weak_have_to_be_allowed() {
    weak_settings_have_to_be_allowed(ServerKind::Mysql).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn settings_of_redis_that_are_weak_have_to_be_allowed() {
    weak_settings_have_to_be_allowed(ServerKind::Redis).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_keeps_nothing_is_refused_whatever_is_allowed() {
    for kind in ServerKind::ALL {
        let (settings, expected) = unfit(kind);
        let Some(server) = Server::start_with(kind, settings) else { continue };
        // MariaDB's administrators may write to it all the same; it is refused as what it is.
        let refused = connect(&url(&format!("{}&durability=weak", server.url("unfit"))), 3).await.expect_err(expected);
        assert!(matches!(&refused, ConnectError::Unfit { setting, .. } if setting == expected), "{refused}");
    }
}

async fn a_message_names_the_server_and_never_the_password(kind: ServerKind) {
    let Some(mut server) = Server::start(kind) else { return };
    let good = server.url("told");
    let store = open(&good).await;
    let shown = url(&good).to_string();
    let mut told = vec![format!("{store:?}"), format!("{:?}", url(&good))];
    let wrong = good.replace(PASSWORD, "an0ther-pa55word");
    for (text, secret) in [(wrong, "an0ther-pa55word"), (server.url_by(1, "told"), PASSWORD)] {
        let refused = connect(&url(&text), 3).await.expect_err("it is refused");
        assert!(matches!(refused, ConnectError::Unreachable { .. }), "{refused}");
        assert!(refused.to_string().starts_with(&url(&text).to_string()), "{refused}");
        for said in [refused.to_string(), format!("{refused:?}")] {
            assert!(!said.contains(secret), "{said}");
            told.push(said);
        }
    }
    server.kill();
    let lost = store.head(&name("a")).await.expect_err("it is gone").to_string();
    assert!(lost.contains(&shown), "{lost}");
    told.push(lost);
    told.push(until("it is tried again", || async { store.trouble().filter(|why| why.contains("tried again")) }).await);
    for said in told {
        assert!(!said.contains(PASSWORD), "{said}");
    }
}

async fn hosts_that_start_at_once_all_find_their_tables(kind: ServerKind) {
    let Some(server) = Server::start(kind) else { return };
    let url = url(&server.url("at_once"));
    let started = (0..6).map(|_| {
        let url = url.clone();
        tokio::spawn(async move { connect(&url, 3).await })
    });
    let mut stores = Vec::new();
    for store in started.collect::<Vec<_>>() {
        stores.push(store.await.expect("runs").expect("connects"));
    }
    join(&*stores[0], "host-a").await;
    claim(&*stores[0], &name("a"), "host-a").await;
    for store in stores {
        assert!(store.head(&name("a")).await.expect("answers").is_some());
    }
}

async fn tables_that_were_cut_short_are_made_to_the_end(kind: ServerKind) {
    let Some(server) = Server::start(kind) else { return };
    let proxy = Proxy::to(server.port());
    let mut cuts = 0;
    loop {
        let space = format!("cut_{cuts}");
        proxy.set(Weather::AnswersLostAfter(cuts));
        let cut_short = connect(&url(&server.url_by(proxy.port(), &space)), 3).await;
        // Whoever comes next finds what is there, be it nothing, a part, or all, and makes the rest.
        let store = open(&server.url(&space)).await;
        join(&*store, "host-a").await;
        let mut lease = claim(&*store, &name("a"), "host-a").await;
        store.commit(&mut lease, record(vec![1])).await.expect("commits");
        store.quarantine(&name("a"), &lease.head.records[0], "bad").await.expect("is kept");
        if cut_short.is_ok() {
            break;
        }
        cuts += 1;
    }
    assert!(cuts > 2, "it was cut here and there: {cuts}");
}

async fn tables_of_a_newer_release_are_left_alone(kind: ServerKind) {
    let Some(server) = Server::start(kind) else { return };
    open(&server.url("newer")).await.close().await.expect("closes");
    match kind {
        ServerKind::Postgres => server.tell(
            "INSERT INTO newer.migrations (version, description, success, checksum, execution_time) \
             VALUES (99, 'later', true, '', 0);",
        ),
        ServerKind::Mariadb | ServerKind::Mysql => server.tell(
            "INSERT INTO newer_migrations (version, description, success, checksum, execution_time) \
             VALUES (99, 'later', true, '', 0);",
        ),
        ServerKind::Redis => server.tell("SET newer:version 99\n"),
    };
    let refused = connect(&url(&server.url("newer")), 3).await.expect_err("it is newer");
    assert!(matches!(&refused, ConnectError::Schema { .. }), "{refused}");
    let told = refused.to_string();
    assert!(told.contains("99") && told.contains("newer release"), "{told}");
}

async fn spaces_of_one_server_are_apart(kind: ServerKind) {
    let Some(server) = Server::start(kind) else { return };
    let (one, other) = (open(&server.url("one")).await, open(&server.url("one_2")).await);
    for store in [&one, &other] {
        join(&**store, "host-a").await;
    }
    let mut lease = claim(&*one, &name("a"), "host-a").await;
    one.commit(&mut lease, record(vec![1])).await.expect("commits");
    assert_eq!(other.list(None, 10).await, Ok(vec![]));
    assert_eq!(other.hosts().expect("shared").list().await.expect("lists").len(), 1);
    claim(&*other, &name("a"), "host-a").await;
    one.commit(&mut lease, record(vec![2])).await.expect("the other one is another actor");
}

async fn a_commit_asks_the_server_no_more_than_it_must(kind: ServerKind) {
    let Some(server) = Server::start(kind) else { return };
    let proxy = Proxy::to(server.port());
    let store = open(&server.url_by(proxy.port(), "asked")).await;
    join(&*store, "host-a").await;
    let mut lease = claim(&*store, &name("a"), "host-a").await;
    let mut asked_for = async |commits: u8| {
        let before = proxy.asked();
        for n in 0..commits {
            store.commit(&mut lease, record(vec![n])).await.expect("commits");
        }
        proxy.asked() - before
    };
    // What is asked for the first time on a connection is prepared; and a history that is full drops a record with each.
    asked_for(60).await;
    let asked = asked_for(50).await;
    let most = match kind {
        ServerKind::Redis => 1,
        // The pool looks at a connection that it gets back, beside the way.
        ServerKind::Postgres => 1 + 1,
        // The transaction's begin and end, the head, the record, and the one that is dropped.
        ServerKind::Mariadb | ServerKind::Mysql => 5 + 1,
    };
    // Another connection may come in, and prepare what it is asked.
    assert!(asked <= most * 50 + 20, "{asked}");
    // Somebody else has written: the lease is told, and nothing of what it knew is believed.
    let mut other = claim(&*store, &name("a"), "host-a").await;
    let late = store.commit(&mut lease, record(vec![1])).await;
    assert!(matches!(late, Err(StoreError::Conflict(_))), "{late:?}");
    store.commit(&mut other, record(vec![2])).await.expect("commits");
    // A tool that leaves the revision as it is does not hinder it.
    store.prune(&name("a"), 1).await.expect("prunes");
    store.commit(&mut other, record(vec![3])).await.expect("commits");
    let head = store.head(&name("a")).await.expect("answers").expect("a head").0;
    assert_eq!((head.records.len(), &head), (2, &other.head));
}

async fn the_largest_record_comes_back(kind: ServerKind) {
    let Some(server) = Server::start(kind) else { return };
    let store = connect(&url(&server.url("large")), 3).await.expect("connects");
    join(&*store, "host-a").await;
    let largest = store.capabilities().largest_record;
    assert!(largest >= 15 << 20, "{largest}");
    let mut lease = claim(&*store, &name("a"), "host-a").await;
    store.commit(&mut lease, record(vec![])).await.expect("commits");
    let overhead = usize::try_from(lease.head.current().expect("saved").bytes).expect("small");
    let data = vec![7; largest - overhead - 64];
    store.commit(&mut lease, record(data.clone())).await.expect("commits");
    let loaded = store.load(&name("a"), lease.head.current().expect("saved")).await.expect("loads");
    assert!(loaded.data == data);
    let refused = store.commit(&mut lease, record(vec![7; largest])).await;
    assert!(matches!(refused, Err(StoreError::TooLarge { .. })), "{refused:?}");
}

/// Actors of the listing.
const ACTORS: usize = 100_000;

/// Copies one actor's row to as many others as are wanted, as the server does it itself.
fn multiply(server: &Server) {
    match server.kind() {
        ServerKind::Postgres => server.tell(&format!(
            "INSERT INTO many.heads SELECT convert_to('actor/' || lpad(n::text, 6, '0'), 'UTF8'), mark, head \
             FROM many.heads, generate_series(1, {ACTORS} - 1) AS n;"
        )),
        ServerKind::Mariadb => server.tell(&format!(
            "INSERT INTO many_heads SELECT CONCAT('actor/', LPAD(seq, 6, '0')), mark, head \
             FROM many_heads, seq_1_to_{};",
            ACTORS - 1
        )),
        ServerKind::Mysql => server.tell(&format!(
            "SET cte_max_recursion_depth = {ACTORS}; \
             INSERT INTO many_heads WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < {ACTORS} - 1) \
             SELECT CONCAT('actor/', LPAD(n, 6, '0')), mark, head FROM many_heads, n;"
        )),
        ServerKind::Redis => server.tell(&format!(
            "EVAL \"local head = redis.call('HGETALL', 'many:a:actor/000000') for n = 1, {ACTORS} - 1 do local name = \
             string.format('actor/%06d', n) redis.call('HSET', 'many:a:' .. name, unpack(head)) redis.call('ZADD', \
             'many:names', 0, name) end\" 0\n"
        )),
    };
}

async fn a_hundred_thousand_actors_are_listed_page_by_page(kind: ServerKind) {
    let Some(server) = Server::start(kind) else { return };
    let store = connect(&url(&server.url("many")), 3).await.expect("connects");
    join(&*store, "host-a").await;
    claim(&*store, &name("actor/000000"), "host-a").await;
    multiply(&server);
    let (mut listed, mut after) = (0, None);
    loop {
        let page = store.list(after.as_ref(), 1_000).await.expect("answers");
        let Some((last, _)) = page.last() else { break };
        after = Some(last.clone());
        for (actor, head) in page {
            assert_eq!(actor.as_str(), format!("actor/{listed:06}"));
            assert_eq!(head.expect("whole").epoch, 1);
            listed += 1;
        }
    }
    assert_eq!(listed, ACTORS);
}
