//! From a line of a CSV file to a listing, without touching disk or network.
//!
//! Columns are found by name. What a row lacks is said with its line; a column
//! that we do not know is passed over.

use std::collections::HashSet;

use csv::StringRecord;
use serde_json::{Value, json};

/// Where the listings come from, as part of their identity: the same row imported
/// again is the same listing.
pub(crate) const SOURCE: &str = "inside-airbnb";
/// Guests of a new listing: no file says how many it takes. It counts at creation
/// only; what a host has set stays.
const CAPACITY_DEFAULT: u32 = 2;
/// Longest title, in characters; a longer name is cut at a word.
const TITLE_CHARS_MAX: usize = 200;
/// Longest stay that a listing may demand, in nights.
const MIN_STAY_NIGHTS_MAX: u32 = 365;

/// One listing of a file.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Row {
    /// Line in the file, from 1.
    pub(crate) line: u64,
    /// The listing's id at its source.
    pub(crate) external_id: String,
    /// Body of a `POST /v1/listings`.
    pub(crate) draft: Value,
    /// What was mended on the way, where something was.
    pub(crate) mended: Option<Mended>,
}

/// A value that could not be taken as it stood.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mended {
    /// A spreadsheet rounded the id (`5.54E+17`): told apart by host, name and place.
    RoundedId,
    /// The least stay was longer than we allow.
    ShortenedMinStay,
}

/// A row that is no listing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct BadRow {
    /// Line in the file, from 1.
    pub(crate) line: u64,
    /// What is wrong with it.
    pub(crate) reason: String,
}

/// Why a file cannot be imported at all.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum HeaderError {
    /// A column that we cannot do without.
    #[error("the file has no column `{missing}`; its columns are: {found}")]
    Missing {
        /// The column.
        missing: &'static str,
        /// All of its columns.
        found: String,
    },
}

/// Positions of the columns that we read.
#[derive(Debug, Clone)]
pub(crate) struct Columns {
    id: usize,
    name: usize,
    latitude: usize,
    longitude: usize,
    host_id: Option<usize>,
    neighbourhood: Option<usize>,
    room_type: Option<usize>,
    price: Option<usize>,
    minimum_nights: Option<usize>,
}

impl Columns {
    /// Finds the columns by name.
    ///
    /// # Errors
    /// [`HeaderError::Missing`] without id, name, latitude or longitude.
    pub(crate) fn find(header: &StringRecord) -> Result<Self, HeaderError> {
        let position = |name: &str| header.iter().position(|column| column.trim() == name);
        let required = |name: &'static str| {
            position(name).ok_or_else(|| HeaderError::Missing {
                missing: name,
                found: header.iter().collect::<Vec<_>>().join(", "),
            })
        };
        Ok(Self {
            id: required("id")?,
            name: required("name")?,
            latitude: required("latitude")?,
            longitude: required("longitude")?,
            host_id: position("host_id"),
            neighbourhood: position("neighbourhood"),
            room_type: position("room_type"),
            price: position("price"),
            minimum_nights: position("minimum_nights"),
        })
    }
}

/// Turns records into rows; knows which ids the file has had.
#[derive(Debug)]
pub(crate) struct RowReader {
    columns: Columns,
    region: String,
    currency: String,
    seen: HashSet<String>,
}

impl RowReader {
    pub(crate) fn new(columns: Columns, region: &str, currency: &str) -> Self {
        Self {
            columns,
            region: region.to_owned(),
            currency: currency.to_owned(),
            seen: HashSet::new(),
        }
    }

    /// Reads the record that begins on `line`.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(crate) fn read(&mut self, line: u64, record: &StringRecord) -> Result<Row, String> {
        let text = |column: usize| record.get(column).unwrap_or_default().trim();
        let optional = |column: Option<usize>| {
            column
                .map(text)
                .filter(|value| !value.is_empty())
                .map(str::to_owned)
        };
        let name = text(self.columns.name);
        if name.is_empty() {
            return Err("`name` is empty".to_owned());
        }
        let latitude = coordinate(text(self.columns.latitude), "latitude", 90.0)?;
        let longitude = coordinate(text(self.columns.longitude), "longitude", 180.0)?;
        let host = optional(self.columns.host_id);
        let price = optional(self.columns.price)
            .map(|price| minor_units(&price))
            .transpose()?;
        let (min_stay, shortened) = min_stay(optional(self.columns.minimum_nights))?;
        let (external_id, rounded) = external_id(
            text(self.columns.id),
            &[
                host.as_deref().unwrap_or_default(),
                name,
                text(self.columns.latitude),
                text(self.columns.longitude),
            ],
        )?;
        if !self.seen.insert(external_id.clone()) {
            return Err(format!("id {external_id} has stood in the file before"));
        }
        let draft = json!({
            "title": title(name),
            "location": {"lat": latitude, "lon": longitude},
            "capacity": CAPACITY_DEFAULT,
            "nightly_price": price.map(|amount| json!({"amount": amount, "currency": self.currency})),
            "min_stay": min_stay,
            "home_region": self.region,
            "room_type": optional(self.columns.room_type),
            "neighbourhood": optional(self.columns.neighbourhood),
            "host_id": host,
        });
        Ok(Row {
            line,
            external_id,
            draft: without_nulls(draft),
            mended: shortened.or(rounded),
        })
    }
}

fn coordinate(text: &str, name: &str, bound: f64) -> Result<f64, String> {
    text.parse::<f64>()
        .ok()
        .filter(|degrees| degrees.is_finite() && degrees.abs() <= bound)
        .ok_or_else(|| format!("`{name}` is `{text}`: expected degrees from -{bound} to {bound}"))
}

/// Reads prices like `120`, `120.5` and `$1,250.00` into cents.
fn minor_units(text: &str) -> Result<u64, String> {
    let refused = || format!("`price` is `{text}`: expected an amount like 120 or $1,250.00");
    let digits: String = text
        .trim_start_matches(['$', '€', '£'])
        .chars()
        .filter(|character| *character != ',')
        .collect();
    let (units, cents) = digits.split_once('.').unwrap_or((&digits, "0"));
    let valid = !units.is_empty()
        && cents.len() <= 2
        && !cents.is_empty()
        && (units.bytes().chain(cents.bytes())).all(|byte| byte.is_ascii_digit());
    if !valid {
        return Err(refused());
    }
    let units: u64 = units.parse().map_err(|_| refused())?;
    let tens: u64 = cents.parse().map_err(|_| refused())?;
    let cents = if cents.len() == 1 { tens * 10 } else { tens };
    units
        .checked_mul(100)
        .and_then(|amount| amount.checked_add(cents))
        .ok_or_else(refused)
}

/// `None` where the file does not say: the listing's own default, or what somebody
/// has set since the last import, stays.
fn min_stay(text: Option<String>) -> Result<(Option<u32>, Option<Mended>), String> {
    let Some(text) = text else {
        return Ok((None, None));
    };
    let nights: u32 = text
        .parse()
        .map_err(|_| format!("`minimum_nights` is `{text}`: expected a whole number"))?;
    if nights > MIN_STAY_NIGHTS_MAX {
        return Ok((Some(MIN_STAY_NIGHTS_MAX), Some(Mended::ShortenedMinStay)));
    }
    Ok((Some(nights.max(1)), None))
}

/// The row's id, made exact where a spreadsheet has rounded it.
fn external_id(id: &str, marks: &[&str]) -> Result<(String, Option<Mended>), String> {
    if id.is_empty() {
        return Err("`id` is empty".to_owned());
    }
    let rounded = id.contains(['E', 'e']) && id.parse::<f64>().is_ok();
    if !rounded {
        return Ok((id.to_owned(), None));
    }
    let digest = blake3::hash(marks.join("\n").as_bytes()).to_hex();
    Ok((format!("{id}~{}", &digest[..16]), Some(Mended::RoundedId)))
}

/// The name on one line, within the bound.
fn title(name: &str) -> String {
    let name = name.split_whitespace().collect::<Vec<_>>().join(" ");
    if name.chars().count() <= TITLE_CHARS_MAX {
        return name;
    }
    let cut: String = name.chars().take(TITLE_CHARS_MAX - 1).collect();
    let end = cut.rfind(' ').unwrap_or(cut.len());
    format!("{}…", cut[..end].trim_end())
}

fn without_nulls(value: Value) -> Value {
    match value {
        Value::Object(fields) => fields
            .into_iter()
            .filter(|(_, value)| !value.is_null())
            .collect(),
        other => other,
    }
}

#[cfg(test)]
mod tests;
