//! A program that someone else's test suite is about, and what must become of it.

/// What becomes of a program.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Verdict {
    /// It compiles, and runs to its end.
    Accepted,
    /// The compiler refuses it, for one of these reasons.
    Refused(Vec<String>),
    /// It compiles, and its run stops with one of these errors.
    Stopped(Vec<String>),
    /// It compiles, runs to its end, and `--leaks` says what was never freed.
    Leaks,
}

impl Verdict {
    pub fn refused(codes: &[&str]) -> Self {
        Self::Refused(codes.iter().map(|code| (*code).to_owned()).collect())
    }

    pub fn stopped(codes: &[&str]) -> Self {
        Self::Stopped(codes.iter().map(|code| (*code).to_owned()).collect())
    }

    pub fn is_bad(&self) -> bool {
        *self != Self::Accepted
    }

    /// Whether the expectation is met by what was seen: one of the expected codes is there.
    pub fn is_met_by(&self, seen: &Verdict) -> bool {
        match (self, seen) {
            (Self::Accepted, Self::Accepted) | (Self::Leaks, Self::Leaks) => true,
            (Self::Refused(wanted), Self::Refused(codes))
            | (Self::Stopped(wanted), Self::Stopped(codes)) => {
                codes.iter().any(|code| wanted.contains(code))
            }
            _ => false,
        }
    }
}

#[derive(Clone, Debug)]
pub struct Case {
    /// Whose test it is: one row of the table.
    pub family: &'static str,
    /// The original's file, and which of its cases.
    pub name: String,
    /// Name and text.
    pub files: Vec<(String, String)>,
    pub expected: Verdict,
    /// Whether it is run when the compiler accepts it.
    pub runs: bool,
}

/// Reads cases that stand in one file: a line `== NAME | VERDICT` and the program behind it. The verdict is `accepted`,
/// `refused CODE…` or `stopped CODE…`. Lines in front of the first case are a comment.
pub fn read(family: &'static str, text: &str) -> Vec<Case> {
    let mut cases = vec![];
    for part in text.split("\n== ").skip(1) {
        let (head, program) = part.split_once('\n').expect("a program behind the name");
        let (name, verdict) = head.split_once(" | ").unwrap_or_else(|| panic!("a verdict: {head}"));
        let mut words = verdict.split_whitespace();
        let kind = words.next();
        let codes: Vec<String> = words.map(str::to_owned).collect();
        let expected = match kind {
            Some("accepted") if codes.is_empty() => Verdict::Accepted,
            Some("refused") if !codes.is_empty() => Verdict::Refused(codes),
            Some("stopped") if !codes.is_empty() => Verdict::Stopped(codes),
            _ => panic!("`{verdict}` is no verdict"),
        };
        let files = vec![("case.medi".to_owned(), program.to_owned())];
        cases.push(Case { family, name: name.to_owned(), files, expected, runs: true });
    }
    cases
}
