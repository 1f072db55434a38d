//! The id of a listing: a ULID and its home region.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use ulid::Ulid;

use crate::hashing::Digest;
use crate::ids::{parse_ulid, quoted};
use crate::{IdError, RegionId, ShardId, UnixNanos};

/// What every listing id begins with.
const PREFIX: &str = "lst_";
/// Bytes of a ULID in a key.
const ULID_BYTES: usize = 16;

/// Names a listing and says where it is at home: routing needs no look-up.
///
/// As text: `lst_<26 characters of ULID, lower case>_<region>`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ListingId {
    ulid: Ulid,
    home: RegionId,
}

impl ListingId {
    /// Puts an id together from its parts.
    #[must_use]
    pub const fn new(ulid: Ulid, home: RegionId) -> Self {
        Self { ulid, home }
    }

    /// A new id. The lower 80 bits of `random` keep ids of one millisecond apart.
    #[must_use]
    pub fn generate(now: UnixNanos, random: u128, home: RegionId) -> Self {
        Self::new(Ulid::from_parts(now.as_millis(), random), home)
    }

    /// The id of something imported: the same for the same source, so that
    /// importing it again finds it.
    #[must_use]
    pub fn derived(home: RegionId, source: &str, external: &str) -> Self {
        let digest = Digest::new("listing")
            .text(home.as_str())
            .text(source)
            .text(external)
            .finish();
        let mut ulid = [0; ULID_BYTES];
        ulid.copy_from_slice(&digest[..ULID_BYTES]);
        Self::new(Ulid::from_bytes(ulid), home)
    }

    /// What stands for a cluster's control group among the groups of listings: the one id
    /// that is no listing's, because its ULID is zero and theirs begin with the time or are
    /// digests.
    #[must_use]
    pub const fn of_control(home: RegionId) -> Self {
        Self::new(Ulid::nil(), home)
    }

    /// Whether it stands for a control group.
    #[must_use]
    pub const fn is_control(&self) -> bool {
        self.ulid.is_nil()
    }

    /// The region where it is at home.
    #[must_use]
    pub const fn home(&self) -> &RegionId {
        &self.home
    }

    /// Its ULID.
    #[must_use]
    pub const fn ulid(&self) -> Ulid {
        self.ulid
    }

    /// Its shard: a hash of the whole id, because a ULID begins with the time.
    #[must_use]
    pub fn shard(&self) -> ShardId {
        let digest = Digest::new("shard").bytes(&self.to_key()).finish();
        ShardId::of_hash(u16::from_be_bytes([digest[0], digest[1]]))
    }

    /// As the key of a record: 16 bytes of ULID, big-endian, then the region.
    #[must_use]
    pub fn to_key(&self) -> Vec<u8> {
        let mut key = Vec::with_capacity(ULID_BYTES + self.home.as_str().len());
        key.extend_from_slice(&self.ulid.to_bytes());
        key.extend_from_slice(self.home.as_str().as_bytes());
        key
    }

    /// Reads back what [`ListingId::to_key`] wrote.
    ///
    /// # Errors
    /// [`IdError::Key`] for anything else.
    pub fn from_key(key: &[u8]) -> Result<Self, IdError> {
        let refused = || IdError::Key(key.len());
        let (ulid, home) = key.split_first_chunk::<ULID_BYTES>().ok_or_else(refused)?;
        let home = std::str::from_utf8(home).map_err(|_| refused())?;
        let home = home.parse().map_err(|_| refused())?;
        Ok(Self::new(Ulid::from_bytes(*ulid), home))
    }

    /// The id without its prefix: what ids of holds and bookings are made of.
    pub(crate) fn tail(&self) -> String {
        format!(
            "{}_{}",
            self.ulid.to_string().to_ascii_lowercase(),
            self.home
        )
    }

    pub(crate) fn from_tail(tail: &str) -> Option<Self> {
        let (ulid, home) = tail.split_once('_')?;
        Some(Self::new(parse_ulid(ulid)?, home.parse().ok()?))
    }
}

impl fmt::Display for ListingId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{PREFIX}{}", self.tail())
    }
}

impl FromStr for ListingId {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        text.strip_prefix(PREFIX)
            .and_then(Self::from_tail)
            .ok_or_else(|| IdError::Shape {
                kind: "listing id",
                text: quoted(text),
                shape: "lst_<ulid>_<region>",
            })
    }
}

impl Serialize for ListingId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for ListingId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}
