//! Numbers: checked int arithmetic, floats, comparisons, conversions.
//!
//! A check that fails executes a trapping instruction; the trap table and the signal handler turn it into
//! the program's error. Adding a constant is checked by one comparison of the sum with the operand,
//! because Cranelift does not branch on the overflow flag directly.

use cranelift_codegen::ir::condcodes::{FloatCC, IntCC};
use cranelift_codegen::ir::{InstBuilder, InstructionData, Opcode, Value, types};
use medi_check::mir::{BinaryOp, Comparison, Operand, UnaryOp};
use medi_runtime::context::Stub;
use medi_runtime::trap::TrapCode;

use super::Translator;

fn signed(comparison: Comparison) -> IntCC {
    match comparison {
        Comparison::Eq => IntCC::Equal,
        Comparison::Ne => IntCC::NotEqual,
        Comparison::Lt => IntCC::SignedLessThan,
        Comparison::Le => IntCC::SignedLessThanOrEqual,
        Comparison::Gt => IntCC::SignedGreaterThan,
        Comparison::Ge => IntCC::SignedGreaterThanOrEqual,
    }
}

fn float(comparison: Comparison) -> FloatCC {
    match comparison {
        Comparison::Eq => FloatCC::Equal,
        Comparison::Ne => FloatCC::NotEqual,
        Comparison::Lt => FloatCC::LessThan,
        Comparison::Le => FloatCC::LessThanOrEqual,
        Comparison::Gt => FloatCC::GreaterThan,
        Comparison::Ge => FloatCC::GreaterThanOrEqual,
    }
}

impl<'a> Translator<'a> {
    pub(super) fn unary(&mut self, op: UnaryOp, operand: &Operand) -> Value {
        let value = self.one(operand);
        match op {
            UnaryOp::NegInt => {
                self.trap_on_minimum(value);
                self.builder.ins().ineg(value)
            }
            UnaryOp::AbsInt => {
                self.trap_on_minimum(value);
                self.builder.ins().iabs(value)
            }
            UnaryOp::NegFloat => self.builder.ins().fneg(value),
            UnaryOp::AbsFloat => self.builder.ins().fabs(value),
            UnaryOp::Sqrt => self.builder.ins().sqrt(value),
            UnaryOp::Floor => self.builder.ins().floor(value),
            UnaryOp::Ceil => self.builder.ins().ceil(value),
            UnaryOp::Not => self.builder.ins().bxor_imm_u(value, 1),
            UnaryOp::BitNot => self.builder.ins().bnot(value),
            UnaryOp::IntToFloat => self.builder.ins().fcvt_from_sint(types::F64, value),
            UnaryOp::FloatToInt => self.float_to_int(value),
            UnaryOp::RoundToInt => self.round_to_int(value),
            UnaryOp::ByteToInt | UnaryOp::BoolToInt => self.extended(value),
            UnaryOp::IntToByte => {
                let large = self.builder.ins().icmp_imm_u(IntCC::UnsignedGreaterThan, value, 255);
                self.raise_trap_if(large, TrapCode::IntToByte, value);
                self.builder.ins().ireduce(types::I8, value)
            }
        }
    }

    /// A byte as an int: the register that it was loaded into, where it was.
    fn extended(&mut self, byte: Value) -> Value {
        let dfg = &self.builder.func.dfg;
        let made_by =
            |value| dfg.value_def(dfg.resolve_aliases(value)).inst().map(|inst| &dfg.insts[inst]);
        if let Some(InstructionData::Unary { opcode: Opcode::Ireduce, arg }) = made_by(byte)
            && let Some(InstructionData::Load { opcode: Opcode::Uload8, .. }) = made_by(*arg)
        {
            return *arg;
        }
        self.builder.ins().uextend(types::I64, byte)
    }

    fn trap_on_minimum(&mut self, value: Value) {
        let minimum = self.int(i64::MIN);
        let is_minimum = self.builder.ins().icmp(IntCC::Equal, value, minimum);
        self.trap_if(is_minimum, TrapCode::Overflow);
    }

    /// Halves away from zero. Adding one half and truncating would round 0.49999999999999994 up.
    fn round_to_int(&mut self, value: Value) -> Value {
        let whole = self.builder.ins().trunc(value);
        let rest = self.builder.ins().fsub(value, whole);
        let rest = self.builder.ins().fabs(rest);
        let half = self.float(0.5);
        let one = self.float(1.0);
        let step = self.builder.ins().fcopysign(one, value);
        let away = self.builder.ins().fadd(whole, step);
        let rounds_away = self.builder.ins().fcmp(FloatCC::GreaterThanOrEqual, rest, half);
        let rounded = self.builder.ins().select(rounds_away, away, whole);
        self.float_to_int(rounded)
    }

    /// The magnitude of a float is below 2^63, or it is -2^63, exactly when its integer part is an int.
    fn float_to_int(&mut self, value: Value) -> Value {
        const LIMIT: f64 = 9_223_372_036_854_775_808.0;
        let low = self.float(-LIMIT);
        let high = self.float(LIMIT);
        let below = self.builder.ins().fcmp(FloatCC::UnorderedOrLessThan, value, low);
        let above = self.builder.ins().fcmp(FloatCC::UnorderedOrGreaterThanOrEqual, value, high);
        let outside = self.builder.ins().bor(below, above);
        self.diverge_if(outside, |this| {
            let flags = cranelift_codegen::ir::MemFlagsData::new();
            let bits = this.builder.ins().bitcast(types::I64, flags, value);
            let code = this.int(TrapCode::FloatToInt as i64);
            this.raise(Stub::RaiseTrap, code, bits);
        });
        self.builder.ins().fcvt_to_sint(types::I64, value)
    }

    /// `fits` says that an int operation is known not to overflow.
    pub(super) fn binary(
        &mut self,
        op: BinaryOp,
        left: &Operand,
        right: &Operand,
        fits: bool,
    ) -> Value {
        let (a, b) = (self.one(left), self.one(right));
        match op {
            BinaryOp::AddInt | BinaryOp::SubInt | BinaryOp::MulInt => {
                let known =
                    self.computed.iter().find(|(done, x, y, _)| (*done, *x, *y) == (op, a, b));
                if let Some((.., value)) = known {
                    return *value;
                }
                let value = if fits { self.fitting(op, a, b) } else { self.overflowing(op, a, b) };
                self.computed.push((op, a, b, value));
                value
            }
            BinaryOp::DivInt => self.builder.ins().sdiv(a, b),
            BinaryOp::RemInt => self.builder.ins().srem(a, b),
            BinaryOp::AddUnchecked => self.builder.ins().iadd(a, b),
            BinaryOp::AddFloat => self.builder.ins().fadd(a, b),
            BinaryOp::SubFloat => self.builder.ins().fsub(a, b),
            BinaryOp::MulFloat => self.builder.ins().fmul(a, b),
            BinaryOp::DivFloat => self.builder.ins().fdiv(a, b),
            BinaryOp::BitAnd => self.builder.ins().band(a, b),
            BinaryOp::BitOr => self.builder.ins().bor(a, b),
            BinaryOp::BitXor => self.builder.ins().bxor(a, b),
            BinaryOp::Shl | BinaryOp::Shr => self.shift(op, a, b),
            BinaryOp::MinInt => self.builder.ins().smin(a, b),
            BinaryOp::MaxInt => self.builder.ins().smax(a, b),
            BinaryOp::MinFloat => self.builder.ins().fmin(a, b),
            BinaryOp::MaxFloat => self.builder.ins().fmax(a, b),
            BinaryOp::Compare(comparison) => {
                let wide = self.builder.func.dfg.value_type(a) == types::I64;
                let condition = signed(comparison);
                let condition = if wide { condition } else { condition.unsigned() };
                self.builder.ins().icmp(condition, a, b)
            }
            BinaryOp::CompareFloat(comparison) => self.builder.ins().fcmp(float(comparison), a, b),
            BinaryOp::Same => self.builder.ins().icmp(IntCC::Equal, a, b),
        }
    }

    fn fitting(&mut self, op: BinaryOp, a: Value, b: Value) -> Value {
        match op {
            BinaryOp::AddInt => self.builder.ins().iadd(a, b),
            BinaryOp::SubInt => self.builder.ins().isub(a, b),
            _ => self.builder.ins().imul(a, b),
        }
    }

    fn overflowing(&mut self, op: BinaryOp, a: Value, b: Value) -> Value {
        let (constant_a, constant_b) = (self.known_int(a), self.known_int(b));
        let (value, overflow) = match op {
            BinaryOp::AddInt => match (constant_a, constant_b) {
                (_, Some(constant)) => return self.add_constant(a, constant),
                (Some(constant), _) => return self.add_constant(b, constant),
                _ => self.builder.ins().sadd_overflow(a, b),
            },
            BinaryOp::SubInt => match constant_b.and_then(i64::checked_neg) {
                Some(constant) => return self.add_constant(a, constant),
                None => self.builder.ins().ssub_overflow(a, b),
            },
            _ => self.builder.ins().smul_overflow(a, b),
        };
        self.checked(value, overflow)
    }

    /// The number that a value is, where it is a constant.
    fn known_int(&self, value: Value) -> Option<i64> {
        let dfg = &self.builder.func.dfg;
        let inst = dfg.value_def(dfg.resolve_aliases(value)).inst()?;
        match dfg.insts[inst] {
            InstructionData::UnaryImm { opcode: Opcode::Iconst, imm } => Some(imm.bits()),
            _ => None,
        }
    }

    fn checked(&mut self, value: Value, overflow: Value) -> Value {
        self.trap_if(overflow, TrapCode::Overflow);
        value
    }

    /// The sum wrapped exactly when it lies on the wrong side of the operand.
    fn add_constant(&mut self, value: Value, constant: i64) -> Value {
        if constant == 0 {
            return value;
        }
        let sum = self.builder.ins().iadd_imm_s(value, constant);
        let wrong = if constant > 0 { IntCC::SignedLessThan } else { IntCC::SignedGreaterThan };
        let overflow = self.builder.ins().icmp(wrong, sum, value);
        self.checked(sum, overflow)
    }

    fn shift(&mut self, op: BinaryOp, value: Value, distance: Value) -> Value {
        if self.known_int(distance).is_none_or(|distance| !(0..64).contains(&distance)) {
            let far =
                self.builder.ins().icmp_imm_u(IntCC::UnsignedGreaterThanOrEqual, distance, 64);
            self.raise_trap_if(far, TrapCode::ShiftDistance, distance);
        }
        match op {
            BinaryOp::Shl => self.builder.ins().ishl(value, distance),
            _ => self.builder.ins().sshr(value, distance),
        }
    }
}
