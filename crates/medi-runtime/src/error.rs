//! Errors that stop a running program: what happened, where, and what to do about it.

use std::fmt;

/// The codes of run-time errors; `medi explain CODE` says more about each.
pub mod codes {
    pub const OVERFLOW: &str = "R0001";
    pub const DIVIDE_BY_ZERO: &str = "R0002";
    pub const INDEX: &str = "R0003";
    pub const NIL: &str = "R0004";
    pub const MISSING_KEY: &str = "R0005";
    pub const CONVERSION: &str = "R0006";
    pub const STACK_OVERFLOW: &str = "R0007";
    pub const OUT_OF_MEMORY: &str = "R0008";
    pub const FAILURE: &str = "R0009";
    pub const USE_AFTER_FREE: &str = "R0010";
    pub const SCOPE_BOUNDS: &str = "R0011";
    pub const DOUBLE_FREE: &str = "R0012";
    pub const BAD_ARGUMENT: &str = "R0013";
    pub const FILE: &str = "R0014";
    pub const DEADLOCK: &str = "R0015";
    /// Something is missing where another task was changing it at the same time.
    pub const RACE: &str = "R0016";
    /// Memory of a scope that another task opened.
    pub const FOREIGN_SCOPE: &str = "R0017";
    /// A pin in another task than the one that made it, or of a list that was resized.
    pub const PIN: &str = "R0018";
    /// Native code touched memory of scopes that is not there.
    pub const MEMORY: &str = "R0019";
    /// A mistake of the compiler or the runtime.
    pub const INTERNAL: &str = "R0099";
}

/// One line of a call stack.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Frame {
    pub function: String,
    /// Empty when the place is not known.
    pub file: String,
    /// Counted from 1; 0 when the place is not known.
    pub line: u32,
    /// Counted from 1; 0 when the place is not known.
    pub column: u32,
}

impl Frame {
    /// A line between calls that is no call; it begins with `…`.
    pub fn note(text: String) -> Frame {
        Frame { function: text, file: String::new(), line: 0, column: 0 }
    }
}

impl fmt::Display for Frame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.line == 0 {
            return write!(f, "{}", self.function);
        }
        write!(f, "{} ({}:{}:{})", self.function, self.file, self.line, self.column)
    }
}

/// Why a program stopped.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RuntimeError {
    /// One of [`codes`].
    pub code: &'static str,
    pub message: String,
    /// Each a sentence on its own; a long one may have several lines.
    pub help: Vec<String>,
    /// Innermost call first.
    pub stack: Vec<Frame>,
}

impl RuntimeError {
    /// An error without help or stack yet.
    pub fn new(code: &'static str, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), help: vec![], stack: vec![] }
    }

    pub fn with_help(mut self, help: impl Into<String>) -> Self {
        self.help.push(help.into());
        self
    }

    pub fn with_stack(mut self, stack: Vec<Frame>) -> Self {
        self.stack = stack;
        self
    }
}

/// ```text
/// error[R0003]: index 5 is out of range: the length is 3
///   at largest (stats.medi:12:7)
///   at main (stats.medi:30:3)
///   = help: …
/// ```
impl fmt::Display for RuntimeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "error[{}]: {}", self.code, self.message)?;
        for frame in &self.stack {
            if frame.line == 0 && frame.function.starts_with('…') {
                write!(f, "\n  {frame}")?;
            } else {
                write!(f, "\n  at {frame}")?;
            }
        }
        for help in &self.help {
            write!(f, "\n  = help: {}", help.replace('\n', "\n    "))?;
        }
        Ok(())
    }
}

impl std::error::Error for RuntimeError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_reads_from_message_to_place_to_help() {
        let frame = Frame { function: "main".into(), file: "a.medi".into(), line: 3, column: 5 };
        let error = RuntimeError::new(codes::INDEX, "index 5 is out of range: the length is 3")
            .with_stack(vec![frame])
            .with_help("count from 0");
        assert_eq!(
            error.to_string(),
            "error[R0003]: index 5 is out of range: the length is 3\n  at main (a.medi:3:5)\n  \
             = help: count from 0"
        );
    }
}
