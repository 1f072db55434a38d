//! What only nodes of a test cluster let themselves be done.

use crate::api::problem::{Problem, Slug};
use crate::node::Node;

/// Lets nobody in who asks a node for this that was not started for it: it says that there
/// is nothing here.
pub(super) fn allowed(node: &Node, what: &str) -> Result<(), Problem> {
    if node.config.chaos.enabled {
        return Ok(());
    }
    let detail = format!("{what} are off: this node was not started with chaos.enabled");
    Err(Problem::new(Slug::NotFound, detail))
}
