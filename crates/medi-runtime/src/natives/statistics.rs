//! Numbers of whole arrays: sums, extremes, spreads, quantiles, products.
//!
//! Written for vector registers: independent accumulators that the compiler keeps in lanes, once for the
//! baseline and once for AVX2. The order of additions does not depend on the machine, so results do not either. Sums are
//! pairwise over blocks of 128: the error grows with the logarithm of the length, not with the length. A NaN
//! anywhere makes the result NaN.

use crate::call::Call;
use crate::context::Context;
use crate::error::{RuntimeError, codes};
use crate::natives::scope_memory::view_bytes;
use crate::shape::{Kind, ShapeId};
use crate::value::{Value, slice};

super::table! {
    call array_sum_float, call array_sum_squares, call array_min_float, call array_max_float, call array_quantile,
    call array_dot, call array_sum_int, call array_mean_int, call array_sum_byte, call array_min_int,
    call array_max_int, call array_floats, call view_sum_float, call view_sum_squares, call view_min_float,
    call view_max_float, call view_quantile, call view_dot, call view_sum_int, call view_sum_byte, call view_min_int,
    call view_max_int,
}

/// Compiles a kernel for AVX2 too and picks at run time. There is no fused multiply-add in either, so both give the
/// same bits.
macro_rules! kernel {
    ($(#[$doc:meta])* fn $name:ident($($arg:ident: $ty:ty),*) -> $result:ty $body:block) => {
        $(#[$doc])*
        fn $name($($arg: $ty),*) -> $result {
            #[inline(always)]
            fn body($($arg: $ty),*) -> $result $body

            #[target_feature(enable = "avx2")]
            fn wide($($arg: $ty),*) -> $result {
                body($($arg),*)
            }

            if std::is_x86_feature_detected!("avx2") {
                // SAFETY: the processor has what the function needs.
                return unsafe { wide($($arg),*) };
            }
            body($($arg),*)
        }
    };
}

const LANES: usize = 16;
/// Elements that are added without splitting.
const BLOCK: usize = 128;

/// Adds what `term` gives for each index, pairwise.
#[inline(always)]
fn pairwise(from: usize, to: usize, term: &impl Fn(usize) -> f64) -> f64 {
    // A carry of partial sums, as in binary counting: no recursion, so that all of it is inlined.
    let mut partial = [0.0; 64];
    let mut blocks = 0u64;
    let mut at = from;
    while at < to {
        let end = (at + BLOCK).min(to);
        let mut lanes = [0.0f64; LANES];
        let mut index = at;
        while index + LANES <= end {
            for (lane, sum) in lanes.iter_mut().enumerate() {
                *sum += term(index + lane);
            }
            index += LANES;
        }
        let mut sum = 0.0;
        while index < end {
            sum += term(index);
            index += 1;
        }
        let mut width = LANES / 2;
        while width > 0 {
            for lane in 0..width {
                lanes[lane] += lanes[lane + width];
            }
            width /= 2;
        }
        sum += lanes[0];
        let mut level = 0;
        while blocks >> level & 1 == 1 {
            sum += partial[level];
            level += 1;
        }
        partial[level] = sum;
        blocks += 1;
        at = end;
    }
    let mut total = 0.0;
    for (level, sum) in partial.iter().enumerate() {
        if blocks >> level & 1 == 1 {
            total += sum;
        }
    }
    total
}

kernel! {
    fn sum(xs: &[f64]) -> f64 {
        pairwise(0, xs.len(), &|index| xs[index])
    }
}

kernel! {
    /// Sum of squared distances from `mean`.
    fn sum_squares(xs: &[f64], mean: f64) -> f64 {
        pairwise(0, xs.len(), &|index| {
            let distance = xs[index] - mean;
            distance * distance
        })
    }
}

kernel! {
    fn dot(xs: &[f64], ys: &[f64]) -> f64 {
        let count = xs.len().min(ys.len());
        let (xs, ys) = (&xs[..count], &ys[..count]);
        pairwise(0, xs.len(), &|index| xs[index] * ys[index])
    }
}

kernel! {
    /// The smallest; NaN when one is NaN, infinity when there is none.
    fn min(xs: &[f64]) -> f64 {
        let mut lanes = [f64::INFINITY; LANES];
        let mut nan = [false; LANES];
        let mut chunks = xs.chunks_exact(LANES);
        for chunk in &mut chunks {
            for lane in 0..LANES {
                let x = chunk[lane];
                lanes[lane] = if x < lanes[lane] { x } else { lanes[lane] };
                nan[lane] |= x.is_nan();
            }
        }
        let mut least = f64::INFINITY;
        for x in lanes.iter().chain(chunks.remainder()) {
            if x.is_nan() {
                return f64::NAN;
            }
            if *x < least {
                least = *x;
            }
        }
        if nan.contains(&true) { f64::NAN } else { least }
    }
}

kernel! {
    fn max(xs: &[f64]) -> f64 {
        let mut lanes = [f64::NEG_INFINITY; LANES];
        let mut nan = [false; LANES];
        let mut chunks = xs.chunks_exact(LANES);
        for chunk in &mut chunks {
            for lane in 0..LANES {
                let x = chunk[lane];
                lanes[lane] = if x > lanes[lane] { x } else { lanes[lane] };
                nan[lane] |= x.is_nan();
            }
        }
        let mut most = f64::NEG_INFINITY;
        for x in lanes.iter().chain(chunks.remainder()) {
            if x.is_nan() {
                return f64::NAN;
            }
            if *x > most {
                most = *x;
            }
        }
        if nan.contains(&true) { f64::NAN } else { most }
    }
}

kernel! {
    /// The sum of ints, and whether it fits. Halves are added apart, so that no lane can overflow.
    fn sum_int(xs: &[i64]) -> Option<i64> {
        let mut total = 0i128;
        for chunk in xs.chunks(1 << 30) {
            let (mut low, mut high) = ([0u64; LANES], [0i64; LANES]);
            let mut parts = chunk.chunks_exact(LANES);
            for part in &mut parts {
                for lane in 0..LANES {
                    low[lane] += part[lane] as u64 & 0xffff_ffff;
                    high[lane] += part[lane] >> 32;
                }
            }
            for lane in 0..LANES {
                total += i128::from(low[lane]) + (i128::from(high[lane]) << 32);
            }
            total += parts.remainder().iter().map(|x| i128::from(*x)).sum::<i128>();
        }
        i64::try_from(total).ok()
    }
}

kernel! {
    fn min_int(xs: &[i64]) -> i64 {
        xs.iter().copied().fold(i64::MAX, |a, b| if b < a { b } else { a })
    }
}

kernel! {
    fn max_int(xs: &[i64]) -> i64 {
        xs.iter().copied().fold(i64::MIN, |a, b| if b > a { b } else { a })
    }
}

kernel! {
    fn sum_byte(xs: &[u8]) -> u64 {
        xs.chunks(1 << 16).map(|chunk| chunk.iter().map(|x| u32::from(*x)).sum::<u32>()).map(u64::from).sum()
    }
}

/// The mean of ints, exact before the division.
fn mean_int(xs: &[i64]) -> f64 {
    let total: i128 = match sum_int(xs) {
        Some(total) => i128::from(total),
        None => xs.iter().map(|x| i128::from(*x)).sum(),
    };
    total as f64 / xs.len() as f64
}

/// The quantile `q`, by linear interpolation between the closest ranks (type 7 of Hyndman and Fan, the default of R and
/// NumPy). NaN for no values, when one is NaN, or when q is not in 0 to 1.
fn quantile(xs: &[f64], q: f64) -> f64 {
    if xs.is_empty() || !(0.0..=1.0).contains(&q) || xs.iter().any(|x| x.is_nan()) {
        return f64::NAN;
    }
    let mut values = xs.to_vec();
    let rank = q * (values.len() - 1) as f64;
    let low = rank.floor();
    let (_, at, above) = values.select_nth_unstable_by(low as usize, f64::total_cmp);
    let at = *at;
    let share = rank - low;
    if share == 0.0 {
        return at;
    }
    at + (min(above) - at) * share
}

/// What a kernel finds in an array of numbers.
///
/// # Safety
/// As for natives; the array's elements are `T`s, and the library promises the bounds.
unsafe fn over<T, R>(
    context: *mut Context,
    xs: u64,
    count: i64,
    find: impl FnOnce(&[T]) -> R,
) -> R {
    // SAFETY: the caller's promise.
    unsafe { Call::new(context).kernel(&[xs], count, || find(slice(xs, count))) }
}

/// `array_sum_float(xs: array[float], count: int) -> float`.
unsafe extern "C" fn array_sum_float(context: *mut Context, xs: u64, count: i64) -> f64 {
    // SAFETY: see the module `natives`; here and below, the library promises the bounds.
    unsafe { over(context, xs, count, sum) }
}

/// `array_sum_squares(xs: array[float], count: int, mean: float) -> float`: of the distances from `mean`.
unsafe extern "C" fn array_sum_squares(
    context: *mut Context,
    xs: u64,
    count: i64,
    mean: f64,
) -> f64 {
    // SAFETY: see `array_sum_float`.
    unsafe { over(context, xs, count, |xs| sum_squares(xs, mean)) }
}

unsafe extern "C" fn array_min_float(context: *mut Context, xs: u64, count: i64) -> f64 {
    // SAFETY: see `array_sum_float`.
    unsafe { over(context, xs, count, min) }
}

unsafe extern "C" fn array_max_float(context: *mut Context, xs: u64, count: i64) -> f64 {
    // SAFETY: see `array_sum_float`.
    unsafe { over(context, xs, count, max) }
}

/// `array_quantile(xs: array[float], count: int, q: float) -> float`.
unsafe extern "C" fn array_quantile(context: *mut Context, xs: u64, count: i64, q: f64) -> f64 {
    // SAFETY: see `array_sum_float`.
    unsafe { over(context, xs, count, |xs| quantile(xs, q)) }
}

/// `array_dot(xs: array[float], ys: array[float], count: int) -> float`.
unsafe extern "C" fn array_dot(context: *mut Context, xs: u64, ys: u64, count: i64) -> f64 {
    // SAFETY: see `array_sum_float`.
    unsafe {
        let call = Call::new(context);
        call.kernel(&[xs, ys], count, || dot(slice(xs, count), slice(ys, count)))
    }
}

unsafe extern "C" fn array_sum_int(context: *mut Context, xs: u64, count: i64) -> i64 {
    // SAFETY: see `array_sum_float`.
    unsafe { checked(Call::new(context), over(context, xs, count, sum_int)) }
}

fn checked(call: Call, sum: Option<i64>) -> i64 {
    sum.unwrap_or_else(|| {
        let message = "the sum of these ints does not fit in an int (64 bits)";
        let help = "add them as floats: `sum(xs.map(x => float(x)))`";
        call.raise(RuntimeError::new(codes::OVERFLOW, message).with_help(help));
        0
    })
}

/// `array_mean_int(xs: array[int], count: int) -> float`; NaN for none.
unsafe extern "C" fn array_mean_int(context: *mut Context, xs: u64, count: i64) -> f64 {
    // SAFETY: see `array_sum_float`.
    unsafe { over(context, xs, count, mean_int) }
}

unsafe extern "C" fn array_sum_byte(context: *mut Context, xs: u64, count: i64) -> u64 {
    // SAFETY: see `array_sum_float`.
    unsafe { over(context, xs, count, sum_byte) }
}

unsafe extern "C" fn array_min_int(context: *mut Context, xs: u64, count: i64) -> i64 {
    // SAFETY: see `array_sum_float`.
    unsafe { over(context, xs, count, min_int) }
}

unsafe extern "C" fn array_max_int(context: *mut Context, xs: u64, count: i64) -> i64 {
    // SAFETY: see `array_sum_float`.
    unsafe { over(context, xs, count, max_int) }
}

/// `array_floats(xs: array[int], count: int, to: array[float])`: converts.
unsafe extern "C" fn array_floats(context: *mut Context, xs: u64, count: i64, to: u64) {
    // SAFETY: see `array_sum_float`; the library makes `to` a new array.
    unsafe {
        Call::new(context).kernel(&[xs, to], count, || {
            let to = crate::value::slice_mut::<f64>(to, count);
            for (to, x) in to.iter_mut().zip(slice::<i64>(xs, count)) {
                *to = *x as f64;
            }
        });
    }
}

/// The elements of a view that compiled code passes as its four words; none when an error was raised.
///
/// # Safety
/// As for natives; the view's elements are `T`s.
unsafe fn elements<'a, T>(call: Call, view: [u64; 4]) -> &'a [T] {
    // SAFETY: the caller's promise; a view is aligned for its elements.
    unsafe {
        match view_bytes(call, view, size_of::<T>()) {
            Some(bytes) => {
                std::slice::from_raw_parts(bytes.as_ptr().cast(), bytes.len() / size_of::<T>())
            }
            None => &[],
        }
    }
}

macro_rules! of_a_view {
    ($($name:ident: $element:ty => $result:ty, $compute:expr;)*) => {$(
        unsafe extern "C" fn $name(context: *mut Context, a: u64, b: u64, c: u64, d: u64) -> $result {
            // SAFETY: see the module `natives`.
            let (call, xs) = unsafe {
                let call = Call::new(context);
                (call, elements::<$element>(call, [a, b, c, d]))
            };
            let compute: fn(Call, &[$element]) -> $result = $compute;
            compute(call, xs)
        }
    )*};
}

of_a_view! {
    view_sum_float: f64 => f64, |_, xs| sum(xs);
    view_min_float: f64 => f64, |_, xs| min(xs);
    view_max_float: f64 => f64, |_, xs| max(xs);
    view_sum_int: i64 => i64, |call, xs| checked(call, sum_int(xs));
    view_sum_byte: u8 => u64, |_, xs| sum_byte(xs);
    view_min_int: i64 => i64, |_, xs| min_int(xs);
    view_max_int: i64 => i64, |_, xs| max_int(xs);
}

/// `view_sum_squares(xs: View[float], mean: float) -> float`.
unsafe extern "C" fn view_sum_squares(
    context: *mut Context,
    a: u64,
    b: u64,
    c: u64,
    d: u64,
    mean: f64,
) -> f64 {
    // SAFETY: see the module `natives`.
    unsafe { sum_squares(elements(Call::new(context), [a, b, c, d]), mean) }
}

/// `view_quantile(xs: View[float], q: float) -> float`.
unsafe extern "C" fn view_quantile(
    context: *mut Context,
    a: u64,
    b: u64,
    c: u64,
    d: u64,
    q: f64,
) -> f64 {
    // SAFETY: see the module `natives`.
    unsafe { quantile(elements(Call::new(context), [a, b, c, d]), q) }
}

/// `view_dot[V](xs: V, ys: V) -> float`: two `View[float]`s of one length, passed in memory.
unsafe extern "C" fn view_dot(
    context: *mut Context,
    xs: *const u8,
    shape: u64,
    ys: *const u8,
    _: u64,
) -> f64 {
    // SAFETY: see the module `natives`.
    unsafe {
        let call = Call::new(context);
        let shape = ShapeId(shape as u32);
        debug_assert!(matches!(call.shapes().get(shape).kind, Kind::View { .. }));
        let words = |at: *const u8| [0, 8, 16, 24].map(|offset| Value { at, shape }.read(offset));
        let (xs, ys) = (elements::<f64>(call, words(xs)), elements::<f64>(call, words(ys)));
        if xs.len() == ys.len() { dot(xs, ys) } else { f64::NAN }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbers(count: usize) -> Vec<f64> {
        (0..count).map(|i| ((i * 7919) % 1000) as f64 / 8.0 - 30.0).collect()
    }

    #[test]
    fn sums_of_exact_numbers_are_exact_at_every_length() {
        for count in (0..600).chain([1000, 4097, 100_000]) {
            let xs = numbers(count);
            assert_eq!(sum(&xs), xs.iter().sum::<f64>(), "{count}");
            assert_eq!(dot(&xs, &xs), xs.iter().map(|x| x * x).sum::<f64>(), "{count}");
        }
    }

    #[test]
    fn a_long_sum_of_tenths_stays_accurate() {
        let xs = vec![0.1; 10_000_000];
        assert!((sum(&xs) - 1e6).abs() < 1e-8);
        assert!((xs.iter().sum::<f64>() - 1e6).abs() > 1e-5, "a running sum is that much worse");
    }

    #[test]
    fn extremes_are_found_wherever_they_are_and_nan_shows() {
        for count in [1, 2, 15, 16, 17, 100] {
            for at in 0..count {
                let mut xs = numbers(count);
                xs[at] = -1e9;
                assert_eq!(min(&xs), -1e9);
                xs[at] = 1e9;
                assert_eq!(max(&xs), 1e9);
                xs[at] = f64::NAN;
                assert!(min(&xs).is_nan() && max(&xs).is_nan() && sum(&xs).is_nan());
                assert!(quantile(&xs, 0.5).is_nan());
            }
        }
    }

    #[test]
    fn quantiles_are_those_of_r_and_numpy() {
        // numpy.quantile([1, 2.5, 3, 10], q)
        let xs = [3.0, 1.0, 10.0, 2.5];
        assert_eq!(quantile(&xs, 0.25), 2.125);
        assert_eq!(quantile(&xs, 0.5), 2.75);
        assert!((quantile(&xs, 0.9) - 7.9).abs() < 1e-14);
        assert_eq!((quantile(&xs, 0.0), quantile(&xs, 1.0)), (1.0, 10.0));
        assert!(quantile(&xs, 1.5).is_nan() && quantile(&[], 0.5).is_nan());
    }

    #[test]
    fn a_sum_of_ints_may_pass_the_limit_on_the_way_but_not_at_the_end() {
        assert_eq!(sum_int(&[i64::MAX, 1, -2]), Some(i64::MAX - 1));
        assert_eq!(sum_int(&[i64::MAX, 1]), None);
        assert_eq!(sum_int(&[i64::MIN; 1]), Some(i64::MIN));
        let xs: Vec<i64> = (0..1000).map(|i| (i - 500) * 1_000_000_007).collect();
        assert_eq!(sum_int(&xs), Some(xs.iter().sum()));
        assert_eq!(mean_int(&[i64::MAX, i64::MAX]), i64::MAX as f64);
    }
}
