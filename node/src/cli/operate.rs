//! Looking at a cluster: what can be asked of a node's operator API.

use clap::{Args, Subcommand};
use meridian_client::AdminClient;
use meridian_regions::ListingId;

use super::{ADMIN_VARIABLE, CredentialArgs};

/// The node that is asked.
#[derive(Debug, Args)]
pub(crate) struct AdminArgs {
    /// Operator API of the node.
    #[arg(long, env = ADMIN_VARIABLE, default_value = "http://127.0.0.1:7402", value_name = "URL")]
    pub(crate) admin: String,
    #[command(flatten)]
    pub(crate) credentials: CredentialArgs,
}

impl AdminArgs {
    /// A client of it.
    pub(crate) fn client(&self) -> anyhow::Result<AdminClient> {
        self.credentials.admin(&self.admin)
    }
}

/// A list that is printed as a table or as JSON.
#[derive(Debug, Args)]
pub(crate) struct TableArgs {
    /// Print JSON instead of a table.
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) to: AdminArgs,
}

#[derive(Debug, Subcommand)]
pub(crate) enum GroupsCommand {
    /// Print groups, those first that should stand elsewhere.
    List {
        /// How many to print.
        #[arg(long, default_value_t = 50)]
        limit: usize,
        #[command(flatten)]
        table: TableArgs,
    },
    /// Print how the group of a listing stands on the node that is asked.
    Show {
        /// The listing.
        listing: ListingId,
        #[command(flatten)]
        to: AdminArgs,
    },
}

#[derive(Debug, Args)]
pub(crate) struct ExplainArgs {
    /// The listing.
    pub(crate) listing: ListingId,
    #[command(flatten)]
    pub(crate) table: TableArgs,
}

#[derive(Debug, Args)]
#[command(
    after_help = "Without a filter it prints the one that stands. A filter that was set goes back to the configured one by itself."
)]
pub(crate) struct LogFilterArgs {
    /// Levels by module, as in `info,meridian_consensus=debug`; `default` puts the configured
    /// one back.
    pub(crate) filter: Option<String>,
    /// After how many seconds the configured filter is back.
    #[arg(long, default_value_t = 600, requires = "filter")]
    pub(crate) seconds: u64,
    #[command(flatten)]
    pub(crate) to: AdminArgs,
}
