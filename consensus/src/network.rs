//! openraft's network, fulfilled by the transport port.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::{Stream, StreamExt};
use meridian_failpoints::Failpoint;
use meridian_regions::{Genesis, NodeId};
use openraft::base::{BoxFuture, BoxStream};
use openraft::errors::{NetworkError, RPCError, ReplicationClosed, StreamingError, Unreachable};
use openraft::network::{Backoff, RPCOption};
use openraft::raft::{
    AppendEntriesRequest, AppendEntriesResponse, SnapshotResponse, StreamAppendResult,
    TransferLeaderRequest, TransferLeaderResponse, VoteRequest, VoteResponse,
};
use openraft::type_config::alias::SnapshotOf;
use openraft::{EmptyNode, OptionalSend, RaftNetworkFactory, RaftNetworkV2};
use prost::Message;

use crate::electorate::Hint;
use crate::envelope::{Answer, Append, Ballot, Call, Reply, Request, SnapshotCall, TransferLeader};
use crate::followed::FollowedEntries;
use crate::shared::Shared;
use crate::transport::TransportError;
use crate::types::{Types, VoteOf};

/// How long to wait after a peer could not be reached. The transport knows at once
/// whether a peer is connected, so that asking costs little.
const UNREACHABLE_PAUSE: Duration = Duration::from_millis(200);

/// Messages with entries that are under way to one peer at once. A booking appends
/// twice in short order: the second must not wait a round trip for the first.
const APPENDS_UNDER_WAY_MAX: usize = 8;

/// Makes one network for each peer of a group.
pub(crate) struct GroupNetwork {
    genesis: Bytes,
    caller: u64,
    shared: Arc<Shared>,
    hint: Hint,
    followed: FollowedEntries,
}

impl GroupNetwork {
    pub(crate) fn new(genesis: &Genesis, shared: &Arc<Shared>, hint: Hint, caller: u64) -> Self {
        Self {
            genesis: genesis.encode().into(),
            caller,
            shared: Arc::clone(shared),
            hint,
            followed: FollowedEntries::default(),
        }
    }

    /// Looks up there which entries are followed, and says so to other voters.
    pub(crate) fn followed_in(mut self, followed: &FollowedEntries) -> Self {
        self.followed = followed.clone();
        self
    }
}

impl RaftNetworkFactory<Types> for GroupNetwork {
    type Network = PeerNetwork;

    async fn new_client(&mut self, target: u64, _node: &EmptyNode) -> PeerNetwork {
        PeerNetwork {
            target: NodeId::new(target),
            genesis: self.genesis.clone(),
            caller: self.caller,
            shared: Arc::clone(&self.shared),
            hint: self.hint.clone(),
            followed: self.followed.clone(),
        }
    }
}

/// Talks to the same group on one other node.
pub(crate) struct PeerNetwork {
    target: Option<NodeId>,
    genesis: Bytes,
    caller: u64,
    shared: Arc<Shared>,
    hint: Hint,
    followed: FollowedEntries,
}

impl PeerNetwork {
    async fn call(&self, call: Call, deadline: Duration) -> Result<Answer, RPCError<Types>> {
        let target = self
            .target
            .ok_or_else(|| unreachable("node 0 is no node".to_owned()))?;
        let request = Request {
            genesis: self.genesis.clone(),
            call: Some(call),
            caller: self.caller,
        };
        let asked = self.shared.clocks.read();
        let reply = self
            .shared
            .transport
            .call(target, request.encode_to_vec().into(), deadline)
            .await
            .map_err(|error| match error {
                TransportError::NotSent(cause) => unreachable(cause),
                TransportError::Unknown(cause) => network(cause),
            })?;
        let reply = Reply::decode(reply).map_err(|cause| network(cause.to_string()))?;
        self.shared.loads.note(target, reply.leads);
        let clocks = &self.shared.clocks;
        clocks.note(target, asked, clocks.read(), reply.wall_ms);
        if let Some(moved) = reply.moved {
            self.hint.note(moved.into());
        }
        match reply.answer {
            Some(Answer::Refused(cause)) => Err(unreachable(cause)),
            Some(answer) => Ok(answer),
            None => Err(network("an answer of a later version".to_owned())),
        }
    }
}

/// Answers of a stream of appends, in order.
type AppendStream<'s> = BoxStream<'s, Result<StreamAppendResult<Types>, RPCError<Types>>>;

/// The answer to one message of a stream, and whether the stream may go on.
type StreamedAppend = (Result<StreamAppendResult<Types>, RPCError<Types>>, bool);

impl PeerNetwork {
    /// Sends entries, and beside them whose they are, as far as they are followed.
    async fn append(
        &self,
        request: &AppendEntriesRequest<Types>,
        deadline: Duration,
    ) -> Result<Answer, RPCError<Types>> {
        let to = self.target.map_or(0, NodeId::get);
        let (mut steps, carried) = self.followed.replicate(request, to);
        let call = Call::Append(Append::from(request).beside(carried));
        let answer = self.call(call, deadline).await;
        if let Err(cause) = &answer {
            steps.iter_mut().for_each(|step| step.fail(cause));
        }
        answer
    }

    async fn append_one(
        &self,
        request: AppendEntriesRequest<Types>,
        deadline: Duration,
    ) -> StreamedAppend {
        let previous = request.prev_log_id;
        let last = request
            .entries
            .last()
            .map(|entry| entry.log_id)
            .or(previous);
        let response = match self.append(&request, deadline).await {
            Ok(Answer::Append(answer)) => AppendEntriesResponse::try_from(answer),
            Ok(_) => return (Err(out_of_place()), false),
            Err(error) => return (Err(error), false),
        };
        let Ok(response) = response else {
            return (Err(out_of_place()), false);
        };
        let whole = match &response {
            AppendEntriesResponse::Success => true,
            AppendEntriesResponse::PartialSuccess(matched) => *matched == last,
            _ => false,
        };
        (Ok(response.into_stream_result(previous, last)), whole)
    }
}

fn unreachable(cause: String) -> RPCError<Types> {
    RPCError::Unreachable(Unreachable::from_string(cause))
}

fn network(cause: String) -> RPCError<Types> {
    RPCError::Network(NetworkError::from_string(cause))
}

fn out_of_place() -> RPCError<Types> {
    network("the peer answered another question".to_owned())
}

impl RaftNetworkV2<Types> for PeerNetwork {
    type SnapshotData = Vec<u8>;

    async fn append_entries(
        &mut self,
        request: AppendEntriesRequest<Types>,
        option: RPCOption,
    ) -> Result<AppendEntriesResponse<Types>, RPCError<Types>> {
        match self.append(&request, option.soft_ttl()).await? {
            Answer::Append(answer) => answer.try_into().map_err(|_| out_of_place()),
            _ => Err(out_of_place()),
        }
    }

    /// Sends on while answers are under way, and answers in order. A message that
    /// overtakes another is refused by the follower as a conflict, which ends the
    /// stream; the leader then begins again where they agree.
    fn stream_append<'s, S>(
        &'s mut self,
        input: S,
        option: RPCOption,
    ) -> BoxFuture<'s, Result<AppendStream<'s>, RPCError<Types>>>
    where
        S: Stream<Item = AppendEntriesRequest<Types>> + OptionalSend + Unpin + 'static,
    {
        let (peer, deadline): (&'s Self, Duration) = (self, option.soft_ttl());
        let answers = input
            .map(move |request| peer.append_one(request, deadline))
            .buffered(APPENDS_UNDER_WAY_MAX)
            .scan(true, |go_on, (answer, whole)| {
                let answer = std::mem::replace(go_on, whole).then_some(answer);
                std::future::ready(answer)
            });
        let answers: AppendStream<'s> = Box::pin(answers);
        Box::pin(std::future::ready(Ok(answers)))
    }

    async fn vote(
        &mut self,
        request: VoteRequest<Types>,
        option: RPCOption,
    ) -> Result<VoteResponse<Types>, RPCError<Types>> {
        let call = Call::Vote(Ballot::from(&request));
        match self.call(call, option.soft_ttl()).await? {
            Answer::Vote(answer) => Ok(answer.into()),
            _ => Err(out_of_place()),
        }
    }

    async fn pre_vote(
        &mut self,
        request: VoteRequest<Types>,
        option: RPCOption,
    ) -> Result<VoteResponse<Types>, RPCError<Types>> {
        let call = Call::PreVote(Ballot::from(&request));
        match self.call(call, option.soft_ttl()).await? {
            Answer::Vote(answer) => Ok(answer.into()),
            _ => Err(out_of_place()),
        }
    }

    async fn full_snapshot(
        &mut self,
        vote: VoteOf,
        snapshot: SnapshotOf<Types, Vec<u8>>,
        cancel: impl Future<Output = ReplicationClosed> + OptionalSend + 'static,
        option: RPCOption,
    ) -> Result<SnapshotResponse<Types>, StreamingError<Types>> {
        let call = Call::Snapshot(SnapshotCall {
            vote: (&vote).into(),
            state: snapshot.snapshot,
        });
        let answer = tokio::select! {
            biased;
            closed = cancel => return Err(StreamingError::Closed(closed)),
            answer = self.call(call, option.soft_ttl()) => answer,
        };
        match answer {
            Ok(Answer::Snapshot(vote)) => Ok(vote.into()),
            Ok(_) => Err(StreamingError::Network(NetworkError::from_string(
                "the peer answered another question",
            ))),
            Err(RPCError::Unreachable(cause)) => Err(StreamingError::Unreachable(cause)),
            Err(cause) => Err(StreamingError::Network(NetworkError::new(&cause))),
        }
    }

    async fn transfer_leader(
        &mut self,
        request: TransferLeaderRequest<Types>,
        option: RPCOption,
    ) -> Result<TransferLeaderResponse<Types>, RPCError<Types>> {
        let call = Call::TransferLeader(TransferLeader::from(&request));
        Failpoint::TransferSendBefore.hit();
        let answer = self.call(call, option.soft_ttl()).await?;
        Failpoint::TransferSendAfter.hit();
        match answer {
            Answer::TransferLeader(true) => Ok(Ok(())),
            // The leader keeps leading and may try again.
            Answer::TransferLeader(false) => Err(network("the peer does not stand".to_owned())),
            _ => Err(out_of_place()),
        }
    }

    fn backoff(&self) -> Option<Backoff> {
        Some(Backoff::new(std::iter::repeat(UNREACHABLE_PAUSE)))
    }
}
