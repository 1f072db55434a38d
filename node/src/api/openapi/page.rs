//! A description as a page for people. It is written from the document once, and
//! loads nothing but its own style; it has no script, and its policy runs none.

use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use maud::{DOCTYPE, Markup, html};
use serde_json::{Map, Value};

use super::shapes::{brief, shape};

/// Nothing comes from elsewhere, nothing runs, nobody puts the page into a frame.
const POLICY: &str = "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'none'; \
                      frame-ancestors 'none'";
const STYLE: &str = include_str!("../../../openapi/style.css");
/// How long a browser keeps the style, in seconds: an hour, for another binary has another.
const STYLE_KEPT: &str = "max-age=3600";

/// Where a page finds what it links to.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Places {
    pub(crate) document: &'static str,
    pub(crate) style: &'static str,
}

/// The page of a document.
pub(crate) fn written(document: &Value, places: Places) -> Bytes {
    draw(document, places).into_string().into_bytes().into()
}

/// A page as it is served.
pub(crate) fn answer(page: Bytes) -> Response {
    let headers = [
        (CONTENT_TYPE, "text/html; charset=utf-8"),
        (CONTENT_SECURITY_POLICY, POLICY),
        (CACHE_CONTROL, "no-cache"),
        (REFERRER_POLICY, "no-referrer"),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ];
    (headers, page).into_response()
}

/// How every such page looks.
pub(crate) async fn style() -> Response {
    let headers = [
        (CONTENT_TYPE, "text/css; charset=utf-8"),
        (CACHE_CONTROL, STYLE_KEPT),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ];
    (headers, STYLE).into_response()
}

/// One operation, and where it stands.
struct Entry<'a> {
    method: &'a str,
    path: &'a str,
    operation: &'a Value,
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

/// A sentence; what stands in backticks is code.
fn said(value: &Value) -> Markup {
    html! {
        @for (place, part) in text(value).split('`').enumerate() {
            @if place % 2 == 1 { code { (part) } } @else { (part) }
        }
    }
}

fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

fn fields(value: &Value) -> impl Iterator<Item = (&String, &Value)> {
    value.as_object().into_iter().flat_map(Map::iter)
}

fn entries<'a>(document: &'a Value, tag: &'a str) -> Vec<Entry<'a>> {
    let paths = fields(&document["paths"]);
    let all = paths.flat_map(|(path, at)| {
        fields(at).map(move |(method, operation)| Entry {
            method,
            path,
            operation,
        })
    });
    all.filter(|entry| entry.operation["tags"][0] == tag)
        .collect()
}

/// What a reference of the document stands for.
fn resolved<'a>(document: &'a Value, value: &'a Value) -> &'a Value {
    let pointer = value["$ref"].as_str().and_then(|to| to.strip_prefix('#'));
    pointer.and_then(|to| document.pointer(to)).unwrap_or(value)
}

fn draw(document: &Value, places: Places) -> Markup {
    let info = &document["info"];
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { (text(&info["title"])) " API" }
                link rel="stylesheet" href=(places.style);
            }
            body {
                a.skip href="#main" { "To the operations" }
                header {
                    h1 { (text(&info["title"])) " API " span.faint { (text(&info["version"])) } }
                    p { (said(&info["description"])) }
                    p { a href=(places.document) { "This description as OpenAPI " (text(&document["openapi"])) } }
                }
                div.layout {
                    nav aria-label="Operations" { (contents(document)) }
                    main id="main" tabindex="-1" {
                        @for tag in list(&document["tags"]) { (area(document, text(&tag["name"]))) }
                        section aria-labelledby="shapes" {
                            h2 id="shapes" { "What answers look like" }
                            @for (name, schema) in fields(&document["components"]["schemas"]) {
                                article id={ "schema-" (name) } { h3 { code { (name) } } (shape(schema)) }
                            }
                        }
                    }
                }
            }
        }
    }
}

fn contents(document: &Value) -> Markup {
    html! {
        @for tag in list(&document["tags"]) {
            h2 { (text(&tag["name"])) }
            ul { @for entry in entries(document, text(&tag["name"])) { li {
                a href={ "#" (text(&entry.operation["operationId"])) } { (text(&entry.operation["summary"])) }
            } } }
        }
    }
}

fn area(document: &Value, tag: &str) -> Markup {
    html! {
        section aria-labelledby={ "area-" (tag) } {
            h2 id={ "area-" (tag) } { (tag) }
            @for entry in entries(document, tag) { (described(document, &entry)) }
        }
    }
}

fn described(document: &Value, entry: &Entry<'_>) -> Markup {
    let operation = entry.operation;
    html! {
        article id=(text(&operation["operationId"])) {
            h3 { span class={ "method " (entry.method) } { (entry.method.to_uppercase()) } " " code { (entry.path) } }
            p { (text(&operation["summary"])) ". " span.faint { (text(&operation["description"])) } }
            @if operation["parameters"].is_array() {
                h4 { "Parameters" }
                div.wide tabindex="0" role="region" aria-label="Parameters" { table {
                    thead { tr { th scope="col" { "name" } th scope="col" { "in" } th scope="col" { "what" } } }
                    tbody { @for parameter in list(&operation["parameters"]) { (parameter_row(resolved(document, parameter))) } }
                } }
            }
            @for (media, content) in fields(&operation["requestBody"]["content"]) {
                h4 { "Body, " code { (media) } }
                (shape(&content["schema"]))
            }
            h4 { "Answers" }
            div.wide tabindex="0" role="region" aria-label="Answers" { table {
                thead { tr { th scope="col" { "status" } th scope="col" { "what" } } }
                tbody { @for (status, answer) in fields(&operation["responses"]) { (answer_row(status, resolved(document, answer))) } }
            } }
        }
    }
}

fn parameter_row(parameter: &Value) -> Markup {
    html! {
        tr {
            td { code { (text(&parameter["name"])) } @if parameter["required"] == true { " " strong { "required" } } }
            td { (text(&parameter["in"])) }
            td { (said(&parameter["description"])) " " span.faint { (brief(&parameter["schema"])) } }
        }
    }
}

fn answer_row(status: &str, answer: &Value) -> Markup {
    html! {
        tr {
            td { code { (status) } }
            td {
                (said(&answer["description"]))
                @for (media, content) in fields(&answer["content"]) {
                    " " span.faint { code { (media) } " " (brief(&content["schema"])) }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::POLICY;
    use crate::api::openapi::{PAGE, document};

    #[test]
    fn page_shows_every_operation_and_loads_nothing_from_elsewhere() {
        let page = std::str::from_utf8(&PAGE).expect("text");
        let document = document();
        let paths = document["paths"].as_object().expect("paths");
        for operation in paths
            .values()
            .flat_map(|at| at.as_object().expect("methods").values())
        {
            let id = operation["operationId"].as_str().expect("an id");
            assert!(page.contains(&format!("<article id=\"{id}\">")), "{id}");
            assert!(page.contains(&format!("href=\"#{id}\"")), "{id}");
        }
        for loaded in ["src=\"", "http://", "https://", "<script", "style=\""] {
            let found = page
                .match_indices(loaded)
                .map(|(at, _)| &page[at..page.len().min(at + 60)]);
            // Patterns of texts are shown, and load nothing.
            let found: Vec<_> = found.filter(|found| !found.contains("https?://")).collect();
            assert_eq!(found, Vec::<&str>::new());
        }
        assert!(POLICY.starts_with("default-src 'none'"));
    }
}
