//! `meridian transfer`: has the leader of a listing's group hand over.

use std::io::Write;

use crate::cli::TransferArgs;

pub(crate) async fn run(arguments: TransferArgs, out: &mut impl Write) -> anyhow::Result<()> {
    let admin = arguments.credentials.admin(arguments.admin)?;
    let listing = arguments.listing.to_string();
    let led = admin.transfer(&listing, arguments.to.get()).await?;
    writeln!(out, "node {} leads in term {}", led["leader"], led["term"])?;
    Ok(())
}
