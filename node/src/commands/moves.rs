//! `meridian drain` and `meridian rebalance`: has a node move groups, and tells how that
//! goes.

use std::io::Write;
use std::time::Duration;

use anyhow::bail;
use meridian_client::{AdminClient, CallError};
use serde_json::{Value, json};

use crate::cli::{DrainArgs, RebalanceArgs};

/// How often the node is asked how it goes.
const ASK_EVERY: Duration = Duration::from_secs(1);

pub(crate) async fn drain(arguments: DrainArgs, out: &mut impl Write) -> anyhow::Result<()> {
    let admin = AdminClient::new(arguments.wish.admin)?;
    let node = arguments.node;
    if arguments.wish.cancel {
        admin.give_up_drain(node.get()).await?;
        let told = format!("node {node} is not drained any more; what was moved stays");
        writeln!(out, "{told}")?;
        return Ok(());
    }
    admin.drain(node.get()).await?;
    if arguments.wish.no_wait {
        writeln!(out, "node {node} is being drained")?;
        return Ok(());
    }
    let look = async || -> Result<Option<Value>, CallError> {
        let drains = admin.drains().await?;
        Ok(find(&drains["drains"], "node", &json!(node)))
    };
    let Some(moved) = follow(look, out).await? else {
        bail!("somebody has given up draining node {node}");
    };
    writeln!(out, "node {node} votes on nothing: {moved} groups moved")?;
    Ok(())
}

pub(crate) async fn rebalance(
    arguments: RebalanceArgs,
    out: &mut impl Write,
) -> anyhow::Result<()> {
    let admin = AdminClient::new(arguments.wish.admin)?;
    let region = arguments.region.as_ref().map(|region| region.as_str());
    let what = region.unwrap_or("the cluster");
    if arguments.wish.cancel {
        admin.give_up_rebalance(region).await?;
        let told = format!("{what} is not balanced any more; what was moved stays");
        writeln!(out, "{told}")?;
        return Ok(());
    }
    admin.rebalance(region).await?;
    if arguments.wish.no_wait {
        writeln!(out, "{what} is being balanced")?;
        return Ok(());
    }
    let look = async || -> Result<Option<Value>, CallError> {
        let rebalances = admin.rebalances().await?;
        Ok(find(&rebalances["rebalances"], "region", &json!(region)))
    };
    let Some(moved) = follow(look, out).await? else {
        bail!("somebody has given up balancing {what}");
    };
    writeln!(out, "{what} is balanced: {moved} groups moved")?;
    Ok(())
}

/// Tells how it goes with a wish until it is done; answers how many groups were moved, or
/// `None` if it was given up.
async fn follow(
    look: impl AsyncFn() -> Result<Option<Value>, CallError>,
    out: &mut impl Write,
) -> anyhow::Result<Option<Value>> {
    let mut told = String::new();
    loop {
        let Some(wish) = look().await? else {
            return Ok(None);
        };
        if !wish["done_at"].is_null() {
            return Ok(Some(wish["moved"].clone()));
        }
        let line = match wish["last_error"].as_str() {
            Some(cause) => format!("{} moved, {} left; {cause}", wish["moved"], wish["left"]),
            None => format!("{} moved", wish["moved"]),
        };
        if line != told {
            writeln!(out, "{line}")?;
            told = line;
        }
        tokio::time::sleep(ASK_EVERY).await;
    }
}

fn find(wishes: &Value, key: &str, value: &Value) -> Option<Value> {
    let wishes = wishes.as_array()?;
    wishes.iter().find(|wish| wish[key] == *value).cloned()
}
