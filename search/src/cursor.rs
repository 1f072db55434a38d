//! Where a page ended: the next one begins behind it.
//!
//! A cursor says where in the order a listing stood, and not how many came before it:
//! listings that come or go in between move nothing. As text: unpadded base64url of a
//! version byte, what tells the query, and the place in its order.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::query::SearchQuery;
use crate::rank::Rank;

const VERSION: u8 = 1;
const BYTES: usize = 1 + 8 + 8 + 16;

/// Where a page ended. Good at every node, for the query that it came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cursor {
    query: u64,
    pub(crate) after: Rank,
}

/// A text that is no cursor of this query.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CursorError {
    /// Nothing that was ever given out.
    #[error("send the `next_cursor` of an earlier answer, unchanged")]
    Malformed,
    /// It belongs to another question.
    #[error("a cursor goes with the query that it came from: the same words, filters and order")]
    OfAnother,
}

impl Cursor {
    pub(crate) fn new(query: &SearchQuery, after: Rank) -> Self {
        Self {
            query: query.fingerprint(),
            after,
        }
    }

    /// As text, at most 44 characters.
    #[must_use]
    pub fn encode(&self) -> String {
        let mut bytes = Vec::with_capacity(BYTES);
        bytes.push(VERSION);
        bytes.extend_from_slice(&self.query.to_be_bytes());
        bytes.extend_from_slice(&self.after.key.to_be_bytes());
        bytes.extend_from_slice(&self.after.newest.to_be_bytes());
        URL_SAFE_NO_PAD.encode(bytes)
    }

    /// Reads a cursor of `query`.
    ///
    /// # Errors
    /// [`CursorError`] for what is none, or belongs to another query.
    pub fn decode(text: &str, query: &SearchQuery) -> Result<Self, CursorError> {
        let cursor = Self::read(text).ok_or(CursorError::Malformed)?;
        if cursor.query == query.fingerprint() {
            Ok(cursor)
        } else {
            Err(CursorError::OfAnother)
        }
    }

    pub(crate) fn read(text: &str) -> Option<Self> {
        // Four thirds of the bytes: nothing longer is unfolded.
        if text.len() > BYTES.div_ceil(3) * 4 {
            return None;
        }
        let bytes: [u8; BYTES] = URL_SAFE_NO_PAD.decode(text).ok()?.try_into().ok()?;
        let (version, rest) = bytes.split_first()?;
        let (query, rest) = rest.split_first_chunk::<8>()?;
        let (key, newest) = rest.split_first_chunk::<8>()?;
        (*version == VERSION).then_some(Self {
            query: u64::from_be_bytes(*query),
            after: Rank {
                key: u64::from_be_bytes(*key),
                newest: u128::from_be_bytes(newest.try_into().ok()?),
            },
        })
    }
}
