//! The file of API keys, read again when it has changed.
//!
//! A file that cannot be read, or is wrong, changes nothing: the keys before stay. Nor does one
//! that is looked at while it is written, when it is empty or a part of what it will be, and says
//! that keys are gone: a change counts once it was seen twice in a row.

use std::path::Path;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::api_keys::{ApiKeys, BadKey, FILE_BYTES_MAX, UnreadableKeys};
use super::caller::Caller;
use super::watched_file::{Unread, WatchedFile};

/// Why the file cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum UnusableKeys {
    #[error(transparent)]
    Unread(#[from] Unread),
    #[error("it is not UTF-8")]
    NoText,
    #[error(transparent)]
    Unreadable(#[from] UnreadableKeys),
}

/// See the module. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct KeyBook {
    keys: Arc<RwLock<Arc<ApiKeys>>>,
}

impl KeyBook {
    /// Reads the file, and again every so often until `stopping`.
    ///
    /// # Errors
    /// [`UnusableKeys`].
    pub(crate) fn start(
        path: &Path,
        every: Duration,
        tracker: &TaskTracker,
        stopping: &CancellationToken,
    ) -> Result<Self, UnusableKeys> {
        let mut file = WatchedFile::new(path, FILE_BYTES_MAX);
        let first = parse(&file.read_now()?.unwrap_or_default())?;
        let book = Self {
            keys: Arc::new(RwLock::new(Arc::new(first))),
        };
        let (kept, stopping) = (book.clone(), stopping.clone());
        // Ends with the node.
        tracker.spawn(async move {
            let mut ticks = interval(every);
            ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
            loop {
                tokio::select! {
                    biased;
                    () = stopping.cancelled() => return,
                    _ = ticks.tick() => {}
                }
                let read = file.settled().await.map_err(UnusableKeys::from);
                kept.take(read.and_then(|bytes| bytes.map(|bytes| parse(&bytes)).transpose()));
            }
        });
        Ok(book)
    }

    /// Whose a key is.
    ///
    /// # Errors
    /// [`BadKey`].
    pub(crate) fn find(&self, key: &str, now_seconds: u64) -> Result<Caller, BadKey> {
        self.current().find(key, now_seconds)
    }

    pub(crate) fn len(&self) -> usize {
        self.current().len()
    }

    fn current(&self) -> Arc<ApiKeys> {
        Arc::clone(&self.keys.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn take(&self, read: Result<Option<ApiKeys>, UnusableKeys>) {
        match read {
            Ok(Some(keys)) => {
                tracing::info!(keys = keys.len(), "API keys have changed");
                *self.keys.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(keys);
            }
            Ok(None) => {}
            Err(cause) => tracing::warn!(%cause, "auth.api_keys_file: the keys before stay"),
        }
    }
}

fn parse(bytes: &[u8]) -> Result<ApiKeys, UnusableKeys> {
    let text = std::str::from_utf8(bytes).map_err(|_bytes| UnusableKeys::NoText)?;
    Ok(ApiKeys::parse(text)?)
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;
    use std::time::Duration;

    use meridian_chaos::until;
    use tempfile::TempDir;
    use tokio::time::sleep;
    use tokio_util::sync::CancellationToken;
    use tokio_util::task::TaskTracker;

    use super::KeyBook;
    use crate::auth::api_keys::{BadKey, new_key, written};

    /// A book by a file that has Ann's key, and not Ben's.
    struct Kept {
        book: KeyBook,
        path: PathBuf,
        ann: String,
        ben: String,
        /// The file with Ben's key in the place of Ann's.
        replaced: String,
        tracker: TaskTracker,
        stopping: CancellationToken,
        _folder: TempDir,
    }

    impl Kept {
        fn start(every: Duration) -> Self {
            let folder = TempDir::new().expect("a folder");
            let path = folder.path().join("keys.toml");
            let (ann, record) = new_key("ann", &[], None).expect("a name");
            let (ben, its) = new_key("ben", &[], None).expect("a name");
            std::fs::write(&path, written(record)).expect("written");
            let (tracker, stopping) = (TaskTracker::new(), CancellationToken::new());
            let book = KeyBook::start(&path, every, &tracker, &stopping).expect("sound");
            Self {
                book,
                path,
                ann,
                ben,
                replaced: written(its),
                tracker,
                stopping,
                _folder: folder,
            }
        }

        fn write(&self, text: &str) {
            std::fs::write(&self.path, text).expect("written");
        }

        fn knows(&self, key: &str) -> bool {
            match self.book.find(key, 0) {
                Ok(_) => true,
                Err(BadKey::Unknown) => false,
                Err(other) => panic!("{other:?}"),
            }
        }

        async fn stop(self) {
            self.stopping.cancel();
            self.tracker.close();
            self.tracker.wait().await;
        }
    }

    #[tokio::test]
    async fn key_that_is_taken_out_is_refused_and_a_broken_file_takes_nothing_away() {
        let kept = Kept::start(Duration::from_millis(10));
        assert!(kept.knows(&kept.ann));
        kept.write("[[keys]]");
        kept.write(&kept.replaced);
        let patience = Duration::from_secs(30);
        until(patience, "the other key is known", async || {
            kept.knows(&kept.ben).then_some(())
        })
        .await
        .expect("in time");
        assert!(!kept.knows(&kept.ann));
        kept.stop().await;
    }

    #[tokio::test(start_paused = true)]
    async fn file_that_is_empty_while_it_is_written_takes_no_key_away() {
        const EVERY: Duration = Duration::from_secs(5);
        let kept = Kept::start(EVERY);
        // From here on between two looks: the clock stands while one is under way.
        sleep(EVERY / 2).await;
        for text in ["", &kept.replaced] {
            kept.write(text);
            sleep(EVERY).await;
            assert!(kept.knows(&kept.ann), "after one look: {text:?}");
            assert!(!kept.knows(&kept.ben));
        }
        sleep(EVERY).await;
        assert!(!kept.knows(&kept.ann), "after two");
        assert!(kept.knows(&kept.ben));
        kept.stop().await;
    }
}
