//! Owned memory that nobody frees: where its last holder is gone.

use medi_syntax::diagnostic::{Diagnostic, Edit};
use medi_syntax::source::Span;

use super::flow::{Flow, LoanKind, Point, State, local_of};
use super::live::Live;
use super::sets::Set;
use super::summary::{Source, Symbol};
use super::words::Words;
use crate::edits::frees;
use crate::mir::validate::targets;
use crate::mir::{BlockId, Local, StmtKind, Terminator, TerminatorKind};
use crate::types::Ty;

/// How memory is lost, what says most first.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum How {
    /// By `break` or `continue`.
    Left,
    /// Another value takes its place.
    Overwritten,
    /// The loop makes it again.
    MadeAgain,
    Returned,
}

pub struct Loss {
    pub loan: usize,
    pub how: How,
    span: Span,
}

/// Whether a live value other than the one that is assigned holds the loan.
fn is_held(flow: &Flow, state: &State, loan: usize, live: &Set, assigned: Option<Local>) -> bool {
    live.iter().map(|local| Local(local as u32)).any(|local| {
        Some(local) != assigned
            && (state.outer[local.index()].contains(loan) || flow.inner_of(local).contains(loan))
    })
}

/// Memory that the assignment of another value loses.
pub fn at_statement(
    flow: &Flow,
    before: &State,
    after: &State,
    at: Point,
    live: &Set,
    losses: &mut Vec<Loss>,
) {
    let StmtKind::Assign(into, _) = &flow.function.blocks[at.block].stmts[at.index].kind else {
        return;
    };
    for loan in before.owned.iter() {
        // What is made here was made in the last step, too, and counts as older now.
        let anew = flow.loans[loan].of == loan && flow.site_of(loan) == Some(at);
        let overwritten = before.outer[into.index()].contains(loan)
            && after.owned.contains(loan)
            && !after.outer[into.index()].contains(loan);
        if (anew || overwritten)
            && is_due(flow, loan)
            && !is_held(flow, before, loan, live, Some(*into))
        {
            let how = if anew { How::MadeAgain } else { How::Overwritten };
            let span = flow.span_at(at);
            losses.push(Loss { loan, how, span });
        }
    }
}

/// Memory that is lost where control leaves the function, or a step of a loop.
pub fn at_terminator(
    words: &Words,
    state: &State,
    block: usize,
    live: &Live,
    losses: &mut Vec<Loss>,
) {
    let flow = words.flow;
    let terminator = &flow.function.blocks[block].terminator;
    let due = || state.owned.iter().filter(|loan| is_due(flow, *loan));
    if let TerminatorKind::Return(value) = &terminator.kind {
        // Only who gets the owner can free it; what looks into the memory is not enough.
        let owner = local_of(value).is_some_and(|local| flow.kinds[local.index()].owned);
        let returned = if owner { flow.outer_of(state, value) } else { Set::default() };
        let left = due().filter(|loan| !returned.contains(*loan));
        let how = How::Returned;
        losses.extend(left.map(|loan| Loss { loan, how, span: terminator.span }));
        return;
    }
    for target in targets(&terminator.kind) {
        let Some(span) = leaving(words, &terminator.kind, terminator.span, target) else {
            continue;
        };
        let live = live.at_start(target.index());
        let left = due().filter(|loan| !is_held(flow, state, *loan, live, None));
        losses.extend(left.map(|loan| Loss { loan, how: How::Left, span }));
    }
}

/// The `break` or `continue` that leads on: the terminator itself, or all that a branch does.
fn leaving(words: &Words, kind: &TerminatorKind, span: Span, target: BlockId) -> Option<Span> {
    let is_leaving = |text: &str| text == "break" || text == "continue";
    match kind {
        TerminatorKind::Goto(_) => is_leaving(words.sources.text(span)).then_some(span),
        TerminatorKind::Branch { then, .. } if *then == target => {
            let behind = &words.sources.file(span.file).text[span.end as usize..];
            let open = behind.find(|c: char| !c.is_whitespace() && c != ')')?;
            let body = behind[open..].strip_prefix('{')?;
            let body = &body[..body.find('}')?];
            let start = span.end + (open + 1 + body.len() - body.trim_start().len()) as u32;
            let text = body.trim();
            is_leaving(text).then_some(Span { start, end: start + text.len() as u32, ..span })
        }
        _ => None,
    }
}

/// Whether this function has to free the memory, or to hand it on. What it was given it has to when it does so on
/// some path: its callers rely on it.
fn is_due(flow: &Flow, loan: usize) -> bool {
    match flow.loans[loan].kind {
        LoanKind::Symbol(symbol @ Symbol::Outer(Source::Param(_))) => {
            let summary = &flow.summary;
            summary.frees.contains_key(&symbol)
                || summary.takes.contains_key(&symbol)
                || summary.returns.contains(&symbol) && gives_owned(flow)
        }
        _ => true,
    }
}

/// Whether the function gives its caller something to free.
fn gives_owned(flow: &Flow) -> bool {
    flow.function.blocks.iter().any(|block| match &block.terminator.kind {
        TerminatorKind::Return(value) => {
            local_of(value).is_some_and(|local| flow.kinds[local.index()].owned)
        }
        _ => false,
    })
}

pub fn leak(words: &Words, loss: &Loss) -> Diagnostic {
    let flow = words.flow;
    let memory = &flow.loans[loss.loan];
    let name = words.loan(memory);
    let span = loss.span;
    let explicit = words.sources.text(span).starts_with("return");
    let (message, place, label) = match loss.how {
        How::Left => {
            let text = words.sources.text(span);
            (
                format!("{name} is never freed on this `{text}`"),
                span,
                format!("{name} is lost here"),
            )
        }
        How::Overwritten => (
            format!("{name} is never freed before another value takes its place"),
            span,
            format!("{name} is lost here"),
        ),
        How::MadeAgain => (
            format!("{name} is never freed before the next iteration makes it again"),
            span,
            "made in each iteration".to_owned(),
        ),
        How::Returned if is_taken(memory.kind) => (
            format!("{name} is never freed by the task that takes it along"),
            flow.function.span,
            "ends here without freeing it".to_owned(),
        ),
        How::Returned if explicit => (
            format!("{name} is never freed on this return"),
            span,
            format!("{name} is still there"),
        ),
        How::Returned => (
            format!("{name} is never freed before the function ends"),
            memory.span,
            made(memory.kind).to_owned(),
        ),
    };
    let mut diagnostic = Diagnostic::error("M0301", message, place, label);
    if place != memory.span {
        diagnostic = diagnostic.label(memory.span, made(memory.kind));
    }
    let bare = name.trim_matches('`');
    let named = words.name(memory.local).is_some();
    let at = match loss.how {
        How::Left => Some(span.start),
        How::Returned if explicit && !mentions(words.sources.text(span), bare) => Some(span.start),
        How::Overwritten => assignment(words, span, bare),
        How::MadeAgain => end_of_step(words, span).filter(|_| !is_freed(flow, loss.loan)),
        How::Returned => None,
    };
    if let Some(start) = at.filter(|_| named) {
        let text = match loss.how {
            How::MadeAgain => format!("; free({bare}) "),
            _ => format!("free({bare}); "),
        };
        diagnostic = diagnostic.edit(Span { start, end: start, ..span }, text);
    } else if loss.how == How::Returned && named && !is_taken(memory.kind) {
        diagnostic.edits = freed_on_return(words, loss, explicit.then_some(bare));
    }
    let bytes = words.sources.text(memory.span).strip_prefix("Owned.buffer");
    let help = match (loss.how, memory.kind, bytes) {
        (_, LoanKind::Symbol(Symbol::Outer(Source::Param(_))), _) => {
            format!(
                "free it first: `free({bare})`; on other ways it is freed or given on, and callers rely on that"
            )
        }
        (_, LoanKind::Symbol(_), _) => {
            format!("let the task free it, or give it back: `free({bare})`")
        }
        (How::MadeAgain, ..) => format!("free it at the end of each iteration: `free({bare})`"),
        (_, _, Some(args)) => {
            format!("free it first: `free({bare})`, or use `allocate{args}` in a scope")
        }
        _ => format!("free it first: `free({bare})`, or use `allocate` in a scope"),
    };
    diagnostic.help(help)
}

/// Edits that free memory which is lost as a function ends, where the place of an insertion is not all that there is to it.
fn freed_on_return(words: &Words, loss: &Loss, explicit: Option<&str>) -> Vec<Edit> {
    let (flow, sources) = (words.flow, words.sources);
    let made = flow.loans[loss.loan].span;
    let Some(name) = explicit else {
        let edit = match is_freed(flow, loss.loan) {
            true => frees::in_else(sources, made),
            false => frees::at_end(sources, made),
        };
        return edit.into_iter().collect();
    };
    let returned = flow.function.blocks.iter().find_map(|block| match &block.terminator {
        Terminator { kind: TerminatorKind::Return(value), span } if *span == loss.span => {
            local_of(value)
        }
        _ => None,
    });
    let plain = returned.is_some_and(|local| {
        matches!(words.ty(local), Ty::Bool | Ty::Byte | Ty::Int | Ty::Float | Ty::Str)
    });
    if !plain {
        return vec![];
    }
    let value = words.returned(loss.span);
    frees::before_return(sources, loss.span, value, name).into_iter().collect()
}

/// Whether a name stands in a text, as a whole word.
fn mentions(text: &str, name: &str) -> bool {
    text.split(|c: char| !c.is_alphanumeric() && c != '_').any(|word| word == name)
}

fn is_taken(kind: LoanKind) -> bool {
    matches!(kind, LoanKind::Symbol(Symbol::Outer(Source::Capture(_))))
}

fn made(kind: LoanKind) -> &'static str {
    match kind {
        _ if is_taken(kind) => "this memory",
        LoanKind::Symbol(_) => "given by the caller",
        _ => "made here",
    }
}

/// Where an assignment of the variable begins that stands alone on its line.
fn assignment(words: &Words, value: Span, name: &str) -> Option<u32> {
    let text = &words.sources.file(value.file).text;
    let line = text[..value.end as usize].rfind('\n').map_or(0, |at| at + 1);
    let rest = text[line..].trim_start();
    let assigned = rest.strip_prefix(name)?.trim_start();
    let is_assignment = assigned.starts_with('=') && !assigned.starts_with("==");
    is_assignment
        .then_some((text.len() - text[line..].len() + (text[line..].len() - rest.len())) as u32)
}

/// Whether some statement ends the loan.
fn is_freed(flow: &Flow, loan: usize) -> bool {
    let same = |ended: usize| flow.loans[ended].of == flow.loans[loan].of;
    let mut ends = false;
    for (block, body) in flow.function.blocks.iter().enumerate() {
        let Some(mut state) = flow.states[block].clone() else { continue };
        let mut replay = flow.replay();
        for (index, stmt) in body.stmts.iter().enumerate() {
            ends |= flow.ends(&state, &stmt.kind).loans.iter().any(same);
            replay.step(&mut state, Point { block, index }, &stmt.kind, stmt.span, &mut vec![]);
        }
    }
    ends
}

/// Before the brace that ends the innermost loop around a place, when the place stands in no other block of it.
fn end_of_step(words: &Words, place: Span) -> Option<u32> {
    let blocks = &words.flow.function.blocks;
    let polls = blocks.iter().flat_map(|block| &block.stmts).filter(|stmt| {
        matches!(stmt.kind, StmtKind::Safepoint)
            && stmt.span.start <= place.start
            && place.end <= stmt.span.end
    });
    let whole = polls.map(|stmt| stmt.span).min_by_key(|span| span.end - span.start)?;
    let text = words.sources.text(whole);
    let before = &text[..(place.start - whole.start) as usize];
    let depth = before.matches('{').count() as i64 - before.matches('}').count() as i64;
    let body = text.strip_suffix('}').filter(|_| depth == 1)?;
    Some(whole.start + body.trim_end().len() as u32)
}
