//! Where the cluster stands, and which region is nearest to somebody.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::State;
use meridian_regions::{Node as Member, NodeState, Region};
use meridian_transport::PeerStatus;
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

/// Where somebody is, in degrees: both, or neither.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Place {
    lat: Option<f64>,
    lon: Option<f64>,
}

/// `GET /v1/regions/nearest?lat=&lon=`: regions with their endpoints, nearest first, so that
/// a client can fail over by itself.
///
/// With coordinates, by the distance on the globe (`distance_km`). Without, by what this
/// node measures on its QUIC connections (`rtt_ms`, milliseconds, smoothed, the least to a
/// node there): this node's own region first, those that it cannot reach last. That is the
/// caller's order as far as the caller asks the node that is nearest. One coordinate
/// without the other is 422 `validation`, as is a place off the globe.
pub(crate) async fn nearest(
    State(node): State<Arc<Node>>,
    Params(place): Params<Place>,
) -> Result<Json<Value>, Problem> {
    let data = match (place.lat, place.lon) {
        (None, None) => by_round_trip(&node),
        (Some(lat), Some(lon)) if lat.abs() <= 90.0 && lon.abs() <= 180.0 => {
            by_distance(&node, lat, lon)
        }
        (Some(_), Some(_)) => {
            return Err(Problem::field(
                "/lat",
                "lat is -90 to 90 and lon -180 to 180, in degrees",
            ));
        }
        (missing, _) => {
            let pointer = if missing.is_none() { "/lat" } else { "/lon" };
            let detail = "send lat and lon, or neither for the order by measured round trip";
            return Err(Problem::field(pointer, detail));
        }
    };
    Ok(Json(json!({"data": data})))
}

fn by_distance(node: &Node, lat: f64, lon: f64) -> Vec<Value> {
    let ordered = node.topology.regions_by_distance(lat, lon).into_iter();
    let described = ordered.map(|(region, km)| {
        let mut described = describe(node, region);
        described["distance_km"] = json!(km.round());
        described
    });
    described.collect()
}

fn by_round_trip(node: &Node) -> Vec<Value> {
    let regions = node.topology.regions().iter();
    let measured = regions.map(|region| (region, round_trip(node, region)));
    let ordered = nearest_first(measured.collect()).into_iter();
    ordered.map(|region| describe(node, region)).collect()
}

/// What was not measured comes last; what is equally near goes by its name.
fn nearest_first(mut measured: Vec<(&Region, Option<Duration>)>) -> Vec<&Region> {
    measured.sort_by_key(|(region, round_trip)| {
        (round_trip.unwrap_or(Duration::MAX), region.id.clone())
    });
    measured.into_iter().map(|(region, _)| region).collect()
}

/// The least round trip to a node of a region; `None` where none is reached.
fn round_trip(node: &Node, region: &Region) -> Option<Duration> {
    if region.id == node.identity.region {
        return Some(Duration::ZERO);
    }
    nearest_peer(&node.mesh.peers(), region)?.rtt
}

/// The node of a region that is reached soonest.
fn nearest_peer<'a>(peers: &'a [PeerStatus], region: &Region) -> Option<&'a PeerStatus> {
    let there = peers.iter().filter(|peer| peer.region == region.id);
    there
        .filter(|peer| peer.is_reachable())
        .min_by_key(|peer| peer.rtt.unwrap_or(Duration::MAX))
}

fn describe(node: &Node, region: &Region) -> Value {
    let peers = node.mesh.peers();
    let members: Vec<&Member> = node
        .topology
        .nodes_in(&region.id)
        .filter(|member| member.state != NodeState::Removed)
        .collect();
    let reachable = |member: &&Member| {
        member.id == node.identity.node
            || peers
                .iter()
                .any(|peer| peer.node == member.id && peer.is_reachable())
    };
    let up = members.iter().filter(|member| reachable(member)).count();
    let health = match up {
        0 => "unreachable",
        some if some < members.len() => "degraded",
        _ => "healthy",
    };
    let nearest = nearest_peer(&peers, region);
    json!({
        "id": region.id,
        "latitude": region.latitude,
        "longitude": region.longitude,
        "health": health,
        "nodes_total": members.len(),
        "nodes_reachable": up,
        "rtt_ms": round_trip(node, region).map(millis),
        "rtt_deviation_ms": nearest.and_then(|peer| peer.rtt_deviation).map(millis),
        "phi": nearest.and_then(|peer| peer.phi),
        "endpoints": members.iter().map(|member| &member.api).collect::<Vec<_>>(),
    })
}

fn millis(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e3
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use meridian_regions::Region;

    use super::nearest_first;

    #[test]
    fn region_that_cannot_be_reached_is_last_however_near_it_lies() {
        let region = |id: &str| Region {
            id: id.parse().expect("a name"),
            latitude: 0.0,
            longitude: 0.0,
        };
        let regions = ["far", "cut-off", "here", "also-far"].map(region);
        let measured = [Some(80), None, Some(0), Some(80)];
        let measured = measured.map(|ms| ms.map(Duration::from_millis));
        let ordered = nearest_first(regions.iter().zip(measured).collect());
        let ids: Vec<&str> = ordered.iter().map(|region| region.id.as_str()).collect();
        assert_eq!(ids, ["here", "also-far", "far", "cut-off"]);
    }
}
