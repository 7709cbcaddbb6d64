//! How often verdicts are right, by family.

use std::collections::BTreeMap;

use crate::case::{Case, Verdict};
use crate::judge::Seen;

#[derive(Default)]
struct Row {
    bad: usize,
    refused: usize,
    stopped: usize,
    good: usize,
    rejected: usize,
}

fn percent(part: usize, whole: usize) -> String {
    match whole {
        0 => "–".to_owned(),
        _ => format!("{:.1} %", 100.0 * part as f64 / whole as f64),
    }
}

impl Row {
    fn add(&mut self, other: &Row) {
        self.bad += other.bad;
        self.refused += other.refused;
        self.stopped += other.stopped;
        self.good += other.good;
        self.rejected += other.rejected;
    }

    fn line(&self, name: &str) -> String {
        let caught = self.refused + self.stopped;
        format!(
            "| {name} | {} | {} | {} | {} | {} | {} | {} | {} |\n",
            self.bad,
            self.refused,
            self.stopped,
            self.bad - caught,
            percent(caught, self.bad),
            self.good,
            self.rejected,
            percent(caught, caught + self.rejected),
        )
    }
}

/// Markdown. A bad program counts as caught when it is refused, or stopped, for an expected reason.
pub fn table(cases: &[Case], seen: &[Seen]) -> String {
    let mut rows: BTreeMap<&str, Row> = BTreeMap::new();
    for (case, seen) in cases.iter().zip(seen) {
        let row = rows.entry(case.family).or_default();
        let met = case.expected.is_met_by(&seen.verdict);
        if !case.expected.is_bad() {
            row.good += 1;
            row.rejected += usize::from(!met);
            continue;
        }
        row.bad += 1;
        match &seen.verdict {
            Verdict::Refused(_) => row.refused += usize::from(met),
            Verdict::Stopped(_) | Verdict::Leaks => row.stopped += usize::from(met),
            Verdict::Accepted => {}
        }
    }
    let mut text =
        "| family | bad | refused | by a run | missed | recall | good | rejected | precision |\n"
            .to_owned();
    text.push_str("| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |\n");
    let mut all = Row::default();
    for (name, row) in &rows {
        text.push_str(&row.line(name));
        all.add(row);
    }
    text + &all.line("all")
}
