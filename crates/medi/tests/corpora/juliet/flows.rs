//! How source and sink are put together. The numbers are Juliet's.
//!
//! Not here: 18 (`goto`), 83 and 84 (constructors and destructors), for which Medi has nothing. What is a variable of
//! the whole program there is a field of an object that each function is given. Where C++ has a reference or a pointer
//! to the data, there is an object that holds it; objects of the scope for memory of a scope.

use super::{Data, Flaw, Side, flaws::Flows};

type Files = Vec<(String, String)>;

/// The flows that Juliet has of a flaw.
pub fn of(flaw: &Flaw) -> Vec<u32> {
    let local = 1..=17;
    let further: &[u32] = match flaw.flows {
        Flows::Local => &[],
        Flows::References => &[43, 62, 63, 64],
        Flows::NoReturns => &[
            31, 32, 33, 34, 41, 44, 45, 51, 52, 53, 54, 63, 64, 65, 66, 67, 68, 72, 73, 74, 81, 82,
        ],
        Flows::All => &[
            21, 22, 31, 32, 33, 34, 41, 42, 43, 44, 45, 51, 52, 53, 54, 61, 62, 63, 64, 65, 66, 67,
            68, 72, 73, 74, 81, 82,
        ],
    };
    local.chain(further.iter().copied()).collect()
}

/// The programs of one side: more than one where a good half can stand in either branch.
pub fn programs(flaw: &Flaw, flow: u32, side: Side) -> Vec<(&'static str, Files)> {
    match flow {
        1..=17 => guarded(flaw, flow, side),
        21 | 22 => vec![("", by_flag(flaw, flow, side))],
        _ => vec![("", passed(flaw, flow, side))],
    }
}

fn declarations(flaw: &Flaw, side: Side) -> String {
    let bad = if side == Side::BadToGood { "" } else { flaw.bad_declarations };
    format!("{}{bad}", flaw.declarations)
}

fn source(flaw: &Flaw, side: Side) -> &str {
    match side {
        Side::GoodToBad => flaw.good_source.expect("the flaw has a good source"),
        Side::Bad | Side::BadToGood => flaw.bad_source,
    }
}

fn sink(flaw: &Flaw, side: Side) -> &str {
    match side {
        Side::BadToGood => flaw.good_sink.expect("the flaw has a good sink"),
        Side::Bad | Side::GoodToBad => flaw.bad_sink,
    }
}

/// The code with another name for `data`.
fn with(code: &str, name: &str) -> String {
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    let mut text = String::new();
    let mut rest = code;
    while let Some(at) = rest.find("data") {
        let whole = !rest[..at].ends_with(is_word) && !rest[at + 4..].starts_with(is_word);
        text.push_str(&rest[..at]);
        text.push_str(if whole { name } else { "data" });
        rest = &rest[at + 4..];
    }
    text + rest
}

/// What there is before the source, with `data` as the last.
fn made(flaw: &Flaw) -> Vec<String> {
    let keyword = if flaw.assigns { "var" } else { "let" };
    let before = (!flaw.before.is_empty()).then(|| flaw.before.to_owned());
    let data = format!("{keyword} data: {} = {}", flaw.ty, flaw.value);
    before.into_iter().chain([data]).collect()
}

fn function(head: &str, flaw: &Flaw, lines: &[String]) -> String {
    let body = lines.join("\n  ");
    match flaw.data {
        Data::Scope => format!("{head} {{\n  scope {{\n  {body}\n  }}\n}}\n"),
        _ => format!("{head} {{\n  {body}\n}}\n"),
    }
}

fn one(text: String) -> Files {
    vec![("case.medi".to_owned(), text)]
}

// A condition around the source, and one around the sink.

/// Declarations, and a condition that holds.
fn condition(flow: u32) -> (&'static str, &'static str) {
    const GLOBALS: &str = "record Globals { yes: bool, five: int }\nfunc globals() -> Globals { return Globals { yes: true, five: 5 } }\n";
    match flow {
        2 => ("", "true"),
        3 => ("", "5 == 5"),
        4 => ("const STATIC_TRUE = true\n", "STATIC_TRUE"),
        5 | 10 => (GLOBALS, "globals().yes"),
        6 => ("const STATIC_FIVE = 5\n", "STATIC_FIVE == 5"),
        7 | 14 => (GLOBALS, "globals().five == 5"),
        8 => ("func static_returns_true() -> bool { return true }\n", "static_returns_true()"),
        9 => ("const GLOBAL_TRUE = true\n", "GLOBAL_TRUE"),
        11 => ("func global_returns_true() -> bool { return 3 > 2 }\n", "global_returns_true()"),
        12 => (
            "func returns_true_or_false() -> bool { return memory.stats().cycles >= 0 }\n",
            "returns_true_or_false()",
        ),
        13 => ("const GLOBAL_FIVE = 5\n", "GLOBAL_FIVE == 5"),
        _ => unreachable!("no condition"),
    }
}

fn guarded(flaw: &Flaw, flow: u32, side: Side) -> Vec<(&'static str, Files)> {
    let (first, second) = (source(flaw, side), sink(flaw, side));
    let benign = "print(\"benign\")";
    let whole = |declarations: &str, first: String, second: String| {
        let mut lines = made(flaw);
        lines.extend([first, second]);
        let main = function("func main()", flaw, &lines);
        one(format!("{}{declarations}{main}", self::declarations(flaw, side)))
    };
    let plain = |code: &str| code.to_owned();
    match flow {
        1 => vec![("", whole("", plain(first), plain(second)))],
        12 => {
            // Whatever branch is taken, a good program is good.
            let (declarations, cond) = condition(12);
            let other_source =
                if side == Side::Bad { flaw.good_source.unwrap_or(first) } else { first };
            let other_sink =
                if side == Side::Bad { flaw.good_sink.unwrap_or(second) } else { second };
            let first = format!("if {cond} {{\n  {first}\n  }} else {{\n  {other_source}\n  }}");
            let second = format!("if {cond} {{\n  {second}\n  }} else {{\n  {other_sink}\n  }}");
            vec![("", whole(declarations, first, second))]
        }
        15 => {
            let taken = |code: &str| {
                format!("match 6 {{\n  6 => {{\n  {code}\n  }}\n  _ => {benign}\n  }}")
            };
            let other = |code: &str| {
                format!("match 5 {{\n  6 => {benign}\n  _ => {{\n  {code}\n  }}\n  }}")
            };
            match side {
                Side::Bad => vec![("", whole("", taken(first), taken(second)))],
                Side::GoodToBad => vec![
                    ("1", whole("", other(first), taken(second))),
                    ("2", whole("", taken(first), taken(second))),
                ],
                Side::BadToGood => vec![
                    ("1", whole("", taken(first), other(second))),
                    ("2", whole("", taken(first), taken(second))),
                ],
            }
        }
        16 => {
            let once = |code: &str| format!("while true {{\n  {code}\n  break\n  }}");
            vec![("", whole("", once(first), once(second)))]
        }
        17 => {
            let once = |code: &str, name: &str| format!("for {name} in 0..1 {{\n  {code}\n  }}");
            let (first, second) = match side {
                // Juliet puts the bad half into the loop.
                Side::GoodToBad => (once(first, "h"), plain(second)),
                Side::BadToGood => (plain(first), once(second, "k")),
                Side::Bad => (once(first, "j"), plain(second)),
            };
            vec![("", whole("", first, second))]
        }
        _ => {
            let (declarations, cond) = condition(flow);
            let taken = |code: &str| format!("if {cond} {{\n  {code}\n  }}");
            let other = |code: &str| {
                format!("if not ({cond}) {{\n  {benign}\n  }} else {{\n  {code}\n  }}")
            };
            match side {
                Side::Bad => vec![("", whole(declarations, taken(first), taken(second)))],
                Side::GoodToBad => vec![
                    ("1", whole(declarations, other(first), taken(second))),
                    ("2", whole(declarations, taken(first), taken(second))),
                ],
                Side::BadToGood => vec![
                    ("1", whole(declarations, taken(first), other(second))),
                    ("2", whole(declarations, taken(first), taken(second))),
                ],
            }
        }
    }
}

/// A function does its part when a variable of the program says so.
fn by_flag(flaw: &Flaw, flow: u32, side: Side) -> Files {
    let (first, second) = (source(flaw, side), sink(flaw, side));
    let data = if flaw.assigns { "given" } else { "data" };
    let again = if flaw.assigns { "  var data = given\n" } else { "" };
    let sink = format!(
        "func sink({data}: {}, globals: Globals) {{\n{again}  if globals.flag {{\n  {second}\n  }}\n}}\n",
        flaw.ty
    );
    let declarations = format!("record Globals {{ flag: bool }}\n{}", declarations(flaw, side));
    let mut lines = made(flaw);
    lines.extend([
        first.to_owned(),
        "let globals = Globals { flag: false }".to_owned(),
        "globals.flag = true".to_owned(),
        "sink(data, globals)".to_owned(),
    ]);
    let main = function("func main()", flaw, &lines);
    match flow {
        21 => one(format!("{declarations}{sink}{main}")),
        _ => vec![
            ("a.medi".to_owned(), format!("{declarations}{main}")),
            ("b.medi".to_owned(), sink),
        ],
    }
}

// The data goes from the source to the sink.

struct Holder {
    ty: &'static str,
    made: &'static str,
}

fn holder(flaw: &Flaw) -> Holder {
    match flaw.data {
        Data::Scope => Holder { ty: "own Holder", made: "own Holder { data: data }" },
        _ => Holder { ty: "Holder", made: "Holder { data: data }" },
    }
}

fn passed(flaw: &Flaw, flow: u32, side: Side) -> Files {
    let (first, second) = (source(flaw, side), sink(flaw, side));
    let ty = flaw.ty;
    let held = holder(flaw);
    let record = format!("record Holder {{ data: {ty} }}\n");
    let own = if flaw.data == Data::Scope { "own " } else { "" };
    let mut lines = made(flaw);
    // The source, where it is in `main`, and the function of the sink.
    let here = |lines: &mut Vec<String>| lines.push(first.to_owned());
    let sink = |name: &str, param: &str, before: &str, data: &str| {
        format!("func {name}({param}) {{\n  {before}{}\n}}\n", with(second, data))
    };
    let plain_sink = sink("sink", &format!("data: {ty}"), "", "data");
    let (declarations, other): (String, String) = match flow {
        31 => {
            here(&mut lines);
            lines.push("let copy = data".to_owned());
            lines.push(with(second, "copy"));
            (String::new(), String::new())
        }
        32 => {
            here(&mut lines);
            lines.push(format!("let pointer = {}", held.made));
            lines.push("let same = pointer".to_owned());
            lines.push("let found = same.data".to_owned());
            lines.push(with(second, "found"));
            (record, String::new())
        }
        33 => {
            here(&mut lines);
            lines.push("let reference = () => data".to_owned());
            lines.push("let found = reference()".to_owned());
            lines.push(with(second, "found"));
            (String::new(), String::new())
        }
        34 => {
            here(&mut lines);
            lines.push("let union = (0, data)".to_owned());
            lines.push("let found = union.1".to_owned());
            lines.push(with(second, "found"));
            (String::new(), String::new())
        }
        41 | 51 => {
            here(&mut lines);
            lines.push("sink(data)".to_owned());
            (String::new(), plain_sink)
        }
        52..=54 => {
            here(&mut lines);
            lines.push("step(data)".to_owned());
            let last = flow - 51;
            let mut chain = String::new();
            for step in 1..=last {
                let name = if step == 1 { "step".to_owned() } else { format!("step{step}") };
                let next =
                    if step == last { "sink".to_owned() } else { format!("step{}", step + 1) };
                chain.push_str(&format!("func {name}(data: {ty}) {{ {next}(data) }}\n"));
            }
            (String::new(), format!("{chain}{plain_sink}"))
        }
        42 | 61 => {
            let keyword = if flaw.assigns { "var" } else { "let" };
            // What the source needs besides the data goes along.
            let (more, given) = match flaw.before.is_empty() {
                true => ("", ""),
                false => (", memory: Buffer", ", memory"),
            };
            lines.push(format!("let found = source(data{given})"));
            lines.push(with(second, "found"));
            let source = format!(
                "func source(given: {ty}{more}) -> {ty} {{\n  {keyword} data = given\n  {first}\n  return data\n}}\n"
            );
            (String::new(), source)
        }
        43 | 62 => {
            lines.push(format!("let reference = {}", held.made));
            let (more, given) = match flaw.before.is_empty() {
                true => ("", ""),
                false => (", memory: Buffer", ", memory"),
            };
            lines.push(format!("source(reference{given})"));
            lines.push("let found = reference.data".to_owned());
            lines.push(with(second, "found"));
            let keyword = if flaw.assigns { "var" } else { "let" };
            let back = if flaw.assigns { "\n  reference.data = data" } else { "" };
            let source = format!(
                "func source(reference: {}{more}) {{\n  {keyword} data = reference.data\n  {first}{back}\n}}\n",
                held.ty
            );
            (record, source)
        }
        44 | 65 => {
            here(&mut lines);
            lines.push("let pointer = sink".to_owned());
            lines.push("pointer(data)".to_owned());
            (String::new(), plain_sink)
        }
        45 | 63 | 68 => {
            here(&mut lines);
            lines.push(format!("let global = {}", held.made));
            lines.push("sink(global)".to_owned());
            (
                record,
                sink(
                    "sink",
                    &format!("global: {}", held.ty),
                    "let found = global.data\n  ",
                    "found",
                ),
            )
        }
        64 => {
            here(&mut lines);
            lines.push("sink(any(data))".to_owned());
            (String::new(), format!("func any[T](value: T) -> T {{ return value }}\n{plain_sink}"))
        }
        66 => {
            here(&mut lines);
            let (made, ty, found) = match flaw.data {
                Data::Scope => ("(0, 0, data)".to_owned(), format!("(int, int, {ty})"), "array.2"),
                _ => ("[data]".to_owned(), format!("list[{ty}]"), "array[0]"),
            };
            lines.push(format!("sink({made})"));
            let before = format!("let found = {found}\n  ");
            (String::new(), sink("sink", &format!("array: {ty}"), &before, "found"))
        }
        67 => {
            here(&mut lines);
            lines.push(format!("let inner = {}", held.made));
            lines.push(format!("sink({own}Outer {{ inner: inner }})"));
            let outer = format!("{record}record Outer {{ inner: {} }}\n", held.ty);
            let before = "let found = outer.inner.data\n  ";
            (outer, sink("sink", &format!("outer: {own}Outer"), before, "found"))
        }
        72 => {
            here(&mut lines);
            lines.push(format!("let vector: list[{ty}] = []"));
            lines.push("vector.push(data)".to_owned());
            lines.push("sink(vector)".to_owned());
            (
                String::new(),
                sink("sink", &format!("vector: list[{ty}]"), "let found = vector[0]\n  ", "found"),
            )
        }
        73 => {
            here(&mut lines);
            let record = format!("record Node {{ data: {ty}, next: {own}Node? }}\n");
            lines.push(format!("let first = {own}Node {{ data: data, next: nil }}"));
            lines.push("sink(first)".to_owned());
            let before = "let found = list.data\n  ";
            (record, sink("sink", &format!("list: {own}Node"), before, "found"))
        }
        74 => {
            here(&mut lines);
            lines.push(format!("let table = map[int, {ty}]()"));
            lines.push("table[2] = data".to_owned());
            lines.push("sink(table)".to_owned());
            (
                String::new(),
                sink(
                    "sink",
                    &format!("table: map[int, {ty}]"),
                    "let found = table[2]\n  ",
                    "found",
                ),
            )
        }
        81 | 82 => {
            here(&mut lines);
            lines.push("let base = Base { action: sink }".to_owned());
            lines.push("(base.action)(data)".to_owned());
            (format!("record Base {{ action: func({ty}) }}\n"), plain_sink)
        }
        _ => unreachable!("no flow of Juliet's"),
    };
    let main = function("func main()", flaw, &lines);
    let head = format!("{}{declarations}{main}", self::declarations(flaw, side));
    let one_file = matches!(flow, 31..=45);
    match one_file || other.is_empty() {
        true => one(format!("{head}{other}")),
        false => vec![("a.medi".to_owned(), head), ("b.medi".to_owned(), other)],
    }
}
