//! docs/library.md is made from the documentation comments of `lib/*.medi`, so that it cannot say anything else.
//! `UPDATE=1` writes it anew.

use std::fmt::Write;

use crate::support::{compare, root};
use medi_check::library::FILES;
use medi_syntax::ast::{Field, Func, Item, Variant};
use medi_syntax::parse;
use medi_syntax::source::{SourceMap, Span};

const INTRODUCTION: &str = "\
# The library

What every program sees, without importing anything. It is written in Medi, in `lib/*.medi`, over a few native
functions. This page is made from the comments there.

Built into the language itself: `print(a, b, …)`, `str(x)`, `len(x)`; `int(x)`, `float(x)`, `byte(x)`, `round(x)`; `div(a, b)`, `abs`,
`min`, `max`, `sqrt`, `floor`, `ceil`; `band`, `bor`, `bxor`, `bnot`, `shl`, `shr`; `same(a, b)`; `fail(message)`, `result.or(default)`;
`list[T]()`, `map[K, V]()`; and in a [scope](language.md#scopes) `allocate`, `free`, `promote`, `buffer.view[T]`, `view.slice`.
";

/// Files whose records are data that programs read, not the insides of something.
const DATA: [&str; 2] = ["lib/health.medi", "lib/genome.medi"];

struct Page {
    text: String,
    sources: SourceMap,
}

impl Page {
    /// One file; its first comment begins with its title.
    fn part(&mut self, path: &str, source: &str) {
        let id = self.sources.add(path, source.to_string(), true);
        let first = source.trim_start_matches('/').trim_start();
        let title = first.split([',', ':', '.']).next().unwrap_or(path).to_string();
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
            let parts = if DATA.contains(&path) { self.parts(item) } else { String::new() };
            writeln!(self.text, "- `{}`: {doc}{parts}", self.signature(signature))
                .expect("a string");
        }
    }

    /// What a record or an enum consists of.
    fn parts(&self, item: &Item) -> String {
        let (kind, parts): (_, Vec<String>) = match item {
            Item::Record(record) => {
                let part = |field: &Field| {
                    format!("`{}: {}`", field.name.name, self.sources.text(field.ty.span))
                };
                ("Fields", record.fields.iter().map(part).collect())
            }
            Item::Enum(item) => {
                let part = |variant: &Variant| format!("`{}`", variant.name.name);
                ("Values", item.variants.iter().map(part).collect())
            }
            _ => return String::new(),
        };
        format!(" {kind}: {}.", parts.join(", "))
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
    for (path, source) in FILES {
        page.part(path, source);
    }
    let compared = compare(&root().join("docs/library.md"), &page.text);
    assert!(compared.is_ok(), "{}", compared.unwrap_err());
}
