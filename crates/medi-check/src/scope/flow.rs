//! The flow of loans through one function.
//!
//! Each allocation is a loan, and so is what each parameter and each captured value brings along. A value has two
//! regions. Its *outer* region is where the value itself may lie or look: it is known at each point, so that an assignment
//! starts anew. Its *inner* region is what the objects it refers to may look into. Objects have aliases, so the inner
//! region belongs to a class of values that may share objects; it is one set for the whole function, and each store
//! into one of them adds to it. As in Rust, a reference to shared, mutable contents is invariant in their region:
//! that is what joining the classes says.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::rc::Rc;

use medi_syntax::source::Span;

use super::faint::{Faint, Reads};
use super::kinds::{Kind, Kinds};
use super::live::{Live, first_use};
use super::sets::{Classes, Set};
use super::summary::{Clash, Fate, Native, Slot, Source, Summary, Symbol, native};
use super::uses::{self, Runner, Uses};
use crate::mir::validate::targets;
use crate::mir::{
    Function, FunctionId, Local, Operand, Program, Rvalue, ScopeId, Stmt, StmtKind, TerminatorKind,
};
use crate::types::Ty;

/// A statement, or with the index one past the last the terminator, of a block.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct Point {
    pub block: usize,
    pub index: usize,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum LoanKind {
    /// From the caller.
    Symbol(Symbol),
    /// Allocated in this function, in the scope.
    Scope(ScopeId),
    /// Memory that belongs to no scope, made in this function or by one that it calls.
    Owned,
}

#[derive(Clone, Copy, Debug)]
pub struct Loan {
    pub kind: LoanKind,
    pub span: Span,
    /// What it was first assigned to.
    pub local: Local,
    /// Memory of no scope, that one value owns at a time: storing that value moves it.
    pub owned: bool,
    /// The loan itself, or the one that this stands for the earlier memory of: a statement in a loop makes memory each
    /// time it runs, of which the last may still be used when the one before is freed.
    pub of: usize,
}

/// What is known before a point.
#[derive(Clone, PartialEq)]
pub struct State {
    /// Of each local.
    pub outer: Vec<Set>,
    /// Owned memory that may be neither freed nor handed on.
    pub owned: Set,
}

/// How a loan came into an inner region.
#[derive(Clone, Debug)]
pub struct Entry {
    pub span: Span,
    pub value: Option<Local>,
    pub captured: bool,
}

/// Something that is wrong wherever the statement runs.
pub enum Fault {
    Kept {
        value: Operand,
        loan: usize,
        into: Option<Local>,
        callee: Option<(FunctionId, Fate)>,
    },
    Spawned {
        loan: usize,
        /// Where the task is started.
        spawn: Span,
    },
    /// The function frees what the first looks into and uses the second, which looks into the same.
    Clash {
        function: FunctionId,
        freed: Operand,
        used: Operand,
        loan: usize,
        clash: Clash,
    },
    /// Another task runs a function value that has the mark, as a statement or step of the `parallel`.
    Joined {
        mark: usize,
        value: Operand,
        parallel: Span,
    },
    MovedInClosure {
        function: FunctionId,
        fate: Fate,
        loans: Set,
    },
    FreedInClosure {
        function: FunctionId,
        fate: Fate,
        loans: Set,
    },
    KeptInClosure {
        function: FunctionId,
        fate: Fate,
    },
}

/// What the statement ends: the loans, and the operand that it is told to free, with the callee that does it.
#[derive(Default)]
pub struct End {
    pub loans: Set,
    pub freed: Option<Operand>,
    pub callee: Option<FunctionId>,
    pub moves: Vec<Move>,
}

/// Owned memory that goes to where this function cannot follow it: into an object, or to a task.
pub struct Move {
    pub value: Operand,
    pub loans: Set,
    pub to: Goal,
}

#[derive(Clone)]
pub enum Goal {
    Object(Option<Local>),
    /// A function value that a task runs.
    Task,
    /// The function moves it on, perhaps into the object.
    Callee(FunctionId, Option<Local>),
}

pub struct Flow<'a> {
    pub program: &'a Program,
    pub function: &'a Function,
    summaries: &'a [Summary],
    /// A task runs the function, once.
    spawned: bool,
    uses: Rc<Uses>,
    faint: &'a Faint,
    used: Rc<Set>,
    pub kinds: Vec<Kind>,
    pub loans: Vec<Loan>,
    sites: HashMap<Point, usize>,
    /// Of a part of a tuple, the local that it was made from, when that holds the same whenever the tuple is there: both are
    /// assigned once, one behind the other.
    parts: HashMap<(Local, u32), Local>,
    /// Of a loan that is made in a loop, the one of the memory that it made in earlier steps.
    older: HashMap<usize, usize>,
    symbols: BTreeMap<Symbol, usize>,
    classes: Classes,
    inner: Vec<Set>,
    pub entries: HashMap<(usize, usize), Entry>,
    /// Before each block; `None` for one that is not reached.
    pub states: Vec<Option<State>>,
    pub summary: Summary,
    changed: bool,
}

pub fn local_of(operand: &Operand) -> Option<Local> {
    match operand {
        Operand::Copy(local) | Operand::Move(local) => Some(*local),
        Operand::Const(_) => None,
    }
}

/// Which blocks control can come to again.
fn blocks_in_circles(function: &Function) -> Vec<bool> {
    // Tarjan's strongly connected components, without recursion.
    let next: Vec<Vec<usize>> = function
        .blocks
        .iter()
        .map(|block| targets(&block.terminator.kind).iter().map(|to| to.index()).collect())
        .collect();
    let count = next.len();
    let (mut number, mut low) = (vec![0; count], vec![0; count]);
    let (mut open, mut is_open, mut found) = (vec![], vec![false; count], vec![false; count]);
    let mut counter = 0;
    let mut work: Vec<(usize, usize)> = vec![(0, 0)];
    while let Some((block, at)) = work.pop() {
        if at == 0 {
            counter += 1;
            (number[block], low[block]) = (counter, counter);
            open.push(block);
            is_open[block] = true;
        } else {
            let child = next[block][at - 1];
            if is_open[child] {
                low[block] = low[block].min(low[child]);
            }
        }
        if let Some(child) = next[block].get(at) {
            work.push((block, at + 1));
            if number[*child] == 0 {
                work.push((*child, 0));
            }
        } else if low[block] == number[block] {
            let from = open.iter().rposition(|member| *member == block).expect("it is open");
            let members = open.split_off(from);
            let circle = members.len() > 1 || next[block].contains(&block);
            for member in members {
                is_open[member] = false;
                found[member] = circle;
            }
        }
    }
    found
}

/// Reads something out of an object.
fn is_part(rvalue: &Rvalue) -> bool {
    matches!(
        rvalue,
        Rvalue::GetField { .. }
            | Rvalue::GetOwnField { .. }
            | Rvalue::GetElem { .. }
            | Rvalue::GetVariantField { .. }
            | Rvalue::Unpin(_)
    )
}

impl<'a> Flow<'a> {
    /// Follows the loans of a function, with what is known of those that it calls.
    pub fn new(
        program: &'a Program,
        function: &'a Function,
        summaries: &'a [Summary],
        faint: &'a Faint,
        spawned: bool,
        all: &mut Kinds,
    ) -> Self {
        let kinds: Vec<Kind> = function.locals.iter().map(|local| all.of(local.ty)).collect();
        let count = function.locals.len() + 1;
        let mut flow = Self {
            program,
            function,
            summaries,
            spawned,
            uses: Rc::default(),
            faint,
            used: Rc::default(),
            kinds,
            loans: vec![],
            sites: HashMap::new(),
            parts: HashMap::new(),
            older: HashMap::new(),
            symbols: BTreeMap::new(),
            classes: Classes::new(count),
            inner: vec![Set::default(); count],
            entries: HashMap::new(),
            states: vec![None; function.blocks.len()],
            summary: Summary::default(),
            changed: false,
        };
        flow.declare_loans(all);
        if flow.is_trivial() {
            return flow;
        }
        flow.uses = Rc::new(Uses::new(program, function));
        flow.used = Rc::new(faint.used_in(function));
        flow.join_classes();
        flow.find_parts();
        flow.seed();
        flow.solve();
        flow.note_clashes();
        flow.summarise();
        flow
    }

    /// Whether the function has nothing to do with scope memory, nor makes a function value that may have.
    pub fn is_trivial(&self) -> bool {
        let stmts = || self.function.blocks.iter().flat_map(|block| &block.stmts);
        let is_closure =
            |stmt: &Stmt| matches!(stmt.kind, StmtKind::Assign(_, Rvalue::NewClosure { .. }));
        self.loans.is_empty() && !stmts().any(is_closure)
    }

    /// What its statements use.
    pub fn reads(&self) -> Reads<'_> {
        Reads { faint: self.faint, used: &self.used }
    }

    fn result_slot(&self) -> usize {
        self.function.locals.len()
    }

    fn kind(&self, local: Local) -> Kind {
        self.kinds[local.index()]
    }

    fn declare_loans(&mut self, all: &mut Kinds) {
        for param in 0..self.function.params {
            let local = Local(param as u32);
            self.declare_symbols(Source::Param(param as u32), local, all);
        }
        self.declare_marks();
        let mut in_circle = vec![];
        for (block, body) in self.function.blocks.iter().enumerate() {
            for (index, stmt) in body.stmts.iter().enumerate() {
                let StmtKind::Assign(local, rvalue) = &stmt.kind else { continue };
                if in_circle.is_empty() {
                    in_circle = blocks_in_circles(self.function);
                }
                let kind = match rvalue {
                    Rvalue::Allocate { scope, .. } | Rvalue::NewOwn { scope, .. } => {
                        LoanKind::Scope(*scope)
                    }
                    Rvalue::OwnedBuffer { .. } => LoanKind::Owned,
                    Rvalue::Capture(capture) => {
                        self.declare_symbols(Source::Capture(*capture), *local, all);
                        continue;
                    }
                    Rvalue::Call { .. } | Rvalue::CallClosure { .. } if self.kind(*local).owned => {
                        LoanKind::Owned
                    }
                    _ if is_part(rvalue) && self.kind(*local).owned => LoanKind::Owned,
                    _ => continue,
                };
                self.sites.insert(Point { block, index }, self.loans.len());
                let (loan, owned) = (self.loans.len(), kind == LoanKind::Owned);
                let new = Loan { kind, span: stmt.span, local: *local, owned, of: loan };
                self.loans.push(new);
                if in_circle[block] {
                    self.older.insert(loan, loan + 1);
                    self.loans.push(new);
                }
            }
        }
    }

    /// One loan stands for all pins that function values use, and one for all that start tasks with what they are given.
    fn declare_marks(&mut self) {
        for mark in Symbol::MARKS {
            let stmts = self.function.blocks.iter().flat_map(|block| &block.stmts);
            let mut made = stmts.filter_map(|stmt| match &stmt.kind {
                StmtKind::Assign(into, Rvalue::Call { function, .. }) => {
                    self.leaves_mark(*function, mark).then_some((*into, stmt.span))
                }
                StmtKind::Assign(into, Rvalue::NewClosure { function, captures, .. }) => {
                    let by = self.marked(*function, captures, mark)?;
                    let span = |local: Local| self.function.locals[local.index()].span;
                    Some(by.map_or((*into, stmt.span), |local| (local, span(local))))
                }
                _ => None,
            });
            if let Some((local, span)) = made.next() {
                drop(made);
                let of = self.loans.len();
                let kind = LoanKind::Symbol(mark);
                self.symbols.insert(mark, of);
                self.loans.push(Loan { kind, span, local, owned: false, of });
            }
        }
    }

    /// Whether a new function value has the mark, and which captured value it has it from.
    fn marked(
        &self,
        function: FunctionId,
        captures: &[Operand],
        mark: Symbol,
    ) -> Option<Option<Local>> {
        let has = |local: &Local| match mark {
            Symbol::PIN => self.kind(*local).pinned,
            Symbol::BOUND => self.kind(*local).bound,
            _ => false,
        };
        let by = captures.iter().filter_map(local_of).find(has);
        let summary = &self.summaries[function.index()];
        let mut given = summary.spawns.keys().chain(summary.joins.keys());
        let starts = mark == Symbol::STARTER
            && given.any(|symbol| matches!(symbol.source(), Source::Param(_)));
        (by.is_some() || starts || self.leaves_mark(function, mark)).then_some(by)
    }

    /// Whether something that is left behind by the function has the mark.
    fn leaves_mark(&self, function: FunctionId, mark: Symbol) -> bool {
        let holds = &self.summaries[function.index()].holds;
        holds.iter().any(|(_, symbol)| *symbol == mark)
    }

    /// Where a function value that is made here starts a task with what it is given.
    pub fn starts(&self) -> Option<Span> {
        let mut stmts = self.function.blocks.iter().flat_map(|block| &block.stmts);
        stmts.find_map(|stmt| {
            let StmtKind::Assign(_, Rvalue::NewClosure { function, .. }) = &stmt.kind else {
                return None;
            };
            let summary = &self.summaries[function.index()];
            let mut started = summary.spawns.iter().chain(&summary.joins);
            let given = started.find(|(symbol, _)| matches!(symbol.source(), Source::Param(_)));
            given.map(|(_, spawn)| *spawn)
        })
    }

    fn mark(&self, mark: Symbol) -> Set {
        self.symbols.get(&mark).map_or(Set::default(), |index| Set::one(*index))
    }

    fn declare_symbols(&mut self, source: Source, local: Local, all: &mut Kinds) {
        let decl = &self.function.locals[local.index()];
        let (span, kind) = (decl.span, self.kind(local));
        let shared = match self.program.types.get(decl.ty) {
            Ty::Cell(variable) => all.of(*variable).owned,
            _ => false,
        };
        for (wanted, symbol) in
            [(kind.outer, Symbol::Outer(source)), (kind.inner, Symbol::Inner(source))]
        {
            if wanted && !self.symbols.contains_key(&symbol) {
                self.symbols.insert(symbol, self.loans.len());
                let owned = match symbol {
                    Symbol::Outer(_) => kind.owned,
                    Symbol::Inner(_) => shared,
                };
                let of = self.loans.len();
                self.loans.push(Loan { kind: LoanKind::Symbol(symbol), span, local, owned, of });
            }
        }
    }

    // Classes of values that may share objects.

    fn join(&mut self, a: Local, b: Local) {
        if self.kind(a).inner && self.kind(b).inner {
            self.classes.join(a.index(), b.index());
        }
    }

    fn join_operands(&mut self, into: Local, operands: &[&Operand]) {
        for local in operands.iter().filter_map(|operand| local_of(operand)) {
            self.join(into, local);
        }
    }

    fn join_classes(&mut self) {
        let function = self.function;
        let mut captured: HashMap<u32, Local> = HashMap::new();
        for block in &function.blocks {
            for stmt in &block.stmts {
                match &stmt.kind {
                    StmtKind::Assign(into, Rvalue::Capture(capture)) => {
                        let first = *captured.entry(*capture).or_insert(*into);
                        self.join(first, *into);
                    }
                    StmtKind::Assign(into, rvalue) => self.join_assigned(*into, rvalue),
                    StmtKind::SetField { object, value, .. }
                    | StmtKind::SetOwnField { object, value, .. }
                    | StmtKind::SetElem { array: object, value, .. }
                    | StmtKind::SetCell { cell: object, value } => {
                        if let Some(object) = local_of(object) {
                            self.join_operands(object, &[value]);
                        }
                    }
                    _ => {}
                }
            }
            if let TerminatorKind::Return(value) = &block.terminator.kind
                && let Some(value) = local_of(value)
                && self.kind(value).inner
            {
                self.classes.join(value.index(), self.result_slot());
            }
        }
    }

    fn join_assigned(&mut self, into: Local, rvalue: &Rvalue) {
        match rvalue {
            Rvalue::Call { function, args } => {
                let summaries = self.summaries;
                for (a, b) in &summaries[function.index()].same {
                    let (a, b) = (self.slot_local(*a, into, args), self.slot_local(*b, into, args));
                    if let (Some(a), Some(b)) = (a, b) {
                        self.join(a, b);
                    }
                }
            }
            Rvalue::CallNative { native: id, args } => {
                let effect = native(&self.program.natives[id.index()].symbol);
                let inner: Vec<Local> =
                    args.iter().filter_map(local_of).filter(|l| self.kind(*l).inner).collect();
                if matches!(effect, Native::Mixes | Native::Unknown) {
                    for pair in inner.windows(2) {
                        self.join(pair[0], pair[1]);
                    }
                }
                for arg in inner {
                    self.join(into, arg);
                }
            }
            Rvalue::CallClosure { callee, args } => {
                let Some(callee) = local_of(callee) else { return };
                self.join(callee, into);
                for arg in args {
                    self.join_operands(callee, &[arg]);
                }
            }
            other => {
                let operands = crate::mir::validate::rvalue_operands(other);
                self.join_operands(into, &operands);
            }
        }
    }

    fn slot_local(&self, slot: Slot, into: Local, args: &[Operand]) -> Option<Local> {
        match slot {
            Slot::Result => Some(into),
            Slot::Source(Source::Param(param)) => args.get(param as usize).and_then(local_of),
            Slot::Source(_) => None,
        }
    }

    /// The inner region of a local.
    pub fn inner_of(&self, local: Local) -> &Set {
        const NONE: &Set = &Set::new();
        if self.kind(local).inner { &self.inner[self.classes.of(local.index())] } else { NONE }
    }

    pub fn class_of(&self, local: Local) -> usize {
        self.classes.of(local.index())
    }

    /// A parameter or captured value whose objects are those of the local.
    pub fn outside_of(&self, local: Local) -> Option<Local> {
        let inner = self.inner_of(local);
        let outside = self
            .symbols
            .iter()
            .find(|(symbol, index)| matches!(symbol, Symbol::Inner(_)) && inner.contains(**index));
        outside.map(|(_, index)| self.loans[*index].local)
    }

    fn find_parts(&mut self) {
        let function = self.function;
        let mut times = vec![0; function.locals.len()];
        let assigned = |stmt: &Stmt| match &stmt.kind {
            StmtKind::Assign(into, _) => Some(into.index()),
            _ => None,
        };
        for stmt in function.blocks.iter().flat_map(|block| &block.stmts) {
            assigned(stmt).into_iter().for_each(|into| times[into] += 1);
        }
        times[..function.params].fill(2);
        for block in &function.blocks {
            for (index, stmt) in block.stmts.iter().enumerate() {
                let StmtKind::Assign(tuple, Rvalue::MakeTuple(operands)) = &stmt.kind else {
                    continue;
                };
                for (part, local) in operands.iter().enumerate() {
                    let Some(local) = local_of(local) else { continue };
                    let before =
                        block.stmts[..index].iter().any(|s| assigned(s) == Some(local.index()));
                    if before && times[local.index()] == 1 && times[tuple.index()] == 1 {
                        self.parts.insert((*tuple, part as u32), local);
                    }
                }
            }
        }
    }

    // The data flow.

    fn seed(&mut self) {
        for (symbol, index) in self.symbols.clone() {
            if let Symbol::Inner(_) = symbol {
                let class = self.class_of(self.loans[index].local);
                self.inner[class].insert(index);
            }
        }
        let mut entry = State {
            outer: vec![Set::default(); self.function.locals.len()],
            owned: Set::default(),
        };
        for param in 0..self.function.params {
            let symbol = Symbol::Outer(Source::Param(param as u32));
            if let Some(index) = self.symbols.get(&symbol) {
                entry.outer[param].insert(*index);
                if self.loans[*index].owned {
                    entry.owned.insert(*index);
                }
            }
        }
        self.states[0] = Some(entry);
    }

    fn solve(&mut self) {
        loop {
            self.changed = false;
            let mut work = vec![0];
            let mut seen = vec![false; self.states.len()];
            while let Some(block) = work.pop() {
                seen[block] = true;
                let state = self.after_block(block);
                for target in targets(&self.function.blocks[block].terminator.kind) {
                    let target = target.index();
                    let state = self.on_edge(&state, block, target);
                    if self.flow_into(target, &state) || !seen[target] {
                        work.push(target);
                    }
                }
            }
            if !self.changed {
                return;
            }
        }
    }

    fn after_block(&mut self, block: usize) -> State {
        let mut state = self.states[block].clone().expect("the block is reached");
        let function = self.function;
        for (index, stmt) in function.blocks[block].stmts.iter().enumerate() {
            self.step(&mut state, Point { block, index }, &stmt.kind, stmt.span, &mut vec![]);
        }
        if let TerminatorKind::Return(value) = &function.blocks[block].terminator.kind {
            self.note_return(&state, value);
        }
        state
    }

    /// Where an optional or result turned out to hold nothing, it holds no owned memory.
    fn on_edge<'s>(&self, state: &'s State, block: usize, target: usize) -> Cow<'s, State> {
        let body = &self.function.blocks[block];
        let TerminatorKind::Branch { cond, then, otherwise } = &body.terminator.kind else {
            return Cow::Borrowed(state);
        };
        let tested = body.stmts.iter().rev().find_map(|stmt| match &stmt.kind {
            StmtKind::Assign(into, Rvalue::IsSome(value) | Rvalue::IsOk(value))
                if Some(*into) == local_of(cond) =>
            {
                Some(value)
            }
            _ => None,
        });
        match tested {
            Some(value) if otherwise.index() == target && then != otherwise => {
                let mut state = state.clone();
                for loan in self.outer_of(&state, value).iter() {
                    state.owned.remove(loan);
                }
                Cow::Owned(state)
            }
            _ => Cow::Borrowed(state),
        }
    }

    fn flow_into(&mut self, target: usize, state: &State) -> bool {
        let Some(known) = &mut self.states[target] else {
            self.states[target] = Some(state.clone());
            return true;
        };
        let mut new = known.owned.add(&state.owned);
        for (known, more) in known.outer.iter_mut().zip(&state.outer) {
            new |= known.add(more);
        }
        new
    }

    fn note_return(&mut self, state: &State, value: &Operand) {
        for loan in self.outer_of(state, value).iter() {
            match self.loans[loan].kind {
                LoanKind::Symbol(symbol) => {
                    self.summary.returns.insert(symbol);
                }
                LoanKind::Owned if state.owned.contains(loan) => self.summary.returns_owned = true,
                LoanKind::Owned => self.summary.returns_held = true,
                LoanKind::Scope(_) => {}
            }
        }
    }

    pub fn outer_of(&self, state: &State, operand: &Operand) -> Set {
        match local_of(operand) {
            Some(local) if self.kind(local).outer => state.outer[local.index()].clone(),
            _ => Set::default(),
        }
    }

    /// All that a value may look into.
    pub fn all_of(&self, state: &State, operand: &Operand) -> Set {
        let mut all = self.outer_of(state, operand);
        if let Some(local) = local_of(operand) {
            all.add(self.inner_of(local));
        }
        all
    }

    fn put(&mut self, into: Local, loans: &Set, span: Span, value: Option<Local>, captured: bool) {
        if !self.kind(into).inner {
            return;
        }
        let class = self.class_of(into);
        // Objects keep what they refer to while it ages.
        let older = loans.iter().filter_map(|loan| self.older.get(&loan).copied());
        let older: Vec<usize> = older.collect();
        for loan in loans.iter().chain(older) {
            if self.inner[class].insert(loan) {
                self.changed = true;
                let entry = Entry { span, value, captured };
                self.entries.insert((class, loan), entry);
            }
        }
    }

    /// Runs one statement on the state.
    pub fn step(
        &mut self,
        state: &mut State,
        at: Point,
        kind: &StmtKind,
        span: Span,
        faults: &mut Vec<Fault>,
    ) {
        match kind {
            StmtKind::Assign(into, rvalue) => {
                self.age(state, at);
                let outer = self.assigned(state, at, *into, rvalue, span, faults);
                self.end(state, kind, span);
                if self.kind(*into).outer {
                    state.outer[into.index()] = outer;
                }
                return;
            }
            StmtKind::SetField { object, value, .. }
            | StmtKind::SetElem { array: object, value, .. } => {
                self.keep(state, value, local_of(object), span, faults);
            }
            StmtKind::SetOwnField { object, value, .. }
            | StmtKind::SetCell { cell: object, value } => {
                if let Some(object) = local_of(object) {
                    self.put_all(state, object, std::slice::from_ref(value), span, false);
                }
            }
            StmtKind::SetScopeElem { base, .. } => {
                self.note_writes(&self.outer_of(state, base), span);
            }
            StmtKind::Free(operand) if !self.is_counted(operand) => {
                let loans = self.freed(state, operand);
                let name = local_of(operand).and_then(|l| self.name(l));
                for symbol in self.symbols_in(&loans) {
                    let fate = Fate { span, name: name.clone(), into: None, through: None };
                    self.summary.frees.entry(symbol).or_insert(fate);
                }
            }
            _ => {}
        }
        self.end(state, kind, span);
    }

    /// What freeing a value ends: memory of a scope and owned memory have types of their own, whatever else the value is
    /// taken to look into.
    fn freed(&self, state: &State, operand: &Operand) -> Set {
        let mut loans = self.outer_of(state, operand);
        if local_of(operand).is_some_and(|local| !self.kind(local).owned) {
            let owned = loans.iter().filter(|loan| self.loans[*loan].kind == LoanKind::Owned);
            owned.collect::<Vec<_>>().into_iter().for_each(|loan| loans.remove(loan));
        }
        loans
    }

    /// Freed when nobody shares it any more, which is known while the program runs.
    fn is_counted(&self, operand: &Operand) -> bool {
        let ty = crate::mir::operand_ty(&self.function.locals, operand);
        matches!(self.program.types.get(ty), Ty::Shared(_))
    }

    /// Whether a local holds a weak reference, or none.
    pub fn is_weak(&self, local: Local) -> bool {
        let types = &self.program.types;
        let mut ty = self.function.locals[local.index()].ty;
        if let Ty::Optional(inner) = *types.get(ty) {
            ty = inner;
        }
        matches!(types.get(ty), Ty::Weak(_))
    }

    fn name(&self, local: Local) -> Option<String> {
        self.function.locals[local.index()].name.clone()
    }

    fn symbols_in(&self, loans: &Set) -> Vec<Symbol> {
        let symbols = loans.iter().filter_map(|loan| match self.loans[loan].kind {
            LoanKind::Symbol(symbol) => Some(symbol),
            _ => None,
        });
        symbols.collect()
    }

    fn note_writes(&mut self, loans: &Set, span: Span) {
        for symbol in self.symbols_in(loans) {
            self.summary.writes.entry(symbol).or_insert(span);
        }
    }

    /// The named local whose object, or part of whose object, a local is.
    fn whole(&self, mut local: Local) -> Local {
        for _ in 0..self.function.locals.len() {
            if local.index() < self.function.params {
                return local;
            }
            match self.uses.part_of(local) {
                Some(from) if self.name(local).is_none() => local = from,
                _ => return local,
            }
        }
        local
    }

    /// What the statement made before is older memory from now on.
    fn age(&self, state: &mut State, at: Point) {
        let Some(new) = self.sites.get(&at) else { return };
        let Some(old) = self.older.get(new) else { return };
        for set in state.outer.iter_mut().chain([&mut state.owned]) {
            if set.contains(*new) {
                set.remove(*new);
                set.insert(*old);
            }
        }
    }

    /// Ends the loans that the statement ends, and notes which owned memory of the caller it moves.
    fn end(&mut self, state: &mut State, kind: &StmtKind, span: Span) {
        let end = self.ends(state, kind);
        for moved in &end.moves {
            let name = local_of(&moved.value).and_then(|local| self.name(local));
            let into = match &moved.to {
                Goal::Object(object) | Goal::Callee(_, object) => object.map(|l| self.whole(l)),
                Goal::Task => None,
            };
            let through = into.map(|l| l.0).filter(|at| (*at as usize) < self.function.params);
            let into = into.and_then(|local| self.name(local));
            for symbol in self.symbols_in(&moved.loans) {
                let fate = Fate { span, name: name.clone(), into: into.clone(), through };
                self.summary.takes.entry(symbol).or_insert(fate);
            }
        }
        for loan in end.loans.iter() {
            state.outer.iter_mut().for_each(|set| set.remove(loan));
            state.owned.remove(loan);
        }
    }

    /// The loans of owned memory that a value may own.
    fn owned_by(&self, state: &State, value: &Operand) -> Set {
        let mut owned = Set::default();
        if local_of(value).is_some_and(|local| self.kind(local).owned) {
            let loans = self.outer_of(state, value);
            loans.iter().filter(|loan| self.loans[*loan].owned).for_each(|loan| {
                owned.insert(loan);
            });
        }
        owned
    }

    fn moves(&self, state: &State, kind: &StmtKind) -> Vec<Move> {
        let mut moves = vec![];
        let mut add = |value: &Operand, loans: Set, to: Goal| {
            if !loans.is_empty() {
                moves.push(Move { value: value.clone(), loans, to });
            }
        };
        match kind {
            StmtKind::SetField { object, value, .. }
            | StmtKind::SetOwnField { object, value, .. }
            | StmtKind::SetElem { array: object, value, .. } => {
                add(value, self.owned_by(state, value), Goal::Object(local_of(object)));
            }
            StmtKind::Assign(
                into,
                Rvalue::NewRecord { fields, .. }
                | Rvalue::NewVariant { fields, .. }
                | Rvalue::NewOwn { fields, .. },
            ) => {
                for field in fields {
                    add(field, self.owned_by(state, field), Goal::Object(Some(*into)));
                }
            }
            StmtKind::Assign(into, Rvalue::NewClosure { function, captures, .. }) => {
                for (index, value) in captures.iter().enumerate() {
                    if self.moves_into(*into, *function, index as u32) {
                        add(value, self.owned_by(state, value), Goal::Task);
                    }
                }
            }
            StmtKind::Assign(_, Rvalue::Call { function, args }) => {
                for (symbol, fate) in &self.summaries[function.index()].takes {
                    let Some(value) = self.given(*symbol, args) else { continue };
                    let loans = self.meant(state, *symbol, args);
                    let receiver = fate.through.and_then(|at| args.get(at as usize));
                    let receiver = receiver.and_then(local_of).map(|local| self.whole(local));
                    add(value, loans, Goal::Callee(*function, receiver));
                }
            }
            StmtKind::Assign(into, Rvalue::CallNative { native: id, args })
                if native(&self.program.natives[id.index()].symbol) == Native::Unknown =>
            {
                for arg in args {
                    add(arg, self.owned_by(state, arg), Goal::Object(Some(*into)));
                }
            }
            _ => {}
        }
        moves
    }

    /// Whether the task that runs a function value has owned memory that it captured for itself.
    fn moves_into(&self, value: Local, function: FunctionId, capture: u32) -> bool {
        let symbol = Symbol::Outer(Source::Capture(capture));
        let summary = &self.summaries[function.index()];
        match self.uses.runner(value) {
            Runner::Spawned => true,
            Runner::Joined(_) => {
                summary.frees.contains_key(&symbol) || summary.takes.contains_key(&symbol)
            }
            Runner::Steps(_) | Runner::Anyone => false,
        }
    }

    /// The value is stored in a collected object.
    fn keep(
        &mut self,
        state: &mut State,
        value: &Operand,
        into: Option<Local>,
        span: Span,
        faults: &mut Vec<Fault>,
    ) {
        let lent = local_of(value).is_some_and(|local| self.kind(local).lent);
        let name = local_of(value).and_then(|local| self.name(local));
        let into = into.map(|local| self.whole(local));
        let container = into.and_then(|local| self.name(local));
        let through = into.map(|local| local.0).filter(|at| (*at as usize) < self.function.params);
        for loan in self.outer_of(state, value).iter() {
            match self.loans[loan].kind {
                _ if !lent && self.loans[loan].owned => {}
                LoanKind::Symbol(symbol) if symbol.is_mark() => {}
                LoanKind::Symbol(symbol) => {
                    let (name, into) = (name.clone(), container.clone());
                    let fate = Fate { span, name, into, through };
                    self.summary.keeps.entry(symbol).or_insert(fate);
                }
                LoanKind::Scope(_) | LoanKind::Owned => {
                    faults.push(Fault::Kept { value: value.clone(), loan, into, callee: None });
                }
            }
        }
    }

    /// The outer region of what is assigned.
    fn assigned(
        &mut self,
        state: &mut State,
        at: Point,
        into: Local,
        rvalue: &Rvalue,
        span: Span,
        faults: &mut Vec<Fault>,
    ) -> Set {
        match rvalue {
            Rvalue::Allocate { .. } => Set::one(self.sites[&at]),
            Rvalue::OwnedBuffer { .. } => {
                state.owned.insert(self.sites[&at]);
                Set::one(self.sites[&at])
            }
            Rvalue::NewOwn { fields, .. } => {
                self.put_all(state, into, fields, span, false);
                Set::one(self.sites[&at])
            }
            Rvalue::NewCell { value, .. } => {
                self.put_all(state, into, std::slice::from_ref(value), span, false);
                Set::default()
            }
            Rvalue::NewClosure { function, captures, .. } => {
                self.closure(state, into, *function, captures, span, faults);
                let stay = |index: &usize| !self.moves_into(into, *function, *index as u32);
                let stay = (0..captures.len()).filter(stay);
                let stay: Vec<Operand> = stay.map(|index| captures[index].clone()).collect();
                self.put_all(state, into, &stay, span, true);
                // What a task runs is made for that task.
                let taken = self.uses.runner(into) != Runner::Anyone;
                for mark in
                    Symbol::MARKS.into_iter().filter(|mark| !taken || *mark != Symbol::BOUND)
                {
                    if let Some(by) = self.marked(*function, captures, mark) {
                        self.put(into, &self.mark(mark), span, by, true);
                    }
                }
                Set::default()
            }
            Rvalue::NewRecord { fields, .. } | Rvalue::NewVariant { fields, .. } => {
                for field in fields {
                    self.keep(state, field, Some(into), span, faults);
                }
                Set::default()
            }
            Rvalue::GetField { object, .. }
            | Rvalue::GetOwnField { object, .. }
            | Rvalue::GetElem { array: object, .. }
            | Rvalue::GetVariantField { value: object, .. }
            | Rvalue::Unpin(object) => {
                let inner = local_of(object).map(|local| self.inner_of(local).clone());
                let mut outer = inner.filter(|_| self.kind(into).lent).unwrap_or_default();
                // What an object refers to, nobody knows better: each time it counts as other memory.
                if let Some(site) = self.sites.get(&at) {
                    outer.insert(*site);
                }
                outer
            }
            Rvalue::GetCell(cell) => {
                local_of(cell).map_or(Set::default(), |local| self.inner_of(local).clone())
            }
            Rvalue::Capture(capture) => {
                let symbol = Symbol::Outer(Source::Capture(*capture));
                let index = self.symbols.get(&symbol).copied();
                // A task owns what it took along.
                let own = index.filter(|index| self.spawned && self.loans[*index].owned);
                own.map(|index| state.owned.insert(index));
                index.map_or(Set::default(), Set::one)
            }
            Rvalue::Call { function, args } => {
                self.call(state, at, into, *function, args, span, faults)
            }
            Rvalue::CallClosure { callee, args } => {
                self.call_closure(state, at, into, callee, args, span, faults)
            }
            Rvalue::CallNative { native: id, args } => {
                let symbol = &self.program.natives[id.index()].symbol;
                self.call_native(state, native(symbol), into, args, span, faults)
            }
            Rvalue::GetTuple { tuple, index } => {
                let part = local_of(tuple).and_then(|tuple| self.parts.get(&(tuple, *index)));
                let part = part.map(|part| Operand::Copy(*part));
                self.outer_of(state, part.as_ref().unwrap_or(tuple))
            }
            other => {
                let mut outer = Set::default();
                for operand in crate::mir::validate::rvalue_operands(other) {
                    outer.add(&self.outer_of(state, operand));
                }
                outer
            }
        }
    }

    fn put_all(
        &mut self,
        state: &mut State,
        into: Local,
        values: &[Operand],
        span: Span,
        captured: bool,
    ) {
        // A function value, or a variable that such share, borrows; objects take over what is owned.
        let ty = self.program.types.get(self.function.locals[into.index()].ty);
        let borrows = captured || matches!(ty, Ty::Cell(_));
        for value in values {
            let mut loans = self.outer_of(state, value);
            if !borrows {
                self.owned_by(state, value).iter().for_each(|loan| loans.remove(loan));
            }
            self.put(into, &loans, span, local_of(value), captured);
        }
    }

    /// What a symbol of a callee stands for.
    fn meant(&self, state: &State, symbol: Symbol, args: &[Operand]) -> Set {
        let Source::Param(param) = symbol.source() else {
            return if symbol.is_mark() { self.mark(symbol) } else { Set::default() };
        };
        let Some(arg) = args.get(param as usize) else { return Set::default() };
        match symbol {
            Symbol::Outer(_) => self.outer_of(state, arg),
            Symbol::Inner(_) => {
                local_of(arg).map_or(Set::default(), |local| self.inner_of(local).clone())
            }
        }
    }

    #[expect(clippy::too_many_arguments, reason = "one statement has these parts")]
    fn call(
        &mut self,
        state: &mut State,
        at: Point,
        into: Local,
        function: FunctionId,
        args: &[Operand],
        span: Span,
        faults: &mut Vec<Fault>,
    ) -> Set {
        let summaries = self.summaries;
        let summary = &summaries[function.index()];
        for (symbol, fate) in &summary.keeps {
            let loans = self.meant(state, *symbol, args);
            let Source::Param(param) = symbol.source() else { continue };
            let value = &args[param as usize];
            let receiver = args.get(fate.through.unwrap_or(0) as usize).and_then(local_of);
            let receiver = receiver.filter(|local| self.kind(*local).inner).map(|l| self.whole(l));
            for loan in loans.iter() {
                if let LoanKind::Symbol(own) = self.loans[loan].kind {
                    if own.is_mark() {
                        continue;
                    }
                    let name = self.name(self.loans[loan].local);
                    let container = receiver.and_then(|local| self.name(local));
                    let through =
                        receiver.map(|l| l.0).filter(|at| (*at as usize) < self.function.params);
                    let into = container.or(fate.into.clone());
                    let fate = Fate { span, name, into, through };
                    self.summary.keeps.entry(own).or_insert(fate);
                } else {
                    let callee = Some((function, fate.clone()));
                    faults.push(Fault::Kept { value: value.clone(), loan, into: receiver, callee });
                }
            }
        }
        for (symbol, spawn) in &summary.spawns {
            let loans = self.meant(state, *symbol, args);
            let spawn = if uses::spawns(self.program, function) { span } else { *spawn };
            self.spawned(&loans, spawn, faults);
        }
        for (symbol, fate) in &summary.frees {
            for own in self.symbols_in(&self.meant(state, *symbol, args)) {
                let fate = Fate { span, ..fate.clone() };
                self.summary.frees.entry(own).or_insert(fate);
            }
        }
        for (symbol, parallel) in &summary.joins {
            let (loans, value) = (self.meant(state, *symbol, args), self.given(*symbol, args));
            value.into_iter().for_each(|value| self.joined(&loans, value, *parallel, faults));
        }
        self.clashes(state, function, args, span, faults);
        for (value, given) in &summary.applies {
            let values = self.meant(state, *value, args);
            match given.is_mark() {
                true => self.applied_inside(&values, span, faults),
                false => {
                    let given = self.meant(state, *given, args);
                    self.applied(&values, &given, span, faults);
                }
            }
        }
        for symbol in summary.writes.keys() {
            self.note_writes(&self.meant(state, *symbol, args), span);
        }
        for (slot, symbol) in &summary.holds {
            if let Some(holder) = self.slot_local(*slot, into, args) {
                let loans = self.meant(state, *symbol, args);
                self.put(holder, &loans, span, None, false);
            }
        }
        let mut outer = Set::default();
        for symbol in &summary.returns {
            outer.add(&self.meant(state, *symbol, args));
        }
        if summary.returns_owned {
            self.hand_out_owned(state, at, &mut outer);
        } else if summary.returns_held
            && let Some(site) = self.sites.get(&at)
        {
            outer.insert(*site);
        }
        outer
    }

    /// What a function frees before it uses another parameter, or captured value, must not be the same memory.
    fn clashes(
        &mut self,
        state: &State,
        function: FunctionId,
        args: &[Operand],
        span: Span,
        faults: &mut Vec<Fault>,
    ) {
        let summaries = self.summaries;
        for ((freed, used), clash) in &summaries[function.index()].clashes {
            let Some((freed_by, used_by)) = self.given(*freed, args).zip(self.given(*used, args))
            else {
                continue;
            };
            let freed = self.captured(state, *freed, freed_by);
            let used = self.captured(state, *used, used_by);
            for loan in freed.iter() {
                if used.contains(loan) {
                    let (freed, used) = (freed_by.clone(), used_by.clone());
                    let clash = clash.clone();
                    faults.push(Fault::Clash { function, freed, used, loan, clash });
                }
            }
            for first in self.symbols_in(&freed) {
                for second in self.symbols_in(&used) {
                    if first != second {
                        let clash = Clash { used: span, ..clash.clone() };
                        self.summary.clashes.entry((first, second)).or_insert(clash);
                    }
                }
            }
        }
    }

    /// The operand that a callee, or a function value as it is made, gets for a symbol.
    fn given<'o>(&self, symbol: Symbol, operands: &'o [Operand]) -> Option<&'o Operand> {
        match symbol.source() {
            Source::Param(index) | Source::Capture(index) => operands.get(index as usize),
            Source::Pin | Source::Starter | Source::Maker => None,
        }
    }

    /// Finds memory of the caller that is freed here while a value that brought other memory along is used later.
    fn note_clashes(&mut self) {
        if self.summary.frees.is_empty() && self.summary.takes.is_empty() {
            return;
        }
        let function = self.function;
        let used = self.used.clone();
        let live = Live::new(function, Reads { faint: self.faint, used: &used });
        for (block, body) in function.blocks.iter().enumerate() {
            let Some(mut state) = self.states[block].clone() else { continue };
            let after = live.after_each(block);
            for (index, stmt) in body.stmts.iter().enumerate() {
                let at = Point { block, index };
                let end = self.ends(&state, &stmt.kind);
                let freed = self.symbols_in(&end.loans);
                if !freed.is_empty() {
                    self.note_clashes_at(&state, at, &end, &freed, &after[index]);
                }
                self.step(&mut state, at, &stmt.kind, stmt.span, &mut vec![]);
            }
        }
    }

    fn note_clashes_at(
        &mut self,
        state: &State,
        at: Point,
        end: &End,
        freed: &[Symbol],
        after: &Set,
    ) {
        let stmt = &self.function.blocks[at.block].stmts[at.index];
        let assigned = if let StmtKind::Assign(into, _) = &stmt.kind { Some(*into) } else { None };
        let name = end.freed.as_ref().and_then(local_of).and_then(|local| self.name(local));
        for local in after.iter().map(|local| Local(local as u32)) {
            let held = self.symbols_in(&self.all_of(state, &Operand::Copy(local)));
            if Some(local) == assigned || held.is_empty() {
                continue;
            }
            let Some(used) = first_use(self.function, self.reads(), at, local) else {
                continue;
            };
            let used = self.span_at(used);
            for pair in freed.iter().flat_map(|first| held.iter().map(|second| (*first, *second))) {
                if pair.0 != pair.1 && !self.summary.clashes.contains_key(&pair) {
                    let freed =
                        Fate { span: stmt.span, name: name.clone(), into: None, through: None };
                    let clash = Clash { freed, used, user: self.name(local) };
                    self.summary.clashes.insert(pair, clash);
                }
            }
        }
    }

    pub fn span_at(&self, at: Point) -> Span {
        let block = &self.function.blocks[at.block];
        block.stmts.get(at.index).map_or(block.terminator.span, |stmt| stmt.span)
    }

    /// The result of the call at this point is owned memory that the caller has to free or hand on.
    fn hand_out_owned(&self, state: &mut State, at: Point, result: &mut Set) {
        if let Some(site) = self.sites.get(&at) {
            state.owned.insert(*site);
            result.insert(*site);
        }
    }

    /// A function value gives back what it captured or was given, or stores one argument in another. Nothing else: see
    /// [`Flow::closure`]. So a function may lend memory of a scope of its own to whatever function value it was given.
    #[expect(clippy::too_many_arguments, reason = "one statement has these parts")]
    fn call_closure(
        &mut self,
        state: &mut State,
        at: Point,
        into: Local,
        callee: &Operand,
        args: &[Operand],
        span: Span,
        faults: &mut Vec<Fault>,
    ) -> Set {
        let Some(callee) = local_of(callee) else { return Set::default() };
        let mut outer = self.inner_of(callee).clone();
        for arg in args {
            let given = self.all_of(state, arg);
            self.applied(&outer.clone(), &given, span, faults);
        }
        for arg in args {
            let loans = self.outer_of(state, arg);
            outer.add(&loans);
            // It may store one argument in another, and give back something that looks into one.
            for holder in args.iter().filter_map(local_of).chain([into]) {
                self.put(holder, &loans, span, local_of(arg), false);
            }
        }
        if self.kind(into).owned {
            self.hand_out_owned(state, at, &mut outer);
        }
        outer
    }

    fn call_native(
        &mut self,
        state: &mut State,
        effect: Native,
        into: Local,
        args: &[Operand],
        span: Span,
        faults: &mut Vec<Fault>,
    ) -> Set {
        match effect {
            Native::Reads | Native::Mixes => {}
            Native::Spawns => {
                for arg in args {
                    self.spawned(&self.all_of(state, arg), span, faults);
                }
            }
            Native::Unknown => {
                for arg in args {
                    self.keep(state, arg, Some(into), span, faults);
                }
            }
        }
        Set::default()
    }

    /// Function values that look into `value` are called with memory: one that starts a task gives it to the task.
    fn applied(&mut self, value: &Set, given: &Set, span: Span, faults: &mut Vec<Fault>) {
        if value.meets(&self.mark(Symbol::STARTER)) {
            self.spawned(given, span, faults);
        }
        for value in self.symbols_in(value).into_iter().filter(|symbol| !symbol.is_mark()) {
            for given in self
                .symbols_in(given)
                .into_iter()
                .filter(|s| !matches!(*s, Symbol::STARTER | Symbol::BOUND))
            {
                self.summary.applies.insert((value, given));
            }
            // The callers do not know memory that is made here.
            let made = |loan: usize| !matches!(self.loans[loan].kind, LoanKind::Symbol(_));
            if given.iter().any(made) {
                self.summary.applies.insert((value, Symbol::STARTER));
            }
        }
    }

    /// Function values that look into `value` are called with memory that the callee makes.
    fn applied_inside(&mut self, value: &Set, span: Span, faults: &mut Vec<Fault>) {
        if let Some(mark) = self.symbols.get(&Symbol::STARTER).filter(|mark| value.contains(**mark))
        {
            faults.push(Fault::Spawned { loan: *mark, spawn: span });
        }
        for value in self.symbols_in(value).into_iter().filter(|symbol| !symbol.is_mark()) {
            self.summary.applies.insert((value, Symbol::STARTER));
        }
    }

    /// Statements or steps of a `parallel` run the function values that look into the loans.
    fn joined(&mut self, loans: &Set, value: &Operand, parallel: Span, faults: &mut Vec<Fault>) {
        let marked = [Symbol::PIN, Symbol::BOUND].map(|mark| self.symbols.get(&mark).copied());
        if let Some(mark) = marked.into_iter().flatten().find(|mark| loans.contains(*mark)) {
            faults.push(Fault::Joined { mark, value: value.clone(), parallel });
        }
        for symbol in self.symbols_in(loans).into_iter().filter(|symbol| !symbol.is_mark()) {
            self.summary.joins.entry(symbol).or_insert(parallel);
        }
    }

    fn spawned(&mut self, loans: &Set, spawn: Span, faults: &mut Vec<Fault>) {
        for loan in loans.iter() {
            match self.loans[loan].kind {
                LoanKind::Symbol(Symbol::PIN) => faults.push(Fault::Spawned { loan, spawn }),
                LoanKind::Symbol(Symbol::STARTER | Symbol::BOUND) => {}
                LoanKind::Symbol(symbol) => {
                    self.summary.spawns.entry(symbol).or_insert(spawn);
                }
                // What the task is to own is moved to it, and not looked into any more.
                LoanKind::Scope(_) | LoanKind::Owned => faults.push(Fault::Spawned { loan, spawn }),
            }
        }
    }

    /// Whoever calls a function value knows its type only. So it may not free or keep its parameters, and what it
    /// does with what it captured counts where it is made.
    fn closure(
        &mut self,
        state: &mut State,
        into: Local,
        function: FunctionId,
        captures: &[Operand],
        span: Span,
        faults: &mut Vec<Fault>,
    ) {
        let summaries = self.summaries;
        let summary = &summaries[function.index()];
        let runner = self.uses.runner(into);
        for (symbol, fate) in &summary.frees {
            if !runner.is_one_task() || !self.is_taken_along(function, *symbol) {
                let loans = self.given_to(state, *symbol, captures);
                faults.push(Fault::FreedInClosure { function, fate: fate.clone(), loans });
            }
        }
        for (symbol, fate) in &summary.takes {
            if !runner.is_one_task() || !self.is_taken_along(function, *symbol) {
                let loans = self.given_to(state, *symbol, captures);
                faults.push(Fault::MovedInClosure { function, fate: fate.clone(), loans });
            }
        }
        self.clashes(state, function, captures, span, faults);
        for (symbol, fate) in &summary.keeps {
            let Source::Capture(capture) = symbol.source() else {
                if let Symbol::Outer(_) = symbol {
                    faults.push(Fault::KeptInClosure { function, fate: fate.clone() });
                }
                continue;
            };
            let value = &captures[capture as usize];
            for loan in self.captured(state, *symbol, value).iter() {
                if let LoanKind::Symbol(own) = self.loans[loan].kind {
                    if !own.is_mark() {
                        self.summary.keeps.entry(own).or_insert(fate.clone());
                    }
                } else {
                    let callee = Some((function, fate.clone()));
                    let fault = Fault::Kept { value: value.clone(), loan, into: None, callee };
                    faults.push(fault);
                }
            }
        }
        for (slot, symbol) in &summary.holds {
            if let (Slot::Source(Source::Capture(_)), Symbol::Outer(Source::Param(param))) =
                (slot, symbol)
            {
                let name =
                    self.program.functions[function.index()].locals[*param as usize].name.clone();
                let fate = Fate { span, name, into: None, through: None };
                faults.push(Fault::KeptInClosure { function, fate });
            }
        }
        for (value, given) in &summary.applies {
            let values = self.given_to(state, *value, captures);
            match given.is_mark() {
                true => self.applied_inside(&values, span, faults),
                false => {
                    let given = self.given_to(state, *given, captures);
                    self.applied(&values, &given, span, faults);
                }
            }
        }
        for (symbol, spawn) in &summary.spawns {
            if let Source::Capture(capture) = symbol.source() {
                let loans = self.captured(state, *symbol, &captures[capture as usize]);
                self.spawned(&loans, *spawn, faults);
            }
        }
        for (symbol, parallel) in &summary.joins {
            if let Source::Capture(capture) = symbol.source() {
                let loans = self.given_to(state, *symbol, captures);
                self.joined(&loans, &captures[capture as usize], *parallel, faults);
            }
        }
        if let Some(parallel) = runner.parallel() {
            for value in captures {
                let inner = local_of(value).map(|local| self.inner_of(local).clone());
                self.joined(&inner.unwrap_or_default(), value, parallel, faults);
            }
        }
        for (symbol, span) in &summary.writes {
            if let Source::Capture(capture) = symbol.source() {
                let loans = self.captured(state, *symbol, &captures[capture as usize]);
                self.note_writes(&loans, *span);
            }
        }
    }

    /// What a function value, as it is made, captures for a symbol.
    fn given_to(&self, state: &State, symbol: Symbol, captures: &[Operand]) -> Set {
        match symbol.source() {
            Source::Capture(index) => self.captured(state, symbol, &captures[index as usize]),
            _ => Set::default(),
        }
    }

    /// Owned memory that a task captured is the task's to free.
    fn is_taken_along(&self, function: FunctionId, symbol: Symbol) -> bool {
        let Symbol::Outer(Source::Capture(capture)) = symbol else { return false };
        let captures = &self.program.functions[function.index()].captures;
        let ty =
            captures.as_ref().map(|captures| self.program.types.get(captures[capture as usize]));
        matches!(ty, Some(Ty::Owned(_)))
    }

    fn captured(&self, state: &State, symbol: Symbol, value: &Operand) -> Set {
        match symbol {
            Symbol::Outer(_) => self.outer_of(state, value),
            Symbol::Inner(_) => {
                local_of(value).map_or(Set::default(), |local| self.inner_of(local).clone())
            }
        }
    }

    /// Whether the statement frees the operand, or calls a function that may.
    pub fn may_free(&self, kind: &StmtKind, operand: &Operand) -> bool {
        match kind {
            StmtKind::Free(freed) => freed == operand,
            StmtKind::Assign(_, Rvalue::Call { function, args }) => {
                self.summaries[function.index()].frees.keys().any(|symbol| {
                    matches!(symbol.source(), Source::Param(at) if args.get(at as usize) == Some(operand))
                })
            }
            _ => false,
        }
    }

    /// What the statement ends.
    pub fn ends(&self, state: &State, kind: &StmtKind) -> End {
        let mut end = End::default();
        match kind {
            StmtKind::ScopeExit(scope) => {
                for (index, loan) in self.loans.iter().enumerate() {
                    if loan.kind == LoanKind::Scope(*scope) {
                        end.loans.insert(index);
                    }
                }
            }
            StmtKind::Free(operand) if !self.is_counted(operand) => {
                end.loans = self.freed(state, operand);
                end.freed = Some(operand.clone());
            }
            StmtKind::Assign(_, Rvalue::Call { function, args }) => {
                for symbol in self.summaries[function.index()].frees.keys() {
                    end.loans.add(&self.meant(state, *symbol, args));
                    if let Source::Param(param) = symbol.source() {
                        end.freed = args.get(param as usize).cloned();
                        end.callee = Some(*function);
                    }
                }
            }
            _ => {}
        }
        end.moves = self.moves(state, kind);
        for moved in &end.moves {
            end.loans.add(&moved.loans);
        }
        end
    }

    /// Where a loan begins, when it begins here.
    pub fn site_of(&self, loan: usize) -> Option<Point> {
        let loan = self.loans[loan].of;
        self.sites.iter().find(|(_, site)| **site == loan).map(|(point, _)| *point)
    }

    /// The same flow, to run statements of it again.
    pub fn replay(&self) -> Flow<'a> {
        Flow {
            uses: self.uses.clone(),
            used: self.used.clone(),
            kinds: self.kinds.clone(),
            loans: self.loans.clone(),
            sites: self.sites.clone(),
            parts: self.parts.clone(),
            older: self.older.clone(),
            symbols: self.symbols.clone(),
            classes: self.classes.clone(),
            inner: self.inner.clone(),
            entries: HashMap::new(),
            states: vec![],
            summary: Summary::default(),
            ..*self
        }
    }

    // The summary.

    fn summarise(&mut self) {
        let mut slots: Vec<(Slot, usize)> = vec![(Slot::Result, self.result_slot())];
        for (symbol, index) in &self.symbols {
            if let Symbol::Inner(source) = symbol {
                slots.push((Slot::Source(*source), self.loans[*index].local.index()));
            }
        }
        for (slot, member) in &slots {
            let class = self.classes.of(*member);
            for (other, member) in &slots {
                if other > slot && self.classes.of(*member) == class {
                    self.summary.same.insert((*slot, *other));
                }
            }
            for symbol in self.symbols_in(&self.inner[class]) {
                if *slot != Slot::Source(symbol.source()) || matches!(symbol, Symbol::Outer(_)) {
                    self.summary.holds.insert((*slot, symbol));
                }
            }
        }
    }
}
