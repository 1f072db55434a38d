//! Until when certificates are good, and whether those that were given are in force.

use meridian_transport::PeerStatus;
use prometheus::{IntGauge, IntGaugeVec, Opts, Registry};

use super::set;
use crate::certificates::Certificates;

const EXPIRES: &str = "meridian_certificate_expires_timestamp_seconds";
const REFUSED: &str = "meridian_certificates_refused";
const CHANGES: &str = "meridian_certificate_changes";
const OUTDATED: &str = "meridian_links_outdated";

#[derive(Debug)]
pub(super) struct CertificateMetrics {
    expires: IntGaugeVec,
    refused: IntGauge,
    changes: IntGauge,
    outdated: IntGauge,
}

impl CertificateMetrics {
    pub(super) fn register(registry: &Registry) -> Result<Self, prometheus::Error> {
        let gauge = |name: &str, help: &str| -> Result<IntGauge, prometheus::Error> {
            let gauge = IntGauge::new(name, help)?;
            registry.register(Box::new(gauge.clone()))?;
            Ok(gauge)
        };
        let expires = Opts::new(
            EXPIRES,
            "When a certificate expires, in seconds since 1970: of this node, of the authority \
             of it that expires first, and what clients are shown",
        );
        let expires = IntGaugeVec::new(expires, &["what"])?;
        registry.register(Box::new(expires.clone()))?;
        Ok(Self {
            expires,
            refused: gauge(
                REFUSED,
                "1 while certificates that the node was given cannot be used",
            )?,
            changes: gauge(CHANGES, "Times since start that certificates were changed")?,
            outdated: gauge(
                OUTDATED,
                "Connections to other nodes by earlier certificates, or replaced while something is under way on them",
            )?,
        })
    }

    pub(super) fn sample(&self, certificates: &Certificates, peers: &[PeerStatus]) {
        let standing = certificates.standing();
        self.expires.reset();
        for (what, certified) in standing.iter().flat_map(|one| &one.certificates) {
            let gauge = self.expires.with_label_values(&[what]);
            let first = match gauge.get() {
                0 => certified.until_seconds,
                other => other.min(certified.until_seconds),
            };
            gauge.set(first);
        }
        let refused = standing.iter().any(|one| one.refused.is_some());
        set(&self.refused, u64::from(refused));
        set(&self.changes, standing.iter().map(|one| one.changes).sum());
        let outdated = peers
            .iter()
            .filter(|peer| peer.is_outdated || peer.retiring > 0);
        set(&self.outdated, outdated.count() as u64);
    }
}
