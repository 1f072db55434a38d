//! Certificates: what makes them, and what shows them.

use std::path::PathBuf;

use clap::Subcommand;
use meridian_regions::{ClusterName, NodeId, RegionId};

use super::TableArgs;

#[derive(Debug, Subcommand)]
pub(crate) enum CertCommand {
    /// Make an authority of a cluster: `ca.pem` and `ca.key`. Another one, in a folder of its own,
    /// takes the place of the first step by step: see the runbook.
    Ca {
        /// Name of the cluster.
        #[arg(long)]
        cluster: ClusterName,
        /// Folder for the two files.
        #[arg(long, value_name = "DIR")]
        out: PathBuf,
    },
    /// Make a node's certificate and key, signed by the authority.
    Node {
        /// Folder with `ca.pem` and `ca.key`.
        #[arg(long, value_name = "DIR")]
        ca: PathBuf,
        /// Region of the node.
        #[arg(long)]
        region: RegionId,
        /// Id of the node.
        #[arg(long)]
        node: NodeId,
        /// Folder for `node-N.pem` and `node-N.key`.
        #[arg(long, value_name = "DIR")]
        out: PathBuf,
        /// How long it is valid, as in 2160h (default: two years).
        #[arg(long, value_name = "TIME")]
        valid_for: Option<jiff::SignedDuration>,
    },
    /// Join authorities into one file, so that nodes trust all of them while one takes the place
    /// of another.
    Bundle {
        /// Files with certificates of authorities, as in `old/ca.pem new/ca.pem`.
        #[arg(required = true, value_name = "FILE")]
        authorities: Vec<PathBuf>,
        /// Where to write them; a file that is there is replaced.
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
    },
    /// Print which certificates of a node are in force, until when, and which of its connections
    /// stand by earlier ones.
    Show(TableArgs),
    /// Have a node look at its certificates' files now: it does so by itself every five seconds,
    /// and upon SIGHUP. Exit status: 0 when what is there is in force, 1 otherwise.
    Reload(TableArgs),
}
