//! What programs mean to the parser: precedence, line ends, strings, literals and the shapes of
//! declarations, printed as s-expressions.

use medi_syntax::ast::*;
use medi_syntax::source::SourceMap;

fn parse(text: &str) -> Module {
    let mut sources = SourceMap::default();
    let file = sources.add("tree.medi", text.to_string(), true);
    let (module, diagnostics) = medi_syntax::parse(&sources, file);
    assert!(diagnostics.is_empty(), "{text}\n{diagnostics:#?}");
    module
}

/// The statements of a function's body, printed.
fn stmts(body: &str) -> String {
    let module = parse(&format!("func f() {{\n{body}\n}}\n"));
    let Item::Func(func) = &module.items[0] else { panic!("a function was written") };
    let body = func.body.as_ref().expect("a body was written");
    body.stmts.iter().map(stmt).collect::<Vec<_>>().join(" ")
}

/// The signature of the only function, printed.
fn signature(text: &str) -> String {
    let module = parse(text);
    let [Item::Func(func)] = &module.items[..] else { panic!("one function was written") };
    let names =
        |names: &[Ident]| names.iter().map(|name| name.name.as_str()).collect::<Vec<_>>().join(",");
    let receiver = func.receiver.as_ref().map_or(String::new(), |receiver| {
        let type_params = names(&receiver.type_params);
        let takes = if receiver.takes_self { "self" } else { "static" };
        format!("{}[{type_params}] {takes} ", receiver.type_name.name)
    });
    let params: Vec<String> =
        func.params.iter().map(|param| format!("{}:{}", param.name.name, ty(&param.ty))).collect();
    let result = func.result.as_ref().map_or("()".to_string(), ty);
    let native = if func.body.is_none() { " native" } else { "" };
    format!(
        "{receiver}{}[{}]({}) {result}{native}",
        func.name.name,
        names(&func.type_params),
        params.join(" ")
    )
}

fn ty(ty: &TypeExpr) -> String {
    let list = |types: &[TypeExpr]| types.iter().map(self::ty).collect::<Vec<_>>().join(" ");
    match &ty.kind {
        TypeKind::Name { name, args } if args.is_empty() => name.name.clone(),
        TypeKind::Name { name, args } => format!("{}[{}]", name.name, list(args)),
        TypeKind::Optional(inner) => format!("{}?", self::ty(inner)),
        TypeKind::Tuple(types) => format!("({})", list(types)),
        TypeKind::Func { params, result } => {
            let result = result.as_ref().map_or("()".to_string(), |result| self::ty(result));
            format!("func({})->{result}", list(params))
        }
        TypeKind::Own(inner) => format!("own {}", self::ty(inner)),
        TypeKind::Error => "ERROR".into(),
    }
}

fn block(block: &Block) -> String {
    format!("{{{}}}", block.stmts.iter().map(stmt).collect::<Vec<_>>().join(" "))
}

fn cond(cond: &Cond) -> String {
    match cond {
        Cond::Expr(value) => expr(value),
        Cond::Let { pattern, value } => format!("(let {} {})", pat(pattern), expr(value)),
    }
}

fn stmt(stmt: &Stmt) -> String {
    match &stmt.kind {
        StmtKind::Let { mutable, pattern, ty, value } => {
            let keyword = if *mutable { "var" } else { "let" };
            let ty = ty.as_ref().map_or(String::new(), |ty| format!(":{}", self::ty(ty)));
            format!("({keyword} {}{ty} {})", pat(pattern), expr(value))
        }
        StmtKind::Assign { target, op, value } => {
            let op = op.map_or(String::new(), |op| format!("{op:?}"));
            format!("(={op} {} {})", expr(target), expr(value))
        }
        StmtKind::Expr(value) => expr(value),
        StmtKind::While { cond, body } => format!("(while {} {})", self::cond(cond), block(body)),
        StmtKind::For { pattern, iter, body, parallel } => {
            let keyword = if *parallel { "parallel-for" } else { "for" };
            format!("({keyword} {} {} {})", pat(pattern), expr(iter), block(body))
        }
        StmtKind::Scope(scope) => self::scope(scope),
        StmtKind::Parallel(body) => format!("(parallel {})", block(body)),
        StmtKind::Return(None) => "(return)".into(),
        StmtKind::Return(Some(value)) => format!("(return {})", expr(value)),
        StmtKind::Break => "(break)".into(),
        StmtKind::Continue => "(continue)".into(),
    }
}

fn scope(scope: &Scope) -> String {
    let name = scope.name.as_ref().map_or("", |name| &name.name);
    format!("(scope {name} {})", block(&scope.body))
}

fn pat(pattern: &Pattern) -> String {
    let list = |patterns: &[Pattern]| patterns.iter().map(pat).collect::<Vec<_>>().join(" ");
    match &pattern.kind {
        PatternKind::Wildcard => "_".into(),
        PatternKind::Name(name) => name.name.clone(),
        PatternKind::Literal(value) => format!("'{}", expr(value)),
        PatternKind::Range { start, end, inclusive } => {
            format!("'{}{}{}", expr(start), if *inclusive { "..=" } else { ".." }, expr(end))
        }
        PatternKind::Tuple(parts) => format!("(tuple {})", list(parts)),
        PatternKind::Variant { path, fields } => {
            let path: Vec<&str> = path.iter().map(|name| name.name.as_str()).collect();
            let fields: Vec<String> = fields
                .iter()
                .map(|field| {
                    let name =
                        field.name.as_ref().map_or(String::new(), |n| format!("{}:", n.name));
                    format!("{name}{}", pat(&field.pattern))
                })
                .collect();
            format!("{}({})", path.join("."), fields.join(" "))
        }
        PatternKind::Or(alternatives) => format!("(or {})", list(alternatives)),
    }
}

fn expr(value: &Expr) -> String {
    let list = |values: &[Expr]| values.iter().map(expr).collect::<Vec<_>>().join(" ");
    match &value.kind {
        ExprKind::Int(value) => value.to_string(),
        ExprKind::Float(value) => format!("{value:?}"),
        ExprKind::Bool(value) => value.to_string(),
        ExprKind::Str(parts) => {
            let parts: Vec<String> = parts
                .iter()
                .map(|part| match part {
                    StrPart::Text(text) => format!("{text:?}"),
                    StrPart::Expr { expr: value, format: None } => format!("<{}>", expr(value)),
                    StrPart::Expr { expr: value, format: Some(spec) } => {
                        let FormatSpec { align, width, precision, .. } = spec;
                        format!("<{} {align:?} {width:?} {precision:?}>", expr(value))
                    }
                })
                .collect();
            format!("(str {})", parts.join(" "))
        }
        ExprKind::Nil => "nil".into(),
        ExprKind::Name(name) => name.name.clone(),
        ExprKind::TypeArgs { base, args } => {
            let args: Vec<String> = args.iter().map(ty).collect();
            format!("(types {} {})", expr(base), args.join(" "))
        }
        ExprKind::List(values) => format!("[{}]", list(values)),
        ExprKind::Map(pairs) => {
            let pairs: Vec<String> =
                pairs.iter().map(|(key, value)| format!("{}:{}", expr(key), expr(value))).collect();
            format!("(map {})", pairs.join(" "))
        }
        ExprKind::Tuple(values) => format!("(tuple {})", list(values)),
        ExprKind::Record { name, type_args, fields } => {
            let types: Vec<String> = type_args.iter().map(ty).collect();
            let fields: Vec<String> = fields
                .iter()
                .map(|field| format!("{}:{}", field.name.name, expr(&field.value)))
                .collect();
            format!("(record {}[{}] {})", name.name, types.join(" "), fields.join(" "))
        }
        ExprKind::Unary { op, operand } => format!("({op:?} {})", expr(operand)),
        ExprKind::Binary { op, left, right, .. } => {
            format!("({op:?} {} {})", expr(left), expr(right))
        }
        ExprKind::Coalesce { left, right } => format!("(?? {} {})", expr(left), expr(right)),
        ExprKind::Range { start, end, inclusive } => {
            format!("({} {} {})", if *inclusive { "..=" } else { ".." }, expr(start), expr(end))
        }
        ExprKind::Call { callee, args } => {
            let args: Vec<String> = args
                .iter()
                .map(|arg| {
                    let name = arg.name.as_ref().map_or(String::new(), |n| format!("{}:", n.name));
                    format!(" {name}{}", expr(&arg.value))
                })
                .collect();
            format!("(call {}{})", expr(callee), args.concat())
        }
        ExprKind::Field { base, name, optional } => {
            format!("{}{}{}", expr(base), if *optional { "?." } else { "." }, name.name)
        }
        ExprKind::Index { base, index } => format!("(at {} {})", expr(base), expr(index)),
        ExprKind::Try(inner) => format!("(try {})", expr(inner)),
        ExprKind::Assert(inner) => format!("(assert {})", expr(inner)),
        ExprKind::Closure { params, body } => {
            let params: Vec<String> = params
                .iter()
                .map(|param| {
                    let ty =
                        param.ty.as_ref().map_or(String::new(), |ty| format!(":{}", self::ty(ty)));
                    format!("{}{ty}", param.name.name)
                })
                .collect();
            format!("(fn ({}) {})", params.join(" "), expr(body))
        }
        ExprKind::If { cond, then, otherwise } => {
            let otherwise = otherwise.as_ref().map_or(String::new(), |e| format!(" {}", expr(e)));
            format!("(if {} {}{otherwise})", self::cond(cond), block(then))
        }
        ExprKind::Match { subject, arms } => {
            let arms: Vec<String> = arms
                .iter()
                .map(|arm| {
                    let guard =
                        arm.guard.as_ref().map_or(String::new(), |g| format!(" if {}", expr(g)));
                    format!(" ({}{guard} => {})", pat(&arm.pattern), expr(&arm.body))
                })
                .collect();
            format!("(match {}{})", expr(subject), arms.concat())
        }
        ExprKind::Block(body) => block(body),
        ExprKind::Scope(inner) => scope(inner),
        ExprKind::Own { value, scope } => {
            let scope = scope.as_ref().map_or("", |name| &name.name);
            format!("(own {} {scope})", expr(value))
        }
        ExprKind::Spawn(task) => format!("(spawn {})", expr(task)),
        ExprKind::Order(name) => format!("(order {})", name.name),
        ExprKind::Error => "ERROR".into(),
    }
}

/// Each text means what is printed beside it.
fn hold(cases: &[(&str, &str)]) {
    for (text, tree) in cases {
        assert_eq!(stmts(text), *tree, "{text}");
    }
}

#[test]
fn operators_bind_as_the_reference_says() {
    hold(&[
        ("1 + 2 * 3 - 4", "(Sub (Add 1 (Mul 2 3)) 4)"),
        ("-2 ** 2", "(Neg (Pow 2 2))"),
        ("2 ** -3 ** 2", "(Pow 2 (Neg (Pow 3 2)))"),
        ("2 ** 3 ** 2", "(Pow 2 (Pow 3 2))"),
        ("a or b and c", "(Or a (And b c))"),
        ("a || b && !c", "(Or a (And b (Not c)))"),
        ("not a == b and c", "(And (Not (Eq a b)) c)"),
        ("!a == b", "(Eq (Not a) b)"),
        ("(a < b) == c", "(Eq (Lt a b) c)"),
        ("a ?? b ?? c + 1", "(?? a (?? b (Add c 1)))"),
        ("a ?? 0 == b", "(Eq (?? a 0) b)"),
        ("0..n + 1", "(.. 0 (Add n 1))"),
        ("1..=n ?? 3", "(..= 1 (?? n 3))"),
        ("-x.y", "(Neg x.y)"),
        ("-f(x)?", "(Neg (try (call f x)))"),
        ("a % b / c", "(Div (Rem a b) c)"),
        ("x! + y", "(Add (assert x) y)"),
        ("x != y", "(Ne x y)"),
    ]);
}

#[test]
fn a_line_goes_on_only_where_it_must() {
    hold(&[
        ("a +\n b", "(Add a b)"),
        ("a\n-b", "a (Neg b)"),
        ("a\n(b)", "a b"),
        ("a\n[b]", "a [b]"),
        ("f(a,\n b\n)", "(call f a b)"),
        ("(a\n + b)", "(Add a b)"),
        ("x\n .y\n ?.z", "x.y?.z"),
        ("x\n ?? y", "(?? x y)"),
        ("x.\n y", "x.y"),
        ("let x =\n 5", "(let x 5)"),
        ("a; b;; c", "a b c"),
        ("return\n5", "(return) 5"),
        ("return 5", "(return 5)"),
        ("if a { b }\nelse { c }", "(if a {b} {c})"),
        ("if a { b } c", "(if a {b}) c"),
        ("if a { b } -c", "(if a {b}) (Neg c)"),
        ("let x = if a { b } else { c } + 1", "(let x (Add (if a {b} {c}) 1))"),
        ("f(() => {\n a\n b\n})", "(call f (fn () {a b}))"),
        ("xs = [\n a,\n b,\n]", "(= xs [a b])"),
    ]);
}

#[test]
fn numbers_have_their_values() {
    hold(&[
        ("1_000", "1000"),
        ("0xff", "255"),
        ("0b101", "5"),
        ("1.5e3", "1500.0"),
        ("2e-3", "0.002"),
        ("512B", "512"),
        ("64KB", "65536"),
        ("2TB", "2199023255552"),
        ("9223372036854775807", "9223372036854775807"),
        ("-9223372036854775808", "(Neg 9223372036854775808)"),
        ("1..2", "(.. 1 2)"),
        ("t.0.1", "t.0.1"),
        ("1.5.floor()", "(call 1.5.floor)"),
    ]);
}

#[test]
fn strings_insert_escape_and_unfold() {
    hold(&[
        (r#""""#, "(str )"),
        (r#""a\tb\u{b5}\"""#, r#"(str "a\tbµ\"")"#),
        (r#""{{x}}""#, r#"(str "{x}")"#),
        (r#""a {x} b""#, r#"(str "a " <x> " b")"#),
        (r#""{"in {x}"}""#, r#"(str <(str "in " <x>)>)"#),
        (r#""{f({ 1 })}""#, "(str <(call f {1})>)"),
        (r#""{x:>8.2}""#, "(str <x Some(Right) Some(8) Some(2)>)"),
        (r#""{x:^9}{y:.1}""#, "(str <x Some(Centre) Some(9) None> <y None None Some(1)>)"),
        (r#""{m["a"]}""#, r#"(str <(at m (str "a"))>)"#),
        ("\"\"\"\n    a\n      b {x}\n\n    c\n    \"\"\"", r#"(str "a\n  b " <x> "\n\nc")"#),
        ("\"\"\"one \"line\" here\"\"\"", r#"(str "one \"line\" here")"#),
        ("\"\"\"\n  {x}\n  y\\n\"\"\"", r#"(str <x> "\ny\n")"#),
        ("\"\"\"\na\n  \"\"\"", r#"(str "a")"#),
    ]);
}

#[test]
fn brackets_after_a_name_are_types_when_they_can_be_nothing_else() {
    hold(&[
        ("xs[i]", "(at xs i)"),
        ("xs[i](x)", "(call (at xs i) x)"),
        ("f[T](x)", "(call (at f T) x)"),
        ("list[int]()", "(call (types list int))"),
        ("map[string, list[int]]()", "(call (types map string list[int]))"),
        ("b.view[float](0)", "(call (types b.view float) 0)"),
        ("f[T?](x)", "(call (types f T?) x)"),
        ("f[(int, int)](x)", "(call (types f (int int)) x)"),
        ("f[A, B](x)", "(call (types f A B) x)"),
        ("xs[int(x)]", "(at xs (call int x))"),
        ("fs[int(x)](3)", "(call (at fs (call int x)) 3)"),
        ("Pair[int, string] { a: 1 }", "(record Pair[int string] a:1)"),
        ("Box[Patient] { a: 1 }", "(record Box[Patient] a:1)"),
    ]);
}

#[test]
fn records_are_not_read_before_a_block() {
    hold(&[
        ("if x { y }", "(if x {y})"),
        ("match x { y => z }", "(match x (y => z))"),
        ("for a in b { c }", "(for a b {c})"),
        ("if (R { a: 1 }) == r { y }", "(if (Eq (record R[] a:1) r) {y})"),
        ("if f(R { a: 1 }) { y }", "(if (call f (record R[] a:1)) {y})"),
        (
            "while xs.any(x => R { a: x } == r) { y }",
            "(while (call xs.any (fn (x) (Eq (record R[] a:x) r))) {y})",
        ),
        ("R { a: 1\n b: 2 }", "(record R[] a:1 b:2)"),
        ("R {}", "(record R[] )"),
    ]);
}

#[test]
fn arms_end_with_a_comma_or_a_line() {
    hold(&[
        (
            "match x { A => 1, B(c) if c > 1 => 2\n K.C(d: _) => { 3 } _ => return }",
            "(match x (A => 1) (B(c) if (Gt c 1) => 2) (K.C(d:_) => {3}) (_ => {(return)}))",
        ),
        (
            "match x { -1 | 2 => a = 3\n 3..=4 => a += 1 }",
            "(match x ((or '(Neg 1) '2) => {(= a 3)}) ('3..=4 => {(=Add a 1)}))",
        ),
        (
            "match x { (a, nil) => a\n \"s\" => b\n true => c }",
            "(match x ((tuple a 'nil) => a) ('(str \"s\") => b) ('true => c))",
        ),
        ("match x { n if (n) => 1 }", "(match x (n if n => 1))"),
        ("match x { Severity.None => y => 1 }", "(match x (Severity.None() => (fn (y) 1)))"),
    ]);
}

#[test]
fn closures_and_jumps_are_values() {
    hold(&[
        ("p => p.age > 65", "(fn (p) (Gt p.age 65))"),
        ("(a, b: int) => a + b", "(fn (a b:int) (Add a b))"),
        ("() => ()", "(fn () (tuple ))"),
        ("x => { y }", "(fn (x) {y})"),
        ("x => total += x", "(fn (x) {(=Add total x)})"),
        ("f(a => b, c)", "(call f (fn (a) b) c)"),
        ("let v = e ?? return nil", "(let v (?? e {(return nil)}))"),
        ("a => b => c", "(fn (a) (fn (b) c))"),
        ("(a, b)", "(tuple a b)"),
        ("(a)", "a"),
    ]);
}

#[test]
fn words_that_mean_something_only_in_place_are_free_as_names() {
    hold(&[
        ("scope { a }", "(scope  {a})"),
        ("scope s { a }", "(scope s {a})"),
        ("let x = scope { a }", "(let x (scope  {a}))"),
        ("if scope { a }", "(if scope {a})"),
        ("let record = own + spawn", "(let record (Add own spawn))"),
        ("for record in records { record.scope() }", "(for record records {(call record.scope)})"),
        ("own N { v: 1 } in outer", "(own (record N[] v:1) outer)"),
        ("own N(1)", "(own (call N 1) )"),
        ("spawn f(x)", "(spawn (call f x))"),
        ("parallel { a\n b }", "(parallel {a b})"),
        ("parallel for x in y { a }", "(parallel-for x y {a})"),
        ("e.or(d)", "(call e.or d)"),
        ("loop = data", "(= loop data)"),
        ("let class = type", "(let class type)"),
        ("is = case", "(= is case)"),
    ]);
}

#[test]
fn conditions_bind_with_let() {
    hold(&[
        ("if let x = e { x }", "(if (let x e) {x})"),
        ("while let (a, b) = xs.pop() { a }", "(while (let (tuple a b) (call xs.pop)) {a})"),
        (
            "if let Fever(c) = f { c } else if b { 1 } else { 2 }",
            "(if (let Fever(c) f) {c} (if b {1} {2}))",
        ),
    ]);
}

#[test]
fn functions_belong_to_types_and_have_type_parameters() {
    for (text, printed) in [
        ("func f() { }", "f[]() ()"),
        (
            "func f[T](x: T, g: func(T) -> int?) -> (T, int) { }",
            "f[T](x:T g:func(T)->int?) (T int)",
        ),
        ("func P.m(self, x: int) { }", "P[] self m[](x:int) ()"),
        ("func P.make(x: int) -> P { }", "P[] static make[](x:int) P"),
        (
            "func list[T].map[U](self, f: func(T) -> U) -> list[U] { }",
            "list[T] self map[U](f:func(T)->U) list[U]",
        ),
        ("func map[K, V].get(self, k: K) -> V? { }", "map[K,V] self get[](k:K) V?"),
        ("func Result[T].or(self, d: T) -> T { }", "Result[T] self or[](d:T) T"),
        ("native func sqrt(x: float) -> float", "sqrt[](x:float) float native"),
        (
            "func f(x: own T, y: func(), z: ()) -> list[list[int]]?? { }",
            "f[](x:own T y:func()->() z:()) list[list[int]]??",
        ),
    ] {
        assert_eq!(signature(text), printed, "{text}");
    }
}

#[test]
fn documentation_belongs_to_the_declaration_below_it() {
    let module = parse(
        "/// One.\n///   Two.\nfunc f() { }\n\n// not this\nrecord R { /// nor this\n  a: int }\n/// Enum.\nenum E { A }\n/// Const.\nconst C = 1\n",
    );
    let docs: Vec<Option<&str>> = module
        .items
        .iter()
        .map(|item| match item {
            Item::Func(func) => func.doc.as_deref(),
            Item::Record(record) => record.doc.as_deref(),
            Item::Enum(an_enum) => an_enum.doc.as_deref(),
            Item::Const(constant) => constant.doc.as_deref(),
        })
        .collect();
    assert_eq!(docs, [Some("One.\n  Two."), None, Some("Enum."), Some("Const.")]);
}

#[test]
fn records_and_enums_keep_their_fields_in_order() {
    let module = parse(
        "record R[T] {\n  a: int\n  b: T?,\n  c: list[T]\n}\nenum E { None, A(x: int, y: T), B }\n",
    );
    let [Item::Record(record), Item::Enum(an_enum)] = &module.items[..] else {
        panic!("a record and an enum were written")
    };
    let fields: Vec<String> =
        record.fields.iter().map(|f| format!("{}:{}", f.name.name, ty(&f.ty))).collect();
    assert_eq!(fields, ["a:int", "b:T?", "c:list[T]"]);
    let variants: Vec<String> =
        an_enum.variants.iter().map(|v| format!("{}/{}", v.name.name, v.fields.len())).collect();
    assert_eq!(variants, ["None/0", "A/2", "B/0"]);
}

#[test]
fn comments_nest_and_shebangs_are_skipped() {
    assert_eq!(parse("#!/usr/bin/env medi\n/* a /* b */ c */ func f() { } // end").items.len(), 1);
    assert_eq!(parse("\u{feff}func f() { }\r\n").items.len(), 1);
}

#[test]
fn the_end_of_a_scope_is_its_closing_brace() {
    let text = "func f() { scope { a } }";
    let module = parse(text);
    let Item::Func(func) = &module.items[0] else { panic!("a function was written") };
    let StmtKind::Scope(scope) = &func.body.as_ref().expect("a body").stmts[0].kind else {
        panic!("a scope was written")
    };
    assert_eq!(&text[scope.end.start as usize..scope.end.end as usize], "}");
    assert_eq!(scope.end.start as usize, text.len() - 3);
}
