//! The processes of nodes, as the system shows them.

use std::io;

use rustix::process::{Pid, Signal, kill_process};

use super::error::{FaultError, system};
use super::scene::Scene;
use crate::cluster::{ClusterError, RunningNode};

/// The process id of each of these nodes.
pub(super) fn of(scene: &Scene, nodes: &[u64]) -> Result<Vec<(u64, u32)>, FaultError> {
    let pid_of = |node: &u64| {
        let pid = scene.own()?.node(*node)?.process_id();
        Ok((*node, pid.ok_or(ClusterError::NotRunning(*node))?))
    };
    let found: Result<Vec<_>, ClusterError> = nodes.iter().map(pid_of).collect();
    Ok(found?)
}

/// The state of a process: `R`, `S`, `T`, …; `None` if there is none, or nothing but its
/// exit code is left of it.
pub(super) fn state(pid: u32) -> Option<char> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name before it may hold anything, parentheses included.
    let (_, rest) = stat.rsplit_once(')')?;
    rest.trim_start()
        .chars()
        .next()
        .filter(|state| *state != 'Z')
}

/// As reports name them.
pub(super) fn listed(processes: &[(u64, u32)]) -> String {
    let each = processes.iter();
    let each: Vec<String> = each
        .map(|(node, pid)| format!("node {node} (process {pid})"))
        .collect();
    each.join(", ")
}

/// Whether this is still the node's process: a number is not asked to mean somebody else.
pub(super) fn is_still(scene: &Scene, node: u64, pid: u32) -> bool {
    let known = scene.own().and_then(|cluster| cluster.node(node)).ok();
    known.and_then(RunningNode::process_id) == Some(pid)
}

/// Sends a signal to a node's process.
pub(super) fn signal(node: u64, pid: u32, signal: Signal) -> Result<(), FaultError> {
    let doing = format!("sending {signal:?} to node {node}");
    let pid = i32::try_from(pid).ok().and_then(Pid::from_raw);
    let sent = pid.map_or(Err(rustix::io::Errno::SRCH), |pid| {
        kill_process(pid, signal)
    });
    sent.map_err(|cause| system(doing)(io::Error::from_raw_os_error(cause.raw_os_error())))
}

#[cfg(test)]
mod tests {
    use std::process::{Child, Command, Stdio};
    use std::time::Duration;

    use rustix::process::Signal;

    use super::{signal, state};
    use crate::until::until;

    const PATIENCE: Duration = Duration::from_secs(30);

    /// Waits for input that never comes.
    fn process() -> Child {
        let mut waits = Command::new("cat");
        let waits = waits.stdin(Stdio::piped()).stdout(Stdio::null()).spawn();
        waits.expect("it starts")
    }

    async fn becomes(pid: u32, wanted: Option<char>) {
        until(PATIENCE, format!("{wanted:?}"), async || {
            (state(pid) == wanted).then_some(())
        })
        .await
        .expect("it becomes so");
    }

    #[tokio::test]
    async fn stopped_continued_and_dead_processes_are_told_apart() {
        let mut child = process();
        let pid = child.id();
        signal(1, pid, Signal::STOP).expect("sent");
        becomes(pid, Some('T')).await;
        signal(1, pid, Signal::CONT).expect("sent");
        becomes(pid, Some('S')).await;
        child.kill().expect("killed");
        // Nothing but an exit code is left of it, then not even that.
        becomes(pid, None).await;
        child.wait().expect("it ended");
        assert_eq!(state(pid), None);
        let gone = signal(1, pid, Signal::CONT).expect_err("it is gone");
        assert!(gone.to_string().contains("to node 1"), "{gone}");
    }
}
