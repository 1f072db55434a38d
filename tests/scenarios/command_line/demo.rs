//! The demo, as people start and end it.

use std::io::{BufRead, BufReader};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};

use meridian_chaos::until;
use tempfile::TempDir;

use crate::harness::{PATIENCE, binary};

/// A demo in a process group of its own, as a shell starts it.
struct Demo {
    child: Child,
    said: BufReader<ChildStdout>,
    /// What it takes for the system's temporary folder.
    folder: TempDir,
}

impl Demo {
    fn start(arguments: &[&str]) -> Self {
        let folder = TempDir::new().expect("a folder");
        let mut child = Command::new(binary())
            .arg("demo")
            .args(arguments)
            .env("TMPDIR", folder.path())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn()
            .expect("it runs");
        let said = BufReader::new(child.stdout.take().expect("a pipe"));
        Self {
            child,
            said,
            folder,
        }
    }

    /// Reads what it says up to a line with `word` in it.
    fn until_it_says(&mut self, word: &str) -> Vec<String> {
        let mut lines = Vec::new();
        while !lines
            .last()
            .is_some_and(|line: &String| line.contains(word))
        {
            let mut line = String::new();
            let read = self.said.read_line(&mut line).expect("text");
            assert!(read > 0, "it ended without saying `{word}`: {lines:?}");
            lines.push(line.trim().to_owned());
        }
        lines
    }

    /// Signals its whole group, as the terminal does at Ctrl-C.
    fn signal(&self, signal: &str) {
        let kill = format!("kill -{signal} -{}", self.child.id());
        let sent = Command::new("sh").args(["-c", &kill]).status();
        assert!(sent.expect("a shell").success(), "{kill}");
    }

    /// Waits for its end; nothing of it is left then.
    fn ended(mut self) -> Option<i32> {
        let status = self.child.wait().expect("a child");
        assert_eq!(nodes_of(self.folder.path()), 0, "a node is left behind");
        let mut left = self.folder.path().read_dir().expect("a folder");
        assert!(left.next().is_none(), "a folder is left behind");
        status.code()
    }
}

impl Drop for Demo {
    /// A failed test leaves no demo behind.
    fn drop(&mut self) {
        if self.child.try_wait().is_ok_and(|ended| ended.is_none()) {
            self.signal("KILL");
            let _ = self.child.wait();
        }
    }
}

/// Processes that run the binary under test from a folder.
fn nodes_of(folder: &Path) -> usize {
    let folder = folder.to_string_lossy().into_owned();
    let processes = std::fs::read_dir("/proc").expect("Linux").flatten();
    processes
        .filter_map(|process| std::fs::read(process.path().join("cmdline")).ok())
        .filter(|line| String::from_utf8_lossy(line).contains(&folder))
        .count()
}

#[test]
fn smoke_run_passes_and_leaves_nothing_behind() {
    let mut demo = Demo::start(&["--smoke"]);
    demo.until_it_says("PASS");
    assert_eq!(demo.ended(), Some(0));
}

#[test]
fn interrupted_smoke_run_is_no_pass_and_leaves_nothing_behind() {
    for moment in ["starting three regions", "ready after", "measuring"] {
        for signal in ["INT", "TERM"] {
            let mut demo = Demo::start(&["--smoke"]);
            demo.until_it_says(moment);
            demo.signal(signal);
            demo.until_it_says("stopping");
            assert_eq!(demo.ended(), Some(130), "{signal} at `{moment}`");
        }
    }
}

/// The signal goes to everybody in the demo's group: to a child too that has been born
/// into it and has not left it yet. One time in ten it finds one.
#[test]
fn ctrl_c_never_makes_a_failure_of_the_preparation() {
    for _ in 0..30 {
        let mut demo = Demo::start(&["--smoke"]);
        demo.until_it_says("starting three regions");
        demo.signal("INT");
        demo.until_it_says("stopping");
        assert_eq!(demo.ended(), Some(130));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nodes_end_with_a_demo_that_is_killed() {
    let mut demo = Demo::start(&["--smoke"]);
    demo.until_it_says("ready after");
    assert_eq!(nodes_of(demo.folder.path()), 3);
    demo.signal("KILL");
    until(PATIENCE, "no node is left", async || {
        (nodes_of(demo.folder.path()) == 0).then_some(())
    })
    .await
    .expect("they end");
}

#[test]
fn commands_that_the_demo_prints_work_and_ctrl_c_ends_it() {
    let mut demo = Demo::start(&["--first-port", "0"]);
    let lines = demo.until_it_says("Ctrl-C stops");
    let command = |words: &str| {
        let line = lines.iter().find(|line| line.contains(words));
        let mut shell = Command::new("sh");
        shell.arg("-c").arg(line.expect("it is printed"));
        shell
    };
    for words in ["listing edit", "booking hold"] {
        let output = command(words).output().expect("a shell");
        assert!(output.status.success(), "{words}: {output:?}");
    }
    let mut watch = command("listing watch")
        .stdout(Stdio::piped())
        .spawn()
        .expect("a shell");
    let mut events = BufReader::new(watch.stdout.take().expect("a pipe"));
    let mut event = String::new();
    events.read_line(&mut event).expect("text");
    assert!(!event.is_empty(), "a change is shown");
    demo.until_it_says("double bookings 0 · diverged listings 0");
    demo.signal("INT");
    demo.until_it_says("stopping");
    assert_eq!(demo.ended(), Some(0));
    let ended = watch.wait().expect("a child");
    assert!(ended.success(), "a stream that the node ends is no failure");
}
