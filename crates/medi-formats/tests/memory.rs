//! A file of any size is read in the memory of one record.
//!
//! A binary of its own, because it watches the peak of its whole process: content of 64 MiB, written and read through
//! gzip, may not raise it by more than a few buffers.

use std::{
    fs,
    io::{self, BufWriter, Write},
    path::Path,
};

use flate2::{Compression, write::GzEncoder};
use medi_formats::{
    alignment::AlignmentReader,
    health::HealthReader,
    sequence::{FastaReader, FastqReader},
    variant::VariantReader,
};

const CONTENT: usize = 64 << 20;

/// The buffers of a reader and the compressor's window; far from the content.
const ALLOWED_KIB: u64 = 4 << 10;

/// The most memory this process has ever had resident, in KiB.
fn peak_kib() -> u64 {
    let status = fs::read_to_string("/proc/self/status").expect("Linux says how a process fares");
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("it has a peak");
    line.trim().trim_end_matches(" kB").parse().expect("the peak is a number")
}

/// A name, the parts of the file (the middle one as often as it takes), and a reader that counts the middle parts.
type Case = (&'static str, String, String, &'static str, fn(&Path) -> u64);

fn write(path: &Path, head: &str, body: &str, tail: &str) -> io::Result<u64> {
    let file = fs::File::create(path)?;
    let mut out = BufWriter::with_capacity(1 << 16, GzEncoder::new(file, Compression::fast()));
    out.write_all(head.as_bytes())?;
    let mut bodies = 0;
    while bodies as usize * body.len() < CONTENT {
        out.write_all(body.as_bytes())?;
        bodies += 1;
    }
    out.write_all(tail.as_bytes())?;
    out.into_inner()?.finish()?;
    Ok(bodies)
}

#[test]
fn the_peak_of_memory_does_not_follow_the_size_of_the_file() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("file.gz");
    // Everything once, small, so that code and tables are in memory before the measurement.
    write(&path, ">a\n", &"ACGT\n".repeat(1000), "").unwrap();
    let filler = "x".repeat(2000);
    let read = "ACGT".repeat(500);
    let quality = "I".repeat(2000);
    let entry = format!(
        r#"{{"resource":{{"resourceType":"Observation","note":"{filler}","code":{{"text":"c"}},"valueInteger":1}}}},"#
    );
    let cases: Vec<Case> = vec![
        ("bundle", r#"{"resourceType":"Bundle","entry":["#.into(), entry, "{}]}", |path| {
            let mut reader = HealthReader::open(path).unwrap();
            std::iter::from_fn(|| reader.next().unwrap()).count() as u64
        }),
        (
            "table",
            "person_id,gender_concept_id,year_of_birth,note\n".into(),
            format!("1,8507,1950,{filler}\n"),
            "",
            |path| {
                let mut reader = HealthReader::open(path).unwrap();
                std::iter::from_fn(|| reader.next().unwrap()).count() as u64
            },
        ),
        ("FASTQ", String::new(), format!("@r\n{read}\n+\n{quality}\n"), "", |path| {
            let mut reader = FastqReader::open(path).unwrap();
            std::iter::from_fn(|| reader.next().unwrap().then_some(())).count() as u64
        }),
        (
            "SAM",
            "@SQ\tSN:a\tLN:9\n".into(),
            format!("r\t0\ta\t1\t9\t2000M\t*\t0\t0\t{read}\t{quality}\n"),
            "",
            |path| {
                let mut reader = AlignmentReader::open(path).unwrap();
                std::iter::from_fn(|| reader.next().unwrap().then_some(())).count() as u64
            },
        ),
        (
            "VCF",
            "##fileformat=VCFv4.2\n#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\n".into(),
            format!("1\t5\t.\tA\tC\t.\t.\tNOTE={filler}\n"),
            "",
            |path| {
                let mut reader = VariantReader::open(path).unwrap();
                std::iter::from_fn(|| reader.next().unwrap().then_some(())).count() as u64
            },
        ),
        // One sequence on one line, as large as the file.
        ("FASTA", ">a\n".into(), read.repeat(10), "\n", |path| {
            let mut reader = FastaReader::open(path).unwrap();
            assert!(reader.next().unwrap());
            reader.for_each_chunk(|_| ()).unwrap() / 20_000
        }),
    ];
    for (name, head, body, tail, count) in cases {
        let written = write(&path, &head, &body, tail).unwrap();
        let before = peak_kib();
        assert_eq!(count(&path), written, "{name}");
        let grown = peak_kib() - before;
        assert!(grown <= ALLOWED_KIB, "reading {name} took {grown} KiB more");
    }
}
