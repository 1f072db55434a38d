//! One API as a whole document: its routes with what is written of each, and what they share.

use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use serde_json::{Value, json};

use super::headers;
use super::paths::{Described, paths};
use crate::admission::Door;
use crate::auth::Row;

/// See the module.
pub(crate) struct Api {
    pub(crate) title: &'static str,
    /// What it is, in a few sentences.
    pub(crate) what: &'static str,
    /// Areas, in the order in which they are shown.
    pub(crate) tags: &'static [&'static str],
    /// The port that serves it.
    pub(crate) door: Door,
    pub(crate) rows: Vec<Row>,
    pub(crate) operations: Vec<Described>,
    /// `components/parameters`.
    pub(crate) parameters: Value,
    /// `components/schemas`.
    pub(crate) schemas: Value,
}

impl Api {
    pub(crate) fn into_json(self) -> Value {
        let described = paths(self.door, &self.rows, self.operations)
            .expect("every route is described, as a test of its API has seen");
        let tags = self.tags.iter();
        json!({
            "openapi": "3.1.0",
            "info": {
                "title": self.title,
                "version": env!("CARGO_PKG_VERSION"),
                "description": self.what,
                "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
            },
            "servers": [{"url": "/", "description": "Whoever has served this."}],
            "tags": tags.map(|name| json!({"name": name})).collect::<Vec<_>>(),
            "paths": described.paths,
            "components": {
                "parameters": self.parameters,
                "headers": headers::of_answers(),
                "responses": described.refusals,
                "schemas": self.schemas,
                "securitySchemes": credentials(self.door),
            },
        })
    }
}

/// What shows who asks, at a port.
fn credentials(door: Door) -> Value {
    let mut credentials = json!({
        "token": {
            "type": "http", "scheme": "bearer", "bearerFormat": "JWT",
            "description": "A token that somebody has signed whom this cluster believes.",
        },
        "key": {
            "type": "apiKey", "in": "header", "name": "Authorization",
            "description": "`ApiKey <key>`, as `meridian auth new-key` makes it.",
        },
    });
    if door == Door::Operators {
        credentials["browser"] = json!({
            "type": "http", "scheme": "basic",
            "description": "What a browser asks its user for: the key's owner, and the API key as the password.",
        });
    }
    credentials
}

/// A document as text, for people too.
pub(crate) fn text(document: &Value) -> String {
    let mut text = serde_json::to_string_pretty(document).expect("its keys are texts");
    text.push('\n');
    text
}

/// A document as it is served.
pub(crate) fn answer(served: Bytes) -> Response {
    ([(CONTENT_TYPE, "application/json")], served).into_response()
}
