//! A group that cannot be woken on its own node, and what the node does about it.
//!
//! Followers take a leader for alive as long as its node is. One whose records are damaged
//! would be named as leader for ever, by everybody but itself: so it says that it is none.

use std::sync::Arc;
use std::time::Duration;

use futures::future::join_all;
use meridian_regions::{Genesis, ListingId};
use meridian_storage::StorageError;
use prost::Message;

use crate::Groups;
use crate::envelope::{Ballot, Call, Request};
use crate::keys::{GroupKey, STATE, StateKind};
use crate::shared::Shared;

/// How long another node may take to hear it: several round trips, and a wake.
const TOLD_WITHIN: Duration = Duration::from_secs(1);

/// Groups that others are being told of at once. Beyond it, the next use tells them.
const DISOWNED_MAX: usize = 256;

/// A group of which others are being told, once at a time.
struct Disowning {
    shared: Arc<Shared>,
    listing: ListingId,
}

impl Disowning {
    fn begin(shared: &Arc<Shared>, genesis: &Genesis) -> Option<Self> {
        let listing = genesis.listing.clone();
        let mut disowned = shared.disowned();
        (disowned.len() < DISOWNED_MAX && disowned.insert(listing.clone())).then(|| Self {
            shared: Arc::clone(shared),
            listing,
        })
    }
}

impl Drop for Disowning {
    fn drop(&mut self) {
        self.shared.disowned().remove(&self.listing);
    }
}

impl Groups {
    /// Tells the other voters that this node does not lead a group. It is the question for
    /// a vote that a restarted leader asks: they heed it, and grant nothing. Asked only
    /// when somebody wants the group here, and never because of a message: two nodes on
    /// which it is ill would not let go of one another.
    pub(crate) fn disown(&self, genesis: &Genesis) {
        let Some(told) = Disowning::begin(self.shared(), genesis) else {
            return;
        };
        let request = Request {
            genesis: genesis.encode().into(),
            call: Some(Call::PreVote(Ballot::default())),
            caller: 0,
        };
        let request = bytes::Bytes::from(request.encode_to_vec());
        let shared = self.shared();
        let others = self.voters(genesis).into_iter();
        let others = others.filter(|voter| *voter != shared.node);
        let calls: Vec<_> = others
            .map(|voter| shared.transport.call(voter, request.clone(), TOLD_WITHIN))
            .collect();
        self.tracker().spawn(async move {
            // Whoever does not hear it is told at the next use.
            join_all(calls).await;
            drop(told);
        });
    }

    /// Who founded a group that stands in an index; `None`, and said aloud, if that cannot
    /// be read: one group that is ill holds no other up.
    pub(crate) fn founder_of(&self, group: &GroupKey) -> Result<Option<Genesis>, StorageError> {
        let records = self.records();
        if records.check(group).is_err() {
            return Ok(None);
        }
        let cause = match records.get(STATE, &group.state(StateKind::Genesis)) {
            Ok(Some(record)) => match Genesis::decode(&record) {
                Ok(genesis) => return Ok(Some(genesis)),
                Err(cause) => cause.to_string(),
            },
            Ok(None) => "an index names it, and it has no genesis record".to_owned(),
            // Damage is the group's own; anything else is the disk's.
            Err(StorageError::Damaged(_)) => return Ok(None),
            Err(cause) => return Err(cause),
        };
        let name = group.name();
        records.fall_ill(Some(group.clone()), &format!("{name}: {cause}"));
        Ok(None)
    }
}
