//! How the links to other nodes are: one series for each peer, as many as the topology has.

use meridian_transport::PeerStatus;
use prometheus::{GaugeVec, Opts, Registry};

const RTT_SECONDS: &str = "meridian_peer_rtt_seconds";
const RTT_DEVIATION_SECONDS: &str = "meridian_peer_rtt_deviation_seconds";
const PHI: &str = "meridian_peer_phi";

/// A peer without a connection has no series.
#[derive(Debug)]
pub(super) struct Links {
    rtt: GaugeVec,
    rtt_deviation: GaugeVec,
    phi: GaugeVec,
}

impl Links {
    /// # Errors
    /// When a metric of the name exists.
    pub(super) fn register(registry: &Registry) -> Result<Self, prometheus::Error> {
        let gauge = |name: &str, help: &str| -> Result<GaugeVec, prometheus::Error> {
            let gauge = GaugeVec::new(Opts::new(name, help), &["node", "region"])?;
            registry.register(Box::new(gauge.clone()))?;
            Ok(gauge)
        };
        Ok(Self {
            rtt: gauge(RTT_SECONDS, "Smoothed round trip to a peer, in seconds")?,
            rtt_deviation: gauge(
                RTT_DEVIATION_SECONDS,
                "Smoothed mean deviation of the round trip to a peer, in seconds",
            )?,
            phi: gauge(
                PHI,
                "How much a peer's silence speaks for its death (phi accrual); suspected from 8 on",
            )?,
        })
    }

    /// Takes over how the peers are now.
    pub(super) fn sample(&self, peers: &[PeerStatus]) {
        for peer in peers {
            let node = peer.node.to_string();
            let labels = [node.as_str(), peer.region.as_str()];
            let seconds = |duration: std::time::Duration| duration.as_secs_f64();
            set(&self.rtt, &labels, peer.rtt.map(seconds));
            set(
                &self.rtt_deviation,
                &labels,
                peer.rtt_deviation.map(seconds),
            );
            set(&self.phi, &labels, peer.phi);
        }
    }
}

fn set(gauge: &GaugeVec, labels: &[&str], value: Option<f64>) {
    match value {
        Some(value) => gauge.with_label_values(labels).set(value),
        // There may have been none.
        None => drop(gauge.remove_label_values(labels)),
    }
}
