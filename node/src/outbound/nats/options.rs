//! Where the stream is: the configuration, read once, so that what is wrong with it is said at
//! the start and not event by event.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, ensure};
use async_nats::ServerAddr;

use crate::config::NatsSection;

/// See the module.
#[derive(Debug, Clone)]
pub(super) struct NatsOptions {
    /// Of one cluster; at least one.
    pub(super) servers: Vec<ServerAddr>,
    pub(super) stream: String,
    pub(super) subject_prefix: String,
    /// Empty for none.
    pub(super) credentials_file: PathBuf,
    /// For how long a stream that is made here knows a message again.
    pub(super) duplicate_window: Duration,
    /// Time for one attempt.
    pub(super) deadline: Duration,
}

impl NatsOptions {
    /// Reads the configuration; `None` if it names no stream.
    pub(super) fn read(nats: &NatsSection, deadline: Duration) -> anyhow::Result<Option<Self>> {
        if nats.url.is_empty() {
            return Ok(None);
        }
        let servers = nats.url.split(',').map(|url| url.trim().parse());
        let servers: Result<Vec<ServerAddr>, _> = servers.collect();
        let servers = servers.context(
            "nats.url: give addresses such as nats://nats.example.com:4222, with commas in \
             between",
        )?;
        ensure!(
            is_token(&nats.stream),
            "nats.stream: a name of letters, digits, `-` and `_`"
        );
        ensure!(
            nats.subject_prefix.split('.').all(is_token),
            "nats.subject_prefix: words of letters, digits, `-` and `_`, with dots in between"
        );
        Ok(Some(Self {
            servers,
            stream: nats.stream.clone(),
            subject_prefix: nats.subject_prefix.clone(),
            credentials_file: nats.credentials_file.clone(),
            duplicate_window: Duration::from_secs(nats.duplicate_window_seconds.get()),
            deadline,
        }))
    }
}

/// Whether every server takes it as one word of a subject, and as the name of a folder.
fn is_token(text: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    !text.is_empty() && text.bytes().all(is_plain)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::NatsOptions;
    use crate::config::NatsSection;

    fn read(url: &str, stream: &str, prefix: &str) -> anyhow::Result<Option<NatsOptions>> {
        let config = NatsSection {
            url: url.to_owned(),
            stream: stream.to_owned(),
            subject_prefix: prefix.to_owned(),
            ..NatsSection::default()
        };
        NatsOptions::read(&config, Duration::from_secs(1))
    }

    #[test]
    fn stream_that_cannot_be_is_refused_with_its_key() {
        let none = read("", "", "").expect("none is asked for");
        assert!(none.is_none());
        let two = read("nats://one:4222, nats://two:4222", "A-B_1", "a.b");
        let two = two.expect("it is right").expect("one is asked for");
        assert_eq!(two.servers.len(), 2);
        for (url, stream, prefix, key) in [
            ("nats://one:port", "A", "a", "nats.url"),
            ("nats://one", "A.B", "a", "nats.stream"),
            ("nats://one", "", "a", "nats.stream"),
            ("nats://one", "A", "a.", "nats.subject_prefix"),
            ("nats://one", "A", "a.>", "nats.subject_prefix"),
        ] {
            let refused = read(url, stream, prefix).expect_err("it is wrong");
            let refused = refused.to_string();
            assert!(refused.starts_with(key), "{refused}");
        }
    }
}
