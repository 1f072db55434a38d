//! Nothing passes.

use serde::{Deserialize, Serialize};

use super::laid::Impairs;
use super::links::Links;
use crate::link::Impairment;

/// `cut`: every datagram is lost, without a word to anybody. One way, or both.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cut {
    /// Which links.
    pub links: Links,
}

impl Impairs for Cut {
    fn links(&self) -> &Links {
        &self.links
    }

    fn impairment(&self) -> Impairment {
        Impairment::Cut
    }
}
