//! Which way is cut, and which connections stand: each node dials every other one.

use std::collections::{BTreeMap, BTreeSet};

use tokio_util::sync::CancellationToken;

use super::plan::Plan;

/// How a way is cut, in one direction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cut {
    /// Both ends are told.
    Loud,
    /// Nobody is: a silence has to become too long.
    Silent,
}

/// All of them. Instants are milliseconds since the world began.
#[derive(Debug, Default)]
pub(super) struct Links {
    cuts: BTreeMap<(u64, u64), Cut>,
    /// By who dialled and who was dialled.
    connections: BTreeMap<(u64, u64), Connection>,
}

#[derive(Debug)]
enum Connection {
    /// Nothing has stood in the way since then, if nothing does.
    Down { free_since: Option<u64> },
    Up {
        /// Comes with its end.
        ended: CancellationToken,
        /// Which life of the other node it leads to.
        life: u64,
        /// Nothing has come through since then, if nothing does.
        silent_since: Option<u64>,
    },
}

impl Links {
    pub(super) fn cut(&mut self, from: u64, to: u64, how: Cut) {
        self.cuts.insert((from, to), how);
    }

    pub(super) fn mend(&mut self, from: u64, to: u64) {
        self.cuts.remove(&(from, to));
    }

    pub(super) fn mend_all(&mut self) {
        self.cuts.clear();
    }

    pub(super) fn is_cut(&self, from: u64, to: u64) -> bool {
        self.cuts.contains_key(&(from, to))
    }

    /// The connection that a node has dialled, if it stands.
    pub(super) fn connection(&self, from: u64, to: u64) -> Option<CancellationToken> {
        match self.connections.get(&(from, to))? {
            Connection::Up { ended, .. } => Some(ended.clone()),
            Connection::Down { .. } => None,
        }
    }

    /// A node has died: it knows of no connection.
    pub(super) fn forget(&mut self, from: u64) {
        self.connections.retain(|(dialler, _), connection| {
            if *dialler == from
                && let Connection::Up { ended, .. } = connection
            {
                ended.cancel();
            }
            *dialler != from
        });
    }

    /// Lets connections follow the ways and the nodes that are `up`, with their lives.
    /// Answers whose connections have come or gone.
    pub(super) fn follow(
        &mut self,
        up: &BTreeMap<u64, u64>,
        plan: &Plan,
        now_ms: u64,
    ) -> BTreeSet<u64> {
        let mut changed = BTreeSet::new();
        for from in up.keys() {
            for to in plan.nodes().filter(|to| to != from) {
                let cuts = [self.cuts.get(&(*from, to)), self.cuts.get(&(to, *from))];
                let life = up.get(&to).copied();
                let way = Way {
                    is_free: life.is_some() && cuts == [None, None],
                    is_loud: cuts.contains(&Some(&Cut::Loud)),
                    life,
                };
                let connection = self.connections.entry((*from, to));
                let connection = connection.or_insert(Connection::Down { free_since: None });
                if connection.follow(&way, plan, now_ms) {
                    changed.insert(*from);
                }
            }
        }
        changed
    }
}

/// What stands between two nodes now.
struct Way {
    is_free: bool,
    is_loud: bool,
    /// Which life of the other node is at the other end.
    life: Option<u64>,
}

impl Connection {
    fn follow(&mut self, way: &Way, plan: &Plan, now_ms: u64) -> bool {
        let for_ms = |since: &mut Option<u64>| now_ms - *since.get_or_insert(now_ms);
        match self {
            Self::Down { free_since } if way.is_free => {
                let Some(life) = way.life.filter(|_| for_ms(free_since) >= plan.dial_ms) else {
                    return false;
                };
                *self = Self::Up {
                    ended: CancellationToken::new(),
                    life,
                    silent_since: None,
                };
                true
            }
            Self::Down { free_since } => {
                *free_since = None;
                false
            }
            Self::Up {
                ended,
                life,
                silent_since,
            } => {
                let is_over = if way.is_free {
                    *silent_since = None;
                    // Whoever has come back knows nothing of it, and says so.
                    way.life != Some(*life)
                } else {
                    let patience = if way.is_loud {
                        plan.notice_ms
                    } else {
                        plan.idle_ms
                    };
                    for_ms(silent_since) >= patience
                };
                if is_over {
                    ended.cancel();
                    *self = Self::Down { free_since: None };
                }
                is_over
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use meridian_simulation::Rng;

    use super::{Cut, Links};
    use crate::tests::sim::plan::Plan;

    #[test]
    fn connection_ends_by_a_noticed_cut_a_silence_or_another_life() {
        let plan = Plan {
            notice_ms: 100,
            idle_ms: 1_000,
            dial_ms: 10,
            ..Plan::of(&mut Rng::new(1))
        };
        let mut links = Links::default();
        let mut up = BTreeMap::from([(1, 0), (2, 0)]);
        links.follow(&up, &plan, 0);
        assert!(links.connection(1, 2).is_none(), "it takes its time");
        assert!(links.follow(&up, &plan, 10).contains(&1));
        let first = links.connection(1, 2).expect("it stands");
        links.cut(2, 1, Cut::Loud);
        links.follow(&up, &plan, 20);
        links.follow(&up, &plan, 119);
        assert!(!first.is_cancelled());
        links.follow(&up, &plan, 120);
        assert!(first.is_cancelled());
        links.mend(2, 1);
        links.follow(&up, &plan, 200);
        links.follow(&up, &plan, 210);
        links.cut(1, 2, Cut::Silent);
        links.follow(&up, &plan, 220);
        links.follow(&up, &plan, 1_219);
        assert!(links.connection(1, 2).is_some());
        links.mend_all();
        up.insert(2, 1);
        assert!(links.follow(&up, &plan, 1_300).contains(&1));
        assert!(links.connection(1, 2).is_none());
    }
}
