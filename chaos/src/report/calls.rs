//! Calls in numbers: by the step in which they were asked, by kind, by code.
//!
//! A call counts where it was asked and not where it was answered, so that what was asked
//! while something was broken is seen there.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::axis::Axis;
use crate::record::{Call, Operation, Outcome};

/// Calls by what they came to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub(super) struct Tally {
    /// Done.
    pub(super) ok: u64,
    /// Not done, and never will be.
    pub(super) refused: u64,
    /// Nobody knows, or nobody was told.
    pub(super) unknown: u64,
}

impl Tally {
    pub(super) const fn asked(&self) -> u64 {
        self.ok + self.refused + self.unknown
    }

    const fn count(&mut self, operation: &Operation) {
        match &operation.completed {
            Some(told) => match told.outcome {
                Outcome::Ok(_) => self.ok += 1,
                Outcome::Fail { .. } => self.refused += 1,
                Outcome::Unknown { .. } => self.unknown += 1,
            },
            None => self.unknown += 1,
        }
    }
}

/// How long calls took that were done, by nearest rank.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub(super) struct Latency {
    pub(super) p50_us: u64,
    pub(super) p99_us: u64,
    pub(super) max_us: u64,
}

impl Latency {
    /// `None` of no calls.
    fn of(mut took_us: Vec<u64>) -> Option<Self> {
        took_us.sort_unstable();
        let at = |percent: usize| {
            let rank = (took_us.len() * percent).div_ceil(100);
            took_us.get(rank.saturating_sub(1)).copied()
        };
        Some(Self {
            p50_us: at(50)?,
            p99_us: at(99)?,
            max_us: at(100)?,
        })
    }
}

/// What was asked in a step of the axis.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Step {
    pub(super) at_us: u64,
    #[serde(flatten)]
    pub(super) calls: Tally,
    /// Latency of calls that need a quorum.
    pub(super) bookings: Option<Latency>,
    /// Latency of calls that do not.
    pub(super) listings: Option<Latency>,
}

/// Calls that have something in common.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Group<'a> {
    pub(super) name: &'a str,
    #[serde(flatten)]
    pub(super) calls: Tally,
    pub(super) latency: Option<Latency>,
}

/// Why calls were refused, or nobody knows of them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Code<'a> {
    /// `refused` or `unknown`.
    pub(super) came_to: &'static str,
    pub(super) code: &'a str,
    pub(super) calls: u64,
}

/// Calls in numbers.
#[derive(Debug, Serialize)]
pub(super) struct Calls<'a> {
    pub(super) clients: usize,
    pub(super) asked: u64,
    #[serde(flatten)]
    pub(super) all: Tally,
    pub(super) kinds: Vec<Group<'a>>,
    /// By the region that was asked.
    pub(super) regions: Vec<Group<'a>>,
    /// The most frequent first.
    pub(super) codes: Vec<Code<'a>>,
    pub(super) steps: Vec<Step>,
}

#[derive(Default)]
struct Gathered {
    calls: Tally,
    took_us: Vec<u64>,
}

impl Gathered {
    fn take(&mut self, operation: &Operation, took_us: Option<u64>) {
        self.calls.count(operation);
        self.took_us.extend(took_us);
    }
}

#[derive(Default)]
struct GatheredStep {
    calls: Tally,
    bookings_us: Vec<u64>,
    listings_us: Vec<u64>,
}

impl<'a> Calls<'a> {
    pub(super) fn of(operations: &'a [Operation], axis: &Axis) -> Self {
        let mut all = Tally::default();
        let mut clients = BTreeSet::new();
        let mut kinds: BTreeMap<&str, Gathered> = BTreeMap::new();
        let mut regions: BTreeMap<&str, Gathered> = BTreeMap::new();
        let mut codes: BTreeMap<(&'static str, &str), u64> = BTreeMap::new();
        let mut steps: Vec<GatheredStep> = Vec::new();
        steps.resize_with(axis.steps, GatheredStep::default);
        for operation in operations {
            let took_us = done_in_us(operation);
            let asked = &operation.invoked;
            all.count(operation);
            clients.insert(asked.client);
            let kind = kinds.entry(kind(&asked.what)).or_default();
            kind.take(operation, took_us);
            let region = regions.entry(&asked.region).or_default();
            region.take(operation, took_us);
            if let Some(code) = code(operation) {
                *codes.entry(code).or_default() += 1;
            }
            if let Some(step) = steps.get_mut(axis.step(asked.at_us)) {
                step.calls.count(operation);
                if asked.what.needs_quorum() {
                    step.bookings_us.extend(took_us);
                } else {
                    step.listings_us.extend(took_us);
                }
            }
        }
        Self {
            clients: clients.len(),
            asked: all.asked(),
            all,
            kinds: groups(kinds),
            regions: groups(regions),
            codes: by_frequency(codes),
            steps: steps
                .into_iter()
                .enumerate()
                .map(|(step, gathered)| Step {
                    at_us: axis.begin_us(step),
                    calls: gathered.calls,
                    bookings: Latency::of(gathered.bookings_us),
                    listings: Latency::of(gathered.listings_us),
                })
                .collect(),
        }
    }
}

fn groups(gathered: BTreeMap<&str, Gathered>) -> Vec<Group<'_>> {
    let groups = gathered.into_iter().map(|(name, group)| Group {
        name,
        calls: group.calls,
        latency: Latency::of(group.took_us),
    });
    groups.collect()
}

fn by_frequency<'a>(codes: BTreeMap<(&'static str, &'a str), u64>) -> Vec<Code<'a>> {
    let mut codes: Vec<Code<'_>> = codes
        .into_iter()
        .map(|((came_to, code), calls)| Code {
            came_to,
            code,
            calls,
        })
        .collect();
    codes.sort_by_key(|code| std::cmp::Reverse(code.calls));
    codes
}

/// How long a call took that was done.
fn done_in_us(operation: &Operation) -> Option<u64> {
    let told = operation.completed.as_ref()?;
    let is_done = matches!(told.outcome, Outcome::Ok(_));
    is_done.then(|| told.at_us.saturating_sub(operation.invoked.at_us))
}

fn code(operation: &Operation) -> Option<(&'static str, &str)> {
    match operation.completed.as_ref().map(|told| &told.outcome) {
        Some(Outcome::Ok(_)) => None,
        Some(Outcome::Fail { code }) => Some(("refused", code)),
        Some(Outcome::Unknown { code }) => Some(("unknown", code)),
        None => Some(("unknown", "never answered")),
    }
}

/// A call's name, as in a history.
pub(super) const fn kind(call: &Call) -> &'static str {
    match call {
        Call::Book { .. } => "book",
        Call::Hold { .. } => "hold",
        Call::Confirm { .. } => "confirm",
        Call::Cancel { .. } => "cancel",
        Call::Release { .. } => "release",
        Call::ReadNights { .. } => "read-nights",
        Call::AddAmenity { .. } => "add-amenity",
        Call::RemoveAmenity { .. } => "remove-amenity",
        Call::ReadListing { .. } => "read-listing",
        Call::Search { .. } => "search",
    }
}

#[cfg(test)]
mod tests {
    use super::Latency;

    #[test]
    fn quantiles_are_by_nearest_rank() {
        let latency = Latency::of((1..=200).rev().collect()).expect("of some");
        assert_eq!(
            (latency.p50_us, latency.p99_us, latency.max_us),
            (100, 198, 200)
        );
        let one = Latency::of(vec![7]).expect("of one");
        assert_eq!((one.p50_us, one.p99_us, one.max_us), (7, 7, 7));
        assert_eq!(Latency::of(Vec::new()), None);
    }
}
