//! Declarations: functions, records, enums and constants.

use super::{Context, Parser, type_expr};
use crate::ast::{
    Block, Const, Enum, Field, Func, Ident, Item, Param, Receiver, Record, Stmt, StmtKind,
    TypeExpr, TypeKind, Variant,
};
use crate::diagnostic::Diagnostic;
use crate::source::Span;
use crate::token::TokenKind;

/// Types that a parameter may begin with where it is written as in C.
const TYPE_WORDS: [&str; 7] = ["int", "float", "double", "bool", "byte", "string", "String"];

/// What stands before the parameters of a function.
struct Head {
    receiver: Option<Receiver>,
    name: Ident,
    type_params: Vec<Ident>,
}

impl Parser<'_> {
    pub(super) fn items(&mut self) -> Vec<Item> {
        let mut items = vec![];
        let mut loose = None;
        while !self.at(TokenKind::End) {
            let before = self.at;
            self.item_indent = self.token().indent;
            if self.eat(TokenKind::Semicolon) {
                continue;
            }
            if self.begins_item() {
                items.extend(self.item());
            } else if self.kind().closes() {
                self.stray_closer();
                self.bump();
            } else if !self.foreign_item(&mut items) {
                self.loose_statement(&mut loose);
            }
            if self.at == before {
                self.bump();
            }
        }
        items
    }

    /// A declaration begins here.
    pub(super) fn begins_item(&self) -> bool {
        match self.kind() {
            TokenKind::Func => self.ahead(1).kind != TokenKind::LParen,
            TokenKind::Enum | TokenKind::Const => true,
            TokenKind::Ident => match self.text_of(self.token()) {
                "record" => self.ahead_on_line(1) == Some(TokenKind::Ident),
                "native" => self.ahead_on_line(1) == Some(TokenKind::Func),
                _ => false,
            },
            _ => false,
        }
    }

    /// The declaration that begins here.
    pub(super) fn item(&mut self) -> Option<Item> {
        let doc = self.doc();
        match self.kind() {
            TokenKind::Enum => self.enumeration(doc).map(Item::Enum),
            TokenKind::Const => self.constant(doc).map(Item::Const),
            TokenKind::Ident if self.at_word("record") => self.record_item(doc).map(Item::Record),
            _ => {
                let native = self.at_word("native");
                let start = self.here();
                if native {
                    self.bump();
                }
                self.func(doc, start, native).map(Item::Func)
            }
        }
    }

    /// The documentation comment before the current token.
    fn doc(&mut self) -> Option<String> {
        let at = self.at as u32;
        let index = self.lexed.docs.binary_search_by_key(&at, |doc| doc.token).ok()?;
        Some(std::mem::take(&mut self.lexed.docs[index].text))
    }

    /// A statement outside any function. The first is reported; the others come from the same habit.
    fn loose_statement(&mut self, reported: &mut Option<Span>) {
        let start = self.here();
        let meant = match self.kind() {
            TokenKind::Ident => self.misspelt_item(),
            _ => None,
        };
        if let Some(keyword) = meant {
            let word = self.text_of(self.token());
            self.blame(
                Diagnostic::error(
                    "E0114",
                    format!("expected a declaration, found the name `{word}`"),
                    start,
                    format!("did you mean `{keyword}`?"),
                )
                .edit(start, keyword),
            );
            while !self.at(TokenKind::End) {
                self.skip_group();
                if self.token().newline_before && self.begins_item() {
                    break;
                }
                if !self.on_line() && self.token().indent == 0 {
                    break;
                }
            }
            return;
        }
        let keyword = self.kind();
        let stmt = self.stmt();
        let span = stmt.span;
        if reported.is_none() {
            *reported = Some(span);
            let diagnostic = Diagnostic::error(
                "E0114",
                "a statement stands outside every function",
                Span { end: start.end, ..start },
                "",
            );
            self.teach(match keyword {
                TokenKind::Let | TokenKind::Var => diagnostic.help(
                    "a value for the whole program is a `const`; others belong into a function",
                ),
                _ => diagnostic.help("a program begins in `func main() { … }`; put it there"),
            });
        }
        if self.on_line() && !self.at(TokenKind::Semicolon) {
            self.skip_statement();
        }
    }

    /// At `func`, or what stands for it; `start` is where the declaration begins.
    pub(super) fn func(&mut self, doc: Option<String>, start: Span, native: bool) -> Option<Func> {
        let header = self.at;
        self.bump();
        let Some(Head { receiver, name, type_params }) = self.func_head() else {
            self.skip_item();
            return None;
        };
        let mut func = Func {
            doc,
            receiver,
            name,
            type_params,
            params: vec![],
            result: None,
            body: None,
            span: start,
        };
        if self.at(TokenKind::LParen) {
            self.params(&mut func);
        } else {
            let name = &func.name.name;
            let wanted = format!("`(` and the parameters of `{name}`");
            let diagnostic = self.unexpected_message("E0101", &wanted);
            self.blame(diagnostic.help(format!("without parameters: `func {name}()`")));
            let place = self.after_previous();
            if !(self.at(TokenKind::LBrace) || self.at(TokenKind::Arrow)) {
                func.span = start.to(place);
                self.skip_item();
                return Some(func);
            }
        }
        func.result = self.result();
        func.span = self.since(start);
        func.body = self.func_body(header, &func, native);
        Some(func)
    }

    /// `name[T]`, `Type.name[T]`, `list[T].name[U]`.
    fn func_head(&mut self) -> Option<Head> {
        let name = self.expect_name("the name of the function")?;
        let type_params = self.type_params();
        if !(self.at(TokenKind::Dot) || self.at(TokenKind::ColonColon)) {
            return Some(Head { receiver: None, name, type_params });
        }
        let place = self.here();
        if self.bump().kind == TokenKind::ColonColon {
            self.teach(
                Diagnostic::error("E0126", "there is no `::`", place, "write `.`").edit(place, "."),
            );
        }
        // After the dot a word of the language is a name: `func Result[T].or(self, default: T)`.
        let token = self.token();
        let keyword = TokenKind::keyword(self.text_of(token)).is_some() && self.on_line();
        let method = match keyword {
            true => {
                self.bump();
                self.ident_of(token)
            }
            false => self.expect_name("the name of the method")?,
        };
        let receiver = Receiver { type_name: name, type_params, takes_self: false };
        let type_params = self.type_params();
        Some(Head { receiver: Some(receiver), name: method, type_params })
    }

    fn params(&mut self, func: &mut Func) {
        let open = self.at;
        self.bump();
        let mut untyped: Vec<Ident> = vec![];
        self.within(Context::GROUP, |parser| {
            while parser.at_element() {
                if parser.self_param(func) {
                    if !parser.separator(TokenKind::RParen) {
                        break;
                    }
                    continue;
                }
                let Some(param) = parser.param(&mut untyped) else { break };
                func.params.push(param);
                if !parser.separator(TokenKind::RParen) {
                    break;
                }
            }
            parser.close(open, "`,` or `)`");
        });
        if let Some(first) = untyped.first() {
            let name = &first.name;
            let message = match untyped.len() {
                1 => format!("the parameter `{name}` has no type"),
                _ => "these parameters have no types".to_string(),
            };
            let label = format!("write `{name}: ` and a type");
            let mut diagnostic = Diagnostic::error("E0119", message, first.span, label)
                .why("types of variables are inferred, those of parameters and results are written")
                .help("types are `int`, `float`, `bool`, `string`, `list[float]`, or a record");
            for other in &untyped[1..] {
                diagnostic = diagnostic.label(other.span, "and here");
            }
            self.teach(diagnostic);
        }
    }

    /// Takes `self`, with what other languages write around it.
    fn self_param(&mut self, func: &mut Func) -> bool {
        let start = self.here();
        let reference = matches!(self.kind(), TokenKind::Amp)
            || self.at_word("mut") && self.ahead(1).kind == TokenKind::Ident;
        let is_self = match reference {
            true => {
                let next = self.ahead(1);
                next.kind == TokenKind::Ident && self.text_of(next) == "self"
            }
            false => self.at_word("self"),
        };
        if !is_self {
            return false;
        }
        if reference {
            self.bump();
        }
        let span = self.here();
        self.bump();
        if reference {
            self.teach(
                Diagnostic::error("E0120", "`self` stands alone", start.to(span), "")
                    .why("a method may change the fields of its object without saying so")
                    .edit(start.to(span), "self"),
            );
        }
        if self.at(TokenKind::Colon) {
            self.bump();
            let ty = self.type_expr().span;
            self.teach(
                Diagnostic::error("E0120", "`self` has no type", ty, "remove this")
                    .why("its type is the one before the dot")
                    .edit(Span { start: span.end, ..ty }, ""),
            );
        }
        let first = func.params.is_empty();
        match &mut func.receiver {
            Some(receiver) if first => receiver.takes_self = true,
            Some(_) => self.teach(
                Diagnostic::error("E0120", "`self` is the first parameter", span, "")
                    .help("move it to the front"),
            ),
            None => {
                let name = &func.name.name;
                self.teach(
                    Diagnostic::error("E0120", "only a method has `self`", span, "")
                        .label(func.name.span, "this function belongs to no type")
                        .help(format!("name the type: `func Patient.{name}(self)`")),
                );
            }
        }
        true
    }

    fn param(&mut self, untyped: &mut Vec<Ident>) -> Option<Param> {
        let start = self.here();
        let sign = matches!(
            self.kind(),
            TokenKind::Star | TokenKind::StarStar | TokenKind::Amp | TokenKind::DotDot
        );
        let word = matches!(self.kind(), TokenKind::Let | TokenKind::Var | TokenKind::Const)
            || (self.kind() == TokenKind::Ident
                && matches!(self.text_of(self.token()), "mut" | "ref" | "inout" | "final")
                && self.ahead(1).kind == TokenKind::Ident
                && self.ahead(2).kind == TokenKind::Colon);
        if sign || word {
            let text = self.bump_text();
            let diagnostic = Diagnostic::error(
                "E0121",
                format!("a parameter has no `{text}`"),
                start,
                "remove this",
            );
            self.teach(match sign && text != "&" {
                true => diagnostic.help("for any number of values take a list: `xs: list[float]`"),
                false => diagnostic.edit(Span { end: self.here().start, ..start }, ""),
            });
            if self.at(TokenKind::Dot) {
                self.bump();
            }
        }
        let mut name = self.expect_name("the name of a parameter")?;
        let ty = if self.eat(TokenKind::Colon) {
            self.type_expr()
        } else if self.kind() == TokenKind::Ident && self.on_line() {
            // `int age` of C, or `age int` of Go.
            let token = self.bump();
            let second = self.ident_of(token);
            let typed_first = TYPE_WORDS.contains(&name.name.as_str());
            let (ident, type_name) = if typed_first { (second, name) } else { (name, second) };
            let span = start.to(self.previous());
            let right = format!("{}: {}", ident.name, type_name.name);
            self.teach(
                Diagnostic::error("E0119", "a parameter is its name, `:` and its type", span, "")
                    .help(format!("write `{right}`"))
                    .edit(span, right),
            );
            name = ident;
            let span = type_name.span;
            TypeExpr { kind: TypeKind::Name { name: type_name, args: vec![] }, span }
        } else {
            untyped.push(name.clone());
            type_expr::error_type(name.span)
        };
        if self.at(TokenKind::Eq) {
            let place = self.here();
            self.bump();
            drop(self.expr());
            self.teach(
                Diagnostic::error("E0121", "a parameter has no default value", place, "")
                    .help("take a `T?` and use `x ?? default`, or declare a second function"),
            );
        }
        Some(Param { name, ty })
    }

    /// `-> T`, with the signs of other languages explained.
    fn result(&mut self) -> Option<TypeExpr> {
        let place = self.here();
        match self.kind() {
            TokenKind::Arrow => {
                self.bump();
                Some(self.type_expr())
            }
            TokenKind::Colon | TokenKind::FatArrow
                if matches!(
                    self.ahead_on_line(1),
                    Some(TokenKind::Ident | TokenKind::LParen | TokenKind::LBracket)
                ) && self.result_then_brace() =>
            {
                self.bump();
                let ty = self.type_expr();
                let touching = self.source(place) == ":";
                self.teach(
                    Diagnostic::error("E0101", "the type of the result follows `->`", place, "")
                        .edit(place, if touching { " ->" } else { "->" }),
                );
                Some(ty)
            }
            TokenKind::Ident if self.on_line() && self.result_then_brace() => {
                let ty = self.type_expr();
                let start = Span { end: ty.span.start, ..ty.span };
                self.teach(
                    Diagnostic::error("E0101", "the type of the result follows `->`", ty.span, "")
                        .edit(start, "-> "),
                );
                Some(ty)
            }
            _ => None,
        }
    }

    /// On this line follows `{`.
    fn result_then_brace(&self) -> bool {
        (1..64).map_while(|ahead| self.ahead_on_line(ahead)).any(|kind| kind == TokenKind::LBrace)
    }

    fn func_body(&mut self, header: usize, func: &Func, native: bool) -> Option<Block> {
        let name = &func.name.name;
        let brace = matches!(self.kind(), TokenKind::LBrace | TokenKind::Colon);
        if native {
            if brace {
                let place = self.here();
                self.teach(
                    Diagnostic::error("E0122", "a native function has no body", place, "")
                        .why("its machine code comes with Medi"),
                );
                drop(self.block(header, "the function"));
            }
            return None;
        }
        let place = self.here();
        let sign = matches!(self.kind(), TokenKind::FatArrow | TokenKind::Eq | TokenKind::Arrow);
        if sign && self.on_line() {
            self.bump();
            let start = self.here();
            let value = self.body(Context::STATEMENT);
            let text = self.source(value.span);
            self.teach(
                Diagnostic::error("E0122", "the body of a function stands in braces", place, "")
                    .help(format!("write `{{ return {text} }}`"))
                    .edit(start.to(value.span).to(place), format!("{{ return {text} }}")),
            );
            let span = value.span;
            let stmt = Stmt { kind: StmtKind::Expr(value), span };
            return Some(Block { stmts: vec![stmt], span });
        }
        let next = self.begins_item() || self.at(TokenKind::End) || self.at(TokenKind::RBrace);
        if next && !self.on_line() || self.at(TokenKind::End) {
            let place = self.after_previous();
            self.blame(
                Diagnostic::error("E0122", format!("`{name}` has no body"), func.name.span, "")
                    .label(place, "expected `{`"),
            );
            return Some(Block { stmts: vec![], span: place });
        }
        Some(self.block(header, &format!("the function `{name}`")))
    }

    /// Skips to the next declaration that stands no deeper than this one.
    pub(super) fn skip_item(&mut self) {
        while !self.at(TokenKind::End) {
            self.skip_group();
            let token = self.token();
            if token.newline_before && token.indent <= self.item_indent {
                return;
            }
        }
    }

    fn record_item(&mut self, doc: Option<String>) -> Option<Record> {
        let start = self.here();
        self.bump();
        self.record_rest(doc, start)
    }

    /// A record after its keyword.
    pub(super) fn record_rest(&mut self, doc: Option<String>, start: Span) -> Option<Record> {
        let Some(name) = self.expect_name("the name of the record") else {
            self.skip_item();
            return None;
        };
        let type_params = self.type_params();
        let span = self.since(start);
        self.parent();
        let mut fields = vec![];
        match self.kind() {
            TokenKind::LBrace => fields = self.fields(&name),
            TokenKind::LParen => {
                let open = self.here();
                let mut diagnostic = Diagnostic::error(
                    "E0122",
                    "the fields of a record stand in braces",
                    open,
                    "write `{`",
                );
                if let Some(partner) = self.partner(self.at) {
                    let close = self.token_span(partner);
                    diagnostic = diagnostic.edit(open, " {").edit(close, "}");
                }
                self.teach(diagnostic);
                fields = self.fields(&name);
            }
            TokenKind::Colon if self.ahead(1).newline_before => {
                let colon = self.here();
                self.teach(
                    Diagnostic::error("E0107", "the fields of a record stand in braces", colon, "")
                        .help(format!("`record {} {{ id: string, age: int }}`", name.name)),
                );
                self.skip_item();
            }
            _ => {
                let wanted = format!("`{{` and the fields of `{}`", name.name);
                self.unexpected("E0122", &wanted);
                self.skip_item();
            }
        }
        Some(Record { doc, name, type_params, fields, span })
    }

    /// `: Base` or `extends Base` before the brace, which no declaration has.
    fn parent(&mut self) {
        let start = self.here();
        let word = self.at_word("extends") || self.at_word("implements");
        if !(self.at(TokenKind::Colon) || word) || !self.result_then_brace() {
            return;
        }
        self.bump();
        while !matches!(self.kind(), TokenKind::LBrace | TokenKind::End) {
            self.skip_group();
        }
        let span = self.since(start);
        self.teach(
            Diagnostic::error("E0121", "a type has no parent", span, "remove this")
                .help("give it a field of the other type, or make both variants of an `enum`")
                .edit(Span { end: self.here().start, ..span }, " "),
        );
    }

    /// Fields in brackets, separated by commas or line ends.
    fn fields(&mut self, owner: &Ident) -> Vec<Field> {
        let open = self.at;
        self.bump();
        self.within(Context::STATEMENT, |parser| {
            let mut fields = vec![];
            let closer = parser.lexed.tokens[open].kind.closer();
            while Some(parser.kind()) != closer && !parser.at(TokenKind::End) {
                let before = parser.at;
                if parser.begins_item() && !parser.on_line() {
                    if parser.token().indent <= parser.item_indent {
                        break;
                    }
                    parser.method_in_record(owner);
                    continue;
                }
                match parser.field_declaration() {
                    Some(field) => fields.push(field),
                    None => parser.skip_field(closer),
                }
                parser.end_field();
                if parser.at == before {
                    break;
                }
                if parser.on_line()
                    && parser.lexed.tokens[parser.at - 1].kind != TokenKind::Comma
                    && parser.lexed.tokens[parser.at - 1].kind != TokenKind::Semicolon
                {
                    break;
                }
            }
            parser.close(open, "`,` or `}`");
            fields
        })
    }

    fn end_field(&mut self) {
        if self.at(TokenKind::Semicolon) {
            let place = self.here();
            self.bump();
            self.teach(
                Diagnostic::error("E0101", "fields are separated by commas", place, "")
                    .edit(place, ","),
            );
        } else {
            self.eat(TokenKind::Comma);
        }
    }

    fn skip_field(&mut self, closer: Option<TokenKind>) {
        while !matches!(self.kind(), TokenKind::Comma | TokenKind::End | TokenKind::Semicolon) {
            if Some(self.kind()) == closer || self.kind().closes() {
                return;
            }
            self.skip_group();
            if !self.on_line() {
                return;
            }
        }
    }

    fn field_declaration(&mut self) -> Option<Field> {
        if matches!(self.kind(), TokenKind::Let | TokenKind::Var) {
            let span = self.here();
            let word = self.bump_text();
            self.teach(
                Diagnostic::error("E0121", format!("a field has no `{word}`"), span, "remove this")
                    .edit(Span { end: self.here().start, ..span }, ""),
            );
        }
        let name = self.expect_name("the name of a field")?;
        let ty = match self.kind() {
            TokenKind::Colon => {
                self.bump();
                self.type_expr()
            }
            TokenKind::Ident if self.on_line() => {
                // `int age`, as C writes it.
                let token = self.bump();
                let field = self.ident_of(token);
                let span = name.span.to(field.span);
                let right = format!("{}: {}", field.name, name.name);
                self.teach(
                    Diagnostic::error("E0119", "a field is its name, `:` and its type", span, "")
                        .help(format!("write `{right}`"))
                        .edit(span, right),
                );
                let ty = TypeExpr { span: name.span, kind: TypeKind::Name { name, args: vec![] } };
                return Some(Field { name: field, ty });
            }
            _ => {
                let wanted = format!("`:` and the type of `{}`", name.name);
                self.unexpected("E0119", &wanted);
                return None;
            }
        };
        if self.at(TokenKind::Eq) && self.on_line() {
            let place = self.here();
            self.bump();
            drop(self.expr());
            self.teach(
                Diagnostic::error("E0121", "a field has no default value", place, "")
                    .help("give every field where the record is made; a `T?` left out is `nil`"),
            );
        }
        Some(Field { name, ty })
    }

    fn method_in_record(&mut self, owner: &Ident) {
        let place = self.here();
        let token = self.ahead(1);
        let method = if token.kind == TokenKind::Ident { self.text_of(token) } else { "name" };
        let owner = &owner.name;
        self.teach(
            Diagnostic::error("E0115", "methods stand outside the record", place, "")
                .help(format!("after it, write `func {owner}.{method}(self) {{ … }}`")),
        );
        let indent = std::mem::replace(&mut self.item_indent, u16::MAX);
        let errors = self.diagnostics.len();
        drop(self.item());
        // Its `self` is right once it names its type.
        let within = self.diagnostics.split_off(errors);
        self.diagnostics.extend(within.into_iter().filter(|error| error.code != "E0120"));
        self.item_indent = indent;
        self.eat(TokenKind::Comma);
    }

    fn enumeration(&mut self, doc: Option<String>) -> Option<Enum> {
        let start = self.here();
        self.bump();
        let Some(name) = self.expect_name("the name of the enum") else {
            self.skip_item();
            return None;
        };
        let type_params = self.type_params();
        let span = self.since(start);
        self.parent();
        let mut variants = vec![];
        if self.at(TokenKind::LBrace) {
            let open = self.at;
            self.bump();
            self.within(Context::STATEMENT, |parser| {
                while parser.at_element() {
                    if parser.begins_item() && !parser.on_line() {
                        if parser.token().indent <= parser.item_indent {
                            break;
                        }
                        parser.method_in_record(&name);
                        continue;
                    }
                    match parser.variant() {
                        Some(variant) => variants.push(variant),
                        None => parser.skip_field(Some(TokenKind::RBrace)),
                    }
                    let separated = parser.end_variant();
                    if !separated && parser.on_line() {
                        break;
                    }
                }
                parser.close(open, "`,` or `}`");
            });
        } else {
            let wanted = format!("`{{` and the variants of `{}`", name.name);
            self.unexpected("E0122", &wanted);
            self.skip_item();
        }
        Some(Enum { doc, name, type_params, variants, span })
    }

    fn end_variant(&mut self) -> bool {
        if matches!(self.kind(), TokenKind::Semicolon | TokenKind::Pipe) {
            let place = self.here();
            self.bump();
            self.teach(
                Diagnostic::error("E0101", "variants are separated by commas", place, "")
                    .edit(place, ","),
            );
            return true;
        }
        self.eat(TokenKind::Comma)
    }

    fn variant(&mut self) -> Option<Variant> {
        if self.at_word("case") && self.ahead_on_line(1) == Some(TokenKind::Ident) {
            let span = self.here();
            self.bump();
            self.teach(
                Diagnostic::error("E0121", "a variant has no `case`", span, "remove this")
                    .edit(Span { end: self.here().start, ..span }, ""),
            );
        }
        let name = self.expect_name("the name of a variant")?;
        let mut fields = vec![];
        match self.kind() {
            TokenKind::LParen if self.on_line() => fields = self.variant_fields(&name),
            TokenKind::LBrace if self.on_line() => {
                let open = self.here();
                self.teach(Diagnostic::error(
                    "E0122",
                    "the values of a variant stand in parentheses",
                    open,
                    format!("write `{}(name: type)`", name.name),
                ));
                fields = self.fields(&name);
            }
            TokenKind::Eq if self.on_line() => {
                let place = self.here();
                self.bump();
                drop(self.expr());
                self.teach(
                    Diagnostic::error("E0121", "a variant has no number", place, "")
                        .help("a function with a `match` can give each variant one"),
                );
            }
            _ => {}
        }
        Some(Variant { name, fields })
    }

    /// `(celsius: float)`.
    fn variant_fields(&mut self, variant: &Ident) -> Vec<Field> {
        let open = self.at;
        self.bump();
        self.within(Context::GROUP, |parser| {
            let mut fields = vec![];
            while parser.at_element() {
                let named = parser.ahead(1).kind == TokenKind::Colon;
                if named {
                    let Some(field) = parser.field_declaration() else { break };
                    fields.push(field);
                } else {
                    let ty = parser.type_expr();
                    let number = fields.len() + 1;
                    let name = Ident { name: format!("value{number}"), span: ty.span };
                    if !matches!(ty.kind, TypeKind::Error) {
                        let written = parser.source(ty.span);
                        parser.teach(
                            Diagnostic::error(
                                "E0119",
                                format!("the value of `{}` has no name", variant.name),
                                ty.span,
                                "",
                            )
                            .help(format!("name it: `{}(value: {written})`", variant.name))
                            .edit(Span { end: ty.span.start, ..ty.span }, "value: "),
                        );
                    }
                    fields.push(Field { name, ty });
                }
                if !parser.separator(TokenKind::RParen) {
                    break;
                }
            }
            parser.close(open, "`,` or `)`");
            fields
        })
    }

    fn constant(&mut self, doc: Option<String>) -> Option<Const> {
        let start = self.here();
        self.bump();
        let Some(name) = self.expect_name("the name of the constant") else {
            self.skip_item();
            return None;
        };
        let ty = self.eat(TokenKind::Colon).then(|| self.type_expr());
        let span = self.since(start);
        let value = match self.eat(TokenKind::Eq) {
            true => self.within(Context::STATEMENT, Self::expr),
            false => {
                let wanted = format!("`=` and the value of `{}`", name.name);
                self.unexpected("E0128", &wanted);
                self.skip_item();
                self.error_expr(span)
            }
        };
        if self.on_line() && !matches!(self.kind(), TokenKind::End | TokenKind::Semicolon) {
            let found = self.found();
            let place = self.here();
            if !self.kind().closes() {
                self.blame(Diagnostic::error(
                    "E0105",
                    format!("expected the end of the constant, found {found}"),
                    place,
                    "",
                ));
                self.skip_statement();
            }
        }
        Some(Const { doc, name, ty, value, span })
    }
}
