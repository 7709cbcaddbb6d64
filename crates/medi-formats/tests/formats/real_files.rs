//! The example files, counted here and by readers that have nothing to do with this project: `expected.py` beside this
//! file says how the numbers were made.

use std::collections::{BTreeMap, BTreeSet};

use crate::common::example;
use medi_formats::{
    alignment::{AlignmentReader, CigarOp},
    health::{EventKind, HealthReader, PartialDate, Sex},
    sequence::{FastaReader, FastqReader},
    variant::VariantReader,
};

/// Sums of many floats differ in their last digits with the order of adding.
fn assert_close(sum: f64, expected: f64) {
    assert!((sum - expected).abs() <= expected.abs() * 1e-9, "{sum} is not {expected}");
}

struct Bundle {
    file: &'static str,
    entries: u64,
    events: [(EventKind, u64); 5],
    numbers: u64,
    texts: u64,
    sum: f64,
    id: &'static str,
    birth: PartialDate,
}

#[test]
fn fhir_bundles_have_the_events_that_python_counts() {
    use EventKind::*;
    let bundles = [
        Bundle {
            file: "fhir/Johnnie679_Hermiston71_2cd30bd6-3a87-4191-af90-6daa70f58f55.json",
            entries: 237,
            events: [
                (Patient, 1),
                (Measurement, 123),
                (Condition, 4),
                (Procedure, 10),
                (Encounter, 22),
            ],
            numbers: 106,
            texts: 17,
            sum: 6253.870528615229,
            id: "ea877536-55b1-4ec8-a12b-e95594214c01",
            birth: PartialDate { year: 2009, month: 3, day: 20 },
        },
        Bundle {
            file: "fhir/Luna60_McCullough561_6662f0ca-b617-4e02-8f55-7275e9f49aa0.json",
            entries: 223,
            events: [
                (Patient, 1),
                (Measurement, 112),
                (Condition, 8),
                (Procedure, 6),
                (Encounter, 23),
            ],
            numbers: 96,
            texts: 16,
            sum: 5579.897354393964,
            id: "356a0ab8-5592-4ec5-8c3a-9a4d0857b793",
            birth: PartialDate { year: 2008, month: 11, day: 6 },
        },
    ];
    for bundle in bundles {
        let mut reader = HealthReader::open(example(bundle.file)).unwrap();
        assert_eq!(reader.describe(), "FHIR R4 JSON");
        let mut events = BTreeMap::new();
        let (mut numbers, mut texts, mut sum) = (0, 0, 0.0);
        while let Some(kind) = reader.next().unwrap() {
            *events.entry(format!("{kind:?}")).or_insert(0) += 1;
            match kind {
                Patient => {
                    let patient = reader.patient();
                    assert_eq!((&*patient.id, patient.sex), (bundle.id, Sex::Female));
                    assert_eq!(patient.birth, bundle.birth);
                }
                Measurement => {
                    let m = reader.measurement();
                    assert_eq!(m.patient, bundle.id);
                    assert_eq!(m.value.is_nan(), !m.text.is_empty());
                    assert!(!m.code.is_empty() && !m.display.is_empty() && m.date.len() >= 10);
                    if m.value.is_nan() {
                        texts += 1;
                    } else {
                        numbers += 1;
                        sum += m.value;
                    }
                }
                _ => {
                    let coded = reader.coded();
                    assert_eq!(coded.patient, bundle.id);
                    assert_eq!(coded.system, "http://snomed.info/sct");
                }
            }
        }
        let expected: BTreeMap<_, _> =
            bundle.events.iter().map(|(kind, n)| (format!("{kind:?}"), *n)).collect();
        assert_eq!(events, expected);
        assert_eq!(
            (reader.records(), numbers, texts),
            (bundle.entries, bundle.numbers, bundle.texts)
        );
        assert_close(sum, bundle.sum);
        let (read, total) = reader.progress();
        assert_eq!(read, total);
    }
}

#[test]
fn a_directory_of_bundles_is_read_whole() {
    let mut reader = HealthReader::open(example("fhir")).unwrap();
    let mut patients = Vec::new();
    while let Some(kind) = reader.next().unwrap() {
        if kind == EventKind::Patient {
            patients.push(reader.patient().name.clone());
        }
    }
    assert_eq!(patients, ["Johnnie679 Hermiston71", "Luna60 McCullough561"]);
    assert_eq!(reader.records(), 237 + 223);
    let (read, total) = reader.progress();
    assert_eq!(read, total);
}

#[test]
fn omop_tables_have_the_rows_that_pandas_counts() {
    let mut reader = HealthReader::open(example("omop")).unwrap();
    assert_eq!(reader.describe(), "OMOP CDM table");
    let mut rows = BTreeMap::new();
    let mut sexes = BTreeMap::new();
    let mut births = (0, 0, 0);
    let mut conditions = BTreeSet::new();
    let mut ended = 0;
    let mut measured = BTreeSet::new();
    let mut measured_patients = BTreeSet::new();
    let mut order = Vec::new();
    while let Some(kind) = reader.next().unwrap() {
        let name = format!("{kind:?}");
        if order.last() != Some(&name) {
            order.push(name.clone());
        }
        *rows.entry(name).or_insert(0) += 1;
        match kind {
            EventKind::Patient => {
                let patient = reader.patient();
                *sexes.entry(patient.sex.as_str()).or_insert(0) += 1;
                births.0 += u64::from(patient.birth.year);
                births.1 += u64::from(patient.birth.month);
                births.2 += u64::from(patient.birth.day);
            }
            EventKind::Measurement => {
                let m = reader.measurement();
                measured.insert(m.code.clone());
                measured_patients.insert(m.patient.clone());
                assert!(m.value.is_nan());
            }
            EventKind::Condition => {
                conditions.insert(reader.condition().code.clone());
                ended += u64::from(!reader.condition().end.is_empty());
            }
            _ => {}
        }
    }
    let expected = [
        ("Condition", 65332),
        ("Encounter", 1037),
        ("Measurement", 44053),
        ("ObservationPeriod", 5343),
        ("Patient", 2694),
        ("Procedure", 37409),
    ];
    assert_eq!(rows, expected.map(|(name, n)| (name.to_owned(), n)).into());
    let once_each =
        ["Patient", "ObservationPeriod", "Encounter", "Condition", "Procedure", "Measurement"];
    assert_eq!(order, once_each);
    assert_eq!(sexes, [("female", 1373), ("male", 1321)].into());
    assert_eq!(births, (5275031, 17685, 42433));
    assert_eq!((conditions.len(), ended), (80, 56680));
    assert_eq!((measured.len(), measured_patients.len()), (55, 2686));
}

#[test]
fn aligned_reads_sum_up_as_pysam_has_them() {
    struct Sums {
        file: &'static str,
        format: &'static str,
        records: u64,
        bases: u64,
        qualities: u64,
        positions: u64,
        operations: u64,
        mapping_qualities: u64,
        reverse: u64,
    }
    let files = [
        Sums {
            file: "genomics/pcs109_1k_prim.bam",
            format: "BAM",
            records: 1000,
            bases: 846074,
            qualities: 10310267,
            positions: 101017,
            operations: 49778,
            mapping_qualities: 47910,
            reverse: 525,
        },
        Sums {
            file: "genomics/pcs109_100_prim.sam",
            format: "SAM",
            records: 100,
            bases: 128199,
            qualities: 1550591,
            positions: 14286,
            operations: 8952,
            mapping_qualities: 5050,
            reverse: 50,
        },
    ];
    for expected in files {
        let mut reader = AlignmentReader::open(example(expected.file)).unwrap();
        assert_eq!(reader.describe(), expected.format);
        assert_eq!(reader.references().len(), 68);
        assert_eq!(reader.references().iter().map(|r| r.length).sum::<u64>(), 75469);
        let mut sums = [0; 7];
        while reader.next().unwrap() {
            let read = reader.record();
            assert!(!read.is_unmapped() && reader.reference_name().starts_with("SIRV"));
            let values = [
                1,
                read.bases.len() as u64,
                read.qualities.iter().map(|&q| u64::from(q)).sum(),
                read.position,
                read.cigar.len() as u64,
                read.mapping_quality.into(),
                read.is_reverse().into(),
            ];
            sums.iter_mut().zip(values).for_each(|(sum, value)| *sum += value);
        }
        let Sums {
            records,
            bases,
            qualities,
            positions,
            operations,
            mapping_qualities,
            reverse,
            ..
        } = expected;
        assert_eq!(
            sums,
            [records, bases, qualities, positions, operations, mapping_qualities, reverse]
        );
    }
}

#[test]
fn sam_and_bam_of_the_same_reads_are_the_same_records() {
    let mut bam = AlignmentReader::open(example("genomics/pcs109_1k_prim.bam")).unwrap();
    let mut sam = AlignmentReader::open(example("genomics/pcs109_100_prim.sam")).unwrap();
    assert_eq!(sam.references(), bam.references());
    let mut letters = BTreeSet::new();
    while sam.next().unwrap() {
        assert!(bam.next().unwrap());
        assert_eq!(sam.record(), bam.record());
        letters.extend(sam.record().cigar.iter().map(|&(op, _)| op.letter()));
    }
    assert!(letters.contains(&CigarOp::Deletion.letter()));
}

#[test]
fn fastq_reads_sum_up_as_pysam_has_them() {
    let mut reader = FastqReader::open(example("genomics/reads_1.fq.gz")).unwrap();
    let (mut reads, mut bases, mut qualities) = (0, 0, 0);
    while reader.next().unwrap() {
        if reads == 0 {
            assert_eq!(reader.name(), "HWI-D00523:240:HF3WGBCXX:1:1101:2574:2226");
            assert_eq!(reader.description(), "1:N:0:CTGTAG");
        }
        reads += 1;
        bases += reader.bases().len();
        qualities += reader.qualities().iter().map(|&q| u64::from(q)).sum::<u64>();
    }
    assert_eq!((reads, bases, qualities), (2500, 567516, 19845177));
}

#[test]
fn a_reference_comes_whole_or_in_chunks() {
    let path = example("genomics/GRCh37_chr20_two_slices.fa.gz");
    let mut reader = FastaReader::open(&path).unwrap();
    let mut found = Vec::new();
    let mut bases = Vec::new();
    while reader.next().unwrap() {
        let before = bases.len();
        let length = reader.read_bases(&mut bases).unwrap();
        let counts = b"ACGTN".map(|letter| {
            bases[before..].iter().filter(|b| b.to_ascii_uppercase() == letter).count()
        });
        let description = reader.description().to_owned();
        found.push((reader.name().to_owned(), description, length, counts));
    }
    let expected = [
        ("20:59901-79900", "GRCh37, begins with 100 N", 20000, [5550, 4180, 3583, 6587, 100]),
        ("20:6000001-6010007", "GRCh37", 10007, [2482, 1940, 1941, 3644, 0]),
    ];
    assert_eq!(found, expected.map(|(n, d, l, c)| (n.to_owned(), d.to_owned(), l, c)));

    let mut again = FastaReader::open(&path).unwrap();
    let mut chunks = Vec::new();
    while again.next().unwrap() {
        let length = again.for_each_chunk(|chunk| chunks.extend_from_slice(chunk)).unwrap();
        assert_eq!(length, again.length());
    }
    assert_eq!(chunks, bases);

    let mut passed_over = FastaReader::open(&path).unwrap();
    while passed_over.next().unwrap() {}
    assert_eq!((passed_over.name(), passed_over.length()), ("20:6000001-6010007", 10007));
}

struct Variants {
    file: &'static str,
    format: &'static str,
    records: u64,
    samples: usize,
    contigs: usize,
    positions: u64,
    alternates: u64,
    quality: f64,
    depth: u64,
    frequency: f64,
    called: u64,
    heterozygous: u64,
    homozygous_alternate: u64,
}

#[test]
fn variants_sum_up_as_pysam_has_them() {
    let files = [
        Variants {
            file: "genomics/dropseq_10donors_chr22_8k.vcf.gz",
            format: "VCF",
            records: 8000,
            samples: 10,
            contigs: 85,
            positions: 141621625414,
            alternates: 8000,
            quality: 134182741.28,
            depth: 30179327,
            frequency: 1028.2415,
            called: 75773,
            heterozygous: 10459,
            homozygous_alternate: 4916,
        },
        Variants {
            file: "genomics/dropseq_10donors_chr22_1k.bcf",
            format: "BCF",
            records: 1000,
            samples: 10,
            contigs: 85,
            positions: 16424931807,
            alternates: 1000,
            quality: 2131157.38,
            depth: 3080012,
            frequency: 34.8151,
            called: 9386,
            heterozygous: 391,
            homozygous_alternate: 130,
        },
        Variants {
            file: "genomics/pyvcf_1kg.vcf.gz",
            format: "VCF",
            records: 381,
            samples: 629,
            // pysam makes up a contig for the chromosome that this header does not name.
            contigs: 0,
            positions: 9347122,
            alternates: 381,
            quality: 0.0,
            depth: 920703,
            frequency: 16.007,
            called: 133392,
            heterozygous: 10578,
            homozygous_alternate: 4261,
        },
    ];
    for expected in files {
        let mut reader = VariantReader::open(example(expected.file)).unwrap();
        assert_eq!(reader.describe(), expected.format);
        assert_eq!(reader.samples().len(), expected.samples);
        assert_eq!(reader.header().contigs.len(), expected.contigs);
        let (mut records, mut positions, mut alternates, mut depth) = (0, 0, 0, 0);
        let (mut quality, mut frequency) = (0.0, 0.0);
        let (mut called, mut heterozygous, mut homozygous_alternate) = (0, 0, 0);
        while reader.next().unwrap() {
            let v = reader.record();
            records += 1;
            positions += v.position();
            alternates += v.alternates().count() as u64;
            quality += if v.quality().is_nan() { 0.0 } else { v.quality() };
            depth += v.depth().unwrap();
            frequency += v.allele_frequency();
            for genotype in v.genotypes().flatten() {
                let Some(alleles) = genotype.alleles().collect::<Option<Vec<_>>>() else {
                    continue;
                };
                called += 1;
                let alike = alleles.iter().all(|a| *a == alleles[0]);
                heterozygous += u64::from(!alike);
                homozygous_alternate += u64::from(alike && alleles[0] > 0);
            }
        }
        assert_eq!(
            (records, positions, alternates, depth),
            (expected.records, expected.positions, expected.alternates, expected.depth)
        );
        assert!((quality - expected.quality).abs() < 1.0, "{quality}");
        assert!((frequency - expected.frequency).abs() < 1e-3, "{frequency}");
        assert_eq!(
            (called, heterozygous, homozygous_alternate),
            (expected.called, expected.heterozygous, expected.homozygous_alternate)
        );
    }
}

/// noodles-vcf 0.96 refuses this file: two lines of its header share an ID.
#[test]
fn a_header_with_an_id_twice_is_read() {
    let reader = VariantReader::open(example("genomics/dropseq_10donors_chr22_8k.vcf.gz")).unwrap();
    let named = |line: &&String| line.starts_with("##GATKCommandLine=<ID=ApplyRecalibration,");
    assert!(reader.header().lines.iter().filter(named).count() >= 2);
}

#[test]
fn bcf_is_read_as_the_vcf_it_was_made_from() {
    let mut vcf =
        VariantReader::open(example("genomics/dropseq_10donors_chr22_8k.vcf.gz")).unwrap();
    let mut bcf = VariantReader::open(example("genomics/dropseq_10donors_chr22_1k.bcf")).unwrap();
    while bcf.next().unwrap() {
        assert!(vcf.next().unwrap());
        let (v, b) = (vcf.record(), bcf.record());
        assert_eq!((v.chromosome(), v.position(), v.id()), (b.chromosome(), b.position(), b.id()));
        assert_eq!((v.reference(), v.filter(), v.depth()), (b.reference(), b.filter(), b.depth()));
        assert!(v.alternates().eq(b.alternates()));
        for sample in 0..10 {
            for key in ["GT", "AD", "DP", "GQ", "PL"] {
                let filled = |text: Option<&str>| {
                    text.map(|t| t.split(',').all(|n| n == ".")).is_none_or(|missing| missing)
                };
                let (of_vcf, of_bcf) = (v.sample_field(sample, key), b.sample_field(sample, key));
                assert!(
                    of_vcf == of_bcf || (filled(of_vcf) && filled(of_bcf)),
                    "{key} at {}",
                    v.position()
                );
            }
        }
    }
}
