//! A clock that is ahead of a quorum's does not get into the log.

use super::super::history::History;

/// What a leader's clock may be ahead, and what it cannot know: half a second, a message
/// under way for as long as its sender waits, and the smallest step that is noticed.
const AHEAD_MS_MAX: i64 = 500 + 400 + 100;

pub(super) fn check(history: &History) -> Result<(), String> {
    if history.ahead_ms > AHEAD_MS_MAX {
        return Err(format!("a ledger was {} ms ahead", history.ahead_ms));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::check;
    use crate::tests::sim::history::History;

    #[test]
    fn ledger_that_is_an_hour_ahead_is_condemned() {
        let mut history = History {
            ahead_ms: 600,
            ..History::default()
        };
        assert_eq!(check(&history), Ok(()));
        history.ahead_ms = 3_600_000;
        assert!(check(&history).is_err());
    }
}
