//! Each construct of the language checks, with the types that the reference promises.

use medi_check::hir::{Body, Expr, ExprKind, Func, PatternKind, StmtKind};
use medi_check::types::{Ty, TyId};

use super::{Checked, check_source};

/// Checks a program, which must give no diagnostic at all.
#[track_caller]
fn accept(text: &str) -> Checked {
    let checked = check_source("accepted.medi", text, false);
    assert!(checked.diagnostics.is_empty(), "{}", checked.messages());
    super::tree::verify(checked.program.as_ref().expect("a program without errors"));
    checked
}

/// Checks statements in a function.
#[track_caller]
fn accept_body(statements: &str) -> Checked {
    accept(&format!("{CLINIC}\nfunc test() {{\n{statements}\n}}"))
}

const CLINIC: &str = "
record Vital { temperature_c: float, pulse_bpm: int }
record Patient { id: string, age: int, vitals: list[Vital], next: Patient? }
enum Finding { Normal, Fever(celsius: float), Unknown(reason: string) }
func Patient.latest_pulse(self) -> int? {
  if self.vitals.is_empty() { return nil }
  return self.vitals.last().pulse_bpm
}
func largest[T](xs: list[T], key: func(T) -> float) -> T? {
  var best: T? = nil
  var top = 0.0
  for x in xs {
    if best == nil or key(x) > top {
      best = x
      top = key(x)
    }
  }
  return best
}
func patients() -> list[Patient] { return [Patient { id: \"p1\", age: 40, vitals: [] }] }
";

fn func<'p>(checked: &'p Checked, name: &str) -> &'p Func {
    let program = checked.program.as_ref().expect("the program checked");
    program.funcs.iter().rev().find(|func| func.name == name).expect("a function of that name")
}

/// The types of the locals of `test`, by name.
#[track_caller]
fn local(checked: &Checked, name: &str) -> String {
    let program = checked.program.as_ref().expect("the program checked");
    let found = func(checked, "test").locals.iter().find(|local| local.name == name);
    shown(found.unwrap_or_else(|| panic!("a local {name}")).ty, program)
}

fn shown(ty: TyId, program: &medi_check::hir::Program) -> String {
    match program.types.get(ty) {
        Ty::Int => "int".into(),
        Ty::Float => "float".into(),
        Ty::Bool => "bool".into(),
        Ty::Byte => "byte".into(),
        Ty::Str => "string".into(),
        Ty::Unit => "()".into(),
        Ty::Buffer => "Buffer".into(),
        Ty::Optional(inner) => format!("{}?", shown(*inner, program)),
        Ty::Result(inner) => format!("Result[{}]", shown(*inner, program)),
        Ty::View(inner) => format!("View[{}]", shown(*inner, program)),
        Ty::Tuple(parts) => {
            let parts: Vec<String> = parts.iter().map(|p| shown(*p, program)).collect();
            format!("({})", parts.join(", "))
        }
        Ty::Record(id, args) => {
            let name = &program.records[id.0 as usize].name;
            let args: Vec<String> = args.iter().map(|p| shown(*p, program)).collect();
            if args.is_empty() { name.clone() } else { format!("{name}[{}]", args.join(", ")) }
        }
        Ty::Enum(id, _) => program.enums[id.0 as usize].name.clone(),
        Ty::Func { params, result } => {
            let params: Vec<String> = params.iter().map(|p| shown(*p, program)).collect();
            format!("func({}) -> {}", params.join(", "), shown(*result, program))
        }
        other => format!("{other:?}"),
    }
}

fn body(func: &Func) -> &Expr {
    match &func.body {
        Body::Checked(body) => body,
        other => panic!("{} is {other:?}", func.name),
    }
}

#[test]
fn the_two_functions_of_the_seed_check() {
    accept(
        "record PatientList { n: int }
         record Statistics { n: int }
         record GenomicData { n: int }
         record VariantList { n: int }
         func compute_statistics(patients: PatientList) -> Statistics { return Statistics { n: patients.n } }
         func identify_variants(data: GenomicData, buffer: Buffer) -> VariantList {
           return VariantList { n: data.n + len(buffer) }
         }
         func analyze_patients(patients: PatientList) -> Statistics {
           return compute_statistics(patients)
         }
         func process_genomic_data(data: GenomicData) -> VariantList {
           scope {
             let buffer = allocate(1GB)
             return identify_variants(data, buffer)
           }
         }",
    );
}

#[test]
fn literals_take_the_type_that_is_wanted() {
    let checked = accept_body(
        "let t: float = 37
         let b: byte = 255
         let n = 2
         let half = n / 4
         let x = t * 2 + 1
         let y = 2 * t
         let z = -1
         let many: list[float] = [1, 2, 3]
         let mixed = [1, 2.5]
         let maybe: float? = 1
         let bytes: list[byte] = [1, 2]
         let lowest = -9223372036854775808
         print(t, b, half, x, y, z, many, mixed, maybe, bytes, lowest, b == 1, 1 == b)",
    );
    assert_eq!(local(&checked, "half"), "float");
    assert_eq!(local(&checked, "x"), "float");
    assert_eq!(local(&checked, "z"), "int");
    assert_eq!(local(&checked, "mixed"), "list[float]");
    assert_eq!(local(&checked, "bytes"), "list[byte]");
}

#[test]
fn an_empty_list_gets_its_type_from_later_use() {
    let checked = accept_body(
        "let xs = []
         xs.push(1)
         let m = [:]
         m[\"a\"] = xs
         print(xs, m)",
    );
    assert_eq!(local(&checked, "xs"), "list[int]");
    assert_eq!(local(&checked, "m"), "map[string, list[int]]");
}

#[test]
fn constructors_of_empty_collections_name_their_types() {
    let checked = accept_body(
        "let a = list[int]()
         let b = map[string, int]()
         let c = list[Patient]()
         let d = map[string, list[Patient?]]()
         let e = list[(int, float)]()
         print(a, b, c, d, e)",
    );
    assert_eq!(local(&checked, "c"), "list[Patient]");
    assert_eq!(local(&checked, "d"), "map[string, list[Patient?]]");
    assert_eq!(local(&checked, "e"), "list[(int, float)]");
}

#[test]
fn ints_become_floats_and_bytes_ints_never_back() {
    let checked = accept_body(
        "let n = 3
         let b: byte = 7
         let x: float = n
         let y = n + 0.5
         let z = b + n
         let p = 2 ** 10
         let q = 2.0 ** n
         let r = n % 2
         let s = x % 2
         let m = max(n, x)
         let i = int(x) + round(2.5) + int(true) + int(b)
         let back = byte(n)
         print(x, y, z, p, q, r, s, m, i, back, float(n), sqrt(n), abs(-n), min(1, 2), floor(x))",
    );
    assert_eq!(local(&checked, "z"), "int");
    assert_eq!(local(&checked, "p"), "int");
    assert_eq!(local(&checked, "q"), "float");
    assert_eq!(local(&checked, "s"), "float");
    assert_eq!(local(&checked, "m"), "float");
}

#[test]
fn strings_and_lists_are_joined_by_plus() {
    accept_body(
        "let s = \"a\" + \"b\" + str(1)
         var xs = [1] + [2, 3]
         xs += [4]
         var text = \"\"
         text += \"{s:>8} {1.5:.2} {3:.1}\"
         print(s, xs, text, s < text, xs == [1])",
    );
}

#[test]
fn generic_functions_find_their_type_arguments() {
    let checked = accept_body(
        "let oldest = largest(patients(), p => p.age)
         let ages = patients().map(p => p.age)
         let total = ages.fold(0.0, (sofar, age) => sofar + age)
         let names = patients().filter(p => p.age > 65).map(p => p.id)
         let text = ages.map(str)
         let floats = ages.map(float)
         let explicit = largest[int]([1, 2], x => x)
         print(oldest, total, names, text, floats, explicit)",
    );
    assert_eq!(local(&checked, "oldest"), "Patient?");
    assert_eq!(local(&checked, "total"), "float");
    assert_eq!(local(&checked, "names"), "list[string]");
    assert_eq!(local(&checked, "text"), "list[string]");
    assert_eq!(local(&checked, "floats"), "list[float]");
}

#[test]
fn generic_records_and_enums_are_made_and_matched() {
    let checked = accept(
        "record Pair[A, B] { first: A, second: B }
         enum Tree[T] { Leaf, Node(left: Tree[T], value: T, right: Tree[T]) }
         func Tree[T].size(self) -> int {
           return match self {
             Leaf => 0
             Node(l, _, r) => l.size() + 1 + r.size()
           }
         }
         func test() {
           let p = Pair { first: 1, second: \"a\" }
           let q = Pair[float, int] { first: 1, second: 2 }
           let t: Tree[int] = Node(Leaf, 1, Leaf)
           let u = Tree.Node(left: t, value: 2, right: Leaf)
           print(p.first + 1, q.first, t.size(), u)
         }",
    );
    assert_eq!(local(&checked, "p"), "Pair[int, string]");
    assert_eq!(local(&checked, "q"), "Pair[float, int]");
}

#[test]
fn optionals_are_opened_in_every_promised_way() {
    let checked = accept_body(
        "let p = patients().first()
         let pulse = p.latest_pulse() ?? 0
         let next = p.next?.age
         let far = p.next?.next?.vitals.last().pulse_bpm
         let count = p.next?.vitals.len() ?? 0
         if let n = p.next { print(n.id) } else { print(\"none\") }
         var at = p.next
         while let here = at { at = here.next }
         let sure = p.next!.age
         let text = match p.next { nil => \"last\", n => n.id }
         p.next?.vitals.push(Vital { temperature_c: 37, pulse_bpm: 60 })
         print(pulse, next, far, count, sure, text, p.next == nil, next == 3)",
    );
    assert_eq!(local(&checked, "pulse"), "int");
    assert_eq!(local(&checked, "next"), "int?");
    assert_eq!(local(&checked, "far"), "int?");
}

#[test]
fn results_are_handed_on_handled_or_stop_the_program() {
    let checked = accept(
        "func number(path: string) -> Result[int] {
           let text = read_text(path)?
           if text.is_empty() { return fail(\"{path} is empty\") }
           if read_text(path)?.trim().is_empty() { return 1 }
           return text.trim().parse_int() ?? 0
         }
         func all(paths: list[string]) -> Result[()] {
           for path in paths {
             if number(path)? > 3 { return }
           }
           write_text(\"x\", \"y\")?
         }
         func save(n: int) -> Result[()] { write_text(\"x\", str(n)) }
         func test() {
           let n: int = number(\"a\")
           let m = number(\"b\").or(0) + number(\"c\")
           let trimmed = read_text(\"d\").trim()
           let text = match number(\"e\") { Ok(v) => \"{v}\", Err(message) => message }
           if let Ok(v) = number(\"f\") { print(v) }
           write_text(\"x\", trimmed)!
           save(n)!
           all([text])!
           for c in read_text(\"g\") { print(c) }
           print(m, number(\"h\"))
         }",
    );
    assert_eq!(local(&checked, "m"), "int");
    assert_eq!(local(&checked, "trimmed"), "string");
}

#[test]
fn matches_cover_enums_literals_ranges_tuples_and_guards() {
    let checked = accept(
        "enum Finding { Normal, Fever(celsius: float), Unknown(reason: string) }
         const HIGH = 100
         func test(f: Finding, n: int, b: bool, s: string) -> string {
           let a = match f {
             Normal => 1
             Fever(c) if c > 40 => 2
             Finding.Fever(celsius: _) => 3
             Unknown(_) => 4
           }
           let c = match n {
             0 => \"none\"
             1..=9 => \"few\"
             -5..0 | HIGH => \"odd\"
             _ => \"many\"
           }
           let d = match (b, n) {
             (true, _) => 1.0
             (false, 0) => 2
             (false, k) => k * 0.5
           }
           let e = match s { \"a\" | \"b\" => b, other => other == c }
           match n { 1 => print(a), _ => {} }
           return match b { true => \"{d}\", false => \"{e}\" }
         }",
    );
    assert_eq!(local(&checked, "a"), "int");
    assert_eq!(local(&checked, "d"), "float");
}

#[test]
fn every_path_may_return_in_its_own_way() {
    accept(
        "func sign(x: int) -> int { if x < 0 { return -1 } else if x > 0 { return 1 } else { return 0 } }
         func value(x: int) -> int { if x < 0 { -1 } else { 1 } }
         func forever(x: int) -> int {
           var n = x
           while true { n += 1
             if n > 10 { return n } }
         }
         func in_scope() -> int { scope { let b = allocate(8)
           return int(b[0]) } }
         func scoped() -> int { scope { let b = allocate(8)
           len(b) } }
         func stops() -> int { exit(1) }
         func matched(x: int?) -> int { match x { nil => 0, n => n } }",
    );
}

#[test]
fn loops_go_over_ranges_lists_maps_views_and_text() {
    let checked = accept_body(
        "for i in 0..3 { if i == 1 { continue } else { break } }
         for i in 0..=patients().len() { print(i) }
         for p in patients() { print(p.id) }
         for (name, count) in [\"a\": 1] { print(name, count) }
         for (a, b) in [(1, 2.0)] { print(a, b) }
         for _ in 0..2 { print() }
         for letter in \"abc\" { print(letter) }
         var n = 0
         while n < 3 { n += 1 }",
    );
    assert_eq!(local(&checked, "letter"), "string");
    assert_eq!(local(&checked, "b"), "float");
}

#[test]
fn places_are_assigned_through_fields_elements_and_tuples() {
    accept_body(
        "let p = patients()[0]
         p.age += 1
         p.vitals[0].pulse_bpm = 60
         p.next = p
         p.next = nil
         var pair = (1, 2.0)
         pair.0 = 3
         pair.1 += 1
         let counts = [\"a\": 1]
         counts[\"b\"] = 2
         counts[\"b\"] += 2
         let bytes: list[byte] = [0]
         bytes[0] = 1
         print(p, pair, counts, bytes)",
    );
}

#[test]
fn closures_capture_and_are_called() {
    let checked = accept_body(
        "var count = 0
         let step = 2
         let add = (n: int) => { count += n * step }
         add(1)
         let twice = (f: func(int) -> int, x: int) => f(f(x))
         let made = () => (x: int) => x + step
         let g: func(float) -> float = x => x * 2
         patients().each(p => print(p.id))
         print(count, twice(x => x + 1, 3), made()(2), g(1))",
    );
    let test = func(&checked, "test");
    let captured: Vec<&str> =
        test.locals.iter().filter(|l| l.captured).map(|l| l.name.as_str()).collect();
    assert_eq!(captured, ["count", "step"]);
    assert_eq!(local(&checked, "made"), "func() -> func(int) -> int");
}

#[test]
fn functions_are_values() {
    let checked = accept(
        "func double(x: int) -> int { return x * 2 }
         func same_thing[T](x: T) -> T { return x }
         func apply(f: func(int) -> int) -> int { return f(2) }
         func test() {
           let f = double
           let fs = [double, same_thing]
           print(f(1), apply(double), apply(same_thing), fs[0](3), [1].map(double))
         }",
    );
    assert_eq!(local(&checked, "f"), "func(int) -> int");
}

#[test]
fn named_arguments_go_to_their_parameters() {
    let checked = accept(
        "func bmi(weight_kg: float, height_m: float) -> float { return weight_kg / (height_m * height_m) }
         func test() -> float { return bmi(height_m: 1.8, weight_kg: 80) }",
    );
    let test = body(func(&checked, "test"));
    let ExprKind::Block { stmts, .. } = &test.kind else { panic!("a block") };
    let StmtKind::Expr(Expr { kind: ExprKind::Return(Some(call)), .. }) = &stmts[0].kind else {
        panic!("a return")
    };
    let ExprKind::Call { args, .. } = &call.kind else { panic!("a call") };
    assert!(matches!(args[0].kind, ExprKind::Float(80.0)));
}

#[test]
fn overloads_of_the_library_are_chosen_by_their_arguments() {
    let checked = accept_body(
        "let a = sum([1, 2])
         let b = sum([1.5])
         let c = max([1, 2])
         let d = max(1, 2)
         scope {
           let v = allocate(1KB).view[float]()
           let e = sum(v)
           print(e)
         }
         print(a, b, c, d)",
    );
    assert_eq!(local(&checked, "a"), "int");
    assert_eq!(local(&checked, "b"), "float");
    assert_eq!(local(&checked, "c"), "int?");
    assert_eq!(local(&checked, "d"), "int");
    assert_eq!(local(&checked, "e"), "float");
}

#[test]
fn scope_memory_is_viewed_sliced_promoted_and_freed() {
    let checked = accept_body(
        "scope outer {
           let b = allocate(4KB)
           b[0] = 1
           let v = b.view[int](0, 16)
           let w: View[float] = b.view()
           let named = b.view[byte](length: 8)
           v[0] += 3
           let s = v.slice(0, 2)
           let t = v[1..3]
           for x in s { print(x) }
           let kept = promote(v)
           let raw = promote(b)
           let plain = promote(3)
           print(len(b), v.len(), w.len(), named[0], t[0], kept, raw, plain)
           free(b)
         }",
    );
    assert_eq!(local(&checked, "kept"), "list[int]");
    assert_eq!(local(&checked, "raw"), "list[byte]");
    assert_eq!(local(&checked, "t"), "View[int]");
}

#[test]
fn constants_are_folded_in_any_order() {
    let checked = accept(
        "const B = A * 2 + 1
         const A: int = 10
         const RATE: float = 3
         const LIMIT: byte = 200
         const NAME = \"med\" + \"i\"
         const WIDE = 1GB
         const PAIR = (A, RATE)
         const YES = A > 3 and not false
         func test() {
           let x = B
           let b: byte = LIMIT
           print(x, RATE / 2, b, NAME, WIDE, PAIR.0, YES)
         }",
    );
    assert_eq!(local(&checked, "x"), "int");
}

#[test]
fn a_users_declaration_hides_the_librarys() {
    let checked = accept(
        "func sum(xs: list[int]) -> string { return \"{xs.len()}\" }
         func len(x: int) -> int { return x }
         record memory { used: int }
         func test() {
           let a = sum([1])
           let m = memory { used: len(3) }
           print(a, m.used)
         }",
    );
    assert_eq!(local(&checked, "a"), "string");
}

#[test]
fn only_the_library_bodies_that_are_reached_are_checked() {
    let checked = accept("func test() { print([1].len()) }");
    let program = checked.program.as_ref().expect("the program checked");
    let is_checked = |name: &str| {
        let found = program.funcs.iter().find(|func| func.name == name);
        matches!(found.expect("a function").body, Body::Checked(_))
    };
    assert!(is_checked("list.len"));
    assert!(!is_checked("list.sort_by"));
    assert!(!is_checked("map.set"));
}

#[test]
fn to_string_is_called_where_a_value_is_printed() {
    let checked = accept(
        "record Dose { mg: float }
         func Dose.to_string(self) -> string { return \"{self.mg} mg\" }
         func test() { print(Dose { mg: 2 }) }",
    );
    let ExprKind::Block { stmts, .. } = &body(func(&checked, "test")).kind else { panic!("block") };
    let StmtKind::Expr(Expr { kind: ExprKind::Print(pieces), .. }) = &stmts[0].kind else {
        panic!("a print")
    };
    let medi_check::hir::Piece::Value { value, .. } = &pieces[0] else { panic!("a value") };
    assert!(matches!(value.kind, ExprKind::Call { .. }));
    accept(
        "record Dose { mg: float }
         func Dose.to_string(self) -> string { return \"{self.mg} mg\" }
         func test(d: Dose?) {
           var (a, b) = (d, d)
           a = nil
           print(a, \"{b}\")
         }",
    );
}

#[test]
fn static_functions_are_called_on_their_type() {
    accept(
        "record Patient { id: string }
         func Patient.unknown() -> Patient { return Patient { id: \"?\" } }
         func int.double(self) -> int { return self * 2 }
         func test() {
           memory.collect()
           print(Patient.unknown().id, 3.double())
         }",
    );
}

#[test]
fn branches_that_leave_take_the_type_of_the_others() {
    let checked = accept(
        "func test(x: int?) -> int {
           let y = if let n = x { n } else { return 0 }
           let z = match y { 0 => { return 1 }, n => n * 2 }
           let w = x ?? 3
           return y + z + w
         }",
    );
    assert_eq!(local(&checked, "y"), "int");
}

#[test]
fn a_name_in_a_pattern_on_an_optional_is_the_value_that_is_there() {
    let checked = accept("func test(x: int?) -> int { return match x { nil => 0, n => n } }");
    let test = func(&checked, "test");
    let ExprKind::Block { stmts, .. } = &body(test).kind else { panic!("a block") };
    let StmtKind::Expr(Expr { kind: ExprKind::Return(Some(matched)), .. }) = &stmts[0].kind else {
        panic!("a return")
    };
    let ExprKind::Match { arms, .. } = &matched.kind else { panic!("a match") };
    assert!(matches!(arms[0].pattern.kind, PatternKind::Nil));
    assert!(matches!(arms[1].pattern.kind, PatternKind::Some(_)));
}

#[test]
fn main_is_found_in_its_forms() {
    for main in [
        "func main() { print(1) }",
        "func main(args: list[string]) { print(args) }",
        "func main() -> Result[()] { return fail(\"no\") }",
    ] {
        let checked = check_source("main.medi", main, true);
        assert!(checked.diagnostics.is_empty(), "{}", checked.messages());
        assert!(checked.program.expect("the program checked").main.is_some());
    }
}

#[test]
fn deep_and_long_programs_do_not_overflow_the_stack() {
    let mut deep = String::from("func test() {\n");
    for index in 0..3000 {
        let inner = if index == 0 { "1".to_string() } else { format!("x{}", index - 1) };
        deep.push_str(&format!("let x{index} = [{inner}]\n"));
    }
    deep.push_str("print(x2999)\n}");
    let checked = check_source("deep.medi", &deep, false);
    assert!(checked.diagnostics.iter().any(|diagnostic| diagnostic.code == "E0323"));
    let sum = vec!["1"; 5000].join(" + ");
    check_source("long.medi", &format!("func test() -> int {{ return {sum} }}"), false);
    let chain = vec!["if test() { }"; 5000].join(" else ");
    check_source("chain.medi", &format!("func test() -> bool {{ {chain} }}"), false);
}

#[test]
fn what_never_comes_back_may_stand_anywhere() {
    let text = "
        enum Finding { Normal, Fever(celsius: float) }
        record Patient { id: string, next: Patient? }
        func stop() -> int { exit(1) }
        func pick(x: int?) -> int {
          let y = x ?? raise(\"none\")
          let z: float = if y > 3 { 1 } else { exit(2) }
          print(exit(3))
          let s = \"{raise(\"in text\")}\"
          let xs = [1, exit(4)]
          let t = (exit(5), 2)
          let p = Patient { id: raise(\"field\") }
          let sum = 1 + exit(6)
          let cmp = exit(7) == 1
          let both = true and exit(8)
          let f = () => exit(9)
          let g = xs.map(n => raise(\"each\"))
          return match y { 0 => raise(\"zero\"), n => n }
        }
        func loops() -> int {
          for x in [1] { return x }
          while true { if stop() == 1 { exit(10) } }
        }
        func main() {
          print(pick(1), loops(), stop())
          if raise(\"cond\") { print(1) }
          match raise(\"subject\") { 1 => print(1), _ => print(2) }
          return exit(0)
        }";
    let checked = check_source("never.medi", text, true);
    let Some(program) = &checked.program else { panic!("{}", checked.messages()) };
    super::tree::verify(program);
    let program = checked.program.expect("a program");
    let lowered = medi_check::lower::lower(program).expect("a checked program lowers");
    assert_eq!(medi_check::mir::validate(&lowered), Vec::<String>::new());
}
