//! A sample of the allocations that are still live, by place of allocation.
//!
//! Each thread lets an exponentially distributed number of bytes pass between two samples, so the chance
//! that an object is sampled depends on its size only: `1 - exp(-size / mean)`. Weighing each sampled
//! object by `size / chance` makes the sum over a site an unbiased estimate of its live bytes (tcmalloc's
//! method). Samples of dead objects are dropped at the end of each collection.

use std::cell::Cell;
use std::collections::HashMap;

use crate::types::TypeId;

/// What is held from one allocation site, estimated from samples.
#[derive(Clone, Debug, PartialEq)]
pub struct SiteUse {
    /// The site, as [`crate::Embedder::allocation_site`] named it.
    pub site: u32,
    /// What is allocated there.
    pub type_id: TypeId,
    /// The name that the type was registered with.
    pub name: String,
    /// Estimated live bytes.
    pub bytes_estimate: u64,
    /// How many samples the estimate rests on; under five, take it as a hint.
    pub samples: u64,
}

/// One sampled allocation.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sample {
    pub address: usize,
    pub type_id: TypeId,
    pub site: u32,
    pub bytes: usize,
}

/// Decides which allocations of a thread are sampled.
pub(crate) struct Sampler {
    mean: f64,
    /// Bytes to pass before the next sample.
    countdown: Cell<u64>,
    random: Cell<u64>,
}

impl Sampler {
    /// A sampler with the given mean distance in bytes; 0 means never.
    pub fn new(mean: u64, seed: u64) -> Sampler {
        let sampler = Sampler {
            mean: mean as f64,
            countdown: Cell::new(u64::MAX),
            random: Cell::new(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1),
        };
        sampler.draw();
        sampler
    }

    /// Bytes that may be allocated before a sample is due.
    pub fn countdown(&self) -> u64 {
        self.countdown.get()
    }

    /// Lets `bytes` pass that were not sampled.
    pub fn pass(&self, bytes: u64) {
        if self.countdown.get() != u64::MAX {
            self.countdown.set(self.countdown.get().saturating_sub(bytes));
        }
    }

    /// Whether an object of `bytes` that is allocated now is sampled; draws anew when it is.
    pub fn takes(&self, bytes: u64) -> bool {
        if self.countdown.get() >= bytes {
            return false;
        }
        self.draw();
        true
    }

    fn draw(&self) {
        if self.mean == 0.0 {
            return;
        }
        let mut x = self.random.get();
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
        self.random.set(x);
        let uniform = ((x >> 11) + 1) as f64 / (1u64 << 53) as f64;
        self.countdown.set((-uniform.ln() * self.mean) as u64);
    }
}

/// Adds samples up by site and type, largest first.
pub(crate) fn by_site(
    samples: &[Sample],
    mean: u64,
    name: impl Fn(TypeId) -> String,
) -> Vec<SiteUse> {
    let mut sums: HashMap<(u32, TypeId), (f64, u64)> = HashMap::new();
    for sample in samples {
        let bytes = sample.bytes as f64;
        let chance = -f64::exp_m1(-bytes / mean as f64);
        let sum = sums.entry((sample.site, sample.type_id)).or_default();
        sum.0 += bytes / chance;
        sum.1 += 1;
    }
    let mut sites: Vec<_> = sums
        .into_iter()
        .map(|((site, type_id), (bytes, samples))| SiteUse {
            site,
            type_id,
            name: name(type_id),
            bytes_estimate: bytes as u64,
            samples,
        })
        .collect();
    sites.sort_by_key(|s| (std::cmp::Reverse(s.bytes_estimate), s.site, s.type_id));
    sites
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn estimates_are_near_the_truth_for_small_and_for_large_objects() {
        let mean = 4096;
        for (bytes, objects) in [(32u64, 400_000u64), (3000, 20_000), (100_000, 500)] {
            let sampler = Sampler::new(mean, 7);
            let mut samples = Vec::new();
            for _ in 0..objects {
                if sampler.takes(bytes) {
                    let sample =
                        Sample { address: 0, type_id: TypeId(0), site: 1, bytes: bytes as usize };
                    samples.push(sample);
                } else {
                    sampler.pass(bytes);
                }
            }
            let estimate = by_site(&samples, mean, |_| String::new())[0].bytes_estimate as f64;
            let truth = (bytes * objects) as f64;
            let sigma = truth / (samples.len() as f64).sqrt();
            assert!((estimate - truth).abs() < 4.0 * sigma, "{bytes}: {estimate} for {truth}");
        }
    }

    #[test]
    fn a_mean_of_zero_samples_nothing() {
        assert!(!Sampler::new(0, 1).takes(1 << 40));
    }
}
