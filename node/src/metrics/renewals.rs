//! Listings whose history has begun anew (ADR 38), and deleted ones that are buried (ADR 65).

use meridian_replication::Replica;
use prometheus::{IntGauge, Registry};

use super::set;

const BEGUN: &str = "meridian_renewals_begun";
const FORGOTTEN: &str = "meridian_renewals_forgotten";
const WAITING: &str = "meridian_renewals_waiting";
const BURIALS_WAITING: &str = "meridian_burials_waiting";
const BURIALS_DONE: &str = "meridian_burials_done";
const BURIALS_UNREADABLE: &str = "meridian_burials_unreadable";

#[derive(Debug)]
pub(super) struct RenewalMetrics {
    begun: IntGauge,
    forgotten: IntGauge,
    waiting: IntGauge,
    burials_waiting: IntGauge,
    burials_done: IntGauge,
    burials_unreadable: IntGauge,
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
            burials_waiting: gauge(
                BURIALS_WAITING,
                "Deleted listings that keep everything until every node has had the deletion",
            )?,
            burials_done: gauge(
                BURIALS_DONE,
                "Deleted listings of which nothing but that is left on this node, since start",
            )?,
            burials_unreadable: gauge(
                BURIALS_UNREADABLE,
                "Listings of which this node cannot read whether they are to be buried: it looks again",
            )?,
        })
    }

    pub(super) fn sample(&self, replica: &Replica) {
        let renewals = replica.renewal_stats();
        set(&self.begun, renewals.begun);
        set(&self.forgotten, renewals.forgotten);
        set(&self.waiting, renewals.waiting);
        set(&self.burials_waiting, renewals.dead);
        set(&self.burials_done, renewals.buried);
        set(&self.burials_unreadable, renewals.unreadable);
    }
}
