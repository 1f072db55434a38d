//! Connections that stand by earlier certificates are replaced, one after the other.
//!
//! A node replaces what it has dialled: when its own certificates have changed, and when the
//! other end says by its echoes that its have ([`crate::pulse::echo`]). The next connection
//! stands before the last one goes, and that goes when all requests on it have been answered.
//!
//! Invariant kept here: what cannot be replaced stays, as long as its certificate is believed.
//! What is not believed any more is closed in bounded time, replaced or not: nothing hangs on an
//! authority that has been taken out.

use std::time::Duration;

use quinn::Connection;
use tokio::time::{sleep, sleep_until};
use tokio_util::sync::CancellationToken;
use tokio_util::task::task_tracker::TaskTrackerToken;

use crate::close::Close;
use crate::credentials::{Credentials, InForce};
use crate::line::Line;

/// How long requests on a replaced connection may take: as long as the longest of any caller, a
/// batch of an import or of a repair. What lasts longer is cut off, and begun again as after a
/// lost link.
const RETIRED_MAX: Duration = Duration::from_secs(30);
/// How long the other end keeps a connection that it knows to be replaced: its peer closes it
/// sooner, unless it has died.
pub(crate) const REPLACED_MAX: Duration = Duration::from_secs(35);
/// Longest pause between two attempts to replace a connection; the shortest is half of it.
pub(crate) const RENEW_PAUSE: Duration = Duration::from_secs(2);

/// Waits until a line stands by other certificates than those in force.
pub(crate) async fn outdated(credentials: &Credentials, line: &Line) {
    let mut in_force = credentials.watch();
    let newer = in_force.wait_for(|now| now.generation > line.generation);
    tokio::select! {
        biased;
        () = line.asked.cancelled() => {}
        // The sender is in `credentials`.
        _ = newer => {}
    }
}

/// Closes a line that has been replaced, once nothing is under way on it: or sooner, if the mesh is
/// closed or it is to be cut off.
pub(crate) async fn retire(
    line: Line,
    [closed, cut_off]: [CancellationToken; 2],
    _counted: TaskTrackerToken,
) {
    line.replaced.cancel();
    line.under_way.close();
    let unused = async {
        tokio::select! {
            biased;
            () = line.under_way.wait() => true,
            () = cut_off.cancelled() => false,
            () = sleep(RETIRED_MAX) => false,
        }
    };
    if let Some(false) = closed.run_until_cancelled(unused).await {
        tracing::info!(
            left = line.under_way.len(),
            "what is under way on a replaced connection is cut off"
        );
    }
    line.connection.close(Close::Renewed.code(), b"renewed");
}

/// Ends once what a connection stands by has not been believed for too long.
pub(crate) async fn distrusted(
    credentials: &Credentials,
    generation: u64,
    believes: impl Fn(&InForce) -> bool,
) {
    let mut in_force = credentials.watch();
    loop {
        let now = in_force.borrow_and_update().clone();
        let changed = in_force.changed();
        if now.generation <= generation || believes(&now) {
            // The sender is in `credentials`.
            let _ = changed.await;
            continue;
        }
        let until = tokio::time::Instant::from_std(now.since + credentials.distrusted_max);
        tokio::select! {
            biased;
            _ = changed => {}
            () = sleep_until(until) => return,
        }
    }
}

/// Closes a connection by a certificate that is not believed any more.
pub(crate) fn close_distrusted(connection: &Connection) {
    let why = b"the certificate is not trusted any more: has every node its new one?";
    connection.close(Close::Distrusted.code(), why);
}
