//! Routes and their descriptions, put together: each route of the table with what is written
//! of it, none without, and nothing of what is no route.

use std::collections::BTreeMap;

use axum::http::{Method, StatusCode};
use serde_json::{Map, Value, json};

use super::operation::{Answer, Operation};
use super::texts;
use crate::admission::Door;
use crate::api::problem::Slug;
use crate::auth::{Access, Ownership, Row, Taken};

/// A route, and what is written of it.
pub(crate) type Described = (Method, &'static str, Operation);

/// Why there is no description.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Undescribed {
    /// A route of which nothing is written.
    Route(String),
    /// Something is written of what is no route, or twice.
    NoRoute(String),
}

/// Every route, and the refusals that they share.
#[derive(Debug, Default)]
pub(crate) struct Paths {
    /// `paths` of the document.
    pub(crate) paths: Map<String, Value>,
    /// `components/responses`: by the slugs of the problems.
    pub(crate) refusals: BTreeMap<String, Value>,
}

/// Every route of the table with what is written of it.
pub(crate) fn paths(
    door: Door,
    rows: &[Row],
    described: Vec<Described>,
) -> Result<Paths, Undescribed> {
    let mut described = described;
    let Paths {
        mut paths,
        mut refusals,
    } = Paths::default();
    for row in rows {
        let is_it = |(method, path, _): &Described| (method, *path) == (&row.method, row.path);
        let place = described.iter().position(is_it);
        let place = place.ok_or_else(|| Undescribed::Route(named(&row.method, row.path)))?;
        let (.., operation) = described.swap_remove(place);
        let at = paths.entry(row.path).or_insert_with(|| json!({}));
        at[row.method.as_str().to_ascii_lowercase()] = shown((door, row), operation, &mut refusals);
    }
    match described.first() {
        None => Ok(Paths { paths, refusals }),
        Some((method, path, _)) => Err(Undescribed::NoRoute(named(method, path))),
    }
}

fn named(method: &Method, path: &str) -> String {
    format!("{method} {path}")
}

fn shown(
    (door, row): (Door, &Row),
    operation: Operation,
    refusals: &mut BTreeMap<String, Value>,
) -> Value {
    let mut operation = also((door, row), operation);
    let mut parameters: Vec<Value> = in_path(row.path).collect();
    parameters.append(&mut operation.query);
    let headers = operation.headers.iter();
    parameters.extend(headers.map(|name| reference("parameters", name)));
    let mut shown = json!({
        "operationId": operation.id,
        "tags": [operation.tag],
        "summary": operation.summary,
        "description": format!("For {}.", row.access.told()),
        "security": security(door, row),
        "responses": answers(&operation, refusals),
    });
    if !parameters.is_empty() {
        shown["parameters"] = json!(parameters);
    }
    if let Some(body) = operation.body {
        let media = body.media.iter();
        let content = media.map(|media| (*media, json!({"schema": body.schema})));
        let content: BTreeMap<_, _> = content.collect();
        shown["requestBody"] = json!({"required": true, "content": content});
    }
    shown
}

/// What every route of its kind may be refused with.
fn also((door, row): (Door, &Row), operation: Operation) -> Operation {
    let operation = operation.or(&[Slug::Overloaded, Slug::Internal]);
    let operation = match door {
        Door::Clients => operation.or(&[Slug::RateLimited]),
        Door::Operators => operation,
    };
    let operation = match row.access {
        Access::Open => return operation,
        _ => operation.or(&[Slug::Unauthenticated]),
    };
    let may_be_forbidden = row.access.roles().is_some() || row.ownership != Ownership::Nobody;
    let operation = match may_be_forbidden {
        true => operation.or(&[Slug::Forbidden]),
        false => operation,
    };
    // Another node of the region may hold it.
    let passed_on = ["/v1/listings", "/v1/holds", "/v1/bookings"];
    let operation = match passed_on.iter().any(|first| row.path.starts_with(first)) {
        true => operation.or(&[Slug::NoHolder, Slug::OutcomeUnknown]),
        false => operation,
    };
    match row.path.contains('{') {
        true => operation.or(&[Slug::NotFound]),
        false => operation,
    }
}

/// Who need not show anything is described by an empty entry. A list of roles asks for all of
/// them, so that none is named where one of several is enough.
fn security(door: Door, row: &Row) -> Value {
    let roles: &[&str] = match row.access {
        Access::Operator => &["operator"],
        _ => &[],
    };
    let mut shown = vec![json!({"token": roles}), json!({"key": roles})];
    if Taken::at(door, &row.method, Some(row.path)) == Taken::Browsed {
        shown.push(json!({"browser": roles}));
    }
    match row.access {
        Access::Open => return json!([]),
        Access::Reading => shown.insert(0, json!({})),
        _ => {}
    }
    json!(shown)
}

/// The parameters that a path has, by their names and by what they stand behind.
fn in_path(path: &'static str) -> impl Iterator<Item = Value> {
    let parts = path.split('/').filter(|part| part.starts_with('{'));
    parts.map(move |part| {
        let name = part.trim_matches(['{', '}']);
        json!({
            "name": name,
            "in": "path",
            "required": true,
            "schema": id(path, name),
        })
    })
}

fn id(path: &str, name: &str) -> Value {
    let client = path.strip_prefix("/admin").unwrap_or(path);
    let area = client.split('/').nth(2).unwrap_or_default();
    match (area, name) {
        ("listings" | "groups" | "data", "id") => texts::Listing::schema(),
        ("listings", "block") => texts::Block::schema(),
        ("holds", _) => texts::Hold::schema(),
        ("bookings", _) => texts::Booking::schema(),
        ("guests", _) => texts::Guest::schema(),
        ("webhook-endpoints", _) => texts::Endpoint::schema(),
        ("outcomes", _) => super::headers::key(),
        ("nodes" | "drains", _) => texts::NodeNumber::schema(),
        ("replication", _) => texts::ShardNumber::schema(),
        ("sagas", _) => texts::Booking::schema(),
        _ => json!({"type": "string"}),
    }
}

fn answers(operation: &Operation, refusals: &mut BTreeMap<String, Value>) -> Value {
    let mut answers: BTreeMap<String, Value> = BTreeMap::new();
    for answer in &operation.answers {
        answers.insert(answer.status.as_u16().to_string(), told(answer));
    }
    let mut by_status: BTreeMap<StatusCode, Vec<Slug>> = BTreeMap::new();
    for slug in &operation.problems {
        by_status.entry(slug.status()).or_default().push(*slug);
    }
    for (status, mut slugs) in by_status {
        slugs.sort_unstable_by_key(|slug| slug.as_str());
        let names: Vec<&str> = slugs.iter().map(|slug| slug.as_str()).collect();
        let name = names.join(".");
        let at = status.as_u16().to_string();
        if let Some(answer) = answers.get_mut(&at) {
            // This status says more than one thing.
            answer["content"][PROBLEM] = refused(&slugs)["content"][PROBLEM].take();
            continue;
        }
        answers.insert(at, reference("responses", &name));
        refusals.entry(name).or_insert_with(|| refused(&slugs));
    }
    json!(answers)
}

/// What problems are told as.
const PROBLEM: &str = "application/problem+json";
/// On every answer.
const ALWAYS: [&str; 3] = ["Meridian-Session", "Meridian-Served-By", "X-Request-Id"];

fn told(answer: &Answer) -> Value {
    let mut told = json!({
        "description": answer.what,
        "headers": headers(ALWAYS.iter().chain(&answer.headers)),
    });
    for (media, schema) in &answer.bodies {
        told["content"][*media] = json!({"schema": schema});
    }
    for link in &answer.links {
        let parameters = link.parameters.iter().copied();
        let mut shown = json!({
            "operationId": link.operation,
            "parameters": parameters.collect::<BTreeMap<_, _>>(),
        });
        if let Some(body) = &link.body {
            shown["requestBody"] = body.clone();
        }
        told["links"][link.operation] = shown;
    }
    told
}

fn refused(slugs: &[Slug]) -> Value {
    let what = slugs.iter();
    let what = what.map(|slug| format!("`{}`: {}", slug.as_str(), slug.title()));
    let codes: Vec<&str> = slugs.iter().map(|slug| slug.as_str()).collect();
    let mut names = ALWAYS.to_vec();
    if slugs.contains(&Slug::Unauthenticated) {
        names.push("WWW-Authenticate");
    }
    if slugs.iter().any(|slug| slug.retryable()) {
        names.push("Retry-After");
    }
    let schema = json!({
        "allOf": [reference("schemas", "Problem")],
        "properties": {"code": {"enum": codes}},
    });
    json!({
        "description": what.collect::<Vec<_>>().join("; "),
        "headers": headers(names.iter()),
        "content": {PROBLEM: {"schema": schema}},
    })
}

fn headers<'a>(names: impl Iterator<Item = &'a &'a str>) -> Value {
    let named = names.map(|name| (*name, reference("headers", name)));
    json!(named.collect::<BTreeMap<_, _>>())
}

fn reference(kind: &str, name: &str) -> Value {
    json!({"$ref": format!("#/components/{kind}/{name}")})
}
