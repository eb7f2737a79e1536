//! The statements, with the names of a schema's tables in them.

use sqlx::{AssertSqlSafe, Error, PgConnection, SqlSafeStr as _, SqlStr};

use super::super::NewHost;
use super::super::hosts::ENDED_KEPT_MS;
use super::super::served::sql::signed;
use super::super::served::{Copied, Swap};

use crate::model::ActorName;

/// The server's clock, in milliseconds: not that of the transaction's begin.
const NOW: &str = "(extract(epoch FROM clock_timestamp()) * 1000)::bigint";

/// Texts of which `{s}` was replaced by the schema's name.
#[derive(Debug)]
pub(super) struct Statements {
    pub(super) row: SqlStr,
    pub(super) record: SqlStr,
    pub(super) records: SqlStr,
    insert: SqlStr,
    update: SqlStr,
    put_copy: SqlStr,
    pub(super) copies: SqlStr,
    pub(super) discard: SqlStr,
    pub(super) disk_bytes: SqlStr,
    pub(super) list: SqlStr,
    join: SqlStr,
    sweep: SqlStr,
    pub(super) renew: SqlStr,
    pub(super) leave: SqlStr,
    pub(super) leases: SqlStr,
}

/// What makes a swap one step: it all hangs on the one row that was written, or was not.
///
/// 1 the actor, 2 the new mark, 3 the new head, 4 whose lease must run, 5 whose must not, 6 to 8 the records to put, 9 and 10
/// those to drop, 11 the mark that was read.
fn swap(head: &str) -> String {
    let guard = "($4::bytea IS NULL OR EXISTS (SELECT 1 FROM {s}.hosts WHERE id = $4 AND until_ms > {now})) \
                 AND ($5::bytea IS NULL OR NOT EXISTS (SELECT 1 FROM {s}.hosts WHERE id = $5 AND until_ms > {now}))";
    let head = head.replace("{guard}", guard);
    format!(
        "WITH swapped AS ({head} RETURNING 1), \
         put AS (INSERT INTO {{s}}.records (actor, sequence, digest, bytes) \
            SELECT $1, new.* FROM unnest($6::bigint[], $7::bytea[], $8::bytea[]) AS new \
            WHERE EXISTS (SELECT 1 FROM swapped) \
            ON CONFLICT (actor, sequence, digest) DO UPDATE SET bytes = excluded.bytes), \
         dropped AS (DELETE FROM {{s}}.records AS old USING unnest($9::bigint[], $10::bytea[]) AS gone (sequence, digest) \
            WHERE old.actor = $1 AND old.sequence = gone.sequence AND old.digest = gone.digest \
            AND EXISTS (SELECT 1 FROM swapped)) \
         SELECT count(*) FROM swapped"
    )
}

impl Statements {
    pub(super) fn of(schema: &str) -> Self {
        let sql = |text: &str| AssertSqlSafe(text.replace("{s}", schema).replace("{now}", NOW)).into_sql_str();
        let update = swap("UPDATE {s}.heads SET mark = $2, head = $3 WHERE actor = $1 AND mark = $11 AND {guard}");
        let insert = swap(
            "INSERT INTO {s}.heads (actor, mark, head) SELECT $1, $2, $3 WHERE $11::bigint IS NULL AND {guard} \
             ON CONFLICT (actor) DO NOTHING",
        );
        Self {
            row: sql("SELECT mark, head FROM {s}.heads WHERE actor = $1"),
            record: sql("SELECT h.head, r.bytes FROM {s}.heads AS h LEFT JOIN {s}.records AS r \
                 ON r.actor = h.actor AND r.sequence = $2 AND r.digest = $3 WHERE h.actor = $1"),
            records: sql("SELECT sequence, digest, bytes FROM {s}.records WHERE actor = $1 ORDER BY sequence, digest"),
            insert: sql(&insert),
            update: sql(&update),
            put_copy: sql("INSERT INTO {s}.quarantine (actor, sequence, digest, description, found) \
                 VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING"),
            copies: sql("SELECT description, found FROM {s}.quarantine WHERE actor = $1 ORDER BY sequence, digest"),
            discard: sql("DELETE FROM {s}.quarantine WHERE actor = $1 \
                 AND ($2::bigint IS NULL OR sequence = $2) AND ($3::bytea IS NULL OR digest = $3)"),
            disk_bytes: sql("SELECT (pg_total_relation_size('{s}.heads') + pg_total_relation_size('{s}.records') \
                 + pg_total_relation_size('{s}.quarantine') + pg_total_relation_size('{s}.hosts'))::bigint"),
            list: sql("SELECT actor, head FROM {s}.heads WHERE actor > $1 ORDER BY actor LIMIT $2"),
            join: sql("INSERT INTO {s}.hosts (id, node, address, ttl_ms, until_ms) \
                 VALUES ($1, $2, $3, $4, {now} + $4) ON CONFLICT (id) DO NOTHING"),
            sweep: sql("DELETE FROM {s}.hosts WHERE until_ms + $1 <= {now}"),
            renew: sql("UPDATE {s}.hosts SET until_ms = {now} + ttl_ms WHERE id = $1 AND until_ms > {now}"),
            leave: sql("DELETE FROM {s}.hosts WHERE id = $1"),
            leases: sql(&format!(
                "SELECT id, node, address, greatest(until_ms - {{now}}, 0) FROM {{s}}.hosts \
                 WHERE until_ms + {ENDED_KEPT_MS} > {{now}} ORDER BY id"
            )),
        }
    }

    /// Whether the row was written, and all that goes with it.
    pub(super) async fn swap(&self, connection: &mut PgConnection, swap: &Swap<'_>) -> Result<bool, Error> {
        let text = if swap.expect.is_some() { &self.update } else { &self.insert };
        let (runs, ended) = swap.guard.split();
        let put = || swap.put.iter().map(|(record, _)| record);
        let sequences: Vec<i64> = put().map(|record| signed(record.sequence)).collect();
        let digests: Vec<&[u8]> = put().map(|record| &record.digest.0[..]).collect();
        let bytes: Vec<&[u8]> = swap.put.iter().map(|(_, bytes)| bytes.as_slice()).collect();
        let dropped: Vec<i64> = swap.dropped.iter().map(|record| signed(record.sequence)).collect();
        let dropped_digests: Vec<&[u8]> = swap.dropped.iter().map(|record| &record.digest.0[..]).collect();
        let swapped: i64 = sqlx::query_scalar(text.clone())
            .bind(swap.actor.as_str().as_bytes())
            .bind(signed(swap.mark))
            .bind(&swap.head)
            .bind(runs.map(str::as_bytes))
            .bind(ended.map(str::as_bytes))
            .bind(sequences)
            .bind(digests)
            .bind(bytes)
            .bind(dropped)
            .bind(dropped_digests)
            .bind(swap.expect.map(signed))
            .fetch_one(connection)
            .await?;
        Ok(swapped == 1)
    }

    pub(super) async fn replace_copies(
        &self,
        connection: &mut PgConnection,
        actor: &ActorName,
        copies: &[Copied],
    ) -> Result<(), Error> {
        let none: (Option<i64>, Option<&[u8]>) = (None, None);
        let name = actor.as_str().as_bytes();
        let query = sqlx::query(self.discard.clone()).bind(name).bind(none.0).bind(none.1);
        query.execute(&mut *connection).await?;
        for copy in copies {
            self.put_copy(connection, actor, copy).await?;
        }
        Ok(())
    }

    pub(super) async fn put_copy(
        &self,
        connection: &mut PgConnection,
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

    /// Whether it joined. Those that ended long ago are taken off the list.
    pub(super) async fn join(&self, connection: &mut PgConnection, host: &NewHost, ttl_ms: u64) -> Result<bool, Error> {
        let kept = sqlx::query(self.sweep.clone()).bind(signed(ENDED_KEPT_MS));
        kept.execute(&mut *connection).await?;
        let query = sqlx::query(self.join.clone())
            .bind(host.id.as_bytes())
            .bind(&host.node)
            .bind(host.address.as_deref())
            .bind(signed(ttl_ms));
        Ok(query.execute(connection).await?.rows_affected() == 1)
    }
}
