//! The cluster: its nodes and regions, its map, upgrades, and groups that are moved.

use axum::http::{Method, StatusCode};

use crate::admin::{drains, layout, rebalances, upgrade};
use crate::api::openapi::operation::Operation;
use crate::api::openapi::paths::Described;
use crate::api::problem::Slug;

const TAG: &str = "Cluster";
const MAP: &str = "Map";
const NODE_DRAIN: &str = "/admin/v1/nodes/{id}/drain";
const DRAINS: &str = "/admin/v1/drains";
const REBALANCES: &str = "/admin/v1/rebalances";
const STAGED: &str = "/admin/v1/layout/staged";
/// What asking the group that keeps the map may end in.
const OF_THE_MAP: [Slug; 4] = [
    Slug::NoQuorum,
    Slug::OutcomeUnknown,
    Slug::PreconditionFailed,
    Slug::Validation,
];

pub(super) fn all() -> Vec<Described> {
    let mut all = members();
    all.extend(moved());
    all.extend(map());
    all.extend(upgrades());
    all
}

fn members() -> Vec<Described> {
    let nodes = Operation::new(TAG, "listNodes", "Read how every node stands").answers(
        StatusCode::OK,
        "As this node sees them.",
        "Nodes",
    );
    let regions = Operation::new(TAG, "listRegionsStanding", "Read how every region stands")
        .answers(StatusCode::OK, "As this node sees them.", "RegionsStanding");
    let drain = Operation::new(TAG, "drainNode", "Free a node of all groups")
        .or(&[Slug::NotFound])
        .answers(
            StatusCode::ACCEPTED,
            "It is durable; again: the same.",
            "Drain",
        );
    let give_up = Operation::new(TAG, "giveUpDrainOfNode", "Give up a drain").done(
        StatusCode::NO_CONTENT,
        "Nobody moves it on; what has been moved stays.",
    );
    vec![
        (Method::GET, "/admin/v1/nodes", nodes),
        (Method::GET, "/admin/v1/regions", regions),
        (Method::POST, NODE_DRAIN, drain),
        (Method::DELETE, NODE_DRAIN, give_up),
    ]
}

fn moved() -> Vec<Described> {
    let list = Operation::new(TAG, "listDrains", "Read which nodes are freed").answers(
        StatusCode::OK,
        "Those that this node was asked for.",
        "Drains",
    );
    let begin = Operation::new(TAG, "beginDrain", "Free a node of all groups")
        .body::<drains::Wish>()
        .answers(
            StatusCode::ACCEPTED,
            "It is durable; again: the same.",
            "Drain",
        );
    let stop = Operation::new(TAG, "giveUpDrain", "Give up a drain").done(
        StatusCode::NO_CONTENT,
        "Nobody moves it on; what has been moved stays.",
    );
    let rebalances = Operation::new(
        TAG,
        "listRebalances",
        "Read which groups go to where they would be placed now",
    )
    .answers(
        StatusCode::OK,
        "Those that this node was asked for.",
        "Rebalances",
    );
    let rebalance = Operation::new(
        TAG,
        "beginRebalance",
        "Move groups to where they would be placed now",
    )
    .body::<rebalances::Wish>()
    .answers(
        StatusCode::ACCEPTED,
        "It is durable; again: the same.",
        "Rebalance",
    );
    let stay = Operation::new(TAG, "giveUpRebalance", "Give up a rebalance")
        .query::<rebalances::Wish>()
        .done(
            StatusCode::NO_CONTENT,
            "Nobody moves them on; what has been moved stays.",
        );
    vec![
        (Method::GET, DRAINS, list),
        (Method::POST, DRAINS, begin),
        (Method::DELETE, "/admin/v1/drains/{node}", stop),
        (Method::GET, REBALANCES, rebalances),
        (Method::POST, REBALANCES, rebalance),
        (Method::DELETE, REBALANCES, stay),
    ]
}

fn map() -> Vec<Described> {
    let show = Operation::new(MAP, "readMap", "Read the cluster's map").answers(
        StatusCode::OK,
        "The map, and the changes that wait.",
        "Map",
    );
    let found = Operation::new(MAP, "foundMap", "Have the cluster keep its map itself")
        .or(&OF_THE_MAP)
        .answers(StatusCode::OK, "It does; again: the same.", "Map");
    let stage = Operation::new(MAP, "stageChange", "Have one more change wait")
        .body::<layout::Staged>()
        .or(&OF_THE_MAP)
        .answers(StatusCode::OK, "Nothing of it is in force.", "Map");
    let revert = Operation::new(MAP, "revertChanges", "Have no change wait")
        .or(&OF_THE_MAP)
        .answers(StatusCode::OK, "Nothing waits.", "Map");
    let plan = Operation::new(
        MAP,
        "planChanges",
        "Read what the changes that wait will cost",
    )
    .query::<layout::Page>()
    .or(&OF_THE_MAP)
    .answers(StatusCode::OK, "It looks at every listing.", "Plan");
    let apply = Operation::new(MAP, "applyChanges", "Put the changes that wait in force")
        .body::<layout::Applied>()
        .or(&OF_THE_MAP)
        .answers(StatusCode::OK, "They are.", "Map");
    vec![
        (Method::GET, "/admin/v1/layout", show),
        (Method::POST, "/admin/v1/layout/found", found),
        (Method::POST, STAGED, stage),
        (Method::DELETE, STAGED, revert),
        (Method::GET, "/admin/v1/layout/plan", plan),
        (Method::POST, "/admin/v1/layout/apply", apply),
    ]
}

fn upgrades() -> Vec<Described> {
    let check = Operation::new(MAP, "readUpgrade", "Read what every node speaks").answers(
        StatusCode::OK,
        "With what keeps the next level off, and what speaks against a restart now.",
        "Upgrade",
    );
    let finalize = Operation::new(MAP, "finalizeUpgrade", "Write a level from now on")
        .body::<upgrade::Finalized>()
        .or(&OF_THE_MAP)
        .answers(StatusCode::OK, "It is never lowered.", "Upgrade");
    vec![
        (Method::GET, "/admin/v1/upgrade", check),
        (Method::POST, "/admin/v1/upgrade/finalize", finalize),
    ]
}
