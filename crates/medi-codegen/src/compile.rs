//! The way through the crate: translate, compile, link.

use std::num::NonZero;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;

use cranelift_codegen::ir::{ExternalName, LibCall};
use cranelift_codegen::{Context, FinalizedRelocTarget};
use cranelift_frontend::FunctionBuilderContext;
use medi_check::mir::{self, FunctionId};
use medi_heap::Heap;
use medi_runtime::code_map::{CallSite, NamedSlot, Position};
use medi_syntax::source::{FileId, SourceMap};

use crate::code_memory::Space;
use crate::debug::{self, Symbol};
use crate::link::{Object, Relocation, Target};
use crate::translate;
use crate::unit::Unit;
use crate::{CompileError, Compiled, Options, convention, link};

/// A thread is worth starting for this many functions.
const FUNCTIONS_PER_THREAD: usize = 24;

/// Compiles a program for a heap, in which its types are registered. The sources are asked for lines and
/// columns when a call stack is shown.
///
/// # Errors
/// When the program needs a native function that the runtime lacks, when this computer is not supported, or
/// when there is no memory for code.
pub fn compile(
    program: &mir::Program,
    sources: Arc<SourceMap>,
    heap: &Heap,
    options: &Options,
) -> Result<Compiled, CompileError> {
    let unit = Unit::new(program, heap, options)?;
    let mut objects = compile_all(&unit)?;
    let linked = link::link(&unit, &mut objects)?;
    let resolve = move |position: Position| {
        let file = sources.file(FileId(position.file));
        let (line, column) = file.line_column(position.offset);
        (file.path.display().to_string(), line, column)
    };
    let code_bytes = objects.iter().map(|object| object.code.len()).sum();
    let code = Arc::new(linked.map.finish(Box::new(resolve)));
    let functions = objects.into_iter().zip(&linked.functions).map(|(object, address)| {
        let space = Space { address: *address, len: object.code.len() };
        (Symbol { name: object.name, space }, object.unwind)
    });
    let functions: Vec<_> = functions.collect();
    let announced = debug::announce(options, &*unit.isa, &functions, &linked.trampolines, &code)
        .map_err(CompileError::PerfMap)?;
    let main_args = program.main_args.map(|ty| unit.layouts.shape_id(ty));
    Ok(Compiled {
        announced,
        main_args,
        shapes: Arc::new(unit.layouts.shapes),
        code,
        literals: program.strings.clone(),
        entry: linked.functions[program.main.index()],
        functions: linked.functions,
        code_bytes,
        memory: linked.memory,
    })
}

/// Compiles every function, on several threads where there are enough of them. In the program's order.
fn compile_all(unit: &Unit<'_>) -> Result<Vec<Object>, CompileError> {
    let count = unit.program.functions.len();
    let processors = thread::available_parallelism().map_or(1, NonZero::get);
    let workers = processors.min(count / FUNCTIONS_PER_THREAD).max(1);
    let next = AtomicU32::new(0);
    let work = || -> Result<Vec<(u32, Object)>, CompileError> {
        let mut worker = Worker::new(unit);
        let mut done = vec![];
        loop {
            // Relaxed: only the number matters; the results come through the join.
            let id = next.fetch_add(1, Ordering::Relaxed);
            if id as usize >= count {
                return Ok(done);
            }
            done.push((id, worker.compile(FunctionId(id))?));
        }
    };
    let mut objects = thread::scope(|scope| {
        let others: Vec<_> = (1..workers).map(|_| scope.spawn(work)).collect();
        let mut objects = work()?;
        for other in others {
            let joined = other.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
            objects.extend(joined?);
        }
        Ok::<_, CompileError>(objects)
    })?;
    objects.sort_by_key(|(id, _)| *id);
    Ok(objects.into_iter().map(|(_, object)| object).collect())
}

/// Compiles functions one after the other, reusing its buffers.
struct Worker<'a> {
    unit: &'a Unit<'a>,
    context: Context,
    builder: FunctionBuilderContext,
}

impl<'a> Worker<'a> {
    fn new(unit: &'a Unit<'a>) -> Worker<'a> {
        Worker { unit, context: Context::new(), builder: FunctionBuilderContext::new() }
    }

    fn compile(&mut self, id: FunctionId) -> Result<Object, CompileError> {
        let unit = self.unit;
        let name = &unit.program.functions[id.index()].name;
        self.context.clear();
        let source = translate::translate(unit, id, &mut self.context.func, &mut self.builder);
        let refused = |error: cranelift_codegen::CompileError<'_>| {
            let reason = cranelift_codegen::print_errors::pretty_error(error.func, error.inner);
            CompileError::Function(name.clone(), reason)
        };
        let show = unit.options.show_code.as_ref();
        let show = show.is_some_and(|names| names.is_empty() || names.contains(name));
        self.context.set_disasm(show);
        self.context.compile(&*unit.isa, &mut Default::default()).map_err(refused)?;
        let compiled = self.context.take_compiled_code().expect("a function just compiled");
        if let Some(text) = &compiled.vcode {
            eprintln!("{name}:\n{text}");
        }
        let unwind = compiled
            .create_unwind_info(&*unit.isa)
            .map_err(|error| CompileError::Function(name.clone(), error.to_string()))?;
        let buffer = &compiled.buffer;
        let names = self.context.func.params.user_named_funcs();
        let relocations = buffer.relocs().iter().map(|relocation| Relocation {
            offset: relocation.offset,
            kind: relocation.kind,
            target: target(&relocation.target, |name| {
                let name = &names[name];
                (name.namespace, name.index)
            }),
            addend: relocation.addend,
        });
        let lines = buffer.get_srclocs_sorted().iter();
        let lines = lines.filter(|line| !line.loc.is_default());
        let slots = source.slots.iter().filter_map(|(slot, named)| {
            let layout = buffer.frame_layout()?;
            let offset = layout.stackslots[*slot].offset as i32 - layout.frame_to_fp_offset as i32;
            Some(NamedSlot { offset, ..named.clone() })
        });
        let slots = slots.collect();
        Ok(Object {
            name: name.clone(),
            slots,
            relocations: relocations.collect(),
            calls: calls(buffer),
            traps: buffer
                .traps()
                .iter()
                .map(|trap| (trap.offset, convention::meaning(trap.code)))
                .collect(),
            lines: lines.map(|line| (line.start, line.loc.bits())).collect(),
            code: buffer.data().to_vec(),
            source,
            unwind,
        })
    }
}

fn target(
    target: &FinalizedRelocTarget,
    name: impl Fn(cranelift_codegen::ir::UserExternalNameRef) -> (u32, u32),
) -> Target {
    match target {
        FinalizedRelocTarget::ExternalName(ExternalName::User(user)) => {
            let (namespace, index) = name(*user);
            Target::Named(namespace, index)
        }
        FinalizedRelocTarget::ExternalName(ExternalName::LibCall(call)) => Target::Library(*call),
        other => {
            debug_assert!(false, "no such relocation is emitted: {other:?}");
            Target::Library(LibCall::Probestack)
        }
    }
}

/// Every call with its roots: Cranelift lists a stack map only where there are any.
fn calls(
    buffer: &cranelift_codegen::MachBufferFinalized<cranelift_codegen::Final>,
) -> Vec<CallSite> {
    let mut maps = buffer.user_stack_maps().iter().peekable();
    let mut calls = vec![];
    for call in buffer.call_sites() {
        let mut roots = vec![];
        while let Some((_, span, map)) = maps.next_if(|(offset, ..)| *offset <= call.ret_addr) {
            roots = map.entries().map(|(_, offset)| offset as i32 - *span as i32).collect();
        }
        calls.push(CallSite { return_offset: call.ret_addr, roots });
    }
    calls
}
