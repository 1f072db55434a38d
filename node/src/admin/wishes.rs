//! What groups are moved for on a node, as operators see it.

use meridian_consensus::{Aim, Wish};
use serde_json::{Value, json};

use crate::api::problem::{Problem, Slug};
use crate::clock::rfc3339;
use crate::moves::Progress;
use crate::node::Node;

/// Every drain.
pub(crate) fn drains(node: &Node) -> Result<Vec<Value>, Problem> {
    all(node, |aim| matches!(aim, Aim::Drain(_)))
}

/// Every rebalance, those that are over included.
pub(crate) fn rebalances(node: &Node) -> Result<Vec<Value>, Problem> {
    all(node, |aim| matches!(aim, Aim::Rebalance(_)))
}

/// A wish that has just been accepted.
pub(super) async fn accept(node: &Node, aim: Aim) -> Result<Value, Problem> {
    let wish = node.mover.wish(aim).await.map_err(failed)?;
    let progress = Progress {
        walking: true,
        ..Progress::default()
    };
    Ok(shown(&wish, &progress))
}

pub(super) async fn give_up(node: &Node, aim: &Aim) -> Result<(), Problem> {
    node.mover.give_up(aim).await.map_err(failed)
}

fn all(node: &Node, which: impl Fn(&Aim) -> bool) -> Result<Vec<Value>, Problem> {
    let wishes = node.mover.wishes().map_err(failed)?;
    let wishes = wishes.iter().filter(|(wish, _)| which(&wish.aim));
    Ok(wishes
        .map(|(wish, progress)| shown(wish, progress))
        .collect())
}

fn shown(wish: &Wish, progress: &Progress) -> Value {
    let mut shown = json!({
        "began_at": rfc3339(wish.began_ms),
        "moved": wish.moved,
        "left": progress.left,
        "walking": progress.walking,
        "done_at": wish.done_ms.map(rfc3339),
        "last_error": progress.last_error,
    });
    match &wish.aim {
        Aim::Drain(node) => shown["node"] = json!(node),
        // Null is all of them.
        Aim::Rebalance(region) => shown["region"] = json!(region),
    }
    shown
}

fn failed(cause: meridian_storage::StorageError) -> Problem {
    Problem::new(Slug::Internal, cause.to_string())
}
