//! MySQL and MariaDB. A write is one transaction that begins with its one-row update, so that the lock on that row is held
//! from there to the commit: the head is swapped where its mark is still the one that was read and the lease of the host that
//! writes runs, and the records go with it.

mod statements;

use std::str::FromStr as _;

use sqlx::mysql::{MySqlConnectOptions, MySqlConnection, MySqlPoolOptions};
use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _, Error, MySqlPool, Row as _};

use super::served::sql::{self, Step, numbers, signed};
use super::served::{Copied, Fault, Pair, Place, Row, Server, Swap};
use super::url::{Bounds, StoreUrl, Weakness, Wrong, judge};
use super::{Durable, HostLease, NewHost, RecordRef};
use crate::model::ActorName;
use statements::Statements;

/// Each of them makes only what is not there: one that was cut short is made again.
const STEPS: &[Step] = &[Step { version: 1, what: "tables", sql: include_str!("mysql/1_tables.sql") }];
/// Bytes of a packet that a record cannot have: the statement, the name, and what the protocol adds.
const PACKET_OVERHEAD_BYTES: usize = 4 << 10;
/// Smallest packet with which a head of the longest history fits.
const LEAST_PACKET_BYTES: usize = 1 << 20;

pub(super) struct Mysql {
    pool: MySqlPool,
    options: MySqlConnectOptions,
    bounds: Bounds,
    weak: bool,
    durable: Durable,
    largest_record: usize,
    statements: Statements,
}

/// Whether an error means that the connection, or the server, is at its end, and so says nothing of what was asked.
fn is_gone(code: &str) -> bool {
    code.starts_with("08")
}

/// The server's own number of an error.
fn number(error: &Error) -> Option<u16> {
    let error = error.as_database_error()?.try_downcast_ref::<sqlx::mysql::MySqlDatabaseError>()?;
    Some(error.number())
}

/// Whether somebody else wrote the same rows at the same time: to be looked at again.
fn is_race(error: &Error) -> bool {
    // ER_LOCK_DEADLOCK; ER_DUP_ENTRY, of two that make the same row; ER_CHECKREAD.
    matches!(number(error), Some(1213 | 1062 | 1020))
}

/// Whether the server ends, or has become a replica: the connection is of no more use.
fn ends(error: &Error) -> bool {
    // ER_SERVER_SHUTDOWN, ER_OPTION_PREVENTS_STATEMENT (read_only), ER_CANT_EXECUTE_IN_READ_ONLY_TRANSACTION,
    // ER_CONNECTION_KILLED of either.
    matches!(number(error), Some(1053 | 1290 | 1792 | 1927 | 3169))
}

impl std::fmt::Debug for Mysql {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // The library shows its options with the password in them.
        f.debug_struct("Mysql").field("durable", &self.durable).field("bounds", &self.bounds).finish_non_exhaustive()
    }
}

impl Mysql {
    /// Connects, looks at the server's settings, and brings the tables to where this release has them.
    ///
    /// # Errors
    /// Says what is wrong with the server, or with the way to it.
    pub(super) async fn connect(url: &StoreUrl) -> Result<Self, Wrong> {
        // `mariadb://` is the same to us, and not known to the library.
        let text = url.revealed().as_str().replacen("mariadb://", "mysql://", 1);
        let options = MySqlConnectOptions::from_str(&text).map_err(|error| sql::unreachable(&error))?;
        let options = options.disable_statement_logging();
        let (bounds, weak) = (url.bounds, url.is_weak());
        let (durable, packet) = sql::once(&bounds, async {
            let mut connection = open(&options, &bounds).await?;
            let found = look(&mut connection, weak).await?;
            alone(&mut connection, &url.space, &bounds).await?;
            begin_again(&mut connection, &url.space).await?;
            sql::migrate(&mut connection, STEPS, &format!("{}_", url.space), None).await?;
            // It has done what it is for.
            drop(connection.close().await);
            Ok(found)
        })
        .await?;
        let pool = MySqlPoolOptions::new()
            .max_connections(bounds.connections)
            .acquire_timeout(bounds.acquire_timeout)
            .idle_timeout(sql::IDLE.min(bounds.answer_timeout))
            // A test with each of them would be a round trip more.
            .test_before_acquire(false)
            .before_acquire(|connection, about| {
                Box::pin(async move { Ok(about.idle_for <= sql::TRUSTED || connection.ping().await.is_ok()) })
            })
            .after_connect(move |connection, _| {
                Box::pin(async move {
                    bound(connection, &bounds).await?;
                    match look(connection, weak).await {
                        Ok(_) => Ok(()),
                        Err(wrong) => Err(Error::Configuration(wrong.to_string().into())),
                    }
                })
            })
            .connect_lazy_with(options.clone());
        let largest_record = bounds.largest_record.min(packet.saturating_sub(PACKET_OVERHEAD_BYTES));
        let statements = Statements::of(&url.space);
        Ok(Self { pool, options, bounds, weak, durable, largest_record, statements })
    }

    async fn ask<T>(&self, asked: impl AsyncFnOnce(&mut MySqlConnection) -> Result<T, Error>) -> Result<T, Fault> {
        let mut connection = sql::acquire(&self.pool, &self.bounds).await?;
        sql::answered(&mut connection, &self.bounds, is_gone, asked).await
    }
}

/// Bounds what one statement may wait for a lock, and for how long one may hold locks that does nothing; and refuses what
/// does not fit, rather than cut it.
async fn bound(connection: &mut MySqlConnection, bounds: &Bounds) -> Result<(), Error> {
    let half = (bounds.answer_timeout.as_secs() / 2).max(1);
    let idle = bounds.answer_timeout.as_secs() * 2 + 1;
    let settings = format!(
        "SET SESSION innodb_lock_wait_timeout = {half}, SESSION wait_timeout = {idle}, \
         SESSION transaction_isolation = 'READ-COMMITTED', \
         SESSION sql_mode = CONCAT(@@sql_mode, ',STRICT_ALL_TABLES')"
    );
    match sqlx::raw_sql(AssertSqlSafe(settings.clone())).execute(&mut *connection).await {
        // Older servers of MariaDB know it by its old name alone.
        Err(error) if number(&error) == Some(1193) => {
            let settings = settings.replace("transaction_isolation", "tx_isolation");
            sqlx::raw_sql(AssertSqlSafe(settings)).execute(connection).await.map(drop)
        }
        other => other.map(drop),
    }
}

async fn open(options: &MySqlConnectOptions, bounds: &Bounds) -> Result<MySqlConnection, Wrong> {
    let connected = tokio::time::timeout(bounds.connect_timeout, options.connect()).await;
    let late = || Wrong::Unreachable(format!("no connection for {} s", bounds.connect_timeout.as_secs_f32()));
    let mut connection = connected.map_err(|_| late())?.map_err(|error| sql::unreachable(&error))?;
    bound(&mut connection, bounds).await.map_err(|error| sql::unreachable(&error))?;
    Ok(connection)
}

/// Waits until no other host makes the tables. The lock ends with the connection.
async fn alone(connection: &mut MySqlConnection, prefix: &str, bounds: &Bounds) -> Result<(), Wrong> {
    // Locks are the server's, whichever database is meant.
    let query = sqlx::query_scalar("SELECT GET_LOCK(LEFT(SHA2(CONCAT(DATABASE(), ' ', ?), 256), 60), ?)");
    let query = query.bind(format!("baton {prefix}")).bind(bounds.answer_timeout.as_secs().max(1));
    let locked: Option<i64> = query.fetch_one(connection).await.map_err(|error| sql::unreachable(&error))?;
    match locked {
        Some(1) => Ok(()),
        _ => Err(Wrong::Unreachable("another host makes the tables, and does not come to an end".to_owned())),
    }
}

/// Forgets of a step that it was begun: whoever made it has gone in the middle of it, since nobody else makes tables now. What
/// a newer release has begun is its own.
async fn begin_again(connection: &mut MySqlConnection, prefix: &str) -> Result<(), Wrong> {
    let newest = STEPS.last().map_or(0, |step| step.version);
    let text = format!("DELETE FROM {prefix}_migrations WHERE success = FALSE AND version <= ?");
    match sqlx::query(AssertSqlSafe(text)).bind(newest).execute(connection).await {
        // ER_NO_SUCH_TABLE: nothing was begun.
        Err(error) if number(&error) != Some(1146) => Err(sql::unreachable(&error)),
        _ => Ok(()),
    }
}

/// Looks at the settings that decide what an acknowledged commit survives, and how large a record may be.
async fn look(connection: &mut MySqlConnection, weak: bool) -> Result<(Durable, usize), Wrong> {
    let row = sqlx::query(
        "SELECT CAST(@@innodb_flush_log_at_trx_commit AS SIGNED), CAST(@@log_bin AS SIGNED), \
         CAST(@@sync_binlog AS SIGNED), CAST(@@read_only AS SIGNED), CAST(@@max_allowed_packet AS SIGNED), \
         CAST(@@innodb_doublewrite AS CHAR)",
    )
    .fetch_one(connection)
    .await;
    let row = row.map_err(|error| sql::unreachable(&error))?;
    let number = |index: usize| row.try_get::<i64, _>(index).map_err(|error| sql::unreachable(&error));
    if number(3)? != 0 {
        return Err(Wrong::Unfit {
            setting: "read_only = 1".to_owned(),
            why: "nothing can be written to the server: it is a replica, most likely",
            cure: "name the primary".to_owned(),
        });
    }
    let packet = usize::try_from(number(4)?).unwrap_or(0);
    if packet < LEAST_PACKET_BYTES {
        return Err(Wrong::Unfit {
            setting: format!("max_allowed_packet = {packet}"),
            why: "no record is larger than that",
            cure: format!("set it to {LEAST_PACKET_BYTES} at least"),
        });
    }
    let doublewrite: String = row.try_get(5).map_err(|error| sql::unreachable(&error))?;
    let found = weaknesses(number(0)?, number(1)? != 0, number(2)?, &doublewrite);
    Ok((judge(found, weak)?, packet))
}

fn weaknesses(flush_log: i64, log_bin: bool, sync_binlog: i64, doublewrite: &str) -> Vec<Weakness> {
    let mut found = Vec::new();
    if flush_log != 1 {
        found.push(Weakness {
            setting: format!("innodb_flush_log_at_trx_commit = {flush_log}"),
            holds: if flush_log == 0 { Durable::HostLoss } else { Durable::ServerLoss },
            why: "commits are acknowledged before they are synced",
            cure: "set it to 1",
        });
    }
    if log_bin && sync_binlog != 1 {
        found.push(Weakness {
            setting: format!("sync_binlog = {sync_binlog}"),
            holds: Durable::ServerLoss,
            why: "a commit that its binary log has lost with the power is taken back",
            cure: "set it to 1",
        });
    }
    // MySQL's DETECT_ONLY keeps no page to go back to, and MariaDB's fast does not sync the pages themselves.
    if !matches!(doublewrite, "1" | "ON" | "TRUE" | "DETECT_AND_RECOVER") {
        found.push(Weakness {
            setting: format!("innodb_doublewrite = {}", if doublewrite == "0" { "OFF" } else { doublewrite }),
            holds: Durable::ServerLoss,
            why: "the tables may be damaged when the power fails in the middle of a page",
            cure: "set it to ON",
        });
    }
    found
}

impl Server for Mysql {
    fn backend(&self) -> &'static str {
        "mysql"
    }

    fn durable(&self) -> Durable {
        self.durable
    }

    fn largest_record(&self) -> usize {
        self.largest_record
    }

    async fn probe(&self) -> Result<(), Wrong> {
        sql::once(&self.bounds, async {
            let mut connection = open(&self.options, &self.bounds).await?;
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
            let query = sqlx::query_as(self.statements.record.clone()).bind(sequence).bind(&digest).bind(name);
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
        self.ask(async |connection| match self.statements.swap(connection, swap).await {
            Err(error) if is_race(&error) => Ok(false),
            Err(error) if ends(&error) => Err(Error::Protocol(sql::words(&error))),
            other => other,
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
        self.ask(async |connection| self.statements.discard(connection, actor, record.map(numbers)).await).await
    }

    async fn disk_bytes(&self) -> Result<Option<u64>, Fault> {
        self.ask(async |connection| self.statements.disk_bytes(connection).await).await
    }

    async fn list(&self, after: Option<&ActorName>, limit: u64) -> Result<Vec<Pair>, Fault> {
        // No name is empty, so all are behind that.
        let after = after.map_or(&b""[..], |name| name.as_str().as_bytes());
        let query = sqlx::query_as(self.statements.list.clone()).bind(after).bind(signed(limit));
        self.ask(async |connection| query.fetch_all(connection).await).await
    }

    async fn join(&self, host: &NewHost, ttl_ms: u64) -> Result<bool, Fault> {
        self.ask(async |connection| match self.statements.join(connection, host, ttl_ms).await {
            Err(error) if number(&error) == Some(1062) => Ok(false),
            other => other.map(|()| true),
        })
        .await
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
            ((1, false, 0, "ON"), None),
            ((1, true, 1, "1"), None),
            ((1, true, 1, "DETECT_AND_RECOVER"), None),
            ((2, false, 0, "ON"), Some(Durable::ServerLoss)),
            ((0, true, 0, "ON"), Some(Durable::HostLoss)),
            ((1, true, 0, "ON"), Some(Durable::ServerLoss)),
            ((1, false, 0, "0"), Some(Durable::ServerLoss)),
            ((1, false, 0, "DETECT_ONLY"), Some(Durable::ServerLoss)),
            ((1, false, 0, "fast"), Some(Durable::ServerLoss)),
        ];
        for ((flush, log_bin, sync, doublewrite), expected) in cases {
            let found = weaknesses(flush, log_bin, sync, doublewrite);
            assert_eq!(found.iter().map(|one| one.holds).min(), expected, "{flush} {log_bin} {sync} {doublewrite}");
        }
    }
}
