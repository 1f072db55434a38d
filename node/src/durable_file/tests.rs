//! A file is replaced while the power fails, while another replaces it, and where it cannot be.

use std::fs::{self, File};
use std::io::ErrorKind;
use std::path::Path;
use std::thread;
use std::time::SystemTime;

use tempfile::TempDir;

use super::{LEFT_BEHIND_AFTER, Step, replace, replace_by_steps, unfinished};

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

/// What is there after a power cut: of a text that is not on the disk, a part.
fn after_a_power_cut(folder: &Path, done: &[Step]) -> TempDir {
    let left = TempDir::new().expect("a folder");
    for name in names(folder) {
        let mut text = fs::read_to_string(folder.join(&name)).expect("readable");
        if text == NEW && !done.contains(&Step::Synced) {
            text.truncate(NEW.len() / 2);
        }
        fs::write(left.path().join(name), text).expect("written");
    }
    left
}

#[test]
fn power_cut_after_any_step_leaves_the_old_text_or_the_new_one() {
    let folder = folder_with(OLD);
    let (mut done, mut found) = (Vec::new(), Vec::new());
    let replaced = replace_by_steps(folder.path(), NAME, NEW, |step| {
        done.push(step);
        let left = after_a_power_cut(folder.path(), &done);
        found.push(read(left.path()));
        // And the next life is not hindered by what it finds.
        replace(left.path(), NAME, "later").expect("written");
        assert_eq!(read(left.path()), "later");
    });
    replaced.expect("written");
    assert_eq!(found, [OLD, OLD, OLD, NEW]);
    assert_eq!(done.len(), found.len());
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
