//! `GET /console/data/{part}`: what the page shows, as JSON.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::http::header::{CACHE_CONTROL, HeaderName};
use serde_json::{Value, json};

use super::snapshot::{self, PARTS, Scope};
use crate::api::Id;
use crate::api::problem::{Problem, Slug};
use crate::node::Node;

/// The name of all parts together.
const WHOLE: &str = "snapshot";
/// A snapshot that was taken for those who watch is good for so long.
const FRESH: Duration = Duration::from_millis(1_500);

/// What is asked for, and with what headers it is given.
pub(super) type Answer = ([(HeaderName, &'static str); 1], Json<Value>);

/// One part of a snapshot, or all of it.
pub(super) async fn part(
    State(node): State<Arc<Node>>,
    Id(part): Id<String>,
) -> Result<Answer, Problem> {
    if part != WHOLE && !PARTS.contains(&part.as_str()) {
        let known = PARTS.join(", ");
        return Err(Problem::new(
            Slug::NotFound,
            format!("the console has {WHOLE}, {known}, and listings/ID"),
        ));
    }
    let latest = node.console.live.latest();
    let fresh = latest.filter(|frame| frame.taken.elapsed() < FRESH);
    let whole = match fresh {
        Some(frame) => frame.snapshot.clone(),
        None => snapshot::take(&node, Scope::Cluster).await,
    };
    Ok(unkept(if part == WHOLE {
        whole
    } else {
        json!({"at": whole["at"], "by": whole["by"], "data": whole[part.as_str()]})
    }))
}

/// It is old as soon as it is there.
pub(super) fn unkept(body: Value) -> Answer {
    ([(CACHE_CONTROL, "no-store")], Json(body))
}
