//! What a request's session and consistency headers ask, honoured before its handler
//! begins.
//!
//! Whoever sends a token wants to see at least what that answer saw: in reads, and in
//! writes, which would else not find the listing that was made a moment ago elsewhere.
//! A region that has not come so far answers `session-behind`, never a false 404
//! (invariant 5). Who asks for `eventual` waives it.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use axum::extract::{ConnectInfo, FromRequestParts};
use axum::http::HeaderMap;
use axum::http::request::Parts;
use meridian_consensus::Source;
use meridian_regions::Genesis;
use meridian_replication_core::SessionToken;
use tokio::time::Instant;

use super::consistency::Consistency;
use super::envelope::SESSION;
use super::problem::{Problem, Slug};
use crate::booking::Errand;
use crate::node::Node;
use crate::relay::Hop;
use crate::request_id::RequestId;

/// When to come back after `session-behind`.
pub(super) const BEHIND_RETRY: Duration = Duration::from_secs(1);

/// The two headers, read and not yet honoured: for requests that look at nothing.
pub(crate) struct SessionHeaders {
    level: Option<Consistency>,
    token: Option<SessionToken>,
}

impl<S: Send + Sync> FromRequestParts<S> for SessionHeaders {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Problem> {
        Ok(Self {
            level: Consistency::asked(&parts.headers)?,
            token: token(&parts.headers)?,
        })
    }
}

/// A request's session: what its token has seen is here.
pub(crate) struct Session {
    headers: SessionHeaders,
    request: RequestId,
    /// Who asks, as far as that can be told.
    source: Source,
    /// Until when the request is to be answered, the wait for its token included.
    deadline: Instant,
}

impl FromRequestParts<Arc<Node>> for Session {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, node: &Arc<Node>) -> Result<Self, Problem> {
        let headers = SessionHeaders::from_request_parts(parts, node).await?;
        let hop = parts.extensions.get::<Hop>().copied();
        let deadline = Instant::now() + node.config.booking_deadline();
        // Whoever has passed it on waits no longer.
        let deadline = hop.map_or(deadline, |hop| deadline.min(hop.deadline));
        if let Some(token) = headers.to_honour() {
            let read_wait = Duration::from_millis(node.config.listings.read_wait_ms_max);
            let patience = read_wait.min(deadline.saturating_duration_since(Instant::now()));
            node.replica
                .wait_for(token, patience)
                .await
                .map_err(|behind| {
                    Problem::new(Slug::SessionBehind, behind.to_string()).retry_after(BEHIND_RETRY)
                })?;
        }
        // The envelope around every handler has put it there.
        let request = parts.extensions.get::<RequestId>().cloned();
        Ok(Self {
            headers,
            request: request.unwrap_or_else(|| RequestId::from_text("")),
            source: hop.map_or_else(
                || Source::of(node.identity.node, caller(parts)),
                |hop| Source::of(hop.by, hop.caller),
            ),
            deadline,
        })
    }
}

impl Session {
    /// The request's id.
    pub(crate) const fn request(&self) -> &RequestId {
        &self.request
    }

    /// Until when the request is to be answered.
    pub(crate) const fn deadline(&self) -> Instant {
        self.deadline
    }

    /// A question of this request to a listing's group.
    pub(crate) const fn errand<'a>(&'a self, genesis: &'a Genesis) -> Errand<'a> {
        Errand {
            genesis,
            request: &self.request,
            source: self.source,
            deadline: self.deadline,
        }
    }

    /// The level that a listing read is to have: a token alone asks for a session.
    pub(crate) fn level(&self) -> Consistency {
        self.headers
            .level
            .unwrap_or(if self.headers.token.is_some() {
                Consistency::Session
            } else {
                Consistency::Eventual
            })
    }
}

impl SessionHeaders {
    fn to_honour(&self) -> Option<&SessionToken> {
        let waived = self.level == Some(Consistency::Eventual);
        self.token.as_ref().filter(|_| !waived)
    }
}

/// A number that tells callers apart: by the address that the request came from, of which
/// a household has 64 bits of IPv6. 0 where it is not known.
pub(super) fn caller(parts: &Parts) -> u64 {
    let from = parts.extensions.get::<ConnectInfo<SocketAddr>>();
    from.map_or(0, |from| network_of(from.0.ip()))
}

/// A number that stands for an address, or for its 64 bits of network; never 0.
pub(crate) fn network_of(address: IpAddr) -> u64 {
    match address.to_canonical() {
        // No such network of IPv6 is in use.
        IpAddr::V4(address) => (1 << 32) | u64::from(address.to_bits()),
        IpAddr::V6(address) => {
            let network = address.to_bits() >> 64;
            u64::try_from(network).unwrap_or(u64::MAX).max(1)
        }
    }
}

fn token(headers: &HeaderMap) -> Result<Option<SessionToken>, Problem> {
    let Some(value) = headers.get(SESSION) else {
        return Ok(None);
    };
    value
        .to_str()
        .ok()
        .and_then(|text| SessionToken::decode(text).ok())
        .map(Some)
        .ok_or_else(|| {
            Problem::new(
                Slug::Validation,
                "Meridian-Session is not a token of ours: send back the one of an earlier answer, unchanged",
            )
        })
}
