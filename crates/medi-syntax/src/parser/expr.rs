//! Operators.
//!
//! From loose to tight: `or`; `and`; `not`; comparisons, which do not chain; `..` and `..=`; `??`, to the
//! right; `+ -`; `* / %`; unary `-` and `!`; `**`, to the right, so that `-2 ** 2` is `-4`; and what follows
//! a value directly (calls, fields, indices, `?`, `!`).

use super::Parser;
use crate::ast::{BinaryOp, Expr, ExprKind, Ident, UnaryOp};
use crate::diagnostic::Diagnostic;
use crate::lexer;
use crate::source::Span;
use crate::token::TokenKind;

const COMPARE: u8 = 4;
const RANGE: u8 = 5;
const COALESCE: u8 = 6;
const ADD: u8 = 7;
const UNARY: u8 = 9;
const POWER: u8 = 10;

#[derive(Clone, Copy)]
pub(super) enum Operator {
    Binary(BinaryOp),
    Coalesce,
    Range {
        inclusive: bool,
    },
    /// An operator of another language, that binds so tightly there.
    Foreign(u8),
}

/// An operator of another language, as it was found.
struct ForeignSign {
    first: TokenKind,
    in_list: bool,
    negated: bool,
}

impl Operator {
    fn level(self) -> u8 {
        use BinaryOp::*;
        match self {
            Self::Binary(Or) => 1,
            Self::Binary(And) => 2,
            Self::Binary(Eq | Ne | Lt | Le | Gt | Ge) => COMPARE,
            Self::Range { .. } => RANGE,
            Self::Coalesce => COALESCE,
            Self::Binary(Add | Sub) => ADD,
            Self::Foreign(level) => level,
            Self::Binary(Mul | Div | Rem) => 8,
            Self::Binary(Pow) => POWER,
        }
    }
}

impl Parser<'_> {
    pub(super) fn expr(&mut self) -> Expr {
        self.binary(0)
    }

    fn binary(&mut self, min: u8) -> Expr {
        self.nested(|parser| {
            let left = parser.prefix();
            parser.operators(left, min)
        })
    }

    /// The operator here, wherever the line ends.
    pub(super) fn operator(&self) -> Option<Operator> {
        use Operator::Binary;
        Some(match self.kind() {
            TokenKind::Or => Binary(BinaryOp::Or),
            TokenKind::And => Binary(BinaryOp::And),
            TokenKind::EqEq => Binary(BinaryOp::Eq),
            TokenKind::BangEq => Binary(BinaryOp::Ne),
            TokenKind::Lt if self.at_pair(TokenKind::Gt) => Operator::Foreign(COMPARE),
            TokenKind::Lt => Binary(BinaryOp::Lt),
            TokenKind::Le => Binary(BinaryOp::Le),
            TokenKind::Gt => Binary(BinaryOp::Gt),
            TokenKind::Ge => Binary(BinaryOp::Ge),
            TokenKind::Plus => Binary(BinaryOp::Add),
            TokenKind::Minus => Binary(BinaryOp::Sub),
            TokenKind::Star => Binary(BinaryOp::Mul),
            TokenKind::Slash => Binary(BinaryOp::Div),
            TokenKind::Percent if self.at_r_operator() => Operator::Foreign(ADD),
            TokenKind::Percent => Binary(BinaryOp::Rem),
            TokenKind::StarStar => Binary(BinaryOp::Pow),
            TokenKind::QuestionQuestion => Operator::Coalesce,
            TokenKind::DotDot => Operator::Range { inclusive: false },
            TokenKind::DotDotEq => Operator::Range { inclusive: true },
            TokenKind::Pipe if self.at_pair(TokenKind::Gt) => Operator::Foreign(0),
            TokenKind::Amp | TokenKind::Pipe | TokenKind::Caret => Operator::Foreign(ADD),
            TokenKind::ShiftLeft | TokenKind::ShiftRight => Operator::Foreign(ADD),
            TokenKind::In => Operator::Foreign(COMPARE),
            TokenKind::Not if self.ahead(1).kind == TokenKind::In => Operator::Foreign(COMPARE),
            TokenKind::Ident if self.at_word("is") && self.on_line() => Operator::Foreign(COMPARE),
            TokenKind::If if self.on_line() && self.context.arrows => Operator::Foreign(0),
            TokenKind::Question if self.begins_ternary() => Operator::Foreign(0),
            _ => return None,
        })
    }

    /// The token here touches one of `kind`.
    fn at_pair(&self, kind: TokenKind) -> bool {
        self.ahead(1).kind == kind && self.touches(self.token(), self.ahead(1))
    }

    /// `%%`, `%/%` or `%in%`, as R writes them.
    fn at_r_operator(&self) -> bool {
        let touching = self.touches(self.token(), self.ahead(1));
        let closed = self.ahead(2).kind == TokenKind::Percent;
        touching
            && match self.ahead(1).kind {
                TokenKind::Percent => true,
                TokenKind::Slash | TokenKind::In => closed,
                _ => false,
            }
    }

    /// Operators that bind at least as tightly as `min`, and their right sides.
    pub(super) fn operators(&mut self, mut left: Expr, min: u8) -> Expr {
        // A comparison in parentheses may be compared.
        let mut compared = false;
        while let Some(operator) = self.operator() {
            if operator.level() < min || self.at_increment() {
                break;
            }
            if !self.on_line() && self.at_prefix_increment() {
                break;
            }
            if !self.on_line() && self.context.newlines && !self.continues_line(operator) {
                break;
            }
            let comparison = operator.level() == COMPARE;
            left = match operator {
                Operator::Binary(_) if comparison && compared => self.chained_comparison(left),
                Operator::Binary(op) => {
                    let op_span = self.here();
                    self.bump();
                    let right = match op {
                        BinaryOp::Pow => self.binary(UNARY),
                        _ => self.binary(operator.level() + 1),
                    };
                    binary(op, op_span, left, right)
                }
                Operator::Coalesce => {
                    self.bump();
                    let right = self.binary(COALESCE);
                    let span = left.span.to(right.span);
                    let (left, right) = (Box::new(left), Box::new(right));
                    Expr { kind: ExprKind::Coalesce { left, right }, span }
                }
                Operator::Range { inclusive } => self.range(left, inclusive),
                Operator::Foreign(_) => self.foreign_operator(left),
            };
            compared = comparison;
            left = self.link(left);
        }
        left
    }

    /// Whether an operator at the beginning of a line goes on with the line before. Only `??` may; the
    /// others are explained, where they can be nothing else.
    fn continues_line(&mut self, operator: Operator) -> bool {
        let Operator::Binary(op) = operator else {
            return matches!(operator, Operator::Coalesce);
        };
        // `-` may be a value, and `> 5 =>` a mistaken pattern.
        let arm = (1..64)
            .map_while(|ahead| self.ahead_on_line(ahead))
            .any(|kind| kind == TokenKind::FatArrow);
        if op == BinaryOp::Sub || arm {
            return false;
        }
        let span = self.here();
        let sign = self.source(span);
        self.teach(
            Diagnostic::error(
                "E0127",
                format!("a line cannot begin with `{sign}`"),
                span,
                "move it to the end of the line before",
            )
            .label(self.after_previous(), "the statement ends here")
            .why(
                "a line goes on after an operator, a comma or an open bracket, and before `.name`",
            ),
        );
        true
    }

    fn prefix(&mut self) -> Expr {
        let start = self.here();
        let (op, level) = match self.kind() {
            TokenKind::Minus => (UnaryOp::Neg, UNARY),
            TokenKind::Bang => (UnaryOp::Not, UNARY),
            TokenKind::Not => (UnaryOp::Not, COMPARE),
            TokenKind::Plus => {
                self.bump();
                self.blame(
                    Diagnostic::error("E0102", "there is no unary `+`", start, "remove this")
                        .edit(start, ""),
                );
                return self.binary(UNARY);
            }
            TokenKind::Tilde => {
                self.bump();
                self.teach(
                    Diagnostic::error("E0126", "there is no operator `~`", start, "").help(
                        "`bnot(x)` flips the bits of an `int`, `not x` turns a `bool` around",
                    ),
                );
                let operand = self.binary(UNARY);
                return self.error_expr(start.to(operand.span));
            }
            _ => {
                let atom = self.atom();
                return self.postfix(atom);
            }
        };
        self.bump();
        let smallest = op == UnaryOp::Neg
            && self.kind() == TokenKind::Int(1 << 63)
            && !matches!(self.ahead(1).kind, TokenKind::StarStar | TokenKind::Dot);
        let operand = match smallest {
            true => {
                let span = self.here();
                self.bump();
                Expr { kind: ExprKind::Int(1 << 63), span }
            }
            false => self.binary(level),
        };
        let span = start.to(operand.span);
        Expr { kind: ExprKind::Unary { op, operand: Box::new(operand) }, span }
    }

    /// A number literal in the place of a value; `-` of the smallest `int` is handled before.
    pub(super) fn int(&mut self, value: u64, span: Span) -> Expr {
        if value > i64::MAX as u64 {
            self.teach(lexer::too_large(span));
            return self.error_expr(span);
        }
        Expr { kind: ExprKind::Int(value), span }
    }

    fn chained_comparison(&mut self, left: Expr) -> Expr {
        let op_span = self.here();
        self.bump();
        let right = self.binary(COMPARE + 1);
        let span = left.span.to(right.span);
        let mut diagnostic =
            Diagnostic::error("E0117", "comparisons cannot be chained", op_span, "");
        if let ExprKind::Binary { right: middle, .. } = &left.kind {
            let first = self.source(left.span);
            let middle_text = self.source(middle.span);
            let second = format!("{} {}", self.source(op_span), self.source(right.span));
            diagnostic = diagnostic
                .help(format!("join two comparisons: `{first} and {middle_text} {second}`"))
                .edit(
                    Span { end: op_span.start, start: left.span.end, ..op_span },
                    format!(" and {middle_text} "),
                );
        }
        self.teach(diagnostic);
        self.error_expr(span)
    }

    fn range(&mut self, start: Expr, inclusive: bool) -> Expr {
        let sign = self.here();
        self.bump();
        if self.at(TokenKind::Lt) && sign.end == self.here().start {
            let all = sign.to(self.here());
            self.bump();
            self.teach(
                Diagnostic::error("E0131", "there is no `..<`", all, "write `..`")
                    .why("`0..n` already leaves out the end; `0..=n` includes it")
                    .edit(all, ".."),
            );
        } else if self.at(TokenKind::Dot) && sign.end == self.here().start {
            let all = sign.to(self.here());
            self.bump();
            self.teach(
                Diagnostic::error("E0131", "there is no `...`", all, "write `..=`")
                    .why("`0..n` leaves out the end, `0..=n` includes it")
                    .edit(all, "..="),
            );
        }
        let ends = self.kind().closes() || (!self.on_line() && self.context.newlines);
        if ends || matches!(self.kind(), TokenKind::Comma | TokenKind::LBrace | TokenKind::End) {
            self.blame(
                Diagnostic::error("E0131", "a range has a beginning and an end", sign, "")
                    .help("`0..xs.len()` covers a list; `xs.slice(from, to)` copies a part of one"),
            );
            return self.error_expr(start.span.to(sign));
        }
        let end = self.binary(RANGE + 1);
        let span = start.span.to(end.span);
        let (start, end) = (Box::new(start), Box::new(end));
        Expr { kind: ExprKind::Range { start, end, inclusive }, span }
    }

    /// Explains an operator of another language and reads its right side.
    fn foreign_operator(&mut self, left: Expr) -> Expr {
        let place = self.here();
        let first = self.kind();
        let in_list = matches!(first, TokenKind::In | TokenKind::Not)
            || first == TokenKind::Percent && self.ahead(1).kind == TokenKind::In;
        match first {
            TokenKind::If => return self.trailing_if(left),
            TokenKind::Question => return self.ternary(left),
            TokenKind::Pipe if self.at_pair(TokenKind::Gt) => return self.pipe(left),
            _ => {}
        }
        let level = self.operator().map_or(ADD, Operator::level);
        self.bump();
        let negated =
            first == TokenKind::Not || (first == TokenKind::Ident && self.eat(TokenKind::Not));
        let joined = match first {
            TokenKind::Percent => {
                if self.kind() != TokenKind::Percent {
                    self.bump();
                }
                self.bump();
                true
            }
            TokenKind::Not | TokenKind::Lt => {
                self.bump();
                true
            }
            _ => false,
        };
        let sign = if joined || negated { self.since(place) } else { place };
        let right = self.binary(level + 1);
        let span = left.span.to(right.span);
        let found = ForeignSign { first, in_list, negated };
        self.explain_foreign_operator(sign, &found, &left, &right);
        self.error_expr(span)
    }

    fn explain_foreign_operator(
        &mut self,
        sign: Span,
        found: &ForeignSign,
        left: &Expr,
        right: &Expr,
    ) {
        let written = self.source(sign);
        let mut diagnostic = match found.in_list {
            true => Diagnostic::error("E0130", "`in` is only for loops", sign, ""),
            false => {
                let message = format!("there is no operator `{written}`");
                Diagnostic::error("E0126", message, sign, "")
            }
        };
        if found.first == TokenKind::Caret {
            diagnostic = diagnostic.help("a power is written `**`");
        }
        let (Some(l), Some(r)) = (self.short(left.span), self.short(right.span)) else {
            return self.teach(diagnostic);
        };
        let r = if matches!(r, "None" | "null" | "NULL" | "NA") { "nil" } else { r };
        let not = if found.negated { "not " } else { "" };
        let rewritten = match found.first {
            _ if found.in_list => format!("{not}{r}.contains({l})"),
            TokenKind::Amp => format!("band({l}, {r})"),
            TokenKind::Pipe => format!("bor({l}, {r})"),
            TokenKind::Caret => format!("bxor({l}, {r})"),
            TokenKind::ShiftLeft => format!("shl({l}, {r})"),
            TokenKind::ShiftRight => format!("shr({l}, {r})"),
            TokenKind::Percent if written == "%/%" => format!("div({l}, {r})"),
            TokenKind::Percent => format!("{l} % {r}"),
            TokenKind::Ident if !found.negated => format!("{l} == {r}"),
            _ => format!("{l} != {r}"),
        };
        let span = left.span.to(right.span);
        self.teach(diagnostic.help(format!("write `{rewritten}`")).edit(span, rewritten));
    }

    /// `a if c else b`, as Python writes it.
    fn trailing_if(&mut self, value: Expr) -> Expr {
        let place = self.here();
        self.bump();
        let cond = self.binary(0);
        let other = self.eat(TokenKind::Else).then(|| self.binary(0));
        let end = other.as_ref().map_or(cond.span, |other| other.span);
        let span = value.span.to(end);
        self.explain_trailing_if(place, span, &value, &cond, other.as_ref());
        self.error_expr(span)
    }

    fn explain_trailing_if(
        &mut self,
        place: Span,
        span: Span,
        value: &Expr,
        cond: &Expr,
        other: Option<&Expr>,
    ) {
        let diagnostic = Diagnostic::error("E0118", "an `if` does not follow the value", place, "");
        let Some(other) = other else {
            let advice = "write the condition first: `if condition { … }`";
            return self.teach(diagnostic.help(advice));
        };
        let right = format!(
            "if {} {{ {} }} else {{ {} }}",
            self.source(cond.span),
            self.source(value.span),
            self.source(other.span)
        );
        self.teach(diagnostic.help(format!("write `{right}`")).edit(span, right));
    }

    /// `a |> f(b)`.
    fn pipe(&mut self, left: Expr) -> Expr {
        let place = self.here();
        self.bump();
        self.bump();
        let sign = self.since(place);
        let right = self.binary(ADD + 1);
        self.teach(
            Diagnostic::error("E0126", "there is no operator `|>`", sign, "")
                .help("methods chain: `patients.filter(p => p.age > 65).len()`"),
        );
        self.error_expr(left.span.to(right.span))
    }
}

pub(super) fn binary(op: BinaryOp, op_span: Span, left: Expr, right: Expr) -> Expr {
    let span = left.span.to(right.span);
    let (left, right) = (Box::new(left), Box::new(right));
    Expr { kind: ExprKind::Binary { op, op_span, left, right }, span }
}

pub(super) fn name(ident: Ident) -> Expr {
    let span = ident.span;
    Expr { kind: ExprKind::Name(ident), span }
}
