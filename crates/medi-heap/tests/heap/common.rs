//! A heap with a few types, for the claims.

use std::sync::Arc;

use medi_heap::layout::{ARRAY_DATA, MutatorWords};
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

/// Runs on an attached thread.
pub fn on_thread<R>(heap: &Heap, run: impl FnOnce(&mut Mutator) -> R) -> R {
    let mut words = MutatorWords::new();
    // SAFETY: the words outlive the mutator and belong to it alone.
    let mut mutator = unsafe { heap.attach(&raw mut words) };
    run(&mut mutator)
}

/// A generator of numbers below a bound.
pub fn random(seed: u64) -> impl FnMut(u64) -> u64 {
    let mut random = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    move |below| {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        random % below
    }
}

/// A table of references that a thread changes all the time, and what should be in it.
pub struct Table<'s> {
    pub arrays: Vec<Handle<'s>>,
    pub model: Vec<u64>,
}

pub const IDENTITY: usize = 16;
pub const NEXT_IDENTITY: usize = 24;

impl<'s> Table<'s> {
    /// Small arrays, and one long enough to be logged by segments.
    const LENGTHS: [usize; 5] = [10_000, 50, 50, 50, 50];

    pub fn new(scope: &mut HandleScope<'s>, refs: TypeId) -> Table<'s> {
        let array = |len: &usize| {
            let array = scope.alloc_array(refs, *len).unwrap();
            scope.handle(array)
        };
        let arrays = Table::LENGTHS.iter().map(array).collect();
        Table { arrays, model: vec![0; Table::LENGTHS.iter().sum()] }
    }

    fn place(&self, mut index: usize) -> (ObjectRef, usize) {
        for (array, len) in self.arrays.iter().zip(Table::LENGTHS) {
            if index < len {
                return (array.get(), ARRAY_DATA + 8 * index);
            }
            index -= len;
        }
        unreachable!("the index is one of the model's")
    }

    pub fn get(&self, index: usize) -> Option<ObjectRef> {
        let (array, offset) = self.place(index);
        // SAFETY: the array is live, and a reference is there.
        unsafe { array.load(offset) }
    }

    /// Puts a new node at `index` that refers to the one at `next`.
    pub fn put(
        &mut self,
        scope: &mut HandleScope,
        node: TypeId,
        index: usize,
        next: usize,
        id: u64,
    ) {
        let new = scope.alloc_fixed(node).unwrap();
        let next = self.get(next);
        // SAFETY: the node is new and 32 bytes long; there is no safepoint up to the store.
        unsafe {
            new.initialise(NEXT, next);
            *new.at::<u64>(IDENTITY) = id;
            *new.at::<u64>(NEXT_IDENTITY) = next.map_or(0, |next| *next.at::<u64>(IDENTITY));
            let (array, offset) = self.place(index);
            scope.store(array, offset, Some(new));
        }
        self.model[index] = id;
    }

    pub fn check(&self) {
        for (index, id) in self.model.iter().enumerate() {
            let Some(node) = self.get(index) else {
                assert_eq!(*id, 0);
                continue;
            };
            // SAFETY: the node is live, and so is the one that it refers to.
            unsafe {
                assert_eq!(*node.at::<u64>(IDENTITY), *id);
                let next = node.load(NEXT).map_or(0, |next| *next.at::<u64>(IDENTITY));
                assert_eq!(*node.at::<u64>(NEXT_IDENTITY), next);
            }
        }
    }
}
