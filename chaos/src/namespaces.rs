//! A network namespace of the system for each node, so that processes which know nothing of the
//! link emulator can only reach each other through it, whatever protocol they speak.
//!
//! Each namespace has two interfaces. `wan` is a TUN device: what is sent there comes to us as
//! packets, and `crossing.rs` delivers them as the links would. `control` is a cable to this
//! machine: clients and operators stand beside the node, and no distance is between.
//!
//! What it is not: it emulates nothing. Everything here is named after a slot that this process
//! has locked; what a killed run has left under a slot that nobody holds is removed, and nothing
//! else ever is.

mod ip;
mod slot;

use std::ffi::OsString;
use std::io;
use std::net::Ipv4Addr;
use std::path::Path;

use tokio_tun::Tun;

use self::slot::Slot;
use crate::engine::Engine;

/// Longest packet of the wide-area network, in bytes, as on most of the internet.
const WAN_MTU_BYTES: i32 = 1_500;
/// Packets that the system keeps for us until we read them: what one link has under way at
/// most, so that a late reader loses none.
const WAN_QUEUE_PACKETS: u32 = 8_192;
/// Nodes of one network: their addresses end in 10 to 209.
const NODES_MAX: usize = 200;
/// The address of the first node ends in it.
const FIRST_HOST: u8 = 10;

/// Why there are no namespaces here.
#[derive(Debug, thiserror::Error)]
pub enum NoNamespaces {
    /// This process may not make any.
    #[error(
        "a network of namespaces takes root: run it as root, or leave `--network namespaces` away"
    )]
    NotRoot,
    /// Something that it takes is not here.
    #[error("a network of namespaces takes {what}, which is not here: {then}")]
    Missing {
        /// What is missing.
        what: &'static str,
        /// What helps.
        then: &'static str,
    },
    /// More nodes than addresses.
    #[error("a network of namespaces has at most {NODES_MAX} nodes")]
    TooManyNodes,
    /// All slots are taken.
    #[error("{0} networks of namespaces are up already: end one of them first")]
    AllTaken(u8),
    /// The system refused.
    #[error("{what}: {cause}")]
    Io {
        /// What was being done.
        what: String,
        /// What the system said.
        cause: io::Error,
    },
}

/// Namespaces of one network, one for each node. They go when it is dropped; processes that
/// still run in them keep theirs without a name until they end.
#[derive(Debug)]
pub struct Namespaces {
    slot: Slot,
    nodes: Vec<u64>,
}

impl Namespaces {
    /// Makes a namespace for each of these nodes, and cables to them. What killed runs have left
    /// is removed before.
    ///
    /// # Errors
    /// [`NoNamespaces`] where there cannot be any: it says what helps.
    pub fn open(nodes: &[u64]) -> Result<Self, NoNamespaces> {
        usable()?;
        if nodes.len() > NODES_MAX {
            return Err(NoNamespaces::TooManyNodes);
        }
        let opened = Self {
            slot: Slot::take()?,
            nodes: nodes.to_vec(),
        };
        for node in nodes {
            opened.make(*node).map_err(|cause| NoNamespaces::Io {
                what: format!("making a network namespace for node {node}"),
                cause,
            })?;
        }
        Ok(opened)
    }

    /// Where nodes reach processes of this machine, over their cables.
    #[must_use]
    pub const fn gateway(&self) -> Ipv4Addr {
        Ipv4Addr::new(198, 18, self.slot.number(), 1)
    }

    /// Where this machine reaches a node, over its cable.
    #[must_use]
    pub fn control(&self, node: u64) -> Option<Ipv4Addr> {
        Some(Ipv4Addr::new(198, 18, self.slot.number(), self.host(node)?))
    }

    /// Where other nodes reach a node, over the emulated links.
    #[must_use]
    pub fn wan(&self, node: u64) -> Option<Ipv4Addr> {
        Some(Ipv4Addr::new(198, 19, self.slot.number(), self.host(node)?))
    }

    /// What stands before a command that shall run in the namespace of a node. The process is
    /// the command's own: its number and its signals are.
    #[must_use]
    pub fn entering(&self, node: u64) -> Vec<OsString> {
        let name = self.slot.namespace(node);
        vec![
            "nsenter".into(),
            format!("--net={}/{name}", ip::NAMED).into(),
        ]
    }

    pub(crate) fn nodes(&self) -> &[u64] {
        &self.nodes
    }

    /// Makes the `wan` device of a node, whose packets come to the engine's thread.
    pub(crate) fn tun(&self, node: u64, engine: &Engine) -> io::Result<Tun> {
        let (namespace, name) = (
            self.slot.namespace(node),
            self.slot.interface('t', self.host(node)),
        );
        let address = self.wan(node).ok_or(io::ErrorKind::NotFound)?;
        let device = Tun::builder()
            .name(&name)
            .mtu(WAN_MTU_BYTES)
            .close_on_exec();
        let made = engine.within(|| device.build());
        let tun = made
            .map_err(io::Error::other)?
            .pop()
            .ok_or(io::ErrorKind::NotFound)?;
        // The file that we hold stays with the device, wherever it goes.
        ip::run(&[&format!("link set {name} netns {namespace} name wan")])?;
        ip::run_in(
            &namespace,
            &[
                &format!("link set wan txqueuelen {WAN_QUEUE_PACKETS}"),
                &format!("addr add {address}/24 dev wan"),
                "link set wan up",
            ],
        )?;
        Ok(tun)
    }

    /// Packets that the system threw away because we came too late to read them. `None` where it
    /// does not say.
    pub(crate) fn dropped(&self) -> Option<u64> {
        let of_node = |node: &u64| ip::dropped(&self.slot.namespace(*node), "wan");
        self.nodes.iter().map(of_node).sum()
    }

    fn make(&self, node: u64) -> io::Result<()> {
        let (namespace, cable) = (
            self.slot.namespace(node),
            self.slot.interface('c', self.host(node)),
        );
        let (gateway, address) = (
            self.gateway(),
            self.control(node).ok_or(io::ErrorKind::NotFound)?,
        );
        ip::run(&[
            &format!("netns add {namespace}"),
            &format!("link add {cable} type veth peer name control netns {namespace}"),
            &format!("addr add {gateway} peer {address}/32 dev {cable}"),
            &format!("link set {cable} up"),
        ])?;
        ip::run_in(
            &namespace,
            &[
                "link set lo up",
                &format!("addr add {address} peer {gateway}/32 dev control"),
                "link set control up",
            ],
        )
    }

    fn host(&self, node: u64) -> Option<u8> {
        let place = self.nodes.iter().position(|known| *known == node)?;
        u8::try_from(place).ok()?.checked_add(FIRST_HOST)
    }
}

/// Whether there can be namespaces here.
fn usable() -> Result<(), NoNamespaces> {
    if !rustix::process::geteuid().is_root() {
        return Err(NoNamespaces::NotRoot);
    }
    let missing = |what, then| Err(NoNamespaces::Missing { what, then });
    if !Path::new("/dev/net/tun").exists() {
        return missing(
            "/dev/net/tun",
            "load the kernel's module tun, or give the container the device",
        );
    }
    if !ip::is_here("ip") {
        return missing("`ip`", "apt-get install iproute2");
    }
    if !ip::is_here("nsenter") {
        return missing("`nsenter`", "apt-get install util-linux");
    }
    Ok(())
}

#[cfg(test)]
mod tests;
