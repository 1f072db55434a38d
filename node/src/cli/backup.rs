//! Backups and restores.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use jiff::Timestamp;
use meridian_regions::{ClusterName, ListingId};

use super::{AdminArgs, ApiArgs};

#[derive(Debug, Subcommand)]
pub(crate) enum BackupCommand {
    /// Back up every node of the cluster, while it runs; what the target has is not sent again.
    Create(BackupCreateArgs),
    /// Print the backups in a target, in order of time.
    List(TargetArgs),
    /// Read every object of a backup, and check every byte.
    Verify(BackupArgs),
    /// Remove all backups but the latest ones, and the objects that only they needed.
    Prune(PruneArgs),
}

#[derive(Debug, Args)]
#[command(
    after_help = "Every node has to be up, unless --allow-down is given, and to have the folder or bucket, or what is above it, in `backup.to` of its configuration. A folder is there already, and the same for all nodes and for this command: a mount. A bucket is reached as the environment of this command says: AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_REGION, AWS_ENDPOINT_URL; nodes have `backup.s3_settings`."
)]
pub(crate) struct BackupCreateArgs {
    /// Folder or bucket of the backups: file:///…, a path, or s3://bucket/prefix.
    #[arg(long, value_name = "URL")]
    pub(crate) to: String,
    /// Back up the nodes that are up if some are down. What only those have is told, and then the
    /// backup is incomplete.
    #[arg(long)]
    pub(crate) allow_down: bool,
    #[command(flatten)]
    pub(crate) admin: AdminArgs,
}

#[derive(Debug, Args)]
pub(crate) struct TargetArgs {
    /// Folder or bucket of the backups: file:///…, a path, or s3://bucket/prefix.
    #[arg(long, value_name = "URL")]
    pub(crate) from: String,
}

/// One backup in a target.
#[derive(Debug, Args)]
pub(crate) struct BackupArgs {
    #[command(flatten)]
    pub(crate) target: TargetArgs,
    /// The latest backup in which nothing is later than this time, as in 2026-11-27T12:00:00Z;
    /// `meridian restore` takes it forward to that time, if a later backup tells how.
    #[arg(long, value_name = "TIME", conflicts_with = "backup")]
    pub(crate) at: Option<Timestamp>,
    /// The backup of this name. Without either, the latest.
    #[arg(long, value_name = "NAME")]
    pub(crate) backup: Option<String>,
}

#[derive(Debug, Args)]
#[command(
    after_help = "Refused while a backup is being made: it counts on objects that are there."
)]
pub(crate) struct PruneArgs {
    #[command(flatten)]
    pub(crate) target: TargetArgs,
    /// How many of the latest backups stay.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) keep: u32,
}

#[derive(Debug, Args)]
#[command(
    after_help = "The old cluster must not run any more. What was acknowledged after the backup, sold nights too, is lost by a restore: without --yes this only says what that means. The folder gets one data folder for each node and the new map; runbook `Restoring a cluster`."
)]
pub(crate) struct RestoreArgs {
    #[command(flatten)]
    pub(crate) source: BackupArgs,
    /// Folder that is made, for the nodes' data folders.
    #[arg(long, value_name = "DIR")]
    pub(crate) into: PathBuf,
    /// Name of the new cluster: another than the old one's, with certificates of its own.
    #[arg(long, value_name = "NAME")]
    pub(crate) cluster: ClusterName,
    /// Do it: what it costs is known.
    #[arg(long)]
    pub(crate) yes: bool,
}

#[derive(Debug, Args)]
#[command(
    after_help = "An edit like any other: it merges with what others write meanwhile, and its history stays. Bookings are not touched."
)]
pub(crate) struct RestoreListingArgs {
    /// The listing.
    pub(crate) listing: ListingId,
    #[command(flatten)]
    pub(crate) source: BackupArgs,
    /// Print what would be changed, and change nothing.
    #[arg(long)]
    pub(crate) dry_run: bool,
    #[command(flatten)]
    pub(crate) to: ApiArgs,
}
