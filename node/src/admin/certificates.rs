//! Certificates of this node: what is in force, until when, and which connections stand by it.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use meridian_transport::{Certified, PeerStatus};
use serde_json::{Value, json};

use crate::certificates::Standing;
use crate::clock::rfc3339;
use crate::node::Node;

/// `GET /admin/v1/certificates`: `sets`, those for nodes and those for clients, and `links`,
/// the connections that this node has dialled.
pub(crate) async fn show(State(node): State<Arc<Node>>) -> Json<Value> {
    Json(shown(&node))
}

/// `POST /admin/v1/certificates/reload`: looks at the files now; what is new and fits is in
/// force when this is answered, and `refused` says why it is not.
pub(crate) async fn reload(State(node): State<Arc<Node>>) -> Json<Value> {
    tracing::info!("certificates are read again, as asked");
    node.certificates.look().await;
    Json(shown(&node))
}

/// What `status` says of them.
pub(super) fn shown(node: &Node) -> Value {
    let links = node.mesh.peers();
    json!({
        "sets": node.certificates.standing().iter().map(set).collect::<Vec<Value>>(),
        "outdated_links": links.iter().filter(|link| link.is_outdated || link.retiring > 0).count(),
        "links": links.iter().map(link).collect::<Vec<Value>>(),
    })
}

fn set(standing: &Standing) -> Value {
    let certificates = standing.certificates.iter();
    let certificates = certificates.map(|(what, certified)| certificate(what, certified));
    json!({
        "certificates": certificates.collect::<Vec<Value>>(),
        "changes": standing.changes,
        "since": rfc3339(standing.since_ms),
        "refused": standing.refused,
    })
}

fn certificate(what: &str, certified: &Certified) -> Value {
    json!({
        "what": what,
        "serial": certified.serial,
        "until": moment(certified.until_seconds),
        // Of authorities.
        "key": (what == "authority").then_some(certified.own_key.as_ref()),
        "issuer_key": certified.issuer_key,
    })
}

fn link(peer: &PeerStatus) -> Value {
    let certified = peer.certified.as_ref();
    json!({
        "node": peer.node,
        "connected": peer.connected,
        // By earlier certificates, at either end: about to be renewed.
        "outdated": peer.is_outdated,
        // Replaced, with something still under way.
        "retiring": peer.retiring,
        "serial": certified.map(|certified| &certified.serial),
        "issuer_key": certified.and_then(|certified| certified.issuer_key.as_ref()),
        "until": certified.map(|certified| moment(certified.until_seconds)),
    })
}

fn moment(seconds: i64) -> String {
    rfc3339(u64::try_from(seconds).unwrap_or(0).saturating_mul(1_000))
}
