//! How many regions and nodes may go, of some that stand for one thing.

use std::collections::BTreeMap;

use crate::RegionId;

/// How much more can be lost, whichever it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Margin {
    /// It is lost already.
    Stopped,
    /// So many regions, or so many nodes, may go.
    Left {
        /// Whole regions.
        regions: usize,
        /// Single nodes, wherever they stand.
        nodes: usize,
    },
}

impl Margin {
    /// Of what nothing depends on.
    pub(crate) const MOST: Self = Self::Left {
        regions: usize::MAX,
        nodes: usize::MAX,
    };

    /// What may go of both.
    #[must_use]
    pub fn least(self, other: Self) -> Self {
        match (self, other) {
            (
                Self::Left { regions, nodes },
                Self::Left {
                    regions: others,
                    nodes: other_nodes,
                },
            ) => Self::Left {
                regions: regions.min(others),
                nodes: nodes.min(other_nodes),
            },
            _ => Self::Stopped,
        }
    }

    /// Whether nothing more may go.
    #[must_use]
    pub const fn is_bare(self) -> bool {
        matches!(
            self,
            Self::Stopped | Self::Left { regions: 0, .. } | Self::Left { nodes: 0, .. }
        )
    }

    /// The same, which says nothing about regions.
    pub(crate) const fn of_nodes_alone(self) -> Self {
        match self {
            Self::Stopped => Self::Stopped,
            Self::Left { nodes, .. } => Self::Left {
                regions: usize::MAX,
                nodes,
            },
        }
    }
}

/// Those that stand for one thing, by region.
pub(crate) struct Stake {
    total: usize,
    /// How many stand in each region, most first.
    each: Vec<usize>,
}

impl Stake {
    /// One for each region that is named, as often as it is.
    pub(crate) fn new<'a>(regions: impl Iterator<Item = &'a RegionId>) -> Self {
        let mut counts: BTreeMap<&RegionId, usize> = BTreeMap::new();
        for region in regions {
            *counts.entry(region).or_default() += 1;
        }
        let mut each: Vec<usize> = counts.into_values().collect();
        each.sort_unstable_by(|one, other| other.cmp(one));
        Self {
            total: each.iter().sum(),
            each,
        }
    }

    /// How much may go as long as `need` must stay.
    pub(crate) fn needs(&self, need: usize) -> Margin {
        let Some(spare) = self.total.checked_sub(need) else {
            return Margin::Stopped;
        };
        let mut lost = 0;
        let go = self.each.iter().take_while(|count| {
            lost += **count;
            lost <= spare
        });
        Margin::Left {
            regions: go.count(),
            nodes: spare,
        }
    }
}
