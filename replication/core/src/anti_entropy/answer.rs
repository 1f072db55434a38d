//! The side that answers: the same, or the parts, or the items themselves.

use super::comparison::{Asked, Listed, Reply, ShortDigest};
use super::outline::{Outline, of_items};
use super::range::{Item, Range, separator};
use crate::limits::{COMPARED_ITEMS_MAX, COMPARED_PARTS};
use meridian_regions::ListingId;

/// Answers for one range, from this side's `outline` of the range's shard. `read` answers
/// the items of a range, in order; it is asked for at most some thousand.
///
/// # Errors
/// Whatever `read` says.
pub fn answer<E>(
    asked: &Asked,
    outline: &Outline,
    read: &mut impl FnMut(&Range) -> Result<Vec<Item>, E>,
) -> Result<Reply, E> {
    let range = &asked.range;
    let ours = outline.fingerprint(range, read)?;
    if ours == asked.theirs {
        return Ok(Reply::Same);
    }
    let bounds = outline.bounds_within(range);
    if bounds.len() + 1 < COMPARED_PARTS {
        // Not many blocks: the items themselves are near.
        return Ok(from_items(range, &read(range)?));
    }
    let bounds: Vec<Vec<u8>> = (1..COMPARED_PARTS)
        .map(|part| bounds[part * bounds.len() / COMPARED_PARTS].to_vec())
        .collect();
    let split = range.split(&bounds);
    let parts = split.expect("bounds of blocks rise within the range");
    let parts = parts.iter().map(|part| outline.fingerprint(part, read));
    let parts = parts.collect::<Result<_, _>>()?;
    Ok(Reply::Parts { bounds, parts })
}

fn from_items(range: &Range, items: &[Item]) -> Reply {
    if items.len() <= COMPARED_ITEMS_MAX {
        // A key that is no listing's is this disk's trouble, which others cannot mend.
        let listed = items.iter().filter_map(|item| {
            let listing = ListingId::from_key(item.key.get(2..)?).ok()?;
            let digest = ShortDigest::of(&item.digest);
            Some(Listed { listing, digest })
        });
        return Reply::Items(listed.collect());
    }
    let places = (1..COMPARED_PARTS).map(|part| part * items.len() / COMPARED_PARTS);
    let bounds: Vec<Vec<u8>> = places
        .map(|place| separator(&items[place - 1].key, &items[place].key))
        .collect();
    let split = range.split(&bounds);
    let parts = split.expect("items rise within the range");
    let mut rest = items;
    let parts = parts.iter().map(|part| {
        let (these, later) = rest.split_at(rest.partition_point(|item| part.contains(&item.key)));
        rest = later;
        of_items(these)
    });
    let parts = parts.collect();
    Reply::Parts { bounds, parts }
}
