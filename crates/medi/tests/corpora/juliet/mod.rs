//! NIST's Juliet 1.3 for C and C++, by kind of flaw and by the way in which the data comes from its source to its sink.
//!
//! Juliet writes one file for each pair of the two, with a bad function and one or more good ones: in some the source
//! is right and the sink could do harm (G2B), in the others the sink sees to it that a wrong source does none (B2G).
//! [`flaws`] has what source and sink do, [`flows`] how they are put together, and [`cases`] multiplies.
//! A case has the name of Juliet's file and function.

mod flaws;
mod flows;

use crate::case::{Case, Verdict};
use flaws::{Data, FLAWS, Flaw};

/// Which halves of a flaw a program has.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Side {
    Bad,
    GoodToBad,
    BadToGood,
}

impl Side {
    fn name(self) -> &'static str {
        match self {
            Side::Bad => "bad",
            Side::GoodToBad => "goodG2B",
            Side::BadToGood => "goodB2G",
        }
    }
}

pub fn cases() -> Vec<Case> {
    let mut cases = vec![];
    for flaw in FLAWS.iter() {
        for flow in flows::of(flaw) {
            let mut sides = vec![Side::Bad];
            sides.extend(flaw.good_source.map(|_| Side::GoodToBad));
            sides.extend(flaw.good_sink.map(|_| Side::BadToGood));
            for side in sides {
                for (suffix, files) in flows::programs(flaw, flow, side) {
                    let name = format!("{}_{:02} {}{suffix}", flaw.file(), flow, side.name());
                    let expected = match side {
                        Side::Bad => flaw.bad_through(flow),
                        _ => Verdict::Accepted,
                    };
                    // Where the compiler refuses the bad ones, the good ones need not run.
                    let by_compiler = |verdict: &Verdict| matches!(verdict, Verdict::Refused(_));
                    let runs = !by_compiler(&flaw.bad_through(flow)) && !by_compiler(&expected);
                    cases.push(Case { family: flaw.cwe, name, files, expected, runs });
                }
            }
        }
    }
    cases
}
