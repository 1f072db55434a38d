//! What a client has seen: per node, a hybrid timestamp.
//!
//! A read with a token sees at least what the answer that carried it saw, in
//! whichever region (invariant 5). By node and not by region, because every node's
//! time is told by its own watermarks: a dead node must not hold up the sessions that
//! saw only its neighbour's writes.
//!
//! Tokens with [`SessionToken::join`] are a join-semilattice as long as they fit, and
//! [`SessionToken::covers`] is their order. A token of more nodes than fit 256 bytes
//! folds the oldest of its timestamps into one that counts for every node it does not
//! name: a read may then wait longer, it never sees less.
//!
//! A token also names the node that minted it, as long as that node had everything
//! that the token stands for: there it is covered by itself, also where a watermark
//! has not followed an entry yet.
//!
//! As text: unpadded base64url of a version byte, the minter as a varint (0: none)
//! and, ordered by node, a varint and 8 bytes per node; node 0 stands for the rest.

use std::collections::{BTreeMap, BTreeSet};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use meridian_regions::{Hlc, NodeId};
use prost::encoding::{decode_varint, encode_varint, encoded_len_varint};

use crate::limits::SESSION_TOKEN_BYTES_MAX;
use crate::wire::{self, WireError};

const WHAT: &str = "session token";
/// Version 1 named regions.
const VERSION: u8 = 2;
const HLC_BYTES: usize = 8;
/// Bytes whose text is [`SESSION_TOKEN_BYTES_MAX`] long.
const BYTES_MAX: usize = SESSION_TOKEN_BYTES_MAX / 4 * 3;
/// Stands for every node that is not named, and for no minter.
const REST: u64 = 0;

/// Per node, the timestamp through which a session has seen its writes.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SessionToken {
    minter: Option<NodeId>,
    seen: BTreeMap<NodeId, Hlc>,
    /// Counts for every node that is not named.
    rest: Option<Hlc>,
}

impl SessionToken {
    /// The token of a session that has seen nothing.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            minter: None,
            seen: BTreeMap::new(),
            rest: None,
        }
    }

    /// Notes that the session has seen the writes of `node` through `seen`.
    pub fn merge(&mut self, node: NodeId, seen: Hlc) {
        if self.demand(node).is_none_or(|held| held < seen) {
            self.minter = None;
            self.seen.insert(node, seen);
            self.fold();
        }
    }

    /// The same, said by a node that has everything that the token stands for.
    #[must_use]
    pub fn minted_by(mut self, node: NodeId) -> Self {
        self.minter = Some(node);
        self.fold();
        self
    }

    /// The node that has everything that the token stands for, if one is known.
    #[must_use]
    pub const fn minter(&self) -> Option<NodeId> {
        self.minter
    }

    /// Takes in what `other` has seen.
    pub fn join(&mut self, other: &Self) {
        if other.is_empty() {
            return;
        }
        if self.is_empty() {
            self.clone_from(other);
            return;
        }
        let named: BTreeSet<NodeId> = self.nodes().chain(other.nodes()).collect();
        self.seen = named
            .into_iter()
            .filter_map(|node| Some((node, self.demand(node).max(other.demand(node))?)))
            .collect();
        self.rest = self.rest.max(other.rest);
        // One node that has both; or nobody who is known to.
        self.minter = self.minter.filter(|_| self.minter == other.minter);
        self.fold();
    }

    /// Through when the session may have seen the writes of `node`.
    #[must_use]
    pub fn demand(&self, node: NodeId) -> Option<Hlc> {
        self.seen.get(&node).copied().or(self.rest)
    }

    /// The nodes that it names.
    pub fn nodes(&self) -> impl Iterator<Item = NodeId> {
        self.seen.keys().copied()
    }

    /// Whether any of its timestamps is so.
    pub fn any(&self, is: impl Fn(Hlc) -> bool) -> bool {
        self.seen.values().copied().chain(self.rest).any(is)
    }

    /// The latest timestamp in it.
    #[must_use]
    pub fn latest(&self) -> Hlc {
        let latest = self.seen.values().max().copied().max(self.rest);
        latest.unwrap_or_default()
    }

    /// True if a replica that stands at this token has everything that `other` saw.
    /// A node that this token says nothing of is covered only if `other` says nothing
    /// of it either.
    #[must_use]
    pub fn covers(&self, other: &Self) -> bool {
        self.rest >= other.rest
            && self
                .nodes()
                .chain(other.nodes())
                .all(|node| self.demand(node) >= other.demand(node))
    }

    /// True if the session has seen nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.seen.is_empty() && self.rest.is_none()
    }

    /// Its text: at most 256 bytes of `A-Z`, `a-z`, `0-9`, `-` and `_`.
    #[must_use]
    pub fn encode(&self) -> String {
        let mut bytes = Vec::with_capacity(self.bytes());
        bytes.push(VERSION);
        encode_varint(self.minter.map_or(REST, NodeId::get), &mut bytes);
        let rest = self.rest.map(|seen| (REST, seen));
        let named = self.seen.iter().map(|(node, seen)| (node.get(), *seen));
        for (node, seen) in rest.into_iter().chain(named) {
            encode_varint(node, &mut bytes);
            bytes.extend_from_slice(&seen.as_u64().to_be_bytes());
        }
        URL_SAFE_NO_PAD.encode(bytes)
    }

    /// Reads what [`SessionToken::encode`] wrote.
    ///
    /// # Errors
    /// [`WireError`] for anything else, also for a token of another version.
    pub fn decode(text: &str) -> Result<Self, WireError> {
        wire::within(WHAT, text.len(), SESSION_TOKEN_BYTES_MAX)?;
        let bytes = URL_SAFE_NO_PAD
            .decode(text)
            .map_err(|cause| WireError::malformed(WHAT, cause))?;
        let Some((&VERSION, mut rest)) = bytes.split_first() else {
            return Err(WireError::malformed(
                WHAT,
                "a version that is not known here",
            ));
        };
        let mut token = Self::new();
        let minter = varint(&mut rest)?;
        let mut last = None;
        while !rest.is_empty() {
            let node = varint(&mut rest)?;
            let Some((seen, after)) = rest.split_first_chunk::<HLC_BYTES>() else {
                return Err(WireError::malformed(WHAT, "cut short"));
            };
            if last.is_some_and(|last| last >= node) {
                return Err(WireError::malformed(WHAT, "its nodes are not in order"));
            }
            rest = after;
            last = Some(node);
            let seen = Hlc::from_u64(u64::from_be_bytes(*seen));
            match NodeId::new(node) {
                Some(node) => {
                    token.seen.insert(node, seen);
                }
                None => token.rest = Some(seen),
            }
        }
        token.minter = NodeId::new(minter);
        Ok(token)
    }

    /// Length of its encoding, in bytes.
    fn bytes(&self) -> usize {
        let minter = encoded_len_varint(self.minter.map_or(REST, NodeId::get));
        let rest = self
            .rest
            .map_or(0, |_| encoded_len_varint(REST) + HLC_BYTES);
        let named: usize = self
            .nodes()
            .map(|node| encoded_len_varint(node.get()) + HLC_BYTES)
            .sum();
        1 + minter + rest + named
    }

    /// Makes it fit: the oldest timestamps raise what counts for the rest the least.
    fn fold(&mut self) {
        self.drop_redundant();
        while self.bytes() > BYTES_MAX {
            let oldest = self.seen.iter().min_by_key(|(_, seen)| **seen);
            let Some((&node, &seen)) = oldest else {
                return;
            };
            self.seen.remove(&node);
            self.rest = self.rest.max(Some(seen));
        }
        self.drop_redundant();
    }

    /// Forgets names of which the rest says as much.
    fn drop_redundant(&mut self) {
        let rest = self.rest;
        self.seen.retain(|_, seen| Some(*seen) > rest);
    }
}

fn varint(bytes: &mut &[u8]) -> Result<u64, WireError> {
    decode_varint(bytes).map_err(|cause| WireError::malformed(WHAT, cause))
}

#[cfg(test)]
mod tests;
