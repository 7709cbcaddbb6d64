//! Writing variants, and reading back what was written.

use std::fs;

use medi_formats::{
    ErrorKind,
    variant::{Call, Contig, SampleCall, VariantReader, VariantWriter},
};

const SAMPLE: SampleCall<'_> =
    SampleCall { genotype: "0/1", quality: Some(99), depth: Some(31), allele_depths: &[16, 15] };

const CALL: Call<'_> = Call {
    chromosome: "20",
    position: 5000123,
    id: "",
    reference: "A",
    alternates: &["G"],
    quality: 221.5,
    filter: "PASS",
    depth: Some(31),
    allele_frequencies: &[0.483870967],
    samples: &[SAMPLE],
};

fn contigs() -> Vec<Contig> {
    vec![Contig { name: "20".into(), length: Some(63025520) }]
}

#[test]
fn what_is_written_is_valid_vcf() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("calls.vcf");
    let mut writer =
        VariantWriter::create(&path, &contigs(), &["donor"], &["##reference=20.fa"]).unwrap();
    writer.write(&CALL).unwrap();
    let bare = SampleCall { genotype: "", quality: None, depth: None, allele_depths: &[] };
    let unknown = Call {
        id: "rs1",
        alternates: &["C", "<DEL>"],
        quality: f64::NAN,
        filter: "",
        depth: None,
        allele_frequencies: &[],
        samples: &[bare],
        ..CALL
    };
    writer.write(&unknown).unwrap();
    assert!(!path.exists(), "the file has no name before it is whole");
    writer.finish().unwrap();
    assert_eq!(
        fs::read_to_string(&path).unwrap(),
        "##fileformat=VCFv4.3\n\
         ##source=medi\n\
         ##FILTER=<ID=PASS,Description=\"All filters passed\">\n\
         ##INFO=<ID=DP,Number=1,Type=Integer,Description=\"Read depth over all samples\">\n\
         ##INFO=<ID=AF,Number=A,Type=Float,Description=\"Share of the reads with each alternate allele\">\n\
         ##FORMAT=<ID=GT,Number=1,Type=String,Description=\"Genotype\">\n\
         ##FORMAT=<ID=GQ,Number=1,Type=Integer,Description=\"Phred quality of the genotype\">\n\
         ##FORMAT=<ID=DP,Number=1,Type=Integer,Description=\"Read depth\">\n\
         ##FORMAT=<ID=AD,Number=R,Type=Integer,Description=\"Read depth of each allele\">\n\
         ##reference=20.fa\n\
         ##contig=<ID=20,length=63025520>\n\
         #CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\tFORMAT\tdonor\n\
         20\t5000123\t.\tA\tG\t221.5\tPASS\tDP=31;AF=0.4839\tGT:GQ:DP:AD\t0/1:99:31:16,15\n\
         20\t5000123\trs1\tA\tC,<DEL>\t.\t.\t.\tGT:GQ:DP:AD\t.:.:.:.\n"
    );
}

#[test]
fn a_bgzipped_file_is_read_back_as_it_was_written() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("calls.vcf.gz");
    let mut writer = VariantWriter::create(&path, &contigs(), &["donor"], &[]).unwrap();
    for step in 0..5000 {
        writer.write(&Call { position: 100 + step, ..CALL }).unwrap();
    }
    writer.finish().unwrap();
    assert!(fs::read(&path).unwrap().starts_with(&[0x1f, 0x8b, 8, 4]));
    let mut reader = VariantReader::open(&path).unwrap();
    assert_eq!(reader.header().contigs, contigs());
    assert_eq!(reader.samples(), ["donor"]);
    for step in 0..5000 {
        assert!(reader.next().unwrap());
        let v = reader.record();
        assert_eq!((v.position(), v.depth(), v.quality()), (100 + step, Some(31), 221.5));
        assert_eq!(v.genotype(0).map(|g| g.as_str()), Some("0/1"));
        assert_eq!(v.sample_field(0, "AD"), Some("16,15"));
    }
    assert!(!reader.next().unwrap());
}

#[test]
fn a_writer_that_is_not_finished_leaves_the_older_file() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("calls.vcf");
    fs::write(&path, "older").unwrap();
    let mut writer = VariantWriter::create(&path, &contigs(), &["donor"], &[]).unwrap();
    writer.write(&CALL).unwrap();
    drop(writer);
    assert_eq!(fs::read_to_string(&path).unwrap(), "older");
    assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1);
}

#[test]
fn texts_that_would_break_the_columns_are_refused() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("calls.vcf");
    let mut writer = VariantWriter::create(&path, &contigs(), &["donor"], &[]).unwrap();
    let odd = SampleCall { genotype: "0:1", ..SAMPLE };
    let calls = [
        Call { chromosome: "2\t0", ..CALL },
        Call { reference: "", ..CALL },
        Call { alternates: &["G,T"], ..CALL },
        Call { filter: "low depth", ..CALL },
        Call { samples: &[], ..CALL },
        Call { samples: &[odd], ..CALL },
    ];
    for (at, call) in calls.iter().enumerate() {
        let error = writer.write(call).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unwritable);
        assert_eq!(error.record(), Some(at as u64 + 1));
    }
    writer.write(&CALL).unwrap();
    writer.finish().unwrap();
    let lines = fs::read_to_string(&path).unwrap();
    let after_header = lines.split_once("donor\n").unwrap().1;
    assert!(
        after_header.starts_with("20\t5000123\t") && after_header.lines().count() == 1,
        "{lines}"
    );
    assert!(VariantWriter::create(directory.path().join("x/y.vcf"), &[], &[], &[]).is_err());
    assert!(VariantWriter::create(directory.path().join("y.vcf"), &[], &["a\tb"], &[]).is_err());
}
