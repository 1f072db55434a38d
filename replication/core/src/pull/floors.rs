//! Where logs begin that have been trimmed.

use std::collections::BTreeSet;

use meridian_regions::{Hlc, NodeId, SHARD_COUNT, ShardId};
use prost::Message;

use crate::limits::ORIGINS_MAX;
use crate::wire::WireError;

/// The end of what is missing at the beginning of a log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LogFloor {
    /// Whose log.
    pub origin: NodeId,
    /// Of which shard.
    pub shard: ShardId,
    /// The last entry that was trimmed; not 0. The one behind it is there, if it was
    /// written.
    pub seq: u64,
    /// Its timestamp, or a later one before the next entry's.
    pub hlc: Hlc,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct TrimmedMessage {
    #[prost(message, repeated, tag = "1")]
    origins: Vec<OriginMessage>,
}

#[derive(Clone, PartialEq, Message)]
struct OriginMessage {
    #[prost(uint64, tag = "1")]
    node: u64,
    #[prost(uint32, repeated, tag = "2")]
    shards: Vec<u32>,
    #[prost(uint64, repeated, tag = "3")]
    seqs: Vec<u64>,
    #[prost(fixed64, repeated, tag = "4")]
    hlcs: Vec<u64>,
}

impl TrimmedMessage {
    pub(super) fn of(floors: &[LogFloor]) -> Self {
        let mut origins: Vec<OriginMessage> = Vec::new();
        for floor in floors {
            if origins
                .last()
                .is_none_or(|last| last.node != floor.origin.get())
            {
                origins.push(OriginMessage {
                    node: floor.origin.get(),
                    ..OriginMessage::default()
                });
            }
            if let Some(last) = origins.last_mut() {
                last.shards.push(floor.shard.get().into());
                last.seqs.push(floor.seq);
                last.hlcs.push(floor.hlc.as_u64());
            }
        }
        Self { origins }
    }

    pub(super) fn read(self, what: &'static str) -> Result<Vec<LogFloor>, WireError> {
        let refused = |detail: &str| WireError::malformed(what, detail);
        if self.origins.len() > ORIGINS_MAX {
            return Err(refused("too many origins"));
        }
        let (mut floors, mut named) = (Vec::new(), BTreeSet::new());
        for message in self.origins {
            let origin = NodeId::new(message.node).ok_or_else(|| refused("no origin"))?;
            if !named.insert(origin) {
                return Err(refused("an origin twice"));
            }
            let count = message.shards.len();
            if count > usize::from(SHARD_COUNT)
                || message.seqs.len() != count
                || message.hlcs.len() != count
            {
                return Err(refused("shards and floors do not pair up"));
            }
            let places = message.shards.into_iter().zip(message.seqs);
            for ((shard, seq), hlc) in places.zip(message.hlcs) {
                let shard = u16::try_from(shard).ok().and_then(ShardId::new);
                if seq == 0 {
                    return Err(refused("a floor at nothing"));
                }
                floors.push(LogFloor {
                    origin,
                    shard: shard.ok_or_else(|| refused("no shard"))?,
                    seq,
                    hlc: Hlc::from_u64(hlc),
                });
            }
        }
        Ok(floors)
    }
}
