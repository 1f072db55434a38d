//! Once all is quiet, every replica has the same heads and changes, byte for byte, shows
//! the same, and has the same logs.

use std::collections::BTreeMap;

use super::super::history::History;

pub(super) fn check(history: &History) -> Result<(), String> {
    let mut first = BTreeMap::new();
    for ((listing, node), shown) in &history.finals {
        let (other, same) = *first.entry(listing).or_insert((node, shown));
        if shown != same {
            return Err(format!(
                "listing {listing} is {shown:?} on node {node} and {same:?} on node {other}"
            ));
        }
    }
    let mut logs = history.logs.iter();
    let Some((one, log)) = logs.next() else {
        return Ok(());
    };
    match logs.find(|(_, other)| *other != log) {
        Some((other, theirs)) => {
            let held = log
                .iter()
                .filter(|entry| theirs.get(entry.0) != Some(entry.1));
            let missed = theirs.keys().filter(|place| !log.contains_key(*place));
            let (held, missed): (Vec<_>, Vec<_>) = (held.collect(), missed.collect());
            Err(format!(
                "the logs of nodes {one} and {other} differ: {held:?} is only so on the one, {missed:?} only on the other"
            ))
        }
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::good;
    use super::check;

    #[test]
    fn replica_that_shows_something_else_is_condemned() {
        let mut history = good();
        assert_eq!(check(&history), Ok(()));
        let shown = history.finals.get_mut(&(0, 2)).expect("there");
        shown.as_mut().expect("there").json = "else".to_owned();
        assert!(check(&history).is_err());
    }

    #[test]
    fn replica_with_other_bytes_is_condemned() {
        let mut history = good();
        let shown = history.finals.get_mut(&(0, 2)).expect("there");
        shown.as_mut().expect("there").changes = 1;
        assert!(check(&history).is_err());
    }

    #[test]
    fn replica_that_has_not_all_entries_is_condemned() {
        let mut history = good();
        history.logs.entry(2).or_default().clear();
        assert!(check(&history).is_err());
    }
}
