//! The list of changes, as people read it.

use serde_json::json;

use super::{exchange, node, pair, patched};

#[test]
fn records_name_author_time_and_parents_and_stand_behind_them() {
    let (mut document, _) = pair();
    patched(&mut document, 2, json!({"capacity": 6}));
    let records = document.records();
    let messages: Vec<&str> = records.iter().map(|one| one.message.as_str()).collect();
    assert_eq!(messages, ["genesis", "genesis", "create", "patch"]);
    let (created, last) = (&records[2], &records[3]);
    assert_eq!((created.actor, last.actor), (Some(node(1)), Some(node(2))));
    assert_eq!(last.parents, [created.hash]);
    assert_eq!(document.heads().changes(), [last.hash]);
    assert_eq!(last.at_ms, super::at(1).as_millis());
}

#[test]
fn replicas_with_the_same_changes_list_them_in_the_same_order() {
    let (mut left, mut right) = pair();
    let mut ours = Vec::new();
    let mut theirs = Vec::new();
    for capacity in 1..4 {
        ours.push(patched(&mut left, 1, json!({"capacity": capacity})));
        theirs.push(patched(&mut right, 2, json!({"min_stay": capacity + 1})));
    }
    exchange((&mut left, &ours), (&mut right, &theirs));
    let records = left.records();
    assert_eq!(records, right.records());
    for (index, one) in records.iter().enumerate() {
        let before: Vec<_> = records[..index].iter().map(|one| one.hash).collect();
        assert!(one.parents.iter().all(|parent| before.contains(parent)));
    }
}
