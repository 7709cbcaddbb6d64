//! What each sort of bad file gets: which error, and where it says the trouble is.

use std::{fs, io::Write, os::fd::AsRawFd, path::Path};

use medi_formats::{ErrorKind, FormatError, detect, sequence::FastaReader};

use crate::common::{ALL, Reader, bgzip, example, file, gzip, plain};

fn fails(reader: Reader, content: impl AsRef<[u8]>) -> (u64, FormatError) {
    let file = file(content);
    reader.drain(file.path()).expect_err("the file is bad")
}

/// Errors end in the file's name, which differs; the rest is compared.
fn message(error: &FormatError) -> String {
    error.to_string().replace(&*error.path().to_string_lossy(), "FILE")
}

const JOHNNIE: &str = "fhir/Johnnie679_Hermiston71_2cd30bd6-3a87-4191-af90-6daa70f58f55.json";
const BAM: &str = "genomics/pcs109_1k_prim.bam";
const VCF: &str = "genomics/dropseq_10donors_chr22_8k.vcf.gz";

#[test]
fn a_missing_file_and_an_empty_one_are_told_apart() {
    for reader in ALL {
        let (_, error) = reader.drain(Path::new("no/such/file")).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotFound);
        for content in [b"".to_vec(), b"\n \n".to_vec(), gzip(b""), bgzip(b"")] {
            let (_, error) = fails(reader, content);
            assert_eq!(error.kind(), ErrorKind::Empty, "{reader:?}: {error}");
        }
    }
}

#[test]
fn a_file_of_another_format_is_named_for_what_it_is() {
    let files = [
        (Reader::Health, JOHNNIE, "JSON"),
        (Reader::Health, "omop/eunomia_person.csv.gz", "a table in text (CSV)"),
        (Reader::Fasta, "genomics/GRCh37_chr20_two_slices.fa.gz", "a FASTA file (sequences)"),
        (Reader::Fastq, "genomics/reads_1.fq.gz", "a FASTQ file (reads with qualities)"),
        (Reader::Alignment, BAM, "a BAM file (aligned reads)"),
        (Reader::Alignment, "genomics/pcs109_100_prim.sam", "a SAM file (aligned reads)"),
        (Reader::Variant, VCF, "a VCF file (variants)"),
        (Reader::Variant, "genomics/dropseq_10donors_chr22_1k.bcf", "a BCF file (variants)"),
    ];
    for (right, name, phrase) in files {
        assert_eq!(detect(&example(name)).unwrap().to_string(), phrase);
        for reader in ALL.into_iter().filter(|&r| r as u8 != right as u8) {
            let (_, error) = reader.drain(&example(name)).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::WrongFormat);
            assert!(error.reason().starts_with(&format!("this is {phrase}, not ")), "{error}");
        }
    }
}

#[test]
fn a_bam_file_given_as_health_records_says_what_to_do() {
    let (_, error) = Reader::Health.drain(&example(BAM)).unwrap_err();
    assert_eq!(
        message(&error),
        "FILE: this is a BAM file (aligned reads), not health records (FHIR R4 JSON or OMOP CDM tables)\n\
         help: open it as aligned reads"
    );
}

#[test]
fn what_was_compressed_twice_or_in_another_way_is_named() {
    let (_, error) = fails(Reader::Fasta, gzip(&gzip(b">a\nACGT\n")));
    assert_eq!(error.help(), "it was compressed twice: run `gunzip` on it once");
    let (_, error) = fails(Reader::Variant, b"\x28\xb5\x2f\xfd....");
    assert!(error.reason().contains("zstd"), "{error}");
}

#[test]
fn a_gzip_file_cut_anywhere_is_an_error() {
    for (reader, name) in [
        (Reader::Health, "omop/eunomia_person.csv.gz"),
        (Reader::Fastq, "genomics/reads_1.fq.gz"),
        (Reader::Variant, "genomics/pyvcf_1kg.vcf.gz"),
    ] {
        let whole = fs::read(example(name)).unwrap();
        for cut in [5, 17, 30, 1000, whole.len() / 2, whole.len() - 9, whole.len() - 1] {
            let (_, error) = fails(reader, &whole[..cut]);
            assert_eq!(error.kind(), ErrorKind::Truncated, "{name} cut at {cut}: {error}");
        }
    }
}

#[test]
fn a_bgzip_file_without_its_end_marker_is_cut() {
    for (reader, name) in [(Reader::Alignment, BAM), (Reader::Variant, VCF)] {
        let whole = fs::read(example(name)).unwrap();
        // The first cut is where a block ends, so only the marker is missing.
        for cut in [whole.len() - 28, whole.len() - 1, whole.len() / 2, 40] {
            let (count, error) = fails(reader, &whole[..cut]);
            assert_eq!(
                (count, error.kind()),
                (0, ErrorKind::Truncated),
                "{name} cut at {cut}: {error}"
            );
        }
    }
    let (_, error) = fails(Reader::Alignment, &fs::read(example(BAM)).unwrap()[..100_000]);
    assert_eq!(
        message(&error),
        "FILE: the file is cut: the end marker that closes every bgzip file is missing\n\
         help: copy or download it again; if the program that wrote it writes no end marker, rewrite the file \
         with `samtools view -b` or `gunzip -c FILE | bgzip`"
    );
}

#[test]
fn a_flipped_bit_in_compressed_data_is_damage() {
    for (reader, name) in [
        (Reader::Alignment, BAM),
        (Reader::Variant, VCF),
        (Reader::Health, "omop/eunomia_person.csv.gz"),
    ] {
        let mut bytes = fs::read(example(name)).unwrap();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 0x10;
        let (_, error) = fails(reader, bytes);
        let damaged = [ErrorKind::Corrupt, ErrorKind::Truncated];
        assert!(damaged.contains(&error.kind()), "{name}: {error}");
    }
}

#[test]
fn a_bundle_cut_in_the_middle_gives_its_whole_entries_and_then_the_error() {
    let whole = fs::read(example(JOHNNIE)).unwrap();
    let (events, error) = fails(Reader::Health, &whole[..whole.len() / 2]);
    assert!(events > 50);
    assert_eq!(error.kind(), ErrorKind::Truncated);
    assert!(error.record().is_some() && error.line().is_some());
    assert!(error.reason().starts_with("the file ends in the middle of "), "{error}");
}

#[test]
fn a_mistake_in_a_resource_is_found_by_record_and_line() {
    let text = "{\"resourceType\":\"Bundle\",\n\"entry\":[\n{\"resource\":{\"resourceType\":\"Claim\"}},\n\
                {\"resource\":\n{\"resourceType\":\"Patient\",\n\"id\":17}}]}";
    let (_, error) = fails(Reader::Health, text);
    assert_eq!(
        message(&error),
        "FILE, record 2, line 6: the resource cannot be read: invalid type: integer `17`, expected a string\n\
         help: compare the file with the original, or repeat the export that wrote it"
    );
    let cases = [
        ("{\"resourceType\":\"Patient\",\"gender\":\"w\"}", "`w` is not a gender"),
        ("{\"resourceType\":\"Patient\",\"birthDate\":\"20.3.2009\"}", "`20.3.2009` is not a date"),
        (
            "{\"resourceType\":\"Observation\",\"valueQuantity\":{\"value\":\"5\"}}",
            "invalid type: string",
        ),
        (
            "{\"resourceType\":\"Observation\",\"valueQuantity\":{\"value\":1e999}}",
            "number out of range",
        ),
        ("{\"resourceType\":\"Claim\",\"x\":[1,2}}", "the resource cannot be read"),
        ("{\"resourceType\":\"Claim\"} ]", "`]` where"),
        ("{\"entry\":[]}", "the bundle has no \"resourceType\""),
        ("{\"entry\":[{\"resource\":{}}]}", "the entry's resource has no \"resourceType\""),
        ("[{\"resourceType\":\"Patient\"}]", "the file is a JSON array"),
        ("{\"name\":\"package\"}", "this JSON is not FHIR"),
    ];
    for (text, reason) in cases {
        let (_, error) = fails(Reader::Health, format!("\n{text}"));
        assert!(error.reason().contains(reason), "{text}: {error}");
        assert_eq!((error.record() <= Some(2), error.line()), (true, Some(2)), "{text}: {error}");
    }
}

#[test]
fn json_nested_deeper_than_any_resource_is_refused() {
    let deep =
        format!("{{\"resourceType\":\"Observation\",\"code\":{}", "{\"coding\":[".repeat(100_000));
    fails(Reader::Health, deep);
    let closed = format!(
        "{{\"resourceType\":\"Observation\",\"component\":{}{}}}",
        "[{\"component\":".repeat(10_000) + "[]",
        "}]".repeat(10_000)
    );
    let (_, error) = fails(Reader::Health, closed);
    assert!(error.reason().contains("recursion limit"), "{error}");
}

#[test]
fn text_that_is_not_utf8_is_found_by_line() {
    let (_, error) = fails(Reader::Health, b"{\"resourceType\":\"Patient\",\n\"id\":\"\xff\"}");
    assert_eq!((error.reason(), error.line()), ("the text is not UTF-8", Some(2)));
    let (_, error) = fails(
        Reader::Health,
        b"person_id,gender_concept_id,year_of_birth\n1,8507,1950\n\xe9,8507,1950\n",
    );
    assert_eq!((error.record(), error.line()), (Some(2), Some(3)), "{error}");
    assert_eq!(error.reason(), "the text in column `person_id` is not UTF-8");
    let (_, error) = fails(Reader::Variant, b"##fileformat=VCFv4.2\n##x=\xff\n");
    assert_eq!((error.line(), error.offset()), (Some(2), Some(25)), "{error}");
    let (_, error) = fails(Reader::Alignment, b"@CO\tx\n\xff\t0\t*\t0\t0\t*\t*\t0\t0\tA\tI\n");
    assert_eq!((error.reason(), error.line()), ("the name is not UTF-8", Some(2)));
    let (_, error) = fails(Reader::Fasta, b">\xff\nACGT\n");
    assert_eq!(error.reason(), "the title is not UTF-8");
    let (_, error) = fails(Reader::Fastq, b"@\xff\nACGT\n+\nIIII\n");
    assert_eq!(error.reason(), "the title is not UTF-8");
}

#[test]
fn a_row_of_too_few_columns_is_an_error_and_at_the_end_a_cut() {
    let header = "person_id,gender_concept_id,year_of_birth\n";
    let (count, error) =
        fails(Reader::Health, format!("{header}1,8507,1950\n2,8507\n3,8507,1950\n"));
    assert_eq!(count, 1);
    assert_eq!(
        message(&error),
        "FILE, record 2, line 3: the row has 2 columns, but the header has 3\n\
         help: a text with a comma or line break in it must stand in double quotes; export the table again"
    );
    let (_, error) = fails(Reader::Health, format!("{header}1,8507,1950\n2,85"));
    assert_eq!(error.kind(), ErrorKind::Truncated, "{error}");
    let (_, error) =
        fails(Reader::Health, format!("{header}1,8507,1950\n2,8507,\"1950\n3,8507,1950\n"));
    assert_eq!(error.reason(), "the file ends in the middle of a field in quotes");
}

#[test]
fn quotes_in_sound_tables_are_not_taken_for_a_cut() {
    let table = "person_id,gender_concept_id,year_of_birth,x\n\
                 1,8507,1950,5\" tall\n2,8507,1950,5\"\"\n3,8507,1950,\"a \"\"b\"\"\"\n4,8507,1950,\"\"\n\
                 \"5\",\"8507\",1950,\"line\nbreak\"\n";
    assert_eq!(Reader::Health.drain(file(table).path()).unwrap(), 5);
}

#[test]
fn omop_values_that_mean_nothing_are_named_with_their_column() {
    let cases = [
        (
            "person_id,gender_concept_id,year_of_birth\n1,x,1950\n",
            "`x` in column `gender_concept_id` is not a whole number",
        ),
        ("person_id,gender_concept_id,year_of_birth\n,8507,1950\n", "column `person_id` is empty"),
        (
            "person_id,gender_concept_id,year_of_birth,month_of_birth\n1,8507,1950,13\n",
            "there is no day 1950-13-00",
        ),
        (
            "person_id,gender_concept_id,year_of_birth\n1,8507,195000\n",
            "there is no day 195000-00-00",
        ),
        (
            "Person_ID,measurement_concept_id,measurement_date,value_as_number\n1,2,2020-01-01,inf\n",
            "`inf` in column `value_as_number` is not a number",
        ),
        (
            "person_id,gender_concept_id\n1,2\n",
            "the OMOP table `person` has no column `year_of_birth`; its columns are person_id, gender_concept_id",
        ),
        (
            "name,age\nA,1\n",
            "this table is none of the OMOP tables read here; its columns are name, age",
        ),
    ];
    for (table, reason) in cases {
        let (_, error) = fails(Reader::Health, table);
        assert!(error.reason().starts_with(reason), "{error}");
    }
}

#[test]
fn directories_without_records_or_given_for_a_file_are_errors() {
    let directory = tempfile::tempdir().unwrap();
    let (_, error) = Reader::Health.drain(directory.path()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Empty);
    let (_, error) = Reader::Fasta.drain(directory.path()).unwrap_err();
    assert_eq!(error.reason(), "this is a directory, but a file is needed");
    fs::write(directory.path().join("Patient.ndjson"), "").unwrap();
    let (_, error) = Reader::Health.drain(directory.path()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Empty);
}

#[test]
fn sequences_with_holes_are_errors() {
    let cases = [
        (
            ">a\nACGT\n>b\n",
            ErrorKind::Truncated,
            "the file ends after the title of a sequence, before its bases",
        ),
        (">a\nAC1T\n", ErrorKind::Corrupt, "`1` is no base"),
        (
            "> \nACGT\n",
            ErrorKind::Corrupt,
            "the sequence has no name; it belongs right behind the `>`",
        ),
        (">a\nAC>T\n", ErrorKind::Corrupt, "`>` is no base"),
    ];
    for (text, kind, reason) in cases {
        let (_, error) = fails(Reader::Fasta, text);
        assert_eq!((error.kind(), error.reason()), (kind, reason));
    }
    let good = "@r1 x\nACGT\n+\nIIII\n";
    let cases = [
        ("@r2\nACGT\n+\nIII", ErrorKind::Truncated, "the read has 4 bases, but 3 qualities"),
        ("@r2\nACGT\n+\n", ErrorKind::Truncated, "the read has 4 bases, but 0 qualities"),
        ("@r2\nACGT\n", ErrorKind::Truncated, "the file ends in the middle of a read"),
        (
            "@r2\nACGT\nACGT\n+\nIIIIIIII\n",
            ErrorKind::Corrupt,
            "the third line of a read must start with `+`",
        ),
        ("r2\nACGT\n+\nIIII\n", ErrorKind::Corrupt, "the title of a read must start with `@`"),
        ("@r2\nAC T\n+\nIIII\n", ErrorKind::Corrupt, "` ` is no base"),
        ("@r2\nACGT\n+\nII I\n", ErrorKind::Corrupt, "` ` is no quality (`!` to `~`)"),
    ];
    for (text, kind, reason) in cases {
        let (count, error) = fails(Reader::Fastq, format!("{good}{text}"));
        assert_eq!((count, error.kind(), error.reason()), (1, kind, reason));
        assert!(error.record() == Some(2) && error.line() >= Some(5), "{error}");
    }
}

#[test]
fn a_fasta_line_may_be_longer_than_any_buffer_and_end_like_windows() {
    let text = format!(">a b\r\n{}\r\n{}\r\n\r\n>c\r\nAC-*\r\n", "ACGTN".repeat(100_000), "acgt");
    let file = file(text);
    let mut reader = FastaReader::open(file.path()).unwrap();
    let mut bases = Vec::new();
    assert!(reader.next().unwrap());
    assert_eq!(reader.read_bases(&mut bases).unwrap(), 500_004);
    assert!(bases.ends_with(b"Nacgt"));
    assert!(reader.next().unwrap());
    assert_eq!(reader.name(), "c");
    assert_eq!(reader.read_bases(&mut bases).unwrap(), 4);
    assert!(!reader.next().unwrap());
}

#[test]
fn sam_lines_that_would_mislead_a_program_are_refused() {
    let header = "@SQ\tSN:chr1\tLN:100\n";
    let good = "r1\t0\tchr1\t97\t60\t4M\t*\t0\t0\tACGT\tIIII\n";
    assert_eq!(Reader::Alignment.drain(file(format!("{header}{good}")).path()).unwrap(), 1);
    let cases = [
        ("r2\t0\tchr1\t97\t60\t4M\t*\t0\t0\tACGT\n", "fewer than the 11 columns"),
        ("r2\t0\tchr1\t97\t60\t4M\t*\t0\t0\tACGT", "the file ends in the middle of a line"),
        (
            "r2\t0\tchr1\t101\t60\t4M\t*\t0\t0\tACGT\tIIII\n",
            "position 101 lies behind the end of chr1 (100 bases)",
        ),
        (
            "r2\t0\tchr2\t1\t60\t4M\t*\t0\t0\tACGT\tIIII\n",
            "the reference `chr2` (column 3) is not in the header",
        ),
        ("r2\t0\tchr1\t-1\t60\t4M\t*\t0\t0\tACGT\tIIII\n", "the position (column 4)"),
        ("r2\t70000\tchr1\t1\t60\t4M\t*\t0\t0\tACGT\tIIII\n", "the FLAG (column 2)"),
        ("r2\t0\tchr1\t1\t300\t4M\t*\t0\t0\tACGT\tIIII\n", "the mapping quality (column 5)"),
        (
            "r2\t0\tchr1\t1\t60\t5M\t*\t0\t0\tACGT\tIIII\n",
            "the CIGAR covers 5 bases, but the read has 4",
        ),
        ("r2\t0\tchr1\t1\t60\t4Q\t*\t0\t0\tACGT\tIIII\n", "`4Q` is no CIGAR (column 6)"),
        ("r2\t0\tchr1\t1\t60\t4M\t*\t0\t0\tACGT\tIII\n", "the read has 4 bases, but 3 qualities"),
        ("r2\t0\tchr1\t1\t60\t4M\t*\t0\t0\tAC3T\tIIII\n", "`3` is no base (column 10)"),
        ("\n", "fewer than the 11 columns"),
    ];
    for (line, reason) in cases {
        let (count, error) = fails(Reader::Alignment, format!("{header}{good}{line}"));
        assert_eq!(count, 1);
        assert!(error.reason().contains(reason), "{line}: {error}");
        assert_eq!((error.record(), error.line()), (Some(2), Some(3)));
    }
}

#[test]
fn lengths_in_bam_are_not_believed() {
    let whole = plain(BAM);
    let first = first_bam_record(&whole);
    let with = |at: usize, value: i32| {
        let mut bytes = whole.clone();
        bytes[at..at + 4].copy_from_slice(&value.to_le_bytes());
        fails(Reader::Alignment, bytes).1
    };
    let header = |at, value, reason: &str| {
        let error = with(at, value);
        assert!(error.reason().contains(reason) && error.record().is_none(), "{error}");
    };
    header(4, -1, "the header gives -1 for the header text");
    header(4, i32::MAX, "the header gives 2147483647 for the header text");
    let record = |at, value, reason: &str| {
        let error = with(first + at, value);
        assert!(error.reason().contains(reason) && error.record() == Some(1), "{error}");
        assert!(error.offset().is_some() || error.kind() == ErrorKind::Truncated, "{error}");
    };
    record(0, i32::MAX, "the record claims to be 2147483647 bytes long");
    record(0, -1, "the record claims to be 4294967295 bytes long");
    record(0, 200 << 20, "the file ends in the middle of a record");
    record(0, 0, "too short for what it says it holds");
    record(0, 33, "too short for what it says it holds");
    record(4, 68, "the record names a reference that the header, which has 68, does not");
    record(4, -2, "the record names a reference");
    record(8, -7, "the record's position is negative");
    record(8, i32::MAX - 1, "lies behind the end of");
    record(20, -1, "too short for what it says it holds");
    record(20, 3, "the CIGAR covers");
}

fn first_bam_record(bytes: &[u8]) -> usize {
    let word = |at: usize| u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap()) as usize;
    let mut at = 8 + word(4);
    let references = word(at);
    at += 4;
    for _ in 0..references {
        at += 8 + word(at);
    }
    at
}

#[test]
fn a_bam_file_that_ends_between_or_in_records_is_cut() {
    let whole = plain(BAM);
    for cut in [3, 11, 2000, first_bam_record(&whole) + 2, first_bam_record(&whole) + 100] {
        let (_, error) = fails(Reader::Alignment, bgzip(&whole[..cut]));
        assert!(
            matches!(error.kind(), ErrorKind::Truncated | ErrorKind::WrongFormat),
            "{cut}: {error}"
        );
    }
}

#[test]
fn vcf_lines_are_held_against_the_header() {
    let columns = "#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\tFORMAT\ta\tb\n";
    let good = "1\t5\t.\tA\tC\t.\t.\t.\tGT\t0/1\t./.\n";
    let start = format!("##fileformat=VCFv4.2\n{columns}{good}");
    assert_eq!(Reader::Variant.drain(file(format!("{start}\n\r\n")).path()).unwrap(), 1);
    let (_, error) =
        fails(Reader::Variant, format!("{start}1\t5\t.\tA\tC\t.\t.\t.\tGT\t0/1\n{good}"));
    assert_eq!(
        (error.kind(), error.record(), error.line()),
        (ErrorKind::Corrupt, Some(2), Some(4))
    );
    assert_eq!(error.reason(), "the line has 10 columns, but the header has 11");
    let (_, error) = fails(Reader::Variant, format!("{start}1\t5\t.\tA"));
    assert_eq!(error.kind(), ErrorKind::Truncated);
    let (_, error) = fails(Reader::Variant, "##fileformat=VCFv4.2\n");
    assert_eq!(error.kind(), ErrorKind::Truncated);
    let (_, error) = fails(Reader::Variant, format!("##fileformat=VCFv4.2\n{good}"));
    assert!(error.reason().starts_with("the header has no line that names the columns"), "{error}");
}

#[test]
fn bcf_lengths_and_numbers_are_not_believed() {
    let whole = plain("genomics/dropseq_10donors_chr22_1k.bcf");
    let text = u32::from_le_bytes(whole[5..9].try_into().unwrap()) as usize;
    let first = 9 + text;
    for (at, value, reason) in [
        (first, u32::MAX, "the record claims to be"),
        (first + 4, 3 << 20, "the file ends in the middle of a record"),
        (first, 4, "the record is shorter than what it says it holds"),
        (first + 8, 99, "the record uses contig number 99, which the header does not have"),
        (first + 28, 5 << 24, "the record has 0 samples, but the header has 10"),
    ] {
        let mut bytes = whole.clone();
        bytes[at..at + 4].copy_from_slice(&value.to_le_bytes());
        let (_, error) = fails(Reader::Variant, bytes);
        assert!(error.reason().contains(reason) && error.record() == Some(1), "{error}");
    }
    let mut newer = whole;
    newer[4] = 9;
    assert_eq!(fails(Reader::Variant, newer).1.kind(), ErrorKind::Unsupported);
}

/// Pipes cannot be asked for their last bytes beforehand.
#[test]
fn a_pipe_is_read_like_a_file_and_its_cut_shows_at_the_end() {
    let through_pipe = |reader: Reader, content: Vec<u8>| {
        let (receiver, mut sender) = std::io::pipe().unwrap();
        let feeder = std::thread::spawn(move || _ = sender.write_all(&content));
        let path = format!("/proc/self/fd/{}", receiver.as_raw_fd());
        let result = reader.drain(Path::new(&path));
        // A feeder that the reader left alone ends when the pipe does.
        drop(receiver);
        feeder.join().unwrap();
        result
    };
    let bam = fs::read(example(BAM)).unwrap();
    assert_eq!(through_pipe(Reader::Alignment, bam.clone()).unwrap(), 1000);
    let (count, error) =
        through_pipe(Reader::Alignment, bam[..bam.len() - 28].to_vec()).unwrap_err();
    assert_eq!((count, error.kind()), (1000, ErrorKind::Truncated));
    let person = fs::read(example("omop/eunomia_person.csv.gz")).unwrap();
    assert_eq!(through_pipe(Reader::Health, person).unwrap(), 2694);
}

/// The files have holes where the endless field is, so they take no space.
#[test]
fn a_field_without_end_is_an_error_and_not_an_allocation() {
    let starts: [(Reader, &[u8]); 6] = [
        (Reader::Health, b"{\"resourceType\":\"Patient\",\"id\":\""),
        (Reader::Health, b"person_id,gender_concept_id,year_of_birth\n1,8507,\""),
        (Reader::Fasta, b">name"),
        (Reader::Fastq, b"@r1\nACGT\n+\n"),
        (Reader::Alignment, b"@HD\tVN:1.6\nr1"),
        (
            Reader::Variant,
            b"##fileformat=VCFv4.2\n#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\n1\t",
        ),
    ];
    for (reader, start) in starts {
        // What tells formats apart would take the hole for binary data.
        let mut start = start.to_vec();
        start.resize(9000, b'I');
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(&start).unwrap();
        file.as_file().set_len(600 << 20).unwrap();
        let (_, error) = reader.drain(file.path()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::TooLarge, "{reader:?}: {error}");
        assert_eq!(error.reason(), "the record is larger than 256 MiB");
    }
}
