//! What a browser shows whose user may not see the console: who may, and what to do.
//!
//! A program is told the same as a problem. The page loads nothing and runs nothing, because
//! whoever sees it may load nothing.

use std::sync::LazyLock;

use axum::body::Body;
use axum::http::header::{
    ACCEPT, CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, REFERRER_POLICY, RETRY_AFTER,
    X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::Response;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use maud::{DOCTYPE, Markup, PreEscaped, html};
use ring::digest::{SHA256, digest};

use crate::api::problem::Problem;
use crate::request_id::RequestId;

/// The pages that people open.
const PAGES: [&str; 2] = ["/console", "/admin/v1/docs"];
const STYLE: &str = "\
:root{color-scheme:light dark}\
body{font:1.05rem/1.5 system-ui,sans-serif;max-width:34rem;margin:15vh auto 0;padding:0 1.25rem}\
h1{font-size:1.6rem;margin:0 0 1rem}\
code{font-family:ui-monospace,monospace;overflow-wrap:anywhere}\
p.faint{opacity:.75;font-size:.9rem;margin-top:2rem}";

/// Nothing but this one style.
static POLICY: LazyLock<HeaderValue> = LazyLock::new(|| {
    let hash = BASE64_STANDARD.encode(digest(&SHA256, STYLE.as_bytes()));
    let policy = format!(
        "default-src 'none'; style-src 'sha256-{hash}'; base-uri 'none'; form-action 'none'; \
         frame-ancestors 'none'"
    );
    HeaderValue::from_str(&policy).expect("visible ASCII")
});

/// Whether people look at what a route answers, in a browser that asks so.
pub(crate) fn is_looked_at(route: &str, asked: &HeaderMap) -> bool {
    let accepted = asked.get(ACCEPT).and_then(|value| value.to_str().ok());
    PAGES.contains(&route) && accepted.is_some_and(|accepted| accepted.contains("text/html"))
}

/// A problem as a page; every other answer as it is.
pub(crate) fn as_page(mut response: Response, id: &RequestId) -> Response {
    let Some(problem) = response.extensions_mut().remove::<Problem>() else {
        return response;
    };
    let page = draw(response.status(), &problem, id).into_string();
    *response.body_mut() = Body::from(page);
    let headers = response.headers_mut();
    headers.insert(CONTENT_SECURITY_POLICY, POLICY.clone());
    for (name, value) in [
        (CONTENT_TYPE, "text/html; charset=utf-8"),
        (CACHE_CONTROL, "no-store"),
        (REFERRER_POLICY, "no-referrer"),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    if let Some(wait) = problem.wait() {
        headers.insert(RETRY_AFTER, HeaderValue::from(wait.as_secs().max(1)));
    }
    response
}

fn draw(status: StatusCode, problem: &Problem, id: &RequestId) -> Markup {
    let title = match status {
        StatusCode::UNAUTHORIZED => "Who is asking?",
        StatusCode::FORBIDDEN => "This is for operators",
        _ => "Nothing to show",
    };
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { (title) " · Meridian" }
                style { (PreEscaped(STYLE)) }
            }
            body {
                main {
                    h1 { (title) }
                    (advice(status, problem))
                    p.faint { "Status " (status.as_u16()) ", request " code { (id.to_string()) } }
                }
            }
        }
    }
}

fn advice(status: StatusCode, problem: &Problem) -> Markup {
    match status {
        StatusCode::UNAUTHORIZED => html! {
            p { "Only operators see how this cluster is. Load the page again: the browser asks for a name and a password." }
            p { "The name is that of an API key's owner, and the password the key. "
                code { "meridian auth new-key --roles operator" } " makes one. "
                "A token is taken as well: then the name is its " code { "sub" } ", and the password the token." }
        },
        StatusCode::FORBIDDEN => html! {
            p { "You are known, and your roles are not enough: " (problem.detail()) "." }
            p { "A browser keeps a name and a password until it is closed. To come as somebody else, close it or open a private window." }
        },
        _ => html! { p { (problem.detail()) "." } },
    }
}

#[cfg(test)]
mod tests {
    use axum::http::header::{ACCEPT, CONTENT_TYPE};
    use axum::http::{HeaderMap, HeaderValue, StatusCode};
    use axum::response::IntoResponse;

    use super::{as_page, is_looked_at};
    use crate::api::problem::{Problem, Slug};
    use crate::request_id::RequestId;

    #[test]
    fn pages_are_for_browsers_and_problems_for_programs() {
        let accepts = |text: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert(ACCEPT, HeaderValue::from_static(text));
            headers
        };
        let browser = accepts("text/html,application/xhtml+xml;q=0.9,*/*;q=0.8");
        assert!(is_looked_at("/console", &browser));
        assert!(is_looked_at("/admin/v1/docs", &browser));
        assert!(!is_looked_at("/console", &accepts("*/*")));
        assert!(!is_looked_at("/console", &HeaderMap::new()));
        assert!(!is_looked_at("/admin/v1/status", &browser));
    }

    #[test]
    fn problem_keeps_its_status_and_headers_and_its_detail_stays_text() {
        let problem = Problem::new(Slug::Forbidden, "for <b>operators</b>").into_response();
        let page = as_page(problem, &RequestId::from_header(None));
        assert_eq!(page.status(), StatusCode::FORBIDDEN);
        assert_eq!(page.headers()[CONTENT_TYPE], "text/html; charset=utf-8");
        let told = "for &lt;b&gt;operators";
        let body = super::draw(
            StatusCode::FORBIDDEN,
            &Problem::new(Slug::Forbidden, "for <b>operators</b>"),
            &RequestId::from_header(None),
        );
        assert!(body.into_string().contains(told));
        let sound = as_page("here".into_response(), &RequestId::from_header(None));
        assert_eq!(sound.headers()[CONTENT_TYPE], "text/plain; charset=utf-8");
    }
}
