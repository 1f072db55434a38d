//! Which listings of a region are still to be changed, by what several nodes know of them. Pure.
//!
//! A listing's goal counts up: of two nodes, the one that knows the later revision is right, and
//! the listing is changed by a node that knows it.
//!
//! What it is not: it does not guess. A listing at home where they are to go, and whose voters are
//! elsewhere, is gone on with only if it surely came from the region that was named; what becomes
//! of the others is for the operator to say.

use std::collections::BTreeMap;

use meridian_regions::ListingId;
use serde_json::Value;

use super::text;

/// Listings that one run holds in memory, at about a hundred bytes each.
const LISTINGS_MAX: usize = 2_000_000;

/// What becomes of listings that are at home where they are to go, with voters elsewhere, and of
/// which nobody knows whether they came from the region that was named.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum HalfWay {
    /// They are left alone, and not everything has been done: nobody has said what they are.
    #[default]
    Unsaid,
    /// They are left alone, as asked.
    Leave,
    /// They are gone on with.
    Finish,
}

/// What all listings of a region are to be.
#[derive(Debug, Clone)]
pub(super) struct Wanted {
    /// Where they are at home now.
    pub(super) of: String,
    pub(super) home: Option<String>,
    pub(super) survival: Option<String>,
    pub(super) half_way: HalfWay,
}

/// Where a listing is at home.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Home {
    /// In the region whose listings are meant.
    Named,
    /// Where they are to go.
    Goal,
    Elsewhere,
}

/// How a listing stands, by one node's line in its list of groups.
#[derive(Debug, Clone, Copy)]
struct Line {
    home: Home,
    survives: bool,
    revision: u64,
    misplaced: bool,
}

/// How a listing stands, by the line of the latest revision.
#[derive(Debug, Clone, Copy)]
struct Known {
    latest: Line,
    /// Number of the view that it is from.
    view: usize,
    /// Whether it was surely at home in the region that was named, now or before.
    was_named: bool,
}

/// A listing that is to be changed, the view that knows its latest goal, and which that is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Target {
    pub(super) listing: String,
    pub(super) view: usize,
    pub(super) revision: u64,
}

/// What is to be done.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Found {
    pub(super) yet: Vec<Target>,
    pub(super) already: u64,
    /// At home where they are to go, with voters elsewhere, and nobody knows from where.
    pub(super) apart: Vec<String>,
}

/// Every listing that matters, as it is known by all views together.
#[derive(Debug, Default)]
pub(super) struct Census {
    known: BTreeMap<String, Known>,
}

impl Wanted {
    /// The command that goes on with it.
    pub(super) fn command(&self) -> String {
        let of = &self.of;
        let half_way = match self.half_way {
            HalfWay::Unsaid => "",
            HalfWay::Leave => " --half-way leave",
            HalfWay::Finish => " --half-way finish",
        };
        match (&self.home, &self.survival) {
            (Some(home), _) => format!("listing set-home {home} --all-of {of}{half_way}"),
            (None, survival) => {
                let survival = survival.as_deref().unwrap_or_default();
                format!("listing set-survival {survival} --all-of {of}")
            }
        }
    }

    fn line(&self, group: &Value) -> Line {
        let (home, survival) = (text(&group["home_region"]), text(&group["survival"]));
        Line {
            home: match home {
                home if home == self.of => Home::Named,
                home if self.home.as_deref() == Some(home) => Home::Goal,
                _ => Home::Elsewhere,
            },
            survives: self.survival.as_deref().is_none_or(|s| s == survival),
            revision: group["goal_revision"].as_u64().unwrap_or_default(),
            misplaced: !group["misplaced"].is_null(),
        }
    }
}

impl Census {
    /// Takes note of a listing's line in the list of a view. Lists come at the same time: of those
    /// that know as much, the first view is asked, whichever has told sooner.
    pub(super) fn note(&mut self, wanted: &Wanted, view: usize, group: &Value) {
        let (listing, line) = (text(&group["listing_id"]), wanted.line(group));
        // Nobody knows an earlier goal, and by this one it is none of those that are meant.
        if line.revision == 0 && line.home != Home::Named {
            return;
        }
        let known = self.known.entry(listing.to_owned()).or_insert(Known {
            latest: line,
            view,
            was_named: false,
        });
        if line.revision > known.latest.revision {
            (known.latest, known.view) = (line, view);
        } else if line.revision == known.latest.revision {
            known.latest.misplaced |= line.misplaced;
            known.view = known.view.min(view);
        }
        // The id says where it was before its first change.
        let created = listing.parse::<ListingId>();
        let was_first = created.is_ok_and(|id| id.home().as_str() == wanted.of);
        known.was_named |= line.home == Home::Named || (line.revision == 1 && was_first);
    }

    /// Whether there are more than one run takes.
    pub(super) fn is_full(&self) -> bool {
        self.known.len() >= LISTINGS_MAX
    }

    /// What is to be done about them.
    pub(super) fn found(self, wanted: &Wanted) -> Found {
        let mut found = Found::default();
        for (listing, known) in self.known {
            let latest = known.latest;
            let target = |listing| Target {
                listing,
                view: known.view,
                revision: latest.revision,
            };
            // Its goal was written, and its voters are not there.
            let was_begun = latest.revision > 0 && latest.misplaced;
            match latest.home {
                Home::Named if wanted.home.is_none() && latest.survives && !was_begun => {
                    found.already += 1;
                }
                Home::Named => found.yet.push(target(listing)),
                Home::Goal
                    if was_begun && (known.was_named || wanted.half_way == HalfWay::Finish) =>
                {
                    found.yet.push(target(listing));
                }
                Home::Goal if was_begun => found.apart.push(listing),
                Home::Goal | Home::Elsewhere => {}
            }
        }
        found
    }
}

#[cfg(test)]
mod tests;
