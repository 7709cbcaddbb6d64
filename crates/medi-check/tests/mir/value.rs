//! Values and outcomes that the two evaluators of the tests share.

use std::cell::RefCell;
use std::rc::Rc;

#[derive(Clone, Debug)]
pub enum Value {
    Unit,
    Int(i64),
    Bool(bool),
    Text(Rc<str>),
    Tuple(Vec<Value>),
    Maybe(Option<Box<Value>>),
    Outcome(Result<Box<Value>, Rc<str>>),
    /// A record, an array or a cell.
    Object(Rc<RefCell<Vec<Value>>>),
    Variant(u32, Rc<Vec<Value>>),
    /// A number that the evaluator gave the function value.
    Closure(usize),
}

impl Value {
    pub fn object(fields: Vec<Value>) -> Self {
        Self::Object(Rc::new(RefCell::new(fields)))
    }

    pub fn some(value: Value) -> Self {
        Self::Maybe(Some(Box::new(value)))
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

    pub fn text(&self) -> Rc<str> {
        match self {
            Self::Text(text) => text.clone(),
            other => panic!("{other:?} is no string"),
        }
    }

    pub fn fields(&self) -> &Rc<RefCell<Vec<Value>>> {
        match self {
            Self::Object(fields) => fields,
            other => panic!("{other:?} is no object"),
        }
    }

    pub fn maybe(&self) -> Option<&Value> {
        match self {
            Self::Maybe(value) => value.as_deref(),
            other => panic!("{other:?} is no optional"),
        }
    }

    pub fn outcome(&self) -> Result<&Value, Rc<str>> {
        match self {
            Self::Outcome(Ok(value)) => Ok(value),
            Self::Outcome(Err(message)) => Err(message.clone()),
            other => panic!("{other:?} is no result"),
        }
    }

    pub fn part(&self, index: usize) -> Value {
        match self {
            Self::Tuple(parts) => parts[index].clone(),
            other => panic!("{other:?} is no tuple"),
        }
    }

    pub fn tag(&self) -> u32 {
        match self {
            Self::Variant(tag, _) => *tag,
            other => panic!("{other:?} is no variant"),
        }
    }

    /// As `print` shows it to the tests: enough to tell values apart.
    pub fn show(&self) -> String {
        match self {
            Self::Unit => "()".to_owned(),
            Self::Int(value) => value.to_string(),
            Self::Bool(value) => value.to_string(),
            Self::Text(text) => text.to_string(),
            Self::Tuple(parts) => {
                let parts: Vec<_> = parts.iter().map(Value::show).collect();
                format!("({})", parts.join(", "))
            }
            Self::Maybe(None) => "nil".to_owned(),
            Self::Maybe(Some(value)) => value.show(),
            Self::Outcome(Ok(value)) => format!("ok {}", value.show()),
            Self::Outcome(Err(message)) => format!("err {message}"),
            Self::Object(_) => "object".to_owned(),
            Self::Variant(tag, fields) => {
                let fields: Vec<_> = fields.iter().map(Value::show).collect();
                format!("#{tag}({})", fields.join(", "))
            }
            Self::Closure(_) => "function".to_owned(),
        }
    }
}

/// Why a program stopped.
#[derive(Clone, PartialEq, Debug)]
pub enum Stop {
    Overflow,
    Bounds,
    Nil,
    Raised(String),
    /// The test's patience ended, not the program.
    Fuel,
}

/// What a program did that shows: what it printed and the scopes it entered and left, and how it ended.
#[derive(Clone, PartialEq, Debug)]
pub struct Story {
    pub events: Vec<String>,
    pub end: Result<(), Stop>,
}
