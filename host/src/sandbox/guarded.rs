//! Functions of WASI that are wrapped: what opens something is counted, and a refusal is told in the log with what would
//! grant it. They take the place of wasmtime's own, under the same names.

use wasmtime::component::{Linker, Resource};
use wasmtime_wasi::filesystem::WasiFilesystemView as _;
use wasmtime_wasi::p2::bindings::filesystem::types::{
    self as files, Descriptor, DescriptorFlags, HostDescriptor, NewTimestamp, OpenFlags, PathFlags,
};
use wasmtime_wasi::p2::bindings::sockets::network::{ErrorCode as SocketError, Host as _, IpAddressFamily, Network};
use wasmtime_wasi::p2::bindings::sockets::{ip_name_lookup, tcp_create_socket, udp_create_socket};
use wasmtime_wasi::p2::{FsError, SocketError as Socket, TcpSocket, UdpSocket};
use wasmtime_wasi::sockets::WasiSocketsView as _;

use super::granted::lacks;
use super::guest::Data;
use super::imports::Cx;
use super::wasi::WASI;
use crate::model::{Access, DirGrant, Transport};

/// Characters of a path or name that a line in the log shows.
const SHOWN_CHARS: usize = 200;

pub(super) fn add_to(linker: &mut Linker<Data>) -> wasmtime::Result<()> {
    linker.allow_shadowing(true);
    add_files(linker)?;
    add_sockets(linker)?;
    linker.allow_shadowing(false);
    Ok(())
}

/// Functions of a descriptor that change something, and so may be refused.
macro_rules! changes {
    ($interface:ident: $($name:literal $method:ident ($($arg:ident: $kind:ty),*);)*) => {$(
        $interface.func_wrap_async(
            concat!("[method]descriptor.", $name),
            |mut cx: Cx<'_>, (this, $($arg,)*): (Resource<Descriptor>, $($kind,)*)| {
                Box::new(async move {
                    let data = cx.data_mut();
                    let done = data.filesystem().$method(this, $($arg),*).await;
                    data.file_answer($name, done)
                })
            },
        )?;
    )*};
}

fn add_files(linker: &mut Linker<Data>) -> wasmtime::Result<()> {
    let mut types = linker.instance(&format!("wasi:filesystem/types@{WASI}"))?;
    type Open = (Resource<Descriptor>, PathFlags, String, OpenFlags, DescriptorFlags);
    types.func_wrap_async("[method]descriptor.open-at", |mut cx: Cx<'_>, params: Open| {
        Box::new(async move {
            let (this, path_flags, path, open_flags, flags) = params;
            let data = cx.data_mut();
            if !data.room_for_a_file() {
                return Ok((Err(files::ErrorCode::InsufficientMemory),));
            }
            let what = format!("open-at {:?}", path.chars().take(SHOWN_CHARS).collect::<String>());
            let opened = data.filesystem().open_at(this, path_flags, path, open_flags, flags).await;
            data.file_answer(&what, opened)
        })
    })?;
    changes! { types:
        "create-directory-at" create_directory_at (path: String);
        "link-at" link_at (flags: PathFlags, old: String, to: Resource<Descriptor>, new: String);
        "remove-directory-at" remove_directory_at (path: String);
        "rename-at" rename_at (old: String, to: Resource<Descriptor>, new: String);
        "set-size" set_size (size: u64);
        "set-times" set_times (accessed: NewTimestamp, modified: NewTimestamp);
        "set-times-at" set_times_at (flags: PathFlags, path: String, accessed: NewTimestamp, modified: NewTimestamp);
        "symlink-at" symlink_at (old: String, new: String);
        "unlink-file-at" unlink_file_at (path: String);
    }
    Ok(())
}

fn add_sockets(linker: &mut Linker<Data>) -> wasmtime::Result<()> {
    let mut tcp = linker.instance(&format!("wasi:sockets/tcp-create-socket@{WASI}"))?;
    tcp.func_wrap("create-tcp-socket", |mut cx: Cx<'_>, (family,): (IpAddressFamily,)| {
        let data = cx.data_mut();
        if let Err(error) = data.room_for_a_socket(Transport::Tcp) {
            return Ok((Err(error),));
        }
        let made = tcp_create_socket::Host::create_tcp_socket(&mut data.sockets(), family);
        data.socket_answer(made)
    })?;
    let mut udp = linker.instance(&format!("wasi:sockets/udp-create-socket@{WASI}"))?;
    udp.func_wrap_async("create-udp-socket", |mut cx: Cx<'_>, (family,): (IpAddressFamily,)| {
        Box::new(async move {
            let data = cx.data_mut();
            if let Err(error) = data.room_for_a_socket(Transport::Udp) {
                return Ok((Err(error),));
            }
            let made = udp_create_socket::Host::create_udp_socket(&mut data.sockets(), family).await;
            data.socket_answer(made)
        })
    })?;
    let mut names = linker.instance(&format!("wasi:sockets/ip-name-lookup@{WASI}"))?;
    names.func_wrap("resolve-addresses", |mut cx: Cx<'_>, (network, name): (Resource<Network>, String)| {
        let data = cx.data_mut();
        if !data.may_look_up(&name) {
            return Ok((Err(SocketError::PermanentResolverFailure),));
        }
        let found = ip_name_lookup::Host::resolve_addresses(&mut data.sockets(), network, name);
        data.socket_answer(found)
    })
}

type Answer<T, E> = wasmtime::Result<(Result<T, E>,)>;

impl Data {
    fn file_answer<T>(&mut self, what: &str, done: Result<T, FsError>) -> Answer<T, files::ErrorCode> {
        let error = match done {
            Ok(done) => return Ok((Ok(done),)),
            Err(error) => files::Host::convert_error_code(&mut self.filesystem(), error)?,
        };
        if matches!(error, files::ErrorCode::NotPermitted | files::ErrorCode::Access | files::ErrorCode::ReadOnly) {
            let granted = &self.env.grants;
            let first = granted.grants().dirs.iter().find(|dir| dir.access == Access::Read);
            let cure = first.map(|dir| {
                let dir = DirGrant { access: Access::ReadWrite, ..dir.clone() };
                format!("; to write, dirs = [{dir}] in [plugin.grants]")
            });
            let why = "it leads out of the granted directory, or is no reading, or the system itself refuses";
            granted.tell(&self.env.label, &format!("{what}: {why}{}", cure.unwrap_or_default()));
        }
        Ok((Err(error),))
    }

    fn socket_answer<T>(&mut self, done: Result<T, Socket>) -> Answer<T, SocketError> {
        match done {
            Ok(done) => Ok((Ok(done),)),
            Err(error) => Ok((Err(self.sockets().convert_error_code(error)?),)),
        }
    }

    fn room_for_a_file(&mut self) -> bool {
        let limit = self.env.limits.open_files;
        let open = self.open_things().filter(|thing| thing.is::<Descriptor>()).count();
        if open >= limit {
            let met = format!("open_files = {limit}");
            self.env.grants.tell(&self.env.label, &format!("one more open file: limit {met}; raise it in its limits"));
            self.limit_met = Some(met);
        }
        open < limit
    }

    fn room_for_a_socket(&mut self, transport: Transport) -> Result<(), SocketError> {
        if !self.env.grants.has_sockets(transport) {
            let line = format!("sockets = [\"{transport}:ADDRESS:PORT\"]");
            self.env.grants.tell(&self.env.label, &lacks(&format!("a {transport} socket"), &line));
            return Err(SocketError::AccessDenied);
        }
        match self.has_room_for_a_socket() {
            true => Ok(()),
            false => Err(SocketError::NewSocketLimit),
        }
    }

    /// Whether one more socket, or request that takes one, is within the limit.
    pub(super) fn has_room_for_a_socket(&mut self) -> bool {
        let limit = self.env.limits.open_sockets;
        let sockets = self.open_things().filter(|thing| thing.is::<TcpSocket>() || thing.is::<UdpSocket>()).count();
        let open = sockets + self.requests_under_way();
        if open >= limit {
            let met = format!("open_sockets = {limit}");
            self.env.grants.tell(&self.env.label, &format!("one more socket: limit {met}; raise it in its limits"));
            self.limit_met = Some(met);
        }
        open < limit
    }

    fn may_look_up(&self, name: &str) -> bool {
        let granted = &self.env.grants;
        let may = granted.grants().lookups.iter().any(|host| host.matches(name));
        if !may {
            let name: String = name.chars().take(SHOWN_CHARS).collect();
            granted.tell(&self.env.label, &lacks(&format!("to look {name:?} up"), &format!("lookups = [{name:?}]")));
        }
        may
    }
}
