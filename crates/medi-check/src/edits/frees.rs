//! Edits that free memory where nothing does, and that move the end of memory behind its last use.

use medi_syntax::diagnostic::Edit;
use medi_syntax::source::{SourceMap, Span};
use medi_syntax::token::TokenKind;

use super::Tokens;

fn inserted(tokens: &Tokens, at: u32, replacement: String) -> Edit {
    Edit { span: tokens.span(at, at), replacement }
}

/// A variable that one `let` declares, and the block that it lives in.
struct Declared<'s> {
    name: &'s str,
    /// The token behind its value's first one.
    from: usize,
    open: usize,
    close: usize,
    /// Where the `let` stands.
    start: u32,
}

fn declared<'s>(tokens: &Tokens<'s>, value: Span) -> Option<Declared<'s>> {
    let at = tokens.at(value.start).filter(|at| *at > 1)?;
    if tokens.kind(at - 1) != TokenKind::Eq {
        return None;
    }
    let start = (0..at).rev().find(|index| tokens.begins(*index))?;
    let (open, close) = tokens.block_of(start)?;
    let is_let = tokens.kind(start) == TokenKind::Let && tokens.kind(start + 1) == TokenKind::Ident;
    let name = is_let.then(|| tokens.text(start + 1))?;
    Some(Declared { name, from: at + 1, open, close, start: tokens.tokens[start].start })
}

/// Whether control may go elsewhere than on within the tokens.
fn leaves(tokens: &Tokens, from: usize, to: usize) -> bool {
    use TokenKind::{Break, Continue, Question, Return};
    (from..to).any(|index| matches!(tokens.kind(index), Return | Question | Break | Continue))
}

/// Whether the block that a brace opens gives no value: the body of a function without a result, or of a `scope`.
fn is_of_statements(tokens: &Tokens, open: usize) -> bool {
    let start = (0..open).rev().find(|index| {
        tokens.kind(*index) == TokenKind::Func && tokens.kind(*index + 1) == TokenKind::Ident
            || tokens.begins(*index)
    });
    let Some(start) = start else { return false };
    if tokens.is_word(start, "scope") {
        return true;
    }
    tokens.kind(start) == TokenKind::Func
        && (start..open).all(|index| tokens.kind(index) != TokenKind::Arrow)
}

/// Frees a variable's memory at the end of the block that declares it, when nothing frees it.
pub fn at_end(sources: &SourceMap, made: Span) -> Option<Edit> {
    let tokens = &Tokens::around(sources, made);
    let declared = declared(tokens, made)?;
    let Declared { name, from, open, close, start } = declared;
    if leaves(tokens, from, close) || !is_of_statements(tokens, open) {
        return None;
    }
    Some(last_in(tokens, close, start, &format!("free({name})")))
}

/// A statement as the last one before a closing brace, indented as another one of the block.
fn last_in(tokens: &Tokens, close: usize, beside: u32, statement: &str) -> Edit {
    let end = tokens.tokens[close].start;
    match tokens.tokens[close].newline_before {
        true => {
            let indent = tokens.indent(beside);
            inserted(tokens, tokens.line_start(end), format!("{indent}{statement}\n"))
        }
        false => inserted(tokens, tokens.tokens[close - 1].end, format!("; {statement}")),
    }
}

/// Frees a variable's memory in the `else` of the only condition that frees it.
pub fn in_else(sources: &SourceMap, made: Span) -> Option<Edit> {
    let tokens = &Tokens::around(sources, made);
    let Declared { name, from, open, close, .. } = declared(tokens, made)?;
    let is_free = |index: usize| {
        tokens.is_word(index, "free")
            && tokens.kind(index + 1) == TokenKind::LParen
            && tokens.is_word(index + 2, name)
            && tokens.kind(index + 3) == TokenKind::RParen
    };
    let mut frees = (from..close).filter(|index| is_free(*index));
    let free = frees.next().filter(|_| frees.next().is_none())?;
    let (then, end) = tokens.block_of(free)?;
    let start = (from..then).rev().find(|index| tokens.begins(*index))?;
    let plain = tokens.kind(start) == TokenKind::If
        && tokens.block_of(start) == Some((open, close))
        && tokens.kind(end + 1) != TokenKind::Else;
    let used = (end..close).any(|index| tokens.is_word(index, name));
    if !plain || used || leaves(tokens, from, close) {
        return None;
    }
    Some(inserted(tokens, tokens.tokens[end].end, format!(" else {{ free({name}) }}")))
}

/// Computes what is returned before the memory is freed that it is computed from.
pub fn before_return(sources: &SourceMap, whole: Span, value: Span, name: &str) -> Option<Edit> {
    let tokens = &Tokens::around(sources, whole);
    let at = tokens.at(whole.start)?;
    if !tokens.begins(at) || (0..tokens.tokens.len()).any(|index| tokens.is_word(index, "result")) {
        return None;
    }
    let alone = tokens.tokens[at].newline_before;
    let between = match alone {
        true => format!("\n{}", tokens.indent(whole.start)),
        false => "; ".to_owned(),
    };
    let text = sources.text(value);
    let replacement = format!("let result = {text}{between}free({name}){between}return result");
    Some(Edit { span: whole, replacement })
}
