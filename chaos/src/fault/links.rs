//! Links that a fault strikes: the directions between two places.

use std::fmt;
use std::str::FromStr;

use rand::rngs::StdRng;
use serde::{Deserialize, Serialize};

use super::error::FaultError;
use super::place::Place;
use super::scene::Scene;
use crate::layout::WanPlan;
use crate::wan::NodePair;

/// Directions between two places: `eu-west -> us-east`, or both ways
/// `leader <-> all`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Links {
    /// Where datagrams come from.
    pub from: Place,
    /// Where they go.
    pub to: Place,
    /// Whether those that come back are struck, too.
    pub ways: Ways,
}

/// Which directions of a link.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ways {
    /// `->`
    One,
    /// `<->`
    Both,
}

impl Links {
    /// Whether the plan has both places.
    pub(super) fn check(&self, plan: &WanPlan) -> Result<(), FaultError> {
        self.from.check(plan)?;
        self.to.check(plan)?;
        // Between places that are left open, whoever is chosen may have one.
        let pairs = self.pairs(plan);
        if pairs.iter().any(|pair| plan.has_link(*pair)) {
            Ok(())
        } else {
            Err(FaultError::NoLink(self.title()))
        }
    }

    /// What they are now.
    pub(super) async fn settle(
        &self,
        scene: &Scene,
        random: &mut StdRng,
    ) -> Result<(Self, Vec<NodePair>), FaultError> {
        let settled = Self {
            from: self.from.settle(scene, random).await?,
            to: self.to.settle(scene, random).await?,
            ways: self.ways,
        };
        let plan = scene.cluster.plan();
        let mut pairs = settled.pairs(plan);
        pairs.retain(|pair| plan.has_link(*pair));
        if pairs.is_empty() {
            return Err(FaultError::NoLink(settled.title()));
        }
        Ok((settled, pairs))
    }

    /// As reports name them.
    pub(super) fn title(&self) -> String {
        let arrow = match self.ways {
            Ways::One => '→',
            Ways::Both => '↔',
        };
        format!("{} {arrow} {}", self.from, self.to)
    }

    fn pairs(&self, plan: &WanPlan) -> Vec<NodePair> {
        let (from, to) = (self.from.nodes(plan), self.to.nodes(plan));
        let there = from
            .iter()
            .flat_map(|one| to.iter().map(move |other| (*one, *other)));
        let mut pairs: Vec<NodePair> = there.filter(|(one, other)| one != other).collect();
        if self.ways == Ways::Both {
            let back: Vec<NodePair> = pairs.iter().map(|(one, other)| (*other, *one)).collect();
            pairs.extend(back);
        }
        pairs.sort_unstable();
        pairs.dedup();
        pairs
    }
}

impl FromStr for Links {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        // The longer arrow first: the other one is its end.
        let both = text.split_once("<->").map(|ends| (ends, Ways::Both));
        let found = both.or_else(|| text.split_once("->").map(|ends| (ends, Ways::One)));
        let ((from, to), ways) = found.ok_or_else(|| {
            format!("`{text}`: links read `eu-west -> us-east`, or `eu-west <-> us-east` both ways")
        })?;
        Ok(Self {
            from: from.parse()?,
            to: to.parse()?,
            ways,
        })
    }
}

impl TryFrom<String> for Links {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<Links> for String {
    fn from(links: Links) -> Self {
        links.to_string()
    }
}

impl fmt::Display for Links {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let arrow = match self.ways {
            Ways::One => "->",
            Ways::Both => "<->",
        };
        write!(f, "{} {arrow} {}", self.from, self.to)
    }
}
