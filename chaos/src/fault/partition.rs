//! The cluster falls into parts that do not reach each other.

use std::fmt;

use rand::rngs::StdRng;
use rand::seq::SliceRandom as _;
use serde::{Deserialize, Serialize};

use super::error::FaultError;
use super::laid;
use super::place::Place;
use super::scene::Scene;
use super::struck::Struck;
use crate::layout::WanPlan;
use crate::link::Impairment;
use crate::wan::NodePair;

/// `partition`: links are cut, both ways, so that a shape is left.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Partition {
    /// What is left.
    pub shape: Shape,
    /// Who is cut off alone, or is the bridge; of the other shapes, the order is by chance
    /// and nobody is named. Of the shape `region`, any by default.
    #[serde(default)]
    pub target: Option<Place>,
}

/// What is left of a cluster. After Kingsbury's Jepsen, `jepsen.nemesis`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Shape {
    /// Two parts, by chance; of an odd number, one has a node more.
    Halves,
    /// One node, and all others.
    Node,
    /// One region, and all others.
    Region,
    /// Everybody reaches two neighbours: of six and more, nobody a majority.
    Ring,
    /// Two parts, and one node that reaches both.
    Bridge,
    /// Everybody reaches a majority, and no two the same.
    MajorityRing,
}

impl Shape {
    /// Nodes without which it is not what it says.
    const fn nodes_min(self) -> usize {
        match self {
            Self::Halves | Self::Node | Self::Region => 2,
            Self::Bridge => 3,
            Self::Ring => 4,
            Self::MajorityRing => 5,
        }
    }
}

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Halves => "halves",
            Self::Node => "node",
            Self::Region => "region",
            Self::Ring => "ring",
            Self::Bridge => "bridge",
            Self::MajorityRing => "majority-ring",
        })
    }
}

impl Partition {
    pub(super) fn check(&self, plan: &WanPlan) -> Result<(), FaultError> {
        self.centre().check(plan)?;
        let ids: Vec<u64> = plan.nodes.iter().map(|node| node.id).collect();
        let (shape, least) = (self.shape, self.shape.nodes_min());
        if ids.len() < least {
            return Err(FaultError::NotHere {
                fault: "partition",
                why: format!(
                    "a {shape} takes {least} nodes, this cluster has {}",
                    ids.len()
                ),
            });
        }
        let unlinked = both_ways(&ids, |_, _| false)
            .into_iter()
            .find(|pair| !plan.has_link(*pair));
        match unlinked {
            Some((from, to)) if shape != Shape::Region => {
                Err(FaultError::NoLink(format!("from node {from} to node {to}")))
            }
            _ => Ok(()),
        }
    }

    pub(super) async fn begin(
        &self,
        scene: &Scene,
        random: &mut StdRng,
    ) -> Result<Struck, FaultError> {
        let plan = scene.cluster.plan();
        self.check(plan)?;
        let centre = self.centre().settle(scene, random).await?;
        let chosen = centre.nodes(plan);
        let mut order: Vec<u64> = plan.nodes.iter().map(|node| node.id).collect();
        order.shuffle(random);
        // Whoever is named stands first.
        order.sort_by_key(|node| !chosen.contains(node));
        let cut = self.shape.cut(&order, chosen.len());
        let listed: Vec<String> = order.iter().map(u64::to_string).collect();
        let target = match self.shape {
            Shape::Node | Shape::Region => centre.title(),
            Shape::Bridge => format!("bridge {}", centre.title()),
            Shape::Halves => {
                let (one, other) = listed.split_at(order.len() / 2);
                format!("nodes {} | {}", one.join(" "), other.join(" "))
            }
            Shape::Ring | Shape::MajorityRing => format!("{} {}", self.shape, listed.join(" ")),
        };
        laid::over_pairs(target, cut, Impairment::Cut, scene)
    }

    fn centre(&self) -> Place {
        let open = match self.shape {
            Shape::Region => Place::RandomRegion,
            Shape::Node | Shape::Bridge => Place::Any,
            Shape::Halves | Shape::Ring | Shape::MajorityRing => Place::All,
        };
        self.target.clone().unwrap_or(open)
    }
}

impl Shape {
    /// Directions that are cut. `order` is the order in the ring, or of the parts; the
    /// first `chosen` of it are who is named.
    fn cut(self, order: &[u64], chosen: usize) -> Vec<NodePair> {
        let count = order.len();
        let around = |one: usize, other: usize| {
            let apart = one.abs_diff(other);
            apart.min(count - apart)
        };
        // A majority is everybody's own node and half of the rest, on both sides.
        let reach = (count / 2).div_ceil(2);
        both_ways(order, |one, other| match self {
            Self::Halves => (one < count / 2) == (other < count / 2),
            Self::Node | Self::Region => (one < chosen) == (other < chosen),
            Self::Bridge => {
                let bridge = one.min(other) == 0;
                bridge || (one <= count / 2) == (other <= count / 2)
            }
            Self::Ring => around(one, other) == 1,
            Self::MajorityRing => around(one, other) <= reach,
        })
    }
}

/// Directions between all that do not reach each other, by their places in the order.
fn both_ways(order: &[u64], reach: impl Fn(usize, usize) -> bool) -> Vec<NodePair> {
    let mut cut = Vec::new();
    for (one, from) in order.iter().enumerate() {
        for (other, to) in order.iter().enumerate() {
            if one != other && !reach(one, other) {
                cut.push((*from, *to));
            }
        }
    }
    cut
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::{NodePair, Shape};

    const SIX: [u64; 6] = [1, 2, 3, 4, 5, 6];

    /// Whom each reaches, itself included.
    fn reached(order: &[u64], cut: &[NodePair]) -> Vec<BTreeSet<u64>> {
        let all = order.iter().copied();
        all.map(|from| {
            let to = order.iter().copied();
            to.filter(|to| !cut.contains(&(from, *to))).collect()
        })
        .collect()
    }

    #[test]
    fn every_shape_is_the_same_both_ways() {
        for shape in [
            Shape::Halves,
            Shape::Node,
            Shape::Region,
            Shape::Ring,
            Shape::Bridge,
            Shape::MajorityRing,
        ] {
            let cut = shape.cut(&SIX, 2);
            assert!(!cut.is_empty());
            assert!(cut.iter().all(|(from, to)| cut.contains(&(*to, *from))));
        }
    }

    #[test]
    fn parts_reach_themselves_and_nobody_else() {
        let halves = reached(&SIX, &Shape::Halves.cut(&SIX, 6));
        assert_eq!(halves[0], BTreeSet::from([1, 2, 3]));
        assert_eq!(halves[5], BTreeSet::from([4, 5, 6]));
        let odd = reached(&SIX[..3], &Shape::Halves.cut(&SIX[..3], 3));
        assert_eq!(odd[0], BTreeSet::from([1]));
        assert_eq!(odd[1], BTreeSet::from([2, 3]));
        let region = reached(&SIX, &Shape::Region.cut(&SIX, 2));
        assert_eq!(region[1], BTreeSet::from([1, 2]));
        assert_eq!(region[2], BTreeSet::from([3, 4, 5, 6]));
    }

    #[test]
    fn bridge_reaches_all_and_the_parts_reach_only_it() {
        let seen = reached(&SIX, &Shape::Bridge.cut(&SIX, 1));
        assert_eq!(seen[0], BTreeSet::from(SIX));
        assert_eq!(seen[1], BTreeSet::from([1, 2, 3, 4]));
        assert_eq!(seen[4], BTreeSet::from([1, 5, 6]));
        let three = reached(&SIX[..3], &Shape::Bridge.cut(&SIX[..3], 1));
        assert_eq!(three[1], BTreeSet::from([1, 2]));
        assert_eq!(three[2], BTreeSet::from([1, 3]));
    }

    #[test]
    fn ring_leaves_neighbours_and_in_a_majority_ring_no_two_see_the_same_majority() {
        let ring = reached(&SIX, &Shape::Ring.cut(&SIX, 6));
        assert!(ring.iter().all(|seen| seen.len() == 3));
        for count in 5..=11_usize {
            let order: Vec<u64> = (1..).take(count).collect();
            let seen = reached(&order, &Shape::MajorityRing.cut(&order, count));
            assert!(seen.iter().all(|seen| seen.len() > count / 2));
            let different: BTreeSet<_> = seen.iter().collect();
            assert_eq!(different.len(), count, "{count}");
        }
    }
}
