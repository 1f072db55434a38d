//! The console of a cluster that asks for credentials: a browser asks its user for them once.

use std::path::Path;
use std::process::Command;

use meridian_chaos::WanPlan;
use serde_json::Value;
use tempfile::TempDir;

use super::{DESK, console, figures, holds, of, painted};
use crate::console::browser::Browser;
use crate::harness::{LINK_DIVISOR, Scenario, binary, draft};

/// Makes an operator's key, and the file that nodes know it by.
fn operators_key(file: &Path) -> String {
    let made = Command::new(binary())
        .args([
            "auth",
            "new-key",
            "--subject",
            "olga",
            "--roles",
            "operator",
        ])
        .arg("--file")
        .arg(file)
        .output()
        .expect("it runs");
    assert!(made.status.success(), "{made:?}");
    let key = String::from_utf8(made.stdout).expect("text");
    key.trim().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn operator_looks_at_the_console_with_a_key_and_nobody_without() {
    let Some(browser) = Browser::start() else {
        return;
    };
    let folder = TempDir::new().expect("a folder");
    let file = folder.path().join("keys.toml");
    let key = operators_key(&file);
    let settings = vec![format!("auth.api_keys_file={}", file.display())];
    let scenario = Scenario::start_with(WanPlan::scaled_down(LINK_DIVISOR), settings).await;
    let http = reqwest::Client::builder().no_proxy().build();
    let http = http.expect("a client");
    let shown = format!("ApiKey {key}");
    let node = scenario.cluster.node_in("us-east").expect("a node");
    let made = http
        .post(format!("http://{}/v1/listings", node.api))
        .header("Authorization", &shown)
        .json(&draft("Loft"))
        .send()
        .await
        .expect("sent");
    assert_eq!(made.status(), 201);
    let made: Value = made.json().await.expect("JSON");
    let listing = made["id"].as_str().expect("an id");

    let admin = console(&scenario, 1);
    let nobody = http.get(format!("{admin}/console")).send().await;
    assert_eq!(nobody.expect("sent").status(), 401);
    // What its user types into the browser's form is what stands in this address, and it sends
    // it from then on.
    let status = format!("http://olga:{key}@{}/admin/v1/status", node.admin);
    let page = browser.open(&status, DESK, "light");
    let told = "document.body?.innerText.includes('\"listings\"') === true";
    holds(&page, "the status", told).await;
    let page = browser.open(&format!("{admin}/console"), DESK, "light");
    painted(&page).await;
    let one =
        "document.querySelector('[data-figure=\"/nodes/0/figures/listings\"]')?.value === '1'";
    holds(&page, "the listing to be counted", one).await;
    let told = http
        .get(format!("{admin}/admin/v1/status"))
        .header("Authorization", &shown);
    let told = told.send().await.expect("sent");
    let told: Value = told.json().await.expect("JSON");
    let figures = figures(&page);
    assert_eq!(
        of(&figures, "/nodes/0/figures/listings"),
        told["listings"].to_string()
    );
    // A script of the page asks for the listing.
    page.value(&format!("location.hash = '#/listings/{listing}'"));
    let there = format!("document.documentElement?.dataset.listing === '{listing}'");
    holds(&page, "the listing", &there).await;
    assert_eq!(
        page.value("document.getElementById('listing-title').textContent"),
        "Loft"
    );
    assert_eq!(browser.troubles(), Vec::<String>::new());
    scenario.stop().await;
}
