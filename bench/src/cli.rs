//! What can be asked, and where it is said.

use std::io::{self, Write};
use std::path::PathBuf;
use std::time::Duration;

use clap::{Parser, ValueEnum};

/// Measure real nodes on this machine, beside etcd and the disk.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask bench")]
pub(crate) struct Arguments {
    /// Only these measurements, as with --only.
    #[arg(value_enum)]
    pub(crate) suites: Vec<Suite>,
    /// Only these measurements.
    #[arg(long, value_enum)]
    pub(crate) only: Vec<Suite>,
    /// How long one round of load lasts.
    #[arg(long, default_value_t = 4)]
    pub(crate) seconds: u64,
    /// Rounds; the systems alternate, and medians over rounds are told.
    #[arg(long, default_value_t = 3)]
    pub(crate) rounds: usize,
    /// Clients, each with one request under way and one connection to a node.
    #[arg(long, default_value_t = 64)]
    pub(crate) clients: usize,
    /// Hot listings of the booking measurement.
    #[arg(long, value_delimiter = ',', default_values_t = [1, 16, 256, 4_096])]
    pub(crate) listings: Vec<usize>,
    /// Groups that sleep; a million take some minutes to be written.
    #[arg(long, default_value_t = 100_000)]
    pub(crate) groups: usize,
    /// Documents that are compared by `reconcile`.
    #[arg(long, default_value_t = 1_000_000)]
    pub(crate) documents: u64,
    /// How many of them differ.
    #[arg(long, default_value_t = 100)]
    pub(crate) differences: u64,
    /// Edits of `soak`; of `loading`, 100,000 at the most.
    #[arg(long, default_value_t = 1_000_000)]
    pub(crate) edits: u64,
    /// Write everything as JSON to this file.
    #[arg(long)]
    pub(crate) json: Option<PathBuf>,
    /// Where databases stand while measuring; a temporary folder in it is removed again.
    #[arg(long)]
    pub(crate) dir: Option<PathBuf>,
    /// The `meridian` binary; by default the one beside this program.
    #[arg(long)]
    pub(crate) meridian: Option<PathBuf>,
    /// Another `meridian` binary, whose reads are measured turn and turn about with those
    /// of the first: an earlier one, say.
    #[arg(long)]
    pub(crate) beside: Option<PathBuf>,
    /// Name the measurements and leave.
    #[arg(long)]
    pub(crate) list: bool,
}

/// Measurements in the order in which they run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Suite {
    /// Bookings per second over ever more listings, beside etcd.
    Bookings,
    /// A booking that wakes a group beside one that finds it awake.
    Cold,
    /// Memory and processor time of sleeping groups, and how fast they wake.
    Sleeping,
    /// Listing writes beside one fsync, and hot reads at one node.
    Listings,
    /// From a write in one region to its sight in the others, and bytes for each change.
    Lag,
    /// Two sides of a cut that edited 10,000 documents, until they are alike.
    Reunion,
    /// 100,000 listings: imported, kept in memory, compared.
    Stock,
    /// Two replicas of 1,000,000 documents that differ in 100: found and mended.
    Reconcile,
    /// 1,000,000 edits, and whether memory and disk grow with them.
    Soak,
    /// A listing with 100,000 edits: its first read after a restart.
    Loading,
    /// Bookings over links of 80, 160 and 220 ms beside the quorum's round trip.
    Wan,
    /// From the death of a leader to the next booking, survivors 220 ms apart.
    Failover,
    /// Processor time for each booking, with tracing and without; wants `--rounds 40`.
    Tracing,
    /// Bookings beside etcd and PostgreSQL, listings beside PostgreSQL and Redis, and a loss.
    Compare,
    /// Bookings beside etcd and PostgreSQL over links of 80, 160 and 220 ms, and regions cut off:
    /// takes root.
    CompareWan,
}

impl Suite {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Bookings => "bookings",
            Self::Cold => "cold",
            Self::Sleeping => "sleeping",
            Self::Listings => "listings",
            Self::Lag => "lag",
            Self::Reunion => "reunion",
            Self::Stock => "stock",
            Self::Reconcile => "reconcile",
            Self::Soak => "soak",
            Self::Loading => "loading",
            Self::Wan => "wan",
            Self::Failover => "failover",
            Self::Tracing => "tracing",
            Self::Compare => "compare",
            Self::CompareWan => "compare-wan",
        }
    }
}

impl Arguments {
    /// Whether a measurement is asked for.
    pub(crate) fn wants(&self, suite: Suite) -> bool {
        let named = [&self.only[..], &self.suites[..]].concat();
        named.is_empty() || named.contains(&suite)
    }

    pub(crate) const fn round(&self) -> Duration {
        Duration::from_secs(self.seconds)
    }
}

/// Says something on standard output.
pub(crate) fn say(text: &str) {
    // A reader that has gone does not change what was measured.
    let _ = writeln!(io::stdout(), "{text}");
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::{Arguments, Suite};

    #[test]
    fn measurement_is_named_by_itself_or_with_only_and_without_a_name_all_are_wanted() {
        let wants = |arguments: &[&str], suite| {
            let arguments = [&["bench"], arguments].concat();
            Arguments::try_parse_from(arguments)
                .expect("arguments")
                .wants(suite)
        };
        assert!(wants(&[], Suite::Compare) && wants(&[], Suite::Cold));
        for named in [&["compare"][..], &["--only", "compare"]] {
            assert!(wants(named, Suite::Compare));
            assert!(!wants(named, Suite::Cold));
        }
    }
}
