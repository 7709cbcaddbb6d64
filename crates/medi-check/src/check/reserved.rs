//! What other languages call things.

/// How Medi writes a type that another language calls `name`.
pub(super) fn foreign_type(name: &str) -> Option<&'static str> {
    Some(match name {
        "str" | "String" | "Str" | "text" | "character" | "char" | "Text" => "string",
        "integer" | "Int" | "Integer" | "i64" | "i32" | "int64" | "long" | "usize" | "u64"
        | "uint" | "size" | "Long" => "int",
        "double" | "Float" | "Double" | "f64" | "f32" | "float64" | "number" | "numeric"
        | "real" => "float",
        "boolean" | "Bool" | "Boolean" | "logical" => "bool",
        "u8" | "uint8" | "Byte" | "raw" => "byte",
        "List" | "Array" | "array" | "Vec" | "vector" | "Vector" | "Sequence" => "list[T]",
        "dict" | "Dict" | "Map" | "HashMap" | "Dictionary" | "hash" => "map[K, V]",
        "Optional" | "Option" | "Maybe" => "T?",
        "tuple" | "Tuple" => "(A, B)",
        "void" | "None" | "unit" | "Unit" | "null" | "NoneType" => "()",
        "bytes" | "bytearray" => "list[byte]",
        _ => return None,
    })
}

/// What does in Medi what a function of that name does elsewhere.
pub(super) fn foreign_func(name: &str) -> Option<&'static str> {
    Some(match name {
        "println" | "printf" | "echo" | "puts" | "cat" | "console" => {
            "`print(a, b)` prints values and ends the line"
        }
        "range" | "seq" | "seq_len" | "xrange" => {
            "a loop counts with `for i in 0..n` (`..=` includes the end)"
        }
        "length" | "size" | "nrow" | "count" => "`len(x)` is the number of elements",
        "append" => "a list grows with `xs.push(x)`",
        "String" | "to_string" | "toString" | "format" | "paste" | "repr" => {
            "`str(x)` or \"{x}\" makes a string"
        }
        "integer" | "as_int" | "parseInt" => "`int(x)` truncates, `round(x)` rounds",
        "double" | "parseFloat" => "`float(x)` makes a float",
        "assert" | "panic" | "throw" | "raise" | "stop" | "error" | "Error" => {
            "a function that can fail returns `Result[T]`, and `return fail(\"message\")`"
        }
        "dict" | "Map" => "`map[string, int]()` is an empty map, `[\"a\": 1]` one with an entry",
        "list" | "vector" | "c" => "`[1, 2, 3]` is a list",
        "var" | "stdev" | "std" | "stddev" => "`sd(xs)` is the standard deviation",
        "Some" => "a value turns into an optional by itself: leave out `Some`",
        "Ok" => "a value turns into a result by itself: leave out `Ok`",
        "Err" => "`fail(\"message\")` makes a failure",
        "malloc" | "alloc" | "new" => "`allocate(bytes)` in a `scope` gives a `Buffer`",
        "type" | "typeof" | "isinstance" => "types are known before the program runs",
        "input" | "readline" => {
            "a program gets its input from files and `main(args: list[string])`"
        }
        "open" => "`read_text(path)` reads a file",
        _ => return None,
    })
}

/// The value that another language calls `name`.
pub(super) fn foreign_value(name: &str) -> Option<&'static str> {
    Some(match name {
        "None" | "null" | "NULL" | "NA" | "undefined" | "NaN_" => "nil",
        "True" | "TRUE" => "true",
        "False" | "FALSE" => "false",
        "this" => "self",
        _ => return None,
    })
}

/// The method of Medi that does what one of that name does elsewhere.
pub(super) fn foreign_method(name: &str) -> Option<&'static str> {
    Some(match name {
        "append" | "add" | "push_back" => "push",
        "length" | "size" | "count" | "nrow" => "len",
        "strip" => "trim",
        "to_upper" | "toUpperCase" | "upcase" | "uppercase" => "upper",
        "to_lower" | "toLowerCase" | "downcase" | "lowercase" => "lower",
        "startswith" | "startsWith" => "starts_with",
        "endswith" | "endsWith" => "ends_with",
        "index" | "indexOf" => "index_of",
        "has_key" | "contains_key" | "containsKey" => "has",
        "includes" | "include" => "contains",
        "empty" | "isEmpty" => "is_empty",
        "forEach" | "foreach" => "each",
        "reduce" => "fold",
        "select" | "where" => "filter",
        "collect" => "map",
        "unwrap_or" | "get_or_else" => "or",
        _ => return None,
    })
}
