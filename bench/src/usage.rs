//! What a process has used, as Linux counts it.

use std::collections::BTreeSet;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::Duration;

use anyhow::Context;

/// Ticks of a second in /proc, on every Linux that Rust runs on.
const TICKS_PER_SECOND: u64 = 100;
/// What Linux counts a file's blocks in, whatever the file system's are.
const BLOCK_BYTES: u64 = 512;
/// Stands for the peak of resident memory, to the kernel.
const PEAK: &str = "5";

/// Processor time of the processes together, of users and kernel. One that has ended
/// counts nothing.
pub(crate) fn processor_time(processes: &[u32]) -> Duration {
    let ticks: u64 = processes.iter().filter_map(|pid| ticks_of(*pid)).sum();
    Duration::from_millis(ticks * 1_000 / TICKS_PER_SECOND)
}

/// Bytes that the processes together have sent to the disk.
pub(crate) fn written_bytes(processes: &[u32]) -> u64 {
    processes
        .iter()
        .filter_map(|pid| std::fs::read_to_string(format!("/proc/{pid}/io")).ok())
        .filter_map(|io| {
            let mut lines = io.lines().filter_map(|line| line.split_once(": "));
            lines
                .find(|(name, _)| *name == "write_bytes")?
                .1
                .parse::<u64>()
                .ok()
        })
        .sum()
}

/// Resident memory of this process, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Memory {
    pub(crate) resident: u64,
    /// The most since the peak was forgotten.
    pub(crate) peak: u64,
}

/// What this process takes now.
pub(crate) fn own_memory() -> anyhow::Result<Memory> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    parse_memory(&status).context("/proc/self/status does not say what memory is taken")
}

/// From now on the peak is a new one.
pub(crate) fn forget_peak() -> anyhow::Result<()> {
    std::fs::write("/proc/self/clear_refs", PEAK).context("the peak of memory cannot be forgotten")
}

fn parse_memory(status: &str) -> Option<Memory> {
    let of = |name: &str| {
        let mut lines = status.lines().filter_map(|line| line.split_once(':'));
        let (_, value) = lines.find(|(field, _)| *field == name)?;
        let kib: u64 = value.split_whitespace().next()?.parse().ok()?;
        Some(kib * 1_024)
    };
    Some(Memory {
        resident: of("VmRSS")?,
        peak: of("VmHWM")?,
    })
}

/// Bytes that a folder takes on disk; a table that two databases share counts once.
pub(crate) fn folder_bytes(folder: &Path) -> anyhow::Result<u64> {
    let mut seen = BTreeSet::new();
    let mut bytes = 0;
    let mut folders = vec![folder.to_path_buf()];
    while let Some(next) = folders.pop() {
        for entry in std::fs::read_dir(next)? {
            let entry = entry?;
            // A database deletes what it has merged.
            let Ok(about) = entry.metadata() else {
                continue;
            };
            if about.is_dir() {
                folders.push(entry.path());
            } else if seen.insert(about.ino()) {
                bytes += about.blocks() * BLOCK_BYTES;
            }
        }
    }
    Ok(bytes)
}

fn ticks_of(pid: u32) -> Option<u64> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    parse(&stat)
}

/// Fields 14 and 15; a process' name may contain anything, but ends with the last
/// parenthesis.
fn parse(stat: &str) -> Option<u64> {
    let (_, fields) = stat.rsplit_once(')')?;
    let mut fields = fields.split_whitespace().skip(11);
    let user: u64 = fields.next()?.parse().ok()?;
    let kernel: u64 = fields.next()?.parse().ok()?;
    Some(user + kernel)
}

#[cfg(test)]
mod tests {
    use super::{Memory, folder_bytes, parse, parse_memory};

    #[test]
    fn times_are_found_behind_any_name() {
        let stat = "7 (a) b) S 1 7 7 0 -1 4194304 100 0 0 0 250 50 0 0 20 0 1 0 99";
        assert_eq!(parse(stat), Some(300));
        assert_eq!(parse(""), None);
    }

    #[test]
    fn memory_is_told_in_bytes_and_its_peak_apart() {
        let status = "Name:\tbench\nVmHWM:\t    2048 kB\nVmRSS:\t    1024 kB\n";
        let (resident, peak) = (1 << 20, 2 << 20);
        assert_eq!(parse_memory(status), Some(Memory { resident, peak }));
        assert_eq!(parse_memory("VmRSS:\t1 kB"), None);
    }

    #[test]
    fn table_of_two_databases_counts_once() {
        let folder = tempfile::TempDir::new().expect("a folder");
        let (first, second) = (folder.path().join("a"), folder.path().join("b"));
        std::fs::create_dir(&second).expect("made");
        std::fs::write(&first, vec![1; 8_192]).expect("written");
        let alone = folder_bytes(folder.path()).expect("readable");
        std::fs::hard_link(&first, second.join("a")).expect("linked");
        assert_eq!(folder_bytes(folder.path()).expect("readable"), alone);
    }
}
