//! The programs of this repository, with the library that ships: each lowers to MIR that keeps its
//! promises.

use std::path::{Path, PathBuf};

use medi_check::{library, mir};

use crate::fixtures::{Library, lower_source};

fn programs(directory: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(directory).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            programs(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "medi") {
            found.push(path);
        }
    }
}

#[test]
fn every_program_of_the_repository_lowers() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let mut found = vec![];
    for directory in ["examples", "bench", "crates/medi/tests/run"] {
        programs(&root.join(directory), &mut found);
    }
    found.sort();
    assert!(!found.is_empty());
    let library = Library { files: library::FILES };
    let mut rejected = vec![];
    let all = found.len();
    for path in found {
        let source = std::fs::read_to_string(&path).expect("it can be read");
        let name = path.display().to_string();
        let lowered = match lower_source(&library, &name, &source) {
            Ok(lowered) => lowered,
            Err(error) => {
                rejected.push(error);
                continue;
            }
        };
        let program = match &lowered.program {
            Ok(program) => program,
            Err(errors) => {
                panic!("{}", medi_syntax::render::human(&lowered.sources, errors, false))
            }
        };
        assert_eq!(mir::validate(program), Vec::<String>::new(), "{name}");
    }
    // Some programs are there to be rejected; what the checker says of them is held elsewhere.
    assert!(rejected.len() < all / 2, "{}", rejected.join("\n"));
}
