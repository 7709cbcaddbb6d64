//! `--check=memory` against native functions that misuse the memory they are given, as functions of other languages
//! could. Each case runs in a process of its own, since it ends it.

use std::process::{Command, Output};

use medi_check::mir::*;
use medi_check::types::{Ty, TyId, Types};
use medi_runtime::check::Check;

use crate::build::{Build, Func, int};
use crate::machine::{Setup, natives, run_with};

/// What a native is told to do, and at which byte of a buffer of 100.
struct Case {
    name: &'static str,
    check: Check,
    native: &'static str,
    at: i64,
    /// The buffer has been freed, or its scope has ended, before the native is called.
    before: Before,
}

#[derive(Clone, Copy, PartialEq)]
enum Before {
    Nothing,
    Free,
    Exit,
}

const CASES: &[Case] = &[
    case("read_past_the_end", "test_read_at", 128, Before::Nothing),
    case("write_past_the_end", "test_write_at", 130, Before::Nothing),
    case("write_before_the_start", "test_write_at", -4096, Before::Nothing),
    case("write_close_to_the_end", "test_write_at", 100, Before::Nothing),
    case("read_after_free", "test_read_at", 0, Before::Free),
    case("write_after_exit", "test_write_at", 99, Before::Exit),
    case("inside", "test_write_at", 99, Before::Nothing),
    Case { check: Check::Off, ..case("unchecked", "test_write_at", 110, Before::Nothing) },
];

const fn case(name: &'static str, native: &'static str, at: i64, before: Before) -> Case {
    Case { name, check: Check::Memory, native, at, before }
}

/// ```text
/// func main() -> int {                // line 0
///   scope {                           // 1
///     let b = allocate(100)           // 2
///     let v = b.view[byte]()          // 3
///     // free(b), or the end of the scope
///     work(v)                         // calls the native
///   }
///   return 7
/// }
/// ```
fn program(case: &Case) -> Program {
    let mut build = Build::default();
    let bytes = build.ty(Ty::View(Types::BYTE));
    let params = [NativeParam::Plain(bytes), NativeParam::Plain(INT)];
    let native = build.native(case.native, &params, INT);
    let mut work = Func::new("work", &[bytes], INT);
    let args = vec![work.param(0), int(case.at)];
    let found = work.let_(INT, Rvalue::CallNative { native, args });
    work.ret(found);
    let work = build.add(work);
    let mut main = Func::new("main", &[], INT);
    let scope = main.scope(None);
    main.stmt(StmtKind::ScopeEnter(scope));
    let buffer = main.let_(Types::BUFFER, Rvalue::Allocate { scope, bytes: int(100) });
    let view = Rvalue::MakeView { ty: bytes, buffer: buffer.clone(), offset: int(0), len: int(-1) };
    let view = main.let_(bytes, view);
    match case.before {
        Before::Nothing => {}
        Before::Free => _ = main.stmt(StmtKind::Free(buffer)),
        Before::Exit => _ = main.stmt(StmtKind::ScopeExit(scope)),
    }
    main.let_(INT, Rvalue::Call { function: work, args: vec![view] });
    if case.before != Before::Exit {
        main.stmt(StmtKind::ScopeExit(scope));
    }
    main.ret(int(7));
    build.main(main)
}

const INT: TyId = Types::INT;
const CASE: &str = "MEDI_TEST_MISUSE";

fn misuse(name: &str) -> (Output, String) {
    let this = std::env::current_exe().expect("a test has a path");
    let mut child = Command::new(this);
    child.args(["--exact", "memory_check::native_functions_that_misuse_memory_are_found"]);
    let output = child.arg("--nocapture").env(CASE, name).output().expect("the test starts itself");
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    (output, stderr)
}

#[test]
fn native_functions_that_misuse_memory_are_found() {
    if let Some(name) = std::env::var_os(CASE) {
        let case = CASES.iter().find(|case| name == case.name).expect("a case of this name");
        let mut setup = Setup { check: case.check, ..Setup::default() };
        setup.code.natives = natives::table();
        let answer = run_with(&program(case), &setup);
        match answer.stop {
            Some(_) => eprintln!("{}", answer.error()),
            None => assert_eq!(answer.int(), 7),
        }
        return;
    }
    let expected = [
        (
            "read_past_the_end",
            "something touched memory 29 bytes past the end of a buffer of 100 B\n  \
             at work (test.medi:2:1)\n  at main (test.medi:5:1)\n  \
             = help: the buffer was allocated\n      at main (test.medi:3:1)",
        ),
        (
            "write_past_the_end",
            "something touched memory 31 bytes past the end of a buffer of 100 B",
        ),
        ("write_before_the_start", "something touched memory 4096 bytes before a buffer of 100 B"),
        (
            "write_close_to_the_end",
            "something wrote 1 byte past the end of a buffer of 100 B, as its end shows\n  \
             at main (test.medi:6:1)\n  = help: the buffer was allocated\n      at main (test.medi:3:1)",
        ),
        (
            "read_after_free",
            "something touched a buffer of 100 B after it was freed\n  at work (test.medi:2:1)\n  \
             at main (test.medi:6:1)\n  = help: the buffer was allocated\n      at main (test.medi:3:1)\n    \
             and freed\n      at main (test.medi:5:1)",
        ),
        (
            "write_after_exit",
            "something touched a buffer of 100 B after its scope ended\n  at work (test.medi:2:1)\n  \
             at main (test.medi:6:1)\n  = help: the buffer was allocated\n      at main (test.medi:3:1)\n    \
             and gone with its scope\n      at main (test.medi:5:1)",
        ),
    ];
    for (name, text) in expected {
        let (_, stderr) = misuse(name);
        assert!(stderr.contains(&format!("error[R0019]: {text}")), "{name}: {stderr}");
        assert!(stderr.contains("= help: a native function did this"), "{name}: {stderr}");
    }
    // A byte on the buffer's own last page is seen at its end, where the run can still be stopped in order; what
    // faults ends the process.
    assert_eq!(misuse("read_after_free").0.status.code(), Some(1));
    for name in ["inside", "unchecked"] {
        let (output, stderr) = misuse(name);
        assert!(output.status.success() && !stderr.contains("R0019"), "{name}: {stderr}");
    }
}
