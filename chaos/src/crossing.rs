//! The links between namespaces: packets that a node sends into its `wan` device are read here,
//! and let out at the device of whom they are for when the link says so.
//!
//! It looks at nothing but the destination in the IP header, so that every protocol passes.
//! Between nodes without a link, packets cross at once. What is for nobody is lost.

use std::collections::BTreeMap;
use std::io;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustix::io::Errno;
use tokio::sync::watch;
use tokio::time::sleep_until;
use tokio_tun::Tun;

use crate::engine::Engine;
use crate::link::Lane;
use crate::namespaces::Namespaces;
use crate::relay::Way;

/// Longest packet of IP.
const PACKET_BYTES_MAX: usize = 65_536;
/// Bytes of the headers of IP and UDP: links count what is inside, as relays of datagrams do,
/// and damage nothing else, so that what is damaged still arrives where it should.
const HEADER_BYTES: usize = 28;
/// Wait when nothing is under way: any time far away does.
const IDLE: Duration = Duration::from_secs(3_600);

/// Devices of all nodes, and the tasks that read them. They end with their engine.
#[derive(Debug)]
pub(crate) struct Crossing {
    namespaces: Arc<Namespaces>,
    broken: watch::Receiver<Option<String>>,
}

impl Crossing {
    /// Makes the device of every node. `way` says what a direction does to packets; `None` where
    /// there is no link.
    pub(crate) fn start(
        namespaces: &Arc<Namespaces>,
        engine: &Engine,
        way: impl Fn((u64, u64)) -> Option<Way>,
    ) -> io::Result<Self> {
        let mut devices = BTreeMap::new();
        for node in namespaces.nodes() {
            devices.insert(*node, Arc::new(namespaces.tun(*node, engine)?));
        }
        let (breaks, broken) = watch::channel(None);
        for (from, device) in &devices {
            let door = |node: &u64, device: &Arc<Tun>| Door {
                node: *node,
                device: Arc::clone(device),
                breaks: breaks.clone(),
            };
            let others = devices.iter().filter(|(to, _)| *to != from);
            let exits = others.filter_map(|(to, device)| {
                let exit = Exit {
                    door: door(to, device),
                    link: way((*from, *to)).map(Link::new),
                };
                Some((namespaces.wan(*to)?, exit))
            });
            let entrance = Entrance {
                door: door(from, device),
                exits: exits.collect(),
            };
            engine.spawn(entrance.run());
        }
        Ok(Self {
            namespaces: Arc::clone(namespaces),
            broken,
        })
    }

    /// Why a node is not reached any more, from the first that this happened to on.
    pub(crate) fn broken(&self) -> watch::Receiver<Option<String>> {
        self.broken.clone()
    }

    /// Packets that the system threw away because they were not read in time.
    pub(crate) fn dropped_by_system(&self) -> Option<u64> {
        self.namespaces.dropped()
    }
}

/// The device of a node.
struct Door {
    node: u64,
    device: Arc<Tun>,
    /// Where it is said that it is gone.
    breaks: watch::Sender<Option<String>>,
}

/// Where one node's packets come in.
struct Entrance {
    door: Door,
    /// By whom packets are for.
    exits: BTreeMap<Ipv4Addr, Exit>,
}

/// Where they go out at another one.
struct Exit {
    door: Door,
    link: Option<Link>,
}

struct Link {
    way: Way,
    lane: Lane,
}

impl Link {
    fn new(way: Way) -> Self {
        let lane = Lane::new(way.seed).with_headers(HEADER_BYTES);
        Self { way, lane }
    }
}

impl Door {
    /// What a device does not take is lost, as on any link; but not by one that is gone.
    async fn let_out(&self, packet: &[u8]) {
        if let Err(cause) = self.device.send(packet).await
            && Errno::from_io_error(&cause) == Some(Errno::BADFD)
        {
            self.tell(&cause);
        }
    }

    /// Whoever looks at a run must not take this for silence.
    fn tell(&self, cause: &io::Error) {
        let node = self.node;
        self.breaks.send_if_modified(|broken| {
            let is_first = broken.is_none();
            broken.get_or_insert_with(|| {
                format!("packets of node {node} do not pass its device any more: {cause}")
            });
            is_first
        });
    }
}

impl Entrance {
    /// Takes packets in and lets them out when their time has come, until the device is gone.
    async fn run(mut self) {
        let mut buffer = vec![0; PACKET_BYTES_MAX];
        loop {
            let due = self.next_at().unwrap_or_else(|| Instant::now() + IDLE);
            tokio::select! {
                biased;
                () = sleep_until(due.into()) => self.deliver().await,
                received = self.door.device.recv(&mut buffer) => {
                    match received {
                        Ok(length) => self.take(&buffer[..length]).await,
                        Err(cause) => return self.door.tell(&cause),
                    }
                }
            }
        }
    }

    fn next_at(&self) -> Option<Instant> {
        let links = self.exits.values().filter_map(|exit| exit.link.as_ref());
        links.filter_map(|link| link.lane.next_at()).min()
    }

    async fn take(&mut self, packet: &[u8]) {
        let Some(exit) = destination(packet).and_then(|address| self.exits.get_mut(&address))
        else {
            return;
        };
        match &mut exit.link {
            Some(Link { way, lane }) => {
                let model = *way.model.borrow();
                way.meter
                    .arrived(&lane.admit(&model, Instant::now(), packet));
            }
            None => exit.door.let_out(packet).await,
        }
    }

    async fn deliver(&mut self) {
        let now = Instant::now();
        for Exit { door, link } in self.exits.values_mut() {
            let Some(Link { way, lane }) = link else {
                continue;
            };
            while let Some(parcel) = lane.let_out(now) {
                door.let_out(&parcel.bytes).await;
                way.meter.passed(&parcel);
            }
        }
    }
}

/// Whom a packet of IPv4 is for. Others are not of our network: neighbours' chatter of IPv6.
fn destination(packet: &[u8]) -> Option<Ipv4Addr> {
    let (version, address) = (packet.first()? >> 4, packet.get(16..20)?);
    let octets: [u8; 4] = address.try_into().ok()?;
    (version == 4).then(|| octets.into())
}

#[cfg(test)]
mod tests {
    use super::destination;

    #[test]
    fn destination_is_read_of_ipv4_alone() {
        let mut packet = [0; 28];
        packet[16..20].copy_from_slice(&[198, 19, 0, 11]);
        for (first, is) in [(0x45, true), (0x4f, true), (0x60, false)] {
            packet[0] = first;
            assert_eq!(destination(&packet).is_some(), is, "{first:x}");
        }
        assert_eq!(destination(&packet[..19]), None);
        assert_eq!(destination(&[]), None);
    }
}
