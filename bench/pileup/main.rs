//! The peer of `main.medi`: each window's counts are slices of a bump allocator that is reset for the next.
//!
//! `pileup scope SITES ROUNDS`

use bumpalo::Bump;

const WINDOW: usize = 16384;
const COUNTERS: usize = 8;
const SUMS: usize = 12;
const READ: usize = 100;
const COVERAGE: usize = 30;

struct Genome {
    reference: Vec<u8>,
    start: Vec<usize>,
    bases: Vec<u8>,
    qualities: Vec<u8>,
}

/// Logarithms of what a base of each quality says.
struct Tables {
    right: Vec<f64>,
    wrong: Vec<f64>,
    half: Vec<f64>,
}

fn main() {
    let args: Vec<String> = std::env::args().collect();
    assert_eq!(args[1], "scope", "the one way that this peer has");
    let sites: usize = args[2].parse().expect("a number");
    let rounds: usize = args[3].parse().expect("a number");
    let (genome, tables) = (make(sites), make_tables());
    let (mut found, mut total) = (0, 0.0);
    let mut bump = Bump::new();
    for _ in 0..rounds {
        let mut low = 0;
        for from in (0..sites).step_by(WINDOW) {
            let to = (from + WINDOW).min(sites);
            while low < genome.start.len() && genome.start[low] + READ <= from {
                low += 1;
            }
            bump.reset();
            let (places, sum) = window(&bump, &genome, &tables, low, from, to);
            found += places;
            total += sum;
        }
    }
    println!("{found} places, {}", total as i64);
}

/// The next number of Marsaglia's xorshift with 32 bits.
fn draw(random: u32) -> u32 {
    let mut x = random;
    x ^= x << 13;
    x ^= x >> 17;
    x ^ (x << 5)
}

fn make(sites: usize) -> Genome {
    let mut genome = Genome { reference: vec![], start: vec![], bases: vec![], qualities: vec![] };
    let mut random = 2463534242;
    for _ in 0..sites {
        random = draw(random);
        genome.reference.push((random % 4) as u8);
    }
    let reads = sites * COVERAGE / READ;
    for read in 0..reads {
        let start = read * (sites - READ) / reads;
        genome.start.push(start);
        for p in start..start + READ {
            random = draw(random);
            let mut code = genome.reference[p];
            if p % 1009 == 500 && read % 4 < 2 {
                code ^= 1;
            }
            if random % 211 == 0 {
                code ^= 2;
            }
            genome.bases.push(code);
            genome.qualities.push((20 + random % 20) as u8);
        }
    }
    genome
}

fn make_tables() -> Tables {
    let mut tables = Tables { right: vec![], wrong: vec![], half: vec![] };
    for quality in 0..64 {
        let error = 10f64.powf(-f64::from(quality) / 10.0).clamp(0.000001, 0.75);
        tables.right.push((1.0 - error).ln());
        tables.wrong.push((error / 3.0).ln());
        tables.half.push((0.5 * (1.0 - error) + error / 6.0).ln());
    }
    tables
}

fn window(
    bump: &Bump,
    genome: &Genome,
    tables: &Tables,
    low: usize,
    from: usize,
    to: usize,
) -> (u64, f64) {
    let sites = to - from;
    let counts = bump.alloc_slice_fill_copy(sites * COUNTERS, 0i64);
    let sums = bump.alloc_slice_fill_copy(sites * SUMS, 0.0f64);
    let mut read = low;
    while read < genome.start.len() && genome.start[read] < to {
        let start = genome.start[read];
        let strand = read % 2 * 4;
        for p in start.max(from)..(start + READ).min(to) {
            let at = read * READ + p - start;
            let quality = genome.qualities[at] as usize;
            let code = genome.bases[at] as usize;
            counts[(p - from) * COUNTERS + strand + code] += 1;
            let sum = (p - from) * SUMS + code;
            sums[sum] += tables.right[quality];
            sums[sum + 4] += tables.wrong[quality];
            sums[sum + 8] += tables.half[quality];
        }
        read += 1;
    }
    let (mut places, mut total) = (0, 0.0);
    for site in 0..sites {
        let reference = genome.reference[from + site] as usize;
        let (mut depth, mut most, mut alternate) = (0, 0, reference);
        for code in 0..4 {
            let seen = counts[site * COUNTERS + code] + counts[site * COUNTERS + 4 + code];
            depth += seen;
            if code != reference && seen > most {
                (most, alternate) = (seen, code);
            }
        }
        if most * 4 > depth {
            places += 1;
            let sum = site * SUMS;
            total += sums[sum + 8 + alternate] + sums[sum + 8 + reference]
                - sums[sum + reference]
                - sums[sum + 4 + alternate];
        }
    }
    (places, total)
}
