//! `GET /v1/listings`: finding listings, wholly from this region.
//!
//! What is found is what the index says, as of the time that the answer states; what is
//! shown of each listing is what the store has now. Sessions and bounded staleness bring the
//! index up to date first.

mod asked;
mod taken;

use std::sync::Arc;
use std::time::Duration;

use axum::body::Bytes;
use axum::extract::State;
use axum::http::header::{CONTENT_TYPE, LINK};
use axum::http::{HeaderValue, Uri};
use axum::response::{IntoResponse, Response};
use meridian_regions::SHARD_COUNT;
use meridian_replication::ReadListing;
use meridian_search::{Cursor, Facets, Hit, Page};
use serde_json::json;
use tokio::time::Instant;

use super::body::Params;
use super::consistency::{Achieved, Consistency};
use super::listings::unreadable;
use super::problem::{Problem, Slug};
use super::session::{BEHIND_RETRY, Session};
use crate::clock;
use crate::node::Node;
use crate::search::{Indexed, SearchError};
use asked::{Asked, Search};
use taken::is_taken;

/// Looks at the index for one page at most, where listings that are taken are left out.
const LOOKS_MAX: usize = 8;
/// Between two looks at how far the index has come.
const BEHIND_POLL: Duration = Duration::from_millis(20);

/// `GET /v1/listings?q=&near=&…`
pub(crate) async fn search(
    State(node): State<Arc<Node>>,
    session: Session,
    uri: Uri,
    Params(asked): Params<Asked>,
) -> Result<Response, Problem> {
    let search = Search::parse(asked)?;
    let level = catch_up(&node, &session).await?;
    // Before the search: what it finds is at least of then.
    let indexed = node.search.indexed();
    let found = Found::gather(&node, &search).await?;
    let mut response = found.body(&search, &indexed).into_response();
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    if let Some(next) = found.next.as_ref().map(|next| link(&uri, next))
        && let Ok(next) = HeaderValue::from_str(&next)
    {
        headers.insert(LINK, next);
    }
    let staleness = indexed
        .as_of
        .map(|as_of| node.clock.now().saturating_since(as_of));
    Achieved::of_search(level, staleness).state(headers);
    Ok(response)
}

/// Waits until the index is as fresh as the request asks; answers the level achieved. A
/// session is never answered with less, a bound is, and the answer says so.
async fn catch_up(node: &Node, session: &Session) -> Result<Consistency, Problem> {
    let patience = Duration::from_millis(node.config.listings.read_wait_ms_max);
    match session.level() {
        Consistency::Session => {
            if node.search.catch_up(patience).await {
                return Ok(Consistency::Session);
            }
            let detail = "this region's search index has not come so far as the session";
            Err(Problem::new(Slug::SessionBehind, detail).retry_after(BEHIND_RETRY))
        }
        asked @ Consistency::Bounded { staleness_ms_max } => {
            let bound = Duration::from_millis(staleness_ms_max);
            let is_fresh = || {
                let as_of = node.search.indexed().as_of;
                as_of.is_some_and(|as_of| node.clock.now().saturating_since(as_of) <= bound)
            };
            let until = Instant::now() + patience;
            while !is_fresh() {
                let left = until.saturating_duration_since(Instant::now());
                if left.is_zero() || !node.search.catch_up(left).await {
                    return Ok(Consistency::Eventual);
                }
                if !is_fresh() {
                    // Other regions have to be heard of first.
                    tokio::time::sleep(BEHIND_POLL).await;
                }
            }
            Ok(asked)
        }
        Consistency::Eventual | Consistency::Linearizable => Ok(Consistency::Eventual),
    }
}

/// One page of an answer.
struct Found {
    listings: Vec<(Arc<ReadListing>, Hit)>,
    total: u64,
    facets: Facets,
    next: Option<Cursor>,
    /// Shards that were looked at.
    shards: u32,
}

impl Found {
    /// Looks until the page is full: listings that are gone, or taken, leave room for others.
    async fn gather(node: &Node, search: &Search) -> Result<Self, Problem> {
        let mut found = Self {
            listings: Vec::new(),
            total: 0,
            facets: Facets::default(),
            next: search.after,
            shards: node.replica.serving().len(),
        };
        for look in 0..LOOKS_MAX {
            let page = node.search.search(&search.query, found.next, search.limit);
            let page = page.await.map_err(unanswered)?;
            if look == 0 {
                (found.total, found.facets) = (page.total, page.facets.clone());
            }
            if !found.take(node, search, page).await? {
                break;
            }
        }
        Ok(found)
    }

    /// Takes what is to be shown of a page; whether there is room left, and more to look at.
    async fn take(&mut self, node: &Node, search: &Search, page: Page) -> Result<bool, Problem> {
        let (more, mut hits) = (page.more, page.hits.into_iter());
        for hit in hits.by_ref() {
            self.next = Some(hit.cursor);
            let listing = node.replica.read(&hit.listing).await.map_err(unreadable)?;
            let Some(listing) = listing.filter(|listing| !listing.deleted()) else {
                continue;
            };
            if let Some(stay) = &search.stay
                && is_taken(node, &listing, stay)?
            {
                continue;
            }
            self.listings.push((listing, hit));
            if self.listings.len() == search.limit {
                break;
            }
        }
        if hits.len() == 0 && !more {
            self.next = None;
            return Ok(false);
        }
        Ok(self.listings.len() < search.limit)
    }

    fn body(&self, search: &Search, indexed: &Indexed) -> Bytes {
        let mut body = b"{\"data\":[".to_vec();
        for (place, (listing, hit)) in self.listings.iter().enumerate() {
            if place > 0 {
                body.push(b',');
            }
            match hit.distance_km {
                // The listing's own JSON, which is an object, with one field before its own.
                Some(distance) if search.query.near.is_some() => {
                    body.extend_from_slice(format!("{{\"distance_km\":{distance:.3},").as_bytes());
                    body.extend_from_slice(listing.json().get(1..).unwrap_or_default());
                }
                _ => body.extend_from_slice(listing.json()),
            }
        }
        let rest = json!({
            "facets": {
                "room_type": self.facets.room_types,
                "amenities": self.facets.amenities,
                "currency": self.facets.currencies,
            },
            "total": self.total,
            "next_cursor": self.next.as_ref().map(Cursor::encode),
            "as_of": indexed.as_of.map(|as_of| clock::rfc3339(as_of.as_millis())),
            "missing": indexed.missing,
            // A node of a region whose listings are spread looks at its own.
            "shards": {"searched": self.shards, "of": SHARD_COUNT},
        });
        body.extend_from_slice(b"],");
        body.extend_from_slice(rest.to_string().get(1..).unwrap_or_default().as_bytes());
        body.into()
    }
}

/// The next page, as a link relative to this one.
fn link(uri: &Uri, next: &Cursor) -> String {
    let query = uri.query().unwrap_or_default();
    let others = query
        .split('&')
        .filter(|pair| !pair.is_empty() && !pair.starts_with("cursor="));
    let cursor = format!("cursor={}", next.encode());
    let query: Vec<&str> = others.chain([cursor.as_str()]).collect();
    format!("<{}?{}>; rel=\"next\"", uri.path(), query.join("&"))
}

fn unanswered(error: SearchError) -> Problem {
    match error {
        SearchError::Opening | SearchError::Crowded => {
            Problem::new(Slug::Overloaded, error.to_string()).retry_after(Duration::from_secs(1))
        }
        SearchError::Index(_) | SearchError::Panicked => {
            Problem::new(Slug::Internal, error.to_string())
        }
    }
}
