//! `medi explain`: the long text behind the code of an error.

use medi_syntax::codes::{self, Code};

use crate::exit;

const PLANNED: &str = "\
This code is planned: no check before running reports it yet. Scope memory is checked while the program runs, with
R0010, R0011 and R0012.";

/// Explains one code, or lists them all; gives the exit code.
pub fn explain(code: Option<&str>) -> u8 {
    let Some(name) = code else {
        for entry in codes::all() {
            let note = if entry.is_planned() { " (planned)" } else { "" };
            println!("{}  {}{note}", entry.code, entry.title);
        }
        return exit::SUCCESS;
    };
    match codes::explain(name) {
        Some(entry) => {
            let Code { code, title, explanation } = entry;
            println!("{code}: {title}\n\n{}", explanation.trim());
            if entry.is_planned() {
                println!("\n{PLANNED}");
            }
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
