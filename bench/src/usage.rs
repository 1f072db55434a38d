//! What a process has used, as Linux counts it.

use std::time::Duration;

/// Ticks of a second in /proc, on every Linux that Rust runs on.
const TICKS_PER_SECOND: u64 = 100;

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
    use super::parse;

    #[test]
    fn times_are_found_behind_any_name() {
        let stat = "7 (a) b) S 1 7 7 0 -1 4194304 100 0 0 0 250 50 0 0 20 0 1 0 99";
        assert_eq!(parse(stat), Some(300));
        assert_eq!(parse(""), None);
    }
}
