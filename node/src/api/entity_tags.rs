//! Entity tags as requests name them: `If-Match`, `If-None-Match` (RFC 9110, 8.8.3, 13.1).
//!
//! A read is spared if any tag matches weakly: `W/` makes no difference, because a proxy
//! that has compressed an answer weakens its tag. A write asks for a strong match: whoever
//! holds a weak tag does not know every byte of what he is about to overwrite.

use axum::http::header::{IF_MATCH, IF_NONE_MATCH};
use axum::http::{HeaderMap, HeaderName};
use meridian_replication::Precondition;

use super::problem::{Problem, Slug};

/// What a condition names.
#[derive(Debug, PartialEq, Eq)]
enum EntityTags<'a> {
    /// `*`: whatever there is.
    Any,
    /// A list.
    These(Vec<EntityTag<'a>>),
}

#[derive(Debug, PartialEq, Eq)]
struct EntityTag<'a> {
    weak: bool,
    /// With its quotes.
    opaque: &'a str,
}

/// Whether the client has what has this tag. A condition that cannot be read spares
/// nobody: the whole answer is right at any time.
pub(crate) fn has_seen(headers: &HeaderMap, etag: &str) -> bool {
    match EntityTags::named(headers, &IF_NONE_MATCH) {
        Some(EntityTags::Any) => true,
        Some(EntityTags::These(tags)) => tags.iter().any(|tag| tag.opaque == etag),
        None => false,
    }
}

/// What a write wants to be true of the listing.
///
/// # Errors
/// `validation` for a condition that cannot be read: to ignore it would overwrite what the
/// client wanted to keep.
pub(crate) fn precondition(headers: &HeaderMap) -> Result<Precondition, Problem> {
    if !headers.contains_key(IF_MATCH) {
        return Ok(Precondition::None);
    }
    match EntityTags::named(headers, &IF_MATCH) {
        Some(EntityTags::Any) => Ok(Precondition::None),
        Some(EntityTags::These(tags)) => {
            let strong = tags.into_iter().filter(|tag| !tag.weak);
            Ok(Precondition::IfMatch(
                strong.map(|tag| tag.opaque.to_owned()).collect(),
            ))
        }
        None => Err(Problem::new(
            Slug::Validation,
            "If-Match takes entity tags, with their quotes and commas between them, or `*`",
        )),
    }
}

impl<'a> EntityTags<'a> {
    /// Reads all lines of a header; `None` if there is none, or one cannot be read.
    fn named(headers: &'a HeaderMap, name: &HeaderName) -> Option<Self> {
        let mut tags = Vec::new();
        for line in headers.get_all(name) {
            let line = line.to_str().ok()?.trim();
            if line == "*" {
                return Some(Self::Any);
            }
            EntityTag::read_list(line, &mut tags)?;
        }
        (!tags.is_empty()).then_some(Self::These(tags))
    }
}

impl<'a> EntityTag<'a> {
    /// A tag may hold commas, and a list empty places.
    fn read_list(list: &'a str, tags: &mut Vec<Self>) -> Option<()> {
        const BETWEEN: [char; 3] = [',', ' ', '\t'];
        let mut rest = list.trim_start_matches(BETWEEN);
        while !rest.is_empty() {
            let weak = rest.strip_prefix("W/");
            let from = weak.unwrap_or(rest);
            let length = from.strip_prefix('"')?.find('"')? + 2;
            let (opaque, after) = from.split_at(length);
            rest = after.trim_start_matches(BETWEEN);
            let parted = after.trim_start_matches([' ', '\t']).starts_with(',');
            if opaque.contains([' ', '\t']) || !(rest.is_empty() || parted) {
                return None;
            }
            tags.push(Self {
                weak: weak.is_some(),
                opaque,
            });
        }
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use axum::http::header::{IF_MATCH, IF_NONE_MATCH};
    use axum::http::{HeaderMap, HeaderName, HeaderValue};
    use meridian_replication::Precondition;

    use super::{has_seen, precondition};

    const ETAG: &str = "\"a1\"";

    fn asked(name: &HeaderName, lines: &[&str]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for line in lines {
            let line = HeaderValue::from_str(line).expect("a header value");
            headers.append(name, line);
        }
        headers
    }

    #[test]
    fn read_is_spared_by_any_tag_weak_or_strong_of_any_line() {
        let matching: [&[&str]; 8] = [
            &["\"a1\""],
            &["W/\"a1\""],
            &["*"],
            &["\"b\", \"a1\""],
            &["\"b\",W/\"a1\" , \"c\""],
            &[",, \"a1\","],
            &["\"with,comma\", \"a1\""],
            &["\"b\"", "\"a1\""],
        ];
        for lines in matching {
            assert!(has_seen(&asked(&IF_NONE_MATCH, lines), ETAG), "{lines:?}");
        }
        let others: [&[&str]; 9] = [
            &[],
            &["\"b\""],
            &["\"b,\"a1\"\""],
            &["a1"],
            &["w/\"a1\""],
            &["\"a1"],
            &["\"a1\" \"b\""],
            &["\"x, \\\"a1\\\"\""],
            &["\"b\", *"],
        ];
        for lines in others {
            assert!(!has_seen(&asked(&IF_NONE_MATCH, lines), ETAG), "{lines:?}");
        }
    }

    #[test]
    fn write_goes_by_strong_tags_alone() {
        let wants = |lines: &[&str]| precondition(&asked(&IF_MATCH, lines));
        let tags = |tags: &[&str]| {
            Some(Precondition::IfMatch(
                tags.iter().map(ToString::to_string).collect(),
            ))
        };
        assert_eq!(wants(&[]).ok(), Some(Precondition::None));
        assert_eq!(wants(&["*"]).ok(), Some(Precondition::None));
        assert_eq!(wants(&["\"a1\""]).ok(), tags(&["\"a1\""]));
        assert_eq!(
            wants(&["\"b\", W/\"a1\"", "\"c\""]).ok(),
            tags(&["\"b\"", "\"c\""])
        );
        // Weak tags alone match nothing, and never everything.
        assert_eq!(wants(&["W/\"a1\""]).ok(), tags(&[]));
        for line in ["", "a1", "\"a1", "\"a1\" \"b\"", "\"b\", *", "**"] {
            assert!(wants(&[line]).is_err(), "{line}");
        }
    }
}
