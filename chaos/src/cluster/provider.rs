//! A payment provider in a process of its own, which all nodes of a cluster share: what it
//! has done outlives every one of them.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use serde::Deserialize;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};
use tokio::time::timeout;

use super::error::{ClusterError, io};

/// How long it may take until it says where it listens.
const READY_PATIENCE: Duration = Duration::from_secs(30);
/// What its callers say who they are.
const SECRET: &str = "sk_test_sandbox";

/// `meridian sandbox-payments`, and its book. Ends when it is dropped, and with this process,
/// however that ends: its standard input closes then.
#[derive(Debug)]
pub struct SandboxProvider {
    url: String,
    book: PathBuf,
    secret: PathBuf,
    _process: Child,
}

/// A line of the provider's book: what it has done for a payment.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Deed {
    /// What the payment is for: `bkg_…`
    pub key: String,
    /// `create`, `authorize`, `decline`, `capture`, `cancel`, `refund`.
    pub deed: String,
    /// In minor units.
    pub amount: u64,
}

/// What a payment has come to, by the provider's book.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct PaymentBalance {
    /// Taken, in minor units.
    pub captured: u64,
    /// Given back, in minor units.
    pub refunded: u64,
    /// Whether money is set aside, and neither taken nor let go.
    pub is_open: bool,
}

impl SandboxProvider {
    /// Starts it, with a book in `folder`, which is made if it is not there.
    ///
    /// # Errors
    /// [`ClusterError`] of files, of the binary, or of one that says nothing.
    pub async fn start(binary: &Path, folder: &Path) -> Result<Self, ClusterError> {
        Self::start_at(Ipv4Addr::LOCALHOST, binary, folder).await
    }

    /// The same at an address of this machine that nodes reach: those in namespaces of their own
    /// have a loopback of their own.
    ///
    /// # Errors
    /// Those of [`SandboxProvider::start`].
    pub async fn start_at(
        address: Ipv4Addr,
        binary: &Path,
        folder: &Path,
    ) -> Result<Self, ClusterError> {
        let doing = "starting the payment provider";
        std::fs::create_dir_all(folder).map_err(|cause| io(doing, cause))?;
        let (book, secret) = (folder.join("book.jsonl"), folder.join("payments.key"));
        std::fs::write(&secret, SECRET).map_err(|cause| io(doing, cause))?;
        let mut process = Command::new(binary)
            .arg("sandbox-payments")
            .args(["--listen", &format!("{address}:0"), "--book"])
            .arg(&book)
            .arg("--exit-with-stdin")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .process_group(0)
            .kill_on_drop(true)
            .spawn()
            .map_err(|cause| io(doing, cause))?;
        let said = async {
            let out = process.stdout.take()?;
            BufReader::new(out).lines().next_line().await.ok()?
        };
        let said = timeout(READY_PATIENCE, said).await.ok().flatten();
        let url = said.and_then(|line| line.rsplit(' ').next().map(str::to_owned));
        let url = url.ok_or_else(|| ClusterError::Command {
            command: "sandbox-payments".to_owned(),
            message: "it does not say where it listens".to_owned(),
        })?;
        Ok(Self {
            url,
            book,
            secret,
            _process: process,
        })
    }

    /// What tells a node of it: `section.key=value`.
    #[must_use]
    pub fn settings(&self) -> Vec<String> {
        vec![
            "payments.provider=stripe".to_owned(),
            format!("payments.url={}", self.url),
            format!("payments.secret_file={}", self.secret.display()),
        ]
    }

    /// Everything in its book, in the order in which it was done. A line that is being
    /// written is left out.
    ///
    /// # Errors
    /// [`ClusterError`] if it cannot be read.
    pub fn deeds(&self) -> Result<Vec<Deed>, ClusterError> {
        let doing = "reading the payment provider's book";
        let text = std::fs::read_to_string(&self.book).map_err(|cause| io(doing, cause))?;
        let whole = text.rfind('\n').map_or("", |end| &text[..end]);
        let deeds = whole.lines().map(serde_json::from_str);
        let deeds: Result<_, serde_json::Error> = deeds.collect();
        deeds.map_err(|cause| io(doing, cause.into()))
    }

    /// What each payment has come to, by what it is for.
    ///
    /// # Errors
    /// [`ClusterError`] if the book cannot be read.
    pub fn balances(&self) -> Result<BTreeMap<String, PaymentBalance>, ClusterError> {
        let mut balances: BTreeMap<String, PaymentBalance> = BTreeMap::new();
        for Deed { key, deed, amount } in self.deeds()? {
            let balance = balances.entry(key).or_default();
            match deed.as_str() {
                "authorize" => balance.is_open = true,
                "decline" | "cancel" => balance.is_open = false,
                "capture" => {
                    balance.captured += amount;
                    balance.is_open = false;
                }
                "refund" => balance.refunded += amount,
                _ => {}
            }
        }
        Ok(balances)
    }
}
