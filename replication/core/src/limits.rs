//! Every bound of the listing plane, each with the reason for its number.
//!
//! Bounds of fields hold for what a client may write here and now. A merge of
//! concurrent writes may exceed a bound of a *list* (two regions each add the
//! hundredth amenity); such a document is still read and shown, and takes no
//! further element until it is below the bound again.

/// Longest title, in characters: a headline on a phone and in a search result.
pub const TITLE_CHARS_MAX: usize = 200;
/// Longest description, in characters: ten printed pages. Each character is an
/// element of a text that people edit together, so it also bounds memory.
pub const DESCRIPTION_CHARS_MAX: usize = 20_000;
/// Longest house rules, in characters: two printed pages.
pub const HOUSE_RULES_CHARS_MAX: usize = 5_000;
/// Most amenities of a listing: more is not a list that a guest reads.
pub const AMENITIES_MAX: usize = 100;
/// Longest name of an amenity, in characters.
pub const AMENITY_CHARS_MAX: usize = 64;
/// Most photos of a listing.
pub const PHOTOS_MAX: usize = 50;
/// Longest URL of a photo, in bytes: what browsers and proxies carry safely.
pub const PHOTO_URL_BYTES_MAX: usize = 2_048;
/// Most guests of one unit.
pub const CAPACITY_MAX: u32 = 1_000;
/// Most units of a listing: a large hotel.
pub const UNITS_MAX: u32 = 1_000;
/// Longest stay, in slots (nights, or hours where slots are hours): one year of
/// nights.
pub const STAY_SLOTS_MAX: u32 = 365;
/// Most slots after a stay that make its unit ready again: a month of days.
pub const TURNOVER_SLOTS_MAX: u32 = 30;
/// Highest price of a slot, in minor units: it stays exact in a JSON number.
pub const PRICE_AMOUNT_MAX: u64 = 1_000_000_000_000;
/// Longest name of a city, neighbourhood or kind of room, in characters.
pub const NAME_CHARS_MAX: usize = 120;
/// Longest name of a time zone, in bytes: the longest of the IANA database has 38.
pub const TIME_ZONE_BYTES_MAX: usize = 64;
/// Longest id of an owner, in characters: a `sub` claim.
pub const OWNER_CHARS_MAX: usize = 255;
/// Longest name of a source of imports, in bytes.
pub const EXTERNAL_SOURCE_BYTES_MAX: usize = 32;
/// Longest id that a source of imports gave, in bytes.
pub const EXTERNAL_ID_BYTES_MAX: usize = 128;

/// Most operations of one edit request: far above what an editor sends at once.
pub const EDIT_OPS_MAX: usize = 256;
/// Most characters that one edit request inserts and deletes together: a whole
/// description replaced once.
pub const EDIT_CHARS_MAX: usize = 2 * DESCRIPTION_CHARS_MAX;
/// Largest step of one increment: a counter counts people's acts, not bulk.
pub const INCREMENT_MAX: i64 = 1_000;
/// Most characters of differing text that are compared for the smallest
/// difference. That costs time with the square of the difference (at this bound
/// some 15 ms); a text that differs more is replaced from the first differing
/// character to the last.
pub const TEXT_DIFF_CHARS_MAX: usize = 2_048;
/// Most errors reported for one body: enough to repair it, and no way to make an
/// answer larger than its question.
pub const FIELD_ERRORS_MAX: usize = 64;

/// Largest encoded change, in bytes. The largest that fields can make (a
/// description replaced, every list replaced) stays below half of it.
pub const CHANGE_BYTES_MAX: usize = 1 << 20;
/// Most operations in one change, for the same reason.
pub const CHANGE_OPS_MAX: u64 = 100_000;
/// Most references to overwritten operations in one change: each operation
/// overwrites one, or a few that were in conflict.
pub const CHANGE_PREDECESSORS_MAX: u64 = 2 * CHANGE_OPS_MAX;
/// Most bytes of keys in one change once its runs are unfolded. Keys are names of
/// fields, amenities and photo URLs.
pub const CHANGE_KEY_BYTES_MAX: u64 = 4 << 20;
/// Most changes that one change names as its dependencies: heads are as many as
/// replicas that write at once.
pub const CHANGE_DEPENDENCIES_MAX: u64 = 4_096;
/// Most actors that one change mentions: one per node that ever wrote.
pub const CHANGE_ACTORS_MAX: u64 = 4_096;

/// Size of a document's history, in bytes of encoded changes, above which this
/// replica takes no further local edit: some 100,000 small edits.
pub const DOCUMENT_BYTES_MAX: u64 = 16 << 20;
/// Size past which a listing is to begin anew however few changes it has: some are hundreds of
/// kilobytes, and it must not come to [`DOCUMENT_BYTES_MAX`] before everybody has had them.
pub const RENEWAL_BYTES: u64 = DOCUMENT_BYTES_MAX / 4;
/// So many changes it has then at least: a listing that is large by what it shows does not become
/// smaller by beginning anew.
pub const RENEWAL_CHANGES_MIN: u64 = 8;
/// The same as [`DOCUMENT_BYTES_MAX`] for what ends a dispute or the listing: a listing that is in conflict does not begin
/// anew, and must not be kept from it by its own length.
pub const DECIDED_BYTES_MAX: u64 = DOCUMENT_BYTES_MAX + (1 << 20);
/// Size above which changes of other replicas are refused too. Replicas stop on
/// their own at [`DOCUMENT_BYTES_MAX`], so that only many of them cut off from
/// each other, each writing to the brim, or a broken one, ever come here.
pub const DOCUMENT_BYTES_HARD_MAX: u64 = 4 * DOCUMENT_BYTES_MAX;
/// Largest snapshot that is read, in bytes: twice [`DOCUMENT_BYTES_HARD_MAX`], and
/// a snapshot is smaller than the changes it was made from.
pub const SNAPSHOT_BYTES_MAX: usize = 128 << 20;
/// Most heads at which a document begins anew: as many as write to one listing at the same
/// time, which are few; one with more is left for the next time.
pub const RENEWAL_HEADS_MAX: usize = 8;
/// Most changes that a document begins anew with: one for each register by its time, and
/// three more.
pub const RENEWAL_CHANGES_MAX: usize = 32;
/// Largest beginning of a document that is handed over, in bytes: the longest description,
/// twice, and the fullest lists.
pub const RENEWAL_BYTES_MAX: usize = 384 << 10;
/// Most changes of one document that wait for others: a node that comes back
/// reads the log of one origin to its end before the next one's.
pub const WAITING_CHANGES_MAX: usize = 65_536;
/// Most bytes of changes of one document that wait for others.
pub const WAITING_BYTES_MAX: usize = 32 << 20;

/// Most entries in one frame of a pull stream: what one group commit takes.
pub const FRAME_ENTRIES_MAX: usize = 1_024;
/// Largest frame of a pull stream, in bytes; two of them fit the transport's.
pub const FRAME_BYTES_MAX: usize = 2 << 20;
/// Largest log entry, in bytes: a change, and its envelope with a genesis record.
pub const LOG_ENTRY_BYTES_MAX: usize = CHANGE_BYTES_MAX + 1_024;
/// Most origins that a version vector or a pull request names: nodes that ever
/// wrote, counting those long removed.
pub const ORIGINS_MAX: usize = 1_024;
/// Largest version vector, in bytes: every origin with every shard.
pub const VERSION_VECTOR_BYTES_MAX: usize = 1 << 20;
/// Largest pull request, in bytes.
pub const PULL_REQUEST_BYTES_MAX: usize = VERSION_VECTOR_BYTES_MAX + (16 << 10);
/// Longest session token, in bytes of text: it travels in a header.
pub const SESSION_TOKEN_BYTES_MAX: usize = 256;

/// Longest key of an item that replicas compare, in bytes: a shard, a ULID, and the
/// longest name of a region.
pub const ITEM_KEY_BYTES_MAX: usize = 64;
/// Ranges of one comparison: some hundred differences are looked into at once, and an
/// answer stays within a megabyte.
pub const COMPARED_RANGES_MAX: usize = 512;
/// Parts that a range is split into: more make answers longer, fewer make more of them.
pub const COMPARED_PARTS: usize = 16;
/// Items that are listed rather than split: as long as the fingerprints of their parts.
pub const COMPARED_ITEMS_MAX: usize = 32;
/// Ranges that a walk keeps open: a billion differences have fewer open at once.
pub const WALK_OPEN_RANGES_MAX: usize = 1 << 17;
/// Exchanges of one walk: enough for a hundred million differences.
pub const WALK_EXCHANGES_MAX: usize = 1 << 16;
/// Largest request of a repair, in bytes.
pub const REPAIR_REQUEST_BYTES_MAX: usize = 256 << 10;
/// Largest answer of a repair, in bytes; two of them fit the transport's frame.
pub const REPAIR_ANSWER_BYTES_MAX: usize = 2 << 20;
/// Documents asked for at once.
pub const FETCHED_DOCUMENTS_MAX: usize = 32;
/// Bytes of changes in an answer, unless a single one is larger.
pub const FETCHED_BYTES: usize = 512 << 10;
/// Changes of one document in an answer.
pub const FETCHED_CHANGES_MAX: usize = 4_096;
/// Changes that are named so that a peer finds out what is missing: heads, and others at
/// distances that double, for a history of any length.
pub const HAVE_CHANGES_MAX: usize = 64;

// A full answer, with one change and one beginning more than fit.
const _: () =
    assert!(FETCHED_BYTES + CHANGE_BYTES_MAX + RENEWAL_BYTES_MAX <= REPAIR_ANSWER_BYTES_MAX);
