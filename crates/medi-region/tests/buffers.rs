//! What a scope promises about its buffers.

use std::cell::Cell;
use std::rc::Rc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use medi_region::{
    ALIGNMENT, AllocateError, Buffer, Ending, FreeError, LARGE, Ledger, Options, OwnedBuffers,
    Refused, Scopes, Unlimited,
};
use proptest::prelude::*;

#[derive(Clone, Default)]
struct Counted {
    charged: Rc<Cell<u64>>,
    limit: Option<u64>,
}

impl Ledger for Counted {
    fn charge(&self, bytes: u64) -> Result<(), Refused> {
        let total = self.charged.get() + bytes;
        if self.limit.is_some_and(|limit| total > limit) {
            return Err(Refused);
        }
        self.charged.set(total);
        Ok(())
    }

    fn release(&self, bytes: u64) {
        self.charged.set(self.charged.get() - bytes);
    }
}

fn scopes() -> Scopes<Unlimited> {
    Scopes::new(Unlimited, Options::default())
}

fn bytes(buffer: Buffer) -> &'static mut [u8] {
    // SAFETY: tests use the slice only while the buffer lives, and one slice at a time.
    unsafe {
        let descriptor = &*buffer.descriptor;
        std::slice::from_raw_parts_mut(descriptor.base() as *mut u8, descriptor.len() as usize)
    }
}

/// Looks at both ends and at a byte of each cache line between.
fn is_filled(buffer: Buffer, fill: u8) -> bool {
    let bytes = bytes(buffer);
    bytes.last().is_none_or(|byte| *byte == fill)
        && bytes.iter().step_by(61).all(|byte| *byte == fill)
}

fn is_alive(buffer: Buffer) -> bool {
    // SAFETY: descriptors stay mapped as long as their `Scopes`.
    unsafe { (*buffer.descriptor).generation() == buffer.generation }
}

#[test]
fn a_buffer_is_zero_and_aligned_also_when_its_memory_is_reused() {
    let mut scopes = scopes();
    for size in [1, 63, 64, 1000, LARGE as u64 - 1, LARGE as u64, 3 << 20] {
        for _ in 0..3 {
            scopes.enter();
            let buffer = scopes.allocate(size, 0).unwrap();
            assert_eq!(bytes(buffer).as_ptr() as usize % ALIGNMENT, 0);
            assert!(bytes(buffer).iter().all(|byte| *byte == 0));
            bytes(buffer).fill(0xAA);
            scopes.exit(0);
        }
    }
}

#[test]
fn leaving_a_scope_ends_its_buffers_and_no_others() {
    let mut scopes = scopes();
    scopes.enter();
    let outer = scopes.allocate(100, 0).unwrap();
    scopes.enter();
    let inner = scopes.allocate(100, 0).unwrap();
    scopes.exit(0);
    assert!(is_alive(outer) && !is_alive(inner));
    scopes.exit(0);
    assert!(!is_alive(outer));
}

#[test]
fn a_second_free_is_an_error_that_knows_both_places() {
    let mut scopes = scopes();
    scopes.enter();
    let buffer = scopes.allocate(100, 7).unwrap();
    // SAFETY: the handle is of these scopes.
    let (first, second) = unsafe {
        let first = scopes.free(buffer.descriptor, buffer.generation, 8);
        (first, scopes.free(buffer.descriptor, buffer.generation, 9))
    };
    assert!(first.is_ok());
    let Err(FreeError::Ended(Some(end))) = second else { panic!("freed twice: {second:?}") };
    assert_eq!((end.ending, end.allocated_at, end.ended_at, end.len), (Ending::Freed, 7, 8, 100));
}

#[test]
fn a_stale_handle_stays_stale_when_its_descriptor_is_reused() {
    let mut scopes = scopes();
    scopes.enter();
    let mut stale: Vec<Buffer> = vec![];
    for _ in 0..300 {
        let buffer = scopes.allocate(8, 0).unwrap();
        assert!(!stale.iter().any(|old| is_alive(*old)));
        // SAFETY: the handle is of these scopes.
        unsafe { scopes.free(buffer.descriptor, buffer.generation, 0) }.unwrap();
        stale.push(buffer);
    }
}

#[test]
fn the_limit_of_the_ledger_is_an_error_and_everything_is_released() {
    let ledger = Counted { limit: Some(10 << 20), ..Counted::default() };
    let mut scopes = Scopes::new(ledger.clone(), Options::default());
    scopes.enter();
    scopes.allocate(4 << 20, 0).unwrap();
    assert!(matches!(scopes.allocate(1 << 30, 0), Err(AllocateError::Limit)));
    let small = scopes.allocate(10, 0).unwrap();
    scopes.allocate(10, 0).unwrap();
    // SAFETY: the handle is of these scopes.
    unsafe { scopes.free(small.descriptor, small.generation, 0) }.unwrap();
    assert_eq!(ledger.charged.get(), (4 << 20) + 128, "a hole returns with its scope");
    scopes.exit(0);
    assert_eq!(ledger.charged.get(), 0);
}

#[test]
fn sizes_beyond_any_memory_are_errors() {
    let mut scopes = scopes();
    assert!(matches!(scopes.allocate(1, 0), Err(AllocateError::NoScope)));
    scopes.enter();
    assert!(matches!(scopes.allocate(u64::MAX, 0), Err(AllocateError::TooLarge)));
    assert!(matches!(scopes.allocate(1 << 62, 0), Err(AllocateError::System(_))));
    assert!(scopes.allocate(1, 0).is_ok());
}

#[test]
fn a_huge_buffer_costs_only_what_is_touched() {
    let mut scopes = scopes();
    scopes.enter();
    let buffer = scopes.allocate(64 << 30, 0).unwrap();
    bytes(buffer)[40 << 30] = 1;
    assert_eq!(bytes(buffer)[40 << 30], 1);
}

#[test]
fn dropping_the_scopes_releases_what_is_open() {
    let ledger = Counted::default();
    let mut scopes = Scopes::new(ledger.clone(), Options::default());
    scopes.enter();
    scopes.allocate(10, 0).unwrap();
    scopes.enter();
    scopes.allocate(2 << 20, 0).unwrap();
    drop(scopes);
    assert_eq!(ledger.charged.get(), 0);
}

#[derive(Clone, Debug)]
enum Step {
    Enter,
    Exit,
    Allocate(u64),
    /// Of the n-th handle ever made, live or stale.
    Free(usize),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        2 => Just(Step::Enter),
        2 => Just(Step::Exit),
        6 => (0u64..5000).prop_map(Step::Allocate),
        2 => (900_000u64..1_200_000).prop_map(Step::Allocate),
        4 => (0usize..64).prop_map(Step::Free),
    ]
}

proptest! {
    /// Against a model: live buffers keep their bytes, overlap nothing, stale ones are known as such.
    #[test]
    fn live_buffers_keep_their_bytes(
        steps in proptest::collection::vec(step(), 1..120),
        poison in any::<bool>(),
    ) {
        let ledger = Counted::default();
        let mut scopes = Scopes::new(ledger.clone(), Options { poison, ..Options::default() });
        // (handle, alive, scope depth, fill byte)
        let mut made: Vec<(Buffer, bool, usize, u8)> = vec![];
        for step in steps {
            match step {
                Step::Enter => {
                    scopes.enter();
                }
                Step::Exit if scopes.depth() == 0 => {}
                Step::Exit => {
                    let depth = scopes.depth();
                    scopes.exit(0);
                    for entry in made.iter_mut().filter(|entry| entry.2 == depth) {
                        entry.1 = false;
                    }
                }
                Step::Allocate(size) => match scopes.allocate(size, 0) {
                    Ok(buffer) => {
                        prop_assert!(is_filled(buffer, 0));
                        let fill = made.len() as u8 | 1;
                        bytes(buffer).fill(fill);
                        made.push((buffer, true, scopes.depth(), fill));
                    }
                    Err(_) => prop_assert_eq!(scopes.depth(), 0),
                },
                Step::Free(index) => {
                    if let Some(entry) = made.get_mut(index) {
                        // SAFETY: the handle is of these scopes.
                        let freed = unsafe {
                            scopes.free(entry.0.descriptor, entry.0.generation, 0)
                        };
                        prop_assert_eq!(freed.is_ok(), entry.1);
                        entry.1 = false;
                    }
                }
            }
            for (buffer, alive, _, fill) in &made {
                prop_assert_eq!(is_alive(*buffer), *alive);
                if *alive {
                    prop_assert!(is_filled(*buffer, *fill));
                }
            }
            prop_assert_eq!(scopes.live_buffers(), made.iter().filter(|entry| entry.1).count());
        }
        drop(scopes);
        prop_assert_eq!(ledger.charged.get(), 0);
    }
}

/// Counts for several threads.
#[derive(Default)]
struct Total(AtomicU64);

impl Ledger for &Total {
    fn charge(&self, bytes: u64) -> Result<(), Refused> {
        self.0.fetch_add(bytes, Ordering::Relaxed);
        Ok(())
    }

    fn release(&self, bytes: u64) {
        self.0.fetch_sub(bytes, Ordering::Relaxed);
    }
}

#[test]
fn an_owned_buffer_is_freed_once_on_any_thread_and_pays_back_its_charge() {
    let total = Total::default();
    let charged = || total.0.load(Ordering::Relaxed);
    let owned = OwnedBuffers::new(&total);
    for bytes in [0, 100, LARGE as u64] {
        let buffer = owned.allocate(bytes, 7).expect("there is memory");
        // SAFETY: the descriptor stays in place as long as `owned`.
        let descriptor = unsafe { &*buffer.descriptor };
        assert_eq!(descriptor.base() as usize % ALIGNMENT, 0);
        assert_eq!((descriptor.len(), owned.live_buffers()), (bytes, 1));
        let address = buffer.descriptor.expose_provenance();
        let generation = buffer.generation;
        let free = || {
            let descriptor = std::ptr::with_exposed_provenance(address);
            // SAFETY: the address is that of the descriptor.
            unsafe { owned.free(descriptor, generation, 8) }
        };
        let freed = thread::scope(|scope| scope.spawn(free).join()).expect("no panic");
        assert_eq!(freed, Ok(()));
        let Err(FreeError::Ended(Some(end))) = free() else { panic!("freed twice") };
        assert_eq!((end.allocated_at, end.ended_at, end.len), (7, 8, bytes));
        assert_eq!(charged(), 0);
    }
    owned.allocate(64, 0).expect("there is memory");
    drop(owned);
    assert_eq!(charged(), 0);
}

#[test]
fn a_buffer_is_not_freed_by_scopes_that_it_is_not_of() {
    let (mut mine, mut others) = (scopes(), scopes());
    mine.enter();
    others.enter();
    let buffer = mine.allocate(64, 0).expect("there is memory");
    others.allocate(64, 0).expect("there is memory");
    // SAFETY: the descriptor is that of a buffer that lives.
    let freed = unsafe { others.free(buffer.descriptor, buffer.generation, 0) };
    assert_eq!(freed, Err(FreeError::Foreign));
    assert!(is_alive(buffer));
}
