//! Whom a client believes when it speaks HTTPS.
//!
//! The crypto provider is given to the configuration by hand, as everywhere (ADR 5). What it is
//! not: a certificate of the client's. Who calls is said by credentials.

use std::path::Path;
use std::sync::{Arc, OnceLock};

use rustls::crypto::ring::default_provider;
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;

/// Whose certificates are believed. Names are always checked.
#[derive(Debug, Clone, Default)]
pub struct Trust(Option<Arc<ClientConfig>>);

/// Why nobody can be believed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("cannot read authorities from {place}: {why}; name a PEM file with their certificates")]
pub struct TrustError {
    place: String,
    why: String,
}

impl Trust {
    /// The authorities that this machine trusts: what a client begins with.
    #[must_use]
    pub const fn machine() -> Self {
        Self(None)
    }

    /// The authorities in a PEM file, and no others.
    ///
    /// # Errors
    /// [`TrustError`] names the file.
    pub fn file(path: &Path) -> Result<Self, TrustError> {
        let failed = |why: String| TrustError {
            place: path.display().to_string(),
            why,
        };
        let pem = std::fs::read(path).map_err(|cause| failed(cause.to_string()))?;
        Self::pem(&pem).map_err(|refused| failed(refused.why))
    }

    /// The authorities in a PEM text, and no others.
    ///
    /// # Errors
    /// [`TrustError`].
    pub fn pem(text: &[u8]) -> Result<Self, TrustError> {
        let failed = |why: String| TrustError {
            place: "a PEM text".to_owned(),
            why,
        };
        let mut roots = RootCertStore::empty();
        for authority in CertificateDer::pem_slice_iter(text) {
            let authority = authority.map_err(|cause| failed(cause.to_string()))?;
            let added = roots.add(authority);
            added.map_err(|cause| failed(cause.to_string()))?;
        }
        if roots.is_empty() {
            return Err(failed("it holds no certificate".to_owned()));
        }
        Ok(Self(Some(Arc::new(config(roots)))))
    }

    pub(crate) fn config(&self) -> ClientConfig {
        match &self.0 {
            Some(config) => ClientConfig::clone(config),
            None => of_this_machine().clone(),
        }
    }
}

/// Read once: a process may make many clients. Without any authority HTTPS fails by its
/// handshake, and HTTP goes on.
fn of_this_machine() -> &'static ClientConfig {
    static MACHINE: OnceLock<ClientConfig> = OnceLock::new();
    MACHINE.get_or_init(|| {
        let mut roots = RootCertStore::empty();
        // What one file lacks may be in another.
        let found = rustls_native_certs::load_native_certs();
        roots.add_parsable_certificates(found.certs);
        config(roots)
    })
}

fn config(roots: RootCertStore) -> ClientConfig {
    ClientConfig::builder_with_provider(Arc::new(default_provider()))
        .with_safe_default_protocol_versions()
        .expect("the provider knows both versions of TLS")
        .with_root_certificates(roots)
        .with_no_client_auth()
}

#[cfg(test)]
mod tests {
    use super::Trust;

    #[test]
    fn what_is_no_certificate_is_refused_with_what_to_name() {
        for text in [
            "",
            "no PEM",
            "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
        ] {
            let refused = Trust::pem(text.as_bytes()).expect_err("no authority");
            assert!(refused.to_string().contains("name a PEM file"), "{refused}");
        }
        let refused = Trust::file("/no/such/file".as_ref()).expect_err("no file");
        assert!(refused.to_string().contains("/no/such/file"), "{refused}");
    }
}
