//! Serving what other nodes pass on: by the routes that clients use, and nothing else.

use std::sync::Arc;

use axum::Router;
use axum::body::{Body, Bytes, to_bytes};
use axum::http::{Request, StatusCode};
use axum::response::Response;
use futures::StreamExt;
use meridian_regions::NodeId;
use meridian_transport::{FRAME_BYTES_MAX, FrameWriter, Refusal};
use prost::Message;
use tokio::time::Instant;
use tower_service::Service;

use super::wire::{Answered, Asked};
use super::{founders, standings};
use crate::node::Node;
use crate::{api, console};

/// Longest body of an answer: with its headers it fits a frame.
const ANSWER_BYTES_MAX: usize = FRAME_BYTES_MAX / 4 * 3;

/// Marks a request that another node has passed on.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Hop {
    /// Who has.
    pub(crate) by: NodeId,
    /// Tells that node's callers apart.
    pub(crate) caller: u64,
    /// Until when it waits for the answer.
    pub(crate) deadline: Instant,
}

/// Marks the answer to a request that was passed on to a node that does not serve its
/// listing either: nothing was done.
#[derive(Debug, Clone, Copy)]
pub(crate) struct NotServed;

/// Serves requests of other nodes' clients. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct RelayServer {
    routes: Router,
}

impl RelayServer {
    pub(crate) fn of(node: &Arc<Node>) -> Self {
        let routes = api::router(Arc::clone(node));
        let asked_by_nodes = founders::routes(Arc::clone(node));
        let asked_by_nodes = asked_by_nodes.merge(standings::routes(Arc::clone(node)));
        Self {
            routes: routes
                .merge(asked_by_nodes)
                .merge(api::search_routes(Arc::clone(node)))
                .merge(console::mesh_routes(Arc::clone(node))),
        }
    }

    /// Answers a request.
    ///
    /// # Errors
    /// [`Refusal`]: nothing was done.
    pub(crate) async fn serve(&self, by: NodeId, request: Bytes) -> Result<Bytes, Refusal> {
        let (parts, body) = self.route(by, request).await?.into_parts();
        let answered = match to_bytes(body, ANSWER_BYTES_MAX).await {
            Ok(body) => Answered::head(parts.status, &parts.headers).with(body),
            Err(cause) => {
                tracing::error!(%by, %cause, "an answer to a request of another node does not fit");
                Answered::head(StatusCode::INTERNAL_SERVER_ERROR, &parts.headers)
            }
        };
        Ok(answered.encode_to_vec().into())
    }

    /// Answers a request by a stream: the head, then the body as it comes. Without a frame,
    /// nothing was done.
    pub(crate) async fn stream(&self, by: NodeId, request: Bytes, mut replies: FrameWriter) {
        let Ok(response) = self.route(by, request).await else {
            return;
        };
        let (parts, body) = response.into_parts();
        let head = Answered::head(parts.status, &parts.headers).encode_to_vec();
        let mut sent = replies.send(head.into()).await;
        let mut pieces = body.into_data_stream();
        while sent.is_ok()
            && let Some(Ok(mut piece)) = pieces.next().await
        {
            while sent.is_ok() && !piece.is_empty() {
                let part = piece.split_to(piece.len().min(ANSWER_BYTES_MAX));
                sent = replies.send(part).await;
            }
        }
    }

    async fn route(&self, by: NodeId, request: Bytes) -> Result<Response, Refusal> {
        let mut asked = Asked::decode(request).map_err(|_malformed| Refusal::Unsupported)?;
        let hop = Hop {
            by,
            caller: asked.caller,
            deadline: Instant::now() + asked.time(),
        };
        let handed = asked.handed();
        let vouched = asked.vouched().ok_or(Refusal::Unsupported)?;
        let request: Option<Request<Body>> = asked.into_request();
        let mut request = request.ok_or(Refusal::Unsupported)?;
        request.extensions_mut().insert(vouched);
        request.extensions_mut().insert(hop);
        request.extensions_mut().insert(handed);
        // Routes are always ready.
        let Ok(response) = self.routes.clone().call(request).await;
        match response.extensions().get::<NotServed>() {
            Some(NotServed) => Err(Refusal::Unavailable),
            None => Ok(response),
        }
    }
}
