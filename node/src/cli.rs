//! The command line: what can be asked, not how it is done.

mod auth;
mod backup;
mod cert;
mod chaos;
mod credentials;
mod find;
mod goals;
mod inspect;
mod layout;
mod operate;
mod shell;
mod upgrade;
mod webhook;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use meridian_client::{Client, ClientBuilder};
use meridian_regions::{ListingId, NodeId, RegionId};

pub(crate) use cert::CertCommand;

pub(crate) use auth::{AuthCommand, NewKeyArgs, RoleArg};
#[cfg(test)]
pub(crate) use backup::TargetArgs;
pub(crate) use backup::{
    BackupArgs, BackupCommand, BackupCreateArgs, PruneArgs, RestoreArgs, RestoreListingArgs,
};
pub(crate) use credentials::CredentialArgs;
pub(crate) use find::FindArgs;
pub(crate) use webhook::{EndpointArgs, WebhookCommand};

pub(crate) use layout::{InitArgs, LayoutChange, LayoutCommand};

pub(crate) use inspect::{BundleArgs, DebugCommand, TopArgs};
pub(crate) use upgrade::{FinalizeArgs, UpgradeCommand};

pub(crate) use shell::{CompletionsArgs, ManArgs};

pub(crate) use goals::{GoalArgs, HalfWayArg, SetHomeArgs, SetSurvivalArgs};
pub(crate) use operate::{AdminArgs, ExplainArgs, GroupsCommand, LogFilterArgs, TableArgs};

pub(crate) use chaos::{ChaosCheckArgs, ChaosCommand, ChaosNetwork, ChaosRunArgs};

/// Environment variable with addresses of the API.
const API_VARIABLE: &str = "MERIDIAN_API";
/// Environment variable with the operator API's address.
const ADMIN_VARIABLE: &str = "MERIDIAN_ADMIN";

/// Active-active replication for marketplaces: listings that every region writes,
/// and nights that are sold once.
#[derive(Debug, Parser)]
#[command(name = "meridian", version, about, propagate_version = true)]
#[command(
    after_help = "Start with `meridian demo`: three regions on this machine, links included."
)]
pub struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run one node until it is told to stop (Ctrl-C or SIGTERM).
    Start(StartArgs),
    /// Run three regions on this machine, with wide-area links between them.
    Demo(DemoArgs),
    /// Import listings from a CSV file (Inside Airbnb summary columns).
    Import(ImportArgs),
    /// Read, edit or watch a listing, and end its conflicts.
    #[command(subcommand)]
    Listing(ListingCommand),
    /// Hold, confirm or cancel a stay.
    #[command(subcommand)]
    Booking(BookingCommand),
    /// Manage webhook endpoints, and look at what is delivered to them.
    #[command(subcommand)]
    Webhook(WebhookCommand),
    /// Show the cluster's regions, nearest first.
    Regions(RegionsArgs),
    /// Say how much more can be lost, what is wrong, since when, and what to do; then how a
    /// node and its links are.
    Status(StatusArgs),
    /// Let the cluster keep its map itself, once for all: nodes and regions then come and go
    /// by `meridian layout`.
    Init(InitArgs),
    /// Show and change the cluster's map: regions, nodes, who comes and who goes.
    #[command(subcommand)]
    Layout(LayoutCommand),
    /// See where an upgrade stands, and end it.
    #[command(subcommand)]
    Upgrade(UpgradeCommand),
    /// Print every node and how it is, as one node sees it.
    Nodes(TableArgs),
    /// Look at the Raft groups of listings: where they stand, and who leads.
    #[command(subcommand)]
    Groups(GroupsCommand),
    /// Watch the verdict, the nodes and what they do, on a terminal.
    Top(TopArgs),
    /// Collect what helps to find out what is wrong.
    #[command(subcommand)]
    Debug(DebugCommand),
    /// Show or change, for a while, which lines a node writes to its log.
    LogFilter(LogFilterArgs),
    /// Move every listing's bookings away from a node, and wait until it votes on none.
    Drain(DrainArgs),
    /// Move listings' bookings to the nodes that new listings would be given, and wait until
    /// all are there: after a node was added.
    Rebalance(RebalanceArgs),
    /// Have the leader of a listing's bookings hand over to another of its voters.
    Transfer(TransferArgs),
    /// Compare a node's listings with those of every other node, fetch what it lacks, and
    /// wait until that is done.
    Repair(RepairArgs),
    /// Let a node that has lost its records come back at its next start, without them.
    Rejoin(RejoinArgs),
    /// Back up a running cluster, and look after its backups.
    #[command(subcommand)]
    Backup(BackupCommand),
    /// Make the data folders of a new cluster out of a backup.
    Restore(RestoreArgs),
    /// Have one listing of a running cluster read again as it did in a backup.
    RestoreListing(RestoreListingArgs),
    /// Break a cluster on purpose, and come back with a verdict.
    #[command(subcommand)]
    Chaos(ChaosCommand),
    /// Serve a payment provider that moves no money and misbehaves on request.
    SandboxPayments(SandboxPaymentsArgs),
    /// Make the cluster's authorities and the nodes' certificates, and have nodes take them.
    #[command(subcommand, visible_alias = "certs")]
    Cert(CertCommand),
    /// Make API keys.
    #[command(subcommand)]
    Auth(AuthCommand),
    /// Print the script by which a shell completes these commands.
    Completions(CompletionsArgs),
    /// Write manual pages: one for the program, one for each command.
    Man(ManArgs),
    /// Print the description of an API (OpenAPI 3.1), as nodes serve it: that for clients, of
    /// `/openapi.json`.
    Openapi(OpenapiArgs),
}

#[derive(Debug, Args)]
pub(crate) struct OpenapiArgs {
    /// That for operators, of `/admin/v1/openapi.json`.
    #[arg(long)]
    pub(crate) operators: bool,
}

#[derive(Debug, Args)]
pub(crate) struct StartArgs {
    /// The node's configuration, TOML.
    #[arg(long, value_name = "FILE")]
    pub(crate) config: PathBuf,
    /// Lay one value over file and environment, as in `--set log.filter=debug`.
    #[arg(long = "set", value_name = "SECTION.KEY=VALUE")]
    pub(crate) set: Vec<String>,
    /// Check the configuration, certificates and topology, then leave.
    #[arg(long)]
    pub(crate) check: bool,
    /// Operator API of a node of the cluster that this new node joins, from which it has the
    /// map; `meridian layout add-node` and `apply` come first. Of use once.
    #[arg(long, value_name = "URL")]
    pub(crate) join: Option<String>,
    #[command(flatten)]
    pub(crate) credentials: CredentialArgs,
    /// Stop when standard input closes: a child of a test or the demo ends with it.
    #[arg(long, hide = true)]
    pub(crate) exit_with_stdin: bool,
}

#[derive(Debug, Args)]
#[command(
    after_help = "Nothing is deleted: databases are moved into a folder before-… beside. The node must be stopped."
)]
pub(crate) struct RejoinArgs {
    /// The node's configuration, TOML.
    #[arg(long, value_name = "FILE")]
    pub(crate) config: PathBuf,
    /// Come back without the listings' database, too: it is damaged.
    #[arg(long)]
    pub(crate) without_listings: bool,
    /// Lay one value over file and environment, as in `--set log.filter=debug`.
    #[arg(long = "set", value_name = "SECTION.KEY=VALUE")]
    pub(crate) set: Vec<String>,
}

#[derive(Debug, Args)]
#[command(
    after_help = "Exit status: 0 when every promise held, 3 when one was broken, 130 when --smoke was interrupted, 1 when the demo could not run."
)]
pub(crate) struct DemoArgs {
    /// Listings to import, a CSV file for a region; may be given several times.
    /// Without it, a small set of our own is used.
    #[arg(long = "listings", value_name = "REGION=FILE.csv")]
    pub(crate) listings: Vec<String>,
    /// Run for a bounded time, break things, check both promises, and leave.
    #[arg(long)]
    pub(crate) smoke: bool,
    /// Write the report of `--smoke` to this file too, as JSON.
    #[arg(long, value_name = "FILE", requires = "smoke")]
    pub(crate) report: Option<PathBuf>,
    /// Keep the nodes' files here (default: a temporary folder that is removed).
    #[arg(long, value_name = "DIR")]
    pub(crate) dir: Option<PathBuf>,
    /// Port of the first region's API; its operator API is 2 further on, the other
    /// regions 10 and 20. 0 takes whatever is free, as --smoke does.
    #[arg(long, value_name = "PORT", default_value_t = 7400, value_parser = clap::value_parser!(u16).range(..=65_000))]
    pub(crate) first_port: u16,
}

#[derive(Debug, Args)]
#[command(
    after_help = "Columns are found by name; unknown ones are passed over; bad rows are counted, and the first 20 listed with their line. Importing a file again changes nothing."
)]
pub(crate) struct ImportArgs {
    /// The CSV file.
    #[arg(value_name = "FILE.csv")]
    pub(crate) file: PathBuf,
    /// Home region of the listings.
    #[arg(long)]
    pub(crate) region: RegionId,
    /// Currency of the price column (three letters).
    #[arg(long, default_value = "USD")]
    pub(crate) currency: String,
    /// Write every bad row to this file, as CSV: line and reason.
    #[arg(long, value_name = "FILE")]
    pub(crate) bad_rows: Option<PathBuf>,
    /// Operator API of any node.
    #[arg(long, env = ADMIN_VARIABLE, default_value = "http://127.0.0.1:7402", value_name = "URL")]
    pub(crate) admin: String,
    #[command(flatten)]
    pub(crate) credentials: CredentialArgs,
}

#[derive(Debug, Args)]
pub(crate) struct ApiArgs {
    /// API of any node of any region. Several, with commas in between or by repeating the
    /// flag: the next one is asked where one does not answer, then those that they tell of.
    #[arg(long = "seed", visible_aliases = ["api", "url"], env = API_VARIABLE, default_value = "http://127.0.0.1:7400", value_name = "URL", value_delimiter = ',')]
    pub(crate) seeds: Vec<String>,
    #[command(flatten)]
    pub(crate) credentials: CredentialArgs,
}

impl ApiArgs {
    /// A client that begins at the seeds, in their order.
    pub(crate) fn client(&self) -> anyhow::Result<Client> {
        let seeds = self.seeds.iter().map(|seed| seed.trim());
        let client = seeds.fold(Client::builder(), ClientBuilder::seed);
        let client = client.trust(self.credentials.trust()?);
        let credential = self.credentials.credential()?.into_iter();
        Ok(credential.fold(client, ClientBuilder::credential).build()?)
    }
}

#[derive(Debug, Args)]
#[command(
    after_help = "Without a place, where your address is decides if the node that is asked knows it, else the round trips that it measures."
)]
pub(crate) struct RegionsArgs {
    /// Degrees north of the place that is to be near.
    #[arg(long, requires = "lon", allow_negative_numbers = true)]
    pub(crate) lat: Option<f64>,
    /// Degrees east of it.
    #[arg(long, requires = "lat", allow_negative_numbers = true)]
    pub(crate) lon: Option<f64>,
    /// Print JSON instead of a table.
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) to: ApiArgs,
}

#[derive(Debug, Subcommand)]
pub(crate) enum ListingCommand {
    /// Print a listing.
    Get {
        /// `lst_…`
        id: String,
        #[command(flatten)]
        to: ApiArgs,
    },
    /// Find listings: by words, place, dates, price and amenities.
    Find(Box<FindArgs>),
    /// Change fields; the change merges with concurrent ones.
    Edit {
        /// `lst_…`
        id: String,
        /// A field and its new value, as in `title="Sea view"` or `capacity=4`.
        #[arg(required = true, value_name = "FIELD=VALUE")]
        fields: Vec<String>,
        #[command(flatten)]
        to: ApiArgs,
    },
    /// Print what was written to one field at the same time, and the tag that stands for it.
    Conflicts {
        /// `lst_…`
        id: String,
        #[command(flatten)]
        to: ApiArgs,
    },
    /// Choose the right one of a field's values; all regions take it over.
    Resolve {
        /// `lst_…`
        id: String,
        /// The field, as the conflicts name it: `/nightly_price`.
        field: String,
        /// The `hash` of the value that is right.
        #[arg(value_name = "HASH")]
        choose: String,
        /// `seen` of the conflicts that were printed; refused if others stand by now. `*` for
        /// whatever stands.
        #[arg(long, value_name = "TAG")]
        seen: String,
        #[command(flatten)]
        to: ApiArgs,
    },
    /// Say everything that is known of a listing, and why: replicas, conflicts, leader,
    /// bookings. Asks a node's operator API.
    Explain(ExplainArgs),
    /// Have a listing be at home in another region: its voters move, and its leader goes
    /// there. May be repeated, and goes on with what was begun.
    SetHome(SetHomeArgs),
    /// Have a listing's bookings survive the loss of a region, or of a zone of its home: its
    /// voters move. May be repeated, and goes on with what was begun.
    SetSurvival(SetSurvivalArgs),
    /// Print every change of a listing as it arrives.
    Watch {
        /// `lst_…`
        id: String,
        #[command(flatten)]
        to: ApiArgs,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum BookingCommand {
    /// Hold the nights of a stay for a while.
    Hold {
        /// `lst_…`
        listing: String,
        /// First night, `YYYY-MM-DD`.
        #[arg(long)]
        check_in: String,
        /// Day of departure, `YYYY-MM-DD`.
        #[arg(long)]
        check_out: String,
        /// How many come.
        #[arg(long, default_value_t = 1)]
        guests: u32,
        #[command(flatten)]
        key: KeyArgs,
        #[command(flatten)]
        to: ApiArgs,
    },
    /// Pay for a hold and so book it.
    Confirm {
        /// `hld_…`
        hold: String,
        /// What the payment provider takes, as in `card_ok` or `card_declined`.
        #[arg(long, default_value = "card_ok")]
        payment_method: String,
        #[command(flatten)]
        key: KeyArgs,
        #[command(flatten)]
        to: ApiArgs,
    },
    /// Cancel a booking.
    Cancel {
        /// `bkg_…`
        booking: String,
        #[command(flatten)]
        key: KeyArgs,
        #[command(flatten)]
        to: ApiArgs,
    },
}

#[derive(Debug, Args)]
pub(crate) struct KeyArgs {
    /// Idempotency key: give the same one to repeat a request whose answer was lost.
    #[arg(long)]
    pub(crate) key: Option<String>,
}

#[derive(Debug, Args)]
#[command(
    after_help = "Point nodes at it: payments.provider = \"stripe\", payments.url = \"http://ADDR\". Payment methods: card_ok and any other card_… is accepted; card_declined, card_insufficient_funds, card_unavailable, card_timeout, card_late, card_twice and card_lost misbehave at the authorization; card_capture_…, card_void_… and card_refund_… at that step."
)]
pub(crate) struct SandboxPaymentsArgs {
    /// Where to listen.
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:7450")]
    pub(crate) listen: std::net::SocketAddr,
    /// The book: one line of JSON for each thing done, made if it is not there.
    #[arg(long, value_name = "FILE")]
    pub(crate) book: PathBuf,
    /// Stop when standard input closes: the provider of a run ends with it.
    #[arg(long, hide = true)]
    pub(crate) exit_with_stdin: bool,
}

#[derive(Debug, Args)]
#[command(
    after_help = "The node that is asked does it, in the background, and goes on after a restart: ask the one that is to be freed, or any other if it is dead. Mark it `draining` in the topology of all nodes first, or new listings are given to it meanwhile."
)]
pub(crate) struct DrainArgs {
    /// The node that is to be freed.
    pub(crate) node: NodeId,
    #[command(flatten)]
    pub(crate) wish: WishArgs,
}

#[derive(Debug, Args)]
#[command(
    after_help = "The node that is asked does it, in the background, and goes on after a restart. Give every node the same topology first: a node that is to be freed is marked `draining` there."
)]
pub(crate) struct RebalanceArgs {
    /// Move voters within this region only.
    #[arg(long)]
    pub(crate) region: Option<RegionId>,
    #[command(flatten)]
    pub(crate) wish: WishArgs,
}

/// How a node is told to move groups.
#[derive(Debug, Args)]
pub(crate) struct WishArgs {
    /// Do not wait until it is done.
    #[arg(long)]
    pub(crate) no_wait: bool,
    /// Give it up; what has been moved stays where it is.
    #[arg(long, conflicts_with = "no_wait")]
    pub(crate) cancel: bool,
    /// Operator API of the node that does it.
    #[arg(long, env = ADMIN_VARIABLE, default_value = "http://127.0.0.1:7402", value_name = "URL")]
    pub(crate) admin: String,
    #[command(flatten)]
    pub(crate) credentials: CredentialArgs,
}

#[derive(Debug, Args)]
#[command(
    after_help = "Every node does this by itself, every listings.repair_every_minutes. A node only fetches what it lacks itself: to mend all nodes, ask each. Exit status: 0 when every other node was visited and nothing is left, 1 otherwise."
)]
pub(crate) struct RepairArgs {
    /// Compare this shard only, 0 to 63.
    #[arg(long, value_name = "N")]
    pub(crate) shard: Option<u16>,
    /// Do not wait until it is done.
    #[arg(long)]
    pub(crate) no_wait: bool,
    /// Operator API of the node that does it.
    #[arg(long, env = ADMIN_VARIABLE, default_value = "http://127.0.0.1:7402", value_name = "URL")]
    pub(crate) admin: String,
    #[command(flatten)]
    pub(crate) credentials: CredentialArgs,
}

#[derive(Debug, Args)]
#[command(
    after_help = "Leaders that are not in the listing's home region go back there by themselves once a voter there is steady."
)]
pub(crate) struct TransferArgs {
    /// The listing.
    #[arg(value_name = "LISTING")]
    pub(crate) listing: ListingId,
    /// Number of the voter that is to lead.
    #[arg(long, value_name = "NODE")]
    pub(crate) to: NodeId,
    /// Operator API of the node that leads now.
    #[arg(long, env = ADMIN_VARIABLE, default_value = "http://127.0.0.1:7402", value_name = "URL")]
    pub(crate) admin: String,
    #[command(flatten)]
    pub(crate) credentials: CredentialArgs,
}

#[derive(Debug, Args)]
#[command(
    after_help = "It is the view of the node that is asked; what that does not know is never called fine. Exit status: 0 when nothing is wrong, or only what somebody wants so (a drain); 4 when every promise is kept with less behind it; 5 when one is not kept now; 1 when the node could not be asked."
)]
pub(crate) struct StatusArgs {
    /// Operator API of the node.
    #[arg(long, env = ADMIN_VARIABLE, default_value = "http://127.0.0.1:7402", value_name = "URL")]
    pub(crate) admin: String,
    #[command(flatten)]
    pub(crate) credentials: CredentialArgs,
    /// Print JSON instead of a table.
    #[arg(long)]
    pub(crate) json: bool,
}
