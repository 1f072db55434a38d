//! Answers that last: streams, whose end is not known when they begin, as `/console/live` and
//! the watch of a listing, which is also gRPC's.
//!
//! Whoever opens one shows credentials once. A key that is taken out, a token that runs out, or
//! a role that is taken away later ends it here, in one place for every route: no handler has
//! to know. What it is not: a look at owners, and at streams that were opened without
//! credentials. One that another node passes on is looked after by the node that took it.
//!
//! Kept: a stream lasts no longer than [`LOOK_EVERY`] and one look after this node has learnt
//! that it could not be opened any more.

use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, BodyDataStream, Bytes, HttpBody};
use axum::http::header::{AUTHORIZATION, CONTENT_TYPE};
use axum::http::{HeaderMap, HeaderValue};
use axum::response::Response;
use futures::StreamExt;
use tokio::time::{Instant, Interval, MissedTickBehavior, interval_at};

use super::basic::Taken;
use super::caller::{Caller, Who};
use super::{Access, Unproven};
use crate::admission::Door;
use crate::api::{Ending, ended};
use crate::console;
use crate::node::Node;

/// How often credentials are looked at again: as often as files of keys are. A signature costs
/// some 50 µs, so that a thousand streams take a hundredth of a core.
const LOOK_EVERY: Duration = super::FILES_EVERY;
/// The media type of streams that have a last word.
const EVENTS: &str = "text/event-stream";
/// Between two events of such a stream.
const GAP: &[u8] = b"\n\n";

/// What somebody has shown, and what was asked for with it.
pub(super) struct Proof {
    pub(super) node: Arc<Node>,
    pub(super) door: Door,
    pub(super) access: Access,
    pub(super) taken: Taken,
    pub(super) shown: HeaderValue,
    pub(super) caller: Caller,
}

impl Proof {
    /// Has an answer end when this does not prove any more that its receiver may have it. One
    /// that is there whole stays as it is.
    pub(super) fn guard(self, response: Response) -> Response {
        if response.body().size_hint().exact().is_some() {
            return response;
        }
        let media = response.headers().get(CONTENT_TYPE);
        let has_words = media.is_some_and(|media| media.as_bytes().starts_with(EVENTS.as_bytes()));
        response.map(|body| {
            let lasting = Lasting {
                looks: looks(),
                last_words: has_words.then(|| self.last_words()),
                proof: self,
                body: body.into_data_stream(),
                is_between: true,
                is_over: false,
            };
            Body::from_stream(futures::stream::unfold(lasting, |mut lasting| async move {
                let piece = lasting.next().await?;
                Some((piece, lasting))
            }))
        })
    }

    /// Whether the same could be opened by the same caller now.
    async fn holds(&self) -> bool {
        let auth = &self.node.entrance.auth;
        let now = self.node.clock.now().as_millis() / 1_000;
        let headers = HeaderMap::from_iter([(AUTHORIZATION, self.shown.clone())]);
        match auth.identify(&headers, self.taken, now).await {
            Ok(who) => {
                let is_same = who
                    .known()
                    .is_some_and(|caller| caller.subject() == self.caller.subject());
                is_same && self.access.check(&who, auth.has_public_reads()).is_ok()
            }
            // Nobody can tell: that is not the caller's fault.
            Err(unproven) => unproven == Unproven::NoKeysYet,
        }
    }

    fn last_words(&self) -> Bytes {
        match self.door {
            Door::Operators => console::withdrawn(),
            Door::Clients => ended(Ending::Withdrawn),
        }
    }
}

/// Who has to show credentials again: whoever has shown some for what is not for everybody.
pub(super) fn proven(who: &Who, access: Access) -> Option<&Caller> {
    who.known().filter(|_| access != Access::Open)
}

fn looks() -> Interval {
    let mut looks = interval_at(Instant::now() + LOOK_EVERY, LOOK_EVERY);
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    looks
}

struct Lasting {
    proof: Proof,
    looks: Interval,
    body: BodyDataStream,
    last_words: Option<Bytes>,
    /// Whether what was sent last ended where an event ends.
    is_between: bool,
    is_over: bool,
}

impl Lasting {
    async fn next(&mut self) -> Option<Result<Bytes, axum::Error>> {
        if self.is_over {
            return None;
        }
        loop {
            // A piece that is waited for is not lost: it stays in the body.
            tokio::select! {
                biased;
                _ = self.looks.tick() => {
                    if !self.proof.holds().await {
                        return self.end().map(Ok);
                    }
                }
                piece = self.body.next() => {
                    if let Some(Ok(bytes)) = &piece && !bytes.is_empty() {
                        self.is_between = bytes.ends_with(GAP);
                    }
                    return piece;
                }
            }
        }
    }

    /// Gives back at once what the stream took. Within an event nothing can be said.
    fn end(&mut self) -> Option<Bytes> {
        let subject = self.proof.caller.subject();
        tracing::info!(
            subject,
            "a stream is ended: its credentials are not good any more"
        );
        self.is_over = true;
        self.body = Body::empty().into_data_stream();
        self.last_words.take().filter(|_words| self.is_between)
    }
}
