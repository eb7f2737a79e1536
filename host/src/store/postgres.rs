//! PostgreSQL. A write is one statement: the head is swapped where its mark is still the one that was read and the lease of
//! the host that writes runs, and the records go with it. So nobody ever holds a lock across a round trip.

mod statements;

use std::str::FromStr as _;

use sqlx::postgres::{PgConnectOptions, PgConnection, PgPoolOptions};
use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _, Error, PgPool, Row as _};

use super::served::sql::{self, Step, numbers, signed};
use super::served::{Copied, Fault, Pair, Place, Row, Server, Swap};
use super::url::{Bounds, StoreUrl, Weakness, Wrong, judge};
use super::{Durable, HostLease, NewHost, RecordRef};
use crate::model::ActorName;
use statements::Statements;

const STEPS: &[Step] = &[Step { version: 1, what: "tables", sql: include_str!("postgres/1_tables.sql") }];

pub(super) struct Postgres {
    pool: PgPool,
    options: PgConnectOptions,
    bounds: Bounds,
    weak: bool,
    durable: Durable,
    statements: Statements,
}

/// Whether an error means that the connection, or the server, is at its end, and so says nothing of what was asked.
fn is_gone(code: &str) -> bool {
    // 08: the connection; 57P: the server shuts down, has crashed, or starts; 25006: it has become a replica.
    code.starts_with("08") || code.starts_with("57P") || code == "25006"
}

/// Whether somebody else wrote the same rows at the same time: to be looked at again.
fn is_race(error: &Error) -> bool {
    let code = error.as_database_error().and_then(|error| error.code());
    code.is_some_and(|code| matches!(&*code, "40001" | "40P01"))
}

impl std::fmt::Debug for Postgres {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // The library shows its options with the password in them.
        f.debug_struct("Postgres").field("durable", &self.durable).field("bounds", &self.bounds).finish_non_exhaustive()
    }
}

impl Postgres {
    /// Connects, looks at the server's settings, and brings the tables to where this release has them.
    ///
    /// # Errors
    /// Says what is wrong with the server, or with the way to it.
    pub(super) async fn connect(url: &StoreUrl) -> Result<Self, Wrong> {
        let options = PgConnectOptions::from_str(url.revealed().as_str()).map_err(|error| sql::unreachable(&error))?;
        let bounds = url.bounds;
        let half = bounds.answer_timeout.as_millis() / 2;
        let half = half.to_string();
        let options = options.application_name("baton").disable_statement_logging();
        let weak = url.is_weak();
        // Quoted: it may be a word of the language.
        let schema = format!("\"{}\"", url.space);
        let durable = sql::once(&bounds, async {
            let mut connection = open(&options, &bounds, &half).await?;
            let durable = look(&mut connection, weak).await?;
            sql::migrate(&mut connection, STEPS, &format!("{schema}."), Some(&schema)).await?;
            // It has done what it is for.
            drop(connection.close().await);
            Ok(durable)
        })
        .await?;
        let pool = PgPoolOptions::new()
            .max_connections(bounds.connections)
            .acquire_timeout(bounds.acquire_timeout)
            .idle_timeout(sql::IDLE)
            // A test with each of them would be a round trip more.
            .test_before_acquire(false)
            .before_acquire(|connection, about| {
                Box::pin(async move { Ok(about.idle_for <= sql::TRUSTED || connection.ping().await.is_ok()) })
            })
            .after_connect(move |connection, _| {
                let half = half.clone();
                Box::pin(async move {
                    bound(connection, &half).await?;
                    match look(connection, weak).await {
                        Ok(_) => Ok(()),
                        Err(wrong) => Err(Error::Configuration(wrong.to_string().into())),
                    }
                })
            })
            .connect_lazy_with(options.clone());
        Ok(Self { pool, options, bounds, weak, durable, statements: Statements::of(&schema) })
    }

    async fn ask<T>(&self, asked: impl AsyncFnOnce(&mut PgConnection) -> Result<T, Error>) -> Result<T, Fault> {
        let mut connection = sql::acquire(&self.pool, &self.bounds).await?;
        sql::answered(&mut connection, &self.bounds, is_gone, asked).await
    }
}

/// Bounds what one statement may take, and for how long one may hold locks that does nothing.
async fn bound(connection: &mut PgConnection, ms: &str) -> Result<(), Error> {
    let settings = format!(
        "SET statement_timeout = {ms}; SET lock_timeout = {ms}; SET idle_in_transaction_session_timeout = {ms}; \
         SET default_transaction_isolation = 'read committed'"
    );
    sqlx::raw_sql(AssertSqlSafe(settings)).execute(connection).await.map(drop)
}

async fn open(options: &PgConnectOptions, bounds: &Bounds, ms: &str) -> Result<PgConnection, Wrong> {
    let connected = tokio::time::timeout(bounds.connect_timeout, options.connect()).await;
    let late = || Wrong::Unreachable(format!("no connection for {} s", bounds.connect_timeout.as_secs_f32()));
    let mut connection = connected.map_err(|_| late())?.map_err(|error| sql::unreachable(&error))?;
    bound(&mut connection, ms).await.map_err(|error| sql::unreachable(&error))?;
    Ok(connection)
}

/// Looks at the settings that decide what an acknowledged commit survives.
async fn look(connection: &mut PgConnection, weak: bool) -> Result<Durable, Wrong> {
    let row = sqlx::query(
        "SELECT current_setting('synchronous_commit'), current_setting('fsync'), current_setting('full_page_writes'), \
         pg_is_in_recovery() OR current_setting('default_transaction_read_only') = 'on'",
    )
    .fetch_one(connection)
    .await;
    let row = row.map_err(|error| sql::unreachable(&error))?;
    let text = |index: usize| row.try_get::<String, _>(index).map_err(|error| sql::unreachable(&error));
    if row.try_get::<bool, _>(3).map_err(|error| sql::unreachable(&error))? {
        return Err(read_only());
    }
    judge(weaknesses(&text(0)?, &text(1)?, &text(2)?), weak)
}

fn read_only() -> Wrong {
    Wrong::Unfit {
        setting: "the server is read-only".to_owned(),
        why: "nothing can be written to it: it is a replica, or default_transaction_read_only is on",
        cure: "name the primary".to_owned(),
    }
}

fn weaknesses(synchronous_commit: &str, fsync: &str, full_page_writes: &str) -> Vec<Weakness> {
    let mut found = Vec::new();
    if synchronous_commit == "off" {
        found.push(Weakness {
            setting: "synchronous_commit = off".to_owned(),
            holds: Durable::HostLoss,
            why: "commits are acknowledged before they are written",
            cure: "set it to on for this role: ALTER ROLE … SET synchronous_commit = on",
        });
    }
    if fsync == "off" {
        found.push(Weakness {
            setting: "fsync = off".to_owned(),
            holds: Durable::ServerLoss,
            why: "commits may be lost, and the database damaged, when the power fails",
            cure: "set it to on in postgresql.conf",
        });
    }
    if full_page_writes == "off" {
        found.push(Weakness {
            setting: "full_page_writes = off".to_owned(),
            holds: Durable::ServerLoss,
            why: "the database may be damaged when the power fails in the middle of a page",
            cure: "set it to on in postgresql.conf",
        });
    }
    found
}

impl Server for Postgres {
    fn backend(&self) -> &'static str {
        "postgres"
    }

    fn durable(&self) -> Durable {
        self.durable
    }

    fn largest_record(&self) -> usize {
        self.bounds.largest_record
    }

    async fn probe(&self) -> Result<(), Wrong> {
        let half = (self.bounds.answer_timeout.as_millis() / 2).to_string();
        sql::once(&self.bounds, async {
            let mut connection = open(&self.options, &self.bounds, &half).await?;
            look(&mut connection, self.weak).await?;
            drop(connection.close().await);
            Ok(())
        })
        .await
    }

    async fn close(&self) {
        // Those who still ask are waited for as long as they may take.
        let most = self.bounds.answer_timeout;
        drop(tokio::time::timeout(most, self.pool.close()).await);
    }

    async fn row(&self, actor: &ActorName) -> Result<Option<Row>, Fault> {
        let name = actor.as_str().as_bytes();
        self.ask(async |connection| {
            let found = sqlx::query_as(self.statements.row.clone()).bind(name).fetch_optional(connection).await?;
            Ok(found.map(sql::row))
        })
        .await
    }

    async fn record(&self, actor: &ActorName, record: &RecordRef) -> Result<Option<Pair>, Fault> {
        let (sequence, digest) = numbers(record);
        let name = actor.as_str().as_bytes();
        self.ask(async |connection| {
            let query = sqlx::query_as(self.statements.record.clone()).bind(name).bind(sequence).bind(&digest);
            Ok(query.fetch_optional(connection).await?.map(sql::pair))
        })
        .await
    }

    async fn records(&self, actor: &ActorName) -> Result<Vec<Place>, Fault> {
        let name = actor.as_str().as_bytes();
        self.ask(async |connection| {
            let rows = sqlx::query_as(self.statements.records.clone()).bind(name).fetch_all(connection).await?;
            Ok(rows.into_iter().map(sql::place).collect())
        })
        .await
    }

    async fn swap(&self, swap: &Swap<'_>) -> Result<bool, Fault> {
        self.ask(async |connection| {
            let done = match &swap.copies {
                None => self.statements.swap(connection, swap).await,
                Some(copies) => {
                    let mut transaction = connection.begin().await?;
                    let done = self.statements.swap(&mut transaction, swap).await;
                    match done {
                        Ok(true) => {
                            self.statements.replace_copies(&mut transaction, swap.actor, copies).await?;
                            transaction.commit().await?;
                            Ok(true)
                        }
                        other => {
                            // What it says is said already.
                            drop(transaction.rollback().await);
                            other
                        }
                    }
                }
            };
            match done {
                Err(error) if is_race(&error) => Ok(false),
                other => other,
            }
        })
        .await
    }

    async fn put_copy(&self, actor: &ActorName, copy: &Copied) -> Result<(), Fault> {
        self.ask(async |connection| self.statements.put_copy(connection, actor, copy).await).await
    }

    async fn copies(&self, actor: &ActorName) -> Result<Vec<Pair>, Fault> {
        let name = actor.as_str().as_bytes();
        self.ask(async |connection| {
            sqlx::query_as(self.statements.copies.clone()).bind(name).fetch_all(connection).await
        })
        .await
    }

    async fn discard(&self, actor: &ActorName, record: Option<&RecordRef>) -> Result<u64, Fault> {
        let (sequence, digest) = record.map(numbers).unzip();
        let name = actor.as_str().as_bytes();
        self.ask(async |connection| {
            let query = sqlx::query(self.statements.discard.clone()).bind(name).bind(sequence).bind(digest.as_deref());
            Ok(query.execute(connection).await?.rows_affected())
        })
        .await
    }

    async fn disk_bytes(&self) -> Result<Option<u64>, Fault> {
        self.ask(async |connection| {
            let row = sqlx::query(self.statements.disk_bytes.clone()).fetch_one(connection).await?;
            Ok(u64::try_from(row.try_get::<i64, _>(0)?).ok())
        })
        .await
    }

    async fn list(&self, after: Option<&ActorName>, limit: u64) -> Result<Vec<Pair>, Fault> {
        // No name is empty, so all are behind that.
        let after = after.map_or(&b""[..], |name| name.as_str().as_bytes());
        let query = sqlx::query_as(self.statements.list.clone()).bind(after).bind(signed(limit));
        self.ask(async |connection| query.fetch_all(connection).await).await
    }

    async fn join(&self, host: &NewHost, ttl_ms: u64) -> Result<bool, Fault> {
        self.ask(async |connection| self.statements.join(connection, host, ttl_ms).await).await
    }

    async fn renew(&self, id: &str) -> Result<bool, Fault> {
        self.ask(async |connection| {
            let done = sqlx::query(self.statements.renew.clone()).bind(id.as_bytes()).execute(connection).await?;
            Ok(done.rows_affected() == 1)
        })
        .await
    }

    async fn leave(&self, id: &str) -> Result<(), Fault> {
        self.ask(async |connection| {
            sqlx::query(self.statements.leave.clone()).bind(id.as_bytes()).execute(connection).await.map(drop)
        })
        .await
    }

    async fn leases(&self) -> Result<Vec<HostLease>, Fault> {
        self.ask(async |connection| {
            let rows = sqlx::query_as(self.statements.leases.clone()).fetch_all(connection).await?;
            Ok(rows.into_iter().map(sql::lease).collect())
        })
        .await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_setting_that_may_lose_commits_is_found_whatever_else_is_well() {
        let cases = [
            (("on", "on", "on"), None),
            (("remote_apply", "on", "on"), None),
            (("local", "on", "on"), None),
            (("off", "on", "on"), Some(Durable::HostLoss)),
            (("on", "off", "on"), Some(Durable::ServerLoss)),
            (("on", "on", "off"), Some(Durable::ServerLoss)),
            (("off", "off", "on"), Some(Durable::HostLoss)),
        ];
        for ((commit, fsync, pages), expected) in cases {
            let found = weaknesses(commit, fsync, pages);
            assert_eq!(found.iter().map(|one| one.holds).min(), expected, "{commit} {fsync} {pages}");
        }
    }
}
