//! Colours, or none.

use ratatui::style::{Color, Modifier, Style};

#[derive(Debug, Clone, Copy)]
pub(super) struct Palette {
    pub(super) good: Style,
    pub(super) doubtful: Style,
    pub(super) bad: Style,
    pub(super) faint: Style,
    pub(super) strong: Style,
    pub(super) head: Style,
    pub(super) cursor: Style,
}

impl Palette {
    pub(super) fn new(coloured: bool) -> Self {
        let of = |colour: Color| if coloured { Style::new().fg(colour) } else { Style::new() };
        Self {
            good: of(Color::Green),
            doubtful: of(Color::Yellow),
            bad: of(Color::Red),
            faint: Style::new().add_modifier(Modifier::DIM),
            strong: Style::new().add_modifier(Modifier::BOLD),
            head: of(Color::Cyan).add_modifier(Modifier::BOLD),
            cursor: Style::new().add_modifier(Modifier::REVERSED),
        }
    }
}
