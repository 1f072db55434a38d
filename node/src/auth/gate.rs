//! The gate before every handler: who asks, how often, and whether they may. What operators do
//! is written down here.
//!
//! Credentials end here: no handler, log line or other node sees them; they are looked at again
//! while an answer lasts ([`super::lasting`]). What another node of
//! this cluster passes on has gone through its gate, and comes with who it found; a client
//! cannot say that, because only the mesh can ([`Vouched`]).

use std::convert::Infallible;
use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::{ConnectInfo, FromRequestParts, MatchedPath, Request, State};
use axum::http::header::{AUTHORIZATION, WWW_AUTHENTICATE};
use axum::http::request::Parts;
use axum::http::{HeaderValue, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::access::Denied;
use super::basic::Taken;
use super::caller::{Role, Who};
use super::lasting::{Proof, proven};
use super::routes::{Rule, Table};
use super::{Access, Unproven};
use crate::admission::Door;
use crate::api::network_of;
use crate::api::problem::{Problem, Slug};
use crate::audit::{Audit, Happened, Line};
use crate::caller_limits::{CallerLimits, Counted, Left};
use crate::clock::rfc3339;
use crate::forwarded;
use crate::node::Node;
use crate::request_id::RequestId;

/// What to send, to whoever has sent nothing (RFC 9110, section 11.6.1).
const CHALLENGE: &str = r#"Bearer realm="meridian", ApiKey realm="meridian""#;
/// The same, to whoever has sent what is not believed (RFC 6750, section 3.1).
const CHALLENGE_AGAIN: &str =
    r#"Bearer realm="meridian", error="invalid_token", ApiKey realm="meridian""#;
/// What a browser asks its user for beside it, where one may look (RFC 7617).
const CHALLENGE_BROWSER: &str = r#"Basic realm="meridian console", charset="UTF-8""#;
/// When to come back while the keys of tokens are not here: about one try to fetch them.
const NO_KEYS_RETRY: Duration = Duration::from_secs(2);

/// Whom another node of this cluster has found, in a request that it passes on; `None` if it
/// asks for no credentials itself.
#[derive(Debug, Clone)]
pub(crate) struct Vouched(pub(crate) Option<Who>);

/// What the gate knows.
pub(crate) struct Gate {
    node: Arc<Node>,
    table: Table,
    door: Door,
}

/// By whom a request has come here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Bearer {
    /// Whoever sends it.
    Sender,
    /// A node of this cluster, which has counted it and written it down.
    Peer,
}

/// What a request says of who sends it.
struct Asking {
    bearer: Bearer,
    who: Result<Who, Unproven>,
    /// What kinds of credentials its route takes, and what its sender has shown here.
    taken: Taken,
    shown: Option<HeaderValue>,
}

impl Gate {
    pub(crate) const fn new(node: Arc<Node>, table: Table, door: Door) -> Self {
        Self { node, table, door }
    }

    /// What a request's route takes as credentials.
    fn takes(&self, request: &Request) -> Taken {
        let route = request.extensions().get::<MatchedPath>();
        let route = route.map(MatchedPath::as_str);
        Taken::at(self.door, request.method(), route)
    }

    /// Who asks.
    async fn identify(&self, taken: Taken, request: &mut Request) -> Asking {
        if let Some(Vouched(who)) = request.extensions_mut().remove() {
            let who = who.unwrap_or_else(|| self.node.entrance.auth.unsaid());
            return Asking {
                bearer: Bearer::Peer,
                who: Ok(who),
                taken,
                shown: None,
            };
        }
        let now = self.node.clock.now().as_millis() / 1_000;
        let who = self
            .node
            .entrance
            .auth
            .identify(request.headers(), taken, now)
            .await;
        Asking {
            bearer: Bearer::Sender,
            who,
            taken,
            shown: request.headers_mut().remove(AUTHORIZATION),
        }
    }

    /// What an answer that lasts is held against; `None` where nobody had to show anything here.
    fn proof(&self, access: Option<Access>, asking: &Asking) -> Option<Proof> {
        let (access, who) = (access?, asking.who.as_ref().ok()?);
        Some(Proof {
            node: Arc::clone(&self.node),
            door: self.door,
            access,
            taken: asking.taken,
            shown: asking.shown.clone()?,
            caller: proven(who, access)?.clone(),
        })
    }

    /// What is asked of whoever sends a request; `None` where nothing can answer it.
    fn asks(&self, request: &Request) -> Option<Access> {
        let route = request.extensions().get::<MatchedPath>()?;
        match self.table.rule(request.method(), route.as_str()) {
            Rule::For(access) => Some(access),
            Rule::NoMethod => None,
            // What nobody has said is closed.
            Rule::Unlisted => Some(Access::Operator),
        }
    }

    /// Counts a request of a client; `None` where nobody counts.
    fn count(&self, who: Option<&Who>, request: &Request) -> Option<(&CallerLimits, Left)> {
        let limits = self.node.entrance.caller_limits.as_ref();
        let limits = limits.filter(|_| self.door == Door::Clients)?;
        let counted = match who.and_then(Who::known) {
            Some(caller) => Counted::Subject(caller.shared_subject()),
            None => Counted::Network(network(&self.node, request)),
        };
        Some((limits, limits.count(counted)))
    }

    /// Whether this is something that an operator does, and not one who only looks.
    fn is_action(&self, who: &Who, request: &Request) -> bool {
        let is_operator = who.known().is_some_and(|caller| caller.is(Role::Operator));
        !request.method().is_safe() && (self.door == Door::Operators || is_operator)
    }

    /// Lets a request through or not, after it has been counted.
    async fn pass(
        &self,
        access: Option<Access>,
        asking: Asking,
        mut request: Request,
        next: Next,
    ) -> Response {
        let proof = self.proof(access, &asking);
        let Asking { bearer, who, .. } = asking;
        let who = match who {
            Ok(who) => who,
            // Health is nobody's secret, and a probe may send what it likes.
            Err(_unproven) if access == Some(Access::Open) => Who::Nobody,
            Err(unproven) => return refused(&unproven),
        };
        let public_reads = self.node.entrance.auth.has_public_reads();
        let checked = access.map_or(Ok(()), |access| access.check(&who, public_reads));
        let written = (access.is_some() && bearer == Bearer::Sender)
            .then(|| Action::of(self, &who, &request))
            .flatten();
        match checked {
            Ok(()) => {
                request.extensions_mut().insert(who);
                let response = match written {
                    Some(action) => action.done(next.run(request)).await,
                    None => next.run(request).await,
                };
                match proof {
                    Some(proof) => proof.guard(response),
                    None => response,
                }
            }
            Err(denied) => {
                if let Some(action) = written {
                    action.refused().await;
                }
                denial(denied)
            }
        }
    }
}

/// Lets a request through, with [`Who`] has sent it.
pub(crate) async fn gate(
    State(gate): State<Arc<Gate>>,
    mut request: Request,
    next: Next,
) -> Response {
    let access = gate.asks(&request);
    let taken = gate.takes(&request);
    let asking = gate.identify(taken, &mut request).await;
    let counted = match asking.bearer {
        Bearer::Peer => None,
        Bearer::Sender => gate.count(asking.who.as_ref().ok(), &request),
    };
    let mut response = match counted.and_then(|(_, left)| left.wait) {
        Some(wait) => Problem::new(Slug::RateLimited, "you send more requests than you may")
            .retry_after(wait)
            .into_response(),
        None => gate.pass(access, asking, request, next).await,
    };
    if taken == Taken::Browsed && response.status() == StatusCode::UNAUTHORIZED {
        let challenge = HeaderValue::from_static(CHALLENGE_BROWSER);
        response.headers_mut().append(WWW_AUTHENTICATE, challenge);
    }
    if let Some((limits, left)) = counted {
        limits.tell(left, response.headers_mut());
    }
    response
}

/// Something that an operator does, or somebody would like to do.
struct Action<'a> {
    audit: &'a Audit,
    line: Line,
}

impl<'a> Action<'a> {
    /// `None` where nothing is written down: whoever only looks, and strangers.
    fn of(gate: &'a Gate, who: &Who, request: &Request) -> Option<Self> {
        if *who == Who::Nobody || !gate.is_action(who, request) {
            return None;
        }
        let id = request.extensions().get::<RequestId>();
        Some(Self {
            audit: &gate.node.entrance.audit,
            line: Line {
                at: rfc3339(gate.node.clock.now().as_millis()),
                happened: Happened::Asked,
                subject: who.known().map(|caller| caller.subject().to_owned()),
                method: request.method().to_string(),
                path: request.uri().path().to_owned(),
                request_id: id.map(ToString::to_string).unwrap_or_default(),
                status: None,
            },
        })
    }

    /// Does it, if that can be written down before.
    async fn done(self, action: impl Future<Output = Response>) -> Response {
        if let Err(cause) = self.audit.write(self.line.clone()).await {
            tracing::error!(%cause, "an action of an operator is refused: it cannot be written down");
            let detail = "the audit log of this node cannot be written, so that nothing was done";
            return Problem::new(Slug::Internal, detail).into_response();
        }
        let response = action.await;
        let answered = Line {
            happened: Happened::Answered,
            status: Some(response.status().as_u16()),
            ..self.line
        };
        if let Err(cause) = self.audit.write(answered).await {
            tracing::error!(%cause, "what an operator was answered is not in the audit log");
        }
        response
    }

    async fn refused(self) {
        let line = Line {
            happened: Happened::Refused,
            ..self.line
        };
        if let Err(cause) = self.audit.write(line).await {
            tracing::error!(%cause, "a refusal is not in the audit log");
        }
    }
}

fn denial(denied: Denied) -> Response {
    match denied {
        Denied::Unauthenticated => challenged(
            "send `Authorization: Bearer <token>` or `Authorization: ApiKey <key>`".to_owned(),
            CHALLENGE,
        ),
        Denied::Role(access) => Problem::new(
            Slug::Forbidden,
            format!(
                "this is for {}, and your roles say that you are none",
                access.told()
            ),
        )
        .into_response(),
    }
}

/// The network that a request comes from, by its number; 0 where nobody can tell.
fn network(node: &Node, request: &Request) -> u64 {
    let peer = request.extensions().get::<ConnectInfo<SocketAddr>>();
    let trusted = &node.config.listen.trusted_proxies;
    let sender = peer.and_then(|peer| forwarded::sender(peer.0.ip(), request.headers(), trusted));
    sender.map_or(0, network_of)
}

fn refused(unproven: &Unproven) -> Response {
    let detail = unproven.to_string();
    if *unproven == Unproven::NoKeysYet {
        let problem = Problem::new(Slug::Overloaded, detail);
        return problem.retry_after(NO_KEYS_RETRY).into_response();
    }
    challenged(detail, CHALLENGE_AGAIN)
}

fn challenged(detail: String, challenge: &'static str) -> Response {
    let mut response = Problem::new(Slug::Unauthenticated, detail).into_response();
    let challenge = HeaderValue::from_static(challenge);
    response.headers_mut().insert(WWW_AUTHENTICATE, challenge);
    response
}

impl<S: Send + Sync> FromRequestParts<S> for Who {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Infallible> {
        let who = parts.extensions.get::<Self>().cloned();
        // No way to a handler goes past the gate.
        Ok(who.unwrap_or(Self::Nobody))
    }
}
