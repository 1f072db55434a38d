//! Which regions and nodes a cluster on this machine has, and how far apart they
//! are.

use std::time::Duration;

/// A region of the cluster.
#[derive(Debug, Clone, PartialEq)]
pub struct RegionPlan {
    /// Its name.
    pub id: &'static str,
    /// Degrees north.
    pub latitude: f64,
    /// Degrees east.
    pub longitude: f64,
}

/// A node of the cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NodePlan {
    /// Its number.
    pub id: u64,
    /// Its region.
    pub region: &'static str,
    /// Its zone: each node of a region has one of its own.
    pub zone: String,
}

/// Regions, nodes, and the round trips between the regions.
#[derive(Debug, Clone, PartialEq)]
pub struct WanPlan {
    /// Every region.
    pub regions: Vec<RegionPlan>,
    /// Every node.
    pub nodes: Vec<NodePlan>,
    /// How many vote on a listing that survives the loss of a region: 3 or 5.
    pub region_voters: u8,
    pub(crate) seed: Option<u64>,
    pub(crate) linked_everywhere: bool,
    round_trips: Vec<(&'static str, &'static str, Duration)>,
}

impl WanPlan {
    /// Three regions of one node each, as far apart as Virginia, Dublin and Sydney:
    /// round trips of 80, 160 and 220 ms.
    #[must_use]
    pub fn three_continents() -> Self {
        Self::three_regions(Duration::from_millis)
    }

    /// The same regions at a fraction of the distance, for tests that wait for many
    /// round trips.
    #[must_use]
    pub fn scaled_down(divisor: u32) -> Self {
        Self::three_regions(|millis| Duration::from_millis(millis) / divisor.max(1))
    }

    /// The same regions without any distance: nodes reach each other directly, with no
    /// relay in between. Nothing can be cut. For measurements of the nodes alone.
    #[must_use]
    pub fn loopback() -> Self {
        Self::three_regions(|_millis| Duration::ZERO)
    }

    /// Regions and nodes of a cluster that somebody else has started: nothing is known of its
    /// links, and none is emulated.
    pub(crate) const fn of_others(regions: Vec<RegionPlan>, nodes: Vec<NodePlan>) -> Self {
        Self {
            regions,
            nodes,
            region_voters: 3,
            seed: None,
            linked_everywhere: false,
            round_trips: Vec::new(),
        }
    }

    /// The same with one more node, in a region of the plan.
    #[must_use]
    pub fn with_node(mut self, id: u64, region: &'static str) -> Self {
        let known = self.nodes.iter().filter(|node| node.region == region);
        let letter = ('a'..='z').nth(known.count()).unwrap_or('z');
        self.nodes.push(NodePlan {
            id,
            region,
            zone: format!("{region}-{letter}"),
        });
        self
    }

    /// The same with one more region, which is as far from some of the others as is said, and
    /// has no node yet.
    #[must_use]
    pub fn with_region(
        mut self,
        region: RegionPlan,
        round_trips: &[(&'static str, Duration)],
    ) -> Self {
        let id = region.id;
        let distances = round_trips.iter();
        let distances = distances.map(|(other, distance)| (id, *other, *distance));
        self.round_trips.extend(distances);
        self.regions.push(region);
        self
    }

    /// The same with five voters for each listing that survives the loss of a region.
    #[must_use]
    pub const fn with_five_voters(mut self) -> Self {
        self.region_voters = 5;
        self
    }

    /// The same with links whose chance comes from a seed.
    #[must_use]
    pub const fn with_seed(mut self, seed: u64) -> Self {
        self.seed = Some(seed);
        self
    }

    /// The same with a link between any two nodes, also of one region: any node can be cut
    /// off.
    #[must_use]
    pub const fn linked_everywhere(mut self) -> Self {
        self.linked_everywhere = true;
        self
    }

    fn three_regions(distance: impl Fn(u64) -> Duration) -> Self {
        let region = |id, latitude, longitude| RegionPlan {
            id,
            latitude,
            longitude,
        };
        let plan = Self {
            regions: vec![
                region("us-east", 38.9, -77.4),
                region("eu-west", 53.3, -6.3),
                region("ap-southeast", -33.9, 151.2),
            ],
            nodes: Vec::new(),
            region_voters: 3,
            seed: None,
            linked_everywhere: false,
            round_trips: vec![
                ("us-east", "eu-west", distance(80)),
                ("eu-west", "ap-southeast", distance(160)),
                ("us-east", "ap-southeast", distance(220)),
            ],
        };
        plan.with_node(1, "us-east")
            .with_node(2, "eu-west")
            .with_node(3, "ap-southeast")
    }

    /// Round trip between two regions; zero inside one.
    #[must_use]
    pub fn round_trip(&self, one: &str, other: &str) -> Duration {
        self.round_trips
            .iter()
            .find(|(a, b, _)| (*a, *b) == (one, other) || (*b, *a) == (one, other))
            .map_or(Duration::ZERO, |(_, _, distance)| *distance)
    }

    /// Whether a link is emulated between two nodes.
    #[must_use]
    pub fn has_link(&self, (from, to): (u64, u64)) -> bool {
        let region = |id| {
            let mut nodes = self.nodes.iter();
            nodes.find(|node| node.id == id).map(|node| node.region)
        };
        match (region(from), region(to)) {
            (Some(one), Some(other)) if from != to => {
                self.linked_everywhere || !self.round_trip(one, other).is_zero()
            }
            _ => false,
        }
    }

    /// Round trip from a region to the nearest other one: what a quorum costs there.
    #[must_use]
    pub fn nearest_round_trip(&self, region: &str) -> Duration {
        self.regions
            .iter()
            .filter(|other| other.id != region)
            .map(|other| self.round_trip(region, other.id))
            .min()
            .unwrap_or_default()
    }
}
