//! `E07xx`: parts of the language that this version parses and does not run yet.

use super::Code;

pub(super) static CODES: &[Code] = &[
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
`Atomic[int]` will be memory that several tasks may change at the same time. Until then, let each \
task give a value of its own, and combine the values when the tasks have ended.

Right:

```medi
let count = spawn read(path)
print(count.join())
```
",
    },
    Code {
        code: "E0709",
        title: "`fence` is not in this version yet",
        explanation: "\
`fence(.acquire)` and its kin will order what several tasks do with atomic memory, which this \
version does not have either. `join` and the end of a `parallel` order what tasks do: who waited \
sees all of it.

Right:

```medi
let task = spawn read(path)
print(task.join())
```
",
    },
];
