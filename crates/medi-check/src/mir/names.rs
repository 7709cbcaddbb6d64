//! Types as a person writes them, for names of functions, messages and the text form.
//!
//! A name has a bounded length: types share their parts, so that a small type may have a name that
//! does not fit in memory.

use crate::types::{Ty, TyId, Types};

/// Bytes after which a name is cut.
const LIMIT: usize = 200;

/// How a declared type is named.
pub enum Declared {
    /// Without its type arguments, which are added.
    Base(String),
    /// With them.
    Whole(String),
}

/// The name of a type; `declared` names records and enums.
pub fn type_name(types: &Types, ty: TyId, declared: &dyn Fn(TyId, &Ty) -> Declared) -> String {
    let mut name = String::new();
    write(types, ty, declared, &mut name);
    name
}

fn write(types: &Types, ty: TyId, declared: &dyn Fn(TyId, &Ty) -> Declared, out: &mut String) {
    if out.len() > LIMIT {
        if !out.ends_with('…') {
            out.push('…');
        }
        return;
    }
    let list = |list: &[TyId], out: &mut String| {
        for (index, ty) in list.iter().enumerate() {
            if index > 0 {
                out.push_str(", ");
            }
            write(types, *ty, declared, out);
        }
    };
    let wrap = |name: &str, inner: TyId, out: &mut String| {
        out.push_str(name);
        out.push('[');
        write(types, inner, declared, out);
        out.push(']');
    };
    match types.get(ty) {
        Ty::Unit => out.push_str("()"),
        Ty::Never => out.push_str("never"),
        Ty::Bool => out.push_str("bool"),
        Ty::Byte => out.push_str("byte"),
        Ty::Int => out.push_str("int"),
        Ty::Float => out.push_str("float"),
        Ty::Str => out.push_str("string"),
        Ty::Buffer => out.push_str("Buffer"),
        Ty::Record(_, args) | Ty::Enum(_, args) => match declared(ty, types.get(ty)) {
            Declared::Whole(name) => out.push_str(&name),
            Declared::Base(name) => {
                out.push_str(&name);
                if !args.is_empty() {
                    out.push('[');
                    list(args, out);
                    out.push(']');
                }
            }
        },
        Ty::Array(inner) => wrap("array", *inner, out),
        Ty::Result(inner) => wrap("Result", *inner, out),
        Ty::View(inner) => wrap("View", *inner, out),
        Ty::Own(inner) => {
            out.push_str("own ");
            write(types, *inner, declared, out);
        }
        Ty::Shared(inner) => wrap("Shared", *inner, out),
        Ty::Weak(inner) => wrap("Weak", *inner, out),
        Ty::Owned(inner) => wrap("Owned", *inner, out),
        Ty::Pin(inner) => wrap("Pin", *inner, out),
        Ty::Atomic(inner) => wrap("Atomic", *inner, out),
        Ty::Cell(inner) => wrap("cell", *inner, out),
        Ty::Tuple(parts) => {
            out.push('(');
            list(parts, out);
            out.push(')');
        }
        Ty::Optional(inner) => {
            let function = matches!(types.get(*inner), Ty::Func { .. });
            if function {
                out.push('(');
            }
            write(types, *inner, declared, out);
            out.push_str(if function { ")?" } else { "?" });
        }
        Ty::Func { params, result } => {
            out.push_str("func(");
            list(params, out);
            out.push(')');
            if *result != Types::UNIT {
                out.push_str(" -> ");
                write(types, *result, declared, out);
            }
        }
        Ty::Param(index) => out.push_str(&format!("T{index}")),
        Ty::Infer(_) | Ty::Error => out.push('_'),
    }
}
