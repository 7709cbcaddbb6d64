//! A variant, kept as its line of VCF.

use memchr::memchr_iter;

/// The fields of a variant. Everything is found in the line when it is asked for, but the checks are made once, when
/// the line is read: columns are as many as the header says, position and quality are numbers, the alleles are there.
#[derive(Clone, Debug, Default)]
pub struct VariantRecord {
    line: String,
    /// Where each column ends: those before the samples, then one for each sample.
    ends: Vec<usize>,
    position: u64,
    quality: f64,
}

impl VariantRecord {
    /// The line, to be filled before [`VariantRecord::index`].
    pub(super) fn line_mut(&mut self) -> &mut String {
        &mut self.line
    }

    /// Finds the columns and checks what is promised of them.
    pub(super) fn index(&mut self, samples: usize) -> Result<(), String> {
        let line = self.line.as_bytes();
        self.ends.clear();
        self.ends.extend(memchr_iter(b'\t', line));
        self.ends.push(line.len());
        let wanted = if samples > 0 { 9 + samples } else { 8 };
        // A header may announce FORMAT without naming a sample.
        if self.ends.len() != wanted && !(samples == 0 && self.ends.len() == 9) {
            return Err(format!(
                "the line has {} columns, but the header has {wanted}",
                self.ends.len()
            ));
        }
        let position = self.column(1);
        self.position = position
            .parse()
            .ok()
            .filter(|&n: &u64| n <= i64::MAX as u64)
            .ok_or_else(|| format!("the position `{}` is not a number", short(position)))?;
        let quality = self.column(5);
        self.quality = match quality {
            "." => f64::NAN,
            text => text
                .parse()
                .ok()
                .filter(|q: &f64| !q.is_nan())
                .ok_or_else(|| format!("the quality `{}` is not a number", short(text)))?,
        };
        for (at, name) in [(0, "chromosome"), (3, "reference allele"), (4, "alternate allele")] {
            if self.column(at).is_empty() {
                return Err(format!("the {name} (column {}) is empty", at + 1));
            }
        }
        if let Some(odd) = self.reference().bytes().find(|b| !b.is_ascii_alphabetic() && *b != b'*')
        {
            return Err(format!(
                "the reference allele has a `{}`, which is no base",
                odd.escape_ascii()
            ));
        }
        Ok(())
    }

    fn column(&self, at: usize) -> &str {
        let start = at.checked_sub(1).map_or(0, |before| self.ends[before] + 1);
        &self.line[start..self.ends[at]]
    }

    /// The line as VCF has it, without its end.
    pub fn as_str(&self) -> &str {
        &self.line
    }

    /// The chromosome or other sequence.
    pub fn chromosome(&self) -> &str {
        self.column(0)
    }

    /// The position of the first reference base, counted from 1 (0: before the first).
    pub fn position(&self) -> u64 {
        self.position
    }

    /// The variant's name or names (dbSNP), separated by `;`, or empty.
    pub fn id(&self) -> &str {
        missing_as_empty(self.column(2))
    }

    /// The reference allele.
    pub fn reference(&self) -> &str {
        self.column(3)
    }

    /// The other alleles; none if the line only says that the place was looked at.
    pub fn alternates(&self) -> impl Iterator<Item = &str> {
        let all = missing_as_empty(self.column(4));
        all.split(',').filter(|allele| !allele.is_empty())
    }

    /// The Phred quality of there being a variant, NaN if not given.
    pub fn quality(&self) -> f64 {
        self.quality
    }

    /// `PASS`, or the filters that failed, separated by `;`, or empty if none were applied.
    pub fn filter(&self) -> &str {
        missing_as_empty(self.column(6))
    }

    /// The value of an INFO field as it is written; `Some("")` for a flag.
    pub fn info(&self, key: &str) -> Option<&str> {
        self.column(7).split(';').find_map(|field| match field.split_once('=') {
            Some((name, value)) => (name == key).then_some(value),
            None => (field == key && field != ".").then_some(""),
        })
    }

    /// The read depth over all samples (INFO `DP`), if given.
    pub fn depth(&self) -> Option<u64> {
        self.info("DP")?.parse().ok()
    }

    /// The frequency of the first alternate allele (INFO `AF`), NaN if not given.
    pub fn allele_frequency(&self) -> f64 {
        let first = self.info("AF").and_then(|all| all.split(',').next());
        first.and_then(|text| text.parse().ok()).unwrap_or(f64::NAN)
    }

    /// How many samples the line has.
    pub fn sample_count(&self) -> usize {
        self.ends.len().saturating_sub(9)
    }

    /// A field of a sample (`GT`, `DP`, `AD`, …) as it is written, if the line has it.
    pub fn sample_field(&self, sample: usize, key: &str) -> Option<&str> {
        if sample >= self.sample_count() {
            return None;
        }
        let at = self.column(8).split(':').position(|name| name == key)?;
        self.column(9 + sample).split(':').nth(at)
    }

    /// The genotype of a sample, if the line has it.
    pub fn genotype(&self, sample: usize) -> Option<Genotype<'_>> {
        self.sample_field(sample, "GT").map(Genotype)
    }

    /// The genotypes of all samples, in the header's order.
    pub fn genotypes(&self) -> impl Iterator<Item = Option<Genotype<'_>>> {
        (0..self.sample_count()).map(|sample| self.genotype(sample))
    }
}

/// A genotype as VCF writes it, such as `0/1` or `1|1`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Genotype<'a>(&'a str);

impl<'a> Genotype<'a> {
    /// The text.
    pub fn as_str(self) -> &'a str {
        self.0
    }

    /// The alleles: 0 for the reference, 1 for the first alternate, `None` where no call was made.
    pub fn alleles(self) -> impl Iterator<Item = Option<u32>> + use<'a> {
        self.0
            .split(['/', '|'])
            .filter(|allele| !allele.is_empty())
            .map(|allele| allele.parse().ok())
    }

    /// Whether it is known which chromosome carries which allele.
    pub fn is_phased(self) -> bool {
        self.0.contains('|')
    }

    /// How many alleles differ from the reference; `None` if any was not called.
    pub fn alternate_count(self) -> Option<u32> {
        self.alleles().try_fold(0, |count, allele| Some(count + u32::from(allele? != 0)))
    }
}

fn missing_as_empty(text: &str) -> &str {
    if text == "." { "" } else { text }
}

/// A text for a message: no longer than one likes to read.
fn short(text: &str) -> String {
    let mut short: String = text.chars().take(40).collect();
    if short.len() < text.len() {
        short.push('…');
    }
    short
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(line: &str, samples: usize) -> Result<VariantRecord, String> {
        let mut record = VariantRecord::default();
        record.line_mut().push_str(line);
        record.index(samples)?;
        Ok(record)
    }

    #[test]
    fn fields_are_found_and_missing_ones_are_empty_or_nan() {
        let r = record(
            "22\t100\t.\tA\tC,<NON_REF>\t.\tPASS\tDP=31;DB;AF=0.25,0.1\tGT:DP\t0|1:12\t./.\t1",
            3,
        )
        .unwrap();
        assert_eq!((r.chromosome(), r.position(), r.id(), r.reference()), ("22", 100, "", "A"));
        assert_eq!(r.alternates().collect::<Vec<_>>(), ["C", "<NON_REF>"]);
        assert!(r.quality().is_nan());
        assert_eq!((r.filter(), r.depth(), r.allele_frequency()), ("PASS", Some(31), 0.25));
        assert_eq!((r.info("DB"), r.info("D"), r.info("AN")), (Some(""), None, None));
        assert_eq!(r.sample_field(0, "DP"), Some("12"));
        assert_eq!(r.sample_field(1, "DP"), None);
        assert_eq!(r.sample_field(3, "GT"), None);
        let counts: Vec<_> = r.genotypes().map(|g| g.and_then(Genotype::alternate_count)).collect();
        assert_eq!(counts, [Some(1), None, Some(1)]);
        assert!(r.genotype(0).unwrap().is_phased());
    }

    #[test]
    fn lines_that_break_a_promise_are_refused() {
        for (line, samples) in [
            ("22\t100\t.\tA\tC\t.\tPASS", 0),
            ("22\t100\t.\tA\tC\t.\tPASS\t.\tGT\t0/1", 2),
            ("22\t-1\t.\tA\tC\t.\tPASS\t.", 0),
            ("22\t1e3\t.\tA\tC\t.\tPASS\t.", 0),
            ("22\t100\t.\t\tC\t.\tPASS\t.", 0),
            ("22\t100\t.\tA\tC\thigh\tPASS\t.", 0),
            ("22\t100\t.\tA?\tC\t.\tPASS\t.", 0),
            ("", 0),
        ] {
            assert!(record(line, samples).is_err(), "{line}");
        }
    }
}
