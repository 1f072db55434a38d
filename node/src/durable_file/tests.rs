//! A file is replaced while the power fails, while another replaces it, and where it cannot be.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, ErrorKind};
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::thread;
use std::time::SystemTime;

use tempfile::TempDir;

use super::{Disk, LEFT_BEHIND_AFTER, Step, replace, replace_on, unfinished};

const NAME: &str = "record.toml";
const OLD: &str = "text = \"as it was before\"\n";
const NEW: &str = "text = \"as it is to be, and longer\"\n";

fn folder_with(text: &str) -> TempDir {
    let folder = TempDir::new().expect("a folder");
    replace(folder.path(), NAME, text).expect("written");
    folder
}

fn read(folder: &Path) -> String {
    fs::read_to_string(folder.join(NAME)).expect("there")
}

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).expect("a folder");
    let names = entries.map(|entry| entry.expect("readable").file_name());
    let mut names: Vec<_> = names.map(|name| name.to_string_lossy().into()).collect();
    names.sort();
    names
}

/// A disk that remembers what was synced: after a power cut that is all that is sure.
struct Remembering<'a> {
    folder: &'a Path,
    /// By number of the file: what it said when it was synced.
    texts: BTreeMap<u64, String>,
    /// By name: numbers of files, as of the last time that the folder was synced.
    names: BTreeMap<String, u64>,
    /// What the file says after a power cut behind each step: if its folder is as it was synced,
    /// and if the disk has come further by itself.
    found: Vec<[String; 2]>,
}

impl<'a> Remembering<'a> {
    /// Of a folder in which all is on the disk.
    fn of(folder: &'a Path) -> Self {
        let names = numbered(folder);
        let text = |name: &String| fs::read_to_string(folder.join(name)).expect("readable");
        let texts = names.iter().map(|(name, number)| (*number, text(name)));
        Self {
            folder,
            texts: texts.collect(),
            names: names.clone(),
            found: Vec::new(),
        }
    }

    /// What is there after a power cut: of a text that was not synced, a part.
    fn after_a_power_cut(&self, names: &BTreeMap<String, u64>) -> TempDir {
        let left = TempDir::new().expect("a folder");
        for (name, number) in names {
            let text = self.texts.get(number).cloned().unwrap_or_else(|| {
                let text = fs::read_to_string(self.folder.join(name)).expect("readable");
                text[..text.len() / 2].to_owned()
            });
            fs::write(left.path().join(name), text).expect("written");
        }
        left
    }
}

impl Disk for Remembering<'_> {
    fn sync(&mut self, file: &File) -> io::Result<()> {
        file.sync_all()?;
        let synced = file.metadata()?;
        let names = numbered(self.folder);
        if synced.is_dir() {
            self.names = names;
            return Ok(());
        }
        let name = names.iter().find(|(_, number)| **number == synced.ino());
        let (name, number) = name.expect("it is in the folder");
        let text = fs::read_to_string(self.folder.join(name))?;
        self.texts.insert(*number, text);
        Ok(())
    }

    fn done(&mut self, _step: Step) {
        let folders = [self.names.clone(), numbered(self.folder)];
        let found = folders.map(|names| {
            let left = self.after_a_power_cut(&names);
            let found = read(left.path());
            // And the next life is not hindered by what it finds.
            replace(left.path(), NAME, "later").expect("written");
            assert_eq!(read(left.path()), "later");
            found
        });
        self.found.push(found);
    }
}

/// Which file has which name.
fn numbered(folder: &Path) -> BTreeMap<String, u64> {
    let number = |name: &String| fs::metadata(folder.join(name)).expect("there").ino();
    let names = names(folder).into_iter();
    names.map(|name| (name.clone(), number(&name))).collect()
}

#[test]
fn power_cut_after_any_step_leaves_the_old_text_or_the_new_one_and_in_the_end_the_new_one() {
    let folder = folder_with(OLD);
    let mut disk = Remembering::of(folder.path());
    replace_on(&mut disk, folder.path(), NAME, NEW).expect("written");
    assert_eq!(disk.found, [[OLD, OLD], [OLD, OLD], [OLD, OLD], [OLD, NEW]]);
    let left = disk.after_a_power_cut(&disk.names);
    assert_eq!(read(left.path()), NEW, "it was said to be written");
    assert_eq!(read(folder.path()), NEW);
    assert_eq!(names(folder.path()), [NAME], "nothing is left beside it");
}

#[test]
fn what_a_crash_has_left_goes_with_time_and_what_another_is_writing_stays() {
    let folder = folder_with(OLD);
    let [left, others] = ["left", "others"].map(|one| unfinished(NAME) + one);
    let long_ago = SystemTime::now() - 2 * LEFT_BEHIND_AFTER;
    for (name, modified) in [(&left, long_ago), (&others, SystemTime::now())] {
        let file = File::create(folder.path().join(name)).expect("made");
        file.set_modified(modified).expect("set");
    }
    replace(folder.path(), NAME, NEW).expect("written");
    assert_eq!(names(folder.path()), [NAME, &others]);
    assert_eq!(read(folder.path()), NEW);
}

#[test]
fn what_earlier_releases_have_left_goes_too() {
    for (name, left) in [
        ("identity.toml", "identity.toml.new"),
        ("cluster-map.toml", "cluster-map.toml.new"),
        ("latest-backup.toml", "latest-backup.unfinished"),
    ] {
        let folder = TempDir::new().expect("a folder");
        let file = File::create(folder.path().join(left)).expect("made");
        replace(folder.path(), name, OLD).expect("written");
        assert_eq!(names(folder.path()).len(), 2, "it may be being written");
        let long_ago = SystemTime::now() - 2 * LEFT_BEHIND_AFTER;
        file.set_modified(long_ago).expect("set");
        replace(folder.path(), name, NEW).expect("written");
        assert_eq!(names(folder.path()), [name]);
    }
}

#[test]
fn two_who_write_at_once_are_not_in_each_others_way() {
    const ROUNDS: usize = 50;
    let folder = folder_with(OLD);
    let path = folder.path();
    thread::scope(|scope| {
        for text in [OLD, NEW] {
            scope.spawn(move || {
                for _ in 0..ROUNDS {
                    replace(path, NAME, text).expect("written");
                    let found = read(path);
                    assert!(found == OLD || found == NEW, "{found:?}");
                }
            });
        }
    });
    assert_eq!(names(path), [NAME]);
}

#[test]
fn folder_that_is_not_there_is_an_error_and_is_not_made() {
    let folder = TempDir::new().expect("a folder");
    let missing = folder.path().join("missing");
    let refused = replace(&missing, NAME, NEW).expect_err("there is none");
    assert_eq!(refused.kind(), ErrorKind::NotFound);
    assert!(!missing.exists());
}

#[test]
fn what_cannot_get_its_name_leaves_nothing_beside_it() {
    let folder = TempDir::new().expect("a folder");
    fs::create_dir(folder.path().join(NAME)).expect("made");
    replace(folder.path(), NAME, NEW).expect_err("it is a folder");
    assert_eq!(names(folder.path()), [NAME]);
}

#[test]
fn file_may_be_read_by_whoever_may_read_others_of_this_process() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = folder_with(NEW);
    fs::write(folder.path().join("another"), "").expect("written");
    let mode = |name| {
        let metadata = fs::metadata(folder.path().join(name)).expect("there");
        metadata.permissions().mode()
    };
    assert_eq!(mode(NAME), mode("another"));
}
