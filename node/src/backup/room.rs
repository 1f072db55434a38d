//! Whether there is room on a disk for what is to be fetched: found out before anything is.

use std::path::Path;

use anyhow::{Context, ensure};

/// What is left free beside: logs and what else is on that disk go on meanwhile.
const RESERVE_BYTES: u64 = 64 << 20;

/// Checks that so many bytes fit into the file system of a folder that is there.
///
/// # Errors
/// A disk that is too full, with how much is needed and where.
pub(super) fn ensure_room(folder: &Path, bytes: u64) -> anyhow::Result<()> {
    let about = rustix::fs::statvfs(folder);
    let about = about.with_context(|| format!("the room in {}", folder.display()))?;
    let free = about.f_bavail.saturating_mul(about.f_frsize);
    let needed = bytes.saturating_add(RESERVE_BYTES);
    ensure!(
        needed <= free,
        "{} has room for {free} bytes, and {needed} are needed: name a folder on another disk",
        folder.display()
    );
    Ok(())
}

#[cfg(test)]
mod tests {
    use tempfile::TempDir;

    use super::ensure_room;

    #[test]
    fn what_does_not_fit_is_refused_before_it_is_fetched() {
        let folder = TempDir::new().expect("a folder");
        ensure_room(folder.path(), 1).expect("there is room");
        let refused = ensure_room(folder.path(), u64::MAX).expect_err("no disk has that");
        assert!(refused.to_string().contains("bytes, and"), "{refused}");
    }
}
