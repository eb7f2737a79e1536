//! The URL of a store on a server: which one, how it is reached, and within which bounds. Its password is never shown.

use std::fmt;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use ::url::Url;

use super::Durable;

/// Schemas and prefixes unless told.
pub const DEFAULT_SPACE: &str = "baton";
/// Connections of a pool, unless told, and the most that there may be.
pub const DEFAULT_CONNECTIONS: u32 = 8;
/// See [`DEFAULT_CONNECTIONS`].
pub const MOST_CONNECTIONS: u32 = 1_000;
/// Milliseconds until a connection is there, unless told.
pub const DEFAULT_CONNECT_TIMEOUT_MS: u64 = 5_000;
/// Milliseconds until one of the pool's connections is free, unless told.
pub const DEFAULT_ACQUIRE_TIMEOUT_MS: u64 = 5_000;
/// Milliseconds until what was asked is answered, unless told; the server gives a statement up after half of that.
pub const DEFAULT_ANSWER_TIMEOUT_MS: u64 = 10_000;
/// What times may be, in milliseconds.
const TIMES_MS: RangeInclusive<u64> = 100..=600_000;
/// Bytes of a record at most, unless told: 64 MiB; and the least that may be told.
pub(super) const LARGEST_RECORD_BYTES: usize = 64 << 20;
const LEAST_RECORD_BYTES: u64 = 64 << 10;
/// Settings of every store.
const OF_ALL: [&str; 4] = ["connect_timeout_ms", "answer_timeout_ms", "largest_record_bytes", "durability"];
/// Settings that name files of certificates.
const FILES: [&str; 3] = ["sslrootcert", "sslcert", "sslkey"];
/// Longest schema or prefix, in bytes.
const SPACE_BYTES: usize = 48;

/// What answers at a store's URL.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ServerKind {
    /// `postgres://`: PostgreSQL.
    Postgres,
    /// `mysql://`: MySQL and MariaDB.
    Mysql,
    /// `redis://`, and `rediss://` with TLS: Redis and what speaks like it.
    Redis,
}

impl ServerKind {
    const ALL: [Self; 3] = [Self::Postgres, Self::Mysql, Self::Redis];

    fn of_scheme(scheme: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.schemes().contains(&scheme))
    }

    fn schemes(self) -> &'static [&'static str] {
        match self {
            Self::Postgres => &["postgres", "postgresql"],
            Self::Mysql => &["mysql", "mariadb"],
            Self::Redis => &["redis", "rediss"],
        }
    }

    /// Its name, which is that of the cargo feature as well.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Postgres => "postgres",
            Self::Mysql => "mysql",
            Self::Redis => "redis",
        }
    }

    /// What of the query is the library's own, and its name there.
    fn passed_on(self) -> &'static [(&'static str, &'static str)] {
        match self {
            Self::Postgres => &[
                ("sslmode", "sslmode"),
                ("sslrootcert", "sslrootcert"),
                ("sslcert", "sslcert"),
                ("sslkey", "sslkey"),
                ("host", "host"),
            ],
            Self::Mysql => &[
                ("sslmode", "ssl-mode"),
                ("sslrootcert", "ssl-ca"),
                ("sslcert", "ssl-cert"),
                ("sslkey", "ssl-key"),
                ("socket", "socket"),
            ],
            Self::Redis => &[],
        }
    }

    /// What of the query is read here, beside what is read of all.
    fn own(self) -> &'static [&'static str] {
        match self {
            Self::Postgres => &["schema", "connections", "acquire_timeout_ms"],
            Self::Mysql => &["prefix", "connections", "acquire_timeout_ms"],
            Self::Redis => &["prefix"],
        }
    }

    /// What `sslmode` may be, the least first: from the first that begins with `verify` on, the server's certificate is
    /// looked at.
    fn ssl_modes(self) -> &'static [&'static str] {
        match self {
            Self::Postgres => &["disable", "allow", "prefer", "require", "verify-ca", "verify-full"],
            Self::Mysql => &["disabled", "preferred", "required", "verify_ca", "verify_identity"],
            Self::Redis => &[],
        }
    }

    /// Every setting that its URL may have.
    fn settings(self) -> impl Iterator<Item = &'static str> {
        let files = FILES.into_iter().filter(move |_| self == Self::Redis);
        let passed_on = self.passed_on().iter().map(|(known, _)| *known);
        self.own().iter().copied().chain(OF_ALL).chain(files).chain(passed_on)
    }
}

/// How long, and how many.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Bounds {
    /// Connections of the pool at most.
    #[allow(dead_code, reason = "of servers with a pool")]
    pub(super) connections: u32,
    pub(super) connect_timeout: Duration,
    /// Until one of the pool's connections is free.
    #[allow(dead_code, reason = "of servers with a pool")]
    pub(super) acquire_timeout: Duration,
    pub(super) answer_timeout: Duration,
    /// Bytes of a record at most; the server may take less.
    #[allow(dead_code, reason = "of a build with servers")]
    pub(super) largest_record: usize,
}

/// The URL of a store on a server. What is shown of it has no password.
#[derive(Clone, PartialEq, Eq)]
pub struct StoreUrl {
    kind: ServerKind,
    /// As the library takes it.
    url: Url,
    pub(super) bounds: Bounds,
    /// The schema, or what all names begin with.
    pub(super) space: String,
    weak: bool,
    /// What `sslmode` says, in small letters.
    ssl_mode: Option<String>,
    pub(super) files: CertificateFiles,
}

/// Files of certificates that a URL names.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct CertificateFiles {
    /// Those that sign the server's.
    pub(super) root: Option<PathBuf>,
    /// What we show to the server.
    pub(super) own: Option<PathBuf>,
    /// And the key to that.
    pub(super) key: Option<PathBuf>,
}

impl StoreUrl {
    /// Which server.
    #[must_use]
    pub fn kind(&self) -> ServerKind {
        self.kind
    }

    /// Whether text looks like the URL of a store on a server, be it a good one or not.
    #[must_use]
    pub fn is_meant_by(text: &str) -> bool {
        text.split_once("://").is_some()
    }

    /// The same, with this password in place of one that it has.
    #[must_use]
    pub fn with_password(mut self, password: &str) -> Self {
        // Only a URL without a host cannot have one, and that one needs none.
        let _ = self.url.set_password(Some(password));
        self
    }

    /// Whether it has a password in it.
    #[must_use]
    pub fn has_password(&self) -> bool {
        self.url.password().is_some()
    }

    /// The same, with settings of the server allowed that may lose what was acknowledged.
    #[must_use]
    pub fn weak(mut self, yes: bool) -> Self {
        self.weak |= yes;
        self
    }

    /// Whether such settings are allowed.
    #[must_use]
    pub fn is_weak(&self) -> bool {
        self.weak
    }

    /// With its password, for the library that connects.
    #[allow(dead_code, reason = "of a build with servers")]
    pub(super) fn revealed(&self) -> &Url {
        &self.url
    }
}

/// Why a text is no URL of a store. Never has the text in it: there may be a password in it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct UrlError(String);

impl FromStr for StoreUrl {
    type Err = UrlError;

    fn from_str(text: &str) -> Result<Self, UrlError> {
        let url = Url::parse(text).map_err(|error| UrlError(format!("it is no URL: {error}")))?;
        let kind = ServerKind::of_scheme(url.scheme()).ok_or_else(|| {
            let schemes: Vec<_> =
                ServerKind::ALL.into_iter().flat_map(ServerKind::schemes).map(|s| format!("{s}://")).collect();
            UrlError(format!("`{}://` is no store's; there are {}", url.scheme(), schemes.join(", ")))
        })?;
        if kind == ServerKind::Mysql && url.path().trim_matches('/').is_empty() {
            return Err(UrlError("it names no database: write mysql://USER@HOST/DATABASE".to_owned()));
        }
        let mut found = Self {
            kind,
            url: url.clone(),
            bounds: Bounds {
                connections: DEFAULT_CONNECTIONS,
                connect_timeout: Duration::from_millis(DEFAULT_CONNECT_TIMEOUT_MS),
                acquire_timeout: Duration::from_millis(DEFAULT_ACQUIRE_TIMEOUT_MS),
                answer_timeout: Duration::from_millis(DEFAULT_ANSWER_TIMEOUT_MS),
                largest_record: LARGEST_RECORD_BYTES,
            },
            space: DEFAULT_SPACE.to_owned(),
            weak: false,
            ssl_mode: None,
            files: CertificateFiles::default(),
        };
        found.url.set_query(None);
        found.url.set_fragment(None);
        for (key, value) in url.query_pairs() {
            found.setting(&key, &value)?;
        }
        found.check_tls()?;
        Ok(found)
    }
}

impl StoreUrl {
    fn setting(&mut self, key: &str, value: &str) -> Result<(), UrlError> {
        if !self.kind.settings().any(|known| known == key) {
            let known: Vec<_> = self.kind.settings().collect();
            return Err(UrlError(format!(
                "`{}` is no setting of a {} store; there are {}",
                brief(key),
                self.kind.name(),
                known.join(", ")
            )));
        }
        if let Some((_, name)) = self.kind.passed_on().iter().find(|(known, _)| *known == key) {
            self.url.query_pairs_mut().append_pair(name, value);
        }
        match key {
            "schema" | "prefix" => self.space = space(key, value)?,
            "connections" => {
                let most = u64::from(MOST_CONNECTIONS);
                self.bounds.connections = u32::try_from(number(key, value, &(2..=most))?).unwrap_or(MOST_CONNECTIONS);
            }
            "connect_timeout_ms" => self.bounds.connect_timeout = Duration::from_millis(number(key, value, &TIMES_MS)?),
            "acquire_timeout_ms" => self.bounds.acquire_timeout = Duration::from_millis(number(key, value, &TIMES_MS)?),
            "answer_timeout_ms" => self.bounds.answer_timeout = Duration::from_millis(number(key, value, &TIMES_MS)?),
            "largest_record_bytes" => {
                let found = number(key, value, &(LEAST_RECORD_BYTES..=LARGEST_RECORD_BYTES as u64))?;
                self.bounds.largest_record = usize::try_from(found).unwrap_or(LARGEST_RECORD_BYTES);
            }
            "durability" => match value {
                "weak" => self.weak = true,
                "strong" => self.weak = false,
                _ => return Err(UrlError("`durability` is `strong` or `weak`".to_owned())),
            },
            "sslmode" => {
                let (mode, modes) = (value.to_ascii_lowercase(), self.kind.ssl_modes());
                if !modes.contains(&mode.as_str()) {
                    return Err(UrlError(format!("`sslmode` is one of {}", modes.join(", "))));
                }
                self.ssl_mode = Some(mode);
            }
            "sslrootcert" => self.files.root = Some(value.into()),
            "sslcert" => self.files.own = Some(value.into()),
            "sslkey" => self.files.key = Some(value.into()),
            // What is only passed on.
            _ => {}
        }
        Ok(())
    }

    /// That what is said of TLS goes together, so that nothing that was named is left aside.
    fn check_tls(&self) -> Result<(), UrlError> {
        let CertificateFiles { root, own, key } = &self.files;
        if own.is_some() != key.is_some() {
            return Err(UrlError("`sslcert` and `sslkey` go together: name both, or neither".to_owned()));
        }
        let named = root.is_some() || own.is_some();
        if self.kind == ServerKind::Redis {
            return match named && self.url.scheme() != "rediss" {
                true => Err(UrlError("certificates are for TLS: write rediss://".to_owned())),
                false => Ok(()),
            };
        }
        let verifies = self.ssl_mode.as_ref().is_some_and(|mode| mode.starts_with("verify"));
        if root.is_some() && !verifies {
            let modes: Vec<_> = self.kind.ssl_modes().iter().filter(|mode| mode.starts_with("verify")).collect();
            return Err(UrlError(format!(
                "with `sslrootcert` the server's certificate is meant to be looked at, as it is with `sslmode={}` or `{}`",
                modes[1], modes[0]
            )));
        }
        Ok(())
    }

    /// That the files of certificates are there, and can be read: the libraries' own words do not say which is not.
    ///
    /// # Errors
    /// Names the one that is not.
    #[allow(dead_code, reason = "of a build with servers")]
    pub(super) fn check_files(&self) -> Result<(), Wrong> {
        let CertificateFiles { root, own, key } = &self.files;
        for (path, setting) in [root, own, key].into_iter().zip(FILES) {
            if let Some(path) = path {
                std::fs::read(path)
                    .map_err(|error| Wrong::Unreachable(format!("{setting}: {}: {error}", path.display())))?;
            }
        }
        Ok(())
    }
}

fn brief(text: &str) -> String {
    text.chars().take(40).collect()
}

fn number(key: &str, value: &str, range: &RangeInclusive<u64>) -> Result<u64, UrlError> {
    let found = value.parse().ok().filter(|number| range.contains(number));
    found.ok_or_else(|| UrlError(format!("`{key}` is a number from {} to {}", range.start(), range.end())))
}

/// A schema or a prefix: it becomes part of names in statements as it is.
fn space(key: &str, value: &str) -> Result<String, UrlError> {
    let good = value.starts_with(|c: char| c.is_ascii_lowercase())
        && value.len() <= SPACE_BYTES
        && value.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_');
    if good {
        Ok(value.to_owned())
    } else {
        Err(UrlError(format!("`{key}` has 1 to {SPACE_BYTES} of a-z, 0-9 and _, and begins with a letter")))
    }
}

impl fmt::Display for StoreUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = self.url.clone();
        let _ = shown.set_password(None);
        shown.set_query(None);
        let space = if self.kind == ServerKind::Postgres { "schema" } else { "prefix" };
        match self.space.as_str() {
            DEFAULT_SPACE => write!(f, "{shown}"),
            other => write!(f, "{shown}?{space}={other}"),
        }
    }
}

impl fmt::Debug for StoreUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "StoreUrl({self})")
    }
}

/// Why a store on a server cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ConnectError {
    /// This program was built without what talks to such servers.
    #[error("{url}: this build has no stores of {kind}: build it with the feature `{kind}`")]
    NotBuilt {
        /// Where.
        url: StoreUrl,
        /// The feature's name.
        kind: &'static str,
    },
    /// It does not answer, or does not let us in.
    #[error("{url}: the store is out of reach: {why}")]
    Unreachable {
        /// Where.
        url: StoreUrl,
        /// Why.
        why: String,
    },
    /// What it would acknowledge may be lost, or it cannot keep what is promised.
    #[error("{url}: {setting}: {why}; {cure}")]
    Unfit {
        /// Where.
        url: StoreUrl,
        /// The server's setting, and what it is set to.
        setting: String,
        /// What follows from that.
        why: &'static str,
        /// What to do.
        cure: String,
    },
    /// Its tables are not those of this release.
    #[error("{url}: {why}")]
    Schema {
        /// Where.
        url: StoreUrl,
        /// What is wrong with them.
        why: String,
    },
}

/// What is wrong with a server, whichever URL it has.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(dead_code, reason = "of a build with servers")]
pub(super) enum Wrong {
    Unreachable(String),
    Unfit { setting: String, why: &'static str, cure: String },
    Schema(String),
}

#[allow(dead_code, reason = "of a build with servers")]
impl Wrong {
    pub(super) fn at(self, url: &StoreUrl) -> ConnectError {
        let url = url.clone();
        match self {
            Self::Unreachable(why) => ConnectError::Unreachable { url, why },
            Self::Unfit { setting, why, cure } => ConnectError::Unfit { url, setting, why, cure },
            Self::Schema(why) => ConnectError::Schema { url, why },
        }
    }
}

impl fmt::Display for Wrong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreachable(why) | Self::Schema(why) => f.write_str(why),
            Self::Unfit { setting, why, cure } => write!(f, "{setting}: {why}; {cure}"),
        }
    }
}

/// A setting of a server that makes what it acknowledges less sure.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(dead_code, reason = "of a build with servers")]
pub(super) struct Weakness {
    /// The setting, and what it is set to.
    pub(super) setting: String,
    /// What an acknowledged commit survives all the same.
    pub(super) holds: Durable,
    pub(super) why: &'static str,
    pub(super) cure: &'static str,
}

/// What holds with all of `found`, if that is allowed.
///
/// # Errors
/// The first of them, where it is not.
#[allow(dead_code, reason = "of a build with servers")]
pub(super) fn judge(found: Vec<Weakness>, weak: bool) -> Result<Durable, Wrong> {
    let holds = found.iter().map(|one| one.holds).min().unwrap_or(Durable::PowerLoss);
    match found.into_iter().next() {
        Some(Weakness { setting, why, cure, .. }) if !weak => {
            let cure = format!("{cure}, or allow it with durability=weak");
            Err(Wrong::Unfit { setting, why, cure })
        }
        _ => Ok(holds),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_read_and_never_shows_its_password() {
        let cases = [
            ("postgres://ann:s3cret@db:5433/shop", "postgres://ann@db:5433/shop"),
            (
                "postgresql://ann:s3cret@db/shop?schema=fleet_2&sslmode=require",
                "postgresql://ann@db/shop?schema=fleet_2",
            ),
            ("mysql://ann:s3cret@db/shop?prefix=x", "mysql://ann@db/shop?prefix=x"),
            ("redis://:s3cret@db:6379/3", "redis://db:6379/3"),
            ("rediss://ann:s3cret@db", "rediss://ann@db"),
        ];
        for (text, shown) in cases {
            let url: StoreUrl = text.parse().expect(text);
            assert_eq!(url.to_string(), shown);
            let error = Wrong::Unreachable("no".into()).at(&url);
            for told in [format!("{url:?}"), error.to_string(), format!("{error:?}")] {
                assert!(!told.contains("s3cret") && told.contains(shown), "{told}");
            }
            assert!(url.revealed().as_str().contains("s3cret"));
            assert!(url.with_password("0ther").revealed().as_str().contains("0ther"));
        }
    }

    #[test]
    fn what_is_wrong_with_a_url_is_told_without_it() {
        let cases = [
            ("postgres://ann:s3cret@db:port/shop", "invalid port"),
            ("nats://ann:s3cret@db", "`nats://` is no store's"),
            ("mysql://ann:s3cret@db", "names no database"),
            ("postgres://ann:s3cret@db/x?password=s3cret", "`password` is no setting"),
            ("postgres://ann:s3cret@db/x?schema=a;b", "`schema` has 1 to 48"),
            ("postgres://ann:s3cret@db/x?connections=1", "`connections` is a number from 2 to 1000"),
            ("redis://:s3cret@db?connections=4", "is no setting of a redis store"),
            ("redis://:s3cret@db?durability=s3cret", "`strong` or `weak`"),
            ("redis://:s3cret@db?answer_timeout_ms=s3cret", "a number from 100 to 600000"),
            ("postgres://ann:s3cret@db/x?sslmode=s3cret", "`sslmode` is one of disable, allow, prefer"),
            ("mysql://ann:s3cret@db/x?sslmode=verify-full", "`sslmode` is one of disabled, preferred"),
            ("postgres://ann:s3cret@db/x?sslrootcert=ca", "`sslmode=verify-full` or `verify-ca`"),
            ("mysql://ann:s3cret@db/x?sslrootcert=ca&sslmode=REQUIRED", "`sslmode=verify_identity` or `verify_ca`"),
            ("postgres://ann:s3cret@db/x?sslcert=a", "`sslcert` and `sslkey` go together"),
            ("redis://:s3cret@db?sslrootcert=ca", "write rediss://"),
            ("rediss://:s3cret@db?sslrootcert=ca&sslkey=k", "`sslcert` and `sslkey` go together"),
            ("rediss://:s3cret@db?sslmode=require", "is no setting of a redis store"),
        ];
        for (text, expected) in cases {
            let told = text.parse::<StoreUrl>().expect_err(text).to_string();
            assert!(told.contains(expected) && !told.contains("s3cret"), "{told}");
        }
    }

    #[test]
    fn the_weakest_setting_says_what_holds_and_has_to_be_allowed() {
        let weakness = |holds| Weakness { setting: "s = off".into(), holds, why: "w", cure: "c" };
        let found = vec![weakness(Durable::ServerLoss), weakness(Durable::HostLoss)];
        assert_eq!(judge(vec![], false), Ok(Durable::PowerLoss));
        assert_eq!(judge(found.clone(), true), Ok(Durable::HostLoss));
        let refused = judge(found, false).expect_err("is refused").to_string();
        assert_eq!(refused, "s = off: w; c, or allow it with durability=weak");
    }
}
