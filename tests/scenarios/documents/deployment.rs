//! What rules, alerts, dashboards and the page of metrics name is what a node exports.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use meridian_chaos::until;
use meridian_regions::FormatLevel;
use serde_json::Value;

use super::{anchor, difference, generated, read, root};
use crate::harness::{PATIENCE, Scenario};

/// Labels that Prometheus adds: those of the target, and of the buckets of a histogram.
const ADDED: [&str; 4] = ["job", "instance", "at", "le"];
/// Labels with few values, all of which a node shows from its start.
const CLOSED: [&str; 5] = ["state", "event", "what", "who", "found"];
/// What Prometheus makes of one histogram.
const OF_A_HISTOGRAM: [&str; 3] = ["_bucket", "_sum", "_count"];

/// A metric, as `/metrics` tells of it.
#[derive(Debug, Default)]
struct Metric {
    kind: String,
    help: String,
    labels: BTreeMap<String, BTreeSet<String>>,
}

type Metrics = BTreeMap<String, Metric>;

/// The metric that a series belongs to.
fn family(name: &str) -> &str {
    let ends = OF_A_HISTOGRAM.iter();
    let family = ends.filter_map(|end| name.strip_suffix(end)).next();
    family.unwrap_or(name)
}

/// Labels of a series or a selector, `a="b", c=~"d"`, with their operators.
fn matchers(inside: &str) -> Vec<(String, String, String)> {
    let parts: Vec<&str> = inside.split('"').collect();
    let pairs = parts.chunks_exact(2);
    let pairs = pairs.filter_map(|pair| {
        let left = pair[0].trim_matches([',', ' ', '\n']);
        let name = left.trim_end_matches(['=', '~', '!', ' ']);
        let operator = left[name.len()..].trim();
        Some((
            name.to_owned(),
            operator.to_owned(),
            (*pair.get(1)?).to_owned(),
        ))
    });
    pairs.collect()
}

fn exported(text: &str) -> Metrics {
    let mut metrics = Metrics::new();
    for line in text.lines() {
        if let Some(rest) = line.strip_prefix("# HELP ") {
            let (name, help) = rest.split_once(' ').expect("a help");
            metrics.entry(name.to_owned()).or_default().help = help.to_owned();
        } else if let Some(rest) = line.strip_prefix("# TYPE ") {
            let (name, kind) = rest.split_once(' ').expect("a type");
            metrics.entry(name.to_owned()).or_default().kind = kind.to_owned();
        } else if let Some((name, rest)) = line.split_once('{') {
            let metric = metrics.entry(family(name).to_owned()).or_default();
            let inside = rest.rsplit_once('}').expect("it closes").0;
            for (label, _, value) in matchers(inside) {
                metric.labels.entry(label).or_default().insert(value);
            }
        }
    }
    metrics
}

/// The names that the code registers.
fn registered() -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    let mut files = vec!["node/src/metrics.rs".to_owned()];
    for entry in std::fs::read_dir(root().join("node/src/metrics")).expect("a folder") {
        let name = entry.expect("an entry").file_name();
        files.push(format!("node/src/metrics/{}", name.to_string_lossy()));
    }
    for file in files {
        let source = read(&file);
        let texts = source.split('"').skip(1).step_by(2);
        names.extend(
            texts
                .filter(|text| text.starts_with("meridian_"))
                .map(str::to_owned),
        );
    }
    names
}

/// The queries of rules and alerts, and those of the dashboards.
fn queries() -> Vec<(String, String)> {
    let mut queries = Vec::new();
    for name in ["recording.yml", "alerts.yml"] {
        let file = format!("deploy/prometheus/{name}");
        for rule in read(&file).split("expr: >-\n").skip(1) {
            let lines = rule
                .lines()
                .take_while(|line| line.starts_with("          "));
            queries.push((file.clone(), lines.collect::<Vec<_>>().join("\n")));
        }
    }
    for entry in std::fs::read_dir(root().join("deploy/grafana")).expect("a folder") {
        let name = entry.expect("an entry").file_name();
        let file = format!("deploy/grafana/{}", name.to_string_lossy());
        if file.ends_with(".json") {
            let dashboard: Value = serde_json::from_str(&read(&file)).expect("JSON");
            let mut found = Vec::new();
            expressions(&dashboard, &mut found);
            queries.extend(found.into_iter().map(|query| (file.clone(), query)));
        }
    }
    queries
}

fn expressions(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                match value {
                    Value::String(text) if name == "expr" || name == "query" => {
                        found.push(text.clone());
                    }
                    other => expressions(other, found),
                }
            }
        }
        Value::Array(values) => values.iter().for_each(|value| expressions(value, found)),
        _ => {}
    }
}

/// What a query names that no node exports.
fn complaints(file: &str, query: &str, metrics: &Metrics) -> Vec<String> {
    let mut complaints = Vec::new();
    for (at, _) in query.match_indices("meridian_") {
        let end = query[at..].find(|c: char| !c.is_ascii_alphanumeric() && c != '_');
        let (name, rest) = query[at..].split_at(end.unwrap_or(query.len() - at));
        let Some(metric) = metrics.get(family(name)) else {
            complaints.push(format!("{file}: {name} is not exported"));
            continue;
        };
        let Some(inside) = rest.strip_prefix('{') else {
            continue;
        };
        for (label, operator, value) in matchers(selector(inside)) {
            if ADDED.contains(&label.as_str()) {
                continue;
            }
            let Some(values) = metric.labels.get(&label) else {
                complaints.push(format!("{file}: {name} has no label {label}"));
                continue;
            };
            let wanted = value
                .split('|')
                .filter(|_| CLOSED.contains(&label.as_str()));
            for wanted in wanted.filter(|wanted| !values.contains(*wanted)) {
                complaints.push(format!(
                    "{file}: {name}: {label}{operator}\"{wanted}\": never"
                ));
            }
        }
    }
    complaints
}

/// A selector up to its end: braces in quotes do not count.
fn selector(text: &str) -> &str {
    let mut is_quoted = false;
    let end = text.find(|c| {
        is_quoted ^= c == '"';
        c == '}' && !is_quoted
    });
    &text[..end.unwrap_or(text.len())]
}

/// The page of reference.
fn page(metrics: &Metrics) -> String {
    let mut page = String::from(
        "# Metrics\n\nWhat `/metrics` on the operator port tells, in Prometheus' text format. \
         Counts since a start\nare told as gauges by some; `rate` takes them all the same. This \
         page is written by a test.\n\n| metric | type | labels | what |\n|---|---|---|---|\n",
    );
    for (name, metric) in metrics {
        let labels = metric.labels.keys().filter(|label| *label != "le");
        let labels = labels.map(|label| format!("`{label}`")).collect::<Vec<_>>();
        let (kind, labels, help) = (&metric.kind, labels.join(", "), &metric.help);
        writeln!(page, "| `{name}` | {kind} | {labels} | {help} |").expect("a string takes all");
    }
    page
}

#[tokio::test(flavor = "multi_thread")]
async fn rules_dashboards_and_the_page_of_metrics_name_what_a_node_exports() {
    let scenario = Scenario::start().await;
    let node = scenario.cluster.node_in("us-east").expect("a node");
    let url = format!("http://{}/metrics", node.admin);
    let registered = registered();
    let metrics = until(PATIENCE, "all that is registered", async || {
        let text = reqwest::get(&url).await.ok()?.text().await.ok()?;
        let metrics = exported(&text);
        let all = registered.iter().all(|name| metrics.contains_key(name));
        all.then_some(metrics)
    });
    let metrics = metrics
        .await
        .expect("a metric that is registered is exported");
    scenario.stop().await;

    let queries = queries();
    assert!(
        queries.len() > 90,
        "only {} queries were found",
        queries.len()
    );
    let complaints: Vec<String> = queries
        .iter()
        .flat_map(|(file, query)| complaints(file, query, &metrics))
        .collect();
    assert!(complaints.is_empty(), "{complaints:#?}");
    let asked: String = queries.into_iter().map(|(_, query)| query).collect();
    let unseen: Vec<_> = metrics
        .keys()
        .filter(|name| !asked.contains(*name))
        .collect();
    assert!(
        unseen.is_empty(),
        "no dashboard and no alert shows {unseen:?}"
    );
    generated("docs/reference/metrics.md", &page(&metrics));
}

/// What founds a new cluster says the level of this release, and the chart refuses a later one.
#[test]
fn new_clusters_begin_at_the_level_of_this_release() {
    let level = FormatLevel::LATEST.get();
    for (file, says) in [
        ("README.md", "format_level = "),
        ("docs/tutorials/three-regions.md", "format_level = "),
        ("deploy/compose/topology.toml", "format_level = "),
        (
            "deploy/helm/meridian/templates/_helpers.tpl",
            "{{- define \"meridian.latestLevel\" -}}\n",
        ),
    ] {
        let page = read(file);
        let (_, said) = page
            .split_once(says)
            .unwrap_or_else(|| panic!("{file} says no level"));
        let said = said.split_whitespace().next().map(str::parse);
        assert_eq!(said, Some(Ok(level)), "{file}");
    }
    let schema: Value =
        serde_json::from_str(&read("deploy/helm/meridian/values.schema.json")).expect("JSON");
    assert_eq!(schema["properties"]["formatLevel"]["maximum"], level);
}

#[test]
fn every_alert_is_explained_and_leads_to_its_runbook() {
    let alerts = read("deploy/prometheus/alerts.yml");
    let named: BTreeSet<String> = lines_after(&alerts, "- alert: ").collect();
    let page = read("docs/operations/alerts.md");
    let explained: BTreeSet<String> = lines_after(&page, "## ").collect();
    assert_eq!(difference(&explained, &named), None);
    for part in page.split("\n## ").skip(1) {
        let name = part.lines().next().unwrap_or_default();
        for word in ["Symptom", "Confirm", "Act", "Verify"] {
            assert!(part.contains(&format!("- **{word}**: ")), "{name}: {word}?");
        }
    }

    let headings: BTreeSet<String> = lines_after(&read("docs/runbooks/README.md"), "## ")
        .map(|heading| anchor(&heading))
        .collect();
    let urls: Vec<String> = lines_after(&alerts, "runbook_url: ").collect();
    assert_eq!(urls.len(), named.len(), "each alert has a runbook");
    for url in urls {
        let (book, part) = url.split_once('#').expect("a part of the runbooks");
        assert!(book.ends_with("/book/runbooks/README.html"), "{url}");
        assert!(headings.contains(part), "{url}: no such runbook");
    }
}

/// What follows a word at the beginning of lines.
fn lines_after(text: &str, word: &str) -> impl Iterator<Item = String> {
    let lines = text.lines();
    let found = lines.filter_map(|line| line.trim_start().strip_prefix(word));
    found.map(str::to_owned).collect::<Vec<_>>().into_iter()
}
