//! Operators and brackets, and the characters that stand for them elsewhere.

use super::{Lexer, Mode};
use crate::diagnostic::Diagnostic;
use crate::source::Span;
use crate::token::TokenKind::{self, *};

/// The sign that a text begins with, the longest there is, and its length.
fn sign_at(text: &[u8]) -> Option<(TokenKind, usize)> {
    let byte = |at: usize| text.get(at).copied().unwrap_or(0);
    let (second, third) = (byte(1), byte(2));
    Some(match byte(0) {
        b'(' => (LParen, 1),
        b')' => (RParen, 1),
        b'[' => (LBracket, 1),
        b']' => (RBracket, 1),
        b'{' => (LBrace, 1),
        b'}' => (RBrace, 1),
        b',' => (Comma, 1),
        b';' => (Semicolon, 1),
        b'^' => (Caret, 1),
        b'~' => (Tilde, 1),
        b':' => match second {
            b':' => (ColonColon, 2),
            b'=' => (ColonEq, 2),
            _ => (Colon, 1),
        },
        b'.' => match (second, third) {
            (b'.', b'=') => (DotDotEq, 3),
            (b'.', _) => (DotDot, 2),
            _ => (Dot, 1),
        },
        b'?' => match second {
            b'?' => (QuestionQuestion, 2),
            b'.' => (QuestionDot, 2),
            _ => (Question, 1),
        },
        b'!' if second == b'=' => (BangEq, 2),
        b'!' => (Bang, 1),
        b'=' => match second {
            b'=' => (EqEq, 2),
            b'>' => (FatArrow, 2),
            _ => (Eq, 1),
        },
        b'<' => match second {
            b'=' => (Le, 2),
            b'<' => (ShiftLeft, 2),
            _ => (Lt, 1),
        },
        b'>' => match second {
            b'=' => (Ge, 2),
            b'>' => (ShiftRight, 2),
            _ => (Gt, 1),
        },
        b'+' if second == b'=' => (PlusEq, 2),
        b'+' => (Plus, 1),
        b'-' => match second {
            b'=' => (MinusEq, 2),
            b'>' => (Arrow, 2),
            _ => (Minus, 1),
        },
        b'*' => match (second, third) {
            (b'*', b'=') => (StarStarEq, 3),
            (b'*', _) => (StarStar, 2),
            (b'=', _) => (StarEq, 2),
            _ => (Star, 1),
        },
        b'/' if second == b'=' => (SlashEq, 2),
        b'/' => (Slash, 1),
        b'%' if second == b'=' => (PercentEq, 2),
        b'%' => (Percent, 1),
        b'&' if second == b'&' => (And, 2),
        b'&' => (Amp, 1),
        b'|' if second == b'|' => (Or, 2),
        b'|' => (Pipe, 1),
        _ => return None,
    })
}

/// Characters that word processors and other languages write for a sign of Medi.
const LOOKALIKES: &[(char, &str, TokenKind)] = &[
    ('≤', "<=", Le),
    ('≥', ">=", Ge),
    ('≠', "!=", BangEq),
    ('−', "-", Minus),
    ('–', "-", Minus),
    ('—', "-", Minus),
    ('×', "*", Star),
    ('÷', "/", Slash),
    ('→', "->", Arrow),
    ('⇒', "=>", FatArrow),
    ('…', "..", DotDot),
    ('(', "(", LParen),
    (')', ")", RParen),
    (',', ",", Comma),
    ('；', ";", Semicolon),
    ('：', ":", Colon),
];

impl Lexer<'_> {
    pub(super) fn sign(&mut self, start: usize, next: char) {
        for (wrong, right, kind) in [("===", "==", EqEq), ("!==", "!=", BangEq)] {
            if matches!(next, '=' | '!') && self.take(wrong) {
                let span = self.span(start);
                self.report(
                    Diagnostic::error("E0126", format!("there is no `{wrong}`"), span, "")
                        .help(format!(
                            "`{right}` compares values, and never converts; `same(a, b)` compares identity"
                        ))
                        .edit(span, right),
                );
                return self.push(kind, start);
            }
        }
        if next == ':' && self.begins_format() {
            return self.format(start);
        }
        let Some((mut kind, length)) = sign_at(&self.text.as_bytes()[start..]) else {
            return self.unknown(start, next);
        };
        self.at += length;
        if let Some(Mode::Insert { brackets, .. }) = self.modes.last_mut() {
            match kind {
                LParen | LBracket | LBrace => brackets.push(next as u8),
                RParen if brackets.last() == Some(&b'(') => drop(brackets.pop()),
                RBracket if brackets.last() == Some(&b'[') => drop(brackets.pop()),
                RBrace => match brackets.iter().rposition(|open| *open == b'{') {
                    Some(open) => brackets.truncate(open),
                    None => {
                        kind = InsertEnd;
                        self.modes.pop();
                    }
                },
                _ => {}
            }
        }
        self.push(kind, start);
    }

    /// A colon that belongs to no bracket within an insertion.
    fn begins_format(&self) -> bool {
        let Some(Mode::Insert { brackets, .. }) = self.modes.last() else { return false };
        brackets.is_empty() && self.byte(1) != b':'
    }

    fn unknown(&mut self, start: usize, next: char) {
        self.at += next.len_utf8();
        let span = self.span(start);
        if let Some((_, right, kind)) = LOOKALIKES.iter().find(|(c, ..)| *c == next) {
            self.report(
                Diagnostic::error(
                    "E0001",
                    format!("`{next}` is not a sign of Medi"),
                    span,
                    format!("write `{right}`"),
                )
                .edit(span, *right),
            );
            return self.push(*kind, start);
        }
        match next {
            '\'' | '‘' | '’' | '“' | '”' | '„' | '`' => self.foreign_quote(start, next),
            '#' => {
                self.skip_line();
                self.report(
                    Diagnostic::error("E0013", "`#` does not begin a comment", span, "")
                        .help("comments begin with `//`")
                        .edit(span, "//"),
                );
            }
            '@' => {
                self.skip_word();
                let span = self.span(start);
                let diagnostic =
                    Diagnostic::error("E0001", "`@` means nothing in Medi", span, "remove it");
                self.report(
                    diagnostic.why("there are no decorators; a function is called by its name"),
                );
            }
            '$' => self.report(
                Diagnostic::error("E0001", "`$` means nothing in Medi", span, "")
                    .help("a field is reached with a dot: `patient.age`; a name is written bare"),
            ),
            '\\' => self.report(
                Diagnostic::error("E0001", "`\\` means nothing outside a string", span, "")
                    .help(
                        "a line goes on by itself after an operator, a comma or an open bracket; \
                         a function value is written `x => x + 1`",
                    )
                    .edit(span, ""),
            ),
            _ => {
                // One message for a run of them.
                let known = |c: char| {
                    c.is_alphanumeric() || c == '_' || c == '"' || c.is_ascii() && !c.is_control()
                };
                let more = |c: char| !known(c) && !matches!(c, '\n' | '\r' | '\t');
                self.at += self.rest().find(|c| !more(c)).unwrap_or(self.rest().len());
                let span = self.span(start);
                let visible = !next.is_control() && !next.is_whitespace();
                let name = match visible {
                    true => format!("`{next}`"),
                    false => format!("the character U+{:04X}", next as u32),
                };
                let message = format!("{name} is not part of the language");
                let diagnostic = Diagnostic::error("E0001", message, span, "");
                self.report(match next.is_whitespace() {
                    true => diagnostic
                        .why("it is a special kind of space, often copied from a web page or a PDF")
                        .edit(span, " "),
                    false => diagnostic.help("remove it, or put it into a string or a comment"),
                });
            }
        }
    }

    /// A string in other quotes than `"`: the string that was meant, up to the same line's closing quote.
    fn foreign_quote(&mut self, start: usize, quote: char) {
        let close: &[char] = match quote {
            '‘' | '’' => &['‘', '’', '\''],
            '“' | '”' | '„' => &['“', '”', '„', '"'],
            '`' => &['`'],
            _ => &['\''],
        };
        let open = self.span(start);
        let line = self.rest().find('\n').unwrap_or(self.rest().len());
        let content = &self.rest()[..line];
        // `a'b` in a word is an apostrophe.
        let Some(length) = content.find(close) else {
            self.report(
                Diagnostic::error("E0010", format!("`{quote}` begins no string"), open, "")
                    .help("strings are written in double quotes: `\"text\"`"),
            );
            return;
        };
        let content = &content[..length];
        let content_start = self.at;
        self.at += length;
        let close_start = self.at;
        self.at += self.peek().map_or(0, char::len_utf8);
        let close = self.span(close_start);
        self.report(
            Diagnostic::error(
                "E0010",
                "strings are written in double quotes",
                Span::new(self.file, start, self.at),
                format!("write `\"{}\"`", content.replace('"', "\\\"")),
            )
            .edit(open, "\"")
            .edit(close, "\""),
        );
        let end = std::mem::replace(&mut self.at, content_start);
        self.push(StrStart, start);
        self.at = close_start;
        self.out.texts.push(content.to_string());
        self.push(StrText(self.out.texts.len() as u32 - 1), content_start);
        self.at = end;
        self.push(StrEnd, close_start);
    }
}
