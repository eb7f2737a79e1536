//! SIGTERM and SIGINT: the first asks the host to stop, the second ends the process. SIGHUP: the configuration is read again.

use std::io;
use std::sync::mpsc;
use std::thread;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;

/// What a shell reports for a process that a signal has ended is 128 and its number.
const SIGNAL_BASE: i32 = 128;

/// Whether the host was asked to stop, and by what.
pub(super) type Asked = watch::Receiver<Option<&'static str>>;

/// How often the configuration was to be read again, where that is listened to.
pub(super) type Hangups = watch::Receiver<u64>;

/// Counts SIGHUP from now on, which otherwise ends a process.
pub(super) fn hangups() -> io::Result<Hangups> {
    let (count, hangups) = watch::channel(0);
    let (ready, is_ready) = mpsc::sync_channel(1);
    thread::Builder::new().name("baton-hangups".to_owned()).spawn(move || {
        let runtime = match tokio::runtime::Builder::new_current_thread().enable_io().build() {
            Ok(runtime) => runtime,
            Err(error) => return drop(ready.send(Err(error))),
        };
        runtime.block_on(async {
            match signal(SignalKind::hangup()) {
                Ok(mut hangup) => {
                    drop(ready.send(Ok(())));
                    while hangup.recv().await.is_some() {
                        count.send_modify(|count| *count += 1);
                    }
                }
                Err(error) => drop(ready.send(Err(error))),
            }
        });
    })?;
    is_ready.recv().map_err(|_| io::Error::other("the thread for SIGHUP ended"))??;
    Ok(hangups)
}

/// Listens from now on, on a thread of its own: the second signal must work however busy everything else is.
pub(super) fn listen() -> io::Result<Asked> {
    let (ask, asked) = watch::channel(None);
    let (ready, is_ready) = mpsc::sync_channel(1);
    thread::Builder::new().name("baton-signals".to_owned()).spawn(move || {
        let runtime = match tokio::runtime::Builder::new_current_thread().enable_io().build() {
            Ok(runtime) => runtime,
            Err(error) => return drop(ready.send(Err(error))),
        };
        runtime.block_on(async {
            let signals = signal(SignalKind::terminate()).and_then(|term| Ok((term, signal(SignalKind::interrupt())?)));
            match signals {
                Ok((mut term, mut int)) => {
                    drop(ready.send(Ok(())));
                    let (first, _) = next(&mut term, &mut int).await;
                    // Whoever waited may be gone, if the host is ending already.
                    let _ = ask.send(Some(first));
                    let (_, number) = next(&mut term, &mut int).await;
                    std::process::exit(SIGNAL_BASE + number);
                }
                Err(error) => drop(ready.send(Err(error))),
            }
        });
    })?;
    is_ready.recv().map_err(|_| io::Error::other("the thread for signals ended"))??;
    Ok(asked)
}

async fn next(term: &mut Signal, int: &mut Signal) -> (&'static str, i32) {
    tokio::select! {
        _ = term.recv() => ("SIGTERM", SignalKind::terminate().as_raw_value()),
        _ = int.recv() => ("SIGINT", SignalKind::interrupt().as_raw_value()),
    }
}
