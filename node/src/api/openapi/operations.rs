//! What is written of each route, by area.

mod events;
mod listings;
mod nights;

use super::paths::Described;

/// Of every route of the client API.
pub(super) fn all() -> Vec<Described> {
    let mut all = listings::all();
    all.extend(nights::all());
    all.extend(events::all());
    all
}
