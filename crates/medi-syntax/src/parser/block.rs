//! Blocks, and the headers in front of them: conditions, loops and scopes.

use super::{Context, Parser};
use crate::ast::{
    BinaryOp, Block, Cond, Expr, ExprKind, Ident, Pattern, PatternKind, Scope, Stmt, StmtKind,
};
use crate::diagnostic::Diagnostic;
use crate::source::Span;
use crate::token::TokenKind;

impl Parser<'_> {
    /// The block of the construct whose first token is `header`; `owner` names it.
    pub(super) fn block(&mut self, header: usize, owner: &str) -> Block {
        match self.kind() {
            TokenKind::LBrace => self.braces(),
            TokenKind::Colon => self.colon_block(header, owner),
            TokenKind::Ident if self.on_line() && (self.at_word("then") || self.at_word("do")) => {
                let span = self.here();
                let word = self.bump_text();
                self.teach(
                    Diagnostic::error(
                        "E0122",
                        format!("the body of {owner} stands in braces"),
                        span,
                        format!("write `{{` instead of `{word}`"),
                    )
                    .help("and `}` after its last statement"),
                );
                match self.at(TokenKind::LBrace) {
                    true => self.braces(),
                    false => self.unbraced(header),
                }
            }
            _ => self.missing_braces(header, owner),
        }
    }

    /// `{ … }`, at its opening brace.
    pub(super) fn braces(&mut self) -> Block {
        self.nested(|parser| {
            parser.within(Context::STATEMENT, |parser| {
                let open = parser.at;
                let start = parser.here();
                parser.bump();
                let mut stmts = vec![];
                loop {
                    while parser.eat(TokenKind::Semicolon) {}
                    if parser.ends_block() || parser.begins_lost_item() {
                        break;
                    }
                    parser.statement_into(&mut stmts);
                }
                if !parser.eat(TokenKind::RBrace) {
                    parser.unclosed(open);
                }
                Block { stmts, span: parser.since(start) }
            })
        })
    }

    fn ends_block(&self) -> bool {
        matches!(
            self.kind(),
            TokenKind::RBrace | TokenKind::End | TokenKind::InsertEnd | TokenKind::StrEnd
        )
    }

    /// A declaration that stands no deeper than the one being read: a `}` is missing before it.
    fn begins_lost_item(&self) -> bool {
        let token = self.token();
        token.newline_before && self.begins_item() && token.indent <= self.item_indent
    }

    fn statement_into(&mut self, stmts: &mut Vec<Stmt>) {
        let before = self.at;
        let stmt = self.stmt();
        self.end_statement(&stmt, self.lexed.tokens[before].kind);
        stmts.push(stmt);
        if self.at == before {
            self.unexpected("E0102", "a statement");
            self.bump();
        }
    }

    /// Sees to it that the next statement begins on a new line or after `;`.
    fn end_statement(&mut self, stmt: &Stmt, first: TokenKind) {
        if self.token().newline_before || self.ends_block() || self.at(TokenKind::Semicolon) {
            return;
        }
        if self.blamed == Some(self.at) {
            return self.skip_statement();
        }
        let ends_in_brace = matches!(
            &stmt.kind,
            StmtKind::While { .. }
                | StmtKind::For { .. }
                | StmtKind::Scope(_)
                | StmtKind::Parallel(_)
        ) || matches!(&stmt.kind, StmtKind::Expr(expr) if is_block_like(expr));
        if ends_in_brace && !self.at(TokenKind::Comma) && !self.kind().closes() {
            return;
        }
        let place = self.here();
        if self.at(TokenKind::Comma) {
            let declares = matches!(first, TokenKind::Let | TokenKind::Var);
            let diagnostic = Diagnostic::error(
                "E0129",
                "a comma cannot separate statements or values here",
                place,
                "",
            );
            self.blame(match declares {
                true => diagnostic
                    .help("declare each variable on its own line; several values at once are a tuple: `(a, b)`"),
                false => diagnostic.help("several values at once are a tuple, in parentheses: `(a, b)`"),
            });
        } else if self.kind().closes() {
            self.stray_closer();
        } else if self.at(TokenKind::LBrace) {
            self.blame(
                Diagnostic::error("E0105", "a block cannot follow this", place, "")
                    .help("a function value is passed in parentheses: `xs.map(x => x + 1)`"),
            );
        } else {
            let found = self.found();
            let diagnostic = Diagnostic::error(
                "E0105",
                format!("expected the end of the statement, found {found}"),
                place,
                "the statement before should end here",
            );
            let first_word = match &stmt.kind {
                StmtKind::Expr(Expr { kind: ExprKind::Name(name), .. }) => Some(name),
                _ => None,
            };
            let meant =
                first_word.and_then(|name| Some((name, self.misspelt_keyword(&name.name)?)));
            self.blame(match meant {
                Some((name, keyword)) => diagnostic
                    .help(format!("did you mean `{keyword}` instead of `{}`?", name.name))
                    .edit(name.span, keyword),
                None => diagnostic.help("begin a new line, or put `;` between two statements"),
            });
        }
        self.skip_statement();
    }

    /// `)`, `]` or `}` without its opening one.
    pub(super) fn stray_closer(&mut self) {
        let token = self.token();
        let sign = self.text_of(token);
        let span = self.here();
        self.blame(
            Diagnostic::error("E0104", format!("this `{sign}` closes nothing"), span, "")
                .help("remove it, or write the opening one that belongs to it")
                .edit(span, ""),
        );
    }

    /// `if x:` and its like, with the lines that Python would take for the body.
    fn colon_block(&mut self, header: usize, owner: &str) -> Block {
        let colon = self.here();
        let known = self.is_explained();
        self.bump();
        if self.at(TokenKind::LBrace) && self.on_line() {
            self.teach(
                Diagnostic::error("E0107", "no `:` stands before a block", colon, "remove this")
                    .edit(colon, ""),
            );
            return self.braces();
        }
        let body = self.unbraced(header);
        if known {
            return body;
        }
        let indent = " ".repeat(self.lexed.tokens[header].indent.into());
        let end = Span { start: body.span.end, ..body.span };
        let diagnostic = Diagnostic::error(
            "E0107",
            format!("the body of {owner} stands in braces"),
            colon,
            "write `{` instead of `:`",
        )
        .help("and `}` after its last statement; indentation has no meaning in Medi");
        let diagnostic = match body.stmts.is_empty() {
            true => diagnostic,
            false => diagnostic.edit(colon, " {").edit(end, format!("\n{indent}}}")),
        };
        self.teach(diagnostic);
        body
    }

    fn missing_braces(&mut self, header: usize, owner: &str) -> Block {
        let place = self.missing_place();
        let line = self.on_line();
        let known = self.is_explained();
        let found = self.found();
        let errors = self.diagnostics.len();
        // What the body says about its first token would be the same mistake.
        self.blamed = Some(self.at);
        let body = self.unbraced(header);
        if !known {
            let clean = line && self.diagnostics.len() == errors;
            self.explain_missing_braces(owner, &found, place, body.stmts.first().filter(|_| clean));
        }
        body
    }

    /// `first` is the statement that is easily put into braces.
    fn explain_missing_braces(
        &mut self,
        owner: &str,
        found: &str,
        place: Span,
        first: Option<&Stmt>,
    ) {
        let message = match first {
            None => format!("expected `{{` and the body of {owner}, found {found}"),
            Some(_) => format!("the body of {owner} stands in braces"),
        };
        let diagnostic = Diagnostic::error("E0122", message, place, "a `{` is missing here");
        self.teach(match first {
            Some(first) => {
                let start = Span { end: first.span.start, ..first.span };
                let end = Span { start: first.span.end, ..first.span };
                diagnostic.edit(start, "{ ").edit(end, " }")
            }
            None => diagnostic.help("a body stands in `{` and `}`, also if it is one statement"),
        });
    }

    /// The statements that belong to a header by their place: the rest of its line, or the lines below
    /// that are indented deeper.
    fn unbraced(&mut self, header: usize) -> Block {
        self.nested(|parser| {
            parser.within(Context::STATEMENT, |parser| {
                let start = parser.missing_place();
                let base = parser.lexed.tokens[header].indent;
                let mut stmts = vec![];
                let deeper = |parser: &Self| {
                    let token = parser.token();
                    !parser.ends_block() && token.newline_before && token.indent > base
                };
                if parser.on_line() {
                    if !parser.ends_block() && !parser.kind().closes() {
                        let first = parser.kind();
                        let stmt = parser.stmt();
                        if !parser.at(TokenKind::Else) {
                            parser.end_statement(&stmt, first);
                        }
                        stmts.push(stmt);
                    }
                } else {
                    while deeper(parser) {
                        parser.statement_into(&mut stmts);
                        while parser.eat(TokenKind::Semicolon) {}
                    }
                }
                let start = stmts.first().map_or(start, |stmt| stmt.span);
                let end = stmts.last().map_or(start, |stmt| stmt.span);
                Block { span: start.to(end), stmts }
            })
        })
    }

    /// The condition of `if` and `while`.
    pub(super) fn cond(&mut self) -> Cond {
        self.within(Context::HEADER, |parser| {
            if matches!(parser.kind(), TokenKind::Let | TokenKind::Var) {
                return parser.let_cond();
            }
            let left = parser.expr();
            let cond = match parser.at(TokenKind::Eq) && parser.on_line() {
                true => parser.assignment_as_condition(left),
                false => left,
            };
            parser.reject_second_condition();
            Cond::Expr(cond)
        })
    }

    fn let_cond(&mut self) -> Cond {
        self.bump();
        let pattern = self.pattern();
        if !self.eat(TokenKind::Eq) {
            self.unexpected("E0101", "`=` and the value to test");
        }
        let value = self.expr();
        if let ExprKind::Binary { op: BinaryOp::And | BinaryOp::Or, op_span, .. } = &value.kind {
            let sign = self.source(*op_span);
            self.teach(
                Diagnostic::error(
                    "E0133",
                    format!("`let` in a condition cannot be combined with `{sign}`"),
                    *op_span,
                    "",
                )
                .help("test the rest in an `if` of its own inside the block"),
            );
        }
        self.reject_second_condition();
        Cond::Let { pattern, value }
    }

    fn reject_second_condition(&mut self) {
        if !(self.at(TokenKind::Comma) && self.on_line()) {
            return;
        }
        let comma = self.here();
        self.teach(
            Diagnostic::error("E0133", "a condition is one expression", comma, "")
                .help("join tests with `and`; put a second `if let` inside the block"),
        );
        while self.eat(TokenKind::Comma) {
            drop(self.cond());
        }
    }

    /// `=` where a comparison was meant.
    pub(super) fn assignment_as_condition(&mut self, left: Expr) -> Expr {
        let op_span = self.here();
        self.bump();
        let right = self.expr();
        self.teach(
            Diagnostic::error("E0108", "`=` assigns, it does not compare", op_span, "write `==`")
                .edit(op_span, "=="),
        );
        let span = left.span.to(right.span);
        let (left, right) = (Box::new(left), Box::new(right));
        Expr { kind: ExprKind::Binary { op: BinaryOp::Eq, op_span, left, right }, span }
    }

    pub(super) fn while_stmt(&mut self) -> StmtKind {
        let header = self.at;
        self.bump();
        let cond = self.cond();
        let body = self.block(header, "`while`");
        StmtKind::While { cond, body }
    }

    pub(super) fn for_stmt(&mut self, parallel: bool) -> StmtKind {
        let header = self.at;
        self.bump();
        let (pattern, iter) = match self.kind() {
            TokenKind::LParen if !self.tuple_before_in() => self.parenthesised_for(),
            _ => (self.loop_pattern(), self.loop_source(Context::HEADER)),
        };
        let body = self.block(header, "`for`");
        StmtKind::For { pattern, iter, body, parallel }
    }

    /// At the `(` of `for (k, v) in m`.
    fn tuple_before_in(&self) -> bool {
        let Some(partner) = self.partner(self.at) else { return false };
        let next = self.lexed.tokens[partner + 1];
        next.kind == TokenKind::In || self.is_foreign_in(next)
    }

    /// `of`, `=`, `:`, … where Medi writes `in`.
    fn is_foreign_in(&self, token: crate::token::Token) -> bool {
        match token.kind {
            TokenKind::Colon | TokenKind::Eq | TokenKind::ColonEq => true,
            TokenKind::Ident => matches!(self.text_of(token), "of" | "from"),
            _ => false,
        }
    }

    fn loop_pattern(&mut self) -> Pattern {
        let word = self.at_word("each") || self.at_word("mut");
        let declares = matches!(self.kind(), TokenKind::Let | TokenKind::Var | TokenKind::Const);
        if declares || word && self.ahead(1).kind == TokenKind::Ident {
            let span = self.here();
            let text = self.bump_text();
            self.teach(
                Diagnostic::error(
                    "E0112",
                    format!("no `{text}` stands before the name in `for`"),
                    span,
                    "remove this",
                )
                .edit(Span { end: self.here().start, ..span }, ""),
            );
        }
        let start = self.here();
        let first = self.binding();
        if !(self.at(TokenKind::Comma) && self.on_line()) {
            return first;
        }
        let parts = self.rest_of_bindings(first);
        let span = self.since(start);
        self.tuple_needs_parentheses(span);
        Pattern { kind: PatternKind::Tuple(parts), span }
    }

    /// `, b, c` after a first binding.
    pub(super) fn rest_of_bindings(&mut self, first: Pattern) -> Vec<Pattern> {
        let mut parts = vec![first];
        while self.at(TokenKind::Comma) && self.on_line() {
            self.bump();
            parts.push(self.binding());
        }
        parts
    }

    pub(super) fn tuple_needs_parentheses(&mut self, span: Span) {
        let right = format!("({})", self.source(span));
        self.teach(
            Diagnostic::error(
                "E0129",
                "a tuple stands in parentheses",
                span,
                format!("write `{right}`"),
            )
            .edit(span, right),
        );
    }

    /// `in xs`.
    fn loop_source(&mut self, context: Context) -> Expr {
        let place = self.here();
        if self.is_foreign_in(self.token()) && self.on_line() {
            let token = self.bump();
            self.teach(
                Diagnostic::error("E0112", "`for` goes through values with `in`", place, "")
                    .help("`for x in xs { … }`, or with numbers `for i in 0..n { … }`")
                    .edit(place, if token.kind == TokenKind::Colon { " in" } else { "in" }),
            );
        } else if !self.eat(TokenKind::In) {
            self.unexpected("E0101", "`in`");
            return self.error_expr(place);
        }
        let iter = self.within(context, Self::expr);
        if self.at(TokenKind::Colon) && self.line_ends_in_brace() {
            return self.colon_range(iter);
        }
        if self.at_word("to") && self.on_line() {
            return self.colon_range(iter);
        }
        iter
    }

    /// On this line a block opens, after something that follows the `:` here.
    fn line_ends_in_brace(&self) -> bool {
        let line = (1..64).map_while(|ahead| self.ahead_on_line(ahead));
        let last = line.enumerate().filter(|(_, kind)| *kind == TokenKind::LBrace).last();
        last.is_some_and(|(place, _)| place > 0)
    }

    /// `1:n`, as R writes it, or `1 to n`.
    fn colon_range(&mut self, start: Expr) -> Expr {
        let sign = self.here();
        self.bump();
        let end = self.within(Context::HEADER, Self::expr);
        let span = start.span.to(end.span);
        self.teach(
            Diagnostic::error("E0131", "a range is written with dots", sign, "write `..=`")
                .help("`1..=n` includes the end, `0..n` does not")
                .edit(Span { start: start.span.end, end: end.span.start, ..sign }, "..="),
        );
        let (start, end) = (Box::new(start), Box::new(end));
        Expr { kind: ExprKind::Range { start, end, inclusive: true }, span }
    }

    /// `for (x in xs)` and `for (let i = 0; i < n; i++)`.
    fn parenthesised_for(&mut self) -> (Pattern, Expr) {
        let open = self.at;
        let open_span = self.here();
        self.bump();
        let Some(partner) = self.partner(open) else {
            self.unclosed(open);
            self.skip_statement();
            let nothing = Pattern { kind: PatternKind::Wildcard, span: open_span };
            return (nothing, self.error_expr(open_span));
        };
        let close = self.token_span(partner);
        let counting =
            self.lexed.tokens[open..partner].iter().any(|t| t.kind == TokenKind::Semicolon);
        if counting {
            self.at = partner + 1;
            let span = open_span.to(close);
            self.teach(
                Diagnostic::error(
                    "E0112",
                    "`for` goes through values, it does not count",
                    span,
                    "",
                )
                .help("`for i in 0..n { … }` counts from 0 to n - 1; other loops use `while`"),
            );
            let nothing = Pattern { kind: PatternKind::Wildcard, span };
            return (nothing, self.error_expr(span));
        }
        let typed = self.kind() == TokenKind::Ident
            && self.ahead(1).kind == TokenKind::Ident
            && !self.is_foreign_in(self.ahead(1));
        if typed {
            self.bump();
        }
        let errors = self.diagnostics.len();
        let pattern = self.loop_pattern();
        let iter = self.loop_source(Context::GROUP);
        // What is odd inside belongs to the same habit.
        let within = self.diagnostics.split_off(errors);
        self.diagnostics.extend(within.into_iter().filter(|d| d.code != "E0112"));
        self.close(open, "`)`");
        let right = format!("{} in {}", self.source(pattern.span), self.source(iter.span));
        self.teach(
            Diagnostic::error(
                "E0112",
                "no parentheses stand around the loop variable",
                open_span,
                format!("write `for {right} {{`"),
            )
            .edit(open_span.to(close), right),
        );
        (pattern, iter)
    }

    /// At the word `scope`: the scope with its name and body.
    pub(super) fn scope(&mut self) -> Scope {
        self.bump();
        let name = match self.kind() {
            TokenKind::Ident => {
                let token = self.bump();
                Some(self.ident_of(token))
            }
            _ => None,
        };
        let body = self.braces();
        let end = Span { start: body.span.end.saturating_sub(1), ..body.span };
        Scope { name, body, end }
    }

    /// The word here opens a scope: `scope {` or `scope name {`.
    pub(super) fn begins_scope(&self) -> bool {
        self.at_word("scope")
            && match self.ahead_on_line(1) {
                Some(TokenKind::LBrace) => self.context.records,
                Some(TokenKind::Ident) => self.ahead_on_line(2) == Some(TokenKind::LBrace),
                _ => false,
            }
    }

    /// `name` of `in name`.
    pub(super) fn scope_name(&mut self) -> Option<Ident> {
        if !(self.at(TokenKind::In) && self.on_line()) {
            return None;
        }
        self.bump();
        self.expect_name("the name of a scope")
    }
}

/// Ends in a brace, so that a statement may follow on the same line.
pub(super) fn is_block_like(expr: &Expr) -> bool {
    matches!(
        expr.kind,
        ExprKind::If { .. } | ExprKind::Match { .. } | ExprKind::Block(_) | ExprKind::Scope(_)
    )
}
