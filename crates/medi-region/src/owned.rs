//! Buffers that no scope owns: whoever holds the handle frees it, on whatever thread.

use std::alloc::{self, Layout};
use std::collections::HashMap;
use std::io;
use std::ptr::NonNull;
use std::sync::{Arc, Mutex, MutexGuard};

use crate::descriptor::{Descriptor, Ending, Pool, Slot};
use crate::guard::{Damage, Guarded, Guards, Picker};
use crate::mapping::Mapping;
use crate::scopes::{AllocateError, Buffer, FreeError, Ledger, Refused};
use crate::{ALIGNMENT, LARGE};

enum Memory {
    Small { base: NonNull<u8>, layout: Layout },
    Large(Mapping),
    Guarded(Guarded),
}

// SAFETY: the memory is owned like a box of bytes.
unsafe impl Send for Memory {}

impl Memory {
    /// Zeroed.
    fn new(bytes: usize) -> io::Result<Memory> {
        if bytes >= LARGE {
            return Mapping::new(bytes).map(Memory::Large);
        }
        let layout = Layout::from_size_align(bytes, ALIGNMENT).expect("less than a large buffer");
        // SAFETY: the size is not zero.
        let base = NonNull::new(unsafe { alloc::alloc_zeroed(layout) });
        base.map(|base| Memory::Small { base, layout }).ok_or(io::ErrorKind::OutOfMemory.into())
    }

    fn base(&self) -> NonNull<u8> {
        match self {
            Memory::Small { base, .. } => *base,
            Memory::Large(mapping) => mapping.base(),
            Memory::Guarded(guarded) => guarded.base,
        }
    }
}

impl Drop for Memory {
    fn drop(&mut self) {
        if let Memory::Small { base, layout } = *self {
            // SAFETY: it came from the allocator with this layout, and goes once.
            unsafe { alloc::dealloc(base.as_ptr(), layout) };
        }
    }
}

struct State {
    picker: Picker,
    pool: Pool,
    /// By descriptor: the memory, and the bytes charged.
    live: HashMap<usize, (Memory, u64)>,
}

// SAFETY: the pool's slots are touched under the lock, or through their atomics.
unsafe impl Send for State {}

/// All owned buffers of a program. Descriptors stay in place as long as this lives.
pub struct OwnedBuffers<L: Ledger> {
    ledger: L,
    guards: Arc<Guards>,
    state: Mutex<State>,
}

impl<L: Ledger> OwnedBuffers<L> {
    pub fn new(ledger: L) -> Self {
        Self::guarded(ledger, Arc::default())
    }

    /// As [`OwnedBuffers::new`], with guards around some or all.
    pub fn guarded(ledger: L, guards: Arc<Guards>) -> Self {
        let (picker, pool) = (Picker::new(&guards), Pool::for_guards(&guards));
        Self { ledger, guards, state: Mutex::new(State { picker, pool, live: HashMap::new() }) }
    }

    /// Whether the next buffer will be guarded, if it has that many bytes and nobody else allocates before.
    pub fn will_guard(&self, bytes: u64) -> bool {
        self.state().picker.would_pick(bytes)
    }

    /// The first damage that the end of a guarded buffer has shown since this was asked.
    pub fn take_damage(&self) -> Option<Damage> {
        self.guards.take_damage()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no panic while buffers change")
    }

    /// How many are not freed.
    pub fn live_buffers(&self) -> usize {
        self.state().live.len()
    }

    /// Size and site of each that is not freed.
    pub fn live(&self) -> Vec<(u64, u64)> {
        let state = self.state();
        let slots = state.live.keys().map(|address| {
            // SAFETY: the keys are the slots of live buffers, which never move and are in the pool.
            let slot = unsafe { &*std::ptr::with_exposed_provenance::<Slot>(*address) };
            (slot.descriptor.len(), slot.allocated_at())
        });
        slots.collect()
    }

    /// A buffer of `bytes` zeroed bytes.
    ///
    /// # Errors
    /// See [`AllocateError`]; nothing has changed then.
    pub fn allocate(&self, bytes: u64, site: u64) -> Result<Buffer, AllocateError> {
        let wanted = usize::try_from(bytes).ok().filter(|n| *n <= isize::MAX as usize - ALIGNMENT);
        let wanted = wanted.ok_or(AllocateError::TooLarge)?;
        let rounded = wanted.max(1).next_multiple_of(ALIGNMENT);
        self.ledger.charge(rounded as u64).map_err(|Refused| AllocateError::Limit)?;
        let picked = self.state().picker.picks(bytes);
        let guarded = picked.then(|| self.guards.take(wanted, site)).flatten();
        let memory = guarded.map_or_else(|| Memory::new(rounded), |it| Ok(Memory::Guarded(it)));
        let memory = memory.map_err(|error| {
            self.ledger.release(rounded as u64);
            AllocateError::System(error)
        })?;
        let mut state = self.state();
        let slot = state.pool.take();
        // SAFETY: the pool's slots live as long as the pool.
        let generation =
            unsafe { slot.as_ref() }.begin(memory.base().addr().get() as u64, bytes, 0, site);
        state.live.insert(slot.as_ptr().expose_provenance(), (memory, rounded as u64));
        Ok(Buffer { descriptor: slot.as_ptr().cast(), generation })
    }

    /// Frees a buffer.
    ///
    /// # Errors
    /// When it was freed before; nothing has changed then.
    ///
    /// # Safety
    /// The descriptor's address came from [`OwnedBuffers::allocate`] of this value.
    pub unsafe fn free(
        &self,
        descriptor: *const Descriptor,
        generation: u64,
        site: u64,
    ) -> Result<(), FreeError> {
        // SAFETY: the caller's promise; a descriptor is the first field of its slot, which never moves.
        let slot = unsafe { &*descriptor.cast::<Slot>() };
        let mut state = self.state();
        if slot.descriptor.generation() != generation {
            return Err(FreeError::Ended(slot.ending_of(generation)));
        }
        let (memory, charged) = state.live.remove(&descriptor.addr()).ok_or(FreeError::Foreign)?;
        if let Memory::Guarded(guarded) = &memory {
            self.guards.end(guarded, Ending::Freed, site);
        }
        slot.end(Ending::Freed, site);
        state.pool.give_back(NonNull::from(slot));
        self.ledger.release(charged);
        Ok(())
    }
}

impl<L: Ledger> Drop for OwnedBuffers<L> {
    fn drop(&mut self) {
        let state = self.state.get_mut().expect("no panic while buffers change");
        state.live.drain().for_each(|(_, (_, charged))| self.ledger.release(charged));
    }
}
