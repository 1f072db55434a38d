//! What the operator port answers, compared with its description: every route is asked as an
//! operator, and whatever it says is to be described, as deep as it goes.

use meridian_failpoints::Failpoint;
use reqwest::{Method, Response};
use serde_json::{Value, json};

use super::cases::{self, Stock};
use super::world::World;
use crate::admin;
use crate::api::openapi::checks::{faults, resolved};

/// What is asked beside the cases, in this order: answers that those do not come to.
type More = (Method, &'static str, String, Option<Value>, u16);

fn more(folder: &str) -> Vec<More> {
    const STAGED: &str = "/admin/v1/layout/staged";
    const CLOCK: &str = "/admin/v1/chaos/clock";
    const BACKUPS: &str = "/admin/v1/backups";
    const POINT: &str = "/admin/v1/failpoints/{name}";
    let at = |method: Method, route: &'static str, body: Option<Value>, status: u16| {
        (method, route, route.to_owned(), body, status)
    };
    let region = json!({"id": "far-away", "latitude": 1, "longitude": 2});
    let change = json!({"change": {"change": "add-region", "region": region}});
    let point = format!("/admin/v1/failpoints/{}", Failpoint::ALL[0].name());
    let row = json!({"source": "a", "external_id": "1", "draft": {"capacity": 0}});
    vec![
        (
            Method::GET,
            "/readyz",
            "/readyz?verbose".to_owned(),
            None,
            200,
        ),
        (
            Method::GET,
            "/console/data/{part}",
            "/console/data/snapshot".to_owned(),
            None,
            200,
        ),
        at(Method::POST, STAGED, Some(change), 200),
        at(Method::GET, "/admin/v1/layout", None, 200),
        at(Method::GET, "/admin/v1/layout/plan", None, 200),
        at(Method::DELETE, STAGED, None, 200),
        at(Method::PUT, CLOCK, Some(json!({"offset_ms": 0})), 200),
        at(Method::DELETE, CLOCK, None, 200),
        (Method::PUT, POINT, point, Some(json!({"hits": 0})), 200),
        at(
            Method::POST,
            "/admin/v1/import",
            Some(json!({"rows": [row]})),
            200,
        ),
        at(
            Method::POST,
            BACKUPS,
            Some(json!({"backup": "one", "to": folder})),
            202,
        ),
        at(Method::GET, BACKUPS, None, 200),
        at(
            Method::POST,
            BACKUPS,
            Some(json!({
                "backup": "one", "to": folder,
                "complete": {"began_at": "2026-11-27T00:00:00Z", "missing": []},
            })),
            200,
        ),
        at(
            Method::POST,
            "/admin/v1/drains",
            Some(json!({"node": 1})),
            202,
        ),
        at(Method::GET, "/admin/v1/drains", None, 200),
        at(Method::GET, "/admin/v1/status", None, 200),
    ]
}

/// What is wrong with an answer, or with what is written of it.
async fn wrong(document: &Value, operation: &Value, answer: Response) -> Vec<String> {
    let status = answer.status().as_u16().to_string();
    let described = resolved(document, &operation["responses"][&status]);
    if !described.is_object() {
        return vec![format!("{status} is not described")];
    }
    let mut wrong = Vec::new();
    for (name, header) in described["headers"].as_object().into_iter().flatten() {
        let header = resolved(document, header);
        if header["required"] == true && !answer.headers().contains_key(name) {
            wrong.push(format!("{status}: no {name}"));
        }
    }
    let Some(contents) = described["content"].as_object() else {
        let body = answer.bytes().await.expect("a body");
        wrong.extend((!body.is_empty()).then(|| format!("{status} has a body")));
        return wrong;
    };
    let media = answer.headers().get("content-type");
    let media = media.and_then(|media| media.to_str().ok()).unwrap_or("");
    let media = media.split(';').next().unwrap_or_default().to_owned();
    let Some(content) = contents.get(&media) else {
        wrong.push(format!("{status}: {media:?} is not described"));
        return wrong;
    };
    match media.as_str() {
        "application/json" => {
            let told: Value = answer.json().await.expect("JSON");
            wrong.extend(faults(document, &content["schema"], &told, &status));
        }
        "application/problem+json" => {
            let told: Value = answer.json().await.expect("JSON");
            let codes = &content["schema"]["properties"]["code"]["enum"];
            let codes = codes.as_array().expect("codes");
            if !codes.contains(&told["code"]) {
                wrong.push(format!("{status}: {} is not described", told["code"]));
            }
        }
        // A stream has no end, and a text no shape.
        _ => {}
    }
    wrong
}

#[tokio::test(flavor = "multi_thread")]
async fn operator_port_answers_as_it_is_described() {
    let folder = tempfile::TempDir::new().expect("a folder");
    let folder = folder.path().display().to_string();
    let world = World::start(|config, _| {
        config.chaos.enabled = true;
        config.backup.to = vec![folder.clone()];
    })
    .await;
    let document: Value = serde_json::from_str(&admin::description()).expect("JSON");
    let operation = |method: &Method, route: &str| {
        let method = method.as_str().to_ascii_lowercase();
        &document["paths"][route][method]
    };
    let mut found = Vec::new();
    for case in cases::admin() {
        let things = match case.stock {
            Stock::Bare => world.bare().await,
            Stock::Full => world.full().await,
        };
        let asked = (case.ask)(&things);
        let answer = world.ask(Some("olga"), case.method.clone(), asked).await;
        let wrong = wrong(&document, operation(&case.method, case.route), answer).await;
        let place = format!("{} {}", case.method, case.route);
        found.extend(wrong.into_iter().map(|wrong| format!("{place}: {wrong}")));
    }
    for (method, route, path, body, status) in more(&folder) {
        let place = format!("{method} {path}");
        let answer = world.ask(Some("olga"), method.clone(), (path, body)).await;
        if answer.status() != status {
            found.push(format!("{place}: {} and not {status}", answer.status()));
        }
        let wrong = wrong(&document, operation(&method, route), answer).await;
        found.extend(wrong.into_iter().map(|wrong| format!("{place}: {wrong}")));
    }
    assert_eq!(found, Vec::<String>::new());
    world.stop().await;
}
