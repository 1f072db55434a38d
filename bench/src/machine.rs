//! What the numbers were measured on.

use std::fmt;
use std::path::Path;
use std::process::Command;

use serde::Serialize;

/// The machine, as far as it explains numbers.
#[derive(Debug, Serialize)]
pub(crate) struct Machine {
    cores: usize,
    processor: String,
    memory_kib: u64,
    kernel: String,
    /// Type of the file system under the databases.
    file_system: String,
    commit: String,
    at: String,
    /// Work of others when the run began, as the 1-minute load.
    load: String,
}

impl Machine {
    /// Looks at it; what cannot be found out stays empty.
    pub(crate) fn look(folder: &Path) -> Self {
        let folder = folder.to_string_lossy();
        Self {
            cores: std::thread::available_parallelism().map_or(0, usize::from),
            processor: field("/proc/cpuinfo", "model name"),
            memory_kib: field("/proc/meminfo", "MemTotal")
                .trim_end_matches(" kB")
                .parse()
                .unwrap_or(0),
            kernel: said("uname", &["-r"]),
            file_system: said("stat", &["--file-system", "--format=%T", &folder]),
            commit: said("git", &["describe", "--always", "--dirty"]),
            at: jiff::Timestamp::now().to_string(),
            load: std::fs::read_to_string("/proc/loadavg")
                .unwrap_or_default()
                .split(' ')
                .next()
                .unwrap_or_default()
                .to_owned(),
        }
    }
}

impl fmt::Display for Machine {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            formatter,
            "{} cores of {}, {} MiB, Linux {}, {}, load {} at the start; commit {}, {}",
            self.cores,
            self.processor,
            self.memory_kib / 1_024,
            self.kernel,
            self.file_system,
            self.load,
            self.commit,
            self.at
        )?;
        if self.file_system == "tmpfs" {
            write!(
                formatter,
                "\nWARNING: tmpfs makes fsync free; name a folder on a disk with --dir"
            )?;
        }
        Ok(())
    }
}

fn said(program: &str, arguments: &[&str]) -> String {
    Command::new(program)
        .args(arguments)
        .output()
        .map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned())
        .unwrap_or_default()
}

/// The first `name: value` of a file in /proc.
fn field(path: &str, name: &str) -> String {
    std::fs::read_to_string(path)
        .unwrap_or_default()
        .lines()
        .filter_map(|line| line.split_once(':'))
        .find(|(key, _)| key.trim() == name)
        .map(|(_, value)| value.trim().to_owned())
        .unwrap_or_default()
}
