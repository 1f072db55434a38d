//! Which entries of a group belong to a request that is followed.
//!
//! Beside the log and never in it: entries are the same on every voter, followed or not, and a
//! table that is lost with its process loses some spans of a trace and nothing else. A
//! proposal is known by its buffer until it has a place in the log, then by that place; to
//! followers it goes beside the entries of a message.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use meridian_trace::{Kind, Step, Trace, Tracer};
use openraft::EntryPayload;
use openraft::raft::AppendEntriesRequest;

use crate::types::{EntryOf, LogIdOf, Proposal, Types};

/// Entries of one group that are followed at once: more than are under way in one, as a
/// booking has three, and few enough that looking for one costs nothing. The oldest go.
const ENTRIES_MAX: usize = 64;

/// The table of one group. Clones share it.
#[derive(Debug, Clone, Default)]
pub(crate) struct FollowedEntries(Arc<Mutex<Table>>);

#[derive(Debug, Default)]
struct Table {
    /// Proposals that have no place in the log yet, by their buffers.
    proposed: Vec<(Bytes, Trace)>,
    entries: VecDeque<(LogIdOf, Trace)>,
}

/// An entry of a message, and by which header it is followed.
#[derive(Clone, PartialEq, Eq, Hash, prost::Message)]
pub(crate) struct Carried {
    #[prost(uint64, tag = "1")]
    index: u64,
    #[prost(string, tag = "2")]
    traceparent: String,
}

/// A proposal that is looked for in what is appended, until this is dropped.
#[must_use]
pub(crate) struct Proposed<'t> {
    table: &'t FollowedEntries,
    command: Option<Bytes>,
}

impl Drop for Proposed<'_> {
    fn drop(&mut self) {
        if let Some(command) = self.command.take() {
            self.table.take_proposed(&command);
        }
    }
}

impl FollowedEntries {
    /// Follows a proposal into the log. It keeps the buffer, so that no other has its place
    /// in memory meanwhile.
    pub(crate) fn propose(&self, command: &Bytes, trace: Trace) -> Proposed<'_> {
        let is_followed = trace.is_followed();
        if is_followed {
            let mut table = self.table();
            if table.proposed.len() < ENTRIES_MAX {
                table.proposed.push((command.clone(), trace));
            }
        }
        Proposed {
            table: self,
            command: is_followed.then(|| command.clone()),
        }
    }

    fn take_proposed(&self, command: &Bytes) -> Option<Trace> {
        let mut table = self.table();
        let is_it = |(known, _): &(Bytes, Trace)| known.as_ptr() == command.as_ptr();
        let place = table.proposed.iter().position(is_it)?;
        Some(table.proposed.swap_remove(place).1)
    }

    /// An entry is appended: its step, and whom it is for.
    pub(crate) fn append(&self, entry: &EntryOf) -> Step {
        if let EntryPayload::Normal(Proposal::Command(command)) = &entry.payload
            && let Some(trace) = self.take_proposed(command)
        {
            self.table().keep(entry.log_id, trace);
        }
        self.step("append", entry.log_id)
    }

    /// A step of an entry, in whose trace it is.
    pub(crate) fn step(&self, name: &'static str, entry: LogIdOf) -> Step {
        let mut step = self.table().find(entry).step(name, Kind::Within);
        step.set_with("meridian.log_index", || signed(entry.index));
        step.set_with("meridian.term", || signed(entry.leader_id.term));
        step
    }

    /// A message goes to another voter: a step of each followed entry in it, and what goes
    /// beside its entries.
    pub(crate) fn replicate(
        &self,
        request: &AppendEntriesRequest<Types>,
        to: u64,
    ) -> (Vec<Step>, Vec<Carried>) {
        let mut steps = Vec::new();
        let mut carried = Vec::new();
        let table = self.table();
        if table.entries.is_empty() {
            return (steps, carried);
        }
        for entry in &request.entries {
            let trace = table.find(entry.log_id);
            if trace.is_followed() {
                let mut step = trace.step("replicate", Kind::Asked);
                step.set_with("meridian.to", || signed(to));
                step.set_with("meridian.log_index", || signed(entry.log_id.index));
                carried.push(Carried {
                    index: entry.log_id.index,
                    traceparent: step.trace().carried(),
                });
                steps.push(step);
            }
        }
        (steps, carried)
    }

    /// A message of the leader has come: what goes beside its entries is kept for them.
    pub(crate) fn hear(
        &self,
        tracer: &Tracer,
        request: &AppendEntriesRequest<Types>,
        carried: &[Carried],
    ) {
        if !tracer.is_on() || carried.is_empty() {
            return;
        }
        let mut table = self.table();
        for one in carried.iter().take(ENTRIES_MAX) {
            let entry = request
                .entries
                .iter()
                .find(|it| it.log_id.index == one.index);
            let trace = tracer.go_on(&one.traceparent);
            if let Some(entry) = entry.filter(|_| trace.is_followed()) {
                table.keep(entry.log_id, trace);
            }
        }
    }

    // A panic cannot leave it half changed.
    fn table(&self) -> MutexGuard<'_, Table> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Table {
    fn keep(&mut self, entry: LogIdOf, trace: Trace) {
        // Sent a second time: the later message is the one that gets there.
        self.entries.retain(|(known, _)| *known != entry);
        if self.entries.len() >= ENTRIES_MAX {
            self.entries.pop_front();
        }
        self.entries.push_back((entry, trace));
    }

    fn find(&self, entry: LogIdOf) -> Trace {
        let known = self.entries.iter().rev().find(|(known, _)| *known == entry);
        known.map_or_else(Trace::none, |(_, trace)| trace.clone())
    }
}

fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use meridian_trace::{Resource, Tracer};
    use openraft::entry::RaftEntry;
    use openraft::raft::AppendEntriesRequest;

    use super::{ENTRIES_MAX, FollowedEntries};
    use crate::types::{EntryOf, LogIdOf, PayloadOf, Proposal, Types, VoteOf};

    fn entry(index: u64, command: &Bytes) -> EntryOf {
        let payload = PayloadOf::Normal(Proposal::Command(command.clone()));
        EntryOf::new(LogIdOf::new_term_index(1, index), payload)
    }

    fn message(entries: Vec<EntryOf>) -> AppendEntriesRequest<Types> {
        AppendEntriesRequest {
            vote: VoteOf::new_committed(1, 1),
            prev_log_id: None,
            entries,
            leader_commit: None,
        }
    }

    #[test]
    fn entry_is_followed_from_its_proposal_to_the_other_voters() {
        let resource = || Resource::builder_empty().build();
        let (leader, mut of_leader) = Tracer::new(resource(), 16);
        let (follower, mut of_follower) = Tracer::new(resource(), 16);
        let (here, there) = (FollowedEntries::default(), FollowedEntries::default());
        // Of equal content: only one of them is followed.
        let (one, other) = (Bytes::from(vec![1; 8]), Bytes::from(vec![1; 8]));
        let propose = leader.begin("propose".to_owned(), None);
        let proposed = here.propose(&one, propose.trace());
        assert!(!here.append(&entry(4, &other)).trace().is_followed());
        assert!(here.append(&entry(5, &one)).trace().is_followed());
        drop(proposed);
        let request = message(vec![entry(4, &other), entry(5, &one)]);
        let (sent, carried) = here.replicate(&request, 2);
        assert_eq!(carried.len(), 1);
        there.hear(&follower, &request, &carried);
        drop((
            there.append(&request.entries[0]),
            there.append(&request.entries[1]),
        ));
        let other_term = LogIdOf::new_term_index(2, 5);
        assert!(!there.step("apply", other_term).trace().is_followed());
        drop((sent, propose));
        let (here, there) = (of_leader.ready(16), of_follower.ready(16));
        let replicate = here
            .iter()
            .find(|span| span.name == "replicate")
            .expect("sent");
        assert_eq!(there.len(), 1, "{there:?}");
        assert_eq!(there[0].parent_span_id, replicate.span_context.span_id());
    }

    #[test]
    fn what_is_not_appended_and_what_is_old_is_forgotten() {
        let (tracer, _finished) = Tracer::new(Resource::builder_empty().build(), 1);
        let table = FollowedEntries::default();
        let trace = tracer.begin("propose".to_owned(), None).trace();
        drop(table.propose(&Bytes::from_static(b"given up"), trace.clone()));
        assert!(table.table().proposed.is_empty());
        for index in 0..=ENTRIES_MAX as u64 {
            let command = Bytes::from(index.to_be_bytes().to_vec());
            let _proposed = table.propose(&command, trace.clone());
            drop(table.append(&entry(index, &command)));
        }
        let first = LogIdOf::new_term_index(1, 0);
        assert!(!table.step("apply", first).trace().is_followed());
        assert_eq!(table.table().entries.len(), ENTRIES_MAX);
    }
}
