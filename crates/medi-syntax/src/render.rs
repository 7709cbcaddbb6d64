//! Diagnostics as text for people and as JSON for tools.
//!
//! The text has the source with its labels under the lines, drawn by codespan-reporting, then the
//! reasons as `= why: …` and the ways out as `= help: …`. An edit that stays within a line is shown as
//! that line would read afterwards, unless a help says so already. The JSON has one object per line and
//! carries the edits exactly.

use crate::diagnostic::{Diagnostic, Edit, Severity};
use crate::source::{FileId, SourceMap, Span};
use codespan_reporting::diagnostic as codespan;
use codespan_reporting::files::{self, Files};
use codespan_reporting::term::{self, Config, Styles, StylesWriter, termcolor};
use std::fmt::Write;
use std::ops::Range;

/// Longer lines are not repeated as a help.
const LONGEST_EDITED_LINE: usize = 110;

/// The diagnostics as they are shown on a terminal, one after the other, each ended by an empty line.
/// With `colour` the text holds ANSI sequences.
pub fn human(sources: &SourceMap, diagnostics: &[Diagnostic], colour: bool) -> String {
    let files = Sources(sources);
    let config = Config { tab_width: 2, ..Config::default() };
    let mut text = String::new();
    for diagnostic in diagnostics {
        let shown = to_codespan(sources, diagnostic);
        let emitted = if colour {
            let mut buffer = termcolor::Buffer::ansi();
            let styles = Styles::default();
            let mut writer = StylesWriter::new(&mut buffer, &styles);
            let emitted = term::emit_to_write_style(&mut writer, &config, &files, &shown);
            text.push_str(&String::from_utf8_lossy(buffer.as_slice()));
            emitted
        } else {
            term::emit_to_string(&mut text, &config, &files, &shown)
        };
        if emitted.is_err() {
            // A place outside its file must not swallow the message.
            let _ = writeln!(text, "error[{}]: {}\n", diagnostic.code, diagnostic.message);
        }
    }
    text
}

/// The diagnostics as JSON, one object per line. Lines and columns count from 1, columns in characters;
/// `start` and `end` of edits are byte offsets.
pub fn json(sources: &SourceMap, diagnostics: &[Diagnostic]) -> String {
    let mut text = String::new();
    for diagnostic in diagnostics {
        let severity = match diagnostic.severity {
            Severity::Warning => "warning",
            Severity::Error => "error",
        };
        let labels = list(&diagnostic.labels, |label| {
            let (line, column) = sources.file(label.span.file).line_column(label.span.start);
            let (end_line, end_column) = sources.file(label.span.file).line_column(label.span.end);
            format!(
                "{{\"file\":{},\"line\":{line},\"column\":{column},\"end_line\":{end_line},\
                 \"end_column\":{end_column},\"message\":{},\"primary\":{}}}",
                quoted(&path(sources, label.span.file)),
                quoted(&label.message),
                label.primary
            )
        });
        let edits = list(&diagnostic.edits, |edit| {
            let Span { file, start, end } = edit.span;
            let (line, column) = sources.file(file).line_column(start);
            format!(
                "{{\"file\":{},\"start\":{start},\"end\":{end},\"line\":{line},\"column\":{column},\
                 \"replacement\":{}}}",
                quoted(&path(sources, file)),
                quoted(&edit.replacement)
            )
        });
        let _ = writeln!(
            text,
            "{{\"severity\":\"{severity}\",\"code\":{},\"message\":{},\"labels\":{labels},\
             \"why\":{},\"help\":{},\"edits\":{edits}}}",
            quoted(diagnostic.code),
            quoted(&diagnostic.message),
            list(&diagnostic.why, |reason| quoted(reason)),
            list(&diagnostic.help, |advice| quoted(advice)),
        );
    }
    text
}

fn list<T>(items: &[T], write: impl Fn(&T) -> String) -> String {
    let items: Vec<String> = items.iter().map(write).collect();
    format!("[{}]", items.join(","))
}

fn quoted(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    for c in text.chars() {
        match c {
            '"' => quoted.push_str("\\\""),
            '\\' => quoted.push_str("\\\\"),
            '\n' => quoted.push_str("\\n"),
            '\r' => quoted.push_str("\\r"),
            '\t' => quoted.push_str("\\t"),
            c if (c as u32) < 0x20 => {
                let _ = write!(quoted, "\\u{:04x}", c as u32);
            }
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}

fn path(sources: &SourceMap, file: FileId) -> String {
    sources.file(file).path.display().to_string()
}

fn to_codespan(sources: &SourceMap, diagnostic: &Diagnostic) -> codespan::Diagnostic<FileId> {
    let severity = match diagnostic.severity {
        Severity::Warning => codespan::Severity::Warning,
        Severity::Error => codespan::Severity::Error,
    };
    let labels = diagnostic.labels.iter().map(|label| {
        let range = label.span.start as usize..label.span.end as usize;
        let style = match label.primary {
            true => codespan::LabelStyle::Primary,
            false => codespan::LabelStyle::Secondary,
        };
        codespan::Label::new(style, label.span.file, range).with_message(&label.message)
    });
    let reasons = diagnostic.why.iter().map(|reason| format!("why: {reason}"));
    let advice = diagnostic.help.iter().map(|advice| format!("help: {advice}"));
    let edited = edited_line(sources, diagnostic).map(|line| format!("help: write `{line}`"));
    codespan::Diagnostic::new(severity)
        .with_code(diagnostic.code)
        .with_message(&diagnostic.message)
        .with_labels(labels.collect())
        .with_notes(reasons.chain(advice).chain(edited).collect())
}

/// The line as the edits would leave it, if they all are on one and no help quotes the result.
fn edited_line(sources: &SourceMap, diagnostic: &Diagnostic) -> Option<String> {
    let mut edits: Vec<&Edit> = diagnostic.edits.iter().collect();
    edits.sort_by_key(|edit| edit.span.start);
    let first = edits.first()?;
    let file = sources.file(first.span.file);
    let (number, _) = file.line_column(first.span.start);
    let start = file.line_start(number) as usize;
    let line = file.text[start..].lines().next().unwrap_or("");
    let mut edited = String::new();
    let mut taken = 0;
    for edit in &edits {
        let from = (edit.span.start as usize).checked_sub(start)?;
        let to = (edit.span.end as usize).checked_sub(start)?;
        let foreign = edit.span.file != first.span.file || edit.replacement.contains('\n');
        if foreign || from < taken || to > line.len() {
            return None;
        }
        edited.push_str(&line[taken..from]);
        edited.push_str(&edit.replacement);
        taken = to;
    }
    edited.push_str(&line[taken..]);
    let edited = edited.trim();
    // A backtick would end the quotation.
    if !edited.contains(char::is_alphanumeric)
        || edited.contains('`')
        || edited.chars().count() > LONGEST_EDITED_LINE
    {
        return None;
    }
    // What stands in backticks is quoted; every second piece does.
    let quotes = |text: &str| {
        let quoted = text.split('`').skip(1).step_by(2);
        let mut quoted = quoted.filter(|quoted| !quoted.trim().is_empty());
        quoted.any(|quoted| edited.contains(quoted) && !line.contains(quoted))
    };
    let told = diagnostic.help.iter().any(|help| quotes(help))
        || diagnostic.labels.iter().any(|label| quotes(&label.message));
    (!told).then(|| edited.to_string())
}

/// The map as codespan-reporting reads it.
struct Sources<'a>(&'a SourceMap);

impl<'a> Files<'a> for Sources<'_> {
    type FileId = FileId;
    type Name = String;
    type Source = &'a str;

    fn name(&'a self, id: FileId) -> Result<String, files::Error> {
        Ok(path(self.0, id))
    }

    fn source(&'a self, id: FileId) -> Result<&'a str, files::Error> {
        Ok(&self.0.file(id).text)
    }

    fn line_index(&'a self, id: FileId, byte: usize) -> Result<usize, files::Error> {
        Ok(self.0.file(id).line_column(byte as u32).0 as usize - 1)
    }

    fn line_range(&'a self, id: FileId, index: usize) -> Result<Range<usize>, files::Error> {
        let file = self.0.file(id);
        let line = index as u32 + 1;
        Ok(file.line_start(line) as usize..file.line_start(line + 1) as usize)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> (SourceMap, Diagnostic) {
        let mut sources = SourceMap::default();
        let text = "scope {\n  let b = allocate(4KB)\n  let v = b.view[int]()\n  return v\n}\n";
        let file = sources.add("pileup.medi", text.into(), false);
        let place = |needle: &str| {
            let start = text.find(needle).expect("the needle is there");
            Span::new(file, start, start + needle.len())
        };
        let returned = Span { start: place("return v").end - 1, ..place("return v") };
        let diagnostic = Diagnostic::error(
            "M0101",
            "`v` cannot leave this scope",
            returned,
            "returned here, but the memory is freed here",
        )
        .label(place("allocate(4KB)"), "this memory belongs to the scope opened on line 1")
        .why("`v` looks into `b` (line 3)")
        .help("copy it to collected memory: `return promote(v)`")
        .edit(returned, "promote(v)");
        (sources, diagnostic)
    }

    #[test]
    fn the_text_has_the_form_that_the_design_promises() {
        let (sources, diagnostic) = sample();
        let expected = "\
error[M0101]: `v` cannot leave this scope
  ┌─ pileup.medi:4:10
  │
2 │   let b = allocate(4KB)
  │           ------------- this memory belongs to the scope opened on line 1
3 │   let v = b.view[int]()
4 │   return v
  │          ^ returned here, but the memory is freed here
  │
  = why: `v` looks into `b` (line 3)
  = help: copy it to collected memory: `return promote(v)`

";
        assert_eq!(human(&sources, &[diagnostic], false), expected);
    }

    #[test]
    fn an_edit_is_shown_as_the_line_would_read() {
        let (sources, mut diagnostic) = sample();
        diagnostic.help.clear();
        let text = human(&sources, &[diagnostic], false);
        assert!(text.contains("  = help: write `return promote(v)`\n"), "{text}");
    }

    #[test]
    fn colour_adds_sequences_and_changes_no_word() {
        let (sources, diagnostic) = sample();
        let plain = human(&sources, std::slice::from_ref(&diagnostic), false);
        let coloured = human(&sources, &[diagnostic], true);
        assert!(coloured.contains("\x1b["));
        let mut stripped = String::new();
        let mut rest = coloured.as_str();
        while let Some((before, after)) = rest.split_once('\x1b') {
            stripped.push_str(before);
            rest = after.split_once('m').map_or("", |(_, rest)| rest);
        }
        stripped.push_str(rest);
        assert_eq!(stripped, plain);
    }

    #[test]
    fn json_is_one_object_per_diagnostic_with_exact_places() {
        let (sources, diagnostic) = sample();
        let expected = "{\"severity\":\"error\",\"code\":\"M0101\",\
            \"message\":\"`v` cannot leave this scope\",\"labels\":[\
            {\"file\":\"pileup.medi\",\"line\":4,\"column\":10,\"end_line\":4,\"end_column\":11,\
            \"message\":\"returned here, but the memory is freed here\",\"primary\":true},\
            {\"file\":\"pileup.medi\",\"line\":2,\"column\":11,\"end_line\":2,\"end_column\":24,\
            \"message\":\"this memory belongs to the scope opened on line 1\",\"primary\":false}],\
            \"why\":[\"`v` looks into `b` (line 3)\"],\
            \"help\":[\"copy it to collected memory: `return promote(v)`\"],\
            \"edits\":[{\"file\":\"pileup.medi\",\"start\":65,\"end\":66,\"line\":4,\"column\":10,\
            \"replacement\":\"promote(v)\"}]}\n";
        assert_eq!(json(&sources, &[diagnostic]), expected);
    }

    #[test]
    fn json_strings_escape_what_json_forbids() {
        assert_eq!(quoted("a\"b\\c\n\u{1}µ"), "\"a\\\"b\\\\c\\n\\u0001µ\"");
    }

    #[test]
    fn a_place_at_the_end_of_an_empty_file_can_be_shown() {
        let mut sources = SourceMap::default();
        let file = sources.add("empty.medi", String::new(), false);
        let diagnostic = Diagnostic::error("E0101", "empty", Span::new(file, 0, 0), "here");
        assert!(human(&sources, &[diagnostic], false).contains("empty.medi:1:1"));
    }
}
