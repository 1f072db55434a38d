//! What can be asked about upgrades.

use clap::{Args, Subcommand};

use super::{AdminArgs, TableArgs};

#[derive(Debug, Subcommand)]
pub(crate) enum UpgradeCommand {
    /// Ask every node what it speaks, and say whether the upgrade can be ended and whether a
    /// node may be restarted now.
    #[command(
        after_help = "Exit status: 0 when a node may be restarted now and nothing keeps the next level of formats off; 4 when something does, which is printed; 5 when bookings or reads are stopped already; 1 when nobody answered."
    )]
    Check(TableArgs),
    /// Have every node write the next level of formats from now on. There is no way back to a
    /// release that does not speak it.
    #[command(
        after_help = "Refused unless every node that has not been removed is up and speaks the level. Nodes begin anew one after the other, as by `meridian layout apply`."
    )]
    Finalize(FinalizeArgs),
}

#[derive(Debug, Args)]
pub(crate) struct FinalizeArgs {
    /// Do not wait until every node writes it.
    #[arg(long)]
    pub(crate) no_wait: bool,
    #[command(flatten)]
    pub(crate) to: AdminArgs,
}
