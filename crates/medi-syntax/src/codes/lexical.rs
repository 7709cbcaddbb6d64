//! `E00xx`: the text cannot be split into words, numbers and signs.

use super::Code;

pub(super) static CODES: &[Code] = &[
    Code {
        code: "E0001",
        title: "a character that is not part of the language",
        explanation: "\
Outside strings and comments a program consists of names, numbers and the signs of the language. \
Text copied from a web page, a PDF or a word processor often brings signs that only look right: \
`≤` for `<=`, a long dash for `-`, a special space.

Wrong:

```medi
let ok = age ≥ 18
```

Right:

```medi
let ok = age >= 18
```
",
    },
    Code {
        code: "E0002",
        title: "a string that does not end",
        explanation: "\
A string in `\"` ends on the line where it begins. A text of several lines stands between \
`\"\"\"` and `\"\"\"`; the indentation that its lines share is not part of it.

Wrong:

```medi
let greeting = \"hello
print(greeting)
```

Right:

```medi
let greeting = \"hello\"
let letter = \"\"\"
  Dear patient,
  your results are here.
  \"\"\"
```
",
    },
    Code {
        code: "E0003",
        title: "a comment that does not end",
        explanation: "\
A comment that begins with `/*` ends with `*/`. Such comments nest, so that code which holds one \
can be commented out; each `/*` needs its own `*/`.

Wrong:

```medi
let a = 1 /* the first
let b = 2
```

Right:

```medi
let a = 1 /* the first */
let b = 2
```
",
    },
    Code {
        code: "E0004",
        title: "an unknown escape in a string",
        explanation: "\
In a string a backslash begins an escape: `\\n` is a new line, `\\t` a tab, `\\r` a carriage \
return, `\\0` the character zero, `\\\\` a backslash, `\\\"` a quotation mark, `\\u{b5}` the \
character with that number in Unicode. Braces are written `{{` and `}}`.

Wrong:

```medi
let path = \"C:\\data\"
```

Right:

```medi
let path = \"C:\\\\data\"
```
",
    },
    Code {
        code: "E0005",
        title: "a number that cannot be read",
        explanation: "\
Numbers are written `42`, `1_000_000`, `0xff`, `0b1010`, `2.5`, `1e-9`. A point stands between \
digits. Letters after a number are only those of sizes: `512B`, `64KB`, `10MB`, `1GB`, `2TB`, \
powers of 1024, and a size is a whole number. A number that begins with 0 would mean base 8 to \
some readers, so it is not allowed.

Wrong:

```medi
let dose = 5mg
let half = .5
```

Right:

```medi
let dose_mg = 5
let half = 0.5
```
",
    },
    Code {
        code: "E0006",
        title: "a number that is too large",
        explanation: "\
An `int` reaches from -9223372036854775808 to 9223372036854775807, a `float` to about 1.8e308. A \
larger whole number can be written as a `float`, which keeps its first 15 to 17 digits; an \
identifier with that many digits is better kept as a string.

Wrong:

```medi
let id = 99999999999999999999
```

Right:

```medi
let id = \"99999999999999999999\"
let about = 1e20
```
",
    },
    Code {
        code: "E0007",
        title: "an insertion in a string that cannot be read",
        explanation: "\
In a string `{` and `}` enclose an expression whose value is inserted. The braces hold exactly \
one expression, and perhaps a format after a colon. A brace that belongs to the text is written \
twice.

Wrong:

```medi
let text = \"a set {1, 2}\"
```

Right:

```medi
let text = \"a set {{1, 2}} of {xs.len()}\"
```
",
    },
    Code {
        code: "E0008",
        title: "a closing brace that closes nothing in a string",
        explanation: "\
In a string `{` and `}` enclose an expression to insert, so a `}` alone has no meaning. A brace \
that belongs to the text is written twice.

Wrong:

```medi
let text = \"ends with }\"
```

Right:

```medi
let text = \"ends with }}\"
```
",
    },
    Code {
        code: "E0009",
        title: "a format that cannot be read",
        explanation: "\
After the expression in a string's braces a colon and a format may follow: `<`, `^` or `>` to \
align left, in the middle or right, then the width in characters, then a point and the number of \
digits after the decimal point. Each part may be left out; no letter follows.

Wrong:

```medi
print(\"{pulse:.2f}\")
```

Right:

```medi
print(\"{pulse:.2} {name:<20} {count:>8}\")
```
",
    },
    Code {
        code: "E0010",
        title: "a string in other quotation marks",
        explanation: "\
Strings are written in double quotes. Single quotes, backticks and the curved quotes of word \
processors begin no string.

Wrong:

```medi
let name = 'Ada'
```

Right:

```medi
let name = \"Ada\"
```
",
    },
    Code {
        code: "E0011",
        title: "an invisible character that changes the direction of writing",
        explanation: "\
Such a character, in a comment or a string, makes an editor show other text than the compiler \
reads, so that a reviewer cannot see what the program does. In a string the character can be \
written by its number.

Wrong:

```medi
// a hidden \u{202e} mark
let a = 1
```

Right:

```medi
// no hidden mark
let a = \"\\u{202e}\"
```
",
    },
    Code {
        code: "E0012",
        title: "a prefix before a string",
        explanation: "\
Strings have no prefix. Every string inserts the value of an expression in braces; a backslash is \
written `\\\\`.

Wrong:

```medi
let text = f\"pulse {pulse}\"
```

Right:

```medi
let text = \"pulse {pulse}\"
```
",
    },
    Code {
        code: "E0013",
        title: "a comment that begins with `#`",
        explanation: "\
Comments begin with `//` and go to the end of the line, or stand between `/*` and `*/`. `///` \
before a declaration documents it.

Wrong:

```medi
let a = 1  # the first
```

Right:

```medi
let a = 1  // the first
```
",
    },
];
