//! Strings. They are immutable UTF-8; positions and lengths count bytes, and a position inside a character is an
//! error where a string would be cut there.

use std::cmp::Ordering;

use medi_heap::layout;

use crate::call::{Call, Stopped};
use crate::compare;
use crate::context::Context;
use crate::error::{RuntimeError, codes};
use crate::format::{self, Spec};
use crate::shape::Kind;
use crate::value::{Value, bytes, counted, object, slice, slice_mut, text};

super::table! {
    leaf string_len, leaf string_equal, leaf string_compare, leaf string_hash, call string_concat,
    call string_byte, call string_slice, leaf string_find, leaf string_find_last, leaf string_count,
    leaf string_starts_with, leaf string_ends_with, leaf string_word_start, leaf string_word_end,
    leaf string_next, leaf string_chars, call string_trim, call string_upper, call string_lower,
    call string_replace, call string_repeat, leaf string_parse_int, leaf string_parse_float,
    call string_join, call string_of_bytes, leaf string_copy_bytes, call string_code, call string_of_code,
}

/// `string_len(s: string) -> int`: in bytes.
unsafe extern "C" fn string_len(_: *mut Context, s: u64) -> u64 {
    // SAFETY: see the module `natives`.
    unsafe { object(s).array_len() as u64 }
}

unsafe extern "C" fn string_equal(_: *mut Context, a: u64, b: u64) -> u64 {
    if a == b {
        return 1;
    }
    // SAFETY: see the module `natives`. An object ends at a multiple of 16 bytes, and its bytes after the text are
    // zero from its allocation on; so the last, partial word can be read and compared whole.
    unsafe {
        let (a, b) = (object(a), object(b));
        let len = a.array_len();
        if len != b.array_len() {
            return 0;
        }
        let (a, b) = (a.at::<u64>(layout::ARRAY_DATA), b.at::<u64>(layout::ARRAY_DATA));
        if len > 64 {
            let whole = |at: *const u64| std::slice::from_raw_parts(at.cast::<u8>(), len);
            return u64::from(whole(a) == whole(b));
        }
        for word in 0..len.div_ceil(8) {
            if a.add(word).read() != b.add(word).read() {
                return 0;
            }
        }
        1
    }
}

/// By bytes, which is by code points: −1, 0 or 1.
unsafe extern "C" fn string_compare(_: *mut Context, a: u64, b: u64) -> i64 {
    // SAFETY: see the module `natives`.
    match unsafe { bytes(a).cmp(bytes(b)) } {
        Ordering::Less => -1,
        Ordering::Equal => 0,
        Ordering::Greater => 1,
    }
}

unsafe extern "C" fn string_hash(context: *mut Context, s: u64) -> u64 {
    // SAFETY: see the module `natives`.
    unsafe { compare::hash_bytes(bytes(s), Call::new(context).hash_seed()) }
}

unsafe extern "C" fn string_concat(context: *mut Context, a: u64, b: u64) -> u64 {
    // SAFETY: see the module `natives`.
    unsafe {
        let call = Call::new(context);
        let (first, second) = (object(a).array_len(), object(b).array_len());
        if second == 0 {
            return a;
        }
        if first == 0 {
            return b;
        }
        call.new_string_from([a, b], first + second, |[a, b], out| {
            out[..first].copy_from_slice(bytes(a));
            out[first..].copy_from_slice(bytes(b));
        })
        .unwrap_or(0)
    }
}

/// `string_byte(s: string, index: int) -> byte`.
unsafe extern "C" fn string_byte(context: *mut Context, s: u64, index: i64) -> u64 {
    // SAFETY: see the module `natives`.
    let (call, s) = unsafe { (Call::new(context), bytes(s)) };
    match usize::try_from(index).ok().and_then(|index| s.get(index)) {
        Some(byte) => u64::from(*byte),
        None => {
            call.raise(crate::stubs::index_error(index, s.len() as i64));
            0
        }
    }
}

/// A part this short is copied out before the allocation of its string, which costs less than a handle.
const SHORT: usize = 64;

/// Checks that `from..to` cuts a text between characters.
fn check_cut(call: Call, s: &str, from: i64, to: i64) -> Result<std::ops::Range<usize>, Stopped> {
    let len = s.len() as i64;
    if from < 0 || to < 0 {
        let message = format!("positions in a string count from 0: {} is negative", from.min(to));
        return Err(call.raise(RuntimeError::new(codes::INDEX, message)));
    }
    let (from, to) = (from.min(len) as usize, to.min(len).max(from.min(len)) as usize);
    for at in [from, to] {
        if !s.is_char_boundary(at) {
            let message = format!("byte {at} is inside a character of the string");
            let help = "positions count bytes; `chars()` gives the characters one by one";
            return Err(call.raise(RuntimeError::new(codes::INDEX, message).with_help(help)));
        }
    }
    Ok(from..to)
}

/// `string_slice(s: string, from: int, to: int) -> string`: bytes `from..to`, as far as there are any.
unsafe extern "C" fn string_slice(context: *mut Context, s: u64, from: i64, to: i64) -> u64 {
    // SAFETY: see the module `natives`.
    unsafe {
        let call = Call::new(context);
        let Ok(range) = check_cut(call, text(s), from, to) else { return 0 };
        if range.len() == object(s).array_len() {
            return s;
        }
        if range.len() <= SHORT {
            let mut copy = [0; SHORT];
            copy[..range.len()].copy_from_slice(&bytes(s)[range.clone()]);
            return call.new_text(&copy[..range.len()]).unwrap_or(0);
        }
        call.new_string_from([s], range.len(), |[s], out| out.copy_from_slice(&bytes(s)[range]))
            .unwrap_or(0)
    }
}

/// `string_find(s: string, wanted: string, from: int) -> int`: position of the first, −1 for none.
unsafe extern "C" fn string_find(_: *mut Context, s: u64, wanted: u64, from: i64) -> i64 {
    // SAFETY: see the module `natives`.
    let (s, wanted) = unsafe { (bytes(s), bytes(wanted)) };
    let from = from.max(0) as usize;
    match s.get(from..).and_then(|rest| find(rest, wanted)) {
        Some(at) => (from + at) as i64,
        None => -1,
    }
}

/// The first place of `wanted`. One byte and short texts are common, so they need no preparation.
fn find(s: &[u8], wanted: &[u8]) -> Option<usize> {
    let Some((first, rest)) = wanted.split_first() else { return Some(0) };
    if wanted.len() > 8 && s.len() > 64 {
        // SAFETY: both come from whole strings; only bytes are compared, and positions of valid UTF-8 in
        // valid UTF-8 are the same for `str`, whose search takes linear time.
        let (s, wanted) =
            unsafe { (std::str::from_utf8_unchecked(s), std::str::from_utf8_unchecked(wanted)) };
        return s.find(wanted);
    }
    let last = s.len().checked_sub(wanted.len())?;
    let mut at = 0;
    loop {
        at += s[at..=last].iter().position(|byte| byte == first)?;
        if s[at + 1..].starts_with(rest) {
            return Some(at);
        }
        at += 1;
        if at > last {
            return None;
        }
    }
}

/// `string_find_last(s: string, wanted: string) -> int`: position of the last, −1 for none.
unsafe extern "C" fn string_find_last(_: *mut Context, s: u64, wanted: u64) -> i64 {
    // SAFETY: see the module `natives`.
    unsafe { text(s).rfind(text(wanted)).map_or(-1, |at| at as i64) }
}

/// `string_count(s: string, wanted: string) -> int`: how often, without overlaps.
unsafe extern "C" fn string_count(_: *mut Context, s: u64, wanted: u64) -> i64 {
    // SAFETY: see the module `natives`.
    unsafe { text(s).matches(text(wanted)).count() as i64 }
}

unsafe extern "C" fn string_starts_with(_: *mut Context, s: u64, start: u64) -> u64 {
    // SAFETY: see the module `natives`.
    u64::from(unsafe { bytes(s).starts_with(bytes(start)) })
}

unsafe extern "C" fn string_ends_with(_: *mut Context, s: u64, end: u64) -> u64 {
    // SAFETY: see the module `natives`.
    u64::from(unsafe { bytes(s).ends_with(bytes(end)) })
}

/// `string_word_start(s: string, from: int) -> int`: where the next run of characters that are not white space begins; −1 for
/// none.
unsafe extern "C" fn string_word_start(_: *mut Context, s: u64, from: i64) -> i64 {
    // SAFETY: see the module `natives`.
    let s = unsafe { text(s) };
    let from = from.max(0) as usize;
    let mut at = from;
    while let Some(byte) = s.as_bytes().get(at) {
        if !byte.is_ascii() {
            let rest = s.get(at..).unwrap_or_default();
            return rest.find(|c: char| !c.is_whitespace()).map_or(-1, |found| (at + found) as i64);
        }
        if !is_ascii_space(*byte) {
            return at as i64;
        }
        at += 1;
    }
    -1
}

/// `string_word_end(s: string, from: int) -> int`: where the run that begins at `from` ends.
unsafe extern "C" fn string_word_end(_: *mut Context, s: u64, from: i64) -> i64 {
    // SAFETY: see the module `natives`.
    let s = unsafe { text(s) };
    let mut at = from.max(0) as usize;
    while let Some(byte) = s.as_bytes().get(at) {
        if !byte.is_ascii() {
            let rest = s.get(at..).unwrap_or_default();
            return (at + rest.find(char::is_whitespace).unwrap_or(rest.len())) as i64;
        }
        if is_ascii_space(*byte) {
            break;
        }
        at += 1;
    }
    at as i64
}

/// White space as `char::is_whitespace` has it, within ASCII.
fn is_ascii_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t'..=b'\r')
}

/// `string_next(s: string, at: int) -> int`: where the character after the one at `at` begins.
unsafe extern "C" fn string_next(_: *mut Context, s: u64, at: i64) -> i64 {
    // SAFETY: see the module `natives`.
    let s = unsafe { bytes(s) };
    let mut next = at.max(0) as usize + 1;
    while s.get(next).is_some_and(|byte| (*byte as i8) < -0x40) {
        next += 1;
    }
    next as i64
}

/// `string_chars(s: string) -> int`: how many characters.
unsafe extern "C" fn string_chars(_: *mut Context, s: u64) -> i64 {
    // SAFETY: see the module `natives`.
    unsafe { format::characters(bytes(s)) as i64 }
}

/// `string_trim(s: string, ends: int) -> string`: 1 the start, 2 the end, 3 both.
unsafe extern "C" fn string_trim(context: *mut Context, s: u64, ends: i64) -> u64 {
    // SAFETY: see the module `natives`.
    unsafe {
        let whole = text(s);
        let tail = if ends & 1 != 0 { whole.trim_start() } else { whole };
        let from = whole.len() - tail.len();
        let len = if ends & 2 != 0 { tail.trim_end().len() } else { tail.len() };
        string_slice(context, s, from as i64, (from + len) as i64)
    }
}

unsafe extern "C" fn string_upper(context: *mut Context, s: u64) -> u64 {
    // SAFETY: see the module `natives`.
    unsafe { mapped(context, s, u8::to_ascii_uppercase, str::to_uppercase) }
}

unsafe extern "C" fn string_lower(context: *mut Context, s: u64) -> u64 {
    // SAFETY: see the module `natives`.
    unsafe { mapped(context, s, u8::to_ascii_lowercase, str::to_lowercase) }
}

/// # Safety
/// As for natives.
unsafe fn mapped(
    context: *mut Context,
    s: u64,
    ascii: fn(&u8) -> u8,
    unicode: fn(&str) -> String,
) -> u64 {
    // SAFETY: see the module `natives`.
    unsafe {
        let call = Call::new(context);
        if !text(s).is_ascii() {
            return call.new_string(&unicode(text(s))).unwrap_or(0);
        }
        call.new_string_from([s], object(s).array_len(), |[s], out| {
            for (to, from) in out.iter_mut().zip(bytes(s)) {
                *to = ascii(from);
            }
        })
        .unwrap_or(0)
    }
}

unsafe extern "C" fn string_replace(context: *mut Context, s: u64, from: u64, to: u64) -> u64 {
    // SAFETY: see the module `natives`.
    unsafe {
        let call = Call::new(context);
        if !text(s).contains(text(from)) {
            return s;
        }
        call.new_string(&text(s).replace(text(from), text(to))).unwrap_or(0)
    }
}

unsafe extern "C" fn string_repeat(context: *mut Context, s: u64, count: i64) -> u64 {
    // SAFETY: see the module `natives`.
    unsafe {
        let call = Call::new(context);
        let len = object(s).array_len();
        let Some(total) = usize::try_from(count).ok().and_then(|count| len.checked_mul(count))
        else {
            call.bad_argument(format!("a string cannot be repeated {count} times"));
            return 0;
        };
        call.new_string_from([s], total, |[s], out| {
            if len > 0 {
                out.chunks_exact_mut(len).for_each(|chunk| chunk.copy_from_slice(bytes(s)));
            }
        })
        .unwrap_or(0)
    }
}

/// `string_parse_int(s: string) -> int?`: decimal, with a sign, white space around it and `_` between digits allowed.
unsafe extern "C" fn string_parse_int(context: *mut Context, s: u64) {
    // SAFETY: see the module `natives`.
    let (call, s) = unsafe { (Call::new(context), text(s)) };
    match parse_int(s) {
        Some(value) => call.results([value as u64, 1]),
        None => call.results([0, 0]),
    }
}

fn parse_int(s: &str) -> Option<i64> {
    let s = s.trim();
    match s.parse() {
        Ok(value) => Some(value),
        Err(_) if s.contains('_') => without_underscores(s)?.parse().ok(),
        Err(_) => None,
    }
}

/// `1_000` as `1000`: underscores only between digits.
fn without_underscores(s: &str) -> Option<String> {
    let bytes = s.as_bytes();
    let digit = |at: Option<usize>| at.and_then(|at| bytes.get(at)).is_some_and(u8::is_ascii_digit);
    let between = |at: usize| digit(at.checked_sub(1)) && digit(Some(at + 1));
    let fine = bytes.iter().enumerate().all(|(at, byte)| *byte != b'_' || between(at));
    fine.then(|| s.replace('_', ""))
}

/// `string_parse_float(s: string) -> float?`: as `parse_int`, with point and exponent; `nan`, `inf` and `infinity` too.
unsafe extern "C" fn string_parse_float(context: *mut Context, s: u64) {
    // SAFETY: see the module `natives`.
    let (call, s) = unsafe { (Call::new(context), text(s)) };
    let s = s.trim();
    let value = match s.parse::<f64>() {
        Ok(value) => Some(value),
        Err(_) if s.contains('_') => without_underscores(s).and_then(|s| s.parse().ok()),
        Err(_) => None,
    };
    match value {
        Some(value) => call.results([value.to_bits(), 1]),
        None => call.results([0, 0]),
    }
}

/// `string_join[T](items: array[T], count: int, separator: string) -> string`: each as `print` shows it.
unsafe extern "C" fn string_join(
    context: *mut Context,
    items: u64,
    count: i64,
    separator: u64,
) -> u64 {
    // SAFETY: see the module `natives`.
    unsafe {
        let call = Call::new(context);
        let elements = call.arrays().elements(object(items));
        let out = call.scratch();
        out.clear();
        let is_text = matches!(call.shapes().get(elements.shape).kind, Kind::Str);
        for index in 0..counted(object(items), count) {
            if index > 0 {
                out.extend_from_slice(bytes(separator));
            }
            let at = object(items).at::<u8>(layout::ARRAY_DATA + index * elements.size);
            let value = Value { at, shape: elements.shape };
            if is_text {
                out.extend_from_slice(bytes(value.read(0)));
            } else {
                format::append(out, call.shapes(), value, Spec::PLAIN, call.stack_end());
            }
        }
        let joined = call.new_text(call.scratch()).unwrap_or(0);
        call.shrink_scratch();
        joined
    }
}

/// `string_of_bytes(items: array[byte], from: int, to: int) -> string`; the caller has checked the bounds. Stops for bytes that
/// are not UTF-8.
unsafe extern "C" fn string_of_bytes(context: *mut Context, items: u64, from: i64, to: i64) -> u64 {
    // SAFETY: see the module `natives`; the library checks that 0 ≤ from ≤ to ≤ length.
    unsafe {
        let call = Call::new(context);
        // A copy, so that what was found valid stays so, whatever another task does to the array.
        let copy = call.scratch();
        copy.clear();
        copy.extend_from_slice(slice::<u8>(items, to).get(from as usize..).unwrap_or(&[]));
        let made = match std::str::from_utf8(copy) {
            Ok(text) => call.new_string(text).unwrap_or(0),
            Err(error) => {
                let at = from as usize + error.valid_up_to();
                let message = format!("these bytes are not text: byte {at} is not valid UTF-8");
                call.raise(RuntimeError::new(codes::CONVERSION, message));
                0
            }
        };
        call.shrink_scratch();
        made
    }
}

/// `string_copy_bytes(s: string, to: array[byte])`: all of them; the array is as long.
unsafe extern "C" fn string_copy_bytes(_: *mut Context, s: u64, to: u64) {
    // SAFETY: see the module `natives`; the library makes the array as long as the string.
    unsafe {
        let s = bytes(s);
        let to = slice_mut::<u8>(to, s.len() as i64);
        to.copy_from_slice(&s[..to.len()]);
    }
}

/// `string_code(s: string, at: int) -> int`: the code point of the character that begins at byte `at`.
unsafe extern "C" fn string_code(context: *mut Context, s: u64, at: i64) -> i64 {
    // SAFETY: see the module `natives`.
    let (call, s) = unsafe { (Call::new(context), text(s)) };
    let rest = usize::try_from(at).ok().and_then(|at| s.get(at..));
    match rest.and_then(|rest| rest.chars().next()) {
        Some(c) => i64::from(u32::from(c)),
        None => {
            let message = format!("no character begins at byte {at} of a string of {}", s.len());
            call.raise(RuntimeError::new(codes::INDEX, message));
            0
        }
    }
}

/// `string_of_code(code: int) -> string`: the character with that code point.
unsafe extern "C" fn string_of_code(context: *mut Context, code: i64) -> u64 {
    // SAFETY: see the module `natives`.
    let call = unsafe { Call::new(context) };
    match u32::try_from(code).ok().and_then(char::from_u32) {
        Some(c) => call.new_string(c.encode_utf8(&mut [0; 4])).unwrap_or(0),
        None => {
            call.bad_argument(format!("{code} is not the code of a character"));
            0
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_as_people_write_them() {
        assert_eq!(parse_int(" -42 "), Some(-42));
        assert_eq!(parse_int("1_000"), Some(1000));
        assert_eq!(parse_int("+7"), Some(7));
        for wrong in ["", "4x", "_1", "1_", "1__0", "9223372036854775808", "1.0"] {
            assert_eq!(parse_int(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn search_finds_what_the_standard_library_finds() {
        let text = "banana bandana banal".repeat(5);
        for wanted in ["", "b", "nan", "banal", "dana banalb", "zebra", "lbanana bandana"] {
            for from in [0, 1, 7, 50, 99] {
                let expected = text[from..].find(wanted);
                assert_eq!(
                    find(&text.as_bytes()[from..], wanted.as_bytes()),
                    expected,
                    "{wanted} {from}"
                );
            }
        }
    }
}
