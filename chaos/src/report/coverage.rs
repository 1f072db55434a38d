//! Which faults a run has seen, and which of them at the same time.
//!
//! Only what was confirmed counts: a fault that nobody has seen covers nothing.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::spans::{Effect, Span, merged};
use crate::record::Run;

/// Names of faults that are looked at in pairs: those that come first by name, and the
/// required ones before them. There are fewer kinds of faults than this.
const NAMES_MAX: usize = 48;

/// A fault, in a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Covered<'a> {
    pub(super) fault: &'a str,
    pub(super) is_required: bool,
    pub(super) begun: u64,
    pub(super) confirmed: u64,
    pub(super) failed: u64,
    /// How long one at least was in effect.
    pub(super) in_effect_us: u64,
    /// Calls that were asked meanwhile.
    pub(super) calls: u64,
}

/// Two faults that were in effect at the same time; of the same name, two of that name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Pair<'a> {
    pub(super) faults: [&'a str; 2],
    /// Separate times at which both were.
    pub(super) times: usize,
    /// How long in all.
    pub(super) together_us: u64,
}

/// Faults and pairs of faults that a run has seen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Coverage<'a> {
    /// Required ones first, then by name.
    pub(super) faults: Vec<Covered<'a>>,
    /// Pairs that were.
    pub(super) pairs: Vec<Pair<'a>>,
    /// Pairs of different faults that were.
    pub(super) pairs_seen: usize,
    /// Pairs of different faults that there could have been.
    pub(super) pairs_possible: usize,
    /// Names that were not looked at in pairs.
    pub(super) names_left_out: usize,
}

type Spans = Vec<(u64, u64)>;

impl<'a> Coverage<'a> {
    pub(super) fn of(run: &'a Run, spans: &[Span<'a>], took_us: u64) -> Self {
        let required: BTreeSet<&str> = run.header.required.iter().map(String::as_str).collect();
        let mut asked_us: Vec<u64> = run.operations.iter().map(|op| op.invoked.at_us).collect();
        asked_us.sort_unstable();
        let mut by_name: BTreeMap<(bool, &str), Vec<&Span<'a>>> = BTreeMap::new();
        for name in &required {
            by_name.entry((false, name)).or_default();
        }
        for span in spans {
            let key = (!required.contains(span.fault), span.fault);
            by_name.entry(key).or_default().push(span);
        }
        let mut faults = Vec::new();
        let mut in_effect: Vec<(&str, Spans)> = Vec::new();
        for ((is_optional, fault), spans) in by_name {
            let confirmed = confirmed(&spans, took_us);
            let whole = merged(confirmed.clone());
            faults.push(Covered {
                fault,
                is_required: !is_optional,
                begun: spans.len() as u64,
                confirmed: confirmed.len() as u64,
                failed: spans
                    .iter()
                    .filter(|span| span.effect == Effect::Failed)
                    .count() as u64,
                in_effect_us: length_us(&whole),
                calls: whole.iter().map(|span| within(&asked_us, *span)).sum(),
            });
            in_effect.push((fault, confirmed));
        }
        let names_left_out = in_effect.len().saturating_sub(NAMES_MAX);
        in_effect.truncate(NAMES_MAX);
        let pairs = pairs(&in_effect);
        let different = pairs.iter().filter(|pair| pair.faults[0] != pair.faults[1]);
        Self {
            faults,
            pairs_seen: different.count(),
            pairs,
            pairs_possible: in_effect.len() * in_effect.len().saturating_sub(1) / 2,
            names_left_out,
        }
    }

    /// The pair of two names, in any order.
    pub(super) fn pair(&self, one: &str, other: &str) -> Option<(usize, &Pair<'a>)> {
        self.pairs
            .iter()
            .enumerate()
            .find(|(_, pair)| pair.faults == [one, other] || pair.faults == [other, one])
    }
}

fn confirmed(spans: &[&Span<'_>], took_us: u64) -> Spans {
    let confirmed = spans.iter().filter(|span| span.effect == Effect::Confirmed);
    confirmed
        .map(|span| (span.begun_us, span.end_us(took_us)))
        .collect()
}

fn pairs<'a>(in_effect: &[(&'a str, Spans)]) -> Vec<Pair<'a>> {
    let whole: Vec<Spans> = in_effect
        .iter()
        .map(|(_, spans)| merged(spans.clone()))
        .collect();
    let mut pairs = Vec::new();
    for (one, (name, spans)) in in_effect.iter().enumerate() {
        let twice = at_least_twice(spans);
        pairs.extend(pair(name, name, &twice));
        for (other, (other_name, _)) in in_effect.iter().enumerate().skip(one + 1) {
            pairs.extend(pair(name, other_name, &both(&whole[one], &whole[other])));
        }
    }
    pairs
}

fn pair<'a>(one: &'a str, other: &'a str, together: &[(u64, u64)]) -> Option<Pair<'a>> {
    (!together.is_empty()).then(|| Pair {
        faults: [one, other],
        times: together.len(),
        together_us: length_us(together),
    })
}

/// When both were, of spans in order and apart.
fn both(one: &[(u64, u64)], other: &[(u64, u64)]) -> Spans {
    let (mut left, mut right) = (one.iter().peekable(), other.iter().peekable());
    let mut both = Vec::new();
    while let (Some(a), Some(b)) = (left.peek(), right.peek()) {
        let (begin, end) = (a.0.max(b.0), a.1.min(b.1));
        if begin < end {
            both.push((begin, end));
        }
        if a.1 < b.1 {
            left.next()
        } else {
            right.next()
        };
    }
    both
}

/// When at least two of the spans were.
fn at_least_twice(spans: &[(u64, u64)]) -> Spans {
    let mut spans = spans.to_vec();
    spans.sort_unstable();
    let mut latest_end = 0;
    let mut twice = Vec::new();
    for (begin, end) in spans {
        if begin < latest_end {
            twice.push((begin, end.min(latest_end)));
        }
        latest_end = latest_end.max(end);
    }
    merged(twice)
}

fn length_us(spans: &[(u64, u64)]) -> u64 {
    spans.iter().map(|(begin, end)| end - begin).sum()
}

/// How many of the moments, which are in order, lie in a span.
fn within(moments: &[u64], (begin, end): (u64, u64)) -> u64 {
    let before = |limit: u64| moments.partition_point(|moment| *moment < limit);
    before(end).saturating_sub(before(begin)) as u64
}

#[cfg(test)]
mod tests {
    use super::{at_least_twice, both, within};

    #[test]
    fn both_is_where_spans_overlap() {
        assert_eq!(
            both(&[(0, 4), (6, 9)], &[(3, 7), (9, 11)]),
            [(3, 4), (6, 7)]
        );
        assert!(both(&[(0, 4)], &[(4, 5)]).is_empty());
    }

    #[test]
    fn twice_is_where_a_fault_overlaps_with_its_like() {
        assert_eq!(
            at_least_twice(&[(0, 10), (2, 3), (5, 12)]),
            [(2, 3), (5, 10)]
        );
        assert!(at_least_twice(&[(0, 1), (1, 2)]).is_empty());
    }

    #[test]
    fn moments_within_are_counted_without_the_end() {
        assert_eq!(within(&[1, 2, 2, 5], (2, 5)), 2);
    }
}
