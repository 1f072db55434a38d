//! The page: verdict first, then what it rests on.
//!
//! Pictures are stretched to the page's width and carry no text of their own, so that they
//! are legible at any width; everything in them is in a table too. Text of a history goes
//! through [`write::text`] and maud's escaping. The policy of the page lets nothing be
//! loaded and no script run but its own.

mod calls;
mod coverage;
mod lanes;
mod overview;
mod panels;
mod plot;
mod promises;
mod tables;
mod timeline;
mod write;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use maud::{DOCTYPE, Markup, PreEscaped, html};
use sha2::{Digest, Sha256};

use super::figures::Figures;

const STYLE: &str = include_str!("page/style.css");
const SCRIPT: &str = include_str!("page/script.js");

/// Sections in their order: anchor and name.
const SECTIONS: [(&str, &str); 6] = [
    ("promises", "Promises"),
    ("failing", "Failing histories"),
    ("time", "Over time"),
    ("coverage", "Coverage"),
    ("calls", "Calls"),
    ("run", "Run"),
];

/// The page of a run.
pub(super) fn draw(figures: &Figures<'_>) -> Markup {
    let scenario = write::text(&figures.header.scenario, write::NAME_CHARS_MAX);
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta http-equiv="Content-Security-Policy" content=(policy());
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                meta name="referrer" content="no-referrer";
                title { (write::word(figures.verdict)) ": " (scenario) " · Meridian chaos" }
                style { (PreEscaped(STYLE)) }
            }
            body {
                a.skip href="#promises" { "To the promises" }
                main {
                    (overview::banner(figures))
                    (contents(figures))
                    (promises::section(figures))
                    (timeline::section(figures))
                    (panels::section(figures))
                    (coverage::section(figures))
                    (calls::section(figures))
                    (overview::section(figures))
                }
                script { (PreEscaped(SCRIPT)) }
            }
        }
    }
}

fn contents(figures: &Figures<'_>) -> Markup {
    let shown = |anchor: &str| anchor != "failing" || !figures.failing.is_empty();
    html! {
        nav aria-label="Contents" {
            @for (anchor, name) in SECTIONS.iter().filter(|(anchor, _)| shown(anchor)) {
                a href={ "#" (anchor) } { (name) }
            }
        }
    }
}

/// Nothing is loaded, and of scripts only ours runs: whatever else gets into the page is
/// dead.
fn policy() -> String {
    let digest = STANDARD.encode(Sha256::digest(SCRIPT));
    format!(
        "default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-{digest}'; \
         base-uri 'none'; form-action 'none'"
    )
}
