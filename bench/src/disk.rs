//! One write made durable, with nothing around it, or with others beside it.

use std::fs::{File, OpenOptions};
use std::io::{Seek, Write};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::Context;

use crate::latency::Latencies;

/// About what one write appends to a log.
const BLOCK_BYTES: usize = 4_096;
const BLOCK: [u8; BLOCK_BYTES] = [0x5a; BLOCK_BYTES];
/// Blocks that a file has before it is measured where nothing is added to it.
const BLOCKS: usize = 1_024;
/// Who follows: the other nodes of a cluster of three.
const FOLLOWERS: usize = 2;

/// Where a write goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    /// Behind the end of its file, which grows.
    Behind,
    /// Over what was written before, from the beginning again and again.
    Within,
}

/// A file that is removed in the end.
pub(crate) struct Scratch {
    file: File,
    path: PathBuf,
}

/// Writes and fsyncs, over and over. Blocks the thread: nothing else is measured then.
pub(crate) fn fsyncs(folder: &Path, time: Duration, place: Place) -> anyhow::Result<Latencies> {
    let mut scratch = Scratch::make(folder, "fsync")?;
    if place == Place::Within {
        for _ in 0..BLOCKS {
            scratch.file.write_all(&BLOCK)?;
        }
        scratch.file.sync_all()?;
        scratch.file.rewind()?;
    }
    let (mut latencies, mut blocks) = (Latencies::new(), 0);
    let end = Instant::now() + time;
    while Instant::now() < end {
        if place == Place::Within && blocks % BLOCKS == 0 {
            scratch.file.rewind()?;
        }
        blocks += 1;
        let started = Instant::now();
        scratch.write()?;
        latencies.record(started.elapsed());
    }
    Ok(latencies)
}

/// The same behind the end, with two threads of which each writes and fsyncs a file of its own
/// whenever the first has: they are at it while the first goes on. One that is still at it takes
/// the next with the one after.
pub(crate) fn followed(folder: &Path, time: Duration) -> anyhow::Result<Latencies> {
    let mut scratch = Scratch::make(folder, "fsync")?;
    let follower = |number: usize| {
        let scratch = Scratch::make(folder, &format!("fsync-{number}"))?;
        let (tell, told) = sync_channel(1);
        anyhow::Ok((tell, thread::spawn(move || follow(scratch, &told))))
    };
    let followers = (0..FOLLOWERS).map(follower);
    let followers = followers.collect::<anyhow::Result<Vec<_>>>()?;
    let mut latencies = Latencies::new();
    let end = Instant::now() + time;
    while Instant::now() < end {
        let started = Instant::now();
        scratch.write()?;
        latencies.record(started.elapsed());
        for (tell, _) in &followers {
            // Full: it is at it.
            let _ = SyncSender::try_send(tell, ());
        }
    }
    for (tell, thread) in followers {
        drop(tell);
        let followed = thread.join();
        followed.map_err(|_panic| anyhow::anyhow!("a follower panicked"))??;
    }
    Ok(latencies)
}

fn follow(mut scratch: Scratch, told: &Receiver<()>) -> anyhow::Result<()> {
    for () in told {
        scratch.write()?;
    }
    Ok(())
}

impl Scratch {
    pub(crate) fn make(folder: &Path, name: &str) -> anyhow::Result<Self> {
        let path = folder.join(name);
        let mut options = OpenOptions::new();
        let file = options.create(true).write(true).truncate(true).open(&path);
        let file = file.with_context(|| path.display().to_string())?;
        Ok(Self { file, path })
    }

    /// Appends a block and syncs it.
    pub(crate) fn write(&mut self) -> anyhow::Result<()> {
        self.file.write_all(&BLOCK)?;
        Ok(self.file.sync_data()?)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // What is left goes with the folder.
        let _ = std::fs::remove_file(&self.path);
    }
}
