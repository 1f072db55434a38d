//! What a certificate says of itself, for whoever watches over it: how long it is valid, and by
//! which authority.
//!
//! What it is not: a judge. Whether a certificate is believed is rustls' to say; what cannot be
//! read here is unknown and nothing worse.

use std::fmt::Write as _;
use std::path::Path;

use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;
use x509_parser::extensions::ParsedExtension;
use x509_parser::prelude::{FromDer, X509Certificate};

use crate::TlsError;
use crate::tls::certificates;

/// What a certificate says of itself.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Certified {
    /// Its serial number, in hexadecimal digits.
    pub serial: String,
    /// When its validity begins, in seconds since 1970.
    pub from_seconds: i64,
    /// When it expires, in seconds since 1970.
    pub until_seconds: i64,
    /// Key of the authority that issued it, by its identifier in hexadecimal digits; `None` if
    /// it does not say.
    pub issuer_key: Option<String>,
    /// Its own key, by the same kind of identifier, as authorities say it.
    pub own_key: Option<String>,
}

/// What a certificate says of itself; nothing if it cannot be read.
pub fn certified(certificate: &CertificateDer<'_>) -> Certified {
    let Ok((_rest, parsed)) = X509Certificate::from_der(certificate) else {
        return Certified::default();
    };
    let mut keys = (None, None);
    for extension in parsed.extensions() {
        match extension.parsed_extension() {
            ParsedExtension::AuthorityKeyIdentifier(issuer) => {
                keys.0 = issuer.key_identifier.as_ref().map(|key| hex(key.0));
            }
            ParsedExtension::SubjectKeyIdentifier(own) => keys.1 = Some(hex(own.0)),
            _ => {}
        }
    }
    Certified {
        serial: hex(parsed.raw_serial()),
        from_seconds: parsed.validity().not_before.timestamp(),
        until_seconds: parsed.validity().not_after.timestamp(),
        issuer_key: keys.0,
        own_key: keys.1,
    }
}

/// What the first certificate of a PEM file says of itself.
///
/// # Errors
/// [`TlsError::File`].
pub fn certified_in(path: &Path) -> Result<Certified, TlsError> {
    let certificate = CertificateDer::from_pem_file(path).map_err(|cause| TlsError::File {
        path: path.to_path_buf(),
        cause: cause.to_string(),
    })?;
    Ok(certified(&certificate))
}

/// How many certificates a PEM file holds.
///
/// # Errors
/// [`TlsError::File`], also if there is none.
pub fn certificates_in(path: &Path) -> Result<usize, TlsError> {
    certificates(path).map(|found| found.len())
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing to a string does not fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, SystemTime};

    use rustls_pki_types::CertificateDer;
    use tempfile::TempDir;

    use super::{Certified, certified, certified_in};
    use crate::NodeIdentity;
    use crate::pki::Authority;

    #[test]
    fn certificate_tells_its_end_and_its_authority() {
        let folder = TempDir::new().expect("a folder");
        let authority = Authority::create(&"demo".parse().expect("a name")).expect("made");
        authority.save(folder.path()).expect("saved");
        let name = "node-7.eu-west.demo.meridian.internal";
        let identity = NodeIdentity::from_dns_name(name).expect("a name of ours");
        let issued = authority.issue_for(&identity, Duration::from_secs(3_600));
        let saved = issued.and_then(|issued| issued.save(folder.path(), "node-7"));
        saved.expect("issued");
        let read = |name: &str| certified_in(&folder.path().join(name)).expect("read");
        let (node, authority) = (read("node-7.pem"), read("ca.pem"));
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        let now = i64::try_from(now.expect("after 1970").as_secs()).expect("small");
        assert!((node.until_seconds - now - 3_600).abs() < 60, "{node:?}");
        assert!(node.from_seconds < now && authority.until_seconds > node.until_seconds);
        assert!(node.issuer_key.is_some());
        assert_eq!(node.issuer_key, authority.own_key);
        let noise = CertificateDer::from(&b"noise"[..]);
        assert_eq!(certified(&noise), Certified::default());
    }
}
