//! What is shown, worked out of two looks one after the other. Pure.

use std::time::Instant;

use serde_json::Value;

use crate::commands::value::{list, text};

const REQUESTS: &str = "meridian_http_requests_total";
const AWAKE: &str = "meridian_groups_awake";
/// The route whose success is a booking.
const BOOKINGS: &str = "route=\"/v1/bookings\"";
/// Clients' routes; the operators' own looks are no load.
const CLIENTS: &str = "route=\"/v1/";

/// What a node has counted since its start.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(super) struct Counts {
    pub(super) requests: f64,
    pub(super) bookings: f64,
    pub(super) awake: f64,
}

impl Counts {
    /// From Prometheus' text format.
    pub(super) fn read(metrics: &str) -> Self {
        let mut counts = Self::default();
        for line in metrics.lines() {
            let Some((name, value)) = line.rsplit_once(' ') else {
                continue;
            };
            let Ok(value) = value.parse::<f64>() else {
                continue;
            };
            if name == AWAKE {
                counts.awake = value;
            } else if name.starts_with(REQUESTS) && name.contains(CLIENTS) {
                counts.requests += value;
                let is_booked = name.contains("status=\"201\"") && name.contains("method=\"POST\"");
                if name.contains(BOOKINGS) && is_booked {
                    counts.bookings += value;
                }
            }
        }
        counts
    }
}

/// A node in one look.
#[derive(Debug, Clone)]
pub(super) struct NodeSample {
    /// What the node that was asked knows of it.
    pub(super) known: Value,
    /// What it says itself; `None` if it was not reached.
    pub(super) counts: Option<Counts>,
}

/// One look.
#[derive(Debug, Clone)]
pub(super) struct Sample {
    pub(super) at: Instant,
    /// Why the look came to nothing.
    pub(super) error: Option<String>,
    pub(super) status: Value,
    pub(super) nodes: Vec<NodeSample>,
}

impl Sample {
    pub(super) fn failed(at: Instant, error: String) -> Self {
        Self {
            at,
            error: Some(error),
            status: Value::Null,
            nodes: Vec::new(),
        }
    }
}

/// A node as it is shown.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Row {
    pub(super) node: String,
    pub(super) region: String,
    pub(super) standing: String,
    pub(super) rtt: String,
    pub(super) lag: String,
    pub(super) requests: String,
    pub(super) bookings: String,
    pub(super) awake: String,
}

/// A promise as it is shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Promise {
    pub(super) name: &'static str,
    pub(super) state: String,
    pub(super) regions: String,
    pub(super) nodes: String,
}

/// Something wrong as it is shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Wrong {
    pub(super) severity: String,
    pub(super) what: String,
    pub(super) since: String,
}

/// Everything that is shown.
#[derive(Debug, Clone)]
pub(super) struct Model {
    pub(super) url: String,
    pub(super) title: String,
    pub(super) level: String,
    pub(super) summary: String,
    pub(super) promises: Vec<Promise>,
    pub(super) rows: Vec<Row>,
    pub(super) wrong: Vec<Wrong>,
    /// Why what is shown is old.
    pub(super) error: Option<String>,
    before: Option<Sample>,
}

impl Model {
    pub(super) fn new(url: &str) -> Self {
        Self {
            url: url.to_owned(),
            title: "asking".to_owned(),
            level: "unknown".to_owned(),
            summary: String::new(),
            promises: Vec::new(),
            rows: Vec::new(),
            wrong: Vec::new(),
            error: None,
            before: None,
        }
    }

    /// Takes in a look. One that has failed leaves what was known, and is said.
    pub(super) fn take(&mut self, sample: Sample) {
        self.error.clone_from(&sample.error);
        if sample.error.is_some() {
            return;
        }
        let verdict = &sample.status["verdict"];
        self.title = format!(
            "{} as seen by node {} in {}, version {}",
            text(&sample.status["cluster"]),
            sample.status["node"],
            text(&sample.status["region"]),
            text(&sample.status["version"]),
        );
        text(&verdict["level"]).clone_into(&mut self.level);
        text(&verdict["summary"]).clone_into(&mut self.summary);
        let promise = |name| promise(name, &verdict[name]);
        self.promises = ["reads", "bookings", "data"].map(promise).to_vec();
        let rows = sample.nodes.iter();
        self.rows = rows
            .map(|node| row(node, self.before.as_ref(), sample.at))
            .collect();
        let wrong = list(&verdict["problems"]).map(|problem| Wrong {
            severity: text(&problem["severity"]).to_owned(),
            what: text(&problem["what"]).to_owned(),
            since: time_of(&problem["since"]),
        });
        self.wrong = wrong.collect();
        self.before = Some(sample);
    }
}

fn promise(name: &'static str, promise: &Value) -> Promise {
    let of = |what: &str| match (promise[what].as_u64(), promise["of"][what].as_u64()) {
        (Some(now), Some(all)) => format!("{now} of {all}"),
        _ => "-".to_owned(),
    };
    Promise {
        name,
        state: text(&promise["state"]).to_owned(),
        regions: of("regions"),
        nodes: of("nodes"),
    }
}

fn row(node: &NodeSample, before: Option<&Sample>, at: Instant) -> Row {
    let known = &node.known;
    let earlier = before.and_then(|before| {
        let mut nodes = before.nodes.iter();
        let same = nodes.find(|other| other.known["node"] == known["node"])?;
        Some((
            same.counts?,
            at.saturating_duration_since(before.at).as_secs_f64(),
        ))
    });
    let rate = |of: fn(&Counts) -> f64| match (node.counts, earlier) {
        // A node that was started anew has counted less.
        (Some(now), Some((before, seconds))) if seconds > 0.0 && of(&now) >= of(&before) => {
            format!("{:.1}", (of(&now) - of(&before)) / seconds)
        }
        _ => "-".to_owned(),
    };
    let millis = |value: &Value| {
        value
            .as_f64()
            .map_or_else(|| "-".to_owned(), |millis| format!("{millis:.0} ms"))
    };
    Row {
        node: known["node"].to_string(),
        region: text(&known["region"]).to_owned(),
        standing: text(&known["standing"]).to_owned(),
        rtt: millis(&known["rtt_ms"]),
        lag: millis(&known["lag_ms"]),
        requests: rate(|counts| counts.requests),
        bookings: rate(|counts| counts.bookings),
        awake: node
            .counts
            .map_or_else(|| "-".to_owned(), |counts| format!("{:.0}", counts.awake)),
    }
}

/// The time of day of an instant.
fn time_of(instant: &Value) -> String {
    let instant = text(instant);
    let time = instant.split_once('T').map_or(instant, |(_, time)| time);
    time.chars().take(8).collect()
}
