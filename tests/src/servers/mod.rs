//! Real servers for stores, from the system's packages: each on a port of its own on loopback, with its data in a temporary
//! directory, as the user that its package made where we are root. A server ends with whoever started it, however that ends.

mod data;
mod proxy;
mod tls;

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpListener;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

pub use proxy::{Proxy, Weather};
pub use tls::{Authority, Tls};

/// How long a server may take to start, to end, or to set up its data.
const PATIENCE: Duration = Duration::from_secs(90);
/// Attempts to find a port that nobody takes meanwhile.
const PORTS: usize = 5;
/// The user of every server, and the password: odd enough to be found wherever it should not be.
pub const USER: &str = "baton";
/// See [`USER`].
pub const PASSWORD: &str = "pa55-wOrd_never_shown";

/// Which server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ServerKind {
    /// PostgreSQL.
    Postgres,
    /// MariaDB.
    Mariadb,
    /// MySQL, where somebody has it: Debian's stable releases do not. `BATON_MYSQLD` names its program, unless it is on the path.
    Mysql,
    /// Redis.
    Redis,
}

impl ServerKind {
    /// All that there are.
    pub const ALL: [Self; 4] = [Self::Postgres, Self::Mariadb, Self::Mysql, Self::Redis];

    /// The package of Debian that it comes from.
    #[must_use]
    pub fn package(self) -> &'static str {
        match self {
            Self::Postgres => "postgresql",
            Self::Mariadb => "mariadb-server",
            Self::Mysql => "mysql-server",
            Self::Redis => "redis-server",
        }
    }

    fn user(self) -> &'static str {
        match self {
            Self::Postgres => "postgres",
            Self::Mariadb | Self::Mysql => "mysql",
            Self::Redis => "redis",
        }
    }

    /// The programs that it needs: the server first.
    fn programs(self) -> &'static [&'static str] {
        match self {
            Self::Postgres => &["postgres", "initdb"],
            Self::Mariadb => &["mariadbd", "mariadb-install-db"],
            Self::Mysql => &["mysqld"],
            Self::Redis => &["redis-server"],
        }
    }

    /// What it says when it takes connections.
    fn ready(self) -> &'static str {
        match self {
            Self::Postgres => "ready to accept connections",
            Self::Mariadb | Self::Mysql => "ready for connections",
            Self::Redis => "Ready to accept connections",
        }
    }

    /// The server's program; none where it is not installed.
    fn found(self) -> Option<Vec<PathBuf>> {
        if self == Self::Mysql {
            let named = std::env::var_os("BATON_MYSQLD").map(PathBuf::from).or_else(|| find("mysqld"))?;
            // MariaDB's package has one of that name, too.
            let is_mariadb = named.canonicalize().is_ok_and(|real| real.ends_with("mariadbd"));
            return (!is_mariadb).then(|| vec![named]);
        }
        self.programs().iter().map(|program| find(program)).collect()
    }

    /// Whether it speaks as MySQL does.
    #[must_use]
    pub fn is_mysql_like(self) -> bool {
        matches!(self, Self::Mariadb | Self::Mysql)
    }

    /// Whether it can be started here. Where it cannot, that is said, and with `BATON_SERVERS=all` it is a failure, unless it
    /// is MySQL.
    ///
    /// # Panics
    /// If it is not installed and `BATON_SERVERS` is `all`.
    #[must_use]
    pub fn is_here(self) -> bool {
        let here = self.found().is_some();
        let missing = format!("did not run: there is no {self:?} here; `apt-get install {}` has it", self.package());
        if !here {
            match self {
                Self::Mysql => println!("{missing}"),
                _ => did_not_run(&missing),
            }
        }
        here
    }
}

/// Says that something did not run, and why, which with `BATON_SERVERS=all` is a failure.
///
/// # Panics
/// With `BATON_SERVERS=all`.
pub fn did_not_run(missing: &str) {
    let all = std::env::var_os("BATON_SERVERS").is_some_and(|which| which == "all");
    assert!(!all, "BATON_SERVERS=all asks for all that is tried on servers: {missing}");
    println!("{missing}");
}

/// A program on the path, or where Debian keeps PostgreSQL's.
fn find(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut folders: Vec<PathBuf> = std::env::split_paths(&path).collect();
    folders.extend(["/usr/sbin", "/usr/local/sbin"].map(PathBuf::from));
    let versions = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let mut versions: Vec<PathBuf> = versions.map(|entry| entry.path().join("bin")).collect();
    versions.sort();
    folders.extend(versions.into_iter().rev());
    folders.into_iter().map(|folder| folder.join(program)).find(|path| path.is_file())
}

/// A server that runs, or did.
#[derive(Debug)]
pub struct Server {
    kind: ServerKind,
    programs: Vec<PathBuf>,
    settings: Vec<String>,
    /// Whether it has a certificate, and asks for one.
    tls: Option<bool>,
    dir: TempDir,
    port: u16,
    child: Option<Child>,
}

impl Server {
    /// Starts one with durable settings; none where it is not installed, which is said.
    ///
    /// # Panics
    /// If it does not start.
    #[must_use]
    pub fn start(kind: ServerKind) -> Option<Self> {
        Self::start_with(kind, &[])
    }

    /// The same with other settings, as its command line has them.
    ///
    /// # Panics
    /// If it does not start.
    #[must_use]
    pub fn start_with(kind: ServerKind, settings: &[&str]) -> Option<Self> {
        Self::start_in(kind, settings, fresh())
    }

    /// The same with its data in that directory.
    ///
    /// # Panics
    /// If it does not start.
    #[must_use]
    pub fn start_in(kind: ServerKind, settings: &[&str], dir: TempDir) -> Option<Self> {
        Self::made(kind, settings, dir, None)
    }

    /// Starts one with TLS. Redis then speaks nothing else; the others leave it to who comes.
    ///
    /// # Panics
    /// If it does not start.
    #[must_use]
    pub fn start_with_tls(kind: ServerKind, tls: &Tls<'_>) -> Option<Self> {
        Self::made(kind, &[], fresh(), Some(tls))
    }

    fn made(kind: ServerKind, settings: &[&str], dir: TempDir, tls: Option<&Tls<'_>>) -> Option<Self> {
        if !kind.is_here() {
            return None;
        }
        let programs = kind.found().expect("it is here");
        let settings = settings.iter().map(|setting| (*setting).to_owned()).collect();
        let mut server = Self { kind, programs, settings, tls: tls.map(|tls| tls.asks), dir, port: 0, child: None };
        data::make(kind, &server.programs, server.dir.path(), tls);
        for _ in 0..PORTS {
            server.port = free_port();
            if server.run() {
                return Some(server);
            }
        }
        panic!("{kind:?} does not start; what it said is above");
    }

    /// Which server it is.
    #[must_use]
    pub fn kind(&self) -> ServerKind {
        self.kind
    }

    /// Its port on loopback.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The URL of a store in it, in a space of its own.
    #[must_use]
    pub fn url(&self, space: &str) -> String {
        self.url_by(self.port, space)
    }

    /// The same, by another port.
    #[must_use]
    pub fn url_by(&self, port: u16, space: &str) -> String {
        match self.kind {
            ServerKind::Postgres => format!("postgres://{USER}:{PASSWORD}@127.0.0.1:{port}/postgres?schema={space}"),
            ServerKind::Mariadb | ServerKind::Mysql => {
                format!("mysql://{USER}:{PASSWORD}@127.0.0.1:{port}/baton?prefix={space}")
            }
            ServerKind::Redis => {
                let scheme = if self.tls.is_some() { "rediss" } else { "redis" };
                format!("{scheme}://:{PASSWORD}@127.0.0.1:{port}?prefix={space}")
            }
        }
    }

    /// Runs statements as its own client would: SQL, or commands of Redis, one a line.
    ///
    /// # Panics
    /// If they fail.
    pub fn tell(&self, text: &str) -> String {
        let mut client = match self.kind {
            ServerKind::Postgres => {
                let mut client = Command::new(find("psql").expect("psql"));
                client.arg(format!("postgres://{USER}:{PASSWORD}@127.0.0.1:{}/postgres", self.port));
                client.args(["-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1"]);
                client
            }
            ServerKind::Mariadb | ServerKind::Mysql => {
                let mut client = Command::new(find("mariadb").expect("mariadb, which speaks to MySQL, too"));
                client.args(["--no-defaults", "-N", "-B", "-h", "127.0.0.1", "-u", USER, "baton"]);
                // Its passwords are asked for over TLS alone.
                client.args((self.kind == ServerKind::Mysql).then_some("--ssl"));
                client.arg(format!("-P{}", self.port)).arg(format!("-p{PASSWORD}"));
                client
            }
            ServerKind::Redis => {
                let mut client = Command::new(find("redis-cli").expect("redis-cli"));
                client.args(["--no-auth-warning", "-e", "-a", PASSWORD, "-p"]).arg(self.port.to_string());
                client
            }
        };
        let mut running = client.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("the client starts");
        running.stdin.take().expect("piped").write_all(text.as_bytes()).expect("it reads");
        let output = running.wait_with_output().expect("it ends");
        assert!(output.status.success(), "{text}: {output:?}");
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    }

    /// Ends it at once, as a crash would.
    ///
    /// # Panics
    /// If it does not run.
    pub fn kill(&mut self) {
        self.signal(Signal::KILL);
        let mut child = self.child.take().expect("it runs");
        child.wait().expect("it ends");
    }

    /// Whether it has ended by itself; then it can be started again.
    ///
    /// # Panics
    /// If it was killed.
    pub fn has_ended(&mut self) -> bool {
        let ended = self.child.as_mut().expect("it runs").try_wait().expect("it can be asked").is_some();
        if ended {
            self.child = None;
        }
        ended
    }

    /// Stops it where it is.
    ///
    /// # Panics
    /// If it does not run.
    pub fn pause(&self) {
        self.signal(Signal::STOP);
    }

    /// Lets it go on.
    ///
    /// # Panics
    /// If it does not run.
    pub fn resume(&self) {
        self.signal(Signal::CONT);
    }

    /// Starts it again, with the same data at the same port.
    ///
    /// # Panics
    /// If it does not start.
    pub fn restart(&mut self) {
        assert!(self.child.is_none(), "it runs");
        // A crash may have left files that name a process.
        let began = Instant::now();
        while !self.run() {
            assert!(began.elapsed() < PATIENCE, "{:?} does not start again", self.kind);
        }
    }

    fn signal(&self, signal: Signal) {
        signal_all(self.child.as_ref().expect("it runs"), signal);
    }

    /// Starts it, and waits until it takes connections. False: it ended.
    fn run(&mut self) -> bool {
        let mut command = as_its_user(self.kind, &self.programs[0]);
        data::arguments(self.kind, self.dir.path(), self.port, self.tls, &mut command);
        command.args(&self.settings).current_dir(self.dir.path());
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).process_group(0);
        let mut child = command.spawn().expect("it can be run");
        let (told, heard) = mpsc::channel();
        let streams: [Box<dyn std::io::Read + Send>; 2] =
            [Box::new(child.stdout.take().expect("piped")), Box::new(child.stderr.take().expect("piped"))];
        for stream in streams {
            let told = told.clone();
            // Read to its end, so that the server never waits for us.
            std::thread::spawn(move || {
                BufReader::new(stream).lines().map_while(Result::ok).for_each(|line| drop(told.send(line)))
            });
        }
        drop(told);
        let (mut said, began) = (Vec::new(), Instant::now());
        // MariaDB says so once before it has the port, too, while it sets itself up.
        while let Ok(line) = heard.recv_timeout(PATIENCE.saturating_sub(began.elapsed())) {
            let ready = line.contains(self.kind.ready());
            said.push(line);
            if ready {
                self.child = Some(child);
                return true;
            }
        }
        println!("{:?} said:\n{}", self.kind, said.join("\n"));
        drop(child.kill());
        drop(child.wait());
        false
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            signal_all(&child, Signal::KILL);
            drop(child.wait());
        }
    }
}

/// Signals a server, and the processes that it has started: PostgreSQL has one for each connection, in a session of its own.
fn signal_all(child: &Child, signal: Signal) {
    let server = Pid::from_child(child);
    let below = || {
        let processes = std::fs::read_dir("/proc").into_iter().flatten().flatten();
        let found = processes.filter_map(|process| {
            let pid: i32 = process.file_name().to_str()?.parse().ok()?;
            let stat = std::fs::read_to_string(process.path().join("stat")).ok()?;
            // Behind the name, which may have anything in it: the state, and then the parent.
            let parent = stat.rsplit_once(')')?.1.split_whitespace().nth(1)?.parse::<i32>().ok()?;
            (parent == server.as_raw_nonzero().get()).then(|| Pid::from_raw(pid)).flatten()
        });
        found.collect::<Vec<_>>()
    };
    // Those that go are known only while the server is there, and those that come only once it stands still.
    let _ = kill_process(server, Signal::STOP);
    for pid in below() {
        // It may have ended by itself.
        let _ = kill_process(pid, signal);
    }
    let _ = kill_process(server, signal);
}

/// A command of a server's package: as its user where we are root, and at its end when we end.
fn as_its_user(kind: ServerKind, program: &Path) -> Command {
    let mut command = Command::new(find("setpriv").expect("setpriv, of util-linux"));
    if rustix::process::geteuid().is_root() {
        command.args(["--reuid", kind.user(), "--regid", kind.user(), "--clear-groups"]);
    }
    command.args(["--pdeathsig", "KILL", "--"]).arg(program);
    command.env_clear().env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin").env("LC_ALL", "C");
    command
}

fn fresh() -> TempDir {
    tempfile::Builder::new().prefix("baton-server-").tempdir().expect("a directory")
}

fn free_port() -> u16 {
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a port");
    listener.local_addr().expect("it has one").port()
}
