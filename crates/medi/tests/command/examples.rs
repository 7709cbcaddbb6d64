//! The examples print what lies beside them, and what the library computes from the example data agrees with what
//! other programs computed from the same files: pandas for the statistics, wgsim (the truth of simulated reads) and
//! bcftools for the variants. How these were made is in examples/data/expected.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Output;

use crate::support::{compare, files, medi, root, text, transcript};

const REFERENCE: &str = "examples/data/chr20/reference.fa.gz";
const READS: &str = "examples/data/chr20/reads.bam";

/// The examples' programs; each has a folder.
fn examples() -> Vec<PathBuf> {
    let entries = fs::read_dir(root().join("examples")).expect("examples");
    let paths = entries.map(|entry| entry.expect("an entry").path());
    let mut found: Vec<_> =
        paths.filter(|path| path.is_dir()).flat_map(|folder| files(&folder, "medi")).collect();
    found.sort();
    assert!(!found.is_empty());
    found
}

/// The words behind `medi` of the line `// Run: medi run …` that every example begins with.
fn run_line(source: &str) -> Vec<&str> {
    let line = source.lines().find_map(|line| line.strip_prefix("// Run: medi "));
    line.expect("an example says how to run it").split_whitespace().collect()
}

fn run(words: &[&str]) -> Output {
    medi(words).output().expect("medi starts")
}

/// What a program of tests/verify prints.
fn verify(program: &str, args: &[&str]) -> String {
    let path = format!("crates/medi/tests/verify/{program}.medi");
    let output = run(&[&["run", &path], args].concat());
    assert!(output.status.success(), "{}", transcript(&output));
    text(&output.stdout)
}

#[test]
fn examples_print_what_lies_beside_them() {
    let mut failures = vec![];
    for program in examples() {
        let source = fs::read_to_string(&program).expect("an example");
        let output = transcript(&run(&run_line(&source)));
        if let Err(difference) = compare(&program.with_file_name("output.txt"), &output) {
            failures.push(difference);
        }
    }
    assert!(failures.is_empty(), "{} failed\n{}", failures.len(), failures.join("\n"));
}

#[test]
fn the_seed_example_holds_the_two_functions_as_they_were_given() {
    let given = "\
// Automatic memory management (default)
func analyze_patients(patients: PatientList) -> Statistics {
  // Memory automatically managed
  return compute_statistics(patients)
}

// Manual memory control for performance-critical sections
func process_genomic_data(data: GenomicData) -> VariantList {
  scope {
    // Manually managed memory for performance
    let buffer = allocate(1GB)
    // Process data with explicit memory control
    return identify_variants(data, buffer)
  } // buffer automatically freed at end of scope
}
";
    let source = fs::read_to_string(root().join("examples/seed/main.medi")).expect("the example");
    assert!(source.contains(given));
}

/// A row's numbers by its code, unit, sex and age.
fn rows(csv: &str) -> BTreeMap<[String; 4], Vec<f64>> {
    let mut lines = csv.lines();
    assert_eq!(
        lines.next(),
        Some("code,unit,sex,age,count,missing,unmeasured,mean,sd,min,q1,median,q3,max")
    );
    lines
        .map(|line| {
            let fields: Vec<&str> = line.split(',').collect();
            let key = [fields[0], fields[1], fields[2], fields[3]].map(str::to_string);
            let number = |field: &&str| match *field {
                "" => f64::NAN,
                digits => digits.parse().expect("a number"),
            };
            (key, fields[4..].iter().map(number).collect())
        })
        .collect()
}

/// Alike to nine digits; both may be missing.
fn alike(a: f64, b: f64) -> bool {
    (a.is_nan() && b.is_nan()) || (a - b).abs() <= 1e-9 * a.abs().max(b.abs()).max(1e-3)
}

fn agrees_with_pandas(name: &str) {
    let expected = root().join(format!("examples/data/expected/statistics_{name}.csv"));
    let expected = rows(&fs::read_to_string(expected).expect("what pandas said"));
    let actual = rows(&verify("statistics", &[&format!("examples/data/{name}")]));
    let keys =
        |rows: &BTreeMap<[String; 4], Vec<f64>>| rows.keys().cloned().collect::<BTreeSet<_>>();
    assert_eq!(keys(&actual), keys(&expected), "the groups");
    for (key, wanted) in &expected {
        let got = &actual[key];
        let same = wanted.len() == got.len() && wanted.iter().zip(got).all(|(a, b)| alike(*a, *b));
        assert!(same, "{key:?}\npandas {wanted:?}\nmedi   {got:?}");
    }
}

#[test]
fn statistics_of_a_hospital_agree_with_pandas() {
    agrees_with_pandas("hospital");
}

#[test]
fn statistics_of_fhir_bundles_agree_with_pandas() {
    agrees_with_pandas("fhir");
}

#[test]
fn statistics_of_omop_tables_agree_with_pandas() {
    agrees_with_pandas("omop");
}

/// (position, reference, alternate), written as short and as far to the left as the alleles allow.
type Change = (usize, String, String);

/// Changes and their genotypes in a VCF file.
fn changes(vcf: &str) -> BTreeMap<Change, String> {
    vcf.lines()
        .filter(|line| !line.starts_with('#'))
        .map(|line| {
            let fields: Vec<&str> = line.split('\t').collect();
            let (mut a, mut b) = (fields[3], fields[4]);
            while a.len() > 1
                && b.len() > 1
                && a.as_bytes()[a.len() - 1] == b.as_bytes()[b.len() - 1]
            {
                (a, b) = (&a[..a.len() - 1], &b[..b.len() - 1]);
            }
            let genotype = fields[9].split(':').next().unwrap_or_default().to_string();
            ((fields[1].parse().expect("a position"), a.to_string(), b.to_string()), genotype)
        })
        .collect()
}

/// Single-base changes that wgsim made, with their genotypes. It writes both alleles of a changed chromosome pair as
/// one letter.
fn truth() -> BTreeMap<Change, String> {
    let path = root().join("examples/data/expected/wgsim.tsv");
    let lines = fs::read_to_string(path).expect("what wgsim did");
    let mut found = BTreeMap::new();
    for line in lines.lines() {
        let fields: Vec<&str> = line.split('\t').collect();
        let (reference, made) = (fields[2], fields[3]);
        if reference == "-" || made == "-" {
            continue;
        }
        let pair = match made {
            "R" => "AG",
            "Y" => "CT",
            "S" => "CG",
            "W" => "AT",
            "K" => "GT",
            "M" => "AC",
            both => both,
        };
        let alternate = pair.replace(reference, "");
        let genotype = if pair.len() == 2 { "0/1" } else { "1/1" };
        let change = (fields[1].parse().expect("a position"), reference.to_string(), alternate);
        found.insert(change, genotype.to_string());
    }
    found
}

fn is_single(change: &Change) -> bool {
    change.1.len() == 1 && change.2.len() == 1
}

fn calls() -> BTreeMap<Change, String> {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("calls.vcf");
    let path = path.to_str().expect("a path in UTF-8");
    let printed = verify("call", &[REFERENCE, READS, path]);
    let calls = changes(&fs::read_to_string(path).expect("the calls"));
    assert_eq!(printed, format!("{0} written, {0} read\n", calls.len()));
    calls
}

fn bcftools() -> BTreeMap<Change, String> {
    let path = root().join("examples/data/expected/bcftools.vcf");
    changes(&fs::read_to_string(path).expect("what bcftools said"))
}

/// 88 bases were changed. One lies at the very end of the slice, where there are too few reads for anyone.
#[test]
fn variants_agree_with_the_truth_and_with_bcftools() {
    let (calls, truth, bcftools) = (calls(), truth(), bcftools());
    let singles = |all: &BTreeMap<Change, String>| {
        all.clone().into_iter().filter(|(change, _)| is_single(change)).collect::<BTreeMap<_, _>>()
    };
    let ours = singles(&calls);
    let right =
        ours.iter().filter(|(change, genotype)| truth.get(*change) == Some(genotype)).count();
    assert_eq!(right, ours.len(), "every call is true, and so is its genotype: {ours:?}");
    assert!(right * 100 >= truth.len() * 98, "{right} of {} found", truth.len());

    let theirs = singles(&bcftools);
    let shared = theirs.iter().filter(|(change, _)| ours.contains_key(*change)).count();
    assert_eq!(shared, theirs.len(), "all that bcftools finds is found");

    let gaps: Vec<_> = bcftools.iter().filter(|(change, _)| !is_single(change)).collect();
    let shared = gaps.iter().filter(|(change, _)| calls.contains_key(*change)).count();
    assert_eq!(shared, gaps.len(), "insertions and deletions: {gaps:?}\n{calls:?}");
    let alone = calls.len() - ours.len() - shared;
    assert!(alone <= 1, "{alone} insertions and deletions are found here alone");
}

/// What `medi` says about a file that it cannot read, and that it says it with exit code 1.
fn complaint(args: &[&str]) -> String {
    let output = run(&[&["run", "examples/seed/main.medi"], args].concat());
    assert_eq!(output.status.code(), Some(1), "{}", transcript(&output));
    text(&output.stderr)
}

fn cut(directory: &Path, source: &str, bytes: usize) -> String {
    let whole = fs::read(root().join(source)).expect("a file");
    let path = directory.join(Path::new(source).file_name().expect("a name"));
    fs::write(&path, &whole[..bytes.min(whole.len())]).expect("the cut file");
    path.to_str().expect("a path in UTF-8").to_string()
}

#[test]
fn a_file_that_cannot_be_read_is_named_with_record_and_reason() {
    let directory = tempfile::tempdir().expect("a directory");
    let patients = "examples/data/fhir";

    let reads = cut(directory.path(), READS, 400_000);
    let message = complaint(&[patients, REFERENCE, &reads]);
    assert!(message.contains(&reads) && message.contains("the file is cut"), "{message}");
    assert!(message.contains("at main (examples/seed/main.medi:"), "{message}");

    let reads = cut(directory.path(), "examples/data/genomics/pcs109_100_prim.sam", 100_000);
    let message = complaint(&[patients, REFERENCE, &reads]);
    assert!(message.contains(&format!("{reads}, record ")), "{message}");

    let bundle = "examples/data/hospital/Observation.ndjson.gz";
    let observations = cut(directory.path(), bundle, 100_000);
    let message = complaint(&[&observations, REFERENCE, READS]);
    assert!(message.contains(&format!("{observations}, record ")), "{message}");

    let nothing = cut(directory.path(), REFERENCE, 0);
    let message = complaint(&[patients, &nothing, READS]);
    assert!(message.contains("the file is empty"), "{message}");

    let message = complaint(&[READS, REFERENCE, READS]);
    assert!(message.contains("this is a BAM file"), "{message}");

    let message = complaint(&["no/such/file", REFERENCE, READS]);
    assert!(message.contains("no/such/file: there is no such file"), "{message}");
}

#[test]
fn reads_of_another_reference_are_refused() {
    let directory = tempfile::tempdir().expect("a directory");
    let other = directory.path().join("other.fa");
    fs::write(&other, ">chr20_slice\nACGT\n").expect("a file");
    let other = other.to_str().expect("a path in UTF-8");
    let message = complaint(&["examples/data/fhir", other, READS]);
    assert!(message.contains("60000 bases") && message.contains("has 4"), "{message}");
}
