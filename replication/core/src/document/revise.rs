//! Writing a merge patch.

use automerge::ScalarValue;

use super::register::Register;
use super::write::{EditError, Reads, Writer};
use super::{ops, photos, read, text};
use crate::field_error::Findings;
use crate::object_reader::FieldPatch;
use crate::patch::{ListingPatch, LocationPatch, PricePatch};
use crate::rules;
use crate::values::{Money, Point};

/// What [`patch`] reads.
pub(super) fn reads(patch: &ListingPatch) -> Reads {
    Reads {
        point: patch.location.lat.is_some() || patch.location.lon.is_some(),
        price: patch.nightly_price != PricePatch::default(),
        stays: !(patch.min_stay.is_keep() && patch.max_stay.is_keep()),
        description: !patch.description.is_keep(),
    }
}

pub(super) fn patch(writer: &mut Writer<'_>, patch: &ListingPatch) -> Result<(), EditError> {
    if let Some(title) = &patch.title {
        writer.put(Register::Title, title.as_str())?;
    }
    match &patch.description {
        FieldPatch::Keep => {}
        FieldPatch::Clear => text::replace(writer, "")?,
        FieldPatch::Set(description) => text::replace(writer, description)?,
    }
    location(writer, &patch.location)?;
    if let Some(capacity) = patch.capacity {
        writer.put(Register::Capacity, u64::from(capacity))?;
    }
    price(writer, patch.nightly_price)?;
    match &patch.amenities {
        FieldPatch::Keep => {}
        FieldPatch::Clear => ops::replace_amenities(writer, &[])?,
        FieldPatch::Set(amenities) => ops::replace_amenities(writer, amenities)?,
    }
    match &patch.photos {
        FieldPatch::Keep => {}
        FieldPatch::Clear => photos::replace(writer, &[])?,
        FieldPatch::Set(urls) => photos::replace(writer, urls)?,
    }
    register(writer, Register::HouseRules, &patch.house_rules, string)?;
    register(writer, Register::RoomType, &patch.room_type, string)?;
    register(
        writer,
        Register::Neighbourhood,
        &patch.neighbourhood,
        string,
    )?;
    register(writer, Register::MinStay, &patch.min_stay, number)?;
    register(writer, Register::MaxStay, &patch.max_stay, number)?;
    register(writer, Register::Turnover, &patch.turnover, number)?;
    check_stays(writer, patch)
}

/// Latitude and longitude are one register: what the patch leaves out is read.
fn location(writer: &mut Writer<'_>, patch: &LocationPatch) -> Result<(), EditError> {
    if patch.lat.is_some() || patch.lon.is_some() {
        let held = read::point(writer);
        let point = Point {
            lat: patch.lat.unwrap_or(held.lat),
            lon: patch.lon.unwrap_or(held.lon),
        };
        writer.put(Register::Point, point.to_register())?;
    }
    register(writer, Register::City, &patch.city, string)?;
    register(writer, Register::Country, &patch.country, string)?;
    register(writer, Register::TimeZone, &patch.time_zone, string)
}

/// Amount and currency are one register: what the patch leaves out is read.
fn price(writer: &mut Writer<'_>, patch: PricePatch) -> Result<(), EditError> {
    if patch == PricePatch::default() {
        return Ok(());
    }
    let held = read::price(writer);
    let mut findings = Findings::default();
    let amount = patch.amount.or(held.map(|held| held.amount));
    let currency = patch.currency.or(held.map(|held| held.currency));
    if let (Some(amount), Some(currency)) = (amount, currency) {
        let money = Money { amount, currency };
        return writer.put(Register::NightlyPrice, money.to_register());
    }
    findings.add(
        "/nightly_price",
        "the listing has no price yet: give amount and currency",
    );
    findings.into_result().map_err(EditError::Invalid)
}

fn register<T>(
    writer: &mut Writer<'_>,
    register: Register,
    patch: &FieldPatch<T>,
    value: fn(&T) -> ScalarValue,
) -> Result<(), EditError> {
    match patch {
        FieldPatch::Keep => Ok(()),
        FieldPatch::Clear => writer.clear(register),
        FieldPatch::Set(new) => writer.put(register, value(new)),
    }
}

fn string<T: AsRef<str>>(value: &T) -> ScalarValue {
    ScalarValue::Str(value.as_ref().into())
}

fn number(value: &u32) -> ScalarValue {
    ScalarValue::Uint(u64::from(*value))
}

/// The stays that the patch leaves together with what was there.
fn check_stays(writer: &mut Writer<'_>, patch: &ListingPatch) -> Result<(), EditError> {
    if patch.min_stay.is_keep() && patch.max_stay.is_keep() {
        return Ok(());
    }
    let mut findings = Findings::default();
    let (min_stay, max_stay) = read::stays(writer);
    rules::stays(&mut findings, min_stay, max_stay);
    findings.into_result().map_err(EditError::Invalid)
}
