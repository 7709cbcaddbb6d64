//! Text to tokens.
//!
//! One pass, without recursion: strings whose insertions hold strings are kept on a stack of modes, so
//! that no text can overflow the machine's. Every byte of the text lies in exactly one token, comment or
//! gap. An error leaves the token that was most likely meant, so that the parser does not complain
//! about the same place again.

mod number;
mod sign;
mod string;

pub(crate) use number::too_large;

use crate::diagnostic::Diagnostic;
use crate::source::{FileId, SourceMap, Span};
use crate::token::{Doc, Lexed, Token, TokenKind};

/// A program text larger than this is data by mistake, and offsets must fit `u32`.
pub const MAX_FILE_BYTES: usize = 64 << 20;

/// Splits a file into tokens; never fails.
pub fn lex(sources: &SourceMap, file: FileId) -> Lexed {
    let text = sources.file(file).text.as_str();
    let mut lexer = Lexer::new(file, text);
    if text.len() > MAX_FILE_BYTES {
        let span = Span::new(file, 0, 0);
        lexer.report(
            Diagnostic::error("E0902", "this file is too large for a program", span, "")
                .why(format!(
                    "it has {} MB, and a program may have {} MB",
                    text.len() >> 20,
                    MAX_FILE_BYTES >> 20
                ))
                .help("is it data? a program reads data from files that it is given"),
        );
        lexer.at = text.len().min(u32::MAX as usize);
    } else {
        lexer.run();
    }
    lexer.finish()
}

/// What the text at the current place means.
enum Mode {
    /// The characters of a string.
    Text(string::Open),
    /// The expression in a string's braces, opened at an offset.
    Insert {
        open: usize,
        /// `(`, `[` and `{` that are open within it.
        brackets: Vec<u8>,
    },
}

struct Lexer<'a> {
    file: FileId,
    text: &'a str,
    at: usize,
    modes: Vec<Mode>,
    newline: bool,
    line_start: usize,
    indent: u16,
    doc: Option<String>,
    /// Strings that start before this offset are taken without insertions: one of them is broken.
    plain_until: usize,
    /// How many of `modes` are the text of a `"` string, within which no line may end.
    single_line_strings: usize,
    out: Lexed,
}

impl<'a> Lexer<'a> {
    fn new(file: FileId, text: &'a str) -> Self {
        let out = Lexed {
            tokens: Vec::with_capacity(text.len().min(MAX_FILE_BYTES) / 4),
            texts: vec![],
            formats: vec![],
            docs: vec![],
            diagnostics: vec![],
            truncated: false,
        };
        Self {
            file,
            text,
            at: 0,
            modes: vec![],
            newline: true,
            line_start: 0,
            indent: 0,
            doc: None,
            plain_until: 0,
            single_line_strings: 0,
            out,
        }
    }

    fn run(&mut self) {
        self.take("\u{feff}");
        if self.rest().starts_with("#!") {
            self.skip_line();
        }
        loop {
            match self.modes.last() {
                Some(Mode::Text(_)) => self.string_text(),
                _ => {
                    if !self.skip_space() {
                        continue;
                    }
                    match self.peek() {
                        Some(next) => self.token(next),
                        None if self.modes.is_empty() => break,
                        None => self.end_of_file_in_string(),
                    }
                }
            }
        }
    }

    fn finish(mut self) -> Lexed {
        let end = self.at;
        self.push(TokenKind::End, end);
        self.out.diagnostics.sort_by_key(|diagnostic| diagnostic.labels[0].span.start);
        self.out
    }

    fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    fn byte(&self, ahead: usize) -> u8 {
        self.text.as_bytes().get(self.at + ahead).copied().unwrap_or(0)
    }

    fn take(&mut self, wanted: &str) -> bool {
        let found = self.rest().starts_with(wanted);
        if found {
            self.at += wanted.len();
        }
        found
    }

    fn span(&self, start: usize) -> Span {
        Span::new(self.file, start, self.at)
    }

    fn report(&mut self, diagnostic: Diagnostic) {
        self.out.diagnostics.push(diagnostic);
    }

    /// Adds a token that ends at the current place.
    fn push(&mut self, kind: TokenKind, start: usize) {
        let index = self.out.tokens.len() as u32;
        if let Some(text) = self.doc.take() {
            self.out.docs.push(Doc { token: index, text });
        }
        let newline_before = std::mem::take(&mut self.newline);
        if newline_before {
            let line = &self.text.as_bytes()[self.line_start..];
            let blanks = line.iter().take_while(|byte| matches!(byte, b' ' | b'\t')).count();
            self.indent = blanks.min(u16::MAX as usize) as u16;
        }
        self.out.tokens.push(Token {
            kind,
            start: start as u32,
            end: self.at as u32,
            newline_before,
            indent: self.indent,
        });
    }

    /// `false` when a line end broke a string, so that the mode is another now.
    fn skip_space(&mut self) -> bool {
        loop {
            match self.byte(0) {
                b' ' | b'\t' | b'\r' => self.at += 1,
                b'\n' => {
                    if self.single_line_strings > 0 {
                        self.break_line_string();
                        return false;
                    }
                    self.at += 1;
                    self.newline = true;
                    self.line_start = self.at;
                }
                b'/' if self.byte(1) == b'/' => self.line_comment(),
                b'/' if self.byte(1) == b'*' => self.block_comment(),
                _ => return true,
            }
        }
    }

    fn skip_line(&mut self) {
        self.at += self.rest().find('\n').unwrap_or(self.rest().len());
    }

    fn line_comment(&mut self) {
        let start = self.at;
        self.skip_line();
        let comment = self.text[start..self.at].trim_end_matches('\r');
        self.reject_hidden_characters(start, comment);
        if let Some(doc) = comment.strip_prefix("///").filter(|doc| !doc.starts_with('/')) {
            let line = doc.strip_prefix(' ').unwrap_or(doc).trim_end();
            match &mut self.doc {
                Some(text) => {
                    text.push('\n');
                    text.push_str(line);
                }
                None => self.doc = Some(line.to_string()),
            }
        }
    }

    fn block_comment(&mut self) {
        let start = self.at;
        self.at += 2;
        let mut depth = 1;
        while depth > 0 {
            let Some(next) = self.rest().find(['*', '/', '\n']) else {
                self.at = self.text.len();
                self.out.truncated = true;
                let open = Span::new(self.file, start, start + 2);
                self.report(
                    Diagnostic::error("E0003", "this comment never ends", open, "opened here")
                        .help("close it with `*/`; comments nest, so each `/*` needs its own `*/`"),
                );
                return;
            };
            self.at += next;
            if self.take("/*") {
                depth += 1;
            } else if self.take("*/") {
                depth -= 1;
            } else {
                let newline = self.byte(0) == b'\n';
                self.at += 1;
                if newline {
                    self.newline = true;
                    self.line_start = self.at;
                }
            }
        }
        let comment = &self.text[start..self.at];
        self.reject_hidden_characters(start, comment);
    }

    /// Characters that make a line look different from what it is (CVE-2021-42574).
    fn reject_hidden_characters(&mut self, start: usize, text: &str) {
        if text.is_ascii() {
            return;
        }
        let hidden = |c| matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
        if let Some((at, c)) = text.char_indices().find(|(_, c)| hidden(*c)) {
            let span = Span::new(self.file, start + at, start + at + c.len_utf8());
            let code = c as u32;
            self.report(
                Diagnostic::error(
                    "E0011",
                    format!("the invisible character U+{code:04X} hides what this line does"),
                    span,
                    "it is here",
                )
                .why(
                    "it changes the direction of writing, so that readers see other text than Medi",
                )
                .help(format!("remove it; in a string, write `\\u{{{code:x}}}`"))
                .edit(span, ""),
            );
        }
    }

    fn token(&mut self, next: char) {
        let start = self.at;
        match next {
            'a'..='z' | 'A'..='Z' | '_' => self.word(),
            '0'..='9' => self.number(),
            '"' => self.open_string(),
            _ if next.is_alphabetic() => self.word(),
            _ => self.sign(start, next),
        }
    }

    /// Takes what can be part of a name.
    fn skip_word(&mut self) {
        let rest = self.rest();
        let ascii = rest.bytes().take_while(|byte| *byte == b'_' || byte.is_ascii_alphanumeric());
        self.at += ascii.count();
        if !self.byte(0).is_ascii() {
            let part = |c: char| c == '_' || c.is_alphanumeric();
            self.at += self.rest().find(|c| !part(c)).unwrap_or(self.rest().len());
        }
    }

    fn word(&mut self) {
        let start = self.at;
        self.skip_word();
        let word = &self.text[start..self.at];
        let prefix = matches!(word, "f" | "F" | "r" | "R" | "b" | "u" | "rb" | "fr" | "s");
        if prefix && matches!(self.byte(0), b'"' | b'\'') {
            let span = self.span(start);
            self.report(
                Diagnostic::error("E0012", "strings have no prefix", span, "remove this")
                    .why("every string inserts `{expression}`; `{{` writes a brace, `\\\\` a backslash")
                    .edit(span, ""),
            );
            return;
        }
        self.push(TokenKind::keyword(word).unwrap_or(TokenKind::Ident), start);
    }
}
