//! A progress bar for files that take their time.
//!
//! It is drawn on the standard error stream, only if that is a terminal, and only for a file that has not been read
//! after a second: a program whose files are small never shows one. `MEDI_PROGRESS=off` turns it off.

use std::io::{IsTerminal, stderr};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// The environment variable that turns progress bars off when it is `off`.
pub const VARIABLE: &str = "MEDI_PROGRESS";

/// How long a file may take before a bar appears.
const PATIENCE: Duration = Duration::from_secs(1);

/// Records between two looks at the clock.
const STRIDE: u32 = 256;

/// The progress of one file. The bar disappears when this is dropped.
pub struct Progress {
    name: String,
    opened: Instant,
    records: u32,
    bar: Option<ProgressBar>,
    wanted: bool,
}

impl Progress {
    /// Progress through the file at `path`.
    pub fn new(path: &str) -> Self {
        let name = path.rsplit('/').find(|part| !part.is_empty()).unwrap_or(path);
        let wanted =
            stderr().is_terminal() && std::env::var_os(VARIABLE).is_none_or(|v| v != "off");
        Self { name: name.to_owned(), opened: Instant::now(), records: 0, bar: None, wanted }
    }

    /// To be called for each record; `position` gives bytes read so far and in all (0: not known).
    pub fn step(&mut self, position: impl FnOnce() -> (u64, u64)) {
        self.records = self.records.wrapping_add(1);
        if self.wanted && self.records.is_multiple_of(STRIDE) {
            self.look(position());
        }
    }

    fn look(&mut self, (read, total): (u64, u64)) {
        if self.bar.is_none() && self.opened.elapsed() >= PATIENCE {
            self.bar = Some(draw(&self.name, total));
        }
        if let Some(bar) = &self.bar {
            bar.set_position(read);
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

fn draw(name: &str, total: u64) -> ProgressBar {
    let target = ProgressDrawTarget::stderr();
    let (bar, template) = match total {
        0 => (
            ProgressBar::with_draw_target(None, target),
            "reading {msg}  {bytes} ({bytes_per_sec}) {spinner}",
        ),
        _ => (
            ProgressBar::with_draw_target(Some(total), target),
            "reading {msg} [{wide_bar}] {bytes} of {total_bytes}, {eta} left",
        ),
    };
    // A template that does not parse would be a mistake here; the default style is no reason to stop a program.
    let style =
        ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
    bar.with_style(style.progress_chars("=> ")).with_message(name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_bar_is_drawn_before_a_second_has_passed() {
        let mut progress = Progress::new("data/patients.json");
        progress.look((10, 100));
        assert!(progress.bar.is_none());
        assert_eq!(progress.name, "patients.json");
    }

    #[test]
    fn a_stream_of_unknown_length_gets_a_bar_without_an_end() {
        assert_eq!(draw("pipe", 0).length(), None);
        assert_eq!(draw("file", 9).length(), Some(9));
    }
}
