//! Writing a draft: into a new document, or over one that was imported before.

use automerge::ScalarValue;
use meridian_regions::{Survival, UnixNanos};

use super::register::Register;
use super::write::{EditError, Writer, instant};
use super::{ops, photos, read, text};
use crate::draft::{ListingDraft, UNITS_DEFAULT};

/// What a draft is written to: a document, or a change of a document that is not
/// there yet.
pub(super) trait Sheet {
    /// Why it is not written.
    type Error;

    /// Writes a register.
    fn put(&mut self, register: Register, value: ScalarValue) -> Result<(), Self::Error>;
    /// Makes the description `text`.
    fn describe(&mut self, text: &str) -> Result<(), Self::Error>;
    /// Makes the set of amenities `values`.
    fn equip(&mut self, values: &[String]) -> Result<(), Self::Error>;
    /// Makes the list of photos `urls`.
    fn show(&mut self, urls: &[String]) -> Result<(), Self::Error>;
}

impl Sheet for Writer<'_> {
    type Error = EditError;

    fn put(&mut self, register: Register, value: ScalarValue) -> Result<(), EditError> {
        Writer::put(self, register, value)
    }

    fn describe(&mut self, text: &str) -> Result<(), EditError> {
        text::replace(self, text)
    }

    fn equip(&mut self, values: &[String]) -> Result<(), EditError> {
        ops::replace_amenities(self, values)
    }

    fn show(&mut self, urls: &[String]) -> Result<(), EditError> {
        photos::replace(self, urls)
    }
}

/// Writes everything that a draft states, and what is fixed at creation.
pub(super) fn create<S: Sheet>(
    sheet: &mut S,
    at: UnixNanos,
    draft: &ListingDraft,
) -> Result<(), S::Error> {
    let survival = survival_to_register(draft.survival.unwrap_or_default());
    let units = draft.units.unwrap_or(UNITS_DEFAULT);
    sheet.put(Register::CreatedAt, instant(at))?;
    sheet.put(Register::Units, number(units))?;
    sheet.put(
        Register::Slot,
        draft.slot.unwrap_or_default().to_register().into(),
    )?;
    sheet.put(Register::Survival, survival.into())?;
    sheet.put(Register::Capacity, number(draft.capacity))?;
    state(sheet, draft)
}

/// Writes what a draft states and the document does not show. What is fixed at
/// creation stays, and so does what the draft leaves out. Capacity stays too: a draft
/// cannot leave it out, so that a source that does not know it makes one up, and that
/// must not undo what a host has set.
pub(super) fn update(writer: &mut Writer<'_>, draft: &ListingDraft) -> Result<(), EditError> {
    state(writer, draft)?;
    // A source that states one bound of the stay may contradict the other, which
    // somebody has edited here: the source's word counts.
    let (min_stay, max_stay) = read::stays(writer);
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

fn state<S: Sheet>(sheet: &mut S, draft: &ListingDraft) -> Result<(), S::Error> {
    sheet.put(Register::Title, draft.title.as_str().into())?;
    sheet.put(Register::Point, draft.location.point().to_register().into())?;
    if let Some(price) = &draft.nightly_price {
        sheet.put(Register::NightlyPrice, price.to_register().into())?;
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
            sheet.put(register, value.as_str().into())?;
        }
    }
    for (register, value) in [
        (Register::MinStay, draft.min_stay),
        (Register::MaxStay, draft.max_stay),
        (Register::Turnover, draft.turnover),
    ] {
        if let Some(value) = value {
            sheet.put(register, number(value))?;
        }
    }
    if let Some(external) = &draft.external {
        sheet.put(Register::External, external.to_register().into())?;
    }
    if let Some(description) = &draft.description {
        sheet.describe(description)?;
    }
    if let Some(amenities) = &draft.amenities {
        sheet.equip(amenities)?;
    }
    if let Some(urls) = &draft.photos {
        sheet.show(urls)?;
    }
    Ok(())
}

fn number(number: u32) -> ScalarValue {
    ScalarValue::Uint(u64::from(number))
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
