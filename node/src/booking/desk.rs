//! The booking desk: takes a booking at any node and brings it to the leader.
//!
//! It tries voters until one answers or the deadline comes. A command may be sent
//! twice, because the ledger answers the same idempotency key with the same
//! outcome; so a lost reply is asked again, and only when the deadline ends that
//! search is the outcome reported as *unknown*. If no attempt can have been
//! executed, the answer is `no-quorum`: nothing happened (invariants 3 and 7).

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use meridian_consensus::{Groups, LedgerView, ProposeError, ReadError};
use meridian_consensus_core::{Applied, Command, Ledger};
use meridian_regions::{Genesis, NodeId};
use meridian_transport::{CallError, Channel, Mesh};
use prost::Message;
use tokio::time::Instant;

use super::saga;
use super::wire::{Answered, Asked, Book, Failure, Forwarded, NotLeader, Read, Reply};
use crate::payments::PaymentProvider;

/// First pause before the voters are tried again; it doubles up to the greatest.
const RETRY_PAUSE_MIN: Duration = Duration::from_millis(20);
/// An election takes seconds: no use in asking more often.
const RETRY_PAUSE_MAX: Duration = Duration::from_millis(200);
/// Kept back from the leader's time for the way of the answer.
const ANSWER_MARGIN: Duration = Duration::from_millis(250);

/// Why there is no outcome.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum DeskError {
    /// Surely nothing happened.
    #[error("no majority of this listing's voters can be reached from here: nothing was done")]
    NoQuorum,
    /// It may have happened, or may happen yet.
    #[error(
        "the answer was lost on the way: repeat the request with the same key to learn the outcome"
    )]
    Unknown,
    /// Surely nothing happened.
    #[error("too many bookings are under way: nothing was done")]
    Overloaded,
    /// Nodes disagree about who votes for this listing.
    #[error("the voters of this listing do not agree on its genesis: tell the operator")]
    Misplaced,
}

/// What an attempt at one node came to.
enum Attempt {
    /// Another node leads, perhaps this one.
    Elsewhere(Option<NodeId>),
    /// Not executed, and another node may do it.
    NotExecuted,
    /// Perhaps executed.
    Unknown,
    /// No other node would answer otherwise.
    Final(DeskError),
}

/// What is asked of a group, before it is known where its leader is.
pub(crate) enum Ask {
    Propose(Command),
    Book {
        command: Command,
        payment_method: String,
    },
    Read,
}

/// What came of it.
pub(crate) enum Answer {
    Applied(Box<Applied>),
    Ledger(Arc<Ledger>),
}

/// Handle to the booking plane of the whole cluster.
#[derive(Clone)]
pub(crate) struct BookingDesk {
    node: NodeId,
    groups: Groups,
    mesh: Mesh,
    payments: Arc<dyn PaymentProvider>,
}

impl BookingDesk {
    pub(crate) fn new(
        node: NodeId,
        groups: Groups,
        mesh: Mesh,
        payments: Arc<dyn PaymentProvider>,
    ) -> Self {
        Self {
            node,
            groups,
            mesh,
            payments,
        }
    }

    /// Proposes a command to the listing's group, wherever its leader is.
    pub(crate) async fn propose(
        &self,
        genesis: &Genesis,
        command: Command,
        deadline: Instant,
    ) -> Result<Applied, DeskError> {
        match self.ask(genesis, &Ask::Propose(command), deadline).await? {
            Answer::Applied(applied) => Ok(*applied),
            Answer::Ledger(_) => Err(DeskError::Unknown),
        }
    }

    /// Proposes a command that begins a payment; the leader drives the payment.
    pub(crate) async fn book(
        &self,
        genesis: &Genesis,
        command: Command,
        payment_method: String,
        deadline: Instant,
    ) -> Result<Applied, DeskError> {
        let ask = Ask::Book {
            command,
            payment_method,
        };
        match self.ask(genesis, &ask, deadline).await? {
            Answer::Applied(applied) => Ok(*applied),
            Answer::Ledger(_) => Err(DeskError::Unknown),
        }
    }

    /// Reads the listing's ledger linearizably.
    pub(crate) async fn read(
        &self,
        genesis: &Genesis,
        deadline: Instant,
    ) -> Result<Arc<Ledger>, DeskError> {
        match self.ask(genesis, &Ask::Read, deadline).await? {
            Answer::Ledger(ledger) => Ok(ledger),
            Answer::Applied(_) => Err(DeskError::NoQuorum),
        }
    }

    async fn ask(
        &self,
        genesis: &Genesis,
        ask: &Ask,
        deadline: Instant,
    ) -> Result<Answer, DeskError> {
        let mut candidates = Candidates::new(self.node, genesis, self.groups.known_leader(genesis));
        let mut perhaps_executed = false;
        let mut pause = RETRY_PAUSE_MIN;
        loop {
            if !perhaps_executed && self.is_cut_off(genesis) {
                return Err(DeskError::NoQuorum);
            }
            let target = candidates.next();
            let attempt = if target == self.node {
                self.perform(genesis, ask, deadline).await
            } else {
                self.forward(target, genesis, ask, deadline).await
            };
            match attempt {
                Ok(answer) => return Ok(answer),
                // Once an attempt may have been executed, a later refusal proves nothing
                // about it.
                Err(Attempt::Final(_)) if perhaps_executed => return Err(DeskError::Unknown),
                Err(Attempt::Final(error)) => return Err(error),
                Err(Attempt::Elsewhere(leader)) => candidates.prefer(leader, target),
                Err(Attempt::NotExecuted) => {}
                Err(Attempt::Unknown) => perhaps_executed |= !matches!(ask, Ask::Read),
            }
            if candidates.round_is_over() {
                if Instant::now() + pause >= deadline {
                    return Err(if perhaps_executed {
                        DeskError::Unknown
                    } else {
                        DeskError::NoQuorum
                    });
                }
                tokio::time::sleep(pause).await;
                pause = (pause * 2).min(RETRY_PAUSE_MAX);
                candidates.new_round(self.groups.known_leader(genesis));
            }
        }
    }

    /// Whether this node votes for the listing and reaches no other voter: then no
    /// quorum can be reached through it, and waiting would not help the client.
    fn is_cut_off(&self, genesis: &Genesis) -> bool {
        if genesis.voters.len() < 2 || !genesis.voters.contains(&self.node) {
            return false;
        }
        !self
            .mesh
            .peers()
            .iter()
            .any(|peer| peer.connected && genesis.voters.contains(&peer.node))
    }

    /// Asks the group on this node.
    async fn perform(
        &self,
        genesis: &Genesis,
        ask: &Ask,
        deadline: Instant,
    ) -> Result<Answer, Attempt> {
        let left = deadline.saturating_duration_since(Instant::now());
        match ask {
            Ask::Propose(command) => self
                .groups
                .propose(genesis, command.clone(), left)
                .await
                .map(|applied| Answer::Applied(Box::new(applied)))
                .map_err(proposal_attempt),
            Ask::Book {
                command,
                payment_method,
            } => saga::drive(
                &self.groups,
                &*self.payments,
                genesis,
                command.clone(),
                payment_method,
                deadline,
            )
            .await
            .map(|applied| Answer::Applied(Box::new(applied)))
            .map_err(proposal_attempt),
            Ask::Read => self
                .groups
                .read(genesis, left)
                .await
                .map(|view: LedgerView| Answer::Ledger(view.ledger))
                .map_err(read_attempt),
        }
    }

    async fn forward(
        &self,
        target: NodeId,
        genesis: &Genesis,
        ask: &Ask,
        deadline: Instant,
    ) -> Result<Answer, Attempt> {
        let left = deadline.saturating_duration_since(Instant::now());
        let request = Forwarded {
            genesis: genesis.encode(),
            deadline_ms: millis(left.saturating_sub(ANSWER_MARGIN)),
            asked: Some(to_wire(ask)),
        };
        let reply = self
            .mesh
            .call(
                target,
                Channel::Forward,
                request.encode_to_vec().into(),
                left,
            )
            .await
            .map_err(|error| match error {
                CallError::NotSent(_) | CallError::Refused(_) => Attempt::NotExecuted,
                CallError::TooLarge { .. } => Attempt::Final(DeskError::Overloaded),
                CallError::Unknown(_) => Attempt::Unknown,
            })?;
        from_wire(&reply)
    }

    /// Serves a request that another node forwarded to this one.
    pub(crate) async fn serve(&self, request: Bytes) -> Bytes {
        let answered = match self.serve_decoded(&request).await {
            Ok(Answer::Applied(applied)) => Answered::Applied(Applied::encode(&applied)),
            Ok(Answer::Ledger(ledger)) => Answered::Ledger(Ledger::encode(&ledger)),
            Err(Attempt::Elsewhere(leader)) => Answered::NotLeader(NotLeader {
                leader: leader.map_or(0, NodeId::get),
            }),
            Err(Attempt::NotExecuted) => Answered::Failed(Failure::Malformed.into()),
            Err(Attempt::Unknown) => Answered::Failed(Failure::Unknown.into()),
            Err(Attempt::Final(error)) => Answered::Failed(failure_of(&error).into()),
        };
        let reply = Reply {
            answered: Some(answered),
        };
        reply.encode_to_vec().into()
    }

    async fn serve_decoded(&self, request: &Bytes) -> Result<Answer, Attempt> {
        let forwarded =
            Forwarded::decode(request.clone()).map_err(|_malformed| Attempt::NotExecuted)?;
        let genesis =
            Genesis::decode(&forwarded.genesis).map_err(|_malformed| Attempt::NotExecuted)?;
        let decode =
            |bytes: &[u8]| Command::decode(bytes).map_err(|_malformed| Attempt::NotExecuted);
        let ask = match forwarded.asked.ok_or(Attempt::NotExecuted)? {
            Asked::Propose(command) => Ask::Propose(decode(&command)?),
            Asked::Book(book) => Ask::Book {
                command: decode(&book.command)?,
                payment_method: book.payment_method,
            },
            Asked::Read(_) => Ask::Read,
        };
        let deadline = Instant::now() + Duration::from_millis(forwarded.deadline_ms);
        self.perform(&genesis, &ask, deadline).await
    }
}

/// The voters in the order in which they are tried.
struct Candidates {
    order: Vec<NodeId>,
    next: usize,
}

impl Candidates {
    /// The known leader first, then this node if it votes, then the others; the
    /// genesis names the preferred leader first.
    fn new(this: NodeId, genesis: &Genesis, leader: Option<NodeId>) -> Self {
        let mut order = genesis.voters.clone();
        if leader.is_none() {
            order.sort_by_key(|voter| *voter != this && genesis.voters.first() != Some(voter));
        }
        let mut candidates = Self { order, next: 0 };
        candidates.new_round(leader);
        candidates
    }

    fn next(&mut self) -> NodeId {
        let candidate = self.order[self.next % self.order.len()];
        self.next += 1;
        candidate
    }

    /// Moves `leader` to the front of what is left, unless it is who said so.
    fn prefer(&mut self, leader: Option<NodeId>, said_by: NodeId) {
        let Some(leader) = leader.filter(|leader| *leader != said_by) else {
            return;
        };
        if let Some(place) = self.order[self.next.min(self.order.len())..]
            .iter()
            .position(|candidate| *candidate == leader)
        {
            self.order[self.next..=self.next + place].rotate_right(1);
        }
    }

    fn round_is_over(&self) -> bool {
        self.next >= self.order.len()
    }

    fn new_round(&mut self, leader: Option<NodeId>) {
        self.next = 0;
        if let Some(leader) = leader {
            self.order.sort_by_key(|candidate| *candidate != leader);
        }
    }
}

fn proposal_attempt(error: ProposeError) -> Attempt {
    match error {
        ProposeError::NotLeader { leader } => Attempt::Elsewhere(leader),
        ProposeError::NotVoter | ProposeError::NoQuorum => Attempt::NotExecuted,
        ProposeError::Unknown => Attempt::Unknown,
        ProposeError::Overloaded => Attempt::Final(DeskError::Overloaded),
        ProposeError::GenesisMismatch => Attempt::Final(DeskError::Misplaced),
        ProposeError::Storage(_) => Attempt::Unknown,
    }
}

fn read_attempt(error: ReadError) -> Attempt {
    match error {
        ReadError::NotLeader { leader } => Attempt::Elsewhere(leader),
        ReadError::NotVoter | ReadError::NoQuorum | ReadError::Storage(_) => Attempt::NotExecuted,
        ReadError::Overloaded => Attempt::Final(DeskError::Overloaded),
        ReadError::GenesisMismatch => Attempt::Final(DeskError::Misplaced),
    }
}

fn to_wire(ask: &Ask) -> Asked {
    match ask {
        Ask::Propose(command) => Asked::Propose(command.encode()),
        Ask::Book {
            command,
            payment_method,
        } => Asked::Book(Book {
            command: command.encode(),
            payment_method: payment_method.clone(),
        }),
        Ask::Read => Asked::Read(Read {}),
    }
}

fn from_wire(reply: &Bytes) -> Result<Answer, Attempt> {
    // Whoever answers something unreadable may have done what was asked.
    let reply = Reply::decode(reply.clone()).map_err(|_malformed| Attempt::Unknown)?;
    match reply.answered.ok_or(Attempt::Unknown)? {
        Answered::Applied(applied) => Applied::decode(&applied)
            .map(|applied| Answer::Applied(Box::new(applied)))
            .map_err(|_malformed| Attempt::Unknown),
        Answered::Ledger(ledger) => Ledger::decode(&ledger)
            .map(|ledger| Answer::Ledger(Arc::new(ledger)))
            .map_err(|_malformed| Attempt::NotExecuted),
        Answered::NotLeader(hint) => Err(Attempt::Elsewhere(hint.leader())),
        Answered::Failed(code) => Err(match Failure::try_from(code) {
            Ok(Failure::NoQuorum | Failure::Malformed) => Attempt::NotExecuted,
            Ok(Failure::Overloaded) => Attempt::Final(DeskError::Overloaded),
            Ok(Failure::Misplaced) => Attempt::Final(DeskError::Misplaced),
            Ok(Failure::Unknown | Failure::Unspecified) | Err(_) => Attempt::Unknown,
        }),
    }
}

fn failure_of(error: &DeskError) -> Failure {
    match error {
        DeskError::NoQuorum => Failure::NoQuorum,
        DeskError::Unknown => Failure::Unknown,
        DeskError::Overloaded => Failure::Overloaded,
        DeskError::Misplaced => Failure::Misplaced,
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
