//! Who a node is, and how its certificate says so.

use std::fmt;

use meridian_regions::{ClusterName, NodeId, RegionId};

/// What every name in our certificates ends with. `internal` is reserved for
/// private use, so that no public authority can issue such a name.
const SUFFIX: &str = "meridian.internal";

/// Longest part of a wrong name that an error repeats, in characters.
const QUOTED_CHARS_MAX: usize = 128;

/// Who a node is: what its certificate binds.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct NodeIdentity {
    /// Its cluster.
    pub cluster: ClusterName,
    /// Its region.
    pub region: RegionId,
    /// Its number.
    pub node: NodeId,
}

/// A certificate that names no node of ours.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "the certificate names {0}: expected node-<id>.<region>.<cluster>.{SUFFIX}, as `meridian cert node` makes it"
)]
pub struct IdentityError(pub String);

impl NodeIdentity {
    /// The DNS name in the node's certificate:
    /// `node-<id>.<region>.<cluster>.meridian.internal`.
    #[must_use]
    pub fn dns_name(&self) -> String {
        let domain = cluster_dns_name(&self.cluster);
        format!("node-{}.{}.{domain}", self.node, self.region)
    }

    /// Reads the name back.
    ///
    /// # Errors
    /// [`IdentityError`] for any other name.
    pub fn from_dns_name(name: &str) -> Result<Self, IdentityError> {
        Self::parse(name).ok_or_else(|| {
            let quoted: String = name.chars().take(QUOTED_CHARS_MAX).collect();
            IdentityError(format!("`{quoted}`"))
        })
    }

    fn parse(name: &str) -> Option<Self> {
        let mut parts = name.strip_suffix(SUFFIX)?.strip_suffix('.')?.split('.');
        let identity = Self {
            node: parts.next()?.strip_prefix("node-")?.parse().ok()?,
            region: parts.next()?.parse().ok()?,
            cluster: parts.next()?.parse().ok()?,
        };
        // Only the one spelling that we write.
        (parts.next().is_none() && identity.dns_name() == name).then_some(identity)
    }
}

/// The domain of a cluster: every name in its certificates ends with it.
pub(crate) fn cluster_dns_name(cluster: &ClusterName) -> String {
    format!("{cluster}.{SUFFIX}")
}

/// Reads such a domain back.
pub(crate) fn cluster_of_dns_name(domain: &str) -> Option<ClusterName> {
    domain.strip_suffix(SUFFIX)?.strip_suffix('.')?.parse().ok()
}

impl fmt::Display for NodeIdentity {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            formatter,
            "node {} of {} in cluster {}",
            self.node, self.region, self.cluster
        )
    }
}

#[cfg(test)]
mod tests {
    use super::NodeIdentity;

    #[test]
    fn name_reads_back_and_no_other_spelling_does() {
        let identity = NodeIdentity::from_dns_name("node-7.eu-west.demo.meridian.internal")
            .expect("a name of ours");
        assert_eq!(identity.node.get(), 7);
        assert_eq!(
            NodeIdentity::from_dns_name(&identity.dns_name()),
            Ok(identity)
        );
        for other in [
            "",
            "node-7.eu-west.demo",
            "node-0.eu-west.demo.meridian.internal",
            "node-07.eu-west.demo.meridian.internal",
            "x.node-7.eu-west.demo.meridian.internal",
            "node-7.eu-west.demo.meridian.internal.example.org",
            "node-7.EU.demo.meridian.internal",
        ] {
            assert!(NodeIdentity::from_dns_name(other).is_err(), "{other}");
        }
    }
}
