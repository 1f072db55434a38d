//! The client API described as OpenAPI 3.1, from the code that serves it (ADR 57).
//!
//! Which routes there are, who may use them and what stands in their paths come from the table
//! of routes; queries and bodies from the types that they are read into; problems from their
//! table. What an answer looks like is written here, and compared with what the running server
//! answers. Nothing here is read by what serves requests.
//!
//! Invariant kept here: every route is described, and nothing else is.

mod headers;
mod listings;
mod operation;
mod operations;
mod page;
mod paths;
mod schemas;
mod shapes;
pub(super) mod texts;

use std::sync::LazyLock;

use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use serde_json::{Value, json};

pub(super) use page::{page, style};

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

/// As it is served: made once.
static SERVED: LazyLock<Bytes> = LazyLock::new(|| written().into());

/// `GET /openapi.json`
pub(super) async fn read() -> Response {
    ([(CONTENT_TYPE, "application/json")], SERVED.clone()).into_response()
}

/// The document as text, for people too.
pub(crate) fn written() -> String {
    let mut text = serde_json::to_string_pretty(&document()).expect("its keys are texts");
    text.push('\n');
    text
}

fn document() -> Value {
    let (_, table) = super::routes().split();
    let described = paths::paths(table.rows(), operations::all())
        .expect("every route is described, as a test of this module has seen");
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Meridian",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "Listings that every region writes, and nights that are sold once. Every node of every region serves all of it. Instants are RFC 3339 in UTC, nights civil dates, amounts minor units. Every error is `application/problem+json`.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/", "description": "Whoever has served this."}],
        "tags": TAGS.map(|name| json!({"name": name})),
        "paths": described.paths,
        "components": {
            "parameters": headers::of_requests(),
            "headers": headers::of_answers(),
            "responses": described.refusals,
            "schemas": schemas::all(),
            "securitySchemes": {
                "token": {
                    "type": "http", "scheme": "bearer", "bearerFormat": "JWT",
                    "description": "A token that somebody has signed whom this cluster believes.",
                },
                "key": {
                    "type": "apiKey", "in": "header", "name": "Authorization",
                    "description": "`ApiKey <key>`, as `meridian auth new-key` makes it.",
                },
            },
        },
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use axum::http::Method;
    use serde_json::Value;

    use super::operation::Operation;
    use super::paths::{Undescribed, paths};
    use super::{document, operations};

    #[test]
    fn every_route_is_described_and_nothing_else_is() {
        let document = document();
        let described = document["paths"].as_object().expect("paths").iter();
        let described: BTreeSet<(String, String)> = described
            .flat_map(|(path, at)| {
                let methods = at.as_object().expect("methods").keys();
                methods.map(move |method| (method.to_ascii_uppercase(), path.clone()))
            })
            .collect();
        let (_, table) = crate::api::routes().split();
        let rows = table.rows().iter();
        let routes = rows.map(|row| (row.method.to_string(), row.path.to_owned()));
        assert_eq!(described, routes.collect());
    }

    #[test]
    fn route_without_a_description_and_description_without_a_route_are_told() {
        let (_, table) = crate::api::routes().split();
        let mut few = operations::all();
        few.retain(|(_, path, _)| *path != "/v1/regions");
        assert_eq!(
            paths(table.rows(), few).err(),
            Some(Undescribed::Route("GET /v1/regions".to_owned()))
        );
        let mut many = operations::all();
        many.push((Method::GET, "/v1/none", Operation::new("", "", "")));
        assert_eq!(
            paths(table.rows(), many).err(),
            Some(Undescribed::NoRoute("GET /v1/none".to_owned()))
        );
    }

    /// Every reference in a part of the document.
    fn references(part: &Value, into: &mut BTreeSet<String>) {
        match part {
            Value::Object(fields) => {
                if let Some(Value::String(to)) = fields.get("$ref") {
                    into.insert(to.clone());
                }
                fields.values().for_each(|field| references(field, into));
            }
            Value::Array(items) => items.iter().for_each(|item| references(item, into)),
            _ => {}
        }
    }

    #[test]
    fn references_lead_somewhere_and_operations_have_names_of_their_own() {
        let document = document();
        let mut found = BTreeSet::new();
        references(&document, &mut found);
        for reference in found {
            let pointer = reference.strip_prefix('#').expect("of this document");
            assert!(document.pointer(pointer).is_some(), "{reference}");
        }
        let mut ids = BTreeSet::new();
        let paths = document["paths"].as_object().expect("paths").values();
        for operation in paths.flat_map(|at| at.as_object().expect("methods").values()) {
            assert!(
                ids.insert(operation["operationId"].to_string()),
                "{operation}"
            );
        }
        let links = document.to_string();
        let linked = links.split("\"links\":{\"").skip(1);
        let linked: Vec<_> = linked.filter_map(|rest| rest.split('"').next()).collect();
        assert!(!linked.is_empty());
        for id in linked {
            assert!(ids.contains(&format!("\"{id}\"")), "{id}");
        }
    }
}
