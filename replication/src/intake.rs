//! What entries of another node put into the database: themselves, byte for byte, what
//! they change, and what of them had to be set aside.

use meridian_regions::{Genesis, NodeId};
use meridian_replication_core::{ReceivedEntry, RefusedChange, WireError};
use meridian_storage::Batch;

use crate::documents::{Founding, Hot};
use crate::events::ListingNews;
use crate::keys::{self, LOG, QUARANTINE};

/// The batch in the making, of one entry or of a run of them.
pub(crate) struct Intake {
    pub(crate) batch: Batch,
    pub(crate) origin: NodeId,
    pub(crate) seq: u64,
    /// What has become part of documents.
    pub(crate) news: Vec<ListingNews>,
    /// How much has been set aside.
    pub(crate) put_aside: u64,
    place: Vec<u8>,
}

impl Intake {
    pub(crate) fn of(entry: &ReceivedEntry) -> Self {
        let mut intake = Self::empty(entry);
        intake.log(entry);
        intake
    }

    /// One that has nothing yet, about an entry.
    pub(crate) fn empty(entry: &ReceivedEntry) -> Self {
        Self {
            batch: Batch::new(),
            origin: entry.origin,
            seq: entry.seq,
            news: Vec::new(),
            put_aside: 0,
            place: keys::entry(entry.origin, entry.shard, entry.seq),
        }
    }

    /// Turns to an entry, and puts it into the log.
    pub(crate) fn log(&mut self, entry: &ReceivedEntry) {
        self.turn_to(entry);
        let bytes = entry.as_bytes().to_vec();
        self.batch.put(LOG, self.place.clone(), bytes);
    }

    /// What is set aside from now on is this entry's.
    pub(crate) fn turn_to(&mut self, entry: &ReceivedEntry) {
        (self.origin, self.seq) = (entry.origin, entry.seq);
        self.place = keys::entry(entry.origin, entry.shard, entry.seq);
    }

    /// Sets the entry, or its genesis record, aside: loudly, and for whoever mends it.
    pub(crate) fn set_aside(&mut self, code: &str, reason: &impl ToString) {
        self.quarantine(self.place.clone(), code, &reason.to_string());
    }

    /// Sets aside changes that had waited for this entry's and can never be applied.
    /// Their own entries were taken in long ago: they are filed under this one.
    pub(crate) fn set_released_aside(&mut self, refused: &[RefusedChange]) {
        for change in refused {
            let id = change.id.to_string();
            let mut place = self.place.clone();
            place.extend_from_slice(id.as_bytes());
            let reason = format!("change {id}, which had waited: {}", change.error);
            self.quarantine(place, change.error.code(), &reason);
        }
    }

    /// Takes a genesis record with the change that creates the listing: from the node
    /// that wrote it, and only the first. A second one would found a second group, and
    /// sell every night twice.
    pub(crate) fn found(&mut self, hot: &mut Hot, genesis: Result<&Genesis, &WireError>) {
        let reason = match genesis {
            Err(cause) => cause.to_string(),
            Ok(genesis) if genesis.created_by != self.origin => {
                format!("a genesis record of node {}", genesis.created_by)
            }
            Ok(genesis) => match hot.found(&mut self.batch, genesis) {
                Founding::Another => "a second genesis record: the first one stands".to_owned(),
                // Known: a repair has brought it before its entry.
                Founding::First | Founding::Known => return,
            },
        };
        self.set_aside("genesis-refused", &reason);
    }

    fn quarantine(&mut self, place: Vec<u8>, code: &str, reason: &str) {
        tracing::error!(origin = %self.origin, seq = self.seq, code, reason, "a change is set aside");
        self.put_aside += 1;
        let record = format!("{code}: {reason}");
        self.batch.put(QUARANTINE, place, record.into_bytes());
    }
}
