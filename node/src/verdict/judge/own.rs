//! What is wrong with this node itself. Pure.

use meridian_regions::NodeId;

use super::{counted, of_node};
use crate::outbound::Behind;
use crate::verdict::facts::{Facts, Own, Seen};
use crate::verdict::problem::{Kind, Problem};

/// How far a stream may be behind, in milliseconds: a server that begins anew stays far below.
const STREAM_LAG_MS_MAX: u64 = 30_000;

pub(super) fn problems(facts: &Facts) -> Vec<Problem> {
    let this = facts.nodes.iter().find(|seen| seen.node == facts.this);
    // It stands in the topology, or it would not have started.
    this.map_or_else(Vec::new, |this| {
        let mut problems = counts(&facts.own, this);
        problems.extend(ways_back(&facts.own, this));
        problems.extend(stream(facts.own.stream.as_ref(), this));
        problems.extend(certificates(&facts.own, this));
        problems.extend(others(facts));
        problems
    })
}

/// Whatever should be none.
fn counts(own: &Own, this: &Seen) -> Vec<Problem> {
    let counts = [
        (
            Kind::GroupsIll,
            own.groups_ill,
            "group",
            "not run on this node for damaged records",
        ),
        (
            Kind::Quarantined,
            own.quarantined,
            "change",
            "not applied on this node and set aside",
        ),
        (
            Kind::PaymentsStuck,
            own.payments_stuck,
            "payment",
            "not come on at this node",
        ),
    ];
    let wrong = counts.into_iter().filter(|(_, count, ..)| *count > 0);
    let wrong = wrong.map(|(kind, count, noun, what)| {
        let some = counted(usize::try_from(count).unwrap_or(usize::MAX), noun);
        let verb = match (kind, count) {
            (Kind::Quarantined, 1) => "is",
            (Kind::Quarantined, _) => "are",
            (_, 1) => "does",
            _ => "do",
        };
        of_node(kind, this, format!("{some} {verb} {what}"))
    });
    wrong.collect()
}

fn ways_back(own: &Own, this: &Seen) -> Vec<Problem> {
    let mut problems = Vec::new();
    let node = this.node;
    if let Some(left) = own.returning {
        let left = left.map_or_else(String::new, |left| format!(": {left} groups are left"));
        let what = format!("node {node} comes back without its records{left}");
        problems.push(of_node(Kind::Returning, this, what));
    }
    for (peer, lacks) in &own.catching_up {
        let what = format!("node {node} lacks {lacks} changes that node {peer} has trimmed");
        problems.push(of_node(Kind::CatchingUp, this, what));
    }
    let missing = (this.holds - this.serves).len();
    if missing > 0 {
        let what = format!("node {node} is fetching {missing} of 64 shards before it serves them");
        problems.push(of_node(Kind::Fetching, this, what));
    }
    problems
}

fn stream(behind: Option<&Behind>, this: &Seen) -> Option<Problem> {
    let behind = behind.filter(|behind| behind.lag_ms > STREAM_LAG_MS_MAX)?;
    let seconds = behind.lag_ms / 1_000;
    let error = behind.error.as_ref();
    let cause = error.map_or_else(String::new, |error| format!(" ({error})"));
    let what = format!("the NATS stream is {seconds} s behind the events of this region{cause}");
    Some(of_node(Kind::StreamBehind, this, what))
}

fn certificates(own: &Own, this: &Seen) -> Vec<Problem> {
    const DAY_SECONDS: i64 = 24 * 60 * 60;
    let node = this.node;
    let refused = own.certificate_refused.as_ref().map(|cause| {
        let what = format!("node {node} cannot use the certificates that it was given: {cause}");
        of_node(Kind::CertificateRefused, this, what)
    });
    let expires = own.certificate_expires.map(|(what, seconds)| {
        let whose = match what {
            "authority" => "an authority that it trusts",
            "clients" => "what it shows to clients",
            _ => "its certificate",
        };
        let when = match seconds {
            ..=0 => "has expired".to_owned(),
            _ => format!(
                "expires in {}",
                counted(usize::try_from(seconds / DAY_SECONDS).unwrap_or(0), "day")
            ),
        };
        of_node(
            Kind::CertificateExpires,
            this,
            format!("node {node}: {whose} {when}"),
        )
    });
    refused.into_iter().chain(expires).collect()
}

/// What this node has noticed of others that its links do not show.
fn others(facts: &Facts) -> Vec<Problem> {
    let own = &facts.own;
    let seen = |node: NodeId| facts.nodes.iter().find(|seen| seen.node == node);
    let apart = own.clocks_apart.iter().filter_map(|(node, ahead)| {
        let (by, how) = (
            ahead.unsigned_abs(),
            if *ahead > 0 { "ahead of" } else { "behind" },
        );
        let what = format!("this node's clock is {by} ms {how} that of node {node}");
        Some(of_node(Kind::ClockApart, seen(*node)?, what))
    });
    let otherwise = own.placed_otherwise.iter().filter_map(|node| {
        let what = format!("node {node} believes listings to be held elsewhere");
        Some(of_node(Kind::PlacedOtherwise, seen(*node)?, what))
    });
    let drains = own.drains.iter().filter_map(|(node, left)| {
        let what = format!("node {node} is being freed of groups: {left} left or more");
        // Who is marked so is told of once.
        let seen = seen(*node).filter(|seen| seen.state != meridian_regions::NodeState::Draining);
        Some(of_node(Kind::Draining, seen?, what))
    });
    apart.chain(otherwise).chain(drains).collect()
}
