//! From what is known to what is wrong. Pure.

mod links;
mod own;

use meridian_regions::{
    Loss, Margin, Member, NodeId, Outlook, Placements, RegionId, Shards, Standing, outlook,
    worst_losses,
};

use super::facts::{Facts, Seen};
use super::problem::{About, Kind, Problem, Severity};
use super::words::counted;

/// Whether the groups are counted, and how many there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Groups {
    /// Not all of them.
    Uncounted,
    Counted(u64),
}

/// A verdict.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Judged {
    pub(super) outlook: Outlook,
    /// What it would be if every node were up and had everything.
    pub(super) designed: Outlook,
    pub(super) groups: Groups,
    pub(super) worst_region: Option<Loss<RegionId>>,
    pub(super) worst_node: Option<Loss<NodeId>>,
    /// The worst first.
    pub(super) problems: Vec<Problem>,
}

impl Judged {
    /// How bad the worst of it is; `None` if nothing is wrong.
    pub(super) fn worst(&self) -> Option<Severity> {
        let severities = self.problems.iter().map(|one| one.kind.severity());
        severities.max()
    }
}

/// Judges what is known.
pub(super) fn judge(facts: &Facts) -> Judged {
    let members: Vec<Member> = facts.nodes.iter().map(member).collect();
    let whole: Vec<Member> = facts.nodes.iter().map(at_its_best).collect();
    let placements = facts.counted.as_ref().map(|counted| &*counted.placements);
    let outlook_now = outlook(&members, placements);
    let designed = outlook(&whole, placements);
    let (worst_region, worst_node) = worst_losses(&members, placements);
    let groups = match placements.filter(|placed| placed.is_complete()) {
        Some(placed) => Groups::Counted(placed.groups()),
        None => Groups::Uncounted,
    };
    let mut problems = promises(&outlook_now, &designed, groups);
    problems.extend(links::problems(facts, placements));
    problems.extend(unknown(facts, groups));
    problems.extend(own::problems(facts));
    problems.sort_by_key(|one| std::cmp::Reverse(one.kind.severity()));
    Judged {
        outlook: outlook_now,
        designed,
        groups,
        worst_region,
        worst_node,
        problems,
    }
}

/// What can be counted on. What a node has not said is not.
fn member(seen: &Seen) -> Member {
    Member {
        node: seen.node,
        region: seen.region.clone(),
        standing: seen.standing,
        votes: !seen.without_voice,
        serves: seen.serves,
        settled: if seen.left_behind {
            Shards::NONE
        } else {
            seen.settled.unwrap_or_default()
        },
    }
}

fn at_its_best(seen: &Seen) -> Member {
    Member {
        node: seen.node,
        region: seen.region.clone(),
        standing: Standing::Up,
        votes: true,
        serves: seen.holds,
        settled: seen.holds,
    }
}

/// Promises that are not kept, or by nothing more than just enough.
fn promises(now: &Outlook, designed: &Outlook, groups: Groups) -> Vec<Problem> {
    let mut problems = Vec::new();
    if let (true, Groups::Counted(all)) = (now.stopped > 0, groups) {
        let stopped = now.stopped;
        let what = format!("{stopped} of {all} listings take no bookings: no quorum of voters");
        problems.push(cluster(Kind::BookingsStopped, what));
    }
    if now.reads == Margin::Stopped {
        let what = "some listings cannot be read anywhere".to_owned();
        problems.push(cluster(Kind::ReadsStopped, what));
    }
    if now.data == Some(Margin::Stopped) && designed.data != Some(Margin::Stopped) {
        let is_of_groups = now.writes != Margin::Stopped;
        let what = if is_of_groups {
            "acknowledged bookings may be on no disk that is reached"
        } else {
            "acknowledged listing writes may be on no disk that is reached"
        };
        problems.push(cluster(Kind::DataUnreachable, what.to_owned()));
    }
    let was_to_bear = designed.bare == 0 && designed.stopped == 0;
    if now.bare > 0 && was_to_bear {
        let bare = usize::try_from(now.bare).unwrap_or(usize::MAX);
        let listings = counted(bare, "listing");
        let what = format!("bookings of {listings} stop if one more voter is lost");
        problems.push(cluster(Kind::BookingsBare, what));
    }
    problems
}

/// What this node cannot say.
fn unknown(facts: &Facts, groups: Groups) -> Vec<Problem> {
    let mut problems = Vec::new();
    if groups == Groups::Uncounted {
        let what = match &facts.counted {
            None => "where the groups stand is being counted for the first time",
            Some(_) => "some groups could not be counted: nobody who holds them was reached",
        };
        problems.push(cluster(Kind::NotCounted, what.to_owned()));
    }
    for seen in facts.nodes.iter().filter(|seen| seen.node != facts.this) {
        if seen.standing == Standing::Up && seen.settled.is_none() {
            let what = format!("node {} has not said yet what it has", seen.node);
            problems.push(of_node(Kind::NotTold, seen, what));
        }
    }
    problems
}

fn cluster(kind: Kind, what: String) -> Problem {
    Problem {
        kind,
        about: About::Cluster,
        what,
    }
}

fn of_node(kind: Kind, seen: &Seen, what: String) -> Problem {
    Problem {
        kind,
        about: About::Node(seen.node, seen.region.clone()),
        what,
    }
}

/// Groups that a node votes on, in words, if they are counted.
fn votes(placements: Option<&Placements>, node: NodeId) -> String {
    placements.map_or_else(String::new, |placements| {
        let votes = usize::try_from(placements.voted_by(node)).unwrap_or(usize::MAX);
        format!("; it votes on {}", counted(votes, "listing"))
    })
}
