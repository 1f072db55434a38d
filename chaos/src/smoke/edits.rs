//! Every region edits the same listings while one of them is cut off.

use serde_json::json;

use super::{Region, Smoke, join_all};
use crate::check::EditTally;
use crate::history::Edit;

impl Smoke<'_> {
    /// Every region changes the same listings; answers what each of them accepted.
    pub(super) async fn edit_everywhere(&self) -> Vec<EditTally> {
        let listings = self.edited();
        let regions = self.regions.iter();
        join_all(regions.map(|region| self.edit_in(region, &listings))).await
    }

    async fn edit_in(&self, region: &Region, listings: &[String]) -> EditTally {
        let mut accepted = 0;
        for listing in listings {
            let amenity = format!("{} {:08x}", region.id, rand::random::<u32>());
            let ops = json!([
                {"op": "add", "path": "/amenities", "value": amenity},
                {"op": "increment", "path": "/counters/saves", "by": 1},
                {"op": "splice", "path": "/description", "at": 0, "delete": 0,
                 "insert": format!("As seen from {}. ", region.id)},
            ]);
            let title = json!({"title": format!("Renamed in {}", region.id)});
            let edited = region.client.edit_listing(listing, ops).await.is_ok();
            let renamed = region.client.patch_listing(listing, title, None).await;
            if edited {
                self.history.edit(Edit {
                    listing: listing.clone(),
                    amenity,
                    region: region.id.to_owned(),
                });
            }
            accepted += usize::from(edited && renamed.is_ok());
        }
        EditTally {
            region: region.id.to_owned(),
            asked: listings.len(),
            accepted,
        }
    }
}
