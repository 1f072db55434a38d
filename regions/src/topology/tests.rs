//! What a topology file may and may not say.

use super::{Topology, TopologyError};
use crate::NodeId;

pub(crate) const GOOD: &str = r#"
cluster = "demo"
epoch = 1
[[regions]]
id = "us-east"
latitude = 38.9
longitude = -77.4
[[regions]]
id = "eu-west"
latitude = 53.3
longitude = -6.3
[[nodes]]
id = 1
region = "us-east"
zone = "us-east-a"
peer = "127.0.0.1:7401"
api = "http://127.0.0.1:7400"
admin = "http://127.0.0.1:7402"
"#;

fn refused(from: &str, to: &str) -> TopologyError {
    Topology::from_toml(&GOOD.replace(from, to)).expect_err("refused")
}

#[test]
fn good_file_is_read() {
    let topology = Topology::from_toml(GOOD).expect("good");
    assert_eq!(topology.cluster().as_str(), "demo");
    assert!(topology.node(NodeId::new(1).expect("not zero")).is_some());
}

#[test]
fn nearest_region_comes_first() {
    let topology = Topology::from_toml(GOOD).expect("good");
    let order = |lat, lon| -> Vec<String> {
        topology
            .regions_by_distance(lat, lon)
            .iter()
            .map(|(region, _)| region.id.to_string())
            .collect()
    };
    assert_eq!(order(59.9, 10.7), ["eu-west", "us-east"]);
    assert_eq!(order(35.6, -82.5), ["us-east", "eu-west"]);
    let (_, oslo_km) = topology.regions_by_distance(59.91, 10.75)[0];
    assert!((1_200.0..1_350.0).contains(&oslo_km), "{oslo_km}");
}

#[test]
fn unknown_key_is_refused() {
    assert!(matches!(
        refused("zone =", "zon ="),
        TopologyError::Syntax(message) if message.contains("zon")
    ));
}

#[test]
fn node_in_unknown_region_off_globe_and_bad_address_are_refused() {
    assert!(matches!(
        refused("region = \"us-east\"", "region = \"mars\""),
        TopologyError::UnknownRegion { .. }
    ));
    assert!(matches!(
        refused("latitude = 38.9", "latitude = 138.9"),
        TopologyError::Coordinates(_)
    ));
    assert!(matches!(
        refused("127.0.0.1:7401", "127.0.0.1"),
        TopologyError::Address { .. }
    ));
}

#[test]
fn id_of_a_removed_node_stays_taken() {
    let again = GOOD.replace("admin = \"http://127.0.0.1:7402\"", "admin = \"http://127.0.0.1:7402\"\nstate = \"removed\"\n[[nodes]]\nid = 1\nregion = \"eu-west\"\nzone = \"a\"\npeer = \"h:1\"\napi = \"\"\nadmin = \"\"");
    assert!(matches!(
        Topology::from_toml(&again),
        Err(TopologyError::NodeTwice(_))
    ));
}

#[test]
fn empty_topology_says_what_to_add() {
    assert_eq!(
        Topology::from_toml("cluster = \"demo\"\nepoch = 1"),
        Err(TopologyError::Empty("regions"))
    );
}

#[test]
fn five_voters_need_nodes_enough_and_other_numbers_are_refused() {
    let refusal = refused("epoch = 1", "epoch = 1\nregion_voters = 5");
    assert_eq!(refusal, TopologyError::FiveVoters);
    let refusal = refused("epoch = 1", "epoch = 1\nregion_voters = 4");
    assert!(matches!(refusal, TopologyError::Syntax(message) if message.contains("3 or 5")));
}
