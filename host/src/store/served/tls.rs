//! What is wrong with TLS to a server, and what to do about it, whichever library was told.

use std::error::Error as StdError;
use std::io;
use std::sync::Arc;

use tokio_rustls::rustls::{AlertDescription, CertificateError, Error};

/// What an error says, if TLS is at the bottom of it.
pub(in crate::store) fn words(error: &(dyn StdError + 'static)) -> Option<String> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(found) = error.downcast_ref::<Error>() {
            return Some(said(found));
        }
        // These two do not tell what they hold as their source.
        if let Some(inner) = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref) {
            return words(inner);
        }
        if let Some(inner) = error.downcast_ref::<Arc<dyn StdError + Send + Sync>>() {
            return words(inner.as_ref());
        }
        next = error.source();
    }
    None
}

fn said(error: &Error) -> String {
    let cure = match error {
        Error::InvalidCertificate(CertificateError::UnknownIssuer) => {
            "nobody who is trusted here has signed it: name its CA's certificate with `sslrootcert`"
        }
        Error::InvalidCertificate(
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
        ) => "name the server as its certificate does",
        Error::InvalidCertificate(CertificateError::Expired | CertificateError::ExpiredContext { .. }) => {
            "it has expired: renew it at the server, or set the clock here"
        }
        Error::AlertReceived(AlertDescription::CertificateRequired | AlertDescription::HandshakeFailure) => {
            "the server wants to see a certificate: name one with `sslcert`, and its key with `sslkey`"
        }
        Error::AlertReceived(
            AlertDescription::UnknownCA | AlertDescription::BadCertificate | AlertDescription::DecryptError,
        ) => "the server does not take the certificate that `sslcert` names",
        Error::InvalidMessage(_) => "what answers there does not speak TLS",
        other => return format!("TLS: {other}"),
    };
    format!("TLS: {error}; {cure}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wrong_with_tls_is_found_below_other_errors_and_comes_with_a_cure() {
        let cases = [
            (Error::InvalidCertificate(CertificateError::UnknownIssuer), "`sslrootcert`"),
            (Error::InvalidCertificate(CertificateError::NotValidForName), "as its certificate does"),
            (Error::InvalidCertificate(CertificateError::Expired), "renew it"),
            (Error::AlertReceived(AlertDescription::CertificateRequired), "`sslcert`"),
            (Error::AlertReceived(AlertDescription::UnknownCA), "does not take the certificate"),
            (Error::AlertReceived(AlertDescription::ProtocolVersion), "TLS: received fatal alert"),
        ];
        for (error, expected) in cases {
            let below = io::Error::new(io::ErrorKind::InvalidData, error.clone());
            let shared: Arc<dyn StdError + Send + Sync> = Arc::new(io::Error::other(error.clone()));
            for told in [words(&error), words(&below), words(&io::Error::other(below)), words(&shared)] {
                let told = told.expect("it is found");
                assert!(told.contains(expected), "{told}");
            }
        }
        assert_eq!(words(&io::Error::other("the cable")), None);
    }
}
