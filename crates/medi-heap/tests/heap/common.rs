//! A heap with a few types, for the claims.

use std::sync::Arc;

use medi_heap::layout::MutatorWords;
use medi_heap::{
    Handle, HandleScope, HandlesOnly, Heap, Mutator, ObjectRef, Options, TypeId, TypeLayout,
};

/// Offset of a node's reference.
pub const NEXT: usize = 8;

/// Options under which small tests collect often.
pub fn quick() -> Options {
    Options {
        reserve: Some(1 << 30),
        initial_trigger: 1 << 20,
        min_trigger: 1 << 20,
        young_trigger: 1 << 20,
        ..Options::default()
    }
}

/// A heap and the calling thread's mutator.
pub struct Setup {
    pub mutator: Mutator,
    pub heap: Heap,
    /// 32 bytes, one reference at [`NEXT`].
    pub node: TypeId,
    pub bytes: TypeId,
    pub refs: TypeId,
    pub weak_cell: TypeId,
    _words: Box<MutatorWords>,
}

impl Setup {
    pub fn new(options: Options) -> Setup {
        Setup::on(Heap::new(options, Arc::new(HandlesOnly)).unwrap())
    }

    pub fn on(heap: Heap) -> Setup {
        let mut words = Box::new(MutatorWords::new());
        // SAFETY: the words stay in their box, which is dropped after the mutator.
        let mutator = unsafe { heap.attach(&raw mut *words) };
        Setup {
            mutator,
            node: heap.register(TypeLayout::fixed("Node", 32, &[NEXT as u32])),
            bytes: heap.register(TypeLayout::array("Bytes", 1, &[])),
            refs: heap.register(TypeLayout::array("Refs", 8, &[0])),
            weak_cell: heap.register(TypeLayout::weak_cell("WeakCell")),
            heap,
            _words: words,
        }
    }
}

/// A list of `len` nodes, rooted in `scope`.
pub fn list<'s>(scope: &mut HandleScope<'s>, node: TypeId, len: usize) -> Handle<'s> {
    let first = scope.alloc_fixed(node).unwrap();
    let head = scope.handle(first);
    for _ in 1..len {
        let new = scope.alloc_fixed(node).unwrap();
        // SAFETY: the node is new and has a reference at NEXT.
        unsafe { new.initialise(NEXT, Some(head.get())) };
        head.set(new);
    }
    head
}

/// How many nodes hang together from `head`.
pub fn list_len(head: ObjectRef) -> usize {
    std::iter::successors(Some(head), |node| {
        // SAFETY: the list is live, and nothing here is a safepoint.
        unsafe { node.load(NEXT) }
    })
    .count()
}
