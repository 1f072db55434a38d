//! Whom a fault strikes: the nodes of a place.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use rand::rngs::StdRng;
use rand::seq::IndexedRandom as _;
use serde::{Deserialize, Serialize};

use super::error::FaultError;
use super::scene::Scene;
use crate::layout::WanPlan;

/// Listings whose leaders are asked for, to find who leads most.
const LISTINGS_ASKED_MAX: usize = 16;

/// Nodes of the cluster, written as in each variant's example.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Place {
    /// `eu-west`, or `region:eu-west`: every node of a region.
    Region(String),
    /// `node:3`.
    Node(u64),
    /// `leader`: who leads most of the listings in use, when the fault begins.
    Leader,
    /// `any`: one running node, by chance.
    Any,
    /// `random-region`: every node of a region, by chance.
    RandomRegion,
    /// `all`: every node.
    All,
}

impl Place {
    /// Whether the plan has it.
    pub(super) fn check(&self, plan: &WanPlan) -> Result<(), FaultError> {
        let known = match self {
            Self::Region(name) => plan.nodes.iter().any(|node| node.region == name),
            Self::Node(id) => plan.nodes.iter().any(|node| node.id == *id),
            Self::Leader | Self::Any | Self::RandomRegion | Self::All => true,
        };
        if known {
            Ok(())
        } else {
            Err(FaultError::NoSuchPlace(self.to_string()))
        }
    }

    /// What it is now: nothing is left open, and no chance is taken twice.
    pub(super) async fn settle(
        &self,
        scene: &Scene,
        random: &mut StdRng,
    ) -> Result<Self, FaultError> {
        let plan = scene.cluster.plan();
        self.check(plan)?;
        match self {
            Self::Leader => leader(scene).await.map(Self::Node),
            Self::Any => {
                let running = scene.cluster.running();
                let chosen = running.choose(random).copied();
                let nobody = || FaultError::NobodyThere("the cluster".to_owned());
                chosen.map(Self::Node).ok_or_else(nobody)
            }
            Self::RandomRegion => {
                let chosen = plan.regions.choose(random);
                let nobody = || FaultError::NobodyThere("the cluster".to_owned());
                chosen
                    .map(|region| Self::Region(region.id.to_owned()))
                    .ok_or_else(nobody)
            }
            Self::Region(_) | Self::Node(_) | Self::All => Ok(self.clone()),
        }
    }

    /// Its nodes. Of a place that was not settled, those that it may be.
    pub(super) fn nodes(&self, plan: &WanPlan) -> Vec<u64> {
        let all = plan.nodes.iter();
        let belongs = |node: &&crate::NodePlan| match self {
            Self::Region(name) => node.region == name,
            Self::Node(id) => node.id == *id,
            Self::Leader | Self::Any | Self::RandomRegion | Self::All => true,
        };
        all.filter(belongs).map(|node| node.id).collect()
    }

    /// As reports name it.
    pub(super) fn title(&self) -> String {
        match self {
            Self::Region(name) => format!("region {name}"),
            Self::Node(id) => format!("node {id}"),
            Self::Leader | Self::Any | Self::RandomRegion | Self::All => self.to_string(),
        }
    }
}

/// Its running nodes, and the place as it was settled.
pub(super) async fn running_at(
    place: &Place,
    scene: &Scene,
    random: &mut StdRng,
) -> Result<(Place, Vec<u64>), FaultError> {
    let settled = place.settle(scene, random).await?;
    let mut nodes = settled.nodes(scene.cluster.plan());
    let running = scene.cluster.running();
    nodes.retain(|node| running.contains(node));
    if nodes.is_empty() {
        return Err(FaultError::NobodyThere(settled.title()));
    }
    Ok((settled, nodes))
}

/// Who leads most of the listings in use, as the nodes say.
pub(super) async fn leader(scene: &Scene) -> Result<u64, FaultError> {
    let mut led: BTreeMap<u64, usize> = BTreeMap::new();
    for listing in scene.listings.iter().take(LISTINGS_ASKED_MAX) {
        if let Some(leader) = leader_of(scene, listing).await {
            *led.entry(leader).or_default() += 1;
        }
    }
    let most = led.into_iter().max_by_key(|(_, listings)| *listings);
    most.map(|(node, _)| node).ok_or(FaultError::NoLeader)
}

/// Who leads a listing, as a running node of the highest term says.
pub(super) async fn leader_of(scene: &Scene, listing: &str) -> Option<u64> {
    let mut newest: Option<(u64, u64)> = None;
    for node in scene.cluster.running() {
        let Ok(admin) = scene.cluster.admin(node) else {
            continue;
        };
        let Ok(group) = super::asked(admin.group(listing)).await else {
            continue;
        };
        if let (Some(term), Some(leader)) = (group["term"].as_u64(), group["leader"].as_u64()) {
            newest = newest.max(Some((term, leader)));
        }
    }
    newest.map(|(_, leader)| leader)
}

impl FromStr for Place {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.trim() {
            "leader" => Ok(Self::Leader),
            "any" => Ok(Self::Any),
            "random-region" => Ok(Self::RandomRegion),
            "all" | "*" => Ok(Self::All),
            "" => Err(
                "a place is missing: name a region, `node:N`, `leader`, `any`, \
                       `random-region` or `all`"
                    .to_owned(),
            ),
            named => match named.split_once(':') {
                Some(("node", id)) => id
                    .parse()
                    .map(Self::Node)
                    .map_err(|_not_one| format!("`{named}`: a node has a number")),
                Some(("region", name)) if !name.is_empty() => Ok(Self::Region(name.to_owned())),
                Some(_) => Err(format!("`{named}`: `region:` or `node:` may stand there")),
                None => Ok(Self::Region(named.to_owned())),
            },
        }
    }
}

impl TryFrom<String> for Place {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<Place> for String {
    fn from(place: Place) -> Self {
        place.to_string()
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Region(name) => f.write_str(name),
            Self::Node(id) => write!(f, "node:{id}"),
            Self::Leader => f.write_str("leader"),
            Self::Any => f.write_str("any"),
            Self::RandomRegion => f.write_str("random-region"),
            Self::All => f.write_str("all"),
        }
    }
}
