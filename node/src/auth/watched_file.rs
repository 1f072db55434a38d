//! A small file that is read again when it has changed.
//!
//! It is compared by what it says: replaced, written to or linked elsewhere, it is all one. Who
//! writes into a file has it say a part of the new text for a moment, or nothing: where that could
//! be taken for the whole, ask by [`WatchedFile::settled`].

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

/// Looks in a row of which none says what the one before said: whoever rewrites a file that often
/// is not half-way with it each time, and what it withdraws must not stand for ever.
const UNLIKE_MAX: u32 = 4;

/// A way to look at a file.
type Look = fn(&mut WatchedFile) -> Result<Option<Vec<u8>>, Unread>;

/// See the module.
#[derive(Debug, Clone)]
pub(crate) struct WatchedFile {
    path: PathBuf,
    bytes_max: usize,
    /// What was given out last.
    said: Option<blake3::Hash>,
    /// What it has said once since then.
    seen: Option<blake3::Hash>,
    /// How many looks in a row have found something new.
    unlike: u32,
}

impl WatchedFile {
    pub(crate) fn new(path: &Path, bytes_max: usize) -> Self {
        Self {
            path: path.to_path_buf(),
            bytes_max,
            said: None,
            seen: None,
            unlike: 0,
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

    /// What it says, if that is not what it said the last time, and if it has said the same when
    /// it was looked at just before; or if it says something else at every look.
    ///
    /// # Errors
    /// [`Unread`].
    pub(crate) fn settled_now(&mut self) -> Result<Option<Vec<u8>>, Unread> {
        let seen = self.seen.take();
        let bytes = whole(&self.path, self.bytes_max)?;
        let says = Some(blake3::hash(&bytes));
        if says == self.said {
            self.unlike = 0;
            return Ok(None);
        }
        self.unlike += 1;
        if says != seen && self.unlike < UNLIKE_MAX {
            self.seen = says;
            return Ok(None);
        }
        (self.said, self.unlike) = (says, 0);
        Ok(Some(bytes))
    }

    /// [`Self::read_now`], without holding up whoever else runs on this thread.
    ///
    /// # Errors
    /// [`Unread`].
    pub(crate) async fn read(&mut self) -> Result<Option<Vec<u8>>, Unread> {
        self.aside(Self::read_now).await
    }

    /// [`Self::settled_now`], without holding up whoever else runs on this thread.
    ///
    /// # Errors
    /// [`Unread`].
    pub(crate) async fn settled(&mut self) -> Result<Option<Vec<u8>>, Unread> {
        self.aside(Self::settled_now).await
    }

    async fn aside(&mut self, look: Look) -> Result<Option<Vec<u8>>, Unread> {
        let mut file = self.clone();
        let looked = tokio::task::spawn_blocking(move || (look(&mut file), file)).await;
        let (read, file) = looked.map_err(std::io::Error::other)?;
        *self = file;
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
    use super::{UNLIKE_MAX, Unread, WatchedFile};

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

    #[test]
    fn file_that_says_something_else_at_every_look_is_taken_now_and_then() {
        let folder = tempfile::TempDir::new().expect("a folder");
        let path = folder.path().join("keys");
        let mut file = WatchedFile::new(&path, 9);
        let taken = (0..2 * UNLIKE_MAX).filter(|turn| {
            std::fs::write(&path, turn.to_string()).expect("written");
            file.settled_now().expect("read").is_some()
        });
        assert_eq!(
            taken.collect::<Vec<_>>(),
            [UNLIKE_MAX - 1, 2 * UNLIKE_MAX - 1]
        );
    }

    #[test]
    fn file_that_is_being_written_has_not_settled() {
        let folder = tempfile::TempDir::new().expect("a folder");
        let path = folder.path().join("keys");
        let mut file = WatchedFile::new(&path, 9);
        std::fs::write(&path, "one").expect("written");
        assert_eq!(file.read_now().expect("read"), Some(b"one".to_vec()));
        // Emptied, written in part, gone, and as it was: none of it lasts.
        for says in [Some(""), Some("tw"), None, Some("tw"), Some("one")] {
            match says {
                Some(text) => std::fs::write(&path, text).expect("written"),
                None => std::fs::remove_file(&path).expect("removed"),
            }
            let settled = file.settled_now();
            assert_eq!(settled.is_err(), says.is_none(), "{settled:?}");
            assert_eq!(settled.ok().flatten(), None, "{says:?}");
        }
        std::fs::write(&path, "two").expect("written");
        assert_eq!(file.settled_now().expect("read"), None);
        assert_eq!(file.settled_now().expect("read"), Some(b"two".to_vec()));
        assert_eq!(file.settled_now().expect("read"), None);
    }
}
