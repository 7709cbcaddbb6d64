//! `E07xx`: parts of the language that this version parses and does not run yet.

use super::Code;

pub(super) static CODES: &[Code] = &[
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
];
