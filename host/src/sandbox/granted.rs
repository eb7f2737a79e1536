//! What a plugin's instances are granted, made ready once: directories are opened when the host starts and stay what they
//! are, whoever moves or replaces what leads to them later.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::Semaphore;
use wasmtime_wasi::filesystem::WasiFilesystemCtx;
use wasmtime_wasi::sockets::SocketAddrUse;
use wasmtime_wasi::{FsPerms, WasiCtx};

use super::http::Tls;
use super::imports::log_line;
use crate::model::{
    Access, DirGrant, ErrorCode, Grants, HostError, Label, NameOrPattern, Pattern, SocketGrant, Transport, log_of,
};

/// How long one refusal is not told again, in milliseconds.
const TELL_AGAIN_MS: u64 = 60_000;
/// Different refusals that are remembered as told, per plugin; past it nothing more is told until some are forgotten.
const TOLD: usize = 100;
/// Bytes of a refusal's text.
const TOLD_BYTES: usize = 1_000;
/// Names that a plugin's HTTP requests may have resolved at once: each takes a thread for as long as it takes.
const LOOKUPS_AT_ONCE: usize = 8;

/// The grants of one plugin, ready for its instances.
pub(crate) struct Granted {
    grants: Grants,
    files: WasiFilesystemCtx,
    told: Told,
    pub(super) tls: OnceLock<Tls>,
    pub(super) lookups: Arc<Semaphore>,
}

impl Default for Granted {
    /// Nothing.
    fn default() -> Self {
        Self::with(Grants::default(), WasiFilesystemCtx::default())
    }
}

impl fmt::Debug for Granted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Granted").field(&self.grants).finish()
    }
}

impl Granted {
    fn with(grants: Grants, files: WasiFilesystemCtx) -> Self {
        let (told, lookups) = (Told::default(), Arc::new(Semaphore::new(LOOKUPS_AT_ONCE)));
        Self { grants, files, told, tls: OnceLock::new(), lookups }
    }

    /// All that stays within the host, and nothing of the world: for a rehearsal, which notes what is asked and lets none of
    /// it happen.
    pub(crate) fn to_talk() -> Self {
        let all = || Pattern::new("*").map(NameOrPattern::Pattern).into_iter().collect();
        Self::with(Grants { call: all(), groups: all(), ..Grants::default() }, WasiFilesystemCtx::default())
    }

    /// Opens the directories.
    ///
    /// # Errors
    /// If one is not there, or cannot be opened.
    pub(crate) fn open(grants: Grants) -> Result<Self, HostError> {
        let mut builder = WasiCtx::builder();
        for DirGrant { host, guest, access } in &grants.dirs {
            let permissions = match access {
                Access::Read => FsPerms::ReadOnly,
                Access::ReadWrite => FsPerms::ReadWrite,
            };
            builder.preopened_dir(host, guest, permissions).map_err(|error| {
                let message = format!("the directory {}, granted as {guest}, cannot be opened", host.display());
                HostError::new(ErrorCode::Config, message)
                    .hint("make it, or correct `dirs` in the plugin's grants; relative paths start at the folder of the configuration file")
                    .source(format!("{error:#}"))
            })?;
        }
        let files = builder.build().filesystem().clone();
        Ok(Self::with(grants, files))
    }

    pub(crate) fn grants(&self) -> &Grants {
        &self.grants
    }

    /// The directories of one instance: the same that all have, opened once.
    pub(super) fn files(&self) -> WasiFilesystemCtx {
        self.files.clone()
    }

    /// Whether a socket may do so. Nobody listens, and a local port is not chosen.
    pub(super) fn may_use(&self, actor: &Label, address: std::net::SocketAddr, usage: SocketAddrUse) -> bool {
        let transport = match usage {
            SocketAddrUse::TcpConnect => Transport::Tcp,
            SocketAddrUse::UdpSend | SocketAddrUse::UdpReceive => Transport::Udp,
            SocketAddrUse::TcpBind | SocketAddrUse::UdpBind if address.ip().is_unspecified() && address.port() == 0 => {
                return true;
            }
            SocketAddrUse::TcpBind | SocketAddrUse::UdpBind => {
                self.tell(actor, &format!("to bind a socket to {address} is never granted; port 0 of no address is"));
                return false;
            }
            SocketAddrUse::TcpListen | SocketAddrUse::TcpAccept => {
                self.tell(actor, "to listen is never granted; it may connect");
                return false;
            }
        };
        let may = self.grants.sockets.iter().any(|granted| granted.allows(transport, address));
        // A stranger's datagram is dropped, and no business of the guest's.
        if !may && !matches!(usage, SocketAddrUse::UdpReceive) {
            let would = SocketGrant { transport, network: address.ip().into(), port: Some(address.port()) };
            self.tell(actor, &lacks(&format!("{transport} to {address}"), &format!("sockets = [\"{would}\"]")));
        }
        may
    }

    /// Whether sockets of this kind are of any use.
    pub(super) fn has_sockets(&self, transport: Transport) -> bool {
        self.grants.sockets.iter().any(|granted| granted.transport == transport)
    }

    /// A line in the log: each refusal once in a while.
    pub(super) fn tell(&self, label: &Label, what: &str) {
        let line = log_line(what, &[], TOLD_BYTES);
        if self.told.is_due(&line, Instant::now()) {
            log_of!(warn, label, "refused: {line}");
        }
    }
}

/// What is lacking, and the line of the configuration that would grant it.
pub(super) fn lacks(what: &str, line: &str) -> String {
    format!("{what} is not granted; in [plugin.grants], {line} would grant it")
}

/// What was told of late.
#[derive(Debug, Default)]
struct Told(Mutex<HashMap<String, Instant>>);

impl Told {
    fn is_due(&self, line: &str, now: Instant) -> bool {
        // Entries come and go whole.
        let mut told = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if told.len() >= TOLD {
            told.retain(|_, at| now.saturating_duration_since(*at) < Duration::from_millis(TELL_AGAIN_MS));
        }
        let known = told.get(line);
        if known.is_some_and(|at| now.saturating_duration_since(*at) < Duration::from_millis(TELL_AGAIN_MS)) {
            return false;
        }
        let due = known.is_some() || told.len() < TOLD;
        if due {
            told.insert(line.to_owned(), now);
        }
        due
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_is_told_once_in_a_while_and_not_without_end() {
        let (told, start) = (Told::default(), Instant::now());
        assert!(told.is_due("a", start));
        assert!(!told.is_due("a", start));
        for other in 1..TOLD {
            assert!(told.is_due(&other.to_string(), start));
        }
        assert!(!told.is_due("one too many", start));
        let later = start + Duration::from_millis(TELL_AGAIN_MS);
        assert!(told.is_due("one too many", later));
        assert!(told.is_due("a", later));
        assert!(told.0.lock().expect("whole").len() <= TOLD);
    }

    #[test]
    fn a_socket_may_do_what_is_granted_and_never_listen() {
        let sockets = vec!["tcp:10.0.0.5:5432".parse().expect("valid"), "udp:10.0.0.0/8:53".parse().expect("valid")];
        let granted = Granted::open(Grants { sockets, ..Grants::default() }).expect("no directory");
        let actor = Label::new(crate::model::ActorName::new("a").expect("valid"), None, None, 0);
        let cases = [
            ("10.0.0.5:5432", SocketAddrUse::TcpConnect, true),
            ("10.0.0.5:5432", SocketAddrUse::UdpSend, false),
            ("10.0.0.5:80", SocketAddrUse::TcpConnect, false),
            ("10.9.9.9:53", SocketAddrUse::UdpSend, true),
            ("10.9.9.9:53", SocketAddrUse::UdpReceive, true),
            ("11.9.9.9:53", SocketAddrUse::UdpReceive, false),
            ("0.0.0.0:0", SocketAddrUse::TcpBind, true),
            ("[::]:0", SocketAddrUse::UdpBind, true),
            ("0.0.0.0:8080", SocketAddrUse::TcpBind, false),
            ("10.0.0.5:5432", SocketAddrUse::TcpBind, false),
            ("10.0.0.5:5432", SocketAddrUse::TcpListen, false),
            ("10.0.0.5:5432", SocketAddrUse::TcpAccept, false),
        ];
        for (address, usage, may) in cases {
            assert_eq!(granted.may_use(&actor, address.parse().expect(address), usage), may, "{usage:?} {address}");
        }
    }
}
