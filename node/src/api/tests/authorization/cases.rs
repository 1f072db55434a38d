//! What every route answers to whom. Whoever adds a route adds a case.

use reqwest::Method;
use serde_json::{Value, json};

use super::super::caller::night;
use super::world::Things;

/// What a request is, about these things: path with query, and body.
type Ask = fn(&Things) -> (String, Option<Value>);

/// Whether a request is about a listing where somebody has something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stock {
    Bare,
    Full,
}

/// One route: who is answered what. Guests are ann and ben, hosts hal and hope, olga is an
/// operator, ruth has no role. The listing is hal's, hold and booking are ann's.
pub(super) struct Case {
    pub(super) method: Method,
    pub(super) route: &'static str,
    pub(super) stock: Stock,
    pub(super) ask: Ask,
    /// Without credentials.
    pub(super) nobody: u16,
    /// Somebody with a role that is not enough; always 403.
    pub(super) wrong_role: Option<&'static str>,
    /// Somebody with a role that is, and nothing to do with it; always 403.
    pub(super) stranger: Option<&'static str>,
    /// Somebody who may.
    pub(super) right: (&'static str, u16),
}

const GET: Method = Method::GET;
const POST: Method = Method::POST;
const PUT: Method = Method::PUT;
const PATCH: Method = Method::PATCH;
const DELETE: Method = Method::DELETE;

/// Read by anybody.
const fn public(route: &'static str, ask: Ask) -> Case {
    Case {
        method: GET,
        route,
        stock: Stock::Bare,
        ask,
        nobody: 200,
        wrong_role: None,
        stranger: None,
        right: ("ruth", 200),
    }
}

/// The listing's host's.
const fn hosts(method: Method, route: &'static str, ask: Ask, status: u16) -> Case {
    Case {
        method,
        route,
        stock: Stock::Full,
        ask,
        nobody: 401,
        wrong_role: Some("ann"),
        stranger: Some("hope"),
        right: ("hal", status),
    }
}

/// The guest's who has it.
const fn guests(method: Method, route: &'static str, ask: Ask, status: u16) -> Case {
    Case {
        method,
        route,
        stock: Stock::Full,
        ask,
        nobody: 401,
        wrong_role: Some("hal"),
        stranger: Some("ben"),
        right: ("ann", status),
    }
}

/// Whoever's name it is.
const fn own(route: &'static str, ask: Ask, status: u16) -> Case {
    Case {
        method: GET,
        route,
        stock: Stock::Full,
        ask,
        nobody: 401,
        wrong_role: None,
        stranger: None,
        right: ("ann", status),
    }
}

/// Operators'.
const fn operators(method: Method, route: &'static str, ask: Ask, status: u16) -> Case {
    Case {
        method,
        route,
        stock: Stock::Full,
        ask,
        nobody: 401,
        wrong_role: Some("hal"),
        stranger: None,
        right: ("olga", status),
    }
}

fn of(things: &Things, rest: &str) -> String {
    format!("/v1/listings/{}{rest}", things.listing)
}

fn at(path: impl Into<String>) -> (String, Option<Value>) {
    (path.into(), None)
}

fn stay(days: i64) -> (Value, Value) {
    let dates = night(days);
    (dates["check_in"].clone(), dates["check_out"].clone())
}

fn availability(things: &Things) -> (String, Option<Value>) {
    let (from, to) = stay(5);
    let (from, to) = (from.as_str().expect("a date"), to.as_str().expect("a date"));
    at(of(things, &format!("/availability?from={from}&to={to}")))
}

fn close(things: &Things) -> (String, Option<Value>) {
    let (from, until) = stay(40);
    let body = json!({"from": from, "until": until});
    (of(things, "/blocks"), Some(body))
}

/// Every route of the client API.
pub(super) fn clients() -> Vec<Case> {
    let mut cases = vec![
        public("/openapi.json", |_| at("/openapi.json")),
        public("/docs", |_| at("/docs")),
        public("/docs/style.css", |_| at("/docs/style.css")),
    ];
    cases.extend(listings());
    cases.extend(around_listings());
    cases.extend(reservations());
    cases.extend(preferences());
    cases.extend(webhooks());
    cases
}

/// What a guest states, and what is shown for it.
fn preferences() -> Vec<Case> {
    const PREFERENCES: &str = "/v1/guests/{id}/preferences";
    const MATCHES: &str = "/v1/guests/{id}/matches";
    vec![
        // She has stated nothing yet.
        guests(GET, PREFERENCES, |_| at("/v1/guests/ann/preferences"), 404),
        guests(
            PUT,
            PREFERENCES,
            |_| {
                let path = "/v1/guests/ann/preferences".to_owned();
                (path, Some(json!({"amenities": ["wifi"]})))
            },
            200,
        ),
        guests(GET, MATCHES, |_| at("/v1/guests/ann/matches"), 200),
    ]
}

/// Where events go to. There is no such endpoint, but for the one that is made.
fn webhooks() -> Vec<Case> {
    const ALL: &str = "/v1/webhook-endpoints";
    const ONE: &str = "/v1/webhook-endpoints/{id}";
    const NONE: &str = "/v1/webhook-endpoints/whk_01arz3ndektsv4rrffq69g5fav";
    vec![
        operators(GET, ALL, |_| at(ALL), 200),
        operators(
            POST,
            ALL,
            |_| {
                let wanted = json!({"url": "https://hooks.example.com/meridian"});
                (ALL.to_owned(), Some(wanted))
            },
            201,
        ),
        operators(GET, ONE, |_| at(NONE), 404),
        operators(
            PATCH,
            ONE,
            |_| (NONE.to_owned(), Some(json!({"enabled": false}))),
            404,
        ),
        operators(DELETE, ONE, |_| at(NONE), 404),
        operators(
            POST,
            "/v1/webhook-endpoints/{id}/test",
            |_| at(format!("{NONE}/test")),
            404,
        ),
        operators(
            POST,
            "/v1/webhook-endpoints/{id}/replay",
            |_| (format!("{NONE}/replay"), Some(json!({}))),
            404,
        ),
        operators(
            GET,
            "/v1/webhook-endpoints/{id}/deliveries",
            |_| at(format!("{NONE}/deliveries")),
            404,
        ),
    ]
}

fn listings() -> Vec<Case> {
    const LISTING: &str = "/v1/listings/{id}";
    const CONFLICTS: &str = "/v1/listings/{id}/conflicts";
    vec![
        public("/v1/listings", |_| at("/v1/listings?limit=1")),
        Case {
            stock: Stock::Bare,
            // A node that is a whole cluster has no place for the other voters.
            ..hosts(
                POST,
                "/v1/listings",
                |_| {
                    let draft = json!({
                        "title": "Loft",
                        "location": {"lat": 59.91, "lon": 10.75},
                        "capacity": 4,
                        "nightly_price": {"amount": 12_900, "currency": "EUR"},
                        "host_id": "hal",
                    });
                    ("/v1/listings".to_owned(), Some(draft))
                },
                422,
            )
        },
        public(LISTING, |things| at(of(things, ""))),
        hosts(
            PATCH,
            LISTING,
            |things| (of(things, ""), Some(json!({"title": "Attic"}))),
            200,
        ),
        Case {
            stock: Stock::Bare,
            ..hosts(DELETE, LISTING, |things| at(of(things, "")), 204)
        },
        hosts(
            POST,
            "/v1/listings/{id}/edits",
            |things| {
                let ops = json!([{"op": "add", "path": "/amenities", "value": "wifi"}]);
                (of(things, "/edits"), Some(json!({"ops": ops})))
            },
            200,
        ),
        public(CONFLICTS, |things| at(of(things, "/conflicts"))),
        // There is none to choose from.
        hosts(
            POST,
            CONFLICTS,
            |things| {
                let chosen = json!({"field": "title", "choose": "00".repeat(32)});
                (of(things, "/conflicts"), Some(chosen))
            },
            422,
        ),
    ]
}

fn around_listings() -> Vec<Case> {
    vec![
        public("/v1/listings/{id}/history", |things| {
            at(of(things, "/history"))
        }),
        public("/v1/listings/{id}/watch", |things| at(of(things, "/watch"))),
        public("/v1/listings/{id}/availability", availability),
        hosts(POST, "/v1/listings/{id}/blocks", close, 201),
        hosts(
            DELETE,
            "/v1/listings/{id}/blocks/{block}",
            |things| at(of(things, &format!("/blocks/{}", things.block))),
            204,
        ),
        hosts(
            GET,
            "/v1/listings/{id}/bookings",
            |things| at(of(things, "/bookings")),
            200,
        ),
        hosts(
            GET,
            "/v1/events",
            |things| at(format!("/v1/events?listing_id={}", things.listing)),
            200,
        ),
        public("/v1/regions", |_| at("/v1/regions")),
        public("/v1/regions/nearest", |_| {
            at("/v1/regions/nearest?lat=59.9&lon=10.7")
        }),
    ]
}

fn reservations() -> Vec<Case> {
    vec![
        Case {
            stranger: None,
            ..guests(
                POST,
                "/v1/listings/{id}/holds",
                |things| (of(things, "/holds"), Some(night(50))),
                201,
            )
        },
        guests(
            DELETE,
            "/v1/holds/{id}",
            |things| at(format!("/v1/holds/{}", things.hold)),
            204,
        ),
        guests(
            POST,
            "/v1/bookings",
            |things| {
                let body = json!({"hold_id": things.hold, "payment_method": "card_ok"});
                ("/v1/bookings".to_owned(), Some(body))
            },
            201,
        ),
        Case {
            wrong_role: Some("ruth"),
            ..guests(
                GET,
                "/v1/bookings/{id}",
                |things| at(format!("/v1/bookings/{}", things.booking)),
                200,
            )
        },
        guests(
            POST,
            "/v1/bookings/{id}/cancel",
            |things| at(format!("/v1/bookings/{}/cancel", things.booking)),
            200,
        ),
        own("/v1/me/bookings", |_| at("/v1/me/bookings"), 200),
        own("/v1/outcomes/{key}", |_| at("/v1/outcomes/some-key"), 200),
    ]
}

/// Every route of the operator API.
pub(super) fn admin() -> Vec<Case> {
    const DIGESTS: &str = "/admin/v1/replication/digests/{shard}";
    let mut cases = vec![
        public("/livez", |_| at("/livez")),
        public("/readyz", |_| at("/readyz")),
        public("/metrics", |_| at("/metrics")),
        operators(GET, "/admin/v1/status", |_| at("/admin/v1/status"), 200),
        operators(
            GET,
            "/admin/v1/groups/{id}",
            |things| at(format!("/admin/v1/groups/{}", things.listing)),
            200,
        ),
        operators(
            POST,
            "/admin/v1/groups/{id}/transfer",
            |things| {
                let path = format!("/admin/v1/groups/{}/transfer", things.listing);
                (path, Some(json!({"to": 1})))
            },
            200,
        ),
        operators(
            POST,
            "/admin/v1/groups/{id}/goal",
            |things| {
                let path = format!("/admin/v1/groups/{}/goal", things.listing);
                (path, Some(json!({"dry_run": true})))
            },
            // One node: there are not failure domains enough.
            422,
        ),
        operators(
            GET,
            "/admin/v1/replication",
            |_| at("/admin/v1/replication"),
            200,
        ),
        operators(
            GET,
            "/admin/v1/replication/digests",
            |_| at("/admin/v1/replication/digests"),
            200,
        ),
        operators(GET, DIGESTS, |_| at("/admin/v1/replication/digests/0"), 200),
        operators(GET, "/admin/v1/sagas", |_| at("/admin/v1/sagas"), 200),
        // Its payment is done with.
        operators(
            POST,
            "/admin/v1/sagas/{booking}/retry",
            |things| at(format!("/admin/v1/sagas/{}/retry", things.booking)),
            404,
        ),
        operators(
            POST,
            "/admin/v1/sagas/{booking}/give-up",
            |things| {
                let path = format!("/admin/v1/sagas/{}/give-up", things.booking);
                (path, Some(json!({"note": "a test"})))
            },
            422,
        ),
    ];
    cases.extend(moves());
    cases.extend(others());
    cases.extend(looks());
    cases.extend(descriptions());
    cases.extend(layout());
    cases.extend(console());
    cases
}

/// What the operator port says of itself.
fn descriptions() -> Vec<Case> {
    vec![
        operators(
            GET,
            "/admin/v1/openapi.json",
            |_| at("/admin/v1/openapi.json"),
            200,
        ),
        operators(GET, "/admin/v1/docs", |_| at("/admin/v1/docs"), 200),
        operators(
            GET,
            "/admin/v1/docs/style.css",
            |_| at("/admin/v1/docs/style.css"),
            200,
        ),
    ]
}

/// What operators look at.
fn looks() -> Vec<Case> {
    const LOG_FILTER: &str = "/admin/v1/log-filter";
    vec![
        operators(GET, "/admin/v1/config", |_| at("/admin/v1/config"), 200),
        operators(GET, "/admin/v1/log-tail", |_| at("/admin/v1/log-tail"), 200),
        operators(GET, "/admin/v1/nodes", |_| at("/admin/v1/nodes"), 200),
        operators(
            POST,
            "/admin/v1/nodes/{id}/drain",
            |_| at("/admin/v1/nodes/9/drain"),
            404,
        ),
        operators(
            DELETE,
            "/admin/v1/nodes/{id}/drain",
            |_| at("/admin/v1/nodes/9/drain"),
            204,
        ),
        operators(GET, "/admin/v1/regions", |_| at("/admin/v1/regions"), 200),
        operators(GET, "/admin/v1/groups", |_| at("/admin/v1/groups"), 200),
        operators(
            GET,
            "/admin/v1/groups/{id}/log",
            |things| at(format!("/admin/v1/groups/{}/log", things.listing)),
            200,
        ),
        operators(
            GET,
            "/admin/v1/groups/{id}/ledger",
            |things| at(format!("/admin/v1/groups/{}/ledger", things.listing)),
            200,
        ),
        operators(
            POST,
            "/admin/v1/groups/{id}/transfer-leader",
            |things| {
                let path = format!("/admin/v1/groups/{}/transfer-leader", things.listing);
                (path, Some(json!({"to": 1})))
            },
            200,
        ),
        operators(
            GET,
            "/admin/v1/listings/{id}/explain",
            |things| at(format!("/admin/v1/listings/{}/explain", things.listing)),
            200,
        ),
        operators(GET, LOG_FILTER, |_| at(LOG_FILTER), 200),
        // The log of a test cannot be changed.
        operators(
            PUT,
            LOG_FILTER,
            |_| {
                let wish = json!({"filter": "info", "seconds": 60});
                (LOG_FILTER.to_owned(), Some(wish))
            },
            500,
        ),
        operators(DELETE, LOG_FILTER, |_| at(LOG_FILTER), 200),
    ]
}

/// The cluster's map, before it is founded and after.
fn layout() -> Vec<Case> {
    const STAGED: &str = "/admin/v1/layout/staged";
    let change = |_: &Things| {
        let change = json!({"change": "set-state", "node": 1, "state": "active"});
        (STAGED.to_owned(), Some(json!({"change": change})))
    };
    vec![
        operators(GET, "/admin/v1/layout", |_| at("/admin/v1/layout"), 200),
        operators(
            POST,
            "/admin/v1/layout/found",
            |_| at("/admin/v1/layout/found"),
            200,
        ),
        operators(POST, STAGED, change, 200),
        // Nothing waits.
        operators(
            GET,
            "/admin/v1/layout/plan",
            |_| at("/admin/v1/layout/plan"),
            422,
        ),
        operators(DELETE, STAGED, |_| at(STAGED), 200),
        operators(
            POST,
            "/admin/v1/layout/apply",
            |_| {
                let path = "/admin/v1/layout/apply".to_owned();
                (path, Some(json!({"epoch": 9})))
            },
            422,
        ),
        operators(GET, "/admin/v1/upgrade", |_| at("/admin/v1/upgrade"), 200),
        // The first level is written already.
        operators(
            POST,
            "/admin/v1/upgrade/finalize",
            |_| {
                let path = "/admin/v1/upgrade/finalize".to_owned();
                (path, Some(json!({"epoch": 9, "level": 1})))
            },
            200,
        ),
    ]
}

fn console() -> Vec<Case> {
    vec![
        operators(GET, "/console", |_| at("/console"), 200),
        operators(
            GET,
            "/console/assets/{build}/{name}",
            |_| at("/console/assets/none/none.js"),
            404,
        ),
        operators(GET, "/console/live", |_| at("/console/live"), 200),
        operators(
            GET,
            "/console/data/{part}",
            |_| at("/console/data/nodes"),
            200,
        ),
        operators(
            GET,
            "/console/data/listings/{id}",
            |things| at(format!("/console/data/listings/{}", things.listing)),
            200,
        ),
    ]
}

fn moves() -> Vec<Case> {
    const DRAINS: &str = "/admin/v1/drains";
    const REBALANCES: &str = "/admin/v1/rebalances";
    vec![
        operators(GET, DRAINS, |_| at(DRAINS), 200),
        operators(
            POST,
            DRAINS,
            |_| (DRAINS.to_owned(), Some(json!({"node": 9}))),
            422,
        ),
        operators(
            DELETE,
            "/admin/v1/drains/{node}",
            |_| at("/admin/v1/drains/9"),
            204,
        ),
        operators(GET, REBALANCES, |_| at(REBALANCES), 200),
        operators(
            POST,
            REBALANCES,
            |_| (REBALANCES.to_owned(), Some(json!({"region": null}))),
            202,
        ),
        operators(DELETE, REBALANCES, |_| at(REBALANCES), 204),
    ]
}

fn others() -> Vec<Case> {
    const REPAIRS: &str = "/admin/v1/repairs";
    const BACKUPS: &str = "/admin/v1/backups";
    const CLOCK: &str = "/admin/v1/chaos/clock";
    const CERTIFICATES: &str = "/admin/v1/certificates";
    const RELOAD: &str = "/admin/v1/certificates/reload";
    vec![
        operators(GET, BACKUPS, |_| at(BACKUPS), 200),
        // No folder is configured for backups.
        operators(
            POST,
            BACKUPS,
            |_| {
                let wish = json!({"backup": "one", "to": "/var/backups"});
                (BACKUPS.to_owned(), Some(wish))
            },
            422,
        ),
        operators(GET, CERTIFICATES, |_| at(CERTIFICATES), 200),
        operators(POST, RELOAD, |_| at(RELOAD), 200),
        operators(GET, REPAIRS, |_| at(REPAIRS), 200),
        operators(
            POST,
            REPAIRS,
            |_| (REPAIRS.to_owned(), Some(json!({"shard": null}))),
            202,
        ),
        // This is no test cluster.
        operators(
            GET,
            "/admin/v1/failpoints",
            |_| at("/admin/v1/failpoints"),
            404,
        ),
        operators(
            PUT,
            "/admin/v1/failpoints/{name}",
            |_| {
                (
                    "/admin/v1/failpoints/none".to_owned(),
                    Some(json!({"hits": 0})),
                )
            },
            404,
        ),
        operators(GET, CLOCK, |_| at(CLOCK), 404),
        operators(
            PUT,
            CLOCK,
            |_| {
                (
                    CLOCK.to_owned(),
                    Some(json!({"offset_ms": 0, "rate_ppm": 0})),
                )
            },
            404,
        ),
        operators(DELETE, CLOCK, |_| at(CLOCK), 404),
        operators(
            POST,
            "/admin/v1/import",
            |_| ("/admin/v1/import".to_owned(), Some(json!({"rows": []}))),
            200,
        ),
    ]
}
