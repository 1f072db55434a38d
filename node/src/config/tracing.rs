//! The `[tracing]` section.

use std::num::{NonZeroU64, NonZeroUsize};
use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize};

/// Which requests are followed from node to node, and where that is told (OTLP).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TracingSection {
    /// Where spans go, by OTLP over gRPC, as in `http://collector:4317`; empty for nowhere:
    /// then nothing is followed. With `https`, the system's authorities are trusted.
    pub endpoint: String,
    /// PEM file with authorities to believe beside those of this machine. Empty: none.
    pub ca_file: PathBuf,
    /// Part of the requests that is followed, from 0 to 1.
    #[serde(deserialize_with = "part")]
    pub sample_ratio: f64,
    /// Requests in a second that are followed because their client says that it records them
    /// (`traceparent`), in the long run and at once; those beyond it are chosen like others. 0:
    /// a client's word counts for nothing.
    pub requested_per_second_max: u32,
    /// Under which name this service is known where spans go (`service.name`).
    pub service_name: String,
    /// Spans that wait to be sent, about a kilobyte each. Those beyond it are dropped and
    /// counted.
    pub queue_spans_max: NonZeroUsize,
    /// How long sending a batch of spans may take, in milliseconds. What a stopping node has
    /// not sent two seconds after all else has ended is lost.
    pub export_timeout_ms: NonZeroU64,
}

impl Default for TracingSection {
    fn default() -> Self {
        Self {
            endpoint: String::new(),
            ca_file: PathBuf::new(),
            sample_ratio: 0.01,
            requested_per_second_max: 10,
            service_name: "meridian".to_owned(),
            queue_spans_max: NonZeroUsize::new(8_192).expect("not zero"),
            export_timeout_ms: NonZeroU64::new(5_000).expect("not zero"),
        }
    }
}

impl TracingSection {
    pub(crate) const fn export_timeout(&self) -> Duration {
        Duration::from_millis(self.export_timeout_ms.get())
    }
}

fn part<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
    let part = f64::deserialize(deserializer)?;
    if (0.0..=1.0).contains(&part) {
        return Ok(part);
    }
    let told = format!("tracing.sample_ratio is {part}: write a part from 0 to 1, as in 0.01");
    Err(serde::de::Error::custom(told))
}

#[cfg(test)]
mod tests {
    use super::TracingSection;

    #[test]
    fn ratio_is_a_part_of_all_requests_or_refused() {
        let read = |text: &str| toml::from_str::<TracingSection>(text);
        for (text, ratio) in [("sample_ratio = 0.25", 0.25), ("sample_ratio = 1", 1.0)] {
            let section = read(text).expect("a part");
            assert!((section.sample_ratio - ratio).abs() < f64::EPSILON);
        }
        for text in [
            "sample_ratio = 1.5",
            "sample_ratio = -1",
            "sample_ratio = nan",
        ] {
            let refused = read(text).expect_err("no part").to_string();
            assert!(refused.contains("from 0 to 1"), "{refused}");
        }
    }
}
