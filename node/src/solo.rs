//! A node in the process of a test: real databases, real ports. Most often a whole cluster,
//! and nobody else.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use axum::Router;
use meridian_regions::{Genesis, ListingId, Survival, UnixNanos};
use meridian_replication_core::ListingDraft;
use meridian_transport::NodeIdentity;
use meridian_transport::pki::Authority;
use serde_json::json;
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::certificates::ClientTls;
use crate::config::Config;
use crate::connections::{Manners, serve};
use crate::node::Node;
use crate::supervisor;

/// The cluster as its one node reads it.
pub(crate) const TOPOLOGY: &str = r#"
cluster = "solo"
epoch = 1

[[regions]]
id = "eu-west"
latitude = 53.3
longitude = -6.3

[[nodes]]
id = 1
region = "eu-west"
zone = "eu-west-a"
peer = "127.0.0.1:1"
api = "http://127.0.0.1:1"
admin = "http://127.0.0.1:1"
"#;

/// A running node and what has to end with it.
pub(crate) struct Solo {
    pub(crate) node: Arc<Node>,
    pub(crate) tracker: TaskTracker,
    ending: CancellationToken,
    _folder: TempDir,
}

impl Solo {
    pub(crate) fn start() -> Self {
        Self::start_with(|_config| ())
    }

    /// The same, with other settings.
    pub(crate) fn start_with(settings: impl FnOnce(&mut Config)) -> Self {
        let cluster = "solo".parse().expect("a name");
        let authority = Authority::create(&cluster).expect("an authority");
        Self::start_in(TOPOLOGY, &authority, settings)
    }

    /// Node 1 of four, which runs; nobody listens where the others do.
    pub(crate) fn alone_of_four() -> Self {
        let mut topology = "cluster = \"solo\"\nepoch = 1\n".to_owned();
        for region in ["eu-west", "us-east", "ap-southeast"] {
            topology +=
                &format!("[[regions]]\nid = \"{region}\"\nlatitude = 0.0\nlongitude = 0.0\n");
        }
        for (id, region) in [
            (1, "eu-west"),
            (2, "us-east"),
            (3, "ap-southeast"),
            (4, "us-east"),
        ] {
            let address = format!("127.0.0.1:{id}");
            topology += &format!(
                "[[nodes]]\nid = {id}\nregion = \"{region}\"\nzone = \"{region}-{id}\"\n\
                 peer = \"{address}\"\napi = \"http://{address}\"\nadmin = \"http://{address}\"\n"
            );
        }
        let authority = Authority::create(&"solo".parse().expect("a name"));
        let zone = "eu-west-1".parse().expect("a zone");
        Self::start_in(&topology, &authority.expect("an authority"), |config| {
            config.node.zone = zone;
        })
    }

    /// A node of a cluster that may have others, node 1 of eu-west if the settings do not say
    /// otherwise.
    pub(crate) fn start_in(
        topology: &str,
        authority: &Authority,
        settings: impl FnOnce(&mut Config),
    ) -> Self {
        let folder = TempDir::new().expect("a temporary folder");
        let any_port = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let mut config = Config::reference();
        config.node.region = "eu-west".parse().expect("a region");
        config.node.zone = "eu-west-a".parse().expect("a zone");
        config.node.data_dir = folder.path().join("data");
        config.listen.api = any_port;
        config.listen.peer = any_port;
        config.listen.admin = any_port;
        config.tls.ca = folder.path().join("ca.pem");
        config.tls.cert = folder.path().join("node.pem");
        config.tls.key = folder.path().join("node.key");
        config.cluster.topology = folder.path().join("topology.toml");
        settings(&mut config);
        std::fs::write(&config.cluster.topology, topology).expect("a writable folder");
        let identity = NodeIdentity {
            cluster: "solo".parse().expect("a name"),
            region: config.node.region.clone(),
            node: config.node.id,
        };
        authority.save(folder.path()).expect("a writable folder");
        let credentials = authority.issue(&identity).expect("its own cluster");
        credentials
            .save(folder.path(), "node")
            .expect("a writable folder");

        let prepared = supervisor::prepare(config).expect("everything fits");
        let (tracker, ending) = (TaskTracker::new(), CancellationToken::new());
        let node = supervisor::assemble(prepared, &tracker, &ending, &ending).expect("free ports");
        Self {
            node,
            tracker,
            ending,
            _folder: folder,
        }
    }

    /// A group of this node alone, for a listing of its own.
    pub(crate) fn genesis(&self) -> Genesis {
        let home = self.node.identity.region.clone();
        Genesis {
            listing: ListingId::generate(UnixNanos::from_millis(1), rand::random(), home),
            survival: Survival::Region,
            voters: vec![self.node.identity.node],
            map_epoch: 1,
            created_by: self.node.identity.node,
        }
    }

    /// A listing that is there, at a latitude, on which this node alone votes.
    pub(crate) async fn listing(&self, title: &str, lat: f64) -> Genesis {
        let draft = ListingDraft::from_json(json!({
            "title": title,
            "location": {"lat": lat, "lon": 10.75},
            "capacity": 4,
            "nightly_price": {"amount": 12_900, "currency": "EUR"},
        }));
        let draft = draft.and_then(|draft| draft.validate()).expect("valid");
        let genesis = self.genesis();
        let replica = &self.node.replica;
        let made = replica.create(&genesis.listing, &draft, genesis.clone());
        made.await.expect("created");
        genesis
    }

    /// Serves routes on a port of this machine; answers their URL.
    pub(crate) async fn serve(&self, routes: Router) -> String {
        self.serve_by(None, routes).await
    }

    /// The same, by HTTPS if there is something to show.
    pub(crate) async fn serve_by(&self, tls: Option<ClientTls>, routes: Router) -> String {
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
            .await
            .expect("a free port");
        let address = port.local_addr().expect("it is bound");
        let ending = self.ending.clone();
        let manners = Manners::of(&self.node.config.limits);
        let url = match tls {
            None => format!("http://{address}"),
            Some(_) => format!("https://localhost:{}", address.port()),
        };
        self.tracker
            .spawn(serve((port, tls), routes, manners, ending));
        url
    }

    pub(crate) async fn stop(self) {
        self.ending.cancel();
        self.tracker.close();
        drop(self.node);
        self.tracker.wait().await;
    }
}
