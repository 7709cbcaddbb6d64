//! `medi explain`: the long text behind the code of an error.

use std::io::{self, Write};

use medi_syntax::codes::{self, Code};

use crate::exit;

/// Explains one code, or lists them all; gives the exit code.
pub fn explain(code: Option<&str>) -> u8 {
    let Some(name) = code else {
        let line = |entry: &Code| format!("{}  {}\n", entry.code, entry.title);
        return show(&codes::all().map(line).collect::<String>());
    };
    match codes::explain(name) {
        Some(entry) => {
            let Code { code, title, explanation } = entry;
            show(&format!("{code}: {title}\n\n{}\n", explanation.trim()))
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

/// Prints; a reader that goes away has seen enough.
fn show(text: &str) -> u8 {
    match io::stdout().write_all(text.as_bytes()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            eprintln!("error: {error}");
            exit::STOPPED
        }
        _ => exit::SUCCESS,
    }
}
