//! Which elements the steps of a `parallel for` write.
//!
//! What runs the steps is a closure with a loop over its share of them. An index is followed as a polynomial in the number
//! of the step, in the counters of loops inside the step, and in what is the same for all steps. Two steps write different
//! elements when the number of the step is multiplied by at least as many elements as one step can write: `v[i]`,
//! `v[2 * i + 1]`, `v[i * w + j]` with `j` in `0..w`, and all of `v.slice(i * w, (i + 1) * w)`. Anything else may overlap.

use std::collections::{BTreeMap, HashMap};

use medi_syntax::source::Span;

use super::flow::local_of;
use super::summary::{Source, Summary, Symbol};
use crate::mir::{
    BinaryOp, Comparison, Const, Function, FunctionId, Local, Operand, Program, Rvalue, StmtKind,
    UnaryOp,
};

/// Products of locals, each with its factor; the product of none is 1.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
struct Sum(BTreeMap<Vec<Local>, i64>);

impl Sum {
    fn constant(value: i64) -> Self {
        Self::term(vec![], value)
    }

    fn term(locals: Vec<Local>, factor: i64) -> Self {
        let mut sum = Self::default();
        if factor != 0 {
            sum.0.insert(locals, factor);
        }
        sum
    }

    fn plus(&self, other: &Sum, times: i64) -> Option<Sum> {
        let mut sum = self.clone();
        for (locals, factor) in &other.0 {
            let entry = sum.0.entry(locals.clone()).or_default();
            *entry = entry.checked_add(factor.checked_mul(times)?)?;
        }
        sum.0.retain(|_, factor| *factor != 0);
        Some(sum)
    }

    fn times(&self, other: &Sum) -> Option<Sum> {
        let mut sum = Sum::default();
        for (locals, factor) in &self.0 {
            for (others, more) in &other.0 {
                let mut product: Vec<Local> = locals.iter().chain(others).copied().collect();
                product.sort();
                sum = sum.plus(&Sum::term(product, factor.checked_mul(*more)?), 1)?;
            }
        }
        Some(sum)
    }

    /// What a local is multiplied by, and the rest; `None` when it is multiplied by itself.
    fn split(&self, local: Local) -> Option<(Sum, Sum)> {
        let (mut by, mut rest) = (Sum::default(), Sum::default());
        for (locals, factor) in &self.0 {
            match locals.iter().filter(|at| **at == local).count() {
                0 => rest.0.insert(locals.clone(), *factor),
                1 => {
                    let others = locals.iter().copied().filter(|at| *at != local).collect();
                    by.0.insert(others, *factor)
                }
                _ => return None,
            };
        }
        Some((by, rest))
    }

    fn value(&self) -> Option<i64> {
        match self.0.len() {
            0 => Some(0),
            1 => self.0.get(&vec![]).copied(),
            _ => None,
        }
    }

    fn has(&self, is: impl Fn(Local) -> bool) -> bool {
        self.0.keys().flatten().any(|local| is(*local))
    }
}

/// Of a step *i* of a view: the elements from `every` * *i* + `first` on, as many as `count`.
#[derive(Clone, PartialEq, Debug)]
struct Share {
    every: Sum,
    first: Sum,
    count: Sum,
}

/// Where a view of the closure looks.
enum Place {
    /// Not into what it captured.
    Elsewhere,
    /// Into a captured view: from an element on, or into the share of one step.
    From(u32, Sum),
    Share(u32, Share),
    Unknown,
}

/// The captured views of which two steps may write the same element, and where.
pub fn overlaps(
    program: &Program,
    summaries: &[Summary],
    steps: FunctionId,
) -> BTreeMap<u32, Span> {
    let function = &program.functions[steps.index()];
    let writes = &summaries[steps.index()].writes;
    let written = writes.iter().filter_map(|(symbol, span)| match symbol {
        Symbol::Outer(Source::Capture(capture)) => Some((*capture, *span)),
        _ => None,
    });
    let written: BTreeMap<u32, Span> = written.collect();
    if written.is_empty() {
        return written;
    }
    let finder = Finder::new(function, summaries);
    let mut shares: BTreeMap<u32, Vec<(Share, Span)>> = BTreeMap::new();
    let mut found = BTreeMap::new();
    for (place, span) in finder.writes() {
        match place {
            Place::Elsewhere => {}
            Place::Share(capture, share) => shares.entry(capture).or_default().push((share, span)),
            Place::From(capture, _) => {
                found.entry(capture).or_insert(span);
            }
            // It may be any of them.
            Place::Unknown => {
                for capture in written.keys() {
                    found.entry(*capture).or_insert(span);
                }
            }
        }
    }
    for (capture, shares) in shares {
        if let Some((_, span)) = shares.iter().find(|(share, _)| !fits(&shares[0].0, share)) {
            found.entry(capture).or_insert(*span);
        }
    }
    found
}

/// Whether the elements of one step, of both shares, are fewer than lie between a step and the next.
fn fits(one: &Share, other: &Share) -> bool {
    let apart = || {
        let start = other.first.plus(&one.first, -1)?.value()?;
        let (count, more) = (one.count.value(), other.count.value());
        let (least, most) = match (count, more) {
            (Some(count), Some(more)) => (start.min(0), count.max(start.checked_add(more)?)),
            _ => {
                // As many as between two steps, from the same place.
                let whole = start == 0 && one.count == other.count && one.count == one.every;
                return Some(whole);
            }
        };
        let every = one.every.value()?.checked_abs()?;
        Some(every >= 1 && most.checked_sub(least)? <= every)
    };
    one.every == other.every && apart().unwrap_or(false)
}

struct Finder<'f> {
    function: &'f Function,
    summaries: &'f [Summary],
    defined: HashMap<Local, Vec<&'f Rvalue>>,
}

impl<'f> Finder<'f> {
    fn new(function: &'f Function, summaries: &'f [Summary]) -> Self {
        let mut defined: HashMap<Local, Vec<&Rvalue>> = HashMap::new();
        for stmt in function.blocks.iter().flat_map(|block| &block.stmts) {
            if let StmtKind::Assign(into, rvalue) = &stmt.kind {
                defined.entry(*into).or_default().push(rvalue);
            }
        }
        Self { function, summaries, defined }
    }

    fn writes(&self) -> Vec<(Place, Span)> {
        let mut found = vec![];
        for stmt in self.function.blocks.iter().flat_map(|block| &block.stmts) {
            let (callee, given, closure) = match &stmt.kind {
                StmtKind::SetScopeElem { base, index, .. } => {
                    found.push((self.element(base, index), stmt.span));
                    continue;
                }
                StmtKind::Assign(_, Rvalue::Call { function, args }) => (function, args, false),
                StmtKind::Assign(_, Rvalue::NewClosure { function, captures, .. }) => {
                    (function, captures, true)
                }
                _ => continue,
            };
            for symbol in self.summaries[callee.index()].writes.keys() {
                let operand = match symbol.source() {
                    Source::Param(index) if !closure => given.get(index as usize),
                    Source::Capture(index) if closure => given.get(index as usize),
                    _ => None,
                };
                if let Some(operand) = operand {
                    found.push((self.place(operand, 0), stmt.span));
                }
            }
        }
        found
    }

    fn element(&self, base: &Operand, index: &Operand) -> Place {
        match self.place(base, 0) {
            Place::From(capture, offset) => {
                let at = self.sum(index, 0).and_then(|index| offset.plus(&index, 1));
                let share = at.and_then(|at| self.share(&at, Sum::constant(1)));
                share.map_or(Place::Unknown, |share| Place::Share(capture, share))
            }
            other => other,
        }
    }

    fn single(&self, operand: &Operand) -> Option<(Local, &'f Rvalue)> {
        let local = local_of(operand)?;
        match self.defined.get(&local).map(Vec::as_slice) {
            Some([rvalue]) => Some((local, rvalue)),
            _ => None,
        }
    }

    fn place(&self, view: &Operand, depth: usize) -> Place {
        let Some((_, rvalue)) = self.single(view).filter(|_| depth < self.defined.len()) else {
            return Place::Unknown;
        };
        match rvalue {
            Rvalue::Capture(capture) => Place::From(*capture, Sum::default()),
            Rvalue::Use(from) => self.place(from, depth + 1),
            Rvalue::SliceView { view, from, to } => match self.place(view, depth + 1) {
                Place::From(capture, offset) => {
                    let slice = || {
                        let (from, to) = (self.sum(from, 0)?, self.sum(to, 0)?);
                        let at = offset.plus(&from, 1)?;
                        if !at.has(|local| self.varies(local)) {
                            return Some(Place::From(capture, at));
                        }
                        let share = self.share(&at, to.plus(&from, -1)?)?;
                        Some(Place::Share(capture, share))
                    };
                    slice().unwrap_or(Place::Unknown)
                }
                other => other,
            },
            Rvalue::GetTuple { tuple, index } => match self.single(tuple) {
                Some((_, Rvalue::SplitView { view, at, .. })) => {
                    match self.place(view, depth + 1) {
                        Place::From(capture, offset) if *index == 1 => {
                            let at = self.sum(at, 0).and_then(|at| offset.plus(&at, 1));
                            let at = at.filter(|at| !at.has(|local| self.varies(local)));
                            at.map_or(Place::Unknown, |at| Place::From(capture, at))
                        }
                        other => other,
                    }
                }
                _ => Place::Unknown,
            },
            Rvalue::Allocate { .. } | Rvalue::OwnedBuffer { .. } => Place::Elsewhere,
            Rvalue::MakeView { buffer, .. } => match self.place(buffer, depth + 1) {
                Place::Elsewhere => Place::Elsewhere,
                _ => Place::Unknown,
            },
            _ => Place::Unknown,
        }
    }

    /// What one step writes that writes `count` elements from `at` on.
    fn share(&self, at: &Sum, mut count: Sum) -> Option<Share> {
        let step = self.step()?;
        let (every, mut first) = at.split(step)?;
        // A loop that writes as many elements at each turn as it moves on writes all of its range.
        while let Some(counter) = first.0.keys().flatten().copied().find(|at| self.varies(*at)) {
            let (by, rest) = first.split(counter)?;
            let (start, end) = self.range(counter)?;
            if by != count {
                return None;
            }
            first = rest.plus(&by.times(&start)?, 1)?;
            count = count.times(&end.plus(&start, -1)?)?;
        }
        let settled = |sum: &Sum| !sum.has(|local| self.varies(local));
        (settled(&every) && settled(&first) && settled(&count)).then_some(Share {
            every,
            first,
            count,
        })
    }

    /// A counter: the number of the step, or of a turn of a loop in it.
    fn varies(&self, local: Local) -> bool {
        self.counter(local).is_some()
    }

    /// The counter over the steps.
    fn step(&self) -> Option<Local> {
        let mut counters = self.defined.keys().copied().filter(|local| self.is_step(*local));
        counters.next().filter(|_| counters.next().is_none())
    }

    fn is_step(&self, local: Local) -> bool {
        let from = self.counter(local).and_then(|(from, _)| local_of(from));
        self.function.params == 2 && from == Some(Local(0))
    }

    /// Where a counter that goes up by one starts, and the bound that it stays under.
    fn counter(&self, local: Local) -> Option<(&'f Operand, &'f Operand)> {
        let Some([Rvalue::Use(start), Rvalue::Binary(BinaryOp::AddUnchecked, of, by)]) =
            self.defined.get(&local).map(Vec::as_slice)
        else {
            return None;
        };
        if local_of(of) != Some(local) || *by != Operand::Const(Const::Int(1)) {
            return None;
        }
        let mut bound = None;
        for rvalue in self.defined.values().flatten() {
            let Rvalue::Binary(BinaryOp::Compare(how), tested, below) = rvalue else { continue };
            if local_of(tested) != Some(local) {
                continue;
            }
            // A loop that includes its end tests in another way.
            if *how != Comparison::Lt || bound.is_some_and(|bound| bound != below) {
                return None;
            }
            bound = Some(below);
        }
        Some((start, bound?))
    }

    fn range(&self, counter: Local) -> Option<(Sum, Sum)> {
        let (start, end) = self.counter(counter).filter(|_| !self.is_step(counter))?;
        Some((self.sum(start, 0)?, self.sum(end, 0)?))
    }

    fn sum(&self, operand: &Operand, depth: usize) -> Option<Sum> {
        if let Operand::Const(constant) = operand {
            return match constant {
                Const::Int(value) => Some(Sum::constant(*value)),
                _ => None,
            };
        }
        let local = local_of(operand)?;
        if self.varies(local) {
            return Some(Sum::term(vec![local], 1));
        }
        let (local, rvalue) = self.single(operand).filter(|_| depth < 64)?;
        let of = |operand: &Operand| self.sum(operand, depth + 1);
        match rvalue {
            Rvalue::Capture(_) => Some(Sum::term(vec![local], 1)),
            Rvalue::Use(from) => of(from),
            Rvalue::Unary(UnaryOp::NegInt, value) => Sum::default().plus(&of(value)?, -1),
            Rvalue::Binary(BinaryOp::AddInt | BinaryOp::AddUnchecked, a, b) => {
                of(a)?.plus(&of(b)?, 1)
            }
            Rvalue::Binary(BinaryOp::SubInt, a, b) => of(a)?.plus(&of(b)?, -1),
            Rvalue::Binary(BinaryOp::MulInt, a, b) => of(a)?.times(&of(b)?),
            _ => None,
        }
    }
}
