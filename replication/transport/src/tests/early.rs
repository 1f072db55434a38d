//! Streams that are asked for before a greeting has been answered, seen from both ends.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::stream::FuturesUnordered;
use futures::{FutureExt, StreamExt};
use meridian_regions::{Dialect, FormatLevel, Levels};
use quinn::{Connection, Endpoint};
use tokio::time::timeout;

use super::cluster::{Cluster, DEADLINE, Running, identity, node};
use super::levels::{speaking, start};
use super::raw::{endpoint_with, silent};
use crate::greeting::EARLY_MAX;
use crate::wire::{Expected, Purpose, Status, welcome};
use crate::{CallError, Channel, FrameReader, FrameWriter, MeshOptions, Refusal, call, endpoint};

pub(super) const PULL: Purpose = Purpose::Request {
    channel: Channel::Pull,
    expected: Expected::Frames,
};

/// Asks node 1 for something.
async fn ask(connection: &Connection, purpose: Purpose, request: &'static str) -> FrameReader {
    let (mut send, receive) = connection.open_bi().await.expect("a free stream");
    let head = purpose.head(request.len()).expect("short");
    let whole = [&head[..], request.as_bytes()].concat();
    send.write_chunk(whole.into()).await.expect("written");
    // Who refuses it may have stopped it by then.
    let _ = send.finish();
    FrameReader::new(receive)
}

async fn status(replies: &mut FrameReader) -> Status {
    let head = timeout(DEADLINE, replies.next()).await.expect("in time");
    Status::decode(head.expect("answered").expect("answered")).expect("a status")
}

/// Asks node 1 so often that one is refused: all the others are held by then.
async fn held(
    connection: &Connection,
    purpose: Purpose,
    request: &'static str,
) -> FuturesUnordered<impl Future<Output = (Status, FrameReader)>> {
    let mut asked = FuturesUnordered::new();
    for _ in 0..=EARLY_MAX {
        let mut replies = ask(connection, purpose, request).await;
        asked.push(async move { (status(&mut replies).await, replies) });
    }
    let (first, _) = asked.next().await.expect("one too many");
    assert_eq!(first, Status::Refused(Refusal::Unavailable));
    asked
}

#[tokio::test(flavor = "multi_thread")]
async fn streams_that_come_before_the_greeting_are_held_until_it_is_heard_and_more_are_refused() {
    let cluster = Cluster::new();
    let one = cluster.start_node(1);
    let endpoint = endpoint_with(cluster.tls("node-2"));
    let connection = silent(&cluster, &endpoint).await;
    let mut asked = held(&connection, PULL, "words").await;
    let greeted = call::greet(&connection, &Dialect::default().into()).await;
    assert!(greeted.is_ok());
    while let Some((status, mut replies)) = asked.next().await {
        assert_eq!(status, Status::Accepted);
        assert_eq!(replies.next().await, Ok(Some("one".into())));
    }
    endpoint.close(0_u32.into(), b"done");
    one.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_done_of_what_waits_behind_a_greeting_that_is_refused() {
    let cluster = Cluster::new();
    let early = speaking(Levels::RELEASED, FormatLevel::FIRST);
    let raised = speaking(Levels::REHEARSED, FormatLevel::REHEARSED);
    let one = start(&cluster, 1, early);
    let endpoint = endpoint_with(cluster.tls("node-2"));
    let connection = silent(&cluster, &endpoint).await;
    // No release calls before it is let in: what is called would be done before it is answered.
    let call = Purpose::Request {
        channel: Channel::Pull,
        expected: Expected::Answer,
    };
    let asked = held(&connection, call, "seen").await;
    let greeted = call::greet(&connection, &raised.into()).await;
    assert!(greeted.is_err(), "node 1 does not read what it writes");
    let script = Arc::clone(&one.script);
    drop(asked);
    endpoint.close(0_u32.into(), b"done");
    one.stop().await;
    assert!(!script.trigger.is_cancelled(), "it was done");
}

/// Node 2, played by a test.
pub(super) struct Played(Endpoint);

/// A stream that node 1 has opened to it.
pub(super) struct Asked {
    pub(super) purpose: Purpose,
    writer: FrameWriter,
    // Node 1 would hear that nobody reads.
    _reader: FrameReader,
}

impl Played {
    pub(super) fn new(cluster: &Cluster) -> Self {
        drop(cluster.socket(2));
        let own = identity(2, "eu-west", "demo");
        let mut options = MeshOptions::new(cluster.address(2), own, cluster.tls("node-2"));
        // How long connections are kept is node 1's to say.
        options.idle_timeout = Duration::from_secs(3_600);
        Self(endpoint::bind(&options).expect("bound"))
    }

    /// Waits until node 1 has greeted it, which it does on one of its dials.
    pub(super) async fn greeted(&self) -> (Connection, Asked) {
        let greeted = async {
            loop {
                let incoming = self.0.accept().await.expect("open");
                let Ok(connection) = incoming.await else {
                    continue;
                };
                if let Some(asked) = Asked::on(&connection).await {
                    return (connection, asked);
                }
            }
        };
        let (connection, asked) = timeout(DEADLINE, greeted).await.expect("in time");
        assert_eq!(asked.purpose, Purpose::Greeting);
        (connection, asked)
    }
}

impl Asked {
    pub(super) async fn on(connection: &Connection) -> Option<Self> {
        let (send, receive) = connection.accept_bi().await.ok()?;
        let mut reader = FrameReader::new(receive);
        let head = reader.next().await.ok()??;
        Some(Self {
            purpose: Purpose::decode(head)?,
            writer: FrameWriter::new(send),
            _reader: reader,
        })
    }

    /// Answers, and waits until node 1 has it, read or not.
    pub(super) async fn answer(mut self, head: Bytes, frame: Option<&'static str>) {
        self.writer.send_pieces([head]).await.expect("sent");
        if let Some(frame) = frame {
            self.writer.send(frame.into()).await.expect("sent");
        }
        let acknowledged = self.writer.abandoned();
        drop(self.writer);
        timeout(DEADLINE, acknowledged).await.expect("in time");
    }
}

pub(super) async fn until_greeting(one: &Running) {
    let mut connectivity = one.mesh.connectivity();
    let greeting = async {
        while !one.mesh.greets(node(2)) {
            connectivity.changed().await.expect("the mesh runs");
        }
    };
    timeout(DEADLINE, greeting).await.expect("in time");
    assert!(!one.mesh.connected(node(2)));
}

#[tokio::test(flavor = "multi_thread")]
async fn stream_is_asked_for_behind_a_greeting_and_read_once_that_is_answered() {
    let cluster = Cluster::new();
    let two = Played::new(&cluster);
    let one = cluster.start_node(1);
    let (connection, greeting) = two.greeted().await;
    until_greeting(&one).await;
    let mesh = one.mesh.clone();
    let mut opened = pin!(mesh.open_stream(node(2), Channel::Pull, "x".into()));
    let pull = tokio::select! {
        biased;
        opened = &mut opened => panic!("{opened:?}"),
        pull = Asked::on(&connection) => pull.expect("asked"),
    };
    assert_eq!(pull.purpose, PULL);
    pull.answer(Status::Accepted.to_frame(), Some("first"))
        .await;
    let read = opened.as_mut().now_or_never();
    assert!(read.is_none(), "what node 2 speaks is not known yet");
    greeting
        .answer(welcome(&Dialect::default().into()), None)
        .await;
    let opened = timeout(DEADLINE, opened).await.expect("in time");
    let mut frames = opened.expect("both are let in");
    assert!(one.mesh.connected(node(2)));
    assert_eq!(frames.next().await, Ok(Some("first".into())));
    one.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_that_might_be_executed_twice_goes_behind_a_greeting() {
    let cluster = Cluster::new();
    let two = Played::new(&cluster);
    let one = cluster.start_node(1);
    let (_connection, _greeting) = two.greeted().await;
    until_greeting(&one).await;
    for channel in Channel::ALL {
        let called = one.mesh.call(node(2), channel, "x".into(), DEADLINE).await;
        assert!(matches!(called, Err(CallError::NotSent(_))), "{called:?}");
        if !channel.resumes() {
            let opened = one.mesh.open_stream(node(2), channel, "x".into()).await;
            assert!(matches!(opened, Err(CallError::NotSent(_))), "{opened:?}");
        }
    }
    one.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn greeting_that_is_given_up_ends_its_connection_and_what_was_asked_for_on_it() {
    let cluster = Cluster::new();
    let two = Played::new(&cluster);
    let one = cluster.start_node(1);
    let (connection, _greeting) = two.greeted().await;
    until_greeting(&one).await;
    let opened = one.mesh.open_stream(node(2), Channel::Pull, "x".into());
    let ends = async { tokio::join!(opened, connection.closed()) };
    // It comes through itself: an answer that is not there by then was lost.
    let endpoint = endpoint_with(cluster.tls("node-2"));
    let calls = async {
        loop {
            silent(&cluster, &endpoint).await;
        }
    };
    let ended = timeout(DEADLINE, async {
        tokio::select! {
            ended = ends => ended,
            () = calls => unreachable!("it calls on"),
        }
    });
    let (opened, reason) = ended.await.expect("in time");
    let cause = opened.map(|_frames| ()).expect_err("not let in");
    assert!(cause.to_string().contains("not let in"), "{cause}");
    assert!(reason.to_string().contains("given up"), "{reason}");
    endpoint.close(0_u32.into(), b"done");
    one.stop().await;
}
