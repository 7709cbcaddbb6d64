//! Strings: escapes, insertions, and texts over several lines.
//!
//! A `"` string ends on its line. In a `"""` string a newline right after the opening and right before
//! the closing quotes is layout, and so is the indentation that all its lines share, the closing one
//! included; so text can be indented with the program around it.

use super::{Lexer, Mode};
use crate::ast::{Align, FormatSpec};
use crate::diagnostic::Diagnostic;
use crate::source::Span;
use crate::token::TokenKind;

/// A string that was opened and not closed yet.
pub(super) struct Open {
    start: usize,
    triple: bool,
    /// The index of its `StrStart`.
    token: usize,
    /// The indices of its `StrText`s.
    texts: Vec<usize>,
    /// How many diagnostics there were before it.
    diagnostics: usize,
}

impl Lexer<'_> {
    pub(super) fn open_string(&mut self) {
        let start = self.at;
        let triple = self.take("\"\"\"");
        if !triple {
            self.at += 1;
            self.single_line_strings += 1;
        }
        let token = self.out.tokens.len();
        let diagnostics = self.out.diagnostics.len();
        self.push(TokenKind::StrStart, start);
        self.modes.push(Mode::Text(Open { start, triple, token, texts: vec![], diagnostics }));
    }

    /// Reads the text of the innermost string up to an insertion or its end.
    pub(super) fn string_text(&mut self) {
        let Some(Mode::Text(open)) = self.modes.last() else { return };
        let (triple, plain) = (open.triple, open.start < self.plain_until);
        let begin = self.at;
        loop {
            let Some(next) = self.rest().find(['"', '\\', '{', '}', '\n']) else {
                self.at = self.text.len();
                self.text_piece(begin);
                return self.end_of_file_in_string();
            };
            self.at += next;
            match self.byte(0) {
                b'"' if triple && !self.rest().starts_with("\"\"\"") => self.at += 1,
                // Of four quotes the last three close.
                b'"' if triple && self.byte(3) == b'"' => self.at += 1,
                b'"' => {
                    self.text_piece(begin);
                    return self.close_string();
                }
                b'\\' => self.check_escape(),
                b'\n' if self.single_line_strings > 0 => {
                    self.text_piece(begin);
                    return self.break_line_string();
                }
                b'\n' => self.at += 1,
                b'{' if self.byte(1) == b'{' => self.at += 2,
                b'}' if self.byte(1) == b'}' => self.at += 2,
                _ if plain => self.at += 1,
                b'{' => {
                    self.text_piece(begin);
                    let open = self.at;
                    self.at += 1;
                    self.push(TokenKind::InsertStart, open);
                    return self.modes.push(Mode::Insert { open, brackets: vec![] });
                }
                _ => {
                    let start = self.at;
                    self.at += 1;
                    let span = self.span(start);
                    self.report(
                        Diagnostic::error(
                            "E0008",
                            "this `}` closes nothing",
                            span,
                            "write `}}` for a brace in the text",
                        )
                        .why("in a string `{` and `}` enclose an expression to insert")
                        .edit(span, "}}"),
                    );
                }
            }
        }
    }

    /// Adds the text since `begin` to the innermost string.
    fn text_piece(&mut self, begin: usize) {
        let raw = &self.text[begin..self.at];
        let Some(Mode::Text(open)) = self.modes.last_mut() else { return };
        if raw.is_empty() {
            return;
        }
        open.texts.push(self.out.tokens.len());
        // A text of several lines is unfolded when all of it is known.
        let text = if open.triple { String::new() } else { unfold(raw) };
        self.out.texts.push(text);
        self.push(TokenKind::StrText(self.out.texts.len() as u32 - 1), begin);
    }

    fn close_string(&mut self) {
        let start = self.at;
        let Some(Mode::Text(open)) = self.modes.pop() else { return };
        if open.triple {
            self.unfold_lines(&open, start);
            self.at += 3;
        } else {
            self.single_line_strings -= 1;
            self.at += 1;
        }
        self.push(TokenKind::StrEnd, start);
    }

    /// At the end of a line within a `"` string: closes it, after reporting what was not closed.
    pub(super) fn break_line_string(&mut self) {
        let outermost = self
            .modes
            .iter()
            .position(|mode| matches!(mode, Mode::Text(open) if !open.triple))
            .expect("the counter of single-line strings is right");
        let insert = match self.modes.get(outermost + 1) {
            Some(Mode::Insert { open, .. }) => Some(*open),
            _ => None,
        };
        let Some(Mode::Text(open)) = self.modes.drain(outermost..).next() else { return };
        self.single_line_strings = 0;
        let Some(insert) = insert else {
            let start = Span::new(self.file, open.start, self.at);
            let diagnostic = Diagnostic::error(
                "E0002",
                "this string does not end on its line",
                start,
                "no `\"` before the line ends",
            )
            .help(
                "close it with `\"`; a text of several lines stands between `\"\"\"` and `\"\"\"`",
            );
            self.report(diagnostic);
            return self.push(TokenKind::StrEnd, self.at);
        };
        // Read the line again without insertions, so that the rest of it keeps its meaning.
        self.out.diagnostics.truncate(open.diagnostics);
        if self.text[insert..self.at].contains('"') {
            let brace = Span::new(self.file, insert, insert + 1);
            self.report(
                Diagnostic::error(
                    "E0007",
                    "this `{` in a string is not closed",
                    brace,
                    "an expression to insert begins here",
                )
                .help("close it with `}`; write `{{` for a brace in the text"),
            );
        }
        self.newline = self.out.tokens[open.token].newline_before;
        self.out.tokens.truncate(open.token);
        let left = self.out.docs.partition_point(|doc| (doc.token as usize) < open.token);
        self.out.docs.truncate(left);
        self.plain_until = self.at.max(open.start + 1);
        self.at = open.start;
    }

    pub(super) fn end_of_file_in_string(&mut self) {
        if self.single_line_strings > 0 {
            return self.break_line_string();
        }
        let Some(Mode::Text(open)) = self.modes.first() else { return };
        self.out.truncated = true;
        let quotes = Span::new(self.file, open.start, open.start + 3);
        self.report(
            Diagnostic::error("E0002", "this string never ends", quotes, "opened here")
                .help("close it with `\"\"\"`"),
        );
        while let Some(mode) = self.modes.pop() {
            let kind = match mode {
                Mode::Text(_) => TokenKind::StrEnd,
                Mode::Insert { .. } => TokenKind::InsertEnd,
            };
            self.push(kind, self.at);
        }
    }

    fn check_escape(&mut self) {
        let start = self.at;
        match escape(self.rest()) {
            Ok((_, length)) => self.at += length,
            Err(length) => {
                self.at += length;
                let span = self.span(start);
                let written = &self.text[start..self.at];
                let diagnostic = Diagnostic::error(
                    "E0004",
                    format!(
                        "`{}` is not an escape",
                        written.escape_debug().to_string().replace("\\\\", "\\")
                    ),
                    span,
                    "",
                );
                let diagnostic = match written.chars().nth(1) {
                    Some('{') => diagnostic.help("a brace is written `{{`").edit(span, "{{"),
                    Some('}') => diagnostic.help("a brace is written `}}`").edit(span, "}}"),
                    Some('\'') => diagnostic.help("`'` needs no backslash").edit(span, "'"),
                    Some('u' | 'U' | 'x') => diagnostic
                        .help("a character is written by its number: `\\u{b5}` is `µ`"),
                    _ => diagnostic
                        .help("escapes are \\n \\t \\r \\0 \\\\ \\\" and \\u{…}; write `\\\\` for a backslash"),
                };
                self.report(diagnostic);
            }
        }
    }

    /// `:` and what follows in an insertion.
    pub(super) fn format(&mut self, start: usize) {
        self.at += 1;
        let length = self.rest().find(['}', '{', '"', '\n']).unwrap_or(self.rest().len());
        let raw = &self.rest()[..length];
        self.at += length;
        let span = self.span(start);
        let parsed = parse_format(raw.trim(), span);
        if parsed.is_none() {
            let mut diagnostic = Diagnostic::error(
                "E0009",
                format!("`{}` does not describe a format", raw.trim()),
                span,
                "expected alignment, width and digits, such as `:>8.2`",
            )
            .why("`<`, `^` or `>` aligns, the number is the width, `.2` rounds to two digits");
            let simpler = raw.trim().trim_end_matches(['f', 'd', 's', 'g']).trim_start_matches('0');
            if simpler != raw.trim() && parse_format(simpler, span).is_some() {
                diagnostic = diagnostic.edit(span, format!(":{simpler}"));
            }
            self.report(diagnostic);
        }
        let nothing = FormatSpec { align: None, width: None, precision: None, span };
        self.out.formats.push(parsed.unwrap_or(nothing));
        self.push(TokenKind::Format(self.out.formats.len() as u32 - 1), start);
    }

    /// Sets the texts of a `"""` string: without the shared indentation and the framing newlines.
    fn unfold_lines(&mut self, open: &Open, close: usize) {
        let pieces: Vec<(usize, usize)> = open
            .texts
            .iter()
            .map(|token| &self.out.tokens[*token])
            .map(|token| (token.start as usize, token.end as usize))
            .collect();
        let mut common: Option<&str> = None;
        for (start, end) in &pieces {
            let mut lines = self.text[*start..*end].split('\n').skip(1).peekable();
            while let Some(line) = lines.next() {
                let last_of_piece = lines.peek().is_none();
                let text = line.trim_start_matches([' ', '\t']);
                let blank = text.trim_end_matches('\r').is_empty();
                if blank && !last_of_piece {
                    continue;
                }
                let indent = &line[..line.len() - text.len()];
                common = Some(common.map_or(indent, |common| shared_prefix(common, indent)));
            }
        }
        let common = common.unwrap_or("");
        for (index, (start, end)) in pieces.iter().enumerate() {
            let raw = &self.text[*start..*end];
            let mut lines: Vec<&str> = raw.split('\n').collect();
            let count = lines.len();
            for line in &mut lines[1..] {
                *line = line.strip_prefix(common).unwrap_or("");
            }
            if *end == close && count > 1 && lines[count - 1].trim().is_empty() {
                lines.pop();
            }
            let framed = index == 0 && *start == open.start + 3 && count > 1;
            if framed && lines[0].trim().is_empty() {
                lines.remove(0);
            }
            let text = unfold(&lines.join("\n"));
            if let TokenKind::StrText(slot) = self.out.tokens[open.texts[index]].kind {
                self.out.texts[slot as usize] = text;
            }
        }
    }
}

fn shared_prefix<'a>(left: &'a str, right: &str) -> &'a str {
    let same = left.bytes().zip(right.bytes()).take_while(|(l, r)| l == r).count();
    &left[..same]
}

/// The text that a piece of source stands for. Wrong escapes, reported before, stand for themselves.
fn unfold(raw: &str) -> String {
    let mut text = String::with_capacity(raw.len());
    let mut rest = raw;
    while let Some(at) = rest.find(['\\', '{', '}', '\r']) {
        text.push_str(&rest[..at]);
        rest = &rest[at..];
        let length = match rest.as_bytes()[0] {
            b'\\' => match escape(rest) {
                Ok((c, length)) => {
                    text.push(c);
                    length
                }
                Err(length) => {
                    text.push_str(&rest[..length]);
                    length
                }
            },
            b'\r' => {
                if !rest[1..].starts_with('\n') && rest.len() > 1 {
                    text.push('\r');
                }
                1
            }
            brace => {
                text.push(brace as char);
                if rest.as_bytes().get(1) == Some(&brace) { 2 } else { 1 }
            }
        };
        rest = &rest[length..];
    }
    text.push_str(rest);
    text
}

/// The character of the escape that `rest` begins with, and its length; for a wrong one only that.
fn escape(rest: &str) -> Result<(char, usize), usize> {
    let mut chars = rest.chars().skip(1);
    let simple = match chars.next() {
        Some('n') => '\n',
        Some('t') => '\t',
        Some('r') => '\r',
        Some('0') => '\0',
        Some('\\') => '\\',
        Some('"') => '"',
        Some('u') if rest[2..].starts_with('{') => {
            let digits = &rest[3..];
            let length = digits.find(|c: char| !c.is_ascii_hexdigit()).unwrap_or(digits.len());
            let closed = digits[length..].starts_with('}');
            let value = u32::from_str_radix(&digits[..length], 16).ok().and_then(char::from_u32);
            return match value {
                Some(c) if closed => Ok((c, length + 4)),
                _ => Err(3 + length + usize::from(closed)),
            };
        }
        Some('\n') | None => return Err(1),
        Some(other) => return Err(1 + other.len_utf8()),
    };
    Ok((simple, 2))
}

fn parse_format(raw: &str, span: Span) -> Option<FormatSpec> {
    let align = match raw.chars().next() {
        Some('<') => Some(Align::Left),
        Some('^') => Some(Align::Centre),
        Some('>') => Some(Align::Right),
        _ => None,
    };
    let rest = if align.is_some() { &raw[1..] } else { raw };
    let (width, precision) = match rest.split_once('.') {
        Some((width, precision)) => (width, Some(precision)),
        None => (rest, None),
    };
    let number = |text: &str| -> Option<u32> {
        let valid = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        // Wider than any terminal or file of columns; a bound keeps a slip from filling the memory.
        let plain = text == "0" || !text.starts_with('0');
        text.parse().ok().filter(|number| valid && plain && *number <= 1000)
    };
    let width = match width {
        "" => None,
        text => Some(number(text).filter(|width| *width > 0)?),
    };
    let precision = match precision {
        None => None,
        Some(text) => Some(number(text)?),
    };
    let empty = align.is_none() && width.is_none() && precision.is_none();
    (!empty).then_some(FormatSpec { align, width, precision, span })
}
