//! docs/library.md is made from the documentation comments of `lib/*.medi`, so that it cannot say anything else.
//! `UPDATE=1` writes it anew.

mod support;

use std::fmt::Write;

use medi_syntax::ast::{Func, Item};
use medi_syntax::parse;
use medi_syntax::source::{SourceMap, Span};
use support::{compare, root};

const INTRODUCTION: &str = "\
# The library

What every program sees, without importing anything. It is written in Medi, in `lib/*.medi`, over a few native
functions. This page is made from the comments there.

Built into the language itself: `print(a, b, …)`, `str(x)`, `len(x)`; `int(x)`, `float(x)`, `byte(x)`, `round(x)`; `div(a, b)`, `abs`,
`min`, `max`, `sqrt`, `floor`, `ceil`; `band`, `bor`, `bxor`, `bnot`, `shl`, `shr`; `same(a, b)`; `fail(message)`, `result.or(default)`;
`list[T]()`, `map[K, V]()`; and in a [scope](language.md#scopes) `allocate`, `free`, `promote`, `buffer.view[T]`, `view.slice`.
";

/// The library's parts, in the order of the page.
const PARTS: &[(&str, &str)] = &[
    ("core.medi", "Lists and maps"),
    ("text.medi", "Text"),
    ("numbers.medi", "Numbers, statistics, random numbers"),
    ("system.medi", "Files, memory, the world around"),
    ("health.medi", "Patients"),
    ("genome.medi", "Genomes"),
];

struct Page {
    text: String,
    sources: SourceMap,
}

impl Page {
    fn part(&mut self, name: &str, title: &str) {
        let path = format!("lib/{name}");
        let source = std::fs::read_to_string(root().join(&path)).expect("a library file");
        let id = self.sources.add(path, source, true);
        let (module, problems) = parse(&self.sources, id);
        assert!(problems.is_empty(), "{problems:?}");
        write!(self.text, "\n## {title}\n").expect("a string");
        let mut heading = String::new();
        for item in &module.items {
            let (group, signature, doc) = match item {
                Item::Func(func) if func.body.is_none() && func.doc.is_none() => continue,
                Item::Func(func) => (group_of(func), func.span, &func.doc),
                Item::Record(record) => (record.name.name.clone(), record.span, &record.doc),
                Item::Enum(item) => (item.name.name.clone(), item.span, &item.doc),
                Item::Const(item) => ("Constants".into(), item.span, &item.doc),
            };
            let Some(doc) = doc else { continue };
            if group != heading {
                write!(self.text, "\n### {group}\n\n").expect("a string");
                heading = group;
            }
            let doc = doc.split_whitespace().collect::<Vec<_>>().join(" ");
            writeln!(self.text, "- `{}`: {doc}", self.signature(signature)).expect("a string");
        }
    }

    fn signature(&self, span: Span) -> String {
        let text = self.sources.text(span).trim_start_matches("native ").trim_end_matches('{');
        text.split_whitespace().collect::<Vec<_>>().join(" ")
    }
}

fn group_of(func: &Func) -> String {
    func.receiver.as_ref().map_or("Functions".into(), |receiver| receiver.type_name.name.clone())
}

#[test]
fn the_page_says_what_the_library_says() {
    let mut page = Page { text: INTRODUCTION.into(), sources: SourceMap::default() };
    for (name, title) in PARTS {
        page.part(name, title);
    }
    let compared = compare(&root().join("docs/library.md"), &page.text);
    assert!(compared.is_ok(), "{}", compared.unwrap_err());
}
