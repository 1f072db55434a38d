//! Where the cluster stands, and which region is nearest to somebody.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use meridian_regions::{Node as Member, NodeState, Region};
use serde::Deserialize;
use serde_json::{Value, json};

use super::body::Params;
use super::problem::Problem;
use crate::node::Node;

/// `GET /v1/regions`
pub(crate) async fn list(State(node): State<Arc<Node>>) -> Json<Value> {
    let regions: Vec<Value> = node
        .topology
        .regions()
        .iter()
        .map(|region| describe(&node, region))
        .collect();
    Json(json!({"served_by": node.identity.region, "data": regions}))
}

/// Where somebody is, in degrees.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Place {
    lat: f64,
    lon: f64,
}

/// `GET /v1/regions/nearest?lat=&lon=`: regions in order of distance, so that a
/// client can fail over by itself.
pub(crate) async fn nearest(
    State(node): State<Arc<Node>>,
    Params(place): Params<Place>,
) -> Result<Json<Value>, Problem> {
    if !(place.lat.abs() <= 90.0 && place.lon.abs() <= 180.0) {
        return Err(Problem::field(
            "/lat",
            "lat is -90 to 90 and lon -180 to 180, in degrees",
        ));
    }
    let ordered: Vec<Value> = node
        .topology
        .regions_by_distance(place.lat, place.lon)
        .into_iter()
        .map(|(region, km)| {
            let mut described = describe(&node, region);
            described["distance_km"] = json!(km.round());
            described
        })
        .collect();
    Ok(Json(json!({"data": ordered})))
}

fn describe(node: &Node, region: &Region) -> Value {
    let peers = node.mesh.peers();
    let members: Vec<&Member> = node
        .topology
        .nodes_in(&region.id)
        .filter(|member| member.state != NodeState::Removed)
        .collect();
    let here = region.id == node.identity.region;
    let reachable = |member: &&Member| {
        member.id == node.identity.node
            || peers
                .iter()
                .any(|peer| peer.node == member.id && peer.connected)
    };
    let up = members.iter().filter(|member| reachable(member)).count();
    let rtt = peers
        .iter()
        .filter(|peer| peer.region == region.id)
        .filter_map(|peer| peer.rtt)
        .min();
    let health = match up {
        0 => "unreachable",
        some if some < members.len() => "degraded",
        _ => "healthy",
    };
    json!({
        "id": region.id,
        "latitude": region.latitude,
        "longitude": region.longitude,
        "health": health,
        "nodes_total": members.len(),
        "nodes_reachable": up,
        "rtt_ms": if here { Some(0.0) } else { rtt.map(|rtt| rtt.as_secs_f64() * 1e3) },
        "endpoints": members.iter().map(|member| &member.api).collect::<Vec<_>>(),
    })
}
