use std::collections::HashMap;

fn main() {
    let args: Vec<String> = std::env::args().collect();
    let text = std::fs::read_to_string(&args[1]).unwrap();
    let mut counts: HashMap<String, i64> = HashMap::new();
    for _ in 0..args[2].parse().unwrap() {
        // The word is copied, as it is in Medi, Python and Java.
        for word in text.split_ascii_whitespace().map(str::to_string) {
            *counts.entry(word).or_insert(0) += 1;
        }
    }
    let mut words: Vec<_> = counts.iter().collect();
    words.sort_by(|a, b| b.1.cmp(a.1).then(a.0.cmp(b.0)));
    println!("{} words", counts.len());
    for (word, count) in words.iter().take(5) {
        println!("{count:>9} {word}");
    }
}
