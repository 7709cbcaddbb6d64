//! Ways that no run takes, because what decides them is known before the program runs.
//!
//! A local that is assigned once, from constants, has one value wherever it is used. So has the result of a function
//! whose every `return` gives the same, and a field of an object that nobody but its readers knows. What a loop changes, what
//! a parameter decides, and what any store could reach is not known: both ways count.

use std::borrow::Cow;

use super::flow::local_of;
use crate::mir::validate::{stmt_operands, targets, terminator_operands};
use crate::mir::{
    BinaryOp, BlockId, Comparison, Const, Function, Local, Operand, Program, Rvalue, StmtKind,
    TerminatorKind, UnaryOp,
};

/// How many values a value may be computed from, one after the other.
const DEEPEST: usize = 32;

#[derive(Clone, PartialEq, Eq, Debug)]
enum Value {
    Int(i64),
    Bool(bool),
    /// An object that nothing else refers to, with the fields that are known.
    Fields(Vec<Option<Value>>),
}

/// The functions of a program without the ways that no run takes; `order` has callees before their callers.
pub fn without_dead_ways<'p>(program: &'p Program, order: &[usize]) -> Vec<Cow<'p, Function>> {
    let mut results: Vec<Option<Value>> = vec![None; program.functions.len()];
    let mut functions: Vec<Cow<Function>> = program.functions.iter().map(Cow::Borrowed).collect();
    for index in order {
        let known = Known::new(&program.functions[*index], &results);
        let decided = known.decided();
        let result = known.result(&decided);
        for (block, target) in decided {
            let function = functions[*index].to_mut();
            function.blocks[block].terminator.kind = TerminatorKind::Goto(target);
        }
        results[*index] = result;
    }
    functions
}

struct Known<'f> {
    function: &'f Function,
    results: &'f [Option<Value>],
    /// What each local is assigned, of those that are assigned once.
    defined: Vec<Option<&'f Rvalue>>,
}

impl<'f> Known<'f> {
    fn new(function: &'f Function, results: &'f [Option<Value>]) -> Self {
        let mut defined = vec![None; function.locals.len()];
        let mut often = vec![false; function.locals.len()];
        often[..function.params].fill(true);
        for stmt in function.blocks.iter().flat_map(|block| &block.stmts) {
            if let StmtKind::Assign(into, rvalue) = &stmt.kind {
                often[into.index()] |= defined[into.index()].replace(rvalue).is_some();
            }
        }
        for (defined, often) in defined.iter_mut().zip(often) {
            if often {
                *defined = None;
            }
        }
        Self { function, results, defined }
    }

    /// The blocks that always go on to the same block, where they could name others.
    fn decided(&self) -> Vec<(usize, BlockId)> {
        let mut decided = vec![];
        for (index, block) in self.function.blocks.iter().enumerate() {
            let target = match &block.terminator.kind {
                TerminatorKind::Branch { cond, then, otherwise } => match self.value(cond, 0) {
                    Some(Value::Bool(true)) => *then,
                    Some(Value::Bool(false)) => *otherwise,
                    _ => continue,
                },
                TerminatorKind::Switch { value, cases, default } => match self.value(value, 0) {
                    Some(Value::Int(value)) => {
                        let case = cases.iter().find(|(case, _)| *case == value);
                        case.map_or(*default, |(_, target)| *target)
                    }
                    _ => continue,
                },
                _ => continue,
            };
            decided.push((index, target));
        }
        decided
    }

    /// What every `return` that a run may come to gives.
    fn result(&self, decided: &[(usize, BlockId)]) -> Option<Value> {
        let mut seen = vec![false; self.function.blocks.len()];
        let mut work = vec![0];
        let mut result = None;
        while let Some(index) = work.pop() {
            if std::mem::replace(&mut seen[index], true) {
                continue;
            }
            let kind = &self.function.blocks[index].terminator.kind;
            if let TerminatorKind::Return(value) = kind {
                let value = self.returned(value)?;
                if result.as_ref().is_some_and(|result| *result != value) {
                    return None;
                }
                result = Some(value);
            }
            match decided.iter().find(|(block, _)| *block == index) {
                Some((_, target)) => work.push(target.index()),
                None => work.extend(targets(kind).iter().map(|target| target.index())),
            }
        }
        result
    }

    fn returned(&self, value: &Operand) -> Option<Value> {
        let object = local_of(value);
        match object.and_then(|local| self.defined[local.index()]) {
            // The caller is the first to know the object.
            Some(Rvalue::NewRecord { fields, .. }) if self.is_read_only(object?) => {
                Some(Value::Fields(fields.iter().map(|field| self.value(field, 0)).collect()))
            }
            _ => self.value(value, 0),
        }
    }

    /// Whether nothing is done with the object but reading its fields, and returning it.
    fn is_read_only(&self, object: Local) -> bool {
        let is = |operand: &Operand| local_of(operand) == Some(object);
        self.function.blocks.iter().all(|block| {
            let terminator = match &block.terminator.kind {
                TerminatorKind::Return(_) => true,
                kind => !terminator_operands(kind).into_iter().any(is),
            };
            terminator
                && block.stmts.iter().all(|stmt| match &stmt.kind {
                    StmtKind::Assign(_, Rvalue::GetField { object, .. }) if is(object) => true,
                    kind => !stmt_operands(kind).into_iter().any(is),
                })
        })
    }

    fn value(&self, operand: &Operand, depth: usize) -> Option<Value> {
        if let Operand::Const(constant) = operand {
            return match constant {
                Const::Int(value) => Some(Value::Int(*value)),
                Const::Bool(value) => Some(Value::Bool(*value)),
                _ => None,
            };
        }
        let rvalue = self.defined[local_of(operand)?.index()].filter(|_| depth < DEEPEST)?;
        let of = |operand: &Operand| self.value(operand, depth + 1);
        match rvalue {
            Rvalue::Use(from) => match of(from)? {
                // A second name for the object.
                Value::Fields(_) => None,
                value => Some(value),
            },
            Rvalue::Unary(UnaryOp::Not, value) => match of(value)? {
                Value::Bool(value) => Some(Value::Bool(!value)),
                _ => None,
            },
            Rvalue::Binary(op, left, right) => binary(*op, &of(left)?, &of(right)?),
            Rvalue::Call { function, .. } => match self.results[function.index()].clone()? {
                Value::Fields(_) if !self.is_read_only(local_of(operand)?) => None,
                value => Some(value),
            },
            Rvalue::GetField { object, field } => match self.object(object, depth + 1)? {
                Value::Fields(fields) => fields.get(*field as usize)?.clone(),
                _ => None,
            },
            _ => None,
        }
    }

    fn object(&self, operand: &Operand, depth: usize) -> Option<Value> {
        let object = local_of(operand)?;
        match self.defined[object.index()]? {
            Rvalue::NewRecord { fields, .. } if self.is_read_only(object) => {
                Some(Value::Fields(fields.iter().map(|field| self.value(field, depth)).collect()))
            }
            _ => self.value(operand, depth),
        }
    }
}

fn binary(op: BinaryOp, left: &Value, right: &Value) -> Option<Value> {
    Some(match (op, left, right) {
        (BinaryOp::AddInt, Value::Int(a), Value::Int(b)) => Value::Int(a.checked_add(*b)?),
        (BinaryOp::SubInt, Value::Int(a), Value::Int(b)) => Value::Int(a.checked_sub(*b)?),
        (BinaryOp::MulInt, Value::Int(a), Value::Int(b)) => Value::Int(a.checked_mul(*b)?),
        (BinaryOp::Compare(how), Value::Int(a), Value::Int(b)) => Value::Bool(match how {
            Comparison::Eq => a == b,
            Comparison::Ne => a != b,
            Comparison::Lt => a < b,
            Comparison::Le => a <= b,
            Comparison::Gt => a > b,
            Comparison::Ge => a >= b,
        }),
        (BinaryOp::Compare(Comparison::Eq), Value::Bool(a), Value::Bool(b)) => Value::Bool(a == b),
        (BinaryOp::Compare(Comparison::Ne), Value::Bool(a), Value::Bool(b)) => Value::Bool(a != b),
        _ => return None,
    })
}
