//! The index of keys: found wherever a quorum is, and no longer than needed.

use bytes::Bytes;
use meridian_consensus_core::{Command, key_name};
use meridian_regions::Genesis;
use meridian_storage::{Batch, Durability};
use openraft::EntryPayload;
use tokio::time::timeout;

use super::{Cluster, DEADLINE, block, genesis, hold};
use crate::Groups;
use crate::key_uses::note_entry;
use crate::keys::{GroupKey, KEY_USES};
use crate::types::{EntryOf, LogIdOf, Proposal};

/// Whether a node knows that the command's key was used in the group.
fn knows(groups: &Groups, genesis: &Genesis, command: &Command) -> bool {
    let request = command.idempotency.as_ref().expect("a key");
    let uses = groups.uses_of(&key_name(&request.caller, &request.key));
    let uses = uses.expect("readable");
    uses.iter().any(|one| one.genesis == *genesis)
}

#[tokio::test(flavor = "multi_thread")]
async fn key_is_known_to_a_quorum_before_its_command_is_answered_and_after_a_restart() {
    let mut cluster = Cluster::start();
    let genesis = genesis(1);
    cluster.cut(3);
    for night in 1..=20 {
        let command = block(night);
        cluster.propose(&genesis, &command).await;
        // At once: whoever reaches a quorum finds it, whichever quorum that is.
        for id in [1, 2] {
            assert!(knows(&cluster.node(id), &genesis, &command), "node {id}");
        }
        assert!(!knows(&cluster.node(3), &genesis, &command));
    }
    assert!(!knows(&cluster.node(1), &genesis, &block(21)));
    cluster.stop_node(1).await;
    cluster.start_node(1);
    assert!(knows(&cluster.node(1), &genesis, &block(1)));
}

#[tokio::test(flavor = "multi_thread")]
async fn one_key_of_two_listings_is_known_of_both() {
    let cluster = Cluster::start();
    let listings = [genesis(1), genesis(2)];
    for genesis in &listings {
        cluster.propose(genesis, &block(1)).await;
    }
    for genesis in &listings {
        assert!((1..=3).any(|id| knows(&cluster.node(id), genesis, &block(1))));
    }
}

/// The same command under another key.
fn with_key(mut command: Command, key: String) -> Command {
    if let Some(idempotency) = command.idempotency.as_mut() {
        idempotency.key = key;
    }
    command
}

#[tokio::test(flavor = "multi_thread")]
async fn voter_that_is_given_a_ledger_knows_the_keys_in_it() {
    let mut cluster = Cluster::start();
    let genesis = genesis(3);
    cluster.propose(&genesis, &block(0)).await;
    cluster.stop_node(1).await;
    let missed = with_key(block(1), "missed".to_owned());
    cluster.propose(&genesis, &missed).await;
    // More than the entries that are kept behind a snapshot.
    for round in 0..5_i8 {
        for offset in 0..100 {
            let command = with_key(block(offset), format!("{round} {offset}"));
            cluster.propose(&genesis, &command).await;
        }
    }
    cluster.start_node(1);
    cluster.read(&genesis).await;
    let returned = cluster.node(1);
    timeout(DEADLINE, async {
        while !knows(&returned, &genesis, &missed) {
            tokio::task::yield_now().await;
        }
    })
    .await
    .expect("it comes with the ledger");
}

#[tokio::test(flavor = "multi_thread")]
async fn index_ends_with_the_keys_that_are_in_it() {
    let cluster = Cluster::start();
    let (genesis, groups) = (genesis(4), cluster.node(1));
    let today = block(1);
    cluster.propose(&genesis, &today).await;
    let mut long_ago = block(2);
    long_ago.at_ms = 1;
    let payload = EntryPayload::Normal(Proposal::Command(Bytes::from(long_ago.encode())));
    let entry = EntryOf {
        log_id: LogIdOf::new_term_index(1, 9),
        payload,
    };
    let mut batch = Batch::new();
    note_entry(&mut batch, &GroupKey::new(&genesis.listing), &entry);
    let permit = groups.shared().writer.reserve().await.expect("open");
    permit
        .submit(batch, Durability::Buffered)
        .await
        .expect("written");
    let records = || {
        let all = groups.store().scan(KEY_USES, &[], &[u8::MAX; 5], 16);
        all.expect("readable").len()
    };
    assert_eq!(records(), 2);
    assert!(!knows(&groups, &genesis, &long_ago), "its time is over");
    groups.forget_key_uses().await.expect("cut");
    assert_eq!(records(), 1);
    assert!(knows(&groups, &genesis, &today));
}

#[tokio::test(flavor = "multi_thread")]
async fn guest_is_known_where_its_entry_or_its_ledger_is() {
    let cluster = Cluster::start();
    let genesis = genesis(7);
    cluster.cut(3);
    let mut held = hold(1);
    held.idempotency = block(1).idempotency;
    cluster.propose(&genesis, &held).await;
    let guest = &held.idempotency.as_ref().expect("a key").caller;
    let known = |id, guest: &str| {
        let listings = cluster.node(id).reserved_by(guest, None, 10);
        listings.expect("readable")
    };
    let listing = &genesis.listing;
    for id in [1, 2] {
        assert_eq!(known(id, guest), std::slice::from_ref(listing), "node {id}");
        assert!(known(id, "nobody").is_empty());
        let rest = cluster.node(id).reserved_by(guest, Some(listing), 10);
        assert!(rest.expect("readable").is_empty());
    }
    assert!(known(3, guest).is_empty());
    let ledger = cluster.node(1).local(listing).expect("readable").ledger;
    let mut batch = Batch::new();
    crate::guests::note_ledger(&mut batch, &GroupKey::new(listing), &ledger);
    let other = cluster.node(3);
    let permit = other.shared().writer.reserve().await.expect("open");
    let written = permit.submit(batch, Durability::Buffered).await;
    written.expect("written");
    assert_eq!(known(3, guest), std::slice::from_ref(listing));
}
