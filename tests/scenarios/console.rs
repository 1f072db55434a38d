//! The console in a real browser, beside a real cluster: its figures are those of the APIs,
//! what people have written stays text, and it can be used on a phone and by keyboard.

mod browser;
mod guarded;
mod series;

use std::time::Duration;

use meridian_chaos::until;
use serde_json::{Value, json};

use self::browser::{Browser, Page};
use crate::harness::{PATIENCE, Scenario, book_surely, draft, stay, text};

const DESK: (u32, u32) = (1_360, 900);
const PHONE: (u32, u32) = (360, 780);
/// A title that would run a script, and load a picture, if it became markup.
const EVIL: &str =
    "<script>window.pwned = 1</script><img id=pwned src=x onerror=\"window.pwned = 1\">Loft";
/// Far more than a first paint takes on any machine, and far less than one that waits for another
/// region, a second script from elsewhere, or a font.
const FIRST_PAINT_MS_MAX: f64 = 5_000.0;

fn console(scenario: &Scenario, node: u64) -> String {
    let mut nodes = scenario.cluster.nodes();
    let found = nodes.find(|known| known.id == node);
    format!("http://{}", found.expect("a node of the cluster").admin)
}

async fn json_of(url: &str) -> Value {
    let client = reqwest::Client::builder().no_proxy().build();
    let answer = client.expect("a client").get(url).send().await;
    answer.expect("sent").json().await.expect("JSON")
}

/// Waits until an expression is true in the page.
async fn holds(page: &Page<'_>, what: &str, expression: &str) {
    holds_within(PATIENCE, page, what, expression).await;
}

async fn holds_within(patience: Duration, page: &Page<'_>, what: &str, expression: &str) {
    let held = until(patience, what.to_owned(), async || {
        (page.value(expression) == true).then_some(())
    });
    if held.await.is_err() {
        let seen = page.value("document.body.innerText");
        panic!("{what}: the page shows\n{seen}");
    }
}

async fn painted(page: &Page<'_>) {
    let all = "document.documentElement?.dataset.painted === 'cluster' \
               && document.getElementById('pulse')?.dataset.state === 'live'";
    holds(page, "the first live snapshot", all).await;
}

/// Every figure on the page: where it stands in the JSON, and its value there.
fn figures(page: &Page<'_>) -> Vec<(String, String)> {
    let all = page.value(
        "[...document.querySelectorAll('[data-figure]')].map((one) => [one.dataset.figure, one.value])",
    );
    serde_json::from_value(all).expect("pairs of texts")
}

/// Whether the page's figure is this value of JSON; of a list of counts, their sum.
fn is_same(shown: &str, told: &Value) -> bool {
    match told {
        Value::Null => shown.is_empty(),
        Value::String(text) => shown == text,
        Value::Number(number) => {
            let shown: Option<f64> = shown.parse().ok();
            let both = shown.zip(number.as_f64());
            // Reading JSON may lose the last bit.
            both.is_some_and(|(shown, told)| (shown - told).abs() <= 1e-9 * told.abs())
        }
        Value::Array(counts) => {
            let sum: u64 = counts.iter().filter_map(Value::as_u64).sum();
            shown == sum.to_string()
        }
        _ => false,
    }
}

/// A snapshot, and the figures that the page showed of this very one.
async fn shown_of_one_snapshot(page: &Page<'_>, admin: &str) -> (Value, Vec<(String, String)>) {
    until(PATIENCE, "one snapshot, from both", async || {
        let snapshot = json_of(&format!("{admin}/console/data/snapshot")).await;
        let at = "document.getElementById('at').textContent";
        let before = page.value(at);
        let figures = figures(page);
        let is_one = before == snapshot["at"] && page.value(at) == before;
        is_one.then_some((snapshot, figures))
    })
    .await
    .expect("they are shared")
}

fn of<'a>(figures: &'a [(String, String)], pointer: &str) -> &'a str {
    let found = figures.iter().find(|(known, _)| known == pointer);
    &found
        .unwrap_or_else(|| panic!("{pointer} is on the page"))
        .1
}

/// What each node's own API says of it, and what node 1 says of the regions.
async fn assert_as_nodes_say(scenario: &Scenario, figures: &[(String, String)]) {
    for (at, node) in scenario.cluster.ids().into_iter().enumerate() {
        let status = scenario.cluster.admin(node).expect("a node").status().await;
        let status = status.expect("an answer");
        for name in ["listings", "payments_stuck"] {
            let pointer = format!("/nodes/{at}/figures/{name}");
            assert_eq!(of(figures, &pointer), status[name].to_string(), "{pointer}");
        }
        for (place, peer) in status["peers"]
            .as_array()
            .expect("a list")
            .iter()
            .enumerate()
        {
            let pointer = format!("/nodes/{at}/links/{place}/rtt_ms");
            let shown: f64 = of(figures, &pointer).parse().expect("a number");
            let told = peer["rtt_ms"].as_f64().expect("it is connected");
            // Smoothed, and measured four times a second.
            assert!(
                (told / 2.0..told * 2.0).contains(&shown),
                "{pointer}: {shown}, {told}"
            );
        }
    }
    let regions = scenario.client(1).regions().await.expect("an answer").body;
    for (at, region) in regions["data"]
        .as_array()
        .expect("a list")
        .iter()
        .enumerate()
    {
        let pointer = format!("/regions/{at}/health");
        assert_eq!(of(figures, &pointer), region["health"], "{pointer}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn figures_on_the_page_are_those_of_the_apis() {
    let Some(browser) = Browser::start() else {
        return;
    };
    let scenario = Scenario::start().await;
    let listing = scenario.listing_at_home(2).await;
    let night = stay(3);
    let sold = book_surely(&scenario.client(1), &listing, &night).await;
    sold.expect("nobody else wants it yet");
    let taken = book_surely(&scenario.client(3), &listing, &night).await;
    assert_eq!(taken.expect_err("sold already").code(), Some("slot-taken"));

    let admin = console(&scenario, 1);
    let page = browser.open(&format!("{admin}/console"), DESK, "light");
    painted(&page).await;
    let (snapshot, figures) = shown_of_one_snapshot(&page, &admin).await;
    assert!(figures.len() > 50, "{figures:?}");
    for (pointer, shown) in &figures {
        let told = snapshot.pointer(pointer);
        let told = told.unwrap_or_else(|| panic!("{pointer} is in the JSON"));
        assert!(is_same(shown, told), "{pointer}: {shown}, {told}");
    }
    for (kind, times) in [("booked", "1"), ("taken", "1"), ("held", "0")] {
        assert_eq!(of(&figures, &format!("/series/{kind}")), times, "{kind}");
    }
    assert_as_nodes_say(&scenario, &figures).await;
    let events = "[...document.querySelectorAll('#events .table tbody tr')].map((row) => row.cells[1].textContent)";
    holds(
        &page,
        "the booking among the events",
        &format!("{events}.includes('booking.confirmed')"),
    )
    .await;

    let painted_ms =
        page.value("performance.getEntriesByName('first-contentful-paint')[0].startTime");
    let painted_ms = painted_ms.as_f64().expect("it has painted");
    println!("first contentful paint after {painted_ms:.0} ms");
    assert!(painted_ms < FIRST_PAINT_MS_MAX, "{painted_ms}");
    assert_eq!(browser.troubles(), Vec::<String>::new());
    scenario.stop().await;
}

/// The group as each node's own API has it. It is at rest: what was applied does not move.
async fn assert_as_groups_say(scenario: &Scenario, page: &Page<'_>, listing: &str) {
    for (at, node) in scenario.cluster.ids().into_iter().enumerate() {
        let client = scenario.cluster.admin(node).expect("a node");
        until(
            PATIENCE,
            format!("node {node} as its API has it"),
            async || {
                let group = client.group(listing).await.ok()?;
                let figures = figures(page);
                ["term", "last_log_index", "applied_index"]
                    .iter()
                    .all(|name| {
                        let pointer = format!("/nodes/{at}/standing/{name}");
                        of(&figures, &pointer) == group[*name].to_string().as_str()
                    })
                    .then_some(())
            },
        )
        .await
        .expect("the page follows");
    }
}

/// As many changes as the history has, and one head.
async fn assert_changes_are_drawn(scenario: &Scenario, page: &Page<'_>, listing: &str) {
    let api = scenario
        .cluster
        .node_in("ap-southeast")
        .expect("a node")
        .api;
    let history = json_of(&format!(
        "http://{api}/v1/listings/{listing}/history?limit=100"
    ))
    .await;
    let changes = history["data"].as_array().expect("a list");
    let figures = figures(page);
    assert_eq!(
        of(&figures, "/document/changes_total"),
        changes.len().to_string()
    );
    let drawn = page.value("document.querySelectorAll('#listing-changes .change').length");
    assert_eq!(drawn, changes.len());
    let heads = page.value("document.querySelectorAll('#listing-changes .change.head').length");
    assert_eq!(heads, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn listing_stands_side_by_side_and_its_title_stays_text() {
    let Some(browser) = Browser::start() else {
        return;
    };
    let scenario = Scenario::start().await;
    let mut evil = draft(EVIL);
    evil["home_region"] = json!("eu-west");
    let made = scenario.client(2).create_listing(evil).await;
    let listing = text(&made.expect("created").body["id"]);
    scenario.everywhere(&listing).await;
    let patch = json!({"house_rules": EVIL});
    let patched = scenario
        .client(3)
        .patch_listing(&listing, patch, None)
        .await;
    patched.expect("accepted");
    scenario.converged().await;
    book_surely(&scenario.client(1), &listing, &stay(5))
        .await
        .expect("sold");

    let admin = console(&scenario, 3);
    let page = browser.open(
        &format!("{admin}/console#/listings/{listing}"),
        DESK,
        "dark",
    );
    let same = "[...document.querySelectorAll('#listing-stand .picture .badge')]\
                .filter((one) => one.textContent === 'same heads').length === 3";
    holds(&page, "the same heads in three regions", same).await;
    assert_eq!(
        page.value("document.getElementById('listing-title').textContent"),
        EVIL
    );
    assert_eq!(page.value("window.pwned ?? null"), Value::Null);
    assert_eq!(
        page.value("document.querySelector('main img, main script')"),
        Value::Null
    );

    assert_as_groups_say(&scenario, &page, &listing).await;
    assert_changes_are_drawn(&scenario, &page, &listing).await;
    let row = page.value("document.querySelector('#listing-slots .table tbody tr').innerText");
    let state =
        page.value("document.querySelector('#listing-slots .table tbody .badge').textContent");
    assert_eq!(state, "confirmed", "{row}");
    let slots = page.value("document.querySelectorAll('#listing-slots .slot.confirmed').length");
    assert_eq!(slots, 1);
    for figure in ["stand", "changes", "slots", "conflicts"] {
        assert_is_table_and_json(&page, &format!("listing-{figure}")).await;
    }
    assert_eq!(browser.troubles(), Vec::<String>::new());
    scenario.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn banner_and_map_say_that_a_region_is_cut_off_and_that_it_is_back() {
    let Some(browser) = Browser::start() else {
        return;
    };
    let scenario = Scenario::start().await;
    let admin = console(&scenario, 1);
    let page = browser.open(&format!("{admin}/console"), DESK, "light");
    painted(&page).await;
    let level =
        |level: &str| format!("document.getElementById('banner')?.dataset.level === '{level}'");
    let down = "document.querySelectorAll('#network .matrix td[data-state=act]').length";
    let gone = "document.querySelectorAll('#map .marker[data-state=act]').length";
    holds(
        &page,
        "a matrix without a link that is down",
        &format!("{down} === 0"),
    )
    .await;
    scenario.cluster.wan().isolate("ap-southeast");
    holds(
        &page,
        "one marker of a region that is gone",
        &format!("{gone} === 1"),
    )
    .await;
    holds(&page, "two links that are down", &format!("{down} === 2")).await;
    holds(&page, "another verdict", &format!("!({})", level("well"))).await;
    let said = page.value("document.getElementById('banner').innerText");
    assert!(
        said.as_str()
            .is_some_and(|said| said.contains("ap-southeast")),
        "{said}"
    );
    scenario.cluster.wan().heal();
    holds(
        &page,
        "no marker of a region that is gone",
        &format!("{gone} === 0"),
    )
    .await;
    // A word of what a node has that was lost with the link is told again within a minute.
    let (patience, well) = (PATIENCE * 3, level("well"));
    holds_within(patience, &page, "the first verdict again", &well).await;
    assert_eq!(browser.troubles(), Vec::<String>::new());
    scenario.stop().await;
}

/// Every picture is a table, too, by its button, and a document of JSON by its link.
async fn assert_is_table_and_json(page: &Page<'_>, figure: &str) {
    page.value(&format!(
        "document.querySelector('#{figure} .as-table').focus()"
    ));
    page.press("Enter");
    let rows = format!(
        "!document.querySelector('#{figure} .table').hidden && document.querySelector('#{figure} .picture').hidden \
         && document.querySelector('#{figure} .table').textContent.length > 0 \
         && document.querySelector('#{figure} .as-table').getAttribute('aria-pressed') === 'true'"
    );
    holds(page, figure, &rows).await;
    let stays = format!("document.activeElement.closest('section')?.id === '{figure}'");
    holds(page, "the focus to stay while snapshots come", &stays).await;
    let json = format!(
        "fetch(document.querySelector('#{figure} .tools a').href).then((it) => it.ok && it.json()) \
         .then((it) => it !== null && typeof it === 'object')"
    );
    assert_eq!(page.value(&json), true, "{figure} as JSON");
}

/// What of a page is wider than the screen.
const TOO_WIDE: &str = "document.documentElement.scrollWidth - window.innerWidth";

#[tokio::test(flavor = "multi_thread")]
async fn console_can_be_used_on_a_phone_and_by_keyboard() {
    let Some(browser) = Browser::start() else {
        return;
    };
    let scenario = Scenario::start().await;
    let listing = scenario.listing(2).await;
    let admin = console(&scenario, 2);
    let page = browser.open(&format!("{admin}/console"), PHONE, "dark");
    painted(&page).await;
    assert_eq!(page.value(TOO_WIDE), 0);
    for landmark in [
        "header",
        "nav[aria-label]",
        "main",
        "footer",
        "[role=status][aria-live]",
        "[role=search]",
    ] {
        let there = page.value(&format!("document.querySelectorAll('{landmark}').length"));
        assert!(there.as_u64() >= Some(1), "{landmark}");
    }
    let named = "[...document.querySelectorAll('section.figure')].every((one) => \
                 document.getElementById(one.getAttribute('aria-labelledby'))?.textContent)";
    assert_eq!(page.value(named), true);
    page.press("Tab");
    assert_eq!(page.value("document.activeElement.className"), "skip");
    let outline = "getComputedStyle(document.activeElement).outlineStyle";
    assert_ne!(page.value(outline), "none", "who has the focus sees it");

    for figure in ["map", "groups", "bookings", "events", "network", "nodes"] {
        assert_is_table_and_json(&page, figure).await;
    }
    assert_eq!(page.value(TOO_WIDE), 0, "tables scroll by themselves");
    // From the find box to the listing and back.
    page.value(&format!("document.getElementById('find-id').value = '{listing}'; document.getElementById('find-id').focus()"));
    page.press("Enter");
    let there = format!("document.documentElement?.dataset.listing === '{listing}'");
    holds(&page, "the listing", &there).await;
    assert_eq!(page.value("document.activeElement.id"), "listing-title");
    assert_eq!(page.value(TOO_WIDE), 0);
    page.value("document.querySelector('.back').focus()");
    page.press("Enter");
    holds(
        &page,
        "the overview",
        "!document.getElementById('overview').hidden",
    )
    .await;
    // A theme of one's own, whatever the system's is.
    let ground = "getComputedStyle(document.body).backgroundColor";
    let dark = page.value(ground);
    page.value("document.getElementById('theme').focus()");
    page.press("Enter");
    assert_eq!(
        page.value("document.documentElement.dataset.theme"),
        "light"
    );
    assert_ne!(page.value(ground), dark);
    assert_eq!(browser.troubles(), Vec::<String>::new());
    scenario.stop().await;
}
