//! Random programs against a model: whatever is allocated, linked, dropped and collected, in every mode, the
//! heap holds the graph that the model says.

use std::collections::{HashMap, HashSet};
use std::num::{NonZeroU64, NonZeroUsize};
use std::sync::Arc;

use medi_heap::layout::{ARRAY_DATA, MutatorWords};
use medi_heap::{
    Cleaner, CleanerQueue, HandlesOnly, Heap, Mutator, ObjectRef, Options, Root, TypeId,
    TypeLayout, Weak,
};
use proptest::prelude::*;

const REGISTERS: usize = 6;

/// The shapes that the programs allocate; each exercises another way of tracing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Kind {
    /// Two references, traced by a bit for each word.
    Pair,
    /// References past the 512th byte, traced by offsets.
    Wide,
    /// Bytes, never traced.
    Bytes,
    /// An array of references.
    Refs,
    /// An array of a number and two references each.
    Records,
}

impl Kind {
    const ALL: [Kind; 5] = [Kind::Pair, Kind::Wide, Kind::Bytes, Kind::Refs, Kind::Records];

    fn layout(self) -> TypeLayout {
        match self {
            Kind::Pair => TypeLayout::fixed("Pair", 32, &[8, 16]),
            Kind::Wide => TypeLayout::fixed("Wide", 648, &[8, 520, 640]),
            Kind::Bytes => TypeLayout::array("Bytes", 1, &[]),
            Kind::Refs => TypeLayout::array("Refs", 8, &[0]),
            Kind::Records => TypeLayout::array("Records", 24, &[8, 16]),
        }
    }

    /// Byte offsets of the references of an object of `len` elements.
    fn slots(self, len: usize) -> Vec<usize> {
        match self {
            Kind::Pair => vec![8, 16],
            Kind::Wide => vec![8, 520, 640],
            Kind::Bytes => vec![],
            Kind::Refs => (0..len).map(|i| ARRAY_DATA + 8 * i).collect(),
            Kind::Records => {
                (0..len).flat_map(|i| [8, 16].map(|r| ARRAY_DATA + 24 * i + r)).collect()
            }
        }
    }

    fn is_array(self) -> bool {
        !matches!(self, Kind::Pair | Kind::Wide)
    }
}

#[derive(Clone, Debug)]
enum Step {
    Allocate { to: usize, kind: Kind, len: usize },
    Extend { object: usize, by: usize },
    Store { object: usize, slot: usize, value: usize },
    Load { to: usize, object: usize, slot: usize },
    Clear { register: usize },
    Keep { register: usize },
    Unkeep { which: usize },
    Watch { register: usize },
    Guard { register: usize },
    Cancel { which: usize },
    Poll,
    Collect,
    CollectYoung,
    Native,
    Check,
}

fn step() -> impl Strategy<Value = Step> {
    let register = 0..REGISTERS;
    let len = prop_oneof![4 => 0usize..20, 2 => 20usize..600, 1 => 600usize..6000];
    prop_oneof![
        8 => (register.clone(), prop::sample::select(&Kind::ALL[..]), len)
            .prop_map(|(to, kind, len)| Step::Allocate { to, kind, len }),
        3 => (register.clone(), 1usize..400).prop_map(|(object, by)| Step::Extend { object, by }),
        8 => (register.clone(), any::<prop::sample::Index>(), register.clone())
            .prop_map(|(object, slot, value)| Step::Store { object, slot: slot.index(1 << 20), value }),
        4 => (register.clone(), register.clone(), any::<prop::sample::Index>())
            .prop_map(|(to, object, slot)| Step::Load { to, object, slot: slot.index(1 << 20) }),
        2 => register.clone().prop_map(|register| Step::Clear { register }),
        1 => register.clone().prop_map(|register| Step::Keep { register }),
        1 => (0..8usize).prop_map(|which| Step::Unkeep { which }),
        1 => register.clone().prop_map(|register| Step::Watch { register }),
        3 => register.prop_map(|register| Step::Guard { register }),
        1 => (0..8usize).prop_map(|which| Step::Cancel { which }),
        1 => Just(Step::Poll),
        1 => Just(Step::Collect),
        2 => Just(Step::CollectYoung),
        1 => Just(Step::Native),
        1 => Just(Step::Check),
    ]
}

type Id = usize;

/// An object as the model sees it.
struct Model {
    kind: Kind,
    len: usize,
    /// As the heap says; at least the length.
    room: usize,
    slots: Vec<Option<Id>>,
}

struct World {
    mutator: Mutator,
    types: HashMap<Kind, TypeId>,
    /// Root slots in a registered range, as globals would have them.
    registers: Box<[usize; REGISTERS]>,
    register_ids: [Option<Id>; REGISTERS],
    kept: Vec<(Root, Id)>,
    watched: Vec<(Weak, Id)>,
    /// Its payloads count up.
    queue: CleanerQueue<u64>,
    guards: u64,
    guarded: Vec<(u64, Cleaner<u64>, Id)>,
    objects: Vec<Model>,
}

impl World {
    fn object(&self, register: usize) -> Option<(ObjectRef, Id)> {
        let id = self.register_ids[register]?;
        Some((ObjectRef::from_address(self.registers[register]).unwrap(), id))
    }

    fn step(&mut self, step: &Step) {
        match *step {
            Step::Allocate { to, kind, len } => {
                let ty = self.types[&kind];
                let object = if kind.is_array() {
                    self.mutator.alloc_array(ty, len).unwrap()
                } else {
                    self.mutator.alloc_fixed(ty).unwrap()
                };
                let id = self.objects.len();
                self.objects.push(Model { kind, len, room: 0, slots: vec![] });
                self.registers[to] = object.address();
                self.register_ids[to] = Some(id);
                self.fill(object, id);
            }
            Step::Extend { object, by } => {
                let Some((object, id)) = self.object(object) else { return };
                let model = &self.objects[id];
                let wanted = model.room + by;
                // SAFETY: the array is a root.
                if model.kind.is_array() && unsafe { self.mutator.extend_array(object, wanted) } {
                    self.fill(object, id);
                    assert!(self.objects[id].room >= wanted);
                }
            }
            Step::Store { object, slot, value } => {
                let Some((object, id)) = self.object(object) else { return };
                let model = &mut self.objects[id];
                if model.slots.is_empty() {
                    return;
                }
                let slot = slot % model.slots.len();
                model.slots[slot] = self.register_ids[value];
                let offset = model.kind.slots(model.room)[slot];
                let value = ObjectRef::from_address(self.registers[value]);
                // SAFETY: both are roots, and the slot is one of the object's.
                unsafe { self.mutator.store(object, offset, value) };
            }
            Step::Load { to, object, slot } => {
                let Some((object, id)) = self.object(object) else { return };
                let model = &self.objects[id];
                if model.slots.is_empty() {
                    return;
                }
                let slot = slot % model.slots.len();
                // SAFETY: the object is a root, and the slot is one of its own.
                let value = unsafe { object.load(model.kind.slots(model.room)[slot]) };
                assert_eq!(value.is_some(), model.slots[slot].is_some());
                self.registers[to] = value.map_or(0, ObjectRef::address);
                self.register_ids[to] = model.slots[slot];
            }
            Step::Clear { register } => {
                self.registers[register] = 0;
                self.register_ids[register] = None;
            }
            Step::Keep { register } => {
                if let Some((object, id)) = self.object(register) {
                    self.kept.push((self.mutator.root(object), id));
                }
            }
            Step::Unkeep { which } => {
                if which < self.kept.len() {
                    self.kept.swap_remove(which);
                }
            }
            Step::Watch { register } => {
                if let Some((object, id)) = self.object(register) {
                    self.watched.push((self.mutator.weak(object), id));
                }
            }
            Step::Guard { register } => {
                if let Some((object, id)) = self.object(register) {
                    let cleaner = self.queue.register(&self.mutator, object, self.guards);
                    self.guarded.push((self.guards, cleaner, id));
                    self.guards += 1;
                }
            }
            Step::Cancel { which } => {
                let Some((payload, cleaner, id)) = self.guarded.get(which) else { return };
                match cleaner.cancel() {
                    Some(cancelled) => {
                        assert_eq!(cancelled, *payload);
                        assert_eq!(cleaner.cancel(), None, "a payload is given out once");
                        self.guarded.swap_remove(which);
                    }
                    None => assert!(!self.reachable().contains(id), "a live object was cleaned"),
                }
            }
            Step::Poll => self.clean(),
            Step::Collect => {
                self.mutator.collect();
                let live = self.reachable();
                self.clean();
                for (_, _, id) in &self.guarded {
                    assert!(live.contains(id), "a dead object was not cleaned");
                }
                let stats = self.mutator.heap().stats();
                assert_eq!(stats.cleaners_registered, self.guarded.len() as u64);
                assert_eq!(stats.cleaners_ready, 0);
                for (weak, id) in &self.watched {
                    assert_eq!(weak.get().is_some(), live.contains(id), "a weak handle is wrong");
                }
            }
            Step::CollectYoung => self.mutator.collect_young(),
            Step::Native => {
                self.mutator.enter_native();
                self.mutator.leave_native();
            }
            Step::Check => self.check(),
        }
    }

    /// Takes over the room that an object has got: it is zero.
    fn fill(&mut self, object: ObjectRef, id: Id) {
        let model = &mut self.objects[id];
        // SAFETY: the object is a root and has this layout.
        unsafe {
            let room = if model.kind.is_array() { object.array_room() } else { 0 };
            assert!(room >= model.len || !model.kind.is_array());
            let slots = model.kind.slots(room);
            for slot in &slots[model.slots.len()..] {
                assert_eq!(object.load(*slot), None, "new memory is not zero");
            }
            if model.kind == Kind::Bytes {
                for i in model.room..room {
                    let byte = object.at::<u8>(ARRAY_DATA + i);
                    assert_eq!(*byte, 0, "new memory is not zero");
                    *byte = (id + i) as u8;
                }
            }
            model.slots.resize(slots.len(), None);
            model.room = room;
        }
    }

    /// Takes what the queue has: each payload was registered for an object that is dead, and comes once.
    fn clean(&mut self) {
        let live = self.reachable();
        while let Some(payload) = self.queue.poll() {
            let at = self.guarded.iter().position(|(guard, _, _)| *guard == payload);
            let (_, cleaner, id) = self.guarded.swap_remove(at.expect("a payload comes once"));
            assert!(!live.contains(&id), "a live object was cleaned");
            assert_eq!(cleaner.cancel(), None, "a payload is given out once");
        }
    }

    fn root_ids(&self) -> impl Iterator<Item = Id> + '_ {
        self.register_ids.iter().flatten().copied().chain(self.kept.iter().map(|(_, id)| *id))
    }

    fn reachable(&self) -> HashSet<Id> {
        let mut reached = HashSet::new();
        let mut work: Vec<Id> = self.root_ids().collect();
        while let Some(id) = work.pop() {
            if reached.insert(id) {
                work.extend(self.objects[id].slots.iter().flatten());
            }
        }
        reached
    }

    /// The heap's graph and the model's are the same, object by object.
    fn check(&self) {
        let mut address_of: HashMap<Id, ObjectRef> = HashMap::new();
        let mut work: Vec<(Id, ObjectRef)> = Vec::new();
        for register in 0..REGISTERS {
            work.extend(self.object(register).map(|(object, id)| (id, object)));
        }
        work.extend(self.kept.iter().map(|(root, id)| (*id, root.get())));
        let live = self.reachable();
        for (weak, id) in &self.watched {
            match weak.get() {
                Some(object) if live.contains(id) => work.push((*id, object)),
                Some(_) => {}
                None => assert!(!live.contains(id), "a weak handle lost a live object"),
            }
        }
        let mut ids: HashMap<ObjectRef, Id> = HashMap::new();
        while let Some((id, object)) = work.pop() {
            if let Some(known) = address_of.insert(id, object) {
                assert_eq!(known, object, "one object, two addresses");
                continue;
            }
            assert_eq!(ids.insert(object, id), None, "two objects, one address");
            let model = &self.objects[id];
            // SAFETY: the object is reachable, so it is live; nothing here is a safepoint.
            unsafe {
                assert_eq!(object.type_id(), self.types[&model.kind]);
                if model.kind.is_array() {
                    assert_eq!(object.array_len(), model.len);
                    assert_eq!(object.array_room(), model.room);
                }
                if model.kind == Kind::Bytes {
                    for i in 0..model.room {
                        assert_eq!(*object.at::<u8>(ARRAY_DATA + i), (id + i) as u8);
                    }
                }
                for (offset, slot) in model.kind.slots(model.room).iter().zip(&model.slots) {
                    let value = object.load(*offset);
                    assert_eq!(value.is_some(), slot.is_some());
                    work.extend(slot.zip(value));
                }
            }
        }
    }
}

/// Every combination that is worth a run. Small triggers, so that short programs collect by themselves.
fn modes() -> Vec<Options> {
    let base = Options {
        reserve: Some(1 << 30),
        initial_trigger: 128 << 10,
        min_trigger: 128 << 10,
        young_trigger: 64 << 10,
        sample_interval: 4 << 10,
        ..Options::default()
    };
    let every = |n| NonZeroU64::new(n);
    let three = NonZeroUsize::new(3).expect("not zero");
    vec![
        base.clone(),
        Options { verify: true, ..base.clone() },
        Options { poison: true, ..base.clone() },
        Options { poison: true, verify: true, collect_every: every(3), ..base.clone() },
        Options { verify: true, collect_every: every(1), ..base.clone() },
        Options { moving: true, verify: true, collect_every: every(1), ..base.clone() },
        Options { moving: true, poison: true, collect_every: every(2), ..base.clone() },
        Options { young_cycles: true, verify: true, markers: three, ..base.clone() },
        Options { moving: true, verify: true, markers: three, ..base.clone() },
        Options { young_cycles: true, poison: true, collect_every: every(2), ..base.clone() },
        Options { young_cycles: true, moving: true, collect_every: every(1), ..base.clone() },
        Options {
            young_cycles: true,
            log_writes: true,
            verify: true,
            moving: true,
            collect_every: every(5),
            ..base.clone()
        },
        Options { log_writes: true, verify: true, ..base.clone() },
        Options { limit: Some(64 << 20), huge_pages: true, sample_interval: 0, ..base },
    ]
}

fn run(options: Options, steps: &[Step]) {
    let heap = Heap::new(options, Arc::new(HandlesOnly)).unwrap();
    let types = Kind::ALL.map(|kind| (kind, heap.register(kind.layout()))).into();
    let mut words = MutatorWords::new();
    let mut registers = Box::new([0; REGISTERS]);
    // SAFETY: the words outlive the mutator and belong to it alone.
    let mutator = unsafe { heap.attach(&raw mut words) };
    // SAFETY: the registers stay in their box until the range is dropped, and hold roots of this heap.
    let range = unsafe { mutator.register_roots(registers.as_mut_ptr(), REGISTERS) };
    let mut world = World {
        mutator,
        types,
        registers,
        register_ids: [None; REGISTERS],
        kept: Vec::new(),
        watched: Vec::new(),
        queue: CleanerQueue::new(&heap),
        guards: 0,
        guarded: Vec::new(),
        objects: Vec::new(),
    };
    for step in steps {
        world.step(step);
    }
    world.check();
    world.mutator.collect();
    world.check();
    let live = world.reachable();
    let census: u64 = heap.census().iter().map(|use_| use_.objects).sum();
    assert_eq!(census, live.len() as u64, "a full collection leaves exactly what can be reached");
    drop(range);
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 40,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn the_heap_holds_the_graph_that_the_model_says(
        steps in prop::collection::vec(step(), 1..250),
    ) {
        for options in modes() {
            run(options, &steps);
        }
    }
}
