//! The operator API: health, metrics, status, replication, import, and what
//! test clusters allow beside. Its port is bound to loopback unless the configuration says
//! otherwise.

mod backups;
mod certificates;
mod chaos;
mod clock;
mod drains;
mod explain;
mod failpoints;
mod goals;
mod groups;
mod health;
mod import;
mod inspect;
mod layout;
mod log_filter;
mod logs;
mod members;
mod openapi;
mod rebalances;
mod repairs;
mod sagas;
mod status;
mod transfers;
pub(crate) mod upgrade;
mod wishes;

use std::sync::Arc;

use axum::Router;
use axum::http::Method;

use crate::admission::Door;
use crate::auth::{Access, Routes};
use crate::node::Node;
use crate::{api, console};

pub(crate) use openapi::written as description;
pub(crate) use sagas::counts as saga_counts;
pub(crate) use status::status;

/// Longest body on this port: a request of imported rows.
const BODY_BYTES_MAX: usize = 16 * 1024 * 1024;

/// Every route of the operator API: health for anybody, the rest for operators.
pub(crate) fn routes() -> Routes {
    more_routes(first_routes())
}

fn first_routes() -> Routes {
    use Access::{Open, Operator};
    const GET: Method = Method::GET;
    const POST: Method = Method::POST;
    const PUT: Method = Method::PUT;
    const DELETE: Method = Method::DELETE;
    const DIGESTS: &str = "/admin/v1/replication/digests/{shard}";
    const TRANSFER: &str = "/admin/v1/groups/{id}/transfer";
    const TRANSFER_LEADER: &str = "/admin/v1/groups/{id}/transfer-leader";
    const NODE_DRAIN: &str = "/admin/v1/nodes/{id}/drain";
    const LOG_FILTER: &str = "/admin/v1/log-filter";
    const GIVE_UP: &str = "/admin/v1/sagas/{booking}/give-up";
    const REBALANCES: &str = "/admin/v1/rebalances";
    Routes::new()
        .on(GET, "/livez", Open, health::livez)
        .on(GET, "/readyz", Open, health::readyz)
        .on(GET, "/metrics", Open, health::metrics)
        .on(GET, "/admin/v1/status", Operator, status)
        .on(GET, "/admin/v1/config", Operator, inspect::config)
        .on(GET, "/admin/v1/log-tail", Operator, inspect::log_tail)
        .on(GET, "/admin/v1/nodes", Operator, members::nodes)
        .on(POST, NODE_DRAIN, Operator, members::drain)
        .on(DELETE, NODE_DRAIN, Operator, drains::give_up)
        .on(GET, "/admin/v1/regions", Operator, members::regions)
        .on(GET, "/admin/v1/groups", Operator, groups::list)
        .on(GET, "/admin/v1/groups/{id}", Operator, groups::show)
        .on(GET, "/admin/v1/groups/{id}/log", Operator, logs::entries)
        .on(GET, "/admin/v1/groups/{id}/ledger", Operator, logs::ledger)
        .on(POST, TRANSFER_LEADER, Operator, transfers::transfer)
        .on(
            GET,
            "/admin/v1/listings/{id}/explain",
            Operator,
            explain::explain,
        )
        .on(GET, LOG_FILTER, Operator, log_filter::show)
        .on(PUT, LOG_FILTER, Operator, log_filter::change)
        .on(DELETE, LOG_FILTER, Operator, log_filter::put_back)
        .on(POST, TRANSFER, Operator, transfers::transfer)
        .on(GET, "/admin/v1/replication", Operator, status::replication)
        .on(
            GET,
            "/admin/v1/replication/digests",
            Operator,
            status::digests,
        )
        .on(GET, DIGESTS, Operator, status::shard_digests)
        .on(GET, "/admin/v1/sagas", Operator, sagas::list)
        .on(
            POST,
            "/admin/v1/sagas/{booking}/retry",
            Operator,
            sagas::retry,
        )
        .on(POST, GIVE_UP, Operator, sagas::give_up)
        .on(GET, "/admin/v1/drains", Operator, drains::list)
        .on(POST, "/admin/v1/drains", Operator, drains::begin)
        .on(DELETE, "/admin/v1/drains/{node}", Operator, drains::give_up)
        .on(GET, REBALANCES, Operator, rebalances::list)
        .on(POST, REBALANCES, Operator, rebalances::begin)
        .on(DELETE, REBALANCES, Operator, rebalances::give_up)
        .on(GET, "/admin/v1/repairs", Operator, repairs::list)
        .on(POST, "/admin/v1/repairs", Operator, repairs::begin)
        .on(GET, "/admin/v1/failpoints", Operator, failpoints::list)
        .on(
            PUT,
            "/admin/v1/failpoints/{name}",
            Operator,
            failpoints::arm,
        )
        .on(POST, "/admin/v1/import", Operator, import::import)
}

/// The cluster's map, the clock of a test cluster, and the console: for operators.
fn more_routes(routes: Routes) -> Routes {
    use Access::Operator;
    const GET: Method = Method::GET;
    const POST: Method = Method::POST;
    const STAGED: &str = "/admin/v1/layout/staged";
    const CLOCK: &str = "/admin/v1/chaos/clock";
    const FINALIZE: &str = "/admin/v1/upgrade/finalize";
    const CERTIFICATES: &str = "/admin/v1/certificates";
    const RELOAD: &str = "/admin/v1/certificates/reload";
    const GOAL: &str = "/admin/v1/groups/{id}/goal";
    let routes = routes
        .on(GET, "/admin/v1/backups", Operator, backups::show)
        .on(POST, "/admin/v1/backups", Operator, backups::begin)
        .on(GET, openapi::DOCUMENT, Operator, openapi::read)
        .on(GET, openapi::PAGE, Operator, openapi::docs)
        .on(GET, openapi::STYLE, Operator, openapi::style)
        .on(GET, CERTIFICATES, Operator, certificates::show)
        .on(POST, RELOAD, Operator, certificates::reload)
        .on(GET, "/admin/v1/layout", Operator, layout::show)
        .on(POST, "/admin/v1/layout/found", Operator, layout::found)
        .on(POST, STAGED, Operator, layout::stage)
        .on(Method::DELETE, STAGED, Operator, layout::revert)
        .on(GET, "/admin/v1/layout/plan", Operator, layout::plan)
        .on(POST, "/admin/v1/layout/apply", Operator, layout::apply)
        .on(GET, "/admin/v1/upgrade", Operator, upgrade::check)
        .on(POST, FINALIZE, Operator, upgrade::finalize)
        .on(POST, GOAL, Operator, goals::set)
        .on(GET, CLOCK, Operator, clock::show)
        .on(Method::PUT, CLOCK, Operator, clock::set)
        .on(Method::DELETE, CLOCK, Operator, clock::set_right);
    console::routes(routes)
}

/// The operator API.
pub(crate) fn router(node: Arc<Node>) -> Router {
    api::enveloped(routes(), node, BODY_BYTES_MAX, Door::Operators)
}
