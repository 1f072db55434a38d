//! How far a consumer has come, as a text that it keeps and sends back.

use std::collections::BTreeMap;
use std::fmt;

use meridian_consensus::FeedPosition;
use meridian_regions::{NodeId, RegionId};

/// Longest cursor that is read: a region of a hundred nodes.
const TEXT_MAX: usize = 8 * 1_024;
/// Between the parts of a cursor: harmless in a query.
const PART: char = '~';
/// Between the numbers of a place.
const NUMBER: char = '.';
/// What the first version of a region's cursor begins with, and of a listing's.
const REGION: &str = "r1";
const LISTING: &str = "l1";

/// A consumer's place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Cursor {
    /// In the feeds of a region's nodes.
    Region(RegionCursor),
    /// In one listing: the number of the last event seen. The same everywhere.
    Listing(u64),
}

/// A place in the feeds of a region's nodes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RegionCursor {
    /// The region.
    pub(crate) region: RegionId,
    /// The node that was read last: the next one goes first, so that none is starved.
    pub(crate) turn: Option<NodeId>,
    /// The last record seen of each node; nodes of which none was seen are not in it.
    pub(crate) places: BTreeMap<NodeId, FeedPosition>,
}

impl RegionCursor {
    /// Before everything that a region keeps.
    pub(crate) const fn start(region: RegionId) -> Self {
        Self {
            region,
            turn: None,
            places: BTreeMap::new(),
        }
    }
}

impl Cursor {
    /// Reads what was written; `None` for any other text.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        if text.len() > TEXT_MAX {
            return None;
        }
        let mut parts = text.split(PART);
        let cursor = match parts.next()? {
            LISTING => Self::Listing(parts.next()?.parse().ok()?),
            REGION => {
                let region = parts.next()?.parse().ok()?;
                let turn = NodeId::new(parts.next()?.parse().ok()?);
                let places = parts.by_ref().map(place).collect::<Option<_>>()?;
                Self::Region(RegionCursor {
                    region,
                    turn,
                    places,
                })
            }
            _ => return None,
        };
        parts.next().is_none().then_some(cursor)
    }
}

fn place(text: &str) -> Option<(NodeId, FeedPosition)> {
    let mut numbers = text.split(NUMBER).map(|number| number.parse().ok());
    let node = NodeId::new(numbers.next()??)?;
    let position = FeedPosition {
        run: numbers.next()??,
        offset: numbers.next()??,
    };
    numbers.next().is_none().then_some((node, position))
}

impl fmt::Display for Cursor {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Listing(number) => write!(formatter, "{LISTING}{PART}{number}"),
            Self::Region(cursor) => {
                let turn = cursor.turn.map_or(0, NodeId::get);
                write!(formatter, "{REGION}{PART}{}{PART}{turn}", cursor.region)?;
                for (node, FeedPosition { run, offset }) in &cursor.places {
                    write!(formatter, "{PART}{node}{NUMBER}{run}{NUMBER}{offset}")?;
                }
                Ok(())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use meridian_consensus::FeedPosition;
    use meridian_regions::NodeId;

    use super::{Cursor, RegionCursor, TEXT_MAX};

    #[test]
    fn cursor_reads_back_and_nothing_else_is_one() {
        let node = |id| NodeId::new(id).expect("not zero");
        let position = |run, offset| FeedPosition { run, offset };
        let mut region = RegionCursor::start("eu-west".parse().expect("a region"));
        let start = Cursor::Region(region.clone());
        region.turn = Some(node(2));
        region.places = [(node(2), position(1, 0)), (node(7), position(3, u64::MAX))].into();
        for cursor in [start, Cursor::Region(region), Cursor::Listing(12)] {
            assert_eq!(Cursor::parse(&cursor.to_string()), Some(cursor));
        }
        let long = format!("r1~eu-west~0{}", "~1.1.1".repeat(TEXT_MAX / 6));
        for bad in [
            "",
            "12",
            "l1",
            "l1~x",
            "l1~1~2",
            "r1~EU~0",
            "r1~eu-west",
            "r1~eu-west~0~1.2",
            "r1~eu-west~0~0.1.1",
            "r1~eu-west~0~1.1.1.1",
            "r2~eu-west~0",
            &long,
        ] {
            assert_eq!(Cursor::parse(bad), None, "{bad}");
        }
    }
}
