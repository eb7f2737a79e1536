//! What the host logs, kept in memory for those who ask over the API: a bounded ring that a layer of `tracing` fills. Nobody
//! who logs waits for anybody who reads.
//!
//! ```no_run
//! use baton_host::Host;
//! use baton_host::logs::Logs;
//! use tracing_subscriber::prelude::*;
//!
//! # async fn run() -> Result<(), Box<dyn std::error::Error>> {
//! let logs = Logs::new();
//! tracing_subscriber::registry().with(logs.layer()).init();
//! let host = Host::builder().logs(logs).plugin_file("counter.wasm").build().await?;
//! # Ok(())
//! # }
//! ```

mod layer;
mod line;
mod writer;

use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::events::{Feed, Missed, Most, Reader, first_sequence};
use crate::model::NameOrPattern;
pub use layer::LogLayer;
pub use line::{LogLevel, LogLine};
pub use writer::{LogWriter, WAITING_LINE_BYTES, WAITING_LINES};

/// Lines that are kept in memory; older ones make room.
pub const KEPT_LINES: usize = 8_192;
/// What they may take in memory, in bytes: of long ones fewer are kept.
pub const KEPT_LINE_BYTES: usize = 8 << 20;

/// The log of one host; all clones are the same.
#[derive(Debug, Clone)]
pub struct Logs {
    feed: Feed<LogLine>,
    /// Lines that no writer could write.
    dropped: Arc<AtomicU64>,
}

impl Default for Logs {
    fn default() -> Self {
        Self::new()
    }
}

impl Logs {
    /// An empty one. What fills it is its [layer](Logs::layer), and who reads it is the host that it is [given
    /// to](crate::HostBuilder::logs).
    #[must_use]
    pub fn new() -> Self {
        let feed = Feed::new(first_sequence(), Most { kept: KEPT_LINES, bytes: KEPT_LINE_BYTES });
        Self { feed, dropped: Arc::default() }
    }

    /// What fills it: a layer for the process's subscriber. What is logged and by whom is decided there, by its filters.
    #[must_use]
    pub fn layer(&self) -> LogLayer {
        LogLayer::new(self.feed.clone())
    }

    /// Where the process's subscriber writes what it logs, for one of its layers: a thread passes it on to `out`, and nobody
    /// who logs waits until it is read. Where too much waits ([`WAITING_LINES`], [`WAITING_LINE_BYTES`]) lines are dropped;
    /// they are [counted](Logs::lines_dropped), and told of in the log once those before are written.
    ///
    /// # Errors
    /// The system gives no thread.
    pub fn writer(&self, out: impl Write + Send + 'static) -> io::Result<LogWriter> {
        LogWriter::begin(out, self.dropped.clone())
    }

    /// How many lines its writers could not write; they are in the ring all the same.
    #[must_use]
    pub fn lines_dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }

    /// The last `tail` lines that `filter` means, and those that are logged from now on.
    #[must_use]
    pub fn read(&self, filter: LogFilter, tail: usize) -> LogStream {
        LogStream(self.feed.read_last(tail, move |line| filter.means(line)))
    }

    /// Nothing more is read than what there is.
    pub(crate) fn close(&self) {
        self.feed.close();
    }
}

/// Which lines are read. All, unless told otherwise.
#[derive(Debug, Clone, Default)]
pub struct LogFilter {
    /// Those as grave as this, and graver ones.
    pub level: Option<LogLevel>,
    /// Those about actors with these names, and no others.
    pub actors: Option<NameOrPattern>,
}

impl LogFilter {
    /// Whether it means a line.
    #[must_use]
    pub fn means(&self, line: &LogLine) -> bool {
        let named = |names: &NameOrPattern| line.actor.as_ref().is_some_and(|actor| names.matches(actor));
        self.level.is_none_or(|level| line.level <= level) && self.actors.as_ref().is_none_or(named)
    }
}

/// Lines, one after the other.
#[derive(Debug)]
pub struct LogStream(Reader<LogLine>);

impl LogStream {
    /// The next line; or that some were missed, since more have followed than are kept. It goes on with the oldest one then.
    /// None: the host has ended. Nothing is lost if the future is dropped.
    pub async fn next(&mut self) -> Option<Result<Arc<LogLine>, Missed>> {
        self.0.next().await
    }

    /// The same without waiting; none: there is none at present.
    pub fn at_hand(&mut self) -> Option<Result<Arc<LogLine>, Missed>> {
        self.0.at_hand()
    }
}
