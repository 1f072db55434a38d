//! What was found: a table for people, JSON for programs.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

use anyhow::Context;
use serde::Serialize;

use crate::machine::Machine;

/// Everything of one run.
#[derive(Debug)]
pub(crate) struct Report {
    pub(crate) machine: Machine,
    pub(crate) findings: Vec<Finding>,
}

/// One measurement. Names of values end in their unit.
#[derive(Debug)]
pub(crate) struct Finding {
    suite: &'static str,
    case: String,
    values: Vec<(String, f64)>,
    goals: Vec<Goal>,
    notes: Vec<String>,
}

/// What the design promises, and whether it is kept.
#[derive(Debug, Serialize)]
pub(crate) struct Goal {
    text: String,
    met: bool,
}

impl Goal {
    pub(crate) fn at_least(name: &str, bound: f64, found: f64) -> Self {
        Self {
            text: format!("{name} >= {bound}"),
            met: found >= bound,
        }
    }

    pub(crate) fn at_most(name: &str, bound: f64, found: f64) -> Self {
        Self {
            text: format!("{name} <= {bound}"),
            met: found <= bound,
        }
    }
}

impl Finding {
    pub(crate) fn new(suite: &'static str, case: impl Into<String>) -> Self {
        Self {
            suite,
            case: case.into(),
            values: Vec::new(),
            goals: Vec::new(),
            notes: Vec::new(),
        }
    }

    pub(crate) fn value(mut self, name: &str, value: f64) -> Self {
        self.values.push((name.to_owned(), value));
        self
    }

    pub(crate) fn note(mut self, note: String) -> Self {
        self.notes.push(note);
        self
    }

    pub(crate) fn goal(mut self, goal: Goal) -> Self {
        self.goals.push(goal);
        self
    }

    /// One line for people.
    pub(crate) fn line(&self) -> String {
        let mut line = format!("{:<9} {:<22}", self.suite, self.case);
        for (name, value) in &self.values {
            // Writing to a string does not fail.
            let _ = write!(line, "  {name} {}", digits(*value));
        }
        for goal in &self.goals {
            let word = if goal.met { "met" } else { "MISSED" };
            let _ = write!(line, "  [{}: {word}]", goal.text);
        }
        for note in &self.notes {
            let _ = write!(line, "\n{:<9} {:<22}  ! {note}", "", "");
        }
        line
    }
}

impl Report {
    pub(crate) const fn new(machine: Machine) -> Self {
        Self {
            machine,
            findings: Vec::new(),
        }
    }

    /// One line for each finding.
    pub(crate) fn table(&self) -> String {
        let lines: Vec<String> = self.findings.iter().map(Finding::line).collect();
        lines.join("\n")
    }

    /// Writes the whole report as JSON.
    pub(crate) fn write(&self, path: &Path) -> anyhow::Result<()> {
        let findings: Vec<_> = self.findings.iter().map(Finding::to_json).collect();
        let whole = serde_json::json!({"machine": self.machine, "findings": findings});
        let text = serde_json::to_string_pretty(&whole)?;
        std::fs::write(path, text + "\n").with_context(|| format!("writing {}", path.display()))
    }
}

impl Finding {
    fn to_json(&self) -> serde_json::Value {
        let values: BTreeMap<&str, f64> = self
            .values
            .iter()
            .map(|(name, value)| (name.as_str(), *value))
            .collect();
        serde_json::json!({
            "suite": self.suite,
            "case": self.case,
            "values": values,
            "goals": self.goals,
            "notes": self.notes,
        })
    }
}

/// Three digits and more where there are more before the point.
fn digits(value: f64) -> String {
    match value.abs() {
        large if large >= 100.0 => format!("{value:.0}"),
        middle if middle >= 10.0 => format!("{value:.1}"),
        middle if middle >= 1.0 => format!("{value:.2}"),
        _ => format!("{value:.3}"),
    }
}

#[cfg(test)]
mod tests {
    use super::{Finding, Goal};

    #[test]
    fn line_says_values_goal_and_notes() {
        let line = Finding::new("bookings", "16 listings")
            .value("per_second", 1234.5)
            .value("ratio", 1.5)
            .goal(Goal::at_least("ratio", 2.0, 1.5))
            .note("beware".to_owned())
            .line();
        assert!(
            line.contains("per_second 1234  ratio 1.50  [ratio >= 2: MISSED]"),
            "{line}"
        );
        assert!(line.ends_with("! beware"));
    }
}
