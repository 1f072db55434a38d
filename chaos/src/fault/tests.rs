//! What scenarios may write, and what they are told when they may not.

use serde_json::{Value, json};

use super::{Fault, FaultError, FaultSpec, precheck};
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
