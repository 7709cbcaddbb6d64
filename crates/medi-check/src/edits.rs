//! Edits that errors about memory offer, found in the tokens around the place.
//!
//! An edit must leave a program that compiles and does what it did, so whatever is not plainly one of the known forms gets
//! none.

use medi_syntax::diagnostic::Edit;
use medi_syntax::source::{SourceMap, Span};
use medi_syntax::token::{Token, TokenKind};

pub mod frees;

struct Tokens<'s> {
    sources: &'s SourceMap,
    file: Span,
    tokens: Vec<Token>,
}

impl<'s> Tokens<'s> {
    fn around(sources: &'s SourceMap, place: Span) -> Self {
        Self { sources, file: place, tokens: medi_syntax::lex(sources, place.file).tokens }
    }

    fn at(&self, start: u32) -> Option<usize> {
        self.tokens.iter().position(|token| token.start == start)
    }

    fn span(&self, start: u32, end: u32) -> Span {
        Span { start, end, ..self.file }
    }

    fn text(&self, index: usize) -> &'s str {
        let token = self.tokens[index];
        self.sources.text(self.span(token.start, token.end))
    }

    fn kind(&self, index: usize) -> TokenKind {
        self.tokens.get(index).map_or(TokenKind::End, |token| token.kind)
    }

    fn is_word(&self, index: usize, word: &str) -> bool {
        self.kind(index) == TokenKind::Ident && self.text(index) == word
    }

    /// Whether a statement begins with the token.
    fn begins(&self, index: usize) -> bool {
        use TokenKind::{Ident, LBrace, RBrace, RBracket, RParen, Semicolon, StrEnd};
        match index.checked_sub(1).map(|before| self.kind(before)) {
            None | Some(LBrace | Semicolon) => true,
            Some(Ident | RBrace | RParen | RBracket | StrEnd) => self.tokens[index].newline_before,
            _ => false,
        }
    }

    /// The braces around a token.
    fn block_of(&self, index: usize) -> Option<(usize, usize)> {
        let braces = |depth: &mut i32, index: usize| {
            match self.kind(index) {
                TokenKind::LBrace => *depth += 1,
                TokenKind::RBrace => *depth -= 1,
                _ => {}
            }
            *depth
        };
        let (mut before, mut behind) = (0, 0);
        let open = (0..index).rev().find(|at| braces(&mut before, *at) > 0)?;
        let close = (index..self.tokens.len()).find(|at| braces(&mut behind, *at) < 0)?;
        Some((open, close))
    }

    fn line_start(&self, at: u32) -> u32 {
        let text = &self.sources.file(self.file.file).text;
        text[..at as usize].rfind('\n').map_or(0, |at| at as u32 + 1)
    }

    /// The space in front of the line that a place is in.
    fn indent(&self, at: u32) -> &'s str {
        let line = &self.sources.file(self.file.file).text[self.line_start(at) as usize..];
        &line[..line.len() - line.trim_start().len()]
    }

    /// Whether a statement ends before the token.
    fn ends(&self, index: usize) -> bool {
        matches!(self.kind(index), TokenKind::RBrace | TokenKind::Semicolon | TokenKind::End)
            || self.tokens[index].newline_before && self.kind(index) != TokenKind::Dot
    }

    /// The statement, with its line where it is alone there.
    fn whole(&self, from: usize, to: usize) -> Span {
        let (start, end) = (self.tokens[from].start, self.tokens[to].end);
        let text = &self.sources.file(self.file.file).text;
        let line = text[..start as usize].rfind('\n').map_or(0, |at| at + 1);
        let rest = text[end as usize..].find('\n').map(|at| at + end as usize + 1);
        match rest {
            Some(next) if text[line..start as usize].trim().is_empty() => {
                let alone = text[end as usize..next].trim().is_empty();
                self.span(
                    if alone { line as u32 } else { start },
                    if alone { next as u32 } else { end },
                )
            }
            _ => self.span(start, end),
        }
    }
}

/// A use of the variable that holds a task, which joins it: its tokens, and whether they are a statement of their own.
struct Join {
    from: usize,
    to: usize,
    alone: bool,
}

/// Runs what `spawn` starts before what follows: as the statement of a `parallel`, or as a plain expression. Offered where
/// each use of the task is in sight and joins it, and where nothing in it leaves a function.
pub fn without_task(sources: &SourceMap, spawn: Span, parallel: bool) -> Vec<Edit> {
    rewritten(&Tokens::around(sources, spawn), spawn, parallel).unwrap_or_default()
}

fn rewritten(tokens: &Tokens, spawn: Span, parallel: bool) -> Option<Vec<Edit>> {
    let at = tokens.at(spawn.start).filter(|at| tokens.is_word(*at, "spawn"))?;
    let behind = tokens.tokens.iter().position(|token| token.start >= spawn.end)?;
    let leaves = |kind| matches!(kind, TokenKind::Return | TokenKind::Question);
    let frees = |index| tokens.is_word(index, "free");
    if (at..behind).any(|index| leaves(tokens.kind(index)) || parallel && frees(index)) {
        return None;
    }
    let work = tokens.tokens.get(at + 1)?.start;
    let edit = |span, replacement: &str| Edit { span, replacement: replacement.to_owned() };
    let opened = |start: u32, parallel: bool| {
        edit(tokens.span(start, work), if parallel { "parallel { " } else { "" })
    };
    let closed = || edit(tokens.span(spawn.end, spawn.end), " }");
    if tokens.begins(at) && tokens.ends(behind) {
        let end = parallel.then(closed);
        return Some([opened(spawn.start, parallel)].into_iter().chain(end).collect());
    }
    let start = at.checked_sub(3)?;
    let bound = tokens.kind(start) == TokenKind::Let
        && tokens.kind(at - 2) == TokenKind::Ident
        && tokens.kind(at - 1) == TokenKind::Eq;
    if !bound || !tokens.ends(behind) {
        return None;
    }
    let joins = joins(tokens, behind, tokens.text(at - 2))?;
    let parallel = parallel && joins.iter().all(|join| join.alone);
    let mut edits = match parallel {
        true => vec![opened(tokens.tokens[start].start, true), closed()],
        false => vec![opened(spawn.start, false)],
    };
    for join in joins {
        let name = tokens.tokens[join.from].end;
        edits.push(match join.alone {
            true => edit(tokens.whole(join.from, join.to), ""),
            false => edit(tokens.span(name, tokens.tokens[join.to].end), ""),
        });
    }
    Some(edits)
}

/// All uses of a variable from a token on to the end of its block; `None` if one is not `name.join()`.
fn joins(tokens: &Tokens, from: usize, name: &str) -> Option<Vec<Join>> {
    let mut joins = vec![];
    let mut depth = 0i32;
    for index in from..tokens.tokens.len() {
        match tokens.kind(index) {
            TokenKind::LBrace => depth += 1,
            TokenKind::RBrace => depth -= 1,
            _ => {}
        }
        if depth < 0 {
            break;
        }
        let field = tokens.kind(index - 1) == TokenKind::Dot;
        if !tokens.is_word(index, name) || field {
            continue;
        }
        let to = index + 4;
        let is_join = tokens.kind(index + 1) == TokenKind::Dot
            && tokens.is_word(index + 2, "join")
            && tokens.kind(index + 3) == TokenKind::LParen
            && tokens.kind(to) == TokenKind::RParen;
        if !is_join {
            return None;
        }
        let alone = tokens.begins(index) && tokens.ends(to + 1);
        joins.push(Join { from: index, to, alone });
    }
    Some(joins)
}

/// What a pin that is declared at a place is a pin of, when that is a variable: `let p = pin(NAME)`.
pub fn pinned(sources: &SourceMap, declared: Span) -> Option<&str> {
    let tokens = Tokens::around(sources, declared);
    let at = tokens.at(declared.start).filter(|at| *at > 0)?;
    let is_pin = tokens.kind(at - 1) == TokenKind::Let
        && tokens.kind(at + 1) == TokenKind::Eq
        && tokens.is_word(at + 2, "pin")
        && tokens.kind(at + 3) == TokenKind::LParen
        && tokens.kind(at + 4) == TokenKind::Ident
        && tokens.kind(at + 5) == TokenKind::RParen;
    is_pin.then(|| tokens.text(at + 4))
}

/// Whether a list is declared before a place as `[]`, with no word about its elements.
pub fn is_declared_empty(sources: &SourceMap, place: Span, name: &str) -> bool {
    use TokenKind::{Eq, LBracket, Let, RBracket, Var};
    let tokens = Tokens::around(sources, place);
    let before = tokens.tokens.iter().take_while(|token| token.start < place.start).count();
    let declared = (1..before)
        .rev()
        .find(|index| tokens.is_word(*index, name) && matches!(tokens.kind(index - 1), Let | Var));
    declared.is_some_and(|at| {
        [Eq, LBracket, RBracket].iter().zip(at + 1..).all(|(kind, at)| tokens.kind(at) == *kind)
    })
}

/// A `parallel` without the word: its statements one after the other.
pub fn without_parallel(sources: &SourceMap, whole: Span) -> Option<Edit> {
    let text = sources.text(whole);
    let rest = text.strip_prefix("parallel")?.trim_start();
    let file = &sources.file(whole.file);
    if file.library || rest.len() == text.len() {
        return None;
    }
    let end = whole.start + (text.len() - rest.len()) as u32;
    Some(Edit { span: Span { end, ..whole }, replacement: String::new() })
}
