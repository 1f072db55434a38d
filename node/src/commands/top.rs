//! `meridian top`: the verdict and every node, looked at over and over, on a terminal.
//!
//! What is shown is worked out in plain data (`model.rs`) and drawn (`view.rs`); here are the
//! clock, the terminal and the network.

mod ask;
mod model;
mod view;

use std::io::{IsTerminal, stdin, stdout};
use std::time::Duration;

use anyhow::{Context, bail};
use crossterm::event::{Event, EventStream, KeyCode, KeyEvent, KeyEventKind, KeyModifiers};
use futures::StreamExt;
use ratatui::DefaultTerminal;
use tokio::time::{MissedTickBehavior, interval};

use self::ask::Asker;
use self::model::{Model, Sample};
use crate::cli::TopArgs;

pub(crate) async fn run(arguments: TopArgs) -> anyhow::Result<()> {
    if !stdout().is_terminal() || !stdin().is_terminal() {
        bail!(
            "`meridian top` draws on a terminal, and standard input or output is none: \
             `meridian status`, or `meridian status --json`, says the same once"
        );
    }
    let asker = Asker::new(&arguments.to)?;
    let terminal = ratatui::try_init().context("cannot take over the terminal")?;
    let shown = show(terminal, &asker, Duration::from_secs(arguments.every)).await;
    ratatui::restore();
    shown
}

async fn show(mut terminal: DefaultTerminal, asker: &Asker, every: Duration) -> anyhow::Result<()> {
    let mut keys = EventStream::new();
    let mut looks = interval(every);
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut model = Model::new(asker.url());
    loop {
        terminal.draw(|frame| view::draw(frame, &model))?;
        let sample: Sample = tokio::select! {
            biased;
            // Cancel-safe: an event that is not taken yet stays in the stream.
            event = keys.next() => match event {
                Some(Ok(event)) if !leaves(&event) => continue,
                Some(Err(cause)) => return Err(cause).context("cannot read the keyboard"),
                Some(Ok(_)) | None => return Ok(()),
            },
            // A look that is given up for a key is taken again with the next tick.
            sample = async { looks.tick().await; asker.look().await } => sample,
        };
        model.take(sample);
    }
}

fn leaves(event: &Event) -> bool {
    let Event::Key(KeyEvent {
        code,
        modifiers,
        kind: KeyEventKind::Press,
        ..
    }) = event
    else {
        return false;
    };
    match code {
        KeyCode::Char('q') | KeyCode::Esc => true,
        KeyCode::Char('c') => modifiers.contains(KeyModifiers::CONTROL),
        _ => false,
    }
}
