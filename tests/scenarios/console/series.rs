//! Bookings and conflicts over time: the bars and the table are what each node has counted.

use std::collections::BTreeMap;

use meridian_chaos::until;
use serde_json::Value;

use super::browser::{Browser, Page};
use super::{DESK, console, figures, json_of, of, painted};
use crate::harness::{PATIENCE, Scenario, book_surely, key, stay, text};

const KINDS: [&str; 5] = ["booked", "held", "cancelled", "taken", "unanswered"];
/// Units of the picture that a bar is wide.
const BAR: u64 = 4;

/// Where each kind has a bar, how high they are together, and what the table sums up to.
const DRAWN: &str = "Object.fromEntries(['booked', 'held', 'cancelled', 'taken', 'unanswered'].map((kind, column) => {
    const bars = [...document.querySelectorAll(`#bookings .picture svg > rect.${kind}`)];
    const rows = [...document.querySelectorAll('#bookings .table tbody tr')];
    return [kind, {
        places: bars.map((bar) => Number(bar.getAttribute('x'))),
        heights: bars.map((bar) => Number(bar.getAttribute('height'))),
        table: rows.map((row) => Number(row.cells[column + 1].textContent)),
    }];
}))";

/// A snapshot, and what the page has drawn of this very one.
async fn drawn_of_one_snapshot(page: &Page<'_>, admin: &str) -> (Value, Value) {
    let both = until(PATIENCE, "one snapshot, from both", async || {
        let snapshot = json_of(&format!("{admin}/console/data/snapshot")).await;
        let at = "document.getElementById('at').textContent";
        let before = page.value(at);
        let drawn = page.value(DRAWN);
        let is_one = before == snapshot["at"] && page.value(at) == before;
        is_one.then_some((snapshot, drawn))
    });
    both.await.expect("they are shared")
}

fn counts(series: &Value, kind: &str) -> Vec<u64> {
    let counts = series[kind].as_array().expect("a list").iter();
    counts
        .map(|count| count.as_u64().expect("a count"))
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn bars_and_table_are_what_every_node_has_counted() {
    let Some(browser) = Browser::start() else {
        return;
    };
    let scenario = Scenario::start().await;
    let listing = scenario.listing_at_home(2).await;
    // At every node, so that the sums are of several.
    for (node, days) in [(1, 3), (2, 5), (3, 7)] {
        let sold = book_surely(&scenario.client(node), &listing, &stay(days)).await;
        let sold = text(&sold.expect("nobody else wants it").body["booking_id"]);
        let taken = book_surely(&scenario.client(node), &listing, &stay(days)).await;
        assert_eq!(taken.expect_err("sold").code(), Some("slot-taken"));
        if node == 3 {
            let key = key();
            let given_back = until(PATIENCE, "a cancellation", async || {
                scenario.client(1).cancel(&sold, &key).await.ok()
            });
            given_back.await.expect("cancelled");
        }
    }
    for (node, days) in [(1, 20), (2, 22)] {
        let key = key();
        let held = until(PATIENCE, "a hold", async || {
            let client = scenario.client(node);
            client.hold(&listing, &stay(days), &key).await.ok()
        });
        held.await.expect("held");
    }
    let expected = BTreeMap::from([("booked", 3), ("held", 2), ("cancelled", 1), ("taken", 3)]);

    let admin = console(&scenario, 1);
    let page = browser.open(&format!("{admin}/console"), DESK, "light");
    painted(&page).await;
    let (snapshot, drawn) = drawn_of_one_snapshot(&page, &admin).await;
    let figures = figures(&page);
    for kind in KINDS {
        let counts = counts(&snapshot["series"], kind);
        let total: u64 = counts.iter().sum();
        if let Some(expected) = expected.get(kind) {
            assert_eq!(total, *expected, "{kind}");
        }
        assert_eq!(of(&figures, &format!("/series/{kind}")), total.to_string());
        let places = (0..).zip(&counts).filter(|(_, count)| **count > 0);
        let places: Vec<u64> = places.map(|(place, _)| place * BAR).collect();
        assert_eq!(drawn[kind]["places"], Value::from(places), "{kind}");
        let table = drawn[kind]["table"].as_array().expect("a list").iter();
        let table: f64 = table.filter_map(Value::as_f64).sum();
        assert!(
            (table - total as f64).abs() < 0.5,
            "{kind}: {table}, {total}"
        );
    }
    assert_heights(&snapshot["series"], &drawn);
    scenario.stop().await;
}

/// Bars of what was done are as high as their counts, all by one scale.
fn assert_heights(series: &Value, drawn: &Value) {
    let mut scales = Vec::new();
    for kind in ["booked", "held", "cancelled"] {
        let heights = drawn[kind]["heights"].as_array().expect("a list").iter();
        let counts = counts(series, kind).into_iter().filter(|count| *count > 0);
        let both = heights.filter_map(Value::as_f64).zip(counts);
        scales.extend(both.map(|(height, count)| height / count as f64));
    }
    let first = scales[0];
    assert!(first > 0.0, "{scales:?}");
    // Heights are written with two digits.
    let is_one = scales.iter().all(|scale| (scale - first).abs() < 0.02);
    assert!(is_one, "{scales:?}");
}
