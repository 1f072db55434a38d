//! Where a listing is at home, and what its bookings survive.

use clap::{Args, ValueEnum};
use meridian_regions::{ListingId, RegionId};

use super::AdminArgs;

/// What an exit status says of them.
const EXIT_STATUS: &str = "Exit status: 0 when it is as asked; with --all-of, 4 when all that are known are, and a region could not be asked what it knows, 130 when it was interrupted; 1 otherwise, among others when some have failed or it is not known of some, when the time was over, when somebody else has changed one since it was looked at, or when some were left alone of which nobody has said by --half-way what becomes of them.";

/// What both commands take.
#[derive(Debug, Args)]
pub(crate) struct GoalArgs {
    /// All listings that are at home in this region, instead of one. One node of each region is
    /// asked which these are, and the latest goal counts. What was done stays done: run again, it
    /// goes on with those that are not yet so. Ctrl-C begins no others and waits for those under
    /// way, a second one does not.
    #[arg(long, value_name = "REGION")]
    pub(crate) all_of: Option<RegionId>,
    /// Only change the listing if its goal is at this revision, as a dry run has shown it. Left out,
    /// it is looked at first, and not changed if somebody else changes it in between.
    #[arg(long, value_name = "N", conflicts_with = "all_of")]
    pub(crate) revision: Option<u64>,
    /// With `--all-of`: no listing is begun after so long, as in 30m. Those that are not begun are
    /// counted, and are begun by the next run.
    #[arg(long, value_name = "TIME", default_value = "1h")]
    pub(crate) within: jiff::SignedDuration,
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
    /// With `--all-of`: what becomes of listings that have this home already and voters elsewhere,
    /// where nobody knows from which region they came. Left out, they are named and left alone, and
    /// the exit status is 1.
    #[arg(long, value_enum, value_name = "WHAT", requires = "all_of")]
    pub(crate) half_way: Option<HalfWayArg>,
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

#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum HalfWayArg {
    /// They are not meant: they are named, and left alone.
    Leave,
    /// Their voters move as well.
    Finish,
}
