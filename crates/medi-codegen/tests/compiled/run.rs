//! Every kind of statement and value, compiled and run.

use crate::build::*;
use crate::machine::{Setup, natives, run, run_with};
use medi_check::mir::*;
use medi_check::types::{Ty, Types};
use medi_codegen::DebugInfo;

const INT: medi_check::types::TyId = Types::INT;
const FLOAT: medi_check::types::TyId = Types::FLOAT;
const BOOL: medi_check::types::TyId = Types::BOOL;
const BYTE: medi_check::types::TyId = Types::BYTE;
const STR: medi_check::types::TyId = Types::STR;

fn with_natives() -> Setup {
    let mut setup = Setup::default();
    setup.code.natives = natives::table();
    setup
}

fn int_result(op: BinaryOp, a: i64, b: i64) -> i64 {
    let mut main = Func::new("main", &[INT, INT], INT);
    let value = main.binary(INT, op, main.param(0), main.param(1));
    main.ret(value);
    let setup = Setup { args: vec![a as u64, b as u64], ..Setup::default() };
    run_with(&Build::default().main(main), &setup).int()
}

#[test]
fn int_arithmetic_computes() {
    assert_eq!(int_result(BinaryOp::AddInt, 40, 2), 42);
    assert_eq!(int_result(BinaryOp::SubInt, 40, 50), -10);
    assert_eq!(int_result(BinaryOp::MulInt, -6, 7), -42);
    assert_eq!(int_result(BinaryOp::DivInt, -7, 2), -3);
    assert_eq!(int_result(BinaryOp::RemInt, -7, 2), -1);
    assert_eq!(int_result(BinaryOp::RemInt, i64::MIN, -1), 0);
    assert_eq!(int_result(BinaryOp::AddUnchecked, i64::MAX, 1), i64::MIN);
    assert_eq!(int_result(BinaryOp::BitAnd, 12, 10), 8);
    assert_eq!(int_result(BinaryOp::BitOr, 12, 10), 14);
    assert_eq!(int_result(BinaryOp::BitXor, 12, 10), 6);
    assert_eq!(int_result(BinaryOp::Shl, 3, 4), 48);
    assert_eq!(int_result(BinaryOp::Shr, -16, 2), -4);
    assert_eq!(int_result(BinaryOp::MinInt, -3, 5), -3);
    assert_eq!(int_result(BinaryOp::MaxInt, -3, 5), 5);
}

#[test]
fn constants_beside_parameters_compute_the_same() {
    for (op, a, b, wanted) in [
        (BinaryOp::AddInt, 40, 2, 42),
        (BinaryOp::AddInt, 40, -2, 38),
        (BinaryOp::SubInt, 40, 2, 38),
        (BinaryOp::SubInt, -5, i64::MIN, i64::MAX - 4),
        (BinaryOp::Shl, 1, 62, 1 << 62),
    ] {
        let mut main = Func::new("main", &[INT], INT);
        let value = main.binary(INT, op, main.param(0), int(b));
        main.ret(value);
        let setup = Setup { args: vec![a as u64], ..Setup::default() };
        assert_eq!(run_with(&Build::default().main(main), &setup).int(), wanted, "{op:?} {a} {b}");
    }
}

#[test]
fn float_arithmetic_and_conversions_compute() {
    let mut main = Func::new("main", &[FLOAT, FLOAT], FLOAT);
    let (a, b) = (main.param(0), main.param(1));
    let sum = main.binary(FLOAT, BinaryOp::AddFloat, a.clone(), b.clone());
    let product = main.binary(FLOAT, BinaryOp::MulFloat, sum, b.clone());
    let quotient = main.binary(FLOAT, BinaryOp::DivFloat, product, float(3.0));
    let less = main.binary(FLOAT, BinaryOp::SubFloat, quotient, a.clone());
    let root = main.unary(FLOAT, UnaryOp::Sqrt, less);
    let negative = main.unary(FLOAT, UnaryOp::NegFloat, root);
    let floor = main.unary(FLOAT, UnaryOp::Floor, negative.clone());
    let ceiling = main.unary(FLOAT, UnaryOp::Ceil, negative);
    let bounds = main.binary(FLOAT, BinaryOp::MulFloat, floor, ceiling);
    let larger = main.binary(FLOAT, BinaryOp::MaxFloat, bounds.clone(), a);
    let smaller = main.binary(FLOAT, BinaryOp::MinFloat, bounds, b);
    let positive = main.unary(FLOAT, UnaryOp::AbsFloat, smaller);
    let total = main.binary(FLOAT, BinaryOp::AddFloat, larger, positive);
    main.ret(total);
    let setup = Setup { float_args: vec![2.0, 7.5], ..Setup::default() };
    let answer = run_with(&Build::default().main(main), &setup).float();
    let root = -((2.0f64 + 7.5) * 7.5 / 3.0 - 2.0).sqrt();
    let bounds = root.floor() * root.ceil();
    assert_eq!(answer, bounds.max(2.0) + bounds.min(7.5).abs());
}

#[test]
fn rounding_goes_away_from_zero_and_truncation_towards_it() {
    for (value, rounded, truncated) in [
        (2.5, 3, 2),
        (-2.5, -3, -2),
        (0.499_999_999_999_999_94, 0, 0),
        (4_503_599_627_370_497.0, 4_503_599_627_370_497, 4_503_599_627_370_497),
        (-9_223_372_036_854_775_808.0, i64::MIN, i64::MIN),
    ] {
        for (op, wanted) in [(UnaryOp::RoundToInt, rounded), (UnaryOp::FloatToInt, truncated)] {
            let mut main = Func::new("main", &[FLOAT], INT);
            let whole = main.unary(INT, op, main.param(0));
            main.ret(whole);
            let setup = Setup { float_args: vec![value], ..Setup::default() };
            assert_eq!(
                run_with(&Build::default().main(main), &setup).int(),
                wanted,
                "{op:?} {value}"
            );
        }
    }
}

#[test]
fn unary_operations_compute() {
    let mut main = Func::new("main", &[INT], INT);
    let negative = main.unary(INT, UnaryOp::NegInt, main.param(0));
    let positive = main.unary(INT, UnaryOp::AbsInt, negative.clone());
    let inverted = main.unary(INT, UnaryOp::BitNot, positive);
    let small = main.unary(BYTE, UnaryOp::IntToByte, main.param(0));
    let wide = main.unary(INT, UnaryOp::ByteToInt, small);
    let sum = main.binary(INT, BinaryOp::AddInt, inverted, wide);
    let smaller = BinaryOp::Compare(Comparison::Lt);
    let smaller = main.binary(BOOL, smaller, negative, int(0));
    let not = main.unary(BOOL, UnaryOp::Not, smaller.clone());
    let (smaller, not) =
        (main.unary(INT, UnaryOp::BoolToInt, smaller), main.unary(INT, UnaryOp::BoolToInt, not));
    let sum = main.binary(INT, BinaryOp::AddInt, sum, smaller);
    let sum = main.binary(INT, BinaryOp::SubInt, sum, not);
    let as_float = main.unary(FLOAT, UnaryOp::IntToFloat, sum);
    let sum = main.unary(INT, UnaryOp::FloatToInt, as_float);
    main.ret(sum);
    let setup = Setup { args: vec![200], ..Setup::default() };
    assert_eq!(run_with(&Build::default().main(main), &setup).int(), !200 + 200 + 1);
}

#[test]
fn bytes_compare_without_a_sign_and_nan_with_nothing() {
    let mut main = Func::new("main", &[], INT);
    let above = BinaryOp::Compare(Comparison::Gt);
    let above = main.binary(BOOL, above, byte(200), byte(100));
    let nan = main.binary(FLOAT, BinaryOp::DivFloat, float(0.0), float(0.0));
    let same = BinaryOp::CompareFloat(Comparison::Eq);
    let same = main.binary(BOOL, same, nan.clone(), nan.clone());
    let differs = BinaryOp::CompareFloat(Comparison::Ne);
    let differs = main.binary(BOOL, differs, nan.clone(), nan);
    let mut sum = int(0);
    for (weight, flag) in [(1, above), (10, same), (100, differs)] {
        let flag = main.unary(INT, UnaryOp::BoolToInt, flag);
        let flag = main.binary(INT, BinaryOp::MulInt, flag, int(weight));
        sum = main.binary(INT, BinaryOp::AddInt, sum, flag);
    }
    main.ret(sum);
    assert_eq!(run(&Build::default().main(main)).int(), 101);
}

#[test]
fn records_keep_fields_of_every_size() {
    let mut build = Build::default();
    let pair = build.ty(Ty::Tuple(vec![INT, STR]));
    let maybe = build.ty(Ty::Optional(FLOAT));
    let fields =
        [("flag", BOOL), ("age", INT), ("pair", pair), ("b", BYTE), ("x", FLOAT), ("m", maybe)];
    let record = build.record("Patient", &fields);
    let text = build.string("four");
    let mut main = Func::new("main", &[], INT);
    let tuple = main.let_(pair, Rvalue::MakeTuple(vec![int(5), text]));
    let some = main.let_(maybe, Rvalue::MakeSome { ty: maybe, value: float(8.5) });
    let fields = vec![boolean(true), int(40), tuple, byte(7), float(0.5), some];
    let object = main.let_(record, Rvalue::NewRecord { ty: record, fields });
    main.stmt(StmtKind::SetField { object: object.clone(), field: 1, value: int(41) });
    let mut get = |field, ty| main.let_(ty, Rvalue::GetField { object: object.clone(), field });
    let (flag, age, tuple, b, x, m) =
        (get(0, BOOL), get(1, INT), get(2, pair), get(3, BYTE), get(4, FLOAT), get(5, maybe));
    let five = main.let_(INT, Rvalue::GetTuple { tuple: tuple.clone(), index: 0 });
    let text = main.let_(STR, Rvalue::GetTuple { tuple, index: 1 });
    let len = build.native("test_len", &[NativeParam::Plain(STR)], INT);
    let len = main.let_(INT, Rvalue::CallNative { native: len, args: vec![text] });
    let present = main.let_(BOOL, Rvalue::IsSome(m.clone()));
    let value = main.let_(FLOAT, Rvalue::UnwrapSome(m));
    let floats = main.binary(FLOAT, BinaryOp::AddFloat, x, value);
    let floats = main.unary(INT, UnaryOp::FloatToInt, floats);
    let (flag, b, present) = (
        main.unary(INT, UnaryOp::BoolToInt, flag),
        main.unary(INT, UnaryOp::ByteToInt, b),
        main.unary(INT, UnaryOp::BoolToInt, present),
    );
    let mut sum = int(0);
    for part in [flag, age, five, len, b, floats, present] {
        sum = main.binary(INT, BinaryOp::MulInt, sum, int(100));
        sum = main.binary(INT, BinaryOp::AddInt, sum, part);
    }
    main.ret(sum);
    assert_eq!(run_with(&build.main(main), &with_natives()).int(), 1_41_05_04_07_09_01);
}

#[test]
fn nil_and_failures_are_told_from_values() {
    let mut build = Build::default();
    let maybe_int = build.ty(Ty::Optional(INT));
    let maybe_text = build.ty(Ty::Optional(STR));
    let result = build.ty(Ty::Result(INT));
    let (text, message) = (build.string("text"), build.string("no such file"));
    let len = build.native("test_len", &[NativeParam::Plain(STR)], INT);
    let mut main = Func::new("main", &[], INT);
    let mut parts = vec![];
    for ty in [maybe_int, maybe_text] {
        let nil = main.let_(ty, Rvalue::Use(Operand::Const(Const::Nil(ty))));
        parts.push(main.let_(BOOL, Rvalue::IsSome(nil)));
    }
    let some = main.let_(maybe_text, Rvalue::MakeSome { ty: maybe_text, value: text });
    parts.push(main.let_(BOOL, Rvalue::IsSome(some)));
    let ok = main.let_(result, Rvalue::MakeOk { ty: result, value: int(5) });
    parts.push(main.let_(BOOL, Rvalue::IsOk(ok.clone())));
    let err = main.let_(result, Rvalue::MakeErr { ty: result, message });
    parts.push(main.let_(BOOL, Rvalue::IsOk(err.clone())));
    let five = main.let_(INT, Rvalue::UnwrapOk(ok));
    let message = main.let_(STR, Rvalue::UnwrapErr(err));
    let len = main.let_(INT, Rvalue::CallNative { native: len, args: vec![message] });
    let mut sum = main.binary(INT, BinaryOp::MulInt, five, len);
    for part in parts {
        let part = main.unary(INT, UnaryOp::BoolToInt, part);
        sum = main.binary(INT, BinaryOp::MulInt, sum, int(2));
        sum = main.binary(INT, BinaryOp::AddInt, sum, part);
    }
    main.ret(sum);
    assert_eq!(run_with(&build.main(main), &with_natives()).int(), 60 << 5 | 0b00110);
}

#[test]
fn variants_tell_their_number_and_fields() {
    let mut build = Build::default();
    let plain = build.enumeration("Sex", &[("Female", &[]), ("Male", &[]), ("Other", &[])]);
    let finding = build.enumeration(
        "Finding",
        &[
            ("Normal", &[]),
            ("Fever", &[("celsius", FLOAT), ("days", BYTE)]),
            ("Text", &[("t", STR)]),
        ],
    );
    let mut main = Func::new("main", &[], INT);
    let tag = |main: &mut Func, value| main.let_(INT, Rvalue::VariantTag(value));
    let other = main.let_(plain, Rvalue::Use(Operand::Const(Const::Variant(plain, 2))));
    let other = tag(&mut main, other);
    let normal = Rvalue::NewVariant { ty: finding, variant: 0, fields: vec![] };
    let normal = main.let_(finding, normal);
    let normal = tag(&mut main, normal);
    let fields = vec![float(39.5), byte(3)];
    let fever = Rvalue::NewVariant { ty: finding, variant: 1, fields };
    let fever = main.let_(finding, fever);
    let number = tag(&mut main, fever.clone());
    let celsius = Rvalue::GetVariantField { value: fever.clone(), variant: 1, field: 0 };
    let celsius = main.let_(FLOAT, celsius);
    let celsius = main.unary(INT, UnaryOp::FloatToInt, celsius);
    let days = main.let_(BYTE, Rvalue::GetVariantField { value: fever, variant: 1, field: 1 });
    let days = main.unary(INT, UnaryOp::ByteToInt, days);
    let mut sum = int(0);
    for part in [other, normal, number, celsius, days] {
        sum = main.binary(INT, BinaryOp::MulInt, sum, int(100));
        sum = main.binary(INT, BinaryOp::AddInt, sum, part);
    }
    main.ret(sum);
    assert_eq!(run(&build.main(main)).int(), 2_00_01_39_03);
}

#[test]
fn arrays_of_every_element_hold_what_was_stored() {
    let mut build = Build::default();
    let triple = build.ty(Ty::Tuple(vec![BYTE, STR, INT]));
    let ints = build.ty(Ty::Array(INT));
    let triples = build.ty(Ty::Array(triple));
    let bytes = build.ty(Ty::Array(BYTE));
    let text = build.string("x");
    for count in [10i64, 5000] {
        let mut build = Build { program: clone_types(&build.program) };
        let mut main = Func::new("main", &[INT], INT);
        let count_operand = main.param(0);
        let numbers = main.let_(ints, Rvalue::NewArray { ty: ints, len: count_operand.clone() });
        let small = main.let_(bytes, Rvalue::NewArray { ty: bytes, len: int(100) });
        let parts =
            main.let_(triples, Rvalue::NewArray { ty: triples, len: count_operand.clone() });
        let text = text.clone();
        main.repeat(count_operand.clone(), |main, i| {
            main.stmt(StmtKind::SetElem {
                array: numbers.clone(),
                index: i.clone(),
                value: i.clone(),
            });
            let low = main.binary(INT, BinaryOp::BitAnd, i.clone(), int(63));
            let low = main.unary(BYTE, UnaryOp::IntToByte, low);
            main.stmt(StmtKind::SetElem {
                array: small.clone(),
                index: int(63),
                value: low.clone(),
            });
            let twice = main.binary(INT, BinaryOp::AddInt, i.clone(), i.clone());
            let value = main.let_(triple, Rvalue::MakeTuple(vec![low, text.clone(), twice]));
            main.stmt(StmtKind::Barrier { object: parts.clone() });
            main.stmt(StmtKind::SetElem { array: parts.clone(), index: i, value });
        });
        let sum = main.local(INT);
        main.assign(sum, Rvalue::Use(int(0)));
        let len = main.let_(INT, Rvalue::ArrayLen(parts.clone()));
        main.repeat(len.clone(), |main, i| {
            main.stmt(StmtKind::Bounds { index: i.clone(), len: len.clone() });
            let a = Rvalue::GetElem { array: numbers.clone(), index: i.clone() };
            let a = main.let_(INT, a);
            let tuple = main.let_(triple, Rvalue::GetElem { array: parts.clone(), index: i });
            let b = main.let_(INT, Rvalue::GetTuple { tuple: tuple.clone(), index: 2 });
            let c = main.let_(BYTE, Rvalue::GetTuple { tuple, index: 0 });
            let c = main.unary(INT, UnaryOp::ByteToInt, c);
            for part in [a, b, c] {
                main.assign(sum, Rvalue::Binary(BinaryOp::AddInt, copy(sum), part));
            }
        });
        let last = main.let_(BYTE, Rvalue::GetElem { array: small, index: int(63) });
        let last = main.unary(INT, UnaryOp::ByteToInt, last);
        main.assign(sum, Rvalue::Binary(BinaryOp::AddInt, copy(sum), last));
        main.ret(copy(sum));
        let main = build.add(main);
        build.program.main = main;
        let setup = Setup { args: vec![count as u64], ..Setup::default() };
        let wanted: i64 = (0..count).map(|i| 3 * i + (i & 63)).sum::<i64>() + ((count - 1) & 63);
        assert_eq!(run_with(&build.program, &setup).int(), wanted, "{count} elements");
    }
}

fn clone_types(program: &Program) -> Program {
    Program {
        types: program.types.clone(),
        records: program.records.clone(),
        enums: program.enums.clone(),
        values: program.values.clone(),
        functions: vec![],
        natives: program.natives.clone(),
        strings: program.strings.clone(),
        main: program.main,
        main_args: None,
        tasks: false,
    }
}

#[test]
fn closures_carry_captures_and_cells_share_a_variable() {
    let mut build = Build::default();
    let func = build.ty(Ty::Func { params: vec![INT], result: INT });
    let cell = build.ty(Ty::Cell(INT));
    let mut add = Func::new("main.closure", &[INT], INT).capturing(&[BYTE, cell, INT]);
    let small = add.let_(BYTE, Rvalue::Capture(0));
    let shared = add.let_(cell, Rvalue::Capture(1));
    let large = add.let_(INT, Rvalue::Capture(2));
    let small = add.unary(INT, UnaryOp::ByteToInt, small);
    let old = add.let_(INT, Rvalue::GetCell(shared.clone()));
    let sum = add.binary(INT, BinaryOp::AddInt, old, add.param(0));
    let sum = add.binary(INT, BinaryOp::AddInt, sum, small);
    let sum = add.binary(INT, BinaryOp::AddInt, sum, large);
    add.stmt(StmtKind::SetCell { cell: shared, value: sum.clone() });
    add.ret(sum);
    let add = build.add(add);
    let mut main = Func::new("main", &[], INT);
    let shared = main.let_(cell, Rvalue::NewCell { ty: cell, value: int(1000) });
    let captures = vec![byte(7), shared.clone(), int(20)];
    let closure = Rvalue::NewClosure { function: add, ty: func, captures };
    let closure = main.let_(func, closure);
    for argument in [1, 2] {
        let args = vec![int(argument)];
        main.let_(INT, Rvalue::CallClosure { callee: closure.clone(), args });
    }
    let total = main.let_(INT, Rvalue::GetCell(shared));
    main.ret(total);
    assert_eq!(run(&build.main(main)).int(), 1000 + 1 + 2 + 2 * 27);
}

#[test]
fn functions_take_and_return_more_than_registers_hold() {
    let mut build = Build::default();
    let parts: Vec<_> = (0..12).map(|i| if i % 3 == 0 { FLOAT } else { INT }).collect();
    let wide = build.ty(Ty::Tuple(parts.clone()));
    let many = build.ty(Ty::Tuple(vec![INT; 11]));
    let mut rotate = Func::new("rotate", &parts, wide);
    let params = (0..12).map(|i| rotate.param(i)).collect();
    let tuple = rotate.let_(wide, Rvalue::MakeTuple(params));
    rotate.ret(tuple);
    let rotate = build.add(rotate);
    let mut spread = Func::new("spread", &[INT], many);
    let values =
        (0..11).map(|i| spread.binary(INT, BinaryOp::AddInt, spread.param(0), int(i))).collect();
    let tuple = spread.let_(many, Rvalue::MakeTuple(values));
    spread.ret(tuple);
    let spread = build.add(spread);
    let mut main = Func::new("main", &[], INT);
    let args = (0..12).map(|i| if i % 3 == 0 { float(i as f64) } else { int(i) }).collect();
    let tuple = main.let_(wide, Rvalue::Call { function: rotate, args });
    let mut sum = int(0);
    for index in 0..12 {
        let mut part =
            main.let_(parts[index as usize], Rvalue::GetTuple { tuple: tuple.clone(), index });
        if index % 3 == 0 {
            part = main.unary(INT, UnaryOp::FloatToInt, part);
        }
        let part = main.binary(INT, BinaryOp::MulInt, part, int(i64::from(index)));
        sum = main.binary(INT, BinaryOp::AddInt, sum, part);
    }
    let tuple = main.let_(many, Rvalue::Call { function: spread, args: vec![int(100)] });
    for index in 0..11 {
        let part = main.let_(INT, Rvalue::GetTuple { tuple: tuple.clone(), index });
        let part = main.binary(INT, BinaryOp::MulInt, part, int(i64::from(index)));
        sum = main.binary(INT, BinaryOp::AddInt, sum, part);
    }
    main.ret(sum);
    let squares: i64 = (0..12).map(|i| i * i).sum();
    let spread: i64 = (0..11).map(|i| (100 + i) * i).sum();
    assert_eq!(run(&build.main(main)).int(), squares + spread);
}

#[test]
fn natives_get_their_arguments_and_give_their_results() {
    let mut build = Build::default();
    let plain = NativeParam::Plain;
    let several = build.ty(Ty::Tuple(vec![INT, INT, FLOAT]));
    let pair = build.ty(Ty::Tuple(vec![INT, INT]));
    let collect = build.native("test_collect", &[plain(INT)], INT);
    let three = build.native("test_several", &[plain(INT), plain(INT), plain(FLOAT)], several);
    let leaf = build.native("test_leaf", &[plain(BYTE), plain(FLOAT), plain(INT)], INT);
    let shaped = build.native("test_shaped", &[NativeParam::Shaped(pair)], INT);
    let mut main = Func::new("main", &[], INT);
    let call = |native, args| Rvalue::CallNative { native, args };
    let a = main.let_(INT, call(collect, vec![int(41)]));
    let tuple = main.let_(several, call(three, vec![int(1), int(2), float(6.0)]));
    let mut parts = vec![a];
    for (index, ty) in [INT, INT].into_iter().enumerate() {
        let index = index as u32;
        parts.push(main.let_(ty, Rvalue::GetTuple { tuple: tuple.clone(), index }));
    }
    let x = main.let_(FLOAT, Rvalue::GetTuple { tuple, index: 2 });
    parts.push(main.unary(INT, UnaryOp::FloatToInt, x));
    parts.push(main.let_(INT, call(leaf, vec![byte(255), float(1.5), int(2)])));
    let pair = main.let_(pair, Rvalue::MakeTuple(vec![int(3), int(4)]));
    parts.push(main.let_(INT, call(shaped, vec![pair])));
    let mut sum = int(0);
    for part in parts {
        sum = main.binary(INT, BinaryOp::MulInt, sum, int(10));
        sum = main.binary(INT, BinaryOp::AddInt, sum, part);
    }
    main.ret(sum);
    let wanted = [42, 2, 3, 6, 258, 1007].iter().fold(0, |sum, part| sum * 10 + part);
    assert_eq!(run_with(&build.main(main), &with_natives()).int(), wanted);
}

#[test]
fn a_native_may_call_back_into_compiled_code() {
    let mut build = Build::default();
    let func = build.ty(Ty::Func { params: vec![], result: INT });
    let call = build.native("test_call", &[NativeParam::Plain(func)], INT);
    let collect = build.native("test_collect", &[NativeParam::Plain(INT)], INT);
    let mut inner = Func::new("inner", &[], INT).capturing(&[STR]);
    let value = Rvalue::CallNative { native: collect, args: vec![int(40)] };
    let value = inner.let_(INT, value);
    inner.ret(value);
    let inner = build.add(inner);
    let text = build.string("captured");
    let mut main = Func::new("main", &[], INT);
    let closure = Rvalue::NewClosure { function: inner, ty: func, captures: vec![text] };
    let closure = main.let_(func, closure);
    let value = Rvalue::CallNative { native: call, args: vec![closure] };
    let value = main.let_(INT, value);
    main.ret(value);
    let setup = with_natives();
    assert_eq!(run_with(&build.main(main), &setup).int(), 42);
}

#[test]
fn switches_jump_by_int_and_by_byte() {
    for (ty, cases) in [(INT, vec![-5i64, 0, 7, 1 << 40]), (BYTE, vec![0, 3, 200])] {
        for (wanted, case) in cases.iter().chain([&99]).enumerate() {
            let mut main = Func::new("main", &[ty], INT);
            let blocks: Vec<_> = cases.iter().map(|_| main.block()).collect();
            let default = main.block();
            let value = main.param(0);
            let targets = cases.iter().copied().zip(blocks.iter().copied()).collect();
            main.end(TerminatorKind::Switch { value, cases: targets, default });
            for (number, block) in blocks.iter().chain([&default]).enumerate() {
                main.at(*block);
                main.ret(int(number as i64));
            }
            let setup = Setup { args: vec![*case as u64], ..Setup::default() };
            let answer = run_with(&Build::default().main(main), &setup).int();
            assert_eq!(answer, wanted as i64, "{case}");
        }
    }
}

#[test]
fn linked_records_survive_collections_at_every_allocation() {
    let mut build = Build::default();
    let node = build.declare_record();
    let next = build.ty(Ty::Optional(node));
    build.define_record(node, "Node", &[("value", INT), ("next", next)]);
    let mut main = Func::new("main", &[], INT);
    let list = main.local(next);
    main.assign(list, Rvalue::Use(Operand::Const(Const::Nil(next))));
    main.repeat(int(200), |main, i| {
        let fields = vec![i, copy(list)];
        let new = main.let_(node, Rvalue::NewRecord { ty: node, fields });
        main.assign(list, Rvalue::MakeSome { ty: next, value: new });
    });
    let sum = main.local(INT);
    main.assign(sum, Rvalue::Use(int(0)));
    let (head, body, after) = (main.block(), main.block(), main.block());
    main.goto(head);
    main.at(head);
    let present = main.let_(BOOL, Rvalue::IsSome(copy(list)));
    main.branch(present, body, after);
    main.at(body);
    let object = main.let_(node, Rvalue::UnwrapSome(copy(list)));
    let value = main.let_(INT, Rvalue::GetField { object: object.clone(), field: 0 });
    main.assign(sum, Rvalue::Binary(BinaryOp::AddInt, copy(sum), value));
    main.assign(list, Rvalue::GetField { object, field: 1 });
    main.stmt(StmtKind::Safepoint);
    main.goto(head);
    main.at(after);
    main.ret(copy(sum));
    let program = build.main(main);
    let every = std::num::NonZeroU64::new(1);
    for (moving, poison) in [(false, false), (false, true), (true, false)] {
        let mut setup = Setup::default();
        setup.heap.collect_every = every;
        setup.heap.verify = true;
        (setup.heap.moving, setup.heap.poison) = (moving, poison);
        setup.code.reload_roots = moving;
        let answer = run_with(&program, &setup);
        assert_eq!(answer.int(), 199 * 200 / 2);
        assert!(answer.collections >= 200, "{} collections", answer.collections);
    }
}

#[test]
fn identity_is_of_the_object() {
    let mut build = Build::default();
    let record = build.record("Box", &[("value", INT)]);
    let mut main = Func::new("main", &[], INT);
    let mut new = || main.let_(record, Rvalue::NewRecord { ty: record, fields: vec![int(1)] });
    let (a, b) = (new(), new());
    let same = main.binary(BOOL, BinaryOp::Same, a.clone(), a.clone());
    let other = main.binary(BOOL, BinaryOp::Same, a, b);
    let same = main.unary(INT, UnaryOp::BoolToInt, same);
    let other = main.unary(INT, UnaryOp::BoolToInt, other);
    let both = main.binary(INT, BinaryOp::MulInt, same, int(10));
    let both = main.binary(INT, BinaryOp::AddInt, both, other);
    main.ret(both);
    assert_eq!(run(&build.main(main)).int(), 10);
}

#[test]
fn the_unwinder_passes_through_compiled_frames() {
    let mut build = Build::default();
    let backtrace = build.native("test_backtrace", &[], INT);
    let mut inner = Func::new("inner", &[], INT);
    let value = inner.let_(INT, Rvalue::CallNative { native: backtrace, args: vec![] });
    inner.ret(value);
    let inner = build.add(inner);
    let mut main = Func::new("main", &[], INT);
    let value = main.let_(INT, Rvalue::Call { function: inner, args: vec![] });
    main.ret(value);
    let mut setup = with_natives();
    setup.code.debug_info = DebugInfo::Always;
    assert_eq!(run_with(&build.main(main), &setup).int(), 1002);
}

#[test]
fn scope_memory_holds_bytes_and_typed_elements() {
    let mut build = Build::default();
    let view = build.ty(Ty::View(FLOAT));
    let pair = build.ty(Ty::Tuple(vec![BYTE, INT]));
    let pairs = build.ty(Ty::View(pair));
    let mut main = Func::new("main", &[], INT);
    let scope = main.scope(None);
    main.stmt(StmtKind::ScopeEnter(scope));
    let buffer = main.let_(Types::BUFFER, Rvalue::Allocate { scope, bytes: int(4096) });
    let length = main.let_(INT, Rvalue::ScopeLen(buffer.clone()));
    let set = |main: &mut Func, base: &Operand, index, value| {
        main.stmt(StmtKind::SetScopeElem { base: base.clone(), index: int(index), value });
    };
    let get = |main: &mut Func, ty, base: &Operand, index| {
        main.let_(ty, Rvalue::GetScopeElem { base: base.clone(), index: int(index) })
    };
    set(&mut main, &buffer, 0, byte(7));
    let rest = int(-1);
    let floats = Rvalue::MakeView { ty: view, buffer: buffer.clone(), offset: int(64), len: rest };
    let floats = main.let_(view, floats);
    let count = main.let_(INT, Rvalue::ScopeLen(floats.clone()));
    set(&mut main, &floats, 10, float(2.5));
    let slice = Rvalue::SliceView { view: floats, from: int(8), to: int(12) };
    let slice = main.let_(view, slice);
    let in_slice = get(&mut main, FLOAT, &slice, 2);
    let in_slice = main.binary(FLOAT, BinaryOp::MulFloat, in_slice, float(2.0));
    let in_slice = main.unary(INT, UnaryOp::FloatToInt, in_slice);
    let tuples =
        Rvalue::MakeView { ty: pairs, buffer: buffer.clone(), offset: int(1024), len: int(3) };
    let tuples = main.let_(pairs, tuples);
    let value = main.let_(pair, Rvalue::MakeTuple(vec![byte(9), int(800)]));
    set(&mut main, &tuples, 2, value);
    let value = get(&mut main, pair, &tuples, 2);
    let (nine, many) = (
        main.let_(BYTE, Rvalue::GetTuple { tuple: value.clone(), index: 0 }),
        main.let_(INT, Rvalue::GetTuple { tuple: value, index: 1 }),
    );
    let first = get(&mut main, BYTE, &buffer, 0);
    let (nine, first) =
        (main.unary(INT, UnaryOp::ByteToInt, nine), main.unary(INT, UnaryOp::ByteToInt, first));
    main.stmt(StmtKind::ScopeExit(scope));
    let mut sum = int(0);
    for part in [length, count, in_slice, nine, many, first] {
        sum = main.binary(INT, BinaryOp::AddInt, sum, part);
    }
    main.ret(sum);
    assert_eq!(run(&build.main(main)).int(), 4096 + 504 + 5 + 9 + 800 + 7);
}
