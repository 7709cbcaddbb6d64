//! What sources and sinks do.

use std::sync::LazyLock;

use crate::case::Verdict;

/// What goes from a source to a sink.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Data {
    /// Memory of a scope: lies in objects of the scope, not in collected ones.
    Scope,
    /// Memory of no scope.
    Owned,
    /// Collected memory, and plain values.
    Plain,
}

/// One functional variant.
pub struct Flaw {
    pub cwe: &'static str,
    /// The rest of the name of Juliet's files.
    pub variant: &'static str,
    pub data: Data,
    pub ty: &'static str,
    /// What there is before the source; `data` is made from it.
    pub before: &'static str,
    /// The first value of `data`.
    pub value: &'static str,
    /// Declarations that source and sink use.
    pub declarations: &'static str,
    /// What only the bad sink uses.
    pub bad_declarations: &'static str,
    /// The source assigns `data`.
    pub assigns: bool,
    pub bad_source: &'static str,
    pub good_source: Option<&'static str>,
    pub bad_sink: &'static str,
    pub good_sink: Option<&'static str>,
    /// Of the bad program.
    pub bad: Verdict,
    /// The files with a number from 21 on are among Juliet's.
    pub flows: Flows,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Flows {
    All,
    /// As in all that have no good sink.
    NoReturns,
    /// 43, 62, 63 and 64.
    References,
    /// None: source and sink are one place.
    Local,
}

/// Flows in which an object, a list or a map holds the data.
const HOLDERS: [u32; 11] = [32, 43, 45, 62, 63, 66, 67, 68, 72, 73, 74];

impl Flaw {
    pub fn file(&self) -> String {
        format!("{}__{}", self.cwe, self.variant)
    }

    /// What the source gets out of an object, and the sink again, is known to be the same while the program runs, and so
    /// is what an object holds at the end.
    pub fn bad_through(&self, flow: u32) -> Verdict {
        let referred = self.data == Data::Owned && [43, 62].contains(&flow);
        match self.cwe {
            "CWE415_Double_Free" if referred => Verdict::stopped(&["R0012"]),
            "CWE401_Memory_Leak" if HOLDERS.contains(&flow) => Verdict::Leaks,
            _ => self.bad.clone(),
        }
    }
}

const NONE: &str = "print(0)";

pub static FLAWS: LazyLock<Vec<Flaw>> = LazyLock::new(|| {
    let refused = Verdict::refused;
    let stopped = Verdict::stopped;
    let outside = || stopped(&["R0011"]);
    vec![
        // Owned memory that nobody frees.
        Flaw {
            cwe: "CWE401_Memory_Leak",
            variant: "char_malloc",
            data: Data::Owned,
            ty: "Owned[Buffer]",
            before: "",
            value: "Owned.buffer(100)",
            declarations: "",
            bad_declarations: "",
            assigns: false,
            bad_source: "data[0] = 1",
            good_source: None,
            bad_sink: NONE,
            good_sink: Some("free(data)"),
            bad: refused(&["M0301"]),
            flows: Flows::All,
        },
        // A larger piece takes the place of the first, which is lost.
        Flaw {
            cwe: "CWE401_Memory_Leak",
            variant: "malloc_realloc_char",
            data: Data::Owned,
            ty: "Owned[Buffer]",
            before: "",
            value: "Owned.buffer(100)",
            declarations: "",
            bad_declarations: "",
            assigns: true,
            bad_source: "data[0] = 1",
            good_source: None,
            bad_sink: "data = Owned.buffer(130000); free(data)",
            good_sink: Some("free(data); data = Owned.buffer(130000); free(data)"),
            bad: refused(&["M0301"]),
            flows: Flows::Local,
        },
        Flaw {
            cwe: "CWE415_Double_Free",
            variant: "malloc_free_char",
            data: Data::Scope,
            ty: "Buffer",
            before: "",
            value: "allocate(100)",
            declarations: "",
            bad_declarations: "",
            assigns: false,
            bad_source: "free(data)",
            good_source: Some("data[0] = 1"),
            bad_sink: "free(data)",
            good_sink: Some(NONE),
            bad: refused(&["M0201", "M0202", "M0203"]),
            flows: Flows::All,
        },
        Flaw {
            cwe: "CWE415_Double_Free",
            variant: "new_delete_char",
            data: Data::Owned,
            ty: "Owned[Buffer]",
            before: "",
            value: "Owned.buffer(100)",
            declarations: "",
            bad_declarations: "",
            assigns: false,
            bad_source: "free(data)",
            good_source: Some("data[0] = 1"),
            bad_sink: "free(data)",
            good_sink: Some(NONE),
            bad: refused(&["M0201", "M0202", "M0203"]),
            flows: Flows::All,
        },
        Flaw {
            cwe: "CWE416_Use_After_Free",
            variant: "malloc_free_char",
            data: Data::Scope,
            ty: "Buffer",
            before: "",
            value: "allocate(100)",
            declarations: "",
            bad_declarations: "",
            assigns: false,
            bad_source: "free(data)",
            good_source: Some("data[0] = 1"),
            bad_sink: "print(data[0])",
            good_sink: Some(NONE),
            bad: refused(&["M0201", "M0202", "M0203"]),
            flows: Flows::References,
        },
        // The same through a view of the memory.
        Flaw {
            cwe: "CWE416_Use_After_Free",
            variant: "new_delete_array_int64_t",
            data: Data::Scope,
            ty: "View[int]",
            before: "let memory = allocate(800)",
            value: "memory.view[int]()",
            declarations: "",
            bad_declarations: "",
            assigns: false,
            bad_source: "free(memory)",
            good_source: Some("memory[0] = 1"),
            bad_sink: "print(sum(data))",
            good_sink: Some(NONE),
            bad: refused(&["M0201", "M0202", "M0203"]),
            flows: Flows::Local,
        },
        Flaw {
            cwe: "CWE416_Use_After_Free",
            variant: "return_freed_ptr",
            data: Data::Owned,
            ty: "Owned[Buffer]",
            before: "",
            value: "Owned.buffer(8)",
            declarations: "",
            bad_declarations: "func freed(memory: Owned[Buffer]) -> Owned[Buffer] { free(memory); return memory }\n",
            assigns: false,
            bad_source: NONE,
            good_source: None,
            bad_sink: "print(freed(data)[0])",
            good_sink: Some("print(data[0]); free(data)"),
            bad: refused(&["M0201"]),
            flows: Flows::Local,
        },
        // What is no memory of a scope is not freed: types say so.
        Flaw {
            cwe: "CWE590_Free_Memory_Not_on_Heap",
            variant: "free_int_declare",
            data: Data::Plain,
            ty: "list[int]",
            before: "",
            value: "[1, 2, 3]",
            declarations: "",
            bad_declarations: "",
            assigns: false,
            bad_source: NONE,
            good_source: None,
            bad_sink: "free(data)",
            good_sink: Some("print(data[0])"),
            bad: refused(&["E0301"]),
            flows: Flows::NoReturns,
        },
        Flaw {
            cwe: "CWE590_Free_Memory_Not_on_Heap",
            variant: "free_struct_declare",
            data: Data::Plain,
            ty: "Twin",
            before: "",
            value: "Twin { first: 1, second: 2 }",
            declarations: "record Twin { first: int, second: int }\n",
            bad_declarations: "",
            assigns: false,
            bad_source: NONE,
            good_source: None,
            bad_sink: "free(data)",
            good_sink: Some("print(data.first)"),
            bad: refused(&["E0301"]),
            flows: Flows::NoReturns,
        },
        // What looks into the middle of memory is a view, and only the memory itself is freed.
        Flaw {
            cwe: "CWE761_Free_Pointer_Not_at_Start_of_Buffer",
            variant: "char_fixed_string",
            data: Data::Scope,
            ty: "View[byte]",
            before: "",
            value: "allocate(100).view[byte]()",
            declarations: "",
            bad_declarations: "",
            assigns: false,
            bad_source: "data[12] = byte(83)",
            good_source: None,
            bad_sink: "var at = data\n  while len(at) > 0 and at[0] != byte(83) { at = at.slice(1, len(at)) }\n  free(at)",
            good_sink: Some(
                "var at = 0\n  while at < len(data) and data[at] != byte(83) { at += 1 }\n  print(at)",
            ),
            bad: refused(&["E0301"]),
            flows: Flows::All,
        },
        // Memory of one kind is given to a function that frees the other.
        Flaw {
            cwe: "CWE762_Mismatched_Memory_Management_Routines",
            variant: "delete_int_malloc",
            data: Data::Scope,
            ty: "Buffer",
            before: "",
            value: "allocate(100)",
            declarations: "func give_up(memory: Owned[Buffer]) { free(memory) }\n",
            bad_declarations: "",
            assigns: false,
            bad_source: "data[0] = 1",
            good_source: None,
            bad_sink: "give_up(data)",
            good_sink: Some("free(data)"),
            bad: refused(&["E0301"]),
            flows: Flows::All,
        },
        Flaw {
            cwe: "CWE762_Mismatched_Memory_Management_Routines",
            variant: "new_free_int",
            data: Data::Scope,
            ty: "own Cell",
            before: "",
            value: "own Cell { value: 1 }",
            declarations: "record Cell { value: int }\n",
            bad_declarations: "",
            assigns: false,
            bad_source: "data.value = 2",
            good_source: None,
            bad_sink: "free(data)",
            good_sink: Some("print(data.value)"),
            bad: refused(&["E0301"]),
            flows: Flows::All,
        },
        // Indices.
        index("CWE121_Stack_Based_Buffer_Overflow", "CWE129_large", "data = 10", true, true),
        index("CWE122_Heap_Based_Buffer_Overflow", "c_CWE129_large", "data = 10", false, true),
        index("CWE124_Buffer_Underwrite", "CWE839_negative", "data = -5", false, true),
        index("CWE126_Buffer_Overread", "CWE129_large", "data = 10", false, false),
        index("CWE127_Buffer_Underread", "CWE839_negative", "data = -5", false, false),
        // Sizes.
        Flaw {
            value: "repeated(0, 50)",
            data: Data::Plain,
            ty: "list[int]",
            before: "",
            bad_source: "data = repeated(0, 50)",
            good_source: Some("data = repeated(0, 100)"),
            bad_sink: "for i in 0..100 { data[i] = i }",
            good_sink: None,
            bad: stopped(&["R0003"]),
            flows: Flows::NoReturns,
            ..sized("CWE121_Stack_Based_Buffer_Overflow", "CWE805_int_declare_loop")
        },
        Flaw {
            value: "repeated(0, 10)",
            data: Data::Plain,
            ty: "list[int]",
            before: "",
            bad_source: "data = repeated(0, 10)",
            good_source: Some("data = repeated(0, 11)"),
            bad_sink: "for i in 0..=10 { data[i] = i }",
            good_sink: None,
            bad: stopped(&["R0003"]),
            flows: Flows::NoReturns,
            ..sized("CWE121_Stack_Based_Buffer_Overflow", "CWE193_char_declare_loop")
        },
        Flaw {
            bad_source: "data = memory.view[int](0, 1)",
            good_source: Some("data = memory.view[int](0, 10)"),
            bad_sink: "for i in 0..10 { data[i] = i }",
            bad: outside(),
            ..sized("CWE122_Heap_Based_Buffer_Overflow", "CWE131_loop")
        },
        Flaw {
            bad_source: "data = memory.view[int](0, 10)",
            good_source: Some("data = memory.view[int](0, 11)"),
            bad_sink: "for i in 0..=10 { data[i] = i }",
            bad: outside(),
            ..sized("CWE122_Heap_Based_Buffer_Overflow", "c_CWE193_char_loop")
        },
        Flaw {
            bad_source: "data = memory.view[int](0, 50)",
            good_source: Some("data = memory.view[int](0, 100)"),
            bad_sink: "for i in 0..100 { data[i] = i }",
            bad: outside(),
            ..sized("CWE122_Heap_Based_Buffer_Overflow", "c_CWE805_int64_t_loop")
        },
        Flaw {
            bad_source: "data = memory.view[int](0, 50)",
            good_source: Some("data = memory.view[int](0, 100)"),
            bad_sink: "var total = 0\n  for i in 0..100 { total += data[i] }\n  print(total)",
            bad: outside(),
            ..sized("CWE126_Buffer_Overread", "malloc_char_loop")
        },
        Flaw {
            bad_source: "data = memory.view[int](0, 50)",
            good_source: Some("data = memory.view[int](0, 100)"),
            bad_sink: "print(promote(data.slice(0, 100)).len())",
            bad: outside(),
            ..sized("CWE126_Buffer_Overread", "malloc_char_memcpy")
        },
        // The number of the first element that is used.
        Flaw {
            ty: "int",
            data: Data::Plain,
            before: "",
            value: "0",
            bad_source: "data = -8",
            good_source: Some("data = 0"),
            bad_sink: "scope {\n    let cells = allocate(800).view[int]()\n    for i in 0..10 { cells[data + i] = i }\n  }",
            bad: outside(),
            ..sized("CWE124_Buffer_Underwrite", "malloc_char_loop")
        },
        Flaw {
            ty: "int",
            data: Data::Plain,
            before: "",
            value: "0",
            bad_source: "data = -8",
            good_source: Some("data = 0"),
            bad_sink: "scope {\n    let cells = allocate(800).view[int]()\n    print(sum(cells.slice(data, data + 10)))\n  }",
            bad: outside(),
            ..sized("CWE127_Buffer_Underread", "malloc_char_loop")
        },
        // Nothing there.
        Flaw {
            value: "nil",
            bad_source: "data = nil",
            good_source: Some("data = 5"),
            bad_sink: "print(data!)",
            good_sink: Some("if let value = data { print(value) }"),
            bad: stopped(&["R0004"]),
            ..optional("int", "int?")
        },
        Flaw {
            value: "nil",
            declarations: "record Twin { first: int, second: int }\n",
            bad_source: "data = nil",
            good_source: Some("data = Twin { first: 0, second: 0 }"),
            bad_sink: "print(data!.first)",
            good_sink: Some("if let value = data { print(value.first) }"),
            bad: stopped(&["R0004"]),
            ..optional("struct", "Twin?")
        },
        // Without an assertion the type refuses it.
        Flaw {
            value: "nil",
            declarations: "record Twin { first: int, second: int }\n",
            bad_source: "data = nil",
            bad_sink: "if data == nil { print(data.first) }",
            good_sink: Some("if data == nil { print(\"nil\") }"),
            bad: refused(&["E0601"]),
            flows: Flows::Local,
            ..optional("deref_after_check", "Twin?")
        },
        Flaw {
            value: "nil",
            declarations: "record Twin { first: int, second: int }\n",
            bad_source: "data = Twin { first: 0, second: 0 }",
            bad_sink: "print(data.first)\n  if data != nil { print(1) }",
            good_sink: Some("if data != nil { print(1) }"),
            bad: refused(&["E0601"]),
            flows: Flows::Local,
            ..optional("null_check_after_deref", "Twin?")
        },
        Flaw {
            value: "nil",
            declarations: "record Twin { first: int, second: int }\n",
            bad_source: "data = nil",
            // Both sides of the condition are evaluated.
            bad_sink: "let there = data!.first == 5\n  if data != nil and there { print(5) }",
            good_sink: Some("if data != nil and data!.first == 5 { print(5) }"),
            bad: stopped(&["R0004"]),
            flows: Flows::Local,
            ..optional("binary_if", "Twin?")
        },
        // Sizes from outside.
        Flaw {
            cwe: "CWE789_Uncontrolled_Mem_Alloc",
            variant: "malloc_char_fgets",
            data: Data::Plain,
            ty: "int",
            before: "",
            value: "0",
            declarations: "",
            bad_declarations: "",
            assigns: true,
            bad_source: "data = \"4000000000000\".parse_int() ?? 0",
            good_source: Some("data = 20"),
            bad_sink: "scope { print(len(allocate(data))) }",
            good_sink: Some("scope { if data > 0 and data < 100 { print(len(allocate(data))) } }"),
            bad: stopped(&["R0008"]),
            flows: Flows::All,
        },
        Flaw {
            cwe: "CWE789_Uncontrolled_Mem_Alloc",
            variant: "malloc_char_rand",
            data: Data::Plain,
            ty: "int",
            before: "",
            value: "0",
            declarations: "",
            bad_declarations: "",
            assigns: true,
            bad_source: "data = -1000",
            good_source: Some("data = 20"),
            bad_sink: "let memory = Owned.buffer(data)\n  print(len(memory))\n  free(memory)",
            good_sink: Some("if data > 0 and data < 100 { print(data) }"),
            bad: stopped(&["R0013"]),
            flows: Flows::All,
        },
    ]
});

/// `data` is an index into 10 elements, from the program itself or another.
fn index(
    cwe: &'static str,
    variant: &'static str,
    bad_source: &'static str,
    list: bool,
    writes: bool,
) -> Flaw {
    let (bad_sink, good_sink) = match (list, writes) {
        (true, _) => (
            "let cells = repeated(0, 10)\n  cells[data] = 1",
            "let cells = repeated(0, 10)\n  if data >= 0 and data < 10 { cells[data] = 1 }",
        ),
        (false, true) => (
            "scope {\n    let cells = allocate(80).view[int]()\n    cells[data] = 1\n  }",
            "scope {\n    let cells = allocate(80).view[int]()\n    if data >= 0 and data < 10 { cells[data] = 1 }\n  }",
        ),
        (false, false) => (
            "scope {\n    let cells = allocate(80).view[int]()\n    print(cells[data])\n  }",
            "scope {\n    let cells = allocate(80).view[int]()\n    if data >= 0 and data < 10 { print(cells[data]) }\n  }",
        ),
    };
    Flaw {
        cwe,
        variant,
        data: Data::Plain,
        ty: "int",
        before: "",
        value: "0",
        declarations: "",
        bad_declarations: "",
        assigns: true,
        bad_source,
        good_source: Some("data = 7"),
        bad_sink,
        good_sink: Some(good_sink),
        bad: Verdict::stopped(if list { &["R0003"] } else { &["R0011"] }),
        flows: Flows::All,
    }
}

/// `data` is a part of memory that is large enough, or is not.
fn sized(cwe: &'static str, variant: &'static str) -> Flaw {
    Flaw {
        cwe,
        variant,
        data: Data::Scope,
        ty: "View[int]",
        before: "let memory = allocate(800)",
        value: "memory.view[int]()",
        declarations: "",
        bad_declarations: "",
        assigns: true,
        bad_source: "",
        good_source: None,
        bad_sink: "",
        good_sink: None,
        bad: Verdict::Accepted,
        flows: Flows::All,
    }
}

fn optional(variant: &'static str, ty: &'static str) -> Flaw {
    Flaw {
        cwe: "CWE476_NULL_Pointer_Dereference",
        variant,
        ty,
        data: Data::Plain,
        before: "",
        flows: Flows::NoReturns,
        ..sized("", "")
    }
}
