//! What a statement may do besides giving a value; what may move it depends on that.

use crate::mir::{BinaryOp, Rvalue, StmtKind, UnaryOp};

/// Whether it can neither stop the program, nor start a collection, nor run other code.
pub(super) fn is_silent(stmt: &StmtKind) -> bool {
    match stmt {
        StmtKind::Assign(_, rvalue) => is_silent_value(rvalue),
        StmtKind::SetField { .. }
        | StmtKind::SetElem { .. }
        | StmtKind::SetCell { .. }
        | StmtKind::Barrier { .. } => true,
        StmtKind::SetScopeElem { .. }
        | StmtKind::Bounds { .. }
        | StmtKind::ScopeEnter(_)
        | StmtKind::ScopeExit(_)
        | StmtKind::Free(_)
        | StmtKind::AtomicStore { .. }
        | StmtKind::SetOwnField { .. }
        | StmtKind::Fence(_)
        | StmtKind::Safepoint => false,
    }
}

/// Whether making the value can neither stop the program, nor start a collection, nor run other code.
pub(super) fn is_silent_value(rvalue: &Rvalue) -> bool {
    match rvalue {
        Rvalue::Unary(op, _) => match op {
            UnaryOp::NegInt
            | UnaryOp::FloatToInt
            | UnaryOp::RoundToInt
            | UnaryOp::IntToByte
            | UnaryOp::AbsInt => false,
            UnaryOp::NegFloat
            | UnaryOp::Not
            | UnaryOp::BitNot
            | UnaryOp::IntToFloat
            | UnaryOp::ByteToInt
            | UnaryOp::BoolToInt
            | UnaryOp::Sqrt
            | UnaryOp::Floor
            | UnaryOp::Ceil
            | UnaryOp::AbsFloat => true,
        },
        Rvalue::Binary(op, ..) => match op {
            BinaryOp::AddInt
            | BinaryOp::SubInt
            | BinaryOp::MulInt
            | BinaryOp::DivInt
            | BinaryOp::RemInt
            | BinaryOp::Shl
            | BinaryOp::Shr => false,
            BinaryOp::AddUnchecked
            | BinaryOp::AddFloat
            | BinaryOp::SubFloat
            | BinaryOp::MulFloat
            | BinaryOp::DivFloat
            | BinaryOp::BitAnd
            | BinaryOp::BitOr
            | BinaryOp::BitXor
            | BinaryOp::MinInt
            | BinaryOp::MaxInt
            | BinaryOp::MinFloat
            | BinaryOp::MaxFloat
            | BinaryOp::Compare(_)
            | BinaryOp::CompareFloat(_)
            | BinaryOp::Same => true,
        },
        Rvalue::Use(_)
        | Rvalue::GetField { .. }
        | Rvalue::GetElem { .. }
        | Rvalue::ArrayLen(_)
        | Rvalue::GetCell(_)
        | Rvalue::Capture(_)
        | Rvalue::MakeTuple(_)
        | Rvalue::GetTuple { .. }
        | Rvalue::MakeSome { .. }
        | Rvalue::IsSome(_)
        | Rvalue::UnwrapSome(_)
        | Rvalue::MakeOk { .. }
        | Rvalue::MakeErr { .. }
        | Rvalue::IsOk(_)
        | Rvalue::UnwrapOk(_)
        | Rvalue::UnwrapErr(_)
        | Rvalue::VariantTag(_)
        | Rvalue::GetVariantField { .. } => true,
        Rvalue::NewRecord { .. }
        | Rvalue::NewVariant { .. }
        | Rvalue::NewArray { .. }
        | Rvalue::NewClosure { .. }
        | Rvalue::NewCell { .. }
        | Rvalue::Call { .. }
        | Rvalue::CallClosure { .. }
        | Rvalue::CallNative { .. }
        | Rvalue::Allocate { .. }
        | Rvalue::MakeView { .. }
        | Rvalue::SliceView { .. }
        | Rvalue::SplitView { .. }
        | Rvalue::NewOwn { .. }
        | Rvalue::GetOwnField { .. }
        | Rvalue::OwnedBuffer { .. }
        | Rvalue::Pin { .. }
        | Rvalue::Unpin(_)
        | Rvalue::Share(_)
        | Rvalue::Downgrade { .. }
        | Rvalue::Upgrade { .. }
        | Rvalue::ShareCount(_)
        | Rvalue::AtomicLoad { .. }
        | Rvalue::AtomicUpdate { .. }
        | Rvalue::AtomicCompareSwap { .. }
        | Rvalue::ScopeLen(_)
        | Rvalue::GetScopeElem { .. } => false,
    }
}
