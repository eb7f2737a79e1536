//! Servers with TLS: what goes to them cannot be read on the way, and none is taken for another.

use std::path::Path;

use baton_host::store::{ConnectError, StoreUrl};

use super::*;
use crate::harness::servers::{Authority, PASSWORD, Proxy, Tls};

on_each! {
    what_goes_to_a_server_over_tls_cannot_be_read_on_the_way
    a_server_that_somebody_else_has_signed_is_refused
    a_server_with_a_certificate_for_another_name_is_refused
    a_server_without_tls_is_refused_where_it_is_asked_for
    a_host_shows_its_certificate_where_the_server_wants_to_see_one
    a_file_of_certificates_that_is_not_there_is_named
}

/// Where servers are here, in a certificate.
const HERE: &[&str] = &["127.0.0.1", "localhost"];
/// A state that is easily known again.
const SAID: &[u8] = b"what was said under the rose";

/// How much of the server's certificate is looked at.
#[derive(Clone, Copy)]
enum Look {
    /// Nothing: it is encrypted, and that is all.
    Not,
    /// Who has signed it.
    Signer,
    /// And for which name.
    All,
}

/// Settings of the URL that look at the certificate so far; none where that kind cannot be told to.
fn looking(kind: ServerKind, look: Look, ca: &Path) -> Option<String> {
    let ca = format!("&sslrootcert={}", ca.display());
    Some(match (kind, look) {
        (ServerKind::Postgres, Look::Not) => "&sslmode=require".to_owned(),
        (ServerKind::Postgres, Look::Signer) => format!("&sslmode=verify-ca{ca}"),
        (ServerKind::Postgres, Look::All) => format!("&sslmode=verify-full{ca}"),
        (ServerKind::Mariadb | ServerKind::Mysql, Look::Not) => "&sslmode=REQUIRED".to_owned(),
        (ServerKind::Mariadb | ServerKind::Mysql, Look::Signer) => format!("&sslmode=VERIFY_CA{ca}"),
        (ServerKind::Mariadb | ServerKind::Mysql, Look::All) => format!("&sslmode=VERIFY_IDENTITY{ca}"),
        (ServerKind::Redis, Look::All) => ca,
        (ServerKind::Redis, _) => return None,
    })
}

/// A server with a certificate that somebody has signed, and that takes who comes.
fn certified(kind: ServerKind, by: &Authority, names: &[&str]) -> Option<Server> {
    Server::start_with_tls(kind, &Tls { by, names, asks: false })
}

/// Commits what was said, with those settings at the end of the URL. Whether someone on the way has heard it, the proxy says.
async fn commits(server: &Server, space: &str, settings: &str) -> (Arc<dyn SnapshotStore>, Proxy) {
    let proxy = Proxy::to(server.port());
    proxy.tap(SAID);
    let store = open(&format!("{}{settings}", server.url_by(proxy.port(), space))).await;
    join(&*store, "host-a").await;
    let mut lease = claim(&*store, &name("a"), "host-a").await;
    store.commit(&mut lease, record(SAID.to_vec())).await.expect("commits");
    let loaded = store.load(&name("a"), lease.head.current().expect("saved")).await.expect("loads");
    assert_eq!(loaded.data, SAID);
    (store, proxy)
}

/// That the server knows of TLS, too, as far as it tells of others' connections.
fn says_so(server: &Server) {
    let (asked, expected) = match server.kind() {
        ServerKind::Postgres => (
            "SELECT bool_and(ssl) FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) WHERE application_name = 'baton';",
            "t",
        ),
        ServerKind::Mariadb => (
            "SELECT VARIABLE_VALUE > 0 FROM information_schema.GLOBAL_STATUS \
             WHERE VARIABLE_NAME = 'SSL_FINISHED_ACCEPTS';",
            "1",
        ),
        ServerKind::Mysql => (
            "SELECT COUNT(*) > 0 AND MIN(CONNECTION_TYPE = 'SSL/TLS') FROM performance_schema.threads \
             WHERE PROCESSLIST_USER = 'baton';",
            "1",
        ),
        // It speaks nothing else.
        ServerKind::Redis => return,
    };
    assert_eq!(server.tell(asked), expected);
}

async fn what_goes_to_a_server_over_tls_cannot_be_read_on_the_way(kind: ServerKind) {
    let ca = Authority::new("ours");
    let Some(server) = certified(kind, &ca, HERE) else { return };
    let looks = [Look::Not, Look::Signer, Look::All].map(|look| looking(kind, look, &ca.file()));
    // TLS is taken where it is there, unless told otherwise.
    let unless_told = (kind != ServerKind::Redis).then(String::new);
    for (n, settings) in looks.into_iter().chain([unless_told]).enumerate() {
        let Some(settings) = settings else { continue };
        let (_store, proxy) = commits(&server, &format!("secret_{n}"), &settings).await;
        assert!(!proxy.has_heard(), "{settings}");
        says_so(&server);
    }
    // And without it, whoever listens hears all.
    let (plain, settings) = match kind {
        ServerKind::Postgres => (server, "&sslmode=disable"),
        // Where somebody has come with TLS, MySQL takes a password without it.
        ServerKind::Mariadb | ServerKind::Mysql => (server, "&sslmode=DISABLED"),
        ServerKind::Redis => (Server::start(kind).expect("it is here"), ""),
    };
    let (_store, proxy) = commits(&plain, "open", settings).await;
    assert!(proxy.has_heard());
}

/// What is said where a store is refused, without the password.
async fn refused(url: &str, asked: &str) -> String {
    let url: StoreUrl = format!("{url}{asked}&connect_timeout_ms=2000").parse().expect("a URL");
    let refused = connect(&url, DEFAULT_HISTORY).await.expect_err("it is refused");
    assert!(matches!(refused, ConnectError::Unreachable { .. }), "{refused:?}");
    let told = refused.to_string();
    assert!(told.starts_with(&format!("{url}: ")), "it names the server: {told}");
    assert!(!told.contains(PASSWORD) && !format!("{refused:?}").contains(PASSWORD), "{told}");
    told
}

async fn a_server_that_somebody_else_has_signed_is_refused(kind: ServerKind) {
    let (ours, theirs) = (Authority::new("ours"), Authority::new("theirs"));
    let Some(server) = certified(kind, &theirs, HERE) else { return };
    for look in [Look::Signer, Look::All] {
        let Some(settings) = looking(kind, look, &ours.file()) else { continue };
        let told = refused(&server.url("signed"), &settings).await;
        assert!(told.contains("UnknownIssuer") && told.contains("`sslrootcert`"), "{told}");
    }
    // Nor is one that nobody was named for.
    let unnamed = match kind {
        ServerKind::Postgres => "&sslmode=verify-full",
        ServerKind::Mariadb | ServerKind::Mysql => "&sslmode=VERIFY_IDENTITY",
        ServerKind::Redis => "",
    };
    let told = refused(&server.url("signed"), unnamed).await;
    assert!(told.contains("UnknownIssuer"), "{told}");
}

async fn a_server_with_a_certificate_for_another_name_is_refused(kind: ServerKind) {
    let ca = Authority::new("ours");
    let Some(server) = certified(kind, &ca, &["db.example"]) else { return };
    let settings = looking(kind, Look::All, &ca.file()).expect("all can");
    let told = refused(&server.url("named"), &settings).await;
    assert!(told.contains("db.example") && told.contains("name the server as its certificate does"), "{told}");
    // Where only the signer is asked for, its name is another matter.
    if let Some(settings) = looking(kind, Look::Signer, &ca.file()) {
        assert!(!commits(&server, "named", &settings).await.1.has_heard());
    }
}

async fn a_server_without_tls_is_refused_where_it_is_asked_for(kind: ServerKind) {
    let ca = Authority::new("ours");
    if kind == ServerKind::Mysql {
        println!("did not run: MySQL makes itself a certificate where it has none");
        return;
    }
    let Some(server) = Server::start(kind) else { return };
    for look in [Look::Not, Look::Signer, Look::All] {
        let Some(settings) = looking(kind, look, &ca.file()) else { continue };
        let told = refused(&server.url("none").replace("redis://", "rediss://"), &settings).await;
        assert!(told.contains("has no TLS") || told.contains("speak TLS"), "{told}");
    }
}

async fn a_host_shows_its_certificate_where_the_server_wants_to_see_one(kind: ServerKind) {
    let (ca, theirs) = (Authority::new("ours"), Authority::new("theirs"));
    let Some(server) = Server::start_with_tls(kind, &Tls { by: &ca, names: HERE, asks: true }) else { return };
    let settings = looking(kind, Look::All, &ca.file()).expect("all can");
    let told = refused(&server.url("shown"), &settings).await;
    match kind {
        ServerKind::Postgres => assert!(told.contains("client certificate"), "{told}"),
        ServerKind::Mariadb | ServerKind::Mysql => assert!(told.contains("Access denied"), "{told}"),
        ServerKind::Redis => assert!(told.contains("`sslcert`"), "{told}"),
    }
    let showing = |(certificate, key): (std::path::PathBuf, std::path::PathBuf)| {
        format!("{settings}&sslcert={}&sslkey={}", certificate.display(), key.display())
    };
    refused(&server.url("shown"), &showing(theirs.client("baton"))).await;
    commits(&server, "shown", &showing(ca.client("baton"))).await;
}

async fn a_file_of_certificates_that_is_not_there_is_named(kind: ServerKind) {
    let ca = Authority::new("ours");
    let Some(server) = certified(kind, &ca, HERE) else { return };
    let settings = looking(kind, Look::All, Path::new("/nowhere/ca.pem")).expect("all can");
    let told = refused(&server.url("missing"), &settings).await;
    assert!(told.contains("sslrootcert: /nowhere/ca.pem: No such file"), "{told}");
}
