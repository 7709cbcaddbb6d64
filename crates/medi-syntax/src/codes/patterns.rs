//! `E04xx`: patterns and `match`.

use super::Code;

pub(super) static CODES: &[Code] = &[
    Code {
        code: "E0401",
        title: "a `match` that does not cover every case",
        explanation: "\
Each value must have an arm: every variant of an enum, `true` and `false`, `nil` and a value, `Ok` \
and `Err`. Ints, floats and strings need an arm for the rest: a name, or `_`. An arm with a guard \
(`if …`) may not match, so it covers nothing.

Wrong:

```medi
enum Finding { Normal, Fever(celsius: float) }
func text(f: Finding) -> string {
  return match f { Normal => \"normal\" }
}
```

Right:

```medi
enum Finding { Normal, Fever(celsius: float) }
func text(f: Finding) -> string {
  return match f { Normal => \"normal\", Fever(c) => \"fever of {c}\" }
}
```
",
    },
    Code {
        code: "E0402",
        title: "an arm that is never reached",
        explanation: "\
A warning: arms are tried from top to bottom, and those above match everything that this one \
matches.

Wrong:

```medi
let n = 3
match n { _ => print(\"any\"), 3 => print(\"three\") }
```

Right:

```medi
let n = 3
match n { 3 => print(\"three\"), _ => print(\"any\") }
```
",
    },
    Code {
        code: "E0403",
        title: "a pattern that can never match",
        explanation: "\
A pattern has the form of what it is matched with: a variant for an enum, parts in parentheses for \
a tuple, a literal or a range for an int. On an optional it matches the value that is there. \
Floats have no range patterns; compare in a guard.

Wrong:

```medi
let n = 3
match n { \"three\" => print(\"yes\"), _ => print(\"no\") }
```

Right:

```medi
let n = 3
match n { 3 => print(\"yes\"), _ => print(\"no\") }
```
",
    },
    Code {
        code: "E0404",
        title: "a pattern with other fields than the variant",
        explanation: "\
A pattern names each field of the variant, by position or by name; `_` stands for one that is not \
needed. With names, fields may be left out. `Ok(value)` and `Err(message)` have one each.

Wrong:

```medi
enum Finding { Normal, Fever(celsius: float, days: int) }
func days(f: Finding) -> int {
  return match f { Fever(d) => d, Normal => 0 }
}
```

Right:

```medi
enum Finding { Normal, Fever(celsius: float, days: int) }
func days(f: Finding) -> int {
  return match f { Fever(days: d) => d, Normal => 0 }
}
```
",
    },
    Code {
        code: "E0406",
        title: "a name that only some alternatives bind",
        explanation: "\
An arm with alternatives (`a | b`) runs for each of them, so none may bind a name.

Wrong:

```medi
enum Finding { Cold(celsius: float), Fever(celsius: float) }
func celsius(f: Finding) -> float {
  return match f { Cold(c) | Fever(c) => c }
}
```

Right:

```medi
enum Finding { Cold(celsius: float), Fever(celsius: float) }
func celsius(f: Finding) -> float {
  return match f { Cold(c) => c, Fever(c) => c }
}
```
",
    },
    Code {
        code: "E0407",
        title: "a name that one pattern binds twice",
        explanation: "\
Each name in a pattern is a new variable. To ask whether two parts are equal, bind two names and \
compare them in a guard.

Wrong:

```medi
let (a, a) = (1, 2)
print(a)
```

Right:

```medi
let (a, b) = (1, 2)
print(a, b)
```
",
    },
    Code {
        code: "E0408",
        title: "a range pattern that is empty",
        explanation: "\
The lower end of a range comes first. `1..9` ends before 9, `1..=9` includes it.

Wrong:

```medi
let n = 3
match n { 9..1 => print(\"few\"), _ => print(\"many\") }
```

Right:

```medi
let n = 3
match n { 1..=9 => print(\"few\"), _ => print(\"many\") }
```
",
    },
    Code {
        code: "E0409",
        title: "a loop over a map with one name",
        explanation: "\
A map gives pairs of key and value, in the order in which they were inserted. Name both, or go \
over `m.keys()` or `m.values()`.

Wrong:

```medi
let ages = [\"Ada\": 36]
for name in ages { print(name) }
```

Right:

```medi
let ages = [\"Ada\": 36]
for (name, age) in ages { print(name, age) }
```
",
    },
    Code {
        code: "E0410",
        title: "a `match` with too many combinations",
        explanation: "\
To tell whether every case is matched, the compiler may have to look at every combination of the \
parts. It gives up when there are very many. Match one part first, and the others inside the arms.

Right:

```medi
let pair = (true, 3)
match pair.0 {
  true => match pair.1 { 0 => print(\"none\"), _ => print(\"some\") }
  false => print(\"no\")
}
```
",
    },
];
