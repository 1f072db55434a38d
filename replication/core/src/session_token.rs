//! What a client has seen: per region, a hybrid timestamp.
//!
//! A read with a token sees at least what the answer that carried it saw, in
//! whichever region (invariant 5). Tokens with [`SessionToken::merge`] are a
//! join-semilattice, and [`SessionToken::covers`] is its order.
//!
//! A region is named by four bytes of the BLAKE3 hash of its id, so that a token of
//! [`SESSION_REGIONS_MAX`] regions fits 256 bytes however long their names are.
//! Should two regions of a cluster share these bytes (one in 40 million for 15
//! regions), the later of their timestamps counts for both: a read may wait
//! longer, it never sees less.
//!
//! As text: unpadded base64url of a version byte and, ordered by tag, 12 bytes per
//! region.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use meridian_regions::{Hlc, RegionId};

use crate::limits::{SESSION_REGIONS_MAX, SESSION_TOKEN_BYTES_MAX};
use crate::wire::{self, WireError};

const WHAT: &str = "session token";
const VERSION: u8 = 1;
const TAG_BYTES: usize = 4;
const ENTRY_BYTES: usize = TAG_BYTES + 8;

type RegionTag = [u8; TAG_BYTES];

/// Per region, the timestamp through which a session has seen its writes.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SessionToken(BTreeMap<RegionTag, Hlc>);

/// A token that names as many regions as fit it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a session token names at most {SESSION_REGIONS_MAX} regions")]
pub struct SessionTokenFull;

impl SessionToken {
    /// The token of a session that has seen nothing.
    #[must_use]
    pub const fn new() -> Self {
        Self(BTreeMap::new())
    }

    /// Notes that the session has seen the writes of `region` through `seen`.
    ///
    /// # Errors
    /// [`SessionTokenFull`] for a region past the [`SESSION_REGIONS_MAX`]th; the
    /// token is then as it was.
    pub fn merge(&mut self, region: &RegionId, seen: Hlc) -> Result<(), SessionTokenFull> {
        let tag = tag(region);
        if self.0.len() >= SESSION_REGIONS_MAX && !self.0.contains_key(&tag) {
            return Err(SessionTokenFull);
        }
        let held = self.0.entry(tag).or_default();
        *held = seen.max(*held);
        Ok(())
    }

    /// Through when the session has seen the writes of `region`.
    #[must_use]
    pub fn get(&self, region: &RegionId) -> Option<Hlc> {
        self.0.get(&tag(region)).copied()
    }

    /// True if a replica that stands at this token has everything that `other` saw.
    /// A region that this token does not name is covered only if `other` does not
    /// name it either.
    #[must_use]
    pub fn covers(&self, other: &Self) -> bool {
        other
            .0
            .iter()
            .all(|(tag, seen)| self.0.get(tag).is_some_and(|held| held >= seen))
    }

    /// True if the session has seen nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Its text: at most 256 bytes of `A-Z`, `a-z`, `0-9`, `-` and `_`.
    #[must_use]
    pub fn encode(&self) -> String {
        let mut bytes = Vec::with_capacity(1 + self.0.len() * ENTRY_BYTES);
        bytes.push(VERSION);
        for (tag, seen) in &self.0 {
            bytes.extend_from_slice(tag);
            bytes.extend_from_slice(&seen.as_u64().to_be_bytes());
        }
        URL_SAFE_NO_PAD.encode(bytes)
    }

    /// Reads what [`SessionToken::encode`] wrote.
    ///
    /// # Errors
    /// [`WireError`] for anything else, also for a token of a later version.
    pub fn decode(text: &str) -> Result<Self, WireError> {
        wire::within(WHAT, text.len(), SESSION_TOKEN_BYTES_MAX)?;
        let bytes = URL_SAFE_NO_PAD
            .decode(text)
            .map_err(|cause| WireError::malformed(WHAT, cause))?;
        let Some((&VERSION, entries)) = bytes.split_first() else {
            return Err(WireError::malformed(
                WHAT,
                "a version that is not known here",
            ));
        };
        let (entries, rest) = entries.as_chunks::<ENTRY_BYTES>();
        if !rest.is_empty() || entries.len() > SESSION_REGIONS_MAX {
            return Err(WireError::malformed(WHAT, "not a whole number of regions"));
        }
        let mut token = Self::new();
        for entry in entries {
            let (tag, seen) = entry
                .split_first_chunk::<TAG_BYTES>()
                .expect("an entry is longer than its tag");
            let seen = seen.try_into().expect("the rest of an entry is 8 bytes");
            token
                .0
                .insert(*tag, Hlc::from_u64(u64::from_be_bytes(seen)));
        }
        Ok(token)
    }
}

fn tag(region: &RegionId) -> RegionTag {
    let hash = blake3::hash(region.as_str().as_bytes());
    *hash
        .as_bytes()
        .first_chunk()
        .expect("a hash is longer than a tag")
}

#[cfg(test)]
mod tests {
    use meridian_regions::{Hlc, RegionId};
    use proptest::prelude::{any, prop, prop_assert, prop_assert_eq, proptest};
    use proptest::strategy::Strategy;

    use super::{SessionToken, SessionTokenFull};
    use crate::limits::{SESSION_REGIONS_MAX, SESSION_TOKEN_BYTES_MAX};

    fn region(number: usize) -> RegionId {
        format!("region-with-a-very-long-name-{number:03}")
            .parse()
            .expect("a region")
    }

    fn token() -> impl Strategy<Value = SessionToken> {
        prop::collection::vec((0..SESSION_REGIONS_MAX, any::<u64>()), 0..30).prop_map(|seen| {
            let mut token = SessionToken::new();
            for (number, hlc) in seen {
                let merged = token.merge(&region(number), Hlc::from_u64(hlc));
                merged.expect("never more regions than fit");
            }
            token
        })
    }

    #[test]
    fn fifteen_regions_with_the_longest_names_fit_256_bytes() {
        let mut token = SessionToken::new();
        for number in 0..SESSION_REGIONS_MAX {
            let merged = token.merge(&region(number), Hlc::from_u64(u64::MAX));
            merged.expect("they fit");
        }
        let text = token.encode();
        assert!(text.len() <= SESSION_TOKEN_BYTES_MAX, "{}", text.len());
        assert_eq!(SessionToken::decode(&text), Ok(token.clone()));
        let one_more = token.merge(&region(SESSION_REGIONS_MAX), Hlc::from_u64(1));
        assert_eq!(one_more, Err(SessionTokenFull));
    }

    #[test]
    fn region_that_a_replica_has_never_heard_of_is_not_covered() {
        let mut seen = SessionToken::new();
        seen.merge(&region(1), Hlc::from_u64(1)).expect("one fits");
        assert!(!SessionToken::new().covers(&seen));
        assert!(seen.covers(&SessionToken::new()));
    }

    proptest! {
        #[test]
        fn token_reads_back_as_itself(token in token()) {
            prop_assert_eq!(SessionToken::decode(&token.encode()), Ok(token));
        }

        #[test]
        fn token_only_grows(token in token(), number in 0..SESSION_REGIONS_MAX, hlc in any::<u64>()) {
            let mut later = token.clone();
            later.merge(&region(number), Hlc::from_u64(hlc)).expect("it fits");
            prop_assert!(later.covers(&token));
            prop_assert!(later.get(&region(number)) >= Some(Hlc::from_u64(hlc)));
        }

        #[test]
        fn any_text_is_read_or_refused(text in "[ -~]{0,300}") {
            if let Ok(token) = SessionToken::decode(&text) {
                prop_assert!(token.encode().len() <= SESSION_TOKEN_BYTES_MAX);
            }
        }
    }
}
