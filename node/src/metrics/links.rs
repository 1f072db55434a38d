//! How the links to other nodes are: one series for each peer, as many as the topology has.

use std::collections::BTreeMap;

use meridian_regions::NodeId;
use meridian_replication::SentTo;
use meridian_transport::PeerStatus;
use prometheus::{GaugeVec, IntGaugeVec, Opts, Registry};

const RTT_SECONDS: &str = "meridian_peer_rtt_seconds";
const RTT_DEVIATION_SECONDS: &str = "meridian_peer_rtt_deviation_seconds";
const PHI: &str = "meridian_peer_phi";
const SILENT_REPLACED: &str = "meridian_peer_silent_connections_replaced";
const ENTRIES_SENT: &str = "meridian_replication_entries_sent";
const BYTES_SENT: &str = "meridian_replication_bytes_sent";
const WATERMARKS_SENT: &str = "meridian_replication_watermarks_sent";

/// A peer without a connection has no series, but for what is counted since start.
#[derive(Debug)]
pub(super) struct Links {
    rtt: GaugeVec,
    rtt_deviation: GaugeVec,
    phi: GaugeVec,
    silent_replaced: IntGaugeVec,
    entries_sent: IntGaugeVec,
    bytes_sent: IntGaugeVec,
    watermarks_sent: IntGaugeVec,
}

impl Links {
    /// # Errors
    /// When a metric of the name exists.
    pub(super) fn register(registry: &Registry) -> Result<Self, prometheus::Error> {
        let count = |name: &str, help: &str| -> Result<IntGaugeVec, prometheus::Error> {
            let count = IntGaugeVec::new(Opts::new(name, help), &["node", "region"])?;
            registry.register(Box::new(count.clone()))?;
            Ok(count)
        };
        let gauge = |name: &str, help: &str| -> Result<GaugeVec, prometheus::Error> {
            let gauge = GaugeVec::new(Opts::new(name, help), &["node", "region"])?;
            registry.register(Box::new(gauge.clone()))?;
            Ok(gauge)
        };
        Ok(Self {
            silent_replaced: count(
                SILENT_REPLACED,
                "Connections to a peer since start that were silent, and whose place another took",
            )?,
            entries_sent: count(
                ENTRIES_SENT,
                "Changes of listings sent to a peer since start, those of others included",
            )?,
            bytes_sent: count(
                BYTES_SENT,
                "Bytes that these took, packed, before encryption",
            )?,
            watermarks_sent: count(
                WATERMARKS_SENT,
                "Times since start that a peer was told up to when it has everything",
            )?,
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

    /// Takes over how the peers are now, and what they have been sent.
    pub(super) fn sample(&self, peers: &[PeerStatus], sent: &BTreeMap<NodeId, SentTo>) {
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
            super::set(
                &self.silent_replaced.with_label_values(&labels),
                peer.silent_replaced,
            );
            let sent = sent.get(&peer.node).copied().unwrap_or_default();
            super::set(&self.entries_sent.with_label_values(&labels), sent.entries);
            super::set(&self.bytes_sent.with_label_values(&labels), sent.bytes);
            let watermarks = self.watermarks_sent.with_label_values(&labels);
            super::set(&watermarks, sent.watermarks);
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

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::time::Duration;

    use meridian_regions::NodeId;
    use meridian_transport::PeerStatus;
    use prometheus::{Registry, TextEncoder};

    use super::{Links, PHI, SILENT_REPLACED};

    /// A peer without a connection.
    fn peer() -> PeerStatus {
        PeerStatus {
            node: NodeId::new(2).expect("not zero"),
            region: "eu-west".parse().expect("a region"),
            connected: false,
            alive_for: None,
            rtt: None,
            rtt_deviation: None,
            phi: None,
            since: Duration::ZERO,
            dialect: None,
            last_error: None,
            certified: None,
            is_outdated: false,
            retiring: 0,
            silent_replaced: 3,
        }
    }

    #[test]
    fn silent_connections_that_were_replaced_are_told_also_when_none_stands() {
        let registry = Registry::new();
        let links = Links::register(&registry).expect("each name once");
        links.sample(&[peer()], &BTreeMap::new());
        let text = TextEncoder::new().encode_to_string(&registry.gather());
        let text = text.expect("text");
        let series = format!("{SILENT_REPLACED}{{node=\"2\",region=\"eu-west\"}} 3");
        assert!(text.contains(&series), "{text}");
        assert!(!text.contains(&format!("{PHI}{{")), "{text}");
    }
}
