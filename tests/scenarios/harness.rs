//! A cluster for a scenario, and what scenarios do over and over.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::LazyLock;
use std::time::Duration;

use meridian_chaos::{ClusterOptions, LocalCluster, Network, RegionPlan, WanPlan, until};
use meridian_client::{Answer, CallError, Client, NewStay};
use meridian_regions::FormatLevel;
use serde_json::{Value, json};
use tempfile::TempDir;

/// Ample time for anything that should happen.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);
/// How much shorter the links are than in the demo.
pub(crate) const LINK_DIVISOR: u32 = 8;

/// The binary under test.
pub(crate) fn binary() -> PathBuf {
    PathBuf::from(env!("CARGO_BIN_EXE_meridian"))
}

/// A running cluster, and the folder that goes with it.
pub(crate) struct Scenario {
    pub(crate) cluster: LocalCluster,
    folder: TempDir,
}

impl Scenario {
    /// Three regions of one node each: 1 in us-east, 2 in eu-west, 3 in ap-southeast.
    pub(crate) async fn start() -> Self {
        Self::start_with(WanPlan::scaled_down(LINK_DIVISOR), Vec::new()).await
    }

    /// The same and node 4, a second one in ap-southeast.
    pub(crate) async fn with_a_second_node() -> Self {
        let plan = WanPlan::scaled_down(LINK_DIVISOR).with_node(4, "ap-southeast");
        Self::start_with(plan, Vec::new()).await
    }

    /// The same, with links and settings of one's own.
    pub(crate) async fn start_with(plan: WanPlan, settings: Vec<String>) -> Self {
        let scenario = Self::prepare(plan, settings).await;
        scenario.cluster.launch().await.expect("it starts");
        scenario
    }

    /// The files of a cluster that has not started yet.
    pub(crate) async fn prepare(plan: WanPlan, settings: Vec<String>) -> Self {
        let folder = TempDir::new().expect("a temporary folder");
        let options = ClusterOptions {
            binary: binary(),
            folder: folder.path().to_path_buf(),
            plan,
            first_port: None,
            settings,
            network: Network::Relays,
        };
        let cluster = LocalCluster::prepare(options).await.expect("files");
        Self { cluster, folder }
    }

    /// The same as [`Scenario::with_a_second_node`], which is given no voters yet.
    pub(crate) async fn with_a_joining_node() -> Self {
        let plan = WanPlan::scaled_down(LINK_DIVISOR).with_node(4, "ap-southeast");
        let scenario = Self::prepare(plan, Vec::new()).await;
        for node in scenario.cluster.ids() {
            scenario.change_topology(node, 1, 4, "joining");
        }
        scenario.cluster.launch().await.expect("it starts");
        scenario
    }

    /// Three running nodes, and files for node 4, a second one in ap-southeast that joins: no
    /// topology has it, and it has none. The links are where `cluster.dial` says, so that a map
    /// that all nodes share leads each of them over its own.
    pub(crate) async fn with_a_node_to_come() -> Self {
        Self::with_node_4_to_come(WanPlan::scaled_down(LINK_DIVISOR), "ap-southeast").await
    }

    /// The same, but node 4 stands in a region of its own that is to come too.
    pub(crate) async fn with_a_region_to_come(region: RegionPlan) -> Self {
        let far = Duration::from_millis(150) / LINK_DIVISOR;
        let others = ["us-east", "eu-west", "ap-southeast"].map(|other| (other, far));
        let coming = region.id;
        let plan = WanPlan::scaled_down(LINK_DIVISOR).with_region(region, &others);
        Self::with_node_4_to_come(plan, coming).await
    }

    async fn with_node_4_to_come(plan: WanPlan, region: &'static str) -> Self {
        let mut scenario = Self::prepare(plan.with_node(4, region), Vec::new()).await;
        let admin = scenario.cluster.nodes().find(|node| node.id == 1);
        let join = format!("http://{}", admin.expect("node 1").admin);
        for reader in scenario.cluster.ids() {
            scenario.dial_by_configuration(reader, &join);
        }
        for node in [1, 2, 3] {
            scenario.cluster.restart(node).await.expect("it starts");
        }
        scenario.cluster.wait_connected().await.expect("connected");
        scenario
    }

    /// Three running nodes that can share a map: the links are where `cluster.dial` says.
    pub(crate) async fn with_one_map(settings: Vec<String>) -> Self {
        Self::with_one_map_of(FormatLevel::LATEST, settings).await
    }

    /// The same, by a map that says which level of formats is written.
    pub(crate) async fn with_one_map_of(level: FormatLevel, settings: Vec<String>) -> Self {
        let mut scenario = Self::prepare(WanPlan::scaled_down(LINK_DIVISOR), settings).await;
        for node in scenario.cluster.ids() {
            let path = scenario.folder_of(node).join("topology.toml");
            let mut topology = read_toml(&path);
            topology.insert("format_level".to_owned(), i64::from(level.get()).into());
            std::fs::write(&path, topology.to_string()).expect("written");
            scenario.dial_by_configuration(node, "");
            scenario.cluster.restart(node).await.expect("it starts");
        }
        scenario.cluster.wait_connected().await.expect("connected");
        scenario
    }

    /// Sets a key of a node's configuration, from its next start on.
    pub(crate) fn configure(&self, node: u64, section: &str, key: &str, value: toml::Value) {
        let path = self.folder_of(node).join("meridian.toml");
        let mut config = read_toml(&path);
        let empty = || toml::Value::Table(toml::Table::new());
        let section = config.entry(section).or_insert_with(empty);
        let section = section.as_table_mut().expect("a section");
        section.insert(key.to_owned(), value);
        std::fs::write(&path, config.to_string()).expect("written");
    }

    fn dial_by_configuration(&self, reader: u64, join: &str) {
        let path = self.folder_of(reader).join("topology.toml");
        let mut topology: toml::Table = read_toml(&path);
        let nodes = topology["nodes"].as_array_mut().expect("nodes");
        let dial = |node: &toml::Value| {
            let peer = node["peer"].as_str().expect("an address");
            toml::Value::from(format!("{}={peer}", node["id"]))
        };
        let dials: Vec<toml::Value> = nodes.iter().map(dial).collect();
        nodes.retain(|node| node["id"].as_integer() != Some(4));
        let peopled: Vec<_> = nodes.iter().map(|node| node["region"].clone()).collect();
        let regions = topology["regions"].as_array_mut().expect("regions");
        regions.retain(|region| peopled.contains(&region["id"]));
        std::fs::write(&path, topology.to_string()).expect("written");
        let path = self.folder_of(reader).join("meridian.toml");
        let mut config = read_toml(&path);
        let cluster = config["cluster"].as_table_mut().expect("a section");
        cluster.insert("dial".to_owned(), dials.into());
        if reader == 4 {
            cluster.remove("topology");
            cluster.insert("join".to_owned(), join.into());
        }
        std::fs::write(&path, config.to_string()).expect("written");
    }

    /// Has the topology of a node say, from its next start on, how a node of the cluster
    /// stands.
    pub(crate) fn change_topology(&self, reader: u64, epoch: u64, node: u64, state: &str) {
        let path = self.folder_of(reader).join("topology.toml");
        let mut topology = read_toml(&path);
        topology.insert(
            "epoch".to_owned(),
            i64::try_from(epoch).expect("small").into(),
        );
        let nodes = topology["nodes"].as_array_mut().expect("nodes");
        let id = toml::Value::from(i64::try_from(node).expect("small"));
        let known = nodes.iter_mut().find(|known| known["id"] == id);
        let known = known.expect("a node of the cluster").as_table_mut();
        known
            .expect("a table")
            .insert("state".to_owned(), state.into());
        std::fs::write(&path, topology.to_string()).expect("written");
    }

    /// What a node has logged so far.
    pub(crate) fn log(&self, node: u64) -> String {
        let path = self.folder.path().join(format!("node-{node}/node.log"));
        std::fs::read_to_string(path).expect("a node writes its log")
    }

    /// The files of a node.
    pub(crate) fn folder_of(&self, node: u64) -> PathBuf {
        let found = self.cluster.nodes().find(|running| running.id == node);
        found.expect("a node of the cluster").folder.clone()
    }

    pub(crate) fn client(&self, node: u64) -> Client {
        self.cluster.client(node).expect("a node of the cluster")
    }

    /// Creates a listing at one node and waits until every node has it.
    pub(crate) async fn listing(&self, node: u64) -> String {
        let answer = self
            .client(node)
            .create_listing(draft("Loft"))
            .await
            .expect("created");
        let id = text(&answer.body["id"]);
        self.everywhere(&id).await;
        id
    }

    /// Creates a listing that is at home where a node stands, and waits until every node
    /// has it.
    pub(crate) async fn listing_at_home(&self, node: u64) -> String {
        self.listing_that_survives(node, "region").await
    }

    /// The same, with a survival goal.
    pub(crate) async fn listing_that_survives(&self, node: u64, goal: &str) -> String {
        let mut nodes = self.cluster.nodes();
        let region = nodes.find(|known| known.id == node).map(|node| node.region);
        let mut draft = draft("At home");
        draft["home_region"] = json!(region.expect("a node of the cluster"));
        draft["survival"] = json!(goal);
        let created = self.client(node).create_listing(draft).await;
        let id = text(&created.expect("created").body["id"]);
        self.everywhere(&id).await;
        id
    }

    pub(crate) async fn everywhere(&self, listing: &str) {
        for node in self.cluster.ids() {
            let client = self.client(node);
            until(PATIENCE, format!("{listing} on node {node}"), async || {
                client.listing(listing).await.ok()
            })
            .await
            .expect("replicated");
        }
    }

    /// Waits until all nodes that hold a shard hold the same of it.
    pub(crate) async fn converged(&self) {
        until(PATIENCE, "every node holds the same", async || {
            let mut known: BTreeMap<u64, Value> = BTreeMap::new();
            let mut is_same = true;
            for node in self.cluster.ids() {
                let admin = self.cluster.admin(node).ok()?;
                let digests = admin.digests().await.ok()?;
                for shard in digests["shards"].as_array()? {
                    let first = known.entry(shard["shard"].as_u64()?);
                    is_same &= first.or_insert_with(|| shard.clone()) == shard;
                }
            }
            is_same.then_some(())
        })
        .await
        .expect("converged");
    }

    pub(crate) async fn stop(self) {
        self.cluster
            .shutdown()
            .await
            .expect("every node stops well");
    }
}

fn read_toml(path: &std::path::Path) -> toml::Table {
    let text = std::fs::read_to_string(path).expect("a file of the node");
    text.parse().expect("TOML")
}

pub(crate) fn draft(title: &str) -> Value {
    json!({
        "title": title,
        "location": {"lat": 59.91, "lon": 10.75},
        "capacity": 4,
        "nightly_price": {"amount": 12_900, "currency": "EUR"},
    })
}

pub(crate) fn text(value: &Value) -> String {
    value.as_str().expect("a string").to_owned()
}

/// Whether an event is told of a listing's document, and not of its ledger.
pub(crate) fn is_of_document(event: &Value) -> bool {
    let kind = event["type"].as_str();
    kind.is_some_and(|kind| kind.starts_with("listing."))
}

/// The day on which the scenario began, so that midnight moves no night.
static TODAY: LazyLock<jiff::civil::Date> = LazyLock::new(|| {
    let now = jiff::Timestamp::now();
    now.to_zoned_datetime(jiff::tz::TimeZone::UTC).date()
});

/// One night, `days` from the day on which the scenario began.
pub(crate) fn stay(days: i64) -> NewStay {
    let check_in = TODAY
        .checked_add(jiff::Span::new().days(days))
        .expect("a date");
    NewStay {
        check_in: check_in.to_string(),
        check_out: check_in.tomorrow().expect("a date").to_string(),
        guests: 2,
    }
}

pub(crate) fn key() -> String {
    format!("{:032x}", rand::random::<u128>())
}

/// Books until the outcome is known: the same key asks again safely.
pub(crate) async fn book_surely(
    client: &Client,
    listing: &str,
    stay: &NewStay,
) -> Result<Answer, CallError> {
    book_counting(client, listing, stay).await.0
}

/// The same; and how many errors were answered before the outcome was known.
pub(crate) async fn book_counting(
    client: &Client,
    listing: &str,
    stay: &NewStay,
) -> (Result<Answer, CallError>, u64) {
    let key = key();
    let mut errors = 0;
    let known = until(PATIENCE, "the outcome of a booking", async || match client
        .book(listing, stay, "card_ok", &key)
        .await
    {
        Err(error) if error.is_retryable() => {
            errors += 1;
            None
        }
        known => Some(known),
    })
    .await
    .expect("an outcome");
    (known, errors)
}

/// Ids of confirmed bookings of a listing, by night.
pub(crate) async fn sold(client: &Client, listing: &str) -> BTreeMap<String, Vec<String>> {
    let mut sold: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let mut cursor: Option<String> = None;
    loop {
        let page = until(PATIENCE, "the bookings of a listing", async || {
            let page = client.bookings_of(listing, cursor.as_deref()).await;
            page.ok()
        })
        .await
        .expect("a quorum")
        .body;
        for booking in page["data"].as_array().expect("a list") {
            if booking["state"] == "confirmed" {
                let night = text(&booking["check_in"]);
                sold.entry(night)
                    .or_default()
                    .push(text(&booking["booking_id"]));
            }
        }
        match page["next_cursor"].as_str() {
            Some(next) => cursor = Some(next.to_owned()),
            None => return sold,
        }
    }
}
