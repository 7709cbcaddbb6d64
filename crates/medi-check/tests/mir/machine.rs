//! Runs MIR, one statement at a time.

use crate::value::{Stop, Story, Value};
use medi_check::mir::{
    BinaryOp, Comparison, Const, FunctionId, Local, Operand, Program, Rvalue, StmtKind,
    TerminatorKind, Trap, UnaryOp,
};
use std::rc::Rc;

struct Machine<'a> {
    program: &'a Program,
    closures: Vec<(FunctionId, Vec<Value>)>,
    builder: String,
    events: Vec<String>,
    fuel: usize,
}

struct Frame<'a> {
    locals: Vec<Option<Value>>,
    captures: &'a [Value],
}

/// The story of a program that takes no arguments.
pub fn run(program: &Program, fuel: usize) -> Story {
    let mut machine =
        Machine { program, closures: vec![], builder: String::new(), events: vec![], fuel };
    let end = machine.call(program.main, vec![], &[]).map(drop);
    Story { events: machine.events, end }
}

impl Machine<'_> {
    fn call(
        &mut self,
        id: FunctionId,
        args: Vec<Value>,
        captures: &[Value],
    ) -> Result<Value, Stop> {
        let function = &self.program.functions[id.index()];
        let mut frame = Frame { locals: vec![None; function.locals.len()], captures };
        for (slot, arg) in frame.locals.iter_mut().zip(args) {
            *slot = Some(arg);
        }
        let mut at = 0;
        loop {
            let block = &function.blocks[at];
            for stmt in &block.stmts {
                if self.fuel == 0 {
                    return Err(Stop::Fuel);
                }
                self.fuel -= 1;
                self.stmt(&mut frame, &stmt.kind)?;
            }
            at = match &block.terminator.kind {
                TerminatorKind::Goto(target) => target.index(),
                TerminatorKind::Branch { cond, then, otherwise } => {
                    let holds = self.get(&frame, cond).bool();
                    if holds { then.index() } else { otherwise.index() }
                }
                TerminatorKind::Switch { value, cases, default } => {
                    let value = self.get(&frame, value).int();
                    let case = cases.iter().find(|(case, _)| *case == value);
                    case.map_or(default.index(), |(_, target)| target.index())
                }
                TerminatorKind::Return(value) => return Ok(self.get(&frame, value)),
                TerminatorKind::Unreachable => panic!("control came to an unreachable place"),
                TerminatorKind::Trap(Trap::NilAssert) => return Err(Stop::Nil),
            };
        }
    }

    fn get(&self, frame: &Frame, operand: &Operand) -> Value {
        match operand {
            Operand::Copy(local) | Operand::Move(local) => {
                frame.locals[local.index()].clone().expect("it is assigned before it is used")
            }
            Operand::Const(constant) => match constant {
                Const::Unit => Value::Unit,
                Const::Int(value) => Value::Int(*value),
                Const::Bool(value) => Value::Bool(*value),
                Const::Byte(value) => Value::Int((*value).into()),
                Const::Str(id) => Value::Text(self.program.strings[id.index()].as_str().into()),
                Const::Nil(_) => Value::Maybe(None),
                Const::Variant(_, variant) => Value::Variant(*variant, Rc::new(vec![])),
                Const::Float(_) => panic!("the tests have no floats"),
            },
        }
    }

    fn all(&self, frame: &Frame, operands: &[Operand]) -> Vec<Value> {
        operands.iter().map(|operand| self.get(frame, operand)).collect()
    }

    fn set(object: Value, index: usize, value: Value) {
        object.fields().borrow_mut()[index] = value;
    }

    fn stmt(&mut self, frame: &mut Frame, stmt: &StmtKind) -> Result<(), Stop> {
        let get = |operand| self.get(frame, operand);
        match stmt {
            StmtKind::Assign(Local(local), rvalue) => {
                let value = self.rvalue(frame, rvalue)?;
                frame.locals[*local as usize] = Some(value);
            }
            StmtKind::SetField { object, field, value } => {
                Self::set(get(object), *field as usize, get(value));
            }
            StmtKind::SetElem { array, index, value } => {
                Self::set(get(array), get(index).int() as usize, get(value));
            }
            StmtKind::SetCell { cell, value } => Self::set(get(cell), 0, get(value)),
            StmtKind::Bounds { index, len } => {
                if !(0..get(len).int()).contains(&get(index).int()) {
                    return Err(Stop::Bounds);
                }
            }
            StmtKind::ScopeEnter(_) => self.events.push("enter".to_owned()),
            StmtKind::ScopeExit(_) => self.events.push("exit".to_owned()),
            StmtKind::Barrier { .. } | StmtKind::Safepoint => {}
            StmtKind::SetScopeElem { .. }
            | StmtKind::Free(_)
            | StmtKind::AtomicStore { .. }
            | StmtKind::SetOwnField { .. }
            | StmtKind::Fence(_) => {
                panic!("the tests have no scope memory")
            }
        }
        Ok(())
    }

    fn rvalue(&mut self, frame: &Frame, rvalue: &Rvalue) -> Result<Value, Stop> {
        let get = |operand| self.get(frame, operand);
        Ok(match rvalue {
            Rvalue::Use(value) => get(value),
            Rvalue::Unary(op, value) => match op {
                UnaryOp::NegInt => {
                    Value::Int(get(value).int().checked_neg().ok_or(Stop::Overflow)?)
                }
                UnaryOp::Not => Value::Bool(!get(value).bool()),
                UnaryOp::BoolToInt => Value::Int(get(value).bool().into()),
                other => panic!("the tests have no {other:?}"),
            },
            Rvalue::Binary(op, left, right) => binary(*op, &get(left), &get(right))?,
            Rvalue::NewRecord { fields, .. } => Value::object(self.all(frame, fields)),
            Rvalue::NewVariant { variant, fields, .. } => {
                Value::Variant(*variant, Rc::new(self.all(frame, fields)))
            }
            Rvalue::NewArray { len, .. } => {
                Value::object(vec![Value::Int(0); get(len).int() as usize])
            }
            Rvalue::NewClosure { function, captures, .. } => {
                let captures = self.all(frame, captures);
                self.closures.push((*function, captures));
                Value::Closure(self.closures.len() - 1)
            }
            Rvalue::NewCell { value, .. } => Value::object(vec![get(value)]),
            Rvalue::GetField { object, field } => {
                get(object).fields().borrow()[*field as usize].clone()
            }
            Rvalue::GetElem { array, index } => {
                get(array).fields().borrow()[get(index).int() as usize].clone()
            }
            Rvalue::ArrayLen(array) => Value::Int(get(array).fields().borrow().len() as i64),
            Rvalue::GetCell(cell) => get(cell).fields().borrow()[0].clone(),
            Rvalue::Capture(index) => frame.captures[*index as usize].clone(),
            Rvalue::MakeTuple(parts) => Value::Tuple(self.all(frame, parts)),
            Rvalue::GetTuple { tuple, index } => get(tuple).part(*index as usize),
            Rvalue::MakeSome { value, .. } => Value::some(get(value)),
            Rvalue::IsSome(value) => Value::Bool(get(value).maybe().is_some()),
            Rvalue::UnwrapSome(value) => get(value).maybe().expect("it was tested").clone(),
            Rvalue::MakeOk { value, .. } => Value::Outcome(Ok(Box::new(get(value)))),
            Rvalue::MakeErr { message, .. } => Value::Outcome(Err(get(message).text())),
            Rvalue::IsOk(value) => Value::Bool(get(value).outcome().is_ok()),
            Rvalue::UnwrapOk(value) => get(value).outcome().expect("it was tested").clone(),
            Rvalue::UnwrapErr(value) => {
                Value::Text(get(value).outcome().expect_err("it was tested"))
            }
            Rvalue::VariantTag(value) => Value::Int(get(value).tag().into()),
            Rvalue::GetVariantField { value, variant, field } => match get(value) {
                Value::Variant(tag, fields) => {
                    assert_eq!(tag, *variant, "the tag was tested");
                    fields[*field as usize].clone()
                }
                other => panic!("{other:?} is no variant"),
            },
            Rvalue::Call { function, args } => {
                let args = self.all(frame, args);
                self.call(*function, args, &[])?
            }
            Rvalue::CallClosure { callee, args } => {
                let Value::Closure(id) = get(callee) else { panic!("this is no function") };
                let args = self.all(frame, args);
                let (function, captures) = self.closures[id].clone();
                self.call(function, args, &captures)?
            }
            Rvalue::CallNative { native, args } => {
                let args = self.all(frame, args);
                self.native(&self.program.natives[native.index()].symbol, &args)?
            }
            Rvalue::Allocate { .. }
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
            | Rvalue::GetScopeElem { .. } => panic!("the tests have no scope memory"),
        })
    }

    fn native(&mut self, symbol: &str, args: &[Value]) -> Result<Value, Stop> {
        match symbol {
            "fmt_begin" => {
                assert!(self.builder.is_empty(), "builders do not nest");
                self.builder.push('>');
            }
            "fmt_text" | "fmt_value" => self.builder.push_str(&args[0].show()),
            "fmt_print" => self.events.push(std::mem::take(&mut self.builder)),
            "fmt_end" => {
                let text = std::mem::take(&mut self.builder);
                return Ok(Value::Text(text[1..].into()));
            }
            "string_concat" => {
                return Ok(Value::Text(format!("{}{}", args[0].show(), args[1].show()).into()));
            }
            "string_equal" => return Ok(Value::Bool(args[0].text() == args[1].text())),
            "raise_failure" => return Err(Stop::Raised(args[0].show())),
            other => panic!("the tests have no native `{other}`"),
        }
        Ok(Value::Unit)
    }
}

fn binary(op: BinaryOp, left: &Value, right: &Value) -> Result<Value, Stop> {
    let ints = || (left.int(), right.int());
    let checked = |value: Option<i64>| Ok(Value::Int(value.ok_or(Stop::Overflow)?));
    match op {
        BinaryOp::AddInt => checked(ints().0.checked_add(ints().1)),
        BinaryOp::SubInt => checked(ints().0.checked_sub(ints().1)),
        BinaryOp::MulInt => checked(ints().0.checked_mul(ints().1)),
        BinaryOp::AddUnchecked => {
            Ok(Value::Int(ints().0.checked_add(ints().1).expect("it was shown not to overflow")))
        }
        BinaryOp::Compare(comparison) => {
            let order = match (left, right) {
                (Value::Bool(left), Value::Bool(right)) => left.cmp(right),
                (Value::Variant(left, _), Value::Variant(right, _)) => left.cmp(right),
                _ => ints().0.cmp(&ints().1),
            };
            Ok(Value::Bool(match comparison {
                Comparison::Eq => order.is_eq(),
                Comparison::Ne => order.is_ne(),
                Comparison::Lt => order.is_lt(),
                Comparison::Le => order.is_le(),
                Comparison::Gt => order.is_gt(),
                Comparison::Ge => order.is_ge(),
            }))
        }
        other => panic!("the tests have no {other:?}"),
    }
}
