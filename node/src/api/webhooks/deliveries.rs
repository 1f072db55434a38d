//! `GET /v1/webhook-endpoints/{id}/deliveries`: what is parked, what is being tried again, and
//! what was delivered last, of every region.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use meridian_regions::RegionId;
use serde_json::{Value, json};

use super::{found, unreadable};
use crate::api::id::Id;
use crate::api::problem::Problem;
use crate::clock::rfc3339;
use crate::events::Cursor;
use crate::node::Node;
use crate::outbound::{Delivery, EndpointId, Progress};

/// Parked ones first, then those that fail, then the latest. All that there is: both are bounded.
pub(crate) async fn deliveries(
    State(node): State<Arc<Node>>,
    Id(id): Id<EndpointId>,
) -> Result<Json<Value>, Problem> {
    found(&node, &id)?;
    let regions = node.outbound.progress(&id).map_err(unreadable)?;
    let parked = regions.iter().flat_map(|progress| {
        progress.parked.iter().map(|parked| {
            let mut shown = entry("parked", &progress.cursor.region, &parked.delivery);
            shown["attempts"] = json!(parked.attempts);
            shown["error"] = json!(parked.error);
            shown["at"] = json!(rfc3339(parked.at_ms));
            shown
        })
    });
    let failing = regions.iter().flat_map(|progress| {
        progress.failing.iter().map(|failing| {
            let mut shown = entry("retrying", &progress.cursor.region, &failing.delivery);
            shown["attempts"] = json!(failing.attempts);
            shown["error"] = json!(failing.error);
            shown["next_attempt_at"] = json!(rfc3339(failing.due_ms));
            shown
        })
    });
    let recent = regions.iter().flat_map(|progress| {
        progress.recent.iter().map(|recent| {
            let mut shown = entry("delivered", &progress.cursor.region, &recent.delivery);
            shown["attempts"] = json!(recent.attempts);
            shown["at"] = json!(rfc3339(recent.at_ms));
            shown
        })
    });
    let data: Vec<Value> = parked.chain(failing).chain(recent).collect();
    let regions: Vec<Value> = regions.iter().map(region).collect();
    Ok(Json(json!({"data": data, "regions": regions})))
}

fn entry(state: &str, region: &RegionId, delivery: &Delivery) -> Value {
    json!({
        "state": state,
        "region": region,
        "event_id": delivery.id(),
        "type": delivery.kind(),
        "listing_id": delivery.listing,
    })
}

fn region(progress: &Progress) -> Value {
    json!({
        "region": progress.cursor.region,
        "cursor": Cursor::Region(progress.cursor.clone()).to_string(),
        "delivered": progress.delivered,
        "parked": progress.parked.len(),
        "gaps": progress.gaps,
        "replayed": progress.replayed,
    })
}
