use std::collections::HashMap;

use rayon::prelude::*;

const PARTS: usize = 32;

fn each<T: Send>(work: impl Fn(usize) -> T + Sync + Send) -> Vec<T> {
    // Each part by itself, as in the other languages.
    (0..PARTS).into_par_iter().with_max_len(1).map(work).collect()
}

fn words(text: &str, rounds: usize) {
    let made = each(|_| {
        let mut counts: HashMap<String, i64> = HashMap::new();
        for _ in 0..rounds / PARTS {
            for word in text.split_ascii_whitespace().map(str::to_string) {
                *counts.entry(word).or_insert(0) += 1;
            }
        }
        counts
    });
    let mut counts: HashMap<String, i64> = HashMap::new();
    for (word, count) in made.into_iter().flatten() {
        *counts.entry(word).or_insert(0) += count;
    }
    println!("{} words, {} in all", counts.len(), counts.values().sum::<i64>());
}

struct Event {
    patient: i64,
    value: i64,
}

#[derive(Default)]
struct Total {
    count: i64,
    sum: i64,
}

fn group(part: usize, count: usize) -> HashMap<i64, Total> {
    let mut events = vec![];
    let mut x = part as i64 + 1;
    for _ in 0..count {
        x = (x * 1_103_515_245 + 12345) % 2_147_483_648;
        events.push(Event { patient: x / 65536 % 5000, value: x % 1000 });
    }
    let mut groups: HashMap<i64, Vec<&Event>> = HashMap::new();
    for event in &events {
        groups.entry(event.patient).or_default().push(event);
    }
    let total = |group: Vec<&Event>| Total {
        count: group.len() as i64,
        sum: group.iter().map(|event| event.value).sum(),
    };
    groups.into_iter().map(|(patient, group)| (patient, total(group))).collect()
}

fn groups(events: usize) {
    let mut totals: HashMap<i64, Total> = HashMap::new();
    for (patient, more) in each(|part| group(part, events / PARTS)).into_iter().flatten() {
        let total = totals.entry(patient).or_default();
        total.count += more.count;
        total.sum += more.sum;
    }
    let count: i64 = totals.values().map(|total| total.count).sum();
    let sum: i64 = totals.values().map(|total| total.sum).sum();
    println!("{} patients, {count} events, sum {sum}", totals.len());
}

struct Tree {
    left: Option<Box<Tree>>,
    right: Option<Box<Tree>>,
}

fn build(depth: u32) -> Tree {
    if depth == 0 {
        return Tree { left: None, right: None };
    }
    Tree { left: Some(Box::new(build(depth - 1))), right: Some(Box::new(build(depth - 1))) }
}

impl Tree {
    fn count(&self) -> i64 {
        let of = |tree: &Option<Box<Tree>>| tree.as_ref().map_or(0, |tree| tree.count());
        1 + of(&self.left) + of(&self.right)
    }
}

fn trees(depth: u32) {
    let counts = each(|_| (0..4).map(|_| build(depth).count()).sum::<i64>());
    println!("{} nodes", counts.iter().sum::<i64>());
}

fn main() {
    let args: Vec<String> = std::env::args().collect();
    match args[1].as_str() {
        "words" => words(&std::fs::read_to_string(&args[2]).unwrap(), args[3].parse().unwrap()),
        "groups" => groups(args[2].parse().unwrap()),
        _ => trees(args[2].parse().unwrap()),
    }
}
