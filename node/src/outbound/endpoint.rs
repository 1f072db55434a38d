//! A webhook endpoint: where events go, and which. One register of the cluster.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use meridian_regions::RegionId;
use prost::Message;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::events::{Plane, cloud_event};

/// What every endpoint's id begins with.
const PREFIX: &str = "whe_";
/// Hexadecimal digits behind it.
const ID_DIGITS: usize = 32;
/// What every secret that we make begins with.
const SECRET_PREFIX: &str = "whsec_";

/// Names an endpoint: `whe_` and 32 hexadecimal digits.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct EndpointId(String);

/// A text that names no endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an endpoint's id is `whe_` and {ID_DIGITS} hexadecimal digits")]
pub(crate) struct NoEndpointId;

impl EndpointId {
    /// One that nobody has.
    pub(crate) fn fresh() -> Self {
        Self(format!("{PREFIX}{:032x}", rand::random::<u128>()))
    }

    /// The key of its register.
    pub(crate) fn key(&self) -> String {
        format!("{ENDPOINT_KEYS}{self}")
    }

    /// The key of the register that says how far a region has come.
    pub(crate) fn progress_key(&self, region: &RegionId) -> String {
        format!("{}{region}", self.progress_keys())
    }

    /// What the keys of all regions' progress begin with.
    pub(crate) fn progress_keys(&self) -> String {
        format!("progress/{self}/")
    }
}

/// What keys of endpoints begin with.
pub(crate) const ENDPOINT_KEYS: &str = "endpoint/";

impl fmt::Display for EndpointId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl FromStr for EndpointId {
    type Err = NoEndpointId;

    fn from_str(text: &str) -> Result<Self, NoEndpointId> {
        let digits = text.strip_prefix(PREFIX).ok_or(NoEndpointId)?;
        let is_digit = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
        if digits.len() == ID_DIGITS && digits.bytes().all(is_digit) {
            Ok(Self(text.to_owned()))
        } else {
            Err(NoEndpointId)
        }
    }
}

impl Serialize for EndpointId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for EndpointId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// A secret that nobody knows.
pub(crate) fn fresh_secret() -> String {
    let (high, low): (u128, u128) = (rand::random(), rand::random());
    format!("{SECRET_PREFIX}{high:032x}{low:032x}")
}

/// See the module.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Endpoint {
    pub(crate) url: String,
    /// Types of events; empty for all.
    pub(crate) types: Vec<String>,
    /// Signs deliveries. Never shown again.
    pub(crate) secret: String,
    pub(crate) enabled: bool,
    /// When it was registered, in milliseconds since 1970.
    pub(crate) created_ms: u64,
    /// Events from before are not delivered, in milliseconds since 1970.
    pub(crate) since_ms: u64,
    /// The same of a plane of which it has wanted nothing at first.
    pub(crate) added_ms: BTreeMap<Plane, u64>,
    pub(crate) replay: Option<Replay>,
}

/// What is to be delivered once more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Replay {
    /// Grows from replay to replay: each region carries each out once.
    pub(crate) number: u64,
    /// A region's cursor; empty for the oldest that is kept. `None` for what is parked.
    pub(crate) cursor: Option<String>,
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Endpoint")
            .field("url", &self.url)
            .field("types", &self.types)
            .field("enabled", &self.enabled)
            .finish_non_exhaustive()
    }
}

impl Endpoint {
    /// Whether it is to be told of this type. What was missed may have been wanted.
    pub(crate) fn wants(&self, kind: &str) -> bool {
        kind == "events.missed" || self.types.is_empty() || self.types.iter().any(|one| one == kind)
    }

    /// Where what it wants is told.
    pub(crate) fn planes(&self) -> Vec<Plane> {
        let mut planes = Plane::ALL.to_vec();
        let types = &self.types;
        planes.retain(|plane| {
            types.is_empty() || types.iter().any(|one| cloud_event::plane_of(one) == *plane)
        });
        planes
    }

    /// Since when it wants what, in milliseconds since 1970.
    pub(crate) fn since(&self) -> BTreeMap<Plane, u64> {
        let since = |plane: Plane| {
            let added = self.added_ms.get(&plane).copied().unwrap_or(0);
            (plane, added.max(self.since_ms))
        };
        self.planes().into_iter().map(since).collect()
    }

    /// It wants other types from now on: of a plane that is new to it, what happens from now on.
    pub(crate) fn want(&mut self, types: Vec<String>, now_ms: u64) {
        let before = self.planes();
        self.types = types;
        let mut added = self.planes();
        added.retain(|plane| !before.contains(plane));
        self.added_ms
            .extend(added.into_iter().map(|plane| (plane, now_ms)));
    }

    pub(crate) fn encode(&self) -> Vec<u8> {
        let added = |plane| self.added_ms.get(&plane).copied().unwrap_or(0);
        StoredEndpoint {
            url: self.url.clone(),
            types: self.types.clone(),
            secret: self.secret.clone(),
            disabled: !self.enabled,
            created_ms: self.created_ms,
            since_ms: self.since_ms,
            listings_added_ms: added(Plane::Listings),
            bookings_added_ms: added(Plane::Bookings),
            replay: self.replay.as_ref().map(|replay| StoredReplay {
                number: replay.number,
                cursor: replay.cursor.clone(),
            }),
        }
        .encode_to_vec()
    }

    /// Reads what was written; `None` for anything else.
    pub(crate) fn decode(bytes: &[u8]) -> Option<Self> {
        let stored = StoredEndpoint::decode(bytes).ok()?;
        let added = [
            (Plane::Listings, stored.listings_added_ms),
            (Plane::Bookings, stored.bookings_added_ms),
        ];
        Some(Self {
            added_ms: added.into_iter().filter(|(_, at_ms)| *at_ms > 0).collect(),
            url: stored.url,
            types: stored.types,
            secret: stored.secret,
            enabled: !stored.disabled,
            created_ms: stored.created_ms,
            since_ms: stored.since_ms,
            replay: stored.replay.map(|replay| Replay {
                number: replay.number,
                cursor: replay.cursor,
            }),
        })
    }
}

#[derive(Clone, PartialEq, Message)]
struct StoredEndpoint {
    #[prost(string, tag = "1")]
    url: String,
    #[prost(string, repeated, tag = "2")]
    types: Vec<String>,
    #[prost(string, tag = "3")]
    secret: String,
    #[prost(bool, tag = "4")]
    disabled: bool,
    #[prost(uint64, tag = "5")]
    created_ms: u64,
    #[prost(uint64, tag = "6")]
    since_ms: u64,
    #[prost(message, optional, tag = "7")]
    replay: Option<StoredReplay>,
    #[prost(uint64, tag = "8")]
    listings_added_ms: u64,
    #[prost(uint64, tag = "9")]
    bookings_added_ms: u64,
}

#[derive(Clone, PartialEq, Eq, Hash, Message)]
struct StoredReplay {
    #[prost(uint64, tag = "1")]
    number: u64,
    #[prost(string, optional, tag = "2")]
    cursor: Option<String>,
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::{Endpoint, EndpointId, Plane, Replay, fresh_secret};

    #[test]
    fn id_reads_back_and_nothing_else_is_one() {
        let id = EndpointId::fresh();
        assert_eq!(id.to_string().parse(), Ok(id.clone()));
        for bad in [
            "",
            "whe_",
            "whe_12",
            &id.to_string().to_uppercase(),
            "lst_x",
        ] {
            assert!(bad.parse::<EndpointId>().is_err(), "{bad}");
        }
    }

    #[test]
    fn endpoint_reads_back_and_its_secret_is_never_printed() {
        let endpoint = Endpoint {
            url: "https://hooks.example.com/".to_owned(),
            types: vec!["booking.confirmed".to_owned()],
            secret: fresh_secret(),
            enabled: true,
            created_ms: 5,
            since_ms: 4,
            added_ms: [(Plane::Bookings, 6)].into(),
            replay: Some(Replay {
                number: 3,
                cursor: None,
            }),
        };
        assert_eq!(Endpoint::decode(&endpoint.encode()), Some(endpoint.clone()));
        assert!(!format!("{endpoint:?}").contains("whsec_"));
        assert!(endpoint.wants("booking.confirmed") && endpoint.wants("events.missed"));
        assert!(!endpoint.wants("booking.held"));
    }
    #[test]
    fn what_it_did_not_want_at_first_it_wants_from_then_on() {
        let mut endpoint = Endpoint {
            url: "https://hooks.example.com/".to_owned(),
            types: vec!["booking.confirmed".to_owned()],
            secret: fresh_secret(),
            enabled: true,
            created_ms: 5,
            since_ms: 5,
            added_ms: BTreeMap::new(),
            replay: None,
        };
        assert_eq!(endpoint.since(), [(Plane::Bookings, 5)].into());
        endpoint.want(Vec::new(), 9);
        let both = [(Plane::Listings, 9), (Plane::Bookings, 5)];
        assert_eq!(endpoint.since(), both.into());
        endpoint.want(vec!["listing.updated".to_owned()], 11);
        assert_eq!(endpoint.since(), [(Plane::Listings, 9)].into());
        endpoint.want(Vec::new(), 12);
        let both = [(Plane::Listings, 9), (Plane::Bookings, 12)];
        assert_eq!(endpoint.since(), both.into());
    }
}
