//! Levels of formats: what a release can read, and what the cluster writes (ADR 60).
//!
//! A level names everything that nodes store and send, all at once. A node speaks a range of
//! levels: it reads each of them, and writes the one that is active in its cluster. What came
//! with a later level is a [`Feature`]: encoders ask whether the active level has it.
//!
//! What it is not: the encodings themselves, which stand where they are used, and the agreement
//! on which level is active, which is the cluster's map.
//!
//! Invariant kept here: two nodes talk only if each can read what the other writes.

use std::fmt;
use std::num::NonZeroU32;

use serde::{Deserialize, Serialize};

use crate::NodeId;

/// A level of formats: from 1, and one more with each release that stores or sends something
/// that the one before cannot read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct FormatLevel(NonZeroU32);

/// What came with a level.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Feature {
    /// Logs of groups may have goals: changes of a listing's home and survival.
    Goals,
    /// Documents of deleted listings begin anew, and are buried by it.
    Burials,
    /// Entries of the change log carry a checksum over all that they say.
    SummedEntries,
    /// Frames of entries carry a checksum of their own.
    SummedFrames,
}

impl Feature {
    /// The first level that has it.
    #[must_use]
    pub const fn since(self) -> FormatLevel {
        match self {
            Self::Goals | Self::Burials => FormatLevel::SECOND,
            Self::SummedEntries | Self::SummedFrames => FormatLevel::REHEARSED,
        }
    }
}

impl FormatLevel {
    /// That of nodes which did not speak of levels yet.
    pub const FIRST: Self = Self(NonZeroU32::MIN);
    /// From which on logs of groups may have goals, and deleted listings are buried.
    const SECOND: Self = Self(Self::FIRST.0.saturating_add(1));
    /// The latest that this release speaks in earnest.
    pub const LATEST: Self = Self::SECOND;
    /// The one after it, which only nodes of test clusters speak, when they are told to: so
    /// that every way of an upgrade is walked before there is one.
    pub const REHEARSED: Self = Self(Self::LATEST.0.saturating_add(1));

    /// A level; `None` for zero.
    #[must_use]
    pub fn new(level: u32) -> Option<Self> {
        NonZeroU32::new(level).map(Self)
    }

    /// Its number.
    #[must_use]
    pub const fn get(self) -> u32 {
        self.0.get()
    }

    /// Whether what is written at this level has a feature.
    #[must_use]
    pub fn has(self, feature: Feature) -> bool {
        feature.since() <= self
    }

    pub(crate) const fn is_first(&self) -> bool {
        self.get() == Self::FIRST.get()
    }
}

impl Default for FormatLevel {
    fn default() -> Self {
        Self::FIRST
    }
}

impl fmt::Display for FormatLevel {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

/// The levels that a node speaks, from the oldest to the latest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Levels {
    oldest: FormatLevel,
    latest: FormatLevel,
}

impl Levels {
    /// Of this release.
    pub const RELEASED: Self = Self {
        oldest: FormatLevel::FIRST,
        latest: FormatLevel::LATEST,
    };
    /// Of nodes which did not speak of levels yet.
    pub const FIRST: Self = Self {
        oldest: FormatLevel::FIRST,
        latest: FormatLevel::FIRST,
    };
    /// Of this release where the next level is rehearsed.
    pub const REHEARSED: Self = Self {
        oldest: FormatLevel::FIRST,
        latest: FormatLevel::REHEARSED,
    };

    /// A range; `None` if it ends before it begins.
    #[must_use]
    pub fn new(oldest: FormatLevel, latest: FormatLevel) -> Option<Self> {
        (oldest <= latest).then_some(Self { oldest, latest })
    }

    /// The oldest that can be read.
    #[must_use]
    pub const fn oldest(self) -> FormatLevel {
        self.oldest
    }

    /// The latest that can be read and written.
    #[must_use]
    pub const fn latest(self) -> FormatLevel {
        self.latest
    }

    /// Whether a level can be read and written.
    #[must_use]
    pub fn contains(self, level: FormatLevel) -> bool {
        (self.oldest..=self.latest).contains(&level)
    }
}

impl fmt::Display for Levels {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} to {}", self.oldest, self.latest)
    }
}

/// What a node reads, and what it writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Formats {
    /// What it reads.
    #[serde(flatten)]
    pub levels: Levels,
    /// What it writes.
    pub active: FormatLevel,
}

impl Default for Formats {
    /// Of this release, in a cluster that has never been upgraded.
    fn default() -> Self {
        Self {
            levels: Levels::RELEASED,
            active: FormatLevel::FIRST,
        }
    }
}

/// What a node says of itself to another before anything else.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Dialect {
    /// Version of its program, for people; empty from nodes that did not say it yet.
    pub release: String,
    /// What it reads and writes.
    #[serde(flatten)]
    pub formats: Formats,
}

impl Default for Dialect {
    /// Of a node that does not speak of levels.
    fn default() -> Self {
        Self {
            release: String::new(),
            formats: Formats {
                levels: Levels::FIRST,
                active: FormatLevel::FIRST,
            },
        }
    }
}

/// A node that cannot read what its cluster, or a peer, writes. It says what to do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "node {node} ({}) speaks format levels {levels}, and level {active} is written or held \
     here: run a release on it that speaks level {active}; `meridian upgrade check` lists what each \
     node speaks",
    named(release)
)]
pub struct Unspoken {
    /// The node that cannot read it.
    pub node: NodeId,
    /// Its release.
    pub release: String,
    /// What it can read.
    pub levels: Levels,
    /// What is written, or held.
    pub active: FormatLevel,
}

fn named(release: &str) -> String {
    match release {
        "" => "an earlier release".to_owned(),
        release => format!("release {release}"),
    }
}

impl Dialect {
    /// Checks that a node of this dialect reads what is written at a level.
    ///
    /// # Errors
    /// [`Unspoken`], with what to do.
    pub fn reads(&self, node: NodeId, active: FormatLevel) -> Result<(), Unspoken> {
        let levels = self.formats.levels;
        if levels.contains(active) {
            return Ok(());
        }
        Err(Unspoken {
            node,
            release: self.release.clone(),
            levels,
            active,
        })
    }

    /// Checks that two nodes read what the other writes.
    ///
    /// # Errors
    /// [`Unspoken`] of the one that does not.
    pub fn agree(one: (NodeId, &Self), other: (NodeId, &Self)) -> Result<(), Unspoken> {
        other.1.reads(other.0, one.1.formats.active)?;
        one.1.reads(one.0, other.1.formats.active)
    }
}

#[cfg(test)]
mod tests {
    use super::{Dialect, Feature, FormatLevel, Formats, Levels};
    use crate::NodeId;

    fn node(number: u64) -> NodeId {
        NodeId::new(number).expect("not zero")
    }

    fn speaking(levels: Levels, active: FormatLevel) -> Dialect {
        Dialect {
            release: "1.2.3".to_owned(),
            formats: Formats { levels, active },
        }
    }

    #[test]
    fn nodes_of_two_releases_talk_until_the_later_level_is_written() {
        let early = speaking(Levels::RELEASED, FormatLevel::FIRST);
        let mixed = speaking(Levels::REHEARSED, FormatLevel::FIRST);
        let raised = speaking(Levels::REHEARSED, FormatLevel::REHEARSED);
        let agree = |one, other| Dialect::agree((node(1), one), (node(2), other));
        agree(&early, &mixed).expect("both write the first level");
        agree(&mixed, &early).expect("both write the first level");
        agree(&mixed, &raised).expect("both read both");
        for refused in [agree(&early, &raised), agree(&raised, &early)] {
            let said = refused.expect_err("one cannot read the other").to_string();
            assert!(said.contains("levels 1 to 2"), "{said}");
            assert!(said.contains("run a release on it"), "{said}");
        }
        let culprit = agree(&raised, &early).expect_err("node 2 cannot read");
        assert_eq!(culprit.node, node(2));
        let culprit = agree(&early, &raised).expect_err("node 1 cannot read");
        assert_eq!(culprit.node, node(1));
    }

    #[test]
    fn node_that_dropped_the_active_level_is_refused_too() {
        let modern = Levels::new(FormatLevel::REHEARSED, FormatLevel::REHEARSED);
        let modern = speaking(modern.expect("a range"), FormatLevel::REHEARSED);
        let old = speaking(Levels::REHEARSED, FormatLevel::FIRST);
        let refused = Dialect::agree((node(1), &old), (node(2), &modern));
        assert_eq!(refused.expect_err("level 1 is not read").node, node(2));
    }

    #[test]
    fn features_come_with_their_level() {
        assert!(!FormatLevel::FIRST.has(Feature::Goals));
        assert!(FormatLevel::LATEST.has(Feature::Goals));
        assert!(!FormatLevel::LATEST.has(Feature::SummedFrames));
        assert!(FormatLevel::REHEARSED.has(Feature::SummedFrames));
        assert_eq!(FormatLevel::new(0), None);
        assert_eq!(
            Levels::new(FormatLevel::REHEARSED, FormatLevel::FIRST),
            None
        );
    }
}
