//! Events, webhooks, guests and regions.

use axum::http::{Method, StatusCode};
use serde_json::json;

use super::super::operation::Operation;
use super::super::paths::Described;
use crate::api::problem::Slug;
use crate::api::{events, guests, regions, webhooks};

const WEBHOOKS: &str = "Webhooks";
const GUESTS: &str = "Guests";
const REGIONS: &str = "Regions";
const ID: &str = "$response.body#/id";
const ENDPOINTS: &str = "/v1/webhook-endpoints";
const ENDPOINT: &str = "/v1/webhook-endpoints/{id}";
const PREFERENCES: &str = "/v1/guests/{id}/preferences";
/// How fresh a read was.
const FRESHNESS: [&str; 2] = ["Meridian-Consistency", "Meridian-Staleness-Ms"];

pub(super) fn all() -> Vec<Described> {
    let mut all = told();
    all.extend(endpoints());
    all.extend(deliveries());
    all.extend(of_guests());
    all.extend(places());
    all.extend(descriptions());
    all
}

fn told() -> Vec<Described> {
    let events = Operation::new("Events", "readEvents", "Read what has happened to bookings")
        .query::<events::Page>()
        .or(&[Slug::EventsGone, Slug::CursorElsewhere, Slug::NotFound])
        .or(&[Slug::NoHolder, Slug::OutcomeUnknown])
        .answers(
            StatusCode::OK,
            "CloudEvents, at least once, in order for each listing.",
            "Events",
        )
        .with(&FRESHNESS);
    vec![(Method::GET, "/v1/events", events)]
}

fn endpoints() -> Vec<Described> {
    let list = Operation::new(
        WEBHOOKS,
        "listWebhookEndpoints",
        "Read where events are delivered",
    )
    .answers(StatusCode::OK, "All of them.", "WebhookEndpoints");
    let create = Operation::new(WEBHOOKS, "createWebhookEndpoint", "Have events delivered")
        .body::<webhooks::Draft>()
        .answers(
            StatusCode::CREATED,
            "The endpoint; a secret that was made is told once.",
            "WebhookEndpoint",
        )
        .with(&["Location"]);
    let about = [
        "readWebhookEndpoint",
        "patchWebhookEndpoint",
        "testWebhookEndpoint",
        "replayWebhookEndpoint",
        "listDeliveries",
        "deleteWebhookEndpoint",
    ];
    let create = about
        .iter()
        .fold(create, |create, id| create.then(id, &[("id", ID)]));
    let read = Operation::new(WEBHOOKS, "readWebhookEndpoint", "Read an endpoint").answers(
        StatusCode::OK,
        "The endpoint.",
        "WebhookEndpoint",
    );
    let patch = Operation::new(WEBHOOKS, "patchWebhookEndpoint", "Change an endpoint")
        .body::<webhooks::Patch>()
        .answers(StatusCode::OK, "The endpoint.", "WebhookEndpoint");
    let remove = Operation::new(WEBHOOKS, "deleteWebhookEndpoint", "Delete an endpoint")
        .done(StatusCode::NO_CONTENT, "It is gone; again: the same.");
    vec![
        (Method::GET, ENDPOINTS, list),
        (Method::POST, ENDPOINTS, create),
        (Method::GET, ENDPOINT, read),
        (Method::PATCH, ENDPOINT, patch),
        (Method::DELETE, ENDPOINT, remove),
    ]
}

fn deliveries() -> Vec<Described> {
    let test = Operation::new(
        WEBHOOKS,
        "testWebhookEndpoint",
        "Send an endpoint an event that has not happened",
    )
    .answers(StatusCode::OK, "What came of it.", "Tested");
    let replay = Operation::new(WEBHOOKS, "replayWebhookEndpoint", "Deliver again")
        .body::<webhooks::Again>()
        .answers(StatusCode::ACCEPTED, "It begins.", "Replay");
    let deliveries = Operation::new(WEBHOOKS, "listDeliveries", "Read what has become of events")
        .answers(StatusCode::OK, "All that is kept.", "Deliveries");
    vec![
        (Method::POST, "/v1/webhook-endpoints/{id}/test", test),
        (Method::POST, "/v1/webhook-endpoints/{id}/replay", replay),
        (
            Method::GET,
            "/v1/webhook-endpoints/{id}/deliveries",
            deliveries,
        ),
    ]
}

fn of_guests() -> Vec<Described> {
    let stated = Operation::new(GUESTS, "readPreferences", "Read what a guest has stated").answers(
        StatusCode::OK,
        "What was stated.",
        "Preferences",
    );
    let state = Operation::new(GUESTS, "statePreferences", "State what one looks for")
        .body::<guests::Preferences>()
        .answers(StatusCode::OK, "What is stated now.", "Preferences");
    let matches = Operation::new(GUESTS, "findMatches", "Find listings that fit a guest")
        .in_session()
        .query::<guests::Page>()
        .answers(StatusCode::OK, "A page, the best first.", "Matches")
        .with(&FRESHNESS);
    vec![
        (Method::GET, PREFERENCES, stated),
        (Method::PUT, PREFERENCES, state),
        (Method::GET, "/v1/guests/{id}/matches", matches),
    ]
}

fn places() -> Vec<Described> {
    let regions = Operation::new(REGIONS, "listRegions", "Read where the cluster stands").answers(
        StatusCode::OK,
        "Every region.",
        "Regions",
    );
    let nearest = Operation::new(REGIONS, "nearestRegions", "Read which regions are nearest")
        .query::<regions::Place>()
        .answers(StatusCode::OK, "Every region, nearest first.", "Nearest")
        .with(&["Cache-Control"]);
    vec![
        (Method::GET, "/v1/regions", regions),
        (Method::GET, "/v1/regions/nearest", nearest),
    ]
}

fn descriptions() -> Vec<Described> {
    let read = |id, summary, media, schema| {
        Operation::new("Description", id, summary).answers_as(
            StatusCode::OK,
            "It.",
            Some((media, schema)),
        )
    };
    let object = json!({"type": "object"});
    let text = json!({"type": "string"});
    let document = read(
        "readDescription",
        "Read this description",
        "application/json",
        object,
    );
    let page = read(
        "readDescriptionAsPage",
        "Read this description as a page",
        "text/html",
        text.clone(),
    );
    let style = read(
        "readStyleOfPage",
        "Read how that page looks",
        "text/css",
        text,
    );
    vec![
        (Method::GET, "/openapi.json", document),
        (Method::GET, "/docs", page),
        (Method::GET, "/docs/style.css", style),
    ]
}
