//! A scope that allocates a few buffers, touches and frees them, beside `Vec`: nanoseconds for each buffer.

use std::hint::black_box;
use std::time::Instant;

use medi_region::{Options, Scopes, Unlimited};

const ROUNDS: u64 = 20_000;
const BUFFERS: u64 = 8;

fn per_buffer(mut round: impl FnMut()) -> f64 {
    for _ in 0..ROUNDS / 10 {
        round();
    }
    let start = Instant::now();
    for _ in 0..ROUNDS {
        round();
    }
    start.elapsed().as_nanos() as f64 / (ROUNDS * BUFFERS) as f64
}

fn main() {
    println!("{:>9}  {:>9}  {:>9}", "bytes", "scope ns", "Vec ns");
    for size in [64u64, 1 << 10, 16 << 10, 256 << 10] {
        let mut scopes = Scopes::new(Unlimited, Options::default());
        let scope = per_buffer(|| {
            scopes.enter();
            for _ in 0..BUFFERS {
                let buffer = scopes.allocate(size, 0).expect("memory for a bench");
                // SAFETY: the buffer lives and has at least one byte.
                unsafe { *((*buffer.descriptor).base() as *mut u8) = 1 };
                black_box(&buffer);
            }
            scopes.exit(0);
        });
        let vec = per_buffer(|| {
            let mut buffers = Vec::new();
            for _ in 0..BUFFERS {
                let mut buffer = vec![0u8; size as usize];
                buffer[0] = 1;
                buffers.push(black_box(buffer));
            }
            black_box(&buffers);
        });
        println!("{size:>9}  {scope:>9.1}  {vec:>9.1}");
    }
}
