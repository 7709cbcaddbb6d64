//! Types as they are written: `T?`, `list[T]`, `(A, B)`, `func(A) -> B`, `own T`.

use super::{Context, Parser};
use crate::ast::{Ident, TypeExpr, TypeKind};
use crate::diagnostic::Diagnostic;
use crate::source::Span;
use crate::token::TokenKind;

impl Parser<'_> {
    pub(super) fn type_expr(&mut self) -> TypeExpr {
        self.nested(|parser| {
            let start = parser.here();
            let mut ty = parser.type_base();
            loop {
                let times = match parser.kind() {
                    TokenKind::Question if parser.on_line() => 1,
                    TokenKind::QuestionQuestion if parser.on_line() => 2,
                    TokenKind::LBracket
                        if parser.on_line() && parser.ahead(1).kind == TokenKind::RBracket =>
                    {
                        ty = parser.array_suffix(ty, start);
                        continue;
                    }
                    _ => break,
                };
                parser.bump();
                for _ in 0..times {
                    parser.height += 1;
                    let span = parser.since(start);
                    ty = TypeExpr { kind: TypeKind::Optional(Box::new(ty)), span };
                }
                if parser.height > super::MAX_DEPTH {
                    parser.height = 0;
                    let span = ty.span;
                    ty = error_type(span);
                    parser.teach(
                        Diagnostic::error("E0901", "this type is too long", span, "")
                            .help("one `?` says that there may be no value"),
                    );
                }
            }
            if parser.at(TokenKind::Pipe) && parser.on_line() {
                ty = parser.union_type(ty, start);
            }
            ty
        })
    }

    fn type_base(&mut self) -> TypeExpr {
        let start = self.here();
        let kind = match self.kind() {
            TokenKind::Ident if self.at_word("own") && self.begins_type(1) => {
                self.bump();
                TypeKind::Own(Box::new(self.nested(Self::type_base)))
            }
            TokenKind::Ident => {
                let token = self.bump();
                let name = self.ident_of(token);
                self.named_type(name, start)
            }
            TokenKind::Nil => {
                self.bump();
                self.teach(
                    Diagnostic::error("E0101", "`nil` is a value, not a type", start, "")
                        .help("`T?` is a `T` or `nil`; a function without `->` returns nothing"),
                );
                TypeKind::Error
            }
            TokenKind::LParen => self.tuple_type(start),
            TokenKind::Func => self.func_type(),
            TokenKind::LBracket => self.bracket_type(start),
            TokenKind::Amp | TokenKind::Star => {
                self.bump();
                self.teach(
                    Diagnostic::error("E0126", "types have no pointer signs", start, "remove this")
                        .why("a record or a list is a reference already")
                        .edit(start, ""),
                );
                return self.type_expr();
            }
            _ => {
                self.unexpected("E0101", "a type");
                TypeKind::Error
            }
        };
        TypeExpr { kind, span: self.since(start) }
    }

    /// The token `ahead` places on can begin a type, on the same line.
    fn begins_type(&self, ahead: usize) -> bool {
        matches!(
            self.ahead_on_line(ahead),
            Some(TokenKind::Ident | TokenKind::LParen | TokenKind::Func)
        )
    }

    fn named_type(&mut self, name: Ident, start: Span) -> TypeKind {
        let mut args = vec![];
        if self.on_line() && self.at(TokenKind::LBracket) {
            // `T[]` is handled by the caller.
            if self.ahead(1).kind != TokenKind::RBracket {
                args = self.type_args();
            }
        } else if self.on_line() && self.at(TokenKind::Lt) {
            args = self.angle_types(&name, start);
        }
        TypeKind::Name { name, args }
    }

    /// `[A, B]`.
    pub(super) fn type_args(&mut self) -> Vec<TypeExpr> {
        let open = self.at;
        self.bump();
        self.within(Context::GROUP, |parser| parser.type_list(open, "`,` or `]`"))
    }

    /// Types up to the token that closes the bracket at `open`.
    fn type_list(&mut self, open: usize, wanted: &str) -> Vec<TypeExpr> {
        let mut types = vec![];
        let closer = self.lexed.tokens[open].kind.closer();
        while Some(self.kind()) != closer && !self.at(TokenKind::End) {
            types.push(self.type_expr());
            if !self.eat(TokenKind::Comma) {
                break;
            }
        }
        self.close(open, wanted);
        types
    }

    /// `list<int>`, as other languages write it.
    fn angle_types(&mut self, name: &Ident, start: Span) -> Vec<TypeExpr> {
        let open = self.here();
        self.bump();
        let mut args = vec![];
        loop {
            args.push(self.type_expr());
            if !self.eat(TokenKind::Comma) {
                break;
            }
        }
        let close = self.here();
        let closed = matches!(self.kind(), TokenKind::Gt | TokenKind::ShiftRight);
        let written: Vec<&str> = args.iter().map(|arg| self.source(arg.span)).collect();
        let right = format!("{}[{}]", name.name, written.join(", "));
        let mut diagnostic = Diagnostic::error(
            "E0132",
            "type arguments stand in square brackets",
            self.since(start),
            format!("write `{right}`"),
        );
        if self.at(TokenKind::Gt) {
            self.bump();
            diagnostic = diagnostic.edit(open, "[").edit(close, "]");
            self.teach(diagnostic);
        } else if closed {
            // The `>>` of nested brackets; the outer one is closed by it too.
            let token = &mut self.lexed.tokens[self.at];
            token.kind = TokenKind::Gt;
            token.start += 1;
            self.teach(diagnostic);
        } else {
            self.blame(diagnostic);
        }
        args
    }

    fn tuple_type(&mut self, start: Span) -> TypeKind {
        let open = self.at;
        self.bump();
        let mut types = self.within(Context::GROUP, |parser| parser.type_list(open, "`,` or `)`"));
        if self.at(TokenKind::Arrow) && self.on_line() {
            self.bump();
            let result = self.type_expr();
            let span = self.since(start);
            self.teach(
                Diagnostic::error(
                    "E0101",
                    "a function type begins with `func`",
                    span,
                    format!("write `func{}`", self.source(span)),
                )
                .edit(Span { end: start.start, ..start }, "func"),
            );
            return TypeKind::Func { params: types, result: Some(Box::new(result)) };
        }
        match types.len() {
            1 => types.pop().map_or(TypeKind::Error, |ty| ty.kind),
            _ => TypeKind::Tuple(types),
        }
    }

    fn func_type(&mut self) -> TypeKind {
        self.bump();
        let open = self.at;
        if !self.expect(TokenKind::LParen, "`(` and the parameter types") {
            return TypeKind::Error;
        }
        let params = self.within(Context::GROUP, |parser| parser.type_list(open, "`,` or `)`"));
        let has_result = self.at(TokenKind::Arrow) && self.on_line();
        let result = has_result.then(|| {
            self.bump();
            Box::new(self.type_expr())
        });
        TypeKind::Func { params, result }
    }

    /// `[int]` and `[string: int]`, as Swift writes them.
    fn bracket_type(&mut self, start: Span) -> TypeKind {
        let open = self.at;
        self.bump();
        let (first, second) = self.within(Context::GROUP, |parser| {
            let first = parser.type_expr();
            let second = parser.eat(TokenKind::Colon).then(|| parser.type_expr());
            parser.close(open, "`]`");
            (first, second)
        });
        let span = self.since(start);
        let (name, args) = match second {
            Some(second) => ("map", vec![first, second]),
            None => ("list", vec![first]),
        };
        let written: Vec<&str> = args.iter().map(|arg| self.source(arg.span)).collect();
        let right = format!("{name}[{}]", written.join(", "));
        self.teach(
            Diagnostic::error(
                "E0132",
                "a type begins with its name",
                span,
                format!("write `{right}`"),
            )
            .edit(span, right),
        );
        TypeKind::Name { name: Ident { name: name.into(), span }, args }
    }

    /// `int[]`, as Java and TypeScript write it.
    fn array_suffix(&mut self, element: TypeExpr, start: Span) -> TypeExpr {
        self.bump();
        self.bump();
        self.height += 1;
        let span = self.since(start);
        let message = "a list type is written with `list`";
        let diagnostic = Diagnostic::error("E0132", message, span, "");
        self.teach(match self.short(element.span) {
            Some(element) => diagnostic.edit(span, format!("list[{element}]")),
            None => diagnostic,
        });
        if self.height > super::MAX_DEPTH {
            self.height = 0;
            return error_type(span);
        }
        let name = Ident { name: "list".into(), span };
        TypeExpr { kind: TypeKind::Name { name, args: vec![element] }, span }
    }

    /// `int | None`, as Python and TypeScript write it.
    fn union_type(&mut self, ty: TypeExpr, start: Span) -> TypeExpr {
        let mut absent = false;
        while self.at(TokenKind::Pipe) && self.on_line() {
            self.bump();
            absent |= self.at(TokenKind::Nil) || self.at_word("None") || self.at_word("null");
            match self.kind() {
                TokenKind::Nil => drop(self.bump()),
                _ => drop(self.type_base()),
            }
        }
        let span = self.since(start);
        let diagnostic = Diagnostic::error("E0126", "types have no `|`", span, "");
        if absent {
            let right = format!("{}?", self.source(ty.span));
            self.teach(
                diagnostic
                    .help(format!("a value that may be absent is `{right}`"))
                    .edit(span, right),
            );
            return TypeExpr { kind: TypeKind::Optional(Box::new(ty)), span };
        }
        self.teach(diagnostic.help("declare an `enum` with one variant for each kind of value"));
        error_type(span)
    }

    /// `[T, U]` after the name of a declaration.
    pub(super) fn type_params(&mut self) -> Vec<Ident> {
        let open = self.at;
        let angles = self.at(TokenKind::Lt);
        if !(self.at(TokenKind::LBracket) || angles) {
            return vec![];
        }
        let start = self.here();
        self.bump();
        let mut params = vec![];
        let done = |parser: &Self| {
            matches!(parser.kind(), TokenKind::RBracket | TokenKind::Gt | TokenKind::End)
        };
        while !done(self) {
            let Some(name) = self.expect_name("the name of a type parameter") else { break };
            params.push(name);
            if self.at(TokenKind::Colon) {
                let place = self.here();
                self.bump();
                let bound = self.type_expr().span;
                self.teach(
                    Diagnostic::error(
                        "E0121",
                        "a type parameter has no bound",
                        place.to(bound),
                        "remove this",
                    )
                    .why("a generic function is checked for each type that it is used with")
                    .edit(place.to(bound), ""),
                );
            }
            if !self.eat(TokenKind::Comma) {
                break;
            }
        }
        if angles {
            let close = self.here();
            let closed = self.eat(TokenKind::Gt);
            let span = self.since(start);
            let diagnostic = Diagnostic::error(
                "E0132",
                "type parameters stand in square brackets",
                span,
                "write `[T]`",
            );
            match closed {
                true => self.teach(diagnostic.edit(start, "[").edit(close, "]")),
                false => self.blame(diagnostic),
            }
        } else {
            self.close(open, "`,` or `]`");
        }
        params
    }
}

pub(super) fn error_type(span: Span) -> TypeExpr {
    TypeExpr { kind: TypeKind::Error, span }
}
