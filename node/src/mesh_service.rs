//! What this node does for the others: Raft messages, forwarded bookings,
//! requests of clients about listings that are held here, forwarded imports, the change log,
//! and questions about documents.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use bytes::Bytes;
use meridian_consensus::{Called, GroupTransport, Groups, TransportError};
use meridian_regions::{NodeId, RegionId, Topology};
use meridian_replication::Replica;
use meridian_transport::{
    CallError, Channel, FrameWriter, Mesh, MeshService, NodeIdentity, Refusal,
};

use crate::booking::BookingDesk;
use crate::cluster_map::{ClusterMap, Condition};
use crate::events::EventsDesk;
use crate::import::ImportDesk;
use crate::registers::Registers;
use crate::relay::RelayServer;

type Reply = Pin<Box<dyn Future<Output = Result<Bytes, Refusal>> + Send>>;

/// Everything that the mesh hands requests to.
pub(crate) struct Components {
    pub(crate) groups: Groups,
    pub(crate) replica: Replica,
    pub(crate) bookings: BookingDesk,
    pub(crate) imports: ImportDesk,
    pub(crate) events: EventsDesk,
    pub(crate) map: ClusterMap,
    pub(crate) registers: Registers,
}

/// Dispatches requests of other nodes by channel.
///
/// The mesh needs its service before the components exist, and they need the mesh:
/// so it starts empty and refuses politely until [`Dispatcher::connect`].
#[derive(Default)]
pub(crate) struct Dispatcher {
    components: OnceLock<Components>,
    /// The client API, for requests that other nodes pass on.
    relayed: OnceLock<RelayServer>,
}

impl Dispatcher {
    /// Gives the components; from now on requests are served.
    pub(crate) fn connect(&self, components: Components) {
        // A second call would be a bug of the supervisor; the first one stays.
        let _ = self.components.set(components);
    }

    /// Gives the routes that clients use; from now on what other nodes pass on is served.
    pub(crate) fn relay(&self, server: RelayServer) {
        let _ = self.relayed.set(server);
    }
}

impl MeshService for Dispatcher {
    fn call(&self, peer: NodeIdentity, channel: Channel, request: Bytes) -> Reply {
        let Some(components) = self.components.get() else {
            return Box::pin(std::future::ready(Err(Refusal::Unavailable)));
        };
        match channel {
            Channel::Raft => {
                let groups = components.groups.clone();
                Box::pin(async move { Ok(groups.handle(peer.node, request).await) })
            }
            Channel::Forward => {
                let bookings = components.bookings.clone();
                Box::pin(async move { Ok(bookings.serve(peer.node, request).await) })
            }
            Channel::Requests => match self.relayed.get().cloned() {
                Some(server) => Box::pin(async move { server.serve(peer.node, request).await }),
                None => Box::pin(std::future::ready(Err(Refusal::Unavailable))),
            },
            Channel::Watches => Box::pin(std::future::ready(Err(Refusal::Unsupported))),
            Channel::Layout => {
                let map = components.map.clone();
                let own = Condition::of(&components.groups, &components.replica);
                Box::pin(async move { Ok(map.serve(peer.node, &request, own).await) })
            }
            Channel::Control => {
                let imports = components.imports.clone();
                Box::pin(async move { Ok(imports.serve(request).await) })
            }
            Channel::Events => {
                let events = components.events.clone();
                Box::pin(async move { Ok(events.serve(&request)) })
            }
            Channel::Registers => {
                let registers = components.registers.clone();
                Box::pin(async move { registers.serve(request).await })
            }
            Channel::Pull => {
                let replica = components.replica.clone();
                Box::pin(async move { replica.serve_repair(peer.node, request).await })
            }
        }
    }

    fn stream(
        &self,
        peer: NodeIdentity,
        channel: Channel,
        request: Bytes,
        replies: FrameWriter,
    ) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        match (self.components.get(), self.relayed.get(), channel) {
            (Some(components), _, Channel::Pull) => {
                let replica = components.replica.clone();
                Box::pin(async move { replica.serve_pull(peer.node, request, replies).await })
            }
            (_, Some(server), Channel::Watches) => {
                let server = server.clone();
                Box::pin(async move { server.stream(peer.node, request, replies).await })
            }
            // Dropping the writer ends the stream: the peer tries again later.
            _ => Box::pin(std::future::ready(())),
        }
    }
}

/// Carries Raft messages over the mesh: the port that `consensus` declares.
#[derive(Debug, Clone)]
pub(crate) struct RaftOverMesh {
    mesh: Mesh,
    topology: Arc<Topology>,
}

impl RaftOverMesh {
    pub(crate) fn new(mesh: Mesh, topology: Arc<Topology>) -> Self {
        Self { mesh, topology }
    }
}

impl GroupTransport for RaftOverMesh {
    fn call(&self, to: NodeId, request: Bytes, deadline: Duration) -> Called {
        let mesh = self.mesh.clone();
        Box::pin(async move {
            mesh.call(to, Channel::Raft, request, deadline)
                .await
                .map_err(|error| match error {
                    CallError::Unknown(_) => TransportError::Unknown(error.to_string()),
                    _ => TransportError::NotSent(error.to_string()),
                })
        })
    }

    fn alive_for(&self, node: NodeId) -> Option<Duration> {
        self.mesh.alive_for(node)
    }

    fn is_quiet(&self, node: NodeId) -> bool {
        self.mesh.is_quiet(node)
    }

    fn region(&self, node: NodeId) -> Option<RegionId> {
        self.topology.node(node).map(|member| member.region.clone())
    }
}
