//! Listings, as operators look at them: their groups, replication and payments.

use axum::http::{Method, StatusCode};

use crate::admin::{goals, groups, logs, repairs, sagas, transfers};
use crate::api::openapi::operation::Operation;
use crate::api::openapi::paths::Described;
use crate::api::problem::Slug;

const TAG: &str = "Listings";
const REPLICATION: &str = "Replication";
const PAYMENTS: &str = "Payments";
const REPAIRS: &str = "/admin/v1/repairs";
/// Why a leadership is not handed over.
const NOT_TAKEN: [Slug; 4] = [
    Slug::LedElsewhere,
    Slug::NotHandedOver,
    Slug::NoQuorum,
    Slug::OutcomeUnknown,
];

pub(super) fn all() -> Vec<Described> {
    let mut all = stand();
    all.extend(change());
    all.extend(replication());
    all.extend(payments());
    all
}

fn stand() -> Vec<Described> {
    let explain = Operation::new(
        TAG,
        "explainListing",
        "Read everything that is known of a listing, and why",
    )
    .or(&[Slug::NoHolder, Slug::OutcomeUnknown])
    .answers(
        StatusCode::OK,
        "Without guests, prices and payment methods.",
        "Explained",
    );
    let list = Operation::new(
        TAG,
        "listGroups",
        "Read where groups stand, those first that should stand elsewhere",
    )
    .query::<groups::Page>()
    .or(&[Slug::NoHolder])
    .answers(
        StatusCode::OK,
        "A page; it may be short before the end.",
        "Groups",
    );
    let show = Operation::new(
        TAG,
        "readGroup",
        "Read how a listing's group stands on this node",
    )
    .answers(StatusCode::OK, "Nobody is woken.", "Group");
    let log = Operation::new(TAG, "readGroupLog", "Read the log of a listing's group")
        .query::<logs::Beginning>()
        .answers(StatusCode::OK, "What is applied on this node.", "GroupLog");
    let ledger = Operation::new(
        TAG,
        "readGroupLedger",
        "Read the ledger of a listing's group",
    )
    .answers(
        StatusCode::OK,
        "As it is applied on this node.",
        "GroupLedger",
    );
    vec![
        (Method::GET, "/admin/v1/listings/{id}/explain", explain),
        (Method::GET, "/admin/v1/groups", list),
        (Method::GET, "/admin/v1/groups/{id}", show),
        (Method::GET, "/admin/v1/groups/{id}/log", log),
        (Method::GET, "/admin/v1/groups/{id}/ledger", ledger),
    ]
}

fn change() -> Vec<Described> {
    let goal = Operation::new(
        TAG,
        "setGoal",
        "Change a listing's home and survival goal, and move its voters",
    )
    .body::<goals::Asked>()
    .or(&[Slug::NoHolder, Slug::NoQuorum])
    .or(&[Slug::PreconditionFailed, Slug::OutcomeUnknown])
    .answers(
        StatusCode::OK,
        "It is so, or would be; again: the same.",
        "Goal",
    );
    let transfer = |id| {
        Operation::new(TAG, id, "Have another voter lead a listing's group")
            .body::<transfers::Transfer>()
            .or(&NOT_TAKEN)
            .or(&[Slug::NoHolder])
            .answers(StatusCode::OK, "It leads; again: the same.", "Led")
    };
    vec![
        (Method::POST, "/admin/v1/groups/{id}/goal", goal),
        (
            Method::POST,
            "/admin/v1/groups/{id}/transfer",
            transfer("transferGroup"),
        ),
        (
            Method::POST,
            "/admin/v1/groups/{id}/transfer-leader",
            transfer("transferLeader"),
        ),
    ]
}

fn replication() -> Vec<Described> {
    let show = Operation::new(
        REPLICATION,
        "readReplication",
        "Read how far behind the node is, and who lacks what of it",
    )
    .answers(
        StatusCode::OK,
        "Lag, followers, shards, what is set aside.",
        "Replication",
    );
    let digests = Operation::new(
        REPLICATION,
        "readDigests",
        "Read digests of what the node has, by shard",
    )
    .answers(
        StatusCode::OK,
        "Equal between nodes that hold the same.",
        "Digests",
    );
    let shard = Operation::new(
        REPLICATION,
        "readDigestsOfShard",
        "Read digests of a shard, by listing",
    )
    .answers(
        StatusCode::OK,
        "Equal between nodes that hold the same.",
        "ShardDigests",
    );
    let repairs = Operation::new(REPLICATION, "listRepairs", "Read the latest comparisons")
        .answers(
            StatusCode::OK,
            "Rounds that wait, run, or have ended lately.",
            "Repairs",
        );
    let repair = Operation::new(
        REPLICATION,
        "beginRepair",
        "Compare documents with the other nodes now",
    )
    .body::<repairs::Wish>()
    .answers(
        StatusCode::ACCEPTED,
        "The round; again while it waits: the same.",
        "Repair",
    );
    vec![
        (Method::GET, "/admin/v1/replication", show),
        (Method::GET, "/admin/v1/replication/digests", digests),
        (Method::GET, "/admin/v1/replication/digests/{shard}", shard),
        (Method::GET, REPAIRS, repairs),
        (Method::POST, REPAIRS, repair),
    ]
}

fn payments() -> Vec<Described> {
    let list = Operation::new(
        PAYMENTS,
        "listPayments",
        "Read the payments that the node drives",
    )
    .answers(StatusCode::OK, "All of them.", "Payments");
    let retry = Operation::new(PAYMENTS, "retryPayment", "Try a payment's step at once")
        .or(&[Slug::NoHolder, Slug::NoQuorum, Slug::OutcomeUnknown])
        .answers(StatusCode::ACCEPTED, "It is tried.", "PaymentStep");
    let give_up = Operation::new(
        PAYMENTS,
        "giveUpPayment",
        "End a payment that was settled by hand",
    )
    .body::<sagas::GiveUp>()
    .or(&[Slug::NoHolder, Slug::NoQuorum, Slug::OutcomeUnknown])
    .or(&[Slug::PreconditionFailed])
    .answers(StatusCode::OK, "Nobody drives it any more.", "GivenUp");
    vec![
        (Method::GET, "/admin/v1/sagas", list),
        (Method::POST, "/admin/v1/sagas/{booking}/retry", retry),
        (Method::POST, "/admin/v1/sagas/{booking}/give-up", give_up),
    ]
}
