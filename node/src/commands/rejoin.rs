//! `meridian rejoin`: sets the records of a node aside that has lost some of them, so that
//! it comes back without them.

use std::io::Write;
use std::net::TcpListener;

use anyhow::{Context, bail};
use meridian_replication::{OpenError, Replica};
use meridian_storage::StorageError;

use crate::cli::RejoinArgs;
use crate::config::{Config, Layers};
use crate::data_folder::DataFolder;
use crate::supervisor::{self, BOOKINGS_FOLDER, LISTINGS_FOLDER, Prepared};

pub(crate) fn run(arguments: &RejoinArgs, out: &mut impl Write) -> anyhow::Result<()> {
    let layers = Layers::from_process(arguments.set.clone());
    let config = Config::load(&arguments.config, &layers)?;
    let prepared = supervisor::prepare(config)?;
    let admin = prepared.config.listen.admin;
    let _not_running = TcpListener::bind(admin)
        .with_context(|| format!("cannot listen on {admin}: stop the node first"))?;
    let identity = &prepared.identity;
    let folder = &prepared.config.node.data_dir;
    let mut moved = vec![BOOKINGS_FOLDER];
    if arguments.without_listings {
        moved.push(LISTINGS_FOLDER);
    } else {
        match look_at_listings(&prepared) {
            Ok(()) => {}
            Err(cause @ OpenError::Storage(StorageError::Lost { .. })) => {
                writeln!(out, "the listings' database cannot be kept: {cause}")?;
                moved.push(LISTINGS_FOLDER);
            }
            Err(cause) => bail!(
                "the listings' database cannot be opened: {cause}\nNothing was moved. If the node \
                 has ended and the database is damaged, repeat this with --without-listings"
            ),
        }
    }
    let (aside, moved) = DataFolder::set_aside(folder, identity, &moved)?;
    writeln!(
        out,
        "node {} comes back without its bookings at its next start: the others take it out of \
         each group and in again. It takes no write to a listing before every other node of the \
         topology has told it what it has of this node's log: changes that it had acknowledged \
         and none of them had fetched are lost.\n{} are kept in {}",
        identity.node,
        moved.join(" and "),
        aside.display()
    )?;
    Ok(())
}

/// Opens the listings' database, if there is one: what it has lost can be fetched, if it
/// can be opened.
fn look_at_listings(prepared: &Prepared) -> Result<(), OpenError> {
    let Prepared {
        config,
        identity,
        topology,
        ..
    } = prepared;
    if !config.node.data_dir.join(LISTINGS_FOLDER).exists() {
        return Ok(());
    }
    let peers = supervisor::peers_of(topology, config, identity);
    let opened = Replica::open(supervisor::replica_options(config, topology, &peers, None))?;
    drop(opened);
    Ok(())
}
