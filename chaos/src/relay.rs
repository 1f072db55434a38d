//! A UDP relay that plays one link: what one node sends to another passes here.
//!
//! The node that dials sends to the relay's port; the relay forwards from a socket
//! of its own, so that answers come back to it, and each direction has its model.

use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rand::SeedableRng;
use rand::rngs::StdRng;
use tokio::net::UdpSocket;
use tokio::sync::watch;
use tokio::time::sleep_until;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::link::LinkModel;

/// Longest datagram.
const DATAGRAM_BYTES_MAX: usize = 65_536;
/// Wait when nothing is under way: any time far away does.
const IDLE: Duration = Duration::from_secs(3_600);

/// A running relay: from a dialling node to one other.
#[derive(Debug)]
pub(crate) struct Relay {
    /// Where the dialling node sends to.
    pub(crate) address: SocketAddr,
    /// The model of both directions.
    pub(crate) model: watch::Sender<LinkModel>,
}

impl Relay {
    /// Starts a relay on a free port of loopback. It ends with `cancel`.
    pub(crate) async fn start(
        target: SocketAddr,
        model: LinkModel,
        tracker: &TaskTracker,
        cancel: &CancellationToken,
    ) -> io::Result<Self> {
        let outside = Arc::new(UdpSocket::bind("127.0.0.1:0").await?);
        let inside = Arc::new(UdpSocket::bind("127.0.0.1:0").await?);
        let address = outside.local_addr()?;
        let (model, models) = watch::channel(model);
        let (dialler, diallers) = watch::channel(None);
        let there = Direction {
            from: Arc::clone(&outside),
            to: Arc::clone(&inside),
            target: Target::Fixed(target),
            seen: Some(dialler),
            model: models.clone(),
        };
        let back = Direction {
            from: inside,
            to: outside,
            target: Target::Latest(diallers),
            seen: None,
            model: models,
        };
        for direction in [there, back] {
            let cancel = cancel.clone();
            tracker.spawn(async move {
                cancel.run_until_cancelled(direction.run()).await;
            });
        }
        Ok(Self { address, model })
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
    model: watch::Receiver<LinkModel>,
}

impl Direction {
    /// Takes datagrams in and lets them out when their time has come.
    async fn run(self) {
        let mut under_way: VecDeque<(Instant, Vec<u8>)> = VecDeque::new();
        let mut buffer = vec![0; DATAGRAM_BYTES_MAX];
        let mut random = StdRng::seed_from_u64(rand::random());
        loop {
            let next = under_way
                .front()
                .map_or_else(|| Instant::now() + IDLE, |(at, _)| *at);
            tokio::select! {
                biased;
                () = sleep_until(next.into()) => self.deliver(&mut under_way).await,
                received = self.from.recv_from(&mut buffer) => {
                    // A refused datagram shows up here as an error: it is lost, no more.
                    let Ok((length, sender)) = received else { continue };
                    if let Some(seen) = &self.seen {
                        seen.send_if_modified(|known| known.replace(sender) != Some(sender));
                    }
                    let last = under_way.back().map(|(at, _)| *at);
                    let model = *self.model.borrow();
                    let at = model.deliver_at(Instant::now(), last, under_way.len(), &mut random);
                    if let Some(at) = at {
                        under_way.push_back((at, buffer[..length].to_vec()));
                    }
                }
            }
        }
    }

    async fn deliver(&self, under_way: &mut VecDeque<(Instant, Vec<u8>)>) {
        let now = Instant::now();
        while under_way.front().is_some_and(|(at, _)| *at <= now) {
            let Some((_, datagram)) = under_way.pop_front() else {
                return;
            };
            if let Some(target) = self.target.address() {
                // A datagram that the system does not take is lost, as on any link.
                let _ = self.to.send_to(&datagram, target).await;
            }
        }
    }
}
