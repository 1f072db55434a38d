//! Inputs that are kept in the repository, and the one that a failure leaves.

use std::fs;
use std::path::PathBuf;

use crate::place;

/// Inputs of a target that are kept: `fuzz/corpus/<target>/`, in the order of their names.
pub(crate) fn kept(target: &str) -> Vec<Vec<u8>> {
    let folder = place::folder().join("corpus").join(target);
    let Ok(files) = fs::read_dir(&folder) else {
        return Vec::new();
    };
    let mut files: Vec<PathBuf> = files.flatten().map(|file| file.path()).collect();
    files.sort();
    let inputs = files.iter().map(|file| fs::read(file).expect("readable"));
    inputs.collect()
}

/// Leaves an input that fails where it can be looked at, and says where.
pub(crate) fn leave(target: &str, input: &[u8]) -> PathBuf {
    let path = std::env::temp_dir().join(format!("meridian-fuzz-{target}"));
    // Its bytes are in the message too.
    let _ = fs::write(&path, input);
    path
}
