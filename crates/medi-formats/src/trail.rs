//! Where a cursor is in its file, so that each error it makes says so, and the latch that keeps a failed cursor
//! failing.

use std::{
    io,
    path::{Path, PathBuf},
};

use crate::error::{ErrorKind, FormatError};

#[derive(Debug)]
pub(crate) struct Trail {
    pub path: PathBuf,
    /// The record being read, counted from 1; 0 while the header is read.
    pub record: u64,
    /// The line being read, counted from 1; 0 in formats that are not text.
    pub line: u64,
    /// Where the record begins, in formats that are not text.
    pub offset: Option<u64>,
    failure: Option<FormatError>,
}

impl Trail {
    pub fn new(path: &Path) -> Self {
        Self { path: path.to_owned(), record: 0, line: 0, offset: None, failure: None }
    }

    /// The error this cursor failed with before, if it did.
    pub fn check(&self) -> Result<(), FormatError> {
        self.failure.clone().map_or(Ok(()), Err)
    }

    /// Remembers a failure, so that a cursor asked again does not take damage for the end.
    pub fn latch<T>(&mut self, result: Result<T, FormatError>) -> Result<T, FormatError> {
        if let Err(error) = &result {
            self.failure = Some(error.clone());
        }
        result
    }

    pub fn place(&self, error: FormatError) -> FormatError {
        let error = error.at_record(self.record).at_line(self.line);
        match self.offset {
            Some(offset) => error.at_offset(offset),
            None => error,
        }
    }

    pub fn io(&self, error: &io::Error) -> FormatError {
        self.place(FormatError::from_io(&self.path, error))
    }

    pub fn error(
        &self,
        kind: ErrorKind,
        reason: impl Into<String>,
        help: impl Into<String>,
    ) -> FormatError {
        self.place(FormatError::new(kind, &self.path, reason, help))
    }

    pub fn corrupt(&self, reason: impl Into<String>) -> FormatError {
        self.error(
            ErrorKind::Corrupt,
            reason,
            "compare the file with the original, or repeat the export that wrote it",
        )
    }

    pub fn truncated(&self, reason: impl Into<String>) -> FormatError {
        self.error(ErrorKind::Truncated, reason, crate::error::CUT_OFF_HELP)
    }
}
