//! How fresh a read was asked to be, and how fresh it turned out.
//!
//! A listing read is never refused for being stale: a region that is cut off still
//! serves. It says instead which level was achieved, and how stale the region is.
//! Only a session is strict: see [`super::session`].

use std::time::Duration;

use axum::Json;
use axum::http::{HeaderMap, HeaderName, HeaderValue};
use axum::response::{IntoResponse, Response};
use serde_json::Value;

use super::problem::{Problem, Slug};
use super::session::Session;
use crate::node::Node;

/// Asked for in a request; achieved in an answer.
pub(crate) const CONSISTENCY: HeaderName = HeaderName::from_static("meridian-consistency");
/// How far this region may be behind the others, in milliseconds.
pub(crate) const STALENESS: HeaderName = HeaderName::from_static("meridian-staleness-ms");
/// Between two looks at the staleness while a bounded read waits.
const STALENESS_POLL: Duration = Duration::from_millis(10);

/// The levels of the client contract.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Consistency {
    Eventual,
    Session,
    Bounded { staleness_ms_max: u64 },
    Linearizable,
}

impl Consistency {
    /// Reads `Meridian-Consistency`; `None` where it is absent.
    pub(crate) fn asked(headers: &HeaderMap) -> Result<Option<Self>, Problem> {
        let Some(value) = headers.get(CONSISTENCY) else {
            return Ok(None);
        };
        let text = value.to_str().unwrap_or_default();
        Self::parse(text).map(Some).ok_or_else(|| {
            Problem::new(
                Slug::Validation,
                "Meridian-Consistency is `eventual`, `session`, `bounded; max-staleness-ms=N` or `linearizable`",
            )
        })
    }

    pub(super) fn parse(text: &str) -> Option<Self> {
        let mut parts = text.split(';').map(str::trim);
        let level = parts.next()?;
        let parameter = parts.next();
        if parts.next().is_some() {
            return None;
        }
        match (level, parameter) {
            ("eventual", None) => Some(Self::Eventual),
            ("session", None) => Some(Self::Session),
            ("linearizable", None) => Some(Self::Linearizable),
            ("bounded", Some(parameter)) => {
                let (name, number) = parameter.split_once('=')?;
                let staleness_ms_max = number.trim().parse().ok()?;
                (name.trim() == "max-staleness-ms").then_some(Self::Bounded { staleness_ms_max })
            }
            _ => None,
        }
    }

    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Eventual => "eventual",
            Self::Session => "session",
            Self::Bounded { .. } => "bounded",
            Self::Linearizable => "linearizable",
        }
    }
}

/// What a listing read achieved.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Achieved {
    level: Consistency,
    staleness: Option<Duration>,
}

impl Achieved {
    /// A read of what this node has applied of a listing's ledger. How far that is
    /// behind is not known here: the staleness of listings says nothing about it.
    pub(crate) const EVENTUAL: Self = Self {
        level: Consistency::Eventual,
        staleness: None,
    };

    /// A read that went through a quorum.
    pub(crate) const LINEARIZABLE: Self = Self {
        level: Consistency::Linearizable,
        staleness: Some(Duration::ZERO),
    };

    /// A search whose index was so far behind.
    pub(crate) const fn of_search(level: Consistency, staleness: Option<Duration>) -> Self {
        Self { level, staleness }
    }

    /// Waits, within bounds, until this region is as fresh as the request asks. What
    /// its token has seen is here already.
    pub(crate) async fn prepare(node: &Node, session: &Session) -> Self {
        let level = match session.level() {
            Consistency::Session => Consistency::Session,
            asked @ Consistency::Bounded { staleness_ms_max } => {
                let bound = Duration::from_millis(staleness_ms_max);
                let wait = Duration::from_millis(node.config.listings.read_wait_ms_max);
                if fresh_within(node, bound, wait).await {
                    asked
                } else {
                    Consistency::Eventual
                }
            }
            // Listings have no linearizable reads: the answer says so by its level.
            Consistency::Eventual | Consistency::Linearizable => Consistency::Eventual,
        };
        Self {
            level,
            staleness: node.replica.staleness(),
        }
    }

    /// States level and staleness in an answer.
    pub(crate) fn state(self, headers: &mut HeaderMap) {
        headers.insert(CONSISTENCY, HeaderValue::from_static(self.level.as_str()));
        if let Some(staleness) = self.staleness {
            let millis = u64::try_from(staleness.as_millis()).unwrap_or(u64::MAX);
            headers.insert(STALENESS, HeaderValue::from(millis));
        }
    }
}

/// What a quorum has confirmed.
pub(crate) fn linearizable(body: Value) -> Response {
    let mut response = Json(body).into_response();
    Achieved::LINEARIZABLE.state(response.headers_mut());
    response
}

/// Waits until this region is as fresh as `bound`, for no longer than `wait`, and not at all for
/// a node that says nothing: what is further away than `bound` then only ages.
async fn fresh_within(node: &Node, bound: Duration, wait: Duration) -> bool {
    let is_fresh = || {
        let staleness = node.replica.staleness();
        staleness.is_some_and(|staleness| staleness <= bound)
    };
    let awaited = async {
        let mut ticks = tokio::time::interval(STALENESS_POLL);
        while !is_fresh() {
            if !node.replica.may_freshen(bound) {
                return false;
            }
            ticks.tick().await;
        }
        true
    };
    tokio::time::timeout(wait, awaited).await.unwrap_or(false)
}

#[cfg(test)]
mod tests {
    use super::Consistency;

    #[test]
    fn every_level_of_the_contract_is_read() {
        assert_eq!(Consistency::parse("eventual"), Some(Consistency::Eventual));
        assert_eq!(Consistency::parse(" session "), Some(Consistency::Session));
        assert_eq!(
            Consistency::parse("bounded; max-staleness-ms=250"),
            Some(Consistency::Bounded {
                staleness_ms_max: 250
            })
        );
        assert_eq!(
            Consistency::parse("linearizable"),
            Some(Consistency::Linearizable)
        );
    }

    #[test]
    fn anything_else_is_refused() {
        for text in [
            "",
            "strong",
            "bounded",
            "bounded; max-staleness-ms=-1",
            "bounded; staleness=1",
            "eventual; x=1",
            "bounded; max-staleness-ms=1; y=2",
        ] {
            assert_eq!(Consistency::parse(text), None, "{text}");
        }
    }
}
