//! Where a listing is.

use serde::{Deserialize, Serialize};

/// A place on the map, with the names that people give it.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Location {
    /// Degrees north, -90 to 90 (WGS 84).
    pub lat: f64,
    /// Degrees east, -180 to 180.
    pub lon: f64,
    /// City, as people write it.
    #[serde(default)]
    pub city: Option<String>,
    /// Country, as people write it, or its code.
    #[serde(default)]
    pub country: Option<String>,
    /// IANA name of the time zone, as in `Europe/Oslo`.
    #[serde(default)]
    pub time_zone: Option<String>,
}

impl Location {
    /// A place without names.
    #[must_use]
    pub const fn at(lat: f64, lon: f64) -> Self {
        Self {
            lat,
            lon,
            city: None,
            country: None,
            time_zone: None,
        }
    }

    pub(crate) const fn point(&self) -> Point {
        Point {
            lat: self.lat,
            lon: self.lon,
        }
    }
}

/// Latitude and longitude as one register: one writer's latitude with another's
/// longitude would be a place that nobody meant.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(crate) struct Point {
    pub(crate) lat: f64,
    pub(crate) lon: f64,
}

impl Point {
    /// `59.91201 10.72455`, in the shortest digits that read back as the same numbers.
    pub(crate) fn to_register(self) -> String {
        format!("{} {}", self.lat, self.lon)
    }

    pub(crate) fn from_register(text: &str) -> Option<Self> {
        let (lat, lon) = text.split_once(' ')?;
        let point = Self {
            lat: lat.parse().ok()?,
            lon: lon.parse().ok()?,
        };
        (point.lat.is_finite() && point.lon.is_finite()).then_some(point)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{prop_assert_eq, proptest};

    use super::Point;

    proptest! {
        #[test]
        fn point_reads_back_exactly(lat in -90.0..=90.0_f64, lon in -180.0..=180.0_f64) {
            let point = Point { lat, lon };
            prop_assert_eq!(Point::from_register(&point.to_register()), Some(point));
        }
    }

    #[test]
    fn register_without_two_finite_numbers_is_no_point() {
        for wrong in ["", "1", "1 x", "NaN 1", "1 inf"] {
            assert_eq!(Point::from_register(wrong), None, "{wrong}");
        }
    }
}
