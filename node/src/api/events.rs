//! `GET /v1/events`: what has happened to bookings and listings, to be read on from where a
//! consumer was. At least once, in order for each listing, each with an id that never changes.
//!
//! Without `listing_id`, what the region knows of all listings; a cursor is good at every
//! node of its region. With it, what the listing's own ledger still remembers, of bookings
//! alone; a cursor is a number there, and good wherever the listing has a voter. An answer always has a
//! cursor to go on from, also where it has no events.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use meridian_regions::{ListingId, NodeState, RegionId};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use super::body::Params;
use super::consistency::Achieved;
use super::listings::founded;
use super::openapi::texts;
use super::owner;
use super::problem::{Problem, Slug};
use crate::auth::{Reach, Who};
use crate::events::cloud_event::{self, shown, type_of};
use crate::events::{Cursor, PAGE_MAX, Plane, RegionCursor, Told, Unread, tellers};
use crate::node::Node;

/// Records in an answer if the client does not say.
const PAGE_DEFAULT: usize = 100;

/// Which events.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Page {
    /// `next_cursor` of the answer before.
    cursor: Option<String>,
    /// Types, with commas in between; all of them if it is left out.
    #[schemars(with = "Option<texts::EventTypes>")]
    types: Option<String>,
    /// Of one listing, from its own ledger.
    #[schemars(with = "Option<texts::Listing>")]
    listing_id: Option<ListingId>,
    /// How many records are read; 100 if it is left out.
    #[schemars(extend("minimum" = 1, "maximum" = PAGE_MAX))]
    limit: Option<usize>,
}

/// `GET /v1/events?cursor=&types=&listing_id=&limit=`
pub(crate) async fn read(
    State(node): State<Arc<Node>>,
    who: Who,
    Params(page): Params<Page>,
) -> Result<Response, Problem> {
    match &page.listing_id {
        Some(id) => owner::of_listing(&node, &who, id).await?,
        None if who.reach() == Reach::Everything => {}
        None => {
            return Err(owner::forbidden(
                "the events of all listings are for operators: name one of yours by listing_id",
            ));
        }
    }
    let wanted = Wanted::parse(page.types.as_deref())?;
    let limit = page.limit.unwrap_or(PAGE_DEFAULT);
    if !(1..=PAGE_MAX).contains(&limit) {
        return Err(Problem::field("/limit", format!("1 to {PAGE_MAX}")));
    }
    let cursor = match page.cursor.as_deref() {
        None => None,
        Some(text) => Some(Cursor::parse(text).ok_or_else(not_ours)?),
    };
    let body = match (page.listing_id, cursor) {
        (None, None) => {
            let start = RegionCursor::start(node.identity.region.clone());
            of_region(&node, start, &wanted, limit).await?
        }
        (None, Some(Cursor::Region(cursor))) => of_region(&node, cursor, &wanted, limit).await?,
        (Some(_), None | Some(Cursor::Listing(_))) if wanted.names_documents() => {
            return Err(Problem::field(
                "/types",
                "with listing_id, events are those of its bookings: for its document read `/watch` and `/history` of the listing, or leave listing_id out",
            ));
        }
        (Some(id), None) => of_listing(&node, &id, 0, &wanted, limit)?,
        (Some(id), Some(Cursor::Listing(number))) => {
            of_listing(&node, &id, number, &wanted, limit)?
        }
        (None, Some(Cursor::Listing(_))) | (Some(_), Some(Cursor::Region(_))) => {
            return Err(Problem::field(
                "/cursor",
                "a cursor goes with what it was given for: the same listing_id, or none",
            ));
        }
    };
    let mut response = Json(body).into_response();
    Achieved::EVENTUAL.state(response.headers_mut());
    Ok(response)
}

async fn of_region(
    node: &Node,
    mut cursor: RegionCursor,
    wanted: &Wanted,
    limit: usize,
) -> Result<Value, Problem> {
    if cursor.region != node.identity.region {
        return Err(elsewhere(node, [cursor.region].as_slice()));
    }
    let nodes = tellers(&node.topology, &cursor.region);
    cursor.places.retain(|feed, _| nodes.contains(&feed.node));
    let planes = wanted.planes().into_iter();
    let rooms = planes.map(|plane| (plane, limit)).collect();
    let passage = match node.events.read(&cursor, (&nodes, &rooms), limit).await {
        Ok(passage) => passage,
        Err(Unread::Gone { feed, oldest }) => {
            cursor.places.insert(feed, oldest);
            return Err(gone(&Cursor::Region(cursor)));
        }
        Err(Unread::Failed(cause)) => return Err(Problem::new(Slug::Internal, cause)),
    };
    let mut data = Vec::new();
    for heard in passage.heard {
        cursor.places.insert(heard.feed, heard.page.next);
        if !heard.page.records.is_empty() {
            cursor.turn = Some(heard.feed);
        }
        let records = heard.page.records.iter();
        let records = records.filter(|record| wanted.has(&record.told));
        data.extend(records.map(|record| shown(&record.listing, &record.told)));
    }
    Ok(json!({
        "data": data,
        "next_cursor": Cursor::Region(cursor).to_string(),
        "has_more": passage.has_more,
        "waiting_for": passage.waiting_for,
    }))
}

/// From the listing's ledger as this node has applied it: nothing is woken.
fn of_listing(
    node: &Node,
    id: &ListingId,
    after: u64,
    wanted: &Wanted,
    limit: usize,
) -> Result<Value, Problem> {
    let genesis = founded(node, id)?;
    let view = node
        .groups
        .local(id)
        .map_err(|cause| Problem::new(Slug::Internal, cause.to_string()))?;
    if view.applied_index.is_none() && !genesis.voters.contains(&node.identity.node) {
        let voters = genesis.voters.iter();
        let regions = voters.filter_map(|voter| Some(node.topology.node(*voter)?.region.clone()));
        return Err(elsewhere(node, &regions.collect::<Vec<_>>()));
    }
    let first = view.ledger.events().next().map_or(1, |event| event.number);
    // Who comes without a cursor takes what there is.
    if after != 0 && after + 1 < first {
        return Err(gone(&Cursor::Listing(first - 1)));
    }
    let mut events = view.ledger.events().filter(|event| event.number > after);
    let page: Vec<_> = events.by_ref().take(limit).collect();
    let last = page.last().map_or(after, |event| event.number);
    let told = page.into_iter().map(|event| Told::Event(*event));
    let wanted_ones = told.filter(|told| wanted.has(told));
    let data: Vec<Value> = wanted_ones.map(|told| shown(id, &told)).collect();
    Ok(json!({
        "data": data,
        "next_cursor": Cursor::Listing(last).to_string(),
        "has_more": events.next().is_some(),
        "waiting_for": [],
    }))
}

/// The types that a consumer wants; all of them where it does not say.
#[derive(Debug)]
struct Wanted(Option<Vec<&'static str>>);

impl Wanted {
    fn parse(types: Option<&str>) -> Result<Self, Problem> {
        let Some(types) = types else {
            return Ok(Self(None));
        };
        let known = cloud_event::types();
        let names = types.split(',').map(|name| {
            let known_name = known.iter().find(|known| **known == name);
            known_name.copied().ok_or_else(|| {
                let known = known.join(", ");
                Problem::field("/types", format!("`{name}` is no type of event: {known}"))
            })
        });
        Ok(Self(Some(names.collect::<Result<_, _>>()?)))
    }

    /// Where they are told.
    fn planes(&self) -> Vec<Plane> {
        let mut planes = Plane::ALL.to_vec();
        if let Some(names) = &self.0 {
            planes.retain(|plane| {
                names
                    .iter()
                    .any(|name| cloud_event::plane_of(name) == *plane)
            });
        }
        planes
    }

    /// Whether some of them are told of documents.
    fn names_documents(&self) -> bool {
        self.0.is_some() && self.planes().contains(&Plane::Listings)
    }

    /// What is missing is told to everybody: it may have been wanted.
    fn has(&self, told: &Told) -> bool {
        let name = type_of(told);
        let names = self.0.as_ref();
        name == cloud_event::MISSED || names.is_none_or(|names| names.contains(&name))
    }
}

fn not_ours() -> Problem {
    Problem::field(
        "/cursor",
        "no cursor of ours: send back the next_cursor of an earlier answer, unchanged",
    )
}

fn gone(oldest: &Cursor) -> Problem {
    Problem::new(
        Slug::EventsGone,
        "events after this cursor are not kept any more: read the bookings and listings that you follow, then go on from oldest_cursor",
    )
    .with("oldest_cursor", oldest.to_string())
}

fn elsewhere(node: &Node, regions: &[RegionId]) -> Problem {
    let members = node.topology.nodes().iter();
    let there: Vec<Value> = members
        .filter(|member| regions.contains(&member.region) && member.state != NodeState::Removed)
        .map(|member| json!({"region": member.region, "endpoint": member.api}))
        .collect();
    Problem::new(
        Slug::CursorElsewhere,
        "these events are told in another region: go on there, or begin here without a cursor and pass over the ids that you have seen",
    )
    .with("told_at", there)
}
