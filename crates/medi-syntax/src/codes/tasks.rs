//! `E08xx`: what tasks may do with the code around them.

use super::Code;

pub(super) static CODES: &[Code] = &[
    Code {
        code: "E0801",
        title: "a task that assigns a variable declared outside of it",
        explanation: "\
The statements of `parallel`, the steps of `parallel for` and what `spawn` starts run at the same \
time. Two that assign one variable would each overwrite what the other did, so a sum would come \
out wrong, and differently each time. A task therefore gets the value that a variable has when it \
starts, and cannot assign it. Let each task give a value, and combine them when all have ended.

Wrong:

```medi
var total = 0
parallel for i in 0..100 { total += i * i }
print(total)
```

Right:

```medi
let squares = range(0, 100).parallel_map(i => i * i)
print(sum(squares))
```
",
    },
    Code {
        code: "E0802",
        title: "a `return` or `break` that would leave a `parallel`",
        explanation: "\
A `parallel` ends when all of its statements or steps have ended, so that one of them cannot end it \
for the others. `continue` ends a step of `parallel for`. An error can end it early: `?` in a \
function that returns a `Result` cancels the others and hands the failure on.

Wrong:

```medi
func test(xs: list[int]) {
  parallel for x in xs {
    if x < 0 { break }
    print(x)
  }
}
```

Right:

```medi
func test(xs: list[int]) {
  parallel for x in xs {
    if x < 0 { continue }
    print(x)
  }
}
```
",
    },
    Code {
        code: "E0803",
        title: "a variable that only one statement of a `parallel` could see",
        explanation: "\
The statements of `parallel` run at the same time, so that none can use what another declares. \
Braces make one statement of several. A value that is needed afterwards comes from a task.

Wrong:

```medi
parallel {
  let x = 1
  print(2)
}
```

Right:

```medi
func square(x: int) -> int { return x * x }
func test() {
  let task = spawn square(2)
  parallel {
    { let x = 1; print(x) }
    print(2)
  }
  print(task.join())
}
```
",
    },
    Code {
        code: "E0804",
        title: "memory of a scope that is used in a task",
        explanation: "\
A scope belongs to the task that opened it: its end frees memory that a task which runs on could \
still use. A task therefore takes no memory of a scope and no pin along, and gives none back. The statements of \
a `parallel` end before any scope around it, so they may use a buffer or view that they name, but no object of a scope, \
nor a list or record that holds some of its memory. Open a scope inside the task, or give it a copy in collected memory.

Wrong:

```medi
record Node { value: int }
func test() {
  scope {
    let node = own Node { value: 1 }
    parallel { print(node.value); print(2) }
  }
}
```

Right:

```medi
func test() {
  scope {
    let bytes = allocate(64)
    parallel { print(bytes[0]); print(bytes[1]) }
  }
}
```
",
    },
];
