//! What scenarios may write, and what they are told when they may not.

use serde_json::{Value, json};

use super::{Fault, FaultError, FaultSpec, precheck, settings};
use crate::layout::WanPlan;

fn read(table: Value) -> Result<FaultSpec, String> {
    serde_json::from_value(table).map_err(|cause| cause.to_string())
}

fn refused(table: Value) -> String {
    read(table).expect_err("refused")
}

#[test]
fn flat_table_is_read_and_written_alike() {
    let table = json!({
        "at_s": 10.0, "for_s": 20.0, "every_s": null, "required": true,
        "kind": "delay", "links": "eu-west <-> us-east", "delay_ms": 100,
    });
    let spec = read(table.clone()).expect("a fault");
    assert_eq!(
        (spec.name(), spec.at_s, spec.for_s),
        ("delay", 10.0, Some(20.0))
    );
    assert!(matches!(&spec.fault, Fault::Delay(delay) if delay.delay_ms == 100));
    assert_eq!(serde_json::to_value(&spec).expect("written"), table);
}

#[test]
fn what_is_wrong_with_a_table_is_said() {
    let told = refused(json!({"at_s": 1, "kind": "kill", "target": "any", "delay_ms": 1}));
    assert!(told.contains("unknown field `delay_ms`"), "{told}");
    let told = refused(json!({"at_s": 1, "kind": "explode"}));
    assert!(told.contains("unknown variant `explode`"), "{told}");
    let told = refused(json!({"kind": "kill", "target": "any"}));
    assert!(told.contains("missing field `at_s`"), "{told}");
    let told = refused(json!({"at_s": -1, "kind": "kill", "target": "any"}));
    assert!(told.contains("at_s: seconds from 0 on"), "{told}");
    let told = refused(json!({"at_s": 1, "every_s": 0, "kind": "kill", "target": "any"}));
    assert!(told.contains("every_s: must be more than 0"), "{told}");
    let told = refused(json!({"at_s": 1, "kind": "kill", "target": "node:x"}));
    assert!(told.contains("a node has a number"), "{told}");
    let told = refused(json!({"at_s": 1, "kind": "cut", "links": "eu-west"}));
    assert!(told.contains("links read `eu-west -> us-east`"), "{told}");
}

#[test]
fn every_kind_is_read_by_its_name_and_written_so() {
    let links = "leader <-> all";
    let tables = [
        json!({"kind": "jitter", "links": links, "jitter_ms": 5}),
        json!({"kind": "delay", "links": links, "delay_ms": 5}),
        json!({"kind": "loss", "links": links, "share": 0.1}),
        json!({"kind": "burst-loss", "links": links, "bad_datagrams": 9.0, "good_datagrams": 90.0, "share": 1.0}),
        json!({"kind": "duplicate", "links": links, "share": 0.1}),
        json!({"kind": "reorder", "links": links, "share": 0.1, "by_ms": 5}),
        json!({"kind": "corrupt", "links": links, "share": 0.1}),
        json!({"kind": "bandwidth", "links": links, "kbit_per_s": 64, "queue_ms": 200}),
        json!({"kind": "mtu", "links": links, "bytes": 1_250}),
        json!({"kind": "cut", "links": "eu-west -> us-east"}),
        json!({"kind": "partition", "shape": "bridge", "target": "node:2"}),
        json!({"kind": "kill", "target": "any"}),
        json!({"kind": "region-loss", "region": "random-region"}),
        json!({"kind": "pause", "target": "leader"}),
        json!({"kind": "slow-cpu", "target": "any", "percent": 10}),
        json!({"kind": "rolling-restart", "target": "all", "by": "kill"}),
        json!({"kind": "power-cut", "target": "all"}),
        json!({"kind": "disk-full", "target": "any"}),
        json!({"kind": "disk-error", "target": "any"}),
        json!({"kind": "slow-fsync", "target": "any", "writes_per_s": 10}),
        json!({"kind": "torn-tail", "target": "any", "database": "bookings", "bytes": 64}),
        json!({"kind": "flipped-byte", "target": "any", "database": "listings", "file": "table"}),
        json!({"kind": "drain", "target": "any"}),
        json!({"kind": "rebalance", "region": "eu-west"}),
        json!({"kind": "overload", "target": "any", "clients": 2_000}),
        json!({"kind": "clock-jump", "target": "any", "by_ms": -5_000}),
        json!({"kind": "clock-drift", "target": "any", "by_ppm": 100_000}),
        json!({"kind": "leader-transfer"}),
        json!({"kind": "rejoin", "target": "any", "without": "bookings"}),
        json!({"kind": "topology", "target": "node:4", "state": "active"}),
        json!({"kind": "rotate-certificates", "authority": "new"}),
        json!({"kind": "expire-certificate", "target": "any"}),
    ];
    for table in tables {
        let fault: Fault = serde_json::from_value(table.clone()).expect("a fault");
        assert_eq!(table["kind"], fault.name());
        let told = include_str!("../../../docs/faults.md");
        assert!(
            told.contains(&format!("`{}`", fault.name())),
            "{}",
            fault.name()
        );
        assert_eq!(serde_json::to_value(&fault).expect("written"), table);
    }
}

#[test]
fn what_a_cluster_cannot_do_is_refused_before_the_run() {
    let plan = WanPlan::three_continents();
    let ring = json!({"at_s": 1, "kind": "partition", "shape": "majority-ring"});
    let refused_here = precheck(&[read(ring).expect("a fault")], &plan);
    assert!(matches!(refused_here, Err(FaultError::NotHere { .. })));
    let told = refused(json!({"at_s": 1, "kind": "loss", "links": "all->all", "share": 1.5}));
    assert!(told.contains("1.5 is no share"), "{told}");
    let told = refused(json!({"at_s": 1, "kind": "clock-jump", "target": "any", "by_ms": 99}));
    assert!(told.contains("99: from 100 to 86400000, or from"), "{told}");
    let told =
        refused(json!({"at_s": 1, "kind": "clock-drift", "target": "any", "by_ppm": -500_001}));
    assert!(told.contains("or from -500000 to -1000"), "{told}");
    let told = refused(json!({"at_s": 1, "kind": "slow-cpu", "target": "any", "percent": 0}));
    assert!(told.contains("from 1 to 99"), "{told}");
}

#[test]
fn nodes_allow_their_clocks_to_be_set_only_where_a_scenario_does() {
    let drift = json!({"at_s": 1, "kind": "clock-drift", "target": "leader", "by_ppm": 1_000});
    let kill = json!({"at_s": 1, "kind": "kill", "target": "any"});
    let both = [kill.clone(), drift].map(|table| read(table).expect("a fault"));
    assert_eq!(settings(&both), ["chaos.enabled=true"]);
    assert!(settings(&[read(kill).expect("a fault")]).is_empty());
}

#[test]
fn places_that_the_plan_does_not_have_are_refused_before_the_run() {
    let plan = WanPlan::three_continents();
    let checked = |table: Value| precheck(&[read(table).expect("a fault")], &plan);
    for target in [
        "eu-west",
        "region:eu-west",
        "node:3",
        "leader",
        "any",
        "random-region",
        "all",
    ] {
        checked(json!({"at_s": 1, "kind": "kill", "target": target})).expect("known");
    }
    let told = checked(json!({"at_s": 1, "kind": "kill", "target": "mars"}));
    assert!(matches!(told, Err(FaultError::NoSuchPlace(place)) if place == "mars"));
    let told = checked(json!({"at_s": 1, "kind": "cut", "links": "node:1->node:9"}));
    assert!(matches!(told, Err(FaultError::NoSuchPlace(place)) if place == "node:9"));
}

#[test]
fn links_within_a_region_are_there_only_in_a_plan_that_is_linked_everywhere() {
    let plan = WanPlan::three_continents().with_node(4, "ap-southeast");
    let cut =
        [read(json!({"at_s": 1, "kind": "cut", "links": "node:3<->node:4"})).expect("a fault")];
    assert!(matches!(precheck(&cut, &plan), Err(FaultError::NoLink(_))));
    precheck(&cut, &plan.linked_everywhere()).expect("linked");
}
