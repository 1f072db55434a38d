//! Where a listing is at home, and what its bookings survive.

use clap::{Args, ValueEnum};
use meridian_regions::{ListingId, RegionId};

use super::AdminArgs;

/// What an exit status says of them.
const EXIT_STATUS: &str = "Exit status: 0 when it is as asked; with --all-of, 4 when all that are known are, and a region could not be asked what it knows, 130 when it was interrupted; 1 otherwise, among others when some have failed or it is not known of some.";

/// What both commands take.
#[derive(Debug, Args)]
pub(crate) struct GoalArgs {
    /// All listings that are at home in this region, instead of one. One node of each region is
    /// asked which these are, and the latest goal counts. What was done stays done: run again, it
    /// goes on with those that are not yet so. Ctrl-C begins no others and waits for those under
    /// way, a second one does not.
    #[arg(long, value_name = "REGION")]
    pub(crate) all_of: Option<RegionId>,
    /// Only say who would leave and come, and without which regions bookings stop.
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Print JSON.
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) to: AdminArgs,
}

#[derive(Debug, Args)]
#[command(allow_missing_positional = true, after_help = EXIT_STATUS)]
pub(crate) struct SetHomeArgs {
    /// The listing; left out with `--all-of`.
    #[arg(required_unless_present = "all_of", conflicts_with = "all_of")]
    pub(crate) listing: Option<ListingId>,
    /// Its new home.
    #[arg(required = true)]
    pub(crate) region: RegionId,
    #[command(flatten)]
    pub(crate) goal: GoalArgs,
}

#[derive(Debug, Args)]
#[command(allow_missing_positional = true, after_help = EXIT_STATUS)]
pub(crate) struct SetSurvivalArgs {
    /// The listing; left out with `--all-of`.
    #[arg(required_unless_present = "all_of", conflicts_with = "all_of")]
    pub(crate) listing: Option<ListingId>,
    /// What its bookings are to survive.
    #[arg(required = true)]
    pub(crate) survival: SurvivalArg,
    #[command(flatten)]
    pub(crate) goal: GoalArgs,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum SurvivalArg {
    Region,
    Zone,
}

impl SurvivalArg {
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Region => "region",
            Self::Zone => "zone",
        }
    }
}
