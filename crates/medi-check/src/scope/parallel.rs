//! Statements that run at the same time and write the same memory: those of one `parallel`, here or in a function that
//! is called with one piece of memory as two arguments.

use std::collections::HashMap;

use medi_syntax::diagnostic::{Diagnostic, Edit};
use medi_syntax::source::{SourceMap, Span};

use super::flow::{Flow, LoanKind, Point, State, local_of};
use super::sets::Set;
use super::steps::overlaps;
use super::summary::{Race, Races, Source, Summary, Symbol};
use super::words::Words;
use crate::mir::{Function, FunctionId, Local, Operand, Program, Rvalue, Stmt, StmtKind};
use crate::types::Ty;

/// The functions of lib/tasks.medi that run the statements of a `parallel`.
const PARALLEL: [&str; 2] = ["parallel_all", "parallel_all_or_fail"];

/// The natives that run the steps of a `parallel for`.
const STEPS: [&str; 2] = ["tasks_range", "tasks_range_or_fail"];

/// The `parallel` that runs the function values in the list.
pub fn runs(program: &Program, function: &Function, list: Local) -> Option<Span> {
    let mut stmts = function.blocks.iter().flat_map(|block| &block.stmts);
    let parallel = stmts.find(|stmt| match &stmt.kind {
        StmtKind::Assign(_, Rvalue::Call { function, args }) => {
            PARALLEL.contains(&program.functions[function.index()].name.as_str())
                && args.first().and_then(local_of) == Some(list)
        }
        _ => false,
    });
    parallel.map(|stmt| stmt.span)
}

/// The function value that runs the steps of a `parallel for`, when the statement is one.
pub fn steps<'s>(program: &Program, kind: &'s StmtKind) -> Option<&'s Operand> {
    match kind {
        StmtKind::Assign(_, Rvalue::CallNative { native, args }) => {
            let symbol = program.natives[native.index()].symbol.as_str();
            args.get(2).filter(|_| STEPS.contains(&symbol))
        }
        _ => None,
    }
}

/// Where a view looks, as far as that is known before the program runs: a local, and which parts `split_at` made.
#[derive(Clone, PartialEq, Debug)]
struct Part {
    root: Local,
    halves: Vec<u32>,
}

impl Part {
    /// Neither is the other, or a part of it, or the same by another name.
    fn apart(&self, other: &Part) -> bool {
        let differ = self.halves.iter().zip(&other.halves).any(|(a, b)| a != b);
        self.root == other.root && differ
    }
}

/// What one of several things that run at the same time writes.
#[derive(Clone)]
struct Write {
    value: Local,
    part: Option<Part>,
    loans: Set,
    span: Span,
}

/// Two writes that nothing orders.
struct Pair {
    first: Write,
    second: Write,
    at: Span,
    /// The `parallel`: here, or in a function that is called here.
    parallel: Span,
    /// Both are in that function.
    callee: Option<FunctionId>,
    /// Two steps of a `parallel for` do the same.
    steps: bool,
}

impl Pair {
    /// The values are parts of one view that have no element in common.
    fn apart(&self) -> bool {
        match (&self.first.part, &self.second.part) {
            (Some(first), Some(second)) => first.apart(second),
            _ => false,
        }
    }
}

pub fn report(flow: &Flow, summaries: &[Summary], sources: &SourceMap) -> Vec<Diagnostic> {
    let words = Words { flow, sources };
    let pairs = Finder::new(flow, summaries).pairs();
    let same = |pair: &Pair| {
        let (first, second) = (&pair.first, &pair.second);
        let root = |write: &Write| write.part.as_ref().map(|part| part.root);
        let alike = root(first).is_some() && root(first) == root(second);
        !pair.apart() && (alike || first.loans.meets(&second.loans))
    };
    let mut found: Vec<Diagnostic> = vec![];
    let mut told: Option<Span> = None;
    for pair in pairs.iter().filter(|pair| same(pair)) {
        if told != Some(pair.at) {
            told = Some(pair.at);
            found.push(message(&words, pair));
        }
    }
    found
}

/// Memory of the caller that the function writes in two statements that run at the same time.
pub fn races(flow: &Flow, summaries: &[Summary]) -> Races {
    let mut races = Races::new();
    for pair in Finder::new(flow, summaries).pairs() {
        if pair.apart() {
            continue;
        }
        let symbols = |loans: &Set| -> Vec<Symbol> {
            let symbol = |loan: usize| match flow.loans[loan].kind {
                LoanKind::Symbol(symbol) => Some(symbol),
                _ => None,
            };
            loans.iter().filter_map(symbol).collect()
        };
        for first in symbols(&pair.first.loans) {
            for second in symbols(&pair.second.loans) {
                if first != second {
                    let (one, other) = (pair.first.span, pair.second.span);
                    let race = Race { first: one, second: other, at: pair.parallel };
                    races.entry((first, second)).or_insert(race);
                }
            }
        }
    }
    races
}

fn message(words: &Words, pair: &Pair) -> Diagnostic {
    let (first, second) = (&pair.first, &pair.second);
    let (name, other) = (words.value(first.value), words.value(second.value));
    let message = if name == other {
        format!("two tasks may write {name} at the same time")
    } else {
        format!("two tasks may write the memory of {name} and {other} at the same time")
    };
    let why = "the order of the writes is not fixed; a fence orders atomics only";
    // A buffer has parts as bytes.
    let bytes = format!("{}.view[byte]()", name.trim_matches('`'));
    let is_buffer = matches!(words.ty(first.value), Ty::Buffer);
    let bare = if is_buffer { &bytes } else { name.trim_matches('`') };
    if let Some(callee) = pair.callee {
        let callee = &words.flow.program.functions[callee.index()];
        let label = format!("`{}` writes both at the same time", callee.name);
        let diagnostic = Diagnostic::error("M0402", message, pair.at, label)
            .label(first.span, "one task writes here")
            .label(second.span, "another writes here")
            .why(why)
            .help(format!("give it two parts: `let (l, r) = {bare}.split_at(n)`"));
        return one_by_one(words, diagnostic, pair);
    }
    if pair.steps {
        let message = format!("two steps of this loop may write the same element of {name}");
        let diagnostic = Diagnostic::error("M0402", message, first.span, format!("writes {name}"))
            .label(pair.at, "the steps run at the same time")
            .why("the order of the steps is not fixed; what each writes must follow from its number")
            .help(format!(
                "with `for i in 0..n`, write `{bare}[i]`, or only `{bare}.slice(i * size, (i + 1) * size)`"
            ))
            .help("or use a view of `Atomic[int]`");
        return one_by_one(words, diagnostic, pair);
    }
    let diagnostic = Diagnostic::error("M0402", message, second.span, format!("writes {other}"))
        .label(first.span, format!("writes {name} at the same time"))
        .why(why)
        .help(format!("give each its own part: `let (l, r) = {bare}.split_at(n)`"));
    let halved = (first.value == second.value).then(|| halves(words, pair, bare)).flatten();
    match halved {
        Some(edits) => Diagnostic { edits, ..diagnostic },
        None => one_by_one(words, diagnostic, pair),
    }
}

/// Offers to do one thing after the other.
fn one_by_one(words: &Words, diagnostic: Diagnostic, pair: &Pair) -> Diagnostic {
    match crate::edits::without_parallel(words.sources, pair.parallel) {
        Some(edit) => {
            let diagnostic = diagnostic.help("or leave `parallel` out, and one follows the other");
            Diagnostic { edits: vec![edit], ..diagnostic }
        }
        None => diagnostic,
    }
}

/// Gives each of two statements one half of the view, where the names of the halves are free and each statement says the
/// view's name once.
fn halves(words: &Words, pair: &Pair, view: &str) -> Option<Vec<Edit>> {
    let text = &words.sources.file(pair.at.file).text;
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    let says = |span: Span, name: &str| {
        words.sources.text(span).split(|c| !is_word(c)).filter(|word| *word == name).count()
    };
    let (one, other) = (pair.first.span, pair.second.span);
    let line = text[..pair.at.start as usize].rfind('\n').map_or(0, |at| at + 1);
    let indent = &text[line..pair.at.start as usize];
    let whole = words.flow.function.span;
    let fits = says(one, view) == 1
        && says(other, view) == 1
        && !["l", "r"].iter().any(|name| says(whole, name) > 0)
        && !view.is_empty()
        && view.chars().all(is_word)
        && words.sources.text(pair.at).starts_with("parallel")
        && indent.trim().is_empty();
    let places = words.find_word(one, view).zip(words.find_word(other, view));
    let (first, second) = places.filter(|(first, second)| fits && first != second)?;
    let start = Span { end: pair.at.start, ..pair.at };
    let split = format!("let (l, r) = {view}.split_at(div(len({view}), 2))\n{indent}");
    let edit = |span, replacement: &str| Edit { span, replacement: replacement.to_owned() };
    Some(vec![edit(start, &split), edit(first, "l"), edit(second, "r")])
}

struct Finder<'f> {
    flow: &'f Flow<'f>,
    summaries: &'f [Summary],
    stmts: Vec<&'f Stmt>,
    /// What each local is, of those that are assigned once.
    defined: HashMap<Local, &'f Rvalue>,
}

impl<'f> Finder<'f> {
    fn new(flow: &'f Flow<'f>, summaries: &'f [Summary]) -> Self {
        Self { flow, summaries, stmts: vec![], defined: HashMap::new() }
    }

    fn is_parallel(&self, function: FunctionId) -> bool {
        PARALLEL.contains(&self.flow.program.functions[function.index()].name.as_str())
    }

    /// Whether the statement, or what it calls, runs two things at the same time.
    fn matters(&self, stmt: &Stmt) -> bool {
        match &stmt.kind {
            StmtKind::Assign(_, Rvalue::Call { function, .. }) => {
                self.is_parallel(*function) || !self.summaries[function.index()].races.is_empty()
            }
            StmtKind::Assign(_, Rvalue::NewClosure { function, .. }) => {
                !self.summaries[function.index()].races.is_empty()
            }
            kind => steps(self.flow.program, kind).is_some(),
        }
    }

    fn pairs_of_steps(&self, state: &State, closure: &Operand, at: Span, pairs: &mut Vec<Pair>) {
        let Some(Rvalue::NewClosure { function, captures, .. }) = self.whole(closure) else {
            return;
        };
        let arm = (*function, captures.as_slice());
        let before = pairs.len();
        self.pairs_of_arms(state, &arm, &arm, at, pairs);
        // The same view is written by both: that depends on where.
        pairs.retain({
            let mut index = 0;
            move |pair| {
                index += 1;
                index <= before || pair.first.value != pair.second.value
            }
        });
        for (capture, span) in overlaps(self.flow.program, self.summaries, *function) {
            let symbol = Symbol::Outer(Source::Capture(capture));
            if let Some(write) = self.write(state, symbol, true, captures, span) {
                let (first, second) = (write.clone(), write);
                pairs.push(Pair { first, second, at, parallel: at, callee: None, steps: true });
            }
        }
    }

    fn pairs(mut self) -> Vec<Pair> {
        let blocks = &self.flow.function.blocks;
        if !blocks.iter().flat_map(|block| &block.stmts).any(|stmt| self.matters(stmt)) {
            return vec![];
        }
        self.stmts = blocks.iter().flat_map(|block| &block.stmts).collect();
        let mut often = vec![];
        for stmt in &self.stmts {
            if let StmtKind::Assign(into, rvalue) = &stmt.kind
                && self.defined.insert(*into, rvalue).is_some()
            {
                often.push(*into);
            }
        }
        for local in often {
            self.defined.remove(&local);
        }
        let mut pairs = vec![];
        // The steps add to regions that are complete already, so the flow does not change.
        let mut replay = self.flow.replay();
        for (block, body) in blocks.iter().enumerate() {
            let Some(mut state) = self.flow.states[block].clone() else { continue };
            for (index, stmt) in body.stmts.iter().enumerate() {
                if self.matters(stmt) {
                    self.pairs_at(&state, stmt, &mut pairs);
                }
                let at = Point { block, index };
                replay.step(&mut state, at, &stmt.kind, stmt.span, &mut vec![]);
            }
        }
        pairs
    }

    fn pairs_at(&self, state: &State, stmt: &Stmt, pairs: &mut Vec<Pair>) {
        if let Some(closure) = steps(self.flow.program, &stmt.kind) {
            return self.pairs_of_steps(state, closure, stmt.span, pairs);
        }
        let (callee, given) = match &stmt.kind {
            StmtKind::Assign(_, Rvalue::Call { function, args }) if self.is_parallel(*function) => {
                let arms = self.arms(args);
                for (index, first) in arms.iter().enumerate() {
                    for second in &arms[index + 1..] {
                        self.pairs_of_arms(state, first, second, stmt.span, pairs);
                    }
                }
                return;
            }
            StmtKind::Assign(_, Rvalue::Call { function, args }) => (*function, args),
            StmtKind::Assign(_, Rvalue::NewClosure { function, captures, .. }) => {
                (*function, captures)
            }
            _ => return,
        };
        let closure = matches!(&stmt.kind, StmtKind::Assign(_, Rvalue::NewClosure { .. }));
        for ((first, second), race) in &self.summaries[callee.index()].races {
            let write = |symbol, span| self.write(state, symbol, closure, given, span);
            if let Some((first, second)) =
                write(*first, race.first).zip(write(*second, race.second))
            {
                pairs.push(Pair {
                    first,
                    second,
                    at: stmt.span,
                    parallel: race.at,
                    callee: Some(callee),
                    steps: false,
                });
            }
        }
    }

    /// What a callee, or a function value, writes of what it is given.
    fn write(
        &self,
        state: &State,
        symbol: Symbol,
        closure: bool,
        given: &[Operand],
        span: Span,
    ) -> Option<Write> {
        let operand = match symbol.source() {
            Source::Param(index) if !closure => given.get(index as usize)?,
            Source::Capture(index) if closure => given.get(index as usize)?,
            _ => return None,
        };
        let value = local_of(operand)?;
        Some(match symbol {
            Symbol::Outer(_) => {
                let loans = self.flow.outer_of(state, operand);
                Write { value, part: Some(self.part_of(value)), loans, span }
            }
            Symbol::Inner(_) => {
                Write { value, part: None, loans: self.flow.inner_of(value).clone(), span }
            }
        })
    }

    fn pairs_of_arms(
        &self,
        state: &State,
        first: &(FunctionId, &[Operand]),
        second: &(FunctionId, &[Operand]),
        at: Span,
        pairs: &mut Vec<Pair>,
    ) {
        let writes = |arm: &(FunctionId, &[Operand])| -> Vec<Write> {
            let writes = self.summaries[arm.0.index()].writes.iter();
            writes
                .filter_map(|(symbol, span)| self.write(state, *symbol, true, arm.1, *span))
                .collect()
        };
        for one in writes(first) {
            for other in writes(second) {
                pairs.push(Pair {
                    first: one.clone(),
                    second: other,
                    at,
                    parallel: at,
                    callee: None,
                    steps: false,
                });
            }
        }
    }

    /// The closures in the list that the call runs, and what they captured.
    fn arms(&self, args: &[Operand]) -> Vec<(FunctionId, &'f [Operand])> {
        let Some(list) = args.first().and_then(local_of) else { return vec![] };
        let items = match self.defined.get(&list) {
            Some(Rvalue::NewRecord { fields, .. }) => fields.get(1).and_then(local_of),
            _ => None,
        };
        let mut arms = vec![];
        for stmt in &self.stmts {
            let StmtKind::Assign(closure, Rvalue::NewClosure { function, captures, .. }) =
                &stmt.kind
            else {
                continue;
            };
            let is_item = self.stmts.iter().any(|stmt| match &stmt.kind {
                StmtKind::SetElem { array, value, .. } => {
                    local_of(array) == items && local_of(value) == Some(*closure)
                }
                _ => false,
            });
            if is_item {
                arms.push((*function, captures.as_slice()));
            }
        }
        arms
    }

    fn part_of(&self, local: Local) -> Part {
        let mut halves = vec![];
        let mut at = local;
        for _ in 0..=self.defined.len() {
            let next = match self.defined.get(&at) {
                Some(Rvalue::Use(from) | Rvalue::SliceView { view: from, .. }) => local_of(from),
                Some(Rvalue::GetTuple { tuple, index }) => match self.whole(tuple) {
                    Some(Rvalue::SplitView { view, .. }) => {
                        halves.push(*index);
                        local_of(view)
                    }
                    Some(Rvalue::MakeTuple(parts)) => local_of(&parts[*index as usize]),
                    _ => None,
                },
                _ => None,
            };
            match next {
                Some(next) => at = next,
                None => break,
            }
        }
        halves.reverse();
        Part { root: at, halves }
    }

    /// What made a value, behind its copies.
    fn whole(&self, operand: &Operand) -> Option<&'f Rvalue> {
        let mut at = local_of(operand)?;
        for _ in 0..self.defined.len() {
            match self.defined.get(&at)? {
                Rvalue::Use(from) => at = local_of(from)?,
                other => return Some(other),
            }
        }
        None
    }
}
