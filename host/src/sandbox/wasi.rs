//! WASI 0.2: clocks and randomness answer, standard output becomes log lines; files, environment and network are there
//! as far as they are granted.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicIsize, Ordering};
use std::task::{Context, Poll};

use tokio::io::AsyncWrite;
use wasmtime::component::{Linker, ResourceTable};
use wasmtime_wasi::cli::{IsTerminal, StdoutStream};
use wasmtime_wasi::{WasiCtx, WasiCtxView, WasiView};

use super::GuestEnv;
use super::guarded;
use super::guest::Data;
use super::http::{self, Http};
use super::imports::log_line;
use crate::model::{LimitMet, Transport};

/// The version of the interfaces as wasmtime defines them; a guest that was built for another 0.2 finds them as well.
pub(super) const WASI: &str = "0.2.12";

/// Longest line taken from a guest's standard output, in bytes; a longer one is split.
const LINE_BYTES: usize = 4 << 10;
/// Most random bytes in one request.
const RANDOM_BYTES: u64 = 64 << 10;

/// Handles that an instance may have at once: streams, pollables, clocks.
pub(super) const HANDLES: usize = 1_000;

/// One instance's WASI.
pub(super) struct Wasi {
    ctx: WasiCtx,
    pub(super) table: ResourceTable,
    pub(super) http: Http,
    /// Lines that this turn may still write.
    lines_left: Arc<AtomicIsize>,
    lines: isize,
}

impl Wasi {
    pub(super) fn new(env: &GuestEnv) -> Self {
        let GuestEnv { actor, limits, grants, .. } = env;
        let lines = isize::try_from(limits.turn_log_lines).unwrap_or(isize::MAX);
        let lines_left = Arc::new(AtomicIsize::new(lines));
        let stream = |stream| Lines { env: env.clone(), stream, left: lines_left.clone() };
        let mut ctx = WasiCtx::builder();
        ctx.stdout(stream("stdout")).stderr(stream("stderr")).max_random_size(RANDOM_BYTES);
        for granted in &grants.grants().env {
            if let Some(value) = &granted.value {
                ctx.env(&granted.name, value);
            }
        }
        ctx.allow_tcp(grants.has_sockets(Transport::Tcp))
            .allow_udp(grants.has_sockets(Transport::Udp))
            .allow_ip_name_lookup(!grants.grants().lookups.is_empty());
        let (asked, asker) = (grants.clone(), actor.clone());
        ctx.socket_addr_check(move |address, usage| {
            let may = asked.may_use(&asker, address, usage);
            Box::pin(async move { may })
        });
        env.ambient.equip(&mut ctx);
        let mut ctx = ctx.build();
        *ctx.filesystem() = grants.files();
        let mut table = ResourceTable::new();
        table.set_max_capacity(HANDLES);
        let http = Http::new(actor, grants.clone(), limits.http_timeout_ms, limits.http_body_bytes);
        Self { ctx, table, http, lines_left, lines }
    }

    /// Another turn may write lines again.
    pub(super) fn new_turn(&self) {
        self.lines_left.store(self.lines, Ordering::Relaxed);
    }
}

impl WasiView for Data {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        let wasi = self.wasi();
        WasiCtxView { ctx: &mut wasi.ctx, table: &mut wasi.table }
    }
}

impl Data {
    pub(super) fn wasi(&mut self) -> &mut Wasi {
        // A component without WASI imports never comes here; one with them was given one when it was made.
        self.wasi.get_or_insert_with(|| Box::new(Wasi::new(&self.env)))
    }

    /// What the guest has handles of.
    pub(super) fn open_things(&mut self) -> impl Iterator<Item = &mut (dyn std::any::Any + Send)> {
        self.wasi().table.iter_mut()
    }

    pub(super) fn requests_under_way(&self) -> usize {
        self.wasi.as_ref().map_or(0, |wasi| wasi.http.under_way())
    }
}

pub(super) fn add_to(linker: &mut Linker<Data>) -> wasmtime::Result<()> {
    wasmtime_wasi::p2::add_to_linker_async(linker)?;
    guarded::add_to(linker)?;
    http::add_to(linker)
}

/// A standard stream whose lines go to the log.
#[derive(Clone)]
struct Lines {
    env: GuestEnv,
    stream: &'static str,
    left: Arc<AtomicIsize>,
}

impl IsTerminal for Lines {
    fn is_terminal(&self) -> bool {
        false
    }
}

impl StdoutStream for Lines {
    fn async_stream(&self) -> Box<dyn AsyncWrite + Send + Sync> {
        Box::new(LineWriter { to: self.clone(), line: Vec::new() })
    }
}

struct LineWriter {
    to: Lines,
    line: Vec<u8>,
}

impl LineWriter {
    fn emit(&mut self) {
        let line = std::mem::take(&mut self.line);
        if line.is_empty() {
            return;
        }
        let Lines { env, stream, left } = &self.to;
        let actor = &env.actor;
        match left.fetch_sub(1, Ordering::Relaxed) {
            1.. if !env.may_log() => {}
            1.. => {
                let line = log_line(String::from_utf8_lossy(&line).trim_end(), &[], LINE_BYTES);
                env.ambient.hear(&line);
                tracing::info!(target: "baton::guest", %actor, stream, "{line}");
            }
            0 => tracing::warn!(
                target: "baton::guest", %actor, "more lines in this turn are dropped ({})",
                LimitMet::new("turn_log_lines", env.limits.turn_log_lines)
            ),
            ..0 => {}
        }
    }
}

impl AsyncWrite for LineWriter {
    fn poll_write(mut self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        for &byte in bytes {
            match byte {
                b'\n' => self.emit(),
                _ => self.line.push(byte),
            }
            if self.line.len() >= LINE_BYTES {
                self.emit();
            }
        }
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.emit();
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_flush(cx)
    }
}

impl Drop for LineWriter {
    fn drop(&mut self) {
        self.emit();
    }
}
