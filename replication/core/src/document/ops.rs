//! Carrying out edit operations.

use std::collections::BTreeSet;

use automerge::transaction::Transactable;
use automerge::{ReadDoc, ScalarValue};

use super::conflicts::DESCRIPTION;
use super::genesis::{COUNTERS, Container};
use super::write::{EditError, Reads, Writer};
use super::{photos, text};
use crate::edit::EditOp;
use crate::field_error::{FieldError, Findings};
use crate::limits::{
    AMENITIES_MAX, DESCRIPTION_CHARS_MAX, EDIT_CHARS_MAX, EDIT_OPS_MAX, INCREMENT_MAX, PHOTOS_MAX,
};
use crate::rules::{self, Lines};

const AMENITIES: &str = "/amenities";
const PHOTOS: &str = "/photos";
const COUNTERS_PREFIX: &str = "/counters/";

/// What [`edit`] reads.
pub(super) fn reads(ops: &[EditOp]) -> Reads {
    let mut ops = ops.iter();
    Reads {
        description: ops.any(|op| matches!(op, EditOp::Splice { .. })),
        ..Reads::default()
    }
}

/// Carries out operations in order, each on what those before it left.
pub(super) fn edit(writer: &mut Writer<'_>, ops: &[EditOp]) -> Result<(), EditError> {
    if ops.len() > EDIT_OPS_MAX {
        let detail = format!("{} operations: send at most {EDIT_OPS_MAX}", ops.len());
        return Err(invalid("/ops", detail));
    }
    let mut chars = 0_usize;
    for (index, op) in ops.iter().enumerate() {
        let place = Place(format!("/ops/{index}"));
        if let EditOp::Splice { delete, insert, .. } = op {
            chars = chars
                .saturating_add(*delete)
                .saturating_add(insert.chars().count());
        }
        if chars > EDIT_CHARS_MAX {
            let detail = format!("more than {EDIT_CHARS_MAX} characters in one edit");
            return Err(place.refuse("insert", detail));
        }
        carry_out(writer, op, &place)?;
    }
    Ok(())
}

fn carry_out(writer: &mut Writer<'_>, op: &EditOp, place: &Place) -> Result<(), EditError> {
    match op {
        EditOp::Splice {
            path,
            at,
            delete,
            insert,
        } => {
            place.path(path, &[DESCRIPTION])?;
            text::settle(writer)?;
            check_splice(writer, *at, *delete, insert, place)?;
            text::splice(writer, *at, *delete, insert)
        }
        EditOp::Add { path, value } => match place.path(path, &[AMENITIES, PHOTOS])? {
            AMENITIES => add_amenity(writer, value, place),
            _photos => add_photo(writer, value, place),
        },
        EditOp::Remove { path, value } => {
            let map = match place.path(path, &[AMENITIES, PHOTOS])? {
                AMENITIES => Container::Amenities,
                _photos => Container::Photos,
            };
            if writer.document().get(map.id(), value.as_str())?.is_some() {
                writer.document().delete(map.id(), value.as_str())?;
            }
            Ok(())
        }
        EditOp::Increment { path, by } => increment(writer, path, *by, place),
    }
}

fn check_splice(
    writer: &mut Writer<'_>,
    at: usize,
    delete: usize,
    insert: &str,
    place: &Place,
) -> Result<(), EditError> {
    let length = writer.document().length(Container::Description.id());
    if at > length {
        let detail = format!("{at} is past the end: the text has {length} characters");
        return Err(place.refuse("at", detail));
    }
    let left = length - at;
    if delete > left {
        let detail = format!("{delete} characters from {at}: the text has {left} more");
        return Err(place.refuse("delete", detail));
    }
    let mut findings = Findings::default();
    let most = DESCRIPTION_CHARS_MAX.saturating_sub(length - delete);
    let pointer = place.pointer("insert");
    rules::text(&mut findings, &pointer, insert, 0..=most, Lines::Many);
    findings.into_result().map_err(EditError::Invalid)
}

fn add_amenity(writer: &mut Writer<'_>, value: &str, place: &Place) -> Result<(), EditError> {
    place.check(|findings, pointer| rules::amenity(findings, pointer, value))?;
    let amenities = Container::Amenities.id();
    let is_new = writer.document().get(&amenities, value)?.is_none();
    if is_new && writer.document().length(&amenities) >= AMENITIES_MAX {
        return Err(place.refuse(
            "value",
            format!("there are {AMENITIES_MAX} amenities already"),
        ));
    }
    writer.assert(Container::Amenities, value, ScalarValue::Boolean(true))
}

fn add_photo(writer: &mut Writer<'_>, value: &str, place: &Place) -> Result<(), EditError> {
    place.check(|findings, pointer| rules::photo(findings, pointer, value))?;
    let held = Container::Photos.id();
    let is_new = writer.document().get(&held, value)?.is_none();
    if is_new && writer.document().length(&held) >= PHOTOS_MAX {
        return Err(place.refuse("value", format!("there are {PHOTOS_MAX} photos already")));
    }
    photos::add(writer, value)
}

fn increment(writer: &mut Writer<'_>, path: &str, by: i64, place: &Place) -> Result<(), EditError> {
    let counter = path
        .strip_prefix(COUNTERS_PREFIX)
        .filter(|name| COUNTERS.contains(name))
        .ok_or_else(|| {
            place.refuse("path", format!("no such counter: use {}", known_counters()))
        })?;
    if by == 0 || by.unsigned_abs() > INCREMENT_MAX.unsigned_abs() {
        let detail = format!("{by} is no step: use 1 to {INCREMENT_MAX}, up or down");
        return Err(place.refuse("by", detail));
    }
    writer
        .document()
        .increment(Container::Counters.id(), counter, by)?;
    Ok(())
}

fn known_counters() -> String {
    COUNTERS
        .map(|name| format!("{COUNTERS_PREFIX}{name}"))
        .join(" or ")
}

/// Makes the set of amenities `values`, by adding and removing what differs.
pub(super) fn replace_amenities(
    writer: &mut Writer<'_>,
    values: &[String],
) -> Result<(), EditError> {
    let amenities = Container::Amenities.id();
    let held: BTreeSet<String> = writer.document().keys(&amenities).collect();
    let wanted: BTreeSet<String> = values.iter().cloned().collect();
    for value in held.difference(&wanted) {
        writer.document().delete(&amenities, value.as_str())?;
    }
    for value in wanted.difference(&held) {
        writer.document().put(&amenities, value.as_str(), true)?;
    }
    Ok(())
}

/// Where an operation stands in its request.
struct Place(String);

impl Place {
    fn pointer(&self, field: &str) -> String {
        format!("{}/{field}", self.0)
    }

    fn refuse(&self, field: &str, detail: String) -> EditError {
        invalid(&self.pointer(field), detail)
    }

    /// The one of `known` that `path` is.
    fn path(&self, path: &str, known: &[&'static str]) -> Result<&'static str, EditError> {
        known
            .iter()
            .copied()
            .find(|known| *known == path)
            .ok_or_else(|| {
                let detail = format!("this operation works on {}", known.join(" and "));
                self.refuse("path", detail)
            })
    }

    fn check(&self, rule: impl FnOnce(&mut Findings, &str)) -> Result<(), EditError> {
        let mut findings = Findings::default();
        rule(&mut findings, &self.pointer("value"));
        findings.into_result().map_err(EditError::Invalid)
    }
}

fn invalid(pointer: &str, detail: String) -> EditError {
    EditError::Invalid(vec![FieldError::new(pointer, detail)])
}
