//! Random programs that use scope memory in every form, well-typed by construction.
//!
//! The generator keeps a rough account of what each variable may look into, so that most of what it writes is right:
//! it avoids what has ended, stores what lives long in what lives shorter, and frees what it owns. A program has a few
//! tickets to be reckless, at random places. So programs lie close to the border between right and wrong, on both
//! sides. The account is no judge: it is wrong where the program is intricate, which costs nothing.

mod body;
mod expr;
mod helpers;
mod stmt;

use crate::program::{Line, Program};
use crate::random::Random;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Ty {
    Int,
    Buffer,
    View,
    /// `View[Atomic[int]]`
    Atomics,
    MaybeView,
    Node,
    MaybeNode,
    Leaf,
    /// `Shared[Cell]`
    Cell,
    Weak,
    Owned,
    /// Of a `list[int]`.
    Pin,
    Data,
    /// `func() -> int`
    Act,
    /// `func(int) -> int`
    Step,
    /// `func() -> View[int]`
    Look,
    /// `func(func() -> int) -> int`
    Run,
    /// `list[func() -> int]`
    Acts,
    Box,
    Holder,
    Slot,
    /// `Task[int]`
    Task,
    /// `Result[int]`, of functions only.
    Fallible,
}

impl Ty {
    fn text(self) -> &'static str {
        match self {
            Ty::Int => "int",
            Ty::Buffer => "Buffer",
            Ty::View => "View[int]",
            Ty::Atomics => "View[Atomic[int]]",
            Ty::MaybeView => "View[int]?",
            Ty::Node => "own Node",
            Ty::MaybeNode => "own Node?",
            Ty::Leaf => "own Leaf",
            Ty::Cell => "Shared[Cell]",
            Ty::Weak => "Weak[Cell]",
            Ty::Owned => "Owned[Buffer]",
            Ty::Pin => "Pin[list[int]]",
            Ty::Data => "list[int]",
            Ty::Act => "func() -> int",
            Ty::Step => "func(int) -> int",
            Ty::Look => "func() -> View[int]",
            Ty::Run => "func(func() -> int) -> int",
            Ty::Acts => "list[func() -> int]",
            Ty::Box => "Box",
            Ty::Holder => "Holder",
            Ty::Slot => "Slot",
            Ty::Task => "Task[int]",
            Ty::Fallible => "Result[int]",
        }
    }
}

/// Allocations of a function, as bits: what a value may look into.
type Roots = u64;

/// A piece of text that is an expression, and what its value may look into.
#[derive(Clone, Debug)]
struct Expr {
    text: String,
    looks: Roots,
}

#[derive(Clone, Debug)]
struct Var {
    name: String,
    ty: Ty,
    mutable: bool,
    looks: Roots,
    /// How many scopes are open where it is declared, and how many blocks and loops it stands in.
    level: usize,
    block: usize,
    loops: usize,
    /// Function values around its declaration.
    closures: usize,
    /// Given away for good: no longer named, whatever the mood.
    gone: bool,
}

#[derive(Clone, Copy, Debug)]
struct Root {
    /// Scopes that are open around what it belongs to; 0 for memory of the caller.
    level: usize,
    loops: usize,
    block: usize,
    owned: bool,
}

/// A function that others can call, and what it does with its parameters as far as that is known.
#[derive(Clone, Debug)]
struct Helper {
    name: String,
    /// Behind the first two, which count calls and decide branches.
    params: Vec<Ty>,
    result: Ty,
    /// Parameters, as bits.
    frees: Roots,
    returns: Roots,
    /// Of each parameter: those it may look into afterwards.
    holds: Vec<Roots>,
    known: bool,
}

/// Writes one function.
struct Writer<'g> {
    random: &'g mut Random,
    helpers: &'g [Helper],
    /// Which one is being written.
    this: usize,
    result: Ty,
    tickets: &'g mut usize,
    names: &'g mut usize,
    vars: Vec<Var>,
    roots: Vec<Root>,
    ended: Roots,
    returned: Roots,
    /// What the variables that were named look into.
    mentioned: Roots,
    /// Names of the scopes that are open.
    scopes: Vec<Option<String>>,
    /// How many of them are out of reach, around a function value.
    beyond: usize,
    out: Vec<Vec<Line>>,
    block: usize,
    loops: usize,
    closures: usize,
    /// Within an arm of a `parallel` or a task.
    task: bool,
    budget: usize,
    next_bit: usize,
}

/// The program of a seed.
pub fn program(seed: u64, prefix: &str) -> Program {
    let mut random = Random::new(seed);
    let mut tickets = *random.one(&[0, 0, 0, 1, 1, 1, 1, 2, 3, 6]);
    let mut names = 0;
    let mut helpers = helpers::declare(&mut random, prefix);
    let mut functions = vec![];
    for this in 0..helpers.len() {
        let budget = 3 + random.below(9);
        let mut writer = Writer::new(&mut random, &helpers, this, &mut tickets, &mut names, budget);
        let (function, written) = writer.helper();
        functions.push(function);
        helpers[this] = written;
    }
    let budget = 10 + random.below(20);
    let this = helpers.len();
    let mut writer = Writer::new(&mut random, &helpers, this, &mut tickets, &mut names, budget);
    functions.insert(0, writer.entry(prefix));
    Program { prefix: prefix.to_owned(), functions }
}

impl<'g> Writer<'g> {
    fn new(
        random: &'g mut Random,
        helpers: &'g [Helper],
        this: usize,
        tickets: &'g mut usize,
        names: &'g mut usize,
        budget: usize,
    ) -> Self {
        Self {
            random,
            helpers,
            this,
            result: Ty::Int,
            tickets,
            names,
            vars: vec![],
            roots: vec![],
            ended: 0,
            returned: 0,
            mentioned: 0,
            scopes: vec![],
            beyond: 0,
            out: vec![],
            block: 0,
            loops: 0,
            closures: 0,
            task: false,
            budget,
            next_bit: 0,
        }
    }

    /// Spends a ticket, now and then.
    fn reckless(&mut self) -> bool {
        let now = *self.tickets > 0 && self.random.percent(20);
        *self.tickets -= usize::from(now);
        now
    }

    fn fresh(&mut self, letter: &str) -> String {
        *self.names += 1;
        format!("{letter}{}", self.names)
    }

    fn line(&mut self, text: String) {
        self.out.last_mut().expect("a block is open").push(Line::Plain(text));
    }

    fn root(&mut self, level: usize, owned: bool) -> Roots {
        // What a function makes itself goes before what it was given.
        let made = self.roots.len() >= self.params();
        let level = if made { level.max(1) } else { level };
        self.roots.push(Root { level, owned, loops: self.loops, block: self.block });
        1 << (self.roots.len() - 1)
    }

    fn params(&self) -> usize {
        self.helpers.get(self.this).map_or(0, |helper| helper.params.len())
    }

    fn full(&self) -> bool {
        self.roots.len() >= 54
    }

    fn declare(&mut self, name: String, ty: Ty, mutable: bool, looks: Roots) {
        self.vars.push(Var {
            name,
            ty,
            mutable,
            looks,
            level: self.scopes.len(),
            block: self.block,
            loops: self.loops,
            closures: self.closures,
            gone: false,
        });
    }

    /// `let x = e`, or `var`.
    fn bind(&mut self, ty: Ty, letter: &str, value: Expr) -> String {
        let name = self.fresh(letter);
        let mutable = !matches!(ty, Ty::Owned | Ty::Task) && self.random.percent(25);
        let word = if mutable { "var" } else { "let" };
        self.line(format!("{word} {name}: {} = {}", ty.text(), value.text));
        self.declare(name.clone(), ty, mutable, value.looks);
        name
    }

    fn roots_of(&self, looks: Roots) -> impl Iterator<Item = &Root> {
        self.roots.iter().enumerate().filter(move |(at, _)| looks & (1 << at) != 0).map(|(_, r)| r)
    }

    /// The level of the memory that goes first.
    fn deepest(&self, looks: Roots) -> usize {
        self.roots_of(looks).map(|root| root.level).max().unwrap_or(0)
    }

    /// The level of the memory that stays longest.
    fn shallowest(&self, looks: Roots) -> usize {
        self.roots_of(looks).map(|root| root.level).min().unwrap_or(0)
    }

    fn usable(&self, var: &Var) -> bool {
        let in_task = match var.ty {
            Ty::View | Ty::Atomics => !var.mutable,
            Ty::Int | Ty::Data => true,
            Ty::Act | Ty::Step => !var.mutable,
            _ => false,
        };
        !var.gone && (!self.task || in_task || var.closures >= self.closures)
    }

    /// A variable of the type.
    fn find(&mut self, ty: Ty) -> Option<usize> {
        let of_type = |var: &Var| var.ty == ty;
        self.find_that(of_type)
    }

    fn find_that(&mut self, holds: impl Fn(&Var) -> bool) -> Option<usize> {
        let all: Vec<usize> = (0..self.vars.len())
            .filter(|at| holds(&self.vars[*at]) && self.usable(&self.vars[*at]))
            .collect();
        let (alive, ended): (Vec<usize>, Vec<usize>) =
            all.into_iter().partition(|at| self.vars[*at].looks & self.ended == 0);
        let ended_too = !ended.is_empty() && *self.tickets > 0 && self.random.percent(35);
        *self.tickets -= usize::from(ended_too);
        let from = if ended_too { ended } else { alive };
        if from.is_empty() {
            return None;
        }
        // Rather what was declared lately.
        let at = self.random.below(from.len()).max(self.random.below(from.len()));
        self.mentioned |= self.vars[from[at]].looks;
        Some(from[at])
    }

    fn named(&mut self, ty: Ty) -> Option<Expr> {
        let at = self.find(ty)?;
        Some(Expr { text: self.vars[at].name.clone(), looks: self.vars[at].looks })
    }

    /// Whether what looks there may well be put into a variable or object of that level, declared in so many loops.
    fn lives(&mut self, looks: Roots, level: usize, loops: usize) -> bool {
        let short = self.deepest(looks) > level;
        let in_loop = self.loops > loops;
        if !short || (!in_loop && self.random.percent(20)) {
            return true;
        }
        let reckless = self.reckless();
        // It is wrong only if it is used afterwards, which takes a ticket of its own.
        *self.tickets += usize::from(reckless);
        reckless
    }

    /// The memory may be looked into through the holder, and through all that reach it.
    fn put(&mut self, holder: Roots, looks: Roots) {
        for var in &mut self.vars {
            if var.looks & holder != 0 {
                var.looks |= looks;
            }
        }
    }

    fn end(&mut self, roots: Roots) {
        self.ended |= roots;
    }
}
