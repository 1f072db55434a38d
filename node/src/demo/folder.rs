//! Where the nodes' files are.

use std::path::PathBuf;

use anyhow::{Context, bail};

/// A folder that goes with the demo, unless the user chose it.
pub(crate) struct Folder {
    path: PathBuf,
    temporary: Option<tempfile::TempDir>,
}

impl Folder {
    /// The chosen folder, which must be empty or not there, or a temporary one.
    pub(crate) fn new(chosen: Option<PathBuf>) -> anyhow::Result<Self> {
        if let Some(path) = chosen {
            let taken = path
                .read_dir()
                .is_ok_and(|mut entries| entries.next().is_some());
            if taken {
                bail!(
                    "{} is not empty: choose another folder for --dir",
                    path.display()
                );
            }
            return Ok(Self {
                path,
                temporary: None,
            });
        }
        let temporary = tempfile::Builder::new()
            .prefix("meridian-demo-")
            .tempdir()
            .context("cannot make a temporary folder")?;
        Ok(Self {
            path: temporary.path().to_path_buf(),
            temporary: Some(temporary),
        })
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.path.clone()
    }

    /// Removes it if it is temporary. Dropping does so too, but says nothing when it
    /// fails.
    pub(crate) fn remove(self) -> anyhow::Result<()> {
        let Some(temporary) = self.temporary else {
            return Ok(());
        };
        temporary
            .close()
            .with_context(|| format!("cannot remove {}", self.path.display()))
    }
}
