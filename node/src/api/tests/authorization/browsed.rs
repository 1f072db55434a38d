//! What a browser can send by itself, asked of every route.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use reqwest::Method;

use super::table;
use super::world::World;
use crate::auth::Access;

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

fn basic(user: &str, password: &str) -> String {
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
