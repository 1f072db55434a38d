//! Files of certificates and keys: new ones only, keys for their owner alone.

use std::fs::OpenOptions;
use std::io::{ErrorKind, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use super::PkiError;

/// Who may read a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum FileMode {
    /// Its owner.
    Secret,
    /// Everybody.
    Public,
}

/// Refuses a set of files of which one is there already, before any is written: half
/// a set would be worse than none. [`write_new`] guards against who comes in between.
///
/// # Errors
/// [`PkiError::Exists`].
pub(super) fn refuse_existing(paths: &[&Path]) -> Result<(), PkiError> {
    // A dangling link counts: opening would follow it.
    match paths.iter().find(|path| path.symlink_metadata().is_ok()) {
        Some(path) => Err(PkiError::Exists(path.to_path_buf())),
        None => Ok(()),
    }
}

/// Writes a file that must not be there yet, through to the disk.
///
/// # Errors
/// [`PkiError::Exists`], [`PkiError::File`].
pub(super) fn write_new(path: &Path, text: &str, mode: FileMode) -> Result<(), PkiError> {
    let bits = match mode {
        FileMode::Secret => 0o600,
        FileMode::Public => 0o644,
    };
    let failed = |cause| PkiError::File {
        path: path.to_path_buf(),
        cause,
    };
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(bits)
        .open(path)
        .map_err(|cause| match cause.kind() {
            ErrorKind::AlreadyExists => PkiError::Exists(path.to_path_buf()),
            _ => failed(cause),
        })?;
    file.write_all(text.as_bytes())
        .and_then(|()| file.sync_all())
        .map_err(failed)
}

/// # Errors
/// [`PkiError::File`].
pub(super) fn read(path: &Path) -> Result<String, PkiError> {
    std::fs::read_to_string(path).map_err(|cause| PkiError::File {
        path: path.to_path_buf(),
        cause,
    })
}
