//! Real files, damaged at random: whatever happens to a file, a reader gives records or an error. It does not panic,
//! run on for ever, or call a cut file whole.
//!
//! The damage is drawn from a fixed seed, so a failure repeats. `MEDI_DAMAGE_ROUNDS` sets how many files are damaged for
//! each format (120 if unset).

use std::fs;

use crate::common::{ALL, Reader, bgzip, example, file, gzip, plain};

/// Sebastiano Vigna's splitmix64.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, limit: usize) -> usize {
        (self.next() % limit.max(1) as u64) as usize
    }

    fn damage(&mut self, bytes: &mut Vec<u8>) {
        for _ in 0..=self.below(4) {
            let at = self.below(bytes.len());
            let length = self.below(40).min(bytes.len() - at);
            match self.below(7) {
                0 => bytes.truncate(at),
                1 => bytes.iter_mut().skip(at).take(1).for_each(|b| *b ^= 1 << (self.0 % 8)),
                2 => bytes.iter_mut().skip(at).take(length).for_each(|b| *b = self.0 as u8),
                3 => drop(bytes.drain(at..at + length)),
                4 => {
                    let copy = bytes[at..at + length].to_vec();
                    let to = self.below(bytes.len());
                    bytes.splice(to..to, copy);
                }
                5 => {
                    let odd: &[u8] = match self.below(8) {
                        0 => b"\"",
                        1 => b"\n",
                        2 => b"\t",
                        3 => b"\xff\xff\xff\xff",
                        4 => b"\0",
                        5 => b"}]",
                        6 => b"-1",
                        _ => b"\xff\xff\xff\x7f",
                    };
                    bytes.splice(at..(at + odd.len()).min(bytes.len()), odd.iter().copied());
                }
                _ => {
                    let swap = self.below(bytes.len());
                    if swap < bytes.len() && at < bytes.len() {
                        bytes.swap(at, swap);
                    }
                }
            }
        }
    }
}

/// The beginnings of the example files, decompressed, so that thousands of them are read in little time.
fn samples() -> Vec<(Reader, &'static str, Vec<u8>)> {
    let lines = |name: &'static str, most: usize| {
        let mut bytes = plain(name);
        let end = bytes[..most.min(bytes.len())].iter().rposition(|&b| b == b'\n').unwrap_or(0);
        bytes.truncate(end + 1);
        bytes
    };
    let mut short_bam = plain("genomics/pcs109_1k_prim.bam");
    short_bam.truncate(40_000);
    let mut short_bcf = plain("genomics/dropseq_10donors_chr22_1k.bcf");
    short_bcf.truncate(60_000);
    let bundle = "fhir/Johnnie679_Hermiston71_2cd30bd6-3a87-4191-af90-6daa70f58f55.json";
    let mut short_bundle = plain(bundle);
    short_bundle.truncate(60_000);
    vec![
        (Reader::Health, "bundle", short_bundle),
        (Reader::Health, "person", lines("omop/eunomia_person.csv.gz", 20_000)),
        (Reader::Health, "measurement", lines("omop/eunomia_measurement.csv.gz", 20_000)),
        (Reader::Health, "condition", lines("omop/eunomia_condition_occurrence.csv.gz", 20_000)),
        (Reader::Health, "ndjson", ndjson(bundle)),
        (Reader::Fasta, "fasta", lines("genomics/GRCh37_chr20_two_slices.fa.gz", 20_000)),
        (Reader::Fastq, "fastq", lines("genomics/reads_1.fq.gz", 20_000)),
        (Reader::Alignment, "sam", lines("genomics/pcs109_100_prim.sam", 40_000)),
        (Reader::Alignment, "bam", short_bam),
        (Reader::Variant, "vcf", lines("genomics/dropseq_10donors_chr22_8k.vcf.gz", 40_000)),
        (Reader::Variant, "many samples", lines("genomics/pyvcf_1kg.vcf.gz", 60_000)),
        (Reader::Variant, "bcf", short_bcf),
    ]
}

/// The patient and observations of a bundle, one on each line.
fn ndjson(bundle: &str) -> Vec<u8> {
    let bundle: serde_json::Value = serde_json::from_slice(&plain(bundle)).unwrap();
    let resources = bundle["entry"].as_array().unwrap().iter().map(|entry| &entry["resource"]);
    let wanted =
        resources.filter(|r| r["resourceType"] == "Patient" || r["resourceType"] == "Observation");
    wanted.take(40).map(|resource| format!("{resource}\n")).collect::<String>().into_bytes()
}

fn rounds() -> u64 {
    std::env::var("MEDI_DAMAGE_ROUNDS").ok().and_then(|text| text.parse().ok()).unwrap_or(120)
}

#[test]
fn damaged_content_gives_records_or_an_error() {
    for (reader, name, content) in samples() {
        let mut failed = 0;
        for round in 0..rounds() {
            let mut bytes = content.clone();
            Random(round).damage(&mut bytes);
            // One in four goes through a compressor, so that damage meets other buffer boundaries.
            let bytes = match round % 8 {
                0 => gzip(&bytes),
                4 => bgzip(&bytes),
                _ => bytes,
            };
            failed += u64::from(reader.drain(file(bytes).path()).is_err());
        }
        assert!(failed * 4 > rounds(), "damage shows in {name}: {failed} of {}", rounds());
    }
}

#[test]
fn damaged_compressed_files_never_pass_for_whole() {
    for (reader, name) in [
        (Reader::Alignment, "genomics/pcs109_1k_prim.bam"),
        (Reader::Variant, "genomics/dropseq_10donors_chr22_1k.bcf"),
        (Reader::Health, "omop/eunomia_person.csv.gz"),
        (Reader::Fasta, "genomics/GRCh37_chr20_two_slices.fa.gz"),
    ] {
        let whole = fs::read(example(name)).unwrap();
        let count = reader.drain(&example(name)).unwrap();
        for round in 0..rounds() / 4 {
            let mut random = Random(round);
            let mut bytes = whole.clone();
            if round % 2 == 0 {
                bytes.truncate(random.below(whole.len()));
                let cut = reader.drain(file(&bytes).path());
                assert!(cut.is_err(), "{name} cut at {} passes for whole", bytes.len());
            } else {
                let at = random.below(whole.len());
                bytes[at] ^= 1 << random.below(8);
                // Flips in what gzip does not check (times, names of members) change nothing.
                if let Ok(read) = reader.drain(file(&bytes).path()) {
                    assert_eq!(read, count, "{name} with a flip at {at}");
                }
            }
        }
    }
}

#[test]
fn noise_is_no_format() {
    let mut random = Random(7);
    for _ in 0..rounds() {
        let length = random.below(5000);
        let noise: Vec<u8> = (0..length).map(|_| random.next() as u8).collect();
        let file = file(noise);
        for reader in ALL {
            assert!(reader.drain(file.path()).is_err());
        }
    }
}
