//! Named points in the code at which a process can be made to kill itself, as `kill -9`
//! would: to see what the others, and its own files, make of a death just there.
//!
//! Whoever writes a step that outlives the process puts a point before it and one after
//! it, and nothing else: a point takes no part in what happens around it. One that is not
//! armed costs one relaxed load. Arming is for whoever may kill the process anyway; the
//! node refuses it unless its configuration says `chaos.enabled` (ADR 17).
//!
//! What it is not: a way to return errors, to delay or to skip. A process that has been
//! killed makes no excuses; one that goes on with a made-up error would be another program.

mod points;

use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;

use rustix::process::{Signal, getpid, kill_process};

pub use points::{Failpoint, UnknownFailpoint};

/// For each point: after how many more hits the process dies; 0 if it is not armed.
static HITS_LEFT: [AtomicU32; Failpoint::ALL.len()] =
    [const { AtomicU32::new(0) }; Failpoint::ALL.len()];

impl Failpoint {
    /// Passes the point, unless it is armed and this is the hit that was asked for: then
    /// this never returns, and no destructor and no other thread runs any more.
    pub fn hit(self) {
        // Relaxed: what is armed concerns no other memory.
        if self.hits_left().load(Ordering::Relaxed) != 0 && self.is_last_hit() {
            die();
        }
    }

    /// From now on, the `hits`-th hit kills the process. 0 disarms.
    pub fn arm(self, hits: u32) {
        self.hits_left().store(hits, Ordering::Relaxed);
    }

    /// Hits that are left until the process dies; 0 if the point is not armed.
    #[must_use]
    pub fn armed(self) -> u32 {
        self.hits_left().load(Ordering::Relaxed)
    }

    fn is_last_hit(self) -> bool {
        // Two threads may hit at once, and one may disarm meanwhile: no hit counts twice.
        let one_less = |left: u32| left.checked_sub(1);
        let before = self
            .hits_left()
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_less);
        before == Ok(1)
    }

    fn hits_left(self) -> &'static AtomicU32 {
        &HITS_LEFT[self as usize]
    }
}

/// The end. SIGKILL cannot be caught, and no thread outlives it.
fn die() -> ! {
    let killed = kill_process(getpid(), Signal::KILL);
    assert!(killed.is_ok(), "a process may kill itself");
    loop {
        thread::park();
    }
}

#[cfg(test)]
mod tests {
    use std::env;
    use std::os::unix::process::ExitStatusExt;
    use std::process::{Command, Stdio};

    use super::Failpoint;

    /// Set for the process that is to die.
    const VICTIM: &str = "MERIDIAN_FAILPOINTS_VICTIM";
    const SIGKILL: i32 = 9;

    #[test]
    fn process_dies_by_sigkill_at_the_hit_that_was_asked_for_and_not_before() {
        if env::var_os(VICTIM).is_some() {
            Failpoint::VoteBefore.arm(3);
            for _ in 0..2 {
                Failpoint::VoteBefore.hit();
                Failpoint::VoteAfter.hit();
            }
            assert_eq!(Failpoint::VoteBefore.armed(), 1);
            Failpoint::VoteBefore.hit();
            unreachable!("it is dead");
        }
        let itself = env::current_exe().expect("this test");
        let name = "process_dies_by_sigkill_at_the_hit_that_was_asked_for_and_not_before";
        let died = Command::new(itself)
            .args(["--exact", &format!("tests::{name}")])
            .env(VICTIM, "1")
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()
            .expect("it starts");
        assert_eq!(died.signal(), Some(SIGKILL), "{died}");
    }

    #[test]
    fn point_that_was_disarmed_is_passed() {
        Failpoint::ApplyBefore.arm(1);
        Failpoint::ApplyBefore.arm(0);
        Failpoint::ApplyBefore.hit();
        assert_eq!(Failpoint::ApplyBefore.armed(), 0);
    }
}
