//! The memory system as programs see it: `memory.collect()`, `memory.stats()`, `memory.snapshot(path)`.

use std::fmt::Write;

use serde_json::json;

use crate::call::Call;
use crate::context::Context;
use crate::leaks::Finding;
use crate::value::text;

super::table! { call memory_collect, call memory_number, call memory_limit, call memory_snapshot, call memory_leaks }

/// `memory_collect()`: a whole collection, now. Files that it finds lost are closed.
unsafe extern "C" fn memory_collect(context: *mut Context) {
    // SAFETY: see the module `natives`.
    let call = unsafe { Call::new(context) };
    call.mutator().collect();
    call.close_lost_files();
}

/// `memory_number(which: int) -> int`: one counter, in the order of the fields of the library's `MemoryStats`; −1 for a limit that is
/// not set.
unsafe extern "C" fn memory_number(context: *mut Context, which: i64) -> i64 {
    // SAFETY: see the module `natives`.
    let call = unsafe { Call::new(context) };
    let stats = call.heap().stats();
    let pauses = || stats.pauses.iter();
    let number = match which {
        0 => stats.cycles,
        1 => stats.allocated_bytes,
        2 => stats.live_bytes,
        3 => stats.heap_bytes,
        4 => stats.peak_heap_bytes,
        5 => stats.external_bytes,
        6 => match stats.limit {
            Some(limit) => limit,
            None => return -1,
        },
        7 => pauses().map(|pause| pause.max).max().unwrap_or(0),
        _ => stats.mark_wall_ns,
    };
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// `memory_limit(bytes: int) -> int`: sets the limit of collected and scope memory together; the old one, −1 for none.
unsafe extern "C" fn memory_limit(context: *mut Context, bytes: i64) -> i64 {
    // SAFETY: see the module `natives`.
    let call = unsafe { Call::new(context) };
    let Some(bytes) = u64::try_from(bytes).ok().filter(|bytes| *bytes >= 1 << 20) else {
        call.bad_argument(format!("a memory limit must be at least 1MB, not {bytes} bytes"));
        return 0;
    };
    let old = call.heap().set_limit(bytes);
    old.map_or(-1, |old| i64::try_from(old).unwrap_or(i64::MAX))
}

/// `memory_leaks() -> string`: collects, and says what leaks: for each leak its kind, what it is, how many bytes it holds and
/// what is known of it, each followed by a zero byte.
unsafe extern "C" fn memory_leaks(context: *mut Context) -> u64 {
    // SAFETY: see the module `natives`.
    let call = unsafe { Call::new(context) };
    let run = call.run();
    let Some(leaks) = &run.leaks else { return call.new_string("").unwrap_or(0) };
    leaks.look_soon();
    call.mutator().collect();
    let watches = call.watches();
    let findings = call.waiting(|| leaks.find(run, watches));
    let mut text = String::new();
    for finding in findings {
        let (kind, Finding { what, bytes, .. }) = (finding.kind.name(), &finding);
        let _ = write!(text, "{kind}\0{what}\0{bytes}\0{finding}\0");
    }
    call.new_string(&text).unwrap_or(0)
}

/// `memory_snapshot(path: string) -> Result[()]`: collects, and writes a census of the heap as JSON: `types` (name, objects,
/// bytes) and `sites` (type, bytes, place, estimated from a sample), both largest first, and the totals.
unsafe extern "C" fn memory_snapshot(context: *mut Context, path: u64) -> u64 {
    // SAFETY: see the module `natives`.
    let call = unsafe { Call::new(context) };
    // SAFETY: as above; the path is copied, since the collection may move it.
    let path = unsafe { text(path) }.to_string();
    call.mutator().collect();
    let stats = call.heap().stats();
    let types: Vec<_> = call
        .heap()
        .census()
        .iter()
        .map(|row| json!({ "type": row.name, "objects": row.objects, "bytes": row.bytes }))
        .collect();
    let sites: Vec<_> = call
        .heap()
        .sites()
        .iter()
        .map(|row| {
            let frames = call.code().site_frames(row.site);
            let place = frames.first().map(|frame| {
                json!({ "function": frame.function, "file": frame.file, "line": frame.line })
            });
            json!({ "type": row.name, "estimated_bytes": row.bytes_estimate, "place": place })
        })
        .collect();
    let snapshot = json!({
        "live_bytes": stats.live_bytes,
        "heap_bytes": stats.heap_bytes,
        "scope_bytes": stats.external_bytes,
        "limit_bytes": stats.limit,
        "types": types,
        "sites": sites,
    });
    match std::fs::write(&path, format!("{snapshot:#}\n")) {
        Ok(()) => 0,
        Err(error) => call.new_string(&format!("cannot write {path}: {error}")).unwrap_or(0),
    }
}
