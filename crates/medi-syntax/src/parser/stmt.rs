//! Statements.

use super::{Context, Parser, block};
use crate::ast::{
    Arg, BinaryOp, Block, Expr, ExprKind, Pattern, PatternKind, Stmt, StmtKind, TypeExpr, UnaryOp,
};
use crate::diagnostic::Diagnostic;
use crate::source::Span;
use crate::token::TokenKind;

impl Parser<'_> {
    pub(super) fn stmt(&mut self) -> Stmt {
        let start = self.here();
        let kind = match self.kind() {
            TokenKind::Let | TokenKind::Var => self.let_stmt(),
            TokenKind::While => self.while_stmt(),
            TokenKind::For => self.for_stmt(false),
            TokenKind::Return | TokenKind::Break | TokenKind::Continue => self.jump(),
            TokenKind::Func | TokenKind::Enum | TokenKind::Const if self.begins_item() => {
                self.misplaced_item()
            }
            TokenKind::Else => self.stray_else(),
            TokenKind::Ident => self.word_stmt(),
            TokenKind::If | TokenKind::Match | TokenKind::LBrace => self.block_stmt(),
            _ => self.expr_stmt(),
        };
        Stmt { kind, span: self.since(start) }
    }

    fn word_stmt(&mut self) -> StmtKind {
        if self.begins_scope() {
            let scope = self.scope();
            return StmtKind::Scope(scope);
        }
        if self.at_word("parallel") {
            match self.ahead_on_line(1) {
                Some(TokenKind::LBrace) => {
                    self.bump();
                    return StmtKind::Parallel(self.braces());
                }
                Some(TokenKind::For) => {
                    self.bump();
                    return self.for_stmt(true);
                }
                _ => {}
            }
        }
        if self.begins_item() {
            return self.misplaced_item();
        }
        self.foreign_stmt().unwrap_or_else(|| self.expr_stmt())
    }

    /// A statement that begins with braces ends with them, unless something clearly goes on.
    fn block_stmt(&mut self) -> StmtKind {
        let expr = self.nested(|parser| {
            let expr = parser.atom();
            let goes_on = match parser.kind() {
                TokenKind::Dot | TokenKind::QuestionDot | TokenKind::QuestionQuestion => true,
                TokenKind::Minus | TokenKind::LParen | TokenKind::LBracket | TokenKind::Bang => {
                    false
                }
                _ => parser.on_line() && parser.operator().is_some(),
            };
            match goes_on && block::is_block_like(&expr) {
                true => {
                    let expr = parser.postfix(expr);
                    parser.operators(expr, 0)
                }
                false => expr,
            }
        });
        self.finish_expr_stmt(expr)
    }

    fn let_stmt(&mut self) -> StmtKind {
        let mut mutable = self.bump().kind == TokenKind::Var;
        let keyword = self.previous();
        if self.at_word("mut") && self.ahead_on_line(1) == Some(TokenKind::Ident) {
            let span = self.here();
            self.bump();
            self.teach(
                Diagnostic::error("E0110", "a variable that changes is a `var`", span, "")
                    .edit(Span { end: self.here().start, ..keyword }, "var "),
            );
            mutable = true;
        }
        let start = self.here();
        let mut pattern = self.binding();
        if self.at(TokenKind::Comma) && self.on_line() {
            let parts = self.rest_of_bindings(pattern);
            let span = self.since(start);
            self.tuple_needs_parentheses(span);
            pattern = Pattern { kind: PatternKind::Tuple(parts), span };
        }
        let colon = self.at(TokenKind::Colon) && self.on_line();
        let bare = self.kind() == TokenKind::Ident
            && self.on_line()
            && self.ahead_on_line(1) == Some(TokenKind::Eq);
        if bare {
            let place = self.after_previous();
            self.teach(
                Diagnostic::error("E0110", "a type follows the name and a colon", place, "")
                    .edit(place, ":"),
            );
        }
        let ty = (colon || bare).then(|| {
            self.eat(TokenKind::Colon);
            self.type_expr()
        });
        let value = self.let_value(&pattern);
        StmtKind::Let { mutable, pattern, ty, value }
    }

    fn let_value(&mut self, pattern: &Pattern) -> Expr {
        let place = self.here();
        match self.kind() {
            TokenKind::Eq => {
                self.bump();
                return self.value_of_assignment();
            }
            TokenKind::ColonEq | TokenKind::EqEq if self.on_line() => {
                self.bump();
                self.teach(
                    Diagnostic::error("E0110", "a value is given with `=`", place, "write `=`")
                        .edit(place, "="),
                );
                return self.expr();
            }
            TokenKind::Lt if self.on_line() && self.ahead(1).kind == TokenKind::Minus => {
                self.bump();
                self.bump();
                let arrow = self.since(place);
                self.teach(
                    Diagnostic::error("E0110", "a value is given with `=`", arrow, "write `=`")
                        .edit(arrow, "="),
                );
                return self.expr();
            }
            _ => {}
        }
        let name = self.source(pattern.span);
        let place = self.missing_place();
        let diagnostic = self
            .unexpected_message("E0128", "`=` and a value")
            .why("a variable has a value from the beginning")
            .help(format!("`let {name} = …`; for one that has none yet, `var {name}: T? = nil`"));
        self.blame(diagnostic);
        self.error_expr(place)
    }

    /// The right side of `=`; a second `=` is reported.
    fn value_of_assignment(&mut self) -> Expr {
        let mut value = self.expr();
        let place = self.here();
        let mut chained = false;
        while self.at(TokenKind::Eq) && self.on_line() {
            self.bump();
            value = self.expr();
            chained = true;
        }
        if chained {
            self.teach(
                Diagnostic::error("E0116", "an assignment is not a value", place, "")
                    .help("assign to one variable at a time; `==` compares"),
            );
        }
        value
    }

    /// `return`, `break` or `continue`.
    pub(super) fn jump(&mut self) -> StmtKind {
        match self.bump().kind {
            TokenKind::Break => StmtKind::Break,
            TokenKind::Continue => StmtKind::Continue,
            _ => {
                let bare = !self.on_line()
                    || self.kind().closes()
                    || matches!(
                        self.kind(),
                        TokenKind::Semicolon | TokenKind::End | TokenKind::Comma
                    );
                if bare {
                    return StmtKind::Return(None);
                }
                StmtKind::Return(Some(self.expr()))
            }
        }
    }

    fn stray_else(&mut self) -> StmtKind {
        let header = self.at;
        let span = self.here();
        self.bump();
        let message = "this `else` belongs to no `if`";
        self.blame(
            Diagnostic::error("E0125", message, span, "")
                .help("`else` follows the `}` of its `if`: `if a { … } else { … }`"),
        );
        let expr = match self.kind() {
            TokenKind::If => self.expr(),
            _ => {
                let body = self.block(header, "`else`");
                Expr { span: body.span, kind: ExprKind::Block(body) }
            }
        };
        StmtKind::Expr(expr)
    }

    /// A declaration inside a function: read, reported and dropped.
    fn misplaced_item(&mut self) -> StmtKind {
        let span = self.here();
        let word = self.text_of(self.token());
        let diagnostic = Diagnostic::error(
            "E0115",
            format!("a `{word}` cannot be declared inside a function"),
            span,
            "",
        );
        self.teach(match word {
            "func" | "native" => diagnostic.help(
                "move it out of the function, or keep a function value: `let f = x => x + 1`",
            ),
            "const" => diagnostic.help("use `let`, or move it out of the function"),
            _ => diagnostic.help("move it out of the function"),
        });
        let indent = std::mem::replace(&mut self.item_indent, u16::MAX);
        let item = self.nested(Self::item);
        self.item_indent = indent;
        drop(item);
        StmtKind::Expr(self.error_expr(self.since(span)))
    }

    fn expr_stmt(&mut self) -> StmtKind {
        if let Some(increment) = self.prefix_increment() {
            return increment;
        }
        let expr = self.expr();
        self.finish_expr_stmt(expr)
    }

    /// After an expression that begins a statement: what makes it an assignment.
    fn finish_expr_stmt(&mut self, expr: Expr) -> StmtKind {
        if !self.on_line() {
            return StmtKind::Expr(self.not_an_arrow(expr));
        }
        let op = match self.kind() {
            TokenKind::Eq => None,
            TokenKind::PlusEq => Some(BinaryOp::Add),
            TokenKind::MinusEq => Some(BinaryOp::Sub),
            TokenKind::StarEq => Some(BinaryOp::Mul),
            TokenKind::SlashEq => Some(BinaryOp::Div),
            TokenKind::PercentEq => Some(BinaryOp::Rem),
            TokenKind::StarStarEq => Some(BinaryOp::Pow),
            TokenKind::Colon if matches!(expr.kind, ExprKind::Name(_)) => {
                return self.declaration_without_let(expr);
            }
            TokenKind::ColonEq => return self.short_declaration(expr),
            TokenKind::Plus | TokenKind::Minus if self.at_increment() => {
                return self.increment(expr);
            }
            TokenKind::Comma if self.assigns_on_line() => return self.bare_tuple(expr),
            _ => return StmtKind::Expr(self.not_an_arrow(expr)),
        };
        let place = self.here();
        self.bump();
        let value = self.value_of_assignment();
        self.check_target(&expr, place);
        StmtKind::Assign { target: expr, op, value }
    }

    fn check_target(&mut self, target: &Expr, sign: Span) {
        let message = match &target.kind {
            ExprKind::Name(_) | ExprKind::Index { .. } | ExprKind::Error => return,
            ExprKind::Field { optional: false, .. } => return,
            ExprKind::Field { .. } | ExprKind::Assert(_) => {
                "assign through a value that is there: `if let x = … { x.field = value }`"
            }
            ExprKind::Tuple(_) => {
                "assign to one variable at a time; to swap two, keep one in a `let` first"
            }
            ExprKind::Call { .. } => "what a call returns is not a place; `==` compares",
            _ => "a variable, a field or an element can be assigned; `==` compares",
        };
        self.teach(
            Diagnostic::error("E0116", "this cannot be assigned", target.span, "")
                .label(sign, "assigned here")
                .help(message),
        );
    }

    /// `x <- 5` of R reads as a comparison with a negative number.
    fn not_an_arrow(&mut self, expr: Expr) -> Expr {
        if let ExprKind::Binary { op: BinaryOp::Lt, op_span, left, right } = &expr.kind
            && let ExprKind::Unary { op: UnaryOp::Neg, .. } = right.kind
            && let ExprKind::Name(_) = left.kind
            && op_span.end == right.span.start
        {
            let arrow = Span { end: op_span.end + 1, ..*op_span };
            self.teach(
                Diagnostic::error("E0110", "a value is given with `=`", arrow, "")
                    .help("`let x = 5` declares a variable, `x = 6` changes a `var`")
                    .edit(Span { end: left.span.start, ..left.span }, "let ")
                    .edit(arrow, "="),
            );
            return self.error_expr(expr.span);
        }
        expr
    }

    /// `x: int = 5`.
    fn declaration_without_let(&mut self, name: Expr) -> StmtKind {
        let declares = matches!(
            self.ahead_on_line(1),
            Some(TokenKind::Ident | TokenKind::LParen | TokenKind::LBracket | TokenKind::Func)
        );
        if !declares {
            return StmtKind::Expr(name);
        }
        self.bump();
        let ty = self.type_expr();
        let start = Span { end: name.span.start, ..name.span };
        let pattern = name_pattern(&name);
        self.teach(
            Diagnostic::error(
                "E0110",
                "a variable is declared with `let` or `var`",
                name.span,
                format!("write `let {}`", self.source(name.span)),
            )
            .help("`let` for a value that stays, `var` for one that changes")
            .edit(start, "let "),
        );
        let value = self.let_value(&pattern);
        StmtKind::Let { mutable: true, pattern, ty: Some(ty), value }
    }

    /// `x := 5`.
    fn short_declaration(&mut self, name: Expr) -> StmtKind {
        let sign = self.here();
        self.bump();
        let value = self.expr();
        let start = Span { end: name.span.start, ..name.span };
        self.teach(
            Diagnostic::error("E0110", "a variable is declared with `let` or `var`", sign, "")
                .help("`let` for a value that stays, `var` for one that changes")
                .edit(start, "let ")
                .edit(sign, "="),
        );
        StmtKind::Let { mutable: true, pattern: name_pattern(&name), ty: None, value }
    }

    /// `++` or `--` with nothing after it.
    pub(super) fn at_increment(&self) -> bool {
        let (first, second, after) = (self.token(), self.ahead(1), self.ahead(2));
        let sign = matches!(first.kind, TokenKind::Plus | TokenKind::Minus);
        let ends = after.newline_before
            || after.kind.closes()
            || matches!(
                after.kind,
                TokenKind::End | TokenKind::Semicolon | TokenKind::Comma | TokenKind::LBrace
            );
        sign && second.kind == first.kind && self.touches(first, second) && ends
    }

    fn increment(&mut self, target: Expr) -> StmtKind {
        let first = self.bump();
        self.bump();
        let span = self.span_of(first).to(self.previous());
        self.explain_increment(span, &target, span);
        let op = if first.kind == TokenKind::Plus { BinaryOp::Add } else { BinaryOp::Sub };
        let value = Expr { kind: ExprKind::Int(1), span };
        StmtKind::Assign { target, op: Some(op), value }
    }

    fn explain_increment(&mut self, sign: Span, target: &Expr, replaced: Span) {
        let written = self.source(sign);
        let op = &written[..1];
        let name = self.source(target.span);
        let diagnostic = Diagnostic::error("E0111", format!("there is no `{written}`"), sign, "")
            .help(format!("write `{name} {op}= 1`"));
        self.teach(match replaced == sign {
            true => diagnostic.edit(sign, format!(" {op}= 1")),
            false => diagnostic.edit(replaced, format!("{name} {op}= 1")),
        });
    }

    /// `++x`, or `--x` with nothing to negate before it.
    pub(super) fn at_prefix_increment(&self) -> bool {
        let (first, second) = (self.token(), self.ahead(1));
        let sign = matches!(first.kind, TokenKind::Plus | TokenKind::Minus);
        let name = self.ahead(2).kind == TokenKind::Ident;
        sign && second.kind == first.kind && self.touches(first, second) && name
    }

    fn prefix_increment(&mut self) -> Option<StmtKind> {
        if !self.at_prefix_increment() {
            return None;
        }
        let first = self.token();
        self.bump();
        self.bump();
        let span = self.span_of(first).to(self.previous());
        let target = self.expr();
        let all = span.to(target.span);
        self.explain_increment(span, &target, all);
        let op = if first.kind == TokenKind::Plus { BinaryOp::Add } else { BinaryOp::Sub };
        let value = Expr { kind: ExprKind::Int(1), span };
        Some(StmtKind::Assign { target, op: Some(op), value })
    }

    /// Among the tokens of this line is `=`.
    fn assigns_on_line(&self) -> bool {
        (1..)
            .map_while(|ahead| self.ahead_on_line(ahead))
            .take_while(|kind| {
                !matches!(kind, TokenKind::End | TokenKind::Semicolon | TokenKind::RBrace)
            })
            .any(|kind| kind == TokenKind::Eq)
    }

    /// `a, b = f()`.
    fn bare_tuple(&mut self, first: Expr) -> StmtKind {
        let start = first.span;
        while self.eat(TokenKind::Comma) {
            drop(self.expr());
        }
        let span = self.since(start);
        if self.eat(TokenKind::Eq) {
            drop(self.expr());
            while self.eat(TokenKind::Comma) {
                drop(self.expr());
            }
        }
        self.teach(
            Diagnostic::error("E0129", "several variables cannot be assigned at once", span, "")
                .help(format!(
                    "`let ({}) = …` declares them; to swap two, keep one in a `let` first",
                    self.source(span)
                )),
        );
        StmtKind::Expr(self.error_expr(self.since(start)))
    }

    /// A statement in the place of an expression: a block that holds only it.
    pub(super) fn as_expr(&self, kind: StmtKind, start: Span) -> Expr {
        let span = self.since(start);
        let stmts = vec![Stmt { kind, span }];
        Expr { kind: ExprKind::Block(Block { stmts, span }), span }
    }

    /// The body of an arm or of a closure: a block, an expression or an assignment.
    pub(super) fn body(&mut self, context: Context) -> Expr {
        self.nested(|parser| {
            parser.within(context, |parser| {
                let start = parser.here();
                if parser.at(TokenKind::LBrace) {
                    let block = parser.braces();
                    return Expr { span: block.span, kind: ExprKind::Block(block) };
                }
                let expr = parser.expr();
                let assigns = matches!(
                    parser.kind(),
                    TokenKind::Eq
                        | TokenKind::PlusEq
                        | TokenKind::MinusEq
                        | TokenKind::StarEq
                        | TokenKind::SlashEq
                        | TokenKind::PercentEq
                        | TokenKind::StarStarEq
                );
                let increments = parser.at_increment();
                if (assigns || increments) && parser.on_line() {
                    let kind = parser.finish_expr_stmt(expr);
                    return parser.as_expr(kind, start);
                }
                expr
            })
        })
    }

    /// `print x`: a call without parentheses.
    pub(super) fn bare_call(&mut self) -> StmtKind {
        let token = self.bump();
        let callee = Expr { kind: ExprKind::Name(self.ident_of(token)), span: self.span_of(token) };
        let mut args = vec![];
        loop {
            let value = self.expr();
            args.push(Arg { name: None, value });
            if !self.eat(TokenKind::Comma) {
                break;
            }
        }
        let span = self.since(callee.span);
        let first = args[0].value.span;
        let written = self.source(Span { start: first.start, end: span.end, ..span });
        self.teach(
            Diagnostic::error(
                "E0113",
                "a function is called with parentheses",
                span,
                format!("write `print({written})`"),
            )
            .edit(span, format!("print({written})")),
        );
        let callee = Box::new(callee);
        StmtKind::Expr(Expr { kind: ExprKind::Call { callee, args }, span })
    }

    /// `int x = 5`, as C and Java write it.
    pub(super) fn typed_declaration(&mut self) -> StmtKind {
        let start = self.here();
        let ty: TypeExpr = self.type_expr();
        let pattern = self.binding();
        let name = self.source(pattern.span);
        let type_name = self.source(ty.span);
        let right = format!("let {name}: {type_name}");
        let span = self.since(start);
        self.teach(
            Diagnostic::error(
                "E0110",
                "a variable is declared with `let` or `var`",
                span,
                format!("write `{right}`"),
            )
            .help("`let` for a value that stays, `var` for one that changes")
            .edit(span, right),
        );
        let value = self.let_value(&pattern);
        StmtKind::Let { mutable: true, pattern, ty: Some(ty), value }
    }
}

fn name_pattern(expr: &Expr) -> Pattern {
    let kind = match &expr.kind {
        ExprKind::Name(name) => PatternKind::Name(name.clone()),
        _ => PatternKind::Wildcard,
    };
    Pattern { kind, span: expr.span }
}
