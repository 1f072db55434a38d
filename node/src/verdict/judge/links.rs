//! What is wrong with the other nodes, as far as this one sees. Pure.

use std::collections::BTreeMap;

use meridian_regions::{NodeState, Placements, RegionId, Standing};

use super::{cluster, counted, of_node, votes};
use crate::verdict::facts::{Facts, Seen};
use crate::verdict::problem::{About, Kind, Problem};

/// How far behind a node this one may be: some heartbeats, the longest link and a burst of
/// writes stay far below it.
const LAG_MS_MAX: u64 = 30_000;
/// Longest cause of a missing link that is repeated, in characters.
const CAUSE_CHARS_MAX: usize = 160;

pub(super) fn problems(facts: &Facts, placements: Option<&Placements>) -> Vec<Problem> {
    let others: Vec<&Seen> = facts
        .nodes
        .iter()
        .filter(|seen| seen.node != facts.this)
        .collect();
    let mut problems = Vec::new();
    let hears_somebody = others.iter().any(|seen| seen.standing == Standing::Up);
    let has_heard = others.iter().any(|seen| seen.standing == Standing::Lost);
    if !hears_somebody && has_heard {
        let what = "this node hears no other: it may be cut off itself".to_owned();
        problems.push(cluster(Kind::Alone, what));
    }
    problems.extend(lost_regions(&others));
    for seen in others {
        problems.extend(silence(seen, placements));
        problems.extend(own_words(seen, placements));
        if seen.left_behind {
            let lacks = seen.lacks.map_or_else(
                || "changes".to_owned(),
                |lacks| counted(usize::try_from(lacks).unwrap_or(usize::MAX), "change"),
            );
            let node = seen.node;
            let what = format!("node {node} lacks {lacks} that are in no log here any more");
            problems.push(of_node(Kind::LeftBehind, seen, what));
        }
        if let (Standing::Up, Some(lag)) = (seen.standing, seen.lag_ms)
            && lag > LAG_MS_MAX
        {
            let (node, seconds) = (seen.node, lag / 1_000);
            let what = format!("this node is {seconds} s behind node {node}");
            problems.push(of_node(Kind::Lagging, seen, what));
        }
        if seen.state == NodeState::Draining {
            let what = format!(
                "node {} is draining{}",
                seen.node,
                votes(placements, seen.node)
            );
            problems.push(of_node(Kind::Draining, seen, what));
        }
    }
    problems
}

/// What a node that is heard says is wrong with itself, as far as it changes what can be lost.
fn own_words(seen: &Seen, placements: Option<&Placements>) -> Vec<Problem> {
    let mut problems = Vec::new();
    let node = seen.node;
    if seen.standing != Standing::Up {
        return problems;
    }
    if seen.without_voice {
        let votes = votes(placements, node);
        let what =
            format!("node {node} comes back without its records and has no voice yet{votes}");
        problems.push(of_node(Kind::Returning, seen, what));
    }
    if seen.groups_ill > 0 {
        let some = counted(
            usize::try_from(seen.groups_ill).unwrap_or(usize::MAX),
            "group",
        );
        let what = format!("on node {node} {some} cannot be run for damaged records");
        problems.push(of_node(Kind::GroupsIll, seen, what));
    }
    let missing = (seen.holds - seen.serves).len();
    if missing > 0 {
        let what = format!("node {node} is fetching {missing} of 64 shards before it serves them");
        problems.push(of_node(Kind::Fetching, seen, what));
    }
    problems
}

/// Regions in which nobody is heard who has been.
fn lost_regions(others: &[&Seen]) -> Vec<Problem> {
    let mut regions: BTreeMap<&RegionId, (usize, usize)> = BTreeMap::new();
    for seen in others {
        let (all, lost) = regions.entry(&seen.region).or_default();
        *all += 1;
        *lost += usize::from(seen.standing == Standing::Lost);
    }
    // A region of one node is said by its node.
    let lost = regions
        .into_iter()
        .filter(|(_, (all, lost))| *all > 1 && all == lost);
    let lost = lost.map(|(region, (all, _))| Problem {
        kind: Kind::RegionLost,
        about: About::Region(region.clone()),
        what: format!("all {all} nodes of {region} are silent"),
    });
    lost.collect()
}

fn silence(seen: &Seen, placements: Option<&Placements>) -> Option<Problem> {
    let (node, region) = (seen.node, &seen.region);
    let cause = seen.link_error.as_ref().map_or_else(String::new, |cause| {
        let cause: String = cause.chars().take(CAUSE_CHARS_MAX).collect();
        format!(" ({cause})")
    });
    let votes = votes(placements, node);
    let (kind, what) = match seen.standing {
        Standing::Up => return None,
        Standing::Lost => (Kind::NodeLost, "is silent"),
        Standing::Unknown => (
            Kind::NodeUnheard,
            "has not been heard since this node started",
        ),
    };
    let what = format!("node {node} in {region} {what}{cause}{votes}");
    Some(of_node(kind, seen, what))
}
