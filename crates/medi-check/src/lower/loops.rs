//! Statements, and the loops among them.
//!
//! A counting loop tests before its first step and after each: one compare and one branch a step. The
//! step back carries the safepoint. A counter that is below a bound grows without an overflow check.

use medi_syntax::source::Span;

use super::expr::int;
use super::func::{Body, Loop};
use super::pattern::Subject;
use super::walk;
use crate::hir::{Cond, Expr, Iter, Pattern, PatternKind, Stmt, StmtKind as HirStmt};
use crate::mir::{BinaryOp, BlockId, Comparison, Operand, Rvalue, StmtKind};
use crate::types::{Ty, TyId, Types};

/// What a counting loop walks over.
enum Walked {
    /// Its length is read anew before each step.
    List { list: Operand, element: TyId },
    /// Slots are read anew too; deleted ones are passed over.
    Map { map: Operand, type_args: Vec<TyId>, slot: TyId, entry: TyId },
    /// Has one length for good.
    View { view: Operand, len: Operand, element: TyId },
}

impl<'h> Body<'_, 'h> {
    pub fn stmt(&mut self, stmt: &'h Stmt) {
        let span = stmt.span;
        match &stmt.kind {
            HirStmt::Let { pattern, value } => match &pattern.kind {
                PatternKind::Bind(local) => self.initialise_from(*local, value, span),
                PatternKind::Wildcard => self.effect(value),
                _ => {
                    let ty = self.expr_ty(value);
                    let subject = self.value(value);
                    self.match_pattern(pattern, &Subject::new(subject, ty), None);
                }
            },
            HirStmt::Assign { target, op, value } => self.assignment(target, *op, value, span),
            HirStmt::Expr(expr) => self.effect(expr),
            HirStmt::While { cond, body } => self.while_loop(cond, body, span),
            HirStmt::For { pattern, iter, body } => match iter {
                Iter::Range { start, end, inclusive } => {
                    self.range_loop(pattern, start, end, *inclusive, body, span);
                }
                Iter::List(list) => {
                    let ty = self.expr_ty(list);
                    let list = self.iterated(list);
                    let element = match self.get(ty) {
                        Ty::Record(_, args) if args.len() == 1 => args[0],
                        _ => return drop(self.ill_typed("a loop over a list", ty)),
                    };
                    self.walk_loop(pattern, Walked::List { list, element }, body, span);
                }
                Iter::Map(map) => {
                    let ty = self.expr_ty(map);
                    let map = self.iterated(map);
                    let type_args = match self.get(ty) {
                        Ty::Record(_, args) if args.len() == 2 => args.clone(),
                        _ => return drop(self.ill_typed("a loop over a map", ty)),
                    };
                    let entry = self.intern(Ty::Tuple(type_args.clone()), span);
                    let slot = self.intern(Ty::Optional(entry), span);
                    let walked = Walked::Map { map, type_args, slot, entry };
                    self.walk_loop(pattern, walked, body, span);
                }
                Iter::View(view) => {
                    let ty = self.expr_ty(view);
                    let view = self.iterated(view);
                    let element = match self.get(ty) {
                        Ty::View(element) => *element,
                        Ty::Buffer => Types::BYTE,
                        _ => return drop(self.ill_typed("a loop over a view", ty)),
                    };
                    let len = self.temp_of(Rvalue::ScopeLen(view.clone()), Types::INT, span);
                    self.walk_loop(pattern, Walked::View { view, len, element }, body, span);
                }
            },
        }
    }

    /// What a loop walks over keeps its value when the loop assigns the local it came from.
    fn iterated(&mut self, expr: &'h Expr) -> Operand {
        let value = self.value(expr);
        self.pin(value, expr.span)
    }

    fn while_loop(&mut self, cond: &'h Cond, body: &'h Expr, span: Span) {
        let start = self.new_block();
        let again = self.new_block();
        let exit = self.new_block();
        match cond {
            Cond::Expr(test) if walk::is_duplicable(test) => {
                self.condition(cond, start, exit);
                self.switch_to(start);
                self.loop_body(body, again, exit);
                self.goto(again, span);
                self.switch_to(again);
                self.emit(StmtKind::Safepoint, span);
                self.condition(cond, start, exit);
            }
            _ => {
                let inside = self.new_block();
                self.goto(start, span);
                self.switch_to(start);
                self.condition(cond, inside, exit);
                self.switch_to(inside);
                self.loop_body(body, again, exit);
                self.goto(again, span);
                self.switch_to(again);
                self.emit(StmtKind::Safepoint, span);
                self.goto(start, span);
            }
        }
        self.switch_to(exit);
    }

    fn loop_body(&mut self, body: &'h Expr, continue_to: BlockId, break_to: BlockId) {
        let scopes = self.open_scopes.len();
        self.loops.push(Loop { continue_to, break_to, scopes });
        self.effect(body);
        self.loops.pop();
    }

    fn range_loop(
        &mut self,
        pattern: &'h Pattern,
        start: &'h Expr,
        end: &'h Expr,
        inclusive: bool,
        body: &'h Expr,
        span: Span,
    ) {
        let ty = self.expr_ty(start);
        let (first, last) = self.pair(start, end);
        let last = self.pin(last, end.span);
        let counter = self.temp(ty, span);
        self.assign(counter, Rvalue::Use(first), span);
        let counter = (counter, Operand::Copy(counter));
        let (inside, again, exit) = (self.new_block(), self.new_block(), self.new_block());
        let test = if inclusive { Comparison::Le } else { Comparison::Lt };
        self.compare_branch(test, &counter.1, &last, (inside, exit), span);
        self.switch_to(inside);
        let subject = Subject::new(counter.1.clone(), ty);
        self.match_pattern(pattern, &subject, None);
        self.loop_body(body, again, exit);
        self.goto(again, span);
        self.switch_to(again);
        self.emit(StmtKind::Safepoint, span);
        let next = self.successor(counter.1.clone());
        if inclusive {
            // Below the last there is a next one; at the last, the largest int perhaps, there is none.
            let step = self.new_block();
            self.compare_branch(Comparison::Lt, &counter.1, &last, (step, exit), span);
            self.switch_to(step);
            self.assign(counter.0, next, span);
            self.goto(inside, span);
        } else {
            self.assign(counter.0, next, span);
            self.compare_branch(Comparison::Lt, &counter.1, &last, (inside, exit), span);
        }
        self.switch_to(exit);
    }

    fn walk_loop(&mut self, pattern: &'h Pattern, walked: Walked, body: &'h Expr, span: Span) {
        let index = self.temp(Types::INT, span);
        self.assign(index, Rvalue::Use(int(0)), span);
        let (index, at) = (index, Operand::Copy(index));
        let (inside, again, exit) = (self.new_block(), self.new_block(), self.new_block());
        let len = self.walked_len(&walked, span);
        self.compare_branch(Comparison::Lt, &at, &len, (inside, exit), span);
        self.switch_to(inside);
        let (element, ty) = match &walked {
            Walked::List { list, element } => {
                let array = self.list_items(list, *element, span);
                self.array_bounds(&array, &at, span);
                (Rvalue::GetElem { array, index: at.clone() }, *element)
            }
            Walked::View { view, element, .. } => {
                (Rvalue::GetScopeElem { base: view.clone(), index: at.clone() }, *element)
            }
            Walked::Map { map, type_args, slot, entry } => {
                let get = self.cx.hir.lang.map_slot;
                let args = vec![map.clone(), at.clone()];
                let found = self.call_concrete(get, type_args.clone(), args, span);
                let found = self.temp_of(found, *slot, span);
                self.expect_some(found.clone(), again, span);
                (Rvalue::UnwrapSome(found), *entry)
            }
        };
        self.match_part(pattern, element, ty, None);
        self.loop_body(body, again, exit);
        self.goto(again, span);
        self.switch_to(again);
        self.emit(StmtKind::Safepoint, span);
        let next = self.successor(at.clone());
        self.assign(index, next, span);
        let len = self.walked_len(&walked, span);
        self.compare_branch(Comparison::Lt, &at, &len, (inside, exit), span);
        self.switch_to(exit);
    }

    fn walked_len(&mut self, walked: &Walked, span: Span) -> Operand {
        match walked {
            Walked::List { list, .. } => self.list_len(list, span),
            Walked::View { len, .. } => len.clone(),
            Walked::Map { map, type_args, .. } => {
                let slots = self.cx.hir.lang.map_slots;
                let args = vec![map.clone()];
                let count = self.call_concrete(slots, type_args.clone(), args, span);
                self.operand_of(count, Types::INT, span)
            }
        }
    }

    fn compare_branch(
        &mut self,
        comparison: Comparison,
        left: &Operand,
        right: &Operand,
        (then, otherwise): (BlockId, BlockId),
        span: Span,
    ) {
        let test = Rvalue::Binary(BinaryOp::Compare(comparison), left.clone(), right.clone());
        let test = self.temp_of(test, Types::BOOL, span);
        self.branch(test, then, otherwise, span);
    }
}
