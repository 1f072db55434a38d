//! What a fault takes of whoever strikes it: on a cluster that somebody else has started,
//! only what clients and operators may do, and what its nodes let themselves be done.

use super::{Fault, FaultSpec};

/// What striking a fault takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Needs {
    /// The APIs of nodes.
    Apis,
    /// Nodes that were started with `chaos.enabled`.
    Hooks,
    /// A cluster of one's own: what it does to it.
    OwnCluster(&'static str),
}

impl Fault {
    /// What striking it takes.
    #[must_use]
    pub const fn needs(&self) -> Needs {
        match self {
            Self::Drain(_) | Self::Rebalance(_) | Self::LeaderTransfer(_) => Needs::Apis,
            // Asks for more than nodes can answer: only of those that are there for it.
            Self::Overload(_) | Self::ClockJump(_) | Self::ClockDrift(_) => Needs::Hooks,
            Self::Jitter(_)
            | Self::Delay(_)
            | Self::Loss(_)
            | Self::BurstLoss(_)
            | Self::Duplicate(_)
            | Self::Reorder(_)
            | Self::Corrupt(_)
            | Self::Bandwidth(_)
            | Self::Mtu(_)
            | Self::Cut(_)
            | Self::Partition(_) => Needs::OwnCluster("it changes the emulated links"),
            Self::Kill(_)
            | Self::RegionLoss(_)
            | Self::Pause(_)
            | Self::SlowCpu(_)
            | Self::RollingRestart(_)
            | Self::Rejoin(_)
            | Self::Topology(_)
            | Self::RotateCertificates(_)
            | Self::ExpireCertificate(_) => {
                Needs::OwnCluster("it stops, ends or restarts processes")
            }
            Self::PowerCut(_) | Self::DiskFull(_) | Self::DiskError(_) | Self::SlowFsync(_) => {
                Needs::OwnCluster("it breaks the disks of nodes")
            }
            Self::TornTail(_) | Self::FlippedByte(_) => {
                Needs::OwnCluster("it damages the files of nodes")
            }
        }
    }
}

/// Which of these cannot be struck on a cluster that somebody else has started, by their
/// places, and why.
#[must_use]
pub fn unavailable(specs: &[FaultSpec], lets_clocks_be_set: bool) -> Vec<(usize, String)> {
    let why = |spec: &FaultSpec| match spec.fault.needs() {
        Needs::Apis => None,
        Needs::Hooks if lets_clocks_be_set => None,
        Needs::Hooks => Some("its nodes were not started with chaos.enabled"),
        Needs::OwnCluster(why) => Some(why),
    };
    let refused = specs.iter().enumerate().filter_map(|(place, spec)| {
        let number = place + 1;
        let name = spec.name();
        let at_s = spec.at_s;
        why(spec).map(|why| {
            (
                place,
                format!("fault {number} (`{name}`, at_s = {at_s}): {why}"),
            )
        })
    });
    refused.collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::unavailable;
    use crate::fault::FaultSpec;

    #[test]
    fn only_what_apis_and_hooks_offer_is_struck_on_a_cluster_of_others() {
        let tables = [
            json!({"at_s": 1, "kind": "leader-transfer"}),
            json!({"at_s": 2, "kind": "kill", "target": "any"}),
            json!({"at_s": 3, "kind": "clock-jump", "target": "any", "by_ms": 500}),
            json!({"at_s": 4, "kind": "cut", "links": "leader -> all"}),
        ];
        let specs: Vec<FaultSpec> = tables
            .into_iter()
            .map(|table| serde_json::from_value(table).expect("a fault"))
            .collect();
        let places = |hooks| -> Vec<usize> {
            let refused = unavailable(&specs, hooks);
            refused.into_iter().map(|(place, _)| place).collect()
        };
        assert_eq!(places(true), [1, 3]);
        assert_eq!(places(false), [1, 2, 3]);
        let (_, why) = &unavailable(&specs, true)[0];
        assert!(why.contains("fault 2 (`kill`, at_s = 2)"), "{why}");
        assert!(why.contains("processes"), "{why}");
    }
}
