//! Values that stand for themselves: literals, names, lists, tuples, closures, `if`, `match`, blocks.

use super::{Context, Parser};
use crate::ast::{Arm, ClosureParam, Expr, ExprKind, FormatSpec, PatternKind, StrPart};
use crate::diagnostic::Diagnostic;
use crate::source::Span;
use crate::token::TokenKind;

/// What accesses to atomics and fences may order.
const ORDERS: [&str; 5] = ["relaxed", "acquire", "release", "acq_rel", "seq_cst"];

impl Parser<'_> {
    pub(super) fn atom(&mut self) -> Expr {
        let token = self.token();
        let start = self.here();
        let kind = match token.kind {
            TokenKind::Int(value) => {
                self.bump();
                return self.int(value, start);
            }
            TokenKind::Float(value) => {
                self.bump();
                ExprKind::Float(value)
            }
            TokenKind::True | TokenKind::False => {
                self.bump();
                ExprKind::Bool(token.kind == TokenKind::True)
            }
            TokenKind::Nil => {
                self.bump();
                ExprKind::Nil
            }
            TokenKind::StrStart => ExprKind::Str(self.string()),
            TokenKind::Ident => return self.word(),
            TokenKind::LParen => return self.group(),
            TokenKind::LBracket => self.list(),
            TokenKind::LBrace if self.context.records => return self.block_value(),
            TokenKind::If => return self.if_expr(),
            TokenKind::Match => self.match_expr(),
            TokenKind::Return | TokenKind::Break | TokenKind::Continue => {
                let kind = self.nested(Self::jump);
                return self.as_expr(kind, start);
            }
            _ => return self.no_value(),
        };
        Expr { kind, span: self.since(start) }
    }

    fn word(&mut self) -> Expr {
        let start = self.here();
        let next = self.ahead_on_line(1);
        if next == Some(TokenKind::FatArrow) && self.context.arrows {
            let token = self.bump();
            let name = self.ident_of(token);
            return self.closure_body(start, vec![ClosureParam { name, ty: None }]);
        }
        if next == Some(TokenKind::Arrow) && self.context.arrows {
            return self.thin_arrow_closure();
        }
        if self.begins_scope() {
            let scope = self.scope();
            return Expr { kind: ExprKind::Scope(Box::new(scope)), span: self.since(start) };
        }
        match self.text_of(self.token()) {
            "spawn" if matches!(next, Some(TokenKind::Ident | TokenKind::LBrace)) => {
                let records = self.context.records;
                if next == Some(TokenKind::Ident) || records {
                    self.bump();
                    let task = self.nested(|parser| {
                        let atom = parser.atom();
                        parser.postfix(atom)
                    });
                    let kind = ExprKind::Spawn(Box::new(task));
                    return Expr { kind, span: self.since(start) };
                }
            }
            word @ ("new" | "await") if next == Some(TokenKind::Ident) => {
                self.bump();
                let after = Span { end: self.here().start, ..start };
                self.teach(
                    Diagnostic::error("E0106", format!("there is no `{word}`"), start, "")
                        .help(match word {
                            "new" => {
                                "a record is made by its name: `Patient { id: \"p1\", age: 40 }`"
                            }
                            _ => "a call waits by itself; the value of a task is `task.join()`",
                        })
                        .edit(after, ""),
                );
                return self.nested(Self::atom);
            }
            "own" if next == Some(TokenKind::Ident) => {
                self.bump();
                let value = self.nested(|parser| {
                    let atom = parser.atom();
                    parser.postfix(atom)
                });
                let scope = self.scope_name();
                let kind = ExprKind::Own { value: Box::new(value), scope };
                return Expr { kind, span: self.since(start) };
            }
            _ => {}
        }
        if let Some(closure) = self.foreign_closure() {
            return closure;
        }
        if let Some(value) = self.foreign_value() {
            return value;
        }
        let token = self.bump();
        super::expr::name(self.ident_of(token))
    }

    fn closure_body(&mut self, start: Span, params: Vec<ClosureParam>) -> Expr {
        self.bump();
        let context = Context { records: true, arrows: true, ..self.context };
        let body = self.body(context);
        let kind = ExprKind::Closure { params, body: Box::new(body) };
        Expr { kind, span: self.since(start) }
    }

    /// `function(x) { … }` of JavaScript and R, `lambda x: …` of Python.
    fn foreign_closure(&mut self) -> Option<Expr> {
        let word = self.text_of(self.token());
        let start = self.here();
        let function = matches!(word, "function" | "fn" | "fun" | "lambda")
            && self.ahead_on_line(1) == Some(TokenKind::LParen)
            && self
                .partner(self.at + 1)
                .is_some_and(|partner| self.lexed.tokens[partner + 1].kind == TokenKind::LBrace);
        let lambda = word == "lambda"
            && matches!(self.ahead_on_line(1), Some(TokenKind::Ident | TokenKind::Colon));
        if !(function || lambda) {
            return None;
        }
        self.bump();
        if function {
            self.skip_group();
        } else {
            while matches!(self.kind(), TokenKind::Ident | TokenKind::Comma) {
                self.bump();
            }
            self.eat(TokenKind::Colon);
        }
        drop(self.body(Context { records: true, arrows: true, ..self.context }));
        self.teach_closure(start);
        Some(self.error_expr(self.since(start)))
    }

    fn teach_closure(&mut self, span: Span) {
        self.teach(
            Diagnostic::error("E0126", "a function value is written with `=>`", span, "")
                .help("`x => x + 1`, `(a, b) => a + b`, `() => 1`, or with a block `x => { … }`"),
        );
    }

    /// `|x| x + 1` of Rust, at the first `|`.
    fn bar_closure(&mut self) -> Expr {
        let start = self.here();
        if self.bump().kind == TokenKind::Pipe {
            while matches!(self.kind(), TokenKind::Ident | TokenKind::Comma) {
                self.bump();
            }
            if self.eat(TokenKind::Colon) {
                drop(self.type_expr());
            }
            self.eat(TokenKind::Pipe);
        }
        drop(self.body(Context { records: true, arrows: true, ..self.context }));
        self.teach_closure(start);
        self.error_expr(self.since(start))
    }

    /// `x -> x + 1`, as Java writes it.
    fn thin_arrow_closure(&mut self) -> Expr {
        let start = self.here();
        let token = self.bump();
        let name = self.ident_of(token);
        self.teach_thin_arrow();
        self.closure_body(start, vec![ClosureParam { name, ty: None }])
    }

    fn teach_thin_arrow(&mut self) {
        let arrow = self.here();
        self.teach(
            Diagnostic::error("E0126", "a function value is written with `=>`", arrow, "")
                .edit(arrow, "=>"),
        );
    }

    /// `( … )`: a value, a tuple, or the parameters of a closure.
    fn group(&mut self) -> Expr {
        let open = self.at;
        let start = self.here();
        if let Some(partner) = self.partner(open) {
            let after = self.lexed.tokens[partner + 1];
            let arrow = matches!(after.kind, TokenKind::FatArrow | TokenKind::Arrow);
            if arrow && !after.newline_before && self.context.arrows {
                return self.closure(start);
            }
        }
        self.bump();
        let mut values = self.within(Context::GROUP, |parser| {
            let mut values = vec![];
            while parser.at_element() {
                let value = parser.group_value();
                values.push(value);
                if !parser.separator(TokenKind::RParen) {
                    break;
                }
            }
            parser.close(open, "`,` or `)`");
            values
        });
        let span = self.since(start);
        match values.len() {
            1 => Expr { span, ..values.remove(0) },
            _ => Expr { kind: ExprKind::Tuple(values), span },
        }
    }

    fn group_value(&mut self) -> Expr {
        let value = self.expr();
        match self.kind() {
            TokenKind::Eq => self.assignment_as_condition(value),
            TokenKind::ColonEq => {
                let place = self.here();
                self.bump();
                drop(self.expr());
                self.teach(
                    Diagnostic::error("E0116", "an assignment is not a value", place, "")
                        .help("assign first, with `let`, and use the variable here"),
                );
                self.error_expr(self.since(value.span))
            }
            _ => value,
        }
    }

    /// `(a, b: int) => …`, known to be one.
    fn closure(&mut self, start: Span) -> Expr {
        let open = self.at;
        self.bump();
        let mut params = vec![];
        self.within(Context::GROUP, |parser| {
            while parser.at_element() {
                let Some(name) = parser.expect_name("the name of a parameter") else { break };
                let ty = parser.eat(TokenKind::Colon).then(|| parser.type_expr());
                params.push(ClosureParam { name, ty });
                if !parser.separator(TokenKind::RParen) {
                    break;
                }
            }
            parser.close(open, "`,` or `)`");
        });
        if self.at(TokenKind::Arrow) {
            self.teach_thin_arrow();
        } else if !self.at(TokenKind::FatArrow) {
            return self.error_expr(self.since(start));
        }
        self.closure_body(start, params)
    }

    fn list(&mut self) -> ExprKind {
        let open = self.at;
        self.bump();
        self.within(Context::GROUP, |parser| {
            if parser.at(TokenKind::Colon) && parser.ahead(1).kind == TokenKind::RBracket {
                parser.bump();
                parser.bump();
                return ExprKind::Map(vec![]);
            }
            let mut values = vec![];
            let mut pairs = vec![];
            while parser.at_element() {
                let value = parser.expr();
                if parser.eat(TokenKind::Colon) {
                    let pair = (value, parser.expr());
                    if !values.is_empty() {
                        parser.mixed_list(pair.0.span);
                    }
                    pairs.push(pair);
                } else {
                    if !pairs.is_empty() {
                        parser.mixed_list(value.span);
                    }
                    values.push(value);
                }
                if parser.at(TokenKind::For) {
                    parser.comprehension(open);
                    break;
                }
                if !parser.separator(TokenKind::RBracket) {
                    break;
                }
            }
            parser.close(open, "`,` or `]`");
            match pairs.is_empty() {
                true => ExprKind::List(values),
                false => ExprKind::Map(pairs),
            }
        })
    }

    fn mixed_list(&mut self, span: Span) {
        self.blame(
            Diagnostic::error("E0101", "a list and a map are mixed here", span, "")
                .help("a list is `[1, 2]`; every entry of a map has a key: `[\"a\": 1, \"b\": 2]`"),
        );
    }

    /// `[f(x) for x in xs if c]`, as Python writes it.
    fn comprehension(&mut self, open: usize) {
        let place = self.here();
        self.blame(
            Diagnostic::error("E0131", "a list is not built by `for` inside brackets", place, "")
                .help("write `xs.map(x => …)`, with a condition `xs.filter(x => …).map(x => …)`"),
        );
        if let Some(partner) = self.partner(open) {
            self.at = self.at.max(partner);
        }
    }

    /// `{`: a block, or a dictionary of Python.
    fn block_value(&mut self) -> Expr {
        let open = self.at;
        let start = self.here();
        let (first, second) = (self.ahead(1).kind, self.ahead(2).kind);
        let string_key = first == TokenKind::StrStart
            && self
                .partner(open + 1)
                .is_some_and(|end| self.lexed.tokens[end + 1].kind == TokenKind::Colon);
        let number_key = matches!(first, TokenKind::Int(_)) && second == TokenKind::Colon;
        let empty = first == TokenKind::RBrace;
        let name_key = first == TokenKind::Ident
            && second == TokenKind::Colon
            && matches!(
                self.ahead(3).kind,
                TokenKind::Int(_)
                    | TokenKind::Float(_)
                    | TokenKind::StrStart
                    | TokenKind::True
                    | TokenKind::False
                    | TokenKind::Nil
                    | TokenKind::Minus
            );
        if name_key {
            self.teach(
                Diagnostic::error("E0131", "a record begins with its name", start, "").help(
                    "write `Name { field: value }`; the keys of a map are values: `[\"key\": 1]`",
                ),
            );
            self.skip_group();
            return self.error_expr(self.since(start));
        }
        if !(string_key || number_key || empty) {
            let block = self.braces();
            return Expr { span: block.span, kind: ExprKind::Block(block) };
        }
        let close = self.partner(open);
        let mut diagnostic = Diagnostic::error(
            "E0131",
            "a map is written in square brackets",
            start,
            if empty { "the empty map is `[:]`" } else { "write `[`" },
        );
        if let Some(close) = close {
            let end = self.token_span(close);
            diagnostic = match empty {
                true => diagnostic.edit(start.to(end), "[:]"),
                false => diagnostic.edit(start, "[").edit(end, "]"),
            };
        }
        self.teach(diagnostic);
        self.bump();
        let mut pairs = vec![];
        self.within(Context::GROUP, |parser| {
            while parser.at_element() {
                let key = parser.expr();
                if !parser.expect(TokenKind::Colon, "`:` and a value") {
                    break;
                }
                pairs.push((key, parser.expr()));
                if !parser.separator(TokenKind::RBrace) {
                    break;
                }
            }
            parser.close(open, "`,` or `}`");
        });
        Expr { kind: ExprKind::Map(pairs), span: self.since(start) }
    }

    fn string(&mut self) -> Vec<StrPart> {
        self.bump();
        let mut parts = vec![];
        loop {
            match self.kind() {
                TokenKind::StrText(slot) => {
                    self.bump();
                    let text = std::mem::take(&mut self.lexed.texts[slot as usize]);
                    if !text.is_empty() {
                        parts.push(StrPart::Text(text));
                    }
                }
                TokenKind::InsertStart => parts.push(self.insertion()),
                TokenKind::StrEnd => {
                    self.bump();
                    return parts;
                }
                // Only the end of a file that is nested too deeply.
                _ => return parts,
            }
        }
    }

    fn insertion(&mut self) -> StrPart {
        let open = self.at;
        let start = self.here();
        self.bump();
        if matches!(self.kind(), TokenKind::InsertEnd | TokenKind::Format(_)) {
            let close = self.partner(open).unwrap_or(self.at);
            let span = start.to(self.token_span(close));
            self.teach(
                Diagnostic::error("E0007", "there is nothing to insert here", span, "")
                    .help("write an expression in the braces; `{{` and `}}` write braces"),
            );
            self.at = self.at.max(close + 1);
            return StrPart::Expr { expr: Box::new(self.error_expr(span)), format: None };
        }
        let expr = self.within(Context::GROUP, Self::expr);
        let format: Option<FormatSpec> = match self.kind() {
            TokenKind::Format(slot) => {
                self.bump();
                Some(self.lexed.formats[slot as usize].clone())
            }
            _ => None,
        };
        if !self.eat(TokenKind::InsertEnd) {
            let close = self.partner(open).unwrap_or(self.at);
            let written = self.lexed.tokens[close].start < self.lexed.tokens[close].end;
            // A text that never ends was reported already.
            if written || !self.lexed.truncated {
                self.unexpected("E0007", "`}` after the expression to insert");
            }
            if let Some(close) = self.partner(open) {
                self.at = self.at.max(close + 1);
            }
        }
        StrPart::Expr { expr: Box::new(expr), format }
    }

    fn if_expr(&mut self) -> Expr {
        self.nested(|parser| {
            let header = parser.at;
            let start = parser.here();
            parser.bump();
            let cond = Box::new(parser.cond());
            let then = parser.block(header, "`if`");
            let otherwise = parser.otherwise(header).map(Box::new);
            Expr { kind: ExprKind::If { cond, then, otherwise }, span: parser.since(start) }
        })
    }

    fn otherwise(&mut self, header: usize) -> Option<Expr> {
        let place = self.here();
        if self.kind() == TokenKind::Ident
            && matches!(self.text_of(self.token()), "elif" | "elsif" | "elseif")
            && self.begins_operand(1)
        {
            let word = self.text_of(self.token());
            self.teach(
                Diagnostic::error("E0106", format!("there is no `{word}`"), place, "")
                    .edit(place, "else if"),
            );
            return Some(self.if_expr());
        }
        if !self.eat(TokenKind::Else) {
            return None;
        }
        if self.at(TokenKind::If) && self.on_line() {
            return Some(self.if_expr());
        }
        let body = self.block(header, "`else`");
        Some(Expr { span: body.span, kind: ExprKind::Block(body) })
    }

    fn match_expr(&mut self) -> ExprKind {
        let header = self.at;
        self.bump();
        let subject = Box::new(self.within(Context::HEADER, Self::expr));
        if self.at(TokenKind::Colon) || !self.at(TokenKind::LBrace) {
            let place = self.missing_place();
            let found = self.found();
            let diagnostic = Diagnostic::error(
                "E0122",
                format!("expected `{{` and the arms of `match`, found {found}"),
                place,
                "a `{` is missing here",
            );
            self.blame(diagnostic.help("`match x { pattern => value, … }`"));
            self.skip_deeper(header);
            return ExprKind::Match { subject, arms: vec![] };
        }
        let open = self.at;
        let arms = self.nested(|parser| {
            parser.within(Context::STATEMENT, |parser| {
                parser.bump();
                let mut arms = vec![];
                loop {
                    while matches!(parser.kind(), TokenKind::Comma | TokenKind::Semicolon) {
                        parser.bump();
                    }
                    if matches!(parser.kind(), TokenKind::RBrace | TokenKind::End) {
                        break;
                    }
                    let before = parser.at;
                    if let Some(arm) = parser.arm() {
                        arms.push(arm);
                    }
                    if parser.kind().closes() && !parser.at(TokenKind::RBrace) {
                        parser.stray_closer();
                        parser.bump();
                    }
                    if parser.at == before {
                        parser.bump();
                    }
                }
                if !parser.eat(TokenKind::RBrace) {
                    parser.unclosed(open);
                }
                arms
            })
        });
        ExprKind::Match { subject, arms }
    }

    /// `pattern if guard => body`.
    fn arm(&mut self) -> Option<Arm> {
        self.foreign_arm();
        let pattern = self.pattern();
        if self.at(TokenKind::Comma) && self.on_line() && self.is_comma_pattern() {
            let comma = self.here();
            self.teach(
                Diagnostic::error("E0123", "alternatives are separated by `|`", comma, "")
                    .edit(comma, " |"),
            );
            while self.eat(TokenKind::Comma) {
                drop(self.pattern());
            }
        }
        let guard = (self.at(TokenKind::If) && self.on_line()).then(|| {
            self.bump();
            self.within(Context::GUARD, Self::expr)
        });
        if !self.eat(TokenKind::FatArrow) {
            if matches!(self.kind(), TokenKind::Arrow | TokenKind::Colon) && self.on_line() {
                let place = self.here();
                self.bump();
                self.teach(
                    Diagnostic::error("E0123", "a pattern is followed by `=>`", place, "")
                        .edit(place, if self.source(place) == ":" { " =>" } else { "=>" }),
                );
            } else {
                if !matches!(pattern.kind, PatternKind::Wildcard) || self.blamed != Some(self.at) {
                    self.unexpected("E0101", "`=>` and the value of this arm");
                }
                self.skip_statement();
                return None;
            }
        }
        let body = self.body(Context::STATEMENT);
        let braces = matches!(body.kind, ExprKind::Block(_)) && self.source(self.previous()) == "}";
        let ended = braces
            || self.at(TokenKind::Comma)
            || self.at(TokenKind::Semicolon)
            || self.at(TokenKind::RBrace)
            || !self.on_line();
        if !ended {
            let place = self.here();
            let diagnostic = Diagnostic::error(
                "E0105",
                format!("expected the end of this arm, found {}", self.found()),
                place,
                "",
            );
            self.blame(diagnostic.help("an arm ends with a comma or with the line"));
            self.skip_statement();
        }
        Some(Arm { pattern, guard, body })
    }

    /// `1, 2 => …`: the comma joins patterns.
    fn is_comma_pattern(&self) -> bool {
        let mut ahead = 1;
        loop {
            let token = self.ahead(ahead);
            match token.kind {
                TokenKind::FatArrow => return true,
                TokenKind::Comma | TokenKind::Ident | TokenKind::Int(_) | TokenKind::Minus
                    if !token.newline_before && ahead < 64 => {}
                _ => return false,
            }
            ahead += 1;
        }
    }

    /// Something that is no value.
    fn no_value(&mut self) -> Expr {
        let start = self.here();
        let error = |parser: &Self| parser.error_expr(parser.since(start));
        match self.kind() {
            TokenKind::RParen | TokenKind::RBracket | TokenKind::RBrace => {
                let unopened = !self.on_line() || self.at == 0 || {
                    let before = self.lexed.tokens[self.at - 1].kind;
                    matches!(before, TokenKind::Semicolon | TokenKind::LBrace)
                };
                if unopened && !self.at(TokenKind::RBrace) && self.context.newlines {
                    self.stray_closer();
                    self.bump();
                    return error(self);
                }
            }
            TokenKind::For | TokenKind::While => {
                self.blame(
                    Diagnostic::error("E0102", "a loop has no value", start, "")
                        .help("collect into a `var` list, or use `xs.map(x => …)`"),
                );
                while self.on_line() && !self.kind().closes() && !self.at(TokenKind::End) {
                    self.skip_group();
                }
                return error(self);
            }
            TokenKind::Pipe | TokenKind::Or
                if self.at(TokenKind::Or) && self.begins_operand(1)
                    || self.ahead_on_line(1) == Some(TokenKind::Ident) =>
            {
                return self.bar_closure();
            }
            TokenKind::Let | TokenKind::Var if self.on_line() => {
                self.blame(
                    Diagnostic::error("E0133", "a declaration is not a value", start, "")
                        .help("`let` begins a statement, or stands right after `if` or `while`"),
                );
                return error(self);
            }
            TokenKind::Func if self.ahead(1).kind == TokenKind::LParen => {
                self.blame(
                    Diagnostic::error("E0115", "a function value has no `func`", start, "")
                        .help("write `(a, b) => a + b`, or with a block `(a, b) => { … }`"),
                );
                self.bump();
                self.skip_group();
                if self.eat(TokenKind::Arrow) {
                    drop(self.type_expr());
                }
                if self.at(TokenKind::LBrace) {
                    self.skip_group();
                }
                return error(self);
            }
            TokenKind::Dot => return self.leading_dot(),
            TokenKind::FatArrow | TokenKind::Arrow => {
                self.blame(
                    Diagnostic::error(
                        "E0102",
                        "the parameters of a function value are missing",
                        start,
                        "",
                    )
                    .help("write `x => x + 1`, or without parameters `() => 1`"),
                );
                self.bump();
                return error(self);
            }
            TokenKind::DotDot | TokenKind::DotDotEq => {
                self.blame(
                    Diagnostic::error("E0131", "a range has a beginning and an end", start, "")
                        .help("write `0..n`"),
                );
                self.bump();
                if self.begins_operand(0) {
                    drop(self.expr());
                }
                return error(self);
            }
            _ => {}
        }
        self.unexpected("E0102", "a value");
        // Empty, so that it overlaps nothing that is written.
        self.error_expr(self.after_previous())
    }

    /// `.5`, or the `.acquire` of `fence(.acquire)`.
    fn leading_dot(&mut self) -> Expr {
        let dot = self.bump();
        let start = self.span_of(dot);
        let next = self.token();
        let touching = self.touches(dot, next);
        if let TokenKind::Int(_) = next.kind
            && touching
        {
            self.bump();
            let written = self.text_of(next);
            self.blame(
                Diagnostic::error("E0005", "a number does not begin with a point", start, "")
                    .help(format!("write `0.{written}`"))
                    .edit(start, "0."),
            );
            return self.error_expr(self.since(start));
        }
        let argument = self.at > 1
            && matches!(self.lexed.tokens[self.at - 2].kind, TokenKind::LParen | TokenKind::Comma);
        if argument && touching && ORDERS.contains(&self.text_of(next)) {
            self.bump();
            let kind = ExprKind::Order(self.ident_of(next));
            return Expr { kind, span: self.since(start) };
        }
        if next.kind == TokenKind::Ident && touching {
            self.bump();
        }
        let span = self.since(start);
        self.blame(
            Diagnostic::error("E0102", "nothing stands before this `.`", span, "")
                .help("write the value whose field is meant; variants of an `enum` need no dot"),
        );
        self.error_expr(span)
    }

    /// The token `ahead` places on, on the same line, begins a value.
    pub(super) fn begins_operand(&self, ahead: usize) -> bool {
        matches!(
            self.ahead_on_line(ahead),
            Some(
                TokenKind::Ident
                    | TokenKind::Int(_)
                    | TokenKind::Float(_)
                    | TokenKind::StrStart
                    | TokenKind::True
                    | TokenKind::False
                    | TokenKind::Nil
                    | TokenKind::Not
                    | TokenKind::LParen
                    | TokenKind::LBracket
                    | TokenKind::Minus
                    | TokenKind::Bang
            )
        )
    }
}
