//! What the compiler has to say to a person.
//!
//! A [`Diagnostic`] is data: a code, a sentence, labelled places, reasons and an offered edit.
//! [`crate::render`] turns it into text or JSON. Codes are listed with their long explanations in
//! [`crate::codes`]; making a diagnostic with a code that is not listed there is a bug that a test finds.

use crate::source::Span;

#[derive(Clone, Copy, PartialEq, Eq, Debug, PartialOrd, Ord)]
pub enum Severity {
    Warning,
    Error,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Label {
    pub span: Span,
    pub message: String,
    pub primary: bool,
}

/// A replacement that, applied to the source, is meant to compile.
#[derive(Clone, Debug, PartialEq)]
pub struct Edit {
    pub span: Span,
    pub replacement: String,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Diagnostic {
    pub severity: Severity,
    /// `E0203`; see [`crate::codes`].
    pub code: &'static str,
    pub message: String,
    pub labels: Vec<Label>,
    /// Printed as `= why: …`.
    pub why: Vec<String>,
    /// Printed as `= help: …`.
    pub help: Vec<String>,
    pub edits: Vec<Edit>,
}

impl Diagnostic {
    /// An error whose primary label is `label` at `span`; `label` may be empty.
    pub fn error(
        code: &'static str,
        message: impl Into<String>,
        span: Span,
        label: impl Into<String>,
    ) -> Self {
        let primary = Label { span, message: label.into(), primary: true };
        Self {
            severity: Severity::Error,
            code,
            message: message.into(),
            labels: vec![primary],
            why: vec![],
            help: vec![],
            edits: vec![],
        }
    }

    pub fn warning(
        code: &'static str,
        message: impl Into<String>,
        span: Span,
        label: impl Into<String>,
    ) -> Self {
        Self { severity: Severity::Warning, ..Self::error(code, message, span, label) }
    }

    pub fn label(mut self, span: Span, message: impl Into<String>) -> Self {
        self.labels.push(Label { span, message: message.into(), primary: false });
        self
    }

    pub fn why(mut self, reason: impl Into<String>) -> Self {
        self.why.push(reason.into());
        self
    }

    pub fn help(mut self, advice: impl Into<String>) -> Self {
        self.help.push(advice.into());
        self
    }

    pub fn edit(mut self, span: Span, replacement: impl Into<String>) -> Self {
        self.edits.push(Edit { span, replacement: replacement.into() });
        self
    }
}
