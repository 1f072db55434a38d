//! Who has sent a request, as far as the connection and trusted proxies tell.
//!
//! It is used and forgotten: it cannot be printed, and nothing may log it.

use std::convert::Infallible;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use axum::extract::{ConnectInfo, FromRequestParts};
use axum::http::request::Parts;

use crate::forwarded;
use crate::node::Node;

/// Its address; `None` where nobody tells.
pub(crate) struct Sender(pub(crate) Option<IpAddr>);

impl FromRequestParts<Arc<Node>> for Sender {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, node: &Arc<Node>) -> Result<Self, Infallible> {
        let peer = parts.extensions.get::<ConnectInfo<SocketAddr>>();
        let trusted = &node.config.listen.trusted_proxies;
        Ok(Self(peer.and_then(|peer| {
            forwarded::sender(peer.0.ip(), &parts.headers, trusted)
        })))
    }
}
