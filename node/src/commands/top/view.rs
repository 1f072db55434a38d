//! The model, drawn: the verdict above, the nodes in the middle, what is wrong below. Fits 80
//! columns and 24 lines; with fewer lines, what is wrong keeps its place.

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout};
use ratatui::style::{Color, Modifier, Style};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, Borders, Paragraph, Row, Table, Wrap};

use super::model::Model;

/// Lines of the verdict: title, two of the summary, three promises.
const HEAD: u16 = 6;
/// Least lines for what is wrong, with its border.
const WRONG_MIN: u16 = 5;

pub(super) fn draw(frame: &mut Frame<'_>, model: &Model) {
    let rows = u16::try_from(model.rows.len()).unwrap_or(u16::MAX);
    let areas = Layout::vertical([
        Constraint::Length(HEAD),
        Constraint::Max(rows.saturating_add(3)),
        Constraint::Min(WRONG_MIN),
        Constraint::Length(1),
    ])
    .split(frame.area());
    let [head, nodes, wrong, foot] = [areas[0], areas[1], areas[2], areas[3]];
    frame.render_widget(verdict(model), head);
    frame.render_widget(table(model), nodes);
    frame.render_widget(problems(model), wrong);
    frame.render_widget(footer(model), foot);
}

fn verdict(model: &Model) -> Paragraph<'_> {
    let mut lines = vec![Line::styled(
        model.title.as_str(),
        Style::new().add_modifier(Modifier::BOLD),
    )];
    for promise in &model.promises {
        let state = Span::styled(
            format!("{:<8}", promise.state),
            Style::new().fg(colour_of_state(&promise.state)),
        );
        let (regions, nodes) = (&promise.regions, &promise.nodes);
        lines.push(Line::from(vec![
            Span::raw(format!("{:<9}", promise.name)),
            state,
            Span::raw(format!(" {regions} regions, {nodes} nodes may be lost")),
        ]));
    }
    let summary = Style::new().fg(colour_of_level(&model.level));
    lines.push(Line::styled(model.summary.as_str(), summary));
    Paragraph::new(lines).wrap(Wrap { trim: true })
}

fn table(model: &Model) -> Table<'_> {
    let header = [
        "node", "region", "seen", "rtt", "lag", "req/s", "book/s", "awake",
    ];
    let rows = model.rows.iter().map(|row| {
        let style = match row.standing.as_str() {
            "this" | "up" => Style::new(),
            "silent" => Style::new().fg(Color::Red),
            _ => Style::new().fg(Color::Yellow),
        };
        Row::new([
            row.node.as_str(),
            row.region.as_str(),
            row.standing.as_str(),
            row.rtt.as_str(),
            row.lag.as_str(),
            row.requests.as_str(),
            row.bookings.as_str(),
            row.awake.as_str(),
        ])
        .style(style)
    });
    let widths = [
        Constraint::Length(5),
        Constraint::Min(12),
        Constraint::Length(8),
        Constraint::Length(8),
        Constraint::Length(9),
        Constraint::Length(8),
        Constraint::Length(8),
        Constraint::Length(7),
    ];
    Table::new(rows, widths)
        .header(Row::new(header).style(Style::new().add_modifier(Modifier::BOLD)))
        .block(Block::new().borders(Borders::TOP).title("nodes"))
}

fn problems(model: &Model) -> Paragraph<'_> {
    let mut lines: Vec<Line<'_>> = Vec::new();
    for wrong in &model.wrong {
        let severity = Style::new().fg(colour_of_level(&wrong.severity));
        lines.push(Line::from(vec![
            Span::styled(format!("{:<9}", wrong.severity), severity),
            Span::raw(format!("{} ", wrong.since)),
            Span::raw(wrong.what.as_str()),
        ]));
    }
    if lines.is_empty() {
        lines.push(Line::raw("nothing that this node knows of"));
    }
    Paragraph::new(lines)
        .wrap(Wrap { trim: true })
        .block(Block::new().borders(Borders::TOP).title("wrong now"))
}

fn footer(model: &Model) -> Paragraph<'_> {
    match &model.error {
        Some(error) => {
            let text = format!("what is shown is old: {}: {error}", model.url);
            Paragraph::new(Line::styled(text, Style::new().fg(Color::Red)))
        }
        None => Paragraph::new(format!("q leaves   {}", model.url)),
    }
}

fn colour_of_level(level: &str) -> Color {
    match level {
        "fine" => Color::Green,
        "notice" => Color::Reset,
        "critical" => Color::Red,
        _ => Color::Yellow,
    }
}

fn colour_of_state(state: &str) -> Color {
    match state {
        "kept" | "nothing" => Color::Green,
        "stopped" => Color::Red,
        _ => Color::Yellow,
    }
}

#[cfg(test)]
mod tests;
