//! How short the machine is of memory, by the kernel's own account.
//!
//! Linux measures the part of the time in which tasks wait for memory (pressure stall information, Weiner 2018), for
//! the whole machine and for each control group. The collector's thread reads it now and then; under pressure the
//! heap collects sooner and keeps nothing in reserve.

use std::fs;
use std::path::Path;

/// Percent of the last ten seconds in which some task waited for memory.
pub(crate) fn read(path: &Path) -> Option<f64> {
    parse(&fs::read_to_string(path).ok()?)
}

fn parse(text: &str) -> Option<f64> {
    let some = text.lines().find_map(|line| line.strip_prefix("some "))?;
    some.split(' ').find_map(|field| field.strip_prefix("avg10="))?.parse().ok()
}

/// By how much the heap may grow between cycles under pressure, as a part of what it may otherwise.
pub(crate) fn restraint(percent: f64) -> f64 {
    match percent {
        p if p >= 10.0 => 0.25,
        p if p >= 1.0 => 0.5,
        _ => 1.0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pressure_is_the_share_of_the_last_ten_seconds() {
        let text = "some avg10=12.34 avg60=1.00 avg300=0.00 total=99\nfull avg10=3.00 avg60=0.00 avg300=0.00 total=9\n";
        assert_eq!(parse(text), Some(12.34));
        assert_eq!((parse(""), parse("some avg10=much")), (None, None));
        assert_eq!([0.0, 1.0, 12.34].map(restraint), [1.0, 0.5, 0.25]);
    }
}
