//! `E07xx`: parts of the language that this version parses and does not run yet.

use super::Code;

pub(super) static CODES: &[Code] = &[
    Code {
        code: "E0701",
        title: "`parallel` is not in this version yet",
        explanation: "\
`parallel { a(); b() }` and `parallel for` will run statements at the same time and wait for all \
of them. The parser reads them already. Until then, statements run one after the other.

Right:

```medi
a()
b()
```
",
    },
    Code {
        code: "E0702",
        title: "`spawn` is not in this version yet",
        explanation: "\
`spawn f(x)` will start a task whose handle has `.join()`. The parser reads it already. Until \
then, call the function.

Right:

```medi
let result = f(x)
```
",
    },
    Code {
        code: "E0703",
        title: "`own` is not in this version yet",
        explanation: "\
`own Node { … }` will put one object into the memory of a scope. The parser reads it already. \
Until then, make a collected object, or keep plain values in a buffer.

Right:

```medi
let node = Node { value: 1 }
```
",
    },
    Code {
        code: "E0704",
        title: "`Shared` is not in this version yet",
        explanation: "\
`Shared[T]` will be a counted object in the memory of a scope. Until then, a record is shared by \
using it in several places; the collector frees it.

Right:

```medi
let node = Node { value: 1 }
let same_node = node
```
",
    },
    Code {
        code: "E0705",
        title: "`Weak` is not in this version yet",
        explanation: "\
`Weak[T]` will be a reference to a shared object that does not keep it alive. Until then, hold an \
identifier and look the object up in a map.

Right:

```medi
let parent = nodes.get(parent_id)
```
",
    },
    Code {
        code: "E0706",
        title: "`Owned` is not in this version yet",
        explanation: "\
`Owned.buffer(1MB)` will be memory that may outlive its scope and that every path frees or hands \
on. Until then, allocate in the scope that outlives all uses, or use a list.

Right:

```medi
scope {
  let buffer = allocate(1MB)
  fill(buffer)
}
```
",
    },
    Code {
        code: "E0707",
        title: "`Pin` is not in this version yet",
        explanation: "\
`pin(x)` will keep a collected object in its place while foreign code uses it. Until then, \
objects cannot be handed to foreign code.

Right:

```medi
let copy = xs.slice(0, xs.len())
```
",
    },
    Code {
        code: "E0708",
        title: "`Atomic` is not in this version yet",
        explanation: "\
`Atomic[int]` will be memory that several tasks may change at the same time. Tasks do not run at \
the same time yet, so a `var` is enough.

Right:

```medi
var count = 0
count += 1
```
",
    },
    Code {
        code: "E0709",
        title: "`fence` is not in this version yet",
        explanation: "\
`fence(.acquire)` and its kin will order what several tasks do with atomic memory. Tasks do not \
run at the same time yet, so there is nothing to order.

Right:

```medi
count += 1
```
",
    },
];
