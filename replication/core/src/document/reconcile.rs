//! Writing a draft: into a new document, or over one that was imported before.

use automerge::ScalarValue;
use meridian_regions::{Survival, UnixNanos};

use super::register::Register;
use super::write::{EditError, Writer, instant};
use super::{ops, photos, read, text};
use crate::draft::{ListingDraft, UNITS_DEFAULT};

/// Writes everything that a draft states, and what is fixed at creation.
pub(super) fn create(
    writer: &mut Writer<'_>,
    at: UnixNanos,
    draft: &ListingDraft,
) -> Result<(), EditError> {
    writer.put(Register::CreatedAt, instant(at))?;
    writer.put(
        Register::Units,
        u64::from(draft.units.unwrap_or(UNITS_DEFAULT)),
    )?;
    writer.put(Register::Slot, draft.slot.unwrap_or_default().to_register())?;
    writer.put(
        Register::Survival,
        survival_to_register(draft.survival.unwrap_or_default()),
    )?;
    writer.put(Register::Capacity, u64::from(draft.capacity))?;
    state(writer, draft)
}

/// Writes what a draft states and the document does not show. What is fixed at
/// creation stays, and so does what the draft leaves out. Capacity stays too: a draft
/// cannot leave it out, so that a source that does not know it makes one up, and that
/// must not undo what a host has set.
pub(super) fn update(writer: &mut Writer<'_>, draft: &ListingDraft) -> Result<(), EditError> {
    state(writer, draft)?;
    // A source that states one bound of the stay may contradict the other, which
    // somebody has edited here: the source's word counts.
    let (min_stay, max_stay) = read::stays(writer.document());
    match (draft.min_stay, draft.max_stay) {
        (Some(_), None) if min_stay > max_stay => {
            writer.put(Register::MaxStay, u64::from(min_stay))
        }
        (None, Some(_)) if min_stay > max_stay => {
            writer.put(Register::MinStay, u64::from(max_stay))
        }
        _ => Ok(()),
    }
}

fn state(writer: &mut Writer<'_>, draft: &ListingDraft) -> Result<(), EditError> {
    writer.put(Register::Title, draft.title.as_str())?;
    writer.put(Register::Point, draft.location.point().to_register())?;
    if let Some(price) = &draft.nightly_price {
        writer.put(Register::NightlyPrice, price.to_register())?;
    }
    for (register, value) in [
        (Register::City, &draft.location.city),
        (Register::Country, &draft.location.country),
        (Register::TimeZone, &draft.location.time_zone),
        (Register::HouseRules, &draft.house_rules),
        (Register::RoomType, &draft.room_type),
        (Register::Neighbourhood, &draft.neighbourhood),
        (Register::Owner, &draft.host_id),
    ] {
        if let Some(value) = value {
            writer.put(register, value.as_str())?;
        }
    }
    for (register, value) in [
        (Register::MinStay, draft.min_stay),
        (Register::MaxStay, draft.max_stay),
    ] {
        if let Some(value) = value {
            writer.put(register, ScalarValue::Uint(u64::from(value)))?;
        }
    }
    if let Some(external) = &draft.external {
        writer.put(Register::External, external.to_register())?;
    }
    if let Some(description) = &draft.description {
        text::replace(writer, description)?;
    }
    if let Some(amenities) = &draft.amenities {
        ops::replace_amenities(writer, amenities)?;
    }
    if let Some(urls) = &draft.photos {
        photos::replace(writer, urls)?;
    }
    Ok(())
}

pub(super) const fn survival_to_register(survival: Survival) -> &'static str {
    match survival {
        Survival::Region => "region",
        Survival::Zone => "zone",
    }
}

pub(super) fn survival_from_register(text: &str) -> Option<Survival> {
    match text {
        "region" => Some(Survival::Region),
        "zone" => Some(Survival::Zone),
        _ => None,
    }
}
