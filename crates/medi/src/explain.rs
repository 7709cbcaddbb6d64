//! `medi explain`: the long text behind the code of an error.

use medi_syntax::codes::{self, Code};

use crate::exit;

/// Explains one code, or lists them all; gives the exit code.
pub fn explain(code: Option<&str>) -> u8 {
    let Some(name) = code else {
        for Code { code, title, .. } in codes::all() {
            println!("{code}  {title}");
        }
        return exit::SUCCESS;
    };
    match codes::explain(name) {
        Some(Code { code, title, explanation }) => {
            println!("{code}: {title}\n\n{}", explanation.trim());
            exit::SUCCESS
        }
        None => {
            eprintln!("error: there is no code `{name}`");
            match codes::closest(name) {
                Some(near) => eprintln!("  = help: did you mean {}: {}?", near.code, near.title),
                None => eprintln!("  = help: `medi explain` without a code lists them all"),
            }
            exit::USAGE
        }
    }
}
