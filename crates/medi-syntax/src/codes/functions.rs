//! `E05xx`: functions, records and generics.

use super::Code;

pub(super) static CODES: &[Code] = &[
    Code {
        code: "E0501",
        title: "a wrong number of arguments",
        explanation: "\
A call gives each parameter one argument. The message shows the function as it is declared. A \
closure takes as many parameters as the place that it is passed to gives it.

Wrong:

```medi
func bmi(weight_kg: float, height_m: float) -> float { return weight_kg / (height_m * height_m) }
func test() -> float { return bmi(80) }
```

Right:

```medi
func bmi(weight_kg: float, height_m: float) -> float { return weight_kg / (height_m * height_m) }
func test() -> float { return bmi(80, 1.8) }
```
",
    },
    Code {
        code: "E0502",
        title: "a named argument that does not fit",
        explanation: "\
An argument may be named after its parameter: `bmi(height_m: 1.8, weight_kg: 80)`. Each parameter \
is given once. Function values and the functions of the language take their arguments by position. \
Arguments are evaluated in the order of the parameters.

Wrong:

```medi
func bmi(weight_kg: float, height_m: float) -> float { return weight_kg / (height_m * height_m) }
func test() -> float { return bmi(weight: 80, height_m: 1.8) }
```

Right:

```medi
func bmi(weight_kg: float, height_m: float) -> float { return weight_kg / (height_m * height_m) }
func test() -> float { return bmi(weight_kg: 80, height_m: 1.8) }
```
",
    },
    Code {
        code: "E0503",
        title: "a record without some of its fields",
        explanation: "\
A record literal gives every field a value. Only optional fields (`T?`) may be left out; they are \
`nil` then.

Wrong:

```medi
record Patient { id: string, age: int, next: Patient? }
func test() -> Patient { return Patient { id: \"p1\" } }
```

Right:

```medi
record Patient { id: string, age: int, next: Patient? }
func test() -> Patient { return Patient { id: \"p1\", age: 40 } }
```
",
    },
    Code {
        code: "E0504",
        title: "a field that is given twice",
        explanation: "\
A record literal gives each field one value. Often one of the two was meant for another field of a \
similar name.

Wrong:

```medi
record Vital { systolic: int, diastolic: int }
func test() -> Vital { return Vital { systolic: 120, systolic: 80, diastolic: 80 } }
```

Right:

```medi
record Vital { systolic: int, diastolic: int }
func test() -> Vital { return Vital { systolic: 120, diastolic: 80 } }
```
",
    },
    Code {
        code: "E0505",
        title: "a function that ends without its value",
        explanation: "\
A function with a result type returns a value on every path, by `return` or as the last expression \
of its body. An `if` without `else` and a loop may be passed by, so something must follow them.

Wrong:

```medi
func sign(x: int) -> int {
  if x < 0 { return -1 }
}
```

Right:

```medi
func sign(x: int) -> int {
  if x < 0 { return -1 }
  return 1
}
```
",
    },
    Code {
        code: "E0506",
        title: "an assignment to something that does not change",
        explanation: "\
`let` binds once, and so do parameters, loops and patterns; `var` can be assigned again. Fields of \
records and elements of lists can always be assigned. Part of a tuple can be assigned if the tuple \
itself can.

Wrong:

```medi
let total = 0
total = total + 1
print(total)
```

Right:

```medi
var total = 0
total = total + 1
print(total)
```
",
    },
    Code {
        code: "E0507",
        title: "a call that fits no function of that name",
        explanation: "\
The library has several functions of some names, such as `sum` of ints and of floats. The number \
and the types of the arguments choose one; here none fits. The message lists them. Programs do not \
overload: each of their functions has its own name.

Wrong:

```medi
print(sum(\"abc\"))
```

Right:

```medi
print(sum([1, 2, 3]))
```
",
    },
    Code {
        code: "E0508",
        title: "code that is never reached",
        explanation: "\
A warning: the statement before always leaves by `return`, `break`, `continue`, or by a call that \
does not come back.

Wrong:

```medi
func age() -> int {
  return 40
  print(\"never\")
}
```

Right:

```medi
func age() -> int {
  print(\"first\")
  return 40
}
```
",
    },
    Code {
        code: "E0509",
        title: "`break` or `continue` outside a loop",
        explanation: "\
They belong to the innermost loop of the same function. A closure that a method such as `each` \
calls is a function of its own: use a `for` loop to be able to leave it.

Wrong:

```medi
func test(xs: list[int]) {
  xs.each(x => { break })
}
```

Right:

```medi
func test(xs: list[int]) {
  for x in xs {
    if x > 3 { break }
  }
}
```
",
    },
    Code {
        code: "E0510",
        title: "`allocate` outside a scope",
        explanation: "\
`allocate(bytes)` borrows memory from the scope around it, whose end frees the memory. A closure \
may run after a scope around it has ended, so it opens its own.

Wrong:

```medi
let b = allocate(1KB)
print(len(b))
```

Right:

```medi
scope {
  let b = allocate(1KB)
  print(len(b))
}
```
",
    },
    Code {
        code: "E0511",
        title: "a method that names other type parameters than its type has",
        explanation: "\
A method of a generic type names the type's parameters: `func list[T].second(self) -> T`. They \
stand for any types: a method cannot be for `list[float]` alone. A function with that parameter \
can.

Wrong:

```medi
func list[float].total(self) -> float { return 0.0 }
```

Right:

```medi
func total(xs: list[float]) -> float { return sum(xs) }
```
",
    },
    Code {
        code: "E0512",
        title: "a wrong number of type arguments in a call",
        explanation: "\
Type arguments of functions and records are found from the values, so the brackets can nearly \
always be left out. Where they are written, there is one for each type parameter.

Wrong:

```medi
func first[T](xs: list[T]) -> T { return xs[0] }
func test() -> int { return first[int, int]([1]) }
```

Right:

```medi
func first[T](xs: list[T]) -> T { return xs[0] }
func test() -> int { return first([1]) }
```
",
    },
    Code {
        code: "E0513",
        title: "a type that is called",
        explanation: "\
A record is made by naming its fields in braces, an enum by one of its variants. `str(x)` makes \
text, `int(x)`, `float(x)` and `byte(x)` make numbers; `list[int]()` and `map[string, int]()` make \
empty collections.

Wrong:

```medi
record Patient { id: string, age: int }
func test() -> Patient { return Patient(\"p1\", 40) }
```

Right:

```medi
record Patient { id: string, age: int }
func test() -> Patient { return Patient { id: \"p1\", age: 40 } }
```
",
    },
    Code {
        code: "E0514",
        title: "a value that is returned from a function without a result",
        explanation: "\
The type of what a function returns is written after its parameters: `-> int`. Without it the \
function returns nothing.

Wrong:

```medi
func double(x: int) { return x * 2 }
```

Right:

```medi
func double(x: int) -> int { return x * 2 }
```
",
    },
    Code {
        code: "E0515",
        title: "a function that is called on a value, or a method on a type",
        explanation: "\
`func Patient.name(self)` is called on a value, `p.name()`. `func Patient.unknown()` takes no \
`self` and is called on the type, `Patient.unknown()`.

Wrong:

```medi
record Patient { id: string }
func Patient.name(self) -> string { return self.id }
func test() -> string { return Patient.name() }
```

Right:

```medi
record Patient { id: string }
func Patient.name(self) -> string { return self.id }
func test(p: Patient) -> string { return p.name() }
```
",
    },
    Code {
        code: "E0516",
        title: "a value that nothing uses",
        explanation: "\
A warning: the statement makes a value and drops it, without doing anything else. Often `==` \
stands for `=`, the parentheses of a call are missing, or the value was to be returned.

Wrong:

```medi
var total = 1
total += 1
total == 3
print(total)
```

Right:

```medi
var total = 1
total += 1
total = 3
print(total)
```
",
    },
];
