//! Reading values from raw memory by their shape.

use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};

use medi_heap::{ObjectRef, TypeId, layout};

use crate::shape::{Kind, LIST_ITEMS, Place, ShapeId, Shapes};

/// What an array's elements are.
#[derive(Clone, Debug)]
pub(crate) struct Elements {
    pub shape: ShapeId,
    /// Bytes from one element to the next.
    pub size: usize,
    /// Of each word of an element, whether it is a reference; empty when none is.
    pub references: Box<[bool]>,
}

impl Elements {
    fn new(shapes: &Shapes, shape: ShapeId) -> Elements {
        let size = shapes.get(shape).size as usize;
        let offsets = shapes.value_references(shape, 0);
        let words = if offsets.is_empty() { 0 } else { size / 8 };
        let is_reference = |word: usize| offsets.contains(&(8 * word as u32));
        Elements { shape, size, references: (0..words).map(is_reference).collect() }
    }
}

/// Array types by heap type id, for natives that are given an array without its shape.
#[derive(Default, Debug)]
pub(crate) struct ArrayTypes {
    by_type: Vec<Option<Elements>>,
    string: Option<TypeId>,
    ints: Option<TypeId>,
}

impl ArrayTypes {
    pub fn new(shapes: &Shapes) -> ArrayTypes {
        let mut types = ArrayTypes::default();
        for shape in shapes.all() {
            let Some(heap_type) = shape.heap_type else { continue };
            match shape.kind {
                Kind::Str => types.string = Some(heap_type),
                Kind::Array { element } => {
                    let index = heap_type.0 as usize;
                    if types.by_type.len() <= index {
                        types.by_type.resize(index + 1, None);
                    }
                    types.by_type[index] = Some(Elements::new(shapes, element));
                    if matches!(shapes.get(element).kind, Kind::Int) {
                        types.ints = Some(heap_type);
                    }
                }
                _ => {}
            }
        }
        types
    }

    /// # Panics
    /// If the program has no strings; then nothing can ask for one.
    pub fn string_type(&self) -> TypeId {
        self.string.expect("a program that makes strings has the type string")
    }

    /// # Panics
    /// If the program has no arrays of ints; then nothing can ask for one.
    pub fn int_type(&self) -> TypeId {
        self.ints.expect("a program that opens files has the type array[int]")
    }

    /// # Safety
    /// `array` is a live array, of a type in the table.
    pub unsafe fn elements(&self, array: ObjectRef) -> &Elements {
        // SAFETY: the caller's promise.
        let ty = unsafe { array.type_id() };
        let elements = self.by_type.get(ty.0 as usize).and_then(Option::as_ref);
        elements.expect("arrays have a known type")
    }
}

/// The object of a reference that compiled code passes where the type admits no nil.
pub(crate) fn object(reference: u64) -> ObjectRef {
    ObjectRef::from_address(reference as usize)
        .expect("a reference that is not optional is not nil")
}

/// The number of an open file that compiled code holds as an array of one int (see [`crate::call::Call::open_file`]);
/// 0, which is no file's, of any other array.
///
/// # Safety
/// `file` is a live array of ints.
pub(crate) unsafe fn handle_of(file: u64) -> i64 {
    // SAFETY: the caller's promise.
    unsafe { places::<i64>(file, 1) }.first().map_or(0, i64::load)
}

/// The bytes of a string.
///
/// # Safety
/// `string` is a live string, and no safepoint comes while the slice is used.
pub(crate) unsafe fn bytes<'a>(string: u64) -> &'a [u8] {
    // Inside of a list that another task changes, an element may be missing.
    let Some(string) = ObjectRef::from_address(string as usize) else { return &[] };
    // SAFETY: a string is an array of that many bytes.
    unsafe { std::slice::from_raw_parts(string.at::<u8>(layout::ARRAY_DATA), string.array_len()) }
}

/// The text of a string.
///
/// # Safety
/// As [`bytes`]. Every string of a program is valid UTF-8: literals are, and natives keep it so.
pub(crate) unsafe fn text<'a>(string: u64) -> &'a str {
    // SAFETY: the caller's promise.
    unsafe { std::str::from_utf8_unchecked(bytes(string)) }
}

/// How many of the first `count` elements an array has room for: all of them, unless another task has put a shorter array
/// in the place of the one that the library counted.
///
/// # Safety
/// `array` is a live array.
pub(crate) unsafe fn counted(array: ObjectRef, count: i64) -> usize {
    // SAFETY: the caller's promise.
    usize::try_from(count).unwrap_or(0).min(unsafe { array.array_room() })
}

/// How many elements of an array are in use.
///
/// # Safety
/// `array` is a live array.
pub(crate) unsafe fn used(array: ObjectRef) -> usize {
    // SAFETY: the caller's promise. The length is more than the room only where tasks race.
    unsafe { array.array_len().min(array.array_room()) }
}

/// The array that holds a list's elements and counts them.
///
/// # Safety
/// `list` is a live list.
pub(crate) unsafe fn items(list: ObjectRef) -> ObjectRef {
    // SAFETY: the caller's promise.
    unsafe { list.load(LIST_ITEMS as usize) }.expect("a list has an array from the start")
}

/// A scalar that is read and stored whole, whatever another task does to its place meanwhile.
pub(crate) trait Whole: Copy {
    /// A place for one.
    type Place;
    fn load(from: &Self::Place) -> Self;
    fn store(to: &Self::Place, value: Self);
}

macro_rules! whole {
    ($($scalar:ty: $place:ty, $of:expr, $to:expr;)*) => {$(
        impl Whole for $scalar {
            type Place = $place;

            // Relaxed: what orders tasks is how they start and end.
            #[inline]
            fn load(from: &$place) -> $scalar {
                let of: fn(_) -> $scalar = $of;
                of(from.load(Ordering::Relaxed))
            }

            #[inline]
            fn store(to: &$place, value: $scalar) {
                let bits: fn($scalar) -> _ = $to;
                to.store(bits(value), Ordering::Relaxed);
            }
        }
    )*};
}

whole! {
    u8: AtomicU8, |bits| bits, |value| value;
    u64: AtomicU64, |bits| bits, |value| value;
    i64: AtomicU64, |bits| bits as i64, |value| value as u64;
    usize: AtomicU64, |bits| bits as usize, |value| value as u64;
    f64: AtomicU64, f64::from_bits, f64::to_bits;
}

/// The places of the first `count` elements of an array, as far as there are any.
///
/// # Safety
/// `array` is a live array of `T`s, and no safepoint comes while the places are used.
pub(crate) unsafe fn places<'a, T: Whole>(array: u64, count: i64) -> &'a [T::Place] {
    let array = object(array);
    let data = array.at::<T::Place>(layout::ARRAY_DATA);
    // SAFETY: the caller's promise. Compiled code stores elements whole.
    unsafe { std::slice::from_raw_parts(data, counted(array, count)) }
}

/// The first `count` elements of an array, as far as there are any: for kernels that compute with vectors of them.
///
/// Another task may store to them, if the program lets it. Rust defines nothing then; what a kernel's vector loads read on
/// x86-64 is of each element an old or a new value. Such a value may go into a result, but nothing that an address or the
/// end of a loop depends on may come from it. Everything else reads [`places`].
///
/// # Safety
/// `array` is a live array of `T`s, numbers, and no safepoint comes while the slice is used.
pub(crate) unsafe fn slice<'a, T>(array: u64, count: i64) -> &'a [T] {
    let array = object(array);
    // SAFETY: the caller's promise.
    unsafe { std::slice::from_raw_parts(array.at::<T>(layout::ARRAY_DATA), counted(array, count)) }
}

/// As [`slice`], to write to.
///
/// # Safety
/// As [`slice`]; no other task knows the array yet.
pub(crate) unsafe fn slice_mut<'a, T>(array: u64, count: i64) -> &'a mut [T] {
    let array = object(array);
    // SAFETY: the caller's promise.
    unsafe {
        std::slice::from_raw_parts_mut(array.at::<T>(layout::ARRAY_DATA), counted(array, count))
    }
}

/// A value somewhere in memory, with its shape.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Value {
    pub at: *const u8,
    pub shape: ShapeId,
}

impl Value {
    /// # Safety
    /// For all reads: a value of a shape with such a scalar at that offset lies at `at`.
    pub unsafe fn read<T: Whole>(self, offset: u32) -> T {
        // SAFETY: the caller's promise. Values are aligned as their scalars are.
        T::load(unsafe { &*self.at.add(offset as usize).cast::<T::Place>() })
    }

    /// A part at an offset of the value.
    pub fn part(self, offset: u32, shape: ShapeId) -> Value {
        Value { at: self.at.wrapping_add(offset as usize), shape }
    }

    /// The part at a place of the value.
    pub fn at_place(self, place: &Place) -> Value {
        self.part(place.offset, place.shape)
    }
}

/// Whether the stack has not grown down to `end` yet.
#[inline(always)]
pub(crate) fn has_stack(end: usize) -> bool {
    let here = 0u8;
    std::hint::black_box(&raw const here).addr() > end
}
