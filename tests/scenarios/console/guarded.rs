//! The console where credentials are asked for: nobody sees anything before it has said who it
//! is, operators see what they see elsewhere, and others are told why they do not.

use std::process::Command;

use meridian_chaos::until;
use serde_json::Value;

use super::browser::{Browser, Credentials, Page};
use super::{DESK, PHONE, console, figures, holds, is_same, of, painted};
use crate::harness::{PATIENCE, Scenario, binary};

/// The node that asks for credentials.
const GUARDED: u64 = 1;

/// Makes an API key in a file of its node; answers it with its owner.
fn new_key(scenario: &Scenario, owner: &str, roles: &str) -> Credentials {
    let made = Command::new(binary())
        .args(["auth", "new-key", "--subject", owner, "--roles", roles])
        .arg("--file")
        .arg(scenario.folder_of(GUARDED).join("keys.toml"))
        .output();
    let told = String::from_utf8(made.expect("it runs").stdout).expect("text");
    let key = told.split_whitespace().find(|word| word.starts_with("mk_"));
    (owner.to_owned(), key.expect("a key").to_owned())
}

/// Three nodes, of which the first asks for credentials; an operator's, and a guest's.
async fn guarded() -> (Scenario, Credentials, Credentials) {
    let mut scenario = Scenario::start().await;
    let operator = new_key(&scenario, "olga", "operator");
    let guest = new_key(&scenario, "ann", "guest");
    let keys = scenario.folder_of(GUARDED).join("keys.toml");
    let keys = keys.display().to_string();
    scenario.configure(GUARDED, "auth", "api_keys_file", keys.into());
    scenario.cluster.stop(GUARDED).await.expect("it stops");
    scenario.cluster.restart(GUARDED).await.expect("it starts");
    (scenario, operator, guest)
}

async fn json_for(url: &str, (_, key): &Credentials) -> Value {
    let client = reqwest::Client::builder().no_proxy().build();
    let request = client.expect("a client").get(url);
    let answer = request.header("Authorization", format!("ApiKey {key}"));
    let answer = answer.send().await.expect("sent");
    assert_eq!(answer.status(), 200, "{url}");
    answer.json().await.expect("JSON")
}

/// A page with this heading, and nothing of the cluster on it.
async fn shows_only(page: &Page<'_>, heading: &str) {
    let title = format!("document.querySelector('h1')?.textContent === '{heading}'");
    holds(page, heading, &title).await;
    let parts = "document.querySelectorAll('[data-figure], script, link, img, section').length";
    assert_eq!(page.value(parts), 0, "{heading}");
    let text = page.value("document.documentElement.outerHTML");
    let text = text.as_str().expect("a page");
    for secret in ["us-east", "eu-west", "listings", "snapshot", "mk_"] {
        assert!(!text.contains(secret), "{secret}: {text}");
    }
    let wide = page.value("document.documentElement.scrollWidth - window.innerWidth");
    assert_eq!(wide, 0, "{heading}");
}

/// Every figure is that of the snapshot which the page shows, as a program reads it.
async fn shows_what_the_api_says(page: &Page<'_>, admin: &str, operator: &Credentials) {
    let at = "document.getElementById('at').textContent";
    let url = format!("{admin}/console/data/snapshot");
    let one = until(PATIENCE, "one snapshot, from both", async || {
        let snapshot = json_for(&url, operator).await;
        let before = page.value(at);
        let figures = figures(page);
        let is_one = before == snapshot["at"] && page.value(at) == before;
        is_one.then_some((snapshot, figures))
    });
    let (snapshot, figures) = one.await.expect("they are shared");
    assert!(figures.len() > 50, "{figures:?}");
    for (pointer, shown) in &figures {
        let told = snapshot.pointer(pointer).unwrap_or(&Value::Null);
        assert!(is_same(shown, told), "{pointer}: {shown}, {told}");
    }
    let status = json_for(&format!("{admin}/admin/v1/status"), operator).await;
    let place = snapshot["nodes"].as_array().expect("nodes").iter();
    let place = place.take_while(|node| node["node"] != GUARDED).count();
    let pointer = format!("/nodes/{place}/figures/listings");
    assert_eq!(of(&figures, &pointer), status["listings"].to_string());
}

#[tokio::test(flavor = "multi_thread")]
async fn console_shows_itself_to_operators_and_tells_others_why_it_does_not() {
    let Some(browser) = Browser::start() else {
        return;
    };
    let (scenario, operator, guest) = guarded().await;
    let listing = scenario.listing_at_home(2).await;
    let admin = console(&scenario, GUARDED);
    let url = format!("{admin}/console");

    let page = browser.open_as(Some(operator.clone()), &url, (DESK, "light"));
    painted(&page).await;
    let challenges = page.challenges();
    assert_eq!(
        challenges.len(),
        1,
        "asked once for all of it: {challenges:?}"
    );
    assert_eq!(challenges[0]["scheme"], "basic");
    assert_eq!(challenges[0]["realm"], "meridian console");
    shows_what_the_api_says(&page, &admin, &operator).await;
    page.value(&format!("location.hash = '#/listings/{listing}'"));
    let same = "[...document.querySelectorAll('#listing-stand .picture .badge')]\
                .filter((one) => one.textContent === 'same heads').length === 3";
    holds(&page, "the same heads in three regions", same).await;
    for linked in ["/admin/v1/docs", "/admin/v1/status", "/console/data/groups"] {
        let status = page.value(&format!("fetch('{linked}').then((it) => it.status)"));
        assert_eq!(status, 200, "{linked}");
    }
    assert_eq!(page.challenges().len(), 1, "it has said who it is");
    assert_eq!(browser.troubles(), Vec::<String>::new());

    let page = browser.open_as(None, &url, (PHONE, "dark"));
    shows_only(&page, "Who is asking?").await;
    assert_eq!(page.challenges().len(), 1);

    let page = browser.open_as(Some(guest), &url, (PHONE, "light"));
    shows_only(&page, "This is for operators").await;
    let told = page.value("document.body.innerText");
    let told = told.as_str().expect("a text");
    assert!(told.contains("your roles"), "{told}");
    assert!(told.contains("private window"), "{told}");
    assert_eq!(
        page.challenges().len(),
        1,
        "a known name is not asked again"
    );

    let forged = (operator.0, "mk_0000000000000000_x".to_owned());
    let page = browser.open_as(Some(forged), &url, (DESK, "dark"));
    shows_only(&page, "Who is asking?").await;
    assert_eq!(page.challenges().len(), 2, "it was not believed");
    scenario.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn address_with_a_name_and_a_key_in_it_opens_the_console() {
    let Some(browser) = Browser::start() else {
        return;
    };
    let (scenario, operator, _) = guarded().await;
    let listing = scenario.listing_at_home(3).await;
    let admin = console(&scenario, GUARDED);
    let (name, key) = &operator;
    let url = admin.replace("http://", &format!("http://{name}:{key}@"));
    let page = browser.open(&format!("{url}/console"), DESK, "dark");
    painted(&page).await;
    shows_what_the_api_says(&page, &admin, &operator).await;
    page.value(&format!("location.hash = '#/listings/{listing}'"));
    let there = format!("document.documentElement?.dataset.listing === '{listing}'");
    holds(&page, "the listing", &there).await;
    let slots = "document.querySelector('#listing-slots') !== null";
    holds(&page, "its ledger", slots).await;
    assert_eq!(browser.troubles(), Vec::<String>::new());
    scenario.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn page_whose_key_is_withdrawn_says_so_and_does_not_ask_for_ever() {
    let Some(browser) = Browser::start() else {
        return;
    };
    let (scenario, operator, _) = guarded().await;
    let admin = console(&scenario, GUARDED);
    let page = browser.open_as(Some(operator), &format!("{admin}/console"), (DESK, "light"));
    painted(&page).await;
    // The node goes on meanwhile: it ends the stream of a key that it does not know any more.
    let keys = scenario.folder_of(GUARDED).join("keys.toml");
    std::fs::remove_file(keys).expect("it was there");
    new_key(&scenario, "olga", "operator");
    let word = "document.getElementById('pulse-word').textContent.includes('load the page again')";
    holds(&page, "what to do", word).await;
    // For the stream, and to find out why that is refused.
    assert_eq!(page.challenges().len(), 3);
    let state = page.value("document.getElementById('pulse').dataset.state");
    assert_eq!(state, "late");
    scenario.stop().await;
}
