//! Faults as spans of time, from their events.

use std::collections::HashMap;

use serde::Serialize;

use crate::record::{FaultEvent, Phase};

/// What is known of a fault's effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Effect {
    /// It was seen.
    Confirmed,
    /// Nobody has seen it.
    Unconfirmed,
    /// There was none.
    Failed,
}

/// A fault, from when it began until it ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Span<'a> {
    pub(super) id: u64,
    pub(super) fault: &'a str,
    pub(super) target: &'a str,
    pub(super) nodes: &'a [u64],
    pub(super) begun_us: u64,
    /// `None`: it was not over when the run was.
    pub(super) ended_us: Option<u64>,
    pub(super) effect: Effect,
    /// How the effect was seen, or what is said of its failure.
    pub(super) seen: Option<&'a str>,
}

impl Span<'_> {
    /// When it ended, in a run that ended at `took_us`.
    pub(super) fn end_us(&self, took_us: u64) -> u64 {
        self.ended_us.unwrap_or(took_us).max(self.begun_us)
    }
}

/// Faults in the order in which they began.
pub(super) fn spans(events: &[FaultEvent]) -> Vec<Span<'_>> {
    let mut spans: Vec<Span<'_>> = Vec::new();
    let mut open: HashMap<u64, usize> = HashMap::new();
    for event in events {
        let place = match (event.phase, open.get(&event.id)) {
            (_, Some(place)) => *place,
            // What ends without having begun says nothing.
            (Phase::Ended, None) => continue,
            (Phase::Begun | Phase::Failed, None) => {
                spans.push(begun(event));
                spans.len() - 1
            }
        };
        let Some(span) = spans.get_mut(place) else {
            continue;
        };
        match event.phase {
            Phase::Begun => {
                open.insert(event.id, place);
                if let Some(seen) = &event.confirmed {
                    span.effect = Effect::Confirmed;
                    span.seen = Some(seen);
                }
            }
            Phase::Ended => {
                open.remove(&event.id);
                span.ended_us = Some(event.at_us);
            }
            Phase::Failed => {
                open.remove(&event.id);
                span.ended_us = Some(event.at_us);
                span.effect = Effect::Failed;
                span.seen = event.confirmed.as_deref();
            }
        }
    }
    spans
}

fn begun(event: &FaultEvent) -> Span<'_> {
    Span {
        id: event.id,
        fault: &event.fault,
        target: &event.target,
        nodes: &event.nodes,
        begun_us: event.at_us,
        ended_us: None,
        effect: Effect::Unconfirmed,
        seen: None,
    }
}

/// Spans of time, `(begin, end)`, in order and apart from each other.
pub(super) fn merged(mut spans: Vec<(u64, u64)>) -> Vec<(u64, u64)> {
    spans.sort_unstable();
    let mut merged: Vec<(u64, u64)> = Vec::new();
    for (begin, end) in spans {
        match merged.last_mut() {
            Some(last) if begin <= last.1 => last.1 = last.1.max(end),
            _ => merged.push((begin, end)),
        }
    }
    merged
}

#[cfg(test)]
mod tests {
    use super::{Effect, merged, spans};
    use crate::record::{FaultEvent, Phase};

    fn event(at_us: u64, id: u64, phase: Phase, confirmed: Option<&str>) -> FaultEvent {
        FaultEvent {
            at_us,
            fault: "kill".to_owned(),
            id,
            phase,
            target: "node 1".to_owned(),
            nodes: vec![1],
            confirmed: confirmed.map(str::to_owned),
        }
    }

    #[test]
    fn fault_is_confirmed_when_it_begins_or_later() {
        let events = [
            event(1, 1, Phase::Begun, None),
            event(2, 2, Phase::Begun, Some("exited")),
            event(3, 1, Phase::Begun, Some("exited")),
            event(4, 3, Phase::Begun, None),
            event(5, 1, Phase::Ended, None),
            event(6, 4, Phase::Failed, None),
            event(7, 3, Phase::Failed, None),
            event(8, 9, Phase::Ended, None),
        ];
        let found: Vec<_> = spans(&events)
            .iter()
            .map(|span| (span.id, span.begun_us, span.ended_us, span.effect))
            .collect();
        assert_eq!(
            found,
            [
                (1, 1, Some(5), Effect::Confirmed),
                (2, 2, None, Effect::Confirmed),
                (3, 4, Some(7), Effect::Failed),
                (4, 6, Some(6), Effect::Failed),
            ]
        );
    }

    #[test]
    fn spans_that_touch_are_one() {
        let spans = vec![(5, 7), (1, 3), (3, 4), (6, 6)];
        assert_eq!(merged(spans), [(1, 4), (5, 7)]);
    }
}
