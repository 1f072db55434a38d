//! Every figure of a report.

use serde::Serialize;

use super::axis::Axis;
use super::calls::Calls;
use super::coverage::Coverage;
use super::failing::{Failing, failing};
use super::rest::Rest;
use super::samples::{Region, regions};
use super::spans::{Span, spans};
use crate::judge::{Finding, Verdict, overall};
use crate::record::{Header, Run};

/// Version of the JSON. Fields may come; a changed or missing one is a later version.
const FORMAT: u32 = 1;

/// Promises by what was found.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub(super) struct Verdicts {
    pub(super) pass: usize,
    pub(super) undecided: usize,
    pub(super) invalid: usize,
    pub(super) fail: usize,
}

/// Every figure of a report: the page is drawn from it, and the JSON is it.
#[derive(Debug, Serialize)]
pub(super) struct Figures<'a> {
    pub(super) format: u32,
    /// The worst of all findings; `invalid` where nothing was judged.
    pub(super) verdict: Verdict,
    pub(super) verdicts: Verdicts,
    pub(super) header: &'a Header,
    /// Whether the history ends in the middle.
    pub(super) is_torn: bool,
    /// The worst first.
    pub(super) promises: Vec<&'a Finding>,
    /// The shortest first.
    pub(super) failing: Vec<Failing<'a>>,
    pub(super) axis: Axis,
    pub(super) calls: Calls<'a>,
    pub(super) regions: Vec<Region<'a>>,
    pub(super) faults: Vec<Span<'a>>,
    pub(super) coverage: Coverage<'a>,
    pub(super) rest: Rest<'a>,
}

impl<'a> Figures<'a> {
    pub(super) fn of(run: &'a Run, findings: &'a [Finding]) -> Self {
        let axis = Axis::of(run);
        let faults = spans(&run.faults);
        let mut promises: Vec<&Finding> = findings.iter().collect();
        promises.sort_by_key(|finding| std::cmp::Reverse(finding.verdict));
        Self {
            format: FORMAT,
            verdict: overall(findings),
            verdicts: verdicts(findings),
            header: &run.header,
            is_torn: run.is_torn,
            promises,
            failing: failing(run, findings),
            axis,
            calls: Calls::of(&run.operations, &axis),
            regions: regions(run, &axis),
            coverage: Coverage::of(run, &faults, axis.took_us),
            faults,
            rest: Rest::of(run),
        }
    }
}

fn verdicts(findings: &[Finding]) -> Verdicts {
    let count = |verdict| {
        let such = findings.iter().filter(|finding| finding.verdict == verdict);
        such.count()
    };
    Verdicts {
        pass: count(Verdict::Pass),
        undecided: count(Verdict::Undecided),
        invalid: count(Verdict::Invalid),
        fail: count(Verdict::Fail),
    }
}
