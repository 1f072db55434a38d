//! The provider that the configuration names.

use std::net::IpAddr;
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, bail};
use axum::http::Uri;
use meridian_transport::Trust;

use super::PaymentProvider;
use super::sandbox::{Book, Sandbox, Teller};
use super::stripe::{Secret, Stripe};
use crate::config::{PaymentsProvider, PaymentsSection};

/// Opens the configured provider.
pub(crate) fn open(payments: &PaymentsSection) -> anyhow::Result<Arc<dyn PaymentProvider>> {
    Ok(match payments.provider {
        PaymentsProvider::Sandbox if payments.book.as_os_str().is_empty() => {
            Arc::new(Sandbox::default())
        }
        PaymentsProvider::Sandbox => {
            let book = Book::open(&payments.book)
                .with_context(|| format!("payments.book: {}", payments.book.display()))?;
            Arc::new(Sandbox {
                teller: Some(Teller::new(book)),
            })
        }
        PaymentsProvider::Stripe => {
            if payments.url.is_empty() {
                bail!("payments.url: say where the payment provider is");
            }
            let trust = trust(payments)?;
            let secret = secret(payments)?;
            let stripe = Stripe::new(&payments.url, secret, trust);
            Arc::new(stripe.context("payments: whom to believe that they are the provider")?)
        }
    })
}

/// Whom to believe that they are the provider: said at the start, and not found missing at
/// the first booking.
fn trust(payments: &PaymentsSection) -> anyhow::Result<Trust<'_>> {
    let is_named = !payments.ca_file.as_os_str().is_empty();
    if payments.url.starts_with("https://") {
        return Ok(if is_named {
            Trust::MachineAnd(&payments.ca_file)
        } else {
            Trust::Machine
        });
    }
    if !payments.url.starts_with("http://") {
        bail!(
            "payments.url: {} is neither https:// nor http://",
            payments.url
        );
    }
    if is_named {
        bail!("payments.ca_file: payments.url is not https://, so nobody is believed by it");
    }
    if !is_on_this_machine(&payments.url) {
        tracing::warn!(
            url = payments.url,
            "payments.url is not https://: whoever is on the way can read the provider's key"
        );
    }
    Ok(Trust::Nobody)
}

fn is_on_this_machine(url: &str) -> bool {
    let url = url.parse::<Uri>();
    let host = url.ok().and_then(|url| url.host().map(str::to_owned));
    host.is_some_and(|host| {
        let address = host.trim_matches(['[', ']']).parse::<IpAddr>();
        host == "localhost" || address.is_ok_and(|address| address.is_loopback())
    })
}

/// The key from the file, or from the environment's variable; never from the
/// configuration itself, which people copy around.
fn secret(payments: &PaymentsSection) -> anyhow::Result<Secret> {
    let text = if payments.secret_file.as_os_str().is_empty() {
        std::env::var(&payments.secret_env).with_context(|| {
            format!(
                "payments: set payments.secret_file, or the variable {}",
                payments.secret_env
            )
        })?
    } else {
        read(&payments.secret_file)?
    };
    if text.trim().is_empty() {
        bail!("payments: the provider's key is empty");
    }
    Ok(Secret::new(&text))
}

fn read(path: &Path) -> anyhow::Result<String> {
    std::fs::read_to_string(path)
        .with_context(|| format!("payments.secret_file: {}", path.display()))
}
