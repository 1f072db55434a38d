//! Node 2 of a release that holds no streams: the server of this one, at a door without room. That is
//! all in which the two differ.

use std::sync::{Arc, Mutex, mpsc};

use meridian_regions::{FormatLevel, Levels};
use quinn::{Connection, Endpoint};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::cluster::{Cluster, DEADLINE, Script, node};
use super::early::until_greeting;
use super::levels::{speaking, start};
use crate::acceptor::proven_identity;
use crate::greeting::Door;
use crate::peers::Peers;
use crate::served::DialNumber;
use crate::server::Server;
use crate::witnessed::Witnessed;
use crate::{Channel, LevelWitness, MeshService, endpoint};

/// Streams that wait at the door of a node of that release.
const EARLY_MAX: usize = 0;

/// A disk that has written nothing down before it is told to: whoever writes a later level is let in
/// no sooner.
#[derive(Debug)]
struct Slow(Mutex<mpsc::Receiver<()>>);

impl LevelWitness for Slow {
    fn witness(&self, _level: FormatLevel) -> Result<(), String> {
        let told = self.0.lock().expect("no panic");
        // Told once, for all that come later.
        let _ = told.recv();
        Ok(())
    }

    fn witnessed(&self) -> FormatLevel {
        FormatLevel::FIRST
    }
}

struct Former {
    endpoint: Endpoint,
    /// Those on which it serves.
    connections: Arc<Mutex<Vec<Connection>>>,
    tracker: TaskTracker,
    closed: CancellationToken,
}

impl Former {
    fn start(cluster: &Cluster, disk: Slow) -> Self {
        drop(cluster.socket(2));
        let options = cluster.options(2);
        let endpoint = endpoint::bind(&options).expect("bound");
        let dialect = speaking(Levels::REHEARSED, FormatLevel::FIRST);
        let witnessed = Witnessed::new(dialect.formats.active, Some(Arc::new(disk)));
        let peers = Arc::new(Peers::new(
            (&options.identity, dialect, witnessed),
            options.peers,
            options.departed,
            options.silence_max,
        ));
        let (tracker, closed) = (TaskTracker::new(), CancellationToken::new());
        let service: Arc<dyn MeshService> = Arc::new(Script::default());
        let server = Server::new(service, &peers, &tracker, &closed);
        let former = Self {
            endpoint,
            connections: Arc::default(),
            tracker,
            closed,
        };
        former.tracker.spawn(former.accept(server, peers));
        former
    }

    fn accept(&self, server: Server, peers: Arc<Peers>) -> impl Future<Output = ()> + use<> {
        let (endpoint, tracker) = (self.endpoint.clone(), self.tracker.clone());
        let connections = Arc::clone(&self.connections);
        async move {
            let mut dials = 0;
            while let Some(incoming) = endpoint.accept().await {
                let Ok(connection) = incoming.await else {
                    continue;
                };
                dials += 1;
                let peer = proven_identity(&connection).expect("of this cluster");
                let dial = DialNumber(dials);
                let accepted = peers.served.accept(peer.node, &connection, dial);
                let (server, door) = (server.clone(), Door::of(&accepted, EARLY_MAX));
                tracker.spawn(async move { server.serve(door, &peer).await });
                connections.lock().expect("no panic").push(connection);
            }
        }
    }

    /// Waits until it has answered something.
    async fn until_it_has_answered(&self) {
        let has_answered = || {
            let connections = self.connections.lock().expect("no panic");
            let mut all = connections.iter();
            all.any(|connection| connection.stats().frame_tx.stream > 0)
        };
        let answered = async {
            while !has_answered() {
                tokio::task::yield_now().await;
            }
        };
        timeout(DEADLINE, answered).await.expect("in time");
    }

    async fn stop(self) {
        self.endpoint.close(0_u32.into(), b"done");
        self.closed.cancel();
        self.tracker.close();
        let ended = timeout(DEADLINE, self.tracker.wait()).await;
        ended.expect("every task ends");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn node_of_a_release_that_holds_no_streams_is_asked_again_once_it_lets_this_one_in() {
    let cluster = Cluster::new();
    let (written, told) = mpsc::channel();
    let two = Former::start(&cluster, Slow(told.into()));
    let raised = speaking(Levels::REHEARSED, FormatLevel::REHEARSED);
    let one = start(&cluster, 1, raised);
    until_greeting(&one).await;
    let opened = one.mesh.open_stream(node(2), Channel::Pull, "x".into());
    let refuses = async {
        // The greeting it has not: so it is what was asked for behind that.
        two.until_it_has_answered().await;
        assert!(!one.mesh.connected(node(2)));
        drop(written);
    };
    let both = timeout(DEADLINE, async { tokio::join!(opened, refuses) });
    let (opened, ()) = both.await.expect("in time");
    let mut frames = opened.expect("it is asked again");
    assert!(one.mesh.connected(node(2)));
    assert_eq!(frames.next().await, Ok(Some("one".into())));
    one.stop().await;
    two.stop().await;
}
