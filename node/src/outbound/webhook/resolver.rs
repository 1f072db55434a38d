//! Names become addresses here, and what may not be connected to is left out: so that what was
//! checked is what is connected to, whatever a name server says a moment later.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};

use hyper_util::client::legacy::connect::dns::Name;
use tower_service::Service;

use super::Private;
use super::address::is_public;

/// Addresses of one name that are tried, at most.
const ADDRESSES_MAX: usize = 8;

/// See the module.
#[derive(Debug, Clone)]
pub(super) struct Guarded(pub(super) Private);

type Addresses = std::vec::IntoIter<SocketAddr>;

impl Service<Name> for Guarded {
    type Response = Addresses;
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = io::Result<Addresses>> + Send>>;

    fn poll_ready(&mut self, _context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, name: Name) -> Self::Future {
        let private = self.0;
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            let allowed = allowed(found, private);
            if allowed.is_empty() {
                return Err(io::Error::new(
                    io::ErrorKind::PermissionDenied,
                    "the name stands for no public address",
                ));
            }
            Ok(allowed.into_iter())
        })
    }
}

fn allowed(found: impl Iterator<Item = SocketAddr>, private: Private) -> Vec<SocketAddr> {
    let allowed = found.filter(|address| private == Private::Allowed || is_public(address.ip()));
    allowed.take(ADDRESSES_MAX).collect()
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use hyper_util::client::legacy::connect::dns::Name;
    use tower_service::Service;

    use super::{Guarded, Private, allowed};

    #[test]
    fn private_ones_among_a_names_addresses_are_left_out() {
        let found: Vec<SocketAddr> = ["10.0.0.1:0", "93.184.215.14:0", "[::1]:0"]
            .iter()
            .map(|text| text.parse().expect("an address"))
            .collect();
        assert_eq!(
            allowed(found.clone().into_iter(), Private::Refused),
            [found[1]]
        );
        assert_eq!(allowed(found.clone().into_iter(), Private::Allowed), found);
    }

    #[tokio::test]
    async fn name_of_this_machine_stands_for_nothing() {
        let name: Name = "localhost".parse().expect("a name");
        let refused = Guarded(Private::Refused).call(name.clone()).await;
        assert!(refused.is_err(), "{refused:?}");
        assert!(Guarded(Private::Allowed).call(name).await.is_ok());
    }
}
