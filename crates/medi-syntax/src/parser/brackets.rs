//! Which bracket closes which, found once for the whole file.
//!
//! The parser looks ahead through it (is `(` … `)` followed by `=>`?) and skips what it cannot read.
//! A brace is stronger than a parenthesis: `}` closes its block although a `(` in it was forgotten, and
//! a `)` too many does not end the block that it stands in.

use crate::token::{Token, TokenKind};

pub(super) const NONE: u32 = u32::MAX;

/// For each token the index of the one that closes it, or [`NONE`].
pub(super) fn partners(tokens: &[Token]) -> Vec<u32> {
    let mut partners = vec![NONE; tokens.len()];
    let mut open: Vec<usize> = vec![];
    // How many of `open` are braces, since the innermost string or insertion began.
    let mut braces: Vec<usize> = vec![0];
    for (index, token) in tokens.iter().enumerate() {
        match token.kind {
            TokenKind::StrStart | TokenKind::InsertStart => {
                open.push(index);
                braces.push(0);
            }
            TokenKind::LBrace => {
                open.push(index);
                *braces.last_mut().expect("the outermost is never popped") += 1;
            }
            kind if kind.opens() => open.push(index),
            TokenKind::StrEnd | TokenKind::InsertEnd => {
                // The lexer balances these, so the opening one is there.
                while let Some(top) = open.pop() {
                    if tokens[top].kind.closer() == Some(token.kind) {
                        partners[top] = index as u32;
                        break;
                    }
                }
                braces.pop();
            }
            TokenKind::RBrace => {
                let braces = braces.last_mut().expect("the outermost is never popped");
                if *braces > 0 {
                    *braces -= 1;
                    while let Some(top) = open.pop() {
                        if tokens[top].kind == TokenKind::LBrace {
                            partners[top] = index as u32;
                            break;
                        }
                    }
                }
            }
            kind if kind.closes() => {
                if let Some(top) = open.pop_if(|top| tokens[*top].kind.closer() == Some(kind)) {
                    partners[top] = index as u32;
                }
            }
            _ => {}
        }
    }
    partners
}
