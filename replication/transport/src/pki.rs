//! The cluster's own certificate authority.
//!
//! One authority per cluster signs one certificate per node. Keys are written for
//! their owner alone, and no file is ever written over: a lost key is replaced on
//! purpose, not by accident.

use std::fs::OpenOptions;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use meridian_regions::ClusterName;
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose,
};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;

use crate::NodeIdentity;

/// The authority's certificate, for every node.
pub const CA_CERT_FILE: &str = "ca.pem";
/// The authority's key, for no node.
pub const CA_KEY_FILE: &str = "ca.key";
/// What stands before the cluster in the authority's DNS name.
const CA_DNS_PREFIX: &str = "authority.";
/// What stands behind it.
const CA_DNS_SUFFIX: &str = ".meridian.internal";
/// What the authority's common name begins with; the cluster's name follows.
const CA_NAME_PREFIX: &str = "Meridian authority of ";
/// Back-dating: a node whose clock is a little behind accepts a new certificate.
const BACKDATED: Duration = Duration::from_secs(60 * 60);
/// Life of an authority: about ten years.
const CA_LIFE: Duration = Duration::from_secs(3_650 * 24 * 60 * 60);
/// Life of a node's certificate: about two years.
const NODE_LIFE: Duration = Duration::from_secs(730 * 24 * 60 * 60);

/// Why a certificate could not be made, written or read.
#[derive(Debug, thiserror::Error)]
pub enum PkiError {
    /// rcgen refused.
    #[error("cannot make the certificate: {0}")]
    Generate(#[from] rcgen::Error),
    /// A file is there already.
    #[error("{0} exists: move it away first, it is never written over")]
    Exists(PathBuf),
    /// A file cannot be read or written.
    #[error("{path}: {cause}")]
    File {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        cause: std::io::Error,
    },
    /// A certificate that is not an authority of ours.
    #[error("{0} is not an authority made by `meridian cert ca`")]
    NotAnAuthority(PathBuf),
    /// A node of another cluster.
    #[error("this is the authority of cluster {authority}, the node belongs to {node}")]
    OtherCluster {
        /// Cluster of the authority.
        authority: ClusterName,
        /// Cluster of the node.
        node: ClusterName,
    },
}

/// A cluster's authority with its key.
pub struct Authority {
    cluster: ClusterName,
    certificate_pem: String,
    issuer: Issuer<'static, KeyPair>,
}

/// A node's certificate and key, not yet written.
pub struct NodeCredentials {
    certificate_pem: String,
    key_pem: String,
}

impl Authority {
    /// Makes a new authority.
    ///
    /// # Errors
    /// [`PkiError::Generate`].
    pub fn create(cluster: &ClusterName) -> Result<Self, PkiError> {
        let key = KeyPair::generate()?;
        let mut params = CertificateParams::new(vec![authority_name(cluster)])?;
        params
            .distinguished_name
            .push(DnType::CommonName, format!("{CA_NAME_PREFIX}{cluster}"));
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        set_life(&mut params, CA_LIFE);
        let certificate_pem = params.self_signed(&key)?.pem();
        Ok(Self {
            cluster: cluster.clone(),
            certificate_pem,
            issuer: Issuer::new(params, key),
        })
    }

    /// Reads an authority that [`Authority::save`] wrote.
    ///
    /// # Errors
    /// [`PkiError`] if a file is missing or not ours.
    pub fn load(folder: &Path) -> Result<Self, PkiError> {
        let path = folder.join(CA_CERT_FILE);
        let certificate_pem = read(&path)?;
        let key = KeyPair::from_pem(&read(&folder.join(CA_KEY_FILE))?)?;
        let issuer = Issuer::from_ca_cert_pem(&certificate_pem, key)?;
        let cluster = cluster_of(&certificate_pem).ok_or(PkiError::NotAnAuthority(path))?;
        Ok(Self {
            cluster,
            certificate_pem,
            issuer,
        })
    }

    /// The cluster that it speaks for.
    #[must_use]
    pub const fn cluster(&self) -> &ClusterName {
        &self.cluster
    }

    /// Writes `ca.pem` and `ca.key` (for the owner only).
    ///
    /// # Errors
    /// [`PkiError::Exists`] rather than writing over a file, [`PkiError::File`].
    pub fn save(&self, folder: &Path) -> Result<(), PkiError> {
        write_new(
            &folder.join(CA_KEY_FILE),
            &self.issuer.key().serialize_pem(),
            FileMode::Secret,
        )?;
        write_new(
            &folder.join(CA_CERT_FILE),
            &self.certificate_pem,
            FileMode::Public,
        )
    }

    /// Makes a certificate that proves a node to others, as client and as server.
    ///
    /// # Errors
    /// [`PkiError::OtherCluster`], [`PkiError::Generate`].
    pub fn issue(&self, identity: &NodeIdentity) -> Result<NodeCredentials, PkiError> {
        if identity.cluster != self.cluster {
            return Err(PkiError::OtherCluster {
                authority: self.cluster.clone(),
                node: identity.cluster.clone(),
            });
        }
        let key = KeyPair::generate()?;
        let name = identity.dns_name();
        let mut params = CertificateParams::new(vec![name.clone()])?;
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::ExplicitNoCa;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![
            ExtendedKeyUsagePurpose::ServerAuth,
            ExtendedKeyUsagePurpose::ClientAuth,
        ];
        params.use_authority_key_identifier_extension = true;
        set_life(&mut params, NODE_LIFE);
        Ok(NodeCredentials {
            certificate_pem: params.signed_by(&key, &self.issuer)?.pem(),
            key_pem: key.serialize_pem(),
        })
    }
}

impl NodeCredentials {
    /// Writes `<name>.pem` and `<name>.key` (for the owner only).
    ///
    /// # Errors
    /// [`PkiError::Exists`] rather than writing over a file, [`PkiError::File`].
    pub fn save(&self, folder: &Path, name: &str) -> Result<(), PkiError> {
        let key = folder.join(format!("{name}.key"));
        write_new(&key, &self.key_pem, FileMode::Secret)?;
        let certificate = folder.join(format!("{name}.pem"));
        write_new(&certificate, &self.certificate_pem, FileMode::Public)
    }
}

#[derive(Clone, Copy)]
enum FileMode {
    Secret,
    Public,
}

fn write_new(path: &Path, text: &str, mode: FileMode) -> Result<(), PkiError> {
    let bits = match mode {
        FileMode::Secret => 0o600,
        FileMode::Public => 0o644,
    };
    let failed = |cause| PkiError::File {
        path: path.to_path_buf(),
        cause,
    };
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(bits)
        .open(path)
        .map_err(|cause| match cause.kind() {
            std::io::ErrorKind::AlreadyExists => PkiError::Exists(path.to_path_buf()),
            _ => failed(cause),
        })?;
    file.write_all(text.as_bytes())
        .and_then(|()| file.sync_all())
        .map_err(failed)
}

/// The DNS name in an authority's certificate: it says which cluster it speaks for.
fn authority_name(cluster: &ClusterName) -> String {
    format!("{CA_DNS_PREFIX}{cluster}{CA_DNS_SUFFIX}")
}

fn cluster_of(certificate_pem: &str) -> Option<ClusterName> {
    let certificate = CertificateDer::from_pem_slice(certificate_pem.as_bytes()).ok()?;
    let parsed = webpki::EndEntityCert::try_from(&certificate).ok()?;
    let name = parsed.valid_dns_names().next()?;
    name.strip_prefix(CA_DNS_PREFIX)?
        .strip_suffix(CA_DNS_SUFFIX)?
        .parse()
        .ok()
}

fn read(path: &Path) -> Result<String, PkiError> {
    std::fs::read_to_string(path).map_err(|cause| PkiError::File {
        path: path.to_path_buf(),
        cause,
    })
}

fn set_life(params: &mut CertificateParams, life: Duration) {
    let now = SystemTime::now();
    params.not_before = (now - BACKDATED).into();
    params.not_after = (now + life).into();
}
