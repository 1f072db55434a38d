//! What is written of each route of the operator port, by area.

mod cluster;
mod console;
mod listings;
mod node;

use crate::api::openapi::paths::Described;

/// Of every route.
pub(super) fn all() -> Vec<Described> {
    let mut all = node::all();
    all.extend(cluster::all());
    all.extend(listings::all());
    all.extend(console::all());
    all
}
