//! What a request must fulfil before the ledger looks for free slots.

use std::ops::RangeInclusive;

use crate::command::{Price, Stay, Terms};
use crate::payment::PAYMENT_METHOD_BYTES_MAX;
use crate::rejection::Rejection;
use crate::slots::{self, Hours};

/// How long a hold may last, in milliseconds: one minute to half an hour.
pub const HOLD_TTL_MS: RangeInclusive<u64> = 60_000..=1_800_000;
/// Most slots of one stay or block.
pub const STAY_SLOTS_MAX: u32 = 365;
/// Most slots after a stay that make its unit ready again.
pub const TURNOVER_SLOTS_MAX: u32 = 30;
/// How far ahead the last night may be, in days: bounds what a ledger can hold.
pub const BOOKING_HORIZON_DAYS: i32 = 731;
/// How far ahead the last hour may be, in hours: a year. Of each the units are counted in
/// memory, so that it bounds a ledger to some hundred KiB.
pub const BOOKING_HORIZON_HOURS: i32 = 366 * 24;
/// Longest name of a caller, in bytes.
pub(super) const CALLER_BYTES_MAX: usize = 128;
/// Longest quote, in bytes; ours have 19.
const QUOTE_BYTES_MAX: usize = 64;
/// Longest stand-in for a document's heads, in bytes; ours have 32.
const HEADS_BYTES_MAX: usize = 64;
/// Longest currency, in bytes; ISO 4217 has three.
const CURRENCY_BYTES_MAX: usize = 8;
/// Somewhere on Earth it is still yesterday by UTC.
const TIME_ZONE_DAYS: i32 = 1;

/// Checks that the guest saw what holds now. Here and not before: a repeated request
/// is answered by its key, whatever the price has become.
pub(super) fn quote(seen: Option<&str>, now: &str) -> Result<(), Rejection> {
    match seen {
        Some(seen) if seen != now => Err(Rejection::QuoteStale {
            quote: now.to_owned(),
        }),
        _ => Ok(()),
    }
}

/// Checks that what is kept of a request has a bounded size.
pub(super) fn sizes(
    caller: &str,
    price: &Price,
    quote: &str,
    heads: &str,
) -> Result<(), Rejection> {
    caller_size(caller)?;
    short("/quote", quote, QUOTE_BYTES_MAX)?;
    short("/quote", heads, HEADS_BYTES_MAX)?;
    short("/price/currency", &price.currency, CURRENCY_BYTES_MAX)
}

pub(super) fn caller_size(caller: &str) -> Result<(), Rejection> {
    short("", caller, CALLER_BYTES_MAX)
}

/// Checks what a guest pays with, as far as the ledger can.
pub(super) fn payment_method(method: &str) -> Result<(), Rejection> {
    short("/payment_method", method, PAYMENT_METHOD_BYTES_MAX)
}

fn short(pointer: &str, text: &str, bytes_max: usize) -> Result<(), Rejection> {
    if text.len() <= bytes_max {
        return Ok(());
    }
    Err(invalid(pointer, format!("at most {bytes_max} bytes")))
}

/// Checks a stay against the listing's terms and the ledger's time.
pub(super) fn stay(stay: &Stay, terms: &Terms, now_ms: u64) -> Result<(), Rejection> {
    interval(stay, now_ms)?;
    let (slots, unit) = (stay.slots(), unit(stay));
    if slots < i64::from(terms.min_stay) {
        let least = terms.min_stay;
        let detail = format!("{slots} {unit}: this listing takes at least {least}");
        return Err(invalid("/check_out", detail));
    }
    if terms.max_stay > 0 && slots > i64::from(terms.max_stay) {
        let most = terms.max_stay;
        let detail = format!("{slots} {unit}: this listing takes at most {most}");
        return Err(invalid("/check_out", detail));
    }
    if stay.guests == 0 || stay.guests > terms.capacity {
        return Err(invalid(
            "/guests",
            format!(
                "{} guests: this listing takes 1 to {}",
                stay.guests, terms.capacity
            ),
        ));
    }
    if terms.units == 0 {
        return Err(invalid("/listing_id", "this listing has no units"));
    }
    if terms.turnover > TURNOVER_SLOTS_MAX {
        let detail = format!("a turnover of more than {TURNOVER_SLOTS_MAX} {unit}");
        return Err(invalid("/listing_id", detail));
    }
    Ok(())
}

const fn unit(stay: &Stay) -> &'static str {
    if stay.hours.is_some() {
        "hours"
    } else {
        "nights"
    }
}

/// The first slot that is not past at an instant: the hour that runs, or a night that may
/// still be to come somewhere on Earth.
pub(super) fn earliest(now_ms: u64, hours: Option<Hours>) -> i32 {
    let now = slots::running_at(now_ms, hours);
    match hours {
        None => now.saturating_sub(TIME_ZONE_DAYS),
        Some(_) => now,
    }
}

/// Checks that an interval is one, not past, not endless and not too far ahead.
pub(super) fn interval(stay: &Stay, now_ms: u64) -> Result<(), Rejection> {
    let unit = unit(stay);
    if stay.hours.is_some_and(|hours| !hours.is_valid()) {
        return Err(invalid("/check_in", "an hour has 60 minutes"));
    }
    if stay.slots() < 1 {
        return Err(invalid("/check_out", "it must be after check_in"));
    }
    if stay.slots() > i64::from(STAY_SLOTS_MAX) {
        let detail = format!("at most {STAY_SLOTS_MAX} {unit} at once");
        return Err(invalid("/check_out", detail));
    }
    if stay.check_in < earliest(now_ms, stay.hours) {
        return Err(invalid("/check_in", "it is in the past"));
    }
    let now = slots::running_at(now_ms, stay.hours);
    let (horizon, unit) = match stay.hours {
        None => (BOOKING_HORIZON_DAYS, "days"),
        Some(_) => (BOOKING_HORIZON_HOURS, unit),
    };
    if stay.check_out > now.saturating_add(horizon) {
        let detail = format!("at most {horizon} {unit} ahead");
        return Err(invalid("/check_out", detail));
    }
    Ok(())
}

/// Checks how long a hold is to last.
pub(super) fn ttl(ttl_ms: u64) -> Result<(), Rejection> {
    if HOLD_TTL_MS.contains(&ttl_ms) {
        return Ok(());
    }
    Err(invalid(
        "/ttl_seconds",
        format!(
            "{} seconds: {} to {} are taken",
            ttl_ms / 1_000,
            HOLD_TTL_MS.start() / 1_000,
            HOLD_TTL_MS.end() / 1_000
        ),
    ))
}

/// A broken rule, with the place in the request's body.
pub(super) fn invalid(pointer: &str, detail: impl Into<String>) -> Rejection {
    Rejection::Validation {
        pointer: pointer.to_owned(),
        detail: detail.into(),
    }
}
