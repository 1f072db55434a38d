//! Listings of a run's own, made before it begins.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use meridian_client::{AdminClient, Session};
use serde_json::json;

use super::CampaignError;
use crate::cluster::Cluster;
use crate::load::{Door, Ground};
use crate::observe::{converged_on, text};
use crate::scenario::RunSpec;

/// The first night is so many days ahead: today is another day somewhere.
const FIRST_IN_DAYS: i64 = 30;
/// How long the listings may take until every node has them.
const EVERYWHERE_PATIENCE: Duration = Duration::from_secs(30);

/// Makes the listings, in every region, and waits until every node has them. Each is noted in
/// `made` as soon as it is there.
pub(super) async fn make(
    run: &RunSpec,
    cluster: &Cluster,
    doors: &[Vec<Door>],
    made: &mut Vec<String>,
) -> Result<Ground, CampaignError> {
    let (mut booked, mut edited) = (Vec::new(), Vec::new());
    // The first of each region before the second of any: the first are wanted most.
    for number in 0..run.booked.max(run.edited) {
        for door in doors.iter().filter_map(|doors| doors.first()) {
            if number < run.booked {
                booked.push(create(door, "A house that is booked", made).await?);
            }
            if number < run.edited {
                edited.push(create(door, "A house that is described", made).await?);
            }
        }
    }
    converged_on(&admins(cluster)?, made, EVERYWHERE_PATIENCE).await?;
    let today = Timestamp::now().to_zoned_datetime(TimeZone::UTC).date();
    let first = today.saturating_add(jiff::Span::new().days(FIRST_IN_DAYS));
    Ok(Ground {
        booked,
        edited,
        first,
        nights: run.nights,
    })
}

/// Operator clients of all nodes that are not gone for good.
pub(super) fn admins(cluster: &Cluster) -> Result<BTreeMap<u64, AdminClient>, CampaignError> {
    let mut admins = BTreeMap::new();
    for id in cluster.present() {
        admins.insert(id, cluster.admin(id)?);
    }
    Ok(admins)
}

async fn create(door: &Door, title: &str, made: &mut Vec<String>) -> Result<String, CampaignError> {
    let draft = json!({
        "title": title,
        "home_region": door.region,
        "location": {"lat": 59.91, "lon": 10.75},
        "capacity": 4,
        "nightly_price": {"amount": 12_900, "currency": "EUR"},
    });
    let created = async { door.client(Session::new())?.create_listing(draft).await };
    let created = created.await.map_err(|cause| CampaignError::Call {
        what: format!("making a listing in {}", door.region),
        cause,
    })?;
    let listing = text(&created.body["id"]);
    made.push(listing.clone());
    Ok(listing)
}
