//! Evaluates checked trees directly, as the language is described: what the lowering is compared with.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

use crate::value::{Stop, Story, Value};
use medi_check::hir::*;
use medi_check::types::{Ty, TyId};
use medi_syntax::ast::BinaryOp;

/// Why an expression has no value.
enum Exit {
    Return(Value),
    Break,
    Continue,
    Stop(Stop),
}

type Eval = Result<Value, Exit>;
type Locals = HashMap<LocalId, Rc<RefCell<Value>>>;

struct Closure<'a> {
    params: &'a [LocalId],
    body: &'a Expr,
    captured: Locals,
}

struct Oracle<'a> {
    program: &'a Program,
    closures: Vec<Closure<'a>>,
    events: Vec<String>,
    fuel: usize,
}

/// The story of a program that takes no arguments.
pub fn run(program: &Program, fuel: usize) -> Story {
    let mut oracle = Oracle { program, closures: vec![], events: vec![], fuel };
    let main = program.main.expect("there is a main");
    let end = match oracle.call(main, vec![]) {
        Err(Exit::Stop(stop)) => Err(stop),
        _ => Ok(()),
    };
    Story { events: oracle.events, end }
}

fn stop<T>(stop: Stop) -> Result<T, Exit> {
    Err(Exit::Stop(stop))
}

impl<'a> Oracle<'a> {
    fn call(&mut self, id: FuncId, args: Vec<Value>) -> Eval {
        let func = &self.program.funcs[id.0 as usize];
        let Body::Checked(body) = &func.body else { panic!("the tests call no natives") };
        let mut locals = Locals::new();
        for (param, arg) in func.params.iter().zip(args) {
            locals.insert(*param, Rc::new(RefCell::new(arg)));
        }
        self.body(&mut locals, body)
    }

    fn body(&mut self, locals: &mut Locals, body: &'a Expr) -> Eval {
        match self.eval(locals, body) {
            Err(Exit::Return(value)) => Ok(value),
            other => other,
        }
    }

    fn ty(&self, ty: TyId) -> &Ty {
        self.program.types.get(ty)
    }

    fn eval(&mut self, locals: &mut Locals, expr: &'a Expr) -> Eval {
        if self.fuel == 0 {
            return stop(Stop::Fuel);
        }
        self.fuel -= 1;
        Ok(match &expr.kind {
            ExprKind::Int(value) => Value::Int(*value),
            ExprKind::Bool(value) => Value::Bool(*value),
            ExprKind::Str(text) => Value::Text(text.as_str().into()),
            ExprKind::Nil => Value::Maybe(None),
            ExprKind::Unit => Value::Unit,
            ExprKind::Local(local) => locals[local].borrow().clone(),
            ExprKind::Closure { params, body, .. } => {
                self.closures.push(Closure { params, body, captured: locals.clone() });
                Value::Closure(self.closures.len() - 1)
            }
            ExprKind::Call { func, args, .. } => {
                let args = self.all(locals, args)?;
                self.call(*func, args)?
            }
            ExprKind::CallValue { callee, args } => {
                let Value::Closure(id) = self.eval(locals, callee)? else { panic!("no function") };
                let args = self.all(locals, args)?;
                let closure = &self.closures[id];
                let mut inner = closure.captured.clone();
                for (param, arg) in closure.params.iter().zip(args) {
                    inner.insert(*param, Rc::new(RefCell::new(arg)));
                }
                let body = closure.body;
                self.body(&mut inner, body)?
            }
            ExprKind::Convert { conversion: Conversion::ToOptional, value } => {
                Value::some(self.eval(locals, value)?)
            }
            ExprKind::Convert { conversion: Conversion::UnwrapResult, value } => {
                match self.eval(locals, value)?.outcome() {
                    Ok(value) => value.clone(),
                    Err(message) => return stop(Stop::Raised(message.to_string())),
                }
            }
            ExprKind::Convert { value, .. } => self.eval(locals, value)?,
            ExprKind::Neg(value) => {
                let value = self.eval(locals, value)?.int().checked_neg();
                Value::Int(value.ok_or(Exit::Stop(Stop::Overflow))?)
            }
            ExprKind::Not(value) => Value::Bool(!self.eval(locals, value)?.bool()),
            ExprKind::Binary { op, left, right } => {
                let left = self.eval(locals, left)?;
                match (op, &left) {
                    (BinaryOp::And, Value::Bool(false)) | (BinaryOp::Or, Value::Bool(true)) => left,
                    (BinaryOp::And | BinaryOp::Or, _) => self.eval(locals, right)?,
                    _ => {
                        let right = self.eval(locals, right)?;
                        apply(*op, &left, &right)?
                    }
                }
            }
            ExprKind::Coalesce { left, right } => match self.eval(locals, left)?.maybe() {
                Some(value) => value.clone(),
                None => self.eval(locals, right)?,
            },
            ExprKind::OptionalChain { value, local, body } => {
                match self.eval(locals, value)?.maybe() {
                    None => Value::Maybe(None),
                    Some(value) => {
                        locals.insert(*local, Rc::new(RefCell::new(value.clone())));
                        Value::some(self.eval(locals, body)?)
                    }
                }
            }
            ExprKind::Assert(value) => match self.eval(locals, value)?.maybe() {
                Some(value) => value.clone(),
                None => return stop(Stop::Nil),
            },
            ExprKind::Try(value) => {
                let outcome = self.eval(locals, value)?;
                match outcome.outcome() {
                    Ok(value) => value.clone(),
                    Err(message) => return Err(Exit::Return(Value::Outcome(Err(message)))),
                }
            }
            ExprKind::NewRecord { fields } => {
                let mut values = vec![Value::Unit; fields.len()];
                for (place, value) in fields {
                    values[*place as usize] = self.eval(locals, value)?;
                }
                Value::object(values)
            }
            ExprKind::NewOwn { .. } => panic!("the tests have no scope memory"),
            ExprKind::NewVariant { variant, fields } => {
                let mut values = vec![Value::Unit; fields.len()];
                for (place, value) in fields {
                    values[*place as usize] = self.eval(locals, value)?;
                }
                Value::Variant(*variant, Rc::new(values))
            }
            ExprKind::Ok(value) => Value::Outcome(Ok(Box::new(self.eval(locals, value)?))),
            ExprKind::Fail(message) => Value::Outcome(Err(self.eval(locals, message)?.text())),
            ExprKind::Tuple(parts) => Value::Tuple(self.all(locals, parts)?),
            ExprKind::List(elements) => {
                let elements = self.all(locals, elements)?;
                let len = Value::Int(elements.len() as i64);
                Value::object(vec![len, Value::object(elements)])
            }
            ExprKind::Field { base, field } => {
                self.eval(locals, base)?.fields().borrow()[*field as usize].clone()
            }
            ExprKind::TupleField { base, index } => self.eval(locals, base)?.part(*index as usize),
            ExprKind::Index { base, index } => {
                let list = self.eval(locals, base)?;
                let index = self.eval(locals, index)?;
                let (items, index) = element(&list, &index)?;
                items.fields().borrow()[index].clone()
            }
            ExprKind::Interpolate(pieces) => Value::Text(self.pieces(locals, pieces)?.into()),
            ExprKind::Print(pieces) => {
                let text = format!(">{}", self.pieces(locals, pieces)?);
                self.events.push(text);
                Value::Unit
            }
            ExprKind::If { cond, then, otherwise } => {
                if self.cond(locals, cond)? {
                    self.eval(locals, then)?
                } else if let Some(otherwise) = otherwise {
                    self.eval(locals, otherwise)?
                } else {
                    Value::Unit
                }
            }
            ExprKind::Match { subject, arms } => {
                let subject = self.eval(locals, subject)?;
                for arm in arms {
                    if matches(locals, &arm.pattern, &subject)
                        && match &arm.guard {
                            Some(guard) => self.eval(locals, guard)?.bool(),
                            None => true,
                        }
                    {
                        return self.eval(locals, &arm.body);
                    }
                }
                panic!("the match is not exhaustive")
            }
            ExprKind::Block { stmts, value } => {
                for stmt in stmts {
                    self.stmt(locals, stmt)?;
                }
                match value {
                    Some(value) => self.eval(locals, value)?,
                    None => Value::Unit,
                }
            }
            ExprKind::Scope { body, .. } => {
                self.events.push("enter".to_owned());
                let value = self.eval(locals, body);
                // What stops the program leaves scopes through the runtime.
                if !matches!(value, Err(Exit::Stop(_))) {
                    self.events.push("exit".to_owned());
                }
                value?
            }
            ExprKind::Return(value) => {
                return Err(Exit::Return(match value {
                    Some(value) => self.eval(locals, value)?,
                    None => Value::Unit,
                }));
            }
            ExprKind::Break => return Err(Exit::Break),
            ExprKind::Continue => return Err(Exit::Continue),
            other => panic!("the tests have no {other:?}"),
        })
    }

    fn all(&mut self, locals: &mut Locals, exprs: &'a [Expr]) -> Result<Vec<Value>, Exit> {
        exprs.iter().map(|expr| self.eval(locals, expr)).collect()
    }

    fn pieces(&mut self, locals: &mut Locals, pieces: &'a [Piece]) -> Result<String, Exit> {
        let mut text = String::new();
        for piece in pieces {
            match piece {
                Piece::Text(piece) => text.push_str(piece),
                Piece::Value { value, .. } => text.push_str(&self.eval(locals, value)?.show()),
            }
        }
        Ok(text)
    }

    fn cond(&mut self, locals: &mut Locals, cond: &'a Cond) -> Result<bool, Exit> {
        Ok(match cond {
            Cond::Expr(expr) => self.eval(locals, expr)?.bool(),
            Cond::Let { pattern, value } => {
                let value = self.eval(locals, value)?;
                matches(locals, pattern, &value)
            }
        })
    }

    fn stmt(&mut self, locals: &mut Locals, stmt: &'a Stmt) -> Result<(), Exit> {
        match &stmt.kind {
            StmtKind::Let { pattern, value } => {
                let value = self.eval(locals, value)?;
                assert!(matches(locals, pattern, &value), "a let cannot fail");
            }
            StmtKind::Expr(expr) => drop(self.eval(locals, expr)?),
            StmtKind::Assign { target, op, value } => self.assign(locals, target, *op, value)?,
            StmtKind::While { cond, body } => {
                while self.cond(locals, cond)? {
                    if self.step(locals, body)? {
                        break;
                    }
                }
            }
            StmtKind::For { pattern, iter, body } => match iter {
                Iter::Range { start, end, inclusive } => {
                    let start = self.eval(locals, start)?.int();
                    let end = self.eval(locals, end)?.int();
                    let end = if *inclusive { end.saturating_add(1) } else { end };
                    for value in start..end {
                        matches(locals, pattern, &Value::Int(value));
                        if self.step(locals, body)? {
                            break;
                        }
                    }
                }
                Iter::List(list) => {
                    let list = self.eval(locals, list)?;
                    let mut index = 0;
                    while index < list.fields().borrow()[0].int() {
                        let items = list.fields().borrow()[1].clone();
                        let value = items.fields().borrow()[index as usize].clone();
                        matches(locals, pattern, &value);
                        if self.step(locals, body)? {
                            break;
                        }
                        index += 1;
                    }
                }
                _ => panic!("the tests loop over ranges and lists"),
            },
        }
        Ok(())
    }

    /// One step of a loop; whether it was the last.
    fn step(&mut self, locals: &mut Locals, body: &'a Expr) -> Result<bool, Exit> {
        if self.fuel == 0 {
            return stop(Stop::Fuel);
        }
        match self.eval(locals, body) {
            Ok(_) | Err(Exit::Continue) => Ok(false),
            Err(Exit::Break) => Ok(true),
            Err(other) => Err(other),
        }
    }

    fn assign(
        &mut self,
        locals: &mut Locals,
        target: &'a Expr,
        op: Option<BinaryOp>,
        value: &'a Expr,
    ) -> Result<(), Exit> {
        let mut parts = vec![];
        self.parts(locals, target, &mut parts)?;
        let value = self.eval(locals, value)?;
        let old = read(locals, target, &parts);
        let value = match op {
            None => value,
            Some(op) => apply(op, &old?, &value)?,
        };
        write(locals, target, &parts, value)
    }

    /// Evaluates what a place is made of.
    fn parts(
        &mut self,
        locals: &mut Locals,
        target: &'a Expr,
        parts: &mut Vec<Value>,
    ) -> Result<(), Exit> {
        match &target.kind {
            ExprKind::Field { base, .. } => parts.push(self.eval(locals, base)?),
            ExprKind::Index { base, index } => {
                assert!(matches!(self.ty(base.ty), Ty::Record(..)), "only lists are indexed");
                parts.push(self.eval(locals, base)?);
                parts.push(self.eval(locals, index)?);
            }
            ExprKind::TupleField { base, .. } => self.parts(locals, base, parts)?,
            _ => {}
        }
        Ok(())
    }
}

fn read(locals: &Locals, target: &Expr, parts: &[Value]) -> Eval {
    Ok(match &target.kind {
        ExprKind::Local(local) => locals[local].borrow().clone(),
        ExprKind::Field { field, .. } => parts[0].fields().borrow()[*field as usize].clone(),
        ExprKind::Index { .. } => {
            let (items, index) = element(&parts[0], &parts[1])?;
            items.fields().borrow()[index].clone()
        }
        ExprKind::TupleField { base, index } => read(locals, base, parts)?.part(*index as usize),
        other => panic!("{other:?} is no place"),
    })
}

fn write(locals: &Locals, target: &Expr, parts: &[Value], value: Value) -> Result<(), Exit> {
    match &target.kind {
        ExprKind::Local(local) => *locals[local].borrow_mut() = value,
        ExprKind::Field { field, .. } => {
            parts[0].fields().borrow_mut()[*field as usize] = value;
        }
        ExprKind::Index { .. } => {
            let (items, index) = element(&parts[0], &parts[1])?;
            items.fields().borrow_mut()[index] = value;
        }
        ExprKind::TupleField { base, index } => {
            let Value::Tuple(mut whole) = read(locals, base, parts)? else { panic!("no tuple") };
            whole[*index as usize] = value;
            write(locals, base, parts, Value::Tuple(whole))?;
        }
        other => panic!("{other:?} is no place"),
    }
    Ok(())
}

/// The array and the place in it.
fn element(list: &Value, index: &Value) -> Result<(Value, usize), Exit> {
    let list = list.fields().borrow();
    if !(0..list[0].int()).contains(&index.int()) {
        return stop(Stop::Bounds);
    }
    Ok((list[1].clone(), index.int() as usize))
}

fn apply(op: BinaryOp, left: &Value, right: &Value) -> Eval {
    let checked = |value: Option<i64>| value.map(Value::Int).ok_or(Exit::Stop(Stop::Overflow));
    if let (Value::Text(left), Value::Text(right)) = (left, right) {
        return Ok(match op {
            BinaryOp::Add => Value::Text(format!("{left}{right}").into()),
            BinaryOp::Eq => Value::Bool(left == right),
            BinaryOp::Ne => Value::Bool(left != right),
            other => panic!("the tests have no {other:?} on strings"),
        });
    }
    if let (Value::Maybe(left), Value::Maybe(right)) = (left, right) {
        let same = left.is_some() == right.is_some();
        assert!(left.is_none() || right.is_none(), "one is a written nil");
        return Ok(Value::Bool(same == (op == BinaryOp::Eq)));
    }
    if let (Value::Bool(left), Value::Bool(right)) = (left, right) {
        return Ok(Value::Bool((left == right) == (op == BinaryOp::Eq)));
    }
    let (left, right) = (left.int(), right.int());
    match op {
        BinaryOp::Add => checked(left.checked_add(right)),
        BinaryOp::Sub => checked(left.checked_sub(right)),
        BinaryOp::Mul => checked(left.checked_mul(right)),
        BinaryOp::Eq => Ok(Value::Bool(left == right)),
        BinaryOp::Ne => Ok(Value::Bool(left != right)),
        BinaryOp::Lt => Ok(Value::Bool(left < right)),
        BinaryOp::Le => Ok(Value::Bool(left <= right)),
        BinaryOp::Gt => Ok(Value::Bool(left > right)),
        BinaryOp::Ge => Ok(Value::Bool(left >= right)),
        other => panic!("the tests have no {other:?}"),
    }
}

/// Whether the pattern matches; binds as it goes.
fn matches(locals: &mut Locals, pattern: &Pattern, value: &Value) -> bool {
    match &pattern.kind {
        PatternKind::Wildcard => true,
        PatternKind::Bind(local) => {
            locals.insert(*local, Rc::new(RefCell::new(value.clone())));
            true
        }
        PatternKind::Int(wanted) => value.int() == *wanted,
        PatternKind::Bool(wanted) => value.bool() == *wanted,
        PatternKind::Str(wanted) => *value.text() == **wanted,
        PatternKind::Range { low, high } => (*low..=*high).contains(&value.int()),
        PatternKind::Nil => value.maybe().is_none(),
        PatternKind::Some(inner) => {
            value.maybe().is_some_and(|value| matches(locals, inner, value))
        }
        PatternKind::Tuple(parts) => {
            parts.iter().enumerate().all(|(index, part)| matches(locals, part, &value.part(index)))
        }
        PatternKind::Variant { variant, fields } => match value {
            Value::Variant(tag, values) => {
                tag == variant
                    && fields
                        .iter()
                        .zip(values.iter())
                        .all(|(part, value)| matches(locals, part, value))
            }
            other => panic!("{other:?} is no variant"),
        },
        PatternKind::Ok(inner) => value.outcome().is_ok_and(|value| matches(locals, inner, value)),
        PatternKind::Err(inner) => match value.outcome() {
            Err(message) => matches(locals, inner, &Value::Text(message)),
            Ok(_) => false,
        },
        PatternKind::Or(alternatives) => {
            alternatives.iter().any(|pattern| matches(locals, pattern, value))
        }
        PatternKind::Float(_) => panic!("the tests have no floats"),
    }
}
