//! Calling conventions: which values go where between compiled functions, stubs and native functions.
//!
//! Compiled functions use the `tail` convention with the context first, then the closure object of a
//! closure, then the address of a result area when the result does not fit in registers, then the
//! arguments' scalars. Stubs keep every register, take words in float registers and answer through the context; those
//! that raise an error take the context and two words in the registers of the C convention. Native functions follow
//! that convention.

use cranelift_codegen::ir::{self, AbiParam, Signature, types};
use cranelift_codegen::isa::CallConv;
use medi_check::types::TyId;
use medi_runtime::shape::Scalar;
use medi_runtime::trap::TrapCode;

use crate::layout::Layouts;
use crate::translate::register_type;

/// External names with this namespace are compiled functions, by [`medi_check::mir::FunctionId`].
pub const NAMESPACE_FUNCTION: u32 = 0;
/// Exit trampolines of native functions, by index in [`crate::unit::Unit::natives`].
pub const NAMESPACE_NATIVE: u32 = 1;
/// Stubs, by [`medi_runtime::context::Stub`].
pub const NAMESPACE_STUB: u32 = 2;

/// How many results of each kind the `tail` convention has registers for.
const RESULT_REGISTERS: usize = 8;

/// Integer arguments of a native function, the context included.
pub const NATIVE_INTS: usize = 6;
/// Float arguments of a native function.
pub const NATIVE_FLOATS: usize = 8;

/// Whether results with these scalars go through memory of the caller, one word for each.
pub fn returns_in_area(scalars: &[(u32, Scalar)]) -> bool {
    let floats = scalars.iter().filter(|(_, scalar)| *scalar == Scalar::F64).count();
    floats > RESULT_REGISTERS || scalars.len() - floats > RESULT_REGISTERS
}

/// The signature of a compiled function.
pub fn signature(layouts: &Layouts, closure: bool, params: &[TyId], result: TyId) -> Signature {
    let mut signature = Signature::new(CallConv::Tail);
    let word = AbiParam::new(types::I64);
    signature.params.push(word);
    if closure {
        signature.params.push(word);
    }
    let results = layouts.scalars(result);
    if returns_in_area(results) {
        signature.params.push(word);
    } else {
        let params = results.iter().map(|(_, scalar)| AbiParam::new(register_type(*scalar)));
        signature.returns.extend(params);
    }
    for param in params {
        let scalars = layouts.scalars(*param).iter();
        signature.params.extend(scalars.map(|(_, s)| AbiParam::new(register_type(*s))));
    }
    signature
}

/// So many words in, each in a float register; the answer is in the context.
pub fn stub_signature(words: usize) -> Signature {
    let mut signature = Signature::new(CallConv::PreserveAll);
    signature.params.resize(words, AbiParam::new(types::F64));
    signature
}

/// Context and two words in, and no way back.
pub fn raise_signature() -> Signature {
    let mut signature = Signature::new(CallConv::PreserveAll);
    signature.params.resize(3, AbiParam::new(types::I64));
    signature
}

/// A native function whose arguments, the context included, have these types.
pub fn native_signature(args: &[ir::Type], results: &[Scalar]) -> Signature {
    let mut signature = Signature::new(CallConv::SystemV);
    signature.params.extend(args.iter().map(|ty| AbiParam::new(*ty)));
    if let [one] = results {
        let ty = if *one == Scalar::F64 { types::F64 } else { types::I64 };
        signature.returns.push(AbiParam::new(ty));
    }
    signature
}

/// The trap code that Cranelift carries for one of ours.
pub fn trap(code: TrapCode) -> ir::TrapCode {
    ir::TrapCode::unwrap_user(code as u8)
}

/// What a trap code of Cranelift means.
pub fn meaning(code: ir::TrapCode) -> TrapCode {
    match code {
        ir::TrapCode::INTEGER_OVERFLOW => TrapCode::Overflow,
        ir::TrapCode::INTEGER_DIVISION_BY_ZERO => TrapCode::DivideByZero,
        ir::TrapCode::BAD_CONVERSION_TO_INTEGER => TrapCode::FloatToInt,
        ir::TrapCode::STACK_OVERFLOW => TrapCode::StackOverflow,
        other => {
            TrapCode::from_number(u64::from(other.as_raw().get())).unwrap_or(TrapCode::Unreachable)
        }
    }
}
