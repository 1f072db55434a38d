//! The operator API: health, metrics, status, replication, import, and what
//! test clusters allow beside. Its port is bound to loopback unless the configuration says
//! otherwise.

mod chaos;
mod clock;
mod drains;
mod explain;
mod failpoints;
mod groups;
mod health;
mod import;
mod inspect;
mod layout;
mod log_filter;
mod logs;
mod members;
mod rebalances;
mod repairs;
mod sagas;
mod status;
mod transfers;
mod wishes;

use std::sync::Arc;

use axum::Router;
use axum::routing::{delete, get, post, put};

use crate::admission::Door;
use crate::node::Node;
use crate::{api, console};

pub(crate) use sagas::counts as saga_counts;
pub(crate) use status::status;

/// Longest body on this port: a request of imported rows.
const BODY_BYTES_MAX: usize = 16 * 1024 * 1024;

/// Every route of the operator API.
pub(crate) fn router(node: Arc<Node>) -> Router {
    let routes = Router::new()
        .route("/livez", get(health::livez))
        .route("/readyz", get(health::readyz))
        .route("/metrics", get(health::metrics))
        .route("/admin/v1/status", get(status))
        .route("/admin/v1/config", get(inspect::config))
        .route("/admin/v1/log-tail", get(inspect::log_tail))
        .route("/admin/v1/nodes", get(members::nodes))
        .route(
            "/admin/v1/nodes/{id}/drain",
            post(members::drain).delete(drains::give_up),
        )
        .route("/admin/v1/regions", get(members::regions))
        .route("/admin/v1/groups", get(groups::list))
        .route("/admin/v1/groups/{id}", get(groups::show))
        .route("/admin/v1/groups/{id}/log", get(logs::entries))
        .route("/admin/v1/groups/{id}/ledger", get(logs::ledger))
        .route("/admin/v1/groups/{id}/transfer", post(transfers::transfer))
        .route(
            "/admin/v1/groups/{id}/transfer-leader",
            post(transfers::transfer),
        )
        .route("/admin/v1/listings/{id}/explain", get(explain::explain))
        .route(
            "/admin/v1/log-filter",
            get(log_filter::show)
                .put(log_filter::change)
                .delete(log_filter::put_back),
        )
        .route("/admin/v1/replication", get(status::replication))
        .route("/admin/v1/replication/digests", get(status::digests))
        .route(
            "/admin/v1/replication/digests/{shard}",
            get(status::shard_digests),
        )
        .route("/admin/v1/sagas", get(sagas::list))
        .route("/admin/v1/sagas/{booking}/retry", post(sagas::retry))
        .route("/admin/v1/sagas/{booking}/give-up", post(sagas::give_up))
        .route("/admin/v1/drains", get(drains::list).post(drains::begin))
        .route("/admin/v1/drains/{node}", delete(drains::give_up))
        .route(
            "/admin/v1/rebalances",
            get(rebalances::list)
                .post(rebalances::begin)
                .delete(rebalances::give_up),
        )
        .route("/admin/v1/repairs", get(repairs::list).post(repairs::begin))
        .route("/admin/v1/failpoints", get(failpoints::list))
        .route("/admin/v1/failpoints/{name}", put(failpoints::arm))
        .route(
            "/admin/v1/chaos/clock",
            get(clock::show).put(clock::set).delete(clock::set_right),
        )
        .route("/admin/v1/import", post(import::import))
        .route("/admin/v1/layout", get(layout::show))
        .route("/admin/v1/layout/found", post(layout::found))
        .route(
            "/admin/v1/layout/staged",
            post(layout::stage).delete(layout::revert),
        )
        .route("/admin/v1/layout/plan", get(layout::plan))
        .route("/admin/v1/layout/apply", post(layout::apply));
    let routes = routes.merge(console::routes());
    api::enveloped(routes, node, BODY_BYTES_MAX, Door::Operators)
}
