//! Commits on servers, which are started for it where they are installed: one writer or 64, beside each the same bytes put by
//! as many at once with the same client, over as many connections, one row or key for each, as durably.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Instant;

use baton_host::store::{
    self, DEFAULT_CONNECTIONS, DEFAULT_HISTORY, MOST_LEASE_TTL_MS, NewHost, SnapshotStore, StoreUrl,
};
use baton_tests::servers::{Server, ServerKind};
use redis::aio::MultiplexedConnection;
use rustix::fs::{FsWord, statfs};
use sqlx::mysql::{MySqlPool, MySqlPoolOptions};
use sqlx::postgres::{PgPool, PgPoolOptions};
use tokio::runtime::Runtime;

use crate::Run;
use crate::calls::threads;
use crate::measure::{Figure, Series};
use crate::stores::{Load, OWNER, commits};

/// What a file system in memory says that it is.
const IN_MEMORY: FsWord = 0x0102_1994;

pub(crate) fn measure(run: &Run, missing: &mut Vec<String>) -> Vec<Figure> {
    let mut figures = Vec::new();
    for (kind, backend) in
        [(ServerKind::Postgres, "postgres"), (ServerKind::Mariadb, "mariadb"), (ServerKind::Redis, "redis")]
    {
        let folder = std::env::temp_dir();
        if statfs(&folder).is_ok_and(|found| found.f_type == IN_MEMORY) {
            let folder = folder.display();
            missing.push(format!("`commit/{backend}`: {folder} is in memory, where a sync is none: set `TMPDIR`"));
        } else if let Some(server) = Server::start(kind) {
            figures.extend(on(run, backend, &server));
        } else {
            missing.push(format!("`commit/{backend}`: it is not here; `apt-get install {}` has it", kind.package()));
        }
    }
    figures
}

fn on(run: &Run, backend: &str, server: &Server) -> Vec<Figure> {
    let runtime = threads(2);
    let url: StoreUrl = server.url("bench").parse().expect("a URL");
    let store = runtime.block_on(store::connect(&url, DEFAULT_HISTORY)).expect("it is there");
    runtime.block_on(join(&store));
    let alone = Alone { client: runtime.block_on(Client::connect(server)), next: Arc::new(AtomicI64::new(0)) };
    let above = format!("{} alone, put by as many at once", version(server));
    let figures = Load::ALL.map(|load| {
        let each = run.times(if load.writers == 1 { 300 } else { 30 });
        let mut put = |each: usize, floor: &mut Series| alone.put(&runtime, load, each, floor);
        let (own, floor) = commits(&runtime, &store, load, (run.large_rounds(), each), &mut put);
        Figure::of(load.figure(backend), &own).above(&above, &floor)
    });
    runtime.block_on(store.close()).expect("it closes");
    figures.into()
}

/// Who writes to a store that hosts share has joined.
async fn join(store: &Arc<dyn SnapshotStore>) {
    let host = NewHost { id: OWNER.into(), node: OWNER.into(), address: None, lease_ttl_ms: MOST_LEASE_TTL_MS };
    store.hosts().expect("hosts share it").join(&host).await.expect("it joins");
}

/// As the server says it of itself.
fn version(server: &Server) -> String {
    let (name, asked) = match server.kind() {
        ServerKind::Postgres => ("PostgreSQL", "SHOW server_version;\n"),
        ServerKind::Mariadb | ServerKind::Mysql => ("MariaDB", "SELECT VERSION();\n"),
        ServerKind::Redis => ("Redis", "INFO server\n"),
    };
    let said = server.tell(asked);
    let number = said.lines().find_map(|line| line.strip_prefix("redis_version:")).unwrap_or(&said);
    let number: String = number.chars().take_while(|c| c.is_ascii_digit() || *c == '.').collect();
    format!("{name} {number}")
}

/// A server with nobody before it.
struct Alone {
    client: Client,
    next: Arc<AtomicI64>,
}

impl Alone {
    fn put(&self, runtime: &Runtime, load: Load, each: usize, floor: &mut Series) {
        let began = Instant::now();
        let writers: Vec<_> = (0..load.writers)
            .map(|_| {
                let (client, next, bytes) = (self.client.clone(), self.next.clone(), vec![7; load.bytes]);
                runtime.spawn(async move {
                    let mut series = Series::new();
                    for _ in 0..each {
                        let began = Instant::now();
                        client.put(next.fetch_add(1, Ordering::Relaxed), &bytes).await;
                        series.add(began.elapsed());
                    }
                    series
                })
            })
            .collect();
        for writer in writers {
            floor.merge(&runtime.block_on(writer).expect("it ends"));
        }
        floor.end_round(Some(began.elapsed()));
    }
}

/// The client that Baton's store has, too.
#[derive(Clone)]
enum Client {
    Postgres(PgPool),
    Mysql(MySqlPool),
    Redis(MultiplexedConnection),
}

impl Client {
    async fn connect(server: &Server) -> Self {
        let url = server.url("floor");
        // What is behind it is Baton's own.
        let url = url.split('?').next().expect("a first part");
        match server.kind() {
            ServerKind::Postgres => {
                let pool = PgPoolOptions::new().max_connections(DEFAULT_CONNECTIONS).test_before_acquire(false);
                let pool = pool.connect(url).await.expect("it is there");
                let made = sqlx::query("CREATE TABLE floor (id BIGINT PRIMARY KEY, bytes BYTEA)").execute(&pool);
                made.await.expect("a table can be made");
                Self::Postgres(pool)
            }
            ServerKind::Mariadb | ServerKind::Mysql => {
                let pool = MySqlPoolOptions::new().max_connections(DEFAULT_CONNECTIONS).test_before_acquire(false);
                let pool = pool.connect(url).await.expect("it is there");
                let made = sqlx::query("CREATE TABLE floor (id BIGINT PRIMARY KEY, bytes LONGBLOB) ENGINE = InnoDB");
                made.execute(&pool).await.expect("a table can be made");
                Self::Mysql(pool)
            }
            ServerKind::Redis => {
                let client = redis::Client::open(url).expect("a URL");
                Self::Redis(client.get_multiplexed_async_connection().await.expect("it is there"))
            }
        }
    }

    async fn put(&self, id: i64, bytes: &[u8]) {
        match self {
            Self::Postgres(pool) => {
                let put = sqlx::query("INSERT INTO floor (id, bytes) VALUES ($1, $2)").bind(id).bind(bytes);
                put.execute(pool).await.map(drop).expect("it is put");
            }
            Self::Mysql(pool) => {
                let put = sqlx::query("INSERT INTO floor (id, bytes) VALUES (?, ?)").bind(id).bind(bytes);
                put.execute(pool).await.map(drop).expect("it is put");
            }
            Self::Redis(connection) => {
                let put = redis::cmd("SET").arg(id).arg(bytes).exec_async(&mut connection.clone()).await;
                put.expect("it is put");
            }
        }
    }
}
