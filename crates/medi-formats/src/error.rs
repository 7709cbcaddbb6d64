//! The one error type of this crate: which file, where in it, what is wrong, and what to do.

use std::{
    error::Error,
    fmt, io,
    path::{Path, PathBuf},
};

use crate::source::RecordTooLarge;

/// What sort of trouble a [`FormatError`] reports.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// There is no such file.
    NotFound,
    /// The file is there, but the system does not let it be read.
    Unreadable,
    /// The file, or what it decompresses to, has no bytes.
    Empty,
    /// The file is of another format than the one asked for.
    WrongFormat,
    /// The file ends in the middle.
    Truncated,
    /// The file breaks the rules of its format.
    Corrupt,
    /// One record or field is larger than this crate agrees to hold in memory.
    TooLarge,
    /// The file is sound, but uses something this crate does not read.
    Unsupported,
    /// A file could not be written.
    Unwritable,
}

/// Why a file could not be read (or written) to its end.
///
/// `Display` gives the whole message: a line `FILE, record N, line N: reason`, then a line `help: …`. The parts are
/// available one by one for callers that lay out their own messages.
#[derive(Clone)]
pub struct FormatError(Box<Parts>);

#[derive(Clone, Debug)]
struct Parts {
    kind: ErrorKind,
    path: PathBuf,
    record: Option<u64>,
    line: Option<u64>,
    offset: Option<u64>,
    reason: String,
    help: String,
}

impl FormatError {
    pub(crate) fn new(
        kind: ErrorKind,
        path: &Path,
        reason: impl Into<String>,
        help: impl Into<String>,
    ) -> Self {
        Self(Box::new(Parts {
            kind,
            path: path.to_owned(),
            record: None,
            line: None,
            offset: None,
            reason: reason.into(),
            help: help.into(),
        }))
    }

    /// An error of the operating system or of a decompressor, put in words.
    pub(crate) fn from_io(path: &Path, error: &io::Error) -> Self {
        let (kind, reason, help) = explain(error);
        Self::new(kind, path, reason, help)
    }

    /// The error with the number of the record it is about, counted from 1.
    pub(crate) fn at_record(mut self, record: u64) -> Self {
        self.0.record = (record > 0).then_some(record);
        self
    }

    /// The error with the line it is about, counted from 1.
    pub(crate) fn at_line(mut self, line: u64) -> Self {
        self.0.line = (line > 0).then_some(line);
        self
    }

    /// The error with the byte it is about, counted from 0 in the decompressed file.
    pub(crate) fn at_offset(mut self, offset: u64) -> Self {
        self.0.offset = Some(offset);
        self
    }

    pub(crate) fn with_help(mut self, help: impl Into<String>) -> Self {
        self.0.help = help.into();
        self
    }

    /// What sort of trouble it is.
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.0.path
    }

    /// The record, counted from 1, where the trouble lies in one. In a FHIR bundle that is the entry.
    pub fn record(&self) -> Option<u64> {
        self.0.record
    }

    /// The line, counted from 1, where known. Files that are not text have none.
    pub fn line(&self) -> Option<u64> {
        self.0.line
    }

    /// The position in bytes from the start of the decompressed file, where known.
    pub fn offset(&self) -> Option<u64> {
        self.0.offset
    }

    /// What is wrong, as a phrase without a full stop.
    pub fn reason(&self) -> &str {
        &self.0.reason
    }

    /// What to do about it.
    pub fn help(&self) -> &str {
        &self.0.help
    }
}

impl fmt::Display for FormatError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parts = &*self.0;
        write!(f, "{}", parts.path.display())?;
        if let Some(record) = parts.record {
            write!(f, ", record {record}")?;
        }
        if let Some(line) = parts.line {
            write!(f, ", line {line}")?;
        } else if let Some(offset) = parts.offset {
            write!(f, ", byte {offset}")?;
        }
        write!(f, ": {}", parts.reason)?;
        if !parts.help.is_empty() {
            write!(f, "\nhelp: {}", parts.help)?;
        }
        Ok(())
    }
}

impl fmt::Debug for FormatError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Error for FormatError {}

fn explain(error: &io::Error) -> (ErrorKind, String, &'static str) {
    use io::ErrorKind as Io;
    if error.get_ref().is_some_and(|inner| inner.is::<RecordTooLarge>()) {
        return (
            ErrorKind::TooLarge,
            RecordTooLarge.to_string(),
            "a quote or bracket that is never closed looks like this; look at the record before it",
        );
    }
    match error.kind() {
        Io::NotFound => (
            ErrorKind::NotFound,
            "there is no such file".into(),
            "check the path; it is taken from the directory the program was started in",
        ),
        Io::PermissionDenied => (
            ErrorKind::Unreadable,
            "the file may not be read by this user".into(),
            "check its permissions with `ls -l`",
        ),
        Io::UnexpectedEof => (ErrorKind::Truncated, CUT_OFF.into(), CUT_OFF_HELP),
        // flate2 reports damaged deflate data as InvalidInput, noodles as InvalidData.
        Io::InvalidData | Io::InvalidInput => (
            ErrorKind::Corrupt,
            format!("the data is damaged ({error})"),
            "copy or download the file again and compare its checksum with the original's",
        ),
        _ => (
            ErrorKind::Unreadable,
            format!("the system could not read on ({error})"),
            "check the disk or the network drive that the file lies on",
        ),
    }
}

pub(crate) const CUT_OFF: &str = "the file ends in the middle";
pub(crate) const CUT_OFF_HELP: &str =
    "the file is cut: copy or download it again, or repeat the export that wrote it";
