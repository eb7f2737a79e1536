//! Answers that come line by line.

use super::output::Failure;

/// Longest line that is read, in bytes.
const LINE_BYTES: usize = 4 << 20;

/// The lines of what comes in pieces.
#[derive(Debug, Default)]
pub(super) struct Lines {
    /// What has no end of line yet.
    rest: Vec<u8>,
}

impl Lines {
    /// The lines that are whole with this piece.
    pub(super) fn take(&mut self, piece: &[u8]) -> Result<Vec<String>, Failure> {
        let mut whole = Vec::new();
        let mut parts = piece.split(|byte| *byte == b'\n');
        let last = parts.next_back().unwrap_or_default();
        for part in parts {
            self.add(part)?;
            whole.push(String::from_utf8_lossy(&std::mem::take(&mut self.rest)).trim_end_matches('\r').to_owned());
        }
        self.add(last)?;
        Ok(whole)
    }

    fn add(&mut self, part: &[u8]) -> Result<(), Failure> {
        if self.rest.len() + part.len() > LINE_BYTES {
            return Err(Failure::new(format!("the host's answer has a line of more than {LINE_BYTES} bytes")));
        }
        self.rest.extend_from_slice(part);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_whole_however_they_come() {
        let text = "data: ä\r\n\n: beat\nlast\nrest";
        for size in 1..text.len() {
            let mut lines = Lines::default();
            let whole: Vec<String> =
                text.as_bytes().chunks(size).flat_map(|piece| lines.take(piece).expect("short")).collect();
            assert_eq!(whole, ["data: ä", "", ": beat", "last"], "in pieces of {size}");
            assert_eq!(lines.rest, b"rest");
        }
    }

    #[test]
    fn a_line_without_end_is_refused() {
        let mut lines = Lines::default();
        lines.take(&vec![b'x'; LINE_BYTES]).expect("as long as a line may be");
        assert!(lines.take(b"x").is_err());
    }
}
