//! Effects on real sockets, by what comes out and by the counts.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::net::UdpSocket;

use super::{NodePair, Wan};
use crate::layout::WanPlan;
use crate::link::{Bandwidth, Burst, Impairment, Reorder, Traffic};
use crate::until::until;

const PATIENCE: Duration = Duration::from_secs(30);
const THERE: NodePair = (1, 2);
const BACK: NodePair = (2, 1);
const BYTES: usize = 64;

/// A network between sockets in the places of nodes.
struct Ends {
    wan: Wan,
    sockets: BTreeMap<u64, UdpSocket>,
}

impl Ends {
    async fn start() -> Self {
        let plan = WanPlan::scaled_down(40).with_seed(11);
        let mut sockets = BTreeMap::new();
        let mut peers: BTreeMap<u64, SocketAddr> = BTreeMap::new();
        for node in &plan.nodes {
            let socket = UdpSocket::bind("127.0.0.1:0").await.expect("a port");
            peers.insert(node.id, socket.local_addr().expect("bound"));
            sockets.insert(node.id, socket);
        }
        let wan = Wan::start(&plan, &peers).expect("it starts");
        Self { wan, sockets }
    }

    /// Sends numbered datagrams from node 1 to node 2, no more at once than a socket holds.
    async fn send(&self, count: u8) {
        let to = self.wan.address(1, 2).expect("a link");
        for number in 0..count {
            let datagram = [number; BYTES];
            let sent = self.sockets[&1].send_to(&datagram, to).await;
            assert_eq!(sent.expect("sent"), BYTES);
        }
    }

    /// The next datagram that comes to a node, and where from.
    async fn next(&self, node: u64) -> (Vec<u8>, SocketAddr) {
        let mut buffer = [0; 2 * BYTES];
        let received = self.sockets[&node].recv_from(&mut buffer);
        let received = tokio::time::timeout(PATIENCE, received).await;
        let (length, from) = received.expect("in time").expect("received");
        (buffer[..length].to_vec(), from)
    }

    /// Waits until so many have come to the link, and all that it keeps are let out.
    async fn settled(&self, arrived: u64) -> Traffic {
        until(PATIENCE, "every datagram passed or lost", async || {
            let traffic = self.wan.traffic(THERE)?;
            let lost = traffic.cut
                + traffic.lost
                + traffic.lost_in_burst
                + traffic.too_long
                + traffic.overflowed;
            let out = traffic.passed + lost == arrived + traffic.duplicated;
            (traffic.arrived == arrived && out).then_some(traffic)
        })
        .await
        .expect("it settles")
    }

    /// What came to node 2 of 100 datagrams, in order, under an impairment.
    async fn under(impairment: Impairment) -> (Traffic, Vec<Vec<u8>>) {
        let ends = Self::start().await;
        ends.wan.lay(&[THERE], impairment);
        ends.send(100).await;
        let traffic = ends.settled(100).await;
        let mut came = Vec::new();
        for _ in 0..traffic.passed {
            came.push(ends.next(2).await.0);
        }
        ends.wan.stop().await;
        (traffic, came)
    }
}

fn numbered(count: u8) -> Vec<Vec<u8>> {
    (0..count).map(|number| vec![number; BYTES]).collect()
}

#[tokio::test]
async fn whole_link_passes_both_ways_and_counts_each_direction() {
    let ends = Ends::start().await;
    ends.send(1).await;
    let (asked, from) = ends.next(2).await;
    ends.sockets[&2].send_to(&asked, from).await.expect("sent");
    assert_eq!(
        ends.next(1).await,
        (asked, ends.wan.address(1, 2).expect("a link"))
    );
    for direction in [THERE, BACK] {
        until(PATIENCE, "one each way", async || {
            (ends.wan.traffic(direction)?.passed == 1).then_some(())
        })
        .await
        .expect("counted");
    }
    assert_eq!(ends.wan.traffic((1, 3)), Some(Traffic::default()));
    assert_eq!(ends.wan.lateness().datagrams(), 2);
    assert_eq!(ends.wan.dropped_by_system(), Some(0));
    ends.wan.stop().await;
}

#[tokio::test]
async fn one_way_cut_loses_there_and_passes_back() {
    let ends = Ends::start().await;
    ends.send(1).await;
    let (datagram, from) = ends.next(2).await;
    let cut = ends.wan.lay(&[THERE], Impairment::Cut);
    ends.send(9).await;
    let lost = ends.settled(10).await;
    assert_eq!((lost.cut, lost.passed), (9, 1));
    ends.sockets[&2]
        .send_to(&datagram, from)
        .await
        .expect("sent");
    ends.next(1).await;
    ends.wan.lift(cut);
    ends.send(1).await;
    ends.next(2).await;
    ends.wan.stop().await;
}

#[tokio::test]
async fn what_several_have_laid_is_lifted_one_by_one() {
    let ends = Ends::start().await;
    let healthy = ends.wan.model(THERE);
    let slow = ends.wan.lay(&[THERE, BACK], Impairment::Delay(PATIENCE));
    let lossy = ends.wan.lay(&[THERE], Impairment::Loss(0.5));
    ends.wan.lift(slow);
    let left = ends.wan.model(THERE).expect("a link");
    assert_eq!(
        (Some(left.delay), left.loss),
        (healthy.map(|model| model.delay), 0.5)
    );
    ends.wan.isolate("us-east");
    ends.wan.lift(lossy);
    assert_ne!(ends.wan.model(THERE), healthy);
    ends.wan.heal();
    assert_eq!(ends.wan.model(THERE), healthy);
    // Whoever comes too late to lift his own does no harm.
    ends.wan.lift(lossy);
    assert_eq!(ends.wan.model(THERE), healthy);
    ends.wan.stop().await;
}

#[tokio::test]
async fn delay_is_seen_in_the_mean_time_under_way() {
    let added = Duration::from_millis(50);
    let (traffic, came) = Ends::under(Impairment::Delay(added)).await;
    assert_eq!(came, numbered(100));
    // Never less: a relay may be late, not early.
    assert!(traffic.mean_under_way() >= Some(added + Duration::from_millis(1)));
    let (traffic, came) = Ends::under(Impairment::Jitter(added)).await;
    assert_eq!((came, traffic.reordered), (numbered(100), 0));
    assert!(traffic.mean_under_way() >= Some(added / 4));
}

#[tokio::test]
async fn losses_are_counted_by_what_they_come_from() {
    let (traffic, came) = Ends::under(Impairment::Loss(0.5)).await;
    assert!(traffic.lost > 0 && traffic.passed > 0);
    assert_eq!(came.len() as u64, 100 - traffic.lost);
    let (traffic, _) = Ends::under(Impairment::Burst(Burst::new(10.0, 10.0, 1.0))).await;
    assert!(traffic.lost_in_burst > 0 && traffic.lost == 0);
    let (traffic, came) = Ends::under(Impairment::Mtu(BYTES - 1)).await;
    assert_eq!((traffic.too_long, came.len()), (100, 0));
    let (traffic, _) = Ends::under(Impairment::Mtu(BYTES)).await;
    assert_eq!((traffic.too_long, traffic.passed), (0, 100));
}

#[tokio::test]
async fn doubled_overtaken_and_corrupted_datagrams_come_out_so() {
    let (traffic, came) = Ends::under(Impairment::Duplicate(0.5)).await;
    assert!(traffic.duplicated > 0);
    assert_eq!(came.len() as u64, 100 + traffic.duplicated);
    let reorder = Reorder {
        share: 0.2,
        by: Duration::from_millis(20),
    };
    let (traffic, came) = Ends::under(Impairment::Reorder(reorder)).await;
    assert!(traffic.reordered > 0 && !came.is_sorted());
    let (traffic, came) = Ends::under(Impairment::Corrupt(0.5)).await;
    let sent = numbered(100);
    let changed = came.iter().zip(&sent).filter(|(came, sent)| came != sent);
    assert!(traffic.corrupted > 0);
    assert_eq!(changed.count() as u64, traffic.corrupted);
}

#[tokio::test]
async fn narrow_link_keeps_datagrams_waiting_and_drops_what_would_wait_too_long() {
    let narrow = Impairment::Bandwidth(Bandwidth {
        bytes_per_s: 64_000,
        queue: Duration::from_millis(20),
    });
    let (traffic, _) = Ends::under(narrow).await;
    assert!(traffic.queued > 0 && traffic.overflowed > 0 && traffic.passed > 0);
}

#[tokio::test]
async fn links_of_one_region_are_there_if_the_plan_wants_them() {
    let plan = WanPlan::scaled_down(40).with_node(4, "ap-southeast");
    let peers: BTreeMap<u64, SocketAddr> = plan
        .nodes
        .iter()
        .map(|node| (node.id, SocketAddr::from(([127, 0, 0, 1], 9))))
        .collect();
    let wan = Wan::start(&plan, &peers).expect("it starts");
    assert_eq!((wan.address(3, 4), wan.directions().count()), (None, 10));
    wan.stop().await;
    let wan = Wan::start(&plan.linked_everywhere(), &peers);
    let wan = wan.expect("it starts");
    assert!(wan.address(3, 4).is_some());
    assert_eq!(wan.directions().count(), 12);
    wan.stop().await;
}
