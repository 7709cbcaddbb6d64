//! Words of other languages, in the places where they can be nothing else.
//!
//! A name that Medi does not know is no error of syntax, so `loop`, `data` or `None` stay free for
//! programs that declare them; only what follows on the line tells that a word was meant as a keyword.

use super::Parser;
use crate::ast::{Expr, ExprKind, Item, StmtKind};
use crate::diagnostic::Diagnostic;
use crate::source::Span;
use crate::suggest;
use crate::token::TokenKind;

/// Words that may begin a statement elsewhere, and what to write instead.
const STATEMENT_WORDS: &[(&str, &str)] = &[
    ("elif", "write `else if`, after the `}` of the `if`"),
    ("elsif", "write `else if`, after the `}` of the `if`"),
    ("elseif", "write `else if`, after the `}` of the `if`"),
    ("unless", "write `if not …`"),
    ("until", "write `while not …`"),
    ("loop", "write `while true { … }`"),
    ("repeat", "write `while true { … }`, or `for i in 0..n { … }`"),
    ("do", "write `while true { … }` with a `break`, or just `{ … }`"),
    ("foreach", "write `for x in xs { … }`"),
    ("switch", "write `match x { pattern => value, … }`"),
    ("select", "write `match x { pattern => value, … }`"),
    ("case", "write `match x { pattern => value, … }`"),
    ("when", "write `match x { pattern => value, … }`, or `if`"),
    (
        "try",
        "a function that can fail returns a `Result`; `e?` hands an error on, `match` handles it",
    ),
    ("except", "`match` on a `Result` handles an error: `Err(message) => …`"),
    ("catch", "`match` on a `Result` handles an error: `Err(message) => …`"),
    ("finally", "files close by themselves; memory of a `scope` is freed at its end"),
    ("raise", "return `fail(\"message\")` from a function whose result is a `Result`"),
    ("throw", "return `fail(\"message\")` from a function whose result is a `Result`"),
    ("with", "values are released by themselves; manual memory stands in `scope { … }`"),
    ("using", "values are released by themselves; manual memory stands in `scope { … }`"),
    ("defer", "values are released by themselves; manual memory stands in `scope { … }`"),
    ("guard", "write `if not … { return … }`"),
    ("del", "memory is freed by itself; a map forgets a key with `m.remove(key)`"),
    ("delete", "memory is freed by itself; a map forgets a key with `m.remove(key)`"),
    ("assert", "write `if not … { exit(1) }`, or `x!` for a value that must be there"),
    ("yield", "collect into a list and return it"),
    ("global", "a value for the whole program is a `const`; others are passed as arguments"),
    ("nonlocal", "a closure may change the `var`s around it without saying so"),
    ("import", "the library is always there, and all files given to `medi` share their names"),
    ("from", "the library is always there, and all files given to `medi` share their names"),
    ("use", "the library is always there, and all files given to `medi` share their names"),
    ("goto", "use `while` with `break` and `continue`"),
    ("def", "declare functions outside of functions: `func name(x: int) -> int { … }`"),
    ("fn", "a function inside a function is a value: `let f = (a, b) => a + b`"),
    ("fun", "a function inside a function is a value: `let f = (a, b) => a + b`"),
    ("function", "a function inside a function is a value: `let f = (a, b) => a + b`"),
    ("class", "declare records outside of functions: `record Name { field: type }`"),
    ("struct", "declare records outside of functions: `record Name { field: type }`"),
];

/// Words before a statement or a declaration that Medi does without.
const MODIFIERS: &[(&str, &str)] = &[
    ("pub", "every declaration can be seen everywhere"),
    ("public", "every declaration can be seen everywhere"),
    ("private", "every declaration can be seen everywhere"),
    ("protected", "every declaration can be seen everywhere"),
    ("internal", "every declaration can be seen everywhere"),
    ("export", "every declaration can be seen everywhere"),
    ("static", "a function without `self` is called on its type: `func Type.name()`"),
    ("async", "a task is started where it is called: `let task = spawn f(x)`"),
    ("await", "a call waits by itself; the value of a task is `task.join()`"),
    ("inline", "the compiler decides what to inline"),
    ("override", "there are no subclasses"),
    ("abstract", "there are no subclasses"),
    ("virtual", "there are no subclasses"),
    ("unsafe", "manual memory stands in `scope { … }`, and is checked"),
    ("extern", "functions of other languages cannot be called yet"),
];

/// Words that declare a variable elsewhere.
const DECLARING: &[(&str, &str)] = &[
    ("val", "let"),
    ("auto", "let"),
    ("my", "let"),
    ("final", "let"),
    ("mut", "var"),
    ("dim", "var"),
    ("local", "let"),
];

/// Values of other languages.
const VALUES: &[(&str, &str)] = &[
    ("None", "nil"),
    ("null", "nil"),
    ("NULL", "nil"),
    ("Null", "nil"),
    ("undefined", "nil"),
    ("nullptr", "nil"),
    ("NA", "nil"),
    ("True", "true"),
    ("TRUE", "true"),
    ("False", "false"),
    ("FALSE", "false"),
];

const KEYWORDS: &[&str] = &[
    "let", "var", "if", "else", "while", "for", "break", "continue", "return", "match", "func",
    "record", "enum", "const", "scope", "print",
];

fn look_up(table: &[(&'static str, &'static str)], word: &str) -> Option<&'static str> {
    table.iter().find(|(foreign, _)| *foreign == word).map(|(_, medi)| *medi)
}

impl<'a> Parser<'a> {
    /// Variants, constants and types declared in this file whose names are in [`VALUES`].
    pub(super) fn declared_foreign_words(&self) -> Vec<&'a str> {
        let tokens = &self.lexed.tokens;
        let mut words: Vec<&str> = vec![];
        let mut in_enum = None;
        for (index, token) in tokens.iter().enumerate() {
            match token.kind {
                TokenKind::Enum => {
                    let open = index + 2;
                    let body = tokens.get(open).filter(|token| token.kind == TokenKind::LBrace);
                    in_enum = body.and_then(|_| self.partner(open));
                }
                TokenKind::Ident if in_enum.is_some_and(|end| index < end) => {
                    let word = &self.text[token.start as usize..token.end as usize];
                    if look_up(VALUES, word).is_some() {
                        words.push(word);
                    }
                }
                _ => {}
            }
        }
        words
    }

    /// `None`, `True` and their like, unless this file declares the name.
    pub(super) fn foreign_value(&mut self) -> Option<Expr> {
        let word = self.text_of(self.token());
        if !word.starts_with(['N', 'n', 'u', 'T', 'F']) {
            return None;
        }
        let medi = look_up(VALUES, word)?;
        if self.own_words.contains(&word) {
            return None;
        }
        let span = self.here();
        self.bump();
        let mut diagnostic = Diagnostic::error(
            "E0106",
            format!("`{word}` is written `{medi}`"),
            span,
            format!("write `{medi}`"),
        )
        .edit(span, medi);
        if matches!(word, "None" | "NA" | "Null") {
            diagnostic =
                diagnostic.help(format!("for a variant of an enum, name the enum: `Kind.{word}`"));
        }
        self.teach(diagnostic);
        let kind = match medi {
            "nil" => ExprKind::Nil,
            _ => ExprKind::Bool(medi == "true"),
        };
        Some(Expr { kind, span })
    }

    /// The next token, on this line, cannot follow a name that is a value.
    fn used_as_keyword(&self) -> bool {
        match self.ahead_on_line(1) {
            Some(
                TokenKind::Ident
                | TokenKind::Int(_)
                | TokenKind::Float(_)
                | TokenKind::StrStart
                | TokenKind::LBrace
                | TokenKind::Colon
                | TokenKind::Let
                | TokenKind::Var
                | TokenKind::For
                | TokenKind::While
                | TokenKind::Match
                | TokenKind::Func
                | TokenKind::True
                | TokenKind::False
                | TokenKind::Nil
                | TokenKind::Enum
                | TokenKind::Const
                | TokenKind::Return,
            ) => true,
            Some(TokenKind::Not) => self.ahead(2).kind != TokenKind::In,
            Some(TokenKind::LParen) => self.partner(self.at + 1).is_some_and(|partner| {
                let after = self.lexed.tokens[partner + 1];
                !after.newline_before && matches!(after.kind, TokenKind::LBrace | TokenKind::Colon)
            }),
            _ => false,
        }
    }

    /// A statement that begins with a word of another language.
    pub(super) fn foreign_stmt(&mut self) -> Option<StmtKind> {
        let word = self.text_of(self.token());
        let span = self.here();
        if word == "pass" && self.is_only_statement() {
            self.bump();
            self.teach(
                Diagnostic::error("E0106", "there is no `pass`", span, "remove this")
                    .help("an empty body is `{}`")
                    .edit(span, ""),
            );
            return Some(StmtKind::Expr(self.error_expr(span)));
        }
        if !self.used_as_keyword() {
            return None;
        }
        let typed_name = self.ahead(1).kind == TokenKind::Colon && !self.ahead(2).newline_before;
        if typed_name {
            return None;
        }
        if matches!(word, "print" | "println" | "echo" | "puts" | "printf")
            && self.begins_operand(1)
        {
            return Some(self.bare_call());
        }
        if let Some(keyword) = look_up(DECLARING, word)
            && self.ahead(1).kind == TokenKind::Ident
        {
            self.teach(
                Diagnostic::error("E0106", format!("there is no `{word}`"), span, "")
                    .help("`let` declares a value that stays, `var` one that changes")
                    .edit(span, keyword),
            );
            let token = &mut self.lexed.tokens[self.at];
            token.kind = if keyword == "var" { TokenKind::Var } else { TokenKind::Let };
            return Some(self.stmt().kind);
        }
        if let Some(reason) = look_up(MODIFIERS, word) {
            self.explain_modifier(word, reason);
            return Some(self.nested(Self::stmt).kind);
        }
        if let Some(help) = look_up(STATEMENT_WORDS, word) {
            self.blame(
                Diagnostic::error("E0106", format!("there is no `{word}`"), span, "").help(help),
            );
            let header = self.at;
            self.bump();
            self.skip_statement();
            self.skip_deeper(header);
            return Some(StmtKind::Expr(self.error_expr(span)));
        }
        let declares = self.ahead(1).kind == TokenKind::Ident
            && matches!(self.ahead_on_line(2), Some(TokenKind::Eq))
            && suggest::closest(word, ["let", "var", "const"].into_iter()).is_none();
        if declares {
            return Some(self.typed_declaration());
        }
        None
    }

    /// `case` or `default` before the pattern of an arm.
    pub(super) fn foreign_arm(&mut self) {
        let span = self.here();
        let word = self.text_of(self.token());
        let next = self.ahead_on_line(1);
        if self.kind() != TokenKind::Ident {
            return;
        }
        let begins_pattern = self.begins_operand(1) && next != Some(TokenKind::LParen);
        if matches!(word, "case" | "when" | "is") && begins_pattern {
            self.bump();
            self.teach(
                Diagnostic::error(
                    "E0123",
                    format!("no `{word}` stands before a pattern"),
                    span,
                    "",
                )
                .edit(Span { end: self.here().start, ..span }, ""),
            );
        } else if matches!(word, "default" | "otherwise")
            && matches!(next, Some(TokenKind::Colon | TokenKind::FatArrow | TokenKind::Arrow))
        {
            self.teach(
                Diagnostic::error("E0123", "the pattern for everything else is `_`", span, "")
                    .edit(span, "_"),
            );
        }
    }

    fn explain_modifier(&mut self, word: &str, reason: &str) {
        let span = self.here();
        self.bump();
        self.teach(
            Diagnostic::error("E0106", format!("there is no `{word}`"), span, "remove this")
                .why(reason)
                .edit(Span { end: self.here().start, ..span }, ""),
        );
    }

    /// The name here is all that its block holds.
    fn is_only_statement(&self) -> bool {
        let before = self.lexed.tokens[self.at.saturating_sub(1)].kind;
        let after = self.ahead(1);
        matches!(before, TokenKind::LBrace | TokenKind::Colon)
            && (after.newline_before || matches!(after.kind, TokenKind::RBrace | TokenKind::End))
    }

    /// Skips the lines that are indented deeper than that of `header`, as the body of what was skipped.
    pub(super) fn skip_deeper(&mut self, header: usize) {
        let base = self.lexed.tokens[header].indent;
        if self.on_line() {
            self.skip_statement();
        }
        while !self.on_line() && !self.ends_statements() && self.token().indent > base {
            self.skip_statement();
            while self.eat(TokenKind::Semicolon) {}
        }
    }

    /// A declaration that begins with a word of another language; `false` when none does.
    pub(super) fn foreign_item(&mut self, items: &mut Vec<Item>) -> bool {
        let span = self.here();
        if self.kind() == TokenKind::Func {
            // `func (p Patient) name()` of Go.
            self.bump();
            self.teach(
                Diagnostic::error("E0106", "a method names its type before its own name", span, "")
                    .help("write `func Patient.name(self) -> string { … }`"),
            );
            self.skip_item();
            return true;
        }
        if self.kind() != TokenKind::Ident || !self.used_as_keyword() {
            return false;
        }
        let word = self.text_of(self.token());
        let named = self.ahead(1).kind == TokenKind::Ident;
        if let Some(reason) = look_up(MODIFIERS, word) {
            self.explain_modifier(word, reason);
            return true;
        }
        match word {
            "def" | "fn" | "fun" | "function" | "proc" | "sub" | "define" if named => {
                self.teach(
                    Diagnostic::error("E0106", format!("there is no `{word}`"), span, "")
                        .help("functions are declared with `func`")
                        .edit(span, "func"),
                );
                let func = self.func(None, span, false);
                items.extend(func.map(Item::Func));
            }
            "type" | "typealias" | "typedef" | "alias" if !self.declares_body() => {
                self.teach(
                    Diagnostic::error("E0106", format!("there is no `{word}`"), span, "").help(
                        "a type has one name; to tell values apart, put them into a `record`",
                    ),
                );
                self.skip_item();
            }
            "class" | "struct" | "data" | "type" | "interface" | "object" | "dataclass"
                if named =>
            {
                let diagnostic =
                    Diagnostic::error("E0106", format!("there is no `{word}`"), span, "")
                        .help("data is declared with `record Name { field: type }`");
                let body = self.ahead(2).kind == TokenKind::LBrace;
                self.bump();
                match body {
                    true => {
                        self.teach(diagnostic.edit(span, "record"));
                        let record = self.record_rest(None, span);
                        items.extend(record.map(Item::Record));
                    }
                    false => {
                        self.teach(diagnostic);
                        self.skip_item();
                    }
                }
            }
            "impl" | "extension" | "extend" | "trait" if named => {
                self.teach(
                    Diagnostic::error("E0106", format!("there is no `{word}`"), span, "")
                        .help("a method names its type: `func Patient.latest(self) -> int { … }`"),
                );
                self.skip_item();
            }
            "import" | "from" | "use" | "using" | "include" | "require" | "library" | "package"
            | "module" | "namespace" => {
                self.teach(
                    Diagnostic::error("E0106", format!("there is no `{word}`"), span, "remove this")
                        .why("the library is always there, and all files given to `medi` share their names"),
                );
                self.skip_item();
            }
            _ if named
                && self.ahead(2).kind == TokenKind::LParen
                && self.misspelt_item().is_none() =>
            {
                let name = self.text_of(self.ahead(1));
                let result = if word == "void" { String::new() } else { format!("-> {word} ") };
                self.teach(
                    Diagnostic::error("E0106", "a function is declared with `func`", span, "")
                        .help(format!("write `func {name}(…) {result}{{ … }}`")),
                );
                self.skip_item();
            }
            _ => return false,
        }
        true
    }

    /// After the word and the name here a brace opens.
    fn declares_body(&self) -> bool {
        self.ahead(2).kind == TokenKind::LBrace
    }

    /// The keyword that a word was probably meant to be.
    pub(super) fn misspelt_keyword(&self, word: &str) -> Option<&'static str> {
        let letters = |word: &str| {
            let mut letters: Vec<char> = word.chars().collect();
            letters.sort_unstable();
            letters
        };
        // Of a short word, a letter is too much of it: only `fro` is `for`.
        let near = |keyword: &&str| word.len() > 3 || letters(word) == letters(keyword);
        suggest::closest(word, KEYWORDS.iter().copied()).filter(near)
    }

    /// The declaration keyword that the word here was probably meant to be.
    pub(super) fn misspelt_item(&self) -> Option<&'static str> {
        let word = self.text_of(self.token());
        let words = ["func", "record", "enum", "const"];
        let named = self.ahead_on_line(1) == Some(TokenKind::Ident);
        suggest::closest(word, words.into_iter()).filter(|_| named)
    }
}
