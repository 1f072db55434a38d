//! The description: a text that people edit together, or replace.
//!
//! Splices are merged character by character, with a replacement too: what it keeps of the
//! text is the same characters. Two replacements at the same time would be merged into a
//! text that nobody wrote. So a replacement also writes a register, and where two of them
//! stand there, the text is shown without the loser and what was written upon it. Whoever
//! edits the description then goes on from what is shown, and ends the conflict.

use std::collections::BTreeSet;
use std::ops::Range;

use automerge::transaction::Transactable;
use automerge::{Automerge, ChangeHash, ReadDoc};

use super::genesis::Container;
use super::register::Register;
use super::standing::{self, Written};
use super::write::{EditError, Writer, instant};
use crate::limits::TEXT_DIFF_CHARS_MAX;

/// One of several replacements of the description, with the splices upon it.
pub(super) struct Version {
    pub(super) text: String,
    pub(super) written: Written,
}

/// The description as it is shown; `is_disputed` says whether several stand in the register of
/// its replacements.
pub(super) fn shown(document: &Automerge, is_disputed: bool) -> String {
    let chosen = is_disputed.then(|| disputed(document)).flatten();
    chosen.unwrap_or_else(|| {
        let merged = document.text(Container::Description.id());
        merged.unwrap_or_default()
    })
}

/// The description as it is shown, where several have replaced it at the same time.
pub(super) fn disputed(document: &Automerge) -> Option<String> {
    versions(document).pop().map(|version| version.text)
}

/// The replacements that stand, the one that is shown last. Empty unless there are several.
pub(super) fn versions(document: &Automerge) -> Vec<Version> {
    if !standing::is_disputed(document, Register::Rewritten) {
        return Vec::new();
    }
    let standing = standing::of(document, Register::Rewritten);
    let changes: Vec<ChangeHash> = standing
        .iter()
        .filter_map(|one| one.written.change)
        .collect();
    let version = |written: Written| {
        let rivals = rivals(document, written.change?, changes.clone());
        let heads = heads_without(document, rivals);
        let text = document.text_at(Container::Description.id(), &heads).ok()?;
        Some(Version { text, written })
    };
    let standing = standing.into_iter().map(|one| one.written);
    standing.filter_map(version).collect()
}

/// Of some replacements and those before them, the ones that a replacement has not seen.
fn rivals(
    document: &Automerge,
    replacement: ChangeHash,
    mut others: Vec<ChangeHash>,
) -> BTreeSet<ChangeHash> {
    let unseen: BTreeSet<ChangeHash> = document
        .get_changes_meta(&[replacement])
        .iter()
        .map(|change| change.hash)
        .collect();
    let register = Register::Rewritten;
    let mut rivals = BTreeSet::new();
    while let Some(other) = others.pop() {
        if !unseen.contains(&other) || !rivals.insert(other) {
            continue;
        }
        let change = document.get_change_meta_by_hash(&other);
        let parents = change.map(|change| change.deps).unwrap_or_default();
        let before = document.get_all_at(register.container().id(), register.key(), &parents);
        let before = before.unwrap_or_default();
        others.extend(
            before
                .iter()
                .filter_map(|(_, id)| document.hash_for_opid(id)),
        );
    }
    rivals
}

/// The heads of a document without some of its changes and everything made upon them.
fn heads_without(document: &Automerge, mut hidden: BTreeSet<ChangeHash>) -> Vec<ChangeHash> {
    let mut changes = document.get_changes_meta(&[]);
    // A change has a greater number than any that it builds on.
    changes.sort_by_key(|change| change.start_op);
    let mut heads = BTreeSet::new();
    for change in changes {
        let is_hidden = change.deps.iter().any(|parent| hidden.contains(parent));
        if is_hidden || hidden.contains(&change.hash) {
            hidden.insert(change.hash);
            continue;
        }
        for parent in &change.deps {
            heads.remove(parent);
        }
        heads.insert(change.hash);
    }
    heads.into_iter().collect()
}

/// Makes the description `text` with few insertions and deletions, so that splices of
/// other passages survive; of replacements at the same time, one is shown.
pub(super) fn replace(writer: &mut Writer<'_>, text: &str) -> Result<(), EditError> {
    let disputed = writer.take_disputed_description().is_some();
    let merged = writer.document().text(Container::Description.id())?;
    if merged == text && !disputed {
        return Ok(());
    }
    rewrite(writer, text)
}

/// Ends a conflict of the description with the text that is shown, before it is edited.
pub(super) fn settle(writer: &mut Writer<'_>) -> Result<(), EditError> {
    match writer.take_disputed_description() {
        Some(shown) => rewrite(writer, &shown),
        None => Ok(()),
    }
}

/// Replaces the whole, and says so.
fn rewrite(writer: &mut Writer<'_>, text: &str) -> Result<(), EditError> {
    let at = instant(writer.at());
    writer.rewrite(Register::Rewritten, at)?;
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
