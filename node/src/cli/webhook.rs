//! `meridian webhook`.

use clap::{Args, Subcommand};

use super::ApiArgs;

#[derive(Debug, Subcommand)]
pub(crate) enum WebhookCommand {
    /// Print every endpoint.
    List {
        /// Print JSON instead of a table.
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        to: ApiArgs,
    },
    /// Register an endpoint, and print its secret this once.
    Add {
        /// Where events are posted to.
        url: String,
        /// A type of event, as in `booking.confirmed`; may be repeated. All, if there is none.
        #[arg(long = "type", value_name = "TYPE")]
        types: Vec<String>,
        #[command(flatten)]
        to: ApiArgs,
    },
    /// Deliver to an endpoint again.
    Enable(EndpointArgs),
    /// Deliver nothing to an endpoint until it is enabled; events wait.
    Disable(EndpointArgs),
    /// Forget an endpoint.
    Remove(EndpointArgs),
    /// Post an event that has not happened, and say what came of it.
    Test(EndpointArgs),
    /// Print what is parked, what is tried again and what was delivered last.
    Deliveries(EndpointArgs),
    /// Deliver again: what is parked, unless something else is said.
    Replay(ReplayArgs),
}

#[derive(Debug, Args)]
pub(crate) struct EndpointArgs {
    /// `whe_…`
    pub(crate) id: String,
    #[command(flatten)]
    pub(crate) to: ApiArgs,
}

#[derive(Debug, Args)]
#[command(
    after_help = "Events come again under the ids that they had. A cursor is of one region: the others deliver nothing again."
)]
pub(crate) struct ReplayArgs {
    /// `whe_…`
    pub(crate) id: String,
    /// Everything behind this cursor (`next_cursor` of events, `cursor` of deliveries).
    #[arg(long, conflicts_with = "oldest")]
    pub(crate) cursor: Option<String>,
    /// Everything that is kept.
    #[arg(long)]
    pub(crate) oldest: bool,
    #[command(flatten)]
    pub(crate) to: ApiArgs,
}
