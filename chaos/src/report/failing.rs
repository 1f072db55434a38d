//! The smallest histories that fail: of each broken promise, the calls that show it.

use std::collections::HashMap;

use serde::Serialize;

use super::calls::kind;
use crate::judge::{Finding, Verdict, Violated};
use crate::record::{Answered, Call, Operation, Outcome, Run};

/// Histories that are shown: whoever has so many broken promises begins with the first.
const HISTORIES_MAX: usize = 8;

/// Calls of a history that are shown. A smallest history has a handful.
const CALLS_MAX: usize = 60;

/// What a call came to, as a word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum CameTo {
    /// It was done.
    Done,
    /// It was not, and never will be.
    Refused,
    /// Nobody knows.
    Unknown,
    /// Nobody was told anything.
    Unanswered,
}

/// A call of a failing history.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Shown<'a> {
    pub(super) call: u64,
    pub(super) client: u64,
    pub(super) region: &'a str,
    pub(super) node: u64,
    pub(super) kind: &'static str,
    /// What was asked for.
    pub(super) asked: String,
    pub(super) asked_us: u64,
    /// `None`: never.
    pub(super) told_us: Option<u64>,
    pub(super) came_to: CameTo,
    /// What was answered.
    pub(super) told: String,
    pub(super) served_by: Option<&'a str>,
}

/// The smallest history that breaks a promise.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Failing<'a> {
    pub(super) promise: &'a str,
    /// What was seen.
    pub(super) what: &'a str,
    /// By client, then by time.
    pub(super) calls: Vec<Shown<'a>>,
    /// Calls that the history does not have.
    pub(super) not_found: usize,
    /// Calls beyond those that are shown.
    pub(super) left_out: usize,
}

/// A history of each broken promise that has one: the shortest first.
pub(super) fn failing<'a>(run: &'a Run, findings: &'a [Finding]) -> Vec<Failing<'a>> {
    let mut chosen: Vec<(&Finding, &Violated)> = findings
        .iter()
        .filter(|finding| finding.verdict == Verdict::Fail)
        .filter_map(|finding| {
            let with_calls = finding
                .violations
                .iter()
                .filter(|seen| !seen.calls.is_empty());
            Some((finding, with_calls.min_by_key(|seen| seen.calls.len())?))
        })
        .collect();
    chosen.sort_by_key(|(_, seen)| seen.calls.len());
    chosen.truncate(HISTORIES_MAX);
    let mut operations: HashMap<u64, Option<&Operation>> = chosen
        .iter()
        .flat_map(|(_, seen)| seen.calls.iter().take(CALLS_MAX))
        .map(|call| (*call, None))
        .collect();
    for operation in &run.operations {
        if let Some(place) = operations.get_mut(&operation.invoked.call) {
            *place = Some(operation);
        }
    }
    let history = |(finding, seen): (&'a Finding, &'a Violated)| {
        let sought = seen.calls.iter().take(CALLS_MAX);
        let mut calls: Vec<Shown<'_>> = sought
            .clone()
            .filter_map(|call| operations.get(call).copied().flatten())
            .map(shown)
            .collect();
        calls.sort_by_key(|call| (call.client, call.asked_us, call.call));
        Failing {
            promise: &finding.promise,
            what: &seen.what,
            not_found: sought.len() - calls.len(),
            left_out: seen.calls.len() - sought.len(),
            calls,
        }
    };
    chosen.into_iter().map(history).collect()
}

fn shown(operation: &Operation) -> Shown<'_> {
    let asked = &operation.invoked;
    let completed = operation.completed.as_ref();
    let (came_to, told) = match completed.map(|completed| &completed.outcome) {
        Some(Outcome::Ok(answer)) => (CameTo::Done, answered(answer)),
        Some(Outcome::Fail { code }) => (CameTo::Refused, code.clone()),
        Some(Outcome::Unknown { code }) => (CameTo::Unknown, code.clone()),
        None => (CameTo::Unanswered, String::new()),
    };
    Shown {
        call: asked.call,
        client: asked.client,
        region: &asked.region,
        node: asked.node,
        kind: kind(&asked.what),
        asked: asked_for(&asked.what),
        asked_us: asked.at_us,
        told_us: completed.map(|completed| completed.at_us),
        came_to,
        told,
        served_by: completed.and_then(|completed| completed.served_by.as_deref()),
    }
}

fn asked_for(call: &Call) -> String {
    let listing = call.listing();
    let rest = match call {
        Call::Book {
            check_in,
            check_out,
            ..
        }
        | Call::Hold {
            check_in,
            check_out,
            ..
        } => format!("{check_in} → {check_out}"),
        Call::Confirm { hold, .. } | Call::Release { hold, .. } => hold.clone(),
        Call::Cancel { booking, .. } => booking.clone(),
        Call::ReadNights { from, to, .. } => format!("{from} → {to}"),
        Call::AddAmenity {
            amenity, session, ..
        }
        | Call::RemoveAmenity {
            amenity, session, ..
        }
        | Call::Search {
            amenity, session, ..
        } => format!("{amenity}{}", in_session(*session)),
        Call::ReadListing { session, .. } => in_session(*session).trim_start().to_owned(),
    };
    let key = call.key().map(|key| format!(" key {key}"));
    format!("{listing} {rest}{}", key.unwrap_or_default())
        .trim_end()
        .to_owned()
}

fn in_session(session: Option<u64>) -> String {
    session.map_or_else(String::new, |session| format!(" session {session}"))
}

fn answered(answer: &Answered) -> String {
    let mut told: Vec<String> = Vec::new();
    told.extend(answer.booking.clone());
    told.extend(answer.hold.clone());
    told.extend(answer.state.clone());
    told.extend(answer.fencing_token.map(|token| format!("token {token}")));
    told.extend(
        answer
            .revision
            .map(|revision| format!("revision {revision}")),
    );
    if answer.replayed {
        told.push("replayed".to_owned());
    }
    told.extend(
        answer
            .free
            .iter()
            .map(|(night, units)| format!("{night}: {units} free")),
    );
    told.extend(
        answer
            .amenities
            .as_ref()
            .map(|all| format!("[{}]", all.join(", "))),
    );
    told.extend(answer.staleness_ms.map(|stale| format!("{stale} ms stale")));
    told.join(", ")
}
