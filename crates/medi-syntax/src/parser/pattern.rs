//! Patterns: names, literals, ranges, tuples, variants, and alternatives of them.

use super::{Context, Parser};
use crate::ast::{Expr, ExprKind, Ident, Pattern, PatternField, PatternKind, StrPart, UnaryOp};
use crate::diagnostic::Diagnostic;
use crate::lexer;
use crate::source::Span;
use crate::token::TokenKind;

impl Parser<'_> {
    pub(super) fn pattern(&mut self) -> Pattern {
        self.nested(|parser| {
            let start = parser.here();
            let first = parser.one_pattern();
            if !parser.at_alternative() {
                return first;
            }
            let mut alternatives = vec![first];
            while parser.at_alternative() {
                let place = parser.here();
                if parser.bump().kind != TokenKind::Pipe {
                    parser.teach(
                        Diagnostic::error("E0123", "alternatives are separated by `|`", place, "")
                            .edit(place, "|"),
                    );
                }
                alternatives.push(parser.one_pattern());
            }
            Pattern { kind: PatternKind::Or(alternatives), span: parser.since(start) }
        })
    }

    /// `|`, at the beginning of a line too, or `or`.
    fn at_alternative(&self) -> bool {
        matches!(self.kind(), TokenKind::Pipe | TokenKind::Or)
    }

    fn one_pattern(&mut self) -> Pattern {
        let start = self.here();
        let kind = match self.kind() {
            TokenKind::Ident => self.name_pattern(),
            TokenKind::LParen => self.tuple_pattern(),
            TokenKind::Int(_)
            | TokenKind::Float(_)
            | TokenKind::Minus
            | TokenKind::True
            | TokenKind::False
            | TokenKind::Nil
            | TokenKind::StrStart => self.literal_pattern(),
            TokenKind::LBracket => {
                self.blame(
                    Diagnostic::error("E0123", "a list is not a pattern", start, "")
                        .help("match on `xs.len()`, or take elements with `xs[0]`"),
                );
                self.skip_group();
                PatternKind::Wildcard
            }
            TokenKind::Else => {
                self.bump();
                self.teach(
                    Diagnostic::error("E0123", "the pattern for everything else is `_`", start, "")
                        .edit(start, "_"),
                );
                PatternKind::Wildcard
            }
            TokenKind::Let | TokenKind::Var if self.ahead(1).kind == TokenKind::Ident => {
                self.bump();
                self.teach(
                    Diagnostic::error("E0123", "a name in a pattern has no `let`", start, "")
                        .edit(Span { end: self.here().start, ..start }, ""),
                );
                return self.one_pattern_again();
            }
            TokenKind::DotDot
            | TokenKind::DotDotEq
            | TokenKind::Lt
            | TokenKind::Gt
            | TokenKind::Le
            | TokenKind::Ge => {
                let sign = self.source(start);
                self.blame(
                    Diagnostic::error(
                        "E0123",
                        format!("a pattern cannot begin with `{sign}`"),
                        start,
                        "",
                    )
                    .help(
                        "a range has both ends: `0..=9`; a comparison is a guard: `x if x > 9 =>`",
                    ),
                );
                self.bump();
                drop(self.one_pattern_again());
                PatternKind::Wildcard
            }
            kind if kind != TokenKind::In && self.at_keyword() => {
                match self.expect_name("a name") {
                    Some(name) => PatternKind::Name(name),
                    None => PatternKind::Wildcard,
                }
            }
            _ => {
                self.unexpected("E0123", "a pattern");
                PatternKind::Wildcard
            }
        };
        Pattern { kind, span: self.since(start) }
    }

    fn one_pattern_again(&mut self) -> Pattern {
        self.nested(Self::one_pattern)
    }

    fn name_pattern(&mut self) -> PatternKind {
        if self.at_word("_") {
            self.bump();
            return PatternKind::Wildcard;
        }
        if let Some(value) = self.foreign_value() {
            return PatternKind::Literal(value);
        }
        let token = self.bump();
        let mut path = vec![self.ident_of(token)];
        while matches!(self.kind(), TokenKind::Dot | TokenKind::ColonColon) {
            let place = self.here();
            if self.bump().kind == TokenKind::ColonColon {
                self.teach(
                    Diagnostic::error("E0126", "there is no `::`", place, "write `.`")
                        .edit(place, "."),
                );
            }
            let Some(name) = self.expect_name("the name of a variant") else { break };
            path.push(name);
        }
        if self.at(TokenKind::LParen) && self.on_line() {
            let fields = self.pattern_fields();
            return PatternKind::Variant { path, fields };
        }
        if self.at(TokenKind::LBrace) && self.on_line() && self.looks_like_fields() {
            return self.record_pattern(path);
        }
        match path.len() {
            1 => PatternKind::Name(path.remove(0)),
            _ => PatternKind::Variant { path, fields: vec![] },
        }
    }

    /// `{ name:` or `{ name,` or `{ name } =>`: a record taken apart.
    fn looks_like_fields(&self) -> bool {
        let name = self.ahead(1).kind == TokenKind::Ident;
        let after = self.ahead(2).kind;
        let arrow = |at: usize| self.lexed.tokens[at + 1].kind == TokenKind::FatArrow;
        name && matches!(after, TokenKind::Colon | TokenKind::Comma | TokenKind::RBrace)
            && self.partner(self.at).is_some_and(arrow)
    }

    fn record_pattern(&mut self, path: Vec<Ident>) -> PatternKind {
        let span = path[0].span;
        let name = &path[0].name;
        self.blame(
            Diagnostic::error("E0123", "a record is not taken apart by a pattern", span, "")
                .help(format!(
                    "bind it and use its fields: `p if p.age > 65 => …`; a variant has parentheses: `{name}(…)`"
                )),
        );
        self.skip_group();
        PatternKind::Wildcard
    }

    fn pattern_fields(&mut self) -> Vec<PatternField> {
        let open = self.at;
        self.bump();
        self.within(Context::GROUP, |parser| {
            let mut fields = vec![];
            while parser.at_element() {
                let token = parser.token();
                let named =
                    token.kind == TokenKind::Ident && parser.ahead(1).kind == TokenKind::Colon;
                let name = named.then(|| {
                    parser.bump();
                    parser.bump();
                    parser.ident_of(token)
                });
                let pattern = parser.pattern();
                fields.push(PatternField { name, pattern });
                if !parser.separator(TokenKind::RParen) {
                    break;
                }
            }
            parser.close(open, "`,` or `)`");
            fields
        })
    }

    fn tuple_pattern(&mut self) -> PatternKind {
        let open = self.at;
        self.bump();
        let mut parts = self.within(Context::GROUP, |parser| {
            let mut parts = vec![];
            while parser.at_element() {
                parts.push(parser.pattern());
                if !parser.separator(TokenKind::RParen) {
                    break;
                }
            }
            parser.close(open, "`,` or `)`");
            parts
        });
        match parts.len() {
            1 => parts.remove(0).kind,
            _ => PatternKind::Tuple(parts),
        }
    }

    fn literal_pattern(&mut self) -> PatternKind {
        let start = self.pattern_literal();
        let inclusive = match self.kind() {
            TokenKind::DotDot => false,
            TokenKind::DotDotEq => true,
            _ => return PatternKind::Literal(start),
        };
        let sign = self.here();
        self.bump();
        if !matches!(
            self.kind(),
            TokenKind::Int(_) | TokenKind::Float(_) | TokenKind::Minus | TokenKind::StrStart
        ) {
            self.blame(
                Diagnostic::error("E0131", "a range has a beginning and an end", sign, "")
                    .help("for an open range use a guard: `x if x >= 10 => …`"),
            );
            return PatternKind::Wildcard;
        }
        let end = self.pattern_literal();
        PatternKind::Range { start, end, inclusive }
    }

    fn pattern_literal(&mut self) -> Expr {
        let start = self.here();
        let negative = self.eat(TokenKind::Minus);
        let span = self.here();
        let literal = match self.kind() {
            TokenKind::Int(value) => {
                self.bump();
                let smallest = negative && value == 1 << 63;
                if value > i64::MAX as u64 && !smallest {
                    self.teach(lexer::too_large(span));
                    self.error_expr(span)
                } else {
                    Expr { kind: ExprKind::Int(value), span }
                }
            }
            _ if negative && !matches!(self.kind(), TokenKind::Float(_)) => {
                self.unexpected("E0123", "a number");
                self.error_expr(span)
            }
            _ => self.nested(Self::atom),
        };
        if let ExprKind::Str(parts) = &literal.kind
            && parts.iter().any(|part| matches!(part, StrPart::Expr { .. }))
        {
            self.teach(
                Diagnostic::error("E0123", "a pattern cannot insert values", literal.span, "")
                    .help("compare in a guard: `s if s == \"…\" => …`; `{{` writes a brace"),
            );
        }
        if !negative {
            return literal;
        }
        let span = start.to(literal.span);
        Expr { kind: ExprKind::Unary { op: UnaryOp::Neg, operand: Box::new(literal) }, span }
    }

    /// The pattern of a `let` or a `for`: a name, `_`, or a tuple of them.
    pub(super) fn binding(&mut self) -> Pattern {
        let pattern = self.nested(Self::one_pattern);
        match self.refutable(&pattern) {
            None => pattern,
            Some(span) => {
                self.blame(
                    Diagnostic::error(
                        "E0123",
                        "only names and tuples of names are bound here",
                        span,
                        "this may not match",
                    )
                    .help("use `match`, or `if let … = … { }`"),
                );
                Pattern { kind: PatternKind::Wildcard, span: pattern.span }
            }
        }
    }

    /// A part that may not match. Its depth is that of the pattern, which is limited.
    fn refutable(&self, pattern: &Pattern) -> Option<Span> {
        match &pattern.kind {
            PatternKind::Wildcard | PatternKind::Name(_) => None,
            PatternKind::Tuple(parts) if !parts.is_empty() => {
                parts.iter().find_map(|part| self.refutable(part))
            }
            _ => Some(pattern.span),
        }
    }
}
