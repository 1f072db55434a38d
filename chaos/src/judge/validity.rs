//! Whether a run shows anything: its faults were in effect, clients were answered often
//! enough, and what was there in the end was read.

use std::collections::{BTreeSet, HashSet};

use super::finding::counted;
use super::liveness::{is_answered, share};
use super::punctuality::Punctuality;
use super::seen::Seen;
use super::{Finding, Verdict, Violated};
use crate::record::{FaultEvent, Final, Operation, Phase, Run};

const PROMISE: &str = "the run is valid";

#[expect(clippy::unnecessary_wraps, reason = "every run is valid or not")]
pub(super) fn check(seen: &Seen<'_>) -> Option<Finding> {
    let run = seen.run;
    let mut flaws = Vec::new();
    if run.is_torn {
        flaws.push("the history ends in the middle: whoever wrote it was killed".to_owned());
    }
    for name in &run.header.required {
        flaws.extend(not_in_effect(run, name));
    }
    let failed = run.faults.iter().filter(|one| one.phase == Phase::Failed);
    flaws.extend(failed.map(|one| format!("{} of {} did not take effect", one.fault, one.target)));
    flaws.extend(too_little(run));
    flaws.extend(unread(run));
    let links = Punctuality::of(run);
    flaws.extend(links.flaws());
    let verdict = if flaws.is_empty() {
        Verdict::Pass
    } else {
        Verdict::Invalid
    };
    let faults: BTreeSet<u64> = run.faults.iter().map(|one| one.id).collect();
    let mut looked_at = format!(
        "{}, {}",
        counted(faults.len(), "fault"),
        counted(run.operations.len(), "call")
    );
    looked_at += &links.borne();
    let left_out = run.header.left_out.join(", ");
    if !left_out.is_empty() {
        looked_at += &format!("; left out: {left_out}");
    }
    let flaws = flaws.into_iter().map(|what| Violated::new(what, []));
    Some(Finding::with(PROMISE, verdict, looked_at, flaws.collect()))
}

/// Whether the links between the nodes carried nothing any more from some time on, by no fault
/// of the scenario.
pub(super) fn links_broke(run: &Run) -> bool {
    let mut finals = run.finals.iter();
    finals.any(|one| {
        matches!(
            one,
            Final::Links {
                broken: Some(_),
                ..
            }
        )
    })
}

/// Why a required fault says nothing: it must have begun, been seen, and ended.
fn not_in_effect(run: &Run, name: &str) -> Option<String> {
    let of_name = || run.faults.iter().filter(|one| one.fault == name);
    let begun: HashSet<u64> = of_name()
        .filter(|one| one.phase == Phase::Begun)
        .map(|one| one.id)
        .collect();
    let has = |id: &u64, what: fn(&FaultEvent) -> bool| {
        run.faults.iter().any(|one| one.id == *id && what(one))
    };
    let confirmed = |one: &FaultEvent| one.confirmed.is_some();
    let ended = |one: &FaultEvent| one.phase == Phase::Ended;
    if begun.is_empty() {
        return Some(format!("{name} never began"));
    }
    if !begun.iter().any(|id| has(id, confirmed)) {
        return Some(format!("nobody saw {name} take effect"));
    }
    let whole = begun.iter().any(|id| has(id, confirmed) && has(id, ended));
    (!whole).then(|| format!("{name} never ended"))
}

fn too_little(run: &Run) -> Vec<String> {
    let bounds = run.header.bounds;
    let calls = run.operations.len();
    let mut flaws = Vec::new();
    if (calls as u64) < bounds.calls {
        let least = bounds.calls;
        flaws.push(format!(
            "{} were made, {least} say something",
            counted(calls, "call")
        ));
    }
    let answered = run.operations.iter().filter(|one| is_answered(one)).count();
    let share = share(answered, calls);
    let least = bounds.success.max(bounds.success_of_calm * calm_share(run));
    if calls > 0 && share < least {
        flaws.push(format!(
            "{:.1} % of calls were answered, {:.1} % say something",
            share * 100.0,
            least * 100.0
        ));
    }
    flaws
}

/// Share of calls that were answered of those that ended before the first fault.
fn calm_share(run: &Run) -> f64 {
    let first_us = run.faults.iter().map(|one| one.at_us).min();
    let is_calm = |one: &&Operation| {
        let ended = one.completed.as_ref().map(|completed| completed.at_us);
        ended.is_some_and(|at_us| first_us.is_none_or(|first_us| at_us < first_us))
    };
    let calm: Vec<&Operation> = run.operations.iter().filter(is_calm).collect();
    let answered = calm.iter().filter(|one| is_answered(one)).count();
    share(answered, calm.len())
}

/// What should have been read in the end, and was not.
fn unread(run: &Run) -> Vec<String> {
    let mut flaws = Vec::new();
    let (mut ledgers, mut documents) = (HashSet::new(), HashSet::new());
    for one in &run.finals {
        match one {
            Final::Ledger {
                listing, region, ..
            } => {
                ledgers.insert((listing.as_str(), region.as_str()));
            }
            Final::Document(one) => {
                documents.insert((one.listing.as_str(), one.node));
            }
            Final::Unread { what, cause } => flaws.push(format!("{what} was not read: {cause}")),
            _ => {}
        }
    }
    let listings = |booking: bool| -> BTreeSet<&str> {
        let calls = run.operations.iter().map(|one| &one.invoked.what);
        let calls = calls.filter(|what| what.needs_quorum() == booking);
        calls.map(crate::record::Call::listing).collect()
    };
    for listing in listings(true) {
        let regions = run.header.regions.keys();
        let mut silent = regions.filter(|region| !ledgers.contains(&(listing, region.as_str())));
        if let Some(region) = silent.next() {
            flaws.push(format!("the ledger of {listing} was not read in {region}"));
        }
    }
    let lost = lost_for_good(run);
    for listing in listings(false) {
        let nodes = run.header.regions.values().flatten();
        let mut nodes = nodes.filter(|node| !lost.contains(node));
        if let Some(node) = nodes.find(|node| !documents.contains(&(listing, **node))) {
            flaws.push(format!(
                "the document of {listing} was not read on node {node}"
            ));
        }
    }
    flaws
}

/// Nodes that a fault struck which has not ended, or that have left for good: nothing can be
/// read there.
fn lost_for_good(run: &Run) -> HashSet<u64> {
    let ended: HashSet<u64> = run
        .faults
        .iter()
        .filter(|one| one.phase == Phase::Ended)
        .map(|one| one.id)
        .collect();
    let open = run.faults.iter().filter(|one| !ended.contains(&one.id));
    let open = open.filter(|one| one.phase == Phase::Begun);
    let removed = run.finals.iter().filter_map(|one| match one {
        Final::Removed { node } => Some(*node),
        _ => None,
    });
    open.flat_map(|one| one.nodes.iter().copied())
        .chain(removed)
        .collect()
}
