//! The command line of `meridian chaos`.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

#[derive(Debug, Subcommand)]
#[command(
    after_help = "Exit status of run and check: 0 when every promise held, 3 when one was broken, 2 when the run shows nothing (a fault was not in effect, too little was answered, a search came to no end), 130 when it was interrupted, 1 when it could not run at all."
)]
pub(crate) enum ChaosCommand {
    /// Start three regions on this machine, use them, break them, mend them, and judge.
    Run(ChaosRunArgs),
    /// Judge the history of an earlier run again.
    Check(ChaosCheckArgs),
    /// List the scenarios that are shipped.
    Scenarios,
}

#[derive(Debug, Args)]
pub(crate) struct ChaosRunArgs {
    /// Name of a shipped scenario, or path of a file of your own that ends in .toml.
    pub(crate) scenario: String,
    /// What all chance comes from: the same seed makes the same choices. Without it, another
    /// one each time; the report says which.
    #[arg(long, value_name = "N")]
    pub(crate) seed: Option<u64>,
    /// Where history and report are written (default: chaos-SCENARIO-SEED).
    #[arg(long, value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,
    /// Keep the nodes' files here (default: a temporary folder that is removed).
    #[arg(long, value_name = "DIR", conflicts_with = "attach")]
    pub(crate) dir: Option<PathBuf>,
    /// What is between the nodes: relays of UDP, which take no root, or a network namespace for
    /// each node, which carries every protocol and takes root, `ip` and `nsenter`.
    #[arg(
        long,
        value_name = "KIND",
        value_enum,
        default_value_t,
        conflicts_with = "attach"
    )]
    pub(crate) network: ChaosNetwork,
    /// Use and break a cluster that runs already, by the operator APIs of some of its nodes:
    /// the first that answers says who else is there. Only faults are struck that its APIs
    /// offer, and no process is ended; the run's own listings are deleted afterwards.
    #[arg(long, value_name = "URL", num_args = 1..)]
    pub(crate) attach: Vec<String>,
    /// With --attach: leave faults out that cannot be struck there, rather than refusing to
    /// begin. Where one is required, the run is invalid.
    #[arg(long, requires = "attach")]
    pub(crate) skip_unavailable: bool,
}

/// What is between the nodes of a run's own cluster.
#[derive(Debug, Clone, Copy, Default, ValueEnum)]
pub(crate) enum ChaosNetwork {
    #[default]
    Relays,
    Namespaces,
}

#[derive(Debug, Args)]
pub(crate) struct ChaosCheckArgs {
    /// The history: history.jsonl.gz of a run.
    pub(crate) history: PathBuf,
    /// Where the report is written (default: beside the history).
    #[arg(long, value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,
}
