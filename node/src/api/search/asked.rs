//! What a search asks for, read from its query string.

use std::sync::Arc;

use jiff::civil::Date;
use meridian_consensus_core::Stay;
use meridian_replication_core::FieldError;
use meridian_search::{Area, Cursor, Place, Prices, SearchQuery, Sort, Words};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::api::body::{PAGE_MAX, page_limit};
use crate::api::openapi::texts;
use crate::api::problem::Problem;

/// Amenities that one search may name.
const AMENITIES_MAX: usize = 20;
/// Longest text in characters: what a room type or an amenity may have, and some words.
const TEXT_CHARS_MAX: usize = 256;
/// Nights of a stay that one may look for.
const NIGHTS_MAX: i32 = 366;
/// Half way around the earth, and some.
const RADIUS_KM_MAX: f64 = 20_100.0;

/// The parameters, as they come.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Asked {
    /// Words of title, description, place or amenities: 1 to 16.
    q: Option<String>,
    /// Degrees north and east, as in `59.91,10.75`.
    #[schemars(with = "Option<texts::Place>")]
    near: Option<String>,
    /// Around `near`.
    #[schemars(extend("minimum" = 0, "maximum" = RADIUS_KM_MAX))]
    radius_km: Option<f64>,
    /// West, south, east and north, as in `10.6,59.8,10.9,60.0`; not with `radius_km`.
    #[schemars(with = "Option<texts::Rectangle>")]
    bbox: Option<String>,
    /// The first night: what is taken is left out. With `check_out`.
    #[schemars(with = "Option<texts::CivilDate>")]
    check_in: Option<Date>,
    /// Up to, and without: 1 to 366 nights after `check_in`.
    #[schemars(with = "Option<texts::CivilDate>")]
    check_out: Option<Date>,
    /// How many come.
    #[schemars(extend("maximum" = u32::MAX))]
    guests: Option<u32>,
    /// All of them are there: at most 20, with commas in between.
    amenities: Option<String>,
    /// Least price of a slot, in minor units.
    #[schemars(extend("maximum" = u64::MAX))]
    price_min: Option<u64>,
    /// Highest price of a slot, in minor units; not below `price_min`.
    #[schemars(extend("maximum" = u64::MAX))]
    price_max: Option<u64>,
    /// Of the price, as in `EUR`.
    #[schemars(with = "Option<texts::CurrencyCode>")]
    currency: Option<String>,
    /// Kind of room.
    #[schemars(length(max = TEXT_CHARS_MAX))]
    room_type: Option<String>,
    /// In which order; `distance` goes with `near`.
    sort: Option<Order>,
    /// `next_cursor` of the page before, with the same question.
    cursor: Option<String>,
    /// How many at most.
    #[schemars(extend("minimum" = 1, "maximum" = PAGE_MAX))]
    limit: Option<usize>,
}

#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum Order {
    Relevance,
    Price,
    Distance,
}

/// A search that makes sense.
#[derive(Debug)]
pub(super) struct Search {
    pub(super) query: Arc<SearchQuery>,
    /// When: listings that are taken then are left out.
    pub(super) stay: Option<Stay>,
    pub(super) after: Option<Cursor>,
    pub(super) limit: usize,
}

/// Every field that is wrong is told at once.
#[derive(Default)]
struct Errors(Vec<FieldError>);

impl Errors {
    fn keep<T>(&mut self, pointer: &str, read: Result<T, impl ToString>) -> Option<T> {
        read.map_err(|detail| self.0.push(FieldError::new(pointer, detail.to_string())))
            .ok()
    }
}

impl Search {
    pub(super) fn parse(asked: Asked) -> Result<Self, Problem> {
        let limit = page_limit(asked.limit)?;
        let mut errors = Errors::default();
        let near = asked.near.as_deref();
        let near = near.and_then(|text| errors.keep("/near", place(text)));
        let area = errors.keep("/bbox", area(&asked, near)).flatten();
        let words = asked.q.as_deref();
        let words = words.and_then(|text| errors.keep("/q", Words::of(text)));
        let (from, until) = (asked.check_in, asked.check_out);
        let nights = errors.keep("/check_out", nights(from, until)).flatten();
        let amenities = asked.amenities.as_deref();
        let amenities = amenities.and_then(|text| errors.keep("/amenities", amenity_list(text)));
        let currency = asked.currency.as_deref();
        let currency = currency.and_then(|text| errors.keep("/currency", text.parse()));
        let room_type = asked.room_type;
        let room_type = room_type.and_then(|text| errors.keep("/room_type", short(&text)));
        if asked.price_min > asked.price_max && asked.price_max.is_some() {
            let order: Result<(), _> = Err("not below `price_min`");
            errors.keep("/price_max", order);
        }
        let sort = errors.keep("/sort", sort(asked.sort, near));
        if !errors.0.is_empty() {
            return Err(Problem::fields(errors.0));
        }
        let query = SearchQuery {
            words,
            area,
            near,
            guests: asked.guests,
            nights,
            amenities: amenities.unwrap_or_default(),
            prices: Prices {
                min: asked.price_min,
                max: asked.price_max,
                currency,
            },
            room_type,
            sort: sort.unwrap_or_default(),
        };
        let cursor = asked.cursor.as_deref();
        let after = cursor.map(|text| Cursor::decode(text, &query)).transpose();
        Ok(Self {
            after: after.map_err(|cause| Problem::field("/cursor", cause.to_string()))?,
            query: Arc::new(query),
            stay: from
                .zip(until)
                .map(|(from, until)| Stay::new(from, until, asked.guests.unwrap_or(1))),
            limit,
        })
    }
}

fn numbers<const N: usize>(text: &str) -> Option<[f64; N]> {
    let numbers: Result<Vec<f64>, _> = text.split(',').map(|part| part.trim().parse()).collect();
    numbers.ok()?.try_into().ok()
}

fn place(text: &str) -> Result<Place, &'static str> {
    numbers(text)
        .and_then(|[lat, lon]| Place::new(lat, lon))
        .ok_or("degrees north and east, as in `59.91,10.75`")
}

fn area(asked: &Asked, near: Option<Place>) -> Result<Option<Area>, &'static str> {
    match (&asked.bbox, asked.radius_km) {
        (None, None) => Ok(None),
        (Some(_), Some(_)) => Err("send `bbox`, or `near` with `radius_km`"),
        (Some(bbox), None) => rectangle(bbox).map(Some),
        (None, Some(radius_km)) if (0.0..=RADIUS_KM_MAX).contains(&radius_km) => {
            let centre = near.ok_or("`radius_km` needs `near`, which is its middle")?;
            Ok(Some(Area::Circle { centre, radius_km }))
        }
        (None, Some(_)) => Err("`radius_km` is from 0 to 20100"),
    }
}

fn rectangle(text: &str) -> Result<Area, &'static str> {
    let corners = numbers(text).and_then(|[west, south, east, north]| {
        let corners = Place::new(south, west).zip(Place::new(north, east))?;
        (south <= north).then_some(corners)
    });
    let (south_west, north_east) =
        corners.ok_or("west, south, east and north in degrees, as in `10.6,59.8,10.9,60.0`")?;
    Ok(Area::Rectangle {
        south_west,
        north_east,
    })
}

fn nights(from: Option<Date>, until: Option<Date>) -> Result<Option<u32>, String> {
    let (from, until) = match (from, until) {
        (None, None) => return Ok(None),
        (Some(from), Some(until)) => (from, until),
        _ => return Err("`check_in` and `check_out` go together".to_owned()),
    };
    let nights = from
        .until(until)
        .map(|span| span.get_days())
        .unwrap_or_default();
    match u32::try_from(nights) {
        Ok(count) if (1..=NIGHTS_MAX).contains(&nights) => Ok(Some(count)),
        _ => Err(format!("1 to {NIGHTS_MAX} nights after `check_in`")),
    }
}

fn amenity_list(text: &str) -> Result<Vec<String>, String> {
    let mut amenities: Vec<String> = text
        .split(',')
        .map(|amenity| amenity.trim().to_owned())
        .filter(|amenity| !amenity.is_empty())
        .collect();
    amenities.sort_unstable();
    amenities.dedup();
    if amenities.len() > AMENITIES_MAX {
        return Err(format!("at most {AMENITIES_MAX}"));
    }
    Ok(amenities)
}

fn short(text: &str) -> Result<String, String> {
    if text.chars().count() > TEXT_CHARS_MAX {
        return Err(format!("at most {TEXT_CHARS_MAX} characters"));
    }
    Ok(text.to_owned())
}

fn sort(asked: Option<Order>, near: Option<Place>) -> Result<Sort, &'static str> {
    match asked {
        None | Some(Order::Relevance) => Ok(Sort::Relevance),
        Some(Order::Price) => Ok(Sort::Price),
        Some(Order::Distance) if near.is_some() => Ok(Sort::Distance),
        Some(Order::Distance) => Err("by distance needs `near`, from where it is measured"),
    }
}
