//! Places, and areas that contain them.

use h3o::LatLng;

/// A point on the map, in degrees (WGS 84).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Place {
    lat: f64,
    lon: f64,
}

impl Place {
    /// The place at these degrees north and east; `None` where there is none: north beyond
    /// ±90, east beyond ±180.
    #[must_use]
    pub fn new(lat: f64, lon: f64) -> Option<Self> {
        let exists = (-90.0..=90.0).contains(&lat) && (-180.0..=180.0).contains(&lon);
        exists.then_some(Self { lat, lon })
    }

    /// Degrees north.
    #[must_use]
    pub const fn lat(self) -> f64 {
        self.lat
    }

    /// Degrees east.
    #[must_use]
    pub const fn lon(self) -> f64 {
        self.lon
    }

    /// Great-circle distance, in kilometres.
    #[must_use]
    pub fn distance_km(self, other: Self) -> f64 {
        match (self.point(), other.point()) {
            (Some(here), Some(there)) => here.distance_km(there),
            // Not finite, which `new` refuses.
            _ => f64::INFINITY,
        }
    }

    pub(crate) fn point(self) -> Option<LatLng> {
        LatLng::new(self.lat, self.lon).ok()
    }
}

/// Where a listing is to be.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Area {
    /// Around a place.
    Circle {
        /// Its middle.
        centre: Place,
        /// How far from there at most, in kilometres.
        radius_km: f64,
    },
    /// Between two meridians and two parallels.
    Rectangle {
        /// Its corner of least latitude, from which it goes east.
        south_west: Place,
        /// The other one: across the meridian of 180 degrees if it lies further west.
        north_east: Place,
    },
}

impl Area {
    /// Whether a place lies in it, its border included.
    #[must_use]
    pub fn contains(&self, place: Place) -> bool {
        match self {
            Self::Circle { centre, radius_km } => centre.distance_km(place) <= *radius_km,
            Self::Rectangle {
                south_west: from,
                north_east: to,
            } => {
                let between = if from.lon <= to.lon {
                    (from.lon..=to.lon).contains(&place.lon)
                } else {
                    place.lon >= from.lon || place.lon <= to.lon
                };
                (from.lat..=to.lat).contains(&place.lat) && between
            }
        }
    }

    /// A circle around all of it: its middle and radius in kilometres. `None` for an area
    /// that is wider than a quarter of the earth, where nothing is gained by one.
    pub(crate) fn circle_around(&self) -> Option<(Place, f64)> {
        match self {
            Self::Circle { centre, radius_km } => Some((*centre, *radius_km)),
            Self::Rectangle {
                south_west: from,
                north_east: to,
            } => {
                let width = (to.lon - from.lon).rem_euclid(360.0);
                if width > 90.0 {
                    return None;
                }
                let lon = (from.lon + width / 2.0 + 180.0).rem_euclid(360.0) - 180.0;
                let centre = Place::new(f64::midpoint(from.lat, to.lat), lon)?;
                // Of all its places a corner is the furthest, or the middle of the side
                // that is nearest to the equator.
                let widest = from.lat.abs().min(to.lat.abs());
                let widest = if from.lat * to.lat < 0.0 { 0.0 } else { widest };
                let corners = [from.lat, to.lat, widest, -widest]
                    .into_iter()
                    .filter(|lat| (from.lat..=to.lat).contains(lat))
                    .flat_map(|lat| [from.lon, to.lon].map(|lon| Place { lat, lon }));
                let radius = corners.map(|corner| centre.distance_km(corner));
                Some((centre, radius.fold(0.0, f64::max)))
            }
        }
    }
}
