//! What servers of SQL have in common: their errors, their pools, and their migrations.

use std::borrow::Cow;
use std::future::Future;
use std::time::Duration;

use sqlx::migrate::{Migrate, MigrateError, Migration, MigrationType, Migrator};
use sqlx::pool::PoolConnection;
use sqlx::{AssertSqlSafe, Database, Error, Pool, SqlSafeStr as _};

use super::super::url::{Bounds, Wrong};
use super::super::{HostLease, RecordRef};
use super::{Fault, Pair, Place, Row, tls};

/// What the library says of a server that was asked for TLS and has none.
const NO_TLS: &str = "server does not support TLS";
/// And of MySQL, where a password would have to go without TLS.
const NO_RSA: &str = "RSA auth backend disabled";
/// How long an idle connection stays in the pool.
pub(in crate::store) const IDLE: Duration = Duration::from_secs(60);

/// How long a connection may have been idle that is used without being tested first.
pub(in crate::store) const TRUSTED: Duration = Duration::from_secs(1);

/// What an error says. Not `PoolTimedOut` alone: its own words do not say whose pool.
pub(in crate::store) fn words(error: &Error) -> String {
    match error {
        Error::PoolTimedOut => "no connection was free in the time that one may take".to_owned(),
        Error::Database(database) => match database.code() {
            Some(code) => format!("{} ({code})", database.message()),
            None => database.message().to_owned(),
        },
        Error::Configuration(why) if why.to_string().starts_with(NO_RSA) => {
            "the server asks for the password, and has no TLS by which it could be told: turn it on there".to_owned()
        }
        Error::Configuration(why) => why.to_string(),
        Error::Tls(why) => match tls::words(why.as_ref()) {
            Some(said) => said,
            None if why.to_string() == NO_TLS => {
                "the server has no TLS, which the URL asks for: turn it on there, or ask for less with `sslmode`"
                    .to_owned()
            }
            None => why.to_string(),
        },
        other => tls::words(other).unwrap_or_else(|| other.to_string()),
    }
}

/// What an error means for a statement that was sent.
pub(in crate::store) fn fault(error: &Error, is_gone: fn(&str) -> bool) -> Fault {
    match error {
        Error::Database(database) => {
            let gone = database.code().is_some_and(|code| is_gone(&code));
            if gone { Fault::Lost(words(error)) } else { Fault::Refused(words(error)) }
        }
        Error::ColumnDecode { .. } | Error::Decode(_) | Error::Encode(_) | Error::TypeNotFound { .. } => {
            Fault::Refused(words(error))
        }
        _ => Fault::Lost(words(error)),
    }
}

/// A connection of the pool, tested if it was idle for long.
///
/// # Errors
/// `Gone`: nothing was asked.
pub(in crate::store) async fn acquire<DB: Database>(
    pool: &Pool<DB>,
    bounds: &Bounds,
) -> Result<PoolConnection<DB>, Fault> {
    // The pool has its own bound; a server that is stopped can hold up the test beyond it.
    match tokio::time::timeout(bounds.acquire_timeout + Duration::from_secs(1), pool.acquire()).await {
        Ok(Ok(connection)) => Ok(connection),
        Ok(Err(error)) => Err(Fault::Gone(words(&error))),
        Err(_) => Err(Fault::Gone(words(&Error::PoolTimedOut))),
    }
}

/// Waits for an answer. A connection whose answer is lost is never used again.
pub(in crate::store) async fn answered<DB: Database, T>(
    connection: &mut PoolConnection<DB>,
    bounds: &Bounds,
    is_gone: fn(&str) -> bool,
    asked: impl AsyncFnOnce(&mut DB::Connection) -> Result<T, Error>,
) -> Result<T, Fault> {
    let timeout = bounds.answer_timeout;
    let outcome = match tokio::time::timeout(timeout, asked(&mut *connection)).await {
        Ok(Ok(answer)) => return Ok(answer),
        Ok(Err(error)) => fault(&error, is_gone),
        Err(_) => Fault::Lost(format!("no answer for {} s", timeout.as_secs_f32())),
    };
    if !matches!(outcome, Fault::Refused(_)) {
        connection.close_on_drop();
    }
    Err(outcome)
}

/// A number that is compared, and never computed with, as the server has it.
pub(in crate::store) fn signed(number: u64) -> i64 {
    i64::from_ne_bytes(number.to_ne_bytes())
}

/// And back.
pub(in crate::store) fn unsigned(number: i64) -> u64 {
    u64::from_ne_bytes(number.to_ne_bytes())
}

/// A sequence and the digest that goes with it, as the server takes them.
pub(in crate::store) fn numbers(record: &RecordRef) -> (i64, Vec<u8>) {
    (signed(record.sequence), record.digest.0.to_vec())
}

/// An actor's row, from its mark and its head.
pub(in crate::store) fn row((mark, head): (i64, Vec<u8>)) -> Row {
    Row { mark: unsigned(mark), head }
}

/// A record, from its sequence, its digest and its bytes.
pub(in crate::store) fn place((sequence, found, bytes): (i64, Vec<u8>, Vec<u8>)) -> Place {
    let mut digest = [0; 32];
    digest.iter_mut().zip(found).for_each(|(to, from)| *to = from);
    Place { sequence: unsigned(sequence), digest, bytes }
}

/// A head, and the record that was asked for with it, as far as that is there.
pub(in crate::store) fn pair((head, record): (Vec<u8>, Option<Vec<u8>>)) -> Pair {
    (head, record.unwrap_or_default())
}

/// A lease, from its id, its node, its address, and for how long it runs.
pub(in crate::store) fn lease((id, node, address, left): (Vec<u8>, String, Option<String>, i64)) -> HostLease {
    let id = String::from_utf8_lossy(&id).into_owned();
    HostLease { id, node, address, left_ms: u64::try_from(left).unwrap_or_default() }
}

/// Connects once, within bounds, so that what is wrong is told as it is.
///
/// # Errors
/// Says what is wrong.
pub(in crate::store) async fn once<T>(
    bounds: &Bounds,
    work: impl Future<Output = Result<T, Wrong>>,
) -> Result<T, Wrong> {
    let timeout = bounds.connect_timeout + bounds.answer_timeout;
    let late = || Wrong::Unreachable(format!("no answer for {} s", timeout.as_secs_f32()));
    tokio::time::timeout(timeout, work).await.unwrap_or_else(|_| Err(late()))
}

pub(in crate::store) fn unreachable(error: &Error) -> Wrong {
    Wrong::Unreachable(words(error))
}

/// A step from one version of the tables to the next, as it ships with this release; `{}` stands for what the names of
/// tables begin with.
pub(in crate::store) struct Step {
    pub(in crate::store) version: i64,
    pub(in crate::store) what: &'static str,
    pub(in crate::store) sql: &'static str,
}

/// Brings the tables to where this release has them, one host at a time.
///
/// # Errors
/// `Schema` where they are newer, or not what a release made.
pub(in crate::store) async fn migrate<C: Migrate>(
    connection: &mut C,
    steps: &[Step],
    before_names: &str,
    schema: Option<&str>,
) -> Result<(), Wrong> {
    let migrations = steps.iter().map(|step| {
        let sql = AssertSqlSafe(step.sql.replace("{}", before_names)).into_sql_str();
        Migration::new(step.version, Cow::Borrowed(step.what), MigrationType::Simple, sql, false)
    });
    let mut migrator = Migrator::with_migrations(migrations.collect());
    migrator.dangerous_set_table_name(format!("{before_names}migrations"));
    match schema {
        Some(schema) => drop(migrator.create_schema(schema.to_owned())),
        // The library's lock waits for ever, by a number that MariaDB does not take: whoever has no schemas has one of its own.
        None => drop(migrator.set_locking(false)),
    }
    let newest = steps.last().map_or(0, |step| step.version);
    migrator.run_direct(None, connection, false).await.map_err(|error| match error {
        MigrateError::VersionMissing(found) => Wrong::Schema(format!(
            "its tables are of version {found}, which a newer release made; this one knows {newest}: use that release"
        )),
        MigrateError::VersionMismatch(found) => Wrong::Schema(format!(
            "its tables of version {found} are not those that a release made: name another schema or prefix"
        )),
        MigrateError::Dirty(found) => Wrong::Schema(format!(
            "a newer release was cut short while it made version {found} of its tables; this one knows {newest}: start that \
             release again"
        )),
        MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _) => unreachable(&error),
        other => Wrong::Unreachable(other.to_string()),
    })
}
