//! Three replicas linked by the real mesh over loopback.

use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use meridian_transport::pki::Authority;
use meridian_transport::{
    Channel, FrameWriter, Mesh, MeshOptions, MeshService, NodeIdentity, PeerAddress, Refusal,
    ServiceFuture, TlsMaterial,
};
use tempfile::TempDir;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::setup::{PATIENCE, member, node, open};
use crate::Replica;

/// Serves pulls of the replica that is given later.
#[derive(Default)]
struct Serving(OnceLock<Replica>);

impl MeshService for Serving {
    fn call(&self, _: NodeIdentity, _: Channel, _: Bytes) -> ServiceFuture<Result<Bytes, Refusal>> {
        Box::pin(std::future::ready(Err(Refusal::Unsupported)))
    }

    fn stream(
        &self,
        peer: NodeIdentity,
        _channel: Channel,
        request: Bytes,
        replies: FrameWriter,
    ) -> ServiceFuture<()> {
        let replica = self.0.get().cloned();
        Box::pin(async move {
            if let Some(replica) = replica {
                replica.serve_pull(peer.node, request, replies).await;
            }
        })
    }
}

/// Three replicas; `links` says who knows whom.
pub(super) struct Cluster {
    pub(super) replicas: Vec<Replica>,
    tracker: TaskTracker,
    cancel: CancellationToken,
    _folder: TempDir,
}

impl Cluster {
    pub(super) fn start(links: &[(u64, u64)]) -> Self {
        let folder = TempDir::new().expect("a folder");
        let authority = Authority::create(&"test".parse().expect("a name")).expect("made");
        authority.save(folder.path()).expect("saved");
        let (tracker, cancel) = (TaskTracker::new(), CancellationToken::new());
        let addresses: Vec<SocketAddr> = (0..3).map(|_| free_address()).collect();
        let replicas = (1..=3).map(|id| {
            let identity = NodeIdentity {
                cluster: "test".parse().expect("a name"),
                region: member(id).region,
                node: node(id),
            };
            let name = format!("node-{id}");
            let issued = authority.issue(&identity).expect("issued");
            issued.save(folder.path(), &name).expect("saved");
            let file = |name: String| folder.path().join(name);
            let tls = TlsMaterial::load(
                &file("ca.pem".to_owned()),
                &file(format!("{name}.pem")),
                &file(format!("{name}.key")),
            );
            let own = addresses[usize::try_from(id).expect("small") - 1];
            let mut options = MeshOptions::new(own, identity, tls.expect("loaded"));
            let linked =
                |other: &u64| links.contains(&(id, *other)) || links.contains(&(*other, id));
            options.peers = (1..=3)
                .filter(linked)
                .map(|other| PeerAddress {
                    node: node(other),
                    region: member(other).region,
                    address: addresses[usize::try_from(other).expect("small") - 1].to_string(),
                })
                .collect();
            let replica = open(folder.path().join(format!("data-{id}")), id);
            let serving = Arc::new(Serving::default());
            let mesh = Mesh::start(options, Arc::clone(&serving) as _, &tracker, &cancel);
            let _ = serving.0.set(replica.clone());
            replica.start(&mesh.expect("started"), &tracker, &cancel);
            replica
        });
        let replicas = replicas.collect();
        Self {
            replicas,
            tracker,
            cancel,
            _folder: folder,
        }
    }

    pub(super) async fn converged(&self) {
        timeout(PATIENCE, async {
            loop {
                let digests: Vec<_> = self.replicas.iter().map(Replica::digests).collect();
                if digests.windows(2).all(|pair| pair[0] == pair[1]) {
                    return;
                }
                tokio::task::yield_now().await;
            }
        })
        .await
        .expect("converged");
    }

    pub(super) async fn stop(self) {
        self.cancel.cancel();
        self.tracker.close();
        timeout(PATIENCE, self.tracker.wait())
            .await
            .expect("every task ends");
    }
}

fn free_address() -> SocketAddr {
    let socket = std::net::UdpSocket::bind("127.0.0.1:0").expect("a free port");
    socket.local_addr().expect("an address")
}
