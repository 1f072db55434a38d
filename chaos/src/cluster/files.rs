//! The files of a local cluster: certificates, topologies, configurations.

use std::ffi::OsString;
use std::fmt::Write as _;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, UdpSocket};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::AtomicBool;

use super::node::run;
use super::{ClusterError, ClusterOptions, Network, RunningNode, io};
use crate::layout::NodePlan;
use crate::loopback::own_loopback;
use crate::namespaces::Namespaces;
use crate::wan::Wan;

/// A node's configuration, in its folder.
pub(super) const CONFIG: &str = "meridian.toml";
/// What a node writes, in its folder.
pub(super) const LOG: &str = "node.log";
/// A node's databases, in its folder.
pub(super) const DATA: &str = "data";
/// A node's topology, in its folder.
pub(super) const TOPOLOGY: &str = "topology.toml";
/// The certificates of the authorities that a node trusts, in its folder; in that of an
/// authority, its own.
pub(super) const AUTHORITY: &str = "ca.pem";
/// Epoch of the topologies that a cluster starts with.
pub(super) const FIRST_EPOCH: u64 = 1;
/// What nodes write from the beginning: the latest level of formats that this release speaks.
const FORMAT_LEVEL: u32 = 2;
/// Name of the clusters that we start.
const CLUSTER: &str = "local";

/// Ports of a node that has a namespace of its own: API, QUIC, operator API.
const OWN_PORTS: [u16; 3] = [7_400, 7_401, 7_402];

/// Chooses addresses and folders.
pub(super) fn plan_nodes(options: &ClusterOptions) -> Result<Vec<RunningNode>, ClusterError> {
    match &options.network {
        Network::Relays => on_loopback(options),
        Network::Namespaces(namespaces) => in_namespaces(options, namespaces),
    }
}

/// Clients stand beside their node; nodes find each other over the links.
fn in_namespaces(
    options: &ClusterOptions,
    namespaces: &Namespaces,
) -> Result<Vec<RunningNode>, ClusterError> {
    let nodes = options.plan.nodes.iter().map(|plan| {
        let addresses = namespaces.control(plan.id).zip(namespaces.wan(plan.id));
        let (control, wan) = addresses.ok_or(ClusterError::NotRunning(plan.id))?;
        let [api, peer, admin] = OWN_PORTS;
        let addresses = [(control, api), (wan, peer), (control, admin)];
        let entering = namespaces.entering(plan.id);
        Ok(node(
            options,
            plan,
            addresses.map(SocketAddr::from),
            entering,
        ))
    });
    nodes.collect()
}

/// A node at these addresses: API, QUIC, operator API.
fn node(
    options: &ClusterOptions,
    plan: &NodePlan,
    [api, peer, admin]: [SocketAddr; 3],
    entering: Vec<OsString>,
) -> RunningNode {
    RunningNode {
        id: plan.id,
        region: plan.region,
        zone: plan.zone.clone(),
        api,
        admin,
        peer,
        folder: options.folder.join(format!("node-{}", plan.id)),
        entering,
        child: Mutex::default(),
        ended: AtomicBool::default(),
    }
}

fn on_loopback(options: &ClusterOptions) -> Result<Vec<RunningNode>, ClusterError> {
    let failed = |cause| io("looking for free ports", cause);
    let own = own_loopback();
    // All are held until all are chosen, so that no port is chosen twice.
    let mut held = Vec::new();
    let mut nodes = Vec::new();
    for (index, plan) in options.plan.nodes.iter().enumerate() {
        let base = options
            .first_port
            .map(|first| first + u16::try_from(index).unwrap_or(0) * 10);
        let local = |offset: u16| match base {
            Some(base) => SocketAddr::from((Ipv4Addr::LOCALHOST, base + offset)),
            None => SocketAddr::from((own, 0)),
        };
        let listener = |offset: u16| TcpListener::bind(local(offset));
        let (api, admin) = (listener(0).map_err(failed)?, listener(2).map_err(failed)?);
        let peer = UdpSocket::bind(local(1)).map_err(failed)?;
        let addresses = [
            api.local_addr().map_err(failed)?,
            peer.local_addr().map_err(failed)?,
            admin.local_addr().map_err(failed)?,
        ];
        nodes.push(node(options, plan, addresses, Vec::new()));
        held.push((api, admin, peer));
    }
    Ok(nodes)
}

/// Writes everything that the nodes need.
pub(super) async fn write_all(
    options: &ClusterOptions,
    nodes: &[RunningNode],
    wan: &Wan,
) -> Result<(), ClusterError> {
    let authority = authority_in(&options.folder);
    make_authority(&options.binary, &authority).await?;
    let authority = authority.to_string_lossy();
    for node in nodes {
        let id = node.id.to_string();
        let folder = node.folder.to_string_lossy();
        let made = [
            "cert",
            "node",
            "--ca",
            &authority,
            "--region",
            node.region,
            "--node",
            &id,
            "--out",
            &folder,
        ];
        run(&options.binary, &made).await?;
        let ca = Path::new(&*authority).join(AUTHORITY);
        std::fs::copy(&ca, node.folder.join(AUTHORITY))
            .map_err(|cause| io(&format!("copying {}", ca.display()), cause))?;
        write(
            &node.folder.join(TOPOLOGY),
            &topology(options, nodes, node, wan),
        )?;
        write(&node.folder.join(CONFIG), &configuration(node))?;
    }
    Ok(())
}

/// Folder of the authority that a cluster starts with.
pub(super) fn authority_in(folder: &Path) -> PathBuf {
    folder.join("authority")
}

/// Makes an authority.
pub(super) async fn make_authority(binary: &Path, folder: &Path) -> Result<(), ClusterError> {
    let folder = folder.to_string_lossy();
    run(
        binary,
        &["cert", "ca", "--cluster", CLUSTER, "--out", &folder],
    )
    .await
}

/// A topology that says how a node stands, in an epoch.
pub(super) fn with_state(
    topology: &str,
    node: u64,
    state: &str,
    epoch: u64,
) -> std::io::Result<String> {
    let failed = std::io::Error::other::<String>;
    let parsed: Result<toml::Table, _> = topology.parse();
    let mut table = parsed.map_err(|cause| failed(cause.to_string()))?;
    let number = |number: u64| toml::Value::from(i64::try_from(number).unwrap_or(i64::MAX));
    table.insert("epoch".to_owned(), number(epoch));
    let known = table.get_mut("nodes").and_then(toml::Value::as_array_mut);
    let mut known = known
        .into_iter()
        .flatten()
        .filter_map(toml::Value::as_table_mut);
    let found = known.find(|known| known.get("id") == Some(&number(node)));
    let found = found.ok_or_else(|| failed(format!("it has no node {node}")))?;
    found.insert("state".to_owned(), state.into());
    Ok(table.to_string())
}

/// The cluster as one node sees it: the others stand behind relays.
fn topology(
    options: &ClusterOptions,
    nodes: &[RunningNode],
    reader: &RunningNode,
    wan: &Wan,
) -> String {
    let region_voters = options.plan.region_voters;
    let mut text = format!(
        "cluster = \"{CLUSTER}\"\nepoch = {FIRST_EPOCH}\nregion_voters = {region_voters}\n\
         format_level = {FORMAT_LEVEL}\n"
    );
    for region in &options.plan.regions {
        // Writing to a string does not fail.
        let _ = write!(
            text,
            "\n[[regions]]\nid = \"{}\"\nlatitude = {:?}\nlongitude = {:?}\n",
            region.id, region.latitude, region.longitude
        );
    }
    for node in nodes {
        let peer = wan.address(reader.id, node.id).unwrap_or(node.peer);
        let _ = write!(
            text,
            "\n[[nodes]]\nid = {}\nregion = \"{}\"\nzone = \"{}\"\npeer = \"{peer}\"\napi = \"http://{}\"\nadmin = \"http://{}\"\n",
            node.id, node.region, node.zone, node.api, node.admin
        );
    }
    text
}

fn configuration(node: &RunningNode) -> String {
    let RunningNode {
        id,
        region,
        zone,
        api,
        admin,
        peer,
        ..
    } = node;
    format!(
        "[node]\nid = {id}\nregion = \"{region}\"\nzone = \"{zone}\"\ndata_dir = \"{DATA}\"\n\n\
         [listen]\napi = \"{api}\"\npeer = \"{peer}\"\nadmin = \"{admin}\"\n\n\
         [tls]\nca = \"{AUTHORITY}\"\ncert = \"node-{id}.pem\"\nkey = \"node-{id}.key\"\n\n\
         [cluster]\ntopology = \"{TOPOLOGY}\"\n"
    )
}

fn write(path: &Path, text: &str) -> Result<(), ClusterError> {
    std::fs::write(path, text).map_err(|cause| io(&format!("writing {}", path.display()), cause))
}
