//! The latest log lines of this process, in memory, for whoever asks a running node what it
//! has said. The lines go to standard error all the same.
//!
//! Invariant kept here: it never takes more than [`TAIL_BYTES_MAX`].

use std::collections::VecDeque;
use std::io::{self, Write};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tracing_subscriber::fmt::MakeWriter;

/// Bytes that are kept: some two thousand lines.
pub(crate) const TAIL_BYTES_MAX: usize = 512 * 1024;

/// The latest lines. Cheap to clone; every clone is the same tail.
#[derive(Debug, Clone, Default)]
pub(crate) struct LogTail(Arc<Mutex<Lines>>);

#[derive(Debug, Default)]
struct Lines {
    lines: VecDeque<Vec<u8>>,
    bytes: usize,
}

impl LogTail {
    /// Every line that is kept, oldest first.
    pub(crate) fn text(&self) -> Vec<u8> {
        let lines = self.lines();
        lines.lines.iter().flatten().copied().collect()
    }

    fn note(&self, line: &[u8]) {
        let kept = &line[..line.len().min(TAIL_BYTES_MAX)];
        let mut lines = self.lines();
        lines.bytes += kept.len();
        lines.lines.push_back(kept.to_vec());
        while lines.bytes > TAIL_BYTES_MAX {
            let gone = lines.lines.pop_front().map_or(0, |gone| gone.len());
            lines.bytes -= gone;
        }
    }

    // A panic cannot leave it half changed: whoever comes next goes on with it.
    fn lines(&self) -> MutexGuard<'_, Lines> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A log line is written at once.
pub(crate) struct TailWriter(LogTail);

impl Write for TailWriter {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.0.note(line);
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl MakeWriter<'_> for LogTail {
    type Writer = TailWriter;

    fn make_writer(&self) -> TailWriter {
        TailWriter(self.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::{LogTail, TAIL_BYTES_MAX};

    #[test]
    fn latest_lines_are_kept_within_the_bound() {
        let tail = LogTail::default();
        let line = [b'x'; 1_000];
        for _ in 0..2 * TAIL_BYTES_MAX / line.len() {
            tail.note(&line);
        }
        tail.note(b"the last one\n");
        let text = tail.text();
        assert!(text.len() <= TAIL_BYTES_MAX);
        assert!(text.len() > TAIL_BYTES_MAX - 2 * line.len());
        assert!(text.ends_with(b"the last one\n"));
        tail.note(&vec![b'y'; 2 * TAIL_BYTES_MAX]);
        assert_eq!(tail.text().len(), TAIL_BYTES_MAX);
    }
}
