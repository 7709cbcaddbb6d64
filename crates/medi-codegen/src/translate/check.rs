//! A check over MIR and its layouts: each store of a reference into an object stands behind a barrier on the
//! same object, with nothing in between at which the object's colour could change.

use std::fmt;

use medi_check::mir::{FunctionId, Operand, StmtKind};
use medi_check::types::TyId;
use medi_runtime::shape::{Kind, Scalar};

use super::point_kind;
use crate::roots::PointKind;
use crate::unit::Unit;

/// A store of a reference that no barrier covers.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct MissingBarrier {
    pub function: String,
    pub block: usize,
    pub statement: usize,
}

impl fmt::Display for MissingBarrier {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            out,
            "statement {} of block {} in `{}` stores a reference into an object without a barrier",
            self.statement, self.block, self.function
        )
    }
}

/// Every store of a function that lacks its barrier.
pub fn missing_barriers(unit: &Unit<'_>, id: FunctionId) -> Vec<MissingBarrier> {
    let function = &unit.program.functions[id.index()];
    let type_of = |operand: &Operand| match operand {
        Operand::Copy(local) | Operand::Move(local) => Some(function.locals[local.index()].ty),
        Operand::Const(_) => None,
    };
    let holds_references =
        |ty: TyId| unit.layouts.scalars(ty).iter().any(|(_, scalar)| *scalar == Scalar::Ref);
    let element_of = |ty: TyId| match unit.layouts.shape(ty).kind {
        Kind::Array { element } => unit.layouts.shapes.get(element).scalars.iter(),
        _ => [].iter(),
    };
    let mut missing = vec![];
    for (index, block) in function.blocks.iter().enumerate() {
        let mut covered: Vec<&Operand> = vec![];
        for (at, stmt) in block.stmts.iter().enumerate() {
            let store = match &stmt.kind {
                StmtKind::Barrier { object } => {
                    covered.push(object);
                    continue;
                }
                StmtKind::SetField { object, field, .. } => type_of(object).and_then(|ty| {
                    let place = &unit.layouts.fields(ty)[*field as usize];
                    let scalars = &unit.layouts.shapes.get(place.shape).scalars;
                    scalars.iter().any(|(_, s)| *s == Scalar::Ref).then_some(object)
                }),
                StmtKind::SetElem { array, .. } => type_of(array)
                    .and_then(|ty| element_of(ty).any(|(_, s)| *s == Scalar::Ref).then_some(array)),
                StmtKind::SetCell { cell, value } => {
                    type_of(value).filter(|ty| holds_references(*ty)).map(|_| cell)
                }
                _ => None,
            };
            if let Some(object) = store
                && !covered.iter().any(|known| same_place(known, object))
            {
                let function = function.name.clone();
                missing.push(MissingBarrier { function, block: index, statement: at });
            }
            if point_kind(unit, stmt) != PointKind::None {
                covered.clear();
            }
            if let StmtKind::Assign(local, _) = &stmt.kind {
                let local = Operand::Copy(*local);
                covered.retain(|known| !same_place(known, &local));
            }
        }
    }
    missing
}

fn same_place(left: &Operand, right: &Operand) -> bool {
    match (left, right) {
        (Operand::Copy(a) | Operand::Move(a), Operand::Copy(b) | Operand::Move(b)) => a == b,
        _ => false,
    }
}
