//! Messages between the groups of two nodes.
//!
//! Every request carries the genesis record: a node that has never heard of the
//! group can found it, and one that knows it differently refuses.

use bytes::Bytes;
use openraft::raft::{
    AppendEntriesRequest, AppendEntriesResponse, SnapshotResponse, TransferLeaderRequest,
    VoteRequest, VoteResponse,
};
use prost::Message;

use crate::codec::{CodecError, EntryRecord, LogIdRecord, VoteRecord};
use crate::electorate::{Electorate, ElectorateRecord, Entrance};
use crate::followed::Carried;
use crate::moves::{MoveAnswer, MoveCall};
use crate::types::{EntryOf, LogIdOf, Types, VoteOf};

#[derive(Clone, PartialEq, Message)]
pub(crate) struct Request {
    /// The group's genesis record, encoded.
    #[prost(bytes = "bytes", tag = "1")]
    pub(crate) genesis: Bytes,
    #[prost(oneof = "Call", tags = "2, 3, 4, 5, 6, 7, 8")]
    pub(crate) call: Option<Call>,
    /// For which caller of the sending node the group was woken; 0 for none.
    #[prost(uint64, tag = "9")]
    pub(crate) caller: u64,
}

#[derive(Clone, PartialEq, prost::Oneof)]
pub(crate) enum Call {
    #[prost(message, tag = "2")]
    Append(Append),
    #[prost(message, tag = "3")]
    Vote(Ballot),
    #[prost(message, tag = "4")]
    PreVote(Ballot),
    #[prost(message, tag = "5")]
    Snapshot(SnapshotCall),
    #[prost(message, tag = "6")]
    TransferLeader(TransferLeader),
    /// To the leader: bring the group one step nearer to other voters.
    #[prost(message, tag = "7")]
    Move(MoveCall),
    /// Who votes on the group from now on, committed.
    #[prost(message, tag = "8")]
    Settled(ElectorateRecord),
}

impl Call {
    /// By which right the receiver takes part in the group.
    pub(crate) fn entrance(&self) -> Result<Entrance, CodecError> {
        Ok(match self {
            Self::Append(append) => Entrance::Led(log_id(append.committed)),
            Self::Snapshot(snapshot) => {
                Entrance::Led(crate::applied_state::AppliedState::decode(&snapshot.state)?.log_id)
            }
            _ => Entrance::Asked,
        })
    }

    /// The end of the log of who asks for a vote.
    pub(crate) fn candidate(&self) -> Option<Option<LogIdOf>> {
        match self {
            Self::Vote(ballot) | Self::PreVote(ballot) => Some(log_id(ballot.last)),
            _ => None,
        }
    }
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct Reply {
    #[prost(oneof = "Answer", tags = "1, 2, 3, 4, 5, 8, 9")]
    pub(crate) answer: Option<Answer>,
    /// Groups that the answering node leads: who hands a leadership over gives it to the
    /// node that has the least of them.
    #[prost(uint32, tag = "11")]
    pub(crate) leads: u32,
    /// Wall clock of the answering node, in milliseconds since 1970.
    #[prost(uint64, tag = "7")]
    pub(crate) wall_ms: u64,
    /// Who votes on the group, for an asker that does not any more.
    #[prost(message, optional, tag = "10")]
    pub(crate) moved: Option<ElectorateRecord>,
}

/// What is said to a message: the answer, and perhaps who else to ask.
#[derive(Debug)]
pub(crate) struct Said {
    pub(crate) answer: Answer,
    pub(crate) moved: Option<Electorate>,
}

impl Said {
    /// To a candidate, by a node that has left: no vote, and who votes.
    pub(crate) fn not_for(electorate: Electorate) -> Self {
        Self {
            answer: Answer::Vote(BallotAnswer::default()),
            moved: Some(electorate),
        }
    }
}

impl<T: Into<Answer>> From<T> for Said {
    fn from(answer: T) -> Self {
        Self {
            answer: answer.into(),
            moved: None,
        }
    }
}

#[derive(Clone, PartialEq, prost::Oneof)]
pub(crate) enum Answer {
    #[prost(message, tag = "1")]
    Append(AppendAnswer),
    #[prost(message, tag = "2")]
    Vote(BallotAnswer),
    /// The vote of the node that took the snapshot.
    #[prost(message, tag = "3")]
    Snapshot(VoteRecord),
    /// Whether the node stands for election.
    #[prost(bool, tag = "4")]
    TransferLeader(bool),
    /// Why the node did not do it.
    #[prost(string, tag = "5")]
    Refused(String),
    /// How far a move has come.
    #[prost(message, tag = "8")]
    Move(MoveAnswer),
    /// Taken note of, durably.
    #[prost(bool, tag = "9")]
    Settled(bool),
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct Append {
    #[prost(message, required, tag = "1")]
    vote: VoteRecord,
    #[prost(message, optional, tag = "2")]
    previous: Option<LogIdRecord>,
    #[prost(message, repeated, tag = "3")]
    entries: Vec<EntryRecord>,
    #[prost(message, optional, tag = "4")]
    committed: Option<LogIdRecord>,
    /// Which of the entries are followed; none from a node of an earlier version.
    #[prost(message, repeated, tag = "5")]
    pub(crate) carried: Vec<Carried>,
}

impl Append {
    /// The same, and which of its entries are followed.
    pub(crate) fn beside(self, carried: Vec<Carried>) -> Self {
        Self { carried, ..self }
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Message)]
pub(crate) struct Ballot {
    #[prost(message, required, tag = "1")]
    vote: VoteRecord,
    #[prost(message, optional, tag = "2")]
    last: Option<LogIdRecord>,
    #[prost(bool, tag = "3")]
    leadership_transfer: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Message)]
pub(crate) struct BallotAnswer {
    #[prost(message, required, tag = "1")]
    vote: VoteRecord,
    #[prost(bool, tag = "2")]
    granted: bool,
    #[prost(message, optional, tag = "3")]
    last: Option<LogIdRecord>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct SnapshotCall {
    #[prost(message, required, tag = "1")]
    pub(crate) vote: VoteRecord,
    /// Applied state, encoded.
    #[prost(bytes = "vec", tag = "2")]
    pub(crate) state: Vec<u8>,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Message)]
pub(crate) struct TransferLeader {
    #[prost(message, required, tag = "1")]
    from: VoteRecord,
    #[prost(uint64, tag = "2")]
    to: u64,
    #[prost(message, optional, tag = "3")]
    last: Option<LogIdRecord>,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Message)]
pub(crate) struct AppendAnswer {
    #[prost(enumeration = "AppendOutcome", tag = "1")]
    outcome: i32,
    #[prost(message, optional, tag = "2")]
    matched: Option<LogIdRecord>,
    #[prost(message, optional, tag = "3")]
    higher: Option<VoteRecord>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, prost::Enumeration)]
#[repr(i32)]
pub(crate) enum AppendOutcome {
    Unspecified = 0,
    Success = 1,
    PartialSuccess = 2,
    Conflict = 3,
    HigherVote = 4,
}

fn log_id(record: Option<LogIdRecord>) -> Option<LogIdOf> {
    record.map(LogIdOf::from)
}

fn record(id: Option<&LogIdOf>) -> Option<LogIdRecord> {
    id.map(LogIdRecord::from)
}

impl From<&AppendEntriesRequest<Types>> for Append {
    fn from(request: &AppendEntriesRequest<Types>) -> Self {
        Self {
            vote: (&request.vote).into(),
            previous: record(request.prev_log_id.as_ref()),
            entries: request.entries.iter().map(EntryRecord::from).collect(),
            committed: record(request.leader_commit.as_ref()),
            carried: Vec::new(),
        }
    }
}

impl TryFrom<Append> for AppendEntriesRequest<Types> {
    type Error = CodecError;

    fn try_from(append: Append) -> Result<Self, CodecError> {
        let prev_log_id = log_id(append.previous);
        let entries = append.entries.into_iter().map(EntryOf::try_from);
        let entries: Vec<EntryOf> = entries.collect::<Result<_, _>>()?;
        // openraft takes for granted what a log with a hole would survive on.
        let mut due = prev_log_id.map_or(0, |previous| previous.index.saturating_add(1));
        for entry in &entries {
            if entry.log_id.index != due {
                return Err(CodecError(format!(
                    "entry {} where {due} is due",
                    entry.log_id.index
                )));
            }
            due = due.saturating_add(1);
        }
        Ok(Self {
            vote: append.vote.into(),
            prev_log_id,
            entries,
            leader_commit: log_id(append.committed),
        })
    }
}

impl From<AppendEntriesResponse<Types>> for AppendAnswer {
    fn from(response: AppendEntriesResponse<Types>) -> Self {
        let mut answer = Self::default();
        match response {
            AppendEntriesResponse::Success => answer.set_outcome(AppendOutcome::Success),
            AppendEntriesResponse::PartialSuccess(matched) => {
                answer.set_outcome(AppendOutcome::PartialSuccess);
                answer.matched = record(matched.as_ref());
            }
            AppendEntriesResponse::Conflict => answer.set_outcome(AppendOutcome::Conflict),
            AppendEntriesResponse::HigherVote(vote) => {
                answer.set_outcome(AppendOutcome::HigherVote);
                answer.higher = Some((&vote).into());
            }
        }
        answer
    }
}

impl TryFrom<AppendAnswer> for AppendEntriesResponse<Types> {
    type Error = CodecError;

    fn try_from(answer: AppendAnswer) -> Result<Self, CodecError> {
        match (answer.outcome(), answer.higher) {
            (AppendOutcome::Success, _) => Ok(Self::Success),
            (AppendOutcome::PartialSuccess, _) => Ok(Self::PartialSuccess(log_id(answer.matched))),
            (AppendOutcome::Conflict, _) => Ok(Self::Conflict),
            (AppendOutcome::HigherVote, Some(vote)) => Ok(Self::HigherVote(vote.into())),
            _ => Err(CodecError("an append answer of a later version".to_owned())),
        }
    }
}

impl From<&VoteRequest<Types>> for Ballot {
    fn from(request: &VoteRequest<Types>) -> Self {
        Self {
            vote: (&request.vote).into(),
            last: record(request.last_log_id.as_ref()),
            leadership_transfer: request.leadership_transfer,
        }
    }
}

impl From<Ballot> for VoteRequest<Types> {
    fn from(ballot: Ballot) -> Self {
        let mut request = Self::new(VoteOf::from(ballot.vote), log_id(ballot.last));
        request.leadership_transfer = ballot.leadership_transfer;
        request
    }
}

impl From<&VoteResponse<Types>> for BallotAnswer {
    fn from(response: &VoteResponse<Types>) -> Self {
        Self {
            vote: (&response.vote).into(),
            granted: response.vote_granted,
            last: record(response.last_log_id.as_ref()),
        }
    }
}

impl BallotAnswer {
    /// Whether a candidate whose log ends at `last` was refused by a longer one.
    pub(crate) fn outranks(&self, last: Option<LogIdOf>) -> bool {
        !self.granted && log_id(self.last) > last
    }

    /// A vote that is not given, by a node whose own is `vote`.
    pub(crate) fn refusing(vote: &VoteOf) -> Self {
        Self {
            vote: vote.into(),
            granted: false,
            last: None,
        }
    }
}

impl From<BallotAnswer> for VoteResponse<Types> {
    fn from(answer: BallotAnswer) -> Self {
        Self::new(
            VoteOf::from(answer.vote),
            log_id(answer.last),
            answer.granted,
        )
    }
}

impl From<&TransferLeaderRequest<Types>> for TransferLeader {
    fn from(request: &TransferLeaderRequest<Types>) -> Self {
        Self {
            from: request.from_leader().into(),
            to: *request.to_node_id(),
            last: record(request.last_log_id()),
        }
    }
}

impl From<TransferLeader> for TransferLeaderRequest<Types> {
    fn from(transfer: TransferLeader) -> Self {
        Self::new(transfer.from.into(), transfer.to, log_id(transfer.last))
    }
}

impl From<&SnapshotResponse<Types>> for Answer {
    fn from(response: &SnapshotResponse<Types>) -> Self {
        Self::Snapshot((&response.vote).into())
    }
}

impl From<VoteRecord> for SnapshotResponse<Types> {
    fn from(vote: VoteRecord) -> Self {
        Self::new(vote.into())
    }
}
