//! Equality, hashes and order of any values by their shapes.
//!
//! Two values are equal when their parts are; records and lists are compared by content, functions and scope memory by
//! identity. Floats compare as IEEE has it, so NaN equals nothing, and a list that holds one is not equal to itself.
//! Order is that of numbers (NaN after all others), of bytes in strings, of `false` before `true`, of nil before
//! values, and part by part in tuples and lists. A value nested deeper than [`DEPTH`], which all cyclic ones are, or than
//! the stack has room for, is [`TooDeep`].
//!
//! An object is looked at once for each way to it, which is the fastest for trees. Where objects are shared in layers,
//! that is more ways than ever end; so after some steps what was found is kept in a [`Memo`].

use std::cell::{Cell, RefCell};
use std::cmp::Ordering;
use std::collections::{HashMap, HashSet};
use std::hash::{BuildHasherDefault, DefaultHasher};

use medi_heap::{ObjectRef, layout};

use crate::format::MapEntries;
use crate::shape::{Kind, Place, ShapeId, Shapes};
use crate::value::{self, Value};

/// How deep equality and hashes look.
pub(crate) const DEPTH: usize = 100_000;

/// How many objects are looked at before anything is kept.
const MANY: u32 = 1 << 14;

/// Takes no time to make, as most memos stay empty; nobody outside chooses addresses.
type Hashing = BuildHasherDefault<DefaultHasher>;

/// What the comparison or hash under way has found of objects.
#[derive(Default)]
pub(crate) struct Memo {
    steps: Cell<u32>,
    equal: RefCell<HashSet<(ObjectRef, ObjectRef), Hashing>>,
    hashes: RefCell<HashMap<ObjectRef, u64, Hashing>>,
}

impl Memo {
    fn start(&self) {
        if self.is_in_use() {
            self.equal.take();
            self.hashes.take();
        }
        self.steps.set(0);
    }

    fn step(&self) {
        self.steps.set(self.steps.get().saturating_add(1));
    }

    fn is_in_use(&self) -> bool {
        self.steps.get() >= MANY
    }

    fn is_equal(&self, pair: (ObjectRef, ObjectRef)) -> bool {
        self.is_in_use() && self.equal.borrow().contains(&pair)
    }

    fn note_equal(&self, pair: (ObjectRef, ObjectRef)) {
        if self.is_in_use() {
            self.equal.borrow_mut().insert(pair);
        }
    }

    fn hash(&self, object: ObjectRef) -> Option<u64> {
        if self.is_in_use() { self.hashes.borrow().get(&object).copied() } else { None }
    }

    fn note_hash(&self, object: ObjectRef, hash: u64) {
        if self.is_in_use() {
            self.hashes.borrow_mut().insert(object, hash);
        }
    }
}

/// Nested too deep to compare, or cyclic.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct TooDeep;

/// Compares and hashes values of the shapes of one program. If another task changes them meanwhile, the answer is about
/// a mixture of old and new parts.
#[derive(Clone, Copy)]
pub(crate) struct Comparer<'a> {
    pub shapes: &'a Shapes,
    pub seed: u64,
    depth: usize,
    /// See [`value::has_stack`].
    stack_end: usize,
    memo: &'a Memo,
}

/// # Safety
/// For all methods: live values of their shapes lie at the addresses, and no safepoint comes meanwhile.
impl<'a> Comparer<'a> {
    pub fn new(shapes: &'a Shapes, seed: u64, stack_end: usize, memo: &'a Memo) -> Comparer<'a> {
        Comparer { shapes, seed, depth: 0, stack_end, memo }
    }

    fn deeper(self) -> Result<Comparer<'a>, TooDeep> {
        if self.depth >= DEPTH || !value::has_stack(self.stack_end) {
            return Err(TooDeep);
        }
        if self.depth == 0 {
            self.memo.start();
        }
        self.memo.step();
        Ok(Comparer { depth: self.depth + 1, ..self })
    }

    /// Whether two values of one shape are equal.
    pub unsafe fn equal(self, a: Value, b: Value) -> Result<bool, TooDeep> {
        // SAFETY: passed on; each read is of a scalar that the shape has at that place.
        unsafe {
            match &self.shapes.get(a.shape).kind {
                Kind::Unit => Ok(true),
                Kind::Bool | Kind::Byte | Kind::PlainEnum { .. } => {
                    Ok(a.read::<u8>(0) == b.read::<u8>(0))
                }
                Kind::Int => Ok(a.read::<i64>(0) == b.read::<i64>(0)),
                Kind::Float => Ok(a.read::<f64>(0) == b.read::<f64>(0)),
                Kind::Str => Ok(value::bytes(a.read(0)) == value::bytes(b.read(0))),
                Kind::OptionalRef { inner } => {
                    let (x, y) = (a.read::<u64>(0), b.read::<u64>(0));
                    if x == 0 || y == 0 {
                        return Ok(x == y);
                    }
                    self.equal(a.part(0, *inner), b.part(0, *inner))
                }
                Kind::OptionalValue { value, flag } => {
                    let (x, y) = (a.read::<u8>(*flag), b.read::<u8>(*flag));
                    if x == 0 || y == 0 {
                        return Ok(x == y);
                    }
                    self.equal(a.at_place(value), b.at_place(value))
                }
                Kind::Result { value } => {
                    let (x, y) = (a.read::<u64>(0), b.read::<u64>(0));
                    if x == 0 && y == 0 {
                        return self.equal(a.at_place(value), b.at_place(value));
                    }
                    Ok(x != 0 && y != 0 && value::bytes(x) == value::bytes(y))
                }
                Kind::Tuple { parts: fields } | Kind::InlineRecord { fields } => {
                    self.equal_parts(a.at, b.at, fields)
                }
                Kind::Func
                | Kind::Own { .. }
                | Kind::Buffer
                | Kind::View { .. }
                | Kind::Pin { .. } => {
                    let scalars = &self.shapes.get(a.shape).scalars;
                    Ok(scalars.iter().all(|(at, _)| a.read::<u64>(*at) == b.read::<u64>(*at)))
                }
                Kind::List { .. }
                | Kind::Map { .. }
                | Kind::Record { .. }
                | Kind::Enum { .. }
                | Kind::Array { .. }
                | Kind::Cell { .. } => self.deeper()?.equal_objects(a, b),
            }
        }
    }

    unsafe fn equal_parts(
        self,
        a: *const u8,
        b: *const u8,
        parts: &[Place],
    ) -> Result<bool, TooDeep> {
        for part in parts {
            let at = |base: *const u8| Value {
                at: base.wrapping_add(part.offset as usize),
                shape: part.shape,
            };
            // SAFETY: passed on.
            if !unsafe { self.equal(at(a), at(b)) }? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    unsafe fn equal_objects(self, a: Value, b: Value) -> Result<bool, TooDeep> {
        // SAFETY: passed on; the objects are of the shape's types.
        unsafe {
            let [x, y] = [a, b].map(|value| ObjectRef::from_address(value.read(0)));
            // Missing only where another task changes what is compared.
            let (Some(x), Some(y)) = (x, y) else { return Ok(x == y) };
            if self.memo.is_equal((x, y)) {
                return Ok(true);
            }
            let equal = match &self.shapes.get(a.shape).kind {
                Kind::Record { fields } => self.equal_parts(x.at(0), y.at(0), fields),
                Kind::Cell { value } => {
                    self.equal_parts(x.at(0), y.at(0), std::slice::from_ref(value))
                }
                Kind::Enum { variants } => {
                    let ty = x.type_id();
                    let variant = variants.iter().find(|variant| variant.heap_type == Some(ty));
                    match variant {
                        Some(variant) if ty == y.type_id() => {
                            self.equal_parts(x.at(0), y.at(0), &variant.fields)
                        }
                        _ => Ok(false),
                    }
                }
                Kind::List { element, .. } => {
                    let (s, t) = (list(x), list(y));
                    self.equal_elements(s, t, *element)
                }
                Kind::Array { element } => self.equal_elements(array(x), array(y), *element),
                Kind::Map { fields, key, value } => self.equal_maps(x, y, fields, *key, *value),
                kind => unreachable!("{kind:?} is not a reference"),
            }?;
            if equal {
                self.memo.note_equal((x, y));
            }
            Ok(equal)
        }
    }

    unsafe fn equal_elements(self, a: Run, b: Run, element: ShapeId) -> Result<bool, TooDeep> {
        if a.len != b.len {
            return Ok(false);
        }
        let size = self.shapes.get(element).size as usize;
        for index in 0..a.len {
            // SAFETY: passed on.
            if !unsafe {
                self.equal(a.element(index, size, element), b.element(index, size, element))
            }? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Maps are equal when they have the same keys with equal values, in any order. Keys are looked up by
    /// their hashes, sorted, so that this takes n log n steps.
    unsafe fn equal_maps(
        self,
        a: ObjectRef,
        b: ObjectRef,
        fields: &[Place],
        key: ShapeId,
        value: ShapeId,
    ) -> Result<bool, TooDeep> {
        // SAFETY: passed on.
        unsafe {
            let (a, b) = (MapEntries::new(a, fields), MapEntries::new(b, fields));
            if a.count != b.count {
                return Ok(false);
            }
            let mut hashes = Vec::with_capacity(b.count);
            for slot in b.slots() {
                hashes.push((self.hash(b.element(self.shapes, b.keys, slot, key))?, slot));
            }
            hashes.sort_unstable();
            for slot in a.slots() {
                let wanted = a.element(self.shapes, a.keys, slot, key);
                let hash = self.hash(wanted)?;
                let first = hashes.partition_point(|(other, _)| *other < hash);
                let mut found = None;
                for (_, candidate) in hashes[first..].iter().take_while(|(other, _)| *other == hash)
                {
                    if self.equal(wanted, b.element(self.shapes, b.keys, *candidate, key))? {
                        found = Some(*candidate);
                        break;
                    }
                }
                let Some(found) = found else { return Ok(false) };
                let mine = a.element(self.shapes, a.values, slot, value);
                if !self.equal(mine, b.element(self.shapes, b.values, found, value))? {
                    return Ok(false);
                }
            }
            Ok(true)
        }
    }

    /// A hash that equal values share. Strings and ints hash as the natives `string_hash` and `hash_int`.
    pub unsafe fn hash(self, v: Value) -> Result<u64, TooDeep> {
        // SAFETY: passed on; each read is of a scalar that the shape has at that place.
        unsafe {
            match &self.shapes.get(v.shape).kind {
                Kind::Unit => Ok(0),
                Kind::Bool | Kind::Byte | Kind::PlainEnum { .. } => {
                    Ok(hash_word(u64::from(v.read::<u8>(0)), self.seed))
                }
                Kind::Int => Ok(hash_word(v.read(0), self.seed)),
                Kind::Float => Ok(hash_float(v.read(0), self.seed)),
                Kind::Str => Ok(hash_bytes(value::bytes(v.read(0)), self.seed)),
                Kind::OptionalRef { inner } => match v.read::<u64>(0) {
                    0 => Ok(0),
                    _ => self.hash(v.part(0, *inner)),
                },
                Kind::OptionalValue { value, flag } => match v.read::<u8>(*flag) {
                    0 => Ok(0),
                    _ => self.hash(v.at_place(value)),
                },
                Kind::Result { value } => match v.read::<u64>(0) {
                    0 => self.hash(v.at_place(value)),
                    error => Ok(hash_bytes(value::bytes(error), self.seed)),
                },
                Kind::Tuple { parts } => self.hash_parts(v.at, parts, 1),
                Kind::InlineRecord { fields } => self.hash_parts(v.at, fields, 2),
                Kind::Func
                | Kind::Own { .. }
                | Kind::Buffer
                | Kind::View { .. }
                | Kind::Pin { .. } => Ok(hash_word(v.read(0), self.seed)),
                Kind::List { .. }
                | Kind::Map { .. }
                | Kind::Record { .. }
                | Kind::Enum { .. }
                | Kind::Array { .. }
                | Kind::Cell { .. } => self.deeper()?.hash_object(v),
            }
        }
    }

    unsafe fn hash_parts(
        self,
        base: *const u8,
        parts: &[Place],
        start: u64,
    ) -> Result<u64, TooDeep> {
        let mut hash = start;
        for part in parts {
            let at = base.wrapping_add(part.offset as usize);
            // SAFETY: passed on.
            let part = unsafe { self.hash(Value { at, shape: part.shape }) }?;
            hash = hash_word(hash ^ part.rotate_left(17), self.seed);
        }
        Ok(hash)
    }

    unsafe fn hash_object(self, v: Value) -> Result<u64, TooDeep> {
        // SAFETY: passed on; the object is of the shape's type.
        unsafe {
            let Some(object) = ObjectRef::from_address(v.read(0)) else { return Ok(0) };
            if let Some(hash) = self.memo.hash(object) {
                return Ok(hash);
            }
            let hash = match &self.shapes.get(v.shape).kind {
                Kind::Record { fields } => self.hash_parts(object.at(0), fields, 2),
                Kind::Cell { value } => {
                    self.hash_parts(object.at(0), std::slice::from_ref(value), 3)
                }
                Kind::Enum { variants } => {
                    let ty = object.type_id();
                    let index = variants.iter().position(|v| v.heap_type == Some(ty)).unwrap_or(0);
                    self.hash_parts(object.at(0), &variants[index].fields, 4 + index as u64)
                }
                Kind::List { element, .. } => self.hash_elements(list(object), *element),
                Kind::Array { element } => self.hash_elements(array(object), *element),
                Kind::Map { fields, key, value } => {
                    let entries = MapEntries::new(object, fields);
                    let mut sum = entries.count as u64;
                    for slot in entries.slots() {
                        let k =
                            self.hash(entries.element(self.shapes, entries.keys, slot, *key))?;
                        let v =
                            self.hash(entries.element(self.shapes, entries.values, slot, *value))?;
                        sum = sum.wrapping_add(hash_word(k ^ v.rotate_left(17), self.seed));
                    }
                    Ok(sum)
                }
                kind => unreachable!("{kind:?} is not a reference"),
            }?;
            self.memo.note_hash(object, hash);
            Ok(hash)
        }
    }

    unsafe fn hash_elements(self, run: Run, element: ShapeId) -> Result<u64, TooDeep> {
        let size = self.shapes.get(element).size as usize;
        let mut hash = run.len as u64;
        for index in 0..run.len {
            // SAFETY: passed on.
            let part = unsafe { self.hash(run.element(index, size, element)) }?;
            hash = hash_word(hash ^ part.rotate_left(17), self.seed);
        }
        Ok(hash)
    }

    /// The order of two values of one shape; `None` for shapes without one.
    pub unsafe fn order(self, a: Value, b: Value) -> Result<Option<Ordering>, TooDeep> {
        // SAFETY: passed on; each read is of a scalar that the shape has at that place.
        unsafe {
            Ok(match &self.shapes.get(a.shape).kind {
                Kind::Unit => Some(Ordering::Equal),
                Kind::Bool | Kind::Byte | Kind::PlainEnum { .. } => {
                    Some(a.read::<u8>(0).cmp(&b.read::<u8>(0)))
                }
                Kind::Int => Some(a.read::<i64>(0).cmp(&b.read::<i64>(0))),
                Kind::Float => Some(order_floats(a.read(0), b.read(0))),
                Kind::Str => Some(value::bytes(a.read(0)).cmp(value::bytes(b.read(0)))),
                Kind::OptionalRef { inner } => {
                    let present = |v: Value| v.read::<u64>(0) != 0;
                    let inner = |v: Value| (v.part(0, *inner), present(v));
                    return self.order_optionals(inner(a), inner(b));
                }
                Kind::OptionalValue { value, flag } => {
                    let inner = |v: Value| (v.at_place(value), v.read::<u8>(*flag) != 0);
                    return self.order_optionals(inner(a), inner(b));
                }
                Kind::Tuple { parts } => {
                    for part in parts {
                        let at = |v: Value| v.part(part.offset, part.shape);
                        match self.order(at(a), at(b))? {
                            Some(Ordering::Equal) => {}
                            other => return Ok(other),
                        }
                    }
                    Some(Ordering::Equal)
                }
                Kind::List { element, .. } => {
                    let inner = self.deeper()?;
                    let run =
                        |v: Value| ObjectRef::from_address(v.read(0)).map(|object| list(object));
                    let (Some(x), Some(y)) = (run(a), run(b)) else {
                        return Ok(Some(Ordering::Equal));
                    };
                    let size = self.shapes.get(*element).size as usize;
                    for index in 0..x.len.min(y.len) {
                        let at = |run: &Run| run.element(index, size, *element);
                        match inner.order(at(&x), at(&y))? {
                            Some(Ordering::Equal) => {}
                            other => return Ok(other),
                        }
                    }
                    Some(x.len.cmp(&y.len))
                }
                _ => None,
            })
        }
    }

    /// Nil before what is inside, which each comes with whether it is there.
    unsafe fn order_optionals(
        self,
        (a, has_a): (Value, bool),
        (b, has_b): (Value, bool),
    ) -> Result<Option<Ordering>, TooDeep> {
        if has_a && has_b {
            // SAFETY: passed on.
            return unsafe { self.order(a, b) };
        }
        Ok(Some(has_a.cmp(&has_b)))
    }
}

/// Elements that follow each other.
struct Run {
    data: *const u8,
    len: usize,
}

impl Run {
    fn element(&self, index: usize, size: usize, shape: ShapeId) -> Value {
        Value { at: self.data.wrapping_add(index * size), shape }
    }
}

/// # Safety
/// `object` is a live list.
unsafe fn list(object: ObjectRef) -> Run {
    // SAFETY: the caller's promise.
    unsafe { array(value::items(object)) }
}

/// # Safety
/// `object` is a live array.
unsafe fn array(object: ObjectRef) -> Run {
    // SAFETY: the caller's promise.
    Run { data: object.at(layout::ARRAY_DATA), len: unsafe { value::used(object) } }
}

/// The order of floats that sorting uses: NaN after all others, −0 equal to 0.
pub(crate) fn order_floats(a: f64, b: f64) -> Ordering {
    a.partial_cmp(&b).unwrap_or_else(|| a.is_nan().cmp(&b.is_nan()))
}

/// Both halves of the product of two words: mixes all bits of both (as in wyhash and foldhash).
fn fold(a: u64, b: u64) -> u64 {
    let product = u128::from(a) * u128::from(b);
    (product as u64) ^ ((product >> 64) as u64)
}

const K: [u64; 3] = [0x9e37_79b9_7f4a_7c15, 0xa076_1d64_78bd_642f, 0xe703_7ed1_a0b4_28db];

/// The hash of an int.
pub(crate) fn hash_word(word: u64, seed: u64) -> u64 {
    fold(word ^ seed ^ K[1], K[0])
}

/// The hash of a float: −0 as 0, all NaNs alike.
pub(crate) fn hash_float(value: f64, seed: u64) -> u64 {
    let value = if value == 0.0 { 0.0 } else { value };
    hash_word(if value.is_nan() { f64::NAN.to_bits() } else { value.to_bits() }, seed)
}

/// The hash of a string's bytes.
pub(crate) fn hash_bytes(bytes: &[u8], seed: u64) -> u64 {
    let word = |at: usize| -> u64 {
        u64::from_le_bytes(bytes[at..at + 8].try_into().expect("eight bytes of a slice"))
    };
    let half = |at: usize| -> u64 {
        u64::from(u32::from_le_bytes(bytes[at..at + 4].try_into().expect("four bytes of a slice")))
    };
    let len = bytes.len();
    // The length goes in at the end, apart from the bytes, so that the two cannot cancel out.
    let end = K[2] ^ len as u64;
    let mut hash = seed;
    if len <= 16 {
        // Overlapping reads of the two ends cover every byte.
        let (a, b) = match len {
            8..=16 => (word(0), word(len - 8)),
            4..=7 => (half(0), half(len - 4)),
            1..=3 => {
                (u64::from(bytes[0]) << 8 | u64::from(bytes[len / 2]), u64::from(bytes[len - 1]))
            }
            _ => (0, 0),
        };
        return fold(fold(a ^ K[0] ^ hash, b ^ K[1]) ^ hash, end);
    }
    let mut at = 0;
    while at + 16 < len {
        hash = fold(word(at) ^ K[0] ^ hash, word(at + 8) ^ K[1]).rotate_left(5);
        at += 16;
    }
    fold(fold(word(len - 16) ^ K[0] ^ hash, word(len - 8) ^ K[1]) ^ hash, end)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_that_differ_in_one_byte_hash_differently() {
        let mut seen = std::collections::HashSet::new();
        for len in 0..80 {
            let mut bytes = vec![b'a'; len];
            assert!(seen.insert(hash_bytes(&bytes, 1)));
            for at in 0..len {
                bytes[at] = b'b';
                assert!(seen.insert(hash_bytes(&bytes, 1)), "{len} {at}");
                bytes[at] = b'a';
            }
        }
    }

    #[test]
    fn consecutive_ints_spread_over_the_low_bits() {
        let mut buckets = [0u32; 256];
        for word in 0..25_600 {
            buckets[(hash_word(word, 7) & 255) as usize] += 1;
        }
        assert!(buckets.iter().all(|count| (50..200).contains(count)), "{buckets:?}");
    }

    #[test]
    fn nan_sorts_last_and_zeros_are_equal() {
        assert_eq!(order_floats(f64::NAN, f64::INFINITY), Ordering::Greater);
        assert_eq!(order_floats(1.0, f64::NAN), Ordering::Less);
        assert_eq!(order_floats(f64::NAN, f64::NAN), Ordering::Equal);
        assert_eq!(order_floats(-0.0, 0.0), Ordering::Equal);
        assert_eq!(hash_float(-0.0, 3), hash_float(0.0, 3));
    }
}
