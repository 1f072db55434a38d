//! The console, and what only nodes of test clusters let themselves be done.

use axum::http::{Method, StatusCode};
use serde_json::json;

use crate::admin::{clock, failpoints};
use crate::api::openapi::operation::Operation;
use crate::api::openapi::paths::Described;
use crate::api::openapi::schemas::{object, of, text};
use crate::api::problem::Slug;

const CONSOLE: &str = "Console";
const TESTS: &str = "Test clusters";
const CLOCK: &str = "/admin/v1/chaos/clock";

pub(super) fn all() -> Vec<Described> {
    let mut all = tests();
    all.extend(console());
    all
}

fn tests() -> Vec<Described> {
    let list = Operation::new(
        TESTS,
        "listFailpoints",
        "Read where the node can be made to die",
    )
    .or(&[Slug::NotFound])
    .answers(StatusCode::OK, "Every point.", "Failpoints");
    let arm = Operation::new(TESTS, "armFailpoint", "Have the node die at a point")
        .body::<failpoints::Arm>()
        .answers(StatusCode::OK, "It is armed, or disarmed.", "Failpoint");
    let shows = |id, summary| {
        Operation::new(TESTS, id, summary)
            .or(&[Slug::NotFound])
            .answers(StatusCode::OK, "What the clock shows.", "Clock")
    };
    let set = shows("setClock", "Set the node's clock wrong").body::<clock::Wrong>();
    vec![
        (Method::GET, "/admin/v1/failpoints", list),
        (Method::PUT, "/admin/v1/failpoints/{name}", arm),
        (
            Method::GET,
            CLOCK,
            shows("readClock", "Read how wrong the node's clock is"),
        ),
        (Method::PUT, CLOCK, set),
        (
            Method::DELETE,
            CLOCK,
            shows("setClockRight", "Set the node's clock right"),
        ),
    ]
}

fn console() -> Vec<Described> {
    let page = Operation::new(CONSOLE, "readConsole", "Look at the cluster").answers_as(
        StatusCode::OK,
        "The page, with what this node knows at once.",
        Some(("text/html", text())),
    );
    let media = ["text/javascript", "text/css", "image/svg+xml"];
    let content = media.map(|media| (media, text())).to_vec();
    let asset = Operation::new(CONSOLE, "readConsoleFile", "Read what the page is made of")
        .answers_in(StatusCode::OK, "A file of the binary.", content)
        .with(&["ETag", "Cache-Control"])
        .done(StatusCode::NOT_MODIFIED, "The browser has it.")
        .with(&["ETag", "Cache-Control"]);
    let event = object(
        "Each event: its data is a `Snapshot`, as JSON.",
        json!({"event": {"type": "string", "enum": ["snapshot", "ended"]}, "data": text()}),
    );
    let live = Operation::new(CONSOLE, "watchConsole", "Watch the cluster").answers_as(
        StatusCode::OK,
        "A snapshot each second, until somebody goes.",
        Some(("text/event-stream", event)),
    );
    let part = json!({"anyOf": [of("Snapshot"), of("SnapshotPart")]});
    let part = Operation::new(CONSOLE, "readConsolePart", "Read what the page shows")
        .answers_as(
            StatusCode::OK,
            "All of it by the name `snapshot`, else a part.",
            Some(("application/json", part)),
        )
        .with(&["Cache-Control"]);
    let listing = Operation::new(
        CONSOLE,
        "readConsoleListing",
        "Read one listing in every region, side by side",
    )
    .answers(StatusCode::OK, "Nobody is woken.", "ListingInRegions")
    .with(&["Cache-Control"]);
    vec![
        (Method::GET, "/console", page),
        (Method::GET, "/console/assets/{build}/{name}", asset),
        (Method::GET, "/console/live", live),
        (Method::GET, "/console/data/{part}", part),
        (Method::GET, "/console/data/listings/{id}", listing),
    ]
}
