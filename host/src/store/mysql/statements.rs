//! The statements, with the prefix of their tables in them.

use sqlx::{AssertSqlSafe, Connection as _, Error, MySqlConnection, SqlSafeStr as _, SqlStr};

use super::super::NewHost;
use super::super::hosts::ENDED_KEPT_MS;
use super::super::served::sql::{numbers, signed};
use super::super::served::{Copied, Swap, sql};
use super::number;
use crate::model::ActorName;

/// The server's clock, in milliseconds: that of the moment, not that of the statement's begin.
const NOW: &str = "CAST(UNIX_TIMESTAMP(SYSDATE(3)) * 1000 AS SIGNED)";

/// Whose lease must run, and whose must not; each is named twice.
const GUARD: &str = "(? IS NULL OR EXISTS (SELECT 1 FROM {p}hosts WHERE id = ? AND until_ms > {now})) \
                     AND (? IS NULL OR NOT EXISTS (SELECT 1 FROM {p}hosts WHERE id = ? AND until_ms > {now}))";

/// The files of the four tables. Names of files have a dash in a way of their own.
const DISK_BYTES: &str = "SELECT CAST(SUM(FILE_SIZE) AS SIGNED), COUNT(*) FROM information_schema.{tablespaces} \
    CROSS JOIN (SELECT CONCAT(REPLACE(DATABASE(), '-', '@002d'), '/{p}') AS begins) AS ours \
    WHERE NAME IN (CONCAT(begins, 'heads'), CONCAT(begins, 'records'), CONCAT(begins, 'quarantine'), CONCAT(begins, 'hosts'))";

/// Texts of which `{p}` was replaced by the prefix.
#[derive(Debug)]
pub(super) struct Statements {
    pub(super) row: SqlStr,
    pub(super) record: SqlStr,
    pub(super) records: SqlStr,
    insert: SqlStr,
    update: SqlStr,
    put: SqlStr,
    drop: SqlStr,
    put_copy: SqlStr,
    pub(super) copies: SqlStr,
    discard: SqlStr,
    discard_one: SqlStr,
    /// As MySQL has it, and MariaDB.
    disk_bytes: [SqlStr; 2],
    pub(super) list: SqlStr,
    join: SqlStr,
    sweep: SqlStr,
    pub(super) renew: SqlStr,
    pub(super) leave: SqlStr,
    pub(super) leases: SqlStr,
}

impl Statements {
    pub(super) fn of(prefix: &str) -> Self {
        let sql = |text: &str| {
            let text = text.replace("{guard}", GUARD).replace("{p}", &format!("{prefix}_")).replace("{now}", NOW);
            AssertSqlSafe(text).into_sql_str()
        };
        Self {
            row: sql("SELECT mark, head FROM {p}heads WHERE actor = ?"),
            record: sql("SELECT h.head, r.bytes FROM {p}heads AS h LEFT JOIN {p}records AS r \
                 ON r.actor = h.actor AND r.sequence = ? AND r.digest = ? WHERE h.actor = ?"),
            records: sql("SELECT sequence, digest, bytes FROM {p}records WHERE actor = ? ORDER BY sequence, digest"),
            insert: sql("INSERT INTO {p}heads (actor, mark, head) SELECT ?, ?, ? FROM DUAL WHERE {guard}"),
            update: sql("UPDATE {p}heads SET mark = ?, head = ? WHERE actor = ? AND mark = ? AND {guard}"),
            put: sql("REPLACE INTO {p}records (actor, sequence, digest, bytes) VALUES (?, ?, ?, ?)"),
            drop: sql("DELETE FROM {p}records WHERE actor = ? AND sequence = ? AND digest = ?"),
            put_copy: sql("INSERT INTO {p}quarantine (actor, sequence, digest, description, found) \
                 VALUES (?, ?, ?, ?, ?) ON DUPLICATE KEY UPDATE actor = actor"),
            copies: sql("SELECT description, found FROM {p}quarantine WHERE actor = ? ORDER BY sequence, digest"),
            discard: sql("DELETE FROM {p}quarantine WHERE actor = ?"),
            discard_one: sql("DELETE FROM {p}quarantine WHERE actor = ? AND sequence = ? AND digest = ?"),
            disk_bytes: ["INNODB_TABLESPACES", "INNODB_SYS_TABLESPACES"]
                .map(|table| sql(&DISK_BYTES.replace("{tablespaces}", table))),
            list: sql("SELECT actor, head FROM {p}heads WHERE actor > ? ORDER BY actor LIMIT ?"),
            join: sql("INSERT INTO {p}hosts (id, node, address, ttl_ms, until_ms) VALUES (?, ?, ?, ?, {now} + ?)"),
            sweep: sql("DELETE FROM {p}hosts WHERE until_ms + ? <= {now}"),
            renew: sql("UPDATE {p}hosts SET until_ms = {now} + ttl_ms WHERE id = ? AND until_ms > {now}"),
            leave: sql("DELETE FROM {p}hosts WHERE id = ?"),
            leases: sql(&format!(
                "SELECT id, node, address, GREATEST(until_ms - {{now}}, 0) FROM {{p}}hosts \
                 WHERE until_ms + {ENDED_KEPT_MS} > {{now}} ORDER BY id"
            )),
        }
    }

    /// Whether the row was written, and all that goes with it.
    ///
    /// # Errors
    /// The server's own, of what was not written; another where that is not known.
    pub(super) async fn swap(&self, connection: &mut MySqlConnection, swap: &Swap<'_>) -> Result<bool, Error> {
        if swap.put.is_empty() && swap.dropped.is_empty() && swap.copies.is_none() {
            return self.head(connection, swap).await;
        }
        // Dropped anywhere before its commit, it is rolled back.
        let mut transaction = connection.begin().await?;
        if !self.head(&mut transaction, swap).await? {
            return transaction.rollback().await.map(|()| false);
        }
        let name = swap.actor.as_str().as_bytes();
        for (record, bytes) in &swap.put {
            let (sequence, digest) = numbers(record);
            let query = sqlx::query(self.put.clone()).bind(name).bind(sequence).bind(digest).bind(bytes.as_slice());
            query.execute(&mut *transaction).await?;
        }
        for record in swap.dropped {
            let (sequence, digest) = numbers(record);
            let query = sqlx::query(self.drop.clone()).bind(name).bind(sequence).bind(digest);
            query.execute(&mut *transaction).await?;
        }
        if let Some(copies) = &swap.copies {
            self.discard(&mut transaction, swap.actor, None).await?;
            for copy in copies {
                self.put_copy(&mut transaction, swap.actor, copy).await?;
            }
        }
        // Whatever is wrong with a commit, what it did is not known.
        transaction.commit().await.map(|()| true).map_err(|error| Error::Protocol(sql::words(&error)))
    }

    async fn head(&self, connection: &mut MySqlConnection, swap: &Swap<'_>) -> Result<bool, Error> {
        let name = swap.actor.as_str().as_bytes();
        let (runs, ended) = swap.guard.split();
        let (runs, ended) = (runs.map(str::as_bytes), ended.map(str::as_bytes));
        let query = match swap.expect {
            None => sqlx::query(self.insert.clone()).bind(name).bind(signed(swap.mark)).bind(&swap.head),
            Some(mark) => {
                let query = sqlx::query(self.update.clone()).bind(signed(swap.mark)).bind(&swap.head);
                query.bind(name).bind(signed(mark))
            }
        };
        let done = query.bind(runs).bind(runs).bind(ended).bind(ended).execute(connection).await?;
        Ok(done.rows_affected() == 1)
    }

    pub(super) async fn discard(
        &self,
        connection: &mut MySqlConnection,
        actor: &ActorName,
        record: Option<(i64, Vec<u8>)>,
    ) -> Result<u64, Error> {
        let name = actor.as_str().as_bytes();
        let query = match record {
            None => sqlx::query(self.discard.clone()).bind(name),
            Some((sequence, digest)) => sqlx::query(self.discard_one.clone()).bind(name).bind(sequence).bind(digest),
        };
        Ok(query.execute(connection).await?.rows_affected())
    }

    /// Bytes of the tables' files; none where the server does not tell this user, or keeps them in one file with others.
    pub(super) async fn disk_bytes(&self, connection: &mut MySqlConnection) -> Result<Option<u64>, Error> {
        for text in &self.disk_bytes {
            match sqlx::query_as::<_, (Option<i64>, i64)>(text.clone()).fetch_one(&mut *connection).await {
                Ok((bytes, 4)) => return Ok(bytes.and_then(|bytes| u64::try_from(bytes).ok())),
                Ok(_) => return Ok(None),
                // ER_UNKNOWN_TABLE, and ER_SPECIFIC_ACCESS_DENIED_ERROR without the right PROCESS.
                Err(error) if number(&error) == Some(1109) => {}
                Err(error) if number(&error) == Some(1227) => return Ok(None),
                Err(error) => return Err(error),
            }
        }
        Ok(None)
    }

    pub(super) async fn put_copy(
        &self,
        connection: &mut MySqlConnection,
        actor: &ActorName,
        copy: &Copied,
    ) -> Result<(), Error> {
        let query = sqlx::query(self.put_copy.clone())
            .bind(actor.as_str().as_bytes())
            .bind(signed(copy.place.sequence))
            .bind(&copy.place.digest[..])
            .bind(&copy.description)
            .bind(&copy.place.bytes);
        query.execute(connection).await.map(drop)
    }

    /// Joins. Those that ended long ago are taken off the list.
    ///
    /// # Errors
    /// A duplicate key where the id is known.
    pub(super) async fn join(
        &self,
        connection: &mut MySqlConnection,
        host: &NewHost,
        ttl_ms: u64,
    ) -> Result<(), Error> {
        let kept = sqlx::query(self.sweep.clone()).bind(signed(ENDED_KEPT_MS));
        kept.execute(&mut *connection).await?;
        let query = sqlx::query(self.join.clone())
            .bind(host.id.as_bytes())
            .bind(&host.node)
            .bind(host.address.as_deref())
            .bind(signed(ttl_ms))
            .bind(signed(ttl_ms));
        query.execute(connection).await.map(drop)
    }
}
