//! Addresses that mean different things have different types.
//!
//! An [`ObjectRef`] is the address of an object's header; a slot is the address of a word that holds an
//! object's address or zero. Reading through either is `unsafe`: only the caller knows that the object
//! is still the one it was, which is so until the next safepoint unless something roots it.

use std::fmt;
use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicU8, AtomicU16, AtomicU32, AtomicUsize, Ordering};

use crate::layout;
use crate::types::TypeId;

/// The address of an object: where its header is. Never zero; a nil reference is `None`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(transparent)]
pub struct ObjectRef(NonZeroUsize);

impl ObjectRef {
    /// The reference that `address` stands for; `None` for zero, which is nil.
    #[inline]
    pub const fn from_address(address: usize) -> Option<ObjectRef> {
        match NonZeroUsize::new(address) {
            Some(address) => Some(ObjectRef(address)),
            None => None,
        }
    }

    /// The plain address, as compiled code holds it.
    #[inline]
    pub const fn address(self) -> usize {
        self.0.get()
    }

    /// A pointer to the byte at `offset` from the header.
    #[inline]
    pub const fn at<T>(self, offset: usize) -> *mut T {
        (self.0.get() + offset) as *mut T
    }

    /// The type of the object.
    ///
    /// # Safety
    /// The object is live.
    #[inline]
    pub unsafe fn type_id(self) -> TypeId {
        // SAFETY: a live object has a header, and the type is read as the u32 it always is (I7).
        TypeId(unsafe { (*self.at::<AtomicU32>(0)).load(Ordering::Relaxed) })
    }

    /// The colour byte of the object.
    ///
    /// # Safety
    /// The object is live.
    #[inline]
    pub unsafe fn colour(self) -> u8 {
        // SAFETY: a live object has a header, and the colour is a byte of its own (I7).
        unsafe { (*self.at::<AtomicU8>(layout::COLOUR)).load(Ordering::Relaxed) }
    }

    /// Publishes the colour before the store that follows it (I8).
    ///
    /// # Safety
    /// The object is live.
    pub(crate) unsafe fn set_colour(self, colour: u8) {
        // SAFETY: the caller vouches for the object; the colour is a byte of its own (I7).
        unsafe { (*self.at::<AtomicU8>(layout::COLOUR)).store(colour, Ordering::Release) }
    }

    /// The array's length: what it was made for, or what the embedder has written since.
    ///
    /// # Safety
    /// The object is a live array.
    #[inline]
    pub unsafe fn array_len(self) -> usize {
        // SAFETY: an array has its length at this offset, in a word that is always read and written whole.
        unsafe { (*self.at::<AtomicUsize>(layout::ARRAY_LEN)).load(Ordering::Relaxed) }
    }

    /// How many elements the array has room for.
    ///
    /// # Safety
    /// The object is a live array.
    #[inline]
    pub unsafe fn array_room(self) -> usize {
        // SAFETY: an array has its room at this offset, in a half-word of its own.
        layout::room_of(unsafe {
            (*self.at::<AtomicU16>(layout::ARRAY_ROOM)).load(Ordering::Relaxed)
        })
    }

    /// The reference in the slot at `offset`, `None` when it is nil.
    ///
    /// # Safety
    /// The object is live and its type has a reference at `offset`.
    #[inline]
    pub unsafe fn load(self, offset: usize) -> Option<ObjectRef> {
        // SAFETY: the caller says that a reference slot is there; slots are word-aligned.
        ObjectRef::from_address(unsafe {
            (*self.at::<AtomicUsize>(offset)).load(Ordering::Relaxed)
        })
    }

    /// Stores a reference into the slot at `offset` without the write barrier: for the fields of an
    /// object that was allocated after the last safepoint. Any other store goes through
    /// [`crate::Mutator::store`].
    ///
    /// # Safety
    /// The object is live, its type has a reference at `offset`, and no safepoint lies between the
    /// object's allocation and this store.
    #[inline]
    pub unsafe fn initialise(self, offset: usize, value: Option<ObjectRef>) {
        let value = value.map_or(0, ObjectRef::address);
        // SAFETY: as for `load`.
        unsafe { (*self.at::<AtomicUsize>(offset)).store(value, Ordering::Relaxed) }
    }
}

impl fmt::Debug for ObjectRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ObjectRef({:#x})", self.0)
    }
}
