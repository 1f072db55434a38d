//! What happened in a run, line by line: who asked for what and what he was told, what was
//! broken meanwhile, and what was there when all was over.
//!
//! A history is a file of JSON lines (`file.rs`), so that a verdict can be come to again,
//! by the same checkers or by others. Times are microseconds since the run began, by one
//! monotonic clock: the one of the process that drives all clients.

mod call;
mod file;
mod finals;
mod logs;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

pub use call::{Answered, Call, Completion, Invocation, Outcome};
pub use file::{HistoryError, HistoryReader, HistoryWriter, Operation, Run};
pub use finals::{Final, FinalBooking, FinalDocument, FinalDue, FinalPayment, LateWindow};
pub use logs::{FinalCopy, LogEntry, LogPage};

/// Version of the format. A reader refuses later ones. The second one has logs, copies of
/// ledgers and faults that were left out, the third how late links were window by window, the fourth
/// searches, and amenities that are added again.
pub const FORMAT: u32 = 4;

/// One line.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "line", rename_all = "kebab-case")]
pub enum Line {
    /// What was run: the first line, and no other.
    Header(Header),
    /// A client asks.
    Invoked(Invocation),
    /// A client is told something, or gives up.
    Completed(Completion),
    /// Something is broken, or mended.
    Fault(FaultEvent),
    /// How a node does.
    Sample(Sample),
    /// Entries of a listing's log, as a node has them.
    Log(LogPage),
    /// What is there once all is mended and at rest.
    Final(Final),
}

/// What was run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Header {
    /// [`FORMAT`].
    pub format: u32,
    /// Name of the scenario.
    pub scenario: String,
    /// What all chance came from.
    pub seed: u64,
    /// Version of the program.
    pub build: String,
    /// When the run began, RFC 3339.
    pub started: String,
    /// Nodes by region.
    pub regions: BTreeMap<String, Vec<u64>>,
    /// The command that runs it again.
    pub rerun: String,
    /// Faults without which the run says nothing: their names.
    pub required: Vec<String>,
    /// Faults that could not be struck on this cluster, and were left out: their names.
    #[serde(default)]
    pub left_out: Vec<String>,
    /// How soon promises with a time in them have to come true.
    pub bounds: Bounds,
}

/// How soon promises with a time in them have to come true, and how much must succeed.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Bounds {
    /// A healed cluster holds equal documents within this, in milliseconds.
    pub converge_ms: u64,
    /// A minority answers a booking within this, in milliseconds.
    pub refuse_ms: u64,
    /// Share of calls that must succeed while nothing is broken, 0 to 1.
    pub calm_success: f64,
    /// Share of calls that must succeed in the whole run, 0 to 1.
    pub success: f64,
    /// Calls succeed again so long after the last fault has ended, in milliseconds.
    pub recover_ms: u64,
    /// A hold lasts at least this, in milliseconds: only then it may have lapsed. Less than
    /// was asked for, by what clocks of nodes differ.
    pub hold_ms: u64,
    /// Hybrid time of a node whose clock is right is ahead of it by at most this, in
    /// milliseconds: by the drift that nodes bear, and what they reserve beyond a restart.
    pub clock_ahead_ms: u64,
    /// Fewest calls that say anything.
    pub calls: u64,
    /// 99 of 100 datagrams are let out of emulated links at most so late, in milliseconds, in
    /// each window of some seconds.
    pub late_ms: u64,
    /// Or so many times as late as before the first fault, if that is later: for runs that ask
    /// more of a machine than it has.
    pub late_of_calm: f64,
    /// Share of windows in which they may be later, 0 to 1: what a busy machine may do to a run
    /// for a moment.
    pub late_windows: f64,
    /// Share of calls that must succeed in the whole run, as a part of the share that did
    /// before the first fault, 0 to 1.
    pub success_of_calm: f64,
}

impl Default for Bounds {
    fn default() -> Self {
        Self {
            converge_ms: 30_000,
            refuse_ms: 10_000,
            calm_success: 0.8,
            success: 0.2,
            recover_ms: 10_000,
            hold_ms: 58_000,
            clock_ahead_ms: 750,
            calls: 20,
            late_ms: 25,
            late_of_calm: 1.0,
            late_windows: 0.1,
            success_of_calm: 0.0,
        }
    }
}

/// Something is broken, or mended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FaultEvent {
    /// Microseconds since the run began.
    pub at_us: u64,
    /// Its name, as in a scenario: `kill`, `cut`, `delay`, …
    pub fault: String,
    /// Of this run; the same when it begins and when it ends.
    pub id: u64,
    /// Whether it begins or ends.
    pub phase: Phase,
    /// Whom it strikes: `region eu-west`, `node 3`, `eu-west → us-east`.
    pub target: String,
    /// Nodes that it strikes.
    pub nodes: Vec<u64>,
    /// How it was seen to have taken effect; `None` while it has not been.
    pub confirmed: Option<String>,
}

/// Part of a fault's life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Phase {
    /// It is in effect from here on.
    Begun,
    /// It is over.
    Ended,
    /// It was asked for, and did not take effect.
    Failed,
}

/// How a node does.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Sample {
    /// Microseconds since the run began.
    pub at_us: u64,
    /// The node.
    pub node: u64,
    /// Its region.
    pub region: String,
    /// Whether it answered.
    pub up: bool,
    /// Milliseconds by which it is behind the slowest of its peers; `None` if unknown.
    pub lag_ms: Option<u64>,
    /// Groups that it leads; `None` if unknown.
    pub leads: Option<u64>,
    /// What its clocks show; `None` if unknown.
    #[serde(default)]
    pub clocks: Option<NodeClocks>,
}

/// What the clocks of a node show, in microseconds since 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodeClocks {
    /// Its wall clock, read after hybrid time was.
    pub wall_us: u64,
    /// The latest hybrid time that it has given or taken note of.
    pub hybrid_us: u64,
}
