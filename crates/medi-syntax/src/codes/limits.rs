//! `E09xx`: limits that keep the compiler safe from its input.

use super::Code;

pub(super) static CODES: &[Code] = &[
    Code {
        code: "E0901",
        title: "nesting that is too deep, or a chain that is too long",
        explanation: "\
Expressions, blocks, types and patterns nest at most 200 deep, and at most 200 operators or calls \
follow each other in one expression. The limit keeps the compiler's memory bounded, whatever the \
program; people write a tenth of it. Generated code reaches it more easily.

Right:

```medi
let first = a + b + c
let second = first + d + e
```
",
    },
    Code {
        code: "E0902",
        title: "a file that is too large for a program",
        explanation: "\
A program file has at most 64 MB. A larger one is most likely data: a program reads data from \
files while it runs, and then there is no limit.

Right:

```medi
func main(args: list[string]) {
  print(read_text(args[0]))
}
```
",
    },
    Code {
        code: "E0903",
        title: "too many errors to show",
        explanation: "\
At most 200 errors are shown for a file, since the later ones most often follow from the first. \
Correct those and run again. Hundreds of errors mostly mean that the file is no Medi program, or \
that a bracket or a quotation mark is missing near its beginning.
",
    },
];
