//! What a recovery could not save, in lines for whoever asked for it.

use super::witness::{Testimony, Totals};

/// Lines that a report of losses has at most.
const LOST_LINES: usize = 1_000;

/// What could not be saved.
#[derive(Default)]
pub(super) struct Losses {
    lines: Vec<String>,
    more: usize,
}

impl Losses {
    pub(super) fn add(&mut self, line: String) {
        if self.lines.len() + 1 < LOST_LINES {
            self.lines.push(line);
        } else {
            self.more += 1;
        }
    }

    /// Adds what the witness knows of and the damaged store, of which `heads` were kept, did not hold.
    pub(super) fn compare(&mut self, testimony: &Testimony, held: Option<&Totals>, heads: u64) {
        let Testimony::AtLeast(witness) = testimony else { return };
        match held {
            Some(held) if held.id != witness.id => {
                self.add("whatever the store that its witness knows had more".to_owned());
            }
            held => {
                let missing = witness.writes.saturating_sub(held.map_or(0, |held| held.writes));
                if missing > 0 {
                    self.add(format!("the last {missing} of {} writes", witness.writes));
                }
            }
        }
        if heads < witness.heads {
            self.add(format!("{} of {} actors", witness.heads - heads, witness.heads));
        }
    }

    pub(super) fn lines(mut self) -> Vec<String> {
        if self.more > 0 {
            self.lines.push(format!("and {} more", self.more));
        }
        self.lines
    }
}
