//! The system's `ip` and what it says.

use std::io::{self, Write as _};
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::Value;

/// Folder of the namespaces that have names.
pub(super) const NAMED: &str = "/run/netns";

/// Runs commands of `ip`, one after the other, until one fails.
pub(super) fn run(commands: &[&str]) -> io::Result<()> {
    batch(Command::new("ip"), commands)
}

/// The same in a namespace.
pub(super) fn run_in(namespace: &str, commands: &[&str]) -> io::Result<()> {
    let mut ip = Command::new("ip");
    ip.args(["-n", namespace]);
    batch(ip, commands)
}

/// Removes an interface or a namespace; that it is not there is as good.
pub(super) fn remove(command: &str) {
    let mut ip = Command::new("ip");
    ip.args(command.split(' ')).stderr(Stdio::null());
    let _ = ip.status();
}

/// Packets of an interface that the system threw away.
pub(super) fn dropped(namespace: &str, interface: &str) -> Option<u64> {
    let mut ip = Command::new("ip");
    ip.args([
        "-n", namespace, "-j", "-s", "link", "show", "dev", interface,
    ]);
    let said: Value = serde_json::from_slice(&ip.output().ok()?.stdout).ok()?;
    said[0]["stats64"]["tx"]["dropped"].as_u64()
}

/// Whether there is such a program.
pub(super) fn is_here(program: &str) -> bool {
    let folders = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&folders).any(|folder: std::path::PathBuf| folder.join(program).is_file())
}

/// Names of all namespaces that have one.
pub(super) fn namespaces() -> Vec<String> {
    let entries = std::fs::read_dir(Path::new(NAMED))
        .into_iter()
        .flatten()
        .flatten();
    entries
        .filter_map(|entry| entry.file_name().into_string().ok())
        .collect()
}

/// Names of the interfaces of this machine that begin so.
pub(super) fn interfaces(prefix: &str) -> Vec<String> {
    let entries = std::fs::read_dir("/sys/class/net")
        .into_iter()
        .flatten()
        .flatten();
    let names = entries.filter_map(|entry| entry.file_name().into_string().ok());
    names.filter(|name| name.starts_with(prefix)).collect()
}

fn batch(mut ip: Command, commands: &[&str]) -> io::Result<()> {
    let mut running = ip
        .args(["-batch", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()?;
    if let Some(mut input) = running.stdin.take() {
        // It is closed at the end: `ip` reads no further.
        input.write_all(commands.join("\n").as_bytes())?;
        input.write_all(b"\n")?;
    }
    let ended = running.wait_with_output()?;
    if ended.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&ended.stderr);
    Err(io::Error::other(format!("`ip` refuses: {}", said.trim())))
}
