//! The program's own words for what errors speak of.

use medi_syntax::source::{SourceMap, Span};

use super::flow::{Flow, Loan, LoanKind, Point, local_of};
use crate::mir::{Local, Operand, Rvalue, StmtKind, TerminatorKind};
use crate::types::Ty;

/// Texts of a program that are longer than this are not repeated in a message.
const LONGEST_REPEATED: usize = 40;

pub struct Words<'a> {
    pub flow: &'a Flow<'a>,
    pub sources: &'a SourceMap,
}

impl Words<'_> {
    pub fn line(&self, span: Span) -> u32 {
        self.sources.file(span.file).line_column(span.start).0
    }

    pub fn end_line(&self, span: Span) -> u32 {
        self.sources.file(span.file).line_column(span.end.saturating_sub(1).max(span.start)).0
    }

    /// The text of a place, when it can stand in a sentence.
    fn short(&self, span: Span) -> Option<&str> {
        let text = self.sources.text(span);
        (text.len() <= LONGEST_REPEATED && !text.contains('\n') && !text.is_empty()).then_some(text)
    }

    pub fn name(&self, local: Local) -> Option<&str> {
        self.flow.function.locals[local.index()].name.as_deref()
    }

    /// The variable, or what the temporary is the value of.
    pub fn value(&self, local: Local) -> String {
        let decl = &self.flow.function.locals[local.index()];
        match &decl.name {
            Some(name) => format!("`{name}`"),
            None => self.short(decl.span).map_or("this value".to_owned(), |t| format!("`{t}`")),
        }
    }

    pub fn operand(&self, operand: &Operand) -> String {
        local_of(operand).map_or("this value".to_owned(), |local| self.value(local))
    }

    /// The memory: by the variable that it was first assigned to.
    pub fn loan(&self, loan: &Loan) -> String {
        self.value(loan.local)
    }

    pub fn belongs(&self, loan: &Loan) -> String {
        match loan.kind {
            LoanKind::Scope(scope) => {
                let scope = &self.flow.function.scopes[scope.index()];
                let line = self.line(scope.span);
                match &scope.name {
                    Some(name) => {
                        format!("this memory belongs to the scope `{name}`, opened on line {line}")
                    }
                    None => format!("this memory belongs to the scope opened on line {line}"),
                }
            }
            LoanKind::Owned => "this memory is freed by who holds it".to_owned(),
            LoanKind::Symbol(_) => "this memory comes from the caller".to_owned(),
        }
    }

    pub fn span_at(&self, at: Point) -> Span {
        self.flow.span_at(at)
    }

    pub fn returns_at(&self, at: Point) -> bool {
        let block = &self.flow.function.blocks[at.block];
        at.index == block.stmts.len() && matches!(block.terminator.kind, TerminatorKind::Return(_))
    }

    /// The value behind `return`, or the place itself.
    pub fn returned(&self, span: Span) -> Span {
        let text = self.sources.text(span);
        let Some(rest) = text.strip_prefix("return") else { return span };
        let skipped = text.len() - rest.trim_start().len();
        Span { start: span.start + skipped as u32, ..span }
    }

    pub fn statement(&self, at: Point) -> Option<&StmtKind> {
        self.flow.function.blocks[at.block].stmts.get(at.index).map(|stmt| &stmt.kind)
    }

    pub fn ty(&self, local: Local) -> &Ty {
        self.flow.program.types.get(self.flow.function.locals[local.index()].ty)
    }

    pub fn type_name(&self, local: Local) -> String {
        self.flow.program.type_name(self.flow.function.locals[local.index()].ty)
    }

    /// Whether the local is what the operand was given, or a copy without a name of its own.
    pub fn same_value(&self, local: Local, operand: &Operand) -> bool {
        let Some(freed) = local_of(operand) else { return false };
        self.origin(local) == self.origin(freed)
    }

    /// The local that a temporary copies.
    fn origin(&self, local: Local) -> Local {
        if self.name(local).is_some() {
            return local;
        }
        let stmts = self.flow.function.blocks.iter().flat_map(|block| &block.stmts);
        let mut copied = stmts.filter_map(|stmt| match &stmt.kind {
            StmtKind::Assign(into, Rvalue::Use(from)) if *into == local => local_of(from),
            _ => None,
        });
        copied.next().unwrap_or(local)
    }

    /// What a collected object is called: `collected list`.
    pub fn container(&self, local: Local) -> String {
        let name = self.type_name(local);
        let kind = match self.ty(local) {
            Ty::Array(_) => "list".to_owned(),
            Ty::Enum(..) => format!("value of type `{name}`"),
            _ if name.starts_with("list[") => "list".to_owned(),
            _ if name.starts_with("map[") => "map".to_owned(),
            _ => format!("object of type `{name}`"),
        };
        match self.name(local) {
            Some(own) => format!("collected {kind} `{own}`"),
            None => format!("a collected {kind}"),
        }
    }

    /// The only place of a text within a place.
    pub fn find_text(&self, within: Span, wanted: &str) -> Option<Span> {
        let mut found = self.sources.text(within).match_indices(wanted);
        let at = found.next().filter(|_| found.next().is_none())?.0;
        let start = within.start + at as u32;
        Some(Span { start, end: start + wanted.len() as u32, ..within })
    }

    /// The place of a name within a place, as a whole word, behind the first parenthesis where there is one.
    pub fn find_word(&self, within: Span, word: &str) -> Option<Span> {
        let text = self.sources.text(within);
        let from = text.find('(').map_or(0, |at| at + 1);
        let is_word = |c: char| c.is_alphanumeric() || c == '_';
        let at = text[from..].match_indices(word).map(|(at, _)| at + from).find(|at| {
            !text[..*at].ends_with(is_word) && !text[at + word.len()..].starts_with(is_word)
        })?;
        let start = within.start + at as u32;
        Some(Span { start, end: start + word.len() as u32, ..within })
    }
}
