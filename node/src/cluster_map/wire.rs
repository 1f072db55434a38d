//! What nodes ask each other about the map.

use anyhow::Context;
use meridian_regions::{Genesis, Topology};
use prost::Message;

use super::file::{Charted, Stage};

/// A question.
#[derive(Clone, PartialEq, Message)]
pub(super) struct Asked {
    #[prost(oneof = "Question", tags = "1, 2")]
    pub(super) question: Option<Question>,
}

#[derive(Clone, PartialEq, prost::Oneof)]
pub(super) enum Question {
    /// Will you agree to this founding, and to no other?
    #[prost(message, tag = "1")]
    Founding(Sheet),
    /// Have you a later map than this one? Zero for none at all.
    #[prost(uint64, tag = "2")]
    LaterThan(u64),
}

/// An answer.
#[derive(Clone, PartialEq, Message)]
pub(super) struct Told {
    #[prost(oneof = "Answer", tags = "1, 2, 3, 4")]
    pub(super) answer: Option<Answer>,
    /// How the node that answers is.
    #[prost(message, optional, tag = "5")]
    pub(super) condition: Option<ConditionRecord>,
}

/// How a node is, by its own word: see `condition.rs`.
#[derive(Clone, Copy, PartialEq, Eq, Message)]
pub(super) struct ConditionRecord {
    #[prost(bool, tag = "1")]
    pub(super) is_without_voice: bool,
    #[prost(fixed64, tag = "2")]
    pub(super) serves: u64,
    #[prost(uint64, tag = "3")]
    pub(super) groups_ill: u64,
}

#[derive(Clone, PartialEq, prost::Oneof)]
pub(super) enum Answer {
    /// Yes, durably.
    #[prost(message, tag = "1")]
    Agreed(Nothing),
    /// No, because.
    #[prost(string, tag = "2")]
    Refused(String),
    /// Here it is.
    #[prost(message, tag = "3")]
    Map(Sheet),
    /// No.
    #[prost(message, tag = "4")]
    NoLater(Nothing),
}

#[derive(Clone, Copy, PartialEq, Eq, Message)]
pub(super) struct Nothing {}

/// A map and who votes on it, on its way.
#[derive(Clone, PartialEq, Message)]
pub(super) struct Sheet {
    #[prost(bytes = "vec", tag = "1")]
    genesis: Vec<u8>,
    #[prost(string, tag = "2")]
    map: String,
}

impl From<&Charted> for Sheet {
    fn from(charted: &Charted) -> Self {
        Self {
            genesis: charted.genesis.encode(),
            map: charted.map.to_toml(),
        }
    }
}

impl Sheet {
    /// What it says, at a stage that its receiver knows.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(super) fn read(&self, stage: Stage) -> anyhow::Result<Charted> {
        Ok(Charted {
            genesis: Genesis::decode(&self.genesis).context("a map without its voters")?,
            stage,
            map: Topology::from_toml(&self.map).context("no map")?,
        })
    }
}
