//! How far the database has been synced, noted in a file beside it.
//!
//! Recovery stops at the first damaged record of the write-ahead log and opens with what
//! stands before it. That is right for a tail that a power cut tore off before anybody
//! was told of it; but a byte that rots in a synced record would take acknowledged
//! changes away without a word. The mark tells the two apart: it is written after each
//! sync and never before, so that a database that recovers less has surely lost
//! something. It is not synced itself: after a power cut it may lag, and tell less.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use crate::StorageError;

/// Name of the file, in the database's folder.
const FILE: &str = "SYNCED";

/// The mark of one open database.
#[derive(Debug)]
pub(crate) struct SyncedMark {
    file: File,
    /// RocksDB's number of the last change that was synced.
    sequence: u64,
}

impl SyncedMark {
    /// Opens the mark of the database in `folder`, which has recovered through change
    /// `recovered`.
    ///
    /// # Errors
    /// [`StorageError::Lost`] if more had been synced, [`StorageError::Open`] if the file
    /// cannot be used.
    pub(crate) fn open(folder: &Path, recovered: u64) -> Result<Self, StorageError> {
        let path = folder.join(FILE);
        let unusable = |cause: io::Error| StorageError::Open {
            path: path.clone(),
            cause: cause.to_string(),
        };
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(&path)
            .map_err(unusable)?;
        let synced = read(&file).map_err(unusable)?;
        if synced > recovered {
            return Err(StorageError::Lost {
                path: PathBuf::from(folder),
                synced,
                recovered,
            });
        }
        Ok(Self {
            file,
            sequence: synced,
        })
    }

    /// Takes note that everything through `sequence` has been synced.
    pub(crate) fn advance(&mut self, sequence: u64) -> io::Result<()> {
        if sequence == self.sequence {
            return Ok(());
        }
        self.file.write_all_at(&record(sequence), 0)?;
        self.sequence = sequence;
        Ok(())
    }
}

/// The number and its complement: a mark that is torn or rotten says nothing.
fn record(sequence: u64) -> [u8; 16] {
    let mut record = [0; 16];
    record[..8].copy_from_slice(&sequence.to_le_bytes());
    record[8..].copy_from_slice(&(!sequence).to_le_bytes());
    record
}

/// The number in the file; zero for none.
fn read(file: &File) -> io::Result<u64> {
    let mut found = [0; 16];
    match file.read_exact_at(&mut found, 0) {
        Ok(()) => {}
        Err(cause) if cause.kind() == io::ErrorKind::UnexpectedEof => return Ok(0),
        Err(cause) => return Err(cause),
    }
    let (number, _) = found.split_first_chunk::<8>().unwrap_or((&[0; 8], &[]));
    let sequence = u64::from_le_bytes(*number);
    Ok(if found == record(sequence) {
        sequence
    } else {
        0
    })
}

#[cfg(test)]
mod tests {
    use tempfile::TempDir;

    use super::{FILE, SyncedMark};
    use crate::StorageError;

    #[test]
    fn database_that_recovers_less_than_was_synced_has_lost_something() {
        let folder = TempDir::new().expect("a folder");
        let mut mark = SyncedMark::open(folder.path(), 0).expect("new");
        mark.advance(7).expect("written");
        assert!(SyncedMark::open(folder.path(), 7).is_ok());
        let lost = SyncedMark::open(folder.path(), 6).map(drop);
        assert!(matches!(
            lost,
            Err(StorageError::Lost {
                synced: 7,
                recovered: 6,
                ..
            })
        ));
    }

    #[test]
    fn torn_mark_says_nothing() {
        let folder = TempDir::new().expect("a folder");
        let mut mark = SyncedMark::open(folder.path(), 0).expect("new");
        mark.advance(7).expect("written");
        for damaged in [&[7; 16][..], &[1, 2, 3][..], &[][..]] {
            std::fs::write(folder.path().join(FILE), damaged).expect("written");
            assert!(SyncedMark::open(folder.path(), 0).is_ok());
        }
    }
}
