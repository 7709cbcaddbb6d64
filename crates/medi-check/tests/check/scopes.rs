//! The scope checker on whole programs, with the library that ships. A program beside a text must give that text; the
//! twin of a rejected program, and a program without a text, must be accepted. `UPDATE=1` rewrites the texts.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use medi_check::{check, library, lower};
use medi_syntax::diagnostic::{Diagnostic, Edit, Severity};
use medi_syntax::source::SourceMap;
use medi_syntax::{codes, render};

fn programs() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/scopes");
    let entries = std::fs::read_dir(folder).expect("tests/scopes is there");
    let paths = entries.map(|entry| entry.expect("tests/scopes is readable").path());
    let mut paths: Vec<PathBuf> =
        paths.filter(|path| path.extension().is_some_and(|end| end == "medi")).collect();
    paths.sort();
    paths
}

fn text_of(path: &Path) -> String {
    std::fs::read_to_string(path).expect("a fixture is UTF-8")
}

/// What the compiler has against a program.
pub fn errors_of(name: &str, text: &str) -> (SourceMap, Vec<Diagnostic>) {
    let mut sources = SourceMap::default();
    let mut modules = vec![];
    let mut diagnostics = vec![];
    let mut add = |sources: &mut SourceMap, path: &str, text: &str, library: bool| {
        let file = sources.add(path, text.to_owned(), library);
        let (module, found) = medi_syntax::parse(sources, file);
        modules.push(module);
        diagnostics.extend(found);
    };
    for (path, text) in library::FILES {
        add(&mut sources, path, text, true);
    }
    add(&mut sources, name, text, false);
    let (program, found) = check::check(&sources, &modules, text.contains("func main("));
    diagnostics.extend(found);
    match program {
        Some(program) if program.main.is_some() => {
            diagnostics.extend(lower::lower_checked(program, &sources).err().unwrap_or_default());
        }
        Some(library) => diagnostics.extend(lower::check_library(library, &sources)),
        None => {}
    }
    (sources, diagnostics)
}

fn name_of(path: &Path) -> String {
    path.file_name().expect("a file has a name").to_string_lossy().to_string()
}

#[test]
fn each_program_gets_its_verdict() {
    let update = std::env::var_os("UPDATE").is_some();
    let mut wrong = vec![];
    for path in programs() {
        let name = name_of(&path);
        let (sources, found) = errors_of(&name, &text_of(&path));
        let found = render::human(&sources, &found, false);
        let beside = path.with_extension("stderr");
        if update && !found.is_empty() && !name.contains(".twin.") {
            std::fs::write(&beside, &found).expect("tests/scopes is writable");
        }
        let expected = std::fs::read_to_string(&beside).unwrap_or_default();
        if found != expected {
            wrong.push(format!("{name}\n--- now\n{found}--- expected\n{expected}"));
        }
    }
    assert!(wrong.is_empty(), "UPDATE=1 rewrites these:\n{}", wrong.join("\n"));
}

/// The text with a diagnostic's edits made.
fn edited(text: &str, edits: &[Edit]) -> String {
    let mut edits: Vec<&Edit> = edits.iter().collect();
    edits.sort_by_key(|edit| edit.span.start);
    let mut text = text.to_owned();
    for edit in edits.iter().rev() {
        text.replace_range(edit.span.start as usize..edit.span.end as usize, &edit.replacement);
    }
    text
}

#[test]
fn each_offered_edit_makes_its_error_go_away() {
    let mut tried = 0;
    for path in programs() {
        let (name, text) = (name_of(&path), text_of(&path));
        let (_, before) = errors_of(&name, &text);
        for diagnostic in before.iter().filter(|diagnostic| !diagnostic.edits.is_empty()) {
            let after = edited(&text, &diagnostic.edits);
            let (sources, left) = errors_of(&name, &after);
            let errors = |found: &[Diagnostic]| {
                found.iter().filter(|found| found.severity == Severity::Error).count()
            };
            let fewer = errors(&left) < errors(&before);
            let left = render::human(&sources, &left, false);
            assert!(fewer, "{name}: after the edit\n{after}\nit says\n{left}");
            tried += 1;
        }
    }
    assert!(tried > 5, "most errors about scopes offer an edit");
}

/// The errors that offer no edit, in the order of their programs.
const WITHOUT_EDIT: [(&str, &str); 35] = [
    ("M0101", "03_kept_outside"),
    ("M0102", "05_kept_by_callee"),
    ("M0202", "20_free_twice"),
    ("M0201", "21_freed_by_callee"),
    ("M0102", "22_in_record"),
    ("M0103", "23_handler_kept"),
    ("M0101", "24_variable_captured"),
    ("M0203", "25_free_in_function_value"),
    ("M0101", "30_object_kept_outside"),
    ("M0101", "31_shared_in_inner_scope"),
    ("M0203", "32_given_twice"),
    ("M0203", "33_given_with_its_view"),
    ("M0203", "34_both_freed"),
    ("M0201", "35_library"),
    ("M0101", "35_library"),
    ("M0201", "37_stored_then_used"),
    ("M0201", "38_pushed_then_freed"),
    ("M0203", "39_moved_under_view"),
    ("M0203", "40_freed_by_closure"),
    ("M0201", "41_used_after_spawn"),
    ("M0301", "42_task_never_frees"),
    ("M0203", "43_freed_while_captured"),
    ("M0201", "44_freed_by_one_statement"),
    ("M0301", "51_not_always_freed"),
    ("M0301", "51_not_always_freed"),
    ("M0201", "53_freed_and_used_behind_calls"),
    ("M0201", "53_freed_and_used_behind_calls"),
    ("M0102", "60_owned_view_stored"),
    ("M0301", "67_owner_lost_view_returned"),
    ("M0401", "68_started_by_function_value"),
    ("M0102", "70_lent_to_function_value"),
    ("M0203", "76_freed_by_a_statement"),
    ("M0203", "91_given_away_and_used"),
    ("M0301", "92_freed_beside_owned"),
    ("M0103", "93_got_from_a_weak_reference"),
];

#[test]
fn every_error_offers_an_edit_where_there_is_one() {
    let mut without = vec![];
    for path in programs() {
        let (name, text) = (name_of(&path), text_of(&path));
        let (_, found) = errors_of(&name, &text);
        let of_memory = found.iter().filter(|found| found.code.starts_with("M0"));
        let bare = of_memory.filter(|found| found.edits.is_empty());
        without.extend(bare.map(|found| (found.code, name.trim_end_matches(".medi").to_owned())));
    }
    let without: Vec<(&str, &str)> =
        without.iter().map(|(code, name)| (*code, &name[..])).collect();
    assert_eq!(without, WITHOUT_EDIT);
}

#[test]
fn every_code_about_scopes_has_a_program_that_gives_it() {
    let given: BTreeSet<&str> = programs()
        .iter()
        .flat_map(|path| errors_of(&name_of(path), &text_of(path)).1)
        .map(|diagnostic| diagnostic.code)
        .collect();
    let missing: Vec<&str> = codes::all()
        .map(|entry| entry.code)
        .filter(|code| code.starts_with('M') && !given.contains(code))
        .collect();
    assert!(missing.is_empty(), "no program in tests/scopes gives {missing:?}");
}
