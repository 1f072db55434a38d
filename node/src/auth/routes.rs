//! The one table of an API's routes: where, by which method, for whom, and what answers.
//!
//! A route cannot be added without saying who may use it. What comes past this table
//! ([`Routes::from`] a router) is closed to everybody once credentials are asked for.

use std::sync::Arc;

use axum::Router;
use axum::handler::Handler;
use axum::http::Method;
use axum::routing::{MethodFilter, on};

use super::access::{Access, Ownership};
use crate::node::Node;

/// One route, without what answers it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Row {
    pub(crate) method: Method,
    pub(crate) path: &'static str,
    pub(crate) access: Access,
    pub(crate) ownership: Ownership,
}

/// What the table says of a method at a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Rule {
    /// Who may use it.
    For(Access),
    /// The path has no such method: nothing can answer.
    NoMethod,
    /// Nobody has said.
    Unlisted,
}

/// What answers.
type Inner = Router<Arc<Node>>;

/// See the module.
pub(crate) struct Routes {
    router: Router<Arc<Node>>,
    rows: Vec<Row>,
}

impl Routes {
    pub(crate) fn new() -> Self {
        Self::from(Router::new())
    }

    /// Adds a route about what is nobody's.
    pub(crate) fn on<H, T>(self, method: Method, path: &'static str, access: Access, to: H) -> Self
    where
        H: Handler<T, Arc<Node>>,
        T: 'static,
    {
        self.owned(method, path, (access, Ownership::Nobody), to)
    }

    /// Adds a route about what has an owner, at which its handler looks.
    pub(crate) fn owned<H, T>(
        mut self,
        method: Method,
        path: &'static str,
        (access, ownership): (Access, Ownership),
        to: H,
    ) -> Self
    where
        H: Handler<T, Arc<Node>>,
        T: 'static,
    {
        let filter = MethodFilter::try_from(method.clone()).expect("a method that HTTP has");
        self.router = self.router.route(path, on(filter, to));
        self.rows.push(Row {
            method,
            path,
            access,
            ownership,
        });
        self
    }

    /// The same behind a layer of whoever serves them, inside the gate.
    pub(crate) fn inside(mut self, layer: impl FnOnce(Inner) -> Inner) -> Self {
        self.router = layer(self.router);
        self
    }

    /// The routes for a port, and the table of who may use them.
    pub(crate) fn split(self) -> (Router<Arc<Node>>, Table) {
        (self.router, Table { rows: self.rows })
    }
}

impl From<Router<Arc<Node>>> for Routes {
    fn from(router: Router<Arc<Node>>) -> Self {
        Self {
            router,
            rows: Vec::new(),
        }
    }
}

/// Who may use which route.
#[derive(Debug, Clone, Default)]
pub(crate) struct Table {
    rows: Vec<Row>,
}

impl Table {
    /// What is said of a method at a path, as the router has matched it.
    pub(crate) fn rule(&self, method: &Method, path: &str) -> Rule {
        // A route that answers GET answers HEAD.
        let method = if method == Method::HEAD {
            &Method::GET
        } else {
            method
        };
        let mut at_path = self.rows.iter().filter(|row| row.path == path).peekable();
        if at_path.peek().is_none() {
            return Rule::Unlisted;
        }
        at_path
            .find(|row| row.method == *method)
            .map_or(Rule::NoMethod, |row| Rule::For(row.access))
    }

    /// Every route.
    pub(crate) fn rows(&self) -> &[Row] {
        &self.rows
    }
}

#[cfg(test)]
mod tests {
    use axum::Router;
    use axum::http::Method;
    use axum::routing::get;

    use super::{Access, Routes, Rule};

    #[test]
    fn what_nobody_has_listed_is_told_from_what_has_no_such_method() {
        let listed = Routes::new().on(Method::GET, "/a", Access::Open, async || "here");
        let (_, table) = listed.split();
        assert_eq!(table.rule(&Method::GET, "/a"), Rule::For(Access::Open));
        assert_eq!(table.rule(&Method::HEAD, "/a"), Rule::For(Access::Open));
        assert_eq!(table.rule(&Method::POST, "/a"), Rule::NoMethod);
        let raw = Router::new().route("/b", get(async || "here"));
        let (_, table) = Routes::from(raw).split();
        assert_eq!(table.rule(&Method::GET, "/b"), Rule::Unlisted);
    }
}
