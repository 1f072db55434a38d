//! Streams and calls between nodes that crash, as QUIC has them: a frame is late, or sent
//! again, and what was sent on one stream arrives in its order or breaks it; streams and
//! calls overtake one another, and a frame may come twice.
//!
//! One thing QUIC does not do: a frame of several entries may lack one of them, as from a
//! peer with a hole in its log; the stream ends with it.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use meridian_regions::NodeId;
use meridian_replication_core::PullFrame;
use meridian_simulation::pass;
use meridian_transport::{
    CallError, Channel, FrameReader, FrameWriter, MeshLinks, Refusal, ServiceFuture, StreamError,
};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::{Instant, sleep_until, timeout};
use tokio_util::sync::CancellationToken;

use super::world::World;
use crate::tests::setup::node;

/// What was lost is sent again so many milliseconds later.
const AGAIN_MS: (u64, u64) = (50, 1_500);
/// One way, when all is well, in milliseconds.
const CALM_MS: (u64, u64) = (1, 5);
/// How often a cut way is tried again.
const RETRY: Duration = Duration::from_millis(10);
/// How long an answer to a new stream is waited for.
const ACCEPT_DEADLINE: Duration = Duration::from_secs(5);
/// Frames that are under way on one stream, and at either end of it.
const UNDER_WAY_MAX: usize = 32;
const AT_AN_END_MAX: usize = 4;

/// One end of the network, for one life of a node.
#[derive(Clone)]
pub(super) struct Line {
    world: Arc<World>,
    from: u64,
    dead: CancellationToken,
}

impl std::fmt::Debug for Line {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "Line of node {}", self.from)
    }
}

impl Line {
    pub(super) fn new(world: &Arc<World>, from: u64, dead: &CancellationToken) -> Self {
        Self {
            world: Arc::clone(world),
            from,
            dead: dead.clone(),
        }
    }

    /// The connection to a peer: comes with its end.
    fn connection(&self, to: u64, channel: Channel) -> Result<CancellationToken, CallError> {
        let connection = self.world.state().links.connection(self.from, to);
        let Some(ended) = connection.filter(|_| !self.dead.is_cancelled()) else {
            return Err(CallError::NotSent("not connected".to_owned()));
        };
        if channel != Channel::Pull {
            return Err(Refusal::Unsupported.into());
        }
        Ok(ended)
    }

    async fn ask(self, to: u64, channel: Channel, request: Bytes) -> Result<Bytes, CallError> {
        let ended = self.connection(to, channel)?;
        let world = &self.world;
        world.history().sent(self.from, to, &request);
        let answer = async {
            world.travel((self.from, to)).await;
            let (replica, dead) = world.reach(to)?;
            let asked = replica.serve_repair(node(self.from), request);
            let answer = dead.run_until_cancelled(asked).await?;
            world.travel((to, self.from)).await;
            Some(answer)
        };
        let Some(Some(answer)) = ended.run_until_cancelled(answer).await else {
            return Err(CallError::Unknown("the connection ended".to_owned()));
        };
        let answer = answer.map_err(CallError::from)?;
        world.history().sent(to, self.from, &answer);
        Ok(answer)
    }

    async fn open(
        self,
        to: u64,
        channel: Channel,
        request: Bytes,
    ) -> Result<FrameReader, CallError> {
        let ended = self.connection(to, channel)?;
        self.world.history().sent(self.from, to, &request);
        let (accept, accepted) = oneshot::channel();
        let (out, frames) = mpsc::channel(AT_AN_END_MAX);
        let stream = Stream {
            world: Arc::clone(&self.world),
            // Frames come the other way.
            way: (to, self.from),
            ended,
            out,
        };
        self.world.tracker.spawn(stream.serve(request, accept));
        match timeout(ACCEPT_DEADLINE, accepted).await {
            Ok(Ok(())) => Ok(FrameReader::over(frames)),
            _ => Err(CallError::Unknown("nobody has agreed".to_owned())),
        }
    }
}

impl MeshLinks for Line {
    fn call(
        &self,
        to: NodeId,
        channel: Channel,
        request: Bytes,
        deadline: Duration,
    ) -> ServiceFuture<Result<Bytes, CallError>> {
        let asked = self.clone().ask(to.get(), channel, request);
        Box::pin(async move {
            let late = |_elapsed| Err(CallError::Unknown("no answer in time".to_owned()));
            timeout(deadline, asked).await.unwrap_or_else(late)
        })
    }

    fn open_stream(
        &self,
        to: NodeId,
        channel: Channel,
        request: Bytes,
    ) -> ServiceFuture<Result<FrameReader, CallError>> {
        Box::pin(self.clone().open(to.get(), channel, request))
    }

    fn connected(&self, peer: NodeId) -> bool {
        let state = self.world.state();
        !self.dead.is_cancelled() && state.links.connection(self.from, peer.get()).is_some()
    }

    fn connectivity(&self) -> watch::Receiver<u64> {
        let (watcher, changes) = watch::channel(0);
        let mut state = self.world.state();
        let running = state.nodes.get_mut(&self.from);
        let running = running.and_then(|node| node.running.as_mut());
        if let Some(running) = running.filter(|_| !self.dead.is_cancelled()) {
            running.watchers.push(watcher);
        }
        changes
    }
}

/// One stream, from the node that serves to the one that asked.
struct Stream {
    world: Arc<World>,
    way: (u64, u64),
    ended: CancellationToken,
    out: mpsc::Sender<Result<Bytes, StreamError>>,
}

/// A frame under way.
struct Sent {
    arrives: Instant,
    frame: Bytes,
    /// The stream breaks behind it.
    is_last: bool,
}

impl Stream {
    async fn serve(self, request: Bytes, accept: oneshot::Sender<()>) {
        let (server, client) = self.way;
        let (world, ended) = (Arc::clone(&self.world), self.ended.clone());
        let work = async {
            world.travel((client, server)).await;
            let Some((replica, dead)) = world.reach(server) else {
                return;
            };
            let (writer, sent) = mpsc::channel(AT_AN_END_MAX);
            let agreed = Arc::clone(&world);
            world.tracker.spawn(async move {
                agreed.travel((server, client)).await;
                // Nobody may be waiting any longer.
                let _ = accept.send(());
            });
            world.tracker.spawn(self.carry(sent, dead.clone()));
            let pull = replica.serve_pull(node(client), request, FrameWriter::over(writer));
            dead.run_until_cancelled(pull).await;
        };
        ended.run_until_cancelled(work).await;
    }

    async fn carry(self, mut sent: mpsc::Receiver<Bytes>, dead: CancellationToken) {
        let mut under_way: VecDeque<Sent> = VecDeque::new();
        let mut is_open = true;
        loop {
            let arrives = under_way
                .front()
                .map_or_else(Instant::now, |sent| sent.arrives);
            tokio::select! {
                biased;
                () = self.out.closed() => return,
                () = self.ended.cancelled() => return self.breaks("the connection ended").await,
                () = sleep_until(arrives), if !under_way.is_empty() => {
                    if self.world.state().links.is_cut(self.way.0, self.way.1) {
                        under_way[0].arrives = Instant::now() + RETRY;
                    } else if self.world.strikes(self.world.plan.breaks) {
                        return self.breaks("the stream was reset").await;
                    } else if let Some(sent) = under_way.pop_front() {
                        // Whoever has gone reads nothing.
                        let _ = self.out.send(Ok(sent.frame)).await;
                        if sent.is_last {
                            return self.breaks("the stream was reset").await;
                        }
                    }
                }
                frame = sent.recv(), if is_open && under_way.len() < UNDER_WAY_MAX => {
                    match frame {
                        Some(frame) => self.leave(frame, &mut under_way),
                        None => is_open = false,
                    }
                }
            }
            if !is_open && under_way.is_empty() {
                if dead.is_cancelled() {
                    // Nobody says so.
                    self.ended.cancelled().await;
                    return self.breaks("the connection ended").await;
                }
                return;
            }
        }
    }

    /// A frame is on its way, perhaps twice.
    fn leave(&self, frame: Bytes, under_way: &mut VecDeque<Sent>) {
        let (from, to) = self.way;
        let world = &self.world;
        world.history().sent(from, to, &frame);
        let now = Instant::now();
        let last = under_way.back().map_or(now, |sent| sent.arrives);
        let arrives = (now + world.delay()).max(last);
        let holed = if world.strikes(world.plan.holes) {
            holed(&frame)
        } else {
            None
        };
        let is_last = holed.is_some();
        let copies = if world.strikes(world.plan.twice) {
            2
        } else {
            1
        };
        let frame = holed.unwrap_or(frame);
        under_way.extend((0..copies).map(|_| Sent {
            arrives,
            frame: frame.clone(),
            is_last,
        }));
        if world.strikes(world.plan.crash_on_frame) {
            world.crash_for_a_while(from);
        }
    }

    async fn breaks(self, why: &str) {
        // Whoever has gone does not hear it.
        let _ = self
            .out
            .send(Err(StreamError::Broken(why.to_owned())))
            .await;
    }
}

/// A frame without an entry behind which there is another one of its log.
fn holed(frame: &Bytes) -> Option<Bytes> {
    let Ok(PullFrame::Entries(entries)) = PullFrame::decode(frame) else {
        return None;
    };
    let same_log = |place: usize| {
        let (log, behind) = (&entries[place], &entries[place + 1..]);
        let mut behind = behind.iter();
        behind.any(|entry| (entry.origin, entry.shard) == (log.origin, log.shard))
    };
    let place = (0..entries.len()).find(|place| same_log(*place))?;
    let mut left: Vec<_> = entries.iter().map(|one| one.as_bytes().to_vec()).collect();
    left.remove(place);
    Some(PullFrame::encode_entries(left).into())
}

impl World {
    /// How long something takes one way now.
    fn delay(&self) -> Duration {
        let mut state = self.state();
        if state.calm {
            return state.rng.millis(CALM_MS.0, CALM_MS.1);
        }
        let (from, until) = self.plan.delay_ms;
        let delay = state.rng.millis(from, until);
        if state.rng.chance(self.plan.lost) {
            delay + state.rng.millis(AGAIN_MS.0, AGAIN_MS.1)
        } else {
            delay
        }
    }

    /// Waits until something that leaves now has arrived.
    async fn travel(&self, (from, to): (u64, u64)) {
        let delay = self.delay();
        pass(delay).await;
        while self.state().links.is_cut(from, to) {
            pass(RETRY).await;
        }
    }
}
