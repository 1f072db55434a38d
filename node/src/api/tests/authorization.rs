//! Every route, asked without credentials, with a role that is not enough, by somebody whose
//! it is not, and by somebody who may. The table is printed into `docs/authorization.md`.

mod audited;
mod browsed;
mod cases;
mod described;
mod lasting;
mod over_grpc;
mod world;

use std::fmt::Write;

use reqwest::Method;
use serde_json::{Value, json};

use super::caller::night;
use crate::auth::{Access, Routes, Row};
use crate::{admin, api};
use cases::{Case, Stock};
use world::World;

/// What the documentation says before the table.
const PREAMBLE: &str = "# Who may do what

With `[auth]` in the configuration. Each row is a route; the columns are what it answers without
credentials, to somebody whose roles are not enough, to somebody whose roles are but whose thing
it is not, and whose answer is another one than 401 and 403. An operator may use every route.

Without credentials the routes for *anybody who may read listings* answer 401 too where
`auth.public_reads` is off. Credentials that are shown must be good, also where none are needed.

A stream (`GET /console/live`, `GET /v1/listings/{id}/watch`, gRPC's `WatchListing`) ends, and says so, once the
credentials that it was opened with would not open it any more: within fifteen seconds of a key that is taken
out of the file, which counts once the file was seen so twice, five apart; within five of a token's end, which
is its `exp` and `auth.leeway_seconds` (30, if nothing is said), or eight where its key has to be asked for.

The console, and what its page links to (`GET /admin/v1/status` and the description of this port), also
take what a browser asks its user for (HTTP Basic): the key's owner as the user, the API key as the
password, or a token's subject and the token. For reading alone: no other route and no other method does.

This page is written by the test that asks every route (`node/src/api/tests/authorization.rs`).
";

fn rows(routes: Routes) -> Vec<Row> {
    routes.split().1.rows().to_vec()
}

/// The case of every row, in the order of the rows.
fn matched(rows: &[Row], mut cases: Vec<Case>) -> Vec<(Row, Case)> {
    let found = rows.iter().map(|row| {
        let place = cases
            .iter()
            .position(|case| (&case.method, case.route) == (&row.method, row.path));
        let place = place.unwrap_or_else(|| {
            panic!(
                "say in authorization/cases.rs what {} {} answers to whom",
                row.method, row.path
            )
        });
        (row.clone(), cases.swap_remove(place))
    });
    let found = found.collect();
    let left: Vec<_> = cases.iter().map(|case| case.route).collect();
    assert_eq!(left, Vec::<&str>::new(), "cases of routes that are gone");
    found
}

fn table() -> Vec<(Row, Case)> {
    let mut table = matched(&rows(api::routes()), cases::clients());
    table.extend(matched(&rows(admin::routes()), cases::admin()));
    table
}

async fn status(world: &World, case: &Case, who: Option<&str>) -> u16 {
    let things = match case.stock {
        Stock::Bare => world.bare().await,
        Stock::Full => world.full().await,
    };
    let answer = world
        .ask(who, case.method.clone(), (case.ask)(&things))
        .await;
    let status = answer.status().as_u16();
    let challenge = answer.headers().get("www-authenticate");
    assert_eq!(challenge.is_some(), status == 401, "{}", case.route);
    status
}

#[tokio::test(flavor = "multi_thread")]
async fn every_route_answers_to_whom_it_is_for_and_to_nobody_else() {
    let world = World::start(|_, _| ()).await;
    // All of them at once: whoever changes the rules sees what that changes.
    let mut wrong = Vec::new();
    for (row, case) in table() {
        let place = format!("{} {}", case.method, case.route);
        let refused = [case.wrong_role, case.stranger].into_iter().flatten();
        let mut expected = vec![(None, case.nobody), (Some(case.right.0), case.right.1)];
        expected.extend(refused.map(|who| (Some(who), 403)));
        for (who, expected) in expected {
            let told = status(&world, &case, who).await;
            if told != expected {
                wrong.push(format!("{place} by {who:?}: {told} and not {expected}"));
            }
        }
        let told = status(&world, &case, Some("olga")).await;
        if told == 401 || told == 403 {
            wrong.push(format!("{place} by an operator: {told}"));
        }
        // The table and the routes say the same of who is asked for what.
        let needs_role = row.access.roles().is_some();
        assert_eq!(case.wrong_role.is_some(), needs_role, "{place}");
    }
    assert_eq!(wrong, Vec::<String>::new());
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn reading_can_be_closed_and_health_cannot() {
    let world = World::start(|_, auth| auth.public_reads = false).await;
    for (row, case) in table() {
        let expected = match row.access {
            Access::Open => case.nobody,
            _ => 401,
        };
        let nobody = status(&world, &case, None).await;
        assert_eq!(nobody, expected, "{} {}", case.method, case.route);
        if row.access == Access::Reading {
            assert_eq!(status(&world, &case, Some("ruth")).await, 200);
        }
    }
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn credentials_that_are_shown_are_good_also_where_none_are_needed() {
    let world = World::start(|_, _| ()).await;
    let sound = format!("ApiKey {}", world.key("ann"));
    for (shown, challenge) in [
        ("ApiKey mk_0000000000000000_x", "invalid_token"),
        ("Bearer a.b.c", "invalid_token"),
        ("Basic YW5uOmFubg==", "invalid_token"),
        ("nonsense", "invalid_token"),
    ] {
        let request = world.asking(None, Method::GET, "/v1/regions");
        let answer = request.header("Authorization", shown).send().await;
        let answer = answer.expect("an answer");
        assert_eq!(answer.status(), 401, "{shown}");
        let told = answer.headers()["www-authenticate"].to_str().expect("text");
        assert!(told.contains(challenge), "{told}");
        let problem: Value = answer.json().await.expect("a problem");
        assert_eq!(problem["code"], "unauthenticated");
        let secret = shown.split(' ').next_back().expect("one part");
        assert!(!problem.to_string().contains(secret), "{problem}");
    }
    // A probe may send what it likes.
    let probe = world.asking(None, Method::GET, "/livez");
    let probe = probe.header("Authorization", "nonsense").send().await;
    assert_eq!(probe.expect("an answer").status(), 200);
    // Twice is a mistake of somebody in between.
    let request = world.asking(Some("ann"), Method::GET, "/v1/regions");
    let answer = request.header("Authorization", &sound).send().await;
    assert_eq!(answer.expect("an answer").status(), 401);
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn both_sides_of_a_booking_see_it_and_nobody_touches_what_is_not_there_yet() {
    let world = World::start(|_, _| ()).await;
    let things = world.full().await;
    let path = format!("/v1/bookings/{}", things.booking);
    for (who, expected) in [
        ("ann", 200),
        ("hal", 200),
        ("hope", 403),
        ("ben", 403),
        ("olga", 200),
    ] {
        let (status, told) = world.told(who, Method::GET, (path.clone(), None)).await;
        assert_eq!(status, expected, "{who}: {told}");
    }
    // Numbers are given one after the other: the next one is nobody's, and is refused as
    // what is not there, so that it is not cancelled the moment that somebody has it.
    let (ours, number) = things.booking.rsplit_once('_').expect("a number");
    let next = number.parse::<u64>().expect("a number") + 2;
    let next = format!("/v1/bookings/{ours}_{next}/cancel");
    let (status, told) = world.told("ben", Method::POST, (next, None)).await;
    assert_eq!((status, &told["code"]), (404, &json!("not-found")));
    // All events are for operators.
    let all = ("/v1/events".to_owned(), None);
    assert_eq!(world.told("hal", Method::GET, all.clone()).await.0, 403);
    assert_eq!(world.told("olga", Method::GET, all).await.0, 200);
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn guest_sees_its_own_bookings_page_by_page_and_nobody_elses() {
    let world = World::start(|_, _| ()).await;
    let (one, other) = (world.full().await, world.full().await);
    let page = async |who: &str, query: &str| {
        let asked = (format!("/v1/me/bookings?{query}"), None);
        let (status, page) = world.told(who, Method::GET, asked).await;
        assert_eq!((status, &page["waiting_for"]), (200, &json!([])), "{page}");
        page
    };
    let shown = |page: &Value| {
        let data = page["data"].as_array().expect("a list").iter();
        let ids = data.map(|one| one["booking_id"].as_str().expect("an id").to_owned());
        ids.collect::<Vec<_>>()
    };
    let all = shown(&page("ann", "limit=100").await);
    assert_eq!(
        all.len(),
        4,
        "a hold and a booking of each listing: {all:?}"
    );
    assert!(all.contains(&one.booking) && all.contains(&other.booking));
    let mut turned = Vec::new();
    let mut cursor = String::new();
    for _ in 0..all.len() {
        let page = page("ann", &format!("limit=1{cursor}")).await;
        turned.extend(shown(&page));
        let next = page["next_cursor"].as_str();
        cursor = next.map_or_else(String::new, |next| format!("&cursor={next}"));
    }
    assert_eq!((turned, cursor), (all, String::new()));
    // Who has blocked has booked nothing.
    for who in ["ben", "hal", "olga"] {
        assert!(shown(&page(who, "").await).is_empty(), "{who}");
    }
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_of_two_callers_never_meet_and_outcomes_are_told_to_whose_they_are() {
    let world = World::start(|_, _| ()).await;
    let things = world.bare().await;
    let path = format!("/v1/listings/{}/holds", things.listing);
    for (who, days) in [("ann", 10), ("ben", 11)] {
        let request = world.asking(Some(who), Method::POST, &path);
        let mut request = request.build().expect("a request");
        let headers = request.headers_mut();
        headers.insert("Idempotency-Key", "the-same".parse().expect("a value"));
        headers.insert("Content-Type", "application/json".parse().expect("a value"));
        *request.body_mut() = Some(night(days).to_string().into());
        let http = reqwest::Client::builder().no_proxy().build();
        let answer = http.expect("a client").execute(request).await;
        assert_eq!(answer.expect("an answer").status(), 201, "{who}");
    }
    let outcome = ("/v1/outcomes/the-same".to_owned(), None);
    let of_ann = world.told("ann", Method::GET, outcome.clone()).await.1;
    let of_ben = world.told("ben", Method::GET, outcome.clone()).await.1;
    assert_eq!(of_ann["outcome"], "committed", "{of_ann}");
    assert_ne!(of_ann["answer"]["hold_id"], of_ben["answer"]["hold_id"]);
    let of_hal = world.told("hal", Method::GET, outcome).await.1;
    assert_eq!(of_hal["outcome"], "unknown", "{of_hal}");
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn imported_listings_and_those_without_a_host_are_operators() {
    let world = World::start(|_, _| ()).await;
    let imported = json!({"host_id": "hal", "external": {"source": "file", "id": "7"}});
    for fields in [json!({}), imported] {
        let listing = world.caller.listing(fields).await;
        let path = format!("/v1/listings/{listing}");
        let patch = Some(json!({"title": "Mine"}));
        let asked = (path, patch);
        assert_eq!(world.told("hal", Method::PATCH, asked.clone()).await.0, 403);
        assert_eq!(world.told("olga", Method::PATCH, asked).await.0, 200);
    }
    world.stop().await;
}

/// The page, as the table has it.
fn page() -> String {
    let mut page = PREAMBLE.to_owned();
    page.push_str("\n| route | for | without credentials | wrong role | another's | allowed |\n");
    page.push_str("|---|---|---|---|---|---|\n");
    for (row, case) in table() {
        let refused = |who: Option<&str>| if who.is_some() { "403" } else { "–" };
        let line = format!(
            "| `{} {}` | {} | {} | {} | {} | {} |",
            row.method,
            row.path,
            row.access.told(),
            case.nobody,
            refused(case.wrong_role),
            refused(case.stranger),
            row.ownership.told(),
        );
        writeln!(page, "{line}").expect("a string takes it");
    }
    page
}

#[test]
fn documentation_states_the_same_table() {
    let written = include_str!("../../../../docs/authorization.md");
    let page = page();
    assert!(written == page, "docs/authorization.md is to say:\n{page}");
}
