//! `meridian drain`: frees a node of groups, and tells how that goes.

use std::io::Write;
use std::time::Duration;

use anyhow::bail;
use meridian_client::AdminClient;
use serde_json::Value;

use crate::cli::DrainArgs;

/// How often the node is asked how it goes.
const ASK_EVERY: Duration = Duration::from_secs(1);

pub(crate) async fn run(arguments: DrainArgs, out: &mut impl Write) -> anyhow::Result<()> {
    let admin = AdminClient::new(arguments.admin)?;
    let node = arguments.node;
    if arguments.cancel {
        admin.give_up_drain(node.get()).await?;
        writeln!(
            out,
            "node {node} is not drained any more; what was moved stays"
        )?;
        return Ok(());
    }
    admin.drain(node.get()).await?;
    if arguments.no_wait {
        writeln!(out, "node {node} is being drained")?;
        return Ok(());
    }
    let mut told = String::new();
    loop {
        let drains = admin.drains().await?;
        let Some(drain) = of(&drains, node.get()) else {
            bail!("somebody has given up draining node {node}");
        };
        if !drain["done_at"].is_null() {
            writeln!(
                out,
                "node {node} votes on nothing: {} groups moved",
                drain["moved"]
            )?;
            return Ok(());
        }
        let line = match drain["last_error"].as_str() {
            Some(cause) => format!("{} moved, {} left; {cause}", drain["moved"], drain["left"]),
            None => format!("{} moved", drain["moved"]),
        };
        if line != told {
            writeln!(out, "{line}")?;
            told = line;
        }
        tokio::time::sleep(ASK_EVERY).await;
    }
}

fn of(drains: &Value, node: u64) -> Option<&Value> {
    let drains = drains["drains"].as_array()?;
    drains.iter().find(|drain| drain["node"] == node)
}
