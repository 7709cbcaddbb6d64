//! What follows a value directly: calls, fields, indices, type arguments, `?`, `!` and record literals.

use super::{Context, Parser, expr};
use crate::ast::{Arg, Expr, ExprKind, FieldInit, Ident, TypeExpr};
use crate::diagnostic::Diagnostic;
use crate::source::Span;
use crate::token::TokenKind;

/// Names that mean a type wherever they stand.
const TYPE_WORDS: [&str; 7] = ["int", "float", "bool", "byte", "string", "list", "map"];

impl Parser<'_> {
    pub(super) fn postfix(&mut self, mut base: Expr) -> Expr {
        loop {
            base = match self.kind() {
                TokenKind::Dot | TokenKind::QuestionDot => self.field(base),
                TokenKind::ColonColon if self.on_line() => {
                    let place = self.here();
                    self.teach(
                        Diagnostic::error("E0126", "there is no `::`", place, "write `.`")
                            .edit(place, "."),
                    );
                    self.field(base)
                }
                _ if !self.on_line() => return base,
                TokenKind::LParen => self.call(base),
                TokenKind::LBracket => self.index(base),
                // `a ? b : c`, whose condition reaches further to the left.
                TokenKind::Question if self.begins_ternary() => return base,
                TokenKind::Question => {
                    self.bump();
                    let span = self.since(base.span);
                    Expr { kind: ExprKind::Try(Box::new(base)), span }
                }
                TokenKind::Bang => {
                    self.bump();
                    let span = self.since(base.span);
                    Expr { kind: ExprKind::Assert(Box::new(base)), span }
                }
                TokenKind::LBrace => match self.record_name(base) {
                    Ok((name, type_args)) => self.record(name, type_args),
                    Err(base) => return base,
                },
                _ => return base,
            };
            base = self.link(base);
        }
    }

    fn field(&mut self, base: Expr) -> Expr {
        let optional = self.bump().kind == TokenKind::QuestionDot;
        let token = self.token();
        let word = self.text_of(token);
        let number =
            matches!(token.kind, TokenKind::Int(_)) && word.bytes().all(|b| b.is_ascii_digit());
        // A keyword on the next line begins a statement of its own.
        let keyword = TokenKind::keyword(word).is_some() && self.on_line();
        if token.kind == TokenKind::Ident || keyword || number && self.on_line() {
            self.bump();
            let name = self.ident_of(token);
            let span = base.span.to(name.span);
            return Expr { kind: ExprKind::Field { base: Box::new(base), name, optional }, span };
        }
        let dot = self.previous();
        if let ExprKind::Int(_) = base.kind {
            let written = self.source(base.span);
            self.blame(
                Diagnostic::error("E0005", "a number does not end in a point", dot, "")
                    .help(format!("write `{written}.0`"))
                    .edit(dot, ".0"),
            );
        } else {
            self.unexpected("E0101", "the name of a field or a method");
        }
        self.error_expr(self.since(base.span))
    }

    fn call(&mut self, callee: Expr) -> Expr {
        let args = self.args();
        let span = self.since(callee.span);
        Expr { kind: ExprKind::Call { callee: Box::new(callee), args }, span }
    }

    fn args(&mut self) -> Vec<Arg> {
        let open = self.at;
        self.bump();
        self.within(Context::GROUP, |parser| {
            let mut args: Vec<Arg> = vec![];
            while parser.at_element() {
                let arg = parser.arg();
                if let (None, Some(Arg { name: Some(last), .. })) = (&arg.name, args.last()) {
                    let last = last.span;
                    parser.teach(
                        Diagnostic::error(
                            "E0134",
                            "an argument without a name follows one with a name",
                            arg.value.span,
                            "",
                        )
                        .label(last, "named here")
                        .help("name this one too, or move it to the front"),
                    );
                }
                args.push(arg);
                if !parser.separator(TokenKind::RParen) {
                    break;
                }
            }
            parser.close(open, "`,` or `)`");
            args
        })
    }

    fn arg(&mut self) -> Arg {
        let token = self.token();
        let named = token.kind == TokenKind::Ident
            && matches!(self.ahead(1).kind, TokenKind::Colon | TokenKind::Eq);
        if !named {
            if matches!(token.kind, TokenKind::Star | TokenKind::StarStar | TokenKind::DotDot) {
                let span = self.here();
                let sign = self.bump_text();
                self.teach(
                    Diagnostic::error("E0102", format!("`{sign}` cannot spread a list"), span, "")
                        .help("pass the list itself, or its elements one by one"),
                );
            }
            return Arg { name: None, value: self.expr() };
        }
        self.bump();
        self.named_sign();
        Arg { name: Some(self.ident_of(token)), value: self.expr() }
    }

    /// The `:` between a name and its value; `=` is explained.
    fn named_sign(&mut self) {
        let place = self.here();
        if self.bump().kind == TokenKind::Eq {
            let start = self.previous();
            let before = self.lexed.tokens[self.at - 2];
            self.teach(
                Diagnostic::error("E0134", "a value is named with `:`", place, "write `:`")
                    .edit(Span { start: before.end, ..start }, ":"),
            );
        }
    }

    /// After an element: takes the comma. A comma that is forgotten at the end of a line is reported, and
    /// the next element is read.
    pub(super) fn separator(&mut self, closer: TokenKind) -> bool {
        if self.eat(TokenKind::Comma) {
            return true;
        }
        let begins_element = matches!(
            self.kind(),
            TokenKind::Ident
                | TokenKind::Int(_)
                | TokenKind::Float(_)
                | TokenKind::StrStart
                | TokenKind::True
                | TokenKind::False
                | TokenKind::Nil
        );
        let closed = self.find_closer(closer);
        if begins_element && closed && self.blamed != Some(self.at) {
            let place = self.after_previous();
            self.blame(
                Diagnostic::error("E0101", "a `,` is missing", place, "expected `,` here")
                    .edit(place, ","),
            );
            // Later elements may lack one too; each is its own mistake.
            return true;
        }
        false
    }

    /// The bracket that is being read is closed by the first closing token that is not inside another.
    fn find_closer(&self, closer: TokenKind) -> bool {
        let mut at = self.at;
        for _ in 0..64 {
            let token = self.lexed.tokens[at];
            if token.kind == closer {
                return true;
            }
            if token.kind.closes()
                || matches!(token.kind, TokenKind::End | TokenKind::Let | TokenKind::Var)
            {
                return false;
            }
            at = self.partner(at).unwrap_or(at) + 1;
        }
        true
    }

    fn index(&mut self, base: Expr) -> Expr {
        if let Some(args) = self.speculate_types(&base) {
            let span = self.since(base.span);
            return Expr { kind: ExprKind::TypeArgs { base: Box::new(base), args }, span };
        }
        let open = self.at;
        self.bump();
        let start = self.here();
        let index = self.within(Context::GROUP, |parser| {
            if matches!(parser.kind(), TokenKind::Colon | TokenKind::ColonColon) {
                return parser.slice(open, start);
            }
            if matches!(parser.kind(), TokenKind::DotDot | TokenKind::DotDotEq) {
                return parser.slice(open, start);
            }
            let index = parser.expr();
            if matches!(parser.kind(), TokenKind::Colon | TokenKind::ColonColon) {
                return parser.slice(open, start);
            }
            if parser.at(TokenKind::Comma) {
                let place = parser.here();
                parser.blame(
                    Diagnostic::error("E0101", "one index stands in `[` `]`", place, "")
                        .help("a list of lists is indexed twice: `table[row][column]`"),
                );
            }
            index
        });
        self.close(open, "`]`");
        let span = self.since(base.span);
        Expr { kind: ExprKind::Index { base: Box::new(base), index: Box::new(index) }, span }
    }

    /// `xs[1:3]`, as Python writes it.
    fn slice(&mut self, open: usize, start: Span) -> Expr {
        let place = self.here();
        self.blame(
            Diagnostic::error("E0131", "an index is one value", place, "")
                .help("a part of a list is `xs.slice(from, to)`, without `to` up to the end"),
        );
        if let Some(partner) = self.partner(open) {
            self.at = self.at.max(partner);
        }
        self.error_expr(self.since(start))
    }

    /// Type arguments, if what the brackets hold can only be types: several of them, one with `?` or
    /// `func`, or one that names a type of the language and is then called or begins a record.
    fn speculate_types(&mut self, base: &Expr) -> Option<Vec<TypeExpr>> {
        if !matches!(base.kind, ExprKind::Name(_) | ExprKind::Field { .. }) {
            return None;
        }
        let close = self.partner(self.at)?;
        let inside = &self.lexed.tokens[self.at + 1..close];
        let after = self.lexed.tokens[close + 1];
        let used = !after.newline_before
            && (after.kind == TokenKind::LParen
                || after.kind == TokenKind::LBrace && self.context.records);
        let first = inside.first()?;
        let begins = matches!(first.kind, TokenKind::Ident | TokenKind::Func | TokenKind::LParen);
        // Types are short; a long bracket is not read twice.
        if !begins || inside.len() > 64 {
            return None;
        }
        let word = inside.iter().any(|token| {
            token.kind == TokenKind::Ident && TYPE_WORDS.contains(&self.text_of(*token))
        });
        let several = inside.iter().any(|token| token.kind == TokenKind::Comma);
        let marked = inside.iter().any(|token| {
            matches!(
                token.kind,
                TokenKind::Question | TokenKind::Func | TokenKind::QuestionQuestion
            )
        });
        let record = after.kind == TokenKind::LBrace && used;
        if !(used && (word || marked || record || several) || several) {
            return None;
        }
        let (at, errors, blamed) = (self.at, self.diagnostics.len(), self.blamed);
        let height = self.height;
        self.blamed = None;
        let types = self.type_args();
        let clean = self.diagnostics.len() == errors && self.blamed.is_none();
        if self.stopped || self.at == close + 1 && clean && (types.len() > 1 || used) {
            self.blamed = blamed;
            return Some(types);
        }
        self.diagnostics.truncate(errors);
        (self.at, self.blamed, self.height) = (at, blamed, height);
        None
    }

    /// Before `{`: the name of the record that it begins, or the value as it was.
    fn record_name(&mut self, base: Expr) -> Result<(Ident, Vec<TypeExpr>), Expr> {
        let name = match &base.kind {
            ExprKind::Name(name) => name,
            ExprKind::TypeArgs { base: inner, .. } => match &inner.kind {
                ExprKind::Name(name) => name,
                _ => return Err(base),
            },
            _ => return Err(base),
        };
        if !self.context.records {
            let capital = name.name.starts_with(char::is_uppercase);
            let field =
                self.ahead(1).kind == TokenKind::Ident && self.ahead(2).kind == TokenKind::Colon;
            if !(capital && field) {
                return Err(base);
            }
            let open = Span { end: base.span.start, ..base.span };
            let mut diagnostic = Diagnostic::error(
                "E0109",
                "a record literal before a block needs parentheses",
                base.span,
                format!("write `({} {{ … }})`", self.source(base.span)),
            )
            .why("without them the `{` could begin the block");
            if let Some(partner) = self.partner(self.at) {
                let end = self.token_span(partner);
                let close = Span { start: end.end, ..end };
                diagnostic = diagnostic.edit(open, "(").edit(close, ")");
            }
            self.teach(diagnostic);
        }
        match base.kind {
            ExprKind::Name(name) => Ok((name, vec![])),
            ExprKind::TypeArgs { base, args } => match base.kind {
                ExprKind::Name(name) => Ok((name, args)),
                kind => Err(Expr { kind, ..*base }),
            },
            kind => Err(Expr { kind, span: base.span }),
        }
    }

    fn record(&mut self, name: Ident, type_args: Vec<TypeExpr>) -> Expr {
        let open = self.at;
        let start = name.span;
        self.bump();
        let mut fields = vec![];
        self.within(Context::STATEMENT, |parser| {
            while parser.at_element() {
                let Some(field) = parser.record_field() else { break };
                fields.push(field);
                if !parser.eat(TokenKind::Comma) && parser.on_line() {
                    break;
                }
            }
            parser.close(open, "`,` or `}`");
        });
        let span = self.since(start);
        Expr { kind: ExprKind::Record { name, type_args, fields }, span }
    }

    fn record_field(&mut self) -> Option<FieldInit> {
        let token = self.token();
        if token.kind == TokenKind::StrStart {
            let span = self.here();
            self.blame(
                Diagnostic::error("E0101", "the fields of a record are names", span, "")
                    .help("write the name without quotes; a map is `[\"key\": value]`"),
            );
            return None;
        }
        let name = self.expect_name("the name of a field")?;
        match self.kind() {
            TokenKind::Colon => {
                self.bump();
            }
            TokenKind::Eq => self.named_sign(),
            TokenKind::Comma | TokenKind::RBrace => {
                let field = &name.name;
                let place = self.after_previous();
                self.teach(
                    Diagnostic::error("E0101", "this field has no value", name.span, "")
                        .help(format!("write `{field}: {field}`"))
                        .edit(place, format!(": {field}")),
                );
                return Some(FieldInit { value: expr::name(name.clone()), name });
            }
            _ => {
                self.unexpected("E0101", "`:` and the value of the field");
                return None;
            }
        }
        Some(FieldInit { name, value: self.expr() })
    }

    /// A `?` with a value after it on the line: `a ? b : c` of C.
    pub(super) fn begins_ternary(&self) -> bool {
        matches!(
            self.ahead_on_line(1),
            Some(
                TokenKind::Ident
                    | TokenKind::Int(_)
                    | TokenKind::Float(_)
                    | TokenKind::StrStart
                    | TokenKind::True
                    | TokenKind::False
                    | TokenKind::Nil
            )
        )
    }

    pub(super) fn ternary(&mut self, cond: Expr) -> Expr {
        let place = self.here();
        self.bump();
        let then = self.expr();
        let other = self.eat(TokenKind::Colon).then(|| self.expr());
        let end = other.as_ref().map_or(then.span, |other| other.span);
        self.explain_ternary(place, &cond, &then, other.as_ref());
        self.error_expr(cond.span.to(end))
    }

    fn explain_ternary(&mut self, place: Span, cond: &Expr, then: &Expr, other: Option<&Expr>) {
        let diagnostic = Diagnostic::error("E0118", "there is no `? :`", place, "");
        let Some(other) = other else {
            let advice = "`if condition { a } else { b }` is a value; `e?` hands an error on";
            return self.teach(diagnostic.help(advice));
        };
        let help = format!(
            "write `if {} {{ {} }} else {{ {} }}`",
            self.source(cond.span),
            self.source(then.span),
            self.source(other.span)
        );
        self.teach(diagnostic.help(help));
    }
}
