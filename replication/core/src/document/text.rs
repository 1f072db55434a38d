//! The description: a text that people edit together.

use std::ops::Range;

use automerge::ReadDoc;
use automerge::transaction::Transactable;

use super::genesis::Container;
use super::write::{EditError, Writer};
use crate::limits::TEXT_DIFF_CHARS_MAX;

/// Makes the description `text` with few insertions and deletions, so that
/// concurrent edits of other passages survive.
pub(super) fn replace(writer: &mut Writer<'_>, text: &str) -> Result<(), EditError> {
    let description = Container::Description.id();
    let old = writer.document().text(&description)?;
    let Some(difference) = Difference::between(&old, text) else {
        return Ok(());
    };
    if difference.chars() > TEXT_DIFF_CHARS_MAX {
        return splice(
            writer,
            difference.at,
            difference.deleted,
            &text[difference.inserted],
        );
    }
    writer.document().update_text(&description, text)?;
    Ok(())
}

/// Deletes and inserts at a place that is known to be within the text.
pub(super) fn splice(
    writer: &mut Writer<'_>,
    at: usize,
    delete: usize,
    insert: &str,
) -> Result<(), EditError> {
    let delete = isize::try_from(delete).map_err(|_| EditError::TooLarge)?;
    let description = Container::Description.id();
    writer
        .document()
        .splice_text(description, at, delete, insert)?;
    Ok(())
}

/// What two texts differ in, between their common beginning and end.
struct Difference {
    /// Characters of the common beginning.
    at: usize,
    /// Characters of the old text that are not in the new one.
    deleted: usize,
    /// Bytes of the new text that are not in the old one.
    inserted: Range<usize>,
    inserted_chars: usize,
}

impl Difference {
    fn between(old: &str, new: &str) -> Option<Self> {
        if old == new {
            return None;
        }
        let same = |(left, right): &(char, char)| left == right;
        let prefix: Vec<char> = old
            .chars()
            .zip(new.chars())
            .take_while(same)
            .map(|(char, _)| char)
            .collect();
        let start = prefix.iter().map(|char| char.len_utf8()).sum();
        let (old_rest, new_rest) = (&old[start..], &new[start..]);
        let suffix: usize = old_rest
            .chars()
            .rev()
            .zip(new_rest.chars().rev())
            .take_while(same)
            .map(|(char, _)| char.len_utf8())
            .sum();
        let inserted = start..new.len() - suffix;
        Some(Self {
            at: prefix.len(),
            deleted: old_rest[..old_rest.len() - suffix].chars().count(),
            inserted_chars: new[inserted.clone()].chars().count(),
            inserted,
        })
    }

    const fn chars(&self) -> usize {
        self.deleted + self.inserted_chars
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{prop_assert_eq, proptest};

    use super::Difference;

    proptest! {
        #[test]
        fn difference_turns_the_old_text_into_the_new(old in "[aäb]{0,8}", new in "[aäb]{0,8}") {
            let mut chars: Vec<char> = old.chars().collect();
            if let Some(difference) = Difference::between(&old, &new) {
                let end = difference.at + difference.deleted;
                chars.splice(difference.at..end, new[difference.inserted].chars());
            }
            prop_assert_eq!(chars.into_iter().collect::<String>(), new);
        }
    }
}
