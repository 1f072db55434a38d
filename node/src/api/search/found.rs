//! What this node finds for one page, in some of the shards that it serves.

use axum::body::Bytes;
use meridian_regions::Shards;
use meridian_search::{Cursor, Facets, Page};

use super::asked::Search;
use super::taken::is_taken;
use super::unanswered;
use crate::api::listings::unreadable;
use crate::api::problem::Problem;
use crate::node::Node;

/// Looks at the index for one page at most, where listings that are taken are left out.
const LOOKS_MAX: usize = 8;
/// Listings on one page, in bytes of JSON: with one more, which is below a megabyte, and what
/// is told of all, they fit a frame of the mesh. A page that is full before its limit goes on
/// behind its cursor.
const PAGE_BYTES: usize = 3 << 19;

/// One listing, as an answer shows it.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Shown {
    /// From where the search is, if it says so.
    pub(super) distance_km: Option<f64>,
    pub(super) json: Bytes,
}

/// See the module.
pub(super) struct Found {
    pub(super) hits: Vec<(Cursor, Shown)>,
    /// Through where everything has been looked at; `None` if that was all.
    pub(super) through: Option<Cursor>,
    pub(super) total: u64,
    pub(super) facets: Facets,
    bytes: usize,
}

impl Found {
    /// Looks until the page is full: listings that are gone, or taken, leave room for others.
    pub(super) async fn gather(
        node: &Node,
        search: &Search,
        within: Shards,
    ) -> Result<Self, Problem> {
        let mut found = Self {
            hits: Vec::new(),
            through: search.after,
            total: 0,
            facets: Facets::default(),
            bytes: 0,
        };
        for look in 0..LOOKS_MAX {
            let place = (found.through, search.limit);
            let page = node.search.search(&search.query, within, place).await;
            let mut page = page.map_err(|error| unanswered(&error))?;
            if look == 0 {
                found.total = page.total;
                found.facets = std::mem::take(&mut page.facets).told();
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
            self.through = Some(hit.cursor);
            let listing = node.replica.read(&hit.listing).await.map_err(unreadable)?;
            let Some(listing) = listing.filter(|listing| !listing.deleted()) else {
                continue;
            };
            if let Some(stay) = &search.stay
                && is_taken(node, &listing, stay)?
            {
                continue;
            }
            let shown = Shown {
                distance_km: hit.distance_km.filter(|_| search.query.near.is_some()),
                json: listing.json().clone(),
            };
            self.bytes += shown.json.len();
            self.hits.push((hit.cursor, shown));
            if self.is_full(search) {
                break;
            }
        }
        if hits.len() == 0 && !more {
            self.through = None;
            return Ok(false);
        }
        Ok(!self.is_full(search))
    }

    fn is_full(&self, search: &Search) -> bool {
        self.hits.len() >= search.limit || self.bytes >= PAGE_BYTES
    }
}
