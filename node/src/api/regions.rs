//! Where the cluster stands, and which region is nearest to somebody.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::http::header::{CACHE_CONTROL, HeaderName};
use meridian_regions::{Node as Member, NodeState, Region};
use meridian_transport::PeerStatus;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use super::body::Params;
use super::problem::Problem;
use super::sender::Sender;
use crate::geoip;
use crate::node::Node;

/// `GET /v1/regions`
pub(crate) async fn list(State(node): State<Arc<Node>>) -> Json<Value> {
    Json(json!({"served_by": node.identity.region, "data": described(&node)}))
}

/// Every region as it is shown.
pub(crate) fn described(node: &Node) -> Vec<Value> {
    let regions = node.topology.regions().iter();
    regions.map(|region| describe(node, region)).collect()
}

/// Where somebody is, in degrees: both, or neither.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Place {
    /// Degrees north.
    #[schemars(extend("minimum" = -90, "maximum" = 90))]
    lat: Option<f64>,
    /// Degrees east.
    #[schemars(extend("minimum" = -180, "maximum" = 180))]
    lon: Option<f64>,
}

type Nearest = ([(HeaderName, &'static str); 1], Json<Value>);

/// `GET /v1/regions/nearest?lat=&lon=`: regions with their endpoints, nearest first, so that
/// a client can fail over by itself.
///
/// `basis` says how they were ordered:
/// - `coordinates`: by the distance on the globe from the place that was sent (`distance_km`).
/// - `geoip`: the same, from where the database of this node has the caller's address.
/// - `round-trip`: by what this node measures on its QUIC connections (`rtt_ms`, smoothed, the
///   least to a node there): this node's own region first, those that it cannot reach last.
///   That is the caller's order as far as the caller asks the node that is nearest.
///
/// One coordinate without the other is 422 `validation`, as is a place off the globe. Never
/// cached: whoever shares a cache is somewhere else.
pub(crate) async fn nearest(
    State(node): State<Arc<Node>>,
    Sender(sender): Sender,
    Params(place): Params<Place>,
) -> Result<Nearest, Problem> {
    let (basis, data) = match (place.lat, place.lon) {
        (None, None) => {
            let known = node.geoip.as_ref().zip(sender);
            match known.and_then(|(geoip, sender)| geoip.place(sender)) {
                Some(geoip::Place {
                    latitude,
                    longitude,
                }) => ("geoip", by_distance(&node, latitude, longitude)),
                None => ("round-trip", by_round_trip(&node)),
            }
        }
        (Some(lat), Some(lon)) if lat.abs() <= 90.0 && lon.abs() <= 180.0 => {
            ("coordinates", by_distance(&node, lat, lon))
        }
        (Some(_), Some(_)) => {
            return Err(Problem::field(
                "/lat",
                "lat is -90 to 90 and lon -180 to 180, in degrees",
            ));
        }
        (missing, _) => {
            let pointer = if missing.is_none() { "/lat" } else { "/lon" };
            let detail = "send lat and lon, or neither: then what is known of you decides";
            return Err(Problem::field(pointer, detail));
        }
    };
    let body = Json(json!({"basis": basis, "data": data}));
    Ok(([(CACHE_CONTROL, "no-store")], body))
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
