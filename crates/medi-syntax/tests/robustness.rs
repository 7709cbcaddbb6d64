//! No text makes the parser panic, overflow the stack, or take more than linear time.
//!
//! Each test runs on a thread with the stack that test threads have, 2 MB, which is a quarter of what a
//! program's main thread has.

use medi_syntax::ast::{Expr, ExprKind, Item, Module, StmtKind};
use medi_syntax::diagnostic::Diagnostic;
use medi_syntax::source::SourceMap;
use medi_syntax::{MAX_FILE_BYTES, render};
use proptest::prelude::*;

fn parse(text: &str) -> (SourceMap, Module, Vec<Diagnostic>) {
    let mut sources = SourceMap::default();
    let file = sources.add("random.medi", text.to_string(), true);
    let (module, diagnostics) = medi_syntax::parse(&sources, file);
    (sources, module, diagnostics)
}

/// Parses, and checks that everything reported can be shown and lies within the text.
fn survives(text: &str) {
    let (sources, _, diagnostics) = parse(text);
    for diagnostic in &diagnostics {
        let labels = diagnostic.labels.iter().map(|label| label.span);
        for span in labels.chain(diagnostic.edits.iter().map(|edit| edit.span)) {
            assert!(span.start <= span.end, "{diagnostic:?}");
            assert!(text.get(span.start as usize..span.end as usize).is_some(), "{diagnostic:?}");
        }
    }
    let shown = render::human(&sources, &diagnostics, false);
    assert_eq!(shown.is_empty(), diagnostics.is_empty());
    render::json(&sources, &diagnostics);
}

const PROGRAMS: [&str; 2] =
    [include_str!("accepted/language.medi"), include_str!("accepted/seed.medi")];

const PIECES: &[&str] = &[
    "func ",
    "record ",
    "enum ",
    "const ",
    "native ",
    "let ",
    "var ",
    "if ",
    "else ",
    "while ",
    "for ",
    "in ",
    "break",
    "continue",
    "return ",
    "match ",
    "scope ",
    "parallel ",
    "spawn ",
    "own ",
    "and ",
    "or ",
    "not ",
    "true",
    "false",
    "nil",
    "self",
    "x",
    "y ",
    "Patient",
    "list",
    "int",
    "None",
    "def ",
    "elif ",
    "print ",
    "try ",
    "case ",
    "lambda ",
    "function",
    "1",
    "0",
    "2.5",
    "64KB",
    "9223372036854775808",
    "1..2",
    "\"",
    "\"a\"",
    "\"{x}\"",
    "\"{",
    "\"\"\"",
    "'",
    "(",
    ")",
    "[",
    "]",
    "{",
    "}",
    ",",
    ";",
    ":",
    "::",
    ".",
    "..",
    "..=",
    "->",
    "=>",
    "?",
    "?.",
    "??",
    "!",
    "+",
    "-",
    "*",
    "**",
    "/",
    "%",
    "==",
    "!=",
    "<",
    "<=",
    ">",
    ">=",
    "=",
    "+=",
    "&",
    "|",
    "^",
    "~",
    "<<",
    ">>",
    ":=",
    "&&",
    "||",
    "++",
    "--",
    "//",
    "///",
    "/*",
    "*/",
    "#",
    "@",
    "\\",
    "\n",
    "\n  ",
    "\n    ",
    " ",
    "µ",
    "≤",
    "\u{a0}",
    "_",
];

proptest! {
    #![proptest_config(ProptestConfig { cases: 1000, ..ProptestConfig::default() })]

    #[test]
    fn random_text_is_survived(text in "\\PC*") {
        survives(&text);
    }

    #[test]
    fn random_bytes_are_survived(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        survives(&String::from_utf8_lossy(&bytes));
    }

    #[test]
    fn soup_of_tokens_is_survived(pieces in prop::collection::vec(prop::sample::select(PIECES), 0..120)) {
        survives(&pieces.concat());
    }

    #[test]
    fn soup_of_tokens_in_a_function_is_survived(
        pieces in prop::collection::vec(prop::sample::select(PIECES), 0..60),
    ) {
        survives(&format!("func main() {{\n{}\n}}\nfunc next() {{ }}\n", pieces.concat()));
    }

    #[test]
    fn programs_with_a_piece_lost_or_put_in_are_survived(
        program in prop::sample::select(&PROGRAMS[..]),
        at in any::<prop::sample::Index>(),
        length in 0..12usize,
        piece in prop::sample::select(PIECES),
    ) {
        let places: Vec<usize> = program.char_indices().map(|(at, _)| at).collect();
        let start = at.index(places.len());
        let end = (start + length).min(places.len() - 1);
        let (start, end) = (places[start], places[end]);
        survives(&[&program[..start], piece, &program[end..]].concat());
    }
}

/// Text that nests or chains `times` times, in every construct that can.
fn towers(times: usize) -> Vec<String> {
    let nest = |open: &str, core: &str, close: &str| {
        format!(
            "func main() {{\n  let x = {}{core}{}\n}}\n",
            open.repeat(times),
            close.repeat(times)
        )
    };
    let block = |open: &str, close: &str| {
        format!("func main() {{\n{}{}\n}}\n", open.repeat(times), close.repeat(times))
    };
    let ty = |open: &str, close: &str| {
        format!("func main(x: {}int{}) {{ }}\n", open.repeat(times), close.repeat(times))
    };
    let pattern = |open: &str, close: &str| {
        format!(
            "func main() {{\n  match x {{ {}y{} => 1 }}\n}}\n",
            open.repeat(times),
            close.repeat(times)
        )
    };
    vec![
        nest("(", "1", ")"),
        nest("(", "", ""),
        nest("", "", ")"),
        nest("[", "1", "]"),
        nest("[1: ", "1", "]"),
        nest("{ ", "1", " }"),
        nest("{", "", ""),
        nest("f(", "1", ")"),
        nest("f(a: ", "1", ")"),
        nest("x[", "1", "]"),
        nest("x[int, ", "int", "]"),
        nest("R { a: ", "1", " }"),
        nest("x => ", "1", ""),
        nest("(x) => { ", "1", " }"),
        nest("-", "1", ""),
        nest("!", "x", ""),
        nest("not ", "x", ""),
        nest("~", "x", ""),
        nest("return ", "1", ""),
        nest("own ", "T", ""),
        nest("spawn ", "f", ""),
        nest("lambda x: ", "x", ""),
        nest("function() { ", "x", " }"),
        nest("|x| ", "x", ""),
        nest("x ? ", "x", " : x"),
        nest("x if x else ", "x", ""),
        nest("0 or 0 and 0 == 0 ?? 0 .. 0 + 0 * -(", "1", ")"),
        nest("if x { ", "1", " }"),
        nest("if x { 1 } else ", "{ 1 }", ""),
        nest("if ", "x", " { 1 }"),
        nest("match x { _ => ", "1", " }"),
        nest("match ", "x", " { _ => 1 }"),
        nest("scope { ", "1", " }"),
        nest("\"{", "1", "}\""),
        nest("\"\"\"{", "1", "}\"\"\""),
        nest("\"{\"\"\"{\n", "1", "}\"\"\"}\""),
        nest("", "1", " + 1"),
        nest("", "1", " ** 1"),
        nest("", "1", " ?? 1"),
        nest("", "1", " < 1"),
        nest("", "1", " & 1"),
        nest("", "1", " in 1"),
        nest("", "x", ".f"),
        nest("", "x", "()"),
        nest("", "x", "[0]"),
        nest("", "x", "!"),
        nest("", "x", "? "),
        nest("", "x", ".f()?.g[1]!"),
        nest("", "x", "\n + 1"),
        nest("", "x", " = x"),
        block("if x {\n", "}\n"),
        block("if x:\n", ""),
        block("if x ", ""),
        block("if x {} else ", "{}"),
        block("while x { ", "}"),
        block("for x in y { ", "}"),
        block("for (x in y) { ", "}"),
        block("for x in y: ", ""),
        block("scope { ", "}"),
        block("{ ", "}"),
        block("func f() { ", "}"),
        block("record R { func f() { ", "} }"),
        block("else { ", "}"),
        block("pub ", ""),
        block("try { ", "}"),
        block("parallel { ", "}"),
        block("x = ", "x"),
        block("let (", ")"),
        ty("list[", "]"),
        ty("list<", ">"),
        ty("(", ")"),
        ty("(int, ", ")"),
        ty("func(", ")"),
        ty("func() -> ", ""),
        ty("own ", ""),
        ty("[", "]"),
        ty("&", ""),
        ty("", "?"),
        ty("", "[]"),
        ty("", " | int"),
        pattern("(", ")"),
        pattern("(_, ", ")"),
        pattern("V(", ")"),
        pattern("V(a: ", ")"),
        pattern("", " | y"),
        pattern("let ", ""),
        pattern("..", ""),
        pattern("> ", ""),
        pattern("-", ""),
        pattern("case ", ""),
        "/*".repeat(times),
        "}".repeat(times),
        "func ".repeat(times),
        "func f(".repeat(times),
        "record R {".repeat(times),
        "enum E { A(".repeat(times),
        "pub ".repeat(times),
        "\"{".repeat(times),
        "\"\"\"{".repeat(times),
        "\"\"\"{\n".repeat(times),
        "'".repeat(times),
        "‘".repeat(times),
        "„".repeat(times),
        "const A: int = ".repeat(times),
        "///\n".repeat(times),
        "[x: ".repeat(times),
        "match { ".repeat(times),
    ]
}

#[test]
fn nothing_nests_too_deeply_for_the_stack() {
    for text in towers(300) {
        survives(&text);
    }
}

#[test]
fn large_towers_take_no_more_than_their_length() {
    // Quadratic time would be noticed: a hundred towers of tens of thousands of characters each.
    for text in towers(10_000) {
        let (_, module, diagnostics) = parse(&text);
        assert!(!diagnostics.is_empty() || height(&module) <= 600);
    }
}

#[test]
fn what_is_skipped_ends_with_the_insertion_that_it_stands_in() {
    // Once, lines that are indented deeper were skipped for ever when the first of them ends an insertion.
    for word in ["match x", "try x", "class X"] {
        survives(&format!("func main() {{\n  print(\"\"\"{{{word}\n    }}\"\"\")\n}}\n"));
    }
}

#[test]
fn a_tree_is_never_higher_than_twice_the_limit() {
    let text = format!(
        "func main() {{ let x = {}1{}{} }}",
        "(".repeat(120),
        format!("{} )", " + 1".repeat(120)).repeat(60),
        " + 1)".repeat(60)
    );
    let (_, module, _) = parse(&text);
    assert!(height(&module) <= 2 * medi_syntax::MAX_DEPTH, "{}", height(&module));
}

/// The height of the expressions on the left spine, which chains make.
fn height(module: &Module) -> u32 {
    let mut highest = 0;
    for item in &module.items {
        let Item::Func(func) = item else { continue };
        for stmt in func.body.iter().flat_map(|body| &body.stmts) {
            if let StmtKind::Let { value, .. } | StmtKind::Expr(value) = &stmt.kind {
                highest = highest.max(left_height(value));
            }
        }
    }
    highest
}

fn left_height(expr: &Expr) -> u32 {
    let mut height = 0;
    let mut expr = expr;
    loop {
        height += 1;
        expr = match &expr.kind {
            ExprKind::Binary { left, .. } | ExprKind::Coalesce { left, .. } => left,
            ExprKind::Call { callee, .. } => callee,
            ExprKind::Field { base, .. } | ExprKind::Index { base, .. } => base,
            ExprKind::Unary { operand, .. } => operand,
            ExprKind::Try(inner) | ExprKind::Assert(inner) => inner,
            _ => return height,
        };
    }
}

#[test]
fn a_file_that_is_too_large_is_refused_and_not_read() {
    let (_, module, diagnostics) = parse(&" ".repeat(MAX_FILE_BYTES + 1));
    assert_eq!(module.items.len(), 0);
    assert_eq!(diagnostics.iter().map(|d| d.code).collect::<Vec<_>>(), ["E0902"]);
}

#[test]
fn of_very_many_errors_the_first_are_shown() {
    let text = format!("func main() {{\n{}}}\n", "  f(,)\n".repeat(300));
    let (_, _, diagnostics) = parse(&text);
    assert_eq!(diagnostics.len(), 201);
    assert_eq!(diagnostics[200].code, "E0903");
    assert!(diagnostics[200].message.starts_with("100 more errors"), "{:?}", diagnostics[200]);
}

#[test]
fn the_first_mistake_does_not_hide_a_later_function() {
    let text = "func one() {\n  let x = (\n}\n\nfunc two() { return 1 +  }\n\nfunc three() { }\n";
    let (_, module, diagnostics) = parse(text);
    assert_eq!(module.items.len(), 3);
    assert_eq!(diagnostics.len(), 2, "{diagnostics:#?}");
}
