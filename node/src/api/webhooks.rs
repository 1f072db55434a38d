//! `/v1/webhook-endpoints`: where events are delivered, and what came of it.
//!
//! Every node of every region answers for all of them: an endpoint is one register of the
//! cluster, and so is what each region has delivered to it.

mod deliveries;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use axum::Json;
use axum::extract::State;
use axum::http::header::LOCATION;
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use meridian_regions::RegionId;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use super::body::JsonBody;
use super::id::Id;
use super::openapi::texts;
use super::problem::{Problem, Slug};
use crate::clock::rfc3339;
use crate::events::Cursor;
use crate::events::cloud_event;
use crate::node::Node;
use crate::outbound::{ENDPOINTS_MAX, Endpoint, EndpointId, Replay, fresh_secret};
use crate::registers::RegisterError;

pub(crate) use deliveries::deliveries;

/// Shortest and longest secret that somebody brings, in bytes.
const SECRET_BYTES: std::ops::RangeInclusive<usize> = 16..=128;

/// From when on events are delivered.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum Since {
    #[default]
    Now,
    Oldest,
}

/// A new endpoint.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Draft {
    /// Where events go.
    #[schemars(with = "texts::WebhookUrl")]
    url: String,
    /// Types of events; none are all.
    #[serde(default)]
    #[schemars(with = "Vec<texts::EventType>")]
    types: Vec<String>,
    /// What signatures are made with; without it, one is made and told once.
    #[schemars(with = "Option<texts::WebhookSecret>")]
    secret: Option<String>,
    /// From when on.
    #[serde(default)]
    since: Since,
}

/// What is to be different.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Patch {
    /// Where events go.
    #[schemars(with = "Option<texts::WebhookUrl>")]
    url: Option<String>,
    /// Types of events; none are all.
    #[schemars(with = "Option<Vec<texts::EventType>>")]
    types: Option<Vec<String>>,
    /// Whether anything is delivered.
    enabled: Option<bool>,
}

/// What is to be delivered again: what is parked, or everything behind a cursor.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Again {
    /// What is parked, what is behind a cursor, or everything that is kept.
    from: From,
    /// With `cursor` alone: where to begin.
    cursor: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum From {
    Parked,
    Cursor,
    Oldest,
}

/// `POST /v1/webhook-endpoints`
pub(crate) async fn create(
    State(node): State<Arc<Node>>,
    JsonBody { value: draft, .. }: JsonBody<Draft>,
) -> Result<Response, Problem> {
    checked_url(&node, &draft.url)?;
    let types = checked_types(draft.types)?;
    let (secret, is_ours) = match draft.secret {
        None => (fresh_secret(), true),
        Some(secret) if is_secret(&secret) => (secret, false),
        Some(_) => {
            let detail = "16 to 128 visible ASCII characters, or none: then one is made";
            return Err(Problem::field("/secret", detail));
        }
    };
    if node.outbound.endpoints().map_err(unreadable)?.len() >= ENDPOINTS_MAX {
        let detail = format!("a cluster has {ENDPOINTS_MAX} endpoints at most: delete one first");
        return Err(Problem::field("", detail));
    }
    let now_ms = node.clock.now().as_millis();
    let (id, endpoint) = (
        EndpointId::fresh(),
        Endpoint {
            url: draft.url,
            types,
            secret,
            enabled: true,
            created_ms: now_ms,
            since_ms: if draft.since == Since::Now { now_ms } else { 0 },
            added_ms: BTreeMap::new(),
            replay: None,
        },
    );
    let copies = node.outbound.keep(&id, &endpoint).await.map_err(unkept)?;
    let mut body = shown(&id, &endpoint);
    body["copies"] = json!(copies);
    if is_ours {
        body["secret"] = json!(endpoint.secret);
    }
    let mut response = (StatusCode::CREATED, Json(body)).into_response();
    if let Ok(place) = HeaderValue::try_from(format!("/v1/webhook-endpoints/{id}")) {
        response.headers_mut().insert(LOCATION, place);
    }
    Ok(response)
}

/// `GET /v1/webhook-endpoints`
pub(crate) async fn list(State(node): State<Arc<Node>>) -> Result<Json<Value>, Problem> {
    let endpoints = node.outbound.endpoints().map_err(unreadable)?;
    let data = endpoints.iter().map(|(id, endpoint)| shown(id, endpoint));
    Ok(Json(json!({"data": data.collect::<Vec<_>>()})))
}

/// `GET /v1/webhook-endpoints/{id}`
pub(crate) async fn read(
    State(node): State<Arc<Node>>,
    Id(id): Id<EndpointId>,
) -> Result<Json<Value>, Problem> {
    Ok(Json(shown(&id, &found(&node, &id)?)))
}

/// `PATCH /v1/webhook-endpoints/{id}`
pub(crate) async fn patch(
    State(node): State<Arc<Node>>,
    Id(id): Id<EndpointId>,
    JsonBody { value: patch, .. }: JsonBody<Patch>,
) -> Result<Json<Value>, Problem> {
    let mut endpoint = found(&node, &id)?;
    if let Some(url) = patch.url {
        checked_url(&node, &url)?;
        endpoint.url = url;
    }
    if let Some(types) = patch.types {
        let now_ms = node.clock.now().as_millis();
        endpoint.want(checked_types(types)?, now_ms);
    }
    endpoint.enabled = patch.enabled.unwrap_or(endpoint.enabled);
    node.outbound.keep(&id, &endpoint).await.map_err(unkept)?;
    Ok(Json(shown(&id, &endpoint)))
}

/// `DELETE /v1/webhook-endpoints/{id}`; repeated: the same.
pub(crate) async fn remove(
    State(node): State<Arc<Node>>,
    Id(id): Id<EndpointId>,
) -> Result<StatusCode, Problem> {
    if node.outbound.endpoint(&id).map_err(unreadable)?.is_some() {
        node.outbound.remove(&id).await.map_err(unkept)?;
    }
    Ok(StatusCode::NO_CONTENT)
}

/// `POST /v1/webhook-endpoints/{id}/test`: one event that has not happened, once, from this node.
pub(crate) async fn test(
    State(node): State<Arc<Node>>,
    Id(id): Id<EndpointId>,
) -> Result<Json<Value>, Problem> {
    let endpoint = found(&node, &id)?;
    let event = json!({
        "specversion": "1.0",
        "id": format!("evt_test_{:032x}", rand::random::<u128>()),
        "source": format!("/v1/webhook-endpoints/{id}"),
        "type": "webhook.test",
        "time": rfc3339(node.clock.now().as_millis()),
        "datacontenttype": "application/json",
        "data": {"endpoint_id": id},
    });
    let started = Instant::now();
    let sent = node.outbound.sender().post(&endpoint, &event, 1).await;
    let took_ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
    let (status, error) = match &sent {
        Ok(status) => (Some(status.as_u16()), None),
        Err(failure) => (None, Some(failure.to_string())),
    };
    Ok(Json(json!({
        "delivered": sent.is_ok(),
        "event_id": event["id"],
        "status": status,
        "error": error,
        "duration_ms": took_ms,
    })))
}

/// `POST /v1/webhook-endpoints/{id}/replay`
pub(crate) async fn replay(
    State(node): State<Arc<Node>>,
    Id(id): Id<EndpointId>,
    JsonBody { value: again, .. }: JsonBody<Again>,
) -> Result<Response, Problem> {
    let mut endpoint = found(&node, &id)?;
    let cursor = match (again.from, again.cursor) {
        (From::Parked, None) => None,
        (From::Oldest, None) => Some(String::new()),
        (From::Cursor, Some(cursor)) => {
            region_of(&cursor).ok_or_else(|| {
                let detail = "no cursor of a region: send the next_cursor of GET /v1/events";
                Problem::field("/cursor", detail)
            })?;
            Some(cursor)
        }
        (From::Cursor, None) => {
            return Err(Problem::field("/cursor", "where to begin"));
        }
        (From::Parked | From::Oldest, Some(_)) => {
            return Err(Problem::field(
                "/cursor",
                "goes with `\"from\": \"cursor\"`",
            ));
        }
    };
    if cursor.is_some() {
        // Who asks for what was before wants it.
        endpoint.since_ms = 0;
        endpoint.added_ms.clear();
    }
    let earlier = endpoint.replay.map_or(0, |replay| replay.number);
    let number = node.clock.now().as_millis().max(earlier + 1);
    endpoint.replay = Some(Replay { number, cursor });
    node.outbound.keep(&id, &endpoint).await.map_err(unkept)?;
    let body = json!({"replay": number, "from": name_of(again.from)});
    Ok((StatusCode::ACCEPTED, Json(body)).into_response())
}

const fn name_of(from: From) -> &'static str {
    match from {
        From::Parked => "parked",
        From::Cursor => "cursor",
        From::Oldest => "oldest",
    }
}

fn region_of(cursor: &str) -> Option<RegionId> {
    match Cursor::parse(cursor)? {
        Cursor::Region(cursor) => Some(cursor.region),
        Cursor::Listing(_) => None,
    }
}

fn found(node: &Node, id: &EndpointId) -> Result<Endpoint, Problem> {
    let known = node.outbound.endpoint(id).map_err(unreadable)?;
    known.ok_or_else(|| Problem::new(Slug::NotFound, format!("no endpoint {id} is known here")))
}

/// An endpoint without its secret.
fn shown(id: &EndpointId, endpoint: &Endpoint) -> Value {
    let types: Vec<&str> = endpoint.types.iter().map(String::as_str).collect();
    json!({
        "id": id,
        "url": endpoint.url,
        "types": types,
        "enabled": endpoint.enabled,
        "created_at": rfc3339(endpoint.created_ms),
    })
}

fn checked_url(node: &Node, url: &str) -> Result<(), Problem> {
    let checked = node.outbound.sender().check(url);
    checked
        .map(|_uri| ())
        .map_err(|refused| Problem::field("/url", refused.to_string()))
}

/// Types that there are, each once.
fn checked_types(mut types: Vec<String>) -> Result<Vec<String>, Problem> {
    types.sort_unstable();
    types.dedup();
    let known = cloud_event::types();
    match types.iter().find(|name| !known.contains(&name.as_str())) {
        None => Ok(types),
        Some(name) => {
            let name: String = name.chars().take(64).collect();
            let detail = format!("`{name}` is no type of event: {}", known.join(", "));
            Err(Problem::field("/types", detail))
        }
    }
}

fn is_secret(text: &str) -> bool {
    SECRET_BYTES.contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic())
}

fn unreadable(cause: meridian_storage::StorageError) -> Problem {
    Problem::new(Slug::Internal, cause.to_string())
}

fn unkept(cause: RegisterError) -> Problem {
    match cause {
        RegisterError::TooLong => Problem::new(Slug::Validation, cause.to_string()),
        RegisterError::Storage(cause) => unreadable(cause),
    }
}
