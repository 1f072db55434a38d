//! Why a listing that was deleted is not buried yet, for whoever asks.
//!
//! It is said by what the node that keeps the listing has heard: what others have heard of each
//! other is later, and theirs. Nothing is decided here.

use meridian_regions::{ListingId, NodeId, Shards};
use meridian_replication_core::{Lifecycle, ListingDocument};

use super::hearing::Heard;
use crate::documents::peek;
use crate::error::ReadError;
use crate::replica::{Inner, Replica};

/// What becomes of a listing that was deleted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Burial {
    /// Nothing of it is left but who created and who deleted it, and when.
    Buried,
    /// Somebody has edited what another has deleted: its host decides.
    Disputed,
    /// Nothing begins anew here: `listings.changes_before_renewal` is 0.
    Off,
    /// The level of formats that has burials is not on.
    NotOfThisLevel,
    /// Some node does not hold every listing.
    Spread,
    /// This node may not write yet, or is not back yet.
    NotBack,
    /// This node has it buried by another's word: that one says why it waits.
    KeptBy(NodeId),
    /// These nodes have not said, since this one began to wait, that they have had the deletion;
    /// those of the second list have said nothing since this one started.
    Lacking {
        /// Have said less.
        behind: Vec<NodeId>,
        /// Have said nothing.
        unheard: Vec<NodeId>,
    },
    /// Everybody has had it, and something that some node wrote before is not here yet.
    Fetching,
    /// Nothing is missing: one of the next looks does it.
    Due,
}

impl Inner {
    fn burial_of(&self, document: &ListingDocument) -> Option<Burial> {
        match document.lifecycle() {
            Lifecycle::Live | Lifecycle::Uncreated => return None,
            Lifecycle::Disputed => return Some(Burial::Disputed),
            Lifecycle::Deleted if document.is_buried() => return Some(Burial::Buried),
            Lifecycle::Deleted => {}
        }
        let mut members = self.progress.others().iter().chain([self.progress.this()]);
        Some(if self.renewals.changes_max.is_none() {
            Burial::Off
        } else if !self.may_bury() {
            Burial::NotOfThisLevel
        } else if !members.all(|member| member.holds == Shards::ALL) {
            Burial::Spread
        } else if !self.may_renew() {
            Burial::NotBack
        } else if self.keeper(document) != self.this() {
            Burial::KeptBy(self.keeper(document))
        } else {
            self.what_is_waited_for(document.id())
        })
    }

    fn what_is_waited_for(&self, listing: &ListingId) -> Burial {
        let noted = self.renewals.noted().get(listing).cloned().flatten();
        let mut hearing = noted.map_or_else(|| self.hear(listing.shard()), |noted| noted.hearing);
        match self.heard(listing.shard(), &mut hearing) {
            Heard::Everything => Burial::Due,
            Heard::NotHere => Burial::Fetching,
            Heard::Less { behind, unheard } => Burial::Lacking { behind, unheard },
        }
    }
}

impl Replica {
    /// What becomes of a listing that was deleted. `None` if it was not, or is not known here.
    ///
    /// # Errors
    /// [`ReadError`] if the disk fails or lies.
    pub fn burial(&self, listing: &ListingId) -> Result<Option<Burial>, ReadError> {
        let inner = self.inner();
        let stripe = inner.documents.stripe(listing.shard());
        peek(&stripe, &inner.store, listing, |document| {
            inner.burial_of(document)
        })
    }
}
