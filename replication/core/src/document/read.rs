//! Reading a document into a view.
//!
//! A merge, or a later version of the format, may hold values that this version
//! does not expect. A register that cannot be read shows its default; reading never
//! fails and never panics.

use std::collections::BTreeMap;

use automerge::{Automerge, ReadDoc, ScalarValue, Value};
use jiff::Timestamp;
use meridian_regions::ListingId;

use super::Lifecycle;
use super::body::Body;
use super::genesis::Container;
use super::reconcile::survival_from_register;
use super::register::Register;
use super::shown::Shown;
use super::{deletion, photos, standing, text};
use crate::draft::{MIN_STAY_DEFAULT, UNITS_DEFAULT};
use crate::limits::STAY_SLOTS_MAX;
use crate::values::{External, Location, Money, Point, Slot};
use crate::view::ListingView;

/// Where registers are read: a document, or a change in the making.
pub(super) trait Registers {
    /// The value that a register shows, null included.
    fn shown(&self, register: Register) -> Option<ScalarValue>;
}

impl Registers for Automerge {
    fn shown(&self, register: Register) -> Option<ScalarValue> {
        standing::shown(self, register)
    }
}

pub(super) fn view(id: &ListingId, body: &Body, updated_at_ms: i64) -> ListingView {
    let document = body.get();
    let shown = &Shown::of(document);
    let lifecycle = body.lifecycle(|| {
        let marked = shown.is_marked(Register::DeletedAt);
        lifecycle_of(document, marked, shown)
    });
    let (min_stay, max_stay) = stays(shown);
    let parsed = |register| line(shown, register).unwrap_or_default();
    ListingView {
        id: id.clone(),
        title: parsed(Register::Title),
        description: text::shown(document, shown.is_disputed(Register::Rewritten)),
        location: location(shown),
        capacity: number(shown, Register::Capacity).unwrap_or_default(),
        nightly_price: price(shown),
        amenities: document.keys(Container::Amenities.id()).collect(),
        photos: photos::ranked(document)
            .into_iter()
            .map(|(_rank, url)| url)
            .collect(),
        house_rules: parsed(Register::HouseRules),
        units: number(shown, Register::Units).unwrap_or(UNITS_DEFAULT),
        slot: Slot::from_register(&parsed(Register::Slot)).unwrap_or_default(),
        min_stay,
        max_stay: max_stay.max(min_stay),
        turnover: number(shown, Register::Turnover).unwrap_or_default(),
        survival: survival_from_register(&parsed(Register::Survival)).unwrap_or_default(),
        home_region: id.home().clone(),
        room_type: line(shown, Register::RoomType),
        neighbourhood: line(shown, Register::Neighbourhood),
        owner: line(shown, Register::Owner),
        external: line(shown, Register::External)
            .and_then(|external| External::from_register(&external)),
        counters: counters(document),
        created_at: instant(created_at(document, shown).unwrap_or_default()),
        updated_at: instant(updated_at_ms),
        deleted: lifecycle == Lifecycle::Deleted,
    }
}

pub(super) fn lifecycle(body: &Body) -> Lifecycle {
    body.lifecycle(|| {
        let document = body.get();
        let marked = standing::is_marked(document, Register::DeletedAt);
        lifecycle_of(document, marked, document)
    })
}

/// What is told of a document in whose register of the deletion something stands, or nothing.
fn lifecycle_of(document: &Automerge, marked: bool, registers: &impl Registers) -> Lifecycle {
    if marked {
        return deletion::lifecycle(document);
    }
    match scalar(registers, Register::CreatedAt) {
        Some(_) => Lifecycle::Live,
        None => Lifecycle::Uncreated,
    }
}

pub(super) fn point(document: &impl Registers) -> Point {
    line(document, Register::Point)
        .and_then(|point| Point::from_register(&point))
        .unwrap_or_default()
}

pub(super) fn price(document: &impl Registers) -> Option<Money> {
    Money::from_register(&line(document, Register::NightlyPrice)?)
}

/// The shortest and the longest stay, as they are written.
pub(super) fn stays(document: &impl Registers) -> (u32, u32) {
    (
        number(document, Register::MinStay).unwrap_or(MIN_STAY_DEFAULT),
        number(document, Register::MaxStay).unwrap_or(STAY_SLOTS_MAX),
    )
}

fn location(shown: &Shown<'_>) -> Location {
    let Point { lat, lon } = point(shown);
    Location {
        lat,
        lon,
        city: line(shown, Register::City),
        country: line(shown, Register::Country),
        time_zone: line(shown, Register::TimeZone),
    }
}

fn counters(document: &Automerge) -> BTreeMap<String, i64> {
    document
        .map_range(Container::Counters.id(), ..)
        .filter_map(|counter| match counter.value.into_value() {
            Value::Scalar(value) => Some((counter.key.into_owned(), value.as_i64()?)),
            Value::Object(_) => None,
        })
        .collect()
}

/// The earliest creation: a listing created twice is as old as the first.
fn created_at(document: &Automerge, shown: &Shown<'_>) -> Option<i64> {
    let register = Register::CreatedAt;
    if !shown.is_disputed(register) {
        return shown.shown(register)?.as_i64();
    }
    let values = document
        .get_all(register.container().id(), register.key())
        .ok()?;
    values
        .iter()
        .filter_map(|(value, _)| match value {
            Value::Scalar(value) => value.as_i64(),
            Value::Object(_) => None,
        })
        .min()
}

fn instant(millis: i64) -> Timestamp {
    Timestamp::from_millisecond(millis).unwrap_or(Timestamp::MAX)
}

/// What a register shows, unless that is nothing or null.
fn scalar(document: &impl Registers, register: Register) -> Option<ScalarValue> {
    document.shown(register).filter(|value| !value.is_null())
}

fn line(document: &impl Registers, register: Register) -> Option<String> {
    match scalar(document, register)? {
        ScalarValue::Str(text) => Some(text.into()),
        _ => None,
    }
}

fn number(document: &impl Registers, register: Register) -> Option<u32> {
    scalar(document, register)?
        .as_u64()
        .and_then(|number| u32::try_from(number).ok())
}
