//! What the host shows its clients: a certificate and its key, from PEM files.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::{ServerConfig, version};

use crate::model::ApiTls;

/// Largest PEM file, in bytes.
const PEM_BYTES: u64 = 1 << 20;

pub(super) fn server(files: &ApiTls) -> Result<ServerConfig, String> {
    let certificates: Vec<CertificateDer<'static>> = {
        let pem = read(&files.certificate)?;
        let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&pem).collect();
        found.map_err(|error| format!("{}: {error}", files.certificate.display()))?
    };
    if certificates.is_empty() {
        return Err(format!("{} holds no certificate, PEM", files.certificate.display()));
    }
    let key = PrivateKeyDer::from_pem_slice(&read(&files.key)?)
        .map_err(|error| format!("{} holds no private key, PEM: {error}", files.key.display()))?;
    let provider = Arc::new(ring::default_provider());
    let builder = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&version::TLS13, &version::TLS12])
        .map_err(|error| format!("TLS cannot be had: {error}"))?;
    let mut config = builder.with_no_client_auth().with_single_cert(certificates, key).map_err(|error| {
        let (certificate, key) = (files.certificate.display(), files.key.display());
        format!("{certificate} and {key} do not go together: {error}")
    })?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(config)
}

fn read(path: &Path) -> Result<Vec<u8>, String> {
    let shown = path.display();
    let size = fs::metadata(path).map_err(|error| format!("{shown} cannot be looked at: {error}"))?.len();
    if size > PEM_BYTES {
        return Err(format!("{shown} has more than {PEM_BYTES} bytes"));
    }
    fs::read(path).map_err(|error| format!("{shown} cannot be read: {error}"))
}
