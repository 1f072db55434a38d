//! The cluster's own certificate authority.
//!
//! One authority per cluster signs one certificate per node. Keys are written for
//! their owner alone, and no file is ever written over: a lost key is replaced on
//! purpose, not by accident.
//!
//! Invariant kept here: an authority can sign only for nodes of its own cluster, by
//! its name constraint and its path length of zero (RFC 5280, sections 4.2.1.9 and
//! 4.2.1.10); whoever steals a node's key can sign nothing.

mod files;

use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use meridian_regions::ClusterName;
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, GeneralSubtree, IsCa,
    Issuer, KeyPair, KeyUsagePurpose, NameConstraints, PublicKeyData,
};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, DnsName};

use crate::NodeIdentity;
use crate::identity::{cluster_dns_name, cluster_of_dns_name};
use files::{FileMode, read, refuse_existing, write_new};

/// The authority's certificate, for every node.
pub const CA_CERT_FILE: &str = "ca.pem";
/// The authority's key, for no node.
pub const CA_KEY_FILE: &str = "ca.key";
/// What stands before the cluster's domain in the authority's DNS name.
const CA_DNS_PREFIX: &str = "authority.";
/// What the authority's common name begins with; the cluster's name follows.
const CA_NAME_PREFIX: &str = "Meridian authority of ";
/// Back-dating: a node whose clock is a little behind accepts a new certificate.
const BACKDATED: Duration = Duration::from_secs(60 * 60);
/// Life of an authority: about ten years.
const CA_LIFE: Duration = Duration::from_secs(3_650 * 24 * 60 * 60);
/// Life of a node's certificate: about two years.
pub const NODE_LIFE: Duration = Duration::from_secs(730 * 24 * 60 * 60);

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
    /// A key that is not the authority's.
    #[error("{0} is not the key of the authority beside it: bring back the one that is")]
    OtherKey(PathBuf),
    /// A name that no certificate can carry.
    #[error("`{0}` cannot be a DNS name: region and cluster must not end with a hyphen")]
    Name(String),
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
#[derive(Debug)]
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
    /// Makes a new authority, valid for ten years from an hour ago.
    ///
    /// # Errors
    /// [`PkiError::Name`], [`PkiError::Generate`].
    pub fn create(cluster: &ClusterName) -> Result<Self, PkiError> {
        let key = KeyPair::generate()?;
        let domain = cluster_dns_name(cluster);
        let mut params = named(format!("{CA_DNS_PREFIX}{domain}"))?;
        params
            .distinguished_name
            .push(DnType::CommonName, format!("{CA_NAME_PREFIX}{cluster}"));
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        params.name_constraints = Some(NameConstraints {
            permitted_subtrees: vec![GeneralSubtree::DnsName(domain)],
            excluded_subtrees: Vec::new(),
        });
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
        let (path, key_path) = (folder.join(CA_CERT_FILE), folder.join(CA_KEY_FILE));
        let certificate_pem = read(&path)?;
        let key = KeyPair::from_pem(&read(&key_path)?)?;
        let not_ours = || PkiError::NotAnAuthority(path.clone());
        let certificate = CertificateDer::from_pem_slice(certificate_pem.as_bytes())
            .map_err(|_malformed| not_ours())?;
        let parsed =
            webpki::EndEntityCert::try_from(&certificate).map_err(|_malformed| not_ours())?;
        let cluster = cluster_of(&parsed).ok_or_else(not_ours)?;
        if *parsed.subject_public_key_info() != *key.subject_public_key_info() {
            return Err(PkiError::OtherKey(key_path));
        }
        Ok(Self {
            cluster,
            issuer: Issuer::from_ca_cert_pem(&certificate_pem, key)?,
            certificate_pem,
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
        let (certificate, key) = (folder.join(CA_CERT_FILE), folder.join(CA_KEY_FILE));
        refuse_existing(&[&certificate, &key])?;
        write_new(&key, &self.issuer.key().serialize_pem(), FileMode::Secret)?;
        write_new(&certificate, &self.certificate_pem, FileMode::Public)
    }

    /// Makes a certificate that proves a node to others, as client and as server, valid for
    /// two years ([`NODE_LIFE`]).
    ///
    /// # Errors
    /// [`PkiError::OtherCluster`], [`PkiError::Name`], [`PkiError::Generate`].
    pub fn issue(&self, identity: &NodeIdentity) -> Result<NodeCredentials, PkiError> {
        self.issue_for(identity, NODE_LIFE)
    }

    /// The same, valid from an hour ago for as long as is said.
    ///
    /// # Errors
    /// [`PkiError::OtherCluster`], [`PkiError::Name`], [`PkiError::Generate`].
    pub fn issue_for(
        &self,
        identity: &NodeIdentity,
        life: Duration,
    ) -> Result<NodeCredentials, PkiError> {
        if identity.cluster != self.cluster {
            return Err(PkiError::OtherCluster {
                authority: self.cluster.clone(),
                node: identity.cluster.clone(),
            });
        }
        let key = KeyPair::generate()?;
        let mut params = named(identity.dns_name())?;
        // Short: a common name holds 64 characters (RFC 5280, appendix A.1), and only
        // the DNS name is ever looked at.
        params.distinguished_name.push(
            DnType::CommonName,
            format!("Meridian node {}", identity.node),
        );
        params.is_ca = IsCa::ExplicitNoCa;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![
            ExtendedKeyUsagePurpose::ServerAuth,
            ExtendedKeyUsagePurpose::ClientAuth,
        ];
        params.use_authority_key_identifier_extension = true;
        set_life(&mut params, life);
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
        let certificate = folder.join(format!("{name}.pem"));
        let key = folder.join(format!("{name}.key"));
        refuse_existing(&[&certificate, &key])?;
        write_new(&key, &self.key_pem, FileMode::Secret)?;
        write_new(&certificate, &self.certificate_pem, FileMode::Public)
    }
}

impl std::fmt::Debug for NodeCredentials {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("NodeCredentials")
            .field("certificate_pem", &self.certificate_pem)
            .finish_non_exhaustive()
    }
}

/// A certificate's beginnings: its one name. rcgen takes names that no verifier would.
fn named(dns_name: String) -> Result<CertificateParams, PkiError> {
    if DnsName::try_from(dns_name.as_str()).is_err() {
        return Err(PkiError::Name(dns_name));
    }
    Ok(CertificateParams::new(vec![dns_name])?)
}

/// The DNS name in an authority's certificate says which cluster it speaks for.
fn cluster_of(authority: &webpki::EndEntityCert<'_>) -> Option<ClusterName> {
    let name = authority.valid_dns_names().next()?;
    cluster_of_dns_name(name.strip_prefix(CA_DNS_PREFIX)?)
}

fn set_life(params: &mut CertificateParams, life: Duration) {
    let now = SystemTime::now();
    params.not_before = (now - BACKDATED).into();
    params.not_after = (now + life).into();
}

#[cfg(test)]
mod tests;
