//! How figures and texts are written.

use maud::{Markup, html};

use super::super::axis::SECOND_US;
use crate::judge::Verdict;

/// Characters of a name: of a scenario, a region, a fault, a code.
pub(super) const NAME_CHARS_MAX: usize = 80;

/// Characters of a sentence: what was seen, what was answered.
pub(super) const SENTENCE_CHARS_MAX: usize = 600;

/// Text of a history: cut at so many characters, and without those that would move or hide
/// what stands beside them.
pub(super) fn text(text: &str, chars_max: usize) -> String {
    let shown = |letter: char| {
        let is_unseen = letter.is_control()
            || matches!(letter, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
                | '\u{2060}'..='\u{2069}' | '\u{feff}');
        if is_unseen { '\u{fffd}' } else { letter }
    };
    let mut letters = text.chars();
    let mut cut: String = letters.by_ref().take(chars_max).map(shown).collect();
    if letters.next().is_some() {
        cut.push('…');
    }
    cut
}

/// A verdict, as a word.
pub(super) const fn word(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Pass => "Pass",
        Verdict::Undecided => "Undecided",
        Verdict::Invalid => "Invalid",
        Verdict::Fail => "Fail",
    }
}

/// A verdict, as a class of the style sheet.
pub(super) const fn class(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Pass => "pass",
        Verdict::Undecided => "undecided",
        Verdict::Invalid => "invalid",
        Verdict::Fail => "fail",
    }
}

/// A verdict's sign: told apart by its shape, not by its colour alone.
pub(super) fn sign(verdict: Verdict) -> Markup {
    let path = match verdict {
        Verdict::Pass => "M4 8.5l2.8 2.8L12 5.5",
        Verdict::Undecided => "M6 6a2 2 0 1 1 2.7 1.9q-.7.3-.7 1.2M8 11.6v.1",
        Verdict::Invalid => "M4.5 8h7",
        Verdict::Fail => "M5 5l6 6M11 5l-6 6",
    };
    html! {
        svg.sign viewBox="0 0 16 16" aria-hidden="true" {
            circle cx="8" cy="8" r="7.2" {}
            path d=(path) {}
        }
    }
}

/// A count that stands in the JSON at `pointer` (RFC 6901).
pub(super) fn count(pointer: &str, value: impl TryInto<u64>) -> Markup {
    let value = value.try_into().unwrap_or(u64::MAX);
    html! { data value=(value) data-figure=(pointer) { (thousands(value)) } }
}

/// A length of time that stands in the JSON at `pointer`, in microseconds.
pub(super) fn length(pointer: &str, value_us: u64) -> Markup {
    html! { data value=(value_us) data-figure=(pointer) { (duration(value_us)) } }
}

/// `1,204`
pub(super) fn thousands(value: u64) -> String {
    let digits = value.to_string();
    let mut written = String::with_capacity(digits.len() + digits.len() / 3);
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            written.push(',');
        }
        written.push(digit);
    }
    written
}

/// `840 µs`, `12.3 ms`, `1.24 s`, `2 min 5 s`, `1 h 0 min`: three digits, and no noughts
/// behind the point.
pub(super) fn duration(us: u64) -> String {
    match us {
        0 => "0 s".to_owned(),
        1..1_000 => format!("{us} µs"),
        1_000..100_000 => format!("{} ms", trimmed(us as f64 / 1e3, 1)),
        100_000..SECOND_US => format!("{} ms", us / 1_000),
        SECOND_US..10_000_000 => format!("{} s", trimmed(us as f64 / 1e6, 2)),
        10_000_000..60_000_000 => format!("{} s", trimmed(us as f64 / 1e6, 1)),
        60_000_000..3_600_000_000 => {
            let seconds = us / SECOND_US;
            format!("{} min {} s", seconds / 60, seconds % 60)
        }
        _ => {
            let minutes = us / SECOND_US / 60;
            format!("{} h {} min", minutes / 60, minutes % 60)
        }
    }
}

fn trimmed(value: f64, places: usize) -> String {
    let written = format!("{value:.places$}");
    let short = written.trim_end_matches('0').trim_end_matches('.');
    short.to_owned()
}

/// `1:05`, `2:01:05`: a moment of the run, to the second.
pub(super) fn clock(us: u64) -> String {
    let seconds = us / SECOND_US;
    let (hours, minutes, seconds) = (seconds / 3_600, seconds / 60 % 60, seconds % 60);
    if hours > 0 {
        format!("{hours}:{minutes:02}:{seconds:02}")
    } else {
        format!("{minutes}:{seconds:02}")
    }
}

/// `1:05.042`: a moment of the run, to the millisecond.
pub(super) fn moment(us: u64) -> String {
    format!("{}.{:03}", clock(us), us % SECOND_US / 1_000)
}

/// `12.345`: milliseconds, with nothing lost.
pub(super) fn millis(us: u64) -> String {
    format!("{}.{:03}", us / 1_000, us % 1_000)
}

/// `1 call`, `2 calls`.
pub(super) fn plural(count: u64, one: &str, many: &str) -> String {
    format!(
        "{} {}",
        thousands(count),
        if count == 1 { one } else { many }
    )
}

/// Says how much of a list is not on the page.
pub(super) fn left_out(count: usize, what: &str) -> Markup {
    html! {
        @if count > 0 {
            p.note { "Further " (what) ", not shown here: " (thousands(count as u64)) ". The JSON has all." }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{clock, duration, millis, moment, text, thousands};

    #[test]
    fn figures_are_written_for_people() {
        assert_eq!(thousands(1_234_567), "1,234,567");
        assert_eq!(thousands(123), "123");
        assert_eq!(duration(999), "999 µs");
        assert_eq!(duration(12_340), "12.3 ms");
        assert_eq!(duration(1_000_000), "1 s");
        assert_eq!(duration(20_000), "20 ms");
        assert_eq!(duration(125_000_000), "2 min 5 s");
        assert_eq!(clock(3_665_000_000), "1:01:05");
        assert_eq!(moment(65_042_900), "1:05.042");
        assert_eq!(millis(12_045), "12.045");
    }

    #[test]
    fn text_is_cut_and_hides_nothing() {
        assert_eq!(text("grüße", 3), "grü…");
        assert_eq!(text("grüße", 5), "grüße");
        assert_eq!(text("a\u{202e}b\nc\0", 9), "a\u{fffd}b\u{fffd}c\u{fffd}");
    }
}
