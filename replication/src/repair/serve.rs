//! What this node answers to peers that compare their documents with its own.

use bytes::Bytes;
use meridian_regions::{Genesis, ListingId, NodeId};
use meridian_replication_core::{
    Beyond, Comparison, Fetched, FetchedDocument, RepairAnswer, RepairRequest, Reply, Want, answer,
    limits::FETCHED_BYTES,
};
use meridian_storage::{Durability, StorageError};
use meridian_transport::Refusal;

use super::{RepairError, blocking};
use crate::documents::open;
use crate::error::ReadError;
use crate::keys::GENESIS;
use crate::replica::Replica;

impl Replica {
    /// Answers a peer's question about this node's documents. Changes nothing.
    ///
    /// # Errors
    /// [`Refusal::Unavailable`] if the disk fails.
    pub async fn serve_repair(&self, peer: NodeId, request: Bytes) -> Result<Bytes, Refusal> {
        let request = match RepairRequest::decode(&request) {
            Ok(request) => request,
            Err(cause) => {
                tracing::warn!(%peer, %cause, "a repair request cannot be read");
                // An answer that says nothing. Who knows nothing of repairs has mended
                // nothing, and is passed by; this node is not.
                return Ok(Bytes::new());
            }
        };
        let answer = match request {
            RepairRequest::Compare(comparison) => self.compare(peer, comparison).await,
            RepairRequest::Fetch(wants) => self.give(wants).await,
        };
        answer
            .map(|answer| answer.encode().into())
            .map_err(|cause| {
                tracing::warn!(%peer, %cause, "a repair request was not answered");
                Refusal::Unavailable
            })
    }

    async fn compare(
        &self,
        peer: NodeId,
        comparison: Comparison,
    ) -> Result<RepairAnswer, RepairError> {
        let replica = self.clone();
        let replies = blocking(move || -> Result<Vec<Reply>, StorageError> {
            let replies = comparison.ranges.iter().map(|asked| {
                let shard = asked.range.shard();
                let outline = replica.outline_for(peer, comparison.walk, shard)?;
                answer(asked, &outline, &mut |range| replica.items(range))
            });
            replies.collect()
        });
        Ok(RepairAnswer::Compared(replies.await??))
    }

    /// What a peer lacks of some documents; those that do not fit are left out.
    async fn give(&self, wants: Vec<Want>) -> Result<RepairAnswer, RepairError> {
        let mut documents = Vec::with_capacity(wants.len());
        let mut bytes = 0;
        for want in wants {
            if bytes >= FETCHED_BYTES {
                break;
            }
            let document = self.beyond(want, FETCHED_BYTES - bytes)?;
            bytes += document.changes.iter().map(Vec::len).sum::<usize>();
            bytes += document.beginning.as_ref().map_or(0, Vec::len);
            documents.push(document);
            tokio::task::consume_budget().await;
        }
        // Nothing leaves this node before it is durable, and what has been seen is known
        // once it is.
        self.barrier(Durability::Synced).await?;
        for document in &mut documents {
            document.genesis = self.stored_genesis(&document.listing)?.map(Ok);
        }
        let seen = self.inner().progress.seen();
        Ok(RepairAnswer::Fetched(Fetched { documents, seen }))
    }

    fn beyond(&self, want: Want, bytes_max: usize) -> Result<FetchedDocument, RepairError> {
        let Want { listing, have } = want;
        let mut stripe = self.inner().documents.stripe(listing.shard());
        let beyond = match open(&mut stripe, &self.inner().store, &listing) {
            Ok(Some(hot)) => Some(hot.document.beyond(&have, bytes_max)),
            Ok(None) => None,
            Err(cause @ ReadError::Document { .. }) => {
                tracing::error!(%listing, %cause, "a peer asks for a document that cannot be read");
                Some(Beyond::UNREADABLE)
            }
            Err(cause) => return Err(cause.into()),
        };
        let beyond = beyond.unwrap_or_default();
        Ok(FetchedDocument {
            listing,
            changes: beyond.changes,
            genesis: None,
            left: beyond.left,
            beginning: beyond.beginning,
        })
    }

    /// The genesis record of a listing on disk; `None`, too, for one that cannot be read:
    /// who has none better is not helped by it.
    pub(super) fn stored_genesis(
        &self,
        listing: &ListingId,
    ) -> Result<Option<Genesis>, StorageError> {
        let record = self.inner().store.get(GENESIS, &listing.to_key())?;
        Ok(record.and_then(|bytes| Genesis::decode(&bytes).ok()))
    }
}
