//! The page in a browser: what it shows is what the JSON says, and its script runs.

use std::path::Path;
use std::process::Command;

use super::super::{html, json};
use super::{assert_same_figures, sample};

/// Names under which Chromium is installed.
const BROWSERS: [&str; 3] = ["chromium", "chromium-browser", "google-chrome"];

/// Nothing but the page: no first run, no updates, no accounts, no way out.
const ARGUMENTS: [&str; 10] = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--timeout=60000",
    "--host-resolver-rules=MAP * ~NOTFOUND",
];

/// A browser that starts, or nothing, said loudly.
fn browser() -> Option<&'static str> {
    let starts = |name: &&str| {
        let version = Command::new(name).arg("--version").output();
        version.is_ok_and(|output| output.status.success())
    };
    let found = BROWSERS.into_iter().find(starts);
    if found.is_none() {
        eprintln!("SKIPPED: Chromium is not installed (apt-get install chromium)");
    }
    found
}

/// The page as the browser has it once its script has run.
fn dumped(browser: &str, page: &Path, profile: &Path) -> String {
    let output = Command::new(browser)
        .args(ARGUMENTS)
        .arg(format!("--user-data-dir={}", profile.display()))
        .arg("--dump-dom")
        .arg(format!("file://{}", page.display()))
        .output()
        .expect("it has started before");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).expect("UTF-8")
}

#[test]
fn browser_shows_the_figures_of_the_json() {
    let Some(browser) = browser() else {
        return;
    };
    let run = sample::run(2_000, 90);
    let findings = sample::findings();
    let folder = tempfile::tempdir().expect("a folder");
    let page = folder.path().join("report.html");
    std::fs::write(&page, html(&run, &findings)).expect("written");
    let dom = dumped(browser, &page, &folder.path().join("profile"));
    assert_same_figures(&dom, &json(&run, &findings));
    assert!(dom.contains("<strong data-figure=\"/verdict\">Fail</strong>"));
    let (_, button) = dom.split_once("data-copies=\"rerun\"").expect("a button");
    let button = button.split('>').next().unwrap_or_default();
    assert!(
        !button.contains("hidden"),
        "the page's own script was not let run"
    );
}
