//! What a function does with the scope memory that it is given.

use std::collections::{BTreeMap, BTreeSet};

use medi_syntax::source::Span;

/// Where memory comes into a function.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Source {
    Param(u32),
    Capture(u32),
    /// Nowhere: a pin, which belongs to the task that made it, whoever holds it.
    Pin,
    /// Nowhere: what a function value does that starts a task with what it is given.
    Starter,
    /// Nowhere: the task that a function value was made by, and may run in.
    Maker,
}

/// Memory that was there before the function was called.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Symbol {
    /// What the value itself looks into.
    Outer(Source),
    /// What the objects that it refers to look into.
    Inner(Source),
}

impl Symbol {
    /// That something uses a pin. It ends nowhere, and must not come to a task.
    pub const PIN: Symbol = Symbol::Outer(Source::Pin);
    /// That a function value, or one that is within reach, starts a task with what it is given.
    pub const STARTER: Symbol = Symbol::Outer(Source::Starter);

    /// That a function value uses memory of a scope or a pin, and runs in the task only that made it.
    pub const BOUND: Symbol = Symbol::Outer(Source::Maker);
    pub const MARKS: [Symbol; 3] = [Self::PIN, Self::STARTER, Self::BOUND];

    /// Whether it is no memory.
    pub fn is_mark(self) -> bool {
        Self::MARKS.contains(&self)
    }

    pub fn source(self) -> Source {
        match self {
            Symbol::Outer(source) | Symbol::Inner(source) => source,
        }
    }
}

/// A value that refers to objects which the caller knows.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Slot {
    Source(Source),
    Result,
}

/// A place at which something happens to what a parameter looks into.
#[derive(Clone, PartialEq, Debug)]
pub struct Fate {
    pub span: Span,
    /// Of the parameter, as the function declares it.
    pub name: Option<String>,
    /// What it is stored in.
    pub into: Option<String>,
    /// The parameter that this is, or is a part of.
    pub through: Option<u32>,
}

/// A function frees what one value looks into, and uses another value afterwards.
#[derive(Clone, PartialEq, Debug)]
pub struct Clash {
    pub freed: Fate,
    pub used: Span,
    /// The value that is used, when it has a name.
    pub user: Option<String>,
}

/// Where memory that two parameters, or captured values, look into is written, by tasks that run at the same time.
#[derive(Clone, PartialEq, Debug)]
pub struct Race {
    pub first: Span,
    pub second: Span,
    /// The `parallel`.
    pub at: Span,
}

pub type Races = BTreeMap<(Symbol, Symbol), Race>;

/// The effects of one function; a larger summary allows its callers less.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Summary {
    /// What the result itself may look into.
    pub returns: BTreeSet<Symbol>,
    /// The result may own memory that the function made.
    pub returns_owned: bool,
    /// The result may be owned memory that some object or collection refers to.
    pub returns_held: bool,
    pub frees: BTreeMap<Symbol, Fate>,
    /// The first is freed before the last use of the second: they must not be the same memory.
    pub clashes: BTreeMap<(Symbol, Symbol), Clash>,
    /// Stored in collected memory.
    pub keeps: BTreeMap<Symbol, Fate>,
    /// Owned memory that is stored in an object, or given to a task: somebody else frees it.
    pub takes: BTreeMap<Symbol, Fate>,
    /// Given to a task that may outlive the call, by the `spawn` there.
    pub spawns: BTreeMap<Symbol, Span>,
    /// Run by a statement or step of the `parallel`, which is another task.
    pub joins: BTreeMap<Symbol, Span>,
    /// Function values of the first are called with memory of the second.
    pub applies: BTreeSet<(Symbol, Symbol)>,
    /// Written without atomics.
    pub writes: BTreeMap<Symbol, Span>,
    /// Written in two statements that run at the same time: they must not be the same memory.
    pub races: Races,
    /// Values whose objects may refer to each other.
    pub same: BTreeSet<(Slot, Slot)>,
    /// Objects that may look into memory afterwards.
    pub holds: BTreeSet<(Slot, Symbol)>,
}

impl Summary {
    /// Whether it lists an effect that the other does not. Places in the text may differ.
    pub fn says_more_than(&self, other: &Summary) -> bool {
        let more = |own: &BTreeMap<Symbol, Fate>, other: &BTreeMap<Symbol, Fate>| {
            own.keys().any(|symbol| !other.contains_key(symbol))
        };
        !self.returns.is_subset(&other.returns)
            || self.returns_owned && !other.returns_owned
            || self.returns_held && !other.returns_held
            || more(&self.takes, &other.takes)
            || more(&self.frees, &other.frees)
            || self.clashes.keys().any(|pair| !other.clashes.contains_key(pair))
            || more(&self.keeps, &other.keeps)
            || self.spawns.keys().any(|symbol| !other.spawns.contains_key(symbol))
            || self.joins.keys().any(|symbol| !other.joins.contains_key(symbol))
            || self.writes.keys().any(|symbol| !other.writes.contains_key(symbol))
            || self.races.keys().any(|pair| !other.races.contains_key(pair))
            || !self.applies.is_subset(&other.applies)
            || !self.same.is_subset(&other.same)
            || !self.holds.is_subset(&other.holds)
    }
}

/// What a native function does with what it is given.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Native {
    /// Looks at it while it runs.
    Reads,
    /// Moves elements between the arrays that it is given.
    Mixes,
    /// Starts a task that may go on after it returns.
    Spawns,
    /// Not known: it might keep all.
    Unknown,
}

/// The declared effect of each native function of the library that can be given scope memory, or function values.
pub fn native(symbol: &str) -> Native {
    match symbol {
        "array_copy" => Native::Mixes,
        "task_start" => Native::Spawns,
        "hash"
        | "equals"
        | "compare"
        | "raise_missing_key"
        | "array_extend"
        | "array_clear"
        | "array_reverse"
        | "array_sort"
        | "array_order"
        | "string_join"
        | "tasks_all"
        | "tasks_all_or_fail"
        | "tasks_range"
        | "tasks_range_or_fail" => Native::Reads,
        _ if symbol.starts_with("view_") || symbol.starts_with("fmt_") => Native::Reads,
        _ => Native::Unknown,
    }
}
