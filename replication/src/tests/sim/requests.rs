//! What clients ask of a node, and what it answers: as its API has it (`node/src/api`).

use std::sync::Arc;
use std::time::Duration;

use meridian_regions::{Genesis, ListingId};
use meridian_replication_core::{
    Again, Choice, Conflict, Decision, EditOp, ListingPatch, SessionToken, ValidDraft,
};

use super::history::Sight;
use crate::{Precondition, ReadError, ReadListing, Replica, WriteError};

/// What the names of marks begin with.
const MARK: char = 'm';
/// What stands behind each mark in a description.
const BEHIND_MARK: char = ';';
const COUNTER: &str = "saves";

/// What a client wants done.
pub(super) enum Deed {
    Read,
    Edit([EditOp; 1]),
    Patch(Box<ListingPatch>),
    Create(Box<(ValidDraft, Genesis)>),
    Delete,
    /// Chooses one of what stands in conflict, by this number.
    Decide(usize),
}

/// What came of it.
pub(super) enum Outcome {
    /// The node has not seen what the session has.
    Behind,
    Shown(Option<Arc<ReadListing>>),
    Written(Arc<ReadListing>),
    /// There was nothing to decide.
    Idle,
    Refused(WriteError),
    Failed(ReadError),
}

/// Waits for the token, does what is asked, and answers with a token that has seen both.
pub(super) async fn serve(
    replica: Replica,
    id: ListingId,
    deed: Deed,
    wait: Option<Duration>,
    token: SessionToken,
) -> (Outcome, SessionToken) {
    let waited = match wait {
        Some(patience) => replica.wait_for(&token, patience).await,
        None => Ok(()),
    };
    let outcome = match waited {
        Err(_behind) => Outcome::Behind,
        Ok(()) => carry_out(&replica, &id, deed).await,
    };
    let token = replica.session_after(&token);
    (outcome, token)
}

async fn carry_out(replica: &Replica, id: &ListingId, deed: Deed) -> Outcome {
    let written = match deed {
        Deed::Read => {
            let read = replica.read(id).await;
            return read.map_or_else(Outcome::Failed, Outcome::Shown);
        }
        Deed::Edit(ops) => replica.edit(id, &ops, Precondition::None).await,
        Deed::Patch(patch) => replica.patch(id, &patch, Precondition::None).await,
        Deed::Create(new) => replica.create(id, &new.0, new.1).await,
        Deed::Delete => match replica.keeps(id) {
            Ok(known) => replica.delete(id, &known).await,
            Err(cause) => return Outcome::Failed(cause),
        },
        Deed::Decide(number) => return decide(replica, id, number).await,
    };
    written.map_or_else(Outcome::Refused, |one| Outcome::Written(one.listing))
}

async fn decide(replica: &Replica, id: &ListingId, number: usize) -> Outcome {
    let conflicts = match replica.conflicts(id).await {
        Ok(conflicts) => conflicts,
        Err(cause) => return Outcome::Failed(cause),
    };
    let values = conflicts.iter().flat_map(|conflict| {
        let values = conflict.values.iter();
        values.filter_map(|value| Some((conflict.field.clone(), value.hash?)))
    });
    let values: Vec<_> = values.collect();
    if values.is_empty() {
        return Outcome::Idle;
    }
    let (field, choose) = values[number % values.len()].clone();
    let seen = Some(vec![Conflict::etag(&conflicts)]);
    let choice = Choice {
        field,
        choose,
        seen,
    };
    let written = if choice.decides_deletion() {
        match (replica.decision(id, &choice), replica.keeps(id)) {
            (Ok(Decision::Keep), _) => replica.keep(id, &choice, Again::Write).await,
            (Ok(Decision::Delete), Ok(known)) => {
                replica.confirm_deletion(id, &choice, &known).await
            }
            (Err(cause), _) => Err(cause),
            (_, Err(cause)) => return Outcome::Failed(cause),
        }
    } else {
        replica.resolve(id, &choice).await
    };
    written.map_or_else(Outcome::Refused, |one| Outcome::Written(one.listing))
}

/// Leaves a mark among the amenities.
pub(super) fn marks_amenity(mark: &str) -> Deed {
    Deed::Edit(crate::tests::setup::amenity(mark))
}

/// Leaves a mark at the beginning of the description: none comes to stand inside another.
pub(super) fn marks_description(mark: &str) -> Deed {
    Deed::Edit([EditOp::Splice {
        path: "/description".to_owned(),
        at: 0,
        delete: 0,
        insert: format!("{mark}{BEHIND_MARK}"),
    }])
}

pub(super) fn counts(by: i64) -> Deed {
    let path = format!("/counters/{COUNTER}");
    Deed::Edit([EditOp::Increment { path, by }])
}

pub(super) fn sets_price(amount: u64) -> Deed {
    let price = serde_json::json!({"nightly_price": {"amount": amount, "currency": "EUR"}});
    let patch = ListingPatch::from_json(price).expect("a patch");
    Deed::Patch(Box::new(patch))
}

/// A mark: all are of one length.
pub(super) fn mark(client: u64, number: u64) -> String {
    format!("{MARK}{client:02}x{number:05}")
}

/// What a listing shows that only ever grows.
pub(super) fn sight(shown: &ReadListing) -> Sight {
    let view = shown.view();
    let amenities = view.amenities.iter().map(String::as_str);
    let marks = amenities.chain(view.description.split(BEHIND_MARK));
    let marks = marks.filter(|name| name.starts_with(MARK));
    Sight {
        marks: marks.map(str::to_owned).collect(),
        count: view.counters.get(COUNTER).copied().unwrap_or(0),
        // No listing is without a title.
        buried: view.deleted && view.title.is_empty(),
    }
}
