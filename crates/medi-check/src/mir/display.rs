//! The text form of MIR: for fixtures and for `medi check --emit mir`.
//!
//! Stable: the same program has the same text. A local is written with its name and number, `total_3`,
//! a temporary with its number, `_4`. Spans are left out.

use std::fmt::Write;

use super::{
    BinaryOp, Block, BlockId, Comparison, Const, Function, FunctionId, Local, NativeParam, Operand,
    Program, Rvalue, ScopeId, StmtKind, TerminatorKind, Trap, UnaryOp,
};

/// Every function of the program, in the order they were asked for.
pub fn display(program: &Program) -> String {
    let texts: Vec<_> =
        program.functions.iter().map(|function| display_function(program, function)).collect();
    texts.join("\n")
}

/// One function.
pub fn display_function(program: &Program, function: &Function) -> String {
    let printer = Printer { program, function };
    let mut out = String::new();
    printer.function(&mut out).expect("a string takes what is written");
    out
}

struct Printer<'a> {
    program: &'a Program,
    function: &'a Function,
}

impl Printer<'_> {
    fn function(&self, out: &mut String) -> std::fmt::Result {
        let function = self.function;
        let declared = |index: usize| {
            let ty = self.program.type_name(function.locals[index].ty);
            format!("{}: {ty}", self.local(Local(index as u32)))
        };
        let params: Vec<_> = (0..function.params).map(declared).collect();
        let result = self.program.type_name(function.result);
        writeln!(out, "func {}({}) -> {result} {{", function.name, params.join(", "))?;
        if let Some(captures) = &function.captures {
            let captures: Vec<_> = captures.iter().map(|ty| self.program.type_name(*ty)).collect();
            writeln!(out, "  captures ({})", captures.join(", "))?;
        }
        for index in function.params..function.locals.len() {
            writeln!(out, "  let {}", declared(index))?;
        }
        for (index, inlined) in function.inlined.iter().enumerate() {
            let parent =
                inlined.parent.map_or(String::new(), |parent| format!(" in i{}", parent.0));
            writeln!(out, "  inlined i{index} = {}{parent}", inlined.name)?;
        }
        for (index, block) in function.blocks.iter().enumerate() {
            self.block(BlockId(index as u32), block, out)?;
        }
        writeln!(out, "}}")
    }

    fn block(&self, id: BlockId, block: &Block, out: &mut String) -> std::fmt::Result {
        let inlined = block.inlined.map_or(String::new(), |inlined| format!(" (i{})", inlined.0));
        writeln!(out, "b{}:{inlined}", id.0)?;
        for stmt in &block.stmts {
            writeln!(out, "  {}", self.stmt(&stmt.kind))?;
        }
        writeln!(out, "  {}", self.terminator(&block.terminator.kind))
    }

    fn local(&self, local: Local) -> String {
        match self.function.locals.get(local.index()).and_then(|decl| decl.name.as_ref()) {
            Some(name) => format!("{name}_{}", local.0),
            None => format!("_{}", local.0),
        }
    }

    fn operand(&self, operand: &Operand) -> String {
        match operand {
            Operand::Copy(local) => self.local(*local),
            Operand::Move(local) => format!("move {}", self.local(*local)),
            Operand::Const(constant) => self.constant(constant),
        }
    }

    fn constant(&self, constant: &Const) -> String {
        match constant {
            Const::Unit => "()".to_owned(),
            Const::Int(value) => value.to_string(),
            Const::Float(value) => format!("{value:?}"),
            Const::Bool(value) => value.to_string(),
            Const::Byte(value) => format!("{value}b"),
            Const::Str(id) => match self.program.strings.get(id.index()) {
                Some(text) => format!("{text:?}"),
                None => format!("string {}", id.0),
            },
            Const::Nil(_) => "nil".to_owned(),
            Const::Variant(ty, variant) => self.variant(*ty, *variant),
        }
    }

    fn variant(&self, ty: crate::types::TyId, variant: u32) -> String {
        let declared = self.program.enums.get(&ty);
        let name = declared.and_then(|lowered| lowered.variants.get(variant as usize));
        let name = name.map_or_else(|| variant.to_string(), |variant| variant.name.clone());
        format!("{}.{name}", self.program.type_name(ty))
    }

    fn list(&self, operands: &[Operand]) -> String {
        let texts: Vec<_> = operands.iter().map(|operand| self.operand(operand)).collect();
        texts.join(", ")
    }

    fn callee(&self, function: FunctionId) -> &str {
        self.program.functions.get(function.index()).map_or("?", |callee| &callee.name)
    }

    fn scope(&self, scope: ScopeId) -> String {
        match self.function.scopes.get(scope.index()).and_then(|scope| scope.name.as_ref()) {
            Some(name) => format!("s{} {name}", scope.0),
            None => format!("s{}", scope.0),
        }
    }

    fn stmt(&self, stmt: &StmtKind) -> String {
        let operand = |operand| self.operand(operand);
        match stmt {
            StmtKind::Assign(local, rvalue) => {
                format!("{} = {}", self.local(*local), self.rvalue(rvalue))
            }
            StmtKind::SetField { object, field, value } => {
                let name = self.field(object, *field);
                format!("{}.{name} := {}", operand(object), operand(value))
            }
            StmtKind::SetElem { array, index, value } => {
                format!("{}[{}] := {}", operand(array), operand(index), operand(value))
            }
            StmtKind::SetCell { cell, value } => {
                format!("*{} := {}", operand(cell), operand(value))
            }
            StmtKind::SetScopeElem { base, index, value } => {
                format!("checked {}[{}] := {}", operand(base), operand(index), operand(value))
            }
            StmtKind::Barrier { object } => format!("barrier {}", operand(object)),
            StmtKind::Bounds { index, len } => {
                format!("bounds {} in {}", operand(index), operand(len))
            }
            StmtKind::ScopeEnter(scope) => format!("enter {}", self.scope(*scope)),
            StmtKind::ScopeExit(scope) => format!("exit {}", self.scope(*scope)),
            StmtKind::Free(buffer) => format!("free {}", operand(buffer)),
            StmtKind::SetOwnField { object, field, value } => {
                format!("own {}.{field} = {}", operand(object), operand(value))
            }
            StmtKind::AtomicStore { view, index, value, order } => {
                let (view, index, value) = (operand(view), operand(index), operand(value));
                format!("atomic store {} {view}[{index}], {value}", order.name())
            }
            StmtKind::Fence(order) => format!("fence {}", order.name()),
            StmtKind::Safepoint => "safepoint".to_owned(),
        }
    }

    /// The name of a field of the record that `object` is, or its number.
    fn field(&self, object: &Operand, field: u32) -> String {
        let record = match object {
            Operand::Copy(local) | Operand::Move(local) => self
                .function
                .locals
                .get(local.index())
                .and_then(|decl| self.program.records.get(&decl.ty)),
            Operand::Const(_) => None,
        };
        let name = record.and_then(|record| record.fields.get(field as usize));
        name.map_or_else(|| field.to_string(), |field| field.name.clone())
    }

    fn rvalue(&self, rvalue: &Rvalue) -> String {
        let operand = |operand| self.operand(operand);
        let name = |ty: &crate::types::TyId| self.program.type_name(*ty);
        match rvalue {
            Rvalue::Use(value) => operand(value),
            Rvalue::Unary(op, value) => format!("{} {}", unary(*op), operand(value)),
            Rvalue::Binary(op, left, right) => {
                format!("{} {}, {}", binary(*op), operand(left), operand(right))
            }
            Rvalue::NewRecord { ty, fields } => {
                format!("new {} {{{}}}", name(ty), self.list(fields))
            }
            Rvalue::NewVariant { ty, variant, fields } => {
                format!("new {}({})", self.variant(*ty, *variant), self.list(fields))
            }
            Rvalue::NewArray { ty, len } => format!("new {}({})", name(ty), operand(len)),
            Rvalue::NewClosure { function, captures, .. } => {
                format!("closure {}({})", self.callee(*function), self.list(captures))
            }
            Rvalue::NewCell { ty, value } => format!("new {}({})", name(ty), operand(value)),
            Rvalue::GetField { object, field } => {
                format!("{}.{}", operand(object), self.field(object, *field))
            }
            Rvalue::GetElem { array, index } => format!("{}[{}]", operand(array), operand(index)),
            Rvalue::ArrayLen(array) => format!("array_len {}", operand(array)),
            Rvalue::GetCell(cell) => format!("*{}", operand(cell)),
            Rvalue::Capture(index) => format!("capture {index}"),
            Rvalue::MakeTuple(parts) => format!("({})", self.list(parts)),
            Rvalue::GetTuple { tuple, index } => format!("{}.{index}", operand(tuple)),
            Rvalue::MakeSome { value, .. } => format!("some {}", operand(value)),
            Rvalue::IsSome(value) => format!("is_some {}", operand(value)),
            Rvalue::UnwrapSome(value) => format!("unwrap_some {}", operand(value)),
            Rvalue::MakeOk { value, .. } => format!("ok {}", operand(value)),
            Rvalue::MakeErr { message, .. } => format!("err {}", operand(message)),
            Rvalue::IsOk(value) => format!("is_ok {}", operand(value)),
            Rvalue::UnwrapOk(value) => format!("unwrap_ok {}", operand(value)),
            Rvalue::UnwrapErr(value) => format!("unwrap_err {}", operand(value)),
            Rvalue::VariantTag(value) => format!("tag {}", operand(value)),
            Rvalue::GetVariantField { value, variant, field } => {
                format!("variant {} of {} field {field}", variant, operand(value))
            }
            Rvalue::Call { function, args } => {
                format!("call {}({})", self.callee(*function), self.list(args))
            }
            Rvalue::CallClosure { callee, args } => {
                format!("call closure {}({})", operand(callee), self.list(args))
            }
            Rvalue::CallNative { native, args } => {
                let Some(native) = self.program.natives.get(native.index()) else {
                    return format!("native {}({})", native.0, self.list(args));
                };
                let shaped = native.params.iter().filter_map(|param| match param {
                    NativeParam::Shaped(ty) => Some(self.program.type_name(*ty)),
                    NativeParam::Plain(_) => None,
                });
                let shapes: Vec<_> = shaped.collect();
                let shapes = if shapes.is_empty() {
                    String::new()
                } else {
                    format!("[{}]", shapes.join(", "))
                };
                format!("native {}{shapes}({})", native.symbol, self.list(args))
            }
            Rvalue::Allocate { scope, bytes } => {
                format!("allocate {} in {}", operand(bytes), self.scope(*scope))
            }
            Rvalue::MakeView { ty, buffer, offset, len } => {
                let (buffer, offset, len) = (operand(buffer), operand(offset), operand(len));
                format!("view {} of {buffer} at {offset} len {len}", name(ty))
            }
            Rvalue::SliceView { view, from, to } => {
                format!("slice {}[{}..{}]", operand(view), operand(from), operand(to))
            }
            Rvalue::NewOwn { scope, ty, fields } => {
                format!("new {}({}) in {}", name(ty), self.list(fields), self.scope(*scope))
            }
            Rvalue::GetOwnField { object, field } => format!("own {}.{field}", operand(object)),
            Rvalue::Share(shared) => format!("share {}", operand(shared)),
            Rvalue::Downgrade { shared, .. } => format!("weak {}", operand(shared)),
            Rvalue::Upgrade { weak, .. } => format!("upgrade {}", operand(weak)),
            Rvalue::ShareCount(shared) => format!("share_count {}", operand(shared)),
            Rvalue::SplitView { view, at, .. } => {
                format!("split {} at {}", operand(view), operand(at))
            }
            Rvalue::OwnedBuffer { bytes } => format!("owned_buffer {}", operand(bytes)),
            Rvalue::Pin { object, .. } => format!("pin {}", operand(object)),
            Rvalue::Unpin(pin) => format!("unpin {}", operand(pin)),
            Rvalue::AtomicLoad { view, index, order } => {
                format!("atomic load {} {}[{}]", order.name(), operand(view), operand(index))
            }
            Rvalue::AtomicUpdate { op, view, index, value, order } => {
                let (view, index, value) = (operand(view), operand(index), operand(value));
                format!("atomic {} {} {view}[{index}], {value}", op.name(), order.name())
            }
            Rvalue::AtomicCompareSwap { view, index, expected, new, order } => {
                let (view, index) = (operand(view), operand(index));
                let (expected, new) = (operand(expected), operand(new));
                format!("atomic compare_swap {} {view}[{index}], {expected}, {new}", order.name())
            }
            Rvalue::ScopeLen(value) => format!("scope_len {}", operand(value)),
            Rvalue::GetScopeElem { base, index } => {
                format!("checked {}[{}]", operand(base), operand(index))
            }
        }
    }

    fn terminator(&self, terminator: &TerminatorKind) -> String {
        match terminator {
            TerminatorKind::Goto(target) => format!("goto b{}", target.0),
            TerminatorKind::Branch { cond, then, otherwise } => {
                format!("if {} goto b{} else b{}", self.operand(cond), then.0, otherwise.0)
            }
            TerminatorKind::Switch { value, cases, default } => {
                let cases: Vec<_> =
                    cases.iter().map(|(case, target)| format!("{case}: b{}", target.0)).collect();
                let cases = cases.join(", ");
                format!("switch {} {{{cases}, else: b{}}}", self.operand(value), default.0)
            }
            TerminatorKind::Return(value) => format!("return {}", self.operand(value)),
            TerminatorKind::Unreachable => "unreachable".to_owned(),
            TerminatorKind::Trap(Trap::NilAssert) => "trap nil_assert".to_owned(),
        }
    }
}

fn unary(op: UnaryOp) -> &'static str {
    match op {
        UnaryOp::NegInt => "neg_int",
        UnaryOp::NegFloat => "neg_float",
        UnaryOp::Not => "not",
        UnaryOp::BitNot => "bit_not",
        UnaryOp::IntToFloat => "int_to_float",
        UnaryOp::FloatToInt => "float_to_int",
        UnaryOp::RoundToInt => "round_to_int",
        UnaryOp::ByteToInt => "byte_to_int",
        UnaryOp::IntToByte => "int_to_byte",
        UnaryOp::BoolToInt => "bool_to_int",
        UnaryOp::Sqrt => "sqrt",
        UnaryOp::Floor => "floor",
        UnaryOp::Ceil => "ceil",
        UnaryOp::AbsInt => "abs_int",
        UnaryOp::AbsFloat => "abs_float",
    }
}

fn binary(op: BinaryOp) -> String {
    let name = match op {
        BinaryOp::AddInt => "add_int",
        BinaryOp::SubInt => "sub_int",
        BinaryOp::MulInt => "mul_int",
        BinaryOp::DivInt => "div_int",
        BinaryOp::RemInt => "rem_int",
        BinaryOp::AddUnchecked => "add_unchecked",
        BinaryOp::AddFloat => "add_float",
        BinaryOp::SubFloat => "sub_float",
        BinaryOp::MulFloat => "mul_float",
        BinaryOp::DivFloat => "div_float",
        BinaryOp::BitAnd => "bit_and",
        BinaryOp::BitOr => "bit_or",
        BinaryOp::BitXor => "bit_xor",
        BinaryOp::Shl => "shl",
        BinaryOp::Shr => "shr",
        BinaryOp::MinInt => "min_int",
        BinaryOp::MaxInt => "max_int",
        BinaryOp::MinFloat => "min_float",
        BinaryOp::MaxFloat => "max_float",
        BinaryOp::Same => "same",
        BinaryOp::Compare(comparison) => return compared(comparison).to_owned(),
        BinaryOp::CompareFloat(comparison) => return format!("{}_float", compared(comparison)),
    };
    name.to_owned()
}

fn compared(comparison: Comparison) -> &'static str {
    match comparison {
        Comparison::Eq => "eq",
        Comparison::Ne => "ne",
        Comparison::Lt => "lt",
        Comparison::Le => "le",
        Comparison::Gt => "gt",
        Comparison::Ge => "ge",
    }
}
