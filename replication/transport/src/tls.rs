//! TLS 1.3 with certificates of the cluster's own authority, on both sides.
//!
//! The crypto provider is given to every configuration explicitly: which one is
//! used never depends on what else the process has linked. Sessions are not resumed:
//! every connection shows its certificate anew, so that one that has expired ends
//! with the connections that it opened.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use quinn::crypto::rustls::{QuicClientConfig, QuicServerConfig};
use rustls::client::danger::ServerCertVerifier;
use rustls::client::{Resumption, WebPkiServerVerifier};
use rustls::crypto::CryptoProvider;
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::ClientCertVerifier;
use rustls::{CertificateError, RootCertStore};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};

use crate::reset_key::ResetKey;
use crate::validity::{Certified, certified};
use crate::{IdentityError, NodeIdentity};

/// Protocol spoken on our connections; another major version is another name.
const ALPN: &[u8] = b"meridian/1";

/// Why certificates cannot be used. Each message says what to do.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file is missing, unreadable, or not PEM.
    #[error("cannot use {path}: {cause}; `meridian cert` makes those of the cluster")]
    File {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        cause: String,
    },
    /// Certificate, key and authority do not fit together.
    #[error("certificate, key and authority do not fit together: {0}")]
    Mismatch(String),
    /// This machine trusts nobody.
    #[error(
        "no certificate authority is known on this machine: install ca-certificates, or name a PEM file"
    )]
    NoAuthorities,
    /// The certificate names no node of ours.
    #[error(transparent)]
    Identity(#[from] IdentityError),
    /// The certificate names another node.
    #[error(
        "the certificate is for {certified}, the configuration says {configured}: \
         issue one with `meridian cert node --region {} --node {}`",
        configured.region, configured.node
    )]
    OtherNode {
        /// Who the certificate is for.
        certified: Box<NodeIdentity>,
        /// Who this node is told to be.
        configured: Box<NodeIdentity>,
    },
    /// No peer would accept the certificate.
    #[error(
        "the certificate of {identity} {cause}: \
         issue one with `meridian cert node --region {} --node {}`",
        identity.region, identity.node
    )]
    NotTrusted {
        /// Who the certificate is for.
        identity: Box<NodeIdentity>,
        /// What is wrong with it.
        cause: String,
    },
}

/// A node's certificate and key, and the authorities that it trusts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsMaterial {
    // More than one only while a cluster changes its authority.
    authorities: Vec<CertificateDer<'static>>,
    certificate: CertificateDer<'static>,
    // Shared, so that it is in memory once.
    key: Arc<PrivateKeyDer<'static>>,
}

impl TlsMaterial {
    /// Reads the three PEM files. The authority's may hold several certificates: all
    /// of them are trusted, so that a cluster can move from one to the next.
    ///
    /// # Errors
    /// [`TlsError::File`] names the file.
    pub fn load(ca: &Path, cert: &Path, key: &Path) -> Result<Self, TlsError> {
        Ok(Self {
            authorities: certificates(ca)?,
            certificate: CertificateDer::from_pem_file(cert)
                .map_err(|cause| refused(cert, cause))?,
            key: private_key(key)?.into(),
        })
    }

    /// Who the certificate says this node is.
    ///
    /// # Errors
    /// [`TlsError::Identity`] for a certificate of another kind.
    pub fn identity(&self) -> Result<NodeIdentity, TlsError> {
        Ok(certified_identity(&self.certificate)?)
    }

    /// Checks that the certificate is the configured node's, and that peers with the
    /// same authority would accept it now.
    ///
    /// # Errors
    /// [`TlsError::OtherNode`] names both, [`TlsError::NotTrusted`] says why.
    pub fn check(&self, configured: &NodeIdentity) -> Result<(), TlsError> {
        let certified = self.identity()?;
        if certified != *configured {
            return Err(TlsError::OtherNode {
                certified: Box::new(certified),
                configured: Box::new(configured.clone()),
            });
        }
        let name = ServerName::try_from(certified.dns_name()).map_err(mismatch)?;
        self.judge_of_servers()?
            .verify_server_cert(&self.certificate, &[], &name, &[], UnixTime::now())
            .map_err(|cause| TlsError::NotTrusted {
                identity: Box::new(certified),
                cause: distrust(&cause),
            })?;
        Ok(())
    }

    pub(crate) fn server(&self) -> Result<QuicServerConfig, TlsError> {
        let mut config = rustls::ServerConfig::builder_with_provider(provider())
            .with_protocol_versions(&[&rustls::version::TLS13])
            .map_err(mismatch)?
            .with_client_cert_verifier(self.judge_of_clients()?)
            .with_single_cert(vec![self.certificate.clone()], self.key.clone_key())
            .map_err(mismatch)?;
        config.alpn_protocols = vec![ALPN.to_vec()];
        config.send_tls13_tickets = 0;
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
        config.resumption = Resumption::disabled();
        QuicClientConfig::try_from(config).map_err(mismatch)
    }

    /// Who says whether a node that was dialled is one of ours.
    pub(crate) fn judge_of_servers(&self) -> Result<Arc<dyn ServerCertVerifier>, TlsError> {
        let roots = Arc::new(self.roots()?);
        let judge = WebPkiServerVerifier::builder_with_provider(roots, provider()).build();
        Ok(judge.map_err(mismatch)?)
    }

    /// Who says whether a node that knocks is one of ours.
    pub(crate) fn judge_of_clients(&self) -> Result<Arc<dyn ClientCertVerifier>, TlsError> {
        let roots = Arc::new(self.roots()?);
        let judge = WebPkiClientVerifier::builder_with_provider(roots, provider()).build();
        judge.map_err(mismatch)
    }

    /// What the node's certificate says of itself.
    #[must_use]
    pub fn certified(&self) -> Certified {
        certified(&self.certificate)
    }

    /// What the authorities' certificates say of themselves.
    #[must_use]
    pub fn authorities_certified(&self) -> Vec<Certified> {
        self.authorities.iter().map(certified).collect()
    }

    pub(crate) fn reset_key(&self) -> ResetKey {
        ResetKey::derive(&self.key)
    }

    fn roots(&self) -> Result<RootCertStore, TlsError> {
        let mut roots = RootCertStore::empty();
        for authority in &self.authorities {
            roots.add(authority.clone()).map_err(mismatch)?;
        }
        Ok(roots)
    }
}

/// The certificates in a PEM file, at least one.
pub(crate) fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let found = CertificateDer::pem_file_iter(path)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(|cause| refused(path, cause))?;
    if found.is_empty() {
        return Err(refused(path, rustls_pki_types::pem::Error::NoItemsFound));
    }
    Ok(found)
}

/// The private key in a PEM file.
pub(crate) fn private_key(path: &Path) -> Result<PrivateKeyDer<'static>, TlsError> {
    PrivateKeyDer::from_pem_file(path).map_err(|cause| refused(path, cause))
}

fn refused(path: &Path, cause: rustls_pki_types::pem::Error) -> TlsError {
    TlsError::File {
        path: path.to_path_buf(),
        cause: cause.to_string(),
    }
}

/// Who a verified certificate says its bearer is: it names one node and nothing else.
pub(crate) fn certified_identity(
    certificate: &CertificateDer<'_>,
) -> Result<NodeIdentity, IdentityError> {
    let parsed = webpki::EndEntityCert::try_from(certificate)
        .map_err(|cause| IdentityError(format!("nothing readable ({cause})")))?;
    let mut names = parsed.valid_dns_names();
    match (names.next(), names.next()) {
        (Some(name), None) => NodeIdentity::from_dns_name(name),
        (None, _) => Err(IdentityError("no name".to_owned())),
        (Some(_), Some(_)) => Err(IdentityError("several names".to_owned())),
    }
}

/// Finishes the sentence "the certificate …".
fn distrust(cause: &rustls::Error) -> String {
    let rustls::Error::InvalidCertificate(cause) = cause else {
        return format!("cannot be checked ({cause})");
    };
    match cause {
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
            "has expired".to_owned()
        }
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            "is not valid yet; is this machine's clock right? If it is".to_owned()
        }
        CertificateError::UnknownIssuer | CertificateError::BadSignature => {
            "was not issued by the authority of the configuration".to_owned()
        }
        other => format!("is not valid ({other:?})"),
    }
}

pub(crate) fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

pub(crate) fn mismatch(cause: impl std::fmt::Display) -> TlsError {
    TlsError::Mismatch(cause.to_string())
}
