//! WASI 0.2: clocks and randomness answer, standard output becomes log lines; files, environment and network are there
//! as far as they are granted.

use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicIsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use bytes::Bytes;
use tokio::io::AsyncWrite;
use wasmtime::component::{Linker, ResourceTable};
use wasmtime_wasi::cli::{IsTerminal, StdoutStream};
use wasmtime_wasi::p2::{OutputStream, Pollable, StreamResult};
use wasmtime_wasi::{WasiCtx, WasiCtxView, WasiView, async_trait};

use super::GuestEnv;
use super::guarded;
use super::guest::Data;
use super::http::{self, Http};
use super::imports::log_line;
use crate::model::{LimitMet, Transport, log_of};

/// The version of the interfaces as wasmtime defines them; a guest that was built for another 0.2 finds them as well.
pub(super) const WASI: &str = "0.2.12";

/// Longest line taken from a guest's standard output, in bytes; a longer one is split.
const LINE_BYTES: usize = 4 << 10;
/// Bytes that a guest may write to a standard stream at once.
const WRITE_BYTES: usize = 8 << 10;
/// Most random bytes in one request.
const RANDOM_BYTES: u64 = 64 << 10;

/// Handles that an instance may have at once: streams, pollables, clocks.
pub(super) const HANDLES: usize = 1_000;

/// One instance's WASI.
pub(super) struct Wasi {
    ctx: WasiCtx,
    pub(super) table: ResourceTable,
    pub(super) http: Http,
    /// Standard output and error, and the lines that this turn may still write to both.
    streams: [Lines; 2],
    lines_left: Arc<AtomicIsize>,
    lines: isize,
}

impl Wasi {
    pub(super) fn new(env: &GuestEnv) -> Self {
        let GuestEnv { label, limits, grants, .. } = env;
        let lines = isize::try_from(limits.turn_log_lines).unwrap_or(isize::MAX);
        let lines_left = Arc::new(AtomicIsize::new(lines));
        let streams = ["stdout", "stderr"].map(|stream| Lines::new(env, stream, &lines_left));
        let [stdout, stderr] = streams.clone();
        let mut ctx = WasiCtx::builder();
        ctx.stdout(stdout).stderr(stderr).max_random_size(RANDOM_BYTES);
        for granted in &grants.grants().env {
            if let Some(value) = &granted.value {
                ctx.env(&granted.name, value);
            }
        }
        ctx.allow_tcp(grants.has_sockets(Transport::Tcp))
            .allow_udp(grants.has_sockets(Transport::Udp))
            .allow_ip_name_lookup(!grants.grants().lookups.is_empty());
        let (asked, asker) = (grants.clone(), label.clone());
        ctx.socket_addr_check(move |address, usage| {
            let may = asked.may_use(&asker, address, usage);
            Box::pin(async move { may })
        });
        env.ambient.equip(&mut ctx);
        let mut ctx = ctx.build();
        *ctx.filesystem() = grants.files();
        let mut table = ResourceTable::new();
        table.set_max_capacity(HANDLES);
        let http = Http::new(label, grants.clone(), limits.http_timeout_ms, limits.http_body_bytes);
        Self { ctx, table, http, streams, lines_left, lines }
    }

    /// Another turn may write lines again.
    pub(super) fn new_turn(&self) {
        self.lines_left.store(self.lines, Ordering::Relaxed);
    }

    /// Nothing more comes in this turn.
    pub(super) fn end_of_turn(&self) {
        self.streams.iter().for_each(Lines::end);
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

/// A standard stream whose lines go to the log. All handles of it write to the same line: a program, and its runtime when
/// that ends it, may write a line in many pieces, and flush each.
#[derive(Clone)]
struct Lines {
    env: GuestEnv,
    stream: &'static str,
    left: Arc<AtomicIsize>,
    /// What has no end of line yet.
    line: Arc<Mutex<Vec<u8>>>,
}

impl Lines {
    fn new(env: &GuestEnv, stream: &'static str, left: &Arc<AtomicIsize>) -> Self {
        Self { env: env.clone(), stream, left: left.clone(), line: Arc::default() }
    }

    fn take(&self, bytes: &[u8]) {
        let mut line = self.line.lock().unwrap_or_else(PoisonError::into_inner);
        for &byte in bytes {
            match byte {
                b'\n' => self.emit(&mut line),
                _ => line.push(byte),
            }
            if line.len() >= LINE_BYTES {
                self.emit(&mut line);
            }
        }
    }

    /// What has no end of line is a line as well.
    fn end(&self) {
        self.emit(&mut self.line.lock().unwrap_or_else(PoisonError::into_inner));
    }

    fn emit(&self, line: &mut Vec<u8>) {
        if line.is_empty() {
            return;
        }
        let Self { env, stream, left, .. } = self;
        match left.fetch_sub(1, Ordering::Relaxed) {
            1.. if !env.may_log() => {}
            1.. => {
                let line = log_line(String::from_utf8_lossy(line).trim_end(), &[], LINE_BYTES);
                env.ambient.hear(&line);
                log_of!(info, target: "baton::guest", env.label, stream, "{line}");
            }
            0 => log_of!(
                warn, target: "baton::guest", env.label, "more lines in this turn are dropped ({})",
                LimitMet::new("turn_log_lines", env.limits.turn_log_lines)
            ),
            ..0 => {}
        }
        line.clear();
    }
}

impl IsTerminal for Lines {
    fn is_terminal(&self) -> bool {
        false
    }
}

impl StdoutStream for Lines {
    fn async_stream(&self) -> Box<dyn AsyncWrite + Send + Sync> {
        Box::new(self.clone())
    }

    fn p2_stream(&self) -> Box<dyn OutputStream> {
        Box::new(self.clone())
    }
}

#[async_trait]
impl Pollable for Lines {
    async fn ready(&mut self) {}
}

impl OutputStream for Lines {
    fn write(&mut self, bytes: Bytes) -> StreamResult<()> {
        self.take(&bytes);
        Ok(())
    }

    /// Where a line ends, its writer says by an end of line alone.
    fn flush(&mut self) -> StreamResult<()> {
        Ok(())
    }

    fn check_write(&mut self) -> StreamResult<usize> {
        Ok(WRITE_BYTES)
    }
}

impl AsyncWrite for Lines {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.take(bytes);
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}
