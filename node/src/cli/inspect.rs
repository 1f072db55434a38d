//! Looking at everything at once: an archive of it, and a screen.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::AdminArgs;

#[derive(Debug, Subcommand)]
pub(crate) enum DebugCommand {
    /// Collect what every node says of itself into one archive, for whoever helps.
    Bundle(BundleArgs),
}

#[derive(Debug, Args)]
#[command(
    after_help = "Secrets, keys and payment methods are left out. What could not be had is named in missing.txt inside, and on standard output. Exit status: 0 when the archive was written, also if something is missing."
)]
pub(crate) struct BundleArgs {
    /// The archive, a gzipped tar. Nothing is written over.
    #[arg(long, value_name = "FILE.tar.gz")]
    pub(crate) out: PathBuf,
    #[command(flatten)]
    pub(crate) to: AdminArgs,
}

#[derive(Debug, Args)]
#[command(after_help = "Keys: q, Esc or Ctrl-C leaves.")]
pub(crate) struct TopArgs {
    /// Seconds between two looks.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..=60))]
    pub(crate) every: u64,
    #[command(flatten)]
    pub(crate) to: AdminArgs,
}
