//! Reads the feeds of a region's nodes, one after the other.

use std::time::Duration;

use bytes::Bytes;
use meridian_consensus::{FeedError, FeedPage, FeedPosition};
use meridian_regions::NodeId;
use meridian_transport::Channel;
use prost::Message;

use super::wire::{Answer, Ask, Record};
use super::{EventsDesk, PAGE_MAX, RegionCursor, Told};

/// How long a node beside this one may take: a scan of its disk, over a short link.
const ASK_DEADLINE: Duration = Duration::from_secs(2);

/// What a region tells after a cursor.
#[derive(Debug)]
pub(crate) struct Passage {
    /// In the order in which it was read.
    pub(crate) told: Vec<Told>,
    /// Nodes that did not answer: their events come later.
    pub(crate) waiting_for: Vec<NodeId>,
    /// Whether a node may have more.
    pub(crate) has_more: bool,
}

/// Why a region tells nothing after a cursor.
#[derive(Debug)]
pub(crate) enum Unread {
    /// Events of a node are not kept any more.
    Gone {
        /// Whose.
        node: NodeId,
        /// After which everything that is left can be read.
        oldest: FeedPosition,
    },
    /// This node cannot read its own feed.
    Failed(String),
}

/// Why one feed was not read.
enum Silence {
    Gone(FeedPosition),
    Failed(String),
    Unreachable,
}

impl EventsDesk {
    /// At most `limit` records of the feeds of `nodes`.
    pub(crate) async fn read(
        &self,
        cursor: &RegionCursor,
        nodes: &[NodeId],
        limit: usize,
    ) -> Result<Passage, Unread> {
        let mut passage = Passage {
            told: Vec::new(),
            waiting_for: Vec::new(),
            has_more: false,
        };
        let mut left = limit.min(PAGE_MAX);
        for node in in_turn(nodes, cursor.turn) {
            if left == 0 {
                passage.has_more = true;
                break;
            }
            let after = cursor.places.get(&node).copied();
            match self.feed_of(node, after, left).await {
                Ok(page) => {
                    passage.has_more |= page.records.len() == left;
                    left = left.saturating_sub(page.records.len());
                    passage.told.push(Told { node, page });
                }
                Err(Silence::Gone(oldest)) => return Err(Unread::Gone { node, oldest }),
                Err(Silence::Failed(cause)) if node == self.node => {
                    return Err(Unread::Failed(cause));
                }
                Err(Silence::Failed(_) | Silence::Unreachable) => passage.waiting_for.push(node),
            }
        }
        Ok(passage)
    }

    async fn feed_of(
        &self,
        node: NodeId,
        after: Option<FeedPosition>,
        limit: usize,
    ) -> Result<FeedPage, Silence> {
        if node == self.node {
            return self.groups.events(after, limit).map_err(Silence::from);
        }
        let ask = Ask {
            after: after.map(Into::into),
            limit: u32::try_from(limit).unwrap_or(u32::MAX),
        };
        let answer = self
            .mesh
            .call(
                node,
                Channel::Events,
                ask.encode_to_vec().into(),
                ASK_DEADLINE,
            )
            .await
            .map_err(|_unanswered| Silence::Unreachable)?;
        let answer = Answer::decode(answer).map_err(|_later_version| Silence::Unreachable)?;
        if let Some(oldest) = answer.oldest {
            return Err(Silence::Gone(oldest.into()));
        }
        let next = answer.next.filter(|_| !answer.failed);
        let next = next.ok_or(Silence::Unreachable)?.into();
        let records = answer.records.into_iter().map(Record::read);
        let records = records.collect::<Option<_>>();
        let records = records.ok_or(Silence::Unreachable)?;
        Ok(FeedPage { records, next })
    }

    /// Serves what another node of the region asks.
    pub(crate) fn serve(&self, request: &Bytes) -> Bytes {
        let mut answer = Answer::default();
        match Ask::decode(request.clone()) {
            Ok(ask) => {
                let limit = usize::try_from(ask.limit).unwrap_or(PAGE_MAX).min(PAGE_MAX);
                match self.groups.events(ask.after.map(Into::into), limit) {
                    Ok(page) => {
                        answer.records = page.records.iter().map(Record::from).collect();
                        answer.next = Some(page.next.into());
                    }
                    Err(FeedError::Gone { oldest }) => answer.oldest = Some(oldest.into()),
                    Err(FeedError::Storage(cause)) => {
                        tracing::error!(%cause, "cannot read the feed of events");
                        answer.failed = true;
                    }
                }
            }
            Err(_malformed) => answer.failed = true,
        }
        answer.encode_to_vec().into()
    }
}

impl From<FeedError> for Silence {
    fn from(error: FeedError) -> Self {
        match error {
            FeedError::Gone { oldest } => Self::Gone(oldest),
            FeedError::Storage(cause) => Self::Failed(cause.to_string()),
        }
    }
}

/// The nodes, beginning behind the one that was read last.
fn in_turn(nodes: &[NodeId], last: Option<NodeId>) -> impl Iterator<Item = NodeId> {
    let next = nodes
        .iter()
        .position(|node| last.is_none_or(|last| *node > last))
        .unwrap_or(0);
    nodes[next..].iter().chain(&nodes[..next]).copied()
}

#[cfg(test)]
mod tests {
    use meridian_regions::NodeId;

    use super::in_turn;

    #[test]
    fn everybody_has_a_turn_behind_the_last() {
        let nodes = [2, 5, 9].map(|id| NodeId::new(id).expect("not zero"));
        let order =
            |last: Option<NodeId>| in_turn(&nodes, last).map(NodeId::get).collect::<Vec<_>>();
        assert_eq!(order(None), [2, 5, 9]);
        assert_eq!(order(Some(nodes[0])), [5, 9, 2]);
        assert_eq!(order(Some(nodes[2])), [2, 5, 9]);
        assert_eq!(order(NodeId::new(6)), [9, 2, 5]);
    }
}
