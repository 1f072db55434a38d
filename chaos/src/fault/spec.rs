//! A fault as a scenario describes it.

use serde::de::{DeserializeOwned, Error};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value};

use super::Fault;

/// A fault and its times: one flat table, as in
///
/// ```toml
/// [[fault]]
/// at_s = 10
/// for_s = 20
/// kind = "delay"
/// links = "eu-west<->us-east"
/// delay_ms = 100
/// ```
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct FaultSpec {
    /// Seconds from the beginning of the run.
    pub at_s: f64,
    /// How many seconds it lasts; `None`: until the run ends, or, of what ends by itself,
    /// until it has.
    pub for_s: Option<f64>,
    /// Seconds from one beginning to the next; `None`: once.
    pub every_s: Option<f64>,
    /// Whether the run says nothing without it.
    pub required: bool,
    /// What is broken.
    #[serde(flatten)]
    pub fault: Fault,
}

impl FaultSpec {
    /// The fault's kind.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        self.fault.name()
    }
}

impl<'de> Deserialize<'de> for FaultSpec {
    // By hand: serde does not refuse unknown keys beside a flattened field.
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let mut table = Map::deserialize(from)?;
        let at_s = seconds(&mut table, "at_s")?;
        let spec = Self {
            at_s: at_s.ok_or_else(|| D::Error::missing_field("at_s"))?,
            for_s: seconds(&mut table, "for_s")?,
            every_s: seconds(&mut table, "every_s")?,
            required: take(&mut table, "required")?.unwrap_or(false),
            fault: serde_json::from_value(Value::Object(table)).map_err(D::Error::custom)?,
        };
        if spec.every_s == Some(0.0) {
            return Err(D::Error::custom("every_s: must be more than 0"));
        }
        Ok(spec)
    }
}

fn seconds<E: Error>(table: &mut Map<String, Value>, key: &str) -> Result<Option<f64>, E> {
    let seconds: Option<f64> = take(table, key)?;
    match seconds {
        Some(seconds) if !(seconds.is_finite() && seconds >= 0.0) => Err(E::custom(format!(
            "{key}: seconds from 0 on, not {seconds}"
        ))),
        seconds => Ok(seconds),
    }
}

fn take<T: DeserializeOwned, E: Error>(
    table: &mut Map<String, Value>,
    key: &str,
) -> Result<Option<T>, E> {
    let Some(value) = table.remove(key) else {
        return Ok(None);
    };
    let read = serde_json::from_value(value);
    read.map_err(|cause| E::custom(format!("{key}: {cause}")))
}
