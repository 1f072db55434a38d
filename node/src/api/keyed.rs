//! Commands on their way to a listing's group, with the key that makes them safe to
//! repeat.

use std::time::Duration;

use meridian_consensus_core::{Applied, Command, Idempotency, Op};
use meridian_regions::{Genesis, ListingId};
use serde_json::{Value, json};
use tokio::time::Instant;

use super::body::IdempotencyKey;
use super::outcome::unanswered;
use super::problem::Problem;
use crate::node::Node;

/// Whose a request is while nobody has to prove who they are.
const CALLER_ANONYMOUS: &str = "anonymous";

/// What a key is bound to: the operation, the listing and the body.
pub(crate) struct Keyed {
    hash: Vec<u8>,
}

impl Keyed {
    pub(crate) fn new(operation: &str, id: &ListingId, body: &[u8]) -> Result<Self, Problem> {
        // Parsed and written again: spaces and the order of keys do not matter.
        let body: Value = super::body::parse(body)?;
        let text = json!([operation, id, body]).to_string();
        Ok(Self {
            hash: blake3::hash(text.as_bytes()).as_bytes().to_vec(),
        })
    }

    pub(crate) fn command(&self, op: Op, key: &IdempotencyKey) -> Command {
        let idempotency = Idempotency {
            caller: CALLER_ANONYMOUS.to_owned(),
            key: key.0.clone(),
            payload_hash: self.hash.clone(),
        };
        Command::new(op, Some(idempotency))
    }

    pub(crate) async fn propose(
        &self,
        node: &Node,
        genesis: &Genesis,
        op: Op,
        key: &IdempotencyKey,
    ) -> Result<Applied, Problem> {
        let deadline = Instant::now() + node.config.booking_deadline();
        node.bookings
            .propose(genesis, self.command(op, key), deadline)
            .await
            .map_err(unanswered)
    }
}

/// Proposes what may be repeated without a key: its second time changes nothing.
pub(crate) async fn repeatable(node: &Node, genesis: &Genesis, op: Op) -> Result<Applied, Problem> {
    let deadline: Duration = node.config.booking_deadline();
    node.bookings
        .propose(genesis, Command::new(op, None), Instant::now() + deadline)
        .await
        .map_err(unanswered)
}
