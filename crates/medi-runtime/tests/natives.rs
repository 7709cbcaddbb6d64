//! Native functions, called as compiled code calls them: plainly, and with a moving collection at every
//! allocation, which shows a reference that a native kept too long.

use std::collections::HashMap;
use std::num::NonZeroU64;
use std::sync::{Arc, Mutex};

use medi_heap::{Heap, ObjectRef, Root, TypeLayout, layout};
use medi_runtime::code_map::CodeMap;
use medi_runtime::context::Context;
use medi_runtime::machine::Machine;
use medi_runtime::natives;
use medi_runtime::options::Options;
use medi_runtime::output::Output;
use medi_runtime::shape::{Kind, LIST_ITEMS, LIST_SIZE, Place, ShapeId, Shapes, VariantShape};
use medi_runtime::thread::{Session, Stop};

/// Shapes of a small program: `record Patient { id: string, age: int, next: Patient? }`, `enum Finding { Normal, Fever(celsius: float) }`.
#[derive(Clone, Copy)]
struct Ids {
    int: ShapeId,
    float: ShapeId,
    byte: ShapeId,
    string: ShapeId,
    strings: ShapeId,
    pairs: ShapeId,
    ints: ShapeId,
    floats: ShapeId,
    bytes: ShapeId,
    list: ShapeId,
    pair: ShapeId,
    maybe: ShapeId,
    patient: ShapeId,
    finding: ShapeId,
    result: ShapeId,
    map: ShapeId,
}

fn shapes(heap: &Heap) -> (Shapes, Ids) {
    let mut s = Shapes::default();
    let int = s.add("int", Kind::Int);
    let float = s.add("float", Kind::Float);
    let byte = s.add("byte", Kind::Byte);
    let string = s.declare_reference("string");
    s.define(string, Kind::Str, 0, Some(heap.register(TypeLayout::array("string", 1, &[]))));
    let array = |s: &mut Shapes, name: &str, element: ShapeId| {
        let refs = s.value_references(element, 0);
        let size = s.get(element).size;
        let id = s.declare_reference(name);
        let ty = heap.register(TypeLayout::array(name, size, &refs));
        s.define(id, Kind::Array { element }, 0, Some(ty));
        id
    };
    let strings = array(&mut s, "array[string]", string);
    let ints = array(&mut s, "array[int]", int);
    let floats = array(&mut s, "array[float]", float);
    let bytes = array(&mut s, "array[byte]", byte);
    let object = |s: &mut Shapes,
                  id: ShapeId,
                  fields: &[(&str, ShapeId)],
                  kind: &dyn Fn(Vec<Place>) -> Kind| {
        let fields: Vec<_> = fields.iter().map(|(n, f)| (n.to_string(), *f)).collect();
        let placed = s.place_in_object(8, &fields);
        let refs = s.reference_offsets(&placed.places);
        let name = s.get(id).name.clone();
        let ty = heap.register(TypeLayout::fixed(name, placed.size, &refs));
        s.define(id, kind(placed.places), placed.size, Some(ty));
    };
    let list = s.declare_reference("list[int]");
    let ty = heap.register(TypeLayout::fixed("list[int]", LIST_SIZE, &[LIST_ITEMS]));
    s.define(list, Kind::List { items: ints, element: int }, LIST_SIZE, Some(ty));
    let pair = s.add_tuple("(int, string)", &[int, string]);
    let pairs = array(&mut s, "array[(int, string)]", pair);
    let maybe = s.add_optional("int?", int);
    let patient = s.declare_reference("Patient");
    let next = s.add_optional("Patient?", patient);
    object(&mut s, patient, &[("id", string), ("age", int), ("next", next)], &|fields| {
        Kind::Record { fields }
    });
    let finding = s.declare_reference("Finding");
    let celsius = s.place_in_object(8, &[("celsius".to_string(), float)]).places;
    let normal = heap.register(TypeLayout::fixed("Finding.Normal", 16, &[]));
    let fever = heap.register(TypeLayout::fixed("Finding.Fever", 16, &[]));
    let variants = vec![
        VariantShape { name: "Normal".into(), fields: vec![], heap_type: Some(normal) },
        VariantShape { name: "Fever".into(), fields: celsius, heap_type: Some(fever) },
    ];
    s.define(finding, Kind::Enum { variants }, 16, None);
    let result = s.add_result("Result[int]", int);
    let map = s.declare_reference("map[string, int]");
    let fields = [
        ("count", int),
        ("used", int),
        ("keys", strings),
        ("values", ints),
        ("gone", bytes),
        ("index", ints),
    ];
    object(&mut s, map, &fields, &|fields| Kind::Map { fields, key: string, value: int });
    let ids = Ids {
        int,
        float,
        byte,
        string,
        strings,
        pairs,
        ints,
        floats,
        bytes,
        list,
        pair,
        maybe,
        patient,
        finding,
        result,
        map,
    };
    (s, ids)
}

struct Harness {
    session: Session,
    shapes: Arc<Shapes>,
    ids: Ids,
    printed: Arc<Mutex<Vec<u8>>>,
    machine: Machine,
}

macro_rules! native {
    ($harness:expr, $symbol:literal, $result:ty $(, $arg:expr => $ty:ty)* $(,)?) => {{
        let address = natives::lookup($symbol).unwrap_or_else(|| panic!("no native {}", $symbol));
        // SAFETY: the caller writes the types that the native is declared with, and gives live values.
        unsafe {
            let function: unsafe extern "C" fn(*mut Context $(, $ty)*) -> $result =
                std::mem::transmute(address);
            function($harness.session.context() $(, $arg)*)
        }
    }};
}

impl Harness {
    fn new(options: Options) -> Harness {
        let machine = Machine::new(options).unwrap();
        let (shapes, ids) = shapes(machine.heap());
        let shapes = Arc::new(shapes);
        let (output, printed) = Output::collected();
        let code = Arc::new(CodeMap::empty());
        let mut session =
            Session::new(machine.heap(), Arc::clone(&shapes), code, &[], output).unwrap();
        session.use_this_stack().unwrap();
        Harness { session, shapes, ids, printed, machine }
    }

    /// Plainly, and with everything moved at every allocation.
    fn both(test: impl Fn(&mut Harness)) {
        test(&mut Harness::new(Options::default()));
        test(&mut Harness::new(Options {
            moving: true,
            poison: true,
            verify: true,
            collect_every: NonZeroU64::new(1),
            ..Options::default()
        }));
    }

    fn slow_paths(&self) -> u64 {
        self.machine.heap().stats().barrier_slow_paths
    }

    fn root(&mut self, object: ObjectRef) -> Root {
        self.session.thread().mutator.root(object)
    }

    fn array<T: Copy>(&mut self, shape: ShapeId, items: &[T]) -> Root {
        let ty = self.shapes.get(shape).heap_type.unwrap();
        let array = self.session.thread().mutator.alloc_array(ty, items.len()).unwrap();
        // SAFETY: a new array of that many elements, which hold no references.
        unsafe {
            array.at::<T>(layout::ARRAY_DATA).copy_from_nonoverlapping(items.as_ptr(), items.len());
        }
        self.root(array)
    }

    fn string(&mut self, text: &str) -> Root {
        self.array(self.ids.string, text.as_bytes())
    }

    fn strings(&mut self, texts: &[&str]) -> Root {
        let array = self.array(self.ids.strings, &vec![0u64; texts.len()]);
        for (index, text) in texts.iter().enumerate() {
            let string = self.string(text);
            let offset = layout::ARRAY_DATA + 8 * index;
            // SAFETY: the array has a reference there.
            unsafe { self.session.thread().mutator.store(array.get(), offset, Some(string.get())) };
        }
        array
    }

    /// An object with words at the offsets of the shape's fields, in the order of their declaration.
    fn object(
        &mut self,
        shape: ShapeId,
        words: &[(&str, u64)],
        references: &[(&str, Option<&Root>)],
    ) -> Root {
        let shapes = Arc::clone(&self.shapes);
        let info = shapes.get(shape);
        let (Kind::Record { fields } | Kind::Map { fields, .. }) = &info.kind else {
            panic!("{} has no fields", info.name)
        };
        let offset =
            |name: &str| fields.iter().find(|place| place.name == name).unwrap().offset as usize;
        let object = self.session.thread().mutator.alloc_fixed(info.heap_type.unwrap()).unwrap();
        let object = self.root(object);
        // SAFETY: the fields are there, and of these kinds.
        unsafe {
            for (name, word) in words {
                object.get().at::<u64>(offset(name)).write(*word);
            }
            for (name, value) in references {
                let value = value.map(Root::get);
                self.session.thread().mutator.store(object.get(), offset(name), value);
            }
        }
        object
    }

    fn patient(&mut self, id: &str, age: u64, next: Option<&Root>) -> Root {
        let id = self.string(id);
        self.object(self.ids.patient, &[("age", age)], &[("id", Some(&id)), ("next", next)])
    }

    fn list(&mut self, items: &[i64]) -> Root {
        let array = self.array(self.ids.ints, items);
        let ty = self.shapes.get(self.ids.list).heap_type.unwrap();
        let list = self.session.thread().mutator.alloc_fixed(ty).unwrap();
        // SAFETY: the list was just made.
        unsafe { list.initialise(LIST_ITEMS as usize, Some(array.get())) };
        self.root(list)
    }

    fn map(&mut self, entries: &[(&str, i64)], gone: &[u8]) -> Root {
        let keys: Vec<&str> = entries.iter().map(|entry| entry.0).collect();
        let values: Vec<i64> = entries.iter().map(|entry| entry.1).collect();
        let (keys, values) = (self.strings(&keys), self.array(self.ids.ints, &values));
        let flags = self.array(self.ids.bytes, gone);
        let index = self.array::<i64>(self.ids.ints, &[]);
        let removed = gone.iter().filter(|flag| **flag != 0).count();
        let words = [("count", (entries.len() - removed) as u64), ("used", entries.len() as u64)];
        let references = [
            ("keys", Some(&keys)),
            ("values", Some(&values)),
            ("gone", Some(&flags)),
            ("index", Some(&index)),
        ];
        self.object(self.ids.map, &words, &references)
    }

    fn text(&self, reference: u64) -> String {
        let string = ObjectRef::from_address(reference as usize).expect("a string");
        // SAFETY: natives answer with live strings, and nothing is allocated here.
        let bytes = unsafe {
            std::slice::from_raw_parts(string.at::<u8>(layout::ARRAY_DATA), string.array_len())
        };
        String::from_utf8(bytes.to_vec()).unwrap()
    }

    fn results(&mut self) -> [u64; 2] {
        // SAFETY: the context is the session's.
        unsafe { [(*self.session.context()).results[0], (*self.session.context()).results[1]] }
    }

    /// The text that `fmt_value` makes of words in memory.
    fn show(&mut self, shape: ShapeId, words: &[u64], spec: (i64, i64, i64)) -> String {
        native!(self, "fmt_begin", ());
        native!(
            self, "fmt_value", (), words.as_ptr().cast() => *const u8, u64::from(shape.0) => u64, spec.0 => i64,
            spec.1 => i64, spec.2 => i64
        );
        let text = native!(self, "fmt_end", u64);
        self.text(text)
    }

    fn plain(&mut self, shape: ShapeId, words: &[u64]) -> String {
        self.show(shape, words, (0, -1, -1))
    }

    fn equal(&mut self, shape: ShapeId, a: &[u64], b: &[u64]) -> bool {
        let (a, b, shape) = (a.as_ptr().cast(), b.as_ptr().cast(), u64::from(shape.0));
        native!(
            self, "equals", u64, a => *const u8, shape => u64, b => *const u8, shape => u64
        ) != 0
    }

    fn hash(&mut self, shape: ShapeId, value: &[u64]) -> u64 {
        native!(self, "hash", u64, value.as_ptr().cast() => *const u8, u64::from(shape.0) => u64)
    }

    fn error(&mut self) -> Option<(&'static str, String)> {
        // SAFETY: the context is the session's.
        unsafe { (*self.session.context()).raised = 0 };
        match self.session.thread().stop.take() {
            Some(Stop::Error(error)) => Some((error.code, error.message)),
            other => {
                assert!(other.is_none(), "{other:?}");
                None
            }
        }
    }
}

fn word(root: &Root) -> u64 {
    root.get().address() as u64
}

#[test]
fn strings_made_of_strings_survive_the_allocation_of_the_result() {
    Harness::both(|h| {
        let (a, b) = (h.string("heart "), h.string("räte"));
        let made = native!(h, "string_concat", u64, word(&a) => u64, word(&b) => u64);
        assert_eq!(h.text(made), "heart räte");
        let made = native!(h, "string_upper", u64, word(&b) => u64);
        assert_eq!(h.text(made), "RÄTE");
        let made = native!(h, "string_slice", u64, word(&a) => u64, 1 => i64, 99 => i64);
        assert_eq!(h.text(made), "eart ");
        let made = native!(h, "string_repeat", u64, word(&b) => u64, 3 => i64);
        assert_eq!(h.text(made), "räteräteräte");
        let (from, to) = (h.string("e"), h.string("__"));
        let made = native!(h, "string_replace", u64, word(&a) => u64, word(&from) => u64, word(&to) => u64);
        assert_eq!(h.text(made), "h__art ");
        let padded = h.string(" \u{2003}x\t");
        let made = native!(h, "string_trim", u64, word(&padded) => u64, 3 => i64);
        assert_eq!(h.text(made), "x");
        let array = h.strings(&["a", "", "c"]);
        let separator = h.string(", ");
        let made =
            native!(h, "string_join", u64, word(&array) => u64, 3 => i64, word(&separator) => u64);
        assert_eq!(h.text(made), "a, , c");
        let bytes = h.array(h.ids.bytes, "xyz".as_bytes());
        let made = native!(h, "string_of_bytes", u64, word(&bytes) => u64, 1 => i64, 3 => i64);
        assert_eq!(h.text(made), "yz");
        assert_eq!(h.error(), None);
    });
}

#[test]
fn a_string_is_not_cut_inside_a_character() {
    Harness::both(|h| {
        let s = h.string("né");
        native!(h, "string_slice", u64, word(&s) => u64, 0 => i64, 2 => i64);
        let (code, message) = h.error().unwrap();
        assert_eq!(
            (code, message.as_str()),
            ("R0003", "byte 2 is inside a character of the string")
        );
        native!(h, "string_slice", u64, word(&s) => u64, -1 => i64, 2 => i64);
        assert_eq!(h.error().unwrap().0, "R0003");
        let bytes = h.array(h.ids.bytes, &[b'a', 0xff]);
        native!(h, "string_of_bytes", u64, word(&bytes) => u64, 0 => i64, 2 => i64);
        assert_eq!(h.error().unwrap().0, "R0006");
    });
}

#[test]
fn values_print_as_their_literals() {
    Harness::both(|h| {
        let ids = h.ids;
        assert_eq!(h.plain(ids.int, &[-5i64 as u64]), "-5");
        assert_eq!(h.plain(ids.byte, &[200]), "200");
        assert_eq!(h.plain(ids.maybe, &[7, 1]), "7");
        assert_eq!(h.plain(ids.maybe, &[7, 0]), "nil");
        assert_eq!(h.plain(ids.result, &[0, 3]), "Ok(3)");
        let text = h.string("lost \"it\"");
        assert_eq!(h.plain(ids.string, &[word(&text)]), "lost \"it\"");
        assert_eq!(h.plain(ids.result, &[word(&text), 0]), "Err(\"lost \\\"it\\\"\")");
        assert_eq!(h.plain(ids.pair, &[1, word(&text)]), "(1, \"lost \\\"it\\\"\")");
        let list = h.list(&[1, 2, 3]);
        assert_eq!(h.plain(ids.list, &[word(&list)]), "[1, 2, 3]");
        let map = h.map(&[("a", 1), ("b", 2), ("c", 3)], &[0, 1, 0]);
        assert_eq!(h.plain(ids.map, &[word(&map)]), "[\"a\": 1, \"c\": 3]");
        let empty = h.map(&[], &[]);
        assert_eq!(h.plain(ids.map, &[word(&empty)]), "[:]");
        let first = h.patient("p1", 40, None);
        let second = h.patient("p2", 41, Some(&first));
        assert_eq!(
            h.plain(ids.patient, &[word(&second)]),
            "Patient { id: \"p2\", age: 41, next: Patient { id: \"p1\", age: 40, next: nil } }"
        );
    });
}

#[test]
fn a_value_that_contains_itself_prints_and_is_not_compared() {
    Harness::both(|h| {
        let patient = h.patient("p1", 40, None);
        let Kind::Record { fields } = &h.shapes.get(h.ids.patient).kind else { panic!() };
        let next = fields[2].offset as usize;
        // SAFETY: the field is a reference.
        unsafe { h.session.thread().mutator.store(patient.get(), next, Some(patient.get())) };
        let shown = h.plain(h.ids.patient, &[word(&patient)]);
        assert_eq!(shown, "Patient { id: \"p1\", age: 40, next: … }");
        let twin = h.patient("p1", 40, Some(&patient));
        assert!(!h.equal(h.ids.patient, &[word(&patient)], &[word(&twin)]) || h.error().is_some());
        h.hash(h.ids.patient, &[word(&patient)]);
        assert_eq!(h.error().unwrap().0, "R0013");
    });
}

#[test]
fn widths_and_precisions_are_kept() {
    Harness::both(|h| {
        let pi = [std::f64::consts::PI.to_bits()];
        let (left, centre, right) = (1, 2, 3);
        assert_eq!(h.show(h.ids.float, &pi, (0, -1, 2)), "3.14");
        assert_eq!(h.show(h.ids.float, &pi, (0, 8, 2)), "    3.14");
        assert_eq!(h.show(h.ids.int, &[42], (left, 5, -1)), "42   ");
        assert_eq!(h.show(h.ids.int, &[42], (0, 6, 1)), "  42.0");
        let name = h.string("né");
        assert_eq!(h.show(h.ids.string, &[word(&name)], (0, 4, -1)), "né  ");
        assert_eq!(h.show(h.ids.string, &[word(&name)], (centre, 5, -1)), " né  ");
        assert_eq!(h.show(h.ids.string, &[word(&name)], (right, 4, 1)), "   n");
        assert_eq!(h.show(h.ids.maybe, &[5, 1], (0, 3, -1)), "  5");
    });
}

#[test]
fn long_lists_are_cut_and_deep_values_too() {
    let h = &mut Harness::new(Options::default());
    let list = h.list(&vec![1; 20_000]);
    let shown = h.plain(h.ids.list, &[word(&list)]);
    assert!(shown.ends_with("1, 1, … 10000 more]"), "{}", &shown[shown.len() - 40..]);
    let mut patient = h.patient("p", 0, None);
    for _ in 0..100 {
        patient = h.patient("p", 0, Some(&patient));
    }
    let shown = h.plain(h.ids.patient, &[word(&patient)]);
    assert!(shown.contains("next: … }"));
}

#[test]
fn equal_values_are_equal_by_content_and_share_a_hash() {
    Harness::both(|h| {
        let ids = h.ids;
        let (a, b) = (h.patient("p1", 40, None), h.patient("p1", 40, None));
        let c = h.patient("p1", 41, None);
        assert!(h.equal(ids.patient, &[word(&a)], &[word(&b)]));
        assert!(!h.equal(ids.patient, &[word(&a)], &[word(&c)]));
        assert_eq!(h.hash(ids.patient, &[word(&a)]), h.hash(ids.patient, &[word(&b)]));
        let (x, y) = (h.list(&[1, 2]), h.list(&[1, 3]));
        let z = h.list(&[1, 2]);
        assert!(!h.equal(ids.list, &[word(&x)], &[word(&y)]));
        assert!(h.equal(ids.list, &[word(&x)], &[word(&z)]));
        assert!(h.equal(ids.maybe, &[9, 0], &[4, 0]), "nil is nil, whatever lies beside it");
        let m = h.map(&[("a", 1), ("b", 2)], &[]);
        let n = h.map(&[("b", 2), ("x", 9), ("a", 1)], &[0, 1, 0]);
        let o = h.map(&[("b", 2), ("a", 2)], &[]);
        assert!(h.equal(ids.map, &[word(&m)], &[word(&n)]), "maps are equal in any order");
        assert!(!h.equal(ids.map, &[word(&m)], &[word(&o)]));
        assert_eq!(h.hash(ids.map, &[word(&m)]), h.hash(ids.map, &[word(&n)]));
        assert_eq!(h.error(), None);
    });
}

/// Compares chains of so many records on a stack of so many bytes; (equal, unequal, error code).
fn compare_chains(length: usize, stack: usize) -> (bool, bool, Option<&'static str>) {
    let compare = move || {
        let h = &mut Harness::new(Options::default());
        let mut chains = vec![];
        for last in [1, 1, 2] {
            let mut patient = h.patient("end", last, None);
            for _ in 0..length {
                patient = h.patient("p", 0, Some(&patient));
            }
            chains.push(patient);
        }
        let [a, b, c] = [0, 1, 2].map(|index| [word(&chains[index])]);
        let (same, other) = (h.equal(h.ids.patient, &a, &b), h.equal(h.ids.patient, &a, &c));
        (same, other, h.error().map(|error| error.0))
    };
    std::thread::Builder::new().stack_size(stack).spawn(compare).unwrap().join().unwrap()
}

#[test]
fn a_long_chain_is_compared_to_its_end() {
    assert_eq!(compare_chains(5_000, 64 << 20), (true, false, None));
}

#[test]
fn a_chain_too_long_for_the_stack_is_an_error_and_no_crash() {
    assert_eq!(compare_chains(60_000, 3 << 20), (false, false, Some("R0013")));
}

#[test]
fn arrays_of_references_are_sorted_and_copied_with_their_barrier() {
    Harness::both(|h| {
        let array = h.strings(&["pear", "fig", "apple", ""]);
        native!(h, "array_sort", (), word(&array) => u64, 4 => i64);
        let separator = h.string(" ");
        let joined =
            native!(h, "string_join", u64, word(&array) => u64, 4 => i64, word(&separator) => u64);
        assert_eq!(h.text(joined), " apple fig pear");
        native!(
            h, "array_copy", (), word(&array) => u64, 1 => i64, word(&array) => u64, 0 => i64, 3 => i64
        );
        native!(h, "array_clear", (), word(&array) => u64, 3 => i64, 4 => i64);
        let joined =
            native!(h, "string_join", u64, word(&array) => u64, 3 => i64, word(&separator) => u64);
        assert_eq!(h.text(joined), "apple fig pear");
        let floats = h.array(h.ids.floats, &[2.0, f64::NAN, -1.0, 0.5]);
        native!(h, "array_sort", (), word(&floats) => u64, 4 => i64);
        let order = h.array(h.ids.ints, &[0i64; 3]);
        let keys = h.array(h.ids.ints, &[5i64, 1, 5]);
        native!(h, "array_order", (), word(&keys) => u64, 3 => i64, word(&order) => u64);
        // SAFETY: live arrays of that many elements.
        unsafe {
            let floats = floats.get().at::<[f64; 4]>(layout::ARRAY_DATA).read();
            assert_eq!(floats[..3], [-1.0, 0.5, 2.0]);
            assert!(floats[3].is_nan());
            assert_eq!(order.get().at::<[i64; 3]>(layout::ARRAY_DATA).read(), [1, 0, 2]);
        }
        assert_eq!(h.error(), None);
    });
}

/// The elements of an array of `N` words each.
fn elements<const N: usize>(array: &Root) -> Vec<[u64; N]> {
    // SAFETY: a live array whose elements are words.
    unsafe {
        let data = array.get().at::<[u64; N]>(layout::ARRAY_DATA);
        std::slice::from_raw_parts(data, array.get().array_len()).to_vec()
    }
}

/// Overwrites elements as the natives do, and compares with what the same does to a vector.
fn overwrite<const N: usize>(h: &mut Harness, array: &Root, key: impl Fn(&[u64; N]) -> String) {
    let mut wanted = elements::<N>(array);
    let mut slow_paths = h.slow_paths();
    let mut check = |h: &Harness, wanted: &[[u64; N]], overwritten: usize| {
        assert_eq!(elements::<N>(array), wanted);
        // One word of each element is a reference.
        assert_eq!(h.slow_paths() - slow_paths, overwritten as u64);
        slow_paths = h.slow_paths();
    };
    for (from, to, count) in [(0, 2, 4), (3, 1, 3), (1, 1, 2), (5, 0, 1)] {
        native!(
            h, "array_copy", (), word(array) => u64, from => i64, word(array) => u64, to => i64, count => i64
        );
        wanted.copy_within(from as usize..(from + count) as usize, to as usize);
        check(h, &wanted, count as usize);
    }
    native!(h, "array_reverse", (), word(array) => u64, 5 => i64);
    wanted[..5].reverse();
    check(h, &wanted, 4);
    native!(h, "array_sort", (), word(array) => u64, 6 => i64);
    wanted.sort_by_key(key);
    check(h, &wanted, 6);
    native!(h, "array_clear", (), word(array) => u64, 2 => i64, 4 => i64);
    wanted[2..4].fill([0; N]);
    check(h, &wanted, 2);
}

#[test]
fn each_reference_that_is_overwritten_has_its_barrier() {
    let mut h = Harness::new(Options { log_writes: true, ..Options::default() });
    let texts = ["pear", "fig", "apple", "lime", "kiwi", "plum"];
    let strings = h.strings(&texts);
    let pairs = h.array(h.ids.pairs, &[[0u64; 2]; 6]);
    for (index, string) in elements::<1>(&strings).into_iter().enumerate() {
        let offset = layout::ARRAY_DATA + 16 * index;
        // SAFETY: the elements are an int and a string.
        unsafe {
            pairs.get().at::<u64>(offset).write(7 * index as u64 % 4);
            let string = ObjectRef::from_address(string[0] as usize);
            h.session.thread().mutator.store(pairs.get(), offset + 8, string);
        }
    }
    let texts: HashMap<u64, &str> =
        elements::<1>(&strings).into_iter().map(|string| string[0]).zip(texts).collect();
    overwrite::<1>(&mut h, &strings, |[string]| texts[string].to_owned());
    overwrite::<2>(&mut h, &pairs, |[number, string]| format!("{number} {}", texts[string]));
}

#[test]
fn scope_memory_that_is_gone_is_an_error_and_not_an_access() {
    Harness::both(|h| {
        native!(h, "scope_enter", ());
        native!(h, "scope_allocate", (), 80 => i64);
        let [descriptor, generation] = h.results();
        native!(
            h, "scope_view", (), descriptor => u64, generation => u64, 16 => i64, -1 => i64, 8 => i64
        );
        // SAFETY: the context is the session's.
        let len = unsafe { (*h.session.context()).results[3] };
        assert_eq!((len, h.error()), (8, None));
        for (offset, len) in [(81, 0), (-8, 1), (8, 10), (0, -2), (4, 1)] {
            native!(
                h, "scope_view", (), descriptor => u64, generation => u64, offset => i64, len => i64, 8 => i64
            );
            assert_eq!(h.error().unwrap().0, "R0011", "{offset} {len}");
        }
        native!(h, "scope_raise", (), descriptor => u64, generation => u64, 80 => i64, 80 => i64);
        assert_eq!(h.error().unwrap().0, "R0011");
        native!(h, "scope_free", (), descriptor => u64, generation => u64);
        assert_eq!(h.error(), None);
        native!(h, "scope_free", (), descriptor => u64, generation => u64);
        assert_eq!(h.error().unwrap().0, "R0012");
        native!(h, "scope_raise", (), descriptor => u64, generation => u64, 0 => i64, 80 => i64);
        assert_eq!(h.error().unwrap().0, "R0010");
        native!(h, "scope_allocate", (), -1 => i64);
        assert_eq!(h.error().unwrap().0, "R0013");
        native!(h, "scope_exit", ());
    });
}

#[test]
fn an_object_of_a_scope_that_has_ended_is_an_error_that_says_so() {
    Harness::both(|h| {
        let region = native!(h, "scope_enter", u64);
        let object = native!(h, "region_allocate", u64, region => u64, 0 => u64, 32 => u64);
        assert_eq!(h.error(), None);
        native!(h, "scope_exit", ());
        native!(h, "region_raise", (), object => u64);
        let message = "this object is gone: the scope that it was made in has ended";
        assert_eq!(h.error(), Some(("R0010", message.into())));
        // The same memory in the hands of the next scope makes the old handle no better.
        let region = native!(h, "scope_enter", u64);
        let next = native!(h, "region_allocate", u64, region => u64, 0 => u64, 32 => u64);
        assert_ne!(next, object);
        native!(h, "region_raise", (), object => u64);
        assert_eq!(h.error(), Some(("R0010", message.into())));
        native!(h, "scope_exit", ());
    });
}

#[test]
fn a_function_with_scope_memory_of_another_task_is_an_error_that_says_what_to_do() {
    let h = &mut Harness::new(Options::default());
    native!(h, "task_require", (), 0 => i64);
    assert_eq!(h.error(), None);
    native!(h, "task_require", (), 3 => i64);
    let stop = h.session.thread().stop.take();
    let Some(Stop::Error(error)) = stop else { panic!("{stop:?}") };
    let text = "error[R0017]: this function uses memory of a scope, which belongs to another task\n  \
                = help: open a `scope` inside the task, or let the function use a copy: `promote(…)`";
    assert_eq!(error.to_string(), text);
}

#[test]
fn a_pin_that_does_not_hold_is_an_error_that_says_why() {
    let h = &mut Harness::new(Options::default());
    let messages =
        ["this pin belongs to the task that made it", "this list was resized while it was pinned"];
    for (own, message) in messages.into_iter().enumerate() {
        native!(h, "pin_raise", (), own as u64 => u64);
        assert_eq!(h.error(), Some(("R0018", message.into())));
    }
}

#[test]
fn a_buffer_beyond_the_memory_limit_says_what_the_limit_is() {
    let h = &mut Harness::new(Options { memory: Some(64 << 20), ..Options::default() });
    native!(h, "scope_enter", ());
    native!(h, "scope_allocate", (), 1 << 30 => i64);
    let (code, message) = h.error().unwrap();
    assert_eq!(code, "R0008");
    assert!(
        message.starts_with("allocate(1 GiB) does not fit: the memory limit is 64 MiB"),
        "{message}"
    );
    native!(h, "scope_allocate", (), 32 << 20 => i64);
    assert_eq!(h.error(), None);
    native!(h, "scope_exit", ());
}

#[test]
fn a_string_beyond_the_memory_limit_is_an_error_with_a_table() {
    let h = &mut Harness::new(Options { memory: Some(32 << 20), ..Options::default() });
    let s = h.string(&"x".repeat(1 << 20));
    native!(h, "string_repeat", u64, word(&s) => u64, 100 => i64);
    let stop = h.session.thread().stop.take();
    let Some(Stop::Error(error)) = stop else { panic!("{stop:?}") };
    assert_eq!(error.code, "R0008");
    assert!(error.help.iter().any(|help| help.contains("string")), "{error}");
}

#[test]
fn files_are_read_and_failures_are_results() {
    Harness::both(|h| {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("note.txt");
        let (path_string, content) =
            (h.string(path.to_str().unwrap()), h.string("línea 1\nline 2"));
        let failed =
            native!(h, "write_text", u64, word(&path_string) => u64, word(&content) => u64);
        assert_eq!(failed, 0);
        native!(h, "read_text", (), word(&path_string) => u64);
        let [error, text] = h.results();
        assert_eq!((error, h.text(text)), (0, "línea 1\nline 2".into()));
        native!(h, "lines_open", (), word(&path_string) => u64);
        let [_, file] = h.results();
        let file = h.root(ObjectRef::from_address(file as usize).unwrap());
        let mut lines = vec![];
        loop {
            native!(h, "lines_next", (), word(&file) => u64);
            let [error, line] = h.results();
            assert_eq!(error, 0);
            if line == 0 {
                break;
            }
            lines.push(h.text(line));
        }
        assert_eq!(lines, ["línea 1", "line 2"]);
        let missing = h.string("/no/such/file");
        native!(h, "read_text", (), word(&missing) => u64);
        let [error, _] = h.results();
        assert_eq!(h.text(error), "cannot read /no/such/file: there is no such file");
    });
}

#[test]
fn numbers_are_parsed_to_optionals() {
    Harness::both(|h| {
        for (text, expected) in [("42", [42, 1]), (" -7 ", [-7i64 as u64, 1]), ("4x", [0, 0])] {
            let s = h.string(text);
            native!(h, "string_parse_int", (), word(&s) => u64);
            assert_eq!(h.results(), expected, "{text}");
        }
        let s = h.string("2.5e3");
        native!(h, "string_parse_float", (), word(&s) => u64);
        assert_eq!(h.results(), [2500f64.to_bits(), 1]);
    });
}

#[test]
fn what_is_printed_comes_out_in_order() {
    Harness::both(|h| {
        for text in ["one", "two"] {
            let s = h.string(text);
            native!(h, "fmt_begin", ());
            native!(h, "fmt_text", (), word(&s) => u64);
            native!(h, "fmt_print", ());
        }
        h.session.thread().output.flush().unwrap();
        assert_eq!(*h.printed.lock().unwrap(), b"one\ntwo\n");
    });
}

#[test]
fn a_snapshot_counts_the_objects_of_each_type() {
    let h = &mut Harness::new(Options::default());
    let _kept: Vec<Root> = (0..10).map(|index| h.patient("p", index, None)).collect();
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("heap.json");
    let path_string = h.string(path.to_str().unwrap());
    assert_eq!(native!(h, "memory_snapshot", u64, word(&path_string) => u64), 0);
    let snapshot: serde_json::Value =
        serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    let types = snapshot["types"].as_array().unwrap();
    let patients = types.iter().find(|row| row["type"] == "Patient").unwrap();
    assert_eq!((&patients["objects"], &patients["bytes"]), (&10.into(), &320.into()));
}

#[test]
fn an_enum_shows_its_variant_and_compares_by_it() {
    Harness::both(|h| {
        let Kind::Enum { variants } = &h.shapes.get(h.ids.finding).kind else { panic!() };
        let types: Vec<_> = variants.iter().map(|variant| variant.heap_type.unwrap()).collect();
        let mut make = |variant: usize, celsius: f64| {
            let object = h.session.thread().mutator.alloc_fixed(types[variant]).unwrap();
            // SAFETY: both variants have a word there.
            unsafe { object.at::<f64>(8).write(celsius) };
            h.root(object)
        };
        let (normal, fever, other) = (make(0, 0.0), make(1, 39.5), make(1, 40.0));
        assert_eq!(h.plain(h.ids.finding, &[word(&normal)]), "Normal");
        assert_eq!(h.plain(h.ids.finding, &[word(&fever)]), "Fever(39.5)");
        assert!(!h.equal(h.ids.finding, &[word(&normal)], &[word(&fever)]));
        assert!(!h.equal(h.ids.finding, &[word(&other)], &[word(&fever)]));
        assert!(h.equal(h.ids.finding, &[word(&fever)], &[word(&fever)]));
    });
}

#[test]
fn every_native_has_one_name() {
    let mut names: Vec<&str> = natives::all().map(|native| native.symbol).collect();
    let count = names.len();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), count);
}

/// What the compiler calls by itself, without a declaration in the library.
const OF_THE_COMPILER: &[&str] = &[
    "fmt_begin",
    "fmt_text",
    "fmt_value",
    "fmt_end",
    "fmt_print",
    "string_concat",
    "string_equal",
    "string_compare",
    "string_hash",
    "hash_int",
    "pow_int",
    "rem_float",
    "floor_float",
    "ceil_float",
    "raise_failure",
    "scope_enter",
    "scope_exit",
    "scope_allocate",
    "scope_free",
    "scope_view",
    "scope_raise",
    "owned_allocate",
    "owned_free",
    "pin_raise",
    "region_allocate",
    "region_raise",
    "region_shade",
    "task_number",
    "task_require",
];

#[test]
fn the_library_declares_exactly_the_natives_there_are() {
    let library = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../lib");
    let mut declared = std::collections::BTreeSet::new();
    for entry in std::fs::read_dir(library).unwrap() {
        let source = std::fs::read_to_string(entry.unwrap().path()).unwrap();
        for line in source.lines() {
            if let Some(rest) = line.strip_prefix("native func ") {
                let name = rest.split(['(', '[']).next().unwrap();
                declared.insert(name.to_string());
            }
        }
    }
    for name in &declared {
        assert!(
            natives::find(name).is_some(),
            "lib declares `native func {name}`, which the runtime lacks"
        );
    }
    for native in natives::all() {
        let known = declared.contains(native.symbol) || OF_THE_COMPILER.contains(&native.symbol);
        assert!(known, "nobody can call the native `{}`", native.symbol);
    }
}
