//! Arithmetic that machine instructions do not do, and random numbers.

use crate::call::Call;
use crate::context::Context;
use crate::error::{RuntimeError, codes};
use crate::value::{Whole, places};

super::table! {
    leaf exp, leaf expm1, leaf log, leaf log1p, leaf log2, leaf log10, leaf sin, leaf cos, leaf tan, leaf asin,
    leaf acos, leaf atan, leaf atan2, leaf sinh, leaf cosh, leaf tanh, leaf cbrt, leaf hypot, leaf trunc,
    leaf floor_float, leaf ceil_float, leaf pow_float, leaf rem_float, call pow_int, leaf is_nan, leaf is_finite,
    leaf float_bits, leaf float_of_bits, leaf random_seed, leaf random_next, leaf random_uniform,
    leaf random_below,
}

macro_rules! of_one_float {
    ($($name:ident => $method:ident),* $(,)?) => {$(
        unsafe extern "C" fn $name(_: *mut Context, x: f64) -> f64 {
            x.$method()
        }
    )*};
}

of_one_float! {
    exp => exp, expm1 => exp_m1, log => ln, log1p => ln_1p, log2 => log2, log10 => log10, sin => sin, cos => cos,
    tan => tan, asin => asin, acos => acos, atan => atan, sinh => sinh, cosh => cosh, tanh => tanh, cbrt => cbrt,
    trunc => trunc, floor_float => floor, ceil_float => ceil,
}

unsafe extern "C" fn atan2(_: *mut Context, y: f64, x: f64) -> f64 {
    y.atan2(x)
}

unsafe extern "C" fn hypot(_: *mut Context, x: f64, y: f64) -> f64 {
    x.hypot(y)
}

/// `a ** b` on floats. A square is common, and one exact multiplication.
unsafe extern "C" fn pow_float(_: *mut Context, a: f64, b: f64) -> f64 {
    if b == 2.0 {
        return a * a;
    }
    a.powf(b)
}

/// `a % b` on floats: the sign is that of `a`.
unsafe extern "C" fn rem_float(_: *mut Context, a: f64, b: f64) -> f64 {
    a % b
}

/// `a ** b` on ints.
unsafe extern "C" fn pow_int(context: *mut Context, a: i64, b: i64) -> i64 {
    let power = match u32::try_from(b) {
        Ok(exponent) => a.checked_pow(exponent),
        // Only the powers of −1, 0 and 1 stay small.
        Err(_) if b > 0 => match a {
            0 | 1 => Some(a),
            -1 => Some(if b % 2 == 0 { 1 } else { -1 }),
            _ => None,
        },
        Err(_) => {
            // SAFETY: see the module `natives`.
            let call = unsafe { Call::new(context) };
            let message = format!("an int cannot be raised to the negative power {b}");
            let help = "make the base a float: `float(a) ** b`";
            call.raise(RuntimeError::new(codes::BAD_ARGUMENT, message).with_help(help));
            return 0;
        }
    };
    power.unwrap_or_else(|| {
        // SAFETY: see the module `natives`.
        let call = unsafe { Call::new(context) };
        let message = format!("{a} ** {b} does not fit in an int (64 bits)");
        let help = "compute with floats if an approximate result will do";
        call.raise(RuntimeError::new(codes::OVERFLOW, message).with_help(help));
        0
    })
}

unsafe extern "C" fn is_nan(_: *mut Context, x: f64) -> u64 {
    u64::from(x.is_nan())
}

unsafe extern "C" fn is_finite(_: *mut Context, x: f64) -> u64 {
    u64::from(x.is_finite())
}

unsafe extern "C" fn float_bits(_: *mut Context, x: f64) -> u64 {
    x.to_bits()
}

unsafe extern "C" fn float_of_bits(_: *mut Context, bits: u64) -> f64 {
    f64::from_bits(bits)
}

/// `random_seed(state: array[int], seed: int)`: four words from one, by splitmix64.
unsafe extern "C" fn random_seed(_: *mut Context, state: u64, seed: u64) {
    // SAFETY: see the module `natives`; the library makes states of four ints.
    let state = unsafe { places::<u64>(state, 4) };
    let mut x = seed;
    for place in state {
        x = x.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = x;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        u64::store(place, z ^ (z >> 31));
    }
}

/// xoshiro256++ (Blackman and Vigna).
fn next(s: &mut [u64; 4]) -> u64 {
    let result = s[0].wrapping_add(s[3]).rotate_left(23).wrapping_add(s[0]);
    let t = s[1] << 17;
    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= t;
    s[3] = s[3].rotate_left(45);
    result
}

/// The next number of a state in an array. Tasks that share one may get the same numbers.
///
/// # Safety
/// As for natives: `state` is a live array of ints.
unsafe fn draw(state: u64) -> u64 {
    // SAFETY: the caller's promise; the library makes states of four ints.
    let state = unsafe { places::<u64>(state, 4) };
    let mut words = [0; 4];
    words.iter_mut().zip(state).for_each(|(word, place)| *word = u64::load(place));
    let number = next(&mut words);
    state.iter().zip(words).for_each(|(place, word)| u64::store(place, word));
    number
}

/// `random_next(state: array[int]) -> int`: 64 random bits.
unsafe extern "C" fn random_next(_: *mut Context, state: u64) -> u64 {
    // SAFETY: see the module `natives`.
    unsafe { draw(state) }
}

/// `random_uniform(state: array[int]) -> float`: at least 0, less than 1.
unsafe extern "C" fn random_uniform(_: *mut Context, state: u64) -> f64 {
    // SAFETY: see the module `natives`.
    let bits = unsafe { draw(state) };
    (bits >> 11) as f64 * (1.0 / (1u64 << 53) as f64)
}

/// `random_below(state: array[int], n: int) -> int`: each of `0..n` equally often; the library checks that n > 0.
unsafe extern "C" fn random_below(_: *mut Context, state: u64, n: u64) -> u64 {
    // SAFETY: see the module `natives`.
    below(|| unsafe { draw(state) }, n)
}

/// Draws of one number. Each is good with a probability of more than one half, unless the state is broken.
const MOST_DRAWS: u32 = 128;

/// Lemire's method: a multiplication, and rarely another draw.
fn below(mut draw: impl FnMut() -> u64, n: u64) -> u64 {
    let n = n.max(1);
    let mut product = u128::from(draw()) * u128::from(n);
    if (product as u64) < n {
        let threshold = n.wrapping_neg() % n;
        let mut draws = 1;
        while (product as u64) < threshold && draws < MOST_DRAWS {
            product = u128::from(draw()) * u128::from(n);
            draws += 1;
        }
    }
    (product >> 64) as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn random_numbers_are_those_of_the_reference_implementation() {
        // From the authors' xoshiro256plusplus.c with this state.
        let mut state = [1, 2, 3, 4];
        let numbers: Vec<u64> = (0..4).map(|_| next(&mut state)).collect();
        assert_eq!(numbers, [41943041, 58720359, 3588806011781223, 3591011842654386]);
    }

    #[test]
    fn numbers_below_a_bound_are_spread_evenly() {
        let mut state = [1, 2, 3, 4];
        let mut counts = [0; 6];
        for _ in 0..60_000 {
            counts[below(|| next(&mut state), 6) as usize] += 1;
        }
        assert!(counts.iter().all(|count| (9_500..10_500).contains(count)), "{counts:?}");
    }
}
