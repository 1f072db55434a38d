//! What has to go on, and what has to be said, while and after a region is cut off.

use std::time::Duration;

use super::Violation;

/// What came of the edits that one region was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EditTally {
    /// The region.
    pub region: String,
    /// Listings that it was asked to edit.
    pub asked: usize,
    /// Those of them whose every edit it acknowledged.
    pub accepted: usize,
}

/// Something that could not be read once the links were healed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unread {
    /// What was asked for, and where.
    pub what: String,
    /// What came of it.
    pub cause: String,
}

/// A minority answered `no-quorum`: `after` is how long that took, if it ever did.
#[must_use]
pub fn check_no_quorum(
    region: &str,
    after: Option<Duration>,
    patience: Duration,
) -> Vec<Violation> {
    if after.is_some_and(|after| after <= patience) {
        return Vec::new();
    }
    vec![Violation {
        invariant: "a minority answers no-quorum within its deadline",
        detail: match after {
            Some(after) => format!("{region} did after {after:.1?}, not within {patience:?}"),
            None => format!("{region} did not within {patience:?}"),
        },
    }]
}

/// Every region accepted every edit, the one that was cut off and the others. A region
/// that was asked for none proves nothing.
#[must_use]
pub fn check_edits_accepted(tallies: &[EditTally]) -> Vec<Violation> {
    let invariant = "every region accepts listings, cut off or not";
    if tallies.is_empty() {
        return vec![Violation {
            invariant,
            detail: "no region was asked for an edit".to_owned(),
        }];
    }
    let short = tallies
        .iter()
        .filter(|tally| tally.asked == 0 || tally.accepted < tally.asked);
    short
        .map(|tally| Violation {
            invariant,
            detail: format!(
                "{} of {} listings were edited in {}",
                tally.accepted, tally.asked, tally.region
            ),
        })
        .collect()
}

/// Everything can be read again once the links are healed.
#[must_use]
pub fn check_readable(unread: &[Unread]) -> Vec<Violation> {
    let unread = unread.iter().map(|unread| Violation {
        invariant: "a healed cluster serves reads",
        detail: format!("{}: {}", unread.what, unread.cause),
    });
    unread.collect()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{EditTally, Unread, check_edits_accepted, check_no_quorum, check_readable};

    #[test]
    fn late_or_missing_no_quorum_is_condemned() {
        let check = |after: Option<u64>| {
            check_no_quorum(
                "eu-west",
                after.map(Duration::from_secs),
                Duration::from_secs(10),
            )
        };
        assert_eq!(check(None).len(), 1);
        assert_eq!(check(Some(11)).len(), 1);
        assert!(check(Some(9)).is_empty());
    }

    #[test]
    fn refused_edit_in_any_region_is_condemned() {
        let tally = |region: &str, accepted| EditTally {
            region: region.to_owned(),
            asked: 30,
            accepted,
        };
        let refused = [tally("us-east", 29), tally("ap-southeast", 30)];
        assert_eq!(check_edits_accepted(&refused).len(), 1);
        assert!(check_edits_accepted(&[tally("us-east", 30)]).is_empty());
    }

    #[test]
    fn run_without_edits_is_condemned() {
        assert_eq!(check_edits_accepted(&[]).len(), 1);
        let idle = EditTally {
            region: "us-east".to_owned(),
            asked: 0,
            accepted: 0,
        };
        assert_eq!(check_edits_accepted(&[idle]).len(), 1);
    }

    #[test]
    fn unread_ledger_is_condemned() {
        let unread = Unread {
            what: "bookings of lst_a in us-east".to_owned(),
            cause: "no quorum".to_owned(),
        };
        assert_eq!(check_readable(&[unread]).len(), 1);
    }
}
