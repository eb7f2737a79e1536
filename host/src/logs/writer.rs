//! The log on its way to a file, a pipe or a terminal: a thread writes it, so that nobody who logs waits for whoever reads.

use std::collections::VecDeque;
use std::io::{self, Write};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use tracing_subscriber::fmt::MakeWriter;

/// Lines that wait to be written; what comes while they are as many is dropped.
pub const WAITING_LINES: usize = 4_096;
/// What they may take in memory, in bytes: of long ones fewer wait.
pub const WAITING_LINE_BYTES: usize = 8 << 20;

/// Where lines are written to, for a layer of `tracing`. All clones are the same; what waits when the last one is gone is
/// still written, if the process lives.
#[derive(Debug, Clone)]
pub struct LogWriter(Arc<Handle>);

/// Ends the thread.
#[derive(Debug)]
struct Handle(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    queue: Mutex<Queue>,
    /// There is something to be done.
    news: Condvar,
    /// There is nothing to be done.
    idle: Condvar,
    dropped: Arc<AtomicU64>,
}

#[derive(Debug, Default)]
struct Queue {
    lines: VecDeque<Vec<u8>>,
    bytes: usize,
    /// One has been taken, and is not written yet.
    writing: bool,
    /// Some were dropped, which is not told yet.
    untold: bool,
    closed: bool,
}

enum Task {
    Write(Vec<u8>),
    Tell,
    End,
}

impl LogWriter {
    /// Writes to `out`, and counts in `dropped` what is not written.
    ///
    /// # Errors
    /// The system gives no thread.
    pub(super) fn begin(out: impl Write + Send + 'static, dropped: Arc<AtomicU64>) -> io::Result<Self> {
        let (queue, news, idle) = (Mutex::default(), Condvar::new(), Condvar::new());
        let shared = Arc::new(Shared { queue, news, idle, dropped });
        let writes = shared.clone();
        thread::Builder::new().name("baton-log".to_owned()).spawn(move || writes.work(out))?;
        Ok(Self(Arc::new(Handle(shared))))
    }

    /// Waits until everything is written, `timeout` at most. False: something still waits, as nobody reads it.
    pub fn flush(&self, timeout: Duration) -> bool {
        let shared = &self.0.0;
        let waited = shared.idle.wait_timeout_while(shared.queue(), timeout, |queue| !queue.is_idle());
        !waited.unwrap_or_else(PoisonError::into_inner).1.timed_out()
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.0.queue().closed = true;
        self.0.news.notify_one();
    }
}

impl Queue {
    fn is_idle(&self) -> bool {
        self.lines.is_empty() && !self.writing && !self.untold
    }

    fn has_room_for(&self, bytes: usize) -> bool {
        self.lines.len() < WAITING_LINES && self.bytes.saturating_add(bytes) <= WAITING_LINE_BYTES
    }

    fn take(&mut self) -> Option<Task> {
        if let Some(line) = self.lines.pop_front() {
            self.bytes -= line.len();
            self.writing = true;
            return Some(Task::Write(line));
        }
        // Told once those before are written: then there is somebody who reads.
        if std::mem::take(&mut self.untold) {
            self.writing = true;
            return Some(Task::Tell);
        }
        self.closed.then_some(Task::End)
    }
}

impl Shared {
    fn queue(&self) -> MutexGuard<'_, Queue> {
        // Every change is complete before anything can panic.
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn push(&self, line: &[u8]) {
        let mut queue = self.queue();
        if queue.has_room_for(line.len()) {
            queue.bytes += line.len();
            queue.lines.push_back(line.to_vec());
            self.news.notify_one();
        } else {
            queue.untold = true;
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn next(&self) -> Task {
        let mut queue = self.queue();
        queue.writing = false;
        loop {
            if let Some(task) = queue.take() {
                return task;
            }
            self.idle.notify_all();
            queue = self.news.wait(queue).unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn work(&self, mut out: impl Write) {
        loop {
            match self.next() {
                Task::Write(line) => {
                    if out.write_all(&line).and_then(|()| out.flush()).is_err() {
                        self.dropped.fetch_add(1, Ordering::Relaxed);
                    }
                }
                Task::Tell => {
                    let lines = self.dropped.load(Ordering::Relaxed);
                    tracing::warn!(lines, "lines of the log were dropped, as they were not read in time");
                }
                Task::End => return,
            }
        }
    }
}

/// A write is a line, whole; it always succeeds.
impl Write for &LogWriter {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.0.0.push(line);
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for LogWriter {
    type Writer = &'a Self;

    fn make_writer(&'a self) -> Self::Writer {
        self
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{Receiver, Sender, channel};

    use tracing_subscriber::prelude::*;

    use super::super::Logs;
    use super::*;

    /// Longest wait for what comes for sure.
    const PATIENCE: Duration = Duration::from_secs(60);

    /// Takes a line only when it is told to.
    struct Slow {
        go: Receiver<()>,
        lines: Sender<String>,
    }

    impl Write for Slow {
        fn write(&mut self, line: &[u8]) -> io::Result<usize> {
            self.go.recv().map_err(io::Error::other)?;
            self.lines.send(String::from_utf8_lossy(line).into_owned()).map_err(io::Error::other)?;
            Ok(line.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn slow() -> (Logs, LogWriter, Sender<()>, Receiver<String>) {
        let ((tell, go), (lines, written)) = (channel(), channel());
        let logs = Logs::new();
        let writer = logs.writer(Slow { go, lines }).expect("a thread");
        (logs, writer, tell, written)
    }

    #[test]
    fn who_logs_does_not_wait_and_what_is_dropped_is_counted() {
        let (logs, writer, go, written) = slow();
        let sent = WAITING_LINES as u64 + 100;
        for n in 0..sent {
            (&writer).write_all(format!("{n}").as_bytes()).expect("it always succeeds");
        }
        assert!(!writer.flush(Duration::ZERO), "nobody reads");
        // One may be in the thread's hands.
        assert!((99..=100).contains(&logs.lines_dropped()), "{}", logs.lines_dropped());
        let kept = sent - logs.lines_dropped();
        (0..kept).for_each(|_| go.send(()).expect("it waits"));
        assert!(writer.flush(PATIENCE), "all that was kept is written");
        let lines: Vec<String> = written.try_iter().collect();
        assert_eq!(lines, (0..kept).map(|n| n.to_string()).collect::<Vec<_>>(), "in their order");
        let long = vec![b' '; WAITING_LINE_BYTES + 1];
        let before = logs.lines_dropped();
        (&writer).write_all(&long).expect("it always succeeds");
        assert_eq!(logs.lines_dropped(), before + 1);
    }

    #[test]
    fn what_was_dropped_is_told_once_in_the_log_as_soon_as_it_is_read_again() {
        let (logs, writer, go, written) = slow();
        let layer = tracing_subscriber::fmt::layer().with_ansi(false).with_writer(writer.clone());
        let dispatch: tracing::Dispatch = tracing_subscriber::registry().with(layer).into();
        // The thread logs where the process does.
        tracing::dispatcher::set_global_default(dispatch)
            .expect("each test is a process, or the only one that sets it");
        let sent = WAITING_LINES as u64 + 3;
        (0..sent).for_each(|n| tracing::info!("line {n}"));
        let dropped = logs.lines_dropped();
        (0..=sent - dropped).for_each(|_| go.send(()).expect("it waits"));
        assert!(writer.flush(PATIENCE));
        let lines: Vec<String> = written.try_iter().collect();
        let told: Vec<_> = lines.iter().filter(|line| line.contains("were dropped")).collect();
        assert_eq!(told.len(), 1);
        assert!(told[0].contains(&format!("lines={dropped}")) && lines.last() == Some(told[0]), "{told:?}");
    }
}
