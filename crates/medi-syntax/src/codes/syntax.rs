//! `E01xx`: the words are known, their order is not.

use super::Code;

pub(super) static CODES: &[Code] = &[
    Code {
        code: "E0101",
        title: "something else was expected here",
        explanation: "\
The parser knows what may follow at this place, and found something else. The message names both. \
Often a sign is missing just before the place that is shown, or one is too many.

Wrong:

```medi
let xs = [1 2]
```

Right:

```medi
let xs = [1, 2]
```
",
    },
    Code {
        code: "E0102",
        title: "a value was expected here",
        explanation: "\
After an operator, `=`, `return`, a comma or an opening bracket a value follows: a literal, a \
name, a call, something in parentheses. A loop has no value; an `if`, a `match` or a block has.

Wrong:

```medi
let total = 1 +
```

Right:

```medi
let total = 1 + 2
```
",
    },
    Code {
        code: "E0103",
        title: "a bracket that is never closed",
        explanation: "\
Every `(`, `[` and `{` has its `)`, `]` and `}`. A missing `}` shows where the next declaration \
begins at the left margin, or at the end of the file.

Wrong:

```medi
print(max(1, 2)
```

Right:

```medi
print(max(1, 2))
```
",
    },
    Code {
        code: "E0104",
        title: "a bracket that closes nothing",
        explanation: "\
A `)`, `]` or `}` stands here without an opening one before it. Either it is left over, or the \
opening one was deleted, or an earlier bracket was closed too soon.

Wrong:

```medi
let a = 1)
```

Right:

```medi
let a = (1)
```
",
    },
    Code {
        code: "E0105",
        title: "a statement that does not end",
        explanation: "\
A statement ends with its line. Two on one line have `;` between them. A line goes on by itself \
after an operator, a comma or an open bracket, and before a line that begins with `.name` or \
`??`.

Wrong:

```medi
let a = 1 let b = 2
```

Right:

```medi
let a = 1; let b = 2
```
",
    },
    Code {
        code: "E0106",
        title: "a word of another language",
        explanation: "\
Python, R, JavaScript, Rust and others use words that Medi does not have or that it writes \
differently: `nil` for `None`, `null` and `NA`, `true` for `True` and `TRUE`, `else if` for \
`elif`, `func` for `def` and `fn`, `record` for `class` and `struct`, `match` for `switch`. Names \
of your own may be any of them.

Wrong:

```medi
if done == True { return None }
```

Right:

```medi
if done == true { return nil }
```
",
    },
    Code {
        code: "E0107",
        title: "a colon where a block begins",
        explanation: "\
A block stands in braces. A colon does not begin one, and indentation has no meaning.

Wrong:

```medi
if x > 3:
    print(x)
```

Right:

```medi
if x > 3 {
  print(x)
}
```
",
    },
    Code {
        code: "E0108",
        title: "an assignment where a comparison was meant",
        explanation: "\
`=` assigns, `==` compares. A condition cannot assign.

Wrong:

```medi
if x = 3 { print(x) }
```

Right:

```medi
if x == 3 { print(x) }
```
",
    },
    Code {
        code: "E0109",
        title: "a record literal before a block",
        explanation: "\
After `if`, `while`, `match` and the `in` of a `for`, an opening brace begins the block. A record \
literal there stands in parentheses.

Wrong:

```medi
if p == Patient { id: 1 } { print(p) }
```

Right:

```medi
if p == (Patient { id: 1 }) { print(p) }
```
",
    },
    Code {
        code: "E0110",
        title: "a variable that is not declared as one",
        explanation: "\
`let` declares a value that stays, `var` one that changes; `=` gives it its value. A type, if it \
is written at all, follows the name and a colon. Later `=` alone changes a `var`.

Wrong:

```medi
int count = 3
name := \"Ada\"
x <- 5
```

Right:

```medi
let count: int = 3
let name = \"Ada\"
var x = 5
x = 6
```
",
    },
    Code {
        code: "E0111",
        title: "`++` or `--`",
        explanation: "\
There are no operators that add or subtract one. `+=` and `-=` do, as statements.

Wrong:

```medi
count++
```

Right:

```medi
count += 1
```
",
    },
    Code {
        code: "E0112",
        title: "a `for` of another language",
        explanation: "\
`for` goes through the values of a list, a map or a range: `for x in xs`, without parentheses \
around it. `0..n` is a range without its end, `1..=n` includes it. Other loops use `while`.

Wrong:

```medi
for (i = 0; i < n; i++) { print(i) }
```

Right:

```medi
for i in 0..n { print(i) }
```
",
    },
    Code {
        code: "E0113",
        title: "a call without parentheses",
        explanation: "\
The arguments of a function stand in parentheses, also those of `print`.

Wrong:

```medi
print \"done\"
```

Right:

```medi
print(\"done\")
```
",
    },
    Code {
        code: "E0114",
        title: "a statement outside every function",
        explanation: "\
A file consists of declarations: `func`, `record`, `enum` and `const`. What the program does \
stands in functions, and begins in `main`.

Wrong:

```medi
print(\"hello\")
func main() { }
```

Right:

```medi
func main() {
  print(\"hello\")
}
```
",
    },
    Code {
        code: "E0115",
        title: "a declaration inside a function or a record",
        explanation: "\
Functions, records, enums and constants are declared at the outermost level of a file. Inside a \
function, a function value can be kept in a variable. A method stands outside its record and \
names it.

Wrong:

```medi
record Circle {
  radius: float
  func area(self) -> float { return 3.14 * self.radius ** 2 }
}
```

Right:

```medi
record Circle { radius: float }

func Circle.area(self) -> float {
  return 3.14 * self.radius ** 2
}
```
",
    },
    Code {
        code: "E0116",
        title: "something that cannot be assigned",
        explanation: "\
The left side of `=` is a variable, a field or an element: `x`, `p.age`, `xs[0]`. An assignment \
is a statement without a value, so that two cannot be chained.

Wrong:

```medi
a = b = 0
```

Right:

```medi
a = 0
b = 0
```
",
    },
    Code {
        code: "E0117",
        title: "comparisons that are chained",
        explanation: "\
`a < b < c` would compare the truth of `a < b` with `c`. Join two comparisons with `and`.

Wrong:

```medi
if 60 <= pulse < 100 { print(\"normal\") }
```

Right:

```medi
if 60 <= pulse and pulse < 100 { print(\"normal\") }
```
",
    },
    Code {
        code: "E0118",
        title: "a condition between its values",
        explanation: "\
Medi has neither the `a if c else b` of Python nor the `c ? a : b` of C. An `if` with an `else` \
is a value.

Wrong:

```medi
let sign = x > 0 ? 1 : -1
```

Right:

```medi
let sign = if x > 0 { 1 } else { -1 }
```
",
    },
    Code {
        code: "E0119",
        title: "a parameter or a field without a type",
        explanation: "\
Types of variables are inferred; those of parameters, results and fields are written, since they \
are what others rely on. First comes the name, then a colon, then the type. The values of an \
enum's variant have names too.

Wrong:

```medi
func bmi(weight, height) -> float { return weight / height ** 2 }
```

Right:

```medi
func bmi(weight: float, height: float) -> float {
  return weight / height ** 2
}
```
",
    },
    Code {
        code: "E0120",
        title: "`self` where it cannot stand",
        explanation: "\
A method is declared with the name of its type, and its first parameter is `self`, without a \
type. It may change the fields of its object.

Wrong:

```medi
func age_in(self, year: int) -> int { return year - self.born }
```

Right:

```medi
func Patient.age_in(self, year: int) -> int { return year - self.born }
```
",
    },
    Code {
        code: "E0121",
        title: "an addition to a declaration that does not exist",
        explanation: "\
Parameters and fields have no default values, no `mut`, `&` or `*`; type parameters have no \
bounds; variants have no numbers. Every function says with its parameters all that it takes.

Wrong:

```medi
func greet(name: string = \"you\") { print(name) }
```

Right:

```medi
func greet(name: string?) { print(name ?? \"you\") }
```
",
    },
    Code {
        code: "E0122",
        title: "a body without braces",
        explanation: "\
The body of a function, an `if`, an `else`, a loop, a `match` or a record stands in braces, also \
if it is only one statement. A native function, which only the library may declare, has none.

Wrong:

```medi
if x > 3 return x
```

Right:

```medi
if x > 3 { return x }
```
",
    },
    Code {
        code: "E0123",
        title: "a pattern that cannot be read",
        explanation: "\
Patterns are literals, ranges, names, `_`, tuples and variants: `1`, `0..=9`, `x`, `(a, b)`, \
`Fever(c)`. `|` separates alternatives, `=>` follows, an `if` after the pattern tests more. `let` \
and `for` bind only names and tuples of names, since their pattern must always match.

Wrong:

```medi
match x {
  1, 2 -> \"few\"
  default -> \"many\"
}
```

Right:

```medi
match x {
  1 | 2 => \"few\"
  _ => \"many\"
}
```
",
    },
    Code {
        code: "E0125",
        title: "an `else` without its `if`",
        explanation: "\
`else` follows the closing brace of its `if`, on the same line or the next. A statement between \
them parts them.

Wrong:

```medi
if x > 0 { print(1) }
print(2)
else { print(3) }
```

Right:

```medi
if x > 0 { print(1) } else { print(3) }
print(2)
```
",
    },
    Code {
        code: "E0126",
        title: "a sign of another language",
        explanation: "\
Bits are combined by functions: `band(a, b)`, `bor`, `bxor`, `bnot`, `shl`, `shr`. Not equal is \
`!=`, whatever the types. A name inside another is reached by a dot. A function value is written \
with `=>`. Types have no `&`, `*` or `|`; `T?` is a `T` or `nil`.

Wrong:

```medi
let low = flags & 1
```

Right:

```medi
let low = band(flags, 1)
```
",
    },
    Code {
        code: "E0127",
        title: "a line that begins with an operator",
        explanation: "\
A line ends its statement, unless it ends in an operator, a comma or an open bracket. So the \
operator stands at the end of the first line. Only `.name` and `??` may begin a line that goes on \
with the one before.

Wrong:

```medi
let total = a
  + b
```

Right:

```medi
let total = a +
  b
```
",
    },
    Code {
        code: "E0128",
        title: "a variable or a constant without a value",
        explanation: "\
A variable has a value from the beginning, so that nothing can be read before it is set. One that \
has no value yet holds `nil`.

Wrong:

```medi
let best: int
```

Right:

```medi
var best: int? = nil
```
",
    },
    Code {
        code: "E0129",
        title: "values that are separated by bare commas",
        explanation: "\
Several values at once are a tuple, which stands in parentheses. A variable is declared by a \
statement of its own.

Wrong:

```medi
let low, high = range_of(xs)
```

Right:

```medi
let (low, high) = range_of(xs)
```
",
    },
    Code {
        code: "E0130",
        title: "`in` as an operator",
        explanation: "\
`in` belongs to `for`. Whether a list holds a value is asked with `contains`, whether a map has a \
key with `has`.

Wrong:

```medi
if 3 in xs { print(\"found\") }
```

Right:

```medi
if xs.contains(3) { print(\"found\") }
```
",
    },
    Code {
        code: "E0131",
        title: "a list, a map or a range of another language",
        explanation: "\
Maps stand in square brackets: `[\"a\": 1]`, the empty one is `[:]`. A range has both ends: \
`0..n` without, `0..=n` with its last. A part of a list is `xs.slice(from, to)`. A list is made \
from another by `map` and `filter`.

Wrong:

```medi
let ages = [p.age for p in patients]
let first = ages[0:3]
```

Right:

```medi
let ages = patients.map(p => p.age)
let first = ages.slice(0, 3)
```
",
    },
    Code {
        code: "E0132",
        title: "a generic type of another language",
        explanation: "\
Type arguments and type parameters stand in square brackets after the name: `list[int]`, \
`map[string, float]`, `func largest[T](xs: list[T])`.

Wrong:

```medi
let xs: list<int> = []
```

Right:

```medi
let xs: list[int] = []
```
",
    },
    Code {
        code: "E0133",
        title: "a `let` that is not a condition of its own",
        explanation: "\
`if let x = e` and `while let x = e` test whether `e` holds a value. The test stands alone; \
further ones stand in an `if` inside the block, or in the guard of a `match`.

Wrong:

```medi
if let p = latest and p > 100 { print(p) }
```

Right:

```medi
if let p = latest {
  if p > 100 { print(p) }
}
```
",
    },
    Code {
        code: "E0134",
        title: "an argument that is named wrongly",
        explanation: "\
The values of records and variants, and arguments where it helps the reader, are named with a \
colon. Arguments without a name come first.

Wrong:

```medi
let f = Fever(celsius = 39.5)
```

Right:

```medi
let f = Fever(celsius: 39.5)
```
",
    },
    Code {
        code: "E0135",
        title: "a word of the language as a name",
        explanation: "\
`func`, `enum`, `const`, `let`, `var`, `if`, `else`, `while`, `for`, `in`, `break`, `continue`, \
`return`, `match`, `and`, `or`, `not`, `true`, `false` and `nil` cannot be names. `record`, \
`scope`, `native`, `own`, `spawn` and `parallel` can.

Wrong:

```medi
let match = 3
```

Right:

```medi
let matched = 3
```
",
    },
];
