//! MIR to Cranelift's IR, one function at a time.
//!
//! A MIR local is one Cranelift variable per scalar of its type. Each statement becomes straight code; checks
//! that fail, allocations that need the collector and polls that find their flag set continue in cold
//! blocks. The context is the first argument, r15 the allocation cursor.
//!
//! **References across a collection.** At each point that [`crate::roots`] found, the translator stores the
//! live references to frame slots and names the slots in the stack map ([`Translator::collecting`]).
//! The heap does not move an object that a stack slot refers to, so registers stay valid afterwards; with
//! [`crate::Options::reload_roots`], for heaps that move everything in tests, each reference is loaded
//! again. No address derived from a reference outlives the statement that computed it.
//!
//! **Memory regions.** Loads and stores carry an alias region, so that Cranelift can drop a second load
//! of a list's length although a float was stored in between.

mod arithmetic;
mod call;
mod memory;
mod region;
mod scope;
mod value;

use std::collections::HashMap;
use std::rc::Rc;

use cranelift_codegen::ir::{
    self, AliasRegionData, Block, FuncRef, InstBuilder, MemFlagsData, SigRef, Signature, SourceLoc,
    StackSlot, StackSlotData, StackSlotKind, UserStackMapEntry, Value, types,
};
use cranelift_frontend::{FunctionBuilder, FunctionBuilderContext, Switch, Variable};
use medi_check::mir::{
    self, BinaryOp, BlockId, FunctionId, Local, Operand, Rvalue, ScopeId, Stmt, StmtKind,
    TerminatorKind, Trap,
};
use medi_check::types::{Ty, TyId, Types};
use medi_runtime::code_map::{Inlined, NamedSlot, Place, Position};
use medi_runtime::context::{Stub, offsets};
use medi_runtime::shape::{Kind, Scalar};
use medi_runtime::trap::TrapCode;

use crate::Optimise;
use crate::convention;
use crate::layout::LIST_LEN_FIELD;
use crate::polls::CarriedPolls;
use crate::ranges::{self, CannotOverflow};
use crate::roots::{self, Point, PointKind, RootPlan};
use crate::unit::{ScopeNative, Unit};
use crate::versions::{self, Questions, Versioned};

/// What a translated function needs besides its IR: the table that source locations index.
#[derive(Debug, Default)]
pub struct SourceTable {
    pub places: Vec<Place>,
    pub inlined: Vec<Inlined>,
    /// The slots of variables that hold references, with [`crate::Options::name_roots`].
    pub slots: Vec<(StackSlot, NamedSlot)>,
}

/// Kinds of memory that never overlap.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Region {
    Context,
    Literals,
    /// Slots of references in the frame.
    Roots,
    /// Values in the frame whose address a native function gets.
    Shaped,
    Header,
    Length,
    Field(Scalar),
    Element(Scalar),
    /// Code address and captures of closures: written once.
    Closure,
    /// Bytes of scope memory.
    Scope,
    /// Descriptors of scope memory.
    Descriptor,
}

impl Region {
    fn number(self) -> u32 {
        let kind = |scalar| match scalar {
            Scalar::I8 => 0,
            Scalar::I64 => 1,
            Scalar::F64 => 2,
            Scalar::Ref => 3,
        };
        match self {
            Region::Context => 0,
            Region::Literals => 1,
            Region::Roots => 2,
            Region::Shaped => 3,
            Region::Header => 4,
            Region::Length => 5,
            Region::Closure => 6,
            Region::Scope => 7,
            Region::Field(scalar) => 8 + kind(scalar),
            Region::Element(scalar) => 12 + kind(scalar),
            Region::Descriptor => 16,
        }
    }

    const COUNT: usize = 17;
}

/// The type of a scalar's register.
pub(crate) fn register_type(scalar: Scalar) -> ir::Type {
    match scalar {
        Scalar::I8 => types::I8,
        Scalar::I64 | Scalar::Ref => types::I64,
        Scalar::F64 => types::F64,
    }
}

/// Translates one function; `function` must be empty.
pub fn translate(
    unit: &Unit<'_>,
    id: FunctionId,
    function: &mut ir::Function,
    builder_context: &mut FunctionBuilderContext,
) -> SourceTable {
    let versioned = versions(unit, &unit.program.functions[id.index()]);
    let source = &versioned.function;
    function.signature = unit.signature(id);
    function.name = ir::UserFuncName::user(convention::NAMESPACE_FUNCTION, id.0);
    let builder = FunctionBuilder::new(function, builder_context);
    let mut translator = Translator::new(unit, id, &versioned, builder);
    translator.body();
    let slots = if unit.options.name_roots { translator.named_slots() } else { vec![] };
    let Translator { builder, places, .. } = translator;
    builder.finalize(unit.isa.frontend_config());
    let inlined = source.inlined.iter().map(|call| Inlined {
        name: call.name.clone(),
        call: position(call.call),
        parent: call.parent.map(|parent| parent.0),
    });
    SourceTable { places, inlined: inlined.collect(), slots }
}

fn position(span: medi_syntax::source::Span) -> Position {
    Position { file: span.file.0, offset: span.start }
}

/// Whether a collection may happen at a statement.
pub fn point_kind(unit: &Unit<'_>, stmt: &Stmt) -> PointKind {
    let native = |index: usize| match unit.natives[index].leaf {
        true => PointKind::None,
        false => PointKind::Hot,
    };
    let of_scope = |scope| native(unit.scope_native(scope));
    match &stmt.kind {
        StmtKind::Safepoint => PointKind::Cold,
        StmtKind::ScopeEnter(_) => of_scope(ScopeNative::Enter),
        StmtKind::ScopeExit(_) => of_scope(ScopeNative::Exit),
        StmtKind::Free(_) => of_scope(ScopeNative::Free),
        StmtKind::Assign(_, rvalue) => match rvalue {
            Rvalue::Call { .. } | Rvalue::CallClosure { .. } => PointKind::Hot,
            Rvalue::Allocate { .. } => of_scope(ScopeNative::Allocate),
            Rvalue::OwnedBuffer { .. } => of_scope(ScopeNative::OwnedAllocate),
            Rvalue::NewOwn { .. } => of_scope(ScopeNative::RegionAllocate),
            Rvalue::MakeView { .. } => of_scope(ScopeNative::View),
            Rvalue::CallNative { native: called, .. } => native(called.index()),
            Rvalue::NewRecord { ty, .. } if unit.program.values.contains(ty) => PointKind::None,
            Rvalue::NewRecord { .. }
            | Rvalue::NewVariant { .. }
            | Rvalue::NewArray { .. }
            | Rvalue::NewClosure { .. }
            | Rvalue::NewCell { .. } => PointKind::Cold,
            _ => PointKind::None,
        },
        _ => PointKind::None,
    }
}

/// The function with versions of its loops.
fn versions<'a>(unit: &Unit<'_>, function: &'a mir::Function) -> Versioned<'a> {
    match unit.options.check_all_arithmetic || unit.options.optimise == Optimise::Nothing {
        true => Versioned::plain(function),
        false => versions::versioned(function, &IntFacts { unit, source: function }),
    }
}

/// What the range analysis asks.
struct IntFacts<'a> {
    unit: &'a Unit<'a>,
    source: &'a mir::Function,
}

impl Questions for IntFacts<'_> {
    fn may_free(&self, stmt: &Stmt) -> bool {
        let frees = matches!(stmt.kind, StmtKind::Free(_) | StmtKind::ScopeExit(_));
        frees || point_kind(self.unit, stmt) == PointKind::Hot
    }
}

impl ranges::Facts for IntFacts<'_> {
    fn is_int(&self, local: Local) -> bool {
        self.source.locals[local.index()].ty == Types::INT
    }

    fn is_list_len(&self, object: &Operand, field: u32) -> bool {
        let (Operand::Copy(local) | Operand::Move(local)) = object else { return false };
        let ty = self.source.locals[local.index()].ty;
        field == LIST_LEN_FIELD && matches!(self.unit.layouts.shape(ty).kind, Kind::List { .. })
    }
}

/// The state of translating one function.
pub(crate) struct Translator<'a> {
    unit: &'a Unit<'a>,
    id: FunctionId,
    source: &'a mir::Function,
    versioned: &'a Versioned<'a>,
    builder: FunctionBuilder<'a>,
    context: Value,
    /// The closure object, in closure functions.
    closure: Option<Variable>,
    /// Where a result that does not fit in registers goes.
    result_area: Option<Value>,
    /// First variable of each local; a local's scalars follow each other.
    first_variable: Vec<u32>,
    variables: Vec<(Variable, Scalar)>,
    /// By variable: the frame slot of a reference.
    root_slots: Vec<Option<StackSlot>>,
    closure_slot: Option<StackSlot>,
    roots: RootPlan,
    polls: CarriedPolls,
    /// What barriers compare colours with ([`medi_heap::layout::CHECK`]), and whether the current block has loaded it since its last point.
    check: (Variable, bool),
    cannot_overflow: CannotOverflow,
    /// Checked arithmetic of the current block: the same on the same operands is not done again.
    computed: Vec<(BinaryOp, Value, Value, Value)>,
    /// What the current block has checked of scope memory since something was called that could free it.
    checked: Vec<scope::Check>,
    blocks: Vec<Option<Block>>,
    /// Where the objects of each scope go.
    region_variables: HashMap<ScopeId, Variable>,
    /// Edges into each block that are not translated yet.
    pending_edges: Vec<u32>,
    regions: [MemFlagsData; Region::COUNT],
    functions: HashMap<(u32, u32), FuncRef>,
    closure_signatures: HashMap<TyId, SigRef>,
    places: Vec<Place>,
    inlined: Option<mir::InlineId>,
}

impl<'a> Translator<'a> {
    fn new(
        unit: &'a Unit<'a>,
        id: FunctionId,
        versioned: &'a Versioned<'a>,
        mut builder: FunctionBuilder<'a>,
    ) -> Translator<'a> {
        let source = &*versioned.function;
        let holds_references = |local: Local| {
            let scalars = unit.layouts.scalars(source.locals[local.index()].ty);
            scalars.iter().any(|(_, scalar)| *scalar == Scalar::Ref)
        };
        let polls = CarriedPolls::find(source);
        let roots = roots::plan(source, &holds_references, &|block, at, stmt| {
            if polls.is_carried(block, at) {
                PointKind::None
            } else if polls.carries(block, at) {
                PointKind::Cold
            } else {
                point_kind(unit, stmt)
            }
        });
        let cannot_overflow = match unit.options.check_all_arithmetic {
            true => CannotOverflow::default(),
            false => ranges::cannot_overflow(source, &IntFacts { unit, source }, &versioned.guards),
        };
        let regions = std::array::from_fn(|number| {
            let data = AliasRegionData { user_id: number as u32, description: "".into() };
            let region = builder.func.dfg.alias_regions.insert(data);
            MemFlagsData::trusted().with_alias_region(Some(region))
        });
        let mut first_variable = Vec::with_capacity(source.locals.len());
        let mut variables = vec![];
        for local in &source.locals {
            first_variable.push(variables.len() as u32);
            for (_, scalar) in unit.layouts.scalars(local.ty) {
                variables.push((builder.declare_var(register_type(*scalar)), *scalar));
            }
        }
        first_variable.push(variables.len() as u32);
        let check = (builder.declare_var(types::I64), false);
        let entry = builder.create_block();
        builder.append_block_params_for_function_params(entry);
        builder.switch_to_block(entry);
        builder.seal_block(entry);
        let context = builder.block_params(entry)[0];
        Translator {
            unit,
            id,
            source,
            versioned,
            context,
            closure: None,
            result_area: None,
            first_variable,
            root_slots: vec![None; variables.len()],
            variables,
            closure_slot: None,
            roots,
            polls,
            check,
            cannot_overflow,
            computed: vec![],
            checked: vec![],
            blocks: vec![None; source.blocks.len()],
            region_variables: HashMap::new(),
            pending_edges: vec![0; source.blocks.len()],
            regions,
            functions: HashMap::new(),
            closure_signatures: HashMap::new(),
            places: vec![],
            inlined: None,
            builder,
        }
    }

    fn body(&mut self) {
        self.locate(self.source.span);
        self.parameters();
        self.check_stack();
        let order = self.reverse_postorder();
        for block in &order {
            self.blocks[*block] = Some(self.builder.create_block());
            for next in roots::successors(&self.source.blocks[*block].terminator) {
                self.pending_edges[next] += 1;
            }
        }
        self.pending_edges[0] += 1;
        self.jump_to(BlockId(0));
        self.edge_done(0);
        for index in order {
            let block = self.block(BlockId(index as u32));
            self.builder.switch_to_block(block);
            let source = &self.source.blocks[index];
            self.inlined = source.inlined;
            self.computed.clear();
            self.checked.clear();
            self.know_alive(index);
            self.check.1 = false;
            for (at, stmt) in source.stmts.iter().enumerate() {
                self.locate(stmt.span);
                self.statement(index, at, stmt);
            }
            self.locate(source.terminator.span);
            self.terminator(index, &source.terminator.kind);
            for next in roots::successors(&source.terminator) {
                self.edge_done(next);
            }
        }
    }

    fn reverse_postorder(&self) -> Vec<usize> {
        let mut seen = vec![false; self.source.blocks.len()];
        let mut order = vec![];
        let mut stack = vec![(0, roots::successors(&self.source.blocks[0].terminator))];
        seen[0] = true;
        while let Some((block, rest)) = stack.last_mut() {
            match rest.pop() {
                Some(next) if !seen[next] => {
                    seen[next] = true;
                    stack.push((next, roots::successors(&self.source.blocks[next].terminator)));
                }
                Some(_) => {}
                None => {
                    order.push(*block);
                    stack.pop();
                }
            }
        }
        order.reverse();
        order
    }

    fn block(&self, id: BlockId) -> Block {
        self.blocks[id.index()].expect("a reachable block")
    }

    fn jump_to(&mut self, id: BlockId) {
        let block = self.block(id);
        self.builder.ins().jump(block, &[]);
    }

    fn edge_done(&mut self, index: usize) {
        self.pending_edges[index] -= 1;
        if self.pending_edges[index] == 0 {
            let block = self.block(BlockId(index as u32));
            self.builder.seal_block(block);
        }
    }

    /// Takes the parameters into variables.
    fn parameters(&mut self) {
        let entry = self.builder.current_block().expect("the entry block");
        let values = self.builder.block_params(entry).to_vec();
        let mut next = 1;
        if self.source.captures.is_some() {
            let variable = self.builder.declare_var(types::I64);
            self.builder.def_var(variable, values[next]);
            self.closure = Some(variable);
            next += 1;
        }
        if convention::returns_in_area(self.unit.layouts.scalars(self.source.result)) {
            self.result_area = Some(values[next]);
            next += 1;
        }
        let scalars = self.first_variable[self.source.params] as usize;
        for (index, value) in values[next..].iter().enumerate().take(scalars) {
            self.builder.def_var(self.variables[index].0, *value);
        }
    }

    /// Stack overflow is found at the entry of each function that calls another; what the others need
    /// fits in the reserve.
    fn check_stack(&mut self) {
        let calls = |stmt: &Stmt| {
            matches!(
                stmt.kind,
                StmtKind::Assign(_, Rvalue::Call { .. } | Rvalue::CallClosure { .. })
            )
        };
        if !self.source.blocks.iter().any(|block| block.stmts.iter().any(calls)) {
            return;
        }
        let sp = self.builder.ins().get_stack_pointer(types::I64);
        let limit = self.load_context(types::I64, offsets::STACK_LIMIT);
        let below = self.builder.ins().icmp(ir::condcodes::IntCC::UnsignedLessThan, sp, limit);
        let point = Rc::clone(&self.roots.entry);
        self.in_cold_block(below, |this| {
            this.collecting(&point, |this| this.call_stub(Stub::StackCheck, &[sp]));
        });
    }

    /// Continues in a cold block when `condition` is not zero, and comes back. What comes after it in a cold block is
    /// cold, too.
    fn in_cold_block(&mut self, condition: Value, body: impl FnOnce(&mut Self)) {
        let (cold, next) = (self.builder.create_block(), self.builder.create_block());
        self.builder.set_cold_block(cold);
        let here = self.builder.current_block().expect("a block");
        if self.builder.func.layout.is_cold(here) {
            self.builder.set_cold_block(next);
        }
        self.builder.ins().brif(condition, cold, &[], next, &[]);
        self.builder.seal_block(cold);
        self.builder.switch_to_block(cold);
        body(self);
        self.builder.ins().jump(next, &[]);
        self.builder.seal_block(next);
        self.builder.switch_to_block(next);
    }

    /// Continues in a cold block, which does not come back, when `condition` is not zero.
    fn diverge_if(&mut self, condition: Value, body: impl FnOnce(&mut Self)) {
        let (cold, next) = (self.builder.create_block(), self.builder.create_block());
        self.builder.set_cold_block(cold);
        self.builder.ins().brif(condition, cold, &[], next, &[]);
        self.builder.seal_block(cold);
        self.builder.seal_block(next);
        self.builder.switch_to_block(cold);
        body(self);
        self.builder.ins().trap(convention::trap(TrapCode::Unreachable));
        self.builder.switch_to_block(next);
    }

    /// Raises an error that names the operand when `condition` is not zero.
    fn raise_trap_if(&mut self, condition: Value, code: TrapCode, operand: Value) {
        self.diverge_if(condition, |this| {
            let code = this.int(code as i64);
            this.raise(Stub::RaiseTrap, code, operand);
        });
    }

    fn trap_if(&mut self, condition: Value, code: TrapCode) {
        self.builder.ins().trapnz(condition, convention::trap(code));
    }

    /// The source place of what follows.
    fn locate(&mut self, span: medi_syntax::source::Span) {
        let inlined = self.inlined.map(|inlined| inlined.0);
        let place = Place { position: position(span), inlined };
        if self.places.last() != Some(&place) {
            self.places.push(place);
        }
        self.builder.set_srcloc(SourceLoc::new(self.places.len() as u32 - 1));
    }

    fn statement(&mut self, block: usize, at: usize, stmt: &'a Stmt) {
        match &stmt.kind {
            StmtKind::Assign(local, rvalue) => {
                let values = self.rvalue(block, at, *local, rvalue);
                self.assign(*local, &values);
            }
            StmtKind::SetField { value, .. }
            | StmtKind::SetElem { value, .. }
            | StmtKind::SetCell { value, .. } => self.store_into_object(&stmt.kind, value),
            StmtKind::SetScopeElem { base, index, value } => {
                self.set_scope_element(base, index, value);
            }
            StmtKind::Barrier { object } => {
                let behind = &self.source.blocks[block].stmts[at + 1..];
                let carries = self.polls.carries(block, at);
                let poll = carries.then(|| self.point(block, at));
                self.barrier(object, mir::follows_barrier(object, behind), poll);
            }
            StmtKind::Bounds { index, len } => self.bounds(index, len),
            StmtKind::ScopeEnter(scope) => {
                let point = self.roots.find(block, at);
                let region = self.scope_native(point, ScopeNative::Enter, &[], &[Scalar::I64])[0];
                let variable = self.region_variable(*scope);
                self.builder.def_var(variable, region);
            }
            StmtKind::ScopeExit(_) => {
                self.scope_native(self.roots.find(block, at), ScopeNative::Exit, &[], &[]);
            }
            StmtKind::Free(buffer) => {
                let handle = self.operand(buffer);
                let point = self.roots.find(block, at);
                let native = match self.unit.program.types.get(self.operand_type(buffer)) {
                    Ty::Shared(_) => return self.unshare(buffer),
                    Ty::Owned(_) => ScopeNative::OwnedFree,
                    _ => ScopeNative::Free,
                };
                self.scope_native(point, native, &handle[..2], &[]);
            }
            StmtKind::SetOwnField { object, field, value } => {
                self.set_own_field(object, *field, value);
            }
            StmtKind::AtomicStore { view, index, value, .. } => {
                self.atomic_store(view, index, value);
            }
            // The strongest one does for all.
            StmtKind::Fence(_) => {
                self.builder.ins().fence();
            }
            StmtKind::Safepoint if self.polls.is_carried(block, at) => {}
            StmtKind::Safepoint => {
                let point = self.point(block, at);
                self.poll(&point);
            }
        }
    }

    /// Comes to a safepoint when one is due.
    fn poll(&mut self, point: &Point) {
        let poll = self.load_context(types::I32, medi_heap::layout::POLL);
        self.in_cold_block(poll, |this| {
            this.collecting(point, |this| this.call_stub(Stub::Safepoint, &[]));
        });
    }

    fn point(&self, block: usize, at: usize) -> Rc<Point> {
        self.roots.find(block, at).expect("the statement is a point")
    }

    fn terminator(&mut self, block: usize, terminator: &TerminatorKind) {
        match terminator {
            TerminatorKind::Goto(next) => self.jump_to(*next),
            TerminatorKind::Branch { cond, then, otherwise } => {
                let cond = match self.versioned.guards.get(&(block as u32)) {
                    Some(guard) => self.guard(guard),
                    None => self.one(cond),
                };
                let (then, otherwise) = (self.block(*then), self.block(*otherwise));
                self.builder.ins().brif(cond, then, &[], otherwise, &[]);
            }
            TerminatorKind::Switch { value, cases, default } => {
                let value = self.one(value);
                let bits = self.builder.func.dfg.value_type(value).bits();
                let mut switch = Switch::new();
                for (case, target) in cases {
                    let entry = if bits == 8 { *case as u8 as u128 } else { *case as u64 as u128 };
                    switch.set_entry(entry, self.block(*target));
                }
                let default = self.block(*default);
                switch.emit(&mut self.builder, value, default);
            }
            TerminatorKind::Return(value) => {
                let values = self.operand(value);
                match self.result_area {
                    None => self.builder.ins().return_(&values),
                    Some(area) => {
                        for (index, value) in values.into_iter().enumerate() {
                            self.store(Region::Shaped, value, area, 8 * index as u32);
                        }
                        self.builder.ins().return_(&[])
                    }
                };
            }
            TerminatorKind::Unreachable => {
                self.builder.ins().trap(convention::trap(TrapCode::Unreachable));
            }
            TerminatorKind::Trap(Trap::NilAssert) => {
                self.builder.ins().trap(convention::trap(TrapCode::NilAssert));
            }
        }
    }

    /// Emits an instruction at which a collection may happen: saves the references that are needed
    /// afterwards and names their slots in the instruction's stack map.
    fn collecting(&mut self, point: &Point, emit: impl FnOnce(&mut Self) -> ir::Inst) -> ir::Inst {
        for root in &point.unsaved {
            self.for_each_root(*root, |this, variable, slot| {
                let value = this.builder.use_var(variable);
                let address = this.builder.ins().stack_addr(types::I64, slot, 0);
                this.store(Region::Roots, value, address, 0);
            });
        }
        let inst = emit(self);
        self.check.1 = false;
        let dropped = self.unit.options.plant_lost_root.then(|| point.live.first()).flatten();
        for root in &point.live {
            if dropped == Some(root) {
                continue;
            }
            self.for_each_root(*root, |this, variable, slot| {
                let entry = UserStackMapEntry { ty: types::I64, slot, offset: 0 };
                this.builder.func.dfg.append_user_stack_map_entry(inst, entry);
                if this.unit.options.reload_roots {
                    let address = this.builder.ins().stack_addr(types::I64, slot, 0);
                    let value = this.load(Region::Roots, types::I64, address, 0);
                    this.builder.def_var(variable, value);
                }
            });
        }
        inst
    }

    /// Calls `each` with the variable and frame slot of each reference of a root local.
    fn for_each_root(
        &mut self,
        root: roots::RootLocal,
        mut each: impl FnMut(&mut Self, Variable, StackSlot),
    ) {
        let root = root as usize;
        if root == self.source.locals.len() {
            let slot = match self.closure_slot {
                Some(slot) => slot,
                None => self.new_slot(),
            };
            self.closure_slot = Some(slot);
            let variable = self.closure.expect("a closure function");
            each(self, variable, slot);
            return;
        }
        for index in self.first_variable[root] as usize..self.first_variable[root + 1] as usize {
            let (variable, scalar) = self.variables[index];
            if scalar == Scalar::Ref {
                let slot = match self.root_slots[index] {
                    Some(slot) => slot,
                    None => self.new_slot(),
                };
                self.root_slots[index] = Some(slot);
                each(self, variable, slot);
            }
        }
    }

    /// The variables whose values lie in frame slots. A temporary is called like the variable that it was copied from.
    fn named_slots(&self) -> Vec<(StackSlot, NamedSlot)> {
        let mut copied = vec![None; self.source.locals.len()];
        for stmt in self.source.blocks.iter().flat_map(|block| &block.stmts) {
            if let StmtKind::Assign(to, Rvalue::Use(from) | Rvalue::MakeSome { value: from, .. }) =
                &stmt.kind
                && let Operand::Copy(from) | Operand::Move(from) = from
            {
                copied[to.index()].get_or_insert(from.index());
            }
        }
        let locals = &self.source.locals;
        let named = |index: &usize| locals[*index].name.is_some();
        let mut slots = vec![];
        for (index, copied) in copied.into_iter().enumerate() {
            let Some(variable) = Some(index).filter(named).or(copied.filter(named)) else {
                continue;
            };
            let local = &locals[variable];
            let name = local.name.clone().unwrap_or_default();
            let pin = matches!(self.unit.program.types.get(local.ty), Ty::Pin(_));
            for scalar in self.first_variable[index]..self.first_variable[index + 1] {
                let Some(slot) = self.root_slots[scalar as usize] else { continue };
                let declared = position(local.span);
                slots.push((slot, NamedSlot { offset: 0, name: name.clone(), declared, pin }));
            }
        }
        slots
    }

    fn new_slot(&mut self) -> StackSlot {
        let data = StackSlotData::new(StackSlotKind::ExplicitSlot, 8, 3);
        self.builder.create_sized_stack_slot(data)
    }

    fn function_ref(
        &mut self,
        namespace: u32,
        index: u32,
        signature: impl FnOnce() -> Signature,
    ) -> FuncRef {
        if let Some(known) = self.functions.get(&(namespace, index)) {
            return *known;
        }
        let signature = self.builder.import_signature(signature());
        let name = ir::UserExternalName { namespace, index };
        let name = self.builder.func.declare_imported_user_function(name);
        let function = self.builder.import_function(ir::ExtFuncData {
            name: ir::ExternalName::user(name),
            signature,
            colocated: true,
            patchable: false,
        });
        self.functions.insert((namespace, index), function);
        function
    }

    /// Calls a stub, which keeps all registers and finds the context itself.
    fn call_stub(&mut self, stub: Stub, arguments: &[Value]) -> ir::Inst {
        let signature = || convention::stub_signature(arguments.len());
        let function = self.function_ref(convention::NAMESPACE_STUB, stub as u32, signature);
        let values: Vec<Value> = arguments.iter().map(|word| self.as_float(*word)).collect();
        self.builder.ins().call(function, &values)
    }

    /// A float with the bits of a word.
    fn as_float(&mut self, word: Value) -> Value {
        let constant = match self.builder.func.dfg.value_def(word) {
            ir::ValueDef::Result(inst, 0) => match self.builder.func.dfg.insts[inst] {
                ir::InstructionData::UnaryImm { opcode: ir::Opcode::Iconst, imm } => Some(imm),
                _ => None,
            },
            _ => None,
        };
        match constant {
            Some(bits) => {
                self.builder.ins().f64const(ir::immediates::Ieee64::with_bits(bits.bits() as u64))
            }
            None => self.builder.ins().bitcast(types::F64, MemFlagsData::new(), word),
        }
    }

    /// Calls a stub that raises an error and does not come back.
    fn raise(&mut self, stub: Stub, first: Value, second: Value) {
        debug_assert!(stub.raises());
        let function =
            self.function_ref(convention::NAMESPACE_STUB, stub as u32, convention::raise_signature);
        self.builder.ins().call(function, &[self.context, first, second]);
    }
}
