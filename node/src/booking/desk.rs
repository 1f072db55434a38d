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
use meridian_consensus::{Groups, Source};
use meridian_consensus_core::{Applied, Command, Expire, Ledger, Op};
use meridian_regions::{Genesis, NodeId};
use meridian_trace::{Kind, Step, Trace, Tracer};
use meridian_transport::{CallError, Channel, Mesh};
use prost::Message;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::Instrument;

use super::attempt::{Answer, Ask, Attempt, DeskError, answered, from_wire, to_wire, unanswered};
use super::candidates::Candidates;
use super::driver::{Driver, DriverOptions};
use super::errand::Errand;
use super::in_flight::{Claim, InFlight};
use super::wire::{Answered, Asked, Forwarded, Reply};
use crate::clock::Clock;
use crate::lifesigns::death_of;
use crate::payments::PaymentProvider;
use crate::request_id::RequestId;
use crate::traces;

/// First pause before the voters are tried again; it doubles up to the greatest.
const RETRY_PAUSE_MIN: Duration = Duration::from_millis(20);
/// An election takes seconds: no use in asking more often.
const RETRY_PAUSE_MAX: Duration = Duration::from_millis(200);
/// Kept back from the leader's time for the way of the answer.
const ANSWER_MARGIN: Duration = Duration::from_millis(250);

/// Handle to the booking plane of the whole cluster.
#[derive(Clone)]
pub(crate) struct BookingDesk {
    node: NodeId,
    groups: Groups,
    pub(super) mesh: Mesh,
    pub(super) driver: Driver,
    pub(super) in_flight: InFlight,
    options: DeskOptions,
}

/// How the desk works.
#[derive(Debug, Clone)]
pub(crate) struct DeskOptions {
    /// What the desk reads the time from.
    pub(crate) clock: Clock,
    /// Goes on with what other nodes follow.
    pub(crate) tracer: Tracer,
    /// How payments are driven.
    pub(crate) driver: DriverOptions,
    /// How long outcomes are kept for their keys, in milliseconds.
    pub(crate) key_kept_ms: u64,
}

/// Whose tasks the desk's are, and when they end.
#[derive(Debug, Clone)]
pub(crate) struct Tasks {
    pub(crate) tracker: TaskTracker,
    pub(crate) stopping: CancellationToken,
}

impl BookingDesk {
    pub(crate) fn new(
        node: NodeId,
        groups: Groups,
        mesh: Mesh,
        payments: Arc<dyn PaymentProvider>,
        options: DeskOptions,
        tasks: Tasks,
    ) -> Self {
        Self {
            node,
            groups,
            mesh,
            driver: Driver::new(payments, options.driver, tasks),
            in_flight: InFlight::default(),
            options,
        }
    }

    /// Wall time in milliseconds since 1970.
    pub(super) fn now_ms(&self) -> u64 {
        self.options.clock.now().as_millis()
    }

    /// Ends what has lapsed.
    pub(super) fn expire(&self) -> Command {
        let mut expire = Command::new(Op::Expire(Expire {}), None);
        expire.key_kept_ms = self.options.key_kept_ms;
        expire
    }

    pub(super) const fn groups(&self) -> &Groups {
        &self.groups
    }

    /// Proposes a command to the listing's group, wherever its leader is.
    pub(crate) async fn propose(
        &self,
        errand: Errand<'_>,
        mut command: Command,
    ) -> Result<Applied, DeskError> {
        command.key_kept_ms = self.options.key_kept_ms;
        let claim = self.admit(&errand.genesis.listing, &command)?;
        match self
            .ask(errand, &Ask::Propose(command), claim.as_ref())
            .await?
        {
            Answer::Applied(applied) => Ok(*applied),
            Answer::Ledger(_) => Err(DeskError::Unknown),
        }
    }

    /// Proposes a command that begins a payment; the leader drives the payment.
    pub(crate) async fn book(
        &self,
        errand: Errand<'_>,
        mut command: Command,
    ) -> Result<Applied, DeskError> {
        command.key_kept_ms = self.options.key_kept_ms;
        let claim = self.admit(&errand.genesis.listing, &command)?;
        match self
            .ask(errand, &Ask::Book(command), claim.as_ref())
            .await?
        {
            Answer::Applied(applied) => Ok(*applied),
            Answer::Ledger(_) => Err(DeskError::Unknown),
        }
    }

    /// Reads the listing's ledger linearizably.
    pub(crate) async fn read(&self, errand: Errand<'_>) -> Result<Arc<Ledger>, DeskError> {
        match self.ask(errand, &Ask::Read, None).await? {
            Answer::Ledger(ledger) => Ok(ledger),
            Answer::Applied(_) => Err(DeskError::NoQuorum),
        }
    }

    async fn ask(
        &self,
        errand: Errand<'_>,
        ask: &Ask,
        claim: Option<&Claim>,
    ) -> Result<Answer, DeskError> {
        let (genesis, deadline) = (errand.genesis, errand.deadline);
        let leader = self.groups.known_leader(genesis).await;
        let mut voters = self.groups.voters(genesis);
        let mut candidates = Candidates::new(self.node, &voters, leader);
        let mut perhaps_executed = false;
        let mut pause = RETRY_PAUSE_MIN;
        let out_of_time = |perhaps_executed| {
            if perhaps_executed {
                DeskError::Unknown
            } else {
                DeskError::NoQuorum
            }
        };
        loop {
            if !perhaps_executed && self.is_cut_off(&voters) {
                return Err(DeskError::NoQuorum);
            }
            // What is begun now is of no use to the caller, and might be executed.
            if Instant::now() >= deadline {
                return Err(out_of_time(perhaps_executed));
            }
            candidates.put_off(|voter| voter != self.node && self.mesh.alive_for(voter).is_none());
            let target = candidates.next();
            let attempt = if target == self.node {
                self.perform(errand, ask).await
            } else {
                self.forward(target, errand, ask, claim).await
            };
            match attempt {
                Ok(answer) => return Ok(answer),
                // Once an attempt may have been executed, a later refusal proves nothing
                // about it.
                Err(Attempt::Final(_)) if perhaps_executed => return Err(DeskError::Unknown),
                Err(Attempt::Final(error)) => return Err(error),
                Err(Attempt::Elsewhere(leader)) => candidates.prefer(leader, target),
                Err(Attempt::Moved(electorate)) => {
                    for voter in electorate.voters.iter().rev() {
                        candidates.prefer(Some(*voter), target);
                    }
                    self.groups.note_electorate(genesis, electorate).await;
                }
                Err(Attempt::NotExecuted) => {}
                Err(Attempt::Unknown) => perhaps_executed |= !matches!(ask, Ask::Read),
            }
            if candidates.round_is_over() {
                if Instant::now() + pause >= deadline {
                    return Err(out_of_time(perhaps_executed));
                }
                tokio::time::sleep(pause).await;
                pause = (pause * 2).min(RETRY_PAUSE_MAX);
                voters = self.groups.voters(genesis);
                let peers = self.mesh.peers();
                candidates.widen(
                    voters
                        .iter()
                        .copied()
                        .chain(peers.iter().map(|peer| peer.node)),
                );
                candidates.new_round(self.groups.known_leader(genesis).await);
            }
        }
    }

    /// Whether this node votes for the listing and reaches no other voter: then no
    /// quorum can be reached through it, and waiting would not help the client.
    fn is_cut_off(&self, voters: &[NodeId]) -> bool {
        if voters.len() < 2 || !voters.contains(&self.node) {
            return false;
        }
        !self
            .mesh
            .peers()
            .iter()
            .any(|peer| peer.alive_for.is_some() && voters.contains(&peer.node))
    }

    async fn forward(
        &self,
        target: NodeId,
        errand: Errand<'_>,
        ask: &Ask,
        claim: Option<&Claim>,
    ) -> Result<Answer, Attempt> {
        let left = errand.deadline.saturating_duration_since(Instant::now());
        // Nothing that is sent now can be answered in time: unsent, it is surely not executed.
        if left <= ANSWER_MARGIN {
            return Err(Attempt::NotExecuted);
        }
        let mut step = Trace::current().step("forward", Kind::Asked);
        step.set_with("meridian.to", || target.to_string());
        let request = Forwarded {
            trace: step.trace().carried(),
            genesis: errand.genesis.encode(),
            deadline_ms: millis(left.saturating_sub(ANSWER_MARGIN)),
            asked: Some(to_wire(ask)),
            request_id: errand.request.to_string(),
            claimant: claim.map_or_else(Vec::new, |claim| claim.claimant.to_vec()),
            caller: errand.source.caller(),
        };
        let request = request.encode_to_vec().into();
        let reply = tokio::select! {
            reply = self.mesh.call(target, Channel::Forward, request, left) => {
                reply.map_err(|error| match error {
                    CallError::NotSent(_) | CallError::Refused(_) => Attempt::NotExecuted,
                    CallError::TooLarge { .. } => Attempt::Final(DeskError::Overloaded),
                    CallError::Unknown(_) => Attempt::Unknown,
                })?
            }
            () = death_of(&self.mesh, target) => return Err(Attempt::Unknown),
        };
        let answer = from_wire(&reply);
        if answer.is_err() {
            step.fail(&"no answer of the leader");
        }
        answer
    }

    /// Serves a request that another node forwarded to this one.
    pub(crate) async fn serve(&self, from: NodeId, request: Bytes) -> Bytes {
        let served = self.serve_decoded(from, &request).await;
        let reply = Reply {
            answered: Some(served.unwrap_or_else(unanswered)),
        };
        reply.encode_to_vec().into()
    }

    async fn serve_decoded(&self, from: NodeId, request: &Bytes) -> Result<Answered, Attempt> {
        let forwarded =
            Forwarded::decode(request.clone()).map_err(|_malformed| Attempt::NotExecuted)?;
        let decode =
            |bytes: &[u8]| Command::decode(bytes).map_err(|_malformed| Attempt::NotExecuted);
        let ask = match forwarded.asked.ok_or(Attempt::NotExecuted)? {
            Asked::Propose(command) => Ask::Propose(decode(&command)?),
            Asked::Book(command) => Ask::Book(decode(&command)?),
            Asked::Read(_) => Ask::Read,
            Asked::Guest(question) => {
                let page = self.serve_guest(&question).map(Answered::Guest);
                return page.ok_or(Attempt::NotExecuted);
            }
            Asked::Sightings(key) => {
                let groups = self.serve_sightings(&key).map(Answered::Groups);
                return groups.ok_or(Attempt::NotExecuted);
            }
        };
        let genesis =
            Genesis::decode(&forwarded.genesis).map_err(|_malformed| Attempt::NotExecuted)?;
        let request = RequestId::from_text(&forwarded.request_id);
        let errand = Errand {
            genesis: &genesis,
            request: &request,
            source: Source::of(from, forwarded.caller),
            deadline: Instant::now() + Duration::from_millis(forwarded.deadline_ms),
        };
        let _claim = self.take_up(&ask, &forwarded.claimant)?;
        let step = self.options.tracer.go_on(&forwarded.trace);
        let step = step.step("forwarded", Kind::Served);
        let answer = self.perform_followed(errand, &ask, &step).await?;
        Ok(answered(&answer))
    }

    /// The same as at the node that was asked, as a step of its request.
    async fn perform_followed(
        &self,
        errand: Errand<'_>,
        ask: &Ask,
        step: &Step,
    ) -> Result<Answer, Attempt> {
        let span = tracing::info_span!(
            "forwarded",
            request_id = %errand.request,
            listing = %errand.genesis.listing,
            trace_id = tracing::field::Empty
        );
        traces::note(&span, &step.trace());
        let performed = self.perform(errand, ask).instrument(span);
        step.trace().follow(performed).await
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
