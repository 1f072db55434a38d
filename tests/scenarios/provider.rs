//! A sandbox that every node of a cluster shares, and its book.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::Stdio;

use serde_json::Value;
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

use crate::harness::{binary, text};

/// How often the provider did what for one booking.
pub(crate) type Deeds = BTreeMap<String, usize>;

/// A payment provider in a process of its own: what it has done outlives every node.
pub(crate) struct Provider {
    url: String,
    book: PathBuf,
    secret: PathBuf,
    _running: Child,
    _folder: TempDir,
}

impl Provider {
    pub(crate) async fn start() -> Self {
        let folder = TempDir::new().expect("a folder");
        let book = folder.path().join("book.jsonl");
        let secret = folder.path().join("payments.key");
        std::fs::write(&secret, "sk_test_scenario").expect("writable");
        let mut running = Command::new(binary())
            .args(["sandbox-payments", "--listen", "127.0.0.1:0", "--book"])
            .arg(&book)
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect("the binary starts");
        let out = running.stdout.take().expect("it is piped");
        let line = BufReader::new(out).lines().next_line().await;
        let line = line.expect("readable").expect("it says where it listens");
        let url = line.rsplit(' ').next().expect("an address").to_owned();
        Self {
            url,
            book,
            secret,
            _running: running,
            _folder: folder,
        }
    }

    /// What tells a node of it.
    pub(crate) fn settings(&self) -> Vec<String> {
        vec![
            "payments.provider=stripe".to_owned(),
            format!("payments.url={}", self.url),
            format!("payments.secret_file={}", self.secret.display()),
        ]
    }

    /// Everything in its book, by booking.
    pub(crate) fn deeds(&self) -> BTreeMap<String, Deeds> {
        let mut all: BTreeMap<String, Deeds> = BTreeMap::new();
        for line in std::fs::read_to_string(&self.book).expect("a book").lines() {
            let line: Value = serde_json::from_str(line).expect("JSON");
            let deeds = all.entry(text(&line["key"])).or_default();
            *deeds.entry(text(&line["deed"])).or_default() += 1;
        }
        all
    }

    /// What it did for one booking.
    pub(crate) fn deeds_for(&self, booking: &str) -> Deeds {
        self.deeds().remove(booking).unwrap_or_default()
    }
}
