//! The same stores as main.medi, measured in the same way, without a collector: each event and array is freed when it is replaced.

use std::env;
use std::time::Instant;

const EVENTS_OF_A_PATIENT: usize = 8;
const CHURN_BATCH: usize = 64;
const ARRAY_BYTES: usize = 1024;

fn main() {
    let args: Vec<String> = env::args().collect();
    let number = |at: usize| args[at].parse::<usize>().expect("a number");
    let (size, operations) = (number(2), number(3));
    if args[1] == "churn" {
        let mut events = Churn::filled(size);
        measure(|| events.batch(), CHURN_BATCH, operations);
        println!("checksum {}", events.checksum);
    } else {
        let mut arrays = Window::filled(size);
        measure(|| arrays.push(), 1, operations);
        println!("checksum {}", arrays.checksum);
    }
}

// ---- churn ----

#[allow(dead_code)]
struct Event {
    time: i64,
    code: i64,
    value: f64,
    next: Option<Box<Event>>,
}

struct Churn {
    patients: Vec<Option<Box<Event>>>,
    time: i64,
    random: u32,
    checksum: i64,
}

impl Churn {
    fn filled(events: usize) -> Churn {
        let count = events / EVENTS_OF_A_PATIENT;
        let patients = (0..count).map(|_| None).collect();
        let mut churn = Churn { patients, time: 0, random: 2463534242, checksum: 0 };
        for _ in 0..EVENTS_OF_A_PATIENT {
            for i in 0..count {
                let drawn = churn.draw();
                let next = churn.patients[i].take();
                churn.patients[i] = Some(churn.event(drawn, next));
            }
        }
        churn
    }

    fn event(&mut self, drawn: u32, next: Option<Box<Event>>) -> Box<Event> {
        self.time += 1;
        let code = i64::from(drawn & 65535);
        Box::new(Event { time: self.time, code, value: code as f64 * 0.5, next })
    }

    fn batch(&mut self) {
        for _ in 0..CHURN_BATCH {
            self.replace();
        }
    }

    fn replace(&mut self) {
        let drawn = self.draw();
        let slot = (drawn >> 1) as usize % (self.patients.len() * EVENTS_OF_A_PATIENT);
        let (patient, position) = (slot / EVENTS_OF_A_PATIENT, slot % EVENTS_OF_A_PATIENT);
        let mut new = self.event(drawn, None);
        let mut link = &mut self.patients[patient];
        for _ in 0..position {
            link = &mut link.as_mut().expect("eight events").next;
        }
        let mut old = link.take().expect("eight events");
        new.next = old.next.take();
        *link = Some(new);
        self.checksum += old.code;
    }

    /// The next number of Marsaglia's xorshift with 32 bits.
    fn draw(&mut self) -> u32 {
        let mut x = self.random;
        x ^= x << 13;
        x ^= x >> 17;
        x ^= x << 5;
        self.random = x;
        x
    }
}

// ---- window ----

struct Window {
    ring: Vec<Box<[u8]>>,
    pushed: usize,
    checksum: usize,
}

impl Window {
    fn filled(arrays: usize) -> Window {
        let mut window = Window { ring: Vec::with_capacity(arrays), pushed: 0, checksum: 0 };
        for _ in 0..arrays {
            let array = window.array();
            window.ring.push(array);
        }
        window
    }

    fn array(&mut self) -> Box<[u8]> {
        self.pushed += 1;
        vec![self.pushed as u8; ARRAY_BYTES].into_boxed_slice()
    }

    fn push(&mut self) {
        let oldest = self.pushed % self.ring.len();
        self.checksum += usize::from(self.ring[oldest][ARRAY_BYTES - 1]);
        self.ring[oldest] = self.array();
    }
}

// ---- measuring ----

fn measure(mut batch: impl FnMut(), batch_len: usize, operations: usize) {
    if operations == 0 {
        return;
    }
    let batches = operations / batch_len;
    let (mut warm_up, mut latencies) = (Latencies::new(), Latencies::new());
    warm_up.time(&mut batch, batches / 4);
    let started = Instant::now();
    latencies.time(&mut batch, batches);
    let elapsed = started.elapsed();
    println!("operations {}\nnanoseconds {}", batches * batch_len, elapsed.as_nanos());
    latencies.show();
}

struct Latencies {
    counts: [u64; 2048],
    longest: u64,
}

impl Latencies {
    fn new() -> Latencies {
        Latencies { counts: [0; 2048], longest: 0 }
    }

    fn time(&mut self, batch: &mut impl FnMut(), batches: usize) {
        let mut last = Instant::now();
        for _ in 0..batches {
            batch();
            let now = Instant::now();
            self.add((now - last).as_nanos() as u64);
            last = now;
        }
    }

    fn add(&mut self, duration: u64) {
        self.longest = self.longest.max(duration);
        let (mut rest, mut bucket) = (duration, 0);
        while rest >= 64 {
            rest >>= 1;
            bucket += 32;
        }
        self.counts[bucket + rest as usize] += 1;
    }

    fn show(&self) {
        println!("longest {}", self.longest);
        for (bucket, count) in self.counts.iter().enumerate().filter(|(_, count)| **count > 0) {
            println!("bucket {bucket} {count}");
        }
    }
}
