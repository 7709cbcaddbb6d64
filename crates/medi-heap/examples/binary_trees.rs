//! The binary-trees benchmark on the heap itself: what allocation, marking and sweeping cost per node.
//!
//! `cargo run --release -p medi-heap --example binary_trees -- [DEPTH] [GROWTH] [huge] [young | MIB]`
//!
//! `young` turns young collections on, a number also says how many MiB are allocated before each.

use std::cell::Cell;
use std::sync::Arc;
use std::time::Instant;

use medi_heap::layout::{self, MutatorWords};
use medi_heap::{
    Bytes, Embedder, Heap, Mutator, ObjectRef, Options, OutOfMemory, PauseCause, TypeId, TypeLayout,
};

const LEFT: usize = 8;
const RIGHT: usize = 16;
const SIZE: usize = 32;

/// Roots in a plain array, as compiled frames would have them: a tree under construction keeps one
/// finished left half for each level.
struct Frames(*const Stack);

struct Stack {
    slots: [Cell<usize>; 64],
    len: Cell<usize>,
}

// SAFETY: the stack is the main thread's, and the heap reads it only while that thread is stopped.
unsafe impl Send for Frames {}
// SAFETY: as above.
unsafe impl Sync for Frames {}

// SAFETY: the program keeps its references in the stack across every allocation.
unsafe impl Embedder for Frames {
    unsafe fn visit_stack(&self, _: *mut MutatorWords, visit: &mut dyn FnMut(*mut usize)) {
        // SAFETY: the stack outlives the heap.
        let stack = unsafe { &*self.0 };
        for slot in &stack.slots[..stack.len.get()] {
            visit(slot.as_ptr());
        }
    }

    fn allocation_site(&self, _: *mut MutatorWords) -> u32 {
        1
    }
}

impl Stack {
    fn push(&self, object: ObjectRef) {
        self.slots[self.len.get()].set(object.address());
        self.len.set(self.len.get() + 1);
    }

    fn pop(&self) -> Option<ObjectRef> {
        self.len.set(self.len.get() - 1);
        ObjectRef::from_address(self.slots[self.len.get()].get())
    }
}

/// What compiled code does inline; the slow path is a call.
#[inline(always)]
fn allocate(m: &mut Mutator, words: *mut u8, ty: TypeId) -> Result<ObjectRef, OutOfMemory> {
    // SAFETY: these are the words of the calling thread, and memory up to the limit is its own.
    unsafe {
        let cursor = words.add(layout::CURSOR).cast::<usize>();
        let new = *cursor + SIZE;
        if new > *words.add(layout::LIMIT).cast::<usize>() {
            return m.alloc_slow(ty, SIZE);
        }
        let object = *cursor;
        let header = *words.add(layout::ALLOC_HEADER).cast::<u64>() | ty.0 as u64;
        *(object as *mut u64) = header;
        *cursor = new;
        Ok(ObjectRef::from_address(object).unwrap_unchecked())
    }
}

struct Maker<'a> {
    mutator: &'a mut Mutator,
    words: *mut u8,
    stack: &'a Stack,
    ty: TypeId,
}

impl Maker<'_> {
    fn make(&mut self, depth: u32) -> Result<ObjectRef, OutOfMemory> {
        if depth == 0 {
            return allocate(self.mutator, self.words, self.ty);
        }
        let left = self.make(depth - 1)?;
        self.stack.push(left);
        let right = self.make(depth - 1)?;
        self.stack.push(right);
        let node = allocate(self.mutator, self.words, self.ty)?;
        // SAFETY: the node is new, and has references at both offsets.
        unsafe {
            node.initialise(RIGHT, self.stack.pop());
            node.initialise(LEFT, self.stack.pop());
        }
        Ok(node)
    }
}

fn check(node: ObjectRef) -> u64 {
    // SAFETY: the tree is live, and nothing here is a safepoint.
    unsafe {
        match (node.load(LEFT), node.load(RIGHT)) {
            (Some(left), Some(right)) => 1 + check(left) + check(right),
            _ => 1,
        }
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let depth: u32 = arguments.next().map_or(Ok(18), |a| a.parse())?;
    let mut options = Options::default();
    if let Some(growth) = arguments.next() {
        options.growth = growth.parse()?;
    }
    for flag in arguments {
        match flag.as_str() {
            "huge" => options.huge_pages = true,
            "young" => options.young_cycles = true,
            young => {
                options.young_cycles = true;
                options.young_trigger = young.parse::<u64>()? << 20;
            }
        }
    }
    let stack = Stack { slots: [const { Cell::new(0) }; 64], len: Cell::new(0) };
    let heap = Heap::new(options, Arc::new(Frames(&stack)))?;
    let ty = heap.register(TypeLayout::fixed("Tree", SIZE as u32, &[LEFT as u32, RIGHT as u32]));
    let mut words = MutatorWords::new();
    // SAFETY: the words outlive the mutator and belong to it alone.
    let mut mutator = unsafe { heap.attach(&raw mut words) };

    let words = mutator.words().cast();
    let mut maker = Maker { mutator: &mut mutator, words, stack: &stack, ty };
    let start = Instant::now();
    let mut nodes = 0;
    let stretch = maker.make(depth + 1)?;
    nodes += check(stretch);
    let long_lived = maker.make(depth)?;
    stack.push(long_lived);
    for d in (4..=depth).step_by(2) {
        let trees = 1u64 << (depth - d + 4);
        let mut sum = 0;
        for _ in 0..trees {
            sum += check(maker.make(d)?);
        }
        println!("{trees:>9} trees of depth {d:>2}, {sum} nodes");
        nodes += sum;
    }
    nodes += check(stack.pop().expect("the long-lived tree"));
    let seconds = start.elapsed().as_secs_f64();

    let stats = heap.stats();
    println!("{nodes} nodes in {seconds:.2} s, {:.2} ns a node", seconds * 1e9 / nodes as f64);
    println!(
        "{} collections, {} of them young; marking {:.2} s ({:.1} ns an object), sweeping {:.3} s of {} blocks",
        stats.cycles,
        stats.young_cycles,
        stats.mark_wall_ns as f64 / 1e9,
        stats.mark_wall_ns as f64 / stats.marked_objects.max(1) as f64,
        stats.sweep_ns as f64 / 1e9,
        stats.swept_blocks,
    );
    println!(
        "{} allocated, peak heap {}, {} returned",
        Bytes(stats.allocated_bytes),
        Bytes(stats.peak_heap_bytes),
        Bytes(stats.returned_bytes)
    );
    for cause in PauseCause::ALL {
        let p = stats.pause(cause);
        println!(
            "{:>10}: {:>7} × p50 {:>9} ns, p99 {:>9} ns, max {:>9} ns",
            cause.name(),
            p.count,
            p.p50,
            p.p99,
            p.max
        );
    }
    Ok(())
}
