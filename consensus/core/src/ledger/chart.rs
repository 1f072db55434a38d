//! The cluster's map, in the one ledger that keeps no nights: that of the control group.
//!
//! A map follows the one that its writer has seen, or is refused: two who change it at once
//! do not undo each other. A ledger has a map or reservations and never both, so that neither
//! can be written in the other's place by mistake (ADR 52).

use prost::Message;

use crate::outcome::Outcome;
use crate::rejection::Rejection;

use super::{Ledger, rules};

/// Longest map together with the changes that wait, in bytes: some five hundred nodes.
pub const CHART_BYTES_MAX: usize = 128 * 1024;

/// A map of the cluster and what is to become of it.
#[derive(Clone, PartialEq, Eq, Hash, Message)]
pub struct Chart {
    /// Number of the map; grows by one with each.
    #[prost(uint64, tag = "1")]
    pub epoch: u64,
    /// The map, TOML.
    #[prost(string, tag = "2")]
    pub map: String,
    /// Changes that wait to be applied, JSON; empty where none do.
    #[prost(string, tag = "3")]
    pub staged: String,
}

impl Ledger {
    /// The cluster's map; `None` in a listing's ledger.
    #[must_use]
    pub const fn chart(&self) -> Option<&Chart> {
        self.chart.as_ref()
    }

    /// Puts a map, or what is to become of it, in the place of the one that its writer saw at
    /// revision `seen`. The same one again changes nothing: an answer that was lost may be
    /// asked for again.
    pub(super) fn draw(&mut self, chart: &Chart, seen: u64) -> Result<Outcome, Rejection> {
        if self.chart.as_ref() == Some(chart) {
            return Ok(Outcome::Charted(self.revision));
        }
        if self.last_number > 0 {
            return Err(rules::invalid("", "a listing's ledger has no map"));
        }
        if chart.map.len() + chart.staged.len() > CHART_BYTES_MAX {
            let detail = format!("a map has at most {CHART_BYTES_MAX} bytes");
            return Err(rules::invalid("/map", detail));
        }
        let follows = match &self.chart {
            None => true,
            Some(before) if before.epoch == chart.epoch => before.map == chart.map,
            Some(before) => before.epoch + 1 == chart.epoch,
        };
        if seen != self.revision || !follows {
            let epoch = self.chart.as_ref().map_or(0, |before| before.epoch);
            return Err(Rejection::MapMoved { epoch });
        }
        self.chart = Some(chart.clone());
        self.revision += 1;
        Ok(Outcome::Charted(self.revision))
    }
}
