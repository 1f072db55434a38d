//! What a request must fulfil before the ledger looks for free nights.

use std::ops::RangeInclusive;

use crate::command::{Price, Stay, Terms};
use crate::day;
use crate::payment::PAYMENT_METHOD_BYTES_MAX;
use crate::rejection::Rejection;

/// How long a hold may last, in milliseconds: one minute to half an hour.
pub const HOLD_TTL_MS: RangeInclusive<u64> = 60_000..=1_800_000;
/// Most nights of one stay or block.
pub const STAY_NIGHTS_MAX: u32 = 365;
/// How far ahead the last night may be, in days: bounds what a ledger can hold.
pub const BOOKING_HORIZON_DAYS: i32 = 731;
/// Longest name of a caller, in bytes.
pub(super) const CALLER_BYTES_MAX: usize = 128;
/// Longest quote, in bytes; ours have 19.
const QUOTE_BYTES_MAX: usize = 64;
/// Longest currency, in bytes; ISO 4217 has three.
const CURRENCY_BYTES_MAX: usize = 8;
/// Somewhere on Earth it is still yesterday by UTC.
pub(super) const TIME_ZONE_DAYS: i32 = 1;

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
pub(super) fn sizes(caller: &str, price: &Price, quote: &str) -> Result<(), Rejection> {
    caller_size(caller)?;
    short("/quote", quote, QUOTE_BYTES_MAX)?;
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
    let nights = stay.nights();
    if nights < i64::from(terms.min_stay) {
        return Err(invalid(
            "/check_out",
            format!(
                "{nights} nights: this listing takes at least {}",
                terms.min_stay
            ),
        ));
    }
    if terms.max_stay > 0 && nights > i64::from(terms.max_stay) {
        return Err(invalid(
            "/check_out",
            format!(
                "{nights} nights: this listing takes at most {}",
                terms.max_stay
            ),
        ));
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
    Ok(())
}

/// Checks that an interval is one, not past, not endless and not too far ahead.
pub(super) fn interval(stay: &Stay, now_ms: u64) -> Result<(), Rejection> {
    if stay.nights() < 1 {
        return Err(invalid("/check_out", "it must be after check_in"));
    }
    if stay.nights() > i64::from(STAY_NIGHTS_MAX) {
        return Err(invalid(
            "/check_out",
            format!("at most {STAY_NIGHTS_MAX} nights at once"),
        ));
    }
    let today = day::of_instant(now_ms);
    if stay.check_in < today.saturating_sub(TIME_ZONE_DAYS) {
        return Err(invalid("/check_in", "it is in the past"));
    }
    if stay.check_out > today.saturating_add(BOOKING_HORIZON_DAYS) {
        return Err(invalid(
            "/check_out",
            format!("at most {BOOKING_HORIZON_DAYS} days ahead"),
        ));
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
