//! Statements of one `parallel` that write the same view.

use std::collections::HashMap;

use medi_syntax::diagnostic::Diagnostic;
use medi_syntax::source::{SourceMap, Span};

use super::flow::{Flow, local_of};
use super::summary::{Source, Summary, Symbol};
use super::words::Words;
use crate::mir::{Function, Local, Operand, Program, Rvalue, Stmt, StmtKind};

/// The functions of lib/tasks.medi that run the statements of a `parallel`.
const PARALLEL: [&str; 2] = ["parallel_all", "parallel_all_or_fail"];

/// Whether a local is the list of function values that a `parallel` runs.
pub fn runs(program: &Program, function: &Function, list: Local) -> bool {
    let mut stmts = function.blocks.iter().flat_map(|block| &block.stmts);
    stmts.any(|stmt| match &stmt.kind {
        StmtKind::Assign(_, Rvalue::Call { function, args }) => {
            PARALLEL.contains(&program.functions[function.index()].name.as_str())
                && args.first().and_then(local_of) == Some(list)
        }
        _ => false,
    })
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

pub fn report(flow: &Flow, summaries: &[Summary], sources: &SourceMap) -> Vec<Diagnostic> {
    let stmts: Vec<&Stmt> = flow.function.blocks.iter().flat_map(|block| &block.stmts).collect();
    let parallel = stmts.iter().filter(|stmt| match &stmt.kind {
        StmtKind::Assign(_, Rvalue::Call { function, .. }) => {
            PARALLEL.contains(&flow.program.functions[function.index()].name.as_str())
        }
        _ => false,
    });
    let parallel: Vec<&&Stmt> = parallel.collect();
    if parallel.is_empty() {
        return vec![];
    }
    let mut defined: HashMap<Local, &Rvalue> = HashMap::new();
    for stmt in &stmts {
        if let StmtKind::Assign(into, rvalue) = &stmt.kind {
            defined.insert(*into, rvalue);
        }
    }
    let words = Words { flow, sources };
    let found = parallel.iter().flat_map(|call| clashes(&words, summaries, &defined, &stmts, call));
    found.collect()
}

/// One statement of a `parallel`: a closure, and the part of memory that each captured view looks into.
struct Arm {
    writes: Vec<Write>,
}

struct Write {
    view: Local,
    part: Part,
    span: Span,
}

fn clashes(
    words: &Words,
    summaries: &[Summary],
    defined: &HashMap<Local, &Rvalue>,
    stmts: &[&Stmt],
    call: &Stmt,
) -> Vec<Diagnostic> {
    let arms = arms(summaries, defined, stmts, call);
    let mut found = vec![];
    for (index, first) in arms.iter().enumerate() {
        for second in &arms[index + 1..] {
            let clash = first.writes.iter().find_map(|write| {
                let same = |other: &&Write| {
                    may_overlap(words, defined, write.view, other.view)
                        && !write.part.apart(&other.part)
                };
                second.writes.iter().find(same).map(|other| (write, other))
            });
            found.extend(clash.map(|(write, other)| clash_of(words, write, other)));
        }
    }
    found.truncate(1);
    found
}

fn clash_of(words: &Words, first: &Write, second: &Write) -> Diagnostic {
    let (name, other) = (words.value(first.view), words.value(second.view));
    let message = if name == other {
        format!("two tasks may write {name} at the same time")
    } else {
        format!("two tasks may write the memory of {name} and {other} at the same time")
    };
    let label = format!("writes {other}");
    Diagnostic::error("M0402", message, second.span, label)
        .label(first.span, format!("writes {name} at the same time"))
        .why("the order of the writes is not fixed; a fence orders atomics only")
        .help(format!(
            "give each its own part: `let (l, r) = {}.split_at(n)`",
            name.trim_matches('`')
        ))
}

/// Whether two views may look into the same allocation, by the loans they ever hold.
fn may_overlap(words: &Words, defined: &HashMap<Local, &Rvalue>, a: Local, b: Local) -> bool {
    let ever = |local: Local| {
        let mut all = super::sets::Set::default();
        for state in words.flow.states.iter().flatten() {
            all.add(&state.outer[local.index()]);
        }
        all
    };
    a == b || ever(a).meets(&ever(b)) || part_of(defined, a).root == part_of(defined, b).root
}

/// The closures in the list that the call runs.
fn arms(
    summaries: &[Summary],
    defined: &HashMap<Local, &Rvalue>,
    stmts: &[&Stmt],
    call: &Stmt,
) -> Vec<Arm> {
    let StmtKind::Assign(_, Rvalue::Call { args, .. }) = &call.kind else { return vec![] };
    let Some(list) = args.first().and_then(local_of) else { return vec![] };
    let items = match defined.get(&list) {
        Some(Rvalue::NewRecord { fields, .. }) => fields.get(1).and_then(local_of),
        _ => None,
    };
    let mut arms = vec![];
    for stmt in stmts {
        let StmtKind::Assign(closure, Rvalue::NewClosure { function, captures, .. }) = &stmt.kind
        else {
            continue;
        };
        let is_item = stmts.iter().any(|stmt| match &stmt.kind {
            StmtKind::SetElem { array, value, .. } => {
                local_of(array) == items && local_of(value) == Some(*closure)
            }
            _ => false,
        });
        if is_item {
            let writes = writes(&summaries[function.index()], defined, captures);
            arms.push(Arm { writes });
        }
    }
    arms
}

fn writes(
    summary: &Summary,
    defined: &HashMap<Local, &Rvalue>,
    captures: &[Operand],
) -> Vec<Write> {
    let written = summary.writes.iter().filter_map(|(symbol, span)| match symbol {
        Symbol::Outer(Source::Capture(capture)) => {
            local_of(&captures[*capture as usize]).map(|view| (view, *span))
        }
        _ => None,
    });
    written.map(|(view, span)| Write { view, part: part_of(defined, view), span }).collect()
}

fn part_of(defined: &HashMap<Local, &Rvalue>, local: Local) -> Part {
    let mut halves = vec![];
    let mut at = local;
    for _ in 0..defined.len() {
        let next = match defined.get(&at) {
            Some(
                Rvalue::Use(from)
                | Rvalue::SliceView { view: from, .. }
                | Rvalue::SplitView { view: from, .. },
            ) => local_of(from),
            Some(Rvalue::GetTuple { tuple, index }) => {
                halves.push(*index);
                local_of(tuple)
            }
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
