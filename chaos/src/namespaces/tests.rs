//! Every protocol through the links, as processes in namespaces see it. Without root nothing of it
//! can be shown: each test says so.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{Ipv4Addr, TcpListener, TcpStream, UdpSocket};
use std::os::fd::AsFd as _;
use std::path::Path;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

use super::{Namespaces, NoNamespaces, ip};
use crate::layout::WanPlan;
use crate::link::{Impairment, Traffic};
use crate::until::until;
use crate::wan::{NodePair, Wan};

const PATIENCE: Duration = Duration::from_secs(30);
/// Long enough for whatever is not lost: the longest way is 55 ms.
const SILENCE: Duration = Duration::from_millis(600);
const THERE: NodePair = (1, 2);
const BACK: NodePair = (2, 1);
/// Between the first two regions of the plan, scaled down by 4.
const ROUND_TRIP: Duration = Duration::from_millis(20);
const PORT: u16 = 7_777;

/// Namespaces of these nodes; `None` without root, which is said.
fn opened(nodes: &[u64]) -> Option<Namespaces> {
    match Namespaces::open(nodes) {
        Ok(opened) => Some(opened),
        Err(left_out @ (NoNamespaces::NotRoot | NoNamespaces::Missing { .. })) => {
            eprintln!("LEFT OUT, nothing is shown of namespaces: {left_out}");
            None
        }
        Err(cause) => panic!("there are no namespaces: {cause}"),
    }
}

/// Three nodes' namespaces and the links between.
fn network() -> Option<(Arc<Namespaces>, Wan)> {
    let opened = Arc::new(opened(&[1, 2, 3])?);
    let plan = WanPlan::scaled_down(4).with_seed(5);
    let wan = Wan::between(&plan, &opened).expect("the links start");
    Some((opened, wan))
}

/// Makes something, a socket, as a process in the namespace of a node would.
fn within<T: Send>(namespaces: &Namespaces, node: u64, make: impl FnOnce() -> T + Send) -> T {
    let path = Path::new(ip::NAMED).join(namespaces.slot.namespace(node));
    let entrance = File::open(path).expect("it is there");
    thread::scope(|scope| {
        let made = scope.spawn(|| {
            let network = Some(LinkNameSpaceType::Network);
            move_into_link_name_space(entrance.as_fd(), network).expect("we are root");
            make()
        });
        made.join().expect("made")
    })
}

fn address(namespaces: &Namespaces, node: u64) -> Ipv4Addr {
    namespaces.wan(node).expect("a node of the network")
}

/// A socket of UDP in each namespace that hears for `SILENCE`.
fn sockets(namespaces: &Namespaces) -> BTreeMap<u64, UdpSocket> {
    let of_node = |node: u64| {
        let own = (address(namespaces, node), PORT);
        let socket = within(namespaces, node, || UdpSocket::bind(own).expect("a port"));
        socket.set_read_timeout(Some(SILENCE)).expect("settable");
        (node, socket)
    };
    [1, 2, 3].map(of_node).into()
}

/// Whether a datagram of node 1 comes to node 2.
fn is_heard(namespaces: &Namespaces, sockets: &BTreeMap<u64, UdpSocket>) -> bool {
    let to = (address(namespaces, 2), PORT);
    sockets[&1].send_to(b"hello", to).expect("sent");
    let mut buffer = [0; 16];
    match sockets[&2].recv_from(&mut buffer) {
        Ok((length, from)) => {
            assert_eq!(&buffer[..length], b"hello");
            assert_eq!(from.ip(), address(namespaces, 1));
            true
        }
        Err(cause) => {
            assert_eq!(cause.kind(), ErrorKind::WouldBlock);
            false
        }
    }
}

fn counted(wan: &Wan, pair: NodePair) -> Traffic {
    wan.traffic(pair).expect("a link")
}

#[tokio::test]
async fn connection_of_tcp_takes_the_round_trips_of_its_link_and_its_bytes_arrive() {
    let Some((namespaces, wan)) = network() else {
        return;
    };
    let to = (address(&namespaces, 2), PORT);
    let listener = within(&namespaces, 2, || TcpListener::bind(to).expect("a port"));
    let echo = thread::spawn(move || {
        let (mut caller, _) = listener.accept().expect("a caller");
        let mut said = vec![0; 100_000];
        caller.read_exact(&mut said).expect("read");
        caller.write_all(&said).expect("written");
    });
    let begun = Instant::now();
    let mut caller = within(&namespaces, 1, || {
        TcpStream::connect(to).expect("connected")
    });
    assert!(begun.elapsed() >= ROUND_TRIP, "{:?}", begun.elapsed());
    let said: Vec<u8> = (0..100_000_u32)
        .map(|number| number.to_le_bytes()[1])
        .collect();
    caller.write_all(&said).expect("written");
    let mut heard = vec![0; said.len()];
    caller.read_exact(&mut heard).expect("read");
    assert!(begun.elapsed() >= 2 * ROUND_TRIP);
    assert_eq!(heard, said);
    echo.join().expect("it has answered");
    for pair in [THERE, BACK] {
        // Packets of 1,500 bytes, and acknowledgements.
        assert!(
            counted(&wan, pair).passed >= 67,
            "{:?}",
            counted(&wan, pair)
        );
        assert!(counted(&wan, pair).mean_under_way() >= Some(ROUND_TRIP / 2));
    }
    assert_eq!(counted(&wan, (1, 3)).arrived, 0);
    assert_eq!(wan.dropped_by_system(), Some(0));
    wan.stop().await;
}

#[tokio::test]
async fn cut_of_one_way_is_a_cut_of_that_way_until_it_is_lifted() {
    let Some((namespaces, wan)) = network() else {
        return;
    };
    let sockets = sockets(&namespaces);
    assert!(is_heard(&namespaces, &sockets));
    let laid = wan.lay(&[THERE], Impairment::Cut);
    assert!(!is_heard(&namespaces, &sockets));
    assert_eq!(counted(&wan, THERE).cut, 1);
    // The other way is whole.
    let to = (address(&namespaces, 1), PORT);
    sockets[&2].send_to(b"here", to).expect("sent");
    let mut buffer = [0; 16];
    assert_eq!(sockets[&1].recv(&mut buffer).expect("heard"), 4);
    wan.lift(laid);
    assert!(is_heard(&namespaces, &sockets));
    wan.stop().await;
}

#[tokio::test]
async fn loss_duplication_and_the_longest_packet_are_what_they_are_of_relays() {
    const SENT: u64 = 200;
    let Some((namespaces, wan)) = network() else {
        return;
    };
    let sockets = sockets(&namespaces);
    let send = async |bytes: usize, most: Impairment| {
        let before = counted(&wan, THERE);
        let laid = wan.lay(&[THERE], most);
        for _ in 0..SENT {
            let to = (address(&namespaces, 2), PORT);
            sockets[&1].send_to(&vec![7; bytes], to).expect("sent");
        }
        let what = "all have come, and passed or were lost";
        let seen = until(PATIENCE, what, async || {
            let now = counted(&wan, THERE).since(&before);
            let lost = now.lost + now.too_long;
            let gone = now.passed + lost == now.arrived + now.duplicated;
            (now.arrived == SENT && gone).then_some(now)
        });
        let seen = seen.await.expect("in time");
        wan.lift(laid);
        seen
    };
    let lossy = send(100, Impairment::Loss(0.5)).await;
    assert!((50..150).contains(&lossy.lost), "{lossy:?}");
    let doubled = send(100, Impairment::Duplicate(1.0)).await;
    assert_eq!(doubled.passed, 2 * SENT);
    // By what is inside, as relays count: headers are not.
    assert_eq!(send(1_300, Impairment::Mtu(1_300)).await.too_long, 0);
    assert_eq!(send(1_301, Impairment::Mtu(1_300)).await.too_long, SENT);
    // A flipped bit is never in the address: the system sees the sum, and drops it.
    let broken = send(100, Impairment::Corrupt(1.0)).await;
    assert_eq!((broken.corrupted, broken.passed), (SENT, SENT));
    wan.stop().await;
}

#[tokio::test]
async fn device_that_goes_away_is_told_with_its_node_and_no_other_way_is() {
    let Some((namespaces, wan)) = network() else {
        return;
    };
    let sockets = sockets(&namespaces);
    assert!(is_heard(&namespaces, &sockets));
    assert_eq!(wan.why_broken(), None);
    let namespace = namespaces.slot.namespace(2);
    ip::run_in(&namespace, &["link del wan"]).expect("it was there");
    let to = (address(&namespaces, 2), PORT);
    sockets[&1].send_to(b"into nothing", to).expect("sent");
    let told = tokio::time::timeout(PATIENCE, wan.broken()).await;
    let told = told.expect("in time");
    assert!(told.contains("node 2"), "{told}");
    assert_eq!(wan.why_broken(), Some(told));
    wan.stop().await;
}

#[test]
fn what_a_dead_run_has_left_is_removed_and_what_is_of_others_is_not() {
    // Numbers of nodes that no other test has: whoever comes first clears them away.
    let (dead, next) = (77_001, 77_002);
    let Some(Namespaces { slot, nodes: _ }) = opened(&[dead]) else {
        return;
    };
    let name = slot.namespace(dead);
    assert!(ip::namespaces().contains(&name));
    let others = format!("not-{name}");
    ip::run(&[&format!("netns add {others}")]).expect("made");
    slot.abandon();
    let next_one = Namespaces::open(&[next]).expect("there is a slot");
    let own = next_one.slot.namespace(next);
    let left = ip::namespaces();
    ip::remove(&format!("netns del {others}"));
    assert!(left.contains(&others) && left.contains(&own), "{left:?}");
    assert!(!left.contains(&name), "{left:?}");
    drop(next_one);
    assert!(!ip::namespaces().contains(&own));
}
