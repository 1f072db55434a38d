//! One file for each promise.

mod converged;
mod kept;
mod numbers;
mod sessions;
mod watermarks;

use meridian_simulation::{Checker, Violation, judge};

use super::history::History;

const CHECKERS: [(&str, Checker<History>); 6] = [
    ("replicas converge", converged::check),
    ("acknowledged is kept", kept::check),
    ("sessions never go back", sessions::check),
    ("watermarks tell the truth", watermarks::check),
    ("no number is given twice", numbers::check),
    ("everything ends well", ends_well),
];

/// Every promise that a history breaks.
pub(super) fn check(history: &History) -> Vec<Violation> {
    judge(&CHECKERS, history)
}

fn ends_well(history: &History) -> Result<(), String> {
    match history.stuck.first() {
        Some(what) => Err(what.clone()),
        None => Ok(()),
    }
}

#[cfg(test)]
pub(super) mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use super::super::history::{Claim, Final, History, Kind, Mark, Read, Sight, Write};
    use super::{check, ends_well};

    pub(crate) fn marks<const N: usize>(names: [&str; N]) -> BTreeSet<Mark> {
        names.map(str::to_owned).into()
    }

    pub(crate) fn sight<const N: usize>(names: [&str; N], count: i64) -> Sight {
        let marks = marks(names);
        Sight {
            marks,
            count,
            buried: false,
        }
    }

    /// Two nodes; two edits, the second upon the first, a count; and a read of all.
    pub(crate) fn good() -> History {
        let mut history = History::default();
        let writes = [
            ("a", Kind::Edit, 1, marks([])),
            ("b", Kind::Edit, 2, marks(["a"])),
            ("+", Kind::Count(3), 1, marks([])),
        ];
        for (mark, kind, node, saw) in writes {
            let write = Write {
                kind,
                listing: 0,
                node,
                saw,
                acked: true,
            };
            history.writes.insert(mark.to_owned(), write);
        }
        history.reads.push(Read {
            client: 0,
            node: 1,
            listing: 0,
            must: Some(sight(["a"], 3)),
            shown: Some(sight(["a", "b"], 3)),
        });
        for through in [5, 7] {
            history.claims.push(Claim {
                node: 1,
                life: 0,
                origin: 2,
                through,
                lacks: None,
            });
        }
        let made = [(1, "edit"), (2, "edit"), (1, "count")];
        let made = made.map(|(node, message)| ((node, message.to_owned()), 1));
        for node in [1, 2] {
            let shown = Final {
                sight: sight(["a", "b"], 3),
                made: Some(BTreeMap::from(made.clone())),
                ..Final::default()
            };
            history.finals.insert((0, node), Some(shown));
            history.logs.entry(node).or_default().insert((1, 0, 1), 9);
        }
        history
    }

    #[test]
    fn good_history_is_not_condemned() {
        assert_eq!(check(&good()), []);
    }

    #[test]
    fn world_that_does_not_end_well_is_condemned() {
        let mut history = good();
        history.stuck.push("it hangs".to_owned());
        assert!(ends_well(&history).is_err());
    }
}
