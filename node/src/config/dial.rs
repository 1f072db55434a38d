//! Where a node dials another.

use meridian_regions::NodeId;
use serde::{Deserialize, Serialize};

/// An address that stands in for the one that the cluster's map has: `2=10.0.0.2:7401`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Dial {
    /// The node that is dialled.
    pub node: NodeId,
    /// `host:port`.
    pub address: String,
}

impl TryFrom<String> for Dial {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let refused = || format!("`{text}`: write it as node=host:port, as in 2=10.0.0.2:7401");
        let (node, address) = text.split_once('=').ok_or_else(refused)?;
        let node = node.trim().parse().map_err(|_not_a_number| refused())?;
        let (host, port) = address.trim().rsplit_once(':').ok_or_else(refused)?;
        if host.is_empty() || !port.parse::<u16>().is_ok_and(|port| port != 0) {
            return Err(refused());
        }
        let address = address.trim().to_owned();
        Ok(Self { node, address })
    }
}

impl From<Dial> for String {
    fn from(dial: Dial) -> Self {
        format!("{}={}", dial.node, dial.address)
    }
}

#[cfg(test)]
mod tests {
    use super::Dial;

    #[test]
    fn node_and_address_read_back() {
        let text = "2=10.0.0.2:7401".to_owned();
        let dial = Dial::try_from(text.clone()).expect("good");
        assert_eq!(String::from(dial), text);
    }

    #[test]
    fn what_is_no_address_is_refused() {
        for text in ["", "2", "0=h:1", "2=h", "2=:1", "2=h:0", "x=h:1"] {
            Dial::try_from(text.to_owned()).expect_err(text);
        }
    }
}
