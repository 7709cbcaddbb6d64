//! Blocks: scopes, branches, loops, and what must be freed where they are left.

use super::{Expr, Roots, Ty, Var, Writer};
use crate::program::Line;

impl Writer<'_> {
    /// Writes lines within braces, and forgets what they declare.
    pub(super) fn block(&mut self, write: impl FnOnce(&mut Self)) -> Vec<Line> {
        let before = self.vars.len();
        self.out.push(vec![]);
        self.block += 1;
        write(self);
        self.block -= 1;
        self.vars.truncate(before);
        self.out.pop().expect("the block is open")
    }

    fn put_block(&mut self, parts: Vec<(String, Vec<Line>)>, end: &str) {
        let line = Line::Block { parts, end: end.to_owned() };
        self.out.last_mut().expect("a block is open").push(line);
    }

    /// Statements, and what the block owns freed at their end.
    fn stmts(&mut self, most: usize) {
        let before = self.vars.len();
        for _ in 0..1 + self.random.below(most) {
            if !self.stmt() {
                return;
            }
        }
        self.free_owned(before, 0);
    }

    pub(super) fn is_held(&self, var: &Var) -> bool {
        let owned: Roots = self
            .roots
            .iter()
            .enumerate()
            .filter(|(_, root)| root.owned)
            .fold(0, |all, (at, _)| all | 1 << at);
        let from_caller: Roots = (1 << self.params()) - 1;
        !var.gone && var.looks & owned & !from_caller & !self.ended != 0
    }

    fn forgets(&mut self) -> bool {
        self.random.percent(15) && self.reckless()
    }

    /// Frees owned memory of the variables from there on, but what is given on.
    pub(super) fn free_owned(&mut self, from: usize, kept: Roots) {
        for at in from..self.vars.len() {
            let var = self.vars[at].clone();
            let lost = var.ty == Ty::Owned && var.closures == self.closures;
            if lost && self.is_held(&var) && var.looks & kept == 0 && !self.forgets() {
                self.line(format!("free({})", var.name));
                self.end(var.looks);
            }
        }
    }

    /// The variable is given away: others must free what it holds.
    pub(super) fn lose(&mut self, name: &str) {
        for var in &mut self.vars {
            var.gone |= var.name == name;
        }
    }

    /// `scope { … }`
    pub(super) fn scope(&mut self) {
        let name = self.random.percent(50).then(|| self.fresh("s"));
        let head = name.as_ref().map_or("scope ".to_owned(), |name| format!("scope {name} "));
        let body = self.in_scope(name, |writer| {
            writer.stmts(9);
            None
        });
        self.put_block(vec![(head, body.0)], "");
    }

    /// `let x = scope { …; e }`
    pub(super) fn scope_value(&mut self) {
        let name = self.fresh("x");
        let (body, _) = self.in_scope(None, |writer| {
            writer.stmts(4);
            let value = writer.int();
            writer.line(value.text.clone());
            Some(value)
        });
        self.put_block(vec![(format!("let {name}: int = scope "), body)], "");
        self.declare(name, Ty::Int, false, 0);
    }

    fn in_scope(
        &mut self,
        name: Option<String>,
        write: impl FnOnce(&mut Self) -> Option<Expr>,
    ) -> (Vec<Line>, Option<Expr>) {
        self.scopes.push(name);
        let level = self.scopes.len();
        let mut given = None;
        let body = self.block(|writer| {
            if !writer.full() {
                writer.starters();
            }
            given = write(writer);
        });
        self.scopes.pop();
        let inside = self.roots.iter().enumerate().filter(|(_, r)| r.level == level && !r.owned);
        let ended = inside.fold(0, |all: Roots, (at, _)| all | 1 << at);
        self.end(ended);
        (body, given)
    }

    pub(super) fn branch(&mut self) {
        let cond = self.cond();
        let first = self.block(|writer| {
            writer.stmts(3);
            writer.way_out(25);
        });
        let mut parts = vec![(format!("if {cond} "), first)];
        if self.random.percent(40) {
            parts.push(("else ".to_owned(), self.block(|writer| writer.stmts(3))));
        }
        self.put_block(parts, "");
    }

    /// `if let x = maybe { … } else { … }`
    pub(super) fn binding(&mut self) {
        let (maybe, ty) = match self.random.below(5) {
            0 | 1 => (self.named(Ty::MaybeView), Ty::View),
            2 => (self.node().map(|n| Expr { text: format!("{}.view", n.text), ..n }), Ty::View),
            3 => (self.named(Ty::MaybeNode), Ty::Node),
            _ => {
                let weak = self.named(Ty::Weak);
                (weak.map(|w| Expr { text: format!("{}.get()", w.text), ..w }), Ty::Cell)
            }
        };
        let Some(maybe) = maybe else { return };
        let name = self.fresh("y");
        let bound = name.clone();
        let body = self.block(|writer| {
            writer.declare(bound, ty, false, maybe.looks);
            writer.stmts(2);
        });
        self.put_block(vec![(format!("if let {name} = {} ", maybe.text), body)], "");
    }

    pub(super) fn match_slot(&mut self) {
        let Some(slot) = self.named(Ty::Slot) else { return };
        let name = self.fresh("y");
        let bound = name.clone();
        let body = self.block(|writer| {
            writer.declare(bound, Ty::View, false, slot.looks);
            writer.stmts(2);
        });
        let full =
            Line::Block { parts: vec![(format!("Full({name}) => "), body)], end: String::new() };
        let arms = vec![Line::Plain("Empty => { acc += 1 }".to_owned()), full];
        self.put_block(vec![(format!("match {} ", slot.text), arms)], "");
    }

    pub(super) fn repeat(&mut self) {
        let bit = self.next_bit;
        let head = match self.random.below(4) {
            0 => {
                let name = self.fresh("i");
                format!("for {name} in 0..band(shr(bits, {bit}), 3) ")
            }
            1 => {
                let Some(view) = self.named(Ty::View) else { return };
                let name = self.fresh("x");
                format!("for {name} in {} ", view.text)
            }
            2 => "for _ in 0..2 ".to_owned(),
            _ => {
                let name = self.fresh("w");
                self.line(format!("var {name} = band(bits, 3)"));
                let body = self.looped(|writer| {
                    writer.line(format!("{name} -= 1"));
                });
                return self.put_block(vec![(format!("while {name} > 0 "), body)], "");
            }
        };
        let body = self.looped(|_| {});
        self.put_block(vec![(head, body)], "");
    }

    fn looped(&mut self, first: impl FnOnce(&mut Self)) -> Vec<Line> {
        self.loops += 1;
        let body = self.block(|writer| {
            first(writer);
            let before = writer.vars.len();
            writer.stmts(4);
            if writer.random.percent(20) {
                let cond = writer.cond();
                let word = *writer.random.one(&["break", "continue"]);
                let out = writer.block(|writer| {
                    writer.free_owned(before, 0);
                    writer.line(word.to_owned());
                });
                // What this way frees is still there on the other.
                writer.put_block(vec![(format!("if {cond} "), out)], "");
            }
        });
        self.loops -= 1;
        body
    }

    /// `if c { free(b); break }` or the like: right, though a loop is around.
    pub(super) fn free_and_leave(&mut self) -> bool {
        let Some(at) = self.find(Ty::Buffer) else { return false };
        if self.closures > 0 || self.task || self.vars[at].loops >= self.loops {
            return false;
        }
        let (name, looks) = (self.vars[at].name.clone(), self.vars[at].looks);
        let cond = self.cond();
        let body = vec![Line::Plain(format!("free({name})")), Line::Plain("break".to_owned())];
        self.put_block(vec![(format!("if {cond} "), body)], "");
        self.end(looks);
        true
    }

    /// `if c { free(o) } else { free(o) }`, or what comes to the same.
    pub(super) fn free_either_way(&mut self) {
        let Some(at) = self.find(Ty::Owned) else { return };
        let var = self.vars[at].clone();
        if !self.may_end(var.looks) {
            return;
        }
        let cond = self.cond();
        let free = Line::Plain(format!("free({})", var.name));
        let first = self.block(|writer| {
            if let Some(view) = writer.view() {
                writer.line(format!("acc += {}[0]", view.text));
            }
        });
        let parts = if self.reckless() {
            vec![(format!("if {cond} "), [first, vec![free]].concat())]
        } else {
            let first = [first, vec![free.clone()]].concat();
            vec![(format!("if {cond} "), first), ("else ".to_owned(), vec![free])]
        };
        self.put_block(parts, "");
        self.end(var.looks);
    }

    /// `return`, in so many of a hundred cases; whether there is one.
    pub(super) fn way_out(&mut self, percent: usize) -> bool {
        if self.closures > 0 || self.task || !self.random.percent(percent) {
            return false;
        }
        let (ended, gone): (Roots, Vec<bool>) =
            (self.ended, self.vars.iter().map(|var| var.gone).collect());
        self.leave(0);
        // Elsewhere nothing was freed for it.
        self.ended = ended;
        self.vars.iter_mut().zip(gone).for_each(|(var, gone)| var.gone = gone);
        true
    }

    /// `parallel { { … } { … } }`
    pub(super) fn parallel(&mut self) {
        if self.closures > 0 || self.task {
            return;
        }
        let of = |var: &Var| var.ty == Ty::View && !var.mutable;
        let Some(at) = self.find_that(of) else { return };
        let (view, looks) = (self.vars[at].name.clone(), self.vars[at].looks);
        let halves = match self.random.below(4) {
            0 if self.reckless() => [view.clone(), view],
            0 | 1 => {
                let (l, r) = (self.fresh("l"), self.fresh("r"));
                self.line(format!("let ({l}, {r}) = {view}.split_at(div(len({view}), 2))"));
                self.declare(l.clone(), Ty::View, false, looks);
                self.declare(r.clone(), Ty::View, false, looks);
                [l, r]
            }
            _ => {
                let Some(other) = self.find_that(of) else { return };
                let other = self.vars[other].clone();
                if other.looks & looks != 0 && !self.reckless() {
                    return;
                }
                [view, other.name]
            }
        };
        let around = std::mem::take(&mut self.task);
        self.task = true;
        self.closures += 1;
        let mut arms = vec![];
        for half in halves {
            let body = self.block(|writer| {
                let value = writer.int();
                writer.line(format!("let q = ({}) % 97", value.text));
                match writer.random.below(4) {
                    0 => {}
                    1 => writer.line(format!("for i in 0..len({half}) {{ {half}[i] = i + q }}")),
                    _ => writer.line(format!("{half}[0] = q")),
                }
            });
            arms.push(Line::Block { parts: vec![(String::new(), body)], end: String::new() });
        }
        self.closures -= 1;
        self.task = around;
        self.put_block(vec![("parallel ".to_owned(), arms)], "");
    }

    /// `parallel for i in 0..2 { … }`
    pub(super) fn parallel_for(&mut self) {
        if self.closures > 0 || self.task {
            return;
        }
        let Some(at) =
            self.find_that(|var| matches!(var.ty, Ty::View | Ty::Atomics) && !var.mutable)
        else {
            return;
        };
        let var = self.vars[at].clone();
        let name = self.fresh("i");
        let body = match var.ty {
            Ty::Atomics => format!("{}.add({name} % 2, 1)", var.name),
            _ if self.reckless() => format!("{}[0] = {name}", var.name),
            _ if self.random.percent(60) => format!("{}[{name}] = {name}", var.name),
            _ => format!("let _q = {}[{name}]", var.name),
        };
        let body = vec![Line::Plain(body)];
        let head = format!("parallel for {name} in 0..2 ");
        self.put_block(vec![(head, body)], "");
    }

    /// A function value of several lines.
    pub(super) fn long_closure(&mut self) {
        if self.task || self.closures > 1 {
            return;
        }
        let name = self.fresh("f");
        let around = std::mem::take(&mut self.mentioned);
        self.closures += 1;
        let beyond = std::mem::replace(&mut self.beyond, self.scopes.len());
        let body = self.block(|writer| {
            writer.stmts(3);
            let value = writer.int();
            writer.line(value.text);
        });
        self.beyond = beyond;
        self.closures -= 1;
        let looks = self.mentioned;
        self.mentioned |= around;
        self.put_block(vec![(format!("let {name}: func() -> int = () => "), body)], "");
        self.declare(name, Ty::Act, false, looks);
    }
}
