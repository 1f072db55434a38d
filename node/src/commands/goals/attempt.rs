//! One try of one listing: who is asked, and who next.
//!
//! A node that is not reached, or reaches not whom it needs, has done nothing: it may be starting
//! again. The next one is asked, and all of them again after a pause, within the time of the try.
//! Whoever is asked, no change of somebody else is written over: the revision of the goal that was
//! seen goes along.

use std::time::Duration;

use meridian_client::{AdminClient, CallError, GoalChange};
use serde_json::Value;
use tokio::time::{Instant, sleep, timeout_at};

use super::run::Pace;
use super::wanted::{Target, Wanted};

/// Times that nodes may say within one try that they cannot now: pauses come to five seconds.
const REFUSED_MAX: u32 = 5;
/// Times that all nodes are gone through and none is reached: pauses come to fourteen seconds,
/// more than a node needs to start.
const ROUNDS_MAX: u32 = 8;

/// What is asked about each listing.
#[derive(Debug, Clone, Copy)]
pub(super) struct Attempt<'a> {
    pub(super) wanted: &'a Wanted,
    pub(super) pace: Pace,
    pub(super) dry_run: bool,
}

/// How often it has come to nothing.
#[derive(Debug, Default)]
struct Patience {
    /// Number of the node that is asked.
    turn: usize,
    refused: u32,
    unreached: usize,
}

impl Attempt<'_> {
    /// Asks one of `nodes` about a listing, those first that stand first.
    ///
    /// # Errors
    /// The last [`CallError`].
    pub(super) async fn ask(
        &self,
        nodes: &[AdminClient],
        target: &Target,
        time: Duration,
    ) -> Result<Value, CallError> {
        let change = GoalChange {
            home_region: self.wanted.home.as_deref(),
            survival: self.wanted.survival.as_deref(),
            revision: Some(target.revision),
            dry_run: self.dry_run,
        };
        let until = Instant::now() + time;
        let mut patience = Patience::default();
        loop {
            let admin = &nodes[patience.turn % nodes.len()];
            let asked = admin.change_goal(&target.listing, change);
            let answer = timeout_at(until, asked).await.unwrap_or_else(|_late| {
                let why = format!("it has not come there within {time:?}");
                Err(CallError::Unknown(why))
            });
            let pause = patience.after(&answer, nodes.len(), self.pace.pause);
            match pause {
                Some(pause) if Instant::now() + pause < until => sleep(pause).await,
                Some(_) | None => return answer,
            }
        }
    }
}

impl Patience {
    /// How long to wait until somebody is asked again; `None` if this is the answer.
    fn after(
        &mut self,
        answer: &Result<Value, CallError>,
        nodes: usize,
        pause: Duration,
    ) -> Option<Duration> {
        let error = answer.as_ref().err()?;
        if let CallError::Unreachable(_) = error {
            self.turn += 1;
            self.unreached += 1;
            if !self.unreached.is_multiple_of(nodes) {
                return Some(Duration::ZERO);
            }
            let rounds = u32::try_from(self.unreached / nodes).unwrap_or(u32::MAX);
            return (rounds < ROUNDS_MAX).then_some(pause * rounds);
        }
        match error.code() {
            // It has done nothing, and will have room.
            Some("overloaded") => {}
            // It has done nothing, and perhaps another one reaches whom it does not.
            Some("no-quorum" | "no-holder") => self.turn += 1,
            _ => return None,
        }
        self.refused += 1;
        (self.refused < REFUSED_MAX).then_some(pause * self.refused)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use meridian_client::CallError;
    use serde_json::{Value, json};

    use super::{Patience, ROUNDS_MAX};

    const PAUSE: Duration = Duration::from_secs(1);

    fn unreached() -> Result<Value, CallError> {
        Err(CallError::Unreachable("refused".to_owned()))
    }

    #[test]
    fn all_nodes_are_gone_through_before_a_pause_and_not_for_ever() {
        let mut patience = Patience::default();
        let mut pauses = Vec::new();
        while let Some(pause) = patience.after(&unreached(), 3, PAUSE) {
            pauses.push(pause.as_secs());
            assert!(pauses.len() < 100, "it ends");
        }
        assert_eq!(pauses[..6], [0, 0, 1, 0, 0, 2]);
        assert_eq!(pauses.len(), 3 * ROUNDS_MAX as usize - 1);
    }

    #[test]
    fn whoever_has_answered_or_may_have_done_it_is_not_passed_over() {
        for answer in [
            Ok(json!({})),
            Err(CallError::Unknown("hung up".to_owned())),
            Err(CallError::Decode("no JSON".to_owned())),
        ] {
            let mut patience = Patience::default();
            assert_eq!(patience.after(&answer, 3, PAUSE), None, "{answer:?}");
        }
    }
}
