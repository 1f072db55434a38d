//! The adapter by HTTPS: whom it believes to be the provider.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use axum::serve::Listener;
use meridian_transport::{TlsError, Trust};
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use tempfile::TempDir;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;
use tokio_rustls::server::TlsStream;

use super::{charge, secret, whole_saga_twice};
use crate::payments::stripe::Stripe;
use crate::payments::{Book, PaymentError, PaymentProvider, Teller, sandbox_routes};

/// Names a certificate is for: where the provider stands, and where it does not.
const HERE: &str = "127.0.0.1";
const ELSEWHERE: &str = "payments.example.net";

/// An authority that no machine trusts by itself.
struct Authority {
    issuer: Issuer<'static, KeyPair>,
    /// Its certificate.
    file: PathBuf,
}

impl Authority {
    fn new(folder: &Path, name: &str) -> Self {
        let key = KeyPair::generate().expect("a key");
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, name);
        let certificate = params.self_signed(&key).expect("a certificate");
        let file = folder.join(name);
        std::fs::write(&file, certificate.pem()).expect("a writable folder");
        Self {
            issuer: Issuer::new(params, key),
            file,
        }
    }

    /// What a server of this name shows.
    fn server(&self, name: &str) -> TlsAcceptor {
        let key = KeyPair::generate().expect("a key");
        let params = CertificateParams::new([name.to_owned()]).expect("a name");
        let certificate = params.signed_by(&key, &self.issuer).expect("signed");
        let key = PrivateKeyDer::try_from(key.serialize_der()).expect("PKCS 8");
        let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .expect("ring knows them")
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone()], key)
            .expect("they fit");
        TlsAcceptor::from(Arc::new(config))
    }
}

/// A port behind which TLS is spoken, one handshake after the other.
struct TlsPort {
    port: TcpListener,
    acceptor: TlsAcceptor,
}

impl Listener for TlsPort {
    type Io = TlsStream<TcpStream>;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        loop {
            let (tcp, from) = self.port.accept().await.expect("a listening port");
            // Who does not believe us hangs up.
            if let Ok(tls) = self.acceptor.accept(tcp).await {
                return (tls, from);
            }
        }
    }

    fn local_addr(&self) -> io::Result<Self::Addr> {
        self.port.local_addr()
    }
}

/// The sandbox behind TLS; it ends with the test's runtime. Answers its URL.
async fn sandbox(folder: &Path, acceptor: TlsAcceptor) -> String {
    let book = Book::open(&folder.join("book.jsonl")).expect("a new book");
    let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await;
    let port = port.expect("a port");
    let address = port.local_addr().expect("bound");
    let routes = sandbox_routes(Teller::new(book));
    let tracker = tokio_util::task::TaskTracker::new();
    tracker.spawn(async move { axum::serve(TlsPort { port, acceptor }, routes).await });
    format!("https://{address}")
}

fn adapter(url: &str, authority: &Authority) -> Stripe {
    let trust = Trust::MachineAnd(&authority.file);
    Stripe::new(url, secret(), trust).expect("an authority")
}

/// That nothing was asked of the provider, and why; it may be asked again.
async fn refuses(stripe: &Stripe, folder: &Path, why: &str) {
    let asked = stripe.authorize(&charge("bkg_1", "card_ok")).await;
    let Err(PaymentError::Unknown(cause)) = asked else {
        panic!("{asked:?}");
    };
    assert!(cause.contains(why), "{cause}");
    let book = std::fs::read_to_string(folder.join("book.jsonl"));
    assert_eq!(book.expect("a book"), "");
}

#[tokio::test]
async fn whole_saga_by_https_and_every_step_twice() {
    let folder = TempDir::new().expect("a folder");
    let authority = Authority::new(folder.path(), "ca.pem");
    let url = sandbox(folder.path(), authority.server(HERE)).await;
    let stripe = adapter(&url, &authority);
    whole_saga_twice(&stripe).await;
}

#[tokio::test]
async fn authority_that_nobody_has_named_is_not_believed() {
    let folder = TempDir::new().expect("a folder");
    let named = Authority::new(folder.path(), "ca.pem");
    let other = Authority::new(folder.path(), "other.pem");
    let url = sandbox(folder.path(), other.server(HERE)).await;
    let stripe = adapter(&url, &named);
    refuses(&stripe, folder.path(), "UnknownIssuer").await;
    // Nor is anybody where plain HTTP was meant.
    let plain = Stripe::new(&url, secret(), Trust::Nobody).expect("an HTTP client");
    refuses(&plain, folder.path(), "UnknownIssuer").await;
}

#[tokio::test]
async fn certificate_of_another_name_is_not_believed() {
    let folder = TempDir::new().expect("a folder");
    let authority = Authority::new(folder.path(), "ca.pem");
    let url = sandbox(folder.path(), authority.server(ELSEWHERE)).await;
    let stripe = adapter(&url, &authority);
    refuses(&stripe, folder.path(), "certificate not valid for name").await;
}

#[test]
fn file_without_an_authority_is_refused_at_the_start() {
    let folder = TempDir::new().expect("a folder");
    let empty = folder.path().join("empty.pem");
    std::fs::write(&empty, "").expect("a writable folder");
    for path in [empty, folder.path().join("none.pem")] {
        let opened = Stripe::new("https://x", secret(), Trust::MachineAnd(&path));
        assert!(
            matches!(&opened, Err(TlsError::File { path: named, .. }) if *named == path),
            "{opened:?}"
        );
    }
}
