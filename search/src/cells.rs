//! Places as cells of H3: a listing names its cells at four resolutions, an area those of
//! the finest one at which it needs few.
//!
//! Cells are hexagons of about the same size. From the middle of one, those of ring *d* are
//! at least 1.5 *d* edges away; the edges of one resolution differ by less than a factor of
//! two over the earth. So rings can be counted that hold every place within a radius.

use h3o::{CellIndex, Resolution};

use crate::place::{Area, Place};

/// Resolutions that are indexed, finest first, with the mean length of an edge in
/// kilometres: <https://h3geo.org/docs/core-library/restable>.
const RESOLUTIONS: [(Resolution, f64); 4] = [
    (Resolution::Eight, 0.531_414),
    (Resolution::Six, 3.724_532),
    (Resolution::Four, 26.071_759),
    (Resolution::Two, 182.512_956),
];
/// The shortest and the longest edge, of the mean one.
const EDGE_MIN: f64 = 0.65;
const EDGE_MAX: f64 = 1.4;
/// Rings of cells around a middle at most: 3 k (k + 1) + 1 cells, 271.
const RINGS_MAX: u32 = 9;

/// The cells of a place, one at each resolution.
pub(crate) fn of(place: Place) -> Vec<u64> {
    place.point().map_or_else(Vec::new, |point| {
        RESOLUTIONS
            .iter()
            .map(|(resolution, _)| u64::from(point.to_cell(*resolution)))
            .collect()
    })
}

/// Cells of one resolution that together hold every place of an area, and others; `None`
/// where that would be too many.
pub(crate) fn covering(area: &Area) -> Option<Vec<u64>> {
    let (centre, radius_km) = area.circle_around()?;
    let point = centre.point()?;
    let (resolution, rings) = RESOLUTIONS.iter().find_map(|(resolution, edge_km)| {
        let rings = rings(radius_km, *edge_km)?;
        Some((*resolution, rings))
    })?;
    let middle = point.to_cell(resolution);
    let cells: Vec<CellIndex> = middle.grid_disk(rings);
    Some(cells.into_iter().map(u64::from).collect())
}

/// How many rings hold what lies within a radius; `None` for too many.
fn rings(radius_km: f64, edge_km: f64) -> Option<u32> {
    (1..=RINGS_MAX).find(|rings| {
        // What lies beyond them is in ring `rings + 1`, or further.
        let beyond = f64::from(rings + 1) * 1.5 * EDGE_MIN * edge_km;
        // Neither the middle of the area nor the place is in the middle of its cell.
        radius_km < beyond - 2.0 * EDGE_MAX * edge_km
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{prop_assert, proptest};

    use super::{covering, of};
    use crate::place::{Area, Place};

    fn place(lat: f64, lon: f64) -> Place {
        Place::new(lat, lon).expect("on the map")
    }

    /// The place so many degrees from another, in some direction.
    fn away(from: Place, degrees: f64, bearing: f64) -> Place {
        let (lat, distance) = (from.lat().to_radians(), degrees.to_radians());
        let sine = lat.sin() * distance.cos() + lat.cos() * distance.sin() * bearing.cos();
        let to = sine.clamp(-1.0, 1.0).asin();
        let along = (bearing.sin() * distance.sin() * lat.cos())
            .atan2(distance.cos() - lat.sin() * to.sin());
        let lon = from.lon() + along.to_degrees();
        place(to.to_degrees(), (lon + 180.0).rem_euclid(360.0) - 180.0)
    }

    proptest! {
        #[test]
        fn what_lies_in_a_circle_lies_in_its_cells(
            lat in -90.0..=90.0_f64, lon in -180.0..=180.0_f64,
            radius_km in 0.0..1_500.0_f64, part in 0.0..=1.0_f64, bearing in 0.0..6.3_f64,
        ) {
            let centre = place(lat, lon);
            let area = Area::Circle { centre, radius_km };
            let found = away(centre, radius_km * part / 111.2, bearing);
            if area.contains(found) && let Some(cells) = covering(&area) {
                prop_assert!(of(found).iter().any(|cell| cells.contains(cell)));
            }
        }

        #[test]
        fn what_lies_in_a_rectangle_lies_in_its_cells(
            south in -90.0..=90.0_f64, height in 0.0..20.0_f64,
            west in -180.0..=180.0_f64, width in 0.0..30.0_f64,
            up in 0.0..=1.0_f64, along in 0.0..=1.0_f64,
        ) {
            let east = |part: f64| (west + width * part + 180.0).rem_euclid(360.0) - 180.0;
            let north = |part: f64| (south + height * part).min(90.0);
            let area = Area::Rectangle {
                south_west: place(south, west),
                north_east: place(north(1.0), east(1.0)),
            };
            let found = place(north(up), east(along));
            if area.contains(found) && let Some(cells) = covering(&area) {
                prop_assert!(of(found).iter().any(|cell| cells.contains(cell)));
            }
        }
    }

    #[test]
    fn town_is_found_by_few_cells_and_a_continent_by_none() {
        let centre = place(59.91, 10.75);
        let town = Area::Circle {
            centre,
            radius_km: 5.0,
        };
        assert!(covering(&town).expect("few").len() < 300);
        let everywhere = Area::Circle {
            centre,
            radius_km: 9_000.0,
        };
        assert_eq!(covering(&everywhere), None);
    }
}
