//! Type layouts: what the heap must know of a type to size and trace its objects.
//!
//! An embedder registers a [`TypeLayout`] and gets a [`TypeId`], which goes into object headers. Ids are
//! dense and never reused, so tables indexed by them stay small. Each layout is compiled to a
//! [`Tracing`], a form that the marker can follow without chasing pointers for common shapes.

use std::sync::{Arc, RwLock};

use crate::address::ObjectRef;
use crate::layout;

/// Identifies a registered type; the low half of an object's header word.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[repr(transparent)]
pub struct TypeId(pub u32);

/// How the objects of a type are laid out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Shape {
    /// An object whose size is known from its type.
    Fixed {
        /// Bytes, the header included.
        size: u32,
        /// Byte offsets of the references from the start of the object, each a multiple of 8.
        refs: Vec<u32>,
    },
    /// A length and then elements, one after the other, as many as there is room for.
    Array {
        /// Bytes from one element to the next.
        elem_size: u32,
        /// Byte offsets of the references inside one element, each a multiple of 8; when there are any,
        /// the element size is a multiple of 8 too.
        elem_refs: Vec<u32>,
    },
    /// A header and one reference that keeps nothing alive: it becomes nil when its referent dies.
    WeakCell,
}

/// A type, as the embedder describes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TypeLayout {
    /// How reports call the type.
    pub name: String,
    /// Where its references are.
    pub shape: Shape,
}

impl TypeLayout {
    /// A type whose objects all have the same size and layout.
    pub fn fixed(name: impl Into<String>, size: u32, refs: &[u32]) -> TypeLayout {
        TypeLayout { name: name.into(), shape: Shape::Fixed { size, refs: refs.to_vec() } }
    }

    /// A type of arrays.
    pub fn array(name: impl Into<String>, elem_size: u32, elem_refs: &[u32]) -> TypeLayout {
        TypeLayout {
            name: name.into(),
            shape: Shape::Array { elem_size, elem_refs: elem_refs.to_vec() },
        }
    }

    /// A type of weak cells.
    pub fn weak_cell(name: impl Into<String>) -> TypeLayout {
        TypeLayout { name: name.into(), shape: Shape::WeakCell }
    }

    /// Panics with the reason when the layout contradicts the object model.
    fn check(&self) {
        let name = &self.name;
        match &self.shape {
            Shape::Fixed { size, refs } => {
                assert!(
                    *size as usize >= layout::HEADER,
                    "type `{name}` has {size} bytes, fewer than its header of {}",
                    layout::HEADER
                );
                for r in refs {
                    assert!(
                        r % 8 == 0 && *r as usize >= layout::HEADER && r + 8 <= *size,
                        "type `{name}`: a reference at offset {r} is not a word inside its {size} bytes"
                    );
                }
            }
            Shape::Array { elem_size, elem_refs } => {
                for r in elem_refs {
                    assert!(
                        r % 8 == 0 && r + 8 <= *elem_size && elem_size % 8 == 0,
                        "type `{name}`: a reference at offset {r} is not a word inside an element of \
                         {elem_size} bytes"
                    );
                }
            }
            Shape::WeakCell => {}
        }
    }
}

/// How to follow the references of one object.
#[derive(Clone, Debug)]
pub(crate) enum Tracing {
    /// No references.
    None,
    /// Bit `i` set: the word at `8 * i` is a reference. Covers objects of up to 512 bytes.
    Words(u64),
    /// Byte offsets, for larger fixed objects.
    Offsets(Box<[u32]>),
    /// An array whose every element is one reference.
    RefArray,
    /// An array whose elements hold references at these offsets.
    Elements(Box<[u32]>),
    /// A weak cell.
    Weak,
}

/// What the heap keeps of a type.
#[derive(Clone, Debug)]
pub(crate) struct TypeInfo {
    pub tracing: Tracing,
    pub size: SizeRule,
    pub name: Box<str>,
}

/// How large an object of a type is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SizeRule {
    /// Always this many bytes, already rounded to granules.
    Fixed(u32),
    /// [`layout::ARRAY_DATA`] plus this many bytes for each element, rounded to granules.
    PerElement(u32),
}

impl SizeRule {
    /// The size of an array with room for `room` elements in whole granules; `None` when no address space could
    /// hold it.
    #[inline]
    pub fn of_array(elem_size: u32, room: usize) -> Option<usize> {
        let bytes = room.checked_mul(elem_size as usize)?.checked_add(layout::ARRAY_DATA)?;
        layout::round_to_granule(bytes).filter(|bytes| *bytes < 1 << 47)
    }

    /// The size of the live object at `address`, in whole granules.
    ///
    /// # Safety
    /// A live object of a type with this rule is at `address`.
    #[inline]
    pub unsafe fn size_of(self, address: usize) -> usize {
        match self {
            SizeRule::Fixed(size) => size as usize,
            SizeRule::PerElement(elem_size) => {
                // SAFETY: the caller says that an array is here.
                let room = unsafe { array_room(address) };
                (layout::ARRAY_DATA + room * elem_size as usize + layout::GRANULE - 1)
                    & !(layout::GRANULE - 1)
            }
        }
    }
}

/// How many elements the array at `address` has room for.
///
/// # Safety
/// A live array is at `address`.
#[inline]
pub(crate) unsafe fn array_room(address: usize) -> usize {
    let array = ObjectRef::from_address(address).expect("no array is at address zero");
    // SAFETY: the caller vouches for the array.
    unsafe { array.array_room() }
}

impl TypeInfo {
    fn new(layout: &TypeLayout) -> TypeInfo {
        layout.check();
        let (tracing, size) = match &layout.shape {
            Shape::Fixed { size, refs } => {
                let rounded = (size + 15) & !15;
                let tracing = if refs.is_empty() {
                    Tracing::None
                } else if refs.iter().all(|r| *r < 512) {
                    Tracing::Words(refs.iter().fold(0, |bits, r| bits | 1 << (r / 8)))
                } else {
                    Tracing::Offsets(refs.clone().into())
                };
                (tracing, SizeRule::Fixed(rounded))
            }
            Shape::Array { elem_size, elem_refs } => {
                let tracing = match elem_refs.as_slice() {
                    [] => Tracing::None,
                    [0] if *elem_size == 8 => Tracing::RefArray,
                    refs => Tracing::Elements(refs.into()),
                };
                (tracing, SizeRule::PerElement(*elem_size))
            }
            Shape::WeakCell => (Tracing::Weak, SizeRule::Fixed(layout::GRANULE as u32)),
        };
        TypeInfo { tracing, size, name: layout.name.as_str().into() }
    }

    /// Calls `visit` with the address of every reference slot of the object, weak ones left out.
    ///
    /// # Safety
    /// A live object of this type is at `address`.
    pub unsafe fn for_each_slot(&self, address: usize, mut visit: impl FnMut(*mut usize)) {
        match &self.tracing {
            Tracing::None | Tracing::Weak => {}
            Tracing::Words(bits) => {
                let mut bits = *bits;
                while bits != 0 {
                    visit((address + 8 * bits.trailing_zeros() as usize) as *mut usize);
                    bits &= bits - 1;
                }
            }
            Tracing::Offsets(offsets) => {
                for offset in offsets {
                    visit((address + *offset as usize) as *mut usize);
                }
            }
            Tracing::RefArray | Tracing::Elements(_) => {
                // SAFETY: the caller vouches for the object; no address is beyond the end.
                unsafe { self.for_each_slot_between(address, 0, usize::MAX, visit) };
            }
        }
    }

    /// Calls `visit` with the address of every reference slot of an array that lies in `[start, end)`.
    ///
    /// # Safety
    /// A live array of this type is at `address`.
    pub unsafe fn for_each_slot_between(
        &self,
        address: usize,
        start: usize,
        end: usize,
        mut visit: impl FnMut(*mut usize),
    ) {
        let offsets: &[u32] = match &self.tracing {
            Tracing::Elements(offsets) => offsets,
            Tracing::RefArray => &[0],
            _ => return,
        };
        let SizeRule::PerElement(elem_size) = self.size else { unreachable!("an array") };
        let elem_size = elem_size as usize;
        // SAFETY: the caller says that the array is live.
        let room = unsafe { array_room(address) };
        let data = address + layout::ARRAY_DATA;
        let first = start.saturating_sub(data) / elem_size;
        let last = end.saturating_sub(data).div_ceil(elem_size).min(room);
        for i in first..last {
            for offset in offsets {
                let slot = data + i * elem_size + *offset as usize;
                if (start..end).contains(&slot) {
                    visit(slot as *mut usize);
                }
            }
        }
    }

    /// True when objects of the type hold references that the barrier looks at.
    pub fn has_references(&self) -> bool {
        !matches!(self.tracing, Tracing::None | Tracing::Weak)
    }
}

/// All types of a heap. Grows only.
#[derive(Default)]
pub(crate) struct TypeRegistry {
    types: RwLock<Arc<Vec<TypeInfo>>>,
}

impl TypeRegistry {
    pub fn register(&self, layout: &TypeLayout) -> TypeId {
        let info = TypeInfo::new(layout);
        let mut types = self.types.write().expect("no panic while types are added");
        let id = u32::try_from(types.len()).expect("fewer than 2^32 types");
        // Copies the table only when someone holds on to the one before.
        Arc::make_mut(&mut types).push(info);
        TypeId(id)
    }

    /// The table as it is now.
    pub fn read(&self) -> Arc<Vec<TypeInfo>> {
        Arc::clone(&self.types.read().expect("no panic while types are added"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reference_outside_its_object_is_refused_by_name() {
        let registry = TypeRegistry::default();
        let result = std::panic::catch_unwind(|| {
            registry.register(&TypeLayout::fixed("Patient", 24, &[20]));
        });
        let text = *result.unwrap_err().downcast::<String>().unwrap();
        assert!(text.contains("`Patient`") && text.contains("20"), "{text}");
    }

    #[test]
    fn sizes_round_up_to_granules_and_never_wrap() {
        assert_eq!(SizeRule::of_array(1, 0), Some(16));
        assert_eq!(SizeRule::of_array(1, 1), Some(32));
        assert_eq!(SizeRule::of_array(8, usize::MAX / 8), None);
        assert_eq!(SizeRule::of_array(8, usize::MAX), None);
    }
}
