//! A search over all listings of this region, whoever holds them.
//!
//! Each shard is answered for by one index: this node's own if it has the shard, else that
//! of a holder. Who does not answer, or not for all that it was asked, is replaced by other
//! holders; who is slow has company, and the first of both counts. One hop: who is asked
//! looks at its own index and nowhere else.

use std::pin::pin;
use std::time::Duration;

use axum::body::to_bytes;
use axum::http::{HeaderMap, Uri};
use futures::FutureExt;
use futures::future::{BoxFuture, Either, join_all, select};
use meridian_regions::{NodeId, Shards};
use meridian_transport::FRAME_BYTES_MAX;
use prost::Message;
use tokio::time::{Instant, timeout};

use super::asked::Search;
use super::part::{self, Part, Told};
use super::plan::{Candidate, Standing, assign};
use crate::api::problem::{Problem, Slug};
use crate::api::session::{BEHIND_RETRY, Session};
use crate::node::Node;
use crate::relay::Asked;

/// Beyond the wait for what a session has seen: an index answers within milliseconds, and
/// who queues for its turn a second at most.
const PATIENCE: Duration = Duration::from_secs(2);
/// After which others are asked, too: some times what a page takes under load.
const HEDGE_AFTER: Duration = Duration::from_millis(250);
/// Nodes that are asked for one shard at most: where three do not answer, a fourth is in the
/// same trouble.
const ATTEMPTS_MAX: usize = 3;

/// What is known of the shards that were asked for.
#[derive(Debug, Default)]
pub(super) struct Covered {
    /// Of disjoint shards.
    pub(super) parts: Vec<Part>,
    /// Of which nobody has answered.
    pub(super) missing: Shards,
    /// Why, in the word that says the most to a client.
    pub(super) why: Option<Problem>,
}

impl Covered {
    fn add(&mut self, other: Self) {
        self.parts.extend(other.parts);
        self.missing |= other.missing;
        self.because(other.why);
    }

    fn because(&mut self, why: Option<Problem>) {
        let is_behind = |why: &Problem| why.is(Slug::SessionBehind);
        if self.why.is_none() || why.as_ref().is_some_and(is_behind) {
            self.why = why.or_else(|| self.why.take());
        }
    }
}

/// One search on its way. See the module.
pub(super) struct Scatter<'a> {
    node: &'a Node,
    session: &'a Session,
    search: &'a Search,
    query: &'a str,
    headers: &'a HeaderMap,
    until: Instant,
}

impl<'a> Scatter<'a> {
    pub(super) fn new(
        node: &'a Node,
        session: &'a Session,
        search: &'a Search,
        (uri, headers): (&'a Uri, &'a HeaderMap),
    ) -> Self {
        let wait = Duration::from_millis(node.config.listings.read_wait_ms_max);
        Self {
            node,
            session,
            search,
            query: uri.query().unwrap_or_default(),
            headers,
            until: session.deadline().min(Instant::now() + wait + PATIENCE),
        }
    }

    /// Has some shards searched by whoever has not been tried.
    pub(super) fn cover(&self, wanted: Shards, tried: Vec<NodeId>) -> BoxFuture<'_, Covered> {
        async move {
            let (plan, nobody) = assign(wanted, &self.candidates(&tried));
            let mut covered = Covered {
                missing: nobody,
                ..Covered::default()
            };
            let parts = plan.into_iter().map(|(node, shards)| {
                let mut tried = tried.clone();
                tried.push(node);
                self.cover_by(node, shards, tried)
            });
            for part in join_all(parts).await {
                covered.add(part);
            }
            covered
        }
        .boxed()
    }

    /// Has shards searched by one node, and by others if it does not answer.
    async fn cover_by(&self, node: NodeId, wanted: Shards, tried: Vec<NodeId>) -> Covered {
        if node == self.node.identity.node {
            // What it waits for, others would wait for, too.
            let part = part::here(self.node, self.session, self.search, wanted).await;
            return self.with_rest(part.map_err(Some), wanted, tried).await;
        }
        let mut asked = pin!(self.ask(node, wanted));
        if let Ok(part) = timeout(HEDGE_AFTER, &mut asked).await {
            return self.with_rest(part, wanted, tried).await;
        }
        match select(asked, self.cover(wanted, tried.clone())).await {
            Either::Left((Ok(part), _)) => self.with_rest(Ok(part), wanted, tried).await,
            Either::Left((Err(why), others)) => {
                let mut covered = others.await;
                covered.because(why);
                covered
            }
            Either::Right((covered, _)) if covered.missing.is_empty() => covered,
            Either::Right((mut covered, asked)) => match asked.await {
                Ok(part) if part.sums.searched == wanted => Covered {
                    parts: vec![part],
                    ..Covered::default()
                },
                Ok(_) => covered,
                Err(why) => {
                    covered.because(why);
                    covered
                }
            },
        }
    }

    /// An answer, and what others say of the shards that it says nothing of.
    async fn with_rest(
        &self,
        part: Result<Part, Option<Problem>>,
        wanted: Shards,
        tried: Vec<NodeId>,
    ) -> Covered {
        let (part, why) = match part {
            Ok(part) => (Some(part), None),
            Err(why) => (None, why),
        };
        let searched = part.as_ref().map(|part| part.sums.searched);
        let rest = wanted - searched.unwrap_or_default();
        let mut covered = if rest.is_empty() {
            Covered::default()
        } else {
            self.cover(rest, tried).await
        };
        covered.because(why);
        covered
            .parts
            .extend(part.filter(|part| !part.sums.searched.is_empty()));
        covered
    }

    /// Asks another node for its part; says why it has none, if that concerns the client.
    async fn ask(&self, node: NodeId, shards: Shards) -> Result<Part, Option<Problem>> {
        let target = format!("/mesh/v1/searches/{}?{}", shards.bits(), self.query);
        let mut asked = Asked::get_for(target, self.headers);
        let left = self.until.saturating_duration_since(Instant::now());
        let answer = self.node.relay.ask_of(node, &mut asked, left).await;
        let answer = answer.map_err(|cause| {
            tracing::debug!(%node, %cause, "a part of a search has no answer");
            None
        })?;
        if !answer.status().is_success() {
            return Err(None);
        }
        let told = to_bytes(answer.into_body(), FRAME_BYTES_MAX).await;
        let told = told.ok().and_then(|told| Told::decode(told).ok());
        let told = told.ok_or(None)?;
        if told.is_behind() {
            let detail = "a node of this region has not come so far as the session";
            let behind = Problem::new(Slug::SessionBehind, detail);
            return Err(Some(behind.retry_after(BEHIND_RETRY)));
        }
        told.into_part(self.search, shards).ok_or(None)
    }

    fn candidates(&self, tried: &[NodeId]) -> Vec<Candidate> {
        if tried.len() >= ATTEMPTS_MAX || self.until <= Instant::now() {
            return Vec::new();
        }
        let here = Candidate {
            node: self.node.identity.node,
            has: self.node.replica.serving(),
            standing: Standing::Here,
            distance: Duration::ZERO,
        };
        let others = self.node.relay.neighbours().map(|(peer, has)| Candidate {
            node: peer.node,
            has,
            standing: if peer.is_reachable() && peer.alive_for.is_some() {
                Standing::Healthy
            } else {
                Standing::Silent
            },
            distance: peer.rtt.unwrap_or(Duration::MAX),
        });
        let all = std::iter::once(here).chain(others);
        all.filter(|one| !tried.contains(&one.node)).collect()
    }
}
