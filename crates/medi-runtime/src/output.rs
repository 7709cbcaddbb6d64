//! What a program prints: buffered, written when the buffer is full, the program ends or, on a terminal, a
//! line ends.
//!
//! A reader that goes away (`medi run … | head`) ends the program quietly, as it does other commands.

use std::io::{self, IsTerminal, Write};
use std::sync::{Arc, Mutex};

/// Bytes collected before they are written.
const BUFFER: usize = 64 << 10;

enum Target {
    Stdout,
    Shared(Arc<Mutex<Vec<u8>>>),
}

/// Where `print` goes.
pub struct Output {
    target: Target,
    buffer: Vec<u8>,
    each_line: bool,
}

impl Output {
    /// The process's standard output.
    pub fn stdout() -> Output {
        let each_line = io::stdout().is_terminal();
        Output { target: Target::Stdout, buffer: vec![], each_line }
    }

    /// Memory that the caller reads afterwards.
    pub fn collected() -> (Output, Arc<Mutex<Vec<u8>>>) {
        let collected = Arc::new(Mutex::new(vec![]));
        let target = Target::Shared(Arc::clone(&collected));
        (Output { target, buffer: vec![], each_line: false }, collected)
    }

    /// Appends a line. `text` does not hold the newline.
    ///
    /// # Errors
    /// What the operating system answers to a write; `BrokenPipe` when nobody reads any more.
    pub fn line(&mut self, text: &[u8]) -> io::Result<()> {
        self.buffer.extend_from_slice(text);
        self.buffer.push(b'\n');
        if self.each_line || self.buffer.len() >= BUFFER { self.flush() } else { Ok(()) }
    }

    /// Writes what is buffered. After an error the buffer is empty: what could not be written is lost.
    ///
    /// # Errors
    /// As [`Output::line`].
    pub fn flush(&mut self) -> io::Result<()> {
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
