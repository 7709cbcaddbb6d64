//! Which references must lie on the stack at which statement.
//!
//! A collection may happen only at a *point*: a call, an allocation, a safepoint. At each point every
//! reference that is needed afterwards has to be in a frame slot that the stack map names. This module
//! finds, per point, the live locals that hold references (backward data-flow), and which of them are in
//! their slot already because an earlier call on every path stored them and nothing assigned them since
//! (forward data-flow), so that a call in a loop does not store the same reference again and again.
//!
//! Points that are rarely reached (the slow path of an allocation, a poll that finds its flag set) store
//! what they need inside the cold block, so the hot path pays nothing; they therefore promise nothing to
//! later points.

use std::rc::Rc;

use medi_check::mir::{
    Function, Local, Operand, Rvalue, Stmt, StmtKind, Terminator, TerminatorKind,
};

/// Which local a root belongs to: a local of the function, or its closure object, which has the number
/// after the last local.
pub type RootLocal = u32;

/// A statement at which a collection may happen.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum PointKind {
    /// Not at all.
    None,
    /// Whenever the statement runs: a call.
    Hot,
    /// In a block that is rarely entered.
    Cold,
}

/// One point's demand.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Point {
    /// Locals with references that are read after the point, ascending.
    pub live: Vec<RootLocal>,
    /// Those of them that are not in their slots yet.
    pub unsaved: Vec<RootLocal>,
}

/// All points of a function.
#[derive(Debug, Default)]
pub struct RootPlan {
    /// What a collection at the function's entry must find: parameters.
    pub entry: Rc<Point>,
    /// Per block, in order of statements; one entry for each statement that is a point.
    blocks: Vec<Vec<(u32, Rc<Point>)>>,
}

impl RootPlan {
    /// The demand of a statement; `None` when it is no point.
    pub fn find(&self, block: usize, stmt: usize) -> Option<Rc<Point>> {
        let points = &self.blocks[block];
        let index = points.binary_search_by_key(&(stmt as u32), |(at, _)| *at).ok()?;
        Some(Rc::clone(&points[index].1))
    }
}

/// A set of small numbers.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Bits(Vec<u64>);

impl Bits {
    fn empty(len: usize) -> Bits {
        Bits(vec![0; len.div_ceil(64)])
    }

    fn full(len: usize) -> Bits {
        Bits(vec![u64::MAX; len.div_ceil(64)])
    }

    fn insert(&mut self, index: u32) {
        self.0[index as usize / 64] |= 1 << (index % 64);
    }

    fn remove(&mut self, index: u32) {
        self.0[index as usize / 64] &= !(1 << (index % 64));
    }

    fn contains(&self, index: u32) -> bool {
        self.0[index as usize / 64] >> (index % 64) & 1 == 1
    }

    /// Adds all of `other`; whether anything was new.
    fn union(&mut self, other: &Bits) -> bool {
        let mut changed = false;
        for (mine, theirs) in self.0.iter_mut().zip(&other.0) {
            changed |= *theirs & !*mine != 0;
            *mine |= theirs;
        }
        changed
    }

    /// Keeps what is in `other` too; whether anything went.
    fn intersect(&mut self, other: &Bits) -> bool {
        let mut changed = false;
        for (mine, theirs) in self.0.iter_mut().zip(&other.0) {
            changed |= *mine & !*theirs != 0;
            *mine &= theirs;
        }
        changed
    }

    fn iter(&self) -> impl Iterator<Item = u32> + '_ {
        self.0.iter().enumerate().flat_map(|(word, bits)| {
            let mut bits = *bits;
            std::iter::from_fn(move || {
                let bit = (bits != 0).then(|| bits.trailing_zeros())?;
                bits &= bits - 1;
                Some(word as u32 * 64 + bit)
            })
        })
    }
}

/// Finds the points of a function. `holds_references` answers for a local, `kind` for a statement, given
/// its block and its number there.
pub fn plan(
    function: &Function,
    holds_references: &dyn Fn(Local) -> bool,
    kind: &dyn Fn(usize, usize, &Stmt) -> PointKind,
) -> RootPlan {
    Analysis::new(function, holds_references, kind).run()
}

struct Analysis<'a> {
    function: &'a Function,
    kind: &'a dyn Fn(usize, usize, &Stmt) -> PointKind,
    /// By local: whether it holds references. The closure object is the last entry.
    interesting: Vec<bool>,
    successors: Vec<Vec<usize>>,
}

impl<'a> Analysis<'a> {
    fn new(
        function: &'a Function,
        holds_references: &dyn Fn(Local) -> bool,
        kind: &'a dyn Fn(usize, usize, &Stmt) -> PointKind,
    ) -> Analysis<'a> {
        let locals = 0..function.locals.len() as u32;
        let mut interesting: Vec<bool> =
            locals.map(|local| holds_references(Local(local))).collect();
        interesting.push(function.captures.is_some());
        let blocks = function.blocks.iter();
        let successors = blocks.map(|block| successors(&block.terminator)).collect();
        Analysis { function, kind, interesting, successors }
    }

    fn run(self) -> RootPlan {
        if !self.interesting.contains(&true) {
            return self.without_roots();
        }
        let live_in = self.live_in();
        let mut blocks: Vec<Vec<(u32, Point)>> = vec![];
        for (index, block) in self.function.blocks.iter().enumerate() {
            let mut live = self.live_out(index, &live_in);
            self.terminator_uses(&block.terminator, &mut live);
            let mut points = vec![];
            for (at, stmt) in block.stmts.iter().enumerate().rev() {
                let point = self.step_back((index, at), stmt, &mut live);
                if let Some(live) = point {
                    points.push((at as u32, Point { live, unsaved: vec![] }));
                }
            }
            points.reverse();
            blocks.push(points);
        }
        self.find_unsaved(&mut blocks);
        let entry: Vec<_> = live_in[0].iter().collect();
        let shared = |points: Vec<(u32, Point)>| {
            points.into_iter().map(|(at, point)| (at, Rc::new(point))).collect()
        };
        RootPlan {
            entry: Rc::new(Point { unsaved: entry.clone(), live: entry }),
            blocks: blocks.into_iter().map(shared).collect(),
        }
    }

    fn without_roots(&self) -> RootPlan {
        let blocks = self.function.blocks.iter().enumerate().map(|(index, block)| {
            let points = block.stmts.iter().enumerate();
            let points =
                points.filter(|(at, stmt)| (self.kind)(index, *at, stmt) != PointKind::None);
            points.map(|(at, _)| (at as u32, Rc::default())).collect()
        });
        RootPlan { entry: Rc::default(), blocks: blocks.collect() }
    }

    fn count(&self) -> usize {
        self.interesting.len()
    }

    /// The closure object's number.
    fn closure(&self) -> u32 {
        self.interesting.len() as u32 - 1
    }

    fn use_local(&self, local: Local, live: &mut Bits) {
        if self.interesting[local.index()] {
            live.insert(local.0);
        }
    }

    fn use_operand(&self, operand: &Operand, live: &mut Bits) {
        if let Operand::Copy(local) | Operand::Move(local) = operand {
            self.use_local(*local, live);
        }
    }

    /// Moves liveness from after a statement to before it; what is live at its point, when it is one.
    fn step_back(
        &self,
        (block, at): (usize, usize),
        stmt: &Stmt,
        live: &mut Bits,
    ) -> Option<Vec<RootLocal>> {
        if let StmtKind::Assign(local, _) = &stmt.kind {
            live.remove(local.0);
        }
        let kind = (self.kind)(block, at, stmt);
        // A call hands its arguments over; an allocation reads its operands after it.
        let hands_over = kind == PointKind::Hot;
        let after = hands_over.then(|| live.iter().collect());
        if let StmtKind::Assign(_, Rvalue::Capture(_)) = &stmt.kind {
            live.insert(self.closure());
        }
        operands(&stmt.kind, &mut |operand| self.use_operand(operand, live));
        match kind {
            PointKind::None => None,
            PointKind::Hot => after,
            PointKind::Cold => Some(live.iter().collect()),
        }
    }

    fn terminator_uses(&self, terminator: &Terminator, live: &mut Bits) {
        match &terminator.kind {
            TerminatorKind::Branch { cond, .. } => self.use_operand(cond, live),
            TerminatorKind::Switch { value, .. } | TerminatorKind::Return(value) => {
                self.use_operand(value, live);
            }
            TerminatorKind::Goto(_) | TerminatorKind::Unreachable | TerminatorKind::Trap(_) => {}
        }
    }

    fn live_out(&self, block: usize, live_in: &[Bits]) -> Bits {
        let mut live = Bits::empty(self.count());
        for next in &self.successors[block] {
            live.union(&live_in[*next]);
        }
        live
    }

    fn live_in(&self) -> Vec<Bits> {
        let blocks = &self.function.blocks;
        let mut live_in = vec![Bits::empty(self.count()); blocks.len()];
        let mut changed = true;
        while changed {
            changed = false;
            for (index, block) in blocks.iter().enumerate().rev() {
                let mut live = self.live_out(index, &live_in);
                self.terminator_uses(&block.terminator, &mut live);
                for stmt in block.stmts.iter().rev() {
                    if let StmtKind::Assign(local, rvalue) = &stmt.kind {
                        live.remove(local.0);
                        if let Rvalue::Capture(_) = rvalue {
                            live.insert(self.closure());
                        }
                    }
                    operands(&stmt.kind, &mut |operand| self.use_operand(operand, &mut live));
                }
                changed |= live_in[index].union(&live);
            }
        }
        live_in
    }

    /// Forward: a local is saved after a hot point at which it was live, until it is assigned.
    fn find_unsaved(&self, blocks: &mut [Vec<(u32, Point)>]) {
        let mut saved_in = vec![Bits::full(self.count()); blocks.len()];
        saved_in[0] = Bits::empty(self.count());
        let mut changed = true;
        while changed {
            changed = false;
            for index in 0..blocks.len() {
                let mut saved = saved_in[index].clone();
                self.saved_through(index, &mut blocks[index], &mut saved);
                for next in &self.successors[index] {
                    changed |= saved_in[*next].intersect(&saved);
                }
            }
        }
        for (index, points) in blocks.iter_mut().enumerate() {
            let mut saved = saved_in[index].clone();
            self.saved_through(index, points, &mut saved);
        }
    }

    fn saved_through(&self, block: usize, points: &mut [(u32, Point)], saved: &mut Bits) {
        let mut points = points.iter_mut().peekable();
        for (at, stmt) in self.function.blocks[block].stmts.iter().enumerate() {
            if let Some((_, point)) = points.next_if(|(stmt, _)| *stmt == at as u32) {
                point.unsaved.clear();
                point.unsaved.extend(point.live.iter().filter(|root| !saved.contains(**root)));
                if (self.kind)(block, at, stmt) == PointKind::Hot {
                    point.live.iter().for_each(|root| saved.insert(*root));
                }
            }
            if let StmtKind::Assign(local, _) = &stmt.kind {
                saved.remove(local.0);
            }
        }
    }
}

/// The blocks that may run next.
pub fn successors(terminator: &Terminator) -> Vec<usize> {
    match &terminator.kind {
        TerminatorKind::Goto(next) => vec![next.index()],
        TerminatorKind::Branch { then, otherwise, .. } => vec![then.index(), otherwise.index()],
        TerminatorKind::Switch { cases, default, .. } => {
            cases.iter().map(|(_, next)| next.index()).chain([default.index()]).collect()
        }
        TerminatorKind::Return(_) | TerminatorKind::Unreachable | TerminatorKind::Trap(_) => vec![],
    }
}

/// Calls `each` with every operand that a statement reads.
pub fn operands<'a>(stmt: &'a StmtKind, each: &mut dyn FnMut(&'a Operand)) {
    match stmt {
        StmtKind::Assign(_, rvalue) => rvalue_operands(rvalue, each),
        StmtKind::SetField { object, value, .. }
        | StmtKind::SetOwnField { object, value, .. }
        | StmtKind::SetCell { cell: object, value } => {
            each(object);
            each(value);
        }
        StmtKind::SetElem { array: base, index, value }
        | StmtKind::SetScopeElem { base, index, value }
        | StmtKind::AtomicStore { view: base, index, value, .. } => {
            each(base);
            each(index);
            each(value);
        }
        StmtKind::Barrier { object } => each(object),
        StmtKind::Bounds { index, len } => {
            each(index);
            each(len);
        }
        StmtKind::Free(buffer) => each(buffer),
        StmtKind::ScopeEnter(_)
        | StmtKind::ScopeExit(_)
        | StmtKind::Safepoint
        | StmtKind::Fence(_) => {}
    }
}

fn rvalue_operands<'a>(rvalue: &'a Rvalue, each: &mut dyn FnMut(&'a Operand)) {
    match rvalue {
        Rvalue::Use(a)
        | Rvalue::Unary(_, a)
        | Rvalue::NewArray { len: a, .. }
        | Rvalue::NewCell { value: a, .. }
        | Rvalue::GetField { object: a, .. }
        | Rvalue::GetOwnField { object: a, .. }
        | Rvalue::ArrayLen(a)
        | Rvalue::GetCell(a)
        | Rvalue::GetTuple { tuple: a, .. }
        | Rvalue::MakeSome { value: a, .. }
        | Rvalue::IsSome(a)
        | Rvalue::UnwrapSome(a)
        | Rvalue::MakeOk { value: a, .. }
        | Rvalue::MakeErr { message: a, .. }
        | Rvalue::IsOk(a)
        | Rvalue::UnwrapOk(a)
        | Rvalue::UnwrapErr(a)
        | Rvalue::VariantTag(a)
        | Rvalue::GetVariantField { value: a, .. }
        | Rvalue::Allocate { bytes: a, .. }
        | Rvalue::OwnedBuffer { bytes: a }
        | Rvalue::Pin { object: a, .. }
        | Rvalue::Unpin(a)
        | Rvalue::Share(a)
        | Rvalue::Downgrade { shared: a, .. }
        | Rvalue::Upgrade { weak: a, .. }
        | Rvalue::ShareCount(a)
        | Rvalue::ScopeLen(a) => each(a),
        Rvalue::Binary(_, a, b)
        | Rvalue::GetElem { array: a, index: b }
        | Rvalue::GetScopeElem { base: a, index: b }
        | Rvalue::SplitView { view: a, at: b, .. }
        | Rvalue::AtomicLoad { view: a, index: b, .. } => {
            each(a);
            each(b);
        }
        Rvalue::MakeView { buffer: a, offset: b, len: c, .. }
        | Rvalue::SliceView { view: a, from: b, to: c }
        | Rvalue::AtomicUpdate { view: a, index: b, value: c, .. } => {
            each(a);
            each(b);
            each(c);
        }
        Rvalue::AtomicCompareSwap { view, index, expected, new, .. } => {
            each(view);
            each(index);
            each(expected);
            each(new);
        }
        Rvalue::NewRecord { fields: all, .. }
        | Rvalue::NewOwn { fields: all, .. }
        | Rvalue::NewVariant { fields: all, .. }
        | Rvalue::NewClosure { captures: all, .. }
        | Rvalue::MakeTuple(all)
        | Rvalue::Call { args: all, .. }
        | Rvalue::CallNative { args: all, .. } => all.iter().for_each(each),
        Rvalue::CallClosure { callee, args } => {
            each(callee);
            args.iter().for_each(each);
        }
        Rvalue::Capture(_) => {}
    }
}
