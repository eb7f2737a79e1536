//! What every store promises that several hosts share: each writes only while its lease on the store runs.

use std::sync::Arc;
use std::time::Duration;

use baton_host::model::StopReason;
use baton_host::store::tools::{self, ToolError, Writer};
use baton_host::store::{DEFAULT_HISTORY, Hosts, MemoryStore, NewHost, Refused, SnapshotStore, StoreError, connect};
use futures_util::future::BoxFuture;

use super::store_conformance::{claim, name, record};
use crate::harness::servers::{Server, ServerKind};

/// How long leases run here, in milliseconds.
const TTL_MS: u64 = 2_000;

/// A store that hosts share, and how time passes on its clock.
struct Shared {
    store: Arc<dyn SnapshotStore>,
    pass: Box<dyn Fn(Duration) -> BoxFuture<'static, ()> + Send + Sync>,
}

impl Shared {
    fn hosts(&self) -> &dyn Hosts {
        self.store.hosts().expect("it is shared")
    }

    async fn join(&self, id: &str) {
        self.hosts().join(&host(id)).await.expect("joins");
    }

    async fn until_leases_end(&self) {
        (self.pass)(Duration::from_millis(TTL_MS + 1)).await;
    }

    async fn left_ms(&self, id: &str) -> Option<u64> {
        let leases = self.hosts().list().await.expect("lists");
        leases.into_iter().find(|lease| lease.id == id).map(|lease| lease.left_ms)
    }
}

fn host(id: &str) -> NewHost {
    let address = Some(format!("http://{id}:7766"));
    NewHost { id: id.to_owned(), node: format!("node-{id}"), address, lease_ttl_ms: TTL_MS }
}

fn memory() -> Shared {
    let store = Arc::new(MemoryStore::shared());
    let clock = store.clone();
    let pass = move |by| -> BoxFuture<'static, ()> {
        clock.advance(by);
        Box::pin(async {})
    };
    Shared { store, pass: Box::new(pass) }
}

/// A space of a server. Time passes on its clock as the leases' ends come nearer.
async fn on_server(server: &Arc<Server>, space: &str) -> Shared {
    let space: String = space.chars().take(40).collect();
    let url = server.url(&space).parse().expect("a URL");
    let store = connect(&url, DEFAULT_HISTORY).await.expect("connects");
    let server = server.clone();
    let pass = move |by: Duration| -> BoxFuture<'static, ()> {
        let (by, space, server) = (by.as_millis(), space.clone(), server.clone());
        Box::pin(async move {
            let text = match server.kind() {
                ServerKind::Postgres => format!("UPDATE {space}.hosts SET until_ms = until_ms - {by};"),
                ServerKind::Mariadb | ServerKind::Mysql => {
                    format!("UPDATE {space}_hosts SET until_ms = until_ms - {by};")
                }
                ServerKind::Redis => format!(
                    "EVAL \"local all = redis.call('HGETALL', KEYS[1]) for n = 1, #all, 2 do redis.call('HINCRBY', KEYS[1], all[n], \
                     -{by}) end\" 1 {space}:leases\n"
                ),
            };
            server.tell(&text);
        })
    };
    Shared { store, pass: Box::new(pass) }
}

async fn on(kind: ServerKind) {
    let Some(server) = Server::start(kind) else { return };
    every_case(&Arc::new(server)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hosts_share_postgres() {
    on(ServerKind::Postgres).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hosts_share_mariadb() {
    on(ServerKind::Mariadb).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hosts_share_mysql() {
    on(ServerKind::Mysql).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hosts_share_redis() {
    on(ServerKind::Redis).await;
}

macro_rules! shared {
    ($($case:ident)*) => {
        /// All of them in one server, one after the other, each in a space of its own.
        async fn every_case(server: &Arc<Server>) {
            $({
                println!("{}", stringify!($case));
                let shared = on_server(server, stringify!($case)).await;
                let store = shared.store.clone();
                $case(shared).await;
                drop(store.close().await);
            })*
        }

        mod in_memory {
            $(#[tokio::test]
            async fn $case() {
                super::$case(super::memory()).await;
            })*
        }
    };
}

shared! {
    a_lease_runs_from_its_last_renewal_on
    a_lease_that_has_ended_never_comes_back
    a_host_that_leaves_is_off_the_list
    under_a_lease_that_has_ended_nothing_is_written
    who_has_not_joined_writes_nothing
    another_host_claims_what_a_host_has_left_behind
    a_tool_leaves_alone_what_a_host_owns
    a_tool_changes_what_nobody_owns_and_leaves_no_host_behind
}

async fn a_lease_runs_from_its_last_renewal_on(shared: Shared) {
    shared.join("a").await;
    let listed = shared.hosts().list().await.expect("lists");
    let [lease] = &listed[..] else { panic!("{listed:?}") };
    let said = (lease.id.as_str(), lease.node.as_str(), lease.address.as_deref());
    assert_eq!(said, ("a", "node-a", Some("http://a:7766")));
    for _ in 0..3 {
        (shared.pass)(Duration::from_millis(TTL_MS / 2)).await;
        shared.hosts().renew("a").await.expect("it runs");
        let left = shared.left_ms("a").await.expect("listed");
        assert!((TTL_MS / 2..=TTL_MS).contains(&left), "{left}");
    }
}

async fn a_lease_that_has_ended_never_comes_back(shared: Shared) {
    shared.join("a").await;
    shared.join("b").await;
    shared.until_leases_end().await;
    for _ in 0..2 {
        assert!(matches!(shared.hosts().renew("a").await, Err(StoreError::Conflict(_))));
        assert!(matches!(shared.hosts().join(&host("a")).await, Err(StoreError::Conflict(_))), "an id is drawn anew");
        assert_eq!(shared.left_ms("a").await, Some(0), "it is listed as ended");
    }
    assert!(matches!(shared.hosts().renew("nobody").await, Err(StoreError::Conflict(_))));
}

async fn a_host_that_leaves_is_off_the_list(shared: Shared) {
    shared.join("a").await;
    shared.join("b").await;
    for _ in 0..2 {
        shared.hosts().leave("a").await.expect("leaves");
    }
    assert_eq!((shared.left_ms("a").await, shared.left_ms("b").await.is_some()), (None, true));
    assert!(matches!(shared.hosts().renew("a").await, Err(StoreError::Conflict(_))));
    let late = shared.store.claim(&name("x"), None, "a").await;
    assert!(matches!(late, Err(StoreError::Conflict(_))), "{late:?}");
}

async fn under_a_lease_that_has_ended_nothing_is_written(shared: Shared) {
    let (store, actor) = (&*shared.store, name("x"));
    shared.join("a").await;
    let mut lease = claim(store, &actor, "a").await;
    store.commit(&mut lease, record(b"kept".to_vec())).await.expect("commits");
    let mut marked = claim(store, &name("marked"), "a").await;
    store.commit(&mut marked, record(b"kept".to_vec())).await.expect("commits");
    store.take_up(&mut marked).await.expect("marks");
    let mut nothing = claim(store, &name("nothing saved"), "a").await;
    shared.until_leases_end().await;
    let before = store.head(&actor).await.expect("answers");
    let reference = lease.head.current().expect("a record").clone();
    let refused = Refused {
        record: reference.digest,
        component: reference.digest,
        version: "1.0.0".to_owned(),
        why: "no".to_owned(),
        time_ms: 1,
    };
    let late = || lease.clone();
    // Nobody has claimed anything since: the lease alone has ended.
    let answers = [
        store.commit(&mut late(), record(b"late".to_vec())).await.map(drop),
        store.switch(&mut late(), record(b"late".to_vec())).await.map(drop),
        store.take_up(&mut late()).await,
        // Where there is nothing to be marked, too.
        store.take_up(&mut marked).await,
        store.take_up(&mut nothing).await,
        store.release(&mut late(), Some(record(b"late".to_vec())), StopReason::Shutdown).await.map(drop),
        store.release(&mut late(), None, StopReason::Shutdown).await.map(drop),
        store.refuse(&mut late(), refused).await,
        store.forget(&mut late()).await,
        store.claim(&actor, Some(lease.revision), "a").await.map(drop),
        store.claim(&name("new"), None, "a").await.map(drop),
    ];
    for (at, answer) in answers.into_iter().enumerate() {
        assert!(matches!(answer, Err(StoreError::Conflict(_))), "write {at}: {answer:?}");
    }
    assert_eq!(store.head(&actor).await.expect("answers"), before);
    assert_eq!(store.head(&name("new")).await.expect("answers"), None);
    assert_eq!(store.load(&actor, &reference).await.expect("whole").data, b"kept");
}

async fn who_has_not_joined_writes_nothing(shared: Shared) {
    let claimed = shared.store.claim(&name("x"), None, "nobody").await;
    assert!(matches!(claimed, Err(StoreError::Conflict(_))), "{claimed:?}");
    assert_eq!(shared.store.head(&name("x")).await.expect("answers"), None);
}

async fn another_host_claims_what_a_host_has_left_behind(shared: Shared) {
    let (store, actor) = (&*shared.store, name("x"));
    shared.join("a").await;
    let mut first = claim(store, &actor, "a").await;
    store.commit(&mut first, record(b"a's".to_vec())).await.expect("commits");
    shared.until_leases_end().await;
    shared.join("b").await;
    let mut second = claim(store, &actor, "b").await;
    assert_eq!((second.head.epoch, second.head.owner.as_deref()), (first.head.epoch + 1, Some("b")));
    store.commit(&mut second, record(b"b's".to_vec())).await.expect("commits");
    shared.join("a again").await;
    let mut forged = first;
    forged.owner = "a again".to_owned();
    let late = store.commit(&mut forged, record(b"late".to_vec())).await;
    assert!(matches!(late, Err(StoreError::Conflict(_))), "a lease of another epoch: {late:?}");
}

async fn a_tool_leaves_alone_what_a_host_owns(shared: Shared) {
    let (store, actor) = (&*shared.store, name("x"));
    shared.join("a").await;
    let mut lease = claim(store, &actor, "a").await;
    store.commit(&mut lease, record(b"a's".to_vec())).await.expect("commits");
    let image = tools::image(store, &actor).await.expect("reads").expect("there");
    let put = store.put(&actor, Some(lease.revision), image.clone()).await;
    assert!(matches!(put, Err(StoreError::Conflict(_))), "{put:?}");
    let pardoned = store.pardon(&actor, lease.revision).await;
    assert!(matches!(pardoned, Err(StoreError::Conflict(_))), "{pardoned:?}");
    let forgotten = tools::forget(store, &Writer::new(), &actor, true).await.expect_err("a host owns it");
    assert!(matches!(&forgotten, ToolError::OwnedElsewhere { node, .. } if node == "node-a"), "{forgotten}");
    assert!(forgotten.to_string().contains("http://a:7766"), "{forgotten}");
    store.prune(&actor, 1).await.expect("the owner does not notice");
    store.commit(&mut lease, record(b"more".to_vec())).await.expect("it goes on");
    shared.until_leases_end().await;
    let (_, revision) = store.head(&actor).await.expect("answers").expect("there");
    store.put(&actor, Some(revision), image).await.expect("its host is gone");
}

async fn a_tool_changes_what_nobody_owns_and_leaves_no_host_behind(shared: Shared) {
    let (store, actor) = (&*shared.store, name("x"));
    shared.join("a").await;
    let mut lease = claim(store, &actor, "a").await;
    store.release(&mut lease, Some(record(b"a's".to_vec())), StopReason::Normal).await.expect("released");
    let forgotten = tools::forget(store, &Writer::new(), &actor, true).await.expect("nobody owns it");
    assert!(forgotten.done);
    let listed = shared.hosts().list().await.expect("lists");
    assert_eq!(listed.iter().map(|lease| lease.id.as_str()).collect::<Vec<_>>(), ["a"]);
}
