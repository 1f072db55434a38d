//! Listings whose history has begun anew (ADR 38).

use meridian_replication::Replica;
use prometheus::{IntGauge, Registry};

use super::set;

const BEGUN: &str = "meridian_renewals_begun";
const FORGOTTEN: &str = "meridian_renewals_forgotten";
const WAITING: &str = "meridian_renewals_waiting";

#[derive(Debug)]
pub(super) struct RenewalMetrics {
    begun: IntGauge,
    forgotten: IntGauge,
    waiting: IntGauge,
}

impl RenewalMetrics {
    pub(super) fn register(registry: &Registry) -> Result<Self, prometheus::Error> {
        let gauge = |name: &str, help: &str| -> Result<IntGauge, prometheus::Error> {
            let gauge = IntGauge::new(name, help)?;
            registry.register(Box::new(gauge.clone()))?;
            Ok(gauge)
        };
        Ok(Self {
            begun: gauge(
                BEGUN,
                "Listings whose history began anew by this node's word since start",
            )?,
            forgotten: gauge(
                FORGOTTEN,
                "Histories from before a beginning that this node has given up since start",
            )?,
            waiting: gauge(
                WAITING,
                "Listings of long history that wait for every node to have had their changes",
            )?,
        })
    }

    pub(super) fn sample(&self, replica: &Replica) {
        let renewals = replica.renewal_stats();
        set(&self.begun, renewals.begun);
        set(&self.forgotten, renewals.forgotten);
        set(&self.waiting, renewals.waiting);
    }
}
