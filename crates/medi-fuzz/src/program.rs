//! Programs as trees of lines, so that statements can be taken out of them.

use std::fmt::Write;

/// What each program may use: its types.
pub const DECLARATIONS: &str = "\
record Node { value: int, next: own Node?, data: list[int], view: View[int]?, act: (func() -> int)? }
record Leaf { value: int, data: list[int] }
record Cell { value: int, next: Shared[Cell]?, back: Weak[Cell]?, view: View[int]? }
record Holder { view: View[int]?, node: own Node?, data: list[int] }
enum Slot { Empty, Full(view: View[int]) }
record Box { acts: list[func() -> int], data: list[int] }
";

#[derive(Clone, PartialEq, Debug)]
pub enum Line {
    Plain(String),
    /// Parts in braces, each behind its head: `if c {` … `} else {` … `}`.
    Block {
        parts: Vec<(String, Vec<Line>)>,
        end: String,
    },
}

/// One program of a file: the function that is run first takes an `int`, whose bits decide its branches, and gives one.
#[derive(Clone, PartialEq, Debug)]
pub struct Program {
    /// Names begin with it.
    pub prefix: String,
    /// The first one is run; each is a block.
    pub functions: Vec<Line>,
}

fn write_lines(lines: &[Line], indent: usize, text: &mut String) {
    for line in lines {
        write_line(line, indent, text);
    }
}

fn write_line(line: &Line, indent: usize, text: &mut String) {
    let done = match line {
        Line::Plain(line) => writeln!(text, "{:indent$}{line}", ""),
        Line::Block { parts, end } => {
            for (index, (head, body)) in parts.iter().enumerate() {
                if index == 0 {
                    let _ = writeln!(text, "{:indent$}{head}{{", "");
                } else {
                    let _ = writeln!(text, "{:indent$}}} {head}{{", "");
                }
                write_lines(body, indent + 2, text);
            }
            writeln!(text, "{:indent$}}}{end}", "")
        }
    };
    done.expect("a string takes what is written");
}

impl Program {
    pub fn entry(&self) -> &str {
        &self.prefix
    }

    /// Without the declarations.
    pub fn write(&self, text: &mut String) {
        write_lines(&self.functions, 0, text);
    }

    /// Without the functions that the first one does not come to.
    pub fn reached(&self) -> Program {
        let texts = self.functions.iter().map(|function| {
            let mut text = String::new();
            write_line(function, 0, &mut text);
            text
        });
        let texts: Vec<String> = texts.collect();
        let name = |at: usize| texts[at][5..].split('(').next().unwrap_or_default();
        let mut reached = vec![0];
        let mut next = 0;
        while let Some(at) = reached.get(next).copied() {
            next += 1;
            for other in 1..texts.len() {
                let called = texts[at].contains(&format!("{}(", name(other)));
                if called && !reached.contains(&other) {
                    reached.push(other);
                }
            }
        }
        reached.sort_unstable();
        let functions = reached.iter().map(|at| self.functions[*at].clone()).collect();
        Program { functions, ..self.clone() }
    }

    /// The whole file of one program, whose `main` prints what it gives for each input.
    pub fn file(&self, inputs: &[i64]) -> String {
        let mut text = DECLARATIONS.to_owned();
        self.write(&mut text);
        let calls = inputs.iter().map(|input| format!("  print({}({input}))\n", self.entry()));
        let _ = write!(text, "\nfunc main() {{\n{}}}\n", calls.collect::<String>());
        text
    }

    /// Each program that is smaller by one statement, or by the braces around some.
    pub fn smaller(&self) -> Vec<Program> {
        let mut found = vec![];
        for count in (0..self.functions.len()).rev() {
            for lines in less(&self.functions[count]) {
                let mut program = self.clone();
                match <[Line; 1]>::try_from(lines) {
                    Ok([function]) => program.functions[count] = function,
                    Err(_) => continue,
                }
                found.push(program);
            }
            if count > 0 {
                let mut program = self.clone();
                program.functions.remove(count);
                found.push(program);
            }
        }
        found.sort_by_key(Program::lines);
        found
    }

    pub fn lines(&self) -> usize {
        self.functions.iter().map(count).sum()
    }
}

fn count(line: &Line) -> usize {
    match line {
        Line::Plain(_) => 1,
        Line::Block { parts, .. } => {
            1 + parts.iter().flat_map(|(_, body)| body).map(count).sum::<usize>()
        }
    }
}

/// What may stand in the place of a line.
fn less(line: &Line) -> Vec<Vec<Line>> {
    let Line::Block { parts, end } = line else { return vec![] };
    let mut found = vec![];
    for (index, (head, body)) in parts.iter().enumerate() {
        let mut put = |body: Vec<Line>| {
            let mut parts = parts.clone();
            parts[index] = (head.clone(), body);
            found.push(vec![Line::Block { parts, end: end.clone() }]);
        };
        for at in 0..body.len() {
            let with = |lines: &[Line]| [&body[..at], lines, &body[at + 1..]].concat();
            put(with(&[]));
            if let Line::Block { parts, .. } = &body[at] {
                parts.iter().for_each(|(_, inner)| put(with(inner)));
                if parts.len() > 1 {
                    let first = Line::Block { parts: parts[..1].to_vec(), end: String::new() };
                    put(with(&[first]));
                }
            }
            less(&body[at]).iter().for_each(|lines| put(with(lines)));
        }
        // Two halves at once, where there is much.
        if body.len() > 4 {
            put(body[..body.len() / 2].to_vec());
            put(body[body.len() / 2..].to_vec());
        }
    }
    found
}
