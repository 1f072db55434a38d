//! Requests that were taken to other nodes, which hold their listings.

use prometheus::{IntGaugeVec, Opts, Registry};

use super::set;
use crate::relay::{Outcome, RelayCounts};

const RELAYED: &str = "meridian_relayed_requests";

/// What is counted of them.
#[derive(Debug)]
pub(super) struct RelayMetrics {
    relayed: IntGaugeVec,
}

impl RelayMetrics {
    pub(super) fn register(registry: &Registry) -> Result<Self, prometheus::Error> {
        let help = "Requests that this node has taken to others since start: answered, no_holder \
                    (nothing was done), unknown (perhaps done), and parts of searches: part \
                    (answered), part_lost (another holder was asked, if there is one)";
        let relayed = IntGaugeVec::new(Opts::new(RELAYED, help), &["outcome"])?;
        registry.register(Box::new(relayed.clone()))?;
        Ok(Self { relayed })
    }

    pub(super) fn sample(&self, counts: &RelayCounts) {
        for outcome in Outcome::ALL {
            let relayed = self.relayed.with_label_values(&[outcome.as_str()]);
            set(&relayed, counts.of(outcome));
        }
    }
}
