//! Statements.

use super::{Expr, Ty, Writer};

impl Writer<'_> {
    /// Writes a statement; whether others can follow.
    pub(super) fn stmt(&mut self) -> bool {
        if self.budget == 0 {
            return true;
        }
        self.budget -= 1;
        let written = self.out.last().map_or(0, Vec::len);
        // Not each that is drawn fits.
        for _ in 0..4 {
            let open = self.try_stmt();
            if !open || self.out.last().map_or(0, Vec::len) > written {
                return open;
            }
        }
        true
    }

    /// What a scope begins with.
    pub(super) fn starters(&mut self) {
        self.allocate();
        for _ in 0..self.random.below(4) {
            match self.random.below(8) {
                0 => self.allocate(),
                1 | 2 => self.let_view(),
                3..=5 => {
                    let node = self.own_node();
                    self.bind(Ty::Node, "n", node);
                }
                6 => {
                    let cell = self.shared_cell();
                    self.bind(Ty::Cell, "c", cell);
                }
                _ => self.maybe(),
            }
        }
    }

    fn try_stmt(&mut self) -> bool {
        let in_scope = self.scopes.len() > self.beyond && !self.task && !self.full();
        let nested = self.block < 5;
        match self.random.below(60) {
            0..=4 if in_scope => self.allocate(),
            5..=9 => self.let_view(),
            10 | 11 if in_scope => {
                let node = self.own_node();
                self.bind(Ty::Node, "n", node);
            }
            12 if in_scope => {
                let leaf = self.own_leaf();
                self.bind(Ty::Leaf, "k", leaf);
            }
            13 if in_scope => {
                let cell = self.shared_cell();
                self.bind(Ty::Cell, "c", cell);
            }
            14 | 15 if !self.full() && !self.task => self.make_owned(),
            16..=19 => self.count(),
            20..=22 => self.write(),
            23 | 24 => self.free_buffer(),
            25 => self.free_owned_one(),
            26 => self.free_either_way(),
            27 | 29 => self.set_field(),
            30 => self.share(),
            31 | 32 => self.maybe(),
            33 | 34 => self.assign(),
            35 | 36 => self.make_closure(),
            37 => self.long_closure(),
            38 | 39 => self.lists(),
            40 | 41 => self.holders(),
            42 => self.pin(),
            28 | 43 => self.spawn(),
            44 if nested => self.parallel(),
            45 if nested => self.parallel_for(),
            46..=48 if nested => self.branch(),
            49 if nested => self.binding(),
            50 if nested => self.match_slot(),
            51 | 52 if nested => self.repeat(),
            53 | 54 if nested && !self.task => self.scope(),
            55 if nested && !self.task => self.scope_value(),
            56 => self.helper_call(),
            57 => self.split(),
            58 => {
                if self.loops > 0 && self.closures == 0 {
                    self.free_and_leave();
                } else {
                    self.make_atomics();
                }
            }
            59 => return !self.way_out(30),
            _ => self.count(),
        }
        true
    }

    pub(super) fn allocate(&mut self) {
        let looks = self.root(self.scopes.len(), false);
        let bytes = *self.random.one(&[64, 64, 64, 128]);
        if self.random.percent(25) {
            let text = format!("allocate({bytes}).view[int]()");
            self.bind(Ty::View, "v", Expr { text, looks });
        } else {
            self.bind(Ty::Buffer, "b", Expr { text: format!("allocate({bytes})"), looks });
        }
    }

    fn let_view(&mut self) {
        let Some(mut view) = self.view() else { return };
        if self.random.percent(15)
            && let Some(other) = self.view()
        {
            let cond = self.cond();
            let text = format!("if {cond} {{ {} }} else {{ {} }}", view.text, other.text);
            view = Expr { text, looks: view.looks | other.looks };
        }
        self.bind(Ty::View, "v", view);
    }

    fn make_owned(&mut self) {
        if self.closures > 0 {
            return;
        }
        let made = match self.random.percent(25).then(|| self.call(Ty::Owned)).flatten() {
            Some(made) => made,
            None => {
                let looks = self.root(self.scopes.len(), true);
                Expr { text: "Owned.buffer(64)".to_owned(), looks }
            }
        };
        self.bind(Ty::Owned, "o", made);
    }

    /// `acc = …`
    fn count(&mut self) {
        let value = self.int();
        if self.task {
            let name = self.fresh("t");
            self.line(format!("let _{name} = {}", value.text));
        } else {
            self.line(format!("acc = (acc * 31 + {}) % 10007", value.text));
        }
    }

    fn write(&mut self) {
        let value = self.int();
        if self.random.percent(20)
            && let Some(buffer) = self.named(Ty::Buffer)
        {
            return self.line(format!("{}[3] = byte(band({}, 255))", buffer.text, value.text));
        }
        let target = if self.random.percent(60) { self.named(Ty::View) } else { self.view() };
        if let Some(view) = target.filter(|_| !self.task) {
            let index = self.random.below(2);
            self.line(format!("{}[{index}] = ({}) % 97", view.text, value.text));
        }
    }

    fn free_buffer(&mut self) {
        let Some(at) = self.find(Ty::Buffer) else { return };
        let (name, looks) = (self.vars[at].name.clone(), self.vars[at].looks);
        // What looks into it cannot be named afterwards.
        let early = self.budget > 3 && self.random.percent(50);
        if early || !self.may_end(looks) && !self.reckless() {
            return;
        }
        self.line(format!("free({name})"));
        self.end(looks);
    }

    fn free_owned_one(&mut self) {
        let Some(at) = self.find(Ty::Owned) else { return };
        let (name, looks) = (self.vars[at].name.clone(), self.vars[at].looks);
        if self.may_end(looks) || self.reckless() {
            self.line(format!("free({name})"));
            self.end(looks);
        }
    }

    fn set_field(&mut self) {
        if self.task {
            return;
        }
        let Some(at) = self.find(Ty::Node) else { return };
        let (name, looks) = (self.vars[at].name.clone(), self.vars[at].looks);
        let (field, value) = match self.random.below(6) {
            0 | 1 => ("next", self.node()),
            2 | 3 => ("view", self.view()),
            4 => {
                let act = self.named(Ty::Act);
                ("act", if act.is_some() { act } else { self.closure(Ty::Act) })
            }
            _ => {
                let value = self.int();
                ("value", Some(Expr { text: format!("({}) % 97", value.text), looks: 0 }))
            }
        };
        let Some(value) = value else { return };
        let level = self.shallowest(looks);
        if self.lives(value.looks, level, self.vars[at].loops) {
            self.line(format!("{name}.{field} = {}", value.text));
            self.put(looks, value.looks);
        }
    }

    /// What is done with shared objects.
    fn share(&mut self) {
        if self.task {
            return;
        }
        let Some(cell) = self.named(Ty::Cell) else { return };
        match self.random.below(6) {
            0 => {
                let text = format!("{}.share()", cell.text);
                self.bind(Ty::Cell, "c", Expr { text, ..cell });
            }
            1 | 2 => {
                let text = format!("{}.weak()", cell.text);
                self.bind(Ty::Weak, "u", Expr { text, looks: 0 });
            }
            3 => {
                if self.closures == 0 && self.random.percent(50) {
                    self.line(format!("if {0}.count() > 1 {{ free({0}) }}", cell.text));
                }
            }
            4 => {
                let Some(view) = self.view() else { return };
                let level = self.shallowest(cell.looks);
                if self.lives(view.looks, level, 0) {
                    self.line(format!("{}.view = {}", cell.text, view.text));
                    self.put(cell.looks, view.looks);
                }
            }
            _ => {
                let Some(other) = self.named(Ty::Cell) else { return };
                let level = self.shallowest(cell.looks);
                if self.lives(other.looks, level, 0) {
                    self.line(format!("{}.next = {}.share()", cell.text, other.text));
                    self.put(cell.looks, other.looks);
                }
            }
        }
    }

    /// A variable that may hold something.
    fn maybe(&mut self) {
        if self.task {
            return;
        }
        let (ty, letter) = *self.random.one(&[(Ty::MaybeView, "m"), (Ty::MaybeNode, "m")]);
        let value = match ty {
            _ if self.random.percent(50) => None,
            Ty::MaybeView => self.view(),
            _ => self.node(),
        };
        let value = value.unwrap_or(Expr { text: "nil".to_owned(), looks: 0 });
        let name = self.fresh(letter);
        self.line(format!("var {name}: {} = {}", ty.text(), value.text));
        self.declare(name, ty, true, value.looks);
    }

    fn assign(&mut self) {
        let Some(at) = self.find_that(|var| {
            var.mutable
                && matches!(
                    var.ty,
                    Ty::View
                        | Ty::MaybeView
                        | Ty::Node
                        | Ty::MaybeNode
                        | Ty::Cell
                        | Ty::Act
                        | Ty::Buffer
                )
        }) else {
            return;
        };
        if self.task {
            return;
        }
        let var = self.vars[at].clone();
        let value = match var.ty {
            Ty::View | Ty::MaybeView => self.view(),
            Ty::Node | Ty::MaybeNode => self.node(),
            Ty::Act => self.closure(Ty::Act),
            other => self.named(other),
        };
        let Some(value) = value else { return };
        if !self.lives(value.looks, var.level, var.loops) {
            return;
        }
        self.line(format!("{} = {}", var.name, value.text));
        let whole = var.block == self.block && var.closures == self.closures;
        let before = if whole { 0 } else { var.looks };
        self.vars[at].looks = before | value.looks;
        // What captured the variable sees it change.
        self.mentioned |= value.looks;
    }

    fn make_closure(&mut self) {
        if self.task {
            return;
        }
        let (ty, letter) =
            *self.random.one(&[(Ty::Act, "f"), (Ty::Act, "f"), (Ty::Step, "g"), (Ty::Look, "h")]);
        if self.random.percent(20) {
            let run = self.run_closure();
            self.bind(Ty::Run, "j", run);
        } else if let Some(closure) = self.closure(ty) {
            self.bind(ty, letter, closure);
        }
    }

    fn lists(&mut self) {
        if self.task {
            return;
        }
        if self.random.percent(40) {
            let first = self.closure(Ty::Act);
            let first = first.unwrap_or(Expr { text: "() => 2".to_owned(), looks: 0 });
            if self.random.percent(30) {
                let text = format!("Box {{ acts: [{}], data: [1] }}", first.text);
                let name = self.fresh("z");
                self.line(format!("let {name} = {text}"));
                return self.declare(name, Ty::Box, false, first.looks);
            }
            let text = format!("[{}]", first.text);
            let name = self.fresh("a");
            self.line(format!("let {name}: {} = {text}", Ty::Acts.text()));
            return self.declare(name, Ty::Acts, false, first.looks);
        }
        let Some(at) = self.find_that(|var| matches!(var.ty, Ty::Acts | Ty::Box)) else { return };
        let var = self.vars[at].clone();
        let list = if var.ty == Ty::Box { format!("{}.acts", var.name) } else { var.name.clone() };
        if self.random.percent(50) {
            let name = self.fresh("f");
            return self.line(format!("for {name} in {list} {{ acc += {name}() }}"));
        }
        let act = self.named(Ty::Act);
        let act = if act.is_some() { act } else { self.closure(Ty::Act) };
        let Some(act) = act else { return };
        let level = if var.looks == 0 { var.level } else { self.shallowest(var.looks) };
        if self.lives(act.looks, level.min(var.level), var.loops) {
            self.line(format!("{list}.push({})", act.text));
            self.vars[at].looks |= act.looks;
            self.put(var.looks, act.looks);
        }
    }

    /// Collected objects with fields for scope memory, which they must not get.
    fn holders(&mut self) {
        if self.task {
            return;
        }
        let nothing = |text: &str| Expr { text: text.to_owned(), looks: 0 };
        match self.random.below(6) {
            0 => {
                let view = if self.reckless() { self.view() } else { None };
                let view = view.unwrap_or(nothing("nil"));
                let name = self.fresh("d");
                let text = format!("Holder {{ view: {}, node: nil, data: [2] }}", view.text);
                self.line(format!("let {name} = {text}"));
                self.declare(name, Ty::Holder, false, view.looks);
            }
            1 if self.reckless() => {
                let Some(at) = self.find(Ty::Holder) else { return };
                let name = self.vars[at].name.clone();
                let (field, value) = if self.random.percent(50) {
                    ("view", self.view())
                } else {
                    ("node", self.node())
                };
                if let Some(value) = value {
                    self.line(format!("{name}.{field} = {}", value.text));
                    self.vars[at].looks |= value.looks;
                }
            }
            2 => {
                let name = self.fresh("e");
                let view = if self.reckless() { self.view() } else { None };
                let text =
                    view.as_ref().map_or("Empty".to_owned(), |v| format!("Full({})", v.text));
                self.line(format!("let {name}: Slot = {text}"));
                self.declare(name, Ty::Slot, false, view.map_or(0, |view| view.looks));
            }
            3 if self.reckless() => {
                let Some(view) = self.view() else { return };
                let name = self.fresh("vs");
                self.line(format!("let {name}: list[View[int]] = []"));
                self.line(format!("{name}.push({})", view.text));
            }
            4 if self.reckless() => {
                let Some(node) = self.node() else { return };
                let name = self.fresh("d");
                self.line(format!("let {name}: list[own Node?] = [{}]", node.text));
            }
            _ => {
                let name = self.fresh("d");
                self.line(format!("let {name}: list[int] = [1, acc % 7]"));
                self.declare(name, Ty::Data, false, 0);
            }
        }
    }

    fn pin(&mut self) {
        if self.task || self.full() {
            return;
        }
        let nothing = Expr { text: "[1, 2]".to_owned(), looks: 0 };
        let data = match self.random.below(3) {
            0 => self.node().map(|node| Expr { text: format!("{}.data", node.text), ..node }),
            _ => self.named(Ty::Data),
        };
        let data = data.unwrap_or(nothing);
        let name = self.fresh("i");
        self.line(format!("let {name} = pin({})", data.text));
        let looks = self.root(self.scopes.len(), false);
        self.declare(name.clone(), Ty::Pin, false, looks);
        if self.random.percent(50) {
            let text = format!("() => {name}.get_or(0, 4)");
            self.bind(Ty::Act, "f", Expr { text, looks });
        }
    }

    fn spawn(&mut self) {
        if self.task || self.closures > 0 {
            return;
        }
        if self.random.percent(35)
            && let Some(task) = self.named(Ty::Task)
        {
            return self.line(format!("acc += {}.join()", task.text));
        }
        let name = self.fresh("t");
        let mut looks = 0;
        match self.random.below(4) {
            0 => {
                let Some(at) = self.find(Ty::Owned) else { return };
                let var = self.vars[at].clone();
                if !self.may_end(var.looks) {
                    return;
                }
                let inside = format!("let q = int({0}[0]); free({0}); q", var.name);
                self.line(format!("let {name} = spawn {{ {inside} }}"));
                self.end(var.looks);
            }
            1 => {
                let Some(act) = self.named(Ty::Act) else { return };
                if act.looks != 0 && !self.reckless() {
                    return;
                }
                looks = act.looks;
                self.line(format!("let {name} = spawn {}()", act.text));
            }
            2 => {
                let Some(data) = self.named(Ty::Data) else { return };
                self.line(format!("let {name} = spawn {}.get_or(0, 1)", data.text));
            }
            _ => {
                let inside = "scope { let q = allocate(64); q[0] = 3; int(q[0]) + n }";
                self.line(format!("let {name} = spawn {inside}"));
            }
        }
        self.declare(name, Ty::Task, false, looks);
    }

    fn helper_call(&mut self) {
        if self.helpers.is_empty() || self.task {
            return;
        }
        let chosen = self.random.below(self.helpers.len());
        // A call in a circle counts down.
        let circle = chosen >= self.this;
        let frees = self.helpers[chosen].result == Ty::Owned;
        if circle && frees {
            return;
        }
        let Some(call) = self.call_of(chosen) else { return };
        let result = self.helpers[chosen].result;
        let guard = |text: String| if circle { format!("if n > 0 {{ {text} }}") } else { text };
        match result {
            Ty::Int => self.line(guard(format!("acc += {}", call.text))),
            Ty::Fallible => self.line(guard(format!("acc += {}.or(1)", call.text))),
            _ if circle => self.line(format!("if n > 0 {{ let _ = {} }}", call.text)),
            ty => {
                self.bind(ty, "r", call);
            }
        }
    }

    fn split(&mut self) {
        if self.task {
            return;
        }
        let Some(view) = self.named(Ty::View) else { return };
        let (l, r) = (self.fresh("l"), self.fresh("r"));
        self.line(format!("let ({l}, {r}) = {0}.split_at(div(len({0}) + 1, 2))", view.text));
        self.declare(l, Ty::View, false, view.looks);
        self.declare(r, Ty::View, false, view.looks);
    }

    fn make_atomics(&mut self) {
        let Some(buffer) = self.named(Ty::Buffer) else { return };
        let name = self.fresh("at");
        self.line(format!("let {name} = {}.view[Atomic[int]]()", buffer.text));
        self.declare(name, Ty::Atomics, false, buffer.looks);
    }
}
