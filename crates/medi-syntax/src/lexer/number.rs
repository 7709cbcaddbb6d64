//! Number literals: `1_000`, `0xff`, `0b101`, `1.5e3`, and sizes such as `64KB`.

use super::Lexer;
use crate::diagnostic::Diagnostic;
use crate::token::TokenKind;

/// The suffixes of sizes, as powers of 1024.
const SIZES: [(&str, u32); 5] = [("B", 0), ("KB", 1), ("MB", 2), ("GB", 3), ("TB", 4)];

impl<'a> Lexer<'a> {
    pub(super) fn number(&mut self) {
        let start = self.at;
        let radix = match (self.byte(0), self.byte(1).to_ascii_lowercase()) {
            (b'0', b'x') => 16,
            (b'0', b'b') if matches!(self.byte(2), b'0'..=b'9' | b'_') => 2,
            (b'0', b'o') => 8,
            _ => return self.decimal(start),
        };
        self.at += 2;
        let digits = self.word_part();
        let clean = digits.replace('_', "");
        let valid = clean.chars().all(|c| c.is_digit(radix)) && !clean.is_empty();
        if !valid || radix == 8 {
            let (name, example) = match radix {
                16 => ("hexadecimal", "the digits 0 to 9 and a to f, as in `0xff`"),
                2 => ("binary", "the digits 0 and 1, as in `0b1010`"),
                _ => ("octal", "no octal form; write the number in hexadecimal or decimal"),
            };
            let span = self.span(start);
            let written = &self.text[start..self.at];
            let mut diagnostic = Diagnostic::error(
                "E0005",
                format!("`{written}` is not a number"),
                span,
                format!("{name} numbers have {example}"),
            );
            if radix == 8 {
                diagnostic.labels[0].message = format!("Medi has {example}");
                if let Ok(value) = u64::from_str_radix(&clean, 8) {
                    diagnostic = diagnostic.edit(span, value.to_string());
                }
            }
            self.report(diagnostic);
            return self.push(TokenKind::Int(0), start);
        }
        let value = u64::from_str_radix(&clean, radix).ok();
        self.integer(start, value);
    }

    fn decimal(&mut self, start: usize) {
        self.digits();
        // After a dot stands the number of a tuple's part: `t.0.1` is not `t.(0.1)`.
        let after_dot = self.out.tokens.last().is_some_and(|last| {
            last.kind == TokenKind::Dot && last.end as usize == start && !self.newline
        });
        let mut float = false;
        if !after_dot {
            if self.byte(0) == b'.' && self.byte(1).is_ascii_digit() {
                float = true;
                self.at += 1;
                self.digits();
            }
            let exponent = matches!(self.byte(0), b'e' | b'E');
            let sign = usize::from(matches!(self.byte(1), b'+' | b'-'));
            if exponent && self.byte(1 + sign).is_ascii_digit() {
                float = true;
                self.at += 1 + sign;
                self.digits();
            }
        }
        let digits_end = self.at;
        let suffix = self.word_part();
        let digits = self.text[start..digits_end].replace('_', "");
        if !suffix.is_empty() {
            return self.suffixed(start, digits_end, &digits, float, suffix);
        }
        if float {
            let value = digits.parse().unwrap_or(f64::INFINITY);
            if value.is_infinite() {
                let span = self.span(start);
                self.report(
                    Diagnostic::error("E0006", "this number is too large", span, "")
                        .why("a `float` reaches to about 1.8e308"),
                );
            }
            return self.push(TokenKind::Float(value), start);
        }
        if digits.len() > 1 && digits.starts_with('0') && !after_dot {
            let span = self.span(start);
            let trimmed = digits.trim_start_matches('0');
            let plain = if trimmed.is_empty() { "0" } else { trimmed };
            self.report(
                Diagnostic::error(
                    "E0005",
                    "a number does not begin with 0",
                    span,
                    "some languages would read this in base 8",
                )
                .help(format!("write `{plain}`; a code such as a postcode is a string"))
                .edit(span, plain),
            );
        }
        self.integer(start, digits.parse().ok());
    }

    fn digits(&mut self) {
        while matches!(self.byte(0), b'0'..=b'9' | b'_') {
            self.at += 1;
        }
    }

    fn word_part(&mut self) -> &'a str {
        let start = self.at;
        self.skip_word();
        &self.text[start..self.at]
    }

    /// A number over `i64::MAX`, unless it is the one that a minus makes valid; the parser sees to that.
    fn integer(&mut self, start: usize, value: Option<u64>) {
        let value = value.filter(|value| *value <= 1 << 63);
        if value.is_none() {
            let span = self.span(start);
            self.report(too_large(span));
        }
        self.push(TokenKind::Int(value.unwrap_or(0)), start);
    }

    fn suffixed(&mut self, start: usize, split: usize, digits: &str, float: bool, suffix: &str) {
        let span = self.span(start);
        let tail = crate::source::Span::new(self.file, split, self.at);
        if let Some((_, power)) = SIZES.iter().find(|(name, _)| **name == *suffix) {
            let unit = 1u64 << (10 * power);
            if float {
                let exact = digits.parse::<f64>().unwrap_or(f64::INFINITY) * unit as f64;
                let mut diagnostic = Diagnostic::error(
                    "E0005",
                    "a size is a whole number of its unit",
                    span,
                    format!("write it in a smaller unit than {suffix}"),
                );
                let finer = SIZES.iter().rev().find(|(_, p)| {
                    let count = exact / (1u64 << (10 * p)) as f64;
                    *p < *power && count.fract() == 0.0
                });
                if let Some((name, p)) = finer.filter(|_| exact < i64::MAX as f64) {
                    let count = exact as u64 >> (10 * p);
                    diagnostic = diagnostic.edit(span, format!("{count}{name}"));
                }
                self.report(diagnostic);
                return self.push(TokenKind::Int(0), start);
            }
            let bytes = digits.parse::<u64>().ok().and_then(|count| count.checked_mul(unit));
            return self.integer(start, bytes);
        }
        let folded = suffix.to_ascii_uppercase().replace("IB", "B");
        let meant = SIZES.iter().map(|(name, _)| *name).find(|name| {
            folded == *name || (folded.len() == 1 && *name != "B" && name.starts_with(&folded))
        });
        let written = &self.text[start..self.at];
        let message = format!("`{written}` is not a number");
        let label = format!("`{suffix}` is stuck to the number");
        let diagnostic = Diagnostic::error("E0005", message, tail, label);
        self.report(match meant {
            Some(name) => diagnostic
                .help(format!(
                    "sizes are written `{digits}{name}`; the units are B, KB, MB, GB, TB"
                ))
                .edit(tail, name),
            None if matches!(suffix, "f" | "F" | "d" | "L" | "l" | "u" | "j" | "n") => diagnostic
                .help("numbers carry no letters: `1` is an `int`, `1.0` a `float`")
                .edit(tail, if suffix == "f" && !float { ".0" } else { "" }),
            None if suffix.starts_with(['e', 'E']) => {
                diagnostic.help("an exponent has digits, as in `1.5e3`")
            }
            None => diagnostic.help(
                "a name cannot begin with a digit; a unit belongs into the name: `dose_mg = 5`",
            ),
        });
        let kind = match float {
            true => TokenKind::Float(digits.parse().unwrap_or(0.0)),
            false => TokenKind::Int(digits.parse().ok().filter(|v| *v < 1 << 63).unwrap_or(0)),
        };
        self.push(kind, start);
    }
}

/// An integer literal that does not fit.
pub(crate) fn too_large(span: crate::source::Span) -> Diagnostic {
    Diagnostic::error("E0006", "this number is too large", span, "")
        .why("an `int` reaches from -9223372036854775808 to 9223372036854775807")
        .help("write it as a `float`, with a point: `1e20`, or `100000000000000000000.0`")
}
