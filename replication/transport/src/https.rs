//! What a node trusts when it speaks HTTPS to somebody outside the cluster, and what it shows
//! to clients that speak HTTPS to it.
//!
//! Here because no other crate knows rustls, and the crypto provider is given to every
//! configuration by hand (ADR 5). What it is not: an HTTP client.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use rustls::{ClientConfig, RootCertStore, ServerConfig};
use rustls_pki_types::{CertificateDer, PrivateKeyDer};

use crate::TlsError;
use crate::tls::{certificates, mismatch, private_key, provider};
use crate::validity::{Certified, certified};

/// Whose certificates are believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trust<'a> {
    /// Nobody's: no HTTPS can be spoken.
    Nobody,
    /// The authorities that this machine trusts.
    Machine,
    /// These too, a PEM file.
    MachineAnd(&'a Path),
}

/// A configuration for clients of servers outside the cluster. Names are checked.
///
/// # Errors
/// [`TlsError::File`] names the file; [`TlsError::NoAuthorities`] if the machine has none.
pub fn https_client(trust: Trust<'_>) -> Result<ClientConfig, TlsError> {
    let mut roots = RootCertStore::empty();
    if trust != Trust::Nobody {
        // What one file lacks may be in another: only none at all is refused.
        let found = rustls_native_certs::load_native_certs();
        for cause in &found.errors {
            tracing::warn!(%cause, "an authority that this machine trusts cannot be read");
        }
        roots.add_parsable_certificates(found.certs);
    }
    if let Trust::MachineAnd(path) = trust {
        for authority in certificates(path)? {
            roots.add(authority).map_err(mismatch)?;
        }
    }
    if roots.is_empty() && trust != Trust::Nobody {
        return Err(TlsError::NoAuthorities);
    }
    Ok(ClientConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .map_err(mismatch)?
        .with_root_certificates(roots)
        .with_no_client_auth())
}

/// A certificate with the chain to its authority, and its key, as a node shows it to clients.
#[derive(Clone, PartialEq, Eq)]
pub struct ServerMaterial {
    chain: Vec<CertificateDer<'static>>,
    key: Arc<PrivateKeyDer<'static>>,
}

impl ServerMaterial {
    /// Reads the two PEM files: the certificate first, then those between it and its authority.
    ///
    /// # Errors
    /// [`TlsError::File`] names the file.
    pub fn load(cert: &Path, key: &Path) -> Result<Self, TlsError> {
        Ok(Self {
            chain: certificates(cert)?,
            key: private_key(key)?.into(),
        })
    }

    /// A configuration for a server of HTTP/2 and HTTP/1.1, whichever its client prefers.
    /// Clients show no certificate.
    ///
    /// # Errors
    /// [`TlsError::Mismatch`] if the key is not the certificate's.
    pub fn server(&self) -> Result<Arc<ServerConfig>, TlsError> {
        let mut config = ServerConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .map_err(mismatch)?
            .with_no_client_auth()
            .with_single_cert(self.chain.clone(), self.key.clone_key())
            .map_err(mismatch)?;
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Ok(Arc::new(config))
    }

    /// What the certificate says of itself.
    #[must_use]
    pub fn certified(&self) -> Certified {
        self.chain.first().map(certified).unwrap_or_default()
    }
}

impl fmt::Debug for ServerMaterial {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("ServerMaterial")
            .field("certified", &self.certified())
            .finish_non_exhaustive()
    }
}
