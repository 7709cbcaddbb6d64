//! `M0xxx`: manual memory inside `scope`.

use super::Code;

pub(super) static CODES: &[Code] = &[
    Code {
        code: "M0101",
        title: "a value that looks into a scope would leave it",
        explanation: "\
`allocate` borrows from the scope, and the end of the scope ends the loan. A value that still \
looks into the scope's memory then would look at freed memory. Copy what must leave with \
`promote`, which makes a deep copy in collected memory.

Wrong:

```medi
func pulses() -> View[int] {
  scope {
    let b = allocate(4KB)
    return b.view[int]()
  }
}
```

Right:

```medi
func pulses() -> list[int] {
  scope {
    let b = allocate(4KB)
    return promote(b.view[int]())
  }
}
```
",
    },
    Code {
        code: "M0102",
        title: "collected memory would point into a scope",
        explanation: "\
Collected objects live on after the scope, so they may not point into it: not by a field, not as \
an element of a list, not through a function that keeps its argument. Store a copy. The error \
offers that for a list declared as `[]`; where a type says that a `Buffer` or `View` is stored, a \
copy does not fit, and there is no edit.

Wrong:

```medi
scope {
  let b = allocate(4KB)
  cache.push(b)
}
```

Right:

```medi
scope {
  let b = allocate(4KB)
  cache.push(promote(b))
}
```
",
    },
    Code {
        code: "M0103",
        title: "a function value takes scope memory out of its scope",
        explanation: "\
A function value that uses scope memory belongs to that scope, through whatever it is passed. \
Copy the plain value that it needs first.

Wrong:

```medi
func reader() -> func() -> byte {
  scope {
    let b = allocate(4KB)
    return () => b[0]
  }
}
```

Right:

```medi
func reader() -> func() -> byte {
  scope {
    let b = allocate(4KB)
    let first = b[0]
    return () => first
  }
}
```
",
    },
    Code {
        code: "M0201",
        title: "memory is used after it was freed",
        explanation: "\
After `free(b)` nothing may use `b`, on any path that leads through the `free`. If it is freed on \
one path only, use it on the others. The same holds for memory of type `Owned` that was stored in \
an object, a list or a map, or given to a task: whoever holds it there may free it.

Wrong:

```medi
scope {
  let b = allocate(4KB)
  if rare { free(b) }
  b[0] = 1
}
```

Right:

```medi
scope {
  let b = allocate(4KB)
  if rare { free(b) } else { b[0] = 1 }
}
```
",
    },
    Code {
        code: "M0202",
        title: "memory is freed twice",
        explanation: "\
Each allocation is freed at most once; the end of the scope does it for all that is left. A \
`free` in a loop would free the same memory in each round.

Wrong:

```medi
scope {
  let b = allocate(4KB)
  for i in 0..2 { free(b) }
}
```

Right:

```medi
scope {
  let b = allocate(4KB)
  for i in 0..2 { b[i] = 1 }
  free(b)
}
```
",
    },
    Code {
        code: "M0203",
        title: "memory is freed while something still looks into it",
        explanation: "\
A view borrows from its buffer. The buffer can be freed, moved or resized only after the last use \
of every view.

Wrong:

```medi
scope {
  let b = allocate(4KB)
  let v = b.view[float]()
  free(b)
  print(sum(v))
}
```

Right:

```medi
scope {
  let b = allocate(4KB)
  let v = b.view[float]()
  print(sum(v))
  free(b)
}
```
",
    },
    Code {
        code: "M0301",
        title: "memory that may outlive its scope is never freed on some path",
        explanation: "\
Memory of type `Owned` is not freed by the end of a scope; so every path frees it or hands it on. \
Memory from `allocate` is freed by its scope, on every path. The error offers to free it where that \
is plain: at the end of a block that nothing leaves early, in the `else` of the only condition that \
frees it, or before a `return` whose value is a plain one; elsewhere it offers no edit.

Wrong:

```medi
func work(bad: bool) -> int {
  let o = Owned.buffer(1MB)
  if bad { return 0 }
  free(o)
  return 1
}
```

Right:

```medi
func work(bad: bool) -> int {
  scope {
    let o = allocate(1MB)
    if bad { return 0 }
    return 1
  }
}
```
",
    },
    Code {
        code: "M0401",
        title: "a task may outlive the scope whose memory it uses",
        explanation: "\
A task that `spawn` starts runs on after the scope ends. `parallel` waits for its tasks, so it \
may use the scope's memory. Where each use of the task is a `join` in sight, the error offers to do \
at once what the task would do; of tasks in a list, or that other functions join, nobody can tell \
what should wait for them, and there is none. A function value that uses memory of a scope runs in the \
task only that made it: a statement or step of a `parallel` names the memory itself.

Wrong:

```medi
scope {
  let b = allocate(4KB)
  spawn fill(b)
}
```

Right:

```medi
scope {
  let b = allocate(4KB)
  parallel { fill(b) }
}
```
",
    },
    Code {
        code: "M0402",
        title: "two tasks may write the same memory at the same time",
        explanation: "\
Tasks that run at the same time may read the same view, or write disjoint ones. `split_at` makes \
two disjoint views of one. The steps of a `parallel for` write where their number says: `v[i]`, or \
all of `v.slice(i * size, (i + 1) * size)`. The error offers halves where each of two statements \
names the view once, and else to leave `parallel` out.

Wrong:

```medi
parallel {
  fill(v)
  fill(v)
}
```

Right:

```medi
let (left, right) = v.split_at(n)
parallel {
  fill(left)
  fill(right)
}
```
",
    },
    Code {
        code: "M0403",
        title: "a pin is used by another task than the one that made it",
        explanation: "\
A pin keeps an object in its place for the task that made it, and ends with it. Another task \
makes its own: the error offers that for `let p = pin(x)`, and for a pin within a function value to \
do at once what the task would do.

Wrong:

```medi
let p = pin(table)
spawn read(p)
```

Right:

```medi
spawn read_pinned(table)
```
",
    },
];
