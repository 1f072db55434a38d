//! The first thing on the page: how the cluster is, in a sentence.
//!
//! This is the only place that reads the verdict out of `GET /admin/v1/status`.

use serde::Serialize;
use serde_json::Value;

/// Problems that the banner names, the worst: it is read at a glance, the status has all.
const PROBLEMS_MAX: usize = 4;

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Level {
    Well,
    Watch,
    Act,
}

impl Level {
    /// The level in a word: colour alone tells nobody anything.
    pub(super) const fn word(self) -> &'static str {
        match self {
            Self::Well => "All is well",
            Self::Watch => "Keep an eye on it",
            Self::Act => "Act now",
        }
    }
}

/// What the banner says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Banner {
    pub(super) level: Level,
    pub(super) word: &'static str,
    pub(super) headline: String,
    /// What it rests on.
    pub(super) facts: Vec<String>,
}

impl Banner {
    fn new(level: Level, headline: String, facts: Vec<String>) -> Self {
        Self {
            level,
            word: level.word(),
            headline,
            facts,
        }
    }

    /// What the node itself says can still be lost, and what is wrong.
    fn by(verdict: &Value) -> Self {
        let level = match verdict["level"].as_str() {
            Some("fine") => Level::Well,
            Some("critical") => Level::Act,
            _ => Level::Watch,
        };
        let said = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let problems = verdict["problems"].as_array().into_iter().flatten();
        let problems = problems.map(|one| format!("{}: {}", said(&one["what"]), said(&one["do"])));
        let facts = problems.take(PROBLEMS_MAX).collect();
        Self::new(level, said(&verdict["summary"]), facts)
    }

    /// From this node's status and from the regions as it sees them.
    pub(super) fn of(status: Result<&Value, String>, regions: &[Value]) -> Self {
        let status = match status {
            Ok(status) => status,
            Err(cause) => {
                let headline = "This node cannot tell how it is".to_owned();
                return Self::new(Level::Act, headline, vec![cause]);
            }
        };
        if let Some(verdict) = status.get("verdict") {
            return Self::by(verdict);
        }
        let with = |health: &str| -> Vec<&str> {
            let there = regions.iter().filter(|region| region["health"] == health);
            there.filter_map(|region| region["id"].as_str()).collect()
        };
        let (gone, degraded) = (with("unreachable"), with("degraded"));
        let mut level = Level::Well;
        let mut facts = Vec::new();
        if !degraded.is_empty() {
            level = Level::Watch;
            facts.push(format!("a node does not answer in {}", degraded.join(", ")));
        }
        let stuck = status["payments_stuck"].as_u64().unwrap_or(0);
        if stuck > 0 {
            level = Level::Act;
            facts.push(format!("{stuck} payments are stuck: see /admin/v1/sagas"));
        }
        if status["returning"].is_object() {
            level = level.max(Level::Watch);
            facts.push("this node is coming back and is not whole yet".to_owned());
        }
        let all = regions.len();
        let headline = if gone.is_empty() {
            match all {
                1 => "The region answers".to_owned(),
                _ => format!("All {all} regions answer"),
            }
        } else {
            level = Level::Act;
            let up = all - gone.len();
            format!(
                "{up} of {all} regions answer: nobody in {}",
                gone.join(", ")
            )
        };
        Self::new(level, headline, facts)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{Banner, Level};

    #[test]
    fn worst_thing_decides_and_is_named() {
        let region = |id: &str, health: &str| json!({"id": id, "health": health});
        let well = [region("a", "healthy"), region("b", "healthy")];
        let status = json!({"payments_stuck": 0, "returning": null});
        let banner = Banner::of(Ok(&status), &well);
        assert_eq!(banner.level, Level::Well);
        assert_eq!(banner.headline, "All 2 regions answer");
        let cut = [region("a", "healthy"), region("b", "unreachable")];
        let banner = Banner::of(Ok(&status), &cut);
        assert_eq!(banner.level, Level::Act);
        assert_eq!(banner.headline, "1 of 2 regions answer: nobody in b");
        let stuck = json!({"payments_stuck": 2, "returning": {}});
        let banner = Banner::of(Ok(&stuck), &[region("a", "degraded")]);
        assert_eq!((banner.level, banner.facts.len()), (Level::Act, 3));
        let ill = Banner::of(Err("the disk".to_owned()), &well);
        assert_eq!(
            (ill.level, ill.facts),
            (Level::Act, vec!["the disk".to_owned()])
        );
    }

    #[test]
    fn verdict_of_the_status_is_taken_as_it_is() {
        let problem = json!({"what": "node 3 is silent", "do": "start it"});
        let verdict = |level: &str| {
            json!({"verdict": {"level": level, "summary": "Nothing may be lost",
                "problems": vec![problem.clone(); 9]}})
        };
        for (level, shown) in [
            ("fine", Level::Well),
            ("notice", Level::Watch),
            ("warning", Level::Watch),
            ("critical", Level::Act),
        ] {
            let banner = Banner::of(Ok(&verdict(level)), &[]);
            assert_eq!(banner.level, shown, "{level}");
            assert_eq!(banner.headline, "Nothing may be lost");
            assert_eq!(banner.facts, vec!["node 3 is silent: start it"; 4]);
        }
    }
}
