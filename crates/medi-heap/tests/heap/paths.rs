//! What is reached from where.

use std::sync::{Arc, Mutex, OnceLock};

use crate::common::{NEXT, Setup, list, quick};
use medi_heap::layout::ARRAY_DATA;
use medi_heap::{Heap, OnCycle, Options, Paths};

/// Makes a heap that looks after each full cycle; the looks.
fn looking(options: Options) -> (Setup, Arc<Mutex<Vec<Option<Paths>>>>) {
    let looks = Arc::new(Mutex::new(vec![]));
    let heap: Arc<OnceLock<Heap>> = Arc::default();
    let (seen, of) = (Arc::clone(&looks), Arc::clone(&heap));
    let on_cycle = OnCycle(Arc::new(move |report| {
        if let Some(heap) = of.get().filter(|_| report.full) {
            seen.lock().unwrap().push(heap.paths());
        }
    }));
    let setup = Setup::new(Options { on_cycle: Some(on_cycle), ..options });
    assert!(heap.set(setup.heap.clone()).is_ok());
    (setup, looks)
}

/// Names from the root, objects and bytes, of each node that holds any.
fn chains(paths: &Paths) -> Vec<(String, u64, u64)> {
    let nodes = &paths.nodes;
    let name = |mut index: usize| {
        let mut names = vec![nodes[index].name.clone()];
        while let Some(parent) = nodes[index].parent {
            index = parent;
            names.push(nodes[index].name.clone());
        }
        names.reverse();
        names.join(" > ")
    };
    let holding = (0..nodes.len()).filter(|index| nodes[*index].objects > 0);
    holding.map(|index| (name(index), nodes[index].objects, nodes[index].bytes)).collect()
}

#[test]
fn a_chain_of_one_type_is_one_node_and_what_hangs_on_it_another() {
    let (mut t, looks) = looking(quick());
    let (node, bytes) = (t.node, t.bytes);
    t.mutator.scope(|scope| {
        let head = list(scope, node, 1000);
        let hung = scope.alloc_array(bytes, 100).unwrap();
        // SAFETY: the end of the list is a live node.
        unsafe {
            let mut last = head.get();
            while let Some(next) = last.load(NEXT) {
                last = next;
            }
            scope.store(last, NEXT, Some(hung));
        }
        list(scope, node, 50);
        scope.collect();
    });
    let looks = looks.lock().unwrap();
    let found = chains(looks[0].as_ref().unwrap());
    assert_eq!(found.len(), 2, "{found:?}");
    assert!(found[0].0.starts_with("the runtime > ") && (found[0].1, found[0].2) == (1050, 33_600));
    assert!(found[1].0.starts_with(&found[0].0) && found[1].1 == 1 && found[1].2 >= 112);
}

#[test]
fn each_object_is_counted_once_however_many_ways_lead_to_it() {
    let (mut t, looks) = looking(quick());
    let (node, refs) = (t.node, t.refs);
    t.mutator.scope(|scope| {
        let hub = scope.alloc_array(refs, 100).map(|hub| scope.handle(hub)).unwrap();
        let shared = scope.alloc_fixed(node).map(|shared| scope.handle(shared)).unwrap();
        for i in 0..100 {
            // SAFETY: the array has room for it; what refers to itself refers to a live object.
            unsafe {
                scope.store(hub.get(), ARRAY_DATA + 8 * i, Some(shared.get()));
                scope.store(shared.get(), NEXT, Some(shared.get()));
            }
        }
        scope.collect();
    });
    let looks = looks.lock().unwrap();
    let found = chains(looks[0].as_ref().unwrap());
    assert_eq!(found.iter().map(|(_, objects, _)| objects).sum::<u64>(), 2, "{found:?}");
}

#[test]
fn a_heap_that_moves_objects_is_not_looked_at() {
    let (mut t, looks) = looking(Options { moving: true, ..quick() });
    t.mutator.collect();
    assert_eq!(*looks.lock().unwrap(), [None]);
}
