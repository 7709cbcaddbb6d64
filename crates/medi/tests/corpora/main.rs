//! Programs that misuse memory, as other projects' tests have them, and twins that do not. Each has its verdict written
//! down; what the compiler says, or a run, must be that. docs/verification.md says more, and has the table.

mod case;
mod judge;
mod juliet;
mod known;
mod table;

use std::collections::BTreeSet;
use std::path::Path;
use std::thread;

use case::Case;
use judge::{Judge, Seen};

fn cases() -> Vec<Case> {
    let mut cases = juliet::cases();
    for (family, text) in [
        ("rustc", include_str!("cases/rustc.cases")),
        ("dlang", include_str!("cases/dlang.cases")),
        ("oxcaml", include_str!("cases/oxcaml.cases")),
        ("jdk", include_str!("cases/jdk.cases")),
    ] {
        cases.extend(case::read(family, text));
    }
    let mut names = BTreeSet::new();
    for case in &cases {
        assert!(names.insert(&case.name), "two cases have the name `{}`", case.name);
    }
    cases
}

/// What becomes of each case, in their order.
fn judged(cases: &[Case]) -> Vec<Seen> {
    let threads = thread::available_parallelism().map_or(2, |count| count.get().min(8));
    thread::scope(|scope| {
        let parts = cases.chunks(cases.len().div_ceil(threads).max(1));
        let work = parts.map(|part| {
            scope.spawn(|| {
                let judge = Judge::new();
                part.iter().map(|case| judge.judge(case)).collect::<Vec<_>>()
            })
        });
        let work: Vec<_> = work.collect();
        work.into_iter().flat_map(|thread| thread.join().expect("each is judged")).collect()
    })
}

/// `MEDI_CORPORA_SHOW=TEXT` shows the cases whose names contain the text, and what is said about them.
#[test]
fn show() {
    let Ok(wanted) = std::env::var("MEDI_CORPORA_SHOW") else { return };
    let cases: Vec<Case> = cases().into_iter().filter(|c| c.name.contains(&wanted)).collect();
    for (case, seen) in cases.iter().zip(judged(&cases)) {
        let right = if case.expected.is_met_by(&seen.verdict) { "right" } else { "WRONG" };
        println!("{right} {}: expected {:?}, saw {:?}", case.name, case.expected, seen.verdict);
        for (name, text) in &case.files {
            println!("-- {name}\n{text}");
        }
        println!("{}", seen.text);
    }
}

#[test]
fn each_case_gets_its_verdict_but_for_those_that_are_known() {
    let cases = cases();
    let seen = judged(&cases);
    let known = known::known();
    let mut wrong = vec![];
    let mut unknown: Vec<&str> = known.keys().copied().collect();
    for (case, seen) in cases.iter().zip(&seen) {
        let met = case.expected.is_met_by(&seen.verdict);
        unknown.retain(|name| *name != case.name);
        match known.get(case.name.as_str()) {
            None if !met => wrong.push(format!(
                "{}: expected {:?}, saw {:?}\n{}",
                case.name, case.expected, seen.verdict, seen.text
            )),
            Some(_) if met => wrong.push(format!("{} is right now: take it out", case.name)),
            _ => {}
        }
    }
    wrong.extend(unknown.iter().map(|name| format!("known.txt: there is no case `{name}`")));
    let table = table::table(&cases, &seen);
    println!("{table}");
    assert!(
        wrong.is_empty(),
        "{} verdicts are not as they should:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
    tell(&table);
}

/// The table in the book is this one; `UPDATE=1` writes it there.
fn tell(table: &str) {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/verification.md");
    let text = std::fs::read_to_string(&page).expect("docs/verification.md");
    let start = text.find("| family |").expect("a table");
    let end = text[start..].find("\n\n").map_or(text.len(), |at| start + at + 1);
    if std::env::var_os("UPDATE").is_some() {
        let text = format!("{}{table}{}", &text[..start], &text[end..]);
        std::fs::write(&page, text).expect("docs/verification.md can be written");
    } else {
        assert_eq!(&text[start..end], table, "UPDATE=1 writes the table of docs/verification.md");
    }
}
