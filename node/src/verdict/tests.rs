//! What is known, and what is to be said of it, as tables.

use std::collections::BTreeSet;
use std::sync::Arc;

use meridian_regions::{NodeId, NodeState, Placements, Shards, Standing, Survival};
use serde_json::{Value, json};

use super::facts::{Facts, GroupCount, Own, Seen};
use super::judge::{Judged, judge};
use super::problem::{Kind, Severity, anchor, link};
use super::since::Beginnings;
use super::{shown, words};
use crate::outbound::Behind;

const RUNBOOK: &str = include_str!("../../../docs/runbooks/README.md");

fn node(id: u64) -> NodeId {
    NodeId::new(id).expect("not zero")
}

fn seen(id: u64, region: &str) -> Seen {
    Seen {
        node: node(id),
        region: region.parse().expect("a region"),
        state: NodeState::Active,
        standing: Standing::Up,
        link_error: None,
        phi: None,
        rtt_ms: None,
        holds: Shards::ALL,
        serves: Shards::ALL,
        without_voice: false,
        groups_ill: 0,
        settled: Some(Shards::ALL),
        lag_ms: Some(5),
        lacks: Some(0),
        left_behind: false,
    }
}

/// Three regions of one node, with one group on all of them, as node 1 sees them when all is
/// well.
fn well() -> Facts {
    let mut placements = Placements::default();
    placements.note(&[1, 2, 3].map(node), Survival::Region);
    Facts {
        now_ms: 1_000,
        this: node(1),
        nodes: vec![seen(1, "us-east"), seen(2, "eu-west"), seen(3, "ap-south")],
        counted: Some(GroupCount {
            placements: Arc::new(placements),
            as_of_ms: 900,
        }),
        settled_ms: 30_000,
        own: Own::default(),
    }
}

fn kinds(judged: &Judged) -> Vec<Kind> {
    judged.problems.iter().map(|problem| problem.kind).collect()
}

fn shown_of(facts: &Facts) -> Value {
    let judged = judge(facts);
    let mut beginnings = Beginnings::default();
    beginnings.note(std::iter::empty(), 0);
    let keys = judged.problems.iter().map(super::problem::Problem::key);
    beginnings.note(keys, facts.now_ms);
    shown::verdict(facts, &judged, &beginnings)
}

#[test]
fn well_is_fine_and_says_what_can_be_lost() {
    let verdict = shown_of(&well());
    assert_eq!(verdict["level"], "fine");
    assert_eq!(verdict["problems"], json!([]));
    assert_eq!(verdict["bookings"]["regions"], 1);
    assert_eq!(verdict["reads"]["nodes"], 2);
    assert_eq!(verdict["data"]["of"], json!({"regions": 1, "nodes": 1}));
    assert_eq!(
        verdict["summary"],
        "Bookings survive the loss of 1 more region or 1 more node; reads 2 more regions or 2 \
         more nodes; acknowledged data 1 more region or 1 more node."
    );
}

#[test]
fn lost_node_is_named_with_since_when_and_costs_what_it_costs() {
    let mut facts = well();
    facts.nodes[2].standing = Standing::Lost;
    facts.nodes[2].link_error = Some("timed out".to_owned());
    let verdict = shown_of(&facts);
    assert_eq!(verdict["level"], "warning");
    assert_eq!(verdict["bookings"]["regions"], 0);
    assert_eq!(verdict["bookings"]["of"]["regions"], 1);
    assert_eq!(verdict["reads"]["regions"], 1);
    let problems = verdict["problems"].as_array().expect("a list");
    let lost = problems.iter().find(|one| one["kind"] == "node-lost");
    let lost = lost.expect("it is named");
    assert_eq!(
        (&lost["node"], &lost["region"]),
        (&json!(3), &json!("ap-south"))
    );
    assert_eq!(lost["since"], "1970-01-01T00:00:01Z");
    assert_eq!(lost["or_earlier"], false);
    let what = lost["what"].as_str().expect("text");
    assert_eq!(
        what,
        "node 3 in ap-south is silent (timed out); it votes on 1 listing"
    );
    assert_eq!(verdict["worst"]["node"]["stops"], 1);
}

#[test]
fn stopped_bookings_come_first_and_are_critical() {
    let mut facts = well();
    facts.nodes[1].standing = Standing::Lost;
    facts.nodes[2].standing = Standing::Lost;
    let judged = judge(&facts);
    assert_eq!(judged.problems[0].kind, Kind::BookingsStopped);
    assert_eq!(judged.worst(), Some(Severity::Critical));
    assert!(kinds(&judged).contains(&Kind::Alone));
    let said = words::summary(&judged);
    assert!(
        said.starts_with("Bookings have stopped for 1 of 1 listings;"),
        "{said}"
    );
}

#[test]
fn what_is_not_known_is_never_fine() {
    let mut facts = well();
    facts.counted = None;
    let verdict = shown_of(&facts);
    assert_eq!(verdict["bookings"]["state"], "unknown");
    assert_eq!(verdict["data"]["regions"], Value::Null);
    assert_eq!(verdict["level"], "warning");
    let mut facts = well();
    facts.nodes[1].standing = Standing::Unknown;
    let judged = judge(&facts);
    assert!(kinds(&judged).contains(&Kind::NodeUnheard));
    let mut facts = well();
    facts.nodes[1].settled = None;
    let judged = judge(&facts);
    assert_eq!(kinds(&judged), [Kind::NotTold]);
    assert_eq!(
        shown_of(&facts)["data"]["nodes"],
        1,
        "bookings and two copies"
    );
    facts.nodes[2].settled = None;
    assert_eq!(shown_of(&facts)["data"]["nodes"], 0);
}

/// It answers heartbeats as any other, and neither votes nor can be read from.
#[test]
fn node_that_has_lost_its_records_is_not_counted_on_wherever_the_verdict_is_asked_for() {
    let mut facts = well();
    facts.nodes[1].without_voice = true;
    let verdict = shown_of(&facts);
    assert_eq!(verdict["bookings"]["regions"], 0, "two of three vote");
    assert_eq!(verdict["reads"]["regions"], 2, "it is read from");
    let mut problems = verdict["problems"].as_array().expect("a list").iter();
    let named = problems.find(|one| one["kind"] == "returning");
    assert_eq!(named.expect("it is named")["node"], 2);
    facts.nodes[2].without_voice = true;
    let verdict = shown_of(&facts);
    assert_eq!(verdict["bookings"]["state"], "stopped");
    assert_eq!(verdict["level"], "critical");
}

#[test]
fn node_that_fetches_what_it_is_to_hold_is_not_counted_on_for_reads() {
    let mut facts = well();
    facts.nodes[1].serves = Shards::from_bits(1);
    facts.nodes[1].groups_ill = 2;
    let verdict = shown_of(&facts);
    assert_eq!(verdict["reads"]["nodes"], 1);
    let problems = verdict["problems"].as_array().expect("a list");
    let kinds = problems.iter().map(|one| one["kind"].as_str());
    let kinds: BTreeSet<&str> = kinds.flatten().collect();
    assert_eq!(kinds, BTreeSet::from(["fetching", "groups-ill"]));
    // Of one that is silent nothing is said but that.
    facts.nodes[1].standing = Standing::Lost;
    let problems = shown_of(&facts)["problems"].clone();
    let kinds = problems.as_array().expect("a list").iter();
    assert!(
        kinds
            .clone()
            .all(|one| one["kind"] != "fetching" && one["kind"] != "groups-ill")
    );
}

#[test]
fn everything_that_is_wrong_with_this_node_is_said() {
    let own = Own {
        returning: Some(Some(7)),
        catching_up: vec![(node(2), 40)],
        quarantined: 1,
        groups_ill: 2,
        payments_stuck: 1,
        clocks_apart: vec![(node(2), -700)],
        stream: Some(Behind {
            lag_ms: 45_000,
            error: Some("not connected".to_owned()),
        }),
        placed_otherwise: vec![node(3)],
        certificate_refused: Some("another's key".to_owned()),
        certificate_expires: Some(("node", 86_400 * 3)),
        drains: vec![(node(3), 4)],
    };
    let mut facts = well();
    facts.own = own;
    facts.nodes[0].serves = Shards::from_bits(1);
    facts.nodes[0].without_voice = true;
    facts.nodes[1].lag_ms = Some(31_000);
    facts.nodes[1].left_behind = true;
    let judged = judge(&facts);
    let found: BTreeSet<&str> = judged.problems.iter().map(|one| one.kind.name()).collect();
    let wanted = BTreeSet::from([
        "certificate-expires",
        "certificate-refused",
        "returning",
        "catching-up",
        "quarantined",
        "groups-ill",
        "payments-stuck",
        "clock-apart",
        "stream-behind",
        "placed-otherwise",
        "draining",
        "fetching",
        "lagging",
        "left-behind",
        "bookings-bare",
    ]);
    assert_eq!(found, wanted);
    let said: Vec<&str> = judged
        .problems
        .iter()
        .map(|one| one.what.as_str())
        .collect();
    for what in [
        "2 groups do not run on this node for damaged records",
        "the NATS stream is 45 s behind the events of this region (not connected)",
        "1 change is not applied on this node and set aside",
        "this node's clock is 700 ms behind that of node 2",
    ] {
        assert!(said.contains(&what), "{what}: {said:?}");
    }
}

#[test]
fn stream_that_is_a_little_behind_is_no_problem() {
    let mut facts = well();
    facts.own.stream = Some(Behind {
        lag_ms: 30_000,
        error: None,
    });
    assert_eq!(kinds(&judge(&facts)), []);
}

#[test]
fn cluster_that_can_lose_nothing_by_design_is_not_called_wrong() {
    let mut facts = well();
    facts.nodes.truncate(1);
    let mut placements = Placements::default();
    placements.note(&[node(1)], Survival::Region);
    facts.counted = Some(GroupCount {
        placements: Arc::new(placements),
        as_of_ms: 0,
    });
    let judged = judge(&facts);
    assert_eq!(kinds(&judged), []);
    assert!(words::summary(&judged).contains("no further node"));
}

#[test]
fn what_is_drained_or_fetched_is_told_and_no_alarm() {
    let mut facts = well();
    facts.nodes[2].state = NodeState::Draining;
    let judged = judge(&facts);
    assert_eq!(kinds(&judged), [Kind::Draining]);
    assert_eq!(judged.worst(), Some(Severity::Notice));
}

#[test]
fn two_regions_lost_at_once_are_said_by_region_and_by_node() {
    let mut facts = well();
    facts.nodes.push(seen(4, "ap-south"));
    facts.nodes[2].standing = Standing::Lost;
    facts.nodes[3].standing = Standing::Lost;
    let found = kinds(&judge(&facts));
    assert!(found.contains(&Kind::RegionLost), "{found:?}");
    let lost = found.iter().filter(|kind| **kind == Kind::NodeLost);
    assert_eq!(lost.count(), 2);
}

#[test]
fn every_problem_links_to_a_heading_of_the_runbook() {
    let headings = RUNBOOK.lines().filter_map(|line| line.strip_prefix("## "));
    let anchors: BTreeSet<String> = headings.map(anchor).collect();
    for kind in Kind::ALL {
        let link = link(kind.runbook());
        let (_, linked) = link.split_once('#').expect("an anchor");
        assert!(anchors.contains(linked), "{}: {link}", kind.name());
    }
    let names: BTreeSet<&str> = Kind::ALL.iter().map(|kind| kind.name()).collect();
    assert_eq!(names.len(), Kind::ALL.len(), "names are not shared");
}

#[test]
fn anchors_are_those_of_rendered_markdown() {
    assert_eq!(
        anchor("A node has lost its records"),
        "a-node-has-lost-its-records"
    );
    assert_eq!(
        anchor("A region is `unreachable`, a link `silent`"),
        "a-region-is-unreachable-a-link-silent"
    );
}
