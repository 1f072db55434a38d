//! What can be done to a map, and what cannot.

use super::{CHANGES_MAX, Change, LayoutError};
use crate::topology::tests::GOOD;
use crate::{FormatLevel, Node, NodeId, NodeState, Region, RegionId, Topology};

fn good() -> Topology {
    Topology::from_toml(GOOD).expect("good")
}

fn id(number: u64) -> NodeId {
    NodeId::new(number).expect("not zero")
}

fn name(region: &str) -> RegionId {
    region.parse().expect("a region")
}

fn node(number: u64, region: &str) -> Node {
    Node {
        id: id(number),
        region: name(region),
        zone: format!("{region}-a").parse().expect("a zone"),
        peer: "127.0.0.1:7501".to_owned(),
        api: "http://127.0.0.1:7500".to_owned(),
        admin: "http://127.0.0.1:7502".to_owned(),
        state: NodeState::Active,
    }
}

fn set(number: u64, state: NodeState) -> Change {
    let node = id(number);
    Change::SetState { node, state }
}

fn add(number: u64, region: &str) -> Change {
    let node = node(number, region);
    Change::AddNode { node }
}

#[test]
fn region_and_node_come_with_the_next_epoch() {
    let region = Region {
        id: name("ap-south"),
        latitude: 19.0,
        longitude: 72.8,
    };
    let changes = [Change::AddRegion { region }, add(2, "ap-south")];
    let next = good().changed(&changes).expect("both can be");
    assert_eq!(next.epoch(), 2);
    assert_eq!(next.node(id(2)), Some(&node(2, "ap-south")));
    let read = Topology::from_toml(&next.to_toml()).expect("its own file");
    assert_eq!(read, next);
}

#[test]
fn number_is_never_given_again() {
    let grown = good().changed(&[add(2, "eu-west")]).expect("a new number");
    let shrunk = grown.changed(&[set(2, NodeState::Removed)]).expect("gone");
    let again = shrunk.changed(&[add(2, "eu-west")]);
    assert!(matches!(again, Err(LayoutError::Map(_))), "{again:?}");
    let back = shrunk.changed(&[set(2, NodeState::Active)]);
    assert_eq!(back, Err(LayoutError::Removed(id(2))));
}

#[test]
fn lost_region_loses_every_node_and_keeps_its_name() {
    let grown = [add(2, "eu-west"), add(3, "eu-west")];
    let grown = good().changed(&grown).expect("new numbers");
    let lost = Change::RemoveRegion {
        region: name("eu-west"),
    };
    let next = grown.changed(std::slice::from_ref(&lost)).expect("lost");
    let state = |number| next.node(id(number)).expect("still named").state;
    assert_eq!(state(2), NodeState::Removed);
    assert_eq!(state(3), NodeState::Removed);
    assert_eq!(state(1), NodeState::Active);
    assert!(next.region(&name("eu-west")).is_some());
    let again = next.changed(&[lost]);
    assert_eq!(again, Err(LayoutError::RegionEmpty(name("eu-west"))));
}

#[test]
fn what_cannot_be_is_refused_by_name() {
    let map = good();
    let unknown = map.changed(&[set(9, NodeState::Draining)]);
    assert_eq!(unknown, Err(LayoutError::NoNode(id(9))));
    let nowhere = map.changed(&[add(2, "mars")]);
    assert_eq!(nowhere, Err(LayoutError::NoRegion(name("mars"))));
    let last = map.changed(&[set(1, NodeState::Draining)]);
    assert_eq!(last, Err(LayoutError::NobodyLeft));
    let anew = map.changed(&[set(1, NodeState::Joining)]);
    assert_eq!(anew, Err(LayoutError::PastJoining(id(1))));
    assert_eq!(map.changed(&[]), Err(LayoutError::Nothing));
    let many = vec![set(1, NodeState::Active); CHANGES_MAX + 1];
    assert_eq!(map.changed(&many), Err(LayoutError::TooMany));
}

#[test]
fn refused_change_leaves_nothing_of_those_before_it() {
    let map = good();
    let changes = [add(2, "eu-west"), set(9, NodeState::Active)];
    map.changed(&changes).expect_err("there is no node 9");
    assert_eq!(map, good());
}

#[test]
fn changes_read_back_from_json() {
    let changes = [add(2, "eu-west"), set(1, NodeState::Draining)];
    let text = serde_json::to_string(&changes).expect("written");
    let read: Vec<Change> = serde_json::from_str(&text).expect("read");
    assert_eq!(read, changes);
    let unknown = text.replace("\"node\":", "\"knode\":");
    serde_json::from_str::<Vec<Change>>(&unknown).expect_err("an unknown key");
}

#[test]
fn level_is_raised_with_the_next_epoch_and_never_lowered() {
    let map = good();
    assert!(
        !map.to_toml().contains("format_level"),
        "earlier releases refuse the key"
    );
    let raised = map.raised(FormatLevel::REHEARSED).expect("later");
    assert_eq!(raised.epoch(), map.epoch() + 1);
    let read = Topology::from_toml(&raised.to_toml()).expect("its own file");
    assert_eq!(read.format_level(), FormatLevel::REHEARSED);
    for level in [FormatLevel::FIRST, FormatLevel::REHEARSED] {
        let refused = raised.raised(level);
        assert_eq!(refused, Err(LayoutError::Level(FormatLevel::REHEARSED)));
    }
    let changed = raised.changed(&[add(2, "eu-west")]).expect("a new number");
    assert_eq!(changed.format_level(), FormatLevel::REHEARSED);
}
