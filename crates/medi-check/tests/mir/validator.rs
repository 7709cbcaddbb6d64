//! The validator finds what it is there to find: each test breaks one promise of a right program.

use medi_check::hir::*;
use medi_check::mir::{self, Operand, Program, Rvalue, TerminatorKind};
use medi_check::types::*;

use crate::tree::*;

/// A program with a loop, a scope, a store of a reference and a local.
fn right_program() -> Program {
    let mut tree = Tree::new();
    let id = tree.record("Node", 0, &[("name", Types::STR)]);
    let node = tree.ty(Ty::Record(id, vec![]));
    let mut main = FuncBuilder::main();
    let n = main.bind("n", node);
    let i = main.bind("i", Types::INT);
    let new = expr(ExprKind::NewRecord { fields: vec![(0, text("a"))] }, node);
    let iter = Iter::Range { start: int(0), end: int(9), inclusive: false };
    let store = assign(field(main.get(n), 0, Types::STR), None, text("b"));
    let shown = effect(print(vec![main.get(i)]));
    let body = block(vec![shown, store]);
    let inner = block(vec![stmt(StmtKind::For { pattern: main.binding(i), iter, body })]);
    let scope = ExprKind::Scope { name: None, body: Box::new(inner), end: span() };
    let body = block(vec![main.let_(n, new), effect(expr(scope, Types::UNIT))]);
    tree.main(main, body);
    let program = tree.lower().expect("it is right");
    assert_eq!(mir::validate(&program), Vec::<String>::new());
    program
}

/// What the validator says of the program after `change` of each statement; those for which it returns
/// false are removed.
fn after(mut change: impl FnMut(&mut mir::StmtKind) -> bool) -> String {
    let mut program = right_program();
    for block in &mut program.functions[0].blocks {
        block.stmts.retain_mut(|stmt| change(&mut stmt.kind));
    }
    mir::validate(&program).join("\n")
}

#[test]
fn a_missing_barrier_is_found() {
    let found = after(|stmt| !matches!(stmt, mir::StmtKind::Barrier { .. }));
    assert!(found.contains("references are stored without a barrier"), "{found}");
}

/// The right program with its one barrier and the store behind it replaced by what `change` makes of the two.
fn with_store(change: impl Fn([mir::StmtKind; 2]) -> Vec<mir::StmtKind>) -> String {
    let mut program = right_program();
    let barrier = |stmt: &mir::Stmt| matches!(stmt.kind, mir::StmtKind::Barrier { .. });
    let blocks = &mut program.functions[0].blocks;
    let (block, at) = blocks
        .iter_mut()
        .find_map(|block| block.stmts.iter().position(barrier).map(|at| (block, at)))
        .expect("it stores a reference");
    let [barrier, store] = [0, 1].map(|index| block.stmts[at + index].kind.clone());
    let changed = change([barrier, store]).into_iter().map(|kind| mir::Stmt { kind, span: span() });
    block.stmts.splice(at..at + 2, changed);
    mir::validate(&program).join("\n")
}

#[test]
fn a_barrier_covers_the_stores_directly_behind_it() {
    let found = with_store(|[barrier, store]| vec![barrier, store.clone(), store]);
    assert_eq!(found, "");
}

#[test]
fn a_statement_between_a_barrier_and_its_store_is_found() {
    let copy = |mut store: mir::StmtKind| {
        let mir::StmtKind::SetField { object: Operand::Copy(object), .. } = &mut store else {
            panic!("no store: {store:?}")
        };
        mir::StmtKind::Assign(*object, Rvalue::Use(Operand::Copy(*object)))
    };
    for between in [|_| mir::StmtKind::Safepoint, copy] {
        let first =
            with_store(|[barrier, store]| vec![barrier, between(store.clone()), store.clone()]);
        assert!(first.contains("no store of references follows the barrier"), "{first}");
        assert!(first.contains("references are stored without a barrier"), "{first}");
        let second = with_store(|[barrier, store]| {
            vec![barrier, store.clone(), between(store.clone()), store]
        });
        assert!(second.contains("references are stored without a barrier"), "{second}");
    }
}

#[test]
fn a_barrier_without_a_store_is_found() {
    let found = with_store(|[barrier, store]| vec![barrier.clone(), barrier, store]);
    assert!(found.contains("no store of references follows the barrier"), "{found}");
}

#[test]
fn a_loop_without_a_safepoint_is_found() {
    let found = after(|stmt| !matches!(stmt, mir::StmtKind::Safepoint));
    assert!(found.contains("a loop without a safepoint"), "{found}");
}

#[test]
fn a_scope_that_is_not_left_is_found() {
    let found = after(|stmt| !matches!(stmt, mir::StmtKind::ScopeExit(_)));
    assert!(found.contains("the function returns with a scope open"), "{found}");
}

#[test]
fn a_scope_that_is_not_entered_is_found() {
    let found = after(|stmt| !matches!(stmt, mir::StmtKind::ScopeEnter(_)));
    assert!(found.contains("a scope is left that is not the innermost"), "{found}");
}

#[test]
fn a_local_that_is_not_assigned_on_every_path_is_found() {
    let found = after(|stmt| !matches!(stmt, mir::StmtKind::Assign(_, Rvalue::NewRecord { .. })));
    assert!(found.contains("may be used before it is assigned"), "{found}");
}

#[test]
fn an_operand_of_another_type_is_found() {
    let found = after(|stmt| {
        if let mir::StmtKind::SetField { value, .. } = stmt {
            *value = Operand::Const(mir::Const::Int(1));
        }
        true
    });
    assert!(found.contains("`int` stands where `string` is wanted"), "{found}");
}

#[test]
fn an_edge_to_nowhere_is_found() {
    let mut program = right_program();
    program.functions[0].blocks[0].terminator.kind = TerminatorKind::Goto(mir::BlockId(99));
    let found = mir::validate(&program).join("\n");
    assert!(found.contains("b99 does not exist"), "{found}");
}

#[test]
fn a_field_of_a_record_kept_by_value_that_is_assigned_is_found() {
    let mut program = right_program();
    program.values.extend(program.records.keys().copied());
    let found = mir::validate(&program).join("\n");
    assert!(found.contains("a record kept by reference"), "{found}");
}
