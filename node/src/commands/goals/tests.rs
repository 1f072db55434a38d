//! What the commands say of one listing, by a node that has heard how it stands.

use std::sync::Arc;

use clap::Parser;
use meridian_client::CallError;
use meridian_consensus::Electorate;
use meridian_regions::{Genesis, Goal, NodeId, Survival};

use crate::admin;
use crate::cli::{Cli, Command, ListingCommand};
use crate::solo::Solo;

/// A listing that is there, of which the node is told that its goal was changed so often.
async fn listing_at(solo: &Solo, revision: u64) -> Genesis {
    let genesis = solo.listing("Loft", 59.91).await;
    let told = Electorate {
        term: 2,
        index: 9,
        voters: (2..=4).filter_map(NodeId::new).collect(),
        learners: Vec::new(),
        goal: Some(Goal {
            home: "ap-southeast".parse().expect("a region"),
            survival: Survival::Region,
            revision,
        }),
    };
    solo.node.groups.note_electorate(&genesis, told).await;
    genesis
}

/// `meridian listing set-home` to us-east, upon a revision that was seen; answers the code of what
/// refused it.
async fn refused(url: &str, genesis: &Genesis, revision: u64, more: &[&str]) -> String {
    let (listing, revision) = (genesis.listing.to_string(), revision.to_string());
    let line = ["meridian", "listing", "set-home", &listing, "us-east"];
    let upon = ["--revision", &revision, "--admin", url];
    let words = line.iter().chain(&upon).chain(more);
    let cli = Cli::try_parse_from(words).expect("a command");
    let Command::Listing(ListingCommand::SetHome(arguments)) = cli.command else {
        panic!("another command");
    };
    let mut out = Vec::new();
    let done = super::set_home(arguments, &mut out).await;
    let error = done.expect_err("it is refused");
    let error = error.downcast_ref::<CallError>().expect("by the node");
    error.code().expect("with a code").to_owned()
}

/// Repeated once its answer was lost and somebody has changed what it had come to.
#[tokio::test(flavor = "multi_thread")]
async fn change_that_may_have_been_done_before_is_not_called_undone_when_it_is_repeated() {
    let solo = Solo::alone_of_four();
    let url = solo.serve(admin::router(Arc::clone(&solo.node))).await;
    let genesis = listing_at(&solo, 6).await;
    let code = refused(&url, &genesis, 4, &[]).await;
    assert_eq!(code, "outcome-unknown");
    // Whoever only looks does nothing, and has done nothing.
    let code = refused(&url, &genesis, 4, &["--dry-run"]).await;
    assert_eq!(code, "precondition-failed");
    // Another goal stands where this one would.
    for more in [&[][..], &["--dry-run"]] {
        let code = refused(&url, &genesis, 5, more).await;
        assert_eq!(code, "precondition-failed", "{more:?}");
    }
    solo.stop().await;
}
