//! `meridian drain` and `meridian rebalance`: has a node move groups, and tells how that
//! goes.

use std::io::Write;
use std::time::Duration;

use anyhow::bail;
use meridian_client::{AdminClient, CallError};
use meridian_regions::{NodeId, RegionId};
use serde_json::{Value, json};

use crate::cli::{DrainArgs, RebalanceArgs, WishArgs};

/// How often the node is asked how it goes.
const ASK_EVERY: Duration = Duration::from_secs(1);

/// What a node is asked to do.
enum Task {
    Drain(NodeId),
    Rebalance(Option<RegionId>),
}

pub(crate) async fn drain(arguments: DrainArgs, out: &mut impl Write) -> anyhow::Result<()> {
    run(&Task::Drain(arguments.node), arguments.wish, out).await
}

pub(crate) async fn rebalance(
    arguments: RebalanceArgs,
    out: &mut impl Write,
) -> anyhow::Result<()> {
    run(&Task::Rebalance(arguments.region), arguments.wish, out).await
}

async fn run(task: &Task, wish: WishArgs, out: &mut impl Write) -> anyhow::Result<()> {
    let admin = wish.credentials.admin(wish.admin)?;
    let what = task.subject();
    if wish.cancel {
        task.give_up(&admin).await?;
        let participle = task.participle();
        writeln!(
            out,
            "{what} is not {participle} any more; what was moved stays"
        )?;
        return Ok(());
    }
    task.begin(&admin).await?;
    if wish.no_wait {
        writeln!(out, "{what} is being {}", task.participle())?;
        return Ok(());
    }
    let Some(moved) = follow(async || task.look(&admin).await, out).await? else {
        bail!(
            "somebody has given it up: {what} is not {}",
            task.participle()
        );
    };
    writeln!(out, "{what} {}: {moved} groups moved", task.achieved())?;
    Ok(())
}

impl Task {
    fn subject(&self) -> String {
        match self {
            Self::Drain(node) => format!("node {node}"),
            Self::Rebalance(Some(region)) => region.to_string(),
            Self::Rebalance(None) => "the cluster".to_owned(),
        }
    }

    const fn participle(&self) -> &'static str {
        match self {
            Self::Drain(_) => "drained",
            Self::Rebalance(_) => "balanced",
        }
    }

    const fn achieved(&self) -> &'static str {
        match self {
            Self::Drain(_) => "votes on nothing",
            Self::Rebalance(_) => "is balanced",
        }
    }

    async fn begin(&self, admin: &AdminClient) -> Result<Value, CallError> {
        match self {
            Self::Drain(node) => admin.drain(node.get()).await,
            Self::Rebalance(region) => admin.rebalance(name(region.as_ref())).await,
        }
    }

    async fn give_up(&self, admin: &AdminClient) -> Result<(), CallError> {
        match self {
            Self::Drain(node) => admin.give_up_drain(node.get()).await,
            Self::Rebalance(region) => admin.give_up_rebalance(name(region.as_ref())).await,
        }
    }

    /// How it goes; `None` if nobody wishes for it any more.
    async fn look(&self, admin: &AdminClient) -> Result<Option<Value>, CallError> {
        Ok(match self {
            Self::Drain(node) => find(&admin.drains().await?["drains"], "node", &json!(node)),
            Self::Rebalance(region) => {
                let all = admin.rebalances().await?;
                find(&all["rebalances"], "region", &json!(name(region.as_ref())))
            }
        })
    }
}

fn name(region: Option<&RegionId>) -> Option<&str> {
    region.map(RegionId::as_str)
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
