//! A copy of a database's folder as a crash would have left it.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::Path;

/// Times that a folder is copied until it has been at rest meanwhile.
const COPIES_MAX: u32 = 100;

/// Copies a folder as it was at one moment: a compaction that comes in between adds and
/// deletes table files, and is waited for.
///
/// # Panics
/// If it cannot be read, or the copy is there already.
pub fn copy_at_rest(from: &Path, to: &Path) {
    for _ in 0..COPIES_MAX {
        std::fs::create_dir(to).expect("a folder");
        let before = files(from);
        let copied = before
            .keys()
            .try_for_each(|name| std::fs::copy(from.join(name), to.join(name)).map(drop));
        if copied.is_ok() && files(from) == before {
            return;
        }
        std::fs::remove_dir_all(to).expect("a folder of ours");
    }
    panic!("{} is never at rest", from.display());
}

/// The files of a folder, and how long they are.
fn files(folder: &Path) -> BTreeMap<OsString, u64> {
    let files = std::fs::read_dir(folder).expect("readable");
    let files = files.filter_map(|file| {
        let file = file.expect("readable");
        // One that is gone meanwhile is missed by the second look.
        Some((file.file_name(), file.metadata().ok()?.len()))
    });
    files.collect()
}
