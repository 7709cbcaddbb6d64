//! Patterns: a chain of tests that binds on the way, or one switch where every arm is a tag or a number.

use medi_syntax::source::Span;

use super::expr::{Dest, int};
use super::func::{Body, Slot};
use crate::hir::{Arm, Expr, Pattern, PatternKind};
use crate::mir::{BinaryOp, BlockId, Comparison, Const, Operand, Rvalue, TerminatorKind};
use crate::types::{Ty, TyId, Types};

/// A value that patterns are matched with.
pub(super) struct Subject {
    value: Operand,
    ty: TyId,
    /// The number of its variant, when that was read already.
    tag: Option<Operand>,
}

impl Subject {
    pub fn new(value: Operand, ty: TyId) -> Self {
        Self { value, ty, tag: None }
    }
}

impl<'h> Body<'_, 'h> {
    pub fn match_expr(&mut self, subject: &'h Expr, arms: &'h [Arm], dest: Dest, span: Span) {
        let ty = self.expr_ty(subject);
        let value = self.value(subject);
        let value = self.pin(value, subject.span);
        let mut subject = Subject::new(value, ty);
        if matches!(self.get(ty), Ty::Enum(..))
            && arms.iter().any(|arm| !is_irrefutable(&arm.pattern))
        {
            let tag = Rvalue::VariantTag(subject.value.clone());
            subject.tag = Some(self.temp_of(tag, Types::INT, span));
        }
        let join = self.new_block();
        if let Some(cases) = switch_cases(arms) {
            self.match_switch(&subject, arms, cases, dest, join, span);
        } else {
            self.match_chain(&subject, arms, dest, join);
        }
        self.switch_to(join);
    }

    fn match_chain(&mut self, subject: &Subject, arms: &'h [Arm], dest: Dest, join: BlockId) {
        for (index, arm) in arms.iter().enumerate() {
            // Arms are exhaustive: what comes to the last one matches it.
            let last = index + 1 == arms.len() && arm.guard.is_none();
            let next = (!last).then(|| self.new_block());
            self.match_pattern(&arm.pattern, subject, next);
            if let (Some(guard), Some(next)) = (&arm.guard, next) {
                let body = self.new_block();
                self.condition_expr(guard, body, next);
                self.switch_to(body);
            }
            self.lower(&arm.body, dest);
            self.goto(join, arm.pattern.span);
            match next {
                Some(next) => self.switch_to(next),
                None => return,
            }
        }
        let span = arms.last().map_or(self.header.span, |arm| arm.pattern.span);
        self.terminate(TerminatorKind::Unreachable, span);
    }

    fn match_switch(
        &mut self,
        subject: &Subject,
        arms: &'h [Arm],
        cases: Cases,
        dest: Dest,
        join: BlockId,
        span: Span,
    ) {
        let blocks: Vec<_> = arms.iter().map(|_| self.new_block()).collect();
        let value = subject.tag.clone().unwrap_or_else(|| subject.value.clone());
        // Without a default the arms cover every value, and the last case stands for itself.
        let (mut cases, mut default) = (cases.cases, cases.default);
        if default.is_none() {
            let last = cases.last().map(|(_, arm)| *arm);
            cases.retain(|(_, arm)| Some(*arm) != last);
            default = last;
        }
        let Some(default) = default else {
            self.terminate(TerminatorKind::Unreachable, span);
            return;
        };
        let target = |arm: usize| blocks[arm];
        let default = target(default);
        match &cases[..] {
            [] => self.goto(default, span),
            [(case, arm)] => {
                let case = match self.get(subject.ty) {
                    Ty::Byte => Operand::Const(Const::Byte(*case as u8)),
                    _ => int(*case),
                };
                let test = Rvalue::Binary(BinaryOp::Compare(Comparison::Eq), value, case);
                let test = self.temp_of(test, Types::BOOL, span);
                self.branch(test, target(*arm), default, span);
            }
            _ => {
                let cases = cases.iter().map(|(case, arm)| (*case, target(*arm))).collect();
                self.terminate(TerminatorKind::Switch { value, cases, default }, span);
            }
        }
        for (arm, block) in arms.iter().zip(&blocks) {
            self.switch_to(*block);
            // The switch decided; what is left is to bind.
            self.match_pattern(&arm.pattern, subject, None);
            self.lower(&arm.body, dest);
            self.goto(join, arm.pattern.span);
        }
    }

    /// Tests the subject and binds its parts; goes to `fail` when it does not match. Without `fail` it
    /// is known to match, and only binds.
    pub fn match_pattern(
        &mut self,
        pattern: &'h Pattern,
        subject: &Subject,
        fail: Option<BlockId>,
    ) {
        let span = pattern.span;
        let value = || subject.value.clone();
        match &pattern.kind {
            PatternKind::Wildcard => {}
            PatternKind::Bind(local) => self.initialise(*local, value(), span),
            PatternKind::Int(wanted) => {
                let wanted = self.number(subject.ty, *wanted);
                self.test_compare(Comparison::Eq, value(), wanted, fail, span);
            }
            PatternKind::Bool(wanted) => {
                if let Some(fail) = fail {
                    let matched = self.new_block();
                    let (then, otherwise) = if *wanted { (matched, fail) } else { (fail, matched) };
                    self.branch(value(), then, otherwise, span);
                    self.switch_to(matched);
                }
            }
            PatternKind::Float(wanted) => {
                let wanted = Operand::Const(Const::Float(*wanted));
                let test = BinaryOp::CompareFloat(Comparison::Eq);
                self.test(Rvalue::Binary(test, value(), wanted), fail, span);
            }
            PatternKind::Str(wanted) => {
                if fail.is_some() {
                    let wanted = self.text(wanted);
                    let equal = self.equality(Types::STR, value(), wanted, span, false);
                    self.test(equal, fail, span);
                }
            }
            PatternKind::Range { low, high } => {
                let (low, high) = (self.number(subject.ty, *low), self.number(subject.ty, *high));
                self.test_compare(Comparison::Ge, value(), low, fail, span);
                self.test_compare(Comparison::Le, value(), high, fail, span);
            }
            PatternKind::Nil => {
                self.test_not(Rvalue::IsSome(value()), fail, span);
            }
            PatternKind::Some(inner) => {
                self.test(Rvalue::IsSome(value()), fail, span);
                let wanted = self.ty(inner.ty, span);
                let present = self.unwrapped(value(), subject.ty, wanted);
                self.match_part(inner, present, wanted, fail);
            }
            PatternKind::Tuple(parts) => {
                for (index, part) in parts.iter().enumerate() {
                    let ty = self.ty(part.ty, part.span);
                    let get = Rvalue::GetTuple { tuple: value(), index: index as u32 };
                    self.match_part(part, get, ty, fail);
                }
            }
            PatternKind::Variant { variant, fields } => {
                if let Some(fail) = fail {
                    let tag = match &subject.tag {
                        Some(tag) => tag.clone(),
                        None => self.temp_of(Rvalue::VariantTag(value()), Types::INT, span),
                    };
                    let wanted = int((*variant).into());
                    self.test_compare(Comparison::Eq, tag, wanted, Some(fail), span);
                }
                for (index, field) in fields.iter().enumerate() {
                    let ty = self.ty(field.ty, field.span);
                    let (variant, index) = (*variant, index as u32);
                    let get = Rvalue::GetVariantField { value: value(), variant, field: index };
                    self.match_part(field, get, ty, fail);
                }
            }
            PatternKind::Ok(inner) => {
                self.test(Rvalue::IsOk(value()), fail, span);
                let ty = self.ty(inner.ty, span);
                self.match_part(inner, Rvalue::UnwrapOk(value()), ty, fail);
            }
            PatternKind::Err(inner) => {
                self.test_not(Rvalue::IsOk(value()), fail, span);
                let get = Rvalue::UnwrapErr(value());
                self.match_part(inner, get, Types::STR, fail);
            }
            PatternKind::Or(alternatives) => {
                let Some(fail) = fail else { return };
                let matched = self.new_block();
                for (index, alternative) in alternatives.iter().enumerate() {
                    let last = index + 1 == alternatives.len();
                    let next = if last { fail } else { self.new_block() };
                    self.match_pattern(alternative, subject, Some(next));
                    self.goto(matched, span);
                    self.switch_to(next);
                }
                self.switch_to(matched);
            }
        }
    }

    /// Matches a part of the subject, which is taken out only if the pattern looks at it.
    pub fn match_part(
        &mut self,
        pattern: &'h Pattern,
        get: Rvalue,
        ty: TyId,
        fail: Option<BlockId>,
    ) {
        let ignored = matches!(pattern.kind, PatternKind::Wildcard)
            || (fail.is_none() && matches!(&pattern.kind, PatternKind::Or(_)));
        if let PatternKind::Bind(local) = &pattern.kind
            && let Slot::Local(local) = self.slot(*local)
        {
            self.assign(local, get, pattern.span);
        } else if !ignored {
            let value = self.operand_of(get, ty, pattern.span);
            self.match_pattern(pattern, &Subject::new(value, ty), fail);
        }
    }

    fn test(&mut self, test: Rvalue, fail: Option<BlockId>, span: Span) {
        if let Some(fail) = fail {
            let holds = self.temp_of(test, Types::BOOL, span);
            self.expect(holds, fail, span);
        }
    }

    fn test_not(&mut self, test: Rvalue, fail: Option<BlockId>, span: Span) {
        if let Some(fail) = fail {
            let holds = self.temp_of(test, Types::BOOL, span);
            let matched = self.new_block();
            self.branch(holds, fail, matched, span);
            self.switch_to(matched);
        }
    }

    fn test_compare(
        &mut self,
        comparison: Comparison,
        value: Operand,
        with: Operand,
        fail: Option<BlockId>,
        span: Span,
    ) {
        self.test(Rvalue::Binary(BinaryOp::Compare(comparison), value, with), fail, span);
    }

    fn number(&self, ty: TyId, value: i64) -> Operand {
        if ty == Types::BYTE { Operand::Const(Const::Byte(value as u8)) } else { int(value) }
    }
}

/// Which arm each number leads to.
struct Cases {
    cases: Vec<(i64, usize)>,
    /// `None`: the cases are all there are.
    default: Option<usize>,
}

/// The cases, when each arm is decided by the variant or the number alone.
fn switch_cases(arms: &[Arm]) -> Option<Cases> {
    let mut cases: Vec<(i64, usize)> = vec![];
    for (index, arm) in arms.iter().enumerate() {
        if arm.guard.is_some() {
            return None;
        }
        if is_irrefutable(&arm.pattern) {
            return Some(Cases { cases, default: Some(index) });
        }
        let mut numbers = vec![];
        decided_by(&arm.pattern, &mut numbers)?;
        for number in numbers {
            if cases.iter().all(|(taken, _)| *taken != number) {
                cases.push((number, index));
            }
        }
    }
    Some(Cases { cases, default: None })
}

/// The numbers or variants that match, when nothing else about the subject matters.
fn decided_by(pattern: &Pattern, numbers: &mut Vec<i64>) -> Option<()> {
    match &pattern.kind {
        PatternKind::Int(number) => numbers.push(*number),
        PatternKind::Variant { variant, fields } if fields.iter().all(is_irrefutable) => {
            numbers.push((*variant).into());
        }
        PatternKind::Or(alternatives) => {
            for alternative in alternatives {
                decided_by(alternative, numbers)?;
            }
        }
        _ => return None,
    }
    Some(())
}

/// Whether it matches every value of its type.
fn is_irrefutable(pattern: &Pattern) -> bool {
    match &pattern.kind {
        PatternKind::Wildcard | PatternKind::Bind(_) => true,
        PatternKind::Tuple(parts) => parts.iter().all(is_irrefutable),
        _ => false,
    }
}
