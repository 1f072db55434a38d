//! Where an upgrade stands: what every node speaks, what keeps the next level of formats from
//! being turned on, and whether a node may be restarted now (ADR 60).
//!
//! Pure: what is known in, sentences out. Each says what is in the way. Nothing here changes
//! anything but [`automatic`]: the level is a change of the cluster's map.

mod automatic;

use std::fmt::Write as _;

use meridian_regions::{Dialect, FormatLevel, Levels, NodeId, NodeState, RegionId};
use serde_json::{Value, json};

pub(crate) use automatic::start;

/// A node of the map, and what it has said.
#[derive(Debug, Clone)]
pub(crate) struct Speaker {
    pub(crate) node: NodeId,
    pub(crate) region: RegionId,
    pub(crate) state: NodeState,
    /// Whether it is connected now.
    pub(crate) is_heard: bool,
    /// What it said when it was last heard; `None` if it never was.
    pub(crate) dialect: Option<Dialect>,
    /// Why it is not connected.
    pub(crate) error: Option<String>,
}

/// What is to be known before a node is restarted.
#[derive(Debug, Clone, Default)]
pub(crate) struct Standing {
    /// `bookings` and `reads` of the verdict: see `verdict/shown.rs`.
    pub(crate) bookings: Value,
    pub(crate) reads: Value,
    /// What is under way that a restart would disturb, in words.
    pub(crate) busy: Vec<String>,
}

impl Speaker {
    pub(crate) fn to_json(&self) -> Value {
        let mut shown = json!({
            "node": self.node,
            "region": self.region,
            "state": self.state,
            "heard": self.is_heard,
            "error": self.error,
        });
        if let Some(dialect) = &self.dialect {
            shown["release"] = json!(dialect.release);
            shown["oldest"] = json!(dialect.formats.levels.oldest());
            shown["latest"] = json!(dialect.formats.levels.latest());
            shown["active"] = json!(dialect.formats.active);
        }
        shown
    }

    fn silence(&self) -> String {
        let mut said = format!("node {} is not heard", self.node);
        if let Some(error) = &self.error {
            // Writing to a string cannot fail.
            let _ = write!(said, " ({error})");
        }
        said
    }
}

/// The latest level that any node speaks, if it is later than the one that is written.
pub(crate) fn wanted(active: FormatLevel, speakers: &[Speaker]) -> Option<FormatLevel> {
    let dialects = speakers.iter().filter_map(|one| one.dialect.as_ref());
    let latest = dialects.map(|dialect| dialect.formats.levels.latest());
    latest.max().filter(|latest| *latest > active)
}

/// A node that keeps a level from being turned on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Block {
    pub(crate) node: NodeId,
    /// What it speaks; `None` if it is not heard.
    pub(crate) speaks: Option<Levels>,
    /// What is wrong and what to do. Of one that is not heard it says the last error, which may be
    /// another at each look.
    pub(crate) what: String,
}

/// What keeps a level from being turned on, in words.
pub(crate) fn blocks(level: FormatLevel, speakers: &[Speaker]) -> Vec<String> {
    let blocked = blocked_by(level, speakers).into_iter();
    blocked.map(|block| block.what).collect()
}

/// What keeps a level from being turned on, node by node. Only who has been removed is not
/// asked: a node that is away would come back and understand nobody.
pub(crate) fn blocked_by(level: FormatLevel, speakers: &[Speaker]) -> Vec<Block> {
    let staying = speakers.iter();
    let staying = staying.filter(|one| one.state != NodeState::Removed);
    let blocks = staying.filter_map(|one| {
        let node = one.node;
        let dialect = one.dialect.as_ref().filter(|_| one.is_heard);
        let speaks = dialect.map(|dialect| dialect.formats.levels);
        let what = match speaks {
            Some(levels) if levels.contains(level) => return None,
            Some(levels) => format!(
                "node {node} speaks levels {levels}: run a release on it that speaks level {level}"
            ),
            None => format!("{}: start it, or remove it from the cluster", one.silence()),
        };
        Some(Block { node, speaks, what })
    });
    blocks.collect()
}

/// Why no node should be restarted now.
pub(crate) fn hindrances(speakers: &[Speaker], standing: &Standing) -> Vec<String> {
    let staying = speakers.iter();
    let staying = staying.filter(|one| one.state != NodeState::Removed);
    let mut hindrances = Vec::new();
    for one in staying {
        if !one.is_heard {
            hindrances.push(format!("{}: a second one would be away", one.silence()));
        }
        if one.state == NodeState::Draining {
            hindrances.push(format!("node {} is draining: let that end first", one.node));
        }
    }
    hindrances.extend(margin("bookings", &standing.bookings));
    hindrances.extend(margin("reads", &standing.reads));
    hindrances.extend(standing.busy.iter().cloned());
    hindrances
}

/// What the verdict has against the loss of one more node, for a while.
fn margin(of: &str, verdict: &Value) -> Option<String> {
    match verdict["state"].as_str() {
        Some("nothing") => None,
        Some("kept") if verdict["nodes"].as_u64().is_some_and(|nodes| nodes > 0) => None,
        Some("kept") => Some(format!(
            "{of} would stop for some listings while a node is restarted: `meridian status` says \
             which loss would hurt"
        )),
        Some("stopped") => Some(format!(
            "{of} are stopped for some listings already: mend that first"
        )),
        _ => Some(format!(
            "it is not known yet what {of} can lose: ask again in a minute"
        )),
    }
}

#[cfg(test)]
mod tests {
    use meridian_regions::{Dialect, FormatLevel, Formats, Levels, NodeId, NodeState};
    use serde_json::json;

    use super::{Speaker, Standing, blocks, hindrances, wanted};

    fn speaker(node: u64, levels: Levels) -> Speaker {
        Speaker {
            node: NodeId::new(node).expect("not zero"),
            region: "eu-west".parse().expect("a region"),
            state: NodeState::Active,
            is_heard: true,
            dialect: Some(Dialect {
                release: "1.2.3".to_owned(),
                formats: Formats {
                    levels,
                    active: FormatLevel::FIRST,
                },
            }),
            error: None,
        }
    }

    #[test]
    fn level_is_blocked_by_whoever_does_not_speak_it_or_is_not_heard() {
        let next = FormatLevel::REHEARSED;
        let mut all = [
            speaker(1, Levels::REHEARSED),
            speaker(2, Levels::RELEASED),
            speaker(3, Levels::REHEARSED),
        ];
        assert_eq!(wanted(FormatLevel::FIRST, &all), Some(next));
        all[2].is_heard = false;
        let blocked = blocks(next, &all);
        assert_eq!(blocked.len(), 2, "{blocked:?}");
        assert!(blocked[0].contains("node 2 speaks levels 1 to 2"));
        assert!(blocked[1].contains("node 3 is not heard"));
        all[1] = speaker(2, Levels::REHEARSED);
        all[2].state = NodeState::Removed;
        assert_eq!(blocks(next, &all), Vec::<String>::new());
        assert_eq!(wanted(next, &all), None);
    }

    #[test]
    fn restart_waits_for_everything_that_one_node_less_would_hurt() {
        let mut all = [speaker(1, Levels::RELEASED), speaker(2, Levels::RELEASED)];
        let kept = json!({"state": "kept", "nodes": 1});
        let mut standing = Standing {
            bookings: kept.clone(),
            reads: kept,
            busy: Vec::new(),
        };
        assert_eq!(hindrances(&all, &standing), Vec::<String>::new());
        standing.bookings = json!({"state": "kept", "nodes": 0});
        assert!(hindrances(&all, &standing)[0].contains("bookings would stop"));
        standing.bookings = json!({"state": "unknown", "nodes": null});
        assert!(hindrances(&all, &standing)[0].contains("not known"));
        standing.bookings = json!({"state": "nothing"});
        standing.busy = vec!["node 1 is freed of groups".to_owned()];
        assert_eq!(hindrances(&all, &standing), standing.busy);
        standing.busy.clear();
        all[1].is_heard = false;
        assert!(hindrances(&all, &standing)[0].contains("a second one"));
    }
}
