//! Errors of one function, in the words of the program.

use std::collections::HashMap;

use medi_syntax::diagnostic::Diagnostic;
use medi_syntax::source::{SourceMap, Span};

use super::flow::{End, Fault, Flow, Goal, LoanKind, Move, Point, State, local_of};
use super::leak;
use super::live::{Live, first_use, leads_around};
use super::sets::Set;
use super::summary::{Clash, Fate, Symbol};
use super::words::Words;
use crate::mir::{Local, Operand, StmtKind, TerminatorKind};
use crate::types::Ty;

/// What is wrong with the function, in the order of its blocks.
pub fn report(flow: &Flow, sources: &SourceMap) -> Vec<Diagnostic> {
    let live = Live::new(flow.function, flow.reads());
    let words = Words { flow, sources };
    let mut reporter = Reporter { words, told: HashMap::new(), diagnostics: vec![] };
    // The steps add to regions that are complete already, so the flow does not change.
    let mut replay = flow.replay();
    let mut losses = vec![];
    for block in 0..flow.function.blocks.len() {
        let Some(mut state) = flow.states[block].clone() else { continue };
        let live_after = live.after_each(block);
        for (index, stmt) in flow.function.blocks[block].stmts.iter().enumerate() {
            let at = Point { block, index };
            let end = flow.ends(&state, &stmt.kind);
            let ends = !end.loans.is_empty() || !end.moves.is_empty();
            // Most statements end nothing and lose nothing, and functions are long.
            let before = (ends || !state.owned.is_empty()).then(|| state.clone());
            let mut faults = vec![];
            replay.step(&mut state, at, &stmt.kind, stmt.span, &mut faults);
            for fault in faults {
                reporter.fault(fault, stmt.span);
            }
            let Some(before) = before else { continue };
            reporter.ended(&before, at, &stmt.kind, &end, &live_after[index]);
            leak::at_statement(flow, &before, &state, at, &live_after[index], &mut losses);
        }
        leak::at_terminator(&reporter.words, &state, block, &live, &mut losses);
    }
    // Where a loop is left or goes on early says more than where the function ends.
    losses.sort_by_key(|loss| loss.how);
    for loss in losses {
        if reporter.tell(loss.loan) {
            reporter.diagnostics.push(leak::leak(&reporter.words, &loss));
        }
    }
    reporter.diagnostics
}

struct Reporter<'a> {
    words: Words<'a>,
    /// Memory that there is an error about, and how many errors there were before.
    told: HashMap<usize, usize>,
    diagnostics: Vec<Diagnostic>,
}

impl<'a> Reporter<'a> {
    fn flow(&self) -> &'a Flow<'a> {
        self.words.flow
    }

    /// Whether nothing was said about the memory yet; from now on something is.
    fn tell(&mut self, loan: usize) -> bool {
        let before = self.diagnostics.len();
        let of = self.flow().loans[loan].of;
        let is_new = !self.told.contains_key(&of);
        self.told.entry(of).or_insert(before);
        is_new
    }

    /// As [`Self::tell`], for what is wrong whatever is said already: an edit that leaves it so is none.
    fn tell_of_fault(&mut self, loan: usize) -> bool {
        let of = self.flow().loans[loan].of;
        let Some(first) = self.told.get(&of) else { return self.tell(loan) };
        if let Some(diagnostic) = self.diagnostics.get_mut(*first) {
            diagnostic.edits.clear();
        }
        false
    }

    // Loans that end while something holds them.

    fn ended(&mut self, before: &State, at: Point, kind: &StmtKind, end: &End, live: &Set) {
        for loan in end.loans.iter() {
            if self.told.contains_key(&self.flow().loans[loan].of) {
                continue;
            }
            let diagnostic = match self.victim(before, at, kind, loan, live) {
                Some((victim, usage)) => {
                    let mut diagnostic = self.still_used(at, end, loan, victim, usage);
                    if self.held_outside(at, end, loan).is_some() {
                        diagnostic.edits.clear();
                    }
                    Some(diagnostic)
                }
                None => self.held_outside(at, end, loan),
            };
            if let Some(diagnostic) = diagnostic {
                self.tell(loan);
                self.diagnostics.push(diagnostic);
            }
        }
    }

    /// A live value that holds the loan, and its next use: the value that was freed itself where it is used first.
    fn victim(
        &self,
        before: &State,
        at: Point,
        kind: &StmtKind,
        loan: usize,
        live: &Set,
    ) -> Option<(Local, Point)> {
        let flow = self.flow();
        let assigned = if let StmtKind::Assign(into, _) = kind { Some(*into) } else { None };
        // A weak reference may be asked for its object when that is gone.
        let live = live.iter().map(|local| Local(local as u32));
        let holders = live.filter(|local| !flow.is_weak(*local)).filter(|local| {
            Some(*local) != assigned
                && (before.outer[local.index()].contains(loan)
                    || flow.inner_of(*local).contains(loan))
        });
        let uses = holders
            .filter_map(|local| Some((local, first_use(flow.function, flow.reads(), at, local)?)));
        uses.min_by_key(|(local, usage)| {
            let span = self.words.span_at(*usage);
            (self.words.name(*local).is_none(), span.start, local.0)
        })
    }

    fn still_used(
        &self,
        at: Point,
        end: &End,
        loan: usize,
        victim: Local,
        usage: Point,
    ) -> Diagnostic {
        if let Some(moved) = end.moves.iter().find(|moved| moved.loans.contains(loan)) {
            return self.used_after_move(at, moved, loan, victim, usage);
        }
        if let Some(freed) = &end.freed {
            if self.words.same_value(victim, freed) {
                return self.used_after_free(at, end, loan, freed, usage);
            }
            return self.freed_under(at, freed, loan, victim, usage);
        }
        let inner =
            !self.flow().inner_of(victim).is_empty() && self.flow().inner_of(victim).contains(loan);
        if inner && self.flow().kinds[victim.index()].inner && self.captured(victim, loan).is_some()
        {
            return self.function_value(at, loan, victim, usage);
        }
        if self.words.returns_at(usage) {
            return self.returned(at, loan, victim, usage);
        }
        self.outlived(at, loan, victim, usage)
    }

    fn returned(&self, at: Point, loan: usize, victim: Local, usage: Point) -> Diagnostic {
        let words = &self.words;
        let memory = &self.flow().loans[loan];
        let span = words.returned(words.span_at(usage));
        let text = words.sources.text(span).to_owned();
        let value = words.name(victim).map_or(format!("`{text}`"), |name| format!("`{name}`"));
        let value = if text.contains('\n') { "this value".to_owned() } else { value };
        let message = format!("{value} cannot leave this scope");
        let mut diagnostic = Diagnostic::error(
            "M0101",
            message,
            span,
            "returned here, but the memory is freed here",
        )
        .label(memory.span, words.belongs(memory));
        let source = words.loan(memory);
        if source != value {
            let looks = self.stored(victim, loan).unwrap_or(memory.span);
            let line = words.line(looks);
            diagnostic = diagnostic.why(format!("{value} looks into {source} (line {line})"));
        } else {
            let line = words.line(memory.span);
            diagnostic = diagnostic.why(format!("{value} is memory of the scope (line {line})"));
        }
        let _ = at;
        self.promoted(diagnostic, victim, span, &text)
    }

    /// Offers a copy in place of a buffer or view that leaves.
    fn promoted(
        &self,
        diagnostic: Diagnostic,
        victim: Local,
        span: Span,
        text: &str,
    ) -> Diagnostic {
        let copied = match self.words.ty(victim) {
            Ty::Buffer => "list[byte]".to_owned(),
            Ty::View(element) => {
                format!("list[{}]", self.flow().program.type_name(*element))
            }
            _ => {
                return diagnostic
                    .help("copy the plain values that are needed before the scope ends");
            }
        };
        let diagnostic =
            diagnostic.help(format!("copy it to collected memory: `return promote({text})`"));
        let declared = self.declared_result(&self.words.type_name(victim));
        match declared {
            Some(declared) => {
                diagnostic.edit(span, format!("promote({text})")).edit(declared, copied)
            }
            None if self.flow().function.captures.is_some() => {
                diagnostic.edit(span, format!("promote({text})"))
            }
            // A type that is written in other words than these.
            None => diagnostic,
        }
    }

    /// Where the function's head says what it gives, when it says exactly this.
    fn declared_result(&self, ty: &str) -> Option<Span> {
        let span = self.flow().function.span;
        let file = self.words.sources.file(span.file);
        let text = &file.text[span.start as usize..];
        let head = &text[..text.find('{')?];
        let at = head.rfind(&format!("-> {ty}"))? + 3;
        let start = span.start + at as u32;
        Some(Span { start, end: start + ty.len() as u32, ..span })
    }

    fn outlived(&self, at: Point, loan: usize, victim: Local, usage: Point) -> Diagnostic {
        let words = &self.words;
        let memory = &self.flow().loans[loan];
        let (value, holder) = (words.loan(memory), words.value(victim));
        let (used, ended) = (words.span_at(usage), words.span_at(at));
        let end_line = words.end_line(ended);
        let stored = self.stored(victim, loan);
        let used_line = words.line(used);
        if let Ty::Own(_) = words.ty(memory.local) {
            return self.object_outlived(loan, victim, used, stored);
        }
        let mut chain = format!(
            "freed at the end of this scope (line {end_line}), used again (line {used_line})"
        );
        if let Some(stored) = stored {
            chain = format!("stored in {holder} (line {}), {chain}", words.line(stored));
        }
        let message = format!("{value} does not live long enough: {chain}");
        let mut diagnostic = Diagnostic::error("M0101", message, used, "used again here")
            .label(memory.span, words.belongs(memory));
        if let Some(stored) = stored {
            diagnostic = diagnostic.label(stored, "stored here");
        }
        diagnostic.help(format!("use {holder} before the scope ends, or keep a copy: `promote(…)`"))
    }

    /// A place at which the local got the loan.
    fn stored(&self, local: Local, loan: usize) -> Option<Span> {
        let flow = self.flow();
        if let Some(entry) = flow.entries.get(&(flow.class_of(local), loan)) {
            return Some(entry.span);
        }
        for (block, body) in flow.function.blocks.iter().enumerate() {
            let Some(mut state) = flow.states[block].clone() else { continue };
            let mut replay = flow.replay();
            for (index, stmt) in body.stmts.iter().enumerate() {
                replay.step(&mut state, Point { block, index }, &stmt.kind, stmt.span, &mut vec![]);
                if matches!(&stmt.kind, StmtKind::Assign(into, _) if *into == local)
                    && state.outer[local.index()].contains(loan)
                {
                    return Some(stmt.span);
                }
            }
        }
        None
    }

    fn object_outlived(
        &self,
        loan: usize,
        victim: Local,
        used: Span,
        stored: Option<Span>,
    ) -> Diagnostic {
        let words = &self.words;
        let memory = &self.flow().loans[loan];
        let (value, holder) = (words.loan(memory), words.value(victim));
        let message = format!("{value} is freed before {holder} stops using it");
        let mut diagnostic =
            Diagnostic::error("M0101", message, used, format!("{holder} is used here"))
                .label(memory.span, words.belongs(memory));
        if let Some(stored) = stored {
            diagnostic =
                diagnostic.label(stored, format!("{holder} refers to {value} from here on"));
        }
        let outer = self.flow().loans.iter().find_map(|other| match other.kind {
            LoanKind::Scope(scope) if other.local == victim => {
                self.flow().function.scopes[scope.index()].name.clone()
            }
            _ => None,
        });
        let text = words.sources.text(memory.span);
        match outer {
            Some(outer) if !text.contains('\n') => {
                let kind = text.split(['{', '(']).next().unwrap_or(text).trim_end();
                let end = Span { start: memory.span.end, ..memory.span };
                diagnostic
                    .help(format!("make it in the scope of {holder}: `{kind} {{ … }} in {outer}`"))
                    .edit(end, format!(" in {outer}"))
            }
            _ => diagnostic.help(format!(
                "give the scope of {holder} a name and make the object there: `own … in outer`"
            )),
        }
    }

    /// The function value through which the loan came to the local's objects.
    fn captured(&self, victim: Local, loan: usize) -> Option<Span> {
        let flow = self.flow();
        let entry = flow.entries.get(&(flow.class_of(victim), loan))?;
        entry.captured.then_some(entry.span)
    }

    fn function_value(&self, _at: Point, loan: usize, victim: Local, usage: Point) -> Diagnostic {
        let words = &self.words;
        let memory = &self.flow().loans[loan];
        let entry = &self.flow().entries[&(self.flow().class_of(victim), loan)];
        let value = entry.value.map_or(words.loan(memory), |local| words.value(local));
        let message =
            format!("this function value captures {value}, which is freed when the scope ends");
        let used = words.span_at(usage);
        let mut diagnostic =
            Diagnostic::error("M0103", message, entry.span, format!("uses {value}"))
                .label(memory.span, words.belongs(memory));
        if used != entry.span {
            let what = if words.returns_at(usage) { "leaves the scope here" } else { "used here" };
            diagnostic = diagnostic.label(used, what);
        }
        self.copied_first(diagnostic, entry.span, value.trim_matches('`'))
    }

    /// Offers to read the element that a function value reads before it is made.
    fn copied_first(&self, diagnostic: Diagnostic, closure: Span, value: &str) -> Diagnostic {
        let sources = self.words.sources;
        let text = sources.text(closure);
        let read = text.find(&format!("{value}[")).and_then(|at| {
            let len = text[at..].find(']')? + 1;
            Some((at, &text[at..at + len]))
        });
        let Some((at, read)) = read else {
            return diagnostic.help("copy the plain values that it needs before it is made");
        };
        let behind = text[at + read.len()..].trim_start();
        if behind.starts_with('=') && !behind.starts_with("==") {
            return diagnostic.help("let it write to collected memory, which lives as long as it");
        }
        let file = &sources.file(closure.file).text;
        let line = file[..closure.start as usize].rfind('\n').map_or(0, |at| at + 1);
        let before = &file[line..closure.start as usize];
        let index = &read[value.len() + 1..read.len() - 1];
        let diagnostic = diagnostic.help(format!("copy first: `let x = {read}`"));
        if before.contains(['{', ';', '(']) || !index.bytes().all(|c| c.is_ascii_digit()) {
            return diagnostic;
        }
        let indent = &before[..before.len() - before.trim_start().len()];
        let start = (line + indent.len()) as u32;
        let from = closure.start + at as u32;
        diagnostic
            .edit(Span { start, end: start, ..closure }, format!("let x = {read}\n{indent}"))
            .edit(Span { start: from, end: from + read.len() as u32, ..closure }, "x")
    }

    fn used_after_free(
        &self,
        at: Point,
        end: &End,
        loan: usize,
        freed: &Operand,
        usage: Point,
    ) -> Diagnostic {
        let words = &self.words;
        let memory = &self.flow().loans[loan];
        let value = words.operand(freed);
        let (ended, used) = (words.span_at(at), words.span_at(usage));
        let line = words.line(ended);
        let frees = words.statement(usage).is_some_and(|kind| self.flow().may_free(kind, freed));
        let how = match end.callee {
            Some(callee) => {
                format!("`{}` frees it", self.flow().program.functions[callee.index()].name)
            }
            None => "freed here".to_owned(),
        };
        if usage == at {
            let message = format!("{value} would be freed again on the next iteration");
            let diagnostic = Diagnostic::error("M0202", message, ended, how)
                .label(memory.span, self.allocated(loan))
                .help("free it once, behind the loop, or leave it to the end of the scope");
            return self.without_free(diagnostic, at, loan);
        }
        let behind = |site: Point| Point { index: site.index + 1, ..site };
        let start = self.site(loan).map_or(Point { block: 0, index: 0 }, behind);
        let maybe = leads_around(self.flow().function, start, usage, at);
        if frees {
            let message = format!("{value} is freed again: it was freed on line {line}");
            let diagnostic = Diagnostic::error("M0202", message, used, "freed again here")
                .label(ended, how)
                .label(memory.span, self.allocated(loan))
                .help("free it once");
            let scope = matches!(memory.kind, LoanKind::Scope(_));
            let alone = matches!(words.statement(usage), Some(StmtKind::Free(_)));
            let left_out =
                alone && (scope || !maybe) && words.sources.text(used).starts_with("free(");
            return if left_out { diagnostic.edit(used, "") } else { diagnostic };
        }
        let (message, help) = match self.condition(at).filter(|_| maybe) {
            Some((cond, true)) => (
                format!("{value} may already be freed here: it is when `{cond}` is true"),
                "move the use into `else`".to_owned(),
            ),
            Some((cond, false)) => (
                format!("{value} may already be freed here: it is when `{cond}` is false"),
                "move the use to where the condition holds".to_owned(),
            ),
            None if maybe => (
                format!("{value} may already be freed here (line {line})"),
                "use it only where it is not freed".to_owned(),
            ),
            None => (
                format!("{value} is used after it was freed (line {line})"),
                format!("use {value} before it is freed, or leave it to the end of the scope"),
            ),
        };
        let diagnostic = Diagnostic::error("M0201", message, used, "used here")
            .label(ended, how)
            .label(memory.span, self.allocated(loan))
            .help(help);
        if maybe {
            self.moved_to_else(diagnostic, ended, used)
        } else {
            self.without_free(diagnostic, at, loan)
        }
    }

    /// Owned memory belongs to one value: who stores that or gives it to a task has it no more.
    fn used_after_move(
        &self,
        at: Point,
        moved: &Move,
        loan: usize,
        victim: Local,
        usage: Point,
    ) -> Diagnostic {
        let words = &self.words;
        let memory = &self.flow().loans[loan];
        let value = words.operand(&moved.value);
        let (ended, used) = (words.span_at(at), words.span_at(usage));
        let line = words.line(ended);
        let to = match &moved.to {
            Goal::Object(Some(object)) => format!("into {}", words.container(*object)),
            Goal::Task => "to a task".to_owned(),
            Goal::Callee(function, _) if !self.is_library(*function) => {
                format!("on by `{}`", self.flow().program.functions[function.index()].name)
            }
            Goal::Callee(_, Some(receiver)) => format!("into {}", words.container(*receiver)),
            Goal::Object(None) | Goal::Callee(_, None) => "into collected memory".to_owned(),
        };
        let holder = words.value(victim);
        let same = words.same_value(victim, &moved.value);
        let (code, message, help) = if usage == at {
            let message = format!("{value} would be moved {to} again on the next iteration");
            ("M0201", message, "make the memory inside the loop".to_owned())
        } else if same {
            let message = format!("{value} is used after it was moved {to} (line {line})");
            ("M0201", message, format!("use {value} before it is moved"))
        } else {
            let message = format!(
                "{value} cannot be moved {to} while {holder} still looks into it: {holder} is used on line {}",
                words.line(used)
            );
            ("M0203", message, format!("move {value} after the last use of {holder}"))
        };
        let mut diagnostic = match code {
            "M0201" if usage != at => {
                Diagnostic::error(code, message, used, "used here").label(ended, "moved here")
            }
            "M0203" => Diagnostic::error(code, message, ended, "moved here")
                .label(used, format!("{holder} is used here")),
            _ => Diagnostic::error(code, message, ended, "moved here"),
        };
        if memory.span != ended && memory.span != used {
            diagnostic = diagnostic.label(memory.span, self.allocated(loan));
        }
        diagnostic.why("who holds it there may free it at any time").help(help)
    }

    fn allocated(&self, loan: usize) -> String {
        self.words.belongs(&self.flow().loans[loan])
    }

    fn site(&self, loan: usize) -> Option<Point> {
        self.flow().site_of(loan)
    }

    /// Offers to leave an early `free` out: the end of the scope frees the memory.
    fn without_free(&self, diagnostic: Diagnostic, at: Point, loan: usize) -> Diagnostic {
        let span = self.words.span_at(at);
        let scope = matches!(self.flow().loans[loan].kind, LoanKind::Scope(_));
        let alone = matches!(self.words.statement(at), Some(StmtKind::Free(_)));
        if !scope || !alone || !self.words.sources.text(span).starts_with("free(") {
            return diagnostic;
        }
        diagnostic.edit(self.with_space(span), "")
    }

    /// A statement that is to go, with the space before it where another follows, or with its line.
    fn with_space(&self, span: Span) -> Span {
        let text = &self.words.sources.file(span.file).text;
        let (before, behind) = (&text[..span.start as usize], &text[span.end as usize..]);
        let start = before.trim_end_matches([' ', '\t']);
        let alone = (start.is_empty() || start.ends_with('\n')) && behind.starts_with('\n');
        let follows = behind.starts_with([' ', '\n', '}']);
        match () {
            () if alone => Span { start: start.len() as u32, end: span.end + 1, ..span },
            () if follows && !start.ends_with('\n') => Span { start: start.len() as u32, ..span },
            () => span,
        }
    }

    /// Offers to put a use of one line behind `else`.
    fn moved_to_else(&self, diagnostic: Diagnostic, ended: Span, used: Span) -> Diagnostic {
        let text = &self.words.sources.file(used.file).text;
        let close = text[ended.end as usize..].find('}').map(|at| at + ended.end as usize + 1);
        let Some(close) = close.filter(|close| *close <= used.start as usize) else {
            return diagnostic;
        };
        let start = text[..used.start as usize].rfind('\n').map_or(0, |at| at + 1);
        let end = text[start..].find('\n').map_or(text.len(), |at| at + start);
        let line = &text[start..end];
        let between = text[close..start].trim();
        let plain = !line.contains(['{', '}']) && !line.trim_start().starts_with("let ");
        if !between.is_empty() || !plain {
            return diagnostic;
        }
        let whole = Span { start: close as u32, end: end as u32, ..used };
        diagnostic.edit(whole, format!(" else {{ {} }}", line.trim()))
    }

    /// The condition under which control comes to a point, and whether it holds there.
    fn condition(&self, at: Point) -> Option<(String, bool)> {
        let function = self.flow().function;
        let (mut block, mut steps) = (at.block, 0);
        while steps < function.blocks.len() {
            steps += 1;
            let mut from = function.blocks.iter().enumerate().filter(|(_, before)| {
                let targets = crate::mir::validate::targets(&before.terminator.kind);
                targets.iter().any(|target| target.index() == block)
            });
            let (before, body) = from.next()?;
            if from.next().is_some() {
                return None;
            }
            if let TerminatorKind::Branch { then, .. } = &body.terminator.kind {
                let text = self.words.sources.text(body.terminator.span);
                let short = text.len() < 60 && !text.contains('\n');
                return short.then(|| (text.to_owned(), then.index() == block));
            }
            block = before;
        }
        None
    }

    fn freed_under(
        &self,
        at: Point,
        freed: &Operand,
        loan: usize,
        victim: Local,
        usage: Point,
    ) -> Diagnostic {
        let words = &self.words;
        let memory = &self.flow().loans[loan];
        let (value, holder) = (words.operand(freed), words.value(victim));
        let (ended, used) = (words.span_at(at), words.span_at(usage));
        let line = words.line(used);
        let message = format!(
            "cannot free {value} while {holder} still looks into it: {holder} is used on line {line}"
        );
        let diagnostic = Diagnostic::error("M0203", message, ended, "freed here")
            .label(used, format!("{holder} is used here"))
            .label(memory.span, self.allocated(loan))
            .help(format!("free {value} after the last use of {holder}"));
        self.without_free(diagnostic, at, loan)
    }

    /// Objects that the caller, too, can reach hold the loan.
    fn held_outside(&self, at: Point, end: &End, loan: usize) -> Option<Diagnostic> {
        let flow = self.flow();
        let memory = &flow.loans[loan];
        if !matches!(memory.kind, LoanKind::Scope(_)) || end.freed.is_some() {
            return None;
        }
        let local = (0..flow.function.locals.len() as u32).map(Local).find(|local| {
            flow.inner_of(*local).contains(loan) && flow.outside_of(*local).is_some()
        })?;
        let outside = flow.outside_of(local)?;
        let words = &self.words;
        let entry = flow.entries.get(&(flow.class_of(local), loan));
        let span = entry.map_or(words.span_at(at), |entry| entry.span);
        let (code, message) = match entry {
            Some(entry) if entry.captured => {
                let value = entry.value.map_or(words.loan(memory), |local| words.value(local));
                (
                    "M0103",
                    format!(
                        "this function value captures {value}, which is freed when the scope ends"
                    ),
                )
            }
            _ => ("M0101", format!("{} does not live long enough", words.loan(memory))),
        };
        let diagnostic = Diagnostic::error(code, message, span, "stored here")
            .label(memory.span, words.belongs(memory))
            .why(format!("{} can be used after the scope", words.value(outside)))
            .help("store a copy: `promote(…)`, or the plain values that are needed");
        Some(diagnostic)
    }

    // Faults of single statements.

    fn fault(&mut self, fault: Fault, span: Span) {
        let diagnostic = match fault {
            Fault::Kept { value, loan, into, callee } => {
                if !self.tell_of_fault(loan) {
                    return;
                }
                match callee {
                    Some((function, fate)) if !self.is_library(function) => {
                        self.kept_by(function.index(), &value, loan, &fate, span)
                    }
                    _ => self.kept(&value, loan, into, span),
                }
            }
            Fault::Spawned { loan, spawn } => {
                if !self.tell_of_fault(loan) {
                    return;
                }
                self.spawned(loan, spawn, span)
            }
            Fault::Joined { mark, value, parallel } => self.joined(mark, &value, parallel, span),
            Fault::Clash { function, freed, used, loan, clash } => {
                if !self.tell_of_fault(loan) {
                    return;
                }
                self.clash(function.index(), &freed, &used, loan, &clash, span)
            }
            Fault::FreedInClosure { function, fate, loans } => {
                for loan in loans.iter() {
                    self.tell(loan);
                }
                let name = fate.name.map_or("this memory".to_owned(), |name| format!("`{name}`"));
                let message = format!("a function value cannot free {name}");
                let diagnostic = Diagnostic::error("M0203", message, fate.span, "freed here");
                self.made_here(diagnostic, function.index(), span)
                    .why("it may be called more than once, and whoever calls it does not know that it frees")
                    .help("call a named function that frees, or leave it to the end of the scope")
            }
            Fault::MovedInClosure { function, fate, loans } => {
                for loan in loans.iter() {
                    self.tell(loan);
                }
                let name = fate.name.map_or("this memory".to_owned(), |name| format!("`{name}`"));
                let message = format!("a function value cannot move {name} away");
                let diagnostic = Diagnostic::error("M0203", message, fate.span, "moved here");
                self.made_here(diagnostic, function.index(), span)
                    .why("it may be called more than once, and whoever calls it does not know that it moves")
                    .help("call a named function that moves it")
            }
            Fault::KeptInClosure { function, fate } => {
                let name = fate.name.map_or("its argument".to_owned(), |name| format!("`{name}`"));
                let message = format!("a function value cannot keep {name}");
                let diagnostic = Diagnostic::error("M0102", message, fate.span, "stored here");
                self.made_here(diagnostic, function.index(), span)
                    .why("whoever calls it with scope memory does not know that it is kept")
                    .help("store a copy: `promote(…)`")
            }
        };
        self.diagnostics.push(diagnostic);
    }

    /// Whether the function is one of the library, or a closure of it.
    fn is_library(&self, function: crate::mir::FunctionId) -> bool {
        let span = self.flow().program.functions[function.index()].span;
        self.words.sources.file(span.file).library
    }

    fn made_here(&self, diagnostic: Diagnostic, function: usize, span: Span) -> Diagnostic {
        let body = self.flow().program.functions[function].span;
        if body == span {
            diagnostic
        } else {
            diagnostic.label(span, "becomes a function value here")
        }
    }

    fn kept(&self, value: &Operand, loan: usize, into: Option<Local>, span: Span) -> Diagnostic {
        let words = &self.words;
        let memory = &self.flow().loans[loan];
        let container = into.map_or("collected memory".to_owned(), |local| words.container(local));
        let name = local_of(value).and_then(|local| words.name(local));
        let place = name.and_then(|name| words.find_word(span, name)).unwrap_or(span);
        let (what, end) = match memory.kind {
            LoanKind::Owned => ("owned memory", "it has been freed"),
            _ => ("scope memory", "the scope has ended"),
        };
        let message = format!("{container} would point into {what}");
        let mut diagnostic = Diagnostic::error("M0102", message, place, "stored here")
            .label(memory.span, words.belongs(memory))
            .why(format!("collected objects may live on when {end}"));
        let copyable = local_of(value)
            .is_some_and(|local| matches!(words.ty(local), Ty::Buffer | Ty::View(_)));
        match name {
            Some(name) if copyable && self.is_argument(span, place, name) => {
                let call = words.sources.text(span);
                let at = (place.start - span.start) as usize;
                let call = format!("{}promote({name}){}", &call[..at], &call[at + name.len()..]);
                let help = if call.contains('\n') { format!("promote({name})") } else { call };
                diagnostic = diagnostic.help(format!("store a copy: `{help}`"));
                // Only a list whose elements get their type from this may hold copies.
                let list = into.and_then(|local| words.name(local));
                if list
                    .is_some_and(|list| crate::edits::is_declared_empty(words.sources, span, list))
                {
                    diagnostic = diagnostic.edit(place, format!("promote({name})"));
                }
            }
            _ if copyable => diagnostic = diagnostic.help("store a copy: `promote(…)`"),
            _ => diagnostic = diagnostic.help("store the plain values that are needed"),
        }
        diagnostic
    }

    /// Whether the place is the name as an argument of the call around it.
    fn is_argument(&self, call: Span, place: Span, name: &str) -> bool {
        let sources = self.words.sources;
        let before = sources.text(Span { end: place.start, ..call });
        sources.text(place) == name && before.contains('(') && !before.contains('{')
    }

    fn kept_by(
        &self,
        function: usize,
        value: &Operand,
        loan: usize,
        fate: &Fate,
        span: Span,
    ) -> Diagnostic {
        let words = &self.words;
        let memory = &self.flow().loans[loan];
        let callee = &self.flow().program.functions[function];
        let into = fate.into.as_ref().map_or("collected memory".to_owned(), |n| format!("`{n}`"));
        let line = words.line(fate.span);
        let message = match &fate.name {
            Some(name) if callee.captures.is_none() => format!(
                "`{}` keeps its argument: parameter `{name}` is stored in {into} at line {line}",
                callee.name
            ),
            _ => format!("{into} would point into scope memory"),
        };
        let name = local_of(value).and_then(|local| words.name(local));
        let place = name.and_then(|name| words.find_word(span, name)).unwrap_or(span);
        Diagnostic::error("M0102", message, place, "scope memory is given here")
            .label(fate.span, "stored here")
            .label(memory.span, words.belongs(memory))
            .why("collected objects may live on when the scope has ended")
            .help("let the function store a copy: `promote(…)`")
    }

    /// A callee frees memory, and uses it through another argument.
    fn clash(
        &self,
        function: usize,
        freed: &Operand,
        used: &Operand,
        loan: usize,
        clash: &Clash,
        span: Span,
    ) -> Diagnostic {
        let words = &self.words;
        let callee = &self.flow().program.functions[function];
        let (value, other) = (words.operand(freed), words.operand(used));
        let memory = &self.flow().loans[loan];
        let by = match &callee.captures {
            None => format!("`{}`", callee.name),
            Some(_) => "this function value".to_owned(),
        };
        let message = if value == other {
            format!("{by} frees {value} and uses it afterwards: it is given twice")
        } else {
            format!(
                "{by} frees {value} and uses {other} afterwards, which looks into the same memory"
            )
        };
        let name = |name: &Option<String>| {
            name.as_ref().map_or("this memory".to_owned(), |name| format!("`{name}`"))
        };
        let user =
            clash.user.as_ref().map_or("used here".to_owned(), |n| format!("`{n}` is used here"));
        let mut diagnostic = Diagnostic::error("M0203", message, span, "given here");
        if clash.freed.span != span {
            let freed = format!("{} is freed here", name(&clash.freed.name));
            diagnostic = diagnostic.label(clash.freed.span, freed);
        }
        if clash.used != span && clash.used != clash.freed.span {
            diagnostic = diagnostic.label(clash.used, user);
        }
        diagnostic
            .label(memory.span, words.belongs(memory))
            .help("give it memory of its own, or let it free after the last use")
    }

    fn spawned(&self, loan: usize, spawn: Span, span: Span) -> Diagnostic {
        let memory = &self.flow().loans[loan];
        let name = self.words.loan(memory);
        let starter = memory.kind == LoanKind::Symbol(Symbol::STARTER);
        let spawn = if starter { self.flow().starts().unwrap_or(spawn) } else { spawn };
        let (code, message) = match memory.kind {
            LoanKind::Symbol(Symbol::STARTER) => (
                "M0401",
                "a task would be given memory that may end before the task does".to_owned(),
            ),
            LoanKind::Symbol(Symbol::PIN) => (
                "M0403",
                "this task would use a pin, which belongs to the task that made it".to_owned(),
            ),
            LoanKind::Owned => {
                ("M0401", format!("this task may still use {name} when it has been freed"))
            }
            _ => ("M0401", format!("this task may outlive the scope that owns {name}")),
        };
        let label = match () {
            () if starter => "called with memory of a scope here",
            () if spawn == span => "started here",
            () => "given to the task here",
        };
        let mut diagnostic = Diagnostic::error(code, message, span, label);
        if spawn != span && !self.words.sources.file(spawn.file).library {
            diagnostic = diagnostic.label(spawn, "the task is started here");
        }
        diagnostic = match memory.kind {
            LoanKind::Symbol(Symbol::STARTER) => {
                diagnostic.help("`parallel { … }` finishes before the scope ends")
            }
            LoanKind::Symbol(Symbol::PIN) => diagnostic
                .label(memory.span, "this uses the pin")
                .why("a pin ends with the task that made it")
                .help("pin the object inside the new task"),
            LoanKind::Owned => diagnostic
                .label(memory.span, self.words.belongs(memory))
                .help(format!("let the task own it: use and free {name} within `spawn {{ … }}`"))
                .help("or let `parallel { … }` run it, which ends before what follows"),
            _ => diagnostic
                .label(memory.span, self.words.belongs(memory))
                .help("`parallel { … }` finishes before the scope ends"),
        };
        self.here(diagnostic, spawn)
    }

    /// A function value that notes the task that made it would run in another.
    fn joined(&self, mark: usize, value: &Operand, parallel: Span, span: Span) -> Diagnostic {
        let words = &self.words;
        let memory = &self.flow().loans[mark];
        let value = words.operand(value);
        let (code, what) = match memory.kind {
            LoanKind::Symbol(Symbol::PIN) => ("M0403", "a pin"),
            _ => ("M0401", "memory of a scope"),
        };
        let message = format!("another task would run {value}, which uses {what}");
        let mut diagnostic = Diagnostic::error(code, message, span, "given to another task here");
        if memory.span != span {
            diagnostic = diagnostic.label(memory.span, format!("uses {what}"));
        }
        let sources = words.sources;
        diagnostic = diagnostic
            .why("a function value that uses such memory runs in the task only that made it")
            .help("write in the `parallel` what the function value does, or make it there");
        let map = words.find_text(span, ".parallel_map(");
        match (crate::edits::without_parallel(sources, parallel), map) {
            (Some(edit), _) => {
                diagnostic.edits = vec![edit];
                diagnostic.help("or leave `parallel` out, and one follows the other")
            }
            (None, Some(map)) => {
                diagnostic.help("or use `map`, which does one after the other").edit(map, ".map(")
            }
            (None, None) => diagnostic,
        }
    }

    /// Offers to do here what the task would do.
    fn here(&self, mut diagnostic: Diagnostic, spawn: Span) -> Diagnostic {
        let sources = self.words.sources;
        if !sources.file(spawn.file).library {
            diagnostic.edits = crate::edits::without_task(sources, spawn, false);
        }
        if !diagnostic.edits.is_empty() {
            diagnostic = diagnostic.help("or leave `spawn` out, and it runs before what follows");
        }
        diagnostic
    }
}
