//! Certificates for servers, and for those who come to them.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair,
    KeyUsagePurpose,
};
use tempfile::TempDir;

/// What a server is told of TLS.
#[derive(Debug)]
pub struct Tls<'a> {
    /// Who has signed its certificate, and those that it takes.
    pub by: &'a Authority,
    /// The names in its certificate.
    pub names: &'a [&'a str],
    /// Whether it asks everyone who comes for a certificate.
    pub asks: bool,
}

/// Somebody who signs certificates.
#[derive(Debug)]
pub struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
    dir: TempDir,
}

impl Authority {
    /// One that nobody knows yet.
    ///
    /// # Panics
    /// If there is no directory for its certificate.
    #[must_use]
    pub fn new(name: &str) -> Self {
        let mut about = CertificateParams::default();
        about.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        about.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        about.distinguished_name.push(DnType::CommonName, name);
        let issuer = CertifiedIssuer::self_signed(about, KeyPair::generate().expect("a key")).expect("signs itself");
        let dir = tempfile::tempdir().expect("a directory");
        fs::write(dir.path().join("ca.pem"), issuer.pem()).expect("writes");
        Self { issuer, dir }
    }

    /// The file of its own certificate.
    #[must_use]
    pub fn file(&self) -> PathBuf {
        self.dir.path().join("ca.pem")
    }

    /// The files of a certificate for who comes to a server, and of its key.
    #[must_use]
    pub fn client(&self, name: &str) -> (PathBuf, PathBuf) {
        self.sign(self.dir.path(), name, &[], ExtendedKeyUsagePurpose::ClientAuth)
    }

    /// Lays a server's certificate for those names into `dir`, with its key and what it knows others by.
    pub(super) fn certify(&self, dir: &Path, names: &[&str]) {
        self.sign(dir, "server", names, ExtendedKeyUsagePurpose::ServerAuth);
        fs::write(dir.join("ca.pem"), self.issuer.pem()).expect("writes");
    }

    fn sign(&self, dir: &Path, name: &str, names: &[&str], purpose: ExtendedKeyUsagePurpose) -> (PathBuf, PathBuf) {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let mut about = CertificateParams::new(names).expect("names");
        about.distinguished_name.push(DnType::CommonName, name);
        about.extended_key_usages = vec![purpose];
        let key = KeyPair::generate().expect("a key");
        let signed = about.signed_by(&key, &self.issuer).expect("signs");
        let files = ["pem", "key"].map(|kind| dir.join(format!("{name}.{kind}")));
        fs::write(&files[0], signed.pem()).expect("writes");
        fs::write(&files[1], key.serialize_pem()).expect("writes");
        // Servers do not take a key that others may read.
        fs::set_permissions(&files[1], fs::Permissions::from_mode(0o600)).expect("closes it");
        let [certificate, key] = files;
        (certificate, key)
    }
}
