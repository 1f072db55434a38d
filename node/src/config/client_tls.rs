//! What a node shows to clients.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// Whether clients speak HTTPS to the node, and by which certificate. Without one they speak
/// HTTP: on loopback, or behind a proxy that ends TLS.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ClientTlsSection {
    /// Certificate for the name that clients call, PEM, then those between it and its
    /// authority; empty for HTTP.
    pub cert: PathBuf,
    /// Its private key, PEM.
    pub key: PathBuf,
    /// Whether the operator API on `listen.admin` speaks HTTPS, too.
    pub admin: bool,
}

impl ClientTlsSection {
    /// Whether clients speak HTTPS.
    pub(crate) fn is_on(&self) -> bool {
        !self.cert.as_os_str().is_empty()
    }
}

impl Default for ClientTlsSection {
    fn default() -> Self {
        Self {
            cert: PathBuf::new(),
            key: PathBuf::new(),
            admin: true,
        }
    }
}
