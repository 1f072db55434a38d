//! Where a listing is at home, and what its bookings survive.

use clap::{Args, ValueEnum};
use meridian_regions::{ListingId, RegionId};

use super::AdminArgs;

/// What both commands take.
#[derive(Debug, Args)]
pub(crate) struct GoalArgs {
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
pub(crate) struct SetHomeArgs {
    /// The listing.
    pub(crate) listing: ListingId,
    /// Its new home.
    pub(crate) region: RegionId,
    #[command(flatten)]
    pub(crate) goal: GoalArgs,
}

#[derive(Debug, Args)]
pub(crate) struct SetSurvivalArgs {
    /// The listing.
    pub(crate) listing: ListingId,
    /// What its bookings are to survive.
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
