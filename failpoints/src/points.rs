//! Every point there is, by name.

use std::fmt;
use std::str::FromStr;

/// A name that no point has.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("there is no failpoint `{0}`")]
pub struct UnknownFailpoint(pub String);

macro_rules! failpoints {
    ($($(#[$doc:meta])+ $point:ident = $name:literal,)+) => {
        /// A point in the code. Its name says the step, and on which side of it the point
        /// stands.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Failpoint {
            $($(#[$doc])+ $point,)+
        }

        impl Failpoint {
            /// Every point, in the order of their numbers.
            pub const ALL: &[Self] = &[$(Self::$point,)+];

            /// Its name, as operators write it.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$point => $name,)+
                }
            }
        }
    };
}

failpoints! {
    /// A group's genesis record and first entry are about to be written.
    FoundBefore = "found-before",
    /// They are written, and not fsynced.
    FoundAfter = "found-after",
    /// Entries are about to be queued for the disk.
    LogAppendBefore = "log-append-before",
    /// They are fsynced, and nobody has been told.
    LogAppendAfter = "log-append-after",
    /// Entries that another leader has overruled are about to be cut off.
    TruncateBefore = "truncate-before",
    /// They are cut off, fsynced.
    TruncateAfter = "truncate-after",
    /// A vote is about to be saved.
    VoteBefore = "vote-before",
    /// It is fsynced, and not answered yet.
    VoteAfter = "vote-after",
    /// Entries are applied in memory, and about to be saved.
    ApplyBefore = "apply-before",
    /// The applied state is written; the proposer has not been told.
    ApplyAfter = "apply-after",
    /// A group's place in the to-do index is about to change, with its applied state.
    TodoBefore = "todo-before",
    /// It has changed.
    TodoAfter = "todo-after",
    /// A snapshot is about to be fsynced where it was built.
    SnapshotBuildBefore = "snapshot-build-before",
    /// It is fsynced; nothing has been purged on its word.
    SnapshotBuildAfter = "snapshot-build-after",
    /// A snapshot of another node is taken over in memory, and about to be fsynced.
    SnapshotInstallBefore = "snapshot-install-before",
    /// It is fsynced, and not acknowledged.
    SnapshotInstallAfter = "snapshot-install-after",
    /// Entries that a snapshot holds are about to be deleted.
    PurgeBefore = "purge-before",
    /// They are deleted, fsynced.
    PurgeAfter = "purge-after",
    /// A leader is about to offer its leadership.
    TransferSendBefore = "transfer-send-before",
    /// The successor has answered.
    TransferSendAfter = "transfer-send-after",
    /// A leadership has been offered to this node, which has done nothing about it.
    TransferTakeBefore = "transfer-take-before",
    /// This node has begun to stand for it, and has not answered.
    TransferTakeAfter = "transfer-take-after",
    /// A sleeping leader's note is about to be written: its instance has ended.
    NoteWriteBefore = "note-write-before",
    /// It is fsynced.
    NoteWriteAfter = "note-write-after",
    /// A note that was found is about to be taken away.
    NoteRemoveBefore = "note-remove-before",
    /// It is gone, fsynced; the group is not awake yet.
    NoteRemoveAfter = "note-remove-after",
    /// A group is about to be woken from its records.
    WakeBefore = "wake-before",
    /// It is awake, and nobody has used it.
    WakeAfter = "wake-after",
    /// The provider is about to be asked to reserve a price.
    AuthorizeCallBefore = "authorize-call-before",
    /// It has answered, and the answer is no entry yet.
    AuthorizeCallAfter = "authorize-call-after",
    /// The answer is an entry, and nobody has been told.
    AuthorizeEntryAfter = "authorize-entry-after",
    /// The provider is about to be asked to take what is reserved.
    CaptureCallBefore = "capture-call-before",
    /// It has answered, and the answer is no entry yet.
    CaptureCallAfter = "capture-call-after",
    /// The answer is an entry.
    CaptureEntryAfter = "capture-entry-after",
    /// The provider is about to be asked to let go what is reserved.
    VoidCallBefore = "void-call-before",
    /// It has answered, and the answer is no entry yet.
    VoidCallAfter = "void-call-after",
    /// The answer is an entry.
    VoidEntryAfter = "void-entry-after",
    /// The provider is about to be asked to give back what was taken.
    RefundCallBefore = "refund-call-before",
    /// It has answered, and the answer is no entry yet.
    RefundCallAfter = "refund-call-after",
    /// The answer is an entry.
    RefundEntryAfter = "refund-entry-after",
    /// Which nodes are to be freed by a map is fsynced, and the map is about to be proposed.
    MapWriteBefore = "map-write-before",
    /// It is in the log, and nobody has been told to free them.
    MapWriteAfter = "map-write-after",
    /// A deletion of a listing is about to be stored, with the note that it is to be buried.
    DeathBefore = "death-before",
    /// It is fsynced, and nobody has been told.
    DeathAfter = "death-after",
    /// Documents have been searched for deletions without a note, which are about to be noted.
    DeathSearchBefore = "death-search-before",
    /// They are noted, not fsynced, with how far the search has come.
    DeathSearchAfter = "death-search-after",
    /// A document has begun anew in memory, by whoever's word, and is about to be stored.
    BeginAnewBefore = "begin-anew-before",
    /// It is fsynced, and nobody has been told.
    BeginAnewAfter = "begin-anew-after",
    /// A former document is about to be given up.
    FormerForgetBefore = "former-forget-before",
    /// It is gone, fsynced.
    FormerForgetAfter = "former-forget-after",
    /// The note of a listing that is buried is about to go.
    BurialNoteBefore = "burial-note-before",
    /// It is gone, not fsynced.
    BurialNoteAfter = "burial-note-after",
}

impl Failpoint {
    /// Points of the listing plane: around what documents that begin anew, and listings that are
    /// buried, leave on disk.
    pub const OF_LISTINGS: [Self; 10] = [
        Self::DeathBefore,
        Self::DeathAfter,
        Self::DeathSearchBefore,
        Self::DeathSearchAfter,
        Self::BeginAnewBefore,
        Self::BeginAnewAfter,
        Self::FormerForgetBefore,
        Self::FormerForgetAfter,
        Self::BurialNoteBefore,
        Self::BurialNoteAfter,
    ];
}

impl fmt::Display for Failpoint {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

impl FromStr for Failpoint {
    type Err = UnknownFailpoint;

    fn from_str(name: &str) -> Result<Self, UnknownFailpoint> {
        let named = Self::ALL.iter().find(|point| point.name() == name);
        named
            .copied()
            .ok_or_else(|| UnknownFailpoint(name.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::{Failpoint, UnknownFailpoint};

    #[test]
    fn every_point_is_found_by_its_name_and_by_no_other() {
        for (number, point) in Failpoint::ALL.iter().enumerate() {
            assert_eq!(point.name().parse(), Ok(*point));
            assert_eq!(*point as usize, number);
        }
        let unknown = "vote-meanwhile".parse::<Failpoint>();
        assert_eq!(unknown, Err(UnknownFailpoint("vote-meanwhile".to_owned())));
    }
}
