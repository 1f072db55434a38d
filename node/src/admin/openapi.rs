//! The operator API described as OpenAPI 3.1, made as that of the client API is (ADR 57).
//!
//! Routes, roles and ids in paths come from the table of routes, queries and bodies from the
//! types that they are read into, problems from their table. What an answer looks like is
//! written here; a test asks every route of a running node, and finds what is missing in either.
//!
//! Invariant kept here: every route of the operator port is described, and nothing else is.

mod answers;
mod operations;

use std::sync::LazyLock;

use axum::response::Response;
use bytes::Bytes;
use serde_json::{Value, json};

use crate::admission::Door;
use crate::api::openapi::document::{self, Api};
use crate::api::openapi::page::{self, Places};

pub(super) use page::style;

/// Areas, in the order in which they are shown.
const TAGS: [&str; 10] = [
    "Health",
    "Node",
    "Cluster",
    "Map",
    "Listings",
    "Replication",
    "Payments",
    "Test clusters",
    "Console",
    "Description",
];
/// Where it is served, and what its page links to.
pub(super) const DOCUMENT: &str = "/admin/v1/openapi.json";
pub(super) const PAGE: &str = "/admin/v1/docs";
pub(super) const STYLE: &str = "/admin/v1/docs/style.css";

/// As it is served: made once.
static SERVED: LazyLock<Bytes> = LazyLock::new(|| document::text(&described()).into());
static DRAWN: LazyLock<Bytes> = LazyLock::new(|| {
    let places = Places {
        document: DOCUMENT,
        style: STYLE,
    };
    page::written(&described(), places)
});

/// `GET /admin/v1/openapi.json`
pub(super) async fn read() -> Response {
    document::answer(SERVED.clone())
}

/// `GET /admin/v1/docs`: the same as a page.
pub(super) async fn docs() -> Response {
    page::answer(DRAWN.clone())
}

/// The document as text.
pub(crate) fn written() -> String {
    document::text(&described())
}

fn described() -> Value {
    let (_, table) = super::routes().split();
    let api = Api {
        title: "Meridian operator",
        what: "One node of a cluster, and what it knows of the others: what the command `meridian` and the console ask. It stands on a port of its own. Instants are RFC 3339 in UTC; every error is `application/problem+json`. Answers may say more with a later version.",
        tags: &TAGS,
        door: Door::Operators,
        rows: table.rows().to_vec(),
        operations: operations::all(),
        // It has no sessions and no keys.
        parameters: json!({}),
        schemas: answers::all(),
    };
    api.into_json()
}

#[cfg(test)]
mod tests {
    use meridian_regions::Change;
    use serde_json::json;

    use super::{TAGS, described};
    use crate::api::openapi::checks::{assert_sound, faults, operations, routes};
    use crate::api::openapi::texts::MapChange;

    #[test]
    fn every_route_is_described_and_nothing_else_is() {
        let (_, table) = crate::admin::routes().split();
        assert_eq!(operations(&described()), routes(table.rows()));
    }

    #[test]
    fn references_lead_somewhere_and_every_area_has_operations() {
        let document = described();
        assert_sound(&document);
        let text = document.to_string();
        for tag in TAGS {
            assert!(text.contains(&format!("\"tags\":[\"{tag}\"]")), "{tag}");
        }
    }

    #[test]
    fn roles_and_credentials_are_those_of_the_routes() {
        let document = described();
        let of = |path: &str, method: &str| document["paths"][path][method]["security"].clone();
        assert_eq!(of("/livez", "get"), json!([]));
        let shown = json!([{"token": ["operator"]}, {"key": ["operator"]}]);
        assert_eq!(of("/admin/v1/drains", "post"), shown);
        let browsed = of("/console", "get");
        assert_eq!(browsed[2], json!({"browser": ["operator"]}));
        let answers = &document["paths"]["/admin/v1/drains"]["post"]["responses"];
        for status in ["401", "403", "422", "413"] {
            assert!(answers[status].is_object(), "{status}");
        }
        // Nobody counts what operators ask.
        assert!(answers["429"].is_null(), "{answers}");
    }

    #[test]
    fn changes_of_the_map_are_read_as_they_are_described() {
        let region = json!({"id": "a", "latitude": 1.5, "longitude": 2.0});
        let node = json!({
            "id": 4, "region": "a", "zone": "a-1", "peer": "h:1", "api": "", "admin": "",
        });
        let addresses =
            json!({"change": "readdress", "node": 4, "peer": "h:1", "api": "", "admin": ""});
        for change in [
            json!({"change": "add-region", "region": region}),
            json!({"change": "add-node", "node": node}),
            json!({"change": "set-state", "node": 4, "state": "draining"}),
            addresses,
            json!({"change": "remove-region", "region": "a"}),
        ] {
            let wrong = faults(&described(), &MapChange::schema(), &change, "");
            assert_eq!(wrong, Vec::<String>::new(), "{change}");
            let read: Change = serde_json::from_value(change.clone()).expect("a change");
            let again = serde_json::to_value(&read).expect("it is written");
            let wrong = faults(&described(), &MapChange::schema(), &again, "");
            assert_eq!(wrong, Vec::<String>::new(), "{again}");
            let mut more = change;
            more["more"] = json!(1);
            assert_ne!(
                faults(&described(), &MapChange::schema(), &more, ""),
                Vec::<String>::new()
            );
            assert!(serde_json::from_value::<Change>(more).is_err());
        }
    }
}
