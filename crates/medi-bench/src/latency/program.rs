//! What a program in `bench/latency` says of its own run: how much it did, and how long each batch of operations took.

use std::fmt;

use serde_json::{Value, json};

/// Buckets of a program's histogram that share a power of two.
const BUCKETS_OF_A_DOUBLING: usize = 32;

/// A program's own account. A line is a name and a number, or `bucket NUMBER COUNT`; other lines are the runtime's.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Account {
    pub checksum: Option<u64>,
    /// Bytes that the store takes; printed when there is nothing else to do.
    pub live: Option<u64>,
    pub measured: Option<Measured>,
}

/// Durations in nanoseconds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Measured {
    pub operations: u64,
    pub nanoseconds: u64,
    pub latencies: Latencies,
}

/// How often each duration was seen.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Latencies {
    counts: Vec<u64>,
    longest: u64,
}

impl Account {
    pub fn read(output: &str) -> Account {
        let mut account = Account::default();
        let mut measured = Measured::default();
        for line in output.lines() {
            let words: Vec<&str> = line.split(' ').collect();
            let numbers: Option<Vec<u64>> =
                words[1..].iter().map(|word| word.parse().ok()).collect();
            match (words[0], numbers.as_deref()) {
                ("checksum", Some(&[sum])) => account.checksum = Some(sum),
                ("live", Some(&[bytes])) => account.live = Some(bytes),
                ("operations", Some(&[count])) => measured.operations = count,
                ("nanoseconds", Some(&[elapsed])) => measured.nanoseconds = elapsed,
                ("longest", Some(&[longest])) => measured.latencies.longest = longest,
                ("bucket", Some(&[bucket, count])) => {
                    measured.latencies.set(bucket as usize, count);
                }
                _ => {}
            }
        }
        account.measured = (measured.nanoseconds > 0).then_some(measured);
        account
    }
}

impl Measured {
    pub fn rate(&self) -> f64 {
        self.operations as f64 / (self.nanoseconds as f64 / 1e9)
    }

    pub fn json(&self) -> Value {
        json!({
            "operations": self.operations,
            "elapsed_ns": self.nanoseconds,
            "operations_per_s": self.rate(),
            "latency_ns": self.latencies.json(),
        })
    }
}

impl Latencies {
    pub fn json(&self) -> Value {
        json!({
            "p50": self.at(0.5), "p99": self.at(0.99), "p99.9": self.at(0.999),
            "p99.99": self.at(0.9999), "longest": self.longest,
        })
    }

    pub fn add(&mut self, duration: u64) {
        let shift = (64 - duration.leading_zeros()).saturating_sub(6) as usize;
        let bucket = BUCKETS_OF_A_DOUBLING * shift + (duration >> shift) as usize;
        let count = self.counts.get(bucket).copied().unwrap_or(0);
        self.set(bucket, count + 1);
        self.longest = self.longest.max(duration);
    }

    fn set(&mut self, bucket: usize, count: u64) {
        if self.counts.len() <= bucket {
            self.counts.resize(bucket + 1, 0);
        }
        self.counts[bucket] = count;
    }

    pub fn longest(&self) -> u64 {
        self.longest
    }

    /// The duration that this share of the batches did not exceed, rounded up to its bucket's end.
    pub fn at(&self, share: f64) -> u64 {
        let total: u64 = self.counts.iter().sum();
        let wanted = (share * total as f64).ceil() as u64;
        let mut seen = 0;
        for (bucket, count) in self.counts.iter().enumerate() {
            seen += count;
            if seen >= wanted {
                return bucket_end(bucket).min(self.longest);
            }
        }
        self.longest
    }
}

/// The longest duration in a bucket.
fn bucket_end(bucket: usize) -> u64 {
    let shift = (bucket / BUCKETS_OF_A_DOUBLING).saturating_sub(1);
    let first = (bucket - BUCKETS_OF_A_DOUBLING * shift) as u64;
    ((first + 1) << shift) - 1
}

impl fmt::Debug for Latencies {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} batches, longest {} ns", self.counts.iter().sum::<u64>(), self.longest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_account_is_read_from_among_other_lines() {
        let output = "[1:0x2] 17 ms: Scavenge\noperations 640\nnanoseconds 1000000000\nlongest 90\nbucket 3 9\nbucket 70 1\nchecksum 12\n";
        let account = Account::read(output);
        assert_eq!((account.checksum, account.live), (Some(12), None));
        let measured = account.measured.unwrap();
        assert_eq!((measured.operations, measured.rate()), (640, 640.0));
        assert_eq!([0.5, 0.9, 0.99].map(|share| measured.latencies.at(share)), [3, 3, 77]);
    }

    #[test]
    fn a_duration_lies_in_its_bucket() {
        for duration in [0, 1, 63, 64, 65, 127, 128, 1000, 54_824_849, u64::MAX >> 20] {
            let mut latencies = Latencies::default();
            latencies.add(duration);
            // The programs find the bucket by halving.
            let (mut rest, mut bucket) = (duration, 0);
            while rest >= 64 {
                (rest, bucket) = (rest >> 1, bucket + 32);
            }
            assert_eq!(latencies.counts[bucket + rest as usize], 1, "{duration}");
            let end = bucket_end(bucket + rest as usize);
            assert!(duration <= end && end <= duration + duration / 32, "{duration} {end}");
        }
    }

    #[test]
    fn a_share_of_nearly_all_is_the_longest_of_few() {
        let mut latencies = Latencies::default();
        for duration in [10, 20, 1_000_003] {
            latencies.add(duration);
        }
        assert_eq!((latencies.at(0.5), latencies.at(0.9999)), (20, 1_000_003));
    }
}
