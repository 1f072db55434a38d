//! The console: one page on the admin port that shows how the cluster is, as it happens.
//!
//! It is in the binary and loads nothing from elsewhere. The page is given with what this
//! node knows at once; what the others know comes a moment later, by one stream that all who
//! watch share. Every picture is also a table, and a document of JSON at `/console/data/…`.
//!
//! It only reads, and decides nothing. What people have written (titles, values of fields)
//! becomes text of the page and never a part of it: the server escapes, the scripts set text
//! alone, and the page's policy runs no script but the binary's own (ADR 48).

mod assets;
mod banner;
mod data;
mod listing;
mod live;
mod page;
mod refusal;
mod report;
mod series;
mod snapshot;
mod tally;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use axum::Router;
use axum::http::Method;
use axum::response::Response;
use axum::routing::get;
use meridian_regions::UnixNanos;
use tokio_util::task::TaskTracker;

use self::live::Live;
pub(crate) use self::live::withdrawn;
use self::tally::{Kind, Tally};
pub(crate) use refusal::{as_page, is_looked_at};

use crate::auth::{Access, Routes};
use crate::node::Node;

/// What the console keeps between requests.
pub(crate) struct Console {
    live: Live,
    tally: Tally,
}

impl Console {
    /// Snapshots are taken by a task of `tracker` while somebody watches.
    pub(crate) fn new(tracker: &TaskTracker) -> Self {
        Self {
            live: Live::new(tracker.clone()),
            tally: Tally::default(),
        }
    }

    /// Counts what became of a request, if that is of a kind that is counted.
    pub(crate) fn count(&self, route: &str, method: &Method, response: &Response, now: UnixNanos) {
        if let Some(kind) = Kind::of(route, method, response) {
            self.tally.add(kind, now);
        }
    }
}

/// What operators' browsers ask for, put beside other routes.
pub(crate) fn routes(routes: Routes) -> Routes {
    use Access::Operator;
    const GET: Method = Method::GET;
    routes
        .on(GET, "/console", Operator, page::page)
        .on(
            GET,
            "/console/assets/{build}/{name}",
            Operator,
            assets::asset,
        )
        .on(GET, "/console/live", Operator, live::stream)
        .on(GET, "/console/data/{part}", Operator, data::part)
        .on(GET, "/console/data/listings/{id}", Operator, listing::page)
}

/// What the consoles of other nodes ask for.
pub(crate) fn mesh_routes(node: Arc<Node>) -> Router {
    Router::new()
        .route(report::TARGET, get(report::of_this_node))
        .route("/mesh/v1/console/listings/{id}", get(listing::of_this_node))
        .with_state(node)
}
