//! What the barrier's slow path is told: the slot and the value of each reference that the stores behind it
//! write, taken apart as they are. And that it polls where a loop has no other poll.

use crate::build::*;
use crate::machine::{Setup, Told, run_with};
use medi_check::mir::*;
use medi_check::types::{Ty, TyId, Types};

const INT: TyId = Types::INT;
const BOOL: TyId = Types::BOOL;
const BYTE: TyId = Types::BYTE;
const STR: TyId = Types::STR;

/// Where an array's elements start.
const DATA: usize = medi_heap::layout::ARRAY_DATA;

/// A `main` whose stores all take the slow path.
struct Stores {
    build: Build,
    main: Func,
}

impl Stores {
    fn new() -> Stores {
        Stores { build: Build::default(), main: Func::new("main", &[INT], INT) }
    }

    /// A literal of its own, and what is told of it.
    fn text(&mut self) -> (Operand, Option<usize>) {
        let number = self.build.program.strings.len();
        (self.build.string(&number.to_string()), Some(number))
    }

    /// A record kept by value: `Slip { tag: byte, a: string, n: int, b: string }`. Its references lie at 0 and 8.
    fn slip(&mut self) -> TyId {
        let slip = self.build.record("Slip", &[("tag", BYTE), ("a", STR), ("n", INT), ("b", STR)]);
        self.build.program.values.insert(slip);
        slip
    }

    fn new_slip(&mut self, slip: TyId) -> (Operand, [Option<usize>; 2]) {
        let ((a, a_number), (b, b_number)) = (self.text(), self.text());
        let fields = vec![byte(3), a, int(7), b];
        let value = self.main.let_(slip, Rvalue::NewRecord { ty: slip, fields });
        (value, [a_number, b_number])
    }

    fn barrier(&mut self, object: &Operand) {
        self.main.stmt(StmtKind::Barrier { object: object.clone() });
    }

    fn set_field(&mut self, object: &Operand, field: u32, value: Operand) {
        self.main.stmt(StmtKind::SetField { object: object.clone(), field, value });
    }

    /// Runs `main(2)`, and compares what was told, in order.
    fn tell(mut self, wanted: &[(usize, Option<usize>)]) {
        self.main.ret(int(0));
        let mut setup = Setup { note_barriers: true, args: vec![2], ..Setup::default() };
        setup.heap.log_writes = true;
        let told = run_with(&self.build.main(self.main), &setup).barriers;
        let wanted =
            wanted.iter().map(|(offset, literal)| Told { offset: *offset, literal: *literal });
        assert_eq!(told, wanted.collect::<Vec<_>>());
    }
}

#[test]
fn the_barrier_is_told_of_a_field() {
    let mut s = Stores::new();
    let node = s.build.record("Node", &[("age", INT), ("name", STR)]);
    let ((first, _), (second, number)) = (s.text(), s.text());
    let object = s.main.let_(node, Rvalue::NewRecord { ty: node, fields: vec![int(1), first] });
    s.barrier(&object);
    s.set_field(&object, 1, second);
    s.set_field(&object, 0, int(9));
    s.tell(&[(8, number)]);
}

#[test]
fn the_barrier_is_told_of_an_optional_reference_and_of_nil() {
    let mut s = Stores::new();
    let maybe = s.build.ty(Ty::Optional(STR));
    let node = s.build.record("Node", &[("name", STR), ("note", maybe), ("other", maybe)]);
    let ((first, _), (second, number)) = (s.text(), s.text());
    let some = s.main.let_(maybe, Rvalue::MakeSome { ty: maybe, value: second });
    let nil = Operand::Const(Const::Nil(maybe));
    let fields = vec![first, some.clone(), nil.clone()];
    let object = s.main.let_(node, Rvalue::NewRecord { ty: node, fields });
    s.barrier(&object);
    s.set_field(&object, 1, nil);
    s.set_field(&object, 2, some);
    s.tell(&[(16, None), (24, number)]);
}

#[test]
fn the_barrier_is_told_of_each_reference_of_a_tuple() {
    let mut s = Stores::new();
    let pair = s.build.ty(Ty::Tuple(vec![STR, INT, STR]));
    let node = s.build.record("Node", &[("age", INT), ("pair", pair)]);
    let tuple = |s: &mut Stores| {
        let ((a, a_number), (b, b_number)) = (s.text(), s.text());
        let value = s.main.let_(pair, Rvalue::MakeTuple(vec![a, int(5), b]));
        (value, a_number, b_number)
    };
    let ((first, ..), (second, a, b)) = (tuple(&mut s), tuple(&mut s));
    let object = s.main.let_(node, Rvalue::NewRecord { ty: node, fields: vec![int(1), first] });
    s.barrier(&object);
    s.set_field(&object, 1, second);
    s.tell(&[(8, a), (24, b)]);
}

#[test]
fn the_barrier_is_told_of_each_reference_of_a_record_kept_by_value() {
    let mut s = Stores::new();
    let slip = s.slip();
    let maybe = s.build.ty(Ty::Optional(slip));
    let node = s.build.record("Node", &[("age", INT), ("slip", slip), ("maybe", maybe)]);
    let (first, _) = s.new_slip(slip);
    let fields = vec![int(1), first, Operand::Const(Const::Nil(maybe))];
    let object = s.main.let_(node, Rvalue::NewRecord { ty: node, fields });
    let (second, [a, b]) = s.new_slip(slip);
    let (third, [c, d]) = s.new_slip(slip);
    let third = s.main.let_(maybe, Rvalue::MakeSome { ty: maybe, value: third });
    s.barrier(&object);
    s.set_field(&object, 1, second);
    s.set_field(&object, 2, third);
    s.tell(&[(8, a), (16, b), (24, c), (32, d)]);
}

#[test]
fn the_barrier_is_told_of_each_reference_of_an_element() {
    let mut s = Stores::new();
    let slip = s.slip();
    let slips = s.build.ty(Ty::Array(slip));
    let array = s.main.let_(slips, Rvalue::NewArray { ty: slips, len: int(4) });
    let mut wanted = vec![];
    let parameter = s.main.param(0);
    for (index, at) in [(int(1), 1), (parameter, 2)] {
        let (value, [a, b]) = s.new_slip(slip);
        s.barrier(&array);
        s.main.stmt(StmtKind::SetElem { array: array.clone(), index, value });
        wanted.extend([(DATA + 32 * at, a), (DATA + 32 * at + 8, b)]);
    }
    s.tell(&wanted);
}

#[test]
fn the_barrier_is_told_of_a_captured_variable() {
    let mut s = Stores::new();
    let cell = s.build.ty(Ty::Cell(STR));
    let ((first, _), (second, number)) = (s.text(), s.text());
    let object = s.main.let_(cell, Rvalue::NewCell { ty: cell, value: first });
    s.barrier(&object);
    s.main.stmt(StmtKind::SetCell { cell: object, value: second });
    s.tell(&[(8, number)]);
}

/// Stores a new object into an old one in each of `turns` turns; half of the barriers are in a branch of their own when
/// `branch` says so, and then the loop has a poll.
fn storing_loop(turns: i64, branch: bool) -> Program {
    let mut build = Build::default();
    let cell = build.ty(Ty::Cell(INT));
    let node = build.record("Node", &[("number", INT), ("cell", cell)]);
    let mut main = Func::new("main", &[], INT);
    let first = main.let_(cell, Rvalue::NewCell { ty: cell, value: int(-1) });
    let object = main.let_(node, Rvalue::NewRecord { ty: node, fields: vec![int(0), first] });
    let turn = main.local(INT);
    main.assign(turn, Rvalue::Use(int(0)));
    let (body, store, again, after) = (main.block(), main.block(), main.block(), main.block());
    main.goto(body);
    main.at(body);
    let new = main.let_(cell, Rvalue::NewCell { ty: cell, value: copy(turn) });
    let odd = main.let_(INT, Rvalue::Binary(BinaryOp::RemInt, copy(turn), int(2)));
    let compare = BinaryOp::Compare(Comparison::Eq);
    let odd = main.let_(BOOL, Rvalue::Binary(compare, odd, int(1)));
    if branch {
        main.branch(odd, store, again);
    } else {
        main.goto(store);
    }
    main.at(store);
    main.stmt(StmtKind::Barrier { object: object.clone() });
    main.stmt(StmtKind::SetField { object: object.clone(), field: 1, value: new });
    main.goto(again);
    main.at(again);
    main.stmt(StmtKind::Safepoint);
    main.assign(turn, Rvalue::Binary(BinaryOp::AddInt, copy(turn), int(1)));
    let compare = BinaryOp::Compare(Comparison::Lt);
    let more = main.let_(BOOL, Rvalue::Binary(compare, copy(turn), int(turns)));
    main.branch(more, body, after);
    main.at(after);
    let cell = main.let_(cell, Rvalue::GetField { object, field: 1 });
    let value = main.let_(INT, Rvalue::GetCell(cell));
    main.ret(value);
    build.main(main)
}

#[test]
fn a_loop_comes_to_a_safepoint_in_each_turn_also_where_its_barrier_polls() {
    for (branch, moving) in [(false, false), (false, true), (true, false), (true, true)] {
        let mut setup = Setup { storm: true, ..Setup::default() };
        setup.heap.verify = true;
        (setup.heap.moving, setup.heap.poison) = (moving, !moving);
        setup.code.reload_roots = moving;
        let answer = run_with(&storing_loop(200, branch), &setup);
        assert_eq!(answer.int(), 199);
        assert!(answer.collections >= 200, "{} collections", answer.collections);
    }
}
