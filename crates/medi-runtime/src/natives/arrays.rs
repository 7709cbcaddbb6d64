//! Arrays: copying, clearing and sorting what lists and maps are made of.

use std::cmp::Ordering;

use medi_heap::layout;

use super::values::{comparer, no_order, too_deep};
use crate::call::Call;
use crate::compare::{TooDeep, order_floats};
use crate::context::Context;
use crate::shape::{Kind, ShapeId};
use crate::stubs::before_store;
use crate::value::{Elements, Value, bytes, object, slice_mut};

super::table! {
    leaf array_copy, leaf array_clear, leaf array_reverse, call array_sort, call array_order,
}

/// `array_copy[T](from: array[T], from_index: int, to: array[T], to_index: int, count: int)`: also within one array, with overlap. The
/// library promises the bounds.
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
        debug_assert!(from_index >= 0 && (from_index + count) as usize <= from.array_len());
        debug_assert!(to_index >= 0 && (to_index + count) as usize <= to.array_len());
        if elements.has_references {
            before_store(call, to);
        }
        let at = |index: i64| layout::ARRAY_DATA + index as usize * elements.size;
        let source = from.at::<u8>(at(from_index));
        to.at::<u8>(at(to_index)).copy_from(source, count as usize * elements.size);
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
        debug_assert!(from >= 0 && to as usize <= items.array_len());
        if elements.has_references {
            before_store(call, items);
        }
        let start = items.at::<u8>(layout::ARRAY_DATA + from as usize * elements.size);
        start.write_bytes(0, (to - from) as usize * elements.size);
    }
}

/// `array_reverse[T](items: array[T], count: int)`: the first `count` elements, in place.
unsafe extern "C" fn array_reverse(context: *mut Context, items: u64, count: i64) {
    // SAFETY: see the module `natives`; the library promises the bounds.
    unsafe {
        let call = Call::new(context);
        let array = object(items);
        let elements = call.arrays().elements(array);
        if elements.has_references {
            before_store(call, array);
        }
        match elements.size {
            1 => slice_mut::<u8>(items, count).reverse(),
            8 => slice_mut::<u64>(items, count).reverse(),
            16 => slice_mut::<[u64; 2]>(items, count).reverse(),
            size => {
                let data = array.at::<u8>(layout::ARRAY_DATA);
                let (mut low, mut high) = (0, count as usize);
                while low + 1 < high {
                    high -= 1;
                    let (a, b) = (data.add(low * size), data.add(high * size));
                    std::ptr::swap_nonoverlapping(a, b, size);
                    low += 1;
                }
            }
        }
    }
}

/// `array_sort[T](items: array[T], count: int)`: the first `count` elements, ascending and stable; NaN comes last.
unsafe extern "C" fn array_sort(context: *mut Context, items: u64, count: i64) {
    // SAFETY: see the module `natives`; the library promises the bounds. Nothing allocates while slices are used.
    unsafe {
        let call = Call::new(context);
        let array = object(items);
        let elements = call.arrays().elements(array);
        match &call.shapes().get(elements.shape).kind {
            Kind::Int => slice_mut::<i64>(items, count).sort_unstable(),
            Kind::Byte | Kind::Bool | Kind::PlainEnum { .. } => {
                slice_mut::<u8>(items, count).sort_unstable();
            }
            Kind::Float => {
                slice_mut::<f64>(items, count).sort_unstable_by(|a, b| order_floats(*a, *b))
            }
            Kind::Str => {
                before_store(call, array);
                slice_mut::<u64>(items, count).sort_by(|a, b| bytes(*a).cmp(bytes(*b)));
            }
            _ => {
                let Some(order) = sorted(call, items, count as usize, elements) else { return };
                before_store(call, array);
                rearrange(items, elements.size, &order);
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
        let Some(sorted) = sorted(call, keys, count as usize, elements) else { return };
        for (slot, index) in slice_mut::<i64>(order, count).iter_mut().zip(sorted) {
            *slot = index as i64;
        }
    }
}

/// The order of the elements; `None` when an error was raised.
///
/// # Safety
/// As for natives.
unsafe fn sorted(call: Call, items: u64, count: usize, elements: Elements) -> Option<Vec<usize>> {
    let mut order: Vec<usize> = (0..count).collect();
    // SAFETY: the caller's promise, for all reads of elements.
    unsafe {
        let data = object(items).at::<u8>(layout::ARRAY_DATA);
        let at = |index: usize| data.add(index * elements.size);
        match &call.shapes().get(elements.shape).kind {
            Kind::Int => order.sort_by_key(|index| at(*index).cast::<i64>().read()),
            Kind::Float => order.sort_by(|a, b| {
                order_floats(at(*a).cast::<f64>().read(), at(*b).cast::<f64>().read())
            }),
            Kind::Str => {
                order.sort_by_key(|index| bytes(at(*index).cast::<u64>().read()));
            }
            _ => {
                let comparer = comparer(&call);
                let value = |index: usize| Value { at: at(index), shape: elements.shape };
                let mut failed = None;
                order.sort_by(|a, b| match comparer.order(value(*a), value(*b)) {
                    Ok(Some(order)) => order,
                    Ok(None) => {
                        failed = Some(Ok(()));
                        Ordering::Equal
                    }
                    Err(TooDeep) => {
                        failed = Some(Err(TooDeep));
                        Ordering::Equal
                    }
                });
                match failed {
                    None => {}
                    Some(Ok(())) => {
                        no_order(call, innermost(call, elements.shape));
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
        Kind::OptionalRef { inner } | Kind::OptionalValue { inner, .. } => innermost(call, *inner),
        Kind::List { element, .. } => innermost(call, *element),
        _ => shape,
    }
}

/// Puts elements of `size` bytes in an order.
///
/// # Safety
/// `order` is a permutation of the indices of the first elements of a live array; the barrier was passed.
unsafe fn rearrange(items: u64, size: usize, order: &[usize]) {
    // SAFETY: the caller's promise.
    unsafe {
        let data = object(items).at::<u8>(layout::ARRAY_DATA);
        let old = std::slice::from_raw_parts(data, order.len() * size).to_vec();
        for (to, from) in order.iter().enumerate() {
            let source = old.as_ptr().add(from * size);
            data.add(to * size).copy_from_nonoverlapping(source, size);
        }
    }
}
