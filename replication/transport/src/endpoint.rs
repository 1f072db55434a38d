//! The node's one UDP socket: QUIC with our numbers, serving and dialling.
//!
//! Congestion control stays quinn's default, Cubic: its BBR is marked experimental,
//! and Cubic shares a bottleneck fairly with everything else on it. It begins with more than
//! its usual ten packets: at 220 ms these are 55 KB a second until round trips have widened it. What keeps Raft
//! quick beside bulk data is not the controller but the order in which streams are
//! sent (see [`crate::Channel`]) and the windows below.

use std::sync::Arc;
use std::time::Duration;

use quinn::congestion::CubicConfig;
use quinn::{
    ClientConfig, Endpoint, EndpointConfig, IdleTimeout, ServerConfig, TokioRuntime,
    TransportConfig,
};

use crate::reset_key::RandomConnectionIds;
use crate::{MeshError, MeshOptions, TlsError, TlsMaterial};

/// Streams that a peer may have open on one connection at once. What a node sends
/// (see [`crate::budget`]) is always below, so that opening one never waits.
pub(crate) const STREAMS_MAX: u32 = 4_096;
/// Bytes under way on one stream. The bandwidth-delay product: at the longest round
/// trip that we plan for, 220 ms, one bulk stream reaches 150 Mbit/s. More would let
/// a reader that has stopped hold more memory on both sides.
pub(crate) const STREAM_WINDOW_BYTES: u32 = 4 * 1_024 * 1_024;
/// Bytes under way on one connection, over all of its streams; also what is kept
/// until it has been acknowledged. All bulk streams together cannot fill it, so that
/// there is room for Raft even if nobody reads from any of them.
pub(crate) const CONNECTION_WINDOW_BYTES: u32 = 56 * 1_024 * 1_024;
/// Bytes under way on a new connection before anything has been acknowledged. At the longest
/// round trip that we plan for, 220 ms, some 12,000 changes a second, and what two regions
/// have written apart follows at once; paced over the round trip, 10 Mbit/s, which a link
/// between regions has. One that has less loses some, and is sent less from then on.
pub(crate) const INITIAL_WINDOW_BYTES: u64 = 256 * 1_024;
/// Datagrams that wait to be read, and to be sent: a few beats of one peer, and nothing else.
/// Of more, the oldest are dropped.
const DATAGRAM_BYTES_MAX: usize = 4 * 1_024;
/// Taken for the round trip until one is measured: a little above the longest that
/// we plan for, so that a first packet is not repeated in vain, and less than QUIC's
/// 333 ms (RFC 9002, section 6.2.2), so that a lost one is repeated sooner.
const INITIAL_RTT: Duration = Duration::from_millis(250);
/// Handshakes that wait to be looked at, and the bytes kept for all of them: all that
/// somebody without a certificate can make us hold.
const INCOMING_MAX: usize = 256;
const INCOMING_BYTES_MAX: u64 = 4 * 1_024 * 1_024;

/// Binds the socket.
///
/// # Errors
/// [`MeshError`] if the address is taken, the certificates do not fit, or the times
/// contradict each other.
pub(crate) fn bind(options: &MeshOptions) -> Result<Endpoint, MeshError> {
    let server = server_config(&options.tls, &transport(options)?)?;
    let refused = |cause| MeshError::Bind {
        address: options.bind,
        cause,
    };
    let socket = std::net::UdpSocket::bind(options.bind).map_err(refused)?;
    Endpoint::new(
        endpoint_config(options),
        Some(server),
        socket,
        Arc::new(TokioRuntime),
    )
    .map_err(refused)
}

/// What peers are let in by.
///
/// # Errors
/// [`TlsError`] if the certificates do not fit.
pub(crate) fn server_config(
    tls: &TlsMaterial,
    transport: &Arc<TransportConfig>,
) -> Result<ServerConfig, TlsError> {
    let mut server = ServerConfig::with_crypto(Arc::new(tls.server()?));
    server
        .transport_config(Arc::clone(transport))
        .max_incoming(INCOMING_MAX)
        .incoming_buffer_size_total(INCOMING_BYTES_MAX);
    Ok(server)
}

/// What peers are dialled with.
///
/// # Errors
/// [`TlsError`] if the certificates do not fit.
pub(crate) fn client_config(
    tls: &TlsMaterial,
    transport: &Arc<TransportConfig>,
) -> Result<ClientConfig, TlsError> {
    let mut client = ClientConfig::new(Arc::new(tls.client()?));
    client.transport_config(Arc::clone(transport));
    Ok(client)
}

/// With a key that outlives the process: a restarted node can tell its peers that it
/// has forgotten their connections, which they would else find out by the idle
/// timeout only (stateless reset, RFC 9000, section 10.3).
fn endpoint_config(options: &MeshOptions) -> EndpointConfig {
    let mut config = EndpointConfig::new(Arc::new(options.tls.reset_key()));
    config.cid_generator(|| Box::new(RandomConnectionIds));
    config
}

/// How connections behave.
///
/// # Errors
/// [`MeshError::Timing`] if the times contradict each other.
pub(crate) fn transport(options: &MeshOptions) -> Result<Arc<TransportConfig>, MeshError> {
    let contradictory = || MeshError::Timing {
        idle_timeout: options.idle_timeout,
        keep_alive: options.keep_alive,
    };
    if options.keep_alive > options.idle_timeout / 2 {
        return Err(contradictory());
    }
    let idle_timeout =
        IdleTimeout::try_from(options.idle_timeout).map_err(|_too_long| contradictory())?;
    let mut cubic = CubicConfig::default();
    cubic.initial_window(INITIAL_WINDOW_BYTES);
    let mut transport = TransportConfig::default();
    transport
        .congestion_controller_factory(Arc::new(cubic))
        .max_concurrent_bidi_streams(STREAMS_MAX.into())
        .max_concurrent_uni_streams(0_u32.into())
        .datagram_receive_buffer_size(Some(DATAGRAM_BYTES_MAX))
        .datagram_send_buffer_size(DATAGRAM_BYTES_MAX)
        .stream_receive_window(STREAM_WINDOW_BYTES.into())
        .receive_window(CONNECTION_WINDOW_BYTES.into())
        .send_window(CONNECTION_WINDOW_BYTES.into())
        .initial_rtt(INITIAL_RTT)
        .max_idle_timeout(Some(idle_timeout))
        .keep_alive_interval(Some(options.keep_alive));
    Ok(Arc::new(transport))
}
