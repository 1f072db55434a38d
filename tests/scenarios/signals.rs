//! Signals to processes, without the program `kill`, which a small system does not have.

pub(crate) use rustix::process::Signal;
use rustix::process::{Pid, kill_process};

/// Sends a process a signal.
pub(crate) fn send(process: u32, signal: Signal) {
    let pid = i32::try_from(process).ok().and_then(Pid::from_raw);
    let sent = kill_process(pid.expect("the number of a process"), signal);
    sent.expect("it is there, and ours");
}
