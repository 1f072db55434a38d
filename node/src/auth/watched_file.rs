//! A small file that is read again when it has changed.
//!
//! It is compared by what it says: replaced, written to or linked elsewhere, it is all one.

use std::io::Read;
use std::path::{Path, PathBuf};

/// Why a file cannot be read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unread {
    #[error("it cannot be read: {0}")]
    Unreadable(#[from] std::io::Error),
    #[error("it is longer than {0} bytes: it is another file")]
    TooLong(usize),
}

/// See the module.
#[derive(Debug)]
pub(crate) struct WatchedFile {
    path: PathBuf,
    bytes_max: usize,
    said: Option<blake3::Hash>,
}

impl WatchedFile {
    pub(crate) fn new(path: &Path, bytes_max: usize) -> Self {
        Self {
            path: path.to_path_buf(),
            bytes_max,
            said: None,
        }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// What it says, if that is not what it said the last time. What could not be read is
    /// new when it can be.
    ///
    /// # Errors
    /// [`Unread`].
    pub(crate) fn read_now(&mut self) -> Result<Option<Vec<u8>>, Unread> {
        let bytes = whole(&self.path, self.bytes_max)?;
        let says = Some(blake3::hash(&bytes));
        if says == self.said {
            return Ok(None);
        }
        self.said = says;
        Ok(Some(bytes))
    }

    /// The same, without holding up whoever else runs on this thread.
    ///
    /// # Errors
    /// [`Unread`].
    pub(crate) async fn read(&mut self) -> Result<Option<Vec<u8>>, Unread> {
        let (path, bytes_max) = (self.path.clone(), self.bytes_max);
        let mut same = Self {
            path,
            bytes_max,
            said: self.said,
        };
        let read = tokio::task::spawn_blocking(move || (same.read_now(), same.said)).await;
        let (read, said) = read.map_err(std::io::Error::other)?;
        self.said = said;
        read
    }
}

fn whole(path: &Path, bytes_max: usize) -> Result<Vec<u8>, Unread> {
    let limit = u64::try_from(bytes_max).unwrap_or(u64::MAX);
    let mut bytes = Vec::new();
    let mut file = std::fs::File::open(path)?.take(limit.saturating_add(1));
    file.read_to_end(&mut bytes)?;
    if bytes.len() > bytes_max {
        return Err(Unread::TooLong(bytes_max));
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::{Unread, WatchedFile};

    #[test]
    fn file_is_read_again_when_it_says_something_else_and_never_past_its_bound() {
        let folder = tempfile::TempDir::new().expect("a folder");
        let path = folder.path().join("keys");
        let mut file = WatchedFile::new(&path, 4);
        assert!(matches!(file.read_now(), Err(Unread::Unreadable(_))));
        std::fs::write(&path, "one").expect("written");
        assert_eq!(file.read_now().expect("read"), Some(b"one".to_vec()));
        std::fs::write(&path, "one").expect("written");
        assert_eq!(file.read_now().expect("read"), None);
        std::fs::write(&path, "other").expect("written");
        assert!(matches!(file.read_now(), Err(Unread::TooLong(4))));
        std::fs::write(&path, "two").expect("written");
        assert_eq!(file.read_now().expect("read"), Some(b"two".to_vec()));
    }
}
