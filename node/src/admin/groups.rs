//! Groups of listings: where they stand, those first that should stand elsewhere.

mod placed;

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use meridian_consensus::GroupDescription;
use meridian_regions::{Genesis, ListingId, NodeId, ShardId};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::api::problem::{Problem, Slug};
use crate::api::{Id, PAGE_MAX, Params, founded_anywhere, page_limit};
use crate::node::Node;
use crate::relay::of_shard;

pub(crate) use placed::{leader_why, misplaced, voters_why};

/// Groups looked at for one page: a page may hold fewer than were asked for, and tells where
/// to go on.
const LOOKED_AT_MAX: usize = 20_000;

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Page {
    /// `next_cursor` of the page before.
    cursor: Option<String>,
    /// Groups on a page.
    #[schemars(extend("minimum" = 1, "maximum" = PAGE_MAX))]
    limit: Option<usize>,
}

/// Which groups a part of the list has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    /// Those that should stand elsewhere.
    Misplaced,
    Placed,
}

/// Where a page begins: behind the last listing of the one before it, in the order of shards.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Cursor {
    part: Part,
    shard: ShardId,
    after: Option<ListingId>,
}

/// `GET /admin/v1/groups?limit=&cursor=`: `data`, those first that should stand elsewhere
/// (`misplaced` says why), and `next_cursor`, null at the end. A page may be short or empty
/// before the end. Wakes nothing.
pub(crate) async fn list(
    State(node): State<Arc<Node>>,
    Params(page): Params<Page>,
) -> Result<Json<Value>, Problem> {
    let limit = page_limit(page.limit)?;
    let wrong = || Problem::field("/cursor", "send next_cursor of the page before, unchanged");
    let mut at = match &page.cursor {
        None => Some(Cursor::first()),
        Some(text) => Some(Cursor::parse(text).ok_or_else(wrong)?),
    };
    let (mut found, mut looked_at) = (Vec::new(), 0);
    while let Some(cursor) = at.take() {
        let founded = of_shard(&node.replica, &node.relay, cursor.shard).await;
        let founded = founded.map_err(|cause| Problem::new(Slug::NoHolder, cause.to_string()))?;
        let room = (limit - found.len(), LOOKED_AT_MAX - looked_at);
        let look = look(&node, founded, &cursor, room).await?;
        looked_at += look.looked_at;
        found.extend(look.found);
        at = match look.last {
            Some(last) => Some(Cursor {
                after: Some(last),
                ..cursor
            }),
            None => cursor.next(),
        };
        if found.len() == limit || looked_at >= LOOKED_AT_MAX {
            break;
        }
    }
    let mut data = Vec::new();
    for genesis in &found {
        data.push(shown(&node, genesis).await?);
    }
    let next = at.map(|cursor| cursor.to_string());
    Ok(Json(json!({"data": data, "next_cursor": next})))
}

/// What a look at the groups of one shard has come to.
struct Look {
    found: Vec<Genesis>,
    looked_at: usize,
    /// Where it stopped; `None` if it came to the end.
    last: Option<ListingId>,
}

/// Reads from disk, away from the threads that serve requests.
async fn look(
    node: &Arc<Node>,
    mut founded: Vec<Genesis>,
    cursor: &Cursor,
    (limit, looks): (usize, usize),
) -> Result<Look, Problem> {
    founded.sort_unstable_by(|one, other| one.listing.cmp(&other.listing));
    if let Some(after) = &cursor.after {
        founded.retain(|genesis| genesis.listing > *after);
    }
    let (node, part) = (Arc::clone(node), cursor.part);
    let runtime = tokio::runtime::Handle::current();
    let looked = tokio::task::spawn_blocking(move || {
        let mut look = Look {
            found: Vec::new(),
            looked_at: 0,
            last: None,
        };
        let all = founded.len();
        for genesis in founded {
            let voters = node.groups.voters(&genesis);
            let leader = runtime.block_on(node.groups.known_leader(&genesis));
            let placing = node.groups.placing(&genesis);
            let is_misplaced = misplaced(&node.topology, &placing, &voters, leader).is_some();
            look.looked_at += 1;
            let listing = genesis.listing.clone();
            if is_misplaced == (part == Part::Misplaced) {
                look.found.push(genesis);
            }
            let is_full = look.found.len() == limit || look.looked_at == looks;
            if is_full && look.looked_at < all {
                look.last = Some(listing);
                break;
            }
        }
        look
    });
    looked
        .await
        .map_err(|cause| Problem::new(Slug::Internal, cause.to_string()))
}

async fn shown(node: &Node, genesis: &Genesis) -> Result<Value, Problem> {
    let voters = node.groups.voters(genesis);
    let leader = node.groups.known_leader(genesis).await;
    let here = describe(node, &genesis.listing).await?;
    let placing = node.groups.placing(genesis);
    Ok(json!({
        "listing_id": genesis.listing,
        "home_region": placing.listing.home(),
        "survival": placing.survival,
        "goal_revision": node.groups.goal(genesis).revision,
        "voters": voters,
        "leader": leader,
        "state": state(here.as_ref()),
        "misplaced": misplaced(&node.topology, &placing, &voters, leader),
    }))
}

async fn describe(node: &Node, listing: &ListingId) -> Result<Option<GroupDescription>, Problem> {
    let described = node.groups.describe(listing).await;
    described.map_err(|cause| Problem::new(Slug::Internal, cause.to_string()))
}

/// `awake`, `asleep`, `elsewhere`, `lost`; `unused`: nobody has used it on this node.
pub(crate) fn state(here: Option<&GroupDescription>) -> &'static str {
    match here.map(|group| group.role) {
        None => "unused",
        Some(quiet @ ("asleep" | "elsewhere" | "lost")) => quiet,
        Some(_) => "awake",
    }
}

/// `GET /admin/v1/groups/{id}`: how the group of a listing stands on this node.
pub(crate) async fn show(
    State(node): State<Arc<Node>>,
    Id(id): Id<ListingId>,
) -> Result<Json<Value>, Problem> {
    let group = describe(&node, &id).await?.ok_or_else(|| {
        Problem::new(
            Slug::NotFound,
            "the group of this listing has never been used on this node",
        )
    })?;
    let genesis = founded_anywhere(&node, &id).await.ok();
    let genesis = genesis.map(|genesis| node.groups.placing(&genesis));
    let misplaced = genesis
        .as_ref()
        .and_then(|genesis| misplaced(&node.topology, genesis, &group.voters, group.leader));
    Ok(Json(json!({
        "listing_id": id,
        "state": state(Some(&group)),
        "role": group.role,
        "term": group.term,
        "leader": group.leader,
        "last_log_index": group.last_log_index,
        "applied_index": group.applied_index,
        "voters": group.voters,
        "misplaced": misplaced,
    })))
}

impl Cursor {
    fn first() -> Self {
        Self {
            part: Part::Misplaced,
            shard: ShardId::all().next().expect("there are 64 shards"),
            after: None,
        }
    }

    /// The beginning of what comes after this shard.
    fn next(&self) -> Option<Self> {
        let next = |part, shard| Self {
            part,
            shard,
            after: None,
        };
        match (ShardId::new(self.shard.get() + 1), self.part) {
            (Some(shard), part) => Some(next(part, shard)),
            (None, Part::Misplaced) => Some(next(Part::Placed, Self::first().shard)),
            (None, Part::Placed) => None,
        }
    }

    fn parse(text: &str) -> Option<Self> {
        let mut parts = text.splitn(3, '.');
        let part = match parts.next()? {
            "m" => Part::Misplaced,
            "p" => Part::Placed,
            _ => return None,
        };
        let shard = parts.next()?.parse().ok().and_then(ShardId::new)?;
        let after = match parts.next()? {
            "" => None,
            listing => Some(listing.parse().ok()?),
        };
        Some(Self { part, shard, after })
    }
}

impl std::fmt::Display for Cursor {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let part = match self.part {
            Part::Misplaced => 'm',
            Part::Placed => 'p',
        };
        write!(formatter, "{part}.{}.", self.shard)?;
        match &self.after {
            Some(listing) => write!(formatter, "{listing}"),
            None => Ok(()),
        }
    }
}

/// Numbers of nodes in words: `1, 2 and 3`.
pub(crate) fn nodes(nodes: &[NodeId]) -> String {
    let names: Vec<String> = nodes.iter().map(NodeId::to_string).collect();
    match names.as_slice() {
        [] => "nobody".to_owned(),
        [only] => only.clone(),
        [first @ .., last] => format!("{} and {last}", first.join(", ")),
    }
}

#[cfg(test)]
mod tests;
