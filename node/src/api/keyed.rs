//! Commands on their way to a listing's group, with the key that makes them safe to
//! repeat.

use meridian_consensus_core::{Applied, Command, Idempotency, Op};
use meridian_regions::ListingId;
use serde_json::{Value, json};

use super::body::IdempotencyKey;
use super::outcome::unanswered;
use super::problem::Problem;
use crate::auth::Who;
use crate::booking::Errand;
use crate::node::Node;

/// A request with its key, which is the caller's own, and bound to the operation, the listing
/// and the body.
pub(crate) struct Keyed {
    idempotency: Idempotency,
}

impl Keyed {
    pub(crate) fn new(
        operation: &str,
        id: &ListingId,
        body: &[u8],
        key: IdempotencyKey,
        who: &Who,
    ) -> Result<Self, Problem> {
        // Parsed and written again: spaces and the order of keys do not matter.
        let body: Value = super::body::parse(body)?;
        let text = json!([operation, id, body]).to_string();
        Ok(Self {
            idempotency: Idempotency {
                caller: who.subject().to_owned(),
                key: key.0,
                payload_hash: blake3::hash(text.as_bytes()).as_bytes().to_vec(),
            },
        })
    }

    pub(crate) fn command(&self, op: Op) -> Command {
        Command::new(op, Some(self.idempotency.clone()))
    }

    /// Proposes the operation. Where there is none, because the listing does not allow
    /// it any more, an earlier request with the same key still has its answer.
    pub(crate) async fn propose(
        &self,
        node: &Node,
        errand: Errand<'_>,
        op: Result<Op, Problem>,
    ) -> Result<Applied, Problem> {
        match op {
            Ok(op) => node
                .bookings
                .propose(errand, self.command(op))
                .await
                .map_err(unanswered),
            Err(refusal) => self.recall(node, errand, refusal).await,
        }
    }

    /// The first answer to this key; the refusal if the ledger has never seen it.
    pub(crate) async fn recall(
        &self,
        node: &Node,
        errand: Errand<'_>,
        refusal: Problem,
    ) -> Result<Applied, Problem> {
        let ledger = node.bookings.read(errand).await;
        let ledger = ledger.map_err(unanswered)?;
        ledger.recall(&self.idempotency).ok_or(refusal)
    }
}

/// Proposes what may be repeated without a key: its second time changes nothing.
pub(crate) async fn repeatable(
    node: &Node,
    errand: Errand<'_>,
    op: Op,
) -> Result<Applied, Problem> {
    node.bookings
        .propose(errand, Command::new(op, None))
        .await
        .map_err(unanswered)
}
