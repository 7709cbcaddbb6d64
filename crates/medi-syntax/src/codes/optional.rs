//! `E06xx`: values that may be missing, and functions that may fail.

use super::Code;

pub(super) static CODES: &[Code] = &[
    Code {
        code: "E0601",
        title: "an optional that is used as if its value were there",
        explanation: "\
A `T?` is a `T` or `nil`, and no `T` until that is settled: `if let x = e { … }` runs when it is \
there, `e ?? default` gives a value either way, `e?.field` goes on only if it is there, `e!` stops \
the program when it is not. A comparison with `nil` alone does not change the type; `if let` does.

Wrong:

```medi
let pulse: int? = nil
print(pulse + 1)
```

Right:

```medi
let pulse: int? = nil
print((pulse ?? 60) + 1)
```
",
    },
    Code {
        code: "E0602",
        title: "a question whether something is nil that never is",
        explanation: "\
Only a `T?` can be nil. A value of another type is always there, so `??`, `?.`, `!` and a \
comparison with `nil` have nothing to do. For a result, `e.or(default)` gives a value when it \
failed.

Wrong:

```medi
let age = 40
print(age ?? 0)
```

Right:

```medi
let age: int? = 40
print(age ?? 0)
```
",
    },
    Code {
        code: "E0603",
        title: "a failure that nobody looks at",
        explanation: "\
A function that returns a `Result` may have failed, and a statement that drops the result would \
lose that. Hand the error on with `e?`, stop the program with `e!`, or handle it by `match` or \
`e.or(default)`. A result that is used as a value needs nothing: a failure then stops the program \
with its message.

Wrong:

```medi
func save() -> Result[()] { return fail(\"disk full\") }
func test() { save() }
```

Right:

```medi
func save() -> Result[()] { return fail(\"disk full\") }
func test() { save()! }
```
",
    },
    Code {
        code: "E0604",
        title: "`?` in a function that cannot hand an error on",
        explanation: "\
`e?` returns the error from the function around it, which must return a `Result` itself. In \
another function leave the `?` out: where the value is used, a failure stops the program with its \
message.

Wrong:

```medi
func lines(path: string) -> int {
  let text = read_text(path)?
  return text.len()
}
```

Right:

```medi
func lines(path: string) -> Result[int] {
  let text = read_text(path)?
  return text.len()
}
```
",
    },
    Code {
        code: "E0605",
        title: "`?` on something that is no result",
        explanation: "\
`e?` is for the result of a function that can fail. An optional is opened by `e ?? default`, `if \
let` or `e!`.

Wrong:

```medi
func first(xs: list[int]) -> Result[int] {
  return xs.get(0)?
}
```

Right:

```medi
func first(xs: list[int]) -> Result[int] {
  return xs.get(0) ?? 0
}
```
",
    },
    Code {
        code: "E0606",
        title: "an `if let` that always holds",
        explanation: "\
`if let x = e` asks whether an optional has a value, or whether a pattern matches. A value that is \
always there, with a name for a pattern, leaves nothing to ask. For a result the pattern says \
which outcome is meant: `if let Ok(x) = e`.

Wrong:

```medi
let age = 40
if let x = age { print(x) }
```

Right:

```medi
let age: int? = 40
if let x = age { print(x) }
```
",
    },
    Code {
        code: "E0607",
        title: "`fail` in a function that cannot fail",
        explanation: "\
`fail(\"message\")` makes a failed result, so the function returns a `Result[T]`. A plain value \
turns into a successful one by itself.

Wrong:

```medi
func root(x: float) -> float {
  if x < 0 { return fail(\"negative\") }
  return sqrt(x)
}
```

Right:

```medi
func root(x: float) -> Result[float] {
  if x < 0 { return fail(\"negative\") }
  return sqrt(x)
}
```
",
    },
    Code {
        code: "E0608",
        title: "`nil` where a value must be",
        explanation: "\
Only a type that ends in `?` can be nil. Everything else is always there, which is why programs do \
not have to ask.

Wrong:

```medi
record Patient { age: int }
func test() -> Patient { return Patient { age: nil } }
```

Right:

```medi
record Patient { age: int? }
func test() -> Patient { return Patient { age: nil } }
```
",
    },
];
