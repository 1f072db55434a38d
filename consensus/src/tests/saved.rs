//! A ledger that is written now and then, and indexes that follow every entry.

use std::sync::Arc;

use meridian_consensus_core::{Command, Op, Release};
use meridian_storage::{Batch, Durability, Writer};
use tempfile::TempDir;

use super::{block, genesis, hold, store_in};
use crate::applied_state::AppliedState;
use crate::events::Told;
use crate::keys::{GroupKey, STATE, StateKind, TODO, todo_from};
use crate::records::Records;
use crate::saved::{Saved, WHOLE_EVERY_ENTRIES, todo_of};
use crate::types::LogIdOf;

/// A group's records, and its ledger as it was last in memory.
struct OneGroup {
    key: GroupKey,
    records: Records,
    writer: Writer,
}

impl OneGroup {
    /// The ledger on disk, and what goes with it.
    fn open(&self) -> (AppliedState, Saved) {
        let stored = self
            .records
            .get(STATE, &self.key.state(StateKind::Applied))
            .expect("readable");
        let state = stored.map_or_else(AppliedState::default, |bytes| {
            AppliedState::decode(&bytes).expect("a record")
        });
        let saved = Saved::read(&self.records, &self.key, &state).expect("readable");
        (state, saved)
    }

    /// Applies entry `index`, and answers which events are told with it.
    async fn apply(
        &self,
        (state, saved): (&mut AppliedState, &mut Saved),
        index: u64,
        command: &Command,
    ) -> Vec<u64> {
        Arc::make_mut(&mut state.ledger).apply(command);
        state.log_id = Some(LogIdOf::new_term_index(1, index));
        let mut batch = Batch::new();
        let whole = saved.is_far_behind(state);
        let advance = saved.put(&mut batch, &self.key, state, whole);
        let permit = self.writer.reserve().await.expect("room");
        let written = permit.submit(batch, Durability::Buffered);
        written.await.expect("written");
        saved.advance(&advance);
        let told = advance.told.iter().map(|told| match told {
            Told::Event(event) => event.number,
            Told::Missed { .. } => panic!("nothing is missed: {told:?}"),
        });
        told.collect()
    }

    fn todo(&self) -> Vec<u64> {
        let until = [u8::MAX; 9];
        let places = self
            .records
            .store()
            .scan(TODO, &todo_from(0), &until, usize::MAX);
        let places = places.expect("readable");
        let places = places.iter().filter_map(|(key, _)| GroupKey::of_todo(key));
        places.map(|(due_ms, _)| due_ms).collect()
    }
}

/// Holds that lapse one before the other, and their release.
fn commands() -> Vec<Command> {
    let mut commands = Vec::new();
    for (number, ttl_ms) in [(1, 300_000), (2, 200_000), (3, 100_000)] {
        let mut command = hold(number);
        if let Some(Op::Hold(hold)) = &mut command.op {
            hold.ttl_ms = ttl_ms;
        }
        commands.push(command);
    }
    for number in [3, 2, 1] {
        commands.push(Command::new(Op::Release(Release { number }), None));
    }
    for (number, command) in commands.iter_mut().enumerate() {
        command.at_ms = 1_000 * (number as u64 + 1);
    }
    commands
}

fn one_group() -> (TempDir, OneGroup) {
    let folder = TempDir::new().expect("a folder");
    let store = store_in(&folder);
    let writer = Writer::start(&store).expect("started");
    let records = Records::over(store);
    let key = GroupKey::new(&genesis(7).listing);
    (
        folder,
        OneGroup {
            key,
            records,
            writer,
        },
    )
}

/// However often the group crashes on the way, at each entry.
#[tokio::test]
async fn entries_that_are_applied_again_tell_nothing_twice_and_move_no_index_back() {
    let commands = commands();
    for crash in 1..=commands.len() {
        let (_folder, group) = one_group();
        let (mut state, mut saved) = group.open();
        let mut told = Vec::new();
        let mut places = Vec::new();
        for (index, command) in (1..).zip(&commands[..crash]) {
            told.extend(group.apply((&mut state, &mut saved), index, command).await);
            places.push(group.todo());
            let now: Vec<u64> = state.ledger.todo_ms().into_iter().collect();
            assert_eq!(places.last(), Some(&now), "after entry {index}");
        }
        let before = places.last().cloned().unwrap_or_default();
        let (mut state, mut saved) = group.open();
        assert_eq!(
            state.log_id, None,
            "the ledger is not written at every entry"
        );
        let due = todo_of(&group.records, &group.key, &state).expect("readable");
        assert_eq!(due.into_iter().collect::<Vec<_>>(), before);
        for (index, command) in (1..).zip(&commands) {
            told.extend(group.apply((&mut state, &mut saved), index, command).await);
            if index <= crash as u64 {
                assert_eq!(group.todo(), before, "entry {index} again, after {crash}");
            }
        }
        assert_eq!(group.todo(), Vec::<u64>::new());
        let events = state.ledger.events().map(|event| event.number);
        assert_eq!(told, events.collect::<Vec<_>>(), "a crash after {crash}");
    }
}

#[tokio::test]
async fn ledger_is_written_whole_once_it_is_far_behind() {
    let (_folder, group) = one_group();
    let (mut state, mut saved) = group.open();
    for index in 1..=WHOLE_EVERY_ENTRIES + 3 {
        let night = i8::try_from(index).expect("few");
        group
            .apply((&mut state, &mut saved), index, &block(night))
            .await;
    }
    let (stored, _) = group.open();
    assert_eq!(stored.log_id.map(|id| id.index), Some(WHOLE_EVERY_ENTRIES));
    assert!(saved.is_behind(&state));
}
