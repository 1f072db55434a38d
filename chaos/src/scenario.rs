//! What is run: a cluster, clients, faults and bounds, from a TOML file.
//!
//! Those that are shipped stand in `chaos/scenarios/`, and are in the program.

use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::fault::FaultSpec;
use crate::layout::WanPlan;
use crate::load::Workload;
use crate::record::Bounds;

/// Regions of every cluster that a scenario starts.
const REGIONS: [&str; 3] = ["us-east", "eu-west", "ap-southeast"];
/// Most nodes of a region.
const NODES_PER_REGION_MAX: u64 = 3;
/// Longest run.
const SECONDS_MAX: f64 = 3_600.0;

macro_rules! shipped {
    ($($name:literal),* $(,)?) => {
        /// Names of the scenarios in the program, and their files.
        const SHIPPED: &[(&str, &str)] = &[
            $(($name, include_str!(concat!("../scenarios/", $name, ".toml")))),*
        ];
    };
}

shipped!(
    "asymmetric-cut-of-leader",
    "black-friday",
    "bridge",
    "calm",
    "carrier-loss",
    "clock-ahead",
    "clock-far-ahead",
    "crash-during-partition",
    "crash-loop",
    "disk-full",
    "drain-during-partition",
    "emptied-node",
    "expired-certificate",
    "flapping-link",
    "frozen-leader",
    "growing",
    "lossy-ocean",
    "majority-ring",
    "minority-alone",
    "mtu-black-hole",
    "new-certificates",
    "power-cut-everywhere",
    "region-loss",
    "restless-leaders",
    "rolling-restart-under-load",
    "shrinking",
    "slow-link",
    "slow-node",
    "split-three-ways",
);

/// Why there is no such scenario.
#[derive(Debug, thiserror::Error)]
pub enum ScenarioError {
    /// Neither a shipped one nor a file.
    #[error(
        "there is no scenario `{0}`: `meridian chaos scenarios` lists those that are shipped, and a file is named by a path that ends in .toml"
    )]
    Unknown(String),
    /// The file cannot be read.
    #[error("{path}: {cause}")]
    File {
        /// The file.
        path: PathBuf,
        /// What the system says.
        cause: std::io::Error,
    },
    /// What stands in it makes no sense.
    #[error("{name}: {what}")]
    Wrong {
        /// Its name.
        name: String,
        /// What is wrong, and where.
        what: String,
    },
}

/// What is run.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scenario {
    /// Its name: that of its file.
    #[serde(skip)]
    pub name: String,
    /// What it shows, in a sentence.
    pub about: String,
    /// The cluster.
    #[serde(default)]
    pub cluster: ClusterSpec,
    /// How long, and on what.
    #[serde(default)]
    pub run: RunSpec,
    /// Clients.
    #[serde(rename = "workload")]
    pub workloads: Vec<Workload>,
    /// What is broken.
    #[serde(rename = "fault", default)]
    pub faults: Vec<FaultSpec>,
    /// How soon promises with a time in them have to come true.
    #[serde(default)]
    pub bounds: Bounds,
}

/// The cluster that a scenario starts: three regions.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ClusterSpec {
    /// Nodes of each region, from 1 to 3.
    pub nodes_per_region: u64,
    /// Round trips are those of Virginia, Dublin and Sydney, divided by this.
    pub nearer_by: u32,
    /// `section.key=value`, laid over the configuration of every node.
    pub settings: Vec<String>,
    /// Numbers of nodes that begin as joining ones: they replicate, and are given no voters.
    pub joining: Vec<u64>,
}

impl Default for ClusterSpec {
    fn default() -> Self {
        Self {
            nodes_per_region: 1,
            nearer_by: 4,
            settings: Vec::new(),
            joining: Vec::new(),
        }
    }
}

/// How long a run lasts, and on what.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RunSpec {
    /// Seconds before the first fault may strike: faults count from then on.
    pub calm_s: f64,
    /// Seconds in which faults strike.
    pub chaos_s: f64,
    /// Seconds of use after everything was mended.
    pub after_s: f64,
    /// Listings of each region that are booked.
    pub booked: u32,
    /// Listings of each region that are edited.
    pub edited: u32,
    /// Nights on offer: few of them are hot.
    pub nights: u16,
}

impl Default for RunSpec {
    fn default() -> Self {
        Self {
            calm_s: 3.0,
            chaos_s: 20.0,
            after_s: 5.0,
            booked: 2,
            edited: 2,
            nights: 120,
        }
    }
}

impl Scenario {
    /// Names and sentences of those that are shipped.
    ///
    /// # Errors
    /// [`ScenarioError::Wrong`], which a test excludes.
    pub fn shipped() -> Result<Vec<Self>, ScenarioError> {
        SHIPPED
            .iter()
            .map(|(name, text)| Self::read(name, text))
            .collect()
    }

    /// A shipped one by its name, or that of a file by a path that ends in `.toml`.
    ///
    /// # Errors
    /// [`ScenarioError`].
    pub fn open(name: &str) -> Result<Self, ScenarioError> {
        let path = Path::new(name);
        if path.extension().is_some_and(|ending| ending == "toml") {
            let text = std::fs::read_to_string(path).map_err(|cause| ScenarioError::File {
                path: path.to_owned(),
                cause,
            })?;
            return Self::read(name, &text);
        }
        let shipped = SHIPPED.iter().find(|(known, _)| *known == name);
        let (_, text) = shipped.ok_or_else(|| ScenarioError::Unknown(name.to_owned()))?;
        Self::read(name, text)
    }

    fn read(name: &str, text: &str) -> Result<Self, ScenarioError> {
        let wrong = |what: String| ScenarioError::Wrong {
            name: name.to_owned(),
            what,
        };
        // Says the line, and shows it.
        let mut scenario: Self = toml::from_str(text).map_err(|cause| wrong(cause.to_string()))?;
        name.clone_into(&mut scenario.name);
        scenario.check().map_err(wrong)?;
        Ok(scenario)
    }

    fn check(&self) -> Result<(), String> {
        let nodes = self.cluster.nodes_per_region;
        if !(1..=NODES_PER_REGION_MAX).contains(&nodes) {
            return Err(format!(
                "cluster.nodes_per_region: from 1 to {NODES_PER_REGION_MAX}, not {nodes}"
            ));
        }
        let known = self.plan(0).nodes;
        let mut joining = self.cluster.joining.iter();
        if let Some(unknown) = joining.find(|one| known.iter().all(|node| node.id != **one)) {
            return Err(format!(
                "cluster.joining: there is no node {unknown}, its nodes are 1 to {}",
                known.len()
            ));
        }
        let RunSpec {
            calm_s,
            chaos_s,
            after_s,
            booked,
            edited,
            nights,
        } = self.run;
        for (key, seconds) in [
            ("calm_s", calm_s),
            ("chaos_s", chaos_s),
            ("after_s", after_s),
        ] {
            if !(0.0..=SECONDS_MAX).contains(&seconds) {
                return Err(format!("run.{key}: from 0 to {SECONDS_MAX}, not {seconds}"));
            }
        }
        if booked == 0 || edited == 0 || nights == 0 {
            return Err("run.booked, run.edited and run.nights: at least 1".to_owned());
        }
        if self.workloads.iter().all(|workload| workload.clients == 0) {
            return Err("there are no clients: give a [[workload]] some".to_owned());
        }
        if let Some(late) = self.faults.iter().find(|fault| fault.at_s > chaos_s) {
            return Err(format!(
                "fault {}: at_s = {} is after run.chaos_s = {chaos_s}",
                late.name(),
                late.at_s
            ));
        }
        Ok(())
    }

    /// Regions, nodes and distances; links draw their chance from `seed`, and stand between
    /// nodes of one region too.
    #[must_use]
    pub fn plan(&self, seed: u64) -> WanPlan {
        let near = WanPlan::scaled_down(self.cluster.nearer_by);
        let mut plan = near.with_seed(seed).linked_everywhere();
        let mut next = 4;
        for _ in 1..self.cluster.nodes_per_region {
            for region in REGIONS {
                plan = plan.with_node(next, region);
                next += 1;
            }
        }
        plan
    }

    /// Names of the faults without which a run says nothing.
    #[must_use]
    pub fn required(&self) -> Vec<String> {
        let required = self.faults.iter().filter(|fault| fault.required);
        required.map(|fault| fault.name().to_owned()).collect()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::{Scenario, ScenarioError};

    #[test]
    fn everything_that_is_shipped_is_read_and_can_be_struck_on_its_cluster() {
        let shipped = Scenario::shipped().expect("every one is readable");
        assert!(shipped.len() >= 15, "{}", shipped.len());
        let names: BTreeSet<&str> = shipped.iter().map(|it| it.name.as_str()).collect();
        assert_eq!(names.len(), shipped.len());
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/scenarios");
        let files = std::fs::read_dir(folder).expect("a folder").count();
        assert_eq!(files, shipped.len(), "a file is not shipped");
        for scenario in &shipped {
            let about = &scenario.about;
            assert!(about.ends_with('.') && about.len() > 20, "{about}");
            match crate::fault::precheck(&scenario.faults, &scenario.plan(1)) {
                // A machine without root or loop devices runs the others.
                Ok(()) | Err(crate::fault::FaultError::NotHere { .. }) => {}
                Err(cause) => panic!("{}: {cause}", scenario.name),
            }
        }
    }

    #[test]
    fn mistake_in_a_file_is_pointed_at_by_line() {
        let text = "about = \"A file of somebody's own.\"\n\n[run]\nchaos_s = \"long\"\n";
        let Err(ScenarioError::Wrong { name, what }) = Scenario::read("own.toml", text) else {
            panic!("it is refused");
        };
        assert_eq!(name, "own.toml");
        assert!(
            what.contains("line 4") && what.contains("chaos_s"),
            "{what}"
        );
    }

    #[test]
    fn run_that_shows_nothing_is_refused_beforehand() {
        let about = "about = \"Nobody comes.\"\n";
        for (text, wrong) in [
            (
                "[[workload]]\nkind = \"duels\"\nclients = 0\n",
                "no clients",
            ),
            ("[[workload]]\nkind = \"dules\"\n", "unknown variant"),
            (
                "[cluster]\nnodes_per_region = 9\n[[workload]]\nkind = \"duels\"\n",
                "nodes_per_region",
            ),
            (
                "[[workload]]\nkind = \"duels\"\n[[fault]]\nkind = \"kill\"\ntarget = \"any\"\nat_s = 99\n",
                "at_s = 99",
            ),
        ] {
            let refused = Scenario::read("own.toml", &format!("{about}{text}"));
            let refused = refused.expect_err(text).to_string();
            assert!(refused.contains(wrong), "{refused}");
        }
        let unknown = Scenario::open("nothing-like-it").expect_err("refused");
        assert!(unknown.to_string().contains("meridian chaos scenarios"));
    }
}
