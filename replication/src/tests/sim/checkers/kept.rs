//! What was acknowledged is in every replica when all is quiet, unless it went with the
//! only disk that had it: what leaves a mark by its mark, everything else by the number of
//! changes that say what they are, and what is counted by its sum.

use std::collections::BTreeMap;

use super::super::history::{Final, History, Kind, Write};

/// What the change that deletes a listing is called.
const DELETE: &str = "delete";

pub(super) fn check(history: &History) -> Result<(), String> {
    for ((listing, node), shown) in &history.finals {
        if history.lost_listings.contains(listing) {
            continue;
        }
        let writes = history.writes.iter();
        let of_listing: Vec<_> = writes
            .filter(|(_, write)| write.listing == *listing)
            .collect();
        let nothing = Final {
            made: Some(BTreeMap::new()),
            ..Final::default()
        };
        let shown = shown.as_ref().unwrap_or(&nothing);
        if shown.sight.buried {
            buried(&of_listing)
                .map_err(|what| format!("listing {listing} on node {node}: {what}"))?;
            continue;
        }
        marks(history, &of_listing, shown)
            .and_then(|()| made(history, *listing, &of_listing, shown))
            .and_then(|()| counted(history, *listing, &of_listing, shown))
            .and_then(|()| deleted(history, *listing, &of_listing, shown))
            .map_err(|what| format!("listing {listing} on node {node}: {what}"))?;
    }
    Ok(())
}

type Of<'a> = [(&'a String, &'a Write)];

fn marks(history: &History, writes: &Of<'_>, shown: &Final) -> Result<(), String> {
    let edits = writes.iter().filter(|(_, write)| write.kind == Kind::Edit);
    let mut acked = edits.filter(|(_, write)| write.acked);
    let lacks =
        acked.find(|(mark, _)| !history.lost.contains(*mark) && !shown.sight.marks.contains(*mark));
    lacks.map_or(Ok(()), |(mark, write)| {
        let by = write.node;
        Err(format!("{mark}, acknowledged by node {by}, is not there"))
    })
}

/// There are at least as many changes of a kind as were acknowledged.
fn made(history: &History, listing: u64, writes: &Of<'_>, shown: &Final) -> Result<(), String> {
    let Some(all) = &shown.made else {
        // It has begun anew; marks and counters speak for what was written.
        return Ok(());
    };
    let mut acked: BTreeMap<(u64, &str), usize> = BTreeMap::new();
    for (_, write) in writes.iter().filter(|(_, write)| write.acked) {
        if let Some(message) = write.kind.message() {
            *acked.entry((write.node, message)).or_default() += 1;
        }
    }
    for ((node, message), acked) in acked {
        if history.lost_of.contains(&(listing, node)) {
            continue;
        }
        let made = all.get(&(node, message.to_owned()));
        let made = made.copied().unwrap_or(0);
        if made < acked {
            return Err(format!(
                "{acked} times \"{message}\" acknowledged by node {node}, {made} are there"
            ));
        }
    }
    Ok(())
}

fn counted(history: &History, listing: u64, writes: &Of<'_>, shown: &Final) -> Result<(), String> {
    let (mut acked, mut asked) = (0, 0);
    for (_, write) in writes {
        if let Kind::Count(by) = write.kind {
            asked += by;
            acked += if write.acked { by } else { 0 };
        }
    }
    let count = shown.sight.count;
    let too_few = count < acked && !history.has_lost_of(listing);
    if too_few || count > asked {
        return Err(format!(
            "{count} counted, {acked} acknowledged, {asked} asked for"
        ));
    }
    Ok(())
}

/// Somebody's deletion is there, if one was acknowledged.
fn deleted(history: &History, listing: u64, writes: &Of<'_>, shown: &Final) -> Result<(), String> {
    let mut acked = writes.iter().filter(|(_, write)| write.acked);
    let Some((mark, _)) = acked.find(|(_, write)| write.kind == Kind::Delete) else {
        return Ok(());
    };
    let mut made = shown.made.iter().flat_map(BTreeMap::keys);
    let is_there = shown.made.is_none() || made.any(|(_, message)| message == DELETE);
    if is_there || history.has_lost_of(listing) {
        return Ok(());
    }
    Err(format!(
        "{mark} was acknowledged, and nobody has deleted it"
    ))
}

/// Nothing is left of it, because somebody has asked for that. A deletion that has not seen
/// everything is in dispute, and so a listing with nothing left of it that shows no deletion.
fn buried(writes: &Of<'_>) -> Result<(), String> {
    let mut deletions = writes
        .iter()
        .filter(|(_, write)| matches!(write.kind, Kind::Delete | Kind::Decide));
    match deletions.next() {
        Some(_) => Ok(()),
        None => Err("it is buried, and nobody has deleted it".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::history::{Final, History, Kind};
    use super::super::tests::{good, sight};
    use super::{DELETE, check};

    fn final_of(history: &mut History) -> &mut Final {
        let shown = history.finals.get_mut(&(0, 2)).expect("there");
        shown.as_mut().expect("there")
    }

    #[test]
    fn receipt_of_what_a_replica_has_not_got_is_condemned() {
        let mut history = good();
        assert_eq!(check(&history), Ok(()));
        final_of(&mut history).sight = sight(["b"], 3);
        assert!(check(&history).is_err());
        history.lost.insert("a".to_owned());
        assert_eq!(check(&history), Ok(()));
    }

    #[test]
    fn receipt_of_a_change_that_leaves_no_mark_is_condemned() {
        let mut history = good();
        let made = final_of(&mut history).made.as_mut().expect("known");
        made.remove(&(1, "count".to_owned()));
        assert!(check(&history).is_err());
        history.lost_of.insert((0, 1));
        assert_eq!(check(&history), Ok(()));
    }

    #[test]
    fn receipt_of_a_deletion_that_nobody_has_is_condemned() {
        let mut history = good();
        let mut deletion = history.writes["a"].clone();
        deletion.kind = Kind::Delete;
        history.writes.insert("d".to_owned(), deletion);
        assert!(check(&history).is_err());
        for node in [1, 2] {
            let shown = history.finals.get_mut(&(0, node)).expect("there");
            let made = &mut shown.as_mut().expect("there").made;
            made.as_mut()
                .expect("known")
                .insert((2, DELETE.to_owned()), 1);
        }
        assert_eq!(check(&history), Ok(()));
    }

    #[test]
    fn sum_beyond_what_was_counted_is_condemned() {
        for count in [2, 4] {
            let mut history = good();
            final_of(&mut history).sight.count = count;
            assert!(check(&history).is_err(), "{count}");
        }
    }

    #[test]
    fn listing_that_is_known_nowhere_is_condemned() {
        let mut history = good();
        history.finals.insert((0, 2), None);
        assert!(check(&history).is_err());
        history.lost_listings.insert(0);
        assert_eq!(check(&history), Ok(()));
    }
}
