//! The truth of a fake cluster: its regions, listings and keys.

mod bookings;
mod listings;
mod search;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::time::Duration;

use http::Method;
use serde_json::{Value, json};

use super::asked::Asked;
use super::ledger::Ledger;
use super::refusal::{Fine, Refusal, Told};
use crate::wire::Request;

/// Listings and keys at most: a test that makes more of them has run away.
const KEPT_MAX: usize = 100_000;

/// A region and what its test does to it.
#[derive(Debug)]
pub(super) struct Region {
    pub(super) name: String,
    pub(super) cut: bool,
    pub(super) answers_to_lose: u32,
    /// The last write that it has seen; `None` if it sees all.
    pub(super) seen: Option<u64>,
    pub(super) round_trip: Duration,
    pub(super) requests: usize,
}

/// A listing with all that it ever was.
#[derive(Debug, Default)]
struct Listing {
    /// Number of the write, and the document after it; null once it is deleted.
    versions: Vec<(u64, Value)>,
    ledger: Ledger,
}

/// What a key was answered.
#[derive(Debug)]
struct Kept {
    print: String,
    told: Told,
}

#[derive(Debug)]
pub(super) struct World {
    regions: Vec<Region>,
    /// Number of the last write to a listing.
    written: u64,
    /// By what follows `lst_`.
    listings: BTreeMap<String, Listing>,
    keys: HashMap<String, Kept>,
}

impl World {
    pub(super) fn new(names: Vec<String>) -> Self {
        let distinct: HashSet<&String> = names.iter().collect();
        assert!(!names.is_empty(), "a cluster has a region");
        assert_eq!(distinct.len(), names.len(), "each region has one name");
        let plain = |name: &String| {
            let fits =
                |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
            !name.is_empty() && name.bytes().all(fits)
        };
        assert!(names.iter().all(plain), "a region is named as in eu-west");
        let regions = names.into_iter().map(|name| Region {
            name,
            cut: false,
            answers_to_lose: 0,
            seen: None,
            round_trip: Duration::ZERO,
            requests: 0,
        });
        Self {
            regions: regions.collect(),
            written: 0,
            listings: BTreeMap::new(),
            keys: HashMap::new(),
        }
    }

    /// URLs of all nodes.
    pub(super) fn endpoints(&self) -> impl Iterator<Item = String> {
        self.regions.iter().map(|region| endpoint(&region.name))
    }

    pub(super) fn region(&mut self, name: &str) -> &mut Region {
        let mut regions = self.regions.iter_mut();
        let found = regions.find(|region| region.name == name);
        found.unwrap_or_else(|| panic!("the fake cluster has no region `{name}`"))
    }

    /// Which region a URL leads to.
    pub(super) fn place_of(&self, url: &str) -> Option<usize> {
        self.endpoints().position(|endpoint| {
            let rest = url.strip_prefix(&endpoint);
            rest.is_some_and(|rest| rest.starts_with('/'))
        })
    }

    pub(super) fn at(&mut self, place: usize) -> &mut Region {
        &mut self.regions[place]
    }

    pub(super) const fn written(&self) -> u64 {
        self.written
    }

    pub(super) fn expire_holds(&mut self) {
        for listing in self.listings.values_mut() {
            listing.ledger.expire_holds();
        }
    }

    /// What a region answers, and what its session has seen then.
    pub(super) fn answer(&mut self, place: usize, request: &Request) -> (Told, u64) {
        let asked = match Asked::parse(request) {
            Ok(asked) => asked,
            Err(refusal) => return (Err(refusal), 0),
        };
        let told = if asked.seen > self.seen_at(place) && !asked.eventual {
            let detail = format!(
                "{} has not seen the session's writes",
                self.regions[place].name
            );
            Err(Refusal::new(503, "session-behind", detail))
        } else {
            self.route(place, &asked)
        };
        let seen = self.seen_at(place).max(asked.seen);
        (told, seen)
    }

    fn route(&mut self, place: usize, asked: &Asked) -> Told {
        if self.keys.len() + self.listings.len() > KEPT_MAX && asked.method != Method::GET {
            return Err(Refusal::new(503, "overloaded", "the fake cluster is full"));
        }
        let path = asked.path();
        match (asked.method.as_str(), path.as_slice()) {
            ("GET", ["regions"]) => Ok(Fine::new(200, self.regions(place))),
            ("GET", ["listings"]) => self.find(place, asked),
            ("POST", ["listings"]) => self.create(place, asked),
            ("GET", ["listings", id]) => self.read(place, id),
            ("PATCH", ["listings", id]) => self.patch(place, id, asked),
            ("DELETE", ["listings", id]) => self.remove(place, id),
            ("GET", ["listings", id, "availability"]) => self.availability(id, asked),
            ("GET", ["listings", id, "bookings"]) => self.bookings_of(id, asked),
            ("POST", ["listings", id, "holds"]) => self.keyed(asked, |world| world.hold(id, asked)),
            ("DELETE", ["holds", id]) => self.release(id),
            ("POST", ["bookings"]) => self.keyed(asked, |world| world.book(asked)),
            ("GET", ["bookings", id]) => self.booking(id),
            ("POST", ["bookings", id, "cancel"]) => self.keyed(asked, |world| world.cancel(id)),
            ("GET", ["outcomes", key]) => Ok(Fine::new(200, self.outcome(key))),
            _ => Err(Refusal::not_found("the fake cluster has no such path")),
        }
    }

    /// Does something once for each key.
    fn keyed(&mut self, asked: &Asked, act: impl FnOnce(&mut Self) -> Told) -> Told {
        let Some(key) = asked.key.clone() else {
            let detail = "send a fresh unique value, and the same one when you repeat the request";
            return Err(Refusal::new(400, "idempotency-key-missing", detail));
        };
        if let Some(kept) = self.keys.get(&key) {
            if kept.print != asked.print() {
                let detail = "send a fresh Idempotency-Key with a new request";
                return Err(Refusal::new(422, "idempotency-mismatch", detail));
            }
            let mut told = kept.told.clone();
            if let Ok(fine) = &mut told {
                fine.replayed = true;
            }
            return told;
        }
        let told = act(self);
        if told.as_ref().map_or_else(Refusal::is_verdict, |_| true) {
            let print = asked.print();
            let kept = Kept {
                print,
                told: told.clone(),
            };
            self.keys.insert(key, kept);
        }
        told
    }

    fn outcome(&self, key: &str) -> Value {
        match self.keys.get(key).map(|kept| &kept.told) {
            None => json!({"outcome": "unknown"}),
            Some(Ok(fine)) => json!({"outcome": "committed", "answer": fine.body}),
            Some(Err(refusal)) => json!({"outcome": "rejected", "problem": refusal.to_json()}),
        }
    }

    fn regions(&self, place: usize) -> Value {
        let data = self.regions.iter().map(|region| {
            json!({
                "id": region.name,
                "health": if region.cut { "unreachable" } else { "healthy" },
                "endpoints": [endpoint(&region.name)],
            })
        });
        let data: Vec<Value> = data.collect();
        json!({"served_by": self.regions[place].name, "data": data})
    }

    fn seen_at(&self, place: usize) -> u64 {
        self.regions[place].seen.unwrap_or(self.written)
    }

    fn listing(&mut self, id: &str) -> Result<(String, &mut Listing), Refusal> {
        let tail = id.strip_prefix("lst_").unwrap_or_default().to_owned();
        match self.listings.get_mut(&tail) {
            Some(listing) => Ok((tail, listing)),
            None => Err(Refusal::not_found("no such listing")),
        }
    }
}

fn endpoint(region: &str) -> String {
    format!("http://{region}.fake")
}
