//! Webhooks on the receiving side: is this delivery ours, and of now?
//!
//! A delivery is a CloudEvent in structured mode (`application/cloudevents+json`). Its header
//! `Meridian-Signature` is `t=<seconds since 1970>,v1=<hex>`, where `v1` is the HMAC-SHA256 of
//! `<t>.<body>` under the endpoint's secret, all of it as bytes. Verify the body as it came,
//! before it is parsed; then pass over ids that you have seen: events come at least once.
//!
//! ```
//! use std::time::Duration;
//! use meridian_client::webhook;
//!
//! let (secret, body) = ("whsec_abc", br#"{"id":"evt_1"}"#);
//! let header = webhook::sign(secret, 1_800_000_000, body);
//! let verified = webhook::verify(secret, &header, body, 1_800_000_010, Duration::from_secs(300));
//! assert_eq!(verified, Ok(()));
//! ```

use std::fmt::Write;
use std::time::Duration;

use ring::hmac::{HMAC_SHA256, Key};

/// The header that carries the signature.
pub const SIGNATURE_HEADER: &str = "Meridian-Signature";
/// How old a delivery may be, as a rule: clocks differ, and a recorded one is of no use later.
pub const TOLERANCE: Duration = Duration::from_secs(300);
/// Bytes of an HMAC-SHA256.
const TAG_BYTES: usize = 32;
/// Signatures that are looked at in one header: more than a change of secrets needs.
const SIGNATURES_MAX: usize = 8;

/// Why a delivery is not believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SignatureError {
    /// The header is not of the form that it has.
    #[error("the signature header is not `t=<seconds>,v1=<hex>`")]
    Malformed,
    /// Signed too long ago, or too far ahead.
    #[error("the delivery was signed too long ago, or by a clock that is ahead")]
    OutOfTime,
    /// Signed with another secret, or changed on the way.
    #[error("the signature is not of this body under this secret")]
    Mismatch,
}

/// The header of a delivery: what Meridian sends, and tests of receivers.
#[must_use]
pub fn sign(secret: &str, timestamp: u64, body: &[u8]) -> String {
    let tag = ring::hmac::sign(&key(secret), &signed(timestamp, body));
    let mut header = format!("t={timestamp},v1=");
    for byte in tag.as_ref() {
        // Writing to a string does not fail.
        let _ = write!(header, "{byte:02x}");
    }
    header
}

/// Whether a delivery was signed with this secret, at most `tolerance` from `now` (seconds since
/// 1970). Takes as long for a wrong signature as for a right one.
///
/// # Errors
/// [`SignatureError`]: answer such a delivery with 400, and do nothing of what it says.
pub fn verify(
    secret: &str,
    header: &str,
    body: &[u8],
    now: u64,
    tolerance: Duration,
) -> Result<(), SignatureError> {
    let mut timestamp = None;
    let mut tags = Vec::new();
    for part in header.split(',') {
        match part.trim().split_once('=') {
            Some(("t", seconds)) => timestamp = seconds.parse::<u64>().ok(),
            Some(("v1", hex)) if tags.len() < SIGNATURES_MAX => tags.extend(bytes(hex)),
            // Of a later version.
            _ => {}
        }
    }
    let timestamp = timestamp.ok_or(SignatureError::Malformed)?;
    if tags.is_empty() {
        return Err(SignatureError::Malformed);
    }
    if timestamp.abs_diff(now) > tolerance.as_secs() {
        return Err(SignatureError::OutOfTime);
    }
    let (key, signed) = (key(secret), signed(timestamp, body));
    let is_ours = |tag: &[u8; TAG_BYTES]| ring::hmac::verify(&key, &signed, tag).is_ok();
    if tags.iter().any(is_ours) {
        Ok(())
    } else {
        Err(SignatureError::Mismatch)
    }
}

fn key(secret: &str) -> Key {
    Key::new(HMAC_SHA256, secret.as_bytes())
}

fn signed(timestamp: u64, body: &[u8]) -> Vec<u8> {
    let mut signed = format!("{timestamp}.").into_bytes();
    signed.extend_from_slice(body);
    signed
}

fn bytes(hex: &str) -> Option<[u8; TAG_BYTES]> {
    let mut bytes = [0; TAG_BYTES];
    if hex.len() != TAG_BYTES * 2 {
        return None;
    }
    for (byte, pair) in bytes.iter_mut().zip(hex.as_bytes().chunks(2)) {
        let pair = std::str::from_utf8(pair).ok()?;
        if pair.starts_with('+') {
            return None;
        }
        *byte = u8::from_str_radix(pair, 16).ok()?;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::{SignatureError, TOLERANCE, sign, verify};

    const BODY: &[u8] = b"{\"id\":\"evt_1\"}";

    /// Computed by another program: `printf '1800000000.{"id":"evt_1"}' | openssl dgst -sha256
    /// -hmac whsec_abc`.
    const HEADER: &str =
        "t=1800000000,v1=545c385abfaa5a34bc2bd44618f06cd36a79b6c821c5df99b55519558f17ee77";

    #[test]
    fn signature_is_what_others_compute() {
        assert_eq!(sign("whsec_abc", 1_800_000_000, BODY), HEADER);
    }

    #[test]
    fn delivery_is_believed_only_as_it_was_signed_and_when() {
        let at = |now: u64| verify("whsec_abc", HEADER, BODY, now, TOLERANCE);
        assert_eq!(at(1_800_000_300), Ok(()));
        assert_eq!(at(1_799_999_700), Ok(()));
        assert_eq!(at(1_800_000_301), Err(SignatureError::OutOfTime));
        let now = 1_800_000_000;
        let other = verify("whsec_other", HEADER, BODY, now, TOLERANCE);
        assert_eq!(other, Err(SignatureError::Mismatch));
        let changed = verify("whsec_abc", HEADER, b"{\"id\":\"evt_2\"}", now, TOLERANCE);
        assert_eq!(changed, Err(SignatureError::Mismatch));
        // Another time under the same signature.
        let later = HEADER.replace("t=1800000000", "t=1800000200");
        let later = verify("whsec_abc", &later, BODY, now, TOLERANCE);
        assert_eq!(later, Err(SignatureError::Mismatch));
    }

    #[test]
    fn one_of_several_signatures_is_enough_and_what_is_none_is_malformed() {
        let two = HEADER.replace(",v1=", &format!(",v1={},v1=", "00".repeat(32)));
        let verified = verify("whsec_abc", &two, BODY, 1_800_000_000, TOLERANCE);
        assert_eq!(verified, Ok(()));
        for bad in [
            "",
            "t=1800000000",
            "v1=00",
            "t=x,v1=zz",
            "t=1800000000,v1=é",
        ] {
            let verified = verify("whsec_abc", bad, BODY, 1_800_000_000, TOLERANCE);
            assert_eq!(verified, Err(SignatureError::Malformed), "{bad}");
        }
    }
}
