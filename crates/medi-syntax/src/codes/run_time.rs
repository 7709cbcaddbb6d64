//! `R0xxx`: errors that stop a running program.

use super::Code;

pub(super) static CODES: &[Code] = &[
    Code {
        code: "R0001",
        title: "a whole number overflows",
        explanation: "\
`int` arithmetic gives the exact result or stops the program; it never wraps around silently. \
`float` arithmetic does not overflow below 1.8e308.

Wrong:

```medi
let squared = 4_000_000_000 * 4_000_000_000
```

Right:

```medi
let squared = 4_000_000_000.0 * 4_000_000_000.0
```
",
    },
    Code {
        code: "R0002",
        title: "a division by zero",
        explanation: "\
`div(a, b)` and `a % b` on whole numbers need a `b` that is not zero. Test before.

Wrong:

```medi
let share = div(total, count)
```

Right:

```medi
let share = if count == 0 { 0 } else { div(total, count) }
```
",
    },
    Code {
        code: "R0003",
        title: "an index out of range",
        explanation: "\
The first element has index 0, the last `len() - 1`. `first()` and `last()` of a list give `nil` \
when there is none.

Wrong:

```medi
let newest = visits[visits.len()]
```

Right:

```medi
let newest = visits[visits.len() - 1]
```
",
    },
    Code {
        code: "R0004",
        title: "`!` on a value that is not there",
        explanation: "\
`x!` says that `x` is not `nil`. Where it may be, test with `if let` or give a default with `??`.

Wrong:

```medi
let pulse = patient.latest_pulse()!
```

Right:

```medi
let pulse = patient.latest_pulse() ?? 0
```
",
    },
    Code {
        code: "R0005",
        title: "a key that the map does not have",
        explanation: "\
`m[key]` needs a key that is there. `m.get(key)` gives a value or `nil`, `m.has(key)` tests.

Wrong:

```medi
let name = names[\"p9\"]
```

Right:

```medi
let name = names.get(\"p9\") ?? \"unknown\"
```
",
    },
    Code {
        code: "R0006",
        title: "a conversion that has no result",
        explanation: "\
`int(x)` of a `float` that is not a number or too large, `byte(x)` over 255, and a text that is \
no number have no result.

Wrong:

```medi
let code = byte(300)
```

Right:

```medi
let code = byte(band(300, 255))
```
",
    },
    Code {
        code: "R0007",
        title: "calls that nest too deeply",
        explanation: "\
Every call that has not returned takes a piece of the stack. A function that calls itself without \
an end, or once for every element of a long list, uses it up. Use a loop, or a list as the stack.

Wrong:

```medi
func count(n: int) -> int { return 1 + count(n + 1) }
```

Right:

```medi
func count(n: int) -> int {
  var total = 0
  while total < n { total += 1 }
  return total
}
```
",
    },
    Code {
        code: "R0008",
        title: "no memory is left",
        explanation: "\
The program needs more memory than the machine has or `--memory` allows. The report lists the \
types and the lines that hold the most. Keep less at a time: go through a file record by record, \
drop what is done, give a buffer back with `free`.

Right:

```medi
for record in read_observations(path) { total += record.value }
```
",
    },
    Code {
        code: "R0009",
        title: "an error that nobody handled",
        explanation: "\
A function that can fail returns a `Result`. Used as a plain value, a failure stops the program \
with its message. Hand it on with `?`, give a default with `.or(…)`, or look at it with `match`.

Wrong:

```medi
let text = read_text(\"missing.txt\")
```

Right:

```medi
let text = read_text(\"missing.txt\").or(\"\")
```
",
    },
    Code {
        code: "R0010",
        title: "scope memory is used after it was freed",
        explanation: "\
A buffer or a view was used after `free` or after the end of its scope. The message names the \
allocation, the `free` and the use.

Wrong:

```medi
scope {
  let b = allocate(4KB)
  free(b)
  b[0] = 1
}
```

Right:

```medi
scope {
  let b = allocate(4KB)
  b[0] = 1
  free(b)
}
```
",
    },
    Code {
        code: "R0011",
        title: "an index outside scope memory",
        explanation: "\
A buffer has as many bytes as were allocated, a view as many elements as fit. A view's offset and \
length must lie within its buffer.

Wrong:

```medi
scope {
  let b = allocate(4)
  b[4] = 1
}
```

Right:

```medi
scope {
  let b = allocate(5)
  b[4] = 1
}
```
",
    },
    Code {
        code: "R0012",
        title: "scope memory is freed twice",
        explanation: "\
`free` was called again for a buffer that is freed already. The end of the scope frees what is \
left, so `free` is needed only to give memory back early.

Wrong:

```medi
scope {
  let b = allocate(4KB)
  free(b)
  free(b)
}
```

Right:

```medi
scope {
  let b = allocate(4KB)
  free(b)
}
```
",
    },
    Code {
        code: "R0013",
        title: "an argument that the function cannot take",
        explanation: "\
A length, a size or an offset is not negative; a shift is between 0 and 63; a quantile is between \
0 and 1. The message names the argument and what it was.

Wrong:

```medi
scope {
  let b = allocate(0 - 1)
}
```

Right:

```medi
scope {
  let b = allocate(1)
}
```
",
    },
    Code {
        code: "R0014",
        title: "a file that cannot be read or written",
        explanation: "\
The file is missing, may not be opened, is cut off, or does not hold what its format says. The \
message names the file, the record and the reason. A reader returns a `Result`; handle it where \
one bad file should not stop the rest.

Right:

```medi
match read_text(path) {
  Ok(text) => print(text)
  Err(message) => print(\"skipped: {message}\")
}
```
",
    },
    Code {
        code: "R0015",
        title: "tasks that wait for each other",
        explanation: "\
A task waits for itself, or for a task that waits for it, directly or by way of others. None of \
them could ever go on. It takes a task that gets hold of its own `Task`, through a record or a \
list that was changed after it started.

Wrong:

```medi
record Box { task: Task[int]? }
func wait(box: Box) -> int {
  while box.task == nil {}
  return box.task!.join()
}
func main() {
  let box = Box {}
  box.task = spawn wait(box)
  print(box.task!.join())
}
```

Right:

```medi
func work(n: int) -> int { return n + 1 }
func main() {
  let task = spawn work(1)
  print(task.join())
}
```
",
    },
    Code {
        code: "R0016",
        title: "a value that another task took away",
        explanation: "\
The program read an element of a list or a map while another task changed it, and found the place \
empty, or half of one value and half of another. What two tasks use at the same time, neither may \
change: give each task lists of its own, or change shared ones before the tasks start and after \
they have ended.

Wrong:

```medi
let names = [\"a\", \"b\"]
parallel {
  names.clear()
  print(names)
}
```

Right:

```medi
let names = [\"a\", \"b\"]
parallel {
  print(names.copy())
  print(names.len())
}
names.clear()
```
",
    },
    Code {
        code: "R0017",
        title: "a function of one task that would use its scope's memory in another",
        explanation: "\
The memory of a scope belongs to the task that opened it: its end frees memory that a task which \
runs on could still use. A function value that captured a buffer or a view therefore runs only in \
the task that made it. Open a scope inside the task, or let the function use a copy in collected \
memory.

Wrong:

```medi
scope {
  let cells = allocate(64).view[int]()
  let first = () => cells[0]
  let task = spawn first()
  print(task.join())
}
```

Right:

```medi
scope {
  let cells = promote(allocate(64).view[int]())
  let first = () => cells[0]
  let task = spawn first()
  print(task.join())
}
```
",
    },
    Code {
        code: "R0018",
        title: "a pin that does not hold",
        explanation: "\
A pin promises that its object stays where it is and is not resized. It belongs to the task that \
made it, and a list that grows moves its elements.

Wrong:

```medi
let ages = [40]
let held = pin(ages)
ages.push(41)
print(held[0])
```

Right:

```medi
let ages = [40]
ages.push(41)
let held = pin(ages)
print(held[0])
```
",
    },
    Code {
        code: "R0019",
        title: "native code touched scope memory that is not there",
        explanation: "\
A function that is not written in Medi, such as one of Medi's own library, read or wrote beside a \
buffer, or in a buffer or an object that had ended. Medi checks each access of the program itself, \
but cannot see into such functions; it only keeps pages beside buffers that nobody may touch: \
around one buffer in every few megabytes, or around all of them under `--check=memory`. The \
message shows the calls that led to the allocation, to the end and to the use.

The program did nothing wrong. Please report it, with what `medi run --check=memory` prints: in \
such a run everything that has ended stays out of use for long, so that the message names the \
place where it happened and not a later one.
",
    },
    Code {
        code: "R0099",
        title: "a mistake in Medi itself",
        explanation: "\
The program did nothing wrong: the compiler or its run-time system broke one of its own rules, \
and stopped before it could give a wrong result. Please report it with the program, or the \
smallest part of it that still shows the error.
",
    },
];
