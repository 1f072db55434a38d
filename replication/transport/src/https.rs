//! What a node trusts when it speaks HTTPS to somebody outside the cluster.
//!
//! Here because no other crate knows rustls, and the crypto provider is given to every
//! configuration by hand (ADR 5). What it is not: an HTTP client.

use std::path::Path;

use rustls::{ClientConfig, RootCertStore};

use crate::TlsError;
use crate::tls::{authorities, mismatch, provider};

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
        for authority in authorities(path)? {
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
