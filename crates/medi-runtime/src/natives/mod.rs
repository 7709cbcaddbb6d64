//! The native functions: what the library declares with `native func`.
//!
//! A native is an `unsafe extern "C" fn(*mut Context, …)`. Scalars of plain arguments follow each other (bytes and
//! bools zero-extended, floats in vector registers, references as addresses); a shaped argument is the address
//! of a value and its shape. One scalar is returned in a register, more through [`Context::results`](crate::context::Context::results), an
//! optional as (value, flag), a result as (message or 0, value). A native that fails says so through
//! [`Call`](crate::call::Call) and returns anything.
//!
//! Rules for natives that may allocate: references, and memory that shaped arguments lie in, are not read after
//! an allocation, except through handles. A *leaf* neither allocates in the collected heap nor stops the program,
//! and is called without noting where compiled code left.
//!
//! # Safety
//! Every native relies on compiled code that passes its own context, live objects of the declared types and
//! values of the declared shapes; each `unsafe` block here rests on that.

mod arrays;
mod files;
mod memory;
mod numbers;
mod process;
pub mod readers;
mod references;
mod scope_memory;
mod statistics;
mod strings;
mod tasks;
mod text;
mod values;

/// A native function of the table.
pub struct Native {
    pub symbol: &'static str,
    address: *const u8,
    leaf: bool,
}

// SAFETY: the address of a function is the same for all threads, and never written through.
unsafe impl Sync for Native {}

impl Native {
    pub(crate) const fn new(symbol: &'static str, address: *const u8) -> Native {
        Native { symbol, address, leaf: false }
    }

    pub(crate) const fn leaf(symbol: &'static str, address: *const u8) -> Native {
        Native { symbol, address, leaf: true }
    }

    /// Of type `unsafe extern "C" fn(*mut Context, …)`.
    pub fn address(&self) -> *const u8 {
        self.address
    }

    /// Neither allocates in the collected heap nor stops the program.
    pub fn is_leaf(&self) -> bool {
        self.leaf
    }
}

/// `table! { TABLE: leaf first, second, }` makes the entries of functions that are named like their symbols.
macro_rules! table {
    (@entry leaf $name:ident) => {
        $crate::natives::Native::leaf(stringify!($name), $name as *const () as *const u8)
    };
    (@entry call $name:ident) => {
        $crate::natives::Native::new(stringify!($name), $name as *const () as *const u8)
    };
    ($($kind:ident $name:ident),* $(,)?) => {
        pub(super) static TABLE: &[$crate::natives::Native] =
            &[$($crate::natives::table!(@entry $kind $name)),*];
    };
}
pub(crate) use table;

static TABLES: &[&[Native]] = &[
    text::TABLE,
    strings::TABLE,
    values::TABLE,
    arrays::TABLE,
    numbers::TABLE,
    statistics::TABLE,
    scope_memory::TABLE,
    files::TABLE,
    memory::TABLE,
    process::TABLE,
    readers::TABLE,
    tasks::TABLE,
];

/// The native with that symbol.
pub fn find(symbol: &str) -> Option<&'static Native> {
    TABLES.iter().flat_map(|table| table.iter()).find(|native| native.symbol == symbol)
}

/// The address of a native, an `unsafe extern "C" fn(*mut Context, …)`.
pub fn lookup(symbol: &str) -> Option<*const u8> {
    find(symbol).map(Native::address)
}

/// Whether compiled code may call the native without noting where it left.
pub fn is_leaf(symbol: &str) -> bool {
    find(symbol).is_some_and(Native::is_leaf)
}

/// All of them.
pub fn all() -> impl Iterator<Item = &'static Native> {
    TABLES.iter().flat_map(|table| table.iter())
}
