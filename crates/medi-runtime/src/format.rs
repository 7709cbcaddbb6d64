//! Printing any value by its shape.
//!
//! The form is that of a literal: `Patient { id: "p1", age: 40 }`, `[1, 2]`, `["a": 1]`, `(1, "two")`, `Fever(39.5)`, `nil`.
//! A string is bare at the top and quoted inside. A float has the fewest digits that read back the same, as in
//! Python's `repr`. Values that refer to themselves, very deep ones and very long ones are cut with `…`, so that a print
//! always ends.

use std::fmt::Write;

use medi_heap::{ObjectRef, layout};
use medi_region::Descriptor;

use crate::shape::{Kind, Place, ShapeId, Shapes};
use crate::value::{self, Value, Whole};

/// How deep values inside values are shown.
const DEPTH: usize = 48;
/// How many elements of one list or map are shown.
const ELEMENTS: usize = 10_000;
/// Bytes after which the rest of one value is left out; one string is always whole.
const BYTES: usize = 4 << 20;

/// Left, centre or right, as the compiler numbers them; 0 says nothing.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Align {
    Default,
    Left,
    Centre,
    Right,
}

/// `{x:>8.2}`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Spec {
    pub align: Align,
    /// In characters.
    pub width: usize,
    /// Digits after the point, for numbers anywhere in the value; characters of a string at the top.
    pub precision: Option<usize>,
}

/// Widths and precisions beyond this are taken for mistakes and cut to it.
const WIDEST: i64 = 100_000;

impl Spec {
    pub const PLAIN: Spec = Spec { align: Align::Default, width: 0, precision: None };

    /// As the compiler passes it: width and precision are −1 when absent.
    pub fn new(align: i64, width: i64, precision: i64) -> Spec {
        let align = match align {
            1 => Align::Left,
            2 => Align::Centre,
            3 => Align::Right,
            _ => Align::Default,
        };
        Spec {
            align,
            width: width.clamp(0, WIDEST) as usize,
            precision: usize::try_from(precision.min(WIDEST)).ok(),
        }
    }
}

/// Appends a value's text.
///
/// # Safety
/// A live value of its shape lies at `value`; no safepoint comes meanwhile. The stack is used down to
/// `stack_end` at most.
pub(crate) unsafe fn append(
    out: &mut Vec<u8>,
    shapes: &Shapes,
    value: Value,
    spec: Spec,
    stack_end: usize,
) {
    let start = out.len();
    let mut printer =
        Printer { shapes, out, start, precision: spec.precision, inside: vec![], stack_end };
    // SAFETY: the caller's promise.
    let right = unsafe { printer.top(value) };
    if spec.width == 0 {
        return;
    }
    let shown = characters(&out[start..]);
    let Some(missing) = spec.width.checked_sub(shown).filter(|n| *n > 0) else { return };
    let before = match spec.align {
        Align::Left => 0,
        Align::Centre => missing / 2,
        Align::Right => missing,
        Align::Default => {
            if right {
                missing
            } else {
                0
            }
        }
    };
    out.splice(start..start, std::iter::repeat_n(b' ', before));
    out.extend(std::iter::repeat_n(b' ', missing - before));
}

/// Characters of valid UTF-8: bytes that do not continue one.
pub(crate) fn characters(text: &[u8]) -> usize {
    text.iter().filter(|byte| (**byte as i8) >= -0x40).count()
}

struct Printer<'a> {
    shapes: &'a Shapes,
    out: &'a mut Vec<u8>,
    start: usize,
    precision: Option<usize>,
    /// Objects that are being printed, outermost first.
    inside: Vec<ObjectRef>,
    stack_end: usize,
}

/// # Safety
/// For all methods that take a value: as [`append`].
impl Printer<'_> {
    /// Whether the value is of the kind that lines up at the right.
    unsafe fn top(&mut self, value: Value) -> bool {
        // SAFETY: passed on.
        unsafe {
            match &self.shapes.get(value.shape).kind {
                Kind::Str => {
                    let text = value::text(value.read(0));
                    match self.precision.and_then(|n| text.char_indices().nth(n)) {
                        Some((end, _)) => self.text(&text[..end]),
                        None => self.text(text),
                    }
                    false
                }
                Kind::OptionalRef { inner } if value.read::<u64>(0) != 0 => {
                    self.top(Value { at: value.at, shape: *inner })
                }
                Kind::OptionalValue { value: inner, flag } if value.read::<u8>(*flag) != 0 => {
                    self.top(value.at_place(inner))
                }
                kind => {
                    let right = matches!(kind, Kind::Byte | Kind::Int | Kind::Float);
                    self.value(value);
                    right
                }
            }
        }
    }

    unsafe fn value(&mut self, value: Value) {
        if self.out.len() - self.start > BYTES {
            return self.text("…");
        }
        let shapes = self.shapes;
        let shape = shapes.get(value.shape);
        // SAFETY: passed on; each read is of a scalar that the shape has at that place.
        unsafe {
            match &shape.kind {
                Kind::Unit => self.text("()"),
                Kind::Bool => self.text(if value.read::<u8>(0) != 0 { "true" } else { "false" }),
                Kind::Byte => self.int(i64::from(value.read::<u8>(0))),
                Kind::Int => self.int(value.read(0)),
                Kind::Float => float(self.out, value.read(0), self.precision),
                Kind::Str => quote(self.out, value::text(value.read(0))),
                Kind::PlainEnum { variants } => {
                    let number = usize::from(value.read::<u8>(0));
                    self.text(variants.get(number).map_or("?", String::as_str));
                }
                Kind::OptionalRef { inner } => {
                    if value.read::<u64>(0) == 0 {
                        return self.text("nil");
                    }
                    self.value(Value { at: value.at, shape: *inner });
                }
                Kind::OptionalValue { value: inner, flag } => {
                    if value.read::<u8>(*flag) == 0 {
                        return self.text("nil");
                    }
                    self.value(value.at_place(inner));
                }
                Kind::Result { value: ok } => {
                    let error = value.read::<u64>(0);
                    if error == 0 {
                        self.text("Ok(");
                        self.value(value.at_place(ok));
                    } else {
                        self.text("Err(");
                        quote(self.out, value::text(error));
                    }
                    self.text(")");
                }
                Kind::Tuple { parts } => self.parts("(", ")", value.at, parts, false),
                Kind::InlineRecord { fields } => self.record(&shape.name, value.at, fields),
                Kind::Func => {
                    let text = format!("<{}>", shape.name);
                    self.text(&text);
                }
                Kind::Buffer => self.buffer(value),
                Kind::View { element } => self.view(value, *element),
                Kind::Own { .. } => {
                    let name = shape.name.clone();
                    self.text(&format!("<{name}>"));
                }
                Kind::Pin { object } => self.value(Value { at: value.at, shape: *object }),
                Kind::List { .. }
                | Kind::Map { .. }
                | Kind::Record { .. }
                | Kind::Enum { .. }
                | Kind::Array { .. }
                | Kind::Cell { .. } => self.reference(value),
            }
        }
    }

    /// A value that is an object of its own, which may be inside itself.
    unsafe fn reference(&mut self, value: Value) {
        let shapes = self.shapes;
        let shape = shapes.get(value.shape);
        // SAFETY: passed on.
        let Some(object) = ObjectRef::from_address(unsafe { value.read::<usize>(0) }) else {
            // Only a slot that was never set, such as one past the end of a list.
            return self.text("nil");
        };
        let room = self.inside.len() < DEPTH && value::has_stack(self.stack_end);
        if !room || self.inside.contains(&object) {
            return self.text("…");
        }
        self.inside.push(object);
        // SAFETY: passed on; the object is of the shape's type.
        unsafe {
            match &shape.kind {
                Kind::List { element, .. } => {
                    let items = value::items(object);
                    let data = items.at::<u8>(layout::ARRAY_DATA);
                    self.elements(data, value::used(items), *element);
                }
                Kind::Array { element } => {
                    let data = object.at::<u8>(layout::ARRAY_DATA);
                    self.elements(data, value::used(object), *element);
                }
                Kind::Map { fields, key, value } => self.map(object, fields, *key, *value),
                Kind::Record { fields } => {
                    self.record(&shape.name, object.at::<u8>(0), fields);
                }
                Kind::Enum { variants } => {
                    let ty = object.type_id();
                    let variant = variants.iter().find(|variant| variant.heap_type == Some(ty));
                    if let Some(variant) = variant {
                        self.text(&variant.name);
                        if !variant.fields.is_empty() {
                            self.parts("(", ")", object.at::<u8>(0), &variant.fields, false);
                        }
                    }
                }
                Kind::Cell { value } => {
                    let at = object.at::<u8>(value.offset as usize);
                    self.value(Value { at, shape: value.shape });
                }
                kind => unreachable!("{kind:?} is not a reference"),
            }
        }
        self.inside.pop();
    }

    unsafe fn record(&mut self, name: &str, base: *const u8, fields: &[Place]) {
        self.text(name.split('[').next().unwrap_or_default());
        let open = if fields.is_empty() { " {" } else { " { " };
        // SAFETY: passed on.
        unsafe { self.parts(open, " }", base, fields, true) };
    }

    unsafe fn parts(
        &mut self,
        open: &str,
        close: &str,
        base: *const u8,
        parts: &[Place],
        names: bool,
    ) {
        self.text(open);
        for (index, part) in parts.iter().enumerate() {
            if index > 0 {
                self.text(", ");
            }
            if names {
                self.text(&part.name);
                self.text(": ");
            }
            // SAFETY: passed on.
            unsafe { self.value(Value { at: base.add(part.offset as usize), shape: part.shape }) };
        }
        self.text(close);
    }

    unsafe fn elements(&mut self, data: *const u8, len: usize, element: ShapeId) {
        let size = self.shapes.get(element).size as usize;
        self.text("[");
        for index in 0..len {
            if index > 0 {
                self.text(", ");
            }
            if self.full(index) {
                let text = format!("… {} more", len - index);
                self.text(&text);
                break;
            }
            // SAFETY: passed on: `len` elements of that size follow each other at `data`.
            unsafe { self.value(Value { at: data.add(index * size), shape: element }) };
        }
        self.text("]");
    }

    unsafe fn map(&mut self, map: ObjectRef, fields: &[Place], key: ShapeId, value: ShapeId) {
        let mut shown = 0;
        self.text("[");
        // SAFETY: passed on.
        unsafe {
            let entries = MapEntries::new(map, fields);
            for slot in entries.slots() {
                if shown > 0 {
                    self.text(", ");
                }
                if self.full(shown) {
                    let text = format!("… {} more", entries.count.saturating_sub(shown));
                    self.text(&text);
                    break;
                }
                self.value(entries.element(self.shapes, entries.keys, slot, key));
                self.text(": ");
                self.value(entries.element(self.shapes, entries.values, slot, value));
                shown += 1;
            }
        }
        self.text(if shown == 0 { ":]" } else { "]" });
    }

    /// Whether no more elements are to be shown after `shown` of them.
    fn full(&self, shown: usize) -> bool {
        shown >= ELEMENTS || self.out.len() - self.start > BYTES
    }

    unsafe fn buffer(&mut self, value: Value) {
        // SAFETY: passed on; the descriptor of a buffer stays in place for the life of its thread.
        let (alive, len) = unsafe {
            let descriptor = &*(value.read::<usize>(0) as *const Descriptor);
            (descriptor.generation() == value.read::<u64>(8), descriptor.len())
        };
        let text = if alive { format!("<Buffer of {len} bytes>") } else { "<freed Buffer>".into() };
        self.text(&text);
    }

    unsafe fn view(&mut self, value: Value, element: ShapeId) {
        // SAFETY: as for a buffer; a live view's elements lie at its base.
        unsafe {
            let descriptor = &*(value.read::<usize>(0) as *const Descriptor);
            if descriptor.generation() != value.read::<u64>(8) {
                return self.text("<freed View>");
            }
            self.elements(value.read::<usize>(16) as *const u8, value.read::<usize>(24), element);
        }
    }

    fn int(&mut self, value: i64) {
        match self.precision {
            Some(digits) => float(self.out, value as f64, Some(digits)),
            None => {
                let _ = write!(Text(self.out), "{value}");
            }
        }
    }

    fn text(&mut self, text: &str) {
        self.out.extend_from_slice(text.as_bytes());
    }
}

/// The entries of a `map[K, V]`, as lib/core.medi lays it out.
pub(crate) struct MapEntries {
    pub count: usize,
    used: usize,
    pub keys: ObjectRef,
    pub values: ObjectRef,
    /// One byte for each slot, 1 where the entry was removed; shorter than `used` when none was.
    gone: ObjectRef,
}

impl MapEntries {
    /// # Safety
    /// `map` is a live map with these fields; no safepoint comes while the result is used.
    pub unsafe fn new(map: ObjectRef, fields: &[Place]) -> MapEntries {
        // SAFETY: the caller's promise.
        unsafe {
            let object = |name: &str| value::object(field(fields, name).read::<u64>(map));
            let (keys, values) = (object("keys"), object("values"));
            let used = field(fields, "used").read::<i64>(map);
            let used = value::counted(keys, used).min(value::counted(values, used));
            let count = field(fields, "count").read::<i64>(map);
            MapEntries {
                count: usize::try_from(count).unwrap_or(0).min(used),
                used,
                keys,
                values,
                gone: object("gone"),
            }
        }
    }

    /// The slots that hold entries, in the order of insertion.
    pub fn slots(&self) -> impl Iterator<Item = usize> {
        // SAFETY: `new`'s caller promised a live map.
        let gone = unsafe { value::places::<u8>(self.gone.address() as u64, i64::MAX) };
        (0..self.used).filter(|slot| gone.get(*slot).is_none_or(|flag| u8::load(flag) == 0))
    }

    pub fn element(&self, shapes: &Shapes, array: ObjectRef, slot: usize, shape: ShapeId) -> Value {
        let offset = layout::ARRAY_DATA + slot * shapes.get(shape).size as usize;
        Value { at: array.at::<u8>(offset), shape }
    }
}

/// A field of a library record that the runtime knows by name.
pub(crate) struct Field(u32);

pub(crate) fn field(fields: &[Place], name: &str) -> Field {
    let place = fields.iter().find(|place| place.name == name);
    Field(place.unwrap_or_else(|| panic!("the library's record has a field `{name}`")).offset)
}

impl Field {
    /// # Safety
    /// `object` is live and of the record that the field is of, which holds a `T` there.
    pub unsafe fn read<T: Whole>(&self, object: ObjectRef) -> T {
        // SAFETY: the caller's promise.
        T::load(unsafe { &*object.at::<T::Place>(self.0 as usize) })
    }
}

/// Lets `write!` append to bytes.
struct Text<'a>(&'a mut Vec<u8>);

impl Write for Text<'_> {
    fn write_str(&mut self, text: &str) -> std::fmt::Result {
        self.0.extend_from_slice(text.as_bytes());
        Ok(())
    }
}

/// A float: with so many digits after the point, or the fewest that read back the same.
pub(crate) fn float(out: &mut Vec<u8>, value: f64, precision: Option<usize>) {
    let mut out = Text(out);
    if !value.is_finite() {
        let name = match (value.is_nan(), value > 0.0) {
            (true, _) => "nan",
            (false, true) => "inf",
            (false, false) => "-inf",
        };
        let _ = out.write_str(name);
        return;
    }
    if let Some(digits) = precision {
        let _ = write!(out, "{value:.digits$}");
        return;
    }
    let size = value.abs();
    if size == 0.0 || (1e-4..1e16).contains(&size) {
        let start = out.0.len();
        let _ = write!(out, "{value:?}");
        let shown = out.0.len() - start;
        // Where two shortest texts are equally near, Python takes the even digit, and so does printing with
        // a number of digits. Only floats of many digits and few fractional bits lie in the middle.
        if shown >= 17 && (value * 1024.0).fract() == 0.0 {
            let digits = out.0[start..].iter().rev().position(|byte| *byte == b'.').unwrap_or(0);
            let even = format!("{value:.digits$}");
            if even.parse() == Ok(value) {
                out.0.truncate(start);
                let _ = out.write_str(&even);
            }
        }
        return;
    }
    // Python's form: at least two digits of exponent, always signed.
    let text = format!("{value:e}");
    let (digits, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    let sign = if exponent < 0 { '-' } else { '+' };
    let _ = write!(out, "{digits}e{sign}{:02}", exponent.abs());
}

/// A string as its literal.
pub(crate) fn quote(out: &mut Vec<u8>, text: &str) {
    out.push(b'"');
    for c in text.chars() {
        match c {
            '"' => out.extend_from_slice(b"\\\""),
            '\\' => out.extend_from_slice(b"\\\\"),
            '\n' => out.extend_from_slice(b"\\n"),
            '\r' => out.extend_from_slice(b"\\r"),
            '\t' => out.extend_from_slice(b"\\t"),
            '\0' => out.extend_from_slice(b"\\0"),
            c if c.is_control() => {
                let _ = write!(Text(out), "\\u{{{:x}}}", c as u32);
            }
            c => out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes()),
        }
    }
    out.push(b'"');
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(value: f64) -> String {
        let mut out = vec![];
        float(&mut out, value, None);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn floats_print_as_in_python() {
        assert_eq!(shown(-116431344663913.0 / 32.0), "-3638479520747.2812");
        let values =
            [37.0, 0.1 + 0.2, 1e16, 123456789012345680.0, 1e-5, 0.0001, -0.0, 1e300, 5e-324];
        let texts = [
            "37.0",
            "0.30000000000000004",
            "1e+16",
            "1.2345678901234568e+17",
            "1e-05",
            "0.0001",
            "-0.0",
            "1e+300",
            "5e-324",
        ];
        assert_eq!(values.map(shown), texts);
        assert_eq!([f64::NAN, f64::INFINITY, -f64::INFINITY].map(shown), ["nan", "inf", "-inf"]);
    }

    #[test]
    fn a_quoted_string_is_a_literal() {
        let mut out = vec![];
        quote(&mut out, "a\"b\\\n\u{7}é");
        assert_eq!(String::from_utf8(out).unwrap(), "\"a\\\"b\\\\\\n\\u{7}é\"");
    }

    #[test]
    fn characters_are_counted_not_bytes() {
        assert_eq!(characters("aé€😀".as_bytes()), 4);
    }
}
