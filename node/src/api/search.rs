//! `GET /v1/listings`: finding listings, wholly from this region.
//!
//! What is found is what the indexes of this region say, as of the time that the answer
//! states; what is shown of each listing is what the store of its holder has now. Where a
//! region spreads its listings, this node searches its own and asks others for theirs, each
//! shard once ([`scatter`]). Sessions and bounded staleness bring the indexes up to date
//! first, each where it stands.

mod asked;
mod found;
mod freshness;
#[cfg(test)]
mod fuzz;
mod part;
mod plan;
mod scatter;
mod taken;

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::header::{CONTENT_TYPE, LINK};
use axum::http::{HeaderMap, HeaderValue, Uri};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use meridian_regions::{SHARD_COUNT, Shards};
use meridian_search::{Cursor, Merged, merge};
use serde_json::json;

use super::body::Params;
use super::consistency::{Achieved, Consistency};
use super::elsewhere::NO_HOLDER_RETRY;
use super::envelope::{SESSION, session_before};
use super::problem::{Problem, Slug};
use super::session::Session;
use crate::clock;
use crate::node::Node;
use crate::search::SearchError;
pub(super) use asked::Asked;
use asked::Search;
use found::Shown;
pub(super) use freshness::catch_up;
use part::Part;
use scatter::{Covered, Scatter};
pub(super) use taken::is_taken;

/// What nodes ask each other: searches of some shards.
pub(crate) fn mesh_routes(node: Arc<Node>) -> Router {
    Router::new()
        .route(part::ROUTE, get(part::answer))
        .with_state(node)
}

/// `GET /v1/listings?q=&near=&…`
pub(crate) async fn search(
    State(node): State<Arc<Node>>,
    session: Session,
    uri: Uri,
    headers: HeaderMap,
    Params(asked): Params<Asked>,
) -> Result<Response, Problem> {
    let search = Search::parse(asked)?;
    let scatter = Scatter::new(&node, &session, &search, (&uri, &headers));
    let answer = Answer::of(scatter.cover(Shards::ALL, Vec::new()).await, &session)?;
    let page = merge(answer.parts, search.limit);
    let next = page.next.as_ref().map(|next| link(&uri, next));
    let mut response = body(&page, &answer.all).into_response();
    let head = response.headers_mut();
    head.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    if let Some(Ok(next)) = next.map(|next| HeaderValue::from_str(&next)) {
        head.insert(LINK, next);
    }
    // What the client has seen now, at every node that was asked.
    let mut seen = node.replica.session_after(&session_before(&headers));
    answer.all.seen.iter().for_each(|part| seen.join(part));
    if let Ok(seen) = HeaderValue::from_str(&seen.encode()) {
        head.insert(SESSION, seen);
    }
    let as_of = answer.all.as_of;
    let staleness = as_of.map(|as_of| node.replica.now().saturating_since(as_of));
    Achieved::of_search(answer.level, staleness).state(head);
    Ok(response)
}

/// What the parts of an answer have found, and what they say together.
struct Answer {
    parts: Vec<meridian_search::Part<Shown>>,
    all: part::Sums,
    level: Consistency,
}

impl Answer {
    /// A session is answered for every listing or not at all: what it has seen may be where
    /// nobody answers. Who asks for less is told of how many shards it has an answer.
    fn of(covered: Covered, session: &Session) -> Result<Self, Problem> {
        let level = session.level();
        let is_whole = covered.missing.is_empty();
        if covered.parts.is_empty() || (level == Consistency::Session && !is_whole) {
            return Err(covered.why.unwrap_or_else(|| {
                let detail = "some listings cannot be searched: nobody who holds them answers";
                Problem::new(Slug::NoHolder, detail).retry_after(NO_HOLDER_RETRY)
            }));
        }
        let mut all = part::Sums::default();
        let (mut parts, mut is_kept) = (Vec::new(), is_whole);
        for Part { found, sums, kept } in covered.parts {
            parts.push(found);
            all.add(sums);
            is_kept &= kept;
        }
        let level = match level {
            Consistency::Session => level,
            Consistency::Bounded { .. } if is_kept => level,
            _ => Consistency::Eventual,
        };
        Ok(Self { parts, all, level })
    }
}

fn body(page: &Merged<Shown>, all: &part::Sums) -> Bytes {
    let mut body = b"{\"data\":[".to_vec();
    for (place, (_, shown)) in page.hits.iter().enumerate() {
        if place > 0 {
            body.push(b',');
        }
        match shown.distance_km {
            // The listing's own JSON, which is an object, with one field before its own.
            Some(distance) => {
                body.extend_from_slice(format!("{{\"distance_km\":{distance:.3},").as_bytes());
                body.extend_from_slice(shown.json.get(1..).unwrap_or_default());
            }
            None => body.extend_from_slice(&shown.json),
        }
    }
    let facets = all.facets.clone().shown();
    let rest = json!({
        "facets": {
            "room_type": facets.room_types,
            "amenities": facets.amenities,
            "currency": facets.currencies,
        },
        "total": all.total,
        "next_cursor": page.next.as_ref().map(Cursor::encode),
        "as_of": all.as_of.map(|as_of| clock::rfc3339(as_of.as_millis())),
        "missing": all.missing,
        "shards": {"searched": all.searched.len(), "of": SHARD_COUNT},
    });
    body.extend_from_slice(b"],");
    body.extend_from_slice(rest.to_string().get(1..).unwrap_or_default().as_bytes());
    body.into()
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

pub(super) fn unanswered(error: &SearchError) -> Problem {
    match error {
        SearchError::Opening | SearchError::Crowded | SearchError::Damaged => {
            Problem::new(Slug::Overloaded, error.to_string()).retry_after(Duration::from_secs(1))
        }
        SearchError::Failed(_) => Problem::new(Slug::Internal, error.to_string()),
    }
}
