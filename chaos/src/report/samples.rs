//! How regions did, step by step: how far behind, and how many groups they led.

use std::collections::BTreeMap;

use serde::Serialize;

use super::axis::{Axis, SECOND_US};
use crate::record::{Run, Sample};

/// A sample stands for its node until the next one, but not longer than this.
const STANDS_US: u64 = 5 * SECOND_US;

/// A region, with a value for each step; `null` where nothing is known.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Region<'a> {
    pub(super) region: &'a str,
    /// Of its node that is furthest behind, in milliseconds.
    pub(super) lag_ms: Vec<Option<u64>>,
    /// Groups that its nodes lead.
    pub(super) leads: Vec<Option<u64>>,
}

/// What is known of a node in a step.
#[derive(Debug, Clone, Copy, Default)]
struct Known {
    lag_ms: Option<u64>,
    leads: Option<u64>,
}

/// Regions of the header and of samples, by name.
pub(super) fn regions<'a>(run: &'a Run, axis: &Axis) -> Vec<Region<'a>> {
    let mut nodes: BTreeMap<(&str, u64), Vec<&Sample>> = BTreeMap::new();
    for sample in &run.samples {
        let node = nodes.entry((&sample.region, sample.node)).or_default();
        node.push(sample);
    }
    let named = run.header.regions.keys().map(String::as_str);
    let seen = nodes.keys().map(|(region, _)| *region);
    let mut regions: BTreeMap<&str, Region<'_>> = named
        .chain(seen)
        .map(|region| (region, nothing_known(region, axis)))
        .collect();
    for ((name, _), mut samples) in nodes {
        samples.sort_by_key(|sample| sample.at_us);
        if let Some(region) = regions.get_mut(name) {
            add(region, &known(&samples, axis));
        }
    }
    regions.into_values().collect()
}

fn nothing_known<'a>(region: &'a str, axis: &Axis) -> Region<'a> {
    Region {
        region,
        lag_ms: vec![None; axis.steps],
        leads: vec![None; axis.steps],
    }
}

fn add(region: &mut Region<'_>, node: &[Known]) {
    for (lag_ms, known) in region.lag_ms.iter_mut().zip(node) {
        *lag_ms = (*lag_ms).max(known.lag_ms);
    }
    for (leads, known) in region.leads.iter_mut().zip(node) {
        *leads = match (*leads, known.leads) {
            (Some(others), Some(own)) => Some(others.saturating_add(own)),
            (others, own) => others.or(own),
        };
    }
}

/// What is known of a node step by step: the longest lag and the latest leadership of a
/// step's own samples; without any, those of the sample before.
fn known(samples: &[&Sample], axis: &Axis) -> Vec<Known> {
    let mut known = vec![Known::default(); axis.steps];
    let mut before: Option<usize> = None;
    for (place, sample) in samples.iter().enumerate() {
        let step = axis.step(sample.at_us);
        let is_first_of_step = before != Some(step);
        before = Some(step);
        let lag_ms = if is_first_of_step {
            sample.lag_ms
        } else {
            known[step].lag_ms.max(sample.lag_ms)
        };
        known[step] = Known {
            lag_ms,
            leads: sample.leads,
        };
        let stands_until = axis.step(sample.at_us.saturating_add(STANDS_US));
        let next = samples.get(place + 1).map(|next| axis.step(next.at_us));
        let end = next.unwrap_or(stands_until + 1).min(stands_until + 1);
        let stands = Known {
            lag_ms: sample.lag_ms,
            leads: sample.leads,
        };
        for later in known.iter_mut().take(end).skip(step + 1) {
            *later = stands;
        }
    }
    known
}

#[cfg(test)]
mod tests {
    use super::{SECOND_US, known};
    use crate::record::Sample;
    use crate::report::axis::Axis;

    fn sample(second: u64, lag_ms: Option<u64>) -> Sample {
        Sample {
            at_us: second * SECOND_US,
            node: 1,
            region: "eu-west".to_owned(),
            up: lag_ms.is_some(),
            lag_ms,
            leads: lag_ms.map(|_| 4),
            clocks: None,
        }
    }

    #[test]
    fn sample_stands_until_the_next_and_not_for_ever() {
        let samples = [sample(1, Some(7)), sample(3, None), sample(5, Some(9))];
        let samples: Vec<&Sample> = samples.iter().collect();
        let known = known(&samples, &Axis::over(20 * SECOND_US));
        let lags: Vec<Option<u64>> = known.iter().map(|known| known.lag_ms).collect();
        assert_eq!(lags[..6], [None, Some(7), Some(7), None, None, Some(9)]);
        assert_eq!(lags[10], Some(9));
        assert_eq!(lags[11], None);
    }
}
