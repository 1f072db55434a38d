//! How fresh a search is asked to be, honoured at each index that has a part in it.

use std::time::Duration;

use tokio::time::Instant;

use crate::api::consistency::Consistency;
use crate::api::problem::{Problem, Slug};
use crate::api::session::{BEHIND_RETRY, Session};
use crate::node::Node;

/// Between two looks at how far the index has come.
const BEHIND_POLL: Duration = Duration::from_millis(20);

/// Waits until this node's index is as fresh as the request asks; answers whether it is. A
/// session is never answered with less, a bound is, and the answer says so.
pub(in crate::api) async fn catch_up(node: &Node, session: &Session) -> Result<bool, Problem> {
    let patience = Duration::from_millis(node.config.listings.read_wait_ms_max);
    let until = session.deadline().min(Instant::now() + patience);
    let left = || until.saturating_duration_since(Instant::now());
    match session.level() {
        Consistency::Session => {
            if node.search.catch_up(left()).await {
                return Ok(true);
            }
            let detail = "this region's search index has not come so far as the session: search again after the pause, or in another region";
            Err(Problem::new(Slug::SessionBehind, detail).retry_after(BEHIND_RETRY))
        }
        Consistency::Bounded { staleness_ms_max } => {
            let bound = Duration::from_millis(staleness_ms_max);
            let is_fresh = || {
                let as_of = node.search.indexed().as_of;
                as_of.is_some_and(|as_of| node.replica.now().saturating_since(as_of) <= bound)
            };
            while !is_fresh() {
                if left().is_zero() || !node.search.catch_up(left()).await {
                    return Ok(false);
                }
                if !is_fresh() {
                    if !node.replica.may_freshen(bound) {
                        return Ok(false);
                    }
                    // Other regions have to be heard of first.
                    tokio::time::sleep(BEHIND_POLL).await;
                }
            }
            Ok(true)
        }
        Consistency::Eventual | Consistency::Linearizable => Ok(true),
    }
}
