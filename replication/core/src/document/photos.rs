//! Photos: a map from URL to rank, read in the order of ranks.
//!
//! Not a list, in which a photo moved by two people at once would stand twice. A
//! photo that is removed here and moved there at the same time stays; two that come
//! to the same rank are ordered by their URLs, on every replica alike.

use std::collections::BTreeMap;

use automerge::iter::MapRange;
use automerge::transaction::Transactable;
use automerge::{ReadDoc, ScalarValue, Value};

use super::genesis::Container;
use super::write::{EditError, Writer};

/// Distance of neighbours when they are numbered afresh: room for sixteen
/// insertions between two before the list is numbered anew.
const SPACING: i64 = 1 << 16;
/// Ranks beyond are treated as if the photo had none; sums below cannot overflow.
const RANK_MAX: i64 = 1 << 48;

/// The photos in their order, with their ranks.
pub(super) fn ranked(document: &impl ReadDoc) -> Vec<(i64, String)> {
    in_order(document.map_range(Container::Photos.id(), ..))
}

/// Photos in their order, with their ranks.
pub(super) fn in_order(photos: MapRange<'_>) -> Vec<(i64, String)> {
    let mut ranked: Vec<(i64, String)> = photos
        .map(|photo| (rank(&photo.value.into_value()), photo.key.into_owned()))
        .collect();
    ranked.sort_unstable();
    ranked
}

fn rank(value: &Value<'_>) -> i64 {
    match value {
        Value::Scalar(scalar) => scalar.as_i64().unwrap_or(0),
        Value::Object(_) => 0,
    }
}

/// Makes the list `urls`, and writes only the ranks that it must.
pub(super) fn replace(writer: &mut Writer<'_>, urls: &[String]) -> Result<(), EditError> {
    let held: BTreeMap<String, i64> = ranked(writer.document())
        .into_iter()
        .map(|(rank, url)| (url, rank))
        .collect();
    let photos = Container::Photos.id();
    for url in held.keys().filter(|url| !urls.contains(url)) {
        writer.document().delete(&photos, url.as_str())?;
    }
    let ranks: Vec<Option<i64>> = urls.iter().map(|url| held.get(url).copied()).collect();
    for (url, (rank, held)) in urls.iter().zip(arrange(&ranks).into_iter().zip(ranks)) {
        if held != Some(rank) {
            writer.document().put(&photos, url.as_str(), rank)?;
        }
    }
    Ok(())
}

/// Adds a photo at the end, or confirms one that is there.
pub(super) fn add(writer: &mut Writer<'_>, url: &str) -> Result<(), EditError> {
    let held = ranked(writer.document());
    let rank = held
        .iter()
        .find_map(|(rank, held)| (held == url).then_some(*rank))
        .or_else(|| {
            held.last()
                .map(|(rank, _)| rank.clamp(&-RANK_MAX, &RANK_MAX) + SPACING)
        })
        .unwrap_or(SPACING);
    writer.assert(Container::Photos, url, ScalarValue::Int(rank))
}

/// Ranks for a list of `count` photos, none of which has one yet.
pub(super) fn fresh_ranks(count: usize) -> Vec<i64> {
    arrange(&vec![None; count])
}

/// Ranks for a list whose elements have the given ranks, or none yet: strictly
/// rising, and as many as possible unchanged.
fn arrange(ranks: &[Option<i64>]) -> Vec<i64> {
    let kept = longest_rising(ranks);
    let mut arranged = Vec::with_capacity(ranks.len());
    for end in kept.iter().copied().map(Some).chain([None]) {
        let gap = end.unwrap_or(ranks.len()) - arranged.len();
        let high = end.and_then(|end| ranks[end]);
        let Some(filled) = fill(arranged.last().copied(), high, gap) else {
            return (1_i64..)
                .take(ranks.len())
                .map(|place| place * SPACING)
                .collect();
        };
        arranged.extend(filled);
        arranged.extend(high);
    }
    arranged
}

/// `count` ranks between `low` and `high`, evenly; `None` if there is no room.
fn fill(low: Option<i64>, high: Option<i64>, count: usize) -> Option<Vec<i64>> {
    let count = i64::try_from(count).ok()?;
    let room = (count + 1) * SPACING;
    let (low, high) = match (low, high) {
        (Some(low), Some(high)) => (low, high),
        (Some(low), None) => (low, low + room),
        (None, Some(high)) => (high - room, high),
        (None, None) => (0, room),
    };
    let step = (high - low) / (count + 1);
    (step > 0 || count == 0).then(|| (1..=count).map(|place| low + place * step).collect())
}

/// The places of a longest strictly rising selection. Lists are short enough for
/// the quadratic algorithm.
fn longest_rising(ranks: &[Option<i64>]) -> Vec<usize> {
    let mut best: Vec<Vec<usize>> = Vec::with_capacity(ranks.len());
    for (place, rank) in ranks.iter().enumerate() {
        let Some(rank) = rank.filter(|rank| rank.abs() <= RANK_MAX) else {
            best.push(Vec::new());
            continue;
        };
        let mut chain = best
            .iter()
            .filter(|chain| {
                let last = chain.last().and_then(|&last| ranks[last]);
                last.is_some_and(|last| last < rank)
            })
            .max_by_key(|chain| chain.len())
            .cloned()
            .unwrap_or_default();
        chain.push(place);
        best.push(chain);
    }
    best.into_iter().max_by_key(Vec::len).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{any, prop, prop_assert, prop_assert_eq, proptest};

    use super::{SPACING, arrange};

    #[test]
    fn element_moved_is_the_only_one_ranked_anew() {
        let ranks = [
            Some(SPACING),
            Some(3 * SPACING),
            Some(2 * SPACING),
            Some(4 * SPACING),
        ];
        let arranged = arrange(&ranks);
        let unchanged = ranks
            .iter()
            .zip(&arranged)
            .filter(|(old, new)| **old == Some(**new));
        assert_eq!(unchanged.count(), 3);
    }

    #[test]
    fn list_without_room_is_numbered_afresh() {
        assert_eq!(
            arrange(&[Some(1), None, Some(2)]),
            [SPACING, 2 * SPACING, 3 * SPACING]
        );
    }

    proptest! {
        #[test]
        fn ranks_rise(ranks in prop::collection::vec(any::<Option<i64>>(), 0..50)) {
            let arranged = arrange(&ranks);
            prop_assert_eq!(arranged.len(), ranks.len());
            prop_assert!(arranged.is_sorted_by(|low, high| low < high));
        }

        #[test]
        fn list_in_order_is_left_alone(start in -1_000..1_000_i64, steps in prop::collection::vec(1..1_000_i64, 0..50)) {
            let ranks: Vec<Option<i64>> = steps
                .iter()
                .scan(start, |rank, step| { *rank += step; Some(Some(*rank)) })
                .collect();
            let arranged: Vec<Option<i64>> = arrange(&ranks).into_iter().map(Some).collect();
            prop_assert_eq!(arranged, ranks);
        }
    }
}
