//! WASI 0.2 with nothing granted: clocks and randomness answer, standard output becomes log lines, and there are no
//! files, no environment and no network.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::AsyncWrite;
use wasmtime::component::{Linker, ResourceTable};
use wasmtime_wasi::cli::{IsTerminal, StdoutStream};
use wasmtime_wasi::{WasiCtx, WasiCtxView, WasiView};

use super::guest::Data;
use crate::model::ActorName;

/// Longest line taken from a guest's standard output, in bytes; a longer one is split.
const LINE_BYTES: usize = 4 << 10;
/// Most random bytes in one request.
const RANDOM_BYTES: u64 = 64 << 10;

/// One instance's WASI.
pub(super) struct Wasi {
    ctx: WasiCtx,
    table: ResourceTable,
}

impl Wasi {
    pub(super) fn new(actor: &ActorName) -> Self {
        let mut ctx = WasiCtx::builder();
        ctx.stdout(Lines::of(actor, "stdout")).stderr(Lines::of(actor, "stderr")).max_random_size(RANDOM_BYTES);
        Self { ctx: ctx.build(), table: ResourceTable::new() }
    }
}

impl WasiView for Data {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        // A component without WASI imports never comes here; one with them was given one when it was made.
        let wasi = self.wasi.get_or_insert_with(|| Box::new(Wasi::new(&self.env.actor)));
        WasiCtxView { ctx: &mut wasi.ctx, table: &mut wasi.table }
    }
}

pub(super) fn add_to(linker: &mut Linker<Data>) -> wasmtime::Result<()> {
    wasmtime_wasi::p2::add_to_linker_async(linker)
}

/// A standard stream whose lines go to the log.
#[derive(Clone)]
struct Lines {
    actor: ActorName,
    stream: &'static str,
}

impl Lines {
    fn of(actor: &ActorName, stream: &'static str) -> Self {
        Self { actor: actor.clone(), stream }
    }
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
        if !self.line.is_empty() {
            let line = String::from_utf8_lossy(&self.line);
            tracing::info!(target: "baton::guest", actor = %self.to.actor, stream = self.to.stream, "{}", line.trim_end());
            self.line.clear();
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
