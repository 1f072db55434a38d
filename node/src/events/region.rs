//! Reads the feeds of a region's nodes, one after the other.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use meridian_regions::NodeId;
use meridian_storage::{FeedError, FeedPosition};
use meridian_transport::Channel;
use prost::Message;

use super::wire::{Answer, Ask, Record};
use super::{EventsDesk, FeedName, FeedPage, Heard, PAGE_MAX, Plane, RegionCursor};

/// How long a node beside this one may take: a scan of its disk, over a short link.
const ASK_DEADLINE: Duration = Duration::from_secs(2);

/// What a region tells after a cursor.
#[derive(Debug)]
pub(crate) struct Passage {
    /// In the order in which it was read.
    pub(crate) heard: Vec<Heard>,
    /// Nodes that did not answer: their events come later.
    pub(crate) waiting_for: Vec<NodeId>,
    /// Whether a feed may have more.
    pub(crate) has_more: bool,
}

/// Why a region tells nothing after a cursor.
#[derive(Debug)]
pub(crate) enum Unread {
    /// Events of a feed are not kept any more.
    Gone {
        /// Which.
        feed: FeedName,
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
    /// At most `limit` records of the feeds of `nodes`, and of each plane as many as there is room
    /// for: one without is not read, and nothing of it can be gone.
    pub(crate) async fn read(
        &self,
        cursor: &RegionCursor,
        (nodes, rooms): (&[NodeId], &BTreeMap<Plane, usize>),
        limit: usize,
    ) -> Result<Passage, Unread> {
        let mut passage = Passage {
            heard: Vec::new(),
            waiting_for: Vec::new(),
            has_more: false,
        };
        let mut left = limit.min(PAGE_MAX);
        let mut rooms = rooms.clone();
        let planes: Vec<Plane> = rooms.keys().copied().collect();
        let feeds = FeedName::all_of(nodes, &planes);
        for feed in in_turn(&feeds, cursor.turn) {
            let room = rooms.entry(feed.plane).or_default();
            let most = left.min(*room);
            if most == 0 {
                passage.has_more = true;
                continue;
            }
            let after = cursor.places.get(&feed).copied();
            match self.page_of(feed, after, most).await {
                Ok(page) => {
                    let found = page.records.len();
                    passage.has_more |= found == most;
                    left = left.saturating_sub(found);
                    *room = room.saturating_sub(found);
                    passage.heard.push(Heard { feed, page });
                }
                Err(Silence::Gone(oldest)) => return Err(Unread::Gone { feed, oldest }),
                Err(Silence::Failed(cause)) if feed.node == self.node => {
                    return Err(Unread::Failed(cause));
                }
                Err(Silence::Failed(_) | Silence::Unreachable) => {
                    passage.waiting_for.push(feed.node);
                }
            }
        }
        passage.waiting_for.sort_unstable();
        passage.waiting_for.dedup();
        Ok(passage)
    }

    async fn page_of(
        &self,
        feed: FeedName,
        after: Option<FeedPosition>,
        limit: usize,
    ) -> Result<FeedPage, Silence> {
        let FeedName { node, plane } = feed;
        if node == self.node {
            return self.own(plane, after, limit).map_err(Silence::from);
        }
        let ask = Ask {
            after: after.map(Into::into),
            limit: u32::try_from(limit).unwrap_or(u32::MAX),
            of_listings: plane == Plane::Listings,
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
        if answer.plane() != plane {
            // An earlier version: it has no such feed yet.
            return Err(Silence::Unreachable);
        }
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

    fn own(
        &self,
        plane: Plane,
        after: Option<FeedPosition>,
        limit: usize,
    ) -> Result<FeedPage, FeedError> {
        match plane {
            Plane::Bookings => self.groups.events(after, limit).map(FeedPage::from),
            Plane::Listings => self.replica.events(after, limit).map(FeedPage::from),
        }
    }

    /// Serves what another node of the region asks.
    pub(crate) fn serve(&self, request: &Bytes) -> Bytes {
        let mut answer = Answer::default();
        match Ask::decode(request.clone()) {
            Ok(ask) => {
                let limit = usize::try_from(ask.limit).unwrap_or(PAGE_MAX).min(PAGE_MAX);
                answer.of_listings = ask.of_listings;
                match self.own(ask.plane(), ask.after.map(Into::into), limit) {
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

/// The feeds, beginning behind the one that was read last.
fn in_turn(feeds: &[FeedName], last: Option<FeedName>) -> impl Iterator<Item = FeedName> {
    let next = feeds
        .iter()
        .position(|feed| last.is_none_or(|last| *feed > last))
        .unwrap_or(0);
    feeds[next..].iter().chain(&feeds[..next]).copied()
}

#[cfg(test)]
mod tests {
    use meridian_regions::NodeId;

    use super::{FeedName, Plane, in_turn};

    #[test]
    fn every_feed_has_a_turn_behind_the_last() {
        let nodes = [2, 9].map(|id| NodeId::new(id).expect("not zero"));
        let feeds = FeedName::all_of(&nodes, &Plane::ALL);
        let order = |last: Option<FeedName>| in_turn(&feeds, last).collect::<Vec<_>>();
        let rotated = |by: usize| [&feeds[by..], &feeds[..by]].concat();
        assert_eq!(order(None), feeds);
        assert_eq!(order(Some(feeds[0])), rotated(1));
        assert_eq!(order(Some(feeds[1])), rotated(2));
        assert_eq!(order(Some(feeds[3])), feeds);
        let node = NodeId::new(6).expect("not zero");
        let plane = Plane::Listings;
        assert_eq!(order(Some(FeedName { node, plane })), rotated(2));
    }
}
