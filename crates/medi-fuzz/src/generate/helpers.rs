//! Functions that other functions call: their heads, which are drawn first, and their bodies.

use super::{Helper, Roots, Ty, Writer};
use crate::program::Line;
use crate::random::Random;

const PARAMS: &[Ty] = &[
    Ty::View,
    Ty::View,
    Ty::View,
    Ty::Buffer,
    Ty::Buffer,
    Ty::Node,
    Ty::Node,
    Ty::Node,
    Ty::Cell,
    Ty::Owned,
    Ty::Act,
    Ty::Look,
    Ty::Run,
    Ty::Acts,
    Ty::Box,
    Ty::Leaf,
    Ty::Pin,
    Ty::Holder,
    Ty::Atomics,
    Ty::MaybeView,
    Ty::MaybeNode,
    Ty::Data,
];

pub(super) fn declare(random: &mut Random, prefix: &str) -> Vec<Helper> {
    let count = *random.one(&[0, 1, 1, 2, 2, 3]);
    let declared = (0..count).map(|index| {
        let params: Vec<Ty> = (0..1 + random.below(3)).map(|_| *random.one(PARAMS)).collect();
        let mut results = vec![Ty::Int, Ty::Fallible, Ty::Owned, Ty::Act, Ty::MaybeView];
        for param in &params {
            results.extend(match param {
                Ty::View | Ty::Buffer => [Ty::View, Ty::Look],
                Ty::Node => [Ty::Node, Ty::MaybeNode],
                Ty::Cell => [Ty::Cell, Ty::Cell],
                Ty::Look => [Ty::View, Ty::Look],
                _ => [Ty::Int, Ty::Int],
            });
        }
        let result = *random.one(&results);
        Helper {
            name: format!("{prefix}_h{index}"),
            holds: vec![0; params.len()],
            params,
            result,
            frees: 0,
            returns: 0,
            known: false,
        }
    });
    declared.collect()
}

impl Writer<'_> {
    /// The function, and what it does with its parameters.
    pub(super) fn helper(&mut self) -> (Line, Helper) {
        let mut written = self.helpers[self.this].clone();
        self.result = written.result;
        let mut head = vec!["n: int".to_owned(), "bits: int".to_owned()];
        for ty in written.params.clone() {
            let looks = self.root(0, ty == Ty::Owned);
            let name = self.fresh("p");
            head.push(format!("{name}: {}", ty.text()));
            self.declare(name, ty, false, looks);
        }
        let params: Roots = (1 << written.params.len()) - 1;
        let head =
            format!("func {}({}) -> {} ", written.name, head.join(", "), written.result.text());
        let body = self.body();
        written.frees = self.ended & params;
        written.returns = self.returned & params;
        for (at, holds) in written.holds.iter_mut().enumerate() {
            *holds = self.vars[at].looks & params & !(1 << at);
        }
        written.known = true;
        (Line::Block { parts: vec![(head, body)], end: String::new() }, written)
    }

    /// The function that is run first.
    pub(super) fn entry(&mut self, name: &str) -> Line {
        self.result = Ty::Int;
        let body = self.body();
        Line::Block {
            parts: vec![(format!("func {name}(bits: int) -> int "), body)],
            end: String::new(),
        }
    }

    fn is_entry(&self) -> bool {
        self.this == self.helpers.len()
    }

    fn body(&mut self) -> Vec<Line> {
        self.out.push(vec![]);
        if self.is_entry() {
            self.line("let n = 2".to_owned());
        }
        self.line("var acc = 1".to_owned());
        let before = self.vars.len();
        if self.is_entry() || self.random.percent(50) {
            self.scope();
        }
        let mut open = true;
        while self.budget > 0 && open {
            open = self.stmt();
        }
        if open {
            self.leave(before);
        }
        self.out.pop().expect("the body is open")
    }

    /// `return`, behind the frees of what would be lost.
    pub(super) fn leave(&mut self, owned_from: usize) {
        let result = self.result_value();
        let kept = if self.result == Ty::Owned { result.looks } else { 0 };
        self.free_owned(owned_from, kept);
        self.returned |= result.looks;
        self.line(format!("return {}", result.text));
    }
}
