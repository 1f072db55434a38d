//! `GET /v1/listings/{id}/watch`: a listing as server-sent events, its document and
//! its availability.
//!
//! `listing.updated` and `listing.deleted` carry the whole document,
//! `availability.changed` the revision of the ledger as this node has applied it: who
//! wants to know more asks for the availability. An event's id says what has been seen
//! of both. A client that comes back with `Last-Event-ID` gets the present state at
//! once unless it has seen it already: states in between are skipped, and nothing is
//! missed for good. A node that does not vote on the listing hears nothing of its
//! bookings, and tells of its document alone.
//!
//! A client that reads slowly is told less often: nothing is queued for it but what the
//! connection holds. One that takes nothing at all is cut off (`limits.stall_ms`), and the
//! place that it had is free. A stream that the node itself ends says why:
//! `watch.ended`, with a `reason` of `stopping`, `failed` or `unauthenticated`.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Bytes;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::sse::{Event, KeepAlive, Sse};
use futures::Stream;
use meridian_regions::ListingId;
use meridian_replication::{Changes, ReadListing};
use serde_json::json;
use tokio::sync::OwnedSemaphorePermit;

use super::id::Id;
use super::listings::{find, founded};
use super::problem::{Problem, Slug};
use super::session::Session;
use crate::node::Node;

/// Header with the id of the last event that a client has seen.
const LAST_EVENT_ID: &str = "last-event-id";
/// Between the two parts of an event's id: entity tag and revision.
const ID_SEPARATOR: char = ';';
/// Comment lines that keep proxies from closing a quiet stream.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// The last event.
const ENDED: &str = "watch.ended";
/// When to come back after `overloaded`.
const FULL_RETRY: Duration = Duration::from_secs(5);

/// Streams a listing until the client or the node goes.
pub(crate) async fn watch(
    State(node): State<Arc<Node>>,
    Id(id): Id<ListingId>,
    _session: Session,
    headers: HeaderMap,
) -> Result<Sse<impl Stream<Item = Result<Event, Infallible>>>, Problem> {
    let slot = place(&node)?;
    // Subscribed before the first read: a change in between is seen twice, not never.
    let (documents, ledgers) = (node.replica.subscribe(), node.groups.changes());
    find(&node, &id).await?;
    let voters = node.groups.voters(&founded(&node, &id)?);
    let votes = voters.contains(&node.identity.node);
    let seen = headers
        .get(LAST_EVENT_ID)
        .and_then(|value| value.to_str().ok());
    let watch = Watch {
        seen: seen.map(Seen::read).unwrap_or_default(),
        id,
        documents,
        ledgers,
        votes,
        due: Due {
            document: true,
            ledger: votes,
        },
        ended: false,
        node,
        _slot: slot,
    };
    let events = futures::stream::unfold(watch, |mut watch| async move {
        let event = watch.next().await?;
        Some((Ok(event), watch))
    });
    Ok(Sse::new(events).keep_alive(KeepAlive::new().interval(KEEP_ALIVE)))
}

/// A place among those who watch, given back when it is dropped.
pub(super) fn place(node: &Node) -> Result<OwnedSemaphorePermit, Problem> {
    let place = Arc::clone(&node.watchers).try_acquire_owned();
    place.map_err(|_full| {
        let detail = "too many clients watch listings of this node";
        Problem::new(Slug::Overloaded, detail).retry_after(FULL_RETRY)
    })
}

struct Watch {
    node: Arc<Node>,
    id: ListingId,
    documents: Changes,
    ledgers: meridian_consensus::Changes,
    votes: bool,
    seen: Seen,
    due: Due,
    ended: bool,
    _slot: OwnedSemaphorePermit,
}

/// What has still to be looked at.
struct Due {
    document: bool,
    ledger: bool,
}

/// Why the node ends a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ending {
    /// It stops.
    Stopping,
    /// A disk failed, or what was watched is gone.
    Failed,
    /// The node that holds the listing has gone.
    Lost,
    /// What it was opened with is not good any more.
    Withdrawn,
}

impl Watch {
    /// The next event, `None` after the last one.
    async fn next(&mut self) -> Option<Event> {
        if self.ended {
            return None;
        }
        let event = self.change().await;
        self.ended = event.is_err();
        Some(event.unwrap_or_else(Ending::event))
    }

    async fn change(&mut self) -> Result<Event, Ending> {
        loop {
            if std::mem::take(&mut self.due.document) {
                let read = self.node.replica.read(&self.id).await;
                let listing = read.ok().flatten().ok_or(Ending::Failed)?;
                if self.seen.document.as_deref() != Some(listing.etag()) {
                    self.seen.document = Some(listing.etag().to_owned());
                    return Ok(document_event(&listing).id(self.seen.to_string()));
                }
            }
            if std::mem::take(&mut self.due.ledger) {
                let local = self.node.groups.local(&self.id);
                let revision = local.map_err(|_| Ending::Failed)?.ledger.revision();
                if self.seen.revision != Some(revision) {
                    self.seen.revision = Some(revision);
                    return Ok(ledger_event(revision).id(self.seen.to_string()));
                }
            }
            // Both waits may be given up and taken up again: a change that has been told
            // is not lost by it.
            tokio::select! {
                biased;
                () = self.node.stopping.cancelled() => return Err(Ending::Stopping),
                changed = self.documents.changed(&self.id) => {
                    changed.ok_or(Ending::Failed)?;
                    self.due.document = true;
                }
                changed = self.ledgers.changed(&self.id), if self.votes => {
                    changed.ok_or(Ending::Failed)?;
                    self.due.ledger = true;
                }
            }
        }
    }
}

impl Ending {
    /// The last event. It has no id: what has been seen stays seen.
    fn event(self) -> Event {
        Event::default().event(ENDED).data(self.data())
    }

    fn data(self) -> String {
        let (reason, detail) = match self {
            Self::Stopping => ("stopping", "this node stops: watch at another one"),
            Self::Failed => (
                "failed",
                "this node cannot read the listing: its log says why",
            ),
            Self::Lost => (
                "failed",
                "the node that told this cannot be reached: watch again",
            ),
            Self::Withdrawn => (
                "unauthenticated",
                "the credentials that this was opened with are not good any more: watch again with others",
            ),
        };
        json!({"reason": reason, "detail": detail}).to_string()
    }
}

/// The last event of a stream that this node only passes on.
pub(crate) fn ended(ending: Ending) -> Bytes {
    format!("event: {ENDED}\ndata: {}\n\n", ending.data()).into()
}

fn document_event(listing: &ReadListing) -> Event {
    let kind = if listing.deleted() {
        "listing.deleted"
    } else {
        "listing.updated"
    };
    let json = String::from_utf8_lossy(listing.json());
    Event::default().event(kind).data(json)
}

fn ledger_event(revision: u64) -> Event {
    Event::default()
        .event("availability.changed")
        .data(json!({"revision": revision}).to_string())
}

/// What a client has seen of a listing.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
struct Seen {
    /// Entity tag of the document.
    document: Option<String>,
    /// Revision of the ledger.
    revision: Option<u64>,
}

impl Seen {
    /// Reads an event's id. What cannot be read has not been seen.
    fn read(id: &str) -> Self {
        let (document, revision) = id.split_once(ID_SEPARATOR).unwrap_or((id, ""));
        Self {
            document: (!document.is_empty()).then(|| document.to_owned()),
            revision: revision.parse().ok(),
        }
    }
}

impl std::fmt::Display for Seen {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(self.document.as_deref().unwrap_or_default())?;
        match self.revision {
            Some(revision) => write!(formatter, "{ID_SEPARATOR}{revision}"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Seen;

    #[test]
    fn what_has_been_seen_reads_back_and_anything_else_has_not() {
        for (document, revision) in [
            (None, None),
            (Some("\"ab\""), None),
            (Some("\"ab\""), Some(7)),
        ] {
            let seen = Seen {
                document: document.map(str::to_owned),
                revision,
            };
            assert_eq!(Seen::read(&seen.to_string()), seen);
        }
        assert_eq!(Seen::read("\"ab\";x").revision, None);
    }
}
