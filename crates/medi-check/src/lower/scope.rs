//! Scopes, and every way out of them.
//!
//! A value that leaves is computed before the scopes are left; leaving runs innermost first.

use medi_syntax::source::Span;

use super::func::Body;
use crate::mir::{BlockId, Operand, Scope, ScopeId, StmtKind};

impl Body<'_, '_> {
    pub fn enter_scope(&mut self, name: Option<String>, span: Span) {
        let id = ScopeId(self.scopes.len() as u32);
        let parent = self.open_scopes.last().copied();
        self.scopes.push(Scope { name, parent, span });
        self.open_scopes.push(id);
        self.emit(StmtKind::ScopeEnter(id), span);
    }

    /// Leaves the innermost scope at its end.
    pub fn leave_scope(&mut self, end: Span) {
        let id = self.open_scopes.pop().expect("a scope is open");
        self.emit(StmtKind::ScopeExit(id), end);
    }

    /// Returns from the function.
    pub fn leave_function(&mut self, value: Operand, span: Span) {
        self.leave_all_but(0, span);
        self.give_back(value, span);
    }

    /// Goes to a block that stands in the outermost `kept` scopes.
    pub fn leave_to(&mut self, target: BlockId, kept: usize, span: Span) {
        self.leave_all_but(kept, span);
        self.goto(target, span);
    }

    /// The scopes stay open for the code that follows in the text.
    fn leave_all_but(&mut self, kept: usize, span: Span) {
        for index in (kept..self.open_scopes.len()).rev() {
            let id = self.open_scopes[index];
            self.emit(StmtKind::ScopeExit(id), span);
        }
    }
}
