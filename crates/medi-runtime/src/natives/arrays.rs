//! Arrays: copying, clearing and sorting what lists and maps are made of.

use std::cmp::Ordering;
use std::panic::{AssertUnwindSafe, catch_unwind};

use medi_heap::{ObjectRef, Root, layout};

use super::references::ReferenceArray;
use super::values::{comparer, no_order, too_deep};
use crate::call::{Call, Stopped};
use crate::compare::{Memo, TooDeep, order_floats};
use crate::context::Context;
use crate::error::{RuntimeError, codes};
use crate::shape::{Kind, ShapeId};
use crate::stubs::RACE_HELP;
use crate::value::{Elements, Value, Whole, bytes, counted, object, places};

super::table! {
    leaf array_copy, leaf array_clear, leaf array_reverse, call array_extend, call array_sort, call array_order,
}

/// `array_copy[T](from: array[T], from_index: int, to: array[T], to_index: int, count: int)`: also within one array, with overlap. The
/// library promises the bounds; if another task changes the list meanwhile, less is copied.
unsafe extern "C" fn array_copy(
    context: *mut Context,
    from: u64,
    from_index: i64,
    to: u64,
    to_index: i64,
    count: i64,
) {
    if count <= 0 {
        return;
    }
    // SAFETY: see the module `natives`; the library promises that both ranges are in their arrays.
    unsafe {
        let call = Call::new(context);
        let (from, to) = (object(from), object(to));
        let elements = call.arrays().elements(to);
        let (Some(there), Some(room)) = (rest(from, from_index), rest(to, to_index)) else {
            return;
        };
        let count = (count as usize).min(there).min(room);
        let (from_index, to_index) = (from_index as usize, to_index as usize);
        if let Some(array) = ReferenceArray::new(call, to, elements) {
            array.copy(from, from_index, to_index..to_index + count);
            return;
        }
        let at = |index: usize| layout::ARRAY_DATA + index * elements.size;
        let source = from.at::<u8>(at(from_index));
        to.at::<u8>(at(to_index)).copy_from(source, count * elements.size);
    }
}

/// How many elements an array has room for from an index on; `None` outside.
///
/// # Safety
/// `array` is a live array.
unsafe fn rest(array: ObjectRef, index: i64) -> Option<usize> {
    // SAFETY: the caller's promise.
    unsafe { array.array_room() }.checked_sub(usize::try_from(index).ok()?)
}

/// `array_extend[T](items: array[T], room: int) -> bool`: makes room for that many elements where the array is, if that is
/// possible.
unsafe extern "C" fn array_extend(context: *mut Context, items: u64, room: i64) -> u64 {
    // SAFETY: see the module `natives`; the array is live.
    unsafe {
        let call = Call::new(context);
        let room = usize::try_from(room).unwrap_or(usize::MAX);
        u64::from(call.mutator().extend_array(object(items), room))
    }
}

/// `array_clear[T](items: array[T], from: int, to: int)`: zero elements, so that they keep nothing alive.
unsafe extern "C" fn array_clear(context: *mut Context, items: u64, from: i64, to: i64) {
    if to <= from {
        return;
    }
    // SAFETY: see the module `natives`; the library promises the bounds.
    unsafe {
        let call = Call::new(context);
        let items = object(items);
        let elements = call.arrays().elements(items);
        let Some(there) = rest(items, from) else { return };
        let count = to.abs_diff(from).min(there as u64) as usize;
        let from = from as usize;
        if let Some(array) = ReferenceArray::new(call, items, elements) {
            array.overwrite(from..from + count, false, |_| 0);
            return;
        }
        let start = items.at::<u8>(layout::ARRAY_DATA + from * elements.size);
        start.write_bytes(0, count * elements.size);
    }
}

/// `array_reverse[T](items: array[T], count: int)`: the first `count` elements, in place.
unsafe extern "C" fn array_reverse(context: *mut Context, items: u64, count: i64) {
    // SAFETY: see the module `natives`; the library promises the bounds.
    unsafe {
        let call = Call::new(context);
        let array = object(items);
        let elements = call.arrays().elements(array);
        if let Some(references) = ReferenceArray::new(call, array, elements) {
            references.reverse(counted(array, count));
            return;
        }
        let (data, count) = (array.at::<u8>(layout::ARRAY_DATA), counted(array, count));
        if elements.size.is_multiple_of(8) {
            swap_ends::<u64>(data, count, elements.size / 8);
        } else {
            swap_ends::<u8>(data, count, elements.size);
        }
    }
}

/// Reverses elements of `width` scalars each.
///
/// # Safety
/// So many of them lie there.
unsafe fn swap_ends<T: Whole>(data: *mut u8, count: usize, width: usize) {
    // SAFETY: the caller's promise.
    let places = unsafe { std::slice::from_raw_parts(data.cast::<T::Place>(), count * width) };
    for element in 0..count / 2 {
        let (low, high) = (element * width, (count - 1 - element) * width);
        for (a, b) in places[low..low + width].iter().zip(&places[high..high + width]) {
            let (low, high) = (T::load(a), T::load(b));
            T::store(a, high);
            T::store(b, low);
        }
    }
}

/// `array_sort[T](items: array[T], count: int)`: the first `count` elements, ascending and stable; NaN comes last.
unsafe extern "C" fn array_sort(context: *mut Context, items: u64, count: i64) {
    // SAFETY: see the module `natives`; the library promises the bounds. Nothing allocates while places are used.
    unsafe {
        let call = Call::new(context);
        let array = object(items);
        let elements = call.arrays().elements(array);
        match &call.shapes().get(elements.shape).kind {
            Kind::Int => {
                call.kernel(&[items], count, || sort::<i64>(places::<i64>(items, count), i64::cmp));
            }
            Kind::Byte | Kind::Bool | Kind::PlainEnum { .. } => {
                call.kernel(&[items], count, || sort::<u8>(places::<u8>(items, count), u8::cmp));
            }
            Kind::Float => call.kernel(&[items], count, || {
                sort::<f64>(places::<f64>(items, count), |a, b| order_floats(*a, *b));
            }),
            Kind::Str => {
                let Ok(copy) = Copied::new(call, array, count, elements) else { return };
                let mut strings = copy.words().to_vec();
                strings.sort_by(|a, b| {
                    copy.pass_handshake();
                    bytes(*a as u64).cmp(bytes(*b as u64))
                });
                copy.write_back(|to| &strings[to..=to]);
            }
            _ => {
                let Ok(copy) = Copied::new(call, array, count, elements) else { return };
                let Some(order) = sorted(call, &copy) else { return };
                if !elements.references.is_empty() {
                    let words = elements.references.len();
                    copy.write_back(|to| &copy.words()[order[to] * words..][..words]);
                    return;
                }
                let data = copy.array().at::<u8>(layout::ARRAY_DATA);
                for (to, from) in order.iter().enumerate() {
                    let source = copy.element(*from).at;
                    data.add(to * elements.size).copy_from_nonoverlapping(source, elements.size);
                }
            }
        }
    }
}

/// `array_order[K](keys: array[K], count: int, order: array[int])`: the indices `0..count` in the ascending, stable order of their keys.
unsafe extern "C" fn array_order(context: *mut Context, keys: u64, count: i64, order: u64) {
    // SAFETY: see the module `natives`; the library makes `order` long enough.
    unsafe {
        let call = Call::new(context);
        let elements = call.arrays().elements(object(keys));
        let order = call.mutator().root(object(order));
        let Ok(copy) = Copied::new(call, object(keys), count, elements) else { return };
        let Some(sorted) = sorted(call, &copy) else { return };
        let order = order.get().address() as u64;
        for (place, index) in places::<i64>(order, count).iter().zip(sorted) {
            i64::store(place, index as i64);
        }
    }
}

/// Sorts a copy, so that the order stays one, whatever another task does to the elements meanwhile.
fn sort<T: Whole>(places: &[T::Place], order: impl Fn(&T, &T) -> Ordering) {
    let mut copy: Vec<T> = places.iter().map(T::load).collect();
    copy.sort_unstable_by(order);
    for (place, value) in places.iter().zip(copy) {
        T::store(place, value);
    }
}

/// Elements from which a sort takes so long that a collection should not wait for it.
const LONG_SORT: usize = 1 << 12;
/// Elements that are copied between two safepoints.
const PIECE: usize = 1 << 12;

/// A copy of an array's first elements, which stays one whatever another task does to them.
struct Copied<'a> {
    call: Call,
    elements: &'a Elements,
    count: usize,
    array: Root,
    kept: Kept,
}

/// Where a copy's elements are.
enum Kept {
    /// Not roots: no safepoint comes while they are used, unless the elements hold no references.
    Words(Vec<usize>),
    /// In a collected array, which does not move: safepoints may come.
    Array(Root),
}

impl<'a> Copied<'a> {
    /// # Errors
    /// When there is no memory for a long copy.
    ///
    /// # Safety
    /// `array` is live, with such elements.
    unsafe fn new(
        call: Call,
        array: ObjectRef,
        count: i64,
        elements: &'a Elements,
    ) -> Result<Self, Stopped> {
        // SAFETY: the caller's promise; the words have room for the bytes.
        unsafe {
            let count = counted(array, count);
            let references = ReferenceArray::new(call, array, elements);
            let array = call.mutator().root(array);
            // The moving mode moves what nothing but native code refers to.
            let long = count >= LONG_SORT && !call.heap().options().moving;
            let kept = match references {
                Some(_) if long => Kept::Array(keep(call, &array, count, elements)?),
                Some(references) => Kept::Words(references.read(count)),
                None => {
                    let bytes = count * elements.size;
                    let mut words = vec![0; bytes.div_ceil(8)];
                    let data = array.get().at::<u8>(layout::ARRAY_DATA);
                    words.as_mut_ptr().cast::<u8>().copy_from_nonoverlapping(data, bytes);
                    Kept::Words(words)
                }
            };
            Ok(Copied { call, elements, count, array, kept })
        }
    }

    /// The array that was copied.
    fn array(&self) -> ObjectRef {
        self.array.get()
    }

    /// A safepoint, where one may be.
    fn pass_handshake(&self) {
        if let Kept::Array(_) = self.kept {
            self.call.mutator().safepoint();
        }
    }

    /// The elements' words; what is beyond the last of them is undefined.
    fn words(&self) -> &[usize] {
        match &self.kept {
            Kept::Words(words) => words,
            // SAFETY: nobody but this knows the array, whose elements are made of whole words.
            Kept::Array(array) => unsafe {
                let data = array.get().at::<usize>(layout::ARRAY_DATA);
                std::slice::from_raw_parts(data, self.count * self.elements.references.len())
            },
        }
    }

    fn element(&self, index: usize) -> Value {
        let at = self.words().as_ptr().cast::<u8>().wrapping_add(index * self.elements.size);
        Value { at, shape: self.elements.shape }
    }

    /// Overwrites the elements, which have references, with the words that `element` gives for each.
    ///
    /// # Safety
    /// They are words of such elements, of this copy.
    unsafe fn write_back<'w>(&self, element: impl Fn(usize) -> &'w [usize]) {
        let width = self.elements.references.len();
        for start in (0..self.count).step_by(PIECE) {
            self.pass_handshake();
            // SAFETY: the array is rooted and has the elements; no safepoint comes before the next turn.
            unsafe {
                let references = ReferenceArray::new(self.call, self.array(), self.elements);
                let references = references.expect("elements with references");
                let piece = start..self.count.min(start + PIECE);
                references.overwrite(piece, false, |word| element(word / width)[word % width]);
            }
        }
    }
}

/// A copy of the first elements in an array of its own, with safepoints on the way.
///
/// # Safety
/// The array has so many elements, which hold references.
unsafe fn keep(
    call: Call,
    array: &Root,
    count: usize,
    elements: &Elements,
) -> Result<Root, Stopped> {
    let mutator = call.mutator();
    // SAFETY: the arrays are rooted, here and below.
    let copy = mutator.alloc_array(unsafe { array.get().type_id() }, count);
    let copy = mutator.root(copy.map_err(|error| call.out_of_memory(&error))?);
    for start in (0..count).step_by(PIECE) {
        // SAFETY: as above; no safepoint comes before the copy of the piece has ended.
        unsafe {
            let to = ReferenceArray::new(call, copy.get(), elements);
            let to = to.expect("elements with references");
            to.copy(array.get(), start, start..count.min(start + PIECE));
        }
        mutator.safepoint();
    }
    Ok(copy)
}

/// The order of the elements; `None` when an error was raised.
///
/// # Safety
/// As for natives.
unsafe fn sorted(call: Call, copy: &Copied<'_>) -> Option<Vec<usize>> {
    let mut order: Vec<usize> = (0..copy.count).collect();
    // SAFETY: the caller's promise, for all reads of elements.
    unsafe {
        let at = |index: usize| copy.element(index).at;
        match &call.shapes().get(copy.elements.shape).kind {
            Kind::Int => order.sort_by_key(|index| at(*index).cast::<i64>().read()),
            Kind::Float => order.sort_by(|a, b| {
                order_floats(at(*a).cast::<f64>().read(), at(*b).cast::<f64>().read())
            }),
            Kind::Str => order.sort_by(|a, b| {
                copy.pass_handshake();
                bytes(at(*a).cast::<u64>().read()).cmp(bytes(at(*b).cast::<u64>().read()))
            }),
            _ => {
                let memo = Memo::default();
                let comparer = comparer(&call, &memo);
                let mut failed = None;
                let compare = |a: &usize, b: &usize| {
                    copy.pass_handshake();
                    match comparer.order(copy.element(*a), copy.element(*b)) {
                        Ok(Some(order)) => order,
                        Ok(None) => {
                            failed = Some(Ok(()));
                            Ordering::Equal
                        }
                        Err(TooDeep) => {
                            failed = Some(Err(TooDeep));
                            Ordering::Equal
                        }
                    }
                };
                // Lists among the elements may change, and a sort that meets no order may panic.
                let sorting = AssertUnwindSafe(|| order.sort_by(compare));
                if catch_unwind(sorting).is_err() {
                    let message = "another task changed these values while they were sorted";
                    let error = RuntimeError::new(codes::RACE, message);
                    call.raise(error.with_help(RACE_HELP));
                    return None;
                }
                match failed {
                    None => {}
                    Some(Ok(())) => {
                        no_order(call, innermost(call, copy.elements.shape));
                        return None;
                    }
                    Some(Err(TooDeep)) => {
                        too_deep(call);
                        return None;
                    }
                }
            }
        }
    }
    Some(order)
}

/// The part of a type that stands in the way of an order.
fn innermost(call: Call, shape: ShapeId) -> ShapeId {
    match &call.shapes().get(shape).kind {
        Kind::OptionalRef { inner } => innermost(call, *inner),
        Kind::OptionalValue { value, .. } => innermost(call, value.shape),
        Kind::List { element, .. } => innermost(call, *element),
        _ => shape,
    }
}
