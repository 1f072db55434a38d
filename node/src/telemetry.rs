//! Log lines: JSON for machines or text for people, on standard error.

use std::io::{IsTerminal, stderr};

use anyhow::Context;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::writer::MakeWriterExt;

use crate::config::{LogFormat, LogSection};
use crate::log_filter::LogFilter;
use crate::log_tail::LogTail;

/// Starts logging for the whole process. A panic anywhere becomes a log line, so
/// that no task dies silently. Answers what its filter can be changed by.
///
/// # Errors
/// When `log.filter` cannot be read, or logging has been started before.
pub(crate) fn start(log: &LogSection) -> anyhow::Result<LogFilter> {
    let filter = EnvFilter::try_new(&log.filter).with_context(|| {
        format!(
            "log.filter `{}`: write levels as in info,meridian_consensus=debug",
            log.filter
        )
    })?;
    let tail = LogTail::default();
    let lines = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(stderr.and(tail.clone()));
    let filter = match log.format {
        LogFormat::Json => {
            let lines = lines.json().flatten_event(true).with_filter_reloading();
            let reload = lines.reload_handle();
            lines.try_init().map_err(unstarted)?;
            LogFilter::new(
                log.filter.clone(),
                tail,
                Some(Box::new(move |filter| {
                    reload.reload(filter).map_err(|cause| cause.to_string())
                })),
            )
        }
        LogFormat::Text => {
            let lines = lines
                .with_ansi(stderr().is_terminal())
                .with_filter_reloading();
            let reload = lines.reload_handle();
            lines.try_init().map_err(unstarted)?;
            LogFilter::new(
                log.filter.clone(),
                tail,
                Some(Box::new(move |filter| {
                    reload.reload(filter).map_err(|cause| cause.to_string())
                })),
            )
        }
    };
    std::panic::set_hook(Box::new(|panic| {
        let place = panic
            .location()
            .map_or_else(String::new, ToString::to_string);
        let reason = panic.payload_as_str().unwrap_or("a value that is not text");
        tracing::error!(place, reason, "panicked");
    }));
    Ok(filter)
}

fn unstarted(cause: impl std::fmt::Display) -> anyhow::Error {
    anyhow::anyhow!("cannot start logging: {cause}")
}
