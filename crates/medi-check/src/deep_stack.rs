//! A thread with a stack that is deep enough for whatever tree the parser lets through.

use std::io;
use std::thread::Builder;

/// The checker and the lowering recurse as deep as the tree does, which the parser bounds; this holds that in a debug
/// build too, whatever thread the caller is on.
pub const STACK_BYTES: usize = 64 << 20;

/// Whether the system gives such a thread, which [`run`] takes for granted.
///
/// # Errors
/// When it does not.
pub fn is_there() -> io::Result<()> {
    std::thread::scope(|scope| builder("probe").spawn_scoped(scope, || ()).map(|_| ()))
}

pub(crate) fn run<T: Send>(name: &str, work: impl FnOnce() -> T + Send) -> T {
    std::thread::scope(|scope| {
        let thread = builder(name).spawn_scoped(scope, work).expect("a thread for the compiler");
        thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })
}

fn builder(name: &str) -> Builder {
    Builder::new().name(name.to_owned()).stack_size(STACK_BYTES)
}
