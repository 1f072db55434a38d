//! What a run says on standard error while it goes on: a bar in a terminal, else a line at
//! intervals, so that whoever reads a log sees that it lives.

use std::io::{self, IsTerminal, Write};

use indicatif::{ProgressBar, ProgressStyle};

/// Where it is told.
pub(super) enum Progress {
    Bar(ProgressBar),
    Lines(Box<dyn Write + Send>),
}

impl Progress {
    pub(super) fn on_stderr() -> Self {
        if !io::stderr().is_terminal() {
            return Self::Lines(Box::new(io::stderr()));
        }
        let style = ProgressStyle::with_template("{bar:40} {pos} of {len} listings, {eta} left");
        let style = style.unwrap_or_else(|_| ProgressStyle::default_bar());
        Self::Bar(ProgressBar::no_length().with_style(style))
    }

    /// So many listings from here on.
    pub(super) fn begin(&self, listings: usize) {
        if let Self::Bar(bar) = self {
            bar.reset();
            bar.set_length(listings as u64);
        }
    }

    /// One of them is over.
    pub(super) fn one(&self) {
        if let Self::Bar(bar) = self {
            bar.inc(1);
        }
    }

    /// Something that concerns one listing: a terminal has room for it, a log has the summary.
    pub(super) fn remark(&self, line: &str) {
        if let Self::Bar(bar) = self {
            bar.println(line);
        }
    }

    /// How far it is, where there is no bar.
    pub(super) fn tick(&mut self, line: &str) {
        if let Self::Lines(out) = self {
            tell(out, line);
        }
    }

    /// What is to be seen in any case.
    pub(super) fn say(&mut self, line: &str) {
        match self {
            Self::Bar(bar) => bar.suspend(|| tell(&mut io::stderr(), line)),
            Self::Lines(out) => tell(out, line),
        }
    }

    pub(super) fn end(&self) {
        if let Self::Bar(bar) = self {
            bar.finish_and_clear();
        }
    }
}

/// Nowhere left to say it if that is closed, and the run goes on.
fn tell(out: &mut impl Write, line: &str) {
    let _ = writeln!(out, "{line}");
}
