//! `GET /v1/guests/{id}/matches`: listings in the order in which they fit, wholly from this
//! region, each with its reasons.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use meridian_consensus_core::Stay;
use meridian_replication::ReadListing;
use meridian_search::{Budget, Match, MatchCursor, MatchPage, MatchQuery, PastStay};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use super::preferences::{GuestId, Preferences, stated};
use crate::api::body::{PAGE_MAX, Params, page_limit};
use crate::api::consistency::{Achieved, Consistency};
use crate::api::id::Id;
use crate::api::listings::unreadable;
use crate::api::owner;
use crate::api::problem::{Problem, Slug};
use crate::api::search::{catch_up, is_taken, unanswered};
use crate::api::session::Session;
use crate::auth::Who;
use crate::clock;
use crate::node::Node;

/// Looks at the index for one page at most, where listings that are taken are left out.
const LOOKS_MAX: usize = 8;

/// Which page.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Page {
    /// `next_cursor` of the page before.
    cursor: Option<String>,
    /// How many at most.
    #[schemars(extend("minimum" = 1, "maximum" = PAGE_MAX))]
    limit: Option<usize>,
}

/// `GET /v1/guests/{id}/matches?cursor=&limit=`
pub(crate) async fn matches(
    State(node): State<Arc<Node>>,
    (session, who): (Session, Who),
    Id(guest): Id<GuestId>,
    Params(page): Params<Page>,
) -> Result<Response, Problem> {
    owner::of_guest(&who, guest.name())?;
    let limit = page_limit(page.limit)?;
    let (_, preferences) = stated(&node, &guest)?;
    let mut taste = preferences.taste()?;
    taste.past = past(&node, &preferences).await?;
    // What a session has seen is there now, or there is no answer.
    let is_fresh = catch_up(&node, &session).await?;
    let level = match session.level() {
        level if is_fresh && level != Consistency::Linearizable => level,
        _ => Consistency::Eventual,
    };
    let indexed = node.search.indexed();
    let day = u32::try_from(node.clock.now().as_millis() / 86_400_000).unwrap_or(u32::MAX);
    let (query, after) = match page.cursor.as_deref() {
        None => (MatchQuery::new(taste, day), None),
        Some(text) => {
            let resumed = MatchQuery::resume(taste, text);
            let (query, after) =
                resumed.map_err(|cause| Problem::field("/cursor", cause.to_string()))?;
            (query, Some(after))
        }
    };
    let mut found = Found {
        data: Vec::new(),
        next: after,
        limit,
    };
    let (query, stay) = (Arc::new(query), preferences.stay());
    for _look in 0..LOOKS_MAX {
        let page = node.search.matches(&query, found.next, limit).await;
        if !found
            .take(
                &node,
                stay.as_ref(),
                page.map_err(|cause| unanswered(&cause))?,
            )
            .await?
        {
            break;
        }
    }
    let body = json!({
        "data": found.data,
        "next_cursor": found.next.as_ref().map(MatchCursor::encode),
        "as_of": indexed.as_of.map(|as_of| clock::rfc3339(as_of.as_millis())),
        "missing": indexed.missing,
    });
    let mut response = Json(body).into_response();
    let staleness = indexed
        .as_of
        .map(|as_of| node.clock.now().saturating_since(as_of));
    Achieved::of_search(level, staleness).state(response.headers_mut());
    Ok(response)
}

/// One page of an answer.
struct Found {
    data: Vec<Value>,
    next: Option<MatchCursor>,
    limit: usize,
}

impl Found {
    /// Takes what is to be shown of a page; whether there is room left, and more to look at.
    async fn take(
        &mut self,
        node: &Node,
        stay: Option<&Stay>,
        page: MatchPage,
    ) -> Result<bool, Problem> {
        let mut matches = page.matches.into_iter();
        for one in matches.by_ref() {
            self.next = Some(one.cursor);
            let listing = node.replica.read(&one.listing).await.map_err(unreadable)?;
            let Some(listing) = listing.filter(|listing| !listing.deleted()) else {
                continue;
            };
            if let Some(stay) = stay
                && is_taken(node, &listing, stay)?
            {
                continue;
            }
            self.data.push(shown(&listing, &one)?);
            if self.data.len() == self.limit {
                break;
            }
        }
        if matches.len() == 0 && !page.more {
            self.next = None;
            return Ok(false);
        }
        Ok(self.data.len() < self.limit)
    }
}

/// What the guest's past stays were like, as far as this node holds them.
async fn past(node: &Node, preferences: &Preferences) -> Result<Vec<PastStay>, Problem> {
    let mut past = Vec::new();
    for id in &preferences.past_stays {
        let Some(listing) = node.replica.read(id).await.map_err(unreadable)? else {
            continue;
        };
        let view = listing.view();
        past.push(PastStay {
            amenities: view.amenities.clone(),
            room_type: view.room_type.clone(),
            price: view.nightly_price.map(|price| Budget {
                amount: price.amount,
                currency: price.currency,
            }),
        });
    }
    Ok(past)
}

/// A listing, with its points and where they come from. What is worth nothing is left out.
fn shown(listing: &ReadListing, one: &Match) -> Result<Value, Problem> {
    let mut body: Value = serde_json::from_slice(listing.json())
        .map_err(|cause| Problem::new(Slug::Internal, cause.to_string()))?;
    let score = &one.score;
    let away = one.distance_m.map_or_else(String::new, |metres| {
        format!("{}.{} km away", metres / 1_000, metres % 1_000 / 100)
    });
    let parts = [
        ("place", score.place, away.as_str()),
        ("price", score.price, "within or near what a night may cost"),
        ("amenities", score.amenities, "has of what was asked for"),
        (
            "room_type",
            score.room_type,
            "the kind of room that was asked for",
        ),
        ("past_stays", score.past, "like a place of an earlier stay"),
        ("new", score.start, "a new listing: a start that fades"),
    ];
    let why = parts.into_iter().filter(|(_, points, _)| *points > 0);
    let why = why
        .map(|(part, points, because)| json!({"part": part, "points": points, "because": because}));
    body["match"] = json!({"score": score.total(), "why": why.collect::<Vec<_>>()});
    Ok(body)
}
