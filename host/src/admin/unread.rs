//! The end of a connection whose client may still be sending: what it sends is read, so that it can read its answer.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::watch;
use tokio::time::{Sleep, sleep};

/// How long a client may go on sending once it has its answer. A connection that is closed over unread bytes is reset,
/// and the answer that the client had not read yet is lost with it (nginx calls the cure a lingering close).
const UNREAD_TIMEOUT: Duration = Duration::from_secs(2);
/// Read and forgotten at a time, in bytes.
const FORGOTTEN_BYTES: usize = 8 << 10;

/// A stream whose shutdown says that no more will be written, and then reads until the client has closed as well, for
/// 2 s at most; while the host stops, it does not wait for the client.
pub(super) struct ReadOut<S> {
    stream: S,
    stopping: watch::Receiver<bool>,
    /// Set once the stream is shut down.
    waited: Option<Pin<Box<Sleep>>>,
}

impl<S> ReadOut<S> {
    pub(super) fn new(stream: S, stopping: watch::Receiver<bool>) -> Self {
        Self { stream, stopping, waited: None }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for ReadOut<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, into)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for ReadOut<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, bytes)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        if this.waited.is_none() {
            ready!(Pin::new(&mut this.stream).poll_shutdown(cx))?;
        }
        if *this.stopping.borrow() {
            return Poll::Ready(Ok(()));
        }
        let waited = this.waited.get_or_insert_with(|| Box::pin(sleep(UNREAD_TIMEOUT)));
        loop {
            // Asked first: a client that never stops sending is never waited for.
            if waited.as_mut().poll(cx).is_ready() {
                return Poll::Ready(Ok(()));
            }
            let mut forgotten = [std::mem::MaybeUninit::uninit(); FORGOTTEN_BYTES];
            let mut forgotten = ReadBuf::uninit(&mut forgotten);
            match ready!(Pin::new(&mut this.stream).poll_read(cx, &mut forgotten)) {
                Ok(()) if !forgotten.filled().is_empty() => {}
                // The client has closed, or reset it.
                _ => return Poll::Ready(Ok(())),
            }
        }
    }
}
