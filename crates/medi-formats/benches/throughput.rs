//! How fast each format is read: megabytes of content a second, best of three runs over files made from the examples.
//!
//! `cargo bench -p medi-formats` prints a table; with words behind `--` only formats with such a name. Files are made
//! large enough to take some tenths of a second, and lie in the temporary directory while the bench runs. Compare only
//! numbers of one run.

use std::{
    fs,
    io::{Read, Write},
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use medi_formats::{
    FormatError,
    alignment::AlignmentReader,
    health::HealthReader,
    sequence::{FastaReader, FastqReader},
    variant::VariantReader,
};

/// Content of each file, in bytes, at least.
const SIZE: usize = 100 << 20;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let wanted: Vec<String> =
        std::env::args().skip(1).filter(|arg| !arg.starts_with('-')).collect();
    let directory = tempfile::tempdir()?;
    println!("{:<28} {:>8} {:>9} {:>10}", "format", "MB", "records", "MB/s");
    for case in cases() {
        if !wanted.is_empty() && !wanted.iter().any(|word| case.name.contains(word.as_str())) {
            continue;
        }
        let path = directory.path().join("file");
        let size = (case.make)(&path)?;
        let mut best = Duration::MAX;
        let mut records = 0;
        for _ in 0..3 {
            let start = Instant::now();
            records = (case.read)(&path)?;
            best = best.min(start.elapsed());
        }
        let megabytes = size as f64 / 1e6;
        println!(
            "{:<28} {megabytes:>8.0} {records:>9} {:>10.0}",
            case.name,
            megabytes / best.as_secs_f64()
        );
    }
    Ok(())
}

struct Case {
    name: &'static str,
    make: fn(&Path) -> std::io::Result<usize>,
    read: fn(&Path) -> Result<u64, FormatError>,
}

fn cases() -> Vec<Case> {
    vec![
        Case { name: "FHIR bundle", make: |path| write(path, &bundle()), read: health },
        Case { name: "FHIR NDJSON", make: |path| write(path, &ndjson()), read: health },
        Case {
            name: "OMOP measurement",
            make: |path| write(path, &lines("omop/eunomia_measurement.csv.gz", 1)),
            read: health,
        },
        Case {
            name: "OMOP measurement, gzip",
            make: |path| gzip(path, &lines("omop/eunomia_measurement.csv.gz", 1)),
            read: health,
        },
        Case {
            name: "FASTA",
            make: |path| write(path, &lines("genomics/GRCh37_chr20_two_slices.fa.gz", 0)),
            read: fasta,
        },
        Case {
            name: "FASTQ",
            make: |path| write(path, &lines("genomics/reads_1.fq.gz", 0)),
            read: fastq,
        },
        Case {
            name: "FASTQ, gzip",
            make: |path| gzip(path, &lines("genomics/reads_1.fq.gz", 0)),
            read: fastq,
        },
        Case { name: "SAM", make: |path| write(path, &sam()), read: alignments },
        Case { name: "BAM, not compressed", make: |path| write(path, &bam()), read: alignments },
        Case { name: "BAM", make: |path| bgzip(path, &bam()), read: alignments },
        Case { name: "VCF, 10 samples", make: |path| write(path, &vcf(DONORS)), read: variants },
        Case {
            name: "VCF, 10 samples, bgzip",
            make: |path| bgzip(path, &vcf(DONORS)),
            read: variants,
        },
        Case {
            name: "VCF, 629 samples",
            make: |path| write(path, &vcf("genomics/pyvcf_1kg.vcf.gz")),
            read: variants,
        },
    ]
}

const DONORS: &str = "genomics/dropseq_10donors_chr22_8k.vcf.gz";

fn plain(name: &str) -> Vec<u8> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../examples/data").join(name);
    let bytes = fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    if !bytes.starts_with(&[0x1f, 0x8b]) {
        return bytes;
    }
    let mut content = Vec::new();
    let read = flate2::read::MultiGzDecoder::new(&bytes[..]).read_to_end(&mut content);
    read.expect("the example is whole");
    content
}

/// A head once, then a body as often as it takes.
fn repeat(head: &[u8], body: &[u8]) -> Vec<u8> {
    let mut bytes = head.to_vec();
    while bytes.len() < SIZE {
        bytes.extend_from_slice(body);
    }
    bytes
}

fn lines(name: &str, header_lines: usize) -> Vec<u8> {
    let bytes = plain(name);
    let mut breaks = bytes.iter().enumerate().filter(|(_, b)| **b == b'\n').map(|(at, _)| at + 1);
    let split = if header_lines == 0 { 0 } else { breaks.nth(header_lines - 1).unwrap_or(0) };
    repeat(&bytes[..split], &bytes[split..])
}

const BUNDLE: &str = "fhir/Johnnie679_Hermiston71_2cd30bd6-3a87-4191-af90-6daa70f58f55.json";

fn bundle() -> Vec<u8> {
    let text = plain(BUNDLE);
    let text = String::from_utf8(text).expect("JSON is UTF-8");
    let start = text.find("\"entry\": [").expect("a bundle has entries") + "\"entry\": [".len();
    let end = text.rfind(']').expect("a bundle has entries");
    let entries = &text[start..end];
    let mut bytes = text.as_bytes()[..start].to_vec();
    bytes.extend_from_slice(entries.as_bytes());
    while bytes.len() < SIZE {
        bytes.push(b',');
        bytes.extend_from_slice(entries.as_bytes());
    }
    bytes.extend_from_slice(&text.as_bytes()[end..]);
    bytes
}

fn ndjson() -> Vec<u8> {
    let bundle: serde_json::Value =
        serde_json::from_slice(&plain(BUNDLE)).expect("the example is JSON");
    let entries = bundle["entry"].as_array().expect("a bundle has entries");
    let lines = entries.iter().map(|entry| format!("{}\n", entry["resource"])).collect::<String>();
    repeat(b"", lines.as_bytes())
}

fn sam() -> Vec<u8> {
    let bytes = plain("genomics/pcs109_100_prim.sam");
    let ends_header = |pair: &[u8]| pair[0] == b'\n' && pair[1] != b'@';
    let split = bytes.windows(2).position(ends_header).expect("records follow the header") + 1;
    repeat(&bytes[..split], &bytes[split..])
}

fn bam() -> Vec<u8> {
    let bytes = plain("genomics/pcs109_1k_prim.bam");
    let word = |at: usize| {
        u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]]) as usize
    };
    let references = 8 + word(4);
    let split = (0..word(references)).fold(references + 4, |at, _| at + 8 + word(at));
    repeat(&bytes[..split], &bytes[split..])
}

fn vcf(name: &str) -> Vec<u8> {
    let bytes = plain(name);
    let ends_header = |pair: &[u8]| pair[0] == b'\n' && pair[1] != b'#';
    let split = bytes.windows(2).position(ends_header).expect("records follow the header") + 1;
    repeat(&bytes[..split], &bytes[split..])
}

fn write(path: &Path, content: &[u8]) -> std::io::Result<usize> {
    fs::write(path, content)?;
    Ok(content.len())
}

fn gzip(path: &Path, content: &[u8]) -> std::io::Result<usize> {
    let file = fs::File::create(path)?;
    let mut encoder = flate2::write::GzEncoder::new(file, flate2::Compression::fast());
    encoder.write_all(content)?;
    encoder.finish()?;
    Ok(content.len())
}

fn bgzip(path: &Path, content: &[u8]) -> std::io::Result<usize> {
    let mut writer = noodles::bgzf::io::Writer::new(fs::File::create(path)?);
    writer.write_all(content)?;
    writer.finish()?;
    Ok(content.len())
}

fn health(path: &Path) -> Result<u64, FormatError> {
    let mut reader = HealthReader::open(path)?;
    let mut sum = 0.0;
    while reader.next()?.is_some() {
        sum += reader.measurement().value;
    }
    std::hint::black_box(sum);
    Ok(reader.records())
}

fn fasta(path: &Path) -> Result<u64, FormatError> {
    let mut reader = FastaReader::open(path)?;
    let mut bases = Vec::new();
    let mut records = 0;
    while reader.next()? {
        bases.clear();
        reader.read_bases(&mut bases)?;
        records += 1;
    }
    Ok(records)
}

fn fastq(path: &Path) -> Result<u64, FormatError> {
    let mut reader = FastqReader::open(path)?;
    let mut records = 0;
    while reader.next()? {
        records += 1;
    }
    Ok(records)
}

fn alignments(path: &Path) -> Result<u64, FormatError> {
    let mut reader = AlignmentReader::open(path)?;
    let mut records = 0;
    while reader.next()? {
        std::hint::black_box(reader.record().reference_span());
        records += 1;
    }
    Ok(records)
}

fn variants(path: &Path) -> Result<u64, FormatError> {
    let mut reader = VariantReader::open(path)?;
    let mut called = 0;
    let mut records = 0;
    while reader.next()? {
        called +=
            reader.record().genotypes().flatten().filter_map(|g| g.alternate_count()).sum::<u32>();
        records += 1;
    }
    std::hint::black_box(called);
    Ok(records)
}
