//! Tokens to tree.
//!
//! Recursive descent, with precedence climbing for operators. The parser never fails: where something
//! is wrong it reports, leaves an `Error` node or what was most likely meant, and goes on at the end of
//! the bracket, the statement or the item, whichever is next. A second message about the same token
//! says nothing new and is dropped.
//!
//! Promises that the rest of the compiler relies on:
//! - No text overflows the stack, here or in a recursive walk over the tree: nesting and the length of
//!   operator chains are limited (E0901).
//! - Time is linear in the text, up to the nesting limit.
//! - A tree without diagnostics holds no `Error` node.
//!
//! Much of it recognises what people write who come from Python, R, Swift, Rust, C or JavaScript, and
//! says how Medi writes it.

mod atom;
mod block;
mod brackets;
mod expr;
mod foreign;
mod item;
mod pattern;
mod postfix;
mod stmt;
mod type_expr;

use crate::ast::{Expr, ExprKind, Ident, Module};
use crate::diagnostic::Diagnostic;
use crate::lexer;
use crate::source::{FileId, SourceMap, Span};
use crate::token::{Lexed, Token, TokenKind};

/// How deeply expressions, blocks, types and patterns may nest, and how many operators or calls may
/// follow each other in one expression. A tree is at most twice as high.
pub const MAX_DEPTH: u32 = 200;

/// More errors than this are not reported for a file.
const MAX_ERRORS: usize = 200;

/// Parses a file; whatever the text is, the result is a tree and what was wrong.
pub fn parse(sources: &SourceMap, file: FileId) -> (Module, Vec<Diagnostic>) {
    let mut parser = Parser::new(sources, file);
    let items = parser.items();
    let mut diagnostics = parser.lexed.diagnostics;
    diagnostics.append(&mut parser.diagnostics);
    diagnostics.sort_by_key(|diagnostic| diagnostic.labels[0].span.start);
    if let Some(next) = diagnostics.get(MAX_ERRORS) {
        let place = next.labels[0].span;
        let hidden = diagnostics.len() - MAX_ERRORS;
        diagnostics.truncate(MAX_ERRORS);
        let message = format!("{hidden} more errors in this file are not shown");
        diagnostics.push(
            Diagnostic::error("E0903", message, place, "the next one is here")
                .help("is this a Medi program? correct the first errors, then run again"),
        );
    }
    (Module { file, items }, diagnostics)
}

/// What the surroundings allow an expression to do.
#[derive(Clone, Copy)]
struct Context {
    /// A line end ends it.
    newlines: bool,
    /// `Name { … }` is a record; before a block it is not.
    records: bool,
    /// `name => …` is a closure; in the guard of an arm it is not.
    arrows: bool,
}

impl Context {
    const STATEMENT: Self = Self { newlines: true, records: true, arrows: true };
    const GROUP: Self = Self { newlines: false, records: true, arrows: true };
    const HEADER: Self = Self { newlines: true, records: false, arrows: true };
    const GUARD: Self = Self { newlines: true, records: false, arrows: false };
}

struct Parser<'a> {
    text: &'a str,
    file: FileId,
    lexed: Lexed,
    /// For an opening token its closing one; `NONE` for others and for what is never closed.
    partners: Vec<u32>,
    at: usize,
    context: Context,
    depth: u32,
    /// The height of the tallest tree built since the last [`Parser::nested`] began.
    height: u32,
    diagnostics: Vec<Diagnostic>,
    /// The token that the last unexplained error was about.
    blamed: Option<usize>,
    /// Nested too deeply: nothing more is read or reported.
    stopped: bool,
    /// The indentation of the item that is being read; a declaration as far out ends it.
    item_indent: u16,
    /// The names of enum variants in this file that other languages have as words.
    own_words: Vec<&'a str>,
}

impl<'a> Parser<'a> {
    fn new(sources: &'a SourceMap, file: FileId) -> Self {
        let lexed = lexer::lex(sources, file);
        let text = sources.file(file).text.as_str();
        let partners = brackets::partners(&lexed.tokens);
        let mut parser = Self {
            text,
            file,
            lexed,
            partners,
            at: 0,
            context: Context::STATEMENT,
            depth: 0,
            height: 0,
            diagnostics: vec![],
            blamed: None,
            stopped: false,
            item_indent: 0,
            own_words: vec![],
        };
        parser.own_words = parser.declared_foreign_words();
        parser
    }

    // Tokens.

    fn token(&self) -> Token {
        self.lexed.tokens[self.at]
    }

    fn kind(&self) -> TokenKind {
        self.token().kind
    }

    /// The token `ahead` places after the current one, or the end.
    fn ahead(&self, ahead: usize) -> Token {
        let last = self.lexed.tokens.len() - 1;
        self.lexed.tokens[(self.at + ahead).min(last)]
    }

    /// The kind of the token `ahead` places on, if it is on the same line as the one before it.
    fn ahead_on_line(&self, ahead: usize) -> Option<TokenKind> {
        let token = self.ahead(ahead);
        (!token.newline_before).then_some(token.kind)
    }

    fn at(&self, kind: TokenKind) -> bool {
        self.kind() == kind
    }

    /// The current token does not begin a line.
    fn on_line(&self) -> bool {
        !self.token().newline_before
    }

    fn bump(&mut self) -> Token {
        let token = self.token();
        if token.kind != TokenKind::End {
            self.at += 1;
        }
        token
    }

    /// Takes a token; the result is how it is written.
    fn bump_text(&mut self) -> &'a str {
        let token = self.bump();
        self.text_of(token)
    }

    fn eat(&mut self, kind: TokenKind) -> bool {
        let found = self.at(kind);
        if found {
            self.bump();
        }
        found
    }

    fn span_of(&self, token: Token) -> Span {
        Span { file: self.file, start: token.start, end: token.end }
    }

    fn here(&self) -> Span {
        self.span_of(self.token())
    }

    fn token_span(&self, index: usize) -> Span {
        self.span_of(self.lexed.tokens[index])
    }

    fn previous(&self) -> Span {
        self.token_span(self.at.saturating_sub(1))
    }

    /// The empty place right after the last token.
    fn after_previous(&self) -> Span {
        let end = self.previous().end;
        Span { file: self.file, start: end, end }
    }

    /// From `start` to the last token taken.
    fn since(&self, start: Span) -> Span {
        if self.previous().end <= start.start { start } else { start.to(self.previous()) }
    }

    fn source(&self, span: Span) -> &'a str {
        &self.text[span.start as usize..span.end as usize]
    }

    /// A text to repeat in a message; a long one is not, which also bounds the time for many messages.
    fn short(&self, span: Span) -> Option<&'a str> {
        Some(self.source(span)).filter(|text| text.len() <= 120)
    }

    fn text_of(&self, token: Token) -> &'a str {
        &self.text[token.start as usize..token.end as usize]
    }

    /// The current token is the name `word`.
    fn at_word(&self, word: &str) -> bool {
        self.kind() == TokenKind::Ident && self.text_of(self.token()) == word
    }

    fn ident_of(&self, token: Token) -> Ident {
        Ident { name: self.text_of(token).to_string(), span: self.span_of(token) }
    }

    /// The tokens touch.
    fn touches(&self, left: Token, right: Token) -> bool {
        left.end == right.start
    }

    /// The token that closes the one at `open`, if one does.
    fn partner(&self, open: usize) -> Option<usize> {
        let partner = self.partners[open];
        (partner != brackets::NONE).then_some(partner as usize)
    }

    // Nesting.

    /// Parses something inside something. Too deep, parsing stops, and what `build` makes of the end of
    /// the file is the result.
    fn nested<T>(&mut self, build: impl FnOnce(&mut Self) -> T) -> T {
        let outer = std::mem::take(&mut self.height);
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            let span = self.here();
            self.teach(
                Diagnostic::error("E0901", "this is nested too deeply", span, "")
                    .why(format!("at most {MAX_DEPTH} levels keep the compiler's memory bounded"))
                    .help("give inner parts names with `let`, or move them into functions"),
            );
            self.stopped = true;
            self.at = self.lexed.tokens.len() - 1;
        }
        let built = build(self);
        self.depth -= 1;
        self.height = outer.max(self.height + 1);
        built
    }

    fn within<T>(&mut self, context: Context, build: impl FnOnce(&mut Self) -> T) -> T {
        let outer = std::mem::replace(&mut self.context, context);
        let built = build(self);
        self.context = outer;
        built
    }

    /// Counts one more link of a chain `a + b + c …` or `a.b().c()…`; too long a chain is dropped.
    fn link(&mut self, chain: Expr) -> Expr {
        self.height += 1;
        if self.height <= MAX_DEPTH {
            return chain;
        }
        self.height = 0;
        let span = chain.span;
        let place = self.previous();
        self.teach(
            Diagnostic::error("E0901", "this expression is too long", place, "")
                .why(format!(
                    "at most {MAX_DEPTH} operators or calls in a row keep the compiler's memory bounded"
                ))
                .help("split it with `let`, or build it in a loop"),
        );
        Expr { kind: ExprKind::Error, span }
    }

    // Messages.

    /// Reports something that the parser understood, and goes on as if it had been written right.
    fn teach(&mut self, diagnostic: Diagnostic) {
        if !self.stopped {
            self.diagnostics.push(diagnostic);
        }
    }

    /// Reports that the current token cannot stand here, unless that is known.
    fn blame(&mut self, diagnostic: Diagnostic) {
        let known = self.is_explained();
        self.blamed = Some(self.at);
        if !known {
            self.teach(diagnostic);
        }
    }

    /// Something was reported already that explains why the current token is wrong.
    fn is_explained(&self) -> bool {
        if self.blamed == Some(self.at) || self.lexed.truncated && self.at(TokenKind::End) {
            return true;
        }
        // What the lexer found between the last token and this one.
        let gap = self.previous().end.min(self.token().start)..=self.token().end;
        let errors = &self.lexed.diagnostics;
        let first = errors.partition_point(|error| error.labels[0].span.start < *gap.start());
        let within = |error: &Diagnostic| error.labels[0].span.end <= *gap.end();
        errors[first..].first().is_some_and(within)
    }

    /// What stands at the current place, in words.
    fn found(&self) -> String {
        let token = self.token();
        match token.kind {
            TokenKind::End => "the end of the file".into(),
            _ if token.newline_before && self.context.newlines => "the end of the line".into(),
            TokenKind::StrStart => "a string".into(),
            TokenKind::InsertEnd => "the `}` that ends the insertion".into(),
            TokenKind::Int(_) | TokenKind::Float(_) => {
                format!("the number `{}`", self.text_of(token))
            }
            TokenKind::Ident => format!("the name `{}`", self.text_of(token)),
            _ => format!("`{}`", self.text_of(token)),
        }
    }

    /// The place to show for something that is missing: after the last token, if the line ends there.
    fn missing_place(&self) -> Span {
        if self.token().newline_before || self.at(TokenKind::End) {
            self.after_previous()
        } else {
            self.here()
        }
    }

    fn unexpected(&mut self, code: &'static str, wanted: &str) {
        let diagnostic = self.unexpected_message(code, wanted);
        self.blame(diagnostic);
    }

    fn unexpected_message(&self, code: &'static str, wanted: &str) -> Diagnostic {
        let message = format!("expected {wanted}, found {}", self.found());
        Diagnostic::error(code, message, self.missing_place(), format!("expected {wanted}"))
    }

    /// Takes a token that must be here.
    fn expect(&mut self, kind: TokenKind, wanted: &str) -> bool {
        let found = self.eat(kind);
        if !found {
            self.unexpected("E0101", wanted);
        }
        found
    }

    /// A word of the language, on this line.
    fn at_keyword(&self) -> bool {
        TokenKind::keyword(self.text_of(self.token())).is_some() && self.on_line()
    }

    /// Takes a name that is declared here.
    fn expect_name(&mut self, what: &str) -> Option<Ident> {
        let token = self.token();
        if token.kind == TokenKind::Ident {
            self.bump();
            return Some(self.ident_of(token));
        }
        let word = self.text_of(token);
        if self.at_keyword() {
            let span = self.here();
            self.blame(
                Diagnostic::error(
                    "E0135",
                    format!("`{word}` is a word of the language"),
                    span,
                    format!("expected {what}"),
                )
                .help(format!("choose another name, such as `{word}_`"))
                .edit(span, format!("{word}_")),
            );
            self.bump();
            return Some(self.ident_of(token));
        }
        self.unexpected("E0101", what);
        None
    }

    // Going on after an error.

    /// Skips to the end of the statement: the end of the line, `;`, or the `}` of the block. Brackets on
    /// the way are skipped as a whole.
    fn skip_statement(&mut self) {
        while !self.ends_statements() && !self.at(TokenKind::Semicolon) {
            self.skip_group();
            if self.token().newline_before {
                return;
            }
        }
    }

    /// What statements stand in ends here, so that nothing of it can be skipped.
    fn ends_statements(&self) -> bool {
        matches!(
            self.kind(),
            TokenKind::End | TokenKind::RBrace | TokenKind::InsertEnd | TokenKind::StrEnd
        )
    }

    /// Skips a token, or a bracket with all it holds.
    fn skip_group(&mut self) {
        match self.partner(self.at) {
            Some(partner) => self.at = partner + 1,
            None => drop(self.bump()),
        }
    }

    /// Within brackets: neither they nor the file end here.
    fn at_element(&self) -> bool {
        !self.kind().closes() && !self.at(TokenKind::End)
    }

    /// After the elements of the bracket at `open`: takes the closing token, or reports that it is
    /// missing and goes on after the one that closes the bracket.
    fn close(&mut self, open: usize, wanted: &str) {
        let Some(closer) = self.lexed.tokens[open].kind.closer() else { return };
        if self.eat(closer) {
            return;
        }
        match self.partner(open) {
            Some(partner) if partner >= self.at => {
                self.unexpected("E0101", wanted);
                self.at = partner + 1;
            }
            _ => self.unclosed(open),
        }
    }

    fn unclosed(&mut self, open: usize) {
        let opener = self.lexed.tokens[open];
        let sign = match opener.kind.closer() {
            Some(TokenKind::RParen) => ")",
            Some(TokenKind::RBracket) => "]",
            _ => "}",
        };
        let span = self.span_of(opener);
        let place = self.missing_place();
        let opened = self.text_of(opener);
        let diagnostic = Diagnostic::error(
            "E0103",
            format!("this `{opened}` is never closed"),
            span,
            "opened here",
        );
        let label = format!("a `{sign}` is missing before here");
        self.blame(diagnostic.label(place, label));
    }

    fn error_expr(&self, span: Span) -> Expr {
        Expr { kind: ExprKind::Error, span }
    }
}
