//! A UDP relay that plays one link: what one node sends to another passes here.
//!
//! The node that dials sends to the relay's port; the relay forwards from a socket
//! of its own, so that answers come back to it, and each direction has its model.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::net::UdpSocket;
use tokio::sync::watch;
use tokio::time::{sleep, sleep_until};

use crate::engine::Engine;
use crate::link::{Lane, LinkModel, Meter};

/// Longest datagram.
const DATAGRAM_BYTES_MAX: usize = 65_536;
/// Wait after the system has refused to give a datagram: an error that stays must not keep the
/// thread of all links busy.
const AFTER_ERROR: Duration = Duration::from_millis(1);
/// Wait when nothing is under way: any time far away does.
const IDLE: Duration = Duration::from_secs(3_600);

/// One direction as its relays see it: what it does to datagrams, what became of them,
/// and what chance is.
#[derive(Debug, Clone)]
pub(crate) struct Way {
    pub(crate) model: watch::Receiver<LinkModel>,
    pub(crate) meter: Arc<Meter>,
    pub(crate) seed: u64,
}

/// A running relay: from a dialling node to one other.
#[derive(Debug)]
pub(crate) struct Relay {
    /// Where the dialling node sends to.
    pub(crate) address: SocketAddr,
    /// Ports that it receives on.
    pub(crate) ports: [u16; 2],
}

impl Relay {
    /// Starts a relay on a free port of loopback. It ends with its engine.
    pub(crate) fn start(
        target: SocketAddr,
        there: Way,
        back: Way,
        engine: &Engine,
    ) -> io::Result<Self> {
        let (outside, inside) = (Arc::new(engine.socket()?), Arc::new(engine.socket()?));
        let address = outside.local_addr()?;
        let ports = [address.port(), inside.local_addr()?.port()];
        let (dialler, diallers) = watch::channel(None);
        let there = Direction {
            from: Arc::clone(&outside),
            to: Arc::clone(&inside),
            target: Target::Fixed(target),
            seen: Some(dialler),
            way: there,
        };
        let back = Direction {
            from: inside,
            to: outside,
            target: Target::Latest(diallers),
            seen: None,
            way: back,
        };
        for direction in [there, back] {
            engine.spawn(direction.run());
        }
        Ok(Self { address, ports })
    }
}

enum Target {
    Fixed(SocketAddr),
    /// Whoever sent last from the other side.
    Latest(watch::Receiver<Option<SocketAddr>>),
}

impl Target {
    fn address(&self) -> Option<SocketAddr> {
        match self {
            Self::Fixed(address) => Some(*address),
            Self::Latest(seen) => *seen.borrow(),
        }
    }
}

struct Direction {
    from: Arc<UdpSocket>,
    to: Arc<UdpSocket>,
    target: Target,
    seen: Option<watch::Sender<Option<SocketAddr>>>,
    way: Way,
}

impl Direction {
    /// Takes datagrams in and lets them out when their time has come.
    async fn run(self) {
        let mut lane = Lane::new(self.way.seed);
        let mut buffer = vec![0; DATAGRAM_BYTES_MAX];
        loop {
            let next = lane.next_at().unwrap_or_else(|| Instant::now() + IDLE);
            tokio::select! {
                biased;
                () = sleep_until(next.into()) => self.deliver(&mut lane).await,
                received = self.from.recv_from(&mut buffer) => {
                    // A refused datagram shows up here as an error: it is lost, no more.
                    let Ok((length, sender)) = received else {
                        sleep(AFTER_ERROR).await;
                        continue;
                    };
                    if let Some(seen) = &self.seen {
                        seen.send_if_modified(|known| known.replace(sender) != Some(sender));
                    }
                    let model = *self.way.model.borrow();
                    let fate = lane.admit(&model, Instant::now(), &buffer[..length]);
                    self.way.meter.arrived(&fate);
                }
            }
        }
    }

    async fn deliver(&self, lane: &mut Lane) {
        let now = Instant::now();
        while let Some(parcel) = lane.let_out(now) {
            if let Some(target) = self.target.address() {
                // A datagram that the system does not take is lost, as on any link.
                let _ = self.to.send_to(&parcel.bytes, target).await;
            }
            self.way.meter.passed(&parcel);
        }
    }
}
