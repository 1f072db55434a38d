//! One write made durable, with nothing around it.

use std::fs::OpenOptions;
use std::io::Write;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::Context;

use crate::latency::Latencies;

/// About what one write appends to a log.
const BLOCK_BYTES: usize = 4_096;

/// Appends and fsyncs, over and over. Blocks the thread: nothing else is measured then.
pub(crate) fn fsyncs(folder: &Path, time: Duration) -> anyhow::Result<Latencies> {
    let path = folder.join("fsync");
    let mut file = OpenOptions::new()
        .create(true)
        .append(true)
        .open(&path)
        .with_context(|| path.display().to_string())?;
    let block = [0x5a; BLOCK_BYTES];
    let mut latencies = Latencies::new();
    let end = Instant::now() + time;
    while Instant::now() < end {
        let started = Instant::now();
        file.write_all(&block)?;
        file.sync_data()?;
        latencies.record(started.elapsed());
    }
    std::fs::remove_file(&path)?;
    Ok(latencies)
}
