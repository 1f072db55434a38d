//! What stands on a terminal of 80 columns and 24 lines.

use std::time::{Duration, Instant};

use ratatui::Terminal;
use ratatui::backend::TestBackend;
use serde_json::{Value, json};

use super::draw;
use crate::commands::top::model::{Counts, Model, NodeSample, Sample};

fn screen(model: &Model, width: u16, height: u16) -> String {
    let mut terminal = Terminal::new(TestBackend::new(width, height)).expect("a terminal");
    terminal.draw(|frame| draw(frame, model)).expect("drawn");
    let buffer = terminal.backend().buffer();
    let cells: Vec<&str> = buffer.content().iter().map(|cell| cell.symbol()).collect();
    let lines = cells.chunks(usize::from(width)).map(<[&str]>::concat);
    lines
        .map(|line| line.trim_end().to_owned() + "\n")
        .collect()
}

fn node(id: u64, region: &str, standing: &str, counts: Option<Counts>) -> NodeSample {
    NodeSample {
        known: json!({"node": id, "region": region, "standing": standing,
                      "rtt_ms": if standing == "up" { json!(81.4) } else { Value::Null },
                      "lag_ms": if standing == "up" { json!(240) } else { Value::Null }}),
        counts,
    }
}

fn sample(at: Instant, counted: f64) -> Sample {
    let counts = Counts {
        requests: counted,
        bookings: counted / 10.0,
        awake: 12.0,
    };
    let promise = json!({"state": "kept", "regions": 0, "nodes": 0,
                         "of": {"regions": 1, "nodes": 1}});
    Sample {
        at,
        error: None,
        status: json!({
            "cluster": "demo", "node": 1, "region": "us-east", "version": "0.1.0",
            "verdict": {
                "level": "warning",
                "summary": "Bookings survive the loss of no further node; reads 1 more region or 1 more node; acknowledged data no further node.",
                "reads": promise, "bookings": promise,
                "data": {"state": "unknown", "of": {}},
                "problems": [{"severity": "warning", "since": "2026-01-02T03:04:05.678Z",
                              "what": "node 3 in ap-southeast is silent (timed out); it votes on 120 listings"}],
            },
        }),
        nodes: vec![
            node(1, "us-east", "this", Some(counts)),
            node(2, "eu-west", "up", Some(counts)),
            node(3, "ap-southeast", "silent", None),
        ],
    }
}

#[test]
fn verdict_nodes_and_what_is_wrong_fit_eighty_columns_and_twenty_four_lines() {
    let start = Instant::now();
    let mut model = Model::new("http://127.0.0.1:7402");
    model.take(sample(start, 100.0));
    model.take(sample(start + Duration::from_secs(2), 300.0));
    let shown = screen(&model, 80, 24);
    for part in [
        "demo as seen by node 1 in us-east, version 0.1.0",
        "bookings kept     0 of 1 regions, 0 of 1 nodes may be lost",
        "data     unknown  - regions, - nodes may be lost",
        "Bookings survive the loss of no further node;",
        "1     us-east",
        "100.0    10.0     12",
        "81 ms    240 ms",
        "silent",
        "warning  03:04:05 node 3 in ap-southeast is silent (timed out);",
        "q leaves   http://127.0.0.1:7402",
    ] {
        assert!(shown.contains(part), "{part}\n{shown}");
    }
    assert!(shown.lines().all(|line| line.chars().count() <= 80));
}

#[test]
fn look_that_fails_leaves_what_was_known_and_says_that_it_is_old() {
    let mut model = Model::new("http://127.0.0.1:7402");
    let start = Instant::now();
    model.take(sample(start, 1.0));
    model.take(Sample::failed(start, "connection refused".to_owned()));
    let shown = screen(&model, 80, 24);
    assert!(shown.contains("what is shown is old: http://127.0.0.1:7402: connection refused"));
    assert!(shown.contains("ap-southeast"), "{shown}");
    model.take(sample(start + Duration::from_secs(1), 0.0));
    let shown = screen(&model, 80, 24);
    assert!(!shown.contains("is old"), "{shown}");
    assert!(model.rows[0].requests == "-", "it was started anew");
}

#[test]
fn before_the_first_look_and_on_a_tiny_terminal_something_is_drawn() {
    let model = Model::new("http://127.0.0.1:7402");
    assert!(screen(&model, 80, 24).contains("asking"));
    let mut model = model;
    model.take(sample(Instant::now(), 1.0));
    for (width, height) in [(20, 5), (1, 1), (300, 100)] {
        screen(&model, width, height);
    }
}

#[test]
fn counts_are_of_clients_alone() {
    let metrics = "# HELP x y\n\
        meridian_groups_awake 7\n\
        meridian_http_requests_total{method=\"GET\",route=\"/v1/listings/{id}\",status=\"200\"} 5\n\
        meridian_http_requests_total{method=\"POST\",route=\"/v1/bookings\",status=\"201\"} 2\n\
        meridian_http_requests_total{method=\"POST\",route=\"/v1/bookings\",status=\"409\"} 1\n\
        meridian_http_requests_total{method=\"GET\",route=\"/metrics\",status=\"200\"} 90\n";
    let expected = Counts {
        requests: 8.0,
        bookings: 2.0,
        awake: 7.0,
    };
    assert_eq!(Counts::read(metrics), expected);
}
