//! Whom to believe that they are the collector: said at the start, and not found missing with
//! the first spans.

use anyhow::{Context, bail};
use meridian_transport::{Trust, https_client};
use opentelemetry_otlp::tonic_types::transport::{Certificate, ClientTlsConfig};

use crate::config::TracingSection;

/// What HTTPS is spoken by, where the endpoint is one of HTTPS.
///
/// # Errors
/// What is wrong with the configuration, with its key.
pub(super) fn tls(section: &TracingSection) -> anyhow::Result<Option<ClientTlsConfig>> {
    let file = &section.ca_file;
    let is_named = !file.as_os_str().is_empty();
    if !section.endpoint.starts_with("https://") {
        if is_named {
            bail!("tracing.ca_file: tracing.endpoint is not https://, so nobody is believed by it");
        }
        return Ok(None);
    }
    let trust = if is_named {
        Trust::MachineAnd(file)
    } else {
        Trust::Machine
    };
    https_client(trust).context("tracing.ca_file: whom to believe that they are the collector")?;
    let mut tls = ClientTlsConfig::new();
    // A machine that trusts nobody by itself does with those that are named.
    if https_client(Trust::Machine).is_ok() {
        tls = tls.with_native_roots();
    }
    if is_named {
        let pem =
            std::fs::read(file).with_context(|| format!("tracing.ca_file: {}", file.display()))?;
        tls = tls.ca_certificate(Certificate::from_pem(pem));
    }
    Ok(Some(tls))
}

#[cfg(test)]
mod tests {
    use tempfile::TempDir;

    use super::tls;
    use crate::config::TracingSection;

    #[test]
    fn authorities_that_say_nothing_are_refused_at_the_start_with_their_key() {
        let folder = TempDir::new().expect("a folder");
        let empty = folder.path().join("empty.pem");
        std::fs::write(&empty, "").expect("a writable folder");
        let missing = folder.path().join("none.pem");
        for (endpoint, ca_file) in [
            ("https://collector:4317", &empty),
            ("https://collector:4317", &missing),
            ("http://collector:4317", &empty),
        ] {
            let section = TracingSection {
                endpoint: endpoint.to_owned(),
                ca_file: ca_file.clone(),
                ..TracingSection::default()
            };
            let refused = tls(&section).expect_err("nobody is named").to_string();
            assert!(refused.starts_with("tracing.ca_file"), "{refused}");
        }
    }

    #[test]
    fn plain_endpoint_speaks_no_tls() {
        let section = TracingSection {
            endpoint: "http://collector:4317".to_owned(),
            ..TracingSection::default()
        };
        assert!(tls(&section).expect("it is right").is_none());
    }
}
