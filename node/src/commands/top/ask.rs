//! One look at a cluster: one node for its verdict, every node for its counts.

use std::time::{Duration, Instant};

use futures::future::join_all;
use meridian_client::AdminClient;
use serde_json::Value;
use tokio::time::timeout;

use super::model::{Counts, NodeSample, Sample};
use crate::cli::AdminArgs;
use crate::commands::value::{list, text};

/// Time for one node's answer: a look must not hold up the next.
const PATIENCE: Duration = Duration::from_secs(2);
/// Longest metrics that are read.
const METRICS_BYTES_MAX: usize = 4 * 1024 * 1024;

/// Whoever asks.
pub(super) struct Asker {
    admin: AdminClient,
    url: String,
}

impl Asker {
    pub(super) fn new(to: &AdminArgs) -> anyhow::Result<Self> {
        Ok(Self {
            admin: to.client()?,
            url: to.admin.clone(),
        })
    }

    pub(super) fn url(&self) -> &str {
        &self.url
    }

    /// Looks once. What is not answered is missing in it.
    pub(super) async fn look(&self) -> Sample {
        let status = timeout(PATIENCE, self.admin.status());
        let nodes = timeout(PATIENCE, self.admin.nodes());
        let (status, nodes) = futures::future::join(status, nodes).await;
        let at = Instant::now();
        let late = || format!("no answer within {} s", PATIENCE.as_secs());
        let (status, nodes) = match (status, nodes) {
            (Ok(Ok(status)), Ok(Ok(nodes))) => (status, nodes),
            (Ok(Err(cause)), _) | (_, Ok(Err(cause))) => {
                return Sample::failed(at, cause.to_string());
            }
            _ => return Sample::failed(at, late()),
        };
        let asked = list(&nodes["data"]).map(|node| self.node(node, &nodes["seen_by"]));
        Sample {
            at,
            error: None,
            status,
            nodes: join_all(asked).await,
        }
    }

    async fn node(&self, node: &Value, asked: &Value) -> NodeSample {
        let counts = if node["node"] == *asked {
            counts(&self.admin).await
        } else {
            counts(&self.admin.at(text(&node["admin"]))).await
        };
        NodeSample {
            known: node.clone(),
            counts,
        }
    }
}

async fn counts(admin: &AdminClient) -> Option<Counts> {
    let asked = timeout(PATIENCE, admin.raw("/metrics", METRICS_BYTES_MAX)).await;
    let (bytes, _) = asked.ok()?.ok()?;
    Some(Counts::read(&String::from_utf8_lossy(&bytes)))
}
