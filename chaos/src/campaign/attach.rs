//! A run on a cluster that somebody else has started: what it may strike there, and how it
//! leaves nothing behind.

use std::time::Duration;

use futures::future::try_join_all;
use meridian_client::{CallError, Client};
use serde_json::Value;
use tokio::time::timeout;

use super::CampaignError;
use super::options::Unavailable;
use crate::cluster::{AttachedCluster, Cluster};
use crate::fault::{self, FaultError, FaultSpec};
use crate::observe::text;
use crate::until::until;

/// How long it may take to take one listing away: holds last for a minute at least, and
/// nothing is deleted before.
const REMOVE_PATIENCE: Duration = Duration::from_secs(100);
/// How long one call may take.
const CALL_PATIENCE: Duration = Duration::from_secs(10);

/// Faults that are struck, and names of those that are left out.
///
/// # Errors
/// [`FaultError::NotOnOthers`] if some cannot be struck there, and none is to be left out.
pub(super) fn allowed(
    faults: &[FaultSpec],
    cluster: &AttachedCluster,
    otherwise: Unavailable,
) -> Result<(Vec<FaultSpec>, Vec<String>), FaultError> {
    let refused = fault::unavailable(faults, cluster.lets_clocks_be_set());
    if otherwise == Unavailable::Refused && !refused.is_empty() {
        let refused: Vec<String> = refused.into_iter().map(|(_, why)| why).collect();
        return Err(FaultError::NotOnOthers(refused.join("; ")));
    }
    let (mut struck, mut left_out) = (Vec::new(), Vec::new());
    for (place, spec) in faults.iter().enumerate() {
        if refused.iter().any(|(one, _)| *one == place) {
            left_out.push(spec.name().to_owned());
        } else {
            struck.push(spec.clone());
        }
    }
    Ok((struck, left_out))
}

/// Deletes the listings of a run, with all that stands in their way: its bookings are
/// cancelled, its holds given back.
///
/// # Errors
/// [`CampaignError::Left`] names those that are still there.
pub(super) async fn clear_away(
    cluster: &Cluster,
    listings: &[String],
    tell: &dyn Fn(&str),
) -> Result<(), CampaignError> {
    if listings.is_empty() {
        return Ok(());
    }
    tell("taking the run's own listings away again");
    let mut left = Vec::new();
    for listing in listings {
        let mut nodes = cluster.ids().into_iter().cycle();
        let mut last = String::new();
        let gone = until(REMOVE_PATIENCE, "a listing that is gone", async || {
            let client = cluster.client(nodes.next()?).ok()?;
            let removed = timeout(CALL_PATIENCE, remove(&client, listing)).await;
            match removed {
                Ok(Ok(())) => Some(()),
                Ok(Err(cause)) => {
                    last = cause.to_string();
                    None
                }
                Err(_late) => None,
            }
        });
        if gone.await.is_err() {
            left.push(format!("{listing} ({last})"));
        }
    }
    if left.is_empty() {
        return Ok(());
    }
    Err(CampaignError::Left(left.join(", ")))
}

async fn remove(client: &Client, listing: &str) -> Result<(), CallError> {
    match client.delete_listing(listing).await {
        Ok(_) => return Ok(()),
        Err(cause) if cause.code() == Some("not-found") => return Ok(()),
        Err(cause) if cause.code() == Some("has-bookings") => {}
        Err(cause) => return Err(cause),
    }
    let mut cursor: Option<String> = None;
    loop {
        let page = client.bookings_of(listing, cursor.as_deref()).await?.body;
        let bookings = page["data"].as_array().into_iter().flatten();
        try_join_all(bookings.map(|booking| give_back(client, booking))).await?;
        match page["next_cursor"].as_str() {
            Some(next) => cursor = Some(next.to_owned()),
            None => break,
        }
    }
    client.delete_listing(listing).await.map(drop)
}

/// Ends a booking, or a hold, if it stands.
async fn give_back(client: &Client, booking: &Value) -> Result<(), CallError> {
    let id = text(&booking["booking_id"]);
    match booking["state"].as_str() {
        Some("confirmed" | "pending_payment") => {
            // The same key each time: it is one cancellation, however often it is asked.
            let key = format!("chaos-away-{id}");
            client.cancel(&id, &key).await.map(drop)
        }
        Some("held") => {
            let hold = id.replacen("bkg_", "hld_", 1);
            client.release(&hold).await.map(drop)
        }
        _ => Ok(()),
    }
}
