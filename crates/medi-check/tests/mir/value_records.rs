//! Which records a program keeps by value.

use std::collections::BTreeSet;

use medi_check::library;

use crate::fixtures::{Library, lower_source};

/// Declares `Point { x: int, y: int }`, `other`, and what `body` needs; the names of the records kept by value.
fn kept_by_value(declarations: &str, body: &str) -> BTreeSet<String> {
    let text = format!(
        "record Point {{ x: int, y: int }}\n{declarations}\nfunc main() {{\n{body}\nprint(Point {{ x: 1, y: 2 }})\n}}\n"
    );
    let library = Library { files: library::FILES };
    let lowered = lower_source(&library, "value.medi", &text).unwrap_or_else(|e| panic!("{e}"));
    let program = lowered.program.unwrap_or_else(|errors| panic!("{errors:?}"));
    program.values.iter().map(|ty| program.records[ty].name.clone()).collect()
}

#[test]
fn a_record_that_nothing_changes_or_identifies_is_kept_by_value() {
    assert!(
        kept_by_value("", "let p = Point { x: 1, y: 2 }\nprint(p == p, [p], p.x)")
            .contains("Point")
    );
}

#[test]
fn one_assignment_anywhere_makes_all_of_a_record_type_shared() {
    let change = "func change(p: Point) { p.x = 3 }";
    assert!(!kept_by_value(change, "change(Point { x: 1, y: 2 })").contains("Point"));
}

#[test]
fn a_record_whose_identity_is_asked_for_is_shared_through_optionals_and_generics() {
    let asked = "let p = Point { x: 1, y: 2 }\nlet q: Point? = p\nprint(same(p, q))";
    assert!(!kept_by_value("", asked).contains("Point"));
    let generic = "func is_it[T](a: T, b: T) -> bool { return same(a, b) }";
    let asked = "let p = Point { x: 1, y: 2 }\nprint(is_it(p, p))";
    assert!(!kept_by_value(generic, asked).contains("Point"));
}

#[test]
fn a_record_inside_itself_is_shared_and_one_inside_its_own_list_is_not() {
    let declarations = "record Node { next: Node? }\nrecord Tree { children: list[Tree] }";
    let body = "print(Node { next: nil })\nprint(Tree { children: [] })";
    let found = kept_by_value(declarations, body);
    assert!(!found.contains("Node") && found.contains("Tree"), "{found:?}");
}

#[test]
fn one_of_the_records_inside_each_other_is_shared() {
    let declarations = "record A { b: B? }\nrecord B { c: C? }\nrecord C { a: A?, p: Point }";
    let body = "print(B { c: C { a: A { b: nil }, p: Point { x: 1, y: 2 } } })";
    let found = kept_by_value(declarations, body);
    assert_eq!(found.iter().filter(|name| ["A", "B", "C"].contains(&name.as_str())).count(), 2);
    assert!(found.contains("Point"));
}

#[test]
fn a_record_wider_than_a_cache_line_is_shared_and_its_parts_are_not() {
    let declarations = "record Box { a: Point, b: Point, c: Point, d: Point }\n\
                        record Crate { a: Box, more: int }";
    let p = "Point { x: 1, y: 2 }";
    let body = format!(
        "let b = Box {{ a: {p}, b: {p}, c: {p}, d: {p} }}\nprint(Crate {{ a: b, more: 1 }})"
    );
    let found = kept_by_value(declarations, &body);
    assert!(found.contains("Box") && !found.contains("Crate"), "{found:?}");
}
