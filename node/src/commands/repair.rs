//! `meridian repair`: has a node compare its listings with everybody's, and tells how that
//! goes.

use std::io::Write;
use std::time::Duration;

use anyhow::bail;
use serde_json::Value;

use crate::cli::RepairArgs;

/// How often the node is asked how it goes.
const ASK_EVERY: Duration = Duration::from_millis(500);

pub(crate) async fn run(arguments: RepairArgs, out: &mut impl Write) -> anyhow::Result<()> {
    let admin = arguments.credentials.admin(arguments.admin)?;
    let asked = admin.repair(arguments.shard).await?;
    let number = &asked["round"];
    if arguments.no_wait {
        writeln!(out, "round {number} waits for its turn")?;
        return Ok(());
    }
    let mut told = String::new();
    loop {
        let repairs = admin.repairs().await?;
        let rounds = repairs["repairs"].as_array();
        let round = rounds.and_then(|rounds| rounds.iter().find(|round| round["round"] == *number));
        let Some(round) = round else {
            bail!("the node does not know round {number} any more: it was restarted; ask again");
        };
        let line = described(round);
        if line != told {
            writeln!(out, "{line}")?;
            told = line;
        }
        match round["state"].as_str() {
            Some("done") => return Ok(()),
            Some("incomplete") => bail!(
                "something is left: {}",
                round["last_error"]
                    .as_str()
                    .unwrap_or("the node does not say what")
            ),
            _ => tokio::time::sleep(ASK_EVERY).await,
        }
    }
}

fn described(round: &Value) -> String {
    format!(
        "{}: {} of {} nodes, {} of {} shards compared, {} bytes; {} differing, {} mended, {} refused",
        round["state"].as_str().unwrap_or("unknown"),
        round["peers_done"],
        round["peers"],
        round["shards_done"],
        round["shards"],
        round["bytes"],
        round["differing"],
        round["mended"],
        round["refused"],
    )
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::described;

    #[test]
    fn progress_is_one_line() {
        let round = json!({
            "state": "running", "peers_done": 1, "peers": 2, "shards_done": 70, "shards": 128,
            "bytes": 4096, "differing": 3, "mended": 2, "refused": 0,
        });
        assert_eq!(
            described(&round),
            "running: 1 of 2 nodes, 70 of 128 shards compared, 4096 bytes; 3 differing, 2 mended, 0 refused"
        );
    }
}
