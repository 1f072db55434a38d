//! The genesis of a listing's document: two changes that every replica makes for
//! itself and none sends, the same bytes everywhere.
//!
//! The first creates every container, because containers created concurrently would
//! hide each other's content; that is why nobody else may. The second writes the
//! listing's id, so that its hash, on which every other change depends, is the
//! listing's own: a change can never be applied to another listing's document.
//!
//! The order of the operations is part of the stored format. They are numbered from
//! 1, and containers are addressed by these numbers.

use std::sync::LazyLock;

use automerge::legacy::{Key, ObjectId, Op, OpType, SortedVec};
use automerge::transaction::{CommitOptions, Transactable, Transaction};
use automerge::{
    Automerge, AutomergeError, Change, ExpandedChange, ObjId, ObjType, ROOT, ScalarValue,
    TextEncoding,
};
use meridian_regions::ListingId;

use crate::actor;

/// Positions in texts are Unicode scalar values, whatever the library's default.
pub(super) const TEXT_ENCODING: TextEncoding = TextEncoding::UnicodeCodePoint;
/// The message of both changes.
pub(super) const GENESIS_MESSAGE: &str = "genesis";
/// Format of documents; it will rise when the containers change.
const FORMAT: u64 = 1;
/// The counters of a listing. They are created here, because two counters of one
/// name created concurrently would not add up.
pub const COUNTERS: [&str; 2] = ["saves", "views"];

/// Keys of the root that the genesis writes.
pub(super) const ROOT_KEYS: [&str; 7] = [
    "format",
    "amenities",
    "counters",
    "description",
    "location",
    "photos",
    "id",
];

/// A container of the document, by the number of the operation that creates it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Container {
    Root = 0,
    Amenities = 2,
    Counters = 3,
    Description = 4,
    Location = 5,
    Photos = 6,
}

impl Container {
    /// Its address. It holds even if somebody overwrites the key that led to it.
    pub(super) fn id(self) -> ObjId {
        match self {
            Self::Root => ROOT,
            // The genesis actor sorts first, so its index in any document is 0.
            created => ObjId::Id(created as u64, actor::genesis(), 0),
        }
    }
}

/// Containers and counters, the same for every listing: made once per process.
static CONTAINERS: LazyLock<(Automerge, Change)> =
    LazyLock::new(|| make().expect("an empty document takes any container"));

/// The document that holds the first change, and this change.
pub(super) fn containers() -> &'static (Automerge, Change) {
    &CONTAINERS
}

/// The second change of a listing's genesis.
pub(super) fn named(id: &ListingId) -> Change {
    let (_, containers) = containers();
    let name = Op {
        action: OpType::Put(id.to_string().into()),
        obj: ObjectId::Root,
        key: Key::Map("id".into()),
        pred: SortedVec::new(),
        insert: false,
    };
    Change::from(ExpandedChange {
        operations: vec![name],
        actor_id: actor::genesis(),
        author: None,
        hash: None,
        seq: containers.seq() + 1,
        start_op: containers
            .start_op()
            .saturating_add(containers.len() as u64),
        time: 0,
        message: Some(GENESIS_MESSAGE.to_owned()),
        deps: vec![containers.hash()],
        extra_bytes: Vec::new(),
    })
}

fn make() -> Result<(Automerge, Change), AutomergeError> {
    let mut automerge = Automerge::new_with_encoding(TEXT_ENCODING);
    automerge.set_actor(actor::genesis());
    let mut transaction = automerge.transaction();
    fill(&mut transaction)?;
    let options = CommitOptions::default()
        .with_message(GENESIS_MESSAGE)
        .with_time(0);
    transaction.commit_with(options);
    let change = automerge
        .get_last_local_change()
        .expect("the change that was just made");
    Ok((automerge, change))
}

fn fill(document: &mut Transaction<'_>) -> Result<(), AutomergeError> {
    document.put(ROOT, "format", ScalarValue::Uint(FORMAT))?;
    document.put_object(ROOT, "amenities", ObjType::Map)?;
    let counters = document.put_object(ROOT, "counters", ObjType::Map)?;
    document.put_object(ROOT, "description", ObjType::Text)?;
    document.put_object(ROOT, "location", ObjType::Map)?;
    document.put_object(ROOT, "photos", ObjType::Map)?;
    for name in COUNTERS {
        document.put(&counters, name, ScalarValue::counter(0))?;
    }
    Ok(())
}
