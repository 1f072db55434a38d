//! Which listings of a region are still to be changed, and what came of those that were. Pure.

use std::collections::{BTreeMap, BTreeSet};

use meridian_client::CallError;
use serde_json::{Value, json};

use super::text;

/// What all listings of a region are to be.
#[derive(Debug, Clone)]
pub(super) struct Wanted {
    /// Where they are at home now.
    pub(super) of: String,
    pub(super) home: Option<String>,
    pub(super) survival: Option<String>,
}

/// How a listing stands towards what is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stands {
    /// It is none of those that are meant.
    Elsewhere,
    /// As wanted.
    Already,
    /// To be changed, or to be gone on with.
    Yet,
}

impl Wanted {
    /// How a listing stands, by its line in the list of groups. Whose goal was written, and whose
    /// voters are not there, was begun and is gone on with.
    pub(super) fn stands(&self, group: &Value) -> Stands {
        let home = text(&group["home_region"]);
        let was_begun = group["goal_revision"].as_u64().unwrap_or_default() > 0
            && !group["misplaced"].is_null();
        let is_there = self.home.as_deref().is_none_or(|wanted| wanted == home);
        let survival = text(&group["survival"]);
        let survives = self.survival.as_deref().is_none_or(|s| s == survival);
        match (is_there && survives, home == self.of) {
            (true, _) if was_begun && self.is_meant(home) => Stands::Yet,
            (true, true) => Stands::Already,
            (false, true) => Stands::Yet,
            (_, false) => Stands::Elsewhere,
        }
    }

    /// Whether a listing at home there may be one of those that are meant.
    fn is_meant(&self, home: &str) -> bool {
        home == self.of || self.home.as_deref() == Some(home)
    }
}

/// What came of one listing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Came {
    Done,
    Already,
    Failed(String),
    Unknown(String),
}

impl Came {
    /// What an answer, or its absence, means.
    pub(super) fn of(answer: &Result<Value, CallError>) -> Self {
        let error = match answer {
            Ok(answer) => {
                let nobody = |side: &str| answer[side].as_array().is_none_or(Vec::is_empty);
                let is_same = answer["before"]["revision"] == answer["after"]["revision"];
                return if is_same && nobody("leave") && nobody("come") {
                    Self::Already
                } else {
                    Self::Done
                };
            }
            Err(error) => error,
        };
        match error {
            CallError::Problem(problem) => {
                // Without the request's name, so that the same reason is told once.
                let fields = problem.errors.iter().map(|field| field.detail.as_str());
                let details: Vec<&str> = std::iter::once(problem.detail.as_str())
                    .filter(|detail| !detail.is_empty())
                    .chain(fields)
                    .collect();
                let why = format!("{}: {}", problem.code, details.join("; "));
                match problem.code.as_str() {
                    "outcome-unknown" => Self::Unknown(why),
                    _ => Self::Failed(why),
                }
            }
            CallError::Unreachable(_) => Self::Failed(error.to_string()),
            CallError::Unknown(_) | CallError::Decode(_) => Self::Unknown(error.to_string()),
        }
    }
}

impl Came {
    /// The same of a try that came after one of which nobody knows what it did.
    pub(super) fn after_unknown(self) -> Self {
        match self {
            Self::Already => Self::Done,
            Self::Failed(why) => Self::Unknown(format!("perhaps done, and then: {why}")),
            other => other,
        }
    }
}

/// What came of all of them.
#[derive(Debug, Default)]
pub(super) struct Tally {
    pub(super) done: u64,
    pub(super) already: u64,
    failed: BTreeMap<String, String>,
    unknown: BTreeMap<String, String>,
}

impl Tally {
    pub(super) fn note(&mut self, listing: String, came: Came) {
        match came {
            Came::Done => self.done += 1,
            Came::Already => self.already += 1,
            Came::Failed(why) => drop(self.failed.insert(listing, why)),
            Came::Unknown(why) => drop(self.unknown.insert(listing, why)),
        }
    }

    /// How many are not as wanted, or may not be.
    pub(super) fn left(&self) -> usize {
        self.failed.len() + self.unknown.len()
    }

    /// One line for each number, and one for each reason with the first listing of it.
    pub(super) fn lines(&self) -> Vec<String> {
        let (failed, unknown) = (self.failed.len(), self.unknown.len());
        let mut lines = vec![format!(
            "{} done, {} already so, {failed} failed, {unknown} unknown",
            self.done, self.already
        )];
        for (what, listings) in [("failed", &self.failed), ("unknown", &self.unknown)] {
            let mut reasons: BTreeMap<&str, (u64, &str)> = BTreeMap::new();
            for (listing, why) in listings {
                reasons.entry(why).or_insert((0, listing)).0 += 1;
            }
            let more = reasons.len().saturating_sub(REASONS_MAX);
            for (why, (count, first)) in reasons.into_iter().take(REASONS_MAX) {
                lines.push(format!("  {count} {what}, {first} the first: {why}"));
            }
            if more > 0 {
                lines.push(format!("  and {more} more reasons: --json has all of them"));
            }
        }
        lines
    }

    pub(super) fn to_json(&self) -> Value {
        let listed = |listings: &BTreeMap<String, String>| -> Vec<Value> {
            let listed = listings.iter();
            let listed = listed.map(|(listing, why)| json!({"listing_id": listing, "why": why}));
            listed.collect()
        };
        json!({
            "done": self.done,
            "already": self.already,
            "failed": listed(&self.failed),
            "unknown": listed(&self.unknown),
        })
    }
}

/// Reasons told in a terminal: a screen has about twice as many lines.
const REASONS_MAX: usize = 12;

/// What it would take, as far as the listings were asked.
#[derive(Debug, Default)]
pub(super) struct Cost {
    pub(super) moving: u64,
    pub(super) stay: u64,
    pub(super) come: u64,
    bytes: u64,
    /// Listings of which the node that was asked has the ledger.
    measured: u64,
    /// For each region, how many stop without it now and then.
    stops: BTreeMap<String, [u64; 2]>,
}

impl Cost {
    pub(super) fn note(&mut self, answer: &Value) {
        let come = answer["come"].as_array().map_or(0, Vec::len) as u64;
        let leave = answer["leave"].as_array().map_or(0, Vec::len);
        if come == 0 && leave == 0 {
            self.stay += 1;
        } else {
            self.moving += 1;
        }
        self.come += come;
        if let Some(bytes) = answer["ledger_bytes"].as_u64() {
            self.bytes += bytes * come;
            self.measured += 1;
        }
        for (at, side) in ["before", "after"].into_iter().enumerate() {
            let regions = answer[side]["stops_without"].as_array();
            let regions: BTreeSet<&str> = regions.into_iter().flatten().map(text).collect();
            for region in regions {
                self.stops.entry(region.to_owned()).or_default()[at] += 1;
            }
        }
    }

    /// Bytes for all, where those that were not measured are like those that were; `None` if
    /// nothing was measured.
    fn estimate(&self) -> Option<u64> {
        let asked = self.moving + self.stay;
        let whole = u128::from(self.bytes) * u128::from(asked);
        let estimate = whole.checked_div(u128::from(self.measured))?;
        Some(u64::try_from(estimate).unwrap_or(u64::MAX))
    }

    pub(super) fn lines(&self) -> Vec<String> {
        let (asked, measured) = (self.moving + self.stay, self.measured);
        let bytes = self.estimate().map_or_else(
            || "bytes unknown: the node that was asked has none of the ledgers".to_owned(),
            |bytes| format!("about {bytes} bytes, by the ledgers of {measured} of {asked}"),
        );
        let mut lines = vec![format!(
            "voters of {} would move, of {} stay: {} voters learn a ledger, {bytes}",
            self.moving, self.stay, self.come
        )];
        for (region, [now, then]) in &self.stops {
            lines.push(format!(
                "  while {region} is lost, bookings of {now} of these stop; after this, of {then}"
            ));
        }
        lines
    }

    pub(super) fn to_json(&self) -> Value {
        let stops = self.stops.iter();
        let stops =
            stops.map(|(region, [now, then])| (region.clone(), json!({"now": now, "then": then})));
        json!({
            "moving": self.moving,
            "staying": self.stay,
            "voters_coming": self.come,
            "bytes_estimated": self.estimate(),
            "ledgers_measured": self.measured,
            "if_lost": stops.collect::<serde_json::Map<_, _>>(),
        })
    }
}

#[cfg(test)]
mod tests;
