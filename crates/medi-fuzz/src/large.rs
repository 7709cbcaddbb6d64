//! Large programs without errors, to measure how long checking takes.

use std::fmt::Write;

use crate::campaign::{Sample, samples};
use crate::program::{DECLARATIONS, Line, Program};

/// Seeds that are tried together.
const SEEDS: u64 = 50;

/// A program that is accepted, of at least so many lines. Its functions are those of random programs, or where
/// `longest` says so the bodies of many of them, each in a scope, in one function that ends when it is that long.
pub fn program(lines: usize, longest: Option<usize>) -> String {
    let mut large = Large { text: DECLARATIONS.to_owned(), main: String::new(), long: vec![] };
    for from in (0..).step_by(SEEDS as usize) {
        for sample in samples(from..from + SEEDS) {
            if large.text.lines().count() + large.main.lines().count() >= lines {
                return large.finish();
            }
            match longest {
                None => large.add(&sample.program),
                Some(longest) => large.lengthen(&sample, longest),
            }
        }
    }
    unreachable!("seeds do not end")
}

struct Large {
    text: String,
    main: String,
    /// The function that is being made.
    long: Vec<Line>,
}

impl Large {
    fn call(&mut self, function: &str) {
        let _ = writeln!(self.main, "  print({function}(5))");
    }

    fn add(&mut self, program: &Program) {
        program.write(&mut self.text);
        self.call(program.entry());
    }

    fn lengthen(&mut self, sample: &Sample, longest: usize) {
        let (first, helpers) = sample.program.functions.split_first().expect("a program runs");
        let Line::Block { parts, .. } = first else { unreachable!("a function is a block") };
        let mut body = parts[0].1.clone();
        // What comes behind is to run, too.
        body.pop();
        self.long
            .push(Line::Block { parts: vec![("scope ".to_owned(), body)], end: String::new() });
        let helpers = Program { prefix: String::new(), functions: helpers.to_vec() };
        helpers.write(&mut self.text);
        let long = Program { prefix: String::new(), functions: self.long.clone() };
        if long.lines() >= longest {
            self.end_long();
        }
    }

    fn end_long(&mut self) {
        if self.long.is_empty() {
            return;
        }
        let name = format!("long{}", self.main.lines().count());
        let mut body = std::mem::take(&mut self.long);
        body.push(Line::Plain("return 1".to_owned()));
        let head = format!("func {name}(bits: int) -> int ");
        let function = Line::Block { parts: vec![(head, body)], end: String::new() };
        Program { prefix: name.clone(), functions: vec![function] }.write(&mut self.text);
        self.call(&name);
    }

    fn finish(mut self) -> String {
        self.end_long();
        format!("{}\nfunc main() {{\n{}}}\n", self.text, self.main)
    }
}
