//! Expressions.

use super::{Expr, Roots, Ty, Writer};

fn plain(text: impl Into<String>) -> Expr {
    Expr { text: text.into(), looks: 0 }
}

impl Writer<'_> {
    /// A condition that the input decides.
    pub(super) fn cond(&mut self) -> String {
        if self.random.percent(8)
            && let Some(view) = self.named(Ty::View)
        {
            return format!("{}[0] > 3", view.text);
        }
        self.next_bit = (self.next_bit + 1) % 14;
        let bit = self.next_bit;
        if self.loops > 0 && self.random.percent(40) {
            return format!("band(shr(bits, acc % 3 + {bit}), 1) == 1");
        }
        format!("band(bits, {}) != 0", 1 << bit)
    }

    pub(super) fn int(&mut self) -> Expr {
        for _ in 0..3 {
            if let Some(value) = self.some_int() {
                return value;
            }
        }
        plain(self.random.below(9).to_string())
    }

    fn some_int(&mut self) -> Option<Expr> {
        let choice = self.random.below(25);
        let of = |value: Expr, text: String| Some(Expr { text, looks: value.looks });
        match choice {
            0..=4 => {
                let view = self.view()?;
                let index = self.random.below(2);
                of(view.clone(), format!("{}[{index}]", view.text))
            }
            5 => {
                let view = self.named(Ty::View)?;
                of(view.clone(), format!("len({})", view.text))
            }
            6 => {
                let buffer = self.named(Ty::Buffer)?;
                of(buffer.clone(), format!("int({}[{}])", buffer.text, self.random.below(8)))
            }
            7 => {
                let node = self.node()?;
                of(node.clone(), format!("{}.value", node.text))
            }
            8 => {
                let node = self.node()?;
                of(node.clone(), format!("({}.next?.value ?? 0)", node.text))
            }
            9 => {
                let leaf = self.named(Ty::Leaf)?;
                let text = *self.random.one(&["{}.value", "promote({}).value", "{}.data.len()"]);
                of(leaf.clone(), text.replace("{}", &leaf.text))
            }
            10 => {
                let cell = self.named(Ty::Cell)?;
                let text = *self.random.one(&["{}.value", "{}.count()", "({}.next?.value ?? 1)"]);
                of(cell.clone(), text.replace("{}", &cell.text))
            }
            11 => {
                let weak = self.named(Ty::Weak)?;
                of(weak.clone(), format!("int({}.get() == nil)", weak.text))
            }
            12 => {
                let owned = self.named(Ty::Owned)?;
                let text = *self.random.one(&["int({}[0])", "len({})", "{}.view[int]()[0]"]);
                of(owned.clone(), text.replace("{}", &owned.text))
            }
            13 => {
                let pin = self.named(Ty::Pin)?;
                of(pin.clone(), format!("{}.get_or(0, 2)", pin.text))
            }
            14 => {
                let data = self.named(Ty::Data)?;
                of(data.clone(), format!("{}.get_or(1, 5)", data.text))
            }
            15 if self.random.percent(30) => {
                let run = self.named(Ty::Run)?;
                let act = self.named(Ty::Act).or_else(|| self.closure(Ty::Act))?;
                let text = format!("{}({})", run.text, act.text);
                // One that has something to remember starts tasks.
                let fits = run.looks == 0 || act.looks == 0 || self.reckless();
                let looks = run.looks | act.looks;
                fits.then_some(Expr { text, looks })
            }
            15 | 16 => {
                let act = self.named(Ty::Act)?;
                of(act.clone(), format!("{}()", act.text))
            }
            17 => {
                let step = self.named(Ty::Step)?;
                of(step.clone(), format!("{}({})", step.text, self.random.below(4)))
            }
            18 => {
                let view = self.named(Ty::View)?;
                of(view.clone(), format!("sum({})", view.text))
            }
            19 => {
                let view = self.find_that(|var| var.ty == Ty::View && !var.mutable)?;
                let name = self.vars[view].name.clone();
                let map = format!("range(0, 2).map(i => {name}[i]).fold(0, (s, x) => s + x)");
                Some(Expr { text: map, looks: self.vars[view].looks })
            }
            20 => {
                let atomics = self.named(Ty::Atomics)?;
                let text = *self.random.one(&["{}.load(0)", "{}.add(1, 1)", "{}[0]"]);
                of(atomics.clone(), text.replace("{}", &atomics.text))
            }
            21 => {
                let view = self.named(Ty::View)?;
                of(view.clone(), format!("promote({}).len()", view.text))
            }
            22 => self.call(Ty::Int),
            23 => {
                let call = self.call(Ty::Fallible)?;
                let here = self.result == Ty::Fallible && self.closures == 0 && !self.task;
                // On that way out nothing is freed.
                let owns = self.vars.iter().any(|var| var.ty == Ty::Owned && self.is_held(var));
                let text = if here && (!owns || self.reckless()) {
                    format!("{}?", call.text)
                } else {
                    format!("{}.or(3)", call.text)
                };
                of(call, text)
            }
            _ => {
                let holder = self.named(Ty::Holder)?;
                of(holder.clone(), format!("{}.data.len()", holder.text))
            }
        }
    }

    pub(super) fn view(&mut self) -> Option<Expr> {
        let choice = self.random.below(20);
        let made = self.some_view(choice);
        if made.is_some() { made } else { self.named(Ty::View) }
    }

    fn some_view(&mut self, choice: usize) -> Option<Expr> {
        let part = *self.random.one(&[".slice(0, 2)", ".slice(1, len(@))"]);
        let or = |value: Expr, other: Expr, text: String| {
            let text = format!("({text} ?? {})", other.text);
            Some(Expr { text, looks: value.looks | other.looks })
        };
        match choice {
            0..=3 => {
                let buffer = self.named(Ty::Buffer)?;
                Some(Expr { text: format!("{}.view[int]()", buffer.text), ..buffer })
            }
            4 => {
                let view = self.named(Ty::View)?;
                Some(Expr {
                    text: format!("{}{}", view.text, part.replace('@', &view.text)),
                    ..view
                })
            }
            5 => {
                let owned = self.named(Ty::Owned)?;
                Some(Expr { text: format!("{}.view[int]()", owned.text), ..owned })
            }
            6 => {
                let look = self.named(Ty::Look)?;
                Some(Expr { text: format!("{}()", look.text), ..look })
            }
            7 => {
                let (maybe, view) = (self.named(Ty::MaybeView)?, self.named(Ty::View)?);
                let text = maybe.text.clone();
                or(maybe, view, text)
            }
            8 | 9 => {
                let (node, view) = (self.node()?, self.named(Ty::View)?);
                let text = format!("{}.view", node.text);
                or(node, view, text)
            }
            10 => {
                let (holder, view) = (self.named(Ty::Holder)?, self.named(Ty::View)?);
                let text = format!("{}.view", holder.text);
                or(holder, view, text)
            }
            11 => {
                let (cell, view) = (self.named(Ty::Cell)?, self.named(Ty::View)?);
                let text = format!("{}.view", cell.text);
                or(cell, view, text)
            }
            12 | 13 => self.call(Ty::View),
            14 => {
                let (call, view) = (self.call(Ty::MaybeView)?, self.named(Ty::View)?);
                let text = call.text.clone();
                or(call, view, text)
            }
            _ => None,
        }
    }

    pub(super) fn node(&mut self) -> Option<Expr> {
        if self.random.percent(12)
            && let Some(node) = self.named(Ty::Node)
        {
            return Some(Expr { text: format!("({0}.next ?? {0})", node.text), ..node });
        }
        if self.random.percent(8)
            && let Some(call) = self.call(Ty::Node)
        {
            return Some(call);
        }
        self.named(Ty::Node)
    }

    /// Where an object is made: ` in outer`, and the level of that scope.
    fn home(&mut self) -> (String, usize) {
        let named: Vec<(usize, String)> = self
            .scopes
            .iter()
            .enumerate()
            .skip(self.beyond)
            .filter_map(|(at, name)| Some((at + 1, name.clone()?)))
            .collect();
        if !named.is_empty() && self.random.percent(40) {
            let (level, name) = self.random.one(&named).clone();
            return (format!(" in {name}"), level);
        }
        (String::new(), self.scopes.len())
    }

    /// What may be stored in an object of that level.
    fn fitting(&mut self, value: Option<Expr>, level: usize) -> Option<Expr> {
        let value = value?;
        let fits = self.lives(value.looks, level, self.loops);
        fits.then_some(value)
    }

    fn optional(&mut self, value: Option<Expr>) -> Expr {
        value.unwrap_or_else(|| plain("nil"))
    }

    pub(super) fn own_node(&mut self) -> Expr {
        let (home, level) = self.home();
        let (next, view, act) = (
            self.random.percent(40).then(|| self.node()).flatten(),
            self.random.percent(40).then(|| self.view()).flatten(),
            self.random.percent(15).then(|| self.named(Ty::Act)).flatten(),
        );
        let (next, view, act) =
            (self.fitting(next, level), self.fitting(view, level), self.fitting(act, level));
        let (next, view, act) = (self.optional(next), self.optional(view), self.optional(act));
        let value = self.int();
        let text = format!(
            "own Node {{ value: {}, next: {}, data: [1, 2], view: {}, act: {} }}{home}",
            value.text, next.text, view.text, act.text
        );
        let looks = self.root(level, false);
        Expr { text, looks: looks | next.looks | view.looks | act.looks }
    }

    pub(super) fn own_leaf(&mut self) -> Expr {
        let (home, level) = self.home();
        let value = self.int();
        let text = format!("own Leaf {{ value: {}, data: [3] }}{home}", value.text);
        Expr { text, looks: self.root(level, false) }
    }

    pub(super) fn shared_cell(&mut self) -> Expr {
        let (home, level) = self.home();
        let next = self.random.percent(30).then(|| self.named(Ty::Cell)).flatten();
        let view = self.random.percent(30).then(|| self.view()).flatten();
        let back = self.random.percent(30).then(|| self.named(Ty::Weak)).flatten();
        let (next, view) = (self.fitting(next, level), self.fitting(view, level));
        let next = next.map(|cell| Expr { text: format!("{}.share()", cell.text), ..cell });
        let (next, view) = (self.optional(next), self.optional(view));
        let back = self.optional(back);
        let value = self.int();
        let text = format!(
            "Shared(own Cell {{ value: {}, next: {}, back: {}, view: {} }}{home})",
            value.text, next.text, back.text, view.text
        );
        let looks = self.root(level, false);
        Expr { text, looks: looks | next.looks | view.looks }
    }

    /// A function value of the type, on one line.
    pub(super) fn closure(&mut self, ty: Ty) -> Option<Expr> {
        let around = std::mem::take(&mut self.mentioned);
        self.closures += 1;
        let text = match ty {
            Ty::Act => Some(format!("() => {}", self.int().text)),
            Ty::Step => self.named(Ty::View).map(|view| format!("i => {}[i % 2] + i", view.text)),
            Ty::Look => self.view().map(|view| format!("() => {}", view.text)),
            other => panic!("{other:?} is no function"),
        };
        self.closures -= 1;
        let looks = self.mentioned;
        self.mentioned |= around;
        Some(Expr { text: text?, looks })
    }

    /// A function value that calls another, or starts a task with it.
    pub(super) fn run_closure(&mut self) -> Expr {
        if self.random.percent(40) && !self.full() {
            let looks = self.root(0, false);
            let text = "g => { let t = spawn g(); t.join() }".to_owned();
            return Expr { text, looks };
        }
        plain("g => g() + 1")
    }

    /// An argument of the type.
    fn arg(&mut self, ty: Ty) -> Option<Expr> {
        let some = |text: &str, value: Expr| Expr { text: text.to_owned(), ..value };
        match ty {
            Ty::Int => Some(self.int()),
            Ty::View => self.view(),
            Ty::Node => self.node(),
            Ty::Run if self.random.percent(70) => Some(self.run_closure()),
            Ty::Act | Ty::Look if self.random.percent(50) => self.closure(ty),
            Ty::MaybeView => {
                let maybe = self.named(Ty::MaybeView);
                if maybe.is_some() { maybe } else { self.view() }
            }
            Ty::MaybeNode => {
                let maybe = self.named(Ty::MaybeNode);
                if maybe.is_some() { maybe } else { self.node() }
            }
            Ty::Data => Some(self.named(Ty::Data).unwrap_or_else(|| some("[1, 2]", plain("")))),
            Ty::Holder => Some(
                self.named(Ty::Holder)
                    .unwrap_or_else(|| plain("Holder { view: nil, node: nil, data: [] }")),
            ),
            Ty::Acts => Some(self.named(Ty::Acts).unwrap_or_else(|| plain("[() => 1]"))),
            Ty::Box => {
                Some(self.named(Ty::Box).unwrap_or_else(|| plain("Box { acts: [], data: [] }")))
            }
            other => self.named(other),
        }
    }

    /// A call of a function that gives the type.
    pub(super) fn call(&mut self, result: Ty) -> Option<Expr> {
        let deeper = self.this < self.helpers.len();
        let can: Vec<usize> = (0..self.helpers.len())
            .filter(|at| self.helpers[*at].result == result && (*at < self.this || deeper))
            .collect();
        if can.is_empty() || self.task {
            return None;
        }
        let chosen = *self.random.one(&can);
        // Calls in circles end, since the count goes down where they are guarded; see `stmt`.
        if chosen >= self.this {
            return None;
        }
        self.call_of(chosen)
    }

    pub(super) fn call_of(&mut self, chosen: usize) -> Option<Expr> {
        let helper = self.helpers[chosen].clone();
        let mut args = vec!["n - 1".to_owned(), "shr(bits, 1)".to_owned()];
        let mut looks: Vec<Roots> = vec![];
        for ty in &helper.params {
            let arg = self.arg(*ty)?;
            args.push(arg.text);
            looks.push(arg.looks);
        }
        let meant = |params: Roots| -> Roots {
            let of = looks.iter().enumerate().filter(|(at, _)| params & (1 << at) != 0);
            of.fold(0, |all, (_, looks)| all | looks)
        };
        let freed = meant(helper.frees);
        if freed != 0 && !self.may_end(freed) && !self.reckless() {
            return None;
        }
        for (at, holds) in helper.holds.iter().enumerate() {
            let put = meant(*holds);
            if put & !looks[at] != 0 {
                let level = self.shallowest(looks[at]);
                if self.deepest(put) > level && !self.reckless() {
                    return None;
                }
                self.put(looks[at], put);
            }
        }
        let mut result = meant(helper.returns);
        self.end(freed);
        if helper.result == Ty::Owned {
            result |= self.root(self.scopes.len(), true);
        }
        // A parameter that owns what comes back is not held twice.
        if helper.result == Ty::Owned {
            for var in &mut self.vars {
                var.gone |= var.ty == Ty::Owned && var.looks & meant(helper.returns) != 0;
            }
        }
        Some(Expr { text: format!("{}({})", helper.name, args.join(", ")), looks: result })
    }

    /// Whether the memory may well be freed here: not in a loop, function value or task around which it stays.
    pub(super) fn may_end(&self, roots: Roots) -> bool {
        let fine = self
            .roots_of(roots)
            .all(|root| root.loops >= self.loops && (!root.owned || root.block >= self.block));
        fine && self.closures == 0 && !self.task && roots & self.ended == 0
    }

    /// What the function gives.
    pub(super) fn result_value(&mut self) -> Expr {
        let fits = |writer: &mut Self, value: Option<Expr>| {
            let value = value?;
            let fine = writer.deepest(value.looks) == 0 || writer.reckless();
            fine.then_some(value)
        };
        let mut param = self.param_of_result();
        for _ in 0..4 {
            let value = match self.result {
                Ty::Int => return Expr { text: "acc".to_owned(), looks: 0 },
                Ty::Fallible if self.random.percent(25) => return plain("fail(\"no\")"),
                Ty::Fallible => return plain("acc"),
                Ty::View => self.view(),
                Ty::Node => self.node(),
                Ty::MaybeNode => self.named(Ty::MaybeNode).or_else(|| self.node()),
                Ty::MaybeView => self.named(Ty::MaybeView).or_else(|| self.view()),
                Ty::Act | Ty::Look if self.random.percent(50) => self.closure(self.result),
                other => self.named(other),
            };
            if let Some(value) = fits(self, value) {
                if self.result == Ty::Owned {
                    self.lose(&value.text);
                }
                return value;
            }
        }
        match self.result {
            Ty::Owned => plain("Owned.buffer(64)"),
            Ty::Act => plain("() => 7"),
            Ty::MaybeNode | Ty::MaybeView => plain("nil"),
            _ => param.take().expect("such a function has a parameter to give back"),
        }
    }

    /// What can be given back in any case.
    fn param_of_result(&mut self) -> Option<Expr> {
        let count = self.helpers.get(self.this)?.params.len();
        let wanted = self.result;
        self.vars[..count].iter().find_map(|var| {
            let text = match (wanted, var.ty) {
                (Ty::View, Ty::View) | (Ty::Node, Ty::Node) | (Ty::Cell, Ty::Cell) => {
                    var.name.clone()
                }
                (Ty::View, Ty::Buffer) => format!("{}.view[int]()", var.name),
                (Ty::View, Ty::Look) => format!("{}()", var.name),
                (Ty::Look, Ty::View) => format!("() => {}", var.name),
                (Ty::Look, Ty::Buffer) => format!("() => {}.view[int]()", var.name),
                (Ty::Look, Ty::Look) => var.name.clone(),
                _ => return None,
            };
            Some(Expr { text, looks: var.looks })
        })
    }
}
