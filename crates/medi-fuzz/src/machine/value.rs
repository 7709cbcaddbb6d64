//! Values of the reference machine. An address carries a tag: the number of an allocation, which is never given out
//! twice, so that it is the memory's generation as well.

use std::rc::Rc;

use medi_check::mir::FunctionId;

/// An allocation.
pub type Tag = u32;

#[derive(Clone, Debug)]
pub enum Value {
    Unit,
    /// An int or a byte.
    Int(i64),
    Bool(bool),
    Float(f64),
    Text(Rc<str>),
    Nil,
    Some(Rc<Value>),
    Tuple(Rc<[Value]>),
    Outcome(Result<Rc<Value>, Rc<str>>),
    Variant(u32, Rc<[Value]>),
    /// A collected record, array or cell: its number in the machine.
    Object(u32),
    Closure(Rc<Closure>),
    /// A buffer of a scope, or one that somebody owns.
    Buffer(Tag),
    View(View),
    /// An object of a scope, shared or not.
    Own(Tag),
    Weak(Tag),
    Pin(Rc<Pin>),
}

#[derive(Debug)]
pub struct Closure {
    pub function: FunctionId,
    pub captures: Vec<Value>,
}

/// Elements of `size` bytes, from a byte on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct View {
    pub tag: Tag,
    pub start: u32,
    pub len: u32,
    pub size: u8,
}

#[derive(Debug)]
pub struct Pin {
    pub object: Value,
    pub task: u32,
    /// Of a list, when it was pinned: its elements.
    pub items: Option<u32>,
}

impl Value {
    pub fn some(value: Value) -> Self {
        Self::Some(Rc::new(value))
    }

    pub fn int(&self) -> i64 {
        match self {
            Self::Int(value) => *value,
            other => panic!("{other:?} is no int"),
        }
    }

    pub fn bool(&self) -> bool {
        match self {
            Self::Bool(value) => *value,
            other => panic!("{other:?} is no bool"),
        }
    }

    pub fn float(&self) -> f64 {
        match self {
            Self::Float(value) => *value,
            other => panic!("{other:?} is no float"),
        }
    }

    pub fn text(&self) -> Rc<str> {
        match self {
            Self::Text(text) => text.clone(),
            other => panic!("{other:?} is no string"),
        }
    }

    pub fn object(&self) -> usize {
        match self {
            Self::Object(number) => *number as usize,
            other => panic!("{other:?} is no object"),
        }
    }

    pub fn tag(&self) -> Tag {
        match self {
            Self::Buffer(tag) | Self::Own(tag) | Self::Weak(tag) => *tag,
            Self::View(view) => view.tag,
            other => panic!("{other:?} is no scope memory"),
        }
    }

    pub fn view(&self) -> View {
        match self {
            Self::View(view) => *view,
            other => panic!("{other:?} is no view"),
        }
    }

    /// The parts that lie where the value does.
    pub fn parts(&self) -> &[Value] {
        match self {
            Self::Some(value) => std::slice::from_ref(value.as_ref()),
            Self::Outcome(Ok(value)) => std::slice::from_ref(value.as_ref()),
            Self::Tuple(parts) => parts,
            _ => &[],
        }
    }
}
