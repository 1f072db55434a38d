//! The rules for single values of a listing, shared by drafts, patches and edits.
//!
//! Each adds what it finds to the findings; none of them changes a value. Rules
//! between fields stand with those who know the other field.

use std::collections::BTreeSet;
use std::fmt::Display;
use std::ops::RangeInclusive;

use crate::field_error::Findings;
use crate::limits::{
    AMENITIES_MAX, AMENITY_CHARS_MAX, DESCRIPTION_CHARS_MAX, HOUSE_RULES_CHARS_MAX, NAME_CHARS_MAX,
    PHOTO_URL_BYTES_MAX, PHOTOS_MAX, PRICE_AMOUNT_MAX, TIME_ZONE_BYTES_MAX, TITLE_CHARS_MAX,
};

/// Whether a text may have more than one line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Lines {
    /// No control characters at all.
    One,
    /// Line breaks and tabs.
    Many,
}

/// A text of a bounded number of characters.
pub(crate) fn text(
    findings: &mut Findings,
    pointer: &str,
    value: &str,
    chars: RangeInclusive<usize>,
    lines: Lines,
) {
    let count = value.chars().count();
    if !chars.contains(&count) {
        let (min, max) = (chars.start(), chars.end());
        findings.add(
            pointer,
            format!("{count} characters: use {min} to {max} characters"),
        );
    }
    if let Some(refused) = value.chars().find(|&char| is_refused(char, lines)) {
        findings.add(
            pointer,
            format!(
                "the control character U+{:04X} is not allowed",
                refused as u32
            ),
        );
    }
}

fn is_refused(char: char, lines: Lines) -> bool {
    char.is_control() && !(lines == Lines::Many && matches!(char, '\n' | '\r' | '\t'))
}

/// The title: a line with something to read in it.
pub(crate) fn title(findings: &mut Findings, value: &str) {
    text(findings, "/title", value, 1..=TITLE_CHARS_MAX, Lines::One);
    if !value.is_empty() && value.trim().is_empty() {
        findings.add("/title", "only white space: write a title");
    }
}

/// The description.
pub(crate) fn description(findings: &mut Findings, value: &str) {
    text(
        findings,
        "/description",
        value,
        0..=DESCRIPTION_CHARS_MAX,
        Lines::Many,
    );
}

/// The house rules.
pub(crate) fn house_rules(findings: &mut Findings, value: &str) {
    text(
        findings,
        "/house_rules",
        value,
        0..=HOUSE_RULES_CHARS_MAX,
        Lines::Many,
    );
}

/// A name of a place or kind: one line, not empty.
pub(crate) fn name(findings: &mut Findings, pointer: &str, value: &str) {
    text(findings, pointer, value, 1..=NAME_CHARS_MAX, Lines::One);
}

/// A number within a range.
pub(crate) fn range<T: PartialOrd + Display>(
    findings: &mut Findings,
    pointer: &str,
    value: T,
    range: RangeInclusive<T>,
) {
    if !range.contains(&value) {
        let (min, max) = (range.start(), range.end());
        findings.add(
            pointer,
            format!("{value} is out of range: use {min} to {max}"),
        );
    }
}

/// The amount of a price.
pub(crate) fn amount(findings: &mut Findings, value: u64) {
    range(
        findings,
        "/nightly_price/amount",
        value,
        0..=PRICE_AMOUNT_MAX,
    );
}

/// An IANA time zone by its form; whether it is in use is for the calendar to say.
pub(crate) fn time_zone(findings: &mut Findings, value: &str) {
    let in_grammar = |byte: u8| byte.is_ascii_alphanumeric() || b"/_+-".contains(&byte);
    let fits = (1..=TIME_ZONE_BYTES_MAX).contains(&value.len());
    if !fits || !value.bytes().all(in_grammar) {
        findings.add(
            "/location/time_zone",
            "use the IANA name of a time zone, as in `Europe/Oslo`",
        );
    }
}

/// One amenity.
pub(crate) fn amenity(findings: &mut Findings, pointer: &str, value: &str) {
    text(findings, pointer, value, 1..=AMENITY_CHARS_MAX, Lines::One);
    if value.trim() != value {
        findings.add(pointer, "white space at an end: an amenity is a plain name");
    }
}

/// The whole set of amenities. One named twice counts once.
pub(crate) fn amenities(findings: &mut Findings, values: &[String]) {
    let distinct: BTreeSet<&String> = values.iter().collect();
    if distinct.len() > AMENITIES_MAX {
        findings.add(
            "/amenities",
            format!("{} amenities: use at most {AMENITIES_MAX}", distinct.len()),
        );
    }
    // Every one of them: only distinct ones are counted.
    for (index, value) in values.iter().enumerate() {
        amenity(findings, &format!("/amenities/{index}"), value);
    }
}

/// One photo: an absolute URL that a browser can fetch.
pub(crate) fn photo(findings: &mut Findings, pointer: &str, value: &str) {
    let rest = value
        .strip_prefix("https://")
        .or_else(|| value.strip_prefix("http://"));
    let visible = value.bytes().all(|byte| byte.is_ascii_graphic());
    if rest.is_none_or(str::is_empty) || !visible || value.len() > PHOTO_URL_BYTES_MAX {
        findings.add(
            pointer,
            format!("use an absolute http or https URL of at most {PHOTO_URL_BYTES_MAX} bytes"),
        );
    }
}

/// The photos in their order, each once.
pub(crate) fn photos(findings: &mut Findings, values: &[String]) {
    if values.len() > PHOTOS_MAX {
        findings.add(
            "/photos",
            format!("{} photos: use at most {PHOTOS_MAX}", values.len()),
        );
    }
    let mut seen = BTreeSet::new();
    for (index, value) in values.iter().enumerate().take(PHOTOS_MAX) {
        let pointer = format!("/photos/{index}");
        photo(findings, &pointer, value);
        if !seen.insert(value) {
            findings.add(pointer, "this photo is in the list already");
        }
    }
}

/// The shortest and longest stay together.
pub(crate) fn stays(findings: &mut Findings, min_stay: u32, max_stay: u32) {
    if min_stay > max_stay {
        findings.add(
            "/min_stay",
            format!("min_stay {min_stay} is above max_stay {max_stay}"),
        );
    }
}
