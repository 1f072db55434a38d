//! How a new node comes to the map: from any node of the cluster, once.

use std::time::Duration;

use anyhow::{Context, anyhow};
use meridian_client::AdminClient;
use meridian_transport::NodeIdentity;
use serde_json::Value;
use tokio::time::sleep;

use super::{Charted, check_member};
use crate::config::Config;

/// How often a node is asked for the map.
const ASK_EVERY: Duration = Duration::from_secs(1);
/// How often at most: a node that begins anew, or has no quorum yet, gets so many seconds.
const ASKED_MAX: u32 = 60;

/// Fetches the map from the operator API of a node, and writes it into the data folder of a
/// node that has none. One that has it keeps what it has: it hears of later ones.
///
/// # Errors
/// Nobody there, a cluster that keeps no map, or one that does not have this node.
pub(crate) async fn join(config: &Config, url: &str, admin: &AdminClient) -> anyhow::Result<()> {
    let folder = &config.node.data_dir;
    if Charted::read(folder)?.is_some() {
        return Ok(());
    }
    let shown = vouched_for(url, admin).await?;
    let charted = Charted::from_json(&shown)?;
    let identity = NodeIdentity {
        cluster: charted.map.cluster().clone(),
        region: config.node.region.clone(),
        node: config.node.id,
    };
    check_member(&charted.map, config, &identity)?;
    charted.write(folder)
}

/// The map as a quorum of the control group has it, by way of one node.
async fn vouched_for(url: &str, admin: &AdminClient) -> anyhow::Result<Value> {
    let mut asked = 0;
    loop {
        let shown = admin.layout().await;
        let shown = shown.with_context(|| format!("cannot ask {url} for the cluster's map"));
        let cause = match shown {
            Ok(shown) => match shown["stale"].as_str() {
                None => return Ok(shown),
                Some(stale) => anyhow!("{url} cannot vouch for its map: {stale}"),
            },
            Err(cause) => cause,
        };
        asked += 1;
        if asked == ASKED_MAX {
            return Err(cause);
        }
        tracing::info!(
            cause = format!("{cause:#}"),
            "asking again for the cluster's map"
        );
        sleep(ASK_EVERY).await;
    }
}
