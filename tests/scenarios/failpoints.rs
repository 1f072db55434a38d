//! A node dies at every point where a step begins or has just been made durable, and what
//! guests were told, what the ledgers say and what the provider did stay one story.

mod burying;
mod trial;

use std::time::Duration;

use meridian_failpoints::Failpoint as F;
use trial::Trial;

/// For steps that every voter makes, all the time.
const PERSISTING: [F; 10] = [
    F::LogAppendBefore,
    F::LogAppendAfter,
    F::VoteBefore,
    F::VoteAfter,
    F::ApplyBefore,
    F::ApplyAfter,
    F::TodoBefore,
    F::TodoAfter,
    F::FoundBefore,
    F::FoundAfter,
];
const SLEEPING: [F; 6] = [
    F::NoteWriteBefore,
    F::NoteWriteAfter,
    F::NoteRemoveBefore,
    F::NoteRemoveAfter,
    F::WakeBefore,
    F::WakeAfter,
];
const SNAPSHOTS: [F; 4] = [
    F::SnapshotBuildBefore,
    F::SnapshotBuildAfter,
    F::PurgeBefore,
    F::PurgeAfter,
];
/// Where a leadership is offered, each to a home of its own.
const LEADERSHIP: [(F, u64); 2] = [(F::TransferSendBefore, 2), (F::TransferSendAfter, 3)];
/// Where a leadership is taken, each at a home of its own: one that dies is waited for longer
/// before it is offered the next.
const TAKING: [(F, u64); 2] = [(F::TransferTakeBefore, 1), (F::TransferTakeAfter, 2)];
const TRUNCATING: [F; 2] = [F::TruncateBefore, F::TruncateAfter];
const INSTALLING: [F; 2] = [F::SnapshotInstallBefore, F::SnapshotInstallAfter];
/// In `layout/drains.rs`.
const MAPPING: [F; 2] = [F::MapWriteBefore, F::MapWriteAfter];
const PAYING: [F; 12] = [
    F::AuthorizeCallBefore,
    F::AuthorizeCallAfter,
    F::AuthorizeEntryAfter,
    F::CaptureCallBefore,
    F::CaptureCallAfter,
    F::CaptureEntryAfter,
    F::VoidCallBefore,
    F::VoidCallAfter,
    F::VoidEntryAfter,
    F::RefundCallBefore,
    F::RefundCallAfter,
    F::RefundEntryAfter,
];

/// Guests come often enough to keep every group awake.
const BUSY: Duration = Duration::from_millis(80);
/// Guests leave a listing alone for longer than its group stays awake.
const QUIET: Duration = Duration::from_millis(900);
/// Bookings between two deaths: the cluster is at work again.
const BETWEEN: usize = 4;

#[test]
fn every_failpoint_is_tried() {
    let leadership = LEADERSHIP.map(|(point, _)| point);
    let taking = TAKING.map(|(point, _)| point);
    let tried: [&[F]; 10] = [
        &PERSISTING,
        &SLEEPING,
        &SNAPSHOTS,
        &leadership,
        &taking,
        &TRUNCATING,
        &INSTALLING,
        &PAYING,
        &MAPPING,
        // Some in `burying.rs`; all with three replicas in one process, which die at once:
        // `replication/src/tests/dying.rs`.
        &F::OF_LISTINGS,
    ];
    let tried = tried.concat();
    for point in F::ALL {
        assert!(tried.contains(point), "{point} is not tried");
    }
    assert_eq!(tried.len(), F::ALL.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn death_around_every_durable_step_loses_and_doubles_nothing() {
    let mut trial = Trial::start(BUSY, &[]).await;
    for (turn, point) in (0..).zip(PERSISTING) {
        // Each in turn, at its first hit or a later one.
        let (victim, hits) = (turn % 3 + 1, 1 + u32::try_from(turn % 2).expect("small"));
        match point {
            F::FoundBefore | F::FoundAfter => trial.die_founding(point, victim).await,
            F::VoteBefore | F::VoteAfter => trial.die_voting(point, victim).await,
            _ => trial.die_at(point, victim, hits).await,
        }
        trial.guests.go_on(BETWEEN).await;
    }
    trial.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn death_while_a_group_wakes_or_falls_asleep_loses_and_doubles_nothing() {
    let mut trial = Trial::start(QUIET, &["bookings.idle_ms=150"]).await;
    for point in SLEEPING {
        trial.die_leading(point).await;
        trial.guests.go_on(BETWEEN).await;
    }
    trial.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn death_around_a_snapshot_or_a_purge_loses_and_doubles_nothing() {
    let mut trial = Trial::start(BUSY, &[]).await;
    for (turn, point) in (0..).zip(SNAPSHOTS) {
        trial.open_anew().await;
        trial.die_at(point, turn % 3 + 1, 1).await;
    }
    trial.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn death_around_a_change_of_leader_loses_and_doubles_nothing() {
    let mut trial = Trial::start(BUSY, &[]).await;
    for (point, home) in LEADERSHIP {
        trial.die_transferring(point, home).await;
    }
    for (point, home) in TAKING {
        trial.die_taking(point, home).await;
    }
    trial.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn death_of_who_was_cut_off_loses_and_doubles_nothing() {
    let mut trial = Trial::start(BUSY, &[]).await;
    for (node, point) in (1..).zip(TRUNCATING) {
        trial.die_truncating(point, node).await;
        trial.guests.go_on(BETWEEN).await;
    }
    for (node, point) in (2..).zip(INSTALLING) {
        trial.die_installing(point, node).await;
        trial.guests.go_on(BETWEEN).await;
    }
    trial.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn death_around_every_step_of_a_payment_charges_nobody_wrongly() {
    let mut trial = Trial::start(BUSY, &[]).await;
    for point in PAYING {
        trial.die_leading(point).await;
        trial.guests.go_on(BETWEEN).await;
    }
    trial.end().await;
}
