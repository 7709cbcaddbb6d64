//! Records kept by value.
//!
//! A record whose fields nothing in the program assigns, and which nothing compares by identity, is the same
//! to the program whether two names share one object or each has its own copy. Such a record is
//! stored where it is used, like a tuple, when it is narrow and not inside itself: without a header, without a
//! reference, and without an allocation. [`mir::Program::values`] names them; the statements stay as they are.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use super::instantiate::MAX_WIDTH;
use crate::hir::LangItems;
use crate::mir::{self, BinaryOp, NativeParam, Operand, Program, Rvalue, StmtKind};
use crate::types::{Ty, TyId};

/// How many machine words a record kept by value may have: a cache line. Wider ones are cheaper to share than to copy,
/// and make a list that holds them inline dear to grow.
const MOST_WORDS: usize = 8;

/// Decides which records are kept by value, and drops the barriers that this makes needless.
pub(super) fn run(program: &mut Program, lang: &LangItems) {
    let mut shared = shared(program, lang);
    loop {
        let mut search = Search::new(program, &shared);
        let records = program.records.keys();
        let values = records.copied().filter(|ty| search.words_by_value(*ty).is_some()).collect();
        let locals = program.functions.iter().flat_map(|function| &function.locals);
        let wide: BTreeSet<TyId> = locals
            .map(|local| local.ty)
            .filter(|ty| search.words(*ty) > MAX_WIDTH as usize)
            .collect();
        if wide.is_empty() {
            program.values = values;
            break;
        }
        wide.into_iter().for_each(|ty| share(program, ty, &mut shared));
    }
    drop_needless_barriers(program);
}

/// Records whose identity the program can see.
fn shared(program: &Program, lang: &LangItems) -> BTreeSet<TyId> {
    let mut shared = BTreeSet::new();
    for ty in program.records.keys() {
        // What the runtime makes or reads as objects.
        if matches!(program.types.get(*ty), Ty::Record(id, _) if *id == lang.list || *id == lang.map)
        {
            shared.insert(*ty);
        }
    }
    for native in &program.natives {
        let plain = native.params.iter().filter_map(|param| match param {
            NativeParam::Plain(ty) => Some(*ty),
            NativeParam::Shaped(_) => None,
        });
        for ty in plain.chain([native.result]) {
            share(program, ty, &mut shared);
        }
    }
    for function in &program.functions {
        let mut share_operand = |operand: &Operand| {
            if let Operand::Copy(local) | Operand::Move(local) = operand {
                share(program, function.locals[local.index()].ty, &mut shared);
            }
        };
        for stmt in function.blocks.iter().flat_map(|block| &block.stmts) {
            match &stmt.kind {
                StmtKind::SetField { object, .. } => share_operand(object),
                StmtKind::Assign(_, Rvalue::Binary(BinaryOp::Same, left, right)) => {
                    share_operand(left);
                    share_operand(right);
                }
                _ => {}
            }
        }
    }
    shared
}

/// Adds the records that a value of the type is, or holds directly.
fn share(program: &Program, ty: TyId, shared: &mut BTreeSet<TyId>) {
    match program.types.get(ty) {
        Ty::Record(..) => {
            shared.insert(ty);
        }
        Ty::Tuple(parts) => parts.iter().for_each(|part| share(program, *part, shared)),
        Ty::Optional(inner) | Ty::Result(inner) => share(program, *inner, shared),
        _ => {}
    }
}

/// The widths of records, found depth first.
struct Search<'a> {
    program: &'a Program,
    shared: &'a BTreeSet<TyId>,
    /// By record: its words by value, `None` for a reference.
    words: BTreeMap<TyId, Option<usize>>,
    /// Records whose fields are being looked at.
    open: Vec<TyId>,
    /// Records that would hold themselves.
    cyclic: HashSet<TyId>,
}

impl<'a> Search<'a> {
    fn new(program: &'a Program, shared: &'a BTreeSet<TyId>) -> Self {
        Self { program, shared, words: BTreeMap::new(), open: vec![], cyclic: HashSet::new() }
    }

    /// The words of a record's fields; `None` when it is kept by reference.
    fn words_by_value(&mut self, ty: TyId) -> Option<usize> {
        if let Some(known) = self.words.get(&ty) {
            return *known;
        }
        if self.open.contains(&ty) {
            self.cyclic.insert(ty);
            return None;
        }
        let program = self.program;
        let fields = &program.records[&ty].fields;
        let mut words = None;
        if !fields.is_empty() && !self.shared.contains(&ty) {
            self.open.push(ty);
            let sum: usize = fields.iter().map(|field| self.words(field.ty)).sum();
            self.open.pop();
            words = (sum <= MOST_WORDS && !self.cyclic.contains(&ty)).then_some(sum);
        }
        self.words.insert(ty, words);
        words
    }

    /// The registers that a value of the type takes.
    fn words(&mut self, ty: TyId) -> usize {
        match self.program.types.get(ty) {
            Ty::Unit | Ty::Never => 0,
            Ty::Tuple(parts) => parts.iter().map(|part| self.words(*part)).sum(),
            Ty::Optional(inner) | Ty::Result(inner) => self.words(*inner) + 1,
            Ty::Buffer | Ty::Owned(_) => 2,
            Ty::Pin(_) => 3,
            Ty::View(_) => 4,
            Ty::Record(..) => self.words_by_value(ty).unwrap_or(1),
            _ => 1,
        }
    }
}

/// Drops each barrier of stores that turned out to hold no references.
fn drop_needless_barriers(program: &mut Program) {
    let mut functions = std::mem::take(&mut program.functions);
    for function in &mut functions {
        for block in &mut function.blocks {
            for at in (0..block.stmts.len()).rev() {
                let StmtKind::Barrier { object } = &block.stmts[at].kind else { continue };
                let mut stores = mir::follows_barrier(object, &block.stmts[at + 1..]).iter();
                if !stores.any(|stmt| program.stores_references(&function.locals, stmt)) {
                    block.stmts.remove(at);
                }
            }
        }
    }
    program.functions = functions;
}
