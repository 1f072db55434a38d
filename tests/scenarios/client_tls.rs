//! Clients speak HTTPS to nodes: the SDK, the command line and gRPC.

use std::future::Future;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::process::{Command, Output};
use std::sync::Arc;
use std::task::{Context, Poll};

use hyper_util::rt::TokioIo;
use meridian_chaos::{WanPlan, until};
use meridian_client::{Client, Trust};
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use tempfile::TempDir;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore, crypto};
use tonic::transport::{Endpoint, Uri};
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_client::HealthClient;

use super::harness::{LINK_DIVISOR, PATIENCE, Scenario, binary, draft, text};

/// An authority of a company, and what it has signed: `ca.pem`, `api.pem` and `api.key`.
pub(crate) struct Files {
    folder: TempDir,
}

impl Files {
    pub(crate) fn new() -> Self {
        let folder = TempDir::new().expect("a folder");
        Self { folder }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn sign(&self, host: &str) {
        let mut params = CertificateParams::new(Vec::new()).expect("no names");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        // Of two, each has a name of its own.
        let name = self.folder.path().display().to_string();
        params.distinguished_name.push(DnType::CommonName, name);
        let key = KeyPair::generate().expect("a key");
        let authority = params.self_signed(&key).expect("signed");
        let issuer = Issuer::new(params, key);
        let own = KeyPair::generate().expect("a key");
        let params = CertificateParams::new(vec![host.to_owned()]).expect("a name");
        let certificate = params.signed_by(&own, &issuer).expect("signed");
        for (name, text) in [
            ("ca.pem", authority.pem()),
            ("api.pem", certificate.pem()),
            ("api.key", own.serialize_pem()),
        ] {
            std::fs::write(self.path(name), text).expect("written");
        }
    }
}

/// Three nodes that speak HTTPS to clients, as their map says.
async fn start(files: &Files) -> Scenario {
    let setting = |key: &str, value: &str| format!("client_tls.{key}={value}");
    let file = |name: &str| files.path(name).display().to_string();
    let settings = vec![
        setting("cert", &file("api.pem")),
        setting("key", &file("api.key")),
        // The harness asks operators' doors without.
        setting("admin", "false"),
    ];
    let scenario = Scenario::prepare(WanPlan::scaled_down(LINK_DIVISOR), settings).await;
    let host = scenario.cluster.nodes().next().expect("a node").api.ip();
    files.sign(&host.to_string());
    for node in scenario.cluster.ids() {
        let path = scenario.folder_of(node).join("topology.toml");
        let topology = std::fs::read_to_string(&path).expect("written before");
        let topology = topology.replace("api = \"http:", "api = \"https:");
        std::fs::write(&path, topology).expect("written");
    }
    scenario.cluster.launch().await.expect("it starts");
    scenario
}

fn api(scenario: &Scenario, node: u64) -> String {
    let known = scenario.cluster.nodes().find(|known| known.id == node);
    known.expect("a node of the cluster").api.to_string()
}

fn meridian(arguments: &[&str], ca: Option<&Path>) -> Output {
    let mut command = Command::new(binary());
    command.args(arguments).env_remove("MERIDIAN_CA");
    if let Some(ca) = ca {
        command.arg("--ca").arg(ca);
    }
    command.output().expect("it can be run")
}

#[tokio::test(flavor = "multi_thread")]
async fn clients_command_line_and_grpc_speak_https_wherever_the_map_leads_them() {
    let files = Files::new();
    let mut scenario = start(&files).await;
    let seed = format!("https://{}", api(&scenario, 1));
    let ca = files.path("ca.pem");
    let trust = Trust::file(&ca).expect("an authority");
    let client = Client::builder()
        .seed(&seed)
        .trust(trust)
        .build()
        .expect("a client");
    let created = until(PATIENCE, "a listing", async || {
        client.create_listing(draft("Loft")).await.ok()
    });
    let listing = text(&created.await.expect("created").body["id"]);

    let seen = meridian(&["listing", "get", &listing, "--seed", &seed], Some(&ca));
    let told = String::from_utf8_lossy(&seen.stdout).into_owned();
    assert!(seen.status.success() && told.contains("Loft"), "{seen:?}");
    let stranger = meridian(&["listing", "get", &listing, "--seed", &seed], None);
    let told = String::from_utf8_lossy(&stranger.stderr).into_owned();
    assert!(
        !stranger.status.success() && told.contains("UnknownIssuer"),
        "{told}"
    );
    let plain = format!("http://{}", api(&scenario, 1));
    let plain = meridian(&["listing", "get", &listing, "--seed", &plain], None);
    assert!(!plain.status.success(), "{plain:?}");

    let by = Connector::trusting(&ca);
    let plain: Uri = format!("http://{}", api(&scenario, 1))
        .parse()
        .expect("a URL");
    let channel = Endpoint::from(plain).connect_with_connector(by).await;
    let mut health = HealthClient::new(channel.expect("HTTP/2 over TLS"));
    let service = String::new();
    let checked = health.check(HealthCheckRequest { service }).await;
    assert_eq!(
        checked.expect("answered").into_inner().status,
        1,
        "it serves"
    );

    // The seed goes; the map has led the client to the others.
    until(PATIENCE, "every node has the listing", async || {
        let everywhere = [2, 3].map(|node| {
            meridian(
                &[
                    "listing",
                    "get",
                    &listing,
                    "--seed",
                    &format!("https://{}", api(&scenario, node)),
                ],
                Some(&ca),
            )
        });
        everywhere
            .iter()
            .all(|seen| seen.status.success())
            .then_some(())
    })
    .await
    .expect("replicated");
    client.discover().await.expect("found");
    scenario.cluster.kill(1).await.expect("it runs");
    until(PATIENCE, "an answer of another region", async || {
        client.listing(&listing).await.ok()
    })
    .await
    .expect("by the map");
    scenario.stop().await;
}

/// What tonic connects by: TLS that offers HTTP/2, and nothing else.
#[derive(Clone)]
struct Connector(TlsConnector);

impl Connector {
    fn trusting(ca: &Path) -> Self {
        let mut roots = RootCertStore::empty();
        let authority = CertificateDer::from_pem_file(ca).expect("PEM");
        roots.add(authority).expect("an authority");
        let provider = Arc::new(crypto::ring::default_provider());
        let mut config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("known versions")
            .with_root_certificates(roots)
            .with_no_client_auth();
        config.alpn_protocols = vec![b"h2".to_vec()];
        Self(Arc::new(config).into())
    }
}

impl tower_service::Service<Uri> for Connector {
    type Response = TokioIo<TlsStream<TcpStream>>;
    type Error = std::io::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Self::Error>> + Send>>;

    fn poll_ready(&mut self, _context: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let connector = self.0.clone();
        Box::pin(async move {
            let authority = uri.authority().expect("of an endpoint");
            let name = ServerName::try_from(authority.host().to_owned()).expect("an address");
            let stream = TcpStream::connect(authority.as_str()).await?;
            let stream = connector.connect(name, stream).await?;
            assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"h2"[..]));
            Ok(TokioIo::new(stream))
        })
    }
}
