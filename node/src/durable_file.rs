//! Small files that are replaced whole and durably.
//!
//! What is new is written beside the file under a name that nobody else has, through to the disk,
//! and then given the file's name. What it is not: for files that grow or that are large.
//!
//! Invariants kept here:
//! - Whenever the process dies or the power fails, the file says what it said before, or all of
//!   what it was to say; once [`replace`] has returned, the latter.
//! - Of two who replace one file at once, in one process or in two, the file has what one of them
//!   wrote, and neither is in the other's way.

use std::fs::{self, DirEntry, File, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

#[cfg(test)]
mod tests;

/// How old a file that was not finished must be to be what a crash has left: a write takes
/// milliseconds, and seconds on the worst of disks.
const LEFT_BEHIND_AFTER: Duration = Duration::from_secs(60 * 60);
/// As that of any new file: the process' mask is taken from it.
const MODE: u32 = 0o666;

/// What has been done, in this order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    /// There is an empty file beside.
    Made,
    /// The text is in it, as far as the system knows.
    Written,
    /// The text is on the disk.
    Synced,
    /// It has the name; after a power cut it may have the other one again.
    Named,
}

/// Makes `text` what the file `name` in `folder` says, whether it is there or not. Blocks.
///
/// # Errors
/// What the operating system says: the file is as it was, or, if its folder could not be synced,
/// perhaps as it was to be.
pub(crate) fn replace(folder: &Path, name: &str, text: &str) -> io::Result<()> {
    replace_on(&mut Real, folder, name, text)
}

/// What is done to a disk where its order counts.
trait Disk {
    /// Has what is known of a file or a folder be there after a power cut.
    fn sync(&mut self, file: &File) -> io::Result<()>;

    /// So far it has come.
    fn done(&mut self, step: Step);
}

/// The disk of this machine.
struct Real;

impl Disk for Real {
    fn sync(&mut self, file: &File) -> io::Result<()> {
        file.sync_all()
    }

    fn done(&mut self, _step: Step) {}
}

fn replace_on(disk: &mut impl Disk, folder: &Path, name: &str, text: &str) -> io::Result<()> {
    let prefix = unfinished(name);
    remove_left_behind(folder, name)?;
    let mut file = tempfile::Builder::new()
        .prefix(&prefix)
        .permissions(Permissions::from_mode(MODE))
        .tempfile_in(folder)?;
    disk.done(Step::Made);
    file.write_all(text.as_bytes())?;
    disk.done(Step::Written);
    disk.sync(file.as_file())?;
    disk.done(Step::Synced);
    let named = file.persist(folder.join(name));
    named.map_err(|failed| failed.error)?;
    disk.done(Step::Named);
    // The name is durable only with its folder.
    disk.sync(&File::open(folder)?)
}

/// How the names begin of files that are to replace one.
fn unfinished(name: &str) -> String {
    format!("{name}.new-")
}

/// What releases before this one called files that were to replace one: `identity.toml.new`,
/// `latest-backup.unfinished`.
fn earlier(name: &str) -> [PathBuf; 2] {
    let name = Path::new(name);
    [
        name.with_added_extension("new"),
        name.with_extension("unfinished"),
    ]
}

/// Removes what crashes have left, or they would be more with each.
fn remove_left_behind(folder: &Path, name: &str) -> io::Result<()> {
    let (prefix, earlier) = (unfinished(name), earlier(name));
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let found = entry.file_name();
        let is_unfinished = found.to_string_lossy().starts_with(&prefix)
            || earlier.iter().any(|earlier| **earlier == *found);
        if is_unfinished && is_left_behind(&entry) {
            // What cannot be removed is in nobody's way: the next one tries again.
            let _ = fs::remove_file(entry.path());
        }
    }
    Ok(())
}

fn is_left_behind(entry: &DirEntry) -> bool {
    let modified = entry.metadata().and_then(|entry| entry.modified());
    // One that is gone meanwhile, or of the future, is left alone.
    let age = modified.ok().and_then(|modified| modified.elapsed().ok());
    age.is_some_and(|age| age > LEFT_BEHIND_AFTER)
}
