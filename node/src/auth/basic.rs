//! What a browser can show of an operator: HTTP Basic (RFC 7617), with the name of an API key's
//! owner as the user and the key as the password, or a token's subject and the token. Pure.
//!
//! A browser sends it along by itself, whatever page makes it ask. So it is taken for reading
//! alone: from the console's own routes, and what its page links to. No page of somebody else
//! can have a browser do anything by it, or see what it reads.

use axum::http::Method;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;

use super::caller::SUBJECT_BYTES_MAX;
use super::jwt::TOKEN_BYTES_MAX;
use crate::admission::Door;

/// Longest text that is decoded, in bytes: a name, a colon, a token (keys are shorter), and what
/// base64 makes of them.
const TEXT_BYTES_MAX: usize = (SUBJECT_BYTES_MAX + 1 + TOKEN_BYTES_MAX).div_ceil(3) * 4;
/// What the console's routes begin with.
const CONSOLE: &str = "/console";
/// What the console's page links to beside them, and is not for everybody.
const LINKED: [&str; 4] = [
    "/admin/v1/status",
    "/admin/v1/openapi.json",
    "/admin/v1/docs",
    "/admin/v1/docs/style.css",
];

/// Which kinds of credentials a route takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Taken {
    /// Tokens and API keys, which a program shows on purpose.
    Shown,
    /// Those, and what a browser sends by itself.
    Browsed,
}

impl Taken {
    /// What is taken at a route of a port, for a method.
    pub(crate) fn at(door: Door, method: &Method, route: Option<&str>) -> Self {
        let is_browsed = route.is_some_and(|route| {
            let below = route.strip_prefix(CONSOLE);
            below.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
                || LINKED.contains(&route)
        });
        let reads = *method == Method::GET || *method == Method::HEAD;
        if door == Door::Operators && reads && is_browsed {
            Self::Browsed
        } else {
            Self::Shown
        }
    }
}

/// User and password of a Basic credential.
pub(super) fn parts(credential: &str) -> Option<(String, String)> {
    if credential.len() > TEXT_BYTES_MAX {
        return None;
    }
    let text = BASE64_STANDARD.decode(credential).ok()?;
    let text = String::from_utf8(text).ok()?;
    let (user, password) = text.split_once(':')?;
    Some((user.to_owned(), password.to_owned()))
}

#[cfg(test)]
mod tests {
    use axum::http::Method;

    use super::{TEXT_BYTES_MAX, Taken, parts};
    use crate::admission::Door;

    #[test]
    fn browsers_read_the_console_and_do_nothing() {
        for (method, route, expected) in [
            (Method::GET, "/console", Taken::Browsed),
            (Method::HEAD, "/console", Taken::Browsed),
            (Method::GET, "/console/data/{part}", Taken::Browsed),
            (Method::GET, "/admin/v1/status", Taken::Browsed),
            (Method::GET, "/admin/v1/docs", Taken::Browsed),
            (Method::POST, "/admin/v1/status", Taken::Shown),
            (Method::POST, "/console", Taken::Shown),
            (Method::DELETE, "/console/data/{part}", Taken::Shown),
            (Method::GET, "/consoles", Taken::Shown),
            (Method::GET, "/admin/v1/sagas", Taken::Shown),
        ] {
            let taken = Taken::at(Door::Operators, &method, Some(route));
            assert_eq!(taken, expected, "{method} {route}");
            let taken = Taken::at(Door::Clients, &method, Some(route));
            assert_eq!(taken, Taken::Shown, "{method} {route} for clients");
        }
        assert_eq!(Taken::at(Door::Operators, &Method::GET, None), Taken::Shown);
    }

    #[test]
    fn credential_is_a_user_and_a_password_of_bounded_length() {
        let read = parts("b2xnYTprOjE=").expect("olga:k:1");
        assert_eq!(read, ("olga".to_owned(), "k:1".to_owned()));
        let long = "b2xn".repeat(TEXT_BYTES_MAX / 4 + 1);
        for bad in ["", "b2xnYQ==", "b2xnYTprOjE", "!", "/////w==", &long] {
            assert_eq!(parts(bad), None, "{bad}");
        }
    }
}
