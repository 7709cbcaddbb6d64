//! Shapes: how a value of each type lies in memory and in registers, and what a reader of raw memory
//! needs to print, compare and hash it.
//!
//! The table is the one place that decides the layout of records, variants, tuples, optionals and
//! results. The code generator fills it from the program's types and asks it where things are; natives with
//! shaped parameters read values through it; the heap's type layouts are derived from it.
//!
//! A value is a list of scalars, in registers and in memory: those of its parts, one part after the other. Where they
//! lie is another matter. Fields of records and variants are placed by falling alignment, so that small ones share a
//! word, and the first few share the object's header. A field that is itself made of words and bytes
//! (an optional number, a tuple, a record kept by value) is spread for this: its shape is then one of its own, with
//! offsets from the start of what it is in. Tuples and optionals by themselves keep their order.

use std::cmp::Reverse;
use std::ops::Range;

use medi_heap::{TypeId, layout};

/// A shape in a [`Shapes`] table.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, PartialOrd, Ord)]
pub struct ShapeId(pub u32);

/// What one register holds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Scalar {
    /// bool, byte, plain enum, the flag of an optional: one byte.
    I8,
    I64,
    F64,
    /// A reference to a collected object, or 0.
    Ref,
}

impl Scalar {
    pub fn size(self) -> u32 {
        match self {
            Scalar::I8 => 1,
            Scalar::I64 | Scalar::F64 | Scalar::Ref => 8,
        }
    }
}

/// A value's place inside a larger one.
#[derive(Clone, Debug, PartialEq)]
pub struct Place {
    pub name: String,
    /// In bytes: from the start of the object for records and variants, of the value for tuples. A part that is spread
    /// has offset 0, and its shape says where its own parts are.
    pub offset: u32,
    pub shape: ShapeId,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Kind {
    Unit,
    Bool,
    Byte,
    Int,
    Float,
    Str,
    /// `list[T]`: a record of length and items, printed as a list. The object holds the array of items at
    /// [`LIST_ITEMS`]; the list's length is that of the array, which belongs to this list alone, but for empty ones.
    List {
        items: ShapeId,
        element: ShapeId,
    },
    /// `map[K, V]`: a record of the library, printed as a map; its fields have the names of lib/core.medi.
    Map {
        fields: Vec<Place>,
        key: ShapeId,
        value: ShapeId,
    },
    Record {
        fields: Vec<Place>,
    },
    /// A record that the compiler keeps by value: its fields from offset 0.
    InlineRecord {
        fields: Vec<Place>,
    },
    /// One byte: the variant's number.
    PlainEnum {
        variants: Vec<String>,
    },
    /// A reference; the heap's type ids of the variants follow each other, so the type id gives the variant.
    Enum {
        variants: Vec<VariantShape>,
    },
    Array {
        element: ShapeId,
    },
    Tuple {
        parts: Vec<Place>,
    },
    /// A reference where 0 is nil.
    OptionalRef {
        inner: ShapeId,
    },
    /// The value, and where the flag is: 1 when present.
    OptionalValue {
        value: Place,
        flag: u32,
    },
    /// The message at 0, 0 for success; then the value.
    Result {
        value: Place,
    },
    /// A closure object: code address at [`CLOSURE_CODE`], then captures.
    Func,
    /// A handle to an object of a scope; its fields.
    Own {
        fields: Vec<Place>,
    },
    /// Descriptor address, generation.
    Buffer,
    /// Descriptor address, generation, address of the first element, length in elements.
    View {
        element: ShapeId,
    },
    /// An object; the array that it keeps its elements in, if it is a list; the number of the task that made the pin.
    Pin {
        object: ShapeId,
    },
    /// The box of a captured `var`.
    Cell {
        value: Place,
    },
}

/// Offset of the array in a list object.
pub const LIST_ITEMS: u32 = layout::HEADER as u32;
/// Size of a list object in bytes.
pub const LIST_SIZE: u32 = LIST_ITEMS + 8;

#[derive(Clone, Debug, PartialEq)]
pub struct VariantShape {
    pub name: String,
    pub fields: Vec<Place>,
    pub heap_type: Option<TypeId>,
}

/// Offset of the code address in a closure object; captures follow.
pub const CLOSURE_CODE: u32 = 8;
pub const CLOSURE_CAPTURES: u32 = 16;

#[derive(Clone, Debug)]
pub struct Shape {
    /// As written in Medi.
    pub name: String,
    pub kind: Kind,
    /// Of a value in a field, an element or a stack slot; for a reference that is 8. A spread one ends there.
    pub size: u32,
    pub align: u32,
    /// The value's scalars with their offsets inside it, part by part.
    pub scalars: Vec<(u32, Scalar)>,
    /// Of the object, for records, arrays, strings, cells (variants have their own).
    pub heap_type: Option<TypeId>,
    /// Size of the object in bytes, header included, for records and cells.
    pub object_size: u32,
}

/// Where the fields of an object or a tuple lie.
#[derive(Clone, Debug, PartialEq)]
pub struct Fields {
    pub places: Vec<Place>,
    pub size: u32,
    pub align: u32,
}

/// A part of a field that is placed as a whole.
struct Piece {
    size: u32,
    align: u32,
    /// There are references in it.
    refers: bool,
}

fn round_up(offset: u32, align: u32) -> u32 {
    offset.next_multiple_of(align.max(1))
}

#[derive(Default, Debug)]
pub struct Shapes {
    list: Vec<Shape>,
}

impl Shapes {
    pub fn get(&self, id: ShapeId) -> &Shape {
        &self.list[id.0 as usize]
    }

    /// All shapes, in the order of their ids.
    pub fn all(&self) -> impl Iterator<Item = &Shape> {
        self.list.iter()
    }

    /// The shapes of arrays. Each has an empty array that is made once, among the roots of a run: lists and maps
    /// start with it.
    pub fn arrays(&self) -> impl Iterator<Item = ShapeId> + '_ {
        let shapes = self.list.iter().enumerate();
        let arrays = shapes.filter(|(_, shape)| matches!(shape.kind, Kind::Array { .. }));
        arrays.map(|(index, _)| ShapeId(index as u32))
    }

    /// Reserves an id, so that recursive types can refer to it; [`Shapes::define`] fills it. Its value is a
    /// reference until then, which is right for every type that can be recursive.
    pub fn declare_reference(&mut self, name: impl Into<String>) -> ShapeId {
        self.list.push(Shape {
            name: name.into(),
            kind: Kind::Func,
            size: 8,
            align: 8,
            scalars: vec![(0, Scalar::Ref)],
            heap_type: None,
            object_size: 0,
        });
        ShapeId(self.list.len() as u32 - 1)
    }

    /// As [`Shapes::declare_reference`], for objects of scopes.
    pub fn declare_own(&mut self, name: impl Into<String>) -> ShapeId {
        self.add(name, Kind::Own { fields: vec![] })
    }

    /// Fills a declared shape.
    pub fn define(&mut self, id: ShapeId, kind: Kind, object_size: u32, heap_type: Option<TypeId>) {
        let shape = &mut self.list[id.0 as usize];
        shape.kind = kind;
        shape.object_size = object_size;
        shape.heap_type = heap_type;
    }

    /// Adds a shape whose value is not a reference to a recursive type: scalars, tuples, optionals,
    /// results, buffers, views, plain enums, functions.
    pub fn add(&mut self, name: impl Into<String>, kind: Kind) -> ShapeId {
        let (size, align, scalars) = self.value_layout(&kind);
        let name = name.into();
        self.list.push(Shape { name, kind, size, align, scalars, heap_type: None, object_size: 0 });
        ShapeId(self.list.len() as u32 - 1)
    }

    /// `T?`: a nullable reference where `T` is one reference that is never nil, else the value and a flag.
    pub fn add_optional(&mut self, name: impl Into<String>, inner: ShapeId) -> ShapeId {
        let kind = if self.is_never_nil(inner) {
            Kind::OptionalRef { inner }
        } else {
            let value = Place { name: "value".into(), offset: 0, shape: inner };
            Kind::OptionalValue { value, flag: self.end(inner) }
        };
        self.add(name, kind)
    }

    /// Whether a value is one reference that is never 0.
    fn is_never_nil(&self, shape: ShapeId) -> bool {
        let shape = self.get(shape);
        let one = shape.scalars == [(0, Scalar::Ref)];
        match &shape.kind {
            Kind::OptionalRef { .. } | Kind::OptionalValue { .. } | Kind::Result { .. } => false,
            Kind::Tuple { parts: fields } | Kind::InlineRecord { fields } => {
                one && fields.iter().any(|field| self.is_never_nil(field.shape))
            }
            _ => one,
        }
    }

    /// `Result[T]`.
    pub fn add_result(&mut self, name: impl Into<String>, value: ShapeId) -> ShapeId {
        let offset = round_up(8, self.get(value).align);
        let value = Place { name: "value".into(), offset, shape: value };
        self.add(name, Kind::Result { value })
    }

    /// A tuple's parts in order, from offset 0.
    pub fn add_tuple(&mut self, name: impl Into<String>, parts: &[ShapeId]) -> ShapeId {
        let mut offset = 0;
        let mut places = vec![];
        for (index, part) in parts.iter().enumerate() {
            let shape = self.get(*part);
            offset = round_up(offset, shape.align);
            places.push(Place { name: index.to_string(), offset, shape: *part });
            offset += shape.size;
        }
        self.add(name, Kind::Tuple { parts: places })
    }

    /// Places fields of an object from `start`, the end of its header and of what else comes first; small ones go to
    /// the header's own bytes as far as there are any.
    pub fn place_in_object(&mut self, start: u32, fields: &[(String, ShapeId)]) -> Fields {
        self.place_fields(start, layout::OWN as u32..layout::HEADER as u32, fields)
    }

    /// Places the fields of a record kept by value.
    pub fn place_in_value(&mut self, fields: &[(String, ShapeId)]) -> Fields {
        self.place_fields(0, 0..0, fields)
    }

    /// Places fields from `start`, the most aligned first and references before the rest, and bytes in `spare` before
    /// that; places are returned in the order given. A reference that is near the header is in the cache line that the
    /// write barrier, or the marker, has looked at.
    fn place_fields(
        &mut self,
        start: u32,
        mut spare: Range<u32>,
        fields: &[(String, ShapeId)],
    ) -> Fields {
        let mut pieces = vec![];
        fields.iter().for_each(|(_, shape)| self.pieces(*shape, &mut pieces));
        let mut order: Vec<usize> = (0..pieces.len()).collect();
        order.sort_by_key(|index| (Reverse(pieces[*index].align), !pieces[*index].refers));
        let (mut size, mut align) = (start, 1);
        let mut offsets = vec![0; pieces.len()];
        for index in order {
            let Piece { size: length, align: piece_align, .. } = pieces[index];
            let byte = if length == 1 { spare.next() } else { None };
            offsets[index] = byte.unwrap_or_else(|| {
                let offset = round_up(size, piece_align);
                size = offset + length;
                align = align.max(piece_align);
                offset
            });
        }
        let mut offsets = offsets.into_iter();
        let places = fields.iter().map(|(name, shape)| self.put(name, *shape, &mut offsets));
        Fields { places: places.collect(), size, align }
    }

    /// Whether the parts of a value in a field are placed one by one: those of words and bytes.
    fn is_spread(&self, shape: ShapeId) -> bool {
        let shape = self.get(shape);
        let parts = matches!(
            shape.kind,
            Kind::Tuple { .. } | Kind::InlineRecord { .. } | Kind::OptionalValue { .. }
        );
        parts && shape.scalars.iter().any(|(_, scalar)| *scalar == Scalar::I8)
    }

    /// Appends what is placed as a whole.
    fn pieces(&self, shape: ShapeId, pieces: &mut Vec<Piece>) {
        let info = self.get(shape);
        match &info.kind {
            _ if !self.is_spread(shape) => {
                let refers = info.scalars.iter().any(|(_, scalar)| *scalar == Scalar::Ref);
                pieces.push(Piece { size: info.size, align: info.align, refers });
            }
            Kind::Tuple { parts } | Kind::InlineRecord { fields: parts } => {
                parts.iter().for_each(|part| self.pieces(part.shape, pieces));
            }
            Kind::OptionalValue { value, .. } => {
                self.pieces(value.shape, pieces);
                pieces.push(Piece { size: 1, align: 1, refers: false });
            }
            kind => unreachable!("{kind:?} has no parts"),
        }
    }

    /// The place of a value whose pieces lie at these offsets.
    fn put(
        &mut self,
        name: &str,
        shape: ShapeId,
        offsets: &mut impl Iterator<Item = u32>,
    ) -> Place {
        let name = name.to_owned();
        let mut next = || offsets.next().expect("each piece has an offset");
        if !self.is_spread(shape) {
            return Place { name, offset: next(), shape };
        }
        let Shape { name: type_name, kind, .. } = self.get(shape).clone();
        let mut all = |this: &mut Self, parts: Vec<Place>| {
            parts.iter().map(|part| this.put(&part.name, part.shape, offsets)).collect()
        };
        let kind = match kind {
            Kind::Tuple { parts } => Kind::Tuple { parts: all(self, parts) },
            Kind::InlineRecord { fields } => Kind::InlineRecord { fields: all(self, fields) },
            Kind::OptionalValue { value, .. } => {
                let value = self.put(&value.name, value.shape, offsets);
                let flag = offsets.next().expect("each piece has an offset");
                Kind::OptionalValue { value, flag }
            }
            kind => unreachable!("{kind:?} has no parts"),
        };
        Place { name, offset: 0, shape: self.add(type_name, kind) }
    }

    /// Where the last scalar of a value ends.
    fn end(&self, shape: ShapeId) -> u32 {
        let ends = self.get(shape).scalars.iter().map(|(offset, scalar)| offset + scalar.size());
        ends.max().unwrap_or(0)
    }

    /// Offsets of the references in a run of places, for the heap's type layout.
    pub fn reference_offsets(&self, places: &[Place]) -> Vec<u32> {
        places.iter().flat_map(|place| self.value_references(place.shape, place.offset)).collect()
    }

    /// Offsets of the references in one value that lies at `base`.
    pub fn value_references(&self, shape: ShapeId, base: u32) -> Vec<u32> {
        let scalars = self.get(shape).scalars.iter();
        scalars.filter(|(_, s)| *s == Scalar::Ref).map(|(offset, _)| base + offset).collect()
    }

    /// Of each scalar of a value: it is a reference, and the type says that it is never nil.
    pub fn never_nil(&self, id: ShapeId) -> Vec<bool> {
        let mut offsets = vec![];
        self.find_never_nil(id, 0, &mut offsets);
        self.get(id).scalars.iter().map(|(offset, _)| offsets.contains(offset)).collect()
    }

    fn find_never_nil(&self, id: ShapeId, base: u32, offsets: &mut Vec<u32>) {
        match &self.get(id).kind {
            Kind::Tuple { parts: fields } | Kind::InlineRecord { fields } => {
                for field in fields {
                    self.find_never_nil(field.shape, base + field.offset, offsets);
                }
            }
            _ if self.is_never_nil(id) => offsets.push(base),
            _ => {}
        }
    }

    fn value_layout(&self, kind: &Kind) -> (u32, u32, Vec<(u32, Scalar)>) {
        let one = |scalar: Scalar| (scalar.size(), scalar.size(), vec![(0, scalar)]);
        match kind {
            Kind::Unit => (0, 1, vec![]),
            Kind::Bool | Kind::Byte | Kind::PlainEnum { .. } => one(Scalar::I8),
            Kind::Int => one(Scalar::I64),
            Kind::Float => one(Scalar::F64),
            Kind::Str
            | Kind::List { .. }
            | Kind::Map { .. }
            | Kind::Record { .. }
            | Kind::Enum { .. }
            | Kind::Array { .. }
            | Kind::OptionalRef { .. }
            | Kind::Func
            | Kind::Cell { .. } => one(Scalar::Ref),
            Kind::Tuple { parts } | Kind::InlineRecord { fields: parts } => self.whole(parts, None),
            Kind::OptionalValue { value, flag } => {
                self.whole(std::slice::from_ref(value), Some(*flag))
            }
            Kind::Result { value } => {
                let mut scalars = vec![(0, Scalar::Ref)];
                scalars.extend(self.scalars_at(value.shape, value.offset));
                (round_up(value.offset + self.get(value.shape).size, 8), 8, scalars)
            }
            Kind::Own { .. } => one(Scalar::I64),
            Kind::Buffer => (16, 8, vec![(0, Scalar::I64), (8, Scalar::I64)]),
            Kind::Pin { .. } => {
                (24, 8, vec![(0, Scalar::Ref), (8, Scalar::Ref), (16, Scalar::I64)])
            }
            Kind::View { .. } => (32, 8, (0..4).map(|index| (8 * index, Scalar::I64)).collect()),
        }
    }

    /// The layout of a value made of parts, and perhaps a flag.
    fn whole(&self, parts: &[Place], flag: Option<u32>) -> (u32, u32, Vec<(u32, Scalar)>) {
        let align = parts.iter().map(|part| self.get(part.shape).align).max().unwrap_or(1);
        let scalars = parts.iter().flat_map(|part| self.scalars_at(part.shape, part.offset));
        let scalars: Vec<_> = scalars.chain(flag.map(|flag| (flag, Scalar::I8))).collect();
        let ends = scalars.iter().map(|(offset, scalar)| offset + scalar.size());
        (round_up(ends.max().unwrap_or(0), align), align, scalars)
    }

    fn scalars_at(&self, shape: ShapeId, base: u32) -> impl Iterator<Item = (u32, Scalar)> + '_ {
        self.get(shape).scalars.iter().map(move |(offset, scalar)| (base + offset, *scalar))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(fields: &[ShapeId]) -> Vec<(String, ShapeId)> {
        fields.iter().enumerate().map(|(index, shape)| (index.to_string(), *shape)).collect()
    }

    fn offsets(shapes: &Shapes, fields: &Fields) -> Vec<Vec<u32>> {
        let of = |place: &Place| {
            let scalars = shapes.get(place.shape).scalars.iter();
            scalars.map(|(offset, _)| place.offset + offset).collect()
        };
        fields.places.iter().map(of).collect()
    }

    #[test]
    fn small_fields_share_the_header_and_then_a_word() {
        let mut shapes = Shapes::default();
        let (byte, float) = (shapes.add("byte", Kind::Byte), shapes.add("float", Kind::Float));
        let placed = shapes.place_in_object(8, &named(&[byte, float, byte, byte, byte, byte]));
        assert_eq!(
            offsets(&shapes, &placed),
            [vec![5], vec![8], vec![6], vec![7], vec![16], vec![17]]
        );
        assert_eq!(placed.size, 18);
    }

    #[test]
    fn fields_of_words_and_bytes_are_spread_and_those_of_words_are_not() {
        let mut shapes = Shapes::default();
        let (byte, int) = (shapes.add("byte", Kind::Byte), shapes.add("int", Kind::Int));
        let fields = shapes.place_in_value(&named(&[byte, int])).places;
        let date = shapes.add("Date", Kind::InlineRecord { fields });
        assert_eq!(shapes.get(date).scalars, [(8, Scalar::I8), (0, Scalar::I64)]);
        let maybe = shapes.add_optional("Date?", date);
        assert_eq!((shapes.get(maybe).size, shapes.get(maybe).scalars[2].0), (16, 9));
        let pair = shapes.add_tuple("(int, int)", &[int, int]);
        let placed = shapes.place_in_object(8, &named(&[maybe, byte, pair, maybe]));
        assert_eq!(
            offsets(&shapes, &placed),
            [vec![5, 8, 6], vec![7], vec![16, 24], vec![40, 32, 41]]
        );
        assert_eq!((placed.places[2].shape, placed.size), (pair, 42));
    }

    #[test]
    fn an_optional_of_a_reference_needs_no_flag() {
        let mut shapes = Shapes::default();
        let (text, int) = (shapes.add("string", Kind::Str), shapes.add("int", Kind::Int));
        let (text, int) = (shapes.add_optional("string?", text), shapes.add_optional("int?", int));
        assert_eq!(shapes.get(text).size, 8);
        assert_eq!((shapes.get(int).size, shapes.get(int).scalars.len()), (16, 2));
    }

    #[test]
    fn references_inside_tuples_are_found() {
        let mut shapes = Shapes::default();
        let (text, int) = (shapes.add("string", Kind::Str), shapes.add("int", Kind::Int));
        let pair = shapes.add_tuple("(int, string)", &[int, text]);
        assert_eq!(shapes.value_references(pair, 16), vec![24]);
        assert_eq!(shapes.never_nil(pair), [false, true]);
        let maybe = shapes.add_optional("(int, string)?", pair);
        assert_eq!(shapes.never_nil(maybe), [false, false, false]);
    }
}
