//! Whether later copies are of the cluster that the earlier ones are of.
//!
//! A cluster that was restored lives anew: its logs go on from where the backup was, with other
//! entries under the same numbers and terms. Where a name was used twice, and nobody had changed
//! the map since, nothing else tells two such lives apart.

use std::collections::BTreeMap;

use meridian_regions::NodeId;
use meridian_storage::Store;

use super::{BookingsCopy, LevelError};
use crate::GroupOptions;
use crate::keys::{STATE, returned};

/// Refuses later copies of which no node tells of the life that its earlier copy tells of: one
/// node may have come back without its records in between, and tells of that. What an interrupted
/// restore of the name `life` has written already says nothing.
pub(super) fn check(
    earlier: &[BookingsCopy],
    later: &[BookingsCopy],
    life: &str,
) -> Result<(), LevelError> {
    let told = |copies: &[BookingsCopy]| -> Result<BTreeMap<NodeId, Option<Vec<u8>>>, LevelError> {
        let told = copies.iter().map(|copy| Ok((copy.node, life_of(copy)?)));
        told.collect()
    };
    let (before, after) = (told(earlier)?, told(later)?);
    let is_ours = |life_told: &Option<Vec<u8>>| life_told.as_deref() == Some(life.as_bytes());
    let mut both = before.iter().filter_map(|(node, before)| {
        let after = after.get(node)?;
        let can_be_compared = !is_ours(before) && !is_ours(after);
        can_be_compared.then_some((node, before == after))
    });
    let Some((node, first)) = both.next() else {
        return Ok(());
    };
    if first || both.any(|(_, same)| same) {
        return Ok(());
    }
    Err(LevelError::AnotherLife {
        node: *node,
        listing: None,
    })
}

fn life_of(copy: &BookingsCopy) -> Result<Option<Vec<u8>>, LevelError> {
    let options = GroupOptions::new(copy.folder.clone(), copy.node).store();
    let told = Store::open(options).and_then(|store| store.get(STATE, &returned()));
    told.map_err(|cause| LevelError::Storage {
        node: copy.node,
        cause,
    })
}
