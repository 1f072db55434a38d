//! The client contract over gRPC, on the port that REST has.
//!
//! A call is the same request as REST's, answered by the same routes: so both say the same, and
//! what surrounds a request (its id, its session, admission, rates, other nodes that hold the
//! listing) surrounds these too. What is here is the translation: messages into JSON and back,
//! metadata into headers and back, problems into statuses.

mod bookings;
mod gateway;
mod guests;
mod listings;
mod lookups;
mod status;
#[cfg(test)]
mod tests;
mod webhooks;

/// Written by `cargo xtask grpc` from `node/proto`.
#[allow(
    clippy::all,
    clippy::too_many_lines,
    missing_docs,
    unreachable_pub,
    unused_qualifications
)]
mod generated {
    pub(crate) mod v1 {
        include!("grpc/generated/meridian.v1.rs");
    }
}

use axum::Router;
use axum::extract::Request;
use axum::routing::any;
use serde::{Deserialize, Deserializer};
use serde_json::Value;
use tonic::service::Routes;
use tower_service::Service;

use gateway::Gateway;
pub(crate) use generated::v1;

/// The contract, for those who ask a server what it can.
const DESCRIPTORS: &[u8] = include_bytes!("grpc/generated/descriptors.bin");

/// Services, by the first part of their paths.
const SERVICES: [&str; 8] = [
    "meridian.v1.Listings",
    "meridian.v1.Bookings",
    "meridian.v1.Events",
    "meridian.v1.Guests",
    "meridian.v1.Webhooks",
    "meridian.v1.Regions",
    "grpc.health.v1.Health",
    "grpc.reflection.v1.ServerReflection",
];

/// The routes of REST together with those of gRPC over them.
pub(crate) async fn beside(rest: Router) -> Router {
    let calls = services(Gateway::over(rest.clone())).await;
    SERVICES.into_iter().fold(rest, |routes, service| {
        let mut calls = calls.clone();
        let answer = async move |request: Request| {
            // Routes are always ready.
            let Ok(response) = calls.call(request).await;
            response
        };
        routes.route(&format!("/{service}/{{method}}"), any(answer))
    })
}

async fn services(gateway: Gateway) -> Router {
    let (reporter, health) = tonic_health::server::health_reporter();
    reporter
        .set_service_status("", tonic_health::ServingStatus::Serving)
        .await;
    let reflection = tonic_reflection::server::Builder::configure()
        .register_encoded_file_descriptor_set(DESCRIPTORS)
        .build_v1()
        .expect("the descriptors that were written with the code");
    Routes::new(v1::listings_server::ListingsServer::new(gateway.clone()))
        .add_service(v1::bookings_server::BookingsServer::new(gateway.clone()))
        .add_service(v1::events_server::EventsServer::new(gateway.clone()))
        .add_service(v1::guests_server::GuestsServer::new(gateway.clone()))
        .add_service(v1::webhooks_server::WebhooksServer::new(gateway.clone()))
        .add_service(v1::regions_server::RegionsServer::new(gateway))
        .add_service(health)
        .add_service(reflection)
        .into_axum_router()
}

/// Any JSON as its text.
pub(crate) fn json_text<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: From<String>,
{
    Value::deserialize(deserializer).map(|value| value.to_string().into())
}
