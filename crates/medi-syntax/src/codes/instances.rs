//! `E095x`: what shows when generic code is compiled for one type, and the limits of that.

use super::Code;

pub(super) static CODES: &[Code] = &[
    Code {
        code: "E0951",
        title: "generic code needs types without end",
        explanation: "\
A generic function or type is compiled once for each type it is used with. Here every use needs \
another, larger type, so the compiler would never be done. It stops when types nest 128 deep.

Wrong, since `grow[int]` needs `grow[list[int]]`, which needs `grow[list[list[int]]]`:

```medi
func grow[T](x: T, n: int) {
  if n > 0 { grow([x], n - 1) }
}
```

Right, with the same type in every step:

```medi
func grow[T](xs: list[T], n: int) {
  if n > 0 { grow(xs + xs, n - 1) }
}
```
",
    },
    Code {
        code: "E0952",
        title: "an enum has too many variants",
        explanation: "\
A value of an enum whose variants have no fields is kept in one byte, so that there are at most \
256 variants.

Wrong:

```medi
enum Code { A00, A01, A02, … }   // a thousand of them
```

Right, as data:

```medi
record Code { name: string }
```
",
    },
    Code {
        code: "E0953",
        title: "a tuple is too wide",
        explanation: "\
Tuples are kept by value: each assignment copies every part. At most 256 machine words fit.

Wrong: a tuple of tuples of tuples that doubles with each level.

Right: a record, which is one reference however many fields it has.

```medi
record Visit { patient: string, day: int, values: list[float] }
```
",
    },
    Code {
        code: "E0954",
        title: "a type has no order",
        explanation: "\
`<`, `>`, `sort` and their kin need values that have an order: numbers, strings, bools and tuples \
of them. Generic code is checked for that when it is used with a type; the message shows the call \
that did.

Wrong:

```medi
record Patient { name: string, age: int }
func main() {
  let patients = [Patient { name: \"Ada\", age: 36 }]
  patients.sort()
}
```

Right: say by what to order.

```medi
record Patient { name: string, age: int }
func main() {
  let patients = [Patient { name: \"Ada\", age: 36 }]
  patients.sort_by(p => p.age)
}
```
",
    },
    Code {
        code: "E0955",
        title: "values of a type cannot be compared",
        explanation: "\
`==` compares numbers, strings, records field by field, lists element by element. Functions and \
scope memory (`Buffer`, `View`) cannot be compared, and neither can what holds one.

Wrong:

```medi
record Rule { name: string, test: func(int) -> bool }
func changed(a: Rule, b: Rule) -> bool { return a != b }
```

Right: compare what can be compared, or ask whether it is one object.

```medi
record Rule { name: string, test: func(int) -> bool }
func changed(a: Rule, b: Rule) -> bool { return a.name != b.name }
func replaced(a: Rule, b: Rule) -> bool { return !same(a, b) }
```
",
    },
    Code {
        code: "E0956",
        title: "a type cannot be the key of a map",
        explanation: "\
A map finds a key by its hash. Functions and scope memory have none, and neither has what holds one.

Wrong:

```medi
func main() {
  var seen = map[func(int) -> int, int]()
  seen[x => x + 1] = 1
}
```

Right:

```medi
func main() {
  var seen = map[string, int]()
  seen[\"successor\"] = 1
}
```
",
    },
    Code {
        code: "E0957",
        title: "a view cannot hold this type",
        explanation: "\
The memory of a scope is never searched for references to collected objects: so a `View` holds \
plain values only, which are `int`, `float`, `bool`, `byte` and tuples of them.

Wrong:

```medi
func window[T](b: Buffer) -> int { return len(b.view[T]()) }
func main() { scope { print(window[string](allocate(1KB))) } }
```

Right:

```medi
func window[T](b: Buffer) -> int { return len(b.view[T]()) }
func main() { scope { print(window[float](allocate(1KB))) } }
```
",
    },
];
