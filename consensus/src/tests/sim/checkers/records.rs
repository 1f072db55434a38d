//! What one disk says of one group agrees: one instance alone has written it, in order.

use super::super::history::{History, Records};

pub(super) fn check(history: &History) -> Result<(), String> {
    for records in &history.records {
        agree(records).map_err(|what| format!("{}: {what}", records.place))?;
    }
    Ok(())
}

fn agree(records: &Records) -> Result<(), String> {
    let (purged, applied) = (records.purged, records.applied);
    if purged > applied {
        return Err(format!(
            "purged through {purged:?}, applied through {applied:?}"
        ));
    }
    if let Some(pair) = records.terms.windows(2).find(|pair| pair[0] > pair[1]) {
        return Err(format!(
            "an entry of term {} after one of {}",
            pair[1], pair[0]
        ));
    }
    let due: Vec<u64> = records.due_ms.into_iter().collect();
    if due != records.todo_ms {
        return Err(format!(
            "its ledger is due at {due:?}, the to-do index says {:?}",
            records.todo_ms
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::check;
    use crate::tests::sim::history::{History, Records};

    #[test]
    fn disk_that_two_instances_have_written_is_condemned() {
        let good = Records {
            place: "a disk".to_owned(),
            purged: Some(3),
            applied: Some(5),
            terms: vec![1, 1, 2],
            due_ms: Some(70),
            todo_ms: vec![70],
        };
        let verdict = |records: Records| {
            check(&History {
                records: vec![records],
                ..History::default()
            })
        };
        assert_eq!(verdict(good.clone()), Ok(()));
        let overtaken = Records {
            applied: Some(2),
            ..good.clone()
        };
        let mixed = Records {
            terms: vec![1, 2, 1],
            ..good.clone()
        };
        let forgotten = Records {
            todo_ms: vec![60, 70],
            ..good
        };
        for broken in [overtaken, mixed, forgotten] {
            assert!(verdict(broken).is_err());
        }
    }
}
