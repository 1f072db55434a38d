//! A bucket of Amazon S3, or of a store that speaks as it does.
//!
//! `object_store` speaks the protocol and signs with ring; the connections are ours
//! ([`http`]), so that TLS is that of the rest of the node. How a store is reached and with which
//! credentials is said by the names that everybody knows from elsewhere, `AWS_…`: in the
//! environment, and for nodes in a file, which counts where both say something.
//!
//! What it is not: a reader of `~/.aws`; profiles are not known here.

mod http;

use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, ensure};
use meridian_transport::Trust;
use object_store::RetryConfig;
use object_store::aws::{AmazonS3, AmazonS3Builder, AmazonS3ConfigKey};

use self::http::Connector;

/// What all names begin with.
const FAMILY: &str = "AWS_";
/// A PEM file of authorities that vouch for the store, beside those of the machine.
const AUTHORITIES: &str = "AWS_CA_BUNDLE";
/// Bytes of a file of settings: a token of a session is some kilobytes.
const FILE_BYTES_MAX: u64 = 64 << 10;
/// How long a request is repeated that the store refuses for a while: longer than it takes to
/// slow down, and shorter than an operator waits for a wrong endpoint to be told.
const RETRY_FOR: Duration = Duration::from_secs(60);
/// Attempts at one request.
const RETRIES_MAX: usize = 8;

/// How stores are reached, and with which credentials.
#[derive(Clone, Default)]
pub(crate) struct S3Settings {
    settings: Vec<(AmazonS3ConfigKey, String)>,
    authorities: Option<PathBuf>,
}

impl fmt::Debug for S3Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Values may be secrets.
        let names = self.settings.iter().map(|(name, _)| name.as_ref());
        f.debug_list().entries(names).finish()
    }
}

impl S3Settings {
    /// What the environment says; names that mean nothing here are other programs'.
    pub(crate) fn from_environment() -> Self {
        let mut settings = Self::default();
        for (name, value) in std::env::vars_os() {
            if let (Some(name), Some(value)) = (name.to_str(), value.to_str()) {
                settings.take(name, value);
            }
        }
        settings
    }

    /// The same, and what a file of lines `AWS_…=…` says.
    ///
    /// # Errors
    /// A file that cannot be read, or says what is not understood: a wrong name of a secret is
    /// better told now than as a refusal of the store. No value is part of the error.
    pub(crate) fn with_file(mut self, path: &Path) -> anyhow::Result<Self> {
        let what = || format!("backup.s3_settings, {}", path.display());
        let bytes = std::fs::metadata(path).with_context(what)?.len();
        ensure!(
            bytes <= FILE_BYTES_MAX,
            "{}: too long: {bytes} bytes, and {FILE_BYTES_MAX} are read",
            what()
        );
        let text = std::fs::read_to_string(path).with_context(what)?;
        for (line, number) in text.lines().zip(1..) {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            // What is no name may be a part of a secret.
            let setting = line
                .split_once('=')
                .map(|(name, value)| (name.trim(), value.trim()));
            let setting = setting.filter(|(name, _)| is_name(name));
            let (name, value) = setting
                .with_context(|| format!("{}, line {number}: it is no AWS_NAME=value", what()))?;
            let known = self.take(name, value.trim_matches('"'));
            ensure!(
                known,
                "{}, line {number}: {name:?} is not known: AWS_ACCESS_KEY_ID, \
                 AWS_SECRET_ACCESS_KEY, AWS_REGION, AWS_ENDPOINT_URL and others that docs.rs has \
                 under `object_store::aws::AmazonS3ConfigKey`",
                what()
            );
        }
        Ok(self)
    }

    /// Takes a setting; answers whether there is one of this name.
    fn take(&mut self, name: &str, value: &str) -> bool {
        if name == AUTHORITIES {
            self.authorities = Some(value.into());
            return true;
        }
        if !name.starts_with(FAMILY) {
            return false;
        }
        let Ok(key) = name.to_ascii_lowercase().parse::<AmazonS3ConfigKey>() else {
            return false;
        };
        self.settings.retain(|(other, _)| *other != key);
        self.settings.push((key, value.to_owned()));
        true
    }

    fn value(&self, key: AmazonS3ConfigKey) -> Option<&str> {
        let found = self.settings.iter().find(|(other, _)| *other == key);
        found.map(|(_, value)| value.as_str())
    }

    /// A bucket.
    ///
    /// # Errors
    /// Settings that contradict each other, and authorities that cannot be read.
    pub(crate) fn open(&self, bucket: &str) -> anyhow::Result<AmazonS3> {
        let trust = match &self.authorities {
            Some(path) => Trust::MachineAnd(path),
            None => Trust::Machine,
        };
        let retries = RetryConfig {
            max_retries: RETRIES_MAX,
            retry_timeout: RETRY_FOR,
            ..RetryConfig::default()
        };
        let settings = self.settings.iter().cloned();
        let builder = settings.fold(AmazonS3Builder::new(), |builder, (key, value)| {
            builder.with_config(key, value)
        });
        let builder = builder
            .with_bucket_name(bucket)
            .with_retry(retries)
            .with_http_connector(Connector::new(trust)?);
        Ok(builder.build()?)
    }

    /// Where a store is looked for and who is said to ask, in words: what an operator checks when
    /// it refuses.
    pub(crate) fn told(&self) -> String {
        let endpoint = self.value(AmazonS3ConfigKey::S3Endpoint);
        let endpoint = endpoint.or_else(|| self.value(AmazonS3ConfigKey::Endpoint));
        let region = self.value(AmazonS3ConfigKey::Region);
        let region = region.or_else(|| self.value(AmazonS3ConfigKey::DefaultRegion));
        let region = region.unwrap_or("us-east-1, as none is named");
        let credentials = match self.value(AmazonS3ConfigKey::AccessKeyId) {
            Some(id) => format!("access key {id}"),
            None if self
                .value(AmazonS3ConfigKey::WebIdentityTokenFile)
                .is_some() =>
            {
                "a web identity".to_owned()
            }
            None => {
                "what the machine it runs on is granted: AWS_ACCESS_KEY_ID is not set".to_owned()
            }
        };
        let endpoint = endpoint.map_or_else(
            || "Amazon S3, as AWS_ENDPOINT_URL is not set".to_owned(),
            without_password,
        );
        format!("{endpoint}, region {region}, {credentials}")
    }
}

fn is_name(text: &str) -> bool {
    !text.is_empty()
        && text
            .bytes()
            .all(|one| one.is_ascii_alphanumeric() || one == b'_')
}

/// An address as it may be shown.
fn without_password(endpoint: &str) -> String {
    match endpoint.rsplit_once('@') {
        None => endpoint.to_owned(),
        Some((_, host)) => format!("…@{host}"),
    }
}

#[cfg(test)]
mod tests {
    use tempfile::TempDir;

    use super::S3Settings;

    fn of(text: &str) -> anyhow::Result<S3Settings> {
        let folder = TempDir::new().expect("a folder");
        let path = folder.path().join("s3");
        std::fs::write(&path, text).expect("written");
        S3Settings::default().with_file(&path)
    }

    #[test]
    fn settings_are_read_by_their_names_and_secrets_are_not_shown() {
        let settings = of("# of the shop\nAWS_ACCESS_KEY_ID=shop\n\n\
             AWS_SECRET_ACCESS_KEY = \"hush-hush\"\nAWS_REGION=eu-west-1\n\
             AWS_ENDPOINT_URL=http://shop:hush-hush@localhost:1\nAWS_ACCESS_KEY_ID=other\n");
        let settings = settings.expect("readable");
        let told = format!("{settings:?} {}", settings.told());
        assert!(!told.contains("hush-hush"), "{told}");
        for part in ["…@localhost:1", "eu-west-1", "access key other"] {
            assert!(told.contains(part), "{part} in {told}");
        }
        settings.open("bucket").expect("complete");
    }

    #[test]
    fn wrong_name_is_told_with_its_line_and_without_its_value() {
        let refused = of("AWS_REGION=x\nAWS_SECRET_KEY_OF_MINE=hush-hush").expect_err("not known");
        let refused = format!("{refused:#}");
        assert!(refused.contains("line 2"), "{refused}");
        assert!(!refused.contains("hush-hush"), "{refused}");
        for line in [
            "AWS_SECRET_ACCESS_KEY: hush-hush",
            "hush+hush/=",
            "hush-hush",
        ] {
            let refused = of(&format!("AWS_REGION=x\n{line}")).expect_err("no setting");
            let refused = format!("{refused:#}");
            assert!(
                refused.contains("line 2") && !refused.contains("hush"),
                "{refused}"
            );
        }
        let half = of("AWS_ACCESS_KEY_ID=shop").expect("readable");
        let refused = half.open("bucket").expect_err("half of the credentials");
        assert!(
            format!("{refused:#}").contains("SecretAccessKey"),
            "{refused:#}"
        );
    }
}
