//! Whoever speaks QUIC without a mesh of its own: strangers, and peers that break
//! the rules.

use bytes::Bytes;
use meridian_regions::Dialect;
use quinn::{Connection, Endpoint};
use tokio::time::timeout;

use super::cluster::{Cluster, DEADLINE, identity};
use crate::wire::Status;
use crate::{FrameReader, MeshOptions, TlsMaterial, call, endpoint};

/// An endpoint with the production settings, and this certificate whatever it says.
pub(crate) fn endpoint_with(tls: TlsMaterial) -> Endpoint {
    let bind = "127.0.0.1:0".parse().expect("an address");
    let options = MeshOptions::new(bind, identity(2, "eu-west", "demo"), tls);
    let mut bound = endpoint::bind(&options).expect("bound");
    let transport = endpoint::transport(&options).expect("times that fit");
    let client = endpoint::client_config(&options.tls, &transport).expect("it fits");
    bound.set_default_client_config(client);
    bound
}

/// Knocks at node 1; `Err` says how it was turned away.
pub(crate) async fn knock(cluster: &Cluster, endpoint: &Endpoint) -> Result<Connection, String> {
    knock_speaking(cluster, endpoint, Dialect::default()).await
}

/// The same, and says what it speaks.
pub(crate) async fn knock_speaking(
    cluster: &Cluster,
    endpoint: &Endpoint,
    dialect: Dialect,
) -> Result<Connection, String> {
    let name = identity(1, "eu-west", "demo").dns_name();
    let knocked = async {
        let connection = endpoint
            .connect(cluster.address(1), &name)
            .expect("it is an address")
            .await
            .map_err(|cause| cause.to_string())?;
        match call::greet(&connection, &dialect.into()).await {
            Ok(_dialect) => Ok(connection),
            Err(cause) => Err(match connection.close_reason() {
                Some(reason) => reason.to_string(),
                None => cause.to_string(),
            }),
        }
    };
    timeout(DEADLINE, knocked).await.expect("answered in time")
}

/// A connection to node 1 on which nothing is said.
pub(crate) async fn silent(cluster: &Cluster, endpoint: &Endpoint) -> Connection {
    let name = identity(1, "eu-west", "demo").dns_name();
    let connecting = endpoint.connect(cluster.address(1), &name);
    connecting.expect("an address").await.expect("certified")
}

/// Sends bytes on a stream of their own, and reads what the peer says to them; `None`
/// if it says nothing.
pub(crate) async fn say(connection: &Connection, bytes: impl Into<Bytes>) -> Option<Status> {
    let (mut send, receive) = connection.open_bi().await.expect("a free stream");
    send.write_chunk(bytes.into()).await.expect("written");
    send.finish().expect("not finished before");
    let mut replies = FrameReader::new(receive);
    let reply = timeout(DEADLINE, replies.next()).await;
    let head = reply.expect("answered in time").ok().flatten()?;
    Some(Status::decode(head).expect("a status"))
}
