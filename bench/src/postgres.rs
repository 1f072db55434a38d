//! PostgreSQL as one would run it for this in one region: a primary, and a standby without which
//! nothing counts as committed. All settings are its defaults; both databases fsync.
//!
//! A night is sold by an exclusion constraint, and a caller's key by a unique one: what a ledger
//! does in one entry.

use std::net::SocketAddr;
use std::os::unix::fs::{MetadataExt, chown};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, bail, ensure};
use meridian_chaos::until;
use tempfile::TempDir;
use tokio::process::{Child, Command};
use tokio_postgres::{Client, NoTls, Statement};
use tokio_util::task::TaskTracker;

use crate::nights::Night;
use crate::places::Place;

/// Where Debian has it.
const PROGRAMS: &str = "/usr/lib/postgresql/15/bin";
/// It refuses to run as root; Debian makes this account.
const ACCOUNT: &str = "postgres";
/// How long it may take until both are ready.
const READY_PATIENCE: Duration = Duration::from_secs(60);
/// Connections: those of the measurement, and some to prepare it.
const CONNECTIONS_MAX: usize = 300;

const SCHEMA: &str = "
CREATE EXTENSION btree_gist;
CREATE TABLE stays (
    id bigserial PRIMARY KEY,
    listing text NOT NULL,
    stay daterange NOT NULL,
    guests integer NOT NULL,
    key text NOT NULL UNIQUE,
    EXCLUDE USING gist (listing WITH =, stay WITH &&)
);
CREATE TABLE listings (id text PRIMARY KEY, document jsonb NOT NULL);
";

/// The processes; dropping them ends them.
pub(crate) struct Postgres {
    pub(crate) version: String,
    address: SocketAddr,
    primary: Child,
    standby: Child,
    connections: TaskTracker,
    _folder: TempDir,
}

/// How far a write has to have come.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Durable {
    /// To the standby's disk, too.
    Twice,
    /// To the primary's disk.
    Here,
}

impl Postgres {
    /// Starts it in a folder of its own beside `parent`. `None` where it is not installed.
    pub(crate) async fn start(parent: &Path) -> anyhow::Result<Option<Self>> {
        Self::start_at(parent, &Place::on_loopback()?).await
    }

    /// The same with the primary at the first of these places, the standby at the second.
    pub(crate) async fn start_at(parent: &Path, places: &[Place]) -> anyhow::Result<Option<Self>> {
        if !Path::new(PROGRAMS).join("postgres").is_file() {
            return Ok(None);
        }
        // Its account has to reach it.
        let folder = tempfile::Builder::new()
            .prefix("meridian-bench-postgres-")
            .tempdir_in(parent)?;
        if is_root()? {
            let [user, group] = [number("-u").await?, number("-g").await?];
            chown(folder.path(), Some(user), Some(group))?;
        }
        let [first, second] = [&places[0], &places[1]];
        let address = first.clients;
        let (data, copy) = (folder.path().join("primary"), folder.path().join("standby"));
        initialize(&data, first).await?;
        let primary = serve(&data, first)?;
        let connections = TaskTracker::new();
        let client = until(READY_PATIENCE, "PostgreSQL is ready", async || {
            connect(address, &connections).await.ok()
        })
        .await?;
        client.batch_execute(SCHEMA).await?;
        copy_to(&copy, first, second).await?;
        let standby = serve(&copy, second)?;
        client
            .batch_execute("ALTER SYSTEM SET synchronous_standby_names = '*'")
            .await?;
        client.batch_execute("SELECT pg_reload_conf()").await?;
        until(READY_PATIENCE, "the standby is synchronous", async || {
            let asked = "SELECT 1 FROM pg_stat_replication WHERE sync_state = 'sync'";
            client.query_opt(asked, &[]).await.ok().flatten()
        })
        .await?;
        let row = client.query_one("SHOW server_version", &[]).await?;
        Ok(Some(Self {
            version: format!("PostgreSQL {}", row.get::<_, String>(0)),
            address,
            primary,
            standby,
            connections,
            _folder: folder,
        }))
    }

    /// So many clients of the primary, each with a connection.
    pub(crate) async fn sessions(
        &self,
        count: usize,
        durable: Durable,
    ) -> anyhow::Result<Vec<Session>> {
        let mut sessions = Vec::new();
        for _ in 0..count {
            let client = connect(self.address, &self.connections).await?;
            if matches!(durable, Durable::Here) {
                client
                    .batch_execute("SET synchronous_commit = local")
                    .await?;
            }
            sessions.push(Session::prepare(client).await?);
        }
        Ok(sessions)
    }

    /// Kills the standby, as the loss of its place would.
    pub(crate) async fn lose_standby(&mut self) -> anyhow::Result<()> {
        Ok(self.standby.kill().await?)
    }

    pub(crate) async fn stop(mut self) -> anyhow::Result<()> {
        self.primary.kill().await?;
        self.standby.kill().await?;
        self.connections.close();
        Ok(())
    }
}

/// One client, its statements prepared.
pub(crate) struct Session {
    client: Client,
    sell: Statement,
    read: Statement,
    write: Statement,
    put: Statement,
}

impl Session {
    async fn prepare(client: Client) -> anyhow::Result<Self> {
        let sell = "INSERT INTO stays (listing, stay, guests, key)
                    VALUES ($1, daterange($2::text::date, $3::text::date), 1, $4)";
        let write = "UPDATE listings
                     SET document = jsonb_set(document, '{house_rules}', to_jsonb($2::text))
                     WHERE id = $1";
        let put = "INSERT INTO listings VALUES ($1, $2::text::jsonb)";
        Ok(Self {
            sell: client.prepare(sell).await?,
            read: client
                .prepare("SELECT document::text FROM listings WHERE id = $1")
                .await?,
            write: client.prepare(write).await?,
            put: client.prepare(put).await?,
            client,
        })
    }

    /// The night is taken by a stay, if it is free.
    pub(crate) async fn sell(&self, night: &Night) -> anyhow::Result<()> {
        let (from, to) = (night.check_in.to_string(), night.check_out.to_string());
        let key = format!("{:032x}", rand::random::<u128>());
        let sold = self
            .client
            .execute(&self.sell, &[&night.listing, &from, &to, &key])
            .await?;
        ensure!(sold == 1, "nothing was written");
        Ok(())
    }

    pub(crate) async fn put(&self, id: &str, document: &str) -> anyhow::Result<()> {
        self.client.execute(&self.put, &[&id, &document]).await?;
        Ok(())
    }

    pub(crate) async fn read(&self, id: &str) -> anyhow::Result<()> {
        let row = self.client.query_one(&self.read, &[&id]).await?;
        ensure!(!row.get::<_, &str>(0).is_empty(), "an empty document");
        Ok(())
    }

    pub(crate) async fn write(&self, id: &str, rules: &str) -> anyhow::Result<()> {
        let written = self.client.execute(&self.write, &[&id, &rules]).await?;
        ensure!(written == 1, "no such listing");
        Ok(())
    }
}

async fn connect(address: SocketAddr, connections: &TaskTracker) -> anyhow::Result<Client> {
    let mut config = tokio_postgres::Config::new();
    config
        .host(address.ip().to_string())
        .port(address.port())
        .user(ACCOUNT)
        .dbname(ACCOUNT);
    let (client, connection) = config.connect(NoTls).await?;
    // It ends with its client.
    connections.spawn(async move {
        let _ = connection.await;
    });
    Ok(client)
}

async fn initialize(data: &Path, place: &Place) -> anyhow::Result<()> {
    let arguments = [
        "--username",
        ACCOUNT,
        "--auth",
        "trust",
        "--encoding",
        "UTF8",
    ];
    run("initdb", place, |command| {
        command
            .args(arguments)
            .args(["--locale", "C", "--pgdata"])
            .arg(data);
    })
    .await?;
    let settings = format!("unix_socket_directories = ''\nmax_connections = {CONNECTIONS_MAX}\n");
    let file = data.join("postgresql.conf");
    let mut text = std::fs::read_to_string(&file)?;
    text.push_str(&settings);
    std::fs::write(&file, text)?;
    // Whoever reaches our loopback, or our namespaces, is us.
    let ours = ["127.0.0.0/8", "198.18.0.0/15"];
    let trusted =
        ours.map(|ours| format!("host all all {ours} trust\nhost replication all {ours} trust\n"));
    Ok(std::fs::write(data.join("pg_hba.conf"), trusted.concat())?)
}

async fn copy_to(copy: &Path, first: &Place, second: &Place) -> anyhow::Result<()> {
    let (host, port) = (
        first.peers.ip().to_string(),
        first.clients.port().to_string(),
    );
    run("pg_basebackup", second, |command| {
        command.args(["--host", &host, "--port", &port, "--username", ACCOUNT]);
        command.args(["--checkpoint", "fast", "--write-recovery-conf", "--pgdata"]);
        command.arg(copy);
    })
    .await
}

fn serve(data: &Path, place: &Place) -> anyhow::Result<Child> {
    let log = std::fs::File::create(data.with_extension("log"))?;
    // Not in its file: the standby's is a copy of the primary's, which stands elsewhere.
    let (clients, peers) = (place.clients.ip(), place.peers.ip());
    let mut command = program("postgres", place)?;
    command
        .arg("-D")
        .arg(data)
        .args(["-p", &place.clients.port().to_string()])
        .args(["-c", &format!("listen_addresses={clients},{peers}")])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(log)
        .kill_on_drop(true);
    command.spawn().context("cannot start postgres")
}

async fn run(name: &str, place: &Place, with: impl FnOnce(&mut Command)) -> anyhow::Result<()> {
    let mut command = program(name, place)?;
    with(&mut command);
    let output = command.output().await?;
    if !output.status.success() {
        bail!("{name}: {}", String::from_utf8_lossy(&output.stderr));
    }
    Ok(())
}

/// A program of PostgreSQL, under its account.
fn program(name: &str, place: &Place) -> anyhow::Result<Command> {
    let mut command = place.command();
    if is_root()? {
        command.args(["--reuid", ACCOUNT, "--regid", ACCOUNT, "--clear-groups"]);
    }
    command.arg(PathBuf::from(PROGRAMS).join(name));
    // Its own folder may not be there for that account.
    command.current_dir("/");
    Ok(command)
}

fn is_root() -> anyhow::Result<bool> {
    Ok(std::fs::metadata("/proc/self")?.uid() == 0)
}

async fn number(which: &str) -> anyhow::Result<u32> {
    let output = Command::new("id").args([which, ACCOUNT]).output().await?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    text.trim().parse().context("there is no account postgres")
}
