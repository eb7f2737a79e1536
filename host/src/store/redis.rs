//! Redis. All of an actor lies in one hash, and a write is one script: it compares the mark that was read, looks at the lease
//! of the host that writes by the server's clock, and then changes all, or nothing.

mod settings;

use std::path::PathBuf;

use ::redis::aio::MultiplexedConnection;
use ::redis::{
    AsyncConnectionConfig, Client, ClientTlsConfig, FromRedisValue, RedisError, RedisResult, Script, ScriptInvocation,
    TlsCertificates,
};
use tokio::sync::Mutex;

use super::hosts::ENDED_KEPT_MS;
use super::served::{Copied, Fault, Pair, Place, Row, Server, Swap, tls};
use super::url::{Bounds, CertificateFiles, StoreUrl, Wrong};
use super::{Durable, HostLease, NewHost, RecordRef};
use crate::model::ActorName;

/// Requests that share the connection at most; who comes later waits.
const REQUESTS: usize = 256;
/// The version of what lies under the prefix.
const VERSION: u64 = 1;
/// Where the number of that is.
const VERSION_KEY: &str = "version";
/// Names that are asked for at once.
const PAGE: u64 = 1_000;

pub(super) struct Redis {
    client: Client,
    connection: Mutex<Option<MultiplexedConnection>>,
    /// Whether it speaks TLS.
    tls: bool,
    bounds: Bounds,
    weak: bool,
    durable: Durable,
    prefix: String,
    swap: Script,
    lease: Script,
    list: Script,
}

impl std::fmt::Debug for Redis {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // The client's own words have a password in them.
        f.debug_struct("Redis").field("prefix", &self.prefix).finish_non_exhaustive()
    }
}

fn unreachable(error: &RedisError) -> Wrong {
    Wrong::Unreachable(words(error))
}

fn words(error: &RedisError) -> String {
    match (error.code(), error.detail()) {
        (Some(code), Some(detail)) => format!("{code} {detail}"),
        _ => tls::words(error).unwrap_or_else(|| error.to_string()),
    }
}

/// The certificates that the URL names; none: it names none.
fn certificates(url: &StoreUrl) -> Result<Option<TlsCertificates>, Wrong> {
    let read = |path: &Option<PathBuf>| match path {
        None => Ok(None),
        Some(path) => match std::fs::read(path) {
            Ok(pem) => Ok(Some(pem)),
            Err(error) => Err(Wrong::Unreachable(format!("{}: {error}", path.display()))),
        },
    };
    let CertificateFiles { root, own, key } = &url.files;
    let (root_cert, own, key) = (read(root)?, read(own)?, read(key)?);
    let client_tls = own.zip(key).map(|(client_cert, client_key)| ClientTlsConfig { client_cert, client_key });
    Ok((root_cert.is_some() || client_tls.is_some()).then_some(TlsCertificates { client_tls, root_cert }))
}

/// What an error means for a request that was sent.
fn fault(error: &RedisError) -> Fault {
    match error.code() {
        // It starts, has become a replica, or its script runs on: nothing was done, and another connection may do.
        Some("LOADING" | "READONLY" | "MASTERDOWN" | "BUSY" | "CLUSTERDOWN") => Fault::Gone(words(error)),
        Some(_) => Fault::Refused(words(error)),
        None if error.is_timeout() => Fault::Lost("no answer in the time that one may take".to_owned()),
        None if error.is_io_error() || error.is_connection_dropped() || error.is_unrecoverable_error() => {
            Fault::Lost(words(error))
        }
        None => Fault::Refused(words(error)),
    }
}

impl Redis {
    /// Connects, looks at the server's settings, and at the version of what lies there.
    ///
    /// # Errors
    /// Says what is wrong with the server, or with the way to it.
    pub(super) async fn connect(url: &StoreUrl) -> Result<Self, Wrong> {
        let client = match certificates(url)? {
            Some(certificates) => Client::build_with_tls(url.revealed().as_str(), certificates),
            None => Client::open(url.revealed().as_str()),
        };
        let client = client.map_err(|error| unreachable(&error))?;
        let mut made = Self {
            client,
            connection: Mutex::new(None),
            tls: url.revealed().scheme() == "rediss",
            bounds: url.bounds,
            weak: url.is_weak(),
            durable: Durable::HostLoss,
            prefix: url.space.clone(),
            swap: Script::new(include_str!("redis/swap.lua")),
            lease: Script::new(include_str!("redis/lease.lua")),
            list: Script::new(include_str!("redis/list.lua")),
        };
        let (connection, durable) = made.open().await?;
        made.durable = durable;
        made.connection = Mutex::new(Some(connection));
        Ok(made)
    }

    /// A new connection to a server that is fit.
    async fn open(&self) -> Result<(MultiplexedConnection, Durable), Wrong> {
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(self.bounds.connect_timeout))
            .set_response_timeout(Some(self.bounds.answer_timeout))
            .set_concurrency_limit(REQUESTS);
        let opened = self.client.get_multiplexed_async_connection_with_config(&config).await;
        let mut connection = opened.map_err(|error| match error.is_timeout() {
            // Whoever is greeted by TLS and knows none may take it for the beginning of a command.
            true if self.tls => Wrong::Unreachable(format!(
                "no connection for {} s; perhaps what answers there does not speak TLS",
                self.bounds.connect_timeout.as_secs_f32()
            )),
            _ => unreachable(&error),
        })?;
        let durable = settings::look(&mut connection, self.weak).await?;
        let key = self.key(VERSION_KEY);
        let mut ask = ::redis::pipe();
        ask.atomic().cmd("SETNX").arg(&key).arg(VERSION).ignore().cmd("GET").arg(&key);
        let found: RedisResult<(u64,)> = ask.query_async(&mut connection).await;
        match found.map_err(|error| unreachable(&error))?.0 {
            VERSION => Ok((connection, durable)),
            found => Err(Wrong::Schema(format!(
                "what lies there is of version {found}, which a newer release made; this one knows {VERSION}: use that \
                 release"
            ))),
        }
    }

    fn key(&self, name: &str) -> String {
        format!("{}:{name}", self.prefix)
    }

    fn actor(&self, actor: &ActorName) -> String {
        format!("{}:a:{actor}", self.prefix)
    }

    async fn connection(&self) -> Result<MultiplexedConnection, Fault> {
        let mut kept = self.connection.lock().await;
        if let Some(connection) = &*kept {
            return Ok(connection.clone());
        }
        let (connection, _) = self.open().await.map_err(|wrong| Fault::Gone(wrong.to_string()))?;
        Ok(kept.insert(connection).clone())
    }

    async fn settle<T>(&self, answer: RedisResult<T>) -> Result<T, Fault> {
        match answer {
            Ok(answer) => Ok(answer),
            Err(error) => {
                let fault = fault(&error);
                if !matches!(fault, Fault::Refused(_)) {
                    *self.connection.lock().await = None;
                }
                Err(fault)
            }
        }
    }

    async fn ask<T: FromRedisValue>(&self, command: &mut ::redis::Cmd) -> Result<T, Fault> {
        let mut connection = self.connection().await?;
        let answer = command.query_async(&mut connection).await;
        self.settle(answer).await
    }

    async fn run<T: FromRedisValue>(&self, script: &ScriptInvocation<'_>) -> Result<T, Fault> {
        let mut connection = self.connection().await?;
        let answer = script.invoke_async(&mut connection).await;
        self.settle(answer).await
    }

    async fn leases_script<T: FromRedisValue>(&self, args: &[&[u8]]) -> Result<T, Fault> {
        let mut script = self.lease.key(self.key("leases"));
        script.key(self.key("hosts"));
        for arg in args {
            script.arg(*arg);
        }
        self.run(&script).await
    }
}

/// The field of a record, or of what goes with one: a kind, the sequence, the digest.
fn field(kind: u8, sequence: u64, digest: &[u8; 32]) -> Vec<u8> {
    [&[kind, b':'][..], &sequence.to_be_bytes(), digest].concat()
}

/// The sequence and the digest of a field of that kind.
fn numbers(kind: u8, field: &[u8]) -> Option<(u64, [u8; 32])> {
    let numbers = field.strip_prefix(&[kind, b':'])?;
    let (sequence, digest) = numbers.split_first_chunk::<8>()?;
    Some((u64::from_be_bytes(*sequence), digest.try_into().ok()?))
}

/// The value of a mark; none for bytes that are none.
fn mark(bytes: &[u8]) -> Option<u64> {
    bytes.try_into().ok().map(u64::from_be_bytes)
}

impl Server for Redis {
    fn backend(&self) -> &'static str {
        "redis"
    }

    fn durable(&self) -> Durable {
        self.durable
    }

    fn largest_record(&self) -> usize {
        self.bounds.largest_record
    }

    async fn probe(&self) -> Result<(), Wrong> {
        let (connection, _) = self.open().await?;
        *self.connection.lock().await = Some(connection);
        Ok(())
    }

    async fn close(&self) {
        *self.connection.lock().await = None;
    }

    async fn row(&self, actor: &ActorName) -> Result<Option<Row>, Fault> {
        let mut command = ::redis::cmd("HMGET");
        let found: (Option<Vec<u8>>, Option<Vec<u8>>) =
            self.ask(command.arg(self.actor(actor)).arg("m").arg("h")).await?;
        Ok(found.0.as_deref().and_then(mark).map(|mark| Row { mark, head: found.1.unwrap_or_default() }))
    }

    async fn record(&self, actor: &ActorName, record: &RecordRef) -> Result<Option<Pair>, Fault> {
        let mut command = ::redis::cmd("HMGET");
        let field = field(b'r', record.sequence, &record.digest.0);
        let found: (Option<Vec<u8>>, Option<Vec<u8>>) =
            self.ask(command.arg(self.actor(actor)).arg("h").arg(field)).await?;
        Ok(found.0.map(|head| (head, found.1.unwrap_or_default())))
    }

    async fn records(&self, actor: &ActorName) -> Result<Vec<Place>, Fault> {
        let all: Vec<(Vec<u8>, Vec<u8>)> = self.ask(::redis::cmd("HGETALL").arg(self.actor(actor))).await?;
        let place = |(field, bytes): (Vec<u8>, Vec<u8>)| {
            numbers(b'r', &field).map(|(sequence, digest)| Place { sequence, digest, bytes })
        };
        Ok(all.into_iter().filter_map(place).collect())
    }

    async fn swap(&self, swap: &Swap<'_>) -> Result<bool, Fault> {
        let (runs, ended) = swap.guard.split();
        let mut script = self.swap.key(self.actor(swap.actor));
        script.key(self.key("names")).key(self.key("leases"));
        let expect = swap.expect.map(u64::to_be_bytes);
        script.arg(expect.as_ref().map_or(&b""[..], |mark| &mark[..])).arg(&swap.mark.to_be_bytes()[..]);
        script.arg(swap.head.as_slice()).arg(swap.actor.as_str());
        script.arg(runs.unwrap_or_default()).arg(ended.unwrap_or_default()).arg(u8::from(swap.copies.is_some()));
        let copies = swap.copies.iter().flatten();
        script.arg(swap.put.len() + copies.clone().count() * 2);
        for (record, bytes) in &swap.put {
            script.arg(field(b'r', record.sequence, &record.digest.0)).arg(bytes.as_slice());
        }
        for Copied { place, description } in copies {
            script.arg(field(b'q', place.sequence, &place.digest)).arg(description.as_slice());
            script.arg(field(b'f', place.sequence, &place.digest)).arg(place.bytes.as_slice());
        }
        script.arg(swap.dropped.len());
        for record in swap.dropped {
            script.arg(field(b'r', record.sequence, &record.digest.0));
        }
        self.run::<u8>(&script).await.map(|done| done == 1)
    }

    async fn put_copy(&self, actor: &ActorName, copy: &Copied) -> Result<(), Fault> {
        let (key, Copied { place, description }) = (self.actor(actor), copy);
        let fields = [b'f', b'q'].map(|kind| field(kind, place.sequence, &place.digest));
        let mut both = ::redis::pipe();
        both.atomic().cmd("HSETNX").arg(&key).arg(&fields[0]).arg(&place.bytes).ignore();
        both.cmd("HSETNX").arg(&key).arg(&fields[1]).arg(description).ignore();
        let mut connection = self.connection().await?;
        let answer = both.query_async::<()>(&mut connection).await;
        self.settle(answer).await
    }

    async fn copies(&self, actor: &ActorName) -> Result<Vec<Pair>, Fault> {
        let key = self.actor(actor);
        let fields: Vec<Vec<u8>> = self.ask(::redis::cmd("HKEYS").arg(&key)).await?;
        let mut places: Vec<_> = fields.iter().filter_map(|field| numbers(b'q', field)).collect();
        places.sort_unstable();
        let mut found = Vec::new();
        for (sequence, digest) in places {
            let fields = [b'q', b'f'].map(|kind| field(kind, sequence, &digest));
            let mut command = ::redis::cmd("HMGET");
            let both: (Option<Vec<u8>>, Option<Vec<u8>>) =
                self.ask(command.arg(&key).arg(&fields[0]).arg(&fields[1])).await?;
            // One that was discarded meanwhile is not there any more.
            found.extend(both.0.map(|description| (description, both.1.unwrap_or_default())));
        }
        Ok(found)
    }

    async fn discard(&self, actor: &ActorName, record: Option<&RecordRef>) -> Result<u64, Fault> {
        let key = self.actor(actor);
        let places = match record {
            Some(record) => vec![(record.sequence, record.digest.0)],
            None => {
                let fields: Vec<Vec<u8>> = self.ask(::redis::cmd("HKEYS").arg(&key)).await?;
                fields.iter().filter_map(|field| numbers(b'q', field)).collect()
            }
        };
        let mut gone = 0;
        for (sequence, digest) in places {
            let mut command = ::redis::cmd("HDEL");
            command.arg(&key);
            command.arg(field(b'q', sequence, &digest)).arg(field(b'f', sequence, &digest));
            gone += u64::from(self.ask::<u64>(&mut command).await? > 0);
        }
        Ok(gone)
    }

    async fn disk_bytes(&self) -> Result<Option<u64>, Fault> {
        // Its one file holds all that lies in the server, whoever's it is.
        Ok(None)
    }

    async fn list(&self, after: Option<&ActorName>, limit: u64) -> Result<Vec<Pair>, Fault> {
        let mut listed: Vec<Pair> = Vec::new();
        // A script holds up everybody else, so that none does much.
        while (listed.len() as u64) < limit {
            let page = PAGE.min(limit - listed.len() as u64);
            let after = listed.last().map_or(after.map_or(&b""[..], |name| name.as_str().as_bytes()), |(name, _)| name);
            let mut script = self.list.key(self.key("names"));
            script.arg(after).arg(page).arg(self.key("a:"));
            let found: Vec<Pair> = self.run(&script).await?;
            let last = (found.len() as u64) < page;
            listed.extend(found);
            if last {
                break;
            }
        }
        Ok(listed)
    }

    async fn join(&self, host: &NewHost, ttl_ms: u64) -> Result<bool, Fault> {
        let description = serde_json::json!({ "node": host.node, "address": host.address }).to_string();
        let (ttl, kept) = (ttl_ms.to_string(), ENDED_KEPT_MS.to_string());
        let args = [&b"join"[..], host.id.as_bytes(), ttl.as_bytes(), description.as_bytes(), kept.as_bytes()];
        self.leases_script::<u8>(&args).await.map(|joined| joined == 1)
    }

    async fn renew(&self, id: &str) -> Result<bool, Fault> {
        self.leases_script::<u8>(&[b"renew", id.as_bytes()]).await.map(|runs| runs == 1)
    }

    async fn leave(&self, id: &str) -> Result<(), Fault> {
        self.leases_script::<u8>(&[b"leave", id.as_bytes()]).await.map(drop)
    }

    async fn leases(&self) -> Result<Vec<HostLease>, Fault> {
        let kept = ENDED_KEPT_MS.to_string();
        let found: Vec<(String, String, u64)> = self.leases_script(&[b"list", kept.as_bytes()]).await?;
        let mut leases: Vec<_> =
            found.into_iter().map(|(id, description, left_ms)| lease(id, &description, left_ms)).collect();
        leases.sort_by(|one, other| one.id.cmp(&other.id));
        Ok(leases)
    }
}

/// A lease, from what `join` wrote: the time to live, and then what the host is.
fn lease(id: String, description: &str, left_ms: u64) -> HostLease {
    let told = description.split_once(' ').map_or("", |(_, told)| told);
    let told: serde_json::Value = serde_json::from_str(told).unwrap_or_default();
    let text = |key: &str| told[key].as_str().map(str::to_owned);
    HostLease { id, node: text("node").unwrap_or_default(), address: text("address"), left_ms }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_found_by_its_field_and_by_no_other() {
        let digest = [7; 32];
        let field = field(b'r', 0x0102, &digest);
        assert_eq!(field.len(), 42);
        assert_eq!(numbers(b'r', &field), Some((0x0102, digest)));
        for other in [&b""[..], b"m", b"h", &field[..41], &[&field[..], b"x"].concat()] {
            assert_eq!(numbers(b'r', other), None, "{other:?}");
        }
        assert_eq!(numbers(b'q', &field), None);
        assert_eq!((mark(b"12345678"), mark(b"1")), (Some(u64::from_be_bytes(*b"12345678")), None));
    }

    #[test]
    fn a_lease_is_what_its_host_said() {
        let found = lease("a".into(), r#"500 {"node":"n 1","address":null}"#, 7);
        assert_eq!(found, HostLease { id: "a".into(), node: "n 1".into(), address: None, left_ms: 7 });
        assert_eq!(lease("a".into(), "x", 0).node, "");
    }
}
