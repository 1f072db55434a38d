//! The command line of `meridian auth`.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

#[derive(Debug, Subcommand)]
pub(crate) enum AuthCommand {
    /// Make an API key, print it once, and add its hash to a file.
    NewKey(NewKeyArgs),
}

#[derive(Debug, Args)]
#[command(
    after_help = "The key is printed to standard output and kept nowhere: whoever loses it makes another. To withdraw one, take its [[keys]] table out of the file; nodes read it again within seconds. Give the same file to every node."
)]
pub(crate) struct NewKeyArgs {
    /// The file that auth.api_keys_file names; made if it is not there.
    #[arg(long, value_name = "FILE")]
    pub(crate) file: PathBuf,
    /// Whose requests those with this key are: the same name as `sub` of tokens.
    #[arg(long, value_name = "NAME")]
    pub(crate) subject: String,
    /// What they may; several with commas in between.
    #[arg(
        long = "roles",
        value_name = "ROLE",
        value_delimiter = ',',
        required = true
    )]
    pub(crate) roles: Vec<RoleArg>,
    /// How long it is valid, in days (default: until it is taken out).
    #[arg(long, value_name = "DAYS", value_parser = clap::value_parser!(u32).range(1..=36_500))]
    pub(crate) expires_days: Option<u32>,
}

/// A role, as it is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum RoleArg {
    /// Holds, books and cancels for itself.
    Guest,
    /// Has listings.
    Host,
    /// Runs the cluster, and may do everything.
    Operator,
}
