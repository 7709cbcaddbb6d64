//! `E02xx`: names that are unknown, given twice, or of the wrong kind.

use super::Code;

pub(super) static CODES: &[Code] = &[
    Code {
        code: "E0201",
        title: "a name that is declared twice",
        explanation: "\
Functions, records, enums and constants share the names of all files of a program; the fields of a \
record, the variants of an enum, the parameters of a function and the methods of a type are each \
unique among themselves. A program may declare again what the library declares: its own \
declaration then comes first.

Wrong:

```medi
const LIMIT = 100
const LIMIT = 200
```

Right:

```medi
const LOW_LIMIT = 100
const HIGH_LIMIT = 200
```
",
    },
    Code {
        code: "E0202",
        title: "a name that nothing declares",
        explanation: "\
A name means a local variable, a parameter, a function, a constant or a variant. A variable is in \
sight from its declaration to the end of its block. When a known name is similar, the message \
offers it.

Wrong:

```medi
let patients = [70, 81]
print(patient)
```

Right:

```medi
let patients = [70, 81]
print(patients)
```
",
    },
    Code {
        code: "E0203",
        title: "a type that nothing declares",
        explanation: "\
The types of the language are `int`, `float`, `bool`, `byte`, `string`, `list[T]`, `map[K, V]`, \
`T?`, tuples, functions, `Result[T]`, `Buffer` and `View[T]`; records and enums add more. A type \
parameter such as `T` is declared after the function's name.

Wrong:

```medi
func age(id: String) -> int { return id.len() }
```

Right:

```medi
func age(id: string) -> int { return id.len() }
```
",
    },
    Code {
        code: "E0204",
        title: "a field that the value does not have",
        explanation: "\
A field follows a point. Only records have named fields; the parts of a tuple are `.0`, `.1` and \
so on. A method is called: `xs.len()`, not `xs.len`.

Wrong:

```medi
record Vital { pulse_bpm: int }
func pulse(v: Vital) -> int { return v.pulse }
```

Right:

```medi
record Vital { pulse_bpm: int }
func pulse(v: Vital) -> int { return v.pulse_bpm }
```
",
    },
    Code {
        code: "E0205",
        title: "a method that the type does not have",
        explanation: "\
A method belongs to a type: `func Patient.name(self) -> string` adds one to `Patient`. The library \
gives methods to lists, maps, strings and numbers. When the name is that of another language \
(`append`, `strip`), the message says what Medi calls it.

Wrong:

```medi
let xs = [1, 2]
xs.append(3)
```

Right:

```medi
let xs = [1, 2]
xs.push(3)
```
",
    },
    Code {
        code: "E0206",
        title: "a variant that the enum does not have",
        explanation: "\
After the name of an enum and a point stands one of its variants; a pattern on an enum names one \
too. A name with a capital letter in a pattern on an enum is always taken for a variant, so that a \
misspelt one does not silently match everything.

Wrong:

```medi
enum Finding { Normal, Fever(celsius: float) }
func test() -> Finding { return Finding.Fevr(39.5) }
```

Right:

```medi
enum Finding { Normal, Fever(celsius: float) }
func test() -> Finding { return Finding.Fever(39.5) }
```
",
    },
    Code {
        code: "E0207",
        title: "a variant that two enums have",
        explanation: "\
A variant may be written without its enum where only one is possible. If two enums have a variant \
of that name, and nothing says which enum is wanted, the enum is named too.

Wrong:

```medi
enum Sex { Female, Male, Unknown }
enum Finding { Normal, Unknown }
func test() {
  let found = Unknown
  print(found)
}
```

Right:

```medi
enum Sex { Female, Male, Unknown }
enum Finding { Normal, Unknown }
func test() {
  let found = Finding.Unknown
  print(found)
}
```
",
    },
    Code {
        code: "E0208",
        title: "a name of the wrong kind",
        explanation: "\
A type is no value, a function is not a field, and a variant is not a record. Variants take their \
fields in parentheses, records in braces; types in brackets need a call after them: `list[int]()`.

Wrong:

```medi
record Patient { id: string }
func test() {
  let p = Patient
  print(p)
}
```

Right:

```medi
record Patient { id: string }
func test() {
  let p = Patient { id: \"p1\" }
  print(p)
}
```
",
    },
    Code {
        code: "E0209",
        title: "a declaration that takes the name of a type of the language",
        explanation: "\
`int`, `list`, `Result` and the other types of the language mean the same in every program, so no \
record or enum may take their names.

Wrong:

```medi
record list { first: int }
```

Right:

```medi
record Chain { first: int }
```
",
    },
    Code {
        code: "E0210",
        title: "a program without `main`",
        explanation: "\
A program starts at `main`. `medi check` also accepts files without one.

Wrong:

```medi
func helper() {}
```

Right:

```medi
func main() { print(\"hello\") }
```
",
    },
    Code {
        code: "E0211",
        title: "a `main` of another form",
        explanation: "\
`main` takes nothing, or the list of the arguments that follow the program's name. It returns \
nothing, or `Result[()]`: a failure then ends the program with its message and exit code 1. \
`exit(code)` ends it with another exit code.

Wrong:

```medi
func main(count: int) -> int { return count }
```

Right:

```medi
func main(args: list[string]) { print(args.len()) }
```
",
    },
    Code {
        code: "E0212",
        title: "something that only the library may use",
        explanation: "\
Native functions, bare arrays and the insides of `list` and `map` are what the library is built \
of. Programs use the types on top of them.

Wrong:

```medi
native func fast_sum(xs: list[float]) -> float
```

Right:

```medi
func fast_sum(xs: list[float]) -> float { return sum(xs) }
```
",
    },
    Code {
        code: "E0213",
        title: "a variable that is never used",
        explanation: "\
A warning: a `let` or `var` whose value nothing reads is often a slip, such as a misspelt name \
elsewhere. A name that begins with `_` is never reported.

Wrong:

```medi
let weight = 80
```

Right:

```medi
let _weight = 80
```
",
    },
    Code {
        code: "E0214",
        title: "a `var` that is never assigned again",
        explanation: "\
A warning: `let` binds once and says so to the reader. What a `let` refers to may still change: a \
list in a `let` can grow, and the fields of a record can be assigned.

Wrong:

```medi
var xs = [1]
xs.push(2)
print(xs)
```

Right:

```medi
let xs = [1]
xs.push(2)
print(xs)
```
",
    },
];
