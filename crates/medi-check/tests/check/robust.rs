//! Whatever the text, the checker ends without a panic: programs are cut, doubled, mixed and misspelt.

use std::path::Path;
use std::sync::LazyLock;

use medi_check::check;
use medi_check::lower::lower;
use medi_check::mir::validate;
use medi_syntax::diagnostic::Severity;
use medi_syntax::source::SourceMap;
use proptest::prelude::*;

use super::PRELUDE;

/// Every program of the fixtures, in pieces that a mutation may move: words, signs and spaces.
static CORPUS: LazyLock<Vec<Vec<String>>> = LazyLock::new(corpus);

fn corpus() -> Vec<Vec<String>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/ui");
    let entries = std::fs::read_dir(folder).expect("tests/ui is there");
    let mut paths: Vec<_> = entries.flatten().map(|entry| entry.path()).collect();
    paths.retain(|path| path.extension().is_some_and(|end| end == "medi"));
    paths.sort();
    let mut texts: Vec<String> =
        paths.iter().map(|path| std::fs::read_to_string(path).expect("UTF-8")).collect();
    texts.push(PRELUDE.to_string());
    texts.iter().filter(|text| text.len() < 8000).map(|text| pieces(text)).collect()
}

fn pieces(text: &str) -> Vec<String> {
    let mut pieces: Vec<String> = vec![];
    let mut word = String::new();
    for c in text.chars() {
        if c.is_alphanumeric() || c == '_' {
            word.push(c);
        } else {
            pieces.extend((!word.is_empty()).then(|| std::mem::take(&mut word)));
            pieces.push(c.to_string());
        }
    }
    pieces.push(word);
    pieces
}

#[derive(Clone, Debug)]
enum Change {
    Remove(prop::sample::Index, usize),
    Double(prop::sample::Index, usize),
    Swap(prop::sample::Index, prop::sample::Index),
    /// A piece of another program.
    Graft(prop::sample::Index, prop::sample::Index, prop::sample::Index, usize),
}

fn change() -> impl Strategy<Value = Change> {
    let place = any::<prop::sample::Index>;
    prop_oneof![
        (place(), 1..6usize).prop_map(|(at, count)| Change::Remove(at, count)),
        (place(), 1..20usize).prop_map(|(at, count)| Change::Double(at, count)),
        (place(), place()).prop_map(|(a, b)| Change::Swap(a, b)),
        (place(), place(), place(), 1..12usize)
            .prop_map(|(at, program, from, count)| Change::Graft(at, program, from, count)),
    ]
}

fn apply(corpus: &[Vec<String>], text: &mut Vec<String>, change: &Change) {
    if text.is_empty() {
        return;
    }
    let end = |from: usize, count: usize, len: usize| (from + count).min(len);
    match change {
        Change::Remove(at, count) => {
            let at = at.index(text.len());
            text.drain(at..end(at, *count, text.len()));
        }
        Change::Double(at, count) => {
            let at = at.index(text.len());
            let part = text[at..end(at, *count, text.len())].to_vec();
            text.splice(at..at, part);
        }
        Change::Swap(a, b) => {
            let (a, b) = (a.index(text.len()), b.index(text.len()));
            text.swap(a, b);
        }
        Change::Graft(at, program, from, count) => {
            let other = &corpus[program.index(corpus.len())];
            let from = from.index(other.len());
            let part = other[from..end(from, *count, other.len())].to_vec();
            let at = at.index(text.len());
            text.splice(at..at, part);
        }
    }
}

fn check_text(text: &str) {
    let mut sources = SourceMap::default();
    let library = sources.add("lib/core.medi", PRELUDE.to_string(), true);
    let file = sources.add("random.medi", text.to_string(), false);
    let (module, unread) = medi_syntax::parse(&sources, file);
    let modules = [medi_syntax::parse(&sources, library).0, module];
    let (program, diagnostics) = check::check(&sources, &modules, false);
    // Messages are made of the text: making them must not fail either.
    medi_syntax::render::human(&sources, &diagnostics, false);
    // The tree of a text that could not be read has holes.
    let readable = unread.iter().all(|found| found.severity == Severity::Warning);
    if let (Some(program), true) = (program, readable) {
        super::tree::verify(&program);
    }
}

proptest! {
    #![proptest_config(config(cases()))]

    #[test]
    fn a_mutated_program_never_makes_the_checker_panic(
        start in any::<prop::sample::Index>(),
        changes in prop::collection::vec(change(), 1..8),
    ) {
        let mut text = CORPUS[start.index(CORPUS.len())].clone();
        for change in &changes {
            apply(&CORPUS, &mut text, change);
        }
        check_text(&text.concat());
    }
}

/// The programs of the repository, which use all of the library.
static REAL: LazyLock<Vec<Vec<String>>> = LazyLock::new(|| {
    let paths = super::library::programs_of_the_repository();
    let texts = paths.iter().map(|path| std::fs::read_to_string(path).expect("UTF-8"));
    texts.map(|text| pieces(&text)).collect()
});

proptest! {
    #![proptest_config(config(cases().div_ceil(5)))]

    #[test]
    fn a_mutated_program_that_checks_also_lowers_to_valid_mir(
        start in any::<prop::sample::Index>(),
        changes in prop::collection::vec(change(), 1..3),
    ) {
        let mut text = REAL[start.index(REAL.len())].clone();
        for change in &changes {
            apply(&REAL, &mut text, change);
        }
        let (program, _) = super::library::check_program("random.medi", text.concat());
        if let Some(program) = program {
            super::tree::verify(&program);
            if let Ok(lowered) = lower(program) {
                prop_assert_eq!(validate(&lowered), Vec::<String>::new());
            }
        }
    }
}

fn config(cases: u32) -> ProptestConfig {
    ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() }
}

/// `PROPTEST_CASES` asks for more.
fn cases() -> u32 {
    let asked = std::env::var("PROPTEST_CASES").ok();
    asked.and_then(|cases| cases.parse().ok()).unwrap_or(300)
}
