//! What the replicas have written down: all have the same entry at the same place, the log
//! that is merged of theirs gives every replica's ledger when it is applied again, and no
//! night is sold to two in it.
//!
//! What a command comes to is the ledger's own code to say: what is judged here is that
//! nobody has applied another log, or the same one otherwise.

use std::collections::{BTreeMap, btree_map};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::civil::Date;
use meridian_consensus_core::{Command, Edge, Ledger, Outcome, Replay, Reservation};

use super::finding::counted;
use super::seen::Seen;
use super::{Finding, Violated};
use crate::record::{Final, FinalCopy, LogEntry};

const PROMISE: &str = "replicas have written down the same";

/// What is known of one listing's log.
#[derive(Default)]
struct Merged<'a> {
    /// By index: the entry, and the node that was first to show it.
    entries: BTreeMap<u64, (&'a LogEntry, u64)>,
    copies: Vec<&'a FinalCopy>,
    units: usize,
}

/// What was looked at.
#[derive(Default)]
struct Tally {
    replayed: usize,
    copies: usize,
}

pub(super) fn check(seen: &Seen<'_>) -> Option<Finding> {
    let run = seen.run;
    let mut violations = Vec::new();
    let mut listings: BTreeMap<&str, Merged<'_>> = BTreeMap::new();
    for page in &run.logs {
        let merged = listings.entry(&page.listing).or_default();
        for entry in &page.entries {
            violations.extend(merged.take(&page.listing, page.node, entry));
        }
    }
    for one in &run.finals {
        match one {
            Final::Copy(copy) => listings.entry(&copy.listing).or_default().copies.push(copy),
            Final::Ledger { listing, units, .. } => {
                listings.entry(listing).or_default().units = *units as usize;
            }
            _ => {}
        }
    }
    let mut tally = Tally::default();
    for (listing, merged) in &mut listings {
        violations.extend(merged.replay(listing, &mut tally));
    }
    let entries: usize = listings.values().map(|one| one.entries.len()).sum();
    let looked_at = format!(
        "{} of logs, {} applied again, {} compared",
        counted(entries, "line"),
        counted(tally.replayed, "line"),
        counted(tally.copies, "ledger")
    );
    (entries > 0 || tally.copies > 0).then(|| Finding::of(PROMISE, looked_at, violations))
}

impl<'a> Merged<'a> {
    /// Takes what a node shows; answers how that differs from what another has shown.
    fn take(&mut self, listing: &str, node: u64, entry: &'a LogEntry) -> Option<Violated> {
        match self.entries.entry(entry.index) {
            btree_map::Entry::Vacant(free) => {
                free.insert((entry, node));
                None
            }
            btree_map::Entry::Occupied(known) => {
                let (first, by) = known.get();
                (*first != entry).then(|| {
                    let (one, other) = (described(first), described(entry));
                    let index = entry.index;
                    let what = format!(
                        "entry {index} of {listing} is {one} on node {by}, and {other} on node {node}"
                    );
                    Violated::new(what, [])
                })
            }
        }
    }

    /// Applies the log again from its beginning, or from the earliest ledger that is known,
    /// and compares every ledger on the way.
    fn replay(&mut self, listing: &str, tally: &mut Tally) -> Vec<Violated> {
        let mut violations = Vec::new();
        self.copies.sort_by_key(|copy| (copy.index, copy.node));
        // The first entry of every group is at 0: before it, its ledger is empty.
        let mut at = self.entries.contains_key(&0).then(Replayed::default);
        for copy in &self.copies {
            tally.copies += 1;
            if let Some(replayed) = &mut at {
                let before = replayed.next;
                violations.extend(self.apply(listing, replayed, copy.index));
                tally.replayed += usize::try_from(replayed.next - before).unwrap_or(usize::MAX);
                if replayed.next > copy.index {
                    violations.extend(differs(&replayed.ledger, copy));
                    continue;
                }
            }
            // Between the two, entries were purged before anybody had read them.
            match read(copy) {
                Ok(ledger) => {
                    at = Some(Replayed {
                        next: copy.index + 1,
                        ledger,
                    });
                }
                Err(violated) => {
                    violations.push(violated);
                    at = None;
                }
            }
        }
        if let Some(mut replayed) = at {
            let before = replayed.next;
            violations.extend(self.apply(listing, &mut replayed, u64::MAX));
            tally.replayed += usize::try_from(replayed.next - before).unwrap_or(usize::MAX);
        }
        violations
    }

    /// Applies entries up to and with `until`, as far as none is missing.
    fn apply(&self, listing: &str, replayed: &mut Replayed, until: u64) -> Vec<Violated> {
        let mut violations = Vec::new();
        while replayed.next <= until
            && let Some((entry, node)) = self.entries.get(&replayed.next)
        {
            replayed.next += 1;
            if entry.kind != "command" {
                continue;
            }
            let bytes = STANDARD.decode(&entry.payload).ok();
            let command = bytes.and_then(|bytes| Command::decode(&bytes).ok());
            let Some(command) = command else {
                let index = entry.index;
                let what = format!("entry {index} of {listing} on node {node} is no command");
                violations.push(Violated::new(what, []));
                continue;
            };
            let applied = replayed.ledger.apply(&command);
            if applied.replay() == Replay::Fresh
                && let Some(number) = taken(applied.outcome())
                && let Some(others) = sold_twice(&replayed.ledger, number, self.units)
            {
                let index = entry.index;
                let what = format!(
                    "entry {index} of {listing} sells nights to {number} that {others} has"
                );
                violations.push(Violated::new(what, []));
            }
        }
        violations
    }
}

/// A ledger, and the entry that follows.
#[derive(Default)]
struct Replayed {
    next: u64,
    ledger: Ledger,
}

fn described(entry: &LogEntry) -> String {
    let payload: String = entry.payload.chars().take(24).collect();
    format!("{} {payload} of term {}", entry.kind, entry.term)
}

fn read(copy: &FinalCopy) -> Result<Ledger, Violated> {
    let bytes = STANDARD.decode(&copy.bytes);
    let read = bytes
        .map_err(|cause| cause.to_string())
        .and_then(|bytes| Ledger::decode(&bytes).map_err(|cause| cause.to_string()));
    read.map_err(|cause| {
        let FinalCopy { listing, node, .. } = copy;
        Violated::new(
            format!("node {node}'s ledger of {listing} is none: {cause}"),
            [],
        )
    })
}

/// How a replica's ledger differs from what the log gives.
fn differs(ledger: &Ledger, copy: &FinalCopy) -> Option<Violated> {
    if STANDARD.encode(ledger.encode()) == copy.bytes {
        return None;
    }
    let theirs = match read(copy) {
        Ok(theirs) => theirs,
        Err(violated) => return Some(violated),
    };
    let FinalCopy {
        listing,
        node,
        index,
        ..
    } = copy;
    let (its, due) = (theirs.revision(), ledger.revision());
    let what = format!(
        "node {node}'s ledger of {listing} after entry {index}, of revision {its}, is not what \
         the log gives, of revision {due}"
    );
    Some(Violated::new(what, []))
}

/// The reservation that has just got nights.
const fn taken(outcome: &Outcome) -> Option<u64> {
    match outcome {
        Outcome::Held(held) => Some(held.number),
        Outcome::Pending(pending) => Some(pending.number),
        Outcome::Confirmed(sold) => Some(sold.number),
        _ => None,
    }
}

/// Another reservation that has a night of this one, where there are more of them than
/// units: counted from the reservations alone.
fn sold_twice(ledger: &Ledger, number: u64, units: usize) -> Option<u64> {
    let new = slots(ledger.reservation(number)?);
    let others: Vec<(u64, Slots)> = ledger
        .reservations()
        .filter(|one| one.number != number && one.state().takes_nights())
        .map(|one| (one.number, slots(one)))
        .collect();
    too_many(new, &others, units)
}

/// First slot, and the one after the last.
type Slots = (i64, i64);

fn slots(one: &Reservation) -> Slots {
    let number = |edge: Edge| match edge {
        Edge::Date(date) => {
            let since = Date::constant(1970, 1, 1).until(date);
            since.map_or(0, |span| i64::from(span.get_days()))
        }
        Edge::Instant(at) => at.as_second(),
    };
    (number(one.stay.check_in()), number(one.stay.check_out()))
}

/// Somebody who has a slot of a new stay that leaves no unit of it for that.
fn too_many(new: Slots, others: &[(u64, Slots)], units: usize) -> Option<u64> {
    let (from, until) = new;
    let first_of_others = others.iter().map(|(_, (first, _))| *first);
    // There are most of them where one of them begins, or where the new one does.
    let mut crowded = first_of_others.chain([from]).filter_map(|slot| {
        let has_it = |(_, (first, end)): &&(u64, Slots)| (*first..*end).contains(&slot);
        let there = others.iter().filter(has_it);
        ((from..until).contains(&slot) && there.clone().count() >= units.max(1))
            .then(|| there.map(|(number, _)| *number).next())
    });
    crowded.next().flatten()
}

#[cfg(test)]
mod tests {
    use super::too_many;

    #[test]
    fn stays_that_share_a_night_are_too_many_for_as_many_units() {
        let others = [(1, (10, 13)), (2, (12, 15)), (3, (20, 22))];
        assert_eq!(too_many((13, 15), &others, 1), Some(2));
        assert_eq!(too_many((8, 11), &others, 1), Some(1));
        assert_eq!(too_many((19, 30), &others, 1), Some(3));
        assert_eq!(too_many((15, 20), &others, 1), None);
        assert_eq!(too_many((12, 13), &others, 2), Some(1));
        assert_eq!(too_many((13, 21), &others, 2), None);
    }
}
