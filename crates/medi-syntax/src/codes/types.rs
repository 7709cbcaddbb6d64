//! `E03xx`: values whose type does not fit the place.

use super::Code;

pub(super) static CODES: &[Code] = &[
    Code {
        code: "E0301",
        title: "a value of another type than is wanted",
        explanation: "\
The place wants one type: a parameter, a field, a declared variable, the result of a function. \
Some values convert by themselves: an `int` or `byte` where a `float` is wanted, a `byte` where an \
`int` is, a value where it may be missing (`T?`), a result where its value is wanted. Everything \
else is asked for: `int(x)` cuts the fraction off, `round(x)` rounds, `str(x)` makes text.

Wrong:

```medi
let age: int = 40.5
print(age)
```

Right:

```medi
let age: int = round(40.5)
print(age)
```
",
    },
    Code {
        code: "E0302",
        title: "an operator that is not defined for these types",
        explanation: "\
Arithmetic works on `int`, `float` and `byte`; an `int` beside a `float` becomes a `float`. `/` \
always gives a `float`, `div(a, b)` divides without a fraction. `+` also joins two strings or two \
lists. Other things are turned into a string first.

Wrong:

```medi
let age = 40
print(\"age \" + age)
```

Right:

```medi
let age = 40
print(\"age \" + str(age))
```
",
    },
    Code {
        code: "E0303",
        title: "a condition that is no `bool`",
        explanation: "\
Conditions are `true` or `false`; no number, string or list counts as one. Compare it with \
something: `n != 0`, `not xs.is_empty()`, `x != nil`.

Wrong:

```medi
let xs = [1, 2]
if xs { print(\"some\") }
```

Right:

```medi
let xs = [1, 2]
if not xs.is_empty() { print(\"some\") }
```
",
    },
    Code {
        code: "E0304",
        title: "a type that nothing says",
        explanation: "\
The types of variables and of closures' parameters are found from what they are made of and how \
they are used, from top to bottom. An empty list that nothing is added to, a `nil`, or a closure \
that is not passed anywhere, says too little: write the type.

Wrong:

```medi
let xs = []
print(xs.len())
```

Right:

```medi
let xs: list[int] = []
print(xs.len())
```
",
    },
    Code {
        code: "E0305",
        title: "branches of different types",
        explanation: "\
An `if` or a `match` whose value is used has one type, so each of its branches gives a value of \
that type. A number literal adapts (`1` beside `2.5`); other ints are converted with `float(x)`.

Wrong:

```medi
let dose = if 3 > 2 { 1 } else { \"none\" }
print(dose)
```

Right:

```medi
let dose = if 3 > 2 { \"one\" } else { \"none\" }
print(dose)
```
",
    },
    Code {
        code: "E0306",
        title: "a number that does not fit its type",
        explanation: "\
An `int` is between -9223372036854775808 and 9223372036854775807, a `byte` between 0 and 255.

Wrong:

```medi
let b: byte = 256
print(b)
```

Right:

```medi
let b: byte = 255
print(b)
```
",
    },
    Code {
        code: "E0307",
        title: "an index on something without elements",
        explanation: "\
Lists, maps, buffers and views have elements: `xs[0]`. The parts of a tuple are `.0` and `.1`, a \
record has named fields. A string is text of any language, whose characters differ in size: take \
`s.chars()[i]` or `s.slice(a, b)`.

Wrong:

```medi
let name = \"Ada\"
print(name[0])
```

Right:

```medi
let name = \"Ada\"
print(name.chars()[0])
```
",
    },
    Code {
        code: "E0308",
        title: "a loop over something without elements",
        explanation: "\
`for` goes over the elements of a list or a view, the pairs of a map, the characters of a string, \
or the ints of a range.

Wrong:

```medi
let n = 3
for i in n { print(i) }
```

Right:

```medi
let n = 3
for i in 0..n { print(i) }
```
",
    },
    Code {
        code: "E0309",
        title: "a wrong number of type arguments",
        explanation: "\
A generic type says in brackets what it holds: `list[int]`, `map[string, float]`, `Result[()]`. \
Other types take none.

Wrong:

```medi
func mean(xs: list) -> float { return 0.0 }
```

Right:

```medi
func mean(xs: list[float]) -> float { return sum(xs) / len(xs) }
```
",
    },
    Code {
        code: "E0310",
        title: "a view of values that are not plain",
        explanation: "\
Scope memory is never scanned for references, so a `View[T]` shows only plain values: `int`, \
`float`, `bool`, `byte`, and tuples of them. What holds references, such as strings, lists and \
records, lives in collected memory.

Wrong:

```medi
func names(v: View[string]) -> int { return len(v) }
```

Right:

```medi
func codes(v: View[int]) -> int { return len(v) }
```
",
    },
    Code {
        code: "E0311",
        title: "values that cannot be compared",
        explanation: "\
`==` compares two values of one type, whatever it is made of, but for functions and scope memory. \
`<` and its kin compare numbers and strings. `same(a, b)` asks whether two references are to one \
object.

Wrong:

```medi
record Patient { age: int }
func older(a: Patient, b: Patient) -> bool { return a > b }
```

Right:

```medi
record Patient { age: int }
func older(a: Patient, b: Patient) -> bool { return a.age > b.age }
```
",
    },
    Code {
        code: "E0313",
        title: "a record or enum that can never be made",
        explanation: "\
A field of the record's own type needs another such record first, and so on without end. With `?` \
the chain may end in `nil`; a list of them may be empty.

Wrong:

```medi
record Node { value: int, next: Node }
```

Right:

```medi
record Node { value: int, next: Node? }
```
",
    },
    Code {
        code: "E0314",
        title: "an argument that the function cannot work with",
        explanation: "\
`int(x)`, `float(x)` and `byte(x)` convert between numbers, and `int(b)` makes 0 or 1 of a `bool`; \
`sqrt`, `abs`, `round` and their kin take numbers. Text is read with `s.parse_int()` and \
`s.parse_float()`, which give `nil` if there is no number in it. `len(x)` takes what has a length.

Wrong:

```medi
let text = \"42\"
print(int(text))
```

Right:

```medi
let text = \"42\"
print(text.parse_int() ?? 0)
```
",
    },
    Code {
        code: "E0315",
        title: "a constant whose value is not known before the program runs",
        explanation: "\
A constant is made of literals, other constants, arithmetic, comparisons, strings and tuples. What \
is computed by a function, and lists, maps and records, are made while the program runs: use a \
`let` or a function.

Wrong:

```medi
const LIMITS = [100, 200]
```

Right:

```medi
func limits() -> list[int] { return [100, 200] }
```
",
    },
    Code {
        code: "E0316",
        title: "a constant that needs its own value",
        explanation: "\
The values of constants may refer to each other in any order, but not in a circle.

Wrong:

```medi
const LOW = HIGH - 10
const HIGH = LOW + 10
```

Right:

```medi
const LOW = 90
const HIGH = LOW + 10
```
",
    },
    Code {
        code: "E0317",
        title: "arithmetic of constants without a result",
        explanation: "\
The arithmetic of a constant is done when the program is checked. An `int` that overflows, or a \
division by zero, would stop a running program, and is an error here.

Wrong:

```medi
const LARGEST = 9223372036854775807 + 1
```

Right:

```medi
const LARGEST = 9223372036854775807
```
",
    },
    Code {
        code: "E0318",
        title: "a function that is printed",
        explanation: "\
`print`, `str` and `{…}` in a string turn every value into text but a function. It was probably \
meant to be called.

Wrong:

```medi
func answer() -> int { return 42 }
func test() { print(answer) }
```

Right:

```medi
func answer() -> int { return 42 }
func test() { print(answer()) }
```
",
    },
    Code {
        code: "E0319",
        title: "a format that does not fit the value",
        explanation: "\
In `{x:>8.2}` the digits after the point say how a number is rounded. Other values have an \
alignment and a width only.

Wrong:

```medi
let name = \"Ada\"
print(\"{name:.2}\")
```

Right:

```medi
let name = \"Ada\"
print(\"{name:<8}\")
```
",
    },
    Code {
        code: "E0320",
        title: "a value that is not there",
        explanation: "\
A function without `->`, a loop and an `if` without `else` give no value, so nothing can be done \
with it.

Wrong:

```medi
let sorted = [3, 1].each(x => print(x))
print(sorted)
```

Right:

```medi
[3, 1].each(x => print(x))
```
",
    },
    Code {
        code: "E0321",
        title: "a call of something that is no function",
        explanation: "\
Parentheses after a value call it. An element is taken with brackets, and a constant stands alone.

Wrong:

```medi
let xs = [1, 2]
print(xs(0))
```

Right:

```medi
let xs = [1, 2]
print(xs[0])
```
",
    },
    Code {
        code: "E0322",
        title: "a range that stands alone",
        explanation: "\
A range is part of a loop, of a slice or of a pattern: `for i in 0..n`, `xs[1..3]`, `1..=9 => …`. \
It is not a value that could be kept.

Wrong:

```medi
let days = 0..7
print(days)
```

Right:

```medi
for day in 0..7 { print(day) }
```
",
    },
    Code {
        code: "E0323",
        title: "a type that nests too deep",
        explanation: "\
Types nest at most 100 levels: `list[list[int]]` has three. The limit keeps the compiler's work \
bounded, whatever the program.

Right:

```medi
record Level { below: Level?, value: int }
```
",
    },
    Code {
        code: "E0324",
        title: "an ordering that does not fit",
        explanation: "\
`.relaxed`, `.acquire`, `.release`, `.acq_rel` and `.seq_cst` say what an access to atomic memory, \
or a fence, orders. They stand in `fence(…)` and last in an access: a load cannot release, a store \
cannot acquire, and a fence that orders nothing would do nothing. Without one, an access orders \
everything (`.seq_cst`).

Wrong:

```medi
scope {
  let counts = allocate(64).view[Atomic[int]]()
  counts.store(0, 1, .acquire)
}
```

Right:

```medi
scope {
  let counts = allocate(64).view[Atomic[int]]()
  counts.store(0, 1, .release)
}
```
",
    },
    Code {
        code: "E0325",
        title: "something that cannot be pinned",
        explanation: "\
A pin holds a collected object in its place and says that it is not resized meanwhile. Numbers, \
tuples and other values lie where they are used, and scope memory never moves.

Wrong:

```medi
let age = 40
let held = pin(age)
```

Right:

```medi
let ages = [40, 41]
let held = pin(ages)
```
",
    },
    Code {
        code: "E0326",
        title: "something that a scope cannot hold as one object",
        explanation: "\
`own Node { … }` makes one object of a record in the memory of a scope, which the end of the scope \
frees. Numbers and other values stand in its fields; lists and maps grow, so they are collected, and \
a field may refer to one.

Wrong:

```medi
record Node { value: int }
func main() {
  let node = Node { value: 1 }
  scope { let n = own node; print(n) }
}
```

Right:

```medi
record Node { value: int }
func main() {
  scope { let n = own Node { value: 1 }; print(n.value) }
}
```
",
    },
    Code {
        code: "E0327",
        title: "an object that cannot become shared",
        explanation: "\
A shared object of a scope has a count of those who share it beside its fields, so it is made as a \
shared one. `x.share()` is one more of them, `free(x)` one less, and `x.weak()` a reference that \
does not count.

Wrong:

```medi
record Node { value: int }
func main() {
  scope {
    let n = own Node { value: 1 }
    let s = Shared(n)
  }
}
```

Right:

```medi
record Node { value: int }
func main() {
  scope {
    let s = Shared(own Node { value: 1 })
    print(s.value)
  }
}
```
",
    },
    Code {
        code: "E0328",
        title: "an object whose copy would look into its scope",
        explanation: "\
`promote(x)` copies an object of a scope into collected memory, where it may outlive the scope. Fields \
that refer to other memory of the scope would still do so in the copy. Make a record of what is \
needed.

Wrong:

```medi
record Node { value: int, next: own Node? }
func first() -> Node {
  scope {
    let n = own Node { value: 1, next: nil }
    return promote(n)
  }
}
```

Right:

```medi
record Point { x: int, y: int }
func first() -> Point {
  scope {
    let p = own Point { x: 1, y: 2 }
    return promote(p)
  }
}
```
",
    },
];
