//! What belongs to the caller.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use super::body::{Params, page_limit};
use super::bookings::Page;
use super::consistency::Achieved;
use super::outcome::booking;
use super::problem::{Problem, Slug};
use super::session::Session;
use crate::auth::Who;
use crate::node::Node;

/// `GET /v1/me/bookings?cursor=&limit=`: the caller's bookings, in the order of their
/// listings, from what the nodes of the cluster have applied: it may be behind, and says so.
/// Nodes that did not answer in time are named; they may know of others.
pub(crate) async fn bookings(
    State(node): State<Arc<Node>>,
    session: Session,
    who: Who,
    Params(page): Params<Page>,
) -> Result<Response, Problem> {
    let Some(caller) = who.known() else {
        return Err(Problem::new(
            Slug::Unauthenticated,
            "this node cannot tell who you are, because it asks for no credentials ([auth]): the \
             host's view is GET /v1/listings/{id}/bookings, one booking is GET /v1/bookings/{id}",
        ));
    };
    let asked = (page.cursor.as_ref(), page_limit(page.limit)?);
    let bookings = node
        .bookings
        .of_guest(caller.subject(), asked, session.deadline())
        .await
        .map_err(|cause| Problem::new(Slug::Internal, cause.to_string()))?;
    let now_ms = node.clock.now().as_millis();
    let data: Vec<Value> = bookings
        .found
        .iter()
        .map(|(listing, one)| booking(listing, one, now_ms))
        .collect();
    let mut response = Json(json!({
        "data": data,
        "next_cursor": bookings.next,
        "waiting_for": bookings.waiting_for,
    }))
    .into_response();
    Achieved::EVENTUAL.state(response.headers_mut());
    Ok(response)
}
