//! Which endpoints there are, which one to ask now, and which to try after it.
//!
//! Plain data: time comes as `now`, chance as a number. It sends nothing; [`crate::tend`]
//! asks it whom to probe and tells it what came of that.
//!
//! Nobody is ever out of the order: an endpoint that is down stands behind those that are
//! up, so that a call finds a way as long as there is one.

mod endpoint;
mod round_trip;

use std::time::{Duration, Instant};

use endpoint::{Endpoint, Tier};

pub(crate) use endpoint::Failure;

/// Regions that are kept at most, and endpoints of each: enough to live through the loss
/// of a node, few enough to be measured by every client of a large cluster.
const REGIONS_MAX: usize = 64;
const PER_REGION_MAX: usize = 3;
/// Probes that run at once.
const PROBES_MAX: usize = 8;
/// An endpoint is left for one that is nearer by a fifth, and by so much at least: two
/// that are equally near do not take turns.
const NEARER_BY: u32 = 5;
const NEARER_BY_MIN: Duration = Duration::from_millis(1);

/// What decides among endpoints that are up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ranking {
    /// The order in which they were given.
    AsGiven,
    /// What was measured.
    ByRoundTrip,
}

/// A region and its endpoints, as a node tells of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Found {
    pub(crate) region: String,
    pub(crate) endpoints: Vec<String>,
}

/// The endpoints that a client knows.
#[derive(Debug)]
pub(crate) struct Roster {
    endpoints: Vec<Endpoint>,
    ranking: Ranking,
    /// URL of the one in use.
    current: Option<String>,
}

impl Roster {
    pub(crate) fn new(seeds: &[String], ranking: Ranking) -> Self {
        let mut roster = Self {
            endpoints: Vec::new(),
            ranking,
            current: None,
        };
        for seed in seeds {
            let url = seed.trim_end_matches('/');
            if roster.find(url).is_none() {
                roster.endpoints.push(Endpoint::seed(url));
            }
        }
        roster
    }

    /// Every endpoint, the one to ask first in front.
    pub(crate) fn order(&mut self, now: Instant) -> Vec<String> {
        let mut ranked: Vec<&Endpoint> = self.endpoints.iter().collect();
        // Stable: what is equal stays as it was given.
        ranked.sort_by_key(|endpoint| (endpoint.tier(now), self.distance(endpoint)));
        let in_use = |endpoint: &&Endpoint| Some(&endpoint.url) == self.current.as_ref();
        let kept = ranked.iter().position(in_use);
        if let (Some(place), Some(best)) = (kept, ranked.first())
            && self.keeps(ranked[place], best, now)
        {
            ranked[..=place].rotate_right(1);
        }
        let order: Vec<String> = ranked
            .into_iter()
            .map(|endpoint| endpoint.url.clone())
            .collect();
        self.current = order.first().cloned();
        order
    }

    /// The same, for whoever comes from an endpoint and goes on elsewhere if another one is up.
    pub(crate) fn order_from(&mut self, left: &str, now: Instant) -> Vec<String> {
        let mut order = self.order(now);
        // Stable: beyond that nothing changes.
        order.sort_by_key(|url| (!self.is_up(url, now), url == left));
        order
    }

    /// Whether an endpoint is worth a second request.
    pub(crate) fn is_up(&self, url: &str, now: Instant) -> bool {
        let mut known = self.endpoints.iter();
        known.any(|known| known.url == url && known.tier(now) == Tier::Up)
    }

    /// The region of an endpoint, where it is known.
    pub(crate) fn region(&self, url: &str) -> Option<&str> {
        let mut known = self.endpoints.iter();
        known.find(|known| known.url == url)?.region.as_deref()
    }

    /// The measured round trip to an endpoint.
    pub(crate) fn round_trip(&self, url: &str) -> Option<Duration> {
        let mut known = self.endpoints.iter();
        known.find(|known| known.url == url)?.round_trip.smoothed()
    }

    /// Takes note that an endpoint has answered, with whatever.
    pub(crate) fn answered(&mut self, url: &str, now: Instant) {
        if let Some(endpoint) = self.find(url) {
            endpoint.answered(now);
        }
    }

    /// Takes note that an endpoint has not answered.
    pub(crate) fn failed(&mut self, url: &str, failure: Failure, now: Instant) {
        if let Some(endpoint) = self.find(url) {
            endpoint.failed(failure, now);
        }
    }

    /// Takes note that an endpoint wants to be left alone.
    pub(crate) fn busy(&mut self, url: &str, until: Instant) {
        if let Some(endpoint) = self.find(url) {
            endpoint.busy_until = Some(until);
        }
    }

    /// Endpoints that are to be probed now; they count as being asked from then on.
    pub(crate) fn take_due(&mut self, now: Instant) -> Vec<String> {
        // Who has one endpoint only has nothing to choose.
        let alone = self.endpoints.len() == 1 && self.ranking == Ranking::AsGiven;
        let asked = self.endpoints.iter().filter(|one| one.is_asked(now));
        let room = PROBES_MAX.saturating_sub(asked.count());
        let ranking = self.ranking;
        let due = self.endpoints.iter_mut();
        due.filter(|endpoint| !alone && endpoint.is_due(ranking, now))
            .take(room)
            .map(|endpoint| {
                endpoint.ask(now);
                endpoint.url.clone()
            })
            .collect()
    }

    /// Takes note that a probe was answered after `took`, by a node of `region`.
    pub(crate) fn measured(&mut self, url: &str, took: Duration, region: &str, now: Instant) {
        if let Some(endpoint) = self.find(url) {
            endpoint.probed();
            endpoint.round_trip.record(took);
            endpoint.region = Some(region.to_owned());
            endpoint.answered(now);
        }
    }

    /// Takes note that a probe has failed.
    pub(crate) fn unmeasured(&mut self, url: &str, failure: Failure, now: Instant) {
        if let Some(endpoint) = self.find(url) {
            endpoint.probed();
            endpoint.failed(failure, now);
        }
    }

    /// Takes in what a node says of the cluster. Seeds stay; of each region a few endpoints
    /// are kept, `pick` deciding which, so that clients spread over its nodes.
    pub(crate) fn learn(&mut self, found: &[Found], pick: usize) {
        let found = &found[..found.len().min(REGIONS_MAX)];
        let listed = |url: &str| {
            let mut all = found.iter().flat_map(|region| &region.endpoints);
            all.any(|listed| listed.trim_end_matches('/') == url)
        };
        self.endpoints
            .retain(|known| known.is_seed || listed(&known.url));
        for region in found {
            let count = region.endpoints.len();
            for place in 0..count {
                let url = &region.endpoints[(pick % count + place) % count];
                self.meet(url.trim_end_matches('/'), &region.region);
            }
        }
    }

    fn meet(&mut self, url: &str, region: &str) {
        if let Some(known) = self.find(url) {
            known.region = Some(region.to_owned());
            return;
        }
        let there = |known: &&Endpoint| known.region.as_deref() == Some(region);
        if self.endpoints.iter().filter(there).count() < PER_REGION_MAX {
            self.endpoints.push(Endpoint::found(url, region));
        }
    }

    fn find(&mut self, url: &str) -> Option<&mut Endpoint> {
        self.endpoints.iter_mut().find(|known| known.url == url)
    }

    fn distance(&self, endpoint: &Endpoint) -> Duration {
        match self.ranking {
            Ranking::AsGiven => Duration::ZERO,
            Ranking::ByRoundTrip => endpoint.round_trip.smoothed().unwrap_or(Duration::MAX),
        }
    }

    /// Whether the one in use stays in use beside the best one.
    fn keeps(&self, current: &Endpoint, best: &Endpoint, now: Instant) -> bool {
        let usable = current.tier(now) == best.tier(now) && best.tier(now) == Tier::Up;
        let margin = |round_trip: Duration| (round_trip / NEARER_BY).max(NEARER_BY_MIN);
        let near = || {
            let (here, there) = (self.distance(current), self.distance(best));
            here != Duration::MAX && there + margin(here) > here
        };
        usable && self.ranking == Ranking::ByRoundTrip && near()
    }
}

#[cfg(test)]
mod tests;
