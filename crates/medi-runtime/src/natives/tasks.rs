//! Tasks: what `spawn`, `join`, `parallel` and `parallel for` are compiled to, by way of lib/tasks.medi.

use crate::call::Call;
use crate::context::Context;
use crate::error::{RuntimeError, codes};
use crate::value::object;
use crate::work::{self, Kind};

super::table! {
    leaf task_number, call task_require, call task_start, call task_join, call tasks_all, call tasks_all_or_fail, call tasks_range, call tasks_range_or_fail,
}

/// The number of the task that runs, 0 for `main`; each part of a `parallel` has its own.
unsafe extern "C" fn task_number(context: *mut Context) -> i64 {
    // SAFETY: see the module `natives`.
    unsafe { Call::new(context) }.execution().map_or(0, |execution| execution.number)
}

/// A function that captured scope memory runs: only in the task that made it.
unsafe extern "C" fn task_require(context: *mut Context, made_in: i64) {
    // SAFETY: see the module `natives`.
    if unsafe { task_number(context) } != made_in {
        let message = "this function uses memory of a scope, which belongs to another task";
        let error = RuntimeError::new(codes::FOREIGN_SCOPE, message).with_help(
            "open a `scope` inside the task, or let the function use a copy: `promote(…)`",
        );
        // SAFETY: see the module `natives`.
        unsafe { Call::new(context) }.raise(error);
    }
}

/// `task_start(body: func() -> ()) -> int`: runs it at some time, on some thread; a number for `task_join`.
unsafe extern "C" fn task_start(context: *mut Context, body: u64) -> i64 {
    // SAFETY: see the module `natives`.
    work::start(unsafe { Call::new(context) }, object(body))
}

/// `task_join(task: int)`: waits until the task has ended. One that was waited for before has.
unsafe extern "C" fn task_join(context: *mut Context, task: i64) {
    // SAFETY: see the module `natives`.
    work::join(unsafe { Call::new(context) }, task);
}

/// `tasks_all(bodies: array[func() -> ()], count: int)`: runs all at the same time and waits for them.
unsafe extern "C" fn tasks_all(context: *mut Context, bodies: u64, count: i64) {
    // SAFETY: see the module `natives`.
    let call = unsafe { Call::new(context) };
    work::run_all(call, Kind::Closures, false, object(bodies), 0, count);
}

/// `tasks_all_or_fail(bodies: array[func() -> Result[()]], count: int) -> Result[()]`: as `tasks_all`; one that fails
/// cancels the others and is the result.
unsafe extern "C" fn tasks_all_or_fail(context: *mut Context, bodies: u64, count: i64) -> u64 {
    // SAFETY: see the module `natives`.
    let call = unsafe { Call::new(context) };
    let failure = work::run_all(call, Kind::Closures, true, object(bodies), 0, count);
    failure.map_or(0, |message| message.get().address() as u64)
}

/// `tasks_range(from: int, to: int, body: func(int, int) -> ())`: calls the closure with parts of `from..to`, at the
/// same time, and waits for all.
unsafe extern "C" fn tasks_range(context: *mut Context, from: i64, to: i64, body: u64) {
    // SAFETY: see the module `natives`.
    let call = unsafe { Call::new(context) };
    work::run_all(call, Kind::Range, false, object(body), from, to);
}

/// `tasks_range_or_fail(from: int, to: int, body: func(int, int) -> Result[()]) -> Result[()]`: as `tasks_range`; a part
/// that fails cancels the others and is the result.
unsafe extern "C" fn tasks_range_or_fail(
    context: *mut Context,
    from: i64,
    to: i64,
    body: u64,
) -> u64 {
    // SAFETY: see the module `natives`.
    let call = unsafe { Call::new(context) };
    let failure = work::run_all(call, Kind::Range, true, object(body), from, to);
    failure.map_or(0, |message| message.get().address() as u64)
}
