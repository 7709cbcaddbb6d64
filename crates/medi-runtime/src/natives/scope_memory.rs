//! Scope memory: what `scope`, `allocate`, `free` and `view` are compiled to.

use medi_heap::Bytes;
use medi_region::space::CHUNK;
use medi_region::{AllocateError, Buffer, Descriptor, End, Ending, FreeError, Region};

use crate::call::Call;
use crate::check;
use crate::context::Context;
use crate::error::{RuntimeError, codes};
use crate::leaks::Watch;

super::table! {
    leaf scope_enter, call scope_exit, call scope_allocate, call scope_free, call scope_view, call scope_raise,
    call owned_allocate, call owned_free, call pin_raise, call view_copy, call region_allocate, call region_raise,
    leaf region_shade,
}

/// → where the scope's objects go.
unsafe extern "C" fn scope_enter(context: *mut Context) -> u64 {
    // SAFETY: see the module `natives`.
    unsafe { Call::new(context) }.scopes().enter().as_ptr() as u64
}

/// (region, whether it may refer to collected objects, size in bytes) → handle of the next object, once there is room for it at
/// the region's cursor, which is not moved.
unsafe extern "C" fn region_allocate(
    context: *mut Context,
    region: u64,
    traced: u64,
    bytes: u64,
) -> u64 {
    // SAFETY: see the module `natives`.
    let call = unsafe { Call::new(context) };
    let region = region as *const Region;
    let site = call.memory_site(false);
    let make = || call.scopes().make_room(region, traced != 0, bytes as usize, site);
    let mut allocated = make();
    if call.is_watched() {
        watch(call, call.scopes().depth_of(region), CHUNK as u64, site);
    }
    if matches!(allocated, Err(AllocateError::Limit)) {
        // Garbage may be what stands in the way.
        call.mutator().collect();
        allocated = make();
    }
    allocated.unwrap_or_else(|error| {
        call.raise(no_buffer(call, bytes, &error));
        0
    })
}

/// (handle): the object is gone with its scope, or else because nobody shares it.
unsafe extern "C" fn region_raise(context: *mut Context, handle: u64) {
    // SAFETY: see the module `natives`.
    let call = unsafe { Call::new(context) };
    if call.scopes().space().resolve(handle).is_some() {
        let message = "this shared object is gone: nobody shares it any more";
        let help = "each `free(x)` gives up one share, and each `x.share()` is one more; ask a weak reference whether it \
                    is there: `x.weak()`";
        call.raise(RuntimeError::new(codes::USE_AFTER_FREE, message).with_help(help));
        return;
    }
    let message = "this object is gone: the scope that it was made in has ended";
    let mut error = RuntimeError::new(codes::USE_AFTER_FREE, message);
    if let Some(end) = call.scopes().space().ending(handle) {
        let made = ("the first object of that scope was made", end.allocated_at);
        error = error
            .with_help(call.run().sites().story(&[made, ("all are gone with it", end.ended_at)]));
    }
    call.raise(error);
}

/// (address): has the collector mark a reference that goes into an object of a region, or out of one.
unsafe extern "C" fn region_shade(context: *mut Context, address: u64) {
    // SAFETY: see the module `natives`.
    unsafe { Call::new(context) }.heap().shade(address as usize);
}

unsafe extern "C" fn scope_exit(context: *mut Context) {
    // SAFETY: see the module `natives`.
    let call = unsafe { Call::new(context) };
    call.scopes().exit(call.memory_site(false));
    let open = call.scopes().depth();
    if let Some(leaks) = &call.run().leaks
        && call.watches().len() > open
    {
        call.watches().drain(open..).for_each(|watch| leaks.scope_ends(&watch));
    }
    raise_damage(call);
}

/// Notes what the scope at that depth has allocated, if somebody watches for leaks.
fn watch(call: Call, depth: Option<usize>, bytes: u64, site: u64) {
    let Some(depth) = depth.filter(|_| call.is_watched()) else { return };
    let watches = call.watches();
    if watches.len() <= depth {
        watches.resize_with(depth + 1, || Watch::new(site));
    }
    watches[depth].allocated(bytes, site);
}

/// Stops the program when a buffer that has ended was written around.
fn raise_damage(call: Call) {
    if let Some(damage) = call.scopes().take_damage() {
        call.raise(check::damage(call.run().sites(), damage));
    }
}

/// (bytes) → (descriptor, generation).
unsafe extern "C" fn scope_allocate(context: *mut Context, bytes: i64) {
    // SAFETY: see the module `natives`.
    let call = unsafe { Call::new(context) };
    let site = call.memory_site(call.scopes().will_guard(bytes as u64));
    allocate(call, bytes, |size| call.scopes().allocate(size, site));
    watch(call, call.scopes().depth().checked_sub(1), bytes.max(0) as u64, site);
}

/// (bytes) → (descriptor, generation).
unsafe extern "C" fn owned_allocate(context: *mut Context, bytes: i64) {
    // SAFETY: see the module `natives`.
    let call = unsafe { Call::new(context) };
    let site = call.memory_site(call.owned().will_guard(bytes as u64));
    allocate(call, bytes, |size| call.owned().allocate(size, site));
}

fn allocate(call: Call, bytes: i64, make: impl Fn(u64) -> Result<Buffer, AllocateError>) {
    let Ok(size) = u64::try_from(bytes) else {
        call.bad_argument(format!("a size cannot be negative: {bytes}"));
        return;
    };
    let mut allocated = make(size);
    if matches!(allocated, Err(AllocateError::Limit)) {
        // Garbage may be what stands in the way.
        call.mutator().collect();
        allocated = make(size);
    }
    match allocated {
        Ok(buffer) => call.results([buffer.descriptor as u64, buffer.generation]),
        Err(error) => {
            call.raise(no_buffer(call, size, &error));
        }
    }
}

fn no_buffer(call: Call, size: u64, error: &AllocateError) -> RuntimeError {
    let wanted = Bytes(size);
    let code = codes::OUT_OF_MEMORY;
    match error {
        AllocateError::Limit => {
            let stats = call.heap().stats();
            let limit = stats.limit.map_or(String::from("none"), |limit| Bytes(limit).to_string());
            let held = format!(
                "{} of collected memory and {} in scopes are in use",
                Bytes(stats.live_bytes),
                Bytes(stats.external_bytes)
            );
            RuntimeError::new(
                code,
                format!("allocate({wanted}) does not fit: the memory limit is {limit}, {held}"),
            )
            .with_help("allow more with --memory, or allocate less: a buffer counts in full from the start")
        }
        AllocateError::TooLarge => {
            RuntimeError::new(code, format!("allocate({wanted}) is more than any memory"))
        }
        AllocateError::System(error) => RuntimeError::new(
            code,
            format!("allocate({wanted}) failed: the operating system says: {error}"),
        ),
        AllocateError::NoScope => {
            RuntimeError::new(codes::INTERNAL, "a buffer was allocated outside of any scope")
        }
    }
}

/// `free(buffer)`.
unsafe extern "C" fn scope_free(context: *mut Context, descriptor: u64, generation: u64) {
    // SAFETY: see the module `natives`; descriptors in compiled code come from `scope_allocate`.
    unsafe {
        let call = Call::new(context);
        let site = call.memory_site(false);
        let descriptor = descriptor as *const Descriptor;
        let bytes = (*descriptor).len();
        let freed = call.scopes().free(descriptor, generation, site);
        if let Some(watch) = call.watches().last_mut().filter(|_| freed.is_ok()) {
            watch.freed(bytes);
        }
        finish_free(call, freed);
    }
}

/// `free(owned)`.
unsafe extern "C" fn owned_free(context: *mut Context, descriptor: u64, generation: u64) {
    // SAFETY: see the module `natives`; descriptors of owned memory come from `owned_allocate`.
    unsafe {
        let call = Call::new(context);
        let site = call.memory_site(false);
        let freed = call.owned().free(descriptor as *const Descriptor, generation, site);
        finish_free(call, freed);
    }
}

fn finish_free(call: Call, freed: Result<(), FreeError>) {
    let (error, end) = match freed {
        Ok(()) => return raise_damage(call),
        Err(FreeError::Ended(end @ Some(End { ending: Ending::ScopeExited, .. }))) => {
            let message = "this buffer cannot be freed: its scope has ended, which freed it";
            (RuntimeError::new(codes::USE_AFTER_FREE, message), end)
        }
        Err(FreeError::Ended(end)) => {
            (RuntimeError::new(codes::DOUBLE_FREE, "this buffer was freed before"), end)
        }
        Err(FreeError::Foreign) => {
            let message = "this buffer cannot be freed here: it belongs to a scope of another task";
            (RuntimeError::new(codes::USE_AFTER_FREE, message), None)
        }
    };
    call.raise(with_history(call, error, end));
}

/// (whether the thread is the pin's): an object cannot be had from a pin.
unsafe extern "C" fn pin_raise(context: *mut Context, own: u64) {
    // SAFETY: see the module `natives`.
    let call = unsafe { Call::new(context) };
    let (message, help) = match own {
        0 => (
            "this pin belongs to the task that made it",
            "pin the value inside of the task that uses it",
        ),
        _ => (
            "this list was resized while it was pinned",
            "let the pin go before the list grows, or make it large enough first",
        ),
    };
    call.raise(RuntimeError::new(codes::PIN, message).with_help(help));
}

/// (descriptor, generation, index, length): an access failed because the memory is gone, or else because the
/// index is outside.
unsafe extern "C" fn scope_raise(
    context: *mut Context,
    descriptor: u64,
    generation: u64,
    index: i64,
    len: i64,
) {
    // SAFETY: see the module `natives`; as for `scope_free`.
    let call = unsafe { Call::new(context) };
    if !check_alive(call, descriptor, generation) {
        return;
    }
    // SAFETY: as above.
    let (site, bytes) = unsafe {
        let descriptor = descriptor as *const Descriptor;
        (call.scopes().allocated_at(descriptor), (*descriptor).len())
    };
    let last = match len {
        0 => "it is empty".to_string(),
        1 => "its only index is 0".to_string(),
        len => format!("its indices are 0 to {}", len - 1),
    };
    let error = RuntimeError::new(
        codes::SCOPE_BOUNDS,
        format!("index {index} is outside of this scope memory: {last}"),
    );
    let what = format!("the buffer of {} was allocated", Bytes(bytes));
    call.raise(error.with_help(call.run().sites().story(&[(&what, site)])));
}

/// Raises the error of a use after the end; whether the memory is alive.
fn check_alive(call: Call, descriptor: u64, generation: u64) -> bool {
    let descriptor = descriptor as *const Descriptor;
    // SAFETY: descriptors in compiled code come from `scope_allocate`, and stay mapped as long as the thread.
    let end = unsafe {
        if (*descriptor).generation() == generation {
            return true;
        }
        call.scopes().ending(descriptor, generation)
    };
    let message = match end {
        Some(End { ending: Ending::ScopeExited, .. }) => {
            "this memory is gone: the scope that it was allocated in has ended"
        }
        _ => "this memory is gone: its buffer was freed",
    };
    call.raise(with_history(call, RuntimeError::new(codes::USE_AFTER_FREE, message), end));
    false
}

/// Adds where the buffer was allocated and where it ended.
fn with_history(call: Call, error: RuntimeError, end: Option<End>) -> RuntimeError {
    let Some(end) = end else { return error };
    let ended = match end.ending {
        Ending::Freed => "freed",
        Ending::ScopeExited => "gone with its scope",
    };
    let allocated = format!("the buffer of {} was allocated", Bytes(end.len));
    let parts = [(allocated.as_str(), end.allocated_at), (ended, end.ended_at)];
    error.with_help(call.run().sites().story(&parts))
}

/// (descriptor, generation, offset in bytes, length in elements or −1, element size) → the four words of a view.
unsafe extern "C" fn scope_view(
    context: *mut Context,
    descriptor: u64,
    generation: u64,
    offset: i64,
    len: i64,
    size: i64,
) {
    // SAFETY: see the module `natives`; as for `scope_free`.
    let call = unsafe { Call::new(context) };
    if !check_alive(call, descriptor, generation) {
        return;
    }
    // SAFETY: as above.
    let buffer = unsafe { &*(descriptor as *const Descriptor) };
    let bytes = buffer.len() as i64;
    let bounds = |message: String| {
        call.raise(RuntimeError::new(codes::SCOPE_BOUNDS, message));
    };
    if offset < 0 || offset > bytes {
        return bounds(format!(
            "a view cannot begin at byte {offset} of a buffer of {bytes} bytes"
        ));
    }
    let alignment = size & size.wrapping_neg();
    if offset % alignment.min(8) != 0 {
        let least = alignment.min(8);
        return bounds(format!(
            "a view of {size}-byte elements must begin at a multiple of {least} bytes, not at {offset}"
        ));
    }
    let room = (bytes - offset) / size;
    let len = match len {
        -1 => room,
        len if (0..=room).contains(&len) => len,
        len => {
            return bounds(format!(
                "a view of {len} elements does not fit: there is room for {room} from byte {offset} on"
            ));
        }
    };
    call.results([descriptor, generation, buffer.base() + offset as u64, len as u64]);
}

/// The bytes of a live view with elements of `size` bytes; `None` when an error was raised.
///
/// # Safety
/// The words are those of a view that compiled code holds; nothing frees it while the slice is used.
pub(super) unsafe fn view_bytes<'a>(call: Call, view: [u64; 4], size: usize) -> Option<&'a [u8]> {
    if !check_alive(call, view[0], view[1]) {
        return None;
    }
    // SAFETY: a live view lies inside its buffer.
    Some(unsafe { std::slice::from_raw_parts(view[2] as *const u8, view[3] as usize * size) })
}

/// `view_copy[T](v: View[T], to: array[T])`: all elements; the array is as long.
unsafe extern "C" fn view_copy(
    context: *mut Context,
    descriptor: u64,
    generation: u64,
    base: u64,
    len: u64,
    to: u64,
) {
    // SAFETY: see the module `natives`; elements of views are plain, and the library makes the array as
    // long as the view.
    unsafe {
        let call = Call::new(context);
        let size = call.arrays().elements(crate::value::object(to)).size;
        if let Some(from) = view_bytes(call, [descriptor, generation, base, len], size) {
            let to = crate::value::object(to);
            let data = to.at::<u8>(medi_heap::layout::ARRAY_DATA);
            let room = to.array_room() * size;
            data.copy_from_nonoverlapping(from.as_ptr(), from.len().min(room));
        }
    }
}
