//! Random programs that push references around: allocations, loops, calls, closures, cells, arrays, tuples,
//! variants, optionals, records kept by value. Each computes a number from what it reads, so that a reference that was lost, or
//! was replaced by another, changes the answer.
//!
//! Programs are right by construction: every local is assigned at the top, references are tested before
//! they are followed, loops are counted, recursion does not occur.

use medi_check::mir::*;
use medi_check::types::{Ty, TyId, Types};

use crate::build::*;

/// A small generator of random numbers; the same seed gives the same program.
pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Random {
        let mut random = Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
        for _ in 0..4 {
            random.below(2);
        }
        random
    }

    pub fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) % limit
    }
}

#[derive(Clone, Copy)]
struct World {
    node: TyId,
    maybe: TyId,
    array: TyId,
    tuple: TyId,
    choice: TyId,
    cell: TyId,
    view: TyId,
    func: TyId,
    /// A record kept by value.
    slip: TyId,
    maybe_slip: TyId,
    slip_array: TyId,
    maybe_byte: TyId,
    collect: NativeId,
    len: NativeId,
    text: StringId,
    other_text: StringId,
}

const NODE_VALUE: u32 = 0;
const NODE_LEFT: u32 = 1;
const NODE_RIGHT: u32 = 2;
const NODE_TEXT: u32 = 3;
const NODE_SLIP: u32 = 4;

const SLIP_TAG: u32 = 0;
const SLIP_NODE: u32 = 1;
const SLIP_NUMBER: u32 = 2;
const SLIP_OTHER: u32 = 3;
const SLIP_MARK: u32 = 4;

/// A random program; `main` takes a number and gives one.
pub fn program(seed: u64) -> Program {
    let mut random = Random::new(seed);
    let mut build = Build::default();
    let node = build.declare_record();
    let maybe = build.ty(Ty::Optional(node));
    let maybe_byte = build.ty(Ty::Optional(Types::BYTE));
    let fields = [
        ("tag", Types::BOOL),
        ("node", maybe),
        ("number", Types::INT),
        ("other", maybe),
        ("mark", maybe_byte),
    ];
    let slip = build.record("Slip", &fields);
    build.program.values.insert(slip);
    let maybe_slip = build.ty(Ty::Optional(slip));
    let slip_array = build.ty(Ty::Array(slip));
    let fields = [
        ("value", Types::INT),
        ("left", maybe),
        ("right", maybe),
        ("text", Types::STR),
        ("slip", maybe_slip),
    ];
    build.define_record(node, "Node", &fields);
    let array = build.ty(Ty::Array(maybe));
    let tuple = build.ty(Ty::Tuple(vec![maybe, Types::INT, maybe]));
    let pair: &[(&str, TyId)] = &[("node", maybe), ("number", Types::INT), ("slip", slip)];
    let choice = build.enumeration("Choice", &[("None", &[]), ("Pair", pair)]);
    let cell = build.ty(Ty::Cell(maybe));
    let view = build.ty(Ty::View(Types::INT));
    let func = build.ty(Ty::Func { params: vec![Types::INT, maybe], result: tuple });
    let collect = build.native("test_collect", &[NativeParam::Plain(Types::INT)], Types::INT);
    let len = build.native("test_len", &[NativeParam::Plain(Types::STR)], Types::INT);
    build.program.strings = vec!["four".into(), "seven".into()];
    let (text, other_text) = (StringId(0), StringId(1));
    let world = World {
        node,
        maybe,
        array,
        tuple,
        choice,
        cell,
        view,
        func,
        slip,
        maybe_slip,
        slip_array,
        maybe_byte,
        collect,
        len,
        text,
        other_text,
    };
    let mut callees = vec![];
    let mut closures = vec![];
    for statements in [6, 10, 8, 14] {
        let closure = random.below(2) == 0;
        let generator = Generator::new(&mut random, world, &callees, &closures, closure);
        let id = build.add(generator.function(&format!("f{}", callees.len()), statements));
        if closure { closures.push(id) } else { callees.push(id) }
    }
    let generator = Generator::new(&mut random, world, &callees, &closures, false);
    let worker = build.add(generator.function("worker", 24));
    let mut main = Func::new("main", &[Types::INT], Types::INT);
    let nil = Operand::Const(Const::Nil(maybe));
    let args = vec![main.param(0), nil];
    let result = main.let_(tuple, Rvalue::Call { function: worker, args });
    let number = main.let_(Types::INT, Rvalue::GetTuple { tuple: result, index: 1 });
    main.ret(number);
    build.main(main)
}

struct Generator<'a> {
    random: &'a mut Random,
    world: World,
    callees: &'a [FunctionId],
    closures: &'a [FunctionId],
    closure: bool,
    func: Func,
    sum: Local,
    refs: Vec<Local>,
    arrays: Vec<Local>,
    tuples: Vec<Local>,
    choices: Vec<Local>,
    cells: Vec<Local>,
    funcs: Vec<Local>,
    slips: Vec<Local>,
    slip_arrays: Vec<Local>,
    /// Those that the current statement stands in.
    scopes: Vec<ScopeId>,
}

impl<'a> Generator<'a> {
    fn new(
        random: &'a mut Random,
        world: World,
        callees: &'a [FunctionId],
        closures: &'a [FunctionId],
        closure: bool,
    ) -> Generator<'a> {
        Generator {
            random,
            world,
            callees,
            closures,
            closure,
            func: Func::new("", &[], Types::UNIT),
            sum: Local(0),
            refs: vec![],
            arrays: vec![],
            tuples: vec![],
            choices: vec![],
            cells: vec![],
            funcs: vec![],
            slips: vec![],
            slip_arrays: vec![],
            scopes: vec![],
        }
    }

    fn function(mut self, name: &str, statements: u64) -> Func {
        let World { maybe, array, tuple, choice, cell, slip, slip_array, .. } = self.world;
        self.func = Func::new(name, &[Types::INT, maybe], tuple);
        if self.closure {
            self.func = self.func.capturing(&[maybe, cell, slip]);
        }
        let locals = |this: &mut Self, ty, most: u64| -> Vec<Local> {
            let count = 1 + this.random.below(most);
            (0..count).map(|_| this.func.local(ty)).collect()
        };
        self.sum = self.func.local(Types::INT);
        self.func.assign(self.sum, Rvalue::Use(copy(Local(0))));
        self.refs = locals(&mut self, maybe, 6);
        self.arrays = locals(&mut self, array, 2);
        self.tuples = locals(&mut self, tuple, 2);
        self.choices = locals(&mut self, choice, 2);
        self.cells = locals(&mut self, cell, 2);
        self.slips = locals(&mut self, slip, 2);
        self.slip_arrays = locals(&mut self, slip_array, 2);
        let nil = Operand::Const(Const::Nil(maybe));
        for (number, local) in self.refs.clone().into_iter().enumerate() {
            let value = if number == 0 { copy(Local(1)) } else { nil.clone() };
            self.func.assign(local, Rvalue::Use(value));
        }
        for local in self.arrays.clone() {
            let len = int(1 + self.random.below(5) as i64);
            self.func.assign(local, Rvalue::NewArray { ty: array, len });
        }
        for local in self.tuples.clone() {
            let parts = vec![copy(self.refs[0]), copy(self.sum), nil.clone()];
            self.func.assign(local, Rvalue::MakeTuple(parts));
        }
        for local in self.slips.clone() {
            self.new_slip(local);
        }
        for local in self.slip_arrays.clone() {
            let len = int(1 + self.random.below(5) as i64);
            self.func.assign(local, Rvalue::NewArray { ty: slip_array, len });
        }
        for local in self.choices.clone() {
            self.func.assign(local, Rvalue::NewVariant { ty: choice, variant: 0, fields: vec![] });
        }
        for local in self.cells.clone() {
            self.func.assign(local, Rvalue::NewCell { ty: cell, value: copy(self.refs[0]) });
        }
        if self.closure {
            self.func.assign(self.refs[0], Rvalue::Capture(0));
            self.func.assign(self.cells[0], Rvalue::Capture(1));
            self.func.assign(self.slips[0], Rvalue::Capture(2));
        }
        if !self.closures.is_empty() {
            let local = self.func.local(self.world.func);
            self.new_closure(local);
            self.funcs.push(local);
        }
        self.block(statements, 3);
        for local in self.refs.clone() {
            self.add_value(local);
        }
        let parts = vec![self.any_ref(), copy(self.sum), self.any_ref()];
        let result = self.func.let_(tuple, Rvalue::MakeTuple(parts));
        self.func.ret(result);
        self.func
    }

    fn pick(&mut self, list: &[Local]) -> Local {
        list[self.random.below(list.len() as u64) as usize]
    }

    fn a_ref(&mut self) -> Local {
        let refs = std::mem::take(&mut self.refs);
        let local = self.pick(&refs);
        self.refs = refs;
        local
    }

    fn any_ref(&mut self) -> Operand {
        copy(self.a_ref())
    }

    fn an_array(&mut self) -> Local {
        self.arrays[self.random.below(self.arrays.len() as u64) as usize]
    }

    fn mix(&mut self, number: Operand) {
        let sum = self.sum;
        let five = int(5);
        self.func.assign(sum, Rvalue::Binary(BinaryOp::AddUnchecked, copy(sum), number));
        let high = self.func.binary(Types::INT, BinaryOp::Shl, copy(sum), five);
        self.func.assign(sum, Rvalue::Binary(BinaryOp::BitXor, copy(sum), high));
    }

    /// Runs `body` with the node that a local refers to, where it refers to one.
    fn guarded(&mut self, local: Local, body: impl FnOnce(&mut Self, Operand)) {
        let present = self.func.let_(Types::BOOL, Rvalue::IsSome(copy(local)));
        let (then, after) = (self.func.block(), self.func.block());
        self.func.branch(present, then, after);
        self.func.at(then);
        let node = self.func.let_(self.world.node, Rvalue::UnwrapSome(copy(local)));
        body(self, node);
        self.func.goto(after);
        self.func.at(after);
    }

    fn add_value(&mut self, local: Local) {
        self.guarded(local, |this, object| {
            let value = Rvalue::GetField { object, field: NODE_VALUE };
            let value = this.func.let_(Types::INT, value);
            this.mix(value);
        });
    }

    fn new_node(&mut self, into: Local) {
        let World { node, maybe, text, other_text, .. } = self.world;
        let text = if self.random.below(2) == 0 { text } else { other_text };
        let (left, right) = (self.any_ref(), self.any_ref());
        let text = Operand::Const(Const::Str(text));
        let fields = vec![copy(self.sum), left, right, text, self.maybe_a_slip()];
        let value = self.func.let_(node, Rvalue::NewRecord { ty: node, fields });
        self.func.assign(into, Rvalue::MakeSome { ty: maybe, value });
    }

    fn new_closure(&mut self, into: Local) {
        let function = self.closures[self.random.below(self.closures.len() as u64) as usize];
        let cell = copy(self.cells[self.random.below(self.cells.len() as u64) as usize]);
        let captures = vec![self.any_ref(), cell, self.any_slip()];
        self.func.assign(into, Rvalue::NewClosure { function, ty: self.world.func, captures });
    }

    fn block(&mut self, statements: u64, depth: u32) {
        for _ in 0..statements {
            self.statement(depth);
        }
    }

    fn statement(&mut self, depth: u32) {
        match self.random.below(if depth == 0 { 26 } else { 36 }) {
            0..4 => {
                let into = self.a_ref();
                self.new_node(into);
            }
            4 => {
                let (into, from) = (self.a_ref(), self.any_ref());
                self.func.assign(into, Rvalue::Use(from));
            }
            5 | 6 => self.read_field(),
            7 | 8 => self.write_field(),
            9 => {
                let local = self.a_ref();
                self.add_value(local);
            }
            10 => self.text_length(),
            11..14 => self.array_access(),
            14 | 15 => self.tuple_access(),
            16 | 17 => self.choice_access(),
            18 => self.cell_access(),
            19 => {
                self.func.stmt(StmtKind::Safepoint);
            }
            20 => {
                let args = vec![copy(self.sum)];
                let native = self.world.collect;
                let number = Rvalue::CallNative { native, args };
                let number = self.func.let_(Types::INT, number);
                self.mix(number);
            }
            21 => {
                let local = self.an_array();
                let len = int(1 + self.random.below(600) as i64);
                self.func.assign(local, Rvalue::NewArray { ty: self.world.array, len });
            }
            22..24 => self.slip_access(),
            24 => self.slip_array_access(),
            25 => self.slip_field_access(),
            26..29 => self.branch(depth),
            29 | 30 => self.repeat(depth),
            31 | 32 => self.scope(depth),
            _ => self.call(),
        }
    }

    fn read_field(&mut self) {
        let (from, into) = (self.a_ref(), self.a_ref());
        let field = if self.random.below(2) == 0 { NODE_LEFT } else { NODE_RIGHT };
        self.guarded(from, |this, object| {
            this.func.assign(into, Rvalue::GetField { object, field });
        });
    }

    fn write_field(&mut self) {
        let (from, value) = (self.a_ref(), self.any_ref());
        let field = if self.random.below(2) == 0 { NODE_LEFT } else { NODE_RIGHT };
        let number = self.random.below(4) == 0;
        self.guarded(from, |this, object| {
            if number {
                let value = copy(this.sum);
                this.func.stmt(StmtKind::SetField { object, field: NODE_VALUE, value });
            } else {
                this.func.stmt(StmtKind::Barrier { object: object.clone() });
                this.func.stmt(StmtKind::SetField { object, field, value });
            }
        });
    }

    fn text_length(&mut self) {
        let local = self.a_ref();
        self.guarded(local, |this, object| {
            let text = Rvalue::GetField { object, field: NODE_TEXT };
            let text = this.func.let_(Types::STR, text);
            let len = Rvalue::CallNative { native: this.world.len, args: vec![text] };
            let len = this.func.let_(Types::INT, len);
            this.mix(len);
        });
    }

    /// An index that is in bounds of an array: the low bits of the sum, or the last.
    fn index(&mut self, array: Local) -> Operand {
        let len = self.func.let_(Types::INT, Rvalue::ArrayLen(copy(array)));
        let last = self.func.binary(Types::INT, BinaryOp::AddInt, len.clone(), int(-1));
        let low = self.func.binary(Types::INT, BinaryOp::BitAnd, copy(self.sum), int(3));
        let index = self.func.binary(Types::INT, BinaryOp::MinInt, low, last);
        self.func.stmt(StmtKind::Bounds { index: index.clone(), len });
        index
    }

    fn any_slip(&mut self) -> Operand {
        copy(self.slips[self.random.below(self.slips.len() as u64) as usize])
    }

    fn maybe_a_slip(&mut self) -> Operand {
        let ty = self.world.maybe_slip;
        if self.random.below(2) == 0 {
            return Operand::Const(Const::Nil(ty));
        }
        let value = self.any_slip();
        self.func.let_(ty, Rvalue::MakeSome { ty, value })
    }

    fn new_slip(&mut self, into: Local) {
        let tag = boolean(self.random.below(2) == 0);
        let maybe_byte = match self.random.below(3) {
            0 => Operand::Const(Const::Nil(self.world.maybe_byte)),
            mark => {
                let ty = self.world.maybe_byte;
                let value = byte(mark as u8 - 1);
                self.func.let_(ty, Rvalue::MakeSome { ty, value })
            }
        };
        let fields = vec![tag, self.any_ref(), copy(self.sum), self.any_ref(), maybe_byte];
        self.func.assign(into, Rvalue::NewRecord { ty: self.world.slip, fields });
    }

    fn slip_access(&mut self) {
        let slip = self.slips[self.random.below(self.slips.len() as u64) as usize];
        match self.random.below(4) {
            0 => self.new_slip(slip),
            1 => {
                let number = Rvalue::GetField { object: copy(slip), field: SLIP_NUMBER };
                let number = self.func.let_(Types::INT, number);
                self.mix(number);
            }
            2 => {
                let mark = Rvalue::GetField { object: copy(slip), field: SLIP_MARK };
                let mark = self.func.let_(self.world.maybe_byte, mark);
                let marked = self.func.let_(Types::BOOL, Rvalue::IsSome(mark));
                let tag = Rvalue::GetField { object: copy(slip), field: SLIP_TAG };
                let tag = self.func.let_(Types::BOOL, tag);
                for bit in [marked, tag] {
                    let bit = self.func.unary(Types::INT, UnaryOp::BoolToInt, bit);
                    self.mix(bit);
                }
            }
            _ => {
                let into = self.a_ref();
                let field = if self.random.below(2) == 0 { SLIP_NODE } else { SLIP_OTHER };
                self.func.assign(into, Rvalue::GetField { object: copy(slip), field });
            }
        }
    }

    fn slip_array_access(&mut self) {
        let array = self.slip_arrays[self.random.below(self.slip_arrays.len() as u64) as usize];
        let slip = self.slips[self.random.below(self.slips.len() as u64) as usize];
        let index = self.index(array);
        if self.random.below(2) == 0 {
            self.func.assign(slip, Rvalue::GetElem { array: copy(array), index });
        } else {
            self.func.stmt(StmtKind::Barrier { object: copy(array) });
            let value = copy(slip);
            self.func.stmt(StmtKind::SetElem { array: copy(array), index, value });
        }
    }

    /// Reads or writes the slip of a node.
    fn slip_field_access(&mut self) {
        let node = self.a_ref();
        let slip = self.slips[self.random.below(self.slips.len() as u64) as usize];
        let World { maybe_slip, .. } = self.world;
        if self.random.below(2) == 0 {
            let value = self.maybe_a_slip();
            self.guarded(node, |this, object| {
                this.func.stmt(StmtKind::Barrier { object: object.clone() });
                this.func.stmt(StmtKind::SetField { object, field: NODE_SLIP, value });
            });
            return;
        }
        self.guarded(node, |this, object| {
            let found = this.func.let_(maybe_slip, Rvalue::GetField { object, field: NODE_SLIP });
            let present = this.func.let_(Types::BOOL, Rvalue::IsSome(found.clone()));
            let (then, after) = (this.func.block(), this.func.block());
            this.func.branch(present, then, after);
            this.func.at(then);
            this.func.assign(slip, Rvalue::UnwrapSome(found));
            this.func.goto(after);
            this.func.at(after);
        });
    }

    fn array_access(&mut self) {
        let (array, local) = (self.an_array(), self.a_ref());
        let index = self.index(array);
        if self.random.below(2) == 0 {
            self.func.assign(local, Rvalue::GetElem { array: copy(array), index });
        } else {
            self.func.stmt(StmtKind::Barrier { object: copy(array) });
            let value = copy(local);
            self.func.stmt(StmtKind::SetElem { array: copy(array), index, value });
        }
    }

    fn tuple_access(&mut self) {
        let tuple = self.tuples[self.random.below(self.tuples.len() as u64) as usize];
        match self.random.below(3) {
            0 => {
                let parts = vec![self.any_ref(), copy(self.sum), self.any_ref()];
                self.func.assign(tuple, Rvalue::MakeTuple(parts));
            }
            1 => {
                let number = Rvalue::GetTuple { tuple: copy(tuple), index: 1 };
                let number = self.func.let_(Types::INT, number);
                self.mix(number);
            }
            _ => {
                let into = self.a_ref();
                let index = 2 * self.random.below(2) as u32;
                self.func.assign(into, Rvalue::GetTuple { tuple: copy(tuple), index });
            }
        }
    }

    fn choice_access(&mut self) {
        let choice = self.choices[self.random.below(self.choices.len() as u64) as usize];
        if self.random.below(2) == 0 {
            let fields = vec![self.any_ref(), copy(self.sum), self.any_slip()];
            let ty = self.world.choice;
            self.func.assign(choice, Rvalue::NewVariant { ty, variant: 1, fields });
            return;
        }
        let into = self.a_ref();
        let slip = self.slips[0];
        let tag = self.func.let_(Types::INT, Rvalue::VariantTag(copy(choice)));
        self.mix(tag.clone());
        let (then, after) = (self.func.block(), self.func.block());
        let cases = vec![(1, then)];
        self.func.end(TerminatorKind::Switch { value: tag, cases, default: after });
        self.func.at(then);
        let value = copy(choice);
        let node = Rvalue::GetVariantField { value: value.clone(), variant: 1, field: 0 };
        self.func.assign(into, node);
        let found = Rvalue::GetVariantField { value: value.clone(), variant: 1, field: 2 };
        self.func.assign(slip, found);
        let number = Rvalue::GetVariantField { value, variant: 1, field: 1 };
        let number = self.func.let_(Types::INT, number);
        self.mix(number);
        self.func.goto(after);
        self.func.at(after);
    }

    fn cell_access(&mut self) {
        let cell = copy(self.cells[self.random.below(self.cells.len() as u64) as usize]);
        let local = self.a_ref();
        if self.random.below(2) == 0 {
            self.func.assign(local, Rvalue::GetCell(cell));
        } else {
            self.func.stmt(StmtKind::Barrier { object: cell.clone() });
            self.func.stmt(StmtKind::SetCell { cell, value: copy(local) });
        }
    }

    fn branch(&mut self, depth: u32) {
        let bit = int(1 << self.random.below(5));
        let low = self.func.binary(Types::INT, BinaryOp::BitAnd, copy(self.sum), bit);
        let set = BinaryOp::Compare(Comparison::Ne);
        let set = self.func.binary(Types::BOOL, set, low, int(0));
        let (then, otherwise, after) = (self.func.block(), self.func.block(), self.func.block());
        self.func.branch(set, then, otherwise);
        for block in [then, otherwise] {
            self.func.at(block);
            let statements = self.random.below(4);
            self.block(statements, depth - 1);
            self.func.goto(after);
        }
        self.func.at(after);
    }

    fn repeat(&mut self, depth: u32) {
        let counter = self.func.local(Types::INT);
        let rounds = 1 + self.random.below(4) as i64;
        self.func.assign(counter, Rvalue::Use(int(rounds)));
        let (head, after) = (self.func.block(), self.func.block());
        self.func.goto(head);
        self.func.at(head);
        let statements = 1 + self.random.below(4);
        self.block(statements, depth - 1);
        self.func.assign(counter, Rvalue::Binary(BinaryOp::AddInt, copy(counter), int(-1)));
        let more = BinaryOp::Compare(Comparison::Gt);
        let more = self.func.binary(Types::BOOL, more, copy(counter), int(0));
        self.func.stmt(StmtKind::Safepoint);
        self.func.branch(more, head, after);
        self.func.at(after);
    }

    /// A scope with a buffer that one of the statements inside reads back.
    fn scope(&mut self, depth: u32) {
        let scope = self.func.scope(self.scopes.last().copied());
        self.scopes.push(scope);
        self.func.stmt(StmtKind::ScopeEnter(scope));
        let buffer = Rvalue::Allocate { scope, bytes: int(64) };
        let buffer = self.func.let_(Types::BUFFER, buffer);
        let view = self.world.view;
        let view_of =
            Rvalue::MakeView { ty: view, buffer: buffer.clone(), offset: int(0), len: int(-1) };
        let base = self.func.let_(view, view_of);
        let value = copy(self.sum);
        self.func.stmt(StmtKind::SetScopeElem { base: base.clone(), index: int(3), value });
        let statements = 1 + self.random.below(3);
        self.block(statements, depth - 1);
        let number = Rvalue::GetScopeElem { base, index: int(3) };
        let number = self.func.let_(Types::INT, number);
        self.mix(number);
        if self.random.below(2) == 0 {
            self.func.stmt(StmtKind::Free(buffer));
        }
        self.func.stmt(StmtKind::ScopeExit(scope));
        self.scopes.pop();
    }

    fn call(&mut self) {
        let args = vec![copy(self.sum), self.any_ref()];
        let tuple = self.world.tuple;
        let by_closure = !self.funcs.is_empty() && self.random.below(2) == 0;
        let call = if by_closure {
            let local = self.funcs[0];
            if self.random.below(2) == 0 {
                self.new_closure(local);
            }
            Rvalue::CallClosure { callee: copy(local), args }
        } else if self.callees.is_empty() {
            return;
        } else {
            let index = self.random.below(self.callees.len() as u64) as usize;
            Rvalue::Call { function: self.callees[index], args }
        };
        let result = self.func.let_(tuple, call);
        let number = Rvalue::GetTuple { tuple: result.clone(), index: 1 };
        let number = self.func.let_(Types::INT, number);
        self.mix(number);
        let into = self.a_ref();
        let index = 2 * self.random.below(2) as u32;
        self.func.assign(into, Rvalue::GetTuple { tuple: result, index });
    }
}
