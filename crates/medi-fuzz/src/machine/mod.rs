//! The reference semantics of scope memory: runs the MIR, as the lowering makes it and the scope checker reads it, on
//! memory whose addresses carry tags.
//!
//! It knows nothing of the checker. Each access, free and way out of a scope looks at the allocation itself, so that
//! what the checker must exclude is a [`Fault`] here on the way that the program takes: a use after the end, a second
//! free, a collected object that refers to scope memory, owned memory that nobody frees, two arms of a `parallel` that
//! write the same bytes, a pin in another task. What a run is allowed to stop for (an index, a shared object that is
//! gone) is a trap.
//!
//! The arms of a `parallel` run one after the other, which is one of their orders, and what they touched is compared
//! afterwards. A task that `spawn` starts runs at once or as late as possible, as [`Schedule`] says.

mod memory;
mod natives;
pub mod value;

use std::rc::Rc;

use medi_check::mir::{
    AtomicOp, BinaryOp, Comparison, Const, FunctionId, Operand, Program, Rvalue, ScopeId, StmtKind,
    TerminatorKind, Trap, UnaryOp,
};
use medi_check::types::{Ty, TyId};
use medi_syntax::source::Span;

pub use self::memory::Ending;
use self::memory::{AccessKind, Memory};
use self::value::{Closure, Pin, Tag, Value, View};

/// What the checker promises that it never happens.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Fault {
    /// Memory is used after its end.
    Gone {
        tag: Tag,
        end: Ending,
    },
    FreedAgain {
        tag: Tag,
        end: Ending,
    },
    /// A collected object would refer to scope memory.
    Escape,
    /// Owned memory that nobody freed.
    Leak {
        tag: Tag,
    },
    /// Two arms of a `parallel` write, or one frees, the same memory.
    Race {
        tag: Tag,
    },
    /// Another task than the one that made it runs a function value that uses scope memory.
    ForeignTask,
    /// A pin is used by another task than the one that made it.
    ForeignPin,
}

impl Fault {
    pub fn name(self) -> &'static str {
        match self {
            Fault::Gone { end: Ending::ScopeExited, .. } => "use after the scope",
            Fault::Gone { .. } => "use after free",
            Fault::FreedAgain { .. } => "free again",
            Fault::Escape => "escape into collected memory",
            Fault::Leak { .. } => "leak of owned memory",
            Fault::Race { .. } => "race",
            Fault::ForeignTask => "scope memory in another task",
            Fault::ForeignPin => "pin in another task",
        }
    }
}

/// Why a run does not go on.
#[derive(Clone, PartialEq, Debug)]
pub enum Stop {
    Fault(Fault),
    /// An error of a run that no checker promises to exclude.
    Trap(&'static str),
    /// Too many steps, or calls in calls.
    Fuel,
}

/// When a task that was started runs.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Schedule {
    AtOnce,
    /// When it is joined, or at the end.
    Late,
}

/// How a run of a function ended, and where when it did not come to its end.
#[derive(Clone, Debug)]
pub struct Outcome {
    pub end: Result<Value, Stop>,
    pub at: Option<Span>,
    /// Tasks changed what others may read meanwhile, so that another order of them may give another result.
    pub unordered: bool,
}

impl Outcome {
    pub fn fault(&self) -> Option<Fault> {
        match self.end {
            Err(Stop::Fault(fault)) => Some(fault),
            _ => None,
        }
    }
}

const FUEL: usize = 20_000;
const DEPTH: usize = 64;

/// Runs a function of a program.
pub fn run(
    program: &Program,
    function: FunctionId,
    args: Vec<Value>,
    schedule: Schedule,
) -> Outcome {
    let mut machine = Machine {
        program,
        memory: Memory::default(),
        objects: vec![],
        tasks: vec![],
        task: 0,
        last_task: 0,
        schedule,
        fuel: FUEL,
        depth: 0,
        at: None,
        text: String::new(),
        unordered: false,
    };
    let end = machine.whole(function, args);
    let at = if end.is_err() { machine.at } else { None };
    let unordered = machine.unordered || machine.memory.is_unordered();
    Outcome { end, at, unordered }
}

struct Machine<'a> {
    program: &'a Program,
    memory: Memory,
    /// Collected memory.
    objects: Vec<Vec<Value>>,
    /// Those that were started; `None` when one has run.
    tasks: Vec<Option<Rc<Closure>>>,
    /// The task that runs; 0 is the program's first.
    task: u32,
    last_task: u32,
    schedule: Schedule,
    fuel: usize,
    depth: usize,
    at: Option<Span>,
    /// What is being formatted.
    text: String,
    /// A task changed a collected object or a variable, or used an atomic.
    unordered: bool,
}

struct Frame<'a> {
    locals: Vec<Value>,
    captures: &'a [Value],
    /// What each scope that is open allocated.
    scopes: Vec<Vec<Tag>>,
}

impl<'a> Machine<'a> {
    fn whole(&mut self, function: FunctionId, args: Vec<Value>) -> Result<Value, Stop> {
        let value = self.call(function, args, &[])?;
        // They may start others.
        let mut next = 0;
        while next < self.tasks.len() {
            self.join(next)?;
            next += 1;
        }
        match self.memory.leaked() {
            Some(tag) => Err(Stop::Fault(Fault::Leak { tag })),
            None => Ok(value),
        }
    }

    fn call(
        &mut self,
        id: FunctionId,
        args: Vec<Value>,
        captures: &[Value],
    ) -> Result<Value, Stop> {
        if self.depth == DEPTH {
            return Err(Stop::Fuel);
        }
        self.depth += 1;
        let program = self.program;
        let function = &program.functions[id.index()];
        let mut locals = args;
        locals.resize(function.locals.len(), Value::Unit);
        let mut frame = Frame { locals, captures, scopes: vec![vec![]; function.scopes.len()] };
        let mut at = 0;
        loop {
            let block = &function.blocks[at];
            for stmt in &block.stmts {
                if self.fuel == 0 {
                    return Err(Stop::Fuel);
                }
                self.fuel -= 1;
                self.at = Some(stmt.span);
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
                TerminatorKind::Return(value) => {
                    self.depth -= 1;
                    return Ok(self.get(&frame, value));
                }
                TerminatorKind::Unreachable => panic!("control came to an unreachable place"),
                TerminatorKind::Trap(Trap::NilAssert) => return Err(Stop::Trap("nil")),
            };
        }
    }

    fn call_closure(&mut self, closure: &Closure, args: Vec<Value>) -> Result<Value, Stop> {
        self.call(closure.function, args, &closure.captures)
    }

    // Tasks.

    fn start(&mut self, body: Rc<Closure>) -> Result<i64, Stop> {
        self.tasks.push(Some(body));
        let number = self.tasks.len() - 1;
        if self.schedule == Schedule::AtOnce {
            self.join(number)?;
        }
        Ok(number as i64)
    }

    /// What runs from now on belongs to a task that nothing has belonged to; the one before.
    fn new_task(&mut self) -> u32 {
        self.last_task += 1;
        std::mem::replace(&mut self.task, self.last_task)
    }

    fn join(&mut self, number: usize) -> Result<(), Stop> {
        let Some(body) = self.tasks[number].take() else { return Ok(()) };
        let around = self.new_task();
        self.call_closure(&body, vec![])?;
        self.task = around;
        Ok(())
    }

    /// The arms of a `parallel`; the first failure is what it gives.
    fn arms(&mut self, arms: Vec<(Value, Vec<Value>)>) -> Result<Value, Stop> {
        let around = self.task;
        let mut given = Value::Unit;
        self.memory.fork();
        for (body, args) in arms {
            let Value::Closure(closure) = body else { panic!("this is no function") };
            self.new_task();
            let result = self.call_closure(&closure, args)?;
            if matches!(given, Value::Unit) || matches!(given, Value::Outcome(Ok(_))) {
                given = result;
            }
            self.memory.next_arm();
        }
        self.task = around;
        self.memory.join()?;
        Ok(given)
    }

    // Values.

    fn get(&self, frame: &Frame, operand: &Operand) -> Value {
        match operand {
            Operand::Copy(local) | Operand::Move(local) => frame.locals[local.index()].clone(),
            Operand::Const(constant) => match constant {
                Const::Unit => Value::Unit,
                Const::Int(value) => Value::Int(*value),
                Const::Bool(value) => Value::Bool(*value),
                Const::Byte(value) => Value::Int((*value).into()),
                Const::Float(value) => Value::Float(*value),
                Const::Str(id) => Value::Text(self.program.strings[id.index()].as_str().into()),
                Const::Nil(_) => Value::Nil,
                Const::Variant(_, variant) => Value::Variant(*variant, Rc::new([])),
            },
        }
    }

    fn all(&self, frame: &Frame, operands: &[Operand]) -> Vec<Value> {
        operands.iter().map(|operand| self.get(frame, operand)).collect()
    }

    fn object(&mut self, fields: Vec<Value>) -> Value {
        self.objects.push(fields);
        Value::Object(self.objects.len() as u32 - 1)
    }

    /// The value goes into a collected object.
    fn kept(&self, value: &Value) -> Result<(), Stop> {
        match value {
            Value::View(_) | Value::Own(_) => Err(Stop::Fault(Fault::Escape)),
            Value::Buffer(tag) if !self.memory.is_owned(*tag) => Err(Stop::Fault(Fault::Escape)),
            whole => whole.parts().iter().try_for_each(|part| self.kept(part)),
        }
    }

    fn all_kept(&self, frame: &Frame, operands: &[Operand]) -> Result<Vec<Value>, Stop> {
        let values = self.all(frame, operands);
        values.iter().try_for_each(|value| self.kept(value))?;
        Ok(values)
    }

    /// The bytes of a buffer, or the view.
    fn window(&mut self, value: &Value) -> Result<View, Stop> {
        match value {
            Value::View(view) => Ok(*view),
            Value::Buffer(tag) => {
                let len = self.memory.bytes(*tag)?.len() as u32;
                Ok(View { tag: *tag, start: 0, len, size: 1 })
            }
            other => panic!("{other:?} has no elements"),
        }
    }

    fn stmt(&mut self, frame: &mut Frame, stmt: &StmtKind) -> Result<(), Stop> {
        match stmt {
            StmtKind::Assign(local, rvalue) => {
                let value = self.rvalue(frame, rvalue)?;
                frame.locals[local.index()] = value;
            }
            StmtKind::SetField { object, field, value } => {
                let (object, value) = (self.get(frame, object), self.get(frame, value));
                self.kept(&value)?;
                self.unordered |= self.task != 0;
                self.objects[object.object()][*field as usize] = value;
            }
            StmtKind::SetElem { array, index, value } => {
                let (array, index) = (self.get(frame, array), self.get(frame, index).int());
                let value = self.get(frame, value);
                self.kept(&value)?;
                self.objects[array.object()][index as usize] = value;
            }
            StmtKind::SetCell { cell, value } => {
                let (cell, value) = (self.get(frame, cell), self.get(frame, value));
                self.unordered |= self.task != 0;
                self.objects[cell.object()][0] = value;
            }
            StmtKind::SetScopeElem { base, index, value } => {
                let (base, index) = (self.get(frame, base), self.get(frame, index).int());
                let bits = bits(&self.get(frame, value));
                let window = self.window(&base)?;
                self.memory.store(window, index, bits, AccessKind::Write)?;
            }
            StmtKind::AtomicStore { view, index, value, .. } => {
                let (view, index) = (self.get(frame, view).view(), self.get(frame, index).int());
                let value = self.get(frame, value).int();
                self.memory.store(view, index, value, AccessKind::Atomic)?;
            }
            StmtKind::Bounds { index, len } => {
                if !(0..self.get(frame, len).int()).contains(&self.get(frame, index).int()) {
                    return Err(Stop::Trap("bounds"));
                }
            }
            StmtKind::ScopeEnter(scope) => frame.scopes[scope.index()].clear(),
            StmtKind::ScopeExit(scope) => {
                let made = std::mem::take(&mut frame.scopes[scope.index()]);
                made.into_iter().rev().for_each(|tag| self.memory.exit(tag));
            }
            StmtKind::Free(operand) => match self.get(frame, operand) {
                Value::Own(tag) => self.memory.unshare(tag)?,
                memory => self.memory.free(memory.tag())?,
            },
            StmtKind::SetOwnField { object, field, value } => {
                let (object, value) = (self.get(frame, object), self.get(frame, value));
                self.memory.set_field(object.tag(), *field, value)?;
            }
            StmtKind::Barrier { .. } | StmtKind::Safepoint | StmtKind::Fence(_) => {}
        }
        Ok(())
    }

    fn allocated(frame: &mut Frame, scope: ScopeId, tag: Tag) {
        frame.scopes[scope.index()].push(tag);
    }

    fn rvalue(&mut self, frame: &mut Frame, rvalue: &Rvalue) -> Result<Value, Stop> {
        Ok(match rvalue {
            Rvalue::Use(value) => self.get(frame, value),
            Rvalue::Unary(op, value) => unary(*op, &self.get(frame, value))?,
            Rvalue::Binary(op, left, right) => {
                binary(*op, &self.get(frame, left), &self.get(frame, right))?
            }
            Rvalue::NewRecord { fields, .. } => {
                let fields = self.all_kept(frame, fields)?;
                self.object(fields)
            }
            Rvalue::NewVariant { variant, fields, .. } => {
                Value::Variant(*variant, self.all_kept(frame, fields)?.into())
            }
            Rvalue::NewArray { ty, len } => {
                let len = self.get(frame, len).int();
                if !(0..=4096).contains(&len) {
                    return Err(Stop::Trap("length"));
                }
                let zero = self.zero(*ty);
                self.object(vec![zero; len as usize])
            }
            Rvalue::NewClosure { function, captures, .. } => {
                let captures = self.all(frame, captures);
                Value::Closure(Rc::new(Closure { function: *function, captures }))
            }
            Rvalue::NewCell { value, .. } => {
                let value = self.get(frame, value);
                self.object(vec![value])
            }
            Rvalue::GetField { object, field } => {
                self.objects[self.get(frame, object).object()][*field as usize].clone()
            }
            Rvalue::GetElem { array, index } => {
                let index = self.get(frame, index).int() as usize;
                self.objects[self.get(frame, array).object()][index].clone()
            }
            Rvalue::ArrayLen(array) => {
                Value::Int(self.objects[self.get(frame, array).object()].len() as i64)
            }
            Rvalue::GetCell(cell) => self.objects[self.get(frame, cell).object()][0].clone(),
            Rvalue::Capture(index) => frame.captures[*index as usize].clone(),
            Rvalue::MakeTuple(parts) => Value::Tuple(self.all(frame, parts).into()),
            Rvalue::GetTuple { tuple, index } => {
                self.get(frame, tuple).parts()[*index as usize].clone()
            }
            Rvalue::MakeSome { value, .. } => Value::some(self.get(frame, value)),
            Rvalue::IsSome(value) => Value::Bool(!matches!(self.get(frame, value), Value::Nil)),
            Rvalue::UnwrapSome(value) => match self.get(frame, value) {
                Value::Some(value) => (*value).clone(),
                other => panic!("{other:?} was not tested"),
            },
            Rvalue::MakeOk { value, .. } => Value::Outcome(Ok(Rc::new(self.get(frame, value)))),
            Rvalue::MakeErr { message, .. } => Value::Outcome(Err(self.get(frame, message).text())),
            Rvalue::IsOk(value) => {
                Value::Bool(matches!(self.get(frame, value), Value::Outcome(Ok(_))))
            }
            Rvalue::UnwrapOk(value) => match self.get(frame, value) {
                Value::Outcome(Ok(value)) => (*value).clone(),
                other => panic!("{other:?} was not tested"),
            },
            Rvalue::UnwrapErr(value) => match self.get(frame, value) {
                Value::Outcome(Err(message)) => Value::Text(message),
                other => panic!("{other:?} was not tested"),
            },
            Rvalue::VariantTag(value) => match self.get(frame, value) {
                Value::Variant(tag, _) => Value::Int(tag.into()),
                other => panic!("{other:?} is no variant"),
            },
            Rvalue::GetVariantField { value, field, .. } => match self.get(frame, value) {
                Value::Variant(_, fields) => fields[*field as usize].clone(),
                other => panic!("{other:?} is no variant"),
            },
            Rvalue::Call { function, args } => {
                let args = self.all(frame, args);
                self.call(*function, args, &[])?
            }
            Rvalue::CallClosure { callee, args } => {
                let Value::Closure(closure) = self.get(frame, callee) else {
                    panic!("this is no function")
                };
                let args = self.all(frame, args);
                self.call_closure(&closure, args)?
            }
            Rvalue::CallNative { native, args } => {
                let args = self.all(frame, args);
                let program = self.program;
                self.native(&program.natives[native.index()].symbol, args, frame.captures)?
            }
            scope_memory => return self.scope_memory(frame, scope_memory),
        })
    }

    fn scope_memory(&mut self, frame: &mut Frame, rvalue: &Rvalue) -> Result<Value, Stop> {
        Ok(match rvalue {
            Rvalue::Allocate { scope, bytes } => {
                let tag = self.memory.buffer(self.get(frame, bytes).int(), false)?;
                Self::allocated(frame, *scope, tag);
                Value::Buffer(tag)
            }
            Rvalue::OwnedBuffer { bytes } => {
                Value::Buffer(self.memory.buffer(self.get(frame, bytes).int(), true)?)
            }
            Rvalue::NewOwn { scope, fields, .. } => {
                let tag = self.memory.object(self.all(frame, fields));
                Self::allocated(frame, *scope, tag);
                Value::Own(tag)
            }
            Rvalue::MakeView { ty, buffer, offset, len } => {
                let buffer = self.get(frame, buffer).tag();
                let (offset, len) = (self.get(frame, offset).int(), self.get(frame, len).int());
                let size = self.element_size(*ty);
                let bytes = self.memory.bytes(buffer)?.len() as i64;
                let fits = (0..=bytes).contains(&offset) && offset % i64::from(size) == 0;
                let room = (bytes - offset) / i64::from(size);
                let len = if len == -1 { room } else { len };
                if !fits || !(0..=room).contains(&len) {
                    return Err(Stop::Trap("view"));
                }
                Value::View(View { tag: buffer, start: offset as u32, len: len as u32, size })
            }
            Rvalue::SliceView { view, from, to } => {
                let view = self.get(frame, view).view();
                let (from, to) = (self.get(frame, from).int(), self.get(frame, to).int());
                self.part(view, from, to)?
            }
            Rvalue::SplitView { view, at, .. } => {
                let view = self.get(frame, view).view();
                let at = self.get(frame, at).int();
                let parts = [self.part(view, 0, at)?, self.part(view, at, view.len.into())?];
                Value::Tuple(Rc::new(parts))
            }
            Rvalue::GetOwnField { object, field } => {
                let tag = self.get(frame, object).tag();
                self.memory.field(tag, *field)?
            }
            Rvalue::Share(shared) => {
                let shared = self.get(frame, shared);
                *self.memory.count(shared.tag())? += 1;
                shared
            }
            Rvalue::Downgrade { shared, .. } => {
                let tag = self.get(frame, shared).tag();
                self.memory.check(tag)?;
                Value::Weak(tag)
            }
            Rvalue::Upgrade { weak, .. } => {
                let tag = self.get(frame, weak).tag();
                if !self.memory.is_there(tag) {
                    return Ok(Value::Nil);
                }
                *self.memory.count(tag)? += 1;
                Value::some(Value::Own(tag))
            }
            Rvalue::ShareCount(shared) => {
                let tag = self.get(frame, shared).tag();
                Value::Int((*self.memory.count(tag)?).into())
            }
            Rvalue::Pin { object, .. } => {
                let object = self.get(frame, object);
                let items = self.items(&object);
                Value::Pin(Rc::new(Pin { object, task: self.task, items }))
            }
            Rvalue::Unpin(pin) => {
                let Value::Pin(pin) = self.get(frame, pin) else { panic!("this is no pin") };
                if pin.task != self.task {
                    return Err(Stop::Fault(Fault::ForeignPin));
                }
                if pin.items != self.items(&pin.object) {
                    return Err(Stop::Trap("resized"));
                }
                pin.object.clone()
            }
            Rvalue::AtomicLoad { view, index, .. } => {
                let (view, index) = (self.get(frame, view).view(), self.get(frame, index).int());
                Value::Int(self.memory.load(view, index, AccessKind::Atomic)?)
            }
            Rvalue::AtomicUpdate { op, view, index, value, .. } => {
                let (view, index) = (self.get(frame, view).view(), self.get(frame, index).int());
                let value = self.get(frame, value).int();
                let old = self.memory.load(view, index, AccessKind::Atomic)?;
                let new = match op {
                    AtomicOp::Add => old.wrapping_add(value),
                    AtomicOp::Swap => value,
                    AtomicOp::Min => old.min(value),
                    AtomicOp::Max => old.max(value),
                };
                self.memory.store(view, index, new, AccessKind::Atomic)?;
                Value::Int(old)
            }
            Rvalue::AtomicCompareSwap { view, index, expected, new, .. } => {
                let (view, index) = (self.get(frame, view).view(), self.get(frame, index).int());
                let (expected, new) = (self.get(frame, expected).int(), self.get(frame, new).int());
                let same = self.memory.load(view, index, AccessKind::Atomic)? == expected;
                if same {
                    self.memory.store(view, index, new, AccessKind::Atomic)?;
                }
                Value::Bool(same)
            }
            Rvalue::ScopeLen(memory) => {
                let window = self.get(frame, memory);
                let window = self.window(&window)?;
                self.memory.check(window.tag)?;
                Value::Int(window.len.into())
            }
            Rvalue::GetScopeElem { base, index } => {
                let (base, index) = (self.get(frame, base), self.get(frame, index).int());
                let window = self.window(&base)?;
                Value::Int(self.memory.load(window, index, AccessKind::Read)?)
            }
            other => panic!("{other:?} is not about scope memory"),
        })
    }

    /// Elements `from..to` of a view.
    fn part(&mut self, view: View, from: i64, to: i64) -> Result<Value, Stop> {
        self.memory.check(view.tag)?;
        if from < 0 || from > to || to > view.len.into() {
            return Err(Stop::Trap("slice"));
        }
        let start = view.start + from as u32 * u32::from(view.size);
        Ok(Value::View(View { start, len: (to - from) as u32, ..view }))
    }

    /// The array of a list, by which a pin knows that the list was resized.
    fn items(&self, object: &Value) -> Option<u32> {
        let Value::Object(number) = object else { return None };
        match self.objects[*number as usize].as_slice() {
            [Value::Int(_), Value::Object(items)] => Some(*items),
            _ => None,
        }
    }

    fn element_size(&self, view: TyId) -> u8 {
        let types = &self.program.types;
        let Ty::View(element) = types.get(view) else { panic!("a view is made") };
        match types.get(*element) {
            Ty::Int | Ty::Atomic(_) => 8,
            Ty::Byte => 1,
            other => panic!("the programs have no views of {other:?}"),
        }
    }

    fn zero(&self, array: TyId) -> Value {
        let types = &self.program.types;
        let Ty::Array(element) = types.get(array) else { panic!("an array is made") };
        match types.get(*element) {
            Ty::Int | Ty::Byte => Value::Int(0),
            Ty::Bool => Value::Bool(false),
            Ty::Float => Value::Float(0.0),
            Ty::Optional(_) => Value::Nil,
            _ => Value::Unit,
        }
    }
}

fn bits(value: &Value) -> i64 {
    match value {
        Value::Bool(value) => (*value).into(),
        other => other.int(),
    }
}

fn unary(op: UnaryOp, value: &Value) -> Result<Value, Stop> {
    Ok(match op {
        UnaryOp::NegInt => Value::Int(value.int().checked_neg().ok_or(Stop::Trap("overflow"))?),
        UnaryOp::Not => Value::Bool(!value.bool()),
        UnaryOp::BitNot => Value::Int(!value.int()),
        UnaryOp::ByteToInt => value.clone(),
        UnaryOp::IntToByte => match u8::try_from(value.int()) {
            Ok(byte) => Value::Int(byte.into()),
            Err(_) => return Err(Stop::Trap("byte")),
        },
        UnaryOp::BoolToInt => Value::Int(value.bool().into()),
        UnaryOp::AbsInt => Value::Int(value.int().checked_abs().ok_or(Stop::Trap("overflow"))?),
        UnaryOp::IntToFloat => Value::Float(value.int() as f64),
        other => panic!("the programs have no {other:?}"),
    })
}

fn binary(op: BinaryOp, left: &Value, right: &Value) -> Result<Value, Stop> {
    let ints = || (left.int(), right.int());
    let checked =
        |value: Option<i64>| value.map(Value::Int).ok_or(Stop::Trap("overflow or division by 0"));
    let shift = |by: i64| {
        if (0..64).contains(&by) { Ok(by as u32) } else { Err(Stop::Trap("shift")) }
    };
    match op {
        BinaryOp::AddInt | BinaryOp::AddUnchecked => checked(ints().0.checked_add(ints().1)),
        BinaryOp::SubInt => checked(ints().0.checked_sub(ints().1)),
        BinaryOp::MulInt => checked(ints().0.checked_mul(ints().1)),
        BinaryOp::DivInt => checked(ints().0.checked_div(ints().1)),
        BinaryOp::RemInt => checked(ints().0.checked_rem(ints().1)),
        BinaryOp::BitAnd => Ok(Value::Int(ints().0 & ints().1)),
        BinaryOp::BitOr => Ok(Value::Int(ints().0 | ints().1)),
        BinaryOp::BitXor => Ok(Value::Int(ints().0 ^ ints().1)),
        BinaryOp::Shl => Ok(Value::Int(ints().0 << shift(ints().1)?)),
        BinaryOp::Shr => Ok(Value::Int(ints().0 >> shift(ints().1)?)),
        BinaryOp::MinInt => Ok(Value::Int(ints().0.min(ints().1))),
        BinaryOp::MaxInt => Ok(Value::Int(ints().0.max(ints().1))),
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
        other => panic!("the programs have no {other:?}"),
    }
}
