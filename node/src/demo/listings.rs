//! The demo's listings: files that the user names, or a small set of our own.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, bail};
use indicatif::MultiProgress;
use meridian_chaos::{LocalCluster, until};
use meridian_regions::RegionId;

use super::screen::Screen;
use crate::import::command::{FileSummary, Target, import, progress_bar, report};

/// Our own listings, one file for each region of the demo.
const OWN: [(&str, &[u8]); 3] = [
    ("us-east", include_bytes!("../../demo/us-east.csv")),
    ("eu-west", include_bytes!("../../demo/eu-west.csv")),
    (
        "ap-southeast",
        include_bytes!("../../demo/ap-southeast.csv"),
    ),
];
/// How long replication of an import may take.
const EVERYWHERE_PATIENCE: Duration = Duration::from_secs(120);

/// Listings for one region.
pub(crate) struct Source {
    region: RegionId,
    name: PathBuf,
    text: Vec<u8>,
}

impl Source {
    /// Reads what the user named as `REGION=FILE.csv`; our own set if nothing.
    pub(crate) fn parse(arguments: &[String]) -> anyhow::Result<Vec<Self>> {
        if arguments.is_empty() {
            let own = OWN.iter().map(|(region, text)| {
                Ok(Self {
                    region: region.parse()?,
                    name: PathBuf::from(format!("our own listings of {region}")),
                    text: text.to_vec(),
                })
            });
            return own.collect();
        }
        arguments
            .iter()
            .map(|argument| Self::read(argument))
            .collect()
    }

    fn read(argument: &str) -> anyhow::Result<Self> {
        let Some((region, file)) = argument.split_once('=') else {
            bail!("--listings {argument}: write it as REGION=FILE.csv, as in us-east=rooms.csv");
        };
        let region: RegionId = region.parse()?;
        if !OWN.iter().any(|(known, _)| *known == region.as_str()) {
            bail!("--listings {argument}: the demo has us-east, eu-west and ap-southeast");
        }
        Ok(Self {
            region,
            name: PathBuf::from(file),
            text: std::fs::read(file).with_context(|| format!("cannot read {file}"))?,
        })
    }
}

/// Imports every source into its region, all at once; answers the ids by region.
pub(crate) async fn import_all(
    cluster: &LocalCluster,
    sources: &[Source],
    screen: &Screen,
) -> anyhow::Result<BTreeMap<String, Vec<String>>> {
    let bars = MultiProgress::new();
    let imports = sources.iter().map(|source| {
        let bar = bars.add(progress_bar(source.region.as_str()));
        async move {
            let node = cluster
                .node_in(source.region.as_str())
                .with_context(|| format!("no node in {}", source.region))?;
            let admin = cluster.admin(node.id)?;
            let target = Target {
                admin: &admin,
                region: source.region.clone(),
                currency: currency(source.region.as_str()),
            };
            let summary = import(&source.text, &target, &bar)
                .await
                .with_context(|| source.name.display().to_string())?;
            bar.finish_and_clear();
            anyhow::Ok((source, summary))
        }
    });
    let mut loaded: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for done in futures::future::join_all(imports).await {
        let (source, summary): (&Source, FileSummary) = done?;
        screen.write(|out| report(&summary, &source.name, out));
        loaded
            .entry(source.region.to_string())
            .or_default()
            .extend(summary.ids);
    }
    Ok(loaded)
}

/// Waits until every node has all of them.
pub(crate) async fn await_everywhere(cluster: &LocalCluster, total: usize) -> anyhow::Result<()> {
    for node in cluster.nodes() {
        let admin = cluster.admin(node.id)?;
        let what = format!("{total} listings in {}", node.region);
        until(EVERYWHERE_PATIENCE, what, async || {
            let status = admin.status().await.ok()?;
            let listings = usize::try_from(status["listings"].as_u64()?).ok()?;
            (listings >= total).then_some(())
        })
        .await?;
    }
    Ok(())
}

/// What people pay with there, for files that do not say.
fn currency(region: &str) -> &'static str {
    match region {
        "eu-west" => "EUR",
        "ap-southeast" => "AUD",
        _ => "USD",
    }
}
