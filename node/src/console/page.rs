//! `GET /console`: the page, with what this node knows at once.
//!
//! The banner is written here, so that it is there with the first paint; pictures and tables
//! are drawn by the page's scripts from the snapshot that stands in it.

use std::sync::Arc;

use axum::extract::State;
use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderName, REFERRER_POLICY,
    X_CONTENT_TYPE_OPTIONS,
};
use axum::response::{IntoResponse, Response};
use maud::{DOCTYPE, Markup, PreEscaped, html};
use serde_json::Value;

use super::assets::{FILES, address};
use super::snapshot::{self, Scope};
use crate::node::Node;

/// Nothing comes from elsewhere, no script runs but the binary's own, none can make markup of
/// a text (trusted types), nobody puts the page into a frame.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; \
                      connect-src 'self'; base-uri 'none'; form-action 'none'; \
                      frame-ancestors 'none'; require-trusted-types-for 'script'; \
                      trusted-types 'none'";
const OPENER_POLICY: HeaderName = HeaderName::from_static("cross-origin-opener-policy");
const RESOURCE_POLICY: HeaderName = HeaderName::from_static("cross-origin-resource-policy");

/// What the page shows: anchor, name, what it says, and the part of the JSON.
const FIGURES: [(&str, &str, &str, &str); 6] = [
    (
        "map",
        "Map",
        "Regions, and the links between them: round trip, lag and traffic of the listings' changes.",
        "regions",
    ),
    (
        "groups",
        "Groups by leader",
        "Groups awake, by the region that leads them. Those that belong elsewhere come first.",
        "groups",
    ),
    (
        "bookings",
        "Bookings and conflicts",
        "What became of requests about bookings at all nodes, in bars of five seconds.",
        "series",
    ),
    (
        "events",
        "Events",
        "The latest events of bookings, of all nodes.",
        "events",
    ),
    (
        "network",
        "Network",
        "How each node hears each other one, and how far behind it is.",
        "nodes",
    ),
    ("nodes", "Nodes", "Every node in figures.", "nodes"),
];

pub(super) async fn page(State(node): State<Arc<Node>>) -> Response {
    let latest = node.console.live.latest();
    let snapshot = match latest {
        Some(frame) => frame.snapshot.clone(),
        None => snapshot::take(&node, Scope::ThisNode).await,
    };
    let headers = [
        (CONTENT_TYPE, "text/html; charset=utf-8"),
        (CONTENT_SECURITY_POLICY, POLICY),
        (CACHE_CONTROL, "no-store"),
        (REFERRER_POLICY, "no-referrer"),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (OPENER_POLICY, "same-origin"),
        (RESOURCE_POLICY, "same-origin"),
    ];
    (headers, draw(&snapshot).into_string()).into_response()
}

fn draw(snapshot: &Value) -> Markup {
    let cluster = text(&snapshot["cluster"]);
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { (cluster) " · Meridian console" }
                link rel="icon" href=(address("icon.svg"));
                link rel="stylesheet" href=(address("style.css"));
                script src=(address("theme.js")) {}
                @for (name, ..) in FILES.iter().filter(|(name, ..)| is_module(name)) {
                    link rel="modulepreload" href=(address(name));
                }
                script type="module" src=(address("app.js")) {}
            }
            body {
                a.skip href="#main" { "To the figures" }
                (masthead(snapshot))
                main id="main" tabindex="-1" {
                    (banner(&snapshot["banner"]))
                    noscript { p.note { "The figures are drawn by the page's own scripts. Without them, read "
                        a href="/console/data/snapshot" { "the JSON" } "." } }
                    div id="overview" { dl.tiles id="tiles" {} @for figure in &FIGURES { (section(figure)) } }
                    div id="listing" hidden {}
                }
                footer { p { "Snapshot of "
                    time id="at" { (text(&snapshot["at"])) } ". "
                    a href="/console/data/snapshot" { "All of it as JSON" } " · "
                    a href="/admin/v1/status" { "Status of this node" } " · "
                    a href="/admin/v1/docs" { "API of this port" } " · "
                    a href="/metrics" { "Metrics" } } }
                // Read by the scripts, run by nobody.
                script id="snapshot" type="application/json" { (PreEscaped(inert(snapshot))) }
            }
        }
    }
}

fn masthead(snapshot: &Value) -> Markup {
    html! {
        header.masthead {
            a.brand href="#/" {
                img src=(address("icon.svg")) alt="" width="28" height="28";
                span { strong { "Meridian" } " " span id="cluster" { (text(&snapshot["cluster"])) } }
            }
            nav aria-label="Figures" {
                @for (anchor, ..) in &FIGURES { a href={ "#" (anchor) } { (anchor) } }
            }
            form.find id="find" role="search" {
                label.unseen for="find-id" { "Listing" }
                input id="find-id" name="id" placeholder="lst_… listing id" autocomplete="off"
                    spellcheck="false" maxlength="120";
                button type="submit" { "Show" }
            }
            p.pulse id="pulse" data-state="waiting" { span.dot aria-hidden="true" {} span id="pulse-word" { "connecting" } }
            button.theme id="theme" type="button" { "auto" }
        }
    }
}

/// Said aloud when it changes.
fn banner(banner: &Value) -> Markup {
    html! {
        section.banner id="banner" role="status" aria-live="polite" aria-label="Verdict"
            data-level=(text(&banner["level"])) {
            span.sign aria-hidden="true" {}
            div {
                p.word { (text(&banner["word"])) }
                h1 { (text(&banner["headline"])) }
                ul.facts { @for fact in banner["facts"].as_array().into_iter().flatten() {
                    li { (text(fact)) } } }
            }
        }
    }
}

fn section(&(anchor, name, note, part): &(&str, &str, &str, &str)) -> Markup {
    html! {
        section.figure id=(anchor) aria-labelledby={ (anchor) "-name" } {
            div.head {
                h2 id={ (anchor) "-name" } { (name) }
                div.tools {
                    button.as-table type="button" aria-pressed="false" hidden { "Table" }
                    a href={ "/console/data/" (part) } aria-label={ (name) " as JSON" } { "JSON" }
                }
            }
            p.note { (note) }
            div.picture {}
            div.table hidden {}
        }
    }
}

fn is_module(name: &str) -> bool {
    name.ends_with(".js") && name != "theme.js"
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

/// JSON in which nothing can end the element that it stands in, or begin another.
pub(super) fn inert(json: &Value) -> String {
    let json = json.to_string();
    let mut inert = String::with_capacity(json.len());
    for letter in json.chars() {
        match letter {
            '<' => inert.push_str("\\u003c"),
            '>' => inert.push_str("\\u003e"),
            '&' => inert.push_str("\\u0026"),
            other => inert.push(other),
        }
    }
    inert
}
