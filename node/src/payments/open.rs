//! The provider that the configuration names.

use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, bail};

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
            // The HTTP client is built without TLS (ADR 12): better said at the start
            // than at the first booking.
            if !payments.url.starts_with("http://") {
                bail!(
                    "payments.url: {} is not http:// - this build has no TLS towards providers; put a proxy that adds it on this machine",
                    payments.url
                );
            }
            let secret = secret(payments)?;
            Arc::new(Stripe::new(&payments.url, secret).context("payments.url")?)
        }
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
