//! What stops a program, and what the error says about it.

use crate::build::*;
use crate::machine::{Answer, Setup, natives, run, run_with};
use medi_check::mir::*;
use medi_check::types::{Ty, TyId, Types};
use medi_runtime::thread::Stop;

const INT: TyId = Types::INT;
const FLOAT: TyId = Types::FLOAT;
const BYTE: TyId = Types::BYTE;

fn stopped(answer: &Answer) -> (&str, u32) {
    let error = answer.error();
    (error.code, error.stack.first().map_or(0, |frame| frame.line))
}

/// One statement on line 3 (the spans of these tests are byte offsets in a file of newlines).
fn stopping(ty: TyId, rvalue: Rvalue) -> Answer {
    let mut main = Func::new("main", &[], INT);
    for _ in 0..2 {
        main.binary(INT, BinaryOp::AddInt, int(1), int(2));
    }
    main.let_(ty, rvalue);
    main.ret(int(0));
    run(&Build::default().main(main))
}

/// The same, with an operand that the compiler does not know.
fn stopping_on(operand: i64, ty: TyId, rvalue: impl Fn(Operand) -> Rvalue) -> Answer {
    let mut main = Func::new("main", &[INT], INT);
    for _ in 0..2 {
        main.binary(INT, BinaryOp::AddInt, int(1), int(2));
    }
    let operand_local = main.param(0);
    main.let_(ty, rvalue(operand_local));
    main.ret(int(0));
    let setup = Setup { args: vec![operand as u64], ..Setup::default() };
    run_with(&Build::default().main(main), &setup)
}

fn binary(op: BinaryOp, a: Operand, b: Operand) -> Rvalue {
    Rvalue::Binary(op, a, b)
}

#[test]
fn overflow_stops_with_its_line() {
    const MIN: i64 = i64::MIN;
    const MAX: i64 = i64::MAX;
    type Make = fn(Operand) -> Rvalue;
    let cases: [(i64, Make); 9] = [
        (MAX, |x| binary(BinaryOp::AddInt, x, int(1))),
        (MIN, |x| binary(BinaryOp::AddInt, x, int(-1))),
        (MIN, |x| binary(BinaryOp::SubInt, x, int(1))),
        (MAX, |x| binary(BinaryOp::AddInt, x.clone(), x)),
        (MIN, |x| binary(BinaryOp::SubInt, int(0), x)),
        (MAX, |x| binary(BinaryOp::MulInt, x.clone(), x)),
        (MIN, |x| binary(BinaryOp::DivInt, x, int(-1))),
        (MIN, |x| Rvalue::Unary(UnaryOp::NegInt, x)),
        (MIN, |x| Rvalue::Unary(UnaryOp::AbsInt, x)),
    ];
    for (number, (operand, make)) in cases.into_iter().enumerate() {
        let answer = stopping_on(operand, INT, make);
        assert_eq!(stopped(&answer), ("R0001", 4), "case {number}");
    }
}

#[test]
fn division_by_zero_stops() {
    for op in [BinaryOp::DivInt, BinaryOp::RemInt] {
        let answer = stopping_on(0, INT, |zero| binary(op, int(5), zero));
        assert_eq!(stopped(&answer), ("R0002", 4));
    }
}

#[test]
fn conversions_that_lose_the_value_stop_and_name_it() {
    let answer = stopping_on(300, BYTE, |x| Rvalue::Unary(UnaryOp::IntToByte, x));
    assert_eq!(stopped(&answer), ("R0006", 4));
    assert!(answer.error().message.contains("300"), "{}", answer.error().message);
    for value in [f64::NAN, 1e300, -1e300, 9_223_372_036_854_775_808.0] {
        for op in [UnaryOp::FloatToInt, UnaryOp::RoundToInt] {
            let answer = stopping(INT, Rvalue::Unary(op, float(value)));
            assert_eq!(stopped(&answer), ("R0006", 4), "{value}");
        }
    }
}

#[test]
fn shift_distances_are_checked() {
    for distance in [64, -1] {
        let answer = stopping_on(distance, INT, |x| binary(BinaryOp::Shl, int(1), x));
        assert_eq!(stopped(&answer), ("R0013", 4));
        assert!(answer.error().message.contains(&distance.to_string()));
    }
}

#[test]
fn an_index_out_of_range_is_named_with_the_length() {
    for index in [3, -1] {
        let mut main = Func::new("main", &[INT], INT);
        main.stmt(StmtKind::Bounds { index: main.param(0), len: int(3) });
        main.ret(int(0));
        let setup = Setup { args: vec![index as u64], ..Setup::default() };
        let answer = run_with(&Build::default().main(main), &setup);
        assert_eq!(stopped(&answer), ("R0003", 2));
        let message = &answer.error().message;
        assert!(message.contains(&index.to_string()) && message.contains('3'), "{message}");
    }
}

#[test]
fn a_nil_assertion_and_a_negative_length_stop() {
    let mut main = Func::new("main", &[], INT);
    main.end(TerminatorKind::Trap(Trap::NilAssert));
    assert_eq!(stopped(&run(&Build::default().main(main))), ("R0004", 2));
    let mut build = Build::default();
    let ints = build.ty(Ty::Array(INT));
    let mut main = Func::new("main", &[INT], INT);
    main.let_(ints, Rvalue::NewArray { ty: ints, len: main.param(0) });
    main.ret(int(0));
    let setup = Setup { args: vec![-5i64 as u64], ..Setup::default() };
    assert_eq!(stopped(&run_with(&build.main(main), &setup)), ("R0013", 2));
}

#[test]
fn the_call_stack_names_every_function_and_line() {
    let mut build = Build::default();
    let mut inner = Func::new("inner", &[INT], INT);
    let value = inner.binary(INT, BinaryOp::DivInt, int(1), inner.param(0));
    inner.ret(value);
    let inner = build.add(inner);
    let mut outer = Func::new("outer", &[INT], INT);
    outer.binary(INT, BinaryOp::AddInt, int(1), int(1));
    let value = Rvalue::Call { function: inner, args: vec![outer.param(0)] };
    let value = outer.let_(INT, value);
    outer.ret(value);
    let outer = build.add(outer);
    let mut main = Func::new("main", &[], INT);
    let value = main.let_(INT, Rvalue::Call { function: outer, args: vec![int(0)] });
    main.ret(value);
    let answer = run(&build.main(main));
    let stack = answer.error().stack.iter();
    let stack: Vec<_> = stack.map(|f| (f.function.as_str(), f.file.as_str(), f.line)).collect();
    assert_eq!(
        stack,
        [("inner", "test.medi", 2), ("outer", "test.medi", 3), ("main", "test.medi", 2)]
    );
}

#[test]
fn an_inlined_call_still_has_its_frame() {
    let mut main = Func::new("main", &[INT], INT);
    let inlined = main.inlined("small", 7);
    let block = main.block();
    main.mark_inlined(block, inlined);
    main.goto(block);
    main.at(block);
    let value = main.binary(INT, BinaryOp::DivInt, int(1), main.param(0));
    main.ret(value);
    let answer = run(&Build::default().main(main));
    let stack = answer.error().stack.iter();
    let stack: Vec<_> = stack.map(|f| (f.function.as_str(), f.line)).collect();
    assert_eq!(stack, [("small", 3), ("main", 8)]);
}

fn recursion() -> Program {
    let mut build = Build::default();
    let function = build.next_function();
    let mut deep = Func::new("deep", &[INT], INT);
    let next = deep.binary(INT, BinaryOp::AddInt, deep.param(0), int(1));
    let value = deep.let_(INT, Rvalue::Call { function, args: vec![next] });
    let value = deep.binary(INT, BinaryOp::AddInt, value, int(1));
    deep.ret(value);
    build.add(deep);
    let mut main = Func::new("main", &[], INT);
    let value = main.let_(INT, Rvalue::Call { function, args: vec![int(0)] });
    main.ret(value);
    build.main(main)
}

#[test]
fn endless_recursion_is_an_error_with_a_shortened_stack() {
    let answer = run_with(&recursion(), &Setup { stack: 2 << 20, ..Setup::default() });
    let error = answer.error();
    assert_eq!(error.code, "R0007");
    assert!(error.stack.len() < 40, "{} frames", error.stack.len());
    assert_eq!(error.stack.last().map(|frame| frame.function.as_str()), Some("main"));
    assert!(error.stack.iter().any(|frame| frame.function.contains("more calls")));
}

#[test]
fn an_error_in_a_native_function_goes_through_all_frames() {
    let mut build = Build::default();
    let raise = build.native("test_raise", &[], Types::UNIT);
    let mut inner = Func::new("inner", &[], Types::UNIT);
    inner.let_(Types::UNIT, Rvalue::CallNative { native: raise, args: vec![] });
    inner.ret(unit());
    let inner = build.add(inner);
    let mut main = Func::new("main", &[], INT);
    main.let_(Types::UNIT, Rvalue::Call { function: inner, args: vec![] });
    main.ret(int(0));
    let mut setup = Setup::default();
    setup.code.natives = natives::table();
    let answer = run_with(&build.main(main), &setup);
    assert_eq!(stopped(&answer), ("T0001", 2));
    assert_eq!(answer.error().stack.len(), 2);
}

#[test]
fn an_error_in_a_callback_stops_the_caller_of_the_native_too() {
    let mut build = Build::default();
    let func = build.ty(Ty::Func { params: vec![], result: INT });
    let call = build.native("test_call", &[NativeParam::Plain(func)], INT);
    let mut inner = Func::new("inner", &[], INT).capturing(&[INT]);
    let zero = inner.let_(INT, Rvalue::Capture(0));
    let value = inner.binary(INT, BinaryOp::RemInt, int(1), zero);
    inner.ret(value);
    let inner = build.add(inner);
    let mut main = Func::new("main", &[], INT);
    let closure = Rvalue::NewClosure { function: inner, ty: func, captures: vec![int(0)] };
    let closure = main.let_(func, closure);
    let value = main.let_(INT, Rvalue::CallNative { native: call, args: vec![closure] });
    main.ret(value);
    let mut setup = Setup::default();
    setup.code.natives = natives::table();
    let answer = run_with(&build.main(main), &setup);
    let stack = answer.error().stack.iter();
    let stack: Vec<_> = stack.map(|f| (f.function.as_str(), f.line)).collect();
    assert_eq!((answer.error().code, stack), ("R0002", vec![("inner", 3), ("main", 3)]));
}

#[test]
fn running_out_of_memory_is_an_error() {
    let mut build = Build::default();
    let ints = build.ty(Ty::Array(INT));
    let arrays = build.ty(Ty::Array(ints));
    let mut main = Func::new("main", &[], INT);
    let keep = main.let_(arrays, Rvalue::NewArray { ty: arrays, len: int(1000) });
    main.repeat(int(1000), |main, i| {
        let new = main.let_(ints, Rvalue::NewArray { ty: ints, len: int(100_000) });
        main.stmt(StmtKind::Barrier { object: keep.clone() });
        main.stmt(StmtKind::SetElem { array: keep.clone(), index: i, value: new });
    });
    main.ret(int(0));
    let mut setup = Setup::default();
    setup.heap.limit = Some(64 << 20);
    assert_eq!(stopped(&run_with(&build.main(main), &setup)).0, "R0008");
}

#[test]
fn float_division_by_zero_is_no_error() {
    let mut main = Func::new("main", &[], FLOAT);
    let value = main.binary(FLOAT, BinaryOp::DivFloat, float(1.0), float(0.0));
    main.ret(value);
    assert_eq!(run(&Build::default().main(main)).float(), f64::INFINITY);
}

/// A scope with a buffer of 64 bytes and a view of its 8 ints, and then some statements.
fn in_scope(then: impl FnOnce(&mut Func, Operand, Operand)) -> Answer {
    let mut build = Build::default();
    let ints = build.ty(Ty::View(INT));
    let mut main = Func::new("main", &[INT], INT);
    let scope = main.scope(None);
    main.stmt(StmtKind::ScopeEnter(scope));
    let buffer = main.let_(Types::BUFFER, Rvalue::Allocate { scope, bytes: int(64) });
    let view = Rvalue::MakeView { ty: ints, buffer: buffer.clone(), offset: int(0), len: int(-1) };
    let view = main.let_(ints, view);
    then(&mut main, buffer, view);
    main.stmt(StmtKind::ScopeExit(scope));
    main.ret(int(0));
    run(&build.main(main))
}

#[test]
fn scope_memory_is_checked_for_bounds() {
    for index in [8, -1] {
        let read = |main: &mut Func, _, base| {
            main.let_(INT, Rvalue::GetScopeElem { base, index: int(index) });
        };
        assert_eq!(stopped(&in_scope(read)), ("R0011", 5));
    }
    let write = |main: &mut Func, base, _| {
        main.stmt(StmtKind::SetScopeElem { base, index: int(64), value: byte(1) });
    };
    assert_eq!(stopped(&in_scope(write)), ("R0011", 5));
    for (from, to) in [(0, 9), (5, 4), (-1, 3)] {
        let slice = |main: &mut Func, _, view: Operand| {
            let Operand::Copy(local) = view else { unreachable!() };
            let slice = Rvalue::SliceView { view, from: int(from), to: int(to) };
            main.assign(local, slice);
        };
        assert_eq!(stopped(&in_scope(slice)), ("R0011", 5), "{from}..{to}");
    }
}

#[test]
fn scope_memory_is_checked_for_use_after_free() {
    let free_then = |rvalue: fn(Operand) -> Rvalue| {
        move |main: &mut Func, buffer, view| {
            main.stmt(StmtKind::Free(buffer));
            main.let_(INT, rvalue(view));
        }
    };
    let read = free_then(|base| Rvalue::GetScopeElem { base, index: int(0) });
    assert_eq!(stopped(&in_scope(read)), ("R0010", 6));
    let len = free_then(Rvalue::ScopeLen);
    assert_eq!(stopped(&in_scope(len)), ("R0010", 6));
    let twice = |main: &mut Func, buffer: Operand, _| {
        main.stmt(StmtKind::Free(buffer.clone()));
        main.stmt(StmtKind::Free(buffer));
    };
    assert_eq!(stopped(&in_scope(twice)), ("R0012", 6));
}

/// A loop over the numbers from 0 to 9, which does `each` with them.
fn counting(main: &mut Func, mut each: impl FnMut(&mut Func, Operand)) {
    let turn = main.local(INT);
    main.assign(turn, Rvalue::Use(int(0)));
    let (body, after) = (main.block(), main.block());
    main.goto(body);
    main.at(body);
    each(main, copy(turn));
    main.assign(turn, binary(BinaryOp::AddInt, copy(turn), int(1)));
    let more = BinaryOp::Compare(Comparison::Lt);
    let more = main.binary(Types::BOOL, more, copy(turn), int(10));
    main.stmt(StmtKind::Safepoint);
    main.branch(more, body, after);
    main.at(after);
}

#[test]
fn a_loop_stops_in_the_step_that_overflows() {
    let counts = |from: i64| {
        let mut main = Func::new("main", &[INT], INT);
        let (start, last) = (main.param(0), main.local(INT));
        counting(&mut main, |main, turn| {
            let index = main.binary(INT, BinaryOp::AddInt, start.clone(), turn);
            let next = main.binary(INT, BinaryOp::AddInt, index, int(1));
            main.assign(last, binary(BinaryOp::MulInt, next, int(2)));
        });
        main.ret(copy(last));
        let args = vec![from as u64];
        run_with(&Build::default().main(main), &Setup { args, ..Setup::default() })
    };
    assert_eq!(counts(0).int(), 20);
    assert_eq!(counts(-20).int(), -20);
    assert_eq!(counts(1 << 40).int(), 2 * ((1 << 40) + 10));
    let most = i64::MAX / 2;
    assert_eq!(counts(most - 10).int(), 2 * most);
    assert_eq!(stopped(&counts(most - 9)).0, "R0001");
    assert_eq!(stopped(&counts(i64::MAX - 9)).0, "R0001");
    assert_eq!(stopped(&counts(i64::MIN)).0, "R0001");
}

#[test]
fn a_loop_that_uses_what_is_gone_stops() {
    let touch = |main: &mut Func, view: &Operand, index: Operand| {
        let index = main.binary(INT, BinaryOp::BitAnd, index, int(7));
        let (base, value) = (view.clone(), int(5));
        main.stmt(StmtKind::SetScopeElem { base: base.clone(), index: index.clone(), value });
        main.let_(INT, Rvalue::GetScopeElem { base, index });
    };
    let alive = in_scope(|main, _, view| counting(main, |main, at| touch(main, &view, at)));
    assert_eq!(alive.int(), 0);
    let before = in_scope(|main, buffer, view| {
        main.stmt(StmtKind::Free(buffer));
        counting(main, |main, at| touch(main, &view, at));
    });
    assert_eq!(stopped(&before).0, "R0010");
    // Freed in the first step, used in the second.
    let within = in_scope(|main, buffer, view| {
        counting(main, |main, at| {
            touch(main, &view, at.clone());
            let first = BinaryOp::Compare(Comparison::Eq);
            let first = main.binary(Types::BOOL, first, at, int(0));
            let (free, on) = (main.block(), main.block());
            main.branch(first, free, on);
            main.at(free);
            main.stmt(StmtKind::Free(buffer.clone()));
            main.goto(on);
            main.at(on);
        });
    });
    assert_eq!(stopped(&within).0, "R0010");
}

/// In a process of its own: the signal is for all of it.
#[test]
fn ctrl_c_stops_at_the_next_safepoint() {
    const INTERRUPT: &str = "MEDI_TEST_INTERRUPT";
    if std::env::var_os(INTERRUPT).is_none() {
        let this = std::env::current_exe().expect("a test has a path");
        let mut child = std::process::Command::new(this);
        child.args(["--exact", "traps::ctrl_c_stops_at_the_next_safepoint", "--nocapture"]);
        let output = child.env(INTERRUPT, "1").output().expect("the test starts itself");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        return;
    }
    for looping in [true, false] {
        let program = if looping { endless_loop() } else { endless_calls() };
        let setup = Setup { interruptible: true, stack: 64 << 20, ..Setup::default() };
        let answer = run_with(&program, &setup);
        assert!(matches!(answer.stop, Some(Stop::Interrupted)), "{:?}", answer.stop);
    }
}

fn endless_loop() -> Program {
    let mut main = Func::new("main", &[], INT);
    let head = main.block();
    main.goto(head);
    main.at(head);
    main.stmt(StmtKind::Safepoint);
    main.goto(head);
    Build::default().main(main)
}

/// 2^40 calls, none of them deep, without a loop.
fn endless_calls() -> Program {
    let mut build = Build::default();
    let function = build.next_function();
    let mut half = Func::new("half", &[INT], INT);
    let (more, done) = (half.block(), half.block());
    let left = BinaryOp::Compare(Comparison::Gt);
    let left = half.binary(Types::BOOL, left, half.param(0), int(0));
    half.branch(left, more, done);
    half.at(done);
    half.ret(int(1));
    half.at(more);
    let less = half.binary(INT, BinaryOp::AddInt, half.param(0), int(-1));
    let mut call = || half.let_(INT, Rvalue::Call { function, args: vec![less.clone()] });
    let (a, b) = (call(), call());
    let sum = half.binary(INT, BinaryOp::AddUnchecked, a, b);
    half.ret(sum);
    build.add(half);
    let mut main = Func::new("main", &[], INT);
    let value = main.let_(INT, Rvalue::Call { function, args: vec![int(40)] });
    main.ret(value);
    build.main(main)
}
