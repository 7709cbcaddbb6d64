//! Types and signatures as a person would write them.

use super::{Checker, FuncInfo};
use crate::types::{Ty, TyId};

impl Checker<'_> {
    /// The type in source form. Parameters take their names from `params`; what is not known is `_`.
    pub(super) fn show(&self, ty: TyId, params: &[&str]) -> String {
        let mut text = String::new();
        self.write_type(&mut text, ty, params, 0);
        text
    }

    fn write_type(&self, text: &mut String, ty: TyId, params: &[&str], depth: u32) {
        // Deeper than a person can read.
        if depth > 12 {
            text.push('…');
            return;
        }
        let list = |text: &mut String, open: &str, parts: &[TyId], close: &str| {
            text.push_str(open);
            for (index, part) in parts.iter().enumerate() {
                if index > 0 {
                    text.push_str(", ");
                }
                self.write_type(text, *part, params, depth + 1);
            }
            text.push_str(close);
        };
        match self.types.get(ty) {
            Ty::Unit => text.push_str("()"),
            Ty::Never => text.push_str("never"),
            Ty::Bool => text.push_str("bool"),
            Ty::Byte => text.push_str("byte"),
            Ty::Int => text.push_str("int"),
            Ty::Float => text.push_str("float"),
            Ty::Str => text.push_str("string"),
            Ty::Buffer => text.push_str("Buffer"),
            Ty::Infer(_) | Ty::Error => text.push('_'),
            Ty::Param(index) => text.push_str(params.get(*index as usize).unwrap_or(&"_")),
            Ty::Record(id, args) => {
                text.push_str(&self.record(*id).name);
                if !args.is_empty() {
                    list(text, "[", args, "]");
                }
            }
            Ty::Enum(id, args) => {
                text.push_str(&self.enumeration(*id).name);
                if !args.is_empty() {
                    list(text, "[", args, "]");
                }
            }
            Ty::Tuple(parts) => list(text, "(", parts, ")"),
            Ty::Array(part) => list(text, "array[", &[*part], "]"),
            Ty::View(part) => list(text, "View[", &[*part], "]"),
            Ty::Shared(part) => list(text, "Shared[", &[*part], "]"),
            Ty::Weak(part) => list(text, "Weak[", &[*part], "]"),
            Ty::Own(part) => list(text, "own ", &[*part], ""),
            Ty::Owned(part) => list(text, "Owned[", &[*part], "]"),
            Ty::Pin(part) => list(text, "Pin[", &[*part], "]"),
            Ty::Atomic(part) => list(text, "Atomic[", &[*part], "]"),
            Ty::Result(part) => list(text, "Result[", &[*part], "]"),
            Ty::Cell(part) => list(text, "cell[", &[*part], "]"),
            Ty::Optional(part) => {
                let function = matches!(self.types.get(*part), Ty::Func { .. });
                let (open, close) = if function { ("(", ")?") } else { ("", "?") };
                list(text, open, &[*part], close);
            }
            Ty::Func { params: inputs, result } => {
                list(text, "func(", inputs, ")");
                if !matches!(self.types.get(*result), Ty::Unit) {
                    list(text, " -> ", &[*result], "");
                }
            }
        }
    }

    /// `largest[T](xs: list[T], key: func(T) -> float) -> T?`, without `self`.
    pub(super) fn signature(&self, func: &FuncInfo) -> String {
        let mut text = func.name.clone();
        let own = &func.ast.type_params;
        if !own.is_empty() {
            let names: Vec<&str> = own.iter().map(|param| param.name.as_str()).collect();
            text.push_str(&format!("[{}]", names.join(", ")));
        }
        let params: Vec<String> = func
            .params
            .iter()
            .skip(usize::from(func.takes_self))
            .map(|param| format!("{}: {}", param.name, self.show(param.ty, &func.type_params)))
            .collect();
        text.push_str(&format!("({})", params.join(", ")));
        if !matches!(self.types.get(func.result), Ty::Unit) {
            text.push_str(&format!(" -> {}", self.show(func.result, &func.type_params)));
        }
        text
    }
}

/// `a` or `an` before a quoted type or word.
pub(super) fn article(word: &str) -> &'static str {
    match word.chars().next() {
        Some('a' | 'e' | 'i' | 'o' | 'u' | 'A' | 'E' | 'I' | 'O' | 'U') => "an",
        _ => "a",
    }
}

/// `1 argument`, `2 arguments`.
pub(super) fn count(number: usize, noun: &str) -> String {
    if number == 1 { format!("1 {noun}") } else { format!("{number} {noun}s") }
}
