//! A connection that is silent, and the one that takes its place.

use std::pin::pin;
use std::time::Duration;

use futures::FutureExt;
use meridian_regions::Dialect;
use tokio::time::timeout;

use super::cluster::{Cluster, DEADLINE, node};
use super::early::{Asked, PULL, Played};
use super::links::{answers, ended};
use super::ways::{Lets, Told, patient};
use crate::call::REPLACED;
use crate::wire::{Status, welcome};
use crate::{CallError, Channel, StreamError};

#[tokio::test(flavor = "multi_thread")]
async fn what_resumes_is_asked_for_as_soon_as_a_silent_peer_is_greeted_anew() {
    let cluster = Cluster::new();
    let (way, two) = (Told::way(&cluster).await, Played::new(&cluster));
    let one = cluster.start_with(1, way.options(&cluster));
    let (_silent, greeting) = two.greeted().await;
    let welcome = welcome(&Dialect::default().into());
    greeting.answer(welcome.clone(), None).await;
    one.until_connected().await;
    way.lets.send_replace(Lets::Nothing);
    one.until_seen(|peer| peer.alive_for.is_none()).await;
    way.lets.send_replace(Lets::TheNew);
    let (another, greeting) = two.greeted().await;
    let mut connectivity = one.mesh.connectivity();
    let anew = async {
        while !one.mesh.greets_anew(node(2)) {
            connectivity.changed().await.expect("the mesh runs");
        }
    };
    timeout(DEADLINE, anew).await.expect("in time");
    let opened = one.mesh.open_stream(node(2), Channel::Pull, "x".into());
    let plays = async {
        let pull = Asked::on(&another).await.expect("asked");
        assert_eq!(pull.purpose, PULL);
        assert!(one.mesh.connected(node(2)), "the silent one stands");
        pull.answer(Status::Accepted.to_frame(), Some("first"))
            .await;
        greeting.answer(welcome, None).await;
    };
    let both = timeout(DEADLINE, async { tokio::join!(opened, plays) });
    let (opened, ()) = both.await.expect("in time");
    let mut frames = opened.expect("both are let in");
    assert_eq!(frames.next().await, Ok(Some("first".into())));
    assert!(!one.mesh.greets_anew(node(2)));
    one.stop().await;
    way.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn greeting_beside_a_silent_connection_outlives_it() {
    let cluster = Cluster::new();
    let (way, two) = (Told::way(&cluster).await, Played::new(&cluster));
    let mut options = way.options(&cluster);
    // Soon after it counts as silent, and long before a greeting is given up.
    options.idle_timeout = Duration::from_secs(2);
    let one = cluster.start_with(1, options);
    let (_silent, greeting) = two.greeted().await;
    let welcome = welcome(&Dialect::default().into());
    greeting.answer(welcome.clone(), None).await;
    one.until_connected().await;
    way.lets.send_replace(Lets::Nothing);
    one.until_seen(|peer| peer.alive_for.is_none()).await;
    way.lets.send_replace(Lets::TheNew);
    let (another, greeting) = two.greeted().await;
    one.until(|peer| !peer.connected).await;
    greeting.answer(welcome, None).await;
    one.until_connected().await;
    let opened = one.mesh.open_stream(node(2), Channel::Pull, "x".into());
    let plays = async {
        let pull = Asked::on(&another).await.expect("asked on this one");
        pull.answer(Status::Accepted.to_frame(), None).await;
    };
    let both = timeout(DEADLINE, async { tokio::join!(opened, plays) });
    let (opened, ()) = both.await.expect("in time");
    assert!(opened.is_ok(), "{opened:?}");
    assert!(another.close_reason().is_none());
    one.stop().await;
    way.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn dials_beside_a_silent_connection_outlive_it() {
    let cluster = Cluster::new();
    let way = Told::way(&cluster).await;
    let mut options = way.options(&cluster);
    // Soon after it counts as silent.
    options.idle_timeout = Duration::from_secs(2);
    let one = cluster.start_with(1, options);
    let two = cluster.start_with(2, patient(&cluster, 2));
    one.until_connected().await;
    way.lets.send_replace(Lets::NothingYet);
    one.until(|peer| !peer.connected).await;
    // As after a way of some round trips: what is answered now was begun before.
    way.lets.send_replace(Lets::TheHeld);
    one.until_connected().await;
    answers(&one).await;
    tokio::join!(one.stop(), two.stop());
    way.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn second_silence_does_not_wait_for_what_is_under_way_on_the_connection_before() {
    let (_cluster, way, one, two) = Told::nodes().await;
    // Nobody answers it, and it is not begun anew elsewhere.
    let mesh = one.mesh.clone();
    let mut under_way = pin!(mesh.call(
        node(2),
        Channel::Raft,
        "silence".into(),
        Duration::from_secs(3_600)
    ));
    assert!(under_way.as_mut().now_or_never().is_none());
    let mut connections = one.mesh.connections(node(2));
    for count in [2, 3] {
        way.lets.send_replace(Lets::Nothing);
        one.until_seen(|peer| peer.alive_for.is_none()).await;
        way.lets.send_replace(Lets::TheNew);
        let another = connections.wait_for(|connections| *connections == count);
        let another = timeout(DEADLINE, another).await;
        drop(another.expect("long before it is cut off for its age"));
        let replaced = one.mesh.peers()[0].silent_replaced;
        assert_eq!(replaced, count - 1, "each is counted");
        way.lets.send_replace(Lets::All);
        answers(&one).await;
    }
    let cut_off = timeout(DEADLINE, under_way).await.expect("in time");
    assert!(matches!(cut_off, Err(CallError::Unknown(_))), "{cut_off:?}");
    tokio::join!(one.stop(), two.stop());
    way.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn silent_connection_is_replaced_though_it_is_heard_again() {
    let (_cluster, way, one, two) = Told::nodes().await;
    answers(&one).await;
    let mut connections = one.mesh.connections(node(2));
    way.lets.send_replace(Lets::Nothing);
    one.until_seen(|peer| peer.alive_for.is_none()).await;
    way.lets.send_replace(Lets::TheOldFirst);
    let another = timeout(DEADLINE, connections.wait_for(|count| *count == 2)).await;
    drop(another.expect("it may send more at once"));
    answers(&one).await;
    tokio::join!(one.stop(), two.stop());
    way.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn silent_connection_gives_way_to_another_long_before_it_counts_as_lost() {
    let (_cluster, way, one, two) = Told::nodes().await;
    let silent = one.connection();
    let mut connections = one.mesh.connections(node(2));
    assert_eq!(*connections.borrow_and_update(), 1);
    let pull = async |what: &'static str| {
        let opened = one.mesh.open_stream(node(2), Channel::Pull, what.into());
        opened.await
    };
    let mut idle = pull("idle").await.expect("opened");
    assert_eq!(idle.next().await, Ok(Some("started".into())));
    let mut endless = pull("endless").await.expect("opened");
    assert!(matches!(endless.next().await, Ok(Some(_))));

    way.lets.send_replace(Lets::Nothing);
    let peer = one.until_seen(|peer| peer.alive_for.is_none()).await;
    assert!(peer.connected, "it stands: {peer:?}");
    let healed = async {
        way.lets.send_replace(Lets::TheNew);
        while one.connection().stable_id() == silent.stable_id() {
            tokio::task::yield_now().await;
        }
    };
    // The last frame that has come is not whole.
    let cut_short = async { while let Ok(Some(_)) = endless.next().await {} };
    let all = async { tokio::join!(pull("idle"), idle.next(), healed, cut_short) };
    let all = timeout(DEADLINE, all).await;
    let (opened, replaced, ..) = all.expect("another is dialled beside the silent one");
    // Each may be begun again, at once.
    let gone = StreamError::Broken(REPLACED.to_owned());
    assert_eq!(replaced, Err(gone.clone()));
    assert_eq!(endless.next().await, Err(gone));
    drop((idle, endless));
    let Err(CallError::Unknown(why)) = opened else {
        panic!("answered on a connection that is dumb")
    };
    assert_eq!(why, REPLACED);
    assert_eq!(*connections.borrow(), 2);
    answers(&one).await;
    let mut after = pull("idle").await.expect("opened");
    assert_eq!(after.next().await, Ok(Some("started".into())));
    assert_eq!(ended(&silent).await, "closed");

    tokio::join!(one.stop(), two.stop());
    way.end().await;
}
