//! Random checked programs, lowered and run: they must tell the same story as the tree they came from,
//! and their MIR must keep its promises.
//!
//! A program is drawn from a list of bytes, where zero, and the end of the list, is the simplest choice:
//! so that proptest shrinks a failure to a small program.

use medi_check::hir::*;
use medi_check::mir;
use medi_check::types::*;
use medi_syntax::ast::BinaryOp;
use proptest::prelude::*;

use crate::tree::*;
use crate::value::Stop;
use crate::{machine, oracle};

/// Steps after which a story is cut off.
const FUEL: usize = 200_000;

/// The types that programs are made of.
#[derive(Clone, Copy)]
struct Kinds {
    maybe: TyId,
    pair: TyId,
    list: TyId,
    names: TyId,
    node: TyId,
    maybe_node: TyId,
    fork: TyId,
    maybe_fork: TyId,
    finding: TyId,
    plain: TyId,
    func: TyId,
    outcome: TyId,
}

/// A local in sight.
#[derive(Clone, Copy)]
struct Seen {
    local: LocalId,
    ty: TyId,
    mutable: bool,
    /// How many closures deep it was declared.
    depth: usize,
}

struct Draw<'a> {
    bytes: &'a [u8],
    tree: Tree,
    kinds: Kinds,
    /// Functions made so far: what they take and give.
    funcs: Vec<(FuncId, Vec<TyId>, TyId)>,
    func: FuncBuilder,
    seen: Vec<Seen>,
    depth: usize,
    loops: usize,
    /// Of the innermost function or closure.
    result: TyId,
    in_loop: bool,
}

impl Draw<'_> {
    /// A number below `n`; 0 when the bytes have run out.
    fn choose(&mut self, n: usize) -> usize {
        match self.bytes.split_first() {
            Some((first, rest)) => {
                self.bytes = rest;
                *first as usize % n
            }
            None => 0,
        }
    }

    fn declare(&mut self, name: &str, ty: TyId, mutable: bool) -> LocalId {
        let local = self.func.declare(name, ty, mutable, false);
        self.seen.push(Seen { local, ty, mutable, depth: self.depth });
        local
    }

    fn local(&mut self, seen: Seen) -> Expr {
        if seen.depth < self.depth {
            self.func.func.locals[seen.local.0 as usize].captured = true;
        }
        self.func.get(seen.local)
    }

    /// A local of the type in sight.
    fn find(&mut self, ty: TyId, mutable: bool) -> Option<Seen> {
        let fitting = |seen: &&Seen| seen.ty == ty && (seen.mutable || !mutable);
        let found: Vec<_> = self.seen.iter().filter(fitting).copied().collect();
        (!found.is_empty()).then(|| found[self.choose(found.len())])
    }

    fn expr(&mut self, ty: TyId, size: usize) -> Expr {
        let kind = self.choose(12);
        if size == 0 || kind < 3 {
            return self.leaf(ty);
        }
        match kind {
            3 => {
                let mark = self.seen.len();
                let cond = Box::new(self.cond(size - 1));
                let then = Box::new(self.expr(ty, size - 1));
                self.seen.truncate(mark);
                let otherwise = Some(Box::new(self.expr(ty, size - 1)));
                expr(ExprKind::If { cond, then, otherwise }, ty)
            }
            4 => {
                let mark = self.seen.len();
                let stmts = self.stmts(size - 1);
                let value = self.expr(ty, size - 1);
                self.seen.truncate(mark);
                block_value(stmts, value)
            }
            5 => self.matched(ty, size - 1),
            6 => {
                let fitting: Vec<_> =
                    self.funcs.iter().filter(|(_, _, result)| *result == ty).cloned().collect();
                if fitting.is_empty() {
                    return self.leaf(ty);
                }
                let (func, params, _) = fitting[self.choose(fitting.len())].clone();
                let args = params.iter().map(|ty| self.expr(*ty, size - 1)).collect();
                call(func, &[], args, ty)
            }
            7 => {
                let body = self.expr(ty, size - 1);
                let scope = ExprKind::Scope { name: None, body: Box::new(body), end: span() };
                expr(scope, ty)
            }
            _ => self.typical(ty, size - 1),
        }
    }

    /// A constant or a local.
    fn leaf(&mut self, ty: TyId) -> Expr {
        if self.choose(2) == 1
            && let Some(seen) = self.find(ty, false)
        {
            return self.local(seen);
        }
        let k = self.kinds;
        match ty {
            Types::INT => match self.choose(64) {
                63 => int(i64::MAX - 3),
                small => int(small as i64 % 6 - 1),
            },
            Types::BOOL => {
                let value = self.choose(2) == 1;
                expr(ExprKind::Bool(value), Types::BOOL)
            }
            Types::STR => text(["", "a", "b"][self.choose(3)]),
            Types::UNIT => expr(ExprKind::Unit, ty),
            _ if [k.maybe, k.maybe_node, k.maybe_fork].contains(&ty) => expr(ExprKind::Nil, ty),
            _ if ty == k.pair => expr(ExprKind::Tuple(vec![int(1), int(2)]), ty),
            _ if ty == k.list || ty == k.names => expr(ExprKind::List(vec![]), ty),
            _ if ty == k.plain || ty == k.finding => {
                expr(ExprKind::NewVariant { variant: 0, fields: vec![] }, ty)
            }
            _ if ty == k.outcome => expr(ExprKind::Fail(Box::new(text("no"))), ty),
            _ if ty == k.node => {
                let nil = expr(ExprKind::Nil, k.maybe_node);
                let fields = vec![(0, int(0)), (1, text("n")), (2, nil)];
                expr(ExprKind::NewRecord { fields }, ty)
            }
            _ if ty == k.func => self.closure(0),
            _ => unreachable!("every type has a leaf"),
        }
    }

    fn closure(&mut self, size: usize) -> Expr {
        let (mark, in_loop) = (self.seen.len(), std::mem::replace(&mut self.in_loop, false));
        let result = std::mem::replace(&mut self.result, Types::INT);
        self.depth += 1;
        let param = self.declare("x", Types::INT, false);
        let body = Box::new(self.expr(Types::INT, size));
        self.depth -= 1;
        self.seen.truncate(mark);
        (self.in_loop, self.result) = (in_loop, result);
        expr(ExprKind::Closure { params: vec![param], body, task: None }, self.kinds.func)
    }

    /// What only this type has.
    fn typical(&mut self, ty: TyId, size: usize) -> Expr {
        let k = self.kinds;
        let which = self.choose(6);
        match ty {
            Types::INT => match which {
                0 => field(self.expr(k.node, size), 0, ty),
                1 => {
                    let base = Box::new(self.expr(k.pair, size));
                    let index = self.choose(2) as u32;
                    expr(ExprKind::TupleField { base, index }, ty)
                }
                2 => index(self.expr(k.list, size), self.expr(ty, 0), ty),
                3 => {
                    let left = Box::new(self.expr(k.maybe, size));
                    let right = Box::new(self.expr(ty, size));
                    expr(ExprKind::Coalesce { left, right }, ty)
                }
                4 => {
                    let callee = Box::new(self.expr(k.func, size));
                    let args = vec![self.expr(ty, size)];
                    expr(ExprKind::CallValue { callee, args }, ty)
                }
                _ => {
                    let op = [BinaryOp::Add, BinaryOp::Sub, BinaryOp::Mul][self.choose(3)];
                    binary(op, self.expr(ty, size), self.expr(ty, size), ty)
                }
            },
            Types::BOOL => match which {
                0 => expr(ExprKind::Not(Box::new(self.expr(ty, size))), ty),
                1 | 2 => {
                    let op = if which == 1 { BinaryOp::And } else { BinaryOp::Or };
                    binary(op, self.expr(ty, size), self.expr(ty, size), ty)
                }
                3 => {
                    let op = if self.choose(2) == 0 { BinaryOp::Eq } else { BinaryOp::Ne };
                    let left = self.expr(k.maybe_node, size);
                    binary(op, left, expr(ExprKind::Nil, k.maybe_node), ty)
                }
                4 => binary(
                    BinaryOp::Eq,
                    self.expr(Types::STR, size),
                    self.expr(Types::STR, size),
                    ty,
                ),
                _ => {
                    let op = [BinaryOp::Lt, BinaryOp::Ge, BinaryOp::Ne][self.choose(3)];
                    binary(op, self.expr(Types::INT, size), self.expr(Types::INT, size), ty)
                }
            },
            Types::STR => match which {
                0 => field(self.expr(k.node, size), 1, ty),
                1 => {
                    let value = self.expr(Types::INT, size);
                    let pieces =
                        vec![Piece::Text("#".into()), Piece::Value { value, format: None }];
                    expr(ExprKind::Interpolate(pieces), ty)
                }
                _ => binary(BinaryOp::Add, self.expr(ty, size), self.expr(ty, size), ty),
            },
            _ if ty == k.maybe => match which {
                0 => {
                    let value = Box::new(self.expr(k.maybe_node, size));
                    let mark = self.seen.len();
                    let local = self.declare("n", k.node, false);
                    let inner = Seen { local, ty: k.node, mutable: false, depth: self.depth };
                    let body = Box::new(field(self.local(inner), 0, Types::INT));
                    self.seen.truncate(mark);
                    expr(ExprKind::OptionalChain { value, local, body }, ty)
                }
                _ => self.converted(Conversion::ToOptional, Types::INT, ty, size),
            },
            _ if ty == k.maybe_node => match which {
                0 => field(self.expr(k.node, size), 2, ty),
                _ => self.converted(Conversion::ToOptional, k.node, ty, size),
            },
            _ if ty == k.node => match which {
                0 => expr(ExprKind::Assert(Box::new(self.expr(k.maybe_node, size))), ty),
                _ => {
                    // Written in another order than declared.
                    let fields = vec![
                        (2, self.expr(k.maybe_node, size)),
                        (0, self.expr(Types::INT, size)),
                        (1, self.expr(Types::STR, size)),
                    ];
                    expr(ExprKind::NewRecord { fields }, ty)
                }
            },
            _ if ty == k.pair => {
                let parts = vec![self.expr(Types::INT, size), self.expr(Types::INT, size)];
                expr(ExprKind::Tuple(parts), ty)
            }
            _ if ty == k.list || ty == k.names => {
                let element = if ty == k.list { Types::INT } else { Types::STR };
                let count = self.choose(11);
                let elements = (0..count).map(|_| self.expr(element, size.min(1))).collect();
                expr(ExprKind::List(elements), ty)
            }
            _ if ty == k.finding => match which {
                0 => {
                    let fields = vec![(0, self.expr(Types::INT, size))];
                    expr(ExprKind::NewVariant { variant: 1, fields }, ty)
                }
                _ => {
                    let fields = vec![(0, self.expr(k.node, size)), (1, self.expr(k.plain, size))];
                    expr(ExprKind::NewVariant { variant: 2, fields }, ty)
                }
            },
            _ if ty == k.plain => {
                let variant = self.choose(3) as u32;
                expr(ExprKind::NewVariant { variant, fields: vec![] }, ty)
            }
            _ if ty == k.outcome => match which {
                0 => expr(ExprKind::Fail(Box::new(self.expr(Types::STR, size))), ty),
                _ => expr(ExprKind::Ok(Box::new(self.expr(Types::INT, size))), ty),
            },
            _ if ty == k.func => self.closure(size),
            _ => self.leaf(ty),
        }
    }

    fn converted(&mut self, conversion: Conversion, from: TyId, to: TyId, size: usize) -> Expr {
        let value = Box::new(self.expr(from, size));
        expr(ExprKind::Convert { conversion, value }, to)
    }

    fn cond(&mut self, size: usize) -> Cond {
        match self.choose(4) {
            0 => {
                let value = self.expr(self.kinds.maybe, size);
                let local = self.declare("p", Types::INT, false);
                let bind = self.func.binding(local);
                let kind = PatternKind::Some(Box::new(bind));
                Cond::Let { pattern: pattern(kind, self.kinds.maybe), value }
            }
            _ => Cond::Expr(self.expr(Types::BOOL, size)),
        }
    }

    fn matched(&mut self, ty: TyId, size: usize) -> Expr {
        let k = self.kinds;
        let on = [k.finding, k.plain, Types::INT, k.pair, k.maybe, k.outcome, Types::STR];
        let on = on[self.choose(7)];
        let subject = Box::new(self.expr(on, size));
        let mut arms = vec![];
        let count = self.choose(4);
        for _ in 0..count {
            let mark = self.seen.len();
            let pattern = self.pattern(on, 2);
            let guard = (self.choose(3) == 1).then(|| self.expr(Types::BOOL, size.min(1)));
            let body = self.expr(ty, size);
            self.seen.truncate(mark);
            arms.push(Arm { pattern, guard, body });
        }
        let rest: Vec<Pattern> = match () {
            _ if on == k.plain && self.choose(2) == 1 => (0..3)
                .map(|variant| PatternKind::Variant { variant, fields: vec![] })
                .map(|kind| pattern(kind, on))
                .collect(),
            _ if on == k.outcome => {
                let wild = |ty| Box::new(pattern(PatternKind::Wildcard, ty));
                let kinds = [PatternKind::Ok(wild(Types::INT)), PatternKind::Err(wild(Types::STR))];
                kinds.into_iter().map(|kind| pattern(kind, on)).collect()
            }
            _ => vec![pattern(PatternKind::Wildcard, on)],
        };
        for pattern in rest {
            let body = self.expr(ty, size);
            arms.push(Arm { pattern, guard: None, body });
        }
        expr(ExprKind::Match { subject, arms }, ty)
    }

    fn pattern(&mut self, ty: TyId, size: usize) -> Pattern {
        let k = self.kinds;
        let which = self.choose(4);
        let kind = match ty {
            _ if size == 0 || which == 0 => {
                let local = self.declare("m", ty, false);
                PatternKind::Bind(local)
            }
            _ if which == 1 => PatternKind::Wildcard,
            Types::INT => match which {
                2 => PatternKind::Int(self.choose(4) as i64),
                _ => PatternKind::Or(vec![
                    pattern(PatternKind::Int(1), ty),
                    pattern(PatternKind::Range { low: 3, high: 5 }, ty),
                ]),
            },
            Types::STR => PatternKind::Str("a".into()),
            _ if ty == k.pair => {
                let parts = (0..2).map(|_| self.pattern(Types::INT, size - 1)).collect();
                PatternKind::Tuple(parts)
            }
            _ if ty == k.maybe => match which {
                2 => PatternKind::Nil,
                _ => PatternKind::Some(Box::new(self.pattern(Types::INT, size - 1))),
            },
            _ if ty == k.outcome => match which {
                2 => PatternKind::Ok(Box::new(self.pattern(Types::INT, size - 1))),
                _ => PatternKind::Err(Box::new(self.pattern(Types::STR, size - 1))),
            },
            _ if ty == k.plain => match which {
                2 => PatternKind::Or(
                    (0..2)
                        .map(|variant| PatternKind::Variant { variant, fields: vec![] })
                        .map(|kind| pattern(kind, ty))
                        .collect(),
                ),
                _ => PatternKind::Variant { variant: 2, fields: vec![] },
            },
            _ if ty == k.finding => {
                let variant = self.choose(3) as u32;
                let types = [vec![], vec![Types::INT], vec![k.node, k.plain]];
                let types = types[variant as usize].clone();
                let fields = types.iter().map(|ty| self.pattern(*ty, size - 1)).collect();
                PatternKind::Variant { variant, fields }
            }
            _ => PatternKind::Wildcard,
        };
        pattern(kind, ty)
    }

    fn stmts(&mut self, size: usize) -> Vec<Stmt> {
        let count = 1 + self.choose(4);
        (0..count).map(|_| self.stmt(size)).collect()
    }

    fn any_type(&mut self) -> TyId {
        let k = self.kinds;
        let all = [
            Types::INT,
            Types::BOOL,
            Types::STR,
            k.maybe,
            k.pair,
            k.list,
            k.node,
            k.maybe_node,
            k.finding,
            k.plain,
            k.func,
            k.outcome,
            k.names,
        ];
        all[self.choose(13)]
    }

    fn block(&mut self, size: usize) -> Expr {
        let mark = self.seen.len();
        let stmts = self.stmts(size);
        self.seen.truncate(mark);
        block(stmts)
    }

    /// A loop over the indices of a list, or while a field is small, that reads what its body, and other
    /// names of the same objects, may write: what an optimiser must get right.
    fn idiom(&mut self, size: usize) -> Stmt {
        let k = self.kinds;
        let counts = self.choose(3);
        let mark = self.seen.len();
        let ty = if counts < 2 { k.list } else { k.node };
        let value = self.expr(ty, 1);
        let own = self.func.declare("own", ty, false, false);
        let other = self.func.declare("other", ty, false, false);
        let mut stmts = vec![self.func.let_(own, value)];
        self.seen.push(Seen { local: own, ty, mutable: false, depth: self.depth });
        let aliased = if self.choose(2) == 0 { self.func.get(own) } else { self.expr(ty, 1) };
        stmts.push(self.func.let_(other, aliased));
        self.seen.push(Seen { local: other, ty, mutable: false, depth: self.depth });
        let get = |draw: &Self, local| draw.func.get(local);
        if counts < 2 {
            // The body must not assign it, so that the loop ends.
            let i = self.func.declare("i", Types::INT, counts == 1, false);
            self.seen.push(Seen { local: i, ty: Types::INT, mutable: false, depth: self.depth });
            let at = |draw: &Self, list| index(get(draw, list), get(draw, i), Types::INT);
            let len = |draw: &Self| field(get(draw, own), 0, Types::INT);
            let shown = effect(print(vec![at(self, own)]));
            let mut body = self.stmts(size.min(1));
            let change = assign(at(self, other), Some(BinaryOp::Add), int(1));
            let again = effect(print(vec![at(self, own), len(self)]));
            let pick = self.choose(4);
            if pick > 1 {
                body.push(change);
            }
            if pick == 3 {
                let which = self.choose(2);
                let (pop, ..) = self.funcs[which];
                let popped = call(pop, &[], vec![get(self, other)], Types::INT);
                body.push(effect(print(vec![popped])));
            }
            body.insert(0, shown);
            let in_bounds = binary(BinaryOp::Lt, get(self, i), len(self), Types::BOOL);
            body.push(effect(when(in_bounds, block(vec![again]))));
            if counts == 0 {
                let iter = Iter::Range { start: int(0), end: len(self), inclusive: false };
                let pattern = self.func.binding(i);
                stmts.push(stmt(StmtKind::For { pattern, iter, body: block(body) }));
            } else {
                body.push(assign(get(self, i), Some(BinaryOp::Add), int(1)));
                stmts.push(self.func.let_(i, int(0)));
                let cond = Cond::Expr(binary(BinaryOp::Lt, get(self, i), len(self), Types::BOOL));
                stmts.push(stmt(StmtKind::While { cond, body: block(body) }));
            }
        } else {
            let value = |draw: &Self, node| field(get(draw, node), 0, Types::INT);
            let mut body = vec![effect(print(vec![value(self, own), value(self, other)]))];
            body.extend(self.stmts(size.min(1)));
            body.push(assign(value(self, own), Some(BinaryOp::Add), int(1)));
            if self.choose(2) == 1 {
                body.push(assign(value(self, other), Some(BinaryOp::Add), int(2)));
            }
            let small = binary(BinaryOp::Lt, value(self, own), int(5), Types::BOOL);
            let close = binary(BinaryOp::Gt, value(self, own), int(-5), Types::BOOL);
            let cond = Cond::Expr(binary(BinaryOp::And, small, close, Types::BOOL));
            stmts.push(stmt(StmtKind::While { cond, body: block(body) }));
        }
        self.seen.truncate(mark);
        effect(block(stmts))
    }

    fn stmt(&mut self, size: usize) -> Stmt {
        let kind = self.choose(14);
        if size == 0 || kind == 0 {
            return effect(print(vec![self.expr(Types::INT, size.min(1))]));
        }
        match kind {
            1 | 2 => {
                let ty = if self.choose(2) == 0 { Types::INT } else { self.any_type() };
                let value = self.expr(ty, size - 1);
                let mutable = self.choose(2) == 1;
                let local = self.declare("v", ty, mutable);
                self.func.let_(local, value)
            }
            3 | 4 => self.assignment(size - 1),
            5 => {
                let mark = self.seen.len();
                let cond = Box::new(self.cond(size - 1));
                let then = Box::new(self.block(size - 1));
                self.seen.truncate(mark);
                let otherwise = (self.choose(2) == 1).then(|| Box::new(self.block(size - 1)));
                effect(expr(ExprKind::If { cond, then, otherwise }, Types::UNIT))
            }
            13 => {
                let mark = self.seen.len();
                let changing = self.changing(size - 1);
                self.seen.truncate(mark);
                changing
            }
            11 | 12 if self.loops < 2 => {
                self.loops += 1;
                let in_loop = std::mem::replace(&mut self.in_loop, false);
                let idiom = self.idiom(size - 1);
                self.in_loop = in_loop;
                self.loops -= 1;
                idiom
            }
            6 | 7 if self.loops < 2 => self.looping(size - 1, kind == 6),
            8 if self.in_loop => {
                let cond = self.expr(Types::BOOL, size.min(1));
                let jump = if self.choose(2) == 0 { ExprKind::Break } else { ExprKind::Continue };
                effect(when(cond, expr(jump, Types::NEVER)))
            }
            8 => {
                let cond = self.expr(Types::BOOL, size.min(1));
                let value = self.expr(self.result, size - 1);
                let back = ExprKind::Return(Some(Box::new(value)));
                effect(when(cond, expr(back, Types::NEVER)))
            }
            9 if self.result == self.kinds.outcome => {
                let tried = Box::new(self.expr(self.kinds.outcome, size - 1));
                let value = expr(ExprKind::Try(tried), Types::INT);
                let local = self.declare("t", Types::INT, false);
                self.func.let_(local, value)
            }
            9 => {
                let value = self.converted(
                    Conversion::UnwrapResult,
                    self.kinds.outcome,
                    Types::INT,
                    size - 1,
                );
                effect(print(vec![value]))
            }
            _ => {
                let inner = self.block(size - 1);
                let scope = ExprKind::Scope { name: None, body: Box::new(inner), end: span() };
                effect(expr(scope, Types::UNIT))
            }
        }
    }

    fn assignment(&mut self, size: usize) -> Stmt {
        let k = self.kinds;
        let op = (self.choose(2) == 1).then_some(BinaryOp::Add);
        let target = match self.choose(6) {
            0 => field(self.expr(k.node, size.min(1)), 0, Types::INT),
            1 => field(self.expr(k.node, size.min(1)), 1, Types::STR),
            2 => index(self.expr(k.list, size.min(1)), self.expr(Types::INT, 0), Types::INT),
            3 => match self.find(k.pair, true) {
                Some(seen) => {
                    let base = Box::new(self.local(seen));
                    let index = self.choose(2) as u32;
                    expr(ExprKind::TupleField { base, index }, Types::INT)
                }
                None => return effect(print(vec![int(0)])),
            },
            4 => index(self.expr(k.names, size.min(1)), self.expr(Types::INT, 0), Types::STR),
            _ => {
                let mutable: Vec<_> = self.seen.iter().filter(|s| s.mutable).copied().collect();
                if mutable.is_empty() {
                    return effect(print(vec![int(1)]));
                }
                let seen = mutable[self.choose(mutable.len())];
                self.local(seen)
            }
        };
        let op = op.filter(|_| matches!(target.ty, Types::INT | Types::STR));
        let value = self.expr(target.ty, size);
        assign(target, op, value)
    }

    fn looping(&mut self, size: usize, counting: bool) -> Stmt {
        let mark = self.seen.len();
        let kind = if counting {
            match self.choose(3) {
                0 => {
                    // A `while` that counts, so that it ends.
                    let counter = self.func.declare("k", Types::INT, true, false);
                    let count = assign(self.func.get(counter), Some(BinaryOp::Add), int(1));
                    let bound = binary(BinaryOp::Lt, self.func.get(counter), int(4), Types::BOOL);
                    let more = self.expr(Types::BOOL, size.min(1));
                    let cond = Cond::Expr(binary(BinaryOp::And, bound, more, Types::BOOL));
                    let body = self.loop_body(size);
                    let body = block(vec![count, effect(body)]);
                    let loop_ = stmt(StmtKind::While { cond, body });
                    let start = self.func.let_(counter, int(0));
                    StmtKind::Expr(block(vec![start, loop_]))
                }
                which => {
                    let (start, end) = (self.expr(Types::INT, 0), int(3));
                    let iter = Iter::Range { start, end, inclusive: which == 1 };
                    let i = self.declare("i", Types::INT, false);
                    let pattern = self.func.binding(i);
                    StmtKind::For { pattern, iter, body: self.loop_body(size) }
                }
            }
        } else {
            let iter = Iter::List(self.expr(self.kinds.list, size));
            let x = self.declare("e", Types::INT, false);
            let pattern = self.func.binding(x);
            StmtKind::For { pattern, iter, body: self.loop_body(size) }
        };
        self.seen.truncate(mark);
        stmt(kind)
    }

    fn loop_body(&mut self, size: usize) -> Expr {
        let in_loop = std::mem::replace(&mut self.in_loop, true);
        self.loops += 1;
        let body = self.block(size);
        self.loops -= 1;
        self.in_loop = in_loop;
        body
    }

    /// `pop(xs)` and `halve(xs)`, the first functions: they make a list shorter and give what was its last
    /// element. The second has a loop, so that it is called and not inlined.
    fn shorteners(&mut self) {
        for (name, looping) in [("pop", false), ("halve", true)] {
            let list = self.kinds.list;
            let mut func = FuncBuilder::new(name, Types::INT);
            let xs = func.param("xs", list);
            let i = func.bind("i", Types::INT);
            let len = || field(expr(ExprKind::Local(xs), list), 0, Types::INT);
            let empty = binary(BinaryOp::Eq, len(), int(0), Types::BOOL);
            let back = ExprKind::Return(Some(Box::new(int(-1))));
            let last = binary(BinaryOp::Sub, len(), int(1), Types::INT);
            let value = func.bind("value", Types::INT);
            let shorter = assign(len(), Some(BinaryOp::Sub), int(1));
            let shorter = if looping {
                let iter = Iter::Range { start: int(1), end: len(), inclusive: false };
                let pattern = func.binding(i);
                stmt(StmtKind::For { pattern, iter, body: block(vec![shorter]) })
            } else {
                shorter
            };
            let stmts = vec![
                effect(when(empty, expr(back, Types::NEVER))),
                func.let_(value, index(func.get(xs), last, Types::INT)),
                shorter,
            ];
            let body = block_value(stmts, func.get(value));
            let id = self.tree.func(func, body);
            self.funcs.push((id, vec![list], Types::INT));
        }
    }

    /// `climb(n)` and `fork(n)`, which call themselves: small enough to take in a few of their own calls. A
    /// fork is a record that is allocated before the calls that make its parts.
    fn recursions(&mut self) {
        let fork = self.kinds.maybe_fork;
        for (name, result) in [("climb", Types::INT), ("fork", fork)] {
            let mut func = FuncBuilder::new(name, result);
            let n = func.param("n", Types::INT);
            let own = FuncId(self.tree.program.funcs.len() as u32);
            self.func = func;
            self.seen = vec![Seen { local: n, ty: Types::INT, mutable: false, depth: 0 }];
            self.result = result;
            let level = || expr(ExprKind::Local(n), Types::INT);
            let deeper = |step| {
                call(own, &[], vec![binary(BinaryOp::Sub, level(), int(step), Types::INT)], result)
            };
            let end = self.leaf(result);
            let end = expr(ExprKind::Return(Some(Box::new(end))), Types::NEVER);
            let low = binary(BinaryOp::Lt, level(), int(1), Types::BOOL);
            let high = binary(BinaryOp::Gt, level(), int(6), Types::BOOL);
            let outside = binary(BinaryOp::Or, low, high, Types::BOOL);
            let mut stmts = vec![effect(when(outside, end))];
            if self.choose(2) == 1 {
                stmts.push(effect(print(vec![level()])));
            }
            let value = if result == fork {
                let mut fields = vec![
                    (1, deeper(1 + self.choose(2) as i64)),
                    (0, self.expr(Types::INT, 1)),
                    (2, deeper(1 + self.choose(2) as i64)),
                ];
                fields.rotate_left(self.choose(3));
                let record = expr(ExprKind::NewRecord { fields }, self.kinds.fork);
                let (conversion, value) = (Conversion::ToOptional, Box::new(record));
                expr(ExprKind::Convert { conversion, value }, fork)
            } else {
                let other = self.expr(Types::INT, 1);
                let sum = binary(BinaryOp::Add, deeper(1), other, Types::INT);
                match self.choose(2) {
                    0 => sum,
                    _ => binary(BinaryOp::Sub, sum, deeper(2), Types::INT),
                }
            };
            let func = std::mem::replace(&mut self.func, FuncBuilder::main());
            self.tree.func(func, block_value(stmts, value));
            self.funcs.push((own, vec![Types::INT], result));
        }
    }

    /// `weigh(fork)`, which differs when any part of a fork does.
    fn weigher(&mut self) {
        let (fork, maybe) = (self.kinds.fork, self.kinds.maybe_fork);
        let mut func = FuncBuilder::new("weigh", Types::INT);
        let root = func.param("root", maybe);
        let own = FuncId(self.tree.program.funcs.len() as u32);
        let present = func.bind("present", fork);
        let part = |index, ty| field(expr(ExprKind::Local(present), fork), index, ty);
        let weighed = |index| call(own, &[], vec![part(index, maybe)], Types::INT);
        let parts = binary(BinaryOp::Sub, weighed(1), weighed(2), Types::INT);
        let weight = binary(BinaryOp::Add, part(0, Types::INT), parts, Types::INT);
        let kind = PatternKind::Some(Box::new(func.binding(present)));
        let cond = Cond::Let { pattern: pattern(kind, maybe), value: func.get(root) };
        let (then, otherwise) = (Box::new(weight), Some(Box::new(int(1))));
        let body = expr(ExprKind::If { cond: Box::new(cond), then, otherwise }, Types::INT);
        self.tree.func(func, body);
        self.funcs.push((own, vec![maybe], Types::INT));
    }

    /// An expression whose right side changes what its left side read.
    fn changing(&mut self, size: usize) -> Stmt {
        let start = self.expr(Types::INT, size);
        let local = self.declare("changed", Types::INT, true);
        let changed = self.expr(Types::INT, size);
        let change = assign(self.func.get(local), None, changed);
        let right = block_value(vec![change], self.expr(Types::INT, size));
        let sum = binary(BinaryOp::Add, self.func.get(local), right, Types::INT);
        effect(block(vec![self.func.let_(local, start), effect(print(vec![sum]))]))
    }

    /// Makes a function that later ones may call.
    fn function(&mut self, name: &str, params: &[TyId], result: TyId) {
        self.func = FuncBuilder::new(name, result);
        self.seen.clear();
        self.result = result;
        for ty in params {
            let local = self.func.param("a", *ty);
            self.seen.push(Seen { local, ty: *ty, mutable: false, depth: 0 });
        }
        let stmts = self.stmts(3);
        let value = self.expr(result, 3);
        let func = std::mem::replace(&mut self.func, FuncBuilder::main());
        let id = self.tree.func(func, block_value(stmts, value));
        self.funcs.push((id, params.to_vec(), result));
    }
}

fn program(bytes: &[u8]) -> Program {
    let mut tree = Tree::new();
    let node = tree.record("Node", 0, &[]);
    let node = tree.ty(Ty::Record(node, vec![]));
    let maybe_node = tree.optional(node);
    let declared = [("value", Types::INT), ("name", Types::STR), ("next", maybe_node)];
    let fields = declared.map(|(name, ty)| Field { name: name.into(), ty });
    tree.program.records.last_mut().expect("it was just declared").fields = fields.into();
    let fork = tree.record("Fork", 0, &[]);
    let fork = tree.ty(Ty::Record(fork, vec![]));
    let maybe_fork = tree.optional(fork);
    let declared = [("weight", Types::INT), ("left", maybe_fork), ("right", maybe_fork)];
    let fields = declared.map(|(name, ty)| Field { name: name.into(), ty });
    tree.program.records.last_mut().expect("it was just declared").fields = fields.into();
    let plain = tree.enumeration("Sign", &[("Low", &[]), ("Mid", &[]), ("High", &[])]);
    let two: &[TyId] = &[node, plain];
    let finding =
        tree.enumeration("Finding", &[("Normal", &[]), ("One", &[Types::INT]), ("Two", two)]);
    let kinds = Kinds {
        maybe: tree.optional(Types::INT),
        pair: tree.ty(Ty::Tuple(vec![Types::INT, Types::INT])),
        list: tree.list(Types::INT),
        names: tree.list(Types::STR),
        node,
        maybe_node,
        fork,
        maybe_fork,
        finding,
        plain,
        func: tree.ty(Ty::Func { params: vec![Types::INT], result: Types::INT }),
        outcome: tree.ty(Ty::Result(Types::INT)),
    };
    let mut draw = Draw {
        bytes,
        tree,
        kinds,
        funcs: vec![],
        func: FuncBuilder::main(),
        seen: vec![],
        depth: 0,
        loops: 0,
        result: Types::UNIT,
        in_loop: false,
    };
    draw.shorteners();
    draw.recursions();
    draw.weigher();
    draw.function("small", &[Types::INT, kinds.node], Types::INT);
    draw.function("tried", &[kinds.list], kinds.outcome);
    draw.function("link", &[kinds.maybe_node, Types::STR], kinds.node);
    draw.function("start", &[], Types::INT);
    let called = |index: usize, args| {
        let (id, _, result) = &draw.funcs[index];
        call(*id, &[], args, *result)
    };
    let start = called(draw.funcs.len() - 1, vec![]);
    let weight = called(4, vec![called(3, vec![int(5)])]);
    let shown = effect(print(vec![called(2, vec![int(5)]), weight, start]));
    draw.tree.main(FuncBuilder::main(), block(vec![shown]));
    draw.tree.program
}

/// Compares the stories; whether the program was run to its end.
fn compare(bytes: &[u8]) -> bool {
    let wanted = oracle::run(&program(bytes), FUEL);
    if wanted.end == Err(Stop::Fuel) {
        return false;
    }
    let lowered = medi_check::lower::lower(program(bytes)).expect("it is a right program");
    assert_eq!(mir::validate(&lowered), Vec::<String>::new());
    let found = machine::run(&lowered, FUEL * 20);
    assert_eq!(found, wanted, "{}", mir::display(&lowered));
    true
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(cases()) })]

    #[test]
    fn a_lowered_program_does_what_its_tree_says(
        bytes in proptest::collection::vec(any::<u8>(), 0..1500)
    ) {
        compare(&bytes);
    }
}

/// `MEDI_CASES` asks for more than the bounded run.
fn cases() -> u32 {
    std::env::var("MEDI_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(400)
}

#[test]
fn the_random_programs_are_worth_running() {
    // A generator that only makes programs that stop at once would hold anything.
    let mut seed = 1u64;
    let (mut finished, mut shown) = (0, 0);
    for _ in 0..100 {
        let bytes: Vec<u8> = (0..1000)
            .map(|_| {
                seed = seed.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
                (seed >> 33) as u8
            })
            .collect();
        let story = oracle::run(&program(&bytes), FUEL);
        finished += usize::from(story.end.is_ok());
        shown += story.events.len();
    }
    assert!(finished >= 20 && shown >= 300, "{finished} of 100 finish and show {shown} events");
}
