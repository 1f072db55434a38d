//! The client API described as OpenAPI 3.1, from the code that serves it (ADR 57).
//!
//! Which routes there are, who may use them and what stands in their paths come from the table
//! of routes; queries and bodies from the types that they are read into; problems from their
//! table. What an answer looks like is written here, and compared with what the running server
//! answers. Nothing here is read by what serves requests.
//!
//! Invariant kept here: every route is described, and nothing else is.

#[cfg(test)]
pub(crate) mod checks;
pub(crate) mod document;
mod headers;
mod listings;
pub(crate) mod operation;
mod operations;
pub(crate) mod page;
pub(crate) mod paths;
pub(crate) mod schemas;
mod shapes;
pub(crate) mod texts;

use std::sync::LazyLock;

use axum::response::Response;
use bytes::Bytes;
use serde_json::Value;

use crate::admission::Door;
use document::Api;
use page::Places;

pub(super) use page::style;

/// Areas, in the order in which they are shown.
const TAGS: [&str; 7] = [
    "Listings",
    "Nights",
    "Guests",
    "Events",
    "Webhooks",
    "Regions",
    "Description",
];
/// Where its page finds what it links to.
const PLACES: Places = Places {
    document: "/openapi.json",
    style: "/docs/style.css",
};

/// As it is served: made once.
static SERVED: LazyLock<Bytes> = LazyLock::new(|| written().into());
static PAGE: LazyLock<Bytes> = LazyLock::new(|| page::written(&document(), PLACES));

/// `GET /openapi.json`
pub(super) async fn read() -> Response {
    document::answer(SERVED.clone())
}

/// `GET /docs`
pub(super) async fn page() -> Response {
    page::answer(PAGE.clone())
}

/// The document as text.
pub(crate) fn written() -> String {
    document::text(&document())
}

fn document() -> Value {
    let (_, table) = super::routes().split();
    let api = Api {
        title: "Meridian",
        what: "Listings that every region writes, and nights that are sold once. Every node of every region serves all of it. Instants are RFC 3339 in UTC, nights civil dates, amounts minor units. Every error is `application/problem+json`.",
        tags: &TAGS,
        door: Door::Clients,
        rows: table.rows().to_vec(),
        operations: operations::all(),
        parameters: headers::of_requests(),
        schemas: schemas::all(),
    };
    api.into_json()
}

#[cfg(test)]
mod tests {
    use axum::http::Method;

    use super::operation::Operation;
    use super::paths::{Undescribed, paths};
    use super::{checks, document, operations};
    use crate::admission::Door;

    #[test]
    fn every_route_is_described_and_nothing_else_is() {
        let (_, table) = crate::api::routes().split();
        assert_eq!(
            checks::operations(&document()),
            checks::routes(table.rows())
        );
    }

    #[test]
    fn route_without_a_description_and_description_without_a_route_are_told() {
        let (_, table) = crate::api::routes().split();
        let mut few = operations::all();
        few.retain(|(_, path, _)| *path != "/v1/regions");
        assert_eq!(
            paths(Door::Clients, table.rows(), few).err(),
            Some(Undescribed::Route("GET /v1/regions".to_owned()))
        );
        let mut many = operations::all();
        many.push((Method::GET, "/v1/none", Operation::new("", "", "")));
        assert_eq!(
            paths(Door::Clients, table.rows(), many).err(),
            Some(Undescribed::NoRoute("GET /v1/none".to_owned()))
        );
    }

    #[test]
    fn references_lead_somewhere_and_links_name_operations() {
        let document = document();
        let ids = checks::assert_sound(&document);
        let links = document.to_string();
        let linked = links.split("\"links\":{\"").skip(1);
        let linked: Vec<_> = linked.filter_map(|rest| rest.split('"').next()).collect();
        assert!(!linked.is_empty());
        for id in linked {
            assert!(ids.contains(id), "{id}");
        }
    }
}
