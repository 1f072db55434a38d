//! A network in the process that can be cut: which node reaches which.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use meridian_regions::{Genesis, ListingId, NodeId, RegionId};
use prost::Message;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::envelope::Request;
use crate::{Called, GroupTransport, Groups, TransportError};

/// Who can be reached, and through whom.
#[derive(Default)]
pub(super) struct Switchboard {
    pub(super) nodes: Mutex<BTreeMap<NodeId, Groups>>,
    pub(super) cut: Mutex<BTreeSet<NodeId>>,
    /// Cut off, but nobody has noticed yet.
    pub(super) silently_cut: Mutex<BTreeSet<NodeId>>,
    /// Groups of which no message arrives, and nobody hears that it does not.
    pub(super) muted: Mutex<BTreeSet<ListingId>>,
}

impl Switchboard {
    fn deliver(&self, from: NodeId, to: NodeId) -> Option<Groups> {
        let cut = self.silently_cut.lock().expect("not poisoned");
        if cut.contains(&from) || cut.contains(&to) {
            return None;
        }
        self.reach(from, to)
    }

    fn is_muted(&self, request: &Bytes) -> bool {
        let muted = self.muted.lock().expect("not poisoned");
        !muted.is_empty() && {
            let request = Request::decode(request.clone()).expect("a message of ours");
            let genesis = Genesis::decode(&request.genesis).expect("of a group");
            muted.contains(&genesis.listing)
        }
    }

    fn reach(&self, from: NodeId, to: NodeId) -> Option<Groups> {
        let cut = self.cut.lock().expect("not poisoned");
        if cut.contains(&from) || cut.contains(&to) {
            return None;
        }
        self.nodes.lock().expect("not poisoned").get(&to).cloned()
    }
}

/// One node's end of the switchboard.
pub(super) struct Line {
    pub(super) from: NodeId,
    pub(super) switchboard: Arc<Switchboard>,
    /// Comes with the death of the node: it says nothing any more.
    pub(super) dead: CancellationToken,
}

impl GroupTransport for Line {
    fn call(&self, to: NodeId, request: Bytes, deadline: Duration) -> Called {
        let (from, switchboard) = (self.from, Arc::clone(&self.switchboard));
        let dead = self.dead.is_cancelled();
        Box::pin(async move {
            let reached = switchboard.deliver(from, to).filter(|_| !dead);
            let Some(target) = reached else {
                return Err(TransportError::NotSent("cut".to_owned()));
            };
            let is_muted = switchboard.is_muted(&request);
            let answered = async {
                if is_muted {
                    std::future::pending::<()>().await;
                }
                target.handle(from, request).await
            };
            timeout(deadline, answered)
                .await
                .map_err(|_| TransportError::Unknown("late".to_owned()))
        })
    }

    fn alive_for(&self, node: NodeId) -> Option<Duration> {
        let reached = self.switchboard.reach(self.from, node);
        reached.map(|_| Duration::from_secs(60))
    }

    fn region(&self, node: NodeId) -> Option<RegionId> {
        // Node 6 is the second of its region.
        let regions = [
            "eu-west",
            "us-east",
            "ap-southeast",
            "sa-east",
            "ap-south",
            "eu-west",
        ];
        let place = usize::try_from(node.get()).ok()?.checked_sub(1)?;
        regions.get(place)?.parse().ok()
    }
}
