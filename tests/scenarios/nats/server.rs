//! Debian's nats-server, as a process of the test, and what its stream holds.

use std::fs::File;
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use async_nats::ConnectOptions;
use async_nats::jetstream::consumer::{AckPolicy, pull};
use async_nats::jetstream::{self, consumer::DeliverPolicy};
use futures::StreamExt;
use meridian_chaos::until;
use serde_json::Value;
use tempfile::TempDir;
use tokio::process::{Child, Command};

use crate::harness::PATIENCE;
use crate::signals::{self, Signal};

const PROGRAM: &str = "nats-server";

/// A server on one port, with one folder, however often it is killed.
pub(crate) struct Server {
    port: u16,
    folder: TempDir,
    /// What the test shows that it may look in.
    credentials: Option<String>,
    child: Option<Child>,
}

impl Server {
    /// Whether there is one to be started.
    #[expect(clippy::print_stderr, reason = "a skipped test says so")]
    pub(crate) fn is_there() -> bool {
        let asked = std::process::Command::new(PROGRAM)
            .arg("--version")
            .output();
        let is_there = asked.is_ok_and(|output| output.status.success());
        if !is_there {
            eprintln!("SKIPPED: {PROGRAM} is not installed (apt-get install nats-server)");
        }
        is_there
    }

    pub(crate) async fn start() -> Self {
        let mut server = Self::prepared();
        server.run().await;
        server
    }

    /// One that lets nobody in but by its configuration; the test itself comes by these
    /// credentials.
    pub(crate) async fn guarded(configuration: &str, credentials: &str) -> Self {
        let mut server = Self::prepared();
        server.configure(configuration);
        server.credentials = Some(credentials.to_owned());
        server.run().await;
        server
    }

    fn prepared() -> Self {
        let server = Self {
            port: free_port(),
            folder: TempDir::new().expect("a temporary folder"),
            credentials: None,
            child: None,
        };
        server.configure("");
        server
    }

    /// What it goes by from its next start on.
    pub(crate) fn configure(&self, configuration: &str) {
        std::fs::write(self.configuration(), configuration).expect("a writable folder");
    }

    fn configuration(&self) -> PathBuf {
        self.folder.path().join("server.conf")
    }

    pub(crate) fn url(&self) -> String {
        format!("nats://127.0.0.1:{}", self.port)
    }

    /// Kills it as `kill -9` does.
    pub(crate) async fn kill(&mut self) {
        let mut child = self.child.take().expect("it ran");
        child.kill().await.expect("it dies");
    }

    /// Has it stand still, with its connections open, or go on.
    pub(crate) fn signal(&self, signal: Signal) {
        let child = self.child.as_ref().expect("it runs");
        signals::send(child.id().expect("it has not ended"), signal);
    }

    /// Starts it on its folder, and waits until it answers.
    pub(crate) async fn run(&mut self) {
        let folder: &Path = self.folder.path();
        let log = folder.join("server.log");
        let said = File::create(&log).expect("a writable folder");
        let child = Command::new(PROGRAM)
            .args(["--addr", "127.0.0.1", "--jetstream", "--store_dir"])
            .arg(folder)
            .arg("--config")
            .arg(self.configuration())
            .args(["--port", &self.port.to_string()])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(said)
            .kill_on_drop(true)
            .spawn();
        self.child = Some(child.expect("it starts"));
        let answers = until(PATIENCE, "the server answers", async || {
            self.connect().await.ok()?.flush().await.ok()
        });
        if let Err(late) = answers.await {
            let said = std::fs::read_to_string(&log).unwrap_or_default();
            panic!("{late}: {said}");
        }
    }

    async fn connect(&self) -> Result<async_nats::Client, async_nats::ConnectError> {
        self.connect_by(self.credentials.as_deref()).await
    }

    /// As somebody with these credentials.
    pub(crate) async fn connect_by(
        &self,
        credentials: Option<&str>,
    ) -> Result<async_nats::Client, async_nats::ConnectError> {
        let options = credentials.map_or_else(ConnectOptions::new, |text| {
            ConnectOptions::with_credentials(text).expect("whole credentials")
        });
        let options = options.connection_timeout(Duration::from_secs(2));
        options.connect(self.url()).await
    }

    /// Messages in a stream; `None` while there is no such stream.
    pub(crate) async fn count(&self, stream: &str) -> Option<u64> {
        let context = jetstream::new(self.connect().await.ok()?);
        let stream = context.get_stream(stream).await.ok()?;
        Some(stream.cached_info().state.messages)
    }

    /// Every message of a stream in its order: its id, its subject, and the event.
    pub(crate) async fn messages(&self, stream: &str) -> Vec<(String, String, Value)> {
        let context = jetstream::new(self.connect().await.expect("it runs"));
        let stream = context.get_stream(stream).await.expect("a stream");
        let count = stream.cached_info().state.messages;
        let consumer = stream.create_consumer(pull::Config {
            deliver_policy: DeliverPolicy::All,
            ack_policy: AckPolicy::None,
            ..pull::Config::default()
        });
        let consumer = consumer.await.expect("a consumer");
        let mut messages = consumer.messages().await.expect("they come");
        let mut all = Vec::new();
        while (all.len() as u64) < count {
            let next = tokio::time::timeout(PATIENCE, messages.next()).await;
            let message = next
                .expect("in time")
                .expect("there are more")
                .expect("read");
            let headers = message.headers.as_ref().expect("headers");
            let id = headers
                .get("Nats-Msg-Id")
                .expect("an id")
                .as_str()
                .to_owned();
            let event = serde_json::from_slice(&message.payload).expect("JSON");
            all.push((id, message.subject.to_string(), event));
        }
        all
    }
}

/// A port that nobody listens on any more.
fn free_port() -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
    listener.local_addr().expect("it is bound").port()
}
