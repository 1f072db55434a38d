//! `GET /v1/listings/{id}/watch`: a listing as server-sent events.
//!
//! Every event carries the whole document and its heads as the event's id. A
//! client that comes back with `Last-Event-ID` gets the present state at once
//! unless it has seen it already: states in between are skipped, as a CRDT
//! document allows, and nothing is missed for good.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::sse::{Event, KeepAlive, Sse};
use futures::Stream;
use meridian_regions::ListingId;
use meridian_replication::{Changes, ReadListing};
use tokio::sync::OwnedSemaphorePermit;

use super::id::Id;
use super::listings::find;
use super::problem::{Problem, Slug};
use super::session::Session;
use crate::node::Node;

/// Header with the id of the last event that a client has seen.
const LAST_EVENT_ID: &str = "last-event-id";
/// Comment lines that keep proxies from closing a quiet stream.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// When to come back after `overloaded`.
const FULL_RETRY: Duration = Duration::from_secs(5);

/// Streams a listing until the client or the node goes.
pub(crate) async fn watch(
    State(node): State<Arc<Node>>,
    Id(id): Id<ListingId>,
    _session: Session,
    headers: HeaderMap,
) -> Result<Sse<impl Stream<Item = Result<Event, Infallible>>>, Problem> {
    let slot = Arc::clone(&node.watchers)
        .try_acquire_owned()
        .map_err(|_full| {
            Problem::new(
                Slug::Overloaded,
                "too many clients watch listings of this node",
            )
            .retry_after(FULL_RETRY)
        })?;
    // Subscribed before the first read: a change in between is seen twice, not never.
    let changes = node.replica.subscribe();
    find(&node, &id).await?;
    let seen = headers
        .get(LAST_EVENT_ID)
        .and_then(|value| value.to_str().ok())
        .map(str::to_owned);
    let watch = Watch {
        node,
        id,
        changes,
        seen,
        fresh: true,
        _slot: slot,
    };
    let events = futures::stream::unfold(watch, |mut watch| async move {
        let event = watch.next().await?;
        Some((Ok(event), watch))
    });
    Ok(Sse::new(events).keep_alive(KeepAlive::new().interval(KEEP_ALIVE)))
}

struct Watch {
    node: Arc<Node>,
    id: ListingId,
    changes: Changes,
    seen: Option<String>,
    /// Whether the present state has still to be looked at.
    fresh: bool,
    _slot: OwnedSemaphorePermit,
}

impl Watch {
    async fn next(&mut self) -> Option<Event> {
        loop {
            if !std::mem::take(&mut self.fresh) {
                tokio::select! {
                    biased;
                    () = self.node.stopping.cancelled() => return None,
                    changed = self.changes.changed(&self.id) => changed?,
                }
            }
            let listing = self.node.replica.read(&self.id).await.ok().flatten()?;
            if self.seen.as_deref() != Some(listing.etag()) {
                self.seen = Some(listing.etag().to_owned());
                return Some(event(&listing));
            }
        }
    }
}

fn event(listing: &Arc<ReadListing>) -> Event {
    let kind = if listing.deleted() {
        "listing.deleted"
    } else {
        "listing.updated"
    };
    Event::default()
        .event(kind)
        .id(listing.etag())
        .data(listing.json())
}
