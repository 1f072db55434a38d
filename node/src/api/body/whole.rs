//! Whole numbers that are written with a fraction or an exponent, as `460.0` or `4.6e2`.
//!
//! JSON knows numbers and no integers, and JSON Schema counts 460.0 among these (Validation
//! 2020-12, section 6.1.1), while our reader tells them apart by how they are written. So they
//! are written anew before anybody reads them: `460.0` as `460`, with spaces in place of what
//! is left out, so that the places that messages name stay. What has a fraction, or is beyond
//! 64 bits, stays as it is, for its reader to take or to refuse.
//!
//! Invariant kept here: every number has the value that it had, to the last digit, and what is
//! no JSON does not become any.

use std::borrow::Cow;
use std::iter::repeat_n;

/// Most digits of a number of 64 bits.
const DIGITS_MAX: usize = 20;

/// A text whose whole numbers are written as such.
pub(super) fn rewritten(text: &[u8]) -> Cow<'_, [u8]> {
    let mut written = Vec::new();
    let (mut copied, mut at) = (0, 0);
    while let Some(byte) = text.get(at) {
        let end = match byte {
            b'"' => after_string(text, at),
            b'-' | b'0'..=b'9' => after_number(text, at),
            _ => at + 1,
        };
        let token = &text[at..end];
        if *byte != b'"'
            && let Some(whole) = whole(token)
        {
            written.extend_from_slice(&text[copied..at]);
            written.extend_from_slice(whole.as_bytes());
            written.extend(repeat_n(b' ', token.len().saturating_sub(whole.len())));
            copied = end;
        }
        at = end;
    }
    if copied == 0 {
        return Cow::Borrowed(text);
    }
    written.extend_from_slice(&text[copied..]);
    Cow::Owned(written)
}

/// The end of a string that begins there, or of the text.
fn after_string(text: &[u8], begin: usize) -> usize {
    let mut at = begin + 1;
    while let Some(byte) = text.get(at) {
        match byte {
            b'"' => return at + 1,
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
    text.len()
}

/// The end of everything that could belong to a number that begins there.
fn after_number(text: &[u8], begin: usize) -> usize {
    let belongs = |byte: &u8| matches!(byte, b'0'..=b'9' | b'+' | b'-' | b'.' | b'e' | b'E');
    let rest = text[begin..].iter().position(|byte| !belongs(byte));
    rest.map_or(text.len(), |length| begin + length)
}

/// A number of JSON that is whole and of 64 bits, as an integer is written; `None` for what is
/// written so already, and for everything else.
fn whole(token: &[u8]) -> Option<String> {
    let token = std::str::from_utf8(token).ok()?;
    let (sign, number) = match token.strip_prefix('-') {
        Some(number) => ("-", number),
        None => ("", token),
    };
    let (mantissa, exponent) = match number.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent)),
        None => (number, None),
    };
    let (before, after) = match mantissa.split_once('.') {
        Some((before, after)) if is_digits(after) => (before, after),
        Some(_) => return None,
        None => (mantissa, ""),
    };
    let begins_well = before == "0" || !before.starts_with('0');
    if !is_digits(before) || !begins_well || (after.is_empty() && exponent.is_none()) {
        return None;
    }
    let exponent = exponent.map_or(Some(0), power)?;
    let digits: String = [before, after].concat();
    let significant = digits.trim_start_matches('0');
    if significant.is_empty() {
        return Some("0".to_owned());
    }
    // Where the point stands among the significant digits.
    let leading = i64::try_from(digits.len() - significant.len()).ok()?;
    let point = i64::try_from(before.len()).ok()? + exponent - leading;
    let point = usize::try_from(point).ok().filter(|it| *it <= DIGITS_MAX)?;
    let (kept, rest) = significant.split_at(point.min(significant.len()));
    if rest.bytes().any(|digit| digit != b'0') {
        return None;
    }
    let zeros = "0".repeat(point - kept.len());
    let whole = format!("{sign}{kept}{zeros}");
    let fits = whole.parse::<u64>().is_ok() || whole.parse::<i64>().is_ok();
    fits.then_some(whole)
}

fn is_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// An exponent of JSON. One that is longer than 32 bits is far beyond every integer.
fn power(text: &str) -> Option<i64> {
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    let power = is_digits(digits).then(|| digits.parse::<i32>().ok())??;
    let power = i64::from(power);
    Some(if text.starts_with('-') { -power } else { power })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::Value;

    use super::rewritten;

    fn of(text: &str) -> String {
        String::from_utf8(rewritten(text.as_bytes()).into_owned()).expect("text")
    }

    #[test]
    fn whole_numbers_are_written_as_integers_in_the_same_place() {
        for (text, expected) in [
            (r#"{"a":460.0,"b":1}"#, r#"{"a":460  ,"b":1}"#),
            ("[4.6e2]", "[460  ]"),
            ("[4.6E+2, 46000e-2]", "[460   , 460     ]"),
            ("[-3.0]", "[-3  ]"),
            ("[-0.0, 0e9, 0.0e-7]", "[0   , 0  , 0     ]"),
            ("1e3", "1000"),
            ("[18446744073709551615.0]", "[18446744073709551615  ]"),
            ("[-9223372036854775808.0]", "[-9223372036854775808  ]"),
            // Not to be told from its neighbour as a floating point number.
            ("[9007199254740993.0]", "[9007199254740993  ]"),
            (
                "[0.000000000000000000000001e24]",
                "[1                            ]",
            ),
        ] {
            assert_eq!(of(text), expected, "{text}");
        }
    }

    #[test]
    fn fractions_what_is_too_large_and_what_is_no_number_stay_as_they_are() {
        for text in [
            r#"{"a":460.5}"#,
            "[1e-1]",
            "[1e400]",
            "[1e99999999999999999999]",
            "[1e2147483647]",
            "[18446744073709551616.0]",
            "[-9223372036854775809.0]",
            // No JSON, and none afterwards.
            "[1.]",
            "[01.0]",
            "[.0]",
            "[1.0.0]",
            "[1e]",
            "[1e+]",
            "[--1.0]",
            "[1.0e1.0]",
            // Strings are no numbers.
            r#"{"1.0":"2.0 \" 3.0"}"#,
            r#"["1.0"#,
            r#"["\"#,
        ] {
            assert_eq!(of(text), text);
        }
    }

    /// A number as somebody may write it.
    fn number() -> impl Strategy<Value = String> {
        let exponent = prop_oneof![Just(String::new()), "[eE][+-]?[0-9]{1,2}"];
        ("-?(0|[1-9][0-9]{0,20})", "(\\.[0-9]{1,20})?", exponent)
            .prop_map(|(whole, fraction, exponent)| whole + &fraction + &exponent)
    }

    proptest! {
        #[test]
        fn every_number_keeps_its_value(numbers in prop::collection::vec(number(), 1..6)) {
            let text = format!("[{}]", numbers.join(" ,"));
            let before: Vec<f64> = serde_json::from_str(&text).expect("numbers");
            let again = of(&text);
            let after: Vec<Value> = serde_json::from_str(&again).expect("numbers");
            for (number, (before, after)) in numbers.iter().zip(before.iter().zip(&after)) {
                let value = after.as_f64().expect("a number");
                // Reading a text of many digits may lose the last bit.
                let is_near = (value - before).abs() <= before.abs() * 1e-15;
                prop_assert!(is_near, "{number}: {after}");
                // A fraction that is lost in 53 bits is a fraction still.
                if before.fract() != 0.0 {
                    prop_assert!(after.is_f64(), "{number}: {after}");
                }
            }
        }

        #[test]
        fn what_is_no_json_does_not_become_any(text in "[-+.eE0-9 ,\\[\\]\"\\\\]{0,24}") {
            let before = serde_json::from_str::<Value>(&text).is_ok();
            let after = serde_json::from_str::<Value>(&of(&text)).is_ok();
            prop_assert_eq!(before, after);
        }
    }
}
