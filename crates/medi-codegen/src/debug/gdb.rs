//! gdb's interface for code made at run time, which lldb understands too: a list of object files in memory,
//! and a function with a breakpoint on it that is called when the list changes.

use std::ptr;
use std::sync::{Mutex, PoisonError};

/// An entry of the list, as gdb's documentation fixes it.
#[repr(C)]
struct Entry {
    next: *mut Entry,
    previous: *mut Entry,
    object: *const u8,
    size: u64,
}

#[repr(C)]
struct Descriptor {
    version: u32,
    action: u32,
    relevant: *mut Entry,
    first: *mut Entry,
}

const REGISTER: u32 = 1;
const UNREGISTER: u32 = 2;

/// gdb finds the list by this name.
#[unsafe(no_mangle)]
static mut __jit_debug_descriptor: Descriptor =
    Descriptor { version: 1, action: 0, relevant: ptr::null_mut(), first: ptr::null_mut() };

/// gdb stops here when the list has changed.
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn __jit_debug_register_code() {
    std::hint::black_box(());
}

/// Guards the descriptor.
static LIST: Mutex<()> = Mutex::new(());

/// An object file that debuggers know while this lives.
#[derive(Debug)]
pub struct Registered {
    entry: *mut Entry,
    /// What the entry points at.
    _object: Box<[u8]>,
}

// SAFETY: the entry is touched under the lock only.
unsafe impl Send for Registered {}
// SAFETY: a shared value does nothing.
unsafe impl Sync for Registered {}

impl Registered {
    /// The code that the object describes must stay mapped as long as the value lives.
    pub fn new(object: Vec<u8>) -> Registered {
        let object = object.into_boxed_slice();
        let _guard = LIST.lock().unwrap_or_else(PoisonError::into_inner);
        let descriptor = &raw mut __jit_debug_descriptor;
        // SAFETY: the lock is held; the entries in the list are alive, as each leaves it when dropped.
        unsafe {
            let entry = Box::into_raw(Box::new(Entry {
                next: (*descriptor).first,
                previous: ptr::null_mut(),
                object: object.as_ptr(),
                size: object.len() as u64,
            }));
            if let Some(next) = (*entry).next.as_mut() {
                next.previous = entry;
            }
            (*descriptor).first = entry;
            announce(descriptor, REGISTER, entry);
            Registered { entry, _object: object }
        }
    }
}

impl Drop for Registered {
    fn drop(&mut self) {
        let _guard = LIST.lock().unwrap_or_else(PoisonError::into_inner);
        let descriptor = &raw mut __jit_debug_descriptor;
        // SAFETY: as in `new`; the entry was made there and is freed once.
        unsafe {
            let Entry { next, previous, .. } = *self.entry;
            match previous.as_mut() {
                Some(previous) => previous.next = next,
                None => (*descriptor).first = next,
            }
            if let Some(next) = next.as_mut() {
                next.previous = previous;
            }
            announce(descriptor, UNREGISTER, self.entry);
            drop(Box::from_raw(self.entry));
        }
    }
}

/// # Safety
/// The lock is held and the descriptor is the process's.
unsafe fn announce(descriptor: *mut Descriptor, action: u32, entry: *mut Entry) {
    // SAFETY: the caller's promise.
    unsafe {
        (*descriptor).relevant = entry;
        (*descriptor).action = action;
    }
    __jit_debug_register_code();
}
