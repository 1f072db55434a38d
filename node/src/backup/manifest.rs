//! The manifest of a backup: what belongs together, and the hash of everything.
//!
//! One line with the format and the hash of the rest, then JSON. Whoever reads it checks the
//! hash first, and takes no name from it that leads out of a folder: it may come from anywhere.

use anyhow::{Context, bail, ensure};
use jiff::Timestamp;
use meridian_regions::{FormatLevel, Levels, NodeId, Topology};
use serde::{Deserialize, Serialize};

use super::DATABASES;

/// What a manifest begins with.
const HEAD: &str = "meridian-backup-1";
/// Digits of a hash.
const HASH_DIGITS: usize = 64;
/// Longest name of a file, or of a backup.
const NAME_MAX: usize = 128;

/// Levels of formats that are read, whether a node speaks them or not.
const READ: Levels = Levels::REHEARSED;

/// A map at a level of formats, if that is later than its own.
pub(crate) fn raised(map: &str, level: FormatLevel) -> anyhow::Result<String> {
    if Topology::from_toml(map)?.format_level() >= level {
        return Ok(map.to_owned());
    }
    let mut raised: toml::Table = map.parse()?;
    raised.insert("format_level".to_owned(), level.get().into());
    Ok(raised.to_string())
}

/// One backup of a whole cluster.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Manifest {
    /// Its name, which sorts by time.
    pub(crate) id: String,
    /// The cluster's name.
    pub(crate) cluster: String,
    /// Everything that had been acknowledged before is in it.
    pub(crate) began_at: Timestamp,
    /// Nothing that was acknowledged later is in it.
    pub(crate) ended_at: Timestamp,
    /// The cluster's map, TOML, as the node that was asked first has it; at the latest level of
    /// formats of which anything in the parts may be.
    pub(crate) map: String,
    /// Each node's part.
    pub(crate) parts: Vec<Part>,
    /// Nodes of the map that were down and are not in it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) missing: Vec<u64>,
    /// What only these had, in words: with it, the backup is incomplete.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) lacks: Vec<String>,
}

/// What one node has added.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Part {
    /// The node.
    pub(crate) node: NodeId,
    /// Every file of its databases.
    pub(crate) files: Vec<FileRecord>,
    /// Files that the target did not have.
    pub(crate) files_sent: u64,
    /// Bytes of these.
    pub(crate) bytes_sent: u64,
}

/// One file of a database.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct FileRecord {
    /// The database.
    pub(crate) database: String,
    /// The file's name in it.
    pub(crate) name: String,
    /// Its size.
    pub(crate) bytes: u64,
    /// BLAKE3 of its content, in hexadecimal digits: the name of its object.
    pub(crate) hash: String,
}

impl Manifest {
    /// Name of a backup that begins at an instant.
    pub(crate) fn name_at(began_at: Timestamp) -> String {
        began_at.strftime("%Y%m%dT%H%M%S%3fZ").to_string()
    }

    /// Its text.
    pub(crate) fn encode(&self) -> anyhow::Result<String> {
        let body = serde_json::to_string(self)?;
        Ok(format!(
            "{HEAD} {}\n{body}",
            blake3::hash(body.as_bytes()).to_hex()
        ))
    }

    /// Reads what [`Manifest::encode`] wrote.
    ///
    /// # Errors
    /// Anything else, damage included.
    pub(crate) fn decode(text: &str) -> anyhow::Result<Self> {
        let (head, body) = text.split_once('\n').context("it has no head")?;
        let (format, hash) = head.split_once(' ').context("its head has no hash")?;
        ensure!(
            format == HEAD,
            "it is of format {format}, and this version reads {HEAD}"
        );
        ensure!(
            blake3::hash(body.as_bytes()).to_hex().as_str() == hash,
            "it is damaged: it does not match its hash"
        );
        let read: Self = serde_json::from_str(body)?;
        read.check()?;
        Ok(read)
    }

    /// The map, for who opens what is in the backup.
    ///
    /// # Errors
    /// No map, or one of a level of formats that this program does not read.
    pub(crate) fn topology(&self) -> anyhow::Result<Topology> {
        let map = Topology::from_toml(&self.map).context("the map in the backup")?;
        let level = map.format_level();
        ensure!(
            READ.contains(level),
            "backup {} holds what is of format level {level}, and this release reads {READ}: use a \
             release that speaks level {level}",
            self.id
        );
        Ok(map)
    }

    /// Files of all nodes.
    pub(crate) fn files(&self) -> impl Iterator<Item = &FileRecord> {
        self.parts.iter().flat_map(|part| &part.files)
    }

    /// What is not in it, in a word.
    pub(crate) fn lack(&self) -> String {
        let missing: Vec<String> = self.missing.iter().map(u64::to_string).collect();
        match (self.missing.is_empty(), self.lacks.is_empty()) {
            (true, _) => String::new(),
            (false, true) => format!("nodes {}", missing.join(", ")),
            (false, false) => format!("nodes {}: INCOMPLETE", missing.join(", ")),
        }
    }

    /// Bytes of all files.
    pub(crate) fn bytes(&self) -> u64 {
        self.files().map(|file| file.bytes).sum()
    }

    fn check(&self) -> anyhow::Result<()> {
        ensure!(is_name(&self.id), "{:?} is no name of a backup", self.id);
        self.files().try_for_each(FileRecord::check)
    }
}

/// Whether a text is the name of an object.
pub(super) fn is_hash(text: &str) -> bool {
    text.len() == HASH_DIGITS && text.bytes().all(|one| one.is_ascii_hexdigit())
}

impl FileRecord {
    /// Refuses what leads anywhere but into a database's folder.
    pub(crate) fn check(&self) -> anyhow::Result<()> {
        let Self {
            database,
            name,
            hash,
            ..
        } = self;
        if !DATABASES.contains(&database.as_str()) {
            bail!("it names a database that there is none of: {database:?}");
        }
        ensure!(is_name(name), "it names a file {name:?}");
        ensure!(is_hash(hash), "it names a hash {hash:?}");
        Ok(())
    }
}

/// Whether it names a file in a folder, and nothing else.
pub(crate) fn is_name(name: &str) -> bool {
    let is_plain = |one: u8| one.is_ascii_alphanumeric() || matches!(one, b'.' | b'-' | b'_');
    !name.is_empty()
        && name.len() <= NAME_MAX
        && !name.starts_with('.')
        && name.bytes().all(is_plain)
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use meridian_regions::{FormatLevel, NodeId};

    use super::{FileRecord, Manifest, Part, raised};
    use crate::solo::TOPOLOGY;

    fn manifest(name: &str) -> Manifest {
        Manifest {
            missing: vec![2],
            lacks: Vec::new(),
            id: Manifest::name_at(Timestamp::UNIX_EPOCH),
            cluster: "shop".to_owned(),
            began_at: Timestamp::UNIX_EPOCH,
            ended_at: Timestamp::UNIX_EPOCH,
            map: String::new(),
            parts: vec![Part {
                node: NodeId::new(1).expect("not zero"),
                files: vec![FileRecord {
                    database: "bookings".to_owned(),
                    name: name.to_owned(),
                    bytes: 3,
                    hash: blake3::hash(b"abc").to_hex().to_string(),
                }],
                files_sent: 1,
                bytes_sent: 3,
            }],
        }
    }

    #[test]
    fn what_is_written_is_read() {
        let written = manifest("000012.sst");
        let text = written.encode().expect("encoded");
        assert_eq!(Manifest::decode(&text).expect("whole"), written);
    }

    #[test]
    fn every_flipped_byte_is_noticed() {
        let text = manifest("000012.sst").encode().expect("encoded");
        for at in 0..text.len() {
            let mut bytes = text.clone().into_bytes();
            bytes[at] ^= 1;
            let damaged = String::from_utf8_lossy(&bytes);
            Manifest::decode(&damaged).expect_err("damaged");
        }
    }

    #[test]
    fn map_is_raised_to_the_level_of_what_is_in_the_parts_and_never_lowered() {
        let mut manifest = manifest("000012.sst");
        manifest.map = TOPOLOGY.to_owned();
        let level = |manifest: &Manifest| manifest.topology().expect("a map").format_level();
        let same = raised(&manifest.map, FormatLevel::FIRST).expect("a map");
        assert_eq!(same, manifest.map);
        let before = manifest.topology().expect("a map");
        manifest.map = raised(&manifest.map, FormatLevel::LATEST).expect("a map");
        assert_eq!(level(&manifest), FormatLevel::LATEST);
        let after = manifest.topology().expect("a map");
        assert_eq!(
            (after.epoch(), after.nodes()),
            (before.epoch(), before.nodes())
        );
        manifest.map = raised(&manifest.map, FormatLevel::FIRST).expect("a map");
        assert_eq!(level(&manifest), FormatLevel::LATEST);
    }

    #[test]
    fn backup_of_a_later_level_is_not_opened_by_a_release_that_does_not_read_it() {
        let mut manifest = manifest("000012.sst");
        let later = FormatLevel::new(FormatLevel::REHEARSED.get() + 1).expect("not zero");
        manifest.map = raised(TOPOLOGY, later).expect("a map");
        let refused = manifest.topology().expect_err("it cannot be read");
        let said = refused.to_string();
        assert!(said.contains("use a release that speaks level 4"), "{said}");
    }

    #[test]
    fn name_that_leads_out_of_the_folder_is_refused() {
        for name in ["../identity.toml", "/etc/passwd", "..", ".", "", "a/b"] {
            let text = manifest(name).encode().expect("encoded");
            Manifest::decode(&text).expect_err(name);
        }
    }
}
