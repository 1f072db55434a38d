//! Colours, where somebody looks at a terminal and has not said `NO_COLOR`.

use std::io::IsTerminal;

/// Whether what is written is coloured.
#[derive(Debug, Clone, Copy)]
pub(super) struct Paint(bool);

/// What something is to look like.
#[derive(Debug, Clone, Copy)]
pub(super) enum Look {
    Good,
    Bad,
    Doubtful,
    Quiet,
    Strong,
}

impl Paint {
    /// Colours only on a terminal.
    pub(super) fn of(out: &impl IsTerminal) -> Self {
        let unwanted = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        Self(out.is_terminal() && !unwanted)
    }

    #[cfg(test)]
    pub(super) const fn always(on: bool) -> Self {
        Self(on)
    }

    /// A text as it is to be written.
    pub(super) fn text(self, look: Look, text: impl std::fmt::Display) -> String {
        if !self.0 {
            return text.to_string();
        }
        let code = match look {
            Look::Good => 32,
            Look::Bad => 31,
            Look::Doubtful => 33,
            Look::Quiet => 2,
            Look::Strong => 1,
        };
        format!("\x1b[{code}m{text}\x1b[0m")
    }
}
