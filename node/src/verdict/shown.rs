//! The verdict as JSON. Its keys are part of the operator API:
//!
//! ```json
//! {
//!   "level": "warning",
//!   "summary": "Bookings survive the loss of no further node; reads 1 more region or …",
//!   "seen_by": 1,
//!   "reads":    {"state": "kept", "regions": 1, "nodes": 1, "of": {"regions": 2, "nodes": 2}},
//!   "bookings": {"state": "kept", "regions": 0, "nodes": 0, "of": {"regions": 1, "nodes": 1},
//!                "listings": 120, "stopped": 0, "bare": 120, "zone_only": 0, "counted_at": "…"},
//!   "data":     {"state": "kept", "regions": 0, "nodes": 0, "of": {"regions": 1, "nodes": 1},
//!                "writes_older_than_ms": 32000},
//!   "worst": {"region": {"id": "us-east", "stops": 120, "unreadable_shards": 0, "bares": 0},
//!             "node":   {"id": 1,         "stops": 120, "unreadable_shards": 0, "bares": 0}},
//!   "problems": [{"kind": "node-lost", "severity": "warning", "node": 3,
//!                 "region": "ap-southeast", "what": "node 3 in ap-southeast is silent …",
//!                 "since": "2026-01-01T00:00:00Z", "or_earlier": false,
//!                 "do": "start it, …", "runbook": "docs/runbooks/README.md#a-node-or-a-…"}]
//! }
//! ```
//!
//! `level` is `fine`, `notice`, `warning` or `critical`: that of the worst problem. `state` is
//! `kept`, `stopped`, `unknown`, or `nothing` where there is nothing to lose; numbers are null
//! unless it is `kept`. `regions` and `nodes` say how many more may go, whichever they are;
//! `of` says how many could if every node were up. `since` is when this node noticed it;
//! `or_earlier`, that it was so when this node started. `problems` begin with the worst.

use meridian_regions::{Loss, Margin};
use serde::Serialize;
use serde_json::{Value, json};

use super::facts::Facts;
use super::judge::{Groups, Judged};
use super::problem::{About, Problem, Severity, link};
use super::since::Beginnings;
use super::words;
use crate::clock::rfc3339;

pub(super) fn verdict(facts: &Facts, judged: &Judged, beginnings: &Beginnings) -> Value {
    let (now, designed) = (&judged.outlook, &judged.designed);
    let problems = judged.problems.iter();
    let problems = problems.map(|problem| problem_of(problem, beginnings));
    let mut data = margin(now.data, designed.data, judged.groups);
    data["writes_older_than_ms"] = json!(facts.settled_ms);
    json!({
        "level": level(judged),
        "summary": words::summary(judged),
        "seen_by": facts.this,
        "reads": margin(Some(now.reads), Some(designed.reads), judged.groups),
        "bookings": bookings(facts, judged),
        "data": data,
        "worst": {
            "region": judged.worst_region.as_ref().map(loss),
            "node": judged.worst_node.as_ref().map(loss),
        },
        "problems": problems.collect::<Vec<Value>>(),
    })
}

fn level(judged: &Judged) -> &'static str {
    judged.worst().map_or("fine", severity)
}

const fn severity(severity: Severity) -> &'static str {
    match severity {
        Severity::Notice => "notice",
        Severity::Warning => "warning",
        Severity::Critical => "critical",
    }
}

fn bookings(facts: &Facts, judged: &Judged) -> Value {
    let (now, designed) = (&judged.outlook, &judged.designed);
    let counted = facts.counted.as_ref();
    let mut shown = margin(now.bookings, designed.bookings, judged.groups);
    shown["listings"] = json!(counted.map(|counted| counted.placements.groups()));
    shown["zone_only"] = json!(counted.map(|counted| counted.placements.zonal()));
    shown["stopped"] = json!(now.stopped);
    shown["bare"] = json!(now.bare);
    shown["counted_at"] = json!(counted.map(|counted| rfc3339(counted.as_of_ms)));
    shown
}

fn margin(now: Option<Margin>, designed: Option<Margin>, groups: Groups) -> Value {
    let state = match (now, groups) {
        (Some(Margin::Stopped), _) => "stopped",
        (Some(Margin::Left { .. }), _) => "kept",
        (None, Groups::Counted(0)) => "nothing",
        (None, _) => "unknown",
    };
    let (regions, nodes) = numbers(now);
    let (of_regions, of_nodes) = numbers(designed);
    json!({
        "state": state,
        "regions": regions,
        "nodes": nodes,
        "of": {"regions": of_regions, "nodes": of_nodes},
    })
}

const fn numbers(margin: Option<Margin>) -> (Option<usize>, Option<usize>) {
    match margin {
        Some(Margin::Left { regions, nodes }) => (Some(regions), Some(nodes)),
        Some(Margin::Stopped) | None => (None, None),
    }
}

fn loss<T: Serialize>(loss: &Loss<T>) -> Value {
    json!({
        "id": loss.of,
        "stops": loss.stops,
        "unreadable_shards": loss.unreadable,
        "bares": loss.bares,
    })
}

fn problem_of(problem: &Problem, beginnings: &Beginnings) -> Value {
    let (node, region) = match &problem.about {
        About::Cluster => (None, None),
        About::Region(region) => (None, Some(region)),
        About::Node(node, region) => (Some(node), Some(region)),
    };
    let beginning = beginnings.of(&problem.key());
    json!({
        "kind": problem.kind.name(),
        "severity": severity(problem.kind.severity()),
        "node": node,
        "region": region,
        "what": problem.what,
        "since": beginning.map(|since| rfc3339(since.at_ms)),
        "or_earlier": beginning.is_none_or(|since| since.or_earlier),
        "do": problem.kind.advice(),
        "runbook": link(problem.kind.runbook()),
    })
}
