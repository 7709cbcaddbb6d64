//! From MIR types to shapes and heap types.
//!
//! One walk over the program fills a [`Shapes`] table with every type that occurs and registers the heap
//! types that objects of these types carry; afterwards the [`Layouts`] only answer. The rules of layout
//! themselves are those of [`medi_runtime::shape`]. The variants of one enum get consecutive heap types, so
//! that a variant's number is the difference to the first.

use std::collections::HashMap;

use medi_check::mir;
use medi_check::types::{Ty, TyId, Types};
use medi_heap::{Heap, TypeId, TypeLayout};
use medi_runtime::shape::{
    CLOSURE_CAPTURES, Fields, Kind, LIST_ITEMS, LIST_SIZE, Place, Scalar, Shape, ShapeId, Shapes,
    VariantShape,
};

use crate::roots;

/// The closure object of one closure function.
#[derive(Clone, Debug)]
pub struct Closure {
    pub heap_type: TypeId,
    /// Bytes, header included.
    pub size: u32,
    pub captures: Vec<Place>,
}

/// The field `len` of `list`, as its declaration counts.
pub const LIST_LEN_FIELD: u32 = 0;
/// The field `items` of `list`.
pub const LIST_ITEMS_FIELD: u32 = 1;

/// Where everything lies.
#[derive(Debug)]
pub struct Layouts {
    pub shapes: Shapes,
    by_type: HashMap<TyId, ShapeId>,
    /// By function; `None` for functions that are no closures.
    closures: Vec<Option<Closure>>,
}

impl Layouts {
    /// Shapes of all types in the program.
    pub fn new(program: &mir::Program, heap: &Heap) -> Layouts {
        let mut builder =
            Builder { program, heap, shapes: Shapes::default(), by_type: HashMap::new() };
        for ty in [
            Types::UNIT,
            Types::BOOL,
            Types::BYTE,
            Types::INT,
            Types::FLOAT,
            Types::STR,
            Types::BUFFER,
        ] {
            builder.shape(ty);
        }
        for native in &program.natives {
            for param in &native.params {
                let (mir::NativeParam::Plain(ty) | mir::NativeParam::Shaped(ty)) = *param;
                builder.shape(ty);
            }
            builder.shape(native.result);
        }
        if let Some(ty) = program.main_args {
            builder.shape(ty);
        }
        let mut closures = vec![];
        for function in &program.functions {
            builder.function(function);
            closures.push(function.captures.as_ref().map(|captures| {
                let fields: Vec<_> = captures.iter().map(|ty| builder.capture(*ty)).collect();
                let fields = builder.shapes.place_in_object(CLOSURE_CAPTURES, &fields);
                let heap_type = builder.register(&function.name, fields.size, &fields.places);
                Closure { heap_type, size: fields.size, captures: fields.places }
            }));
        }
        let Builder { shapes, by_type, .. } = builder;
        Layouts { shapes, by_type, closures }
    }

    /// # Panics
    /// If the type does not occur in the program.
    pub fn shape_id(&self, ty: TyId) -> ShapeId {
        *self.by_type.get(&ty).unwrap_or_else(|| panic!("type {ty:?} was not laid out"))
    }

    pub fn shape(&self, ty: TyId) -> &Shape {
        self.shapes.get(self.shape_id(ty))
    }

    /// # Panics
    /// If the function is no closure.
    pub fn closure(&self, function: mir::FunctionId) -> &Closure {
        self.closures[function.index()].as_ref().expect("a closure function")
    }

    /// The registers that a value of the type takes.
    pub fn scalars(&self, ty: TyId) -> &[(u32, Scalar)] {
        &self.shape(ty).scalars
    }

    /// The fields of a record or map.
    ///
    /// # Panics
    /// If the type is none of these.
    pub fn fields(&self, ty: TyId) -> &[Place] {
        match &self.shape(ty).kind {
            Kind::Record { fields }
            | Kind::InlineRecord { fields }
            | Kind::Own { fields }
            | Kind::Map { fields, .. } => fields,
            other => panic!("no record: {other:?}"),
        }
    }

    /// Which scalars of a record kept by value are those of a field.
    ///
    /// # Panics
    /// If the type is no record.
    pub fn inline_scalars(&self, ty: TyId, field: usize) -> std::ops::Range<usize> {
        let fields = self.fields(ty);
        let count = |place: &Place| self.shapes.get(place.shape).scalars.len();
        let first = fields[..field].iter().map(count).sum();
        first..first + count(&fields[field])
    }

    /// The variants of an enum that is not plain.
    ///
    /// # Panics
    /// If the type is no such enum.
    pub fn variants(&self, ty: TyId) -> &[VariantShape] {
        match &self.shape(ty).kind {
            Kind::Enum { variants } => variants,
            other => panic!("no enum with payload: {other:?}"),
        }
    }

    /// The shape of an array's or view's elements.
    ///
    /// # Panics
    /// If the type is neither.
    pub fn element(&self, ty: TyId) -> &Shape {
        match self.shape(ty).kind {
            Kind::Array { element } | Kind::View { element } => self.shapes.get(element),
            ref other => panic!("no array or view: {other:?}"),
        }
    }
}

/// Bytes of an object whose fields end at `end`: whole granules, at least one.
pub fn object_size(end: u32) -> u32 {
    let granule = medi_heap::layout::GRANULE as u32;
    end.max(granule).next_multiple_of(granule)
}

struct Builder<'a> {
    program: &'a mir::Program,
    heap: &'a Heap,
    shapes: Shapes,
    by_type: HashMap<TyId, ShapeId>,
}

impl Builder<'_> {
    fn function(&mut self, function: &mir::Function) {
        for local in &function.locals {
            self.shape(local.ty);
        }
        self.shape(function.result);
        for block in &function.blocks {
            for stmt in &block.stmts {
                if let mir::StmtKind::Assign(_, rvalue) = &stmt.kind {
                    self.rvalue(rvalue);
                }
                roots::operands(&stmt.kind, &mut |operand| self.constant(operand));
            }
            if let mir::TerminatorKind::Return(value) = &block.terminator.kind {
                self.constant(value);
            }
        }
    }

    /// Types that a statement names itself; those of its operands are locals' types or constants'.
    fn rvalue(&mut self, rvalue: &mir::Rvalue) {
        match rvalue {
            mir::Rvalue::NewRecord { ty, .. }
            | mir::Rvalue::NewVariant { ty, .. }
            | mir::Rvalue::NewArray { ty, .. }
            | mir::Rvalue::NewClosure { ty, .. }
            | mir::Rvalue::NewCell { ty, .. }
            | mir::Rvalue::MakeSome { ty, .. }
            | mir::Rvalue::MakeOk { ty, .. }
            | mir::Rvalue::MakeErr { ty, .. }
            | mir::Rvalue::Pin { ty, .. }
            | mir::Rvalue::NewOwn { ty, .. }
            | mir::Rvalue::Downgrade { ty, .. }
            | mir::Rvalue::Upgrade { ty, .. }
            | mir::Rvalue::MakeView { ty, .. } => {
                self.shape(*ty);
            }
            _ => {}
        }
    }

    fn constant(&mut self, operand: &mir::Operand) {
        if let mir::Operand::Const(mir::Const::Nil(ty) | mir::Const::Variant(ty, _)) = operand {
            self.shape(*ty);
        }
    }

    fn capture(&mut self, ty: TyId) -> (String, ShapeId) {
        (String::new(), self.shape(ty))
    }

    fn register(&self, name: &str, size: u32, places: &[Place]) -> TypeId {
        let references = self.shapes.reference_offsets(places);
        self.heap.register(TypeLayout::fixed(name, object_size(size), &references))
    }

    fn shape(&mut self, ty: TyId) -> ShapeId {
        if let Some(shape) = self.by_type.get(&ty) {
            return *shape;
        }
        let name = type_name(self.program, ty);
        let program = self.program;
        let shape = match program.types.get(ty).clone() {
            Ty::Unit | Ty::Never => self.shapes.add(name, Kind::Unit),
            Ty::Bool => self.shapes.add(name, Kind::Bool),
            Ty::Byte => self.shapes.add(name, Kind::Byte),
            Ty::Int => self.shapes.add(name, Kind::Int),
            Ty::Float => self.shapes.add(name, Kind::Float),
            Ty::Buffer | Ty::Owned(_) => self.shapes.add(name, Kind::Buffer),
            Ty::Atomic(_) => self.shapes.add(name, Kind::Int),
            Ty::Pin(object) => {
                let object = self.shape(object);
                self.shapes.add(name, Kind::Pin { object })
            }
            Ty::Func { .. } => self.shapes.add(name, Kind::Func),
            Ty::Str => {
                let id = self.shapes.declare_reference(name.clone());
                let heap_type = self.heap.register(TypeLayout::array(name, 1, &[]));
                self.shapes.define(id, Kind::Str, 0, Some(heap_type));
                id
            }
            Ty::Record(..) if program.values.contains(&ty) => {
                let fields = self.named(&program.records[&ty].fields);
                // A list in it may hold records of this type, and have asked for the same shape.
                if let Some(shape) = self.by_type.get(&ty) {
                    return *shape;
                }
                let fields = self.shapes.place_in_value(&fields).places;
                self.shapes.add(name, Kind::InlineRecord { fields })
            }
            Ty::Record(_, args) => return self.record(ty, name, &args),
            Ty::Enum(..) if program.enums[&ty].is_plain() => {
                let variants = program.enums[&ty].variants.iter().map(|v| v.name.clone()).collect();
                self.shapes.add(name, Kind::PlainEnum { variants })
            }
            Ty::Enum(..) => return self.enumeration(ty, name),
            Ty::Own(record) | Ty::Shared(record) | Ty::Weak(record) => {
                return self.own(ty, name, record);
            }
            Ty::Array(element) => return self.array(ty, name, element),
            Ty::Cell(inner) => return self.cell(ty, name, inner),
            Ty::Tuple(parts) => {
                let parts: Vec<_> = parts.iter().map(|part| self.shape(*part)).collect();
                self.shapes.add_tuple(name, &parts)
            }
            Ty::Optional(inner) => {
                let inner = self.shape(inner);
                self.shapes.add_optional(name, inner)
            }
            Ty::Result(value) => {
                let value = self.shape(value);
                self.shapes.add_result(name, value)
            }
            Ty::View(element) => {
                let element = self.shape(element);
                self.shapes.add(name, Kind::View { element })
            }
            Ty::Param(_) | Ty::Infer(_) | Ty::Error => {
                panic!("type `{name}` has no layout: MIR holds concrete types only")
            }
        };
        self.by_type.insert(ty, shape);
        shape
    }

    fn declare(&mut self, ty: TyId, name: String) -> ShapeId {
        let id = self.shapes.declare_reference(name);
        self.by_type.insert(ty, id);
        id
    }

    fn named(&mut self, fields: &[mir::Field]) -> Vec<(String, ShapeId)> {
        fields.iter().map(|field| (field.name.clone(), self.shape(field.ty))).collect()
    }

    fn fields(&mut self, fields: &[mir::Field]) -> Fields {
        let fields = self.named(fields);
        self.shapes.place_in_object(medi_heap::layout::HEADER as u32, &fields)
    }

    fn record(&mut self, ty: TyId, name: String, args: &[TyId]) -> ShapeId {
        let id = self.declare(ty, name.clone());
        let program = self.program;
        let base = name.split('[').next().unwrap_or_default();
        if let ("list", [element]) = (base, args) {
            return self.list(id, name, ty, *element);
        }
        let fields = self.fields(&program.records[&ty].fields);
        let size = object_size(fields.size);
        let heap_type = self.register(&name, fields.size, &fields.places);
        let kind = match (base, args) {
            ("map", [key, value]) => Kind::Map {
                key: self.shape(*key),
                value: self.shape(*value),
                fields: fields.places,
            },
            _ => Kind::Record { fields: fields.places },
        };
        self.shapes.define(id, kind, size, Some(heap_type));
        id
    }

    /// The library declares `list` with the fields `len` and `items`; the former lies in the latter.
    fn list(&mut self, id: ShapeId, name: String, ty: TyId, element: TyId) -> ShapeId {
        let fields = &self.program.records[&ty].fields;
        assert!(
            matches!(&fields[..], [len, items] if len.name == "len" && items.name == "items"),
            "`list` is declared otherwise: {fields:?}"
        );
        let items = self.shape(fields[LIST_ITEMS_FIELD as usize].ty);
        let element = self.shape(element);
        let heap_type = self.heap.register(TypeLayout::fixed(name, LIST_SIZE, &[LIST_ITEMS]));
        self.shapes.define(id, Kind::List { items, element }, LIST_SIZE, Some(heap_type));
        id
    }

    /// An object of a scope, and the count of a shared one behind its fields: they lie as if it were collected, also where the record is kept by value.
    fn own(&mut self, ty: TyId, name: String, record: TyId) -> ShapeId {
        let id = self.shapes.declare_own(name.clone());
        self.by_type.insert(ty, id);
        let program = self.program;
        let mut declared = program.records[&record].fields.clone();
        if !matches!(program.types.get(ty), Ty::Own(_)) {
            declared.push(mir::Field { name: "count".into(), ty: Types::INT });
        }
        let fields = self.fields(&declared);
        let heap_type = self.register(&name, fields.size, &fields.places);
        let kind = Kind::Own { fields: fields.places };
        self.shapes.define(id, kind, fields.size.next_multiple_of(8), Some(heap_type));
        id
    }

    fn enumeration(&mut self, ty: TyId, name: String) -> ShapeId {
        let id = self.declare(ty, name.clone());
        let program = self.program;
        let declaration = &program.enums[&ty];
        let placed: Vec<_> =
            declaration.variants.iter().map(|variant| self.fields(&variant.fields)).collect();
        let variants = declaration.variants.iter().zip(placed).map(|(variant, fields)| {
            let full_name = format!("{name}.{}", variant.name);
            let heap_type = self.register(&full_name, fields.size, &fields.places);
            VariantShape {
                name: variant.name.clone(),
                fields: fields.places,
                heap_type: Some(heap_type),
            }
        });
        let variants = variants.collect();
        self.shapes.define(id, Kind::Enum { variants }, 0, None);
        id
    }

    fn array(&mut self, ty: TyId, name: String, element: TyId) -> ShapeId {
        let id = self.declare(ty, name.clone());
        let element = self.shape(element);
        let size = self.shapes.get(element).size.max(1);
        let references = self.shapes.value_references(element, 0);
        let heap_type = self.heap.register(TypeLayout::array(name, size, &references));
        self.shapes.define(id, Kind::Array { element }, 0, Some(heap_type));
        id
    }

    fn cell(&mut self, ty: TyId, name: String, inner: TyId) -> ShapeId {
        let id = self.declare(ty, name.clone());
        let inner = self.shape(inner);
        let fields = self
            .shapes
            .place_in_object(medi_heap::layout::HEADER as u32, &[("value".into(), inner)]);
        let heap_type = self.register(&name, fields.size, &fields.places);
        let value = fields.places[0].clone();
        self.shapes.define(id, Kind::Cell { value }, object_size(fields.size), Some(heap_type));
        id
    }
}

/// The bytes that a variant's object takes.
pub fn variant_size(shapes: &Shapes, variant: &VariantShape) -> u32 {
    let ends = variant.fields.iter().map(|place| place.offset + shapes.get(place.shape).size);
    object_size(ends.max().unwrap_or(0))
}

/// A type as written in Medi.
pub fn type_name(program: &mir::Program, ty: TyId) -> String {
    let list = |types: &[TyId]| {
        types.iter().map(|ty| type_name(program, *ty)).collect::<Vec<_>>().join(", ")
    };
    match program.types.get(ty) {
        Ty::Unit => "()".into(),
        Ty::Never => "never".into(),
        Ty::Bool => "bool".into(),
        Ty::Byte => "byte".into(),
        Ty::Int => "int".into(),
        Ty::Float => "float".into(),
        Ty::Str => "string".into(),
        Ty::Buffer => "Buffer".into(),
        Ty::Record(..) => program.records[&ty].name.clone(),
        Ty::Enum(..) => program.enums[&ty].name.clone(),
        Ty::Array(element) => format!("array[{}]", type_name(program, *element)),
        Ty::Tuple(parts) => format!("({})", list(parts)),
        Ty::Optional(inner) => format!("{}?", type_name(program, *inner)),
        Ty::Result(inner) => format!("Result[{}]", type_name(program, *inner)),
        Ty::View(inner) => format!("View[{}]", type_name(program, *inner)),
        Ty::Own(inner) => format!("own {}", type_name(program, *inner)),
        Ty::Shared(inner) => format!("Shared[{}]", type_name(program, *inner)),
        Ty::Weak(inner) => format!("Weak[{}]", type_name(program, *inner)),
        Ty::Owned(inner) => format!("Owned[{}]", type_name(program, *inner)),
        Ty::Pin(inner) => format!("Pin[{}]", type_name(program, *inner)),
        Ty::Atomic(inner) => format!("Atomic[{}]", type_name(program, *inner)),
        Ty::Cell(inner) => format!("captured {}", type_name(program, *inner)),
        Ty::Func { params, result } if *result == Types::UNIT => {
            format!("func({})", list(params))
        }
        Ty::Func { params, result } => {
            format!("func({}) -> {}", list(params), type_name(program, *result))
        }
        Ty::Param(index) => format!("type parameter {index}"),
        Ty::Infer(_) => "unknown".into(),
        Ty::Error => "error".into(),
    }
}
