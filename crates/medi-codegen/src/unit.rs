//! A program being compiled: everything that translating one function needs of the others.
//!
//! A unit does not change while functions are translated, so that several threads may share it.

use cranelift_codegen::ir::Signature;
use cranelift_codegen::isa::OwnedTargetIsa;
use cranelift_codegen::settings::{self, Configurable};
use medi_check::mir::{self, FunctionId, NativeParam};
use medi_heap::Heap;
use medi_runtime::natives;
use medi_runtime::shape::Scalar;

use crate::error::CompileError;
use crate::layout::Layouts;
use crate::{Optimise, Options, convention};

/// A native function that compiled code may call.
#[derive(Clone, Debug)]
pub struct NativeEntry {
    pub symbol: String,
    pub address: usize,
    /// Neither allocates nor raises: called without an exit trampoline.
    pub leaf: bool,
}

/// Native functions of scopes, which statements call without the program declaring them.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ScopeNative {
    Enter,
    Exit,
    Allocate,
    Free,
    View,
    Raise,
    OwnedAllocate,
    OwnedFree,
    PinRaise,
    TaskNumber,
    RegionAllocate,
    RegionRaise,
    RegionShade,
}

const SCOPE_NATIVES: [&str; 13] = [
    "scope_enter",
    "scope_exit",
    "scope_allocate",
    "scope_free",
    "scope_view",
    "scope_raise",
    "owned_allocate",
    "owned_free",
    "pin_raise",
    "task_number",
    "region_allocate",
    "region_raise",
    "region_shade",
];

pub struct Unit<'a> {
    pub program: &'a mir::Program,
    pub layouts: Layouts,
    /// Those of the program in its order, then those of scopes.
    pub natives: Vec<NativeEntry>,
    pub isa: OwnedTargetIsa,
    pub options: &'a Options,
}

impl<'a> Unit<'a> {
    /// Lays out the program's types and looks up its native functions.
    pub fn new(
        program: &'a mir::Program,
        heap: &Heap,
        options: &'a Options,
    ) -> Result<Unit<'a>, CompileError> {
        let layouts = Layouts::new(program, heap);
        let mut entries = vec![];
        for native in &program.natives {
            check_arguments(native, &layouts)?;
            entries.push(entry(&native.symbol, options)?);
        }
        let uses_scopes = program.functions.iter().any(|function| !function.scopes.is_empty())
            || program.functions.iter().any(mentions_scope_memory(&layouts));
        if uses_scopes {
            for symbol in SCOPE_NATIVES {
                entries.push(entry(symbol, options)?);
            }
        }
        Ok(Unit { program, layouts, natives: entries, isa: isa(options)?, options })
    }

    /// Index of a native function of scopes in [`Unit::natives`].
    pub fn scope_native(&self, native: ScopeNative) -> usize {
        self.program.natives.len() + native as usize
    }

    pub fn signature(&self, id: FunctionId) -> Signature {
        let function = &self.program.functions[id.index()];
        let params: Vec<_> =
            function.locals[..function.params].iter().map(|local| local.ty).collect();
        let closure = function.captures.is_some();
        convention::signature(&self.layouts, closure, &params, function.result)
    }
}

fn mentions_scope_memory(layouts: &Layouts) -> impl Fn(&mir::Function) -> bool + '_ {
    use medi_runtime::shape::Kind;
    |function| {
        let mut kinds = function.locals.iter().map(|local| &layouts.shape(local.ty).kind);
        kinds.any(|kind| {
            matches!(kind, Kind::Own { .. } | Kind::Buffer | Kind::View { .. } | Kind::Pin { .. })
        })
    }
}

fn entry(symbol: &str, options: &Options) -> Result<NativeEntry, CompileError> {
    let own = options.natives.iter().find(|(name, ..)| *name == symbol);
    let (address, leaf) = match own {
        Some((_, address, leaf)) => (*address, *leaf),
        None => {
            let address = natives::lookup(symbol)
                .ok_or_else(|| CompileError::UnknownNative(symbol.to_string()))?;
            (address as usize, natives::is_leaf(symbol))
        }
    };
    Ok(NativeEntry { symbol: symbol.to_string(), address, leaf })
}

/// Natives take their arguments in registers only.
fn check_arguments(native: &mir::Native, layouts: &Layouts) -> Result<(), CompileError> {
    let (mut ints, mut floats) = (1, 0);
    for param in &native.params {
        match *param {
            NativeParam::Shaped(_) => ints += 2,
            NativeParam::Plain(ty) => {
                for (_, scalar) in layouts.scalars(ty) {
                    let counter = if *scalar == Scalar::F64 { &mut floats } else { &mut ints };
                    *counter += 1;
                }
            }
        }
    }
    let results = layouts.scalars(native.result).len();
    if ints > convention::NATIVE_INTS
        || floats > convention::NATIVE_FLOATS
        || results > medi_runtime::context::MAX_RESULTS
    {
        return Err(CompileError::NativeSignature(native.symbol.clone()));
    }
    Ok(())
}

fn isa(options: &Options) -> Result<OwnedTargetIsa, CompileError> {
    let mut flags = settings::builder();
    let (level, allocator) = match options.optimise {
        Optimise::Speed => ("speed", "backtracking"),
        Optimise::Nothing => ("none", "single_pass"),
    };
    let verifier = if cfg!(debug_assertions) { "true" } else { "false" };
    for (name, value) in [
        ("opt_level", level),
        ("regalloc_algorithm", allocator),
        ("enable_verifier", verifier),
        ("preserve_frame_pointers", "true"),
        ("enable_pinned_reg", "true"),
        ("enable_probestack", "false"),
        ("is_pic", "false"),
        ("unwind_info", "true"),
        ("log2_min_function_alignment", "4"),
    ] {
        flags.set(name, value).map_err(|error| CompileError::Target(error.to_string()))?;
    }
    cranelift_native::builder()
        .map_err(|reason| CompileError::Target(reason.to_string()))?
        .finish(settings::Flags::new(flags))
        .map_err(|error| CompileError::Target(error.to_string()))
}
