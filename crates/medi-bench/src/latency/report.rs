//! Tables for people: medians of the rounds, and pauses against size.

use std::time::Duration;

use crate::latency::program::Latencies;
use crate::latency::{Group, Run};
use crate::measure::median;

/// What the rounds of one contender gave.
#[derive(Default)]
pub struct Rounds {
    runs: Vec<Run>,
    failures: Vec<String>,
}

/// One contender under one limit, for the curves; nanoseconds.
pub struct Point {
    pub title: &'static str,
    /// The limit, as a multiple of what is live.
    pub factor: Option<f64>,
    pub longest_pause: Option<u64>,
    pub worst: Option<u64>,
}

impl Rounds {
    pub fn add(&mut self, outcome: Result<Run, String>) {
        match outcome {
            Ok(run) => self.runs.push(run),
            Err(reason) => self.failures.push(reason),
        }
    }

    /// The median of what the runs give; `None` unless all give it.
    fn median<T: Copy + PartialOrd>(&self, value: impl Fn(&Run) -> Option<T>) -> Option<T> {
        let values: Option<Vec<T>> = self.runs.iter().map(value).collect();
        values.filter(|values| !values.is_empty()).map(|values| median(&values))
    }

    fn latency(&self, value: impl Fn(&Latencies) -> u64) -> Option<u64> {
        self.median(|run| run.measured.as_ref().map(|measured| value(&measured.latencies)))
    }

    fn longest_pause(&self) -> Option<u64> {
        self.median(|run| run.collector.pauses.map(|pauses| pauses.longest))
    }

    /// Waits for memory, as far as the runtime tells: how many, the longest or else the sum, and full collections.
    fn stalls(&self) -> String {
        let count = self.median(|run| run.collector.stalls.count);
        let longest = self.median(|run| run.collector.stalls.longest);
        let total = self.median(|run| run.collector.stalls.total);
        let mut text = match (count, longest, total) {
            (None | Some(0), _, None | Some(0)) if count.or(total).is_some() => "0".into(),
            (Some(count), Some(longest), _) => format!("{count}, <= {}", time(longest)),
            (_, _, Some(total)) => format!("{} in all", time(total)),
            _ => String::new(),
        };
        if let Some(full) = self.median(|run| run.collector.fallbacks).filter(|full| *full > 0) {
            let comma = if text.is_empty() { "" } else { ", " };
            text = format!("{text}{comma}{full} full");
        }
        if text.is_empty() { "-".into() } else { text }
    }

    fn row(&self, title: &str, limit: Option<u64>) -> Vec<String> {
        let mut row = vec![title.to_string(), limit.map_or("-".into(), show_bytes)];
        if self.runs.is_empty() {
            row.push(self.failures.first().cloned().unwrap_or_default());
            return row;
        }
        let shown = |duration: Option<u64>| duration.map_or("-".into(), time);
        let cost = |value: fn(&Run) -> f64| self.median(|run| Some(value(run))).unwrap_or(0.0);
        let rate = self.median(|run| Some(run.measured.as_ref()?.rate()));
        row.extend([
            shown(self.longest_pause()),
            shown(self.latency(Latencies::longest)),
            shown(self.latency(|latencies| latencies.at(0.9999))),
            shown(self.latency(|latencies| latencies.at(0.5))),
            rate.map_or("-".into(), |rate| format!("{:.3}", rate / 1e6)),
            format!("{:.2}", cost(|run| run.watched.cost.cpu.as_secs_f64())),
            format!("{:.2}", cost(|run| run.watched.cost.wall.as_secs_f64())),
            show_bytes(cost(|run| run.watched.cost.peak_rss as f64) as u64),
            time(cost(|run| run.watched.hiccup.as_nanos() as f64) as u64),
            time(cost(|run| run.watched.stolen.as_nanos() as f64) as u64),
            self.stalls(),
        ]);
        if let Some(reason) = self.failures.first() {
            let all = self.failures.len() + self.runs.len();
            row.push(format!("{} of {all} failed: {reason}", self.failures.len()));
        }
        row
    }
}

/// Prints a group's table, the idle thread first, and gives its points.
pub fn table(group: &Group, results: &[Rounds], idle: &[Latencies]) -> Vec<Point> {
    let header = [
        "contender",
        "limit",
        "pause",
        "worst",
        "p99.99",
        "p50",
        "M/s",
        "CPU s",
        "wall s",
        "peak",
        "hiccup",
        "stolen",
        "stalls",
    ];
    let mut rows = vec![header.map(String::from).to_vec()];
    if !idle.is_empty() {
        let figure = |value: fn(&Latencies) -> u64| {
            time(median(&idle.iter().map(value).collect::<Vec<_>>()))
        };
        rows.push(vec![
            "(idle thread)".into(),
            "-".into(),
            "-".into(),
            figure(Latencies::longest),
            figure(|latencies| latencies.at(0.9999)),
            figure(|latencies| latencies.at(0.5)),
        ]);
    }
    let mut points = vec![];
    for (index, rounds) in results.iter().enumerate() {
        let (title, limit) = (group.contenders[index].runtime.title, group.limits[index]);
        rows.push(rounds.row(title, limit.map(|limit| limit.bytes)));
        points.push(Point {
            title,
            factor: group.name["limit_factor"].as_f64(),
            longest_pause: rounds.longest_pause(),
            worst: rounds.latency(Latencies::longest),
        });
    }
    print(&rows);
    points
}

/// Prints pauses and worst batches against the size of the store: one table for each limit and figure, one line for each
/// runtime.
pub fn curves(points: &[(u64, Point)]) {
    let mut factors: Vec<Option<f64>> = vec![];
    let (mut titles, mut sizes) = (vec![], vec![]);
    for (size, point) in points {
        if !factors.contains(&point.factor) {
            factors.push(point.factor);
        }
        if !titles.contains(&point.title) {
            titles.push(point.title);
        }
        if !sizes.contains(size) {
            sizes.push(*size);
        }
    }
    type Of = fn(&Point) -> Option<u64>;
    let longest_pause: Of = |point| point.longest_pause;
    let worst: Of = |point| point.worst;
    let figures = [("longest pause", longest_pause), ("worst batch of operations", worst)];
    for factor in factors {
        for (name, figure) in figures {
            println!("\n{name} against size, limit {} x what is live", factor.unwrap_or(0.0));
            let mut header = vec!["contender".to_string()];
            header.extend(sizes.iter().map(|size| show_bytes(*size)));
            let mut rows = vec![header];
            for title in &titles {
                let at = |size: &u64| {
                    let of = |(s, p): &&(u64, Point)| {
                        s == size && p.title == *title && p.factor == factor
                    };
                    let point = points.iter().find(of);
                    point.and_then(|(_, point)| figure(point)).map_or("-".into(), time)
                };
                let mut row = vec![title.to_string()];
                row.extend(sizes.iter().map(at));
                rows.push(row);
            }
            print(&rows);
        }
    }
}

/// Columns as wide as what is in them, the first to the left and the others to the right. What a row has beyond the header, or last, is
/// text.
fn print(rows: &[Vec<String>]) {
    let columns = rows[0].len();
    let width = |column: usize| {
        let cells = rows.iter().filter(|row| row.len() > column + 1 || row.len() >= columns);
        cells.filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..columns).map(width).collect();
    for row in rows {
        let mut line = String::new();
        for (column, cell) in row.iter().enumerate() {
            let width = widths.get(column).copied().unwrap_or(0);
            line += &match column {
                0 => format!("{cell:<width$}"),
                _ => format!("  {cell:>width$}"),
            };
        }
        println!("{line}");
    }
}

/// Nanoseconds in a unit that a person would use.
fn time(ns: u64) -> String {
    let duration = Duration::from_nanos(ns);
    match ns {
        0 => "0".into(),
        1..1_000 => format!("{ns} ns"),
        1_000..1_000_000 => format!("{:.1} us", ns as f64 / 1e3),
        1_000_000..1_000_000_000 => format!("{:.2} ms", ns as f64 / 1e6),
        _ => format!("{:.2} s", duration.as_secs_f64()),
    }
}

pub fn show_bytes(bytes: u64) -> String {
    match bytes {
        0..1_048_576 => format!("{} KiB", bytes >> 10),
        1_048_576..10_737_418_240 => format!("{} MiB", bytes >> 20),
        _ => format!("{:.1} GiB", bytes as f64 / (1u64 << 30) as f64),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_and_sizes_read_as_people_write_them() {
        let times = [0, 12, 1500, 2_500_000, 3_000_000_000].map(time);
        assert_eq!(times, ["0", "12 ns", "1.5 us", "2.50 ms", "3.00 s"]);
        assert_eq!([5 << 10, 64 << 20, 12 << 30].map(show_bytes), ["5 KiB", "64 MiB", "12.0 GiB"]);
    }
}
