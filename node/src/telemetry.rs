//! Log lines: JSON for machines or text for people, on standard error.

use std::io::{IsTerminal, stderr};

use anyhow::Context;
use tracing_subscriber::EnvFilter;

use crate::config::{LogFormat, LogSection};

/// Starts logging for the whole process. A panic anywhere becomes a log line, so
/// that no task dies silently.
///
/// # Errors
/// When `log.filter` cannot be read, or logging has been started before.
pub(crate) fn start(log: &LogSection) -> anyhow::Result<()> {
    let filter = EnvFilter::try_new(&log.filter).with_context(|| {
        format!(
            "log.filter `{}`: write levels as in info,meridian_consensus=debug",
            log.filter
        )
    })?;
    let lines = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(stderr);
    match log.format {
        LogFormat::Json => lines.json().flatten_event(true).try_init(),
        LogFormat::Text => lines.with_ansi(stderr().is_terminal()).try_init(),
    }
    .map_err(|cause| anyhow::anyhow!("cannot start logging: {cause}"))?;
    std::panic::set_hook(Box::new(|panic| {
        let place = panic
            .location()
            .map_or_else(String::new, ToString::to_string);
        let reason = panic.payload_as_str().unwrap_or("a value that is not text");
        tracing::error!(place, reason, "panicked");
    }));
    Ok(())
}
