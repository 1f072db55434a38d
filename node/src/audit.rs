//! What operators have done: an append-only file in the data folder, one line of JSON each.
//!
//! A line before an action says who has asked for what; a line after it, what the node has
//! answered. The first is on disk before the action begins, or there is no action. Who is
//! known and may not leaves a line too; strangers leave none, so that nobody without
//! credentials can push the past out. Bodies, headers and queries are never written: they
//! may hold secrets.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use serde::Serialize;

/// Folder in the data folder, and the file that is written to.
const FOLDER: &str = "audit";
const FILE: &str = "operators.jsonl";
/// A file that is as long gives way to a new one: some forty thousand lines.
const FILE_BYTES_MAX: u64 = 8 * 1024 * 1024;
/// Files that are kept, the one that is written to among them; the oldest goes.
const FILES_MAX: u32 = 8;
/// Longest path that is written, in bytes: those of all routes are shorter.
const PATH_BYTES_MAX: usize = 512;
/// For the operator of the machine alone.
const MODE: u32 = 0o600;

/// What happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Happened {
    /// Somebody who may has asked; it is done next.
    Asked,
    /// It was answered, with `status`.
    Answered,
    /// Somebody who may not has asked; nothing was done.
    Refused,
}

/// One line.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Line {
    /// RFC 3339, by the node's clock.
    pub(crate) at: String,
    pub(crate) happened: Happened,
    /// Who; null where nobody has to prove it.
    pub(crate) subject: Option<String>,
    pub(crate) method: String,
    pub(crate) path: String,
    /// Ties the lines of one request together, and to those of the log.
    pub(crate) request_id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) status: Option<u16>,
}

/// See the module. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Audit {
    written: Arc<Mutex<Written>>,
}

#[derive(Debug)]
struct Written {
    folder: PathBuf,
    file: File,
    bytes: u64,
    bytes_max: u64,
}

impl Audit {
    /// Opens the file in a data folder, or makes it.
    ///
    /// # Errors
    /// What the operating system says.
    pub(crate) fn open(data: &Path) -> io::Result<Self> {
        Self::open_with(data, FILE_BYTES_MAX)
    }

    fn open_with(data: &Path, bytes_max: u64) -> io::Result<Self> {
        let folder = data.join(FOLDER);
        std::fs::create_dir_all(&folder)?;
        let mut file = open(&folder)?;
        let mut bytes = file.metadata()?.len();
        // A line that a crash has cut off is nobody's beginning.
        if bytes > 0 && last_byte(&mut file)? != b'\n' {
            file.write_all(b"\n")?;
            bytes += 1;
        }
        Ok(Self {
            written: Arc::new(Mutex::new(Written {
                folder,
                file,
                bytes,
                bytes_max,
            })),
        })
    }

    /// Writes a line; it is on disk when this is over.
    ///
    /// # Errors
    /// What the operating system says. The line may be there all the same.
    pub(crate) async fn write(&self, mut line: Line) -> io::Result<()> {
        line.path
            .truncate(line.path.floor_char_boundary(PATH_BYTES_MAX));
        let mut text = serde_json::to_string(&line)?;
        text.push('\n');
        let written = Arc::clone(&self.written);
        let append = move || {
            let mut written = written.lock().unwrap_or_else(PoisonError::into_inner);
            written.append(text.as_bytes())
        };
        tokio::task::spawn_blocking(append)
            .await
            .map_err(io::Error::other)?
    }
}

impl Written {
    fn append(&mut self, line: &[u8]) -> io::Result<()> {
        let length = u64::try_from(line.len()).unwrap_or(u64::MAX);
        if self.bytes > 0 && self.bytes.saturating_add(length) > self.bytes_max {
            self.begin_another()?;
        }
        self.file.write_all(line)?;
        self.bytes += length;
        self.file.sync_data()
    }

    /// Puts the file aside and begins the next one; the oldest is forgotten.
    fn begin_another(&mut self) -> io::Result<()> {
        for age in (1..FILES_MAX).rev() {
            let older = match age {
                1 => self.folder.join(FILE),
                age => aside(&self.folder, age - 1),
            };
            match std::fs::rename(older, aside(&self.folder, age)) {
                Err(cause) if cause.kind() != io::ErrorKind::NotFound => return Err(cause),
                _ => {}
            }
        }
        self.file = open(&self.folder)?;
        self.bytes = 0;
        // The names are as durable as the lines.
        File::open(&self.folder)?.sync_all()
    }
}

fn aside(folder: &Path, age: u32) -> PathBuf {
    folder.join(format!("{FILE}.{age}"))
}

fn open(folder: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    let options = options.read(true).append(true).create(true).mode(MODE);
    options.open(folder.join(FILE))
}

fn last_byte(file: &mut File) -> io::Result<u8> {
    let mut last = [0];
    file.seek(SeekFrom::End(-1))?;
    file.read_exact(&mut last)?;
    Ok(last[0])
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use serde_json::Value;
    use tempfile::TempDir;

    use super::{Audit, FILE, FILES_MAX, FOLDER, Happened, Line};

    fn line(number: usize) -> Line {
        Line {
            at: "2026-11-26T20:00:00Z".to_owned(),
            happened: Happened::Answered,
            subject: Some("olga".to_owned()),
            method: "POST".to_owned(),
            path: format!("/admin/v1/{number}"),
            request_id: "req_1".to_owned(),
            status: Some(202),
        }
    }

    fn lines(data: &Path, name: &str) -> Vec<Value> {
        let text = std::fs::read_to_string(data.join(FOLDER).join(name)).expect("readable");
        let lines = text
            .lines()
            .filter_map(|line| serde_json::from_str(line).ok());
        lines.collect()
    }

    #[tokio::test]
    async fn lines_outlive_a_restart_and_one_that_was_cut_off_spoils_no_other() {
        let data = TempDir::new().expect("a folder");
        let audit = Audit::open(data.path()).expect("opened");
        audit.write(line(1)).await.expect("written");
        drop(audit);
        let path = data.path().join(FOLDER).join(FILE);
        let mut text = std::fs::read_to_string(&path).expect("readable");
        text.push_str("{\"at\": \"20");
        std::fs::write(&path, text).expect("written");
        let audit = Audit::open(data.path()).expect("opened");
        audit.write(line(2)).await.expect("written");
        let paths: Vec<_> = lines(data.path(), FILE);
        let paths: Vec<_> = paths.iter().map(|line| line["path"].clone()).collect();
        assert_eq!(paths, ["/admin/v1/1", "/admin/v1/2"]);
    }

    #[tokio::test]
    async fn files_are_bounded_in_length_and_number_and_the_oldest_goes() {
        const BYTES: u64 = 1_000;
        let data = TempDir::new().expect("a folder");
        let audit = Audit::open_with(data.path(), BYTES).expect("opened");
        for number in 0..200 {
            audit.write(line(number)).await.expect("written");
        }
        let folder = std::fs::read_dir(data.path().join(FOLDER)).expect("readable");
        let sizes: Vec<u64> = folder
            .map(|file| file.expect("a file").metadata().expect("its size").len())
            .collect();
        assert_eq!(sizes.len(), usize::try_from(FILES_MAX).expect("small"));
        assert!(sizes.iter().all(|size| *size <= BYTES), "{sizes:?}");
        let last = lines(data.path(), FILE).pop().expect("a line");
        assert_eq!(last["path"], "/admin/v1/199");
        let older = lines(data.path(), &format!("{FILE}.1"));
        assert!(older.iter().all(|line| line["subject"] == "olga"));
    }

    #[tokio::test]
    async fn path_that_somebody_has_made_long_is_cut() {
        let data = TempDir::new().expect("a folder");
        let audit = Audit::open(data.path()).expect("opened");
        let long = Line {
            path: format!("/{}", "ä".repeat(4_000)),
            ..line(1)
        };
        audit.write(long).await.expect("written");
        let line = lines(data.path(), FILE).pop().expect("a line");
        assert!(line["path"].as_str().expect("text").len() <= super::PATH_BYTES_MAX);
    }
}
