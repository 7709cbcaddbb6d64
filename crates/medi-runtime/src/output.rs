//! What a program prints: buffered, written when the buffer is full, the program ends or, on a terminal, a
//! line ends.
//!
//! A reader that goes away (`medi run … | head`) ends the program quietly, as it does other commands.

use std::io::{self, IsTerminal, Write};
use std::sync::{Arc, Mutex, MutexGuard};

/// Bytes collected before they are written.
const BUFFER: usize = 64 << 10;

enum Target {
    Stdout,
    Shared(Arc<Mutex<Vec<u8>>>),
}

struct Lines {
    target: Target,
    buffer: Vec<u8>,
    each_line: bool,
}

/// Where `print` goes. Clones go to the same place, and lines stay whole.
#[derive(Clone)]
pub struct Output(Arc<Mutex<Lines>>);

impl Output {
    fn new(target: Target, each_line: bool) -> Output {
        Output(Arc::new(Mutex::new(Lines { target, buffer: vec![], each_line })))
    }

    /// The process's standard output.
    pub fn stdout() -> Output {
        Output::new(Target::Stdout, io::stdout().is_terminal())
    }

    /// Memory that the caller reads afterwards.
    pub fn collected() -> (Output, Arc<Mutex<Vec<u8>>>) {
        let collected = Arc::new(Mutex::new(vec![]));
        let target = Target::Shared(Arc::clone(&collected));
        (Output::new(target, false), collected)
    }

    /// Appends a line if that takes no waiting, neither for the operating system nor for another thread; whether
    /// it did.
    pub fn line_at_once(&self, text: &[u8]) -> bool {
        match self.0.try_lock() {
            Ok(mut lines) if !lines.each_line && lines.buffer.len() + text.len() < BUFFER => {
                lines.append(text);
                true
            }
            _ => false,
        }
    }

    /// Writes what is buffered, unless another call is in the middle of that; whether it did.
    ///
    /// # Errors
    /// As [`Output::line`].
    pub(crate) fn flush_at_once(&self) -> io::Result<bool> {
        match self.0.try_lock() {
            Ok(mut lines) => lines.flush().map(|()| true),
            Err(_) => Ok(false),
        }
    }

    /// Appends a line. `text` does not hold the newline.
    ///
    /// # Errors
    /// What the operating system answers to a write; `BrokenPipe` when nobody reads any more.
    pub fn line(&self, text: &[u8]) -> io::Result<()> {
        let mut lines = self.lines();
        lines.append(text);
        if lines.each_line || lines.buffer.len() >= BUFFER { lines.flush() } else { Ok(()) }
    }

    /// Writes what is buffered. After an error the buffer is empty: what could not be written is lost.
    ///
    /// # Errors
    /// As [`Output::line`].
    pub fn flush(&self) -> io::Result<()> {
        self.lines().flush()
    }

    fn lines(&self) -> MutexGuard<'_, Lines> {
        self.0.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

impl Lines {
    fn append(&mut self, text: &[u8]) {
        self.buffer.extend_from_slice(text);
        self.buffer.push(b'\n');
    }

    fn flush(&mut self) -> io::Result<()> {
        let written = match &self.target {
            Target::Stdout => {
                let mut stdout = io::stdout().lock();
                stdout.write_all(&self.buffer).and_then(|()| stdout.flush())
            }
            Target::Shared(collected) => {
                let mut collected = collected.lock().unwrap_or_else(|e| e.into_inner());
                collected.extend_from_slice(&self.buffer);
                Ok(())
            }
        };
        self.buffer.clear();
        written
    }
}
