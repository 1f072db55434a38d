//! The wall clock of this node, for test clusters: set wrong, and right again (ADR 36).

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use meridian_replication_core::FieldError;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use super::chaos::allowed;
use crate::api::JsonBody;
use crate::api::problem::Problem;
use crate::clock::{OFFSET_MS_MAX, RATE_PPM_MAX, Skew, rfc3339};
use crate::node::Node;

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(extend("anyOf" = [{"required": ["offset_ms"]}, {"required": ["rate_ppm"]}]))]
pub(crate) struct Wrong {
    /// Milliseconds ahead, from now on; less than 0 is behind.
    #[schemars(extend("minimum" = -OFFSET_MS_MAX, "maximum" = OFFSET_MS_MAX))]
    offset_ms: Option<i64>,
    /// Millionths faster, from now on; less than 0 is slower.
    #[schemars(extend("minimum" = -RATE_PPM_MAX, "maximum" = RATE_PPM_MAX))]
    rate_ppm: Option<i64>,
}

/// `GET /admin/v1/chaos/clock`: what the clock shows, and how wrong that is.
pub(crate) async fn show(State(node): State<Arc<Node>>) -> Result<Json<Value>, Problem> {
    allowed(&node, "clocks that can be set")?;
    Ok(Json(shown(&node)))
}

/// `PUT /admin/v1/chaos/clock`: makes it so wrong, whatever it was before. It is right again
/// once the node is started again.
pub(crate) async fn set(
    State(node): State<Arc<Node>>,
    body: JsonBody<Wrong>,
) -> Result<Json<Value>, Problem> {
    allowed(&node, "clocks that can be set")?;
    let (offset_ms, rate_ppm) = body.value.checked()?;
    tracing::warn!(offset_ms, rate_ppm, "the clock of this node is set wrong");
    node.clock.set(Skew::new(offset_ms, rate_ppm));
    Ok(Json(shown(&node)))
}

/// `DELETE /admin/v1/chaos/clock`: sets it right.
pub(crate) async fn set_right(State(node): State<Arc<Node>>) -> Result<Json<Value>, Problem> {
    allowed(&node, "clocks that can be set")?;
    tracing::warn!("the clock of this node is set right");
    node.clock.set(Skew::new(0, 0));
    Ok(Json(shown(&node)))
}

impl Wrong {
    /// Offset and rate within their bounds; what is left out is right.
    fn checked(&self) -> Result<(i64, i64), Problem> {
        if self.offset_ms.is_none() && self.rate_ppm.is_none() {
            let detail = "say offset_ms, rate_ppm or both; DELETE sets the clock right";
            return Err(Problem::field("", detail));
        }
        let (offset_ms, rate_ppm) = (
            self.offset_ms.unwrap_or_default(),
            self.rate_ppm.unwrap_or_default(),
        );
        let bounds = [
            ("/offset_ms", offset_ms, OFFSET_MS_MAX, "milliseconds"),
            ("/rate_ppm", rate_ppm, RATE_PPM_MAX, "millionths"),
        ];
        let beyond = bounds
            .into_iter()
            .filter(|(_, given, most, _)| !(-most..=*most).contains(given));
        let errors: Vec<FieldError> = beyond
            .map(|(pointer, given, most, unit)| {
                let detail = format!("{unit} from -{most} to {most}, not {given}");
                FieldError::new(pointer, detail)
            })
            .collect();
        if errors.is_empty() {
            Ok((offset_ms, rate_ppm))
        } else {
            Err(Problem::fields(errors))
        }
    }
}

fn shown(node: &Node) -> Value {
    let skew = node.clock.skew();
    json!({
        "shows": rfc3339(node.clock.now().as_millis()),
        "offset_ms": skew.map_or(0, Skew::ahead_ms),
        "rate_ppm": skew.map_or(0, Skew::rate_ppm),
    })
}

#[cfg(test)]
mod tests;
