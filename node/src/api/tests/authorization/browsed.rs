//! What a browser can send by itself, asked of every route.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use reqwest::Method;

use serde_json::{Value, json};

use super::table;
use super::world::World;
use crate::auth::Access;
use crate::auth::mint::{Issuer, key_set};

/// The routes of the console, and what its page links to.
fn is_browsed(route: &str) -> bool {
    let linked = [
        "/admin/v1/status",
        "/admin/v1/openapi.json",
        "/admin/v1/docs",
        "/admin/v1/docs/style.css",
    ];
    route == "/console" || route.starts_with("/console/") || linked.contains(&route)
}

pub(super) fn basic(user: &str, password: &str) -> String {
    let text = BASE64_STANDARD.encode(format!("{user}:{password}"));
    format!("Basic {text}")
}

#[tokio::test(flavor = "multi_thread")]
async fn browser_reads_the_console_as_an_operator_and_nothing_else_takes_its_word() {
    let world = World::start(|_, _| ()).await;
    let things = world.bare().await;
    let sound = basic("olga", world.key("olga"));
    let mut browsed = 0;
    for (row, case) in table() {
        let (path, body) = (case.ask)(&things);
        let request = world.asking(None, case.method.clone(), &path);
        let request = request.header("Authorization", &sound);
        let request = match &body {
            Some(body) => request.json(body),
            None => request,
        };
        let answer = request.send().await.expect("an answer");
        let status = answer.status().as_u16();
        let place = format!("{} {}: {status}", case.method, case.route);
        if is_browsed(row.path) {
            assert_eq!(case.method, Method::GET, "the console only reads: {place}");
            assert!(![401, 403].contains(&status), "{place}");
            browsed += 1;
        } else if row.access == Access::Open {
            assert_eq!(
                status, case.nobody,
                "a probe may send what it likes: {place}"
            );
        } else {
            assert_eq!(status, 401, "{place}");
            let challenges = answer.headers().get_all("www-authenticate").iter();
            let told: Vec<_> = challenges.filter_map(|one| one.to_str().ok()).collect();
            let asks = told.iter().any(|one| one.starts_with("Basic"));
            assert!(!asks, "{place}: no browser is asked to {told:?}");
        }
    }
    assert_eq!(browsed, 9, "routes that browsers use");
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn browser_is_asked_who_it_is_and_believed_by_name_and_key_alone() {
    let world = World::start(|_, _| ()).await;
    let asked = async |shown: Option<String>, method: Method| {
        let request = world.asking(None, method, "/console");
        let request = match shown {
            Some(shown) => request.header("Authorization", shown),
            None => request,
        };
        let answer = request.send().await.expect("an answer");
        let challenges = answer.headers().get_all("www-authenticate").iter();
        let is_asked = challenges
            .filter_map(|one| one.to_str().ok())
            .any(|one| one.starts_with("Basic realm="));
        (answer.status().as_u16(), is_asked)
    };
    let (olga, ann) = (world.key("olga"), world.key("ann"));
    let right = basic("olga", olga);
    assert_eq!(asked(None, Method::GET).await, (401, true));
    assert_eq!(asked(Some(right.clone()), Method::GET).await, (200, false));
    for (user, password) in [("ann", olga), ("", olga), ("olga", "mk_0_x"), ("olga", "")] {
        let shown = Some(basic(user, password));
        assert_eq!(asked(shown, Method::GET).await, (401, true), "{user}");
    }
    assert_eq!(
        asked(Some("Basic nonsense".to_owned()), Method::GET).await,
        (401, true)
    );
    // Known, and no operator.
    let guest = Some(basic("ann", ann));
    assert_eq!(asked(guest, Method::GET).await, (403, false));
    // A form on a page of somebody else sends it along.
    assert_eq!(asked(Some(right), Method::POST).await.0, 401);
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn token_opens_the_console_to_its_subject_by_name() {
    let issuer = Issuer::ed25519("k");
    let world = World::start(|config, auth| {
        let path = config.node.data_dir.with_file_name("jwks.json");
        std::fs::write(&path, key_set(&[&issuer])).expect("a writable folder");
        auth.jwks_file = path;
    })
    .await;
    let token = |subject: &str, roles: Value| {
        // Long, as those of some issuers are.
        let more = "x".repeat(3_000);
        let claims =
            json!({"sub": subject, "roles": roles, "exp": 4_000_000_000_u64, "more": more});
        issuer.token(&claims)
    };
    let operator = token("otto", json!(["operator"]));
    let guest = token("gus", json!(["guest"]));
    let own = format!("{}x", &operator[..operator.len() - 1]);
    for (user, password, expected) in [
        ("otto", &operator, 200),
        ("olga", &operator, 401),
        ("otto", &own, 401),
        ("gus", &guest, 403),
        ("otto", &String::new(), 401),
    ] {
        let request = world.asking(None, Method::GET, "/console");
        let request = request.header("Authorization", basic(user, password));
        let answer = request.send().await.expect("an answer");
        assert_eq!(answer.status(), expected, "{user}");
    }
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn people_are_refused_in_a_page_and_programs_by_a_problem() {
    let world = World::start(|_, _| ()).await;
    let html = "text/html,application/xhtml+xml,*/*;q=0.8";
    let guest = basic("ann", world.key("ann"));
    for path in ["/console", "/admin/v1/docs"] {
        for (shown, status, says) in [
            (None, 401, "Who is asking?"),
            (Some(&guest), 403, "your roles say that you are none"),
        ] {
            for (accepted, kind) in [
                (html, "text/html; charset=utf-8"),
                ("*/*", "application/problem+json"),
            ] {
                let request = world
                    .asking(None, Method::GET, path)
                    .header("Accept", accepted);
                let request = match shown {
                    Some(shown) => request.header("Authorization", shown),
                    None => request,
                };
                let answer = request.send().await.expect("an answer");
                assert_eq!(answer.status(), status, "{path}");
                assert_eq!(answer.headers()["content-type"], kind, "{path}");
                let id = answer.headers()["x-request-id"]
                    .to_str()
                    .expect("text")
                    .to_owned();
                let body = answer.text().await.expect("text");
                assert!(body.contains(&id), "{body}");
                assert_eq!(body.contains("<h1>"), accepted == html);
                let is_said = body.contains(says);
                assert_eq!(is_said, accepted == html || status == 403, "{body}");
            }
        }
    }
    world.stop().await;
}
