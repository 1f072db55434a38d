//! An address that is ours alone: its free ports stay free.

use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener};

/// The address of loopback that is named after this process. A port of it that was free
/// stays so while nobody listens there (while a node is dead, say): other processes take
/// theirs from `127.0.0.1`. Process ids have at most 22 bits, so it is in `127.64.0.0/10`.
/// Where the system has only one address of loopback, that one.
#[must_use]
pub fn own_loopback() -> Ipv4Addr {
    let [_, high, middle, low] = std::process::id().to_be_bytes();
    let own = Ipv4Addr::new(127, 64 | (high & 63), middle, low);
    let exists = TcpListener::bind(SocketAddr::new(IpAddr::V4(own), 0)).is_ok();
    if exists { own } else { Ipv4Addr::LOCALHOST }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::own_loopback;

    #[test]
    fn port_of_ours_is_free_while_somebody_has_that_of_the_usual_address() {
        let own = own_loopback();
        assert!(own.is_loopback());
        let usual = TcpListener::bind(("127.0.0.1", 0)).expect("a port");
        let port = usual.local_addr().expect("bound").port();
        if cfg!(target_os = "linux") {
            TcpListener::bind((own, port)).expect("free");
        }
    }
}
