//! The verdict of a node, for people.

use std::io::{self, Write};

use serde_json::Value;

use super::Done;
use super::paint::{Look, Paint};
use super::value::{list, text};

/// What the exit status says of a verdict.
pub(super) fn done(verdict: &Value) -> Done {
    match verdict["level"].as_str() {
        Some("fine" | "notice") => Done::Well,
        Some("critical") => Done::Stopped,
        // What is not known is not fine.
        _ => Done::Degraded,
    }
}

/// What can be lost, then what is wrong.
pub(super) fn tell(verdict: &Value, paint: Paint, out: &mut impl Write) -> io::Result<()> {
    let look = look(verdict["level"].as_str());
    writeln!(out, "{}\n", paint.text(look, text(&verdict["summary"])))?;
    writeln!(
        out,
        "  {:<10} {:<9} {:>13} {:>13}",
        "", "", "regions more", "nodes more"
    )?;
    for name in ["reads", "bookings", "data"] {
        let promise = &verdict[name];
        let state = promise["state"].as_str();
        let state_look = match state {
            Some("kept" | "nothing") => Look::Quiet,
            Some("stopped") => Look::Bad,
            _ => Look::Doubtful,
        };
        let state = format!("{:<9}", state.unwrap_or("unknown"));
        writeln!(
            out,
            "  {name:<10} {} {:>13} {:>13}{}",
            paint.text(state_look, state),
            of(promise, "regions"),
            of(promise, "nodes"),
            paint.text(Look::Quiet, remark(name, promise)),
        )?;
    }
    let worst = ["region", "node"].map(|what| worst(what, &verdict["worst"][what]));
    for line in worst.into_iter().flatten() {
        writeln!(out, "{}", paint.text(Look::Quiet, line))?;
    }
    let mut problems = list(&verdict["problems"]).peekable();
    if problems.peek().is_some() {
        writeln!(out, "\n{}", paint.text(Look::Strong, "Wrong now"))?;
    }
    for problem in problems {
        let severity = problem["severity"].as_str();
        let since = if problem["or_earlier"] == true {
            format!("since {} or earlier", text(&problem["since"]))
        } else {
            format!("since {}", text(&problem["since"]))
        };
        let word = format!("{:<8}", severity.unwrap_or("?"));
        let word = paint.text(self::look(severity), word);
        writeln!(out, "  {word} {}, {since}", text(&problem["what"]))?;
        writeln!(out, "           {}", text(&problem["do"]))?;
        let link = paint.text(Look::Quiet, text(&problem["runbook"]));
        writeln!(out, "           {link}")?;
    }
    Ok(())
}

fn look(level: Option<&str>) -> Look {
    match level {
        Some("fine") => Look::Good,
        Some("notice") => Look::Quiet,
        Some("critical") => Look::Bad,
        _ => Look::Doubtful,
    }
}

/// `1 of 2`: so many more, of those that could be lost if all were up.
fn of(promise: &Value, what: &str) -> String {
    match (promise[what].as_u64(), promise["of"][what].as_u64()) {
        (Some(now), Some(all)) => format!("{now} of {all}"),
        (Some(now), None) => now.to_string(),
        (None, _) => "-".to_owned(),
    }
}

fn remark(name: &str, promise: &Value) -> String {
    match name {
        "bookings" => {
            let Some(listings) = promise["listings"].as_u64() else {
                return "  listings are being counted".to_owned();
            };
            let zonal = match promise["zone_only"].as_u64() {
                Some(zonal @ 1..) => format!(", {zonal} of them in one region by choice"),
                _ => String::new(),
            };
            format!("  {listings} listings{zonal}")
        }
        "data" => {
            let seconds = promise["writes_older_than_ms"].as_u64().unwrap_or(0) / 1_000;
            format!("  listing writes of the last {seconds} s apart")
        }
        _ => String::new(),
    }
}

fn worst(what: &str, loss: &Value) -> Option<String> {
    let (stops, bares) = (loss["stops"].as_u64()?, loss["bares"].as_u64()?);
    let unreadable = loss["unreadable_shards"].as_u64()?;
    let id = match loss["id"].as_str() {
        Some(name) => name.to_owned(),
        None => loss["id"].to_string(),
    };
    let costs = match (stops, unreadable, bares) {
        (0, 0, 0) => return None,
        (0, 0, bares) => format!("leaves {bares} listings with just a quorum"),
        (stops, 0, _) => format!("stops bookings of {stops} listings"),
        (stops, shards, _) => {
            format!("stops bookings of {stops} listings and hides {shards} of 64 shards")
        }
    };
    Some(format!("  losing {what} {id} would hurt most: it {costs}"))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::{Done, Paint, done, tell};

    fn verdict() -> Value {
        let kept = json!({"state": "kept", "regions": 0, "nodes": 1,
                          "of": {"regions": 1, "nodes": 2}, "listings": 3, "zone_only": 1});
        json!({
            "level": "warning", "summary": "Bookings survive.",
            "reads": kept, "bookings": kept,
            "data": {"state": "unknown", "regions": null, "nodes": null,
                     "of": {"regions": null, "nodes": null}, "writes_older_than_ms": 30_500},
            "worst": {"region": {"id": "us-east", "stops": 3, "unreadable_shards": 0, "bares": 0},
                      "node": null},
            "problems": [{"kind": "node-lost", "severity": "warning", "what": "node 3 is silent",
                          "since": "2026-01-01T00:00:00Z", "or_earlier": true, "do": "start it",
                          "runbook": "docs/runbooks/README.md#x"}],
        })
    }

    fn told(paint: Paint) -> String {
        let mut out = Vec::new();
        tell(&verdict(), paint, &mut out).expect("memory");
        String::from_utf8(out).expect("text")
    }

    #[test]
    fn verdict_leads_and_says_since_when_and_what_to_do() {
        let told = told(Paint::always(false));
        assert!(told.starts_with("Bookings survive.\n"), "{told}");
        for line in [
            "  bookings   kept             0 of 1        1 of 2  3 listings, 1 of them in one region by choice",
            "  data       unknown               -             -  listing writes of the last 30 s apart",
            "  losing region us-east would hurt most: it stops bookings of 3 listings",
            "  warning  node 3 is silent, since 2026-01-01T00:00:00Z or earlier",
            "           docs/runbooks/README.md#x",
        ] {
            assert!(told.lines().any(|told| told == line), "{line}\n{told}");
        }
        assert!(!told.contains('\x1b'));
    }

    #[test]
    fn terminal_is_told_the_same_in_colours() {
        let coloured = told(Paint::always(true));
        assert!(
            coloured.contains("\x1b[33mBookings survive.\x1b[0m"),
            "{coloured}"
        );
    }

    #[test]
    fn exit_status_says_how_bad_it_is_and_unknown_is_not_fine() {
        for (level, expected) in [
            ("fine", Done::Well),
            ("notice", Done::Well),
            ("warning", Done::Degraded),
            ("critical", Done::Stopped),
            ("of a later version", Done::Degraded),
        ] {
            assert_eq!(done(&json!({"level": level})), expected, "{level}");
        }
        assert_eq!(done(&Value::Null), Done::Degraded);
    }
}
