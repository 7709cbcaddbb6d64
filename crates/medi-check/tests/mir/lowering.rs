//! What the lowering makes of each construct.

use medi_check::hir::*;
use medi_check::mir;
use medi_check::types::*;
use medi_syntax::ast::BinaryOp;

use crate::tree::*;

/// A line without the numbers of its locals.
fn unnumbered(line: &str) -> String {
    let mut out = String::new();
    for char in line.trim().chars() {
        if !(char.is_ascii_digit() && out.ends_with('_')) {
            out.push(char);
        }
    }
    out
}

/// Whether the lines follow each other in the text; which numbers locals have does not matter.
fn has(text: &str, lines: &[&str]) {
    let code: Vec<_> =
        text.lines().filter(|line| !line.starts_with("  let ")).map(unnumbered).collect();
    let wanted: Vec<_> = lines.iter().map(|line| unnumbered(line)).collect();
    let found = code.windows(lines.len()).any(|window| window == wanted);
    assert!(found, "{lines:#?} is not in\n{text}");
}

/// `main(args…)` that calls `func` with locals declared by `var`, so that nothing is known of them.
fn calling(tree: &mut Tree, func: FuncId, args: Vec<(TyId, Expr)>, result: TyId) {
    let mut main = FuncBuilder::main();
    let mut stmts = vec![];
    let mut values = vec![];
    for (ty, value) in args {
        let local = main.bind("arg", ty);
        stmts.push(main.let_(local, value));
        values.push(main.get(local));
    }
    stmts.push(effect(call(func, &[], values, result)));
    tree.main(main, block(stmts));
}

#[test]
fn a_store_of_a_reference_follows_its_barrier_and_a_number_needs_none() {
    let mut tree = Tree::new();
    let id = tree.record("Node", 0, &[("name", Types::STR), ("size", Types::INT)]);
    let node = tree.ty(Ty::Record(id, vec![]));
    let mut main = FuncBuilder::main();
    let n = main.bind("n", node);
    let fields = vec![(1, int(1)), (0, text("a"))];
    let body = block(vec![
        main.let_(n, expr(ExprKind::NewRecord { fields }, node)),
        assign(field(main.get(n), 0, Types::STR), None, text("b")),
        assign(field(main.get(n), 1, Types::INT), None, int(2)),
    ]);
    tree.main(main, body);
    let text = tree.text();
    has(
        &text,
        &[
            "n_0 = new Node {\"a\", 1}",
            "barrier n_0",
            "n_0.name := \"b\"",
            "n_0.size := 2",
            "return ()",
        ],
    );
}

#[test]
fn a_short_list_is_evaluated_before_its_array_is_made() {
    let mut tree = Tree::new();
    let strings = tree.list(Types::STR);
    let mut main = FuncBuilder::main();
    let xs = main.bind("xs", strings);
    let list = expr(ExprKind::List(vec![text("a"), text("b")]), strings);
    let body = block(vec![main.let_(xs, list)]);
    tree.main(main, body);
    has(
        &tree.text(),
        &[
            "_1 = new array[string](2)",
            "_1[0] := \"a\"",
            "_1[1] := \"b\"",
            "xs_0 = new list[string] {2, _1}",
        ],
    );
}

#[test]
fn a_long_list_of_calls_stores_each_element_behind_a_barrier() {
    let mut tree = Tree::new();
    let strings = tree.list(Types::STR);
    let make = tree.native("make", 0, &[], Types::STR);
    let elements = (0..9).map(|_| call(make, &[], vec![], Types::STR)).collect();
    tree.main(FuncBuilder::main(), block(vec![effect(expr(ExprKind::List(elements), strings))]));
    has(&tree.text(), &["_1 = native make()", "barrier _0", "_0[0] := _1"]);
}

#[test]
fn a_counting_loop_compares_once_a_step_and_counts_without_a_check() {
    let mut tree = Tree::new();
    let mut main = FuncBuilder::main();
    let n = main.bind("n", Types::INT);
    let total = main.declare("total", Types::INT, true, false);
    let i = main.bind("i", Types::INT);
    let iter = Iter::Range { start: int(0), end: main.get(n), inclusive: false };
    let add = assign(main.get(total), Some(BinaryOp::Add), main.get(i));
    let body = block(vec![
        main.let_(n, int(10)),
        main.let_(total, int(0)),
        stmt(StmtKind::For { pattern: main.binding(i), iter, body: block(vec![add]) }),
    ]);
    tree.main(main, body);
    has(
        &tree.text(),
        &[
            "_3 = 0",
            "_4 = lt _3, n_0",
            "if _4 goto b1 else b2",
            "b1:",
            "i_2 = _3",
            "total_1 = add_int total_1, i_2",
            "safepoint",
            "_3 = add_unchecked _3, 1",
            "_5 = lt _3, n_0",
            "if _5 goto b1 else b2",
        ],
    );
}

#[test]
fn an_inclusive_range_ends_before_its_counter_would_overflow() {
    let mut tree = Tree::new();
    let mut main = FuncBuilder::main();
    let i = main.bind("i", Types::INT);
    let iter = Iter::Range { start: int(0), end: int(i64::MAX), inclusive: true };
    let body = block(vec![effect(print(vec![main.get(i)]))]);
    let pattern = main.binding(i);
    tree.main(main, block(vec![stmt(StmtKind::For { pattern, iter, body })]));
    let text = tree.text();
    has(
        &text,
        &[
            "_7 = lt _1, 9223372036854775807",
            "if _7 goto b2 else b3",
            "b2:",
            "_1 = add_unchecked _1, 1",
        ],
    );
}

#[test]
fn an_indexed_update_evaluates_its_parts_once() {
    let mut tree = Tree::new();
    let ints = tree.list(Types::INT);
    let position = tree.native("position", 0, &[], Types::INT);
    let mut func = FuncBuilder::new("bump", Types::UNIT);
    let xs = func.param("xs", ints);
    let target = index(func.get(xs), call(position, &[], vec![], Types::INT), Types::INT);
    let body = block(vec![assign(target, Some(BinaryOp::Add), int(1))]);
    let func = tree.func(func, body);
    let empty = expr(ExprKind::List(vec![]), ints);
    // A value, so that the function stands by itself.
    let ty = tree.ty(Ty::Func { params: vec![ints], result: Types::UNIT });
    let mut main = FuncBuilder::main();
    let f = main.bind("f", ty);
    let callee = Box::new(main.get(f));
    let body = block(vec![
        main.let_(f, expr(ExprKind::FuncValue { func, type_args: vec![] }, ty)),
        effect(expr(ExprKind::CallValue { callee, args: vec![empty] }, Types::UNIT)),
    ]);
    tree.main(main, body);
    has(
        &tree.text(),
        &[
            "_1 = native position()",
            "_2 = xs_0.len",
            "bounds _1 in _2",
            "_3 = xs_0.items",
            "_4 = _3[_1]",
            "_5 = add_int _4, 1",
            "_3[_1] := _5",
        ],
    );
}

#[test]
fn a_scope_is_left_on_every_way_out() {
    let mut tree = Tree::new();
    let mut main = FuncBuilder::main();
    let b = main.bind("b", Types::BUFFER);
    let i = main.bind("i", Types::INT);
    let bytes = vec![int(64)];
    let allocate =
        expr(ExprKind::Intrinsic { op: Intrinsic::Allocate, args: bytes }, Types::BUFFER);
    let jump = |kind| expr(kind, Types::NEVER);
    let test =
        |value| binary(BinaryOp::Eq, expr(ExprKind::Local(i), Types::INT), int(value), Types::BOOL);
    let inner = block(vec![
        main.let_(b, allocate),
        effect(when(test(1), jump(ExprKind::Break))),
        effect(when(test(2), jump(ExprKind::Continue))),
        effect(when(test(3), jump(ExprKind::Return(None)))),
    ]);
    let scope = ExprKind::Scope { name: None, body: Box::new(inner), end: span() };
    let body = block(vec![effect(expr(scope, Types::UNIT))]);
    let iter = Iter::Range { start: int(0), end: int(9), inclusive: false };
    let pattern = main.binding(i);
    let outer_body = block(vec![stmt(StmtKind::For { pattern, iter, body })]);
    let outer =
        ExprKind::Scope { name: Some("all".into()), body: Box::new(outer_body), end: span() };
    tree.main(main, block(vec![effect(expr(outer, Types::UNIT))]));
    let text = tree.text();
    has(&text, &["exit s1", "exit s0 all", "return ()"]);
    assert_eq!(text.matches("exit s1").count(), 4, "{text}");
    assert_eq!(text.matches("enter s1").count(), 1, "{text}");
}

#[test]
fn a_captured_var_is_a_cell_in_both_functions_and_a_captured_let_is_copied() {
    let mut tree = Tree::new();
    let func = tree.ty(Ty::Func { params: vec![Types::INT], result: Types::UNIT });
    let mut main = FuncBuilder::main();
    let total = main.declare("total", Types::INT, true, true);
    let step = main.declare("step", Types::INT, false, true);
    let add = main.bind("add", func);
    let x = main.bind("x", Types::INT);
    let sum = binary(BinaryOp::Add, main.get(x), main.get(step), Types::INT);
    let inner = block(vec![assign(main.get(total), Some(BinaryOp::Add), sum)]);
    let closure = ExprKind::Closure { params: vec![x], body: Box::new(inner), task: None };
    let callee = Box::new(main.get(add));
    let body = block(vec![
        main.let_(total, int(0)),
        main.let_(step, int(2)),
        main.let_(add, expr(closure, func)),
        effect(expr(ExprKind::CallValue { callee, args: vec![int(3)] }, Types::UNIT)),
        effect(print(vec![main.get(total)])),
    ]);
    tree.main(main, body);
    let text = tree.text();
    has(
        &text,
        &[
            "total_0 = new cell[int](0)",
            "step_1 = 2",
            "add_2 = closure main.closure(total_0, step_1)",
        ],
    );
    has(&text, &["func main.closure(x_0: int) -> () {", "captures (cell[int], int)"]);
    has(
        &text,
        &["total_1 = capture 0", "step_2 = capture 1", "_3 = add_int x_0, step_2", "_4 = *total_1"],
    );
}

#[test]
fn a_match_on_variants_is_one_switch_and_its_last_arm_the_rest() {
    let mut tree = Tree::new();
    let finding =
        tree.enumeration("Finding", &[("Normal", &[]), ("Fever", &[Types::FLOAT]), ("Other", &[])]);
    let mut func = FuncBuilder::new("degrees", Types::FLOAT);
    let f = func.param("f", finding);
    let c = func.bind("c", Types::FLOAT);
    let arm = |variant, fields, body| Arm {
        pattern: pattern(PatternKind::Variant { variant, fields }, finding),
        guard: None,
        body,
    };
    let number = |value| expr(ExprKind::Float(value), Types::FLOAT);
    let arms = vec![
        arm(0, vec![], number(37.0)),
        arm(1, vec![func.binding(c)], func.get(c)),
        arm(2, vec![], number(0.0)),
    ];
    let body = expr(ExprKind::Match { subject: Box::new(func.get(f)), arms }, Types::FLOAT);
    let func = tree.func(func, body);
    let fever = ExprKind::NewVariant { variant: 1, fields: vec![(0, number(39.5))] };
    calling(&mut tree, func, vec![(finding, expr(fever, finding))], Types::FLOAT);
    let text = tree.text();
    has(&text, &["arg_0 = new Finding.Fever(39.5)"]);
    // The small function was inlined into `main`, which is all that is left.
    has(&text, &["_4 = tag arg_0", "switch _4 {0: b2, 1: b3, else: b4}", "b2: (i0)", "_2 = 37.0"]);
    assert!(text.contains("inlined i0 = degrees"), "{text}");
    assert_eq!(text.matches("func ").count(), 1, "{text}");
}

#[test]
fn an_instance_is_named_with_its_types_and_made_once() {
    let mut tree = Tree::new();
    let t = tree.param(0);
    let list = tree.list(t);
    let ints = tree.list(Types::INT);
    let strings = tree.list(Types::STR);
    let mut func = FuncBuilder::new("each", Types::UNIT);
    func.generic(1);
    let xs = func.param("xs", list);
    let x = func.bind("x", t);
    let iter = Iter::List(func.get(xs));
    let body = block(vec![effect(print(vec![func.get(x)]))]);
    let body = block(vec![stmt(StmtKind::For { pattern: func.binding(x), iter, body })]);
    let each = tree.func(func, body);
    let empty = |ty| expr(ExprKind::List(vec![]), ty);
    let body = block(vec![
        effect(call(each, &[Types::INT], vec![empty(ints)], Types::UNIT)),
        effect(call(each, &[Types::INT], vec![empty(ints)], Types::UNIT)),
        effect(call(each, &[Types::STR], vec![empty(strings)], Types::UNIT)),
    ]);
    tree.main(FuncBuilder::main(), body);
    let text = tree.text();
    assert_eq!(text.matches("func each[int](xs_0: list[int])").count(), 1, "{text}");
    assert_eq!(text.matches("func each[string](xs_0: list[string])").count(), 1, "{text}");
    has(&text, &["_8 = native fmt_value[int](x_1, 0, -1, -1)"]);
    has(&text, &["_8 = native fmt_text(x_1)"]);
}

fn comparing(ty: TyId, tree: &mut Tree) -> FuncId {
    let t = tree.param(0);
    let mut func = FuncBuilder::new("before", Types::BOOL);
    func.generic(1);
    let (a, b) = (func.param("a", t), func.param("b", t));
    let body = at(span_at(7), binary(BinaryOp::Lt, func.get(a), func.get(b), Types::BOOL));
    let before = tree.func(func, body);
    let mut caller = FuncBuilder::new("sorted", Types::BOOL);
    caller.generic(1);
    let (a, b) = (caller.param("a", t), caller.param("b", t));
    let body = at(span_at(8), call(before, &[t], vec![caller.get(a), caller.get(b)], Types::BOOL));
    let sorted = tree.func(caller, body);
    let mut main = FuncBuilder::new("compare_two", Types::BOOL);
    let (a, b) = (main.param("a", ty), main.param("b", ty));
    let body = at(span_at(9), call(sorted, &[ty], vec![main.get(a), main.get(b)], Types::BOOL));
    tree.func(main, body)
}

#[test]
fn an_order_that_does_not_exist_is_reported_at_the_call_outside_generic_code() {
    let mut tree = Tree::new();
    let id = tree.record("Patient", 0, &[]);
    let patient = tree.ty(Ty::Record(id, vec![]));
    let func = comparing(patient, &mut tree);
    let new = || (patient, expr(ExprKind::NewRecord { fields: vec![] }, patient));
    calling(&mut tree, func, vec![new(), new()], Types::BOOL);
    let errors = tree.lower().expect_err("patients have no order");
    assert_eq!(errors.len(), 1);
    assert_eq!(errors[0].message, "`Patient` values have no order");
    let places: Vec<_> =
        errors[0].labels.iter().map(|label| (label.span.start, label.message.as_str())).collect();
    assert_eq!(
        places,
        [
            (9, "this call needs `sorted[Patient]`"),
            (8, "which needs `before[Patient]`"),
            (7, "this puts two `Patient` values in order"),
        ]
    );
    let code = medi_syntax::codes::explain(errors[0].code);
    assert!(code.is_some(), "{} is not explained", errors[0].code);
}

#[test]
fn each_type_is_ordered_in_its_own_way() {
    for (ty, line) in [
        (Types::INT, "lt a_0, b_1"),
        (Types::FLOAT, "lt_float a_0, b_1"),
        (Types::STR, "native string_compare(a_0, b_1)"),
    ] {
        let mut tree = Tree::new();
        let func = comparing(ty, &mut tree);
        let ty = tree.ty(Ty::Func { params: vec![ty, ty], result: Types::BOOL });
        let body = effect(expr(ExprKind::FuncValue { func, type_args: vec![] }, ty));
        let mut main = FuncBuilder::main();
        let f = main.bind("f", ty);
        let StmtKind::Expr(value) = body.kind else { unreachable!() };
        let body = block(vec![main.let_(f, value)]);
        tree.main(main, body);
        let text = tree.text();
        assert!(text.contains(line), "{line} is not in\n{text}");
    }
}

#[test]
fn equality_of_functions_inside_a_record_is_reported() {
    let mut tree = Tree::new();
    let func = tree.ty(Ty::Func { params: vec![], result: Types::INT });
    let id = tree.record("Rule", 0, &[("test", func)]);
    let rule = tree.ty(Ty::Record(id, vec![]));
    let mut same = FuncBuilder::new("same_rule", Types::BOOL);
    let a = same.param("a", rule);
    let body = binary(BinaryOp::Eq, same.get(a), same.get(a), Types::BOOL);
    let same = tree.func(same, body);
    let closure = ExprKind::Closure { params: vec![], body: Box::new(int(1)), task: None };
    let fields = vec![(0, expr(closure, func))];
    calling(&mut tree, same, vec![(rule, expr(ExprKind::NewRecord { fields }, rule))], Types::BOOL);
    let errors = tree.lower().expect_err("functions cannot be compared");
    assert_eq!(errors[0].message, "`Rule` values cannot be compared");
    assert_eq!(errors[0].why, ["a `Rule` holds a `func() -> int`, which cannot be compared"]);
}

#[test]
fn generic_code_that_grows_without_end_is_one_error() {
    let mut tree = Tree::new();
    let t = tree.param(0);
    let list = tree.list(t);
    let mut func = FuncBuilder::new("grow", Types::UNIT);
    func.generic(1);
    func.param("x", t);
    let id = FuncId(tree.program.funcs.len() as u32);
    let deeper = expr(ExprKind::List(vec![]), list);
    let grow = tree.func(func, call(id, &[list], vec![deeper], Types::UNIT));
    assert_eq!(grow, id);
    tree.main(FuncBuilder::main(), call(grow, &[Types::INT], vec![int(1)], Types::UNIT));
    let errors = tree.lower().expect_err("there is no end");
    assert_eq!(errors.len(), 1);
    assert_eq!(errors[0].message, "this generic code needs types without end");
}

#[test]
fn a_type_that_doubles_is_an_error_and_not_out_of_memory() {
    let mut tree = Tree::new();
    let t = tree.param(0);
    let pair = tree.ty(Ty::Tuple(vec![t, t]));
    let nested = RecordId(2);
    let next = tree.ty(Ty::Record(nested, vec![pair]));
    let next = tree.optional(next);
    assert_eq!(tree.record("Nest", 1, &[("next", next)]), nested);
    let nest = tree.ty(Ty::Record(nested, vec![Types::INT]));
    let mut main = FuncBuilder::main();
    let n = main.bind("n", nest);
    let nil = expr(ExprKind::Nil, next);
    let nil = Expr { ty: tree.program.types.substitute(next, &[Types::INT]), ..nil };
    let new = expr(ExprKind::NewRecord { fields: vec![(0, nil)] }, nest);
    let body = block(vec![main.let_(n, new)]);
    tree.main(main, body);
    let errors = tree.lower().expect_err("there is no end");
    assert!(errors.iter().all(|error| error.message.len() < 1000));
}

#[test]
fn a_plain_enum_fits_in_a_byte() {
    let mut tree = Tree::new();
    let none: &[TyId] = &[];
    let names: Vec<String> = (0..257).map(|index| format!("V{index}")).collect();
    let variants: Vec<_> = names.iter().map(|name| (name.as_str(), none)).collect();
    let wide = tree.enumeration("Code", &variants);
    let value = expr(ExprKind::NewVariant { variant: 256, fields: vec![] }, wide);
    tree.main(FuncBuilder::main(), block(vec![effect(print(vec![value]))]));
    let errors = tree.lower().expect_err("257 variants do not fit");
    assert_eq!(errors[0].message, "`Code` has 257 variants, more than 256");
}

#[test]
fn a_tuple_that_is_too_wide_to_copy_is_an_error() {
    let mut tree = Tree::new();
    let wide = tree.ty(Ty::Tuple(vec![Types::INT; 300]));
    let mut main = FuncBuilder::main();
    let t = main.bind("t", wide);
    let value = expr(ExprKind::Tuple((0..300).map(int).collect()), wide);
    let body = block(vec![main.let_(t, value)]);
    tree.main(main, body);
    let errors = tree.lower().expect_err("300 words do not fit");
    assert_eq!(errors.len(), 1);
    assert_eq!(errors[0].code, "E0953");
    assert!(errors[0].message.ends_with("is too wide"), "{}", errors[0].message);
}

#[test]
fn an_optional_of_an_optional_is_neither_wrapped_nor_unwrapped() {
    let mut tree = Tree::new();
    let t = tree.param(0);
    let maybe = tree.optional(t);
    let mut func = FuncBuilder::new("first_of", t);
    func.generic(1);
    let (x, default) = (func.param("x", t), func.param("default", t));
    let convert =
        ExprKind::Convert { conversion: Conversion::ToOptional, value: Box::new(func.get(x)) };
    let left = Box::new(expr(convert, maybe));
    let body = expr(ExprKind::Coalesce { left, right: Box::new(func.get(default)) }, t);
    let func = tree.func(func, body);
    let int_maybe = tree.optional(Types::INT);
    let nil = || expr(ExprKind::Nil, int_maybe);
    let mut main = FuncBuilder::main();
    let r = main.bind("r", int_maybe);
    let body = block(vec![main.let_(r, call(func, &[int_maybe], vec![nil(), nil()], int_maybe))]);
    tree.main(main, body);
    let text = tree.text();
    assert!(!text.contains("unwrap_some") && !text.contains(" = some"), "{text}");
}

#[test]
fn a_comparison_with_nil_asks_one_bit() {
    let mut tree = Tree::new();
    let maybe = tree.optional(Types::STR);
    let mut main = FuncBuilder::main();
    let x = main.bind("x", maybe);
    let y = main.bind("y", Types::BOOL);
    let nil = || expr(ExprKind::Nil, maybe);
    let body = block(vec![
        main.let_(x, nil()),
        main.let_(y, binary(BinaryOp::Ne, main.get(x), nil(), Types::BOOL)),
    ]);
    tree.main(main, body);
    has(&tree.text(), &["x_0 = nil", "y_1 = is_some x_0"]);
}

#[test]
fn a_local_that_changes_later_in_the_expression_is_read_before() {
    let mut tree = Tree::new();
    let mut main = FuncBuilder::main();
    let x = main.declare("x", Types::INT, true, false);
    let y = main.bind("y", Types::INT);
    let change = block_value(vec![assign(main.get(x), None, int(5))], int(1));
    let body = block(vec![
        main.let_(x, int(3)),
        main.let_(y, binary(BinaryOp::Add, main.get(x), change, Types::INT)),
    ]);
    tree.main(main, body);
    has(&tree.text(), &["x_0 = 3", "_2 = x_0", "x_0 = 5", "y_1 = add_int _2, 1"]);
}

#[test]
fn a_loop_over_a_map_passes_over_deleted_slots() {
    let mut tree = Tree::new();
    let map = tree.ty(Ty::Record(MAP, vec![Types::STR, Types::INT]));
    let pair = tree.ty(Ty::Tuple(vec![Types::STR, Types::INT]));
    let mut main = FuncBuilder::main();
    let (m, k, v) = (main.bind("m", map), main.bind("k", Types::STR), main.bind("v", Types::INT));
    let parts = vec![main.binding(k), main.binding(v)];
    let body = block(vec![effect(print(vec![main.get(k)]))]);
    let iter = Iter::Map(main.get(m));
    let loop_ = StmtKind::For { pattern: pattern(PatternKind::Tuple(parts), pair), iter, body };
    let literal = expr(ExprKind::Map(vec![(text("a"), int(1))]), map);
    let body = block(vec![main.let_(m, literal), stmt(loop_)]);
    tree.main(main, body);
    let text = tree.text();
    has(
        &text,
        &["_3 = native map_new()", "_4 = native map.set[string, int](_3, \"a\", 1)", "m_0 = _3"],
    );
    has(&text, &["k_1 = _10.0"]);
    assert_eq!(text.matches("native map.slot_count(m_0)").count(), 2, "{text}");
}

#[test]
fn a_failure_that_main_returns_stops_the_program_with_its_message() {
    let mut tree = Tree::new();
    let result = tree.ty(Ty::Result(Types::UNIT));
    let main = FuncBuilder::new("main", result);
    tree.main(main, expr(ExprKind::Fail(Box::new(text("no file"))), result));
    let program = tree.lower().expect("it is right");
    let main = &program.functions[program.main.index()];
    assert_eq!(main.result, Types::UNIT);
    assert!(mir::display(&program).contains("native raise_failure"));
}

#[test]
fn what_follows_a_call_that_does_not_come_back_is_gone() {
    let mut tree = Tree::new();
    let raise = tree.program.lang.raise;
    let body = block(vec![
        effect(call(raise, &[], vec![text("stop")], Types::NEVER)),
        effect(print(vec![text("never")])),
    ]);
    tree.main(FuncBuilder::main(), body);
    let text = tree.text();
    has(&text, &["_0 = native raise(\"stop\")", "unreachable", "}"]);
    assert!(!text.contains("never"), "{text}");
}

#[test]
fn an_error_is_handed_on_out_of_the_scopes_around_it() {
    let mut tree = Tree::new();
    let result = tree.ty(Ty::Result(Types::INT));
    let read = tree.native("read", 0, &[], result);
    let mut func = FuncBuilder::new("twice", result);
    let x = func.bind("x", Types::INT);
    let tried = ExprKind::Try(Box::new(call(read, &[], vec![], result)));
    let inner = block_value(vec![func.let_(x, expr(tried, Types::INT))], func.get(x));
    let scope = ExprKind::Scope { name: None, body: Box::new(inner), end: span() };
    let body = expr(ExprKind::Ok(Box::new(expr(scope, Types::INT))), result);
    let func = tree.func(func, body);
    calling(&mut tree, func, vec![], result);
    has(&tree.text(), &["_3 = unwrap_err _1", "_4 = err _3", "exit s0", "return _4"]);
}

#[test]
fn a_small_function_is_inlined_and_its_call_recorded() {
    let mut tree = Tree::new();
    let mut func = FuncBuilder::new("next", Types::INT);
    let x = func.param("x", Types::INT);
    let body = binary(BinaryOp::Add, func.get(x), int(1), Types::INT);
    let next = tree.func(func, body);
    let mut main = FuncBuilder::main();
    let y = main.bind("y", Types::INT);
    let value = at(span_at(4), call(next, &[], vec![int(2)], Types::INT));
    let body = block(vec![main.let_(y, value), effect(print(vec![main.get(y)]))]);
    tree.main(main, body);
    let program = tree.lower().expect("it is right");
    assert_eq!(program.functions.len(), 1);
    let main = &program.functions[0];
    let call = mir::InlinedCall { name: "next".into(), call: span_at(4), parent: None };
    assert_eq!(main.inlined, [call]);
    let inlined = main.blocks.iter().find(|block| block.inlined.is_some());
    assert!(inlined.is_some_and(|block| !block.stmts.is_empty()));
    has(&mir::display(&program), &["_2 = add_int 2, 1"]);
}

#[test]
fn an_inlined_call_inside_an_inlined_call_knows_where_it_stands() {
    let mut tree = Tree::new();
    let mut func = FuncBuilder::new("inner", Types::INT);
    let x = func.param("x", Types::INT);
    let body = binary(BinaryOp::Add, func.get(x), int(1), Types::INT);
    let inner = tree.func(func, body);
    let mut func = FuncBuilder::new("outer", Types::INT);
    let x = func.param("x", Types::INT);
    let more = at(span_at(2), call(inner, &[], vec![func.get(x)], Types::INT));
    let body = binary(BinaryOp::Mul, more, int(3), Types::INT);
    let outer = tree.func(func, body);
    let value = || at(span_at(5), call(outer, &[], vec![int(1)], Types::INT));
    tree.main(FuncBuilder::main(), block(vec![effect(print(vec![value(), value()]))]));
    let program = tree.lower().expect("it is right");
    let frame = |name: &str, at, parent: Option<u32>| mir::InlinedCall {
        name: name.into(),
        call: span_at(at),
        parent: parent.map(mir::InlineId),
    };
    let frames = [
        frame("outer", 5, None),
        frame("inner", 2, Some(0)),
        frame("outer", 5, None),
        frame("inner", 2, Some(2)),
    ];
    assert_eq!(program.functions[0].inlined, frames);
}

#[test]
fn a_function_that_cannot_stop_the_program_leaves_no_trace_of_its_call() {
    let mut tree = Tree::new();
    let mut func = FuncBuilder::new("half", Types::FLOAT);
    let x = func.param("x", Types::FLOAT);
    let two = expr(ExprKind::Float(2.0), Types::FLOAT);
    let body = binary(BinaryOp::Div, func.get(x), two, Types::FLOAT);
    let half = tree.func(func, body);
    let mut main = FuncBuilder::main();
    let y = main.declare("y", Types::FLOAT, true, false);
    let one = expr(ExprKind::Float(1.0), Types::FLOAT);
    let value = call(half, &[], vec![main.get(y)], Types::FLOAT);
    let body = block(vec![main.let_(y, one), assign(main.get(y), None, value)]);
    tree.main(main, body);
    let program = tree.lower().expect("it is right");
    assert!(program.functions[0].inlined.is_empty());
    has(&mir::display(&program), &["y_0 = 1.0", "y_0 = div_float y_0, 2.0", "return ()"]);
}

#[test]
fn a_call_of_itself_that_would_return_at_once_is_not_made() {
    let mut tree = Tree::new();
    let mut func = FuncBuilder::new("sum", Types::INT);
    let n = func.param("n", Types::INT);
    let id = FuncId(tree.program.funcs.len() as u32);
    let low = binary(BinaryOp::Lt, func.get(n), int(1), Types::BOOL);
    let back = expr(ExprKind::Return(Some(Box::new(func.get(n)))), Types::NEVER);
    let less = binary(BinaryOp::Sub, func.get(n), int(1), Types::INT);
    let deeper = at(span_at(4), call(id, &[], vec![less], Types::INT));
    let value = binary(BinaryOp::Add, func.get(n), deeper, Types::INT);
    let sum = tree.func(func, block_value(vec![effect(when(low, back))], value));
    let value = call(sum, &[], vec![int(30)], Types::INT);
    tree.main(FuncBuilder::main(), block(vec![effect(value)]));
    let program = tree.lower().expect("it is right");
    let [_, sum] = &program.functions[..] else { panic!("{}", mir::display(&program)) };
    // Itself, three levels, and the test in front of the one call that is left.
    let text = mir::display(&program);
    assert_eq!(text.matches("= lt ").count(), 5, "{text}");
    let calls = sum.blocks.iter().filter_map(|block| {
        let calls = |stmt: &&mir::Stmt| {
            matches!(stmt.kind, mir::StmtKind::Assign(_, mir::Rvalue::Call { .. }))
        };
        block.stmts.iter().find(calls).map(|stmt| (block.inlined, stmt.span))
    });
    // Made in the third level's frame, where it is written.
    assert_eq!(calls.collect::<Vec<_>>(), [(Some(mir::InlineId(2)), span_at(4))]);
}

#[test]
fn a_small_function_takes_in_a_few_levels_of_its_own_calls() {
    let mut tree = Tree::new();
    let mut func = FuncBuilder::new("down", Types::INT);
    let n = func.param("n", Types::INT);
    let id = FuncId(tree.program.funcs.len() as u32);
    let less = binary(BinaryOp::Sub, func.get(n), int(1), Types::INT);
    let body = at(span_at(4), call(id, &[], vec![less], Types::INT));
    let down = tree.func(func, body);
    let value = call(down, &[], vec![int(3)], Types::INT);
    tree.main(FuncBuilder::main(), block(vec![effect(value)]));
    let program = tree.lower().expect("it is right");
    let level = |parent: Option<u32>| mir::InlinedCall {
        name: "down".into(),
        call: span_at(4),
        parent: parent.map(mir::InlineId),
    };
    let [main, down] = &program.functions[..] else { panic!("{}", mir::display(&program)) };
    assert!(main.inlined.is_empty());
    assert_eq!(down.inlined, [level(None), level(Some(0)), level(Some(1))]);
    let text = mir::display(&program);
    assert_eq!(text.matches("= call down(").count(), 2, "{text}");
    assert_eq!(text.matches("sub_int").count(), 4, "{text}");
}
