//! A server's data: set up once for all tests, and copied for each.

use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::{PASSWORD, ServerKind, Tls, USER, as_its_user};
use crate::build_dir;

/// PostgreSQL's file of who is let in, where certificates are asked for.
const ASKING: &str = "asking.conf";

/// Puts fresh data into `dir`, owned by the server's user.
pub(super) fn make(kind: ServerKind, programs: &[PathBuf], dir: &Path, tls: Option<&Tls<'_>>) {
    if kind != ServerKind::Redis {
        let template = template(kind, programs);
        let copied = Command::new("cp").args(["-a", "--"]).arg(template.join(".")).arg(dir).status().expect("cp");
        assert!(copied.success(), "{} cannot be copied", template.display());
    }
    if let Some(tls) = tls {
        tls.by.certify(dir, tls.names);
        // Whoever has no certificate is not let in; of Redis its arguments say so.
        if tls.asks {
            fs::write(dir.join(ASKING), "hostssl all all all scram-sha-256 clientcert=verify-ca\n").expect("writes");
            let mut init = File::options().append(true).create(true).open(dir.join("init.sql")).expect("opens");
            writeln!(init, "ALTER USER {USER}@'127.0.0.1' REQUIRE X509;").expect("writes");
        }
    }
    own(kind, dir);
}

/// What the server is told at its start.
pub(super) fn arguments(kind: ServerKind, dir: &Path, port: u16, tls: Option<bool>, command: &mut Command) {
    let file = |name: &str| dir.join(name).display().to_string();
    match kind {
        ServerKind::Postgres => {
            // What a crash has left is this server's own.
            command.arg("-D").arg(dir).args(["-p", &port.to_string()]);
            for setting in
                ["listen_addresses=127.0.0.1", "unix_socket_directories=", "shared_buffers=16MB", "max_connections=60"]
            {
                command.args(["-c", setting]);
            }
            if let Some(asks) = tls {
                command.args(["-c", "ssl=on"]);
                if asks {
                    command.arg("-c").arg(format!("hba_file={}", file(ASKING)));
                }
                for (setting, name) in
                    [("ssl_cert_file", "server.pem"), ("ssl_key_file", "server.key"), ("ssl_ca_file", "ca.pem")]
                {
                    command.arg("-c").arg(format!("{setting}={}", file(name)));
                }
            }
        }
        ServerKind::Mariadb | ServerKind::Mysql => {
            command.args(["--no-defaults", "--bind-address=127.0.0.1", "--skip-name-resolve", "--skip-log-bin"]);
            command
                .arg(format!("--datadir={}", dir.display()))
                .arg(format!("--socket={}", dir.join("socket").display()));
            // Where others have theirs, one takes away another's files.
            command.arg(format!("--tmpdir={}", dir.display()));
            command.arg(format!("--port={port}")).arg(format!("--init-file={}", dir.join("init.sql").display()));
            command.args(["--innodb-buffer-pool-size=32M", "--max-connections=60"]);
            if kind == ServerKind::Mysql {
                command.args(["--innodb-redo-log-capacity=32M", "--mysqlx=OFF", "--secure-file-priv="]);
                command.arg(format!("--pid-file={}", file("pid")));
            } else {
                command.arg("--innodb-log-file-size=16M");
            }
            if tls.is_some() {
                for (setting, name) in [("ssl-cert", "server.pem"), ("ssl-key", "server.key"), ("ssl-ca", "ca.pem")] {
                    command.arg(format!("--{setting}={}", file(name)));
                }
            }
        }
        ServerKind::Redis => {
            command.args(["--bind", "127.0.0.1", "--requirepass", PASSWORD]);
            let port = port.to_string();
            if let Some(asks) = tls {
                let asks = if asks { "yes" } else { "no" };
                command.args(["--port", "0", "--tls-port", &port, "--tls-auth-clients", asks]);
                for (setting, name) in [
                    ("--tls-cert-file", "server.pem"),
                    ("--tls-key-file", "server.key"),
                    ("--tls-ca-cert-file", "ca.pem"),
                ] {
                    command.args([setting, &file(name)]);
                }
            } else {
                command.args(["--port", &port]);
            }
            command.arg("--dir").arg(dir).args(["--save", "", "--appendonly", "yes", "--appendfsync", "always"]);
        }
    }
}

/// The folder of a server's data as it is when nothing was done yet.
fn template(kind: ServerKind, programs: &[PathBuf]) -> PathBuf {
    let name = format!("{kind:?}").to_lowercase();
    // The server's user cannot come into the target folder of root.
    let dir = std::env::temp_dir().join(format!("baton-servers-{}", rustix::process::geteuid().as_raw()));
    fs::create_dir_all(&dir).expect("a folder");
    let lock = File::create(build_dir().join(format!("{name}.lock"))).expect("a lock");
    lock.lock().expect("locks");
    let program = programs[0].metadata().and_then(|about| about.modified()).expect("its time");
    let stamp = program.duration_since(std::time::UNIX_EPOCH).expect("after 1970").as_secs();
    let done = dir.join(format!("{name}-{stamp}"));
    if !done.is_dir() {
        let half = dir.join(format!("{name}.half"));
        drop(fs::remove_dir_all(&half));
        fs::create_dir(&half).expect("a folder");
        own(kind, &half);
        set_up(kind, programs.last().expect("one at least"), &half);
        fs::rename(&half, &done).expect("renames");
    }
    done
}

fn set_up(kind: ServerKind, program: &Path, dir: &Path) {
    let mut command = as_its_user(kind, program);
    match kind {
        ServerKind::Postgres => {
            let password = dir.with_extension("password");
            fs::write(&password, PASSWORD).expect("writes");
            own(kind, &password);
            command.arg("-D").arg(dir).args(["-U", USER, "-A", "scram-sha-256", "-N", "-E", "UTF8", "--locale=C"]);
            command.arg(format!("--pwfile={}", password.display()));
        }
        ServerKind::Mariadb => {
            command.args(["--no-defaults", "--auth-root-authentication-method=normal", "--skip-test-db"]);
            command.arg(format!("--datadir={}", dir.display())).arg("--innodb-log-file-size=16M");
        }
        ServerKind::Mysql => {
            command.args(["--no-defaults", "--initialize-insecure", "--innodb-redo-log-capacity=32M"]);
            command.arg(format!("--datadir={}", dir.display()));
        }
        ServerKind::Redis => return,
    }
    let output = command.stdin(Stdio::null()).current_dir(dir).output().expect("it can be run");
    assert!(output.status.success(), "{kind:?} cannot be set up: {output:?}");
    if kind.is_mysql_like() {
        let sql = format!(
            "CREATE DATABASE IF NOT EXISTS baton;\nCREATE USER IF NOT EXISTS {USER}@'127.0.0.1' IDENTIFIED BY '{PASSWORD}';\n\
             GRANT ALL ON *.* TO {USER}@'127.0.0.1';\n"
        );
        fs::write(dir.join("init.sql"), sql).expect("writes");
    }
}

/// Gives a path to the server's user, with all that is in it.
fn own(kind: ServerKind, path: &Path) {
    if rustix::process::geteuid().is_root() {
        let owner = format!("{0}:{0}", kind.user());
        let given = Command::new("chown").args(["-R", &owner, "--"]).arg(path).status().expect("chown");
        assert!(given.success(), "{} cannot be given to {owner}", path.display());
    }
}
