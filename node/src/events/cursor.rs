//! How far a consumer has come, as a text that it keeps and sends back.

use std::collections::BTreeMap;
use std::fmt::{self, Write as _};

use meridian_regions::{NodeId, RegionId};
use meridian_storage::FeedPosition;

use super::{FeedName, Plane};

/// Longest cursor that is read: a region of a hundred nodes.
const TEXT_MAX: usize = 8 * 1_024;
/// Between the parts of a cursor: harmless in a query.
const PART: char = '~';
/// Between the numbers of a place.
const NUMBER: char = '.';
/// In front of a node where its feed of listings is meant.
const OF_LISTINGS: char = 'l';
/// What the first version of a region's cursor begins with, and of a listing's.
const REGION: &str = "r1";
/// Where no feed was read last.
const NO_TURN: &str = "0";
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
    /// The feed that was read last: the next one goes first, so that none is starved.
    pub(crate) turn: Option<FeedName>,
    /// The last record seen of each feed; those of which none was seen are not in it.
    pub(crate) places: BTreeMap<FeedName, FeedPosition>,
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
                let turn = match parts.next()? {
                    NO_TURN => None,
                    turn => Some(feed(turn)?),
                };
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

fn feed(text: &str) -> Option<FeedName> {
    let (node, plane) = match text.strip_prefix(OF_LISTINGS) {
        Some(node) => (node, Plane::Listings),
        None => (text, Plane::Bookings),
    };
    let node = NodeId::new(node.parse().ok()?)?;
    Some(FeedName { node, plane })
}

fn place(text: &str) -> Option<(FeedName, FeedPosition)> {
    let (feed_text, numbers) = text.split_once(NUMBER)?;
    let feed = feed(feed_text)?;
    let mut numbers = numbers.split(NUMBER).map(|number| number.parse().ok());
    let position = FeedPosition {
        run: numbers.next()??,
        offset: numbers.next()??,
    };
    numbers.next().is_none().then_some((feed, position))
}

impl fmt::Display for Cursor {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Listing(number) => write!(formatter, "{LISTING}{PART}{number}"),
            Self::Region(cursor) => {
                write!(formatter, "{REGION}{PART}{}{PART}", cursor.region)?;
                match cursor.turn {
                    None => formatter.write_str(NO_TURN)?,
                    Some(turn) => write_feed(formatter, turn)?,
                }
                for (feed, FeedPosition { run, offset }) in &cursor.places {
                    formatter.write_char(PART)?;
                    write_feed(formatter, *feed)?;
                    write!(formatter, "{NUMBER}{run}{NUMBER}{offset}")?;
                }
                Ok(())
            }
        }
    }
}

fn write_feed(formatter: &mut fmt::Formatter<'_>, feed: FeedName) -> fmt::Result {
    if feed.plane == Plane::Listings {
        formatter.write_char(OF_LISTINGS)?;
    }
    write!(formatter, "{}", feed.node)
}

#[cfg(test)]
mod tests {
    use meridian_regions::NodeId;
    use meridian_storage::FeedPosition;

    use super::{Cursor, FeedName, Plane, RegionCursor, TEXT_MAX};

    #[test]
    fn cursor_reads_back_and_nothing_else_is_one() {
        let feed = |id, plane| {
            let node = NodeId::new(id).expect("not zero");
            FeedName { node, plane }
        };
        let position = |run, offset| FeedPosition { run, offset };
        let mut region = RegionCursor::start("eu-west".parse().expect("a region"));
        let start = Cursor::Region(region.clone());
        region.turn = Some(feed(2, Plane::Listings));
        region.places = [
            (feed(2, Plane::Bookings), position(1, 0)),
            (feed(7, Plane::Bookings), position(3, u64::MAX)),
            (feed(7, Plane::Listings), position(1_764_000_000_000, 5)),
        ]
        .into();
        let text = Cursor::Region(region.clone()).to_string();
        assert_eq!(
            text,
            "r1~eu-west~l2~2.1.0~l7.1764000000000.5~7.3.18446744073709551615"
        );
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
            "r1~eu-west~0~m1.1.1",
            "r1~eu-west~l0~1.1.1",
            "r2~eu-west~0",
            &long,
        ] {
            assert_eq!(Cursor::parse(bad), None, "{bad}");
        }
    }
}
