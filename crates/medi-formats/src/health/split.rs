//! Cuts a stream of JSON into the pieces that serde_json then parses whole: the entries of bundles, and documents
//! that are no bundle.
//!
//! A FHIR bundle is one JSON object whose `entry` array may be gigabytes long. This module follows strings and
//! brackets and nothing else, keeps one entry at a time, and so holds the largest entry, never the bundle. It
//! relies on the parser behind it to refuse what only looks like JSON; what it skips itself, it has parsed for
//! validity first.

use std::io::{self, BufRead};

use memchr::{memchr, memchr_iter, memchr2, memmem};
use serde::de::IgnoredAny;

use crate::source::Source;

/// What [`Splitter::text`] holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Piece {
    /// One element of a bundle's `entry` array.
    Entry,
    /// A whole top-level object without an `entry` array.
    Document,
}

/// Why the stream cannot be cut further.
#[derive(Debug)]
pub(super) enum Fault {
    Io(io::Error),
    /// The stream ended inside of something.
    Cut(&'static str),
    Bad(String),
}

impl From<io::Error> for Fault {
    fn from(error: io::Error) -> Self {
        Fault::Io(error)
    }
}

enum State {
    /// Before a top-level object, or at the end.
    Between,
    /// Inside a top-level object, before a member or the closing brace.
    Members { first: bool },
    /// Inside an `entry` array, before an element or the closing bracket.
    Entries { first: bool },
}

pub(super) struct Splitter {
    source: Source,
    state: State,
    /// The piece, or as much of it as has been read.
    text: Vec<u8>,
    /// Lines of the stream before the read position.
    newlines: u64,
    start_line: u64,
    start_offset: u64,
    /// The value of `resourceType` in the top-level object, as JSON; empty if not met yet.
    resource_type: Vec<u8>,
    bundle: bool,
}

impl Splitter {
    pub fn new(mut source: Source) -> Self {
        source.skip_byte_order_mark();
        Self {
            source,
            state: State::Between,
            text: Vec::new(),
            newlines: 0,
            start_line: 1,
            start_offset: 0,
            resource_type: Vec::new(),
            bundle: false,
        }
    }

    pub fn source(&self) -> &Source {
        &self.source
    }

    /// The bytes of the piece that `next` found.
    pub fn text(&self) -> &[u8] {
        &self.text
    }

    /// The line the piece starts on, counted from 1.
    pub fn start_line(&self) -> u64 {
        self.start_line
    }

    /// The byte of the stream the piece starts at.
    pub fn start_offset(&self) -> u64 {
        self.start_offset
    }

    /// The line the stream has been read to, counted from 1.
    pub fn line(&self) -> u64 {
        self.newlines + 1
    }

    /// Reads up to the end of the next piece; `None` at the end of the stream.
    pub fn next(&mut self) -> Result<Option<Piece>, Fault> {
        loop {
            match self.state {
                State::Between => {
                    self.text.clear();
                    self.source.begin_record();
                    let Some(byte) = self.space()? else { return Ok(None) };
                    if byte == b'[' {
                        return Err(Fault::Bad(
                            "the file is a JSON array; FHIR files are a bundle, or one resource on each line".into(),
                        ));
                    }
                    self.start_piece();
                    if self.whole_line()? {
                        return Ok(Some(Piece::Document));
                    }
                    self.punctuation(b'{', "a resource")?;
                    self.resource_type.clear();
                    self.bundle = false;
                    self.state = State::Members { first: true };
                }
                State::Members { first } => {
                    if let Some(piece) = self.member(first)? {
                        return Ok(Some(piece));
                    }
                }
                State::Entries { first } => {
                    if self.element(first)? {
                        return Ok(Some(Piece::Entry));
                    }
                }
            }
        }
    }

    /// Takes the object at the read position at once, if all of it is on this line, in the buffer, and cannot be a bundle
    /// with entries: the usual line of NDJSON.
    fn whole_line(&mut self) -> Result<bool, Fault> {
        let chunk = self.source.fill_buf()?;
        let Some(end) = memchr(b'\n', chunk) else { return Ok(false) };
        let (n, done) = Scan::default().advance(&chunk[..end]);
        if !done || chunk[0] != b'{' || memmem::find(&chunk[..n], b"\"entry\"").is_some() {
            return Ok(false);
        }
        self.push(n)?;
        Ok(true)
    }

    /// One member of a top-level object, or its end.
    fn member(&mut self, first: bool) -> Result<Option<Piece>, Fault> {
        const INSIDE: &str = "a resource or bundle";
        let mut byte = self.expect_more(INSIDE)?;
        if byte == b'}' {
            self.push_byte();
            self.state = State::Between;
            return if self.bundle {
                self.end_bundle().map(|()| None)
            } else {
                Ok(Some(Piece::Document))
            };
        }
        if !first {
            self.punctuation(b',', INSIDE)?;
            byte = self.expect_more(INSIDE)?;
        }
        if byte != b'"' {
            return Err(unexpected(byte, "a name in quotes"));
        }
        let key = self.text.len();
        self.value()?;
        let key = key..self.text.len();
        self.expect_more(INSIDE)?;
        self.punctuation(b':', INSIDE)?;
        let byte = self.expect_more(INSIDE)?;
        if byte == b'[' && self.text[key.clone()] == *b"\"entry\"" {
            self.push_byte();
            self.bundle = true;
            self.state = State::Entries { first: true };
            return Ok(None);
        }
        let value = self.text.len();
        self.value()?;
        let value = &self.text[value..];
        if self.text[key] == *b"\"resourceType\"" {
            self.resource_type = value.to_vec();
        }
        if self.bundle {
            valid(value)?;
            self.text.clear();
            self.source.begin_record();
        }
        self.state = State::Members { first: false };
        Ok(None)
    }

    /// One element of an `entry` array; false at its end.
    fn element(&mut self, first: bool) -> Result<bool, Fault> {
        const INSIDE: &str = "the bundle's entry list";
        self.text.clear();
        self.source.begin_record();
        let mut byte = self.expect_more(INSIDE)?;
        if byte == b']' {
            self.push_byte();
            self.state = State::Members { first: false };
            return Ok(false);
        }
        if !first {
            self.punctuation(b',', INSIDE)?;
            byte = self.expect_more(INSIDE)?;
        }
        if byte != b'{' {
            return Err(unexpected(byte, "an entry in braces"));
        }
        self.start_piece();
        self.state = State::Entries { first: false };
        self.value()?;
        Ok(true)
    }

    /// Only a Bundle's entries are read one by one; other resources with an `entry` (a List) hold no records.
    fn end_bundle(&mut self) -> Result<(), Fault> {
        self.text.clear();
        if self.resource_type.is_empty() {
            return Err(Fault::Bad("the bundle has no \"resourceType\"".into()));
        }
        Ok(())
    }

    fn start_piece(&mut self) {
        self.text.clear();
        self.start_line = self.line();
        self.start_offset = self.source.offset();
    }

    /// Skips white space and shows the byte after it.
    fn space(&mut self) -> Result<Option<u8>, Fault> {
        loop {
            let chunk = self.source.fill_buf()?;
            if chunk.is_empty() {
                return Ok(None);
            }
            let n = chunk.iter().position(|b| !b" \t\r\n".contains(b)).unwrap_or(chunk.len());
            let found = chunk.get(n).copied();
            self.push(n)?;
            if found.is_some() {
                return Ok(found);
            }
        }
    }

    fn expect_more(&mut self, inside: &'static str) -> Result<u8, Fault> {
        self.space()?.ok_or(Fault::Cut(inside))
    }

    fn punctuation(&mut self, wanted: u8, inside: &'static str) -> Result<(), Fault> {
        match self.source.fill_buf()?.first() {
            Some(&byte) if byte == wanted => {
                self.push_byte();
                Ok(())
            }
            Some(&byte) => Err(unexpected(byte, &format!("`{}`", char::from(wanted)))),
            None => Err(Fault::Cut(inside)),
        }
    }

    /// Appends a byte that `fill_buf` has just shown.
    fn push_byte(&mut self) {
        if let Ok([byte, ..]) = self.source.fill_buf() {
            self.text.push(*byte);
            self.source.consume(1);
        }
    }

    /// Appends the next `n` bytes of the buffer.
    fn push(&mut self, n: usize) -> Result<(), Fault> {
        let chunk = &self.source.fill_buf()?[..n];
        self.newlines += memchr_iter(b'\n', chunk).count() as u64;
        self.text.extend_from_slice(chunk);
        self.source.consume(n);
        Ok(())
    }

    /// Appends the value that starts at the read position.
    fn value(&mut self) -> Result<(), Fault> {
        let mut scan = Scan::default();
        loop {
            let chunk = self.source.fill_buf()?;
            if chunk.is_empty() {
                // A scalar can only end the stream where the object around it is cut.
                return Err(Fault::Cut("a resource or bundle"));
            }
            let (n, done) = scan.advance(chunk);
            self.push(n)?;
            if done {
                return Ok(());
            }
        }
    }
}

/// Finds the end of a JSON value that comes in chunks.
#[derive(Default)]
struct Scan {
    depth: u64,
    in_string: bool,
    escaped: bool,
    started: bool,
}

/// Bytes that matter to [`Scan`] outside of strings; most others are skipped without a look at where they stand.
const MATTERS: [bool; 256] = {
    let mut table = [false; 256];
    let bytes = b"\"{}[], \t\r\n";
    let mut i = 0;
    while i < bytes.len() {
        table[bytes[i] as usize] = true;
        i += 1;
    }
    table
};

impl Scan {
    /// How much of the chunk belongs to the value, and whether it ends there.
    fn advance(&mut self, chunk: &[u8]) -> (usize, bool) {
        let mut at = 0;
        while let Some(&byte) = chunk.get(at) {
            if self.escaped {
                self.escaped = false;
                at += 1;
                continue;
            }
            if self.in_string {
                let Some(found) = string_stop(&chunk[at..]) else {
                    return (chunk.len(), false);
                };
                at += found + 1;
                self.escaped = chunk[at - 1] == b'\\';
                self.in_string = self.escaped;
                if !self.in_string && self.depth == 0 {
                    return (at, true);
                }
                continue;
            }
            if MATTERS[usize::from(byte)] {
                match byte {
                    b'"' => self.in_string = true,
                    b'{' | b'[' => self.depth += 1,
                    b'}' | b']' => {
                        if self.depth == 0 {
                            return (at, true);
                        }
                        self.depth -= 1;
                        if self.depth == 0 {
                            return (at + 1, true);
                        }
                    }
                    _ if self.depth == 0 && self.started => return (at, true),
                    _ => {}
                }
            }
            self.started = true;
            at += 1;
        }
        (chunk.len(), false)
    }
}

/// The first quote or backslash. Most strings of FHIR are short, where the start of a vector search costs more than
/// the search.
fn string_stop(text: &[u8]) -> Option<usize> {
    const SHORT: usize = 12;
    let stops = |b: &u8| *b == b'"' || *b == b'\\';
    let (short, long) = text.split_at(text.len().min(SHORT));
    short.iter().position(stops).or_else(|| memchr2(b'"', b'\\', long).map(|at| at + short.len()))
}

fn valid(value: &[u8]) -> Result<(), Fault> {
    serde_json::from_slice::<IgnoredAny>(value)
        .map(drop)
        .map_err(|e| Fault::Bad(super::fhir::plain(&e)))
}

fn unexpected(byte: u8, wanted: &str) -> Fault {
    Fault::Bad(format!("`{}` where {wanted} should be", byte.escape_ascii()))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn pieces(text: &str) -> Result<Vec<(Piece, String)>, Fault> {
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(file.path(), text).unwrap();
        let mut splitter = Splitter::new(Source::open(file.path()).unwrap());
        let mut all = Vec::new();
        while let Some(piece) = splitter.next()? {
            all.push((piece, String::from_utf8(splitter.text().to_vec()).unwrap()));
        }
        Ok(all)
    }

    #[test]
    fn a_bundle_comes_entry_by_entry_wherever_its_list_stands() {
        let text =
            r#" {"entry":[ {"a":"]}\"{"} , {"b":[1,{}]}],"resourceType":"Bundle","total":2} "#;
        assert_eq!(
            pieces(text).unwrap(),
            [(Piece::Entry, r#"{"a":"]}\"{"}"#.into()), (Piece::Entry, r#"{"b":[1,{}]}"#.into())]
        );
    }

    #[test]
    fn other_objects_come_whole_one_after_the_other() {
        let text = "{\"resourceType\":\"Patient\",\"n\":1}\n{\"x\" : null}\n\n";
        assert_eq!(
            pieces(text).unwrap(),
            [
                (Piece::Document, "{\"resourceType\":\"Patient\",\"n\":1}".into()),
                (Piece::Document, "{\"x\" : null}".into())
            ]
        );
    }

    #[test]
    fn a_cut_at_any_byte_is_a_fault() {
        let text = r#"{"resourceType":"Bundle","entry":[{"a":"\\"},{"b":1.5}],"total":2}"#;
        for cut in 1..text.len() {
            assert!(matches!(pieces(&text[..cut]), Err(Fault::Cut(_))), "cut at {cut}");
        }
    }

    #[test]
    fn missing_and_doubled_commas_are_faults() {
        for text in [
            r#"{"a":1 "b":2}"#,
            r#"{"a":1,}"#,
            r#"{,}"#,
            r#"{"entry":[{} {}]}"#,
            r#"{"entry":[{},]}"#,
            r#"{"entry":[1]}"#,
            r#"{"entry":[{}],"total":nul,"resourceType":"Bundle"}"#,
            r#"[{}]"#,
            r#"{} x"#,
        ] {
            assert!(matches!(pieces(text), Err(Fault::Bad(_))), "{text}");
        }
    }
}
