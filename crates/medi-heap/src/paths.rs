//! What keeps objects alive, as chains of types from a root: for reports of leaks.
//!
//! [`Heap::paths`] follows all references while the threads are held, breadth first from each frame of a stack, so that each
//! object is found on a shortest way from the outermost frame that holds it. Objects that are reached from the same root through the same types are one node of the result; a chain
//! of one type, such as a linked list, is one node, too. So what the tree of nodes holds is as small as the program's
//! types are few, however many objects there are.

use std::collections::{HashMap, HashSet, VecDeque};

use crate::heap::{Heap, HeapInner};
use crate::types::{TypeId, TypeInfo};

/// Chains longer than this end in their last node.
const DEEPEST: u32 = 48;

/// What roots are called that [`Heap::register_roots`] was given.
pub const REGISTERED: &str = "registered roots";

/// Objects that are reached in the same way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PathNode {
    /// The node that these are reached from; a root where there is none.
    pub parent: Option<usize>,
    /// Of a root, what it is called, by the embedder if it is on a stack; else the type of the objects.
    pub name: String,
    /// `None` for a root.
    pub type_id: Option<TypeId>,
    /// How many there are.
    pub objects: u64,
    /// In whole granules, of these objects alone.
    pub bytes: u64,
}

/// Nodes, parents before children.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Paths {
    /// Each is referred to by its place.
    pub nodes: Vec<PathNode>,
}

/// All threads, held until this is dropped.
struct Held<'a>(&'a HeapInner);

impl Drop for Held<'_> {
    fn drop(&mut self) {
        self.0.handshakes.release();
    }
}

#[derive(Default)]
struct Search {
    paths: Paths,
    depth: Vec<u32>,
    roots: HashMap<String, usize>,
    children: HashMap<(usize, u32), usize>,
    seen: HashSet<usize>,
    queue: VecDeque<(usize, usize)>,
}

impl Search {
    fn add(&mut self, node: PathNode, depth: u32) -> usize {
        self.paths.nodes.push(node);
        self.depth.push(depth);
        self.paths.nodes.len() - 1
    }

    fn root(&mut self, name: String) -> usize {
        if let Some(node) = self.roots.get(&name) {
            return *node;
        }
        let node =
            PathNode { parent: None, name: name.clone(), type_id: None, objects: 0, bytes: 0 };
        let node = self.add(node, 0);
        self.roots.insert(name, node);
        node
    }

    /// The node of an object of a type that is reached from a node.
    fn child(&mut self, from: usize, ty: u32, name: &str) -> usize {
        let type_id = Some(TypeId(ty));
        if self.paths.nodes[from].type_id == type_id || self.depth[from] == DEEPEST {
            return from;
        }
        if let Some(node) = self.children.get(&(from, ty)) {
            return *node;
        }
        let (parent, name) = (Some(from), name.to_string());
        let node = PathNode { parent, name, type_id, objects: 0, bytes: 0 };
        let node = self.add(node, self.depth[from] + 1);
        self.children.insert((from, ty), node);
        node
    }

    fn reach(&mut self, address: usize, from: usize) {
        if address != 0 && self.seen.insert(address) {
            self.queue.push_back((address, from));
        }
    }

    /// Finds all that is reached from what is in the queue.
    ///
    /// # Safety
    /// Live objects are in the queue, and no thread runs.
    unsafe fn follow(&mut self, types: &[TypeInfo]) {
        while let Some((address, from)) = self.queue.pop_front() {
            // SAFETY: what a live object refers to is one, whose type is known.
            unsafe {
                let ty = *(address as *const u32);
                let info = &types[ty as usize];
                let node = self.child(from, ty, &info.name);
                let found = &mut self.paths.nodes[node];
                found.objects += 1;
                found.bytes += info.size.size_of(address) as u64;
                info.for_each_slot(address, |slot| self.reach(*slot, node));
            }
        }
    }
}

impl Heap {
    /// What is reached from where, now. `None` in modes that hold the threads during cycles.
    ///
    /// For [`crate::OnCycle`] only, after a full cycle that is not nested: it has to be called on the collector's thread.
    /// Threads wait meanwhile, some tenths of a microsecond for each live object.
    pub fn paths(&self) -> Option<Paths> {
        let heap = &**self.inner();
        if heap.options.moving || heap.options.log_writes && heap.options.verify {
            return None;
        }
        heap.handshakes.hold();
        let _held = Held(heap);
        let types = heap.types.read();
        let mut search = Search::default();
        let mut stacks: Vec<(usize, usize, String)> = vec![];
        let mut others: Vec<(usize, &'static str)> = vec![];
        // SAFETY: all threads are held.
        unsafe {
            heap.handshakes.for_each(|seat| {
                let words = seat.words();
                heap.embedder.visit_named_stack(words, &mut |slot, frame, name| {
                    if *slot != 0 {
                        stacks.push((*slot, frame, name()));
                    }
                });
                seat.inner().for_each_handle(&mut |slot| others.push((*slot, "the runtime")));
            });
            heap.for_each_outside_slot(&types, &mut |slot| {
                others.push((*slot, "objects of a scope"));
            });
            heap.roots.visit(&mut |slot| others.push((*slot, "the runtime")));
            heap.for_each_range_slot(None, &mut |slot| others.push((*slot, REGISTERED)));
        }
        // One frame after the other, the outermost first: what a callee was given is its caller's.
        stacks.reverse();
        for frame in stacks.chunk_by(|a, b| a.1 == b.1) {
            for (address, _, name) in frame {
                let root = search.root(name.clone());
                search.reach(*address, root);
            }
            // SAFETY: all threads are held, and roots refer to live objects.
            unsafe { search.follow(&types) };
        }
        for (address, name) in others {
            let root = search.root(name.to_string());
            search.reach(address, root);
        }
        // SAFETY: as above.
        unsafe { search.follow(&types) };
        Some(search.paths)
    }
}
