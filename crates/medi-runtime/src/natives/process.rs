//! The world around the program: clocks, environment, the end.

use std::sync::OnceLock;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use crate::call::Call;
use crate::context::Context;
use crate::thread::Stop;
use crate::value::text;

super::table! { leaf clock, leaf unix_time, call env, call exit }

/// `clock() -> int`: nanoseconds since some moment near the start of the program; never goes back.
unsafe extern "C" fn clock(_: *mut Context) -> i64 {
    static START: OnceLock<Instant> = OnceLock::new();
    START.get_or_init(Instant::now).elapsed().as_nanos() as i64
}

/// `unix_time() -> int`: seconds since the start of 1970 in UTC.
unsafe extern "C" fn unix_time(_: *mut Context) -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or_else(|before| -(before.duration().as_secs() as i64), |d| d.as_secs() as i64)
}

/// `env(name: string) -> string?`: nil when the variable is not set; what is not UTF-8 is replaced by `�`.
unsafe extern "C" fn env(context: *mut Context, name: u64) -> u64 {
    // SAFETY: see the module `natives`.
    let (call, name) = unsafe { (Call::new(context), text(name)) };
    if name.is_empty() || name.contains(['=', '\0']) {
        return 0;
    }
    match std::env::var_os(name) {
        Some(value) => call.new_string(&value.to_string_lossy()).unwrap_or(0),
        None => 0,
    }
}

/// `exit(code: int)`: ends the program; output is flushed and scopes are freed. Codes outside 0 to 255 are errors.
unsafe extern "C" fn exit(context: *mut Context, code: i64) {
    // SAFETY: see the module `natives`.
    let call = unsafe { Call::new(context) };
    match u8::try_from(code) {
        Ok(code) => call.halt(Stop::Exit(i32::from(code))),
        Err(_) => call.bad_argument(format!("an exit code must be 0 to 255, not {code}")),
    };
}
