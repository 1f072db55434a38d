//! What a node was asked to move groups for, and how far it has come.

use std::time::Duration;

use meridian_client::{AdminClient, CallError};
use serde_json::Value;

use super::error::FaultError;
use super::scene::Scene;
use crate::until::Looks;

/// How long a node may take until it takes a wish back: it may be starting.
const GIVE_UP_PATIENCE: Duration = Duration::from_secs(15);

/// A wish that a node was asked to fulfil.
pub(super) trait Wish: Sync {
    /// Who was asked.
    fn asked(&self) -> u64;
    /// All wishes of this kind that the node knows.
    fn all(&self, admin: &AdminClient) -> impl Future<Output = Result<Value, CallError>> + Send;
    /// Whether this is the one.
    fn is_it(&self, wish: &Value) -> bool;
    /// Takes it back.
    fn give_up(&self, admin: &AdminClient) -> impl Future<Output = Result<(), CallError>> + Send;
}

/// How far it has come, once a group was moved for it, or all had been where they are to be.
pub(super) async fn moved(wish: &impl Wish, scene: &Scene) -> Option<String> {
    let admin = scene.cluster.admin(wish.asked()).ok()?;
    let all = super::asked(wish.all(&admin)).await.ok()?;
    let found = all.as_array()?.iter().find(|known| wish.is_it(known))?;
    let (moved, done) = (found["moved"].as_u64()?, !found["done_at"].is_null());
    let asked = wish.asked();
    (moved > 0 || done).then(|| format!("groups moved, as node {asked} says: {moved}"))
}

/// Takes it back.
pub(super) async fn give_up(wish: &impl Wish, scene: &Scene) -> Result<(), FaultError> {
    let admin = scene.cluster.admin(wish.asked())?;
    let mut looks = Looks::new(GIVE_UP_PATIENCE, "a wish taken back");
    loop {
        let given_up = wish.give_up(&admin).await;
        if given_up.is_ok() || looks.next().await.is_err() {
            return said("giving up a wish", given_up);
        }
    }
}

/// What a node was told, or why it was not.
pub(super) fn said<T>(what: &str, answer: Result<T, CallError>) -> Result<(), FaultError> {
    answer.map(drop).map_err(|cause| failed(what, cause))
}

/// What was asked for, and why it was not done.
pub(super) fn failed(what: &str, cause: CallError) -> FaultError {
    FaultError::Call {
        what: what.to_owned(),
        cause,
    }
}
