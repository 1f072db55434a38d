//! What came of the listings of a region. Pure.

use std::collections::BTreeMap;

use meridian_client::CallError;
use serde_json::{Value, json};

/// What came of one listing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Came {
    Done,
    Already,
    Failed(String),
    /// Nothing was done, for nobody was reached who could.
    Unreached(String),
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
            CallError::Unreachable(_) => Self::Unreached(error.to_string()),
            CallError::Unknown(why) => Self::Unknown(why.clone()),
            CallError::Decode(_) => Self::Unknown(error.to_string()),
        }
    }
}

impl Came {
    /// The same of a try that came after one of which nobody knows what it did.
    fn after_unknown(self) -> Self {
        match self {
            Self::Already => Self::Done,
            Self::Failed(why) | Self::Unreached(why) => {
                Self::Unknown(format!("perhaps done, and then: {why}"))
            }
            other => other,
        }
    }
}

/// What came of all of them.
#[derive(Debug, Default)]
pub(super) struct Tally {
    pub(super) done: u64,
    pub(super) already: u64,
    /// Those that were not begun, because somebody wanted the run to end.
    pub(super) not_begun: u64,
    /// Regions that could not be asked what they know, and why.
    pub(super) not_asked: BTreeMap<String, String>,
    /// Listings that somebody has left half-way, and that are perhaps not meant.
    pub(super) apart: Vec<String>,
    failed: BTreeMap<String, String>,
    unknown: BTreeMap<String, String>,
}

impl Tally {
    /// Nothing yet, of what could be seen.
    pub(super) fn of(not_asked: BTreeMap<String, String>, apart: Vec<String>) -> Self {
        Self {
            not_asked,
            apart,
            ..Self::default()
        }
    }

    /// Takes note of what came of a listing: of its first try, or of its second.
    pub(super) fn note(&mut self, listing: String, came: Came) {
        self.failed.remove(&listing);
        let came = match self.unknown.remove(&listing) {
            Some(_) => came.after_unknown(),
            None => came,
        };
        match came {
            Came::Done => self.done += 1,
            Came::Already => self.already += 1,
            Came::Failed(why) | Came::Unreached(why) => drop(self.failed.insert(listing, why)),
            Came::Unknown(why) => drop(self.unknown.insert(listing, why)),
        }
    }

    /// How many are not as wanted, or may not be.
    pub(super) fn left(&self) -> u64 {
        (self.failed.len() + self.unknown.len()) as u64 + self.not_begun
    }

    /// Each number, on one line.
    pub(super) fn summary(&self) -> String {
        let (failed, unknown) = (self.failed.len(), self.unknown.len());
        format!(
            "{} done, {} already so, {failed} failed, {unknown} unknown",
            self.done, self.already
        )
    }

    /// One line for each number, and one for each reason with the first listing of it.
    pub(super) fn lines(&self) -> Vec<String> {
        let mut lines = vec![self.summary()];
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
        if self.not_begun > 0 {
            lines.push(format!("  {} not begun", self.not_begun));
        }
        if let Some(first) = self.apart.first() {
            lines.push(format!(
                "{} were moved to that home before and have voters elsewhere, {first} the first: \
                 nobody named them, and they were left alone; `--half-way finish` goes on with them, \
                 `set-home` of one with that one",
                self.apart.len()
            ));
        }
        for (region, why) in &self.not_asked {
            lines.push(format!(
                "{region} could not be asked: listings that only it knows to be meant are not \
                 among these ({why})"
            ));
        }
        lines
    }

    pub(super) fn to_json(&self) -> Value {
        let listed = |listings: &BTreeMap<String, String>, name: &str| -> Vec<Value> {
            let listed = listings.iter();
            let listed = listed.map(|(listing, why)| json!({name: listing, "why": why}));
            listed.collect()
        };
        json!({
            "done": self.done,
            "already": self.already,
            "failed": listed(&self.failed, "listing_id"),
            "unknown": listed(&self.unknown, "listing_id"),
            "not_begun": self.not_begun,
            "regions_not_asked": listed(&self.not_asked, "region"),
            "left_alone": self.apart,
        })
    }
}

/// Reasons told in a terminal: a screen has about twice as many lines.
const REASONS_MAX: usize = 12;

#[cfg(test)]
mod tests;
