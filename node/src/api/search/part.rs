//! A part of a search: what one node finds in some shards, told to the node that was asked.
//!
//! The sender is another node of this cluster, proven by its certificate; still everything
//! is checked: what it answers for, and that its places belong to this search.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use meridian_regions::{Shards, UnixNanos};
use meridian_replication_core::SessionToken;
use meridian_search::{Cursor, Facets};
use prost::Message;

use super::asked::{Asked, Search};
use super::found::{Found, Shown};
use super::freshness::catch_up;
use super::unanswered;
use crate::api::body::Params;
use crate::api::envelope::session_before;
use crate::api::id::Id;
use crate::api::problem::{Problem, Slug};
use crate::api::session::Session;
use crate::node::Node;
use crate::search::SearchError;

/// Under which a node asks another one for a part: the shards as a number.
pub(super) const ROUTE: &str = "/mesh/v1/searches/{shards}";

/// What a node has found.
#[derive(Debug)]
pub(super) struct Part {
    pub(super) found: meridian_search::Part<Shown>,
    pub(super) sums: Sums,
    /// Whether it is as fresh as was asked.
    pub(super) kept: bool,
}

/// What is said of everything that was found, on all pages.
#[derive(Debug, Default)]
pub(super) struct Sums {
    /// The shards that it is said of.
    pub(super) searched: Shards,
    pub(super) total: u64,
    pub(super) facets: Facets,
    /// Everything that any node wrote until then was looked at.
    pub(super) as_of: Option<UnixNanos>,
    /// Listings that indexes lack.
    pub(super) missing: u64,
    /// What the session has seen, by each node's own word.
    pub(super) seen: Vec<SessionToken>,
}

impl Sums {
    /// Takes in what another part says. The first one stands as it is.
    pub(super) fn add(&mut self, other: Self) {
        self.as_of = if self.searched.is_empty() {
            other.as_of
        } else {
            self.as_of
                .zip(other.as_of)
                .map(|(one, other)| one.min(other))
        };
        self.searched |= other.searched;
        self.total += other.total;
        self.facets.add(other.facets);
        self.missing += other.missing;
        self.seen.extend(other.seen);
    }
}

/// Searches here, in those of the shards that this node's index covers.
pub(super) async fn here(
    node: &Node,
    session: &Session,
    search: &Search,
    asked: Shards,
) -> Result<Part, Problem> {
    let kept = catch_up(node, session).await?;
    // Before the search: what it finds is at least of then.
    let indexed = node.search.indexed();
    let searched = asked & indexed.served & node.replica.serving();
    if searched.is_empty() && !asked.is_empty() {
        return Err(unanswered(&SearchError::Opening));
    }
    let found = Found::gather(node, search, searched).await?;
    Ok(Part {
        found: meridian_search::Part {
            hits: found.hits,
            through: found.through,
        },
        sums: Sums {
            searched,
            total: found.total,
            facets: found.facets,
            as_of: indexed.as_of,
            missing: indexed.missing,
            seen: Vec::new(),
        },
        kept,
    })
}

/// Answers another node. It is never asked on.
pub(super) async fn answer(
    State(node): State<Arc<Node>>,
    session: Result<Session, Problem>,
    headers: HeaderMap,
    Id(shards): Id<u64>,
    Params(asked): Params<Asked>,
) -> Response {
    let part = async {
        let (session, search) = (session?, Search::parse(asked)?);
        here(&node, &session, &search, Shards::from_bits(shards)).await
    };
    let told = match part.await {
        Ok(part) => {
            let seen = node.replica.session_after(&session_before(&headers));
            Told::of(part, &seen)
        }
        Err(problem) if problem.is(Slug::SessionBehind) => Told {
            behind: true,
            ..Told::default()
        },
        Err(problem) => {
            tracing::debug!(?problem, "a search of another node is not answered");
            return StatusCode::SERVICE_UNAVAILABLE.into_response();
        }
    };
    told.encode_to_vec().into_response()
}

/// A part on its way.
#[derive(Clone, PartialEq, Message)]
pub(super) struct Told {
    #[prost(fixed64, tag = "1")]
    searched: u64,
    #[prost(message, repeated, tag = "2")]
    hits: Vec<ToldHit>,
    #[prost(string, optional, tag = "3")]
    through: Option<String>,
    #[prost(uint64, tag = "4")]
    total: u64,
    #[prost(btree_map = "string, uint64", tag = "5")]
    room_types: std::collections::BTreeMap<String, u64>,
    #[prost(btree_map = "string, uint64", tag = "6")]
    amenities: std::collections::BTreeMap<String, u64>,
    #[prost(btree_map = "string, uint64", tag = "7")]
    currencies: std::collections::BTreeMap<String, u64>,
    /// Nanoseconds since 1970.
    #[prost(uint64, optional, tag = "8")]
    as_of: Option<u64>,
    #[prost(uint64, tag = "9")]
    missing: u64,
    #[prost(bool, tag = "10")]
    kept: bool,
    #[prost(string, tag = "11")]
    seen: String,
    /// It has not seen what the session has: nothing else is said.
    #[prost(bool, tag = "12")]
    behind: bool,
}

#[derive(Clone, PartialEq, Message)]
struct ToldHit {
    #[prost(string, tag = "1")]
    cursor: String,
    #[prost(double, optional, tag = "2")]
    distance_km: Option<f64>,
    #[prost(bytes = "bytes", tag = "3")]
    json: Bytes,
}

impl Told {
    pub(super) fn of(part: Part, seen: &SessionToken) -> Self {
        let Part { found, sums, kept } = part;
        let hits = found.hits.into_iter().map(|(cursor, shown)| ToldHit {
            cursor: cursor.encode(),
            distance_km: shown.distance_km,
            json: shown.json,
        });
        Self {
            searched: sums.searched.bits(),
            hits: hits.collect(),
            through: found.through.as_ref().map(Cursor::encode),
            total: sums.total,
            room_types: sums.facets.room_types,
            amenities: sums.facets.amenities,
            currencies: sums.facets.currencies,
            as_of: sums.as_of.map(UnixNanos::get),
            missing: sums.missing,
            kept,
            seen: seen.encode(),
            behind: false,
        }
    }

    pub(super) const fn is_behind(&self) -> bool {
        self.behind
    }

    /// The part, if it is one of this search, in none but these shards.
    pub(super) fn into_part(self, search: &Search, asked: Shards) -> Option<Part> {
        let place = |text: &str| Cursor::decode(text, &search.query).ok();
        let searched = Shards::from_bits(self.searched);
        let through = match &self.through {
            Some(through) => Some(place(through)?),
            None => None,
        };
        let hits = self.hits.into_iter().map(|hit| {
            let shown = Shown {
                distance_km: hit.distance_km,
                json: hit.json,
            };
            Some((place(&hit.cursor)?, shown))
        });
        let hits: Vec<_> = hits.collect::<Option<_>>()?;
        let is_within = (searched - asked).is_empty() && hits.len() <= search.limit;
        is_within.then(|| Part {
            found: meridian_search::Part { hits, through },
            sums: Sums {
                searched,
                total: self.total,
                facets: Facets {
                    room_types: self.room_types,
                    amenities: self.amenities,
                    currencies: self.currencies,
                },
                as_of: self.as_of.map(UnixNanos::new),
                missing: self.missing,
                seen: SessionToken::decode(&self.seen).into_iter().collect(),
            },
            kept: self.kept,
        })
    }
}
