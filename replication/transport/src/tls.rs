//! TLS 1.3 with certificates of the cluster's own authority, on both sides.
//!
//! The crypto provider is given to every configuration explicitly: which one is
//! used never depends on what else the process has linked.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use quinn::crypto::rustls::{QuicClientConfig, QuicServerConfig};
use rustls::RootCertStore;
use rustls::crypto::CryptoProvider;
use rustls::server::WebPkiClientVerifier;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};

use crate::{IdentityError, NodeIdentity};

/// Protocol spoken on our connections; another major version is another name.
const ALPN: &[u8] = b"meridian/1";

/// Why certificates cannot be used. Each message says what to do.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file is missing, unreadable, or not PEM.
    #[error("cannot use {path}: {cause}; `meridian cert` makes these files")]
    File {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        cause: String,
    },
    /// Certificate, key and authority do not fit together.
    #[error("certificate, key and authority do not fit together: {0}")]
    Mismatch(String),
    /// The certificate names no node of ours.
    #[error(transparent)]
    Identity(#[from] IdentityError),
    /// The certificate names another node.
    #[error("the certificate is for {certified}, the configuration says {configured}: issue one with `meridian cert node --region {} --node {}`", configured.region, configured.node)]
    OtherNode {
        /// Who the certificate is for.
        certified: Box<NodeIdentity>,
        /// Who this node is told to be.
        configured: Box<NodeIdentity>,
    },
}

/// A node's certificate and key, and the authority that it trusts.
#[derive(Debug)]
pub struct TlsMaterial {
    authority: CertificateDer<'static>,
    certificate: CertificateDer<'static>,
    key: PrivateKeyDer<'static>,
}

impl TlsMaterial {
    /// Reads the three PEM files.
    ///
    /// # Errors
    /// [`TlsError::File`] names the file.
    pub fn load(ca: &Path, cert: &Path, key: &Path) -> Result<Self, TlsError> {
        let refused = |path: &Path, cause: rustls_pki_types::pem::Error| TlsError::File {
            path: path.to_path_buf(),
            cause: cause.to_string(),
        };
        Ok(Self {
            authority: CertificateDer::from_pem_file(ca).map_err(|cause| refused(ca, cause))?,
            certificate: CertificateDer::from_pem_file(cert)
                .map_err(|cause| refused(cert, cause))?,
            key: PrivateKeyDer::from_pem_file(key).map_err(|cause| refused(key, cause))?,
        })
    }

    /// Who the certificate says this node is.
    ///
    /// # Errors
    /// [`TlsError::Identity`] for a certificate of another kind.
    pub fn identity(&self) -> Result<NodeIdentity, TlsError> {
        Ok(certified_identity(&self.certificate)?)
    }

    /// Checks that the certificate is the configured node's.
    ///
    /// # Errors
    /// [`TlsError::OtherNode`] names both.
    pub fn check(&self, configured: &NodeIdentity) -> Result<(), TlsError> {
        let certified = self.identity()?;
        if certified == *configured {
            return Ok(());
        }
        Err(TlsError::OtherNode {
            certified: Box::new(certified),
            configured: Box::new(configured.clone()),
        })
    }

    pub(crate) fn server(&self) -> Result<QuicServerConfig, TlsError> {
        let verifier =
            WebPkiClientVerifier::builder_with_provider(Arc::new(self.roots()?), provider())
                .build()
                .map_err(mismatch)?;
        let mut config = rustls::ServerConfig::builder_with_provider(provider())
            .with_protocol_versions(&[&rustls::version::TLS13])
            .map_err(mismatch)?
            .with_client_cert_verifier(verifier)
            .with_single_cert(vec![self.certificate.clone()], self.key.clone_key())
            .map_err(mismatch)?;
        config.alpn_protocols = vec![ALPN.to_vec()];
        QuicServerConfig::try_from(config).map_err(mismatch)
    }

    pub(crate) fn client(&self) -> Result<QuicClientConfig, TlsError> {
        let mut config = rustls::ClientConfig::builder_with_provider(provider())
            .with_protocol_versions(&[&rustls::version::TLS13])
            .map_err(mismatch)?
            .with_root_certificates(self.roots()?)
            .with_client_auth_cert(vec![self.certificate.clone()], self.key.clone_key())
            .map_err(mismatch)?;
        config.alpn_protocols = vec![ALPN.to_vec()];
        QuicClientConfig::try_from(config).map_err(mismatch)
    }

    fn roots(&self) -> Result<RootCertStore, TlsError> {
        let mut roots = RootCertStore::empty();
        roots.add(self.authority.clone()).map_err(mismatch)?;
        Ok(roots)
    }
}

/// Who a verified certificate says its bearer is.
pub(crate) fn certified_identity(
    certificate: &CertificateDer<'_>,
) -> Result<NodeIdentity, IdentityError> {
    let parsed = webpki::EndEntityCert::try_from(certificate)
        .map_err(|cause| IdentityError(cause.to_string()))?;
    let name = parsed
        .valid_dns_names()
        .next()
        .ok_or_else(|| IdentityError(String::new()))?;
    NodeIdentity::from_dns_name(name)
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

fn mismatch(cause: impl std::fmt::Display) -> TlsError {
    TlsError::Mismatch(cause.to_string())
}
