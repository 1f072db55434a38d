//! What the demo shows: steps, one block, and a line that lives.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{self, IsTerminal, Stdout, Write};

use meridian_chaos::{LiveSample, LocalCluster};

use super::{dates, program};

/// Standard output. A reader that has gone is no reason to stop the demo.
pub(crate) struct Screen {
    out: RefCell<Stdout>,
    is_terminal: bool,
    /// Whether the cursor stands behind the live line.
    line_open: Cell<bool>,
}

impl Screen {
    pub(crate) fn new() -> Self {
        let out = io::stdout();
        Self {
            is_terminal: out.is_terminal(),
            out: RefCell::new(out),
            line_open: Cell::new(false),
        }
    }

    /// What is being done now.
    pub(crate) fn step(&self, what: &str) {
        self.write(|out| writeln!(out, "▸ {what}"));
    }

    /// Several lines that belong together.
    pub(crate) fn block(&self, text: &str) {
        self.write(|out| writeln!(out, "\n{text}\n"));
    }

    pub(crate) fn write(&self, write: impl FnOnce(&mut Stdout) -> io::Result<()>) {
        let mut out = self.out.borrow_mut();
        let ended = if self.line_open.replace(false) {
            writeln!(out)
        } else {
            Ok(())
        };
        let _ = ended
            .and_then(|()| write(&mut out))
            .and_then(|()| out.flush());
    }

    /// The live line: written over itself on a terminal, else one line each time.
    pub(crate) fn live(&self, sample: &LiveSample) {
        let line = live_line(sample);
        if self.is_terminal {
            // The line before it, if one is open, is written over and not ended.
            self.line_open.set(false);
            self.write(|out| write!(out, "\r\x1b[2K{line}"));
            self.line_open.set(true);
        } else {
            self.write(|out| writeln!(out, "{line}"));
        }
    }
}

/// What could not be learnt is `unknown`, never a reassuring zero.
fn live_line(sample: &LiveSample) -> String {
    let count = |known: Option<usize>| {
        known.map_or_else(|| "unknown".to_owned(), |count| count.to_string())
    };
    format!(
        "reads {:.0}/s · bookings {} · replication lag {} · double bookings {} · diverged listings {}",
        sample.reads_per_s,
        sample.bookings,
        sample
            .lag_ms
            .map_or_else(|| "unknown".to_owned(), |lag| format!("{lag} ms")),
        count(sample.double_bookings),
        count(sample.diverged),
    )
}

/// Where the regions are, and three commands to try on `listing`.
pub(crate) fn welcome(
    cluster: &LocalCluster,
    loaded: &BTreeMap<String, Vec<String>>,
    listing: &str,
) -> String {
    let mut text = String::new();
    for node in cluster.nodes() {
        let listings = loaded.get(node.region).map_or(0, Vec::len);
        // Writing to a string does not fail.
        let _ = writeln!(
            text,
            "  {:<13} API http://{}   metrics http://{}/metrics   {listings} listings",
            node.region, node.api, node.admin
        );
    }
    let mut apis = cluster.nodes().map(|node| format!("http://{}", node.api));
    let (first, second) = (
        apis.next().unwrap_or_default(),
        apis.next().unwrap_or_default(),
    );
    let (check_in, check_out) = dates::night_to_try().unwrap_or_default();
    let meridian = program::as_typed();
    let _ = write!(
        text,
        "\n  Try, in another terminal:\n    \
         {meridian} listing watch {listing} --api {first}\n    \
         {meridian} listing edit {listing} title=\"Renamed from afar\" --api {second}\n    \
         {meridian} booking hold {listing} --check-in {check_in} --check-out {check_out} --api {first}\n\n  \
         Ctrl-C stops everything and leaves nothing behind.",
    );
    text
}

#[cfg(test)]
mod tests {
    use meridian_chaos::LiveSample;

    use super::live_line;

    #[test]
    fn what_could_not_be_learnt_is_unknown_and_not_zero() {
        let mut sample = LiveSample {
            reads_per_s: 600.4,
            bookings: 14,
            lag_ms: Some(112),
            double_bookings: Some(0),
            diverged: Some(0),
        };
        assert_eq!(
            live_line(&sample),
            "reads 600/s · bookings 14 · replication lag 112 ms · double bookings 0 · diverged listings 0"
        );
        (sample.lag_ms, sample.double_bookings, sample.diverged) = (None, None, None);
        assert_eq!(
            live_line(&sample),
            "reads 600/s · bookings 14 · replication lag unknown · double bookings unknown · diverged listings unknown"
        );
    }
}
