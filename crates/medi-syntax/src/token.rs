//! Tokens: the words, numbers and signs of a file, in order.
//!
//! A token is small and `Copy`. What does not fit into it (the text of a string, a format
//! specification) lies in tables of [`Lexed`] that it points into; the spelling of a name is read
//! from the source. Newlines are not tokens: each token knows whether one stands before it, and the
//! parser decides whether that ends a statement.

use crate::ast::FormatSpec;
use crate::diagnostic::Diagnostic;

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum TokenKind {
    Ident,
    Int(u64),
    Float(f64),

    /// A string is `StrStart`, any number of texts and insertions, `StrEnd`; always balanced.
    StrStart,
    /// An index into [`Lexed::texts`].
    StrText(u32),
    InsertStart,
    /// An index into [`Lexed::formats`]; only just before `InsertEnd`.
    Format(u32),
    InsertEnd,
    StrEnd,

    Func,
    Enum,
    Const,
    Let,
    Var,
    If,
    Else,
    While,
    For,
    In,
    Break,
    Continue,
    Return,
    Match,
    /// `&&` or `and`.
    And,
    /// `||` or `or`.
    Or,
    Not,
    True,
    False,
    Nil,

    LParen,
    RParen,
    LBracket,
    RBracket,
    LBrace,
    RBrace,
    Comma,
    Semicolon,
    Colon,
    ColonColon,
    Dot,
    DotDot,
    DotDotEq,
    Arrow,
    FatArrow,
    Question,
    QuestionDot,
    QuestionQuestion,
    Bang,
    Plus,
    Minus,
    Star,
    StarStar,
    Slash,
    Percent,
    EqEq,
    BangEq,
    Lt,
    Le,
    Gt,
    Ge,
    Eq,
    PlusEq,
    MinusEq,
    StarEq,
    StarStarEq,
    SlashEq,
    PercentEq,
    /// Signs of other languages, which the parser explains: `&`, `|` (also in patterns), `^`, `~`,
    /// `<<`, `>>`, `:=`.
    Amp,
    Pipe,
    Caret,
    Tilde,
    ShiftLeft,
    ShiftRight,
    ColonEq,

    End,
}

impl TokenKind {
    /// The keyword that a word is, if it is one. `record`, `native`, `scope`, `parallel`, `spawn`,
    /// `own` and `self` are words only where they can be nothing else, so that data may use the names.
    pub fn keyword(word: &str) -> Option<TokenKind> {
        Some(match word {
            "func" => Self::Func,
            "enum" => Self::Enum,
            "const" => Self::Const,
            "let" => Self::Let,
            "var" => Self::Var,
            "if" => Self::If,
            "else" => Self::Else,
            "while" => Self::While,
            "for" => Self::For,
            "in" => Self::In,
            "break" => Self::Break,
            "continue" => Self::Continue,
            "return" => Self::Return,
            "match" => Self::Match,
            "and" => Self::And,
            "or" => Self::Or,
            "not" => Self::Not,
            "true" => Self::True,
            "false" => Self::False,
            "nil" => Self::Nil,
            _ => return None,
        })
    }

    /// Opens a group that [`Lexed`] or the source closes again.
    pub fn opens(self) -> bool {
        matches!(
            self,
            Self::LParen | Self::LBracket | Self::LBrace | Self::StrStart | Self::InsertStart
        )
    }

    /// The token that closes the group that `self` opens.
    pub fn closer(self) -> Option<TokenKind> {
        Some(match self {
            Self::LParen => Self::RParen,
            Self::LBracket => Self::RBracket,
            Self::LBrace => Self::RBrace,
            Self::StrStart => Self::StrEnd,
            Self::InsertStart => Self::InsertEnd,
            _ => return None,
        })
    }

    pub fn closes(self) -> bool {
        matches!(
            self,
            Self::RParen | Self::RBracket | Self::RBrace | Self::StrEnd | Self::InsertEnd
        )
    }
}

/// A token covers the bytes `start..end` of its file.
#[derive(Clone, Copy, Debug)]
pub struct Token {
    pub kind: TokenKind,
    pub start: u32,
    pub end: u32,
    /// A line ends between the token before and this one.
    pub newline_before: bool,
    /// How many spaces and tabs the line begins with that this token, or the first before it that
    /// begins a line, stands on.
    pub indent: u16,
}

/// A documentation comment, for the item that begins at `token`.
#[derive(Debug)]
pub struct Doc {
    pub token: u32,
    pub text: String,
}

/// The tokens of a file; the last one is [`TokenKind::End`].
#[derive(Debug)]
pub struct Lexed {
    pub tokens: Vec<Token>,
    pub texts: Vec<String>,
    pub formats: Vec<FormatSpec>,
    /// In order of `token`.
    pub docs: Vec<Doc>,
    /// In the order of their places.
    pub diagnostics: Vec<Diagnostic>,
    /// A string or a comment swallowed the rest of the file, so what is missing at its end was
    /// reported already.
    pub truncated: bool,
}
